//go:build offline || !cgo

package publish

func openToken(string) (*Signer, error) { return nil, errNoSuchBuild }
func makeOnToken(string) error          { return errNoSuchBuild }
