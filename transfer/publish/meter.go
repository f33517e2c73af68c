package publish

import (
	"io"
	"sync"
	"time"
)

// Progress says how far target files have come on their way into a store.
type Progress struct {
	Files, AllFiles int
	Bytes, AllBytes int64         // as far as they are on their way
	Elapsed         time.Duration // since the first file
}

// Left estimates the time to the end; false where nothing can be said yet.
func (p Progress) Left() (time.Duration, bool) {
	// Files weigh as well as bytes: thousands of small ones cost round trips.
	done := float64(p.Bytes + int64(p.Files)*fileWeight)
	all := float64(p.AllBytes + int64(p.AllFiles)*fileWeight)
	if p.Elapsed < time.Second || done == 0 || done > all {
		return 0, false
	}
	return time.Duration(float64(p.Elapsed) * (all - done) / done), true
}

// fileWeight is how many bytes could be sent in the time that one request costs besides.
const fileWeight = 64 << 10

// A meter counts for a Progress. Many uploads count at once.
type meter struct {
	tell func(Progress)
	now  func() time.Time

	mu    sync.Mutex
	start time.Time
	p     Progress // owned by mu
}

func newMeter(tell func(Progress), files []upload) *meter {
	m := &meter{tell: tell, now: time.Now}
	m.start = m.now()
	m.p.AllFiles = len(files)
	for _, f := range files {
		m.p.AllBytes += f.content.Length
	}
	return m
}

func (m *meter) add(files int, bytes int64) {
	if m.tell == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.p.Files += files
	m.p.Bytes += bytes
	m.p.Elapsed = m.now().Sub(m.start)
	m.tell(m.p)
}

// A metered content counts what is read of it. A file that is opened again begins again.
type metered struct {
	m *meter
	c Content

	mu     sync.Mutex
	passes int   // owned by mu
	n      int64 // owned by mu: bytes of the last pass
}

func (m *meter) file(c Content) *metered { return &metered{m: m, c: c} }

// content is c, counted.
func (f *metered) content() Content {
	c := f.c
	c.Open = func() (io.ReadCloser, error) {
		r, err := f.c.Open()
		if err != nil {
			return nil, err
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.m.add(0, -f.n)
		f.n = 0
		f.passes++
		return &meteredReader{r, f, f.passes}, nil
	}
	return c
}

// done counts the file, and what was never read because it was there.
func (f *metered) done() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.passes++ // readers that are still open count no more
	f.m.add(1, f.c.Length-f.n)
}

type meteredReader struct {
	io.ReadCloser
	f    *metered
	pass int
}

func (r *meteredReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	if r.pass == r.f.passes {
		r.f.n += int64(n)
		r.f.m.add(0, int64(n))
	}
	return n, err
}
