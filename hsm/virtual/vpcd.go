package virtual

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
)

// What vpcd, the reader driver of vsmartcard, sends to a card over TCP: a
// length of two bytes, and that many of a command; one byte alone is a signal.
const (
	vpcdPowerOff = 0
	vpcdPowerOn  = 1
	vpcdReset    = 2
	vpcdATR      = 4 // sent several times a second, to see whether the card is there
)

// A Plug is a card's place in a reader of a real pcscd, by way of vpcd, for
// tests that want the whole of PC/SC in between.
type Plug struct {
	conn   net.Conn
	card   *Card
	pulled chan struct{}
	done   chan struct{}
	once   sync.Once
}

// PlugIn puts a card into the reader that vpcd keeps at address.
func PlugIn(address string, c *Card) (*Plug, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("plug card into vpcd: %w", err)
	}
	c.powerUp()
	p := &Plug{conn: conn, card: c, pulled: make(chan struct{}), done: make(chan struct{})}
	go p.serve()
	return p, nil
}

// Pull takes the card out, also while it is at work. The reader notices in its own time.
func (p *Plug) Pull() {
	p.cut()
	<-p.done
}

func (p *Plug) cut() {
	p.once.Do(func() {
		close(p.pulled)
		_ = p.conn.Close()
	})
}

// Done is closed when the card is out, by Pull, by a fault, or because the driver ended.
func (p *Plug) Done() <-chan struct{} { return p.done }

func (p *Plug) serve() {
	defer close(p.done)
	defer p.cut()
	for {
		message, err := p.read()
		if err != nil {
			return
		}
		answer, here := p.answer(message)
		if !here {
			return
		}
		if answer == nil {
			continue
		}
		if err := p.write(answer); err != nil {
			return
		}
	}
}

// read takes one message. The driver sends length and body apart and waits for neither
// to be acknowledged but by data, so acknowledgements must not be held back.
func (p *Plug) read() ([]byte, error) {
	var head [2]byte
	acknowledgeAtOnce(p.conn)
	if _, err := io.ReadFull(p.conn, head[:]); err != nil {
		return nil, err
	}
	acknowledgeAtOnce(p.conn)
	b := make([]byte, binary.BigEndian.Uint16(head[:]))
	_, err := io.ReadFull(p.conn, b)
	return b, err
}

func (p *Plug) write(answer []byte) error {
	_, err := p.conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
	return err
}

// answer returns what the card says, nil for nothing. A lost answer looks
// to a reader as if the card had gone.
func (p *Plug) answer(message []byte) (answer []byte, here bool) {
	if len(message) != 1 {
		answer, how := p.card.exchange(message, p.pulled)
		clear(message) // it may hold a PIN
		return answer, how == answered
	}
	switch message[0] {
	case vpcdATR:
		return atr, true
	case vpcdPowerOff, vpcdPowerOn, vpcdReset:
		p.card.powerUp()
	}
	return nil, true
}
