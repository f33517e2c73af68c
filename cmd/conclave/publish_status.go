//go:build !offline

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"conclave/ceremony/calendar"
	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/transfer/client"
	"conclave/transfer/publish"
	"conclave/tui/text"
)

// A watching is what the status command was asked for.
type watching struct {
	config, root, textfile string
	public                 string
	prometheus, monitor    bool
	every                  time.Duration
	standby                string
}

func (p *program) publishStatus() *cobra.Command {
	var w watching
	cmd := &cobra.Command{
		Use:   "status [URL]",
		Short: "Say what is live, who must act and what breaks when",
		Long: `Reads what is live, verified from the pinned root, and compares it with what the
public address serves where the configuration or --public-url names one. It needs
no key. A store that went back in time or jumped ahead since this host published
last is an alarm; after a root that gave new keys to timestamp or snapshot, their
versions may begin anew.

Roles to which the targets delegate are watched like targets where a person holds a
key of them. Others are a machine's to sign: a warning comes in their last week.
Of the hash bins to which the targets delegate, the first to expire counts. Up to
256 of them are read, and 16 MiB; of more, some are drawn by lot, and this host
answers for others from memory of its last push, add or refresh. The output says
how many were looked at.

With a URL (https://…, s3://… or file:…) and --root it needs no configuration: a
monitor on any machine can run it. The exit code is 0 while nothing is critical,
3 for an alarm or what does not verify, 1 otherwise. With --monitor it is a
monitor's: 0 all right, 1 warning, 2 critical, 3 nobody answers.`,
		Example: `  conclave publish status --config online/publish.json
  conclave publish status https://updates.example --root 1.root.json --monitor
  conclave publish status --watch 30s`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			look, err := p.lookout(w, args)
			if err != nil {
				return err
			}
			if w.standby != "" {
				look = p.withStandby(look, w.standby)
			}
			return p.watch(cmd.Context(), w, look)
		},
	}
	configFlag(cmd, &w.config)
	f := cmd.Flags()
	f.StringVar(&w.root, "root", "", "with a URL: the root file to verify from")
	f.StringVar(&w.standby, "standby", "", "a successor root that waits, signed below its threshold: warn when it is stale or gets old")
	f.StringVar(&w.public, "public-url", "", "URL of the metadata folder as clients read it, to compare with the store")
	f.StringVar(&w.textfile, "textfile", "", "write metrics into this file, for the node exporter")
	f.BoolVar(&w.prometheus, "prometheus", false, "print metrics in Prometheus' text format")
	f.BoolVar(&w.monitor, "monitor", false, "one line, and a monitor's exit code")
	f.DurationVar(&w.every, "watch", 0, "stay and look again after this long, such as 30s")
	cmd.MarkFlagsMutuallyExclusive("prometheus", "monitor")
	return cmd
}

// withStandby holds a successor root that waits against what is live, too.
func (p *program) withStandby(look func(context.Context) (*publish.Status, error), path string) func(context.Context) (*publish.Status, error) {
	return func(ctx context.Context) (*publish.Status, error) {
		s, err := look(ctx)
		if err != nil || s.Document(tuf.Root) == nil {
			return s, err
		}
		base := transfer.Base{Roots: []*tuf.Document{s.Document(tuf.Root)}}
		if targets := s.Document(tuf.Targets); targets != nil {
			base.Documents = []transfer.Document{{Role: tuf.Targets, Metadata: targets}}
		}
		b, waits, err := readStandby(path, base, p.now().UTC())
		if err != nil {
			s.Warn("there is no stand-by: %v", err)
			return s, nil
		}
		found := publish.Standby(*standbyOf(waits))
		s.Standby = &found
		for _, line := range waits.Stale {
			s.Warn("the stand-by is stale: %s", line)
		}
		for _, d := range b.Documents {
			if left := d.Metadata.Expires().Sub(p.now()); left > 0 && left < calendar.StandbyMargin && len(waits.Stale) == 0 {
				s.Warn("the stand-by's %s %d expires on %s: sign a new one", d.Role, d.Metadata.Version(), d.Metadata.Expires().UTC().Format(time.DateOnly))
			}
		}
		return s, nil
	}
}

// lookout returns what looks at the repository once.
func (p *program) lookout(w watching, args []string) (func(context.Context) (*publish.Status, error), error) {
	var public client.Repository
	if w.public != "" {
		var err error
		if public, err = client.Open(w.public, ""); err != nil {
			return nil, err
		}
	}
	if w.every < 0 {
		return nil, &usageError{cmd: "conclave publish status", err: errors.New("--watch takes a time such as 30s, not one below zero")}
	}
	if len(args) == 0 {
		cfg, err := loadConfig(w.config)
		if err != nil {
			return nil, err
		}
		pub, err := cfg.Reader()
		if err != nil {
			return nil, err
		}
		pub.Now = p.now
		if public != nil {
			pub.Public = public
		}
		return pub.Status, nil
	}
	if w.root == "" {
		return nil, &usageError{cmd: "conclave publish status", err: errors.New("a URL needs --root FILE, to verify from")}
	}
	raw, err := os.ReadFile(w.root)
	if err != nil {
		return nil, fmt.Errorf("read root: %w", err)
	}
	root, err := tuf.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("read root: %w", err)
	}
	source, err := publish.OpenSource(args[0])
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (*publish.Status, error) {
		return publish.StatusFrom(ctx, source, public, root, p.now())
	}, nil
}

// watch looks once, or again and again.
func (p *program) watch(ctx context.Context, w watching, look func(context.Context) (*publish.Status, error)) error {
	metrics := publish.NewMetrics(time.Time{})
	for {
		status, err := look(ctx)
		metrics.Looked(status, err, p.now())
		if w.textfile != "" {
			if err := metrics.WriteTextfile(w.textfile); err != nil {
				return err
			}
		}
		shown := p.showStatus(w, metrics, status, err)
		if w.every == 0 {
			return shown
		}
		if shown != nil {
			p.report(shown, exitCode(shown))
		}
		timer := time.NewTimer(w.every)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// showStatus prints one look in the form that was asked for.
func (p *program) showStatus(w watching, m *publish.Metrics, s *publish.Status, err error) error {
	switch {
	case w.monitor:
		return p.monitorLine(s, err)
	case w.prometheus:
		_, writeErr := p.out.Write(m.Text())
		return errors.Join(err, writeErr)
	case err != nil:
		return err
	case p.json:
		if err := p.printJSON(s); err != nil {
			return err
		}
		return notFine(s)
	}
	p.statusTable(s)
	return notFine(s)
}

// notFine is the error of a repository that clients refuse, or soon will.
func notFine(s *publish.Status) error {
	if s.Level <= publish.Warn {
		return nil
	}
	code := exitFailed
	if s.Alarm != "" {
		code = exitUnverified
	}
	return notWell(code, s.Level)
}

// notWell ends with a level that was explained before.
func notWell(code int, level publish.Level) error {
	return &statusError{
		code: code, text: "the repository is " + level.String(),
		hint: "why is said above, in \"problems\" with --json: act on it before clients stop updating. conclave publish restore puts back " +
			"what is missing or damaged, conclave publish refresh renews what is signed online, and a ceremony the rest",
	}
}

// monitorLine says everything in one line, as Nagios and its kin read it.
func (p *program) monitorLine(s *publish.Status, err error) error {
	if err != nil {
		level := publish.LevelOf(err)
		fmt.Fprintf(p.out, "TUF %s: %s\n", level, text.Clean(err.Error()))
		return notWell(int(level), level)
	}
	line := "nothing is due"
	if s.Next != nil {
		line = fmt.Sprintf("next: %s expires %s", s.Next.Role, s.Next.Expires.Format(time.RFC3339))
	}
	if len(s.Problems) > 0 {
		line = s.Problems[0]
	}
	fmt.Fprintf(p.out, "TUF %s: %s\n", s.Level, text.Clean(line))
	if s.Level == publish.OK {
		return nil
	}
	return notWell(int(s.Level), s.Level)
}

func (p *program) statusTable(s *publish.Status) {
	now := p.now()
	if s.Practice {
		fmt.Fprintln(p.out, "PRACTICE: this repository was made in a rehearsal")
	}
	width := 10
	for _, r := range s.Roles {
		width = max(width, text.Clean(r.Role).Width())
	}
	for _, r := range s.Roles {
		expires := text.F("expires %s", text.Date(r.Expires, now))
		if r.Expires.IsZero() {
			expires = text.F("none that verifies")
		}
		fmt.Fprintf(p.out, "%-8s %s %4d   %s   %d of %d keys\n", r.Level, text.Pad(text.Clean(r.Role), width), r.Version, expires, r.Threshold, len(r.KeyIDs))
	}
	if s.Bins != nil {
		p.binsLines(s.Bins, width, now)
	}
	if s.Public != nil && s.Public.Error == "" {
		fmt.Fprintf(p.out, "public   timestamp %d, root %d\n", s.Public.Timestamp, s.Public.Root)
	}
	if !s.LastSeen.IsZero() {
		fmt.Fprintf(p.out, "last success of this host: %s\n", s.LastSeen.Format(time.RFC3339))
	}
	if s.Standby != nil {
		waits := standbyReport(*s.Standby)
		for _, line := range waits.lines() {
			fmt.Fprintln(p.out, line)
		}
	}
	for _, line := range s.Problems {
		fmt.Fprintf(p.err, "%s\n", text.Clean(line))
	}
}

// binsLines say how the bins stand, and how much of them was looked at.
func (p *program) binsLines(b *publish.BinsStatus, width int, now time.Time) {
	expires, signed := text.F("none was seen"), ""
	if b.First != "" {
		signer := "refresh signs"
		if !b.Online {
			signer = "a ceremony signs"
		}
		expires = text.F("first expires %s", text.Date(b.Expires, now))
		signed = fmt.Sprintf("; the first is %s, which %s anew from %s on", text.Clean(b.First), signer, b.Sign.UTC().Format(time.DateOnly))
	}
	fmt.Fprintf(p.out, "%-8s %s %4d   %s   %d of %d keys\n", b.Level, text.Pad(text.Clean(b.Role), width), b.Total, expires, b.Threshold, len(b.KeyIDs))
	fmt.Fprintf(p.out, "         of %d bins %s%s\n", b.Total, b.Looked(), signed)
}
