package decode

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"conclave/transfer/qr/decode/corpus"
	"conclave/transfer/qr/qrtest"
)

// BenchmarkCorpus reads the same pictures with our locator, with zbarimg and
// with the gozxing cascade, and reports the share that each reads, in percent,
// by class. "big" counts pictures with at least three pixels a module. It
// fails where a goal is missed: ours is at least both in every class, 99 % of
// the big ones in good and typical, and no wrong content.
//
//	go test ./transfer/qr/decode -run '^$' -bench Corpus -pictures 300
func BenchmarkCorpus(b *testing.B) {
	for _, c := range corpus.Classes {
		b.Run(string(c), func(b *testing.B) {
			zbar := needZbar(b)
			for b.Loop() {
				r := runClass(b, c, *pictureCount, zbar)
				r.report(b)
			}
		})
	}
}

// missGoal is how long a frame may take.
const missGoal = 150 * time.Millisecond

// tally counts what each decoder read of one class.
type tally struct {
	class                 corpus.Class
	n, big                int
	ours, oursBig, inTime int
	zbar, cascade         int
	wrong, peersWrong     int
	spent                 time.Duration
}

func runClass(b *testing.B, c corpus.Class, n int, zbar string) *tally {
	dir := b.TempDir()
	r := &tally{class: c, n: n}
	pics := make([]*corpus.Picture, n)
	names := make([]string, n)
	for i := range n {
		s := corpus.Draw(c, i)
		pics[i] = picture(b, s)
		names[i] = filepath.Join(dir, fmt.Sprintf("%04d.pgm", i))
		if err := os.WriteFile(names[i], qrtest.PGM(pics[i].Gray), 0o600); err != nil {
			b.Fatal(err)
		}
		r.us(pics[i], s.Module >= 3)
		r.gozxing(pics[i])
		pics[i].Gray = nil
	}
	for i, texts := range askZbarAll(b, zbar, names) {
		ok, wrong := judge(pics[i], texts)
		r.zbar += b2i(ok)
		r.peersWrong += b2i(wrong)
	}
	return r
}

// judge tells a right reading from a wrong one.
func judge(p *corpus.Picture, texts []string) (ok, wrong bool) {
	for _, t := range texts {
		if t != p.Text && t != p.Next {
			return false, true
		}
	}
	return slices.Contains(texts, p.Text), false
}

func (r *tally) us(p *corpus.Picture, big bool) {
	d := New(Options{Deadline: 3 * time.Second})
	began := time.Now()
	texts, _ := d.Decode(p.Gray)
	took := time.Since(began)
	ok, wrong := judge(p, texts)
	r.spent += took
	r.ours += b2i(ok)
	r.inTime += b2i(ok && took <= missGoal)
	r.wrong += b2i(wrong)
	if big {
		r.big++
		r.oursBig += b2i(ok)
	}
}

func (r *tally) gozxing(p *corpus.Picture) {
	ok, wrong := judge(p, New(Frames()).cascade(newPlane(p.Gray), time.Now().Add(time.Hour)))
	r.cascade += b2i(ok)
	r.peersWrong += b2i(wrong)
}

func (r *tally) report(b *testing.B) {
	pc := func(k, n int) float64 { return 100 * float64(k) / float64(max(n, 1)) }
	b.ReportMetric(pc(r.ours, r.n), "ours-%")
	b.ReportMetric(pc(r.oursBig, r.big), "ours-big-%")
	b.ReportMetric(pc(r.inTime, r.n), "ours-in-150ms-%")
	b.ReportMetric(pc(r.zbar, r.n), "zbar-%")
	b.ReportMetric(pc(r.cascade, r.n), "gozxing-%")
	b.ReportMetric(float64(r.wrong), "ours-wrong")
	b.ReportMetric(float64(r.peersWrong), "peers-wrong")
	b.ReportMetric(float64(r.spent.Microseconds())/1000/float64(r.n), "ours-ms")
	b.ReportMetric(0, "ns/op")
	if r.wrong > 0 {
		b.Errorf("%s: %d wrong contents", r.class, r.wrong)
	}
	if r.ours < r.zbar || r.ours < r.cascade {
		b.Errorf("%s: ours %d, zbar %d, gozxing %d of %d", r.class, r.ours, r.zbar, r.cascade, r.n)
	}
	if (r.class == corpus.Good || r.class == corpus.Typical) && pc(r.oursBig, r.big) < 99 {
		b.Errorf("%s: %d of %d with three pixels a module or more", r.class, r.oursBig, r.big)
	}
}

// askZbarAll runs one zbarimg over all files.
func askZbarAll(b testing.TB, zbar string, names []string) [][]string {
	args := append([]string{"--nodbus", "-q", "--xml", "-Sdisable", "-Sqrcode.enable"}, names...)
	out, err := exec.Command(zbar, args...).Output()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 4) { // 4: some hold nothing
		b.Fatalf("run zbarimg: %v", err)
	}
	var doc struct {
		Source []struct {
			Href string   `xml:"href,attr"`
			Data []string `xml:"index>symbol>data"`
		} `xml:"source"`
	}
	if err := xml.Unmarshal(bytes.TrimSpace(out), &doc); err != nil {
		b.Fatalf("read zbarimg's answer: %v", err)
	}
	texts := make([][]string, len(names))
	for _, s := range doc.Source {
		if i := slices.Index(names, s.Href); i >= 0 {
			texts[i] = s.Data
		}
	}
	return texts
}

// camera places a picture in a frame of 1280 by 720.
func camera(p *corpus.Picture) *image.Gray {
	img := image.NewGray(image.Rect(0, 0, 1280, 720))
	at := image.Pt((1280-p.Gray.Rect.Dx())/2, (720-p.Gray.Rect.Dy())/2)
	draw.Draw(img, p.Gray.Rect.Add(at), p.Gray, image.Point{}, draw.Src)
	return img
}

// frameSpec is a picture that fits a camera's frame.
func frameSpec(version int) corpus.Spec {
	s := corpus.Draw(corpus.Good, 3)
	s.Version, s.Rotation, s.Ghost = version, 4, 0
	s.Cell = corpus.Cell{}
	s.Module = min(6, 620/float64(17+4*version+4))
	return s
}

// BenchmarkTrack times frames of a symbol that is followed; the goal is 10 ms.
func BenchmarkTrack(b *testing.B) {
	for _, v := range []int{6, 14, 24, 40} {
		b.Run(fmt.Sprintf("v%d", v), func(b *testing.B) {
			img := camera(picture(b, frameSpec(v)))
			d := New(Frames())
			if _, err := d.Decode(img); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if texts, _ := d.track(newPlane(img), never); len(texts) != 1 {
					b.Fatal("lost the symbol")
				}
			}
		})
	}
}

// BenchmarkAcquire times the first frame.
func BenchmarkAcquire(b *testing.B) {
	for _, v := range []int{6, 14, 24, 40} {
		b.Run(fmt.Sprintf("v%d", v), func(b *testing.B) {
			img := camera(picture(b, frameSpec(v)))
			for b.Loop() {
				if _, err := patient().Decode(img); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkMiss times frames that hold nothing readable; the goal is 150 ms.
func BenchmarkMiss(b *testing.B) {
	for name, img := range hostile(b) {
		b.Run(name, func(b *testing.B) {
			d := New(Frames())
			worst := time.Duration(0)
			for b.Loop() {
				began := time.Now()
				d.last = nil
				if texts, err := d.Decode(img); err == nil {
					b.Fatalf("read %q", texts)
				}
				worst = max(worst, time.Since(began))
			}
			b.ReportMetric(float64(worst.Microseconds())/1000, "worst-ms")
		})
	}
}
