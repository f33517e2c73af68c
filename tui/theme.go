package tui

import (
	"io"
	"os"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/colorprofile"
)

// A theme says how each tone is drawn. Blue and orange stay apart under all
// common kinds of colour blindness.
type theme map[tone]lipgloss.Style

func newTheme(dark bool) theme {
	pick := lipgloss.LightDark(dark)
	blue := pick(lipgloss.Color("#005A9C"), lipgloss.Color("#56B4E9"))
	orange := pick(lipgloss.Color("#B34700"), lipgloss.Color("#E69F00"))
	s := lipgloss.NewStyle()
	return theme{
		plain:  s,
		strong: s.Bold(true),
		dim:    s.Faint(true),
		good:   s.Foreground(blue),
		warn:   s.Foreground(orange).Bold(true),
		touch:  s.Foreground(orange).Bold(true).Reverse(true),
		picked: s.Bold(true),
	}
}

// render draws a line as the terminal gets it.
func (t theme) render(l Line) string {
	var b strings.Builder
	for _, s := range l.spans {
		if s.tone == plain {
			b.WriteString(s.text.String())
			continue
		}
		b.WriteString(t[s.tone].Render(s.text.String()))
	}
	return b.String()
}

// profile is what colours out can show. NO_COLOR means none whatever its
// value, as no-color.org says; the library would want it to be true.
func profile(out io.Writer, env []string, none bool) colorprofile.Profile {
	p := colorprofile.Detect(out, env)
	if none || os.Getenv("NO_COLOR") != "" {
		return min(p, colorprofile.ASCII)
	}
	return p
}
