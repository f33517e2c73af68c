package ur

import (
	"encoding/hex"
	"fmt"
	"slices"
	"testing"
)

// The numbers and texts in this file are the published test vectors of
// BCR-2020-005, BCR-2020-012 and BCR-2024-001.

// wolf is the message that the published vectors use: bytes drawn with the seed "Wolf".
func wolf(n int) []byte {
	r := newRandom([]byte("Wolf"))
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(r.below(256))
	}
	return out
}

func TestBytewordsAreThePublishedOnes(t *testing.T) {
	const want = "aeadaolazmjendeoti"
	if got := Bytewords([]byte{0, 1, 2, 128, 255}); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	got, err := ParseBytewords("AEADAOLAZMJENDEOTI")
	if err != nil || !slices.Equal(got, []byte{0, 1, 2, 128, 255}) {
		t.Errorf("read %v, %v", got, err)
	}
}

func TestRandomNumbersAreThePublishedOnes(t *testing.T) {
	r := newRandom([]byte("Wolf"))
	for i, want := range []uint64{42, 81, 85, 8, 82, 84, 76, 73, 70, 88, 2, 74, 40, 48, 77, 54, 88, 7, 5, 88} {
		if got := r.next() % 100; got != want {
			t.Fatalf("number %d is %d, want %d", i, got, want)
		}
	}
}

func TestDegreesAreThePublishedOnes(t *testing.T) {
	m := newMixer(Stream{Fragments: 11})
	want := []int{11, 3, 6, 5, 2, 1, 2, 11, 1, 3, 9, 10, 10, 4, 2, 1, 1, 2, 1, 1}
	for i, d := range want {
		if got := m.degrees.draw(newRandom(fmt.Appendf(nil, "Wolf-%d", i+1))) + 1; got != d {
			t.Fatalf("degree %d is %d, want %d", i+1, got, d)
		}
	}
}

func TestFragmentSizesAreThePublishedOnes(t *testing.T) {
	for limit, want := range map[int]int{1955: 1764, 30000: 12345} {
		if got := evenSize(12345, limit); got != want {
			t.Errorf("up to %d: %d, want %d", limit, got, want)
		}
	}
}

func TestFragmentsOfPartsAreThePublishedOnes(t *testing.T) {
	e, err := NewEncoder(wolf(1024), 100)
	if err != nil {
		t.Fatal(err)
	}
	for seq, want := range map[uint32][]uint16{
		1: {0}, 11: {10}, 12: {9}, 13: {2, 5, 6, 8, 9, 10}, 15: {1, 5}, 17: {0, 2, 4, 5, 8, 10}, 30: {7},
	} {
		got := slices.Sorted(slices.Values(e.mixer.choose(seq)))
		if !slices.Equal(got, want) {
			t.Errorf("part %d is of %v, want %v", seq, got, want)
		}
	}
}

func TestPartsAreThePublishedOnes(t *testing.T) {
	e, err := NewEncoder(wolf(256), 30)
	if err != nil {
		t.Fatal(err)
	}
	const want = "850c091901001a0167aa07581ddd7bf725ea6c16d531b5f03254783803048ca08b87148daacd1cd7a006"
	if got := hex.EncodeToString(e.Part(12).CBOR()); got != want {
		t.Errorf("part 12 is %s, want %s", got, want)
	}
	e, err = NewEncoder(WrapBytes(wolf(256)), 30)
	if err != nil {
		t.Fatal(err)
	}
	for seq, want := range map[uint32]string{
		1:  "lpadascfadaxcywenbpljkhdcahkadaemejtswhhylkepmykhhtsytsnoyoyaxaedsuttydmmhhpktpmsrjtdkgslpgh",
		17: "lpbyascfadaxcywenbpljkhdcamklgftaxykpewyrtqzhydntpnytyisincxmhtbceaykolduortotiaiaiafhiaoyce",
		20: "lpbbascfadaxcywenbpljkhdcayapmrleeleaxpasfrtrdkncffwjyjzgyetdmlewtkpktgllepfrltataztksmhkbot",
	} {
		if got := Bytewords(e.Part(seq).CBOR()); got != want {
			t.Errorf("part %d is %s, want %s", seq, got, want)
		}
	}
}
