package decode

import (
	"errors"
	"testing"

	"conclave/transfer/qr/decode/corpus"
)

// A small part of the corpus, so that a change that costs readings fails here
// and not only in the benchmark. The corpus is seeded: the counts do not vary.
func TestCorpusIsRead(t *testing.T) {
	for _, c := range []struct {
		class       corpus.Class
		n, missable int
	}{
		{corpus.Clean, 6, 0},
		{corpus.Good, 6, 0},
		{corpus.Typical, 6, 0},
		{corpus.Poor, 6, 2},
	} {
		t.Run(string(c.class), func(t *testing.T) {
			t.Parallel()
			missed := 0
			for i := range c.n / slow {
				s := corpus.Draw(c.class, i)
				p := picture(t, s)
				texts, err := patient().Decode(p.Gray)
				var miss *Miss
				switch {
				case errors.As(err, &miss):
					missed++
					if missed > c.missable {
						t.Errorf("missed %v: %v", s, err)
					}
				case err != nil:
					t.Errorf("read %v: %v", s, err)
				case len(texts) != 1 || texts[0] != p.Text && texts[0] != p.Next:
					t.Errorf("wrong content of %v: %q", s, texts)
				}
			}
		})
	}
}
