package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"conclave/transfer"
	"conclave/transfer/qr"
	"conclave/transfer/qr/armour"
	"conclave/transfer/qr/envelope"
	"conclave/transfer/qr/paint"
	"conclave/tui"
	"conclave/tui/light"
	"conclave/tui/say"
	"conclave/tui/text"
)

// gifFrame is how long a GIF shows each symbol: phones read five a second.
const gifFrame = 200 * time.Millisecond

// showFlags say what is shown, against what, and where.
type showFlags struct {
	bases         []string
	whole, answer bool
	compatible    bool
	png, gif, pdf string
}

func (p *program) qrShow() *cobra.Command {
	var f showFlags
	cmd := &cobra.Command{
		Use:   "show FILE",
		Short: "Show a bundle as QR symbols",
		Long: `Shows a bundle, or any other file, as a row of QR symbols without end: on the
terminal, or with --png, --gif or --pdf as pictures or pages to print.

What the other side holds is not sent where that saves much: the root chain and
the documents that the bundle builds on, or the files that --base names (the
bundle that came before, for example). What the other side needs is said;
--whole needs nothing of it. With --answer only the signatures are shown that
the bundle of --base lacks: mostly one symbol.`,
		Example: "  conclave qr show root-5.bundle.json\n" +
			"  conclave qr show signed.bundle.json --base root-5.bundle.json --answer\n" +
			"  conclave qr show root-5.bundle.json --pdf root-5.pdf",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.showLight(cmd.Context(), args[0], f)
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&f.bases, "base", nil, "a `file` that the other side holds; may be given several times")
	flags.BoolVar(&f.whole, "whole", false, "need nothing of the other side")
	flags.BoolVar(&f.answer, "answer", false, "only the signatures that the bundle of --base has not")
	flags.BoolVar(&f.compatible, "ur", false, "as ur:bytes text, for other BC-UR programs and keyboard scanners")
	flags.StringVar(&f.png, "png", "", "write a picture for each symbol into this `folder`")
	flags.StringVar(&f.gif, "gif", "", "write one moving picture to this `file`")
	flags.StringVar(&f.pdf, "pdf", "", "write pages of A4 to this `file`")
	cmd.MarkFlagsMutuallyExclusive("whole", "base")
	cmd.MarkFlagsMutuallyExclusive("whole", "answer")
	return cmd
}

func (p *program) showLight(ctx context.Context, path string, f showFlags) error {
	offers, err := offersOf(path, f)
	if err != nil {
		return err
	}
	style := qr.Dense
	if f.compatible {
		style = qr.Compatible
	}
	if f.png+f.gif+f.pdf != "" {
		return p.printLight(offers[0], style, f)
	}
	if !p.onTerminal() {
		return &usageError{"conclave qr show", errNoTerminal}
	}
	err = tui.Show(ctx, tui.Light{Offers: offers, Style: style}, tui.Options{In: p.in, Out: p.out, Now: p.now})
	if errors.Is(err, tui.ErrInterrupted) {
		return nil // that is how one leaves it
	}
	return err
}

func (p *program) onTerminal() bool {
	in, ok := p.in.(*os.File)
	out, also := p.out.(*os.File)
	return ok && also && term.IsTerminal(int(in.Fd())) && term.IsTerminal(int(out.Fd()))
}

// offersOf packs what is to be shown.
func offersOf(path string, f showFlags) ([]*light.Offer, error) {
	raw, err := readUpTo(path, envelope.MaxContent)
	if err != nil {
		return nil, fmt.Errorf("show as light: %w", err)
	}
	held, before, err := heldFiles(f.bases)
	if err != nil {
		return nil, err
	}
	b, err := transfer.Parse(raw)
	if err != nil && bytes.Contains(raw[:min(len(raw), 200)], []byte(`"conclave-bundle"`)) {
		return nil, fmt.Errorf("%s: %w", path, err) // a damaged bundle is not just any file
	}
	var offers []*light.Offer
	if err == nil {
		offers, err = bundleOffers(b, before, held, f)
	} else {
		if f.answer {
			return nil, &usageError{"conclave qr show", errors.New("--answer wants a signed bundle")}
		}
		var o *light.Offer
		if a, noAnswer := readAnswer(path); noAnswer == nil {
			o, err = light.Signatures(a)
		} else {
			o, err = light.File(raw, held...)
		}
		offers = []*light.Offer{o}
	}
	if err != nil {
		return nil, err
	}
	for _, o := range offers {
		o.File = filepath.Base(path)
	}
	return offers, nil
}

// bundleOffers are the bundle and, where before waits for them, its new signatures alone.
func bundleOffers(b, before *transfer.Bundle, held []light.Held, f showFlags) ([]*light.Offer, error) {
	if f.answer {
		if before == nil {
			return nil, &usageError{"conclave qr show", errors.New("--answer needs the bundle that waits for the signatures: --base FILE")}
		}
		o, err := light.Answer(before, b)
		return []*light.Offer{o}, err
	}
	if len(held) == 0 && !f.whole {
		held = light.Below(b)
	}
	whole, err := light.Bundle(b, held...)
	if err != nil {
		return nil, err
	}
	offers := []*light.Offer{whole}
	if before != nil {
		if o, err := light.Answer(before, b); err == nil {
			offers = append(offers, o)
		}
	}
	return offers, nil
}

// heldFiles reads what the other side holds; before is the last bundle among it.
func heldFiles(paths []string) (held []light.Held, before *transfer.Bundle, err error) {
	for _, path := range paths {
		raw, err := readUpTo(path, envelope.MaxBase)
		if err != nil {
			return nil, nil, fmt.Errorf("read base: %w", err)
		}
		held = append(held, light.Held{Name: filepath.Base(path), Bytes: raw})
		if b, err := transfer.Parse(raw); err == nil {
			before = b
			held = append(held, light.Has(b)...)
		}
	}
	return held, before, nil
}

// printLight writes pictures or pages, and says what they need of the other side.
func (p *program) printLight(o *light.Offer, style qr.Style, f showFlags) error {
	if f.png != "" || f.gif != "" {
		print, err := light.NewPrint(o.Message, style, light.PictureVersion, paint.L)
		if err != nil {
			return err
		}
		if f.png != "" {
			if err := light.WritePNG(f.png, print); err != nil {
				return err
			}
			p.printed(f.png, print)
		}
		if f.gif != "" {
			if err := light.WriteGIF(f.gif, print, gifFrame); err != nil {
				return err
			}
			p.printed(f.gif, print)
		}
	}
	if f.pdf != "" {
		print, err := light.NewPrint(o.Message, style, paint.PaperVersion, paint.M)
		if err != nil {
			return err
		}
		purpose := strings.TrimSpace(o.File + ": " + o.Title)
		if err := light.WritePDF(f.pdf, print, purpose, o.Message, p.now().UTC()); err != nil {
			return err
		}
		p.printed(f.pdf, print)
	}
	for _, need := range say.Needs(o.Needs) {
		fmt.Fprintln(p.err, need)
	}
	return nil
}

func (p *program) printed(path string, print *light.Print) {
	fmt.Fprintln(p.out, path)
	n := len(print.Symbols)
	if n == 1 {
		fmt.Fprintln(p.err, "One symbol is all.")
		return
	}
	fmt.Fprintf(p.err, "%s; any %d of them, or one or two more, are enough.\n", text.Count(n, "symbol"), print.Enough)
}

func (p *program) qrCheck() *cobra.Command {
	var png string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Show the symbol that teaches qr scan a keyboard scanner's layout",
		Long: `A keyboard scanner types as if this machine had the keyboard layout that it was
set to. Scan this symbol once, first of all, while conclave qr scan waits: it then
knows what the scanner means, or says why that cannot be known.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			sym, err := paint.Encode(armour.LayoutCheck(), 0, paint.L)
			if err != nil {
				return err
			}
			if png != "" {
				return light.WritePNG(png, &light.Print{Name: "layout", Enough: 1, Symbols: []*paint.Symbol{sym}})
			}
			lines, err := paint.Screen{Cols: 80, Rows: 24}.Draw(sym)
			if err != nil {
				return err
			}
			for _, l := range lines {
				fmt.Fprintln(p.out, paint.BlackOnWhite+l+paint.Reset)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&png, "png", "", "write it as a picture into this `folder`")
	return cmd
}
