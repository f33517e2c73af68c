package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"conclave/ceremony"
	"conclave/ceremony/record"
	"conclave/hsm/virtual"
	"conclave/transfer"
)

// A tokenDesk is the smart card service of one script and the tokens on the desk
// beside it. It lives in the test's process: tokens survive what happens to the program.
type tokenDesk struct {
	service *virtual.Service
	root    *virtual.Root
	cards   map[string]*virtual.Card
}

func newTokenDesk(dir string) (*tokenDesk, error) {
	service, err := virtual.Start(dir)
	if err != nil {
		return nil, err
	}
	root, err := virtual.NewRoot()
	return &tokenDesk{service: service, root: root, cards: map[string]*virtual.Card{}}, err
}

// handTime is how long a hand needs between pulling a token out and putting the
// next one in. Programs that poll may count on it.
const handTime = 800 * time.Millisecond

// token new NAME SERIAL [FIRMWARE] · insert NAME · remove NAME · auto NAME · manual NAME ·
// touch NAME · fail NAME FAULT · verified NAME COUNT
func tokenCmd(ts *testscript.TestScript, neg bool, args []string) {
	d := ts.Value(deskKey).(*tokenDesk)
	if neg || len(args) < 2 {
		ts.Fatalf("usage: token VERB NAME ...")
	}
	verb, name := args[0], args[1]
	if verb == "new" {
		d.new(ts, name, args[2:])
		return
	}
	card := d.cards[name]
	if card == nil {
		ts.Fatalf("there is no token %s", name)
	}
	switch verb {
	case "insert":
		_, err := d.service.Insert(card)
		ts.Check(err)
	case "remove":
		d.service.Remove(card)
		time.Sleep(handTime)
	case "auto":
		card.AutoTouch(true)
	case "manual":
		card.AutoTouch(false)
	case "touch":
		<-card.Waiting()
		card.Touch()
	case "fail":
		fault, ok := faults[args[2]]
		if !ok {
			ts.Fatalf("there is no fault %s", args[2])
		}
		card.FailNext(fault)
	case "verified":
		if got := strconv.Itoa(card.Counts().Verify); got != args[2] {
			ts.Fatalf("%s saw %s PINs, want %s", name, got, args[2])
		}
	default:
		ts.Fatalf("token %s: unknown", verb)
	}
}

func (d *tokenDesk) new(ts *testscript.TestScript, name string, args []string) {
	serial, err := strconv.ParseUint(args[0], 10, 32)
	ts.Check(err)
	o := virtual.Options{Serial: uint32(serial), Firmware: "5.7.1", Root: d.root}
	switch {
	case len(args) > 1 && args[1] == "foreign": // a PIV card of another maker
		o.Firmware, o.Foreign = "5.2.7", true
	case len(args) > 1:
		o.Firmware = args[1]
	}
	card, err := virtual.NewCard(o)
	ts.Check(err)
	card.AutoTouch(true)
	d.cards[name] = card
}

// asked is how both front ends name a word of a digest.
var asked = regexp.MustCompile(`word (\d+) of ([A-Z]+) \d+`)

// hear DIR answers the challenge in the lines since the last keys like a keyholder who listens
// to the conductor: it looks the words up in the record of the ceremony in DIR and types them in one line.
// hear -screen DIR types each into its field of the screen.
func hearCmd(ts *testscript.TestScript, _ bool, args []string) {
	t := *current(ts)
	fields := args[0] == "-screen"
	if fields {
		args = args[1:]
	}
	var found [][]string
	if !t.until(func(screen, lines string) bool {
		if fields {
			lines = screen
		}
		found = asked.FindAllStringSubmatch(lines, -1)
		return len(found) > 0
	}) {
		ts.Fatalf("no word was asked for:\n%s", t.screen())
	}
	words := heard(ts, args[0], found)
	if !fields {
		ts.Check(t.typeKeys(strings.Join(words, " ") + "\r"))
		return
	}
	for _, w := range words {
		time.Sleep(personPace)
		ts.Check(t.typeKeys(w + "\r"))
	}
}

// heard looks up the words at the places that were asked for.
func heard(ts *testscript.TestScript, dir string, places [][]string) []string {
	entries, _, err := record.Read(filepath.Join(ts.MkAbs(dir), recordFile))
	ts.Check(err)
	state, err := ceremony.Replay(entries)
	ts.Check(err)
	var words []string
	for _, m := range places {
		position, err := strconv.Atoi(m[1])
		ts.Check(err)
		doc := state.Bundle().Document(strings.ToLower(m[2]))
		words = append(words, doc.Digest().Words()[position-1])
	}
	return words
}

// words BUNDLE FILE writes the words of a bundle's root into a file, as somebody copies them off the printed record.
func wordsCmd(ts *testscript.TestScript, _ bool, args []string) {
	b, err := transfer.Read(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(strings.Join(b.Root().Digest().Words(), " ")+"\n"), 0o644))
}

// flip FILE OFFSET changes one byte of a file; a negative offset counts from the end.
func flipCmd(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	raw, err := os.ReadFile(path)
	ts.Check(err)
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	if at < 0 {
		at += len(raw)
	}
	if at < 0 || at >= len(raw) {
		ts.Fatalf("%s has %d bytes", args[0], len(raw))
	}
	raw[at] ^= 1
	ts.Check(os.WriteFile(path, raw, 0o644))
}

// replace FILE OLD NEW changes a text in a file, which must be there.
func replaceCmd(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	raw, err := os.ReadFile(path)
	ts.Check(err)
	if !strings.Contains(string(raw), args[1]) {
		ts.Fatalf("%s does not hold %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(path, []byte(strings.ReplaceAll(string(raw), args[1], args[2])), 0o644))
}

// exit CODE program args... runs a program and holds its exit code to CODE.
func exitCmd(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	if err != nil {
		got = exitOf(err)
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}
