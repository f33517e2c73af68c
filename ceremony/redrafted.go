package ceremony

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"conclave/ceremony/tuf"
	"conclave/transfer"
)

// Redrafted says that people decided to change what is frozen: a new draft takes its place. What is frozen here
// stays as it is and can still be signed; the new draft is a ceremony of its own. It is journaled before the file is written.
type Redrafted struct {
	Name   string   `json:"name"`   // of the new draft's file on the medium
	SHA256 string   `json:"sha256"` // of that file, hex
	Lost   int      `json:"lost"`   // signatures that are worth nothing for it
	Reason string   `json:"reason"`
	By     []string `json:"by"`
}

// Kind names the event.
func (Redrafted) Kind() string { return "redrafted" }

func (e Redrafted) apply(s *State) error {
	if err := checkText("the reason", e.Reason); err != nil {
		return s.ruleErr("redraft", err)
	}
	if err := s.checkDeciders("redraft", e.By); err != nil {
		return err
	}
	if e.Name == "" || len(e.SHA256) != 64 || e.Lost < 0 {
		return s.rule("redraft", "it does not say which file the new draft is", "")
	}
	s.redrafted = append(s.redrafted[:len(s.redrafted):len(s.redrafted)], e)
	return nil
}

// Redrafted lists the drafts that were made to take this one's place.
func (s State) Redrafted() []Redrafted { return append([]Redrafted{}, s.redrafted...) }

// Redraft makes a new draft of what is frozen here, with r on top, and says which signatures that costs and who must come
// back. Nothing is changed and nothing written. folder holds the repository's metadata as it is published; it may be
// empty where the draft brings the current targets itself.
func (s *Session) Redraft(folder string, r Rotation) (*transfer.Bundle, *Cost, error) {
	next, cost, err := s.redraft(folder, r)
	return next, cost, failed("change the draft", safeSoFar, err)
}

func (s *Session) redraft(folder string, r Rotation) (*transfer.Bundle, *Cost, error) {
	b := s.State().bundle
	if b == nil || len(b.Base.Roots) == 0 {
		return nil, nil, planf("Plan the genesis anew: conclave plan genesis.", "a first root has no keys yet that could change")
	}
	base := b.Base
	if folder != "" {
		var err error
		if base, err = transfer.ReadRepository(folder, b.Base.Roots[0]); err != nil {
			return nil, nil, err
		}
	} else if b.RootAlone() || base.Document(tuf.Targets) == nil { // where the root alone changes, releases go on meanwhile
		return nil, nil, planf("Name the folder of the repository's metadata as it is published now.", "the draft does not hold the current targets, which the next root must still let clients verify")
	}
	return Redraft(b, base, r, s.cfg.Now())
}

// KeepDraft writes a draft that Redraft made to the medium, as a new file. Why and by whom goes on record first.
func (s *Session) KeepDraft(next *transfer.Bundle, cost *Cost, reason string, by []string) (path string, err error) {
	s.act.Lock()
	defer s.act.Unlock()
	path, err = s.keepDraft(next, Redrafted{Lost: len(cost.Dead), Reason: reason, By: by})
	return path, failed("write the new draft", safeSoFar, err)
}

func (s *Session) keepDraft(next *transfer.Bundle, e Redrafted) (string, error) {
	file, err := next.Bytes()
	if err != nil {
		return "", err
	}
	e.SHA256 = sha256Hex(file)
	for n := 1; n <= maxCopies; n++ {
		e.Name = fileStem(next) + ".redraft"
		if n > 1 {
			e.Name += "." + strconv.Itoa(n)
		}
		e.Name += bundleEnding
		if err := s.do(e); err != nil {
			return "", err
		}
		path, err := s.cfg.Medium.Export(e.Name, file)
		if !errors.Is(err, fs.ErrExist) {
			return path, err
		}
	}
	return "", fmt.Errorf("the medium holds %d other drafts of that name: %w", maxCopies, fs.ErrExist)
}
