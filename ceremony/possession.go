package ceremony

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"conclave/ceremony/tuf"
	"conclave/hsm"
)

// possessionMark begins every statement of possession. No TUF payload begins
// so: canonical JSON begins with a brace. A token that signs it signs no metadata.
const possessionMark = "conclave proof of possession v1\n"

// possessionRandom is how many random bytes follow the mark: a statement is signed once, and for nothing else.
const possessionRandom = 32

// Possession is proof that a token can use the key that it made: a statement
// that was new when the token signed it, and the signature.
type Possession struct {
	Statement []byte `json:"statement"` // possessionMark, 32 random bytes, the ceremony's title
	Sig       []byte `json:"sig"`
}

// newPossession makes the statement that a token shall sign.
func newPossession(random io.Reader, title string) ([]byte, error) {
	fresh := make([]byte, possessionRandom)
	if _, err := io.ReadFull(random, fresh); err != nil {
		return nil, fmt.Errorf("make a statement for the token to sign: %w", err)
	}
	return slices.Concat([]byte(possessionMark), fresh, []byte(title)), nil
}

// check holds the proof against the key and the ceremony.
func (p Possession) check(key tuf.Key, title string) error {
	rest, marked := bytes.CutPrefix(p.Statement, []byte(possessionMark))
	if !marked || len(rest) < possessionRandom || string(rest[possessionRandom:]) != title {
		return errors.New("what the token signed is no statement of possession for this ceremony")
	}
	if err := key.Verify(p.Statement, p.Sig); err != nil {
		return fmt.Errorf("check that the token can use its new key: %w", err)
	}
	return nil
}

// prove has the token sign a fresh statement with the key that it made, with
// the PIN that it has now. It asks for the touch that every signature will ask for.
func (s *Session) prove(ctx context.Context, token hsm.Token, made hsm.Key, pin *hsm.PIN) (Possession, error) {
	key, err := tuf.NewKey(made.Public)
	if err != nil {
		return Possession{}, err
	}
	title := s.State().title
	statement, err := newPossession(s.cfg.Rand, title)
	if err != nil {
		return Possession{}, err
	}
	digest, _, err := key.Hashed(statement)
	if err != nil {
		return Possession{}, err
	}
	sig, err := token.Sign(ctx, pin, made.Slot, digest)
	if err != nil {
		return Possession{}, fmt.Errorf("have the new key sign: %w", err)
	}
	p := Possession{Statement: statement, Sig: sig}
	return p, p.check(key, title)
}
