package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"fmt"

	"conclave/ceremony"
	"conclave/ceremony/preflight"
	"conclave/ceremony/tuf"
	"conclave/hsm"
	"conclave/hsm/attest"
	"conclave/transfer"
	"conclave/tui/text"
)

// floor says what a ceremony of this program stands on: the machine, its clock and
// its randomness, the tokens in its readers, and a folder to export to.
func (p *program) floor(dir, medium string, tokens hsm.Tokens) ceremony.Config {
	return ceremony.Config{
		Dir:     dir,
		Tokens:  tokens,
		Medium:  folder{transfer.Folder{Dir: medium}},
		Inspect: func(ctx context.Context) []preflight.Check { return preflight.Here().Inspect(ctx) },
		Now:     p.now,
		Rand:    rand.Reader,
		Program: "conclave " + version,
		Genuine: genuine,
	}
}

// genuine holds a token's evidence against Yubico's roots, in a rehearsal against the practice root as well.
func genuine(e ceremony.Evidence, key crypto.PublicKey, practice bool) (ceremony.Provenance, error) {
	roots := attest.Yubico()
	if practice {
		roots = attest.WithPractice()
	}
	proof, err := verifyEvidence(transfer.Evidence{
		KeyID: e.KeyID, Serial: e.Serial, Firmware: e.Firmware, Slot: e.Slot,
		PINPolicy: e.PINPolicy, TouchPolicy: e.TouchPolicy, Leaf: e.Leaf, Device: e.Device,
	}, key, roots)
	if err != nil {
		return ceremony.Provenance{}, err
	}
	p := ceremony.Provenance{FormFactor: proof.FormFactor, Warnings: proof.Warnings}
	if proof.FIPS {
		p.Warnings = append(p.Warnings, "it is a FIPS token: its firmware is as old as its certificate")
	}
	return p, nil
}

// folder lets a transfer.Folder speak for itself in preflight.
type folder struct{ transfer.Folder }

// Check looks at the folder and says what it found.
func (f folder) Check() (string, error) {
	info, err := f.Folder.Check()
	if err != nil {
		return "", err
	}
	name := info.Dir
	if info.Label != "" {
		name = info.Label + " at " + info.Dir
	}
	return fmt.Sprintf("%s, %s free, written and read back", name, text.Bytes(info.Free)), nil
}

// anchorOf reads the trusted root that somebody named, or nil where none was.
func anchorOf(path string) (*tuf.Document, error) {
	if path == "" {
		return nil, nil
	}
	return readRoot(path)
}
