package publish

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"conclave/transfer"
)

// Metrics collects what a monitor wants to know, in Prometheus' text format. Looks and refreshes of
// several goroutines may be recorded at once.
//
// The gauges of a role stay at what was last seen, so an alert on their age fires even when nothing answers any more:
// conclave_last_success_timestamp_seconds is the dead man's switch.
type Metrics struct {
	mu       sync.Mutex
	status   *Status        // owned by mu
	up       bool           // owned by mu: the last look or refresh succeeded
	tried    time.Time      // owned by mu
	success  time.Time      // owned by mu
	outcomes map[string]int // owned by mu: refreshes by outcome
}

// NewMetrics begins at nothing; success is when this host last succeeded, zero for never.
func NewMetrics(success time.Time) *Metrics {
	return &Metrics{success: success, outcomes: map[string]int{"success": 0, "failure": 0, "alarm": 0}}
}

// Looked records a look at the repository.
func (m *Metrics) Looked(s *Status, err error, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tried, m.up = now, err == nil
	if err == nil {
		m.status = s
		if s.LastSeen.After(m.success) {
			m.success = s.LastSeen
		}
	}
}

// Saw records what is live, of a look that was not made for its own sake.
func (m *Metrics) Saw(s *Status) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.status = s
}

// Refreshed records a refresh.
func (m *Metrics) Refreshed(err error, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tried, m.up = now, err == nil
	switch {
	case err == nil:
		m.success = now
		m.outcomes["success"]++
	case LevelOf(err) == Critical:
		m.outcomes["alarm"]++
	default:
		m.outcomes["failure"]++
	}
}

// Text is everything in Prometheus' text format.
func (m *Metrics) Text() []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b bytes.Buffer
	family := func(name, kind, help string, samples ...string) {
		if len(samples) == 0 {
			return
		}
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
		for _, s := range samples {
			fmt.Fprintf(&b, "%s%s\n", name, s)
		}
	}
	family("conclave_up", "gauge", "Whether the last look at the repository succeeded.", sample(nil, flag(m.up)))
	family("conclave_last_try_timestamp_seconds", "gauge", "When the repository was last looked at.", when(m.tried)...)
	family("conclave_last_success_timestamp_seconds", "gauge", "When this host last refreshed or pushed with success.", when(m.success)...)
	var refreshes []string
	for _, outcome := range slices.Sorted(maps.Keys(m.outcomes)) {
		refreshes = append(refreshes, sample([]string{"outcome", outcome}, int64(m.outcomes[outcome])))
	}
	family("conclave_refreshes_total", "counter", "Refreshes since the start, by outcome.", refreshes...)
	if m.status != nil {
		m.status.families(family)
	}
	return b.Bytes()
}

func (s *Status) families(family func(name, kind, help string, samples ...string)) {
	perRole := func(value func(RoleStatus) int64) []string {
		var samples []string
		for _, r := range s.Roles {
			samples = append(samples, sample([]string{"role", r.Role}, value(r)))
		}
		return samples
	}
	// dates are of the roles that have one, and of the bin that expires first, under the name of all.
	dates := func(value func(RoleStatus) int64) []string {
		var samples []string
		for _, r := range s.Roles {
			if !r.Expires.IsZero() {
				samples = append(samples, sample([]string{"role", r.Role}, value(r)))
			}
		}
		if b := s.Bins; b != nil && b.First != "" {
			samples = append(samples, sample([]string{"role", b.Role}, value(RoleStatus{Expires: b.Expires, Sign: b.Sign})))
		}
		return samples
	}
	levels := perRole(func(r RoleStatus) int64 { return int64(r.Level) })
	if s.Bins != nil {
		levels = append(levels, sample([]string{"role", s.Bins.Role}, int64(s.Bins.Level)))
	}
	family("conclave_role_version", "gauge", "Version of the live document.", perRole(func(r RoleStatus) int64 { return r.Version })...)
	family("conclave_role_expires_timestamp_seconds", "gauge", "When the live document expires.", dates(func(r RoleStatus) int64 { return r.Expires.Unix() })...)
	family("conclave_role_sign_from_timestamp_seconds", "gauge", "When the next document should be signed.", dates(func(r RoleStatus) int64 { return r.Sign.Unix() })...)
	family("conclave_role_level", "gauge", "0 for all right, 1 for a warning, 2 for critical.", levels...)
	family("conclave_status_level", "gauge", "The most urgent of everything: 0 all right, 1 warning, 2 critical.", sample(nil, int64(s.Level)))
	family("conclave_practice", "gauge", "Whether the store is for rehearsals.", sample(nil, flag(s.Practice)))
	if b := s.Bins; b != nil {
		var samples []string
		for _, state := range []struct {
			name string
			n    int
		}{{"read", b.Read}, {"remembered", b.Remembered}, {"not_looked_at", b.Unseen}, {"missing", b.Missing}} {
			samples = append(samples, sample([]string{"state", state.name}, int64(state.n)))
		}
		family("conclave_bins", "gauge", "Hash bins to which the live targets delegate, by how this look saw them.", samples...)
		family("conclave_bins_broken", "gauge", "Hash bins that were read and do not verify.", sample(nil, int64(b.Broken)))
		family("conclave_bins_expired", "gauge", "Hash bins that have expired, of those seen.", sample(nil, int64(b.Expired)))
	}
	if s.Public != nil {
		family("conclave_public_verifies", "gauge", "Whether a client can follow the public address.", sample(nil, flag(s.Public.Error == "")))
		family("conclave_public_timestamp_version", "gauge", "Version of the timestamp that clients are served.", sample(nil, s.Public.Timestamp))
		family("conclave_public_behind", "gauge", "Whether clients are served less than lies in the store.", sample(nil, flag(s.Public.Behind)))
	}
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// sample is what stands behind a family's name.
func sample(labels []string, value int64) string {
	if len(labels) == 0 {
		return fmt.Sprintf(" %d", value)
	}
	quoted := strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`).Replace(labels[1])
	return fmt.Sprintf(`{%s="%s"} %d`, labels[0], quoted, value)
}

func when(t time.Time) []string {
	if t.IsZero() {
		return nil
	}
	return []string{sample(nil, t.Unix())}
}

// WriteTextfile writes the metrics where the node exporter's textfile collector finds them, whole or not at all.
func (m *Metrics) WriteTextfile(path string) error {
	if err := transfer.Replace(path, m.Text()); err != nil {
		return fmt.Errorf("write metrics: %w", err)
	}
	return nil
}
