package tui

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"conclave/ceremony"
	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/tui/say"
	"conclave/tui/text"
)

// A rotationForm asks what changes about the keys. An empty field keeps what is.
type rotationForm struct {
	form
	add, remove, replace, second, known, rootM, targetsM, snapshot, timestamp, rootDays, targetsDays *field
}

func newRotationForm() rotationForm {
	f := rotationForm{
		add: newField("who joins"), remove: newField("whose keys go"), replace: newField("who brings a new token"),
		second: newField("who brings a second one"), known: newField("whose key exists"),
		rootM: newField("of whom must sign root"), targetsM: newField("of whom must sign targets"),
		snapshot: newField("new snapshot public key"), timestamp: newField("new timestamp public key"),
		rootDays: newField("root expires in days").with("365"), targetsDays: newField("targets expire in days").with("90"),
	}
	f.add.hint = text.Clean("Dana, or Dana:root; without a role both")
	f.remove.hint = text.Clean("Erin, or Erin:targets; several with commas")
	f.replace.hint = text.Clean("Bob; the old token's key goes")
	f.second.hint = text.Clean("a backup: Alice, or Alice:root")
	f.known.hint = text.Clean("Dana=dana.json, as enrol wrote it, or PEM")
	for _, fl := range []*field{f.rootM, f.targetsM} {
		fl.hint = text.Clean("empty: as many as now")
	}
	for _, fl := range []*field{f.snapshot, f.timestamp} {
		fl.hint = text.Clean("PEM file; empty: as now")
	}
	f.fields = []*field{f.add, f.remove, f.replace, f.second, f.known, f.rootM, f.targetsM, f.snapshot, f.timestamp, f.rootDays, f.targetsDays}
	return f
}

// change is what was typed about keys and thresholds.
func (f *rotationForm) change() say.Change {
	return say.Change{Joins: f.add.text(), Goes: f.remove.text(), Brings: f.replace.text(), Seconds: f.second.text(), Root: f.rootM.text(), Targets: f.targetsM.text()}
}

// read makes the change out of the fields, or says what is wrong with them.
func (f *rotationForm) read(when time.Time) (ceremony.Rotation, text.Safe) {
	r, wrong := f.change().Rotation()
	if !wrong.Empty() {
		return r, wrong
	}
	for _, d := range []struct {
		from *field
		to   *time.Time
	}{{f.rootDays, &r.RootExpires}, {f.targetsDays, &r.TargetsExpires}} {
		n, ok := between(d.from, 1, maxDays)
		if !ok {
			return r, text.F("%s is a number of days.", d.from.label)
		}
		*d.to = when.UTC().AddDate(0, 0, n).Truncate(time.Second)
	}
	return r, text.Safe{}
}

// A rotationScreen plans a change of keys.
type rotationScreen struct {
	stage
	rotationForm
	planner Planner
	on      Repository
	purpose *field
}

func newRotation(a *App, p Planner, r Repository) *rotationScreen {
	s := &rotationScreen{stage: stage{app: a}, rotationForm: newRotationForm(), planner: p, on: r, purpose: newField("purpose")}
	s.purpose.hint = text.Clean("one line for keyholders")
	s.fields = append([]*field{s.purpose}, s.fields...)
	return s
}

func (s *rotationScreen) Title() string { return "change of keys" }

func (s *rotationScreen) Body(w, _ int) Page {
	p := Page{Lines: []Line{say1(strong, "What changes? An empty line keeps what is.")}}
	quorums := tuf.Quorums(s.on.Base.Document(tuf.Root))
	for _, role := range []string{tuf.Root, tuf.Targets} {
		p.Lines = append(p.Lines, hanging(w, sp(plain, "   now  %-8s ", role), say.Quorum(quorums[role]), plain)...)
	}
	p.Lines = append(append(p.Lines, blank), s.form.lines(w)...)
	p.Foot = s.said(w)
	if s.busy != 0 {
		p.Foot = append(p.Foot, blank, say1(strong, "Planning ..."))
	}
	return p
}

func (s *rotationScreen) Keys() []Key {
	return s.idle(append(s.form.keys("plan it", s.submit), back("cancel", s.app.shut))...)
}

func (s *rotationScreen) typing() bool            { return s.busy == 0 }
func (s *rotationScreen) typed(k tea.KeyPressMsg) { s.current().typed(k) }
func (s *rotationScreen) pasted(t string)         { s.current().pasted(t) }

// submit plans what the form says, and shows what it takes.
func (s *rotationScreen) submit() tea.Cmd {
	s.clear()
	r, wrong := s.read(s.app.now)
	if !wrong.Empty() {
		s.tell(say.Notice{What: wrong})
		return nil
	}
	files, wrong := say.KeyFiles(s.known.text())
	if !wrong.Empty() {
		s.tell(say.Notice{What: wrong})
		return nil
	}
	r.Purpose = s.purpose.text()
	base, when := s.on.Base, s.app.now
	cmd := ask(s.app, func(ctx context.Context) (*transfer.Bundle, error) {
		keys, err := onlineKeys(ctx, s.planner, s.snapshot, s.timestamp)
		if err != nil {
			return nil, err
		}
		r.Snapshot, r.Timestamp = keys[0], keys[1]
		for _, f := range files {
			k, err := s.planner.KnownKey(ctx, f.Path)
			if err == nil {
				err = r.Know(f.Name, k)
			}
			if err != nil {
				return nil, err
			}
		}
		return ceremony.PlanRotation(base, r, when)
	}, func(b *transfer.Bundle, err error) tea.Cmd {
		s.busy = 0
		if err == nil {
			var sitting *ceremony.Sitting
			if sitting, err = ceremony.PlanSitting(b, when, r.Absent...); err == nil {
				return s.app.open(s.planned(b, sitting))
			}
		}
		s.tell(say.Trouble(err))
		return nil
	})
	s.busy = s.app.lastOp
	return cmd
}

func (s *rotationScreen) planned(b *transfer.Bundle, sitting *ceremony.Sitting) Screen {
	return &plannedScreen{
		stage: stage{app: s.app}, planner: s.planner, title: "change of keys", name: "rotation", bundle: b,
		what: text.Clean(ceremony.Title(b)), sections: []say.Section{say.WhoMustSign(sitting)},
	}
}
