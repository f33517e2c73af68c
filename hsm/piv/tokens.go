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
// BUG(conclave): when a token is pulled within an instant of its opening, go-piv leaks
// the PC/SC handle and the reader stays busy until the program ends. Open
// is never used to poll.
package piv

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	gopiv "github.com/go-piv/piv-go/v2/piv"

	"conclave/hsm"
	"conclave/hsm/piv/pcsc"
)

// Tokens finds YubiKeys in the readers of this machine. It may be used by
// several goroutines; each opened token by one.
type Tokens struct {
	any bool // cards of any maker

	mu      sync.Mutex // guards watch
	watch   *watch
	changes atomic.Uint32
}

var (
	_ hsm.Tokens  = (*Tokens)(nil)
	_ hsm.Watcher = (*Tokens)(nil)
)

// An Option changes which tokens are found.
type Option func(*Tokens)

// AnyMaker finds PIV cards of other makers too, in readers of any name. Only
// readers that hold a card are looked at, and a card is asked whether it knows PIV.
func AnyMaker() Option { return func(ts *Tokens) { ts.any = true } }

// New returns the YubiKeys of this machine's smart card service.
func New(options ...Option) *Tokens {
	ts := new(Tokens)
	for _, o := range options {
		o(ts)
	}
	return ts
}

// Present lists the readers that hold a token. It opens none.
func (ts *Tokens) Present(ctx context.Context) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	names, err := occupied()
	if errors.Is(err, pcsc.ErrUnsupported) {
		names, err = readers(gopiv.Cards)
	}
	if err != nil {
		return nil, fmt.Errorf("list smart card readers: %w", err)
	}
	return slices.DeleteFunc(names, func(r string) bool { return !ts.ours(r) }), nil
}

// occupied lists the readers with a card in them.
func occupied() ([]string, error) {
	c, err := pcsc.Establish()
	if errors.Is(err, pcsc.ErrUnsupported) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", hsm.ErrNoService, err)
	}
	defer func() { _ = c.Release() }()
	states, err := c.Look()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", hsm.ErrNoService, err)
	}
	var names []string
	for _, s := range states {
		if s.Card {
			names = append(names, s.Reader)
		}
	}
	return names, nil
}

var errTooFast = errors.New("readers come and go too fast; hold still and look again")

// readers asks the service through go-piv, which asks it twice, for the length and for the
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

// ours goes by the reader's name: in one of another kind sits a card that is
// not meant, unless all are.
func (ts *Tokens) ours(reader string) bool { return ts.any || isYubiKey(reader) }

func isYubiKey(reader string) bool {
	r := strings.ToLower(reader)
	return strings.Contains(r, "yubikey") || strings.Contains(r, "yubico")
}

// Open opens the token in a reader for this program alone and reads what it
// says of itself. The reader is a name, or the ID of an hsm.Reader, which
// stands for the token that was in it when it was seen.
func (ts *Tokens) Open(ctx context.Context, reader string) (hsm.Token, error) {
	t, err := ts.open(ctx, hsm.ParseReader(reader))
	if err != nil {
		return nil, fmt.Errorf("open token in %q: %w", reader, err)
	}
	return t, nil
}

func (ts *Tokens) open(ctx context.Context, r hsm.Reader) (*token, error) {
	present, err := ts.Present(ctx)
	switch {
	case err != nil:
		return nil, err
	case !ts.ours(r.Name):
		return nil, hsm.ErrNotPIV
	case !slices.Contains(present, r.Name):
		return nil, hsm.ErrRemoved
	}
	if err := ts.unchanged(ctx, r); err != nil {
		return nil, err
	}
	probed, err := probe(r.Name)
	if err != nil {
		return nil, explained(err)
	}
	yk, err := gopiv.Open(r.Name)
	if err != nil {
		return nil, explained(fromOpen(err))
	}
	t := &token{yk: yk, reader: r.ID(), secrets: probed.secrets, number: probed.number, keys: map[hsm.Slot]heldKey{}}
	err = ts.unchanged(ctx, r)
	if err == nil {
		err = t.readInfo()
	}
	if err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// unchanged refuses another token than was seen in the reader.
func (ts *Tokens) unchanged(ctx context.Context, r hsm.Reader) error {
	if r.Changes == 0 {
		return nil
	}
	now, err := ts.Seen(ctx)
	if err != nil {
		return err
	}
	for _, n := range now {
		if n.ID() == r.ID() {
			return nil
		}
	}
	return fmt.Errorf("%w, and what is there now was put in later", hsm.ErrRemoved)
}
