package virtual

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/rand"
	"crypto/subtle"
)

const refManagement byte = 0x9b

// Management key algorithms (SP 800-78-4, table 6-2).
const (
	alg3DES   byte = 0x03
	algAES128 byte = 0x08
	algAES192 byte = 0x0a
	algAES256 byte = 0x0c
)

// Tags of the dynamic authentication template (SP 800-73-4, part 2, table 7).
const (
	tagDynamic   byte = 0x7c
	tagWitness   byte = 0x80
	tagChallenge byte = 0x81
	tagResponse  byte = 0x82
)

// Objects that are treated apart (SP 800-73-4, part 1, table 3).
const (
	objDiscovery uint32 = 0x7e
	objPrinted   uint32 = 0x5fc109 // PIN-protected; hosts keep a management key there
	objCHUID     uint32 = 0x5fc102
	objDevice    uint32 = 0x5fff01 // Yubico's certificate of f9
)

const (
	tagObjectID byte = 0x5c
	tagObject   byte = 0x53
	maxObject        = 3052 // bytes that one object takes on a YubiKey 4 or 5
	maxObjects       = 64   // more than PIV names; bounds the practice file
)

// A managementKey lets a host change what is on the card.
type managementKey struct {
	Algorithm byte   `json:"algorithm"`
	Value     []byte `json:"value"`
	Factory   bool   `json:"factory"`
}

var managementKeyLength = map[byte]int{alg3DES: 24, algAES128: 16, algAES192: 24, algAES256: 32}

// factoryManagementKey is the published default; only its algorithm changed with 5.7.
func factoryManagementKey(f firmware) managementKey {
	m := managementKey{Algorithm: alg3DES, Value: bytes.Repeat([]byte{1, 2, 3, 4, 5, 6, 7, 8}, 3), Factory: true}
	if f.hasNewKeys() {
		m.Algorithm = algAES192
	}
	return m
}

func (m managementKey) block() (cipher.Block, error) {
	if m.Algorithm == alg3DES {
		return des.NewTripleDESCipher(m.Value)
	}
	return aes.NewCipher(m.Value)
}

// authenticateHost is GENERAL AUTHENTICATE with the management key
// (SP 800-73-4, part 2, appendix A): mutual when the host asks for a witness, single
// when it asks for a challenge.
func (c *Card) authenticateHost(alg byte, t template) ([]byte, status) {
	if alg != c.management.Algorithm && (alg != 0 || c.management.Algorithm != alg3DES) {
		return nil, statusBadParameter
	}
	block, err := c.management.block()
	if err != nil {
		return nil, statusInternalError
	}
	asked := c.asked
	c.asked = nonce{}
	witness, hasWitness := t[tagWitness]
	challenge, hasChallenge := t[tagChallenge]
	response, hasResponse := t[tagResponse]
	switch {
	case hasWitness && len(witness) == 0:
		return c.askWitness(block)
	case hasChallenge && len(challenge) == 0 && !hasWitness:
		return c.askChallenge(block)
	case hasWitness && hasChallenge:
		return c.answerMutual(block, asked, witness, challenge)
	case hasResponse:
		return c.answerSingle(block, asked, response)
	}
	return nil, statusBadData
}

// A nonce is what the card asked a host to encrypt or decrypt. The two kinds
// must not be mixed up: a challenge is sent in the clear, a witness sealed, so
// each is the answer to the other.
type nonce struct {
	tag   byte
	value []byte
}

func (n nonce) is(tag byte, block cipher.Block) bool {
	return n.tag == tag && len(n.value) == block.BlockSize()
}

func (c *Card) ask(block cipher.Block, tag byte) []byte {
	c.asked = nonce{tag: tag, value: make([]byte, block.BlockSize())}
	_, _ = rand.Read(c.asked.value) // never fails
	return c.asked.value
}

func encrypt(block cipher.Block, in []byte) []byte {
	out := make([]byte, block.BlockSize())
	block.Encrypt(out, in)
	return out
}

func (c *Card) askWitness(block cipher.Block) ([]byte, status) {
	sealed := encrypt(block, c.ask(block, tagWitness))
	return tlv(tagDynamic, tlv(tagWitness, sealed)), statusOK
}

func (c *Card) askChallenge(block cipher.Block) ([]byte, status) {
	return tlv(tagDynamic, tlv(tagChallenge, c.ask(block, tagChallenge))), statusOK
}

func (c *Card) answerMutual(block cipher.Block, asked nonce, witness, challenge []byte) ([]byte, status) {
	if !asked.is(tagWitness, block) || len(challenge) != block.BlockSize() ||
		subtle.ConstantTimeCompare(witness, asked.value) != 1 {
		return nil, statusNotAllowed
	}
	c.managed = true
	return tlv(tagDynamic, tlv(tagResponse, encrypt(block, challenge))), statusOK
}

func (c *Card) answerSingle(block cipher.Block, asked nonce, response []byte) ([]byte, status) {
	if !asked.is(tagChallenge, block) ||
		subtle.ConstantTimeCompare(response, encrypt(block, asked.value)) != 1 {
		return nil, statusNotAllowed
	}
	c.managed = true
	return nil, statusOK
}

// setManagementKey is Yubico's SET MANAGEMENT KEY.
func (c *Card) setManagementKey(data []byte) status {
	if !c.managed {
		return statusNotAllowed
	}
	if len(data) < 3 || data[1] != refManagement || int(data[2]) != len(data)-3 {
		return statusBadData
	}
	alg, value := data[0], data[3:]
	want, known := managementKeyLength[alg]
	if !known || want != len(value) || alg != alg3DES && !c.firmware.hasAES() {
		return statusBadData
	}
	c.management = managementKey{Algorithm: alg, Value: bytes.Clone(value)}
	c.changed = true
	return statusOK
}

// getData is GET DATA (SP 800-73-4, part 2, 3.1.2).
func (c *Card) getData(data []byte) ([]byte, status) {
	t, err := parseTemplate(data)
	if err != nil {
		return nil, statusBadData
	}
	id, ok := objectID(t)
	switch {
	case !ok:
		return nil, statusBadData
	case id == objDiscovery:
		return discovery(), statusOK
	case id == objPrinted && !c.pinOK:
		return nil, statusNotAllowed
	}
	object := c.objects[id]
	if len(object) == 0 {
		return nil, statusNoFile
	}
	return tlv(tagObject, object), statusOK
}

// putData is PUT DATA (3.3.2). An empty object deletes.
func (c *Card) putData(data []byte) status {
	if !c.managed {
		return statusNotAllowed
	}
	t, err := parseTemplate(data)
	if err != nil {
		return statusBadData
	}
	id, ok := objectID(t)
	object, ok2 := t[tagObject]
	_, old := c.objects[id]
	switch {
	case !ok || !ok2 || id == objDiscovery:
		return statusBadData
	case len(object) > maxObject || !old && len(c.objects) >= maxObjects:
		return statusNoSpace
	case len(object) == 0:
		delete(c.objects, id)
	default:
		c.objects[id] = bytes.Clone(object)
	}
	c.changed = true
	return statusOK
}

func objectID(t template) (uint32, bool) {
	b, ok := t[tagObjectID]
	if !ok || len(b) != 1 && len(b) != 3 {
		return 0, false
	}
	var id uint32
	for _, v := range b {
		id = id<<8 | uint32(v)
	}
	return id, true
}

// discovery says that the PIV applet has its own PIN (SP 800-73-4, part 1, 3.3.2).
func discovery() []byte {
	application := tlv(0x4f, append(bytes.Clone(aidPIV), 0, 0, 0x10, 0, 1, 0))
	return tlv(byte(objDiscovery), append(application, 0x5f, 0x2f, 0x02, 0x40, 0x00))
}

// Tags of Yubico's GET METADATA.
const (
	metaAlgorithm byte = 1
	metaPolicy    byte = 2
	metaOrigin    byte = 3
	metaPublic    byte = 4
	metaFactory   byte = 5
	metaTries     byte = 6
)

// metadata is Yubico's GET METADATA, known from 5.3 on.
func (c *Card) metadata(ref byte) ([]byte, status) {
	if !c.firmware.hasMetadata() {
		return nil, statusNoInstruction
	}
	switch ref {
	case refManagement:
		return bytes.Join([][]byte{
			tlv(metaAlgorithm, []byte{c.management.Algorithm}),
			tlv(metaPolicy, []byte{0, policyNever}),
			tlv(metaFactory, flag(c.management.Factory)),
		}, nil), statusOK
	case refPIN:
		return secretMetadata(c.pin), statusOK
	case refPUK:
		return secretMetadata(c.puk), statusOK
	}
	k := c.keys[ref]
	if k == nil {
		return nil, statusNoReference
	}
	return bytes.Join([][]byte{
		tlv(metaAlgorithm, []byte{k.algorithm}),
		tlv(metaPolicy, []byte{k.pin, k.touch}),
		tlv(metaOrigin, []byte{k.origin}),
		tlv(metaPublic, k.publicTLV()),
	}, nil), statusOK
}

func secretMetadata(s secret) []byte {
	return bytes.Join([][]byte{
		tlv(metaAlgorithm, []byte{0xff}),
		tlv(metaFactory, flag(s.Factory)),
		tlv(metaTries, []byte{byte(s.Max), byte(s.Tries)}),
	}, nil)
}

func flag(b bool) []byte {
	if b {
		return []byte{1}
	}
	return []byte{0}
}
