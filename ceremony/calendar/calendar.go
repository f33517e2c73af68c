package calendar

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"conclave/ceremony/tuf"
)

// Kinds of an Entry, in the order in which they come.
const (
	Opens   = "window-opens"
	Last    = "last-comfortable-day"
	Expires = "expires"
	Renew   = "stand-by-due" // a stand-by root wants to be signed anew
	Lapses  = "stand-by-expires"
)

// Defaults of Settings.
const (
	DefaultWindowPercent = 25 // of a life: a year's root opens 91 days before its expiry
	DefaultMarginDays    = 14 // one ceremony that fails, and one that travels
)

const day = 24 * time.Hour

// StandbyMargin is how long before its expiry a stand-by is to be signed anew: below it, who publishes it on a bad
// day has no time to plan the next root in peace.
const StandbyMargin = 60 * day

// Settings say how early people want to start.
type Settings struct {
	Repository    string                   // its name, for titles and UIDs
	WindowPercent int                      // how much of a life before the expiry the window opens; 0 is the default
	MarginDays    int                      // from the last comfortable day to the expiry; 0 is the default
	Life          map[string]time.Duration // how long a role's documents live; without it, from Now to the expiry
	Now           time.Time
	Standby       []*tuf.Document // documents of a successor root that waits, signed below its threshold
}

// An Entry is one day of the timeline.
type Entry struct {
	When    time.Time `json:"when"`
	Kind    string    `json:"kind"` // "window-opens", "last-comfortable-day", "expires", "stand-by-due" or "stand-by-expires"
	Role    string    `json:"role"`
	Version int64     `json:"version"`
	Past    bool      `json:"past"` // already, at Now
	Text    string    `json:"text"` // one sentence; may hold a role's name from outside
}

// A Deadline is what one role needs.
type Deadline struct {
	Role    string    `json:"role"`
	Version int64     `json:"version"`
	Online  bool      `json:"online"` // renewed by the publisher, without a ceremony
	Opens   time.Time `json:"window_opens"`
	Last    time.Time `json:"last_comfortable_day"`
	Expires time.Time `json:"expires"`
}

// A Calendar is the timeline of a repository. It is plain data, to be shown or
// written as JSON.
type Calendar struct {
	Repository string     `json:"repository,omitempty"`
	Now        time.Time  `json:"now"`
	Breaks     *time.Time `json:"clients_break,omitempty"` // if nobody does anything
	Because    []string   `json:"because,omitempty"`       // the roles that expire then
	Deadlines  []Deadline `json:"deadlines"`               // root and targets first
	Entries    []Entry    `json:"entries"`                 // by time
}

// errNow is returned where nobody said what day it is.
var errNow = errors.New("make calendar: nobody said what day it is")

// New makes the calendar of a repository's documents, by role: root, targets,
// snapshot, timestamp and delegated roles, as far as they are at hand.
func New(docs map[string]*tuf.Document, s Settings) (*Calendar, error) {
	s.WindowPercent = cmp.Or(s.WindowPercent, DefaultWindowPercent)
	s.MarginDays = cmp.Or(s.MarginDays, DefaultMarginDays)
	switch {
	case s.Now.IsZero():
		return nil, errNow
	case s.WindowPercent < 1 || s.WindowPercent > 100:
		return nil, fmt.Errorf("make calendar: a window of %d percent of a life, must be from 1 to 100", s.WindowPercent)
	case s.MarginDays < 0:
		return nil, fmt.Errorf("make calendar: a margin of %d days", s.MarginDays)
	}
	c := &Calendar{Repository: s.Repository, Now: s.Now.UTC()}
	for _, role := range sortedRoles(docs) {
		if docs[role] != nil {
			c.add(deadline(role, docs[role], s))
		}
	}
	for _, doc := range s.Standby {
		c.standby(doc)
	}
	slices.SortStableFunc(c.Entries, func(a, b Entry) int { return a.When.Compare(b.When) })
	c.findBreak()
	return c, nil
}

var topRoles = []string{tuf.Root, tuf.Targets, tuf.Snapshot, tuf.Timestamp}

// sortedRoles lists root and targets first, then delegated roles, then the online ones.
func sortedRoles(docs map[string]*tuf.Document) []string {
	rank := func(role string) int {
		switch role {
		case tuf.Root:
			return 0
		case tuf.Targets:
			return 1
		case tuf.Snapshot, tuf.Timestamp:
			return 3
		}
		return 2
	}
	var roles []string
	for role := range docs {
		roles = append(roles, role)
	}
	slices.SortFunc(roles, func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a, b))
	})
	return roles
}

// deadline works out the days of one role. No window opens after the last
// comfortable day.
func deadline(role string, doc *tuf.Document, s Settings) Deadline {
	d := Deadline{Role: role, Version: doc.Version(), Expires: doc.Expires().UTC()}
	d.Online = role == tuf.Snapshot || role == tuf.Timestamp
	life := s.Life[role]
	if life <= 0 {
		life = max(0, d.Expires.Sub(s.Now))
	}
	window := life / 100 * time.Duration(s.WindowPercent)
	margin := time.Duration(s.MarginDays) * day
	if d.Online {
		margin = 0
	}
	d.Last = d.Expires.Add(-margin)
	d.Opens = d.Expires.Add(-max(window, margin)).Truncate(time.Second)
	return d
}

// add lists the days of one role.
func (c *Calendar) add(d Deadline) {
	c.Deadlines = append(c.Deadlines, d)
	what := name(d.Role, d.Version)
	entry := func(kind string, when time.Time, format string, args ...any) {
		c.Entries = append(c.Entries, Entry{when, kind, d.Role, d.Version, !when.After(c.Now), fmt.Sprintf(format, args...)})
	}
	if !d.Online {
		next := name(d.Role, d.Version+1)
		entry(Opens, d.Opens, "From %s on %s may be signed.", date(d.Opens), next)
		entry(Last, d.Last, "%s is the last comfortable day for the ceremony of %s.", date(d.Last), next)
	}
	switch d.Role {
	case tuf.Root, tuf.Targets:
		entry(Expires, d.Expires, "%s expires on %s: from then on no client updates.", capital(what), date(d.Expires))
	case tuf.Snapshot, tuf.Timestamp:
		entry(Expires, d.Expires, "%s expires on %s: the publisher renews it before.", capital(what), date(d.Expires))
	default:
		entry(Expires, d.Expires, "%s expires on %s: from then on no client gets a file of this role.", capital(what), date(d.Expires))
	}
}

// standby lists the days of a document that waits.
func (c *Calendar) standby(doc *tuf.Document) {
	what := "stand-by " + name(doc.Type(), doc.Version())
	due := doc.Expires().UTC().Add(-StandbyMargin)
	entry := func(kind string, when time.Time, format string, args ...any) {
		c.Entries = append(c.Entries, Entry{when, kind, doc.Type(), doc.Version(), !when.After(c.Now), fmt.Sprintf(format, args...)})
	}
	entry(Renew, due, "Sign a new %s: from %s on it lives too short to be of use.", what, date(due))
	entry(Lapses, doc.Expires().UTC(), "The %s expires on %s: from then on there is none.", what, date(doc.Expires()))
}

// findBreak finds the first day on which clients stop if nobody does
// anything. The publisher goes on by itself, unless it has stopped already.
func (c *Calendar) findBreak() {
	for _, d := range c.Deadlines {
		if !slices.Contains(topRoles, d.Role) || d.Online && d.Expires.After(c.Now) {
			continue
		}
		switch at := d.Expires; {
		case c.Breaks == nil || at.Before(*c.Breaks):
			c.Breaks, c.Because = &at, []string{d.Role}
		case at.Equal(*c.Breaks):
			c.Because = append(c.Because, d.Role)
		}
	}
}

// Next is the first entry that is still to come, or nil.
func (c *Calendar) Next() *Entry {
	for i := range c.Entries {
		if !c.Entries[i].Past {
			return &c.Entries[i]
		}
	}
	return nil
}

// Sentences says what matters now: when clients break, and what is due.
func (c *Calendar) Sentences() []string {
	said := []string{c.breakSentence()}
	for _, d := range c.Deadlines {
		what, old := name(d.Role, d.Version+1), capital(name(d.Role, d.Version))
		switch {
		case d.Online:
			if !d.Expires.After(c.Now) {
				said = append(said, fmt.Sprintf("%s expired on %s: look at the publisher.", old, date(d.Expires)))
			}
		case !d.Expires.After(c.Now):
			said = append(said, fmt.Sprintf("%s expired on %s: sign %s at once.", old, date(d.Expires), what))
		case !d.Last.After(c.Now):
			said = append(said, fmt.Sprintf("%s is late: the last comfortable day was %s, and it is %s to the expiry.", capital(what), date(d.Last), days(d.Expires.Sub(c.Now))))
		case !d.Opens.After(c.Now):
			said = append(said, fmt.Sprintf("%s may be signed now, best until %s (%s).", capital(what), date(d.Last), days(d.Last.Sub(c.Now))))
		default:
			said = append(said, fmt.Sprintf("%s may be signed from %s on (in %s), best until %s.", capital(what), date(d.Opens), days(d.Opens.Sub(c.Now)), date(d.Last)))
		}
	}
	return said
}

func (c *Calendar) breakSentence() string {
	switch {
	case c.Breaks == nil:
		return "Neither root nor targets is at hand, so nobody knows when clients break."
	case c.Breaks.After(c.Now):
		return fmt.Sprintf("If nobody does anything, clients break on %s (%s).", date(*c.Breaks), strings.Join(c.Because, ", "))
	}
	return fmt.Sprintf("Clients broke on %s (%s).", date(*c.Breaks), strings.Join(c.Because, ", "))
}

// name is a document in a sentence. The name of a delegated role stays as it is
// written, whatever it begins with.
func name(role string, version int64) string {
	if slices.Contains(topRoles, role) {
		return fmt.Sprintf("%s %d", role, version)
	}
	return fmt.Sprintf("role %s %d", role, version)
}

func date(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// days counts whole days, and hours below two of them.
func days(d time.Duration) string {
	n, unit := int64(d/day), "day"
	if d < 2*day {
		n, unit = int64(d/time.Hour), "hour"
	}
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
