package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"conclave/ceremony/tuf"
	"conclave/hsm"
	"conclave/hsm/attest"
	"conclave/tui/text"
)

// tokenReport is one token as list prints it with --json.
type tokenReport struct {
	Serial     uint32      `json:"serial"`
	Unprinted  bool        `json:"serial_not_printed,omitempty"` // made from the card's identifier
	Firmware   string      `json:"firmware"`
	FormFactor string      `json:"form_factor,omitempty"`
	Reader     string      `json:"reader"`
	PINTries   int         `json:"pin_tries_left"` // -1 where the token does not say
	Secrets    *secrets    `json:"secrets,omitempty"`
	Keys       []keyReport `json:"keys"`
	Warnings   []string    `json:"warnings,omitempty"`
	Error      string      `json:"error,omitempty"` // why nothing else is known
}

// secrets is there for firmware that tells of them.
type secrets struct {
	PINTriesMost      int    `json:"pin_tries_most"`
	PINFactory        bool   `json:"pin_is_the_factory_s"`
	PUKTries          int    `json:"puk_tries_left"`
	PUKFactory        bool   `json:"puk_is_the_factory_s"`
	Management        string `json:"management_key"`
	ManagementFactory bool   `json:"management_key_is_the_factory_s"`
}

type keyReport struct {
	Slot      string `json:"slot"`
	Algorithm string `json:"algorithm"`
	KeyID     string `json:"keyid"`
	Holder    string `json:"holder,omitempty"`
	PIN       string `json:"pin_policy"`
	Touch     string `json:"touch_policy"`
	Generated bool   `json:"made_on_the_token"`
	Attested  bool   `json:"attested"`
	Practice  bool   `json:"practice,omitempty"`
	WhyNot    string `json:"why_not_attested,omitempty"`
}

func (p *program) tokenListCommand() *cobra.Command {
	var flags tokenFlags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Say which tokens are in, whose they are, and what they hold",
		Long: `Lists each token in a reader: serial number, firmware, form factor, PIN tries
left, and each key that a ceremony can use, with its holder, its policies, and
whether the maker's root stands behind it. No PIN is asked for or sent.`,
		Example: "  conclave token list\n  conclave token list --json | jq '.tokens[].serial'",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return p.tokenList(cmd.Context(), flags.roots()) },
	}
	flags.registerPractice(cmd)
	return cmd
}

func (p *program) tokenList(ctx context.Context, roots attest.Roots) error {
	places, err := openAll(ctx)
	if err != nil {
		return onToken(err)
	}
	defer closeAll(places)
	reports := []tokenReport{}
	for _, place := range places {
		reports = append(reports, reportOnPlace(ctx, place, roots))
	}
	if p.json {
		return p.printJSON(struct {
			Tokens []tokenReport `json:"tokens"`
		}{reports})
	}
	for i, r := range reports {
		if i > 0 {
			fmt.Fprintln(p.out)
		}
		for _, line := range r.lines() {
			fmt.Fprintln(p.out, line)
		}
	}
	if len(reports) == 0 {
		fmt.Fprintln(p.err, "No token is in a reader.")
	}
	return nil
}

func reportOnPlace(ctx context.Context, place tokenPlace, roots attest.Roots) tokenReport {
	if place.err != nil {
		return tokenReport{Reader: place.reader, Keys: []keyReport{}, Error: place.err.Error()}
	}
	r, err := reportOnToken(ctx, place.token, roots)
	if err != nil {
		r.Error = err.Error()
	}
	return r
}

// reportOnToken says what a token is and holds.
func reportOnToken(ctx context.Context, token hsm.Token, roots attest.Roots) (tokenReport, error) {
	info := token.Info()
	r := tokenReport{
		Serial: info.Serial, Unprinted: info.Unprinted, Firmware: info.Firmware, FormFactor: info.FormFactor, Reader: info.Reader,
		PINTries: info.Retries, Keys: []keyReport{}, Warnings: hsm.Weaknesses(info.Firmware),
	}
	if k, ok := token.(hsm.Keeper); ok && k.Secrets().Told {
		s := k.Secrets()
		r.Secrets = &secrets{
			PINTriesMost: s.PIN.Most, PINFactory: s.PIN.Factory, PUKTries: s.PUK.Left, PUKFactory: s.PUK.Factory,
			Management: s.Management, ManagementFactory: s.ManagementFactory,
		}
	}
	keys, err := token.Keys(ctx)
	if err != nil {
		return r, err
	}
	for _, k := range keys {
		report, err := reportOnKey(ctx, token, k, roots)
		if err != nil {
			return r, err
		}
		r.Keys = append(r.Keys, report)
	}
	return r, nil
}

func reportOnKey(ctx context.Context, token hsm.Token, k hsm.Key, roots attest.Roots) (keyReport, error) {
	key, err := tuf.NewKey(k.Public)
	if err != nil {
		return keyReport{}, err
	}
	r := keyReport{
		Slot: k.Slot.String(), Algorithm: string(k.Algorithm), KeyID: key.ID, Holder: k.Holder,
		PIN: string(k.PINPolicy), Touch: string(k.TouchPolicy), Generated: k.Generated,
	}
	proof, _, err := attested(ctx, token, k, anyPolicy, roots)
	switch {
	case err == nil:
		r.Attested, r.Practice = true, proof.Practice
	case errors.Is(err, hsm.ErrNotGenuine):
		r.WhyNot = err.Error()
	default:
		return r, err
	}
	return r, nil
}

func (r tokenReport) lines() []string {
	var w lines
	if r.Serial == 0 && r.Error != "" {
		w.add("[!] %s", text.Clean(r.Reader))
		w.add("    %s", text.Clean(r.Error))
		return w
	}
	form := r.FormFactor
	if form == "" {
		form = "form factor not told"
	}
	unprinted := ""
	if r.Unprinted {
		unprinted = " (not printed: made from its card identifier)"
	}
	w.add("%d%s  firmware %s  %s  %s", r.Serial, unprinted, r.Firmware, text.Clean(form), triesLeft("PIN", r.PINTries))
	if r.Error != "" {
		w.add("  [!] %s", text.Clean(r.Error))
	}
	for _, k := range r.Keys {
		k.add(&w)
	}
	if len(r.Keys) == 0 && r.Error == "" {
		w.add("  no ceremony key")
	}
	r.Secrets.add(&w)
	for _, warning := range r.Warnings {
		w.add("  [i] %s", warning)
	}
	return w
}

func (k keyReport) add(w *lines) {
	holder := "no holder named"
	if k.Holder != "" {
		holder = text.Clean(k.Holder).String()
	}
	w.add("  %s  %s  %s  PIN %s, touch %s", k.Slot, k.Algorithm, holder, k.PIN, k.Touch)
	w.add("      keyid %s", k.KeyID)
	switch {
	case k.Practice:
		w.add("      [i] PRACTICE: attested by the practice root, which proves nothing")
	case k.Attested:
		w.add("      [OK] attested: made on this token, says Yubico's root")
	default:
		w.add("      [!] not attested: %s", text.Clean(k.WhyNot))
	}
}

func (s *secrets) add(w *lines) {
	if s == nil {
		return
	}
	for _, f := range []struct {
		what    string
		factory bool
	}{{"PIN", s.PINFactory}, {"PUK", s.PUKFactory}, {"management key", s.ManagementFactory}} {
		if f.factory {
			w.add("  [!] the %s is still the factory's", f.what)
		}
	}
	if s.PUKTries < 3 {
		w.add("  [!] %s", triesLeft("PUK", s.PUKTries))
	}
}

// triesLeft says how often a PIN or PUK may still be tried.
func triesLeft(what string, n int) string {
	switch {
	case n < 0:
		return what + " tries not told"
	case n == 0:
		return what + " blocked"
	case n == 1:
		return "1 " + what + " try left"
	}
	return fmt.Sprintf("%d %s tries left", n, what)
}
