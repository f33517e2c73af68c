package transfer

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"conclave/ceremony/tuf"
)

func TestWhatIsWrittenIsRead(t *testing.T) {
	for name, b := range samples(t) {
		t.Run(name, func(t *testing.T) {
			raw := mustBytes(t, b)
			again := mustParse(t, raw)
			if got := mustBytes(t, again); !bytes.Equal(got, raw) {
				t.Errorf("read and written again is\n%s\nwant\n%s", got, raw)
			}
			if again.Purpose != b.Purpose || !again.Created.Equal(b.Created) || len(again.Base.Roots) != len(b.Base.Roots) || len(again.Documents) != len(b.Documents) {
				t.Errorf("read %+v, wrote %+v", again, b)
			}
			if !json.Valid(raw) {
				t.Error("it is no JSON")
			}
		})
	}
}

func TestTheFormatIsWhatThePackageCommentSays(t *testing.T) {
	b := plan()
	b.Plan.Snapshot, b.Plan.Timestamp = nil, nil
	const want = `{
"format":1,
"type":"conclave-bundle",
"purpose":"first root",
"created":"2026-11-22T14:02:00Z",
"practice":false,
"plan":{"holders":[{"name":"Alice","root":true,"targets":true},{"name":"Alice","root":true,"targets":true,"backup":true},{"name":"Björn \"B\" \\ Ö","root":true,"targets":false}],` +
		`"root_threshold":2,"targets_threshold":1,"algorithm":"p256","snapshot":[],"timestamp":[],` +
		`"root_expires":"2027-11-22T14:02:00Z","targets_expires":"2027-02-22T14:02:00Z",` +
		`"files":[{"path":"a/b.bin","length":3,"sha256":"c14cddc033f64b9dea80ea675cf280a015e672516090a5626781153dc68fea11"}]},
"base":{"roots":[],"documents":[],"seen":{}},
"documents":[]
}
`
	if got := string(mustBytes(t, b)); got != want {
		t.Errorf("the plan is\n%s\nwant\n%s", got, want)
	}
}

func TestRotationsThatMakeNoSenseAreRefused(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Bundle)
		says   string
	}{
		{"no root to change", func(b *Bundle) { b.Base = Base{} }, "no root to change"},
		{"no key to make", func(b *Bundle) { b.Plan.Holders = nil }, "without a key to make"},
		{"target files", func(b *Bundle) { b.Plan.Files = plan().Plan.Files }, "lists target files"},
		{"targets that are not there", func(b *Bundle) { b.Base.Documents = nil }, "does not hold them"},
		{"a kept key that nobody has", func(b *Bundle) { b.Plan.Rotation.Keep[0].KeyID = who("Dana").key.ID }, "does not list"},
		{"a key kept twice", func(b *Bundle) { r := b.Plan.Rotation; r.Keep = append(r.Keep, r.Keep[0]) }, "twice"},
		{"a key kept for nothing", func(b *Bundle) { b.Plan.Rotation.Keep[0] = KeptKey{KeyID: who("Alice").key.ID} }, "no role"},
		{"a key that joins and is there", func(b *Bundle) { b.Plan.Rotation.Join[0].Key = who("Bob").key }, "lists it already"},
		{"a key that joins for nobody", func(b *Bundle) { b.Plan.Rotation.Join[0].Holder = " " }, "has no holder"},
		{"documents beside the plan", func(b *Bundle) { b.Documents = b.Base.Documents }, "both a plan and documents"},
		{"first targets without an expiry", func(b *Bundle) { *b = *plan(); b.Plan.TargetsExpires = time.Time{} }, "without an expiry"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := plannedRotation(t)
			tt.change(b)
			if _, err := b.Bytes(); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error is %v, want one that says %q", err, tt.says)
			}
		})
	}
	raw := string(mustBytes(t, plannedRotation(t)))
	for _, field := range []string{`"declared":"2026-11-22T13:02:00Z"`, `"targets_expires":"2027-02-22T14:02:00Z"`} {
		name, _, _ := strings.Cut(field, ":")
		if !strings.Contains(raw, field) {
			t.Fatalf("the bundle does not hold %s", field)
		}
		if _, err := Parse([]byte(strings.Replace(raw, field, name+`:"0001-01-01T00:00:00Z"`, 1))); err == nil || !strings.Contains(err.Error(), "left out") {
			t.Errorf("a second spelling of no %s: %v", name, err)
		}
	}
}

// Snapshots list hashes over whole files, so that white space around an
// envelope, and inside it, must cross the gap as it is.
func TestDocumentsStandByteForByte(t *testing.T) {
	b := release(t)
	raw := b.Document(tuf.Targets).Bytes()
	for name, file := range map[string][]byte{
		"a newline at the end":   append(bytes.Clone(raw), '\n'),
		"white space all around": append([]byte("\r\n\t "), append(bytes.Clone(raw), " \n\n"...)...),
		"one line":               compact(t, raw),
		"braces in a string":     bytes.Replace(compact(t, raw), []byte(`"app-1.bin"`), []byte(`"}],{\"[\\"`), 1),
	} {
		t.Run(name, func(t *testing.T) {
			doc, err := tuf.Parse(file)
			if err != nil {
				t.Fatal(err)
			}
			c := b.With(tuf.Targets, doc)
			again := mustParse(t, mustBytes(t, c))
			if got := again.Document(tuf.Targets).Bytes(); !bytes.Equal(got, file) {
				t.Errorf("the document is\n%q\nwant\n%q", got, file)
			}
			c.Base.Documents[0].Metadata = doc
			c.Documents[0].Metadata = newTargets(t, 3)
			again = mustParse(t, mustBytes(t, c))
			if got := again.Base.Document(tuf.Targets).Bytes(); !bytes.Equal(got, file) {
				t.Errorf("the base's document is\n%q\nwant\n%q", got, file)
			}
		})
	}
	root := append(b.Base.Roots[0].Bytes(), "\n\n"...)
	b.Base.Roots[0] = mustDoc(t)(tuf.Parse(root))
	if got := mustParse(t, mustBytes(t, b)).TrustedRoot().Bytes(); !bytes.Equal(got, root) {
		t.Errorf("the root is\n%q\nwant\n%q", got, root)
	}
}

func compact(t *testing.T, raw []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := json.Compact(&buf, raw); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestParseRefuses(t *testing.T) {
	good := string(mustBytes(t, release(t, "Alice")))
	planned := string(mustBytes(t, plan()))
	edit := func(s, from, to string) string {
		if !strings.Contains(s, from) {
			t.Fatalf("the bundle does not hold %q", from)
		}
		return strings.Replace(s, from, to, 1)
	}
	for name, c := range map[string]struct{ raw, says string }{
		"nothing":                         {"", "empty"},
		"a byte order mark":               {"\ufeff" + good, "byte order mark"},
		"another file":                    {"#!/bin/sh\n", `stands where "{\n" must`},
		"bare metadata":                   {string(newTargets(t, 1).Bytes()), "stands where"},
		"a later format":                  {edit(good, `"format":1`, `"format":2`), "this program knows format 1"},
		"another type":                    {edit(good, `"conclave-bundle"`, `"other"`), "stands where"},
		"a field nobody knows":            {edit(good, `"created"`, "\"more\":1,\n\"created\""), `field "more" stands where "created" must`},
		"a field in other letters":        {edit(good, `"purpose"`, `"Purpose"`), `field "Purpose" must be spelt "purpose"`},
		"a field that stands twice":       {edit(good, `"created"`, "\"purpose\":\"\",\n\"created\""), `field "purpose" stands twice`},
		"a field is missing":              {edit(good, `"practice":false,`+"\n", ""), `field "base" stands where "practice" must`},
		"an unknown field at the end":     {edit(good, "\n}\n", ",\n\"more\":1\n}\n"), "stands where"},
		"a record that stands twice":      {edit(good, "\n}\n", ",\n\"record\":{}\n}\n"), "stands where"},
		"a null":                          {edit(good, `"practice":false`, `"practice":null`), "stands where"},
		"a float":                         {edit(good, `"timestamp":7`, `"timestamp":7.0`), "stands where"},
		"a number with a zero before":     {edit(good, `"timestamp":7`, `"timestamp":07`), "stands where"},
		"a version of zero":               {edit(good, `"timestamp":7`, `"timestamp":0`), "not from 1"},
		"a number beyond 2^53":            {edit(good, `"timestamp":7`, `"timestamp":9007199254740993`), "not from 1"},
		"a number without end":            {edit(good, `"timestamp":7`, `"timestamp":`+strings.Repeat("9", 100)), "whole number"},
		"roles out of order":              {edit(good, `"snapshot":1,`, `"zzz":1,`), `role "targets" stands twice, or after "zzz"`},
		"a role seen twice":               {edit(good, `"snapshot":1,`, `"root":1,`), "stands twice"},
		"another spelling of a letter":    {edit(good, `release 2`, `release \u0032`), "may be escaped"},
		"a line break in the purpose":     {edit(good, `release 2`, "release\n2"), "control character U+000A"},
		"an escape sequence":              {edit(good, `release 2`, "release \x1b[2J"), "control character U+001B"},
		"text that is not UTF-8":          {edit(good, `release 2`, "release \xff"), "UTF-8"},
		"a purpose without end":           {edit(good, `release 2`, strings.Repeat("x", MaxPurpose+1)), "more than 512 bytes"},
		"a text that does not end":        {good[:strings.Index(good, "release 2")+4], "does not end"},
		"a zoned time":                    {edit(good, `:00Z",`, `:00+00:00",`), "more than"},
		"a time with a fraction":          {edit(good, `:00Z",`, `:00.000Z",`), "more than"},
		"a month thirteen":                {edit(good, `2026-12-22`, `2026-13-22`), "not a time"},
		"no time at all":                  {edit(good, `2026-12-22T14:02:00Z`, ``), "not a time"},
		"base64 with another end":         {edit(good, `"BA=="`, `"BB=="`), "base64"},
		"base64 with a line break":        {edit(good, `"AQID"`, `"AQ\nID"`), "may be escaped"},
		"a hash in capitals":              {edit(good, `"abab`, `"ABab`), "SHA-256 in hex"},
		"a short hash":                    {edit(good, `"abab`, `"ab`), "SHA-256 in hex"},
		"an empty list of tokens":         {edit(edit(good, `"tokens":[`+"\n", `"tokens":[]`+"\x00"), "\x00", ""), "is left out"},
		"white space":                     {edit(good, `"created":`, `"created": `), "stands where"},
		"a reformatted file":              {edit(good, "\"purpose\"", "  \"purpose\""), "reformatted by another program"},
		"Windows line ends":               {strings.ReplaceAll(good, "\n", "\r\n"), "stands where"},
		"something behind":                {good + "\n", "1 bytes follow"},
		"a second bundle":                 {good + good, "bytes follow"},
		"half a file":                     {good[:len(good)/2], ""},
		"all but its last byte":           {good[:len(good)-1], "stands where"},
		"a document that is no metadata":  {edit(good, `"metadata":{`, `"metadata":[{`), "read metadata"},
		"a document that is a string":     {edit(planned, `"documents":[]`+"\n", `"documents":[`+"\n"+`{"role":"root","metadata":"x"}`+"\n]\n"), "read metadata"},
		"a document of nothing":           {edit(planned, `"documents":[]`+"\n", `"documents":[`+"\n"+`{"role":"root","metadata":}`+"\n]\n"), "read metadata"},
		"nesting without end":             {edit(planned, `"documents":[]`+"\n", `"documents":[`+"\n"+`{"role":"root","metadata":`+strings.Repeat("[", 1<<20)), "middle of a document"},
		"a role with a slash":             {edit(good, `"role":"targets"`, `"role":"../targets"`), "cannot be part of a file name"},
		"a role of no letters":            {edit(good, `"role":"targets"`, `"role":""`), "must have 1 to 128"},
		"a role of another type":          {edit(good, `"role":"targets"`, `"role":"root"`), "is of type targets"},
		"an online role":                  {edit(good, `"role":"targets"`, `"role":"snapshot"`), "online role"},
		"a plan and documents":            {edit(planned, `"documents":[]`+"\n", good[strings.Index(good, `"documents":[`+"\n"):strings.Index(good, ",\n\"tokens\"")]+"\n"), "both a plan and documents"},
		"neither a plan nor documents":    {strings.Replace(planned, planned[strings.Index(planned, `"plan"`):strings.Index(planned, `"base"`)], "", 1), "neither a plan nor documents"},
		"a plan with an unknown cipher":   {edit(planned, `p256`, `p521`), "not p256 or p384"},
		"a plan with a person twice":      {edit(planned, `{"name":"Alice",`, `{"name":"Alice","root":true,"targets":true},{"name":"Alice",`), "twice"},
		"a plan with a nameless person":   {edit(planned, `"Alice"`, `" "`), "no name"},
		"a plan with a threshold of zero": {edit(planned, `"root_threshold":2`, `"root_threshold":0`), "not from 1"},
		"a plan with a path upwards":      {edit(planned, `a/b.bin`, `../b.bin`), "target path"},
		"a plan with a broken key":        {edit(planned, `"snapshot":["`, `"snapshot":["AAAA`), "public key"},
		"too many holders":                {edit(planned, `{"name":"Alice","root":true,"targets":true},`, manyHolders(MaxHolders)), "more than 64 entries"},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := Parse([]byte(c.raw))
			if err == nil || b != nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("Parse = %v, want a refusal that says %q", err, c.says)
			}
			wantHint(t, err)
		})
	}
}

func manyHolders(n int) string {
	var b strings.Builder
	for range n {
		b.WriteString(`{"name":"A","root":true,"targets":true},`)
	}
	return b.String()
}

func TestParseRefusesAFileBeyondTheLimitUnread(t *testing.T) {
	path := filepath.Join(t.TempDir(), "large.bundle.json")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, MaxBundle+2); err != nil {
		t.Skipf("no sparse files here: %v", err)
	}
	if _, err := Read(path); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("Read = %v", err)
	}
}

func TestAReadErrorNamesThePlace(t *testing.T) {
	good := string(mustBytes(t, release(t)))
	raw := strings.Replace(good, `"serial":13078777`, `"serial":99999999999`, 1)
	_, err := Parse([]byte(raw))
	var syntax *SyntaxError
	if !errors.As(err, &syntax) || syntax.Path != "tokens[0].serial" {
		t.Fatalf("Parse = %v", err)
	}
	if line := 1 + strings.Count(raw[:strings.Index(raw, "99999999999")], "\n"); syntax.Line != line {
		t.Errorf("the error is in line %d, want %d", syntax.Line, line)
	}
}

func TestBytesRefusesWhatParseWould(t *testing.T) {
	for name, c := range map[string]struct {
		change func(b *Bundle)
		says   string
	}{
		"a line break in the purpose": {func(b *Bundle) { b.Purpose = "a\nb" }, "control character"},
		"a purpose without end":       {func(b *Bundle) { b.Purpose = strings.Repeat("x", 1000) }, "more than 512"},
		"a purpose that is no text":   {func(b *Bundle) { b.Purpose = "\xff" }, "UTF-8"},
		"a version of zero":           {func(b *Bundle) { b.Base.Seen = map[string]int64{"root": 0} }, "not from 1"},
		"a record without a hash":     {func(b *Bundle) { b.Record = &RecordHead{Entries: 1} }, "SHA-256"},
		"a role out of order":         {func(b *Bundle) { b.Documents = append(b.Documents, b.Documents[0]) }, "stands twice"},
		"a document of nothing":       {func(b *Bundle) { b.Documents = []Document{{"targets", nil}} }, "no metadata"},
		"a root chain with a gap":     {func(b *Bundle) { b.Base.Roots = append(b.Base.Roots, newRoot(t, 3, "Alice", "Bob")) }, "missing or out of order"},
		"targets for a root":          {func(b *Bundle) { b.Base.Roots = []*tuf.Document{newTargets(t, 1)} }, "is no root"},
		"a base without a root":       {func(b *Bundle) { b.Base.Roots = nil }, "no root to verify"},
		"a root in the base's documents": {func(b *Bundle) {
			b.Base.Documents = []Document{{"root", newRoot(t, 1, "Alice", "Bob")}}
		}, "belongs to the roots"},
		"a plan on a base":          {func(b *Bundle) { b.Documents, b.Plan = nil, plan().Plan }, "plans a first root and has a base"},
		"a certificate without end": {func(b *Bundle) { b.Tokens[0].Leaf = make([]byte, MaxCert+3) }, "more than"},
		"tokens without end":        {func(b *Bundle) { b.Tokens = make([]Evidence, MaxTokens+1) }, "more than"},
		"a year without end":        {func(b *Bundle) { b.Created = time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC) }, "more than"},
	} {
		t.Run(name, func(t *testing.T) {
			b := release(t)
			c.change(b)
			raw, err := b.Bytes()
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("Bytes = %d bytes, %v; want a refusal that says %q", len(raw), err, c.says)
			}
			wantHint(t, err)
		})
	}
}

func TestABundleBeyondTheLimitIsNotWritten(t *testing.T) {
	b := release(t)
	size := len(mustBytes(t, b))
	for limit, want := range map[int]bool{size: true, size - 1: false} {
		w := &wire{limit: limit}
		if w.file(b); (w.err == nil) != want {
			t.Errorf("a bundle of %d bytes under a limit of %d: %v", size, limit, w.err)
		}
	}
}

// Keys of a rehearsal belong to nobody: what they signed must never pass for real.
func TestPracticeAndRealDoNotMix(t *testing.T) {
	spec := rootSpec(1, "Alice", "Bob", "Carol")
	spec.Practice = true
	practice := mustDoc(t)(tuf.NewRoot(spec))
	b := &Bundle{Created: today}
	if _, err := b.With(tuf.Root, practice).Bytes(); err == nil || !strings.Contains(err.Error(), "made for practice") {
		t.Errorf("Bytes = %v", err)
	}
	b.Practice = true
	if _, err := b.With(tuf.Root, practice).Bytes(); err != nil {
		t.Errorf("Bytes = %v", err)
	}
	if _, err := b.With(tuf.Root, newRoot(t, 1, "Alice", "Bob")).Bytes(); err == nil || !strings.Contains(err.Error(), "is real") {
		t.Errorf("Bytes = %v", err)
	}
	r := release(t, "Alice", "Bob")
	r.Base.Roots[0] = practice
	if _, err := r.Verify(practice); err == nil || !strings.Contains(err.Error(), "made for practice") {
		t.Errorf("Verify = %v", err)
	}
}

func TestWriteAndReadAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "release.bundle.json")
	b := release(t, "Alice")
	for range 2 {
		if err := Write(path, b); err != nil {
			t.Fatal(err)
		}
	}
	again, err := Read(path)
	if err != nil || !bytes.Equal(mustBytes(t, again), mustBytes(t, b)) {
		t.Fatalf("Read = %v", err)
	}
	if err := Write(path, release(t)); !errors.Is(err, ErrExists) {
		t.Errorf("Write over another bundle = %v", err)
	}
	if _, err := Read(filepath.Dir(path)); !errors.Is(err, errNotRegular) {
		t.Errorf("Read of a folder = %v", err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("Read = %v, want an error that names the file", err)
	}
}

func TestWithKeepsTheSigningOrder(t *testing.T) {
	targets := newTargets(t, 1)
	b := new(Bundle)
	for _, role := range []string{"zebra", tuf.Targets, "apple", tuf.Root} {
		doc := targets
		if role == tuf.Root {
			doc = newRoot(t, 1, "Alice", "Bob")
		}
		b = b.With(role, doc)
	}
	var roles []string
	for _, d := range b.Documents {
		roles = append(roles, d.Role)
	}
	if got := strings.Join(roles, " "); got != "root targets apple zebra" {
		t.Errorf("the documents stand as %s", got)
	}
	before := b.Document("apple")
	c := b.With("apple", newTargets(t, 2))
	if b.Document("apple") != before || c.Document("apple").Version() != 2 || len(c.Documents) != 4 {
		t.Error("With changed the bundle that it was called on, or did not replace")
	}
	if p := plan(); p.With(tuf.Root, b.Root()).Plan != nil || p.Plan == nil {
		t.Error("built documents stand beside a plan")
	}
}

func TestRoots(t *testing.T) {
	g, r := genesis(t), rotation(t)
	if !g.Genesis() || g.TrustedRoot() != nil || g.Root().Version() != 1 {
		t.Error("a genesis has a trusted root, or not its own")
	}
	if r.Genesis() || r.TrustedRoot().Version() != 2 || r.Root().Version() != 3 {
		t.Error("a rotation from root 2 to 3 has other roots")
	}
	if p := plan(); p.Root() != nil {
		t.Error("a plan has a root")
	}
}

// FuzzParse: what is read has one spelling, and what was verified of it stays the same.
func FuzzParse(f *testing.F) {
	for _, b := range samples(f) {
		raw := mustBytes(f, b)
		f.Add(raw)
		f.Add(raw[:len(raw)-2])
	}
	small := (&Bundle{Created: today}).With(tuf.Targets, newTargets(f, 1))
	small.Base.Seen = map[string]int64{"a": 1, "b": 2}
	raw := mustBytes(f, small)
	f.Add(raw)
	f.Add(bytes.Replace(raw, []byte(`"purpose"`), []byte(`"Purpose"`), 1))
	f.Add([]byte("{\n\"format\":1,\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := Parse(data)
		if err != nil {
			if b != nil {
				t.Fatal("a refused bundle was returned")
			}
			return
		}
		again, err := b.Bytes()
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		if !bytes.Equal(again, data) {
			t.Fatalf("a second spelling was read:\n%q\nis written as\n%q", data, again)
		}
	})
}
