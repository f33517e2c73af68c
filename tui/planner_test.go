package tui

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"conclave/ceremony"
	"conclave/ceremony/calendar"
	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/tui/room/roomtest"
)

// A planningDesk is a desktop that can plan changes of one repository.
type planningDesk struct {
	desktop
	t    *testing.T
	repo Repository
	kept []string

	rules  []string // what the policy says of every draft
	barred error    // or that it allows none
}

func (d *planningDesk) Repository(_ context.Context, at Where) (Repository, error) {
	if at.Folder != "repository/metadata" {
		return Repository{}, errors.New("read repository: there is no such folder")
	}
	return d.repo, nil
}

func (d *planningDesk) Judge(_ context.Context, at Where, _ *transfer.Bundle) ([]string, error) {
	if at.Root != "trusted/1.root.json" {
		return nil, errors.New("judge draft: it is not clear beside which root the policy lies")
	}
	return d.rules, d.barred
}

func (d *planningDesk) KnownKey(ctx context.Context, path string) (*ceremony.KnownKey, error) {
	if path != "frank.json" {
		return nil, errors.New("read public key: there is no such file")
	}
	key, err := d.OnlineKey(ctx, path)
	return &ceremony.KnownKey{Key: key, Serial: 13078790}, err
}

func (d *planningDesk) OnlineKey(context.Context, string) (tuf.Key, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tuf.Key{}, err
	}
	return tuf.NewKey(private.Public())
}

func (d *planningDesk) Keep(_ context.Context, name string, b *transfer.Bundle, lines []string) (Kept, error) {
	d.kept = append(d.kept, name, strings.Join(lines, "\n"))
	k := Kept{Bundle: name + ".bundle.json"}
	if len(lines) > 0 {
		k.Lines = name + ".checklist.txt"
	}
	return k, nil
}

func (d *planningDesk) KeepDays(context.Context, *calendar.Calendar) (string, error) {
	return "days.ics", nil
}

// planning is a desk with a repository: root 1 by 3 of Alice to Erin, targets 1 by 2 of the first three.
func planning(t *testing.T) *planningDesk {
	t.Helper()
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	spec := tuf.RootSpec{Version: 1, Expires: roomtest.Noon.AddDate(1, 0, 0)}
	private := map[string]*ecdsa.PrivateKey{}
	var ids []string
	for i, name := range []string{"Alice", "Bob", "Carol", "Dana", "Erin", "snapshot", "timestamp"} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		check(err)
		k, err := tuf.NewKey(key.Public())
		check(err)
		held := tuf.HeldKey{Key: k}
		if i < 5 {
			held.Holder = tuf.Holder{Name: name, Serial: uint32(13078777 + i), Purpose: "primary"}
		}
		spec.Keys, ids, private[k.ID] = append(spec.Keys, held), append(ids, k.ID), key
	}
	spec.Roles = map[string]tuf.RoleSpec{
		tuf.Root: {KeyIDs: ids[:5], Threshold: 3}, tuf.Targets: {KeyIDs: ids[:3], Threshold: 2},
		tuf.Snapshot: {KeyIDs: ids[5:6], Threshold: 1}, tuf.Timestamp: {KeyIDs: ids[6:], Threshold: 1},
	}
	root, err := tuf.NewRoot(spec)
	check(err)
	targets, err := tuf.NewTargets(tuf.TargetsSpec{Version: 1, Expires: roomtest.Noon.AddDate(0, 3, 0)})
	check(err)
	b := &transfer.Bundle{Documents: []transfer.Document{{Role: tuf.Root, Metadata: root}, {Role: tuf.Targets, Metadata: targets}}}
	for _, role := range []string{tuf.Root, tuf.Targets} {
		doc := b.Document(role)
		reqs, err := b.Requirements(role)
		check(err)
		for _, id := range ids[:3] {
			digest, _, err := root.Keys()[id].Hashed(doc.Payload())
			check(err)
			sig, err := private[id].Sign(rand.Reader, digest, crypto.SHA256)
			check(err)
			doc, err = tuf.Attach(doc, reqs, id, sig)
			check(err)
		}
		b = b.With(role, doc)
	}
	base := transfer.Base{Roots: []*tuf.Document{b.Document(tuf.Root)}, Documents: b.Documents[1:], Seen: map[string]int64{tuf.Snapshot: 1, tuf.Timestamp: 1}}
	return &planningDesk{
		desktop: *stick(), t: t,
		repo: Repository{Base: base, Live: map[string]*tuf.Document{tuf.Root: base.Roots[0], tuf.Targets: base.Documents[0].Metadata}},
	}
}

// chosen is the home screen with one of its lines opened, and the repository named.
func chosen(t *testing.T, d *planningDesk, line string) *stand {
	t.Helper()
	s := home(t, d)
	for range 12 {
		if strings.Contains(s.view(), ">  "+line) {
			break
		}
		s.key("down")
	}
	s.key("enter")
	s.fill("repository/metadata", "trusted/1.root.json")
	return s
}

// night is the way from the home screen to what can be done about Carol's token and the timestamp's key.
func night(t *testing.T, d *planningDesk) *stand {
	t.Helper()
	s := chosen(t, d, "A key is lost or stolen")
	s.fill("2026-11-22T13:50:00Z")
	s.key("down", "down", "right", "right", "down", "down", "down", "down", "left")
	return s
}

func plannerScenes() []scene {
	return []scene{
		{"planner home", func(t *testing.T) *stand {
			d := planning(t)
			d.found.Days = "If nobody does anything, clients break on 2027-02-22 (targets)."
			return home(t, d)
		}},
		{"planner refused", func(t *testing.T) *stand {
			s := home(t, planning(t))
			s.key("down", "down", "down", "enter")
			s.fill("nowhere", "trusted/1.root.json")
			return s
		}},
		{"compromise keys", func(t *testing.T) *stand { return night(t, planning(t)) }},
		{"compromise ways", func(t *testing.T) *stand {
			s := night(t, planning(t))
			s.key("enter", "down")
			return s
		}},
		{"rotation", func(t *testing.T) *stand {
			s := chosen(t, planning(t), "Change keyholders or keys")
			s.fill("Frank for Erin", "Frank:root", "Erin", "", "", "", "nine")
			return s
		}},
		{"rotation planned", func(t *testing.T) *stand {
			d := planning(t)
			d.rules = []string{"example.org releases, 7e39 2dca", "  [!] keys-changed: 2 keys join (an exception that 2 different people decide)"}
			s := chosen(t, d, "Change keyholders or keys")
			s.fill("Frank for Erin", "Frank:root", "Erin", "", "", "", "", "", "", "", "", "")
			return s
		}},
		{"calendar", func(t *testing.T) *stand { return chosen(t, planning(t), "See what expires when") }},
	}
}

// At night: a token is stolen and the timestamp's host is suspect. From the home screen to a bundle that
// answers it, with a checklist and texts; the clock runs in every header.
func TestFromTheAlarmToABundle(t *testing.T) {
	d := planning(t)
	s := night(t, d)
	s.sees("COMPROMISE declared 13:50, 12 minutes ago")
	s.key("enter")
	s.sees("They hold 1 of the 3 keys that root needs")
	s.key("n")
	s.fill("fresh/snapshot.pub", "fresh/timestamp.pub")
	s.key("enter")
	s.sees("Take out the keys of Carol now")
	s.key("w")
	s.sees("[OK] Written: answer.bundle.json")
	if len(d.kept) != 2 || !strings.Contains(d.kept[1], "CHECKLIST") || !strings.Contains(d.kept[1], "to Carol:") {
		t.Errorf("it wrote %q", d.kept)
	}
	s.key("s")
	s.sees("it ends in the middle") // what this desk says of every bundle
	s.key("q")
	s.sees("What do you want to do?")
	s.sees("COMPROMISE declared 13:50")
	if got := strings.Join(d.opened, "; "); got != "sign answer.bundle.json trusted/1.root.json" {
		t.Errorf("it opened %s", got)
	}
}

// A stand-by is planned in calm times, from keys that exist: it is a draft at once, and nobody needs to enrol.
func TestAStandbyIsPlannedFromKeysThatExist(t *testing.T) {
	s := chosen(t, planning(t), "Change keyholders or keys")
	s.fill("Frank waits for Erin", "Frank:root", "Erin", "", "", "Grace=frank.json", "", "", "", "", "", "")
	s.sees("it is not clear whose the key of Grace would be")
	s.key("up", "up", "up", "up", "up", "up")
	for range len("Grace=frank.json") {
		s.key("backspace")
	}
	s.fill("Frank=frank.json", "", "", "", "", "", "")
	s.sees("and Frank (13078790)")
	if view := s.view(); strings.Contains(view, "new token") {
		t.Errorf("somebody is to enrol:\n%s", view)
	}
}

// A policy that lets nobody decide on a threshold of one: the plan is shown with what is wrong, and no key writes it.
func TestWhatThePolicyNeverAllowsIsNotWritten(t *testing.T) {
	d := planning(t)
	d.barred = errors.New("the draft breaks the policy example.org, which allows no exception from this")
	s := chosen(t, d, "Change keyholders or keys")
	s.fill("Frank for Erin", "Frank:root", "Erin", "", "", "", "", "", "", "", "", "")
	s.sees("breaks the policy example.org")
	s.key("w")
	if len(d.kept) != 0 {
		t.Errorf("it wrote %q", d.kept)
	}
}

func TestNoKeyMarkedIsNoSituation(t *testing.T) {
	s := chosen(t, planning(t), "A key is lost or stolen")
	s.fill("")
	s.key("enter")
	s.sees("Mark at least one key")
	s.key("right", "right", "right", "right", "enter")
	s.sees("Mark at least one key")
}
