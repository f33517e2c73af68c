package piv

import (
	"crypto"
	"crypto/x509"
	"testing"
)

// Label makes a holder's certificate.
func Label(t testing.TB, holder string, public crypto.PublicKey) *x509.Certificate {
	t.Helper()
	cert, err := labelFor(holder, public)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}
