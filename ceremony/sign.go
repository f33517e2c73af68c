package ceremony

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"conclave/ceremony/preflight"
	"conclave/ceremony/tuf"
	"conclave/hsm"
)

// maxReason is how much of an error's text the record keeps, in bytes.
const maxReason = 500

// Sign has the token in v sign one act: journaled, signed, verified on the spot, recorded. The PIN is
// sent once and stays the caller's to wipe. serialTyped must be the token's serial when one try is left, else 0.
//
// The machine is looked at again first; what has become worse since the preflight stops it.
func (s *Session) Sign(ctx context.Context, v Visitor, act Act, pin *hsm.PIN, serialTyped uint32) error {
	s.act.Lock()
	defer s.act.Unlock()
	err := s.sign(ctx, v, act, pin, serialTyped)
	if err == nil {
		return nil
	}
	safe, whole := s.safe(v, act, err)
	return &ActError{Act: fmt.Sprintf("sign %s with token %d", act, v.Info.Serial), Err: err, Safe: safe, whole: whole}
}

func (s *Session) sign(ctx context.Context, v Visitor, act Act, pin *hsm.PIN, serialTyped uint32) error {
	begun := SignBegun{Holder: v.Holder, Serial: v.Info.Serial, KeyID: act.KeyID, Role: act.Role, Digest: act.Digest.Hex()}
	if err := s.recheck(ctx); err != nil {
		return err
	}
	if err := s.may(begun); err != nil {
		return err
	}
	token, err := s.open(ctx, v)
	if err != nil {
		return err
	}
	defer token.Close() // what it signed is recorded or not by then
	key, err := s.keyFor(ctx, token, act)
	if err != nil {
		return err
	}
	if err := s.checkTries(token.Info(), serialTyped); err != nil {
		return err
	}
	if err := s.checkTyped(token, pin); err != nil {
		return err
	}
	if err := s.do(begun); err != nil {
		return err
	}
	return s.touch(ctx, token, act, key, pin, begun)
}

// may asks the rules before anything happens, and leaves the state as it is.
func (s *Session) may(e Event) error {
	if s.dead != nil {
		return s.dead
	}
	_, err := s.State().At(s.cfg.Now()).Apply(e)
	return err
}

// recheck looks at the machine again. What differs from the newest preflight goes on record.
func (s *Session) recheck(ctx context.Context) error {
	if s.cfg.Inspect == nil {
		return nil
	}
	checks, changed := merge(s.State().checks, s.cfg.Inspect(ctx))
	if !changed {
		return nil
	}
	return s.do(Checked{Checks: checks})
}

// merge puts newer checks in the place of older ones of the same name. changed
// reports a verdict or a finding that differs; numbers in a text change all the time.
func merge(old, newer []preflight.Check) (merged []preflight.Check, changed bool) {
	merged = append(merged, old...)
next:
	for _, c := range newer {
		for i := range merged {
			if merged[i].Name == c.Name {
				changed = changed || merged[i].Status != c.Status || !slices.Equal(merged[i].Findings(), c.Findings())
				merged[i] = c
				continue next
			}
		}
		merged = append(merged, c)
		changed = true
	}
	return merged, changed
}

// open opens the token that was looked at, and no other.
func (s *Session) open(ctx context.Context, v Visitor) (hsm.Token, error) {
	token, err := s.cfg.Tokens.Open(ctx, v.Reader)
	if err != nil {
		return nil, err
	}
	if got := token.Info().Serial; got != v.Info.Serial {
		err := s.State().rule("token", fmt.Sprintf("token %d is in the reader now, not %d", got, v.Info.Serial), "Put the right token in, and look at it again.")
		return nil, errors.Join(err, token.Close())
	}
	return token, nil
}

// keyFor finds the key of the act on the token by its bytes.
func (s *Session) keyFor(ctx context.Context, token hsm.Token, act Act) (tuf.Key, error) {
	keys, err := token.Keys(ctx)
	if err != nil {
		return tuf.Key{}, err
	}
	state := s.State()
	d, _ := state.document(act.Role)
	for _, k := range keys {
		if k.Slot != act.Slot {
			continue
		}
		key, err := tuf.NewKey(k.Public)
		if err != nil {
			return tuf.Key{}, err
		}
		for _, c := range d.claims(key.SPKI) {
			if c.keyid == act.KeyID {
				return key, nil
			}
		}
		return tuf.Key{}, state.rule("key", fmt.Sprintf("slot %s holds another key than the one that signs %s", act.Slot, act), "Look at the token again.")
	}
	return tuf.Key{}, hsm.ErrNoKey
}

// checkTyped refuses what cannot be the token's PIN before a try is spent on it.
func (s *Session) checkTyped(token hsm.Token, pin *hsm.PIN) error {
	if !pin.Complete() {
		return s.State().rule("pin", fmt.Sprintf("a PIN has at least %d characters", hsm.MinPIN), "Nothing was sent to the token. Type the PIN.")
	}
	keeper, ok := token.(hsm.Keeper)
	if !ok || !pin.Factory() {
		return nil
	}
	if told := keeper.Secrets(); told.Told && !told.PIN.Factory {
		return s.State().rule("pin", fmt.Sprintf("that is the PIN that new YubiKeys come with, and token %d says that it has another", token.Info().Serial),
			"Nothing was sent to the token and no try was lost. Type the PIN that its holder chose when it was enrolled.")
	}
	return nil
}

// checkTries guards the last try: a blocked token is out of the ceremony.
func (s *Session) checkTries(info hsm.Info, serialTyped uint32) error {
	switch {
	case info.Retries == 0:
		return hsm.ErrBlocked
	case info.Retries == 1 && serialTyped != info.Serial:
		return s.State().rule("last try", fmt.Sprintf("token %d has one try left, and its serial was not typed", info.Serial),
			"If the next PIN is wrong, the token is blocked. Make sure whose it is: type the serial that is printed on its back.")
	}
	return nil
}

// touch asks the token, checks what it gives and records what came of it.
func (s *Session) touch(ctx context.Context, token hsm.Token, act Act, key tuf.Key, pin *hsm.PIN, begun SignBegun) error {
	sig, err := s.ask(ctx, token, act, key, pin)
	if err != nil {
		note := s.came(SignFailed{
			Holder: begun.Holder, Serial: begun.Serial, KeyID: begun.KeyID, Role: begun.Role,
			Reason: clip(err.Error(), maxReason), Retries: retriesOf(err),
		})
		return errors.Join(err, note)
	}
	return s.came(Signed{
		Holder: begun.Holder, Serial: begun.Serial, KeyID: begun.KeyID, Role: begun.Role,
		Digest: begun.Digest, Sig: sig,
	})
}

// ask gets one signature from the token and verifies it.
func (s *Session) ask(ctx context.Context, token hsm.Token, act Act, key tuf.Key, pin *hsm.PIN) ([]byte, error) {
	payload := s.State().bundle.Document(act.Role).Payload()
	digest, _, err := key.Hashed(payload)
	if err != nil {
		return nil, err
	}
	sig, err := token.Sign(ctx, pin, act.Slot, digest)
	if err != nil {
		return nil, err
	}
	if err := key.Verify(payload, sig); err != nil {
		return nil, fmt.Errorf("check what the token signed: %w", err)
	}
	return sig, nil
}

// retriesOf is how many tries an error leaves; -1 where it says nothing of the PIN.
func retriesOf(err error) int {
	var refused *hsm.PINError
	switch {
	case errors.As(err, &refused):
		return refused.Retries
	case errors.Is(err, hsm.ErrBlocked):
		return 0
	}
	return -1
}

// safe says what a failed signature left behind, and where it can what to do.
func (s *Session) safe(v Visitor, act Act, err error) (text string, whole bool) {
	kept := s.kept(v)
	if s.dead != nil {
		return kept + fmt.Sprintf("Whether %s by %s is on the record shows when the ceremony is resumed.", act, v.Holder), false
	}
	text = fmt.Sprintf("%s%s by %s is not signed.", kept, capital(act.String()), v.Holder)
	var refused *hsm.PINError
	switch {
	case errors.As(err, &refused):
		return fmt.Sprintf("%s Is this really %s's token %d? The serial is printed on its back.", text, v.Holder, v.Info.Serial), true
	case errors.Is(err, hsm.ErrBlocked):
		return fmt.Sprintf("%s Token %d signs nothing until its PIN is set anew with the PUK; another keyholder can sign instead.",
			text, v.Info.Serial), true
	case errors.Is(err, hsm.ErrRemoved):
		return fmt.Sprintf("%s Put %d back in to go on, or another token to let %s sign later.", text, v.Info.Serial, v.Holder), true
	case errors.Is(err, hsm.ErrTouchTimeout):
		return text + " Try again, and touch the token while it blinks.", true
	}
	return text, false
}

// kept names the signatures of the holder that are on the record.
func (s *Session) kept(v Visitor) string {
	state := s.State()
	p, ok := state.keyOf(v)
	if !ok {
		return ""
	}
	var done []Act
	for _, d := range state.documents {
		for _, k := range p.keys {
			for _, c := range d.claims(k.SPKI) {
				if c.signed && c.keyid == k.ID {
					done = append(done, Act{Role: d.role, Version: d.version})
				}
			}
		}
	}
	if len(done) == 0 {
		return ""
	}
	return fmt.Sprintf("%s by %s is safe on the record. ", capital(actsText(done)), v.Holder)
}
