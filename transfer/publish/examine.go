package publish

import "context"

// A Finding is one thing that was looked at in a store, and how it stands.
type Finding struct {
	Check string `json:"check"` // what was looked at
	State State  `json:"state"`
	Says  string `json:"says"`
	Hint  string `json:"hint,omitempty"`
}

// A State is how a finding stands.
type State string

// States. Failed means that publishing there would break clients or lose updates.
const (
	Fine    State = "ok"
	Changed State = "changed" // it is right now: this run has changed it
	Warning State = "warning"
	Failed  State = "failed"
	Skipped State = "skipped" // it could not be looked at
)

// ExamineOptions say how a store is meant to be.
type ExamineOptions struct {
	Create  bool // make the store where it does not exist
	Prepare bool // set right what can be: versions on
	Private bool // only a CDN reads it, with an identity of its own; everybody else must be refused
	Public  bool // clients read it without credentials: a store that is made here is opened to them, another one must be open
}

// An examined store can say whether it is fit to publish in.
type examined interface {
	Examine(ctx context.Context, o ExamineOptions) []Finding
}

// Examine looks whether a store is fit to publish in. A folder always is.
func Examine(ctx context.Context, s Store, o ExamineOptions) []Finding {
	if e, ok := s.(examined); ok {
		return e.Examine(ctx, o)
	}
	return []Finding{{"store", Fine, "a folder on this host", ""}}
}

// Fit reports whether no finding has failed.
func Fit(findings []Finding) bool {
	for _, f := range findings {
		if f.State == Failed {
			return false
		}
	}
	return true
}
