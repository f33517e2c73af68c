package say

import (
	"strconv"
	"strings"

	"conclave/ceremony"
	"conclave/transfer"
	"conclave/tui/text"
)

// A Change is what people typed about keys that change. What is empty stays.
type Change struct {
	Joins   string // "Dana, Erin:root": names, and after a colon the roles where not both are meant, joined by a plus
	Goes    string // the same
	Brings  string // who brings a new token
	Seconds string // who brings a second token beside the first, for the roles of the first or the named ones
	Root    string // of whom must sign root
	Targets string // of whom must sign targets
}

// Rotation reads the change, or says what is wrong with it.
func (c Change) Rotation() (ceremony.Rotation, text.Safe) {
	var r ceremony.Rotation
	for _, name := range Names(c.Joins) {
		who, roles := seat(name)
		r.Add = append(r.Add, ceremony.Joining{Name: who, Roles: Roles(strings.Join(roles, ","))})
	}
	for _, name := range Names(c.Goes) {
		who, roles := seat(name)
		r.Remove = append(r.Remove, ceremony.Leaving{Name: who, Roles: roles})
	}
	for _, name := range Names(c.Brings) {
		r.Replace = append(r.Replace, ceremony.Replacing{Name: name})
	}
	for _, name := range Names(c.Seconds) {
		who, roles := seat(name)
		r.Backups = append(r.Backups, ceremony.Joining{Name: who, Roles: roles})
	}
	for _, n := range []struct {
		typed string
		to    *int
	}{{c.Root, &r.RootThreshold}, {c.Targets, &r.TargetsThreshold}} {
		if n.typed = strings.TrimSpace(n.typed); n.typed == "" {
			continue
		}
		v, err := strconv.Atoi(n.typed)
		if err != nil || v < 1 {
			return r, text.F("%s is no number of people.", n.typed)
		}
		*n.to = v
	}
	return r, text.Safe{}
}

// A KeyFile is the key that somebody has already, in a file.
type KeyFile struct{ Name, Path string }

// KeyFiles reads "Dana=dana.json, Erin=keys/erin.pub", or says what is wrong with it.
func KeyFiles(typed string) ([]KeyFile, text.Safe) {
	var files []KeyFile
	for _, item := range Names(typed) {
		name, path, ok := strings.Cut(item, "=")
		if !ok || strings.TrimSpace(name) == "" || strings.TrimSpace(path) == "" {
			return nil, text.F("%s is no name with a file, like Dana=dana.json.", item)
		}
		files = append(files, KeyFile{strings.TrimSpace(name), strings.TrimSpace(path)})
	}
	return files, text.Safe{}
}

// seat reads "Dana:root+targets".
func seat(typed string) (who string, roles []string) {
	who, rest, _ := strings.Cut(typed, ":")
	for _, role := range strings.Split(rest, "+") {
		if role = strings.TrimSpace(role); role != "" {
			roles = append(roles, strings.ToLower(role))
		}
	}
	return strings.TrimSpace(who), roles
}

// Costly says what a change of a frozen draft means before anybody says what shall change.
func Costly(tallies []transfer.RoleTally) []text.Safe {
	made := map[string]bool{} // one signature may count for two requirements
	for _, t := range tallies {
		for _, s := range t.Tally.Signers {
			if s.Signed {
				made[t.Role+" "+s.Key.ID] = true
			}
		}
	}
	signed := len(made)
	if signed == 0 {
		return []text.Safe{text.Clean("Nobody has signed yet: a change makes a new draft and costs no signature.")}
	}
	return []text.Safe{
		text.F("%s there. A change makes a new draft: those on documents that change are worth nothing for it, and whoever made them must come back.", text.Capital(are(signed))),
		text.Clean("First it is said which ones and who. Nothing is written before you agree, and this draft stays as it is."),
	}
}

func are(signed int) text.Safe {
	if signed == 1 {
		return text.Clean("one signature is")
	}
	return text.F("%s are", text.Count(signed, "signature"))
}

// Redrafted says what a new draft is that takes this one's place.
func Redrafted(path string) []text.Safe {
	return []text.Safe{
		text.F("The new draft is written: %s.", path),
		text.Clean("It is a ceremony of its own: leave this one, and sign that. Destroy what was exported of this one."),
	}
}
