package decode

import (
	"errors"
	"fmt"
	"image"
	"math"
	"testing"

	"conclave/transfer/qr/decode/corpus"
)

// spec is an ordinary picture of a version.
func spec(version int) corpus.Spec {
	s := corpus.Draw(corpus.Good, 4)
	s.Tight = true
	s.Version, s.Module, s.Ghost, s.Tear, s.Cell = version, 4, 0, 0, corpus.Cell{}
	return s
}

func never() bool { return false }

func TestTrackingFollowsAHand(t *testing.T) {
	d := New(Options{Deadline: patient().opt.Deadline, Track: true})
	acquired := 0
	for i := range 8 / min(slow, 2) {
		s := spec(6)
		s.Rotation = 5 * math.Sin(float64(i)/3)
		s.Tilt = 6 + 4*math.Cos(float64(i)/4)
		s.Module = 4 + .15*math.Sin(float64(i))
		p := picture(t, s)
		img := camera(p)
		if i > 0 {
			if texts, _ := d.track(newPlane(img), never); len(texts) == 0 {
				acquired++
			}
		}
		texts, err := d.Decode(img)
		if err != nil || texts[0] != p.Text {
			t.Errorf("frame %d: %v", i, err)
		}
	}
	if acquired > 1 {
		t.Errorf("lost the symbol %d times in 8 frames", acquired)
	}
}

func TestTrackingReadsWhatTheSymbolHoldsNow(t *testing.T) {
	d := New(Options{Deadline: patient().opt.Deadline, Track: true})
	for i := range 5 {
		text := fmt.Sprintf("FRAME %d OF 5", i)
		texts, err := d.Decode(drawModules(symbol(t, text, 6, false), 4))
		if err != nil || texts[0] != text {
			t.Fatalf("frame %d: got %q, %v", i, texts, err)
		}
	}
}

func TestLostSymbolIsFoundAgain(t *testing.T) {
	one := drawModules(symbol(t, "ONE", 6, false), 4)
	two := drawModules(symbol(t, "TWO", 9, false), 3)
	d := New(Options{Deadline: patient().opt.Deadline, Track: true})
	for _, c := range []struct {
		name string
		img  *image.Gray
		want string
	}{
		{"first sight", page(600, 400, map[image.Point]*image.Gray{{10, 10}: one}), "ONE"},
		{"jumped aside", page(600, 400, map[image.Point]*image.Gray{{300, 100}: one}), "ONE"},
		{"gone", page(600, 400, nil), ""},
		{"another version", page(600, 400, map[image.Point]*image.Gray{{100, 50}: two}), "TWO"},
		{"another size of picture", page(400, 600, map[image.Point]*image.Gray{{100, 250}: two}), "TWO"},
	} {
		texts, err := d.Decode(c.img)
		if c.want == "" {
			if err == nil {
				t.Errorf("%s: got %q", c.name, texts)
			}
		} else if err != nil || len(texts) != 1 || texts[0] != c.want {
			t.Errorf("%s: got %q, %v", c.name, texts, err)
		}
	}
}

// A frame that the screen was changing in is not worth a search of the whole
// picture; a symbol that stays unreadable is.
func TestHeldSymbolIsNotSearchedForAtOnce(t *testing.T) {
	at := map[image.Point]*image.Gray{{100, 50}: drawModules(symbol(t, "READABLE", 10, false), 4)}
	clear := page(600, 400, at)
	at[image.Pt(100, 50)] = drawModules(spoiltModules(t, 10), 4)
	spoilt := page(600, 400, at)
	d := New(Options{Deadline: patient().opt.Deadline, Track: true})
	if _, err := d.Decode(clear); err != nil {
		t.Fatal(err)
	}
	for i := range patience + 1 {
		_, err := d.Decode(spoilt)
		var miss *Miss
		if !errors.As(err, &miss) || miss.Stage != Unreadable {
			t.Fatalf("frame %d: %v", i, err)
		}
		if want := min(i+1, patience+1); d.held != want {
			t.Errorf("frame %d: held for %d frames, want %d", i, d.held, want)
		}
	}
	if texts, err := d.Decode(clear); err != nil || texts[0] != "READABLE" || d.held != 0 {
		t.Errorf("got %q, %v, held %d", texts, err, d.held)
	}
}
