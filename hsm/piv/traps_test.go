package piv_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	gopiv "github.com/go-piv/piv-go/v2/piv"

	"conclave/hsm"
	"conclave/hsm/hsmtest"
	"conclave/hsm/piv"
	"conclave/hsm/virtual"
)

var digest = sha256.Sum256([]byte("what is signed"))

func open(t testing.TB, reader string) hsm.Token {
	t.Helper()
	token, err := piv.New().Open(t.Context(), reader)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = token.Close() })
	return token
}

func enrolment(t testing.TB) hsm.Enrolment {
	return hsm.Enrolment{
		Slot: hsm.SlotSignature, Algorithm: hsm.P256, Holder: "Alice",
		CurrentPIN: hsmtest.PIN(t, practicePIN),
	}
}

// enrolled is an open token with a key in 9c that is touched by itself.
func enrolled(t testing.TB, firmware string) (*virtual.Card, hsm.Token) {
	t.Helper()
	card, reader := insert(t, firmware)
	card.AutoTouch(true)
	token := open(t, reader)
	if _, err := token.Enrol(t.Context(), enrolment(t)); err != nil {
		t.Fatal(err)
	}
	return card, token
}

func TestInfoByFirmware(t *testing.T) {
	for _, c := range []struct{ firmware, formFactor string }{
		{"4.3.5", ""}, {"5.2.7", "USB-C Keychain"}, {"5.4.3", "USB-C Keychain"}, {"5.7.1", "USB-C Keychain"},
	} {
		t.Run(c.firmware, func(t *testing.T) {
			card, reader := insert(t, c.firmware)
			want := hsm.Info{Serial: card.Serial(), Firmware: c.firmware, FormFactor: c.formFactor, Reader: reader, Retries: 3}
			if got := open(t, reader).Info(); got != want {
				t.Fatalf("got %+v, want %+v", got, want)
			}
		})
	}
}

// Open leaks a handle when what it opens is no PIV token, and then no program can use the
// reader until this one ends. So names are looked at first.
func TestOpenTouchesOnlyYubiKeys(t *testing.T) {
	card, reader := insert(t, "5.7.1")
	before := card.Counts().APDUs
	for name, want := range map[string]error{
		"ACS ACR122U 00 00":                     hsm.ErrNotPIV,
		"Yubico YubiKey OTP+FIDO+CCID 15 00":    hsm.ErrRemoved,
		strings.ToUpper(reader):                 hsm.ErrRemoved, // a YubiKey by name, but there is none so called
		"":                                      hsm.ErrNotPIV,
		"yubico " + strings.Repeat("long", 100): hsm.ErrRemoved,
	} {
		if _, err := piv.New().Open(t.Context(), name); !errors.Is(err, want) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if n := card.Counts().APDUs - before; n != 0 {
		t.Errorf("the card was sent %d commands", n)
	}
}

func TestPresentOpensNothing(t *testing.T) {
	card, reader := insert(t, "5.7.1")
	token := open(t, reader) // also while a token is held
	before := card.Counts().APDUs
	handles := service.Handles()
	for range 50 {
		present, err := piv.New().Present(t.Context())
		if err != nil || !slices.Contains(present, reader) {
			t.Fatalf("present %q, error %v", present, err)
		}
	}
	if card.Counts().APDUs != before || service.Handles() != handles {
		t.Fatal("polling disturbed the token")
	}
	service.Remove(card)
	present, err := piv.New().Present(t.Context())
	if err != nil || slices.Contains(present, reader) {
		t.Fatalf("present %q, error %v", present, err)
	}
	_ = token.Close()
}

// libpcsclite finds its service once in the life of a process, so this test
// runs in another one.
func TestNoService(t *testing.T) {
	const variable = "PCSCLITE_CSOCK_NAME"
	if os.Getenv(withoutService) != "" {
		if _, err := piv.New().Present(t.Context()); !errors.Is(err, hsm.ErrNoService) {
			t.Errorf("present: %v", err)
		}
		_, err := piv.New().Open(t.Context(), "Yubico YubiKey OTP+FIDO+CCID 00 00")
		if !errors.Is(err, hsm.ErrNoService) {
			t.Errorf("open: %v", err)
		}
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNoService$")
	cmd.Env = append(os.Environ(), withoutService+"=1", variable+"="+filepath.Join(t.TempDir(), "none"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestThousandSignaturesLeakNothing(t *testing.T) {
	card, reader := insert(t, "5.7.1")
	card.AutoTouch(true)
	first := open(t, reader)
	if _, err := first.Enrol(t.Context(), enrolment(t)); err != nil {
		t.Fatal(err)
	}
	pin := hsmtest.PIN(t, practicePIN)
	for range 20 { // what is made once is no leak
		if _, err := first.Sign(t.Context(), pin, hsm.SlotSignature, digest[:]); err != nil {
			t.Fatal(err)
		}
	}
	_ = first.Close()
	made := card.Counts().Sign
	before := usage(t)
	for range 50 {
		token, err := piv.New().Open(t.Context(), reader)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			if _, err := token.Sign(t.Context(), pin, hsm.SlotSignature, digest[:]); err != nil {
				t.Fatal(err)
			}
		}
		if err := token.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n := card.Counts().Sign - made; n != 1000 {
		t.Fatalf("%d signatures", n)
	}
	// The service notices the end of a connection in its own time.
	deadline := time.Now().Add(5 * time.Second)
	after := usage(t)
	for after.exceeds(before) && time.Now().Before(deadline) {
		runtime.Gosched()
		after = usage(t)
	}
	t.Logf("before %+v, after %+v", before, after)
	if after.exceeds(before) {
		t.Fatalf("before %+v, after %+v", before, after)
	}
}

// A use is what a process can leak.
type use struct{ goroutines, files, handles, heap, resident int }

// What memory may grow by in a thousand signatures: a tenth of one answer
// buffer for each of them would show.
const (
	heapSlack     = 1 << 20
	residentSlack = 6 << 20
)

func usage(t *testing.T) use {
	u := use{goroutines: runtime.NumGoroutine(), handles: service.Handles()}
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc to count open files in")
	}
	u.files = len(files)
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u.heap = int(m.HeapAlloc)
	debug.FreeOSMemory()
	var size, resident int
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("no /proc to read memory from")
	}
	if _, err := fmt.Sscan(string(statm), &size, &resident); err != nil {
		t.Fatal(err)
	}
	u.resident = resident * os.Getpagesize()
	return u
}

func (u use) exceeds(v use) bool {
	return u.goroutines > v.goroutines || u.files > v.files || u.handles > v.handles ||
		u.heap > v.heap+heapSlack || u.resident > v.resident+residentSlack
}

// A PIN that another program verified, or this one before it closed, must not
// serve the next.
func TestCloseForgetsThePIN(t *testing.T) {
	card, token := enrolled(t, "5.7.1")
	if _, err := token.Sign(t.Context(), hsmtest.PIN(t, practicePIN), hsm.SlotSignature, digest[:]); err != nil {
		t.Fatal(err)
	}
	if err := token.Close(); err != nil {
		t.Fatal(err)
	}
	card.Process([]byte{0, 0xa4, 4, 0, 5, 0xa0, 0, 0, 3, 8})
	if got := card.Process([]byte{0, 0x20, 0, 0x80}); got[0] == 0x90 {
		t.Fatal("the PIN is still verified")
	}
}

// No error, whatever went wrong, carries the PIN: it goes to screens and into
// the record.
func TestErrorsHoldNoPIN(t *testing.T) {
	const secret, other = "27182818", "16180339"
	card, reader := insert(t, "5.7.1")
	card.SetPIN(secret)
	card.AutoTouch(true)
	token := open(t, reader)
	e := enrolment(t)
	e.CurrentPIN = hsmtest.PIN(t, secret)
	if _, err := token.Enrol(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	var errs []error
	sign := func(pin string) {
		_, err := token.Sign(t.Context(), hsmtest.PIN(t, pin), hsm.SlotSignature, digest[:])
		errs = append(errs, err)
	}
	enrol := func(now, next string) {
		e := enrolment(t)
		e.Erase, e.CurrentPIN, e.NewPIN = card.Serial(), hsmtest.PIN(t, now), hsmtest.PIN(t, next)
		_, err := token.Enrol(t.Context(), e)
		errs = append(errs, err)
	}
	for _, fault := range []virtual.Fault{virtual.GarbledSignature, virtual.ErrorAfterSigning, virtual.RemoveBeforeSigning} {
		card.FailNext(fault)
		sign(secret)
		_ = token.Close()
		if _, err := service.Insert(card); err != nil {
			t.Fatal(err)
		}
		token = open(t, reader)
	}
	sign(other)
	enrol(other, secret)
	sign(other) // blocks
	sign(secret)
	enrol(secret, other)
	_ = token.Close()
	sign(secret)
	enrol(secret, other)
	for i, err := range errs {
		if err == nil {
			t.Fatalf("step %d went well", i)
		}
		for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)} {
			if strings.Contains(text, secret) || strings.Contains(text, other) {
				t.Errorf("step %d: %s", i, text)
			}
		}
	}
}

// importKey puts a key from outside into a slot, with or without a certificate.
func importKey(t *testing.T, reader string, cert bool) {
	t.Helper()
	yk, err := gopiv.Open(reader)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = yk.Close() }()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	policy := gopiv.Key{PINPolicy: gopiv.PINPolicyAlways, TouchPolicy: gopiv.TouchPolicyNever}
	if err := yk.SetPrivateKeyInsecure(gopiv.DefaultManagementKey, gopiv.SlotSignature, key, policy); err != nil {
		t.Fatal(err)
	}
	if cert {
		if err := yk.SetCertificate(gopiv.DefaultManagementKey, gopiv.SlotSignature, piv.Label(t, "Mallory", &key.PublicKey)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAKeyFromOutsideIsNoGeneratedOne(t *testing.T) {
	for _, firmware := range virtual.Firmwares() {
		t.Run(firmware, func(t *testing.T) {
			_, reader := insert(t, firmware)
			importKey(t, reader, true)
			token := open(t, reader)
			keys, err := token.Keys(t.Context())
			if err != nil || len(keys) != 1 {
				t.Fatalf("keys %+v, error %v", keys, err)
			}
			if keys[0].Generated || keys[0].Holder != "Mallory" {
				t.Fatalf("key %+v", keys[0])
			}
			if _, err := token.Attest(t.Context(), hsm.SlotSignature); !errors.Is(err, hsm.ErrNotGenuine) {
				t.Fatalf("attested: %v", err)
			}
			if _, err := token.Enrol(t.Context(), enrolment(t)); !errors.Is(err, hsm.ErrOccupied) {
				t.Fatalf("written over: %v", err)
			}
			if _, err := token.Sign(t.Context(), hsmtest.PIN(t, practicePIN), hsm.SlotSignature, digest[:]); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// The certificate of a key that was replaced would give the new key the old
// holder's name.
func TestACertificateOfAnotherKeyNamesNobody(t *testing.T) {
	_, reader := insert(t, "5.7.1")
	importKey(t, reader, true)
	importKey(t, reader, false)
	keys, err := open(t, reader).Keys(t.Context())
	if err != nil || len(keys) != 1 || keys[0].Holder != "" {
		t.Fatalf("keys %+v, error %v", keys, err)
	}
}

func TestKeysOfOtherKindsArePassedOverButNotWrittenOver(t *testing.T) {
	for _, firmware := range []string{"5.2.7", "5.7.1"} { // RSA keys take long to make
		t.Run(firmware, func(t *testing.T) {
			_, reader := insert(t, firmware)
			yk, err := gopiv.Open(reader)
			if err != nil {
				t.Fatal(err)
			}
			policy := gopiv.Key{Algorithm: gopiv.AlgorithmRSA2048, PINPolicy: gopiv.PINPolicyAlways, TouchPolicy: gopiv.TouchPolicyNever}
			if _, err := yk.GenerateKey(gopiv.DefaultManagementKey, gopiv.SlotSignature, policy); err != nil {
				t.Fatal(err)
			}
			retired, _ := gopiv.RetiredKeyManagementSlot(0x83)
			policy.Algorithm = gopiv.AlgorithmEC384
			if _, err := yk.GenerateKey(gopiv.DefaultManagementKey, retired, policy); err != nil {
				t.Fatal(err)
			}
			_ = yk.Close()
			token := open(t, reader)
			keys, err := token.Keys(t.Context())
			if err != nil || len(keys) != 1 || keys[0].Slot != 0x83 || keys[0].Algorithm != hsm.P384 || keys[0].PINPolicy != hsm.PolicyAlways {
				t.Fatalf("keys %+v, error %v", keys, err)
			}
			if _, err := token.Enrol(t.Context(), enrolment(t)); !errors.Is(err, hsm.ErrOccupied) {
				t.Fatalf("written over: %v", err)
			}
			if _, err := token.Sign(t.Context(), hsmtest.PIN(t, practicePIN), hsm.SlotSignature, digest[:]); !errors.Is(err, hsm.ErrNoKey) {
				t.Fatalf("signed: %v", err)
			}
		})
	}
}

func TestTouchOfAKeyThatWantsNoneIsNotBlamed(t *testing.T) {
	_, reader := insert(t, "5.7.1")
	importKey(t, reader, false)
	token := open(t, reader)
	keys, err := token.Keys(t.Context())
	if err != nil || keys[0].TouchPolicy != hsm.PolicyNever {
		t.Fatalf("keys %+v, error %v", keys, err)
	}
	if _, err := token.Sign(t.Context(), hsmtest.PIN(t, practicePIN), hsm.SlotSignature, digest[:]); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkVirtualSign measures one signature (VERIFY and GENERAL
// AUTHENTICATE) through go-piv, the real libpcsclite and the service.
func BenchmarkVirtualSign(b *testing.B) {
	_, token := enrolled(b, "5.7.1")
	pin := hsmtest.PIN(b, practicePIN)
	for b.Loop() {
		if _, err := token.Sign(b.Context(), pin, hsm.SlotSignature, digest[:]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPresent measures one look for tokens, which happens several times
// a second.
func BenchmarkPresent(b *testing.B) {
	insert(b, "5.7.1")
	tokens := piv.New()
	for b.Loop() {
		if _, err := tokens.Present(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
