package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"conclave/ceremony"
	"conclave/ceremony/calendar"
	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/tui"
)

// Repository reads what is published. It makes desk a tui.Planner.
func (d *desk) Repository(_ context.Context, at tui.Where) (tui.Repository, error) {
	f := baseFlags{repository: at.Folder, root: at.Root}
	base, err := f.read()
	if err != nil {
		return tui.Repository{}, err
	}
	live, err := liveDocuments(base, at.Folder)
	return tui.Repository{Base: base, Live: live}, err
}

// Judge holds a draft against the policy of the one who opened the screens, or beside the trusted root.
func (d *desk) Judge(_ context.Context, at tui.Where, b *transfer.Bundle) ([]string, error) {
	rules, err := findPolicy(d.p.policy, beside(at.Root))
	if err != nil {
		return nil, err
	}
	report, err := d.p.judgePlan(rules, b)
	if err != nil || report == nil {
		return nil, err
	}
	lines := report.lines()
	lines[0] = strings.TrimPrefix(lines[0], policyLabel) // the screen has a title for it
	return lines, nil
}

// OnlineKey reads a public key.
func (d *desk) OnlineKey(_ context.Context, path string) (tuf.Key, error) { return readPublicKey(path) }

// KnownKey reads the key of somebody who has one already.
func (d *desk) KnownKey(_ context.Context, path string) (*ceremony.KnownKey, error) {
	return readKnownKey(path)
}

// Keep writes a planned bundle into this folder, and what there is to say beside it.
func (d *desk) Keep(_ context.Context, name string, b *transfer.Bundle, lines []string) (tui.Kept, error) {
	raw, err := b.Bytes()
	if err != nil {
		return tui.Kept{}, err
	}
	kept := tui.Kept{}
	if kept.Bundle, err = writeFresh(name, bundleEnd, raw); err != nil || len(lines) == 0 {
		return kept, err
	}
	stem := strings.TrimSuffix(kept.Bundle, bundleEnd)
	kept.Lines = stem + ".checklist.txt"
	return kept, transfer.WriteNew(kept.Lines, []byte(strings.Join(lines, "\n")+"\n"))
}

// KeepDays writes a calendar file into this folder.
func (d *desk) KeepDays(_ context.Context, c *calendar.Calendar) (string, error) {
	raw, err := icsOf(c)
	if err != nil {
		return "", err
	}
	return writeFresh("days", ".ics", raw)
}

// mostOfOneName is how many files of one name this folder may hold.
const mostOfOneName = 100

// writeFresh writes a new file NAME.ENDING, or NAME-2.ENDING where that is taken.
func writeFresh(name, ending string, raw []byte) (string, error) {
	path := name + ending
	for n := 2; ; n++ {
		err := transfer.WriteNew(path, raw)
		if !errors.Is(err, transfer.ErrExists) || n > mostOfOneName {
			return path, err
		}
		path = fmt.Sprintf("%s-%d%s", name, n, ending)
	}
}

// likely is the repository that lies in this folder as the documents of this program lay it out.
func likely() tui.Where {
	var at tui.Where
	if folder := filepath.Join("repository", "metadata"); isDir(folder) {
		at.Folder = folder
	}
	if roots, _ := filepath.Glob(filepath.Join("trusted", "*.root.json")); len(roots) > 0 {
		at.Root = roots[0]
	}
	return at
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
