package ceremony

import (
	"fmt"
	"time"

	"conclave/ceremony/calendar"
	"conclave/ceremony/tuf"
	"conclave/transfer"
)

// A Standby is a successor root that waits, signed below its threshold, for the
// day on which there is no time: the last signature makes it valid.
type Standby struct {
	Needs  []Need
	Stale  []string // why it would be of no use any more; empty while it is good
	Soon   []string // what will make it so, and when
	Warn   []string // what is dangerous about it
	Expect []string // the people whose signatures complete it, the smallest company
}

// freshStandby is how long before an expiry a stand-by is to be signed anew.
const freshStandby = calendar.StandbyMargin

// CheckStandby holds a bundle that waits against the repository as it is now.
func CheckStandby(b *transfer.Bundle, base transfer.Base, now time.Time) (*Standby, error) {
	root := b.Document(tuf.Root)
	if b.Plan != nil || root == nil {
		return nil, planf("Plan it with keys that exist: conclave plan rotate --key.", "a stand-by is a signed draft of a root; this bundle holds none")
	}
	sitting, err := PlanSitting(b, now)
	if err != nil {
		return nil, err
	}
	s := &Standby{Needs: sitting.Needs, Expect: sitting.Enough}
	s.stale(b, base)
	for _, d := range b.Documents {
		s.expiry(d, now)
	}
	s.signatures()
	return s, nil
}

// stale compares what it builds on with what is live.
func (s *Standby) stale(b *transfer.Bundle, base transfer.Base) {
	say := func(format string, args ...any) { s.Stale = append(s.Stale, fmt.Sprintf(format, args...)) }
	trusted, live := b.TrustedRoot(), base.Document(tuf.Root)
	switch {
	case trusted == nil || live == nil:
		say("It builds on no root.")
	case live.Version() > trusted.Version():
		say("It builds on root %d, and root %d is live: clients would refuse it.", trusted.Version(), live.Version())
	case live.Digest() != trusted.Digest():
		say("It builds on another root %d than the live one.", trusted.Version())
	}
	if next, current := b.Document(tuf.Targets), base.Document(tuf.Targets); next != nil && current != nil {
		was := b.Base.Document(tuf.Targets)
		if was == nil || was.Digest() != current.Digest() {
			say("It brings targets %d, made before targets %d were released: files of later releases are missing in it.", next.Version(), current.Version())
		}
	}
}

func (s *Standby) expiry(d transfer.Document, now time.Time) {
	name, left := fmt.Sprintf("%s %d", capital(d.Role), d.Metadata.Version()), d.Metadata.Expires().Sub(now)
	on := d.Metadata.Expires().UTC().Format(time.DateOnly)
	switch {
	case left <= 0:
		s.Stale = append(s.Stale, fmt.Sprintf("%s expired on %s.", name, on))
	case left < freshStandby:
		s.Soon = append(s.Soon, fmt.Sprintf("%s expires on %s, in %s: sign a new stand-by now.", name, on, span(left)))
	default:
		s.Soon = append(s.Soon, fmt.Sprintf("%s expires on %s: sign a new stand-by before %s.", name, on,
			d.Metadata.Expires().Add(-freshStandby).UTC().Format(time.DateOnly)))
	}
}

// signatures say how far it is from being valid.
func (s *Standby) signatures() {
	var missing int
	for _, n := range s.Needs {
		missing = max(missing, n.Missing)
	}
	switch missing {
	case 0:
		s.Warn = append(s.Warn, "IT IS COMPLETE: whoever has this file can publish it. Keep it as you keep a key, or sign one below the threshold instead.")
	case 1:
		s.Warn = append(s.Warn, fmt.Sprintf("One signature makes it valid. Keep it away from the tokens of %s.", both(mayOf(s.Needs))))
	}
}

// mayOf names who can still sign, each person once.
func mayOf(needs []Need) []string {
	var names []string
	for _, n := range needs {
		for _, k := range n.Keys {
			if n.Missing > 0 && !k.Signed && !containsPerson(names, k.Holder) {
				names = append(names, k.Holder)
			}
		}
	}
	return names
}
