package tuf

import "fmt"

// Names of the compatibility rules. Policies and recorded exceptions refer to
// them, so they never change.
const (
	RuleKeyIDHash    = "keyid-is-hash"
	RuleKeyTwice     = "key-listed-once"
	RuleKeyType      = "keytype"
	RuleCurve        = "curve"
	RuleKeyLayout    = "key-layout"
	RuleConsistent   = "consistent-snapshot"
	RuleEmptySig     = "empty-signature"
	RuleSignatures   = "signature-count"
	RuleFileSize     = "file-size"
	RuleTargetCount  = "target-count"
	RuleTargetName   = "target-name"
	RuleTargetHash   = "target-sha256"
	RuleOtherHashes  = "target-other-hashes"
	RuleMetaLength   = "meta-length"
	RuleRoleName     = "role-name"
	RulePathPattern  = "path-pattern"
	RuleHashPrefixes = "path-hash-prefixes"
	RuleDelegations  = "delegation-count"
	RuleRootWalk     = "root-walk"
	RuleExpiryYear   = "expiry-year"
	RuleSimulation   = "client-simulation"
)

// maxQuickSignatures is more than any known repository has keyholders of a role.
const maxQuickSignatures = 10

// A CompatRule is one thing that some TUF client demands beyond the
// specification, or in which clients differ.
type CompatRule struct {
	Name    string // one of the Rule constants
	Refuses bool   // breaking it breaks whole repositories for some clients
	Text    string // what is demanded, in a sentence, and by whom
}

// CompatRules lists all rules, in the order in which people look at a document.
func CompatRules() []CompatRule {
	return []CompatRule{
		{RuleKeyIDHash, true, "A keyid is the SHA-256 of the canonical key: tough and other clients in Rust compute it and refuse the whole file."},
		{RuleKeyTwice, true, "A public key is listed once: python-tuf, tuf-js, tuf-browser, sigstore-ruby and tough count its holder once for each keyid."},
		{RuleKeyType, true, "A keytype is ecdsa, ecdsa-sha2-nistp256 (the same, older), ed25519 or rsa."},
		{RuleCurve, false, "ECDSA keys are on P-256, the one curve that all clients read."},
		{RuleKeyLayout, false, "ECDSA and RSA keys are in PEM with one newline at the end, Ed25519 keys in lower-case hex."},
		{RuleConsistent, false, "Snapshots are consistent: files of two releases have different names."},
		{RuleEmptySig, false, "No signature is empty: strict clients stop at one that does not verify."},
		{RuleSignatures, false, fmt.Sprintf("A file has %d signatures at most: each costs every client a check.", maxQuickSignatures)},
		{RuleFileSize, false, "Targets have 5,000,000 bytes at most and a snapshot 2,000,000, unless its length is listed: python-tuf, go-tuf and tuf-js download no more."},
		{RuleTargetCount, false, fmt.Sprintf("A targets document lists %d files at most: tuf-js takes time with the square of their number.", manyTargetFiles)},
		{RuleTargetName, false, "Names of targets hold no spaces, no characters beyond ASCII and none with a meaning in addresses."},
		{RuleTargetHash, true, "Every target has its SHA-256, which all clients can check."},
		{RuleOtherHashes, false, "Targets have no hash beside SHA-256: go-tuf downloads by any that is listed."},
		{RuleMetaLength, false, "Snapshot and timestamp list length and SHA-256 of every file."},
		{RuleRoleName, false, "Names of delegated roles are letters, digits, dots, hyphens and underscores: they become file names and parts of addresses."},
		{RulePathPattern, false, "Path patterns have no **, no negated class, no backslash, no braces and nothing else that only some clients expand."},
		{RuleHashPrefixes, true, "No role uses path_hash_prefixes, which go-tuf compares in base64; succinct roles serve instead."},
		{RuleDelegations, false, fmt.Sprintf("No path is asked of more than %d roles: python-tuf, go-tuf and tuf-js stop looking there.", maxDelegations)},
		{RuleRootWalk, false, fmt.Sprintf("No client is more than %d roots behind: older ones take no more in one refresh.", manyRoots)},
		{RuleExpiryYear, false, "Nothing expires after 2037: clients that count time in 32 bits read it as long past."},
		{RuleSimulation, true, "A client at every historic root reaches the newest root and accepts what is published."},
	}
}

// isCompatRule reports whether a rule of this name exists.
func isCompatRule(name string) bool {
	for _, r := range CompatRules() {
		if r.Name == name {
			return true
		}
	}
	return false
}

// warn adds a warning by a rule, and endanger a danger.
func (d *Diff) warn(rule, where, format string, args ...any) {
	d.add(Warning, where, format, args...)
	d.Changes[len(d.Changes)-1].Rule = rule
}

func (d *Diff) endanger(rule, where, format string, args ...any) {
	d.add(Danger, where, format, args...)
	d.Changes[len(d.Changes)-1].Rule = rule
}

// A KeyReader is a TUF client and which keys it reads, as found in its source
// and by trying it.
type KeyReader struct {
	Client  string
	P256    bool // keytypes ecdsa and ecdsa-sha2-nistp256, PEM
	Ed25519 bool // in hex
	RSAPSS  bool // rsassa-pss-sha256, PEM
	P384    bool // keytype ecdsa, scheme ecdsa-sha2-nistp384
	// OldP384 is keytype ecdsa-sha2-nistp384, which the specification never named.
	OldP384 bool
}

// KeyMatrix says which clients read which keys.
func KeyMatrix() []KeyReader {
	return []KeyReader{
		{Client: "python-tuf", P256: true, Ed25519: true, RSAPSS: true, P384: true, OldP384: true},
		{Client: "go-tuf v2", P256: true, Ed25519: true, RSAPSS: true, P384: true},
		{Client: "go-tuf v0.7", P256: true, Ed25519: true, RSAPSS: true},
		{Client: "tuf-js 6", P256: true, Ed25519: true, RSAPSS: true, P384: true},
		{Client: "tuf-js 5", P256: true, Ed25519: true, RSAPSS: true},
		{Client: "tuf-browser", P256: true, Ed25519: true, RSAPSS: true},
		{Client: "sigstore-ruby", P256: true, Ed25519: true, RSAPSS: true},
		{Client: "tough", P256: true, Ed25519: true, RSAPSS: true},
	}
}

// readersOf names the clients that read a kind of key.
func readersOf(reads func(KeyReader) bool) []string {
	var names []string
	for _, r := range KeyMatrix() {
		if reads(r) {
			names = append(names, r.Client)
		}
	}
	return names
}
