//go:build offline

package publish

import (
	"errors"
	"strings"
)

// openBucket knows no cloud in this build.
func openBucket(raw string) (Store, bool, error) {
	if !strings.HasPrefix(raw, "s3:") {
		return nil, false, nil
	}
	return nil, true, errors.New("open store: this build knows no network")
}
