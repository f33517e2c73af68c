package tui

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"conclave/tui/room"
	"conclave/tui/say"
	"conclave/tui/text"
)

// findEvery is how often the desk is asked what there is.
const findEvery = 2 * time.Second

var homeHelp = []text.Safe{
	text.Clean("Sign a bundle: begins the ceremony of a bundle that was made on the online host and carried here. t names the root that you trust, kept apart from it, first."),
	text.Clean("Go on where we stopped: resumes a ceremony from its record, after a break or a power cut. Nothing that was done is asked for again."),
	text.Clean("Begin a new repository: plans a genesis and holds its ceremony."),
	text.Clean("Scan a bundle: reads what another machine shows as QR symbols. It has passed the same checks as a file from a stick."),
	text.Clean("Change keyholders or keys, or a key that is lost or stolen: reads the repository, says who must come and what it means, and writes an unsigned bundle."),
	text.Clean("Look: describes a bundle or a record and changes nothing. Practise: the same screens with virtual YubiKeys."),
}

// A homeScreen asks what people want to do.
type homeScreen struct {
	app    *App
	found  Found
	asked  time.Time // when the desk was last asked
	op     opID
	at     int
	busy   text.Safe // what is being opened
	notice []say.Notice
}

// An offer is one line of the menu.
type offer struct {
	what, about text.Safe
	do          func() tea.Cmd
}

func (s *homeScreen) start() tea.Cmd { return s.find() }
func (s *homeScreen) Title() string  { return "" }

// Update asks the desk again from time to time: a stick shows up by itself.
func (s *homeScreen) Update(msg tea.Msg) tea.Cmd {
	if _, ok := msg.(tickMsg); ok && s.op == 0 && s.busy.Empty() && s.app.mono().Sub(s.asked) >= findEvery {
		return s.find()
	}
	return nil
}

func (s *homeScreen) find() tea.Cmd {
	s.asked = s.app.mono()
	cmd := ask(s.app, s.app.desk.Find, func(f Found, err error) tea.Cmd {
		s.op = 0
		if err != nil {
			s.notice = []say.Notice{say.Trouble(err)}
			return nil
		}
		s.found = f
		s.at = min(s.at, len(s.offers())-1)
		return nil
	})
	s.op = s.app.lastOp
	return cmd
}

// offers is the menu: what was found first, then what is always there.
func (s *homeScreen) offers() []offer {
	var all []offer
	desk := s.app.desk
	for _, f := range s.found.Bundles {
		about := text.F("%s, on %s", f.Name, f.Place)
		if f.Note != "" {
			about = text.F("%s, %s", about, f.Note)
		}
		all = append(all, offer{text.Clean("Sign a bundle"), about, s.sign(f, "")})
	}
	for _, f := range s.found.Stopped {
		about := text.F("%s, stopped %s at %s", f.Title, text.Relative(f.When, s.app.now), string(f.Step))
		if f.Note != "" {
			about = text.F("%s, %s", about, f.Note)
		}
		all = append(all, offer{text.Clean("Go on where we stopped"), about, s.begin(f.Title, func(ctx context.Context) (Started, error) {
			return desk.Resume(ctx, f.Dir)
		})})
	}
	all = append(all,
		offer{text.Clean("Begin a new repository"), text.Clean("genesis: first keys, first signatures"), func() tea.Cmd {
			return s.app.open(newGenesis(s))
		}})
	if planner, ok := desk.(Planner); ok {
		all = append(all, s.changes(planner)...)
	}
	all = append(all,
		offer{text.Clean("Look at a bundle or record"), text.Clean("nothing is changed"), func() tea.Cmd {
			return s.app.open(newLook(s))
		}},
		offer{text.Clean("Practise"), text.Clean("the same screens, virtual YubiKeys"), s.begin("a rehearsal", desk.Practise)})
	if scanner, ok := desk.(Scanner); ok {
		all = append(all, offer{text.Clean("Scan a bundle"), text.Clean("QR symbols, by camera or from pictures"), func() tea.Cmd {
			return s.app.open(newScan(s, scanner))
		}})
	}
	return all
}

// changes are the offers of a desk that can plan.
func (s *homeScreen) changes(p Planner) []offer {
	on := func(what string, then func(Repository) Screen) func() tea.Cmd {
		return func() tea.Cmd {
			return s.app.open(newRepository(s.app, p, what, false, func(r Repository, _ time.Time) Screen { return then(r) }))
		}
	}
	return []offer{
		{text.Clean("Change keyholders or keys"), text.Clean("plan a rotation"), on("change of keys", func(r Repository) Screen { return newRotation(s.app, p, r) })},
		{text.Clean("A key is lost or stolen"), text.Clean("what to do now"), func() tea.Cmd { return s.app.alarmed(p) }},
		{text.Clean("See what expires when"), text.Clean("and when to hold the next ceremony"), on("calendar", func(r Repository) Screen { return newDays(s.app, p, r.Live) })},
	}
}

// alarmed asks where the repository is, and which keys are in danger.
func (a *App) alarmed(p Planner) tea.Cmd {
	return a.open(newRepository(a, p, "compromise", true, func(r Repository, at time.Time) Screen { return newCompromise(a, p, r, at) }))
}

// sign begins the ceremony of a bundle, from the root in a file where one is named.
func (s *homeScreen) sign(f FoundFile, root string) func() tea.Cmd {
	return s.begin(f.Name, func(ctx context.Context) (Started, error) { return s.app.desk.Sign(ctx, f.Path, root) })
}

// named asks for the trusted root of a bundle first.
func (s *homeScreen) named(f FoundFile) func() tea.Cmd {
	return func() tea.Cmd {
		root := newField("trusted root")
		root.hint = text.Clean("a root.json kept apart from the bundle")
		return s.app.open(&askScreen{
			stage: stage{app: s.app}, form: form{fields: []*field{root}}, title: "trusted root", verb: "open the bundle",
			intro: func() []text.Safe {
				return []text.Safe{text.F("%s is verified from this root on. Without one, preflight asks people to compare digests.", f.Name)}
			},
			commit: func() error { return nil },
			then:   func() tea.Cmd { return s.sign(f, root.text())() },
		})
	}
}

// begin makes what starts a ceremony.
func (s *homeScreen) begin(name string, start func(context.Context) (Started, error)) func() tea.Cmd {
	return func() tea.Cmd {
		s.notice, s.busy = nil, text.F("Opening %s ...", name)
		s.app.drop(s.op)
		s.op = 0
		return ask(s.app, start, func(st Started, err error) tea.Cmd {
			s.busy = text.Safe{}
			if err != nil {
				s.notice = []say.Notice{say.Trouble(err)}
				return nil
			}
			return s.app.enter(room.Live(st.Session), st.Tray, st.Close)
		})
	}
}

func (s *homeScreen) Body(w, _ int) Page {
	p := Page{Lines: []Line{blank, say1(strong, "  What do you want to do?"), blank}}
	for i, o := range s.offers() {
		mark, t := sp(plain, "   "), plain
		if i == s.at {
			mark, t = sp(strong, ">  "), picked
		}
		l := ln(mark, span{text.Pad(o.what, 28), t}, span{o.about, plain})
		if i == s.at {
			l = l.focused()
		}
		p.Lines = append(p.Lines, l)
	}
	if len(s.found.Bundles) == 0 && s.busy.Empty() {
		p.Foot = append(p.Foot, para(w, 2, dim, text.Clean("To sign, put in the stick with the bundle: it shows up here by itself."))...)
	}
	if s.found.Days != "" {
		p.Foot = append(p.Foot, para(w, 2, plain, text.F("%s (As the last ceremony here left it.)", s.found.Days))...)
	}
	for _, n := range s.notice {
		p.Foot = append(append(p.Foot, blank), noticeLines(w, n)...)
	}
	if !s.busy.Empty() {
		p.Foot = append(p.Foot, blank, ln(span{s.busy, strong}))
	}
	return p
}

func (s *homeScreen) Keys() []Key {
	if !s.busy.Empty() {
		return nil
	}
	keys := []Key{
		on("up/down", "choose", now(func() { s.at = max(0, s.at-1) }), "up"),
		on("", "", now(func() { s.at = min(len(s.offers())-1, s.at+1) }), "down"),
		on("enter", "open", func() tea.Cmd { return s.offers()[s.at].do() }, "enter"),
		on("q", "quit", func() tea.Cmd { return tea.Quit }, "q"),
	}
	if s.at < len(s.found.Bundles) { // they come first
		keys = append(keys, on("t", "trusted root", s.named(s.found.Bundles[s.at]), "t"))
	}
	return keys
}
