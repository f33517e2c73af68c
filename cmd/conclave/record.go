package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"conclave/ceremony"
	"conclave/ceremony/record"
	"conclave/ceremony/tuf"
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

	HeadWords  []string `json:"head_words"`
	HeadProved bool     `json:"head_proved"` // it is the one that --head gave

	heads []string // of every entry
}

func (p *program) recordVerify() *cobra.Command {
	var head string
	cmd := &cobra.Command{
		Use:   "verify RECORD",
		Short: "Replay a record and say what it proves",
		Long: `Checks the chain of hashes and replays every entry through the same rules that
the ceremony followed: every signature in it is verified again. RECORD is a
record.jsonl or the folder of a ceremony.

The chain alone does not show that its end was cut off or written anew. --head takes
the head that was written down when the ceremony was closed, in hex or in words: a
record that does not end with it ends with exit code 3.`,
		Example: "  conclave record verify root-5.ceremony\n  conclave record verify root-5.ceremony --head \"$(cat head)\"",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			report, err := readRecord(args[0])
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("head") {
				if err := report.endsWith(head); err != nil {
					return err
				}
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
	cmd.Flags().StringVar(&head, "head", "", "the head that was written down, in `hex or words`: proves that the record's end was not cut off")
	return cmd
}

// endsWith holds the record's end against the head that somebody wrote down.
func (r *recordReport) endsWith(head string) error {
	want, err := parseDigest(head)
	if err != nil {
		return &usageError{"conclave record verify", fmt.Errorf("--head takes 64 hex digits or 32 words: %w", err)}
	}
	if want.Hex() == r.Head {
		r.HeadProved = true
		r.Verdict[len(r.Verdict)-1] = "It is the head that was written down: nothing was cut off the end."
		return nil
	}
	e := &statusError{
		code: exitUnverified,
		text: fmt.Sprintf("the record ends with entry %d, whose head is %s, not the one that was written down", r.Entries, text.Groups(r.Head)),
		hint: "entries are missing at its end, or it was written anew: compare the head again, and find the whole record on the machine or the medium of the ceremony",
	}
	if i := slices.Index(r.heads, want.Hex()); i >= 0 {
		e.text = fmt.Sprintf("the head that was written down is that of entry %d, and the record goes on for %s", i+1, text.Count(len(r.heads)-i-1, "entry|entries"))
		e.hint = "up to there it is whole; what comes after it nobody has vouched for: use the head that was written down at the close"
	}
	return e
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
	for _, e := range entries {
		r.heads = append(r.heads, e.Hash)
	}
	if d, err := tuf.ParseDigest(r.Head); err == nil {
		r.HeadWords = d.Words()
	}
	r.Verdict = append(r.Verdict, "Head: "+text.Groups(r.Head).String(), strings.Join(r.HeadWords, " "),
		"Compare the head with the one that was written down at the close (--head does it): without it, the end may have been cut off or written anew.")
	return r, nil
}
