//go:build !offline && cgo

package publish

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/pkcs11"
)

// modules are the PKCS#11 libraries that were loaded. Their state is the process's: a library cannot be initialised
// twice, and a login holds for all sessions.
var modules struct {
	sync.Mutex
	loaded map[string]*pkcs11.Ctx
}

// loadModule loads a library once. It runs inside of this program, so nobody else may have written it.
func loadModule(path string) (*pkcs11.Ctx, error) {
	modules.Lock()
	defer modules.Unlock()
	if m := modules.loaded[path]; m != nil {
		return m, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if open := info.Mode().Perm() & 0o022; open != 0 {
		return nil, withHint(fmt.Errorf("%s can be changed by others (mode %04o)", path, info.Mode().Perm()), "it is run with the rights of this program")
	}
	m := pkcs11.New(path)
	if m == nil {
		return nil, fmt.Errorf("%s is not a PKCS#11 module", path)
	}
	if err := m.Initialize(); err != nil {
		m.Destroy()
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	if modules.loaded == nil {
		modules.loaded = map[string]*pkcs11.Ctx{}
	}
	modules.loaded[path] = m
	return m, nil
}

// A tokenKey is one key pair on a token.
type tokenKey struct {
	module *pkcs11.Ctx
	public *ecdsa.PublicKey

	mu      sync.Mutex // a session does one thing at a time
	session pkcs11.SessionHandle
	private pkcs11.ObjectHandle
}

// openToken logs in and finds the key.
func openToken(ref string) (*Signer, error) {
	u, err := parseTokenURI(ref)
	if err != nil {
		return nil, err
	}
	k, err := openTokenKey(u)
	if err != nil {
		return nil, fmt.Errorf("open key %s: %w", hideQuery(ref), err)
	}
	s, err := NewSigner(k)
	if err != nil {
		return nil, fmt.Errorf("open key %s: %w", hideQuery(ref), err)
	}
	return s, nil
}

func openTokenKey(u tokenURI) (*tokenKey, error) {
	m, session, err := login(u)
	if err != nil {
		return nil, err
	}
	k := &tokenKey{module: m, session: session}
	if err := k.find(u); err != nil {
		return nil, errors.Join(err, m.CloseSession(session))
	}
	return k, nil
}

// login opens a session on the one token that u names.
func login(u tokenURI) (*pkcs11.Ctx, pkcs11.SessionHandle, error) {
	m, err := loadModule(u.Module)
	if err != nil {
		return nil, 0, err
	}
	slot, info, err := findToken(m, u)
	if err != nil {
		return nil, 0, err
	}
	// A service that is started again and again with a wrong PIN would block the token.
	if info.Flags&(pkcs11.CKF_USER_PIN_COUNT_LOW|pkcs11.CKF_USER_PIN_FINAL_TRY|pkcs11.CKF_USER_PIN_LOCKED) != 0 {
		return nil, 0, withHint(fmt.Errorf("%w: it has refused a PIN lately, and nothing was tried", ErrLogin), "log in once by hand with the right PIN: that resets its count")
	}
	session, err := m.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	if err != nil {
		return nil, 0, fmt.Errorf("open session: %w", err)
	}
	if state, err := m.GetSessionInfo(session); err == nil && state.State == pkcs11.CKS_RW_USER_FUNCTIONS {
		return m, session, nil // another key of this token is open
	}
	pin, err := openPIN(u.PINSource)
	if err != nil {
		return nil, 0, errors.Join(err, m.CloseSession(session))
	}
	defer pin.Wipe()
	err = m.Login(session, pkcs11.CKU_USER, string(*pin.b))
	if err != nil && !errors.Is(err, pkcs11.Error(pkcs11.CKR_USER_ALREADY_LOGGED_IN)) {
		return nil, 0, errors.Join(withHint(fmt.Errorf("%w: %w", ErrLogin, err), "after a few wrong PINs a token blocks itself: do not just try again"), m.CloseSession(session))
	}
	return m, session, nil
}

func findToken(m *pkcs11.Ctx, u tokenURI) (uint, pkcs11.TokenInfo, error) {
	slots, err := m.GetSlotList(true)
	if err != nil {
		return 0, pkcs11.TokenInfo{}, fmt.Errorf("list tokens: %w", err)
	}
	var found []uint
	var info pkcs11.TokenInfo
	for _, slot := range slots {
		t, err := m.GetTokenInfo(slot)
		if err != nil {
			continue
		}
		if u.Token != "" && strings.TrimRight(t.Label, " \x00") != u.Token || u.Serial != "" && strings.TrimRight(t.SerialNumber, " \x00") != u.Serial {
			continue
		}
		found, info = append(found, slot), t
	}
	switch len(found) {
	case 0:
		return 0, info, withHint(fmt.Errorf("there is no token %q", u.Token+u.Serial), "is it plugged in, and does this account see it?")
	case 1:
		return found[0], info, nil
	}
	return 0, info, withHint(fmt.Errorf("%d tokens are called %q", len(found), u.Token), "name its serial too")
}

// find looks for the one key pair that u names.
func (k *tokenKey) find(u tokenURI) error {
	private, err := k.object(u, pkcs11.CKO_PRIVATE_KEY)
	if err != nil {
		return fmt.Errorf("private key: %w", err)
	}
	public, err := k.object(u, pkcs11.CKO_PUBLIC_KEY)
	if err != nil {
		return fmt.Errorf("public key: %w", err)
	}
	k.private = private
	k.public, err = k.readPublic(public)
	return err
}

func (k *tokenKey) object(u tokenURI, class uint) (pkcs11.ObjectHandle, error) {
	want := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, class)}
	if u.Object != "" {
		want = append(want, pkcs11.NewAttribute(pkcs11.CKA_LABEL, u.Object))
	}
	if u.ID != "" {
		want = append(want, pkcs11.NewAttribute(pkcs11.CKA_ID, []byte(u.ID)))
	}
	if err := k.module.FindObjectsInit(k.session, want); err != nil {
		return 0, err
	}
	found, _, err := k.module.FindObjects(k.session, 2)
	if err := errors.Join(err, k.module.FindObjectsFinal(k.session)); err != nil {
		return 0, err
	}
	switch len(found) {
	case 0:
		return 0, fmt.Errorf("%w: %q", errNoTokenKey, u.Object+u.ID)
	case 1:
		return found[0], nil
	}
	return 0, withHint(fmt.Errorf("several are called %q", u.Object+u.ID), "name its id too")
}

var errNoTokenKey = errors.New("there is none on the token")

// curves are those that clients know, by the OID that PKCS#11 gives as parameters.
var curves = map[string]elliptic.Curve{
	"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07": elliptic.P256(),
	"\x06\x05\x2b\x81\x04\x00\x22":             elliptic.P384(),
}

const oidP256 = "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"

func (k *tokenKey) readPublic(public pkcs11.ObjectHandle) (*ecdsa.PublicKey, error) {
	attributes, err := k.module.GetAttributeValue(k.session, public, []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, nil), pkcs11.NewAttribute(pkcs11.CKA_EC_POINT, nil),
	})
	if err != nil {
		return nil, withHint(fmt.Errorf("read public key: %w", err), "only keys on elliptic curves are used; make one with: conclave publish keygen")
	}
	curve := curves[string(attributes[0].Value)]
	if curve == nil {
		return nil, withHint(fmt.Errorf("read public key: its curve %x is not known", attributes[0].Value), "use P-256, which every client knows")
	}
	point := attributes[1].Value
	var octets []byte
	if rest, err := asn1.Unmarshal(point, &octets); err == nil && len(rest) == 0 {
		point = octets // as PKCS#11 says; some modules give the bare point
	}
	return ecdsa.ParseUncompressedPublicKey(curve, point)
}

// Public implements crypto.Signer.
func (k *tokenKey) Public() crypto.PublicKey { return k.public }

// Sign implements crypto.Signer. PKCS#11 gives r and s side by side; TUF wants them in ASN.1.
func (k *tokenKey) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts.HashFunc().Size() != len(digest) {
		return nil, fmt.Errorf("sign: a hash has %d bytes, this one %d", opts.HashFunc().Size(), len(digest))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.module.SignInit(k.session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_ECDSA, nil)}, k.private); err != nil {
		return nil, fmt.Errorf("sign on token: %w", err)
	}
	raw, err := k.module.Sign(k.session, digest)
	if err != nil {
		return nil, fmt.Errorf("sign on token: %w", err)
	}
	if len(raw) == 0 || len(raw)%2 != 0 {
		return nil, fmt.Errorf("sign on token: it answers %d bytes", len(raw))
	}
	r, s := new(big.Int).SetBytes(raw[:len(raw)/2]), new(big.Int).SetBytes(raw[len(raw)/2:])
	return asn1.Marshal(struct{ R, S *big.Int }{r, s})
}

// makeOnToken makes a P-256 key pair that never leaves the token.
func makeOnToken(ref string) error {
	u, err := parseTokenURI(ref)
	if err != nil {
		return err
	}
	if err := makeTokenKey(u); err != nil {
		return fmt.Errorf("generate key %s: %w", hideQuery(ref), err)
	}
	return nil
}

func makeTokenKey(u tokenURI) error {
	m, session, err := login(u)
	if err != nil {
		return err
	}
	defer func() { _ = m.CloseSession(session) }() // what it made is on the token by then
	k := &tokenKey{module: m, session: session}
	if err := k.find(u); !errors.Is(err, errNoTokenKey) {
		return errors.Join(err, withHint(errors.New("it exists"), "keys are never overwritten; use another name"))
	}
	id := []byte(u.ID)
	if len(id) == 0 {
		id = make([]byte, 16)
		_, _ = rand.Read(id)
	}
	common := []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_ID, id), pkcs11.NewAttribute(pkcs11.CKA_LABEL, u.Object),
	}
	public := append(slices.Clone(common), pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, []byte(oidP256)), pkcs11.NewAttribute(pkcs11.CKA_VERIFY, true))
	private := append(slices.Clone(common), pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true), pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true),
		pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false), pkcs11.NewAttribute(pkcs11.CKA_SIGN, true))
	_, _, err = m.GenerateKeyPair(session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_EC_KEY_PAIR_GEN, nil)}, public, private)
	return err
}
