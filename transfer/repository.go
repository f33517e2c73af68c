package transfer

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"conclave/ceremony/tuf"
)

// MaxMetadata is the largest metadata file read from a repository's folder, in
// bytes: what a targets file of 100,000 entries needs, with room.
const MaxMetadata = 64 << 20

// A RepositoryError says which file of a repository cannot be built on, and why.
type RepositoryError struct {
	File string
	Err  error

	hint string
}

func (e *RepositoryError) Error() string {
	return fmt.Sprintf("read repository: %s: %v", e.File, e.Err)
}
func (e *RepositoryError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *RepositoryError) Hint() string {
	if e.hint != "" {
		return e.hint
	}
	return "get a fresh copy of the repository's metadata folder; nothing was written"
}

// ReadRepository reads the folder of a repository's metadata (N.root.json,
// timestamp.json, N.snapshot.json, N.targets.json) into the base of the next
// bundle. It verifies everything from anchor on as a client does (TUF 5.3 to
// 5.6), except expiry: an expired repository is the one that most wants a ceremony.
func ReadRepository(dir string, anchor *tuf.Document) (Base, error) {
	if err := checkFolder(dir, anchor); err != nil {
		return Base{}, err
	}
	chain, err := readChain(dir, anchor)
	if err != nil {
		return Base{}, err
	}
	base := Base{Roots: chain.Roots(), Seen: map[string]int64{tuf.Root: chain.Latest().Version()}}
	root := chain.Latest()
	timestamp, err := readRole(dir, "timestamp.json", tuf.Timestamp, root)
	if errors.Is(err, fs.ErrNotExist) {
		return base, nil // only roots are here: enough to plan the next one
	}
	if err != nil {
		return Base{}, err
	}
	base.Seen[tuf.Timestamp] = timestamp.Version()
	snap := timestamp.Timestamp().Meta["snapshot.json"]
	snapshot, err := readListed(dir, tuf.Snapshot, root, snap.Version, snap.Length, snap.Hashes["sha256"])
	if err != nil {
		return Base{}, err
	}
	base.Seen[tuf.Snapshot] = snapshot.Version()
	for file, meta := range snapshot.Snapshot().Meta {
		base.Seen[file[:len(file)-len(filepath.Ext(file))]] = meta.Version
	}
	meta := snapshot.Snapshot().Meta["targets.json"]
	if meta == nil {
		return Base{}, &RepositoryError{File: "snapshot", Err: errors.New("it lists no targets.json")}
	}
	targets, err := readListed(dir, tuf.Targets, root, meta.Version, meta.Length, meta.Hashes["sha256"])
	if err != nil {
		return Base{}, err
	}
	base.Documents = []Document{{Role: tuf.Targets, Metadata: targets}}
	return base, nil
}

// checkFolder refuses a folder with nothing of anchor's repository in it: the trusted root would pass for
// all that is published, and a plan on it for the next one.
func checkFolder(dir string, anchor *tuf.Document) error {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = syscall.ENOTDIR
	}
	for _, name := range []string{"timestamp.json", fmt.Sprintf("%d.root.json", anchor.Version()), fmt.Sprintf("%d.root.json", anchor.Version()+1)} {
		if err != nil {
			break
		}
		if _, found := os.Stat(filepath.Join(dir, name)); found == nil {
			return nil
		}
	}
	if err == nil {
		err = fmt.Errorf("neither timestamp.json nor root %d is in it", anchor.Version())
	}
	return &RepositoryError{
		File: dir, Err: err,
		hint: "Name the folder with the repository's metadata (timestamp.json, 1.root.json and so on), copied to this machine. Nothing was written.",
	}
}

// readChain follows the roots upwards from anchor until the next one is not there.
func readChain(dir string, anchor *tuf.Document) (*tuf.Chain, error) {
	chain, err := tuf.NewChain(anchor)
	if err != nil {
		return nil, err
	}
	for {
		name := fmt.Sprintf("%d.root.json", chain.Latest().Version()+1)
		next, err := readDocument(dir, name)
		if errors.Is(err, fs.ErrNotExist) {
			return chain, nil
		}
		if err != nil {
			return nil, err
		}
		if chain, err = chain.Extend(next); err != nil {
			return nil, &RepositoryError{File: name, Err: err}
		}
	}
}

// readListed reads a numbered file and checks what the file that lists it says of it.
func readListed(dir, role string, root *tuf.Document, version, length int64, sum []byte) (*tuf.Document, error) {
	name := fmt.Sprintf("%d.%s.json", version, role)
	doc, err := readRole(dir, name, role, root)
	if err != nil {
		return nil, err
	}
	if doc.Version() != version {
		return nil, &RepositoryError{File: name, Err: fmt.Errorf("it is version %d inside", doc.Version())}
	}
	if raw := doc.Bytes(); length > 0 && int64(len(raw)) != length {
		return nil, &RepositoryError{File: name, Err: fmt.Errorf("it has %d bytes, %d are listed", len(raw), length)}
	}
	if got := sha256.Sum256(doc.Bytes()); len(sum) > 0 && string(got[:]) != string(sum) {
		return nil, &RepositoryError{File: name, Err: errors.New("its SHA-256 is not the listed one")}
	}
	return doc, nil
}

// readRole reads a file and verifies it with the keys that root gives role; for a delegated role root is its delegator.
func readRole(dir, name, role string, root *tuf.Document) (*tuf.Document, error) {
	doc, err := readDocument(dir, name)
	if err != nil {
		return nil, err
	}
	if doc.Type() != typeOf(role) {
		return nil, &RepositoryError{File: name, Err: fmt.Errorf("it holds %s, not %s", doc.Type(), role)}
	}
	reqs, err := tuf.Requirements(role, doc, nil, root)
	if err != nil {
		return nil, &RepositoryError{File: name, Err: err}
	}
	if _, err := tuf.Verify(doc, reqs); err != nil {
		return nil, &RepositoryError{File: name, Err: err}
	}
	return doc, nil
}

func readDocument(dir, name string) (*tuf.Document, error) {
	path := filepath.Join(dir, name)
	info, err := os.Stat(path)
	if err != nil {
		return nil, &RepositoryError{File: name, Err: err}
	}
	if info.Size() > MaxMetadata {
		return nil, &RepositoryError{File: name, Err: fmt.Errorf("it has %d bytes; at most %d are read", info.Size(), MaxMetadata)}
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, &RepositoryError{File: name, Err: err}
	}
	doc, err := tuf.Parse(raw)
	if err != nil {
		return nil, &RepositoryError{File: name, Err: err}
	}
	return doc, nil
}
