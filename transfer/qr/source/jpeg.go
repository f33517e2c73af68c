package source

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
)

// Markers of JPEG (ITU-T T.81, table B.1), all after 0xff.
const (
	markSOI  = 0xd8 // a picture begins
	markEOI  = 0xd9 // and ends
	markSOS  = 0xda // packed data follows the segment
	markDHT  = 0xc4 // Huffman tables
	markTEM  = 0x01
	markRST0 = 0xd0 // to 0xd7: between pieces of packed data
)

// readJPEG reads pictures that stand one after the other; one alone is such a row, too.
func readJPEG(in *bufio.Reader) (reading, error) {
	return nexter(func(context.Context) (*image.Gray, error) {
		packed, err := cutJPEG(in)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, err
		}
		if err != nil {
			return nil, &damage{err} // the next picture has its own beginning
		}
		img, err := decodeJPEG(packed)
		if err != nil {
			return nil, &damage{err}
		}
		return img, nil
	}), nil
}

// cutJPEG takes the next picture off a row of them. What stands in between is thrown away.
func cutJPEG(in *bufio.Reader) ([]byte, error) {
	if err := seekSOI(in); err != nil {
		return nil, err
	}
	picture := []byte{0xff, markSOI}
	for len(picture) <= maxPacked {
		marker, err := nextMarker(in)
		if err != nil {
			return nil, cutOff(err)
		}
		picture = append(picture, 0xff, marker)
		switch {
		case marker == markEOI:
			return picture, nil
		case marker == markTEM || marker >= markRST0 && marker <= markSOI:
			continue
		}
		if picture, err = takeSegment(in, picture); err != nil {
			return nil, cutOff(err)
		}
		if marker == markSOS {
			if picture, err = takeScan(in, picture); err != nil {
				return nil, cutOff(err)
			}
		}
	}
	return nil, fmt.Errorf("a picture of more than %d bytes", maxPacked)
}

func cutOff(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("a picture is cut off: %w", io.ErrUnexpectedEOF)
	}
	return err
}

// seekSOI goes on to behind the next beginning of a picture.
func seekSOI(in *bufio.Reader) error {
	before := byte(0)
	for {
		c, err := in.ReadByte()
		if err != nil {
			return err
		}
		if before == 0xff && c == markSOI {
			return nil
		}
		before = c
	}
}

// nextMarker reads a marker; any number of 0xff may stand in front of it.
func nextMarker(in *bufio.Reader) (byte, error) {
	c, err := in.ReadByte()
	if err == nil && c != 0xff {
		return 0, fmt.Errorf("byte %#x stands where a marker must", c)
	}
	for err == nil && c == 0xff {
		c, err = in.ReadByte()
	}
	return c, err
}

// takeSegment reads a segment with its length.
func takeSegment(in *bufio.Reader, picture []byte) ([]byte, error) {
	var head [2]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return nil, err
	}
	n := int(head[0])<<8 | int(head[1])
	if n < 2 {
		return nil, fmt.Errorf("a segment of %d bytes", n)
	}
	picture = append(picture, head[:]...)
	start := len(picture)
	picture = append(picture, make([]byte, n-2)...)
	_, err := io.ReadFull(in, picture[start:])
	return picture, err
}

// takeScan reads packed data up to the next marker, which it leaves.
func takeScan(in *bufio.Reader, picture []byte) ([]byte, error) {
	for len(picture) <= maxPacked {
		two, err := in.Peek(2)
		if err != nil {
			return nil, err
		}
		if two[0] == 0xff && two[1] != 0 && (two[1] < markRST0 || two[1] >= markSOI) {
			return picture, nil
		}
		picture = append(picture, two[0])
		if _, err := in.Discard(1); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("a picture of more than %d bytes", maxPacked)
}

// decodeJPEG reads one picture. Cameras leave the Huffman tables out where they are the usual ones.
func decodeJPEG(packed []byte) (*image.Gray, error) {
	return decodeStill(withTables(packed), jpeg.DecodeConfig, jpeg.Decode)
}

// withTables puts the standard Huffman tables into a picture that has none.
func withTables(packed []byte) []byte {
	for i := 2; i+4 <= len(packed) && packed[i] == 0xff; {
		switch marker := packed[i+1]; marker {
		case 0xff:
			i++
			continue
		case markDHT:
			return packed
		case markSOS:
			whole := append(make([]byte, 0, len(packed)+len(standardTables)), packed[:i]...)
			return append(append(whole, standardTables...), packed[i:]...)
		}
		i += 2 + int(packed[i+2])<<8 | int(packed[i+3])
	}
	return packed
}

// standardTables are the four tables of ITU-T T.81, annex K.3, as a segment.
var standardTables = func() []byte {
	tables := []struct {
		id     byte
		counts [16]byte // codes of each length
		values []byte
	}{
		{0x00, [16]byte{0, 1, 5, 1, 1, 1, 1, 1, 1}, upTo(11)},
		{0x10, [16]byte{0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7d}, acLuma},
		{0x01, [16]byte{0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1}, upTo(11)},
		{0x11, [16]byte{0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77}, acChroma},
	}
	var body []byte
	for _, t := range tables {
		body = append(append(append(body, t.id), t.counts[:]...), t.values...)
	}
	n := len(body) + 2
	return append([]byte{0xff, markDHT, byte(n >> 8), byte(n)}, body...)
}()

// upTo lists 0 to n, the categories of the differences between blocks.
func upTo(n byte) (list []byte) {
	for i := range n + 1 {
		list = append(list, i)
	}
	return list
}

// acLuma and acChroma are the run and size of what is within a block (T.81, tables K.5 and K.6).
var (
	acLuma = []byte{
		0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07,
		0x22, 0x71, 0x14, 0x32, 0x81, 0x91, 0xa1, 0x08, 0x23, 0x42, 0xb1, 0xc1, 0x15, 0x52, 0xd1, 0xf0,
		0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0a, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x25, 0x26, 0x27, 0x28,
		0x29, 0x2a, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49,
		0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69,
		0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89,
		0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7,
		0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3, 0xc4, 0xc5,
		0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe1, 0xe2,
		0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8,
		0xf9, 0xfa,
	}
	acChroma = []byte{
		0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71,
		0x13, 0x22, 0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xa1, 0xb1, 0xc1, 0x09, 0x23, 0x33, 0x52, 0xf0,
		0x15, 0x62, 0x72, 0xd1, 0x0a, 0x16, 0x24, 0x34, 0xe1, 0x25, 0xf1, 0x17, 0x18, 0x19, 0x1a, 0x26,
		0x27, 0x28, 0x29, 0x2a, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48,
		0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68,
		0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87,
		0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5,
		0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3,
		0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda,
		0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8,
		0xf9, 0xfa,
	}
)
