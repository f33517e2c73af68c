//go:build !offline

package main

import (
	"cmp"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"conclave/transfer/client"
	"conclave/tui/text"
)

// clientFlags are the options that the TUF conformance suite puts before the subcommand.
type clientFlags struct {
	metadataDir string
	metadataURL string
	targetNames []string
	targetDir   string
	targetURL   string
	now         string
}

func (p *program) clientCommand() *cobra.Command {
	var f clientFlags
	cmd := &cobra.Command{
		Use:   "client",
		Short: "Download and verify as end users do",
		Long: `A TUF client, driven like the clients of the official conformance suite: options
come before the subcommand, and the exit code is 0 or 1.`,
		Example: `  conclave client --metadata-dir trust init 1.root.json
  conclave client --metadata-dir trust --metadata-url https://example.org/metadata/ refresh
  conclave client --metadata-dir trust --metadata-url https://example.org/metadata/ \
    --target-name hello.txt --target-dir downloads --target-base-url https://example.org/targets/ download`,
	}
	flags := cmd.PersistentFlags()
	flags.StringVar(&f.metadataDir, "metadata-dir", "", "folder of the trusted metadata")
	flags.StringVar(&f.metadataURL, "metadata-url", "", "where the metadata is: file:, http: or https:")
	flags.StringArrayVar(&f.targetNames, "target-name", nil, "a target to download; may be repeated")
	flags.StringVar(&f.targetDir, "target-dir", "", "folder that takes the targets")
	flags.StringVar(&f.targetURL, "target-base-url", "", "where the targets are")
	flags.StringVar(&f.now, "now", "", "verify as of this time (RFC 3339): for tests and audits, never for use")
	cmd.AddCommand(
		&cobra.Command{
			Use: "init ROOT", Short: "Trust a root; makes no request", Args: cobra.ExactArgs(1),
			RunE: func(_ *cobra.Command, args []string) error { return onlyOne(f.init(args[0])) },
		},
		&cobra.Command{
			Use: "refresh", Short: "Bring the trusted metadata up to date", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				c, err := p.client(&f)
				if err != nil {
					return onlyOne(err)
				}
				return onlyOne(c.Refresh(cmd.Context()))
			},
		},
		&cobra.Command{
			Use: "download", Short: "Download targets and verify them", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return onlyOne(p.download(cmd, &f)) },
		},
	)
	return cmd
}

// onlyOne gives every failure of a client exit code 1, as the conformance suite wants it.
func onlyOne(err error) error {
	if err == nil {
		return nil
	}
	hint := cmp.Or(hintOf(err), "what does not verify is not taken, and what was trusted before stays; try again later, and tell the publisher when it goes on")
	return &statusError{code: exitFailed, text: err.Error(), hint: hint}
}

// need refuses a command whose options are not all there.
func need(options map[string]string) error {
	for name, value := range options {
		if value == "" {
			return &advised{fmt.Errorf("--%s is missing", name), "conclave client --help says what it takes; options come before the subcommand"}
		}
	}
	return nil
}

func (f *clientFlags) init(root string) error {
	if err := need(map[string]string{"metadata-dir": f.metadataDir}); err != nil {
		return err
	}
	raw, err := os.ReadFile(root)
	if err != nil {
		return fmt.Errorf("read root: %w", err)
	}
	if err := os.MkdirAll(f.metadataDir, 0o755); err != nil {
		return fmt.Errorf("make metadata folder: %w", err)
	}
	return advise(client.Init(client.Folder(f.metadataDir), raw), "give a root.json of the repository, from a source that you trust; nothing is trusted now that was not before")
}

// client starts a run of the client workflow.
func (p *program) client(f *clientFlags) (*client.Client, error) {
	if err := need(map[string]string{"metadata-dir": f.metadataDir, "metadata-url": f.metadataURL}); err != nil {
		return nil, err
	}
	repo, err := client.Open(f.metadataURL, f.targetURL)
	if err != nil {
		return nil, err
	}
	o := client.Options{Repository: repo, Cache: client.Folder(f.metadataDir)}
	if f.now != "" {
		if o.Now, err = time.Parse(time.RFC3339, f.now); err != nil {
			return nil, &advised{fmt.Errorf("--now is no time: %q", f.now), "write it like 2026-11-22T14:02:00Z"}
		}
		fmt.Fprintf(p.err, "warning: verifying as of %s, not of today; old metadata may pass\n", text.Moment(o.Now))
	}
	return client.New(o)
}

func (p *program) download(cmd *cobra.Command, f *clientFlags) error {
	if err := need(map[string]string{"target-dir": f.targetDir, "target-base-url": f.targetURL, "target-name": strings.Join(f.targetNames, " ")}); err != nil {
		return err
	}
	c, err := p.client(f)
	if err != nil {
		return err
	}
	for _, name := range f.targetNames {
		d, err := c.Download(cmd.Context(), name, f.targetDir)
		if err != nil {
			return err
		}
		fmt.Fprintf(p.out, "%s  verified, %s\n", text.Clean(d.File), text.Bytes(d.Target.Length))
	}
	return nil
}
