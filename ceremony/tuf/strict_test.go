package tuf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// small is a valid targets file with one of everything, for breaking.
const small = `{
 "signatures": [
  {
   "keyid": "aa",
   "sig": "3045"
  }
 ],
 "signed": {
  "_type": "targets",
  "delegations": {
   "keys": {
    "dd": {
     "keytype": "ed25519",
     "keyval": {"public": "0101010101010101010101010101010101010101010101010101010101010101"},
     "scheme": "ed25519"
    }
   },
   "roles": [
    {"keyids": ["dd"], "name": "d", "paths": ["d/*"], "terminating": false, "threshold": 1}
   ]
  },
  "expires": "2027-11-22T00:00:00Z",
  "spec_version": "1.0.31",
  "targets": {
   "a": {"custom": {"n": 1}, "hashes": {"sha256": "ab"}, "length": 1},
   "b": {"hashes": {"sha256": "cd"}, "length": 2}
  },
  "version": 7,
  "x-note": "free"
 }
}`

// broken returns small with one replacement, which must apply exactly once.
func broken(t testing.TB, old, with string) string {
	t.Helper()
	if strings.Count(small, old) != 1 {
		t.Fatalf("%q stands %d times in the sample", old, strings.Count(small, old))
	}
	return strings.Replace(small, old, with, 1)
}

func TestSmallSampleIsValid(t *testing.T) {
	d := mustParse(t, []byte(small))
	if d.Version() != 7 || d.Type() != Targets || len(d.Signatures()) != 1 || len(d.Keys()) != 1 {
		t.Errorf("read wrongly: %+v", d)
	}
}

func TestHostileSyntaxIsRefusedWithItsPlace(t *testing.T) {
	deep := strings.Repeat("[", 100_000)
	for name, c := range map[string]struct{ file, path, says string }{
		"an empty file":                          {"", "file", "the file ends"},
		"white space alone":                      {" \n ", "file", "the file ends"},
		"a byte order mark":                      {"\ufeff" + small, "file", "byte order mark"},
		"trailing data":                          {small + " {}", "file", "more text follows"},
		"a trailing zero byte":                   {small + "\x00", "file", "more text follows"},
		"a file cut in the middle":               {small[:300], "signed.delegations.keys", "the file ends"},
		"a duplicate of a known name":            {broken(t, `"version": 7,`, `"version": 7, "version": 8,`), "signed.version", "twice"},
		"a duplicate name by an escape":          {broken(t, `"version": 7,`, `"version": 7, "\u0076ersion": 8,`), "signed.version", "twice"},
		"a case variant of a known name":         {broken(t, `"version": 7,`, `"version": 7, "Version": 8,`), "signed.Version", "upper and lower case"},
		"a case variant instead of a known name": {broken(t, `"version": 7,`, `"VERSION": 7,`), "signed.VERSION", "upper and lower case"},
		"a case variant by a Kelvin sign":        {broken(t, `"keytype": "ed25519"`, `"keytype": "ed25519", "\u212aeyval": 1`), `signed.delegations.keys.dd[`, "upper and lower case"},
		"a duplicate target":                     {broken(t, `"b": {`, `"a": {`), "signed.targets.a", "twice"},
		"a duplicate target out of order":        {broken(t, `"a": {"custom"`, `"c": {"hashes": {"sha256": "ab"}, "length": 1}, "b": {"hashes": {"sha256": "ab"}, "length": 1}, "a": {"custom"`), "signed.targets.b", "twice"},
		"a duplicate unknown name":               {broken(t, `"x-note": "free"`, `"x-note": 1, "x-note": 2`), "signed.x-note", "twice"},
		"a duplicate name deep in custom":        {broken(t, `{"n": 1}`, `{"n": {"m": 1, "o": 2, "m": 1}}`), "signed.targets.a.custom.n.m", "twice"},
		"a duplicate name in the envelope":       {broken(t, `"sig": "3045"`, `"sig": "3045", "x": 1, "x": 1`), "signatures[0].x", "twice"},
		"a fraction":                             {broken(t, `"version": 7`, `"version": 7.0`), "signed.version", "fraction"},
		"an exponent":                            {broken(t, `"version": 7`, `"version": 7e0`), "signed.version", "exponent"},
		"a fraction in an unknown field":         {broken(t, `"free"`, `1.5`), "signed.x-note", "fraction"},
		"a number beyond 2^53":                   {broken(t, `"free"`, `9007199254740992`), "signed.x-note", "beyond"},
		"a number below -2^53":                   {broken(t, `"free"`, `-9007199254740992`), "signed.x-note", "beyond"},
		"a huge number":                          {broken(t, `"free"`, strings.Repeat("9", 100_000)), "signed.x-note", "beyond"},
		"a leading zero":                         {broken(t, `"version": 7`, `"version": 07`), "signed.version", "begins with a zero"},
		"a negative zero":                        {broken(t, `"free"`, `-0`), "signed.x-note", "negative zero"},
		"a lone minus":                           {broken(t, `"free"`, `-`), "signed.x-note", "a digit must follow"},
		"a plus sign":                            {broken(t, `"version": 7`, `"version": +7`), "signed.version", "stands where a value"},
		"not a number":                           {broken(t, `"version": 7`, `"version": NaN`), "signed.version", "stands where a value"},
		"nesting without end":                    {broken(t, `"free"`, deep), "signed.x-note", "deeper than 32"},
		"nesting in custom":                      {broken(t, `{"n": 1}`, strings.Repeat(`{"n":`, 40)+"1"+strings.Repeat("}", 40)), "signed.targets.a.custom", "deeper than 32"},
		"bytes that are not UTF-8":               {broken(t, `"free"`, "\"fr\xffee\""), "signed.x-note", "UTF-8"},
		"an overlong encoding":                   {broken(t, `"free"`, "\"\xc0\xaf\""), "signed.x-note", "UTF-8"},
		"half a surrogate pair":                  {broken(t, `"free"`, `"\ud800"`), "signed.x-note", "surrogate"},
		"a surrogate pair the wrong way":         {broken(t, `"free"`, `"\udc00\ud800"`), "signed.x-note", "surrogate"},
		"a raw line break in a string":           {broken(t, `"free"`, "\"fr\nee\""), "signed.x-note", "stands raw"},
		"a raw tabulator in a string":            {broken(t, `"free"`, "\"fr\tee\""), "signed.x-note", "stands raw"},
		"an escape sequence in an unknown field": {broken(t, `"free"`, `"\u001b[2J"`), "signed.x-note", "U+001B"},
		"an escape sequence in a name":           {broken(t, `"b": {`, `"b\u001b[2J": {`), "signed.targets", "U+001B"},
		"a delete in a name":                     {broken(t, `"b": {`, `"b\u007f": {`), "signed.targets", "U+007F"},
		"a second control set in a name":         {broken(t, `"b": {`, `"b\u009b2J": {`), "signed.targets", "U+009B"},
		"a line break in a role's name":          {broken(t, `"name": "d"`, `"name": "d\n"`), "signed.delegations.roles[0].name", "U+000A"},
		"a zero byte in a keyid":                 {broken(t, `"keyid": "aa"`, `"keyid": "a\u0000"`), "signatures[0].keyid", "U+0000"},
		"an escape that does not exist":          {broken(t, `"free"`, `"\x41"`), "signed.x-note", "does not exist"},
		"an escape without digits":               {broken(t, `"free"`, `"\u00g0"`), "signed.x-note", "four hex digits"},
		"a comment":                              {broken(t, `"version": 7,`, `"version": 7, // note`), "signed", "stands where"},
		"a trailing comma":                       {broken(t, `"x-note": "free"`, `"x-note": "free",`), "signed", "stands where"},
		"a role in other case":                   {strings.Replace(string(threeOfFive(t, 1).Bytes()), `"timestamp": {`, `"Timestamp": {`, 1), "signed.roles.Timestamp", "upper and lower case"},
		"a missing comma":                        {broken(t, `"version": 7,`, `"version": 7`), "signed", "stands where"},
		"single quotes":                          {broken(t, `"free"`, `'free'`), "signed.x-note", "stands where"},
		"a missing colon":                        {broken(t, `"version": 7`, `"version" 7`), "signed.version", "stands where"},
		"a word that is no literal":              {broken(t, `"free"`, `nul`), "signed.x-note", "true, false or null"},
		"many names side by side":                {broken(t, `"free"`, manyNames(maxMembers+1)), "signed.x-note", "names side by side"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(c.file))
			var syntax *SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("want a *SyntaxError, got %v", err)
			}
			if !strings.HasPrefix(syntax.Path, c.path) || !strings.Contains(syntax.What, c.says) {
				t.Errorf("got %v, want %q at %q", err, c.says, c.path)
			}
			if syntax.Offset < 0 || syntax.Offset > len(c.file) || syntax.Line < 1 || syntax.Column < 1 {
				t.Errorf("no such place: %+v", syntax)
			}
			if len(err.Error()) > 1000 {
				t.Errorf("the message has %d bytes", len(err.Error()))
			}
			hinted(t, err)
		})
	}
}

// manyNames is an object of n names that are not in order.
func manyNames(n int) string {
	b := append(make([]byte, 0, 12*n), `{"z":1`...)
	for i := range n {
		b = strconv.AppendInt(append(b, `,"`...), int64(i), 16)
		b = append(b, `":1`...)
	}
	return string(append(b, '}'))
}

func TestHostileFormsAreRefusedWithTheirPlace(t *testing.T) {
	root := string(threeOfFive(t, 1).Bytes())
	edit := func(old, with string) string {
		if strings.Count(root, old) < 1 {
			t.Fatalf("%q does not stand in the root", old)
		}
		return strings.Replace(root, old, with, 1)
	}
	snapshot := `{"signatures":[],"signed":{"_type":"snapshot","expires":"2027-11-22T00:00:00Z","meta":{"targets.json":{"version":1}},"spec_version":"1.0.31","version":1}}`
	timestamp := strings.NewReplacer("snapshot", "timestamp", "targets.json", "snapshot.json").Replace(snapshot)
	alice := who("Alice").key.ID
	for name, c := range map[string]struct{ file, path, says string }{
		"an array":                  {"[]", "file", "must be an object, is an array"},
		"null":                      {"null", "file", "must be an object, is null"},
		"no signed part":            {`{"signatures":[]}`, "signed", "is missing"},
		"no signatures":             {`{"signed":{"_type":"targets","expires":"2027-11-22T00:00:00Z","spec_version":"1.0","targets":{},"version":1}}`, "signatures", "is missing"},
		"null for signatures":       {strings.Replace(snapshot, "[]", "null", 1), "signatures", "must be an array, is null"},
		"null for a signature":      {strings.Replace(snapshot, "[]", "[null]", 1), "signatures[0]", "must be an object, is null"},
		"null for a target":         {broken(t, `{"hashes": {"sha256": "cd"}, "length": 2}`, "null"), "signed.targets.b", "must be an object, is null"},
		"null for custom":           {broken(t, `{"n": 1}`, "null"), "signed.targets.a.custom", "must be a value, is null"},
		"null for hashes":           {broken(t, `{"sha256": "cd"}`, "null"), "signed.targets.b.hashes", "must be an object, is null"},
		"no hashes":                 {broken(t, `{"sha256": "cd"}`, "{}"), "signed.targets.b.hashes", "must not be empty"},
		"an upper-case hash":        {broken(t, `"cd"`, `"CD"`), "signed.targets.b.hashes.sha256", "lower-case hex"},
		"a hash of half a byte":     {broken(t, `"cd"`, `"c"`), "signed.targets.b.hashes.sha256", "lower-case hex"},
		"a target without a length": {broken(t, `, "length": 2`, ""), "signed.targets.b.length", "is missing"},
		"a negative length":         {broken(t, `"length": 2`, `"length": -1`), "signed.targets.b.length", "is -1"},
		"a target without a name":   {broken(t, `"b": {`, `"": {`), `signed.targets[""]`, "must not be empty"},
		"null for a delegated key": {broken(t, `{
     "keytype": "ed25519",
     "keyval": {"public": "0101010101010101010101010101010101010101010101010101010101010101"},
     "scheme": "ed25519"
    }`, "null"), "signed.delegations.keys.dd", "must be an object, is null"},
		"null for a delegated role":          {broken(t, `"roles": [`, `"roles": [null,`), "signed.delegations.roles[0]", "must be an object, is null"},
		"null for delegations":               {broken(t, `"delegations": {`, `"delegations": null, "x": {`), "signed.delegations", "must be an object, is null"},
		"a delegation without terminating":   {broken(t, `"terminating": false, `, ""), "signed.delegations.roles[0].terminating", "is missing"},
		"a delegation without paths":         {broken(t, `"paths": ["d/*"], `, ""), "signed.delegations.roles[0]", "either paths or"},
		"paths and hash prefixes":            {broken(t, `"paths": ["d/*"]`, `"paths": ["d/*"], "path_hash_prefixes": ["aa"]`), "signed.delegations.roles[0]", "either paths or"},
		"a delegated role twice":             {broken(t, `"roles": [`, `"roles": [{"keyids": ["dd"], "name": "d", "paths": [], "terminating": false, "threshold": 1},`), "signed.delegations.roles[1].name", "again"},
		"a delegated key that is not listed": {broken(t, `"keyids": ["dd"]`, `"keyids": ["ee"]`), "signed.delegations.roles[0].keyids[0]", "not among the keys"},
		"a short Ed25519 key":                {broken(t, `"0101`, `"01`), "signed.delegations.keys.dd", "not an Ed25519 key"},
		"a keyval without public":            {broken(t, `"keyval": {"public"`, `"keyval": {"private"`), "signed.delegations.keys.dd.keyval.public", "is missing"},
		"an unknown keytype":                 {broken(t, `"keytype": "ed25519"`, `"keytype": "ml-dsa"`), "signed.delegations.keys.dd", `keytype "ml-dsa"`},
		"a scheme of another key":            {broken(t, `"scheme": "ed25519"`, `"scheme": "ecdsa-sha2-nistp256"`), "signed.delegations.keys.dd", "but is a key for ed25519"},
		"version 0":                          {broken(t, `"version": 7`, `"version": 0`), "signed.version", "at least 1"},
		"a negative version":                 {broken(t, `"version": 7`, `"version": -1`), "signed.version", "at least 1"},
		"a version in quotes":                {broken(t, `"version": 7`, `"version": "7"`), "signed.version", "must be a number, is a string"},
		"a specification banana":             {broken(t, `"1.0.31"`, `"banana"`), "signed.spec_version", "1.x"},
		"a specification 2":                  {broken(t, `"1.0.31"`, `"2.0.0"`), "signed.spec_version", "1.x"},
		"a specification with a hole":        {broken(t, `"1.0.31"`, `"1..31"`), "signed.spec_version", "1.x"},
		"an expiry in another zone":          {broken(t, `00:00:00Z"`, `00:00:00+01:00"`), "signed.expires", "UTC"},
		"an expiry with fractions":           {broken(t, `00:00:00Z"`, `00:00:00.5Z"`), "signed.expires", "fractions"},
		"an expiry on no day":                {broken(t, `2027-11-22T`, `2027-02-30T`), "signed.expires", "no time"},
		"an expiry in lower case":            {broken(t, `00:00:00Z"`, `00:00:00z"`), "signed.expires", "no time"},
		"an unknown type":                    {broken(t, `"_type": "targets"`, `"_type": "mirrors"`), "signed._type", "must be root"},
		"a type in escapes":                  {broken(t, `"_type": "targets"`, `"_type": "t\u0061rgets"`), "signed._type", "must be root"},
		"a field of another type":            {broken(t, `"x-note": "free"`, `"meta": {}`), "signed.meta", "no place in a document of type targets"},
		"a root that calls itself targets":   {edit(`"_type": "root"`, `"_type": "targets"`), "signed.", "no place"},
		"a signature that is not hex":        {broken(t, `"3045"`, `"zz"`), "signatures[0].sig", "in hex"},
		"a signature without a keyid":        {broken(t, `"keyid": "aa",`, ``), "signatures[0].keyid", "is missing"},
		"two signatures by one keyid":        {broken(t, `"signatures": [`, `"signatures": [{"keyid": "aa", "sig": ""},`), "signatures[1].keyid", "again"},
		"a huge signature":                   {broken(t, `"3045"`, `"`+strings.Repeat("30", 5000)+`"`), "signatures[0].sig", "no known key"},
		"a huge keyid":                       {broken(t, `"keyid": "aa"`, `"keyid": "`+strings.Repeat("a", 5000)+`"`), "signatures[0].keyid", "5000 bytes"},
		"null for a role":                    {edit(`"roles": {`, `"roles": {"root": null, "x": {`), "signed.roles.root", "must be an object, is null"},
		"a threshold of 0":                   {edit(`"threshold": 3`, `"threshold": 0`), "signed.roles.root.threshold", "at least 1"},
		"a threshold above the keys":         {edit(`"threshold": 3`, `"threshold": 6`), "signed.roles.root.threshold", "more than the 5 keys"},
		"an absent role":                     {edit(`"timestamp": {`, `"mirrors": {`), "signed.roles.timestamp", "is missing"},
		"a keyid twice in a role":            {edit(`"keyids": [`, `"keyids": ["`+alice+`",`), "signed.roles.root.keyids", "twice"},
		"no consistent_snapshot":             {edit(`"consistent_snapshot": true,`, ""), "signed.consistent_snapshot", "is missing"},
		"consistent_snapshot as a number":    {edit(`"consistent_snapshot": true`, `"consistent_snapshot": 1`), "signed.consistent_snapshot", "must be true or false"},
		"a holder without a name":            {edit(`"name": "Alice"`, `"nom": "Alice"`), "signed." + HoldersField, "is missing"},
		"a holder with a huge serial":        {edit(`"serial": 13078777`, `"serial": 4294967296`), "signed." + HoldersField, "must be from 0 to 4294967295"},
		"a nameless holder in targets":       {broken(t, `"x-note": "free"`, `"x-conclave-holders": {"0a": {}}`), "signed." + HoldersField, "is missing"},
		"practice that is no flag":           {broken(t, `"x-note": "free"`, `"x-conclave-practice": "yes"`), "signed." + PracticeField, "must be true or false"},
		"a snapshot of version 0":            {strings.Replace(snapshot, `{"version":1}`, `{"version":0}`, 1), `signed.meta["targets.json"].version`, "at least 1"},
		"a snapshot with a length of 0":      {strings.Replace(snapshot, `{"version":1}`, `{"version":1,"length":0}`, 1), `signed.meta["targets.json"].length`, "at least 1"},
		"null in a snapshot":                 {strings.Replace(snapshot, `{"version":1}`, `null`, 1), `signed.meta["targets.json"]`, "must be an object, is null"},
		"a timestamp of two files":           {strings.Replace(timestamp, `"meta":{`, `"meta":{"x.json":{"version":1},`, 1), "signed.meta", "nothing else"},
		"a timestamp of targets":             {strings.Replace(timestamp, `snapshot.json`, `targets.json`, 1), "signed.meta", "snapshot.json"},
		"a root beyond what clients take":    {edit(`"spec_version"`, `"x":"`+strings.Repeat("x", MaxRootSize)+`","spec_version"`), "file", "clients download 512000"},
		"a timestamp beyond what they take":  {strings.Replace(timestamp, `"spec_version"`, `"x":"`+strings.Repeat("x", MaxTimestampSize)+`","spec_version"`, 1), "file", "clients download 16384"},
		"an unknown field go-tuf reads else": {broken(t, `"x-note": "free"`, `"x-note": "free", "signatures": 1`), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(c.file))
			if c.says == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var format *FormatError
			if !errors.As(err, &format) {
				t.Fatalf("want a *FormatError, got %v", err)
			}
			if !strings.HasPrefix(format.Path, c.path) || !strings.Contains(format.What, c.says) {
				t.Errorf("got %v, want %q at %q", err, c.says, c.path)
			}
			hinted(t, err)
		})
	}
}

func TestHonestVariantsAreRead(t *testing.T) {
	for name, file := range map[string]string{
		"an empty signature":             broken(t, `"3045"`, `""`),
		"an upper-case signature":        broken(t, `"3045"`, `"30FF"`),
		"a line break in custom":         broken(t, `{"n": 1}`, `{"n": "a\n\tb\r"}`),
		"null in custom":                 broken(t, `{"n": 1}`, `{"n": null}`),
		"null in an unknown field":       broken(t, `"free"`, `[null, {"a": null}]`),
		"the largest whole number":       broken(t, `"free"`, `[9007199254740991, -9007199254740991, 0]`),
		"escapes of every kind":          broken(t, `"free"`, `"\"\\\/\n\r\t\u00e4\ud83d\ude00<>&\u2028"`),
		"a target of other letters":      broken(t, `"b": {`, `"\u00e4/\ud83d\ude00 <&>": {`),
		"a target of no length":          broken(t, `"length": 2`, `"length": 0`),
		"no paths":                       broken(t, `["d/*"]`, `[]`),
		"no targets":                     `{"signatures":[],"signed":{"_type":"targets","expires":"2027-11-22T00:00:00Z","spec_version":"1.0","targets":{},"version":1}}`,
		"unknown fields in the envelope": broken(t, `"sig": "3045"`, `"sig": "3045", "x": {"y": [1]}`),
		"case variants of unknown names": broken(t, `"x-note": "free"`, `"x-note": "free", "X-note": "free"`),
		"case variants of targets":       broken(t, `"b": {`, `"A": {`),
		"names out of order":             broken(t, `"a": {"custom"`, `"z": {"length": 1, "hashes": {"sha512": "ff", "sha256": "ab"}}, "a": {"custom"`),
		"a field inside a key":           broken(t, `"scheme": "ed25519"`, `"scheme": "ed25519", "x-tuf-on-ci-keyowner": "@jku"`),
		"succinct roles": broken(t, `"roles": [
    {"keyids": ["dd"], "name": "d", "paths": ["d/*"], "terminating": false, "threshold": 1}
   ]`, `"succinct_roles": {"keyids": ["dd"], "threshold": 1, "bit_length": 8, "name_prefix": "bin"}`),
	} {
		t.Run(name, func(t *testing.T) {
			d, err := Parse([]byte(file))
			if err != nil {
				t.Fatal(err)
			}
			checkAgainstGoTUF(t, d)
		})
	}
}

// manySignatures is a file with n signatures that nobody made.
func manySignatures(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"signatures":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"keyid":"%064x","sig":"30"}`, i)
	}
	b.WriteString(`],` + small[strings.Index(small, `"signed"`):])
	return b.Bytes()
}

// Attack: somebody hands over a small file that costs minutes. A file with
// 150,000 signatures keeps go-tuf busy for a minute; a wide or a deep file
// fills the memory of a naive reader.
func TestHostileFilesCostNothing(t *testing.T) {
	for name, c := range map[string]struct {
		file []byte
		says string
	}{
		"150,000 signatures":      {manySignatures(150_000), "signatures[64]: is one more than the 64"},
		"a million brackets":      {bytes.Repeat([]byte("["), 1_000_000), "must be an object"},
		"ten million spaces":      {bytes.Repeat([]byte(" "), 10_000_000), "the file ends"},
		"deep nesting in unknown": {[]byte(`{"x":` + strings.Repeat(`{"a":`, 1_000_000)), "deeper than 32"},
		"a million keys in a role": {
			[]byte(`{"signed":{"roles":{"root":{"keyids":[` + strings.Repeat(`"aa",`, 1_000_000)),
			"signed.roles.root.keyids[64]: is one more than the 64",
		},
		"a million keys": {
			[]byte(`{"signed":{"keys":` + strings.ReplaceAll(manyNames(100_000), ":1", `:{"keytype":"x","scheme":"x","keyval":{"public":"x"}}`)),
			"is one more than the 1024",
		},
		"a huge file": {make([]byte, MaxSize+1), "read at most"},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Parse(c.file)
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got %v, want it to say %q", err, c.says)
			}
			// The work stops at the first byte that has no place; what is
			// allocated does not depend on what follows.
			if bytes := after.TotalAlloc - before.TotalAlloc; bytes > 2<<20 {
				t.Errorf("%d bytes were allocated for a file of %d", bytes, len(c.file))
			}
		})
	}
	few, many := manySignatures(65), manySignatures(150_000)
	allocs := func(file []byte) float64 { return testing.AllocsPerRun(5, func() { _, _ = Parse(file) }) }
	// The runtime allocates a little on its own.
	if a, b := allocs(few), allocs(many); b > a+32 {
		t.Errorf("150,000 signatures cost %v allocations, 65 cost %v", b, a)
	}
}

// TestGoTUFIsReadTheSame: what go-tuf understood must be what the bytes say.
// The reader's rules leave no way to break this from a file, so the check
// itself is tried with two canonical forms.
func TestDifferenceIsNamed(t *testing.T) {
	for name, c := range map[string]struct{ a, b, path string }{
		"a number":        {`{"a":1,"b":{"c":[1,2]}}`, `{"a":1,"b":{"c":[1,3]}}`, "signed.b.c[1]"},
		"a missing value": {`{"a":1,"custom":null}`, `{"a":1}`, "signed"},
		"a string":        {`{"a":{"b":"x\"y"},"c":1}`, `{"a":{"b":"x\"z"},"c":1}`, "signed.a.b"},
		"the end":         {`{"a":1}`, `{"a":1,"b":2}`, "signed"},
	} {
		t.Run(name, func(t *testing.T) {
			var format *FormatError
			if err := differs([]byte(c.a), []byte(c.b)); !errors.As(err, &format) || !strings.HasPrefix(format.Path, c.path) {
				t.Errorf("got %v, want the path %s", err, c.path)
			}
		})
	}
}

func TestErrorsShowNoWholeFiles(t *testing.T) {
	name := strings.Repeat("x", 1<<20)
	_, err := Parse([]byte(broken(t, `"b": {`, `"`+name+`": {"x": 1.5, `)))
	if err == nil || len(err.Error()) > 500 {
		t.Errorf("the message has %d bytes", len(err.Error()))
	}
}

func TestParseKeepsNothingOfTheCallersBytes(t *testing.T) {
	raw := []byte(small)
	d := mustParse(t, raw)
	for i := range raw {
		raw[i] = 'x'
	}
	if string(d.Bytes()) != small || d.Type() != Targets || d.Signatures()[0].KeyID != "aa" {
		t.Error("the document changed with the caller's bytes")
	}
	again := mustParse(t, d.Bytes())
	if !bytes.Equal(again.Payload(), d.Payload()) {
		t.Error("the payload changed with the caller's bytes")
	}
}

func TestResultsBelongToTheCaller(t *testing.T) {
	d := mustParse(t, []byte(small))
	d.Signatures()[0].Sig[0] = 0xff
	d.Bytes()[0] = 'x'
	delete(d.Keys(), "dd")
	clear(d.Holders())
	if d.Signatures()[0].Sig[0] != 0x30 || string(d.Bytes()) != small || len(d.Keys()) != 1 {
		t.Error("the document was changed through its results")
	}
}

// checkAgainstGoTUF holds the payload against go-tuf's own encoder.
func checkAgainstGoTUF(t testing.TB, d *Document) {
	t.Helper()
	theirs, err := goTUFPayload(d.signed)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(theirs, d.Payload()) {
		t.Fatalf("payload differs from go-tuf's:\n%s\n%s", d.Payload(), theirs)
	}
	if !json.Valid(d.Bytes()) {
		t.Fatal("the file is not JSON")
	}
}

// go-tuf's view is tampered with after reading, as a difference between the
// two readers would do it.
func TestViewThatIsNotThePayloadIsRefused(t *testing.T) {
	d := *mustParse(t, []byte(small))
	if err := d.agree(); err != nil {
		t.Fatal(err)
	}
	v := *d.Targets()
	v.Version = 9
	d.signed = &v
	var format *FormatError
	if err := d.agree(); !errors.As(err, &format) || format.Path != "signed.version" {
		t.Errorf("got %v", err)
	}
}
