package say

import (
	"time"

	"conclave/ceremony"
	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/transfer/qr"
	"conclave/tui/light"
	"conclave/tui/text"
)

// Help explains a step in a few sentences.
func Help(step ceremony.Step) []text.Safe {
	var out []text.Safe
	for _, s := range help[step] {
		out = append(out, text.Clean(s))
	}
	return out
}

var help = map[ceremony.Step][]string{
	ceremony.StepPreflight: {
		"The machine is looked at before anybody trusts it with a PIN: networks, swap, clock, medium, tokens, this program and the bundle.",
		"A line with [!] stops the ceremony. Mend what it names and check again, or go on all the same as an exception: why and by whom goes on record.",
		"Two people then read the clock aloud. A wrong clock signs wrong dates.",
	},
	ceremony.StepRollCall: {
		"Everybody who holds a key is asked for. Putting in a token answers by itself; the conductor answers for the others.",
		"Nothing is signed here and no PIN is asked for. Who is away now can still come later.",
	},
	ceremony.StepEnrolment: {
		"Each holder's token makes its own key in slot 9c. The key never leaves the token.",
		"A new YubiKey's PIN is 123456. Choose a new one of 6 to 8 characters; only its holder should know it.",
		"The program never tries a PIN by itself. After too many wrong ones the token blocks its PIN.",
		"A holder who cannot enrol may be taken out of the draft, as an exception on record.",
	},
	ceremony.StepFreeze: {
		"Freezing builds the documents and fixes every byte that will be signed.",
		"Until then people can still be taken out; after it, a change means a new draft and new signatures.",
	},
	ceremony.StepReview: {
		"What you sign is what these pages say. Read them to the end, all of you, and ask until you understand them.",
		"Then each holder types their own name. Who comes later reviews before signing.",
	},
	ceremony.StepSign: {
		"Put in a token. The screen says whose it is and what it would sign, before it asks for anything.",
		"The conductor reads the asked-for words aloud from the printed script or the witness view; you type them. So the screen, the paper and the room agree on what is signed.",
		"Then the PIN, once, and a touch for each signature. A signature is verified before it counts.",
		"A token that is pulled out or not touched loses nothing: put it in again.",
		"Who comes too late for this draft is put on the list for the next one. What is frozen does not change.",
		"Where the draft itself must change, it is said first which signatures that costs and who must come back; then a new draft is written, and this one stays as it is.",
	},
	ceremony.StepConfirm: {
		"The result is verified the way a client of the repository will do it, from the trusted root on.",
		"An incomplete bundle can be taken to the next site; signatures from several sites are joined later.",
	},
	ceremony.StepExport: {
		"The bundle is written to the medium, read back and compared. Nothing on the medium is overwritten.",
		"It may be written to more than one medium.",
	},
	ceremony.StepClose: {
		"Closing seals the record: nothing can be added to it any more. It is written beside the bundle.",
		"Witnesses may have a statement put on record, and also that they do not agree.",
	},
}

// A Planned is one thing that a genesis will make.
type Planned struct {
	Name string
	Text text.Safe
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// Plan says what a genesis or a rotation will make.
func Plan(p *transfer.Plan) []Planned {
	switch {
	case p == nil:
		return nil
	case p.Rotation != nil:
		return rotation(p)
	}
	var root, targets []string
	for _, h := range p.Holders {
		if h.Root {
			root = append(root, planned(h))
		}
		if h.Targets {
			targets = append(targets, planned(h))
		}
	}
	var size int64
	for _, f := range p.Files {
		size += f.Length
	}
	return []Planned{
		{"root", text.F("any %d of %s, until %s", p.RootThreshold, text.List(root...), day(p.RootExpires))},
		{"targets", text.F("any %d of %s, until %s", p.TargetsThreshold, text.List(targets...), day(p.TargetsExpires))},
		{"files", text.F("%s, %s", text.Count(len(p.Files), "file"), text.Bytes(size))},
	}
}

// planned names a key that is to be made.
func planned(h transfer.PlannedHolder) string {
	if h.Backup {
		return h.Name + " (backup)"
	}
	return h.Name
}

// rotation says which keys a changed root and its targets will have. Who holds the keys that stay
// is the trusted root's to say, and is shown with the review.
func rotation(p *transfer.Plan) []Planned {
	made, root, targets := []string{}, 0, 0
	count := func(inRoot, inTargets bool) {
		if inRoot {
			root++
		}
		if inTargets {
			targets++
		}
	}
	for _, k := range p.Rotation.Keep {
		count(k.Root, k.Targets)
	}
	for _, k := range p.Rotation.Join {
		count(k.Root, k.Targets)
	}
	for _, h := range p.Holders {
		count(h.Root, h.Targets)
		made = append(made, planned(h))
	}
	lines := []Planned{
		{"new keys", text.F("to be made by %s", text.List(made...))},
		{"root", text.F("any %d of %s, until %s", p.RootThreshold, text.Count(root, "key"), day(p.RootExpires))},
	}
	if p.TargetsExpires.IsZero() {
		return append(lines, Planned{"targets", text.Clean("stay as they are")})
	}
	return append(lines, Planned{"targets", text.F("any %d of %s, until %s", p.TargetsThreshold, text.Count(targets, "key"), day(p.TargetsExpires))})
}

// Freezing says what freezing means.
func Freezing() []text.Safe {
	return []text.Safe{
		text.Clean("Freezing fixes every byte that will be signed. From then on nobody can be added or taken out, and nothing in the documents changes."),
		text.Clean("A later change is a new draft: every signature made by then is lost for it."),
		text.Clean("Nothing is signed by freezing. Nobody needs a token or a PIN for it."),
	}
}

// Partial says what leaving signing early means.
func Partial() []text.Safe {
	return []text.Safe{
		text.Clean("Signatures are still missing. The bundle can be taken away as it is and signed further, here or at another site."),
		text.Clean("Clients accept nothing of it until every requirement is met. Nothing that was signed is lost."),
	}
}

// Needs says what the other side must hold to read what is shown.
func Needs(held []light.Held) []text.Safe {
	var lines []text.Safe
	for _, h := range held {
		lines = append(lines, text.F("The other side needs %s, SHA-256 %s.", h.Name, tuf.DigestOf(h.Bytes).Short()))
	}
	return lines
}

// Scanning says how far a scan is: "transfer 1f3a-99c2: 7 of 12 frames, about 3 seconds to go".
func Scanning(p qr.Progress) text.Safe {
	switch {
	case p.Need == 0:
		return text.Clean("no frame yet")
	case p.Done:
		return text.F("transfer %s: complete", p.Name)
	case p.Expect > 0:
		seconds := max(int(p.Expect.Round(time.Second)/time.Second), 1)
		return text.F("transfer %s: %d of %s, about %s to go", p.Name, p.Rank, text.Count(p.Need, "frame"), text.Count(seconds, "second"))
	}
	return text.F("transfer %s: %d of %s", p.Name, p.Rank, text.Count(p.Need, "frame"))
}
