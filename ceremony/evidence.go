package ceremony

import (
	"cmp"
	"context"
	"crypto"
	"errors"
	"fmt"
	"slices"

	"conclave/ceremony/tuf"
	"conclave/hsm"
	"conclave/transfer"
)

// A Provenance is what evidence proves about the token that a key was made on.
type Provenance struct {
	FormFactor string
	Warnings   []string // known weaknesses, a sentence each
}

// A Prover holds evidence about a key against the roots of its maker; in a practice ceremony
// practice tokens count as real. Its error says why nothing is proved.
type Prover func(e Evidence, key crypto.PublicKey, practice bool) (Provenance, error)

// A KeyProof says what is proved of one key that a person holds.
type KeyProof struct {
	KeyID    string
	Holder   string // a short keyid where nobody is named
	Serial   uint32
	Backup   bool
	Firmware string
	Provenance
	Why string // why nothing is proved; "" where it is
}

// errNoEvidence is why of a key that a bundle knows nothing of.
var errNoEvidence = errors.New("there is no evidence of it")

// Proofs verifies again what a bundle carries about the keys that people hold: those of the root that
// is to come, as far as they exist, and where the bundle changes no root those of the trusted one.
func Proofs(b *transfer.Bundle, prove Prover) []KeyProof {
	var proofs []KeyProof
	for _, s := range heldSeats(b) {
		p := KeyProof{KeyID: s.key.ID, Holder: s.name, Serial: s.holder.Serial, Backup: s.backup}
		i := slices.IndexFunc(b.Tokens, func(e transfer.Evidence) bool { return e.KeyID == s.key.ID })
		err := errNoEvidence
		if i >= 0 {
			e := b.Tokens[i]
			p.Firmware, p.Serial = e.Firmware, cmp.Or(p.Serial, e.Serial)
			if p.Serial != e.Serial {
				err = fmt.Errorf("the root says that it is on token %d, the evidence says %d", p.Serial, e.Serial)
			} else {
				p.Provenance, err = prove(AsRecorded(e), s.key.Public, b.Practice)
			}
		}
		if err != nil {
			p.Why = err.Error()
		}
		proofs = append(proofs, p)
	}
	return proofs
}

// heldSeats are the keys that exist of the root that a bundle puts in force, or leaves in force.
func heldSeats(b *transfer.Bundle) []seat {
	var seats []seat
	if b.Plan != nil {
		seats = plannedSeats(b)
	} else if root := b.Root(); root != nil && root.Root() != nil {
		seats = seatsOf(root)
	}
	return slices.DeleteFunc(seats, func(s seat) bool { return s.made })
}

// Carry adds what is known of a bundle's keys from elsewhere, as from the bundle of the last ceremony.
// What the bundle has already, and what is about other keys, is left out.
func Carry(b *transfer.Bundle, known []transfer.Evidence) {
	for _, s := range heldSeats(b) {
		about := func(e transfer.Evidence) bool { return e.KeyID == s.key.ID }
		if i := slices.IndexFunc(known, about); i >= 0 && !slices.ContainsFunc(b.Tokens, about) {
			b.Tokens = append(b.Tokens, known[i])
		}
	}
}

// proved remembers the newest proofs: verifying takes a moment, and front ends ask often.
type proved struct {
	plan   *transfer.Plan
	root   *tuf.Document
	tokens int
	proofs []KeyProof
}

// Proofs says what is proved of the keys in this ceremony, from what its bundle carries; nil where nothing is asked for.
func (s *Session) Proofs() []KeyProof {
	b := s.State().Bundle()
	if b == nil || s.cfg.Genuine == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := proved{plan: b.Plan, root: b.Root(), tokens: len(b.Tokens), proofs: s.proved.proofs}
	if p.plan != s.proved.plan || p.root != s.proved.root || p.tokens != s.proved.tokens || p.proofs == nil {
		p.proofs = Proofs(b, s.cfg.Genuine)
		s.proved = p
	}
	return s.proved.proofs
}

// A TokenSheet is everything that a token says without a PIN.
type TokenSheet struct {
	Info   hsm.Info
	Guard  hsm.Secrets
	Holder string // whose it is in this ceremony, "" for nobody's
	Keys   []SheetKey
}

// A SheetKey is one key on a token.
type SheetKey struct {
	hsm.Key
	Provenance
	Why string // why it is not attested; "" where it is, or where nobody asks
}

// Inspect reads everything that the token in v says of itself, and verifies what it attests. No PIN is involved.
func (s *Session) Inspect(ctx context.Context, v Visitor) (TokenSheet, error) {
	s.act.Lock()
	defer s.act.Unlock()
	sheet, err := s.inspect(ctx, v)
	return sheet, failed("look at the token in "+v.Reader, "Nothing was signed.", err)
}

func (s *Session) inspect(ctx context.Context, v Visitor) (TokenSheet, error) {
	token, err := s.open(ctx, v)
	if err != nil {
		return TokenSheet{}, err
	}
	defer token.Close() // nothing was written to it
	sheet := TokenSheet{Info: token.Info(), Holder: v.Holder}
	if keeper, ok := token.(hsm.Keeper); ok {
		sheet.Guard = keeper.Secrets()
	}
	keys, err := token.Keys(ctx)
	if err != nil {
		return TokenSheet{}, err
	}
	for _, k := range keys {
		sheet.Keys = append(sheet.Keys, s.sheetKey(ctx, token, k))
	}
	return sheet, nil
}

func (s *Session) sheetKey(ctx context.Context, token hsm.Token, k hsm.Key) SheetKey {
	sheet := SheetKey{Key: k}
	statement, err := token.Attest(ctx, k.Slot)
	if err == nil && s.cfg.Genuine != nil {
		e := Evidence{
			Serial: token.Info().Serial, Firmware: token.Info().Firmware, Slot: k.Slot.String(),
			PINPolicy: string(k.PINPolicy), TouchPolicy: string(k.TouchPolicy), Leaf: statement.Leaf, Device: statement.Device,
		}
		sheet.Provenance, err = s.cfg.Genuine(e, k.Public, s.State().Practice())
	}
	if err != nil {
		sheet.Why = err.Error()
	}
	return sheet
}
