package main

import (
	"github.com/spf13/cobra"

	"conclave/transfer"
)

func (p *program) joinCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "join BUNDLE…",
		Short: "Unite partial bundles of the same payload",
		Long: `Unites the signatures of partial bundles from any number of sites, in any order.
Bundles of different payloads are refused and the difference is shown. A
signature that does not verify is dropped and named.`,
		Example: "  conclave join berlin.bundle.json lima.bundle.json osaka.bundle.json -o root-5.bundle.json",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			bundles, err := readForJoin(args)
			if err != nil {
				return err
			}
			joined, dropped, err := transfer.Join(bundles...)
			if err != nil {
				return err
			}
			for _, line := range dropped {
				p.note("dropped: %s", line)
			}
			return p.writeBundle(out, joined)
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "the bundle to write; never overwritten")
	_ = cmd.MarkFlagRequired("out")
	return cmd
}
