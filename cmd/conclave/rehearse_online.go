//go:build !offline

package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/transfer/client"
	"conclave/transfer/publish"
	"conclave/tui/text"
)

// onlineKeys makes the rehearsal's publisher, or reads its keys where it is there already.
func (r *rehearsal) onlineKeys() (snapshot, timestamp tuf.Key, err error) {
	if _, err := os.Stat(r.path("online", publish.ConfigName)); err == nil {
		if snapshot, err = readPublicKey(r.path("online", "snapshot.pub")); err != nil {
			return tuf.Key{}, tuf.Key{}, err
		}
		timestamp, err = readPublicKey(r.path("online", "timestamp.pub"))
		return snapshot, timestamp, err
	}
	// Keys without a configuration are from a start that was cut off: nobody has seen them yet.
	if err := os.RemoveAll(r.path("online")); err != nil {
		return tuf.Key{}, tuf.Key{}, fmt.Errorf("make online keys: %w", err)
	}
	if err := os.Mkdir(r.path("online"), 0o700); err != nil {
		return tuf.Key{}, tuf.Key{}, fmt.Errorf("make online keys: %w", err)
	}
	file := r.path("online", "passphrase")
	secret := make([]byte, 16)
	if _, err := rand.Read(secret); err != nil {
		return tuf.Key{}, tuf.Key{}, err
	}
	if err := os.WriteFile(file, []byte(hex.EncodeToString(secret)+"\n"), 0o600); err != nil {
		return tuf.Key{}, tuf.Key{}, fmt.Errorf("write practice passphrase: %w", err)
	}
	address, err := r.address(context.Background())
	if err != nil {
		return tuf.Key{}, tuf.Key{}, err
	}
	made, err := r.p.initPublisher(context.Background(), publish.InitOptions{
		Dir: r.path("online"), Store: r.store(), PassphraseFile: file, Practice: true, Vacant: true, PublicMetadata: address + "/metadata",
		Examine: publish.ExamineOptions{Create: r.plan.CreateBucket, Prepare: true, Public: true},
	})
	if err != nil {
		if made != nil {
			r.p.found(made.Findings)
		}
		return tuf.Key{}, tuf.Key{}, err
	}
	return made.Snapshot, made.Timestamp, nil
}

// address is where anybody reads what the rehearsal publishes: metadata/ and targets/ lie below it.
func (r *rehearsal) address(ctx context.Context) (string, error) {
	store, err := publish.Open(r.store())
	if err != nil {
		return "", err
	}
	return publish.Address(ctx, store)
}

// publish pushes an act's bundle and downloads everything as an end user does,
// starting from the first root.
func (r *rehearsal) publish(ctx context.Context, _ string, b *transfer.Bundle) error {
	pub, err := r.p.publisher(r.path("online", publish.ConfigName))
	if err != nil {
		return err
	}
	pub.Tell = nil
	anchor, err := os.ReadFile(r.path("trusted", "1.root.json"))
	if err != nil {
		return err
	}
	// Files of every release lie under one roof for the push.
	staged := r.path("staged")
	if err := r.stage(staged); err != nil {
		return err
	}
	report, err := pub.Push(ctx, b, staged, publish.PushOptions{TrustRoot: anchor})
	if err != nil {
		return err
	}
	v := report.Versions
	fmt.Fprintf(r.p.out, "    published   root %d, targets %d, snapshot %d, timestamp %d\n",
		v[tuf.Root], v[tuf.Targets], v[tuf.Snapshot], v[tuf.Timestamp])
	if err := r.downloadAll(ctx, anchor); err != nil || r.plan.Store == "" {
		return err
	}
	return r.mirror(ctx, pub.Store, anchor)
}

// mirror copies what was published elsewhere into the rehearsal's folder: the next act builds on it.
func (r *rehearsal) mirror(ctx context.Context, from publish.Store, anchor []byte) error {
	root, err := tuf.Parse(anchor)
	if err != nil {
		return err
	}
	to, err := publish.NewFolder(r.path("repository"))
	if err != nil {
		return err
	}
	_, err = publish.Pull(ctx, from, to, root, nil)
	return err
}

// stage gathers the files of all releases in one folder, without copying what is there.
func (r *rehearsal) stage(dir string) error {
	files, err := r.files()
	if err != nil {
		return err
	}
	for _, source := range append(files, r.path("release-2")) {
		if err := linkTree(source, dir); err != nil {
			return fmt.Errorf("gather target files: %w", err)
		}
	}
	return nil
}

// linkTree links a file, or every file of a folder, into dir under the path that a target gets.
func linkTree(source, dir string) error {
	base := source
	if info, err := os.Stat(source); errors.Is(err, fs.ErrNotExist) {
		return nil // the second release is not there before its act
	} else if err != nil {
		return err
	} else if !info.IsDir() {
		base = filepath.Dir(source)
	}
	return filepath.WalkDir(source, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(base, path)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, rel)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		from, err := filepath.Abs(path)
		if err != nil {
			return err
		}
		if err := os.Symlink(from, to); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil
	})
}

// downloadAll downloads every target from nothing but the first root, into a folder that is thrown away.
func (r *rehearsal) downloadAll(ctx context.Context, anchor []byte) error {
	dir, err := os.MkdirTemp(r.runtime, "client-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cache := client.Memory{}
	if err := client.Init(cache, anchor); err != nil {
		return err
	}
	address, err := r.address(ctx)
	if err != nil {
		return err
	}
	repo, err := client.Open(address+"/metadata", address+"/targets")
	if err != nil {
		return err
	}
	c, err := client.New(client.Options{Repository: repo, Cache: cache})
	if err != nil {
		return err
	}
	if err := c.Refresh(ctx); err != nil {
		return err
	}
	targets, err := tuf.Parse(cache[tuf.Targets])
	if err != nil {
		return err
	}
	for _, f := range targets.Files() {
		if _, err := c.Download(ctx, f.Path, dir); err != nil {
			return fmt.Errorf("download %s: %w", f.Path, err)
		}
	}
	fmt.Fprintf(r.p.out, "    downloaded  %d files, verified from the first root on\n", len(targets.Files()))
	if r.plan.Store != "" {
		fmt.Fprintf(r.p.out, "    from        %s\n", text.Clean(address))
	}
	return nil
}
