package roomtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"conclave/ceremony"
	"conclave/hsm"
	"conclave/tui/room"
)

// Readers lists the readers of tokens that are in.
func (s *Session) Readers(context.Context) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if errs := s.Fail["Readers"]; len(errs) > 0 {
		s.Fail["Readers"] = errs[1:]
		return nil, errs[0]
	}
	var rs []string
	for i, t := range s.Tokens {
		if t.In {
			rs = append(rs, reader(i))
		}
	}
	return rs, nil
}

func reader(i int) string { return fmt.Sprintf("Yubico YubiKey CCID %02d", i) }

func (s *Session) token(r string) *Token {
	for i, t := range s.Tokens {
		if t.In && reader(i) == r {
			return t
		}
	}
	return nil
}

// Look says whose a token is.
func (s *Session) Look(_ context.Context, r string) (ceremony.Visitor, error) {
	if err := s.called("Look %s", r); err != nil {
		return ceremony.Visitor{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.token(r)
	if t == nil {
		return ceremony.Visitor{}, hsm.ErrRemoved
	}
	v := ceremony.Visitor{
		Reader: r, Holder: t.Holder, Blank: t.Blank,
		Info:  hsm.Info{Serial: t.Serial, Firmware: "5.7.1", Reader: r, Retries: t.Retries},
		Guard: hsm.Secrets{Told: true, PIN: hsm.Tries{Left: t.Retries, Most: 3}, PUK: hsm.Tries{Left: t.pukTries(), Most: 3, Factory: t.PUK == ""}},
	}
	v.Stray = t.Stray
	if t.Left != "" {
		v.Holder, v.Left = t.Left, t.Left
	}
	s.acts(&v)
	switch {
	case t.Retries == 0:
		v.Acts, v.Why = nil, fmt.Sprintf("The PIN of token %d is blocked.", t.Serial)
	case v.Holder == "":
		v.Why = fmt.Sprintf("Token %d is unknown here: no key in it is a key of %s.", t.Serial, s.Name)
	case s.At == ceremony.StepSign && !s.reviewed(v.Holder):
		v.Acts, v.Why = nil, fmt.Sprintf("Token %d is %s's, who has not read yet what changes. Review comes first.", t.Serial, v.Holder)
	case len(v.Acts) == 0:
		v.Why = fmt.Sprintf("Token %d is %s's and has signed everything that it can. Each counts once.", t.Serial, v.Holder)
	}
	return v, nil
}

// Inspect shows one key in 9c, attested for all but the token of somebody unknown.
func (s *Session) Inspect(_ context.Context, v ceremony.Visitor) (ceremony.TokenSheet, error) {
	if err := s.called("Inspect %d", v.Info.Serial); err != nil {
		return ceremony.TokenSheet{}, err
	}
	sheet := ceremony.TokenSheet{Info: v.Info, Guard: v.Guard, Holder: v.Holder}
	sheet.Info.FormFactor = "USB-A Keychain"
	if !v.Blank {
		k := ceremony.SheetKey{Key: hsm.Key{Slot: hsm.SlotSignature, Algorithm: hsm.P256, PINPolicy: hsm.PolicyAlways, TouchPolicy: hsm.PolicyAlways, Holder: v.Holder}}
		if v.Holder == "" {
			k.Why = "the token cannot prove that it made the key: it does not know attestation"
		}
		sheet.Keys = append(sheet.Keys, k)
	}
	return sheet, nil
}

func (s *Session) reviewed(holder string) bool {
	return slices.ContainsFunc(s.People, func(p ceremony.Participant) bool { return p.Name == holder && p.Reviewed })
}

// acts fills in what a visitor may sign and has signed.
func (s *Session) acts(v *ceremony.Visitor) {
	for _, d := range s.Documents {
		a := ceremony.Act{Role: d.Role, Version: d.Version, Digest: d.Digest, KeyID: v.Holder, Slot: hsm.SlotSignature}
		for _, t := range s.Tallies() {
			if n := t.Tally.Requirement; t.Role == d.Role && s.lists(n.Name, v.Holder) {
				a.Counts = append(a.Counts, n.Name)
				a.Needed = a.Needed || !t.Tally.Complete()
			}
		}
		switch {
		case len(a.Counts) == 0:
		case s.SignedWhen[v.Holder+"/"+d.Role].IsZero():
			v.Acts = append(v.Acts, a)
		default:
			v.Done = append(v.Done, a)
		}
	}
}

// lists reports whether a requirement lists a holder's key.
func (s *Session) lists(requirement, holder string) bool {
	return slices.ContainsFunc(s.Needs, func(n Requirement) bool { return n.Name == requirement && slices.Contains(n.Holders, holder) })
}

// Challenges asks for word 3 and 6 of the first document and word 9 of the others.
func (s *Session) Challenges(v ceremony.Visitor) ([]ceremony.Challenge, error) {
	if err := s.called("Challenges %s", v.Holder); err != nil {
		return nil, err
	}
	var out []ceremony.Challenge
	for i, a := range v.Acts {
		if i == 0 {
			out = append(out, ceremony.Challenge{Role: a.Role, Position: 3}, ceremony.Challenge{Role: a.Role, Position: 6})
			continue
		}
		out = append(out, ceremony.Challenge{Role: a.Role, Position: 9})
	}
	return out, nil
}

// Approve checks the words.
func (s *Session) Approve(v ceremony.Visitor, asked []ceremony.Challenge, words []string) error {
	if err := s.called("Approve %s %s", v.Holder, strings.Join(words, " ")); err != nil {
		return err
	}
	for i, c := range asked {
		for _, a := range v.Acts {
			if a.Role == c.Role && !strings.EqualFold(a.Digest.Words()[c.Position-1], words[i]) {
				return failed("approve", "Nothing was changed.", &ceremony.WordError{Role: a.String(), Position: c.Position})
			}
		}
	}
	return nil
}

// Sign checks the PIN, waits for a touch where that is manual, and signs.
func (s *Session) Sign(ctx context.Context, v ceremony.Visitor, act ceremony.Act, pin *hsm.PIN, serial uint32) error {
	if err := s.called("Sign %s %s", v.Holder, act.Role); err != nil {
		return err
	}
	err := s.open(v, pin, serial)
	if err == nil {
		err = s.touched(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.SignedWhen[v.Holder+"/"+act.Role] = s.Clock
	}
	return failed("sign "+act.String(), s.kept(v, act), err)
}

// kept says what a failed signature left behind.
func (s *Session) kept(v ceremony.Visitor, act ceremony.Act) string {
	safe := fmt.Sprintf("%s by %s is not signed.", act, v.Holder)
	if act.Role != "root" && !s.SignedWhen[v.Holder+"/root"].IsZero() {
		safe = fmt.Sprintf("root by %s is safe on the record. %s", v.Holder, safe)
	}
	return safe
}

func (s *Session) open(v ceremony.Visitor, pin *hsm.PIN, serial uint32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.token(v.Reader)
	switch {
	case t == nil:
		return hsm.ErrRemoved
	case t.Retries == 0:
		return hsm.ErrBlocked
	case t.Retries == 1 && serial != t.Serial:
		return errors.New("the last try wants the token's serial")
	case string(pin.Reveal()) == t.PIN:
		t.Retries = 3
		return nil
	}
	if t.Retries--; t.Retries == 0 {
		return hsm.ErrBlocked
	}
	return &hsm.PINError{Retries: t.Retries}
}

func (s *Session) touched(ctx context.Context) error {
	if !s.Manual {
		return nil
	}
	s.mu.Lock()
	s.touches, s.waiting = make(chan error, 1), true
	touches := s.touches
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.waiting = false
		s.mu.Unlock()
	}()
	select {
	case err := <-touches:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Enrol makes a key.
func (s *Session) Enrol(ctx context.Context, v ceremony.Visitor, e ceremony.Enrolling) error {
	holder := e.Holder
	if err := s.called("Enrol %s %d erase %d", holder, v.Info.Serial, e.Erase); err != nil {
		return err
	}
	if !v.Blank && v.Left == "" && e.Erase != v.Info.Serial {
		return hsm.ErrOccupied
	}
	if err := s.open(v, e.PIN, v.Info.Serial); err != nil {
		return err
	}
	if err := s.touched(ctx); err != nil {
		return err
	}
	return s.in(func() error {
		t := s.token(v.Reader)
		t.Holder, t.Blank, t.Left = holder, false, ""
		if e.NewPIN != nil {
			t.PIN, t.PUK = string(e.NewPIN.Reveal()), string(e.NewPUK.Reveal())
		}
		for i := range s.People {
			if s.People[i].Name == holder {
				p := &s.People[i]
				p.Made = append(slices.Clone(p.Made), t.Serial)
				p.Serials = slices.Clone(p.Made)
				p.Enrolled, p.Backup = !s.Backups[holder] || p.Backup, s.Backups[holder] && !p.Backup
			}
		}
		s.enrolledAll()
		return nil
	}, ceremony.StepEnrolment)
}

// pukTries are three for a token that a test says nothing of; below zero there are none.
func (t *Token) pukTries() int {
	switch {
	case t.PUKTries == 0:
		return 3
	case t.PUKTries < 0:
		return 0
	}
	return t.PUKTries
}

// Unblock sets a blocked PIN anew.
func (s *Session) Unblock(_ context.Context, v ceremony.Visitor, puk, fresh *hsm.PIN, _ uint32) error {
	if err := s.called("Unblock %d", v.Info.Serial); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.token(v.Reader)
	switch {
	case t == nil:
		return hsm.ErrRemoved
	case string(puk.Reveal()) == t.PUK:
		t.PIN, t.Retries = string(fresh.Reveal()), 3
		return nil
	}
	if t.PUKTries = t.pukTries() - 1; t.PUKTries == 0 {
		t.PUKTries = -1
		return hsm.ErrPUKBlocked
	}
	return &hsm.PUKError{Retries: t.PUKTries}
}

// A Tray is the stand-in's tokens as a rehearsal shows them.
type Tray struct{ s *Session }

// Tray is the tray of the stand-in's tokens.
func (s *Session) Tray() Tray { return Tray{s} }

// Tokens lists the tokens.
func (t Tray) Tokens() []room.TrayToken {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	first := slices.IndexFunc(t.s.Tokens, func(t *Token) bool { return t.In })
	var out []room.TrayToken
	for i, k := range t.s.Tokens {
		out = append(out, room.TrayToken{
			Name: k.Name, Serial: k.Serial, Inserted: k.In,
			WaitingForTouch: t.s.waiting && i == first,
		})
	}
	return out
}

// Insert puts token i in.
func (t Tray) Insert(i int) { t.s.put(i, true) }

// Remove takes token i out.
func (t Tray) Remove(i int) { t.s.put(i, false) }

// Touch touches the token that waits.
func (t Tray) Touch() { t.s.answer(nil) }

// Yank pulls the first token out, at work or not.
func (t Tray) Yank() {
	t.s.mu.Lock()
	for _, k := range t.s.Tokens {
		if k.In {
			k.In = false
			break
		}
	}
	t.s.mu.Unlock()
	t.s.answer(hsm.ErrRemoved)
}

// PIN is the PIN of every practice token.
func (t Tray) PIN() string { return "271828" }

func (s *Session) put(i int, in bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Tokens[i].In = in
}

// answer ends the wait for a touch, if there is one.
func (s *Session) answer(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting {
		s.waiting = false
		s.touches <- err
	}
}

// TimeOut lets the token give up waiting for a touch.
func (s *Session) TimeOut() { s.answer(hsm.ErrTouchTimeout) }

// Waiting reports whether a token waits for a touch.
func (s *Session) Waiting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting
}
