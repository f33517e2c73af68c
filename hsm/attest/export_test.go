package attest

import "crypto/x509"

// RootsOf trusts makers of a test, besides Yubico.
func RootsOf(certs ...*x509.Certificate) Roots {
	pool := x509.NewCertPool()
	for _, c := range certs {
		pool.AddCert(c)
	}
	return Roots{besides: []maker{{pool: pool}}}
}
