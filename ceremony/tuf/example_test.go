package tuf_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"conclave/ceremony/tuf"
)

// Example builds a root that three people hold, lets two of them sign it, and
// starts a chain with it.
func Example() {
	names := []string{"Alice", "Bob", "Carol"}
	var held []tuf.HeldKey
	var ids []string
	secrets := map[string]*ecdsa.PrivateKey{}
	for _, name := range names {
		secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader) // on a token, in life
		if err != nil {
			fmt.Println(err)
			return
		}
		key, err := tuf.NewKey(secret.Public())
		if err != nil {
			fmt.Println(err)
			return
		}
		held = append(held, tuf.HeldKey{Key: key, Holder: tuf.Holder{Name: name}})
		ids, secrets[key.ID] = append(ids, key.ID), secret
	}
	two := tuf.RoleSpec{KeyIDs: ids, Threshold: 2}
	one := tuf.RoleSpec{KeyIDs: ids[:1], Threshold: 1}
	root, err := tuf.NewRoot(tuf.RootSpec{
		Version: 1,
		Expires: time.Date(2027, 11, 22, 0, 0, 0, 0, time.UTC),
		Keys:    held,
		Roles:   map[string]tuf.RoleSpec{tuf.Root: two, tuf.Targets: two, tuf.Snapshot: one, tuf.Timestamp: one},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	reqs, err := tuf.Requirements(tuf.Root, root, nil, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, h := range held[:2] {
		digest, _, err := h.Key.Hashed(root.Payload())
		if err != nil {
			fmt.Println(err)
			return
		}
		sig, err := ecdsa.SignASN1(rand.Reader, secrets[h.Key.ID], digest)
		if err != nil {
			fmt.Println(err)
			return
		}
		if root, err = tuf.Attach(root, reqs, h.Key.ID, sig); err != nil {
			fmt.Println(err)
			return
		}
		_, err = tuf.Verify(root, reqs)
		var missing *tuf.ThresholdError
		if errors.As(err, &missing) {
			fmt.Println(missing)
			fmt.Println(missing.Hint())
		}
	}
	chain, err := tuf.NewChain(root)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("trusted:", chain.Latest().Title())
	// Output:
	// verify root 1: signatures are missing: root 1's keys 1 of 2
	// root 1's keys: one of Bob or Carol must sign
	// trusted: root 1
}
