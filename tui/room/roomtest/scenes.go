package roomtest

import (
	"crypto/sha256"
	"time"

	"conclave/ceremony"
	"conclave/ceremony/preflight"
	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/tui/room"
)

// Noon is the time of every scene.
var Noon = time.Date(2026, 11, 22, 14, 2, 31, 0, time.UTC)

// Rotation is a ceremony in which Dana takes Carol's place: root 5 and targets 18.
func Rotation() *Session {
	s := &Session{Clock: Noon, Fail: map[string][]error{}}
	s.Facts = Facts{
		At: ceremony.StepPreflight,
		All: []ceremony.Step{
			ceremony.StepPreflight, ceremony.StepRollCall, ceremony.StepFreeze, ceremony.StepReview, ceremony.StepSign,
			ceremony.StepConfirm, ceremony.StepExport, ceremony.StepClose,
		},
		Name:     "root 5 + targets 18",
		Reason:   "Dana takes Carol's place; release 47",
		Evidence: machine(),
		People: []ceremony.Participant{
			person("Alice", 13078777, "root", "targets"), person("Bob", 13078779, "root", "targets"),
			{Name: "Carol", Leaving: true, Presence: ceremony.Unknown, Enrolled: true},
			person("Dana", 20114422, "root", "targets"), person("Erin", 13078781, "root"), person("Frank", 13078783, "root"),
		},
		Documents: []room.Payload{
			{Role: tuf.Root, Version: 5, Digest: sha256.Sum256([]byte("root 5"))},
			{Role: tuf.Targets, Version: 18, Digest: sha256.Sum256([]byte("targets 18"))},
		},
		Needs: []Requirement{
			{tuf.Root, "root 4's keys", 3, []string{"Alice", "Bob", "Carol", "Erin", "Frank"}},
			{tuf.Root, "root 5's keys", 3, []string{"Alice", "Bob", "Dana", "Erin", "Frank"}},
			{tuf.Targets, "targets keys of root 5", 2, []string{"Alice", "Bob", "Dana"}},
		},
		SignedWhen: map[string]time.Time{},
		Changes:    []*tuf.Diff{rootDiff(), targetsDiff()},
		Sentences: []string{
			"One more of Erin or Frank completes root 4's keys.",
			"One more of Dana, Erin or Frank completes root 5's keys.",
			"Erin alone completes both.",
		},
	}
	for i, p := range s.People {
		serial := uint32(13078777 + 2*i)
		if p.Name == "Dana" {
			serial = 20114422
		}
		s.Tokens = append(s.Tokens, &Token{Name: p.Name, Holder: p.Name, Serial: serial, PIN: "271828", Retries: 3})
	}
	s.Tokens = append(s.Tokens, &Token{Name: "Mallory", Serial: 66600666, PIN: "271828", Retries: 3})
	return s
}

func person(name string, _ uint32, roles ...string) ceremony.Participant {
	return ceremony.Participant{Name: name, Roles: roles, Presence: ceremony.Unknown, Enrolled: true}
}

// Genesis is a rehearsal of three holders who make their first keys.
func Genesis() *Session {
	s := Rotation()
	s.Name, s.Rehearsal, s.Reason = "genesis", true, "the first keys of example.org"
	s.All = []ceremony.Step{
		ceremony.StepPreflight, ceremony.StepRollCall, ceremony.StepEnrolment, ceremony.StepFreeze, ceremony.StepReview,
		ceremony.StepSign, ceremony.StepConfirm, ceremony.StepExport, ceremony.StepClose,
	}
	s.Documents[0].Version, s.Documents[1].Version = 1, 1
	s.People, s.Tokens = nil, nil
	s.Planned = &transfer.Plan{
		RootThreshold: 2, TargetsThreshold: 1, Algorithm: "p256",
		RootExpires: Noon.AddDate(1, 0, 0), TargetsExpires: Noon.AddDate(0, 3, 0),
		Files: []transfer.PlannedFile{{Path: "app-1.0.0.tar.gz", Length: 3_481_202}, {Path: "app-1.0.0.txt", Length: 812}},
	}
	names := []string{"Alice", "Bob", "Carol"}
	for i, n := range names {
		s.Planned.Holders = append(s.Planned.Holders, transfer.PlannedHolder{Name: n, Root: true, Targets: i < 2})
		p := ceremony.Participant{Name: n, Roles: []string{"root", "targets"}[:1+min(1, 2-i)], Presence: ceremony.Unknown}
		s.People = append(s.People, p)
		s.Tokens = append(s.Tokens, &Token{Name: n, Serial: uint32(90000001 + i), PIN: "123456", Retries: 3, Blank: true})
	}
	s.Needs = []Requirement{
		{tuf.Root, "root 1's keys", 2, names},
		{tuf.Targets, "targets keys of root 1", 1, names[:2]},
	}
	s.Changes = []*tuf.Diff{{
		Role: tuf.Root, To: 1,
		Power: []tuf.Power{
			{Role: tuf.Root, After: tuf.Quorum{Threshold: 2, Names: names}},
			{Role: tuf.Targets, After: tuf.Quorum{Threshold: 1, Names: names[:2]}},
		},
		Meaning: []string{"Any two of Alice, Bob and Carol can change every key.", "Alice or Bob can release software."},
	}}
	s.Sentences = []string{"Two of Alice, Bob and Carol complete root 1's keys."}
	s.Evidence = s.Evidence[:1]
	return s
}

func machine() []preflight.Check {
	return []preflight.Check{
		{Name: "network", Status: preflight.OK, Text: "none: this process lives in an empty network namespace"},
		{Name: "sandbox", Status: preflight.OK, Text: "reads SANDISK, writes SANDISK/out, nothing else"},
		{Name: "swap", Status: preflight.Stop, Text: "512 MB in use: a PIN could reach the disk", Fix: "swapoff -a"},
		{Name: "memory", Status: preflight.OK, Text: "locked; no core dumps; not traceable"},
		{Name: "clock", Status: preflight.OK, Text: "14:02:31 UTC, 3 days after the newest signature in the bundle"},
		{Name: "medium", Status: preflight.OK, Text: "SANDISK, 14.2 GB free, written and read back"},
		{Name: "tokens", Status: preflight.OK, Text: "pcscd answers; 1 reader, 1 YubiKey"},
		{
			Name: "program", Status: preflight.OK, Text: "conclave 1.0.0  3f9a 11c2 8d70 42b1 90aa 7c55 01de 6b32 ...",
			Detail: []string{"adroitness pandora bison combustion afflict hamburger ..."},
		},
		{Name: "bundle", Status: preflight.OK, Text: "builds on root 4, which 3 of the 5 enrolled tokens have signed"},
		{Name: "policy", Status: preflight.OK, Text: "the default policy: no rule is broken"},
	}
}

func rootDiff() *tuf.Diff {
	old, fresh := []string{"Alice", "Bob", "Carol", "Erin", "Frank"}, []string{"Alice", "Bob", "Dana", "Erin", "Frank"}
	return &tuf.Diff{
		Role: tuf.Root, From: 4, To: 5,
		Power: []tuf.Power{
			{Role: tuf.Root, Before: tuf.Quorum{Threshold: 3, Names: old}, After: tuf.Quorum{Threshold: 3, Names: fresh}},
			{
				Role: tuf.Targets, Before: tuf.Quorum{Threshold: 2, Names: old[:3]},
				After: tuf.Quorum{Threshold: 2, Names: fresh[:3]},
			},
		},
		Changes: []tuf.Change{
			{Kind: "removed", Where: "keys", Text: "Carol, YubiKey 13078778, P-256, f2c8 11d0 ..., leaves root and targets"},
			{Kind: "added", Where: "keys", Text: "Dana, YubiKey 20114422, P-256, 0a41 9e77 ..., attested, firmware 5.7.1, PIN and touch always"},
			{Kind: "changed", Where: "dates", Text: "expires 2027-11-22, in 365 days (was 2026-12-20, in 28 days)"},
			{Kind: "same", Where: "other", Text: "Nothing else changes: thresholds, snapshot and timestamp keys, delegations."},
		},
		Meaning: []string{
			"Once a client has root 5, Carol's key can sign nothing.",
			"A client that has not updated still trusts it until 2026-12-20.",
			"Any two of Alice, Bob and Dana can release software.",
		},
	}
}

func targetsDiff() *tuf.Diff {
	return &tuf.Diff{
		Role: tuf.Targets, From: 17, To: 18,
		Changes: []tuf.Change{
			{
				Kind: "added", Where: "files",
				Text: "app-4.7.0.tar.gz, 3481202 bytes, SHA-256 77c0 19ab 3f9a 11c2 8d70 42b1 90aa 7c55 01de 6b32 f2c8 11d0 0a41 9e77 aa01 bb02",
			},
			{Kind: "changed", Where: "dates", Text: "expires 2027-02-22, in 92 days (was 2026-12-01, in 9 days)"},
		},
		Meaning: []string{"Clients will be able to download app-4.7.0.tar.gz."},
	}
}
