package main

import (
	"errors"
	"slices"

	"github.com/spf13/cobra"
)

// root builds the command tree. It is made anew for every run: no flag is global.
func (p *program) root() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "conclave",
		Short: "Sign TUF root and targets metadata together, offline, on hardware tokens",
		Long: `Conclave walks several keyholders through signing TUF root and targets
metadata on YubiKeys, on a machine without a network, and publishes what they
signed from one that has it.

Without a command it opens the home screen: what do you want to do?

` + exitCodeHelp,
		Args:          cobra.NoArgs,
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.home(cmd.Context())
		},
	}
	cmd.SetVersionTemplate("conclave {{.Version}}\n")
	cmd.PersistentFlags().BoolVar(&p.json, "json", false, "print one JSON document instead of text; failures as JSON on standard error")
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &usageError{cmd: cmd.CommandPath(), err: wrongFlag(err)}
	})
	cmd.AddGroup(
		&cobra.Group{ID: "anywhere", Title: "Anywhere:"},
		&cobra.Group{ID: "offline", Title: "At the ceremony, offline:"},
		&cobra.Group{ID: "online", Title: "Online:"},
		&cobra.Group{ID: "also", Title: "Also:"},
	)
	add := func(group string, cmds ...*cobra.Command) {
		for _, c := range cmds {
			c.GroupID = group
			cmd.AddCommand(c)
		}
	}
	add("anywhere", p.planCommand(), p.showCommand(), p.verifyCommand(), p.joinCommand(), p.qrCommand(), p.calendarCommand(), p.policyCommand(), p.recordCommand())
	add("offline", p.signCommand(), p.resumeCommand(), p.compromiseCommand(), p.rehearseCommand(), p.tokenCommand())
	add("online", p.onlineCommands()...)
	add("also", p.manCommand(), p.versionCommand())
	cmd.SetHelpCommandGroupID("also")
	cmd.SetCompletionCommandGroupID("also")
	cmd.InitDefaultHelpCmd()
	cmd.InitDefaultCompletionCmd()
	p.wrapArgs(cmd)
	return cmd
}

// talksToPeople are commands that have no document to print: they hold a conversation, move files or
// print something of a form of its own. --json is refused there.
var talksToPeople = []string{
	"conclave", "conclave sign", "conclave resume", "conclave rehearse", "conclave man", "conclave client init",
	"conclave client refresh", "conclave client download", "conclave qr show", "conclave publish units",
	"conclave completion bash", "conclave completion fish", "conclave completion powershell", "conclave completion zsh",
}

// checkJSON refuses --json where nothing would come of it.
func (p *program) checkJSON(cmd *cobra.Command) error {
	if p.json && slices.Contains(talksToPeople, cmd.CommandPath()) {
		return &usageError{cmd: cmd.CommandPath(), err: errors.New("there is no document for --json: it talks to people, or prints a form of its own")}
	}
	return nil
}

// wrapArgs lets no group of commands pass for a command (cobra would print help and
// succeed), and notes when a command has begun: whatever fails before
// that, arguments, flags or groups of flags, is a mistake on the command line.
func (p *program) wrapArgs(cmd *cobra.Command) {
	switch {
	case cmd.Name() == "help" && cmd.Parent() == cmd.Root():
		cmd.Args = helpTopic
	case cmd.HasSubCommands():
		cmd.Args = noCommand
		if cmd.RunE == nil {
			cmd.RunE = func(*cobra.Command, []string) error { return errors.New("it needs a command") }
		}
	case cmd.Args != nil:
		cmd.Args = wrongArgs(cmd.Args)
	}
	if run := cmd.RunE; run != nil && (cmd.Parent() == nil || !cmd.HasSubCommands()) {
		cmd.RunE = func(c *cobra.Command, args []string) error {
			if err := emptyFlag(c); err != nil {
				return err
			}
			p.begun = true
			if err := p.checkJSON(c); err != nil {
				return err
			}
			return run(c, args)
		}
	}
	for _, c := range cmd.Commands() {
		p.wrapArgs(c)
	}
}
