package publish

// ParseTokenURI reads a key's URI and returns it as it would be written again.
func ParseTokenURI(raw string) (string, error) {
	u, err := parseTokenURI(raw)
	return u.String(), err
}
