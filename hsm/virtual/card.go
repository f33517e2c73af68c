// Package virtual plays YubiKeys: PIV cards at the level of APDUs, behind an
// in-process PC/SC service, so that rehearsals and tests run the very code
// that speaks to real tokens, with no hardware, no daemon and no root.
//
// It promises that a virtual card signs only as a real one does (right PIN,
// touch where the policy asks), and that nothing it makes can pass for real:
// its attestation root says PRACTICE, and a saved card is marked so. It does
// not protect its keys: a saved card holds them, and its PIN, in the clear.
package virtual

import (
	"bytes"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"sync"
	"time"
)

// Options say which YubiKey to play.
type Options struct {
	Serial   uint32
	Firmware string // one of Firmwares; "" is the newest
	Root     *Root  // who certifies it; nil is the practice root
	// Foreign plays a PIV card of another maker instead, which sits in a
	// reader of another name and knows no attestation, no form factor and no
	// serial number, but has a card identifier.
	Foreign bool
}

// Counts are what a card was asked to do since it was made or loaded.
type Counts struct {
	Verify   int // PINs received, right or wrong
	Sign     int // signatures made, lost ones included
	Generate int // keys made
	APDUs    int // commands received
}

// A Card is one virtual YubiKey. All methods may be called at any time from
// any goroutine; commands are answered one after the other.
type Card struct {
	serial   uint32
	firmware firmware
	foreign  bool
	root     *x509.Certificate
	device   *x509.Certificate // of f9
	waiting  chan struct{}     // one signal deep

	turn sync.Mutex // held for the whole of one exchange; taken before mu

	mu sync.Mutex // guards the rest; released while an exchange waits

	// What survives the power: saved by MarshalJSON.
	pin, puk   secret
	management managementKey
	keys       map[byte]*key
	objects    map[uint32][]byte

	// What does not.
	applet   applet
	pinOK    bool // right PIN since the applet was selected
	pinFresh bool // right PIN in the command just before
	managed  bool // management key proven
	asked    nonce
	pipe     pipe

	// Knobs and gauges of whoever plays.
	touch        chan struct{} // not nil while blinking; closed by Touch
	autoTouch    bool
	touchTimeout time.Duration
	slow         time.Duration
	fault        Fault
	counts       Counts
	onChange     func()
	disabled     bool // the PIV applet, as an administrator can

	// Of the exchange under way.
	fate    fate
	changed bool
	cut     <-chan struct{} // closed when the card is pulled meanwhile
}

// NewCard makes a factory-fresh card: PIN 123456, PUK 12345678, the default
// management key, no keys but the attestation key in f9.
func NewCard(o Options) (*Card, error) {
	if o.Firmware == "" {
		o.Firmware = newestFirmware
	}
	f, err := parseFirmware(o.Firmware)
	if err != nil {
		return nil, err
	}
	if o.Root == nil {
		if o.Root, err = NewRoot(); err != nil {
			return nil, err
		}
	}
	device, cert, err := o.Root.issue()
	if err != nil {
		return nil, fmt.Errorf("make attestation key: %w", err)
	}
	c := blankCard(o.Serial, f)
	c.foreign = o.Foreign
	c.root, c.device = o.Root.cert, cert
	c.keys[refAttestation] = &key{
		algorithm: algP256, private: device,
		pin: policyNever, touch: policyNever, origin: originImported,
	}
	c.makeFactoryFresh()
	return c, nil
}

func blankCard(serial uint32, f firmware) *Card {
	return &Card{
		serial: serial, firmware: f,
		keys: map[byte]*key{}, objects: map[uint32][]byte{},
		waiting: make(chan struct{}, 1), touchTimeout: TouchTimeoutDefault,
	}
}

// makeFactoryFresh forgets everything but the attestation key, which is the
// manufacturer's.
func (c *Card) makeFactoryFresh() {
	c.pin, c.puk = factorySecret(FactoryPIN), factorySecret(FactoryPUK)
	c.management = factoryManagementKey(c.firmware)
	c.keys = map[byte]*key{refAttestation: c.keys[refAttestation]}
	c.objects = map[uint32][]byte{objDevice: certificateObject(c.device.Raw)}
	if c.foreign {
		c.objects = map[uint32][]byte{objCHUID: chuid(c.serial)}
	}
}

// chuid is the card holder unique identifier, whose GUID tells cards apart
// (SP 800-73-4, part 1, table 9).
func chuid(serial uint32) []byte {
	guid := binary.BigEndian.AppendUint32([]byte("no YubiKey: "), serial)
	b := tlv(0x30, make([]byte, 25)) // FASC-N
	b = append(b, tlv(0x34, guid)...)
	b = append(b, tlv(0x35, []byte("20520417"))...) // expires
	b = append(b, tlv(0x3e, nil)...)                // issuer's signature
	return append(b, tlv(0xfe, nil)...)
}

// Serial returns the serial number that a real token has printed on its back.
func (c *Card) Serial() uint32 { return c.serial }

// Firmware returns the version played, as "5.7.1".
func (c *Card) Firmware() string { return c.firmware.String() }

// Root returns the certificate of the practice root that certified this card.
func (c *Card) Root() *x509.Certificate { return c.root }

// SetPIN prepares a card for practice. It takes no old PIN and refills the
// tries; characters past the eighth are cut.
func (c *Card) SetPIN(pin string) {
	c.mu.Lock()
	c.pin.set(pad(pin)[:secretLength])
	hook := c.onChange
	c.mu.Unlock()
	if hook != nil {
		hook()
	}
}

// DisablePIV turns the PIV applet off or on, as YubiKey Manager does: the token stays
// a smart card, and no PIV token.
func (c *Card) DisablePIV(off bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.disabled = off
}

// PINTries returns the tries left.
func (c *Card) PINTries() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pin.Tries
}

// Counts returns what the card was asked to do so far.
func (c *Card) Counts() Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts
}

// OnChange calls f each time something that survives the power has changed
// (PIN tries, keys, objects), before the host has its answer: whoever saves
// the card then cannot be robbed of a counted try by a crash. f may call the
// card's methods and remove it, but not insert it or send it commands.
func (c *Card) OnChange(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onChange = f
}

// Process answers one command APDU. It returns nil when the card was pulled
// or its answer was lost, as a fault asked.
func (c *Card) Process(raw []byte) []byte {
	answer, how := c.exchange(raw, nil)
	if how != answered {
		return nil
	}
	return answer
}

// exchange answers one command for a reader, which closes pulled when the card goes.
func (c *Card) exchange(raw []byte, pulled <-chan struct{}) ([]byte, fate) {
	c.turn.Lock()
	defer c.turn.Unlock()
	select {
	case <-pulled:
		return nil, removed
	default:
	}
	c.mu.Lock()
	c.fate, c.changed, c.cut = answered, false, pulled
	answer := c.process(raw)
	how, hook := c.fate, c.onChange
	if how == removed {
		c.sleep()
	}
	if !c.changed {
		hook = nil
	}
	c.mu.Unlock()
	if hook != nil {
		hook()
	}
	return answer, how
}

func (c *Card) process(raw []byte) []byte {
	c.counts.APDUs++
	cmd, ok := parseCommand(raw)
	if !ok {
		return statusWrongLength.bytes()
	}
	most := longestShortResponse
	if cmd.extended {
		most = cmd.expected
	}
	if cmd.ins == insGetResponse {
		return c.pipe.deliver(c.pipe.pending, statusOK, most)
	}
	if complete, st := c.pipe.gather(&cmd); !complete {
		c.pipe.pending = nil
		return st.bytes()
	}
	answer, st := c.dispatch(cmd)
	return c.pipe.deliver(answer, st, most)
}

// An applet is one of the programs on a YubiKey.
type applet int

const (
	appletNone applet = iota
	appletPIV
	appletManagement
	appletOTP
)

var (
	aidPIV        = []byte{0xa0, 0, 0, 3, 8}
	aidManagement = []byte{0xa0, 0, 0, 5, 0x27, 0x47, 0x11, 0x17}
	aidOTP        = []byte{0xa0, 0, 0, 5, 0x27, 0x20, 1, 1}
)

const (
	insSelect byte = 0xa4
	byName    byte = 0x04 // p1 of SELECT
)

func (c *Card) dispatch(cmd command) ([]byte, status) {
	if cmd.ins == insSelect {
		return c.selectApplet(cmd)
	}
	switch c.applet {
	case appletPIV:
		return c.piv(cmd)
	case appletManagement:
		return c.managementApplet(cmd)
	case appletOTP:
		return c.otpApplet(cmd)
	}
	return nil, statusNoInstruction
}

// selectApplet is SELECT. Leaving an applet forgets what was proven to it.
func (c *Card) selectApplet(cmd command) ([]byte, status) {
	if cmd.p1 != byName {
		return nil, statusNoFile
	}
	switch {
	case bytes.HasPrefix(cmd.data, aidPIV) && !c.disabled:
		if c.applet != appletPIV {
			c.sleep()
		}
		c.applet = appletPIV
		return pivProperties(), statusOK
	case c.foreign:
		return nil, statusNoFile
	case bytes.HasPrefix(cmd.data, aidManagement):
		c.sleep()
		c.applet = appletManagement
		return []byte(c.firmware.String()), statusOK
	case bytes.HasPrefix(cmd.data, aidOTP):
		c.sleep()
		c.applet = appletOTP
		return append(bytes.Clone(c.firmware[:]), 0, 0, 0), statusOK
	}
	return nil, statusNoFile
}

// pivProperties is the application property template (SP 800-73-4, part 2, table 3).
func pivProperties() []byte {
	authority := tlv(0x79, tlv(0x4f, aidPIV))
	return tlv(0x61, append(tlv(0x4f, []byte{0, 0, 0x10, 0, 1, 0}), authority...))
}

func (c *Card) managementApplet(cmd command) ([]byte, status) {
	if cmd.ins != 0x1d { // READ CONFIG
		return nil, statusNoInstruction
	}
	b := tlv(0x01, []byte{0x02, 0x3f}) // applets supported over USB
	b = append(b, tlv(0x02, binary.BigEndian.AppendUint32(nil, c.serial))...)
	if c.firmware.hasFormFactor() {
		b = append(b, tlv(0x04, []byte{formFactorUSBC})...)
		b = append(b, tlv(0x05, c.firmware[:])...)
	}
	return append([]byte{byte(len(b))}, b...), statusOK
}

func (c *Card) otpApplet(cmd command) ([]byte, status) {
	if cmd.ins == 0x01 && cmd.p1 == 0x10 { // serial number
		return binary.BigEndian.AppendUint32(nil, c.serial), statusOK
	}
	return nil, statusNoInstruction
}

// Instructions of the PIV applet.
const (
	insVerify              byte = 0x20
	insChangeReference     byte = 0x24
	insResetRetry          byte = 0x2c
	insGenerate            byte = 0x47
	insGeneralAuthenticate byte = 0x87
	insGetData             byte = 0xcb
	insPutData             byte = 0xdb
	insMetadata            byte = 0xf7 // from here on Yubico's own
	insSerial              byte = 0xf8
	insAttest              byte = 0xf9
	insSetRetries          byte = 0xfa
	insReset               byte = 0xfb
	insVersion             byte = 0xfd
	insImport              byte = 0xfe
	insSetManagementKey    byte = 0xff
)

// piv answers in the PIV applet. A PIN is fresh only for the command that
// follows it at once (SP 800-73-4, part 1, 5.1: "PIN always").
func (c *Card) piv(cmd command) ([]byte, status) {
	justVerified := c.pinFresh
	c.pinFresh = false
	switch cmd.ins {
	case insVerify:
		return nil, c.verify(cmd)
	case insChangeReference:
		return nil, c.changeReference(cmd)
	case insResetRetry:
		return nil, c.resetRetry(cmd)
	case insGenerate:
		return c.generate(cmd.p2, cmd.data)
	case insGeneralAuthenticate:
		return c.generalAuthenticate(cmd, justVerified)
	case insGetData:
		return c.getData(cmd.data)
	case insPutData:
		return nil, c.putData(cmd.data)
	}
	return c.yubico(cmd)
}

// yubico answers Yubico's extensions of PIV.
func (c *Card) yubico(cmd command) ([]byte, status) {
	switch cmd.ins {
	case insVersion:
		return bytes.Clone(c.firmware[:]), statusOK
	case insSerial:
		if !c.firmware.hasSerial() || c.foreign {
			return nil, statusNoInstruction
		}
		return binary.BigEndian.AppendUint32(nil, c.serial), statusOK
	case insMetadata:
		return c.metadata(cmd.p2)
	case insAttest:
		if c.foreign {
			return nil, statusNoInstruction
		}
		return c.attest(cmd.p1)
	case insSetRetries:
		return nil, c.setRetries(cmd)
	case insReset:
		return nil, c.reset()
	case insImport:
		return nil, c.importKey(cmd.p1, cmd.p2, cmd.data)
	case insSetManagementKey:
		return nil, c.setManagementKey(cmd.data)
	}
	return nil, statusNoInstruction
}

// sleep forgets what does not survive the loss of power.
func (c *Card) sleep() {
	c.applet = appletNone
	c.pinOK, c.pinFresh, c.managed = false, false, false
	c.asked = nonce{}
	c.pipe = pipe{}
}

// powerUp puts the card to its state after a loss of power. It waits for an
// exchange that was cut off to end.
func (c *Card) powerUp() {
	c.turn.Lock()
	defer c.turn.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sleep()
}

// HasPIN reports whether the practice card's PIN is pin, without counting a try:
// only a rehearsal, which plays both people and tokens, may ask.
func (c *Card) HasPIN(pin string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Equal(c.pin.Value, pad(pin)[:secretLength])
}

// HasPUK is HasPIN for the PUK.
func (c *Card) HasPUK(puk string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Equal(c.puk.Value, pad(puk)[:secretLength])
}
