package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"conclave/ceremony"
	"conclave/ceremony/tuf"
	"conclave/transfer"
)

// How long metadata lives unless a plan says otherwise.
const (
	rootDays    = 365
	targetsDays = 90
)

func (p *program) planCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Draft what is to be signed, as an unsigned bundle",
		Long: `Drafts what is to be signed. What the draft breaks of the policy is said at once,
and again at the ceremony, where it takes an exception; what the policy allows no
exception from is not drafted.`,
	}
	cmd.PersistentFlags().StringVar(&p.policy, "policy", "", policyUsage)
	cmd.AddCommand(p.planGenesis(), p.planRoot(), p.planTargets(), p.planRotate(), p.planRedraft(), p.planStandby(), p.planDelegation(), p.planAdopt())
	return cmd
}

// planFlags are what every plan takes.
type planFlags struct {
	out     string
	purpose string
}

func (f *planFlags) register(cmd *cobra.Command, purpose string) {
	cmd.Flags().StringVarP(&f.out, "out", "o", "", "the bundle to write; never overwritten")
	cmd.Flags().StringVar(&f.purpose, "purpose", purpose, "one line that keyholders read first")
	_ = cmd.MarkFlagRequired("out")
}

// baseFlags say what a plan builds on.
type baseFlags struct {
	repository string
	root       string
	evidence   []string
}

func (f *baseFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.repository, "repository", "", "folder of the repository's metadata as it is published now")
	cmd.Flags().StringVar(&f.root, "root", "", "a root.json that you trust, kept apart from the repository")
	_ = cmd.MarkFlagRequired("repository")
	_ = cmd.MarkFlagRequired("root")
	f.registerEvidence(cmd)
}

func (f *baseFlags) registerEvidence(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&f.evidence, "evidence", nil, "the bundle of an earlier ceremony, or what conclave token enrol wrote: what it proves of keys that stay travels on; may be repeated")
}

// carry adds what earlier bundles and evidence files prove of the bundle's keys.
func (f *baseFlags) carry(b *transfer.Bundle) error {
	for _, path := range f.evidence {
		known, err := readTokens(path)
		if err != nil {
			return err
		}
		ceremony.Carry(b, known)
	}
	return nil
}

// readTokens reads the evidence in a bundle, or in a file of its own.
func readTokens(path string) ([]transfer.Evidence, error) {
	b, err := transfer.Read(path)
	if err == nil {
		return b.Tokens, nil
	}
	if !is[*transfer.SyntaxError](err) && !is[*transfer.ContentError](err) {
		return nil, err // nothing could be read
	}
	e, fileErr := readEvidence(path)
	if fileErr != nil {
		return nil, &unverified{&advised{
			fmt.Errorf("read evidence in %s: it is no bundle that is whole, and no evidence", path),
			"give the bundle of an earlier ceremony, or the .evidence.json that conclave token enrol wrote, copied again from where it came; nothing was used",
		}}
	}
	return []transfer.Evidence{e.carried()}, nil
}

func (f *baseFlags) read() (transfer.Base, error) {
	anchor, err := readRoot(f.root)
	if err != nil {
		return transfer.Base{}, err
	}
	return transfer.ReadRepository(f.repository, anchor)
}

func (p *program) planGenesis() *cobra.Command {
	var (
		flags               planFlags
		holders, targeters  []string
		rootOf, targetsOf   int
		algorithm           string
		snapshot, timestamp string
		rootFor, targetsFor int
		files, backups      []string
		onePerson           bool
	)
	cmd := &cobra.Command{
		Use:   "genesis",
		Short: "Draft a repository's first root and targets",
		Long: `Drafts a genesis: who will hold keys, how many of them must sign, which online
keys sign snapshot and timestamp, and the first target files. Nobody's key
exists yet; the ceremony makes them on the keyholders' tokens.`,
		Example: `  conclave plan genesis --holder Alice --holder Bob --holder Carol \
    --holder Dana --holder Erin --root-threshold 3 \
    --targets-holder Alice --targets-holder Bob --targets-holder Carol --targets-threshold 2 \
    --snapshot-key online/snapshot.pub --timestamp-key online/timestamp.pub \
    --add release/ -o genesis.bundle.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			now := p.now().UTC()
			snap, err := readPublicKey(snapshot)
			if err != nil {
				return err
			}
			stamp, err := readPublicKey(timestamp)
			if err != nil {
				return err
			}
			planned, err := p.hashFiles(cmd.Context(), files)
			if err != nil {
				return err
			}
			if len(targeters) == 0 {
				targeters = holders
			}
			bundle, err := ceremony.PlanGenesis(ceremony.Genesis{
				Purpose:          flags.purpose,
				RootHolders:      holders,
				TargetsHolders:   targeters,
				RootThreshold:    rootOf,
				TargetsThreshold: targetsOf,
				Algorithm:        algorithm,
				Snapshot:         snap,
				Timestamp:        stamp,
				RootExpires:      inDays(now, rootFor),
				TargetsExpires:   inDays(now, targetsFor),
				Files:            planned,
				Backups:          backups,
				OnePerson:        onePerson,
			}, now)
			if err != nil {
				return err
			}
			return p.writePlan(flags.out, "", bundle)
		},
	}
	flags.register(cmd, "first root and targets")
	f := cmd.Flags()
	f.StringArrayVar(&holders, "holder", nil, "a person who holds a root key; once for each")
	f.StringArrayVar(&targeters, "targets-holder", nil, "a person who holds a targets key; without it every holder does")
	f.StringArrayVar(&backups, "backup", nil, "a holder who brings a second token; it counts as the same person")
	onePersonFlag(f, &onePerson)
	f.IntVar(&rootOf, "root-threshold", 0, "how many holders must sign a root")
	f.IntVar(&targetsOf, "targets-threshold", 0, "how many holders must sign targets")
	f.StringVar(&algorithm, "algorithm", "p256", "p256, which every client reads, or p384")
	f.StringVar(&snapshot, "snapshot-key", "", "public key (PEM) that signs snapshot online")
	f.StringVar(&timestamp, "timestamp-key", "", "public key (PEM) that signs timestamp online")
	f.IntVar(&rootFor, "root-days", rootDays, "days until the root expires")
	f.IntVar(&targetsFor, "targets-days", targetsDays, "days until targets expire")
	f.StringArrayVar(&files, "add", nil, "a target file, or a folder of them; may be repeated")
	for _, name := range []string{"holder", "root-threshold", "targets-threshold", "snapshot-key", "timestamp-key"} {
		_ = cmd.MarkFlagRequired(name)
	}
	return cmd
}

// onePersonFlag lets a plan through in which one person's two tokens are enough for clients.
func onePersonFlag(f *pflag.FlagSet, accept *bool) {
	f.BoolVar(accept, "accept-one-person", false, "plan it although one person's two keys alone are enough for clients; the ceremony stops there until people put the exception on record")
}

func (p *program) planRoot() *cobra.Command {
	var flags planFlags
	var base baseFlags
	var days int
	var backups []string
	var onePerson bool
	cmd := &cobra.Command{
		Use:   "root",
		Short: "Draft the next root: the same keys, a new expiry",
		Long: `Drafts the next root with a new expiry and the same keys. With --backup it also
gives holders a second token, whose key the ceremony makes; it signs in place of
the first one, and the two count as one person.`,
		Example: `  conclave plan root --repository repository/metadata --root trusted/1.root.json -o root.bundle.json
  conclave plan root --backup Alice --repository repository/metadata --root trusted/1.root.json -o root.bundle.json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			now := p.now().UTC()
			on, err := base.read()
			if err != nil {
				return err
			}
			if len(backups) > 0 {
				return p.planBackups(flags, base, on, backups, ceremony.Rotation{OnePerson: onePerson, RootExpires: inDays(now, days), TargetsExpires: inDays(now, targetsDays)}, now)
			}
			bundle, err := ceremony.PlanRoot(on, flags.purpose, inDays(now, days), now)
			if err != nil {
				return err
			}
			if err := base.carry(bundle); err != nil {
				return err
			}
			return p.writePlan(flags.out, base.root, bundle)
		},
	}
	flags.register(cmd, "renew the root")
	base.register(cmd)
	cmd.Flags().IntVar(&days, "days", rootDays, "days until the root expires")
	registerBackups(cmd.Flags(), &backups, &onePerson)
	return cmd
}

// planBackups renews the root and gives people a second token.
func (p *program) planBackups(flags planFlags, base baseFlags, on transfer.Base, backups []string, r ceremony.Rotation, now time.Time) error {
	var err error
	r.Purpose = flags.purpose
	if r.Backups, err = backupsOf(backups); err != nil {
		return err
	}
	bundle, err := ceremony.PlanRotation(on, r, now)
	if err != nil {
		return err
	}
	if err := base.carry(bundle); err != nil {
		return err
	}
	return p.writeSitting(flags.out, base.root, bundle, now)
}

func (p *program) planTargets() *cobra.Command {
	var flags planFlags
	var base baseFlags
	var days int
	var role string
	var add, remove []string
	var renew bool
	cmd := &cobra.Command{
		Use:   "targets",
		Short: "Draft the next targets: files added, changed and removed",
		Long: `Drafts the next targets: files added, changed and removed. With --role it is the next
version of a delegated role, which the role's own holders sign. A version that changes
no file, and only until when they hold, is asked for with --renew.`,
		Example: `  conclave plan targets --repository repository/metadata --root trusted/1.root.json \
    --add release/ --remove old.tar.gz -o release.bundle.json
  conclave plan targets --repository repository/metadata --root trusted/1.root.json \
    --role docs --add docs/ -o docs.bundle.json
  conclave plan targets --repository repository/metadata --root trusted/1.root.json \
    --renew --days 120 -o renewal.bundle.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asked := len(add)+len(remove) > 0; asked == renew {
				return &usageError{"conclave plan targets", errors.New("name what changes with --add and --remove; or say --renew, and only the expiry changes")}
			}
			now := p.now().UTC()
			on, err := base.read()
			if err == nil && role != "" {
				on, err = transfer.ReadDelegated(base.repository, on, role)
			}
			if err != nil {
				return err
			}
			files, err := p.hashFiles(cmd.Context(), add)
			if err != nil {
				return err
			}
			bundle, err := ceremony.PlanTargets(on, ceremony.TargetsChange{
				Purpose: flags.purpose,
				Role:    role,
				Add:     files,
				Remove:  remove,
				Expires: inDays(now, days),
			}, now)
			if err != nil {
				return err
			}
			if err := base.carry(bundle); err != nil {
				return err
			}
			return p.writePlan(flags.out, base.root, bundle)
		},
	}
	flags.register(cmd, "release")
	base.register(cmd)
	cmd.Flags().StringVar(&role, "role", "", "a delegated `ROLE`, whose own holders sign")
	cmd.Flags().StringArrayVar(&add, "add", nil, "a target file to add or replace, or a folder of them; may be repeated")
	cmd.Flags().StringArrayVar(&remove, "remove", nil, "the path of a target to remove; may be repeated")
	cmd.Flags().BoolVar(&renew, "renew", false, "change no file, only until when they hold")
	cmd.Flags().IntVar(&days, "days", targetsDays, "days until targets expire")
	return cmd
}

func (p *program) planAdopt() *cobra.Command {
	var flags planFlags
	var base baseFlags
	cmd := &cobra.Command{
		Use:   "adopt FILE…",
		Short: "Make a bundle of metadata that another tool drafted or signed in part",
		Long: `Takes bare TUF metadata, one file or a folder, as python-tuf, tuf-on-ci,
tuftool or RSTUF write it, signed or not. Signatures that verify are kept,
others are dropped and named.`,
		Example: `  conclave plan adopt root.json targets.json --repository published/metadata \
    --root trusted/1.root.json -o adopted.bundle.json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			var on transfer.Base
			if base.repository != "" {
				var err error
				if on, err = base.read(); err != nil {
					return err
				}
			}
			docs, err := transfer.Adopt(args)
			if err != nil {
				return err
			}
			bundle, dropped, err := ceremony.Adopt(on, docs, flags.purpose, p.now().UTC())
			if err != nil {
				return err
			}
			for _, line := range dropped {
				p.note("dropped: %s", line)
			}
			if err := base.carry(bundle); err != nil {
				return err
			}
			return p.writePlan(flags.out, base.root, bundle)
		},
	}
	flags.register(cmd, "adopted metadata")
	cmd.Flags().StringVar(&base.repository, "repository", "", "folder of the metadata as it is published now; not for a first root")
	cmd.Flags().StringVar(&base.root, "root", "", "a root.json that you trust, kept apart from the repository")
	cmd.MarkFlagsRequiredTogether("repository", "root")
	base.registerEvidence(cmd)
	return cmd
}

// hashFiles reads the files' lengths and hashes, with progress on standard error.
func (p *program) hashFiles(ctx context.Context, paths []string) ([]transfer.PlannedFile, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	bar := p.progress("hashing")
	defer bar.done()
	return transfer.HashFiles(ctx, paths, bar.update)
}

// writeBundle writes a new bundle and says what it is.
func (p *program) writeBundle(path string, b *transfer.Bundle) error {
	if err := transfer.Write(path, b); err != nil {
		return err
	}
	return p.show(path, b, bundleExtras{})
}

// writePlan writes a new draft and says what it is, and what it breaks of the policy.
func (p *program) writePlan(path, root string, b *transfer.Bundle) error {
	rules, err := findPolicy(p.policy, beside(root))
	if err != nil {
		return err
	}
	report, err := p.judgePlan(rules, b)
	if err != nil {
		return err
	}
	if err := transfer.Write(path, b); err != nil {
		return err
	}
	return p.show(path, b, bundleExtras{rules: report})
}

// inDays is a whole second, days from now.
func inDays(now time.Time, days int) time.Time {
	return now.Truncate(time.Second).AddDate(0, 0, days)
}

func readPublicKey(path string) (tuf.Key, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return tuf.Key{}, fmt.Errorf("read public key: %w", err)
	}
	key, err := tuf.ParsePublicKey(raw)
	if err != nil {
		return tuf.Key{}, fmt.Errorf("read public key %s: %w", filepath.Base(path), err)
	}
	return key, nil
}

// readRoot reads the file of a root that somebody trusts.
func readRoot(path string) (*tuf.Document, error) {
	doc, err := readMetadata(path)
	if err == nil && doc.Type() != tuf.Root {
		return nil, &unverified{&advised{fmt.Errorf("read %s: it is %s, and a root is needed", path, doc.Type()), "give a root.json that you trust, kept apart from what it verifies"}}
	}
	return doc, err
}

// readMetadata reads one bare metadata file.
func readMetadata(path string) (*tuf.Document, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read metadata: %w", err)
	}
	if info.Size() > transfer.MaxMetadata {
		return nil, fmt.Errorf("read metadata: %s has %d bytes; at most %d are read", path, info.Size(), transfer.MaxMetadata)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read metadata: %w", err)
	}
	doc, err := tuf.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return doc, nil
}
