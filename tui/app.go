package tui

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"conclave/ceremony"
	"conclave/tui/room"
	"conclave/tui/say"
	"conclave/tui/text"
)

// The smallest terminal that a ceremony can be read on.
const (
	MinWidth  = 80
	MinHeight = 24
)

const (
	// quiet is how long the keys must rest before a screen that opened by
	// itself listens: a keystroke in flight approves nothing.
	quiet = 400 * time.Millisecond
	// pulse is how often readers and the clock are looked at.
	pulse = 300 * time.Millisecond
)

// An App is the one model: it owns the size, the frame around the screens, and
// the way from the ceremony's step to its screen. Everything in it is owned by
// the event loop.
type App struct {
	ctx           context.Context
	desk          Desk
	alone         bool // one screen is all: there is neither home nor ceremony
	theme         theme
	colour        bool
	width, height int

	session room.Session // nil at home
	state   room.State   // as of the last answer
	leave   func() error // closes the session, where that is ours to do
	tray    Tray
	tokens  []TrayToken
	now     time.Time // of the session's clock, or the machine's

	step    ceremony.Step
	screen  Screen   // of the step, or home
	over    []Screen // opened on top of it
	help    bool
	scroll  int
	follow  bool        // the body scrolls to its focus
	verdict []text.Safe // of confirm, shown until the ceremony is closed

	declared time.Time // at home: when a compromise was declared; a ceremony knows its own
	where    Where     // the repository that was read last

	parting *say.Notice // why the sealed record is not on the medium

	pending    map[opID]*question
	lastOp     opID
	quietUntil time.Time
	readers    readers
	first      tea.Cmd // of the screen that the program starts on
	err        error   // why the program ends, if it does

	clock func() time.Time // of the header at home
	mono  func() time.Time // of keystrokes
	after func(time.Duration, tea.Msg) tea.Cmd
}

type tickMsg struct{}

func newApp(ctx context.Context, o Options) *App {
	a := &App{
		ctx: ctx, desk: o.Desk, colour: !o.NoColor && os.Getenv("NO_COLOR") == "", width: MinWidth, height: MinHeight,
		pending: map[opID]*question{}, clock: o.Now, mono: time.Now, after: after, where: o.Where,
	}
	if a.clock == nil {
		a.clock = time.Now
	}
	a.theme = newTheme(true, a.colour)
	a.now = a.clock()
	return a
}

func after(d time.Duration, msg tea.Msg) tea.Cmd {
	return tea.Tick(d, func(time.Time) tea.Msg { return msg })
}

// Init starts the clock and the first screen.
func (a *App) Init() tea.Cmd {
	cmds := []tea.Cmd{tea.RequestBackgroundColor, a.after(pulse, tickMsg{}), a.first}
	if a.session == nil && !a.alone {
		cmds = append(cmds, a.goHome())
	}
	return tea.Batch(cmds...)
}

// Update takes one message.
func (a *App) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		was := a.tooSmall()
		a.width, a.height = msg.Width, msg.Height
		if was {
			a.rest() // a key that was under way was meant for no screen
		}
	case tea.BackgroundColorMsg:
		a.theme = newTheme(msg.IsDark(), a.colour)
	case tea.KeyPressMsg:
		return a, a.pressed(msg)
	case tea.PasteMsg:
		a.paste(msg.Content)
	case answerMsg:
		return a, a.answered(msg)
	case tickMsg:
		return a, a.ticked()
	case alarmMsg:
		return a, a.alarmed(msg.planner)
	default:
		return a, a.top().Update(msg)
	}
	return a, nil
}

func (a *App) ticked() tea.Cmd {
	if a.session != nil {
		a.now = a.session.Now()
	} else {
		a.now = a.clock()
	}
	if a.tray != nil {
		a.tokens = a.tray.Tokens()
	}
	return tea.Batch(a.after(pulse, tickMsg{}), a.lookAround(), a.top().Update(tickMsg{}))
}

// enter goes into a ceremony. Only the first state is read here, before
// anything can be under way.
func (a *App) enter(s room.Session, tray Tray, leave func() error) tea.Cmd {
	a.dropAll()
	a.session, a.state, a.tray, a.leave = s, s.State(), tray, leave
	a.step, a.verdict, a.parting, a.readers, a.now = "", nil, nil, readers{}, s.Now()
	if tray != nil {
		a.tokens = tray.Tokens()
	}
	return a.sync()
}

// sync shows the screen of the ceremony's step. It is the only place that
// decides what comes next.
func (a *App) sync() tea.Cmd {
	if a.session == nil || a.state.Step() == a.step {
		return nil
	}
	a.dropAll()
	a.step, a.over, a.readers = a.state.Step(), nil, readers{}
	return a.show(a.screenOf(a.step))
}

// screenOf maps a step to its screen.
func (a *App) screenOf(step ceremony.Step) Screen {
	s := stage{app: a}
	switch step {
	case ceremony.StepPreflight:
		return &preflightScreen{stage: s}
	case ceremony.StepRollCall:
		return &rollCallScreen{stage: s}
	case ceremony.StepEnrolment:
		return &enrolScreen{stage: s}
	case ceremony.StepFreeze:
		return &freezeScreen{stage: s}
	case ceremony.StepReview:
		return &reviewScreen{stage: s}
	case ceremony.StepSign:
		return &signScreen{stage: s}
	case ceremony.StepConfirm:
		return &confirmScreen{stage: s}
	case ceremony.StepExport:
		return &exportScreen{stage: s}
	case ceremony.StepClose:
		return newCloseScreen(s)
	}
	return &doneScreen{stage: s}
}

// show puts a screen up that nobody asked for by a key.
func (a *App) show(s Screen) tea.Cmd {
	a.screen, a.scroll, a.follow, a.help = s, 0, true, false
	a.rest()
	if st, ok := s.(starter); ok {
		return st.start()
	}
	return nil
}

// rest makes the keys wait until they have been quiet.
func (a *App) rest() { a.quietUntil = a.mono().Add(quiet) }

// open puts a screen on top, on somebody's wish.
func (a *App) open(s Screen) tea.Cmd {
	a.over, a.scroll, a.follow = append(a.over, s), 0, true
	if st, ok := s.(starter); ok {
		return st.start()
	}
	return nil
}

// shut takes the topmost screen away.
func (a *App) shut() {
	if n := len(a.over); n > 0 {
		a.over, a.scroll, a.follow = a.over[:n-1], 0, true
	}
}

// top is the screen that is in front.
func (a *App) top() Screen {
	if n := len(a.over); n > 0 {
		return a.over[n-1]
	}
	if a.screen == nil {
		a.screen = &waitScreen{}
	}
	return a.screen
}

func (a *App) tooSmall() bool { return a.width < MinWidth || a.height < MinHeight }

// goHome leaves the ceremony for the home screen, or ends the program where there is none.
func (a *App) goHome() tea.Cmd {
	if a.desk == nil {
		return tea.Quit // the last frame still shows the ceremony
	}
	a.dropAll()
	if a.leave != nil {
		a.err = errors.Join(a.err, a.leave())
	}
	a.session, a.state, a.tray, a.leave, a.over, a.step = nil, nil, nil, nil, nil, ""
	return a.show(&homeScreen{app: a})
}

// pressed does what a key does now. It looks a key up among those that are
// shown; a key that is not there is typed into a field, or does nothing.
func (a *App) pressed(k tea.KeyPressMsg) tea.Cmd {
	k = keypad(k)
	if k.String() == "ctrl+c" {
		return tea.Interrupt
	}
	if a.tooSmall() {
		return nil // nobody could see what it does
	}
	if cmd, ok := a.trayKey(k); ok {
		return cmd
	}
	if t := a.mono(); t.Before(a.quietUntil) {
		a.quietUntil = t.Add(quiet)
		return nil
	}
	if k.Mod.Contains(tea.ModAlt) {
		// ESC and a key in quick succession: the key was meant for the
		// screen that ESC has left.
		k = tea.KeyPressMsg{Code: tea.KeyEscape}
	}
	t, ok := a.top().(typist)
	typing := ok && t.typing() && !a.help
	keys := a.keys()
	a.follow = true // unless it is a key that scrolls
	for _, known := range keys {
		if key.Matches(k, known.Binding) || !typing && key.Matches(lower(k), known.Binding) {
			return known.do()
		}
	}
	if typing {
		t.typed(k)
	}
	return nil
}

// keypad gives the keys of a number pad the meaning of those that they repeat.
func keypad(k tea.KeyPressMsg) tea.KeyPressMsg {
	switch {
	case k.Code == tea.KeyKpEnter:
		k.Code, k.Text = tea.KeyEnter, ""
	case k.Code >= tea.KeyKp0 && k.Code <= tea.KeyKp9 && k.Mod == 0:
		k.Code = '0' + k.Code - tea.KeyKp0
		k.Text = string(k.Code)
	}
	return k
}

// lower is the key without caps lock.
func lower(k tea.KeyPressMsg) tea.KeyPressMsg {
	if len(k.Text) == 1 && k.Text[0] >= 'A' && k.Text[0] <= 'Z' {
		k.Text = strings.ToLower(k.Text)
	}
	return k
}

// paste gives pasted text to a field.
func (a *App) paste(s string) {
	if t, ok := a.top().(typist); ok && t.typing() && !a.help && !a.tooSmall() && !a.mono().Before(a.quietUntil) {
		t.pasted(s)
	}
}

// keys are all keys that work now, in the order in which they are shown.
func (a *App) keys() []Key {
	if a.help {
		return []Key{on("esc", "back", now(func() { a.help = false }), "esc", "alt+esc", "enter", "?", "ctrl+g"), leaveKey}
	}
	keys := a.top().Keys()
	if a.overflow() > 0 {
		keys = append(keys, a.scrollKeys()...)
	}
	if t, ok := a.top().(typist); ok && t.typing() {
		keys = append(keys, on("ctrl+g", "help", now(a.showHelp), "ctrl+g"))
	} else {
		keys = append(keys, on("?", "help", now(a.showHelp), "?", "ctrl+g"))
	}
	return append(keys, leaveKey)
}

// leaveKey is shown; pressed handles it before all others.
var leaveKey = on("ctrl+c", "leave", func() tea.Cmd { return tea.Interrupt }, "ctrl+c")

func (a *App) showHelp() { a.help = true }

func (a *App) scrollKeys() []Key {
	h := max(1, a.bodyHeight()/2)
	by := func(n int) func() tea.Cmd {
		return now(func() { a.scroll, a.follow = min(max(a.scroll+n, 0), a.overflow()), false })
	}
	// The rule above the keys names these two as well.
	return []Key{on("pgup/pgdn", "scroll", by(h), "pgdown").less(), on("", "", by(-h), "pgup")}
}
