//go:build !offline

package publish

import (
	"bytes"
	"context"
	"crypto"
	"io"

	"github.com/sigstore/sigstore/pkg/signature/options"
)

// Sign implements crypto.Signer.
func (k *kmsSigner) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), kmsTimeout)
	defer cancel()
	if opts.HashFunc() == 0 { // Ed25519 signs the message itself
		return k.service.SignMessage(bytes.NewReader(digest), options.WithContext(ctx))
	}
	return k.service.SignMessage(nil, options.WithContext(ctx), options.WithDigest(digest), options.WithCryptoSignerOpts(opts))
}
