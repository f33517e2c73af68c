package piv

import (
	"errors"
	"fmt"
	"reflect"

	gopiv "github.com/go-piv/piv-go/v2/piv"

	"conclave/hsm"
)

// A pcscCode is what a PC/SC call returned.
type pcscCode uint32

const (
	pcscUnknownReader     pcscCode = 0x80100009
	pcscSharing           pcscCode = 0x8010000b
	pcscNoCard            pcscCode = 0x8010000c
	pcscInsufficient      pcscCode = 0x80100008
	pcscReaderUnavailable pcscCode = 0x80100017
	pcscNoService         pcscCode = 0x8010001d
	pcscServiceStopped    pcscCode = 0x8010001e
	pcscNoReaders         pcscCode = 0x8010002e
	pcscUnpowered         pcscCode = 0x80100067
	pcscReset             pcscCode = 0x80100068
	pcscRemoved           pcscCode = 0x80100069
)

// swNotAllowed is what a token says without a PIN, without a touch, and
// without the right management key.
const swNotAllowed = 0x6982

// codeOf finds the PC/SC code in an error of go-piv. Its type is not exported
// and carries the code in a field that nothing returns, so reflection reads
// it: the alternative is to compare error texts. A test holds this to the
// library's version.
func codeOf(err error) (pcscCode, bool) {
	for ; err != nil; err = errors.Unwrap(err) {
		v := reflect.ValueOf(err)
		if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct ||
			v.Elem().Type().Name() != "scErr" {
			continue
		}
		if rc := v.Elem().FieldByName("rc"); rc.IsValid() && rc.CanInt() {
			return pcscCode(uint32(rc.Int())), true
		}
	}
	return 0, false
}

// statusOf finds the status word of an answer in an error of go-piv.
func statusOf(err error) (uint16, bool) {
	var sw interface {
		error
		Status() uint16
	}
	if errors.As(err, &sw) {
		return sw.Status(), true
	}
	return 0, false
}

// broken reports whether PC/SC failed, not the token.
func broken(err error) bool {
	_, ok := codeOf(err)
	return ok
}

// fromPIN turns an answer to a PIN into what hsm promises.
func fromPIN(err error) error {
	var auth gopiv.AuthErr
	switch {
	case !errors.As(err, &auth):
		return err
	case auth.Retries == 0:
		return hsm.ErrBlocked
	}
	return &hsm.PINError{Retries: auth.Retries}
}

// fromOpen sorts out why a token could not be opened.
func fromOpen(err error) error {
	if errors.Is(err, gopiv.ErrNotFound) {
		return fmt.Errorf("%w: %w", hsm.ErrNotPIV, err)
	}
	code, ok := codeOf(err)
	if !ok {
		return err
	}
	switch code {
	case pcscSharing:
		return fmt.Errorf("%w: %w", hsm.ErrBusy, err)
	case pcscNoService, pcscServiceStopped:
		return fmt.Errorf("%w: %w", hsm.ErrNoService, err)
	case pcscUnknownReader, pcscNoCard, pcscReaderUnavailable, pcscUnpowered, pcscReset, pcscRemoved, pcscNoReaders:
		return fmt.Errorf("%w: %w", hsm.ErrRemoved, err)
	}
	return err
}
