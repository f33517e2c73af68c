package ceremony

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"conclave/ceremony/tuf"
	"conclave/transfer"
)

// repository is root 1 and targets 1 of five people, 3 of 5 for root, 2 of the first 3 for targets.
func repository(t *testing.T) (*world, transfer.Base) {
	t.Helper()
	w := newWorld(t, fivePeople...)
	base := baseOf(w.done(w.planGenesis(), nil))
	return w.next(), base
}

// rotation is what r changes, with expiries.
func (w *world) rotation(r Rotation) Rotation {
	r.RootExpires, r.TargetsExpires = w.now.Add(365*day), w.now.Add(90*day)
	return r
}

func (w *world) planRotation(base transfer.Base, r Rotation) *transfer.Bundle {
	w.t.Helper()
	b, err := PlanRotation(base, w.rotation(r), w.now)
	if err != nil {
		w.t.Fatalf("plan: %v (%s)", err, hintOf(err))
	}
	raw, err := b.Bytes()
	if err != nil {
		w.t.Fatal(err)
	}
	again, err := transfer.Parse(raw)
	if err != nil {
		w.t.Fatalf("the plan does not read back: %v", err)
	}
	return again
}

// holdersOf names the holders of a role in the order of its keys.
func holdersOf(root *tuf.Document, role string) []string {
	var names []string
	for _, id := range root.Root().Roles[role].KeyIDs {
		names = append(names, root.Holders()[id].Name)
	}
	return names
}

// checkRefused proves that a leaving key's signature is worth nothing for the next root.
func checkRefused(t *testing.T, w *world, next *tuf.Document, gone *softToken) {
	t.Helper()
	key, err := tuf.NewKey(gone.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	if _, listed := next.Keys()[key.ID]; listed {
		t.Fatalf("%s still lists the key", next.Title())
	}
	renewed, err := tuf.RenewRoot(next, next.Version()+1, w.now.Add(day))
	if err != nil {
		t.Fatal(err)
	}
	reqs, err := tuf.Requirements(tuf.Root, renewed, next, renewed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tuf.Attach(renewed, reqs, key.ID, []byte("anything")); !errors.Is(err, tuf.ErrStranger) {
		t.Errorf("a signature by the key that left: %v, want that it has no say", err)
	}
}

func TestOneHolderGetsANewToken(t *testing.T) {
	w, base := repository(t)
	b := w.planRotation(base, Rotation{Purpose: "Bob's token is old", Replace: []Replacing{{Name: "bob"}}})
	if got := title(b); got != "root 2 + targets 2" {
		t.Fatalf("it is planned as %q", got)
	}
	old := w.owned["Bob"]
	w.bring("Bob")
	s := w.begin(b, base.Roots[0])
	if !slices.Contains(s.State().Steps(), StepEnrolment) {
		t.Error("nobody is to enrol")
	}
	for _, p := range s.State().Participants() {
		if p.Enrolled == (p.Name == "Bob") || p.Leaving {
			t.Errorf("%s: enrolled %v, leaving %v", p.Name, p.Enrolled, p.Leaving)
		}
	}
	if err := w.hold(s); err != nil {
		t.Fatalf("%v (%s)", err, hintOf(err))
	}
	made := s.State().Bundle()
	root := made.Document(tuf.Root)
	if got := holdersOf(root, tuf.Root); !slices.Equal(got, []string{"Alice", "Carol", "Erin", "Frank", "Bob"}) {
		t.Errorf("root 2's holders are %q", got)
	}
	if got := holdersOf(root, tuf.Targets); !slices.Equal(got, []string{"Alice", "Carol", "Bob"}) {
		t.Errorf("targets' holders are %q", got)
	}
	if n := len(made.Tokens); n != 1 || made.Tokens[0].Serial != w.fresh["Bob"].info.Serial {
		t.Errorf("%d pieces of evidence", n)
	}
	checkRefused(t, w, root, old)
	w.settle()
	next := w.next()
	release, err := PlanTargets(baseOf(made), TargetsChange{Remove: []string{"app/conclave.tar.gz"}, Expires: next.now.Add(90 * day)}, next.now)
	if err != nil {
		t.Fatal(err)
	}
	next.done(release, base.Roots[0])
}

func TestEverybodyGetsANewTokenInOneSitting(t *testing.T) {
	w, base := repository(t)
	r := Rotation{Purpose: "new tokens for all", Snapshot: []tuf.Key{newOnlineKey(t)}, Timestamp: []tuf.Key{newOnlineKey(t)}, RootThreshold: 2}
	old := map[string]*softToken{}
	for _, name := range fivePeople {
		r.Replace = append(r.Replace, Replacing{Name: name})
		old[name] = w.owned[name]
		w.bring(name)
	}
	made := w.done(w.planRotation(base, r), base.Roots[0])
	root := made.Document(tuf.Root)
	if got := root.Root().Roles[tuf.Root].Threshold; got != 2 {
		t.Errorf("root's threshold is %d", got)
	}
	if got := root.Root().Roles[tuf.Snapshot].KeyIDs; !slices.Equal(got, []string{r.Snapshot[0].ID}) {
		t.Errorf("snapshot keys are %q", got)
	}
	for _, token := range old {
		checkRefused(t, w, root, token)
	}
	if sigs := len(root.Signatures()); sigs != 5 {
		t.Errorf("root 2 has %d signatures, want 3 of the old tokens and 2 of the new", sigs)
	}
}

func TestHoldersComeAndGoAndThresholdsChange(t *testing.T) {
	w, base := repository(t)
	w.owned["Dana"] = newSoftToken(3000)
	w.tokens.insert(w.owned["Dana"])
	b := w.planRotation(base, Rotation{
		Add:           []Joining{{Name: "Dana", Roles: []string{tuf.Root, tuf.Targets}}, {Name: "Erin", Roles: []string{tuf.Targets}}},
		Remove:        []Leaving{{Name: "Frank"}, {Name: "Carol", Roles: []string{tuf.Targets}}},
		RootThreshold: 4,
	})
	s := w.begin(b, base.Roots[0])
	if i, _ := s.State().find("Frank"); !s.State().people[i].leaving {
		t.Error("Frank does not leave")
	}
	if err := w.hold(s); err != nil {
		t.Fatal(err)
	}
	root := s.State().Bundle().Document(tuf.Root)
	if got := holdersOf(root, tuf.Root); !slices.Equal(got, []string{"Alice", "Bob", "Carol", "Erin", "Dana"}) {
		t.Errorf("root: %q", got)
	}
	if got := holdersOf(root, tuf.Targets); !slices.Equal(got, []string{"Alice", "Bob", "Erin", "Dana"}) {
		t.Errorf("targets: %q", got)
	}
	if s.State().Bundle().Document(tuf.Targets) != nil {
		t.Error("targets were signed anew, though Alice and Bob had signed them")
	}
}

func TestChangeWithoutNewKeysIsADraftAtOnce(t *testing.T) {
	w, base := repository(t)
	dana := newSoftToken(3000)
	dana.key = fixedKey(t, "Dana")
	key, err := tuf.NewKey(dana.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	b := w.planRotation(base, Rotation{
		Remove: []Leaving{{Name: "Frank"}},
		Add:    []Joining{{Name: "Dana", Roles: []string{tuf.Root}, Known: &KnownKey{Key: key, Serial: 3000, Evidence: &transfer.Evidence{Serial: 3000, Slot: "9c"}}}},
	})
	if b.Plan != nil || len(b.Documents) != 1 || len(b.Tokens) != 1 || b.Tokens[0].KeyID != key.ID || b.Tokens[0].Holder != "Dana" {
		t.Fatalf("plan %v, %d documents, evidence %+v", b.Plan, len(b.Documents), b.Tokens)
	}
	w.away = []string{"Dana"}
	w.done(b, base.Roots[0])
}

// A targets key goes, and the live targets were signed with it: clients that
// have the next root could not verify them any more.
func TestTargetsAreSignedAnewWhereTheNextRootNeedsIt(t *testing.T) {
	w, base := repository(t) // targets 1 is signed by Alice and Bob
	tests := []struct {
		name string
		r    Rotation
		want string
	}{
		{"a signer of targets leaves", Rotation{Remove: []Leaving{{Name: "Alice"}}}, "root 2 + targets 2"},
		{"a signer of targets leaves targets only", Rotation{Remove: []Leaving{{Name: "Bob", Roles: []string{tuf.Targets}}}}, "root 2 + targets 2"},
		{"somebody else leaves", Rotation{Remove: []Leaving{{Name: "Carol"}}}, "root 2"},
		{"a higher threshold", Rotation{TargetsThreshold: 3}, "root 2 + targets 2"},
		{"a lower threshold", Rotation{TargetsThreshold: 1, Remove: []Leaving{{Name: "Alice"}}}, "root 2"},
		{"somebody wants it", Rotation{Remove: []Leaving{{Name: "Frank"}}, Resign: true}, "root 2 + targets 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := w.planRotation(base, tt.r)
			if got := titleOf(b); got != tt.want {
				t.Errorf("it is %q, want %q", got, tt.want)
			}
			if next := b.Document(tuf.Targets); next != nil && len(next.Files()) != 1 {
				t.Errorf("it lists %d files", len(next.Files()))
			}
		})
	}
}

func TestRotationsThatCannotBeMeantAreNotPlanned(t *testing.T) {
	w, base := repository(t)
	both := []string{tuf.Root, tuf.Targets}
	online := newOnlineKey(t)
	alice, err := tuf.NewKey(w.owned["Alice"].key.Public())
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		r    Rotation
		says string
	}{
		{"nothing", Rotation{}, "nobody's keys change"},
		{"somebody unknown leaves", Rotation{Remove: []Leaving{{Name: "Mallory"}}}, "cannot leave"},
		{"somebody leaves a role that they have not", Rotation{Remove: []Leaving{{Name: "Erin", Roles: []string{tuf.Targets}}}}, "cannot leave"},
		{"somebody unknown gets a new token", Rotation{Replace: []Replacing{{Name: "Mallory"}}}, "cannot be given"},
		{"somebody joins who is there", Rotation{Add: []Joining{{Name: "ALICE", Roles: both}}}, "holds a key already"},
		{"somebody joins nothing", Rotation{Add: []Joining{{Name: "Dana"}}}, "no role"},
		{"somebody joins an online role", Rotation{Add: []Joining{{Name: "Dana", Roles: []string{tuf.Timestamp}}}}, "cannot join"},
		{"a name that hides something", Rotation{Add: []Joining{{Name: "Da\u202ena", Roles: both}}}, "cannot be seen"},
		{"a threshold above the people", Rotation{RootThreshold: 6}, "lock everybody out"},
		{"too many leave root", Rotation{Remove: []Leaving{{Name: "Alice"}, {Name: "Bob"}, {Name: "Carol"}}}, "lock everybody out"},
		{"too many leave targets", Rotation{Remove: []Leaving{{Name: "Alice"}, {Name: "Bob"}}}, "lock everybody out"},
		{"a key that two people have", Rotation{Add: []Joining{{Name: "Dana", Roles: both, Known: &KnownKey{Key: alice}}}}, "one key would be"},
		{"a key that is online as well", Rotation{Snapshot: []tuf.Key{online}, Add: []Joining{{Name: "Dana", Roles: both, Known: &KnownKey{Key: online}}}}, "online key"},
		{"no online key", Rotation{Snapshot: []tuf.Key{}}, "no online key"},
		{"an unknown algorithm", Rotation{Algorithm: "rsa", Replace: []Replacing{{Name: "Bob"}}}, "not known"},
		{"those who are left cannot sign the next root", Rotation{Absent: []string{"Alice", "Bob"}, RootThreshold: 4}, "only Carol, Erin and Frank could"},
		{"somebody who is absent has a name that nobody has", Rotation{Absent: []string{"Alicia"}, RootThreshold: 3}, "Alicia holds no key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var plan *PlanError
			if _, err := PlanRotation(base, w.rotation(tt.r), w.now); !errors.As(err, &plan) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error is %v, want a plan error that says %q", err, tt.says)
			}
		})
	}
	late := w.rotation(Rotation{Replace: []Replacing{{Name: "Bob"}}})
	late.RootExpires = time.Time{}
	if _, err := PlanRotation(base, late, w.now); err == nil {
		t.Error("planned without an expiry")
	}
}

// Three of five root tokens are lost: no ceremony helps, and the program says so before anybody travels.
func TestAnOldThresholdThatNobodyCanMeetIsSaid(t *testing.T) {
	w, base := repository(t)
	r := w.rotation(Rotation{Absent: []string{"Alice", "Bob", "Frank"}})
	for _, name := range r.Absent {
		r.Replace = append(r.Replace, Replacing{Name: name})
	}
	_, err := PlanRotation(base, r, w.now)
	var stranded *StrandedError
	if !errors.As(err, &stranded) || stranded.Threshold != 3 || !slices.Equal(stranded.Left, []string{"Carol", "Erin"}) {
		t.Fatalf("error is %v", err)
	}
	if !strings.Contains(hintOf(err), "plan genesis") {
		t.Errorf("the hint is %q", hintOf(err))
	}
}

// One token is lost and n−1 are left: they take its key out, and its holder comes with a new one.
func TestLostTokenIsReplacedByThoseWhoAreLeft(t *testing.T) {
	w, base := repository(t)
	b := w.planRotation(base, Rotation{Absent: []string{"Alice"}, Replace: []Replacing{{Name: "Alice"}}})
	lost := w.owned["Alice"]
	w.bring("Alice")
	w.settle()
	made := w.done(b, base.Roots[0])
	checkRefused(t, w, made.Document(tuf.Root), lost)
}

// Alice puts in her old token for the new key. Writing over it would destroy a
// signature that the change needs, whatever serial somebody types.
func TestTheOldTokenIsNeverWrittenOver(t *testing.T) {
	w, base := repository(t)
	s := w.until(w.begin(w.planRotation(base, Rotation{Replace: []Replacing{{Name: "Alice"}}}), base.Roots[0]), StepEnrolment)
	w.bring("Alice")
	for _, name := range []string{"Alice", "Bob"} {
		token := w.owned[name]
		before := token.generated
		v, err := s.Look(t.Context(), token.info.Reader)
		if err != nil {
			t.Fatal(err)
		}
		err = s.Enrol(t.Context(), v, Enrolling{Holder: "Alice", PIN: testPIN(t, token.pin), NewPIN: testPIN(t, freshPIN), Erase: token.info.Serial})
		if rule := ruleOf(err); rule != "key" && rule != "serial" || token.generated != before {
			t.Errorf("%s's token: %v, %d keys made", name, err, token.generated-before)
		}
	}
	if err := w.hold(s); err != nil {
		t.Fatal(err)
	}
}

func TestHolderWithoutANewTokenIsTakenOutOfARotation(t *testing.T) {
	w, base := repository(t)
	s := w.until(w.begin(w.planRotation(base, Rotation{Replace: []Replacing{{Name: "Alice"}, {Name: "Frank"}}}), base.Roots[0]), StepEnrolment)
	w.bring("Alice")
	w.bring("Frank")
	if err := s.Drop("Frank", "the new token is broken", []string{"Olga", "Pat"}); err != nil {
		t.Fatal(err)
	}
	if err := w.hold(s); err != nil {
		t.Fatal(err)
	}
	if got := holdersOf(s.State().Bundle().Document(tuf.Root), tuf.Root); !slices.Equal(got, []string{"Bob", "Carol", "Erin", "Alice"}) {
		t.Errorf("root 2's holders are %q", got)
	}
}

func TestPowerCutAnywhereInARotation(t *testing.T) {
	made := newWorld(t, threePeople...)
	first := made.done(made.planGenesis(), nil)
	root1 := first.Document(tuf.Root)
	n := 0
	fresh := func(t *testing.T) (*world, *transfer.Bundle, *tuf.Document) {
		n++
		w := *made
		w.t, w.fresh = t, nil
		next := w.next()
		b, err := PlanRotation(baseOf(first), next.rotation(Rotation{Replace: []Replacing{{Name: "Bob"}}}), next.now)
		if err != nil {
			t.Fatal(err)
		}
		next.bring("Bob").info.Serial = uint32(5000 + n)
		return next, b, root1
	}
	killEverywhere(t, fresh, func(w *world, _ State) {
		if n := w.fresh["Bob"].generated; n != 1 {
			w.t.Errorf("Bob's new token made %d keys, want 1", n)
		}
	})
}

// Only the root changes. Whether clients take the live targets with it is seen before anything leaves the room,
// and which signatures on them count no more is said.
func TestClientsArePlayedOverTheLiveTargetsWhereOnlyTheRootChanges(t *testing.T) {
	w, base := repository(t) // targets 1 is signed by Alice and Bob
	b := w.planRotation(base, Rotation{Remove: []Leaving{{Name: "Alice"}}, TargetsThreshold: 1})
	s := w.until(w.begin(b, base.Roots[0]), StepConfirm)
	verdict, complete, err := s.State().At(w.now).Verdict(w.now)
	said := strings.Join(verdict, "\n")
	if err != nil || !complete {
		t.Fatalf("complete %v, %v", complete, err)
	}
	for _, want := range []string{
		"Targets 1 stay as they are: 1 of their signatures count with root 2, which wants 1. What the key of Alice signed counts no more.",
		"A client at any root from 1 to 2 on 2026-11-23 ends at root 2 and accepts targets 1.",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q:\n%s", want, said)
		}
	}
	// The same root over targets that the key which goes alone has signed: every client would be stuck.
	state := s.State().At(w.now)
	broken := *state.bundle
	live := base.Documents[0].Metadata
	reqs, err := tuf.Requirements(tuf.Targets, live, nil, base.Roots[0])
	if err != nil {
		t.Fatal(err)
	}
	bob := slices.IndexFunc(reqs[0].Keys, func(k tuf.Key) bool { return base.Roots[0].Holders()[k.ID].Name == "Bob" })
	reqs[0].Keys = slices.Delete(slices.Clone(reqs[0].Keys), bob, bob+1)
	alone, _ := tuf.Clean(live, reqs)
	broken.Base.Documents = []transfer.Document{{Role: tuf.Targets, Metadata: alone}}
	state.bundle = &broken
	if err := state.checkClients(); ruleOf(err) != ExceptClients || !strings.Contains(err.Error(), "it refuses targets 1") {
		t.Errorf("clients that would be stuck: %v", err)
	}
}

// A repository of thousands of files: its targets would be minutes of QR symbols. They stay at home, and that is said.
func TestLargeLiveTargetsDoNotTravelWithARoot(t *testing.T) {
	w, base := repository(t)
	spec := tuf.TargetsSpec{Version: 2, Expires: w.now.Add(90 * day)}
	for i := range 200 {
		spec.Files = append(spec.Files, tuf.TargetFile{Path: fmt.Sprintf("app/%d.tar.gz", i), Length: 1, SHA256: [32]byte{byte(i)}})
	}
	large, err := tuf.NewTargets(spec)
	if err != nil {
		t.Fatal(err)
	}
	if held := played(transfer.Base{Documents: []transfer.Document{{Role: tuf.Targets, Metadata: large}}}); held != nil {
		t.Errorf("%d bytes of targets travel with a root", len(large.Bytes()))
	}
	b, err := PlanRoot(base, "", w.now.Add(365*day), w.now)
	if err != nil {
		t.Fatal(err)
	}
	if b.Base.Document(tuf.Targets) == nil {
		t.Error("small targets do not travel with a root")
	}
	b.Base.Documents = nil
	s := w.until(w.begin(b, base.Roots[0]), StepConfirm)
	verdict, _, err := s.State().At(w.now).Verdict(w.now)
	if err != nil || !strings.Contains(strings.Join(verdict, "\n"), "The live targets are not in this bundle") {
		t.Errorf("it says %q, %v", verdict, err)
	}
}
