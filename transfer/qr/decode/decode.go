// Package decode reads QR symbols from pictures, in pure Go: from camera
// frames as they come, and from files.
//
// It promises never to return a wrong content: only what Reed-Solomon codes
// confirmed is returned, and only from a place where the patterns that every
// symbol of its version shares were found. It promises to answer in time: a
// frame without a symbol costs at most the deadline. It never panics,
// whatever the picture.
//
// # How
//
// Acquisition looks for finder patterns with several thresholds and sizes, at
// any rotation; joins three to a triple; tells the version from the timing
// lines; and fits one homography and one radial term to all patterns known for
// that version. The modules are compared with the mean around them or, where
// that does not suffice, passed through a filter trained on the known modules.
// The following frames start from the last fit. What the locator misses goes
// to gozxing's readers and, where allowed, to zbarimg.
package decode

import (
	"fmt"
	"image"
	"slices"
	"time"
)

// Options choose between speed and patience.
type Options struct {
	// Deadline is the longest that one picture may take, but for the child
	// process; 0 means FrameDeadline.
	Deadline time.Duration

	// Symbols is how many symbols a picture may hold; 0 means one. A picture
	// with fewer takes as long as one with none.
	Symbols int

	// Track starts from where the last picture's symbols were.
	Track bool

	// Cascade also asks gozxing's readers, within the deadline, about pictures
	// in which our locator reads nothing.
	Cascade bool

	// Inverted also looks for light symbols on dark ground.
	Inverted bool

	// Zbar also asks zbarimg, where it is installed, about pictures in which
	// all others read nothing. It is a child process: too slow for a camera.
	Zbar bool
}

// FrameDeadline bounds the time for a camera's frame: with what cannot be
// interrupted, a miss takes less than 150 ms for 1280 by 720 pixels.
const FrameDeadline = 130 * time.Millisecond

// PictureDeadline bounds the time for a picture file, such as a scanned page.
const PictureDeadline = 5 * time.Second

// Frames are options for a camera or video: one symbol, tracked.
func Frames() Options {
	return Options{Deadline: FrameDeadline, Symbols: 1, Track: true, Cascade: true}
}

// Pictures are options for files that have nothing to do with each other.
func Pictures() Options {
	return Options{Deadline: PictureDeadline, Symbols: 64, Cascade: true, Inverted: true, Zbar: true}
}

// maxPixels bounds a picture and with it the memory, about four bytes for each
// pixel. A4 at 600 dpi has 35 million.
const maxPixels = 64_000_000

// minSide is the side of the smallest symbol at one pixel a module.
const minSide = 21

// Decoder reads one stream of pictures. It is not safe for concurrent use.
type Decoder struct {
	opt  Options
	now  func() time.Time
	last []pose // of the symbols in the last picture that had any
	held int    // frames in a row in which they were seen but not read
}

// New returns a Decoder.
func New(opt Options) *Decoder {
	if opt.Deadline <= 0 {
		opt.Deadline = FrameDeadline
	}
	if opt.Symbols <= 0 {
		opt.Symbols = 1
	}
	return &Decoder{opt: opt, now: time.Now}
}

// Decode returns the contents of the symbols in a picture: bytes as the symbol
// holds them, or UTF-8 where it names a character set. Where there are none,
// the error is a *Miss. The picture is not changed or kept.
func (d *Decoder) Decode(img *image.Gray) (texts []string, err error) {
	// A ceremony must not end over a picture. The fuzz targets take this error
	// for the failure that it is.
	defer func() {
		if r := recover(); r != nil {
			texts, err = nil, fmt.Errorf("read picture: %v", r)
		}
	}()
	began := d.now()
	b := img.Bounds()
	if len(img.Pix) < (b.Dy()-1)*img.Stride+b.Dx() || img.Stride < b.Dx() {
		return nil, fmt.Errorf("read picture: too few pixels for %d by %d", b.Dx(), b.Dy())
	}
	if b.Dx() < minSide || b.Dy() < minSide {
		return nil, &Miss{Stage: NoSymbol}
	}
	if b.Dx() > maxPixels/b.Dy() {
		return nil, fmt.Errorf("read picture: %d by %d pixels are more than %d million", b.Dx(), b.Dy(), maxPixels/1_000_000)
	}
	p := newPlane(img)
	until := began.Add(d.opt.Deadline)
	if d.opt.Track && len(d.last) > 0 {
		texts, held := d.track(p, func() bool { return d.now().After(until) })
		if len(texts) > 0 {
			d.held = 0
			return texts, nil
		}
		if d.held++; held != nil && d.held <= patience {
			return nil, &Miss{Stage: Unreadable, Module: held.module()}
		}
	}
	return d.acquire(p, until)
}

// acquire looks at the whole picture.
func (d *Decoder) acquire(p *plane, until time.Time) ([]string, error) {
	own := until
	if d.opt.Cascade {
		own = until.Add(-d.opt.Deadline / 3)
	}
	texts := d.reduced(p, own.Add(-d.opt.Deadline/3))
	if len(texts) >= d.opt.Symbols {
		return texts, nil
	}
	s := d.search(p, own)
	d.keep(s.found)
	if texts = merge(texts, contents(s.found)); len(texts) > 0 {
		return texts, nil
	}
	if d.opt.Inverted {
		if i := d.search(p.invert(), own); len(i.found) > 0 {
			return contents(i.found), nil
		}
	}
	if texts := d.others(p, until, len(s.frames)); len(texts) > 0 {
		return texts, nil
	}
	return nil, &s.miss
}

// maxArea is the size of picture, in pixels, beyond which it is looked at in
// half its size first: a page scanned finely has more pixels than its modules
// need.
const maxArea = 8 << 20

// reduced looks at a large picture at a smaller size.
func (d *Decoder) reduced(p *plane, until time.Time) []string {
	if p.w*p.h <= maxArea {
		return nil
	}
	for p.w*p.h > maxArea {
		p = p.half()
	}
	return contents(d.search(p, until).found)
}

// merge adds the texts that are new.
func merge(texts, more []string) []string {
	for _, t := range more {
		if !slices.Contains(texts, t) {
			texts = append(texts, t)
		}
	}
	return texts
}

// search runs our own locator over a picture.
func (d *Decoder) search(p *plane, until time.Time) *search {
	s := &search{p: p, now: d.now, until: until, want: d.opt.Symbols, tried: map[[3]int]bool{}}
	s.run()
	return s
}

// crowd is the number of finders from which gozxing is not asked: its time
// grows with their cube, to seconds for a wallpaper of them.
const crowd = 32

// others asks the other decoders, knowing how many finders there seem to be.
func (d *Decoder) others(p *plane, until time.Time, finders int) []string {
	if d.opt.Cascade && finders < crowd {
		if texts := d.cascade(p, until); len(texts) > 0 {
			return texts
		}
	}
	if d.opt.Zbar {
		if texts, err := askZbar(p); err == nil {
			return texts
		}
	}
	return nil
}

// keep remembers where the symbols were, if any were found.
func (d *Decoder) keep(found []finding) {
	if len(found) == 0 {
		return
	}
	d.held = 0
	d.last = d.last[:0]
	for _, f := range found {
		d.last = append(d.last, f.pose)
	}
}

func contents(found []finding) (out []string) {
	for _, f := range found {
		out = append(out, f.text)
	}
	return out
}
