package ceremony

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"conclave/ceremony/tuf"
	"conclave/hsm"
)

// A Visitor is a token in a reader, looked at without a PIN.
type Visitor struct {
	Reader string
	Info   hsm.Info
	Holder string      // whose it is, "" when this ceremony does not know it
	Counts bool        // a key in it counts in this ceremony, and is not to be lost
	Backup bool        // its key is the second one of its holder, who counts once
	Left   string      // for whom a cut-off enrolment of this ceremony made the key in it, which Enrol takes; else ""
	Stray  bool        // an enrolment of this ceremony was begun on it and cut off, and nothing shows that the key in it is from then
	Guard  hsm.Secrets // what it says of its PIN and PUK; zero where it says nothing
	Blank  bool        // 9c is empty
	Acts   []Act       // what it may sign now, in signing order
	Done   []Act       // what it has signed already
	Why    string      // why it can sign nothing, "" when Acts is not empty
}

// An Act is one signature to make.
type Act struct {
	Role    string
	Version int64
	Digest  tuf.Digest
	KeyID   string
	Slot    hsm.Slot
	Counts  []string // requirements that it counts for
	Needed  bool     // one of them is not met yet; else it is a signature more than enough
}

// String names the act: "root 5".
func (a Act) String() string { return fmt.Sprintf("%s %d", a.Role, a.Version) }

// Readers lists the readers that hold a token; cheap enough to poll, also while a token is at work.
func (s *Session) Readers(ctx context.Context) ([]string, error) {
	readers, err := hsm.Held(ctx, s.cfg.Tokens)
	return readers, failed("look for tokens", "Nothing was changed.", err)
}

// Look opens the token in reader, says whose it is and what it can sign, and lets it go. No PIN is involved.
func (s *Session) Look(ctx context.Context, reader string) (Visitor, error) {
	s.act.Lock()
	defer s.act.Unlock()
	v, err := s.look(ctx, reader)
	return v, failed("look at the token in "+reader, "Nothing was signed.", err)
}

func (s *Session) look(ctx context.Context, reader string) (Visitor, error) {
	token, err := s.cfg.Tokens.Open(ctx, reader)
	if err != nil {
		return Visitor{}, err
	}
	defer token.Close() // nothing was written to it
	keys, err := token.Keys(ctx)
	if err != nil {
		return Visitor{}, err
	}
	v := s.State().visitor(reader, token.Info(), keys)
	if keeper, ok := token.(hsm.Keeper); ok {
		v.Guard = keeper.Secrets()
	}
	return v, nil
}

// visitor says what the ceremony makes of a token. Keys are known by their bytes, never by a label.
func (s State) visitor(reader string, info hsm.Info, keys []hsm.Key) Visitor {
	v := Visitor{Reader: reader, Info: info, Blank: true}
	var counted claim
	for _, k := range keys {
		if k.Slot == hsm.SlotSignature {
			v.Blank = false
		}
		key, err := tuf.NewKey(k.Public)
		if err != nil {
			continue // a kind of key that no role can have
		}
		owner, ok := s.holderOf(key.SPKI)
		if !ok {
			continue
		}
		v.Holder, v.Counts = owner.name, true
		v.Backup = v.Backup || slices.Contains(owner.backups, info.Serial)
		if c := s.collect(&v, k.Slot, key.SPKI); counted.another == "" {
			counted = c
		}
	}
	if owner, ok := s.broughtBy(info.Serial); ok && v.Holder == "" && len(s.documents) == 0 {
		v.Holder = owner.name // by the roll call; it has no key yet
	}
	if _, holder := s.left(info.Serial, keys); holder != "" {
		v.Holder, v.Left = holder, holder
	}
	_, begun := s.enrolling[info.Serial]
	v.Stray = begun && v.Left == "" && !v.Blank && !v.Counts
	v.Why = s.why(v, counted)
	if v.Why != "" {
		v.Acts = nil
	}
	return v
}

// collect adds what one key may sign and has signed. It returns the claim that
// cannot be made because another key of the same holder was counted, if any.
func (s State) collect(v *Visitor, slot hsm.Slot, spki tuf.Digest) (counted claim) {
	for _, d := range s.documents {
		for _, c := range d.claims(spki) {
			act := Act{
				Role: d.role, Version: d.version, Digest: d.digest, KeyID: c.keyid,
				Slot: slot, Counts: slices.Clone(c.counts), Needed: c.needed,
			}
			switch {
			case c.signed:
				v.Done = append(v.Done, act)
			case c.open:
				v.Acts = append(v.Acts, act)
			case counted.another == "":
				counted = c
			}
		}
	}
	return counted
}

// why says in a sentence or two why a token can sign nothing now, "" where it can.
func (s State) why(v Visitor, counted claim) string {
	token := fmt.Sprintf("Token %d", v.Info.Serial)
	if v.Info.Retries == 0 {
		return fmt.Sprintf("The PIN of token %d is blocked: it was refused too often. No PIN is asked for. "+
			"It signs again once its PIN is set anew with the PUK.", v.Info.Serial)
	}
	if why := s.whyUnknown(v, token); why != "" {
		return why
	}
	switch s.step {
	case StepSign:
	case StepConfirm, StepExport, StepClose, StepDone:
		return fmt.Sprintf("%s is %s's. Signing is closed.", token, v.Holder)
	default:
		return fmt.Sprintf("%s is %s's. Signing has not begun: the ceremony is at the step %q.", token, v.Holder, s.step)
	}
	if i, err := s.find(v.Holder); err == nil && !s.people[i].reviewed {
		return fmt.Sprintf("%s is %s's, who has not read yet what changes. Review comes first.", token, v.Holder)
	}
	switch {
	case len(v.Acts) > 0:
		return ""
	case len(v.Done) > 0 && counted.another == "":
		return fmt.Sprintf("%s is %s's and has signed everything that it can: %s. Each counts once.", token, v.Holder, actsText(v.Done))
	case counted.another != "":
		return fmt.Sprintf("%s is %s, and %s counts for %s already, by %s. One person counts once.",
			token, v.whose(), v.Holder, counted.another, counted.otherToken())
	}
	return fmt.Sprintf("%s is %s's, but it is in no role that signs %s.", token, v.Holder, titleOf(s.bundle))
}

// whose is "Ann's", or "Ann's backup".
func (v Visitor) whose() string {
	if v.Backup {
		return v.Holder + "'s backup"
	}
	return v.Holder + "'s"
}

// otherToken names the token that counts in the claim's place.
func (c claim) otherToken() string {
	if c.by == 0 {
		return "another key"
	}
	return fmt.Sprintf("token %d", c.by)
}

// whyUnknown is why for a token whose key nobody holds.
func (s State) whyUnknown(v Visitor, token string) string {
	if _, known := s.keyOf(v); known {
		return ""
	}
	owner, listed := s.ownerOf(v.Info.Serial)
	switch {
	case v.Blank && listed && len(s.documents) > 0:
		return fmt.Sprintf("%s is listed as %s's, but its slot 9c is empty: was it reset? It cannot sign.", token, owner.name)
	case v.Blank:
		return fmt.Sprintf("%s is blank: its slot 9c holds no key.", token)
	case listed && len(s.documents) > 0:
		return fmt.Sprintf("%s is listed as %s's, but the key in it is another one: was it reset? It cannot sign.", token, owner.name)
	}
	return fmt.Sprintf("%s is unknown here: no key in it is a key of %s.", token, titleOf(s.bundle))
}

// keyOf reports whether v was recognised by a key.
func (s State) keyOf(v Visitor) (person, bool) {
	if v.Holder == "" {
		return person{}, false
	}
	i, err := s.find(v.Holder)
	if err != nil || len(s.people[i].keys) == 0 {
		return person{}, false
	}
	return s.people[i], true
}

func actsText(acts []Act) string {
	names := make([]string, 0, len(acts))
	for _, a := range acts {
		if !slices.Contains(names, a.String()) {
			names = append(names, a.String())
		}
	}
	return strings.Join(names, ", ")
}
