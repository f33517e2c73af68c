package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"conclave/hsm"
	"conclave/hsm/attest"
	"conclave/tui/text"
)

// A finding is one line of a token's check.
type finding struct {
	Name   string `json:"name"`
	Status string `json:"status"` // "ok", "note", or "stop": not fit for a ceremony
	Text   string `json:"text"`
	Hint   string `json:"hint,omitempty"`
}

const (
	findOK   = "ok"
	findNote = "note"
	findStop = "stop"
)

// checkReport is what check prints with --json.
type checkReport struct {
	Serial   uint32    `json:"serial"`
	Fit      bool      `json:"fit"`
	Enrolled bool      `json:"enrolled"`
	Findings []finding `json:"findings"`
}

func (p *program) tokenCheckCommand() *cobra.Command {
	var flags tokenFlags
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Say whether a token is fit for a ceremony",
		Long: `Checks a token: firmware, PIN and PUK tries, whether PIN, PUK and management key
are still the factory's, and each key's policies and attestation. What the token
does not say is not tried out. Exit code 0: fit. 4: it is not.`,
		Example: "  conclave token check\n  conclave token check --serial 20114422 --json",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return p.tokenCheck(cmd.Context(), flags) },
	}
	flags.register(cmd)
	return cmd
}

func (p *program) tokenCheck(ctx context.Context, flags tokenFlags) error {
	token, err := openOne(ctx, flags.serial)
	if err != nil {
		return err
	}
	defer func() { _ = token.Close() }()
	report, err := checkToken(ctx, token, flags.roots())
	if err != nil {
		return onToken(err)
	}
	if err := p.printCheck(report); err != nil {
		return err
	}
	if !report.Fit {
		return &statusError{code: exitToken, text: fmt.Sprintf("token %d is not fit for a ceremony", report.Serial), hint: "do what stands beside each [!], or use another token"}
	}
	return nil
}

func checkToken(ctx context.Context, token hsm.Keeper, roots attest.Roots) (checkReport, error) {
	keys, err := token.Keys(ctx)
	if err != nil {
		return checkReport{}, err
	}
	r := checkReport{Serial: token.Info().Serial, Fit: true, Enrolled: len(keys) > 0}
	r.Findings = append(r.Findings, checkFirmware(token.Info()))
	r.Findings = append(r.Findings, checkSecrets(token, len(keys) > 0)...)
	for _, k := range keys {
		f, err := checkKey(ctx, token, k, roots)
		if err != nil {
			return r, err
		}
		r.Findings = append(r.Findings, f)
	}
	if len(keys) == 0 {
		r.Findings = append(r.Findings, finding{"key", findNote, "none yet", "make one: conclave token enrol NAME, or in the ceremony itself"})
	}
	for _, f := range r.Findings {
		r.Fit = r.Fit && f.Status != findStop
	}
	return r, nil
}

func checkFirmware(info hsm.Info) finding {
	if weak := hsm.Weaknesses(info.Firmware); len(weak) > 0 {
		return finding{"firmware", findNote, weak[0], "keep the token where nobody can take it for a day, and plan its replacement"}
	}
	return finding{"firmware", findOK, info.Firmware, ""}
}

// checkSecrets goes by what the token says. A new token has the factory's
// secrets, and its enrolment replaces them; one with a key must not.
func checkSecrets(token hsm.Keeper, enrolled bool) []finding {
	s, tries := token.Secrets(), token.Info().Retries
	pin := finding{"PIN", findOK, triesLeft("PIN", tries), ""}
	switch {
	case tries == 0:
		pin.Status, pin.Hint = findStop, "give it a new PIN: conclave token unblock"
	case tries == 1:
		pin.Status, pin.Hint = findNote, "a wrong PIN would block it; the right one brings the tries back: conclave token pin"
	}
	if !s.Told {
		note := finding{"secrets", findNote, "this firmware does not say whether PIN, PUK and management key are the factory's", "its keyholder must know; nothing is tried out"}
		return []finding{pin, note}
	}
	puk := finding{"PUK", findOK, triesLeft("PUK", s.PUK.Left), ""}
	if s.PUK.Left == 0 {
		puk.Status, puk.Hint = findStop, "a PIN that is blocked could not be helped any more; use another token"
	}
	management := finding{"management key", findOK, s.Management + ", not the factory's", ""}
	if s.ManagementFactory {
		management.Text = s.Management
	}
	found := []finding{pin, puk, management}
	for i, factory := range []bool{s.PIN.Factory, s.PUK.Factory, s.ManagementFactory} {
		found[i].factory(factory, enrolled, []string{"conclave token pin", "conclave token puk", "conclave token enrol"}[i])
	}
	return found
}

func (f *finding) factory(is, enrolled bool, remedy string) {
	switch {
	case !is:
	case enrolled:
		f.Status, f.Text, f.Hint = findStop, f.Text+", still the factory's: anybody can use it", "replace it: "+remedy
	case f.Status == findOK:
		f.Status, f.Text, f.Hint = findNote, f.Text+", still the factory's", "enrolment replaces it"
	}
}

func checkKey(ctx context.Context, token hsm.Token, k hsm.Key, roots attest.Roots) (finding, error) {
	name := fmt.Sprintf("key %v", k.Slot)
	proof, _, err := attested(ctx, token, k, attest.Expect{}, roots)
	switch {
	case err == nil && proof.Practice:
		return finding{name, findOK, "PRACTICE: attested by the practice root, which proves nothing; PIN and touch always", ""}, nil
	case err == nil:
		return finding{name, findOK, fmt.Sprintf("%s, attested, PIN and touch always", k.Algorithm), ""}, nil
	case isToken(err):
		return finding{name, findStop, err.Error(), hintOf(err)}, nil
	}
	return finding{}, err
}

func (p *program) printCheck(r checkReport) error {
	if p.json {
		return p.printJSON(r)
	}
	fmt.Fprintf(p.out, "token %d\n", r.Serial)
	for _, f := range r.Findings {
		mark := map[string]string{findOK: "[OK]", findNote: "[i] ", findStop: "[!] "}[f.Status]
		fmt.Fprintf(p.out, "%s %-15s %s\n", mark, f.Name, text.Clean(f.Text))
		if f.Hint != "" {
			fmt.Fprintf(p.out, "     %-15s %s\n", "", text.Clean(f.Hint))
		}
	}
	switch {
	case r.Fit && r.Enrolled:
		fmt.Fprintln(p.out, "Fit for a ceremony.")
	case r.Fit:
		fmt.Fprintln(p.out, "Fit to be enrolled.")
	}
	return nil
}
