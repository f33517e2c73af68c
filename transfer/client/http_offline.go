//go:build offline

package client

import (
	"errors"
	"net/url"
)

// openHTTP refuses: this build has no network in it.
func openHTTP(*url.URL) (base, error) {
	return nil, withHint(errors.New("http: is not in this build"), "use file:, or the online build of conclave")
}
