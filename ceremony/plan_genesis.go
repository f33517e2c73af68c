package ceremony

import (
	"slices"
	"strings"
	"time"

	"conclave/ceremony/tuf"
	"conclave/transfer"
)

// Genesis describes a repository that does not exist yet.
type Genesis struct {
	Purpose          string
	RootHolders      []string // in order
	TargetsHolders   []string // some of them, or further people
	Backups          []string // those of them who bring a second token, for the same roles
	OnePerson        bool     // one person's two keys may be enough for clients; the ceremony still wants an exception
	RootThreshold    int
	TargetsThreshold int
	Algorithm        string // "p256" or "p384"
	Snapshot         tuf.Key
	Timestamp        tuf.Key
	RootExpires      time.Time
	TargetsExpires   time.Time
	Files            []transfer.PlannedFile
	Practice         bool
}

// PlanGenesis makes the bundle that a genesis ceremony starts from. Its error is a *PlanError.
func PlanGenesis(g Genesis, now time.Time) (*transfer.Bundle, error) {
	people, err := genesisHolders(g.RootHolders, g.TargetsHolders)
	if err != nil {
		return nil, err
	}
	if people, err = withBackups(people, g.Backups); err != nil {
		return nil, err
	}
	if err := checkPurpose(g.Purpose); err != nil {
		return nil, err
	}
	if err := checkExpiryOf(tuf.Root, g.RootExpires, now); err != nil {
		return nil, err
	}
	if err := checkExpiryOf(tuf.Targets, g.TargetsExpires, now); err != nil {
		return nil, err
	}
	plan := &transfer.Plan{
		Holders:          people,
		RootThreshold:    g.RootThreshold,
		TargetsThreshold: g.TargetsThreshold,
		Algorithm:        g.Algorithm,
		Snapshot:         []tuf.Key{g.Snapshot},
		Timestamp:        []tuf.Key{g.Timestamp},
		RootExpires:      wholeSecond(g.RootExpires),
		TargetsExpires:   wholeSecond(g.TargetsExpires),
		Files:            slices.Clone(g.Files),
	}
	if err := checkPlan(plan); err != nil {
		return nil, err
	}
	b := &transfer.Bundle{Purpose: g.Purpose, Created: wholeSecond(now), Practice: g.Practice, Plan: plan}
	if err := checkAlone(g.OnePerson, holdingsOf(b)...); err != nil {
		return nil, err
	}
	return b, nil
}

// withBackups gives people a second key, for the roles of the first. Each follows its holder's first.
func withBackups(people []transfer.PlannedHolder, names []string) ([]transfer.PlannedHolder, error) {
	for i, name := range names {
		same := func(other string) bool { return samePerson(other) == samePerson(name) }
		at := slices.IndexFunc(people, func(h transfer.PlannedHolder) bool { return same(h.Name) })
		switch {
		case at < 0:
			return nil, planf("Name a holder.", "%q would bring a backup token and holds no key", name)
		case slices.ContainsFunc(names[:i], same):
			return nil, planf("One backup is enough.", "%q would bring two backup tokens", name)
		}
		second := people[at]
		second.Backup = true
		people = slices.Insert(people, at+1, second)
	}
	return people, nil
}

func wholeSecond(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// genesisHolders joins the two lists: a name in both is one person with one key.
func genesisHolders(root, targets []string) ([]transfer.PlannedHolder, error) {
	var people []transfer.PlannedHolder
	for _, name := range root {
		people = append(people, transfer.PlannedHolder{Name: strings.TrimSpace(name), Root: true})
	}
	for i, name := range targets {
		name = strings.TrimSpace(name)
		same := func(other string) bool { return samePerson(other) == samePerson(name) }
		if slices.ContainsFunc(targets[:i], same) {
			return nil, planf(advicePeople, "%q comes twice among the keyholders of targets", name)
		}
		at := slices.IndexFunc(people, func(h transfer.PlannedHolder) bool { return same(h.Name) })
		if at < 0 {
			people = append(people, transfer.PlannedHolder{Name: name, Targets: true})
			continue
		}
		people[at].Targets = true
	}
	return people, nil
}
