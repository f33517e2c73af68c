package ceremony

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"conclave/ceremony/tuf"
	"conclave/transfer"
)

// What the parts of a sitting take, in minutes, by rehearsals with people who have read the script once.
const (
	minutesSitting = 15 // preflight, roll call, export, close
	minutesEnrol   = 4  // a new token: PINs, key, proof
	minutesSign    = 3  // a keyholder: review, words, PIN, touches
)

// respond drafts every way that is open, and ranks them.
func (a *Assessment) respond(base transfer.Base, s Situation, now time.Time) {
	gone := a.names("", "stolen", "suspect", "lost")
	absent := a.ids("stolen", "lost") // who is only suspected still has the token, and can sign the old key out
	var stranded *StrandedError
	try := func(title string, r Rotation) {
		r.Purpose, r.Declared, r.Absent = "answer to a compromise: "+title, s.Declared, absent
		r.Snapshot, r.Timestamp = s.Snapshot, s.Timestamp
		r.RootExpires, r.TargetsExpires = s.RootExpires, s.TargetsExpires
		b, err := PlanRotation(base, r, now)
		if err != nil {
			errors.As(err, &stranded)
			return
		}
		sitting, err := PlanSitting(b, now, absent...)
		if err != nil || len(sitting.Enough) == 0 && len(sitting.MustCome) == 0 {
			return
		}
		a.Plans = append(a.Plans, Response{Title: title, Rotation: r, Bundle: b, Sitting: sitting})
	}
	a.ways(base.Document(tuf.Root), gone, try)
	for i := range a.Plans {
		a.fill(&a.Plans[i], base.Document(tuf.Root), s, now)
	}
	slices.SortStableFunc(a.Plans, func(x, y Response) int {
		if x.Minutes != y.Minutes {
			return x.Minutes - y.Minutes
		}
		return len(x.Sitting.Enough) - len(y.Sitting.Enough)
	})
	root := base.Document(tuf.Root)
	if n, threshold := a.hits(root, tuf.Root); stranded != nil || n >= threshold {
		a.Stranded = Rebootstrap()
	}
}

// ways are the changes worth trying.
func (a *Assessment) ways(root *tuf.Document, gone []string, try func(string, Rotation)) {
	if len(gone) == 0 {
		try("new online keys", Rotation{})
		return
	}
	out, in := Rotation{}, Rotation{}
	for _, name := range gone {
		out.Remove = append(out.Remove, Leaving{Name: name})
		in.Replace = append(in.Replace, Replacing{Name: name})
	}
	try(fmt.Sprintf("take out the keys of %s now, and give new tokens later", both(gone)), out)
	if lower, ok := lowered(root, gone); ok {
		lower.Remove = out.Remove
		try(fmt.Sprintf("take out the keys of %s, and lower the thresholds for a while", both(gone)), lower)
	}
	try(fmt.Sprintf("new tokens for %s in one sitting", both(gone)), in)
}

// lowered are thresholds that those who are left can meet with one to spare, where today's leave none.
func lowered(root *tuf.Document, gone []string) (Rotation, bool) {
	var r Rotation
	for _, role := range []string{tuf.Root, tuf.Targets} {
		left, threshold := len(Rotation{Absent: gone}.left(role, seatsOf(root))), root.Root().Roles[role].Threshold
		if left > threshold || left < 3 || threshold < 3 {
			continue // no need, or nobody could be spared without one key ruling alone
		}
		if role == tuf.Root {
			r.RootThreshold = left - 1
		} else {
			r.TargetsThreshold = left - 1
		}
	}
	return r, r.RootThreshold+r.TargetsThreshold > 0
}

// fill gives a response its time, consequences, checklist and messages.
func (a *Assessment) fill(r *Response, root *tuf.Document, s Situation, now time.Time) {
	r.Minutes = minutesSitting + minutesSign*len(r.Sitting.Enough)
	if r.Bundle.Plan != nil {
		r.Minutes += minutesEnrol * len(r.Bundle.Plan.Holders)
	}
	r.Consequences = a.consequences(r, root, now)
	r.Checklist = a.checklist(r)
	r.Messages = a.messages(r, s)
}

func (a *Assessment) consequences(r *Response, root *tuf.Document, now time.Time) []string {
	next := fmt.Sprintf("root %d", root.Version()+1)
	lines := []string{"Clients follow at their next update; nobody has to do anything on their side."}
	if left := root.Expires().Sub(now); left > 0 && len(a.ids("stolen", "suspect")) > 0 {
		lines = append(lines, fmt.Sprintf("A client that does not see %s goes on to trust the old keys until %s, in %s.",
			next, root.Expires().UTC().Format(time.DateOnly), span(left)))
	}
	if doc := r.Bundle.Document(tuf.Root); doc != nil {
		for _, h := range a.Keys {
			if slices.Contains(h.Roles, tuf.Timestamp) || slices.Contains(h.Roles, tuf.Snapshot) {
				lines = append(lines, tuf.Recovers(root, doc)...)
				break
			}
		}
	} else if len(r.Rotation.Snapshot) > 0 && len(r.Rotation.Timestamp) > 0 {
		lines = append(lines, fmt.Sprintf("Clients that take %s forget every timestamp and snapshot of the old keys, fast-forwarded ones too.", next))
	}
	for _, role := range []string{tuf.Snapshot, tuf.Timestamp} {
		fresh := r.Rotation.Snapshot
		if role == tuf.Timestamp {
			fresh = r.Rotation.Timestamp
		}
		if n, _ := a.hits(root, role); n > 0 && len(fresh) == 0 {
			lines = append(lines, fmt.Sprintf("THE STOLEN KEY OF %s STAYS: make a new one with conclave publish init and give it to this plan.", role))
		}
	}
	return lines
}

func (a *Assessment) checklist(r *Response) []string {
	var list []string
	if len(a.ids("stolen", "suspect")) > 0 {
		list = append(list, "Take away the publisher's credentials of the store, and stop the refresh, until it is clear who holds what.",
			"Keep what was published since the theft: copy the repository before anything is overwritten.")
	}
	list = append(list,
		"Call every keyholder by voice. Read them the first words of the base root's digest; who has other words is at another repository.",
		fmt.Sprintf("Ask each of %s whether their token is in their hand now: serial and colour.", both(r.Sitting.Enough)))
	if r.Bundle.Plan != nil {
		list = append(list, fmt.Sprintf("Have %s at hand, never used, of firmware 5.7 or later.", counted(len(r.Bundle.Plan.Holders), "new YubiKey")))
	}
	list = append(list, "Carry the bundle to the ceremony machine, and sign: conclave sign.",
		"Publish at once: conclave publish push. Then look with a client that stands at the oldest root.")
	if len(r.Rotation.Snapshot)+len(r.Rotation.Timestamp) > 0 {
		list = append(list, "Destroy the old online keys on every host that had them.")
	}
	return append(list, "Write down what happened, with times, while everybody remembers; put it beside the record.")
}

// messages are for those who must come, and for those whose keys go.
func (a *Assessment) messages(r *Response, s Situation) []Message {
	var all []Message
	made := func(name string) bool {
		return r.Bundle.Plan != nil && slices.ContainsFunc(r.Bundle.Plan.Holders, func(h transfer.PlannedHolder) bool { return samePerson(h.Name) == samePerson(name) })
	}
	when := s.Declared.UTC().Format("2006-01-02 15:04 UTC")
	for _, name := range r.Sitting.Enough {
		text := fmt.Sprintf("%s: a compromise of keys of our software repository was declared at %s. We need your signature on %s. "+
			"Please come to the ceremony machine with your token and your PIN; plan for %d minutes. Answer by voice, not by this channel. Sign nothing that others send you.",
			name, when, titleOf(r.Bundle), r.Minutes)
		if made(name) {
			text += " You get a new token there; bring the old one if you have it."
		}
		all = append(all, Message{To: name, Text: text})
	}
	for _, h := range a.Keys {
		if slices.Contains(r.Sitting.Enough, h.Holder) || len(a.names("", h.What)) == 0 || !slices.Contains(a.names("", h.What), h.Holder) {
			continue
		}
		all = append(all, Message{To: h.Holder, Text: fmt.Sprintf("%s: your key on token %d was declared %s at %s. Sign nothing with it from now on, and enter its PIN nowhere. "+
			"If you find the token, keep it switched off and call: it is evidence, and may still be needed.", h.Holder, h.Serial, h.What, when)})
	}
	return all
}
