package virtual

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func startService(t testing.TB) *Service {
	t.Helper()
	dir, err := os.MkdirTemp("", "pcsc") // a test's own folder can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	s, err := Start(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	return s
}

func newCard(t testing.TB) *Card {
	t.Helper()
	card, err := NewCard(Options{Serial: 1, Root: testRoot(t)})
	if err != nil {
		t.Fatal(err)
	}
	return card
}

func (s *Service) mustInsert(t testing.TB, c *Card) string {
	t.Helper()
	reader, err := s.Insert(c)
	if err != nil {
		t.Fatal(err)
	}
	return reader
}

func TestReadersComeAndGoWithTheirCards(t *testing.T) {
	s := startService(t)
	h := dial(t, s)
	if got := h.readers(reqReaders); len(got) != 0 {
		t.Fatalf("readers %q", got)
	}
	a, b := newCard(t), newCard(t)
	first, second := s.mustInsert(t, a), s.mustInsert(t, b)
	if again := s.mustInsert(t, a); again != first {
		t.Fatalf("inserted twice: %q and %q", first, again)
	}
	if got := h.readers(reqReaders); len(got) != 2 || got[0] != first || got[1] != second {
		t.Fatalf("readers %q", got)
	}
	s.Remove(a)
	s.Remove(a)
	if s.Inserted(a) || !s.Inserted(b) {
		t.Fatal("the wrong card was removed")
	}
	if got := h.readers(reqReaders); len(got) != 1 || got[0] != second {
		t.Fatalf("readers %q", got)
	}
	if _, r := h.connect(first, shareExclusive); r != resUnknownReader {
		t.Fatalf("connected to an empty place: %08x", r)
	}
}

func TestNoMoreThanSixteenReaders(t *testing.T) {
	s := startService(t)
	for range maxReaders {
		s.mustInsert(t, newCard(t))
	}
	if reader, err := s.Insert(newCard(t)); err == nil {
		t.Fatalf("a seventeenth reader: %q", reader)
	}
}

func TestSharing(t *testing.T) {
	for _, c := range []struct {
		name          string
		first, second uint32
		want          result
	}{
		{"exclusive then exclusive", shareExclusive, shareExclusive, resSharing},
		{"exclusive then shared", shareExclusive, shareShared, resSharing},
		{"shared then exclusive", shareShared, shareExclusive, resSharing},
		{"shared then shared", shareShared, shareShared, resOK},
		{"shared then nonsense", shareShared, 9, resInvalidValue},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := startService(t)
			reader := s.mustInsert(t, newCard(t))
			one, two := dial(t, s), dial(t, s)
			handle := one.mustConnect(reader, c.first)
			if _, r := two.connect(reader, c.second); r != c.want {
				t.Fatalf("%08x", r)
			}
			one.wantTransmit(handle, resOK)
			if r := one.simple(reqDisconnect, handle); r != resOK {
				t.Fatalf("disconnect: %08x", r)
			}
			two.mustConnect(reader, shareShared)
		})
	}
}

func TestAClientThatDiesLetsGo(t *testing.T) {
	s := startService(t)
	reader := s.mustInsert(t, newCard(t))
	one, two := dial(t, s), dial(t, s)
	one.mustConnect(reader, shareExclusive)
	two.readers(reqWait) // told when the first one is gone
	_ = one.conn.Close()
	two.read(waitResponse)
	two.mustConnect(reader, shareExclusive)
}

func TestReleasingTheContextLetsGo(t *testing.T) {
	s := startService(t)
	reader := s.mustInsert(t, newCard(t))
	one, two := dial(t, s), dial(t, s)
	one.mustConnect(reader, shareExclusive)
	if r := two.simple(reqRelease, one.context); r != resInvalidHandle {
		t.Fatalf("released somebody else's context: %08x", r)
	}
	if r := one.simple(reqRelease, one.context); r != resOK {
		t.Fatalf("release: %08x", r)
	}
	if _, r := one.connect(reader, shareShared); r != resInvalidHandle {
		t.Fatalf("connected without a context: %08x", r)
	}
	two.mustConnect(reader, shareExclusive)
	if n := s.Handles(); n != 1 {
		t.Fatalf("%d handles", n)
	}
}

func TestTransactions(t *testing.T) {
	s := startService(t)
	reader := s.mustInsert(t, newCard(t))
	one, two := dial(t, s), dial(t, s)
	a, b := one.mustConnect(reader, shareShared), two.mustConnect(reader, shareShared)
	for _, step := range []struct {
		what string
		got  func() result
		want result
	}{
		{"begin", func() result { return one.simple(reqBegin, a) }, resOK},
		{"begin again", func() result { return one.simple(reqBegin, a) }, resOK},
		{"begin by another", func() result { return two.simple(reqBegin, b) }, resSharing},
		{"end by another", func() result { return two.simple(reqEnd, b) }, resNotTransacted},
		{"transmit by another", func() result { _, r := two.transmit(b, selectPIV); return r }, resSharing},
		{"transmit", func() result { _, r := one.transmit(a, selectPIV); return r }, resOK},
		{"end", func() result { return one.simple(reqEnd, a) }, resOK},
		{"begin by another then", func() result { return two.simple(reqBegin, b) }, resOK},
		{"disconnect by another", func() result { return two.simple(reqDisconnect, b) }, resOK},
		{"begin after that", func() result { return one.simple(reqBegin, a) }, resOK},
	} {
		if got := step.got(); got != step.want {
			t.Fatalf("%s: %08x, want %08x", step.what, got, step.want)
		}
	}
}

// Handles are small numbers, so another program can guess them.
func TestHandlesBelongToTheirClient(t *testing.T) {
	s := startService(t)
	reader := s.mustInsert(t, newCard(t))
	one, two := dial(t, s), dial(t, s)
	handle := one.mustConnect(reader, shareExclusive)
	two.wantTransmit(handle, resInvalidHandle)
	for _, req := range []request{reqStatus, reqBegin, reqEnd, reqDisconnect, reqReconnect} {
		if r := two.simple(req, handle); r != resInvalidHandle {
			t.Errorf("request %#x: %08x", req, r)
		}
	}
	one.wantTransmit(handle, resOK)
}

func TestStaleHandlesStayDead(t *testing.T) {
	s := startService(t)
	card := newCard(t)
	reader := s.mustInsert(t, card)
	h := dial(t, s)
	handle := h.mustConnect(reader, shareExclusive)
	h.wantTransmit(handle, resOK)
	s.Remove(card)
	h.wantTransmit(handle, resReaderUnavailable)
	if again := s.mustInsert(t, card); again != reader {
		t.Fatalf("came back as %q", again)
	}
	h.wantTransmit(handle, resReaderUnavailable)
	for _, req := range []request{reqStatus, reqBegin, reqEnd, reqReconnect} {
		if r := h.simple(req, handle); r != resReaderUnavailable {
			t.Errorf("request %#x: %08x", req, r)
		}
	}
	fresh := h.mustConnect(reader, shareExclusive) // the stale handle does not hold the reader
	h.wantTransmit(fresh, resOK)
	if r := h.simple(reqDisconnect, handle); r != resReaderUnavailable {
		t.Fatalf("disconnect the stale handle: %08x", r)
	}
	h.wantTransmit(fresh, resOK)
	if n := s.Handles(); n != 1 {
		t.Fatalf("%d handles", n)
	}
}

func TestRemovalForgetsThePIN(t *testing.T) {
	s := startService(t)
	p := play(t, "5.7.1")
	p.generate(0x9c, pinOnce, policyNever)
	p.ok(rightPIN)
	s.mustInsert(t, p.card)
	s.Remove(p.card)
	s.mustInsert(t, p.card)
	p.ok("00a4040005a000000308")
	p.mustRefuse(0x9c)
}

func TestDisconnectCanReset(t *testing.T) {
	s := startService(t)
	p := play(t, "5.7.1")
	reader := s.mustInsert(t, p.card)
	h := dial(t, s)
	for disposition, forgets := range map[uint32]bool{leaveCard: false, 1: true, 2: true} {
		handle := h.mustConnect(reader, shareExclusive)
		p.ok("00a4040005a000000308")
		p.ok(rightPIN)
		body := make([]byte, 12)
		wireOrder.PutUint32(body, handle)
		wireOrder.PutUint32(body[atDisposition:], disposition)
		h.call(reqDisconnect, body)
		if _, st := p.send("00a4040005a000000308"); st != statusOK {
			t.Fatalf("%04x", st)
		}
		if _, st := p.send("00200080"); (st != statusOK) != forgets {
			t.Errorf("disposition %d: PIN status %04x", disposition, st)
		}
	}
}

func touchCard(t *testing.T) player {
	p := play(t, "5.7.1")
	p.generate(0x9c, policyNever, touchAlways)
	return p
}

var signTouch = command1(insGeneralAuthenticate, algP256, 0x9c,
	tlv(tagDynamic, append(tlv(tagResponse, nil), tlv(tagChallenge, digest)...)))

func TestRemovalEndsTheWaitForATouch(t *testing.T) {
	s := startService(t)
	p := touchCard(t)
	reader := s.mustInsert(t, p.card)
	h := dial(t, s)
	handle := h.mustConnect(reader, shareExclusive)
	h.wantTransmit(handle, resOK)
	h.sendTransmit(handle, signTouch, maxAPDU)
	<-p.card.Waiting()
	other := dial(t, s) // a card that waits holds nobody else up
	if got := other.readers(reqReaders); len(got) != 1 {
		t.Fatalf("readers %q", got)
	}
	s.Remove(p.card)
	if b, r := h.readTransmit(); r != resRemovedCard {
		t.Fatalf("%08x, %x", r, b)
	}
	if n := p.card.Counts().Sign; n != 0 {
		t.Fatalf("signed %d times", n)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	s := startService(t)
	p := touchCard(t)
	reader := s.mustInsert(t, p.card)
	h, waiter := dial(t, s), dial(t, s)
	handle := h.mustConnect(reader, shareExclusive)
	h.wantTransmit(handle, resOK)
	waiter.readers(reqWait)
	h.sendTransmit(handle, signTouch, maxAPDU)
	<-p.card.Waiting()
	for range 2 {
		if err := s.Close(); err != nil { // returns once all goroutines have ended
			t.Fatal(err)
		}
	}
	h.wantClosed()
	waiter.wantClosed()
	if _, err := os.Stat(s.Socket()); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the socket is still there: %v", err)
	}
	if _, err := s.Insert(newCard(t)); err == nil {
		t.Fatal("inserted into a closed service")
	}
}

func TestFaultsOfTheCardReachTheHost(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault Fault
		want  result
		after result
	}{
		{"pulled before signing", RemoveBeforeSigning, resRemovedCard, resReaderUnavailable},
		{"pulled after signing", RemoveAfterSigning, resRemovedCard, resReaderUnavailable},
		{"answer lost", ErrorAfterSigning, resCommError, resOK},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := startService(t)
			p := touchCard(t)
			p.card.AutoTouch(true)
			reader := s.mustInsert(t, p.card)
			h := dial(t, s)
			handle := h.mustConnect(reader, shareExclusive)
			h.wantTransmit(handle, resOK)
			p.card.FailNext(c.fault)
			if _, r := h.transmit(handle, signTouch); r != c.want {
				t.Fatalf("%08x", r)
			}
			h.wantTransmit(handle, c.after)
			if s.Inserted(p.card) != (c.after == resOK) {
				t.Fatal("the card is in the wrong place")
			}
		})
	}
}

func TestAnAnswerThatDoesNotFit(t *testing.T) {
	s := startService(t)
	reader := s.mustInsert(t, newCard(t))
	h := dial(t, s)
	handle := h.mustConnect(reader, shareExclusive)
	h.sendTransmit(handle, selectPIV, 3)
	if _, r := h.readTransmit(); r != resInsufficient {
		t.Fatalf("%08x", r)
	}
	h.wantTransmit(handle, resOK)
}

func TestUnsupportedRequestsAreAnswered(t *testing.T) {
	s := startService(t)
	reader := s.mustInsert(t, newCard(t))
	h := dial(t, s)
	handle := h.mustConnect(reader, shareShared)
	for _, req := range []request{reqControl, reqGetAttrib, reqSetAttrib} {
		if r := h.simple(req, handle); r != resUnsupported {
			t.Errorf("request %#x: %08x", req, r)
		}
	}
	h.wantTransmit(handle, resOK)
}

func TestClientsAreBounded(t *testing.T) {
	s := startService(t)
	for range maxClients {
		dial(t, s)
	}
	conn, err := net.Dial("unix", s.Socket())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	h := &host{t: t, conn: conn}
	h.wantClosed()
}

func TestTheSocketIsPrivate(t *testing.T) {
	s := startService(t)
	info, err := os.Stat(filepath.Dir(s.Socket()))
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o700 {
		t.Fatalf("folder mode %o", mode)
	}
}

func TestStartRefusesWhatIsTooLongForASocket(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	if s, err := Start(dir); err == nil {
		_ = s.Close()
		t.Fatal("started")
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		t.Fatalf("left behind: %v, error %v", left, err)
	}
}

func TestUseIsForOneServiceOnly(t *testing.T) {
	t.Setenv(socketVariable, "") // put back afterwards
	t.Cleanup(func() { used.socket = "" })
	a, b := startService(t), startService(t)
	for range 2 {
		if err := a.Use(); err != nil {
			t.Fatal(err)
		}
	}
	if got := os.Getenv(socketVariable); got != a.Socket() {
		t.Fatalf("%s is %q", socketVariable, got)
	}
	if err := b.Use(); err == nil {
		t.Fatal("used a second service, which libpcsclite would never see")
	}
}
