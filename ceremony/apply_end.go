package ceremony

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"conclave/ceremony/tuf"
	"conclave/transfer"
)

func (e Confirmed) apply(s *State) error {
	complete := s.Complete()
	switch {
	case e.Complete && !complete:
		return s.rule("threshold", "signatures are missing", "Confirm it as partial, or go back to signing.")
	case !e.Complete && complete:
		return s.rule("threshold", "nothing is missing, so it is not partial", "")
	case e.Verdict == "":
		return s.rule("verdict", "the verdict is empty", "")
	}
	if complete {
		if _, err := s.result.verify(); err != nil {
			return s.ruleErr("verify", err)
		}
		if err := s.checkExpiry(); err != nil {
			return err
		}
		if err := s.checkClients(); err != nil {
			return err
		}
	}
	s.step = StepExport
	return nil
}

// Names of the exceptions from what confirm refuses.
const (
	ExceptExpiry  = "expiry"
	ExceptClients = "clients"
)

// checkExpiry refuses a result that no client would take any more.
func (s State) checkExpiry() error {
	if s.clock.IsZero() || s.excepted(ExceptExpiry) {
		return nil
	}
	for _, d := range s.bundle.Documents {
		if !d.Metadata.Expires().After(s.clock) {
			return s.rule(ExceptExpiry, fmt.Sprintf("%s %d has expired", d.Role, d.Metadata.Version()),
				`No client accepts it. Plan it again with a later expiry, or record an exception for "expiry".`)
		}
	}
	return nil
}

// checkClients plays clients at every root that the bundle knows, and refuses a
// result that would leave one of them behind, or with which they fare worse than the policy allows.
func (s State) checkClients() error {
	if s.clock.IsZero() || s.excepted(ExceptClients) {
		return nil
	}
	sim, err := tuf.Simulate(s.update())
	if err == nil {
		err = sim.Err()
	}
	if err != nil {
		return s.rule(ExceptClients, err.Error(), `Plan it again, so that nobody is left behind, or record an exception for "clients".`)
	}
	if broken := s.policy.Clients(sim.Sentences()); len(broken) > 0 {
		return s.rule(ExceptClients, "it breaks the policy: "+found(broken[0]), `Plan it again, within the policy, or record an exception for "clients".`)
	}
	return nil
}

// timeMachine says what happens to a client at every root that the bundle knows, now and around every
// expiry to come. What keeps it from saying so, checkClients refuses.
func (s State) timeMachine() []string {
	sim, err := tuf.Simulate(s.update())
	if err != nil {
		return nil
	}
	var lines []string
	for _, c := range sim.Sentences() {
		text := c.Text
		if c.Danger {
			text = "DANGER " + text
		}
		lines = append(lines, text)
	}
	return lines
}

// update is what clients find once the result is published.
func (s State) update() tuf.Update {
	b := s.bundle
	u := tuf.Update{Roots: slices.Clone(b.Base.Roots), Now: s.clock, Delegated: map[string]*tuf.Document{}, OldDelegated: map[string]*tuf.Document{}}
	if root := b.Document(tuf.Root); root != nil {
		u.Roots = append(u.Roots, root)
	}
	u.Targets, u.OldTargets = b.Document(tuf.Targets), b.Base.Document(tuf.Targets)
	for _, list := range []struct {
		docs []transfer.Document
		into map[string]*tuf.Document
	}{{b.Documents, u.Delegated}, {b.Base.Documents, u.OldDelegated}} {
		for _, d := range list.docs {
			if d.Role != tuf.Root && d.Role != tuf.Targets {
				list.into[d.Role] = d.Metadata
			}
		}
	}
	return u
}

func (e ExportBegun) apply(s *State) error {
	if !s.fileNamed(e.Name) {
		return s.rule("export", fmt.Sprintf("%q is not a name for this bundle", e.Name), "")
	}
	file, err := s.result.file()
	if err != nil {
		return s.ruleErr("export", err)
	}
	if e.SHA256 != sha256Hex(file) {
		return s.rule("export", "the file to export is not the confirmed bundle", "")
	}
	s.writing = &e
	return nil
}

func (e Exported) apply(s *State) error {
	if s.writing == nil || s.writing.Name != e.Name || s.writing.SHA256 != e.SHA256 {
		return s.rule("order", fmt.Sprintf("the export of %q was not begun", e.Name), "")
	}
	s.writing = nil
	s.exports = append(s.exports[:len(s.exports):len(s.exports)], e)
	s.step = StepClose
	return nil
}

func (e Shown) apply(s *State) error {
	if err := s.checkDigests(e.Digests, true); err != nil {
		return err
	}
	_, file, err := s.Result()
	switch {
	case err != nil:
		return s.ruleErr("export", err)
	case e.What == ShownBundle && e.SHA256 != sha256Hex(file):
		return s.rule("export", "the bundle to show is not the confirmed one", "")
	case e.What == ShownBundle || e.What == ShownAnswer && isDigest(e.SHA256):
	default:
		return s.rule("export", fmt.Sprintf("%q of SHA-256 %q is nothing that a ceremony shows", e.What, e.SHA256), "")
	}
	if e.Frames < 1 {
		return s.rule("export", fmt.Sprintf("%d frames show nothing", e.Frames), "")
	}
	return nil
}

func isDigest(s string) bool {
	raw, err := hex.DecodeString(s)
	return err == nil && len(raw) == sha256.Size && strings.ToLower(s) == s
}

func (e Closed) apply(s *State) error {
	if s.step == StepExport && !s.excepted("export") {
		return s.rule("export", "the bundle is not on any medium yet",
			`Export it first. If no medium can be had, record an exception for "export": the bundle stays on this machine.`)
	}
	if e.Statement != "" {
		if err := checkText("the statement", e.Statement); err != nil {
			return s.ruleErr("statement", err)
		}
	}
	s.step = StepDone
	return nil
}
