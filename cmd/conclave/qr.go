package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"conclave/transfer"
	"conclave/transfer/qr"
	"conclave/transfer/qr/answer"
	"conclave/transfer/qr/armour"
)

// qrCommand is the way across the air gap by light.
func (p *program) qrCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "qr",
		Short: "Carry bundles and signatures across the air gap by light",
		Long: `Shows a bundle as a row of QR symbols, on a screen or on paper, and reads such
symbols with a camera, from pictures or with a keyboard scanner. Frames may come
in any order; some may be missing. What comes out has the SHA-256 that the sender
named, and goes through the same checks as a file from a stick.`,
	}
	cmd.AddCommand(p.qrShow(), p.qrScan(), p.qrCheck())
	return cmd
}

// readUpTo reads a regular file of at most limit bytes.
func readUpTo(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // a pipe would hang, a device fill the memory
		return nil, &advised{fmt.Errorf("read %s: it is not a regular file", path), "name the file itself: folders and devices are not read"}
	}
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(raw)) > limit {
		err = &advised{fmt.Errorf("read %s: it has more than %d bytes", path, limit), "carry it on a stick: light is for bundles"}
	}
	return raw, err
}

// answerText writes an answer as frames, one a line: what a scan of it would have read.
func answerText(a *answer.Answer) ([]byte, error) {
	m, err := qr.PackAnswer(a)
	if err != nil {
		return nil, err
	}
	sender, err := qr.NewSender(m, qr.Dense, armour.MaxText)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	for i := range sender.Parts() {
		b.WriteString(sender.At(i+1).Text + "\n")
	}
	return []byte(b.String()), nil
}

// readAnswer reads what qr scan wrote for an answer that it could not join.
func readAnswer(path string) (*answer.Answer, error) {
	raw, err := readUpTo(path, transfer.MaxBundle)
	if err != nil {
		return nil, err
	}
	s := newScan(path)
	s.typed(string(raw) + "\n")
	done, ok := s.receiver.Done()
	if !ok {
		return nil, fmt.Errorf("read %s: it is neither a bundle nor a whole answer", path)
	}
	content, err := qr.Unpack(done, nil)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return content.Answer()
}

// readForJoin reads bundles, and answers among them: each answer is applied to the first bundle
// that waits for it. So whatever came by light or by stick can be joined.
func readForJoin(paths []string) ([]*transfer.Bundle, error) {
	var bundles []*transfer.Bundle
	answers := map[string]*answer.Answer{}
	for _, path := range paths {
		b, err := transfer.Read(path)
		if err == nil {
			bundles = append(bundles, b)
			continue
		}
		a, noAnswer := readAnswer(path)
		if noAnswer != nil {
			return nil, err // what a bundle lacks is the better reason
		}
		answers[path] = a
	}
	for path, a := range answers {
		joined, err := applyFirst(a, bundles)
		if err != nil {
			return nil, fmt.Errorf("join %s: %w", path, err)
		}
		bundles = append(bundles, joined)
	}
	return bundles, nil
}

// applyFirst applies an answer to the first of waiting that it is for.
func applyFirst(a *answer.Answer, waiting []*transfer.Bundle) (*transfer.Bundle, error) {
	var why error
	for _, w := range waiting {
		joined, err := a.Apply(w)
		if err == nil {
			return joined, nil
		}
		why = errors.Join(why, err)
	}
	if why == nil {
		why = errNoBundle
	}
	return nil, why
}

var errNoBundle = errors.New("the bundle that waits for the signatures is not given")

var errNoTerminal = errors.New("it needs a terminal, or --png, --gif or --pdf")
