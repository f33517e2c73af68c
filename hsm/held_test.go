package hsm

import (
	"context"
	"errors"
	"slices"
	"testing"
)

// names are Tokens that cannot watch.
type names []string

func (n names) Present(context.Context) ([]string, error)   { return n, nil }
func (names) Open(context.Context, string) (Token, error)   { return nil, ErrRemoved }
func (w watched) Seen(context.Context) ([]Reader, error)    { return w.readers, w.err }
func (watched) Present(context.Context) ([]string, error)   { return nil, errors.New("not asked for") }
func (watched) Open(context.Context, string) (Token, error) { return nil, ErrRemoved }

type watched struct {
	readers []Reader
	err     error
}

func TestHeldTellsTokensApartWhereItCan(t *testing.T) {
	got, err := Held(t.Context(), names{"a"})
	if err != nil || !slices.Equal(got, []string{"a"}) {
		t.Errorf("by name: %q, %v", got, err)
	}
	got, err = Held(t.Context(), watched{readers: []Reader{
		{Name: "a", Card: true, Changes: 3}, {Name: "empty", Changes: 4}, {Name: "b", Card: true},
	}})
	if err != nil || !slices.Equal(got, []string{"a #3", "b"}) {
		t.Errorf("by ID: %q, %v", got, err)
	}
	if _, err := Held(t.Context(), watched{err: ErrNoService}); !errors.Is(err, ErrNoService) {
		t.Errorf("error %v", err)
	}
}
