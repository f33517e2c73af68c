package tui

import (
	"context"
	"time"

	"conclave/ceremony"
	"conclave/hsm"
)

// A Desk is what the home screen can find, begin and show. Its methods may
// take their time; they are called one at a time, off the event loop. Errors
// are shown with their Hint() string where they have one.
type Desk interface {
	// Find lists what there is to go on with. It is called every few seconds
	// while the home screen is open, so a stick shows up by itself.
	Find(ctx context.Context) (Found, error)
	// Sign begins the ceremony of the bundle at path; root is the file of a root that is trusted apart from it, or "".
	Sign(ctx context.Context, path, root string) (Started, error)
	// Resume goes on with the ceremony in dir.
	Resume(ctx context.Context, dir string) (Started, error)
	// Genesis plans a new repository and begins its ceremony.
	Genesis(ctx context.Context, form GenesisForm) (Started, error)
	// Practise begins a rehearsal.
	Practise(ctx context.Context) (Started, error)
	// Look reads a bundle or record and describes it; nothing is changed.
	Look(ctx context.Context, path string) (Sheet, error)
}

// Found is what a Desk sees.
type Found struct {
	Bundles []FoundFile
	Stopped []Stopped
	Records []FoundFile
	Days    string // "If nobody does anything, clients break on …", as of the last ceremony here; "" where nobody knows
	AirGap  string // one or two words for the header, "" to leave it out: "air gap [OK]"
}

// A FoundFile is a bundle or record on some medium.
type FoundFile struct {
	Path  string
	Name  string // "release-47.bundle.json"
	Place string // "SANDISK", "this folder"
	Note  string // "draft", "partial 2 of 3"; may be ""
}

// A Stopped ceremony can be resumed.
type Stopped struct {
	Dir   string
	Title string // "root 5 + targets 18"
	Step  ceremony.Step
	When  time.Time // of the last entry in the record
	Note  string    // "2 of 3 done"; may be ""
}

// A Started ceremony and, in a rehearsal, its tray. Close, where given, is
// called once when the screen has left the ceremony; it closes the session.
type Started struct {
	Session *ceremony.Session
	Tray    Tray
	Close   func() error
}

// A Sheet is a description to scroll through. Its text may come from outside.
type Sheet struct {
	Title string
	Lines []string
}

// A GenesisForm is what people answered about a repository that does not
// exist yet. Lengths and thresholds are checked for sense before a Desk sees them.
type GenesisForm struct {
	Purpose          string
	Holders          []string // root keyholders, in order
	RootThreshold    int
	TargetsHolders   []string
	TargetsThreshold int
	Algorithm        hsm.Algorithm
	RootExpires      time.Time
	TargetsExpires   time.Time
	SnapshotKey      string   // path of a public key in PEM
	TimestampKey     string   // path of a public key in PEM
	Files            []string // target files and folders; may be empty
}
