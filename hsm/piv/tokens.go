// Package piv reaches YubiKeys over PC/SC, through go-piv: it is what the
// ceremony signs with.
//
// It promises that a PIN is sent exactly once for each signature and never
// again by itself, that no default PIN is tried, that a signature is verified
// with the slot's own key before anybody sees it, and that a token whose
// connection broke once is not used again until it is opened anew.
//
// BUG(conclave): go-piv takes a PIN as a string and pads a copy of it. These
// copies cannot be wiped and stay in memory until it is used again; the
// ceremony process locks its memory and has no core dumps.
//
// BUG(conclave): when a card in a reader called YubiKey has no PIV applet, or is pulled
// within an instant of its insertion, go-piv leaks the PC/SC handle and the
// reader stays busy until the program ends. Open looks at names first and is
// never used to poll.
package piv

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	gopiv "github.com/go-piv/piv-go/v2/piv"

	"conclave/hsm"
)

// Tokens finds YubiKeys in the readers of this machine.
type Tokens struct{}

var _ hsm.Tokens = (*Tokens)(nil)

// New returns the YubiKeys of this machine's smart card service.
func New() *Tokens { return &Tokens{} }

// Present lists the readers that are YubiKeys. It opens none.
func (*Tokens) Present(ctx context.Context) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	names, err := readers(gopiv.Cards)
	if err != nil {
		return nil, fmt.Errorf("list smart card readers: %w", err)
	}
	return slices.DeleteFunc(names, func(r string) bool { return !isYubiKey(r) }), nil
}

var errTooFast = errors.New("readers come and go too fast; hold still and look again")

// readers asks the service. go-piv asks it twice, for the length and for the
// names; when a reader comes or goes between the two, that shows as one of
// two codes.
func readers(list func() ([]string, error)) ([]string, error) {
	for range 3 {
		names, err := list()
		code, _ := codeOf(err)
		switch {
		case err == nil:
			return names, nil
		case code == pcscNoReaders:
			return nil, nil
		case code == pcscInsufficient:
			continue
		default:
			return nil, fmt.Errorf("%w: %w", hsm.ErrNoService, err)
		}
	}
	return nil, errTooFast
}

// isYubiKey goes by the name, as every reader of another kind would hold a
// card that is not meant.
func isYubiKey(reader string) bool {
	r := strings.ToLower(reader)
	return strings.Contains(r, "yubikey") || strings.Contains(r, "yubico")
}

// Open opens the YubiKey in a reader for this program alone and reads what it
// says of itself.
func (ts *Tokens) Open(ctx context.Context, reader string) (hsm.Token, error) {
	present, err := ts.Present(ctx)
	switch {
	case err != nil:
		return nil, fmt.Errorf("open token: %w", err)
	case !isYubiKey(reader):
		return nil, fmt.Errorf("open token in %q: %w", reader, hsm.ErrNotPIV)
	case !slices.Contains(present, reader):
		return nil, fmt.Errorf("open token in %q: %w", reader, hsm.ErrRemoved)
	}
	yk, err := gopiv.Open(reader)
	if err != nil {
		return nil, fmt.Errorf("open token in %q: %w", reader, fromOpen(err))
	}
	t := &token{yk: yk, reader: reader, keys: map[hsm.Slot]heldKey{}}
	if err := t.readInfo(); err != nil {
		return nil, errors.Join(fmt.Errorf("open token in %q: %w", reader, err), t.Close())
	}
	return t, nil
}
