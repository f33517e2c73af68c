package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"conclave/transfer/qr"
	"conclave/transfer/qr/armour"
	"conclave/transfer/qr/decode"
	"conclave/tui/say"
	"conclave/tui/text"
)

// A scanLine tells whoever holds the camera how far a scan is, and what is wrong.
type scanLine struct {
	w        io.Writer
	terminal bool
	newline  string // on a raw terminal a line end needs its return
	last     time.Time
	good     time.Time // when a symbol was last read
	drawn    bool
	said     map[string]bool
}

// missAfter is how long nothing may be read before the line says why.
const missAfter = 2 * time.Second

func (p *program) scanProgress() *scanLine {
	f, ok := p.err.(*os.File)
	terminal := ok && !p.json && term.IsTerminal(int(f.Fd()))
	l := &scanLine{w: p.people(), terminal: terminal, newline: "\n", good: time.Now(), said: map[string]bool{}}
	if terminal {
		l.newline = "\r\n"
	}
	return l
}

// tell says how far it is, after every picture and every line.
func (l *scanLine) tell(p qr.Progress, err error) {
	now := time.Now()
	var miss *decode.Miss
	if errors.As(err, &miss) {
		if now.Sub(l.good) >= missAfter {
			l.draw(now, text.F("%s", miss.Hint()))
		}
		return
	}
	if err != nil {
		l.trouble(err)
	} else {
		l.good = now
	}
	if p.Need > 0 {
		l.draw(now, say.Scanning(p))
	}
}

// trouble says what is wrong with a frame, each thing once. Misread frames come again, and are no trouble.
func (l *scanLine) trouble(err error) {
	var corrupt *armour.CorruptError
	said := text.Clean(err.Error()).String()
	if l.said[said] || errors.As(err, &corrupt) && l.said["misread"] {
		return
	}
	l.said[said] = true
	if corrupt != nil {
		l.said["misread"] = true
	}
	l.end()
	fmt.Fprintf(l.w, "%s%s", said, l.newline)
	if hint := hintOf(err); hint != "" {
		fmt.Fprintf(l.w, "hint: %s%s", text.Clean(hint), l.newline)
	}
}

// draw draws the line over, on a terminal.
func (l *scanLine) draw(now time.Time, line text.Safe) {
	if !l.terminal || now.Sub(l.last) < barEvery {
		return
	}
	l.last, l.drawn = now, true
	fmt.Fprintf(l.w, "\r\x1b[K%s", text.Cut(line, 78))
}

// end clears the line.
func (l *scanLine) end() {
	if l.drawn {
		fmt.Fprint(l.w, "\r\x1b[K")
		l.drawn = false
	}
}
