//go:build !offline

package publish_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"conclave/ceremony/tuf"
	"conclave/transfer/publish"
)

// BenchmarkAHundredThousandTargetsInBins adds 100,000 files to 256 bins with the real program, changes one of them, and adds
// them all again: seconds, and the peak of memory.
//
//	go test ./transfer/publish -run '^$' -bench HundredThousand -benchtime 1x
func BenchmarkAHundredThousandTargetsInBins(b *testing.B) {
	const files, perFolder = 100_000, 1000
	w := newWorld(b)
	w.now = time.Now().UTC().Truncate(time.Second)
	w.store = w.folder // nobody watches: that reads everything after every step
	program := filepath.Join(w.dir, "conclave")
	if out, err := exec.Command("go", "build", "-o", program, "conclave/cmd/conclave").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	dir := filepath.Join(w.dir, "online")
	made, err := publish.Init(context.Background(), publish.InitOptions{
		Dir: dir, Store: w.folder.URL(), PassphraseFile: filepath.Join(dir, "passphrase"), Bins: true,
	})
	must(b, err)
	w.online = map[string]tuf.Key{tuf.Snapshot: made.Snapshot, tuf.Timestamp: made.Timestamp}
	cfg, err := publish.LoadConfig(made.Config)
	must(b, err)
	w.pub, err = cfg.Publisher()
	must(b, err)
	w.pub.Now = func() time.Time { return w.now }
	w.genesis()
	w.push(w.binsBundle("bins", 8, true))
	many := filepath.Join(w.dir, "many")
	for i := range files {
		path := filepath.Join(many, fmt.Sprint(i/perFolder), fmt.Sprintf("file-%06d.tar", i))
		if i%perFolder == 0 {
			must(b, os.MkdirAll(filepath.Dir(path), 0o755))
		}
		must(b, os.WriteFile(path, fmt.Appendf(nil, "content %d", i), 0o644))
	}
	for b.Loop() {
		for _, step := range []string{"all", "again", "one"} {
			if step == "one" {
				must(b, os.WriteFile(filepath.Join(many, "0/file-000000.tar"), []byte("changed"), 0o644))
			}
			cmd := exec.Command(program, "publish", "add", many, "--config", made.Config)
			start := time.Now()
			if out, err := cmd.CombinedOutput(); err != nil {
				b.Fatalf("%s: %v: %s", step, err, out)
			}
			b.ReportMetric(time.Since(start).Seconds(), "s/"+step)
			b.ReportMetric(float64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)/1024, "MB/"+step)
		}
	}
}
