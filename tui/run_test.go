package tui

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/charmbracelet/colorprofile"

	"conclave/tui/room/roomtest"
)

func TestCtrlCEndsTheProgram(t *testing.T) {
	var out bytes.Buffer
	err := Run(t.Context(), Options{Desk: stick(), In: strings.NewReader("\x03"), Out: &out})
	if !errors.Is(err, ErrInterrupted) {
		t.Errorf("got %v", err)
	}
}

func TestTheProgramEndsWithItsSession(t *testing.T) {
	var out bytes.Buffer
	session := roomtest.RealGenesis(t, roomtest.NewDrawer("Alice", "Bob"))
	err := Run(t.Context(), Options{Session: session, In: strings.NewReader("\x03"), Out: &out})
	if !errors.Is(err, ErrInterrupted) {
		t.Errorf("got %v", err)
	}
}

func TestNothingToShowIsAnError(t *testing.T) {
	if err := Run(t.Context(), Options{In: strings.NewReader(""), Out: &bytes.Buffer{}}); err == nil {
		t.Error("no error")
	}
}

// The library writes every keystroke, PINs included, to the files that these
// variables name.
func TestKeystrokesAreNotTraced(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"TEA_TRACE", "TEA_DEBUG", "UV_DEBUG"} {
		t.Setenv(name, filepath.Join(dir, name))
	}
	if err := Run(t.Context(), Options{Desk: stick(), In: strings.NewReader("271828\x03"), Out: &bytes.Buffer{}}); !errors.Is(err, ErrInterrupted) {
		t.Errorf("got %v", err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("traced to %v, %v", files, err)
	}
}

func TestNoColorWithAnyValueMeansNoColor(t *testing.T) {
	coloured := func(o Options) bool {
		frame := newStand(t, o).app.theme.render(ln(sp(good, "good"), sp(warn, "warn"), sp(touch, "touch")))
		return strings.Contains(frame, "38;") || strings.Contains(frame, "[3")
	}
	for _, value := range []string{"1", "true", "0", "no", "yes please"} {
		t.Setenv("NO_COLOR", value)
		if coloured(Options{}) {
			t.Errorf("NO_COLOR=%s leaves colour", value)
		}
	}
	t.Setenv("NO_COLOR", "")
	if !coloured(Options{}) {
		t.Error("an empty NO_COLOR takes the colour away")
	}
	if coloured(Options{NoColor: true}) {
		t.Error("the option does not take the colour away")
	}
}

// A symbol without its own colours is light on dark on most terminals, and most
// readers do not see it then.
func TestSymbolsKeepTheirColoursWithNoColor(t *testing.T) {
	env := []string{"TERM=xterm-256color", "CLICOLOR_FORCE=1", "NO_COLOR=1"}
	if p := profile(&bytes.Buffer{}, env); p <= colorprofile.ASCII {
		t.Errorf("got %v", p)
	}
}
