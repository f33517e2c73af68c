package piv

import (
	"errors"
	"fmt"
	"reflect"

	gopiv "github.com/go-piv/piv-go/v2/piv"

	"conclave/hsm"
	"conclave/hsm/piv/pcsc"
)

// A pcscCode is what a PC/SC call returned.
type pcscCode = pcsc.Code

const (
	pcscUnknownReader     = pcsc.UnknownReader
	pcscSharing           = pcsc.Sharing
	pcscNoCard            = pcsc.NoCard
	pcscInsufficient      = pcsc.Insufficient
	pcscReaderUnavailable = pcsc.ReaderUnavailable
	pcscNoService         = pcsc.NoService
	pcscServiceStopped    = pcsc.ServiceStopped
	pcscNoReaders         = pcsc.NoReaders
	pcscUnpowered         = pcsc.Unpowered
	pcscReset             = pcsc.Reset
	pcscRemoved           = pcsc.Removed
)

// swNotAllowed is what a token says without a PIN, without a touch, and
// without the right management key.
const swNotAllowed = 0x6982

// swNoInstruction is what a card says to a command that it does not know.
const swNoInstruction = 0x6d00

// codeOf finds the PC/SC code in an error of go-piv. Its type is not exported
// and carries the code in a field that nothing returns, so reflection reads
// it: the alternative is to compare error texts. A test holds this to the
// library's version.
func codeOf(err error) (pcscCode, bool) {
	var own *pcsc.Error
	if errors.As(err, &own) {
		return own.Code, true
	}
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
