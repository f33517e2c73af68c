//go:build !offline

package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"conclave/ceremony"
	"conclave/ceremony/tuf"
	"conclave/hsm"
	"conclave/hsm/piv"
	"conclave/hsm/virtual"
	"conclave/transfer"
	"conclave/tui/plain"
	"conclave/tui/room"
)

// A hall is a house whose people hold virtual tokens and sit their ceremonies out line by line, through
// the production token code. "Bob 2" is Bob's second token.
type hall struct {
	*house
	service *virtual.Service
	cards   map[string]*virtual.Card
	names   []string // of cards, in the order of the tray
	tufJS   func(args ...string) error
	n       int // ceremonies so far
}

// newHall has published root 1 (3 of 5) and targets 1 (2 of Alice, Bob and Carol), whose keys were made and
// whose signatures were given in a ceremony.
func newHall(t *testing.T) *hall {
	t.Helper()
	h := &hall{house: emptyHouse(t), cards: map[string]*virtual.Card{}, tufJS: startTufJSFrom(t)}
	socket, err := os.MkdirTemp("", "hall") // a socket's path is short
	h.check(err)
	t.Cleanup(func() { _ = os.RemoveAll(socket) })
	h.service, err = virtual.Start(socket)
	h.check(err)
	t.Cleanup(func() { _ = h.service.Close() })
	h.check(h.service.Use())
	h.token(houseHolders...)
	hashed, err := transfer.HashFiles(t.Context(), []string{filepath.Join(h.dir, "files")}, nil)
	h.check(err)
	b, err := ceremony.PlanGenesis(ceremony.Genesis{
		Purpose: "first keys", RootHolders: houseHolders, TargetsHolders: houseHolders[:3], RootThreshold: 3, TargetsThreshold: 2, Algorithm: "p256",
		Snapshot: h.key("snapshot"), Timestamp: h.key("timestamp"), RootExpires: h.now.AddDate(1, 0, 0), TargetsExpires: h.now.AddDate(0, 3, 0), Files: hashed,
	}, h.now)
	h.check(err)
	b = h.hold(b, sitting{enrol: houseHolders, sign: []string{"Alice", "Bob", "Carol"}})
	h.first = b.Document(tuf.Root)
	h.push(b)
	return h
}

// token makes new tokens.
func (h *hall) token(names ...string) {
	h.t.Helper()
	for _, name := range names {
		card, err := virtual.NewCard(virtual.Options{Serial: uint32(13078700 + len(h.names)), Firmware: "5.7.1"})
		h.check(err)
		card.AutoTouch(true)
		h.cards[name], h.names = card, append(h.names, name)
	}
}

// open puts a token in; out lets go of it.
func (h *hall) open(name string) (token hsm.Token, out func()) {
	h.t.Helper()
	reader, err := h.service.Insert(h.cards[name])
	h.check(err)
	token, err = piv.New().Open(h.t.Context(), reader)
	h.check(err)
	return token, func() {
		_ = token.Close()
		h.service.Remove(h.cards[name])
	}
}

// enrol lets a token make its key outside of a ceremony.
func (h *hall) enrol(name string) tuf.Key {
	h.t.Helper()
	token, out := h.open(name)
	defer out()
	var pins [3]*hsm.PIN
	for i, pin := range []string{factoryPIN, practicePIN, practicePUK} {
		var err error
		pins[i], err = hsm.NewPIN([]byte(pin))
		h.check(err)
	}
	made, err := token.Enrol(h.t.Context(), hsm.Enrolment{
		Slot: hsm.SlotSignature, Algorithm: hsm.P256, Holder: name, CurrentPIN: pins[0], NewPIN: pins[1], NewPUK: pins[2],
	})
	h.check(err)
	key, err := tuf.NewKey(made.Public)
	h.check(err)
	return key
}

// A sitting is who comes to one ceremony, and what they type there.
type sitting struct {
	away    []string // holders who do not come
	enrol   []string // tokens that make their keys, in the order in which they are asked for
	sign    []string // tokens that sign
	late    []string // lines after the signatures
	partial bool     // signatures are still missing then
}

// hold holds a ceremony in the plain front end, and gives the bundle that it exported.
func (h *hall) hold(b *transfer.Bundle, who sitting) *transfer.Bundle {
	h.t.Helper()
	h.n++
	dir := h.record()
	s, err := ceremony.Begin(ceremony.Config{
		Dir: dir, Tokens: piv.New(), Medium: folder{transfer.Folder{Dir: h.medium()}}, Now: func() time.Time { return h.now }, Program: "conclave test",
	}, b, h.first)
	h.check(err)
	defer s.Close()
	_, err = s.Preflight(h.t.Context())
	h.check(err)
	var out strings.Builder
	ctx, cancel := context.WithTimeout(h.t.Context(), time.Minute)
	defer cancel()
	err = plain.Run(ctx, plain.Options{
		Session: s, Tray: h, AutoTouch: true, Poll: time.Millisecond, Out: &out, In: strings.NewReader(strings.Join(h.script(s, who), "\n") + "\n"),
	})
	if err != nil {
		h.t.Fatalf("%v\n%s", err, out.String())
	}
	made, err := transfer.Read(s.State().Exports()[0].Path)
	h.check(err)
	report, err := readRecord(dir)
	h.check(err)
	if !report.Verified || report.Complete != s.State().Complete() {
		h.t.Errorf("the record says %+v", report)
	}
	return made
}

// record is the folder of the last ceremony.
func (h *hall) record() string { return filepath.Join(h.dir, fmt.Sprintf("ceremony-%d", h.n)) }

// medium is a stick for one ceremony.
func (h *hall) medium() string {
	h.t.Helper()
	dir := filepath.Join(h.dir, fmt.Sprintf("stick-%d", h.n))
	h.check(os.MkdirAll(dir, 0o755))
	return dir
}

// script is what the people of a sitting type.
func (h *hall) script(s *ceremony.Session, who sitting) []string {
	var lines []string
	for _, what := range s.State().Open() {
		lines = append(lines, "exception "+what, "we looked at it together", "Olga, Pat")
	}
	lines = append(lines, "Olga, Pat")
	var here []string
	for _, p := range s.State().Participants() {
		if slices.Contains(who.away, p.Name) {
			lines = append(lines, "away "+p.Name)
		} else {
			here = append(here, p.Name)
		}
	}
	lines = append(lines, "here "+strings.Join(here, ", "), "done")
	for _, name := range who.enrol {
		lines = append(lines, "insert "+name, "yes", factoryPIN, practicePIN, practicePIN, practicePUK, practicePUK, "remove "+name)
	}
	lines = append(append(append(lines, "freeze"), here...), "sign")
	for _, name := range who.sign {
		lines = append(lines, "insert "+name, "words", practicePIN, "remove "+name)
	}
	lines = append(append(lines, who.late...), "done")
	if who.partial {
		lines = append(lines, "partial")
	}
	return append(lines, "confirm", "export", "seal", "-")
}

// The tray of a hall.

// Tokens lists every token there ever was.
func (h *hall) Tokens() []room.TrayToken {
	var all []room.TrayToken
	for _, name := range h.names {
		c := h.cards[name]
		all = append(all, room.TrayToken{Name: name, Serial: c.Serial(), Inserted: h.service.Inserted(c), WaitingForTouch: c.AwaitingTouch()})
	}
	return all
}

// Insert puts a token in.
func (h *hall) Insert(i int) { _, _ = h.service.Insert(h.cards[h.names[i]]) }

// Remove takes a token out.
func (h *hall) Remove(i int) { h.service.Remove(h.cards[h.names[i]]) }

// Touch has nothing to do: these tokens are touched at once.
func (h *hall) Touch() {}

// Yank has nothing to do.
func (h *hall) Yank() {}

// PIN is everybody's.
func (h *hall) PIN() string { return practicePIN }

// follow lets both foreign clients and ours update from every root that ever was, and download.
func (h *hall) follow() {
	h.t.Helper()
	h.clientsFollow()
	for _, root := range h.base().Roots {
		h.check(h.js(h.url, root.Bytes(), ""))
	}
}

// js is tuf-js; memory is the folder of what it remembers, empty for a new one.
func (h *hall) js(url string, root []byte, memory string) error {
	dir := h.t.TempDir()
	path := filepath.Join(dir, "root.json")
	h.check(os.WriteFile(path, root, 0o644))
	args := []string{url + "/metadata", url + "/targets", path, h.target, filepath.Join(dir, "got")}
	if memory != "" {
		args = append(args, memory)
	}
	return h.tufJS(args...)
}

// forged proves that nothing counts any more that a token signs which left, though its thief has its PIN: no draft
// takes its signature, and no client takes a root or a release that lacks one signature and has it instead.
func (h *hall) forged(gone []string, others ...string) {
	h.t.Helper()
	base := h.base()
	next, err := ceremony.PlanRoot(base, "forged", h.now.AddDate(1, 0, 0), h.now)
	h.check(err)
	root := next.Document(tuf.Root)
	reqs, err := next.Requirements(tuf.Root)
	h.check(err)
	forged, err := new(metadata.Metadata[metadata.RootType]).FromBytes(root.Bytes())
	h.check(err)
	for _, name := range slices.Concat(gone, others) {
		keyid, sig := h.steal(name, root)
		forged.Signatures = append(forged.Signatures, metadata.Signature{KeyID: keyid, Signature: sig})
		_, err := tuf.Attach(root, reqs, keyid, sig)
		if left := slices.Contains(gone, name); (err != nil) != left {
			h.t.Errorf("the signature of %s on %s: %v", name, root.Title(), err)
		}
	}
	evil := h.t.TempDir()
	h.check(os.CopyFS(evil, os.DirFS(h.folder.Dir())))
	h.check(forged.ToFile(filepath.Join(evil, "metadata", fmt.Sprintf("%d.root.json", root.Version())), true))
	server := httptest.NewServer(http.FileServer(http.Dir(evil)))
	h.t.Cleanup(server.Close)
	trusted := base.Document(tuf.Root).Bytes()
	if h.goTUF(server.URL, trusted, h.t.TempDir()) == nil || h.js(server.URL, trusted, "") == nil {
		h.t.Errorf("a client takes a root that %q signed, who left", gone)
	}
}

// steal signs a document with a token, past every ceremony.
func (h *hall) steal(name string, doc *tuf.Document) (keyid string, sig []byte) {
	h.t.Helper()
	token, out := h.open(name)
	defer out()
	keys, err := token.Keys(h.t.Context())
	h.check(err)
	key, err := tuf.NewKey(keys[0].Public)
	h.check(err)
	digest, _, err := key.Hashed(doc.Payload())
	h.check(err)
	pin, err := hsm.NewPIN([]byte(practicePIN))
	h.check(err)
	sig, err = token.Sign(h.t.Context(), pin, hsm.SlotSignature, digest)
	h.check(err)
	return key.ID, sig
}
