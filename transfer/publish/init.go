package publish

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"conclave/ceremony/tuf"
)

// markText is what the mark of a practice store says to people who find it.
const markText = "This repository was made in a rehearsal. Its keys are worth nothing: do not trust it.\n"

// isPractice reports whether a store is marked as one for rehearsals.
func isPractice(ctx context.Context, s Store) (bool, error) {
	_, err := s.Get(ctx, practiceMark, io.Discard)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read %s: %w", practiceMark, err)
	}
	return true, nil
}

// MarkPractice marks an empty store as one for rehearsals. It stays one.
func MarkPractice(ctx context.Context, s Store) error {
	if marked, err := isPractice(ctx, s); err != nil || marked {
		return err
	}
	switch name, err := occupant(ctx, s); {
	case err != nil:
		return fmt.Errorf("mark store: %w", err)
	case name != "":
		return withHint(fmt.Errorf("mark store: %w: it holds %s already", ErrPractice, name), "use an empty store for rehearsals")
	}
	if err := s.PutNew(ctx, practiceMark, Bytes([]byte(markText))); err != nil {
		return fmt.Errorf("mark store: %w", err)
	}
	return nil
}

// occupant names a file of the repository that a store holds already, "" for none.
func occupant(ctx context.Context, s Store) (string, error) {
	for _, name := range []string{timestampName, documentName(tuf.Root, 1)} {
		_, err := s.Get(ctx, name, io.Discard)
		if err == nil {
			return name, nil
		}
		if !errors.Is(err, ErrNotFound) {
			return "", err
		}
	}
	return "", nil
}

// checkVacant refuses a store that holds a repository.
func checkVacant(ctx context.Context, s Store) error {
	name, err := occupant(ctx, s)
	if err != nil {
		return fmt.Errorf("init: %w", err)
	}
	if name != "" {
		return withHint(fmt.Errorf("init: the store holds a repository already: %s", name), "nothing was made; name an empty place, such as another prefix")
	}
	return nil
}

// InitOptions say what a new publisher is to be.
type InitOptions struct {
	Dir      string // for publish.json, the keys and the state
	Store    string // URL
	Practice bool
	Vacant   bool // refuse a store that holds a repository
	// PassphraseFile holds the passphrase of the keys. Where it does not exist it is written, with
	// Passphrase or, where that is nil, with a random one.
	PassphraseFile string
	Passphrase     *Passphrase
	SnapshotDays   int // 0 is the default
	TimestampDays  int
	PublicMetadata string // URL where clients read the metadata, "" for none
	// SnapshotKey and TimestampKey name keys that exist, on a token or in a service. "" makes an encrypted file.
	SnapshotKey, TimestampKey string
	Bins                      bool // make a key for hash bins too
	Examine                   ExamineOptions
}

// An Initialised is what Init has made.
type Initialised struct {
	Config    string  // path of publish.json
	Snapshot  tuf.Key // public keys, for the ceremony
	Timestamp tuf.Key
	Bins      *tuf.Key  // nil where none was asked for
	Findings  []Finding // what was looked at in the store
}

// ErrUnfit says that a store was examined and is not one to publish in.
var ErrUnfit = errors.New("the store is not fit to publish in")

// Init makes two online keys and a configuration in o.Dir. The pinned root is not
// among them: it comes from the ceremony, with the first push. Nothing is overwritten. A store that is found
// unfit is left alone: the error is ErrUnfit, and the findings, which are returned also then, say why.
func Init(ctx context.Context, o InitOptions) (*Initialised, error) {
	c := &Config{
		Store: o.Store, PinnedRoot: "pinned.root.json", StateDir: "state",
		SnapshotKey: cmp.Or(o.SnapshotKey, "snapshot.pem"), TimestampKey: cmp.Or(o.TimestampKey, "timestamp.pem"), PassphraseFile: o.PassphraseFile,
		Practice: o.Practice, SnapshotDays: o.SnapshotDays, TimestampDays: o.TimestampDays, PublicMetadata: o.PublicMetadata,
	}
	if o.Bins {
		c.BinsKey = binsName + ".pem"
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("init: %w", err)
	}
	made := &Initialised{Config: filepath.Join(o.Dir, ConfigName)}
	if _, err := os.Lstat(made.Config); err == nil {
		return nil, withHint(fmt.Errorf("init: %s exists", made.Config), "nothing was changed; use another folder for another publisher")
	}
	absolute := *c
	absolute.resolve(o.Dir)
	store, err := Open(absolute.Store)
	if err != nil {
		return nil, err
	}
	made.Findings = Examine(ctx, store, o.Examine)
	if !Fit(made.Findings) {
		return made, withHint(fmt.Errorf("init: %w", ErrUnfit), "nothing was made; set right what has failed and run the same command again")
	}
	if o.Vacant {
		if err := checkVacant(ctx, store); err != nil {
			return made, err
		}
	}
	if o.Practice {
		if err := MarkPractice(ctx, store); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("init: %w", err)
	}
	var passphrase *Passphrase
	if o.SnapshotKey == "" || o.TimestampKey == "" || o.Bins {
		if passphrase, err = settlePassphrase(absolute.PassphraseFile, o.Passphrase); err != nil {
			return nil, fmt.Errorf("init: %w", err)
		}
	}
	if made.Snapshot, err = settleKey(ctx, o.Dir, tuf.Snapshot, o.SnapshotKey, passphrase); err != nil {
		return nil, err
	}
	if made.Timestamp, err = settleKey(ctx, o.Dir, tuf.Timestamp, o.TimestampKey, passphrase); err != nil {
		return nil, err
	}
	if o.Bins {
		key, err := GenerateKey(o.Dir, binsName, passphrase)
		if err != nil {
			return nil, err
		}
		made.Bins = &key
	}
	return made, c.Write(made.Config)
}

// binsName begins the files of the bin key that Init makes.
const binsName = "bins"

// settleKey makes a role's key file, or tries out the key that ref names and writes its public half for the plan.
func settleKey(ctx context.Context, dir, role, ref string, p *Passphrase) (tuf.Key, error) {
	if ref == "" {
		return GenerateKey(dir, role, p)
	}
	s, err := OpenKey(ctx, ref, p)
	if err != nil {
		return tuf.Key{}, err
	}
	if err := s.Test(); err != nil {
		return tuf.Key{}, err
	}
	if err := writeNew(filepath.Join(dir, role+".pub"), PublicPEM(s.Key()), 0o644); err != nil {
		return tuf.Key{}, fmt.Errorf("init: %w", err)
	}
	return s.Key(), nil
}

// settlePassphrase makes sure that the file exists and holds the passphrase, and returns it.
func settlePassphrase(path string, given *Passphrase) (*Passphrase, error) {
	if _, err := os.Lstat(path); err == nil {
		kept, err := ReadPassphrase(path)
		if err != nil {
			return nil, err
		}
		if given != nil && !bytes.Equal(*kept.b, *given.b) {
			return nil, withHint(fmt.Errorf("%s holds another passphrase", path), "nothing was changed; use the one in the file, or another file")
		}
		return kept, nil
	}
	if given.empty() {
		random := []byte(rand.Text() + rand.Text())
		var err error
		if given, err = NewPassphrase(random); err != nil {
			return nil, err
		}
	}
	line := append(bytes.Clone(*given.b), '\n')
	defer clear(line)
	return given, writeNew(path, line, 0o600)
}
