package decode

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"time"
)

// zbarTimeout bounds the child process.
const zbarTimeout = 10 * time.Second

// maxContent is more than any symbol holds: 7,089 digits.
const maxContent = 8 << 10

// zbarPath is where zbarimg is installed, "" if it is not.
var zbarPath = sync.OnceValue(func() string {
	path, err := exec.LookPath("zbarimg")
	if err != nil {
		return ""
	}
	return path
})

// askZbar hands a picture to zbarimg and returns the first symbol it reads.
// It asks for raw bytes: in its text mode zbarimg guesses at character sets.
func askZbar(p *plane) ([]string, error) {
	path := zbarPath()
	if path == "" {
		return nil, exec.ErrNotFound
	}
	ctx, cancel := context.WithTimeout(context.Background(), zbarTimeout)
	defer cancel()
	c := exec.CommandContext(ctx, path, "--nodbus", "--quiet", "--raw", "--oneshot",
		"-Sdisable", "-Sqrcode.enable", "-Sbinary", "pgm:-")
	c.Env = []string{"LC_ALL=C"}
	c.Stdin = io.MultiReader(bytes.NewReader(fmt.Appendf(nil, "P5\n%d %d\n255\n", p.w, p.h)), bytes.NewReader(p.pix))
	var out limited
	c.Stdout = &out
	if err := c.Run(); err != nil {
		return nil, fmt.Errorf("ask zbarimg: %w", err)
	}
	if out.over || len(out.b) == 0 {
		return nil, fmt.Errorf("ask zbarimg: answer of %d bytes", len(out.b))
	}
	return []string{string(out.b)}, nil
}

// limited keeps the child's answer up to maxContent.
type limited struct {
	b    []byte
	over bool
}

func (l *limited) Write(b []byte) (int, error) {
	if len(l.b)+len(b) > maxContent {
		l.over = true
		return len(b), nil
	}
	l.b = append(l.b, b...)
	return len(b), nil
}
