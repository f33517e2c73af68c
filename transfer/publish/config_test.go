package publish_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"conclave/transfer/publish"
)

const goodConfig = `{"store":"file:../repository","pinned_root":"pinned.json","snapshot_key":"s.pem","timestamp_key":"t.pem",
 "passphrase_file":"/run/secret","state_dir":"state","practice":true,"snapshot_days":9,"timestamp_days":2}`

func TestConfigPathsAreRelativeToItsFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "publish.json")
	must(t, os.WriteFile(path, []byte(goodConfig), 0o644))
	c, err := publish.LoadConfig(path)
	must(t, err)
	want := publish.Config{
		Store: filepath.Join(filepath.Dir(dir), "repository"), PinnedRoot: filepath.Join(dir, "pinned.json"),
		SnapshotKey: filepath.Join(dir, "s.pem"), TimestampKey: filepath.Join(dir, "t.pem"),
		PassphraseFile: "/run/secret", StateDir: filepath.Join(dir, "state"), Practice: true, SnapshotDays: 9, TimestampDays: 2,
	}
	if *c != want {
		t.Errorf("configuration is %+v\nwant %+v", *c, want)
	}
}

func TestConfigIsReadStrictly(t *testing.T) {
	for _, raw := range []string{goodConfig, strings.Replace(goodConfig, `"snapshot_days":9`, `"snapshot_days":26,"bins_key":"b.pem"`, 1)} {
		if _, err := publish.ParseConfig([]byte(raw)); err != nil {
			t.Fatal(err)
		}
	}
	for name, raw := range map[string]string{
		"an unknown field":    strings.Replace(goodConfig, `"store"`, `"colour":"red","store"`, 1),
		"a field twice":       strings.Replace(goodConfig, `"practice":true`, `"practice":true,"practice":false`, 1),
		"a field in capitals": strings.Replace(goodConfig, `"practice"`, `"Practice"`, 1),
		"a field missing":     strings.Replace(goodConfig, `"pinned_root":"pinned.json",`, ``, 1),
		"an empty field":      strings.Replace(goodConfig, `"pinned.json"`, `""`, 1),
		"something behind it": goodConfig + `{}`,
		"a list":              `[` + goodConfig + `]`,
		"null":                `null`,
		"nothing":             ``,
		"half of it":          goodConfig[:60],
		"a wrong type":        strings.Replace(goodConfig, `true`, `"true"`, 1),
		"no days":             strings.Replace(goodConfig, `"timestamp_days":2`, `"timestamp_days":-1`, 1),
		"too many days":       strings.Replace(goodConfig, `"timestamp_days":2`, `"timestamp_days":365`, 1),
		"half a day":          strings.Replace(goodConfig, `"timestamp_days":2`, `"timestamp_days":0.5`, 1),
		"bins that expire before they are signed anew": strings.Replace(goodConfig, `"snapshot_days":9`, `"snapshot_days":27,"bins_key":"b.pem"`, 1),
		"deep nesting": strings.Repeat(`[`, 100_000),
		"too long":     `{"store":"` + strings.Repeat("x", 100_000) + `"}`,
	} {
		if _, err := publish.ParseConfig([]byte(raw)); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestConfigMayHoldComments(t *testing.T) {
	c, err := publish.ParseConfig([]byte(goodConfig))
	must(t, err)
	c.Store = "s3://updates/tool?region=here&profile=me"
	text, err := c.Text()
	must(t, err)
	if !strings.Contains(string(text), "  // Where the repository lies") || !strings.Contains(string(text), c.Store) {
		t.Errorf("the text explains nothing:\n%s", text)
	}
	again, err := publish.ParseConfig(text)
	if err != nil || *again != *c {
		t.Errorf("%s is read as %+v, %v", text, again, err)
	}
	if _, err := publish.ParseConfig([]byte(strings.Replace(goodConfig, `,"pinned`, ", // here\n\"pinned", 1))); err == nil {
		t.Error("a comment behind something is accepted")
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(goodConfig))
	f.Add([]byte(`{"store":"a","store":"b"}`))
	f.Add([]byte(`{"store":{"a":[1,2,{}]}}`))
	f.Add([]byte("\xff"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := publish.ParseConfig(raw)
		if err != nil {
			return
		}
		path := filepath.Join(t.TempDir(), "c.json")
		must(t, c.Write(path))
		again, err := publish.LoadConfig(path)
		if err != nil {
			t.Fatalf("what was read does not read again: %v", err)
		}
		if again.Practice != c.Practice || again.TimestampDays != c.TimestampDays {
			t.Errorf("%+v became %+v", c, again)
		}
	})
}

func TestInitMakesAPublisherThatWorks(t *testing.T) {
	dir := t.TempDir()
	o := publish.InitOptions{
		Dir: filepath.Join(dir, "publisher"), Store: "file:../repository", Practice: true,
		PassphraseFile: "passphrase",
	}
	made, err := publish.Init(context.Background(), o)
	must(t, err)
	c, err := publish.LoadConfig(made.Config)
	must(t, err)
	p, err := c.Publisher()
	must(t, err)
	if p.Snapshot.Key().ID != made.Snapshot.ID || p.Timestamp.Key().ID != made.Timestamp.ID || !p.Practice {
		t.Errorf("publisher is %+v", p)
	}
	if _, err := os.Stat(filepath.Join(dir, "repository", "PRACTICE.txt")); err != nil {
		t.Errorf("the store is not marked: %v", err)
	}
	if _, err := os.Stat(c.PinnedRoot); err == nil {
		t.Error("a root was pinned")
	}
	if _, err := publish.Init(context.Background(), o); err == nil {
		t.Error("a publisher was overwritten")
	}
	o.Dir, o.PassphraseFile, o.Passphrase = filepath.Join(dir, "second"), c.PassphraseFile, newPassphrase(t)
	if _, err := publish.Init(context.Background(), o); err == nil {
		t.Error("keys were made with another passphrase than the file holds")
	}
	o.Passphrase = nil
	if _, err := publish.Init(context.Background(), o); err != nil {
		t.Errorf("a second publisher with the same passphrase file: %v", err)
	}
}
