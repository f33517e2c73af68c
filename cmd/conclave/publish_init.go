//go:build !offline

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"conclave/transfer/publish"
	"conclave/tui/text"
)

func (p *program) publishInit() *cobra.Command {
	var o publish.InitOptions
	var printConfig, check bool
	cmd := &cobra.Command{
		Use:   "init DIR",
		Short: "Make a publisher: its online keys and its configuration",
		Long: `Makes the snapshot and timestamp keys, encrypted with the passphrase in a file of
yours (mode 0600), and the configuration. Their public halves, snapshot.pub and
timestamp.pub, go into "conclave plan genesis". Keys that exist already, on a
PKCS#11 token or in a key service, are named with --snapshot-key and
--timestamp-key; they are tried out.

A bucket is examined before anything is made, by what it does: whether
conditional writes and checksums are honoured, old versions kept, missing
objects answered with 404, the clocks together, and who can read it.`,
		Example: `  conclave publish init online --store file:repository --passphrase-file passphrase
  conclave publish init online --store "s3://updates/tool?region=eu-central-1" --prepare --passphrase-file passphrase
  conclave publish init --check --store s3://updates/tool`,
		Args: func(cmd *cobra.Command, args []string) error {
			if check {
				return cobra.NoArgs(cmd, args)
			}
			return cobra.ExactArgs(1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkInit(o); err != nil {
				return &usageError{"conclave publish init", err}
			}
			if check {
				return p.checkStore(cmd.Context(), o)
			}
			o.Dir = args[0]
			made, err := p.initPublisher(cmd.Context(), o)
			if made != nil {
				p.found(made.Findings)
			}
			if err != nil {
				return err
			}
			return p.initialised(made, printConfig)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Store, "store", "", "where the repository is published: file:DIR, or s3://BUCKET/PREFIX?region=…&endpoint=…")
	f.StringVar(&o.PassphraseFile, "passphrase-file", "", "file with the passphrase of the online keys (mode 0600), credential:NAME of systemd, or env:NAME")
	f.StringVar(&o.SnapshotKey, "snapshot-key", "", "a snapshot key that exists: pkcs11:…, awskms://…, gcpkms://…, azurekms://… or hashivault://…")
	f.StringVar(&o.TimestampKey, "timestamp-key", "", "a timestamp key that exists; it may be the same")
	f.StringVar(&o.PublicMetadata, "public-url", "", "URL of the metadata folder as clients read it, to look there after each push")
	f.IntVar(&o.SnapshotDays, "snapshot-days", publish.DefaultSnapshotDays, "days that a snapshot is valid")
	f.IntVar(&o.TimestampDays, "timestamp-days", publish.DefaultTimestampDays, "days that a timestamp is valid")
	f.BoolVar(&o.Bins, "bins", false, "make a key for hash bins too, bins.pub, for \"conclave plan delegation --online-key\"")
	f.BoolVar(&o.Practice, "practice", false, "a store for rehearsals; it takes nothing else")
	f.BoolVar(&o.Examine.Create, "create-bucket", false, "make the bucket where it does not exist")
	f.BoolVar(&o.Examine.Prepare, "prepare", false, "set the bucket right where it can be: keep old versions")
	f.BoolVar(&o.Examine.Public, "public-read", false, "clients read the bucket itself: a new one is opened to everybody, another one must be open")
	f.BoolVar(&o.Examine.Private, "private", false, "nobody but a CDN with an identity of its own shall read the bucket")
	f.BoolVar(&check, "check", false, "only examine the store; make nothing")
	f.BoolVar(&printConfig, "print-config", false, "print the configuration that was made")
	cmd.MarkFlagsMutuallyExclusive("private", "public-read")
	_ = cmd.MarkFlagRequired("store")
	return cmd
}

// checkInit refuses what no publisher could work with, before anything is made.
func checkInit(o publish.InitOptions) error {
	switch {
	case o.Store == "":
		return errors.New("--store is empty: it says where the repository is published")
	case o.TimestampDays < 1:
		return fmt.Errorf("--timestamp-days %d: a timestamp is valid for a day at least", o.TimestampDays)
	case o.SnapshotDays < 1:
		return fmt.Errorf("--snapshot-days %d: a snapshot is valid for a day at least", o.SnapshotDays)
	}
	return nil
}

// initPublisher makes a publisher whose paths hold wherever it is called from.
func (p *program) initPublisher(ctx context.Context, o publish.InitOptions) (*publish.Initialised, error) {
	if o.SnapshotKey == "" || o.TimestampKey == "" || o.Bins {
		if o.PassphraseFile == "" {
			return nil, &usageError{"conclave publish init", errors.New("key files need --passphrase-file")}
		}
		passphrase, err := openPassphrase(o.PassphraseFile)
		if err != nil {
			return nil, err
		}
		defer passphrase.Wipe()
		o.Passphrase = passphrase
		if publish.IsPassphraseFile(o.PassphraseFile) {
			if o.PassphraseFile, err = filepath.Abs(o.PassphraseFile); err != nil {
				return nil, err
			}
		}
	}
	var err error
	if o.Store, err = absoluteStore(o.Store); err != nil {
		return nil, err
	}
	made, err := publish.Init(ctx, o)
	return made, advise(err, "correct what it names and run the same command again: conclave publish init --help says what it takes; keys that were made stay")
}

// initialised says what was made.
func (p *program) initialised(made *publish.Initialised, printConfig bool) error {
	if p.json {
		return p.printJSON(map[string]any{
			"config": made.Config, "snapshot_keyid": made.Snapshot.ID, "timestamp_keyid": made.Timestamp.ID, "findings": made.Findings,
		})
	}
	fmt.Fprintf(p.out, "configuration   %s\nsnapshot key    %s\ntimestamp key   %s\n", text.Clean(made.Config), made.Snapshot.ID, made.Timestamp.ID)
	if made.Bins != nil {
		fmt.Fprintf(p.out, "bin key         %s\n", made.Bins.ID)
	}
	if !printConfig {
		return nil
	}
	cfg, err := publish.LoadConfig(made.Config)
	if err != nil {
		return err
	}
	raw, err := cfg.Text()
	if err != nil {
		return fmt.Errorf("print configuration: %w", err)
	}
	fmt.Fprintf(p.out, "\n%s", raw)
	return nil
}

// checkStore only looks at a store.
func (p *program) checkStore(ctx context.Context, o publish.InitOptions) error {
	store, err := publish.Open(o.Store)
	if err != nil {
		return err
	}
	findings := publish.Examine(ctx, store, o.Examine)
	if p.json {
		if err := p.printJSON(findings); err != nil {
			return err
		}
	} else {
		p.found(findings)
	}
	if !publish.Fit(findings) {
		return publish.ErrUnfit
	}
	return nil
}

// found lists what was looked at in a store.
func (p *program) found(findings []publish.Finding) {
	if p.json {
		return
	}
	for _, f := range findings {
		fmt.Fprintf(p.err, "%-8s %s: %s\n", f.State, text.Clean(f.Check), text.Clean(f.Says))
		if f.Hint != "" {
			fmt.Fprintf(p.err, "         %s\n", text.Clean(f.Hint))
		}
	}
}
