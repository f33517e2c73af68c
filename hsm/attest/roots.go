package attest

import (
	"crypto/x509"
	_ "embed"
	"strings"
	"time"

	gopiv "github.com/go-piv/piv-go/v2/piv"
)

// practicePEM is the root that certifies virtual YubiKeys. Its private key is
// no secret: anybody can make evidence that it stands behind.
//
//go:embed practice.pem
var practicePEM []byte

// A maker is who stands behind tokens. A nil pool is Yubico, whose roots
// and intermediates go-piv has built in.
type maker struct {
	pool     *x509.CertPool
	practice bool
}

// Roots are the makers whose tokens count. The zero value is Yubico alone.
type Roots struct{ besides []maker }

// Yubico trusts the maker of real tokens, and nobody else.
func Yubico() Roots { return Roots{} }

// WithPractice trusts the practice root of rehearsals too. Proof.Practice
// then says which of them stands behind a token.
func WithPractice() Roots {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(practicePEM)
	return Roots{besides: []maker{{pool: pool, practice: true}}}
}

// check finds a maker who stands behind both certificates, and that one of
// them signed the other.
func (r Roots) check(c certificates) (practice bool, err error) {
	if err := c.check(time.Now()); err != nil {
		return false, err
	}
	for _, m := range append([]maker{{}}, r.besides...) {
		if m.standsBehind(c) {
			return m.practice, nil
		}
	}
	if strings.HasPrefix(c.device.Issuer.CommonName, "PRACTICE ") {
		return false, refuse(adviceForged, "it is a practice token, good for rehearsals only")
	}
	return false, refuse(adviceUnknown, "no root of Yubico stands behind the certificate in its slot f9")
}

// check looks at what a chain does not: go-piv finds a way from the leaf to a
// root, by whichever certificate, and makes an authority of any f9 that says
// nothing about it.
func (c certificates) check(now time.Time) error {
	for _, cert := range []*x509.Certificate{c.leaf, c.device} {
		if now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
			return refuse(adviceClock, "its certificates hold from %s to %s, and the clock here says %s",
				cert.NotBefore.Format(time.DateOnly), cert.NotAfter.Format(time.DateOnly), now.UTC().Format(time.DateOnly))
		}
	}
	_, serial := extension(c.device, extSerial)
	_, policy := extension(c.device, extPolicy)
	switch {
	case serial || policy || strings.HasPrefix(c.device.Subject.CommonName, leafName):
		return refuse(adviceForged, "another attestation stands in for the certificate of f9")
	case c.device.BasicConstraintsValid && !c.device.IsCA: // a YubiKey 4 may say nothing of it
		return refuse(adviceForged, "the certificate of f9 may not sign attestations")
	case !c.signed():
		return refuse(adviceForged, "the key in f9 did not sign the attestation")
	}
	return nil
}

func (c certificates) signed() bool {
	return c.device.CheckSignature(c.leaf.SignatureAlgorithm, c.leaf.RawTBSCertificate, c.leaf.Signature) == nil
}

// standsBehind asks go-piv for the chain.
func (m maker) standsBehind(c certificates) bool {
	device, err := parse(c.device.Raw) // go-piv writes into the one it is given
	if err != nil {
		return false
	}
	_, err = (&gopiv.Verifier{Roots: m.pool}).Verify(device, c.leaf)
	return err == nil
}
