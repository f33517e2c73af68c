package ceremony

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"conclave/ceremony/tuf"
)

// A Challenge asks for one word of a payload's digest, to be heard from the conductor.
type Challenge struct {
	Role     string
	Position int // 1 to 32
}

// words is how many words a digest has, and leastWords how many are asked in one visit.
const (
	words      = len(tuf.Digest{})
	leastWords = 2
)

// Challenges picks the words that the visitor's holder must type: at least
// two, and at least one of every document in v.Acts. It is empty where the holder
// has approved all of them with this token before. Asked again before the
// approval, it asks for the same words.
func (s *Session) Challenges(v Visitor) ([]Challenge, error) {
	s.act.Lock()
	defer s.act.Unlock()
	asked, err := s.challenges(v)
	return asked, failed("ask for words", safeSoFar, err)
}

func (s *Session) challenges(v Visitor) ([]Challenge, error) {
	roles := s.State().unapproved(v)
	if len(roles) == 0 {
		return nil, nil
	}
	asked := s.asked[v.Info.Serial]
	if slices.Equal(rolesOfChallenges(asked), roles) {
		return slices.Clone(asked), nil
	}
	asked, err := pick(s.cfg.Rand, roles)
	if err != nil {
		return nil, err
	}
	s.asked[v.Info.Serial] = asked
	return slices.Clone(asked), nil
}

// unapproved lists the roles in v.Acts whose documents the holder has not approved with this token.
func (s State) unapproved(v Visitor) []string {
	i, err := s.find(v.Holder)
	if err != nil {
		return nil
	}
	approved := s.people[i].approved[v.Info.Serial]
	var roles []string
	for _, a := range v.Acts {
		if approved[a.Role] != a.Digest.Hex() && !slices.Contains(roles, a.Role) {
			roles = append(roles, a.Role)
		}
	}
	return roles
}

func rolesOfChallenges(asked []Challenge) []string {
	var roles []string
	for _, c := range asked {
		if !slices.Contains(roles, c.Role) {
			roles = append(roles, c.Role)
		}
	}
	return roles
}

// pick draws one word of every role, and more of the first until there are enough. They
// come in the order of the roles, then of the words.
func pick(random io.Reader, roles []string) ([]Challenge, error) {
	var asked []Challenge
	for i, role := range roles {
		n := 1
		if i == 0 {
			n = max(1, leastWords-len(roles)+1)
		}
		var at []int
		for len(at) < n {
			position, err := draw(random)
			if err != nil {
				return nil, err
			}
			if !slices.Contains(at, position) {
				at = append(at, position)
			}
		}
		slices.Sort(at)
		for _, position := range at {
			asked = append(asked, Challenge{Role: role, Position: position})
		}
	}
	return asked, nil
}

// draw gives a position from 1 to 32, all equally likely: 256 is a multiple of 32.
func draw(random io.Reader) (int, error) {
	var b [1]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return 0, fmt.Errorf("draw a word: %w", err)
	}
	return int(b[0])%words + 1, nil
}

// Approve checks the words (case and space are forgiven) and records the approval. A
// wrong word is a *WordError. Where nothing was asked because everything is approved, it does nothing.
func (s *Session) Approve(v Visitor, asked []Challenge, words []string) error {
	s.act.Lock()
	defer s.act.Unlock()
	return failed("approve with token "+fmt.Sprint(v.Info.Serial), safeSoFar, s.approve(v, asked, words))
}

func (s *Session) approve(v Visitor, asked []Challenge, typed []string) error {
	state := s.State()
	roles := state.unapproved(v)
	if len(roles) == 0 && len(asked) == 0 {
		return nil
	}
	if !slices.Equal(asked, s.asked[v.Info.Serial]) || !slices.Equal(rolesOfChallenges(asked), roles) {
		return state.rule("approval", "these are not the words that were asked for", "Ask for the words anew.")
	}
	if len(typed) != len(asked) {
		return state.rule("approval", fmt.Sprintf("%d words were asked for, %d were typed", len(asked), len(typed)), "Type all of them.")
	}
	digests := map[string]string{}
	for i, c := range asked {
		d, ok := state.document(c.Role)
		if !ok {
			return state.rule("approval", fmt.Sprintf("there is no document for %q", c.Role), "")
		}
		if word := d.digest.Words()[c.Position-1]; !strings.EqualFold(strings.Join(strings.Fields(typed[i]), ""), word) {
			return &WordError{Role: fmt.Sprintf("%s %d", d.role, d.version), Position: c.Position}
		}
		digests[c.Role] = d.digest.Hex()
	}
	if err := s.do(Approved{Holder: v.Holder, Serial: v.Info.Serial, Digests: digests}); err != nil {
		return err
	}
	delete(s.asked, v.Info.Serial)
	return nil
}
