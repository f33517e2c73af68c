package plain

import (
	"strings"
	"time"

	"conclave/ceremony"
	"conclave/tui/say"
)

// settle is how long a practice token may take to show up in its reader.
const settle = 5 * time.Second

// An arrival is what ended a wait: a token that was looked at, or a word.
type arrival struct {
	token ceremony.Visitor
	reply reply // its word is "" where a token came
}

// await waits for a token that has not been dealt with, or for one of words.
func (d *dialogue) await(words []string, prompt string, args ...any) (arrival, error) {
	prompted := false
	for {
		if v, ok := d.newToken(); ok {
			return arrival{token: v}, nil
		}
		if !prompted {
			d.say(prompt+":", args...)
			prompted = true
		}
		r, ok, err := d.lineOrTick(words)
		if err != nil || d.out != nil {
			return arrival{}, firstError(err, d.out)
		}
		if !ok {
			continue
		}
		for _, w := range words {
			if r.word == w {
				return arrival{reply: r}, nil
			}
		}
		prompted = false
		if common, err := d.common(r); err != nil {
			return arrival{}, err
		} else if !common {
			d.notUnderstood(words)
		}
	}
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// lineOrTick waits for a line that is meant for this wait, at most one poll.
// A script's line that is not is kept until a token has come; with a tray the
// token could never come then, and the line is refused.
func (d *dialogue) lineOrTick(words []string) (reply, bool, error) {
	if d.in.has && d.meant(parse(d.in.kept), words) {
		line, err := d.line()
		return parse(line), true, err
	}
	var lines <-chan answer
	if !d.in.has {
		lines = d.in.wait()
	}
	tick := time.NewTimer(d.o.Poll)
	defer tick.Stop()
	select {
	case <-d.ctx.Done():
		return reply{}, false, d.ctx.Err()
	case <-tick.C:
		return reply{}, false, nil
	case a := <-lines:
		d.in.got()
		if a.err != nil {
			return reply{}, false, end(a.err)
		}
		r := parse(a.line)
		if d.script() && d.o.Tray == nil && !d.meant(r, words) {
			d.in.keep(a.line)
			return reply{}, false, nil
		}
		return r, true, nil
	}
}

// script reports that nobody sits there who could be told to type again.
func (d *dialogue) script() bool { return d.o.ReadPIN == nil }

// meant reports whether r is something that a wait understands.
func (d *dialogue) meant(r reply, words []string) bool {
	for _, w := range append([]string{"help", "state", "queue", "quit", "insert", "remove", "touch", "yank"}, words...) {
		if r.word == w {
			return true
		}
	}
	return false
}

// newToken looks at the first token that has not been dealt with.
func (d *dialogue) newToken() (ceremony.Visitor, bool) {
	readers, err := d.s.Readers(d.ctx)
	if err != nil {
		d.once(err)
		return ceremony.Visitor{}, false
	}
	d.forget(readers)
	for _, r := range readers {
		if d.handled[r] {
			continue
		}
		d.handled[r] = true
		v, err := d.s.Look(d.ctx, r)
		if err != nil {
			d.say("%s The token in %s cannot be read.", say.Stop, r)
			d.trouble(say.Trouble(err))
			continue
		}
		return v, true
	}
	return ceremony.Visitor{}, false
}

// forget drops readers whose token was taken out: the next one there is new.
func (d *dialogue) forget(readers []string) {
	still := map[string]bool{}
	for _, r := range readers {
		if d.handled[r] {
			still[r] = true
		}
	}
	d.handled = still
}

// once says why tokens cannot be seen, unless that was the last thing said about them.
func (d *dialogue) once(err error) {
	if d.blind != err.Error() {
		d.blind = err.Error()
		d.trouble(say.Trouble(err))
	}
}

// trayWord moves the practice tokens.
func (d *dialogue) trayWord(r reply) (bool, error) {
	if d.o.Tray == nil {
		return false, nil
	}
	switch r.word {
	case "insert":
		return true, d.move(r.rest, true)
	case "remove":
		return true, d.move(r.rest, false)
	case "touch":
		d.o.Tray.Touch()
		return true, nil
	case "yank":
		d.o.Tray.Yank()
		return true, nil
	}
	return false, nil
}

// move puts a practice token in or takes it out, and waits until the reader has noticed.
func (d *dialogue) move(name string, in bool) error {
	for i, t := range d.o.Tray.Tokens() {
		if !strings.EqualFold(t.Name, name) {
			continue
		}
		if t.Inserted == in {
			d.say("The token of %s is %s already.", t.Name, map[bool]string{true: "in", false: "out"}[in])
			return nil
		}
		before, _ := d.s.Readers(d.ctx)
		if in {
			d.o.Tray.Insert(i)
		} else {
			d.o.Tray.Remove(i)
		}
		return d.noticed(len(before))
	}
	d.say("There is no practice token of %s.", name)
	return nil
}

func (d *dialogue) noticed(before int) error {
	late := time.NewTimer(settle)
	defer late.Stop()
	tick := time.NewTicker(d.o.Poll/10 + time.Millisecond)
	defer tick.Stop()
	for {
		if now, err := d.s.Readers(d.ctx); err == nil && len(now) != before {
			d.forget(now)
			return nil
		}
		select {
		case <-d.ctx.Done():
			return d.ctx.Err()
		case <-late.C:
			d.say("%s The reader has not noticed the token.", say.Stop)
			return nil
		case <-tick.C:
		}
	}
}
