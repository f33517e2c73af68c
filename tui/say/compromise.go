package say

import (
	"fmt"
	"strings"
	"time"

	"conclave/ceremony"
	"conclave/ceremony/tuf"
	"conclave/tui/text"
)

// Declared says since when a compromise is being answered; it is empty where none was declared.
func Declared(at, now time.Time) text.Safe {
	if at.IsZero() {
		return text.Safe{}
	}
	return text.F("COMPROMISE %s", ceremony.Since(at, now))
}

// Hit says what happened to which key: "stolen   Carol, token 13078778, of root and targets".
func Hit(h ceremony.Hit) text.Safe {
	token := ""
	if h.Serial != 0 {
		token = fmt.Sprintf(", token %d", h.Serial)
	}
	return text.F("%-8s %s%s, of %s", h.What, h.Holder, token, text.List(h.Roles...))
}

// Threat says what somebody with the keys can do, and what clients may hold by now.
func Threat(a *ceremony.Assessment) []Section {
	out := []Section{{Title: "WHAT SOMEBODY WITH THESE KEYS CAN DO NOW", Items: items("", a.Attacker)}}
	if len(a.Clients) > 0 {
		out = append(out, Section{Title: "WHAT CLIENTS MAY HOLD", Items: items("", a.Clients)})
	}
	return out
}

// Way says in one line what a way out takes: "about 24 minutes once they are there; 3 must come: Alice, Bob and Dana".
func Way(r ceremony.Response) text.Safe {
	return text.F("about %d minutes once they are there; %d must come: %s", r.Minutes, len(r.Sitting.Enough), text.List(r.Sitting.Enough...))
}

// WhyWay says who must sign for a way out and what it means for clients.
func WhyWay(r ceremony.Response) []Section {
	return []Section{
		{Title: "WHO MUST SIGN", Items: items("", r.Sitting.Text)},
		{Title: "WHAT IT MEANS FOR CLIENTS", Items: items("", r.Consequences)},
	}
}

// Errands are what there is to do for a way out, in order, and what to tell whom.
func Errands(r ceremony.Response) []Section {
	list := Section{Title: "CHECKLIST"}
	for i, step := range r.Checklist {
		list.Items = append(list.Items, Item{Text: text.F("%2d  [ ] %s", i+1, step)})
	}
	texts := Section{Title: "TEXTS FOR THE KEYHOLDERS"}
	for _, m := range r.Messages {
		texts.Items = append(texts.Items, Item{Text: text.F("to %s:", m.To)}, Item{Text: text.Clean(m.Text)})
	}
	return []Section{list, texts}
}

// Stranded is the procedure out of band where no ceremony helps; nil where one does.
func Stranded(a *ceremony.Assessment) []Section {
	if len(a.Stranded) == 0 {
		return nil
	}
	s := Section{Title: "OUT OF BAND: A NEW REPOSITORY"}
	for i, step := range a.Stranded {
		s.Items = append(s.Items, Item{Text: text.F("%d  %s", i+1, step)})
	}
	return []Section{s}
}

// WhoMustSign says who must come for a bundle and what goes on meanwhile.
func WhoMustSign(s *ceremony.Sitting) Section {
	return Section{Title: "WHO MUST SIGN", Items: items("", s.Text)}
}

// Policy is what the policy has to say of a draft.
func Policy(lines []string) Section { return Section{Title: "POLICY", Items: items("", lines)} }

func items(mark string, lines []string) []Item {
	var out []Item
	for _, l := range lines {
		out = append(out, Item{Mark: mark, Text: text.Clean(l)})
	}
	return out
}

// Queued says who waits for the next draft: "Dana joins root and targets with the next draft."
func Queued(all []ceremony.Joining) []text.Safe {
	var out []text.Safe
	for _, j := range all {
		out = append(out, text.F("%s joins %s with the next draft: conclave plan rotate --queued.", j.Name, text.List(j.Roles...)))
	}
	return out
}

// Roles reads the roles that somebody shall join: "root, targets"; both where nothing is said.
func Roles(typed string) []string {
	if roles := Names(strings.ToLower(typed)); len(roles) > 0 {
		return roles
	}
	return []string{tuf.Root, tuf.Targets}
}
