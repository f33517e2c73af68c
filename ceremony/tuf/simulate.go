package tuf

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// An Update is a repository as it will be once what is signed here is published.
type Update struct {
	// Roots are all roots at which a client may stand, from the first historic
	// one to the newest, in order. The new root is the last of them.
	Roots []*Document
	// Targets is the new targets metadata; nil where it stays as it is.
	Targets *Document
	// OldTargets is what clients have now; nil where there is none yet.
	OldTargets *Document
	// Delegated and OldDelegated are the same for delegated roles, by name.
	Delegated, OldDelegated map[string]*Document
	// Snapshot and Timestamp are the live ones; nil where they are not known.
	Snapshot, Timestamp *Document
	// Now is when the update is published.
	Now time.Time
}

// What becomes of a client.
const (
	Updates = "updates" // it reaches the newest root and all that is published
	Ends    = "ends"    // it stops because a document's time is over, as it should
	Breaks  = "breaks"  // it stops though it should not
)

// A Moment is a time at which clients are looked at.
type Moment struct {
	At   time.Time
	What string // "one second before root 6 expires"; empty for now
}

// String is the moment as a sentence has it.
func (m Moment) String() string {
	if m.What == "" {
		return "on " + date(m.At)
	}
	return "on " + date(m.At) + ", " + m.What + ","
}

// A Client is one client that updates at one moment.
type Client struct {
	Root      int64 // where it stands before
	Moment    Moment
	Walks     []int64 // the roots that it takes on its way
	Newest    int64   // the root that it ends at
	Targets   int64   // the version of targets that it accepts; 0 is none
	Delegated []string
	Fate      string // Updates, Ends or Breaks
	Why       string // what stops it; empty where nothing does
}

// String says in a sentence what happens to the client: "A client at root 3 on
// 2026-11-25 walks 4, 5, 6 and accepts targets 18."
func (c Client) String() string {
	walk := "stays there"
	if len(c.Walks) > 0 {
		walk = "walks " + listWalk(c.Walks)
	}
	return c.say(fmt.Sprintf("A client at root %d", c.Root), walk)
}

// say makes the sentence for a client or several that fare alike.
func (c Client) say(who, walk string) string {
	end := "has nothing more to check"
	if c.Targets > 0 {
		end = fmt.Sprintf("accepts targets %d", c.Targets)
		if len(c.Delegated) > 0 {
			end += " with " + few(c.Delegated)
		}
	}
	switch {
	case c.Fate == Updates:
	case c.Targets > 0:
		end += ", but " + c.Why
	case c.Fate == Ends:
		end = "stops, as it should: " + c.Why
	default:
		end = "is stuck: " + c.Why
	}
	return fmt.Sprintf("%s %s %s and %s.", who, c.Moment, walk, end)
}

// maxWalk is how many roots a sentence lists one by one.
const maxWalk = 6

func listWalk(versions []int64) string {
	if len(versions) > maxWalk {
		return fmt.Sprintf("%d to %d", versions[0], versions[len(versions)-1])
	}
	parts := make([]string, len(versions))
	for i, v := range versions {
		parts[i] = fmt.Sprint(v)
	}
	return strings.Join(parts, ", ")
}

// A Simulation says what happens to every client at every moment that matters.
type Simulation struct {
	Moments []Moment
	Clients []Client // by moment, then by root
	Notes   []Change // what the simulation could not or need not play
}

// Simulate plays the update for a client at every root, now, one second before
// each expiry that is to come, and after it. Roots are walked by go-tuf's own
// code. Where the live snapshot and timestamp list what is published, the whole
// update is played by it; else targets and delegated roles are verified
// against the root that the client ends at, and a note says what is left to
// the publisher. Nothing is ever signed for the sake of a simulation.
// Its error means that the update itself makes no sense.
func Simulate(u Update) (*Simulation, error) {
	if err := u.check(); err != nil {
		return nil, fmt.Errorf("simulate clients: %w", err)
	}
	w := newWorld(u)
	s := &Simulation{Moments: u.moments()}
	for _, m := range s.Moments {
		for i := range u.Roots {
			s.Clients = append(s.Clients, w.client(i, m))
		}
	}
	s.Notes = w.notes()
	return s, nil
}

// check refuses updates that no simulation can be about.
func (u Update) check() error {
	if len(u.Roots) == 0 {
		return errors.New("there is no root")
	}
	if u.Now.IsZero() {
		return errors.New("nobody said when it is published")
	}
	for i, r := range u.Roots {
		if r == nil || r.kind != Root {
			return fmt.Errorf("entry %d of the roots is none", i)
		}
		if i > 0 && r.version <= u.Roots[i-1].version {
			return fmt.Errorf("%s stands after %s", r.Title(), u.Roots[i-1].Title())
		}
	}
	wants := map[string][]*Document{Targets: {u.Targets, u.OldTargets}, Snapshot: {u.Snapshot}, Timestamp: {u.Timestamp}}
	for _, docs := range []map[string]*Document{u.Delegated, u.OldDelegated} {
		for _, name := range sortedNames(docs) {
			wants[Targets] = append(wants[Targets], docs[name])
		}
	}
	for _, kind := range sortedNames(wants) {
		for _, d := range wants[kind] {
			if d != nil && d.kind != kind {
				return fmt.Errorf("%s was given as %s", d.Title(), kind)
			}
		}
	}
	return nil
}

// served is the targets metadata that clients will find.
func (u Update) served() *Document { return cmp.Or(u.Targets, u.OldTargets) }

// servedRole is the same for a delegated role.
func (u Update) servedRole(name string) *Document {
	return cmp.Or(u.Delegated[name], u.OldDelegated[name])
}

// moments lists the times to look at: now, and around each expiry to come.
func (u Update) moments() []Moment {
	titles := map[time.Time][]string{}
	add := func(d *Document, title string) {
		if d != nil && d.expires.After(u.Now) {
			titles[d.expires] = append(titles[d.expires], title)
		}
	}
	for _, r := range u.Roots[max(0, len(u.Roots)-2):] {
		add(r, r.Title())
	}
	if d := u.served(); d != nil {
		add(d, d.Title())
	}
	roles := union(u.Delegated, u.OldDelegated)
	for _, name := range roles {
		if d := u.servedRole(name); d != nil {
			add(d, title(name, d.version))
		}
	}
	all := []Moment{{At: u.Now}}
	for at, names := range titles {
		// Clients differ in what happens in the very second of the expiry.
		verb, past := "expires", "has expired"
		if len(names) > 1 {
			verb, past = "expire", "have expired"
		}
		if before := at.Add(-time.Second); before.After(u.Now) {
			all = append(all, Moment{before, "one second before " + few(names) + " " + verb})
		}
		all = append(all, Moment{at.Add(time.Second), "after " + few(names) + " " + past})
	}
	slices.SortFunc(all, func(a, b Moment) int { return a.At.Compare(b.At) })
	// Once the newest root or targets have expired, nothing else matters.
	last := u.lastDay()
	return slices.DeleteFunc(all, func(m Moment) bool { return m.At.After(last) })
}

// lastDay is the second after the first expiry that stops every client.
func (u Update) lastDay() time.Time {
	last := time.Unix(1<<62, 0)
	for _, d := range []*Document{u.Roots[len(u.Roots)-1], u.served()} {
		if d != nil && d.expires.After(u.Now) && d.expires.Before(last) {
			last = d.expires.Add(time.Second)
		}
	}
	return last
}

// Breaks lists the clients that stop though they should not.
func (s *Simulation) Breaks() []Client {
	var all []Client
	for _, c := range s.Clients {
		if c.Fate == Breaks {
			all = append(all, c)
		}
	}
	return all
}

// Sentences says the whole simulation in as few sentences as it takes: clients
// at neighbouring roots that fare alike share one. Breaks are dangers.
func (s *Simulation) Sentences() []Change {
	var all []Change
	for from := 0; from < len(s.Clients); {
		to := from + 1
		for to < len(s.Clients) && alike(s.Clients[from], s.Clients[to]) {
			to++
		}
		kind := map[string]string{Updates: Same, Ends: Changed, Breaks: Danger}[s.Clients[from].Fate]
		all = append(all, Change{Kind: kind, Where: InClients, Text: together(s.Clients[from:to]), Danger: kind == Danger, Rule: ruleOf(kind)})
		from = to
	}
	return append(all, s.Notes...)
}

func ruleOf(kind string) string {
	if kind == Danger {
		return RuleSimulation
	}
	return ""
}

// alike reports whether two clients share a sentence.
func alike(a, b Client) bool {
	return a.Moment == b.Moment && a.Newest == b.Newest && a.Targets == b.Targets && a.Fate == b.Fate && a.Why == b.Why
}

// together makes one sentence for clients that fare alike.
func together(group []Client) string {
	first, last := group[0], group[len(group)-1]
	if len(group) == 1 {
		return first.String()
	}
	return first.say(fmt.Sprintf("A client at any root from %d to %d", first.Root, last.Root), fmt.Sprintf("ends at root %d", first.Newest))
}

// A BreakError says that an update would leave clients behind.
type BreakError struct{ Clients []Client }

// Error tells of the first of them and counts the rest.
func (e *BreakError) Error() string {
	text := "simulate clients: " + strings.TrimSuffix(e.Clients[0].String(), ".")
	if rest := len(e.Clients) - 1; rest > 0 {
		text += fmt.Sprintf(" (and %s more)", plural(int64(rest), "client"))
	}
	return text
}

// Hint says what to do about it.
func (e *BreakError) Hint() string {
	return "do not publish this: correct the plan, or record an exception by the people whom the policy names"
}

// Err is a *BreakError where clients break, and nil where none does.
func (s *Simulation) Err() error {
	if broken := s.Breaks(); len(broken) > 0 {
		return &BreakError{broken}
	}
	return nil
}
