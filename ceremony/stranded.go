package ceremony

import (
	"fmt"
	"slices"
	"strings"

	"conclave/ceremony/tuf"
	"conclave/transfer"
)

// A StrandedError says that the keys that are left cannot sign what a change
// needs: no ceremony helps.
type StrandedError struct {
	Requirement string   // "root 4's keys"
	Threshold   int      // how many must sign
	Left        []string // who still can
}

// Error says who is left.
func (e *StrandedError) Error() string {
	return fmt.Sprintf("plan: %s need %d signatures, and only %s can still sign", e.Requirement, e.Threshold, both(e.Left))
}

// Hint gives the only way that is left.
func (e *StrandedError) Hint() string {
	return "No client accepts a root without them, whatever is signed. If nobody can bring a token back, the way is out of band: " +
		strings.Join(Rebootstrap(), " ")
}

// Rebootstrap is the procedure for a repository whose root can no longer be
// signed: what the people do who run it, one step in a sentence.
func Rebootstrap() []string {
	return []string{
		"Search once more for every token and its PUK: one that is found saves all of this.",
		"Keep the old repository online and refresh its timestamp as long as root lasts: clients that cannot be reached in another way live on it.",
		"Plan a genesis with new tokens, and a threshold that survives the loss of one: conclave plan genesis.",
		"Publish it under a new address, never over the old one: clients of the old root would refuse it and say that they are under attack.",
		"Give clients the new root 1 by a way that they trust already and that is not this repository: " +
			"a release of the software through its installer or a distribution, signed by another key, or configuration management.",
		"Print the digest words of the new root 1 where users look, in two places that nobody controls alone.",
		"Tell users since when, why, and until which day the old repository stays; then let it expire, and never reuse its keys.",
	}
}

// checkReach refuses a change that the people who are left cannot sign.
func (r Rotation) checkReach(trusted *tuf.Document, plan *transfer.Plan, seats []seat) error {
	threshold := trusted.Root().Roles[tuf.Root].Threshold
	if left := r.left(tuf.Root, seatsOf(trusted)); len(left) < threshold {
		return &StrandedError{Requirement: trusted.Title() + "'s keys", Threshold: threshold, Left: left}
	}
	for _, q := range []struct {
		role      string
		threshold int
	}{{tuf.Root, plan.RootThreshold}, {tuf.Targets, plan.TargetsThreshold}} {
		if left := r.left(q.role, seats); len(left) < q.threshold {
			return planf("Let the keys of those who cannot sign leave in the same change, or lower the threshold.",
				"%s would need %d signatures, and only %s could give one", q.role, q.threshold, both(left))
		}
	}
	return nil
}

// left names who can sign for a role. Who is absent because a token was lost comes with a new one.
func (r Rotation) left(role string, seats []seat) []string {
	var left []string
	for _, s := range seats {
		fresh := s.made || s.known != nil
		if s.sits(role) && (fresh || !slices.ContainsFunc(r.Absent, s.is)) && !containsPerson(left, s.name) {
			left = append(left, s.name)
		}
	}
	return left
}
