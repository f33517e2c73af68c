//go:build !offline

package publish_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/transfer/publish"
)

// How much the benchmarks move. A file of 20 KB is what most target files of a package repository are.
const (
	smallFiles  = 2000
	smallSize   = 20 << 10
	largeSize   = 1 << 30
	serialFiles = 200 // of the serial loops, which are scaled up: nobody waits for all of them
	benchRounds = 3
	farAway     = 30 * time.Millisecond
)

// A rig is the real program, a signed bundle and the same files for every competitor.
type rig struct {
	b       *testing.B
	program string
	world   *world
	bundle  string // file
	files   string // folder, with the hash-prefixed names for those who only copy
	bucket  *bucket
	proxy   *proxy
	config  publish.Config
	round   int
}

// newRig signs a genesis with n files of size random bytes.
func newRig(b *testing.B, n, size int) *rig {
	b.Helper()
	r := &rig{b: b, world: newWorld(b), bucket: newBucket(b)}
	r.proxy = newProxy(b, r.bucket.server.url)
	r.program = filepath.Join(r.world.dir, "conclave")
	out, err := exec.Command("go", "build", "-o", r.program, "conclave/cmd/conclave").CombinedOutput()
	if err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	r.world.now = time.Now().UTC().Truncate(time.Second)
	r.keys()
	content := make([]byte, size)
	for i := range n {
		_, _ = rand.Read(content)
		r.world.file(fmt.Sprintf("dir-%02d/file-%04d", i%20, i), string(content))
	}
	signed := r.world.signed(tuf.Root, tuf.Targets)
	clear(r.world.files)
	r.bundle = filepath.Join(r.world.dir, "genesis.bundle.json")
	must(b, transfer.Write(r.bundle, signed))
	r.files = r.world.targetsDir()
	return r
}

// keys makes a publisher's keys in files, as an operator has them.
func (r *rig) keys() {
	dir := filepath.Join(r.world.dir, "online")
	made, err := publish.Init(context.Background(), publish.InitOptions{Dir: dir, Store: "file:unused", PassphraseFile: filepath.Join(r.world.dir, "passphrase")})
	must(r.b, err)
	r.world.online = map[string]tuf.Key{tuf.Snapshot: made.Snapshot, tuf.Timestamp: made.Timestamp}
	r.config = publish.Config{
		SnapshotKey: filepath.Join(dir, "snapshot.pem"), TimestampKey: filepath.Join(dir, "timestamp.pem"),
		PassphraseFile: filepath.Join(r.world.dir, "passphrase"), SnapshotDays: 7, TimestampDays: 1,
	}
}

// endpoint is the server's address, near or behind a delay.
func (r *rig) endpoint(far time.Duration) string {
	r.proxy.delay(far)
	if far == 0 {
		return r.bucket.server.url
	}
	return r.proxy.URL
}

// run runs a program to its end; a nil env is this process's.
func (r *rig) run(env []string, name string, args ...string) result {
	r.b.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = env
	r.proxy.requests()
	before, start := r.served(), time.Now()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	must(r.b, cmd.Start())
	memory := watchMemory(cmd.Process.Pid)
	err := cmd.Wait()
	took, peak := time.Since(start), memory()
	if err != nil {
		r.b.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out.String())
	}
	own := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return result{took.Seconds(), own.Seconds(), r.served() - before, peak, len(r.proxy.requests())}
}

// served is what the server has used of the processor so far, in seconds.
func (r *rig) served() float64 { return processorTime(r.bucket.server.PID()) }

// fresh is a prefix that nothing lies under.
func (r *rig) fresh(who string) string {
	r.round++
	return fmt.Sprintf("%s-%d", who, r.round)
}

// publisher writes the configuration of a new host for one prefix.
func (r *rig) publisher(prefix, endpoint string) string {
	c := r.config
	c.Store = r.bucket.url(prefix, endpoint)
	c.PinnedRoot, c.StateDir = filepath.Join(r.world.dir, prefix+".root.json"), filepath.Join(r.world.dir, prefix+".state")
	path := filepath.Join(r.world.dir, prefix+".json")
	must(r.b, c.Write(path))
	return path
}

func (r *rig) push(config string) result {
	digest := r.bundleDigest()
	return r.run(nil, r.program, "publish", "push", r.bundle, "--config", config, "--targets", r.files, "--root-digest", digest)
}

func (r *rig) bundleDigest() string {
	b, err := transfer.Read(r.bundle)
	must(r.b, err)
	return b.Root().Digest().String()
}

// competitors are the ways to bring the files into a bucket, by name.
func (r *rig) competitors(endpoint string) map[string]func() result {
	all := map[string]func() result{
		"conclave": func() result { return r.push(r.publisher(r.fresh("conclave"), endpoint)) },
	}
	// Others get the credentials in the plainest way, and nothing else that is meant for us.
	plain := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AWS_") })
	keys := append(plain, "AWS_EC2_METADATA_DISABLED=true", "AWS_ACCESS_KEY_ID="+rootAccess, "AWS_SECRET_ACCESS_KEY="+rootSecret, "AWS_REGION=us-east-1")
	if rclone, err := exec.LookPath("rclone"); err == nil {
		for name, more := range map[string][]string{"rclone": nil, "rclone-64": {"--transfers=64", "--checkers=64"}} {
			all[name] = func() result {
				args := append([]string{
					"copy", r.files, ":s3:" + r.bucket.name + "/" + r.fresh("rclone"),
					"--s3-provider=Other", "--s3-env-auth", "--s3-endpoint=" + endpoint, "--s3-force-path-style", "--s3-no-check-bucket",
				}, more...)
				return r.run(append(slices.Clone(keys), "RCLONE_CONFIG="+os.DevNull), rclone, args...)
			}
		}
	} else {
		r.b.Log("rclone is not installed (Debian: rclone)")
	}
	if aws := awsProgram(); aws != "" {
		all["aws"] = func() result {
			return r.run(keys, aws, "s3", "cp", "--recursive", "--only-show-errors", "--endpoint-url", endpoint, r.files, "s3://"+r.bucket.name+"/"+r.fresh("aws"))
		}
	} else {
		r.b.Log("aws is not installed (Debian: awscli)")
	}
	if python := python(); python != "" {
		all["boto3"] = func() result { return r.boto3(python, endpoint, keys) }
	} else {
		r.b.Log("boto3 is not installed (Debian: python3-boto3)")
	}
	return all
}

// awsProgram is the aws command that the distribution packages, else the one in the path; "" where none runs.
func awsProgram() string {
	for _, aws := range []string{"/usr/bin/aws", "aws"} {
		if exec.Command(aws, "--version").Run() == nil {
			return aws
		}
	}
	return ""
}

// tutorial is the loop of tutorials, in Python with the maker's own library: one file after the other.
const tutorial = `
import sys, boto3, botocore.config
endpoint, bucket, prefix, *paths = sys.argv[1:]
s3 = boto3.client("s3", endpoint_url=endpoint, config=botocore.config.Config(s3={"addressing_style": "path"}))
for i, path in enumerate(paths):
    s3.upload_file(path, bucket, f"{prefix}/{i}")
`

// python is one that has boto3, of the distribution where it can be; "" where there is none.
func python() string {
	for _, name := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(name, "-c", "import boto3").Run() == nil {
			return name
		}
	}
	return ""
}

// boto3 runs the tutorials' loop over some of the files and scales the time to all of them, but for its start.
func (r *rig) boto3(python, endpoint string, keys []string) result {
	paths := walk(r.b, r.files)
	run := func(some []string) result {
		return r.run(keys, python, append([]string{"-c", tutorial, endpoint, r.bucket.name, r.fresh("boto3")}, some...)...)
	}
	some := paths[:min(serialFiles, len(paths))]
	start, got := run(nil), run(some)
	scale := float64(len(paths)) / float64(len(some))
	got.seconds = start.seconds + (got.seconds-start.seconds)*scale
	got.cpu = start.cpu + (got.cpu-start.cpu)*scale
	got.server *= scale
	return got
}

// serial is the same loop with the library that conclave itself uses, in a program that runs already.
func (r *rig) serial(endpoint string) result {
	api, prefix := r.bucket.server.client(rootAccess, rootSecret), r.fresh("serial")
	if endpoint != r.bucket.server.url {
		options := api.Options()
		options.BaseEndpoint = &endpoint
		api = s3.New(options)
	}
	paths := walk(r.b, r.files)
	some := paths[:min(serialFiles, len(paths))]
	before, start := r.served(), time.Now()
	for i, path := range some {
		raw, err := os.ReadFile(path)
		must(r.b, err)
		key := prefix + "/" + strconv.Itoa(i)
		_, err = api.PutObject(context.Background(), &s3.PutObjectInput{Bucket: &r.bucket.name, Key: &key, Body: bytes.NewReader(raw)})
		must(r.b, err)
	}
	scale := float64(len(paths)) / float64(len(some))
	return result{seconds: time.Since(start).Seconds() * scale, server: (r.served() - before) * scale}
}

func walk(b *testing.B, dir string) []string {
	var paths []string
	must(b, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			paths = append(paths, path)
		}
		return err
	}))
	return paths
}

// competing is the order of the table.
var competing = []string{"conclave", "rclone", "rclone-64", "aws", "boto3", "serial"}

// race lets everybody run in turns, prints the medians and reports how many times as fast as each other one conclave is.
func (r *rig) race(title string, all map[string]func() result) {
	results := map[string][]result{}
	for range benchRounds {
		for _, name := range competing {
			if run := all[name]; run != nil {
				results[name] = append(results[name], run())
			}
		}
	}
	table(title, competing, results, runtime.NumCPU())
	ours := median(results["conclave"], seconds)
	for name, got := range results {
		r.b.ReportMetric(median(got, seconds), name+"-s")
		if name != "conclave" {
			r.b.ReportMetric(median(got, seconds)/ours, "x-"+name)
		}
	}
	r.b.ReportMetric(0, "ns/op")
}

// The same files, the same server, in turns: what rclone, the aws program and loops that
// put one file after the other take, without and with a distance to the server.
func BenchmarkPushSmallFiles(b *testing.B) {
	for name, far := range map[string]time.Duration{"near": 0, "30ms": farAway} {
		b.Run(name, func(b *testing.B) {
			r := newRig(b, smallFiles, smallSize)
			endpoint := r.endpoint(far)
			all := r.competitors(endpoint)
			all["serial"] = func() result { return r.serial(endpoint) }
			r.race(fmt.Sprintf("%d files of %d KiB, %s", smallFiles, smallSize>>10, name), all)
		})
	}
}

// One large file. rclone sends parts of 5 MiB and takes about a minute: it runs with its defaults alone.
func BenchmarkPushOneGiB(b *testing.B) {
	for name, far := range map[string]time.Duration{"near": 0, "30ms": farAway} {
		b.Run(name, func(b *testing.B) {
			r := newRig(b, 1, largeSize)
			all := r.competitors(r.endpoint(far))
			delete(all, "rclone-64")
			delete(all, "boto3")
			for name, run := range all {
				all[name] = func() result { defer r.sweep(); return run() }
			}
			r.race("1 GiB, "+name, all)
		})
	}
}

// sweep makes room for the next one.
func (r *rig) sweep() {
	ctx := context.Background()
	pages := s3.NewListObjectVersionsPaginator(r.bucket.api, &s3.ListObjectVersionsInput{Bucket: &r.bucket.name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		must(r.b, err)
		for _, v := range page.Versions {
			_, err := r.bucket.api.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &r.bucket.name, Key: v.Key, VersionId: v.VersionId})
			must(r.b, err)
		}
	}
}

// What a push costs that has nothing to do, in relation to the first one, and what a refresh costs.
func BenchmarkPushAgain(b *testing.B) {
	for name, far := range map[string]time.Duration{"near": 0, "30ms": farAway} {
		b.Run(name, func(b *testing.B) {
			r := newRig(b, smallFiles, smallSize)
			endpoint, results := r.endpoint(far), map[string][]result{}
			for range benchRounds {
				config := r.publisher(r.fresh("conclave"), endpoint)
				results["first"] = append(results["first"], r.push(config))
				for range benchRounds {
					results["again"] = append(results["again"], r.push(config))
				}
				results["refresh"] = append(results["refresh"], r.run(nil, r.program, "publish", "refresh", "--config", config))
			}
			table("the same push again, and a refresh, "+name, []string{"first", "again", "refresh"}, results, runtime.NumCPU())
			b.ReportMetric(100*median(results["again"], seconds)/median(results["first"], seconds), "again-%")
			b.ReportMetric(0, "ns/op")
		})
	}
}
