//go:build !offline

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"time"

	"github.com/spf13/cobra"

	"conclave/transfer"
	"conclave/transfer/publish"
	"conclave/tui/text"
)

// online says whether publish and client are part of this program.
const online = true

func (p *program) onlineCommands() []*cobra.Command {
	return []*cobra.Command{p.publishCommand(), p.clientCommand()}
}

// moreCodes maps what only the online ends know.
func moreCodes(err error) int {
	if errors.Is(err, publish.ErrMoved) {
		return exitMoved
	}
	return exitFailed
}

func (p *program) publishCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "publish",
		Short: "Publish signed bundles and keep them fresh",
	}
	cmd.AddCommand(p.publishInit(), p.publishPush(), p.publishRefresh(), p.publishStatus())
	return cmd
}

// configFlag says where the publisher's configuration is.
func configFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVar(path, "config", publish.ConfigName, "the publisher's configuration file")
}

// publisher opens the store and the keys that a configuration names.
func (p *program) publisher(path string) (*publish.Publisher, error) {
	cfg, err := publish.LoadConfig(path)
	if err != nil {
		return nil, err
	}
	pub, err := cfg.Publisher()
	if err != nil {
		return nil, err
	}
	pub.Now = p.now
	pub.Tell = func(line string) { fmt.Fprintln(p.err, text.Clean(line)) }
	return pub, nil
}

func (p *program) publishInit() *cobra.Command {
	var o publish.InitOptions
	cmd := &cobra.Command{
		Use:   "init DIR",
		Short: "Make a publisher: its online keys and its configuration",
		Long: `Makes the snapshot and timestamp keys, encrypted with the passphrase in a file of
yours (mode 0600), and the configuration. Their public halves, snapshot.pub and
timestamp.pub, go into "conclave plan genesis".`,
		Example: "  conclave publish init online --store file:repository --passphrase-file passphrase",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Dir = args[0]
			made, err := p.initPublisher(cmd.Context(), o)
			if err != nil {
				return err
			}
			if p.json {
				return p.printJSON(map[string]string{"config": made.Config, "snapshot_keyid": made.Snapshot.ID, "timestamp_keyid": made.Timestamp.ID})
			}
			fmt.Fprintf(p.out, "configuration   %s\nsnapshot key    %s\ntimestamp key   %s\n", text.Clean(made.Config), made.Snapshot.ID, made.Timestamp.ID)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Store, "store", "", "where the repository is published: file:DIR")
	f.StringVar(&o.PassphraseFile, "passphrase-file", "", "file that holds the passphrase of the online keys (mode 0600)")
	f.IntVar(&o.SnapshotDays, "snapshot-days", publish.DefaultSnapshotDays, "days that a snapshot is valid")
	f.IntVar(&o.TimestampDays, "timestamp-days", publish.DefaultTimestampDays, "days that a timestamp is valid")
	f.BoolVar(&o.Practice, "practice", false, "a store for rehearsals; it takes nothing else")
	_ = cmd.MarkFlagRequired("store")
	_ = cmd.MarkFlagRequired("passphrase-file")
	return cmd
}

// initPublisher makes a publisher whose paths hold wherever it is called from.
func (p *program) initPublisher(ctx context.Context, o publish.InitOptions) (*publish.Initialised, error) {
	passphrase, err := publish.ReadPassphrase(o.PassphraseFile)
	if err != nil {
		return nil, err
	}
	defer passphrase.Wipe()
	o.Passphrase = passphrase
	if o.PassphraseFile, err = filepath.Abs(o.PassphraseFile); err != nil {
		return nil, err
	}
	if o.Store, err = absoluteStore(o.Store); err != nil {
		return nil, err
	}
	return publish.Init(ctx, o)
}

func (p *program) publishPush() *cobra.Command {
	var config, targets, trustRoot string
	var o publish.PushOptions
	cmd := &cobra.Command{
		Use:   "push BUNDLE",
		Short: "Publish a complete bundle",
		Long: `Verifies the bundle from the pinned root, checks that the repository has not
moved on and that every target file is at hand, signs snapshot and timestamp,
and stores everything in the order that never breaks a client: the timestamp
comes last. Run it again after a crash: it completes the work.

The first push pins the root: it needs --trust-root or --root-digest.`,
		Example: `  conclave publish push genesis.bundle.json --config online/publish.json \
    --targets release/ --root-digest "$(cat printed-words)"`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if trustRoot != "" {
				raw, err := os.ReadFile(trustRoot)
				if err != nil {
					return fmt.Errorf("read the root to trust: %w", err)
				}
				o.TrustRoot = raw
			}
			b, err := transfer.Read(args[0])
			if err != nil {
				return err
			}
			pub, err := p.publisher(config)
			if err != nil {
				return err
			}
			report, err := pub.Push(cmd.Context(), b, targets, o)
			if err != nil {
				return err
			}
			return p.published(report)
		},
	}
	configFlag(cmd, &config)
	f := cmd.Flags()
	f.StringVar(&targets, "targets", ".", "folder with the target files")
	f.StringVar(&trustRoot, "trust-root", "", "first push: the root to pin, from other media than the bundle")
	f.StringVar(&o.RootDigest, "root-digest", "", "first push: the digest of the root to pin, in hex or words, from the printed record")
	f.BoolVar(&o.DryRun, "dry-run", false, "check everything and print the plan; sign and store nothing")
	cmd.MarkFlagsMutuallyExclusive("trust-root", "root-digest")
	return cmd
}

// published says what a push or a refresh did.
func (p *program) published(r *publish.Report) error {
	if p.json {
		return p.printJSON(r)
	}
	for _, w := range r.Warnings {
		fmt.Fprintf(p.err, "warning: %s\n", text.Clean(w))
	}
	verb := "published"
	switch {
	case r.DryRun:
		verb = "would be live"
		for _, a := range r.Actions {
			fmt.Fprintf(p.out, "%-8s %s  %s\n", a.Act, text.Clean(a.Name), text.Bytes(a.Length))
		}
	case r.Already:
		verb = "live already"
	}
	roles := make([]string, 0, len(r.Versions))
	for role := range r.Versions {
		roles = append(roles, role)
	}
	sort.Strings(roles)
	for _, role := range roles {
		fmt.Fprintf(p.out, "%s: %s %d\n", verb, text.Clean(role), r.Versions[role])
	}
	return nil
}

func (p *program) publishRefresh() *cobra.Command {
	var config string
	var every time.Duration
	cmd := &cobra.Command{
		Use:   "refresh",
		Short: "Sign a new timestamp, and a new snapshot when it is time",
		Long: `Signs a new timestamp, and a new snapshot when half of the old one's life is
over. Several hosts may run it at once. It refuses to sign for a repository that
went back in time, jumped ahead or does not verify: those are alarms.`,
		Example: "  conclave publish refresh --config online/publish.json\n  conclave publish refresh --config online/publish.json --every 1h",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			pub, err := p.publisher(config)
			if err != nil {
				return err
			}
			if every == 0 {
				report, err := pub.Refresh(cmd.Context())
				if err != nil {
					return err
				}
				return p.published(report)
			}
			return pub.Every(cmd.Context(), every, func(r *publish.Report, err error) error {
				if err != nil {
					p.report(err, exitCode(err)) // and go on: the next try may find the store again
					return nil
				}
				return p.published(r)
			})
		},
	}
	configFlag(cmd, &config)
	cmd.Flags().DurationVar(&every, "every", 0, "stay and do it again after this long, such as 1h")
	return cmd
}

func (p *program) publishStatus() *cobra.Command {
	var config string
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Say what is live and what breaks when",
		Example: "  conclave publish status --config online/publish.json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			pub, err := p.publisher(config)
			if err != nil {
				return err
			}
			status, err := pub.Status(cmd.Context())
			if err != nil {
				return err
			}
			if p.json {
				return p.printJSON(status)
			}
			now := p.now()
			for _, r := range status.Roles {
				fmt.Fprintf(p.out, "%-10s %4d   expires %s\n", text.Clean(r.Role), r.Version, text.Date(r.Expires, now))
			}
			return nil
		},
	}
	configFlag(cmd, &config)
	return cmd
}
