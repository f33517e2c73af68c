package say

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"conclave/ceremony"
	"conclave/hsm"
	"conclave/tui/text"
)

// Evidence says of which keys it is proved where they were made, names those of which it is
// not, and what is known to be wrong with the tokens. It has no items where nobody asks.
func Evidence(proofs []ceremony.KeyProof) Section {
	s := Section{Title: "WHERE THE KEYS WERE MADE"}
	var proved []string
	why, warn := newGroups(), newGroups()
	for _, p := range proofs {
		if p.Why != "" {
			why.add(p.Why, keyName(p))
			continue
		}
		proved = append(proved, keyName(p))
		for _, w := range p.Warnings {
			warn.add(w, keyName(p))
		}
	}
	if len(proved) > 0 {
		s.Items = append(s.Items, Item{Text: text.F("On genuine tokens that ask for PIN and touch each time: %s.", text.List(proved...))})
	}
	for _, w := range why.order {
		s.Items = append(s.Items, Item{Mark: "!", Text: text.F("NOT ATTESTED: %s: %s.", text.List(why.names[w]...), strings.TrimSuffix(w, "."))})
	}
	for _, w := range warn.order {
		s.Items = append(s.Items, Item{Mark: "!", Text: text.F("%s: %s.", text.List(warn.names[w]...), strings.TrimSuffix(w, "."))})
	}
	return s
}

// groups are names by what is said of them, in the order of the first.
type groups struct {
	order []string
	names map[string][]string
}

func newGroups() *groups { return &groups{names: map[string][]string{}} }

func (g *groups) add(said, name string) {
	if g.names[said] == nil {
		g.order = append(g.order, said)
	}
	g.names[said] = append(g.names[said], name)
}

// keyName names a key by its holder and token.
func keyName(p ceremony.KeyProof) string {
	switch {
	case p.Serial != 0 && p.Backup:
		return fmt.Sprintf("%s (backup %d)", p.Holder, p.Serial)
	case p.Serial != 0:
		return fmt.Sprintf("%s (%d)", p.Holder, p.Serial)
	}
	return p.Holder
}

// Sheet says everything that a token says without a PIN, a line each.
func Sheet(t ceremony.TokenSheet) []text.Safe {
	holder := cmp.Or(t.Holder, "nobody in this ceremony")
	lines := []text.Safe{
		text.F("Token %d, firmware %s, %s.", t.Info.Serial, t.Info.Firmware, cmp.Or(t.Info.FormFactor, "form factor not told")),
		text.F("It belongs to %s. It is in %s.", holder, t.Info.Reader),
		text.F("PIN: %s%s.", Tries(t.Info.Retries), factory(t.Guard.PIN)),
	}
	if t.Guard.Told {
		lines = append(lines, text.F("PUK: %s%s.", Tries(t.Guard.PUK.Left), factory(t.Guard.PUK)))
	}
	for _, k := range t.Keys {
		lines = append(lines, text.F("Slot %s: %s, of %s; PIN %s, touch %s.", k.Slot, string(k.Algorithm), cmp.Or(k.Holder, "nobody by name"), string(k.PINPolicy), string(k.TouchPolicy)))
		if k.Why != "" {
			lines = append(lines, text.F("%s Not attested: %s.", Stop, strings.TrimSuffix(k.Why, ".")))
		} else {
			lines = append(lines, text.F("%s Attested: made on this token, and never anywhere else.", OK))
		}
	}
	if len(t.Keys) == 0 {
		lines = append(lines, text.Clean("No slot that a ceremony uses holds a key."))
	}
	for _, w := range sheetWarnings(t) {
		lines = append(lines, text.F("%s %s.", Stop, text.Capital(text.Clean(strings.TrimSuffix(w, ".")))))
	}
	return lines
}

func factory(t hsm.Tries) text.Safe {
	if t.Factory {
		return text.Clean(", still the factory's")
	}
	return text.Safe{}
}

func sheetWarnings(t ceremony.TokenSheet) []string {
	warnings := hsm.Weaknesses(t.Info.Firmware)
	for _, k := range t.Keys {
		for _, w := range k.Warnings {
			if !slices.Contains(warnings, w) {
				warnings = append(warnings, w)
			}
		}
	}
	return warnings
}
