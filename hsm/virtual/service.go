package virtual

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
)

// socketVariable names the socket to libpcsclite, which reads it once, before
// its first call.
const socketVariable = "PCSCLITE_CSOCK_NAME"

// maxSocketPath is what fits into a socket address, with the closing zero.
const maxSocketPath = 107

// maxClients bounds the connections served at once. A program holds one for
// each PC/SC context, and few of them.
const maxClients = 256

// A Service is an in-process PC/SC service with up to 16 USB readers, each of
// which is there only while its card is, as with real YubiKeys.
type Service struct {
	folder   string
	listener *net.UnixListener
	done     sync.WaitGroup // the acceptor and every client

	mu      sync.Mutex // guards the rest; taken before a client's
	closed  bool
	seats   [maxReaders]*seat
	events  [maxReaders]uint32 // cards seen in each place
	clients map[*client]struct{}
	waiting map[*client]struct{} // owed one answer to reqWait
	handles map[int32]*handle
	context map[uint32]*client
	last    uint32 // handle or context given out
}

// A seat is one card in one reader, from its insertion to its removal.
type seat struct {
	reader    string
	card      *Card // nil in a reader that stays empty
	events    uint32
	pulled    chan struct{} // closed when the card goes
	holders   int           // open handles
	exclusive bool          // the one holder wants no other
	lock      *handle       // holder of the transaction
}

// A handle is one connection to a seat. It stays with that seat: when the
// card comes back, it comes back in another.
type handle struct {
	client *client
	seat   *seat
}

// gone reports whether the card of the seat was removed.
func (s *seat) gone() bool {
	select {
	case <-s.pulled:
		return true
	default:
		return false
	}
}

// sharing is how pcsc-lite counts holders: -1 for an exclusive one.
func (s *seat) sharing() int32 {
	if s.exclusive {
		return -1
	}
	return int32(s.holders)
}

// Start makes a socket in a private folder inside dir, which it creates if
// need be, and serves PC/SC on it. It does not touch the environment: see Use.
func Start(dir string) (*Service, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("start smart card service: %w", err)
	}
	folder, err := os.MkdirTemp(dir, "pcsc-") // 0700
	if err != nil {
		return nil, fmt.Errorf("start smart card service: %w", err)
	}
	s, err := listen(folder)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start smart card service: %w", err), os.RemoveAll(folder))
	}
	s.done.Add(1)
	go s.accept()
	return s, nil
}

func listen(folder string) (*Service, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(folder, "comm")
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("path of %d bytes is too long for a socket, at most %d fit: %s", len(path), maxSocketPath, path)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	return &Service{
		folder: folder, listener: l,
		clients: map[*client]struct{}{}, waiting: map[*client]struct{}{},
		handles: map[int32]*handle{}, context: map[uint32]*client{},
	}, nil
}

// Socket returns the path of the socket.
func (s *Service) Socket() string { return s.listener.Addr().String() }

// used is the socket that this process gave to libpcsclite, which never
// looks again.
var used struct {
	sync.Mutex
	socket string
}

// Use points this process's libpcsclite to the service. Call it before the
// first PC/SC call; later it would change nothing. One process can use one
// service in its life.
func (s *Service) Use() error {
	used.Lock()
	defer used.Unlock()
	if used.socket != "" && used.socket != s.Socket() {
		return errors.New("use smart card service: this process already uses another one, for good")
	}
	if err := os.Setenv(socketVariable, s.Socket()); err != nil {
		return fmt.Errorf("use smart card service: %w", err)
	}
	used.socket = s.Socket()
	return nil
}

// Insert plugs a card in and returns the name of the reader that it brings.
// A card that is in already stays where it is.
func (s *Service) Insert(c *Card) (reader string, err error) {
	if in := s.find(c); in != nil {
		return in.reader, nil
	}
	c.powerUp() // outside of s.mu: it waits for an exchange that was cut off
	s.mu.Lock()
	defer s.mu.Unlock()
	if in := s.seatOf(c); in != nil {
		return in.reader, nil
	}
	if s.closed {
		return "", errors.New("insert card: the smart card service is closed")
	}
	reader, ok := s.place(c.readerName(), c)
	if !ok {
		return "", fmt.Errorf("insert card: all %d readers are taken", maxReaders)
	}
	return reader, nil
}

// readerName is what the reader is called that a card sits in.
func (c *Card) readerName() string {
	if c.foreign {
		return "Generic Smart Card Reader"
	}
	return "Yubico YubiKey OTP+FIDO+CCID"
}

// AddEmptyReader plugs in a reader without a card, which stays so until Close.
func (s *Service) AddEmptyReader(name string) (reader string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	reader, ok := s.place(name, nil)
	if !ok {
		return "", fmt.Errorf("add reader: all %d readers are taken", maxReaders)
	}
	return reader, nil
}

// place fills the first free seat. The caller holds s.mu.
func (s *Service) place(name string, c *Card) (reader string, ok bool) {
	for i, taken := range s.seats {
		if taken != nil {
			continue
		}
		s.events[i]++
		reader = fmt.Sprintf("%s %02d 00", name, i)
		s.seats[i] = &seat{reader: reader, card: c, events: s.events[i], pulled: make(chan struct{})}
		s.wake()
		return reader, true
	}
	return "", false
}

// Remove pulls a card out, also while it is at work.
func (s *Service) Remove(c *Card) {
	if in := s.find(c); in != nil {
		s.vacate(in)
	}
}

// Inserted reports whether a card is in a reader.
func (s *Service) Inserted(c *Card) bool { return s.find(c) != nil }

// Handles counts the open card handles, stale ones included. It lets tests
// prove that none was left behind.
func (s *Service) Handles() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.handles)
}

func (s *Service) find(c *Card) *seat {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seatOf(c)
}

// seatOf returns the seat of a card, nil for none. The caller holds s.mu.
func (s *Service) seatOf(c *Card) *seat {
	for _, in := range s.seats {
		if in != nil && in.card == c && c != nil {
			return in
		}
	}
	return nil
}

func (s *Service) vacate(gone *seat) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, in := range s.seats {
		if in == gone {
			close(in.pulled)
			s.seats[i] = nil
			s.events[i]++
			s.wake()
		}
	}
}

// wake answers every client that waits for a change. The caller holds s.mu.
func (s *Service) wake() {
	for c := range s.waiting {
		delete(s.waiting, c)
		c.signal(resOK)
	}
}

// Close ends the service: cards are pulled, connections cut, the socket
// removed. It returns when all its goroutines have ended.
func (s *Service) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	for i, in := range s.seats {
		if in != nil {
			close(in.pulled)
			s.seats[i] = nil
		}
	}
	for c := range s.clients {
		_ = c.conn.Close()
	}
	s.mu.Unlock()
	err := s.listener.Close()
	s.done.Wait()
	if err := errors.Join(err, os.RemoveAll(s.folder)); err != nil {
		return fmt.Errorf("close smart card service: %w", err)
	}
	return nil
}

func (s *Service) accept() {
	defer s.done.Done()
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return // closed
		}
		c := &client{service: s, conn: conn}
		if !s.admit(c) {
			_ = conn.Close()
			continue
		}
		go c.serve()
	}
}

func (s *Service) admit(c *client) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.clients) >= maxClients {
		return false
	}
	s.clients[c] = struct{}{}
	s.done.Add(1)
	return true
}

// dismiss forgets a client and all that it held.
func (s *Service) dismiss(c *client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.clients, c)
	delete(s.waiting, c)
	for id, owner := range s.context {
		if owner == c {
			delete(s.context, id)
		}
	}
	for id, h := range s.handles {
		if h.client == c {
			s.drop(id, h)
		}
	}
}

// drop closes a handle. The caller holds s.mu.
func (s *Service) drop(id int32, h *handle) {
	delete(s.handles, id)
	h.seat.holders--
	h.seat.exclusive = false // an exclusive holder was the only one
	if h.seat.lock == h {
		h.seat.lock = nil
	}
	s.wake()
}

// number gives out a handle or context. The caller holds s.mu.
func (s *Service) number() uint32 {
	s.last++
	if s.last > 1<<31-1 { // handles are signed, and zero is none
		s.last = 1
	}
	return s.last
}

// readers writes the reader list. The caller holds s.mu.
func (s *Service) readers() []byte {
	b := make([]byte, maxReaders*readerEntry)
	for i, in := range s.seats {
		if in != nil {
			in.entry(b[i*readerEntry:])
		}
	}
	return b
}
