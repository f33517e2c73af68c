package ceremony

import (
	"context"
	"crypto"
	"errors"
	"os"
	"strings"
	"testing"

	"conclave/ceremony/tuf"
	"conclave/hsm"
	"conclave/hsm/piv"
	"conclave/hsm/virtual"
	"conclave/transfer"
)

// service is the one smart card service of this test binary: libpcsclite
// reads its address once in the life of a process.
var service *virtual.Service

func TestMain(m *testing.M) { os.Exit(virtual.Main(&service, m.Run)) }

// virtualWorld is a room whose tokens are virtual cards, reached through the
// production token code. The soft tokens in owned only say where each card is.
func virtualWorld(t *testing.T, holders ...string) (*world, map[string]*virtual.Card) {
	t.Helper()
	w := newWorld(t)
	w.cfg.Tokens = piv.New()
	cards := map[string]*virtual.Card{}
	firmwares := virtual.Firmwares()
	for i, name := range holders {
		card, err := virtual.NewCard(virtual.Options{Serial: uint32(13078700 + i), Firmware: firmwares[i%len(firmwares)]})
		if err != nil {
			t.Fatal(err)
		}
		card.AutoTouch(true)
		w.owned[name] = newSoftToken(card.Serial())
		cards[name] = card
		w.insert(name, card)
	}
	return w, cards
}

func (w *world) insert(name string, card *virtual.Card) {
	w.t.Helper()
	reader, err := service.Insert(card)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { service.Remove(card) })
	w.owned[name].info.Reader = reader
}

func TestCeremoniesWithTheProductionTokenCode(t *testing.T) {
	w, cards := virtualWorld(t, threePeople...)
	first := w.done(w.planGenesis(), nil)
	root1 := first.Document(tuf.Root)
	for _, e := range first.Tokens {
		if e.Serial != cards[e.Holder].Serial() || e.Firmware != cards[e.Holder].Firmware() || len(e.Leaf) == 0 || len(e.Device) == 0 {
			t.Errorf("evidence of %s: serial %d, firmware %s, %d and %d bytes of certificates", e.Holder, e.Serial, e.Firmware, len(e.Leaf), len(e.Device))
		}
	}
	w = w.next()
	release, err := PlanTargets(baseOf(first), TargetsChange{Add: []transfer.PlannedFile{{Path: "two"}}, Expires: w.now.Add(90 * day)}, w.now)
	if err != nil {
		t.Fatal(err)
	}
	second := w.done(release, root1)
	if _, err := second.Verify(root1); err != nil {
		t.Error(err)
	}
}

func TestGenesisOnP384(t *testing.T) {
	w, _ := virtualWorld(t, threePeople...)
	g := w.genesis()
	g.Algorithm = string(hsm.P384)
	b, err := PlanGenesis(g, w.now)
	if err != nil {
		t.Fatal(err)
	}
	made := w.done(b, nil)
	if _, err := made.Verify(made.Document(tuf.Root)); err != nil {
		t.Error(err)
	}
}

func TestCardPulledWhileItSignsAndPutBack(t *testing.T) {
	w, cards := virtualWorld(t, threePeople...)
	s := w.until(w.begin(w.planGenesis(), nil), StepSign)
	v := w.visitor(s, "Alice")
	alice := cards["Alice"]
	alice.AutoTouch(false)
	pulled := make(chan struct{})
	go func() {
		defer close(pulled)
		<-alice.Waiting()
		service.Remove(alice)
	}()
	err := s.Sign(context.Background(), v, v.Acts[0], testPIN(t, freshPIN), 0)
	<-pulled
	if !errors.Is(err, hsm.ErrRemoved) {
		t.Fatalf("error is %v, want that it was removed", err)
	}
	alice.AutoTouch(true)
	w.insert("Alice", alice)
	if err := w.hold(s); err != nil {
		t.Error(err)
	}
}

// The power goes after the card has made its key and before that is on the record.
func TestKeyMadeRightBeforeAPowerCutIsTakenFromTheCard(t *testing.T) {
	w, cards := virtualWorld(t, threePeople...)
	s := w.until(w.begin(w.planGenesis(), nil), StepEnrolment)
	n := 0
	s.log = &plug{journal: s.log, at: 2, n: &n} // 1: enrolment begun, 2: enrolled
	if err := w.enrolOne(s, "Alice", "Alice", 0); !errors.Is(err, errKilled) {
		t.Fatalf("error is %v", err)
	}
	_ = s.Close()
	w.owned["Alice"].pin = freshPIN
	before := cards["Alice"].Counts()
	s, err := Resume(w.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.enrolOne(s, "Alice", "Alice", 0); err != nil {
		t.Fatal(err)
	}
	if after := cards["Alice"].Counts(); after.Generate != before.Generate {
		t.Errorf("the card made %d keys, then %d", before.Generate, after.Generate)
	}
	if err := w.hold(s); err != nil {
		t.Error(err)
	}
	_ = s.Close()
}

// One of three cards is of another maker and attests nothing. The ceremony takes it by the
// decision of two people, and no other way.
func TestCardOfAnotherMakerTakesPartByException(t *testing.T) {
	w, _ := virtualWorld(t, "Alice", "Bob")
	card, err := virtual.NewCard(virtual.Options{Serial: 4711, Firmware: "5.2.7", Foreign: true})
	if err != nil {
		t.Fatal(err)
	}
	card.AutoTouch(true)
	w.owned["Carol"] = newSoftToken(0)
	w.insert("Carol", card)
	w.cfg.Tokens = piv.New(piv.AnyMaker())
	w.cfg.Genuine = func(e Evidence, _ crypto.PublicKey, _ bool) (Provenance, error) {
		if len(e.Leaf) == 0 {
			return Provenance{}, hsm.ErrNotGenuine
		}
		return Provenance{}, nil
	}
	s := w.until(w.begin(w.planGenesis(), nil), StepRollCall)
	for _, p := range s.State().Participants() {
		if err := s.Arrive(p.Name, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.CloseRollCall(); err != nil {
		t.Fatal(err)
	}
	v := w.visitorAt(s, "Carol")
	if !v.Info.Unprinted || v.Guard.Told {
		t.Fatalf("the card says %+v, %+v", v.Info, v.Guard)
	}
	e := Enrolling{Holder: "Carol", PIN: testPIN(t, virtual.FactoryPIN), NewPIN: testPIN(t, freshPIN), PUK: testPIN(t, virtual.FactoryPUK), NewPUK: testPIN(t, freshPUK)}
	err = s.Enrol(context.Background(), v, e)
	if !errors.Is(err, hsm.ErrNotGenuine) || !strings.Contains(hintOf(err), "--accept-unattested") {
		t.Fatalf("without an exception: %v; hint: %s", err, hintOf(err))
	}
	if err := s.Except(ExceptAttestation, "no YubiKey was to be had", []string{"Olga", "Pat"}); err != nil {
		t.Fatal(err)
	}
	e.PIN, e.NewPIN, e.PUK, e.NewPUK = testPIN(t, freshPIN), testPIN(t, "161803"), testPIN(t, freshPUK), testPIN(t, "27182845")
	e.Erase = v.Info.Serial // a card that does not say that it made its key keeps none from a try that failed
	if err := s.Enrol(context.Background(), v, e); err != nil {
		t.Fatal(err)
	}
	w.owned["Carol"].pin, w.all = "161803", true // all sign, not only as many as are needed
	enrolled := card.Counts().Sign
	if err := w.hold(s); err != nil {
		t.Fatal(err)
	}
	if n := card.Counts().Sign - enrolled; n != 2 {
		t.Errorf("the card made %d signatures, not those of root and targets", n)
	}
	for _, p := range s.Proofs() {
		if (p.Why == "") != (p.Holder != "Carol") {
			t.Errorf("%s: %q", p.Holder, p.Why)
		}
	}
}
