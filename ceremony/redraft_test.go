package ceremony

import (
	"slices"
	"strings"
	"testing"

	"conclave/ceremony/tuf"
	"conclave/transfer"
)

// partial is root 2 without Frank, signed by some; targets 2 are part of it where resign says so.
func partial(t *testing.T, resign bool, signers ...string) (*world, transfer.Base, *Session) {
	t.Helper()
	w, base := repository(t)
	b := w.planRotation(base, Rotation{Remove: []Leaving{{Name: "Frank"}}, Resign: resign})
	w.all = true
	for _, name := range fivePeople {
		if !slices.Contains(signers, name) {
			w.away = append(w.away, name)
		}
	}
	s := w.until(w.begin(b, base.Roots[0]), StepSign)
	if err := w.sign(s); err != nil {
		t.Fatal(err)
	}
	return w, base, s
}

func TestAChangeAfterSignaturesSaysWhichDieAndWhoMustReturn(t *testing.T) {
	w, base, s := partial(t, true, "Alice", "Erin")
	next, cost, err := Redraft(s.State().Bundle(), base, Rotation{RootThreshold: 2}, w.now)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"2 signatures for root 2 + targets 2 would be worth nothing.",
		"Alice signed root 2.",
		"Erin signed root 2.",
		"To sign the new draft, Alice and Erin must come back.",
		"1 signature on documents that stay as they are, and still count.",
		"Without this change, the draft can be completed as it is, and the change follows in the next one.",
	}
	if !slices.Equal(cost.Text, want) {
		t.Errorf("it says\n%s\nwant\n%s", strings.Join(cost.Text, "\n"), strings.Join(want, "\n"))
	}
	if n := len(next.Document(tuf.Root).Signatures()); n != 0 {
		t.Errorf("the new root 2 carries %d signatures of the old one", n)
	}
	if n := len(next.Document(tuf.Targets).Signatures()); n != 1 {
		t.Errorf("targets 2, which did not change, has %d signatures, want Alice's", n)
	}
	w.next().planAgain(t, next, base.Roots[0])
}

// planAgain signs a new draft to its end: nobody's tokens know of the old one.
func (w *world) planAgain(t *testing.T, b *transfer.Bundle, anchor *tuf.Document) {
	t.Helper()
	w.away, w.all = nil, false
	if _, err := w.done(b, anchor).Verify(anchor); err != nil {
		t.Error(err)
	}
}

// Dana comes after Alice and Erin have signed, and everybody wants her in at once. Root's signatures die; targets
// do not change, so what Alice signed of them still counts after Dana's new token has made its key.
func TestAChangeWithANewTokenKeepsWhatItDoesNotChange(t *testing.T) {
	w, base, s := partial(t, true, "Alice", "Erin")
	draft := s.State().Bundle()
	next, cost, err := Redraft(draft, base, Rotation{Add: []Joining{{Name: "Dana", Roles: []string{tuf.Root}}}}, w.now)
	if err != nil {
		t.Fatal(err)
	}
	if next.Plan == nil || cost.Kept != 1 || len(cost.Dead) != 2 || !slices.Equal(cost.Return, []string{"Alice", "Erin"}) {
		t.Fatalf("plan %v, %+v", next.Plan, cost)
	}
	raw, err := next.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if next, err = transfer.Parse(raw); err != nil {
		t.Fatal(err)
	}
	needs, err := Needs(next)
	if err != nil || needs[2].Missing != 1 || !needs[2].Keys[0].Signed {
		t.Errorf("targets need %+v, %v", needs[2], err)
	}
	n := w.next()
	n.away, n.all = nil, false
	n.owned["Dana"] = newSoftToken(3000)
	n.tokens.insert(n.owned["Dana"])
	again := n.until(n.begin(next, base.Roots[0]), StepSign)
	targets := again.State().Bundle().Document(tuf.Targets)
	if got, was := targets.Signatures(), draft.Document(tuf.Targets).Signatures(); len(got) != 1 || got[0].KeyID != was[0].KeyID {
		t.Fatalf("targets carry %d signatures after the freeze", len(got))
	}
	if v, err := n.look(again, "Alice"); err != nil || len(v.Acts) != 1 || v.Acts[0].Role != tuf.Root {
		t.Errorf("Alice is to sign %+v, %v", v.Acts, err)
	}
	if err := n.hold(again); err != nil {
		t.Fatal(err)
	}
	if !again.State().Complete() {
		t.Error("it is not complete")
	}
}

// In the room, after two signatures: the cost is said first and nothing is written; then the new draft goes to
// the medium, who decided it goes on record, and the old draft can still be completed.
func TestADraftIsChangedInTheRoom(t *testing.T) {
	w, base, s := partial(t, true, "Alice", "Erin")
	change := Rotation{RootThreshold: 2}
	next, cost, err := s.Redraft("", change)
	if err != nil {
		t.Fatal(err)
	}
	if len(w.medium.files) != 0 || len(cost.Dead) != 2 {
		t.Fatalf("%d files are written, %d signatures die", len(w.medium.files), len(cost.Dead))
	}
	for name, e := range map[string]Redrafted{
		"without a reason": {Name: "x", SHA256: sha256Hex(nil), By: []string{"Olga"}},
		"by nobody":        {Name: "x", SHA256: sha256Hex(nil), Reason: "x"},
		"of no file":       {Reason: "x", By: []string{"Olga"}},
	} {
		if _, err := s.State().Apply(e); ruleOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	path, err := s.KeepDraft(next, cost, "three are too many", []string{"Olga", "Pat"})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.State().Redrafted(); len(got) != 1 || got[0].Lost != 2 || !strings.HasSuffix(path, "root-2+targets-2.redraft.bundle.json") {
		t.Errorf("on record: %+v, at %s", got, path)
	}
	w.away = nil
	if err := w.hold(s); err != nil {
		t.Fatal(err)
	}
	n := w.next()
	n.away = []string{"Frank"}
	if root := n.done(next, base.Roots[0]).Document(tuf.Root); root.Root().Roles[tuf.Root].Threshold != 2 {
		t.Error("the new draft does not say what was wanted")
	}
	plain, _, other := partial(t, false, "Alice")
	_ = plain
	if _, _, err := other.Redraft("", change); err == nil || !strings.Contains(hintOf(err), "Name the folder") {
		t.Errorf("without the current targets: %v", err)
	}
}

// Alice leaves targets in the change: what she signed of them counts no more, though their payload is the same.
func TestASignatureByAKeyThatLeavesIsNotKept(t *testing.T) {
	w, base, s := partial(t, true, "Alice", "Bob")
	next, cost, err := Redraft(s.State().Bundle(), base, Rotation{
		Add: []Joining{{Name: "Dana", Roles: []string{tuf.Root, tuf.Targets}}}, Remove: []Leaving{{Name: "Alice", Roles: []string{tuf.Targets}}},
	}, w.now)
	if err != nil {
		t.Fatal(err)
	}
	if cost.Kept != 1 || len(next.Plan.Rotation.Signed) != 1 || len(next.Plan.Rotation.Signed[0].Metadata.Signatures()) != 1 {
		t.Errorf("it keeps %d signatures: %v", cost.Kept, cost.Text)
	}
}

func TestRedraftThatMakesNoSenseIsRefused(t *testing.T) {
	w, base, s := partial(t, false, "Alice")
	draft := s.State().Bundle()
	if _, _, err := Redraft(draft, base, Rotation{}, w.now); err == nil || !strings.Contains(err.Error(), "says the same") {
		t.Errorf("no change: %v", err)
	}
	_, other := repository(t)
	if _, _, err := Redraft(draft, other, Rotation{RootThreshold: 2}, w.now); err == nil {
		t.Error("redrafted on another repository")
	}
	if _, _, err := Redraft(w.planGenesis(), base, Rotation{RootThreshold: 2}, w.now); err == nil {
		t.Error("redrafted a plan")
	}
}

// Somebody new comes through the door after four signatures. Taking them into
// the draft would waste all four.
func TestLateJoinerIsQueuedToTheNextDraft(t *testing.T) {
	w, base, s := partial(t, false, "Alice", "Bob", "Carol", "Erin")
	before := len(s.State().Bundle().Document(tuf.Root).Signatures())
	if before != 4 {
		t.Fatalf("%d signatures, want 4", before)
	}
	_, cost, err := Redraft(s.State().Bundle(), base, Rotation{Add: []Joining{{Name: "Dana", Roles: []string{tuf.Root}}}}, w.now)
	if err != nil || len(cost.Dead) != 4 || !slices.Equal(cost.Return, []string{"Alice", "Bob", "Carol", "Erin"}) {
		t.Fatalf("taking her in costs %+v, %v", cost, err)
	}
	if err := s.Queue("Dana", []string{tuf.Root}, "her train was late"); err != nil {
		t.Fatal(err)
	}
	for name, q := range map[string]Queued{
		"twice":              {"dana", []string{tuf.Root}, "again"},
		"who is here":        {"Alice", []string{tuf.Root}, "x"},
		"for nothing":        {"Eve", nil, "x"},
		"for an online role": {"Eve", []string{tuf.Snapshot}, "x"},
		"without a reason":   {"Eve", []string{tuf.Root}, ""},
		"without a name":     {"", []string{tuf.Root}, "x"},
	} {
		if _, err := s.State().Apply(q); ruleOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := w.hold(s); err != nil {
		t.Fatal(err)
	}
	made := s.State().Bundle()
	if n := len(made.Document(tuf.Root).Signatures()); n != before {
		t.Errorf("root 2 has %d signatures, want the %d that were there", n, before)
	}
	next := w.next()
	next.away = []string{"Frank"}
	next.owned["Dana"] = newSoftToken(3000)
	next.tokens.insert(next.owned["Dana"])
	after := baseOf(made)
	after.Documents = base.Documents
	b := next.planRotation(after, Rotation{Add: s.State().Queued()})
	if got := holdersOf(next.done(b, base.Roots[0]).Document(tuf.Root), tuf.Root); !slices.Contains(got, "Dana") {
		t.Errorf("root 3's holders are %q", got)
	}
}
