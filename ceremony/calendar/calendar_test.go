package calendar

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"conclave/ceremony/tuf"

	"github.com/charmbracelet/x/exp/golden"
	"pgregory.net/rapid"
)

var now = time.Date(2026, 11, 22, 14, 2, 0, 0, time.UTC)

// expiring is any document that expires at some time; the calendar asks for no more.
func expiring(t testing.TB, version int64, at time.Time) *tuf.Document {
	t.Helper()
	d, err := tuf.NewTargets(tuf.TargetsSpec{Version: version, Expires: at})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func repository(t testing.TB) map[string]*tuf.Document {
	return map[string]*tuf.Document{
		tuf.Root:      expiring(t, 5, now.AddDate(1, 0, 0)),
		tuf.Targets:   expiring(t, 18, time.Date(2027, 2, 23, 0, 0, 0, 0, time.UTC)),
		tuf.Snapshot:  expiring(t, 41, now.AddDate(0, 0, 14)),
		tuf.Timestamp: expiring(t, 977, now.AddDate(0, 0, 1)),
		"plugins":     expiring(t, 3, now.AddDate(0, 0, 20)),
	}
}

func settings() Settings {
	return Settings{
		Repository: "example.org", Now: now,
		Life: map[string]time.Duration{tuf.Root: 365 * day, tuf.Targets: 93 * day, "plugins": 180 * day},
	}
}

func mustNew(t testing.TB, docs map[string]*tuf.Document, s Settings) *Calendar {
	t.Helper()
	c, err := New(docs, s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTimeline(t *testing.T) {
	c := mustNew(t, repository(t), settings())
	var b strings.Builder
	for _, s := range c.Sentences() {
		b.WriteString("* " + s + "\n")
	}
	for _, e := range c.Entries {
		past := " "
		if e.Past {
			past = "x"
		}
		b.WriteString(past + " " + e.When.Format(time.RFC3339) + " " + e.Kind + " " + e.Text + "\n")
	}
	golden.RequireEqual(t, []byte(b.String()))
}

// A stand-by that nobody renews is gone on the day on which it is needed.
func TestAStandbyHasItsDays(t *testing.T) {
	s := settings()
	s.Standby = []*tuf.Document{expiring(t, 19, now.AddDate(0, 0, 90))}
	c := mustNew(t, repository(t), s)
	var got []string
	for _, e := range c.Entries {
		if e.Kind == Renew || e.Kind == Lapses {
			got = append(got, e.When.Format(time.DateOnly)+" "+e.Text)
		}
	}
	want := []string{
		"2026-12-22 Sign a new stand-by targets 19: from 2026-12-22 on it lives too short to be of use.",
		"2027-02-20 The stand-by targets 19 expires on 2027-02-20: from then on there is none.",
	}
	if !slices.Equal(got, want) {
		t.Errorf("its days are %q", got)
	}
	if c.Breaks.Format(time.DateOnly) != "2027-02-23" {
		t.Errorf("clients break on %s: a stand-by is not live", c.Breaks)
	}
	var ics bytes.Buffer
	if err := c.WriteICS(&ics); err != nil || !strings.Contains(ics.String(), "SUMMARY:example.org: sign a new stand-by targets 19\r\n") {
		t.Errorf("%v in\n%s", err, ics.String())
	}
}

func TestWhenClientsBreak(t *testing.T) {
	at := func(days int) *tuf.Document { return expiring(t, 2, now.AddDate(0, 0, days)) }
	for name, c := range map[string]struct {
		docs map[string]*tuf.Document
		want string
	}{
		"targets first":       {map[string]*tuf.Document{tuf.Root: at(90), tuf.Targets: at(30)}, "If nobody does anything, clients break on 2026-12-22 (targets)."},
		"root first":          {map[string]*tuf.Document{tuf.Root: at(30), tuf.Targets: at(90)}, "If nobody does anything, clients break on 2026-12-22 (root)."},
		"both at once":        {map[string]*tuf.Document{tuf.Root: at(30), tuf.Targets: at(30)}, "clients break on 2026-12-22 (root, targets)."},
		"the publisher works": {map[string]*tuf.Document{tuf.Root: at(30), tuf.Timestamp: at(1)}, "clients break on 2026-12-22 (root)."},
		"the publisher fails": {map[string]*tuf.Document{tuf.Root: at(30), tuf.Timestamp: at(-1)}, "Clients broke on 2026-11-21 (timestamp)."},
		"root has expired":    {map[string]*tuf.Document{tuf.Root: at(-9), tuf.Targets: at(30)}, "Clients broke on 2026-11-13 (root)."},
		"a delegated role":    {map[string]*tuf.Document{"plugins": at(1)}, "nobody knows when clients break"},
		"a nil document":      {map[string]*tuf.Document{tuf.Root: nil}, "nobody knows"},
		"nothing":             {nil, "nobody knows"},
	} {
		if got := mustNew(t, c.docs, Settings{Now: now}).Sentences()[0]; !strings.Contains(got, c.want) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestWhatIsDue(t *testing.T) {
	for name, c := range map[string]struct {
		days int
		want string
	}{
		"long before":      {300, "Targets 3 may be signed from 2027-06-20 on (in 209 days), best until 2027-09-04."},
		"the window open":  {60, "Targets 3 may be signed now, best until 2027-01-07 (46 days)."},
		"the margin begun": {10, "Targets 3 is late: the last comfortable day was 2026-11-18, and it is 10 days to the expiry."},
		"expired":          {-1, "Targets 2 expired on 2026-11-21: sign targets 3 at once."},
	} {
		docs := map[string]*tuf.Document{tuf.Targets: expiring(t, 2, now.AddDate(0, 0, c.days))}
		s := Settings{Now: now, Life: map[string]time.Duration{tuf.Targets: 362 * day}}
		if got := mustNew(t, docs, s).Sentences()[1]; got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
	next := mustNew(t, repository(t), settings()).Next()
	if next == nil || next.Role != tuf.Timestamp || next.Kind != Expires {
		t.Errorf("next: %+v", next)
	}
	if mustNew(t, nil, settings()).Next() != nil {
		t.Error("something comes next where there is nothing")
	}
}

func TestSettingsThatMakeNoSense(t *testing.T) {
	for name, s := range map[string]Settings{
		"no day":            {},
		"a huge window":     {Now: now, WindowPercent: 101},
		"a negative window": {Now: now, WindowPercent: -1},
		"a negative margin": {Now: now, MarginDays: -1},
	} {
		if _, err := New(repository(t), s); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// Whatever the dates and settings: the window opens before the last
// comfortable day, that is before the expiry, and the timeline is in order.
func TestDaysComeInOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		docs := map[string]*tuf.Document{}
		for _, role := range []string{tuf.Root, tuf.Targets, tuf.Timestamp, "plugins"} {
			docs[role] = expiring(t, 1, now.Add(time.Duration(rapid.IntRange(-9_000, 90_000).Draw(rt, role))*time.Hour))
		}
		s := Settings{Now: now, WindowPercent: rapid.IntRange(1, 100).Draw(rt, "percent"), MarginDays: rapid.IntRange(1, 400).Draw(rt, "margin")}
		c, err := New(docs, s)
		if err != nil {
			rt.Fatal(err)
		}
		for _, d := range c.Deadlines {
			if d.Opens.After(d.Last) || d.Last.After(d.Expires) {
				rt.Fatalf("%+v", d)
			}
		}
		if !slices.IsSortedFunc(c.Entries, func(a, b Entry) int { return a.When.Compare(b.When) }) {
			rt.Fatal("the timeline is not in order")
		}
		for _, role := range []string{tuf.Root, tuf.Targets} {
			if c.Breaks.After(docs[role].Expires()) {
				rt.Fatalf("clients break on %s, but %s expires before", c.Breaks, role)
			}
		}
	})
}

func ics(t testing.TB, c *Calendar) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := c.WriteICS(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestCalendarFile(t *testing.T) {
	golden.RequireEqual(t, ics(t, mustNew(t, repository(t), settings())))
}

// A role's name comes from outside; it must not begin a line of its own, and
// no line is longer than calendars read.
func TestCalendarFileIsWellFormedWhateverTheNames(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := settings()
		s.Repository = rapid.String().Draw(rt, "repository")
		role := rapid.String().Draw(rt, "role") + "\r\nEND:VCALENDAR"
		file := string(ics(t, mustNew(t, map[string]*tuf.Document{role: expiring(t, 1, now.AddDate(1, 0, 0))}, s)))
		if !strings.HasSuffix(file, "\r\n") || strings.Count(file, "\r") != strings.Count(file, "\n") || !utf8.ValidString(file) {
			rt.Fatalf("%q", file)
		}
		lines := strings.Split(strings.TrimSuffix(file, "\r\n"), "\r\n")
		for _, l := range lines {
			if len(l) > maxLine || strings.ContainsAny(l, "\r\n") {
				rt.Fatalf("%d octets: %q", len(l), l)
			}
		}
		unfolded := strings.Split(strings.ReplaceAll(file, "\r\n ", ""), "\r\n")
		if n := slices.Index(unfolded, "END:VCALENDAR"); n != len(unfolded)-2 {
			rt.Fatalf("the calendar ends at line %d of %d", n, len(unfolded))
		}
		if begins, ends := strings.Count(file, "\r\nBEGIN:VEVENT\r\n"), strings.Count(file, "\r\nEND:VEVENT\r\n"); begins != 3 || ends != 3 {
			rt.Fatalf("%d events begin, %d end", begins, ends)
		}
	})
}

func uids(file []byte) []string {
	var all []string
	for l := range strings.SplitSeq(string(file), "\r\n") {
		if strings.HasPrefix(l, "UID:") {
			all = append(all, l)
		}
	}
	return all
}

func TestEventsKeepTheirNames(t *testing.T) {
	before := uids(ics(t, mustNew(t, repository(t), settings())))
	later := settings()
	later.Now, later.MarginDays = now.AddDate(0, 0, 3), 20
	after := uids(ics(t, mustNew(t, repository(t), later)))
	slices.Sort(before)
	slices.Sort(after)
	if len(before) != 9 || len(slices.Compact(slices.Clone(before))) != 9 || !slices.Equal(before, after) {
		t.Errorf("%v\n%v", before, after)
	}
	other := settings()
	other.Repository = "example.com"
	for _, id := range uids(ics(t, mustNew(t, repository(t), other))) {
		if slices.Contains(before, id) {
			t.Errorf("two repositories share the event %s", id)
		}
	}
}

func TestCalendarAsJSON(t *testing.T) {
	raw, err := json.Marshal(mustNew(t, repository(t), settings()))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"clients_break":"2027-02-23T00:00:00Z"`, `"because":["targets"]`, `"kind":"last-comfortable-day"`, `"window_opens":"`, `"online":true`,
	} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("no %s in %s", want, raw)
		}
	}
}

// failing is a file on a full disk.
type failing struct{}

var errFull = errors.New("the disk is full")

func (failing) Write([]byte) (int, error) { return 0, errFull }

func TestCalendarFileOnAFullDisk(t *testing.T) {
	if err := mustNew(t, repository(t), settings()).WriteICS(failing{}); !errors.Is(err, errFull) {
		t.Errorf("got %v", err)
	}
}
