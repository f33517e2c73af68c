package publish

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"conclave/transfer/client"
)

// ConfigName is the name that a configuration usually has.
const ConfigName = "publish.json"

// Defaults and limits of how long online documents are valid.
const (
	DefaultSnapshotDays  = 7
	DefaultTimestampDays = 1
	DefaultBinsDays      = 30
	maxSnapshotDays      = 366
	maxTimestampDays     = 31 // a timestamp that lives longer freezes clients for as long
	maxConfig            = 64 << 10
)

// A Config says where a repository is published and with which online keys. Its
// file is strict JSON, in which whole lines may be comments, behind //; relative paths in it are relative to the file.
type Config struct {
	Store          string `json:"store"`                     // URL: file:… or s3:…
	PinnedRoot     string `json:"pinned_root"`               // the root that everything is verified from; written by the first push
	SnapshotKey    string `json:"snapshot_key"`              // as OpenKey takes it
	TimestampKey   string `json:"timestamp_key"`             // may be the same
	BinsKey        string `json:"bins_key,omitempty"`        // as OpenKey takes it; signs hash bins
	PassphraseFile string `json:"passphrase_file,omitempty"` // as OpenPassphrase takes it; opens both, where they are files
	StateDir       string `json:"state_dir"`                 // what was seen, and the journal
	Practice       bool   `json:"practice"`                  // only rehearsals are published here
	SnapshotDays   int    `json:"snapshot_days"`             // 0 is DefaultSnapshotDays
	TimestampDays  int    `json:"timestamp_days"`            // 0 is DefaultTimestampDays
	BinsDays       int    `json:"bins_days,omitempty"`       // 0 is DefaultBinsDays
	PublicMetadata string `json:"public_metadata,omitempty"` // URL where clients read the metadata, to look there after each push
}

// LoadConfig reads a configuration strictly and makes its paths absolute.
func LoadConfig(path string) (*Config, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, withHint(fmt.Errorf("read configuration: %w", err), "make one with: conclave publish init")
	}
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	c, err := ParseConfig(raw)
	if err != nil {
		return nil, fmt.Errorf("read configuration %s: %w", path, err)
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	c.resolve(dir)
	return c, nil
}

// ParseConfig reads a configuration: no unknown, doubled or missing field, nothing after it.
func ParseConfig(raw []byte) (*Config, error) {
	if len(raw) > maxConfig {
		return nil, fmt.Errorf("longer than %d bytes", maxConfig)
	}
	c := new(Config)
	if err := strictUnmarshal(withoutComments(raw), c); err != nil {
		return nil, err
	}
	return c, c.check()
}

// check fills in defaults and refuses what cannot work.
func (c *Config) check() error {
	for name, value := range map[string]string{
		"store": c.Store, "pinned_root": c.PinnedRoot,
		"snapshot_key": c.SnapshotKey, "timestamp_key": c.TimestampKey, "state_dir": c.StateDir,
	} {
		if value == "" {
			return fmt.Errorf("%q is missing", name)
		}
	}
	for _, ref := range []string{c.SnapshotKey, c.TimestampKey, cmp.Or(c.BinsKey, c.SnapshotKey)} {
		kind, err := kindOf(ref)
		if err != nil {
			return err
		}
		if kind == keyFile && c.PassphraseFile == "" {
			return errors.New("\"passphrase_file\" is missing: key files are encrypted")
		}
	}
	if err := checkPublic(c.PublicMetadata); err != nil {
		return fmt.Errorf("\"public_metadata\": %w", err)
	}
	if c.SnapshotDays == 0 {
		c.SnapshotDays = DefaultSnapshotDays
	}
	if c.TimestampDays == 0 {
		c.TimestampDays = DefaultTimestampDays
	}
	if c.BinsDays < 0 || c.BinsDays > maxSnapshotDays {
		return fmt.Errorf("\"bins_days\" must be 1 to %d", maxSnapshotDays)
	}
	if c.SnapshotDays < 1 || c.SnapshotDays > maxSnapshotDays {
		return fmt.Errorf("\"snapshot_days\" must be 1 to %d", maxSnapshotDays)
	}
	if c.TimestampDays < 1 || c.TimestampDays > maxTimestampDays {
		return fmt.Errorf("\"timestamp_days\" must be 1 to %d", maxTimestampDays)
	}
	if bins := cmp.Or(c.BinsDays, DefaultBinsDays); c.BinsKey != "" && bins < c.SnapshotDays+2*c.TimestampDays {
		return fmt.Errorf("\"bins_days\" must be %d or more, \"snapshot_days\" and twice \"timestamp_days\": bins are signed anew together with the snapshot",
			c.SnapshotDays+2*c.TimestampDays)
	}
	return nil
}

// checkPublic takes what clients can read from. A relative path is refused: it is a URL whose https:// was forgotten.
func checkPublic(raw string) error {
	if raw == "" || strings.HasPrefix(raw, fromFile) || filepath.IsAbs(raw) {
		return nil
	}
	u, err := url.Parse(raw)
	if err != nil || !isWeb(raw) || u.Host == "" {
		return withHint(fmt.Errorf("%q is not a URL that clients can read from", raw),
			"give the folder of metadata as clients read it: https://HOST/PATH/metadata, or file:DIR")
	}
	return nil
}

// resolve makes paths absolute.
func (c *Config) resolve(dir string) {
	paths := []*string{&c.PinnedRoot, &c.StateDir}
	for _, key := range []*string{&c.SnapshotKey, &c.TimestampKey, &c.BinsKey} {
		if *key != "" && IsKeyFile(*key) {
			paths = append(paths, key)
		}
	}
	if c.PassphraseFile != "" && IsPassphraseFile(c.PassphraseFile) {
		paths = append(paths, &c.PassphraseFile)
	}
	for _, p := range paths {
		if !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
	for _, url := range []*string{&c.Store, &c.PublicMetadata} {
		if folder, ok := folderPath(*url); ok && *url != "" && !filepath.IsAbs(folder) {
			*url = filepath.Join(dir, folder)
		}
	}
}

// Write creates the configuration's file. It overwrites nothing.
func (c *Config) Write(path string) error {
	raw, err := c.Text()
	if err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	if err := writeNew(path, raw, 0o644); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return nil
}

// Text is the configuration's file: every field with a word on what it says.
func (c *Config) Text() ([]byte, error) {
	var raw, text bytes.Buffer
	e := json.NewEncoder(&raw)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false) // people read it, and copy the "&" of a store's URL
	if err := e.Encode(c); err != nil {
		return nil, err
	}
	for line := range strings.Lines(raw.String()) {
		name, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), `"`), `"`)
		if comment := configComments[name]; comment != "" {
			fmt.Fprintf(&text, "  // %s\n", strings.ReplaceAll(comment, "\n", "\n  // "))
		}
		text.WriteString(line)
	}
	return text.Bytes(), nil
}

// configComments stand above the fields of a new configuration.
var configComments = map[string]string{
	"store":           "Where the repository lies: file:DIR, or\ns3://BUCKET/PREFIX?region=…&endpoint=https://…&addressing=path&profile=…",
	"pinned_root":     "The root that everything is verified from. The first push writes it.",
	"snapshot_key":    "The online keys: a file (encrypted PEM), pkcs11:…, awskms://…, gcpkms://…, azurekms://… or hashivault://…",
	"bins_key":        "The key of hash bins, where the targets delegate to them; see conclave publish add.",
	"passphrase_file": "What opens key files: a file for its owner's eyes only, credential:NAME (of systemd) or env:NAME.",
	"state_dir":       "The memory of this host: what it has seen live, and what is under way.",
	"practice":        "Whether only rehearsals are published here.",
	"snapshot_days":   "How long online documents are valid. Refresh several times within timestamp_days.",
	"bins_days":       "How long hash bins are valid: at least snapshot_days and twice timestamp_days.",
	"public_metadata": "Where clients read the metadata. It is looked at after every push.",
}

// withoutComments blanks lines that begin with //. A string cannot contain a line's end, so none is cut.
func withoutComments(raw []byte) []byte {
	var text bytes.Buffer
	for line := range bytes.Lines(raw) {
		if bytes.HasPrefix(bytes.TrimSpace(line), []byte("//")) {
			line = []byte("\n")
		}
		text.Write(line)
	}
	return text.Bytes()
}

// Reader opens the store without any key: enough for Status.
func (c *Config) Reader() (*Publisher, error) {
	store, err := Open(c.Store)
	if err != nil {
		return nil, err
	}
	const day = 24 * time.Hour
	p := &Publisher{
		Store: store, PinnedRoot: c.PinnedRoot, StateDir: c.StateDir, Practice: c.Practice,
		SnapshotLife: time.Duration(c.SnapshotDays) * day, TimestampLife: time.Duration(c.TimestampDays) * day,
		BinsLife: time.Duration(cmp.Or(c.BinsDays, DefaultBinsDays)) * day,
	}
	if c.PublicMetadata == "" {
		return p, nil
	}
	if p.Public, err = client.Open(c.PublicMetadata, ""); err != nil {
		return nil, err
	}
	return p, nil
}

// Publisher opens the store and the keys.
func (c *Config) Publisher() (*Publisher, error) {
	p, err := c.LazyPublisher()
	if err != nil {
		return nil, err
	}
	return p, p.Open()
}

// LazyPublisher opens the store now and the keys when they are needed.
func (c *Config) LazyPublisher() (*Publisher, error) {
	p, err := c.Reader()
	if err != nil {
		return nil, err
	}
	p.Keys = c.keys
	return p, nil
}

// keys opens all keys, each once.
func (c *Config) keys() (*Keys, error) {
	var passphrase *Passphrase
	refs := []string{c.SnapshotKey, c.TimestampKey, c.BinsKey}
	if slices.ContainsFunc(refs, func(ref string) bool { return ref != "" && IsKeyFile(ref) }) {
		var err error
		if passphrase, err = OpenPassphrase(c.PassphraseFile); err != nil {
			return nil, err
		}
		defer passphrase.Wipe()
	}
	opened := map[string]*Signer{"": nil}
	for _, ref := range refs {
		if _, ok := opened[ref]; ok {
			continue
		}
		var err error
		if opened[ref], err = OpenKey(context.Background(), ref, passphrase); err != nil {
			return nil, err
		}
	}
	return &Keys{opened[c.SnapshotKey], opened[c.TimestampKey], opened[c.BinsKey]}, nil
}

// strictUnmarshal reads one flat JSON object into a struct: every member once, spelled as
// the struct's tags spell it, and nothing behind the object. encoding/json alone
// takes doubled members and other cases.
func strictUnmarshal(raw []byte, into any) error {
	if err := checkMembers(raw); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

// checkMembers walks raw and refuses doubled members, members that are not lower case, and trailing data.
func checkMembers(raw []byte) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	if err := checkValue(d, 0); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is something behind the object")
	}
	return nil
}

// maxNesting is deeper than any file of ours.
const maxNesting = 8

func checkValue(d *json.Decoder, depth int) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	open, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	if depth == maxNesting {
		return fmt.Errorf("nested deeper than %d", maxNesting)
	}
	var seen []string
	for d.More() {
		if open == '{' {
			name, err := d.Token()
			if err != nil {
				return err
			}
			s, _ := name.(string)
			if slices.Contains(seen, s) {
				return fmt.Errorf("%q stands twice", s)
			}
			if s != strings.ToLower(s) {
				return fmt.Errorf("%q is not known", s)
			}
			seen = append(seen, s)
		}
		if err := checkValue(d, depth+1); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}
