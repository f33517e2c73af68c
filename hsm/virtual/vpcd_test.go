package virtual

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"
)

// A driver stands in for vpcd.
type driver struct {
	t    *testing.T
	conn net.Conn
}

func plugIn(t *testing.T, c *Card) (*Plug, driver) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	p, err := PlugIn(l.Addr().String(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Pull)
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second)) // a hanging test says where
	return p, driver{t, conn}
}

func (d driver) send(b []byte) {
	d.t.Helper()
	if _, err := d.conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)); err != nil {
		d.t.Fatal(err)
	}
}

func (d driver) ask(b []byte) []byte {
	d.t.Helper()
	d.send(b)
	var head [2]byte
	if _, err := io.ReadFull(d.conn, head[:]); err != nil {
		d.t.Fatal(err)
	}
	answer := make([]byte, binary.BigEndian.Uint16(head[:]))
	if _, err := io.ReadFull(d.conn, answer); err != nil {
		d.t.Fatal(err)
	}
	return answer
}

func TestPluggedCardAnswers(t *testing.T) {
	c := newCard(t)
	p, d := plugIn(t, c)
	if got := d.ask([]byte{vpcdATR}); !bytes.Equal(got, atr) {
		t.Fatalf("answer to reset %x", got)
	}
	for range 3 {
		if got := d.ask(selectPIV); got[len(got)-2] != 0x90 {
			t.Fatalf("answer %x", got)
		}
	}
	d.ask([]byte{0, 0x20, 0, 0x80, 8, '1', '2', '3', '4', '5', '6', 0xff, 0xff})
	if got := d.ask([]byte{0, 0x20, 0, 0x80}); !bytes.Equal(got, []byte{0x90, 0}) {
		t.Fatalf("the PIN is not verified: %x", got)
	}
	d.send([]byte{vpcdReset}) // forgets the PIN and the applet
	d.ask(selectPIV)
	if got := d.ask([]byte{0, 0x20, 0, 0x80}); got[0] != 0x63 {
		t.Fatalf("a reset kept the PIN: %x", got)
	}
	p.Pull()
	p.Pull()
	if n, err := d.conn.Read(make([]byte, 1)); err == nil {
		t.Fatalf("%d bytes from a card that is out", n)
	}
}

func TestPluggedCardIsPulledWhileItBlinks(t *testing.T) {
	player := play(t, "5.7.1")
	player.generate(refSignature, pinAlways, touchAlways)
	p, d := plugIn(t, player.card)
	d.ask(selectPIV)
	d.ask([]byte{0, 0x20, 0, 0x80, 8, '1', '2', '3', '4', '5', '6', 0xff, 0xff})
	body := tlv(tagDynamic, append(tlv(tagResponse, nil), tlv(tagChallenge, digest)...))
	d.send(command1(insGeneralAuthenticate, algP256, refSignature, body))
	<-player.card.Waiting()
	p.Pull()
	if n := player.card.Counts().Sign; n != 0 {
		t.Fatalf("%d signatures", n)
	}
}

func TestAFaultUnplugs(t *testing.T) {
	player := play(t, "5.7.1")
	player.generate(refSignature, pinAlways, policyNever)
	p, d := plugIn(t, player.card)
	d.ask(selectPIV)
	d.ask([]byte{0, 0x20, 0, 0x80, 8, '1', '2', '3', '4', '5', '6', 0xff, 0xff})
	player.card.FailNext(RemoveAfterSigning)
	body := tlv(tagDynamic, append(tlv(tagResponse, nil), tlv(tagChallenge, digest)...))
	d.send(command1(insGeneralAuthenticate, algP256, refSignature, body))
	<-p.Done()
	if n := player.card.Counts().Sign; n != 1 {
		t.Fatalf("%d signatures", n)
	}
}
