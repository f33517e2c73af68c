package hsm

import "context"

// Tries is what a token says of its PIN or PUK without being shown one.
type Tries struct {
	Left, Most int
	Factory    bool // still the one that it was made with
}

// Secrets is what a token says of what guards it. It says nothing before firmware 5.3.
type Secrets struct {
	Told              bool
	PIN, PUK          Tries
	Management        string // algorithm of the management key: "3DES", "AES-192"
	ManagementFactory bool
}

// A Keeper is a Token whose PIN and PUK can be looked after.
//
// Errors are those of Token, and *PUKError or ErrPUKBlocked where a PUK was
// shown. None of its methods tries anything twice.
type Keeper interface {
	Token
	// Secrets returns what was read when the token was opened, and what was
	// changed since.
	Secrets() Secrets
	// ChangePIN replaces the PIN. It costs a PIN try when old is wrong.
	ChangePIN(ctx context.Context, old, fresh *PIN) error
	// ChangePUK replaces the PUK. It costs a PUK try when old is wrong.
	ChangePUK(ctx context.Context, old, fresh *PIN) error
	// Unblock gives a blocked token a new PIN. It costs a PUK try when puk is wrong.
	Unblock(ctx context.Context, puk, fresh *PIN) error
}
