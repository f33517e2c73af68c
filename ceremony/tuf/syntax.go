package tuf

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// A reader makes the one pass over a file: it checks the JSON and its shape
// and writes the canonical form as it goes. Beyond that output it keeps the
// members of the objects that are open, maxMembers at most. It reads the
// caller's bytes in place, so that refusing a file costs no copy of it, and
// keeps none of them.
type reader struct {
	src   []byte
	pos   int
	depth int
	path  []crumb
	out   []byte    // the canonical form so far
	open  []segment // members of the open objects, innermost last
	swap  []byte    // scratch for bringing members in order
	marks []mark
	cuts  []int  // where the commas between pieces of "targets" stand, each of pieceSize files
	seen  uint64 // which of signedShape's fields there are

	payload []byte // the canonical form of the signed part, its own copy
}

// A segment is one member of an open object: its name, where the name stands
// in the source and which part of the output the member wrote.
type segment struct {
	name       []byte
	source     int
	start, end int
}

// A mark is the span of a value that Parse wants to find again.
type mark struct {
	name       string
	start, end int // in the source
}

// A crumb is one level of the path to where the reader is.
type crumb struct {
	name  []byte
	index int // of an array entry; -1 for a member
}

var (
	newLine       = []byte("\n")
	byteOrderMark = []byte("\ufeff")
)

// place writes where the reader is.
func (r *reader) place() string { return placeOf(r.path) }

func placeOf(path []crumb) string {
	steps := make([]step, len(path))
	for i, c := range path {
		steps[i] = step{string(c.name), c.index}
	}
	return pathString(steps)
}

// fault makes a SyntaxError at a byte offset.
func (r *reader) fault(offset int, format string, args ...any) *SyntaxError {
	offset = min(offset, len(r.src))
	before := r.src[:offset]
	return &SyntaxError{
		Path:   r.place(),
		Offset: offset,
		Line:   1 + bytes.Count(before, newLine),
		Column: offset - bytes.LastIndexByte(before, '\n'),
		What:   fmt.Sprintf(format, args...),
	}
}

// wrong makes a FormatError at the current path.
func (r *reader) wrong(what string) *FormatError {
	return &FormatError{Path: r.place(), What: what}
}

// next skips white space and returns the byte that follows, 0 at the end.
func (r *reader) next() byte {
	for r.pos < len(r.src) {
		switch c := r.src[r.pos]; c {
		case ' ', '\t', '\n', '\r':
			r.pos++
		default:
			return c
		}
	}
	return 0
}

// unexpected says what stands where something else must.
func (r *reader) unexpected(want string) error {
	if r.pos >= len(r.src) {
		return r.fault(r.pos, "the file ends where %s must follow", want)
	}
	c, _ := utf8.DecodeRune(r.src[r.pos:])
	return r.fault(r.pos, "%q stands where %s must follow", c, want)
}

// file reads the whole source as one value of shape sh.
func (r *reader) file(sh *shape) error {
	if bytes.HasPrefix(r.src, byteOrderMark) {
		return r.fault(0, "the file begins with a byte order mark")
	}
	if err := r.value(sh); err != nil {
		return err
	}
	if r.next() != 0 || r.pos < len(r.src) {
		return r.fault(r.pos, "more text follows after the end of the metadata")
	}
	return nil
}

// value reads one value of shape sh.
func (r *reader) value(sh *shape) error {
	c := r.next()
	start, written := r.pos, len(r.out)
	if err := r.fits(sh, c); err != nil {
		return err
	}
	var err error
	switch c {
	case '{':
		err = r.nested(sh, r.object)
	case '[':
		err = r.nested(sh, r.array)
	case '"':
		err = r.stringValue(sh)
	case 't', 'f', 'n':
		err = r.literal()
	default:
		err = r.number(sh)
	}
	if err != nil {
		return err
	}
	if sh.mark != "" {
		r.marks = append(r.marks, mark{sh.mark, start, r.pos})
	}
	if sh == signedShape {
		r.payload = slices.Clone(r.out[written:])
	}
	return nil
}

// fits checks that a value beginning with c can be of shape sh.
func (r *reader) fits(sh *shape, c byte) error {
	is := kindOf(c)
	switch {
	case is == invalid:
		return r.unexpected("a value")
	case sh.kind == is, sh.kind == anything, sh.kind == something && is != null:
		return nil
	}
	return r.wrong(fmt.Sprintf("must be %s, is %s", sh.kind, is))
}

// nested reads an object or array one level down.
func (r *reader) nested(sh *shape, read func(*shape) error) error {
	if r.depth == MaxDepth {
		return r.fault(r.pos, "the nesting is deeper than %d levels", MaxDepth)
	}
	r.depth++
	err := read(sh)
	r.depth--
	return err
}

// object reads an object and leaves its canonical form in the output.
func (r *reader) object(sh *shape) error {
	start, base := len(r.out), len(r.open)
	r.out = append(r.out, '{')
	r.pos++
	var seen uint64
	for first := true; ; first = false {
		c := r.next()
		if c == '}' && first {
			break
		}
		if !first {
			if c != ',' && c != '}' {
				return r.unexpected(`"," or "}"`)
			}
			if c == '}' {
				break
			}
			if sh == targetsShape && (len(r.open)-base)%pieceSize == 0 {
				r.cuts = append(r.cuts, r.pos)
			}
			r.pos++
			r.out = append(r.out, ',')
		}
		if err := r.memberOf(sh, len(r.open)-base, &seen); err != nil {
			return err
		}
	}
	r.pos++
	r.out = append(r.out, '}')
	if sh == signedShape {
		r.seen = seen
	}
	if err := r.complete(sh, seen, len(r.open)-base); err != nil {
		return err
	}
	if err := r.sortMembers(start, base); err != nil {
		return err
	}
	r.open = r.open[:base]
	return nil
}

// memberOf reads one name and value of an object that has count members so far.
func (r *reader) memberOf(sh *shape, count int, seen *uint64) error {
	if r.next() != '"' {
		return r.unexpected("a name in quotes")
	}
	source, start := r.pos, len(r.out)
	name, err := r.text()
	if err != nil {
		return err
	}
	r.out = appendString(r.out, name)
	r.path = append(r.path, crumb{name, -1})
	inner, err := r.admit(sh, name, source, count, seen)
	if err != nil {
		return err
	}
	if r.next() != ':' {
		return r.unexpected(`":"`)
	}
	r.pos++
	r.out = append(r.out, ':')
	if err := r.value(inner); err != nil {
		return err
	}
	r.path = r.path[:len(r.path)-1]
	r.open = append(r.open, segment{name, source, start, len(r.out)})
	return nil
}

// admit checks a member's name and returns the shape that its value must have.
func (r *reader) admit(sh *shape, name []byte, source, count int, seen *uint64) (*shape, error) {
	if i := firstControl(name, ""); i >= 0 {
		return nil, r.fault(source, "the name holds a control character (%U)", firstRune(name[i:]))
	}
	if sh.max > 0 && count >= sh.max {
		return nil, r.wrong(fmt.Sprintf("is one more than the %d entries that are read", sh.max))
	}
	if len(r.open) >= maxMembers {
		return nil, r.fault(source, "the file holds more than %d names side by side", maxMembers)
	}
	if sh.name != nil {
		if what := sh.name(name); what != "" {
			return nil, r.wrong(what)
		}
	}
	for i := range sh.fields {
		f := &sh.fields[i]
		if f.name == string(name) {
			if *seen&(1<<i) != 0 {
				return nil, r.fault(source, "the name %q stands twice in one object", name)
			}
			*seen |= 1 << i
			return f.shape, nil
		}
		if strings.EqualFold(f.name, string(name)) {
			return nil, r.fault(source, "the name differs from %q only in upper and lower case; some clients would read it as that", f.name)
		}
	}
	return sh.others(), nil
}

// complete checks that an object holds what its shape demands.
func (r *reader) complete(sh *shape, seen uint64, count int) error {
	for i := range sh.fields {
		if sh.fields[i].need && seen&(1<<i) == 0 {
			return &FormatError{Path: placeOf(append(r.path, crumb{[]byte(sh.fields[i].name), -1})), What: "is missing"}
		}
	}
	if count < sh.min {
		return r.wrong("must not be empty")
	}
	return nil
}

// sortMembers brings the members of the object that was just written into the
// order of their names and refuses two of one name. Most writers sort already.
func (r *reader) sortMembers(start, base int) error {
	members := r.open[base:]
	byName := func(a, b segment) int { return bytes.Compare(a.name, b.name) }
	if slices.IsSortedFunc(members, byName) {
		return r.unique(members)
	}
	slices.SortFunc(members, func(a, b segment) int {
		return cmp.Or(byName(a, b), cmp.Compare(a.source, b.source))
	})
	if err := r.unique(members); err != nil {
		return err
	}
	r.swap = append(r.swap[:0], '{')
	for i, m := range members {
		if i > 0 {
			r.swap = append(r.swap, ',')
		}
		r.swap = append(r.swap, r.out[m.start:m.end]...)
	}
	r.swap = append(r.swap, '}')
	r.out = append(r.out[:start], r.swap...)
	return nil
}

// unique refuses two members of one name in a sorted row.
func (r *reader) unique(members []segment) error {
	for i := 1; i < len(members); i++ {
		if bytes.Equal(members[i].name, members[i-1].name) {
			r.path = append(r.path, crumb{members[i].name, -1})
			return r.fault(members[i].source, "the name %q stands twice in one object", shorten(string(members[i].name), maxPathName))
		}
	}
	return nil
}

// array reads an array.
func (r *reader) array(sh *shape) error {
	r.out = append(r.out, '[')
	r.pos++
	count := 0
	for ; ; count++ {
		c := r.next()
		if c == ']' && count == 0 {
			break
		}
		if count > 0 {
			if c != ',' && c != ']' {
				return r.unexpected(`"," or "]"`)
			}
			if c == ']' {
				break
			}
			r.pos++
			r.out = append(r.out, ',')
		}
		r.path = append(r.path, crumb{nil, count})
		if sh.max > 0 && count >= sh.max {
			return r.wrong(fmt.Sprintf("is one more than the %d entries that are read", sh.max))
		}
		if err := r.value(sh.entries()); err != nil {
			return err
		}
		r.path = r.path[:len(r.path)-1]
	}
	r.pos++
	r.out = append(r.out, ']')
	if count < sh.min {
		return r.wrong("must not be empty")
	}
	return nil
}
