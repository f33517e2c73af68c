package source

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"strconv"
	"strings"
)

// readPGM reads grey pictures in netpbm's binary form, one after the other.
func readPGM(in *bufio.Reader) (reading, error) {
	return nexter(func(context.Context) (*image.Gray, error) {
		var magic [2]byte
		if n, err := io.ReadFull(in, magic[:]); err != nil {
			if n == 0 {
				return nil, io.EOF
			}
			return nil, cutOff(err)
		}
		if string(magic[:]) != "P5" {
			return nil, fmt.Errorf("%q begins no grey picture", magic)
		}
		var size [3]int // width, height, white
		for i := range size {
			n, err := pgmNumber(in)
			if err != nil {
				return nil, cutOff(err)
			}
			size[i] = n
		}
		if size[2] != 255 {
			return nil, fmt.Errorf("a picture with %d levels of grey, not 255", size[2])
		}
		return plane(in, size[0], size[1])
	}), nil
}

// pgmNumber reads a number behind white space and comments, and the one character after it.
func pgmNumber(in *bufio.Reader) (int, error) {
	const digits = 9
	var text []byte
	for comment := false; len(text) <= digits; {
		c, err := in.ReadByte()
		switch {
		case err != nil:
			return 0, err
		case c == '#' && len(text) == 0:
			comment = true
		case comment:
			comment = c != '\n'
		case c >= '0' && c <= '9':
			text = append(text, c)
		case !strings.ContainsRune(" \t\r\n", rune(c)):
			return 0, fmt.Errorf("byte %#x stands where a number must", c)
		case len(text) > 0:
			return strconv.Atoi(string(text))
		}
	}
	return 0, fmt.Errorf("the number %s is too large", text)
}

// plane reads a picture of one byte a pixel.
func plane(in io.Reader, width, height int) (*image.Gray, error) {
	if err := checkSize(width, height); err != nil {
		return nil, err
	}
	img := image.NewGray(image.Rect(0, 0, width, height))
	if _, err := io.ReadFull(in, img.Pix); err != nil {
		return nil, cutOff(err)
	}
	return img, nil
}

// readY4M reads the uncompressed streams that video programs exchange. Only the brightness is looked at.
func readY4M(in *bufio.Reader) (reading, error) {
	head, err := y4mLine(in)
	if err != nil {
		return nil, err
	}
	width, height, colour := 0, 0, "420"
	for _, field := range strings.Fields(head)[1:] {
		switch field[0] {
		case 'W':
			width, err = strconv.Atoi(field[1:])
		case 'H':
			height, err = strconv.Atoi(field[1:])
		case 'C':
			colour = field[1:]
		}
		if err != nil {
			return nil, err
		}
	}
	if err := checkSize(width, height); err != nil {
		return nil, err
	}
	skip, err := chroma(colour, width, height)
	if err != nil {
		return nil, err
	}
	return nexter(func(context.Context) (*image.Gray, error) {
		if _, err := in.Peek(1); err != nil {
			return nil, err
		}
		line, err := y4mLine(in)
		if err != nil {
			return nil, cutOff(err)
		}
		if line != "FRAME" && !strings.HasPrefix(line, "FRAME ") {
			return nil, fmt.Errorf("%.20q begins no picture", line)
		}
		img, err := plane(in, width, height)
		if err != nil {
			return nil, err
		}
		if _, err := in.Discard(skip); err != nil {
			return nil, cutOff(err)
		}
		return img, nil
	}), nil
}

// chroma is how many bytes of colour follow the brightness.
func chroma(kind string, width, height int) (int, error) {
	switch {
	case strings.Contains(kind, "p1"):
		return 0, fmt.Errorf("pictures of more than 8 bits (%s) are not read", kind)
	case strings.HasPrefix(kind, "420"):
		return 2 * ((width + 1) / 2) * ((height + 1) / 2), nil
	case strings.HasPrefix(kind, "422"):
		return 2 * ((width + 1) / 2) * height, nil
	case kind == "444":
		return 2 * width * height, nil
	case kind == "mono":
		return 0, nil
	}
	return 0, fmt.Errorf("the colours %q are not known", kind)
}

// y4mLine reads a line of at most some hundred bytes.
func y4mLine(in *bufio.Reader) (string, error) {
	const limit = 256
	var line []byte
	for len(line) < limit {
		c, err := in.ReadByte()
		if err != nil {
			return "", err
		}
		if c == '\n' {
			return string(line), nil
		}
		line = append(line, c)
	}
	return "", errors.New("a line that does not end")
}
