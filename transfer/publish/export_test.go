package publish

import (
	"context"
	"fmt"

	"conclave/ceremony/tuf"
)

// ParseTokenURI reads a key's URI and returns it as it would be written again.
func ParseTokenURI(raw string) (string, error) {
	u, err := parseTokenURI(raw)
	return u.String(), err
}

// Stretched is what the passphrase was stretched to last; another stretching is another one.
func (p *Passphrase) Stretched() *Stretching { return p.last }

// A Stretching is what a passphrase gave for a salt.
type Stretching = stretched

// Unseal opens what an encrypted key's PEM block holds.
func Unseal(raw []byte, p *Passphrase) ([]byte, error) { return unseal(raw, p) }

// TryApart lets observers follow one after the other from this size of targets on.
func TryApart(size int) (before int) {
	before, tryApart = tryApart, size
	return before
}

// Check reads content as a push does before it sends anything.
func Check(ctx context.Context, c Content) (Content, error) { return c.check(ctx) }

// BinsAtOnce is how many of some new bins are held parsed at once, each with so many files.
func BinsAtOnce(count, files int) int {
	b := &bins{before: new(live), change: map[string]*binChange{}}
	var roles []string
	for i := range count {
		role := fmt.Sprint("bin-", i)
		roles = append(roles, role)
		b.change[role] = &binChange{add: make([]*tuf.TargetFile, files)}
	}
	return b.atOnce(roles)
}
