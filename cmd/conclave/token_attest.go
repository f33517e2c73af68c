package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"conclave/ceremony/tuf"
	"conclave/hsm"
	"conclave/hsm/attest"
	"conclave/transfer"
	"conclave/tui/text"
)

// evidenceFormat marks an evidence file, version 1.
const evidenceFormat = "conclave-token-evidence-1"

// maxEvidence bounds an evidence file: two certificates and a few words.
const maxEvidence = 128 << 10

// An evidenceFile is what enrol writes: JSON, certificates and signature in base64.
type evidenceFile struct {
	Format      string `json:"format"`
	KeyID       string `json:"keyid"`
	Public      string `json:"public_key"` // PEM
	Holder      string `json:"holder"`
	Serial      uint32 `json:"serial"`
	Firmware    string `json:"firmware"`
	Slot        string `json:"slot"`
	PINPolicy   string `json:"pin_policy"`
	TouchPolicy string `json:"touch_policy"`
	Leaf        []byte `json:"leaf,omitempty"`
	Device      []byte `json:"device,omitempty"`
	Challenge   string `json:"challenge"`
	Signature   []byte `json:"signature"`
}

func newEvidence(key hsm.Key, info hsm.Info, a hsm.Attestation) (*evidenceFile, error) {
	id, err := keyidOf(key.Public)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public)
	if err != nil {
		return nil, fmt.Errorf("write the public key: %w", err)
	}
	return &evidenceFile{
		Format: evidenceFormat, KeyID: id, Public: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
		Holder: key.Holder, Serial: info.Serial, Firmware: info.Firmware, Slot: key.Slot.String(),
		PINPolicy: string(key.PINPolicy), TouchPolicy: string(key.TouchPolicy), Leaf: a.Leaf, Device: a.Device,
	}, nil
}

// write writes both files, never over others.
func (f evidenceFiles) write(_ hsm.Key, e *evidenceFile) error {
	raw, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return fmt.Errorf("write evidence: %w", err)
	}
	if err := transfer.WriteNew(f.pem, []byte(e.Public)); err != nil {
		return fmt.Errorf("write the public key (the token has its key): %w", err)
	}
	if err := transfer.WriteNew(f.evidence, append(raw, '\n')); err != nil {
		return fmt.Errorf("write evidence (the token has its key): %w", err)
	}
	return nil
}

func readEvidence(path string) (*evidenceFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read evidence: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxEvidence+1))
	if err != nil {
		return nil, fmt.Errorf("read evidence: %w", err)
	}
	e, err := parseEvidence(raw)
	if err != nil {
		return nil, &unverified{&advised{
			fmt.Errorf("read evidence in %s: %w", filepath.Base(path), err),
			"give the .evidence.json that conclave token enrol wrote, copied again from where it came (a bundle goes behind --bundle); nothing of it was used",
		}}
	}
	return e, nil
}

// notJSON says what JSON is not as it should be, without the names of this program's types.
func notJSON(err error) error {
	var kind *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("it is empty")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it ends in the middle")
	case errors.As(err, &kind):
		return fmt.Errorf("%q holds a %s", kind.Field, kind.Value)
	case is[*json.SyntaxError](err):
		return errors.New("it is not JSON")
	}
	if said, ok := strings.CutPrefix(err.Error(), "json: "); ok {
		return errors.New(said)
	}
	return err
}

func parseEvidence(raw []byte) (*evidenceFile, error) {
	if len(raw) > maxEvidence {
		return nil, fmt.Errorf("it has more than %d bytes", maxEvidence)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	e := new(evidenceFile)
	if err := d.Decode(e); err != nil {
		return nil, notJSON(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more follows the evidence")
	}
	if e.Format != evidenceFormat {
		return nil, fmt.Errorf("its format is %q, not %s", e.Format, evidenceFormat)
	}
	return e, nil
}

// verify holds the file against itself: the key's name, the proof of possession, and the attestation.
func (e *evidenceFile) verify(roots attest.Roots) (*attest.Proof, error) {
	key, err := tuf.ParsePublicKey([]byte(e.Public))
	if err != nil {
		return nil, err
	}
	if key.ID != e.KeyID {
		return nil, &attest.Refusal{What: "the evidence is about another key than it names", Advice: "ask for the evidence of this key"}
	}
	if err := e.checkPossession(key.Public); err != nil {
		return nil, err
	}
	return verifyEvidence(e.carried(), key.Public, roots)
}

// carried is the evidence as a bundle carries it.
func (e *evidenceFile) carried() transfer.Evidence {
	return transfer.Evidence{
		KeyID: e.KeyID, Serial: e.Serial, Firmware: e.Firmware, Holder: e.Holder, Slot: e.Slot,
		PINPolicy: e.PINPolicy, TouchPolicy: e.TouchPolicy, Leaf: e.Leaf, Device: e.Device,
	}
}

// verifyEvidence holds what a bundle says of a token against the key in its metadata.
func verifyEvidence(e transfer.Evidence, public crypto.PublicKey, roots attest.Roots) (*attest.Proof, error) {
	slot, err := hsm.ParseSlot(e.Slot)
	if err != nil {
		return nil, err
	}
	return attest.Verify(attest.Evidence{Leaf: e.Leaf, Device: e.Device},
		attest.Expect{Public: public, Slot: slot, Serial: e.Serial, Firmware: e.Firmware}, roots)
}

// evidenceReport is one key's evidence as attest prints it with --json.
type evidenceReport struct {
	KeyID      string   `json:"keyid"`
	Holder     string   `json:"holder,omitempty"`
	Serial     uint32   `json:"serial,omitempty"`
	Slot       string   `json:"slot,omitempty"`
	Firmware   string   `json:"firmware,omitempty"`
	FormFactor string   `json:"form_factor,omitempty"`
	FIPS       bool     `json:"fips,omitempty"`
	Attested   bool     `json:"attested"`
	Practice   bool     `json:"practice,omitempty"`
	WhyNot     string   `json:"why_not,omitempty"`
	Hint       string   `json:"hint,omitempty"`
	Warnings   []string `json:"warnings,omitempty"`
}

func (e *evidenceFile) report(proof *attest.Proof) evidenceReport {
	return evidenceOf(e.carried(), proof, nil)
}

func evidenceOf(e transfer.Evidence, proof *attest.Proof, why error) evidenceReport {
	r := evidenceReport{KeyID: e.KeyID, Holder: e.Holder, Serial: e.Serial, Slot: e.Slot, Firmware: e.Firmware}
	switch {
	case proof != nil:
		r.Attested, r.Practice, r.Warnings = true, proof.Practice, proof.Warnings
		r.FormFactor, r.FIPS = proof.FormFactor, proof.FIPS
	case why != nil:
		r.WhyNot, r.Hint = why.Error(), hintOf(why)
	}
	return r
}

func (r evidenceReport) lines() []string {
	var w lines
	who := text.Clean(r.Holder)
	if who.Empty() {
		who = text.Clean("nobody by name")
	}
	token := ""
	switch {
	case r.Serial != 0 && r.Slot == "":
		token = fmt.Sprintf("  token %d, as the root says", r.Serial)
	case r.Serial != 0:
		token = fmt.Sprintf("  token %d, slot %s, firmware %s", r.Serial, text.Clean(r.Slot), text.Clean(r.Firmware))
		if r.FormFactor != "" {
			token += ", " + text.Clean(r.FormFactor).String()
		}
	}
	w.add("%s%s", who, token)
	w.add("    keyid %s", text.Clean(r.KeyID))
	switch {
	case r.Practice:
		w.add("    [i] PRACTICE: attested by the practice root, which proves nothing")
	case r.Attested:
		w.add("    [OK] attested: made on this token, PIN and touch always, says Yubico's root")
	default:
		w.add("    [!] not attested: %s", text.Clean(r.WhyNot))
		if r.Hint != "" {
			w.add("        %s", text.Clean(r.Hint))
		}
	}
	if r.FIPS {
		w.add("    [i] a FIPS token")
	}
	for _, warning := range r.Warnings {
		w.add("    [i] %s", text.Clean(warning))
	}
	return w
}

func (p *program) tokenAttestCommand() *cobra.Command {
	var flags tokenFlags
	var bundle string
	cmd := &cobra.Command{
		Use:   "attest [EVIDENCE]",
		Short: "Check the evidence that keys were made on tokens",
		Long: `Without more, asks the token that is in about each of its keys. With a file that
enrol wrote, or with a bundle, checks the evidence in there; that needs no token and no network.
In a bundle, the evidence must be about the very keys that its metadata lists, and
each root and targets key must have some.

Exit code 0: all is attested. 3: something in a file is not. 4: something on the token is not.`,
		Example: "  conclave token attest\n  conclave token attest alice.evidence.json\n  conclave token attest --bundle root-5.bundle.json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case bundle != "" && len(args) > 0:
				return &usageError{cmd.CommandPath(), errors.New("it takes a file or --bundle, not both")}
			case bundle != "":
				return p.attestBundle(bundle, flags)
			case len(args) == 1:
				return p.attestFile(args[0], flags)
			}
			return p.attestToken(cmd.Context(), flags)
		},
	}
	flags.register(cmd)
	cmd.Flags().StringVar(&bundle, "bundle", "", "check all the evidence in this bundle instead")
	return cmd
}

func (p *program) attestToken(ctx context.Context, flags tokenFlags) error {
	token, err := openOne(ctx, flags.serial)
	if err != nil {
		return err
	}
	defer func() { _ = token.Close() }()
	keys, err := token.Keys(ctx)
	if err != nil {
		return onToken(err)
	}
	if len(keys) == 0 {
		return onToken(fmt.Errorf("token %d: %w", token.Info().Serial, hsm.ErrNoKey))
	}
	var reports []evidenceReport
	for _, k := range keys {
		r, err := attestKey(ctx, token, k, flags.roots())
		if err != nil {
			return onToken(err)
		}
		reports = append(reports, r)
	}
	return p.printEvidence(reports, exitToken)
}

func attestKey(ctx context.Context, token hsm.Token, k hsm.Key, roots attest.Roots) (evidenceReport, error) {
	proof, a, err := attested(ctx, token, k, attest.Expect{}, roots)
	if err != nil && !errors.Is(err, hsm.ErrNotGenuine) {
		return evidenceReport{}, err
	}
	e, bad := newEvidence(k, token.Info(), a)
	if bad != nil {
		return evidenceReport{}, bad
	}
	return evidenceOf(e.carried(), proof, err), nil
}

func (p *program) attestFile(path string, flags tokenFlags) error {
	e, err := readEvidence(path)
	if err != nil {
		return err
	}
	proof, err := e.verify(flags.roots())
	return p.printEvidence([]evidenceReport{evidenceOf(e.carried(), proof, err)}, exitUnverified)
}

func (p *program) attestBundle(path string, flags tokenFlags) error {
	b, err := transfer.Read(path)
	if err != nil {
		return err
	}
	if b.Practice && !flags.practice {
		fmt.Fprintln(p.people(), "[i] This is a practice bundle; --practice takes its tokens for real ones.")
	}
	reports := bundleEvidence(b, flags.roots())
	if len(reports) == 0 {
		return &statusError{code: exitIncomplete, text: "this bundle lists no key yet", hint: "hold its ceremony: conclave sign " + path}
	}
	return p.printEvidence(reports, exitUnverified)
}

func (p *program) printEvidence(reports []evidenceReport, code int) error {
	bad := 0
	for _, r := range reports {
		if !r.Attested {
			bad++
		}
	}
	if p.json {
		if err := p.printJSON(struct {
			Keys []evidenceReport `json:"keys"`
		}{reports}); err != nil {
			return err
		}
	} else {
		for _, r := range reports {
			for _, line := range r.lines() {
				fmt.Fprintln(p.out, line)
			}
		}
	}
	if bad > 0 {
		return &statusError{
			code: code, text: fmt.Sprintf("%d of %d keys are not attested", bad, len(reports)),
			hint: "a key that is not attested may lie in a file; a ceremony takes it only by an exception that goes on record",
		}
	}
	return nil
}
