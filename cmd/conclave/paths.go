package main

import (
	"path/filepath"
	"strings"
)

// absoluteStore makes the URL of a folder hold wherever the program is called from next.
func absoluteStore(url string) (string, error) {
	path, isFile := strings.CutPrefix(url, "file:")
	if !isFile && strings.Contains(url, ":") || strings.HasPrefix(path, "/") {
		return url, nil
	}
	path, err := filepath.Abs(path)
	return "file:" + path, err
}
