package ceremony

import (
	"maps"
	"strings"
	"testing"
	"time"

	"conclave/ceremony/tuf"
)

// apply applies events in order, all of which must be allowed.
func apply(t *testing.T, s State, events ...Event) State {
	t.Helper()
	for _, e := range events {
		next, err := s.Apply(e)
		if err != nil {
			t.Fatalf("%T: %v", e, err)
		}
		s = next
	}
	return s
}

func TestReviewCoversEveryDocumentAsItIsFrozen(t *testing.T) {
	w := newWorld(t, threePeople...)
	s := w.until(w.begin(w.planGenesis(), nil), StepReview)
	digests := map[string]string{}
	for _, d := range s.State().documents {
		digests[d.role] = d.digest.Hex()
	}
	change := func(f func(map[string]string)) map[string]string {
		m := maps.Clone(digests)
		f(m)
		return m
	}
	tests := []struct {
		name    string
		digests map[string]string
	}{
		{"nothing", nil},
		{"one document only", change(func(m map[string]string) { delete(m, tuf.Targets) })},
		{"another digest", change(func(m map[string]string) { m[tuf.Targets] = m[tuf.Root] })},
		{"a digest in capitals", change(func(m map[string]string) { m[tuf.Root] = strings.ToUpper(m[tuf.Root]) })},
		{"a document that is not there", change(func(m map[string]string) { m[tuf.Snapshot] = m[tuf.Root] })},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := s.State().Apply(Reviewed{Holder: "Alice", Digests: tt.digests}); ruleOf(err) != "digest" {
				t.Errorf("error is %v, want the rule about digests", err)
			}
		})
	}
	apply(t, s.State(), Reviewed{Holder: "Alice", Digests: digests})
}

func TestNobodyApprovesWhatTheyHaveNotRead(t *testing.T) {
	w := newWorld(t, threePeople...)
	s := w.until(w.begin(w.planGenesis(), nil), StepReview)
	if err := s.Miss("Carol"); err != nil {
		t.Fatal(err)
	}
	w.until(s, StepSign)
	digests := map[string]string{tuf.Root: s.State().documents[0].digest.Hex()}
	if _, err := s.State().Apply(Approved{Holder: "Carol", Serial: 1002, Digests: digests}); ruleOf(err) != "roll call" {
		t.Errorf("somebody who is away: %v", err)
	}
	here := apply(t, s.State(), Arrived{Holder: "Carol"})
	if _, err := here.Apply(Approved{Holder: "Carol", Serial: 1002, Digests: digests}); ruleOf(err) != "review" {
		t.Errorf("somebody who has not read: %v", err)
	}
}

// A token was asked to sign, the power went, and much later a signature turns
// up. It was not asked for in this session of the program.
func TestSignatureFromBeforeAStopIsNotTaken(t *testing.T) {
	w, s := signing(t, threePeople...)
	v := w.visitor(s, "Alice")
	act := v.Acts[0]
	begun := SignBegun{Holder: "Alice", Serial: v.Info.Serial, KeyID: act.KeyID, Role: act.Role, Digest: act.Digest.Hex()}
	sig, err := s.ask(t.Context(), w.owned["Alice"], act, s.State().people[0].keys[0], testPIN(t, freshPIN))
	if err != nil {
		t.Fatal(err)
	}
	signed := Signed{Holder: "Alice", Serial: v.Info.Serial, KeyID: act.KeyID, Role: act.Role, Digest: act.Digest.Hex(), Sig: sig}
	asked := apply(t, s.State(), begun)
	apply(t, asked, signed)
	if _, err := apply(t, asked, Resumed{}).Apply(signed); ruleOf(err) != "order" {
		t.Errorf("after a stop: %v", err)
	}
	if _, err := apply(t, asked, SignFailed{Holder: "Alice", Serial: v.Info.Serial, KeyID: act.KeyID, Role: act.Role}).Apply(signed); ruleOf(err) != "order" {
		t.Errorf("after the token failed: %v", err)
	}
	other := signed
	other.Serial++
	if _, err := asked.Apply(other); ruleOf(err) != "order" {
		t.Errorf("by another token: %v", err)
	}
	other = signed
	other.Sig = append([]byte{}, sig...)
	other.Sig[len(sig)-1] ^= 1
	if _, err := asked.Apply(other); ruleOf(err) != "signature" {
		t.Errorf("with a bit turned: %v", err)
	}
}

func TestStepsComeInOrder(t *testing.T) {
	w := newWorld(t, threePeople...)
	s := w.begin(w.planGenesis(), nil)
	var went []Step
	for {
		state := s.State()
		went = append(went, state.Step())
		for kind, steps := range allowed {
			ok := false
			for _, step := range steps {
				ok = ok || step == state.Step()
			}
			for _, e := range samples() {
				if e.Kind() != kind || ok {
					continue
				}
				if _, err := state.Apply(e); ruleOf(err) != "order" {
					t.Errorf("%s at %s: %v, want the rule about order", kind, state.Step(), err)
				}
			}
		}
		if state.Step() == StepDone {
			break
		}
		if err := w.turn(s); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := join(texts(went), ""), join(texts(s.State().Steps()), ""); got != want {
		t.Errorf("went %s\nwant %s", got, want)
	}
}

func texts(steps []Step) []string {
	out := make([]string, 0, len(steps))
	for _, s := range steps {
		out = append(out, string(s))
	}
	return out
}

func TestStillSaysWhoCouldCompleteWhat(t *testing.T) {
	tests := []struct {
		name string
		g    gap
		want string
	}{
		{"one of one", gap{"root 4's keys", 1, []string{"Alice"}}, "Alice completes root 4's keys."},
		{"one of two", gap{"root 4's keys", 1, []string{"Erin", "Frank"}}, "One more of Erin or Frank completes root 4's keys."},
		{"one of three", gap{"targets 18", 1, []string{"A", "B", "C"}}, "One more of A, B or C completes targets 18."},
		{"two of two", gap{"targets 18", 2, []string{"A", "B"}}, "A and B together complete targets 18."},
		{"two of three", gap{"targets 18", 2, []string{"A", "B", "C"}}, "Two more of A, B or C complete targets 18."},
		{"two of one", gap{"targets 18", 2, []string{"A"}}, "Targets 18 cannot be completed: two signatures are missing, and only A could still sign."},
		{"one of none", gap{"targets 18", 1, nil}, "Targets 18 cannot be completed: one signature is missing, and nobody could still sign."},
		{"twelve of many", gap{"targets 18", 12, make([]string, 13)}, "12 more of , , , , , , , , , , ,  or  complete targets 18."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.g.sentence(); got != tt.want {
				t.Errorf("%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestSpans(t *testing.T) {
	for want, d := range map[string]int64{"1 second": 1, "59 seconds": 59, "119 seconds": 119, "2 minutes": 120, "119 minutes": 7199, "2 hours": 7200, "47 hours": 48*3600 - 1, "2 days": 48 * 3600, "365 days": 365 * 86400} {
		if got := span(time.Duration(d) * time.Second); got != want {
			t.Errorf("%d s are %q, want %q", d, got, want)
		}
	}
}
