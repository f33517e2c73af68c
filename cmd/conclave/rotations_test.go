//go:build !offline

package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"conclave/ceremony"
	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/transfer/client"
)

// A repository lives through every change that its people are afraid of, one ceremony after the other, each held
// line by line with virtual tokens. After each, two TUF clients that we did not write and our own update from
// every root that ever was, and what left can sign nothing any more, even in the hands of a thief with its PIN.
func TestARepositoryLivesThroughEveryChangeOfItsKeys(t *testing.T) {
	if testing.Short() {
		t.Skip("a dozen ceremonies take their time")
	}
	h := newHall(t)
	for _, act := range []struct {
		name string
		hold func(*hall)
	}{
		{"a planned swap of one holder", (*hall).swapOne},
		{"a whole threshold in one sitting", (*hall).swapThreshold},
		{"a stolen token of targets", (*hall).stolenTargets},
		{"a stolen timestamp key with fast-forwarded versions", (*hall).stolenTimestamp},
		{"a lost token with one fewer left", (*hall).lostToken},
		{"three sites in any order", (*hall).threeSites},
		{"a late joiner after four signatures", (*hall).lateJoiner},
		{"a delegated role, by its own holder", (*hall).delegate},
	} {
		ok := t.Run(act.name, func(t *testing.T) {
			h.t, h.house.t = t, t
			act.hold(h)
			h.follow()
		})
		if !ok {
			t.FailNow() // the next change builds on this one
		}
	}
}

func replacing(names ...string) (all []ceremony.Replacing) {
	for _, name := range names {
		all = append(all, ceremony.Replacing{Name: name})
	}
	return all
}

func (h *hall) swapOne() {
	h.token("Bob 2")
	b := h.plan(ceremony.Rotation{Purpose: "Bob's token is old", Replace: replacing("Bob")})
	h.push(h.hold(b, sitting{enrol: []string{"Bob 2"}, sign: []string{"Alice", "Bob", "Carol", "Bob 2"}}))
	h.forged([]string{"Bob"}, "Alice", "Bob 2")
}

// Alice, Carol and Dana come with old and new tokens: the old ones sign their own farewell.
func (h *hall) swapThreshold() {
	fresh := []string{"Alice 2", "Carol 2", "Dana 2"}
	h.token(fresh...)
	b := h.plan(ceremony.Rotation{Purpose: "a threshold of new tokens", Replace: replacing("Alice", "Carol", "Dana")})
	made := h.hold(b, sitting{enrol: fresh, sign: append([]string{"Alice", "Carol", "Dana"}, fresh...)})
	h.push(made)
	h.forged([]string{"Alice", "Carol", "Dana"}, "Alice 2", "Bob 2")
	if got := len(made.Document(tuf.Root).Signatures()); got != 6 {
		h.t.Errorf("root 3 has %d signatures, want 3 old and 3 new ones", got)
	}
}

// Carol's second token is stolen at night. The quickest way out is taken; her signature is not needed, and the
// record says how long it took.
func (h *hall) stolenTargets() {
	h.now = h.now.Add(time.Minute)
	a, err := ceremony.Assess(h.base(), ceremony.Situation{
		Stolen: []string{"Carol"}, Declared: h.now.Add(-12 * time.Minute), RootExpires: h.now.AddDate(1, 0, 0), TargetsExpires: h.now.AddDate(0, 3, 0),
	}, h.now)
	h.check(err)
	made := h.hold(a.Plans[0].Bundle, sitting{away: []string{"Carol"}, sign: []string{"Alice 2", "Bob 2", "Dana 2"}})
	h.push(made)
	h.forged([]string{"Carol 2"}, "Alice 2", "Bob 2")
	if report, err := readRecord(h.record()); err != nil || !strings.Contains(strings.Join(report.Verdict, "\n"), "12 minutes later") {
		h.t.Errorf("the record does not say how long it took: %v", err)
	}
	// She comes back with a new token, so that the others are not all needed.
	h.token("Carol 3")
	b := h.plan(ceremony.Rotation{Add: []ceremony.Joining{{Name: "Carol", Roles: []string{tuf.Root, tuf.Targets}}}})
	h.push(h.hold(b, sitting{enrol: []string{"Carol 3"}, sign: []string{"Alice 2", "Bob 2", "Dana 2"}}))
}

// With the stolen key somebody shows clients a timestamp of version 2^31: from then on they refuse every honest
// one, which is below. New keys for both online roles make them forget it.
func (h *hall) stolenTimestamp() {
	evil := h.fastForward()
	root := h.base().Document(tuf.Root).Bytes()
	goTUF, js, ours := h.t.TempDir(), h.t.TempDir(), client.Memory{}
	h.check(client.Init(ours, root))
	clients := map[string]func(url string) error{
		"go-tuf": func(url string) error { return h.goTUF(url, root, goTUF) },
		"tuf-js": func(url string) error { return h.js(url, root, js) },
		"ours":   func(url string) error { return h.ours(url, ours) },
	}
	for name, update := range clients {
		if err := update(evil); err != nil {
			h.t.Fatalf("%s does not take the forged timestamp: %v", name, err)
		}
		if update(h.url) == nil {
			h.t.Fatalf("%s went back from version 2^31: the attack is not what it says", name)
		}
	}
	h.host("snapshot 2", "timestamp 2")
	b := h.plan(ceremony.Rotation{Snapshot: []tuf.Key{h.key("snapshot 2")}, Timestamp: []tuf.Key{h.key("timestamp 2")}})
	h.push(h.hold(b, sitting{sign: []string{"Alice 2", "Bob 2", "Dana 2"}}))
	for name, update := range clients {
		if err := update(h.url); err != nil {
			h.t.Errorf("%s does not recover: %v", name, err)
		}
		if update(evil) == nil {
			h.t.Errorf("%s takes the stolen key's timestamp again", name)
		}
	}
}

// fastForward serves a copy of the repository with a timestamp of version 2^31.
func (h *hall) fastForward() (url string) {
	h.t.Helper()
	evil := h.t.TempDir()
	h.check(os.CopyFS(evil, os.DirFS(h.folder.Dir())))
	path := filepath.Join(evil, "metadata", "timestamp.json")
	stolen, err := new(metadata.Metadata[metadata.TimestampType]).FromFile(path)
	h.check(err)
	stolen.Signed.Version = 1 << 31
	forged, err := tuf.From(&stolen.Signed)
	h.check(err)
	reqs, err := tuf.Requirements(tuf.Timestamp, forged, nil, h.base().Document(tuf.Root))
	h.check(err)
	forged, err = tuf.Attach(forged, reqs, h.key("timestamp").ID, h.signature("timestamp", forged))
	h.check(err)
	h.check(os.WriteFile(path, forged.Bytes(), 0o644))
	server := httptest.NewServer(http.FileServer(http.Dir(evil)))
	h.t.Cleanup(server.Close)
	return server.URL
}

// Erin's token is at the bottom of a lake. Those who are left sign its key out, and hers with the new one.
func (h *hall) lostToken() {
	h.token("Erin 2")
	b := h.plan(ceremony.Rotation{Absent: []string{"Erin"}, Replace: replacing("Erin"), RootThreshold: 4})
	h.push(h.hold(b, sitting{enrol: []string{"Erin 2"}, sign: []string{"Alice 2", "Bob 2", "Carol 3", "Dana 2"}}))
	h.forged([]string{"Erin"}, "Alice 2", "Bob 2", "Dana 2")
}

// Three sites sign one draft, each alone. Their bundles join in any order to the same bytes, and twice as well.
func (h *hall) threeSites() {
	b := h.plan(ceremony.Rotation{RootThreshold: 3, TargetsThreshold: 3})
	sites := [][]string{{"Alice 2", "Dana 2"}, {"Bob 2"}, {"Carol 3"}}
	people := [][]string{{"Alice", "Dana"}, {"Bob"}, {"Carol"}}
	var parts []*transfer.Bundle
	for i, tokens := range sites {
		away := slices.DeleteFunc(slices.Clone(houseHolders), func(name string) bool { return slices.Contains(people[i], name) })
		parts = append(parts, h.hold(b, sitting{away: away, sign: tokens, partial: true}))
	}
	var want []byte
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		joined := parts[order[0]]
		for _, i := range append(order[1:], order[0]) {
			var err error
			joined, _, err = transfer.Join(joined, parts[i])
			h.check(err)
		}
		raw, err := joined.Bytes()
		h.check(err)
		if want == nil {
			want = raw
			h.push(joined)
		}
		if string(raw) != string(want) {
			h.t.Errorf("in the order %v the parts join to another bundle", order)
		}
	}
}

// Four have signed when Frank arrives. He is put on the list, nobody signs twice, and the next draft takes him in.
func (h *hall) lateJoiner() {
	b := h.plan(ceremony.Rotation{TargetsThreshold: 2})
	made := h.hold(b, sitting{
		sign: []string{"Alice 2", "Bob 2", "Carol 3", "Dana 2"},
		late: []string{"queue Frank", "root", "he missed his train"},
	})
	if got := len(made.Document(tuf.Root).Signatures()); got != 4 {
		h.t.Errorf("the root has %d signatures, want the 4 that were there", got)
	}
	h.push(made)
	h.token("Frank")
	late, err := queuedIn(h.record())
	h.check(err)
	h.push(h.hold(h.plan(ceremony.Rotation{Add: late}), sitting{enrol: []string{"Frank"}, sign: []string{"Alice 2", "Bob 2", "Frank", "Carol 3"}}))
	root := h.base().Document(tuf.Root)
	if holders := tuf.Quorums(root)[tuf.Root].Names; !slices.Contains(holders, "Frank") {
		h.t.Errorf("root's holders are %q", holders)
	}
}

// Fay writes the documentation. The targets keyholders delegate its paths to the key on her own token, once; from then on
// she releases it alone, and clients find it through the delegation. What is not hers she cannot even plan.
func (h *hall) delegate() {
	h.token("Fay")
	role := tuf.Delegation{
		Name: "docs", Keys: []tuf.HeldKey{{Key: h.enrol("Fay"), Holder: tuf.Holder{Name: "Fay", Serial: h.cards["Fay"].Serial()}}}, Threshold: 1, Paths: []string{"docs/*"},
	}
	b, err := ceremony.PlanDelegation(h.base(), ceremony.DelegationChange{Add: []tuf.Delegation{role}, Expires: h.now.AddDate(0, 3, 0)}, h.now)
	h.check(err)
	h.push(h.hold(b, sitting{sign: []string{"Alice 2", "Bob 2", "Fay"}}))

	h.check(os.MkdirAll(filepath.Join(h.dir, "files", "docs"), 0o755))
	h.check(os.WriteFile(filepath.Join(h.dir, "files", "docs", "guide"), []byte("how to"), 0o644))
	hashed, err := transfer.HashFiles(h.t.Context(), []string{filepath.Join(h.dir, "files")}, nil)
	h.check(err)
	base, err := transfer.ReadDelegated(filepath.Join(h.folder.Dir(), "metadata"), h.base(), "docs")
	h.check(err)
	change := ceremony.TargetsChange{Role: "docs", Add: hashed, Expires: h.now.AddDate(0, 3, 0)}
	if _, err := ceremony.PlanTargets(base, change, h.now); err == nil || !strings.Contains(err.Error(), `"app" is not among the paths of docs`) {
		h.t.Errorf("Fay plans a file that is not hers: %v", err)
	}
	change.Add = slices.DeleteFunc(hashed, func(f transfer.PlannedFile) bool { return f.Path != "docs/guide" })
	b, err = ceremony.PlanTargets(base, change, h.now)
	h.check(err)
	h.push(h.hold(b, sitting{sign: []string{"Fay"}}))
	h.target = "docs/guide"
}
