package say

import (
	"fmt"
	"slices"
	"strings"

	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/tui/room"
	"conclave/tui/text"
)

// Dropped lists the signatures that came with the bundle and do not count. It
// has no items where there are none.
func Dropped(st room.State) Section {
	s := Section{Title: "DROPPED AT FREEZE"}
	for _, sentence := range st.Dropped() {
		s.Items = append(s.Items, Item{Mark: "!", Text: text.Clean(sentence), Danger: true})
	}
	return s
}

// Details are what the review shortens: whole digests, whole keyids with their
// holders, and the whole hashes of files that are new or not what they were.
func Details(st room.State) []Section {
	var out []Section
	for _, p := range st.Payloads() {
		out = append(out, Section{
			Title: fmt.Sprintf("%s, SHA-256 OF WHAT IS SIGNED", Heading(p.Role, p.Version)),
			Items: []Item{{Text: text.Clean(p.Digest.String())}},
		})
	}
	for _, t := range st.Tallies() {
		out = append(out, keysOf(t))
	}
	if b := st.Bundle(); b != nil {
		for _, d := range b.Documents {
			if s := filesOf(b, d); len(s.Items) > 0 {
				out = append(out, s)
			}
		}
	}
	return out
}

// keysOf lists the keys of one requirement, each with its whole keyid.
func keysOf(t transfer.RoleTally) Section {
	req := t.Tally.Requirement
	s := Section{Title: strings.ToUpper(text.F("%s: any %d of these", Requirement(t), req.Threshold).String())}
	for _, k := range t.Tally.Signers {
		who := text.Clean(k.Holder.Name)
		if who.Empty() {
			who = text.Clean("nobody named")
		}
		if k.Holder.Serial != 0 {
			who = text.F("%s, token %d", who, k.Holder.Serial)
		}
		if k.Holder.Purpose == "backup" {
			who = text.F("%s, a backup: one person counts once", who)
		}
		if k.Key.Scheme != "" {
			who = text.F("%s, %s", who, k.Key.Scheme)
		}
		mark := ""
		if k.Signed {
			mark, who = "+", text.F("%s, has signed", who)
		}
		s.Items = append(s.Items, Item{Mark: mark, Text: who}, Item{Text: text.F("keyid %s", keyID(k.Key.ID))})
	}
	return s
}

// keyID puts a keyid that is a hash into groups; it may be any other text.
func keyID(id string) text.Safe {
	if digest, err := tuf.ParseDigest(id); err == nil {
		return text.Clean(digest.String())
	}
	return text.Clean(id)
}

// filesOf lists the files of a document that its base has not, or has otherwise.
func filesOf(b *transfer.Bundle, d transfer.Document) Section {
	s := Section{Title: text.F("%s, FILES THAT ARE NEW OR CHANGED", Heading(d.Role, d.Metadata.Version())).String()}
	known := map[string]tuf.TargetFile{}
	if base := b.Base.Document(d.Role); base != nil {
		for _, f := range base.Files() {
			known[f.Path] = f
		}
	}
	for _, f := range d.Metadata.Files() {
		if was, ok := known[f.Path]; ok && was.SHA256 == f.SHA256 && was.Length == f.Length && slices.Equal(was.Custom, f.Custom) {
			continue
		}
		s.Items = append(s.Items,
			Item{Text: text.F("%s, %s", f.Path, text.Count(int(f.Length), "byte"))},
			Item{Text: text.F("SHA-256 %s", tuf.Digest(f.SHA256))})
	}
	return s
}
