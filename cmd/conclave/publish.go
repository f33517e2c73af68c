//go:build !offline

package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"runtime/debug"
	"sort"
	"sync"

	"github.com/spf13/cobra"

	"conclave/transfer"
	"conclave/transfer/client"
	"conclave/transfer/publish"
	"conclave/tui/text"
)

// online says whether publish and client are part of this program.
const online = true

func (p *program) onlineCommands() []*cobra.Command {
	return []*cobra.Command{p.publishCommand(), p.clientCommand()}
}

// moreCodes maps what only the online ends know.
func moreCodes(err error) int {
	switch {
	case errors.Is(err, publish.ErrMoved):
		return exitMoved
	case errors.Is(err, publish.ErrLogin):
		return exitToken
	case publish.LevelOf(err) == publish.Critical: // an alarm: trying again does not help
		return exitUnverified
	}
	return exitFailed
}

// moreHints says what to do about what only the online ends know.
func moreHints(err error) string {
	switch {
	case errors.Is(err, publish.ErrUnpublished):
		return "is the address that of the repository, the folder above metadata/? A first push publishes: conclave publish push"
	case errors.Is(err, client.ErrNoTarget):
		return "the signed targets list no file of that name: look how it is spelled, with its folders"
	case errors.Is(err, client.ErrNotFound):
		return "is the address right? What the metadata lists must be there: tell the publisher when it is not"
	case is[*url.Error](err), is[*net.OpError](err), is[*net.DNSError](err):
		return "is the address right, https where it must be, and does this host reach and trust it? Nothing was changed; try again later"
	}
	return ""
}

func (p *program) publishCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "publish",
		Short: "Publish signed bundles and keep them fresh",
	}
	cmd.AddCommand(p.publishInit(), p.publishPush(), p.publishAdd(), p.publishRefresh(), p.publishStatus(),
		p.publishPull(), p.publishRestore(), p.publishKeygen(), p.publishPolicy(), p.publishUnits())
	return cmd
}

// configFlag says where the publisher's configuration is.
func configFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVar(path, "config", publish.ConfigName, "the publisher's configuration file")
}

// loadConfig reads a publisher's configuration.
func loadConfig(path string) (*publish.Config, error) {
	cfg, err := publish.LoadConfig(path)
	if cause := errors.Unwrap(err); cause != nil && !errors.Is(cause, notJSON(cause)) { // it says more plainly what is wrong
		err = fmt.Errorf("read configuration %s: %w", path, notJSON(cause))
	}
	return cfg, advise(err, "correct the file, or name the one that conclave publish init made; nothing was changed")
}

// publisher opens the store and the keys that a configuration names.
func (p *program) publisher(path string) (*publish.Publisher, error) {
	cfg, err := loadConfig(path)
	if err != nil {
		return nil, err
	}
	pub, err := cfg.LazyPublisher()
	if err != nil {
		return nil, err
	}
	pub.Now = p.now
	pub.Tell = func(line string) { fmt.Fprintln(p.people(), text.Clean(line)) }
	return pub, nil
}

func (p *program) publishPush() *cobra.Command {
	var config, targets, trustRoot string
	var o publish.PushOptions
	cmd := &cobra.Command{
		Use:   "push BUNDLE",
		Short: "Publish a complete bundle",
		Long: `Verifies the bundle from the pinned root, checks that the repository has not
moved on and that every target file is at hand, signs snapshot and timestamp,
and stores everything in the order that never breaks a client: the timestamp
comes last. Run it again after a crash: it completes the work.

The first push pins the root: it needs --trust-root or --root-digest.`,
		Example: `  conclave publish push root-1+targets-1.complete.bundle.json --config online/publish.json \
    --targets release/ --root-digest "$(cat printed-words)"`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if trustRoot != "" {
				raw, err := os.ReadFile(trustRoot)
				if err != nil {
					return fmt.Errorf("read the root to trust: %w", err)
				}
				o.TrustRoot = raw
			}
			tidyLess(args[0])
			read := sync.OnceValues(func() (*transfer.Bundle, error) { return transfer.Read(args[0]) })
			go func() { _, _ = read() }() // meanwhile
			pub, err := p.publisher(config)
			if err != nil {
				return err
			}
			pub.OpenEarly()
			b, err := read()
			if err != nil {
				return err
			}
			bar := p.publishing(pub, "upload")
			report, err := pub.Push(cmd.Context(), b, targets, o)
			bar.done()
			if err != nil {
				return err
			}
			return p.published(report)
		},
	}
	configFlag(cmd, &config)
	f := cmd.Flags()
	f.StringVar(&targets, "targets", ".", "folder with the target files")
	f.StringVar(&trustRoot, "trust-root", "", "first push: the root to pin, from other media than the bundle")
	f.StringVar(&o.RootDigest, "root-digest", "", "first push: the digest of the root to pin, in hex or words, from the printed record")
	f.BoolVar(&o.DryRun, "dry-run", false, "check everything and print the plan; sign and store nothing")
	cmd.MarkFlagsMutuallyExclusive("trust-root", "root-digest")
	return cmd
}

// tidyLess collects garbage less often while there is room, which is a tenth of what a push of many small files costs. One
// of a huge bundle needs the room itself.
func tidyLess(bundle string) {
	const small, room = 4 << 20, 96 << 20
	if info, err := os.Stat(bundle); err == nil && info.Size() <= small {
		debug.SetGCPercent(400)
		debug.SetMemoryLimit(room)
	}
}

// publishing shows how far a publisher's target files are, and keeps its lines apart from that.
func (p *program) publishing(pub *publish.Publisher, what string) *bar {
	bar := p.progress(what)
	pub.Progress = bar.files
	pub.Tell = func(line string) { bar.print(text.Clean(line).String()) }
	return bar
}

// files says how far target files are.
func (b *bar) files(u publish.Progress) {
	left, known := u.Left()
	b.draw(u.Bytes, u.AllBytes, fmt.Sprintf(", %d of %d files", u.Files, u.AllFiles), left, known)
}

// published says what a push or a refresh did.
func (p *program) published(r *publish.Report) error {
	if p.json {
		return p.printJSON(r)
	}
	for _, w := range r.Warnings {
		fmt.Fprintf(p.err, "warning: %s\n", text.Clean(w))
	}
	verb := "published"
	switch {
	case r.Already: // also in a dry run: nothing would change
		verb = "live already"
	case r.DryRun:
		verb = "would be live"
		for _, a := range r.Actions {
			fmt.Fprintf(p.out, "%-8s %s  %s\n", a.Act, text.Clean(a.Name), text.Bytes(a.Length))
		}
	}
	roles := make([]string, 0, len(r.Versions))
	for role := range r.Versions {
		roles = append(roles, role)
	}
	sort.Strings(roles)
	for _, role := range roles {
		fmt.Fprintf(p.out, "%s: %s %d\n", verb, text.Clean(role), r.Versions[role])
	}
	return nil
}
