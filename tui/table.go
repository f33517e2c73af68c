package tui

import (
	"slices"

	"conclave/ceremony"
	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/tui/room"
	"conclave/tui/say"
	"conclave/tui/text"
)

// tallyTable shows per holder and requirement who has signed and who may.
func tallyTable(st room.State, w int) []Line {
	tallies := st.Tallies()
	if len(tallies) == 0 {
		return nil
	}
	const name = 16
	col := min((w-name)/len(tallies), 22)
	head := []span{sp(plain, "%*s", name, "")}
	for _, t := range tallies {
		head = append(head, span{text.Pad(columnName(st, t), col), strong})
	}
	lines := []Line{ln(head...)}
	for _, p := range tableRows(st, tallies) {
		row := []span{{text.Pad(text.F("   %s", p.Name), name), plain}}
		for _, t := range tallies {
			c := cell(st, p, t)
			c.text = text.Pad(c.text, col)
			row = append(row, c)
		}
		lines = append(lines, ln(row...))
	}
	foot := []span{sp(plain, "%*s", name, "")}
	for _, t := range tallies {
		tn := strong
		if t.Tally.Complete() {
			tn = good
		}
		foot = append(foot, span{text.Pad(say.Short(t.Tally), col), tn})
	}
	return append(lines, ln(foot...))
}

func columnName(st room.State, t transfer.RoleTally) text.Safe {
	if t.Role == tuf.Root {
		return say.Requirement(t)
	}
	for _, p := range st.Payloads() {
		if p.Role == t.Role {
			return say.Document(p.Role, p.Version)
		}
	}
	return say.Requirement(t)
}

// tableRows are the participants, and after them whoever else has a key.
func tableRows(st room.State, tallies []transfer.RoleTally) []ceremony.Participant {
	rows := slices.Clone(st.Participants())
	for _, t := range tallies {
		for _, s := range t.Tally.Signers {
			name := signerName(s)
			if !slices.ContainsFunc(rows, func(p ceremony.Participant) bool { return p.Name == name }) {
				rows = append(rows, ceremony.Participant{Name: name, Presence: ceremony.Unknown})
			}
		}
	}
	return rows
}

// signerName is whose key it is, or the start of its keyid.
func signerName(s tuf.Signer) string {
	if s.Holder.Name != "" {
		return s.Holder.Name
	}
	return s.Key.ID[:min(8, len(s.Key.ID))]
}

// cell says what one holder has done for one requirement, or may do.
func cell(st room.State, p ceremony.Participant, t transfer.RoleTally) span {
	has := false
	for _, s := range t.Tally.Signers {
		if signerName(s) != p.Name {
			continue
		}
		has = true
		if s.Signed {
			if at := st.SignedAt(s.Key.ID, t.Role); !at.IsZero() {
				return sp(good, "%s %s", say.OK, at.UTC().Format("15:04"))
			}
			return sp(good, "%s before", say.OK)
		}
	}
	switch {
	case !has:
		return sp(dim, "-")
	case t.Tally.Complete():
		return sp(dim, "done without")
	case p.Presence == ceremony.Away:
		return sp(dim, "absent")
	case p.Leaving:
		return sp(plain, "may sign, leaves")
	}
	return sp(plain, "may sign")
}
