package envelope

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"io"
)

// A patch rebuilds a file from a base. It is made for metadata: documents that
// keep their order, in which hashes and signatures change. It is
//
//	1 byte   0, or 1 where steps and text are deflated
//	varint   bytes of steps, as they are before deflating
//	varint   bytes of text, likewise
//	         steps and text, deflated together or not (then after a varint with their deflated length)
//	         hex: every pair of lower-case hex digits in a byte
//
// A step is a varint: (n-1)·4 and what to do:
//
//	0  take n bytes of text
//	1  take n bytes of hex and write them as 2n digits
//	2  copy n bytes from where the cursor is, in the base or in what was written, which follows it
//	3  the same, after moving the cursor by a signed varint that follows
//
// In front of the base stands the skeleton. The cursor starts at 0. Every step moves it behind what it wrote, also where
// that came from elsewhere: what was replaced by as many bytes costs nothing.
const (
	takeText = iota
	takeHex
	copyHere
	copyThere
)

// A patcher writes the three streams of a patch.
type patcher struct {
	steps, text, hex []byte
	cursor           int
}

// underBases is what a patch copies from: the skeleton and all bases.
func underBases(bases ...[]byte) []byte {
	return append([]byte(skeleton), bytes.Join(bases, nil)...)
}

// patch makes the patch that turns base, which begins with the skeleton, into content.
func patch(base, content []byte) []byte {
	p := new(patcher)
	done := 0
	matches(base, content, func(m match) {
		at := m.at - len(base)
		p.literal(content[done:at])
		p.copy(m.from, m.n)
		done = at + m.n
	})
	p.literal(content[done:])
	return p.bytes()
}

func (p *patcher) step(what, n int) {
	p.steps = binary.AppendUvarint(p.steps, uint64(n-1)<<2|uint64(what))
}

func (p *patcher) copy(from, n int) {
	if from == p.cursor {
		p.step(copyHere, n)
	} else {
		p.step(copyThere, n)
		p.steps = binary.AppendVarint(p.steps, int64(from-p.cursor))
	}
	p.cursor = from + n
}

// minHex is how many digits in a row are worth a step of their own.
const minHex = 12

// literal writes what the base does not have, hex digits apart from text.
func (p *patcher) literal(b []byte) {
	p.cursor += len(b)
	text := 0
	for i := 0; i < len(b); {
		n := hexRun(b[i:])
		if n < minHex {
			i += max(n, 1)
			continue
		}
		n &^= 1
		p.takeText(b[text:i])
		p.step(takeHex, n/2)
		for j := i; j < i+n; j += 2 {
			p.hex = append(p.hex, nibble(b[j])<<4|nibble(b[j+1]))
		}
		i += n
		text = i
	}
	p.takeText(b[text:])
}

func (p *patcher) takeText(b []byte) {
	if len(b) > 0 {
		p.step(takeText, len(b))
		p.text = append(p.text, b...)
	}
}

func hexRun(b []byte) int {
	for i, c := range b {
		if !isHex(c) {
			return i
		}
	}
	return len(b)
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' }

func nibble(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c - 'a' + 10
}

func (p *patcher) bytes() []byte {
	plain := append(bytes.Clone(p.steps), p.text...)
	head := func(deflated byte) []byte {
		return binary.AppendUvarint(binary.AppendUvarint([]byte{deflated}, uint64(len(p.steps))), uint64(len(p.text)))
	}
	whole := append(head(0), plain...)
	packed := deflated(plain)
	if small := append(binary.AppendUvarint(head(1), uint64(len(packed))), packed...); len(small) < len(whole) {
		whole = small
	}
	return append(whole, p.hex...)
}

func deflated(b []byte) []byte {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestCompression)
	if err != nil {
		panic(err) // the level is a constant
	}
	_, _ = w.Write(b) // a bytes.Buffer takes everything
	_ = w.Close()
	return out.Bytes()
}

// inflated unpacks exactly n bytes.
func inflated(b []byte, n int) ([]byte, error) {
	in := bytes.NewReader(b)
	out, err := io.ReadAll(io.LimitReader(flate.NewReader(in), int64(n)+1))
	if err != nil || len(out) != n || in.Len() > 0 {
		return nil, formatError("its deflated part is damaged")
	}
	return out, nil
}

// unpatch rebuilds a content of length bytes from base, which begins with the skeleton.
func unpatch(base, raw []byte, length int) ([]byte, error) {
	r := reader{rest: raw}
	packed := r.byte()
	nsteps, ntext := int(r.varint(MaxContent)), int(r.varint(MaxContent))
	if r.err == nil && packed > 1 {
		return nil, formatError("its patch is of an unknown form")
	}
	size := nsteps + ntext
	if packed == 1 {
		size = int(r.varint(MaxContent))
	}
	plain := r.take(size)
	if r.err != nil {
		return nil, r.err
	}
	if packed == 1 {
		var err error
		if plain, err = inflated(plain, nsteps+ntext); err != nil {
			return nil, err
		}
	}
	b := builder{base: base, steps: reader{rest: plain[:nsteps]}, text: reader{rest: plain[nsteps:]}, hex: reader{rest: r.rest}, length: length}
	return b.build()
}

// A builder follows the steps of a patch.
type builder struct {
	base             []byte
	steps, text, hex reader
	length           int
	cursor           int64
	out              []byte
}

func (b *builder) build() ([]byte, error) {
	for len(b.out) < b.length {
		if err := b.step(); err != nil {
			return nil, err
		}
	}
	if len(b.steps.rest)+len(b.text.rest)+len(b.hex.rest) > 0 {
		return nil, formatError("its patch goes on after the end")
	}
	return b.out, nil
}

func (b *builder) step() error {
	step := b.steps.varint(4 * MaxContent)
	n, what := int(step>>2)+1, step&3
	if what == copyThere {
		b.cursor += unzigzag(b.steps.varint(4 * MaxBase))
	}
	if b.steps.err != nil {
		return b.steps.err
	}
	written := n
	if what == takeHex {
		written = 2 * n
	}
	if written > b.length-len(b.out) {
		return formatError("its patch makes more than the %d bytes that it announces", b.length)
	}
	switch what {
	case takeText:
		b.out = append(b.out, b.text.take(n)...)
	case takeHex:
		b.writeHex(n)
	default:
		if b.cursor < 0 || b.cursor+int64(n) > int64(len(b.base)+len(b.out)) {
			return formatError("its patch copies from where nothing is")
		}
		b.copy(int(b.cursor), n)
	}
	b.cursor += int64(written)
	if b.text.err != nil {
		return b.text.err
	}
	return b.hex.err
}

// copy copies n bytes, some or all of them from the base.
func (b *builder) copy(from, n int) {
	if from < len(b.base) {
		here := min(n, len(b.base)-from)
		b.out = append(b.out, b.base[from:from+here]...)
		from, n = from+here, n-here
	}
	if n > 0 {
		from -= len(b.base)
		b.out = append(b.out, b.out[from:from+n]...)
	}
}

func (b *builder) writeHex(n int) {
	const digits = "0123456789abcdef"
	for _, c := range b.hex.take(n) {
		b.out = append(b.out, digits[c>>4], digits[c&15])
	}
}

// unzigzag is the signed number that binary.AppendVarint wrote.
func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }
