//go:build !offline

package publish_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"conclave/transfer/publish"
)

func TestABucketKeepsTheContractOfAStore(t *testing.T) {
	b := newBucket(t)
	s, ctx := b.open("some/prefix", b.server.url), context.Background()
	t.Run("create-only writes", func(t *testing.T) {
		must(t, s.PutNew(ctx, "metadata/1.root.json", publish.Bytes([]byte("one"))))
		must(t, s.PutNew(ctx, "metadata/1.root.json", publish.Bytes([]byte("one"))))
		if err := s.PutNew(ctx, "metadata/1.root.json", publish.Bytes([]byte("two"))); !errors.Is(err, publish.ErrExists) {
			t.Errorf("error is %v", err)
		}
		if err := s.PutNew(ctx, "metadata/1.root.json", publish.Bytes([]byte("longer"))); !errors.Is(err, publish.ErrExists) {
			t.Errorf("error is %v", err)
		}
		if got, _ := get(t, s, "metadata/1.root.json"); got != "one" || b.read("some/prefix/metadata/1.root.json") != "one" {
			t.Errorf("it holds %q", got)
		}
		if _, err := s.Get(ctx, "metadata/2.root.json", io.Discard); !errors.Is(err, publish.ErrNotFound) {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("compare-and-swap", func(t *testing.T) {
		const name = "metadata/timestamp.json"
		first, err := s.PutIf(ctx, name, []byte("1"), publish.Absent)
		must(t, err)
		if _, err := s.PutIf(ctx, name, []byte("2"), publish.Absent); !errors.Is(err, publish.ErrChanged) {
			t.Errorf("created over something: %v", err)
		}
		second, err := s.PutIf(ctx, name, []byte("2"), first)
		must(t, err)
		if _, err := s.PutIf(ctx, name, []byte("3"), first); !errors.Is(err, publish.ErrChanged) {
			t.Errorf("replaced what has changed: %v", err)
		}
		if got, etag := get(t, s, name); got != "2" || etag != second {
			t.Errorf("it holds %q with %q, want %q", got, etag, second)
		}
	})
	t.Run("content is what it claims to be", func(t *testing.T) {
		digest := sha256.Sum256([]byte("content"))
		for name, c := range map[string]publish.Content{
			"shorter": content("conten", 7, digest), "longer": content("contents", 7, digest), "other": content("CONTENT", 7, digest),
			"not empty": content("x", 0, sha256.Sum256(nil)),
		} {
			if err := s.PutNew(ctx, "targets/"+name, c); err == nil {
				t.Errorf("%s content was stored", name)
			} else if errors.Is(err, publish.ErrExists) {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := s.Get(ctx, "targets/"+name, io.Discard); !errors.Is(err, publish.ErrNotFound) {
				t.Errorf("%s: %v", name, err)
			}
		}
		must(t, s.PutNew(ctx, "targets/empty", publish.Bytes(nil)))
	})
	t.Run("names stay in the prefix", func(t *testing.T) {
		for _, name := range []string{"", "/a", "a/", "a//b", "./a", "../a", "a/../b", "a\\b", "a\x00b", strings.Repeat("x/", 511) + "x"} {
			if err := s.PutNew(ctx, name, publish.Bytes(nil)); err == nil {
				t.Errorf("%q was created", name)
			}
		}
		for _, name := range []string{"a b", "ä/ö", "plus+and%25", "q?x=1&y#z", "~t"} {
			must(t, s.PutNew(ctx, "odd/"+name, publish.Bytes([]byte(name))))
			if got := b.read("some/prefix/odd/" + name); got != name {
				t.Errorf("%q holds %q", name, got)
			}
		}
	})
	if n := b.versions("")["some/prefix/metadata/1.root.json"]; n != 1 {
		t.Errorf("the root was written %d times", n)
	}
}

func TestEveryObjectSaysHowLongItMayBeKept(t *testing.T) {
	b := newBucket(t)
	s, ctx := b.open("", b.server.url), context.Background()
	for name, want := range map[string]string{
		"metadata/7.root.json": "public, max-age=31536000, immutable",
		"targets/dir/0a.tool":  "public, max-age=31536000, immutable",
		"targets/large":        "public, max-age=31536000, immutable",
		"PRACTICE.txt":         "public, max-age=300",
	} {
		c := publish.Bytes([]byte("x"))
		if name == "targets/large" {
			c = zeroContent(17 << 20)
		}
		must(t, s.PutNew(ctx, name, c))
		head, err := b.api.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.name, Key: &name})
		must(t, err)
		if got := aws.ToString(head.CacheControl); got != want {
			t.Errorf("%s is served with %q", name, got)
		}
	}
	key := "metadata/timestamp.json"
	_, err := s.PutIf(ctx, key, []byte("{}"), publish.Absent)
	must(t, err)
	head, err := b.api.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.name, Key: &key})
	must(t, err)
	if got := aws.ToString(head.CacheControl); got != "no-cache" {
		t.Errorf("the timestamp is served with %q", got)
	}
}

func zeroContent(size int64) publish.Content {
	h := sha256.New()
	_, _ = io.Copy(h, &zeros{size})
	return publish.Content{Length: size, SHA256: [32]byte(h.Sum(nil)), Open: func() (io.ReadCloser, error) { return io.NopCloser(&zeros{size}), nil }}
}

// Something still writes into a large file while it is on its way: between the look at it and its upload a byte changes.
func TestLargeFileThatChangesWhileItGoesUpIsNotStored(t *testing.T) {
	b := newBucket(t)
	s, ctx := b.open("", b.server.url), context.Background()
	opened := 0
	was := zeroContent(25<<20 + 7)
	c := was
	c.Open = func() (io.ReadCloser, error) {
		if opened++; opened == 1 {
			return was.Open()
		}
		return io.NopCloser(io.MultiReader(&zeros{9 << 20}, strings.NewReader("x"), &zeros{16<<20 + 6})), nil
	}
	known, err := publish.Check(ctx, c)
	must(t, err)
	if err := s.PutNew(ctx, "targets/large", known); err == nil || !strings.Contains(err.Error(), "changed since it was read first, near byte 8388608") {
		t.Errorf("got %v", err)
	}
	if _, found := b.find("targets/large"); found {
		t.Error("it was stored")
	}
	left, err := b.api.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &b.name})
	must(t, err)
	if len(left.Uploads) > 0 {
		t.Errorf("%d unfinished uploads were left", len(left.Uploads))
	}
	opened = 0
	must(t, s.PutNew(ctx, "targets/large", known))
	must(t, s.Same(ctx, "targets/large", known))
	if opened != 1 {
		t.Errorf("a file whose parts are known was read %d times to send and to compare it", opened)
	}
}

func TestLargeFilesGoUpInPartsWithChecksums(t *testing.T) {
	b := newBucket(t)
	s, ctx := b.open("", b.server.url), context.Background()
	c := zeroContent(25<<20 + 7)
	must(t, s.PutNew(ctx, "targets/large", c))
	must(t, s.PutNew(ctx, "targets/large", c))
	must(t, s.Same(ctx, "targets/large", c))
	if n := b.versions("")["targets/large"]; n != 1 {
		t.Errorf("it was written %d times", n)
	}
	other := zeroContent(25<<20 + 7)
	other.SHA256[0] ^= 1
	if err := s.PutNew(ctx, "targets/large", other); err == nil {
		t.Error("other content passes for the same")
	}
	if err := s.PutNew(ctx, "targets/false", other); err == nil {
		t.Error("content that is not what it claims to be was stored")
	}
	left, err := b.api.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &b.name})
	must(t, err)
	if len(left.Uploads) > 0 {
		t.Errorf("%d unfinished uploads were left", len(left.Uploads))
	}
}

func TestOneOfManyCreatorsInABucketWins(t *testing.T) {
	b := newBucket(t)
	const writers = 16
	errs := make(chan error)
	for i := range writers {
		s := b.open("", b.server.url)
		go func() {
			errs <- s.PutNew(context.Background(), "metadata/7.snapshot.json", publish.Bytes(fmt.Appendf(nil, "by %d", i)))
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
	if won != 1 || b.versions("")["metadata/7.snapshot.json"] != 1 {
		t.Errorf("%d have won", won)
	}
}

// A list comes in pages of a thousand. Names that differ in "-", "." and "/" are where servers sort in different ways, and what
// lies between them that nobody asks for shifts the pages.
func TestLengthsOfWhatIsThere(t *testing.T) {
	b := newBucket(t)
	s, ctx := b.open("p", b.server.url), context.Background()
	lengths := map[string]int64{}
	var all, there, some []string // names; those that are put; both kinds, but not all
	var put sync.WaitGroup
	for i := range 1300 {
		name := fmt.Sprintf("targets/%02d%s/%d.y", i%39, []string{"", "-", ".", "0"}[i%4], i)
		all = append(all, name)
		if i%10 != 2 {
			some = append(some, name)
		}
		if i%10 == 1 {
			continue
		}
		there, lengths[name] = append(there, name), int64(i%7)
		put.Go(func() {
			if err := s.PutNew(ctx, name, publish.Bytes(bytes.Repeat([]byte("x"), i%7))); err != nil {
				t.Error(err)
			}
		})
	}
	put.Wait()
	for _, asked := range [][]string{all, there, some, all[:40], all[:3]} {
		for _, expected := range []bool{false, true} {
			found, err := s.Lengths(ctx, "targets/", asked, expected)
			must(t, err)
			for _, name := range asked {
				got, ok := found[name]
				want, put := lengths[name]
				if got != want || ok != put {
					t.Errorf("%d names, expected %v: %s: %d, %v", len(asked), expected, name, got, ok)
				}
			}
		}
	}
}

func TestRefusalsSayWhatToDo(t *testing.T) {
	b := newBucket(t)
	ctx := context.Background()
	hint := func(err error) string {
		var h interface{ Hint() string }
		if errors.As(err, &h) {
			return h.Hint()
		}
		return ""
	}
	s := b.open("", b.server.url)
	missing := *b
	missing.name = "no-such-bucket"
	must(t, b.server.profile("wrong", rootAccess, "wrong-secret"))
	must(t, b.server.profile("nobody", "nobody", "wrong-secret"))
	must(t, b.server.profile("keyless", "", ""))
	for name, c := range map[string]struct {
		store *publish.Bucket
		says  string
		hints string
	}{
		"a wrong secret":    {b.as("wrong"), "refuses access: SignatureDoesNotMatch", "credentials"},
		"an unknown user":   {b.as("nobody"), "refuses access: InvalidAccessKeyId", "credentials"},
		"no such bucket":    {missing.open("", b.server.url), "there is no bucket no-such-bucket", "region"},
		"nobody listens":    {b.open("", "http://127.0.0.1:1"), "create: dial tcp 127.0.0.1:1: connect: connection refused", ""},
		"no credentials":    {b.as("keyless"), "no credentials for the store", "AWS_PROFILE"},
		"the right secret ": {s, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if strings.Contains(c.says, "connection refused") && testing.Short() {
				t.Skip("waits between tries")
			}
			err := c.store.PutNew(ctx, "metadata/1.root.json", publish.Bytes([]byte("x")))
			if c.says == "" {
				must(t, err)
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(hint(err), c.hints) {
				t.Errorf("error is %v, hint %q", err, hint(err))
			}
		})
	}
}

func TestParsePlaceIsStrict(t *testing.T) {
	for _, raw := range []string{
		"s3://bucket", "s3://bucket/some/prefix", "s3://bucket/p?region=eu-central-1",
		"s3://bucket?addressing=path&endpoint=http%3A%2F%2F127.0.0.1%3A9000&profile=publisher",
		"s3://bucket/p?endpoint=http%3A%2F%2Fminio%3A9000&insecure=yes",
	} {
		p, err := publish.ParsePlace(raw)
		if err != nil || p.String() != raw {
			t.Errorf("%s is read as %s, %v", raw, p, err)
		}
	}
	for _, raw := range []string{
		"", "s3:", "s3://", "s3:bucket", "s3:///p", "s3://Bucket", "s3://ab", "s3://a..b", "s3://key:secret@bucket/", "s3://bucket:80/",
		"s3://bucket/a//b", "s3://bucket/../x", "s3://bucket/#f", "s3://bucket?regoin=x", "s3://bucket?region=", "s3://bucket?region=a&region=b",
		"s3://bucket?addressing=virtual", "s3://bucket?insecure=true", "s3://bucket?endpoint=http://example.org", "s3://bucket?endpoint=ftp://h",
		"s3://bucket?endpoint=https://h/path", "s3://bucket?endpoint=https://u:p@h", "https://bucket/", "s3://bucket/%2e%2e/x",
	} {
		if p, err := publish.ParsePlace(raw); err == nil {
			t.Errorf("%s is read as %+v", raw, p)
		}
	}
}

func FuzzParsePlace(f *testing.F) {
	for _, seed := range []string{"s3://bucket/p?region=x&endpoint=https%3A%2F%2Fh&addressing=path", "s3://bucket", "s3://bucket/ä%20b", "s3://a/../b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		p, err := publish.ParsePlace(raw)
		if err != nil {
			return
		}
		again, err := publish.ParsePlace(p.String())
		if err != nil || again != p {
			t.Errorf("%q is written as %q and read as %+v, %v", raw, p.String(), again, err)
		}
	})
}
