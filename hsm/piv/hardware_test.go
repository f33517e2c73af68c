package piv_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	gopiv "github.com/go-piv/piv-go/v2/piv"

	"conclave/hsm"
	"conclave/hsm/attest"
	"conclave/hsm/hsmtest"
	"conclave/hsm/piv"
)

// wipe names the real token that may be wiped; HARDWARE.md says how that goes.
var wipe = flag.Uint("wipe-token", 0, "serial number of a real token whose PIV part may be WIPED, for TestHardware")

// takePractice lets TestHardware pass on a virtual token, to test the test.
const takePractice = "CONCLAVE_TEST_TAKE_PRACTICE"

func TestHardware(t *testing.T) {
	if *wipe == 0 {
		t.Skip("needs a real token: go test ./hsm/piv -v -wipe-token=SERIAL (see HARDWARE.md)")
	}
	tokens := piv.New()
	reader := readerOf(t, tokens, uint32(*wipe))
	fresh := func(t *testing.T) hsmtest.Fixture {
		reset(t, reader)
		return hsmtest.Fixture{
			Tokens: spoken{tokens}, Reader: reader, Serial: uint32(*wipe), PIN: practicePIN, TryPINs: true,
		}
	}
	hsmtest.TestToken(t, fresh)
	t.Run("the maker stands behind it", func(t *testing.T) { attestsForReal(t, fresh(t)) })
	t.Run("PIN and PUK are replaced, and the PUK unblocks", func(t *testing.T) { keepsSecrets(t, fresh(t)) })
	t.Run("the watch sees it", func(t *testing.T) {
		ts := watching(t)
		if r, ok := find(seen(t, ts), reader); !ok || !r.Card || r.Changes == 0 {
			t.Fatalf("seen as %+v, %v", r, ok)
		}
	})
	t.Run("afterwards it is as from the factory", func(t *testing.T) {
		reset(t, reader)
		restoreFactoryPIN(t, reader)
	})
}

// readerOf finds the token by its serial number. Another one is never touched.
func readerOf(t *testing.T, tokens *piv.Tokens, serial uint32) string {
	t.Helper()
	present, err := tokens.Present(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, reader := range present {
		token, err := tokens.Open(t.Context(), reader)
		if err != nil {
			t.Logf("%s: %v", reader, err)
			continue
		}
		got := token.Info().Serial
		_ = token.Close()
		if got == serial {
			return reader
		}
	}
	t.Fatalf("token %d is not in: %q", serial, present)
	return ""
}

// reset wipes the token's PIV part and gives it the PIN of these tests.
func reset(t *testing.T, reader string) {
	t.Helper()
	yk, err := gopiv.Open(reader)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = yk.Close() }()
	if got, err := yk.Serial(); err != nil || got != uint32(*wipe) {
		t.Fatalf("this is token %d, not %d: %v", got, *wipe, err)
	}
	if err := yk.Reset(); err != nil {
		t.Fatalf("reset: %v", err)
	}
	if err := yk.SetPIN(gopiv.DefaultPIN, practicePIN); err != nil {
		t.Fatal(err)
	}
}

func restoreFactoryPIN(t *testing.T, reader string) {
	t.Helper()
	yk, err := gopiv.Open(reader)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = yk.Close() }()
	if err := yk.SetPIN(practicePIN, gopiv.DefaultPIN); err != nil {
		t.Fatal(err)
	}
}

func attestsForReal(t *testing.T, f hsmtest.Fixture) {
	token := open(t, f.Reader)
	key, err := token.Enrol(t.Context(), enrolment(t))
	if err != nil {
		t.Fatal(err)
	}
	e, err := token.Attest(t.Context(), hsm.SlotSignature)
	if err != nil {
		t.Fatal(err)
	}
	roots := attest.Yubico()
	if os.Getenv(takePractice) != "" {
		roots = attest.WithPractice()
	}
	info := token.Info()
	p, err := attest.Verify(e, attest.Expect{Public: key.Public, Slot: hsm.SlotSignature, Serial: info.Serial, Firmware: info.Firmware}, roots)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", *p)
	if p.FormFactor != info.FormFactor {
		t.Errorf("form factor %q by the attestation, %q by the token", p.FormFactor, info.FormFactor)
	}
}

func keepsSecrets(t *testing.T, f hsmtest.Fixture) {
	token := keeper(t, open(t, f.Reader))
	t.Logf("%+v", token.Secrets())
	e := enrolment(t)
	e.NewPIN, e.NewPUK = hsmtest.PIN(t, freshPIN), hsmtest.PIN(t, freshPUK)
	if !token.Secrets().Told {
		e.CurrentPUK = hsmtest.PIN(t, gopiv.DefaultPUK)
	}
	if _, err := token.Enrol(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	for token.Info().Retries != 0 {
		if err := signsWith(t, token, "000000"); err == nil {
			t.Fatal("a wrong PIN signed")
		}
	}
	if err := token.Unblock(t.Context(), hsmtest.PIN(t, freshPUK), hsmtest.PIN(t, practicePIN)); err != nil {
		t.Fatal(err)
	}
	if err := signsWith(t, spokenToken{token}, practicePIN); err != nil {
		t.Fatal(err)
	}
}

// spoken says when the token has to be touched, as nothing else does.
type spoken struct{ hsm.Tokens }

func (s spoken) Open(ctx context.Context, reader string) (hsm.Token, error) {
	token, err := s.Tokens.Open(ctx, reader)
	if err != nil {
		return nil, err
	}
	return spokenToken{token}, nil
}

type spokenToken struct{ hsm.Token }

func (t spokenToken) Sign(ctx context.Context, pin *hsm.PIN, slot hsm.Slot, digest []byte) ([]byte, error) {
	fmt.Fprintf(os.Stderr, "[TOUCH] if token %d blinks, touch it\n", t.Info().Serial)
	return t.Token.Sign(ctx, pin, slot, digest)
}

// The checklist for hardware must not rot between the days that somebody has
// some: a virtual token stands in for it.
func TestHardwareTestItself(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the conformance test once more")
	}
	card, _ := insert(t, "5.7.1")
	card.AutoTouch(true)
	other, _ := insert(t, "5.7.1")
	before := other.Counts()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.v", fmt.Sprintf("-wipe-token=%d", card.Serial()))
	cmd.Env = append(os.Environ(), "PCSCLITE_CSOCK_NAME="+service.Socket(), takePractice+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"--- PASS: TestHardware/the_maker_stands_behind_it", "[TOUCH]", "--- SKIP: TestHardware/a_slow_token_is_waited_for"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	if bytes.Contains(out, []byte("TestSecretsByFirmware")) {
		t.Error("other tests ran beside it")
	}
	after := other.Counts()
	if after.APDUs -= before.APDUs; after.Generate != 0 || after.Verify != 0 {
		t.Errorf("another token was used: %+v", after)
	}
	cmd = exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-wipe-token=1")
	cmd.Env = append(os.Environ(), "PCSCLITE_CSOCK_NAME="+service.Socket())
	var exit *exec.ExitError
	if out, err := cmd.CombinedOutput(); !errors.As(err, &exit) || !strings.Contains(string(out), "token 1 is not in") {
		t.Errorf("a token that is not in: %v\n%s", err, out)
	}
}
