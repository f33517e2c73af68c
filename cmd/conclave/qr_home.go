package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"conclave/transfer"
	"conclave/transfer/qr"
	"conclave/transfer/qr/source"
	"conclave/tui"
)

// Cameras lists the machine's cameras for the home screen. It makes desk a tui.Scanner.
func (d *desk) Cameras(context.Context) ([]tui.FoundFile, error) {
	list, err := source.Cameras()
	var found []tui.FoundFile
	for _, c := range list {
		found = append(found, tui.FoundFile{Path: c.Path, Name: c.Name})
	}
	return found, err
}

// mostReceived is how many received bundles one folder may hold.
const mostReceived = 100

// Scan reads a bundle into this folder. Signatures alone are joined with the bundle here that waits for them.
func (d *desk) Scan(ctx context.Context, from string, tell func(tui.ScanReport)) (tui.Received, error) {
	out, err := freeName()
	if err != nil {
		return tui.Received{}, err
	}
	s := newScan(out)
	s.saw = func(r qr.Report) { tell(tui.ScanReport{Progress: r.Progress, Picture: r.Picture, Err: r.Err}) }
	if err := s.goOn(); err != nil {
		return tui.Received{}, err
	}
	if !s.done() {
		if err := s.from(ctx, from, nil); err != nil {
			return tui.Received{}, s.keepFrames(err)
		}
	}
	if !s.done() {
		return tui.Received{}, s.keepFrames(s.incomplete())
	}
	shelf := &baseShelf{}
	got, err := s.open(shelf.Find, shelf.waiting())
	if err != nil {
		return tui.Received{}, s.keepFrames(err)
	}
	path, what := out, "a bundle"
	switch {
	case got.bundle == nil:
		path = strings.TrimSuffix(out, bundleEnd) + "." + got.Kind
		what = "a file"
		if got.signatures > 0 {
			what = "signatures whose bundle is not here"
		}
	case got.Kind == "answer":
		what = "a bundle with the new signatures"
	}
	if err := got.write(path); err != nil {
		return tui.Received{}, s.keepFrames(err)
	}
	_ = os.Remove(out + keptSuffix)
	return tui.Received{Path: path, What: what}, nil
}

const bundleEnd = ".bundle.json"

// freeName is a name for a received bundle that nothing in this folder has.
func freeName() (string, error) {
	for n := 1; n <= mostReceived; n++ {
		name := fmt.Sprintf("received-%d"+bundleEnd, n)
		if _, err := os.Lstat(name); os.IsNotExist(err) {
			return name, nil
		}
	}
	return "", &transfer.ExistsError{Path: fmt.Sprintf("received-%d"+bundleEnd, mostReceived)}
}
