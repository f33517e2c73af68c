package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"conclave/ceremony"
	"conclave/ceremony/tuf"
	"conclave/tui/text"
)

// delegationFlags say what changes about one delegated role, or about all of them.
type delegationFlags struct {
	add, change, revoke, before string
	order                       []string
	paths, keys                 []string
	threshold                   int
	ends                        bool
	bins                        string
	bits                        int
	online                      string
	move                        bool
	days                        int
}

func (f *delegationFlags) register(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.add, "add", "", "`ROLE` to delegate to")
	fs.StringVar(&f.change, "change", "", "`ROLE` whose keys, threshold and paths are from now on as the other flags say")
	fs.StringVar(&f.revoke, "revoke", "", "`ROLE` to revoke; PREFIX-* for hash bins")
	fs.StringVar(&f.before, "before", "", "`ROLE` that is asked after the new one; without it the new one is asked last")
	fs.StringSliceVar(&f.order, "order", nil, "all roles in the order in which clients ask them")
	fs.StringArrayVar(&f.paths, "path", nil, "a pattern of paths that the role gets, like docs/*; may be repeated")
	fs.StringArrayVar(&f.keys, "key", nil, "`NAME=FILE` a key of the role and its holder: PEM, or the evidence that conclave token enrol wrote")
	fs.IntVar(&f.threshold, "threshold", 1, "how many of the keys must sign")
	fs.BoolVar(&f.ends, "terminating", false, "for these paths no role after this one is asked")
	fs.StringVar(&f.bins, "bins", "", "`PREFIX` of hash bins that share all paths, in place of single roles")
	fs.IntVar(&f.bits, "bits", 4, "how many bins there are: 2 to the power of this")
	fs.StringVar(&f.online, "online-key", "", "with --bins: `FILE` of the publisher's public bin key; conclave publish signs the bins then, and people none of them")
	fs.BoolVar(&f.move, "move", false, "with --online-key: targets list no file any more, and the publisher moves them into the bins")
	fs.IntVar(&f.days, "days", targetsDays, "days until targets, and new roles, expire")
	cmd.MarkFlagsMutuallyExclusive("add", "change", "bins")
	cmd.MarkFlagsMutuallyExclusive("online-key", "key")
}

// held reads the role's keys with their holders, in the order of the flags.
func (f *delegationFlags) held() ([]tuf.HeldKey, error) {
	var keys []tuf.HeldKey
	for _, arg := range f.keys {
		name, k, err := readNamedKey("conclave plan delegation", arg)
		if err != nil {
			return nil, err
		}
		keys = append(keys, tuf.HeldKey{Key: k.Key, Holder: tuf.Holder{Name: name, Serial: k.Serial}})
	}
	return keys, nil
}

func (f *delegationFlags) read() (ceremony.DelegationChange, error) {
	c := ceremony.DelegationChange{Before: f.before, Order: f.order}
	keys, err := f.held()
	if err != nil {
		return c, err
	}
	if f.online != "" {
		if f.bins == "" {
			return c, &usageError{"conclave plan delegation", errors.New("--online-key belongs to --bins")}
		}
		key, err := readPublicKey(f.online)
		if err != nil {
			return c, err
		}
		keys, c.Online = []tuf.HeldKey{{Key: key}}, true
	}
	if c.Move = f.move; f.move && !c.Online {
		return c, &usageError{"conclave plan delegation", errors.New("--move belongs to --online-key: nobody else moves the files")}
	}
	role := tuf.Delegation{Keys: keys, Threshold: f.threshold, Paths: f.paths, Terminating: f.ends}
	switch {
	case f.add != "":
		role.Name = f.add
		c.Add = []tuf.Delegation{role}
	case f.change != "":
		role.Name = f.change
		c.Change = []tuf.Delegation{role}
	case f.bins != "":
		c.Bins = &tuf.Bins{Prefix: f.bins, Bits: f.bits, Keys: keys, Threshold: f.threshold}
	case len(keys)+len(f.paths) > 0:
		return c, &usageError{"conclave plan delegation", errors.New("--key and --path belong to --add, --change or --bins")}
	}
	if f.revoke != "" {
		c.Revoke = []string{f.revoke}
	}
	return c, nil
}

func (p *program) planDelegation() *cobra.Command {
	var flags planFlags
	var base baseFlags
	var change delegationFlags
	cmd := &cobra.Command{
		Use:   "delegation",
		Short: "Draft the next targets with other delegated roles",
		Long: `Drafts the next targets: a role is delegated to, changed, revoked, or all are asked
in another order. A new role gets first metadata of its own, empty, in the same
bundle: its own keyholders sign it. It says which paths a role does not really get
because another one is asked first.

Hash bins share all paths among 2^bits roles, for repositories that outgrow one
targets file. With --online-key the publisher's key signs them: files come and go
with "conclave publish add", without a ceremony, and who has that key can release.`,
		Example: `  conclave plan delegation --repository repository/metadata --root trusted/1.root.json \
    --add docs --path 'docs/*' --key Dana=dana.evidence.json -o docs.bundle.json
  conclave plan delegation --repository repository/metadata --root trusted/1.root.json --revoke docs -o no-docs.bundle.json
  conclave plan delegation --repository repository/metadata --root trusted/1.root.json \
    --bins bins --bits 8 --online-key online/bins.pub --move -o bins.bundle.json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			now := p.now().UTC()
			on, err := base.read()
			if err != nil {
				return err
			}
			c, err := change.read()
			if err != nil {
				return err
			}
			c.Purpose, c.Expires = flags.purpose, inDays(now, change.days)
			bundle, err := ceremony.PlanDelegation(on, c, now)
			if err != nil {
				return err
			}
			if err := base.carry(bundle); err != nil {
				return err
			}
			if err := p.writeSitting(flags.out, base.root, bundle, now); err != nil || p.json {
				return err
			}
			for _, o := range tuf.Overlaps(bundle.Document(tuf.Targets)) {
				fmt.Fprintf(p.out, "  %s\n", text.Clean(o.Text))
			}
			return nil
		},
	}
	flags.register(cmd, "change of delegations")
	base.register(cmd)
	change.register(cmd)
	return cmd
}
