package tui

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"conclave/ceremony"
	"conclave/tui/room/roomtest"
)

// A desktop stands in for a Desk.
type desktop struct {
	found  Found
	opened []string
	form   GenesisForm
	err    error
}

func (d *desktop) Find(context.Context) (Found, error) { return d.found, nil }

func (d *desktop) open(what string) (Started, error) {
	d.opened = append(d.opened, what)
	if d.err == nil {
		d.err = errors.New("read bundle: it ends in the middle")
	}
	return Started{}, d.err
}

func (d *desktop) Sign(_ context.Context, path, root string) (Started, error) {
	return d.open(strings.TrimSpace("sign " + path + " " + root))
}

func (d *desktop) Resume(_ context.Context, dir string) (Started, error) {
	return d.open("resume " + dir)
}
func (d *desktop) Practise(context.Context) (Started, error) { return d.open("practise") }

func (d *desktop) Genesis(_ context.Context, f GenesisForm) (Started, error) {
	d.form = f
	return d.open("genesis")
}

func (d *desktop) Look(_ context.Context, path string) (Sheet, error) {
	s := Sheet{Title: "bundle " + path}
	for i := range 40 {
		s.Lines = append(s.Lines, fmt.Sprintf("line %d of the description, with an escape \x1b[2J in it", i+1))
	}
	return s, nil
}

func stick() *desktop {
	return &desktop{found: Found{
		AirGap: "air gap [OK]",
		Bundles: []FoundFile{{
			Path: "/media/SANDISK/release-47.bundle.json", Name: "release-47.bundle.json", Place: "SANDISK", Note: "draft",
		}},
		Stopped: []Stopped{{
			Dir: "/var/lib/conclave/root-5", Title: "root 5", Step: ceremony.StepSign,
			When: roomtest.Noon.Add(-2 * time.Hour), Note: "2 of 3",
		}},
		Records: []FoundFile{{Path: "/media/SANDISK/out/record.jsonl", Name: "record.jsonl", Place: "SANDISK/out"}},
	}}
}

func home(t *testing.T, d Desk) *stand {
	t.Helper()
	s := newStand(t, Options{Desk: d})
	s.run(s.app.goHome())
	s.rest()
	return s
}

func (s *stand) fill(values ...string) {
	s.t.Helper()
	for _, v := range values {
		if v != "" {
			s.typed(v)
		}
		s.key("enter")
	}
}

func homeScenes() []scene {
	return []scene{
		{"home", func(t *testing.T) *stand { return home(t, stick()) }},
		{"home nothing found", func(t *testing.T) *stand { return home(t, &desktop{}) }},
		{"home refused", func(t *testing.T) *stand {
			s := home(t, stick())
			s.key("enter")
			return s
		}},
		{"genesis", func(t *testing.T) *stand {
			s := home(t, &desktop{})
			s.key("enter")
			return s
		}},
		{"genesis wrong", func(t *testing.T) *stand {
			s := home(t, &desktop{})
			s.key("enter")
			s.fill("first keys of example.org", "Alice, Bob, Carol, Dana, Erin", "7", "Alice, Bob, Carol", "2", "", "", "",
				"/media/SANDISK/snapshot.pem", "/media/SANDISK/timestamp.pem", "")
			return s
		}},
		{"look", func(t *testing.T) *stand {
			s := home(t, stick())
			s.key("down", "down", "down", "enter")
			return s
		}},
		{"sheet", func(t *testing.T) *stand {
			s := home(t, stick())
			s.key("down", "down", "down", "enter", "enter", "pgdown")
			return s
		}},
	}
}

func TestGenesisFormReachesTheDesk(t *testing.T) {
	d := &desktop{}
	s := home(t, d)
	s.key("enter")
	s.fill("first keys", "Alice, Bob ,Carol", "2", "Alice, Bob", "2", "", "", "", "s.pem", "t.pem", "app.tar.gz, docs")
	f := d.form
	got := fmt.Sprint(f.Purpose, f.Holders, f.RootThreshold, f.TargetsHolders, f.TargetsThreshold, f.Algorithm,
		f.RootExpires.Format(time.DateOnly), f.TargetsExpires.Format(time.DateOnly), f.SnapshotKey, f.TimestampKey, f.Files)
	want := "first keys[Alice Bob Carol] 2 [Alice Bob] 2 p2562027-11-222027-02-20s.pemt.pem[app.tar.gz docs]"
	if strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(want, " ", "") {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestTheDeskIsAskedForWhatWasChosen(t *testing.T) {
	d := stick()
	s := home(t, d)
	s.key("enter", "down", "enter", "down", "down", "down", "enter")
	want := "sign /media/SANDISK/release-47.bundle.json; resume /var/lib/conclave/root-5; practise"
	if got := strings.Join(d.opened, "; "); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAStickShowsUpByItself(t *testing.T) {
	d := &desktop{}
	s := home(t, d)
	d.found = stick().found
	for range 10 {
		s.tick()
	}
	s.sees("release-47.bundle.json, on SANDISK")
}

func TestSignFromATrustedRootThatPeopleName(t *testing.T) {
	d := stick()
	s := home(t, d)
	s.key("t")
	s.sees("kept apart")
	s.typed("/media/ROOTS/4.root.json", "enter")
	if want := "sign /media/SANDISK/release-47.bundle.json /media/ROOTS/4.root.json"; len(d.opened) != 1 || d.opened[0] != want {
		t.Errorf("opened %q, want %q", d.opened, want)
	}
}
