package armour

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrTooLong is returned where somebody typed more than any symbol holds without ending the line.
var ErrTooLong = errors.New("read keyboard: more was typed than one symbol holds, without Enter or Tab; it is thrown away")

// A Wedge takes what a keyboard-wedge scanner types. Enter or Tab ends a
// frame; bursts and bracketed pastes may hold many. Other control sequences are thrown away. The zero value
// is ready. It holds at most one line.
type Wedge struct {
	line   []rune
	long   bool // the line is too long; the rest of it is thrown away
	state  wedgeState
	csi    []rune
	layout *Layout
}

type wedgeState int

const (
	typing wedgeState = iota
	escaped
	inSequence
)

// maxSequence is more than any key's control sequence has.
const maxSequence = 16

// Type takes typed characters and returns the frames that they complete, with the layout put right
// where a layout check came before. An error (a *LayoutError or ErrTooLong) takes nothing from the frames.
func (w *Wedge) Type(s string) (frames []string, err error) {
	for _, r := range s {
		line, failed := w.key(r)
		if failed != nil {
			err = failed
		}
		if line != "" {
			frames = append(frames, line)
		}
	}
	return frames, err
}

// Layout is what the last layout check found; nil before there was one.
func (w *Wedge) Layout() *Layout { return w.layout }

// key takes one character and returns the frame that it ends.
func (w *Wedge) key(r rune) (string, error) {
	switch {
	case w.state == inSequence:
		return w.sequence(r)
	case w.state == escaped && r == '[':
		w.state, w.csi = inSequence, w.csi[:0]
		return "", nil
	}
	w.state = typing
	switch r {
	case '\x1b':
		w.state = escaped
	case '\r', '\n', '\t':
		return w.end()
	case '\b', '\x7f':
		w.line = w.line[:max(len(w.line)-1, 0)]
	default:
		w.add(r)
	}
	return "", nil
}

// sequence goes on with a control sequence; the end of a paste ends a line.
func (w *Wedge) sequence(r rune) (string, error) {
	if r >= '@' && r <= '~' || len(w.csi) == maxSequence {
		w.state = typing
		if r == '~' && (string(w.csi) == "200" || string(w.csi) == "201") {
			return w.end()
		}
		return "", nil
	}
	w.csi = append(w.csi, r)
	return "", nil
}

func (w *Wedge) add(r rune) {
	switch {
	case r == utf8.RuneError || unicode.IsControl(r):
	case len(w.line) > MaxText:
		w.long, w.line = true, w.line[:0]
	case !w.long:
		w.line = append(w.line, r)
	}
}

func (w *Wedge) end() (string, error) {
	line, long := string(w.line), w.long
	w.line, w.long = w.line[:0], false
	switch {
	case long:
		return "", ErrTooLong
	case isCheck(line):
		layout, err := ReadCheck(line)
		w.layout = layout
		return "", err
	}
	return w.layout.Correct(line), nil
}

// checked are the characters whose keys differ between keyboard layouts. Space is the same on all.
var checked = strings.ReplaceAll(alphabet, " ", "")

// LayoutCheck is the text of a symbol that shows how a scanner's idea of the
// keyboard differs from this machine's: all characters, a space, and all of them backwards. So it is
// recognised whatever the layout makes of it.
func LayoutCheck() string { return checked + " " + string(reversed([]byte(checked))) }

// isCheck reports whether a line can be the layout check: it reads the same from both ends.
func isCheck(line string) bool {
	runes := []rune(line)
	if len(runes) != 2*len(checked)+1 || runes[len(checked)] != ' ' {
		return false
	}
	for i := range checked {
		if runes[i] != runes[len(runes)-1-i] {
			return false
		}
	}
	return true
}

// A Layout turns what a scanner typed back into what it read. nil changes nothing.
type Layout struct{ meant map[rune]rune }

// ReadCheck learns the layout from the typed LayoutCheck. Where two characters come out the same the
// error is a *LayoutError.
func ReadCheck(typed string) (*Layout, error) {
	if !isCheck(typed) {
		return nil, errors.New("read layout check: it did not come through whole")
	}
	l := &Layout{make(map[rune]rune)}
	var clash LayoutError
	for i, r := range []rune(typed)[:len(checked)] {
		r = unicode.ToUpper(r)
		if before, taken := l.meant[r]; taken || r == ' ' {
			clash.Same = append(clash.Same, fmt.Sprintf("%c like %c", checked[i], max(before, ' ')))
			continue
		}
		l.meant[r] = rune(checked[i])
	}
	if clash.Same != nil {
		return nil, &clash
	}
	return l, nil
}

// Differs lists the characters that the layout changes, as "Z is typed Y".
func (l *Layout) Differs() []string {
	var list []string
	if l == nil {
		return nil
	}
	for _, want := range checked {
		for typed, meant := range l.meant {
			if meant == want && typed != meant {
				list = append(list, fmt.Sprintf("%c is typed %c", meant, typed))
			}
		}
	}
	return list
}

// Correct is what was read, for what was typed.
func (l *Layout) Correct(typed string) string {
	if l == nil {
		return typed
	}
	return strings.Map(func(r rune) rune {
		if meant, ok := l.meant[unicode.ToUpper(r)]; ok {
			return meant
		}
		return r
	}, typed)
}

// A LayoutError says that the keyboard layout loses characters.
type LayoutError struct {
	Same []string // like "- like /"
}

func (e *LayoutError) Error() string {
	return "read layout check: the keyboard layout types characters alike: " + strings.Join(e.Same, ", ")
}

// Hint says what to do.
func (e *LayoutError) Hint() string {
	return "Set the scanner to this machine's keyboard layout, or the machine to the scanner's (mostly US English). " +
		"Or have the frames shown with --ur: they need only letters, digits and the marks : / -."
}
