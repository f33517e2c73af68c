package transfer

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"conclave/ceremony/tuf"
)

func TestStatusIsDerivedFromSignatures(t *testing.T) {
	for name, c := range map[string]struct {
		b    *Bundle
		want string
	}{
		"a plan":    {plan(), "plan"},
		"a draft":   {release(t), "draft; targets: 0 of 2 of targets keys of root 1"},
		"a partial": {release(t, "Bob"), "partial; targets: 1 of 2 of targets keys of root 1"},
		"a whole":   {release(t, "Bob", "Carol"), "complete; targets: 2 of 2 of targets keys of root 1"},
		"a genesis of which only the root is signed": {
			sign(t, genesis(t), tuf.Root, "Alice", "Bob"),
			"partial; root: 2 of 2 of root 1's keys; targets: 0 of 2 of targets keys of root 1",
		},
		"a rotation that the old holders signed": {
			rotation(t, "Carol", "Alice"),
			"partial; root: 2 of 2 of root 2's keys; root: 1 of 2 of root 3's keys",
		},
		"a rotation that enough of both signed": {
			rotation(t, "Carol", "Alice", "Dana"),
			"complete; root: 2 of 2 of root 2's keys; root: 2 of 2 of root 3's keys",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := c.b.Status()
			if err != nil {
				t.Fatal(err)
			}
			if got := states(s); got != c.want {
				t.Errorf("status is\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// Someone moves signatures from the draft that was signed to one that was not.
func TestSignaturesOfAnotherPayloadDoNotCount(t *testing.T) {
	signed, draft := release(t, "Alice", "Bob"), release(t)
	other := newTargets(t, 2, "evil.bin")
	raw := strings.Replace(string(other.Bytes()), `"signatures": []`, signaturesOf(t, signed.Document(tuf.Targets)), 1)
	doc := mustDoc(t)(tuf.Parse([]byte(raw)))
	if len(doc.Signatures()) != 2 {
		t.Fatalf("the forgery holds %d signatures, want 2", len(doc.Signatures()))
	}
	s, err := draft.With(tuf.Targets, doc).Status()
	if err != nil || s.State != StateDraft {
		t.Errorf("status = %s, %v; want a draft", states(s), err)
	}
}

// signaturesOf cuts the member "signatures" out of a file as tuf writes it.
func signaturesOf(t *testing.T, doc *tuf.Document) string {
	t.Helper()
	raw := string(doc.Bytes())
	start := strings.Index(raw, `"signatures"`)
	end := strings.Index(raw, "\n ]")
	if start < 0 || end < start {
		t.Fatalf("no signatures in %s", raw)
	}
	return raw[start : end+3]
}

func TestRequirementsOfDelegatedRolesComeFromTheTargetsAbove(t *testing.T) {
	if _, err := os.Stat(filepath.Join(realData, "docker")); err != nil {
		t.Skip("no real repositories at ../shared/data/real")
	}
	b := realDelegation(t)
	reqs, err := b.Requirements("doi")
	if err != nil || len(reqs) != 1 || reqs[0].Role != "doi" {
		t.Fatalf("Requirements = %v, %v", reqs, err)
	}
	if s, err := b.Status(); err != nil || s.State != StateComplete {
		t.Errorf("status = %s, %v", states(s), err)
	}
	// The bundle's own targets take the delegation away.
	b = b.With(tuf.Targets, newTargets(t, 99))
	_, err = b.Requirements("doi")
	var content *ContentError
	if !errors.As(err, &content) {
		t.Errorf("Requirements = %v, want a refusal", err)
	}
	wantHint(t, err)
}

func TestRequirementsOfWhatIsNotThere(t *testing.T) {
	if _, err := release(t).Requirements(tuf.Root); err == nil {
		t.Error("a document that the bundle has not got has requirements")
	}
}
