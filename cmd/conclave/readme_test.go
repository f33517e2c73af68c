package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestReadmeStory runs the console lines of the README one after the other, as a reader would.
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
	for _, line := range consoleLines(string(raw)) {
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

// consoleLines are the commands in the README's console blocks.
func consoleLines(readme string) []string {
	var lines []string
	inside := false
	for _, line := range strings.Split(readme, "\n") {
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```console"
		case inside && strings.HasPrefix(line, "$ "):
			lines = append(lines, line[2:])
		}
	}
	return lines
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
