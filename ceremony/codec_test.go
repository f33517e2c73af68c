package ceremony

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"conclave/ceremony/preflight"
)

// samples are one event of every kind, all fields filled.
func samples() []Event {
	digests := map[string]string{"root": "00ff", "targets": "11ee"}
	return []Event{
		Opened{Bundle: Verbatim("{\n  \"a\": \"<&>\u2028\"\n}\n"), SHA256: "ab", Program: "conclave 1", Anchor: Verbatim("{}"), Seen: map[string]int64{"root": 4}},
		Resumed{Program: "conclave 1"},
		Checked{Checks: []preflight.Check{{Name: "swap", Status: preflight.Stop, Text: "512 MB", Detail: []string{"a"}, Fix: "swapoff -a"}}},
		Excepted{What: "swap", Reason: "no other machine", By: []string{"Olga"}},
		PreflightPassed{ClockBy: []string{"Olga", "Pat"}},
		Arrived{Holder: "Alice", Serial: 7},
		Missed{Holder: "Bob"},
		RollCalled{},
		EnrolBegun{Holder: "Alice", Serial: 7},
		Enrolled{Holder: "Alice", Key: "PEM", Evidence: Evidence{KeyID: "k", Serial: 7, Firmware: "5.7.1", Slot: "9c", PINPolicy: "always", TouchPolicy: "always", Leaf: []byte{1}, Device: []byte{2}}, Proof: Possession{Statement: []byte{4}, Sig: []byte{5}}},
		EnrolFailed{Holder: "Alice", Serial: 7, Reason: "removed", Retries: -1},
		UnblockBegun{Holder: "Alice", Serial: 7},
		Unblocked{Serial: 7},
		UnblockFailed{Holder: "Alice", Serial: 7, Reason: "refused", Retries: 2},
		Dropped{Holder: "Carol", Reason: "ill", By: []string{"Olga"}},
		Redrafted{Name: "root-5.redraft.bundle.json", SHA256: sha256Hex(nil), Lost: 3, Reason: "Dana came after all", By: []string{"Olga"}},
		Queued{Holder: "Dana", Roles: []string{"root"}, Reason: "the train was late"},
		Frozen{Documents: []FrozenDocument{{Role: "root", Digest: "00ff", Metadata: Verbatim("{ }"), Dropped: []string{"k"}}}},
		Reviewed{Holder: "Alice", Digests: digests},
		ReviewClosed{},
		Approved{Holder: "Alice", Serial: 7, Digests: digests},
		SignBegun{Holder: "Alice", Serial: 7, KeyID: "k", Role: "root", Digest: "00ff"},
		Signed{Holder: "Alice", Serial: 7, KeyID: "k", Role: "root", Digest: "00ff", Sig: []byte{3}},
		SignFailed{Holder: "Alice", Serial: 7, KeyID: "k", Role: "root", Reason: "refused", Retries: 2},
		SigningClosed{},
		SigningReopened{},
		Confirmed{Complete: true, Verdict: "fine"},
		ExportBegun{Name: "a", SHA256: "b"},
		Exported{Name: "a", Path: "/a", SHA256: "b"},
		Shown{What: ShownAnswer, SHA256: "ab", Digests: map[string]string{"root": "c"}, Frames: 3, Folder: "light"},
		Closed{Statement: "we agree"},
	}
}

func TestEventsComeBackFromTheRecordAsTheyWere(t *testing.T) {
	for _, e := range samples() {
		data, err := EncodeEvent(e)
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeEvent(e.Kind(), data)
		if err != nil {
			t.Errorf("%s: %v", e.Kind(), err)
			continue
		}
		if !reflect.DeepEqual(got, e) {
			t.Errorf("%s comes back as\n%+v, was\n%+v", e.Kind(), got, e)
		}
	}
}

func TestEveryEventHasADecoderAndRules(t *testing.T) {
	kinds := map[string]bool{}
	for _, e := range samples() {
		kinds[e.Kind()] = true
		if _, ok := e.(applier); !ok {
			t.Errorf("%s has no rules", e.Kind())
		}
	}
	for kind := range decoders {
		if !kinds[kind] {
			t.Errorf("no sample of %q", kind)
		}
	}
	if len(kinds) != len(decoders) {
		t.Errorf("%d kinds of samples, %d decoders", len(kinds), len(decoders))
	}
	for kind := range allowed {
		if decoders[kind] == nil {
			t.Errorf("there is an order for the unknown kind %q", kind)
		}
	}
}

func TestEventsHaveOneSpelling(t *testing.T) {
	tests := []struct{ name, kind, data string }{
		{"unknown kind", "signd", `{}`},
		{"unknown field", "missed", `{"holder":"Bob","more":1}`},
		{"field in another case", "missed", `{"Holder":"Bob"}`},
		{"field twice", "missed", `{"holder":"Bob","holder":"Eve"}`},
		{"field missing", "missed", `{}`},
		{"white space", "missed", `{"holder": "Bob"}`},
		{"something after", "missed", `{"holder":"Bob"}{}`},
		{"null for a text", "missed", `{"holder":null}`},
		{"null for the event", "missed", `null`},
		{"array for an object", "missed", `[]`},
		{"number as a float", "arrived", `{"holder":"Bob","serial":7.0}`},
		{"serial too large", "arrived", `{"holder":"Bob","serial":4294967296}`},
		{"signature with a line break in it", "signed", `{"holder":"A","serial":7,"keyid":"k","role":"root","digest":"00","sig":"AA\n=="}`},
		{"needless escape", "missed", `{"holder":"\u0042ob"}`},
		{"half a character", "missed", "{\"holder\":\"\xc3\"}"},
		{"file as an object", "opened", `{"bundle":{},"sha256":"","program":""}`},
		{"nothing", "missed", ``},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if e, err := DecodeEvent(tt.kind, json.RawMessage(tt.data)); err == nil {
				t.Errorf("%s is read as %+v", tt.data, e)
			}
		})
	}
}

func TestFilesThatAreNoTextStayOutOfTheRecord(t *testing.T) {
	if _, err := EncodeEvent(Opened{Bundle: Verbatim("\xff")}); err == nil {
		t.Error("bytes that are not UTF-8 were written into the record, where they cannot come back")
	}
}

func FuzzDecodeEvent(f *testing.F) {
	for _, e := range samples() {
		data, err := EncodeEvent(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(e.Kind(), []byte(data))
	}
	st := newStage()
	fresh := State{}
	opened, err := fresh.Apply(Opened{Bundle: st.renewal, SHA256: sha256Hex(st.renewal), Anchor: st.root1.Bytes()})
	if err != nil {
		f.Fatal(err)
	}
	signing := opened
	signing.step = StepSign
	f.Fuzz(func(t *testing.T, kind string, data []byte) {
		e, err := DecodeEvent(kind, data)
		if err != nil {
			return
		}
		if e.Kind() != kind {
			t.Fatalf("%q is read as %q", kind, e.Kind())
		}
		again, err := EncodeEvent(e)
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("%s is read, and written as %s (%v)", data, again, err)
		}
		for _, s := range []State{fresh, opened, signing} {
			if next, err := s.Apply(e); err == nil {
				_ = next.Still()
				_ = next.Participants()
				_ = next.FileName()
			}
		}
	})
}
