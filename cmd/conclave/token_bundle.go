package main

import (
	"crypto"
	"fmt"
	"slices"

	"conclave/ceremony/tuf"
	"conclave/hsm/attest"
	"conclave/transfer"
)

// bundleEvidence holds each piece of evidence in a bundle against the metadata, and
// finds the offline keys that have none.
func bundleEvidence(b *transfer.Bundle, roots attest.Roots) []evidenceReport {
	keys := listedKeys(b)
	claims := claimedTokens(b)
	var reports []evidenceReport
	shown := map[string]bool{}
	for _, e := range b.Tokens {
		proof, err := heldAgainst(e, keys, claims, roots)
		reports = append(reports, evidenceOf(e, proof, err))
		shown[e.KeyID] = true
	}
	for _, id := range offlineKeys(b) {
		if !shown[id] {
			e := transfer.Evidence{KeyID: id, Holder: claims[id].Name, Serial: claims[id].Serial}
			reports = append(reports, evidenceOf(e, nil, &attest.Refusal{
				What: "the bundle has no evidence for this key", Advice: "ask its holder for it: conclave token attest",
			}))
		}
	}
	return reports
}

// heldAgainst verifies one piece: the key that counts is the one in the metadata.
func heldAgainst(e transfer.Evidence, keys map[string]crypto.PublicKey, claims map[string]tuf.Holder, roots attest.Roots) (*attest.Proof, error) {
	public, ok := keys[e.KeyID]
	if !ok {
		return nil, &attest.Refusal{What: "no document in the bundle lists this key", Advice: "the evidence is of no use here"}
	}
	if claim := claims[e.KeyID]; claim.Serial != 0 && claim.Serial != e.Serial {
		return nil, &attest.Refusal{
			What:   fmt.Sprintf("the root says that this key is on token %d, the evidence says %d", claim.Serial, e.Serial),
			Advice: "find out which of the two is right before anybody signs",
		}
	}
	return verifyEvidence(e, public, roots)
}

// documentsOf are all documents of a bundle, the newest last.
func documentsOf(b *transfer.Bundle) []*tuf.Document {
	docs := slices.Clone(b.Base.Roots)
	for _, d := range slices.Concat(b.Base.Documents, b.Documents) {
		docs = append(docs, d.Metadata)
	}
	return docs
}

func listedKeys(b *transfer.Bundle) map[string]crypto.PublicKey {
	keys := map[string]crypto.PublicKey{}
	for _, d := range documentsOf(b) {
		for id, k := range d.Keys() {
			keys[id] = k.Public
		}
	}
	return keys
}

// claimedTokens is what the newest root says of who holds which key on which token.
func claimedTokens(b *transfer.Bundle) map[string]tuf.Holder {
	claims := map[string]tuf.Holder{}
	for _, d := range documentsOf(b) {
		for id, h := range d.Holders() {
			claims[id] = h
		}
	}
	return claims
}

// offlineKeys are the keyids of the newest root's roles that people hold.
func offlineKeys(b *transfer.Bundle) []string {
	root := b.Document(tuf.Root)
	if root == nil {
		root = b.TrustedRoot()
	}
	if root == nil {
		return nil
	}
	var ids []string
	for _, role := range []string{tuf.Root, tuf.Targets} {
		if r := root.Root().Roles[role]; r != nil {
			ids = append(ids, r.KeyIDs...)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
