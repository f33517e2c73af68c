package client

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"conclave/ceremony/tuf"
	"conclave/transfer"
)

// Folder is a cache in a folder: NAME.json for every role, with the role's name
// URL-quoted, and no other file that ends in .json.
type Folder string

// Load reads the role's file.
func (f Folder) Load(role string) ([]byte, error) {
	path := f.path(role)
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > tuf.MaxSize {
		return nil, fmt.Errorf("%s is not a metadata file", path)
	}
	return os.ReadFile(path)
}

// Store replaces the role's file at once: a reader, and a power cut, see the old or the new one.
func (f Folder) Store(role string, raw []byte) error {
	if err := os.MkdirAll(string(f), 0o755); err != nil {
		return err
	}
	return transfer.Replace(f.path(role), raw)
}

func (f Folder) path(role string) string {
	return filepath.Join(string(f), url.PathEscape(role)+".json")
}

// Memory is a cache that lasts as long as the program.
type Memory map[string][]byte

// Load returns what was stored.
func (m Memory) Load(role string) ([]byte, error) {
	raw, ok := m[role]
	if !ok {
		return nil, fmt.Errorf("load %q: %w", role, fs.ErrNotExist)
	}
	return raw, nil
}

// Store keeps raw.
func (m Memory) Store(role string, raw []byte) error {
	m[role] = raw
	return nil
}
