package publish

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"conclave/ceremony/tuf"
	"conclave/transfer"
)

// maxStateFile is more than a journal of a repository with thousands of roles.
const maxStateFile = 16 << 20

// seen is what this host knows of the live repository: when it last looked, and the
// highest version of every role with the hash of its bytes.
type seen struct {
	Time  time.Time              `json:"time"`
	Roles map[string]seenVersion `json:"roles"`
}

type seenVersion struct {
	Version int64  `json:"version"`
	SHA256  string `json:"sha256"`
}

// Alarms: the store is not what this host left or what it can have become by honest work.
var (
	// ErrRolledBack says that the store holds less than this host, or the bundle, has seen.
	ErrRolledBack = errors.New("the store has gone back in time")
	// ErrForked says that a version that this host has seen has other content now.
	ErrForked = errors.New("the store holds another file under a version that was seen before")
	// ErrFastForward says that a version has jumped further than honest refreshing can.
	ErrFastForward = errors.New("the store has jumped ahead")
)

// maxRefreshRate is how often all refreshers together are expected to refresh at most,
// and jumpAllowance what is allowed on top. A thief of the timestamp key who sets a huge
// version would lock the repository's own timestamps out.
const (
	maxRefreshRate = time.Minute
	jumpAllowance  = 1000
)

// holds reports whether these very bytes were live when this host looked last.
func (s *seen) holds(doc *tuf.Document) bool {
	digest := sum(doc.Bytes())
	return s.Roles[doc.Type()].SHA256 == hex.EncodeToString(digest[:])
}

// check compares what is live with what was seen.
func (s *seen) check(live *live, now time.Time) error {
	for role, doc := range live.documents() {
		before, ok := s.Roles[role]
		if !ok {
			continue
		}
		if s.forgiven(role, doc, live) {
			continue
		}
		where := fmt.Sprintf("%s %d is live, %d was seen on %s", role, doc.Version(), before.Version, s.Time.Format(time.RFC3339))
		digest := sum(doc.Bytes())
		switch {
		case doc.Version() < before.Version:
			return withHint(fmt.Errorf("%w: %s", ErrRolledBack, where),
				"nothing was changed; find out who restored an old state, then publish on top of the newest one")
		case doc.Version() == before.Version && hex.EncodeToString(digest[:]) != before.SHA256:
			return withHint(fmt.Errorf("%w: %s %d", ErrForked, role, doc.Version()),
				"nothing was changed; someone else can write to the store: treat it as an incident")
		case s.jumped(role, doc, now):
			return withHint(fmt.Errorf("%w: %s", ErrFastForward, where),
				"nothing was changed; if nobody here did it, the online key is in other hands: rotate it in a ceremony")
		}
	}
	return s.missing(live)
}

// jumped reports whether an online role is further than all refreshers together can have brought it.
func (s *seen) jumped(role string, doc *tuf.Document, now time.Time) bool {
	before, ok := s.Roles[role]
	return ok && isOnline(role) && doc != nil && doc.Version()-before.Version > jumpAllowance+int64(now.Sub(s.Time)/maxRefreshRate)
}

// forgiven reports whether clients have forgotten the version that was seen of an online role, so that
// another one, whatever its number, may be live: a root since then has taken away the keys that signed it, and what is
// live is signed by those that came instead.
func (s *seen) forgiven(role string, doc *tuf.Document, live *live) bool {
	return isOnline(role) && forgotten(role, live.chain.Roots(), s.Roles[tuf.Root].Version) && verifyBy(role, doc, live.root()) == nil
}

// forgotten reports whether one of the roots after version since makes clients forget what they hold of an online role.
func forgotten(role string, roots []*tuf.Document, since int64) bool {
	for i := 1; i < len(roots); i++ {
		if roots[i-1].Version() >= since && tuf.Forgets(role, roots[i-1], roots[i]) {
			return true
		}
	}
	return false
}

// missing finds roles that were live once and are gone.
func (s *seen) missing(live *live) error {
	docs := live.documents()
	for role, before := range s.Roles {
		if docs[role] == nil {
			return withHint(fmt.Errorf("%w: %s %d was seen on %s and is gone", ErrRolledBack, role, before.Version, s.Time.Format(time.RFC3339)),
				"nothing was changed; restore the store, or start with a new state folder if this is a new store on purpose")
		}
	}
	return nil
}

func isOnline(role string) bool { return role == tuf.Snapshot || role == tuf.Timestamp }

// record takes over what is live.
func (s *seen) record(live *live, now time.Time) {
	s.Time = now.UTC().Truncate(time.Second)
	s.Roles = map[string]seenVersion{}
	for role, doc := range live.documents() {
		digest := sum(doc.Bytes())
		s.Roles[role] = seenVersion{doc.Version(), hex.EncodeToString(digest[:])}
	}
}

// state is the folder with this host's memory. Its lock is held while it is open.
type state struct {
	dir    string
	unlock func() error
}

// openState locks the folder: one push or refresh at a time on one host.
func openState(ctx context.Context, dir string) (*state, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	unlock, err := lock(ctx, filepath.Join(dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	return &state{dir, unlock}, nil
}

func (s *state) close() error { return s.unlock() }

// Files of the state. A refresh in the middle of an unfinished push must not
// lose its signatures: the two keep journals of their own.
const (
	seenFile       = "seen.json"
	binsFile       = "bins.json"
	pushJournal    = "push.json"
	refreshJournal = "refresh.json"
	changeJournal  = "add.json"
	memoDir        = "metadata" // what refreshes need not read again
)

// isNew reports whether this host has never seen anything live.
func (p *Publisher) isNew() bool {
	_, err := os.Lstat(filepath.Join(p.StateDir, seenFile))
	return errors.Is(err, fs.ErrNotExist)
}

// seen reads what was seen, nothing on a new host.
func (s *state) seen() (*seen, error) {
	v := &seen{Roles: map[string]seenVersion{}}
	_, err := s.load(seenFile, v)
	return v, err
}

func (s *state) setSeen(v *seen) error { return s.save(seenFile, v) }

// bins are the live hash bins that this host has verified, by role.
func (s *state) bins() (map[string]seenBin, error) {
	all := map[string]seenBin{}
	_, err := s.load(binsFile, &all)
	return all, err
}

func (s *state) setBins(all map[string]seenBin) error { return s.save(binsFile, all) }

// A journal holds the online documents of one push or refresh that is under way, so that
// whoever completes it uses the same signatures.
type journal struct {
	Base      ETag              `json:"base"`      // the live timestamp that this replaces
	Documents map[string]string `json:"documents"` // role → SHA-256 of the file to be live
	Snapshot  []byte            `json:"snapshot,omitempty"`
	Timestamp []byte            `json:"timestamp"`
}

// journal returns what was journaled under a name, or nil.
func (s *state) journal(name string) (*journal, error) {
	j := new(journal)
	ok, err := s.load(name, j)
	if err != nil || !ok {
		return nil, err
	}
	return j, nil
}

func (s *state) setJournal(name string, j *journal) error { return s.save(name, j) }

// clearJournal is called when everything in it is live.
func (s *state) clearJournal(name string) error {
	if err := ignore(os.Remove(filepath.Join(s.dir, name)), fs.ErrNotExist); err != nil {
		return fmt.Errorf("clear journal: %w", err)
	}
	return syncFolder(s.dir)
}

func (s *state) load(name string, into any) (bool, error) {
	path := filepath.Join(s.dir, name)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read state: %w", err)
	}
	if info.Size() > maxStateFile {
		return false, fmt.Errorf("read state: %s is longer than %d bytes", path, maxStateFile)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return false, fmt.Errorf("read state: %w", err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return false, withHint(fmt.Errorf("read state: %s: %w", path, err),
			"move the file away to go on without the memory of this host; look at the store first")
	}
	return true, nil
}

// save writes a file durably, whole or not at all.
func (s *state) save(name string, v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	if err := transfer.Replace(filepath.Join(s.dir, name), append(raw, '\n')); err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	return nil
}
