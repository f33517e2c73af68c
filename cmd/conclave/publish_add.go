//go:build !offline

package main

import (
	"errors"
	"runtime/debug"

	"github.com/spf13/cobra"

	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/transfer/publish"
)

func (p *program) publishAdd() *cobra.Command {
	var config string
	var remove []string
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "add [DIR]",
		Short: "Publish files in hash bins, without a ceremony",
		Long: `Lists every file below DIR, under its path there, in the hash bins to which the
signed targets delegate with this publisher's bin key, signs the bins whose files
change, snapshot and timestamp, and stores everything in the order of a push.
Files that are listed already, and unchanged, cost nothing but reading them here.

It is for repositories that outgrow one targets file. Whoever has the bin key can
release files: a ceremony decides on it ("conclave plan delegation --online-key").
"publish refresh" signs bins anew before they expire.`,
		Example: `  conclave publish add nightly/ --config online/publish.json
  conclave publish add --remove nightly/2024-01-01.tar --config online/publish.json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && len(remove) == 0 {
				return &usageError{cmd.CommandPath(), errors.New("it needs a folder of files, or --remove PATH")}
			}
			debug.SetGCPercent(addGarbage)
			change := publish.Change{Remove: remove}
			dir := "."
			if len(args) == 1 {
				dir = args[0]
				files, err := p.hashFiles(cmd.Context(), args)
				if err != nil {
					return err
				}
				change.Add = listed(files)
			}
			pub, err := p.publisher(config)
			if err != nil {
				return err
			}
			bar := p.publishing(pub, "upload")
			report, err := pub.Add(cmd.Context(), change, dir, dryRun)
			bar.done()
			if err != nil {
				return err
			}
			return p.published(report)
		},
	}
	configFlag(cmd, &config)
	cmd.Flags().StringArrayVar(&remove, "remove", nil, "`PATH` that the bins shall list no longer; may be repeated")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "check everything and print the plan; sign and store nothing")
	return cmd
}

// addGarbage is how much garbage may lie beside what is alive, in percent: an addition holds about 1 KB for each file of it, and
// allocates little else.
const addGarbage = 50

// listed are files as metadata lists them.
func listed(files []transfer.PlannedFile) []tuf.TargetFile {
	all := make([]tuf.TargetFile, len(files))
	for i, f := range files {
		all[i] = tuf.TargetFile{Path: f.Path, Length: f.Length, SHA256: f.SHA256}
	}
	return all
}
