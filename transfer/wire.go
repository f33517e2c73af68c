package transfer

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A wire reads or writes a bundle, so that one description of the format
// (format.go) serves both and no spelling is read that is not written. After
// the first error it does nothing.
type wire struct {
	reading bool
	in      []byte
	pos     int
	out     []byte
	limit   int // of out, in bytes
	err     error
	open    []level
}

// A level is an object or a list that was begun.
type level struct {
	layout layout
	empty  bool
	place  string   // the name or number of what is being read in it
	keys   []string // of an object, so far
}

// A layout says what stands around the things of an object or list.
type layout struct{ begin, between, end, none string }

var (
	fileLayout   = layout{"{\n", ",\n", "\n}\n", ""}
	objectLayout = layout{"{", ",", "}", ""}
	listLayout   = layout{"[", ",", "]", "[]"}
	linesLayout  = layout{"[\n", ",\n", "\n]", "[]"}
)

// maxInteger is where readers that use floating point begin to disagree.
const maxInteger = 1<<53 - 1

// fail keeps the first error, with its place.
func (w *wire) fail(format string, args ...any) { w.failWith(fmt.Errorf(format, args...)) }

func (w *wire) failWith(err error) {
	if w.err != nil {
		return
	}
	w.err = &SyntaxError{Path: w.path(), Line: 1 + bytes.Count(w.in[:w.pos], []byte("\n")), Offset: w.pos, Err: err, writing: !w.reading}
}

// path names what is being read: documents[1].role.
func (w *wire) path() string {
	var b strings.Builder
	for _, l := range w.open {
		if l.place != "" && l.place[0] != '[' && b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(l.place)
	}
	return b.String()
}

// text reads or writes s as it stands.
func (w *wire) text(s string) {
	switch {
	case w.err != nil:
	case !w.reading:
		w.out = append(w.out, s...)
		if len(w.out) > w.limit {
			w.fail("the bundle has more than %d bytes", w.limit)
		}
	case w.ahead(s):
		w.pos += len(s)
	default:
		w.fail("%s stands where %s must", w.found(), strconv.Quote(s))
	}
}

// ahead reports whether s comes next.
func (w *wire) ahead(s string) bool {
	return len(w.in)-w.pos >= len(s) && string(w.in[w.pos:w.pos+len(s)]) == s
}

// found shows what comes next, shortened.
func (w *wire) found() string {
	rest := w.in[w.pos:]
	if len(rest) == 0 {
		return "the end of the file"
	}
	const enough = 24
	if len(rest) > enough {
		rest = rest[:enough]
	}
	return strconv.QuoteToASCII(string(rest))
}

func (w *wire) begin(l layout) {
	w.text(l.begin)
	w.open = append(w.open, level{layout: l, empty: true})
}

func (w *wire) end() {
	l := w.open[len(w.open)-1]
	w.open = w.open[:len(w.open)-1]
	w.text(l.layout.end)
}

// key begins the next field of an object.
func (w *wire) key(name string) {
	l := &w.open[len(w.open)-1]
	w.next(l, name)
	want := strconv.Quote(name) + ":"
	if w.reading && w.err == nil && !w.ahead(want) {
		w.fail("%s", w.wrongKey(l.keys, name))
	}
	l.keys = append(l.keys, name)
	w.text(want)
}

// next goes on to the next thing of the innermost object or list.
func (w *wire) next(l *level, place string) {
	l.place = place
	if !l.empty {
		w.text(l.layout.between)
	}
	l.empty = false
}

// wrongKey says in words what is wrong where a field was expected.
func (w *wire) wrongKey(before []string, want string) string {
	rest := w.in[w.pos:]
	if trimmed := bytes.TrimLeft(rest, " \t\r\n"); len(trimmed) < len(rest) {
		return "white space stands where none must: the file was reformatted by another program"
	}
	if len(rest) == 0 || rest[0] != '"' {
		return fmt.Sprintf("%s stands where the field %q must", w.found(), want)
	}
	rest = rest[1:min(len(rest), 1+MaxName)]
	end := bytes.IndexByte(rest, '"')
	if end < 0 {
		return fmt.Sprintf("%s stands where the field %q must", w.found(), want)
	}
	got := string(rest[:end])
	switch {
	case strings.EqualFold(got, want):
		return fmt.Sprintf("field %q must be spelt %q", got, want)
	case contains(before, got):
		return fmt.Sprintf("field %q stands twice", got)
	}
	return fmt.Sprintf("field %q stands where %q must: it is unknown, or they are out of order", got, want)
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

// optional begins a field that is there or not.
func (w *wire) optional(name string, there bool) bool {
	if w.reading {
		l := w.open[len(w.open)-1]
		there = w.err == nil && w.ahead(l.layout.between+strconv.Quote(name)+":")
	}
	if there {
		w.key(name)
	}
	return there
}

// list reads or writes a list of at most limit things.
func list[T any](w *wire, l layout, things *[]T, limit int, each func(*wire, *T)) {
	if !w.reading && len(*things) == 0 || w.reading && w.ahead(l.none) {
		w.text(l.none)
		return
	}
	if !w.reading && len(*things) > limit {
		w.fail("%d entries are more than %d", len(*things), limit)
		return
	}
	w.begin(l)
	for i := 0; w.err == nil && (w.reading || i < len(*things)); i++ {
		if w.reading && i > 0 && w.ahead(l.end) && !w.ahead(l.between) {
			break
		}
		if i == limit {
			w.fail("there are more than %d entries", limit)
			break
		}
		if w.reading {
			*things = append(*things, *new(T))
		}
		w.next(&w.open[len(w.open)-1], fmt.Sprintf("[%d]", i))
		each(w, &(*things)[i])
	}
	w.end()
}

// str is one line of text. Only the quotation mark and the backslash are escaped: others need not be.
func (w *wire) str(s *string, limit int) {
	if !w.reading {
		if err := checkText(*s, limit); err != nil {
			w.failWith(err)
			return
		}
		w.text(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(*s) + `"`)
		return
	}
	got, ok := w.readString(limit)
	if !ok {
		return
	}
	if err := checkText(got, limit); err != nil {
		w.failWith(err)
		return
	}
	*s = got
}

func (w *wire) readString(limit int) (string, bool) {
	w.text(`"`)
	if w.err != nil {
		return "", false
	}
	var b []byte
	for i := w.pos; i < len(w.in) && len(b) <= limit; i++ {
		switch c := w.in[i]; {
		case c == '"':
			w.pos = i + 1
			return string(b), true
		case c != '\\':
			b = append(b, c)
		case i+1 < len(w.in) && (w.in[i+1] == '"' || w.in[i+1] == '\\'):
			i++
			b = append(b, w.in[i])
		default:
			w.pos = i
			w.fail(`only \" and \\ may be escaped`)
			return "", false
		}
	}
	if len(b) > limit {
		w.fail("the text has more than %d bytes", limit)
	} else {
		w.fail("the text does not end")
	}
	return "", false
}

// checkText holds what every text of a bundle must be: one line that cannot move a cursor.
func checkText(s string, limit int) error {
	if len(s) > limit {
		return fmt.Errorf("the text has more than %d bytes", limit)
	}
	if !utf8.ValidString(s) {
		return fmt.Errorf("the text is not valid UTF-8")
	}
	for _, r := range s {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return fmt.Errorf("the text holds the control character %U", r)
		}
	}
	return nil
}

// number is a whole number from low to high.
func (w *wire) number(n *int64, low, high int64) {
	if w.reading {
		end := w.pos
		for end < len(w.in) && end-w.pos < 20 && (w.in[end] >= '0' && w.in[end] <= '9' || w.in[end] == '-') {
			end++
		}
		got, err := strconv.ParseInt(string(w.in[w.pos:end]), 10, 64)
		if err != nil {
			w.fail("%s stands where a whole number must", w.found())
			return
		}
		*n = got
	}
	if *n < low || *n > high {
		w.fail("%d is not from %d to %d", *n, low, high)
		return
	}
	w.text(strconv.FormatInt(*n, 10)) // refuses 007 and -0
}

func (w *wire) int(n *int, low, high int64) {
	wide := int64(*n)
	w.number(&wide, low, high)
	*n = int(wide)
}

func (w *wire) flag(b *bool) {
	if w.reading {
		*b = w.ahead("true")
	}
	w.text(strconv.FormatBool(*b))
}

// moment is a time in whole seconds, UTC.
func (w *wire) moment(t *time.Time) {
	const form = "2006-01-02T15:04:05Z"
	s := t.UTC().Format(form)
	w.str(&s, len(form))
	got, err := time.Parse(form, s)
	if err != nil || got.Format(form) != s {
		w.fail("%q is not a time like %s", s, form)
	}
	if w.reading {
		*t = got
	}
}

// hex is a SHA-256 in lower-case hex.
func (w *wire) hex(sum *[32]byte) {
	s := hex.EncodeToString(sum[:])
	w.str(&s, len(s))
	got, err := hex.DecodeString(s)
	if err != nil || len(got) != len(sum) || hex.EncodeToString(got) != s {
		w.fail("%q is not a SHA-256 in hex", s)
		return
	}
	copy(sum[:], got)
}

// blob is bytes in base64.
func (w *wire) blob(data *[]byte) {
	s := base64.StdEncoding.EncodeToString(*data)
	w.str(&s, base64.StdEncoding.EncodedLen(MaxCert))
	got, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil {
		w.fail("decode base64: %w", err)
	}
	if w.reading && len(got) > 0 {
		*data = got
	}
}

// document returns the span of a metadata file, white space around it included:
// hashes are over whole files. Only the brackets are looked at; tuf.Parse is the judge of the rest.
func (w *wire) document() []byte {
	if w.err != nil {
		return nil
	}
	start, depth, quoted := w.pos, 0, false
	for i := start; i < len(w.in); i++ {
		switch c := w.in[i]; {
		case quoted:
			if c == '\\' {
				i++
			}
			quoted = c != '"'
		case c == '"':
			quoted = true
		case c == '{' || c == '[':
			depth++
		case depth == 0 && (c == '}' || c == ']' || c == ','):
			w.pos = i
			return w.in[start:i]
		case c == '}' || c == ']':
			depth--
		}
	}
	w.fail("the file ends in the middle of a document")
	return nil
}
