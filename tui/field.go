package tui

import (
	"slices"
	"strings"
	"time"
	"unicode"

	tea "charm.land/bubbletea/v2"

	"conclave/hsm"
	"conclave/tui/text"
)

// maxField is the longest text that a field takes.
const maxField = 500

// A field takes one line of text, or a PIN.
type field struct {
	label text.Safe
	value []rune
	at    int       // of the cursor, in runes
	pin   *pinField // not nil: this field takes a PIN
	word  bool      // a word of a digest: letters only
	said  text.Safe // what became of the last key, where that needs saying
	note  span      // said behind it
	hint  text.Safe // said in it while it is empty
}

func newField(format string, args ...any) *field { return &field{label: text.F(format, args...)} }

// newWordField takes a word of a digest. It comes before the PIN, and who types that one here must not see it on the screen.
func newWordField(format string, args ...any) *field {
	f := newField(format, args...)
	f.word = true
	return f
}

func newPINField(mono func() time.Time, format string, args ...any) *field {
	return &field{label: text.F(format, args...), pin: &pinField{mono: mono}}
}

// with fills a field beforehand.
func (f *field) with(s string) *field {
	f.value = []rune(s)
	f.at = len(f.value)
	return f
}

func (f *field) text() string { return strings.TrimSpace(string(f.value)) }

// filled reports whether there is something to go on with.
func (f *field) filled() bool {
	if f.pin != nil {
		return f.pin.complete()
	}
	return f.text() != ""
}

func (f *field) typed(k tea.KeyPressMsg) {
	if f.pin != nil {
		f.pin.typed(k)
		return
	}
	switch k.String() {
	case "backspace":
		if f.at > 0 {
			f.at--
			f.value = slices.Delete(f.value, f.at, f.at+1)
		}
	case "delete":
		if f.at < len(f.value) {
			f.value = slices.Delete(f.value, f.at, f.at+1)
		}
	case "left":
		f.at = max(0, f.at-1)
	case "right":
		f.at = min(len(f.value), f.at+1)
	case "home", "ctrl+a":
		f.at = 0
	case "end", "ctrl+e":
		f.at = len(f.value)
	case "ctrl+u":
		f.value, f.at = nil, 0
	default:
		f.insert(k.Text)
	}
}

func (f *field) insert(s string) {
	if f.word && strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && r != ' ' }) {
		f.value, f.at = nil, 0
		f.said = text.Clean("A word has letters only; what was typed was thrown away. The PIN is asked for after the words.")
		return
	}
	if s != "" {
		f.said = text.Safe{}
	}
	for _, r := range s {
		if unicode.IsPrint(r) && len(f.value) < maxField {
			f.value = slices.Insert(f.value, f.at, r)
			f.at++
		}
	}
}

// pasted takes pasted text; line ends in it are left out. A PIN is never pasted.
func (f *field) pasted(s string) {
	if f.pin != nil {
		f.pin.pasted()
		return
	}
	f.insert(s)
}

// says is what became of the last keys, where that needs saying.
func (f *field) says() text.Safe {
	if f.pin != nil {
		return f.pin.said
	}
	return f.said
}

// line shows the field in w cells, its label padded to lw.
func (f *field) line(w, lw int, active bool) Line {
	mark := sp(plain, "  ")
	if active {
		mark = sp(strong, "> ")
	}
	label := span{text.Pad(f.label, lw), plain}
	l := ln(mark, label, sp(plain, "  "))
	start := l.width()
	if f.pin != nil {
		l.spans = append(l.spans, f.pin.span(active))
		if active {
			l.cursor = start
		}
	} else {
		shown, cur := f.window(max(4, w-start-f.note.text.Width()-4))
		l.spans = append(l.spans, shown)
		if active {
			l.cursor = start + cur
		}
	}
	if !f.note.text.Empty() {
		l.spans = append(l.spans, sp(plain, "    "), f.note)
	}
	l.focus = active
	return l
}

// window is the part of the value around the cursor that fits w cells, and where the cursor is in it.
func (f *field) window(w int) (span, int) {
	if len(f.value) == 0 {
		return span{text.Cut(f.hint, w), dim}, 0
	}
	start := 0
	for text.Clean(string(f.value[start:f.at])).Width() >= w {
		start++
	}
	shown := text.Clean(string(f.value[start:]))
	for end := len(f.value); shown.Width() > w && end > start; end-- {
		shown = text.Clean(string(f.value[start:end]))
	}
	return span{shown, strong}, text.Clean(string(f.value[start:f.at])).Width()
}

// A form is a column of fields of which one is typed into.
type form struct {
	fields []*field
	at     int
}

func (f *form) current() *field { return f.fields[f.at] }

func (f *form) next()      { f.at = min(f.at+1, len(f.fields)-1) }
func (f *form) prev()      { f.at = max(f.at-1, 0) }
func (f *form) last() bool { return f.at == len(f.fields)-1 }

// missing moves to the first field that is not filled in, if there is one.
func (f *form) missing() bool {
	for i, fl := range f.fields {
		if !fl.filled() {
			f.at = i
			return true
		}
	}
	return false
}

// lines shows the fields in w cells.
func (f *form) lines(w int) []Line {
	lw := 0
	for _, fl := range f.fields {
		lw = max(lw, fl.label.Width())
	}
	var lines []Line
	for i, fl := range f.fields {
		lines = append(lines, fl.line(w, lw, i == f.at))
	}
	return lines
}

// keys move between fields; submit is what enter does on the last one.
func (f *form) keys(verb string, submit func() tea.Cmd) []Key {
	switch {
	case len(f.fields) == 1:
		return []Key{on("enter", verb, submit, "enter")}
	case f.last():
		return []Key{
			on("enter", verb, submit, "enter"), on("up", "back", now(f.prev), "up", "shift+tab").less(),
			on("", "", now(func() { f.at = 0 }), "tab"),
		}
	}
	next := on("enter", "next", now(f.next), "enter", "tab", "down")
	if f.at == 0 {
		return []Key{next}
	}
	return []Key{next, on("up", "back", now(f.prev), "up", "shift+tab").less()}
}

// to goes to a field of the form.
func (f *form) to(fl *field) { f.at = max(0, slices.Index(f.fields, fl)) }

// flooded reports that a token types into one of the fields.
func (f *form) flooded() bool {
	return slices.ContainsFunc(f.fields, func(fl *field) bool { return fl.pin != nil && fl.pin.flooded() })
}

// secret is what was typed into a field for a PIN; it stays there.
func (f *field) secret() *hsm.PIN { return &f.pin.pin }

// taken is the PIN of a field, which forgets it; nil where it is not asked for.
func (f *field) taken() *hsm.PIN {
	if f == nil {
		return nil
	}
	return f.pin.take()
}

// wipe forgets every PIN in the form.
func (f *form) wipe() {
	for _, fl := range f.fields {
		if fl.pin != nil {
			fl.pin.wipe()
		}
	}
}
