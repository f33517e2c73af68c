//go:build linux && cgo

package pcsc

// #cgo pkg-config: libpcsclite
// #include <stdlib.h>
// #include <winscard.h>
import "C"

import (
	"bytes"
	"fmt"
	"time"
	"unsafe"
)

// plugAndPlay is the name under which the coming of readers is waited for.
const plugAndPlay = `\\?PnP?\Notification`

// maxResponse is what libpcsclite gives at most.
const maxResponse = 65548

func check(call string, rc C.LONG) error {
	if rc == C.SCARD_S_SUCCESS {
		return nil
	}
	return &Error{Call: call, Code: Code(uint32(rc))}
}

func is(err error, code Code) bool {
	e, ok := err.(*Error) //nolint:errorlint // straight from check
	return ok && e.Code == code
}

// A Context is one connection to the service. One goroutine at a time may use it; Cancel may come from any.
type Context struct{ ctx C.SCARDCONTEXT }

// Establish connects to the service, or asks its socket to start it.
func Establish() (*Context, error) {
	var ctx C.SCARDCONTEXT
	if err := check("connect to the smart card service", C.SCardEstablishContext(C.SCARD_SCOPE_SYSTEM, nil, nil, &ctx)); err != nil {
		return nil, err
	}
	return &Context{ctx}, nil
}

// Release ends the connection.
func (c *Context) Release() error {
	return check("leave the smart card service", C.SCardReleaseContext(c.ctx))
}

// Cancel ends a Wait that is under way.
func (c *Context) Cancel() { C.SCardCancel(c.ctx) }

// lookTries is how often the readers are asked for when they come or go meanwhile.
const lookTries = 5

// Look lists the readers as they are now; none is no error.
func (c *Context) Look() ([]State, error) {
	var err error
	for range lookTries {
		var states []State
		states, err = c.look()
		if !is(err, Insufficient) && !is(err, UnknownReader) {
			return states, err
		}
	}
	return nil, err
}

func (c *Context) look() ([]State, error) {
	names, err := c.readers()
	if err != nil {
		return nil, err
	}
	states := make([]State, len(names))
	for i, name := range names {
		states[i].Reader = name
	}
	return c.change("ask for the state of readers", states, 0, false)
}

func (c *Context) readers() ([]string, error) {
	const call = "list readers"
	var n C.DWORD
	err := check(call, C.SCardListReaders(c.ctx, nil, nil, &n))
	if is(err, NoReaders) || err == nil && n == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	b := make([]byte, n)
	err = check(call, C.SCardListReaders(c.ctx, nil, (*C.char)(unsafe.Pointer(&b[0])), &n))
	if is(err, NoReaders) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, name := range bytes.Split(b[:n], []byte{0}) {
		if len(name) > 0 {
			names = append(names, string(name))
		}
	}
	return names, nil
}

// Wait returns when one of the states is no longer so, a reader came, or the
// time is up, with the states as they are then. When a reader went before the
// wait began they are returned as they were: looking again will tell.
func (c *Context) Wait(states []State, most time.Duration) ([]State, error) {
	now, err := c.change("wait for readers", states, most, true)
	if is(err, UnknownReader) {
		return states, nil
	}
	return now, err
}

func (c *Context) change(call string, states []State, most time.Duration, comings bool) ([]State, error) {
	n := len(states)
	if comings {
		n++
	}
	if n == 0 {
		return nil, nil
	}
	array := (*C.SCARD_READERSTATE)(C.calloc(C.size_t(n), C.sizeof_SCARD_READERSTATE)) // never nil
	defer C.free(unsafe.Pointer(array))
	entries := unsafe.Slice(array, n)
	for i := range entries {
		name, raw := plugAndPlay, uint32(C.SCARD_STATE_UNAWARE)
		if i < len(states) {
			name, raw = states[i].Reader, states[i].raw
		}
		entries[i].szReader = C.CString(name)
		entries[i].dwCurrentState = C.DWORD(raw)
		defer C.free(unsafe.Pointer(entries[i].szReader))
	}
	err := check(call, C.SCardGetStatusChange(c.ctx, C.DWORD(most.Milliseconds()), array, C.DWORD(n)))
	if err != nil && !is(err, Timeout) {
		return nil, err
	}
	out := make([]State, len(states))
	for i := range out {
		out[i] = stateOf(states[i].Reader, uint32(entries[i].dwEventState))
	}
	return out, nil
}

func stateOf(reader string, raw uint32) State {
	return State{
		Reader:    reader,
		Card:      raw&C.SCARD_STATE_PRESENT != 0,
		Gone:      raw&C.SCARD_STATE_UNKNOWN != 0,
		Exclusive: raw&C.SCARD_STATE_EXCLUSIVE != 0,
		Events:    uint16(raw >> 16),
		raw:       raw &^ C.SCARD_STATE_CHANGED,
	}
}

// A Card is a connection to the card in one reader, for this program alone.
type Card struct{ handle C.SCARDHANDLE }

// Connect connects to a card, over T=1 as go-piv does.
func (c *Context) Connect(reader string) (*Card, error) {
	name := C.CString(reader)
	defer C.free(unsafe.Pointer(name))
	var handle C.SCARDHANDLE
	var protocol C.DWORD
	err := check("connect to the card", C.SCardConnect(c.ctx, name, C.SCARD_SHARE_EXCLUSIVE, C.SCARD_PROTOCOL_T1, &handle, &protocol))
	if err != nil {
		return nil, err
	}
	return &Card{handle: handle}, nil
}

// Disconnect lets go of the card and leaves it as it is.
func (c *Card) Disconnect() error {
	return check("let go of the card", C.SCardDisconnect(c.handle, C.SCARD_LEAVE_CARD))
}

// Transmit sends one command and returns the answer with its status word.
func (c *Card) Transmit(command []byte) (answer []byte, sw uint16, err error) {
	b := make([]byte, maxResponse)
	n := C.DWORD(len(b))
	err = check("send a command to the card", C.SCardTransmit(c.handle, &C.g_rgSCardT1Pci,
		(*C.BYTE)(unsafe.Pointer(&command[0])), C.DWORD(len(command)), nil, (*C.BYTE)(unsafe.Pointer(&b[0])), &n))
	switch {
	case err != nil:
		return nil, 0, err
	case n < 2:
		return nil, 0, fmt.Errorf("send a command to the card: the answer has %d bytes", n)
	}
	return b[:n-2], uint16(b[n-2])<<8 | uint16(b[n-1]), nil
}
