package ceremony

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/charmbracelet/x/exp/golden"

	"conclave/ceremony/record"
	"conclave/ceremony/tuf"
	"conclave/hsm"
)

// fixedKey is always the same for the same name.
func fixedKey(t *testing.T, name string) *ecdsa.PrivateKey {
	t.Helper()
	seed := sha256.Sum256([]byte("a key for the golden record: " + name))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), seed[:])
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func fixedOnlineKey(t *testing.T, name string) tuf.Key {
	t.Helper()
	key, err := tuf.NewKey(fixedKey(t, name).Public())
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestWholeRecord shows a whole genesis as its record tells it: Carol comes
// late, Bob mistypes his PIN, somebody decides on an exception, the power goes once.
func TestWholeRecord(t *testing.T) {
	w := newWorld(t, threePeople...)
	for name, token := range w.owned {
		token.fixed = fixedKey(t, name)
	}
	w.cfg.Rand = &counting{}
	g := w.genesis()
	g.Snapshot, g.Timestamp = fixedOnlineKey(t, "snapshot"), fixedOnlineKey(t, "timestamp")
	g.TargetsThreshold = 1
	b, err := PlanGenesis(g, w.now)
	if err != nil {
		t.Fatal(err)
	}
	s := w.until(w.begin(b, nil), StepReview)
	if err := s.Miss("Carol"); err != nil {
		t.Fatal(err)
	}
	w.until(s, StepSign)
	v := w.visitor(s, "Bob")
	if err := s.Sign(t.Context(), v, v.Acts[0], testPIN(t, "999999"), 0); err == nil {
		t.Fatal("a wrong PIN signed")
	}
	_ = s.Close()
	if s, err = Resume(w.cfg); err != nil {
		t.Fatal(err)
	}
	if err := s.Review("Carol"); err != nil {
		t.Fatal(err)
	}
	if err := w.hold(s); err != nil {
		t.Fatal(err)
	}
	entries, _, err := record.Read(filepath.Join(w.cfg.Dir, RecordFile))
	if err != nil {
		t.Fatal(err)
	}
	golden.RequireEqual(t, []byte(story(t, entries)))
}

// story is a record in lines that people can read. Long values are cut, and
// those that depend on the spelling of other files are left out.
func story(t *testing.T, entries []record.Entry) string {
	t.Helper()
	var out strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&out, "%2d  %s  %-9s  %-16s  %s\n", e.Seq, e.Time.Format("15:04:05"), e.Actor, e.Event, short(t, e.Data))
	}
	return out.String()
}

var (
	foreign = regexp.MustCompile(`^(sha256|bundle|metadata|statement|sig|key|leaf|device|policy)$`)
	hexText = regexp.MustCompile(`^[0-9a-f]{40,}$`)
)

func short(t *testing.T, data json.RawMessage) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	out, err := marshal(shorten("", v))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func shorten(name string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = shorten(k, v[k])
		}
	case []any:
		for i := range v {
			v[i] = shorten(name, v[i])
		}
	case string:
		if foreign.MatchString(name) && v != "" {
			return "…"
		}
		if hexText.MatchString(v) {
			return v[:8] + "…"
		}
	}
	return v
}

var _ hsm.Token = (*softToken)(nil)
