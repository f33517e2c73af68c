package policy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"conclave/ceremony/tuf"
)

var now = time.Date(2026, 11, 22, 14, 2, 0, 0, time.UTC)

// keys are those of the named people. Nobody changes them.
var keys = sync.OnceValue(func() map[string]tuf.Key {
	all := map[string]tuf.Key{}
	for _, name := range []string{"Alice", "Bob", "Carol", "Dana", "Erin", "Frank", "online"} {
		secret := sha256.Sum256([]byte(name))
		private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), secret[:])
		if err != nil {
			panic(err)
		}
		if all[name], err = tuf.NewKey(private.Public()); err != nil {
			panic(err)
		}
	}
	private, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		panic(err)
	}
	if all["large"], err = tuf.NewKey(private.Public()); err != nil {
		panic(err)
	}
	return all
})

func held(names ...string) (all []tuf.HeldKey) {
	for _, n := range names {
		all = append(all, tuf.HeldKey{Key: keys()[n], Holder: tuf.Holder{Name: n}})
	}
	return all
}

func ids(names ...string) (all []string) {
	for _, n := range names {
		all = append(all, keys()[n].ID)
	}
	return all
}

// root gives root to people and targets to the first three of them.
func root(t *testing.T, version int64, days, threshold int, people ...string) *tuf.Document {
	t.Helper()
	online := tuf.RoleSpec{KeyIDs: ids("online"), Threshold: 1}
	d, err := tuf.NewRoot(tuf.RootSpec{
		Version: version, Expires: now.AddDate(0, 0, days),
		Keys: append(held(people...), tuf.HeldKey{Key: keys()["online"]}),
		Roles: map[string]tuf.RoleSpec{
			tuf.Root:     {KeyIDs: ids(people...), Threshold: threshold},
			tuf.Targets:  {KeyIDs: ids(people[:3]...), Threshold: 2},
			tuf.Snapshot: online, tuf.Timestamp: online,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func targets(t *testing.T, version int64, days, files int, roles ...tuf.Delegation) *tuf.Document {
	t.Helper()
	spec := tuf.TargetsSpec{Version: version, Expires: now.AddDate(0, 0, days), Delegations: &tuf.Delegations{Roles: roles}}
	for i := range files {
		spec.Files = append(spec.Files, tuf.TargetFile{Path: fmt.Sprint("file", i), Length: 1})
	}
	d, err := tuf.NewTargets(spec)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func plugins(people ...string) tuf.Delegation {
	return tuf.Delegation{Name: "plugins", Keys: held(people...), Threshold: 1, Paths: []string{"plugins/*"}}
}

// proved says that all of these people's tokens are as they should be.
func proved(names ...string) map[tuf.Digest]Evidence {
	all := map[tuf.Digest]Evidence{}
	for _, n := range names {
		all[keys()[n].SPKI] = Evidence{Attested: true, PIN: true, Touch: true}
	}
	return all
}

type docs = map[string]*tuf.Document

var five = []string{"Alice", "Bob", "Carol", "Dana", "Erin"}

// sound is a routine rotation that the example policy has nothing against.
func sound(t *testing.T) Subject {
	return Subject{
		Old:      docs{tuf.Root: root(t, 4, 20, 3, five...), tuf.Targets: targets(t, 17, 10, 40, plugins("Frank"))},
		New:      docs{tuf.Root: root(t, 5, 365, 3, "Alice", "Bob", "Dana", "Erin", "Frank"), tuf.Targets: targets(t, 18, 90, 30, plugins("Frank"))},
		Evidence: proved("Frank", "Dana"),
		Now:      now,
	}
}

func TestSoundPlanBreaksNoRule(t *testing.T) {
	if v := mustParse(t, example(t)).Check(sound(t)); len(v) > 0 {
		t.Errorf("%+v", v)
	}
	if v := mustParse(t, example(t)).Check(Subject{New: docs{tuf.Root: nil}}); len(v) > 0 {
		t.Errorf("nothing breaks a rule: %+v", v)
	}
}

func TestEveryRuleFindsItsViolation(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Subject)
		want   map[string]string // rule → part of the sentence
	}{
		"a threshold too low": {
			func(s *Subject) { s.New[tuf.Root] = root(t, 5, 365, 2, five...) },
			map[string]string{Threshold: "root 5 has a threshold of 2 for root; the policy demands 3."},
		},
		"no key to spare": {
			func(s *Subject) { s.New[tuf.Root] = root(t, 5, 365, 5, five...) },
			map[string]string{SpareKeys: "root 5 has 5 of 5 keys for root: 0 to spare, the policy demands 2."},
		},
		"an expiry too soon": {
			func(s *Subject) { s.New[tuf.Root] = root(t, 5, 89, 3, five...) },
			map[string]string{Expiry: "root 5 expires on 2027-02-19, sooner than the 90 days"},
		},
		"an expiry too late": {
			func(s *Subject) { s.New[tuf.Targets] = targets(t, 18, 121, 40, plugins("Frank")) },
			map[string]string{Expiry: "targets 18 expires on 2027-03-23, later than the 120 days"},
		},
		"an expiry that is past": {
			func(s *Subject) { s.New[tuf.Targets] = targets(t, 18, 0, 40, plugins("Frank")) },
			map[string]string{Expiry: "targets 18 expired on 2026-11-22."},
		},
		"a scheme that is not allowed": {
			func(s *Subject) {
				s.New[tuf.Root] = root(t, 5, 365, 3, "Alice", "Bob", "Carol", "Dana", "large")
				s.Evidence = proved("large")
			},
			map[string]string{KeyScheme: "large's key", tuf.RuleCurve: "P-384"},
		},
		"a key of which nothing is proved": {
			func(s *Subject) { s.Evidence = proved("Dana") },
			map[string]string{Attestation: "Frank's key", PIN: "Frank's key", Touch: "Frank's key"},
		},
		"a token without touch": {
			func(s *Subject) { s.Evidence[keys()["Frank"].SPKI] = Evidence{Attested: true, PIN: true} },
			map[string]string{Touch: "asks for a touch each time"},
		},
		"a delegated key of which nothing is proved": {
			func(s *Subject) { s.New[tuf.Targets] = targets(t, 18, 90, 40, plugins("Carol")) },
			map[string]string{Attestation: "Carol's key", PIN: "Carol's key", Touch: "Carol's key"},
		},
		"a delegation that is gone": {
			func(s *Subject) { s.New[tuf.Targets] = targets(t, 18, 90, 40) },
			map[string]string{KeepDelegation: "targets 18 does not delegate to plugins"},
		},
		"too many keys at once": {
			func(s *Subject) {
				s.Old[tuf.Root] = root(t, 4, 20, 2, "Alice", "Bob", "Carol")
				s.New[tuf.Root] = root(t, 5, 365, 3, "Alice", "Bob", "Dana", "Erin", "Frank")
				s.Evidence = proved("Dana", "Erin", "Frank")
			},
			map[string]string{KeysChanged: "3 keys join and 1 leave roles with root 5; the policy allows 2 at once."},
		},
		"too many files dropped": {
			func(s *Subject) { s.New[tuf.Targets] = targets(t, 18, 90, 19, plugins("Frank")) },
			map[string]string{TargetsRemoved: "targets 18 drops 21 files; the policy allows 20 at once."},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := sound(t)
			c.change(&s)
			p := mustParse(t, example(t))
			got := p.Check(s)
			for _, v := range got {
				if want, expected := c.want[v.Rule]; !expected || !strings.Contains(v.Text, want) {
					t.Errorf("%+v", v)
				}
				if v.People != p.People(v.Rule) {
					t.Errorf("%s needs %d people", v.Rule, v.People)
				}
			}
			for rule := range c.want {
				if !slices.ContainsFunc(got, func(v Violation) bool { return v.Rule == rule }) {
					t.Errorf("%s is not found: %+v", rule, got)
				}
			}
		})
	}
}

func TestClientsAreHeldToWhatThePolicyListsOnly(t *testing.T) {
	p := mustParse(t, example(t))
	got := p.Clients([]tuf.Change{{Rule: tuf.RuleSimulation, Text: "A client is stuck."}, {Rule: tuf.RuleRootWalk, Text: "not asked for"}, {Text: "fine"}})
	if want := []Violation{{tuf.RuleSimulation, "clients: A client is stuck.", 2}}; !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	if rules := p.ClientRules(); !slices.Equal(rules, []string{tuf.RuleSimulation}) {
		t.Errorf("it lists %q", rules)
	}
}

// At genesis every key is new: that is no mass replacement, but all of them
// need their proof.
func TestGenesisNeedsProofOfEveryKey(t *testing.T) {
	s := Subject{New: docs{tuf.Root: root(t, 1, 365, 3, five...)}, Evidence: proved(five...), Now: now}
	p := mustParse(t, example(t))
	if v := p.Check(s); len(v) > 0 {
		t.Errorf("%+v", v)
	}
	s.Evidence = nil
	count := map[string]int{}
	for _, v := range p.Check(s) {
		count[v.Rule]++
	}
	if count[Attestation] != 5 || count[PIN] != 5 || count[Touch] != 5 || len(count) != 3 {
		t.Errorf("%v", count)
	}
}

// Without limits a policy has nothing against anything that has not expired.
func TestEmptyPolicyLimitsNothing(t *testing.T) {
	p := mustParse(t, `{"format": "conclave-policy/1", "exception_people": {"default": 1}}`)
	s := sound(t)
	s.New[tuf.Root], s.Evidence = root(t, 5, 4000, 1, "Alice", "Frank", "large"), nil
	if v := p.Check(s); len(v) > 0 {
		t.Errorf("%+v", v)
	}
}
