package tui

import (
	"context"

	tea "charm.land/bubbletea/v2"

	"conclave/tui/room"
)

// An opID ties an answer to the question that caused it.
type opID int

// An answerMsg is what came of one blocking act. Its state was read off the
// event loop, where waiting for an act under way does no harm.
type answerMsg struct {
	op      opID
	session room.Session
	state   room.State
	then    func() tea.Cmd
}

// ask has work done off the event loop. Its answer goes to then, unless the
// question was dropped in the meantime.
func ask[T any](a *App, work func(context.Context) (T, error), then func(T, error) tea.Cmd) tea.Cmd {
	ctx, cancel := context.WithCancel(a.ctx)
	a.lastOp++
	op, session := a.lastOp, a.session
	a.pending[op] = &question{cancel: cancel}
	return func() tea.Msg {
		defer cancel()
		v, err := work(ctx)
		m := answerMsg{op: op, session: session, then: func() tea.Cmd { return then(v, err) }}
		if session != nil {
			m.state = session.State()
		}
		return m
	}
}

// do is ask for work that has no result.
func (a *App) do(work func(context.Context) error, then func(error) tea.Cmd) tea.Cmd {
	return ask(a, func(ctx context.Context) (struct{}, error) { return struct{}{}, work(ctx) },
		func(_ struct{}, err error) tea.Cmd { return then(err) })
}

// A question is an effect that is under way. Its clean-up, where it has one,
// runs when the answer of a dropped question has come: only then has the
// effect let go of what it was given.
type question struct {
	cancel  context.CancelFunc
	cleanUp func()
	dropped bool
}

// whenDropped has f run once the answer to op comes in vain.
func (a *App) whenDropped(op opID, f func()) { a.pending[op].cleanUp = f }

// drop forgets a question: its answer will be thrown away. The act itself
// cannot be undone, so what it did to the ceremony is still shown.
func (a *App) drop(op opID) {
	if q, ok := a.pending[op]; ok {
		q.cancel()
		q.dropped = true
	}
}

func (a *App) dropAll() {
	for op := range a.pending {
		a.drop(op)
	}
}

// answered takes an answer. A late one changes nothing but the state that is shown.
func (a *App) answered(m answerMsg) tea.Cmd {
	q := a.pending[m.op]
	delete(a.pending, m.op)
	if q != nil && q.dropped && q.cleanUp != nil {
		q.cleanUp()
	}
	if m.session != a.session {
		return nil
	}
	if m.state != nil {
		a.state = m.state
	}
	if q == nil || q.dropped {
		return a.sync()
	}
	return tea.Batch(m.then(), a.sync())
}

// noContext makes work that takes no context an effect.
func noContext(work func() error) func(context.Context) error {
	return func(context.Context) error { return work() }
}

// noContextFor is noContext for work that has a result.
func noContextFor[T any](work func() (T, error)) func(context.Context) (T, error) {
	return func(context.Context) (T, error) { return work() }
}
