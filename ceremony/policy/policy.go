package policy

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"conclave/ceremony/tuf"
)

// Format is the only form of the file that is read.
const Format = "conclave-policy/1"

// Names of the rules. Those of compatibility have the names of package tuf.
const (
	Threshold      = "threshold"
	SpareKeys      = "spare-keys"
	Expiry         = "expiry"
	KeyScheme      = "key-scheme"
	Attestation    = "attestation"
	PIN            = "pin"
	Touch          = "touch"
	KeepDelegation = "keep-delegations"
	KeysChanged    = "keys-changed"
	TargetsRemoved = "targets-removed"
)

// defaultRule is the name in exception_people that stands for all other rules.
const defaultRule = "default"

// delegated is the name in roles that stands for every delegated role.
const delegated = "delegated"

// A Role is what a policy says about one role. Zero is no limit.
type Role struct {
	MinThreshold  int `json:"min_threshold,omitempty"`
	MinSpareKeys  int `json:"min_spare_keys,omitempty"`
	MinExpiryDays int `json:"min_expiry_days,omitempty"`
	MaxExpiryDays int `json:"max_expiry_days,omitempty"`
}

// A Policy is one policy file. It never changes.
type Policy struct {
	file   file
	raw    string
	digest tuf.Digest
}

// file is the file as it is written.
type file struct {
	Format              string          `json:"format"`
	Name                string          `json:"name"`
	Roles               map[string]Role `json:"roles"`
	KeySchemes          []string        `json:"key_schemes"`
	AttestationRequired bool            `json:"attestation_required"`
	PINRequired         bool            `json:"pin_required"`
	TouchRequired       bool            `json:"touch_required"`
	KeepDelegations     []string        `json:"keep_delegations"`
	MaxKeysChanged      *int            `json:"max_keys_changed"`
	MaxTargetsRemoved   *int            `json:"max_targets_removed"`
	CompatRules         []string        `json:"compat_rules"`
	ExceptionPeople     map[string]int  `json:"exception_people"`
}

// defaultFile holds what every repository should hold itself to.
const defaultFile = `{
  "format": "conclave-policy/1",
  "name": "the default policy",
  "roles": {
    "root": {"min_threshold": 2, "min_spare_keys": 1, "min_expiry_days": 30, "max_expiry_days": 800},
    "targets": {"min_threshold": 2, "min_expiry_days": 1, "max_expiry_days": 800},
    "delegated": {"min_threshold": 1, "min_expiry_days": 1, "max_expiry_days": 800}
  },
  "key_schemes": ["ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ed25519", "rsassa-pss-sha256"],
  "attestation_required": true,
  "pin_required": true,
  "touch_required": true,
  "max_targets_removed": 100,
  "compat_rules": ["keyid-is-hash", "key-listed-once", "keytype", "target-sha256", "path-hash-prefixes", "client-simulation"],
  "exception_people": {"default": 2}
}
`

// Default is the policy that holds where nobody wrote one.
func Default() *Policy { return defaultPolicy() }

var defaultPolicy = sync.OnceValue(func() *Policy {
	p, err := Parse([]byte(defaultFile))
	if err != nil {
		panic(err) // the file is a constant, and a test reads it
	}
	return p
})

// Name says whose policy it is.
func (p *Policy) Name() string { return p.file.Name }

// Digest is the SHA-256 of the file.
func (p *Policy) Digest() tuf.Digest { return p.digest }

// Bytes is the file as it was read.
func (p *Policy) Bytes() []byte { return []byte(p.raw) }

// Role is what the policy says about a role; delegated ones share one entry.
func (p *Policy) Role(name string) Role {
	if r, ok := p.file.Roles[name]; ok && name != delegated {
		return r
	}
	if slices.Contains(topRoles, name) {
		return Role{}
	}
	return p.file.Roles[delegated]
}

// AttestationRequired says whether keys that join must prove where they were made.
func (p *Policy) AttestationRequired() bool { return p.file.AttestationRequired }

// People is how many people an exception from a rule needs; 0 means that none is possible.
func (p *Policy) People(rule string) int {
	if n, ok := p.file.ExceptionPeople[rule]; ok {
		return n
	}
	return p.file.ExceptionPeople[defaultRule]
}

var topRoles = []string{tuf.Root, tuf.Targets, tuf.Snapshot, tuf.Timestamp}

// rules are the names of all rules but those of compatibility.
var rules = []string{
	Threshold, SpareKeys, Expiry, KeyScheme, Attestation, PIN, Touch, KeepDelegation, KeysChanged, TargetsRemoved,
}

// schemes are the schemes that keys can have here.
var schemes = []string{"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ed25519", "rsassa-pss-sha256"}

// An Error says what in a policy file is not acceptable.
type Error struct {
	Path string // of the value, like roles.root.min_threshold
	What string
}

// Error names the fault and its place.
func (e *Error) Error() string { return fmt.Sprintf("read policy: %s %s", e.Path, e.What) }

// Hint says what to do about it.
func (e *Error) Hint() string {
	return "correct the policy file, and let those who agreed on it read it again: its digest changes"
}

// Parse reads a policy file strictly. Its errors are of type *Error.
func Parse(raw []byte) (*Policy, error) {
	p := &Policy{raw: string(raw), digest: tuf.DigestOf(raw)}
	if err := decode(raw, &p.file); err != nil {
		return nil, err
	}
	if err := p.file.check(); err != nil {
		return nil, err
	}
	return p, nil
}

// Bounds of what a policy can ask.
const (
	maxDays   = 36_500 // a hundred years
	maxPeople = 64
	maxCount  = 1 << 20
)

// check holds the rules about values.
func (f *file) check() error {
	if f.Format != Format {
		return &Error{"format", fmt.Sprintf("is %q, must be %q", cut(f.Format), Format)}
	}
	for _, check := range []func() error{f.checkRoles, f.checkNames, f.checkCounts, f.checkPeople} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (f *file) checkRoles() error {
	for name, r := range f.Roles {
		path := "roles." + name
		if name != delegated && !slices.Contains(topRoles, name) {
			return &Error{"roles", fmt.Sprintf("has %q, which is none of root, targets, snapshot, timestamp and delegated", cut(name))}
		}
		for _, v := range []struct {
			name      string
			value, up int
		}{
			{"min_threshold", r.MinThreshold, tuf.MaxRoleKeys},
			{"min_spare_keys", r.MinSpareKeys, tuf.MaxRoleKeys},
			{"min_expiry_days", r.MinExpiryDays, maxDays},
			{"max_expiry_days", r.MaxExpiryDays, maxDays},
		} {
			if v.value < 0 || v.value > v.up {
				return &Error{path + "." + v.name, fmt.Sprintf("is %d, must be from 0 to %d", v.value, v.up)}
			}
		}
		if r.MaxExpiryDays != 0 && r.MinExpiryDays > r.MaxExpiryDays {
			return &Error{path + ".min_expiry_days", fmt.Sprintf("is %d, more than max_expiry_days, %d", r.MinExpiryDays, r.MaxExpiryDays)}
		}
	}
	return nil
}

// checkNames looks at the lists of names: each known, none twice.
func (f *file) checkNames() error {
	var compat []string
	for _, r := range tuf.CompatRules() {
		compat = append(compat, r.Name)
	}
	for _, l := range []struct {
		path         string
		names, known []string
	}{{"key_schemes", f.KeySchemes, schemes}, {"compat_rules", f.CompatRules, compat}, {"keep_delegations", f.KeepDelegations, nil}} {
		for i, name := range l.names {
			switch {
			case l.known != nil && !slices.Contains(l.known, name):
				return &Error{l.path, fmt.Sprintf("has %q, which is none of %s", cut(name), strings.Join(l.known, ", "))}
			case name == "":
				return &Error{l.path, "has an empty name"}
			case slices.Contains(l.names[:i], name):
				return &Error{l.path, fmt.Sprintf("has %q twice", cut(name))}
			}
		}
	}
	return nil
}

func (f *file) checkCounts() error {
	for path, n := range map[string]*int{"max_keys_changed": f.MaxKeysChanged, "max_targets_removed": f.MaxTargetsRemoved} {
		if n != nil && (*n < 0 || *n > maxCount) {
			return &Error{path, fmt.Sprintf("is %d, must be from 0 to %d", *n, maxCount)}
		}
	}
	return nil
}

func (f *file) checkPeople() error {
	if _, ok := f.ExceptionPeople[defaultRule]; !ok {
		return &Error{"exception_people", "does not say how many people an exception needs by default"}
	}
	for rule, n := range f.ExceptionPeople {
		if rule != defaultRule && !slices.Contains(rules, rule) && !slices.Contains(f.CompatRules, rule) {
			return &Error{"exception_people", fmt.Sprintf("has %q, which is no rule of this policy", cut(rule))}
		}
		if n < 0 || n > maxPeople {
			return &Error{"exception_people." + rule, fmt.Sprintf("is %d, must be from 0 to %d", n, maxPeople)}
		}
	}
	return nil
}

// cut shortens a name from outside for an error.
func cut(s string) string {
	const most = 40
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
