package qr_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"conclave/ceremony/tuf"
	"conclave/transfer/qr"
	"conclave/transfer/qr/answer"
	"conclave/transfer/qr/qrtest"
	"conclave/transfer/qr/ur"
)

// shownUntilDone is how many parts are shown until a decoder has the message, and how many it would
// take if every part that arrives were news. Both lose the same ones.
func shownUntilDone(t testing.TB, e *ur.Encoder, part func(uint32) ur.Part, loss float64, dice *rand.Rand) (shown, ideal int) {
	t.Helper()
	d, err := ur.NewDecoder(e.Part(1))
	if err != nil {
		t.Fatal(err)
	}
	arrived := 0
	for seq := uint32(0); d.Message() == nil; {
		shown++
		seq = e.Stream().After(seq)
		if dice.Float64() < loss {
			continue
		}
		if arrived++; arrived == e.Stream().Fragments {
			ideal = shown
		}
		if _, err := d.Add(part(seq)); err != nil {
			t.Fatal(err)
		}
	}
	return shown, ideal
}

// An overhead is what many transfers took, in frames shown: in units of K, and over the ideal in percent.
type overhead struct{ median, ideal, overMedian, overMean float64 }

// measure lets many transfers cross, of parts of one kind.
func measure(t testing.TB, k int, loss float64, weighted bool, rounds int) overhead {
	t.Helper()
	e, err := ur.NewEncoder(noise(k*20, byte(k)), 20)
	if err != nil || e.Stream().Fragments != k {
		t.Fatal(e.Stream(), err)
	}
	part := e.Part
	if weighted {
		part = e.Weighted
	}
	dice := rand.New(rand.NewPCG(uint64(k), uint64(loss*100)))
	var shown, best []int
	sumShown, sumBest := 0, 0
	for range rounds {
		s, i := shownUntilDone(t, e, part, loss, dice)
		shown, best = append(shown, s), append(best, i)
		sumShown, sumBest = sumShown+s, sumBest+i
	}
	slices.Sort(shown)
	slices.Sort(best)
	a, b := float64(shown[rounds/2]), float64(best[rounds/2])
	return overhead{a / float64(k), b / float64(k), 100 * (a/b - 1), 100 * (float64(sumShown)/float64(sumBest) - 1)}
}

var losses = []float64{0.1, 0.2, 0.3, 0.4, 0.5}

// Whoever watches must not wait for more frames than it takes. The goal is 5 %; that nearly every weighted
// part is news leaves far less.
func TestFramesNeededAreNearTheIdeal(t *testing.T) {
	const most = 1 // percent
	rounds := 60
	if testing.Short() {
		rounds = 15
	}
	for _, k := range []int{10, 30, 50, 100} {
		for _, loss := range losses {
			o := measure(t, k, loss, true, rounds)
			if o.overMedian > most || o.overMean > most {
				t.Errorf("K %d, loss %.0f %%: %.3f K, ideal %.3f K: the median is %.1f %% above, the mean %.1f %%",
					k, 100*loss, o.median, o.ideal, o.overMedian, o.overMean)
			}
		}
	}
}

func BenchmarkFramesNeeded(b *testing.B) {
	for _, k := range []int{10, 30, 100, 300} {
		for _, loss := range losses {
			b.Run(fmt.Sprintf("K=%d/loss=%.0f%%", k, 100*loss), func(b *testing.B) {
				for b.Loop() {
					const rounds = 200
					o := measure(b, k, loss, true, rounds)
					b.ReportMetric(o.median, "frames/K")
					b.ReportMetric(o.ideal, "ideal-frames/K")
					b.ReportMetric(o.overMedian, "%over-ideal-median")
					b.ReportMetric(o.overMean, "%over-ideal-mean")
					o = measure(b, k, loss, false, rounds)
					b.ReportMetric(o.median, "bc-ur-frames/K")
				}
			})
		}
	}
}

// frameRate is how many frames a second a camera of 30 pictures a second reads, every one.
const frameRate = 10

// goodput is how many bytes of content a second cross at a terminal.
func goodput(t testing.TB, terminal string, bytes int, loss float64) float64 {
	t.Helper()
	content := noise(bytes, 5)
	s := mustSender(t, mustFile(t, content), qr.Dense, chars(terminal))
	dice := rand.New(rand.NewPCG(1, uint64(loss*100)))
	r := qr.NewReceiver(time.Now)
	shown := 0
	for p := (qr.Progress{}); !p.Done; s.Next() {
		shown++
		if dice.Float64() < loss {
			continue
		}
		var err error
		if p, err = r.Add(s.Frame().Text); err != nil {
			t.Fatal(err)
		}
	}
	wantContent(t, r, content)
	return float64(bytes) * frameRate / float64(shown)
}

// goals are the bytes a second that every terminal must reach, also where one frame of ten is lost.
var goals = map[string]float64{"80x24": 1000, "120x40": 4000, "200x60": 8000}

func TestGoodputReachesItsGoals(t *testing.T) {
	for terminal, goal := range goals {
		for _, loss := range []float64{0, 0.1} {
			if got := goodput(t, terminal, 50_000, loss); got < goal {
				t.Errorf("%s, loss %.0f %%: %.0f bytes a second, less than %.0f", terminal, 100*loss, got, goal)
			}
		}
	}
}

func BenchmarkGoodput(b *testing.B) {
	for _, terminal := range []string{"80x24", "120x40", "200x60"} {
		for _, loss := range []float64{0, 0.1, 0.3} {
			b.Run(fmt.Sprintf("%s/loss=%.0f%%", terminal, 100*loss), func(b *testing.B) {
				for b.Loop() {
					b.ReportMetric(goodput(b, terminal, 50_000, loss), "content-B/s")
				}
			})
		}
	}
}

// BenchmarkPack says how large bundles are on the way, and how many frames they take.
func BenchmarkPack(b *testing.B) {
	report := func(b *testing.B, m *qr.Message) {
		b.ReportMetric(float64(m.Size()), "bytes-sent")
		for terminal := range terminals {
			b.ReportMetric(float64(mustSender(b, m, qr.Dense, chars(terminal)).Parts()), "frames-"+terminal)
		}
	}
	waiting := qrtest.Waiting(b, 11000, 3, 40, 500, 1200, 3000, 4000, 5500, 7000, 8000, 10999)
	b.Run("2 MB and 10 changes", func(b *testing.B) {
		bases := qr.Bases(waiting)
		b.SetBytes(int64(len(qrtest.Bytes(b, waiting))))
		for b.Loop() {
			report(b, mustPack(b, waiting, bases...))
		}
	})
	b.Run("2 MB without a base", func(b *testing.B) {
		for b.Loop() {
			report(b, mustPack(b, waiting))
		}
	})
	b.Run("real root change", func(b *testing.B) {
		before, signed := realChange(b)
		for b.Loop() {
			report(b, mustPack(b, signed, qrtest.Bytes(b, before)))
		}
	})
	b.Run("answer of two signatures", func(b *testing.B) {
		small := qrtest.Waiting(b, 5)
		a, err := answer.Of(small, qrtest.Sign(b, small, tuf.Root, "Alice", "Bob"))
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			m, err := qr.PackAnswer(a)
			if err != nil {
				b.Fatal(err)
			}
			report(b, m)
		}
	})
}
