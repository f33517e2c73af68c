//go:build !offline

package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"conclave/ceremony/tuf"
	"conclave/transfer/publish"
	"conclave/tui/text"
)

func (p *program) publishRestore() *cobra.Command {
	var config string
	var past bool
	cmd := &cobra.Command{
		Use:   "restore [FROM]",
		Short: "Rebuild a damaged or deleted store without breaking a client",
		Long: `Puts back what is missing and replaces what is damaged, from FROM: a mirror or
backup (file:DIR, s3://…, https://…), or with --past from the older versions that
the bucket itself keeps. What is right stays.

No client that saw the latest version is broken: a backup whose root or targets
are older than this host has seen is refused; where only the timestamp or the
snapshot are older, new ones are signed on top. Clients are tried out on the
result before anything is written. It replaces and so needs more rights than a
publisher has: see "conclave publish policy --admin".`,
		Example: `  conclave publish restore s3://backup/tool --config online/publish.json
  conclave publish restore --past --config online/publish.json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if past {
				return cobra.NoArgs(cmd, args)
			}
			return cobra.ExactArgs(1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			pub, err := p.publisher(config)
			if err != nil {
				return err
			}
			from, err := p.restoreSource(cmd.Context(), pub, args)
			if err != nil {
				return err
			}
			bar := p.publishing(pub, "restore")
			done, err := pub.Restore(cmd.Context(), from)
			bar.done()
			if err != nil {
				return err
			}
			return p.copied("restored", done)
		},
	}
	configFlag(cmd, &config)
	cmd.Flags().BoolVar(&past, "past", false, "from the older versions of the bucket's own objects")
	return cmd
}

// restoreSource opens what is restored from: a place, or with none the bucket's own past.
func (p *program) restoreSource(ctx context.Context, pub *publish.Publisher, args []string) (publish.Store, error) {
	if len(args) == 0 {
		return pub.PastOf(ctx)
	}
	return publish.OpenSource(args[0])
}

func (p *program) publishPull() *cobra.Command {
	var root string
	cmd := &cobra.Command{
		Use:   "pull FROM TO",
		Short: "Make a verified mirror or backup of a published repository",
		Long: `Copies what is live at FROM (https://…, s3://… or file:DIR), verified from the root
in --root, to TO (file:DIR or s3://…): metadata, the whole root chain and every
target file. Only what is missing is copied; the timestamp comes last, so clients
of TO never see less than before. It signs nothing and needs no key.`,
		Example: "  conclave publish pull https://updates.example file:/backup/tool --root 1.root.json",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if root == "" {
				return &usageError{cmd: cmd.CommandPath(), err: errors.New("--root FILE says what to verify from")}
			}
			raw, err := os.ReadFile(root)
			if err != nil {
				return fmt.Errorf("read root: %w", err)
			}
			anchor, err := tuf.Parse(raw)
			if err != nil {
				return fmt.Errorf("read root: %w", err)
			}
			from, err := publish.OpenSource(args[0])
			if err != nil {
				return err
			}
			to, err := publish.Open(args[1])
			if err != nil {
				return advise(err, "name a folder that is new or holds the mirror, as file:DIR, or s3://BUCKET/PREFIX")
			}
			bar := p.progress("copy")
			done, err := publish.Pull(cmd.Context(), from, to, anchor, bar.files)
			bar.done()
			if err != nil {
				return err
			}
			return p.copied("copied", done)
		},
	}
	cmd.Flags().StringVar(&root, "root", "", "the root file to verify from")
	return cmd
}

// copied says what a pull or a restore did.
func (p *program) copied(verb string, c *publish.Copy) error {
	if p.json {
		return p.printJSON(c)
	}
	fmt.Fprintf(p.out, "%s: %d files, %s; replaced %d, right already %d\n", verb, len(c.Copied), text.Bytes(c.Bytes), len(c.Replaced), c.Kept)
	for _, role := range []string{tuf.Root, tuf.Targets, tuf.Snapshot, tuf.Timestamp} {
		fmt.Fprintf(p.out, "%s: %s %d\n", verb, role, c.Versions[role])
	}
	if c.Signed {
		fmt.Fprintln(p.err, "snapshot and timestamp were signed anew, on top of what clients have seen")
	}
	return nil
}
