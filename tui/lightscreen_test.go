package tui

import (
	"context"
	"errors"
	"image"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hinshun/vt10x"

	"conclave/ceremony"
	"conclave/ceremony/tuf"
	"conclave/transfer/qr"
	"conclave/transfer/qr/qrtest"
	"conclave/tui/light"
	"conclave/tui/room/roomtest"
)

// signedByLight is a ceremony at export in which targets were signed; it shows its bundle as light.
func signedByLight(t *testing.T) *stand {
	r := roomtest.Rotation()
	r.At = ceremony.StepPreflight
	r.Opened = qrtest.Waiting(t, 200)
	r.Carried = r.Opened
	s := hold(t, r, nil)
	r.Carried = qrtest.Sign(t, r.Opened, tuf.Targets, "Alice", "Bob")
	r.At = ceremony.StepExport
	s.send(answerMsg{session: r, state: r.State()})
	s.rest()
	return s
}

// symbolOn is the part of a terminal that is black on white, drawn as it really is.
func symbolOn(t *testing.T, s *stand, cols, rows int) []string {
	t.Helper()
	s.app.width, s.app.height = cols, rows
	term := vt10x.New(vt10x.WithSize(cols, rows))
	_, _ = term.Write([]byte(strings.ReplaceAll(s.app.View().Content, "\n", "\r\n")))
	var lines []string
	for y := range rows {
		var line []rune
		for x := range cols {
			if c := term.Cell(x, y); c.FG == 16 && c.BG == 231 {
				line = append(line, c.Char)
			}
		}
		if len(line) > 0 {
			lines = append(lines, string(line))
		}
	}
	return lines
}

func TestTheExportScreenShowsTheAnswerAsLight(t *testing.T) {
	s := signedByLight(t)
	s.key("l")
	s.sees("the 2 new signatures alone")
	s.sees("one symbol is all")
	for _, size := range [][2]int{{80, 24}, {120, 40}} {
		img := qrtest.Raster(symbolOn(t, s, size[0], size[1]), qrtest.Font{Width: 8, Height: 16})
		texts := qrtest.Zbar(t, []*image.Gray{img})[0]
		r := qr.NewReceiver(s.app.clock)
		if len(texts) != 1 {
			t.Fatalf("%v: %d symbols are read", size, len(texts))
		}
		if p, err := r.Add(texts[0]); err != nil || !p.Done {
			t.Errorf("%v: %+v, %v", size, p, err)
		}
	}
	s.key("q")
	s.sees("step 7 of 8  export")
}

func TestTheWholeBundleMovesOnAndStops(t *testing.T) {
	s := signedByLight(t)
	s.key("l", "t", "[", "[")
	s.sees("the whole bundle")
	s.sees("frame 1, ")
	screen := s.app.top().(*lightScreen)
	late := frameMsg{screen.run}
	s.send(late)
	s.sees("frame 2, ")
	s.send(late) // two timers must not run at once
	s.sees("frame 2, ")
	s.key("space")
	s.sees("paused")
	s.send(frameMsg{screen.run - 1})
	s.sees("frame 2, ")
	s.key(".")
	s.sees("frame 3, ")
	s.sees("paused")
	s.key("space", "+")
	s.sees("10 a second")
	s.key("-", "-")
	s.sees("6 a second")
	s.key("t")
	s.sees("signatures alone")
}

func TestLightHelpNamesTheDigest(t *testing.T) {
	s := signedByLight(t)
	s.key("l", "?")
	s.sees("SHA-256 of what comes out")
	s.key("esc", "esc")
	s.sees("step 7 of 8  export")
}

// What goes out by light goes on the record first. If it cannot, nothing is shown.
func TestNothingIsShownThatIsNotOnRecord(t *testing.T) {
	s := signedByLight(t)
	full := errors.New("no space left on device")
	session := s.app.session.(*roomtest.Session)
	session.Fail = map[string][]error{"Show": {full, nil, full}}
	s.key("l")
	s.sees("space left on device.")
	s.sees("step 7 of 8  export")
	s.key("l")
	s.sees("the 2 new signatures alone")
	s.key("t")
	s.sees("space left on device.")
	s.sees("one symbol is all")
	s.key("t")
	s.sees("frame 1, ")
	want := []string{`Show answer, 1 frames, ""`, `Show answer, 1 frames, ""`, `Show bundle, 2 frames, ""`, `Show bundle, 2 frames, ""`}
	if got := session.Calls(); !slices.Equal(got[len(got)-4:], want) {
		t.Errorf("called %q", got)
	}
}

func TestShowNeedsSomething(t *testing.T) {
	if err := Show(t.Context(), Light{}, Options{}); err == nil {
		t.Error("no error")
	}
	o, err := light.File([]byte("words"))
	if err != nil {
		t.Fatal(err)
	}
	err = Show(t.Context(), Light{Offers: []*light.Offer{o}}, Options{In: strings.NewReader("\x03"), Out: &strings.Builder{}})
	if !errors.Is(err, ErrInterrupted) {
		t.Errorf("got %v", err)
	}
}

// lightScenes show a file that is the same every time.
func lightScenes() []scene {
	show := func(t *testing.T, rehearsal bool, n int) *stand {
		o, err := light.File([]byte(strings.Join(words(roomtest.Rotation(), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)[:n], " ")))
		if err != nil {
			t.Fatal(err)
		}
		o.File, o.Title = "release-47.bundle.json", "a file for a test"
		var tray Tray
		if rehearsal {
			tray = roomtest.Genesis().Tray()
		}
		s := newStand(t, Options{})
		s.app.tray, s.app.alone = tray, true
		s.run(s.app.show(newLight(s.app, []*light.Offer{o}, qr.Compatible, "quit", nil)))
		s.rest()
		return s
	}
	return []scene{
		{"light", func(t *testing.T) *stand { return show(t, false, 10) }},
		{"light still practice", func(t *testing.T) *stand { return show(t, true, 3) }},
	}
}

// A scanning desk reads what the test hands it.
type scanning struct {
	*desktop
	reports []ScanReport
	err     error
	from    string
}

func (d *scanning) Cameras(context.Context) ([]FoundFile, error) {
	return []FoundFile{{Path: "/dev/video0", Name: "Integrated camera"}}, nil
}

func (d *scanning) Scan(_ context.Context, from string, tell func(ScanReport)) (Received, error) {
	d.from = from
	for _, r := range d.reports {
		tell(r)
	}
	return Received{Path: "received-1.bundle.json", What: "a bundle"}, d.err
}

func scanScenes() []scene {
	open := func(t *testing.T, d *scanning) *stand {
		s := home(t, d)
		s.key("down", "down", "down", "enter")
		return s
	}
	seen := ScanReport{Progress: qr.Progress{Name: "1f3a-99c2", Rank: 7, Need: 12, Expect: 3 * time.Second}, Picture: qrtest.Raster([]string{"▀▄█ ▀▄█ ▀▄█ ", "█▀▄ █▀▄ █▀▄ "}, qrtest.Font{Width: 8, Height: 16})}
	return []scene{
		{"scan", func(t *testing.T) *stand { return open(t, &scanning{desktop: &desktop{}}) }},
		{"scan running", func(t *testing.T) *stand {
			s := open(t, &scanning{desktop: &desktop{}, reports: []ScanReport{seen}})
			s.keep = true
			s.key("enter")
			s.late[0]() // the answer is under way; its picture is there
			return s
		}},
		{"scan done", func(t *testing.T) *stand {
			s := open(t, &scanning{desktop: &desktop{}})
			s.key("enter")
			return s
		}},
		{"scan failed", func(t *testing.T) *stand {
			s := open(t, &scanning{desktop: &desktop{}, err: &qr.IncompleteError{Progress: seen.Progress}})
			s.key("down")
			s.typed("photographs", "enter")
			return s
		}},
	}
}
