package publish

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"conclave/ceremony/tuf"
)

// A Status says how the live repository stands.
type Status struct {
	Practice bool         `json:"practice"`
	Pinned   int64        `json:"pinned_root"` // version of the pinned root
	Checked  time.Time    `json:"checked"`
	Roles    []RoleStatus `json:"roles"`         // root, targets, snapshot, timestamp
	Next     *Deadline    `json:"next_deadline"` // null where nothing is published
}

// A RoleStatus is one live document and who may sign the next one.
type RoleStatus struct {
	Role      string    `json:"role"`
	Version   int64     `json:"version"`
	Expires   time.Time `json:"expires"`
	Expired   bool      `json:"expired"`
	DaysLeft  int       `json:"days_left"` // whole days, negative after the end
	Threshold int       `json:"threshold"`
	KeyIDs    []string  `json:"keyids"`
}

// A Deadline is when the first role runs out.
type Deadline struct {
	Role    string    `json:"role"`
	Expires time.Time `json:"expires"`
}

// Status reads the store, verified from the pinned root. It signs and changes nothing and needs no key.
func (p *Publisher) Status(ctx context.Context) (*Status, error) {
	anchor, err := p.pinned()
	if err != nil {
		return nil, fmt.Errorf("status: %w", err)
	}
	now, err := readLive(ctx, p.Store, anchor)
	if err != nil {
		return nil, fmt.Errorf("status: %w", err)
	}
	practice, err := isPractice(ctx, p.Store)
	if err != nil {
		return nil, fmt.Errorf("status: %w", err)
	}
	s := &Status{Practice: practice, Pinned: anchor.Version(), Checked: p.now().Truncate(time.Second), Roles: []RoleStatus{}}
	docs := now.documents()
	for _, role := range slices.SortedFunc(maps.Keys(docs), byStanding) {
		s.add(role, docs[role], now.root(), p.now())
	}
	return s, nil
}

func byStanding(a, b string) int {
	order := []string{tuf.Root, tuf.Targets, tuf.Snapshot, tuf.Timestamp}
	return slices.Index(order, a) - slices.Index(order, b)
}

func (s *Status) add(role string, doc, root *tuf.Document, now time.Time) {
	r := RoleStatus{Role: role, Version: doc.Version(), Expires: doc.Expires(), KeyIDs: []string{}}
	left := doc.Expires().Sub(now)
	r.Expired = left < 0
	r.DaysLeft = int(left.Hours() / 24)
	if keys := root.Root().Roles[role]; keys != nil {
		r.Threshold = keys.Threshold
		r.KeyIDs = slices.Clone(keys.KeyIDs)
	}
	s.Roles = append(s.Roles, r)
	if s.Next == nil || doc.Expires().Before(s.Next.Expires) {
		s.Next = &Deadline{role, doc.Expires()}
	}
}
