package ceremony

import (
	"conclave/ceremony/preflight"
)

// An Event is something that happened or is about to happen. Events are what
// the record holds, and applying them in order rebuilds the state. Events are
// passed as values, never as pointers.
type Event interface {
	// Kind is the event's name in the record.
	Kind() string
}

// Opened starts a ceremony on a bundle. It is always the first event.
type Opened struct {
	Bundle  Verbatim         `json:"bundle,omitempty"` // the whole bundle file; left out where it is too large for a line of the record and stands beside it
	SHA256  string           `json:"sha256"`           // of that file, hex
	Program string           `json:"program"`
	Anchor  Verbatim         `json:"anchor,omitempty"` // the root pinned on this machine or given apart; absent at genesis
	Seen    map[string]int64 `json:"seen,omitempty"`   // highest versions that this machine has seen

	Policy   Verbatim `json:"policy,omitempty"`   // the policy file, whole; without one the default policy is in force
	Attested []string `json:"attested,omitempty"` // keyids of the bundle's tokens whose evidence proves where their keys were made
}

// Resumed says that the program was started again on this record.
type Resumed struct {
	Program string `json:"program"`
}

// Checked holds the evidence of one preflight.
type Checked struct {
	Checks []preflight.Check `json:"checks"`
}

// Excepted lets the ceremony go on in spite of something, by decision of people. An exception for a check
// covers what that check has found until then, and nothing that it finds later.
type Excepted struct {
	What   string   `json:"what"` // the check or rule
	Reason string   `json:"reason"`
	By     []string `json:"by"`
}

// PreflightPassed ends preflight. Two people read the clock aloud.
type PreflightPassed struct {
	ClockBy []string `json:"clock_by"`
}

// Arrived says that a holder is in the room, known by a token or by name.
type Arrived struct {
	Holder string `json:"holder"`
	Serial uint32 `json:"serial,omitempty"`
}

// Missed says that a holder is not in the room.
type Missed struct {
	Holder string `json:"holder"`
}

// RollCalled ends the roll call.
type RollCalled struct{}

// EnrolBegun is journaled before a token makes a key.
type EnrolBegun struct {
	Holder string `json:"holder"`
	Serial uint32 `json:"serial"`
	Had    string `json:"had,omitempty"` // the keyid of the key in its slot, which its holder gave up
}

// Enrolled says that a holder's token has made its key and can use it.
type Enrolled struct {
	Holder   string     `json:"holder"`
	Key      string     `json:"key"` // PEM, SPKI
	Evidence Evidence   `json:"evidence"`
	Proof    Possession `json:"proof"`
	Attested bool       `json:"attested,omitempty"` // the evidence proves where the key was made
}

// Evidence is transfer.Evidence as the record writes it.
type Evidence struct {
	KeyID       string `json:"keyid"`
	Serial      uint32 `json:"serial"`
	Firmware    string `json:"firmware"`
	Slot        string `json:"slot"`
	PINPolicy   string `json:"pin_policy"`
	TouchPolicy string `json:"touch_policy"`
	Leaf        []byte `json:"leaf,omitempty"`
	Device      []byte `json:"device,omitempty"`
}

// EnrolFailed says why a token made no key, or why its key was not taken.
// Retries is -1 unless a PIN was refused.
type EnrolFailed struct {
	Holder  string `json:"holder"`
	Serial  uint32 `json:"serial"`
	Reason  string `json:"reason"`
	Retries int    `json:"retries"`
}

// Dropped takes a planned holder who cannot enrol out of the draft, before it is frozen.
type Dropped struct {
	Holder string   `json:"holder"`
	Reason string   `json:"reason"`
	By     []string `json:"by"`
}

// Frozen fixes the payloads: from here on they do not change.
type Frozen struct {
	Documents []FrozenDocument `json:"documents"`
}

// FrozenDocument is one payload that a ceremony signs.
type FrozenDocument struct {
	Role     string   `json:"role"`
	Digest   string   `json:"digest"`             // SHA-256 of the payload, hex
	Metadata Verbatim `json:"metadata,omitempty"` // as it was built from a plan; left out where the bundle brought it or it is very large
	Dropped  []string `json:"dropped,omitempty"`  // keyids whose signatures came with the bundle and do not verify
}

// Reviewed says that a holder has read what changes, to the end.
type Reviewed struct {
	Holder  string            `json:"holder"`
	Digests map[string]string `json:"digests"` // role → digest that was shown
}

// ReviewClosed opens signing. Holders who come later still review before they sign.
type ReviewClosed struct{}

// Approved says that a holder typed the asked-for words of each payload.
type Approved struct {
	Holder  string            `json:"holder"`
	Serial  uint32            `json:"serial"`
	Digests map[string]string `json:"digests"` // role → digest
}

// SignBegun is journaled before a token is asked to sign.
type SignBegun struct {
	Holder string `json:"holder"`
	Serial uint32 `json:"serial"`
	KeyID  string `json:"keyid"`
	Role   string `json:"role"`
	Digest string `json:"digest"`
}

// Signed holds a signature that verified.
type Signed struct {
	Holder string `json:"holder"`
	Serial uint32 `json:"serial"`
	KeyID  string `json:"keyid"`
	Role   string `json:"role"`
	Digest string `json:"digest"`
	Sig    []byte `json:"sig"`
}

// SignFailed says why a token did not sign. Retries is -1 unless a PIN was refused.
type SignFailed struct {
	Holder  string `json:"holder"`
	Serial  uint32 `json:"serial"`
	KeyID   string `json:"keyid"`
	Role    string `json:"role"`
	Reason  string `json:"reason"`
	Retries int    `json:"retries"`
}

// SigningClosed ends signing, complete or not.
type SigningClosed struct{}

// SigningReopened goes back from confirm or export to signing, while signatures are missing.
type SigningReopened struct{}

// Confirmed says that the result was verified as a client will, or that people know that it is partial.
type Confirmed struct {
	Complete bool   `json:"complete"`
	Verdict  string `json:"verdict"`
}

// ExportBegun is journaled before a file is written to the medium.
type ExportBegun struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
}

// Exported says that the file is on the medium and was read back.
type Exported struct {
	Name   string `json:"name"`
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
}

// Shown is journaled before what the ceremony made is shown as QR symbols, or written as pictures of
// them. Nobody here knows what a camera has read of it: it is no export.
type Shown struct {
	What    string            `json:"what"`             // ShownAnswer or ShownBundle
	SHA256  string            `json:"sha256"`           // of what a reader gets
	Digests map[string]string `json:"digests"`          // role → digest of the payloads that it signs
	Frames  int               `json:"frames"`           // symbols that are enough to read it
	Folder  string            `json:"folder,omitempty"` // of the pictures; left out on the screen
}

// What is shown: the new signatures alone, or the bundle as it is exported.
const (
	ShownAnswer = "answer"
	ShownBundle = "bundle"
)

// Closed seals the record.
type Closed struct {
	Statement string `json:"statement"`
}

// Kind names the event.
func (Opened) Kind() string { return "opened" }

// Kind names the event.
func (Resumed) Kind() string { return "resumed" }

// Kind names the event.
func (Checked) Kind() string { return "checked" }

// Kind names the event.
func (Excepted) Kind() string { return "excepted" }

// Kind names the event.
func (PreflightPassed) Kind() string { return "preflight_passed" }

// Kind names the event.
func (Arrived) Kind() string { return "arrived" }

// Kind names the event.
func (Missed) Kind() string { return "missed" }

// Kind names the event.
func (RollCalled) Kind() string { return "roll_called" }

// Kind names the event.
func (EnrolBegun) Kind() string { return "enrol_begun" }

// Kind names the event.
func (Enrolled) Kind() string { return "enrolled" }

// Kind names the event.
func (EnrolFailed) Kind() string { return "enrol_failed" }

// Kind names the event.
func (Dropped) Kind() string { return "dropped" }

// Kind names the event.
func (Frozen) Kind() string { return "frozen" }

// Kind names the event.
func (Reviewed) Kind() string { return "reviewed" }

// Kind names the event.
func (ReviewClosed) Kind() string { return "review_closed" }

// Kind names the event.
func (Approved) Kind() string { return "approved" }

// Kind names the event.
func (SignBegun) Kind() string { return "sign_begun" }

// Kind names the event.
func (Signed) Kind() string { return "signed" }

// Kind names the event.
func (SignFailed) Kind() string { return "sign_failed" }

// Kind names the event.
func (SigningClosed) Kind() string { return "signing_closed" }

// Kind names the event.
func (SigningReopened) Kind() string { return "signing_reopened" }

// Kind names the event.
func (Confirmed) Kind() string { return "confirmed" }

// Kind names the event.
func (ExportBegun) Kind() string { return "export_begun" }

// Kind names the event.
func (Exported) Kind() string { return "exported" }

// Kind names the event.
func (Shown) Kind() string { return "shown" }

// Kind names the event.
func (Closed) Kind() string { return "closed" }
