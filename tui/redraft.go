package tui

import (
	tea "charm.land/bubbletea/v2"

	"conclave/ceremony"
	"conclave/transfer"
	"conclave/tui/say"
	"conclave/tui/text"
)

// A newDraft is a change of what is frozen, and what it costs.
type newDraft struct {
	bundle *transfer.Bundle
	cost   *ceremony.Cost
}

// changeKey makes a new draft of what is frozen.
func (s *signScreen) changeKey() Key { return on("c", "change the draft", s.change, "c").less() }

// change asks what shall change, and goes on to what that costs.
func (s *signScreen) change() tea.Cmd {
	f := newRotationForm()
	folder := newField("folder of its metadata")
	folder.hint = text.Clean("as published; empty if targets are signed")
	var found newDraft
	session := s.app.session
	tallies := s.app.state.Tallies()
	return s.app.open(&askScreen{
		stage: stage{app: s.app}, title: "change", verb: "what does it cost?", empty: true,
		form:  form{fields: []*field{f.add, f.remove, f.replace, f.second, f.rootM, f.targetsM, folder}},
		intro: func() []text.Safe { return say.Costly(tallies) },
		check: func() string {
			_, wrong := f.change().Rotation()
			return wrong.String()
		},
		commit: func() (err error) {
			r, _ := f.change().Rotation()
			found.bundle, found.cost, err = session.Redraft(folder.text(), r)
			return err
		},
		then: func() tea.Cmd { return s.redraft(found) },
	})
}

// redraft shows the cost, and writes the new draft where people agree.
func (s *signScreen) redraft(d newDraft) tea.Cmd {
	session := s.app.session
	var path string
	a := decide(s.stage, decision{
		title: "change", on: "redraft", about: cleanAll(d.cost.Text),
		do: func(why string, by []string) (err error) {
			path, err = session.KeepDraft(d.bundle, d.cost, why, by)
			return err
		},
	})
	a.verb = "write the new draft"
	a.then = func() tea.Cmd {
		return s.app.open(&sheetScreen{app: s.app, title: "change", sheet: Sheet{Title: "A new draft", Lines: asStrings(say.Redrafted(path))}})
	}
	return s.app.open(a)
}

func asStrings(lines []text.Safe) []string {
	var out []string
	for _, l := range lines {
		out = append(out, l.String())
	}
	return out
}
