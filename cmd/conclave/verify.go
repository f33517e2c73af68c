package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/tui/text"
)

func (p *program) verifyCommand() *cobra.Command {
	var root string
	cmd := &cobra.Command{
		Use:   "verify BUNDLE",
		Short: "Check a bundle against a root that you trust",
		Long: `Walks from the root that you trust over the bundle's base to its documents, and
checks every signature on the way. A genesis is checked against its own root 1,
which you have compared with the printed record: --root-digest takes its digest,
in hex or in words.

With --policy it is also held against a policy file: what breaks a rule of it, by
a recorded exception or not, ends with exit code 3.

Exit code 0: complete. 5: valid so far, more signatures are needed. 3: it does
not verify.`,
		Example: "  conclave verify root-5.bundle.json --root trusted/1.root.json",
		Args:    cobra.ExactArgs(1),
	}
	var digest, rules string
	cmd.Flags().StringVar(&rules, "policy", "", "hold it against this policy `file` as well; what it breaks does not verify")
	cmd.Flags().StringVar(&root, "root", "", "a root.json that you trust, kept apart from the bundle")
	cmd.Flags().StringVar(&digest, "root-digest", "", "the digest of a genesis' root 1, in hex or in words, from the printed record")
	cmd.MarkFlagsOneRequired("root", "root-digest")
	cmd.MarkFlagsMutuallyExclusive("root", "root-digest")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		bundle, err := transfer.Read(args[0])
		if err != nil {
			return err
		}
		held, err := p.holdAgainst(rules, bundle)
		if err != nil {
			return err
		}
		if bundle.Plan != nil {
			return &statusError{code: exitIncomplete, text: "this bundle is a plan: no key and no document exists yet", hint: "hold its ceremony: conclave sign " + args[0]}
		}
		anchor, err := verifyAnchor(bundle, root, digest)
		if err != nil {
			return err
		}
		if !bundle.Genesis() {
			// A base that does not follow is wrong, whatever else is missing.
			if _, err := bundle.CheckBase(anchor, nil); err != nil {
				return &unverified{err}
			}
		}
		complete, err := bundle.Verify(anchor)
		var missing *tuf.ThresholdError
		if errors.As(err, &missing) {
			return &statusError{code: exitIncomplete, text: "valid so far: " + err.Error(), hint: "join it with the other partial bundles, or let more keyholders sign it"}
		}
		if err != nil {
			return &unverified{err}
		}
		return p.verified(complete, held)
	}
	return cmd
}

// verifyAnchor is the root to start from: a file kept apart, or the bundle's own root 1 when
// its digest is the one that somebody read out.
func verifyAnchor(b *transfer.Bundle, path, digest string) (*tuf.Document, error) {
	if path != "" {
		return readRoot(path)
	}
	want, err := parseDigest(digest)
	if err != nil {
		return nil, &usageError{"conclave verify", err}
	}
	doc := b.Document(tuf.Root)
	if doc == nil || len(b.Base.Roots) > 0 {
		return nil, &usageError{"conclave verify", errors.New("--root-digest is for a genesis; this bundle builds on a root: give it with --root")}
	}
	if doc.Digest() != want {
		return nil, &unverified{&advised{
			fmt.Errorf("root 1 in this bundle has the digest %s, not the one that you gave", doc.Digest()),
			"compare both with the printed record once more; where they differ, this is not what people signed: do not publish it",
		}}
	}
	return doc, nil
}

// An unverified error ends with exit code 3.
type unverified struct{ err error }

func (e *unverified) Error() string { return e.err.Error() }
func (e *unverified) Unwrap() error { return e.err }
func (e *unverified) ExitCode() int { return exitUnverified }

// verifiedReport is what verify prints with --json.
type verifiedReport struct {
	Verified  bool               `json:"verified"`
	Documents []verifiedDocument `json:"documents"`
	Clients   []string           `json:"clients"` // what happens to a client at every historic root
	Policy    *policyReport      `json:"policy,omitempty"`
}

type verifiedDocument struct {
	Role    string `json:"role"`
	Version int64  `json:"version"`
	Digest  string `json:"sha256"`
}

func (p *program) verified(c *transfer.Complete, rules *policyReport) error {
	report := verifiedReport{Verified: true, Policy: rules}
	for _, d := range c.Bundle().Documents {
		doc := c.Document(d.Role).Document()
		report.Documents = append(report.Documents, verifiedDocument{d.Role, doc.Version(), doc.Digest().Hex()})
	}
	simulation, err := p.simulate(c)
	if err != nil {
		return err
	}
	for _, s := range simulation.Sentences() {
		report.Clients = append(report.Clients, s.Text)
	}
	if err := simulation.Err(); err != nil {
		return &unverified{err}
	}
	if p.json {
		return p.printJSON(report)
	}
	for _, d := range report.Documents {
		fmt.Fprintf(p.out, "[OK] %s %d  %s\n", d.Role, d.Version, d.Digest)
	}
	for _, line := range report.Clients {
		fmt.Fprintln(p.out, text.Clean(line))
	}
	if rules != nil {
		fmt.Fprintf(p.out, "[OK] policy %s: no rule is broken\n", text.Clean(rules.Name))
	}
	fmt.Fprintf(p.out, "Complete: every threshold is met, from root %d on.\n", c.Chain().First().Version())
	return nil
}

// simulate plays the update for clients at every root that the bundle knows of, at the times that matter.
func (p *program) simulate(c *transfer.Complete) (*tuf.Simulation, error) {
	b := c.Bundle()
	return tuf.Simulate(tuf.Update{
		Roots:        c.Chain().Roots(),
		Targets:      b.Document(tuf.Targets),
		OldTargets:   b.Base.Document(tuf.Targets),
		Delegated:    delegated(b.Documents),
		OldDelegated: delegated(b.Base.Documents),
		Now:          p.now(),
	})
}

// delegated are the documents of delegated roles, by name.
func delegated(docs []transfer.Document) map[string]*tuf.Document {
	out := map[string]*tuf.Document{}
	for _, d := range docs {
		if d.Role != tuf.Root && d.Role != tuf.Targets {
			out[d.Role] = d.Metadata
		}
	}
	return out
}
