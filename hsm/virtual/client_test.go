package virtual

import (
	"bytes"
	"encoding/binary"
	"net"
	"testing"
	"time"
)

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
