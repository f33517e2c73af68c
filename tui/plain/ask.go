package plain

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"conclave/hsm"
	"conclave/tui/say"
	"conclave/tui/text"
)

// say prints one line. Its arguments may come from outside.
func (d *dialogue) say(format string, args ...any) { d.print(text.F(format, args...)) }

func (d *dialogue) print(lines ...text.Safe) {
	for _, l := range lines {
		if d.out == nil {
			_, d.out = fmt.Fprintln(d.o.Out, l.String())
		}
	}
}

// trouble says what went wrong, what is safe and what to do.
func (d *dialogue) trouble(n say.Notice) {
	for i, l := range n.Lines() {
		if i == 0 {
			l = text.F("%s %s", say.Stop, l)
		}
		d.print(l)
	}
}

// line reads the next line, or says that there is none.
func (d *dialogue) line() ([]byte, error) {
	if d.out != nil {
		return nil, d.out
	}
	select {
	case <-d.ctx.Done():
		return nil, d.ctx.Err()
	case a := <-d.in.wait():
		d.in.got()
		return a.line, end(a.err)
	}
}

// end makes the end of the input what it is: somebody left.
func end(err error) error {
	if errors.Is(err, io.EOF) {
		return ErrInterrupted
	}
	return err
}

// free asks for free text; nothing in it is understood as a command.
func (d *dialogue) free(prompt string, args ...any) (string, error) {
	d.say(prompt+":", args...)
	line, err := d.line()
	return strings.TrimSpace(string(line)), err
}

// A reply is a word and what follows it: "here", "Alice".
type reply struct{ word, rest string }

func parse(line []byte) reply {
	word, rest, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
	return reply{strings.ToLower(word), strings.TrimSpace(rest)}
}

// word asks until one of words is the answer. The empty answer is one of them
// where "" is listed: that is No.
func (d *dialogue) word(words []string, prompt string, args ...any) (reply, error) {
	for {
		d.say(prompt+":", args...)
		line, err := d.line()
		if err != nil {
			return reply{}, err
		}
		r := parse(line)
		if slices.Contains(words, r.word) {
			return r, nil
		}
		if common, err := d.common(r); common || err != nil {
			if err != nil {
				return reply{}, err
			}
			continue
		}
		d.notUnderstood(words)
	}
}

func (d *dialogue) notUnderstood(words []string) {
	var quoted []string
	for _, w := range words {
		if w != "" {
			quoted = append(quoted, w)
		}
	}
	d.say("Not understood, nothing done. It can be %s, help, state or quit.", strings.Join(quoted, ", "))
}

// yes asks a question whose answer is No unless it is yes.
func (d *dialogue) yes(prompt string, args ...any) (bool, error) {
	r, err := d.word([]string{"yes", "no", ""}, prompt+" Type yes or no", args...)
	return r.word == "yes", err
}

// common does what may be asked for at any prompt.
func (d *dialogue) common(r reply) (bool, error) {
	switch r.word {
	case "help":
		d.print(say.Help(d.s.State().Step())...)
		return true, nil
	case "state":
		d.state()
		return true, nil
	case "queue":
		return true, d.queue(r.rest)
	case "quit":
		return true, ErrInterrupted
	}
	return d.trayWord(r)
}

// state says where the ceremony stands.
func (d *dialogue) state() {
	st := d.s.State()
	d.say("%s, at %s.", st.Title(), string(st.Step()))
	d.alarm(st)
	for _, p := range st.Participants() {
		d.say("%s: %s; %s.", p.Name, say.Standing(p), say.Presence(p))
	}
	for _, t := range say.Tallies(st.Tallies()) {
		d.say("%s.", t)
	}
	for _, s := range st.Still() {
		d.say("%s", s)
	}
	d.print(say.Queued(st.Queued())...)
}

// queue puts somebody who came too late on the list for the next draft.
func (d *dialogue) queue(name string) error {
	if name == "" {
		d.say("Who came too late? Type queue and the name.")
		return nil
	}
	roles, err := d.free("Which roles shall %s join with the next draft? root, targets, or empty for both", name)
	if err != nil {
		return err
	}
	why, err := d.free("Why not with this one? It goes on record")
	if err != nil {
		return err
	}
	if err := d.s.Queue(name, say.Roles(roles), why); err != nil {
		d.trouble(say.Trouble(err))
		return nil
	}
	d.say("%s On the list. Nothing that is frozen changes, and no signature is lost.", say.OK)
	return nil
}

// pin asks for a PIN until one of the right length is there. The caller wipes it.
func (d *dialogue) pin(prompt string, args ...any) (*hsm.PIN, error) {
	for {
		p := text.F(prompt+", not shown:", args...)
		d.print(p)
		pin, err := d.readPIN(p.String())
		if err == nil {
			return pin, nil
		}
		if stop := end(err); errors.Is(stop, ErrInterrupted) || d.ctx.Err() != nil || d.out != nil {
			return nil, stop
		}
		d.say("%s %s Nothing was sent to the token.", say.Stop, say.Trouble(err).What)
	}
}

func (d *dialogue) readPIN(prompt string) (*hsm.PIN, error) {
	if d.o.ReadPIN != nil {
		return d.o.ReadPIN(prompt)
	}
	line, err := d.line()
	if err != nil {
		return nil, err
	}
	return hsm.NewPIN(line)
}

// decision asks why, and who decided, for an exception; on is what State.Deciders knows it by.
func (d *dialogue) decision(on string, what text.Safe) (why string, by []string, err error) {
	st := d.s.State()
	d.print(say.Deciding(st.Deciders(on), st.Practice()))
	if why, err = d.free("Why is it right to go on in spite of %s? The reason goes on record", what); err != nil {
		return "", nil, err
	}
	names, err := d.free("Who decides it? Names, separated by commas")
	return why, say.Names(names), err
}
