package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"conclave/ceremony"
	"conclave/transfer"
	"conclave/tui/text"
)

func (p *program) planStandby() *cobra.Command {
	var base baseFlags
	cmd := &cobra.Command{
		Use:   "standby BUNDLE",
		Short: "Check a successor root that waits, signed below its threshold",
		Long: `A stand-by is a root with other keys, signed by all but one or two who must sign, and
sealed away: on a bad day the last signatures make it valid within minutes. This
holds it against the repository as it is now. It fails with code 6 where the
repository has moved on or something expired, so that a timer can watch it.`,
		Example: "  conclave plan standby sealed/root-6.partial-2-of-3.bundle.json --repository repository/metadata --root trusted/1.root.json",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			on, err := base.read()
			if err != nil {
				return err
			}
			_, s, err := readStandby(args[0], on, p.now().UTC())
			if err != nil {
				return err
			}
			if err := p.tellStandby(s); err != nil || len(s.Stale) == 0 {
				return err
			}
			return &statusError{
				code: exitMoved, text: "the stand-by is stale: " + strings.Join(s.Stale, " "),
				hint: "plan the same change on the repository as it is now, have it signed below the threshold, and destroy this one",
			}
		},
	}
	base.register(cmd)
	return cmd
}

func (p *program) tellStandby(s *ceremony.Standby) error {
	if p.json {
		return p.printJSON(standbyOf(s))
	}
	for _, n := range s.Needs {
		fmt.Fprintln(p.out, text.Clean(n.Text))
	}
	for _, lines := range [][]string{s.Warn, s.Soon} {
		for _, l := range lines {
			fmt.Fprintln(p.out, text.Clean(l))
		}
	}
	return nil
}

// standbyReport is what is found about a stand-by, as JSON.
type standbyReport struct {
	Stale  []string `json:"stale"` // why it is of no use any more; empty while it is good
	Soon   []string `json:"soon"`
	Warn   []string `json:"warnings"`
	Enough []string `json:"enough"` // whose signatures complete it
}

func standbyOf(s *ceremony.Standby) *standbyReport {
	return &standbyReport{append([]string{}, s.Stale...), append([]string{}, s.Soon...), append([]string{}, s.Warn...), append([]string{}, s.Expect...)}
}

// lines say how a stand-by stands, for people. Every line is safe to print.
func (r *standbyReport) lines() []string {
	var w lines
	state := "fresh: it still follows the root that is live"
	if len(r.Stale) > 0 {
		state = "STALE, of no use any more"
	}
	w.add("stand-by  %s", state)
	for _, part := range [][]string{r.Stale, r.Warn, r.Soon} {
		for _, l := range part {
			w.add("  %s", text.Clean(l))
		}
	}
	if len(r.Enough) > 0 && len(r.Stale) == 0 {
		w.add("  On the day it takes %s.", text.List(r.Enough...))
	}
	return w
}

// readStandby reads a stand-by and holds it against the repository as it is now.
func readStandby(path string, base transfer.Base, now time.Time) (*transfer.Bundle, *ceremony.Standby, error) {
	b, err := transfer.Read(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read the stand-by: %w", err)
	}
	s, err := ceremony.CheckStandby(b, base, now)
	return b, s, err
}
