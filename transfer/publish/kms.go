//go:build !offline

package publish

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/sigstore/sigstore/pkg/signature/kms"
	_ "github.com/sigstore/sigstore/pkg/signature/kms/aws"        // awskms://
	_ "github.com/sigstore/sigstore/pkg/signature/kms/azure"      // azurekms://
	_ "github.com/sigstore/sigstore/pkg/signature/kms/gcp"        // gcpkms://
	_ "github.com/sigstore/sigstore/pkg/signature/kms/hashivault" // hashivault://
)

// kmsTimeout bounds what it takes to find a key: a host outside of its cloud waits long for credentials.
const kmsTimeout = 30 * time.Second

// connectKMS finds the key without asking for it yet.
func connectKMS(ctx context.Context, ref string) (kms.SignerVerifier, error) {
	if kind, err := kindOf(ref); err != nil || kind != keyKMS {
		return nil, errors.Join(err, fmt.Errorf("open key %s: is not in a key service", ref))
	}
	if err := noPrograms(ref); err != nil {
		return nil, err
	}
	service, err := kms.Get(ctx, ref, crypto.SHA256)
	if err != nil {
		return nil, withHint(fmt.Errorf("open key %s: %w", ref, err), "is the reference right, and does this host have credentials for the service?")
	}
	return service, nil
}

// noPrograms keeps the services' libraries from starting other people's programs to get credentials.
func noPrograms(ref string) error {
	switch {
	case strings.HasPrefix(ref, "azurekms:"):
		// "prod" is the environment, the workload's and the machine's identity; the rest would run az, azd or pwsh from PATH.
		return os.Setenv("AZURE_TOKEN_CREDENTIALS", "prod")
	case strings.HasPrefix(ref, "hashivault:") && os.Getenv("VAULT_TOKEN") == "" && os.Getenv("BAO_TOKEN") == "":
		// Without one the library runs the helper that ~/.vault names.
		return withHint(fmt.Errorf("open key %s: the variable VAULT_TOKEN is not set", ref), "set VAULT_ADDR and VAULT_TOKEN for this program")
	}
	return nil
}

// openKMS opens a key in a service. Its public half is asked for once; from then on it signs this program's hashes.
func openKMS(ctx context.Context, ref string) (*Signer, error) {
	ctx, cancel := context.WithTimeout(ctx, kmsTimeout)
	defer cancel()
	service, err := connectKMS(ctx, ref)
	if err != nil {
		return nil, err
	}
	public, err := service.PublicKey()
	if err != nil {
		return nil, withHint(fmt.Errorf("open key %s: %w", ref, err), "does the key exist, and may this host read its public half?")
	}
	s, err := NewSigner(&kmsSigner{service, public})
	if err != nil {
		return nil, fmt.Errorf("open key %s: %w", ref, err)
	}
	return s, nil
}

// A kmsSigner signs hashes in the service. Each signature has a time limit of its own.
type kmsSigner struct {
	service kms.SignerVerifier
	public  crypto.PublicKey
}

// Public implements crypto.Signer.
func (k *kmsSigner) Public() crypto.PublicKey { return k.public }

// makeInKMS makes a key in a service, where there is none yet.
func makeInKMS(ctx context.Context, ref string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*kmsTimeout)
	defer cancel()
	service, err := connectKMS(ctx, ref)
	if err != nil {
		return err
	}
	if _, err := service.PublicKey(); err == nil {
		return withHint(fmt.Errorf("generate key: %s exists", ref), "keys are never overwritten; use another name")
	}
	if _, err := service.CreateKey(ctx, algorithmFor(ref)); err != nil {
		return withHint(fmt.Errorf("generate key %s: %w", ref, err), "may this host make keys there? a key that an administrator has made will do as well")
	}
	return nil
}

func algorithmFor(ref string) string {
	for scheme, algorithm := range kmsSchemes {
		if strings.HasPrefix(ref, scheme) {
			return algorithm
		}
	}
	return ""
}
