package tui

import (
	"context"
	"image"
	"strings"
	"sync/atomic"
	"time"

	tea "charm.land/bubbletea/v2"

	"conclave/transfer/qr"
	"conclave/tui/say"
	"conclave/tui/text"
)

// A Scanner is a Desk that can read QR symbols. Where it is none, the home screen does not offer that.
type Scanner interface {
	// Cameras lists the machine's cameras.
	Cameras(ctx context.Context) ([]FoundFile, error)
	// Scan reads symbols with a camera, or from pictures at a path, until a bundle is there, and
	// writes it. tell is called after every picture.
	Scan(ctx context.Context, from string, tell func(ScanReport)) (Received, error)
}

// A ScanReport says what was seen in one picture.
type ScanReport struct {
	Progress qr.Progress
	Picture  *image.Gray // nil where there was none
	Err      error       // what was wrong with it; nothing to stop for
}

// Received is what a Scanner has written.
type Received struct {
	Path string
	What string // "a bundle", "a bundle with new signatures", "a file"
}

// lookAgainAfter is how often the picture on the screen is drawn anew.
const lookAgainAfter = 150 * time.Millisecond

// scanMsg says that the picture may have changed.
type scanMsg struct{ run opID }

// A scanScreen reads a bundle from QR symbols: it asks from where, then shows what the camera
// sees and how far it is.
type scanScreen struct {
	app     *App
	scanner Scanner
	cameras []FoundFile
	at      int
	path    *field
	op      opID // the scan that is under way, 0 for none
	seen    atomic.Pointer[ScanReport]
	notice  []say.Notice
	got     Received
}

func newScan(h *homeScreen, s Scanner) *scanScreen {
	return &scanScreen{app: h.app, scanner: s, path: newField("or type the path of pictures")}
}

func (s *scanScreen) Title() string { return "scan" }

func (s *scanScreen) start() tea.Cmd {
	return ask(s.app, s.scanner.Cameras, func(list []FoundFile, err error) tea.Cmd {
		s.cameras = list
		if err != nil {
			s.notice = []say.Notice{say.Trouble(err)}
		}
		return nil
	})
}

// Update draws the camera's picture anew while a scan is under way.
func (s *scanScreen) Update(msg tea.Msg) tea.Cmd {
	if m, ok := msg.(scanMsg); !ok || s.op == 0 || m.run != s.op {
		return nil
	}
	return s.app.after(lookAgainAfter, scanMsg{s.op})
}

// scan begins to read.
func (s *scanScreen) scan() tea.Cmd {
	from := s.path.text()
	if s.at < len(s.cameras) {
		from = s.cameras[s.at].Path
	}
	if from == "" {
		return nil
	}
	s.notice, s.got = nil, Received{}
	s.seen.Store(&ScanReport{})
	tell := func(r ScanReport) { s.seen.Store(&r) }
	cmd := ask(s.app, func(ctx context.Context) (Received, error) { return s.scanner.Scan(ctx, from, tell) },
		func(got Received, err error) tea.Cmd {
			s.op = 0
			if err != nil {
				s.notice = []say.Notice{say.Trouble(err)}
				return nil
			}
			s.got = got
			return nil
		})
	s.op = s.app.lastOp
	return tea.Batch(cmd, s.app.after(lookAgainAfter, scanMsg{s.op}))
}

func (s *scanScreen) stop() {
	s.app.drop(s.op)
	s.op = 0
	s.notice = []say.Notice{{What: text.Clean("The scan was stopped."), Kept: text.Clean("Its frames are kept: a scan of the same transfer goes on with them.")}}
}

func (s *scanScreen) Keys() []Key {
	switch {
	case s.op != 0:
		return []Key{back("stop", s.stop)}
	case s.got.Path != "":
		return []Key{on("enter", "back to the start", now(s.app.shut), "enter", "esc", "alt+esc")}
	}
	return []Key{
		on("up/down", "choose", now(func() { s.at = max(0, s.at-1) }), "up"),
		on("", "", now(func() { s.at = min(len(s.cameras), s.at+1) }), "down"),
		on("enter", "scan", s.scan, "enter"), back("back", s.app.shut),
	}
}

func (s *scanScreen) typing() bool {
	return s.op == 0 && s.got.Path == "" && s.at == len(s.cameras)
}
func (s *scanScreen) typed(k tea.KeyPressMsg) { s.path.typed(k) }
func (s *scanScreen) pasted(t string)         { s.path.pasted(t) }

func (s *scanScreen) Body(w, h int) Page {
	if s.op != 0 {
		return s.running(w, h)
	}
	p := Page{Lines: []Line{blank}}
	if s.got.Path != "" {
		p.Lines = append(p.Lines, okLines(w, text.F("Received whole: %s, in %s.", s.got.What, s.got.Path))...)
		p.Lines = append(append(p.Lines, blank), para(w, 0, plain, text.Clean("It has passed the same checks as a file from a stick. A bundle that waits for signatures is offered at the start."))...)
		return p
	}
	p.Lines = append(p.Lines, say1(strong, "  Read a bundle from QR symbols, with what?"), blank)
	for i, c := range s.cameras {
		mark := sp(plain, "   ")
		if i == s.at {
			mark = sp(strong, ">  ")
		}
		l := ln(mark, span{text.Pad(text.Clean(c.Name), 36), plain}, sp(plain, "  %s", c.Path))
		if i == s.at {
			l = l.focused()
		}
		p.Lines = append(p.Lines, l)
	}
	p.Lines = append(p.Lines, blank, s.path.line(w, s.path.label.Width(), s.at == len(s.cameras)))
	for _, n := range s.notice {
		p.Foot = append(append(p.Foot, blank), noticeLines(w, n)...)
	}
	return p
}

// running shows what the camera sees, and how far the scan is.
func (s *scanScreen) running(w, h int) Page {
	r := s.seen.Load()
	var p Page
	foot := []Line{ln(span{say.Scanning(r.Progress), strong})}
	if r.Err != nil {
		foot = append(foot, noticeLines(w, say.Trouble(r.Err))...)
	} else {
		foot = append(foot, para(w, 0, plain, text.Clean("Hold the camera so that the whole symbol with its white border is in the picture."))...)
	}
	if r.Picture != nil {
		for _, row := range preview(r.Picture, w, h-len(foot)-1) {
			p.Lines = append(p.Lines, say1(plain, "%s", row))
		}
	}
	p.Foot = append([]Line{blank}, foot...)
	return p
}

// shades draw a picture in letters: on a dark terminal much ink is light.
const shades = " .:-=+*#%@"

// preview draws a picture in w by h cells, which are twice as high as wide.
func preview(img *image.Gray, w, h int) []string {
	b := img.Bounds()
	if b.Empty() || w < 1 || h < 1 {
		return nil
	}
	cols := min(w, 2*h*b.Dx()/b.Dy())
	rows := min(h, max(1, cols*b.Dy()/b.Dx()/2))
	var lines []string
	for y := range rows {
		var line strings.Builder
		for x := range max(cols, 1) {
			level := int(img.GrayAt(b.Min.X+x*b.Dx()/max(cols, 1), b.Min.Y+y*b.Dy()/rows).Y)
			line.WriteByte(shades[level*len(shades)/256])
		}
		lines = append(lines, line.String())
	}
	return lines
}
