package hsm

import "fmt"

// A refusal is an error that says what to do. It is compared by identity.
type refusal struct{ what, hint string }

func (r *refusal) Error() string { return r.what }

// Hint says what the people in the room can do.
func (r *refusal) Hint() string { return r.hint }

// What can go wrong with a token. Each carries a Hint() string, which
// errors.As finds behind any wrapping.
var (
	ErrBlocked error = &refusal{
		"the PIN of this token is blocked",
		"go on with a backup token; this one can be unblocked with its PUK: conclave token unblock",
	}
	ErrPUKBlocked error = &refusal{
		"the PUK of this token is blocked",
		"this token's PIV part can only be reset, which destroys its keys; go on with a backup token and plan a rotation",
	}
	ErrPUKNeeded error = &refusal{
		"the present PUK is needed to set a new one",
		"this token's PUK is not the factory's any more, or its firmware does not say; type the present PUK",
	}
	ErrRemoved error = &refusal{
		"the token was removed",
		"put it in again and repeat the step; what was signed before is safe",
	}
	ErrTouchTimeout error = &refusal{
		"the token was not touched in time",
		"repeat the step and touch the token while it blinks; the PIN was right and no try was lost",
	}
	ErrNotGenuine error = &refusal{
		"the token cannot prove what it is",
		"do not use it for a ceremony; enrol a token whose key was made on it",
	}
	ErrNoKey error = &refusal{
		"no key in this slot",
		"check the serial number on the token's back: it may be another one, or not enrolled yet",
	}
	ErrOccupied error = &refusal{
		"the slot already holds a key",
		"take an empty token; only if that key is of no use to anybody, allow it to be erased by naming the token's serial number",
	}
	ErrBusy error = &refusal{
		"another program holds the token",
		"close other programs that use it (ykman, gpg, ssh-agent, browsers), take it out and put it in again",
	}
	ErrNotPIV error = &refusal{
		"not a PIV token",
		"put in a YubiKey whose PIV application is enabled",
	}
	ErrGarbled error = &refusal{
		"the token returned a signature that does not verify",
		"the signature was thrown away; take the token out, put it in and repeat; if it happens again, use a backup token",
	}
	ErrNoService error = &refusal{
		"the smart card service does not answer",
		"start it (systemctl start pcscd.socket, package pcscd), or look whether this user may reach it",
	}
)

// A PINError says that the token refused a PIN and how often it may still be tried.
type PINError struct {
	Retries int // tries left, at least 1; a blocked PIN is ErrBlocked
}

func (e *PINError) Error() string {
	if e.Retries == 1 {
		return "the token refused the PIN; 1 try left"
	}
	return fmt.Sprintf("the token refused the PIN; %d tries left", e.Retries)
}

// Hint warns of the last try.
func (e *PINError) Hint() string {
	if e.Retries == 1 {
		return "one more wrong PIN blocks the token; stop here if you are not sure, and use a backup token"
	}
	return "check that this is your token, by its serial number, before you try again"
}

// A PUKError says that the token refused a PUK and how often it may still be tried.
type PUKError struct {
	Retries int // tries left, at least 1; a blocked PUK is ErrPUKBlocked
}

func (e *PUKError) Error() string {
	if e.Retries == 1 {
		return "the token refused the PUK; 1 try left"
	}
	return fmt.Sprintf("the token refused the PUK; %d tries left", e.Retries)
}

// Hint says what a blocked PUK costs.
func (e *PUKError) Hint() string {
	return "when the PUK is blocked too, the token's keys are lost; look up the PUK before you try again"
}
