package tui

import (
	"context"
	"fmt"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"conclave/ceremony"
	"conclave/ceremony/tuf"
	"conclave/tui/say"
	"conclave/tui/text"
)

// What may have happened to a key, in the order of the columns; "" is nothing.
var mishaps = []string{"", "lost", "stolen", "suspect"}

// How long what is signed at night lives, unless somebody plans otherwise.
const (
	rootLife    = 365
	targetsLife = 90
)

// A compromiseScreen asks which keys are lost, stolen or suspect.
type compromiseScreen struct {
	stage
	planner  Planner
	on       Repository
	declared time.Time
	keys     []ceremony.Hit
	what     []int // of each key, into mishaps
	at       int
}

func newCompromise(a *App, p Planner, r Repository, declared time.Time) *compromiseScreen {
	keys := ceremony.Keyring(r.Base)
	return &compromiseScreen{stage: stage{app: a}, planner: p, on: r, declared: declared, keys: keys, what: make([]int, len(keys))}
}

func (s *compromiseScreen) Title() string { return "compromise" }

func (s *compromiseScreen) Body(w, _ int) Page {
	const name, serial, roles, column = 18, 11, 23, 7
	head := ln(sp(strong, "%-*s", 3+name+serial+roles, "   Which keys?"))
	for _, m := range mishaps[1:] {
		head.spans = append(head.spans, sp(strong, "%-*s", column, m))
	}
	p := Page{Lines: []Line{head, blank}}
	for i, k := range s.keys {
		mark, t := sp(plain, "   "), plain
		if i == s.at {
			mark, t = sp(strong, ">  "), picked
		}
		who := text.Pad(text.Cut(text.Clean(k.Holder), name+serial-1), name+serial)
		if k.Serial != 0 {
			who = text.Pad(text.F("%s%d", text.Pad(text.Cut(text.Clean(k.Holder), name-1), name), k.Serial), name+serial)
		}
		l := ln(mark, span{who, t}, span{text.Pad(text.Cut(text.List(k.Roles...), roles-1), roles), plain})
		for m := range mishaps[1:] {
			box := "( )"
			if s.what[i] == m+1 {
				box = "(x)"
			}
			l.spans = append(l.spans, sp(t, " %-*s", column-1, box))
		}
		if i == s.at {
			l = l.focused()
		}
		p.Lines = append(p.Lines, l)
	}
	p.Lines = append(p.Lines, blank)
	p.Lines = append(p.Lines, paras(w, 3, plain, text.Clean("Suspect means: somebody else may have it. It is treated as stolen, but its holder can still help to sign it out."))...)
	p.Foot = s.said(w)
	return p
}

func (s *compromiseScreen) Keys() []Key {
	turn := func(by int) func() tea.Cmd {
		return now(func() { s.what[s.at] = (s.what[s.at] + by + len(mishaps)) % len(mishaps) })
	}
	return s.idle(
		on("arrows", "choose and mark", now(func() { s.at = max(0, s.at-1) }), "up"),
		on("", "", now(func() { s.at = min(len(s.keys)-1, s.at+1) }), "down"),
		on("", "", turn(1), "right", "space"), on("", "", turn(-1), "left"),
		on("enter", "what now?", s.assess, "enter"), back("cancel", s.app.shut))
}

// situation is what people have marked.
func (s *compromiseScreen) situation(now time.Time) ceremony.Situation {
	out := ceremony.Situation{
		Declared: s.declared, RootExpires: now.AddDate(0, 0, rootLife).Truncate(time.Second), TargetsExpires: now.AddDate(0, 0, targetsLife).Truncate(time.Second),
	}
	for i, k := range s.keys {
		switch mishaps[s.what[i]] {
		case "lost":
			out.Lost = append(out.Lost, k.KeyID)
		case "stolen":
			out.Stolen = append(out.Stolen, k.KeyID)
		case "suspect":
			out.Suspect = append(out.Suspect, k.KeyID)
		}
	}
	return out
}

func (s *compromiseScreen) assess() tea.Cmd {
	if !slices.ContainsFunc(s.what, func(m int) bool { return m > 0 }) {
		s.tell(say.Notice{What: text.Clean("Mark at least one key with left and right.")})
		return nil
	}
	next := &waysScreen{stage: stage{app: s.app}, from: s, situation: s.situation(s.app.now)}
	return s.app.open(next)
}

// A waysScreen says what somebody can do with the keys, and which ways are open.
type waysScreen struct {
	stage
	from      *compromiseScreen
	situation ceremony.Situation
	found     *ceremony.Assessment
	at        int
}

func (s *waysScreen) Title() string { return "compromise" }

// start works out the ways; drafts of large repositories take their time.
func (s *waysScreen) start() tea.Cmd {
	base, situation, when := s.from.on.Base, s.situation, s.app.now
	cmd := ask(s.app, func(context.Context) (*ceremony.Assessment, error) { return ceremony.Assess(base, situation, when) },
		func(a *ceremony.Assessment, err error) tea.Cmd {
			s.busy = 0
			if err != nil {
				s.tell(say.Trouble(err))
				return nil
			}
			s.found, s.at = a, 0
			s.app.scroll, s.app.follow = 0, false // the threat is read first
			return nil
		})
	s.busy = s.app.lastOp
	return cmd
}

func (s *waysScreen) Body(w, _ int) Page {
	var p Page
	p.Foot = s.said(w)
	if s.found == nil {
		return p
	}
	for _, h := range s.found.Keys {
		p.Lines = append(p.Lines, ln(sp(plain, "   "), span{say.Hit(h), strong}))
	}
	for _, sec := range say.Threat(s.found) {
		p.Lines = append(append(p.Lines, blank), sectionLines(sec, w)...)
	}
	p.Lines = append(p.Lines, blank, say1(strong, "WAYS OUT, THE QUICKEST FIRST"))
	if len(s.found.Plans) == 0 {
		p.Lines = append(p.Lines, say1(strong, "   No ceremony helps any more."))
	}
	for i, r := range s.found.Plans {
		p.Lines = append(p.Lines, s.way(i, r, w)...)
	}
	for _, sec := range say.Stranded(s.found) {
		p.Lines = append(append(p.Lines, blank), sectionLines(sec, w)...)
	}
	return p
}

func (s *waysScreen) way(i int, r ceremony.Response, w int) []Line {
	mark, t := fmt.Sprintf("   %d  ", i+1), plain
	if i == s.at {
		mark, t = fmt.Sprintf(" > %d  ", i+1), picked
	}
	lines := hanging(w, sp(t, "%s", mark), text.Clean(r.Title), t)
	lines = append(lines, para(w, len(mark), plain, say.Way(r))...)
	if i == s.at {
		lines[len(lines)-1] = lines[len(lines)-1].focused()
	}
	return lines
}

func (s *waysScreen) Keys() []Key {
	var keys []Key
	if s.found != nil && len(s.found.Plans) > 0 {
		keys = append(keys,
			on("up/down", "choose", now(func() { s.at = max(0, s.at-1) }), "up"),
			on("", "", now(func() { s.at = min(len(s.found.Plans)-1, s.at+1) }), "down"),
			on("enter", "open", s.choose, "enter"))
	}
	if s.found != nil && s.online() {
		keys = append(keys, on("n", "new online keys", s.freshKeys, "n"))
	}
	return s.idle(append(keys, back("back", s.app.shut))...)
}

// online reports whether the key of an online role is among them.
func (s *waysScreen) online() bool {
	return slices.ContainsFunc(s.found.Keys, func(h ceremony.Hit) bool {
		return slices.Contains(h.Roles, tuf.Snapshot) || slices.Contains(h.Roles, tuf.Timestamp)
	})
}

// choose shows one way whole, with its checklist and texts.
func (s *waysScreen) choose() tea.Cmd {
	r := s.found.Plans[s.at]
	what := text.F("%s: %s", text.Capital(text.Clean(r.Title)), say.Way(r))
	lines := []string{say.Declared(s.situation.Declared, s.app.now).String(), what.String(), ""}
	for _, sec := range say.Errands(r) {
		lines = append(lines, sec.Title)
		for _, item := range sec.Items {
			lines = append(lines, item.Text.String())
		}
		lines = append(lines, "")
	}
	return s.app.open(&plannedScreen{
		stage: stage{app: s.app}, planner: s.from.planner, title: "compromise", what: what, name: "answer", bundle: r.Bundle,
		sections: append(say.WhyWay(r), say.Errands(r)...), lines: lines,
	})
}

// freshKeys asks for new online keys and works the ways out again.
func (s *waysScreen) freshKeys() tea.Cmd {
	snapshot, timestamp := newField("new snapshot public key"), newField("new timestamp public key")
	for _, f := range []*field{snapshot, timestamp} {
		f.hint = text.Clean("PEM file; conclave publish init makes one")
	}
	return s.app.open(&askScreen{
		stage: stage{app: s.app}, form: form{fields: []*field{snapshot, timestamp}}, title: "compromise", verb: "plan with them",
		intro: func() []text.Safe {
			return []text.Safe{text.Clean("Both roles get new keys: only then do clients forget what the stolen one signed, fast-forwarded versions too.")}
		},
		commit: func() error {
			keys, err := onlineKeys(s.app.ctx, s.from.planner, snapshot, timestamp)
			if err == nil {
				s.situation.Snapshot, s.situation.Timestamp = keys[0], keys[1]
			}
			return err
		},
		then: s.start,
	})
}

// onlineKeys reads the keys that fields name; nil for an empty one.
func onlineKeys(ctx context.Context, p Planner, fields ...*field) ([][]tuf.Key, error) {
	out := make([][]tuf.Key, len(fields))
	for i, f := range fields {
		if !f.filled() {
			continue
		}
		key, err := p.OnlineKey(ctx, f.text())
		if err != nil {
			return nil, err
		}
		out[i] = []tuf.Key{key}
	}
	return out, nil
}
