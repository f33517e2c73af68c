package ceremony

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"conclave/ceremony/record"
	"conclave/transfer"
)

func TestStickPulledWhileExporting(t *testing.T) {
	w, s := signing(t, threePeople...)
	w.until(s, StepExport)
	pulled := errors.New("no such device")
	for range 2 {
		w.medium.fail = pulled
		_, err := s.Export()
		if !errors.Is(err, pulled) || !strings.HasPrefix(hintOf(err), "Every signature is safe on the record of this machine.") {
			t.Fatalf("error is %v (%s)", err, hintOf(err))
		}
		if s.State().Step() != StepExport || len(s.State().Exports()) != 0 {
			t.Fatalf("step %s, exports %v", s.State().Step(), s.State().Exports())
		}
	}
	first, err := s.Export()
	if err != nil {
		t.Fatal(err)
	}
	other := &softMedium{}
	s.cfg.Medium = other
	second, err := s.Export()
	if err != nil {
		t.Fatal(err)
	}
	if first != second {
		t.Errorf("the second stick got %+v, the first %+v", second, first)
	}
	b, err := transfer.Parse(other.files[second.Name])
	if err != nil {
		t.Fatal(err)
	}
	if b.Record == nil || b.Record.Entries == 0 {
		t.Errorf("the bundle does not name its record: %+v", b.Record)
	}
}

// What leaves by light is on the record like what leaves on a stick: only what was confirmed, and
// before it is seen. Nobody knows that it arrived, so that it replaces no export.
func TestWhatIsShownIsOnTheRecord(t *testing.T) {
	w, s := signing(t, threePeople...)
	if err := s.Show(ShownAnswer, strings.Repeat("ab", 32), 1, ""); err == nil {
		t.Error("shown before it was confirmed")
	}
	w.until(s, StepExport)
	came, err := s.State().Came().Bytes()
	if err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	if s, err = Resume(w.cfg); err != nil { // which forgets nothing of what came in
		t.Fatal(err)
	}
	if again, err := s.State().Came().Bytes(); err != nil || string(again) != string(came) {
		t.Errorf("after a resume another bundle came in: %v", err)
	}
	name, file, err := s.State().Result()
	if err != nil || name != "root-1+targets-1.complete.bundle.json" {
		t.Fatal(name, err)
	}
	for what, show := range map[string]func() error{
		"another bundle":   func() error { return s.Show(ShownBundle, strings.Repeat("ab", 32), 3, "") },
		"half a digest":    func() error { return s.Show(ShownAnswer, "abcd", 1, "") },
		"a capital digest": func() error { return s.Show(ShownAnswer, strings.Repeat("AB", 32), 1, "") },
		"a photograph":     func() error { return s.Show("photograph", sha256Hex(file), 1, "") },
		"nothing":          func() error { return s.Show(ShownBundle, sha256Hex(file), 0, "") },
		"other payloads": func() error {
			return s.do(Shown{What: ShownBundle, SHA256: sha256Hex(file), Digests: map[string]string{"root": "ab"}, Frames: 1})
		},
	} {
		if show() == nil {
			t.Errorf("%s was recorded", what)
		}
	}
	if err := s.Show(ShownBundle, sha256Hex(file), 12, ""); err != nil {
		t.Fatal(err)
	}
	if err := s.Show(ShownAnswer, strings.Repeat("ab", 32), 1, "light/answer"); err != nil {
		t.Fatal(err)
	}
	if err := s.CloseCeremony(""); err == nil {
		t.Error("closed without an export")
	}
	w.until(s, StepClose)
	if _, exported, _ := s.State().Result(); string(exported) != string(file) || string(w.medium.files[name]) != string(file) {
		t.Error("another file was exported than shown")
	}
	if err := s.CloseCeremony(""); err != nil {
		t.Fatal(err)
	}
	if err := s.Show(ShownBundle, sha256Hex(file), 12, ""); err != nil {
		t.Errorf("after the end, when there is no record to write to: %v", err)
	}
	shown := w.events(Shown{}.Kind())
	if len(shown) != 2 {
		t.Errorf("on the record: %+v", shown)
	}
}

func TestRecordThatCannotBeExportedIsSealedOnce(t *testing.T) {
	w, s := signing(t, threePeople...)
	w.until(s, StepClose)
	w.medium.fail = errors.New("no such device")
	err := s.CloseCeremony("All agree.")
	if err == nil || !strings.Contains(hintOf(err), "its record is sealed and safe") {
		t.Fatalf("error is %v (%s)", err, hintOf(err))
	}
	if s.State().Step() != StepDone {
		t.Fatalf("step is %s", s.State().Step())
	}
	_ = s.Close()
	s, err = Resume(w.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CloseCeremony("All agree."); err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	if n := len(w.events(Closed{}.Kind())); n != 1 {
		t.Errorf("%d closing entries, want 1", n)
	}
	if n := len(w.events(Resumed{}.Kind())); n != 0 {
		t.Error("a sealed record was added to")
	}
	entries, torn, err := record.Verify(strings.NewReader(string(w.medium.files["root-1+targets-1.record.jsonl"])))
	if err != nil || torn || entries[len(entries)-1].Event != "closed" {
		t.Errorf("exported record: %d entries, torn %v, %v", len(entries), torn, err)
	}
}

func TestPartialBundleAndBackToSigning(t *testing.T) {
	w := newWorld(t, fivePeople...)
	w.away = []string{"Bob", "Erin", "Frank"}
	s := w.begin(w.planGenesis(), nil)
	w.until(s, StepEnrolment)
	for _, name := range fivePeople { // they leave their tokens and go
		if err := w.enrolOne(s, name, name, 0); err != nil {
			t.Fatal(err)
		}
		if slices.Contains(w.away, name) {
			if err := s.Miss(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.until(s, StepConfirm)
	if s.State().Complete() {
		t.Fatal("two of five are enough?")
	}
	verdict, err := s.Confirm()
	if err != nil {
		t.Fatal(err)
	}
	want := `Not complete: no client accepts it yet.
Root 1 is signed: 2 of 3 by root 1's keys.
Targets 1 is signed: 2 of 2 by targets keys of root 1.
One more of Bob, Erin or Frank completes root 1's keys.
Not enough keyholders are here: Bob, Erin or Frank must come.`
	if got := strings.Join(verdict, "\n"); got != want {
		t.Errorf("verdict is\n%s\nwant\n%s", got, want)
	}
	partial, err := s.Export()
	if err != nil || partial.Name != "root-1+targets-1.partial-2-of-3.bundle.json" {
		t.Fatalf("exported %q, %v", partial.Name, err)
	}
	if err := s.ReopenSigning(); err != nil {
		t.Fatal(err)
	}
	v, err := w.look(s, "Frank")
	if err != nil || v.Why != "Token 1004 is Frank's, who has not read yet what changes. Review comes first." {
		t.Errorf("a latecomer: %q, %v", v.Why, err)
	}
	if err := s.Review("Frank"); err != nil {
		t.Fatal(err)
	}
	if v = w.visitor(s, "Frank"); len(v.Acts) != 1 {
		t.Fatalf("Frank may sign %v", v.Acts)
	}
	if err := w.visit(s, v, w.owned[v.Holder].pin); err != nil {
		t.Fatal(err)
	}
	if err := w.hold(s); err != nil {
		t.Fatal(err)
	}
	exports := s.State().Exports()
	if len(exports) != 2 || exports[1].Name != "root-1+targets-1.complete.bundle.json" {
		t.Errorf("exports: %+v", exports)
	}
	if err := s.ReopenSigning(); ruleOf(err) != "order" {
		t.Errorf("reopened when it was done: %v", err)
	}
}

func TestFileOfTheSameNameIsNotOverwritten(t *testing.T) {
	w, s := signing(t, threePeople...)
	w.until(s, StepExport)
	name := s.State().FileName()
	w.medium.files = map[string][]byte{name: []byte("from another site")}
	e, err := s.Export()
	if err != nil {
		t.Fatal(err)
	}
	if e.Name != "root-1+targets-1.complete.2.bundle.json" || string(w.medium.files[name]) != "from another site" {
		t.Errorf("exported %q; the other file holds %q", e.Name, w.medium.files[name])
	}
}

func TestCloseWithoutAnyExportNeedsAnException(t *testing.T) {
	w, s := signing(t, threePeople...)
	w.until(s, StepExport)
	if err := s.CloseCeremony(""); ruleOf(err) != "export" {
		t.Fatalf("error is %v, want the rule about the export", err)
	}
	if err := s.Except("export", "every stick is broken", []string{"Olga", "Pat"}); err != nil {
		t.Fatal(err)
	}
	if err := s.CloseCeremony(""); err != nil {
		t.Error(err)
	}
}

func TestFileStemsAreSafeOnEveryFileSystem(t *testing.T) {
	w := newWorld(t, threePeople...)
	b := *w.done(w.planGenesis(), nil)
	b.Documents = append(slices.Clone(b.Documents), transfer.Document{Role: `dev:team "x"`, Metadata: b.Documents[1].Metadata},
		transfer.Document{Role: strings.Repeat("long", 40), Metadata: b.Documents[1].Metadata})
	stem := fileStem(&b)
	if strings.Trim(stem, "abcdefghijklmnopqrstuvwxyz0123456789+-_") != "" || len(stem) > maxFileStem {
		t.Errorf("stem is %q", stem)
	}
}
