package tuf

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestAttachRefusesWhatProvesNothing(t *testing.T) {
	doc := threeOfFive(t, 1)
	reqs := mustReqs(t, Root, doc, nil, nil)
	alice, dana := who("Alice"), who("Dana")
	other := threeOfFive(t, 2)
	for name, c := range map[string]struct {
		keyid string
		sig   []byte
		is    error
	}{
		"a key of no role":          {dana.key.ID, dana.sign(t, doc), ErrStranger},
		"a key that does not exist": {"nobody", alice.sign(t, doc), ErrStranger},
		"another's signature":       {alice.key.ID, who("Bob").sign(t, doc), ErrSignature},
		"over another version":      {alice.key.ID, alice.sign(t, other), ErrSignature},
		"an empty signature":        {alice.key.ID, nil, ErrSignature},
		"an online key":             {who("timestamp").key.ID, who("timestamp").sign(t, doc), ErrStranger},
	} {
		t.Run(name, func(t *testing.T) {
			before := doc.Bytes()
			_, err := Attach(doc, reqs, c.keyid, c.sig)
			if !errors.Is(err, c.is) {
				t.Errorf("got %v, want %v", err, c.is)
			}
			hinted(t, err)
			if !bytes.Equal(doc.Bytes(), before) {
				t.Error("the document changed")
			}
		})
	}
	if _, err := Attach(doc, nil, alice.key.ID, alice.sign(t, doc)); !errors.Is(err, ErrStranger) {
		t.Errorf("without requirements: %v", err)
	}
}

func TestAttachReplacesByKeyID(t *testing.T) {
	doc := threeOfFive(t, 1)
	reqs := mustReqs(t, Root, doc, nil, nil)
	once := signed(t, doc, reqs, "Alice")
	twice := signed(t, once, reqs, "Alice")
	if len(twice.Signatures()) != 1 || bytes.Equal(twice.Signatures()[0].Sig, once.Signatures()[0].Sig) {
		t.Errorf("%d signatures", len(twice.Signatures()))
	}
	if len(doc.Signatures()) != 0 {
		t.Error("the first document changed")
	}
}

func TestOrderOfSigningDoesNotMatter(t *testing.T) {
	doc := threeOfFive(t, 1)
	reqs := mustReqs(t, Root, doc, nil, nil)
	sigs := map[string][]byte{}
	names := []string{"Alice", "Bob", "Carol", "Erin", "Frank"}
	for _, n := range names {
		sigs[n] = who(n).sign(t, doc)
	}
	var first []byte
	for range 10 {
		rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		d := doc
		for _, n := range names {
			next, err := Attach(d, reqs, who(n).key.ID, sigs[n])
			if err != nil {
				t.Fatal(err)
			}
			d = next
		}
		if first == nil {
			first = d.Bytes()
		}
		if !bytes.Equal(first, d.Bytes()) {
			t.Fatal("another order made other bytes")
		}
	}
}

// layouts are ways in which other tools write the same file.
func layouts(t testing.TB, d *Document) map[string][]byte {
	t.Helper()
	all := map[string][]byte{"ours": d.Bytes()}
	for name, indent := range map[string]string{"tabs": "\t", "two spaces": "  "} {
		var b bytes.Buffer
		if err := json.Indent(&b, d.Bytes(), "", indent); err != nil {
			t.Fatal(err)
		}
		all[name] = b.Bytes()
	}
	var b bytes.Buffer
	if err := json.Compact(&b, d.Bytes()); err != nil {
		t.Fatal(err)
	}
	all["compact"] = b.Bytes()
	all["compact with newline"] = append(bytes.Clone(b.Bytes()), '\n')
	all["odd"] = []byte(strings.Replace(b.String(), `"signatures":[]`, "\n\n    \"signatures\" :\t[ ]", 1))
	all["windows"] = bytes.ReplaceAll(d.Bytes(), []byte("\n"), []byte("\r\n"))
	return all
}

func TestAttachChangesNothingButSignatures(t *testing.T) {
	base := threeOfFive(t, 1)
	for name, raw := range layouts(t, base) {
		t.Run(name, func(t *testing.T) {
			d := mustParse(t, raw)
			reqs := mustReqs(t, Root, d, nil, nil)
			full := signed(t, d, reqs, "Alice", "Bob", "Erin")
			again := mustParse(t, full.Bytes())
			if !bytes.Equal(again.Bytes(), full.Bytes()) || again.Digest() != d.Digest() {
				t.Error("read back it is another document")
			}
			if got, want := signedText(t, again), signedText(t, d); got != want {
				t.Errorf("the signed part changed:\n%s\n%s", got, want)
			}
			if !met(Count(again, reqs), Tally.Complete) {
				t.Error("signatures were lost")
			}
			if back := Unsigned(full); signedText(t, back) != signedText(t, d) || len(back.Signatures()) != 0 {
				t.Error("taking the signatures away changed more")
			}
		})
	}
}

// signedText is the text of the signed part as it stands in the file.
func signedText(t testing.TB, d *Document) string {
	t.Helper()
	var envelope struct{ Signed json.RawMessage }
	if err := json.Unmarshal(d.Bytes(), &envelope); err != nil {
		t.Fatal(err)
	}
	return string(envelope.Signed)
}

func TestAttachedFileHasTheLayoutOfPythonTUF(t *testing.T) {
	doc := mustTargets(t, TargetsSpec{Version: 1, Expires: now})
	root := threeOfFive(t, 1)
	doc = signed(t, doc, mustReqs(t, Targets, doc, nil, root), "Alice")
	sig := doc.Signatures()[0]
	want := "{\n \"signatures\": [\n  {\n   \"keyid\": \"" + sig.KeyID + "\",\n   \"sig\": \"" + hex.EncodeToString(sig.Sig) + "\"\n  }\n ],\n \"signed\": {\n"
	if got := string(doc.Bytes()); !strings.HasPrefix(got, want) {
		t.Errorf("got %s", got)
	}
}

// Attack: a file comes with signatures that look valid and are not: made over
// an older draft, by people who have no say, or never made at all. In real
// repositories they stayed for weeks and were counted by eye.
func TestDeadSignaturesDoNotSurvive(t *testing.T) {
	doc := threeOfFive(t, 1)
	reqs := mustReqs(t, Root, doc, nil, nil)
	alice, bob, carol, dana := who("Alice"), who("Bob"), who("Carol"), who("Dana")
	doc = doc.with([]entry{
		{Signature: Signature{alice.key.ID, alice.sign(t, doc)}},
		{Signature: Signature{bob.key.ID, bob.sign(t, threeOfFive(t, 2))}},
		{Signature: Signature{carol.key.ID, nil}},
		{Signature: Signature{dana.key.ID, dana.sign(t, doc)}},
		{Signature: Signature{"nobody", nil}},
	})
	doc = mustParse(t, doc.Bytes())
	if tally := Count(doc, reqs)[0]; tally.Signed != 1 {
		t.Errorf("%d counted", tally.Signed)
	}

	clean, dropped := Clean(doc, reqs)
	if len(dropped) != 4 || len(clean.Signatures()) != 1 || clean.Signatures()[0].KeyID != alice.key.ID {
		t.Errorf("dropped %v, kept %v", dropped, clean.Signatures())
	}
	if again, dropped := Clean(clean, reqs); again != clean || dropped != nil {
		t.Error("a clean document was changed")
	}

	next := signed(t, doc, reqs, "Erin")
	var left []string
	for _, s := range next.Signatures() {
		left = append(left, s.KeyID)
	}
	// Dana's stands: nothing here says whether it is dead.
	if len(left) != 3 || strings.Contains(strings.Join(left, " "), bob.key.ID) || strings.Contains(strings.Join(left, " "), carol.key.ID) {
		t.Errorf("after attaching: %v", left)
	}
}

func TestUnknownFieldsOfEntriesStay(t *testing.T) {
	doc := threeOfFive(t, 1)
	reqs := mustReqs(t, Root, doc, nil, nil)
	doc = signed(t, doc, reqs, "Alice")
	text := strings.Replace(string(doc.Bytes()), `"keyid"`, `"x-note": {"by":  "hand"}, "keyid"`, 1)
	text = strings.Replace(text, `"signed": {`, `"x-envelope": [1,  2], "signed": {`, 1)
	next := string(signed(t, mustParse(t, []byte(text)), reqs, "Bob").Bytes())
	for _, want := range []string{`"x-note": {"by":  "hand"}`, `"x-envelope": [1,  2]`} {
		if !strings.Contains(next, want) {
			t.Errorf("%s is lost", want)
		}
	}
}

func TestNoMoreSignaturesThanAreRead(t *testing.T) {
	doc := threeOfFive(t, 1)
	reqs := mustReqs(t, Root, doc, nil, nil)
	var entries []entry
	for i := range MaxSignatures {
		entries = append(entries, entry{Signature: Signature{strings.Repeat("a", i+1), []byte{1}}})
	}
	doc = mustParse(t, doc.with(entries).Bytes())
	if _, err := Attach(doc, reqs, who("Alice").key.ID, who("Alice").sign(t, doc)); err == nil {
		t.Error("one more than can be read again was attached")
	}
}

func TestRealFilesKeepTheirSignedBytes(t *testing.T) {
	for _, file := range allReal(t) {
		if tooOld[file] != "" {
			continue
		}
		d := parseReal(t, file)
		clean := Unsigned(d)
		if signedText(t, clean) != signedText(t, d) {
			t.Errorf("%s: the signed part changed", file)
		}
		again := mustParse(t, clean.with(d.entries).Bytes())
		if len(again.Signatures()) != len(d.Signatures()) || again.Digest() != d.Digest() {
			t.Errorf("%s: put back it is another document", file)
		}
	}
}

func TestAnySignaturesReadBack(t *testing.T) {
	base := threeOfFive(t, 1)
	rapid.Check(t, func(rt *rapid.T) {
		seen := map[string]bool{}
		var entries []entry
		for range rapid.IntRange(0, 8).Draw(rt, "entries") {
			id := strings.Map(printable, rapid.StringN(1, 20, 60).Draw(rt, "keyid"))
			if seen[id] {
				continue
			}
			seen[id] = true
			entries = append(entries, entry{Signature: Signature{id, rapid.SliceOfN(rapid.Byte(), 0, 80).Draw(rt, "sig")}})
		}
		d := base.with(entries)
		again, err := Parse(d.Bytes())
		if err != nil {
			rt.Fatal(err)
		}
		got := again.Signatures()
		for i, s := range d.Signatures() {
			if got[i].KeyID != s.KeyID || !bytes.Equal(got[i].Sig, s.Sig) {
				rt.Fatalf("entry %d: %v becomes %v", i, s, got[i])
			}
		}
	})
}
