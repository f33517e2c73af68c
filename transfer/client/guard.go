package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"

	"conclave/ceremony/tuf"
)

// trust loads a root that the user decided to trust: it must be signed by its own threshold.
func trust(raw []byte) (*trustedmetadata.TrustedMetadata, error) {
	if len(raw) > tuf.MaxRootSize {
		return nil, fmt.Errorf("longer than %d bytes", tuf.MaxRootSize)
	}
	var trusted *trustedmetadata.TrustedMetadata
	err := guarded(raw, func() (err error) {
		trusted, err = trustedmetadata.New(raw)
		return err
	})
	return trusted, err
}

// guarded runs update, which lets go-tuf look at raw, with what go-tuf needs
// around it: strict JSON, few signatures (its check for double ones is
// quadratic), and no panic on hostile input.
func guarded(raw []byte, update func() error) (err error) {
	if err := strict(raw); err != nil {
		return err
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("malformed metadata (%v)", r)
		}
	}()
	return update()
}

// strict refuses what no TUF tool writes. Of the strict reader only the JSON
// rules count here: a client must accept what the specification allows, also where a ceremony would not sign it.
func strict(raw []byte) error {
	var syntax *tuf.SyntaxError
	switch err := tuf.Check(raw); {
	case err == nil:
		return nil
	case errors.As(err, &syntax):
		return syntax
	}
	var envelope struct {
		Signatures []json.RawMessage `json:"signatures"`
	}
	if err := json.Unmarshal(raw, &envelope); err != nil {
		return fmt.Errorf("read metadata: %w", err)
	}
	if n := len(envelope.Signatures); n > tuf.MaxSignatures {
		return fmt.Errorf("read metadata: %d signatures, more than %d", n, tuf.MaxSignatures)
	}
	return nil
}

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// hinted is an error that knows what the user can do.
type hinted struct {
	error
	hint string
}

func withHint(err error, hint string) error { return &hinted{err, hint} }

// Hint says what to do.
func (h *hinted) Hint() string { return h.hint }

// Unwrap returns the error without its hint.
func (h *hinted) Unwrap() error { return h.error }
