package envelope

import (
	"encoding/binary"
	"math/bits"
)

// Sizes in the search for what a content repeats.
const (
	shortMatch = 8       // bytes that must agree anywhere: a copy costs about five
	longMatch  = 32      // bytes that find the right one of many similar places
	nearMatch  = 4       // bytes that must agree where the cursor is: such a copy costs one or two
	longStep   = 8       // bytes between entries of the long table
	maxTable   = 1 << 22 // entries of a table
	noPlace    = -1
)

// An index finds earlier places of the base and the content, which follows it, by their first bytes.
type index struct {
	all         []byte
	short, long table
	next        int // the first place that is not yet in the tables
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

func newIndex(all []byte) *index {
	return &index{all: all, short: newTable(2 * len(all)), long: newTable(2 * len(all) / longStep)}
}

// fill puts all places before end into the tables.
func (x *index) fill(end int) {
	for ; x.next < end; x.next++ {
		rest := x.all[x.next:]
		if len(rest) >= shortMatch {
			x.short.places[hashShort(rest)>>x.short.shift] = int32(x.next)
		}
		if x.next%longStep == 0 && len(rest) >= longMatch {
			x.long.places[hashLong(rest)>>x.long.shift] = int32(x.next)
		}
	}
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

// A match is n bytes at at that stand at from as well, both counted from the base's beginning.
type match struct{ at, from, n int }

// matches calls copied, from front to back, for stretches of content that are in the base or
// earlier in the content.
func matches(base, content []byte, copied func(m match)) {
	all := append(base[:len(base):len(base)], content...)
	x := newIndex(all)
	cursor, done := 0, len(base) // behind the last copy: where it came from, and where it went
	for at := len(base); at < len(all); {
		x.fill(at)
		m := x.find(at, done, cursor)
		if m.n == 0 {
			at++
			continue
		}
		copied(m)
		at = m.at + m.n
		done, cursor = at, m.from+m.n
	}
}

// find looks for the longest match at a place: where the cursor would be, had as many bytes been replaced;
// where it is, had they been put in; and where the tables point.
func (x *index) find(at, done, cursor int) (best match) {
	near := cursor - done // from there on the cursor's copies cost least
	better := func(from, least int) {
		m := x.extend(at, done, from)
		if m.n >= least && m.n > best.n && !x.detour(m, near) {
			best = m
		}
	}
	rest := x.all[at:]
	better(at+near, nearMatch)
	better(cursor, shortMatch)
	if len(rest) >= longMatch {
		better(int(x.long.places[hashLong(rest)>>x.long.shift]), longMatch)
	}
	if best.n < longMatch && len(rest) >= shortMatch {
		better(int(x.short.places[hashShort(rest)>>x.short.shift]), shortMatch+2)
	}
	return best
}

// detour reports whether all but a few bytes of a match stand where the cursor is, too: it
// costs less to write those few than to go away and come back.
func (x *index) detour(m match, near int) bool {
	const few = 12
	if m.from == m.at+near {
		return false
	}
	same := 0
	for i := m.at + m.n - 1; i >= m.at && i+near >= 0 && i+near < m.at && x.all[i+near] == x.all[i]; i-- {
		same++
	}
	return same >= nearMatch && m.n-same <= few
}

// extend measures how far two places agree, forwards, and back to what is done. What is copied must stand before it.
func (x *index) extend(at, done, from int) match {
	if from < 0 || from >= at {
		return match{}
	}
	n := agree(x.all[at:], x.all[from:at])
	if n == 0 {
		return match{}
	}
	for at > done && from > 0 && x.all[at-1] == x.all[from-1] {
		at, from, n = at-1, from-1, n+1
	}
	return match{at, from, min(n, at-from)}
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
func coverage(bases [][]byte, base, content []byte) []int {
	used := make([]int, len(bases))
	matches(base, content, func(m match) {
		for i, b := range bases {
			if here := min(m.n, len(b)-m.from); here > 0 {
				used[i] += here
				m.from, m.n = m.from+here, m.n-here
			}
			m.from -= len(b)
		}
	})
	return used
}
