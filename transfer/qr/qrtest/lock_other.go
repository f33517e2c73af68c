//go:build !unix

package qrtest

// lockFile has nothing to wait with here.
func lockFile(string) (unlock func(), err error) { return func() {}, nil }
