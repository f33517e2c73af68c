package ceremony

import (
	"slices"
	"strings"
	"testing"
	"time"

	"conclave/ceremony/tuf"
	"conclave/transfer"
)

// situation gives the expiries that every answer needs.
func (w *world) situation(s Situation) Situation {
	s.Declared = w.now.Add(-12 * time.Minute)
	s.RootExpires, s.TargetsExpires = w.now.Add(365*day), w.now.Add(90*day)
	return s
}

func (w *world) assess(base transfer.Base, s Situation) *Assessment {
	w.t.Helper()
	a, err := Assess(base, w.situation(s), w.now)
	if err != nil {
		w.t.Fatalf("%v (%s)", err, hintOf(err))
	}
	return a
}

func TestWhatAnAttackerCanDoIsSaid(t *testing.T) {
	w, base := repository(t)
	tests := []struct {
		name string
		s    Situation
		says []string
		not  []string
	}{
		{
			"one token of three that are needed",
			Situation{Stolen: []string{"Erin"}},
			[]string{"1 of the 3 keys that root needs"},
			[]string{"SHIP", "SIGN A ROOT"},
		},
		{
			"targets but not the online keys",
			Situation{Stolen: []string{"Alice"}, Suspect: []string{"Bob"}},
			[]string{"They can sign targets, but clients take them only with"},
			[]string{"SHIP"},
		},
		{
			"everything that a release needs",
			Situation{Stolen: []string{"Alice", "Bob", "timestamp", "snapshot"}},
			[]string{"THEY CAN SHIP SOFTWARE", "fast-forward"},
			[]string{"SIGN A ROOT"},
		},
		{
			"a threshold of root",
			Situation{Stolen: []string{"Alice", "Erin", "Frank"}},
			[]string{"THEY CAN SIGN A ROOT", "Root cannot be signed any more"},
			nil,
		},
		{"the timestamp alone", Situation{Suspect: []string{"timestamp"}}, []string{"hold clients at an old release"}, []string{"any mixture"}},
		{"two lost", Situation{Lost: []string{"Alice", "Erin"}}, []string{"help nobody", "Root needs all who are left: Bob, Carol and Frank"}, []string{"They "}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Join(w.assess(base, tt.s).Attacker, "\n")
			for _, want := range tt.says {
				if !strings.Contains(text, want) {
					t.Errorf("it does not say %q:\n%s", want, text)
				}
			}
			for _, not := range tt.not {
				if strings.Contains(text, not) {
					t.Errorf("it says %q:\n%s", not, text)
				}
			}
		})
	}
}

func TestWaysOutAreRankedAndReady(t *testing.T) {
	w, base := repository(t)
	a := w.assess(base, Situation{Stolen: []string{"Carol"}, Suspect: []string{"timestamp"}, Snapshot: []tuf.Key{newOnlineKey(t)}, Timestamp: []tuf.Key{newOnlineKey(t)}})
	if len(a.Plans) != 2 || a.Plans[0].Bundle.Plan != nil || a.Plans[1].Bundle.Plan == nil || a.Plans[0].Minutes >= a.Plans[1].Minutes {
		t.Fatalf("%d ways: %+v", len(a.Plans), a.Plans)
	}
	quick := a.Plans[0]
	if !quick.Bundle.Declared.Equal(wholeSecond(w.now.Add(-12 * time.Minute))) {
		t.Errorf("declared at %s", quick.Bundle.Declared)
	}
	if slices.Contains(quick.Sitting.Enough, "Carol") {
		t.Error("Carol, whose token is stolen, is to sign")
	}
	if text := strings.Join(quick.Consequences, "\n"); !strings.Contains(text, "recovers every client from fast-forwarded versions") {
		t.Errorf("consequences:\n%s", text)
	}
	to := []string{}
	for _, m := range quick.Messages {
		to = append(to, m.To)
	}
	if !slices.Contains(to, "Carol") || len(to) != len(quick.Sitting.Enough)+1 || len(quick.Checklist) < 6 {
		t.Errorf("messages to %q, %d steps", to, len(quick.Checklist))
	}
	w.away = []string{"Carol"}
	s := w.begin(quick.Bundle, base.Roots[0])
	if err := w.hold(s); err != nil {
		t.Fatal(err)
	}
	if s.State().Declared().IsZero() {
		t.Error("the clock since the declaration is not in the state")
	}
	checkRefused(t, w, s.State().Bundle().Document(tuf.Root), w.owned["Carol"])
	if got := Since(day0, day0.Add(12*time.Minute)); got != "declared 14:00, 12 minutes ago" {
		t.Errorf("the clock says %q", got)
	}
}

func TestTwoLostTokensLeadToLowerThresholdsOrNewTokens(t *testing.T) {
	w, base := repository(t)
	a := w.assess(base, Situation{Lost: []string{"Erin", "Frank"}})
	var titles []string
	for _, p := range a.Plans {
		titles = append(titles, p.Title)
	}
	want := []string{
		"take out the keys of Erin and Frank now, and give new tokens later",
		"take out the keys of Erin and Frank, and lower the thresholds for a while",
		"new tokens for Erin and Frank in one sitting",
	}
	if !slices.Equal(titles, want) {
		t.Errorf("ways out: %q", titles)
	}
	if len(a.Stranded) != 0 {
		t.Error("it says that no ceremony helps")
	}
}

func TestLostThresholdLeadsOutOfBand(t *testing.T) {
	w, base := repository(t)
	a := w.assess(base, Situation{Lost: []string{"Alice", "Bob", "Frank"}})
	if len(a.Plans) != 0 || len(a.Stranded) == 0 {
		t.Errorf("%d ways, %d steps out of band", len(a.Plans), len(a.Stranded))
	}
	for _, s := range []Situation{{}, {Lost: []string{"Mallory"}}} {
		if _, err := Assess(base, w.situation(s), w.now); err == nil {
			t.Errorf("%+v is assessed", s)
		}
	}
}
