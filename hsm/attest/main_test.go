package attest_test

import (
	"crypto"
	"os"
	"testing"

	"conclave/hsm"
	"conclave/hsm/attest"
	"conclave/hsm/hsmtest"
	"conclave/hsm/piv"
	"conclave/hsm/virtual"
)

// service is the one smart card service of this test binary.
var service *virtual.Service

func TestMain(m *testing.M) { os.Exit(virtual.Main(&service, m.Run)) }

// virtualEvidence enrols a virtual card and asks it for its evidence.
func virtualEvidence(t *testing.T, card *virtual.Card) (attest.Evidence, crypto.PublicKey) {
	t.Helper()
	reader, err := service.Insert(card)
	if err != nil {
		t.Fatal(err)
	}
	defer service.Remove(card)
	token, err := piv.New().Open(t.Context(), reader)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = token.Close() }()
	key, err := token.Enrol(t.Context(), hsm.Enrolment{
		Slot: hsm.SlotSignature, Algorithm: hsm.P256, Holder: "Alice", CurrentPIN: hsmtest.PIN(t, virtual.FactoryPIN),
	})
	if err != nil {
		t.Fatal(err)
	}
	e, err := token.Attest(t.Context(), hsm.SlotSignature)
	if err != nil {
		t.Fatal(err)
	}
	return e, key.Public
}
