package ceremony

import (
	"time"

	"conclave/ceremony/tuf"
	"conclave/transfer"
)

// Genesis describes a repository that does not exist yet.
type Genesis struct {
	Purpose          string
	RootHolders      []string // in order
	TargetsHolders   []string // must be a subset or further people
	RootThreshold    int
	TargetsThreshold int
	Algorithm        string
	Snapshot         tuf.Key
	Timestamp        tuf.Key
	RootExpires      time.Time
	TargetsExpires   time.Time
	Files            []transfer.PlannedFile
	Practice         bool
}

// PlanGenesis makes the bundle that a genesis ceremony starts from.
func PlanGenesis(g Genesis, now time.Time) (*transfer.Bundle, error) { panic("unwritten") }

// PlanRoot makes a draft of the next root: everything as it is, but for expiry.
func PlanRoot(base transfer.Base, purpose string, expires, now time.Time) (*transfer.Bundle, error) {
	panic("unwritten")
}

// A TargetsChange is what a release changes.
type TargetsChange struct {
	Purpose string
	Add     []transfer.PlannedFile
	Remove  []string
	Expires time.Time
}

// PlanTargets makes a draft of the next targets on base, which must hold the current targets.
func PlanTargets(base transfer.Base, c TargetsChange, now time.Time) (*transfer.Bundle, error) {
	panic("unwritten")
}

// PlanAdopt makes a bundle of metadata that other tools made, signed or not, on base.
func PlanAdopt(base transfer.Base, docs []transfer.Document, purpose string, now time.Time) (*transfer.Bundle, error) {
	panic("unwritten")
}
