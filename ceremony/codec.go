package ceremony

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// Verbatim is a file inside an event. It is written as one JSON string, so
// that not a byte of it changes, white space included.
type Verbatim []byte

// MarshalJSON writes the file as a string. Files that are not UTF-8 are refused.
func (v Verbatim) MarshalJSON() ([]byte, error) {
	if !utf8.Valid(v) {
		return nil, errors.New("write a file into the record: it is not UTF-8")
	}
	return marshal(string(v))
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (v *Verbatim) UnmarshalJSON(raw []byte) error {
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	*v = Verbatim(s)
	return nil
}

// EncodeEvent writes the data of an event as the record holds it. An event has one spelling.
func EncodeEvent(e Event) (json.RawMessage, error) {
	raw, err := marshal(e)
	if err != nil {
		return nil, fmt.Errorf("write event %q: %w", e.Kind(), err)
	}
	return raw, nil
}

// marshal is json.Marshal without the escapes for HTML, as the record writes it.
func marshal(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// DecodeEvent reads an event from the record. It refuses unknown kinds and
// fields and every spelling but the one of EncodeEvent.
func DecodeEvent(kind string, data json.RawMessage) (Event, error) {
	decode, ok := decoders[kind]
	if !ok {
		return nil, fmt.Errorf("read event: unknown kind %q", kind)
	}
	e, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("read event %q: %w", kind, err)
	}
	return e, nil
}

// decoders knows every event by its kind.
var decoders = map[string]func(json.RawMessage) (Event, error){
	Opened{}.Kind():          decodeAs[Opened],
	Resumed{}.Kind():         decodeAs[Resumed],
	Checked{}.Kind():         decodeAs[Checked],
	Excepted{}.Kind():        decodeAs[Excepted],
	PreflightPassed{}.Kind(): decodeAs[PreflightPassed],
	Arrived{}.Kind():         decodeAs[Arrived],
	Missed{}.Kind():          decodeAs[Missed],
	RollCalled{}.Kind():      decodeAs[RollCalled],
	EnrolBegun{}.Kind():      decodeAs[EnrolBegun],
	Enrolled{}.Kind():        decodeAs[Enrolled],
	EnrolFailed{}.Kind():     decodeAs[EnrolFailed],
	UnblockBegun{}.Kind():    decodeAs[UnblockBegun],
	Unblocked{}.Kind():       decodeAs[Unblocked],
	UnblockFailed{}.Kind():   decodeAs[UnblockFailed],
	Dropped{}.Kind():         decodeAs[Dropped],
	Queued{}.Kind():          decodeAs[Queued],
	Redrafted{}.Kind():       decodeAs[Redrafted],
	Frozen{}.Kind():          decodeAs[Frozen],
	Reviewed{}.Kind():        decodeAs[Reviewed],
	ReviewClosed{}.Kind():    decodeAs[ReviewClosed],
	Approved{}.Kind():        decodeAs[Approved],
	SignBegun{}.Kind():       decodeAs[SignBegun],
	Signed{}.Kind():          decodeAs[Signed],
	SignFailed{}.Kind():      decodeAs[SignFailed],
	SigningClosed{}.Kind():   decodeAs[SigningClosed],
	SigningReopened{}.Kind(): decodeAs[SigningReopened],
	Confirmed{}.Kind():       decodeAs[Confirmed],
	ExportBegun{}.Kind():     decodeAs[ExportBegun],
	Exported{}.Kind():        decodeAs[Exported],
	Shown{}.Kind():           decodeAs[Shown],
	Closed{}.Kind():          decodeAs[Closed],
}

func decodeAs[E Event](data json.RawMessage) (Event, error) {
	var e E
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&e); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows it")
	}
	// One spelling: duplicate names, other cases, white space and nulls do not come back the same.
	again, err := marshal(e)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, data) {
		return nil, errors.New("it is not spelled as this program writes it")
	}
	return e, nil
}
