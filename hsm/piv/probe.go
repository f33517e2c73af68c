package piv

import (
	"errors"
	"fmt"

	"conclave/hsm"
	"conclave/hsm/piv/pcsc"
)

var selectPIV = []byte{0, 0xa4, 4, 0, 5, 0xa0, 0, 0, 3, 8, 0}

const (
	swOK        = 0x9000
	insMetadata = 0xf7 // Yubico's GET METADATA, from firmware 5.3 on
)

// References of what GET METADATA tells about.
const (
	refPIN        = 0x80
	refPUK        = 0x81
	refManagement = 0x9b
)

// probe asks the card in a reader whether it knows PIV, and what it says of its
// secrets. go-piv cannot ask the latter, and where the former is a no it
// would keep the reader until the program ends.
func probe(reader string) (hsm.Secrets, error) {
	c, err := pcsc.Establish()
	if errors.Is(err, pcsc.ErrUnsupported) {
		return hsm.Secrets{}, nil
	}
	if err != nil {
		return hsm.Secrets{}, fromOpen(err)
	}
	defer func() { _ = c.Release() }()
	card, err := c.Connect(reader)
	if err != nil {
		return hsm.Secrets{}, fromOpen(err)
	}
	secrets, err := ask(card)
	if err := errors.Join(err, card.Disconnect()); err != nil {
		return hsm.Secrets{}, fromOpen(err)
	}
	return secrets, nil
}

func ask(card *pcsc.Card) (hsm.Secrets, error) {
	_, sw, err := card.Transmit(selectPIV)
	switch {
	case err != nil:
		return hsm.Secrets{}, err
	case sw>>8 != 0x61 && sw != swOK:
		return hsm.Secrets{}, fmt.Errorf("%w: the card answers %04x", hsm.ErrNotPIV, sw)
	}
	answers := map[byte][]byte{}
	for _, ref := range []byte{refPIN, refPUK, refManagement} {
		answer, sw, err := card.Transmit([]byte{0, insMetadata, 0, ref, 0})
		switch {
		case err != nil:
			return hsm.Secrets{}, err
		case sw != swOK:
			return hsm.Secrets{}, nil // it does not say
		}
		answers[ref] = answer
	}
	return readSecrets(answers), nil
}

// Tags of GET METADATA.
const (
	metaAlgorithm = 1
	metaFactory   = 5
	metaTries     = 6 // most, left
)

var managementAlgorithms = map[byte]string{0x03: "3DES", 0x08: "AES-128", 0x0a: "AES-192", 0x0c: "AES-256"}

// readSecrets reads three answers. One that is not understood says nothing.
func readSecrets(answers map[byte][]byte) hsm.Secrets {
	pin, ok1 := readTries(answers[refPIN])
	puk, ok2 := readTries(answers[refPUK])
	m := fields(answers[refManagement])
	algorithm, ok3 := one(m[metaAlgorithm])
	factory, ok4 := one(m[metaFactory])
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return hsm.Secrets{}
	}
	name := managementAlgorithms[algorithm]
	if name == "" {
		name = fmt.Sprintf("algorithm %02x", algorithm)
	}
	return hsm.Secrets{Told: true, PIN: pin, PUK: puk, Management: name, ManagementFactory: factory == 1}
}

func readTries(b []byte) (hsm.Tries, bool) {
	f := fields(b)
	factory, ok := one(f[metaFactory])
	tries := f[metaTries]
	if !ok || len(tries) != 2 {
		return hsm.Tries{}, false
	}
	return hsm.Tries{Most: int(tries[0]), Left: int(tries[1]), Factory: factory == 1}, true
}

func one(b []byte) (byte, bool) {
	if len(b) != 1 {
		return 0, false
	}
	return b[0], true
}

// fields reads tag, length and value, each of one byte but the last. It stops where that ends.
func fields(b []byte) map[byte][]byte {
	out := map[byte][]byte{}
	for len(b) >= 2 && b[1] < 0x80 && len(b) >= 2+int(b[1]) {
		out[b[0]] = b[2 : 2+int(b[1])]
		b = b[2+int(b[1]):]
	}
	return out
}
