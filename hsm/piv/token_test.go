package piv_test

import (
	"testing"

	"conclave/hsm/hsmtest"
	"conclave/hsm/piv"
	"conclave/hsm/virtual"
)

const practicePIN = "314159"

var nextSerial uint32 = 10_000_000

// insert makes a card and puts it into a reader for the length of a test.
func insert(t testing.TB, firmware string) (*virtual.Card, string) {
	t.Helper()
	nextSerial++
	card, err := virtual.NewCard(virtual.Options{Serial: nextSerial, Firmware: firmware, Root: root(t)})
	if err != nil {
		t.Fatal(err)
	}
	card.SetPIN(practicePIN)
	reader, err := service.Insert(card)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { service.Remove(card) })
	return card, reader
}

var practiceRoot *virtual.Root

func root(t testing.TB) *virtual.Root {
	t.Helper()
	if practiceRoot == nil {
		var err error
		if practiceRoot, err = virtual.NewRoot(); err != nil {
			t.Fatal(err)
		}
	}
	return practiceRoot
}

func fixture(t *testing.T, firmware string) hsmtest.Fixture {
	card, reader := insert(t, firmware)
	return hsmtest.Fixture{
		Tokens: piv.New(), Reader: reader, Serial: card.Serial(), PIN: practicePIN, TryPINs: true,
		Control: &hsmtest.Control{
			AutoTouch:    card.AutoTouch,
			Touch:        card.Touch,
			Waiting:      card.Waiting(),
			TouchTimeout: card.TouchTimeout,
			Slow:         card.Slow,
			Remove:       func() { service.Remove(card) },
			Insert: func() string {
				reader, err := service.Insert(card)
				if err != nil {
					t.Fatal(err)
				}
				return reader
			},
			Break: func(b hsmtest.Break) { card.FailNext(faults[b]) },
			Counts: func() hsmtest.Counts {
				c := card.Counts()
				return hsmtest.Counts{Verify: c.Verify, Sign: c.Sign, Generate: c.Generate}
			},
		},
	}
}

var faults = map[hsmtest.Break]virtual.Fault{
	hsmtest.RemovedBeforeSigning: virtual.RemoveBeforeSigning,
	hsmtest.RemovedAwaitingTouch: virtual.RemoveAwaitingTouch,
	hsmtest.RemovedAfterSigning:  virtual.RemoveAfterSigning,
	hsmtest.FailedAfterSigning:   virtual.ErrorAfterSigning,
	hsmtest.Garbled:              virtual.GarbledSignature,
}

func TestVirtualYubiKeysPassTheConformanceTest(t *testing.T) {
	for _, firmware := range virtual.Firmwares() {
		t.Run(firmware, func(t *testing.T) {
			hsmtest.TestToken(t, func(t *testing.T) hsmtest.Fixture { return fixture(t, firmware) })
		})
	}
}
