package ceremony

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"conclave/ceremony/tuf"
	"conclave/hsm"
	"conclave/transfer"
)

// A PlanError says why a bundle is not planned, or a plan not begun.
type PlanError struct {
	What   string
	Advice string
}

// Error says what is wrong.
func (e *PlanError) Error() string { return "plan: " + e.What }

// Hint says what to do.
func (e *PlanError) Hint() string { return e.Advice }

func planf(advice, format string, args ...any) error {
	return &PlanError{What: fmt.Sprintf(format, args...), Advice: advice}
}

// Limits of a plan.
const (
	minValidity  = time.Hour                 // less is gone before the ceremony ends
	maxValidity  = 20 * 366 * 24 * time.Hour // more outlives every key and everybody's memory
	maxPurpose   = 200                       // characters: one line on a screen
	advicePeople = "Give every person once, by the name that the others know."
)

// checkPurpose wants one line that looks like what it is.
func checkPurpose(purpose string) error {
	if purpose == "" {
		return nil
	}
	if err := checkText("the purpose", purpose); err != nil {
		return planf("", "%v", err)
	}
	if strings.ContainsAny(purpose, "\n\t") || len([]rune(purpose)) > maxPurpose {
		return planf("", "the purpose is not one line of at most %d characters", maxPurpose)
	}
	return nil
}

// checkExpiryOf refuses an expiry that nobody can have meant.
func checkExpiryOf(role string, expires, now time.Time) error {
	left := expires.Sub(now)
	switch {
	case left <= 0:
		return planf("Give a time in the future.", "%s would expire on %s, which is past", role, expires.UTC().Format(time.DateTime))
	case left < minValidity:
		return planf("Give it time to be signed and published.", "%s would expire in %s", role, span(left))
	case left > maxValidity:
		return planf("A year is usual for root, some months for targets.", "%s would expire on %s, in more than 20 years", role, expires.UTC().Format(time.DateOnly))
	}
	return nil
}

// checkPlan holds what must be true of every plan for a genesis, wherever it comes from.
func checkPlan(p *transfer.Plan) error {
	if err := checkHolders(p.Holders, nil); err != nil {
		return err
	}
	for _, h := range holdingsOf(&transfer.Bundle{Plan: p}) {
		if err := checkThreshold(h.role, h.threshold, len(h.names)); err != nil {
			return err
		}
	}
	if p.Algorithm != string(hsm.P256) && p.Algorithm != string(hsm.P384) {
		return planf("Take p256, which every client reads, or p384.", "the algorithm %q is not known", p.Algorithm)
	}
	if err := checkOnline(tuf.Snapshot, p.Snapshot); err != nil {
		return err
	}
	if err := checkOnline(tuf.Timestamp, p.Timestamp); err != nil {
		return err
	}
	return checkFiles(p.Files)
}

// checkHolders wants each person once, and a second time at most for a backup; others
// are people who hold a first key already.
func checkHolders(holders []transfer.PlannedHolder, others []string) error {
	if len(holders) > tuf.MaxRoleKeys {
		return planf("", "there are %d keys to make, and a role has at most %d", len(holders), tuf.MaxRoleKeys)
	}
	seen, second := map[string]string{}, map[string]bool{}
	for _, h := range holders {
		if err := checkName(h.Name); err != nil {
			return planf(advicePeople, "%v", err)
		}
		if !h.Root && !h.Targets {
			return planf("", "%s holds no key", h.Name)
		}
		other, known := seen[samePerson(h.Name)]
		switch {
		case h.Backup && !known && !containsPerson(others, h.Name):
			return planf("Name the first token's key before the backup.", "%s would have a backup and no first key", h.Name)
		case h.Backup && second[samePerson(h.Name)]:
			return planf("One backup is enough.", "%s would bring two backup tokens", h.Name)
		case h.Backup:
			second[samePerson(h.Name)] = true
			continue
		case known:
			return planf(advicePeople, "%q and %q are one name", other, h.Name)
		}
		seen[samePerson(h.Name)] = h.Name
	}
	return nil
}

func checkThreshold(role string, threshold, holders int) error {
	if threshold < 1 || threshold > holders {
		return planf(fmt.Sprintf("Give a threshold from 1 to %d.", holders),
			"%s would need %d of %d keyholders", role, threshold, holders)
	}
	return nil
}

func checkOnline(role string, keys []tuf.Key) error {
	if len(keys) == 0 {
		return planf("Make one with: conclave publish init.", "%s has no online key", role)
	}
	for i, k := range keys {
		if k.ID == "" || k.Public == nil {
			return planf("Make one with: conclave publish init.", "the online key of %s is empty", role)
		}
		if slices.ContainsFunc(keys[:i], func(o tuf.Key) bool { return o.SPKI == k.SPKI }) {
			return planf("List it once.", "%s lists one online key twice", role)
		}
	}
	return nil
}

// checkFiles refuses paths that clients or stores cannot fetch.
func checkFiles(files []transfer.PlannedFile) error {
	seen := make(map[string]bool, len(files))
	for _, f := range files {
		if err := tuf.CheckTargetPath(f.Path); err != nil {
			return &PlanError{What: err.Error(), Advice: hintOf(err)}
		}
		if seen[f.Path] {
			return planf("Give every file once.", "the file %q comes twice", f.Path)
		}
		if f.Length < 0 {
			return planf("", "the file %q has a negative length", f.Path)
		}
		seen[f.Path] = true
	}
	return checkFolders(seen)
}

// checkFolders refuses a file whose name is also a folder of another: S3 on a
// file system and every plain web server can hold only one of them.
func checkFolders(paths map[string]bool) error {
	for path := range paths {
		for i, c := range path {
			if c == '/' && paths[path[:i]] {
				return planf("Rename one of them.", "%q is a file and a folder as well, because of %q", path[:i], path)
			}
		}
	}
	return nil
}
