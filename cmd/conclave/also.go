package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func (p *program) manCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:     "man",
		Short:   "Write the manual pages",
		Example: "  conclave man --dir /usr/local/share/man/man1",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return fmt.Errorf("write manual pages: %w", err)
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true // pages are the same whenever they are made
			made := p.made()
			return doc.GenManTree(root, &doc.GenManHeader{Title: "CONCLAVE", Section: "1", Source: "conclave " + version, Date: &made}, dir)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "man", "folder to write into")
	return cmd
}

// made is when this program's source was committed: its pages are the same whenever they are written.
func (p *program) made() time.Time {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if at, err := time.Parse(time.RFC3339, s.Value); s.Key == "vcs.time" && err == nil {
				return at
			}
		}
	}
	return p.now()
}

// versionReport is what version prints with --json.
type versionReport struct {
	Version string            `json:"version"`
	Go      string            `json:"go"`
	Online  bool              `json:"online"` // false in the offline build
	Modules map[string]string `json:"modules"`
}

func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which program this is and what it is built from",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			report := versionReport{Version: version, Go: runtime.Version(), Online: online, Modules: map[string]string{}}
			if info, ok := debug.ReadBuildInfo(); ok {
				for _, m := range info.Deps {
					report.Modules[m.Path] = m.Version
				}
			}
			if p.json {
				return p.printJSON(report)
			}
			kind := "with publish and client"
			if !online {
				kind = "offline build: no network code is linked"
			}
			fmt.Fprintf(p.out, "conclave %s (%s), %s\n", version, runtime.Version(), kind)
			return nil
		},
	}
}
