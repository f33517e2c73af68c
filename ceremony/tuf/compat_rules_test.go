package tuf

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// parsed reads a go-tuf value as a file that another tool wrote: without the
// checks of what is built here.
func parsed(t *testing.T, signed any) *Document {
	t.Helper()
	file, err := encodePretty(unsigned{signed})
	if err != nil {
		t.Fatal(err)
	}
	return mustParse(t, file)
}

// Every named rule speaks about a document that breaks it, and is silent about
// one that all clients accept.
func TestEveryCompatibilityRuleSpeaks(t *testing.T) {
	root := func(change func(*metadata.RootType)) *Document {
		v := *threeOfFive(t, 1).Root()
		v.Keys = map[string]*metadata.Key{}
		for id, k := range threeOfFive(t, 1).Root().Keys {
			v.Keys[id] = k
		}
		change(&v)
		return parsed(t, &v)
	}
	targets := func(change func(*metadata.TargetsType)) *Document {
		v := *mustTargets(t, TargetsSpec{Version: 1, Expires: now, Files: []TargetFile{{Path: "a", Length: 1, SHA256: digestOf("a")}}}).Targets()
		change(&v)
		return parsed(t, &v)
	}
	delegates := func(r metadata.DelegatedRole) *Document {
		return targets(func(v *metadata.TargetsType) {
			k := who("Alice").key
			r.KeyIDs, r.Threshold = []string{k.ID}, 1
			v.Delegations = &metadata.Delegations{Keys: map[string]*metadata.Key{k.ID: k.Metadata()}, Roles: []metadata.DelegatedRole{r}}
		})
	}
	p384 := strong()["p384"].key
	loose := who("Dana").key.Metadata()
	loose.Value.PublicKey += "\n"
	sha := metadata.Hashes{"sha256": make([]byte, 32)}
	snapshot, err := NewSnapshot(1, now, map[string]*Document{"targets.json": targets(func(*metadata.TargetsType) {})}, false)
	if err != nil {
		t.Fatal(err)
	}
	v := *snapshot.Snapshot()
	v.Meta = map[string]*metadata.MetaFiles{"targets.json": {Version: 1}}
	var crowded strings.Builder
	for i := range 11 {
		fmt.Fprintf(&crowded, `%s{"keyid": "%02d", "sig": "00"}`, map[bool]string{true: ", "}[i > 0], i)
	}
	plainRoot := string(threeOfFive(t, 1).Bytes())

	docs := map[string]*Document{
		RuleKeyIDHash: root(func(v *metadata.RootType) { v.Keys["00"] = who("Dana").key.Metadata() }),
		RuleKeyTwice:  root(func(v *metadata.RootType) { v.Keys["00"] = who("Alice").key.Metadata() }),
		RuleKeyType: root(func(v *metadata.RootType) {
			k := p384.Metadata()
			k.Type = typeP384
			v.Keys["00"] = k
		}),
		RuleCurve:      root(func(v *metadata.RootType) { v.Keys[p384.ID] = p384.Metadata() }),
		RuleKeyLayout:  root(func(v *metadata.RootType) { v.Keys["00"] = loose }),
		RuleConsistent: root(func(v *metadata.RootType) { v.ConsistentSnapshot = false }),
		RuleExpiryYear: root(func(v *metadata.RootType) { v.Expires = now.AddDate(20, 0, 0) }),
		RuleEmptySig:   mustParse(t, []byte(strings.Replace(plainRoot, `"signatures": []`, `"signatures": [{"keyid": "00", "sig": ""}]`, 1))),
		RuleSignatures: mustParse(t, []byte(strings.Replace(plainRoot, `"signatures": []`, `"signatures": [`+crowded.String()+`]`, 1))),
		RuleTargetName: targets(func(v *metadata.TargetsType) { v.Targets["a b"] = &metadata.TargetFiles{Length: 1, Hashes: sha} }),
		RuleTargetHash: targets(func(v *metadata.TargetsType) {
			v.Targets["b"] = &metadata.TargetFiles{Length: 1, Hashes: metadata.Hashes{"sha512": {1}}}
		}),
		RuleOtherHashes: targets(func(v *metadata.TargetsType) {
			v.Targets["b"] = &metadata.TargetFiles{Length: 1, Hashes: metadata.Hashes{"sha256": {1}, "sha512": {1}}}
		}),
		RuleTargetCount:  targets(func(v *metadata.TargetsType) { fill(v, manyTargetFiles+1, 4) }),
		RuleFileSize:     targets(func(v *metadata.TargetsType) { fill(v, 6_000, 900) }),
		RuleMetaLength:   parsed(t, &v),
		RuleRoleName:     delegates(metadata.DelegatedRole{Name: "a/b", Paths: []string{"a"}}),
		RulePathPattern:  delegates(metadata.DelegatedRole{Name: "a", Paths: []string{"a/**"}}),
		RuleHashPrefixes: delegates(metadata.DelegatedRole{Name: "a", PathHashPrefixes: []string{"0"}}),
	}
	elsewhere := []string{RuleDelegations, RuleRootWalk, RuleSimulation} // tested with overlaps and simulations
	seen := map[string]bool{}
	for _, rule := range CompatRules() {
		if seen[rule.Name] || !isCompatRule(rule.Name) || rule.Text == "" {
			t.Errorf("%+v", rule)
		}
		seen[rule.Name] = true
		if slices.Contains(elsewhere, rule.Name) {
			continue
		}
		doc := docs[rule.Name]
		if doc == nil {
			t.Errorf("no document breaks %s", rule.Name)
			continue
		}
		changes := Compat(doc)
		i := slices.IndexFunc(changes, func(c Change) bool { return c.Rule == rule.Name })
		if i < 0 {
			t.Errorf("%s is silent: %v", rule.Name, changes)
		} else if changes[i].Danger != rule.Refuses {
			t.Errorf("%s: danger %v, the list says %v", rule.Name, changes[i].Danger, rule.Refuses)
		}
	}
	for _, doc := range append(slices.Collect(maps.Values(docs)), parseReal(t, "docker", "targets.json")) {
		for _, c := range Compat(doc) {
			if !isCompatRule(c.Rule) {
				t.Errorf("%q has the rule %q", c.Text, c.Rule)
			}
		}
	}
	if c := Compat(threeOfFive(t, 1)); len(c) > 0 {
		t.Errorf("a plain root: %v", c)
	}
	if isCompatRule("no-such-rule") {
		t.Error("an invented rule exists")
	}
}

// fill lists n targets with names of some length.
func fill(v *metadata.TargetsType, n, length int) {
	v.Targets = map[string]*metadata.TargetFiles{}
	for i := range n {
		v.Targets[fmt.Sprintf("%0*d", length, i)] = &metadata.TargetFiles{Length: 1, Hashes: metadata.Hashes{"sha256": make([]byte, 32)}}
	}
}

// The matrix is what Compat's sentences are made of: what we write by default
// must be read by everybody.
func TestEveryClientReadsOurDefaultKeys(t *testing.T) {
	if len(KeyMatrix()) < 8 {
		t.Errorf("only %d clients", len(KeyMatrix()))
	}
	for _, r := range KeyMatrix() {
		if !r.P256 || !r.Ed25519 || !r.RSAPSS {
			t.Errorf("%s does not read a default key", r.Client)
		}
	}
}
