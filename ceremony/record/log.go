package record

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Expected system calls.
//
//	Create:  openat(PATH, O_RDWR|O_CREAT|O_EXCL)  flock  fsync(PATH)  fsync(FOLDER)
//	Append:  fstat  stat  pwrite64(whole line at the end)  fsync
//	Open:    openat(PATH, O_RDWR)  flock  pread64…
//	         after a power cut: openat(PATH.torn-N, O_CREAT|O_EXCL)  pwrite64  fsync  close  fsync(FOLDER)  ftruncate(PATH)
//	         pwrite64(last line, the same bytes again)  fsync(PATH)  fsync(FOLDER)

// A Log is an open record. One goroutine at a time may use it.
type Log struct {
	disk     disk
	path     string // absolute
	file     file
	size     int64 // of what is known to be good
	entries  int
	head     string
	torn     string // where a torn line went
	poisoned error  // the failure after which nobody knows what the disk holds
	closed   bool
}

// Create starts a new record at path and locks it. It never overwrites one.
func Create(path string) (*Log, error) { return create(osDisk{}, path) }

// Open opens a record to go on with it: it verifies every line, sets a torn last line
// aside (a power cut during Append) and locks the file against a second program.
// What it returns is on the disk: an entry whose Append failed is there now, whole, or it is not.
func Open(path string) (*Log, []Entry, error) { return open(osDisk{}, path) }

func create(d disk, path string) (*Log, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("create record: %w", err)
	}
	f, err := d.create(path)
	if errors.Is(err, fs.ErrExist) {
		return nil, &ExistsError{Path: path, Err: err}
	}
	if err != nil {
		return nil, fmt.Errorf("create record: %w", err)
	}
	l := &Log{disk: d, path: path, file: f, head: Start}
	if err := l.begin(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return l, nil
}

// begin locks a new file and makes its name durable, or takes it away again.
func (l *Log) begin() error {
	if err := l.lock(); err != nil {
		return err // another program opened it meanwhile: it is theirs now
	}
	if err := errors.Join(l.file.Sync(), l.disk.syncFolder(filepath.Dir(l.path))); err != nil {
		return errors.Join(fmt.Errorf("create record %s: %w", l.path, err), l.disk.remove(l.path))
	}
	return nil
}

func (l *Log) lock() error {
	err := l.disk.lock(l.file)
	if errors.Is(err, errLocked) {
		return &LockedError{Path: l.path}
	}
	if err != nil {
		return fmt.Errorf("lock record %s: %w", l.path, err)
	}
	return nil
}

func open(d disk, path string) (*Log, []Entry, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, nil, fmt.Errorf("open record: %w", err)
	}
	f, err := d.open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("open record: %w", err)
	}
	l := &Log{disk: d, path: path, file: f}
	entries, err := l.resume()
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return l, entries, nil
}

// resume locks, verifies and settles the file.
func (l *Log) resume() ([]Entry, error) {
	if err := l.lock(); err != nil {
		return nil, err
	}
	c, err := readChain(io.NewSectionReader(l.file, 0, MaxRecord+1), l.path)
	if err != nil {
		return nil, err
	}
	l.size, l.entries, l.head = c.size, len(c.entries), c.head()
	if len(c.tail) > 0 {
		if err := l.setAside(c.tail); err != nil {
			return nil, fmt.Errorf("open record %s: set its torn last line aside: %w", l.path, err)
		}
	}
	if err := l.settle(c.last); err != nil {
		return nil, fmt.Errorf("open record %s: %w", l.path, err)
	}
	return c.entries, nil
}

// settle brings to the disk what was read. After an fsync that failed, the
// system may serve bytes from memory that the disk does not have, and a second
// fsync does not write them: so the last line is written again, the same bytes
// in the same place. Lines before it were synced before it was begun.
func (l *Log) settle(last []byte) error {
	if len(last) > 0 {
		if _, err := l.file.WriteAt(last, l.size-int64(len(last))); err != nil {
			return err
		}
	}
	if err := l.file.Sync(); err != nil {
		return err
	}
	return l.disk.syncFolder(filepath.Dir(l.path))
}

// Append writes one entry and returns when it is on the disk. After an
// *AppendError the log is poisoned: it takes no more entries until it is opened
// again, which tells whether this one is there. data must be something that encoding/json can
// write; an entry that breaks a limit is refused without harm.
func (l *Log) Append(now time.Time, actor, event string, data any) (Entry, error) {
	if l.closed {
		return Entry{}, fmt.Errorf("write to record %s: %w", l.path, fs.ErrClosed)
	}
	if l.poisoned != nil {
		return Entry{}, fmt.Errorf("write to record %s: %w: %w", l.path, ErrPoisoned, l.poisoned)
	}
	e, line, err := newEntry(l.entries+1, l.head, now, actor, event, data)
	if err != nil {
		return Entry{}, fmt.Errorf("write to record %s: %w", l.path, err)
	}
	if l.size+int64(len(line)) > MaxRecord {
		return Entry{}, fmt.Errorf("write to record %s: it would have more than %d bytes", l.path, MaxRecord)
	}
	if err := l.write(line); err != nil {
		l.poisoned = &AppendError{Path: l.path, Seq: e.Seq, Err: err}
		return Entry{}, l.poisoned
	}
	l.size += int64(len(line))
	l.entries, l.head = e.Seq, e.Hash
	return e, nil
}

func (l *Log) write(line []byte) error {
	if err := l.checkUntouched(); err != nil {
		return err
	}
	if _, err := l.file.WriteAt(line, l.size); err != nil {
		return err
	}
	return l.file.Sync()
}

// checkUntouched sees what the lock cannot prevent: a program that does not ask
// for it, or a record that was moved away or deleted under our hands.
func (l *Log) checkUntouched() error {
	open, err := l.file.Stat()
	if err != nil {
		return err
	}
	named, err := l.disk.stat(l.path)
	if err != nil {
		return err
	}
	if !os.SameFile(open, named) {
		return errors.New("another file stands in its place")
	}
	if open.Size() != l.size {
		return fmt.Errorf("it has %d bytes where %d were written: another program changed it", open.Size(), l.size)
	}
	return nil
}

// Head is the hash of the last entry and how many there are.
func (l *Log) Head() (hash string, n int) { return l.head, l.entries }

// Path is where the record stands.
func (l *Log) Path() string { return l.path }

// Torn is the file into which Open set a torn last line aside, or "".
func (l *Log) Torn() string { return l.torn }

// Close lets go of the file.
func (l *Log) Close() error {
	if l.closed {
		return nil
	}
	l.closed = true
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("close record %s: %w", l.path, err)
	}
	return nil
}

// maxTorn is how many torn lines may stand beside a record: more means that
// something other than power cuts is at work.
const maxTorn = 1000

// setAside keeps tail in a file of its own, then cuts it off the record. A power
// cut in between finds the file there and does not make another.
func (l *Log) setAside(tail []byte) error {
	for n := 1; n <= maxTorn; n++ {
		path := fmt.Sprintf("%s.torn-%d", l.path, n)
		done, err := l.keep(path, tail)
		if err != nil {
			return err
		}
		if done {
			l.torn = path
			return l.file.Truncate(l.size)
		}
	}
	return fmt.Errorf("there are %d torn lines already", maxTorn)
}

// keep writes tail to path, durably. It reports false where other bytes stand there.
func (l *Log) keep(path string, tail []byte) (done bool, err error) {
	f, err := l.disk.create(path)
	if errors.Is(err, fs.ErrExist) {
		return l.kept(path, tail)
	}
	if err != nil {
		return false, err
	}
	_, err = f.WriteAt(tail, 0)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return false, err
	}
	return true, l.disk.syncFolder(filepath.Dir(path))
}

// kept says whether path holds tail already, and makes sure that it is on the disk.
func (l *Log) kept(path string, tail []byte) (done bool, err error) {
	f, err := l.disk.open(path)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	there, err := io.ReadAll(io.NewSectionReader(f, 0, int64(len(tail))+1))
	if err != nil || !bytes.Equal(there, tail) {
		return false, err
	}
	// Written again for the reason given at settle.
	if _, err := f.WriteAt(tail, 0); err != nil {
		return false, err
	}
	return true, errors.Join(f.Sync(), l.disk.syncFolder(filepath.Dir(path)))
}
