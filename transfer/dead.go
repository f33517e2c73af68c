package transfer

import (
	"fmt"
	"strings"

	"conclave/ceremony/tuf"
)

// Dead names, in sentences, every signature in the bundle that does not verify or is by a key with no say.
// Conclave writes none: where there is one, the document was changed after it was
// signed, or another tool left it behind. Only transfer.Adopt, Join and a ceremony's freeze drop them, by name.
func (b *Bundle) Dead() ([]string, error) {
	var lines []string
	for _, d := range b.Documents {
		reqs, err := b.requirements(d.Role, d.Metadata)
		if err != nil {
			return nil, err
		}
		_, dead := tuf.Clean(d.Metadata, reqs)
		for _, s := range dead {
			if len(s.Sig) == 0 {
				continue // a placeholder of another tool claims nothing
			}
			lines = append(lines, fmt.Sprintf("%s: %s", d.Metadata.Title(), whyDead(s, reqs)))
		}
	}
	return lines, nil
}

// CheckSignatures refuses a bundle with a dead signature (*ContentError).
func (b *Bundle) CheckSignatures() error {
	dead, err := b.Dead()
	if err != nil || len(dead) == 0 {
		return err
	}
	return &ContentError{
		What: "it holds signatures that do not verify: " + strings.Join(dead, "; "),
		hint: "A document was changed after it was signed, or the file was damaged. Sign and publish nothing of it; get the bundle again from where it was made.",
	}
}
