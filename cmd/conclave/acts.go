package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"conclave/ceremony"
	"conclave/ceremony/record"
	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/tui/text"
)

// actTitles tell what an act of a rehearsal is about.
var actTitles = map[string]string{
	"1-genesis": "genesis: first keys, first signatures",
	"2-release": "a release: new files, signed by the targets threshold",
	"3-renewal": "a renewal: the same keys, a later expiry of the root",
}

// playAll plays every act that is left, unattended.
func (r *rehearsal) playAll(ctx context.Context) error {
	out := r.p.out
	started := time.Now()
	fmt.Fprintf(out, "PRACTICE. Nothing here is real. %d keyholders, root %d of %d, targets %d of %d.\n",
		len(r.people), r.plan.RootThreshold, len(r.people), r.plan.TargetsThreshold, r.shippers())
	for i, act := range acts {
		if act < r.next() || r.next() == "" {
			fmt.Fprintf(out, "\n%d  %s: done before\n", i+1, actTitles[act])
			continue
		}
		fmt.Fprintf(out, "\n%d  %s\n", i+1, actTitles[act])
		s, err := r.open(ctx, act)
		if err != nil {
			return err
		}
		err = finishRecord(s)
		if err == nil {
			err = (&story{r: r, s: s, out: out}).play(ctx)
		}
		if err == nil {
			err = r.finish(ctx, act, s)
		}
		if cerr := s.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "\nDone in %.1f s.\n", time.Since(started).Seconds())
	if r.plan.Store != "" {
		fmt.Fprintf(out, "  published    %s\n", text.Clean(r.plan.Store))
	}
	fmt.Fprintf(out, "  repository   %s\n  first root   %s\n  bundles      %s\n  records      %s\n",
		r.path("repository"), r.path("trusted", "1.root.json"), r.path("bundles"), r.path("record"))
	return nil
}

func (r *rehearsal) shippers() int {
	n := 0
	for _, p := range r.people {
		if p.ship {
			n++
		}
	}
	return n
}

// open begins an act's ceremony, or goes on with it.
func (r *rehearsal) open(ctx context.Context, act string) (*ceremony.Session, error) {
	cfg := r.p.floor(r.path("record", act), r.path("bundles"), r.tokens)
	// A record without an entry is from a start that was cut off: begin anew.
	if entries, _, err := record.Read(filepath.Join(cfg.Dir, recordFile)); err == nil && len(entries) > 0 {
		return ceremony.Resume(cfg)
	}
	bundle, err := r.bundle(ctx, act)
	if err != nil {
		return nil, err
	}
	anchor, err := r.anchor()
	if err != nil {
		return nil, err
	}
	return ceremony.Begin(cfg, bundle, anchor)
}

// anchor is the first root, nil before there is one.
func (r *rehearsal) anchor() (*tuf.Document, error) {
	doc, err := readMetadata(r.path("trusted", "1.root.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return doc, err
}

// bundle is the unsigned bundle of an act: what would come over the air gap.
func (r *rehearsal) bundle(ctx context.Context, act string) (*transfer.Bundle, error) {
	path := r.path("bundles", act+".bundle.json")
	if _, err := os.Stat(path); err == nil {
		return transfer.Read(path)
	}
	plan := map[string]func(context.Context) (*transfer.Bundle, error){
		"1-genesis": r.planGenesis,
		"2-release": r.planRelease,
		"3-renewal": r.planRenewal,
	}[act]
	bundle, err := plan(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.carry(bundle); err != nil {
		return nil, err
	}
	return bundle, transfer.Write(path, bundle)
}

// carry takes what earlier acts proved about tokens along.
func (r *rehearsal) carry(bundle *transfer.Bundle) error {
	signed, err := filepath.Glob(r.path("bundles", "*.complete.bundle.json"))
	if err != nil {
		return err
	}
	return (&baseFlags{evidence: signed}).carry(bundle)
}

func (r *rehearsal) planGenesis(ctx context.Context) (*transfer.Bundle, error) {
	now := r.p.now().UTC()
	snapshot, timestamp, err := r.onlineKeys()
	if err != nil {
		return nil, err
	}
	paths, err := r.files()
	if err != nil {
		return nil, err
	}
	files, err := transfer.HashFiles(ctx, paths, nil)
	if err != nil {
		return nil, err
	}
	g := ceremony.Genesis{
		Purpose:          "rehearsal: first root and targets",
		RootThreshold:    r.plan.RootThreshold,
		TargetsThreshold: r.plan.TargetsThreshold,
		Algorithm:        r.plan.Algorithm,
		Snapshot:         snapshot,
		Timestamp:        timestamp,
		RootExpires:      inDays(now, rootDays),
		TargetsExpires:   inDays(now, targetsDays),
		Files:            files,
		Practice:         true,
	}
	for _, p := range r.people {
		g.RootHolders = append(g.RootHolders, p.name)
		if p.ship {
			g.TargetsHolders = append(g.TargetsHolders, p.name)
		}
	}
	return ceremony.PlanGenesis(g, now)
}

// planRelease adds one more file to what genesis released.
func (r *rehearsal) planRelease(ctx context.Context) (*transfer.Bundle, error) {
	now := r.p.now().UTC()
	base, err := r.base()
	if err != nil {
		return nil, err
	}
	dir := r.path("release-2")
	err = writeExamples(dir, map[string]string{"release-2.txt": "The second release of a rehearsal of Conclave.\n"})
	if err != nil {
		return nil, err
	}
	files, err := transfer.HashFiles(ctx, []string{dir}, nil)
	if err != nil {
		return nil, err
	}
	return ceremony.PlanTargets(base, ceremony.TargetsChange{
		Purpose: "rehearsal: second release",
		Add:     files,
		Expires: inDays(now, targetsDays+1),
	}, now)
}

func (r *rehearsal) planRenewal(context.Context) (*transfer.Bundle, error) {
	now := r.p.now().UTC()
	base, err := r.base()
	if err != nil {
		return nil, err
	}
	return ceremony.PlanRoot(base, "rehearsal: renew the root", inDays(now, rootDays+30), now)
}

// base is what was published, as a planner on an online host would read it.
func (r *rehearsal) base() (transfer.Base, error) {
	anchor, err := r.anchor()
	if err != nil {
		return transfer.Base{}, err
	}
	if anchor == nil {
		return transfer.Base{}, errors.New("there is no first root yet: genesis comes first")
	}
	base, err := transfer.ReadRepository(r.path("repository", "metadata"), anchor)
	if err != nil || len(base.Documents) > 0 {
		return base, err
	}
	return r.withSignedTargets(base)
}

// withSignedTargets adds the newest targets that were signed here: the offline build publishes
// nothing, so no timestamp leads to them.
func (r *rehearsal) withSignedTargets(base transfer.Base) (transfer.Base, error) {
	for version := int64(1); ; version++ {
		doc, err := readMetadata(r.path("repository", "metadata", fmt.Sprintf("%d.targets.json", version)))
		if errors.Is(err, fs.ErrNotExist) {
			return base, nil
		}
		if err != nil {
			return transfer.Base{}, err
		}
		base.Documents = []transfer.Document{{Role: tuf.Targets, Metadata: doc}}
		base.Seen[tuf.Targets] = doc.Version()
	}
}

// finish pins the first root, publishes what was exported, and downloads it as a client does.
func (r *rehearsal) finish(ctx context.Context, act string, s *ceremony.Session) error {
	bundle, err := exported(s)
	if err != nil {
		return err
	}
	if act == acts[0] {
		if err := transfer.WriteNew(r.path("trusted", "1.root.json"), bundle.Document(tuf.Root).Bytes()); err != nil {
			return err
		}
	}
	if err := r.publish(ctx, act, bundle); err != nil {
		return err
	}
	return transfer.WriteNew(r.path("record", act, "published"), []byte("published and downloaded\n"))
}
