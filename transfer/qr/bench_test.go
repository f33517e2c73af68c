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
func shownUntilDone(t testing.TB, e *ur.Encoder, order *ur.Sequence, loss float64, dice *rand.Rand) (shown, ideal int) {
	t.Helper()
	d, err := ur.NewDecoder(e.Part(1))
	if err != nil {
		t.Fatal(err)
	}
	arrived := 0
	for d.Message() == nil {
		shown++
		seq := order.Next()
		if dice.Float64() < loss {
			continue
		}
		if arrived++; arrived == e.Stream().Fragments {
			ideal = shown
		}
		if _, err := d.Add(e.Part(seq)); err != nil {
			t.Fatal(err)
		}
	}
	return shown, ideal
}

// overhead measures many transfers: the medians of what was shown, in units of K, of ours and of the ideal, and the
// mean of the one over the mean of the other.
func overhead(t testing.TB, k int, loss float64, dense bool, rounds int) (ours, ideal, mean float64) {
	t.Helper()
	e, err := ur.NewEncoder(noise(k*20, byte(k)), 20)
	if err != nil || e.Stream().Fragments != k {
		t.Fatal(e.Stream(), err)
	}
	dice := rand.New(rand.NewPCG(uint64(k), uint64(loss*100)))
	var shown, best []int
	sumShown, sumBest := 0, 0
	for range rounds {
		order := e.Compatible()
		if dense {
			order = e.Dense()
		}
		s, i := shownUntilDone(t, e, order, loss, dice)
		shown, best = append(shown, s), append(best, i)
		sumShown, sumBest = sumShown+s, sumBest+i
	}
	slices.Sort(shown)
	slices.Sort(best)
	return float64(shown[rounds/2]) / float64(k), float64(best[rounds/2]) / float64(k), float64(sumShown) / float64(sumBest)
}

// Whoever watches must not wait for more frames than it takes.
func TestFramesNeededAreNearTheIdeal(t *testing.T) {
	rounds := 200
	if testing.Short() {
		rounds = 60
	}
	for _, k := range []int{30, 100} {
		for _, loss := range []float64{0.1, 0.3, 0.5} {
			ours, ideal, mean := overhead(t, k, loss, true, rounds)
			t.Logf("K %d, loss %.0f %%: %.3f K, ideal %.3f K, mean +%.1f %%", k, 100*loss, ours, ideal, 100*(mean-1))
			if ours > 1.05*ideal {
				t.Errorf("K %d, loss %.0f %%: the median is %.3f K, more than 5 %% above %.3f K", k, 100*loss, ours, ideal)
			}
		}
	}
}

func BenchmarkFramesNeeded(b *testing.B) {
	for _, k := range []int{10, 30, 100} {
		for _, loss := range []float64{0.1, 0.2, 0.3, 0.4, 0.5} {
			b.Run(fmt.Sprintf("K=%d/loss=%.0f%%", k, 100*loss), func(b *testing.B) {
				for b.Loop() {
					const rounds = 200
					ours, ideal, mean := overhead(b, k, loss, true, rounds)
					compatible, _, _ := overhead(b, k, loss, false, rounds)
					b.ReportMetric(ours, "frames/K")
					b.ReportMetric(compatible, "compatible-frames/K")
					b.ReportMetric(ideal, "ideal-frames/K")
					b.ReportMetric(100*(mean-1), "%over-ideal")
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

// goals are the bytes a second that every terminal must reach.
var goals = map[string]float64{"80x24": 1000, "120x40": 4000, "200x60": 8000}

func TestGoodputReachesItsGoals(t *testing.T) {
	for terminal, goal := range goals {
		got := goodput(t, terminal, 20_000, 0)
		t.Logf("%s: %.0f bytes a second", terminal, got)
		if got < goal {
			t.Errorf("%s: %.0f bytes a second, less than %.0f", terminal, got, goal)
		}
	}
}

func BenchmarkGoodput(b *testing.B) {
	for _, terminal := range []string{"80x24", "120x40", "200x60"} {
		for _, loss := range []float64{0, 0.05, 0.1, 0.3} {
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
