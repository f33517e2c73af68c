package corpus

import (
	"fmt"
	"os"
	"strconv"
	"testing"
)

func TestDump(t *testing.T) {
	dir := os.Getenv("DUMP")
	if dir == "" {
		t.Skip()
	}
	n, _ := strconv.Atoi(os.Getenv("N"))
	for _, c := range Classes {
		for i := range n {
			s := Draw(c, i)
			p, err := s.Picture()
			if err != nil {
				t.Fatal(err)
			}
			name := fmt.Sprintf("%s/%s-%03d", dir, c, i)
			os.WriteFile(name+".pgm", append([]byte(fmt.Sprintf("P5\n%d %d\n255\n", p.Gray.Rect.Dx(), p.Gray.Rect.Dy())), p.Gray.Pix...), 0o600)
			os.WriteFile(name+".txt", []byte(p.Text), 0o600)
			os.WriteFile(name+".next", []byte(p.Next), 0o600)
		}
	}
}
