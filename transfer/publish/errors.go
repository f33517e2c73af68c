package publish

// hinted is an error that knows what the user can do.
type hinted struct {
	error
	hint string
}

func withHint(err error, hint string) error { return &hinted{err, hint} }

// Hint says what to do.
func (h *hinted) Hint() string { return h.hint }

// Unwrap returns the error without its hint.
func (h *hinted) Unwrap() error { return h.error }
