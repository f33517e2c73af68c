package piv

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"errors"
	"fmt"

	gopiv "github.com/go-piv/piv-go/v2/piv"

	"conclave/hsm"
)

var errClosed = errors.New("the token is closed")

// A token is one opened YubiKey. One goroutine at a time may use it: go-piv
// is not safe for more.
type token struct {
	yk     *gopiv.YubiKey
	reader string
	info   hsm.Info
	full   int // most PIN tries seen, which is what a right PIN brings back

	secrets hsm.Secrets // as read at opening, and what was changed since
	number  uint32      // what stands for the serial number of a card that has none

	// keys remembers what was read: the token is held exclusively, so only
	// this program can change it.
	keys map[hsm.Slot]heldKey

	verified bool  // a PIN was right since the applet was selected
	dead     error // why the connection is of no use any more
	closed   bool
}

var _ hsm.Token = (*token)(nil)

// readInfo asks for the form factor first: that selects another applet, so
// the token has forgotten a PIN of an earlier program when it is asked for
// the tries left, which it would not tell otherwise.
func (t *token) readInfo() error {
	t.info.Reader = t.reader
	t.info.Firmware = versionString(t.yk.Version())
	if ff, err := t.yk.FormFactor(); err == nil && ff != 0 {
		t.info.FormFactor = ff.String()
	}
	serial, err := t.yk.Serial()
	if _, spoken := statusOf(err); spoken && t.number != 0 {
		serial, t.info.Unprinted = t.number, true
	} else if err != nil {
		return fmt.Errorf("read serial number: %w", t.fail(err))
	}
	t.info.Serial = serial
	tries, err := t.yk.Retries()
	switch {
	case err == nil:
		t.saw(tries)
	case t.broke(err):
		return fmt.Errorf("read PIN tries: %w", t.fail(err))
	default:
		t.info.Retries = -1
	}
	return nil
}

func versionString(v gopiv.Version) string {
	return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch)
}

func (t *token) saw(tries int) {
	t.info.Retries = tries
	t.full = max(t.full, tries)
}

// Info returns what was read when the token was opened.
func (t *token) Info() hsm.Info { return t.info }

// ready refuses before anything is sent.
func (t *token) ready(ctx context.Context) error {
	switch {
	case t.closed:
		return errClosed
	case t.dead != nil:
		return fmt.Errorf("%w; open it again", t.dead)
	}
	return ctx.Err()
}

// fail judges an error of go-piv. After one of PC/SC the connection is dead:
// the token was pulled or reset, or is in a state that nobody knows. Others
// pass as they are: the token said no, or something that go-piv did not
// understand.
func (t *token) fail(err error) error {
	if !t.broke(err) {
		return err
	}
	t.dead = fmt.Errorf("%w: %w", hsm.ErrRemoved, err)
	return t.dead
}

// broke reports whether the connection to the token is lost. Some drivers give
// an empty answer for a card that was pulled, which go-piv calls too short and
// PC/SC a success: after an answer that nobody understands the token is asked again.
func (t *token) broke(err error) bool {
	if err == nil {
		return false
	}
	if _, spoken := statusOf(err); spoken || errors.Is(err, gopiv.ErrNotFound) {
		return false
	}
	return broken(err) || !t.alive()
}

// alive asks for what costs nothing. A refusal is a sign of life.
func (t *token) alive() bool {
	_, err := t.yk.Serial()
	if _, spoken := statusOf(err); err == nil || spoken {
		t.verified = t.verified && t.yk.Version().Major >= 5 // before, the serial is another applet's
		return true
	}
	return false
}

// verify sends the PIN, once.
func (t *token) verify(pin *hsm.PIN) error {
	err := t.yk.VerifyPIN(string(pin.Reveal()))
	return t.judgePIN(err)
}

// judgePIN notes the outcome of a PIN that was sent.
func (t *token) judgePIN(err error) error {
	if err == nil {
		t.verified = true
		t.saw(t.full)
		return nil
	}
	err = fromPIN(t.fail(err))
	t.sawPIN(err)
	return err
}

// sawPIN notes the tries that an answer to a PIN tells of.
func (t *token) sawPIN(err error) {
	var refused *hsm.PINError
	switch {
	case err == nil:
		t.saw(t.full)
	case errors.As(err, &refused):
		t.saw(refused.Retries)
	case errors.Is(err, hsm.ErrBlocked):
		t.saw(0)
	}
}

// Sign signs a digest. It cannot be cancelled: a token that waits for a touch
// tells nobody, and go-piv has no way to stop it, so ctx counts only until
// the first byte is sent. The wait ends after about 15 seconds in
// hsm.ErrTouchTimeout.
func (t *token) Sign(ctx context.Context, pin *hsm.PIN, slot hsm.Slot, digest []byte) ([]byte, error) {
	signature, err := t.sign(ctx, pin, slot, digest)
	if err != nil {
		return nil, fmt.Errorf("sign with slot %v: %w", slot, err)
	}
	return signature, nil
}

func (t *token) sign(ctx context.Context, pin *hsm.PIN, slot hsm.Slot, digest []byte) ([]byte, error) {
	if err := t.ready(ctx); err != nil {
		return nil, err
	}
	if !pin.Complete() {
		return nil, fmt.Errorf("a PIN has %d to %d characters; nothing was sent", hsm.MinPIN, hsm.MaxPIN)
	}
	held, err := t.key(slot)
	if err != nil {
		return nil, err
	}
	public, ok := held.Public.(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("%w that a ceremony can use", hsm.ErrNoKey)
	}
	// go-piv cuts a digest that is too long without a word.
	if want := digestLength(public.Curve); len(digest) != want {
		return nil, fmt.Errorf("a digest for %s has %d bytes, this one %d", held.Algorithm, want, len(digest))
	}
	if err := t.verify(pin); err != nil {
		return nil, err
	}
	signature, err := t.use(held, public, digest)
	if err != nil {
		return nil, err
	}
	if !ecdsa.VerifyASN1(public, digest, signature) {
		return nil, hsm.ErrGarbled
	}
	return signature, nil
}

// use has the token sign. The PIN went ahead, so go-piv is told that none is
// needed and sends none of its own.
func (t *token) use(held heldKey, public *ecdsa.PublicKey, digest []byte) ([]byte, error) {
	private, err := t.yk.PrivateKey(held.slot, public, gopiv.KeyAuth{PINPolicy: gopiv.PINPolicyNever})
	if err != nil {
		return nil, err
	}
	signer, ok := private.(*gopiv.ECDSAPrivateKey)
	if !ok {
		return nil, hsm.ErrNoKey
	}
	signature, err := signer.Sign(nil, digest, nil)
	if err == nil {
		return signature, nil
	}
	err = t.fail(err)
	// The PIN was right a moment ago, so what is missing is the touch.
	if sw, ok := statusOf(err); ok && sw == swNotAllowed && held.TouchPolicy != hsm.PolicyNever {
		return nil, hsm.ErrTouchTimeout
	}
	return nil, err
}

func digestLength(curve elliptic.Curve) int { return (curve.Params().BitSize + 7) / 8 }

// Attest returns the token's statement about the key in slot.
func (t *token) Attest(ctx context.Context, slot hsm.Slot) (hsm.Attestation, error) {
	a, err := t.attest(ctx, slot)
	if err != nil {
		return hsm.Attestation{}, fmt.Errorf("attest slot %v: %w", slot, err)
	}
	return a, nil
}

func (t *token) attest(ctx context.Context, slot hsm.Slot) (hsm.Attestation, error) {
	if err := t.ready(ctx); err != nil {
		return hsm.Attestation{}, err
	}
	held, err := t.key(slot)
	if err != nil {
		return hsm.Attestation{}, err
	}
	leaf, err := t.yk.Attest(held.slot)
	_, spoken := statusOf(err)
	switch {
	case errors.Is(err, gopiv.ErrNotFound): // there is a key, but from elsewhere
		return hsm.Attestation{}, fmt.Errorf("%w: the key was not made on it", hsm.ErrNotGenuine)
	case spoken: // a card of another maker
		return hsm.Attestation{}, fmt.Errorf("%w: it does not know attestation (%w)", hsm.ErrNotGenuine, err)
	case err != nil:
		return hsm.Attestation{}, t.fail(err)
	}
	device, err := t.yk.AttestationCertificate()
	switch {
	case errors.Is(err, gopiv.ErrNotFound):
		return hsm.Attestation{}, fmt.Errorf("%w: it has no attestation certificate", hsm.ErrNotGenuine)
	case err != nil:
		return hsm.Attestation{}, t.fail(err)
	}
	return hsm.Attestation{Leaf: leaf.Raw, Device: device.Raw}, nil
}

// Close lets go of the token. It makes the token forget a verified PIN,
// which would otherwise stay good for seconds for whoever opens it next.
func (t *token) Close() error {
	if t.closed {
		return nil
	}
	t.closed = true
	if t.verified && t.dead == nil {
		// Selecting another applet is the only log-out within reach.
		_, _ = t.yk.FormFactor()
	}
	if err := t.yk.Close(); err != nil && t.dead == nil {
		if code, ok := codeOf(err); ok && (code == pcscReaderUnavailable || code == pcscRemoved) {
			return nil // pulled meanwhile, so there is nothing to let go of
		}
		return fmt.Errorf("close token %d: %w", t.info.Serial, err)
	}
	return nil
}
