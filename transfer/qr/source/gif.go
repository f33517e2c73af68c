package source

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"io"
)

// Introducers of a GIF's blocks (GIF89a, appendix A).
const (
	gifExtension = 0x21
	gifImage     = 0x2c
	gifTrailer   = 0x3b
	gifControl   = 0xf9 // label of the extension that says how a picture follows the one before
)

// A gifReader decodes an animation one picture at a time: whole animations can be of any size.
type gifReader struct {
	in      *bufio.Reader
	head    []byte // header, screen and global colours
	control []byte // the control extension of the next picture
	canvas  *image.RGBA
	before  *image.RGBA // what a disposal brings back
	left    image.Rectangle
	dispose byte
}

func readGIF(in *bufio.Reader) (reading, error) {
	head := make([]byte, 13)
	if _, err := io.ReadFull(in, head); err != nil {
		return nil, err
	}
	width, height := int(head[6])|int(head[7])<<8, int(head[8])|int(head[9])<<8
	if err := checkSize(width, height); err != nil {
		return nil, err
	}
	if flags := head[10]; flags&0x80 != 0 {
		colours := make([]byte, 3<<(flags&7+1))
		if _, err := io.ReadFull(in, colours); err != nil {
			return nil, err
		}
		head = append(head, colours...)
	}
	canvas := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.Draw(canvas, canvas.Rect, image.White, image.Point{}, draw.Src)
	g := &gifReader{in: in, head: head, canvas: canvas}
	return nexter(g.next), nil
}

func (g *gifReader) next(context.Context) (*image.Gray, error) {
	for {
		kind, err := g.in.ReadByte()
		if err != nil {
			return nil, cutOff(err)
		}
		switch kind {
		case gifTrailer:
			return nil, io.EOF
		case gifExtension:
			if err := g.extension(); err != nil {
				return nil, cutOff(err)
			}
		case gifImage:
			packed, err := g.picture()
			if err != nil {
				return nil, cutOff(err)
			}
			return g.show(packed)
		default:
			return nil, fmt.Errorf("byte %#x begins no block of a GIF", kind)
		}
	}
}

func (g *gifReader) extension() error {
	label, err := g.in.ReadByte()
	if err != nil {
		return err
	}
	blocks, err := g.blocks([]byte{gifExtension, label})
	if err == nil && label == gifControl {
		g.control = blocks
	}
	return err
}

// blocks appends sub-blocks up to the empty one that ends them.
func (g *gifReader) blocks(b []byte) ([]byte, error) {
	for len(b) <= maxPacked {
		n, err := g.in.ReadByte()
		if err != nil {
			return nil, err
		}
		b = append(b, n)
		if n == 0 {
			return b, nil
		}
		start := len(b)
		b = append(b, make([]byte, n)...)
		if _, err := io.ReadFull(g.in, b[start:]); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("a picture of more than %d bytes", maxPacked)
}

// picture makes a GIF of the next picture alone.
func (g *gifReader) picture() ([]byte, error) {
	b := append(bytes.Clone(g.head), g.control...)
	b = append(b, gifImage)
	head := make([]byte, 9)
	if _, err := io.ReadFull(g.in, head); err != nil {
		return nil, err
	}
	b = append(b, head...)
	rest := 1 // the size of LZW's codes
	if flags := head[8]; flags&0x80 != 0 {
		rest += 3 << (flags&7 + 1)
	}
	start := len(b)
	b = append(b, make([]byte, rest)...)
	if _, err := io.ReadFull(g.in, b[start:]); err != nil {
		return nil, err
	}
	b, err := g.blocks(b)
	return append(b, gifTrailer), err
}

// show puts a picture onto the canvas, after the one before has been disposed of as it wanted.
func (g *gifReader) show(packed []byte) (*image.Gray, error) {
	g.control = nil
	one, err := gif.DecodeAll(bytes.NewReader(packed))
	if err != nil {
		return nil, &damage{err}
	}
	if len(one.Image) != 1 {
		return nil, &damage{errors.New("it is no single picture")}
	}
	switch g.dispose {
	case gif.DisposalBackground:
		draw.Draw(g.canvas, g.left, image.NewUniform(color.White), image.Point{}, draw.Src)
	case gif.DisposalPrevious:
		draw.Draw(g.canvas, g.left, g.before, g.left.Min, draw.Src)
	}
	img := one.Image[0]
	g.dispose, g.left = one.Disposal[0], img.Rect
	if g.dispose == gif.DisposalPrevious {
		g.before = image.NewRGBA(g.canvas.Rect)
		copy(g.before.Pix, g.canvas.Pix)
	}
	draw.Draw(g.canvas, img.Rect, img, img.Rect.Min, draw.Over)
	return Gray(g.canvas), nil
}
