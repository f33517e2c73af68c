package say

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"

	"conclave/ceremony"
	"conclave/ceremony/tuf"
	"conclave/hsm"
	"conclave/transfer"
	"conclave/tui/text"
)

func TestTrouble(t *testing.T) {
	act := func(err error) error {
		return fmt.Errorf("outer: %w", &ceremony.ActError{Act: "sign root 5", Err: err, Safe: "Root 4 is safe."})
	}
	for _, tt := range []struct {
		name string
		err  error
		want string
	}{
		{"an error without a hint", errors.New("read bundle: it ends in the middle"), "Read bundle: it ends in the middle."},
		{"a refused PIN", act(&hsm.PINError{Retries: 2}), "The token refused the PIN. 2 tries left.|Root 4 is safe.|Check that this is your token, by its serial number, before you try again."},
		{"a token behind other errors", act(fmt.Errorf("piv: sign: %w", hsm.ErrBusy)), "Another program holds the token.|Root 4 is safe.|Close other programs that use it (ykman, gpg, ssh-agent, browsers), take it out and put it in again."},
		{"a rule", act(&ceremony.RuleError{What: "nobody has read what changes", Advice: "at least one reads"}), "Nobody has read what changes.|Root 4 is safe.|At least one reads."},
		{"a rule about a token", act(&ceremony.RuleError{What: "token 7 proves nothing", Err: hsm.ErrNotGenuine}), "Token 7 proves nothing.|Root 4 is safe."},
		{
			"a reason that repeats what is safe",
			act(&ceremony.ActError{Act: "export", Err: &ceremony.RuleError{What: "the medium is full", Advice: "Root 4 is safe. Take another one."}, Safe: "Root 4 is safe."}),
			"Export: the medium is full.|Root 4 is safe.|Take another one.",
		},
		{"somebody stopped", context.Canceled, "It was stopped."},
		{"an escape sequence", errors.New("a\x1b[2J"), "A<U+001B>[2J."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, l := range Trouble(tt.err).Lines() {
				got = append(got, l.String())
			}
			if s := strings.Join(got, "|"); s != tt.want {
				t.Errorf("got  %s\nwant %s", s, tt.want)
			}
		})
	}
}

func TestReviewLosesNoChange(t *testing.T) {
	d := &tuf.Diff{Role: tuf.Root, From: 4, To: 5, Meaning: []string{"m1"}}
	for i, where := range []string{"keys", "root", "targets", "dates", "files", "delegations", "other", "", "unheard of"} {
		d.Changes = append(d.Changes,
			tuf.Change{Kind: "added", Where: where, Text: fmt.Sprintf("<%d>", i)},
			tuf.Change{Kind: "danger", Where: where, Text: fmt.Sprintf("<!%d>", i), Danger: true})
	}
	sections := Review(d)
	var all strings.Builder
	for _, s := range sections {
		for _, item := range s.Items {
			all.WriteString(item.Text.String())
		}
	}
	for _, c := range d.Changes {
		if strings.Count(all.String(), c.Text) != 1 {
			t.Errorf("%q is said %d times", c.Text, strings.Count(all.String(), c.Text))
		}
	}
	if sections[0].Title != "DANGER" || len(sections[0].Items) != 9 {
		t.Errorf("dangers do not come first: %+v", sections[0])
	}
	if last := sections[len(sections)-1]; last.Title != "WHAT THIS MEANS" {
		t.Errorf("the meaning does not come last, but %s", last.Title)
	}
}

func TestSentences(t *testing.T) {
	digest := tuf.Digest(sha256.Sum256([]byte("root 5")))
	root := ceremony.Act{Role: tuf.Root, Version: 5, Digest: digest, Counts: []string{"root 4's keys", "root 5's keys"}}
	targets := ceremony.Act{Role: tuf.Targets, Version: 18, Counts: []string{"targets keys of root 5"}, Needed: true}
	v := ceremony.Visitor{Info: hsm.Info{Serial: 13078779}, Holder: "Bob", Acts: []ceremony.Act{root, targets}}
	after := v
	after.Acts, after.Done = []ceremony.Act{targets}, []ceremony.Act{root}
	need := func(signed, threshold int) text.Safe {
		return Tally(tuf.Tally{Signed: signed, Missing: max(0, threshold-signed), Requirement: tuf.Requirement{Threshold: threshold}})
	}
	for _, tt := range []struct{ name, got, want string }{
		{"a visitor", Visitor(v).String(), "YubiKey 13078779 is Bob's, a key of root 4, root 5 and targets."},
		{"a stranger", Visitor(ceremony.Visitor{Info: hsm.Info{Serial: 7}}).String(), "YubiKey 7 is nobody's in this ceremony."},
		{"a first visit", Visit(v).String(), "It has not signed yet. Two signatures, two touches."},
		{"a second visit", Visit(after).String(), "It has signed ROOT 5. One signature, one touch."},
		{"words", Words(digest, 3).String(), "stapler Wyoming erase ..."},
		{"one short", need(2, 3).String(), "2 of 3"},
		{"enough", need(3, 3).String(), "3 of 3 complete"},
		{"more than enough", need(4, 3).String(), "4 signatures, 3 needed: complete"},
		{"more than enough in a column", Short(tuf.Tally{Signed: 4, Requirement: tuf.Requirement{Threshold: 3}}).String(), "4, needs 3, complete"},
		{"a root's requirement", Requirement(transfer.RoleTally{Role: tuf.Root, Tally: tuf.Tally{Requirement: tuf.Requirement{Name: "root 4's keys"}}}).String(), "root 4's keys"},
		{"another role's requirement", Requirement(transfer.RoleTally{Role: tuf.Targets}).String(), "targets"},
		{"an act too many", Extra(root).String(), "one more than needed"},
		{"an act that is needed", Extra(targets).String(), ""},
		{"power that stays", Power(tuf.Power{Role: "root", Before: tuf.Quorum{Threshold: 1, Names: []string{"A"}}, After: tuf.Quorum{Threshold: 1, Names: []string{"A"}}}).String(), "root: any 1 of A, as before"},
		{"a threshold that moves", Any(tuf.Power{Before: tuf.Quorum{Threshold: 2}, After: tuf.Quorum{Threshold: 3}}).String(), "any 2 -> 3 of"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.got != tt.want {
				t.Errorf("got %q, want %q", tt.got, tt.want)
			}
		})
	}
}

func TestEveryStepHasHelp(t *testing.T) {
	for _, step := range []ceremony.Step{
		ceremony.StepPreflight, ceremony.StepRollCall, ceremony.StepEnrolment, ceremony.StepFreeze, ceremony.StepReview,
		ceremony.StepSign, ceremony.StepConfirm, ceremony.StepExport, ceremony.StepClose,
	} {
		if len(Help(step)) == 0 {
			t.Errorf("%s has no help", step)
		}
	}
}

func TestNames(t *testing.T) {
	if got := fmt.Sprintf("%q", Names(" Alice,Bob ,, Carol de Vries ")); got != `["Alice" "Bob" "Carol de Vries"]` {
		t.Errorf("got %s", got)
	}
	if !SameName("Alice", " aLICE ") || SameName("Alice", "Alicia") {
		t.Error("SameName forgives too little or too much")
	}
}
