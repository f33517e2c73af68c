package virtual

import (
	"crypto/rand"
	"time"
)

// TouchTimeoutDefault is how long a YubiKey blinks before it gives up.
const TouchTimeoutDefault = 15 * time.Second

// A Fault is something that goes wrong at the next use of a private key.
type Fault int

// The faults that a card can be told to have.
const (
	NoFault             Fault = iota
	RemoveBeforeSigning       // pulled after the PIN, before the key was used
	RemoveAwaitingTouch       // pulled while it blinks; without a touch policy, before the key was used
	RemoveAfterSigning        // it signed, was pulled, and the answer never arrived
	ErrorAfterSigning         // it signed, and the connection failed; the card is still there
	GarbledSignature          // an answer of the right form that does not verify
)

// A fate is how an exchange ended, as the reader sees it.
type fate int

const (
	answered fate = iota
	removed       // the card is gone
	lost          // the card is there, the answer is not
)

// use touches, waits and signs, as policies and faults want it.
// It lets go of c.mu while it waits.
func (c *Card) use(k *key, message []byte) ([]byte, status) {
	fault := c.fault
	c.fault = NoFault
	if fault == RemoveBeforeSigning {
		c.fate = removed
		return nil, statusInternalError
	}
	if st := c.wantTouch(k, fault); st != statusOK {
		return nil, st
	}
	if c.slow > 0 && !c.pause(c.slow, nil) {
		c.fate = removed
		return nil, statusInternalError
	}
	if fault == GarbledSignature {
		message = make([]byte, len(message))
		_, _ = rand.Read(message) // never fails
	}
	signature, st := k.sign(message)
	if st != statusOK {
		return nil, st
	}
	c.counts.Sign++
	switch fault {
	case RemoveAfterSigning:
		c.fate = removed
	case ErrorAfterSigning:
		c.fate = lost
	}
	return signature, statusOK
}

// wantTouch returns when the key may be used as far as touching goes.
func (c *Card) wantTouch(k *key, fault Fault) status {
	if fault == RemoveAwaitingTouch {
		c.fate = removed
		return statusInternalError
	}
	cached := k.touch == touchCached && time.Since(k.touched) < touchCacheFor
	if k.touch == policyNever || cached {
		return statusOK
	}
	if !c.autoTouch {
		if st := c.awaitTouch(); st != statusOK {
			return st
		}
	}
	k.touched = time.Now()
	return statusOK
}

// awaitTouch blinks. A token tells its host nothing of that: a touch that
// does not come ends in the status of a missing PIN.
func (c *Card) awaitTouch() status {
	touch := make(chan struct{})
	c.touch = touch
	select {
	case c.waiting <- struct{}{}:
	default: // nobody read the last signal
	}
	here := c.pause(c.touchTimeout, touch)
	touched := c.touch == nil
	c.touch = nil
	select {
	case <-c.waiting: // the wait is over: its signal must not stand for the next
	default:
	}
	switch {
	case !here:
		c.fate = removed
		return statusInternalError
	case !touched:
		return statusNotAllowed
	}
	return statusOK
}

// pause waits for d or for an early end, without c.mu. It returns false when
// the card was pulled meanwhile.
func (c *Card) pause(d time.Duration, early <-chan struct{}) (here bool) {
	cut := c.cut
	c.mu.Unlock()
	defer c.mu.Lock()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-cut:
		return false
	case <-early:
	case <-timer.C:
	}
	return true
}

// AwaitingTouch reports whether the card blinks now.
func (c *Card) AwaitingTouch() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.touch != nil
}

// Touch touches the card. When it does not blink, nothing happens.
func (c *Card) Touch() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.touch != nil {
		close(c.touch)
		c.touch = nil
	}
}

// Waiting is signalled when the card starts to wait for a touch. A signal
// that nobody reads is withdrawn when the wait ends.
func (c *Card) Waiting() <-chan struct{} { return c.waiting }

// AutoTouch makes every touch come at once, for unattended rehearsals and
// tests; Waiting then stays silent.
func (c *Card) AutoTouch(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.autoTouch = on
}

// TouchTimeout sets how long the card waits for a touch.
func (c *Card) TouchTimeout(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.touchTimeout = d
}

// Slow makes every private key operation take d.
func (c *Card) Slow(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slow = d
}

// FailNext arms one fault for the next use of a private key. NoFault disarms.
func (c *Card) FailNext(f Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fault = f
}
