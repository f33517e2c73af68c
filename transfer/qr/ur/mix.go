package ur

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

// random is xoshiro256**, seeded as BCR-2024-001 says: with the SHA-256 of the seed.
type random [4]uint64

func newRandom(seed []byte) *random {
	var r random
	sum := sha256.Sum256(seed)
	for i := range r {
		r[i] = binary.BigEndian.Uint64(sum[8*i:])
	}
	return &r
}

func (r *random) next() uint64 {
	out := bits.RotateLeft64(r[1]*5, 7) * 9
	t := r[1] << 17
	r[2] ^= r[0]
	r[3] ^= r[1]
	r[1] ^= r[2]
	r[0] ^= r[3]
	r[2] ^= t
	r[3] = bits.RotateLeft64(r[3], 45)
	return out
}

// unit is from 0 to below 1, but for values that round up.
func (r *random) unit() float64 { return float64(r.next()) / (1 << 64) }

// below is from 0 to n-1.
func (r *random) below(n int) int { return min(int(r.unit()*float64(n)), n-1) }

// A sampler draws from a discrete distribution in constant time (Walker's alias
// method, in Vose's form). The order of its two lists is part of the standard.
type sampler struct {
	stay  []float64 // chance of staying at i, once i is drawn
	alias []int     // where to go otherwise
}

func newSampler(weights []float64) *sampler {
	n := len(weights)
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	share := make([]float64, n)
	var small, large []int
	for i := n - 1; i >= 0; i-- {
		share[i] = weights[i] * float64(n) / sum
		if share[i] < 1 {
			small = append(small, i)
		} else {
			large = append(large, i)
		}
	}
	s := &sampler{make([]float64, n), make([]int, n)}
	for len(small) > 0 && len(large) > 0 {
		lo, hi := pop(&small), pop(&large)
		s.stay[lo], s.alias[lo] = share[lo], hi
		share[hi] += share[lo] - 1
		if share[hi] < 1 {
			small = append(small, hi)
		} else {
			large = append(large, hi)
		}
	}
	for _, i := range append(large, small...) { // what rounding left over in small is as good as 1
		s.stay[i] = 1
	}
	return s
}

func pop(list *[]int) int {
	last := len(*list) - 1
	v := (*list)[last]
	*list = (*list)[:last]
	return v
}

func (s *sampler) draw(r *random) int {
	column, toss := r.unit(), r.unit()
	i := min(int(float64(len(s.stay))*column), len(s.stay)-1)
	if toss < s.stay[i] {
		return i
	}
	return s.alias[i]
}

// A mixer says which fragments are in a part.
type mixer struct {
	k       int
	sum     uint32
	degrees *sampler
	deck    []uint16 // scratch
}

func newMixer(s Stream) *mixer {
	weights := make([]float64, s.Fragments)
	for i := range weights {
		weights[i] = 1 / float64(i+1)
	}
	return &mixer{s.Fragments, s.Sum, newSampler(weights), make([]uint16, s.Fragments)}
}

// start is the random source of a mixed part, and how many fragments it has.
func (m *mixer) start(seq uint32) (r *random, degree int) {
	seed := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, seq), m.sum)
	r = newRandom(seed)
	return r, m.degrees.draw(r) + 1
}

// degree is how many fragments are in part seq.
func (m *mixer) degree(seq uint32) int {
	if seq <= uint32(m.k) {
		return 1
	}
	_, d := m.start(seq)
	return d
}

// choose lists the fragments, from 0, that are in part seq. The list is good until the next call.
func (m *mixer) choose(seq uint32) []uint16 {
	if seq <= uint32(m.k) {
		return append(m.deck[:0], uint16(seq-1))
	}
	r, degree := m.start(seq)
	for i := range m.deck {
		m.deck[i] = uint16(i)
	}
	// The standard deals cards from a shrinking deck, and the deck keeps its
	// order. Dealt cards go to the front, so that no second list is needed.
	for dealt := range degree {
		rest := m.deck[dealt:]
		i := r.below(len(rest))
		card := rest[i]
		copy(rest[1:i+1], rest[:i])
		rest[0] = card
	}
	return m.deck[:degree]
}

// mix gives the weight of every fragment in a part.
func (m *mixer) mix(p Part) []byte {
	if p.Weighted && p.Seq > uint32(m.k) {
		return m.weights(p.Seq)
	}
	mix := make([]byte, m.k)
	for _, i := range m.choose(p.Seq) {
		mix[i] = 1
	}
	return mix
}

// weights are those of a weighted part: none is zero, so that whoever lacks one fragment needs only one of them.
func (m *mixer) weights(seq uint32) []byte {
	seed := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte("weighted"), seq), m.sum)
	r := newRandom(seed)
	list := make([]byte, 0, m.k+7)
	for len(list) < m.k {
		list = binary.LittleEndian.AppendUint64(list, r.next())
	}
	list = list[:m.k]
	for i, w := range list {
		list[i] = w%255 + 1
	}
	return list
}
