package tuf

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"
)

// onlineRoot is a root whose online roles have the named keys, threshold 1.
func onlineRoot(t *testing.T, version int64, trusted *Document, timestamp, snapshot []string) *Document {
	t.Helper()
	spec := rootOf(version, 2, abc, abc)
	spec.Roles[Timestamp] = RoleSpec{idsOf(timestamp), 1}
	spec.Roles[Snapshot] = RoleSpec{idsOf(snapshot), 1}
	spec.Keys = spec.Keys[2:] // without the two online keys
	for _, name := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(timestamp, snapshot)))) {
		spec.Keys = append(spec.Keys, HeldKey{Key: who(name).key})
	}
	return signedRoot(t, spec, trusted, "Alice", "Bob")
}

// refresh is a client with a forged timestamp and snapshot on its disk, as
// go-tuf's updater does it: what is on the disk comes before what is served,
// and what does not verify any more is passed over.
func refresh(t *testing.T, roots []*Document, disk, served [2]*Document, targets *Document) error {
	t.Helper()
	trusted, err := trustedmetadata.New(roots[0].Bytes())
	if err != nil {
		t.Fatal(err)
	}
	trusted.RefTime = now
	for _, r := range roots[1:] {
		if _, err := trusted.UpdateRoot(r.Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = trusted.UpdateTimestamp(disk[0].Bytes())
	if _, err := trusted.UpdateTimestamp(served[0].Bytes()); err != nil {
		return err
	}
	_, _ = trusted.UpdateSnapshot(disk[1].Bytes(), true)
	if _, err := trusted.UpdateSnapshot(served[1].Bytes(), false); err != nil {
		return err
	}
	_, err = trusted.UpdateTargets(targets.Bytes())
	return err
}

// Somebody has the timestamp and snapshot keys and signs version 2^31 of both,
// so that clients refuse everything that is published after it for ever.
// Frank and Erin stand for the new online keys.
func TestFastForwardedClientsRecoverExactlyWhereWeSaySo(t *testing.T) {
	const far = 1 << 31
	one := onlineRoot(t, 1, nil, []string{"timestamp"}, []string{"snapshot"})
	targets := release(t, one, 17, now.AddDate(0, 1, 0), "Alice", "Bob")
	forgedSnapshot, forgedTimestamp := online(t, one, far, map[string]*Document{"targets.json": mustTargets(t, TargetsSpec{Version: far, Expires: now})})
	for name, c := range map[string]struct {
		timestamp, snapshot []string
		says                string
	}{
		"nothing changes":            {[]string{"timestamp"}, []string{"snapshot"}, "No client forgets anything"},
		"both keys are replaced":     {[]string{"Frank"}, []string{"Erin"}, "Root 2 recovers every client"},
		"only timestamp is replaced": {[]string{"Frank"}, []string{"snapshot"}, "give snapshot new keys"},
		"only snapshot is replaced":  {[]string{"timestamp"}, []string{"Erin"}, "give timestamp new keys"},
		"a new key beside the old":   {[]string{"Frank", "timestamp"}, []string{"Erin"}, "One of the old keys"},
		"the roles change keys":      {[]string{"snapshot"}, []string{"timestamp"}, "Root 2 recovers every client"},
	} {
		t.Run(name, func(t *testing.T) {
			two := onlineRoot(t, 2, one, c.timestamp, c.snapshot)
			snapshot, timestamp := online(t, two, 42, map[string]*Document{"targets.json": targets}, c.snapshot[0], c.timestamp[0])
			err := refresh(t, []*Document{one, two}, [2]*Document{forgedTimestamp, forgedSnapshot}, [2]*Document{timestamp, snapshot}, targets)
			if recovers := Forgets(Timestamp, one, two) && Forgets(Snapshot, one, two); (err == nil) != recovers {
				t.Errorf("the client: %v; we say that it recovers: %v", err, recovers)
			}
			if said := strings.Join(Recovers(one, two), "\n"); !strings.Contains(said, c.says) {
				t.Errorf("%q is not said:\n%s", c.says, said)
			}
		})
	}
	if Forgets(Timestamp, nil, one) || Forgets(Timestamp, one, targets) || Recovers(nil, one) != nil {
		t.Error("something is forgotten without a root")
	}
}

func TestWhatClientsMayHold(t *testing.T) {
	root := onlineRoot(t, 1, nil, []string{"timestamp"}, []string{"snapshot"})
	live := map[string]int64{Timestamp: 977, Snapshot: 41, Targets: 17}
	id := func(name string) string { return who(name).key.ID }
	for name, c := range map[string]struct {
		stolen []string
		open   []string
	}{
		"nothing":       {nil, nil},
		"another key":   {[]string{id("Alice")}, nil},
		"timestamp":     {[]string{id("timestamp")}, []string{Timestamp}},
		"snapshot":      {[]string{id("snapshot")}, nil},
		"both together": {[]string{id("timestamp"), id("snapshot")}, []string{Timestamp, Snapshot, Targets}},
	} {
		var open []string
		for _, h := range MayHold(root, c.stolen, live) {
			if h.From != live[h.Role] || h.Text == "" || h.To < h.From {
				t.Errorf("%s: %+v", name, h)
			}
			if h.To == math.MaxInt64 {
				open = append(open, h.Role)
			}
		}
		if !slices.Equal(open, c.open) {
			t.Errorf("%s: clients may hold anything of %v, want %v", name, open, c.open)
		}
	}
	if MayHold(nil, nil, nil) != nil {
		t.Error("something is held without a root")
	}
}
