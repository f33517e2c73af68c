package tuf

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"pgregory.net/rapid"
)

func goTUFRoot(t testing.TB, d *Document) *metadata.Metadata[metadata.RootType] {
	t.Helper()
	root, err := new(metadata.Metadata[metadata.RootType]).FromBytes(d.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// goTUFAccepts asks go-tuf alone, from the file's bytes.
func goTUFAccepts(t testing.TB, role string, by *metadata.Metadata[metadata.RootType], doc *Document) bool {
	t.Helper()
	delegated, err := new(metadata.Metadata[metadata.RootType]).FromBytes(doc.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return by.VerifyDelegate(role, delegated) == nil
}

// Every root of the real chains, with its signatures stripped one by one: our
// count of both thresholds must say complete exactly when go-tuf does.
func TestStrippedRealRootsCountLikeGoTUF(t *testing.T) {
	for _, c := range []struct {
		folder   string
		from, to int
	}{
		{"sigstore-roots", 5, 15},
		{"sigstore-staging-roots", 1, 14},
		{"tuf-demo/root_history", 1, 5},
		{"docker/root_history", 1, 1},
	} {
		roots := realChain(t, c.folder, c.from, c.to).Roots()
		for i, doc := range roots {
			trusted := roots[max(0, i-1)]
			reqs := mustReqs(t, Root, doc, trusted, nil)
			theirs := []*metadata.Metadata[metadata.RootType]{goTUFRoot(t, trusted), goTUFRoot(t, doc)}
			for {
				tallies := Count(doc, reqs)
				for n, by := range theirs {
					if got, want := tallies[n].Complete(), goTUFAccepts(t, Root, by, doc); got != want {
						t.Fatalf("%s: %s with %d signatures: complete %v, go-tuf says %v",
							c.folder, tallies[n].Requirement.Name, len(doc.entries), got, want)
					}
				}
				_, err := Verify(doc, reqs)
				if (err == nil) != met(tallies, Tally.Complete) {
					t.Fatalf("%s %s: counted complete %v, verified %v", c.folder, doc.Title(), met(tallies, Tally.Complete), err)
				}
				if len(doc.entries) == 0 {
					break
				}
				doc = doc.with(doc.entries[1:])
			}
		}
	}
}

func TestTallySaysWhoSignedAndWhoIsMissing(t *testing.T) {
	old := threeOfFive(t, 4)
	next := mustRoot(t, rootOf(5, 3, []string{"Alice", "Bob", "Dana", "Erin", "Frank"}, []string{"Alice", "Bob", "Dana"}))
	reqs := mustReqs(t, Root, next, old, nil)
	if len(reqs) != 2 || reqs[0].Name != "root 4's keys" || reqs[1].Name != "root 5's keys" {
		t.Fatalf("%+v", reqs)
	}
	next = signed(t, next, reqs, "Carol", "Dana", "Bob")
	tallies := Count(next, reqs)
	for i, want := range []struct {
		signed, missing int
		names           []string
	}{{2, 1, []string{"Bob", "Carol"}}, {2, 1, []string{"Bob", "Dana"}}} {
		var names []string
		for _, s := range tallies[i].Signers {
			if s.Signed {
				names = append(names, s.Holder.Name)
			}
		}
		slices.Sort(names)
		if tallies[i].Signed != want.signed || tallies[i].Missing != want.missing || !slices.Equal(names, want.names) {
			t.Errorf("%s: %d signed, %d missing, %v", tallies[i].Requirement.Name, tallies[i].Signed, tallies[i].Missing, names)
		}
	}
	_, err := Verify(next, reqs)
	var threshold *ThresholdError
	if !errors.As(err, &threshold) {
		t.Fatal(err)
	}
	if got := err.Error(); got != "verify root 5: signatures are missing: root 4's keys 2 of 3, root 5's keys 2 of 3" {
		t.Error(got)
	}
	if got := threshold.Hint(); got != "root 4's keys: one of Alice, Erin or Frank must sign; root 5's keys: one of Alice, Erin or Frank must sign" {
		t.Error(got)
	}
	next = signed(t, next, reqs, "Erin")
	v, err := Verify(next, reqs)
	if err != nil || v.Document() != next || len(v.Tallies()) != 2 {
		t.Errorf("%v %v", v, err)
	}
}

// Attack: one public key is listed under two keyids, so that its holder alone
// meets a threshold of two. python-tuf, tuf-js, sigstore-ruby and tough fall for it.
func TestOneKeyUnderTwoKeyIDsCountsOnce(t *testing.T) {
	alice := who("Alice")
	double := doubledRoot(t)
	reqs := mustReqs(t, Root, double, nil, nil)
	for _, id := range double.Root().Roles[Root].KeyIDs {
		next, err := Attach(double, reqs, id, alice.sign(t, double))
		if err != nil {
			t.Fatal(err)
		}
		double = next
	}
	tally := Count(double, reqs)[0]
	if tally.Signed != 1 || tally.Missing != 1 || tally.Complete() {
		t.Errorf("%d signed, %d missing", tally.Signed, tally.Missing)
	}
	if len(tally.Warnings) != 1 || !strings.Contains(tally.Warnings[0], "one public key") {
		t.Errorf("warnings: %v", tally.Warnings)
	}
	if _, err := Verify(double, reqs); err == nil {
		t.Error("it verifies")
	}
	if changes := Compat(double); !slices.ContainsFunc(changes, func(c Change) bool { return c.Danger && strings.Contains(c.Text, "2 keyids") }) {
		t.Errorf("nothing is said: %v", changes)
	}
}

// doubledRoot lists Alice's key twice, under two honest keyids, with a
// threshold of two. It can be read, never built.
func doubledRoot(t testing.TB) *Document {
	t.Helper()
	alice := who("Alice").key
	other := alice.Metadata()
	other.UnrecognizedFields = map[string]any{"x-note": "again"}
	id, err := keyID(other)
	if err != nil {
		t.Fatal(err)
	}
	v := *mustRoot(t, rootOf(1, 1, []string{"Alice"}, []string{"Alice"})).Root()
	v.Keys[id] = other
	v.Roles[Root] = &metadata.Role{KeyIDs: []string{alice.ID, id}, Threshold: 2}
	file, err := encodePretty(unsigned{&v})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := From(&v); err == nil {
		t.Error("such a root was built")
	}
	return mustParse(t, file)
}

func TestTwoTokensOfOnePersonAreFlagged(t *testing.T) {
	spec := rootOf(1, 2, []string{"Alice", "Bob", "Carol"}, []string{"Alice"})
	for i, h := range spec.Keys {
		switch h.Key.ID {
		case who("Bob").key.ID:
			spec.Keys[i].Holder = Holder{Name: " alice", Serial: 77, Purpose: "backup"}
		case who("Carol").key.ID:
			spec.Keys[i].Holder.Serial = who("Alice").serial
		}
	}
	doc := mustRoot(t, spec)
	reqs := mustReqs(t, Root, doc, nil, nil)
	if w := Count(signed(t, doc, reqs, "Alice"), reqs)[0].Warnings; len(w) != 0 {
		t.Errorf("one signature is flagged: %v", w)
	}
	if w := Count(signed(t, doc, reqs, "Alice", "Bob"), reqs)[0].Warnings; len(w) != 1 || !strings.Contains(w[0], "one person, Alice") {
		t.Errorf("two tokens of one person: %v", w)
	}
	if w := Count(signed(t, doc, reqs, "Alice", "Carol"), reqs)[0].Warnings; len(w) != 1 || !strings.Contains(w[0], "one token, 13078777") {
		t.Errorf("two keys on one token: %v", w)
	}
	if !slices.ContainsFunc(mustCompare(t, nil, doc).Dangers(), func(c Change) bool { return strings.Contains(c.Text, "alone") }) {
		t.Error("Compare does not say that one person can meet the threshold")
	}
}

func mustCompare(t testing.TB, old, next *Document) *Diff {
	t.Helper()
	d, err := Compare(old, next, now)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A requirement put together by hand cannot be met by nobody.
func TestThresholdBelowOneIsNeverMet(t *testing.T) {
	doc := threeOfFive(t, 1)
	for _, threshold := range []int{0, -1} {
		reqs := []Requirement{{Name: "nobody", Role: Root, Threshold: threshold}}
		if Count(doc, reqs)[0].Complete() {
			t.Errorf("a threshold of %d is met", threshold)
		}
		if _, err := Verify(doc, reqs); err == nil {
			t.Errorf("a threshold of %d verifies", threshold)
		}
	}
	if _, err := Verify(doc, nil); err == nil {
		t.Error("no requirement verifies")
	}
}

// Whoever signs in whatever order, with whatever wrong signatures between: the
// tally is the number of different keys with a good signature, and it is
// complete exactly from the threshold on.
func TestTallyCountsDifferentGoodKeys(t *testing.T) {
	names := []string{"Alice", "Bob", "Carol", "Dana", "Erin", "Frank"}
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, len(names)).Draw(rt, "keys")
		threshold := rapid.IntRange(1, n).Draw(rt, "threshold")
		doc := mustRoot(t, rootOf(1, threshold, names[:n], names[:1]))
		reqs := mustReqs(t, Root, doc, nil, nil)
		good := map[string]bool{}
		for range rapid.IntRange(0, 12).Draw(rt, "acts") {
			p := who(rapid.SampledFrom(names).Draw(rt, "who"))
			sig := p.sign(t, doc)
			spoiled := rapid.Bool().Draw(rt, "spoiled")
			if spoiled {
				sig[len(sig)-1] ^= 0x40
			}
			next, err := Attach(doc, reqs, p.key.ID, sig)
			member := slices.Contains(names[:n], p.name)
			if (err == nil) != (member && !spoiled) {
				rt.Fatalf("%s, spoiled %v: %v", p.name, spoiled, err)
			}
			if err != nil {
				continue
			}
			doc, good[p.name] = next, true
		}
		tally := Count(mustParse(t, doc.Bytes()), reqs)[0]
		if tally.Signed != len(good) || tally.Missing != max(0, threshold-len(good)) || tally.Complete() != (len(good) >= threshold) {
			rt.Fatalf("%d of %d signed: %+v", len(good), threshold, tally)
		}
		if _, err := Verify(doc, reqs); (err == nil) != (len(good) >= threshold) {
			rt.Fatalf("%d of %d signed: %v", len(good), threshold, err)
		}
	})
}

func TestRequirementsThatMakeNoSense(t *testing.T) {
	root, targets := threeOfFive(t, 1), mustTargets(t, TargetsSpec{Version: 1, Expires: now})
	for name, c := range map[string]struct {
		role               string
		doc, trusted, root *Document
	}{
		"no document":               {Root, nil, nil, nil},
		"a root that is targets":    {Root, targets, nil, nil},
		"targets that are a root":   {Targets, root, nil, root},
		"a trusted root of targets": {Root, root, targets, nil},
		"targets without a root":    {Targets, targets, nil, nil},
		"a role nobody delegated":   {"doi", targets, nil, root},
		"delegation without any":    {"doi", targets, nil, targets},
	} {
		if reqs, err := Requirements(c.role, c.doc, c.trusted, c.root); err == nil {
			t.Errorf("%s: %v", name, reqs)
		}
	}
}

func TestRealDelegatedRolesVerify(t *testing.T) {
	for _, c := range []struct {
		folder, role string
		complete     bool
	}{
		{"docker", "doi", true},
		{"docker", "rekor", true},
		{"docker", "testing", true},
		{"tuf-demo", "jku", true},
		{"tuf-demo", "rdimitrov", true},
		{"tuf-demo", "kommendorkapten", true},
	} {
		targets := parseReal(t, c.folder, "targets.json")
		doc := parseReal(t, c.folder, c.role+".json")
		reqs := mustReqs(t, c.role, doc, nil, targets)
		if _, err := Verify(doc, reqs); (err == nil) != c.complete {
			t.Errorf("%s/%s: %v", c.folder, c.role, err)
		}
	}
	for _, folder := range []string{"docker", "tuf-demo"} {
		root := parseReal(t, folder, "root.json")
		for _, role := range []string{Targets, Snapshot, Timestamp} {
			doc := parseReal(t, folder, role+".json")
			if _, err := Verify(doc, mustReqs(t, role, doc, nil, root)); err != nil {
				t.Errorf("%s/%s: %v", folder, role, err)
			}
		}
	}
}

func TestBinsOfSuccinctRoles(t *testing.T) {
	for bits, names := range map[int]map[string]bool{
		8:  {"bin-00": true, "bin-ff": true, "bin-FF": false, "bin-+f": false, "bin--0": false, "bin-0": false, "bin-000": false, "bin-": false, "bin": false, "x-00": false, "bin-0g": false},
		10: {"bin-000": true, "bin-3ff": true, "bin-400": false},
		1:  {"bin-0": true, "bin-1": true, "bin-2": false},
		32: {"bin-ffffffff": true},
	} {
		s := &metadata.SuccinctRoles{BitLength: bits, NamePrefix: "bin"}
		for name, want := range names {
			if got := isBin(s, name); got != want {
				t.Errorf("%d bits, %s: %v", bits, name, got)
			}
		}
	}
}

func TestEveryKindOfKeySignsAndVerifies(t *testing.T) {
	spec := rootOf(1, 1, []string{"Alice"}, []string{"Alice"})
	var ids []string
	for _, name := range []string{"p384", "ed25519", "rsa"} {
		p := strong()[name]
		spec.Keys = append(spec.Keys, HeldKey{Key: p.key})
		ids = append(ids, p.key.ID)
	}
	spec.Roles[Root] = RoleSpec{append(ids, who("Alice").key.ID), 4}
	doc := mustRoot(t, spec)
	reqs := mustReqs(t, Root, doc, nil, nil)
	doc = signed(t, doc, reqs, "Alice")
	for _, p := range strong() {
		next, err := Attach(doc, reqs, p.key.ID, p.sign(t, doc))
		if err != nil {
			t.Fatal(err)
		}
		doc = next
	}
	if _, err := Verify(doc, reqs); err != nil {
		t.Error(err)
	}
}

// go-tuf does not know the keytype ecdsa-sha2-nistp384, which old tools wrote.
// Our own count is complete then; the proof is refused all the same, with the reason.
func TestKeytypeThatGoTUFDoesNotKnow(t *testing.T) {
	p := strong()["p384"]
	object := p.key.Metadata()
	object.Type = typeP384
	id, err := keyID(object)
	if err != nil {
		t.Fatal(err)
	}
	v := *mustRoot(t, rootOf(1, 1, []string{"Alice"}, []string{"Alice"})).Root()
	v.Keys[id] = object
	v.Roles[Root] = &metadata.Role{KeyIDs: []string{who("Alice").key.ID, id}, Threshold: 1}
	doc, err := From(&v)
	if err != nil {
		t.Fatal(err)
	}
	reqs := mustReqs(t, Root, doc, nil, nil)
	doc = signed(t, doc, reqs, "Alice")
	if doc, err = Attach(doc, reqs, id, p.sign(t, doc)); err != nil {
		t.Fatal(err)
	}
	if tally := Count(doc, reqs)[0]; tally.Signed != 2 {
		t.Errorf("%d signed", tally.Signed)
	}
	_, err = Verify(doc, reqs)
	var disagree *DisagreementError
	if !errors.As(err, &disagree) || !strings.Contains(disagree.Hint(), typeP384) || !strings.Contains(err.Error(), "go-tuf refuses") {
		t.Errorf("got %v", err)
	}
}

// go-tuf is asked once about the same keys. What it said of some of them answers for no others, and not for other signatures.
func TestOneOpinionOfGoTUFIsNoOther(t *testing.T) {
	p := strong()["p384"]
	object := p.key.Metadata()
	object.Type = typeP384
	odd := Key{ID: p.key.ID, Type: p.key.Type, Scheme: p.key.Scheme, Public: p.key.Public, SPKI: p.key.SPKI, object: object}
	doc := mustRoot(t, rootOf(1, 1, []string{"Alice"}, []string{"Alice"}))
	reqs := mustReqs(t, Root, doc, nil, nil)
	doc = signed(t, doc, reqs, "Alice")
	for range 2 {
		if _, err := Verify(doc, reqs); err != nil {
			t.Fatal(err)
		}
	}
	more := slices.Clone(reqs)
	more[0].Keys = append(slices.Clone(reqs[0].Keys), odd)
	var disagree *DisagreementError
	if _, err := Verify(doc, more); !errors.As(err, &disagree) {
		t.Errorf("with a key that go-tuf does not know: %v", err)
	}
	doc.Recall(more)
	if _, err := Verify(doc, more); err != nil {
		t.Errorf("what go-tuf is said to have agreed on before: %v", err)
	}
	bare := doc.with(nil)
	bare.Recall(reqs)
	var missing *ThresholdError
	if _, err := Verify(bare, reqs); !errors.As(err, &missing) {
		t.Errorf("its opinion stands for a signature: %v", err)
	}
	if next := doc.with(doc.entries); next.agreed == doc.agreed {
		t.Error("a document with other signatures takes over what was said of these")
	}
}
