package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"conclave/hsm"
	"conclave/hsm/attest"
	"conclave/hsm/piv"
)

// tokenFlags are what all commands about tokens take.
type tokenFlags struct {
	serial   uint32
	practice bool
}

func (f *tokenFlags) register(cmd *cobra.Command) {
	cmd.Flags().Uint32Var(&f.serial, "serial", 0, "the token with this serial number, where several are in")
	f.registerPractice(cmd)
}

func (f *tokenFlags) registerPractice(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.practice, "practice", false, "take practice tokens for real ones; what they say proves nothing")
}

func (f *tokenFlags) roots() attest.Roots {
	if f.practice {
		return attest.WithPractice()
	}
	return attest.Yubico()
}

func (p *program) tokenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Look at tokens, enrol them, check their evidence, see to their PINs",
		Long: `Looks at the YubiKeys and other PIV tokens in this machine's readers. No command
here tries a PIN by itself, and none tries anything twice. A ceremony does the
same where it needs to; these commands are for the days before and after.`,
	}
	cmd.AddCommand(p.tokenListCommand(), p.tokenCheckCommand(), p.tokenEnrolCommand(), p.tokenAttestCommand(),
		p.tokenPINCommand(), p.tokenPUKCommand(), p.tokenUnblockCommand())
	return cmd
}

// A tokenError ends with exit code 4.
type tokenError struct{ err error }

func (e *tokenError) Error() string { return e.err.Error() }
func (e *tokenError) Unwrap() error { return e.err }
func (e *tokenError) ExitCode() int { return exitToken }

// onToken gives what a token refused its exit code.
func onToken(err error) error {
	var coded interface{ ExitCode() int }
	var usage *usageError
	if err == nil || errors.As(err, &coded) || errors.As(err, &usage) || errors.Is(err, context.Canceled) {
		return err
	}
	return &tokenError{err}
}

// A place is one reader and the token in it, or why there is none.
type tokenPlace struct {
	reader string
	token  hsm.Token
	err    error
}

// openAll opens every token that is in. Cards that are no PIV tokens are left out.
func openAll(ctx context.Context) ([]tokenPlace, error) {
	tokens := piv.New(piv.AnyMaker())
	readers, err := tokens.Present(ctx)
	if err != nil {
		return nil, err
	}
	var places []tokenPlace
	for _, r := range readers {
		token, err := tokens.Open(ctx, r)
		if errors.Is(err, hsm.ErrNotPIV) && !strings.Contains(strings.ToLower(r), "yubi") {
			continue
		}
		places = append(places, tokenPlace{r, token, err})
	}
	return places, nil
}

func closeAll(places []tokenPlace) {
	for _, p := range places {
		if p.token != nil {
			_ = p.token.Close() // what was done to it is done
		}
	}
}

var errNoToken = &statusError{
	code: exitToken, text: "no token is in a reader",
	hint: "put one in and call again; if one is in, see whether it blinks at being put in, and whether pcscd runs",
}

// openOne opens the one token that is meant.
func openOne(ctx context.Context, serial uint32) (hsm.Keeper, error) {
	places, err := openAll(ctx)
	if err != nil {
		return nil, onToken(err)
	}
	chosen, err := choose(places, serial)
	for _, p := range places {
		if p.token != nil && p.token != chosen {
			_ = p.token.Close()
		}
	}
	return chosen, onToken(err)
}

func choose(places []tokenPlace, serial uint32) (hsm.Keeper, error) {
	var found []hsm.Keeper
	var serials []string
	var broken error
	for _, p := range places {
		keeper, ok := p.token.(hsm.Keeper)
		if p.err != nil || !ok {
			broken = p.err
			continue
		}
		serials = append(serials, fmt.Sprint(keeper.Info().Serial))
		if serial == 0 || keeper.Info().Serial == serial {
			found = append(found, keeper)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return nil, &statusError{
			code: exitToken, text: "several tokens are in: " + strings.Join(serials, ", "),
			hint: "name one with --serial, or leave only one in",
		}
	case broken != nil:
		return nil, broken
	case len(places) == 0:
		return nil, errNoToken
	}
	return nil, &statusError{
		code: exitToken, text: fmt.Sprintf("token %d is not in; there are: %s", serial, strings.Join(serials, ", ")),
		hint: "the serial number is printed on the token's back",
	}
}

// attested holds what the token says of a key against the key. Policies are
// whatever they are: who lists wants to see them.
func attested(ctx context.Context, token hsm.Token, key hsm.Key, want attest.Expect, roots attest.Roots) (*attest.Proof, hsm.Attestation, error) {
	evidence, err := token.Attest(ctx, key.Slot)
	if err != nil {
		return nil, evidence, err
	}
	want.Public, want.Slot, want.Serial, want.Firmware = key.Public, key.Slot, token.Info().Serial, token.Info().Firmware
	proof, err := attest.Verify(evidence, want, roots)
	return proof, evidence, err
}

// anyPolicy is for looking, where nothing is decided by it.
var anyPolicy = attest.Expect{PIN: hsm.PolicyUnknown, Touch: hsm.PolicyUnknown}
