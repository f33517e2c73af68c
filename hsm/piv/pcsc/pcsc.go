// Package pcsc is the part of PC/SC that go-piv does not give: which readers
// hold a card and how often that changed, waiting for a change, and single
// commands to a card.
//
// It exists on Linux with cgo, where libpcsclite is linked in by go-piv
// anyway. Elsewhere every call says ErrUnsupported and hsm/piv does without.
package pcsc

import (
	"errors"
	"fmt"
)

// ErrUnsupported says that this build cannot speak to PC/SC directly.
var ErrUnsupported = errors.New("this build does not speak PC/SC by itself")

// A Code is what a PC/SC call returned.
type Code uint32

// The codes that are told apart.
const (
	Cancelled         Code = 0x80100002
	Insufficient      Code = 0x80100008
	UnknownReader     Code = 0x80100009
	Timeout           Code = 0x8010000a
	Sharing           Code = 0x8010000b
	NoCard            Code = 0x8010000c
	ReaderUnavailable Code = 0x80100017
	NoService         Code = 0x8010001d
	ServiceStopped    Code = 0x8010001e
	NoReaders         Code = 0x8010002e
	Unpowered         Code = 0x80100067
	Reset             Code = 0x80100068
	Removed           Code = 0x80100069
)

// An Error is a PC/SC call that failed.
type Error struct {
	Call string
	Code Code
}

func (e *Error) Error() string { return fmt.Sprintf("%s: code %08x", e.Call, uint32(e.Code)) }

// A State is what the service knows of one reader.
type State struct {
	Reader    string
	Card      bool   // a card is in
	Gone      bool   // there is no such reader
	Exclusive bool   // a program holds the card for itself
	Events    uint16 // insertions and removals that the reader has seen; begins anew when the reader does
	raw       uint32 // as the service wrote it, to wait for what comes next
}

// Same reports whether nothing came or went between two states of one reader.
func (s State) Same(t State) bool {
	return s.Card == t.Card && s.Gone == t.Gone && s.Events == t.Events
}
