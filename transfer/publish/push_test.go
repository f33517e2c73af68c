package publish_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/transfer/client"
	"conclave/transfer/publish"
)

func TestPushPublishesInTheOrderThatNeverBreaksAClient(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	puts := w.store.(*watched).puts
	if len(puts) != 6 {
		t.Fatalf("puts are %q", puts)
	}
	files := slices.Sorted(slices.Values(puts[:2]))
	if !strings.HasPrefix(files[0], "targets/") || !strings.HasPrefix(files[1], "targets/docs/") {
		t.Errorf("target files come as %q", files)
	}
	want := []string{"metadata/1.targets.json", "metadata/1.snapshot.json", "metadata/1.root.json", "metadata/timestamp.json"}
	if !slices.Equal(puts[2:], want) {
		t.Errorf("metadata comes as %q, want %q", puts[2:], want)
	}
	for path, content := range w.files {
		if got, err := w.download(w.fresh(), path); err != nil || got != content {
			t.Errorf("download %s: %q, %v", path, got, err)
		}
	}
}

func TestPushAgainChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	b := w.signed(tuf.Targets)
	w.push(b)
	before := list(t, w.folder.Dir())
	report := w.push(b)
	if !report.Already {
		t.Error("the report does not say that it was published already")
	}
	if !maps.Equal(before, list(t, w.folder.Dir())) {
		t.Error("the store changed")
	}
	if want := map[string]int64{"root": 1, "targets": 2, "snapshot": 2, "timestamp": 2}; !maps.Equal(report.Versions, want) {
		t.Errorf("versions %v, want %v", report.Versions, want)
	}
}

func TestDryRunChangesAndSignsNothing(t *testing.T) {
	w := newWorld(t)
	w.file("tool.tar", "tool 1")
	b := w.signed(tuf.Root, tuf.Targets)
	o := trust(b)
	o.DryRun = true
	report, err := w.pub.Push(context.Background(), b, w.targetsDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, a := range report.Actions {
		names = append(names, a.Act+" "+a.Name)
	}
	want := []string{"create metadata/1.targets.json", "create metadata/1.snapshot.json", "create metadata/1.root.json", "create metadata/timestamp.json"}
	if len(names) != 5 || !slices.Equal(names[1:], want) {
		t.Errorf("the plan is %q, want a target and %q", names, want)
	}
	if files := list(t, w.folder.Dir()); len(files) > 0 {
		t.Errorf("the store holds %v", files)
	}
	if _, err := os.Stat(w.pub.PinnedRoot); err == nil {
		t.Error("a root was pinned")
	}
	if _, err := os.Stat(filepath.Join(w.pub.StateDir, "push.json")); err == nil {
		t.Error("something was signed")
	}
}

func TestFirstPushNeedsATrustThatIsNotInTheBundle(t *testing.T) {
	w := newWorld(t)
	w.file("tool.tar", "tool 1")
	b := w.signed(tuf.Root, tuf.Targets)
	other := newWorld(t).signed(tuf.Root, tuf.Targets)
	digest := b.Root().Digest()
	for name, o := range map[string]publish.PushOptions{
		"nothing":                {},
		"another root":           {TrustRoot: other.Root().Bytes()},
		"another digest":         {RootDigest: other.Root().Digest().String()},
		"half a digest":          {RootDigest: digest.Hex()[:32]},
		"a root that is no root": {TrustRoot: b.Document(tuf.Targets).Bytes()},
		"a root that is no JSON": {TrustRoot: []byte("root")},
		"31 words":               {RootDigest: strings.Join(digest.Words()[1:], " ")},
		"an unsigned root":       {TrustRoot: tuf.Unsigned(b.Root()).Bytes()},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := w.pub.Push(context.Background(), b, w.targetsDir(), o); err == nil {
				t.Error("it was published")
			}
			if files := list(t, w.folder.Dir()); len(files) > 0 {
				t.Errorf("the store holds %v", files)
			}
			if _, err := os.Stat(w.pub.PinnedRoot); err == nil {
				t.Error("a root was pinned")
			}
		})
	}
	for name, o := range map[string]publish.PushOptions{
		"the root itself": {TrustRoot: b.Root().Bytes()},
		"hex":             {RootDigest: digest.Hex()},
		"groups":          {RootDigest: strings.ToUpper(digest.String())},
		"words":           {RootDigest: strings.ToUpper(strings.Join(digest.Words(), "\n"))},
	} {
		t.Run(name, func(t *testing.T) {
			o.DryRun = true
			if _, err := w.pub.Push(context.Background(), b, w.targetsDir(), o); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestPushRefusesWithoutTouchingTheStore(t *testing.T) {
	for name, c := range map[string]struct {
		make func(w *world) *transfer.Bundle
		want error
		says string
	}{
		"one signature short": {make: func(w *world) *transfer.Bundle {
			w.need = 3
			w.push(w.signed(tuf.Root, tuf.Targets))
			return w.sign(w.bundle(tuf.Targets), w.roots[0])
		}, says: "signatures are missing"},
		"a target file missing": {make: func(w *world) *transfer.Bundle {
			w.file("new", "new")
			must(w.t, os.Remove(filepath.Join(w.targetsDir(), "new")))
			return w.signed(tuf.Targets)
		}, says: `"new"`},
		"a target file changed since it was hashed": {make: func(w *world) *transfer.Bundle {
			w.file("new", "new")
			must(w.t, os.WriteFile(filepath.Join(w.targetsDir(), "new"), []byte("NEW"), 0o644))
			return w.signed(tuf.Targets)
		}, says: "SHA-256"},
		"a target file cut off": {make: func(w *world) *transfer.Bundle {
			w.file("new", "new")
			must(w.t, os.WriteFile(filepath.Join(w.targetsDir(), "new"), []byte("ne"), 0o644))
			return w.signed(tuf.Targets)
		}, says: "2 bytes where 3"},
		"a folder in the place of a target file": {make: func(w *world) *transfer.Bundle {
			w.file("new", "new")
			path := filepath.Join(w.targetsDir(), "new")
			must(w.t, errors.Join(os.Remove(path), os.Mkdir(path, 0o755)))
			return w.signed(tuf.Targets)
		}, says: "not a file"},
		"targets that have moved on": {make: func(w *world) *transfer.Bundle {
			w.file("a", "a")
			late := w.signed(tuf.Targets)
			w.file("b", "b")
			w.push(w.signed(tuf.Targets))
			return late
		}, want: publish.ErrMoved},
		"a root that has moved on": {make: func(w *world) *transfer.Bundle {
			late := w.signed(tuf.Targets)
			w.push(w.signed(tuf.Root))
			return late
		}, want: publish.ErrMoved},
		"a bundle from the day before yesterday": {make: func(w *world) *transfer.Bundle {
			old := w.signed(tuf.Targets)
			w.push(old)
			w.file("a", "a")
			w.push(w.signed(tuf.Targets))
			return old
		}, want: publish.ErrMoved},
		"a base that the store does not have": {make: func(w *world) *transfer.Bundle {
			w.base.Seen[tuf.Timestamp] = 99
			return w.signed(tuf.Targets)
		}, want: publish.ErrRolledBack},
		"expired targets": {make: func(w *world) *transfer.Bundle {
			b := w.signed(tuf.Targets)
			w.now = w.now.Add(91 * day)
			return b
		}, want: publish.ErrExpired},
		"an expired root": {make: func(w *world) *transfer.Bundle {
			w.now = w.now.Add(366 * day)
			return w.signed(tuf.Targets)
		}, want: publish.ErrExpired},
		"a rehearsal": {make: func(w *world) *transfer.Bundle {
			w.practice = true
			return w.signed(tuf.Targets)
		}, want: publish.ErrPractice},
		"a root that does not list our keys": {make: func(w *world) *transfer.Bundle {
			w.online[tuf.Timestamp] = newHolder(w.t).key
			return w.signed(tuf.Root)
		}, says: "timestamp key"},
		"another repository's bundle": {make: func(w *world) *transfer.Bundle {
			other := newWorld(w.t)
			return other.signed(tuf.Root, tuf.Targets)
		}, says: "root 1"},
		"a clock of last year": {make: func(w *world) *transfer.Bundle {
			b := w.signed(tuf.Targets)
			w.now = w.now.Add(-365 * day)
			return b
		}, want: publish.ErrClock},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.genesis()
			b := c.make(w)
			before := list(t, w.folder.Dir())
			_, err := w.pub.Push(context.Background(), b, w.targetsDir(), publish.PushOptions{})
			if err == nil {
				t.Fatal("it was published")
			}
			if c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error is %v", err)
			}
			if !maps.Equal(before, list(t, w.folder.Dir())) {
				t.Error("the store changed")
			}
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestPracticeAndRealDoNotMix(t *testing.T) {
	for name, c := range map[string]struct{ store, bundle, config bool }{
		"a rehearsal into a real store":       {false, true, false},
		"a rehearsal, but the store is not":   {false, true, true},
		"a real bundle into a practice store": {true, false, true},
		"the configuration forgets it":        {true, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if c.store {
				must(t, publish.MarkPractice(context.Background(), w.store))
			}
			before := list(t, w.folder.Dir())
			w.practice, w.pub.Practice = c.bundle, c.config
			b := w.signed(tuf.Root, tuf.Targets)
			if _, err := w.pub.Push(context.Background(), b, w.targetsDir(), trust(b)); !errors.Is(err, publish.ErrPractice) {
				t.Errorf("error is %v", err)
			}
			if !maps.Equal(before, list(t, w.folder.Dir())) {
				t.Error("the store changed")
			}
		})
	}
	t.Run("a rehearsal into a practice store", func(t *testing.T) {
		w := newWorld(t)
		must(t, publish.MarkPractice(context.Background(), w.store))
		w.practice, w.pub.Practice = true, true
		w.genesis()
		for _, name := range []string{"timestamp.json", "1.snapshot.json"} {
			raw, err := os.ReadFile(filepath.Join(w.folder.Dir(), "metadata", name))
			must(t, err)
			if doc, err := tuf.Parse(raw); err != nil || !doc.Practice() {
				t.Errorf("%s does not say that it is practice (%v)", name, err)
			}
		}
	})
	t.Run("a real store does not become one", func(t *testing.T) {
		w := newWorld(t)
		w.genesis()
		if err := publish.MarkPractice(context.Background(), w.store); !errors.Is(err, publish.ErrPractice) {
			t.Errorf("error is %v", err)
		}
	})
}

func TestRootRotationIsPublishedAndFollowed(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	old := w.fresh()
	if _, err := w.download(old, "tool.tar"); err != nil {
		t.Fatal(err)
	}
	gone := w.roots[2] // the first one has signed the targets
	w.roots[2] = newHolder(t)
	b := w.sign(w.bundle(tuf.Root), w.roots[0], w.roots[1], gone)
	report := w.push(b)
	if want := map[string]int64{"root": 2, "targets": 1, "snapshot": 1, "timestamp": 2}; !maps.Equal(report.Versions, want) {
		t.Errorf("versions %v, want %v", report.Versions, want)
	}
	for _, cache := range []map[string][]byte{old, w.fresh()} {
		if _, err := w.download(client.Memory(cache), "tool.tar"); err != nil {
			t.Error(err)
		}
	}
}

// A root takes away the key that has signed the live targets, and the bundle does not
// bring new ones: every client would refuse them from then on. Of large targets, clients are tried one after the other.
func TestARootThatBreaksTheLiveTargetsIsNotPublished(t *testing.T) {
	t.Run("clients all at once", testRootThatBreaksTheLiveTargets)
	t.Run("clients one after the other", func(t *testing.T) {
		before := publish.TryApart(0)
		t.Cleanup(func() { publish.TryApart(before) })
		testRootThatBreaksTheLiveTargets(t)
	})
}

func testRootThatBreaksTheLiveTargets(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	gone := w.roots[0]
	w.roots[0] = newHolder(t)
	before := list(t, w.folder.Dir())
	b := w.sign(w.bundle(tuf.Root), w.roots[1], w.roots[2], gone)
	_, err := w.pub.Push(context.Background(), b, w.targetsDir(), publish.PushOptions{})
	if err == nil || !strings.Contains(err.Error(), "would refuse this update") {
		t.Errorf("error is %v", err)
	}
	if !maps.Equal(before, list(t, w.folder.Dir())) {
		t.Error("the store changed")
	}
	w.push(w.sign(w.bundle(tuf.Root, tuf.Targets), w.roots[1], w.roots[2], gone))
	if _, err := w.download(w.fresh(), "tool.tar"); err != nil {
		t.Error(err)
	}
}

func TestOnlineKeysAreReplacedByARoot(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	w.pub.Snapshot, w.pub.Timestamp = onlineKeys(t)
	w.online = map[string]tuf.Key{tuf.Snapshot: w.pub.Snapshot.Key(), tuf.Timestamp: w.pub.Timestamp.Key()}
	report := w.push(w.signed(tuf.Root))
	if want := map[string]int64{"root": 2, "targets": 1, "snapshot": 2, "timestamp": 2}; !maps.Equal(report.Versions, want) {
		t.Errorf("versions %v, want %v", report.Versions, want)
	}
	if !slices.ContainsFunc(report.Warnings, func(s string) bool { return strings.Contains(s, "for the moment between") }) {
		t.Errorf("warnings %q do not tell of the gap", report.Warnings)
	}
	if _, err := w.download(w.fresh(), "tool.tar"); err != nil {
		t.Error(err)
	}
}

func TestPushWarnsOfWhatSoonExpires(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	b := w.signed(tuf.Targets)
	w.now = w.now.Add(80 * day)
	report := w.push(b)
	if len(report.Warnings) != 1 || !strings.Contains(report.Warnings[0], "targets 2 expires in 10 days") {
		t.Errorf("warnings are %q", report.Warnings)
	}
}

// The keyholders of two sites each completed the bundle, with other
// signatures over the same payload. Both operators push.
func TestTheSamePayloadWithOtherSignaturesIsTheSame(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	draft := w.bundle(tuf.Root, tuf.Targets)
	one := w.sign(draft, w.roots[0], w.roots[1])
	two := w.sign(draft, w.roots[2], w.roots[1])
	w.push(one)
	report := w.push(two)
	if !report.Already {
		t.Error("the second one was published again")
	}
}

func TestAPinThatIsOlderThanTheChainIsEnough(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	for range 3 {
		w.push(w.signed(tuf.Root))
	}
	w.push(w.signed(tuf.Targets))
	if got := w.live(); got["root"] != 4 || got["targets"] != 2 {
		t.Errorf("live is %v", got)
	}
}

// What a dry run announces is what the push then does, and what is live afterwards.
func TestADryRunAnnouncesWhatThePushDoes(t *testing.T) {
	w := newWorld(t)
	w.file("tool.tar", "tool 1")
	rehearse := func(what string, b *transfer.Bundle, already bool) {
		o := trust(b)
		o.DryRun = true
		before := list(t, w.folder.Dir())
		dry, err := w.pub.Push(context.Background(), b, w.targetsDir(), o)
		must(t, err)
		if !maps.Equal(before, list(t, w.folder.Dir())) {
			t.Errorf("%s: the store changed", what)
		}
		report := w.push(b)
		if dry.Already != already || report.Already != already || !maps.Equal(dry.Versions, report.Versions) {
			t.Errorf("%s: %v were announced (already: %v), %v are live", what, dry.Versions, dry.Already, report.Versions)
		}
		acts := func(r *publish.Report) (all []string) {
			for _, a := range r.Actions {
				all = append(all, a.Act+" "+a.Name)
			}
			return all
		}
		if !slices.Equal(acts(dry), acts(report)) {
			t.Errorf("%s: announced were\n%q, done were\n%q", what, acts(dry), acts(report))
		}
	}
	genesis := w.signed(tuf.Root, tuf.Targets)
	rehearse("the first push", genesis, false)
	rehearse("the same again", genesis, true)
	w.file("tool.tar", "tool 2")
	rehearse("a release", w.signed(tuf.Targets), false)
	rehearse("a root, which leaves the snapshot", w.signed(tuf.Root), false)
	w.now = w.now.Add(6 * day)
	rehearse("a root after the snapshot's half-time", w.signed(tuf.Root), false)
}
