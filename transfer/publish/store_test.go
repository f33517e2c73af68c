package publish_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"conclave/transfer/publish"
)

func newFolder(t testing.TB) *publish.Folder {
	t.Helper()
	f, err := publish.NewFolder(filepath.Join(t.TempDir(), "store"))
	must(t, err)
	return f
}

func get(t testing.TB, s publish.Store, name string) (string, publish.ETag) {
	t.Helper()
	var b bytes.Buffer
	etag, err := s.Get(context.Background(), name, &b)
	must(t, err)
	return b.String(), etag
}

func TestPutNewCreatesAndNeverReplaces(t *testing.T) {
	f, ctx := newFolder(t), context.Background()
	must(t, f.PutNew(ctx, "a/b/c", publish.Bytes([]byte("one"))))
	must(t, f.PutNew(ctx, "a/b/c", publish.Bytes([]byte("one"))))
	if err := f.PutNew(ctx, "a/b/c", publish.Bytes([]byte("two"))); !errors.Is(err, publish.ErrExists) {
		t.Errorf("error is %v", err)
	}
	if got, _ := get(t, f, "a/b/c"); got != "one" {
		t.Errorf("it holds %q", got)
	}
	if _, err := f.Get(ctx, "a/b/d", io.Discard); !errors.Is(err, publish.ErrNotFound) {
		t.Errorf("error is %v", err)
	}
}

func TestPutNewStoresNothingThatIsNotWhatItClaims(t *testing.T) {
	f, ctx := newFolder(t), context.Background()
	digest := sha256.Sum256([]byte("content"))
	for name, c := range map[string]publish.Content{
		"shorter":    content("conten", 7, digest),
		"longer":     content("contents", 7, digest),
		"other":      content("CONTENT", 7, digest),
		"unreadable": {Length: 7, SHA256: digest, Open: func() (io.ReadCloser, error) { return nil, os.ErrPermission }},
	} {
		if err := f.PutNew(ctx, "metadata/"+name, c); err == nil {
			t.Errorf("%s content was stored", name)
		}
	}
	if files := list(t, f.Dir()); len(files) > 0 {
		t.Errorf("the store holds %v", files)
	}
}

func content(s string, length int64, digest [32]byte) publish.Content {
	return publish.Content{Length: length, SHA256: digest, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(s)), nil
	}}
}

func TestPutIfSwapsOnlyWhatWasSeen(t *testing.T) {
	f, ctx := newFolder(t), context.Background()
	if _, err := f.PutIf(ctx, "t", []byte("1"), "something"); !errors.Is(err, publish.ErrChanged) {
		t.Errorf("replaced nothing: %v", err)
	}
	first, err := f.PutIf(ctx, "t", []byte("1"), publish.Absent)
	must(t, err)
	if _, err := f.PutIf(ctx, "t", []byte("2"), publish.Absent); !errors.Is(err, publish.ErrChanged) {
		t.Errorf("created over something: %v", err)
	}
	second, err := f.PutIf(ctx, "t", []byte("2"), first)
	must(t, err)
	if _, err := f.PutIf(ctx, "t", []byte("3"), first); !errors.Is(err, publish.ErrChanged) {
		t.Errorf("replaced what has changed: %v", err)
	}
	if got, etag := get(t, f, "t"); got != "2" || etag != second {
		t.Errorf("it holds %q with %q", got, etag)
	}
}

// Many writers count up one object; every count must be there in the end.
func TestPutIfIsACompareAndSwapAmongManyWriters(t *testing.T) {
	dir := newFolder(t).Dir()
	const writers, times = 8, 20
	errs := make(chan error)
	for range writers {
		go func() {
			f, err := publish.NewFolder(dir) // a program of its own
			for range times {
				if err == nil {
					err = increment(f)
				}
			}
			errs <- err
		}()
	}
	for range writers {
		must(t, <-errs)
	}
	f, err := publish.NewFolder(dir)
	must(t, err)
	if got, _ := get(t, f, "count"); got != fmt.Sprint(writers*times) {
		t.Errorf("the count is %s, want %d", got, writers*times)
	}
}

func increment(f *publish.Folder) error {
	for {
		var b bytes.Buffer
		etag, err := f.Get(context.Background(), "count", &b)
		if err != nil && !errors.Is(err, publish.ErrNotFound) {
			return err
		}
		n := 0
		if b.Len() > 0 {
			if _, err := fmt.Sscan(b.String(), &n); err != nil {
				return err
			}
		}
		_, err = f.PutIf(context.Background(), "count", []byte(fmt.Sprint(n+1)), etag)
		if !errors.Is(err, publish.ErrChanged) {
			return err
		}
	}
}

func TestOneOfManyCreatorsWins(t *testing.T) {
	f := newFolder(t)
	const writers = 16
	errs := make(chan error)
	for i := range writers {
		go func() {
			errs <- f.PutNew(context.Background(), "metadata/7.snapshot.json", publish.Bytes(fmt.Appendf(nil, "by %d", i)))
		}()
	}
	won := 0
	for range writers {
		switch err := <-errs; {
		case err == nil:
			won++
		case !errors.Is(err, publish.ErrExists):
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d have won", won)
	}
}

// Target paths come from metadata that somebody else has written.
func TestNamesStayInTheStore(t *testing.T) {
	f, ctx := newFolder(t), context.Background()
	for _, name := range []string{
		"", "/a", "a/", "a//b", "./a", "a/./b", "../a", "a/../b", "..", ".conclave.lock", "a/.conclave-x.tmp",
		"a\\b", "a\x00b", "a\nb", strings.Repeat("x", 256), strings.Repeat("x/", 600),
	} {
		if err := f.PutNew(ctx, name, publish.Bytes(nil)); err == nil {
			t.Errorf("%q was created", name)
		}
		if _, err := f.PutIf(ctx, name, nil, publish.Absent); err == nil {
			t.Errorf("%q was swapped", name)
		}
		if _, err := f.Get(ctx, name, io.Discard); err == nil || errors.Is(err, publish.ErrNotFound) {
			t.Errorf("%q was looked for: %v", name, err)
		}
	}
	for _, name := range []string{"a", "a b", "ä/ö", "-x", "..a", "a..", strings.Repeat("x", 255)} {
		if err := f.PutNew(ctx, "ok/"+name, publish.Bytes([]byte("x"))); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestOpenUnderstandsFolders(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for url, want := range map[string]string{
		filepath.Join(dir, "plain"): "plain",
		"relative":                  "relative",
		"file:short":                "short",
		"file://" + filepath.ToSlash(dir) + "/slashes":  "slashes",
		"file:" + filepath.ToSlash(dir) + "/one%20more": "one more",
	} {
		if runtime.GOOS == "windows" && strings.HasPrefix(url, "file://") {
			continue
		}
		s, err := publish.Open(url)
		must(t, err)
		must(t, s.PutNew(context.Background(), "x", publish.Bytes([]byte("x"))))
		if _, err := os.Stat(filepath.Join(dir, want, "x")); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	for _, url := range []string{"s3://bucket/../prefix", "https://example.org/", "gs:bucket"} {
		if _, err := publish.Open(url); err == nil {
			t.Errorf("%s was opened", url)
		}
	}
}

// zeros is a file of many zeros that nobody holds in memory.
type zeros struct{ left int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), z.left)
	clear(p[:n])
	z.left -= n
	return int(n), nil
}

func TestLargeFilesCostConstantMemory(t *testing.T) {
	const size = 64 << 20
	f := newFolder(t)
	h := sha256.New()
	if _, err := io.Copy(h, &zeros{size}); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c := publish.Content{Length: size, SHA256: [32]byte(h.Sum(nil)), Open: func() (io.ReadCloser, error) { return io.NopCloser(&zeros{size}), nil }}
	must(t, f.PutNew(context.Background(), "targets/large", c))
	_, err := f.Get(context.Background(), "targets/large", io.Discard)
	must(t, err)
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 {
		t.Errorf("%d MiB were allocated for a file of %d MiB", used>>20, size>>20)
	}
}

// Somebody mistypes the folder of a store and looks at it.
func TestLookingAtAFolderMakesNone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mistyped")
	s, err := publish.Open("file:" + dir)
	must(t, err)
	if _, err := s.Get(context.Background(), "metadata/timestamp.json", io.Discard); !errors.Is(err, publish.ErrNotFound) {
		t.Errorf("error is %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is there: %v", err)
	}
	_, err = s.PutIf(context.Background(), "metadata/timestamp.json", []byte("first"), publish.Absent)
	must(t, err)
}
