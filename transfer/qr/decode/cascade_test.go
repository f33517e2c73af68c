package decode

import (
	"image"
	"strings"
	"testing"
	"time"
)

func TestCascadeReadsOnItsOwn(t *testing.T) {
	p := newPlane(drawModules(symbol(t, "BY ANOTHER READER", 6, true), 4))
	texts := New(Frames()).cascade(p, time.Now().Add(time.Minute))
	if len(texts) != 1 || texts[0] != "BY ANOTHER READER" {
		t.Errorf("got %q", texts)
	}
}

func TestCascadeDoesNotStartWhatWouldEndLate(t *testing.T) {
	p := newPlane(drawModules(symbol(t, "LATE", 6, true), 4))
	if texts := New(Frames()).cascade(p, time.Now()); texts != nil {
		t.Errorf("read %q after the deadline", texts)
	}
}

func TestZbarIsAskedForBytes(t *testing.T) {
	needZbar(t)
	for _, text := range []string{"BY A CHILD PROCESS", "\x83\x65\x83\x58 bytes\n", strings.Repeat("LONG ", 500)} {
		version := 10
		if len(text) > 100 {
			version = 40
		}
		p := newPlane(drawModules(symbol(t, text, version, false), 4))
		texts, err := askZbar(p)
		if err != nil || len(texts) != 1 || texts[0] != text {
			t.Errorf("got %q, %v", texts, err)
		}
	}
}

func TestZbarFindsNothingInNothing(t *testing.T) {
	needZbar(t)
	if texts, err := askZbar(newPlane(page(200, 200, map[image.Point]*image.Gray{}))); err == nil {
		t.Errorf("got %q", texts)
	}
}
