//go:build !offline

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"conclave/transfer"
	"conclave/transfer/publish"
	"conclave/tui/text"
)

func (p *program) publishKeygen() *cobra.Command {
	var passphraseFile, public string
	cmd := &cobra.Command{
		Use:   "keygen KEY",
		Short: "Make an online key in a file, on a PKCS#11 token or in a key service",
		Long: `Makes a P-256 key, tries it out and prints its public half, which "conclave plan"
takes in. KEY is one of

  NAME.pem        a file, encrypted with a passphrase; NAME.pub lies beside it
  pkcs11:token=NAME;object=LABEL?module-path=/usr/lib/…/module.so&pin-source=FILE
  awskms:///alias/NAME
  gcpkms://projects/P/locations/L/keyRings/R/cryptoKeys/K
  azurekms://VAULT.vault.azure.net/NAME
  hashivault://NAME

Nothing is overwritten. No other program is ever run to reach a service.`,
		Example: `  conclave publish keygen online/timestamp.pem --passphrase-file passphrase
  conclave publish keygen awskms:///alias/tuf-timestamp --public timestamp.pub`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var passphrase *publish.Passphrase
			if publish.IsKeyFile(args[0]) {
				if passphraseFile == "" {
					return &usageError{cmd: cmd.CommandPath(), err: errors.New("a key file needs --passphrase-file")}
				}
				var err error
				if passphrase, err = openPassphrase(passphraseFile); err != nil {
					return err
				}
				defer passphrase.Wipe()
			}
			if public != "" {
				if _, err := os.Lstat(public); !errors.Is(err, fs.ErrNotExist) {
					return &transfer.ExistsError{Path: public}
				}
			}
			key, err := publish.MakeKey(cmd.Context(), args[0], passphrase)
			if err != nil {
				return err
			}
			if public != "" {
				if err := transfer.WriteNew(public, publish.PublicPEM(key)); err != nil {
					return err
				}
			}
			if p.json {
				return p.printJSON(map[string]string{"keyid": key.ID, "public_key": string(publish.PublicPEM(key))})
			}
			fmt.Fprintf(p.err, "key %s\n", key.ID)
			fmt.Fprintf(p.out, "%s", publish.PublicPEM(key))
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&passphraseFile, "passphrase-file", "", "for a key file: file with its passphrase (mode 0600), credential:NAME or env:NAME")
	f.StringVar(&public, "public", "", "write the public half there, too")
	return cmd
}

// openPassphrase reads the passphrase of key files.
func openPassphrase(from string) (*publish.Passphrase, error) {
	passphrase, err := publish.OpenPassphrase(from)
	return passphrase, advise(err, "name a file that holds the passphrase and nobody else can read (mode 0600), credential:NAME or env:NAME; no key was made")
}

func (p *program) publishUnits() *cobra.Command {
	return &cobra.Command{
		Use:   "units DIR",
		Short: "Write systemd units and Prometheus alert rules for unattended hosts",
		Long: `Writes a service and a timer that refresh every hour, a service that raises an
alarm when that fails, and alert rules. Read them: paths and the way an alarm
reaches a person are yours.`,
		Example: "  conclave publish units /tmp/units",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			paths, err := publish.WriteDeployment(args[0])
			if err != nil {
				return err
			}
			if p.json {
				return p.printJSON(paths)
			}
			for _, path := range paths {
				fmt.Fprintln(p.out, text.Clean(path))
			}
			return nil
		},
	}
}
