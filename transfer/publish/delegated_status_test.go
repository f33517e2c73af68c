//go:build !offline

package publish_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"conclave/ceremony/tuf"
	"conclave/transfer/publish"
)

// plugins publishes targets that delegate to the role "plugins", which a person signs where holder is not "", and which lives so long.
func (w *world) plugins(holder string, life time.Duration) {
	w.t.Helper()
	targets, plugins := w.delegation("plugins", "plugins/*")
	parent := *targets.Targets()
	if holder != "" {
		parent.UnrecognizedFields = map[string]any{tuf.HoldersField: map[string]any{w.roots[2].key.ID: map[string]any{"name": holder}}}
	}
	child := *plugins.Targets()
	child.Expires = w.now.Add(life)
	var err error
	if targets, err = tuf.From(&parent); err != nil {
		w.t.Fatal(err)
	}
	if plugins, err = tuf.From(&child); err != nil {
		w.t.Fatal(err)
	}
	file := filepath.Join(w.targetsDir(), "plugins", "one")
	must(w.t, os.MkdirAll(filepath.Dir(file), 0o755))
	must(w.t, os.WriteFile(file, []byte("plugin 1"), 0o644))
	w.push(w.sign(w.bundle(tuf.Targets).With(tuf.Targets, targets).With("plugins", plugins)))
}

// delegatedStatus is the status and its row of plugins.
func (w *world) delegatedStatus() (*publish.Status, publish.RoleStatus) {
	w.t.Helper()
	s, err := w.pub.Status(w.t.Context())
	must(w.t, err)
	i := slices.IndexFunc(s.Roles, func(r publish.RoleStatus) bool { return r.Role == "plugins" })
	if i != 4 {
		w.t.Fatalf("the delegated role stands in row %d of %+v", i, s.Roles)
	}
	return s, s.Roles[i]
}

func TestStatusWatchesDelegatedRoles(t *testing.T) {
	for name, c := range map[string]struct {
		holder string
		left   time.Duration
		level  publish.Level
		says   string
	}{
		"a person's, all right":   {"Dana", 31 * day, publish.OK, ""},
		"a person's, due":         {"Dana", 29 * day, publish.Warn, "plugins 1 expires in 29 days and should be signed anew"},
		"a person's, close":       {"Dana", 6 * day, publish.Critical, "plugins 1 expires in 6 days: then clients refuse the files on its paths"},
		"a machine's, all right":  {"", 8 * day, publish.OK, ""},
		"a machine's, in a week":  {"", 6 * day, publish.Warn, "plugins 1 expires in 6 days and should be signed anew"},
		"a person's, has expired": {"Dana", -time.Hour, publish.Critical, "plugins 1 has expired on"},
		"a machine's, expired":    {"", -time.Hour, publish.Critical, "plugins 1 has expired on"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.genesis()
			w.plugins(c.holder, 40*day)
			w.now = w.now.Add(40*day - c.left)
			s, r := w.delegatedStatus()
			if r.Level != c.level || r.Version != 1 || r.Threshold != 1 || len(r.KeyIDs) != 1 || r.Expired != (c.left < 0) {
				t.Errorf("%+v", r)
			}
			if said := strings.Join(s.Problems, "\n"); strings.Contains(said, "plugins") != (c.says != "") || !strings.Contains(said, c.says) {
				t.Errorf("problems are %q", s.Problems)
			}
			m := publish.NewMetrics(w.now)
			m.Looked(s, nil, w.now)
			if text := string(m.Text()); !strings.Contains(text, `conclave_role_expires_timestamp_seconds{role="plugins"}`) {
				t.Errorf("metrics are\n%s", text)
			}
		})
	}
}

func TestStatusTellsOfADelegatedRoleThatClientsRefuse(t *testing.T) {
	for name, c := range map[string]struct {
		harm  func(w *world)
		level publish.Level
		says  string
	}{
		"another file":        {func(w *world) { must(w.t, os.WriteFile(w.binFile("plugins", "1"), []byte("{}"), 0o644)) }, publish.Critical, "plugins: "},
		"no file":             {func(w *world) { must(w.t, os.Remove(w.binFile("plugins", "1"))) }, publish.Critical, "plugins: "},
		"not in the snapshot": {func(w *world) { w.steal(func(meta map[string]*metadata.MetaFiles) { delete(meta, "plugins.json") }) }, publish.Warn, "plugins is delegated to and not published"},
		"signed by nobody":    {func(w *world) { w.unsignedPlugins() }, publish.Critical, "plugins: "},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.genesis()
			w.plugins("Dana", 60*day)
			c.harm(w)
			s, r := w.delegatedStatus()
			if r.Level != c.level || s.Level != c.level || r.Version != 0 || !r.Expires.IsZero() {
				t.Errorf("%v, %+v", s.Level, r)
			}
			if len(s.Problems) == 0 || !strings.HasPrefix(s.Problems[0], c.says) {
				t.Errorf("problems are %q", s.Problems)
			}
			m := publish.NewMetrics(w.now)
			m.Looked(s, nil, w.now)
			if text := string(m.Text()); strings.Contains(text, `expires_timestamp_seconds{role="plugins"}`) || !strings.Contains(text, `conclave_role_level{role="plugins"}`) {
				t.Errorf("metrics are\n%s", text)
			}
		})
	}
}

// unsignedPlugins makes the live snapshot list a document of the role that nobody signed.
func (w *world) unsignedPlugins() {
	doc, err := tuf.NewTargets(tuf.TargetsSpec{Version: 2, Expires: w.now.Add(30 * day)})
	must(w.t, err)
	must(w.t, w.store.PutNew(w.t.Context(), "metadata/2.plugins.json", publish.Bytes(doc.Bytes())))
	w.steal(func(meta map[string]*metadata.MetaFiles) { meta["plugins.json"] = listed(2, doc.Bytes()) })
}

// A delegated role delegates on: what clients meet there is watched as well, and each role once.
func TestStatusFollowsDelegationsDown(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	targets, plugins := w.delegation("plugins", "plugins/*")
	deeper := *plugins.Targets()
	deeper.Targets, deeper.Expires = map[string]*metadata.TargetFiles{}, w.now.Add(3*day)
	last, err := tuf.From(&deeper)
	must(t, err)
	child := *plugins.Targets()
	child.Targets = map[string]*metadata.TargetFiles{}
	child.Delegations = &metadata.Delegations{
		Keys: targets.Targets().Delegations.Keys,
		Roles: []metadata.DelegatedRole{
			{Name: "nightly", KeyIDs: []string{w.roots[2].key.ID}, Threshold: 1, Paths: []string{"plugins/*"}},
			{Name: "plugins", KeyIDs: []string{w.roots[2].key.ID}, Threshold: 1, Paths: []string{"plugins/*"}},
		},
	}
	plugins, err = tuf.From(&child)
	must(t, err)
	w.push(w.sign(w.bundle(tuf.Targets).With(tuf.Targets, targets).With("plugins", plugins).With("nightly", last)))
	s, _ := w.delegatedStatus()
	if len(s.Roles) != 6 || s.Roles[5].Role != "nightly" || s.Roles[5].Level != publish.Warn || len(s.Problems) != 1 {
		t.Errorf("%+v, %q", s.Roles, s.Problems)
	}
}
