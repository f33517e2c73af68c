package publish

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"conclave/ceremony/tuf"
	"conclave/transfer/client"
)

// A Level says how urgent something is, in the order of monitors' exit codes.
type Level int

// Levels. Unknown is what cannot be told because nobody answers.
const (
	OK Level = iota
	Warn
	Critical
	Unknown
)

// String is the level as monitors write it.
func (l Level) String() string {
	return [...]string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}[min(max(l, OK), Unknown)]
}

// MarshalText writes the level as monitors write it.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// worse returns the more urgent of two levels. What is critical is so whatever else is unknown.
func worse(a, b Level) Level {
	order := []Level{OK, Warn, Unknown, Critical}
	if slices.Index(order, a) > slices.Index(order, b) {
		return a
	}
	return b
}

// When a person must act on an offline role: a ceremony takes weeks to call together.
const (
	windowOpens = 30 * 24 * time.Hour
	windowEnds  = 7 * 24 * time.Hour
)

// A Status says how the live repository stands.
type Status struct {
	Level    Level         `json:"level"`
	Practice bool          `json:"practice"`
	Pinned   int64         `json:"pinned_root"` // version of the pinned root
	Checked  time.Time     `json:"checked"`
	Roles    []RoleStatus  `json:"roles"`                 // root, targets, snapshot, timestamp; then the delegated ones, as clients ask them
	Bins     *BinsStatus   `json:"bins,omitempty"`        // null where the targets delegate to none
	Next     *Deadline     `json:"next_deadline"`         // null where nothing is published
	LastSeen time.Time     `json:"last_success,omitzero"` // of this host: its last push or refresh
	Alarm    string        `json:"alarm,omitempty"`       // the store is not what this host left: it went back, jumped ahead or was forged
	Public   *PublicStatus `json:"public,omitempty"`      // what clients are served, where an address is known
	Problems []string      `json:"problems"`              // the first is one of the most urgent
	Standby  *Standby      `json:"standby,omitempty"`     // null where nobody named one

	docs map[string]*tuf.Document
}

// Document is the live document of a top-level role, nil where there is none.
func (s *Status) Document(role string) *tuf.Document { return s.docs[role] }

// Warn adds a problem that somebody should look at.
func (s *Status) Warn(format string, args ...any) { s.problem(Warn, format, args...) }

// A Standby says how a successor root stands that waits for a bad day. Status does not look
// at it: who calls it does, and warns.
type Standby struct {
	Stale  []string `json:"stale"` // why it is of no use any more; empty while it is good
	Soon   []string `json:"soon"`
	Warn   []string `json:"warnings"`
	Enough []string `json:"enough"` // whose signatures complete it
}

// A RoleStatus is one live document and who may sign the next one.
type RoleStatus struct {
	Role      string    `json:"role"`
	Version   int64     `json:"version"`
	Expires   time.Time `json:"expires,omitzero"` // zero where no document of a delegated role verifies, as Version and Sign are
	Expired   bool      `json:"expired"`
	DaysLeft  int       `json:"days_left"`          // whole days, negative after the end
	Sign      time.Time `json:"sign_from,omitzero"` // from then on the next version should be signed
	Level     Level     `json:"level"`
	Breaks    string    `json:"breaks"` // what happens when it expires
	Threshold int       `json:"threshold"`
	KeyIDs    []string  `json:"keyids"`
}

// A PublicStatus is what the address that clients use serves.
type PublicStatus struct {
	Timestamp int64  `json:"timestamp"` // version, 0 where it does not verify
	Root      int64  `json:"root"`
	Behind    bool   `json:"behind"` // the store holds a newer one
	Error     string `json:"error,omitempty"`
}

// A Deadline is when the first role runs out.
type Deadline struct {
	Role    string    `json:"role"`
	Expires time.Time `json:"expires"`
}

// breaks says what becomes of clients when a role expires.
var breaks = map[string]string{
	tuf.Root:      "clients refuse every update, and only a new root helps",
	tuf.Targets:   "clients refuse every update until targets are signed anew",
	tuf.Snapshot:  "clients refuse every update until a refresh",
	tuf.Timestamp: "clients refuse every update until a refresh",
}

// Status reads the store, verified from the pinned root, and the public address. It signs and changes nothing and needs no key.
func (p *Publisher) Status(ctx context.Context) (*Status, error) {
	anchor, err := p.pinned()
	if err != nil {
		return nil, fmt.Errorf("status: %w", err)
	}
	s, now, err := p.look(ctx, anchor)
	if err != nil {
		return nil, err
	}
	memory, err := remembered(p.StateDir)
	if err != nil {
		return nil, fmt.Errorf("status: %w", err)
	}
	s.LastSeen = memory.Time
	known, err := rememberedBins(p.StateDir)
	if err != nil {
		return nil, fmt.Errorf("status: %w", err)
	}
	if err := s.lookAtBins(ctx, p, now, known); err != nil {
		return nil, err
	}
	if alarm := memory.check(now, p.now()); alarm != nil {
		s.Alarm = alarm.Error()
		s.problem(Critical, "%v", alarm)
	}
	if p.Public != nil {
		s.public(ctx, p, anchor, now)
	}
	return s, nil
}

// StatusFrom is Status for whoever has a trusted root and no publisher: a monitor on any machine. public is the address that is
// compared with the store, nil for none.
func StatusFrom(ctx context.Context, s Store, public client.Repository, root *tuf.Document, now time.Time) (*Status, error) {
	const day = 24 * time.Hour
	p := &Publisher{
		Store: s, Public: public, Now: func() time.Time { return now },
		SnapshotLife: DefaultSnapshotDays * day, TimestampLife: DefaultTimestampDays * day,
	}
	status, live, err := p.look(ctx, root)
	if err != nil {
		return nil, err
	}
	if err := status.lookAtBins(ctx, p, live, nil); err != nil {
		return nil, err
	}
	if public != nil {
		status.public(ctx, p, root, live)
	}
	return status, nil
}

func (p *Publisher) look(ctx context.Context, anchor *tuf.Document) (*Status, *live, error) {
	now, err := readLive(ctx, p.Store, anchor)
	if err != nil {
		return nil, nil, fmt.Errorf("status: %w", err)
	}
	practice, err := isPractice(ctx, p.Store)
	if err != nil {
		return nil, nil, fmt.Errorf("status: %w", err)
	}
	s := &Status{Practice: practice, Pinned: anchor.Version(), Checked: p.now().Truncate(time.Second), Roles: []RoleStatus{}, Problems: []string{}}
	docs := now.documents()
	s.docs = docs
	for _, role := range slices.SortedFunc(maps.Keys(docs), byStanding) {
		s.add(p, docs[role], now.root())
	}
	if now.timestamp == nil {
		s.problem(Critical, "nothing is published")
	}
	if err := s.lookAtDelegated(ctx, p, now); err != nil {
		return nil, nil, err
	}
	return s, now, nil
}

// LastSuccess is when this host last found everything right, from its state folder; zero where it never did.
func LastSuccess(dir string) time.Time {
	memory, err := remembered(dir)
	if err != nil {
		return time.Time{}
	}
	return memory.Time
}

// remembered reads what this host has seen, without making or locking its folder; nothing where dir is "".
func remembered(dir string) (*seen, error) {
	if dir == "" {
		return &seen{}, nil
	}
	return (&state{dir: dir}).seen()
}

// rememberedBins is remembered for hash bins.
func rememberedBins(dir string) (map[string]seenBin, error) {
	if dir == "" {
		return nil, nil
	}
	return (&state{dir: dir}).bins()
}

func byStanding(a, b string) int {
	order := []string{tuf.Root, tuf.Targets, tuf.Snapshot, tuf.Timestamp}
	return slices.Index(order, a) - slices.Index(order, b)
}

// problem adds a problem; the first one is of the most urgent: a monitor shows no other.
func (s *Status) problem(level Level, format string, args ...any) {
	at := len(s.Problems)
	if worse(s.Level, level) != s.Level {
		s.Level, at = level, 0
	}
	s.Problems = slices.Insert(s.Problems, at, fmt.Sprintf(format, args...))
}

func (s *Status) add(p *Publisher, doc, root *tuf.Document) {
	role := doc.Type()
	r := RoleStatus{Role: role, KeyIDs: []string{}, Breaks: breaks[role]}
	if keys := root.Root().Roles[role]; keys != nil {
		r.Threshold = keys.Threshold
		r.KeyIDs = slices.Clone(keys.KeyIDs)
	}
	opens, ends := p.window(role)
	s.judge(r, doc, doc.Expires().Sub(p.now()), opens, ends)
}

// judge says of a role's document how urgent it is, left before it expires.
func (s *Status) judge(r RoleStatus, doc *tuf.Document, left, opens, ends time.Duration) {
	role := r.Role
	r.Version, r.Expires = doc.Version(), doc.Expires()
	r.Expired = left < 0
	r.DaysLeft = int(left.Hours() / 24)
	r.Sign = doc.Expires().Add(-opens)
	switch {
	case r.Expired:
		r.Level = Critical
		s.problem(Critical, "%s %d has expired on %s: %s", role, r.Version, r.Expires.Format(time.RFC3339), r.Breaks)
	case left < ends:
		r.Level = Critical
		s.problem(Critical, "%s %d expires in %s: then %s", role, r.Version, short(left), r.Breaks)
	case late(role, left, opens):
		r.Level = Warn
		s.problem(Warn, "%s %d expires in %s and should be signed anew: %s", role, r.Version, short(left), r.Breaks)
	}
	s.Roles = append(s.Roles, r)
	if s.Next == nil || doc.Expires().Before(s.Next.Expires) {
		s.Next = &Deadline{role, doc.Expires()}
	}
}

// window is how long before its end a role is signed anew, and from when on its end is close.
func (p *Publisher) window(role string) (opens, ends time.Duration) {
	switch role {
	case tuf.Timestamp:
		return p.TimestampLife / 2, p.TimestampLife / 6
	case tuf.Snapshot:
		return p.SnapshotLife / 2, p.SnapshotLife / 6
	}
	return windowOpens, windowEnds
}

// late reports whether somebody should have signed by now. A refresher signs a snapshot within
// one interval after its window opens, so there a warning waits a little.
func late(role string, left, opens time.Duration) bool {
	if role == tuf.Snapshot {
		return left < opens*3/4
	}
	return left < opens
}

// short writes a time that is left in the largest unit that fits.
func short(d time.Duration) string {
	if d >= 48*time.Hour {
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
	return d.Round(time.Minute).String()
}

// public looks at what clients are served.
func (s *Status) public(ctx context.Context, p *Publisher, anchor *tuf.Document, now *live) {
	s.Public = &PublicStatus{}
	c, err := client.New(client.Options{Repository: p.Public, Cache: client.Memory{tuf.Root: anchor.Bytes()}, Now: p.now()})
	if err == nil {
		err = c.Refresh(ctx)
	}
	if err != nil {
		s.Public.Error = err.Error()
		s.problem(Critical, "clients cannot follow the public address: %v", err)
		return
	}
	s.Public.Timestamp, s.Public.Root = c.Version(tuf.Timestamp), c.Version(tuf.Root)
	s.Public.Behind = s.Public.Timestamp < version(now.timestamp) || s.Public.Root < now.root().Version()
	if s.Public.Behind {
		s.problem(Warn, "the public address serves timestamp %d, in the store is %d: a cache keeps it too long, or something else lies there",
			s.Public.Timestamp, version(now.timestamp))
	}
}

// LevelOf is how urgent the error of a Status is. A store that does not answer says nothing about the
// repository; one that answers something else than it should is an alarm.
func LevelOf(err error) Level {
	switch {
	case err == nil:
		return OK
	case errors.Is(err, ErrUnsound), errors.Is(err, ErrRolledBack), errors.Is(err, ErrForked), errors.Is(err, ErrFastForward):
		return Critical
	}
	return Unknown
}
