package virtual

import (
	"bytes"
	"crypto/subtle"
)

// Key references of secrets (SP 800-73-4, part 1, table 4).
const (
	refPIN byte = 0x80
	refPUK byte = 0x81
)

const (
	secretLength = 8 // a PIN is padded to this with 0xff (SP 800-73-4, part 2, 2.4.3)
	padding      = 0xff
	factoryTries = 3
)

// Factory secrets, as printed in every manual.
const (
	FactoryPIN = "123456"
	FactoryPUK = "12345678"
)

// A secret is a PIN or PUK with its try counter.
type secret struct {
	Value   []byte `json:"value"` // padded
	Tries   int    `json:"tries"`
	Max     int    `json:"max"`
	Factory bool   `json:"factory"`
}

func factorySecret(value string) secret {
	return secret{Value: pad(value), Tries: factoryTries, Max: factoryTries, Factory: true}
}

func pad(s string) []byte {
	b := bytes.Repeat([]byte{padding}, secretLength)
	copy(b, s)
	return b
}

// check compares one try and counts it.
func (s *secret) check(try []byte) status {
	switch {
	case s.Tries == 0:
		return statusBlocked
	case subtle.ConstantTimeCompare(try, s.Value) == 1:
		s.Tries = s.Max
		return statusOK
	}
	s.Tries--
	return s.triesLeft()
}

func (s *secret) set(value []byte) {
	s.Value, s.Tries, s.Factory = bytes.Clone(value), s.Max, false
}

func (s *secret) triesLeft() status {
	if s.Tries == 0 {
		return statusBlocked
	}
	return statusWrongPIN | status(min(s.Tries, 15))
}

// verify is VERIFY (SP 800-73-4, part 2, 3.2.1). Without data it asks for the tries left.
func (c *Card) verify(cmd command) status {
	switch {
	case cmd.p2 != refPIN:
		return statusNoReference
	case cmd.p1 == 0xff: // log out
		c.pinOK = false
		return statusOK
	case cmd.p1 != 0:
		return statusBadParameter
	case len(cmd.data) == 0 && c.pinOK:
		return statusOK
	case len(cmd.data) == 0:
		return c.pin.triesLeft()
	}
	c.counts.Verify++
	if len(cmd.data) != secretLength {
		return statusBadData
	}
	st := c.pin.check(cmd.data)
	c.changed = true
	c.pinOK = st == statusOK
	c.pinFresh = c.pinOK
	return st
}

// changeReference is CHANGE REFERENCE DATA (3.2.2).
func (c *Card) changeReference(cmd command) status {
	s := &c.pin
	switch cmd.p2 {
	case refPIN:
	case refPUK:
		s = &c.puk
	default:
		return statusNoReference
	}
	return c.replace(s, s, cmd.data)
}

// resetRetry is RESET RETRY COUNTER (3.2.3): the PUK opens the PIN.
func (c *Card) resetRetry(cmd command) status {
	if cmd.p2 != refPIN {
		return statusNoReference
	}
	return c.replace(&c.puk, &c.pin, cmd.data)
}

// replace gives s a new value when data begin with the right key.
func (c *Card) replace(key, s *secret, data []byte) status {
	if len(data) != 2*secretLength {
		return statusBadData
	}
	st := key.check(data[:secretLength])
	c.changed = true
	if st == statusOK {
		s.set(data[secretLength:])
	}
	return st
}

// setRetries is Yubico's SET PIN RETRIES. It puts both secrets back to the factory's.
func (c *Card) setRetries(cmd command) status {
	switch {
	case !c.managed || !c.pinOK:
		return statusNotAllowed
	case cmd.p1 == 0 || cmd.p2 == 0:
		return statusBadParameter
	}
	c.pin, c.puk = factorySecret(FactoryPIN), factorySecret(FactoryPUK)
	c.pin.Max, c.pin.Tries = int(cmd.p1), int(cmd.p1)
	c.puk.Max, c.puk.Tries = int(cmd.p2), int(cmd.p2)
	c.changed = true
	return statusOK
}

// reset is Yubico's RESET: back to the factory, once PIN and PUK are blocked.
func (c *Card) reset() status {
	if c.pin.Tries != 0 || c.puk.Tries != 0 {
		return statusConditions
	}
	c.makeFactoryFresh()
	c.sleep()
	c.applet = appletPIV
	c.changed = true
	return statusOK
}
