package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"conclave/ceremony"
	"conclave/ceremony/record"
	"conclave/tui/text"
)

func (p *program) recordCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "record",
		Short: "Check the account of a ceremony",
	}
	cmd.AddCommand(p.recordVerify())
	return cmd
}

// recordReport is what record verify prints with --json.
type recordReport struct {
	Verified bool     `json:"verified"`
	Entries  int      `json:"entries"`
	Head     string   `json:"head"`
	Title    string   `json:"title"`
	Step     string   `json:"step"`
	Complete bool     `json:"complete"`
	Torn     bool     `json:"torn"`
	Verdict  []string `json:"verdict"`
}

func (p *program) recordVerify() *cobra.Command {
	return &cobra.Command{
		Use:   "verify RECORD",
		Short: "Replay a record and say what it proves",
		Long: `Checks the chain of hashes and replays every entry through the same rules that
the ceremony followed: every signature in it is verified again. RECORD is a
record.jsonl or the folder of a ceremony.`,
		Example: "  conclave record verify root-5.ceremony",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			report, err := readRecord(args[0])
			if err != nil {
				return err
			}
			if p.json {
				return p.printJSON(report)
			}
			for _, line := range report.Verdict {
				fmt.Fprintln(p.out, text.Clean(line))
			}
			return nil
		},
	}
}

// readRecord replays a record and puts the verdict into sentences.
func readRecord(path string) (*recordReport, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, recordFile)
	}
	entries, torn, err := record.Read(path)
	if err != nil {
		return nil, err // a broken chain has its own exit code
	}
	if len(entries) == 0 {
		return nil, &statusError{code: exitFailed, text: path + " is empty: no ceremony was begun", hint: "sign the bundle again; nothing was lost"}
	}
	state, err := ceremony.Replay(entries, ceremony.Beside(filepath.Dir(path)))
	if err != nil {
		return nil, &unverified{err}
	}
	last := entries[len(entries)-1]
	r := &recordReport{
		Verified: true,
		Entries:  len(entries),
		Head:     last.Hash,
		Title:    state.Title(),
		Step:     string(state.Step()),
		Complete: state.Complete(),
		Torn:     torn,
	}
	r.Verdict = append(r.Verdict,
		fmt.Sprintf("Ceremony: %s.", r.Title),
		fmt.Sprintf("%d entries, from %s to %s; the chain of hashes is whole up to its head.", r.Entries,
			text.Moment(entries[0].Time), text.Moment(last.Time)),
		fmt.Sprintf("Every entry follows the rules of a ceremony, and every signature in it verifies. It stands at: %s.", r.Step))
	if at := state.Declared(); !at.IsZero() {
		r.Verdict = append(r.Verdict, fmt.Sprintf("It answers a compromise declared at %s; its last entry was written %s later.",
			text.Moment(at), text.Span(last.Time.Sub(at))))
	}
	for _, j := range state.Queued() {
		r.Verdict = append(r.Verdict, fmt.Sprintf("Too late for this draft, joins the next: %s, for %s.", j.Name, text.List(j.Roles...)))
	}
	for _, d := range state.Redrafted() {
		r.Verdict = append(r.Verdict, fmt.Sprintf("A new draft was made to take this one's place, by %s: %s. It is %s, SHA-256 %s; %s worth nothing for it.",
			text.List(d.By...), d.Reason, d.Name, text.Groups(d.SHA256), text.Count(d.Lost, "signature")))
	}
	digest := state.Policy().Digest()
	r.Verdict = append(r.Verdict, fmt.Sprintf("Policy: %s, %s.", ceremony.PolicyName(state.Policy()), digest))
	for _, e := range state.Exceptions() {
		r.Verdict = append(r.Verdict, fmt.Sprintf("Exception: %s: %s, by %s.", e.What, e.Reason, text.List(e.By...)))
	}
	if r.Complete {
		r.Verdict = append(r.Verdict, "Every threshold is met.")
	} else {
		r.Verdict = append(r.Verdict, state.Still()...)
	}
	if torn {
		r.Verdict = append(r.Verdict, "The last line is half written: a power cut while it was written. Nothing rests on it.")
	}
	r.Verdict = append(r.Verdict, "Head: "+text.Groups(r.Head).String(),
		"Compare the head with the printed one: without it, the end may have been cut off or written anew.")
	return r, nil
}
