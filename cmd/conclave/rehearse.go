package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"

	"github.com/spf13/cobra"

	"conclave/hsm/piv"
	"conclave/hsm/virtual"
	"conclave/transfer"
	"conclave/tui/text"
)

// practicePIN is what every practice token's PIN becomes when it is enrolled: e, so that nobody
// takes it for a real one; its PUK becomes pi in a rehearsal that plays itself. factoryPIN and factoryPUK are what a new YubiKey has.
const (
	practicePIN = "271828"
	practicePUK = "31415926"
	factoryPIN  = "123456"
	factoryPUK  = "12345678"
)

// practiceNames are the people of a rehearsal. There are as many as PC/SC has readers.
var practiceNames = []string{
	"Alice", "Bob", "Carol", "Dana", "Erin", "Frank", "Grace", "Heidi",
	"Ivan", "Judy", "Karl", "Lena", "Mona", "Nils", "Olga", "Paul",
}

// firstPracticeSerial starts a range that no real YubiKey is near today, easy to tell apart on screen.
const firstPracticeSerial = 90_000_001

// A rehearsalPlan is what the options of a rehearsal say.
type rehearsalPlan struct {
	Holders          int
	RootThreshold    int
	TargetsThreshold int
	Algorithm        string
	Targets          []string
	Store            string `json:",omitempty"` // where it is published; "" is a folder of its own
	CreateBucket     bool   `json:",omitempty"`
}

func (p *program) rehearseCommand() *cobra.Command {
	var plan rehearsalPlan
	var auto, plain bool
	cmd := &cobra.Command{
		Use:   "rehearse [DIR]",
		Short: "Practise with virtual YubiKeys: the same screens, nothing is real",
		Long: `Opens the real screens with a PRACTICE frame and a tray of virtual YubiKeys that
you put in, touch and pull out with keys. Everything lands in DIR (default
"rehearsal"); practice metadata is marked, and a real repository refuses it.

A rehearsal has three acts: genesis, a release of files, a renewal of the root.
Call it again on the same DIR for the next one, or to go on where it stopped.
With --auto all three play by themselves and are told line by line.

With --to everything is published into a practice store elsewhere, and downloaded
from there as anybody can: a bucket that keeps old versions and that everybody may
read, or a folder. It must hold no repository, and nothing real is ever
published there again.

DIR/repository  what was published      DIR/bundles  what crossed the gap
DIR/trusted     the first root          DIR/record   what happened
DIR/tokens      the virtual YubiKeys    DIR/online   the online keys`,
		Example: "  conclave rehearse\n  conclave rehearse /tmp/practice --auto --holders 7 --root-threshold 4\n" +
			"  conclave rehearse --auto --to s3://updates-practice/tool --create-bucket",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "rehearsal"
			if len(args) == 1 {
				dir = args[0]
			}
			if plan.CreateBucket && plan.Store == "" {
				return &usageError{cmd.CommandPath(), errors.New("--create-bucket needs --to s3://BUCKET/PREFIX")}
			}
			if !auto {
				if err := p.canShow(plain); err != nil {
					return err
				}
			}
			r, err := p.openRehearsal(dir, plan)
			if err != nil {
				return err
			}
			defer r.close()
			if auto {
				return r.playAll(cmd.Context())
			}
			return r.practise(cmd.Context(), plain)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&auto, "auto", false, "play everything unattended and tell the story")
	f.BoolVar(&plain, "plain", false, "line by line, for screen readers, dumb terminals and scripts")
	f.IntVar(&plan.Holders, "holders", 5, "how many keyholders")
	f.IntVar(&plan.RootThreshold, "root-threshold", 3, "how many of them must sign a root")
	f.IntVar(&plan.TargetsThreshold, "targets-threshold", 2, "how many must sign targets; one more than that hold a targets key")
	f.StringVar(&plan.Algorithm, "algorithm", "p256", "p256 or p384")
	f.StringSliceVar(&plan.Targets, "targets", nil, "files or folders to release; without it a small example")
	if online {
		f.StringVar(&plan.Store, "to", "", "a practice `STORE` that holds no repository yet: s3://BUCKET/PREFIX?region=…&endpoint=…&profile=…, or file:DIR")
		f.BoolVar(&plan.CreateBucket, "create-bucket", false, "with --to: make the bucket where it does not exist, for everybody to read")
	}
	return cmd
}

// A rehearsal is a folder with everything that a practice needs.
type rehearsal struct {
	p       *program
	dir     string
	plan    rehearsalPlan
	service *virtual.Service
	tokens  *piv.Tokens
	people  []*person
	runtime string // where the PC/SC socket is

	unlock, leave func() error // of the rehearsal's folder, and of runtime
}

// A person of a rehearsal and the virtual token in their hand.
type person struct {
	name string
	card *virtual.Card
	root bool // always; everybody holds a root key
	ship bool // holds a targets key too
}

// rehearsalFile marks a folder as a rehearsal, so that nothing else is ever written into.
const rehearsalFile = "rehearsal.json"

// check refuses what nobody could practise, before a folder is made that keeps it.
func (p rehearsalPlan) check() error {
	switch {
	case p.Holders < 1 || p.Holders > len(practiceNames):
		return fmt.Errorf("--holders takes 1 to %d", len(practiceNames))
	case p.RootThreshold < 1 || p.RootThreshold > p.Holders:
		return fmt.Errorf("--root-threshold takes 1 to the %s", text.Count(p.Holders, "keyholder"))
	case p.TargetsThreshold < 1 || p.TargetsThreshold > p.Holders:
		return fmt.Errorf("--targets-threshold takes 1 to the %s", text.Count(p.Holders, "keyholder"))
	case p.Algorithm != "p256" && p.Algorithm != "p384":
		return errors.New("--algorithm takes p256 or p384")
	}
	return nil
}

// openRehearsal makes the folder, or opens the one that is there.
func (p *program) openRehearsal(dir string, plan rehearsalPlan) (*rehearsal, error) {
	if err := plan.check(); err != nil {
		return nil, &usageError{"conclave rehearse", err}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if plan.Store != "" {
		if plan.Store, err = absoluteStore(plan.Store); err != nil {
			return nil, err
		}
	}
	r := &rehearsal{p: p, dir: dir, plan: plan, tokens: piv.New()}
	if err := r.claim(); err != nil {
		r.close()
		return nil, err
	}
	if err := r.start(); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// claim makes sure that the folder is a rehearsal's, new or old. The options of an old one stay.
func (r *rehearsal) claim() error {
	path := filepath.Join(r.dir, rehearsalFile)
	raw, err := os.ReadFile(path)
	switch {
	case err == nil:
		if err := r.reopen(path, raw); err != nil {
			return err
		}
		return r.makeFolders()
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("open rehearsal: %w", err)
	}
	if entries, err := os.ReadDir(r.dir); err == nil && len(entries) > 0 && !onlyBegun(entries) {
		return &statusError{
			code: exitFailed,
			text: fmt.Sprintf("%s holds other things", r.dir),
			hint: "name a folder that is empty or not there yet; nothing was written",
		}
	}
	if err := r.lock(); err != nil {
		return err
	}
	raw, err = json.MarshalIndent(r.plan, "", "  ")
	if err != nil {
		return err
	}
	// Before anything else: it says that the rest of the folder is a rehearsal's, however far this start gets.
	if err := transfer.WriteNew(path, append(raw, '\n')); err != nil {
		return err
	}
	return r.makeFolders()
}

func (r *rehearsal) makeFolders() error {
	for _, sub := range []string{"bundles", "record", "repository", "tokens", "trusted", "online"} {
		if err := os.MkdirAll(filepath.Join(r.dir, sub), 0o700); err != nil {
			return fmt.Errorf("open rehearsal: %w", err)
		}
	}
	return nil
}

// onlyBegun reports a folder that a start has locked, and got no further than to half-written options.
func onlyBegun(entries []fs.DirEntry) bool {
	locked := false
	for _, e := range entries {
		if e.Name() != lockName && !transfer.IsTemp(e.Name()) {
			return false
		}
		locked = locked || e.Name() == lockName
	}
	return locked
}

// reopen takes the options that a rehearsal was begun with. Those of a start that came to nothing, because no
// plan could be made of them, give way to the new ones.
func (r *rehearsal) reopen(path string, raw []byte) error {
	if err := r.lock(); err != nil {
		return err
	}
	if err := r.sweep(); err != nil {
		return err
	}
	if _, err := os.Stat(r.path("bundles", acts[0]+".bundle.json")); errors.Is(err, fs.ErrNotExist) {
		return r.anew(path)
	}
	asked := r.plan.Store
	r.plan.Store = ""
	if err := json.Unmarshal(raw, &r.plan); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if asked != "" && asked != r.plan.Store {
		return &statusError{
			code: exitFailed,
			text: fmt.Sprintf("the rehearsal in %s is published at %s", r.dir, r.store()),
			hint: "leave out --to to go on with it, or begin another one in another folder; nothing was written",
		}
	}
	return nil
}

// anew takes the options of this start. Online keys that belong to another store are made again.
func (r *rehearsal) anew(path string) error {
	if err := os.RemoveAll(r.path("online")); err != nil {
		return fmt.Errorf("open rehearsal: %w", err)
	}
	if err := os.Mkdir(r.path("online"), 0o700); err != nil {
		return fmt.Errorf("open rehearsal: %w", err)
	}
	raw, err := json.MarshalIndent(r.plan, "", "  ")
	if err != nil {
		return err
	}
	return transfer.Replace(path, append(raw, '\n'))
}

// store is the URL of where the rehearsal is published.
func (r *rehearsal) store() string {
	if r.plan.Store != "" {
		return r.plan.Store
	}
	return "file:" + r.path("repository")
}

// start brings up the PC/SC service and everybody's token, in their hands, not yet in a reader.
func (r *rehearsal) start() error {
	var err error
	if r.runtime, r.leave, err = newRuntime(); err != nil {
		return fmt.Errorf("open rehearsal: %w", err)
	}
	if r.service, err = virtual.Start(r.runtime); err != nil {
		return fmt.Errorf("start virtual smart card service: %w", err)
	}
	if err := r.service.Use(); err != nil {
		return fmt.Errorf("start virtual smart card service: %w", err)
	}
	root, err := virtual.NewRoot()
	if err != nil {
		return err
	}
	for i, name := range practiceNames[:r.plan.Holders] {
		card, err := r.card(name, firstPracticeSerial+uint32(i), root)
		if err != nil {
			return err
		}
		r.people = append(r.people, &person{name: name, card: card, root: true, ship: i <= r.plan.TargetsThreshold})
	}
	return nil
}

// card loads or makes one token, and keeps its file up to date from here on.
func (r *rehearsal) card(name string, serial uint32, root *virtual.Root) (*virtual.Card, error) {
	path := filepath.Join(r.dir, "tokens", fmt.Sprintf("%s-%d.json", name, serial))
	var card *virtual.Card
	raw, err := os.ReadFile(path)
	switch {
	case err == nil:
		card, err = virtual.LoadCard(raw)
	case errors.Is(err, fs.ErrNotExist):
		card, err = virtual.NewCard(virtual.Options{Serial: serial, Firmware: "5.7.1", Root: root})
	}
	if err != nil {
		return nil, fmt.Errorf("open virtual token of %s: %w", name, err)
	}
	save := func() {
		if raw, err := json.Marshal(card); err == nil {
			_ = transfer.Replace(path, raw) // a practice token that is lost costs a practice
			_ = os.Chmod(path, 0o600)       // it holds what somebody typed as a PIN
		}
	}
	save()
	card.OnChange(save)
	return card, nil
}

func (r *rehearsal) close() {
	if r.service != nil {
		_ = r.service.Close()
	}
	if r.runtime != "" {
		_ = os.RemoveAll(r.runtime)
	}
	for _, let := range []func() error{r.leave, r.unlock} {
		if let != nil {
			_ = let() // a lock ends with the program as well
		}
	}
}

func (r *rehearsal) path(elem ...string) string {
	return filepath.Join(append([]string{r.dir}, elem...)...)
}

// acts are the ceremonies of a rehearsal, in order. The number keeps folders sorted.
var acts = []string{"1-genesis", "2-release", "3-renewal"}

// next is the first act that has no published end, "" when all are done.
func (r *rehearsal) next() string {
	for _, act := range acts {
		if _, err := os.Stat(r.path("record", act, "published")); err != nil {
			return act
		}
	}
	return ""
}

// files are the target files of a rehearsal: the person's own, or an example that is written once.
func (r *rehearsal) files() ([]string, error) {
	if len(r.plan.Targets) > 0 {
		sort.Strings(r.plan.Targets)
		return r.plan.Targets, nil
	}
	example := r.path("release")
	err := writeExamples(example, map[string]string{
		"hello.txt":   "Hello. This file was released in a rehearsal of Conclave.\n",
		"VERSION.txt": "practice 1.0.0\n",
	})
	if err != nil {
		return nil, err
	}
	return []string{example}, nil
}

// writeExamples writes files to release into a folder of the rehearsal's own. What a
// killed run left half-written there goes first: it would be taken for a file to release.
func writeExamples(dir string, texts map[string]string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	cutOff, err := transfer.StaleTemps(dir)
	if err != nil {
		return err
	}
	for _, path := range cutOff {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	for name, text := range texts {
		if err := transfer.WriteNew(filepath.Join(dir, name), []byte(text)); err != nil {
			return err
		}
	}
	return nil
}

// interrupted is a context error in a person's words.
func interrupted(ctx context.Context) error {
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted; call it again on the same folder to go on: %w", ctx.Err())
	}
	return nil
}
