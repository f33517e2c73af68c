package virtual

import (
	"bytes"
	"encoding/binary"
)

// A status is the two-byte status word that ends every answer (ISO/IEC 7816-4, 5.6).
type status uint16

const (
	statusOK             status = 0x9000
	statusMore           status = 0x6100 // the low byte counts what is left, 0 for 256 or more
	statusWrongPIN       status = 0x63c0 // the low nibble counts the tries left
	statusWrongLength    status = 0x6700
	statusNotAllowed     status = 0x6982 // no PIN, no touch, no management key
	statusBlocked        status = 0x6983
	statusConditions     status = 0x6985
	statusBadData        status = 0x6a80
	statusNotSupported   status = 0x6a81
	statusNoFile         status = 0x6a82
	statusNoSpace        status = 0x6a84
	statusBadParameter   status = 0x6a86
	statusNoReference    status = 0x6a88
	statusNoInstruction  status = 0x6d00
	statusInternalError  status = 0x6f00
	claChained           byte   = 0x10 // more of this command follows
	insGetResponse       byte   = 0xc0
	longestShortResponse        = 256
	longestResponse             = 65536
)

// maxChained bounds a command that comes in pieces, as on the real token.
const maxChained = 3072

func (s status) bytes() []byte { return []byte{byte(s >> 8), byte(s)} }

// A command is one command APDU.
type command struct {
	cla, ins, p1, p2 byte
	data             []byte
	expected         int  // longest answer that the host takes in one piece
	extended         bool // lengths came in the three-byte form
}

// parseCommand reads a command APDU in its short or extended form
// (ISO/IEC 7816-4, 5.2). The data alias raw.
func parseCommand(raw []byte) (command, bool) {
	if len(raw) < 4 {
		return command{}, false
	}
	c := command{cla: raw[0], ins: raw[1], p1: raw[2], p2: raw[3], expected: longestShortResponse}
	body := raw[4:]
	switch {
	case len(body) == 0:
		return c, true
	case len(body) == 1: // Le alone
		c.expect(int(body[0]), longestShortResponse)
		return c, true
	case body[0] == 0:
		return c.parseExtended(body[1:])
	}
	return c.parseShort(int(body[0]), body[1:])
}

func (c command) parseShort(n int, body []byte) (command, bool) {
	if len(body) != n && len(body) != n+1 {
		return command{}, false
	}
	c.data = body[:n]
	if len(body) == n+1 {
		c.expect(int(body[n]), longestShortResponse)
	}
	return c, true
}

func (c command) parseExtended(body []byte) (command, bool) {
	if len(body) < 2 {
		return command{}, false
	}
	c.extended = true
	c.expected = longestResponse
	n := int(binary.BigEndian.Uint16(body))
	body = body[2:]
	switch {
	case len(body) == 0: // Le alone
		c.expect(n, longestResponse)
		return c, true
	case len(body) == n, len(body) == n+2:
		c.data = body[:n]
		if len(body) == n+2 {
			c.expect(int(binary.BigEndian.Uint16(body[n:])), longestResponse)
		}
		return c, true
	}
	return command{}, false
}

// expect reads Le, whose zero stands for the most there is.
func (c *command) expect(le, most int) {
	c.expected = le
	if le == 0 {
		c.expected = most
	}
}

// A pipe holds the halves of exchanges that take more than one APDU:
// a command that arrives in pieces, an answer that leaves in pieces.
type pipe struct {
	head    [3]byte // instruction and parameters of the command being gathered
	chained []byte
	open    bool
	pending []byte
}

// gather takes one piece. It returns false while more are to come, or when
// the command grew too long; then the status says so.
func (p *pipe) gather(c *command) (complete bool, st status) {
	head := [3]byte{c.ins, c.p1, c.p2}
	if p.open && head != p.head { // another command drops what was gathered
		p.chained, p.open = nil, false
	}
	whole := c.data
	if p.open {
		whole = append(p.chained, c.data...)
	}
	if len(whole) > maxChained {
		p.chained, p.open = nil, false
		return false, statusWrongLength
	}
	if c.cla&claChained != 0 {
		p.chained, p.head, p.open = bytes.Clone(whole), head, true
		return false, statusOK
	}
	c.data = whole
	p.chained, p.open = nil, false
	return true, statusOK
}

// deliver cuts an answer to what the host takes and keeps the rest for GET RESPONSE.
func (p *pipe) deliver(answer []byte, st status, most int) []byte {
	p.pending = nil
	if st != statusOK {
		return st.bytes()
	}
	if len(answer) > most {
		p.pending = answer[most:]
		answer = answer[:most]
		st = statusMore | status(min(len(p.pending), 256)&0xff)
	}
	out := make([]byte, 0, len(answer)+2)
	return append(append(out, answer...), st.bytes()...)
}
