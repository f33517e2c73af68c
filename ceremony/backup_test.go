package ceremony

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"conclave/ceremony/preflight"
	"conclave/ceremony/tuf"
	"conclave/transfer"
)

// withBackup is a genesis of five people, three of whom must sign; Alice brings a second token.
func withBackup(t *testing.T) (*world, Genesis) {
	t.Helper()
	w := newWorld(t, fivePeople...)
	g := w.genesis()
	g.TargetsThreshold, g.TargetsHolders = 3, fivePeople
	g.Backups = []string{"Alice"}
	w.bring("Alice")
	return w, g
}

// firstTokens is that ceremony when everybody's first token has made its key.
func firstTokens(t *testing.T) (*world, *Session) {
	t.Helper()
	w, g := withBackup(t)
	b, err := PlanGenesis(g, w.now)
	if err != nil {
		t.Fatal(err)
	}
	s := w.until(w.begin(b, nil), StepEnrolment)
	for _, name := range fivePeople {
		if err := w.enrolOn(s, name, w.owned[name]); err != nil {
			t.Fatal(err)
		}
	}
	return w, s
}

// backedUp is that ceremony at sign.
func backedUp(t *testing.T) (*world, *Session) {
	t.Helper()
	w, s := firstTokens(t)
	if p := s.State().Participants()[0]; p.Enrolled || !p.Backup {
		t.Fatalf("after her first token: %+v", p)
	}
	if err := w.enrolOn(s, "Alice", w.owned["Alice"]); ruleOf(err) != "key" && ruleOf(err) != "serial" {
		t.Errorf("the first token as its own backup: %v", err)
	}
	if err := w.enrolOn(s, "Alice", w.fresh["Alice"]); err != nil {
		t.Fatal(err)
	}
	return w, w.until(s, StepSign)
}

func TestBackupIsASecondTokenOfOnePerson(t *testing.T) {
	w, s := backedUp(t)
	purposes := map[string]uint32{}
	for _, h := range s.State().Bundle().Document(tuf.Root).Holders() {
		if h.Name == "Alice" {
			purposes[h.Purpose] = h.Serial
		}
	}
	if purposes["primary"] != 1000 || purposes["backup"] != 2000 {
		t.Errorf("the root says of Alice's keys: %v", purposes)
	}
	if n := len(s.State().Bundle().Tokens); n != 6 {
		t.Errorf("evidence of %d keys, want 6", n)
	}
	if err := w.hold(s); err != nil {
		t.Error(err)
	}
}

// Alice signs with her first token and then with her backup, and somebody else with theirs: to a
// client those are three keys of the three that are needed. They are two people.
func TestTwoTokensOfOnePersonCountOnce(t *testing.T) {
	w, s := backedUp(t)
	if err := w.visit(s, w.visitor(s, "Alice"), freshPIN); err != nil {
		t.Fatal(err)
	}
	second, err := s.Look(context.Background(), w.fresh["Alice"].info.Reader)
	if err != nil {
		t.Fatal(err)
	}
	want := "Token 2000 is Alice's backup, and Alice counts for root 1's keys already, by token 1000. One person counts once."
	if !second.Backup || len(second.Acts) != 0 || second.Why != want {
		t.Errorf("the backup may sign %v: %s", second.Acts, second.Why)
	}
	if err := w.visit(s, w.visitor(s, "Bob"), freshPIN); err != nil {
		t.Fatal(err)
	}
	b := s.State().Bundle()
	joined := signedBesides(t, b, w.fresh["Alice"])
	reqs, err := joined.Requirements(tuf.Root)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tuf.Verify(joined.Document(tuf.Root), reqs); err != nil {
		t.Fatalf("a client refuses it: %v; it must take it, or this test proves nothing", err)
	}
	var missing *tuf.ThresholdError
	if _, err := joined.Verify(joined.Document(tuf.Root)); !errors.As(err, &missing) {
		t.Errorf("three signatures by two people are taken for complete: %v", err)
	}
	status, err := joined.Status()
	if err != nil || status.State != transfer.StatePartial {
		t.Errorf("the bundle is %s: %v", status.State, err)
	}
}

// signedBesides is b with signatures by one more token, as from another site.
func signedBesides(t *testing.T, b *transfer.Bundle, token *softToken) *transfer.Bundle {
	t.Helper()
	key, err := tuf.NewKey(token.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range b.Documents {
		reqs, err := b.Requirements(d.Role)
		if err != nil {
			t.Fatal(err)
		}
		hashed, _, err := key.Hashed(d.Metadata.Payload())
		if err != nil {
			t.Fatal(err)
		}
		sig, err := token.Sign(context.Background(), testPIN(t, freshPIN), 0x9c, hashed)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := tuf.Attach(d.Metadata, reqs, key.ID, sig)
		if err != nil {
			t.Fatal(err)
		}
		b = b.With(d.Role, doc)
	}
	return b
}

func TestBackupStandsInForTheFirstToken(t *testing.T) {
	w, s := backedUp(t)
	v, err := s.Look(context.Background(), w.fresh["Alice"].info.Reader)
	if err != nil || len(v.Acts) == 0 {
		t.Fatalf("%v: %s", err, v.Why)
	}
	if err := w.visit(s, v, freshPIN); err != nil {
		t.Fatal(err)
	}
	first, err := w.look(s, "Alice")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(first.Why, "Token 1000 is Alice's, and Alice counts for root 1's keys already, by token 2000.") {
		t.Errorf("the first token after the backup has signed: %s", first.Why)
	}
	if err := w.hold(s); err != nil {
		t.Error(err)
	}
}

func TestBackupThatDoesNotComeIsLeftOutAndItsHolderStays(t *testing.T) {
	w, s := firstTokens(t)
	if err := s.Drop("Alice", "the second token is still on its way", []string{"Olga", "Pat"}); err != nil {
		t.Fatal(err)
	}
	if e := s.State().Exceptions(); len(e) == 0 || e[len(e)-1].What != "backup of Alice" {
		t.Errorf("on record: %v", e)
	}
	if err := w.hold(s); err != nil {
		t.Fatal(err)
	}
	if n := len(s.State().Bundle().Document(tuf.Root).Holders()); n != 5 {
		t.Errorf("root 1 names %d keys, want the five first ones", n)
	}
}

// Threshold 2, and Alice brings two tokens: to clients she alone is enough, and so is who steals both.
func TestPlanInWhichOnePersonAloneIsEnoughForClients(t *testing.T) {
	w, g := withBackup(t)
	g.RootThreshold = 2
	_, err := PlanGenesis(g, w.now)
	var refused *PlanError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "Alice could sign root alone: clients count keys, not people") {
		t.Fatalf("planned: %v", err)
	}
	g.OnePerson = true
	b, err := PlanGenesis(g, w.now)
	if err != nil {
		t.Fatal(err)
	}
	s := w.begin(b, nil)
	checks, err := s.Preflight(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(checks, func(c preflight.Check) bool { return c.Name == CheckHolders })
	if i < 0 || checks[i].Status != preflight.Stop || checks[i].Text != "Alice can sign root alone in the eyes of clients" {
		t.Fatalf("preflight says %+v", checks)
	}
	if err := s.PassPreflight([]string{"Olga", "Pat"}); ruleOf(err) != "preflight" {
		t.Errorf("without an exception: %v", err)
	}
}

func TestPreflightStatesThePowerOfBackups(t *testing.T) {
	w, g := withBackup(t)
	b, err := PlanGenesis(g, w.now)
	if err != nil {
		t.Fatal(err)
	}
	c, ok := w.begin(b, nil).State().checkHoldings()
	want := "root asks for three people; to clients any 3 of its 6 keys are enough, and Alice holds two"
	if !ok || c.Status != preflight.Note || c.Text != want || !strings.Contains(strings.Join(c.Detail, "\n"), "two people, both tokens included") {
		t.Errorf("%+v", c)
	}
}

// Three of three people must sign a root, and only Alice has a backup: when Bob drops his token, it is over.
func TestBackupOfOnePersonDoesNotSpareTheOthers(t *testing.T) {
	w := newWorld(t, threePeople...)
	g := w.genesis()
	g.RootThreshold, g.TargetsHolders, g.TargetsThreshold = 3, threePeople[1:], 1
	g.Backups = []string{"Alice"}
	b, err := PlanGenesis(g, w.now)
	if err != nil {
		t.Fatal(err)
	}
	c, _ := w.begin(b, nil).State().checkHoldings()
	if c.Status != preflight.Stop || c.Text != "root needs all of its three people: one lost token of Bob or Carol ends the repository" {
		t.Errorf("%+v", c)
	}
}

func TestBackupsThatArePlannedWrong(t *testing.T) {
	w, g := withBackup(t)
	for _, tt := range []struct {
		name    string
		backups []string
		want    string
	}{
		{"for nobody who holds a key", []string{"Mallory"}, "holds no key"},
		{"twice for one person", []string{"Alice", "alice "}, "two backup tokens"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := g
			g.Backups = tt.backups
			if _, err := PlanGenesis(g, w.now); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

func TestRotationAddsABackupForAHolder(t *testing.T) {
	w := newWorld(t, fivePeople...)
	first := w.done(w.planGenesis(), nil)
	w = w.next()
	r := Rotation{
		Backups: []Joining{{Name: "alice", Roles: []string{tuf.Root}}}, RootExpires: w.now.Add(365 * day),
	}
	b, err := PlanRotation(baseOf(first), r, w.now)
	if err != nil {
		t.Fatal(err)
	}
	sitting, err := PlanSitting(b, w.now)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(sitting.Text, "\n")
	for _, want := range []string{"any three of Alice (1000 or new backup token), Bob (1001)", "Nobody can stand in for Alice."} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in:\n%s", want, text)
		}
	}
	w.bring("Alice")
	second := w.done(b, first.Document(tuf.Root))
	var backups []string
	for _, h := range second.Document(tuf.Root).Holders() {
		if h.Purpose == "backup" {
			backups = append(backups, h.Name)
		}
	}
	if len(backups) != 1 || backups[0] != "Alice" {
		t.Errorf("backups in root 2: %v", backups)
	}
	diff, err := tuf.Compare(first.Document(tuf.Root), second.Document(tuf.Root), w.now)
	if err != nil {
		t.Fatal(err)
	}
	want := "Conclave counts people: two tokens of one person count once for root. To clients any three of these six keys are enough; Alice holds two of them."
	if !slices.Contains(diff.Meaning, want) {
		t.Errorf("the review does not say so:\n%s", strings.Join(diff.Meaning, "\n"))
	}
	if _, err := PlanRotation(baseOf(second), r, w.now); err == nil || !strings.Contains(err.Error(), "has a backup already") {
		t.Errorf("a second backup: %v", err)
	}
}
