package tui

import (
	"image/color"
	"io"
	"slices"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/colorprofile"
)

// A theme says how each tone is drawn. Blue and orange stay apart under all
// common kinds of colour blindness.
type theme map[tone]lipgloss.Style

func newTheme(dark, colour bool) theme {
	pick := lipgloss.LightDark(dark)
	if !colour {
		pick = func(color.Color, color.Color) color.Color { return lipgloss.NoColor{} }
	}
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

// profile is what colours out can show, whatever NO_COLOR says: a theme without
// colour uses none, but a QR symbol is black on white or cannot be read.
func profile(out io.Writer, env []string) colorprofile.Profile {
	return colorprofile.Detect(out, slices.DeleteFunc(slices.Clone(env), func(v string) bool { return strings.HasPrefix(v, "NO_COLOR=") }))
}
