package tuf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"
)

// TestBuiltRepositoryIsAcceptedByGoTUF walks the whole way once: genesis,
// targets, snapshot and timestamp, each signed by a threshold, then read as a
// client that is not ours reads it.
func TestBuiltRepositoryIsAcceptedByGoTUF(t *testing.T) {
	root := threeOfFive(t, 1)
	root = signed(t, root, mustReqs(t, Root, root, nil, nil), "Alice", "Frank", "Carol")
	targets := mustTargets(t, TargetsSpec{Version: 1, Expires: now.AddDate(0, 3, 0), Files: []TargetFile{
		{Path: "tool.tar.gz", Length: 5, SHA256: digestOf("hello"), Custom: json.RawMessage(`{"b":1,"a":[true,null,"\u003c"]}`)},
	}})
	targets = signed(t, targets, mustReqs(t, Targets, targets, nil, root), "Bob", "Alice")
	snapshot, err := NewSnapshot(1, now.AddDate(0, 1, 0), map[string]*Document{"targets.json": targets}, false)
	if err != nil {
		t.Fatal(err)
	}
	snapshot = signed(t, snapshot, mustReqs(t, Snapshot, snapshot, nil, root), "snapshot")
	timestamp, err := NewTimestamp(1, now.AddDate(0, 0, 1), snapshot, false)
	if err != nil {
		t.Fatal(err)
	}
	timestamp = signed(t, timestamp, mustReqs(t, Timestamp, timestamp, nil, root), "timestamp")

	client, err := trustedmetadata.New(root.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	client.RefTime = now
	if _, err := client.UpdateTimestamp(timestamp.Bytes()); err != nil {
		t.Fatal(err)
	}
	if _, err := client.UpdateSnapshot(snapshot.Bytes(), false); err != nil {
		t.Fatal(err)
	}
	got, err := client.UpdateTargets(targets.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if got.Signed.Targets["tool.tar.gz"].Length != 5 {
		t.Error("the target is not what was put in")
	}
}

func TestBuiltFileHasTheDocumentedLayout(t *testing.T) {
	d := mustTargets(t, TargetsSpec{Version: 3, Expires: now, Practice: true, Files: []TargetFile{{Path: "a", Length: 1, SHA256: digestOf("a")}}})
	want := `{
 "signatures": [],
 "signed": {
  "_type": "targets",
  "expires": "2026-11-22T14:02:00Z",
  "spec_version": "1.0.31",
  "targets": {
   "a": {
    "hashes": {
     "sha256": "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
    },
    "length": 1
   }
  },
  "version": 3,
  "x-conclave-practice": true
 }
}`
	if got := string(d.Bytes()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if !d.Practice() {
		t.Error("the practice mark is lost")
	}
}

func TestBuildingIsDeterministic(t *testing.T) {
	spec := rootOf(1, 2, []string{"Alice", "Bob", "Carol"}, []string{"Dana", "Erin"})
	first := mustRoot(t, spec).Bytes()
	for range 20 {
		if !bytes.Equal(mustRoot(t, spec).Bytes(), first) {
			t.Fatal("the same spec made other bytes")
		}
	}
}

func TestExpiryIsCutToWholeSecondsOfUTC(t *testing.T) {
	zone := time.FixedZone("east", 5*3600)
	d := mustTargets(t, TargetsSpec{Version: 1, Expires: time.Date(2027, 1, 2, 3, 4, 5, 678, zone)})
	if got := d.Expires().Format(time.RFC3339Nano); got != "2027-01-01T22:04:05Z" {
		t.Errorf("expires %s", got)
	}
}

func TestRootsThatMustNotBeMade(t *testing.T) {
	alice := who("Alice")
	relabelled := alice.key
	relabelled.ID = strings.Repeat("ab", 32)
	edit := func(f func(*RootSpec)) RootSpec {
		spec := rootOf(1, 2, []string{"Alice", "Bob", "Carol"}, []string{"Alice", "Bob"})
		f(&spec)
		return spec
	}
	for name, c := range map[string]struct {
		spec RootSpec
		says string
	}{
		"one key under two keyids": {edit(func(s *RootSpec) {
			other := alice.key
			other.object = other.Metadata()
			other.object.UnrecognizedFields = map[string]any{"x-note": "again"}
			other.ID, _ = keyID(other.object)
			s.Keys = append(s.Keys, HeldKey{Key: other})
			s.Roles[Root] = RoleSpec{[]string{alice.key.ID, other.ID}, 2}
		}), "one public key under two keyids"},
		"a keyid that is no hash": {edit(func(s *RootSpec) {
			s.Keys = []HeldKey{{Key: relabelled}, {Key: who("snapshot").key}, {Key: who("timestamp").key}}
			s.Roles[Root] = RoleSpec{[]string{relabelled.ID}, 1}
			s.Roles[Targets] = RoleSpec{[]string{relabelled.ID}, 1}
		}), "not the hash of the key"},
		"a key listed twice":           {edit(func(s *RootSpec) { s.Keys = append(s.Keys, alice.held()) }), "listed twice"},
		"a threshold of 0":             {edit(func(s *RootSpec) { s.Roles[Root] = RoleSpec{idsOf([]string{"Alice"}), 0} }), "must be at least 1"},
		"a threshold above the keys":   {edit(func(s *RootSpec) { s.Roles[Root] = RoleSpec{idsOf([]string{"Alice"}), 2} }), "more than the 1 keys"},
		"a role without keys":          {edit(func(s *RootSpec) { s.Roles[Root] = RoleSpec{nil, 1} }), "must be an array"},
		"a role twice with one key":    {edit(func(s *RootSpec) { s.Roles[Root] = RoleSpec{idsOf([]string{"Bob", "Bob"}), 2} }), "stands twice"},
		"a key that is not listed":     {edit(func(s *RootSpec) { s.Roles[Root] = RoleSpec{idsOf([]string{"Frank"}), 1} }), "not among the keys"},
		"no timestamp role":            {edit(func(s *RootSpec) { delete(s.Roles, Timestamp) }), "signed.roles.timestamp: is missing"},
		"version 0":                    {edit(func(s *RootSpec) { s.Version = 0 }), "signed.version: is 0"},
		"an escape sequence in a name": {edit(func(s *RootSpec) { s.Keys[2].Holder.Name = "Al\x1b[2Jice" }), "control character"},
		"a holder without a name":      {edit(func(s *RootSpec) { s.Keys[2].Holder.Name = "" }), "must not be empty"},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := NewRoot(c.spec)
			if err == nil {
				t.Fatalf("it was made:\n%s", d.Bytes())
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("%q does not say %q", err, c.says)
			}
			hinted(t, err)
		})
	}
}

// hinted checks that an error says what to do.
func hinted(t *testing.T, err error) {
	t.Helper()
	var h interface{ Hint() string }
	if !errors.As(err, &h) || h.Hint() == "" {
		t.Errorf("%q has no hint", err)
	}
}

func TestRenewedRootKeepsAllElse(t *testing.T) {
	for _, path := range [][]string{
		{"sigstore-roots", "15.root.json"},
		{"docker", "root.json"}, // its keyids are not the hashes of its keys: they may stay
		{"tuf-demo", "root.json"},
	} {
		t.Run(strings.Join(path, "/"), func(t *testing.T) {
			base := parseReal(t, path...)
			next, err := RenewRoot(base, base.Version()+1, now.Add(time.Millisecond))
			if err != nil {
				t.Fatal(err)
			}
			if len(next.Signatures()) != 0 {
				t.Error("old signatures were kept")
			}
			want := strings.NewReplacer(
				fmt.Sprintf(`"version":%d`, base.Version()), fmt.Sprintf(`"version":%d`, base.Version()+1),
				base.Expires().Format(time.RFC3339), now.Format(time.RFC3339),
			).Replace(string(base.Payload()))
			if got := string(next.Payload()); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestTargetsKeepDelegationsAndUnknownFields(t *testing.T) {
	base := parseReal(t, "docker", "targets.json")
	next := mustTargets(t, TargetsSpec{Version: 8, Expires: now, Base: base, Files: append(base.Files(), TargetFile{Path: "new", SHA256: digestOf("")})})
	if got := len(next.Targets().Delegations.Roles); got != 3 {
		t.Errorf("%d delegated roles are left", got)
	}
	if next.Targets().UnrecognizedFields["x-tuf-on-ci-expiry-period"] != 365.0 {
		t.Error("an unknown field is lost")
	}
	if got := len(next.Files()); got != 3 {
		t.Errorf("%d files", got)
	}
}

func TestFromLeavesTheValueAlone(t *testing.T) {
	v := metadata.Targets(now.Add(time.Millisecond)).Signed
	before := v.Expires
	if _, err := From(&v); err != nil {
		t.Fatal(err)
	}
	if !v.Expires.Equal(before) {
		t.Error("the caller's value was changed")
	}
}

func TestFromRefusesWhatIsNoMetadata(t *testing.T) {
	for _, v := range []any{nil, 1, "root", metadata.RootType{}, (*metadata.RootType)(nil), &metadata.RootType{}} {
		if _, err := From(v); err == nil {
			t.Errorf("%T was taken", v)
		}
	}
}

func TestTargetPaths(t *testing.T) {
	for path, says := range map[string]string{
		"":                        "is empty",
		"/etc/passwd":             "begins with a slash",
		"a/":                      "ends with a slash",
		"a//b":                    "two slashes",
		"../a":                    `part ".."`,
		"a/../b":                  `part ".."`,
		"a/./b":                   `part "."`,
		`a\b`:                     "backslash",
		"a\x1b[2J":                "control character",
		"a\u0085b":                "control character",
		"a\xffb":                  "not UTF-8",
		strings.Repeat("a", 1000): "more than",
		"a/b-1.2.tar.gz":          "",
		"..a/b..":                 "",
		"ä ö":                     "",
	} {
		err := CheckTargetPath(path)
		switch {
		case says == "" && err != nil:
			t.Errorf("%q: %v", path, err)
		case says != "" && (err == nil || !strings.Contains(err.Error(), says)):
			t.Errorf("%q: %v, want it to say %q", path, err, says)
		}
		_, err = NewTargets(TargetsSpec{Version: 1, Expires: now, Files: []TargetFile{{Path: path}}})
		if (err == nil) != (says == "") {
			t.Errorf("NewTargets with %q: %v", path, err)
		}
	}
}

func TestPathWarnings(t *testing.T) {
	for path, warns := range map[string]bool{
		"a/b-1.2_3+4~5.tar.gz": false,
		"a b":                  true,
		"a%20b":                true,
		"a#b":                  true,
		"a?b":                  true,
		"ä":                    true,
	} {
		if got := PathWarning(path); (got != "") != warns {
			t.Errorf("%q: %q", path, got)
		}
	}
}

func TestSnapshotWantsTargets(t *testing.T) {
	targets := mustTargets(t, TargetsSpec{Version: 1, Expires: now})
	if _, err := NewSnapshot(1, now, nil, false); err == nil {
		t.Error("a snapshot of nothing was made")
	}
	if _, err := NewSnapshot(1, now, map[string]*Document{"targets.json": threeOfFive(t, 1)}, false); err == nil {
		t.Error("a snapshot of a root was made")
	}
	if _, err := NewTimestamp(1, now, targets, false); err == nil {
		t.Error("a timestamp of targets was made")
	}
	for _, name := range []string{"doi", "../doi.json", "a/b.json", ".json", "..json", "a\\b.json"} {
		if _, err := NewSnapshot(1, now, map[string]*Document{"targets.json": targets, name: targets}, false); err == nil {
			t.Errorf("a snapshot of %s was made", name)
		}
	}
	s, err := NewSnapshot(4, now, map[string]*Document{"targets.json": targets}, true)
	if err != nil {
		t.Fatal(err)
	}
	meta := s.Snapshot().Meta["targets.json"]
	if err := meta.VerifyLengthHashes(targets.Bytes()); err != nil || meta.Length == 0 || len(meta.Hashes) != 1 {
		t.Errorf("the snapshot does not describe the exact bytes: %v", err)
	}
}
