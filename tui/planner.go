package tui

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"conclave/ceremony"
	"conclave/ceremony/calendar"
	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/tui/say"
	"conclave/tui/text"
)

// A Planner is a Desk that can plan changes of a repository's keys. Where it is none, the home screen does not offer that.
type Planner interface {
	// Repository reads what is published, verified from the trusted root.
	Repository(ctx context.Context, at Where) (Repository, error)
	// Judge says what the policy has to say of a draft, in lines, none where no rule is broken and nobody wrote
	// a policy. Its error says that no exception is possible, or what is wrong with the policy itself.
	Judge(ctx context.Context, at Where, b *transfer.Bundle) ([]string, error)
	// OnlineKey reads a public key in PEM.
	OnlineKey(ctx context.Context, path string) (tuf.Key, error)
	// KnownKey reads a key that exists already: in PEM, or with what its token says of it.
	KnownKey(ctx context.Context, path string) (*ceremony.KnownKey, error)
	// Keep writes a planned bundle, and beside it the lines for people where there are some. Nothing is overwritten.
	Keep(ctx context.Context, name string, b *transfer.Bundle, lines []string) (Kept, error)
	// KeepDays writes a calendar file for the keyholders. Nothing is overwritten.
	KeepDays(ctx context.Context, c *calendar.Calendar) (path string, err error)
}

// Where says where a repository is.
type Where struct {
	Folder   string    // of its metadata
	Root     string    // a root.json that is trusted, kept apart from it
	Declared time.Time // of a compromise: when it was declared; zero is now
}

// A Repository is what a change builds on.
type Repository struct {
	Base transfer.Base
	Live map[string]*tuf.Document // by role, as far as they are at hand: for the calendar
}

// Kept is what a Planner has written.
type Kept struct {
	Bundle string
	Lines  string // "" where there were none
}

// A repositoryScreen asks where the repository is, and goes on with it.
type repositoryScreen struct {
	stage
	form
	planner      Planner
	what         string // it is for
	folder, root *field
	declared     *field // nil where no compromise is declared
	then         func(Repository, time.Time) Screen
}

func newRepository(a *App, p Planner, what string, alarm bool, then func(Repository, time.Time) Screen) *repositoryScreen {
	s := &repositoryScreen{
		stage: stage{app: a}, planner: p, what: what, then: then,
		folder: newField("folder of its metadata").with(a.where.Folder), root: newField("trusted root").with(a.where.Root),
	}
	s.folder.hint = text.Clean("as it is published now, or as it was last copied")
	s.root.hint = text.Clean("a root.json kept apart from it")
	s.fields = []*field{s.folder, s.root}
	if alarm {
		s.declared = newField("declared at")
		s.declared.hint = text.Clean("now, or as 2026-11-22T14:02:00Z")
		if !a.where.Declared.IsZero() {
			s.declared.with(a.where.Declared.UTC().Format(time.RFC3339))
		}
		s.fields = append(s.fields, s.declared)
	}
	return s
}

func (s *repositoryScreen) Title() string { return s.what }

func (s *repositoryScreen) Body(w, _ int) Page {
	p := Page{Lines: []Line{blank, say1(strong, "Which repository?"), blank}}
	p.Lines = append(p.Lines, s.form.lines(w)...)
	p.Lines = append(append(p.Lines, blank), paras(w, 0, plain, text.Clean("It is read and verified from the trusted root on. Nothing is changed."))...)
	p.Foot = s.said(w)
	if s.busy != 0 {
		p.Foot = append(p.Foot, blank, say1(strong, "Reading ..."))
	}
	return p
}

func (s *repositoryScreen) Keys() []Key {
	return s.idle(append(s.form.keys("read it", s.submit), back("cancel", s.app.shut))...)
}

func (s *repositoryScreen) typing() bool            { return s.busy == 0 }
func (s *repositoryScreen) typed(k tea.KeyPressMsg) { s.current().typed(k) }
func (s *repositoryScreen) pasted(t string)         { s.current().pasted(t) }

func (s *repositoryScreen) submit() tea.Cmd {
	for i, f := range []*field{s.folder, s.root} {
		if !f.filled() {
			s.at = i
			s.tell(say.Notice{What: text.F("Please fill in: %s.", f.label)})
			return nil
		}
	}
	at := Where{Folder: s.folder.text(), Root: s.root.text(), Declared: s.app.now}
	if s.declared != nil && s.declared.filled() {
		t, err := time.Parse(time.RFC3339, s.declared.text())
		if err != nil || t.After(s.app.now) {
			s.tell(say.Notice{What: text.Clean("That is no time in the past like 2026-11-22T14:02:00Z.")})
			return nil
		}
		at.Declared = t
	}
	s.clear()
	cmd := ask(s.app, func(ctx context.Context) (Repository, error) { return s.planner.Repository(ctx, at) }, func(r Repository, err error) tea.Cmd {
		s.busy = 0
		if err != nil {
			s.tell(say.Trouble(err))
			return nil
		}
		s.app.where = Where{Folder: at.Folder, Root: at.Root}
		if s.declared != nil {
			s.app.where.Declared, s.app.declared = at.Declared, at.Declared
		}
		s.app.shut()
		return s.app.open(s.then(r, at.Declared))
	})
	s.busy = s.app.lastOp
	return cmd
}
