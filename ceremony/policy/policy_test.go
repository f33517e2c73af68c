package policy

import (
	"bytes"
	"errors"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"conclave/ceremony/tuf"
)

// example is the file in the package comment.
func example(t testing.TB) string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(f.Doc.Text(), "An example:\n")
	if !found {
		t.Fatal("the package comment has no example")
	}
	return strings.TrimSpace(after)
}

func mustParse(t testing.TB, text string) *Policy {
	t.Helper()
	p, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestExampleOfThePackageCommentIsAPolicy(t *testing.T) {
	text := example(t)
	p := mustParse(t, text)
	if p.Name() != "example.org releases" || p.Role(tuf.Root).MinThreshold != 3 || *p.file.MaxKeysChanged != 2 {
		t.Errorf("%+v", p.file)
	}
	if p.Digest() != tuf.DigestOf([]byte(text)) || !bytes.Equal(p.Bytes(), []byte(text)) {
		t.Error("the digest is not that of the file")
	}
	for rule, want := range map[string]int{Threshold: 3, Expiry: 2, tuf.RuleKeyTwice: 0, tuf.RuleCurve: 2} {
		if got := p.People(rule); got != want {
			t.Errorf("%s: %d people, want %d", rule, got, want)
		}
	}
	// The comment names every field, so that nobody has to read the code.
	for _, field := range []string{"min_spare_keys", "pin_required", "max_targets_removed"} {
		if strings.Count(text, field) == 0 {
			t.Errorf("the example has no %s", field)
		}
	}
}

func TestDefaultPolicy(t *testing.T) {
	p := Default()
	if r := p.Role(tuf.Root); r.MinThreshold < 2 || r.MinSpareKeys < 1 {
		t.Errorf("root: %+v", r)
	}
	if p.Role(tuf.Targets).MinThreshold < 2 || p.People("anything") < 2 || p.Digest() == (tuf.Digest{}) {
		t.Error("the default is too weak")
	}
	for _, r := range tuf.CompatRules() {
		if want := r.Refuses; want {
			if !strings.Contains(string(p.Bytes()), `"`+r.Name+`"`) {
				t.Errorf("the default does not hold to %s", r.Name)
			}
		}
	}
}

func TestRolesFallBackToDelegated(t *testing.T) {
	p := mustParse(t, example(t))
	if p.Role("plugins").MaxExpiryDays != 400 || p.Role(tuf.Timestamp).MaxExpiryDays != 7 || p.Role("delegated").MaxExpiryDays != 400 {
		t.Error("a role has the limits of another")
	}
	if mustParse(t, `{"format": "conclave-policy/1", "roles": {"delegated": {"min_threshold": 2}}, "exception_people": {"default": 1}}`).Role(tuf.Root) != (Role{}) {
		t.Error("root has the limits of delegated roles")
	}
}

func TestFilesThatAreNoPolicy(t *testing.T) {
	const small = `{"format": "conclave-policy/1", "exception_people": {"default": 2}}`
	mustParse(t, small)
	with := func(field string) string { return strings.TrimSuffix(small, "}") + ", " + field + "}" }
	for name, c := range map[string]struct{ text, path, says string }{
		"nothing":                  {"", "file", "well-formed"},
		"no JSON":                  {"policy", "file", "well-formed"},
		"a list":                   {"[]", "file", "is an array, must be an object"},
		"null":                     {"null", "file", "null"},
		"cut off":                  {small[:len(small)-1], "file", "well-formed"},
		"two values":               {small + small, "file", "goes on"},
		"not UTF-8":                {"{\"\xff\": 1}", "file", "UTF-8"},
		"too large":                {small + strings.Repeat(" ", maxSize), "file", "bytes"},
		"too deep":                 {with(`"roles": {"root": {"x": {"y": {}}}}`), "roles.root.x.y", "deep"},
		"another format":           {`{"format": "conclave-policy/2", "exception_people": {"default": 2}}`, "format", "must be"},
		"no format":                {`{"exception_people": {"default": 2}}`, "format", "must be"},
		"an unknown field":         {with(`"min_keys": 1`), "file", "unknown field"},
		"an unknown limit":         {with(`"roles": {"root": {"treshold": 1}}`), "file", "unknown field"},
		"a field in other case":    {with(`"Roles": {}`), "file", "lower case"},
		"a field twice":            {with(`"name": "a", "name": "b"`), "file", "twice"},
		"a role twice":             {with(`"roles": {"root": {}, "root": {}}`), "roles", "twice"},
		"an unknown role":          {with(`"roles": {"mirrors": {}}`), "roles", "none of"},
		"a null limit":             {with(`"max_keys_changed": null`), "max_keys_changed", "null"},
		"a fraction":               {with(`"max_keys_changed": 1.5`), "max_keys_changed", "whole number"},
		"a number as text":         {with(`"max_keys_changed": "1"`), "max_keys_changed", "whole number"},
		"a word for a flag":        {with(`"touch_required": "yes"`), "touch_required", "true or false"},
		"a negative limit":         {with(`"max_targets_removed": -1`), "max_targets_removed", "from 0"},
		"a negative threshold":     {with(`"roles": {"root": {"min_threshold": -1}}`), "roles.root.min_threshold", "from 0"},
		"a threshold out of reach": {with(`"roles": {"root": {"min_threshold": 65}}`), "roles.root.min_threshold", "from 0 to 64"},
		"a window turned round":    {with(`"roles": {"root": {"min_expiry_days": 9, "max_expiry_days": 8}}`), "roles.root.min_expiry_days", "more than"},
		"an unknown scheme":        {with(`"key_schemes": ["rot13"]`), "key_schemes", "none of"},
		"a scheme twice":           {with(`"key_schemes": ["ed25519", "ed25519"]`), "key_schemes", "twice"},
		"an unknown rule":          {with(`"compat_rules": ["keyid"]`), "compat_rules", "none of"},
		"an empty delegation":      {with(`"keep_delegations": [""]`), "keep_delegations", "empty"},
		"no default of people":     {`{"format": "conclave-policy/1", "exception_people": {}}`, "exception_people", "default"},
		"people for no rule":       {`{"format": "conclave-policy/1", "exception_people": {"default": 2, "treshold": 1}}`, "exception_people", "no rule"},
		"people for a rule unused": {`{"format": "conclave-policy/1", "exception_people": {"default": 2, "curve": 1}}`, "exception_people", "no rule"},
		"too many people":          {`{"format": "conclave-policy/1", "exception_people": {"default": 65}}`, "exception_people.default", "from 0 to 64"},
	} {
		_, err := Parse([]byte(c.text))
		var fault *Error
		if !errors.As(err, &fault) || fault.Path != c.path || !strings.Contains(fault.What, c.says) || fault.Hint() == "" {
			t.Errorf("%s: got %v, want %s to say %q", name, err, c.path, c.says)
		}
	}
}

// A policy that is read says what its bytes say: no second spelling of a
// field, and the same bytes are read the same way twice.
func FuzzParse(f *testing.F) {
	f.Add([]byte(example(f)))
	f.Add([]byte(defaultFile))
	f.Add([]byte(`{"format": "conclave-policy/1", "FORMAT": "x", "exception_people": {"default": 2}}`))
	f.Add([]byte(`{"format": "conclave-policy/1", "exception_people": {"default": 2}, "roles": {"root": null}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := Parse(raw)
		if err != nil {
			var fault *Error
			if !errors.As(err, &fault) || fault.Error() == "" {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		if p.file.Format != Format || p.Digest() != tuf.DigestOf(raw) || !bytes.Equal(p.Bytes(), raw) {
			t.Fatal("the policy is not that of its bytes")
		}
		if p.People("no rule") < 0 || p.Role(tuf.Root).MinThreshold < 0 {
			t.Fatal("a limit is negative")
		}
		p.Check(Subject{})
	})
}
