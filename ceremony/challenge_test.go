package ceremony

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestChallengesAskAtLeastTwoWordsAndOneOfEveryDocument(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		roles := rapid.SliceOfNDistinct(rapid.StringMatching("[a-z]{1,8}"), 1, 6, rapid.ID[string]).Draw(t, "roles")
		source := strings.NewReader(string(rapid.SliceOfN(rapid.Byte(), 2000, 2000).Draw(t, "random")))
		asked, err := pick(source, roles)
		if err != nil {
			t.Skip("the same byte two thousand times")
		}
		of := map[string]int{}
		seen := map[Challenge]bool{}
		for _, c := range asked {
			if c.Position < 1 || c.Position > 32 || seen[c] {
				t.Fatalf("asked %v", asked)
			}
			seen[c] = true
			of[c.Role]++
		}
		if len(asked) < 2 || len(of) != len(roles) {
			t.Fatalf("asked %v of %v", asked, roles)
		}
	})
}

func TestDrawReachesEveryWordEquallyOften(t *testing.T) {
	got := map[int]int{}
	source := &counting{}
	for range 256 {
		position, err := draw(source)
		if err != nil {
			t.Fatal(err)
		}
		got[position]++
	}
	for position := 1; position <= 32; position++ {
		if got[position] != 8 {
			t.Errorf("word %d is drawn %d times of 256, want 8", position, got[position])
		}
	}
}

func TestApproval(t *testing.T) {
	w, s := signing(t, threePeople...)
	v, err := w.look(s, "Alice")
	if err != nil {
		t.Fatal(err)
	}
	asked, err := s.Challenges(v)
	if err != nil || len(asked) != 2 {
		t.Fatalf("asked %v, %v", asked, err)
	}
	again, err := s.Challenges(v)
	if err != nil || again[0] != asked[0] || again[1] != asked[1] {
		t.Errorf("asked again, it asks for %v instead of %v", again, asked)
	}
	right := answers(s.State(), asked)

	var word *WordError
	err = s.Approve(v, asked, []string{right[0], "hamburgers"})
	if !errors.As(err, &word) || word.Position != asked[1].Position || strings.Contains(err.Error(), right[1]) {
		t.Errorf("a wrong word: %v", err)
	}
	own := []Challenge{{Role: "root", Position: 1}, {Role: "targets", Position: 1}}
	if asked[0] != own[0] || asked[1] != own[1] {
		if err := s.Approve(v, own, answers(s.State(), own)); ruleOf(err) != "approval" {
			t.Errorf("words of one's own choice: %v, want the rule about approval", err)
		}
	}
	if err := s.Approve(v, asked, right[:1]); ruleOf(err) != "approval" {
		t.Errorf("one word of two: %v, want the rule about approval", err)
	}
	if err := s.Approve(v, nil, nil); ruleOf(err) != "approval" {
		t.Errorf("no words: %v, want the rule about approval", err)
	}
	if n := len(w.events(Approved{}.Kind())); n != 0 {
		t.Fatalf("%d approvals on record before the right words", n)
	}
	if err := s.Approve(v, asked, []string{" " + strings.ToUpper(right[0]) + " ", strings.ToLower(right[1])}); err != nil {
		t.Fatalf("the right words in other cases: %v", err)
	}
	if asked, err = s.Challenges(v); err != nil || len(asked) != 0 {
		t.Errorf("what is approved is asked again: %v, %v", asked, err)
	}
	if err := s.Approve(v, asked, nil); err != nil {
		t.Errorf("with nothing to approve: %v", err)
	}
}
