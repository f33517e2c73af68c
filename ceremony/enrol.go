package ceremony

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"conclave/ceremony/tuf"
	"conclave/hsm"
)

// An Enrolling is what a holder gives so that a token makes their next key. The
// PINs and PUKs stay the caller's to wipe.
type Enrolling struct {
	Holder string
	PIN    *hsm.PIN // the present one; of a key that an earlier try left, the one that the token was given then
	NewPIN *hsm.PIN // nil leaves it as it is
	PUK    *hsm.PIN // the present one; nil for a token that says that it has the factory's
	NewPUK *hsm.PIN // nil leaves it as it is
	Erase  uint32   // the serial where the slot's key may be lost, else 0
}

// Wipe forgets every PIN and PUK.
func (e Enrolling) Wipe() {
	for _, pin := range []*hsm.PIN{e.PIN, e.NewPIN, e.PUK, e.NewPUK} {
		pin.Wipe()
	}
}

// pinAfter is the PIN that the token has once it has made its key: it takes the new one first.
func (e Enrolling) pinAfter() *hsm.PIN {
	if e.NewPIN != nil {
		return e.NewPIN
	}
	return e.PIN
}

// weak refuses a new PIN or PUK that the token should not have. Nothing was sent.
func (e Enrolling) weak(info hsm.Info) error {
	if e.NewPIN != nil && e.NewPIN.Complete() {
		if err := hsm.CheckNewPIN(e.NewPIN, info); err != nil {
			return err
		}
	}
	if e.NewPUK != nil {
		return hsm.CheckNewPUK(e.NewPUK, e.pinAfter(), info)
	}
	return nil
}

// Enrol has the token in v make the next key that the plan has for a holder: the first one, or their backup.
//
// Where an earlier try was cut off after the token had made its key, that key
// is taken (Visitor.Left says so before): one that the token made itself, with the
// holder's name beside it, on a token that was asked for it.
func (s *Session) Enrol(ctx context.Context, v Visitor, e Enrolling) error {
	s.act.Lock()
	defer s.act.Unlock()
	err := s.enrol(ctx, v, e)
	if err == nil {
		return nil
	}
	safe, whole := s.safeEnrol(v, err)
	return &ActError{Act: fmt.Sprintf("enrol token %d for %s", v.Info.Serial, e.Holder), Err: err, Safe: safe, whole: whole}
}

func (s *Session) enrol(ctx context.Context, v Visitor, e Enrolling) error {
	if err := s.arrived(e.Holder); err != nil {
		return err
	}
	begun := EnrolBegun{Holder: e.Holder, Serial: v.Info.Serial}
	if err := s.may(begun); err != nil {
		return err
	}
	token, err := s.open(ctx, v)
	if err != nil {
		return err
	}
	defer token.Close() // what it made is recorded or not by then
	keys, err := token.Keys(ctx)
	if err != nil {
		return err
	}
	state := s.State()
	if key, holder := state.left(token.Info().Serial, keys); samePerson(holder) == samePerson(e.Holder) {
		return s.takeLeft(ctx, token, e, key)
	}
	if err := s.checkBlank(token, keys, e); err != nil {
		return err
	}
	begun.Had = keyInSlot(keys)
	if err := s.do(begun); err != nil {
		return err
	}
	key, err := token.Enrol(ctx, hsm.Enrolment{
		Slot: hsm.SlotSignature, Algorithm: hsm.Algorithm(state.bundle.Plan.Algorithm), Holder: e.Holder,
		CurrentPIN: e.PIN, NewPIN: e.NewPIN, CurrentPUK: e.PUK, NewPUK: e.NewPUK, Erase: e.Erase,
	})
	if err != nil {
		return errors.Join(err, s.enrolFailed(e.Holder, v.Info.Serial, err))
	}
	return s.enrolled(ctx, token, e.Holder, key, e.pinAfter())
}

// takeLeft takes the key that an earlier try left on the token, which has its new PIN already.
func (s *Session) takeLeft(ctx context.Context, token hsm.Token, e Enrolling, key hsm.Key) error {
	if err := s.checkPIN(token.Info(), e.pinAfter()); err != nil {
		return err
	}
	return s.enrolled(ctx, token, e.Holder, key, e.pinAfter())
}

// left finds the key that an enrolment which was cut off left on a token, and for whom it was made; "" where there is none.
// A card of another maker does not say that it made its key itself: what it holds could have been put there while it
// lay about, and to make it anew costs no signature. So such a key is not taken, whatever people decided on its origin.
func (s State) left(serial uint32, keys []hsm.Key) (hsm.Key, string) {
	begun, ok := s.enrolling[serial]
	if !ok {
		return hsm.Key{}, ""
	}
	k, ok := signatureKey(keys)
	if !ok {
		return hsm.Key{}, ""
	}
	key, err := tuf.NewKey(k.Public)
	if err != nil {
		return hsm.Key{}, "" // a kind of key that no role can have was not left by us
	}
	_, taken := s.holderOf(key.SPKI)
	if !k.Generated || k.Holder != begun.Holder || key.ID == begun.Had || taken || algorithmOf(key) != s.bundle.Plan.Algorithm {
		return hsm.Key{}, ""
	}
	return k, begun.Holder
}

// keyInSlot is the keyid of the key that an enrolment writes over, "" for an empty slot or a key that no role can have.
func keyInSlot(keys []hsm.Key) string {
	k, ok := signatureKey(keys)
	if !ok {
		return ""
	}
	key, err := tuf.NewKey(k.Public)
	if err != nil {
		return ""
	}
	return key.ID
}

func signatureKey(keys []hsm.Key) (hsm.Key, bool) {
	i := slices.IndexFunc(keys, func(k hsm.Key) bool { return k.Slot == hsm.SlotSignature })
	if i < 0 {
		return hsm.Key{}, false
	}
	return keys[i], true
}

// checkBlank refuses, before a PIN is sent, what the token would refuse anyway.
func (s *Session) checkBlank(token hsm.Token, keys []hsm.Key, e Enrolling) error {
	had, occupied := signatureKey(keys)
	if err := s.checkNeeded(token.Info(), had); err != nil {
		return err
	}
	if occupied && e.Erase != token.Info().Serial {
		return hsm.ErrOccupied
	}
	if err := s.checkPIN(token.Info(), e.PIN, e.pinAfter()); err != nil {
		return err
	}
	if err := e.weak(token.Info()); err != nil {
		return err
	}
	return checkPUK(token, e)
}

// checkPUK refuses where the present PUK is needed, or could be its last try.
func checkPUK(token hsm.Token, e Enrolling) error {
	keeper, ok := token.(hsm.Keeper)
	if !ok || e.NewPUK == nil {
		return nil
	}
	switch s := keeper.Secrets(); {
	case s.Told && s.PUK.Left == 0:
		return hsm.ErrPUKBlocked
	case e.PUK == nil && !s.PUK.Factory:
		return hsm.ErrPUKNeeded
	}
	return nil
}

// checkNeeded keeps a key that counts in this ceremony from being written over, whatever serial is typed.
func (s *Session) checkNeeded(info hsm.Info, had hsm.Key) error {
	state := s.State()
	if had.Public == nil {
		return nil
	}
	key, err := tuf.NewKey(had.Public)
	if err != nil {
		return nil //nolint:nilerr // a kind of key that no role can have
	}
	owner, counts := state.holderOf(key.SPKI)
	if !counts {
		return nil
	}
	return state.rule("key", fmt.Sprintf("token %d holds %s's key, which counts in this ceremony", info.Serial, owner.name),
		"Nothing was changed on it. Take it out, and put in the new token; the old one is needed to sign.")
}

// checkPIN refuses to send a PIN that the token cannot take, or that could be its last.
func (s *Session) checkPIN(info hsm.Info, pins ...*hsm.PIN) error {
	state := s.State()
	switch {
	case info.Retries == 0:
		return hsm.ErrBlocked
	case info.Retries == 1:
		return state.rule("last try", fmt.Sprintf("token %d has one PIN try left", info.Serial),
			"A wrong PIN would block it. Set its PIN anew with the PUK first, or use another token.")
	case slices.ContainsFunc(pins, func(pin *hsm.PIN) bool { return !pin.Complete() }):
		return state.rule("pin", fmt.Sprintf("a PIN has at least %d characters", hsm.MinPIN), "Nothing was sent to the token. Type the PIN.")
	}
	return nil
}

// enrolled has the key sign and records it with the token's evidence for it.
// Whatever fails here, the token keeps its key, and the next try takes it.
func (s *Session) enrolled(ctx context.Context, token hsm.Token, holder string, key hsm.Key, pin *hsm.PIN) error {
	e, err := s.vouch(ctx, token, holder, key, pin)
	if err == nil {
		err = s.may(e)
	}
	if err != nil {
		return errors.Join(err, s.enrolFailed(holder, token.Info().Serial, err))
	}
	return s.came(e)
}

// vouch gathers what speaks for a new key: the token's statement about it, and a signature by it.
func (s *Session) vouch(ctx context.Context, token hsm.Token, holder string, key hsm.Key, pin *hsm.PIN) (Enrolled, error) {
	statement, err := token.Attest(ctx, key.Slot)
	switch {
	case errors.Is(err, hsm.ErrNotGenuine) && s.State().excepted(ExceptAttestation):
		statement = hsm.Attestation{} // as from a card of another maker: people have decided to go without
	case errors.Is(err, hsm.ErrNotGenuine):
		return Enrolled{}, s.State().unproved(token.Info().Serial, err)
	case err != nil:
		return Enrolled{}, fmt.Errorf("ask the token for its statement about the key: %w", err)
	}
	e, err := newEnrolled(holder, token.Info(), key, statement)
	if err != nil {
		return Enrolled{}, err
	}
	if e.Attested, err = s.checkGenuine(e, key.Public); err != nil {
		return Enrolled{}, err
	}
	if e.Proof, err = s.prove(ctx, token, key, pin); err != nil {
		return Enrolled{}, &unprovenError{err}
	}
	return e, nil
}

// ExceptAttestation is the name of the exception for keys whose origin nothing proves.
const ExceptAttestation = "attestation"

// checkGenuine wants proof that the key was made on a real token, or people's decision to go without.
func (s *Session) checkGenuine(e Enrolled, key crypto.PublicKey) (proved bool, err error) {
	if s.cfg.Genuine == nil {
		return true, nil
	}
	state := s.State()
	_, err = s.cfg.Genuine(e.Evidence, key, state.Practice())
	if err != nil && !state.excepted(ExceptAttestation) {
		return false, state.unproved(e.Evidence.Serial, err)
	}
	return err == nil, nil
}

// unproved refuses a token that gives no proof, and says how people can decide to go on with it.
func (s State) unproved(serial uint32, why error) error {
	return &RuleError{
		Step: s.step, Rule: "attestation", Err: why,
		What:   fmt.Sprintf("token %d does not prove where its key was made: %v", serial, why),
		Advice: "Do not use it unless you know why. To go on with it by a recorded exception, leave and resume with --accept-unattested REASON and --decided-by for each who decides it. A key that the token says it made itself is taken then; on any other it is made anew.",
	}
}

// An unprovenError says that a token has its new key and did not sign with it.
type unprovenError struct{ err error }

func (e *unprovenError) Error() string { return e.err.Error() }
func (e *unprovenError) Unwrap() error { return e.err }

// advice is what to do, in a sentence.
func (e *unprovenError) advice() string {
	var refused *hsm.PINError
	switch {
	case errors.As(e.err, &refused):
		return "Try again, and type as the new PIN the one that the token was given when it made the key."
	case errors.Is(e.err, hsm.ErrTouchTimeout):
		return "Try again, and touch it while it blinks."
	case errors.Is(e.err, hsm.ErrRemoved):
		return "Put it back in and try again."
	}
	return "Try again, or use another token."
}

func newEnrolled(holder string, info hsm.Info, key hsm.Key, proof hsm.Attestation) (Enrolled, error) {
	k, err := tuf.NewKey(key.Public)
	if err != nil {
		return Enrolled{}, err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public)
	if err != nil {
		return Enrolled{}, fmt.Errorf("write the public key: %w", err)
	}
	return Enrolled{
		Holder: holder,
		Key:    string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
		Evidence: Evidence{
			KeyID: k.ID, Serial: info.Serial, Firmware: info.Firmware, Slot: key.Slot.String(),
			PINPolicy: string(key.PINPolicy), TouchPolicy: string(key.TouchPolicy),
			Leaf: proof.Leaf, Device: proof.Device,
		},
	}, nil
}

// enrolFailed records why there is no new key. The token may hold one all the same.
func (s *Session) enrolFailed(holder string, serial uint32, why error) error {
	if s.dead != nil {
		return nil //nolint:nilerr // why is that the record takes no more
	}
	return s.came(EnrolFailed{Holder: holder, Serial: serial, Reason: clip(why.Error(), maxReason), Retries: retriesOf(why)})
}

// safeEnrol says what a failed enrolment left behind, and where it can what to do.
func (s *Session) safeEnrol(v Visitor, err error) (text string, whole bool) {
	text = "Everybody who has enrolled stays enrolled."
	var refused *hsm.PINError
	var unproven *unprovenError
	switch {
	case errors.As(err, &unproven):
		return fmt.Sprintf("%s Token %d has made its key and keeps it: no second one is made. %s", text, v.Info.Serial, unproven.advice()), true
	case errors.Is(err, hsm.ErrOccupied):
		return fmt.Sprintf("Nothing was changed on the token. The key in its slot 9c may be somebody's: use another token, "+
			"or, if that key may be lost for good, type the serial %d.", v.Info.Serial), true
	case errors.As(err, &refused) && s.State().enrolTries[v.Info.Serial] > 1:
		return text + " No key was made. An earlier try may have set the new PIN already: then that one is the present PIN.", true
	case errors.As(err, &refused):
		return text + " No key was made. A new YubiKey has the PIN 123456; this token has another one.", true
	case errors.Is(err, hsm.ErrRemoved):
		return fmt.Sprintf("%s Put %d back in and try again: if it has made its key already, that key is taken.", text, v.Info.Serial), true
	}
	return text + " Try again, or use another token.", false
}
