package virtual

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The client protocol of pcsc-lite, version 4.4, as libpcsclite 1.9 speaks it
// and later ones fall back to. A message is an eight-byte header (size of the
// body, command) and a body of fixed layout, which the answer repeats with
// its fields filled in; integers are in the host's order, which is little
// endian everywhere that this runs.
const (
	protocolMajor = 4
	protocolMinor = 4
)

var wireOrder = binary.LittleEndian

// A request is a command of the protocol.
type request uint32

const (
	reqEstablish   request = 0x01
	reqRelease     request = 0x02
	reqConnect     request = 0x04
	reqReconnect   request = 0x05
	reqDisconnect  request = 0x06
	reqBegin       request = 0x07
	reqEnd         request = 0x08
	reqTransmit    request = 0x09
	reqControl     request = 0x0a
	reqStatus      request = 0x0b
	reqCancel      request = 0x0d
	reqGetAttrib   request = 0x0f
	reqSetAttrib   request = 0x10
	reqVersion     request = 0x11
	reqReaders     request = 0x12
	reqWait        request = 0x13
	reqStopWaiting request = 0x14
)

// bodySize is how long the body of each request is. No other size, and no
// other request, is read: the first one ends the connection.
var bodySize = map[request]uint32{
	reqVersion:     12,
	reqEstablish:   12,
	reqRelease:     8,
	reqConnect:     4 + readerName + 20,
	reqReconnect:   24,
	reqDisconnect:  12,
	reqBegin:       8,
	reqEnd:         12,
	reqTransmit:    32, // and the command APDU
	reqControl:     24, // and the data
	reqStatus:      8,
	reqCancel:      8,
	reqGetAttrib:   4 + 4 + 264 + 8,
	reqSetAttrib:   4 + 4 + 264 + 8,
	reqReaders:     0,
	reqWait:        0,
	reqStopWaiting: 0,
}

// Where fields stand in their bodies.
const (
	atFirst           = 0 // a handle or context, in most bodies
	atDisposition     = 4 // disconnect, end
	atShare           = 4 + readerName
	atCard            = atShare + 8
	atProtocol        = atShare + 12
	atSendLength      = 12 // transmit
	atReceiveProtocol = 16
	atReceiveLength   = 24
	atControlLength   = 8 // control
)

const (
	readerName   = 128   // bytes, with the closing zero
	maxReaders   = 16    // entries of the reader list
	readerEntry  = 184   // bytes of one
	maxAPDU      = 65548 // what libpcsclite sends or takes at most
	waitResponse = 8     // timeout and result
)

// A result is what a PC/SC call returns.
type result uint32

const (
	resOK                result = 0
	resCancelled         result = 0x80100002
	resInvalidHandle     result = 0x80100003
	resInvalidValue      result = 0x80100011
	resInsufficient      result = 0x80100008
	resUnknownReader     result = 0x80100009
	resSharing           result = 0x8010000b
	resNoCard            result = 0x8010000c
	resProtocolMismatch  result = 0x8010000f
	resCommError         result = 0x80100013
	resNotTransacted     result = 0x80100016
	resReaderUnavailable result = 0x80100017
	resServiceStopped    result = 0x8010001e
	resUnsupported       result = 0x8010001f
	resRemovedCard       result = 0x80100069
)

// Share modes of connect.
const (
	shareExclusive = 1
	shareShared    = 2
	shareDirect    = 3
)

const (
	protocolT1 = 2
	leaveCard  = 0 // disposition; the others reset
)

// Bits of a reader's state.
const (
	stateAbsent     = 0x02
	statePresent    = 0x04
	statePowered    = 0x10
	stateNegotiable = 0x20
)

// atr is the answer to reset of a YubiKey 5; it offers T=1.
var atr = []byte{
	0x3b, 0xfd, 0x13, 0x00, 0x00, 0x81, 0x31, 0xfe, 0x15, 0x80, 0x73, 0xc0,
	0x21, 0xc0, 0x57, 0x59, 0x75, 0x62, 0x69, 0x4b, 0x65, 0x79, 0x40,
}

var errProtocol = errors.New("not the protocol of pcsc-lite")

// readRequest reads one message. The body is as long as bodySize says.
func readRequest(r io.Reader) (request, []byte, error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	req := request(wireOrder.Uint32(head[4:]))
	size, known := bodySize[req]
	if !known || size != wireOrder.Uint32(head[:]) {
		return 0, nil, fmt.Errorf("%w: request %#x of %d bytes", errProtocol, uint32(req), wireOrder.Uint32(head[:]))
	}
	body := make([]byte, size)
	_, err := io.ReadFull(r, body)
	return req, body, err
}

// readExtra reads what follows the body of transmit and control.
func readExtra(r io.Reader, n uint32) ([]byte, error) {
	if n > maxAPDU {
		return nil, fmt.Errorf("%w: %d bytes to transmit", errProtocol, n)
	}
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	return b, err
}

// setResult fills in the last field of a body, which is the result in all of them.
func setResult(body []byte, r result) { wireOrder.PutUint32(body[len(body)-4:], uint32(r)) }

// nameOf reads the reader's name out of a connect body.
func nameOf(body []byte) string {
	name, _, _ := bytes.Cut(body[4:4+readerName], []byte{0})
	return string(name)
}

// entry writes one line of the reader list.
func (s *seat) entry(b []byte) {
	copy(b[:readerName-1], s.reader)
	wireOrder.PutUint32(b[128:], s.events)
	if s.card == nil {
		wireOrder.PutUint32(b[132:], stateAbsent)
		return
	}
	wireOrder.PutUint32(b[132:], statePresent|statePowered|stateNegotiable)
	wireOrder.PutUint32(b[136:], uint32(s.sharing()))
	copy(b[140:], atr)
	wireOrder.PutUint32(b[176:], uint32(len(atr)))
	wireOrder.PutUint32(b[180:], protocolT1)
}
