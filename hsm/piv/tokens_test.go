package piv

import (
	"errors"
	"fmt"
	"testing"

	"conclave/hsm"
)

// scErr is called and made like the type of go-piv that codeOf looks for.
type scErr struct{ rc int64 }

func (e *scErr) Error() string { return "a PC/SC error" }

func pcscError(code pcscCode) error { return fmt.Errorf("connecting: %w", &scErr{rc: int64(code)}) }

// go-piv asks for the readers twice, once for the length of the list. When
// one comes or goes in between, that is no failure.
func TestReadersThatComeAndGoAreNoFailure(t *testing.T) {
	for _, c := range []struct {
		name  string
		codes []pcscCode // of the calls before the first good one
		want  error
		none  bool
	}{
		{name: "none moves"},
		{name: "one comes in between", codes: []pcscCode{pcscInsufficient}},
		{name: "one comes in between, twice", codes: []pcscCode{pcscInsufficient, pcscInsufficient}},
		{name: "they never stop coming", codes: []pcscCode{pcscInsufficient, pcscInsufficient, pcscInsufficient}, want: errTooFast},
		{name: "the last one goes in between", codes: []pcscCode{pcscNoReaders}, none: true},
		{name: "the service is not there", codes: []pcscCode{pcscNoService}, want: hsm.ErrNoService},
		{name: "the service stopped", codes: []pcscCode{pcscServiceStopped}, want: hsm.ErrNoService},
		{name: "the connection to the service broke", codes: []pcscCode{0x80100013}, want: hsm.ErrNoService},
	} {
		t.Run(c.name, func(t *testing.T) {
			calls := 0
			names, err := readers(func() ([]string, error) {
				if calls++; calls <= len(c.codes) {
					return nil, pcscError(c.codes[calls-1])
				}
				return []string{"a reader"}, nil
			})
			if !errors.Is(err, c.want) {
				t.Fatalf("error %v, want %v", err, c.want)
			}
			if good := c.want == nil && !c.none; good != (len(names) == 1) {
				t.Fatalf("names %q", names)
			}
		})
	}
}

func TestOpenErrors(t *testing.T) {
	for code, want := range map[pcscCode]error{
		pcscSharing: hsm.ErrBusy, pcscNoService: hsm.ErrNoService, pcscServiceStopped: hsm.ErrNoService,
		pcscUnknownReader: hsm.ErrRemoved, pcscNoCard: hsm.ErrRemoved, pcscReaderUnavailable: hsm.ErrRemoved,
		pcscRemoved: hsm.ErrRemoved, pcscReset: hsm.ErrRemoved, pcscUnpowered: hsm.ErrRemoved,
	} {
		if err := fromOpen(pcscError(code)); !errors.Is(err, want) {
			t.Errorf("code %08x: %v", code, err)
		}
	}
	if err := fromOpen(pcscError(0x8010000f)); err == nil || errors.Is(err, hsm.ErrRemoved) {
		t.Errorf("another code: %v", err)
	}
}

func TestCodesAreFoundOnlyInPCSCErrors(t *testing.T) {
	negative := &scErr{rc: int64(int32(-2146435063))} // 0x80100009 where long has 32 bits
	for _, c := range []struct {
		name string
		err  error
		code pcscCode
		ok   bool
	}{
		{"nothing", nil, 0, false},
		{"another error", errors.New("no"), 0, false},
		{"nil of the right type", (*scErr)(nil), 0, false},
		{"wrapped twice", fmt.Errorf("a: %w", pcscError(pcscRemoved)), pcscRemoved, true},
		{"a 32-bit long", negative, pcscUnknownReader, true},
	} {
		if code, ok := codeOf(c.err); code != c.code || ok != c.ok {
			t.Errorf("%s: %08x, %v", c.name, code, ok)
		}
	}
}
