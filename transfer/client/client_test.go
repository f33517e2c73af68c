package client_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"conclave/transfer/client"
)

func TestRefreshAsksForEveryFileOnceInOrderAndKeepsItsBytes(t *testing.T) {
	r := newRepo(t)
	cache := r.start()
	r.files["metadata/timestamp.json"] = append(r.files["metadata/timestamp.json"], ' ', '\n')
	r.mustRefresh(cache)
	want := []string{"metadata/2.root.json", "metadata/timestamp.json", "metadata/1.snapshot.json", "metadata/1.targets.json"}
	if !slices.Equal(r.asked, want) {
		t.Errorf("asked for %v\nwant %v", r.asked, want)
	}
	for role, file := range map[string]string{"root": "1.root", "timestamp": "timestamp", "snapshot": "1.snapshot", "targets": "1.targets"} {
		if !bytes.Equal(cache[role], r.files["metadata/"+file+".json"]) {
			t.Errorf("the kept %s differs from the served one", role)
		}
	}
}

func TestSecondRefreshFetchesOnlyWhatMayHaveChanged(t *testing.T) {
	r := newRepo(t)
	cache := r.start()
	r.mustRefresh(cache)
	r.asked = nil
	r.mustRefresh(cache)
	if want := []string{"metadata/2.root.json", "metadata/timestamp.json"}; !slices.Equal(r.asked, want) {
		t.Errorf("asked for %v, want %v", r.asked, want)
	}
}

func TestInitKeepsNothingThatItDoesNotTrust(t *testing.T) {
	r := newRepo(t)
	good := r.files["metadata/1.root.json"]
	for name, root := range map[string][]byte{
		"no JSON":                               []byte("root"),
		"unsigned":                              r.sign(r.root),
		"signed by a key that it does not list": r.sign(r.root, newSigner(t)),
		"changed after the signature":           bytes.Replace(good, []byte(`"version": 1`), []byte(`"version": 2`), 1),
		"a timestamp":                           r.files["metadata/timestamp.json"],
		"a name twice":                          bytes.Replace(good, []byte(`"_type": "root"`), []byte(`"_type": "root", "_type": "root"`), 1),
		"longer than any root":                  append(bytes.Repeat([]byte(" "), 600_000), good...),
	} {
		t.Run(name, func(t *testing.T) {
			dir := client.Folder(filepath.Join(t.TempDir(), "m"))
			if err := client.Init(dir, root); err == nil {
				t.Fatal("init trusts it")
			}
			if _, err := dir.Load("root"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a root was kept: %v", err)
			}
			if _, err := client.New(client.Options{Repository: r, Cache: dir}); !errors.Is(err, client.ErrUninitialised) {
				t.Errorf("New says %v", err)
			}
		})
	}
	if len(r.asked) > 0 {
		t.Errorf("init made requests: %v", r.asked)
	}
}

func TestInitDoesNotReplaceAnotherStart(t *testing.T) {
	one, other := newRepo(t), newRepo(t)
	cache := one.start()
	if err := client.Init(cache, one.files["metadata/1.root.json"]); err != nil {
		t.Errorf("the same root again: %v", err)
	}
	if err := client.Init(cache, other.files["metadata/1.root.json"]); err == nil {
		t.Error("another root replaced the trusted one")
	}
}

// After a failure the cache holds exactly what had been verified until then.
func TestAfterAFailureExactlyTheVerifiedIsKept(t *testing.T) {
	yesterday := now.Add(-24 * time.Hour)
	everything := func(r *repo) {
		r.bump("root", "targets", "snapshot", "timestamp")
		r.publish()
	}
	for name, c := range map[string]struct {
		breakIt func(r *repo)
		kept    string
	}{
		"root signed by nobody it should be": {func(r *repo) { everything(r); r.serveRoot(newSigner(t)) }, "root 1, snapshot 1, targets 1, timestamp 1"},
		"root whose version is not the one asked for": {func(r *repo) {
			r.root.Version = 3
			raw := r.sign(r.root, r.keys["root"]...)
			r.files["metadata/2.root.json"] = raw
		}, "root 1, snapshot 1, targets 1, timestamp 1"},
		"root expired":           {func(r *repo) { r.root.Expires = yesterday; everything(r) }, "root 2, snapshot 1, targets 1, timestamp 1"},
		"root cannot be fetched": {func(r *repo) { r.status["metadata/2.root.json"] = errors.New("500") }, "root 1, snapshot 1, targets 1, timestamp 1"},
		"timestamp unsigned": {func(r *repo) {
			everything(r)
			r.files["metadata/timestamp.json"] = r.sign(r.stamp)
		}, "root 2, snapshot 1, targets 1, timestamp 1"},
		"timestamp expired": {func(r *repo) { r.stamp.Expires = yesterday; everything(r) }, "root 2, snapshot 1, targets 1, timestamp 1"},
		"timestamp missing": {func(r *repo) { delete(r.files, "metadata/timestamp.json") }, "root 1, snapshot 1, targets 1, timestamp 1"},
		"timestamp without a snapshot": {func(r *repo) {
			r.bump("timestamp")
			r.stamp.Meta = map[string]*metadata.MetaFiles{}
			r.publishTimestamp()
		}, "root 1, snapshot 1, targets 1, timestamp 1"},
		"timestamp rolled back": {func(r *repo) {
			r.stamp.Version = 0
			r.publishTimestamp()
		}, "root 1, snapshot 1, targets 1, timestamp 1"},
		"a snapshot in the timestamp's place": {func(r *repo) {
			r.keys["timestamp"] = r.keys["snapshot"]
			r.setRootKeys()
			r.bump("root")
			r.publish()
			r.files["metadata/timestamp.json"] = r.files["metadata/1.snapshot.json"]
		}, "root 2, snapshot 1, targets 1, timestamp 1"},
		"snapshot unsigned": {func(r *repo) {
			everything(r)
			r.files["metadata/2.snapshot.json"] = r.sign(r.snap)
			r.stamp.Meta["snapshot.json"] = metaOf(2, r.files["metadata/2.snapshot.json"])
			r.publishTimestamp()
		}, "root 2, snapshot 1, targets 1, timestamp 2"},
		"snapshot expired": {func(r *repo) { r.snap.Expires = yesterday; everything(r) }, "root 2, snapshot 1, targets 1, timestamp 2"},
		"snapshot that is not the one in the timestamp": {func(r *repo) {
			everything(r)
			r.files["metadata/2.snapshot.json"] = append(r.files["metadata/2.snapshot.json"], ' ')
		}, "root 2, snapshot 1, targets 1, timestamp 2"},
		"snapshot rolled back": {func(r *repo) {
			r.snap.Version = 0
			r.bump("timestamp")
			r.publishSnapshot()
		}, "root 1, snapshot 1, targets 1, timestamp 1"},
		"snapshot that lists less": {func(r *repo) {
			r.bump("snapshot", "timestamp")
			r.snap.Meta = map[string]*metadata.MetaFiles{"other.json": {Version: 1}}
			r.publishSnapshot()
		}, "root 1, snapshot 1, targets 1, timestamp 2"},
		"targets unsigned": {func(r *repo) {
			everything(r)
			raw := r.sign(r.targets["targets"])
			r.files["metadata/2.targets.json"] = raw
			r.snap.Meta["targets.json"] = metaOf(2, raw)
			r.publishSnapshot()
		}, "root 2, snapshot 2, targets 1, timestamp 2"},
		"targets expired": {func(r *repo) { r.targets["targets"].Expires = yesterday; everything(r) }, "root 2, snapshot 2, targets 1, timestamp 2"},
		"targets missing": {func(r *repo) { everything(r); delete(r.files, "metadata/2.targets.json") }, "root 2, snapshot 2, targets 1, timestamp 2"},
		"targets rolled back": {func(r *repo) {
			r.targets["targets"].Version = 0
			r.bump("snapshot", "timestamp")
			r.publish()
		}, "root 1, snapshot 1, targets 1, timestamp 2"},
		"targets with a null target": {func(r *repo) {
			everything(r)
			r.targets["targets"].Targets["x"] = nil
			raw := r.sign(r.targets["targets"], r.keys["targets"]...)
			r.files["metadata/2.targets.json"] = raw
			r.snap.Meta["targets.json"] = metaOf(2, raw)
			r.publishSnapshot()
		}, "root 2, snapshot 2, targets 1, timestamp 2"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRepo(t)
			cache := r.start()
			r.mustRefresh(cache)
			c.breakIt(r)
			err := r.refresh(cache)
			if err == nil {
				t.Error("refresh says that all is well")
			}
			if got := versions(t, cache); got != c.kept {
				t.Errorf("kept %s (%v)\nwant %s", got, err, c.kept)
			}
		})
	}
}

func TestASecondTimestampOfTheSameVersionIsIgnored(t *testing.T) {
	r := newRepo(t)
	cache := r.start()
	r.mustRefresh(cache)
	before := cache["timestamp"]
	r.stamp.Meta["snapshot.json"].Version = 100
	r.publishTimestamp()
	r.mustRefresh(cache)
	if !bytes.Equal(cache["timestamp"], before) {
		t.Error("the kept timestamp changed without a new version")
	}
}

func TestForbiddenMeansThatThereIsNoNewerRoot(t *testing.T) {
	r := newRepo(t)
	r.status["metadata/2.root.json"] = client.ErrNotFound // what 403 becomes, see TestWebAnswers
	r.mustRefresh(r.start())
}

func TestKeyRotationLetsVersionsStartAgain(t *testing.T) {
	r := newRepo(t)
	r.stamp.Version, r.snap.Version, r.targets["targets"].Version = 100, 100, 100
	r.publish()
	cache := r.start()
	r.mustRefresh(cache)
	for _, role := range []string{"timestamp", "snapshot"} {
		r.keys[role] = []*signer{newSigner(t)}
	}
	r.setRootKeys()
	r.root.Version, r.stamp.Version, r.snap.Version, r.targets["targets"].Version = 2, 1, 1, 1
	r.publish()
	r.mustRefresh(cache)
	if got, want := versions(t, cache), "root 2, snapshot 1, targets 1, timestamp 1"; got != want {
		t.Errorf("kept %s, want %s", got, want)
	}
}

func TestADeadSignatureBesideEnoughGoodOnesDoesNoHarm(t *testing.T) {
	r := newRepo(t)
	cache := r.start()
	raw := r.sign(r.stamp, r.keys["timestamp"]...)
	r.files["metadata/timestamp.json"] = bytes.Replace(raw, []byte(`"signatures": [`), []byte(`"signatures": [{"keyid":"00","sig":""},`), 1)
	r.mustRefresh(cache)
}

// An attacker who serves the files wants the client to work for minutes or to
// fill its memory before it looks at a single signature: what it reads of each
// is in package tuf's tests and benchmarks.
func TestHostileFilesAreRefusedAndNotKept(t *testing.T) {
	signature := `{"keyid":"` + strings.Repeat("0", 64) + `","sig":"00"},`
	for name, raw := range map[string]string{
		"150,000 signatures":   `{"signatures":[` + strings.Repeat(signature, 150_000) + `{}],"signed":{"_type":"timestamp"}}`,
		"too many signatures":  `{"signatures":[` + strings.Repeat(`{},`, 64) + `{}],"signed":{"_type":"timestamp"}}`,
		"deep nesting":         strings.Repeat(`[`, 10_000),
		"a root without roles": `{"signatures":[],"signed":{"_type":"root","roles":{"root":null},"keys":{"a":null}}}`,
		"a name twice":         `{"signatures":[],"signatures":[],"signed":{"_type":"timestamp"}}`,
		"null":                 `null`,
		"nothing":              ``,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRepo(t)
			cache := r.start()
			for _, file := range []string{"2.root.json", "timestamp.json"} {
				r.files["metadata/"+file] = []byte(raw)
			}
			if r.refresh(cache) == nil {
				t.Error("refresh takes it")
			}
			if got := versions(t, cache); got != "root 1" {
				t.Errorf("kept %s", got)
			}
		})
	}
}

func TestFolderHoldsOneQuotedFilePerRole(t *testing.T) {
	dir := t.TempDir()
	cache := client.Folder(filepath.Join(dir, "m"))
	for _, role := range []string{"root", "../up", "/a", "?", "a b"} {
		if err := cache.Store(role, []byte(role)); err != nil {
			t.Fatal(err)
		}
		if got, err := cache.Load(role); err != nil || string(got) != role {
			t.Errorf("load %q: %q, %v", role, got, err)
		}
	}
	entries, err := os.ReadDir(string(cache))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	want := []string{"%2Fa.json", "%3F.json", "..%2Fup.json", "a%20b.json", "root.json"}
	if slices.Sort(names); !slices.Equal(names, want) {
		t.Errorf("files %q, want %q", names, want)
	}
}
