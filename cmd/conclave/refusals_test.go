//go:build !offline

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/spf13/cobra"
)

// internals are words of the language and of libraries that nobody at a ceremony can make use of.
var internals = regexp.MustCompile(`strconv\.|: json: |Go struct|goroutine |panic|parsing time|invalid character|\(s\)|in the group|%!`)

// TestEveryRefusalSaysWhatToDo makes the mistakes of a list with the real program: each must end with the
// exit code of the manual, say what is wrong in people's words, and then what to do. Every command
// must be in the list.
func TestEveryRefusalSaysWhatToDo(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the program some 250 times")
	}
	t.Parallel()
	dir := refusalsWorld(t)
	raw, err := os.ReadFile("testdata/refusals.txt")
	if err != nil {
		t.Fatal(err)
	}
	var lines [][]string
	for line := range strings.Lines(string(raw)) {
		if words := mistake(line); len(words) > 0 {
			lines = append(lines, words)
		}
	}
	var all sync.WaitGroup
	for mine := range slices.Chunk(lines, (len(lines)+1)/2) { // nothing is written: they do not meet
		all.Go(func() {
			for _, words := range mine {
				refused(t, dir, words)
			}
		})
	}
	all.Wait()
	for _, name := range leaves((&program{}).root()) {
		if !slices.ContainsFunc(lines, func(words []string) bool { return strings.HasPrefix(strings.Join(words[1:], " ")+" ", name+" ") }) &&
			name != "client refresh" && name != "client download" && name != "client init" { // their options come first
			t.Errorf("no line of testdata/refusals.txt makes a mistake with conclave %s", name)
		}
	}
}

// mistake splits a line of the list into exit code and arguments.
func mistake(line string) []string {
	line, _, _ = strings.Cut(strings.TrimSpace(line), "#")
	line = os.Expand(line, func(name string) string {
		return map[string]string{
			"base":    "--repository good/repository/metadata --root good/trusted/1.root.json",
			"genesis": "--holder A --holder B --root-threshold 2 --targets-threshold 1 --snapshot-key good/online/snapshot.pub --timestamp-key good/online/timestamp.pub",
			"sign":    "good/bundles/2-release.bundle.json --plain --root good/trusted/1.root.json",
			"store":   "--store file:x --passphrase-file good/online/passphrase",
		}[name]
	})
	words := strings.Fields(line)
	for i, w := range words {
		if w == `""` {
			words[i] = ""
		}
	}
	return words
}

func refused(t *testing.T, dir string, words []string) {
	t.Helper()
	cmd := exec.Command("conclave", words[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PCSCLITE_CSOCK_NAME="+filepath.Join(dir, "nobody"), "HOME="+dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	_ = cmd.Run()
	said, json := stderr.String(), slices.Contains(words, "--json")
	bad := internals.FindString(said)
	switch code := cmd.ProcessState.ExitCode(); {
	case strconv.Itoa(code) != words[0]:
		t.Errorf("conclave %q: exit code %d, want %s:\n%s", words[1:], code, words[0], said)
	case bad != "":
		t.Errorf("conclave %q says %q to people:\n%s", words[1:], bad, said)
	case !json && !regexp.MustCompile(`(?m)^conclave: .+\nhint: .{10,}\n$`).MatchString(said),
		json && !strings.Contains(said, `"hint":"`):
		t.Errorf("conclave %q does not end with what is wrong and a hint:\n%s", words[1:], said)
	}
}

// leaves are the commands that do something, by what is typed behind "conclave".
func leaves(cmd *cobra.Command) []string {
	if !cmd.HasSubCommands() {
		return []string{strings.TrimPrefix(cmd.CommandPath(), "conclave ")}
	}
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, leaves(c)...)
	}
	return names
}

// refusalsWorld has everything that is right, in good, and some of what people take for it.
func refusalsWorld(t *testing.T) string {
	dir := t.TempDir()
	good := filepath.Join(dir, "good")
	if out, err := exec.Command("conclave", "rehearse", good, "--auto", "--holders", "2", "--root-threshold", "1", "--targets-threshold", "1").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	whole, err := os.ReadFile(filepath.Join(good, "bundles", "root-2.complete.bundle.json"))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"empty": "", "other.json": `{"a":1}` + "\n", "cut.json": string(whole[:700]),
		"picture.png": "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + strings.Repeat("\x00\xff", 3000),
	} {
		leave(t, filepath.Join(dir, name), content)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
