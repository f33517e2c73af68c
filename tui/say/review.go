package say

import (
	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/tui/text"
)

// A Section is one part of a review.
type Section struct {
	Title string
	Items []Item
}

// An Item is one sentence of a review.
type Item struct {
	Mark   string // "+", "-", "!" or ""
	Text   text.Safe
	Danger bool
}

// titles are the parts of a review in reading order; sections say which part
// a change belongs to, by tuf.Change.Where. What is not listed is other.
var (
	titles   = []string{"KEYS", "RULES", "DATES", "FILES", "DELEGATIONS", other}
	sections = map[string]string{
		"keys": "KEYS", "root": "RULES", "targets": "RULES", "dates": "DATES", "files": "FILES", "delegations": "DELEGATIONS",
	}
)

const other = "OTHER"

// Review puts a diff's sentences into sections, dangers first. Every change is in one of them.
func Review(d *tuf.Diff) []Section {
	by := map[string][]Item{}
	var dangers []Item
	for _, c := range d.Changes {
		item := Item{Mark: changeMark(c), Text: text.Clean(c.Text), Danger: c.Danger}
		if c.Danger {
			dangers = append(dangers, item)
			continue
		}
		title, ok := sections[c.Where]
		if !ok {
			title = other
		}
		by[title] = append(by[title], item)
	}
	var out []Section
	if len(dangers) > 0 {
		out = append(out, Section{Title: "DANGER", Items: dangers})
	}
	for _, title := range titles {
		if len(by[title]) > 0 {
			out = append(out, Section{Title: title, Items: by[title]})
		}
	}
	if m := meaning(d); len(m.Items) > 0 {
		out = append(out, m)
	}
	return out
}

func meaning(d *tuf.Diff) Section {
	s := Section{Title: "WHAT THIS MEANS"}
	for _, m := range d.Meaning {
		s.Items = append(s.Items, Item{Text: text.Clean(m)})
	}
	return s
}

func changeMark(c tuf.Change) string {
	switch {
	case c.Danger || c.Kind == "danger":
		return "!"
	case c.Kind == "added":
		return "+"
	case c.Kind == "removed":
		return "-"
	}
	return ""
}

// Head says where a record ends, in hex and in words to write down.
func Head(h transfer.RecordHead) []text.Safe {
	d, err := tuf.ParseDigest(h.Hash)
	if err != nil {
		return nil
	}
	return []text.Safe{
		text.F("The record ends with entry %d: %s", h.Entries, d),
		Words(d, len(d)),
		text.Clean("Print this head or write it down: conclave record verify --head proves with it that nothing was cut off the record."),
	}
}

// Move says which version follows which: "root 4 -> 5", "root 1, the first".
func Move(d *tuf.Diff) text.Safe {
	if d.From == 0 {
		return text.F("%s %d, the first", d.Role, d.To)
	}
	return text.F("%s %d -> %d", d.Role, d.From, d.To)
}

// Quorum says who can sign: "any 3 of Alice, Bob and Dana".
func Quorum(q tuf.Quorum) text.Safe {
	if q.Threshold == 0 {
		return text.Clean("nobody yet")
	}
	return text.F("any %d of %s", q.Threshold, text.List(q.Names...))
}

// Power says who can sign for a role before and after, in one sentence.
func Power(p tuf.Power) text.Safe {
	before, after := Quorum(p.Before), Quorum(p.After)
	if p.Before.Threshold == 0 {
		return text.F("%s: %s", p.Role, after)
	}
	if before == after {
		return text.F("%s: %s, as before", p.Role, after)
	}
	return text.F("%s: %s; before: %s", p.Role, after, before)
}

// Any says how many must sign: "any 3 of", "any 2 -> 3 of".
func Any(p tuf.Power) text.Safe {
	if p.Before.Threshold != p.After.Threshold && p.Before.Threshold != 0 {
		return text.F("any %d -> %d of", p.Before.Threshold, p.After.Threshold)
	}
	return text.F("any %d of", p.After.Threshold)
}

// Column lists a quorum's names for a column: "Alice, Bob, Dana".
func Column(q tuf.Quorum) text.Safe {
	if len(q.Names) == 0 {
		return text.Clean("nobody yet")
	}
	s := text.Clean(q.Names[0])
	for _, n := range q.Names[1:] {
		s = text.F("%s, %s", s, n)
	}
	return s
}
