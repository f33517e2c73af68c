package ceremony

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"conclave/transfer"
)

// A RuleError says that an event is not allowed now, and by which rule.
type RuleError struct {
	Step   Step   // where the ceremony stands
	Rule   string // the rule in one or two words: "order", "review", "threshold", …
	What   string // what is wrong, as a sentence without its first capital and full stop
	Advice string // what to do about it; may be empty
	Err    error  // what was found, where a check elsewhere found it; errors.As reaches it
}

// Unwrap gives what a check elsewhere found, or nil.
func (e *RuleError) Unwrap() error { return e.Err }

// Error says what is wrong.
func (e *RuleError) Error() string { return e.What }

// Hint says what to do.
func (e *RuleError) Hint() string { return e.Advice }

// A ClockError says that the clock shows a time before something that has happened already.
type ClockError struct {
	Now   time.Time // what the clock shows
	Floor time.Time // what it must not be before
}

// Error names both times.
func (e *ClockError) Error() string {
	return fmt.Sprintf("the clock shows %s, but this ceremony already knows of %s",
		e.Now.UTC().Format(time.DateTime), e.Floor.UTC().Format(time.DateTime))
}

// Hint says how to set the clock.
func (e *ClockError) Hint() string {
	return "Set the clock of this machine (UTC) by a watch that two people agree on, for example: " +
		"date -u -s '2026-11-22 14:02:00'. If the clock is right, the bundle or the record was made " +
		"on a machine whose clock was wrong: plan the bundle again. Nothing was changed."
}

// A WordError says that a typed word is not the word of the digest. What was typed is not in it: it may have been a PIN.
type WordError struct {
	Role     string
	Position int // 1 to 32
}

// Error names the place, and never the right word.
func (e *WordError) Error() string {
	return fmt.Sprintf("word %d of %s does not match", e.Position, e.Role)
}

// Hint says what to do.
func (e *WordError) Hint() string {
	return "Have the conductor read the word again and type it again. If it still differs, the screens show " +
		"different documents: sign nothing, and find out why."
}

// An ActError is how every method of Session fails: what was tried, why it
// failed (errors.Is and errors.As reach it), and what is safe.
type ActError struct {
	Act  string // "sign root 5 with token 13078779"
	Err  error
	Safe string // what is safe and what to do, in sentences

	whole bool // Safe says what to do as well: the reason's own hint is not needed
}

// Error says what was tried and why it failed.
func (e *ActError) Error() string { return e.Act + ": " + e.Err.Error() }

// Unwrap gives the reason.
func (e *ActError) Unwrap() error { return e.Err }

// Hint says what is safe, and what to do where the reason knows.
func (e *ActError) Hint() string {
	hint := asSentence(hintOf(e.Err))
	switch {
	case e.Safe == "":
		return hint
	case hint == "" || e.whole:
		return e.Safe
	}
	return e.Safe + " " + hint
}

// asSentence gives a hint its capital and its full stop.
func asSentence(hint string) string {
	if hint == "" || strings.HasSuffix(hint, ".") {
		return capital(hint)
	}
	return capital(hint) + "."
}

// hintOf is the hint of the first error in the chain that has one.
func hintOf(err error) string { return transfer.Hint(err) }

// failed wraps the reason for which an act was not done. A nil error stays nil.
func failed(act, safe string, err error) error {
	if err == nil {
		return nil
	}
	return &ActError{Act: act, Err: err, Safe: safe}
}

// Decidable names what people may decide on where confirm refuses a result: what an exception is
// then for, as Except takes it; "" where nobody can decide it away.
func Decidable(err error) string {
	var rule *RuleError
	if errors.As(err, &rule) && rule.Step == StepConfirm && (rule.Rule == ExceptClients || rule.Rule == ExceptExpiry) {
		return rule.Rule
	}
	return ""
}
