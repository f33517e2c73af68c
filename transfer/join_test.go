package transfer

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"conclave/ceremony/tuf"
)

func TestPartialsOfManySitesBecomeComplete(t *testing.T) {
	draft := draftRotation(t)
	berlin, lima, osaka := sign(t, draft, tuf.Root, "Alice"), sign(t, draft, tuf.Root, "Carol"), sign(t, draft, tuf.Root, "Dana")
	var first []byte
	permutations(3, func(order []int) {
		sites := []*Bundle{berlin, lima, osaka}
		joined, dropped, err := Join(sites[order[0]], sites[order[1]], sites[order[2]])
		if err != nil || len(dropped) > 0 {
			t.Fatalf("Join = %v, %v", dropped, err)
		}
		if s, err := joined.Status(); err != nil || s.State != StateComplete {
			t.Errorf("status = %s, %v", states(s), err)
		}
		if _, err := joined.Verify(draft.Base.Roots[0]); err != nil {
			t.Error(err)
		}
		raw := mustBytes(t, joined)
		if first == nil {
			first = raw
		}
		if !bytes.Equal(raw, first) {
			t.Errorf("order %v gives other bytes", order)
		}
	})
}

func draftRotation(t testing.TB) *Bundle {
	t.Helper()
	return rotation(t)
}

// Of the same draft, sites may hold other signatures by the same key, other evidence, records and
// white space. However they are joined, the bytes are the same.
func TestJoinIsCommutativeAssociativeAndIdempotent(t *testing.T) {
	draft := draftRotation(t)
	pool := map[string][][]byte{} // several signatures by each key
	for _, n := range []string{"Alice", "Bob", "Carol", "Dana"} {
		for range 2 {
			pool[n] = append(pool[n], signature(t, draft.Root(), n))
		}
	}
	draft.Base.Documents = []Document{{tuf.Targets, newTargets(t, 1)}}
	withNewline := func(doc *tuf.Document) *tuf.Document {
		return mustDoc(t)(tuf.Parse(append(doc.Bytes(), '\n')))
	}
	newline := withNewline(draft.Root())
	base := [2]*tuf.Document{withNewline(draft.Base.Roots[0]), withNewline(draft.Base.Documents[0].Metadata)}
	rapid.Check(t, func(rt *rapid.T) {
		bundles := make([]*Bundle, rapid.IntRange(2, 4).Draw(rt, "bundles"))
		for i := range bundles {
			bundles[i] = anyPartial(rt, draft, newline, base, pool)
		}
		join := func(bs ...*Bundle) *Bundle {
			b, _, err := Join(bs...)
			if err != nil {
				rt.Fatal(err)
			}
			return b
		}
		want := mustBytes(t, join(bundles...))
		ways := map[string]func() *Bundle{
			"backwards":           func() *Bundle { return join(reversed(bundles)...) },
			"each twice":          func() *Bundle { return join(append(slices.Clone(bundles), bundles...)...) },
			"one after the other": func() *Bundle { return fold(join, bundles) },
			"with the result":     func() *Bundle { return join(join(bundles...), bundles[0]) },
			"through a file":      func() *Bundle { return join(mustParse(t, want)) },
			"in two groups":       func() *Bundle { return join(join(bundles[:1]...), join(bundles[1:]...)) },
		}
		way := rapid.SampledFrom(slices.Sorted(maps.Keys(ways))).Draw(rt, "way")
		if raw := mustBytes(t, ways[way]()); !bytes.Equal(raw, want) {
			rt.Fatalf("joined %s is\n%s\nwant\n%s", way, raw, want)
		}
	})
}

func anyPartial(rt *rapid.T, draft *Bundle, newline *tuf.Document, base [2]*tuf.Document, pool map[string][][]byte) *Bundle {
	b := draft.clone()
	if rapid.Bool().Draw(rt, "newline") {
		b = b.With(tuf.Root, newline)
	}
	if rapid.Bool().Draw(rt, "newline in the base") {
		b.Base.Roots[0], b.Base.Documents[0].Metadata = base[0], base[1]
	}
	reqs, err := b.Requirements(tuf.Root)
	if err != nil {
		rt.Fatal(err)
	}
	doc := b.Root()
	for _, n := range []string{"Alice", "Bob", "Carol", "Dana"} {
		which := rapid.IntRange(-1, len(pool[n])-1).Draw(rt, n)
		if which < 0 {
			continue
		}
		if doc, err = tuf.Attach(doc, reqs, who(n).key.ID, pool[n][which]); err != nil {
			rt.Fatal(err)
		}
		b.Tokens = append(b.Tokens, Evidence{KeyID: who(n).key.ID, Serial: who(n).serial, Holder: n, Firmware: fmt.Sprintf("5.%d", which)})
	}
	b = b.With(tuf.Root, doc)
	b.Created = b.Created.Add(time.Duration(rapid.IntRange(0, 3).Draw(rt, "created")) * 700 * time.Millisecond)
	if n := rapid.IntRange(0, 3).Draw(rt, "record"); n > 0 {
		b.Record = &RecordHead{Entries: n, Hash: strings.Repeat(fmt.Sprint(rapid.IntRange(0, 1).Draw(rt, "hash")), 64)}
	}
	return b
}

func reversed(bundles []*Bundle) []*Bundle {
	bundles = slices.Clone(bundles)
	slices.Reverse(bundles)
	return bundles
}

func fold(join func(...*Bundle) *Bundle, bundles []*Bundle) *Bundle {
	b := bundles[0]
	for _, next := range bundles[1:] {
		b = join(b, next)
	}
	return b
}

// A tool left empty places for those who had not signed yet, somebody signed an
// earlier payload, and a stranger signed too.
func TestJoinDropsAndNamesDeadSignatures(t *testing.T) {
	good := release(t, "Alice")
	draft := draftRelease(t, genesis(t, "Alice", "Bob"))
	draft.Base = good.Base
	raw := strings.Replace(string(draft.Document(tuf.Targets).Bytes()), `"signatures": []`, fmt.Sprintf(`"signatures": [
  {"keyid": %q, "sig": ""},
  {"keyid": %q, "sig": "%x"},
  {"keyid": %q, "sig": "%x"},
  {"keyid": "feedc0de", "sig": "00"}
 ]`, who("Bob").key.ID, who("Carol").key.ID, signature(t, newTargets(t, 2, "earlier.bin"), "Carol"),
		who("Mallory").key.ID, signature(t, draft.Document(tuf.Targets), "Mallory")), 1)
	bad := draft.With(tuf.Targets, mustDoc(t)(tuf.Parse([]byte(raw))))
	joined, dropped, err := Join(good, bad)
	if err != nil {
		t.Fatal(err)
	}
	sigs := joined.Document(tuf.Targets).Signatures()
	if len(sigs) != 1 || sigs[0].KeyID != who("Alice").key.ID {
		t.Errorf("signatures after the join: %v, want Alice's", sigs)
	}
	said := strings.Join(dropped, "\n")
	for _, want := range []string{
		"targets in bundle 2: an empty place for key " + who("Bob").key.ID,
		"the signature by key " + who("Carol").key.ID + " is not over this payload",
		"key " + who("Mallory").key.ID + " has no say",
		"key feedc0de has no say",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("dropped is\n%s\nwant it to say %q", said, want)
		}
	}
	if len(dropped) != 4 {
		t.Errorf("%d were dropped, want 4", len(dropped))
	}
	joined, dropped, err = Join(bad)
	if n := len(joined.Document(tuf.Targets).Signatures()); err != nil || n != 0 || len(dropped) != 4 {
		t.Errorf("joined alone it has %d signatures, %d were dropped, %v; want 0, 4", n, len(dropped), err)
	}
}

func TestJoinRefusesOtherDrafts(t *testing.T) {
	draft := release(t, "Alice")
	change := func(f func(b *Bundle)) *Bundle {
		c := draft.clone()
		f(c)
		return c
	}
	digest := func(b *Bundle) string { return b.Document(tuf.Targets).Digest().Hex() }
	otherPayload := draft.With(tuf.Targets, newTargets(t, 2, "other.bin"))
	for name, c := range map[string]struct {
		b    *Bundle
		want ConflictError
	}{
		"another payload": {otherPayload, ConflictError{tuf.Targets, "payload", digest(draft), digest(otherPayload)}},
		"another purpose": {change(func(b *Bundle) { b.Purpose = "x" }), ConflictError{"", "purpose", `"release 2"`, `"x"`}},
		"a role more": {
			draft.With("more", newTargets(t, 1)),
			ConflictError{"more", "payload", "none", newTargets(t, 1).Digest().Hex()},
		},
		"other versions seen": {
			change(func(b *Bundle) { b.Base.Seen[tuf.Timestamp] = 8 }),
			ConflictError{tuf.Timestamp, "version seen", "7", "8"},
		},
		"another base": {
			change(func(b *Bundle) { b.Base.Documents = nil }),
			ConflictError{tuf.Targets, "payload of the base", draft.Base.Document(tuf.Targets).Digest().Hex(), "none"},
		},
		"another base root": {
			change(func(b *Bundle) { b.Base.Roots[0] = newRoot(t, 1, "Alice", "Dana") }),
			ConflictError{"root 1", "payload", draft.TrustedRoot().Digest().Hex(), newRoot(t, 1, "Alice", "Dana").Digest().Hex()},
		},
		"a longer chain": {
			change(func(b *Bundle) { b.Base.Roots = append(b.Base.Roots, newRoot(t, 2, "Alice", "Dana")) }),
			ConflictError{"", "root chain", "root 1 to 1", "root 1 to 2"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			joined, _, err := Join(draft, c.b)
			var conflict *ConflictError
			if joined != nil || !errors.As(err, &conflict) || *conflict != c.want {
				t.Fatalf("Join = %v, %v; want %v", joined, err, &c.want)
			}
			wantHint(t, err)
		})
	}
}

func TestJoinRefusesPlansAndNothing(t *testing.T) {
	_, _, err := Join(plan(), plan())
	var content *ContentError
	if !errors.As(err, &content) || !strings.Contains(err.Error(), "is a plan") {
		t.Errorf("Join of plans = %v", err)
	}
	wantHint(t, err)
	if _, _, err := Join(); err == nil {
		t.Error("nothing was joined")
	}
}

func TestJoinChangesNoneOfItsBundles(t *testing.T) {
	draft := draftRotation(t)
	a, b := sign(t, draft, tuf.Root, "Alice"), sign(t, draft, tuf.Root, "Bob")
	before := [][]byte{mustBytes(t, a), mustBytes(t, b)}
	if _, _, err := Join(a, b); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before[0], mustBytes(t, a)) || !bytes.Equal(before[1], mustBytes(t, b)) {
		t.Error("a bundle was changed by joining it")
	}
}
