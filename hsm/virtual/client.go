package virtual

import (
	"net"
	"sync"
	"time"
)

// writeTimeout bounds how long a client that does not read can hold up others.
const writeTimeout = 5 * time.Second

// A client is one connection: libpcsclite opens one for each PC/SC context.
// Its goroutine reads and answers one request after the other.
type client struct {
	service *Service
	conn    net.Conn

	write sync.Mutex // an answer must not be cut in two by a signal
}

func (c *client) serve() {
	defer c.service.done.Done()
	defer func() { _ = c.conn.Close() }()
	defer c.service.dismiss(c)
	for {
		req, body, err := readRequest(c.conn)
		if err != nil {
			return
		}
		if err := c.answer(req, body); err != nil {
			return
		}
	}
}

func (c *client) answer(req request, body []byte) error {
	switch req {
	case reqVersion:
		return c.version(body)
	case reqReaders:
		return c.listReaders()
	case reqWait:
		return c.wait()
	case reqStopWaiting:
		return c.stopWaiting()
	case reqTransmit:
		return c.transmit(body)
	case reqControl:
		return c.control(body)
	case reqGetAttrib, reqSetAttrib:
		setResult(body, resUnsupported)
	case reqEstablish:
		c.establish(body)
	case reqRelease:
		c.release(body)
	case reqConnect:
		c.connect(body)
	case reqReconnect:
		c.reconnect(body)
	case reqDisconnect:
		c.disconnect(body)
	case reqBegin:
		c.begin(body)
	case reqEnd:
		c.end(body)
	case reqStatus:
		_, r := c.lookUp(body)
		setResult(body, r)
	case reqCancel:
		c.cancel(body)
	}
	return c.send(body)
}

func (c *client) send(parts ...[]byte) error {
	c.write.Lock()
	defer c.write.Unlock()
	if err := c.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	buffers := net.Buffers(parts)
	_, err := buffers.WriteTo(c.conn)
	return err
}

// signal answers a wait. A client that cannot be reached is cut off; its own
// goroutine tidies up.
func (c *client) signal(r result) {
	body := make([]byte, waitResponse)
	setResult(body, r)
	if c.send(body) != nil {
		_ = c.conn.Close()
	}
}

func (c *client) version(body []byte) error {
	r := resOK
	if wireOrder.Uint32(body) != protocolMajor || wireOrder.Uint32(body[4:]) != protocolMinor {
		r = resServiceStopped // a newer library then asks again with ours
	}
	wireOrder.PutUint32(body, protocolMajor)
	wireOrder.PutUint32(body[4:], protocolMinor)
	setResult(body, r)
	return c.send(body)
}

func (c *client) listReaders() error {
	s := c.service
	s.mu.Lock()
	b := s.readers()
	s.mu.Unlock()
	return c.send(b)
}

// wait answers with the reader list at once and with a signal at the next
// change. The list goes out under s.mu, so that no signal can overtake it.
func (c *client) wait() error {
	s := c.service
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting[c] = struct{}{}
	return c.send(s.readers())
}

// stopWaiting answers only a client that still waits: the others have their
// signal on the way, and take it for the answer.
func (c *client) stopWaiting() error {
	s := c.service
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, waits := s.waiting[c]; !waits {
		return nil
	}
	delete(s.waiting, c)
	return c.send(make([]byte, waitResponse))
}

// cancel ends the wait of another connection of the same program.
func (c *client) cancel(body []byte) {
	s := c.service
	s.mu.Lock()
	defer s.mu.Unlock()
	r := resInvalidHandle
	target := s.context[wireOrder.Uint32(body[atFirst:])]
	if _, waits := s.waiting[target]; waits {
		delete(s.waiting, target)
		target.signal(resCancelled)
		r = resOK
	}
	setResult(body, r)
}

func (c *client) establish(body []byte) {
	s := c.service
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.number()
	s.context[id] = c
	wireOrder.PutUint32(body[4:], id)
	setResult(body, resOK)
}

func (c *client) release(body []byte) {
	s := c.service
	s.mu.Lock()
	defer s.mu.Unlock()
	id := wireOrder.Uint32(body[atFirst:])
	if s.context[id] != c {
		setResult(body, resInvalidHandle)
		return
	}
	delete(s.context, id)
	for id, h := range s.handles {
		if h.client == c {
			s.drop(id, h)
		}
	}
	setResult(body, resOK)
}

func (c *client) connect(body []byte) {
	s := c.service
	s.mu.Lock()
	defer s.mu.Unlock()
	in, r := s.admissible(nameOf(body), wireOrder.Uint32(body[atShare:]), wireOrder.Uint32(body[atShare+4:]))
	if r == resOK && s.context[wireOrder.Uint32(body)] != c {
		r = resInvalidHandle
	}
	setResult(body, r)
	if r != resOK {
		return
	}
	in.holders++
	in.exclusive = wireOrder.Uint32(body[atShare:]) == shareExclusive
	id := s.number()
	s.handles[int32(id)] = &handle{client: c, seat: in}
	wireOrder.PutUint32(body[atCard:], id)
	wireOrder.PutUint32(body[atProtocol:], protocolT1)
	s.wake()
}

// admissible says whether a reader can be connected to. The caller holds s.mu.
func (s *Service) admissible(reader string, share, protocols uint32) (*seat, result) {
	var in *seat
	for _, other := range s.seats {
		if other != nil && other.reader == reader {
			in = other
		}
	}
	switch {
	case in == nil:
		return nil, resUnknownReader
	case share < shareExclusive || share > shareDirect:
		return nil, resInvalidValue
	case in.card == nil:
		return nil, resNoCard
	case share != shareDirect && protocols&protocolT1 == 0:
		return nil, resProtocolMismatch
	case in.exclusive, share == shareExclusive && in.holders > 0:
		return nil, resSharing
	}
	return in, resOK
}

func (c *client) reconnect(body []byte) {
	s := c.service
	h, r := c.lookUp(body)
	s.mu.Lock()
	defer s.mu.Unlock()
	share := wireOrder.Uint32(body[4:])
	switch {
	case r != resOK:
	case share < shareExclusive || share > shareDirect:
		r = resInvalidValue
	case share == shareExclusive && h.seat.holders > 1:
		r = resSharing
	default:
		h.seat.exclusive = share == shareExclusive
		wireOrder.PutUint32(body[16:], protocolT1)
	}
	setResult(body, r)
}

// disconnect closes a handle. A stale one goes too, but not without an error.
func (c *client) disconnect(body []byte) {
	h, r := c.lookUp(body)
	setResult(body, r)
	if h == nil {
		return
	}
	h.leave(r, wireOrder.Uint32(body[atDisposition:]))
	s := c.service
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(int32(wireOrder.Uint32(body[atFirst:])), h)
}

// leave resets the card where the host does not want it left as it is.
func (h *handle) leave(r result, disposition uint32) {
	if r == resOK && disposition != leaveCard {
		h.seat.card.powerUp()
	}
}

// lookUp finds the handle that a body begins with.
func (c *client) lookUp(body []byte) (*handle, result) {
	s := c.service
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.handles[int32(wireOrder.Uint32(body[atFirst:]))]
	switch {
	case h == nil || h.client != c:
		return nil, resInvalidHandle
	case h.seat.gone():
		return h, resReaderUnavailable
	}
	return h, resOK
}

func (c *client) begin(body []byte) {
	h, r := c.lookUp(body)
	c.service.mu.Lock()
	defer c.service.mu.Unlock()
	switch {
	case r != resOK:
	case h.seat.lock != nil && h.seat.lock != h:
		r = resSharing // the library asks again until the lock is free
	default:
		h.seat.lock = h
	}
	setResult(body, r)
}

func (c *client) end(body []byte) {
	h, r := c.lookUp(body)
	h.leave(r, wireOrder.Uint32(body[atDisposition:]))
	c.service.mu.Lock()
	defer c.service.mu.Unlock()
	switch {
	case r != resOK:
	case h.seat.lock != h:
		r = resNotTransacted
	default:
		h.seat.lock = nil
	}
	setResult(body, r)
}

// transmit passes a command APDU to the card. It may take as long as a
// person takes to touch it, so it holds no lock of the service.
func (c *client) transmit(body []byte) error {
	apdu, err := readExtra(c.conn, wireOrder.Uint32(body[atSendLength:]))
	if err != nil {
		return err
	}
	h, r := c.lookUp(body)
	var answer []byte
	if r == resOK {
		answer, r = c.service.exchange(h, apdu)
	}
	clear(apdu) // it may hold a PIN
	if r == resOK && uint32(len(answer)) > wireOrder.Uint32(body[atReceiveLength:]) {
		r = resInsufficient
	}
	if r != resOK {
		answer = nil
	}
	wireOrder.PutUint32(body[atReceiveProtocol:], protocolT1)
	wireOrder.PutUint32(body[atReceiveLength:], uint32(len(answer)))
	setResult(body, r)
	return c.send(body, answer)
}

// exchange sends one APDU and carries out what fate the card meets.
func (s *Service) exchange(h *handle, apdu []byte) ([]byte, result) {
	s.mu.Lock()
	foreign := h.seat.lock != nil && h.seat.lock != h
	s.mu.Unlock()
	if foreign {
		return nil, resSharing
	}
	answer, how := h.seat.card.exchange(apdu, h.seat.pulled)
	switch {
	case how == removed:
		s.vacate(h.seat)
		return nil, resRemovedCard
	case h.seat.gone(): // pulled while the card was at work
		return nil, resRemovedCard
	case how == lost:
		return nil, resCommError
	}
	return answer, resOK
}

// control refuses: no reader here has controls.
func (c *client) control(body []byte) error {
	if _, err := readExtra(c.conn, wireOrder.Uint32(body[atControlLength:])); err != nil {
		return err
	}
	wireOrder.PutUint32(body[16:], 0)
	setResult(body, resUnsupported)
	return c.send(body)
}
