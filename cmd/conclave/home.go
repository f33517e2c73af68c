package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"golang.org/x/term"

	"conclave/ceremony"
	"conclave/ceremony/calendar"
	"conclave/ceremony/preflight"
	"conclave/ceremony/record"
	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/tui"
)

// home opens the home screen.
func (p *program) home(ctx context.Context) error {
	in, ok := p.in.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return &usageError{"conclave", &advised{errors.New("the home screen needs a terminal"), "go to one, or name a command: conclave --help lists them"}}
	}
	return p.atDesk(func(o tui.Options) error { return tui.Run(ctx, o) })
}

// atDesk opens screens that have a home, and says how they ended.
func (p *program) atDesk(open func(tui.Options) error) error {
	d := &desk{p: p, known: map[string]knownBundle{}}
	defer d.close()
	err := open(tui.Options{Desk: d, Where: likely(), In: p.in, Out: p.out, Now: p.now})
	if errors.Is(err, tui.ErrInterrupted) {
		return &statusError{code: exitInterrupted, text: "interrupted", hint: "a ceremony that was begun is on the record; conclave resume goes on with it"}
	}
	return err
}

// desk serves the home screen: what is on the sticks and in this folder, and how a ceremony begins.
type desk struct {
	p         *program
	known     map[string]knownBundle // by path; a bundle is verified once
	rehearsal *rehearsal
	earnest   bool // a real ceremony was begun: the smart card service is chosen for good
}

type knownBundle struct {
	size int64
	time time.Time
	note string
}

func (d *desk) close() {
	if d.rehearsal != nil {
		d.rehearsal.close()
	}
}

// How much the home screen looks at: enough for a desk, not a hard disk.
const (
	mostFound  = 50
	bundleGlob = "*.bundle.json"
)

// mediaGlobs are where desktops and consoles mount sticks.
var mediaGlobs = []string{"/media/*", "/media/*/*", "/run/media/*/*", "/mnt", "/mnt/*"}

// Find lists bundles here and on mounted media, and ceremonies that stopped.
func (d *desk) Find(ctx context.Context) (tui.Found, error) {
	var found tui.Found
	for _, place := range places() {
		paths, err := filepath.Glob(filepath.Join(place.dir, bundleGlob))
		if err != nil {
			continue
		}
		sort.Strings(paths)
		for _, path := range paths {
			if len(found.Bundles) == mostFound || ctx.Err() != nil {
				break
			}
			found.Bundles = append(found.Bundles, tui.FoundFile{
				Path: path, Name: filepath.Base(path), Place: place.name, Note: d.note(path),
			})
		}
	}
	found.Stopped, found.Records, found.Days = ceremonies(".", d.p.now())
	found.AirGap = airGap(ctx)
	return found, nil
}

type place struct{ dir, name string }

func places() []place {
	out := []place{{".", "this folder"}}
	for _, glob := range mediaGlobs {
		dirs, _ := filepath.Glob(glob)
		for _, dir := range dirs {
			out = append(out, place{dir, filepath.Base(dir)})
		}
	}
	return out
}

// note says how far a bundle is, reading it only when it changed.
func (d *desk) note(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "cannot be read"
	}
	if k, ok := d.known[path]; ok && k.size == info.Size() && k.time.Equal(info.ModTime()) {
		return k.note
	}
	note := "damaged or not a bundle"
	if b, err := transfer.Read(path); err == nil {
		if status, err := b.Status(); err == nil {
			note = string(status.State)
		}
	}
	d.known[path] = knownBundle{info.Size(), info.ModTime(), note}
	return note
}

// ceremonies lists the ceremonies' folders below dir: stopped ones, and every record; and says when clients break.
func ceremonies(dir string, now time.Time) (stopped []tui.Stopped, records []tui.FoundFile, days string) {
	paths, _ := filepath.Glob(filepath.Join(dir, "*", recordFile))
	live := map[string]*tuf.Document{}
	for _, path := range paths {
		entries, _, err := record.Read(path)
		if err != nil || len(entries) == 0 {
			continue
		}
		folder := filepath.Dir(path)
		records = append(records, tui.FoundFile{Path: path, Name: filepath.Base(folder), Place: "this folder"})
		state, err := ceremony.Replay(entries, ceremony.Beside(folder))
		if err != nil {
			continue
		}
		if state.Step() == ceremony.StepDone {
			newest(live, state)
			continue
		}
		stopped = append(stopped, tui.Stopped{
			Dir: folder, Title: state.Title(), Step: state.Step(), When: entries[len(entries)-1].Time,
		})
	}
	return stopped, records, breakDay(live, now)
}

// newest takes over what a ceremony has completed, as far as it is newer.
func newest(live map[string]*tuf.Document, state ceremony.State) {
	if !state.Complete() {
		return
	}
	for _, role := range []string{tuf.Root, tuf.Targets} {
		doc := state.Bundle().Document(role)
		if doc != nil && (live[role] == nil || doc.Version() > live[role].Version()) {
			live[role] = doc
		}
	}
}

// breakDay says when clients break if nobody does anything; nothing where root or targets are not known.
func breakDay(live map[string]*tuf.Document, now time.Time) string {
	if live[tuf.Root] == nil || live[tuf.Targets] == nil {
		return ""
	}
	days, err := calendar.New(live, calendar.Settings{Now: now})
	if err != nil {
		return ""
	}
	return days.Sentences()[0]
}

// airGap is the network line of preflight in two words.
func airGap(ctx context.Context) string {
	for _, c := range preflight.Here().Quick(ctx) {
		if c.Name == "network" && c.Status == preflight.Stop {
			return "air gap [!]"
		}
	}
	return "air gap [OK]"
}

var errPractised = &statusError{
	code: exitFailed,
	text: "this program has practised; its tokens are virtual",
	hint: "leave it and start it again for a real ceremony",
}

// Sign begins the ceremony of a bundle.
func (d *desk) Sign(_ context.Context, path, root string) (tui.Started, error) {
	if d.rehearsal != nil {
		return tui.Started{}, errPractised
	}
	s, err := d.p.begin(path, ceremonyDir(path), root, frontFlags{policy: d.p.policy})
	return d.started(s, err)
}

// Resume goes on with a ceremony.
func (d *desk) Resume(_ context.Context, dir string) (tui.Started, error) {
	if d.rehearsal != nil {
		return tui.Started{}, errPractised
	}
	s, err := d.p.resume(dir, frontFlags{})
	return d.started(s, err)
}

func (d *desk) started(s *ceremony.Session, err error) (tui.Started, error) {
	if err != nil {
		return tui.Started{}, err
	}
	d.earnest = true
	return tui.Started{Session: s, Close: s.Close}, nil
}

// Genesis plans a repository from what people answered and begins its ceremony.
func (d *desk) Genesis(ctx context.Context, f tui.GenesisForm) (tui.Started, error) {
	if d.rehearsal != nil {
		return tui.Started{}, errPractised
	}
	snapshot, err := readPublicKey(f.SnapshotKey)
	if err != nil {
		return tui.Started{}, err
	}
	timestamp, err := readPublicKey(f.TimestampKey)
	if err != nil {
		return tui.Started{}, err
	}
	files, err := transfer.HashFiles(ctx, f.Files, nil)
	if err != nil {
		return tui.Started{}, err
	}
	bundle, err := ceremony.PlanGenesis(ceremony.Genesis{
		Purpose: f.Purpose, RootHolders: f.Holders, TargetsHolders: f.TargetsHolders,
		RootThreshold: f.RootThreshold, TargetsThreshold: f.TargetsThreshold, Algorithm: string(f.Algorithm),
		Snapshot: snapshot, Timestamp: timestamp,
		RootExpires: f.RootExpires, TargetsExpires: f.TargetsExpires, Files: files,
	}, d.p.now().UTC())
	if err != nil {
		return tui.Started{}, err
	}
	path := "genesis.bundle.json"
	if err := transfer.Write(path, bundle); err != nil {
		return tui.Started{}, err
	}
	return d.Sign(ctx, path, "")
}

// Practise begins a rehearsal in a folder of this one, or goes on with it.
func (d *desk) Practise(ctx context.Context) (tui.Started, error) {
	if d.earnest {
		return tui.Started{}, &statusError{
			code: exitFailed,
			text: "this program has opened real tokens",
			hint: "leave it and practise with: conclave rehearse",
		}
	}
	if d.rehearsal == nil {
		plan := rehearsalPlan{Holders: 5, RootThreshold: 3, TargetsThreshold: 2, Algorithm: "p256"}
		r, err := d.p.openRehearsal("rehearsal", plan)
		if err != nil {
			return tui.Started{}, err
		}
		d.rehearsal = r
	}
	return d.nextAct(ctx)
}

func (d *desk) nextAct(ctx context.Context) (tui.Started, error) {
	r := d.rehearsal
	act := r.next()
	if act == "" {
		return tui.Started{}, &statusError{
			code: exitFailed,
			text: fmt.Sprintf("the rehearsal in %s is complete", r.dir),
			hint: "move that folder away to practise from the beginning",
		}
	}
	s, err := r.open(ctx, act)
	if err != nil {
		return tui.Started{}, err
	}
	return tui.Started{Session: s, Tray: &tray{r: r}, Close: func() error {
		defer s.Close()
		if s.State().Step() != ceremony.StepDone || !s.State().Complete() {
			return nil
		}
		return r.finish(context.WithoutCancel(ctx), act, s)
	}}, nil
}

// Look describes a bundle or a record.
func (d *desk) Look(_ context.Context, path string) (tui.Sheet, error) {
	if strings.HasSuffix(path, ".jsonl") {
		report, err := readRecord(path)
		if err != nil {
			return tui.Sheet{}, err
		}
		return tui.Sheet{Title: filepath.Base(path), Lines: report.Verdict}, nil
	}
	b, err := transfer.Read(path)
	if err != nil {
		return tui.Sheet{}, err
	}
	lines, err := describe(b, d.p.now())
	if err != nil {
		return tui.Sheet{}, err
	}
	return tui.Sheet{Title: filepath.Base(path), Lines: lines}, nil
}
