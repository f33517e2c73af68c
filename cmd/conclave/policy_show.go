package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"conclave/ceremony"
	"conclave/ceremony/policy"
	"conclave/tui/text"
)

func (p *program) policyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "policy [FILE]",
		Short: "Check a policy file and show its digest, or print one to start from",
		Long: `A policy is one strict JSON file that people agree on in calm times: what may be
signed at all. "conclave plan" says what a draft breaks of it; "conclave sign" shows
its digest, says it again at preflight and before the freeze, and goes on only by
an exception on the record that as many different people decide as the policy
names, two at least. A resumed ceremony keeps the policy that it was begun under.

The policy comes from --policy, else from policy.json beside the trusted root or in
the ceremony's folder, else it is the one that is printed here without FILE.

  format               "conclave-policy/1"
  name                 whose policy it is
  roles                limits for root, targets, snapshot, timestamp, delegated:
                       min_threshold, min_spare_keys, min_expiry_days, max_expiry_days
  key_schemes          the only schemes that a key may have
  attestation_required, pin_required, touch_required
                       what must be proved of the token of every key that joins
  keep_delegations     roles to which targets must always delegate
  max_keys_changed     the most keys that join, or leave, at once
  max_targets_removed  the most files that one document drops at once
  compat_rules         compatibility rules that must hold; client-simulation and
                       root-walk are looked at when the signed result is confirmed
  exception_people     how many people decide on an exception, by rule; "default"
                       is for all others, 0 means that none is possible

What is left out is not limited. A threshold of 1 and a root that cannot lose a key
want a decision all the same.`,
		Example: "  conclave policy > trusted/policy.json\n  conclave policy trusted/policy.json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				_, err := p.out.Write(policy.Default().Bytes())
				return err
			}
			rules, err := readPolicy(args[0])
			if err != nil {
				return err
			}
			digest := rules.Digest()
			if p.json {
				return p.printJSON(policyReport{Name: ceremony.PolicyName(rules), SHA256: digest.Hex(), Words: digest.Words(), Violations: []violationReport{}})
			}
			fmt.Fprintf(p.out, "%s\n", text.Clean(ceremony.PolicyName(rules)))
			for _, line := range digestLines(digest) {
				fmt.Fprintf(p.out, "   %s\n", line)
			}
			return nil
		},
	}
}
