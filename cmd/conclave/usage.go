package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// kindsOfFlags say what a flag takes, in place of the words of the parser that refused it.
var kindsOfFlags = map[string]string{
	"int":      "a whole number",
	"uint32":   "a whole number",
	"duration": "a time such as 30s, 5m or 1h",
	"bool":     "true or false",
}

// wrongFlag says in people's words what a flag cannot take.
func wrongFlag(err error) error {
	var bad *pflag.InvalidValueError
	if !errors.As(err, &bad) {
		return err
	}
	kind := kindsOfFlags[bad.GetFlag().Value.Type()]
	if kind == "" {
		return err
	}
	return fmt.Errorf("--%s takes %s, not %q", bad.GetFlag().Name, kind, bad.GetValue())
}

// wrongArgs says what a command takes where check refuses its arguments.
func wrongArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if check(cmd, args) == nil {
			return nil
		}
		_, takes, _ := strings.Cut(cmd.Use, " ")
		if takes == "" {
			takes = "nothing"
		}
		if len(args) == 0 {
			return fmt.Errorf("it takes %s, and was given nothing", takes)
		}
		return fmt.Errorf("it takes %s, and was given %q", takes, args)
	}
}

// noCommand refuses what is no command of a group.
func noCommand(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("there is no command %q", args[0])
	}
	return nil
}

// helpTopic refuses to help with what is no command (cobra would succeed).
func helpTopic(cmd *cobra.Command, args []string) error {
	if _, rest, err := cmd.Root().Find(args); err != nil || len(rest) > 0 {
		return fmt.Errorf("there is no command %q", strings.Join(args, " "))
	}
	return nil
}

// emptyFlag refuses a flag that a command cannot do without and that is there, but empty: a variable of
// a script that was never set.
func emptyFlag(cmd *cobra.Command) error {
	var empty error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if _, needed := f.Annotations[cobra.BashCompOneRequiredFlag]; needed && f.Value.String() == "" {
			empty = fmt.Errorf("--%s is empty", f.Name)
		}
	})
	return empty
}
