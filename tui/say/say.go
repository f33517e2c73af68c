// Package say holds the sentences that both front ends speak, so that nothing
// is written twice and a screen and a line never say different things.
//
// Its promise: every sentence is for a tired person at 2 a.m., and every
// refusal says what happened, what is safe, and what to do.
package say

import (
	"fmt"
	"slices"
	"strings"

	"conclave/ceremony"
	"conclave/ceremony/preflight"
	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/tui/room"
	"conclave/tui/text"
)

// The glyphs that carry meaning without colour. Each is a word or as wide as one.
const (
	OK    = "[OK]"
	Stop  = "[!]"
	Note  = "[i]"
	Touch = "[TOUCH]"
)

// Mark is the glyph of a check's verdict.
func Mark(s preflight.Status) string {
	switch s {
	case preflight.OK:
		return OK
	case preflight.Note:
		return Note
	}
	return Stop
}

// Document names one document: "root 5".
func Document(role string, version int64) text.Safe { return text.F("%s %d", role, version) }

// Heading names one document for headings: "ROOT 5".
func Heading(role string, version int64) text.Safe {
	return text.F("%s %d", strings.ToUpper(role), version)
}

// Act names what one signature is for: "ROOT 5".
func Act(a ceremony.Act) text.Safe { return Heading(a.Role, a.Version) }

// Acts joins acts: "ROOT 5 and TARGETS 18".
func Acts(acts []ceremony.Act) text.Safe {
	var names []string
	for _, a := range acts {
		names = append(names, Act(a).String())
	}
	return text.List(names...)
}

// Requirement is the short name of what must be met: "root 4's keys", "targets".
func Requirement(t transfer.RoleTally) text.Safe {
	if t.Role == tuf.Root {
		return text.Clean(t.Tally.Requirement.Name)
	}
	return text.Clean(t.Role)
}

// Tally says how far a requirement is: "2 of 3", "3 of 3 complete", "4 signatures, 3 needed: complete".
func Tally(t tuf.Tally) text.Safe {
	switch {
	case !t.Complete():
		return text.Clean(t.Count())
	case t.Signed > t.Requirement.Threshold:
		return text.F("%s: complete", t.Count())
	default:
		return text.F("%s complete", t.Count())
	}
}

// Short is Tally in the 20 cells of a table's column: "4, needs 3, complete".
func Short(t tuf.Tally) text.Safe {
	if need := t.Requirement.Threshold; t.Signed > need {
		return text.F("%d, needs %d, complete", t.Signed, need)
	}
	return Tally(t)
}

// Tallies says how far every requirement is, each in the form "root 4's keys 1 of 3".
func Tallies(tallies []transfer.RoleTally) []text.Safe {
	var out []text.Safe
	for _, t := range tallies {
		out = append(out, text.F("%s %s", Requirement(t), Tally(t.Tally)))
	}
	return out
}

// Words is the start of a digest in words, as far as n of them.
func Words(d tuf.Digest, n int) text.Safe {
	w := d.Words()
	if n >= len(w) {
		return text.Clean(strings.Join(w, " "))
	}
	return text.F("%s ...", strings.Join(w[:n], " "))
}

// Visitor says whose token came, and as what it counts: "YubiKey 13078779 is
// Bob's, a key of root 4, root 5 and targets."
func Visitor(v ceremony.Visitor) text.Safe {
	if v.Holder == "" {
		return text.F("YubiKey %d is nobody's in this ceremony.", v.Info.Serial)
	}
	counts := countsFor(append(slices.Clone(v.Done), v.Acts...))
	if len(counts) == 0 {
		return text.F("YubiKey %d is %s.", v.Info.Serial, whose(v))
	}
	return text.F("YubiKey %d is %s, a key of %s.", v.Info.Serial, whose(v), text.List(counts...))
}

// whose is "Bob's", or "Bob's backup".
func whose(v ceremony.Visitor) text.Safe {
	if v.Backup {
		return text.F("%s's backup", v.Holder)
	}
	return text.F("%s's", v.Holder)
}

// Signer names a key by its holder, and says that it is a backup; without a holder by the start of its keyid.
func Signer(s tuf.Signer) string {
	switch {
	case s.Holder.Name == "":
		return s.Key.ID[:min(8, len(s.Key.ID))]
	case s.Holder.Purpose == "backup":
		return s.Holder.Name + " (backup)"
	}
	return s.Holder.Name
}

// countsFor names what acts count for: "root 4", "root 5", "targets".
func countsFor(acts []ceremony.Act) []string {
	var names []string
	for _, a := range acts {
		for _, c := range a.Counts {
			if a.Role != tuf.Root {
				c = a.Role
			}
			c = strings.TrimSuffix(c, "'s keys")
			if !slices.Contains(names, c) {
				names = append(names, c)
			}
		}
	}
	return names
}

// Extra says that an act is not needed any more, where that is so.
func Extra(a ceremony.Act) text.Safe {
	if !a.Needed {
		return text.Clean("one more than needed")
	}
	return text.Safe{}
}

// Visit says what a visit is for: "Two signatures, two touches." and what was
// done before.
func Visit(v ceremony.Visitor) text.Safe {
	n := len(v.Acts)
	what, touch := "signatures", "touches"
	if n == 1 {
		what, touch = "signature", "touch"
	}
	s := text.F("%s %s, %s %s.", text.Capital(text.Number(n)), what, text.Number(n), touch)
	if len(v.Done) > 0 {
		return text.F("It has signed %s. %s", Acts(v.Done), s)
	}
	return text.F("It has not signed yet. %s", s)
}

// Tries says how often a PIN may still be typed wrongly.
func Tries(n int) text.Safe {
	switch {
	case n < 0:
		return text.Clean("tries left unknown")
	case n == 1:
		return text.Clean("1 try left")
	}
	return text.F("%d tries left", n)
}

// TouchNow asks for a touch and names the act.
func TouchNow(a ceremony.Act) text.Safe {
	return text.F("Touch the token now. It signs %s, %s", Act(a), Words(a.Digest, 3))
}

// Signed says that one signature is there and counts.
func Signed(holder string, a ceremony.Act) text.Safe {
	return text.F("Signed and verified: %s by %s.", Act(a), holder)
}

// Ask asks for a word of a digest: "word 3 of ROOT 5".
func Ask(c ceremony.Challenge, acts []ceremony.Act) text.Safe {
	for _, a := range acts {
		if a.Role == c.Role {
			return text.F("word %d of %s", c.Position, Act(a))
		}
	}
	return text.F("word %d of %s", c.Position, strings.ToUpper(c.Role))
}

// Standing says who somebody is in this ceremony: "root, targets", "leaves with this change".
func Standing(p ceremony.Participant) text.Safe {
	if p.Leaving {
		return text.Clean("leaves with this change")
	}
	return text.Clean(strings.Join(p.Roles, ", "))
}

// Presence says whether somebody is in the room: "here, token 13078779".
func Presence(p ceremony.Participant) text.Safe {
	switch p.Presence {
	case ceremony.Away:
		return text.Clean("away")
	case ceremony.Here:
		if len(p.Serials) > 0 {
			return text.F("here, token %s", tokens(p))
		}
		return text.Clean("here")
	}
	return text.Clean("not asked yet")
}

// tokens lists the tokens of somebody: "13078779, backup 13078780".
func tokens(p ceremony.Participant) text.Safe {
	var s []string
	for _, n := range p.Serials {
		if slices.Contains(p.Backups, n) {
			s = append(s, fmt.Sprintf("backup %d", n))
			continue
		}
		s = append(s, fmt.Sprint(n))
	}
	return text.Clean(strings.Join(s, ", "))
}

// Exception says what was decided against a rule, why, and by whom.
func Exception(e ceremony.Excepted) text.Safe {
	return text.F("accepted by %s: %s", text.List(e.By...), e.Reason)
}

// Names splits what people typed for several names: "Alice, Bob".
func Names(typed string) []string {
	var names []string
	for _, n := range strings.Split(typed, ",") {
		if n = strings.TrimSpace(n); n != "" {
			names = append(names, n)
		}
	}
	return names
}

// Deciding says how many people decide on an exception, and that a rehearsal takes it more lightly.
func Deciding(n int, practice bool) text.Safe {
	switch {
	case n == 0:
		return text.Clean("The policy allows no exception from this: plan it again.")
	case practice:
		return text.Clean("One person decides it (two different people, outside of practice).")
	}
	return text.F("%s different people decide it, each named by themselves.", Capital(n))
}

// Checked is the policy's check, for whoever decides again before the documents are frozen.
func Checked(st room.State, name string) (preflight.Check, bool) {
	for _, c := range st.Checks() {
		if c.Name == name {
			return c, true
		}
	}
	return preflight.Check{}, false
}

// IsSerial reports whether what somebody typed is the serial of a token. Zero is no token's.
func IsSerial(typed string, serial uint32) bool {
	return serial != 0 && strings.TrimSpace(typed) == fmt.Sprint(serial)
}

// SameName reports whether what somebody typed is meant to be name: letter
// case and space around it are forgiven, nothing else.
func SameName(name, typed string) bool {
	return strings.EqualFold(strings.TrimSpace(name), strings.TrimSpace(typed))
}

// ClockReaders asks for the people who have compared the clock.
func ClockReaders(practice bool) text.Safe {
	if practice {
		return text.Clean("The name of whoever did (two people, outside of practice)")
	}
	return text.Clean("The names of two people who did, separated by a comma")
}

// Stranger says what a token is that the roll call does not know.
func Stranger(v ceremony.Visitor) Notice {
	if v.Blank {
		return Notice{
			What: text.F("Token %d has no key yet, so it cannot say whose it is.", v.Info.Serial),
			Do:   text.Clean("Answer for its holder by name; the token makes its key at enrolment."),
		}
	}
	return Notice{
		What: text.F("Token %d is nobody's in this ceremony.", v.Info.Serial),
		Kept: text.Clean("Nothing was asked of it."),
		Do:   text.Clean("Take it out."),
	}
}

// Useless says why a token can sign nothing now.
func Useless(v ceremony.Visitor) Notice {
	n := Notice{What: Visitor(v), Kept: text.Clean("No PIN was asked for."), Do: text.Clean("Take the token out.")}
	if v.Why != "" {
		n.What = sentence(v.Why)
	}
	return n
}

// Find is the participant of a name.
func Find(st room.State, name string) (ceremony.Participant, bool) {
	for _, p := range st.Participants() {
		if p.Name == name {
			return p, true
		}
	}
	return ceremony.Participant{}, false
}

// MustReview reports whether holder has not read the frozen documents yet.
func MustReview(st room.State, holder string) bool {
	p, ok := Find(st, holder)
	return ok && !p.Reviewed
}

// Asked lists the asked-for words: "word 3 of ROOT 5, word 6 of ROOT 5".
func Asked(asked []ceremony.Challenge, acts []ceremony.Act) text.Safe {
	var s []string
	for _, c := range asked {
		s = append(s, Ask(c, acts).String())
	}
	return text.Clean(strings.Join(s, ", "))
}

// Answers are the words that asked asks for. Only the witness view and a
// rehearsal may show them.
func Answers(asked []ceremony.Challenge, acts []ceremony.Act) []string {
	var words []string
	for _, c := range asked {
		for _, a := range acts {
			if w := a.Digest.Words(); a.Role == c.Role && c.Position >= 1 && c.Position <= len(w) {
				words = append(words, w[c.Position-1])
				break
			}
		}
	}
	return words
}

// WantDecision says which checks stop the ceremony and what can be done.
func WantDecision(open []string) text.Safe {
	return text.F("Decide on %s: mend and check again, or accept as an exception.", text.List(open...))
}

// Capital spells a number at the start of a sentence.
func Capital(n int) text.Safe { return text.Capital(text.Number(n)) }
