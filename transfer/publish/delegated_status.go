package publish

import (
	"context"
	"errors"
	"fmt"

	"conclave/ceremony/tuf"
)

// maxDelegatedRead is how many delegated roles one look reads at most.
const maxDelegatedRead = 256

// breaksDelegated says what becomes of clients when a delegated role expires.
const breaksDelegated = "clients refuse the files on its paths until it is signed anew"

// lookAtDelegated reads the roles to which the live targets delegate, and those to which these do, in the order in which clients ask
// them: each verified with the keys that its delegator names. Hash bins are not among them.
func (s *Status) lookAtDelegated(ctx context.Context, p *Publisher, now *live) error {
	if now.targets == nil {
		return nil
	}
	delegators, seen := []*tuf.Document{now.targets}, map[string]bool{}
	for len(delegators) > 0 {
		by := delegators[0]
		delegators = delegators[1:]
		for _, d := range by.Delegations().Roles {
			if seen[d.Name] {
				continue
			}
			if len(seen) == maxDelegatedRead {
				s.problem(Warn, "there are more than %d delegated roles: the rest was not looked at", maxDelegatedRead)
				return nil
			}
			seen[d.Name] = true
			doc, err := s.lookAtOne(ctx, p, now, d, by)
			if err != nil {
				return fmt.Errorf("status: %w", err)
			}
			if doc != nil && len(doc.Delegations().Roles) > 0 {
				delegators = append(delegators, doc)
			}
		}
	}
	return nil
}

// lookAtOne adds a delegated role. It returns no document where there is none that verifies; that is a problem, not an error, and its row has no date.
func (s *Status) lookAtOne(ctx context.Context, p *Publisher, now *live, d tuf.Delegation, by *tuf.Document) (*tuf.Document, error) {
	doc, err := readDelegated(ctx, p.Store, now, d.Name)
	if err == nil && doc != nil {
		err = unsoundBy(d.Name, doc, by)
	}
	r := RoleStatus{Role: d.Name, Threshold: d.Threshold, KeyIDs: keyIDs(d.Keys), Breaks: breaksDelegated}
	switch {
	case errors.Is(err, ErrUnsound):
		r.Level = Critical
		s.Roles = append(s.Roles, r)
		s.problem(Critical, "%s: %v: %s", d.Name, err, breaksDelegated)
		return nil, nil
	case err != nil:
		return nil, err
	case doc == nil:
		r.Level = Warn
		s.Roles = append(s.Roles, r)
		s.problem(Warn, "%s is delegated to and not published: clients cannot look up its paths", d.Name)
		return nil, nil
	}
	// Without a person's name a machine may sign it, as often as it likes: only an end that is near is worth a word.
	opens, ends := windowOpens, windowEnds
	if signedOnline(d.Keys) {
		opens, ends = windowEnds, 0
	}
	s.judge(r, doc, doc.Expires().Sub(p.now()), opens, ends)
	return doc, nil
}
