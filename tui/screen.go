package tui

import (
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"conclave/ceremony"
)

// A Screen shows one step, or one question on the way. It never blocks, never
// touches a token, and never says which screen comes next: the step does.
type Screen interface {
	// Title is one or two words for the header.
	Title() string
	// Update takes what is not a key: answers carry their own continuation,
	// so most screens have nothing to do here.
	Update(msg tea.Msg) tea.Cmd
	// Body is what to show in w by h cells.
	Body(w, h int) Page
	// Keys are the keys that work now. They are shown at the bottom; nothing
	// else does anything, but for what a typist types.
	Keys() []Key
}

// A starter has something to do as soon as it is shown.
type starter interface{ start() tea.Cmd }

// A typist takes letters into a field while typing reports true.
type typist interface {
	typing() bool
	typed(k tea.KeyPressMsg)
	pasted(s string)
}

// A host wants tokens: it is told of each one that is put in and taken out.
type host interface {
	// waiting reports that a token that is put in now should be looked at.
	waiting() bool
	// arrived gives a token that was looked at, or why it could not be.
	arrived(v ceremony.Visitor, err error) tea.Cmd
	// left says that a reader has no token any more.
	left(reader string) tea.Cmd
}

// A Key is a key that works, its help, and what it does: one value, so that
// what is shown and what happens cannot differ.
type Key struct {
	key.Binding
	do    func() tea.Cmd
	minor bool // where the line of keys has no room, the help alone names it
}

// less marks a key as one that the line of keys can do without.
func (k Key) less() Key {
	k.minor = true
	return k
}

// on makes a Key. names are separated by spaces; the label is what is shown.
func on(label, help string, do func() tea.Cmd, names ...string) Key {
	return Key{Binding: key.NewBinding(key.WithKeys(names...), key.WithHelp(label, help)), do: do}
}

// now wraps an act that starts no effect.
func now(act func()) func() tea.Cmd {
	return func() tea.Cmd {
		act()
		return nil
	}
}

// back leaves something with esc. Esc followed quickly by another key arrives
// as alt and that key; App makes it esc.
func back(help string, act func()) Key { return on("esc", help, now(act), "esc", "alt+esc") }
