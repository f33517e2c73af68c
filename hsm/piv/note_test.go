package piv

import (
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"conclave/hsm"
	"conclave/hsm/piv/pcsc"
)

// The counter of a reader begins anew when the reader itself was taken out,
// as a YubiKey's is. Then nothing but having seen the gap tells of a swap.
func TestEachComingHasItsNumber(t *testing.T) {
	var changes atomic.Uint32
	w := &watch{first: make(chan struct{}), changes: &changes}
	in := pcsc.State{Reader: "a", Card: true}
	gone := pcsc.State{Reader: "a", Gone: true}
	id := func() uint32 {
		readers, err := w.readers(t.Context())
		if err != nil || len(readers) == 0 {
			return 0
		}
		return readers[0].Changes
	}
	var ids []uint32
	for _, step := range []struct {
		what string
		now  []pcsc.State
		new  bool
	}{
		{"comes", []pcsc.State{in}, true},
		{"stays", []pcsc.State{in}, false},
		{"is taken by a program", []pcsc.State{{Reader: "a", Card: true, Exclusive: true}}, false},
		{"goes with its reader", []pcsc.State{gone}, true},
		{"comes back, the counter begins anew", []pcsc.State{in}, true},
		{"the reader is no longer listed", nil, true},
		{"comes back once more", []pcsc.State{in}, true},
		{"went and came in between", []pcsc.State{{Reader: "a", Card: true, Events: 2}}, true},
		{"goes, the reader stays", []pcsc.State{{Reader: "a", Events: 3}}, true},
		{"another reader comes beside it", []pcsc.State{{Reader: "a", Events: 3}, {Reader: "b", Card: true}}, false},
	} {
		w.note(step.now)
		now := id()
		if len(ids) > 0 && (now != ids[len(ids)-1]) != step.new {
			t.Errorf("%s: %d after %v", step.what, now, ids)
		}
		if step.new && now != 0 && slices.Contains(ids, now) {
			t.Errorf("%s: %d was given out before: %v", step.what, now, ids)
		}
		ids = append(ids, now)
	}
}

func TestProgramsThatMayHoldATokenAreNamed(t *testing.T) {
	proc := t.TempDir()
	for pid, p := range map[string]struct{ comm, maps string }{
		"10":  {"scdaemon\n", ""},
		"11":  {"firefox\n", "7f00-7f01 r-xp 00000000 08:01 1 /usr/lib/x86_64-linux-gnu/libpcsclite.so.1.0.0\n"},
		"12":  {"bash\n", "7f00-7f01 r-xp 00000000 08:01 1 /usr/lib/libc.so.6\n"},
		"13":  {"pcscd\n", "/libpcsclite.so"},
		"14":  {"evil\x1b[2J\n", "/libpcsclite.so"},
		"15":  {"self\n", "/libpcsclite.so"},
		"sys": {"scdaemon\n", ""},
	} {
		dir := filepath.Join(proc, pid)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{"comm": p.comm, "maps": p.maps} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	got := holders(proc, 15)
	want := []string{"scdaemon (process 10)", "firefox (process 11)", "evil[2J (process 14)"}
	if !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	if got := holders(filepath.Join(proc, "none"), 1); got != nil {
		t.Fatalf("without /proc: %q", got)
	}
}

func TestSecretsAreReadOrNotTold(t *testing.T) {
	good := func() map[byte][]byte {
		return map[byte][]byte{
			refPIN: {1, 1, 0xff, 5, 1, 1, 6, 2, 3, 2}, refPUK: {1, 1, 0xff, 5, 1, 0, 6, 2, 5, 4},
			refManagement: {1, 1, 0x0a, 2, 2, 0, 1, 5, 1, 1},
		}
	}
	want := hsm.Secrets{
		Told: true, PIN: hsm.Tries{Left: 2, Most: 3, Factory: true}, PUK: hsm.Tries{Left: 4, Most: 5},
		Management: "AES-192", ManagementFactory: true,
	}
	if got := readSecrets(good()); got != want {
		t.Fatalf("got %+v", got)
	}
	for name, spoil := range map[string]func(map[byte][]byte){
		"nothing":         func(a map[byte][]byte) { clear(a) },
		"cut short":       func(a map[byte][]byte) { a[refPIN] = a[refPIN][:9] },
		"a long length":   func(a map[byte][]byte) { a[refPUK][1] = 0x81 },
		"no factory flag": func(a map[byte][]byte) { a[refManagement][7] = 9 },
		"odd tries":       func(a map[byte][]byte) { a[refPIN] = []byte{5, 1, 1, 6, 1, 3} },
	} {
		a := good()
		spoil(a)
		if got := readSecrets(a); got != (hsm.Secrets{}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestNumbersOfCardsWithoutOne(t *testing.T) {
	guid := []byte("0123456789abcdef")
	chuid := func(guid []byte) []byte {
		inner := append([]byte{0x30, 0, 0x34, byte(len(guid))}, guid...)
		return append([]byte{0x53, byte(len(inner))}, inner...)
	}
	a, b := numberOf(chuid(guid)), numberOf(chuid([]byte("0123456789abcdeX")))
	if a == 0 || b == 0 || a == b || a != numberOf(chuid(guid)) {
		t.Fatalf("numbers %d and %d", a, b)
	}
	for name, c := range map[string][]byte{
		"nothing": nil, "no GUID": {0x53, 2, 0x30, 0}, "a short one": chuid(guid[:15]), "an empty one": chuid(make([]byte, 16)),
		"cut off": chuid(guid)[:10],
	} {
		if n := numberOf(c); n != 0 {
			t.Errorf("%s: %d", name, n)
		}
	}
}
