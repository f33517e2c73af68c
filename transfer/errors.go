package transfer

import (
	"fmt"
	"strings"

	"conclave/ceremony/tuf"
)

// A SyntaxError says where a file stops being a bundle.
type SyntaxError struct {
	Path   string // of the value, like documents[1].role; "" at the file's own level
	Line   int    // from 1
	Offset int    // in bytes, from 0
	Err    error  // what is wrong; for a document the error of tuf.Parse

	writing bool
}

func (e *SyntaxError) Error() string {
	if e.writing {
		return fmt.Sprintf("write bundle: %s: %v", e.Path, e.Err)
	}
	where := fmt.Sprintf("line %d, byte %d", e.Line, e.Offset)
	if e.Path != "" {
		where = e.Path + " (" + where + ")"
	}
	return fmt.Sprintf("read bundle: %s: %v", where, e.Err)
}

// Unwrap gives what is wrong.
func (e *SyntaxError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *SyntaxError) Hint() string {
	if e.writing {
		return "Nothing was written. Shorten or correct the value that is named."
	}
	return "The file is no bundle, or it was cut off, damaged or changed by another program: a bundle is taken only as Conclave wrote it. " +
		"Nothing of it was used. Copy it again from where it came."
}

// A ContentError says why a bundle that reads well makes no sense.
type ContentError struct {
	What string
	hint string
}

func (e *ContentError) Error() string { return "check bundle: " + e.What }

// Hint says what to do.
func (e *ContentError) Hint() string {
	if e.hint != "" {
		return e.hint
	}
	return "Nothing of it was used. Make the bundle again with conclave plan."
}

// An AnchorError says that a bundle does not follow from the root that is trusted.
type AnchorError struct {
	What string
	hint string
}

func (e *AnchorError) Error() string { return "check the base: " + e.What }

// Hint says what to do.
func (e *AnchorError) Hint() string { return e.hint }

// A StaleError says that a bundle builds on an older state than was seen already.
type StaleError struct {
	Role string
	Have int64 // the version that the bundle builds on; 0 is none
	Seen int64 // the newest version seen
}

func (e *StaleError) Error() string {
	if e.Have == 0 {
		return fmt.Sprintf("check the base: the bundle does not say on which version of %s it builds; version %d was seen already", e.Role, e.Seen)
	}
	return fmt.Sprintf("check the base: the bundle builds on %s %d; version %d was seen already", e.Role, e.Have, e.Seen)
}

// Hint says what to do.
func (e *StaleError) Hint() string {
	return "This may be an old stick, or somebody wants to turn the repository back. Do not sign it. " +
		"Plan again from what is published now, and compare the date of the stick's bundle with the last ceremony's."
}

// A ConflictError says why bundles cannot be joined: they are of different drafts.
type ConflictError struct {
	Role string // whose payload differs; "" where it is another part
	What string // "payload", "base root 4", "purpose", …
	A, B string // what the two bundles say: digests, where they are of documents
}

func (e *ConflictError) Error() string {
	what := e.What
	if e.Role != "" {
		what = e.What + " of " + e.Role
	}
	return fmt.Sprintf("join bundles: they differ in the %s: %s and %s", what, e.A, e.B)
}

// Hint says what to do.
func (e *ConflictError) Hint() string {
	return "They are of different drafts, and signatures for one are worth nothing for the other. " +
		"Find out which draft was frozen, join only its bundles, and have the others signed again. Nothing was written."
}

// checkRoleName holds what is safe as part of a file name.
func checkRoleName(role string) error {
	switch {
	case role == "" || len(role) > MaxRoleName:
		return &ContentError{What: fmt.Sprintf("the name of a role has %d bytes; it must have 1 to %d", len(role), MaxRoleName)}
	case role == "." || role == ".." || strings.ContainsAny(role, `/\`):
		return &ContentError{What: fmt.Sprintf("the role %q cannot be part of a file name", role)}
	}
	if err := checkText(role, MaxRoleName); err != nil {
		return &ContentError{What: fmt.Sprintf("the name of the role %q: %v", role, err)}
	}
	return nil
}

// typeOf is the _type that the document of a role has.
func typeOf(role string) string {
	switch role {
	case tuf.Root, tuf.Snapshot, tuf.Timestamp:
		return role
	}
	return tuf.Targets
}
