// Package tui is the ceremony on a screen: what keyholders see, read, type and
// approve, one decision at a time.
//
// Its promise: the keys shown at the bottom are the keys that work; text from
// outside reaches the terminal only as text.Safe; no PIN is ever part of a
// frame; and a signature is asked of a token only after its holder typed the
// asked-for words and a PIN. Screens never decide what comes next: after each
// event the session's step names the screen.
package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	tea "charm.land/bubbletea/v2"

	"conclave/ceremony"
	"conclave/transfer/qr"
	"conclave/tui/light"
	"conclave/tui/room"
)

// ErrInterrupted says that somebody left with ctrl+c. Nothing is lost.
var ErrInterrupted = room.ErrInterrupted

// A Tray holds the practice tokens of a rehearsal.
type Tray = room.Tray

// A TrayToken is one practice token.
type TrayToken = room.TrayToken

// Options say what to show and where.
type Options struct {
	// Desk serves the home screen. It may be nil where Session is given: then
	// the program ends with that ceremony.
	Desk Desk
	// Session, where given, is started right inside. The caller closes it.
	Session *ceremony.Session
	// Tray belongs to Session in a rehearsal.
	Tray Tray
	In   io.Reader // os.Stdin if nil
	Out  io.Writer // os.Stdout if nil
	// Now is the clock of the header before a session brings its own; time.Now if nil.
	Now func() time.Time
	// Where is the repository that changes are offered for first.
	Where Where
	// NoColor draws without colour; NO_COLOR with any value does the same. QR
	// symbols alone stay black on white.
	NoColor bool
}

// A Light is what Show shows as QR symbols.
type Light struct {
	Offers []*light.Offer // the first is shown; a key goes over to the others
	Style  qr.Style
}

// Show shows QR symbols until somebody leaves, as Run does; Desk, Session and Tray are not used.
func Show(ctx context.Context, l Light, o Options) error {
	if len(l.Offers) == 0 {
		return errors.New("show frames: there is nothing to show")
	}
	return run(ctx, o, func(a *App) tea.Cmd {
		a.alone = true
		return a.show(newLight(a, l.Offers, l.Style, "quit", func() tea.Cmd { return tea.Quit }))
	})
}

// Run shows the screens until somebody leaves. It returns nil after q or a
// closed ceremony, ErrInterrupted after ctrl+c, else what went wrong with the terminal.
func Run(ctx context.Context, o Options) error {
	if o.Desk == nil && o.Session == nil {
		return errors.New("show screens: there is neither a desk nor a session")
	}
	return run(ctx, o, func(a *App) tea.Cmd {
		if o.Session == nil {
			return nil
		}
		return a.enter(room.Live(o.Session), o.Tray, nil)
	})
}

// Compromise is Run, but asks at once which keys are lost, stolen or suspect, and shows the home screen
// after that. The desk must be a Planner.
func Compromise(ctx context.Context, at Where, o Options) error {
	planner, ok := o.Desk.(Planner)
	if !ok {
		return errors.New("show screens: this desk cannot plan")
	}
	o.Where = at
	return run(ctx, o, func(a *App) tea.Cmd { return func() tea.Msg { return alarmMsg{planner} } })
}

// alarmMsg opens the screens for a compromise.
type alarmMsg struct{ planner Planner }

// run shows what begin puts up.
func run(ctx context.Context, o Options, begin func(*App) tea.Cmd) error {
	for _, name := range []string{"TEA_TRACE", "TEA_DEBUG", "UV_DEBUG"} {
		// The library would write every keystroke, PINs included, to a file.
		if err := os.Unsetenv(name); err != nil {
			return err
		}
	}
	if o.In == nil {
		o.In = os.Stdin
	}
	if o.Out == nil {
		o.Out = os.Stdout
	}
	a := newApp(ctx, o)
	a.first = begin(a)
	_, err := tea.NewProgram(a, tea.WithContext(ctx), tea.WithInput(o.In), tea.WithOutput(o.Out),
		tea.WithColorProfile(profile(o.Out, os.Environ()))).Run()
	return a.ended(err)
}

// ended says how it ended, and lets go of a session that is ours.
func (a *App) ended(err error) error {
	a.dropAll()
	if a.leave != nil {
		a.err = errors.Join(a.err, a.leave())
	}
	switch {
	case errors.Is(err, tea.ErrInterrupted):
		return errors.Join(ErrInterrupted, a.err)
	case a.ctx.Err() != nil:
		return a.ctx.Err()
	case err != nil:
		return fmt.Errorf("show screens: %w", err)
	}
	return a.err
}
