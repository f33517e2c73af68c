package piv

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"time"
	"unicode"
	"unicode/utf8"

	gopiv "github.com/go-piv/piv-go/v2/piv"

	"conclave/hsm"
)

// maxHolder is the longest common name (X.520, ub-common-name), in characters.
const maxHolder = 64

// managementKeyLength fits 3DES and AES-192, one of which every firmware takes.
const managementKeyLength = 24

// Enrol makes a new key on the token: PIN always, touch always, never to be
// read. Everything that can be refused is refused before the first change.
// Then, in this order, each step finding the token usable if it is pulled:
// the management key becomes a random one that the token keeps behind its
// PIN, the PUK and the PIN are replaced, the key is made, the certificate is written.
func (t *token) Enrol(ctx context.Context, e hsm.Enrolment) (hsm.Key, error) {
	key, err := t.enrol(ctx, e)
	if err != nil {
		return hsm.Key{}, fmt.Errorf("enrol token %d: %w", t.info.Serial, err)
	}
	return key, nil
}

func (t *token) enrol(ctx context.Context, e hsm.Enrolment) (hsm.Key, error) {
	if err := t.ready(ctx); err != nil {
		return hsm.Key{}, err
	}
	o, err := optionsFor(e)
	if err != nil {
		return hsm.Key{}, err
	}
	if err := t.goodSecrets(e); err != nil {
		return hsm.Key{}, err
	}
	if err := t.mayWrite(e); err != nil {
		return hsm.Key{}, err
	}
	management, err := t.takeCharge(e.CurrentPIN)
	if err != nil {
		return hsm.Key{}, err
	}
	if err := t.changePUK(e); err != nil {
		return hsm.Key{}, err
	}
	if err := t.changePIN(e); err != nil {
		return hsm.Key{}, err
	}
	delete(t.keys, e.Slot)
	slot, err := slotOf(e.Slot)
	if err != nil {
		return hsm.Key{}, err
	}
	public, err := t.yk.GenerateKey(management, slot, o)
	if err != nil {
		return hsm.Key{}, fmt.Errorf("make key in slot %v: %w", e.Slot, t.fail(err))
	}
	if err := t.label(management, slot, e.Holder, public); err != nil {
		return hsm.Key{}, fmt.Errorf("write certificate into slot %v (the key is made): %w", e.Slot, err)
	}
	return t.readBack(e, public)
}

// optionsFor checks what can be checked without the token.
func optionsFor(e hsm.Enrolment) (gopiv.Key, error) {
	o := gopiv.Key{PINPolicy: gopiv.PINPolicyAlways, TouchPolicy: gopiv.TouchPolicyAlways}
	switch e.Algorithm {
	case hsm.P256:
		o.Algorithm = gopiv.AlgorithmEC256
	case hsm.P384:
		o.Algorithm = gopiv.AlgorithmEC384
	default:
		return o, fmt.Errorf("make a key for %q: only %s and %s serve in a ceremony", e.Algorithm, hsm.P256, hsm.P384)
	}
	if _, err := slotOf(e.Slot); err != nil {
		return o, err
	}
	if !e.CurrentPIN.Complete() || e.NewPIN != nil && !e.NewPIN.Complete() {
		return o, fmt.Errorf("a PIN has %d to %d characters; nothing was sent", hsm.MinPIN, hsm.MaxPIN)
	}
	return o, checkHolder(e.Holder)
}

func checkHolder(name string) error {
	n := utf8.RuneCountInString(name)
	if n == 0 || n > maxHolder || !utf8.ValidString(name) {
		return fmt.Errorf("a holder's name has 1 to %d characters of UTF-8, this one %d", maxHolder, n)
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return fmt.Errorf("a holder's name holds only characters that can be seen, not %U", r)
		}
	}
	return nil
}

// mayWrite refuses an occupied slot unless the serial was named, and any
// other serial at all: it was meant for another token.
func (t *token) mayWrite(e hsm.Enrolment) error {
	if e.Erase != 0 && e.Erase != t.info.Serial {
		return fmt.Errorf("%w: erasing is asked of token %d, this is %d", hsm.ErrOccupied, e.Erase, t.info.Serial)
	}
	held, err := t.key(e.Slot)
	switch {
	case errors.Is(err, hsm.ErrNoKey):
		return nil
	case err != nil:
		return fmt.Errorf("read slot %v: %w", e.Slot, err)
	case e.Erase == 0:
		return fmt.Errorf("%w: slot %v, holder %q", hsm.ErrOccupied, e.Slot, held.Holder)
	}
	return nil
}

// takeCharge verifies the PIN, with one try, and returns a management key that
// only the PIN gives access to.
func (t *token) takeCharge(pin *hsm.PIN) ([]byte, error) {
	// Metadata sends the PIN itself; a VERIFY of ours before it would be a second.
	metadata, err := t.yk.Metadata(string(pin.Reveal()))
	if err := t.judgeMetadata(err); err != nil {
		return nil, err
	}
	fresh := make([]byte, managementKeyLength)
	_, _ = rand.Read(fresh) // never fails
	for _, old := range candidates(metadata) {
		err := t.protect(metadata, old, fresh)
		if sw, ok := statusOf(err); ok && sw == swNotAllowed {
			continue // not this one
		}
		return fresh, err
	}
	return nil, errors.New("the management key is neither the default nor kept on the token; reset the token's PIV applet, or enrol another")
}

// judgeMetadata tells a refused PIN from an object that go-piv cannot read:
// other programs keep other things there, which are not ours to overwrite.
func (t *token) judgeMetadata(err error) error {
	if _, spoken := statusOf(err); err == nil || spoken || t.broke(err) {
		return t.judgePIN(err)
	}
	t.verified = true // the PIN went ahead of the object
	return fmt.Errorf("read the token's printed information, where a management key is kept: %w; reset the token's PIV applet, or enrol another", err)
}

// candidates are the management keys that a token of ours can have.
func candidates(m *gopiv.Metadata) [][]byte {
	var keys [][]byte
	if m.ManagementKey != nil {
		keys = append(keys, bytes.Clone(*m.ManagementKey))
	}
	return append(keys, gopiv.DefaultManagementKey)
}

// protect replaces the management key. The new one is stored first: a token
// pulled in between still has its old key, and takes the default at the next try.
func (t *token) protect(m *gopiv.Metadata, old, fresh []byte) error {
	m.ManagementKey = &fresh
	if err := t.yk.SetMetadata(old, m); err != nil {
		return fmt.Errorf("store management key: %w", t.fail(err))
	}
	if err := t.yk.SetManagementKey(old, fresh); err != nil {
		return fmt.Errorf("set management key: %w", t.fail(err))
	}
	t.secrets.ManagementFactory = false
	return nil
}

func (t *token) changePIN(e hsm.Enrolment) error {
	if e.NewPIN == nil {
		return nil
	}
	if err := t.setPIN(e.CurrentPIN, e.NewPIN); err != nil {
		return fmt.Errorf("set PIN: %w", err)
	}
	return nil
}

// goodSecrets refuses a new PIN or PUK that the token should not have, and a
// new PUK where the old one is not known.
func (t *token) goodSecrets(e hsm.Enrolment) error {
	if e.NewPIN != nil {
		if err := hsm.CheckNewPIN(e.NewPIN, t.info); err != nil {
			return err
		}
	}
	if e.NewPUK == nil {
		return nil
	}
	pin := e.NewPIN
	if pin == nil {
		pin = e.CurrentPIN
	}
	if err := hsm.CheckNewPUK(e.NewPUK, pin, t.info); err != nil {
		return err
	}
	if e.CurrentPUK == nil && !t.secrets.PUK.Factory || e.CurrentPUK != nil && !e.CurrentPUK.Complete() {
		return fmt.Errorf("%w; nothing was changed", hsm.ErrPUKNeeded)
	}
	return nil
}

// changePUK takes the factory's PUK for the old one only where the token says
// that it has it: that is no guess, and costs no try.
func (t *token) changePUK(e hsm.Enrolment) error {
	if e.NewPUK == nil {
		return nil
	}
	old := factoryPUK
	if e.CurrentPUK != nil {
		old = string(e.CurrentPUK.Reveal())
	}
	if err := t.setPUK(old, e.NewPUK); err != nil {
		return fmt.Errorf("set PUK: %w", err)
	}
	return nil
}

// label writes the holder's name into the slot.
func (t *token) label(management []byte, slot gopiv.Slot, holder string, public crypto.PublicKey) error {
	cert, err := labelFor(holder, public)
	if err != nil {
		return err
	}
	setErr := t.yk.SetCertificate(management, slot, cert)
	// go-piv drops the cause of a failed write, so what counts is what can
	// be read back.
	got, err := t.yk.Certificate(slot)
	switch {
	case err != nil:
		return errors.Join(setErr, t.fail(err))
	case setErr != nil:
		return setErr
	case !bytes.Equal(got.Raw, cert.Raw):
		return errors.New("the token returns another certificate than was written")
	}
	return nil
}

// labelFor makes a certificate that is a name tag and no more. A real
// self-signed one would take a signature by the token, and so a PIN and a
// touch that approve nothing: keyholders must not get used to those. It is
// signed with a key that is thrown away, and says so. Its times say nothing
// either: the clock of a machine without a network is not to be trusted, so
// they are RFC 5280's "no well-defined expiration" and a fixed start.
func labelFor(holder string, public crypto.PublicKey) (*x509.Certificate, error) {
	throwaway, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial := make([]byte, 16)
	_, _ = rand.Read(serial) // never fails
	serial[0] = serial[0]&0x3f | 0x40
	leaf := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial),
		Subject:      pkix.Name{CommonName: holder},
		NotBefore:    time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), // RFC 5280, 4.1.2.5
	}
	issuer := &x509.Certificate{Subject: pkix.Name{CommonName: "conclave name tag - the key that signed this is gone"}}
	der, err := x509.CreateCertificate(rand.Reader, leaf, issuer, public, throwaway)
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

// readBack returns the key as the token now tells of it, never as it was
// asked for.
func (t *token) readBack(e hsm.Enrolment, public crypto.PublicKey) (hsm.Key, error) {
	held, err := t.key(e.Slot)
	switch {
	case err != nil:
		return hsm.Key{}, fmt.Errorf("read back slot %v: %w", e.Slot, err)
	case !samePublic(public, held.Public):
		return hsm.Key{}, fmt.Errorf("read back slot %v: the token names another key than it made", e.Slot)
	case !alwaysOrUntold(held.PINPolicy) || !alwaysOrUntold(held.TouchPolicy):
		return hsm.Key{}, fmt.Errorf("read back slot %v: policies are PIN %s and touch %s, asked for always and always",
			e.Slot, held.PINPolicy, held.TouchPolicy)
	case held.Holder != e.Holder:
		return hsm.Key{}, fmt.Errorf("read back slot %v: holder is %q, not %q", e.Slot, held.Holder, e.Holder)
	}
	return held.Key, nil
}

// alwaysOrUntold lets a card of another maker be: it does not say, and
// attests nothing either.
func alwaysOrUntold(p hsm.Policy) bool { return p == hsm.PolicyAlways || p == hsm.PolicyUnknown }
