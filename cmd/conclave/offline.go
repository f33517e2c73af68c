//go:build offline

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"conclave/ceremony/tuf"
	"conclave/transfer"
)

// online says whether publish and client are part of this program.
const online = false

// onlineCommands are none: no code that can reach a network is linked.
func (p *program) onlineCommands() []*cobra.Command { return nil }

// moreCodes knows no further errors.
func moreCodes(error) int { return exitFailed }

// moreHints knows no further ones.
func moreHints(error) string { return "" }

// onlineKeys stand in for those of an online host: this program cannot publish, so
// nobody needs their private halves.
func (r *rehearsal) onlineKeys() (snapshot, timestamp tuf.Key, err error) {
	var keys [2]tuf.Key
	for i := range keys {
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return tuf.Key{}, tuf.Key{}, err
		}
		if keys[i], err = tuf.NewKey(private.Public()); err != nil {
			return tuf.Key{}, tuf.Key{}, err
		}
	}
	return keys[0], keys[1], nil
}

// publish copies the signed documents to where they would be published, so
// that the next act can build on them.
func (r *rehearsal) publish(_ context.Context, _ string, b *transfer.Bundle) error {
	if err := os.MkdirAll(r.path("repository", "metadata"), 0o755); err != nil {
		return err
	}
	for _, d := range b.Documents {
		name := fmt.Sprintf("%d.%s.json", d.Metadata.Version(), d.Role)
		if err := transfer.WriteNew(r.path("repository", "metadata", name), d.Metadata.Bytes()); err != nil {
			return err
		}
	}
	fmt.Fprintln(r.p.out, "    published   not: this is the offline build; the bundle is ready to be carried over")
	return nil
}
