package publish

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

//go:embed deploy
var deployment embed.FS

// Deployment lists the files that an unattended host and its monitor need: systemd units and Prometheus' alert rules.
func Deployment() (fs.FS, error) { return fs.Sub(deployment, "deploy") }

// WriteDeployment writes them into dir and returns their paths. It overwrites nothing.
func WriteDeployment(dir string) (paths []string, err error) {
	files, err := Deployment()
	if err != nil {
		return nil, fmt.Errorf("write units: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("write units: %w", err)
	}
	err = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		path := filepath.Join(dir, name)
		paths = append(paths, path)
		err = writeNew(path, raw, 0o644)
		if errors.Is(err, fs.ErrExist) {
			return withHint(err, "nothing is overwritten; use another folder and compare")
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("write units: %w", err)
	}
	return paths, nil
}
