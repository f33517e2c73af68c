package ceremony

import (
	"context"
	"errors"
	"fmt"

	"conclave/hsm"
)

// UnblockBegun is journaled before a PUK is sent. Holder is "" for a token that
// nobody here is known to hold.
type UnblockBegun struct {
	Holder string `json:"holder"`
	Serial uint32 `json:"serial"`
}

// Unblocked says that a token has a new PIN, by its PUK.
type Unblocked struct {
	Holder string `json:"holder"`
	Serial uint32 `json:"serial"`
}

// UnblockFailed says why a token has no new PIN. Retries are the PUK's, -1 unless the PUK was refused.
type UnblockFailed struct {
	Holder  string `json:"holder"`
	Serial  uint32 `json:"serial"`
	Reason  string `json:"reason"`
	Retries int    `json:"retries"`
}

// Kind names the event.
func (UnblockBegun) Kind() string { return "unblock_begun" }

// Kind names the event.
func (Unblocked) Kind() string { return "unblocked" }

// Kind names the event.
func (UnblockFailed) Kind() string { return "unblock_failed" }

func (e UnblockBegun) apply(s *State) error {
	if e.Serial == 0 {
		return s.rule("serial", "the token has no serial number", "Use another token.")
	}
	if owner, ok := s.ownerOf(e.Serial); ok && e.Holder != "" && !owner.is(e.Holder) {
		return s.rule("serial", fmt.Sprintf("token %d is %s's, not %s's", e.Serial, owner.name, e.Holder), "Read the serial on the back of the token.")
	}
	s.unblocking = with(s.unblocking, e.Serial, true)
	return nil
}

func (e Unblocked) apply(s *State) error { return s.endUnblock(e.Serial) }

func (e UnblockFailed) apply(s *State) error { return s.endUnblock(e.Serial) }

func (s *State) endUnblock(serial uint32) error {
	if !s.unblocking[serial] {
		return s.rule("order", fmt.Sprintf("token %d was not asked to set its PIN anew", serial), "")
	}
	s.unblocking = without(s.unblocking, serial)
	return nil
}

// Unblock gives the token in v, whose PIN is blocked, a new one by its PUK. The PUK is sent
// once; both stay the caller's to wipe, and neither is ever on the record. serialTyped
// must be the token's serial when the PUK has one try left, else 0.
func (s *Session) Unblock(ctx context.Context, v Visitor, puk, fresh *hsm.PIN, serialTyped uint32) error {
	s.act.Lock()
	defer s.act.Unlock()
	err := s.unblock(ctx, v, puk, fresh, serialTyped)
	if err == nil {
		return nil
	}
	safe, whole := safeUnblock(v, err)
	return &ActError{Act: fmt.Sprintf("set the PIN of token %d anew", v.Info.Serial), Err: err, Safe: safe, whole: whole}
}

func (s *Session) unblock(ctx context.Context, v Visitor, puk, fresh *hsm.PIN, serialTyped uint32) error {
	begun := UnblockBegun{Holder: v.Holder, Serial: v.Info.Serial}
	if err := s.may(begun); err != nil {
		return err
	}
	token, err := s.open(ctx, v)
	if err != nil {
		return err
	}
	defer token.Close() // whether it has its new PIN is recorded by then
	keeper, ok := token.(hsm.Keeper)
	if !ok {
		return s.State().rule("token", fmt.Sprintf("the PIN of token %d cannot be set here", v.Info.Serial), "Use another token.")
	}
	if err := s.checkUnblock(keeper, puk, fresh, serialTyped); err != nil {
		return err
	}
	if err := s.do(begun); err != nil {
		return err
	}
	if err := keeper.Unblock(ctx, puk, fresh); err != nil {
		note := s.came(UnblockFailed{Holder: v.Holder, Serial: v.Info.Serial, Reason: clip(err.Error(), maxReason), Retries: pukRetriesOf(err)})
		return errors.Join(err, note)
	}
	return s.came(Unblocked(begun))
}

// checkUnblock refuses before anything is sent.
func (s *Session) checkUnblock(token hsm.Keeper, puk, fresh *hsm.PIN, serialTyped uint32) error {
	info, guard, state := token.Info(), token.Secrets(), s.State()
	switch {
	case info.Retries != 0:
		return state.rule("pin", fmt.Sprintf("the PIN of token %d is not blocked", info.Serial), "Sign with it.")
	case guard.Told && guard.PUK.Left == 0:
		return hsm.ErrPUKBlocked
	case guard.Told && guard.PUK.Left == 1 && serialTyped != info.Serial:
		return state.rule("last try", fmt.Sprintf("the PUK of token %d has one try left, and the serial was not typed", info.Serial),
			"If this PUK is wrong, the token's keys are lost. Make sure that it is this token's: type the serial that is printed on its back.")
	case !puk.Complete():
		return state.rule("puk", fmt.Sprintf("a PUK has %d to %d characters", hsm.MinPIN, hsm.MaxPIN), "Nothing was sent to the token. Type the PUK.")
	}
	return hsm.CheckNewPIN(fresh, info)
}

// pukRetriesOf is how many tries of the PUK an error leaves; -1 where it says nothing of it.
func pukRetriesOf(err error) int {
	var refused *hsm.PUKError
	switch {
	case errors.As(err, &refused):
		return refused.Retries
	case errors.Is(err, hsm.ErrPUKBlocked):
		return 0
	}
	return -1
}

// safeUnblock says what a failed try left behind, and where it can what to do.
func safeUnblock(v Visitor, err error) (text string, whole bool) {
	text = fmt.Sprintf("The PIN of token %d is blocked as before; its keys are safe.", v.Info.Serial)
	var refused *hsm.PUKError
	switch {
	case errors.As(err, &refused):
		return text + " Look the PUK up before you try again: when it is blocked too, the token's keys are lost.", true
	case errors.Is(err, hsm.ErrPUKBlocked):
		return fmt.Sprintf("Token %d can be used no more: PIN and PUK are blocked. Everything on the record is safe; go on with a backup token or without it, and plan a rotation.",
			v.Info.Serial), true
	case errors.Is(err, hsm.ErrRemoved):
		return fmt.Sprintf("Put %d back in: if its PIN is blocked still, try again.", v.Info.Serial), true
	}
	return text, false
}
