package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"conclave/ceremony"
	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/tui/say"
	"conclave/tui/text"
)

func (p *program) showCommand() *cobra.Command {
	var extract string
	var base baseFlags
	cmd := &cobra.Command{
		Use:   "show BUNDLE",
		Short: "Say what a bundle is, what it changes and who has signed",
		Long: `Reads a bundle and says what it changes, in the sentences that keyholders see,
with the digests to compare. Nothing is changed. --extract writes the documents
as plain metadata files for other tools. With --repository and --root a successor root
that waits is held against what is published now: is it still fresh?`,
		Example: "  conclave show root-5.bundle.json\n  conclave show root-5.bundle.json --extract metadata/\n" +
			"  conclave show sealed/root-6.bundle.json --repository repository/metadata --root trusted/1.root.json",
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			b, err := transfer.Read(args[0])
			if err != nil {
				return err
			}
			if extract != "" {
				if err := extractTo(extract, b); err != nil {
					return err
				}
			}
			if base.repository == "" {
				return p.show(args[0], b, bundleExtras{})
			}
			on, err := base.read()
			if err != nil {
				return err
			}
			s, err := ceremony.CheckStandby(b, on, p.now().UTC())
			if err != nil {
				return err
			}
			return p.show(args[0], b, bundleExtras{standby: standbyOf(s)})
		},
	}
	cmd.Flags().StringVar(&base.repository, "repository", "", "folder of the repository's metadata as it is published now, to hold a stand-by against")
	cmd.Flags().StringVar(&base.root, "root", "", "a root.json that you trust, kept apart from the repository")
	cmd.MarkFlagsRequiredTogether("repository", "root")
	cmd.Flags().StringVar(&extract, "extract", "", "folder to write N.role.json files into; nothing is overwritten")
	return cmd
}

// bundleExtras is what is known of a bundle beside itself.
type bundleExtras struct {
	rules   *policyReport  // what a policy says of it, nil where none was asked
	standby *standbyReport // how it stands as a stand-by, nil where nobody asked
}

// show prints a bundle as text or JSON.
func (p *program) show(path string, b *transfer.Bundle, also bundleExtras) error {
	if p.json {
		report, err := reportOn(b, p.now())
		if err != nil {
			return err
		}
		report.Policy, report.Standby, report.Notes = also.rules, also.standby, p.notes
		if err := p.printJSON(report); err != nil {
			return err
		}
		return b.CheckSignatures()
	}
	lines, err := describe(b, p.now())
	if err != nil {
		return err
	}
	fmt.Fprintln(p.out, text.Clean(filepath.Base(path)))
	if also.rules != nil {
		lines = append(lines, also.rules.lines()...)
	}
	if also.standby != nil {
		lines = append(lines, also.standby.lines()...)
	}
	for _, line := range lines {
		fmt.Fprintln(p.out, line)
	}
	return b.CheckSignatures()
}

// extractTo writes each document as other tools expect it.
func extractTo(dir string, b *transfer.Bundle) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("extract: %w", err)
	}
	for _, d := range b.Documents {
		name := fmt.Sprintf("%d.%s.json", d.Metadata.Version(), d.Role)
		if err := transfer.WriteNew(filepath.Join(dir, name), d.Metadata.Bytes()); err != nil {
			return fmt.Errorf("extract: %w", err)
		}
	}
	return nil
}

// describe puts a bundle into lines for people. Every line is safe to print.
func describe(b *transfer.Bundle, now time.Time) ([]string, error) {
	status, err := b.Status()
	if err != nil {
		return nil, err
	}
	var w lines
	if b.Practice {
		w.add("PRACTICE: made in a rehearsal, nothing here is real")
	}
	w.add("purpose   %s", text.Clean(b.Purpose))
	w.add("drafted   %s", text.Date(b.Created, now))
	w.add("state     %s", status.State)
	if b.Plan != nil && len(b.Documents) == 0 {
		for _, line := range say.Plan(b.Plan) {
			w.add("  %-9s %s", line.Name, line.Text)
		}
		for _, line := range ceremony.Holdings(b) {
			w.add("  %s %s", say.Note, text.Clean(line))
		}
		w.evidence(b)
		return w, nil
	}
	for _, rt := range status.Tallies {
		w.add("  %s", tallyLine(rt))
	}
	dead, err := b.Dead()
	if err != nil {
		return nil, err
	}
	for _, line := range dead {
		w.add("  %s DANGER %s", say.Stop, text.Clean(line))
	}
	w.evidence(b)
	for _, d := range b.Documents {
		if err := w.document(b, d, now); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// evidence verifies what the bundle carries about the keys that people hold, and says what it proves.
func (w *lines) evidence(b *transfer.Bundle) {
	s := say.Evidence(ceremony.Proofs(b, genuine))
	if len(s.Items) == 0 {
		return
	}
	w.add("  %s", s.Title)
	for _, item := range s.Items {
		w.add("   %1s %s", item.Mark, item.Text)
	}
}

// lines gathers lines that are safe to print.
type lines []string

func (w *lines) add(format string, args ...any) { *w = append(*w, fmt.Sprintf(format, args...)) }

// wordsPerLine fits eight PGP words into 80 columns.
const wordsPerLine = 6

// document says what one document changes, and its digest to compare.
func (w *lines) document(b *transfer.Bundle, d transfer.Document, now time.Time) error {
	diff, err := tuf.Compare(b.Base.Document(d.Role), d.Metadata, now)
	if err != nil {
		return err
	}
	w.add("")
	w.add("%s", say.Move(diff))
	for _, power := range diff.Power {
		w.add("  %s", say.Power(power))
	}
	for _, section := range say.Review(diff) {
		w.add("  %s", section.Title)
		for _, item := range section.Items {
			w.add("   %1s %s", item.Mark, item.Text)
		}
	}
	w.add("  DIGEST of the payload, SHA-256")
	for _, line := range digestLines(d.Metadata.Digest()) {
		w.add("     %s", line)
	}
	return nil
}

// digestLines are a digest in hex and in words, to compare and to read aloud.
func digestLines(d tuf.Digest) []string {
	lines := []string{d.String()}
	for words := range slices.Chunk(d.Words(), wordsPerLine) {
		lines = append(lines, strings.Join(words, " "))
	}
	return lines
}

// tallyLine says who signed for one requirement and who may still.
func tallyLine(rt transfer.RoleTally) string {
	var signed, may []string
	for _, s := range rt.Tally.Signers {
		name := say.Signer(s)
		if _, counted := rt.Tally.CountedBy(s); s.Signed {
			signed = append(signed, name)
		} else if !counted { // one person counts once
			may = append(may, name)
		}
	}
	line := fmt.Sprintf("%-8s %s: %s", rt.Role, text.Clean(rt.Tally.Requirement.Name), say.Tally(rt.Tally))
	if len(signed) > 0 {
		line += fmt.Sprintf("; signed by %s", text.List(signed...))
	}
	if !rt.Tally.Complete() && len(may) > 0 {
		line += fmt.Sprintf("; %s may sign", text.List(may...))
	}
	return line
}

// bundleReport is what show prints with --json.
type bundleReport struct {
	State     transfer.State   `json:"state"`
	Purpose   string           `json:"purpose"`
	Created   time.Time        `json:"created"`
	Practice  bool             `json:"practice"`
	Documents []documentReport `json:"documents"`
	Policy    *policyReport    `json:"policy,omitempty"` // at planning
	Standby   *standbyReport   `json:"standby,omitempty"`
	Notes     []string         `json:"notes,omitempty"` // what was dropped or lost when it was made
}

type documentReport struct {
	Role         string              `json:"role"`
	Version      int64               `json:"version"`
	Expires      time.Time           `json:"expires"`
	SHA256       string              `json:"sha256"`
	Words        []string            `json:"words"`
	Requirements []requirementReport `json:"requirements"`
	Changes      []changeReport      `json:"changes"` // since the base, as keyholders read them
	Power        []powerReport       `json:"power"`   // who can sign, before and after
	Meaning      []string            `json:"meaning"` // what that means, in sentences
}

type changeReport struct {
	Kind   string `json:"kind"`  // added, removed, changed, danger, same
	Where  string `json:"where"` // keys, root, targets, dates, files, delegations, other
	Text   string `json:"text"`
	Danger bool   `json:"danger"`
}

type powerReport struct {
	Role   string       `json:"role"`
	Text   string       `json:"text"`
	Before quorumReport `json:"before"`
	After  quorumReport `json:"after"`
}

type quorumReport struct {
	Threshold int      `json:"threshold"` // 0: nobody yet
	Names     []string `json:"names"`
}

type requirementReport struct {
	Name      string   `json:"name"`
	Threshold int      `json:"threshold"`
	Signed    []string `json:"signed"` // keyids
	Missing   int      `json:"missing"`
}

func reportOn(b *transfer.Bundle, now time.Time) (*bundleReport, error) {
	status, err := b.Status()
	if err != nil {
		return nil, err
	}
	r := &bundleReport{State: status.State, Purpose: b.Purpose, Created: b.Created, Practice: b.Practice, Documents: []documentReport{}}
	for _, d := range b.Documents {
		doc := documentReport{
			Role: d.Role, Version: d.Metadata.Version(), Expires: d.Metadata.Expires(),
			SHA256: d.Metadata.Digest().Hex(), Words: d.Metadata.Digest().Words(), Requirements: []requirementReport{},
		}
		for _, rt := range status.Tallies {
			if rt.Role != d.Role {
				continue
			}
			req := requirementReport{Name: rt.Tally.Requirement.Name, Threshold: rt.Tally.Requirement.Threshold, Signed: []string{}, Missing: rt.Tally.Missing}
			for _, s := range rt.Tally.Signers {
				if s.Signed {
					req.Signed = append(req.Signed, s.Key.ID)
				}
			}
			doc.Requirements = append(doc.Requirements, req)
		}
		if err := doc.changes(b, d, now); err != nil {
			return nil, err
		}
		r.Documents = append(r.Documents, doc)
	}
	return r, nil
}

// changes says what a document changes and who can sign from then on.
func (r *documentReport) changes(b *transfer.Bundle, d transfer.Document, now time.Time) error {
	diff, err := tuf.Compare(b.Base.Document(d.Role), d.Metadata, now)
	if err != nil {
		return err
	}
	r.Changes, r.Power, r.Meaning = []changeReport{}, []powerReport{}, append([]string{}, diff.Meaning...)
	for _, c := range diff.Changes {
		r.Changes = append(r.Changes, changeReport{c.Kind, c.Where, c.Text, c.Danger})
	}
	for _, p := range diff.Power {
		r.Power = append(r.Power, powerReport{p.Role, say.Power(p).String(), reportQuorum(p.Before), reportQuorum(p.After)})
	}
	return nil
}

func reportQuorum(q tuf.Quorum) quorumReport {
	return quorumReport{q.Threshold, append([]string{}, q.Names...)}
}
