package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"conclave/ceremony/tuf"
)

// TestReadmeStory runs the first console lines of the README one after the other, as a reader would.
func TestReadmeStory(t *testing.T) {
	raw, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	run := newShell(t, t.TempDir())
	ran := 0
	for _, line := range consoleBlocks(string(raw))[0] {
		run(line)
		ran++
	}
	if ran < 8 {
		t.Errorf("only %d lines were run: the story has moved", ran)
	}
}

// newShell returns what runs a line in dir, where conclave is this program, and answers what it prints.
func newShell(t *testing.T, dir string) func(line string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(self, bin+"/conclave"); err != nil { // testscript makes this name the program
		t.Fatal(err)
	}
	return func(line string) string {
		t.Helper()
		cmd := exec.Command("sh", "-c", line)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("$ %s\n%s\n%v", line, out, err)
		}
		return string(out)
	}
}

// consoleBlocks are the commands in the README's console blocks.
func consoleBlocks(readme string) [][]string {
	var blocks [][]string
	inside := false
	for line := range strings.Lines(readme) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "```"):
			if inside = line == "```console"; inside {
				blocks = append(blocks, nil)
			}
		case inside && strings.HasPrefix(line, "$ "):
			last := len(blocks) - 1
			blocks[last] = append(blocks[last], line[2:])
		}
	}
	return blocks
}

// TestReadmeRelease plays the README's second story by a script, because keyholders take part in it; its lines stand in
// the script as they stand in the README.
func TestReadmeRelease(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("testdata/readme/release.txtar")
	if err != nil {
		t.Fatal(err)
	}
	story := consoleBlocks(string(readme))[1]
	if len(story) != 10 {
		t.Errorf("the README tells the story in %d lines", len(story))
	}
	rest := string(script)
	for _, line := range story {
		_, behind, found := strings.Cut(rest, line)
		if !found {
			t.Fatalf("the script does not run this line of the README, or not in its place:\n%s", line)
		}
		rest = behind
	}
	world := newWeb(t)
	runScripts(t, "testdata/readme", world.storage, func(e *testscript.Env) error {
		world.setup(e)
		return setup(e)
	})
}

// TestReadmeListsExitCodes holds the README's table against the program's help.
func TestReadmeListsExitCodes(t *testing.T) {
	raw, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(exitCodeHelp, "\n")[1:] {
		code := strings.Fields(line)[0]
		if !strings.Contains(string(raw), "| "+code+" |") {
			t.Errorf("the README does not explain exit code %s", code)
		}
	}
}

// TestTheExampleOfPushRunsAsItStands runs the example of "conclave publish push --help" on the first bundle of a rehearsal, whose
// store, memory and pin are as on the day before.
func TestTheExampleOfPushRunsAsItStands(t *testing.T) {
	if testing.Short() {
		t.Skip("a whole rehearsal")
	}
	dir := filepath.Join(t.TempDir(), "play")
	newShell(t, filepath.Dir(dir))("conclave rehearse play --auto")
	run := newShell(t, dir)
	help := run("conclave publish push --help")
	_, example, _ := strings.Cut(help, "Examples:\n")
	example, _, found := strings.Cut(example, "\n\n")
	if !found || !strings.Contains(example, "conclave publish push ") {
		t.Fatalf("there is no example:\n%s", help)
	}
	run("rm -r repository/metadata repository/targets online/state online/pinned.root.json && cp bundles/root-1+targets-1.complete.bundle.json .")
	root, err := os.ReadFile(filepath.Join(dir, "trusted/1.root.json"))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := tuf.Parse(root)
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Join(doc.Digest().Words(), " ") + "\n"
	if err := os.WriteFile(filepath.Join(dir, "printed-words"), []byte(words), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := run(example); !strings.Contains(out, "published: root 1\n") || !strings.Contains(out, "published: timestamp 1\n") {
		t.Errorf("$ %s\n%s", example, out)
	}
	run("cmp trusted/1.root.json online/pinned.root.json")
}
