package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"conclave/ceremony"
	"conclave/ceremony/record"
	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/tui/text"
)

// rotationFlags say what changes about the keys.
type rotationFlags struct {
	add, remove, replace []string
	keys, absent         []string
	backups              []string
	onePerson            bool
	rootOf, targetsOf    int
	snapshot, timestamp  string
	rootDays, targetDays int
	resign               bool
	algorithm            string
}

func (f *rotationFlags) register(cmd *cobra.Command, days bool) {
	fs := cmd.Flags()
	fs.StringArrayVar(&f.add, "add", nil, "`NAME[:root,targets]` who gets a key, or more roles; without roles both")
	fs.StringArrayVar(&f.remove, "remove", nil, "`NAME[:root,targets]` whose key goes; without roles from both. A key that has no name: its keyid")
	fs.StringArrayVar(&f.replace, "replace", nil, "`NAME` who comes with a new token; the old one's key goes")
	fs.StringArrayVar(&f.keys, "key", nil, "`NAME=FILE` the key of somebody who has one already: PEM, or the evidence that conclave token enrol wrote")
	fs.StringArrayVar(&f.absent, "absent", nil, "`NAME` who cannot sign with the key that the root lists now")
	registerBackups(fs, &f.backups, &f.onePerson)
	fs.IntVar(&f.rootOf, "root-threshold", 0, "how many holders must sign a root from now on")
	fs.IntVar(&f.targetsOf, "targets-threshold", 0, "how many holders must sign targets from now on")
	fs.StringVar(&f.snapshot, "snapshot-key", "", "public key (PEM) that signs snapshot from now on")
	fs.StringVar(&f.timestamp, "timestamp-key", "", "public key (PEM) that signs timestamp from now on")
	fs.BoolVar(&f.resign, "resign-targets", false, "sign targets anew also where clients would take the old ones")
	fs.StringVar(&f.algorithm, "algorithm", "p256", "of new keys: p256, which every client reads, or p384")
	root, targets := 0, 0
	if days {
		root, targets = rootDays, targetsDays
	}
	fs.IntVar(&f.rootDays, "root-days", root, "days until the root expires")
	fs.IntVar(&f.targetDays, "targets-days", targets, "days until targets expire, where they are signed anew")
}

// registerBackups adds the flags for second tokens.
func registerBackups(fs *pflag.FlagSet, backups *[]string, onePerson *bool) {
	fs.StringArrayVar(backups, "backup", nil, "`NAME[:root,targets][=FILE]` a holder who brings a second token, for the roles of the first; it counts as the same person. FILE as for --key of plan rotate")
	onePersonFlag(fs, onePerson)
}

// backupsOf reads NAME[:root,targets][=FILE].
func backupsOf(args []string) ([]ceremony.Joining, error) {
	var all []ceremony.Joining
	for _, arg := range args {
		who, path, given := strings.Cut(arg, "=")
		name, roles := splitRoles(who)
		j := ceremony.Joining{Name: name, Roles: roles}
		if given {
			var err error
			if j.Known, err = readKnownKey(path); err != nil {
				return nil, err
			}
		}
		all = append(all, j)
	}
	return all, nil
}

// rotation reads what the flags name.
func (f *rotationFlags) rotation(purpose string, now time.Time) (ceremony.Rotation, error) {
	r := ceremony.Rotation{
		Purpose: purpose, Absent: f.absent, RootThreshold: f.rootOf, TargetsThreshold: f.targetsOf, Resign: f.resign, Algorithm: f.algorithm, OnePerson: f.onePerson,
	}
	if f.rootDays > 0 {
		r.RootExpires = inDays(now, f.rootDays)
	}
	if f.targetDays > 0 {
		r.TargetsExpires = inDays(now, f.targetDays)
	}
	var err error
	if r.Backups, err = backupsOf(f.backups); err != nil {
		return r, err
	}
	if r.Snapshot, err = onlineKey(f.snapshot); err != nil {
		return r, err
	}
	if r.Timestamp, err = onlineKey(f.timestamp); err != nil {
		return r, err
	}
	for _, arg := range f.add {
		name, roles := splitRoles(arg)
		if len(roles) == 0 {
			roles = []string{tuf.Root, tuf.Targets}
		}
		r.Add = append(r.Add, ceremony.Joining{Name: name, Roles: roles})
	}
	for _, arg := range f.remove {
		name, roles := splitRoles(arg)
		r.Remove = append(r.Remove, ceremony.Leaving{Name: name, Roles: roles})
	}
	for _, name := range f.replace {
		r.Replace = append(r.Replace, ceremony.Replacing{Name: name})
	}
	for _, arg := range f.keys {
		name, k, err := readNamedKey("conclave plan rotate", arg)
		if err != nil {
			return r, err
		}
		if err := r.Know(name, k); err != nil {
			return r, &usageError{"conclave plan rotate", fmt.Errorf("--key: %w", err)}
		}
	}
	return r, nil
}

// splitRoles reads NAME:root,targets.
func splitRoles(arg string) (name string, roles []string) {
	at := strings.LastIndex(arg, ":")
	if at < 0 {
		return arg, nil
	}
	for _, role := range strings.Split(arg[at+1:], ",") {
		roles = append(roles, strings.TrimSpace(role))
	}
	return arg[:at], roles
}

func onlineKey(path string) ([]tuf.Key, error) {
	if path == "" {
		return nil, nil
	}
	key, err := readPublicKey(path)
	return []tuf.Key{key}, err
}

// readNamedKey reads the key of a --key NAME=FILE.
func readNamedKey(cmd, arg string) (name string, k *ceremony.KnownKey, err error) {
	name, path, ok := strings.Cut(arg, "=")
	if !ok {
		return "", nil, &usageError{cmd, fmt.Errorf("--key takes NAME=FILE; it was given %q", arg)}
	}
	k, err = readKnownKey(path)
	return name, k, err
}

// readKnownKey reads a public key alone, or with what its token says of it.
func readKnownKey(path string) (*ceremony.KnownKey, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read public key: %w", err)
	}
	if !bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) {
		key, err := readPublicKey(path)
		return &ceremony.KnownKey{Key: key}, err
	}
	e, err := readEvidence(path)
	if err != nil {
		return nil, err
	}
	key, err := tuf.ParsePublicKey([]byte(e.Public))
	if err == nil && key.ID != e.KeyID {
		err = errors.New("it is about another key than it names")
	}
	if err == nil {
		err = e.checkPossession(key.Public)
	}
	if err != nil {
		return nil, &unverified{advise(fmt.Errorf("read evidence in %s: %w", path, err), "the file was changed after conclave token enrol wrote it: get it again from its holder; nothing was planned")}
	}
	carried := e.carried()
	return &ceremony.KnownKey{Key: key, Serial: e.Serial, Evidence: &carried}, nil
}

func (p *program) planRotate() *cobra.Command {
	var flags planFlags
	var base baseFlags
	var change rotationFlags
	var queued string
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Draft a change of keyholders, tokens, thresholds or online keys",
		Long: `Drafts the next root with other keys: holders who come, go, or bring a new token,
thresholds, online keys; several changes at once. Where a new token must make its
key, the ceremony begins with that; where the live targets would no longer
verify, they are signed anew in the same sitting. It says who must sign, who
must come and what goes on meanwhile, and refuses what would lock everybody out.`,
		Example: `  conclave plan rotate --repository repository/metadata --root trusted/1.root.json \
    --replace Bob --add Dana:root --remove Frank --root-threshold 3 -o rotation.bundle.json
  conclave plan rotate --repository repository/metadata --root trusted/1.root.json \
    --timestamp-key new/timestamp.pub --snapshot-key new/snapshot.pub -o online.bundle.json
  conclave plan rotate --repository repository/metadata --root trusted/1.root.json \
    --backup Alice --backup Bob:root -o backups.bundle.json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			now := p.now().UTC()
			on, err := base.read()
			if err != nil {
				return err
			}
			r, err := change.rotation(flags.purpose, now)
			if err != nil {
				return err
			}
			if queued != "" {
				late, err := queuedIn(queued)
				if err != nil {
					return err
				}
				r.Add = append(r.Add, late...)
			}
			bundle, err := ceremony.PlanRotation(on, r, now)
			if err != nil {
				return err
			}
			if err := base.carry(bundle); err != nil {
				return err
			}
			return p.writeSitting(flags.out, base.root, bundle, now, change.absent...)
		},
	}
	flags.register(cmd, "change of keys")
	base.register(cmd)
	change.register(cmd, true)
	cmd.Flags().StringVar(&queued, "queued", "", "folder of the last ceremony: who came too late for it joins now")
	return cmd
}

// queuedIn lists who was put on the list for the next draft at a ceremony.
func queuedIn(dir string) ([]ceremony.Joining, error) {
	entries, _, err := record.Read(filepath.Join(dir, recordFile))
	if err != nil {
		return nil, err
	}
	state, err := ceremony.Replay(entries, ceremony.Beside(dir))
	if err != nil {
		return nil, err
	}
	late := state.Queued()
	if len(late) == 0 {
		return nil, errors.New("nobody is on the list for the next draft in " + dir)
	}
	return late, nil
}

// writeSitting writes a bundle, shows it, and says who must come.
// Those who are absent do not count among them.
func (p *program) writeSitting(path, root string, b *transfer.Bundle, now time.Time, absent ...string) error {
	sitting, err := ceremony.PlanSitting(b, now, absent...)
	if err != nil {
		return err
	}
	if err := p.writePlan(path, root, b); err != nil || p.json {
		return err
	}
	fmt.Fprintln(p.out, "\nWHO MUST SIGN")
	for _, line := range sitting.Text {
		fmt.Fprintf(p.out, "  %s\n", text.Clean(line))
	}
	return nil
}

func (p *program) planRedraft() *cobra.Command {
	var out, purpose string
	var base baseFlags
	var change rotationFlags
	var giveUp int
	cmd := &cobra.Command{
		Use:   "redraft BUNDLE",
		Short: "Change a draft of a root that people have signed already",
		Long: `A frozen draft never changes: a change makes a new one, for which the signatures
that are there are worth nothing. This says first which they are and who must
come back, and does nothing until --give-up names their number.`,
		Example: "  conclave plan redraft root-5.partial.bundle.json --add Dana:root --repository repository/metadata --root trusted/1.root.json -o root-5b.bundle.json --give-up 4",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			now := p.now().UTC()
			draft, err := transfer.Read(args[0])
			if err != nil {
				return err
			}
			on, err := base.read()
			if err != nil {
				return err
			}
			r, err := change.rotation(purpose, now)
			if err != nil {
				return err
			}
			next, cost, err := ceremony.Redraft(draft, on, r, now)
			if err != nil {
				return err
			}
			for _, line := range cost.Text {
				p.note("%s", line)
			}
			if len(cost.Dead) != giveUp {
				return &statusError{
					code: exitFailed,
					text: fmt.Sprintf("nothing was written: %d signatures would be lost, and --give-up says %d", len(cost.Dead), giveUp),
					hint: fmt.Sprintf("if that is what everybody wants, run it again with --give-up %d", len(cost.Dead)),
				}
			}
			if err := base.carry(next); err != nil {
				return err
			}
			return p.writeSitting(out, base.root, next, now, r.Absent...)
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "the bundle to write; never overwritten")
	cmd.Flags().StringVar(&purpose, "purpose", "", "one line that keyholders read first; without it the draft's")
	cmd.Flags().IntVar(&giveUp, "give-up", 0, "how many signatures the change may cost")
	_ = cmd.MarkFlagRequired("out")
	base.register(cmd)
	change.register(cmd, false)
	return cmd
}
