package ceremony

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"conclave/ceremony/preflight"
	"conclave/ceremony/tuf"
	"conclave/hsm"
	"conclave/transfer"
)

// A stage is what the random ceremonies are played with: bundles, and keys for everybody.
type stage struct {
	genesis []byte // a plan for Alice, Bob and Carol, 2 of 3, all of them for targets too
	renewal []byte // root 2 by other people: Carol leaves, Dana comes, Bob brings a second key
	root1   *tuf.Document
	keys    map[string]*ecdsa.PrivateKey // by owner's name; "bob 2" is Bob's second key, "mallory" is in no role
	proofs  map[string]Possession
}

// keyNames are the keys that somebody could sign with; nobody holds mallory's in the renewal.
var keyNames = []string{"Alice", "Bob", "Carol", "Dana", "bob 2", "mallory"}

var newStage = sync.OnceValue(func() *stage {
	st := &stage{keys: map[string]*ecdsa.PrivateKey{}, proofs: map[string]Possession{}}
	for _, name := range append(slices.Clone(keyNames), "online") {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(err)
		}
		st.keys[name] = key
	}
	if err := errors.Join(st.planGenesis(), st.planRenewal()); err != nil {
		panic(err)
	}
	return st
})

func (st *stage) key(name string) tuf.Key {
	k, err := tuf.NewKey(st.keys[name].Public())
	if err != nil {
		panic(err)
	}
	return k
}

func (st *stage) planGenesis() error {
	b, err := PlanGenesis(Genesis{
		RootHolders: threePeople, TargetsHolders: threePeople, RootThreshold: 2, TargetsThreshold: 2, Algorithm: "p256",
		Snapshot: st.key("online"), Timestamp: st.key("online"), RootExpires: day0.Add(365 * day), TargetsExpires: day0.Add(90 * day),
	}, day0)
	if err != nil {
		return err
	}
	st.genesis, err = b.Bytes()
	return err
}

// rootOf builds a root that names keys by their holders.
func (st *stage) rootOf(version int64, names ...string) (*tuf.Document, error) {
	spec := tuf.RootSpec{Version: version, Expires: day0.Add(365 * day), Keys: []tuf.HeldKey{{Key: st.key("online")}}}
	var ids []string
	for _, name := range names {
		spec.Keys = append(spec.Keys, tuf.HeldKey{Key: st.key(name), Holder: tuf.Holder{Name: holderOfKey(name), Serial: serialOf(name)}})
		ids = append(ids, st.key(name).ID)
	}
	online := tuf.RoleSpec{KeyIDs: []string{st.key("online").ID}, Threshold: 1}
	role := tuf.RoleSpec{KeyIDs: ids, Threshold: 2}
	spec.Roles = map[string]tuf.RoleSpec{tuf.Root: role, tuf.Targets: role, tuf.Snapshot: online, tuf.Timestamp: online}
	return tuf.NewRoot(spec)
}

// holderOfKey is whose key it is.
func holderOfKey(name string) string {
	if name == "bob 2" {
		return "Bob"
	}
	return name
}

func serialOf(name string) uint32 {
	return uint32(1 + slices.Index(keyNames, name))
}

func (st *stage) planRenewal() error {
	root1, err := st.rootOf(1, "Alice", "Bob", "Carol")
	if err != nil {
		return err
	}
	reqs, err := tuf.Requirements(tuf.Root, root1, nil, root1)
	if err != nil {
		return err
	}
	for _, name := range []string{"Alice", "Bob"} {
		if root1, err = tuf.Attach(root1, reqs, st.key(name).ID, st.sign(name, root1)); err != nil {
			return err
		}
	}
	root2, err := st.rootOf(2, "Alice", "Bob", "bob 2", "Dana")
	if err != nil {
		return err
	}
	b, err := PlanAdopt(transfer.Base{Roots: []*tuf.Document{root1}}, []transfer.Document{{Role: tuf.Root, Metadata: root2}}, "rotation", day0)
	if err != nil {
		return err
	}
	st.root1 = root1
	st.renewal, err = b.Bytes()
	return err
}

func (st *stage) sign(name string, doc *tuf.Document) []byte {
	hashed, _, err := st.key(name).Hashed(doc.Payload())
	if err != nil {
		panic(err)
	}
	sig, err := st.keys[name].Sign(rand.Reader, hashed, crypto.SHA256)
	if err != nil {
		panic(err)
	}
	return sig
}

// A drama is one random ceremony, with an account of its own that the state is held against.
type drama struct {
	*stage
	t        *rapid.T
	state    State
	clock    time.Time
	played   []Event
	times    []time.Time
	reviewed map[string]bool       // holder + role + digest
	approved map[string]bool       // holder + serial + role + digest
	signed   map[string][]byte     // keyid + role → signature
	frozen   map[string]string     // role → digest
	owner    map[tuf.Digest]string // key → who holds it
}

// play offers an event. What the state accepts is held against the account.
func (d *drama) play(e Event) {
	old, before := d.state, ""
	look := rapid.IntRange(0, 3).Draw(d.t, "look") == 0 // it costs more than all the rest
	if look {
		before = fingerprint(d.t, old)
	}
	next, err := old.At(d.clock).Apply(e)
	if look && fingerprint(d.t, old) != before {
		d.t.Fatalf("applying %T changed the state that it was applied to", e)
	}
	if err != nil {
		var rule *RuleError
		var clock *ClockError
		if !errors.As(err, &rule) && !errors.As(err, &clock) {
			d.t.Fatalf("%T is refused by %T, not by a rule", e, err)
		}
		if look && fingerprint(d.t, next) != before {
			d.t.Fatalf("a refused %T changed the state", e)
		}
		return
	}
	d.account(e)
	d.state = next.recorded(e, len(d.played)+1, sha256Hex(fmt.Append(nil, len(d.played)+1)))
	d.played = append(d.played, e)
	d.times = append(d.times, d.clock)
	d.invariants()
}

// account writes down what was accepted and refuses what must never be.
func (d *drama) account(e Event) {
	switch e := e.(type) {
	case Enrolled:
		key, err := tuf.ParsePublicKey([]byte(e.Key))
		if err != nil || d.owner[key.SPKI] != "" {
			d.t.Fatalf("%s was let enrol a key that is %q's: %v", e.Holder, d.owner[key.SPKI], err)
		}
		d.owner[key.SPKI] = e.Holder
	case Frozen:
		d.frozen = map[string]string{}
		for _, doc := range e.Documents {
			d.frozen[doc.Role] = doc.Digest
		}
	case Reviewed:
		for role, digest := range e.Digests {
			d.reviewed[samePerson(e.Holder)+role+digest] = true
		}
	case Approved:
		for role, digest := range e.Digests {
			d.approved[fmt.Sprint(samePerson(e.Holder), e.Serial, role, digest)] = true
		}
	case SignBegun:
		if !d.reviewed[samePerson(e.Holder)+e.Role+e.Digest] || !d.approved[fmt.Sprint(samePerson(e.Holder), e.Serial, e.Role, e.Digest)] {
			d.t.Fatalf("%s was let sign %s without having read and approved it", e.Holder, e.Role)
		}
		if d.signed[e.KeyID+e.Role] != nil {
			d.t.Fatalf("key %s was asked to sign %s twice", e.KeyID, e.Role)
		}
	case Signed:
		if d.signed[e.KeyID+e.Role] != nil {
			d.t.Fatalf("key %s signed %s twice", e.KeyID, e.Role)
		}
		d.signed[e.KeyID+e.Role] = e.Sig
	case Confirmed:
		if e.Complete {
			d.complete()
		}
	}
}

// complete counts anew, without the state's help: distinct people, not keys.
func (d *drama) complete() {
	anchor := d.root1
	if d.state.enrols {
		anchor = d.state.bundle.Document(tuf.Root)
	}
	if _, err := d.state.bundle.Verify(anchor); err != nil {
		d.t.Fatalf("it was confirmed as complete, and does not verify: %v", err)
	}
	for role := range d.frozen {
		people := map[string]bool{}
		for _, name := range keyNames {
			if d.signed[d.key(name).ID+role] != nil {
				people[d.owner[d.key(name).SPKI]] = true
			}
		}
		if len(people) < 2 {
			d.t.Fatalf("%s was confirmed with %d people", role, len(people))
		}
	}
}

// invariants hold after every event.
func (d *drama) invariants() {
	b := d.state.Bundle()
	n := 0
	for role, digest := range d.frozen {
		doc := b.Document(role)
		if doc.Digest().Hex() != digest {
			d.t.Fatalf("the payload of %s changed after it was frozen", role)
		}
		for _, sig := range doc.Signatures() {
			n++
			if want := d.signed[sig.KeyID+role]; string(want) != string(sig.Sig) {
				d.t.Fatalf("%s bears a signature by %s that was not recorded", role, sig.KeyID)
			}
		}
	}
	if n != len(d.signed) {
		d.t.Fatalf("%d signatures were recorded, the bundle has %d", len(d.signed), n)
	}
	if d.state.Complete() != (len(d.state.Still()) == 0 && len(d.frozen) > 0) {
		d.t.Fatalf("complete is %v, and still missing are %q", d.state.Complete(), d.state.Still())
	}
	if i := slices.Index(d.state.Steps(), d.state.Step()); i < 0 {
		d.t.Fatalf("%q is no step of this ceremony", d.state.Step())
	}
}

// replay applies what was accepted once more, through the record's form.
func (d *drama) replay() {
	var s State
	for i, e := range d.played {
		data, err := EncodeEvent(e)
		if err != nil {
			d.t.Fatal(err)
		}
		again, err := DecodeEvent(e.Kind(), data)
		if err != nil {
			d.t.Fatalf("%T does not come back from the record: %v", e, err)
		}
		if s, err = s.At(d.times[i]).Apply(again); err != nil {
			d.t.Fatalf("event %d (%T) is refused when it is replayed: %v", i+1, e, err)
		}
		s = s.recorded(again, i+1, sha256Hex(fmt.Append(nil, i+1)))
	}
	if got, want := fingerprint(d.t, s), fingerprint(d.t, d.state); got != want {
		d.t.Fatalf("replay leads to\n%s\ninstead of\n%s", got, want)
	}
}

func TestNothingIsCompleteBelowAThreshold(t *testing.T) {
	w, s := signing(t, threePeople...)
	v := w.visitor(s, "Alice")
	for _, act := range v.Acts {
		if err := s.Sign(t.Context(), v, act, testPIN(t, freshPIN), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.CloseSigning(); err != nil {
		t.Fatal(err)
	}
	state := s.State()
	if _, err := state.Apply(Confirmed{Complete: true, Verdict: "fine"}); ruleOf(err) != "threshold" {
		t.Errorf("one of two confirmed as complete: %v", err)
	}
	if _, err := state.Apply(Confirmed{Complete: false, Verdict: "partial"}); err != nil {
		t.Errorf("one of two confirmed as partial: %v", err)
	}
	if err := s.ReopenSigning(); err != nil {
		t.Fatal(err)
	}
	w.until(s, StepConfirm)
	if _, err := s.State().Apply(Confirmed{Complete: false, Verdict: "partial"}); ruleOf(err) != "threshold" {
		t.Errorf("two of two confirmed as partial: %v", err)
	}
}

func TestNoOrderOfEventsBreaksTheRules(t *testing.T) {
	st := newStage()
	reached := map[Step]int{}
	rapid.Check(t, func(t *rapid.T) {
		d := &drama{stage: st, t: t, clock: day0, reviewed: map[string]bool{}, approved: map[string]bool{}, signed: map[string][]byte{}, owner: map[tuf.Digest]string{}}
		opened := Opened{Bundle: st.genesis, SHA256: sha256Hex(st.genesis)}
		if rapid.Bool().Draw(t, "renewal") {
			opened = Opened{Bundle: st.renewal, SHA256: sha256Hex(st.renewal), Anchor: st.root1.Bytes()}
			for _, name := range keyNames[:5] {
				d.owner[st.key(name).SPKI] = holderOfKey(name)
			}
		}
		d.play(opened)
		for range rapid.IntRange(20, 90).Draw(t, "length") {
			d.clock = d.clock.Add(time.Duration(rapid.IntRange(-1, 20).Draw(t, "seconds")) * time.Second)
			if rapid.IntRange(0, 9).Draw(t, "sense") < 7 {
				d.play(d.sensible())
			} else {
				d.play(d.odd())
			}
		}
		d.replay()
		reached[d.state.Step()]++
		d.end()
	})
	t.Logf("what the random part reached: %v", reached)
	if reached[StepSign]+reached[StepDone] == 0 {
		t.Error("no random ceremony came as far as signing: the events make too little sense")
	}
}

// end brings the ceremony to its end, wherever chance has left it.
func (d *drama) end() {
	for range 400 {
		if d.state.Step() == StepDone {
			return
		}
		d.clock = d.clock.Add(time.Second)
		d.play(d.sensible())
	}
	d.t.Fatalf("the ceremony cannot be ended; it stays at %q", d.state.Step())
}

// sensible draws an event that could well come next.
func (d *drama) sensible() Event {
	if open := d.state.Open(); len(open) > 0 {
		return Excepted{What: open[0], Reason: "a test", By: []string{"Olga", "Pat"}}
	}
	switch d.state.Step() {
	case StepPreflight:
		if len(d.state.Checks()) == 0 {
			return Checked{Checks: []preflight.Check{{Name: "network", Status: preflight.Stop}}}
		}
		return PreflightPassed{ClockBy: []string{"Olga", "Pat"}}
	case StepRollCall:
		return d.sensibleRollCall()
	case StepEnrolment:
		return d.sensibleEnrolment()
	case StepFreeze:
		_, docs, err := d.state.draft()
		if err != nil {
			d.t.Fatal(err)
		}
		return Frozen{Documents: docs}
	case StepReview:
		return d.sensibleReview()
	case StepSign:
		return d.sensibleSigning()
	}
	return d.sensibleEnd()
}

func (d *drama) sensibleRollCall() Event {
	for _, p := range d.state.Participants() {
		if p.Presence == Unknown {
			if rapid.IntRange(0, 7).Draw(d.t, "away") == 0 && !d.state.enrols {
				return Missed{Holder: p.Name}
			}
			if _, taken := d.state.broughtBy(serialOf(p.Name)); taken {
				return Arrived{Holder: p.Name}
			}
			return Arrived{Holder: p.Name, Serial: serialOf(p.Name)}
		}
	}
	return RollCalled{}
}

func (d *drama) sensibleEnrolment() Event {
	for _, p := range d.state.Participants() {
		if p.Enrolled {
			continue
		}
		if p.Presence != Here {
			return Arrived{Holder: p.Name}
		}
		if samePerson(d.state.enrolling[serialOf(p.Name)].Holder) != samePerson(p.Name) { // chance may have asked the token for somebody else
			return EnrolBegun{Holder: p.Name, Serial: serialOf(p.Name)}
		}
		return d.enrolled(p.Name, d.freeKey(p.Name))
	}
	return RollCalled{}
}

// freeKey names a key that nobody has enrolled, the holder's own if it can be.
func (d *drama) freeKey(holder string) string {
	for _, name := range []string{holder, "Alice", "Bob", "Carol", "Dana", "bob 2", "mallory"} {
		if _, taken := d.state.holderOf(d.key(name).SPKI); !taken {
			return name
		}
	}
	return holder
}

func (d *drama) enrolled(holder, key string) Event {
	e, err := newEnrolled(holder, hsm.Info{Serial: serialOf(holder)}, hsm.Key{
		Slot: hsm.SlotSignature, Public: d.keys[key].Public(), PINPolicy: hsm.PolicyAlways, TouchPolicy: hsm.PolicyAlways,
	}, hsm.Attestation{})
	if err != nil {
		d.t.Fatal(err)
	}
	e.Proof = d.proof(key, d.state.Title())
	return e
}

// proof is a key's proof of possession. A statement is signed once: signing is slow, and chance asks often.
func (st *stage) proof(key, title string) Possession {
	if p, ok := st.proofs[key+title]; ok {
		return p
	}
	statement, err := newPossession(rand.Reader, title)
	if err != nil {
		panic(err)
	}
	hashed, _, err := st.key(key).Hashed(statement)
	if err != nil {
		panic(err)
	}
	sig, err := st.keys[key].Sign(rand.Reader, hashed, crypto.SHA256)
	if err != nil {
		panic(err)
	}
	st.proofs[key+title] = Possession{Statement: statement, Sig: sig}
	return st.proofs[key+title]
}

func (d *drama) sensibleReview() Event {
	for _, p := range d.state.Participants() {
		if p.Presence == Here && !p.Reviewed {
			return Reviewed{Holder: p.Name, Digests: d.frozen}
		}
	}
	if len(d.state.Participants()) > 0 && !slices.ContainsFunc(d.state.Participants(), func(p Participant) bool { return p.Reviewed }) {
		return Arrived{Holder: d.state.Participants()[0].Name}
	}
	return ReviewClosed{}
}

// sensibleSigning takes a random holder one step further.
func (d *drama) sensibleSigning() Event {
	if d.state.Complete() {
		return SigningClosed{}
	}
	name := rapid.SampledFrom(keyNames).Draw(d.t, "whose key")
	holder := d.owner[d.key(name).SPKI]
	role := rapid.SampledFrom([]string{tuf.Root, tuf.Targets}).Draw(d.t, "role")
	digest, serial, key := d.frozen[role], serialOf(name), d.key(name)
	switch i, err := d.state.find(holder); {
	case err != nil || digest == "":
		return SignBegun{Holder: holder, Serial: serial, KeyID: key.ID, Role: role, Digest: digest}
	case d.state.people[i].presence != Here:
		return Arrived{Holder: holder}
	case !d.state.people[i].reviewed:
		return Reviewed{Holder: holder, Digests: d.frozen}
	case d.state.people[i].approved[serial][role] == "":
		return Approved{Holder: holder, Serial: serial, Digests: map[string]string{role: digest}}
	}
	if d.state.signing[keyRole{key.ID, role}] != serial {
		return SignBegun{Holder: holder, Serial: serial, KeyID: key.ID, Role: role, Digest: digest}
	}
	return Signed{Holder: holder, Serial: serial, KeyID: key.ID, Role: role, Digest: digest, Sig: d.sign(name, d.state.bundle.Document(role))}
}

func (d *drama) sensibleEnd() Event {
	switch d.state.Step() {
	case StepConfirm:
		return Confirmed{Complete: d.state.Complete(), Verdict: "as it is"}
	case StepExport:
		file, err := d.state.result.file()
		if err != nil {
			d.t.Fatal(err)
		}
		e := ExportBegun{Name: d.state.FileName(), SHA256: sha256Hex(file)}
		if d.state.writing != nil {
			return Exported{Name: e.Name, SHA256: e.SHA256}
		}
		return e
	case StepClose:
		if !d.state.Complete() && rapid.Bool().Draw(d.t, "reopen") {
			return SigningReopened{}
		}
	}
	return Closed{}
}

// odd draws an event that mostly makes no sense: out of order, by the wrong person, with the wrong key or digest.
func (d *drama) odd() Event {
	names := []string{"Alice", "Bob", "Carol", "Dana", "bob 2", "mallory", "BOB", ""}
	name := rapid.SampledFrom(names).Draw(d.t, "name")
	owner := rapid.SampledFrom(keyNames).Draw(d.t, "key owner")
	role := rapid.SampledFrom([]string{tuf.Root, tuf.Targets, tuf.Snapshot, "other"}).Draw(d.t, "odd role")
	serial := uint32(rapid.IntRange(0, 7).Draw(d.t, "serial"))
	digest := rapid.SampledFrom([]string{d.frozen[tuf.Root], d.frozen[tuf.Targets], "", "00"}).Draw(d.t, "digest")
	digests := map[string]string{role: digest}
	if rapid.Bool().Draw(d.t, "all digests") {
		digests = d.frozen
	}
	var sig []byte
	if doc := d.state.Bundle().Document(role); doc != nil {
		sig = d.sign(owner, doc)
	}
	events := []Event{
		Opened{Bundle: d.genesis, SHA256: sha256Hex(d.genesis)},
		Opened{},
		Resumed{Program: "again"},
		nil, &Closed{},
		Checked{Checks: []preflight.Check{{Name: "network", Status: preflight.OK}}},
		Checked{Checks: []preflight.Check{{Name: "swap", Status: preflight.Stop}}},
		Excepted{What: "swap", Reason: "why not", By: []string{"Olga", "Pat"}},
		Excepted{What: "swap"},
		PreflightPassed{},
		PreflightPassed{ClockBy: []string{"A", "a"}},
		Arrived{Holder: name, Serial: serial},
		Missed{Holder: name},
		RollCalled{},
		EnrolBegun{Holder: name, Serial: serial},
		d.enrolled("Alice", owner), d.enrolled(names[serial%4], owner),
		EnrolFailed{Holder: name, Serial: serial},
		Dropped{Holder: name, Reason: "ill", By: []string{"Olga", "Pat"}},
		Frozen{},
		Frozen{Documents: []FrozenDocument{{Role: role, Digest: digest}}},
		Reviewed{Holder: name, Digests: digests},
		ReviewClosed{},
		Approved{Holder: name, Serial: serial, Digests: digests},
		SignBegun{Holder: name, Serial: serial, KeyID: d.key(owner).ID, Role: role, Digest: digest},
		Signed{Holder: name, Serial: serial, KeyID: d.key(owner).ID, Role: role, Digest: digest, Sig: sig},
		Signed{Holder: name, Serial: serial, KeyID: d.key(owner).ID, Role: role, Digest: d.frozen[role], Sig: sig},
		SignFailed{Holder: name, Serial: serial, KeyID: d.key(owner).ID, Role: role},
		SigningClosed{},
		SigningReopened{},
		Confirmed{Complete: true, Verdict: "fine"},
		Confirmed{Complete: false, Verdict: "partial"},
		ExportBegun{Name: "x"},
		Exported{},
		Exported{Name: "root-1+targets-1.complete.bundle.json"},
		Closed{Statement: "we agree"},
	}
	return rapid.SampledFrom(events).Draw(d.t, "event")
}
