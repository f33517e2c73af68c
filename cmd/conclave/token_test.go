package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"conclave/hsm"
	"conclave/hsm/attest"
	"conclave/hsm/virtual"
)

// TestForeignCard plays scripts with a PIV card of another maker in a reader.
func TestForeignCard(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/foreign",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			if err := setup(e); err != nil {
				return err
			}
			desk := e.Values[deskKey].(*tokenDesk)
			card, err := virtual.NewCard(virtual.Options{Serial: 13079999, Firmware: "5.2.7", Foreign: true})
			if err != nil {
				return err
			}
			card.AutoTouch(true)
			_, err1 := desk.service.AddEmptyReader("A reader that stays empty")
			_, err2 := desk.service.Insert(card)
			return errors.Join(err1, err2)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"tty": ttyCmd, "see": seeCmd, "keys": keysCmd, "exits": exitsCmd, "exit": exitCmd,
		},
	})
}

func TestEvidenceFilesHaveOneForm(t *testing.T) {
	good, err := json.Marshal(evidenceFile{Format: evidenceFormat, Serial: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parseEvidence(good); err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string]string{
		"empty":            "",
		"another format":   strings.Replace(string(good), "evidence-1", "evidence-2", 1),
		"an unknown field": strings.Replace(string(good), `"serial"`, `"trusted":true,"serial"`, 1),
		"more behind it":   string(good) + "{}",
		"no JSON":          "PEM",
		"far too long":     string(good) + strings.Repeat(" ", maxEvidence),
		"a serial of text": strings.Replace(string(good), `"serial":1`, `"serial":"1"`, 1),
	} {
		if _, err := parseEvidence([]byte(raw)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func FuzzParseEvidence(f *testing.F) {
	good, err := json.Marshal(evidenceFile{Format: evidenceFormat, Serial: 1, Slot: "9c", Leaf: []byte{1}, Device: []byte{2}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, err := parseEvidence(raw)
		if err != nil {
			return
		}
		if p, err := e.verify(attest.WithPractice()); err == nil {
			t.Fatalf("proof %+v of %s", p, raw)
		}
		for _, line := range evidenceOf(e.carried(), nil, errors.New("no")).lines() {
			if strings.ContainsAny(line, "\x1b\n\r\u202e") {
				t.Fatalf("unsafe line %q", line)
			}
		}
	})
}

func TestWhatIsTypedAheadStaysForTheNextQuestion(t *testing.T) {
	r := bytes.NewBufferString("yes\n13078777\nrest")
	for _, want := range []string{"yes", "13078777"} {
		got, err := readLine(r)
		if err != nil || string(got) != want {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	if _, err := readLine(r); err == nil {
		t.Fatal("half a line was taken for one")
	}
	if _, err := readLine(strings.NewReader(strings.Repeat("y", longestLine+1))); err == nil {
		t.Fatal("an endless line was taken")
	}
}

func TestTokensGetTheirExitCode(t *testing.T) {
	for _, err := range []error{
		hsm.ErrPUKBlocked, hsm.ErrPUKNeeded, &hsm.PUKError{Retries: 1}, &hsm.WeakError{}, hsm.ErrBusy, hsm.ErrGarbled,
	} {
		got := onToken(err)
		if exitCode(got) != exitToken || hintOf(got) == "" || !errors.Is(got, err) {
			t.Errorf("%v: code %d, hint %q", err, exitCode(got), hintOf(got))
		}
	}
	if got := onToken(errNo); exitCode(got) != exitInterrupted {
		t.Errorf("no: code %d", exitCode(got))
	}
	if onToken(nil) != nil {
		t.Error("nothing became an error")
	}
}
