package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestReadmeStory runs the first console lines of the README one after the other, as a reader would.
func TestReadmeStory(t *testing.T) {
	raw, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, bin := t.TempDir(), t.TempDir()
	if err := os.Symlink(self, bin+"/conclave"); err != nil { // testscript makes this name the program
		t.Fatal(err)
	}
	ran := 0
	for _, line := range consoleBlocks(string(raw))[0] {
		cmd := exec.Command("sh", "-c", line)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("$ %s\n%s\n%v", line, out, err)
		}
		ran++
	}
	if ran < 8 {
		t.Errorf("only %d lines were run: the story has moved", ran)
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
