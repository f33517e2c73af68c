package publish_test

import (
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"conclave/ceremony/tuf"
	"conclave/transfer/publish"
)

// delegation lets the next targets delegate paths to role, whose key is the
// last holder's, and returns both documents, unsigned.
func (w *world) delegation(role string, paths ...string) (targets, delegated *tuf.Document) {
	w.t.Helper()
	key := w.roots[2].key
	parent := *w.targetsDoc().Targets()
	parent.Delegations = &metadata.Delegations{
		Keys:  map[string]*metadata.Key{key.ID: key.Metadata()},
		Roles: []metadata.DelegatedRole{{Name: role, KeyIDs: []string{key.ID}, Threshold: 1, Paths: paths}},
	}
	targets, err := tuf.From(&parent)
	must(w.t, err)
	digest := sha256.Sum256([]byte("plugin 1"))
	child := *w.targetsDoc().Targets()
	child.Version = 1
	child.Targets = map[string]*metadata.TargetFiles{"plugins/one": {Length: 8, Hashes: metadata.Hashes{"sha256": digest[:]}}}
	delegated, err = tuf.From(&child)
	must(w.t, err)
	return targets, delegated
}

func TestADelegatedRoleIsPublishedBeforeTheTargetsThatDelegateToIt(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	targets, plugins := w.delegation("plugins", "plugins/*")
	file := filepath.Join(w.targetsDir(), "plugins", "one")
	must(t, os.MkdirAll(filepath.Dir(file), 0o755))
	must(t, os.WriteFile(file, []byte("plugin 1"), 0o644))
	b := w.bundle(tuf.Targets).With(tuf.Targets, targets).With("plugins", plugins)
	w.push(w.sign(b))
	puts := w.store.(*watched).puts
	if before, behind := slices.Index(puts, "metadata/1.plugins.json"), slices.Index(puts, "metadata/2.targets.json"); before < 0 || behind < before {
		t.Errorf("puts are %q", puts)
	}
	if got, err := w.download(w.fresh(), "plugins/one"); err != nil || got != "plugin 1" {
		t.Errorf("download: %q, %v", got, err)
	}
	// The snapshot goes on to list the role, whatever is published next.
	w.file("tool.tar", "tool 3")
	w.push(w.signed(tuf.Targets))
	if _, err := w.pub.Refresh(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got, err := w.download(w.fresh(), "plugins/one"); err != nil || got != "plugin 1" {
		t.Errorf("download after the next release: %q, %v", got, err)
	}
}

func TestARoleWhoseNameServersWriteDifferentlyIsNotPublished(t *testing.T) {
	for _, role := range []string{"a/b", "a b", "%41", "..", ".hidden", "a:b", "a?"} {
		t.Run(role, func(t *testing.T) {
			w := newWorld(t)
			w.genesis()
			targets, delegated := w.delegation(role, "plugins/*")
			b := w.bundle(tuf.Targets).With(tuf.Targets, targets).With(role, delegated)
			if _, err := w.pub.Push(context.Background(), w.sign(b), w.targetsDir(), publish.PushOptions{}); err == nil {
				t.Error("it was published")
			}
			if puts := w.store.(*watched).puts; len(puts) != 6 {
				t.Errorf("the store was touched: %q", puts[6:])
			}
		})
	}
}
