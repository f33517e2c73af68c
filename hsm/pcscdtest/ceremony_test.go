//go:build linux

package pcscdtest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"conclave/ceremony"
	"conclave/ceremony/tuf"
	"conclave/hsm"
	"conclave/hsm/hsmtest"
	"conclave/hsm/piv"
	"conclave/hsm/virtual"
	"conclave/transfer"
)

// stick is a medium: a folder.
type stick struct{ dir string }

func (stick) Check() (string, error) { return "a folder of a test", nil }

func (s stick) Export(name string, data []byte) (string, error) {
	path := filepath.Join(s.dir, name)
	return path, os.WriteFile(path, data, 0o644)
}

// A room is a ceremony with five people, their tokens in pcscd's readers.
type room struct {
	t       *testing.T
	session *ceremony.Session
	people  []string
	seats   map[string]*seat
	cards   map[string]*virtual.Card
	pulled  bool
}

const freshPIN = "271828"

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newRoom(t *testing.T) *room {
	t.Helper()
	r := &room{t: t, people: []string{"Alice", "Bob", "Carol", "Dana", "Erin"}, seats: map[string]*seat{}, cards: map[string]*virtual.Card{}}
	for n, name := range r.people {
		r.seats[name], r.cards[name] = sit(t, n), newCard(t, "5.7.1")
		r.seats[name].insert(r.cards[name])
	}
	now := time.Now().UTC().Truncate(time.Second)
	plan, err := ceremony.PlanGenesis(ceremony.Genesis{
		Purpose: "first root", RootHolders: r.people, TargetsHolders: r.people[:3], RootThreshold: 3, TargetsThreshold: 2,
		Algorithm: string(hsm.P256), Snapshot: onlineKey(t), Timestamp: onlineKey(t),
		RootExpires: now.AddDate(1, 0, 0), TargetsExpires: now.AddDate(0, 3, 0),
		Files: []transfer.PlannedFile{{Path: "hello.txt", Length: 5, SHA256: digest}},
	}, now)
	must(t, err)
	tokens := piv.New()
	t.Cleanup(func() { _ = tokens.Close() })
	r.session, err = ceremony.Begin(ceremony.Config{
		Dir: filepath.Join(t.TempDir(), "ceremony"), Tokens: tokens, Medium: stick{t.TempDir()}, Program: "a test",
	}, plan, nil)
	must(t, err)
	t.Cleanup(func() { _ = r.session.Close() })
	return r
}

func onlineKey(t *testing.T) tuf.Key {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	key, err := tuf.NewKey(private.Public())
	must(t, err)
	return key
}

func (r *room) look(name string) ceremony.Visitor {
	r.t.Helper()
	v, err := r.session.Look(r.t.Context(), r.seats[name].name())
	must(r.t, err)
	return v
}

// gather goes through everything before the signatures.
func (r *room) gather() {
	t, s := r.t, r.session
	t.Helper()
	_, err := s.Preflight(t.Context())
	must(t, err)
	for _, what := range s.State().Open() {
		must(t, s.Except(what, "this is a test", []string{"Olga", "Pat"}))
	}
	must(t, s.PassPreflight([]string{"Olga", "Pat"}))
	for _, name := range r.people {
		must(t, s.Arrive(name, r.cards[name].Serial()))
	}
	must(t, s.CloseRollCall())
	for _, name := range r.people {
		must(t, s.Enrol(t.Context(), r.look(name), ceremony.Enrolling{Holder: name, PIN: hsmtest.PIN(t, tokenPIN), NewPIN: hsmtest.PIN(t, freshPIN)}))
	}
	must(t, s.Freeze())
	for _, name := range r.people {
		must(t, s.Review(name))
	}
	must(t, s.CloseReview())
}

// sign is one holder's turn; Bob pulls his token out while it blinks.
func (r *room) sign(name string) {
	t, s := r.t, r.session
	t.Helper()
	v := r.look(name)
	if len(v.Acts) == 0 {
		return
	}
	asked, err := s.Challenges(v)
	must(t, err)
	var words []string
	for _, c := range asked {
		words = append(words, s.State().Bundle().Document(c.Role).Digest().Words()[c.Position-1])
	}
	must(t, s.Approve(v, asked, words))
	for _, act := range v.Acts {
		if name == "Bob" && !r.pulled {
			r.pull(name, v, act)
			r.sign(name)
			return
		}
		must(t, s.Sign(t.Context(), v, act, hsmtest.PIN(t, freshPIN), 0))
	}
}

func (r *room) pull(name string, v ceremony.Visitor, act ceremony.Act) {
	t := r.t
	t.Helper()
	r.pulled = true
	card := r.cards[name]
	card.AutoTouch(false)
	outcome := make(chan error, 1)
	pin := hsmtest.PIN(t, freshPIN)
	go func() { outcome <- r.session.Sign(context.Background(), v, act, pin, 0) }()
	<-card.Waiting()
	r.seats[name].yank()
	if err := <-outcome; !errors.Is(err, hsm.ErrRemoved) {
		t.Fatalf("pulled: %v", err)
	}
	card.AutoTouch(true)
	r.seats[name].insert(card)
}

// A genesis from the roll call to the sealed record, through the real pcscd,
// with a token pulled in the middle of a signature and put back.
func TestWholeCeremony(t *testing.T) {
	r := newRoom(t)
	r.gather()
	for _, name := range r.people {
		r.sign(name)
	}
	s := r.session
	must(t, s.CloseSigning())
	_, err := s.Confirm()
	must(t, err)
	_, err = s.Export()
	must(t, err)
	must(t, s.CloseCeremony("All agree."))
	b := s.State().Bundle()
	if !r.pulled {
		t.Error("no token was pulled: this tested less than it should")
	}
	if _, err := b.Verify(b.Document(tuf.Root)); err != nil {
		t.Fatal(err)
	}
	if len(b.Tokens) != len(r.people) {
		t.Errorf("evidence of %d tokens", len(b.Tokens))
	}
}
