package tui

import (
	"context"
	"strconv"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"conclave/hsm"
	"conclave/tui/room"
	"conclave/tui/say"
	"conclave/tui/text"
)

// A genesisScreen asks what a new repository shall be.
type genesisScreen struct {
	stage
	form
	home *homeScreen

	purpose, holders, rootM, targets, targetsM, algorithm *field
	rootDays, targetsDays, snapshot, timestamp, files     *field
}

func newGenesis(h *homeScreen) *genesisScreen {
	s := &genesisScreen{
		stage: stage{app: h.app}, home: h,
		purpose:   newField("purpose"),
		holders:   newField("root keyholders"),
		rootM:     newField("of whom must sign root"),
		targets:   newField("targets keyholders"),
		targetsM:  newField("of whom must sign targets"),
		algorithm: newField("key algorithm").with(string(hsm.P256)),
		rootDays:  newField("root expires in days").with("365"),
		targetsDays: newField("targets expire in days").
			with("90"),
		snapshot:  newField("snapshot public key"),
		timestamp: newField("timestamp public key"),
		files:     newField("target files"),
	}
	s.purpose.hint = text.Clean("one line for keyholders")
	s.holders.hint = text.Clean("names, separated by commas")
	s.rootM.hint = text.Clean("fewer than all: one may be lost")
	s.targets.hint = text.Clean("names, separated by commas")
	s.targetsM.hint = text.Clean("at least 2")
	s.snapshot.hint = text.Clean("PEM file from the online host")
	s.timestamp.hint = text.Clean("PEM file from the online host")
	s.files.hint = text.Clean("files and folders; may be empty")
	s.fields = []*field{
		s.purpose, s.holders, s.rootM, s.targets, s.targetsM, s.algorithm,
		s.rootDays, s.targetsDays, s.snapshot, s.timestamp, s.files,
	}
	return s
}

func (s *genesisScreen) Title() string { return "genesis" }

func (s *genesisScreen) Body(w, _ int) Page {
	p := Page{Lines: append([]Line{say1(strong, "A new repository"), blank}, s.form.lines(w)...)}
	p.Foot = s.said(w)
	if s.busy != 0 {
		p.Foot = append(p.Foot, blank, say1(strong, "Reading keys and files ..."))
	}
	return p
}

func (s *genesisScreen) Keys() []Key {
	return s.idle(append(s.form.keys("begin the ceremony", s.submit), back("cancel", s.app.shut))...)
}

func (s *genesisScreen) typing() bool            { return s.busy == 0 }
func (s *genesisScreen) typed(k tea.KeyPressMsg) { s.current().typed(k) }
func (s *genesisScreen) pasted(t string)         { s.current().pasted(t) }

// submit reads the form and has the desk begin.
func (s *genesisScreen) submit() tea.Cmd {
	s.clear()
	f, wrong := s.read(s.app.now)
	if wrong != "" {
		s.tell(say.Notice{What: text.Clean(wrong)})
		return nil
	}
	desk := s.app.desk
	cmd := ask(s.app, func(ctx context.Context) (Started, error) { return desk.Genesis(ctx, f) }, func(st Started, err error) tea.Cmd {
		s.busy = 0
		if err != nil {
			s.tell(say.Trouble(err))
			return nil
		}
		s.app.shut()
		return s.app.enter(room.Live(st.Session), st.Tray, st.Close)
	})
	s.busy = s.app.lastOp
	return cmd
}

// read makes the form out of the fields, or says what is wrong with them and
// moves to that field.
func (s *genesisScreen) read(when time.Time) (GenesisForm, string) {
	f := GenesisForm{
		Purpose: s.purpose.text(), Holders: say.Names(s.holders.text()), TargetsHolders: say.Names(s.targets.text()),
		Algorithm: hsm.Algorithm(strings.ToLower(s.algorithm.text())), SnapshotKey: s.snapshot.text(),
		TimestampKey: s.timestamp.text(), Files: say.Names(s.files.text()),
	}
	for _, fl := range s.fields {
		if fl != s.files && !fl.filled() {
			return f, s.wrong(fl, "is missing")
		}
	}
	var ok bool
	if f.RootThreshold, ok = between(s.rootM, 1, len(f.Holders)); !ok {
		return f, s.wrong(s.rootM, "is a number from 1 to the number of root keyholders")
	}
	if f.TargetsThreshold, ok = between(s.targetsM, 1, len(f.TargetsHolders)); !ok {
		return f, s.wrong(s.targetsM, "is a number from 1 to the number of targets keyholders")
	}
	if f.Algorithm != hsm.P256 && f.Algorithm != hsm.P384 {
		return f, s.wrong(s.algorithm, "is p256 or p384; all clients accept p256")
	}
	for _, d := range []struct {
		from *field
		to   *time.Time
	}{{s.rootDays, &f.RootExpires}, {s.targetsDays, &f.TargetsExpires}} {
		n, ok := between(d.from, 1, maxDays)
		if !ok {
			return f, s.wrong(d.from, "is a number of days")
		}
		*d.to = when.UTC().AddDate(0, 0, n).Truncate(time.Second)
	}
	return f, ""
}

// maxDays is the longest life that metadata may have: longer than that nobody
// will remember how to hold a ceremony.
const maxDays = 3650

func between(f *field, low, high int) (int, bool) {
	n, err := strconv.Atoi(f.text())
	return n, err == nil && n >= low && n <= high
}

func (s *genesisScreen) wrong(f *field, what string) string {
	for i, fl := range s.fields {
		if fl == f {
			s.at = i
		}
	}
	return f.label.String() + " " + what + "."
}
