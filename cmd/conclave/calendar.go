package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"conclave/ceremony"
	"conclave/ceremony/calendar"
	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/tui/text"
)

func (p *program) calendarCommand() *cobra.Command {
	var base baseFlags
	var settings calendar.Settings
	var ics, standby string
	cmd := &cobra.Command{
		Use:   "calendar",
		Short: "Say what expires when, and when to hold the next ceremony",
		Long: `Puts every role's expiry, the opening of its signing window and the last
comfortable day for a ceremony on one timeline, and says on which day clients
stop updating if nobody does anything. --ics writes the days for people's calendars.`,
		Example: `  conclave calendar --repository repository/metadata --root trusted/1.root.json
  conclave calendar --repository repository/metadata --root trusted/1.root.json --name "Acme releases" --ics days.ics`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if settings.MarginDays < 0 || settings.WindowPercent < 1 || settings.WindowPercent > 100 {
				return &usageError{"conclave calendar", errors.New("--margin-days takes days from 0 on, and --window-percent 1 to 100")}
			}
			on, err := base.read()
			if err != nil {
				return err
			}
			docs, err := liveDocuments(on, base.repository)
			if err != nil {
				return err
			}
			settings.Now = p.now()
			var waits *ceremony.Standby
			if standby != "" {
				b, s, err := readStandby(standby, on, settings.Now.UTC())
				if err != nil {
					return err
				}
				waits = s
				for _, d := range b.Documents {
					settings.Standby = append(settings.Standby, d.Metadata)
				}
			}
			c, err := calendar.New(docs, settings)
			if err != nil {
				return err
			}
			if ics != "" {
				if err := writeICS(ics, c); err != nil {
					return err
				}
			}
			if p.json {
				return p.printJSON(c)
			}
			for _, line := range c.Sentences() {
				fmt.Fprintln(p.out, text.Clean(line))
			}
			if waits != nil {
				for _, line := range standbyOf(waits).lines() {
					fmt.Fprintln(p.out, line)
				}
			}
			return nil
		},
	}
	base.register(cmd)
	f := cmd.Flags()
	f.StringVar(&settings.Repository, "name", "", "the repository's name, for titles")
	f.IntVar(&settings.MarginDays, "margin-days", calendar.DefaultMarginDays, "days between the last comfortable ceremony and the expiry")
	f.IntVar(&settings.WindowPercent, "window-percent", calendar.DefaultWindowPercent, "how much of a life before the expiry the signing window opens")
	f.StringVar(&standby, "standby", "", "a successor root that waits, signed below its threshold: its days too")
	f.StringVar(&ics, "ics", "", "calendar file to write; never overwritten")
	return cmd
}

// liveDocuments lists what is published now, by role. The online roles are read from the folder of its
// metadata, and left out where they are not there.
func liveDocuments(base transfer.Base, folder string) (map[string]*tuf.Document, error) {
	docs := map[string]*tuf.Document{tuf.Root: base.Roots[len(base.Roots)-1]}
	for _, d := range base.Documents {
		docs[d.Role] = d.Metadata
	}
	for role, name := range map[string]string{
		tuf.Timestamp: "timestamp.json",
		tuf.Snapshot:  fmt.Sprintf("%d.snapshot.json", base.Seen[tuf.Snapshot]),
	} {
		doc, err := readMetadata(filepath.Join(folder, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		docs[role] = doc
	}
	return docs, nil
}

func writeICS(path string, c *calendar.Calendar) error {
	raw, err := icsOf(c)
	if err != nil {
		return err
	}
	return transfer.WriteNew(path, raw)
}

func icsOf(c *calendar.Calendar) ([]byte, error) {
	var b bytes.Buffer
	if err := c.WriteICS(&b); err != nil {
		return nil, fmt.Errorf("write calendar: %w", err)
	}
	return b.Bytes(), nil
}
