package tuf

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxTargetPath is the longest target path that is built: object stores and
// file systems stop soon after.
const maxTargetPath = 900

// CheckTargetPath refuses paths that mean different files to different
// stores and clients, or lead out of the repository. Its error is a *BuildError.
func CheckTargetPath(path string) error {
	what := badTargetPath(path)
	if what == "" {
		return nil
	}
	return &BuildError{
		What: fmt.Sprintf("target path %q %s", shorten(path, maxPathName), what),
		hint: "use names like release/tool-1.2.tar.gz: parts divided by single slashes",
	}
}

func badTargetPath(path string) string {
	switch {
	case path == "":
		return "is empty"
	case len(path) > maxTargetPath:
		return fmt.Sprintf("has %d bytes, more than %d", len(path), maxTargetPath)
	case !utf8.ValidString(path):
		return "is not UTF-8"
	case strings.IndexFunc(path, isControl) >= 0:
		return "holds a control character"
	case strings.Contains(path, `\`):
		return "holds a backslash"
	case strings.HasPrefix(path, "/"):
		return "begins with a slash"
	case strings.HasSuffix(path, "/"):
		return "ends with a slash"
	}
	for part := range strings.SplitSeq(path, "/") {
		switch part {
		case "":
			return "has two slashes in a row"
		case ".", "..":
			return fmt.Sprintf("has the part %q", part)
		}
	}
	return ""
}

// PathWarning says in a sentence why some clients may not find a target of this
// path, or returns "" where all do.
func PathWarning(path string) string {
	for _, c := range path {
		switch {
		case c == ' ':
			return "the name holds a space, which some clients escape twice in the address"
		case strings.ContainsRune("%#?", c):
			return fmt.Sprintf("the name holds %q, which has a meaning of its own in an address", c)
		case c > 0x7e:
			return "the name holds characters beyond ASCII, which clients sort and escape in different ways"
		}
	}
	return ""
}
