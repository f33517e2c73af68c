package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"conclave/hsm"
)

// keep opens the token and the terminal for a command about its secrets.
func (p *program) keep(ctx context.Context, cmd string, serial uint32, do func(*asker, hsm.Keeper) error) error {
	ask, err := p.asker(cmd)
	if err != nil {
		return err
	}
	token, err := openOne(ctx, serial)
	if err != nil {
		return err
	}
	defer func() { _ = token.Close() }()
	return onToken(do(ask, token))
}

func (p *program) tokenPINCommand() *cobra.Command {
	var flags tokenFlags
	cmd := &cobra.Command{
		Use:   "pin",
		Short: "Change a token's PIN",
		Long: `Asks for the present PIN and twice for the new one. The new PIN is checked before
anything is sent; the present one is sent once.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			return p.keep(ctx, cmd.CommandPath(), flags.serial, func(a *asker, token hsm.Keeper) error { return a.changePIN(ctx, token) })
		},
	}
	flags.register(cmd)
	return cmd
}

func (a *asker) changePIN(ctx context.Context, token hsm.Keeper) error {
	info := token.Info()
	if info.Retries == 0 {
		return hsm.ErrBlocked
	}
	if err := a.lastTry(ctx, "PIN", info.Retries, info.Serial); err != nil {
		return err
	}
	old, err := a.secret(ctx, "Present PIN of %d, %s", info.Serial, triesLeft("PIN", info.Retries))
	if err != nil {
		return err
	}
	defer old.Wipe()
	fresh, err := a.fresh(ctx, "PIN", func(pin *hsm.PIN) error { return hsm.CheckNewPIN(pin, info) })
	if err != nil {
		return err
	}
	defer fresh.Wipe()
	if err := token.ChangePIN(ctx, old, fresh); err != nil {
		return err
	}
	a.say("[OK] Token %d has the new PIN.", info.Serial)
	return nil
}

func (p *program) tokenPUKCommand() *cobra.Command {
	var flags tokenFlags
	cmd := &cobra.Command{
		Use:   "puk",
		Short: "Change a token's PUK, which unblocks its PIN",
		Long: `Asks for the present PUK and twice for the new one. The new PUK is checked before
anything is sent; the present one is sent once. When the PUK is blocked and the PIN
too, the token's keys are lost.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			return p.keep(ctx, cmd.CommandPath(), flags.serial, func(a *asker, token hsm.Keeper) error { return a.changePUK(ctx, token) })
		},
	}
	flags.register(cmd)
	return cmd
}

// presentPUK asks for the PUK, telling how often it may be tried.
func (a *asker) presentPUK(ctx context.Context, token hsm.Keeper) (*hsm.PIN, error) {
	serial, left := token.Info().Serial, -1
	if s := token.Secrets(); s.Told {
		left = s.PUK.Left
	}
	if left == 0 {
		return nil, hsm.ErrPUKBlocked
	}
	if err := a.lastTry(ctx, "PUK", left, serial); err != nil {
		return nil, err
	}
	return a.secret(ctx, "Present PUK of %d, %s", serial, triesLeft("PUK", left))
}

func (a *asker) changePUK(ctx context.Context, token hsm.Keeper) error {
	old, err := a.presentPUK(ctx, token)
	if err != nil {
		return err
	}
	defer old.Wipe()
	fresh, err := a.fresh(ctx, "PUK", func(puk *hsm.PIN) error { return hsm.CheckNewPUK(puk, nil, token.Info()) })
	if err != nil {
		return err
	}
	defer fresh.Wipe()
	if err := token.ChangePUK(ctx, old, fresh); err != nil {
		return err
	}
	a.say("[OK] Token %d has the new PUK. Keep it where the token is not.", token.Info().Serial)
	return nil
}

func (p *program) tokenUnblockCommand() *cobra.Command {
	var flags tokenFlags
	cmd := &cobra.Command{
		Use:   "unblock",
		Short: "Give a token whose PIN is blocked a new one, by its PUK",
		Long: `Asks for the PUK, which is sent once, and twice for the new PIN. The tries of the
PUK are said before it is asked for: when it is blocked too, the token's keys are lost.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			return p.keep(ctx, cmd.CommandPath(), flags.serial, func(a *asker, token hsm.Keeper) error { return a.unblock(ctx, token) })
		},
	}
	flags.register(cmd)
	return cmd
}

func (a *asker) unblock(ctx context.Context, token hsm.Keeper) error {
	info := token.Info()
	if info.Retries != 0 {
		err := a.yes(ctx, "The PIN of %d is not blocked (%s). Set a new one by the PUK all the same?", info.Serial, triesLeft("PIN", info.Retries))
		if err != nil {
			return err
		}
	}
	puk, err := a.presentPUK(ctx, token)
	if err != nil {
		return err
	}
	defer puk.Wipe()
	fresh, err := a.fresh(ctx, "PIN", func(pin *hsm.PIN) error { return hsm.CheckNewPIN(pin, info) })
	if err != nil {
		return err
	}
	defer fresh.Wipe()
	if err := token.Unblock(ctx, puk, fresh); err != nil {
		return err
	}
	a.say("[OK] Token %d has the new PIN, %s.", info.Serial, triesLeft("PIN", token.Info().Retries))
	if s := token.Secrets(); s.Told && s.PUK.Factory {
		fmt.Fprintln(a.out, "[!] Its PUK is the factory's: anybody can do what you just did. Change it: conclave token puk")
	}
	return nil
}
