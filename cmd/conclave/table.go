package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"conclave/ceremony"
	"conclave/ceremony/preflight"
	"conclave/ceremony/record"
	"conclave/hsm"
	"conclave/hsm/piv"
)

// tokens are the YubiKeys in this machine's readers; where people have decided to go without proof of where
// keys were made, now or earlier in the ceremony in dir, PIV cards of other makers as well.
func (f *frontFlags) tokens(dir string) hsm.Tokens {
	if f.unattested != "" || wentUnattested(dir) {
		return piv.New(piv.AnyMaker())
	}
	return piv.New()
}

// wentUnattested reports whether the record in dir holds that decision. One that cannot be read
// is refused by whoever opens it.
func wentUnattested(dir string) bool {
	entries, _, err := record.Read(filepath.Join(dir, recordFile))
	if err != nil || len(entries) == 0 {
		return false
	}
	state, err := ceremony.Replay(entries, ceremony.Beside(dir))
	return err == nil && slices.ContainsFunc(state.Exceptions(), func(e ceremony.Excepted) bool { return e.What == ceremony.ExceptAttestation })
}

// pcscSocket names the smart card service in place of the machine's own.
const pcscSocket = "PCSCLITE_CSOCK_NAME"

// table is the floor of a ceremony in earnest: of a smart card service that the environment names and of cards that
// nobody looks at people are told.
func (f *frontFlags) table(cfg ceremony.Config) ceremony.Config {
	inspect, tokens := cfg.Inspect, cfg.Tokens
	cfg.Inspect = func(ctx context.Context) []preflight.Check {
		checks := inspect(ctx)
		if socket := os.Getenv(pcscSocket); socket != "" {
			checks = append(checks, serviceCheck(socket))
		}
		return append(checks, passedOver(ctx, tokens)...)
	}
	return cfg
}

// passedOver names the readers whose cards the ceremony does not look at. None is opened: what sits in them may be
// a badge as well as a PIV card of another maker.
func passedOver(ctx context.Context, tokens hsm.Tokens) []preflight.Check {
	seen, err := tokens.Present(ctx)
	if err != nil {
		return nil // another check says so
	}
	all, err := piv.New(piv.AnyMaker()).Present(ctx)
	others := slices.DeleteFunc(all, func(reader string) bool { return slices.Contains(seen, reader) })
	if err != nil || len(others) == 0 {
		return nil
	}
	return []preflight.Check{{
		Name: "cards", Status: preflight.Note, Text: "no YubiKey, and not looked at: what is in " + strings.Join(others, ", "),
		Fix: "if it is a PIV card that shall take part: begin again with --accept-unattested REASON, and --decided-by for each who decides it",
	}}
}

// serviceCheck says that tokens are reached through a service that somebody chose: it sees every PIN.
func serviceCheck(socket string) preflight.Check {
	return preflight.Check{
		Name: "service", Status: preflight.Note, Text: "the environment names another smart card service, which sees every PIN: " + socket,
		Detail: []string{pcscSocket + " is set"}, Fix: "if nobody here set it on purpose: unset " + pcscSocket + ", and begin again",
	}
}
