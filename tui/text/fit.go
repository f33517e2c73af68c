package text

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

const dots = "..."

// Cut shortens t to at most width cells and marks the cut with "...".
func Cut(t Safe, width int) Safe {
	switch {
	case t.Width() <= width:
		return t
	case width <= len(dots):
		return Safe{dots[:max(width, 0)]}
	}
	return Safe{head(t.s, width-len(dots)) + dots}
}

// CutStart shortens t like Cut but keeps its end, as a path wants it.
func CutStart(t Safe, width int) Safe {
	switch {
	case t.Width() <= width:
		return t
	case width <= len(dots):
		return Safe{dots[:max(width, 0)]}
	}
	// What is left is reckoned, not measured again at each step: names from outside may be long.
	rest := t.s
	for left := Width(rest); left > width-len(dots) && rest != ""; {
		cluster, w := ansi.FirstGraphemeCluster(rest, ansi.GraphemeWidth)
		rest, left = rest[len(cluster):], left-w
	}
	return Clean(dots + rest)
}

// Pad fills t with spaces on the right to width cells, or cuts it.
func Pad(t Safe, width int) Safe {
	t = Cut(t, width)
	return Safe{t.s + spaces(width-t.Width())}
}

// PadLeft fills t with spaces on the left to width cells, or cuts it.
func PadLeft(t Safe, width int) Safe {
	t = Cut(t, width)
	return Safe{spaces(width-t.Width()) + t.s}
}

func spaces(n int) string { return strings.Repeat(" ", max(n, 0)) }

// head is the longest start of s, in whole characters, that takes at most width cells.
func head(s string, width int) string {
	end := 0
	for end < len(s) {
		cluster, w := ansi.FirstGraphemeCluster(s[end:], ansi.GraphemeWidth)
		if w > width || cluster == "" {
			break
		}
		width -= w
		end += len(cluster)
	}
	return s[:end]
}

// Fold breaks t into lines of at most width cells, between words where it can.
// Nothing but the spaces at the breaks is lost. There is always one line.
func Fold(t Safe, width int) []Safe {
	width = max(width, 2) // the widest character
	var lines []Safe
	line := ""
	for _, word := range strings.Split(t.s, " ") {
		if line != "" && Width(line)+1+Width(word) > width {
			lines, line = append(lines, Safe{line}), ""
		}
		if line != "" {
			word = line + " " + word
		}
		for left := Width(word); left > width; {
			h := head(word, width)
			lines, word, left = append(lines, Safe{h}), word[len(h):], left-Width(h)
		}
		line = word
	}
	return append(lines, Safe{line})
}
