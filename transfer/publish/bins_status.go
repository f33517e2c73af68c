package publish

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"conclave/ceremony/tuf"
)

// What one look at hash bins costs at most. Where there are more, they are drawn by lot, those first that this host does not remember,
// and the status says how many were looked at.
const (
	maxBinsRead     = 256      // all bins of 8 bits
	maxBinBytesRead = 16 << 20 // as the snapshot lists them; the first one is read whatever its length
)

// maxBinProblems bounds how many bins are named that do not verify.
const maxBinProblems = 3

// A BinsStatus says how the hash bins stand to which the live targets delegate. All of them have the same keys, and the first
// to expire counts for all. Total is Read, Remembered, Unseen and Missing together.
type BinsStatus struct {
	Role       string    `json:"role"` // the prefix and "-*"
	Online     bool      `json:"signed_online"`
	Total      int       `json:"total"`
	Read       int       `json:"read"`       // and verified by this look, or found Broken
	Remembered int       `json:"remembered"` // the snapshot lists what this host has verified before
	Unseen     int       `json:"not_looked_at"`
	Missing    int       `json:"missing"` // the snapshot lists none
	Broken     int       `json:"broken"`  // of those read
	Expired    int       `json:"expired"` // of those that were read or are remembered
	First      string    `json:"first,omitempty"`
	Version    int64     `json:"first_version,omitempty"`
	Expires    time.Time `json:"expires,omitzero"` // of the first; the rest of the fields is as those of a RoleStatus
	DaysLeft   int       `json:"days_left"`
	Sign       time.Time `json:"sign_from,omitzero"`
	Level      Level     `json:"level"`
	Breaks     string    `json:"breaks"`
	Threshold  int       `json:"threshold"`
	KeyIDs     []string  `json:"keyids"`
}

// breaksBin says what becomes of clients when a bin expires.
const breaksBin = "clients refuse the files in it"

// Looked says how much of the bins the status rests on.
func (b *BinsStatus) Looked() string {
	if b.Read == b.Total {
		return "all were read"
	}
	said := fmt.Sprintf("%d were read", b.Read)
	for _, part := range []struct {
		n    int
		said string
	}{{b.Remembered, "%d remembered"}, {b.Unseen, "%d not looked at"}, {b.Missing, "%d not published"}} {
		if part.n > 0 {
			said += ", " + fmt.Sprintf(part.said, part.n)
		}
	}
	return said
}

// A seenBin is one live bin that was verified here: a file of this hash expires then.
type seenBin struct {
	Version int64     `json:"version"`
	SHA256  string    `json:"sha256"`
	Expires time.Time `json:"expires"`
}

func seenBinOf(doc *tuf.Document) seenBin {
	digest := sum(doc.Bytes())
	return seenBin{doc.Version(), hex.EncodeToString(digest[:]), doc.Expires()}
}

// is reports whether a snapshot lists this very file.
func (s seenBin) is(m *metadata.MetaFiles) bool {
	return m != nil && m.Version == s.Version && hex.EncodeToString(m.Hashes["sha256"]) == s.SHA256
}

// rememberBins keeps what a push or refresh has learnt of bins, and drops what is live no longer.
func (w *push) rememberBins(after *live, g *goal) error {
	if len(g.seen) == 0 {
		return nil
	}
	all, err := w.state.bins()
	if err != nil {
		return err
	}
	meta := after.snapshot.Snapshot().Meta
	maps.Copy(all, g.seen)
	maps.DeleteFunc(all, func(role string, s seenBin) bool { return !s.is(meta[role+".json"]) })
	return w.state.setBins(all)
}

// lookAtBins reads as many bins as one look may, and takes from this host's memory what it says of the others.
func (s *Status) lookAtBins(ctx context.Context, p *Publisher, now *live, memory map[string]seenBin) error {
	if now.targets == nil {
		return nil
	}
	d := now.targets.Delegations().Bins
	if d == nil {
		return nil
	}
	b := &BinsStatus{Role: d.Prefix + "-*", Online: signedOnline(d.Keys), Total: 1 << d.Bits, Threshold: d.Threshold, KeyIDs: keyIDs(d.Keys), Breaks: breaksBin}
	s.Bins = b
	meta := now.snapshot.Snapshot().Meta
	roles := slices.DeleteFunc(d.Roles(), func(role string) bool { return meta[role+".json"] == nil })
	b.Missing = b.Total - len(roles)
	draw, rest := drawBins(roles, meta, memory)
	seen, err := s.readBins(ctx, p, now, draw)
	if err != nil {
		return err
	}
	b.Read = len(draw)
	for _, role := range rest {
		if known := memory[role]; known.is(meta[role+".json"]) {
			seen[role] = known
			b.Remembered++
		} else {
			b.Unseen++
		}
	}
	s.judgeBins(p, seen)
	return nil
}

// signedOnline reports whether no person holds one of the keys, as far as their delegator says.
func signedOnline(keys []tuf.HeldKey) bool {
	return !slices.ContainsFunc(keys, func(k tuf.HeldKey) bool { return k.Holder != tuf.Holder{} })
}

// keyIDs are never null in JSON.
func keyIDs(keys []tuf.HeldKey) []string {
	ids := make([]string, len(keys))
	for i, k := range keys {
		ids[i] = k.Key.ID
	}
	return ids
}

// drawBins draws those that one look reads by lot, first among those of which nothing is remembered.
func drawBins(roles []string, meta map[string]*metadata.MetaFiles, memory map[string]seenBin) (draw, rest []string) {
	rand.Shuffle(len(roles), func(i, j int) { roles[i], roles[j] = roles[j], roles[i] })
	known := func(role string) int {
		if memory[role].is(meta[role+".json"]) {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(roles, func(x, y string) int { return known(x) - known(y) })
	left := int64(maxBinBytesRead)
	for i, role := range roles {
		left -= max(meta[role+".json"].Length, 0)
		if i == maxBinsRead || i > 0 && left < 0 {
			return roles[:i], roles[i:]
		}
	}
	return roles, nil
}

// readBins reads and verifies bins as clients do. One that is wrong is a problem, one that cannot be read an error.
func (s *Status) readBins(ctx context.Context, p *Publisher, now *live, roles []string) (map[string]seenBin, error) {
	var mu sync.Mutex
	seen := map[string]seenBin{} // owned by mu
	broken := map[string]error{} // owned by mu
	err := each(ctx, roles, func(ctx context.Context, role string) error {
		doc, err := readDelegated(ctx, p.Store, now, role)
		if err == nil {
			err = unsoundBy(role, doc, now.targets)
		}
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err == nil:
			seen[role] = seenBinOf(doc)
		case errors.Is(err, ErrUnsound):
			broken[role] = err
		default:
			return err
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("status: %w", err)
	}
	s.Bins.Broken = len(broken)
	for i, role := range slices.Sorted(maps.Keys(broken)) {
		if i == maxBinProblems {
			s.problem(Critical, "%d more bins do not verify either", len(broken)-i)
			break
		}
		s.problem(Critical, "%s: %v: %s", role, broken[role], breaksBin)
	}
	return seen, nil
}

// unsoundBy says that a delegated role's document is not signed as its delegator wants it.
func unsoundBy(role string, doc, delegator *tuf.Document) error {
	if err := verifyBy(role, doc, delegator); err != nil {
		return unsound(err)
	}
	return nil
}

// judgeBins says which bin expires first and how urgent that is.
func (s *Status) judgeBins(p *Publisher, seen map[string]seenBin) {
	b, now := s.Bins, p.now()
	for role, bin := range seen {
		if bin.Expires.Before(now) {
			b.Expired++
		}
		if b.First == "" || cmp.Or(bin.Expires.Compare(b.Expires), cmp.Compare(role, b.First)) < 0 {
			b.First, b.Version, b.Expires = role, bin.Version, bin.Expires
		}
	}
	if b.Missing > 0 {
		b.Level = Warn
		s.problem(Warn, "%d of %d bins are not published: clients cannot look up paths that fall into them", b.Missing, b.Total)
	}
	if b.First != "" {
		s.judgeFirst(p, b, b.Expires.Sub(now))
	}
	if b.Broken > 0 {
		b.Level = Critical
	}
}

func (s *Status) judgeFirst(p *Publisher, b *BinsStatus, left time.Duration) {
	b.DaysLeft = int(left.Hours() / 24)
	opens, warns, ends := p.binsWindow(b.Online)
	b.Sign = b.Expires.Add(-opens)
	cure := "sign them in a ceremony"
	if b.Online {
		cure = "run conclave publish refresh where bins_key is"
	}
	name := fmt.Sprintf("%s %d, the first of %d bins,", b.First, b.Version, b.Total)
	switch {
	case left < 0:
		b.Level = Critical
		s.problem(Critical, "%s has expired on %s, and %d in all: %s; %s", name, b.Expires.Format(time.RFC3339), b.Expired, b.Breaks, cure)
	case left < ends:
		b.Level = Critical
		s.problem(Critical, "%s expires in %s: then %s; %s", name, short(left), b.Breaks, cure)
	case left < warns:
		b.Level = worse(b.Level, Warn)
		s.problem(Warn, "%s expires in %s and should be signed anew: %s", name, short(left), cure)
	}
	if s.Next == nil || b.Expires.Before(s.Next.Expires) {
		s.Next = &Deadline{b.First, b.Expires}
	}
}

// binsWindow is how long before its end a bin is signed anew, and from when on that is late and its end close. Online, bins are signed
// with the first snapshot after half of their life; what is left then, at the worst, is no reason to worry.
func (p *Publisher) binsWindow(online bool) (opens, warns, ends time.Duration) {
	if !online {
		return windowOpens, windowOpens, windowEnds
	}
	life := cmp.Or(p.BinsLife, DefaultBinsDays*24*time.Hour)
	worst := max(life-p.SnapshotLife, 0) / 2
	return life / 2, worst * 3 / 4, min(life/6, worst/3)
}
