package main

import (
	"bytes"
	"testing"
	"time"
)

// a minute of work, told every five seconds
func playBar(terminal bool) string {
	var out bytes.Buffer
	now := time.Date(2030, 5, 17, 12, 0, 0, 0, time.UTC)
	b := &bar{w: &out, what: "copy", terminal: terminal, now: func() time.Time { return now }, start: now, last: now}
	for done := int64(5); done <= 20; done += 5 {
		now = now.Add(5 * time.Second)
		b.update(done*1000, 60_000)
	}
	b.print("done")
	b.done()
	return out.String()
}

func TestProgressIsLinesInALog(t *testing.T) {
	const want = "copy: 10.0 kB of 60.0 kB, 16 %, 50s left\ncopy: 20.0 kB of 60.0 kB, 33 %, 40s left\ndone\n"
	if got := playBar(false); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestProgressIsOneLineOnATerminal(t *testing.T) {
	const clear = "\r\x1b[K"
	want := clear + "copy: 5.0 kB of 60.0 kB, 8 %, 55s left" + clear + "copy: 10.0 kB of 60.0 kB, 16 %, 50s left" +
		clear + "copy: 15.0 kB of 60.0 kB, 25 %, 45s left" + clear + "copy: 20.0 kB of 60.0 kB, 33 %, 40s left" + clear + "done\n"
	if got := playBar(true); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
