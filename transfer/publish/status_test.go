//go:build !offline

package publish_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/exp/golden"
	"go.yaml.in/yaml/v3"

	"conclave/ceremony/tuf"
	"conclave/transfer/client"
	"conclave/transfer/publish"
)

func TestStatusTellsWhenSomebodyMustAct(t *testing.T) {
	w := newWorld(t)
	w.genesis() // root for a year, targets for 90 days, snapshot for 7, timestamp for one
	begin := w.now
	for _, c := range []struct {
		after time.Duration
		want  string
	}{
		{time.Hour, "OK root:OK targets:OK snapshot:OK timestamp:OK"},
		{13 * time.Hour, "WARNING root:OK targets:OK snapshot:OK timestamp:WARNING"},
		{21 * time.Hour, "CRITICAL root:OK targets:OK snapshot:OK timestamp:CRITICAL"},
		{4 * day, "CRITICAL root:OK targets:OK snapshot:OK timestamp:CRITICAL"},
		{5 * day, "CRITICAL root:OK targets:OK snapshot:WARNING timestamp:CRITICAL"},
		{61 * day, "CRITICAL root:OK targets:WARNING snapshot:CRITICAL timestamp:CRITICAL"},
		{84 * day, "CRITICAL root:OK targets:CRITICAL snapshot:CRITICAL timestamp:CRITICAL"},
	} {
		w.now = begin.Add(c.after)
		s, err := w.pub.Status(context.Background())
		must(t, err)
		got := s.Level.String()
		for _, r := range s.Roles {
			got += " " + r.Role + ":" + r.Level.String()
		}
		if got != c.want {
			t.Errorf("after %v: %s, want %s", c.after, got, c.want)
		}
		if (s.Level == publish.OK) != (len(s.Problems) == 0) {
			t.Errorf("after %v: %s with %q", c.after, s.Level, s.Problems)
		}
	}
}

// A cache in front of the store still serves the timestamp of before.
func TestStatusComparesThePublicAddressWithTheStore(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	dir := filepath.Join(w.dir, "cached")
	must(t, copyTree(w.folder.Dir(), dir))
	s := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer s.Close()
	var err error
	w.pub.Public, err = client.Open(s.URL+"/metadata", "")
	must(t, err)
	status, err := w.pub.Status(context.Background())
	must(t, err)
	if status.Level != publish.OK || status.Public == nil || status.Public.Timestamp != 1 || status.Public.Behind {
		t.Errorf("%+v, %+v", status, status.Public)
	}
	behind := w.host("other")
	behind.PinnedRoot = w.pub.PinnedRoot
	_, err = behind.Refresh(context.Background())
	must(t, err)
	status, err = w.pub.Status(context.Background())
	must(t, err)
	if status.Level != publish.Warn || !status.Public.Behind {
		t.Errorf("%+v, %+v", status, status.Public)
	}
	s.Close()
	status, err = w.pub.Status(context.Background())
	must(t, err)
	if status.Level != publish.Critical || status.Public.Error == "" {
		t.Errorf("%+v, %+v", status, status.Public)
	}
}

func TestStatusOfAnAddressNeedsNoPublisher(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	s := httptest.NewServer(http.FileServer(http.Dir(w.folder.Dir())))
	defer s.Close()
	root, err := tuf.Parse(w.fresh()[tuf.Root])
	must(t, err)
	source, err := publish.OpenSource(s.URL)
	must(t, err)
	status, err := publish.StatusFrom(context.Background(), source, nil, root, w.now)
	must(t, err)
	if status.Level != publish.OK || len(status.Roles) != 4 {
		t.Errorf("%+v", status)
	}
	if err := source.PutNew(context.Background(), "metadata/2.root.json", publish.Bytes(nil)); err == nil {
		t.Error("something was put at a web address")
	}
	must(t, os.WriteFile(filepath.Join(w.folder.Dir(), "metadata/1.targets.json"), []byte("{}"), 0o644))
	if _, err := publish.StatusFrom(context.Background(), source, nil, root, w.now); publish.LevelOf(err) != publish.Critical {
		t.Errorf("a damaged repository: %v", err)
	}
	s.Close()
	if _, err := publish.StatusFrom(context.Background(), source, nil, root, w.now); publish.LevelOf(err) != publish.Unknown {
		t.Errorf("a repository that does not answer: %v", err)
	}
}

func TestMetricsAsScraped(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	w.push(w.binsBundle("bins", 1, true))
	m := publish.NewMetrics(time.Time{})
	s, err := w.pub.Status(context.Background())
	must(t, err)
	m.Looked(s, nil, w.now)
	m.Refreshed(nil, w.now)
	m.Refreshed(errors.New("no answer"), w.now.Add(time.Hour))
	m.Refreshed(publish.ErrRolledBack, w.now.Add(2*time.Hour))
	golden.RequireEqual(t, string(m.Text()))
	path := filepath.Join(t.TempDir(), "conclave.prom")
	must(t, m.WriteTextfile(path))
	raw, err := os.ReadFile(path)
	must(t, err)
	if string(raw) != string(m.Text()) {
		t.Error("the file holds something else")
	}
}

func TestMetricsAreServedUntilTheEnd(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ctx, stop := context.WithCancel(context.Background())
	m := publish.NewMetrics(time.Time{})
	ended := make(chan error)
	go func() { ended <- m.Serve(ctx, l) }()
	ask := func(path string) (int, string) {
		answer, err := http.Get("http://" + l.Addr().String() + path)
		must(t, err)
		defer answer.Body.Close()
		raw, err := io.ReadAll(answer.Body)
		must(t, err)
		return answer.StatusCode, string(raw)
	}
	if code, text := ask("/metrics"); code != http.StatusOK || !strings.Contains(text, "conclave_up 0\n") {
		t.Errorf("%d: %s", code, text)
	}
	if code, _ := ask("/healthz"); code != http.StatusServiceUnavailable {
		t.Errorf("healthy before the first refresh: %d", code)
	}
	m.Refreshed(nil, time.Now())
	if code, _ := ask("/healthz"); code != http.StatusOK {
		t.Errorf("unhealthy: %d", code)
	}
	if code, _ := ask("/"); code != http.StatusNotFound {
		t.Errorf("something else is served: %d", code)
	}
	stop()
	must(t, <-ended)
}

// Alert rules that name a metric that is not there never fire.
func TestAlertRulesUseOnlyMetricsThatAreThere(t *testing.T) {
	files, err := publish.Deployment()
	must(t, err)
	raw, err := fs.ReadFile(files, "conclave-alerts.yml")
	must(t, err)
	var rules struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	must(t, yaml.Unmarshal(raw, &rules))
	w := newWorld(t)
	w.genesis()
	w.push(w.binsBundle("bins", 1, true))
	w.pub.Public, err = client.Open(filepath.Join(w.folder.Dir(), "metadata"), "")
	must(t, err)
	s, err := w.pub.Status(context.Background())
	must(t, err)
	m := publish.NewMetrics(w.now)
	m.Looked(s, nil, w.now)
	metric := regexp.MustCompile(`conclave_[a-z_]+`)
	there := metric.FindAllString(string(m.Text()), -1)
	seen := 0
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			names := metric.FindAllString(r.Expr, -1)
			seen += len(names)
			for _, name := range names {
				if !slices.Contains(there, name) {
					t.Errorf("%s: there is no %s", r.Alert, name)
				}
			}
			if r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%s does not say what to do", r.Alert)
			}
		}
	}
	if seen < 8 {
		t.Errorf("only %d metrics are watched", seen)
	}
}

func TestUnitsAreWhatSystemdReads(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "units")
	paths, err := publish.WriteDeployment(dir)
	must(t, err)
	if len(paths) != 4 {
		t.Errorf("%q", paths)
	}
	if _, err := publish.WriteDeployment(dir); err == nil {
		t.Error("files were overwritten")
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed (Debian: systemd)")
	}
	for _, path := range paths {
		if strings.HasSuffix(path, ".yml") {
			continue
		}
		out, err := exec.Command(analyze, "verify", "--man=no", path).CombinedOutput()
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, "conclave") && !strings.Contains(line, "is not executable") {
				t.Errorf("%s (%v)", line, err)
			}
		}
	}
}
