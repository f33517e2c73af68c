package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"conclave/ceremony"
	"conclave/hsm"
	"conclave/transfer"
	"conclave/tui"
	"conclave/tui/plain"
)

// recordFile is the record's name inside a ceremony's folder.
const recordFile = "record.jsonl"

// frontFlags choose how people see a ceremony.
type frontFlags struct {
	plain      bool
	medium     string
	policy     string
	network    string
	unattested string
	by         []string // who decides on what is accepted
}

func (f *frontFlags) register(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.plain, "plain", false, "line by line, for screen readers, dumb terminals and scripts")
	cmd.Flags().StringVar(&f.medium, "out", "", "folder that takes the signed bundle (default: where the bundle lay)")
	cmd.Flags().StringVar(&f.policy, "policy", "", "the `file` that says what may be signed (default: policy.json beside --root or in the ceremony's folder, else the policy that conclave comes with)")
	cmd.Flags().StringVar(&f.network, "accept-network", "", "go on although a network interface is live; the `reason` goes on record, with --decided-by")
	cmd.Flags().StringVar(&f.unattested, "accept-unattested", "", "take tokens that cannot prove where their keys were made, PIV cards of other makers among them; the `reason` goes on record, with --decided-by")
	cmd.Flags().StringArrayVar(&f.by, "decided-by", nil, "`name` of somebody in the room who decides on what is accepted; once for each of at least two people")
}

func (p *program) signCommand() *cobra.Command {
	var front frontFlags
	var root, dir string
	cmd := &cobra.Command{
		Use:   "sign BUNDLE",
		Short: "Hold the ceremony that signs a bundle",
		Long: `Walks everybody through the ceremony of one bundle: preflight, roll call,
enrolment of new tokens, freeze, review, sign, confirm, export. Everything is on
the record in the ceremony's folder before it happens; after a power cut,
"conclave resume" goes on where it stopped.`,
		Example: "  conclave sign /media/stick/root-5.bundle.json --root trusted/4.root.json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if dir == "" {
				dir = ceremonyDir(args[0])
			}
			if err := p.canShow(front.plain); err != nil {
				return err
			}
			s, err := p.begin(args[0], dir, root, front)
			if err != nil {
				return err
			}
			return p.hold(cmd.Context(), s, dir, front)
		},
	}
	front.register(cmd)
	cmd.Flags().StringVar(&root, "root", "", "a root.json that this machine trusts, kept apart from the bundle")
	cmd.Flags().StringVar(&dir, "dir", "", "the ceremony's own folder (default: NAME.ceremony here)")
	return cmd
}

func (p *program) resumeCommand() *cobra.Command {
	var front frontFlags
	cmd := &cobra.Command{
		Use:     "resume DIR",
		Short:   "Go on with a ceremony that stopped",
		Long:    "Replays the record in DIR and goes on at the step where it stopped. What was\nsigned, reviewed and decided stays; nothing of it is asked for again.",
		Example: "  conclave resume root-5.ceremony",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := p.canShow(front.plain); err != nil {
				return err
			}
			s, err := p.resume(args[0], front)
			if err != nil {
				return err
			}
			return p.hold(cmd.Context(), s, args[0], front)
		},
	}
	front.register(cmd)
	return cmd
}

// begin starts the ceremony of the bundle at path.
func (p *program) begin(path, dir, root string, front frontFlags) (*ceremony.Session, error) {
	bundle, err := transfer.Read(path)
	if err != nil {
		return nil, err
	}
	anchor, err := anchorOf(root)
	if err != nil {
		return nil, err
	}
	cfg := front.table(p.floor(dir, medium(front.medium, path), front.tokens(dir)))
	cfg.Seen = seenBeside(dir, bundle)
	if cfg.Policy, err = findPolicy(front.policy, beside(root), dir); err != nil {
		return nil, err
	}
	if err := front.checkDeciders(cfg.Policy, bundle.Practice); err != nil {
		return nil, err
	}
	s, err := ceremony.Begin(cfg, bundle, anchor)
	if err != nil {
		return nil, err
	}
	if err := keepPolicy(dir, cfg.Policy); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, rememberMedium(dir, medium(front.medium, path))
}

// mediumFile keeps where a ceremony exports to, for whoever resumes it.
const mediumFile = "medium"

func rememberMedium(dir, out string) error {
	out, err := filepath.Abs(out)
	if err != nil {
		return err
	}
	return transfer.Replace(filepath.Join(dir, mediumFile), []byte(out+"\n"))
}

// rememberedMedium is where the ceremony in dir exports to, unless somebody names another place.
func rememberedMedium(out, dir string) string {
	if out != "" {
		return out
	}
	if raw, err := os.ReadFile(filepath.Join(dir, mediumFile)); err == nil {
		return strings.TrimSuffix(string(raw), "\n")
	}
	return medium("", dir)
}

// resume goes on with the ceremony in dir.
func (p *program) resume(dir string, front frontFlags) (*ceremony.Session, error) {
	cfg := front.table(p.floor(dir, rememberedMedium(front.medium, dir), front.tokens(dir)))
	var err error
	if cfg.Policy, err = findPolicy(front.policy, dir); err != nil {
		return nil, err
	}
	if err := front.checkDeciders(cfg.Policy, true); err != nil {
		return nil, err
	}
	return ceremony.Resume(cfg)
}

// ceremonyDir names a ceremony's folder after its bundle, in the current folder: a
// record belongs on the machine's own disk, not on the stick.
func ceremonyDir(bundle string) string {
	name := filepath.Base(bundle)
	name = strings.TrimSuffix(name, ".json")
	return strings.TrimSuffix(name, ".bundle") + ".ceremony"
}

// medium is the folder that a signed bundle goes to.
func medium(out, near string) string {
	if out != "" {
		return out
	}
	return filepath.Dir(near)
}

// hold opens the front end and says afterwards where things are.
func (p *program) hold(ctx context.Context, s *ceremony.Session, dir string, front frontFlags) error {
	defer s.Close()
	if err := front.accept(ctx, s); err != nil {
		return err
	}
	if err := finishRecord(s); err != nil {
		return err
	}
	if err := p.front(ctx, s, nil, front.plain); err != nil {
		if errors.Is(err, tui.ErrInterrupted) {
			return &statusError{
				code: exitInterrupted,
				text: "stopped at " + string(s.State().Step()),
				hint: "everything so far is on the record; go on with: conclave resume " + dir,
			}
		}
		return err
	}
	return p.ended(s, dir)
}

// finishRecord writes the record of a closed ceremony to the medium, where a power cut came
// between the two. It changes nothing where it lies there already.
func finishRecord(s *ceremony.Session) error {
	if s.State().Step() != ceremony.StepDone {
		return nil
	}
	return s.CloseCeremony("")
}

// ended says how a ceremony ended: complete, or which code tells that more is needed.
func (p *program) ended(s *ceremony.Session, dir string) error {
	st := s.State()
	for _, out := range st.Exports() {
		fmt.Fprintf(p.out, "%s\n", out.Path)
	}
	switch {
	case st.Step() != ceremony.StepDone:
		return &statusError{
			code: exitInterrupted,
			text: "stopped at " + string(st.Step()),
			hint: "everything so far is on the record; go on with: conclave resume " + dir,
		}
	case !st.Complete():
		return &statusError{code: exitIncomplete, text: "the bundle is valid so far; more signatures are needed", hint: strings.Join(st.Still(), " ")}
	}
	return nil
}

// canShow refuses, before anything is begun, to hold a ceremony that nobody could see.
func (p *program) canShow(lines bool) error {
	if in, ok := p.in.(*os.File); !lines && (!ok || !term.IsTerminal(int(in.Fd()))) {
		return &usageError{"conclave", &advised{errors.New("the screens need a terminal"), "go to one; conclave sign, resume and rehearse work without one, line by line, with --plain"}}
	}
	return nil
}

// front opens the screens, or the plain lines where they were asked for or the
// terminal can show nothing else.
func (p *program) front(ctx context.Context, s *ceremony.Session, t tui.Tray, lines bool) error {
	in, isFile := p.in.(*os.File)
	terminal := isFile && term.IsTerminal(int(in.Fd()))
	if !lines && terminal && os.Getenv("TERM") != "dumb" {
		return tui.Run(ctx, tui.Options{Session: s, Tray: t, In: p.in, Out: p.out, Now: p.now})
	}
	if err := p.canShow(lines); err != nil {
		return err
	}
	o := plain.Options{Session: s, Tray: t, In: p.in, Out: p.out}
	if terminal {
		o.ReadPIN = func(string) (*hsm.PIN, error) { return readPIN(in) }
	}
	return plain.Run(ctx, o)
}

// readPIN reads a PIN from the terminal without echo.
func readPIN(f *os.File) (*hsm.PIN, error) {
	b, err := term.ReadPassword(int(f.Fd()))
	if err != nil {
		return nil, fmt.Errorf("read PIN: %w", err)
	}
	return hsm.NewPIN(b) // which wipes b
}
