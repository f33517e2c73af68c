package piv

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
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
func probe(reader string) (probed, error) {
	c, err := pcsc.Establish()
	if errors.Is(err, pcsc.ErrUnsupported) {
		return probed{}, nil
	}
	if err != nil {
		return probed{}, fromOpen(err)
	}
	defer func() { _ = c.Release() }()
	card, err := c.Connect(reader)
	if err != nil {
		return probed{}, fromOpen(err)
	}
	got, err := ask(card, !isYubiKey(reader))
	if err := errors.Join(err, card.Disconnect()); err != nil {
		return probed{}, fromOpen(err)
	}
	return got, nil
}

// probed is what a card says before go-piv opens it.
type probed struct {
	secrets hsm.Secrets
	number  uint32 // of another maker's card, 0 for none
}

func ask(card *pcsc.Card, foreign bool) (got probed, err error) {
	_, sw, err := card.Transmit(selectPIV)
	switch {
	case err != nil:
		return probed{}, err
	case sw>>8 != 0x61 && sw != swOK:
		return probed{}, fmt.Errorf("%w: the card answers %04x", hsm.ErrNotPIV, sw)
	}
	if foreign {
		if got.number, err = askNumber(card); err != nil {
			return probed{}, err
		}
	}
	got.secrets, err = askSecrets(card)
	return got, err
}

// getCHUID asks for the card holder unique identifier (SP 800-73-4, part 1, 3.1.2).
var getCHUID = []byte{0, 0xcb, 0x3f, 0xff, 5, 0x5c, 3, 0x5f, 0xc1, 0x02, 0}

// askNumber makes a number that tells cards of other makers apart, which need not have one: from
// the identifier that every PIV card in use has.
func askNumber(card *pcsc.Card) (uint32, error) {
	answer, sw, err := card.Transmit(getCHUID)
	if err != nil || sw != swOK {
		return 0, err
	}
	return numberOf(answer), nil
}

// numberOf takes the GUID (tag 34, 16 bytes) of a CHUID, 0 where there is none.
func numberOf(chuid []byte) uint32 {
	guid := fields(fields(chuid)[0x53])[0x34]
	if len(guid) != 16 || bytes.Equal(guid, make([]byte, 16)) {
		return 0
	}
	sum := sha256.Sum256(guid)
	return max(1, binary.BigEndian.Uint32(sum[:]))
}

func askSecrets(card *pcsc.Card) (hsm.Secrets, error) {
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
