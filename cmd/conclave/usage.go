package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"conclave/tui/text"
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
			return wrongFlags(cmd)
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

// wrongFlags says which flags are missing and which exclude each other, as cobra was told it.
func wrongFlags(cmd *cobra.Command) error {
	var missing []string
	var wrong error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if _, needed := f.Annotations[cobra.BashCompOneRequiredFlag]; needed && !f.Changed {
			missing = append(missing, "--"+f.Name)
		}
		for _, rule := range flagGroups {
			for _, group := range f.Annotations[rule.annotation] {
				if wrong == nil {
					wrong = rule.says(flagsOf(cmd, group))
				}
			}
		}
	})
	if len(missing) > 0 {
		return fmt.Errorf("it needs %s", text.List(missing...))
	}
	return wrong
}

// flagGroups say what is wrong with the flags of a group, by the annotation in which cobra keeps it.
var flagGroups = []struct {
	annotation string
	says       func(all, given []string) error
}{
	{"cobra_annotation_required_if_others_set", func(all, given []string) error {
		if len(given) == 0 || len(given) == len(all) {
			return nil
		}
		return fmt.Errorf("%s go together, and only %s is there", text.List(all...), text.List(given...))
	}},
	{"cobra_annotation_one_required", func(all, given []string) error {
		if len(given) > 0 {
			return nil
		}
		return fmt.Errorf("it needs %s", text.Either(all...))
	}},
	{"cobra_annotation_mutually_exclusive", func(_, given []string) error {
		if len(given) < 2 {
			return nil
		}
		return fmt.Errorf("%s exclude each other: give one of them", text.List(given...))
	}},
}

// flagsOf are the flags of a group, and those of them that were given.
func flagsOf(cmd *cobra.Command, group string) (all, given []string) {
	for _, name := range strings.Fields(group) {
		all = append(all, "--"+name)
		if cmd.Flags().Changed(name) {
			given = append(given, "--"+name)
		}
	}
	return all, given
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
