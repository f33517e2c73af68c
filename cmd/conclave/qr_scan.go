package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/transfer/qr"
	"conclave/transfer/qr/answer"
	"conclave/transfer/qr/armour"
	"conclave/transfer/qr/decode"
	"conclave/transfer/qr/envelope"
	"conclave/transfer/qr/source"
	"conclave/tui/text"
)

// keptSuffix names the file that a scan keeps its frames in when it could not go on.
const keptSuffix = ".frames"

func (p *program) qrScan() *cobra.Command {
	var out string
	var bases []string
	var cameras bool
	cmd := &cobra.Command{
		Use:   "scan [SOURCE…] -o FILE",
		Short: "Read a bundle or signatures from QR symbols",
		Long: `Reads the symbols that qr show shows, from SOURCE: pictures, folders of them, GIF,
MJPEG or Y4M files, PDF pages, a camera (/dev/video0), or - for standard input.
Without SOURCE on a terminal it takes what a keyboard scanner types.

A bundle is written to FILE. Signatures alone are joined with the bundle that
waits for them where --base names it; else FILE takes them for conclave join.
What a bundle was shown against is looked for in --base, in this folder and in
the ceremonies here. A scan that stops keeps its frames in FILE.frames, and the
same command goes on with them.`,
		Example: "  conclave qr scan /dev/video0 -o root-5.bundle.json\n" +
			"  conclave qr scan photographs/ -o signed.bundle.json --base root-5.bundle.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			if cameras {
				return p.listCameras()
			}
			if out == "" {
				return &usageError{"conclave qr scan", errors.New("-o FILE says where to")}
			}
			return p.scanLight(cmd.Context(), args, out, bases)
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "the `file` to write; never overwritten")
	cmd.Flags().StringArrayVar(&bases, "base", nil, "a `file` or folder that the sender's bundle builds on, or the bundle that waits; may be given several times")
	cmd.Flags().BoolVar(&cameras, "cameras", false, "list the cameras of this machine")
	return cmd
}

func (p *program) listCameras() error {
	list, err := source.Cameras()
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(list)
	}
	for _, c := range list {
		fmt.Fprintf(p.out, "%s  %s\n", c.Path, text.Clean(c.Name))
	}
	if len(list) == 0 {
		fmt.Fprintln(p.err, "There is no camera. Pictures taken with any other one will do as well.")
	}
	return nil
}

// A scan puts one transfer together, from any number of sources.
type scan struct {
	receiver *qr.Receiver
	wedge    armour.Wedge
	out      string
	kept     []string // the texts of useful frames of the transfer that is read, for another time
	reading  string   // its name
	miss     error    // why the last picture gave nothing, where it gave nothing
	tell     func(qr.Progress, error)
	saw      func(qr.Report) // told of every picture; may be nil
}

func newScan(out string) *scan {
	return &scan{receiver: qr.NewReceiver(time.Now), out: out, tell: func(qr.Progress, error) {}}
}

func (s *scan) done() bool {
	_, ok := s.receiver.Done()
	return ok
}

// add takes the text of one symbol.
func (s *scan) add(symbol string) (qr.Progress, error) {
	p, err := s.receiver.Add(symbol)
	s.keep(p, symbol)
	return p, err
}

// keep keeps frames that were useful. Those of a transfer that is given up for another one are forgotten.
func (s *scan) keep(p qr.Progress, frames ...string) {
	if !p.News {
		return
	}
	if p.Name != s.reading && !p.Done {
		s.kept, s.reading = nil, p.Name
	}
	s.kept = append(s.kept, frames...)
}

// typed takes what a keyboard scanner typed, or the text of a file.
func (s *scan) typed(keys string) {
	frames, err := s.wedge.Type(keys)
	if err != nil {
		s.tell(qr.Progress{}, err)
	}
	for _, frame := range frames {
		s.tell(s.add(frame))
	}
}

// textOf takes frames that are written as text, until the end.
func (s *scan) textOf(ctx context.Context, in io.Reader) error {
	buffer := make([]byte, 4096)
	for !s.done() {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := in.Read(buffer)
		s.typed(string(buffer[:n]))
		if err != nil {
			s.typed("\n") // the last line may have no end
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("read frames: %w", err)
		}
	}
	return nil
}

// A reader remembers the texts of the symbols in a picture: those that were useful are kept.
type reader struct {
	qr.Decoder
	last []string
}

func (r *reader) Decode(img *image.Gray) ([]string, error) {
	texts, err := r.Decoder.Decode(img)
	r.last = texts
	return texts, err
}

// picturesOf takes the symbols in pictures, until the end.
func (s *scan) picturesOf(ctx context.Context, src source.Source, opt decode.Options) (err error) {
	defer func() { err = errors.Join(err, src.Close()) }()
	r := &reader{Decoder: decode.New(opt)}
	err = qr.Scan(ctx, src, r, s.receiver, func(report qr.Report) {
		s.keep(report.Progress, r.last...)
		r.last = nil
		var miss *decode.Miss
		s.miss = nil
		if errors.As(report.Err, &miss) {
			s.miss = miss
		}
		s.tell(report.Progress, report.Err)
		if s.saw != nil {
			s.saw(report)
		}
	})
	var more *qr.IncompleteError
	if errors.As(err, &more) {
		return nil // another source may have the rest
	}
	return err
}

// from reads one source; in is standard input.
func (s *scan) from(ctx context.Context, path string, in io.Reader) error {
	if strings.HasPrefix(path, "/dev/video") {
		src, err := source.OpenCamera(path)
		if err != nil {
			return err
		}
		return s.picturesOf(ctx, src, decode.Frames())
	}
	if path == "-" {
		return s.stream(ctx, in, "standard input")
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.IsDir() {
		src, err := source.Open(path)
		if err != nil {
			return err
		}
		return s.picturesOf(ctx, src, decode.Pictures())
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return s.stream(ctx, f, path)
}

// stream reads a file or standard input, whatever it holds.
func (s *scan) stream(ctx context.Context, in io.Reader, name string) error {
	buffered := bufio.NewReaderSize(in, 1<<16)
	if source.IsText(buffered) {
		return s.textOf(ctx, buffered)
	}
	src, err := source.Read(buffered, name)
	if err != nil {
		return err
	}
	return s.picturesOf(ctx, src, patienceWith(name))
}

// patienceWith says for how long the pictures of a file are looked at: a video has many of each symbol.
func patienceWith(name string) decode.Options {
	opt := decode.Pictures()
	switch strings.ToLower(filepath.Ext(name)) {
	case ".mjpeg", ".mjpg", ".y4m":
		opt = decode.Frames()
		opt.Cascade = true
	}
	return opt
}

// scanLight reads the sources and writes what comes out of them.
func (p *program) scanLight(ctx context.Context, sources []string, out string, bases []string) error {
	if _, err := os.Lstat(out); err == nil {
		return &transfer.ExistsError{Path: out} // now, not after minutes of scanning
	}
	shelf, err := newBaseShelf(bases)
	if err != nil {
		return err
	}
	s := newScan(out)
	show := p.scanProgress()
	s.tell = show.tell
	if err := s.goOn(); err != nil {
		return err
	}
	err = p.readAll(ctx, s, sources)
	show.end()
	if err == nil && !s.done() {
		err = s.incomplete()
	}
	var got *received
	if err == nil {
		if got, err = s.open(shelf.Find, shelf.bundles); err == nil {
			err = got.write(out)
		}
	}
	if err != nil {
		return s.keepFrames(err)
	}
	_ = os.Remove(out + keptSuffix)
	return p.tellReceived(got)
}

func (p *program) readAll(ctx context.Context, s *scan, sources []string) error {
	if s.done() {
		return nil // an earlier scan had it all, and lacked a base
	}
	if len(sources) == 0 {
		if p.onTerminal() {
			return p.keyboard(ctx, s)
		}
		sources = []string{"-"}
	}
	for _, path := range sources {
		if s.done() {
			return nil
		}
		if err := s.from(ctx, path, p.in); err != nil {
			return err
		}
	}
	return nil
}

// goOn takes the frames that an earlier scan kept.
func (s *scan) goOn() error {
	raw, err := readUpTo(s.out+keptSuffix, transfer.MaxBundle)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("go on with an earlier scan: %w", err)
	}
	s.typed(string(raw) + "\n")
	if len(s.kept) == 0 {
		return fmt.Errorf("go on with an earlier scan: %s holds no frames; move it away", s.out+keptSuffix)
	}
	return nil
}

// incomplete says how far it came, and what the last picture lacked.
func (s *scan) incomplete() error {
	p, _ := s.receiver.Add("") // which is no frame, and tells the progress
	err := &qr.IncompleteError{Progress: p}
	hint := err.Hint()
	var miss *decode.Miss
	if errors.As(s.miss, &miss) && p.Need == 0 {
		hint = miss.Hint()
	}
	return &statusError{code: exitFailed, text: err.Error(), hint: hint}
}

// keepFrames writes down the frames of a scan that did not come to its end.
func (s *scan) keepFrames(why error) error {
	if len(s.kept) == 0 {
		return why
	}
	path := s.out + keptSuffix
	if err := transfer.Replace(path, []byte(strings.Join(s.kept, "\n")+"\n")); err != nil {
		return errors.Join(why, err)
	}
	if exitCode(why) == exitInterrupted {
		why = &statusError{code: exitInterrupted, text: "interrupted"}
	}
	return &keptError{why, path}
}

// A keptError says that the frames of a scan are safe.
type keptError struct {
	err  error
	path string
}

func (e *keptError) Error() string { return e.err.Error() }

// Unwrap gives the reason.
func (e *keptError) Unwrap() error { return e.err }

// Hint says what to do, and that nothing is lost.
func (e *keptError) Hint() string {
	kept := fmt.Sprintf("The frames so far are in %s: the same command goes on with them.", e.path)
	if hint := hintOf(e.err); hint != "" {
		return hint + " " + kept
	}
	return kept
}

// A received is what came, checked.
type received struct {
	receivedReport
	bundle     *transfer.Bundle // nil where it is none
	signatures int              // of an answer that was not joined
	file       []byte
}

// open opens what came and checks it as a file from a stick is checked. An answer
// is joined with the one of waiting that it is for.
func (s *scan) open(find envelope.Find, waiting []*transfer.Bundle) (*received, error) {
	raw, _ := s.receiver.Done()
	content, err := qr.Unpack(raw, find)
	if err != nil {
		return nil, err
	}
	got := &received{receivedReport: receivedReport{Kind: content.Kind.String()}, file: content.Bytes}
	switch content.Kind {
	case envelope.Bundle:
		if got.bundle, err = content.Bundle(); err != nil {
			return nil, err
		}
	case envelope.Answer:
		a, err := content.Answer()
		if err != nil {
			return nil, err
		}
		if got.file, err = got.answer(a, waiting); err != nil {
			return nil, err
		}
	}
	got.SHA256 = tuf.DigestOf(got.file).Hex()
	return got, nil
}

// write writes it to a new file.
func (r *received) write(path string) error {
	r.Path = path
	return transfer.WriteNew(path, r.file)
}

// answer joins signatures with the bundle that waits for them, or else gives them as text.
func (r *received) answer(a *answer.Answer, waiting []*transfer.Bundle) (file []byte, err error) {
	if len(waiting) == 0 {
		r.signatures = a.Len()
		return answerText(a)
	}
	if r.bundle, err = applyFirst(a, waiting); err != nil {
		return nil, err
	}
	return r.bundle.Bytes()
}

// tellReceived says what came.
func (p *program) tellReceived(r *received) error {
	switch {
	case p.json:
		return p.printJSON(r.receivedReport)
	case r.bundle != nil:
		return p.show(r.Path, r.bundle, bundleExtras{})
	}
	fmt.Fprintln(p.out, filepath.Clean(r.Path))
	if r.signatures > 0 {
		fmt.Fprintf(p.err, "%s. Join them with the bundle that waits: conclave qr scan %s --base WAITING -o FILE\n",
			text.Count(r.signatures, "signature"), text.Clean(r.Path))
	}
	return nil
}

// A receivedReport is what scan prints with --json.
type receivedReport struct {
	Kind   string `json:"kind"` // "bundle", "answer" or "file"
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
}
