package virtual

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

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
