package envelope

import (
	"encoding/binary"
	"math/bits"
)

// Sizes in the search for what base and content have in common.
const (
	shortMatch = 8       // bytes that must agree anywhere in the base: a copy costs about six
	longMatch  = 32      // bytes that find the right one of many similar places
	nearMatch  = 4       // bytes that must agree where the cursor is: such a copy costs one
	longStep   = 8       // bytes between entries of the long table
	maxTable   = 1 << 22 // entries of a table
	noPlace    = -1
)

// An index finds places in a base by their first bytes.
type index struct {
	base        []byte
	short, long table
}

type table struct {
	places []int32
	shift  int
}

func newTable(entries int) table {
	size := bits.Len(uint(min(max(entries, 256), maxTable) - 1))
	t := table{make([]int32, 1<<size), 64 - size}
	for i := range t.places {
		t.places[i] = noPlace
	}
	return t
}

func newIndex(base []byte) *index {
	x := &index{base, newTable(2 * len(base)), newTable(2 * len(base) / longStep)}
	for i := 0; i+shortMatch <= len(base); i++ {
		x.short.places[hashShort(base[i:])>>x.short.shift] = int32(i)
	}
	for i := 0; i+longMatch <= len(base); i += longStep {
		x.long.places[hashLong(base[i:])>>x.long.shift] = int32(i)
	}
	return x
}

const prime = 0x9e3779b185ebca87

func hashShort(b []byte) uint64 { return binary.LittleEndian.Uint64(b) * prime }

func hashLong(b []byte) uint64 {
	h := uint64(0)
	for i := 0; i < longMatch; i += 8 {
		h = (bits.RotateLeft64(h, 29) ^ binary.LittleEndian.Uint64(b[i:])) * prime
	}
	return h
}

// matches calls copied, from front to back, for stretches of content that are in the base.
func matches(base, content []byte, copied func(at, from, n int)) {
	x := newIndex(base)
	cursor, done := 0, 0 // behind the last copy, in base and content
	for at := 0; at < len(content); {
		m := x.find(content, at, done, cursor)
		if m.n == 0 {
			at++
			continue
		}
		copied(m.at, m.from, m.n)
		at = m.at + m.n
		done, cursor = at, m.from+m.n
	}
}

// A match is n bytes of the content at at that are in the base at from.
type match struct{ at, from, n int }

// find looks for the longest match at a place: where the cursor would be, had as many bytes been replaced;
// where it is, had they been put in; and where the tables point.
func (x *index) find(content []byte, at, done, cursor int) (best match) {
	better := func(from, least int) {
		if from == noPlace {
			return
		}
		m := x.extend(content, at, done, from)
		if m.n >= least && m.n > best.n {
			best = m
		}
	}
	better(cursor+at-done, nearMatch)
	better(cursor, shortMatch)
	if at+longMatch <= len(content) {
		better(int(x.long.places[hashLong(content[at:])>>x.long.shift]), longMatch)
	}
	if best.n < longMatch && at+shortMatch <= len(content) {
		better(int(x.short.places[hashShort(content[at:])>>x.short.shift]), shortMatch+2)
	}
	return best
}

// extend measures how far base and content agree, from a place on and before it, back to what is done.
func (x *index) extend(content []byte, at, done, from int) match {
	if from < 0 || from >= len(x.base) {
		return match{}
	}
	n := agree(content[at:], x.base[from:])
	if n == 0 {
		return match{}
	}
	for at > done && from > 0 && content[at-1] == x.base[from-1] {
		at, from, n = at-1, from-1, n+1
	}
	return match{at, from, n}
}

// agree is how many first bytes are the same.
func agree(a, b []byte) int {
	n := min(len(a), len(b))
	i := 0
	for ; i+8 <= n; i += 8 {
		if diff := binary.LittleEndian.Uint64(a[i:]) ^ binary.LittleEndian.Uint64(b[i:]); diff != 0 {
			return i + bits.TrailingZeros64(diff)/8
		}
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

// coverage is how many bytes of content would be copied from each base.
func coverage(bases [][]byte, content []byte) []int {
	var base []byte
	for _, b := range bases {
		base = append(base, b...)
	}
	used := make([]int, len(bases))
	matches(base, content, func(_, from, n int) {
		for i, b := range bases {
			if from < len(b) {
				used[i] += min(n, len(b)-from)
				n -= min(n, len(b)-from)
				from = 0
				if n == 0 {
					return
				}
				continue
			}
			from -= len(b)
		}
	})
	return used
}
