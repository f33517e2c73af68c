package paint

import (
	"bytes"
	"image"
	"image/gif"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"conclave/ceremony/tuf"
	"conclave/transfer/qr/qrtest"
)

// symbols are n symbols of a version with different texts.
func symbols(t testing.TB, n, version int, level Level) (list []*Symbol, texts []string) {
	t.Helper()
	for i := range n {
		text := string(rune('A'+i)) + sample(Capacity(version, level)-1)
		list, texts = append(list, mustEncode(t, text, version, level)), append(texts, text)
	}
	return list, texts
}

func TestOthersReadThePNG(t *testing.T) {
	for _, version := range []int{2, 6, 14, 24, 40} {
		list, texts := symbols(t, 1, version, L)
		path := filepath.Join(t.TempDir(), "one.png")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := PNG(f, list[0]); err != nil {
			t.Fatal(err)
		}
		f.Close()
		if got := qrtest.ZbarFile(t, path); !slices.Equal(got, texts) {
			t.Errorf("version %d: read %.60q", version, got)
		}
	}
}

func TestOthersReadEveryPictureOfTheGIF(t *testing.T) {
	list, texts := symbols(t, 5, 14, L)
	var file bytes.Buffer
	if err := GIF(&file, list, 125*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	anim, err := gif.DecodeAll(&file)
	if err != nil {
		t.Fatal(err)
	}
	var pictures []*image.Gray
	for i, img := range anim.Image {
		pictures = append(pictures, qrtest.Gray(img))
		if anim.Delay[i] != 12 {
			t.Errorf("picture %d is seen for %d hundredths", i, anim.Delay[i])
		}
	}
	if anim.LoopCount != 0 {
		t.Errorf("it stops after %d times", anim.LoopCount)
	}
	for _, r := range qrtest.Readers {
		for i, got := range r.Read(t, pictures) {
			if !slices.Equal(got, texts[i:i+1]) {
				t.Errorf("%s: picture %d: read %.60q", r.Name, i, got)
			}
		}
	}
}

func TestGIFOfDifferentSymbolsIsRefused(t *testing.T) {
	a, _ := symbols(t, 1, 3, L)
	b, _ := symbols(t, 1, 4, L)
	for name, list := range map[string][]*Symbol{"none": nil, "two sizes": append(a, b...)} {
		if err := GIF(&bytes.Buffer{}, list, time.Second); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func sheet(list []*Symbol) Sheet {
	return Sheet{
		Purpose: "Root 5 für \u202eüben\x1b[2J 鍵 release 2.1",
		Name:    "1f3a-99c2",
		Digest:  tuf.DigestOf([]byte("content")),
		Printed: qrtest.Today,
		Symbols: list,
		Enough:  len(list),
	}
}

// Pages are printed and scanned at 150 dots an inch, and read by zbarimg.
func TestOthersReadThePages(t *testing.T) {
	pdftoppm := qrtest.Tool(t, "pdftoppm", "poppler-utils")
	pdftotext := qrtest.Tool(t, "pdftotext", "poppler-utils")
	list, want := symbols(t, PerPage+2, PaperVersion, M)
	dir := t.TempDir()
	path := filepath.Join(dir, "pages.pdf")
	var file bytes.Buffer
	if err := PDF(&file, sheet(list)); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d symbols take %d bytes", len(list), file.Len())
	if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(pdftoppm, "-r", "150", "-gray", path, filepath.Join(dir, "page")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	pages, err := filepath.Glob(filepath.Join(dir, "page-*.pgm"))
	if err != nil || len(pages) != 2 {
		t.Fatalf("there are %d pages, %v", len(pages), err)
	}
	var got []string
	for _, page := range pages {
		got = append(got, qrtest.ZbarFile(t, page)...)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%d of %d symbols were read", len(got), len(want))
	}
	text, err := exec.Command(pdftotext, "-layout", path, "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	words := sheet(list).Digest.Words()
	for _, say := range []string{"Root 5 für .üben.[2J", "Page 1 of 2", "Page 2 of 2", "8 of 8", "1f3a-99c2", words[0] + " " + words[1], words[31], sheet(list).Digest.String()} {
		if !strings.Contains(string(text), say) {
			t.Errorf("the pages do not say %q:\n%s", say, text)
		}
	}
}

func TestTheSamePagesAreTheSameFile(t *testing.T) {
	list, _ := symbols(t, 2, 10, M)
	var a, b bytes.Buffer
	for _, w := range []*bytes.Buffer{&a, &b} {
		if err := PDF(w, sheet(list)); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("they differ")
	}
	if err := PDF(&a, sheet(nil)); err == nil {
		t.Error("a sheet without symbols: no error")
	}
}
