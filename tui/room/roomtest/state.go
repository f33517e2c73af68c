package roomtest

import (
	"errors"
	"slices"
	"time"

	"conclave/ceremony"
	"conclave/ceremony/preflight"
	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/tui/room"
)

// The methods of room.State give back the facts.

// Step is where the ceremony stands.
func (f *Facts) Step() ceremony.Step { return f.At }

// Steps are all steps.
func (f *Facts) Steps() []ceremony.Step { return f.All }

// Title names the ceremony.
func (f *Facts) Title() string { return f.Name }

// Practice reports a rehearsal.
func (f *Facts) Practice() bool { return f.Rehearsal }

// Declared is when a compromise was declared.
func (f *Facts) Declared() time.Time { return f.Alarm }

// Queued lists who joins with the next draft.
func (f *Facts) Queued() []ceremony.Joining { return f.Late }

// Purpose is what the bundle is for.
func (f *Facts) Purpose() string { return f.Reason }

// Plan is the plan of a genesis.
func (f *Facts) Plan() *transfer.Plan { return f.Planned }

// Head is always the same.
func (f *Facts) Head() transfer.RecordHead {
	return transfer.RecordHead{Entries: 37, Hash: "9d1f00c2e41b7a5566d0843fb1c9275ea07d3b6c12ee94f80a4bc7d2315e6f88"}
}

// Checks is the evidence.
func (f *Facts) Checks() []preflight.Check { return f.Evidence }

// Open are the checks that want a decision.
func (f *Facts) Open() []string { return f.Unsettled }

// Deciders are two, one in a rehearsal.
func (f *Facts) Deciders(string) int {
	if f.Rehearsal {
		return 1
	}
	return 2
}

// Exceptions are the decisions.
func (f *Facts) Exceptions() []ceremony.Excepted { return f.Excepted }

// Participants are the people.
func (f *Facts) Participants() []ceremony.Participant { return f.People }

// Still are sentences on what is missing.
func (f *Facts) Still() []string {
	if f.Complete() {
		return nil
	}
	return f.Sentences
}

// Exports are the files on the medium.
func (f *Facts) Exports() []ceremony.Exported { return f.Files }

// Dropped are sentences on signatures that do not count.
func (f *Facts) Dropped() []string { return f.Lost }

// Came is what was carried in.
func (f *Facts) Came() *transfer.Bundle { return f.Opened }

// Result is what is carried, as a file.
func (f *Facts) Result() (name string, file []byte, err error) {
	if f.Carried == nil {
		return "", nil, errors.New("write the bundle: nothing is carried here")
	}
	file, err = f.Carried.Bytes()
	return "release-47.bundle.json", file, err
}

// Bundle is what is carried.
func (f *Facts) Bundle() *transfer.Bundle { return f.Carried }

// Diffs explain the documents.
func (f *Facts) Diffs(time.Time) ([]*tuf.Diff, error) { return f.Changes, nil }

// Verdict says what a client will make of it.
func (f *Facts) Verdict(time.Time) (verdict []string, complete bool, err error) {
	if f.Complete() {
		return []string{"Every requirement is met.", "A client that trusts root 4 accepts root 5 and targets 18."}, true, nil
	}
	return []string{"Not complete: no client accepts it yet."}, false, nil
}

func (f *Facts) frozen() bool {
	return slices.Index(f.All, f.At) > slices.Index(f.All, ceremony.StepFreeze)
}

// Payloads are the frozen documents.
func (f *Facts) Payloads() []room.Payload {
	if !f.frozen() && f.At != ceremony.StepDone {
		return nil
	}
	return f.Documents
}

// Complete reports whether every requirement is met.
func (f *Facts) Complete() bool {
	ts := f.Tallies()
	return len(ts) > 0 && !slices.ContainsFunc(ts, func(t transfer.RoleTally) bool { return !t.Tally.Complete() })
}

// SignedAt is when a holder signed; in the stand-in a holder's name is the keyid.
func (f *Facts) SignedAt(keyid, role string) time.Time { return f.SignedWhen[keyid+"/"+role] }

// Tallies counts.
func (f *Facts) Tallies() []transfer.RoleTally {
	if len(f.Payloads()) == 0 {
		return nil
	}
	var out []transfer.RoleTally
	for _, n := range f.Needs {
		t := tuf.Tally{Requirement: tuf.Requirement{Name: n.Name, Role: n.Role, Threshold: n.Threshold}}
		for _, h := range n.Holders {
			signed := !f.SignedAt(h, n.Role).IsZero()
			if signed {
				t.Signed++
			}
			t.Signers = append(t.Signers, tuf.Signer{Key: tuf.Key{ID: h}, Holder: tuf.Holder{Name: h}, Signed: signed})
		}
		t.Missing = max(0, n.Threshold-t.Signed)
		out = append(out, transfer.RoleTally{Role: n.Role, Tally: t})
	}
	return out
}

// Proofs are what the test says.
func (f *Facts) Proofs() []ceremony.KeyProof { return f.Proved }
