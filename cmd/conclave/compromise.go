package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"conclave/ceremony"
	"conclave/ceremony/tuf"
	"conclave/transfer"
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
}

func (p *program) compromiseCommand() *cobra.Command {
	var f compromiseFlags
	cmd := &cobra.Command{
		Use:   "compromise",
		Short: "Keys are lost, stolen or suspect: what can they do, what can we do",
		Long: `Says what somebody with these keys can do right now, and which ways are open, the
quickest first: who must come, how long it takes, what it means for clients.
The chosen one becomes a bundle, with a checklist and texts for the keyholders.

Keys are named by their holder, by the beginning of a keyid, or as "timestamp"
and "snapshot". Without --lost, --stolen and --suspect it asks, line by line.`,
		Example: `  conclave compromise --repository repository/metadata --root trusted/1.root.json
  conclave compromise --repository repository/metadata --root trusted/1.root.json \
    --stolen Carol --suspect timestamp --timestamp-key new/timestamp.pub --snapshot-key new/snapshot.pub \
    --choose 1 -o answer.bundle.json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return p.compromise(f) },
	}
	f.base.register(cmd)
	fs := cmd.Flags()
	fs.StringArrayVar(&f.lost, "lost", nil, "a `KEY` that nobody has any more; may be repeated")
	fs.StringArrayVar(&f.stolen, "stolen", nil, "a `KEY` that somebody else has")
	fs.StringArrayVar(&f.suspect, "suspect", nil, "a `KEY` that somebody else may have")
	fs.StringVar(&f.snapshot, "snapshot-key", "", "new public key (PEM) for snapshot")
	fs.StringVar(&f.timestamp, "timestamp-key", "", "new public key (PEM) for timestamp")
	fs.StringVar(&f.declared, "declared", "", "when it was declared, as 2026-11-22T14:02:00Z (default: now)")
	fs.IntVar(&f.choose, "choose", 0, "the number of the way to plan")
	fs.StringVarP(&f.out, "out", "o", "", "the bundle to write; never overwritten")
	cmd.MarkFlagsRequiredTogether("choose", "out")
	return cmd
}

func (p *program) compromise(f compromiseFlags) error {
	now := p.now().UTC()
	base, err := f.base.read()
	if err != nil {
		return err
	}
	s, err := f.situation(now)
	if err != nil {
		return err
	}
	in := bufio.NewReader(p.in)
	asking := len(f.lost)+len(f.stolen)+len(f.suspect) == 0 && !p.json
	if asking {
		if err := p.askSituation(in, base, &s); err != nil {
			return err
		}
	}
	a, err := ceremony.Assess(base, s, now)
	if err != nil {
		return err
	}
	if p.json {
		if f.choose > 0 {
			return p.chosen(a, s, f.choose, f.out, now)
		}
		return p.printJSON(assessmentOf(a, s))
	}
	p.tellAssessment(a, s, now)
	if asking && f.choose == 0 && len(a.Plans) > 0 {
		if f.choose, f.out, err = p.askChoice(in, len(a.Plans)); err != nil {
			return err
		}
	}
	if f.choose == 0 {
		return nil
	}
	return p.chosen(a, s, f.choose, f.out, now)
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
		return "", fmt.Errorf("read the answer: %w", err)
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
func (p *program) tellAssessment(a *ceremony.Assessment, s ceremony.Situation, now time.Time) {
	line := func(format string, args ...any) { fmt.Fprintf(p.out, "%s\n", text.F(format, args...)) }
	line("COMPROMISE %s", ceremony.Since(s.Declared, now))
	for _, h := range a.Keys {
		token := ""
		if h.Serial != 0 {
			token = fmt.Sprintf(", token %d", h.Serial)
		}
		line("  %-8s %s%s, of %s", h.What, h.Holder, token, strings.Join(h.Roles, " and "))
	}
	for _, part := range []struct {
		title string
		lines []string
	}{
		{"WHAT SOMEBODY WITH THESE KEYS CAN DO NOW", a.Attacker},
		{"WHAT CLIENTS MAY HOLD", a.Clients},
	} {
		line("%s", "")
		line("%s", part.title)
		for _, l := range part.lines {
			line("  %s", l)
		}
	}
	line("%s", "")
	line("%s", "WAYS OUT, THE QUICKEST FIRST")
	for i, r := range a.Plans {
		line("%d  %s", i+1, r.Title)
		line("   about %d minutes once they are there; %d must come: %s", r.Minutes, len(r.Sitting.Enough), strings.Join(r.Sitting.Enough, ", "))
		for _, l := range append(r.Sitting.Text, r.Consequences...) {
			line("   - %s", l)
		}
	}
	if len(a.Plans) == 0 {
		line("%s", "No ceremony helps any more.")
	}
	for i, step := range a.Stranded {
		if i == 0 {
			line("%s", "")
			line("%s", "OUT OF BAND: A NEW REPOSITORY")
		}
		line("%d  %s", i+1, step)
	}
}

// chosen writes the bundle of one way, its checklist and the texts.
func (p *program) chosen(a *ceremony.Assessment, s ceremony.Situation, n int, out string, now time.Time) error {
	if n < 1 || n > len(a.Plans) {
		return &usageError{"conclave compromise", fmt.Errorf("there are %d ways, and %d was chosen", len(a.Plans), n)}
	}
	r := a.Plans[n-1]
	if err := p.writeSitting(out, r.Bundle, now); err != nil || p.json {
		return err
	}
	fmt.Fprintf(p.out, "\nCHECKLIST   %s\n", ceremony.Since(s.Declared, now))
	for i, step := range r.Checklist {
		fmt.Fprintf(p.out, "%2d  [ ] %s\n", i+1, text.Clean(step))
	}
	fmt.Fprintln(p.out, "\nTEXTS FOR THE KEYHOLDERS")
	for _, m := range r.Messages {
		fmt.Fprintf(p.out, "to %s:\n  %s\n", text.Clean(m.To), text.Clean(m.Text))
	}
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
}

func assessmentOf(a *ceremony.Assessment, s ceremony.Situation) assessmentReport {
	r := assessmentReport{Declared: s.Declared.UTC(), Keys: []hitReport{}, Attacker: a.Attacker, Clients: a.Clients, Ways: []wayReport{}, Stranded: a.Stranded}
	for _, h := range a.Keys {
		r.Keys = append(r.Keys, hitReport(h))
	}
	for _, w := range a.Plans {
		way := wayReport{
			Title: w.Title, Minutes: w.Minutes, MustCome: append([]string{}, w.Sitting.MustCome...), Enough: append([]string{}, w.Sitting.Enough...),
			Needs: w.Sitting.Text, Consequences: w.Consequences, Checklist: w.Checklist, Messages: map[string]string{},
		}
		for _, m := range w.Messages {
			way.Messages[m.To] = m.Text
		}
		r.Ways = append(r.Ways, way)
	}
	return r
}
