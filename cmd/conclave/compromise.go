package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"conclave/ceremony"
	"conclave/ceremony/policy"
	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/tui"
	"conclave/tui/say"
	"conclave/tui/text"
)

// compromiseFlags say what happened.
type compromiseFlags struct {
	base                  baseFlags
	lost, stolen, suspect []string
	snapshot, timestamp   string
	declared              string
	choose                int
	out                   string
	plain                 bool
}

// names reports whether the flags name a key.
func (f compromiseFlags) names() bool { return len(f.lost)+len(f.stolen)+len(f.suspect) > 0 }

// screens reports whether people are asked on screens.
func (p *program) screens(f compromiseFlags) bool {
	in, ok := p.in.(*os.File)
	return ok && term.IsTerminal(int(in.Fd())) && os.Getenv("TERM") != "dumb" && !f.plain && !p.json && !f.names()
}

// compromiseScreens asks on screens.
func (p *program) compromiseScreens(ctx context.Context, f compromiseFlags) error {
	at := tui.Where{Folder: f.base.repository, Root: f.base.root}
	if at == (tui.Where{}) {
		at = likely()
	}
	if f.declared != "" {
		s, err := f.situation(p.now().UTC())
		if err != nil {
			return err
		}
		at.Declared = s.Declared
	}
	return p.atDesk(func(o tui.Options) error { return tui.Compromise(ctx, at, o) })
}

func (p *program) compromiseCommand() *cobra.Command {
	var f compromiseFlags
	cmd := &cobra.Command{
		Use:   "compromise",
		Short: "Keys are lost, stolen or suspect: what can they do, what can we do",
		Long: `Says what somebody with these keys can do right now, and which ways are open, the
quickest first: who must come, how long it takes, what it means for clients.
The chosen one becomes a bundle, with a checklist and texts for the keyholders.

A way that breaks the policy says so at once; what the policy allows no exception
from is not drafted. A ceremony begun on the screens is held under the same policy.

Keys are named by their holder, by the beginning of a keyid, or as "timestamp"
and "snapshot". Without --lost, --stolen and --suspect it asks: on screens where
there is a terminal, with --plain line by line.`,
		Example: `  conclave compromise
  conclave compromise --repository repository/metadata --root trusted/1.root.json --plain
  conclave compromise --repository repository/metadata --root trusted/1.root.json \
    --stolen Carol --suspect timestamp --timestamp-key new/timestamp.pub --snapshot-key new/snapshot.pub \
    --choose 1 -o answer.bundle.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if p.screens(f) {
				return p.compromiseScreens(cmd.Context(), f)
			}
			return p.compromise(f)
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&f.base.repository, "repository", "", "folder of the repository's metadata as it is published now")
	fs.StringVar(&f.base.root, "root", "", "a root.json that you trust, kept apart from the repository")
	fs.BoolVar(&f.plain, "plain", false, "line by line, for screen readers, dumb terminals and scripts")
	fs.StringArrayVar(&f.lost, "lost", nil, "a `KEY` that nobody has any more; may be repeated")
	fs.StringArrayVar(&f.stolen, "stolen", nil, "a `KEY` that somebody else has")
	fs.StringArrayVar(&f.suspect, "suspect", nil, "a `KEY` that somebody else may have")
	fs.StringVar(&f.snapshot, "snapshot-key", "", "new public key (PEM) for snapshot")
	fs.StringVar(&f.timestamp, "timestamp-key", "", "new public key (PEM) for timestamp")
	fs.StringVar(&p.policy, "policy", "", policyUsage)
	fs.StringVar(&f.declared, "declared", "", "when it was declared, as 2026-11-22T14:02:00Z (default: now)")
	fs.IntVar(&f.choose, "choose", 0, "the number of the way to plan")
	fs.StringVarP(&f.out, "out", "o", "", "the bundle to write; never overwritten")
	cmd.MarkFlagsRequiredTogether("choose", "out")
	return cmd
}

func (p *program) compromise(f compromiseFlags) error {
	now := p.now().UTC()
	if f.base.repository == "" || f.base.root == "" {
		return &usageError{"conclave compromise", errors.New("say where the repository is: --repository FOLDER and --root FILE")}
	}
	base, err := f.base.read()
	if err != nil {
		return err
	}
	s, err := f.situation(now)
	if err != nil {
		return err
	}
	in := bufio.NewReader(p.in)
	asking := !f.names() && !p.json
	if asking {
		if err := p.askSituation(in, base, &s); err != nil {
			return err
		}
	}
	a, err := ceremony.Assess(base, s, now)
	if err != nil {
		return err
	}
	judged, err := p.judgeWays(a, f.base.root)
	if err != nil {
		return err
	}
	if p.json {
		if f.choose > 0 {
			return p.chosen(a, f, now)
		}
		return p.printJSON(assessmentOf(a, s, judged))
	}
	p.tellAssessment(a, s, judged, now)
	if asking && f.choose == 0 && len(a.Plans) > 0 {
		if f.choose, f.out, err = p.askChoice(in, len(a.Plans)); err != nil {
			return err
		}
	}
	if f.choose == 0 {
		return nil
	}
	return p.chosen(a, f, now)
}

// judgeWays holds each way against the policy.
func (p *program) judgeWays(a *ceremony.Assessment, root string) ([]*policyReport, error) {
	rules, err := findPolicy(p.policy, beside(root))
	if err != nil {
		return nil, err
	}
	var judged []*policyReport
	for _, way := range a.Plans {
		report, err := p.judge(cmp.Or(rules, policy.Default()), way.Bundle)
		if err != nil {
			return nil, err
		}
		judged = append(judged, report)
	}
	return judged, nil
}

func (f compromiseFlags) situation(now time.Time) (ceremony.Situation, error) {
	s := ceremony.Situation{
		Lost: f.lost, Stolen: f.stolen, Suspect: f.suspect, Declared: now,
		RootExpires: inDays(now, rootDays), TargetsExpires: inDays(now, targetsDays),
	}
	var err error
	if f.declared != "" {
		if s.Declared, err = time.Parse(time.RFC3339, f.declared); err != nil || s.Declared.After(now) {
			return s, &usageError{"conclave compromise", fmt.Errorf("--declared is no time in the past like 2026-11-22T14:02:00Z: %q", f.declared)}
		}
	}
	if s.Snapshot, err = onlineKey(f.snapshot); err != nil {
		return s, err
	}
	s.Timestamp, err = onlineKey(f.timestamp)
	return s, err
}

// askSituation lists the keys and asks what happened to which.
func (p *program) askSituation(in *bufio.Reader, base transfer.Base, s *ceremony.Situation) error {
	root := base.Document(tuf.Root)
	fmt.Fprintln(p.out, "Which keys are lost, stolen or suspect? These are the keys of "+root.Title()+":")
	for _, role := range []string{tuf.Root, tuf.Targets, tuf.Snapshot, tuf.Timestamp} {
		fmt.Fprintf(p.out, "  %-10s %s\n", role, text.Clean(tuf.Quorums(root)[role].String()))
	}
	fmt.Fprintln(p.out, "Names, separated by commas; an empty line for none. The online keys are called snapshot and timestamp.")
	for _, q := range []struct {
		ask  string
		into *[]string
	}{
		{"Stolen: somebody else has them: ", &s.Stolen},
		{"Suspect: somebody else may have them: ", &s.Suspect},
		{"Lost: nobody has them: ", &s.Lost},
	} {
		line, err := p.askLine(in, q.ask)
		if err != nil {
			return err
		}
		for _, name := range strings.Split(line, ",") {
			if name = strings.TrimSpace(name); name != "" {
				*q.into = append(*q.into, name)
			}
		}
	}
	return nil
}

func (p *program) askLine(in *bufio.Reader, ask string) (string, error) {
	fmt.Fprint(p.out, ask)
	line, err := in.ReadString('\n')
	if err != nil && (!errors.Is(err, io.EOF) || line == "") {
		return "", &advised{fmt.Errorf("read the answer: %w", err), "answer at a terminal, or name the keys with --lost, --stolen and --suspect; nothing was planned"}
	}
	return strings.TrimSpace(line), nil
}

func (p *program) askChoice(in *bufio.Reader, ways int) (int, string, error) {
	for {
		line, err := p.askLine(in, fmt.Sprintf("Which way, 1 to %d? Empty to stop here: ", ways))
		if err != nil || line == "" {
			return 0, "", err
		}
		n, err := strconv.Atoi(line)
		if err != nil || n < 1 || n > ways {
			fmt.Fprintln(p.out, "That is no number of the list.")
			continue
		}
		out, err := p.askLine(in, "Write the bundle to: ")
		return n, out, err
	}
}

// tellAssessment is the console's text.
func (p *program) tellAssessment(a *ceremony.Assessment, s ceremony.Situation, judged []*policyReport, now time.Time) {
	line := func(format string, args ...any) { fmt.Fprintf(p.out, "%s\n", text.F(format, args...)) }
	line("%s", say.Declared(s.Declared, now))
	for _, h := range a.Keys {
		line("  %s", say.Hit(h))
	}
	p.tell(say.Threat(a)...)
	p.tell(say.Section{Title: "WAYS OUT, THE QUICKEST FIRST"})
	for i, r := range a.Plans {
		line("%d  %s", i+1, r.Title)
		line("   %s", say.Way(r))
		for _, l := range append(r.Sitting.Text, r.Consequences...) {
			line("   - %s", l)
		}
		if len(judged[i].Violations) > 0 {
			for _, l := range judged[i].lines() {
				line("   %s", l)
			}
		}
	}
	if len(a.Plans) == 0 {
		line("No ceremony helps any more.")
	}
	p.tell(say.Stranded(a)...)
}

// tell prints sections, each after an empty line.
func (p *program) tell(sections ...say.Section) {
	for _, sec := range sections {
		fmt.Fprintf(p.out, "\n%s\n", sec.Title)
		for _, item := range sec.Items {
			fmt.Fprintf(p.out, "  %s\n", item.Text)
		}
	}
}

// chosen writes the bundle of one way, its checklist and the texts.
func (p *program) chosen(a *ceremony.Assessment, f compromiseFlags, now time.Time) error {
	if f.choose < 1 || f.choose > len(a.Plans) {
		return &usageError{"conclave compromise", fmt.Errorf("there are %d ways, and %d was chosen", len(a.Plans), f.choose)}
	}
	r := a.Plans[f.choose-1]
	if err := p.writeSitting(f.out, f.base.root, r.Bundle, now, r.Rotation.Absent...); err != nil || p.json {
		return err
	}
	p.tell(say.Errands(r)...)
	return nil
}

// assessmentReport is what compromise prints with --json.
type assessmentReport struct {
	Declared time.Time   `json:"declared"`
	Keys     []hitReport `json:"keys"`
	Attacker []string    `json:"attacker"`
	Clients  []string    `json:"clients"`
	Ways     []wayReport `json:"ways"`
	Stranded []string    `json:"out_of_band,omitempty"`
}

type hitReport struct {
	Holder string   `json:"holder"`
	Serial uint32   `json:"serial,omitempty"`
	KeyID  string   `json:"keyid"`
	Roles  []string `json:"roles"`
	What   string   `json:"what"`
}

type wayReport struct {
	Title        string            `json:"title"`
	Minutes      int               `json:"minutes"`
	MustCome     []string          `json:"must_come"`
	Enough       []string          `json:"enough"`
	Needs        []string          `json:"needs"`
	Consequences []string          `json:"consequences"`
	Checklist    []string          `json:"checklist"`
	Messages     map[string]string `json:"messages"`
	Policy       *policyReport     `json:"policy"`
}

func assessmentOf(a *ceremony.Assessment, s ceremony.Situation, judged []*policyReport) assessmentReport {
	r := assessmentReport{Declared: s.Declared.UTC(), Keys: []hitReport{}, Attacker: a.Attacker, Clients: a.Clients, Ways: []wayReport{}, Stranded: a.Stranded}
	for _, h := range a.Keys {
		r.Keys = append(r.Keys, hitReport(h))
	}
	for i, w := range a.Plans {
		way := wayReport{
			Title: w.Title, Minutes: w.Minutes, MustCome: append([]string{}, w.Sitting.MustCome...), Enough: append([]string{}, w.Sitting.Enough...),
			Needs: w.Sitting.Text, Consequences: w.Consequences, Checklist: w.Checklist, Messages: map[string]string{}, Policy: judged[i],
		}
		for _, m := range w.Messages {
			way.Messages[m.To] = m.Text
		}
		r.Ways = append(r.Ways, way)
	}
	return r
}
