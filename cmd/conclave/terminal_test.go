package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/creack/pty"
	"github.com/hinshun/vt10x"
	"github.com/rogpeppe/go-internal/testscript"
)

// patience is how long a script waits for something to appear. It is long, so that a
// slow machine fails no test; nothing waits longer than it must.
const patience = 30 * time.Second

// A terminal is one program on a pty, and what it has drawn there.
type terminal struct {
	cmd  *exec.Cmd
	pty  *os.File
	vt   vt10x.Terminal
	done chan struct{} // closed when the program has ended

	mu     sync.Mutex
	said   bytes.Buffer  // everything since the last keys, for programs that write lines
	change chan struct{} // closed and replaced when something was drawn
}

func startTerminal(ts *testscript.TestScript, cols, rows int, args []string) *terminal {
	cmd := exec.Command(args[0], args[1:]...)
	if path, err := lookPath(ts, args[0]); err == nil {
		cmd.Path = path
		cmd.Err = nil
	}
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = environ(ts)
	f, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: uint16(rows), Cols: uint16(cols)})
	ts.Check(err)
	t := &terminal{
		cmd: cmd, pty: f, done: make(chan struct{}), change: make(chan struct{}),
		vt: vt10x.New(vt10x.WithSize(cols, rows), vt10x.WithWriter(f)),
	}
	go t.draw()
	ts.Defer(func() {
		_ = cmd.Process.Kill()
		<-t.done
		_ = f.Close()
	})
	return t
}

// environ is the script's environment, on a terminal.
func environ(ts *testscript.TestScript) []string {
	env := []string{"TERM=xterm-256color"}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "NO_COLOR", "PCSCLITE_CSOCK_NAME", "TEA_TRACE", "TEA_DEBUG", "UV_DEBUG", "GORACE"} {
		if v := ts.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}

func lookPath(ts *testscript.TestScript, name string) (string, error) {
	for _, dir := range strings.Split(ts.Getenv("PATH"), string(os.PathListSeparator)) {
		path := dir + string(os.PathSeparator) + name
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return path, nil
		}
	}
	return "", exec.ErrNotFound
}

// draw copies what the program writes to the emulator until the program has gone.
func (t *terminal) draw() {
	buf := make([]byte, 4096)
	for {
		n, err := t.pty.Read(buf)
		t.mu.Lock()
		_, _ = t.vt.Write(buf[:n])
		t.said.Write(buf[:n])
		close(t.change)
		t.change = make(chan struct{})
		t.mu.Unlock()
		if err != nil {
			_ = t.cmd.Wait()
			close(t.done)
			return
		}
	}
}

// screen is the picture, without trailing space.
func (t *terminal) screen() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.picture()
}

func (t *terminal) picture() string {
	var b strings.Builder
	for _, l := range strings.Split(strings.TrimRight(t.vt.String(), " \n"), "\n") {
		b.WriteString(strings.TrimRight(l, " ") + "\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// lines is what was written since the last keys, as lines without control sequences.
func (t *terminal) lines() string {
	return strings.ReplaceAll(ansi.Strip(t.said.String()), "\r", "")
}

// until waits for ok, looking again whenever something was drawn.
func (t *terminal) until(ok func(screen, lines string) bool) bool {
	limit := time.After(patience)
	for ended := false; ; {
		t.mu.Lock()
		found, change := ok(t.picture(), t.lines()), t.change
		t.mu.Unlock()
		if found || ended {
			return found
		}
		select {
		case <-change:
		case <-t.done:
			ended = true // look once more at what it left behind
		case <-limit:
			return false
		}
	}
}

// draws reports whether the program has a screen of its own. The caller holds mu.
func (t *terminal) draws() bool { return t.vt.Mode()&vt10x.ModeAltScreen != 0 }

func (t *terminal) typeKeys(s string) error {
	t.mu.Lock()
	t.said.Reset()
	t.mu.Unlock()
	_, err := t.pty.WriteString(s)
	return err
}

// tty [-size COLSxROWS] program args... starts a program on a terminal, 80 by 24 without -size.
func ttyCmd(ts *testscript.TestScript, neg bool, args []string) {
	cols, rows := 80, 24
	if len(args) > 1 && args[0] == "-size" {
		if _, err := fmt.Sscanf(args[1], "%dx%d", &cols, &rows); err != nil {
			ts.Fatalf("tty -size takes COLSxROWS")
		}
		args = args[2:]
	}
	if neg || len(args) == 0 {
		ts.Fatalf("usage: tty [-size COLSxROWS] program args...")
	}
	*current(ts) = startTerminal(ts, cols, rows, args)
}

// see text... waits until each text has appeared: on the screen of a program that draws one,
// in the lines since the last keys of one that writes lines. ! see text holds when it is not there now.
func seeCmd(ts *testscript.TestScript, neg bool, args []string) {
	t := *current(ts)
	for _, want := range args {
		found := func(screen, lines string) bool {
			if t.draws() {
				return strings.Contains(screen, want)
			}
			return strings.Contains(lines, want)
		}
		if neg {
			t.mu.Lock()
			there := found(t.picture(), t.lines())
			t.mu.Unlock()
			if there {
				ts.Fatalf("%q is on the screen:\n%s", want, t.screen())
			}
			continue
		}
		if !t.until(found) {
			ts.Fatalf("no %q on the screen:\n%s\nlines since the last keys:\n%s", want, t.screen(), t.lines())
		}
	}
}

// keys "text"... types Go string literals without their quotes.
func keysCmd(ts *testscript.TestScript, _ bool, args []string) {
	for _, arg := range args {
		s, err := strconv.Unquote(`"` + arg + `"`)
		ts.Check(err)
		ts.Check((*current(ts)).typeKeys(s))
	}
}

// personPace is what the screens want between what they show by themselves and a
// key: a keystroke that was under way approves nothing.
const personPace = 450 * time.Millisecond

// press "text"... types like keys, each text after the pause of somebody who looked first.
func pressCmd(ts *testscript.TestScript, neg bool, args []string) {
	for _, arg := range args {
		time.Sleep(personPace)
		keysCmd(ts, neg, []string{arg})
	}
}

// leaf KEY TEXT presses KEY, page after page, until TEXT is on the screen.
func leafCmd(ts *testscript.TestScript, neg bool, args []string) {
	const mostPages = 30
	t := *current(ts)
	for range mostPages {
		if strings.Contains(t.screen(), args[1]) {
			return
		}
		pressCmd(ts, neg, args[:1])
	}
	ts.Fatalf("no %q after %d pages:\n%s", args[1], mostPages, t.screen())
}

// shot file saves the screen, for cmp and grep.
func shotCmd(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte((*current(ts)).screen()), 0o666))
}

// resize COLSxROWS changes the terminal's size.
func resizeCmd(ts *testscript.TestScript, _ bool, args []string) {
	var cols, rows int
	_, err := fmt.Sscanf(args[0], "%dx%d", &cols, &rows)
	ts.Check(err)
	t := *current(ts)
	t.mu.Lock()
	t.vt.Resize(cols, rows)
	t.mu.Unlock()
	ts.Check(pty.Setsize(t.pty, &pty.Winsize{Rows: uint16(rows), Cols: uint16(cols)}))
}

// exits code waits for the program to end.
func exitsCmd(ts *testscript.TestScript, _ bool, args []string) {
	t := *current(ts)
	select {
	case <-t.done:
	case <-time.After(patience):
		ts.Fatalf("still running:\n%s", t.screen())
	}
	if got := strconv.Itoa(t.cmd.ProcessState.ExitCode()); got != args[0] {
		ts.Fatalf("exit code %s, want %s:\n%s", got, args[0], t.screen())
	}
}

// die kills the program as a power cut does: no signal handler runs.
func dieCmd(ts *testscript.TestScript, _ bool, _ []string) {
	t := *current(ts)
	ts.Check(t.cmd.Process.Kill())
	<-t.done
}

func current(ts *testscript.TestScript) **terminal { return ts.Value(terminalKey).(**terminal) }
