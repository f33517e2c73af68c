package transfer

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"conclave/ceremony/tuf"
)

// maxAdopted is how many metadata files are read at most: a long root chain and many delegated roles.
const maxAdopted = 4096

// An AdoptError says which metadata file is not taken, and why.
type AdoptError struct {
	Path string
	Err  error
	hint string
}

func (e *AdoptError) Error() string { return fmt.Sprintf("adopt %s: %v", e.Path, e.Err) }

// Unwrap gives the reason.
func (e *AdoptError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *AdoptError) Hint() string {
	if e.hint != "" {
		return e.hint
	}
	var hinted interface{ Hint() string }
	if errors.As(e.Err, &hinted) {
		return hinted.Hint()
	}
	return "Nothing was written. Name the metadata files one by one, without this one."
}

// Adopt reads bare TUF metadata as other tools lay it out: files, or folders of them
// (N.root.json, root_history/N.root.json, targets.json, …). It returns the roots in the order of their versions, then
// targets, delegated roles, snapshot and timestamp. A delegated role has the name of its file. Of a
// role but root only the newest version is given. Nothing is verified here but that the
// root chain has no gap and no version has two payloads.
func Adopt(paths []string) ([]Document, error) {
	files, err := metadataFiles(paths)
	if err != nil {
		return nil, err
	}
	var all []adopted
	for _, path := range files {
		a, err := adopt(path)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	slices.SortFunc(all, compareAdopted)
	return newest(all)
}

// An adopted document remembers its file, to name it.
type adopted struct {
	Document
	path string
}

// compareAdopted orders by role as Adopt promises, then by version.
func compareAdopted(a, b adopted) int {
	rank := func(role string) int {
		return 1 + slices.Index([]string{tuf.Root, tuf.Targets, "", tuf.Snapshot, tuf.Timestamp}, role)
	}
	order := func(role string) int {
		if n := rank(role); n > 0 {
			return n
		}
		return 3 // a delegated role
	}
	return cmp.Or(
		cmp.Compare(order(a.Role), order(b.Role)), strings.Compare(a.Role, b.Role),
		cmp.Compare(a.Metadata.Version(), b.Metadata.Version()), strings.Compare(a.path, b.path),
	)
}

// newest takes every root and of the other roles the last, and refuses gaps and doubles.
func newest(all []adopted) ([]Document, error) {
	var docs []Document
	for i, a := range all {
		if i == 0 || all[i-1].Role != a.Role {
			docs = append(docs, a.Document)
			continue
		}
		last := all[i-1]
		switch step := a.Metadata.Version() - last.Metadata.Version(); {
		case step == 0:
			if err := sameFile(last, a); err != nil {
				return nil, err
			}
		case a.Role != tuf.Root:
			docs[len(docs)-1] = a.Document
		case step > 1:
			return nil, &AdoptError{
				a.path, fmt.Errorf("root %d follows root %d: %s missing between them", a.Metadata.Version(), last.Metadata.Version(),
					missingRoots(last.Metadata.Version()+1, a.Metadata.Version()-1)),
				"Clients walk the roots one by one. Bring the whole chain.",
			}
		default:
			docs = append(docs, a.Document)
		}
	}
	return docs, nil
}

// sameFile takes a file that stands in two places, such as root.json and 5.root.json.
func sameFile(a, b adopted) error {
	switch {
	case string(a.Metadata.Bytes()) == string(b.Metadata.Bytes()):
		return nil
	case a.Metadata.Digest() == b.Metadata.Digest():
		return &AdoptError{
			b.path, fmt.Errorf("%s holds the same %s %d with other signatures", a.path, a.Role, a.Metadata.Version()),
			"Adopt each into a bundle of its own and unite them with conclave join.",
		}
	}
	return &AdoptError{
		b.path, fmt.Errorf("%s holds another %s %d", a.path, a.Role, a.Metadata.Version()),
		"There can be only one. Find out which is the right one, and give only that.",
	}
}

// adopt reads one file.
func adopt(path string) (adopted, error) {
	fail := func(err error, hint string) (adopted, error) { return adopted{}, &AdoptError{path, err, hint} }
	raw, err := readLimited(path, tuf.MaxSize)
	if err != nil {
		return fail(err, "")
	}
	doc, err := tuf.Parse(raw)
	if err != nil {
		return fail(err, "")
	}
	version, role := splitName(filepath.Base(path))
	if version != 0 && version != doc.Version() {
		return fail(fmt.Errorf("it is named version %d and is version %d inside", version, doc.Version()), "Somebody renamed or mixed up files. Get it again from its source.")
	}
	if want := typeOf(role); want != doc.Type() {
		if want != tuf.Targets || role == tuf.Targets {
			return fail(fmt.Errorf("it is named %s and is of type %s inside", role, doc.Type()), "Somebody renamed or mixed up files. Get it again from its source.")
		}
		role = doc.Type() // "new-root-draft.json": the type says it
	}
	if err := checkRoleName(role); err != nil {
		return fail(err, "Rename the file after its role: NAME.json or VERSION.NAME.json.")
	}
	return adopted{Document{role, doc}, path}, nil
}

// splitName reads "5.root.json": version 0 where the name has none. Names of
// roles stand in file names as in addresses, with %2F for a slash.
func splitName(name string) (version int64, role string) {
	role = strings.TrimSuffix(name, ".json")
	if number, rest, ok := strings.Cut(role, "."); ok && rest != "" {
		if n, err := strconv.ParseInt(number, 10, 64); err == nil && n > 0 && strconv.FormatInt(n, 10) == number {
			version, role = n, rest
		}
	}
	if plain, err := url.PathUnescape(role); err == nil {
		role = plain
	}
	return version, role
}

// metadataFiles lists the files to read: those that are named, and the JSON
// files in the folders that are named.
func metadataFiles(paths []string) ([]string, error) {
	var files []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, &AdoptError{Path: path, Err: err}
		}
		if !info.IsDir() {
			files = append(files, path)
			continue
		}
		below, err := folderFiles(path)
		if err != nil {
			return nil, err
		}
		files = append(files, below...)
	}
	slices.Sort(files)
	files = slices.Compact(files)
	switch {
	case len(files) == 0:
		return nil, &AdoptError{Path: strings.Join(paths, " "), Err: errors.New("no metadata file is there"), hint: "Give a folder that holds files like root.json or 1.root.json."}
	case len(files) > maxAdopted:
		return nil, &AdoptError{Path: strings.Join(paths, " "), Err: fmt.Errorf("there are more than %d files", maxAdopted)}
	}
	return files, nil
}

// folderFiles are the JSON files of a folder and of its root_history; where
// there is none, those of its folder metadata, as a whole repository has it.
func folderFiles(dir string) ([]string, error) {
	var files []string
	for _, at := range []string{dir, filepath.Join(dir, "root_history")} {
		more, err := jsonFiles(at)
		if err != nil && (at == dir || !errors.Is(err, fs.ErrNotExist)) {
			return nil, &AdoptError{Path: at, Err: err}
		}
		files = append(files, more...)
	}
	if at := filepath.Join(dir, "metadata"); len(files) == 0 {
		if _, err := os.Stat(at); err == nil {
			return folderFiles(at)
		}
	}
	return files, nil
}

func jsonFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	var files []string
	for _, e := range entries {
		if !e.IsDir() && strings.HasSuffix(e.Name(), ".json") {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	return files, err
}
