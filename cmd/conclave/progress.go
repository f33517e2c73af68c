package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"conclave/tui/text"
)

// A bar shows how far long work is: one line that is drawn over on a terminal, a plain line
// now and then elsewhere.
type bar struct {
	w        io.Writer
	what     string
	terminal bool
	now      func() time.Time
	start    time.Time
	last     time.Time
	drawn    bool
}

// How often a bar speaks: often enough to be alive on a terminal, seldom enough for a log.
const (
	barEvery  = 200 * time.Millisecond
	lineEvery = 10 * time.Second
	barQuiet  = 500 * time.Millisecond // work that is shorter shows nothing
)

func (p *program) progress(what string) *bar {
	f, ok := p.err.(*os.File)
	now := time.Now()
	return &bar{w: p.people(), what: what, terminal: ok && !p.json && term.IsTerminal(int(f.Fd())), now: time.Now, start: now, last: now}
}

// update says that done of total bytes are through.
func (b *bar) update(done, total int64) {
	if done == 0 {
		b.draw(done, total, "", 0, false)
		return
	}
	b.draw(done, total, "", time.Duration(float64(b.now().Sub(b.start))*float64(total-done)/float64(done)), true)
}

// draw shows bytes, what else there is to say and the time left, if it is time to speak. Calls come one at a time.
func (b *bar) draw(done, total int64, also string, left time.Duration, known bool) {
	now := b.now()
	every := lineEvery
	if b.terminal {
		every = barEvery
	}
	if now.Sub(b.start) < barQuiet || now.Sub(b.last) < every || total == 0 {
		return
	}
	b.last = now
	line := fmt.Sprintf("%s: %s of %s%s, %d %%", b.what, text.Bytes(done), text.Bytes(total), also, done*100/total)
	if known {
		line += fmt.Sprintf(", %s left", left.Round(time.Second))
	}
	if b.terminal {
		fmt.Fprintf(b.w, "\r\x1b[K%s", line)
		b.drawn = true
		return
	}
	fmt.Fprintln(b.w, line)
}

// print writes a whole line, in place of the bar.
func (b *bar) print(line string) {
	b.done()
	fmt.Fprintln(b.w, line)
}

// done clears the line.
func (b *bar) done() {
	if b.drawn {
		fmt.Fprint(b.w, "\r\x1b[K")
		b.drawn = false
	}
}
