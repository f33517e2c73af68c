package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"conclave/ceremony/tuf"
	"conclave/hsm"
	"conclave/hsm/attest"
	"conclave/tui/text"
)

// enrolFlags are what enrol takes besides the holder.
type enrolFlags struct {
	tokenFlags
	slot, algorithm, out string
	erase                uint32
	keepPIN              bool
}

func (p *program) tokenEnrolCommand() *cobra.Command {
	var flags enrolFlags
	cmd := &cobra.Command{
		Use:   "enrol HOLDER",
		Short: "Make a key on a token for a keyholder",
		Long: `Makes a key on the token that asks for PIN and touch each time, and replaces PIN,
PUK and management key (the last becomes a random one that the token keeps behind
its PIN). The holder's name goes into the slot. Then the token proves that it made
the key and that it can use it, and two files are written: the public key
(PREFIX.pem) and the evidence (PREFIX.evidence.json).

An occupied slot is refused, unless --really-erase names the token's serial number
and the person types it too: the key that is there is lost for good.`,
		Example: "  conclave token enrol Alice\n  conclave token enrol Alice --slot 82 --keep-pin -o alice-targets\n  conclave token enrol Bob --serial 20114422 --really-erase 20114422",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.tokenEnrol(cmd.Context(), cmd.CommandPath(), args[0], flags)
		},
	}
	flags.register(cmd)
	f := cmd.Flags()
	f.StringVar(&flags.slot, "slot", "9c", "slot for the key: 9c, or 82 to 95 for further keys on one token")
	f.StringVar(&flags.algorithm, "algorithm", string(hsm.P256), "p256, or p384, which many TUF clients cannot read")
	f.Uint32Var(&flags.erase, "really-erase", 0, "serial number of the token whose key in the slot may be lost for good")
	f.BoolVar(&flags.keepPIN, "keep-pin", false, "leave PIN and PUK as they are, where the token says that they are not the factory's")
	f.StringVarP(&flags.out, "output", "o", "", "PREFIX of the files to write (default: SERIAL-SLOT)")
	return cmd
}

// A newKey is an enrolment under way.
type newKey struct {
	ask    *asker
	token  hsm.Keeper
	wanted hsm.Enrolment
	files  evidenceFiles
}

func (p *program) tokenEnrol(ctx context.Context, cmd, holder string, flags enrolFlags) error {
	wanted, err := flags.wanted(holder)
	if err != nil {
		return &usageError{cmd, err}
	}
	ask, err := p.asker(cmd)
	if err != nil {
		return err
	}
	token, err := openOne(ctx, flags.serial)
	if err != nil {
		return err
	}
	defer func() { _ = token.Close() }()
	n := &newKey{ask: ask, token: token, wanted: wanted}
	defer n.wipe()
	if n.files, err = evidenceFilesFor(flags.out, token.Info().Serial, wanted.Slot); err != nil {
		return err
	}
	if err := n.prepare(ctx, flags.keepPIN); err != nil {
		return onToken(err)
	}
	key, err := token.Enrol(ctx, n.wanted)
	if err != nil {
		return onToken(err)
	}
	return p.enrolled(ctx, n, key, flags.roots())
}

// wanted reads what can be read without the token.
func (f enrolFlags) wanted(holder string) (hsm.Enrolment, error) {
	slot, err := hsm.ParseSlot(f.slot)
	if err != nil {
		return hsm.Enrolment{}, err
	}
	algorithm := hsm.Algorithm(f.algorithm)
	if algorithm != hsm.P256 && algorithm != hsm.P384 {
		return hsm.Enrolment{}, fmt.Errorf("--algorithm takes %s or %s", hsm.P256, hsm.P384)
	}
	return hsm.Enrolment{Slot: slot, Algorithm: algorithm, Holder: holder, Erase: f.erase}, nil
}

func (n *newKey) wipe() {
	for _, pin := range []*hsm.PIN{n.wanted.CurrentPIN, n.wanted.NewPIN, n.wanted.CurrentPUK, n.wanted.NewPUK} {
		pin.Wipe()
	}
}

// prepare says what will be done and asks for what is needed. Nothing is sent
// that could change the token or cost a try.
func (n *newKey) prepare(ctx context.Context, keepPIN bool) error {
	info := n.token.Info()
	n.ask.say("Token %d, firmware %s, %s.", info.Serial, info.Firmware, triesLeft("PIN", info.Retries))
	for _, w := range hsm.Weaknesses(info.Firmware) {
		n.ask.say("[i] %s", w)
	}
	if n.wanted.Algorithm == hsm.P384 {
		n.ask.say("[i] P-384: several TUF clients refuse a root with such a key, tuf-js among them. P-256 is read by all.")
	}
	if err := n.mayErase(ctx); err != nil {
		return err
	}
	if info.Retries == 0 {
		return hsm.ErrBlocked
	}
	if err := n.ask.lastTry(ctx, "PIN", info.Retries, info.Serial); err != nil {
		return err
	}
	if err := n.secrets(ctx, keepPIN); err != nil {
		return err
	}
	return n.ask.yes(ctx, "Make a %s key for %s in slot %v of token %d?", n.wanted.Algorithm, n.wanted.Holder, n.wanted.Slot, info.Serial)
}

// mayErase refuses an occupied slot, and has the serial typed where it may be written over.
func (n *newKey) mayErase(ctx context.Context) error {
	serial := n.token.Info().Serial
	held, err := n.held(ctx)
	switch {
	case err != nil:
		return err
	case n.wanted.Erase != 0 && n.wanted.Erase != serial:
		return fmt.Errorf("%w: --really-erase names token %d, this is %d", hsm.ErrOccupied, n.wanted.Erase, serial)
	case held != "" && n.wanted.Erase == 0:
		return &statusError{
			code: exitToken, text: fmt.Sprintf("slot %v of token %d already holds %s", n.wanted.Slot, serial, held),
			hint: fmt.Sprintf("take an empty token or slot; only if that key is of no use to anybody: --really-erase %d", serial),
		}
	case n.wanted.Erase == 0:
		return nil
	}
	if held == "" {
		held = "whatever is there, which is no key that a ceremony could use"
	}
	return n.ask.serial(ctx, serial, fmt.Sprintf("Slot %v of token %d: %s will be lost for good.", n.wanted.Slot, serial, held))
}

// held names the key in the slot, "" for none.
func (n *newKey) held(ctx context.Context) (string, error) {
	keys, err := n.token.Keys(ctx)
	if err != nil {
		return "", err
	}
	for _, k := range keys {
		if k.Slot == n.wanted.Slot {
			if k.Holder == "" {
				return "a key of nobody by name", nil
			}
			return "the key of " + k.Holder, nil
		}
	}
	return "", nil
}

// secrets asks for the present PIN and PUK and for new ones.
func (n *newKey) secrets(ctx context.Context, keepPIN bool) (err error) {
	info, s := n.token.Info(), n.token.Secrets()
	if keepPIN && (!s.Told || s.PIN.Factory || s.PUK.Factory) {
		return &statusError{
			code: exitToken, text: "PIN or PUK of this token is the factory's, or it does not say",
			hint: "leave --keep-pin out, and both are replaced",
		}
	}
	if n.wanted.CurrentPIN, err = n.ask.secret(ctx, "Present PIN of %d (a new YubiKey has 123456)", info.Serial); err != nil || keepPIN {
		return err
	}
	if !s.PUK.Factory {
		if n.wanted.CurrentPUK, err = n.ask.presentPUK(ctx, n.token); err != nil {
			return err
		}
	}
	n.wanted.NewPIN, err = n.ask.fresh(ctx, "PIN", func(pin *hsm.PIN) error { return hsm.CheckNewPIN(pin, info) })
	if err != nil {
		return err
	}
	n.wanted.NewPUK, err = n.ask.fresh(ctx, "PUK", func(puk *hsm.PIN) error { return hsm.CheckNewPUK(puk, n.wanted.NewPIN, info) })
	return err
}

// pin is what opens the token after the enrolment.
func (n *newKey) pin() *hsm.PIN {
	if n.wanted.NewPIN != nil {
		return n.wanted.NewPIN
	}
	return n.wanted.CurrentPIN
}

// enrolled has the token prove what it made, and writes the files.
func (p *program) enrolled(ctx context.Context, n *newKey, key hsm.Key, roots attest.Roots) error {
	info := n.token.Info()
	proof, evidence, unproven := attested(ctx, n.token, key, attest.Expect{}, roots)
	if unproven != nil && !errors.Is(unproven, hsm.ErrNotGenuine) {
		return onToken(fmt.Errorf("the key is made, but: %w", unproven))
	}
	e, err := newEvidence(key, info, evidence)
	if err != nil {
		return err
	}
	if err := n.possess(ctx, key, e); err != nil {
		return onToken(fmt.Errorf("the key is made, but the token did not prove that it can use it: %w", err))
	}
	if err := n.files.write(key, e); err != nil {
		return err
	}
	if err := p.printEnrolled(e, proof, n.files); err != nil {
		return err
	}
	if unproven != nil {
		return &statusError{
			code: exitToken, text: "enrolled, but " + unproven.Error(),
			hint: "a ceremony takes this key only by an exception that goes on record",
		}
	}
	return nil
}

// possess has the new key sign a challenge that nobody could know before. What is signed
// begins with words, so it can be read as no kind of metadata.
func (n *newKey) possess(ctx context.Context, key hsm.Key, e *evidenceFile) error {
	nonce := make([]byte, 32)
	_, _ = rand.Read(nonce) // never fails
	e.Challenge = fmt.Sprintf("%s token %d slot %v keyid %s nonce %x", possession, e.Serial, key.Slot, e.KeyID, nonce)
	n.ask.say("[TOUCH] Touch token %d now: it proves that it can use its new key.", e.Serial)
	digest := challengeDigest(key.Algorithm, e.Challenge)
	signature, err := n.token.Sign(ctx, n.pin(), key.Slot, digest)
	if err != nil {
		return err
	}
	e.Signature = signature
	return e.checkPossession(key.Public)
}

// possession opens each challenge.
const possession = "conclave proof of possession, version 1:"

func challengeDigest(algorithm hsm.Algorithm, challenge string) []byte {
	if algorithm == hsm.P384 {
		d := sha512.Sum384([]byte(challenge))
		return d[:]
	}
	d := sha256.Sum256([]byte(challenge))
	return d[:]
}

// checkPossession verifies the proof in evidence.
func (e *evidenceFile) checkPossession(public crypto.PublicKey) error {
	key, ok := public.(*ecdsa.PublicKey)
	if !ok {
		return errors.New("the proof of possession is by a key of another kind")
	}
	algorithm := hsm.P256
	if key.Curve.Params().BitSize == 384 {
		algorithm = hsm.P384
	}
	if !ecdsa.VerifyASN1(key, challengeDigest(algorithm, e.Challenge), e.Signature) {
		return hsm.ErrGarbled
	}
	return nil
}

// enrolReport is what enrol prints with --json.
type enrolReport struct {
	evidenceReport
	Files []string `json:"files"`
}

func (p *program) printEnrolled(e *evidenceFile, proof *attest.Proof, files evidenceFiles) error {
	report := enrolReport{evidenceReport: e.report(proof), Files: []string{files.pem, files.evidence}}
	if p.json {
		return p.printJSON(report)
	}
	fmt.Fprintf(p.out, "[OK] slot %s of token %d holds a key of %s\n", e.Slot, e.Serial, text.Clean(e.Holder))
	for _, line := range report.lines() {
		fmt.Fprintln(p.out, line)
	}
	for _, f := range report.Files {
		fmt.Fprintln(p.out, f)
	}
	return nil
}

// evidenceFiles are where the public key and the evidence go.
type evidenceFiles struct{ pem, evidence string }

// evidenceFilesFor refuses files that are there: a key is not made for nothing.
func evidenceFilesFor(prefix string, serial uint32, slot hsm.Slot) (evidenceFiles, error) {
	if prefix == "" {
		prefix = fmt.Sprintf("%d-%v", serial, slot)
	}
	f := evidenceFiles{pem: prefix + ".pem", evidence: prefix + ".evidence.json"}
	for _, path := range []string{f.pem, f.evidence} {
		if _, err := os.Lstat(path); err == nil {
			return f, &statusError{code: exitFailed, text: path + " is there already", hint: "name other files with -o; nothing is overwritten, and nothing was sent to the token"}
		}
	}
	return f, nil
}

func keyidOf(public crypto.PublicKey) (string, error) {
	key, err := tuf.NewKey(public)
	return key.ID, err
}
