package virtual

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
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

// A host speaks the protocol as libpcsclite does, but tells what it got.
type host struct {
	t       testing.TB
	conn    net.Conn
	context uint32
}

func dial(t testing.TB, s *Service) *host {
	t.Helper()
	conn, err := net.Dial("unix", s.Socket())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second)) // a hanging test says where
	h := &host{t: t, conn: conn}
	body := h.call(reqEstablish, make([]byte, 12))
	h.context = wireOrder.Uint32(body[4:])
	return h
}

func (h *host) write(req request, body []byte) {
	h.t.Helper()
	head := wireOrder.AppendUint32(nil, uint32(len(body)))
	head = wireOrder.AppendUint32(head, uint32(req))
	if _, err := h.conn.Write(append(head, body...)); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) read(n int) []byte {
	h.t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(h.conn, b); err != nil {
		h.t.Fatal(err)
	}
	return b
}

func (h *host) call(req request, body []byte) []byte {
	h.t.Helper()
	h.write(req, body)
	return h.read(len(body))
}

func resultOf(body []byte) result { return result(wireOrder.Uint32(body[len(body)-4:])) }

func (h *host) connect(reader string, share uint32) (handle uint32, r result) {
	h.t.Helper()
	body := make([]byte, bodySize[reqConnect])
	wireOrder.PutUint32(body, h.context)
	copy(body[4:], reader)
	wireOrder.PutUint32(body[atShare:], share)
	wireOrder.PutUint32(body[atShare+4:], protocolT1)
	body = h.call(reqConnect, body)
	return wireOrder.Uint32(body[atCard:]), resultOf(body)
}

func (h *host) mustConnect(reader string, share uint32) uint32 {
	h.t.Helper()
	handle, r := h.connect(reader, share)
	if r != resOK {
		h.t.Fatalf("connect: %08x", r)
	}
	return handle
}

// simple calls a request whose body begins with a handle.
func (h *host) simple(req request, handle uint32) result {
	h.t.Helper()
	body := make([]byte, bodySize[req])
	wireOrder.PutUint32(body, handle)
	return resultOf(h.call(req, body))
}

func (h *host) sendTransmit(handle uint32, apdu []byte, room uint32) {
	h.t.Helper()
	body := make([]byte, 32)
	wireOrder.PutUint32(body, handle)
	wireOrder.PutUint32(body[atSendLength:], uint32(len(apdu)))
	wireOrder.PutUint32(body[atReceiveLength:], room)
	h.write(reqTransmit, body)
	if _, err := h.conn.Write(apdu); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) readTransmit() ([]byte, result) {
	h.t.Helper()
	body := h.read(32)
	if r := resultOf(body); r != resOK {
		return nil, r
	}
	return h.read(int(wireOrder.Uint32(body[atReceiveLength:]))), resOK
}

func (h *host) transmit(handle uint32, apdu []byte) ([]byte, result) {
	h.t.Helper()
	h.sendTransmit(handle, apdu, maxAPDU)
	return h.readTransmit()
}

func (h *host) wantTransmit(handle uint32, want result) {
	h.t.Helper()
	if _, got := h.transmit(handle, selectPIV); got != want {
		h.t.Fatalf("transmit: %08x, want %08x", got, want)
	}
}

var selectPIV = append([]byte{0, insSelect, byName, 0, 5}, aidPIV...)

func (h *host) readers(req request) []string {
	h.t.Helper()
	h.write(req, nil)
	b := h.read(maxReaders * readerEntry)
	var names []string
	for i := range maxReaders {
		name, _, _ := bytes.Cut(b[i*readerEntry:i*readerEntry+readerName], []byte{0})
		if len(name) > 0 {
			names = append(names, string(name))
		}
	}
	return names
}

func (h *host) wantClosed() {
	h.t.Helper()
	if n, err := h.conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		h.t.Fatalf("read %d bytes, error %v: the connection is open", n, err)
	}
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

func TestWaits(t *testing.T) {
	s := startService(t)
	h := dial(t, s)
	wait := func() { h.t.Helper(); h.readers(reqWait) }
	signal := func(want result) {
		t.Helper()
		if got := resultOf(h.read(waitResponse)); got != want {
			t.Fatalf("signal %08x, want %08x", got, want)
		}
	}
	card := newCard(t)
	wait()
	reader := s.mustInsert(t, card)
	signal(resOK)
	if got := h.readers(reqWait); len(got) != 1 || got[0] != reader {
		t.Fatalf("readers %q", got)
	}
	other := dial(t, s)
	other.mustConnect(reader, shareExclusive) // in use counts as a change
	signal(resOK)
	wait()
	s.Remove(card)
	signal(resOK)

	wait() // stopped in time: one answer
	h.write(reqStopWaiting, nil)
	signal(resOK)

	wait() // stopped too late: the signal is the answer, and the only one
	s.mustInsert(t, card)
	h.write(reqStopWaiting, nil)
	signal(resOK)
	if got := h.readers(reqReaders); len(got) != 1 { // in step again
		t.Fatalf("readers %q", got)
	}

	wait() // cancelled from another connection, as SCardCancel does
	if r := other.simple(reqCancel, h.context); r != resOK {
		t.Fatalf("cancel: %08x", r)
	}
	signal(resCancelled)
	if r := other.simple(reqCancel, h.context); r != resInvalidHandle {
		t.Fatalf("cancelled what does not wait: %08x", r)
	}
	if r := other.simple(reqCancel, 12345); r != resInvalidHandle {
		t.Fatalf("cancelled nobody: %08x", r)
	}
}

func TestVersions(t *testing.T) {
	s := startService(t)
	for _, c := range []struct {
		major, minor uint32
		want         result
	}{
		{4, 4, resOK},
		{4, 6, resServiceStopped}, // asks again with what it was told
		{4, 3, resServiceStopped},
		{3, 4, resServiceStopped},
	} {
		h := dial(t, s)
		body := make([]byte, 12)
		wireOrder.PutUint32(body, c.major)
		wireOrder.PutUint32(body[4:], c.minor)
		body = h.call(reqVersion, body)
		if resultOf(body) != c.want || wireOrder.Uint32(body) != 4 || wireOrder.Uint32(body[4:]) != 4 {
			t.Errorf("version %d.%d: %x", c.major, c.minor, body)
		}
	}
}

// A client lies about lengths to make the service reserve memory or read on
// into the next message.
func TestLiesAboutLengthsEndTheConnection(t *testing.T) {
	s := startService(t)
	le := binary.LittleEndian
	huge := make([]byte, 32)
	le.PutUint32(huge[atSendLength:], 1<<31)
	control := make([]byte, 24)
	le.PutUint32(control[atControlLength:], maxAPDU+1)
	for name, message := range map[string][]byte{
		"a body of 4 GiB":         {0xff, 0xff, 0xff, 0xff, byte(reqVersion), 0, 0, 0},
		"a body too long by one":  {13, 0, 0, 0, byte(reqVersion), 0, 0, 0},
		"a body too short by one": {11, 0, 0, 0, byte(reqVersion), 0, 0, 0},
		"a body where none is":    {8, 0, 0, 0, byte(reqWait), 0, 0, 0},
		"an unknown request":      {0, 0, 0, 0, 0x77, 0, 0, 0},
		"2 GiB to transmit":       append([]byte{32, 0, 0, 0, byte(reqTransmit), 0, 0, 0}, huge...),
		"too much control data":   append([]byte{24, 0, 0, 0, byte(reqControl), 0, 0, 0}, control...),
	} {
		t.Run(name, func(t *testing.T) {
			h := dial(t, s)
			if _, err := h.conn.Write(message); err != nil {
				t.Fatal(err)
			}
			h.wantClosed()
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
	defer conn.Close()
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

// A script is a connection to a client that says its piece and hangs up.
type script struct {
	net.Conn
	in  *bytes.Reader
	out int
}

func (s *script) Read(b []byte) (int, error)       { return s.in.Read(b) }
func (s *script) Write(b []byte) (int, error)      { s.out += len(b); return len(b), nil }
func (s *script) Close() error                     { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

// FuzzClient: whatever a client says, the service neither panics nor keeps
// anything of it once it is gone.
func FuzzClient(f *testing.F) {
	s := startService(f)
	card := newCard(f)
	reader := s.mustInsert(f, card)
	message := func(req request, body []byte) []byte {
		b := wireOrder.AppendUint32(nil, uint32(len(body)))
		return append(wireOrder.AppendUint32(b, uint32(req)), body...)
	}
	for req, size := range bodySize {
		f.Add(message(req, make([]byte, size)))
	}
	establish := message(reqEstablish, make([]byte, 12))
	connect := make([]byte, bodySize[reqConnect])
	wireOrder.PutUint32(connect, 1) // the first number given out
	copy(connect[4:], reader)
	wireOrder.PutUint32(connect[atShare:], shareShared)
	wireOrder.PutUint32(connect[atShare+4:], protocolT1)
	transmit := make([]byte, 32)
	wireOrder.PutUint32(transmit, 2)
	wireOrder.PutUint32(transmit[atSendLength:], uint32(len(selectPIV)))
	wireOrder.PutUint32(transmit[atReceiveLength:], maxAPDU)
	f.Add(bytes.Join([][]byte{establish, message(reqConnect, connect), message(reqTransmit, transmit), selectPIV}, nil))
	f.Add(append(message(reqWait, nil), message(reqStopWaiting, nil)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		s.last = 0 // so that scripts can know their numbers
		c := &client{service: s, conn: &script{in: bytes.NewReader(b)}}
		if !s.admit(c) {
			t.Fatal("not admitted")
		}
		c.serve()
		if n := len(s.handles) + len(s.context) + len(s.waiting) + len(s.clients); n != 0 {
			t.Fatalf("%d things were kept", n)
		}
		in := s.find(card)
		if in == nil || in.holders != 0 || in.exclusive || in.lock != nil {
			t.Fatalf("seat %+v", in)
		}
	})
}
