package attest_test

import (
	"errors"
	"testing"

	"conclave/hsm"
	"conclave/hsm/attest"
)

// Whatever the certificates hold: no panic, and no proof but of the one key, slot and serial
// number that were expected.
func FuzzVerify(f *testing.F) {
	s := setScene(f)
	good := s.evidence("9c", truth())
	f.Add(good.Leaf, good.Device)
	f.Add(good.Device, good.Leaf)
	f.Add(s.leaf("9a", words{}), good.Device)
	f.Add(s.leaf("9c", truth().but(8, []byte{3})), s.maker.cert.Raw)
	f.Add([]byte{0x30, 0x80}, []byte{})
	want := s.expect()
	roots := attest.RootsOf(s.maker.cert)
	f.Fuzz(func(t *testing.T, leaf, device []byte) {
		p, err := attest.Verify(attest.Evidence{Leaf: leaf, Device: device}, want, roots)
		switch {
		case err != nil && !errors.Is(err, hsm.ErrNotGenuine):
			t.Fatalf("error %v", err)
		case err == nil && (p.Serial != serial || p.PINPolicy != hsm.PolicyAlways || p.TouchPolicy != hsm.PolicyAlways):
			t.Fatalf("proof %+v", p)
		}
	})
}
