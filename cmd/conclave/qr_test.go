package main

import (
	"context"
	"fmt"
	"image"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/transfer/qr/answer"
	"conclave/transfer/qr/qrtest"
	"conclave/transfer/qr/source"
)

// TestQRScripts plays the scripts of the way by light. They have commands of their
// own, which look at the terminal's real screen as a camera does.
func TestQRScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script/qr",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setup,
		Condition: func(what string) (bool, error) {
			if what == "video" {
				devices, err := filepath.Glob("/dev/video*")
				return len(devices) > 0, err
			}
			r, ok := qrtest.ReaderOf(what)
			if !ok {
				return false, fmt.Errorf("there is no condition %s", what)
			}
			_, err := r.Files(nil)
			return err == nil || os.Getenv("CI") == "true", nil // in CI its lack is a failure
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"tty": ttyCmd, "see": seeCmd, "keys": keysCmd, "press": pressCmd, "leaf": leafCmd, "shot": shotCmd, "resize": resizeCmd, "exits": exitsCmd, "die": dieCmd,
			"token": tokenCmd, "hear": hearCmd, "flip": flipCmd, "replace": replaceCmd, "exit": exitCmd,
			"camera": cameraCmd, "reader": readerCmd, "tilt": tiltCmd, "typein": typeInCmd,
		},
	})
}

// exposure is how long a symbol must stand still to be whole on a picture.
const exposure = 20 * time.Millisecond

// font is that of the terminal that the pictures are taken of.
var font = qrtest.Font{Width: 8, Height: 16}

// camera DIR COUNT [LOSS] takes pictures of the next COUNT different symbols that stand still on the
// terminal's screen into DIR, and some of those that are half drawn. LOSS percent of them, evenly, are not taken. With
// a COUNT of 1 it waits for one that nobody changes any more.
func cameraCmd(ts *testscript.TestScript, _ bool, args []string) {
	t := *current(ts)
	dir := ts.MkAbs(args[0])
	count, err := strconv.Atoi(args[1])
	ts.Check(err)
	loss := 0
	if len(args) > 2 {
		loss, err = strconv.Atoi(args[2])
		ts.Check(err)
	}
	ts.Check(os.MkdirAll(dir, 0o755))
	if count == 1 {
		ts.Check(writePicture(filepath.Join(dir, "001.pgm"), qrtest.Raster(t.still(ts), font)))
		return
	}
	limit := time.After(patience)
	last, lost, shots := "", 0, 0
	shoot := func(lines []string) {
		if lost += loss; lost >= 100 {
			lost -= 100
			return
		}
		shots++
		ts.Check(writePicture(filepath.Join(dir, fmt.Sprintf("%03d.pgm", shots)), qrtest.Raster(lines, font)))
	}
	for n, torn := 0, 0; n < count; {
		t.mu.Lock()
		lines, change := t.symbol(), t.change
		t.mu.Unlock()
		seen := strings.Join(lines, "\n")
		var still <-chan time.Time
		if seen != "" && seen != last {
			still = time.After(exposure)
		}
		select {
		case <-still:
			last = seen
			n++
			shoot(lines)
		case <-change:
			if still != nil && torn < count/4 { // the shutter was open meanwhile
				torn++
				shoot(lines)
			}
		case <-t.done:
			ts.Fatalf("the program ended after %d symbols of %d", n, count)
		case <-limit:
			ts.Fatalf("%d symbols of %d have appeared:\n%s", n, count, t.screen())
		}
	}
}

// drawn is how long a screen must not change to count as drawn.
const drawn = 400 * time.Millisecond

// still waits for a symbol that stands still.
func (t *terminal) still(ts *testscript.TestScript) []string {
	limit := time.After(patience)
	for {
		t.mu.Lock()
		lines, change := t.symbol(), t.change
		t.mu.Unlock()
		select {
		case <-change:
		case <-time.After(drawn):
			if len(lines) > 0 {
				return lines
			}
		case <-limit:
			ts.Fatalf("no symbol stands still:\n%s", t.screen())
		}
	}
}

// symbol is what is black on white on the screen.
func (t *terminal) symbol() (lines []string) {
	cols, rows := t.vt.Size()
	for y := range rows {
		var line []rune
		for x := range cols {
			if c := t.vt.Cell(x, y); c.FG == 16 && c.BG == 231 {
				line = append(line, c.Char)
			}
		}
		if len(line) > 0 {
			lines = append(lines, string(line))
		}
	}
	return lines
}

func writePicture(path string, img *image.Gray) error {
	return os.WriteFile(path, qrtest.PGM(img), 0o666)
}

// reader NAME DIR FILE reads the pictures in DIR with a program that we did not write, into FILE.
func readerCmd(ts *testscript.TestScript, _ bool, args []string) {
	r, ok := qrtest.ReaderOf(args[0])
	if !ok {
		ts.Fatalf("there is no reader %s", args[0])
	}
	pictures, err := filepath.Glob(filepath.Join(ts.MkAbs(args[1]), "*.p[gn][mg]"))
	ts.Check(err)
	found, err := r.Files(pictures)
	ts.Check(err)
	texts := slices.Concat(found...) // none of those that were caught in the middle of a frame
	if len(texts) == 0 {
		ts.Fatalf("%s reads none of %d pictures", r.Name, len(pictures))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(strings.Join(texts, "\n")+"\n"), 0o666))
}

// tilt DIR DEGREES turns the pictures in DIR and blurs them, as if somebody held the camera by hand.
func tiltCmd(ts *testscript.TestScript, _ bool, args []string) {
	degrees, err := strconv.ParseFloat(args[1], 64)
	ts.Check(err)
	pictures, err := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), "*.pgm"))
	ts.Check(err)
	for _, path := range pictures {
		src, err := source.Open(path)
		ts.Check(err)
		img, err := src.Next(context.Background())
		_ = src.Close()
		ts.Check(err)
		ts.Check(writePicture(path, tilted(img, degrees)))
	}
}

// tilted is img turned around its middle, with neighbouring pixels mixed.
func tilted(img *image.Gray, degrees float64) *image.Gray {
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	b := img.Bounds()
	out := image.NewGray(b)
	cx, cy := float64(b.Dx())/2, float64(b.Dy())/2
	at := func(x, y int) float64 {
		if !(image.Point{X: x, Y: y}).In(b) {
			return 20
		}
		return float64(img.GrayAt(x, y).Y)
	}
	for y := range b.Dy() {
		for x := range b.Dx() {
			dx, dy := float64(x)-cx, float64(y)-cy
			sx, sy := int(math.Floor(cx+dx*cos+dy*sin)), int(math.Floor(cy-dx*sin+dy*cos))
			mixed := 0.0
			for _, d := range [][2]int{{0, 0}, {1, 0}, {0, 1}, {1, 1}} {
				mixed += at(sx+d[0], sy+d[1]) / 4
			}
			out.Pix[out.PixOffset(x, y)] = uint8(mixed)
		}
	}
	return out
}

// typein FILE END types every line of FILE as a keyboard scanner does, with END after each.
func typeInCmd(ts *testscript.TestScript, _ bool, args []string) {
	end, err := strconv.Unquote(`"` + args[1] + `"`)
	ts.Check(err)
	t := *current(ts)
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		ts.Check(t.typeKeys(strings.TrimRight(line, "\n") + end))
	}
}

// A site sends its signatures as an answer, another one as a partial bundle: both join.
func TestAnswersJoinLikeBundles(t *testing.T) {
	waiting := qrtest.Waiting(t, 3)
	alice, bob := qrtest.Sign(t, waiting, tuf.Targets, "Alice"), qrtest.Sign(t, waiting, tuf.Targets, "Bob")
	a, err := answer.Of(waiting, alice)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := answerText(a)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	answered := write("alice.answer", raw)
	partial := write("bob.bundle.json", qrtest.Bytes(t, bob))
	bundles, err := readForJoin([]string{answered, partial})
	if err != nil {
		t.Fatal(err)
	}
	joined, dropped, err := transfer.Join(bundles...)
	if err != nil || len(dropped) > 0 || len(joined.Document(tuf.Targets).Signatures()) != 2 {
		t.Errorf("joined with %v dropped: %v", dropped, err)
	}
	for name, paths := range map[string][]string{
		"no bundle":              {answered},
		"another draft":          {answered, write("other.bundle.json", qrtest.Bytes(t, qrtest.Waiting(t, 4)))},
		"neither of the two":     {partial, write("notes.txt", []byte("remember the key of the safe\n"))},
		"an answer that was cut": {partial, write("cut.answer", raw[:len(raw)/2])},
		"a file that is missing": {partial, filepath.Join(dir, "nowhere")},
	} {
		if _, err := readForJoin(paths); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
