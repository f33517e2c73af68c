package transfer

import (
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"conclave/ceremony/tuf"
)

// bundleType tells a bundle from every other JSON file.
const bundleType = "conclave-bundle"

// file is the whole file, in the form of the package comment.
func (w *wire) file(b *Bundle) {
	if w.reading {
		w.checkStart()
	}
	w.begin(fileLayout)
	w.head(b)
	if w.optional("plan", b.Plan != nil) {
		if w.reading {
			b.Plan = new(Plan)
		}
		w.plan(b.Plan)
	}
	w.key("base")
	w.base(&b.Base)
	w.key("documents")
	list(w, linesLayout, &b.Documents, MaxDocuments, (*wire).roleDocument)
	if w.optional("tokens", len(b.Tokens) > 0) {
		list(w, linesLayout, &b.Tokens, MaxTokens, (*wire).evidence)
		if w.reading && w.err == nil && len(b.Tokens) == 0 {
			w.fail("an empty list of tokens is left out")
		}
	}
	if w.optional("record", b.Record != nil) {
		if w.reading {
			b.Record = new(RecordHead)
		}
		w.record(b.Record)
	}
	w.end()
	if w.reading && w.err == nil && w.pos < len(w.in) {
		w.fail("%d bytes follow after the end of the bundle", len(w.in)-w.pos)
	}
}

// checkStart recognises what is no bundle at all before anything is read.
func (w *wire) checkStart() {
	switch {
	case len(w.in) > MaxBundle:
		w.fail("the file has more than %d bytes", MaxBundle)
	case len(w.in) == 0:
		w.fail("the file is empty")
	case bytes.HasPrefix(w.in, []byte("\xef\xbb\xbf")):
		w.fail("the file begins with a byte order mark: an editor saved it")
	}
}

func (w *wire) head(b *Bundle) {
	w.key("format")
	w.format()
	w.key("type")
	w.text(strconv.Quote(bundleType))
	w.key("purpose")
	w.str(&b.Purpose, MaxPurpose)
	w.key("created")
	w.moment(&b.Created)
	w.key("practice")
	w.flag(&b.Practice)
	w.optionalMoment("declared", &b.Declared)
}

// optionalMoment is a time that is there or not. The zero time is not there: it has no spelling of its own.
func (w *wire) optionalMoment(name string, t *time.Time) {
	if !w.optional(name, !t.IsZero()) {
		return
	}
	w.moment(t)
	if w.err == nil && t.IsZero() {
		w.fail("a time that is not there is left out")
	}
}

func (w *wire) format() {
	version := int64(FormatVersion)
	w.number(&version, 1, maxInteger)
	if w.err == nil && version != FormatVersion {
		w.fail("the bundle has format %d; this program knows format %d", version, FormatVersion)
	}
}

func (w *wire) plan(p *Plan) {
	w.begin(objectLayout)
	w.key("holders")
	list(w, listLayout, &p.Holders, MaxHolders, (*wire).holder)
	w.key("root_threshold")
	w.int(&p.RootThreshold, 1, MaxHolders)
	w.key("targets_threshold")
	w.int(&p.TargetsThreshold, 1, MaxHolders)
	w.key("algorithm")
	w.str(&p.Algorithm, MaxName)
	w.key("snapshot")
	list(w, listLayout, &p.Snapshot, MaxPlanKeys, (*wire).publicKey)
	w.key("timestamp")
	list(w, listLayout, &p.Timestamp, MaxPlanKeys, (*wire).publicKey)
	w.key("root_expires")
	w.moment(&p.RootExpires)
	w.optionalMoment("targets_expires", &p.TargetsExpires)
	w.key("files")
	list(w, listLayout, &p.Files, MaxFiles, (*wire).plannedFile)
	if w.optional("rotation", p.Rotation != nil) {
		if w.reading {
			p.Rotation = new(Rotation)
		}
		w.rotation(p.Rotation)
	}
	w.end()
}

func (w *wire) rotation(r *Rotation) {
	w.begin(objectLayout)
	w.key("keep")
	list(w, listLayout, &r.Keep, MaxHolders, (*wire).kept)
	w.key("join")
	list(w, listLayout, &r.Join, MaxHolders, (*wire).known)
	if w.optional("signed", len(r.Signed) > 0) {
		list(w, listLayout, &r.Signed, MaxDocuments, (*wire).roleDocument)
		if w.reading && w.err == nil && len(r.Signed) == 0 {
			w.fail("an empty list of signed documents is left out")
		}
	}
	w.end()
}

func (w *wire) kept(k *KeptKey) {
	w.begin(objectLayout)
	w.key("keyid")
	w.str(&k.KeyID, MaxName)
	w.roles(&k.Root, &k.Targets)
	w.end()
}

func (w *wire) known(k *KnownKey) {
	w.begin(objectLayout)
	w.key("key")
	w.publicKey(&k.Key)
	w.key("holder")
	w.str(&k.Holder, MaxName)
	w.key("serial")
	w.serial(&k.Serial)
	w.roles(&k.Root, &k.Targets)
	w.mark("backup", &k.Backup)
	w.end()
}

// mark is a flag that is left out where it is not set.
func (w *wire) mark(name string, set *bool) {
	if !w.optional(name, *set) {
		return
	}
	w.flag(set)
	if w.err == nil && !*set {
		w.fail("%s is left out where it is not so", name)
	}
}

func (w *wire) roles(root, targets *bool) {
	w.key("root")
	w.flag(root)
	w.key("targets")
	w.flag(targets)
}

func (w *wire) serial(n *uint32) {
	wide := int64(*n)
	w.number(&wide, 0, 1<<32-1)
	*n = uint32(wide)
}

func (w *wire) holder(h *PlannedHolder) {
	w.begin(objectLayout)
	w.key("name")
	w.str(&h.Name, MaxName)
	w.roles(&h.Root, &h.Targets)
	w.mark("backup", &h.Backup)
	w.end()
}

// publicKey stands as its SubjectPublicKeyInfo. A key has the one keyid that
// every client accepts, the hash of its form: another cannot be written down here.
func (w *wire) publicKey(k *tuf.Key) {
	var der []byte
	if !w.reading {
		var err error
		if der, err = x509.MarshalPKIXPublicKey(k.Public); err != nil {
			w.fail("write public key: %w", err)
			return
		}
	}
	w.blob(&der)
	if w.err != nil {
		return
	}
	key, err := readPublicKey(der)
	switch {
	case err != nil:
		w.failWith(err)
	case w.reading:
		*k = key
	case key.ID != k.ID || key.Scheme != k.Scheme:
		w.fail("key %s is not in the form that every client accepts", k.ID)
	}
}

// readPublicKey takes one spelling of a key, the one that Go writes.
func readPublicKey(der []byte) (tuf.Key, error) {
	public, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return tuf.Key{}, fmt.Errorf("read public key: %w", err)
	}
	again, err := x509.MarshalPKIXPublicKey(public)
	if err != nil || !bytes.Equal(again, der) {
		return tuf.Key{}, errors.New("read public key: it is not in the usual form")
	}
	return tuf.NewKey(public)
}

func (w *wire) plannedFile(f *PlannedFile) {
	w.begin(objectLayout)
	w.key("path")
	w.str(&f.Path, MaxPath)
	w.key("length")
	w.number(&f.Length, 0, maxInteger)
	w.key("sha256")
	w.hex(&f.SHA256)
	w.end()
}

func (w *wire) base(b *Base) {
	w.begin(objectLayout)
	w.key("roots")
	list(w, listLayout, &b.Roots, MaxRoots, (*wire).metadata)
	w.key("documents")
	list(w, listLayout, &b.Documents, MaxDocuments, (*wire).roleDocument)
	w.key("seen")
	w.seen(&b.Seen)
	w.end()
}

// seen is an object from role to version, in the order of the roles' names.
func (w *wire) seen(seen *map[string]int64) {
	roles := slices.Sorted(maps.Keys(*seen))
	if !w.reading && len(roles) > MaxDocuments {
		w.fail("%d roles are more than %d", len(roles), MaxDocuments)
		return
	}
	w.begin(objectLayout)
	for last, i := "", 0; w.err == nil && (i < len(roles) || w.reading && !w.ahead("}")); i++ {
		role := ""
		if !w.reading {
			role = roles[i]
		}
		w.next(&w.open[len(w.open)-1], "["+strconv.Itoa(i)+"]")
		w.str(&role, MaxRoleName)
		w.text(":")
		version := (*seen)[role]
		w.number(&version, 1, maxInteger)
		switch {
		case w.err != nil || !w.reading:
		case i == MaxDocuments:
			w.fail("there are more than %d roles", MaxDocuments)
		case i > 0 && role <= last:
			w.fail("role %q stands twice, or after %q", role, last)
		default:
			if *seen == nil {
				*seen = make(map[string]int64)
			}
			(*seen)[role] = version
		}
		last = role
	}
	w.end()
}

func (w *wire) roleDocument(d *Document) {
	w.begin(objectLayout)
	w.key("role")
	w.str(&d.Role, MaxRoleName)
	w.key("metadata")
	w.metadata(&d.Metadata)
	w.end()
}

// metadata is a metadata file, byte for byte.
func (w *wire) metadata(doc **tuf.Document) {
	if !w.reading {
		w.text(string((*doc).Bytes()))
		return
	}
	raw := w.document()
	if w.err != nil {
		return
	}
	read, err := tuf.Parse(raw)
	if err != nil {
		w.failWith(err)
		return
	}
	*doc = read
}

func (w *wire) evidence(e *Evidence) {
	w.begin(objectLayout)
	w.key("keyid")
	w.str(&e.KeyID, MaxName)
	w.key("serial")
	w.serial(&e.Serial)
	for _, field := range []struct {
		name string
		text *string
	}{
		{"firmware", &e.Firmware},
		{"holder", &e.Holder},
		{"slot", &e.Slot},
		{"pin_policy", &e.PINPolicy},
		{"touch_policy", &e.TouchPolicy},
	} {
		w.key(field.name)
		w.str(field.text, MaxName)
	}
	w.key("leaf")
	w.blob(&e.Leaf)
	w.key("device")
	w.blob(&e.Device)
	w.end()
}

func (w *wire) record(r *RecordHead) {
	w.begin(objectLayout)
	w.key("entries")
	w.int(&r.Entries, 0, 1<<31-1)
	w.key("hash")
	var sum [32]byte
	if !w.reading {
		got, err := hex.DecodeString(r.Hash)
		if err != nil || len(got) != len(sum) || hex.EncodeToString(got) != r.Hash {
			w.fail("%q is not a SHA-256 in hex", r.Hash)
			return
		}
		copy(sum[:], got)
	}
	w.hex(&sum)
	r.Hash = hex.EncodeToString(sum[:])
	w.end()
}
