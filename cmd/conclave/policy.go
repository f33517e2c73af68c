package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"conclave/ceremony"
	"conclave/ceremony/policy"
	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/tui/text"
)

// policyUsage is what --policy means where something is planned.
const policyUsage = "the `file` that says what may be signed (default: policy.json beside --root, else the policy that conclave comes with)"

// maxPolicy is more than any policy file may have; a larger one is not read into memory.
const maxPolicy = 1 << 20

// readPolicy reads a policy file.
func readPolicy(path string) (*policy.Policy, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read policy: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxPolicy {
		return nil, &advised{fmt.Errorf("read policy: %s is no file of a policy's size", path), "name the policy's own file; one to start from is printed by: conclave policy"}
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read policy: %w", err)
	}
	p, err := policy.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// findPolicy reads the policy that somebody named, else the first that lies in one of the folders;
// nil where there is none.
func findPolicy(path string, dirs ...string) (*policy.Policy, error) {
	if path != "" {
		return readPolicy(path)
	}
	for _, dir := range dirs {
		if dir == "" {
			continue
		}
		p, err := readPolicy(filepath.Join(dir, ceremony.PolicyFile))
		if !errors.Is(err, fs.ErrNotExist) {
			return p, err
		}
	}
	return nil, nil
}

// beside is the folder of a trusted root, "" without one.
func beside(root string) string {
	if root == "" {
		return ""
	}
	return filepath.Dir(root)
}

// keepPolicy leaves the policy in the ceremony's folder, for whoever reads its record.
func keepPolicy(dir string, p *policy.Policy) error {
	if p == nil {
		return nil
	}
	path := filepath.Join(dir, ceremony.PolicyFile)
	if have, err := os.ReadFile(path); err == nil && string(have) == string(p.Bytes()) {
		return nil
	}
	return transfer.WriteNew(path, p.Bytes())
}

// policyReport is what a policy says of a bundle, with --json.
type policyReport struct {
	Name       string            `json:"name"`
	SHA256     string            `json:"sha256"`
	Words      []string          `json:"words"`
	Violations []violationReport `json:"violations"`
}

type violationReport struct {
	Rule   string `json:"rule"`
	Text   string `json:"text"`
	People int    `json:"people"` // who must decide on an exception; 0: none is possible
}

// judge holds a bundle against a policy.
func (p *program) judge(rules *policy.Policy, b *transfer.Bundle) (*policyReport, error) {
	broken, err := ceremony.Judge(rules, b, provedKeys(b), p.now().UTC())
	if err != nil {
		return nil, err
	}
	digest := rules.Digest()
	r := &policyReport{Name: ceremony.PolicyName(rules), SHA256: digest.Hex(), Words: digest.Words(), Violations: []violationReport{}}
	for _, v := range broken {
		people := ceremony.DecidersOf([]policy.Violation{v}, b.Practice)
		r.Violations = append(r.Violations, violationReport{v.Rule, v.Text, people})
	}
	return r, nil
}

// judgePlan holds a draft against a policy, or where there is none against the one that every ceremony has. It
// refuses what no ceremony could sign, and is nil where there is nothing to say.
func (p *program) judgePlan(rules *policy.Policy, b *transfer.Bundle) (*policyReport, error) {
	asked := rules != nil
	if !asked {
		rules = policy.Default()
	}
	report, err := p.judge(rules, b)
	if err != nil {
		return nil, err
	}
	for _, v := range report.Violations {
		if v.People == 0 {
			return nil, &statusError{
				code: exitFailed,
				text: fmt.Sprintf("the draft breaks the policy %s, which allows no exception from this: %s: %s", report.Name, v.Rule, v.Text),
				hint: "plan it within the policy; nothing was written",
			}
		}
	}
	if !asked && len(report.Violations) == 0 {
		return nil, nil
	}
	return report, nil
}

// holdAgainst refuses a bundle that breaks the policy in a file; nil without one.
func (p *program) holdAgainst(path string, b *transfer.Bundle) (*policyReport, error) {
	if path == "" {
		return nil, nil
	}
	rules, err := readPolicy(path)
	if err != nil {
		return nil, err
	}
	report, err := p.judge(rules, b)
	if err != nil || len(report.Violations) == 0 {
		return report, err
	}
	var texts []string
	for _, v := range report.Violations {
		texts = append(texts, v.Rule+": "+v.Text)
	}
	return nil, &statusError{
		code: exitUnverified,
		text: fmt.Sprintf("it breaks the policy %s: %s", report.Name, strings.Join(texts, " ")),
		hint: "plan it again; or look in the ceremony's record for the exception that people decided on, and verify without --policy",
	}
}

// provedKeys reports of which keys of a bundle it is proved where they were made.
func provedKeys(b *transfer.Bundle) func(keyid string) bool {
	keys := map[string]tuf.Key{}
	for _, d := range b.Documents {
		for id, k := range d.Metadata.Keys() {
			keys[id] = k
		}
	}
	if b.Plan != nil && b.Plan.Rotation != nil {
		for _, k := range b.Plan.Rotation.Join {
			keys[k.Key.ID] = k.Key
		}
	}
	proved := map[string]bool{}
	for _, t := range b.Tokens {
		if k, ok := keys[t.KeyID]; ok {
			_, err := genuine(ceremony.AsRecorded(t), k.Public, b.Practice)
			proved[t.KeyID] = err == nil
		}
	}
	return func(keyid string) bool { return proved[keyid] }
}

// policyLabel begins the line that names the policy, in a column with the other lines of a draft.
const policyLabel = "policy    "

// lines say what is broken, and how many people could decide otherwise.
func (r *policyReport) lines() []string {
	digest, _ := tuf.ParseDigest(r.SHA256)
	lines := []string{policyLabel + fmt.Sprintf("%s, %s", text.Clean(r.Name), digest.String())}
	for _, v := range r.Violations {
		how := "an exception that " + people(v.People)
		if v.People == 0 {
			how = "the policy allows no exception"
		}
		lines = append(lines, fmt.Sprintf("  [!] %s: %s (%s)", v.Rule, text.Clean(strings.TrimSuffix(v.Text, ".")), how))
	}
	return lines
}
