package tuf

import (
	"fmt"
	"strconv"
	"strings"
)

// A SyntaxError says where a file stops being the strict JSON that metadata is
// written in: well formed, UTF-8, every name once, whole numbers only.
type SyntaxError struct {
	Path   string // of the value, like signed.keys["2f64…"].keyval.public
	Offset int    // in bytes, from 0
	Line   int    // from 1
	Column int    // in bytes, from 1
	What   string // what is wrong there

	hint string
}

// Error names the fault and its place.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("read metadata: %s: %s (line %d, column %d)", e.Path, e.What, e.Line, e.Column)
}

// Hint says what to do about it.
func (e *SyntaxError) Hint() string {
	if e.hint != "" {
		return e.hint
	}
	return "the file is damaged or was not written by a TUF tool; get it again from its source"
}

// A FormatError says what in well-formed JSON is not acceptable TUF metadata.
type FormatError struct {
	Path string // of the value, like signed.roles.root.threshold
	What string // what is wrong with it

	hint string
}

// Error names the fault and its place.
func (e *FormatError) Error() string {
	return fmt.Sprintf("read metadata: %s: %s", e.Path, e.What)
}

// Hint says what to do about it.
func (e *FormatError) Hint() string {
	if e.hint != "" {
		return e.hint
	}
	return "whoever made this file has to correct and sign it again; nothing here may change it"
}

// formatf makes a FormatError.
func formatf(path, format string, args ...any) *FormatError {
	return &FormatError{Path: path, What: fmt.Sprintf(format, args...)}
}

// A BuildError says why metadata is not built: what was asked for would not be
// accepted by every client, or not be safe.
type BuildError struct {
	What string

	hint string
}

// Error names the fault.
func (e *BuildError) Error() string { return "build metadata: " + e.What }

// Hint says what to do about it.
func (e *BuildError) Hint() string {
	if e.hint != "" {
		return e.hint
	}
	return "nothing was made; correct the plan and build it again"
}

// A step is one level of a path: a member's name or an entry's number.
type step struct {
	name  string
	index int // of an array entry; -1 for a member
}

// maxPathName is how much of one name from a file an error message shows.
const maxPathName = 72

// pathString writes a path the way people read it: names that are plain words
// after dots, all others quoted in brackets.
func pathString(steps []step) string {
	if len(steps) == 0 {
		return "file"
	}
	var b strings.Builder
	for i, s := range steps {
		switch {
		case s.index >= 0:
			b.WriteString("[" + strconv.Itoa(s.index) + "]")
		case plainWord(s.name):
			if i > 0 {
				b.WriteByte('.')
			}
			b.WriteString(s.name)
		default:
			b.WriteString("[" + strconv.Quote(shorten(s.name, maxPathName)) + "]")
		}
	}
	return b.String()
}

// member extends a written path by one name.
func member(path, name string) string {
	if plainWord(name) {
		return path + "." + name
	}
	return path + "[" + strconv.Quote(shorten(name, maxPathName)) + "]"
}

func plainWord(s string) bool {
	if s == "" || len(s) > 40 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := c == '_' || c == '-' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// shorten cuts s to at most n bytes at a character's end and marks the cut.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	cut := n
	for cut > 0 && s[cut]&0xc0 == 0x80 {
		cut--
	}
	return s[:cut] + "…"
}
