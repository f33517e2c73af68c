package piv

import (
	"context"
	"errors"
	"fmt"

	gopiv "github.com/go-piv/piv-go/v2/piv"

	"conclave/hsm"
)

var _ hsm.Keeper = (*token)(nil)

// factoryPUK is what a token has where it says Secrets.PUK.Factory.
const factoryPUK = "12345678"

// Secrets returns what the token says of what guards it.
func (t *token) Secrets() hsm.Secrets {
	s := t.secrets
	if s.Told && t.info.Retries >= 0 {
		s.PIN.Left = t.info.Retries
	}
	return s
}

// ChangePIN replaces the PIN.
func (t *token) ChangePIN(ctx context.Context, old, fresh *hsm.PIN) error {
	if err := t.keep(ctx, old, hsm.CheckNewPIN(fresh, t.info)); err != nil {
		return fmt.Errorf("change the PIN of token %d: %w", t.info.Serial, err)
	}
	if err := t.setPIN(old, fresh); err != nil {
		return fmt.Errorf("change the PIN of token %d: %w", t.info.Serial, err)
	}
	return nil
}

// ChangePUK replaces the PUK.
func (t *token) ChangePUK(ctx context.Context, old, fresh *hsm.PIN) error {
	err := t.keep(ctx, old, hsm.CheckNewPUK(fresh, nil, t.info))
	if err == nil {
		err = t.setPUK(string(old.Reveal()), fresh)
	}
	if err != nil {
		return fmt.Errorf("change the PUK of token %d: %w", t.info.Serial, err)
	}
	return nil
}

// Unblock sets a new PIN by the PUK.
func (t *token) Unblock(ctx context.Context, puk, fresh *hsm.PIN) error {
	err := t.keep(ctx, puk, hsm.CheckNewPIN(fresh, t.info))
	if err == nil {
		err = t.judgePUK(t.yk.Unblock(string(puk.Reveal()), string(fresh.Reveal())))
	}
	if err != nil {
		return fmt.Errorf("unblock the PIN of token %d: %w", t.info.Serial, err)
	}
	t.secrets.PIN.Factory = false
	t.saw(t.fullTries())
	return nil
}

// fullTries is what a right PIN or PUK brings the tries back to.
func (t *token) fullTries() int { return max(t.full, t.secrets.PIN.Most) }

// keep refuses before anything is sent.
func (t *token) keep(ctx context.Context, old *hsm.PIN, weak error) error {
	if err := t.ready(ctx); err != nil {
		return err
	}
	if !old.Complete() {
		return fmt.Errorf("a PIN or PUK has %d to %d characters; nothing was sent", hsm.MinPIN, hsm.MaxPIN)
	}
	return weak
}

func (t *token) setPIN(old, fresh *hsm.PIN) error {
	err := fromPIN(t.fail(t.yk.SetPIN(string(old.Reveal()), string(fresh.Reveal()))))
	t.sawPIN(err)
	if err == nil {
		t.secrets.PIN.Factory = false
	}
	return complex(err)
}

func (t *token) setPUK(old string, fresh *hsm.PIN) error {
	if err := t.judgePUK(t.yk.SetPUK(old, string(fresh.Reveal()))); err != nil {
		return err
	}
	t.secrets.PUK.Factory = false
	t.secrets.PUK.Left = t.secrets.PUK.Most
	return nil
}

// judgePUK notes the outcome of a PUK that was sent. go-piv has one error for both.
func (t *token) judgePUK(err error) error {
	err = t.fail(err)
	var auth gopiv.AuthErr
	if !errors.As(err, &auth) {
		return complex(err)
	}
	t.secrets.PUK.Left = auth.Retries
	if auth.Retries == 0 {
		return hsm.ErrPUKBlocked
	}
	return &hsm.PUKError{Retries: auth.Retries}
}

// swConditions is how a token with PIN complexity refuses a new PIN or PUK.
const swConditions = 0x6985

func complex(err error) error {
	if sw, ok := statusOf(err); ok && sw == swConditions {
		return fmt.Errorf("the token's own rules refuse the new one; nothing was changed: %w", err)
	}
	return err
}
