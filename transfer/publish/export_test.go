package publish

import "context"

// ParseTokenURI reads a key's URI and returns it as it would be written again.
func ParseTokenURI(raw string) (string, error) {
	u, err := parseTokenURI(raw)
	return u.String(), err
}

// Check reads content as a push does before it sends anything.
func Check(ctx context.Context, c Content) (Content, error) { return c.check(ctx) }
