package tuf

import (
	"strings"
	"testing"
)

// delegatedBy is metadata of a delegated role, signed by the named people.
func delegatedBy(t *testing.T, role string, by *Document, spec TargetsSpec, names ...string) *Document {
	t.Helper()
	d, err := NewDelegated(role, by, spec)
	if err != nil {
		t.Fatal(err)
	}
	return signed(t, d, mustReqs(t, role, d, nil, by), names...)
}

func TestSimulateDelegatedRoles(t *testing.T) {
	root := signedRoot(t, rootOf(1, 2, abc, abc), nil, "Alice", "Bob")
	tools := handed("tools", 1, []string{"tools/*"}, "Dana", "Erin")
	top := delegating(t, 5, nil, Delegations{Roles: []Delegation{tools, handed("docs", 1, []string{"docs/*"}, "Frank")}})
	top = signed(t, top, mustReqs(t, Targets, top, nil, root), "Alice", "Bob")
	narrow := Delegations{Roles: []Delegation{handed("saws", 1, []string{"tools/saw*"}, "Carol")}}
	spec := func(version int64, days int) TargetsSpec {
		return TargetsSpec{Version: version, Expires: now.AddDate(0, 0, days), Delegations: &narrow}
	}
	plain := func(version int64, days int) TargetsSpec {
		return TargetsSpec{Version: version, Expires: now.AddDate(0, 0, days)}
	}
	good := delegatedBy(t, "tools", top, spec(3, 60), "Dana")
	saws := delegatedBy(t, "saws", good, plain(2, 50), "Carol")
	for name, c := range map[string]struct {
		next, old map[string]*Document
		fate      string
		says      string
	}{
		"all is well, two levels down": {
			map[string]*Document{"tools": good, "saws": saws}, nil, Updates, "accepts targets 5 with saws 2 and tools 3.",
		},
		"nobody signed the role": {
			map[string]*Document{"tools": delegatedBy(t, "tools", top, plain(3, 60))},
			nil, Breaks,
			"accepts targets 5, but it refuses tools 3 (verify targets 3: signatures are missing: tools keys of targets 5 0 of 1)",
		},
		"signed by keys of another role": {
			map[string]*Document{"tools": good, "saws": Unsigned(saws)}, nil, Breaks, "accepts targets 5 with tools 3, but it refuses saws 2",
		},
		"it goes back": {
			map[string]*Document{"tools": good},
			map[string]*Document{"tools": delegatedBy(t, "tools", top, plain(4, 60), "Erin")},
			Breaks,
			"it refuses tools 3, because it has version 4 already",
		},
		"it has expired already": {
			nil, map[string]*Document{"tools": delegatedBy(t, "tools", top, plain(3, -1), "Dana")}, Breaks, "tools 3 expired on 2026-11-21",
		},
		"its document is not here": {nil, nil, Updates, "nothing is said about them: tools and docs."},
	} {
		t.Run(name, func(t *testing.T) {
			u := Update{Roots: []*Document{root}, OldTargets: top, Delegated: c.next, OldDelegated: c.old, Now: now}
			s, err := Simulate(u)
			if err != nil {
				t.Fatal(err)
			}
			if s.Clients[0].Fate != c.fate || !strings.Contains(told(t, u), c.says) {
				t.Errorf("%s is to be said:\n%s", c.says, told(t, u))
			}
		})
	}
	// One role's time being over is no break, and the others stay.
	s, err := Simulate(Update{Roots: []*Document{root}, Targets: top, Delegated: map[string]*Document{"tools": good, "saws": saws}, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range s.Clients {
		if c.Moment.What == "after saws 2 has expired" && (c.Fate != Ends || c.Targets != 5 || len(c.Delegated) != 1 || !strings.Contains(c.String(), "but saws 2 expired")) {
			t.Errorf("%v", c)
		}
	}
	if len(s.Breaks()) > 0 {
		t.Errorf("%v", s.Breaks())
	}
}

func TestSimulateBins(t *testing.T) {
	root := signedRoot(t, rootOf(1, 2, abc, abc), nil, "Alice", "Bob")
	top := delegating(t, 5, nil, Delegations{Bins: &Bins{"bin", 2, []HeldKey{who("Dana").held()}, 1}})
	top = signed(t, top, mustReqs(t, Targets, top, nil, root), "Alice", "Bob")
	bins := map[string]*Document{}
	for _, role := range []string{"bin-0", "bin-3"} {
		bins[role] = delegatedBy(t, role, top, TargetsSpec{Version: 1, Expires: now.AddDate(0, 1, 0)}, "Dana")
	}
	bins["stray"] = bins["bin-0"]
	text := told(t, Update{Roots: []*Document{root}, Targets: top, Delegated: bins, Now: now})
	for _, want := range []string{"accepts targets 5 with bin-0 1 and bin-3 1.", "nothing is said about them: 2 bins of bin-*."} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not said:\n%s", want, text)
		}
	}
}

// The live snapshot lists a newer version than what is to be published: the
// plan was made on a stale copy.
func TestSimulateFindsAPlanOnAStaleCopy(t *testing.T) {
	root := signedRoot(t, rootOf(1, 2, abc, abc), nil, "Alice", "Bob")
	live := release(t, root, 20, now.AddDate(0, 1, 0), "Alice", "Bob")
	snapshot, timestamp := online(t, root, 50, map[string]*Document{"targets.json": live})
	u := Update{Roots: []*Document{root}, Targets: release(t, root, 18, now.AddDate(0, 1, 0), "Alice", "Bob"), Snapshot: snapshot, Timestamp: timestamp, Now: now}
	if text := told(t, u); !strings.Contains(text, "because the live snapshot lists version 20 already") {
		t.Error(text)
	}
	// With what is live, go-tuf plays the update to its end.
	u.Targets, u.OldTargets = nil, live
	s, err := Simulate(u)
	if err != nil || s.Err() != nil || !strings.Contains(told(t, u), "go-tuf played the whole update") {
		t.Errorf("%v\n%s", err, told(t, u))
	}
}
