//go:build !offline

package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"conclave/transfer/publish"
)

func (p *program) publishPolicy() *cobra.Command {
	var store, config string
	var o publish.PolicyOptions
	var asTerraform bool
	cmd := &cobra.Command{
		Use:   "policy [publisher|refresher|client|bucket]",
		Short: "Print the least that publisher, refresher and clients must be allowed",
		Long: `Prints one policy as JSON, all of them without a name, or the whole bucket with
--terraform: versions, lifecycle and, as advice, object lock included.

The bucket's policy holds against everybody: encrypted connections only, numbered
files created once, the timestamp swapped and never overwritten blindly, nothing
deleted. --admin names who may do so all the same, in an emergency.`,
		Example: `  conclave publish policy refresher --store s3://updates/tool
  conclave publish policy --store s3://updates/tool --terraform > bucket.tf`,
		Args:      cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"publisher", "refresher", "client", "bucket"},
		RunE: func(_ *cobra.Command, args []string) error {
			if store == "" {
				cfg, err := loadConfig(config)
				if err != nil {
					return err
				}
				store, o.Practice = cfg.Store, o.Practice || cfg.Practice
			}
			place, err := publish.ParsePlace(store)
			if err != nil {
				return err
			}
			o.Bucket, o.Prefix, o.Region = place.Bucket, place.Prefix, place.Region
			return p.printPolicies(publish.NewPolicies(o), args, asTerraform)
		},
	}
	configFlag(cmd, &config)
	f := cmd.Flags()
	f.StringVar(&store, "store", "", "s3://BUCKET/PREFIX, instead of a configuration")
	f.BoolVar(&asTerraform, "terraform", false, "the whole bucket, as Terraform's language has it")
	f.BoolVar(&o.Private, "private", false, "no public reading: a CDN reads with the client policy")
	f.BoolVar(&o.ListPublic, "list-public", false, "let everybody list the names, so that clients get 404 for what is missing")
	f.StringSliceVar(&o.Admins, "admin", nil, "ARN (with *) that may overwrite and delete all the same")
	f.BoolVar(&o.Practice, "practice", false, "let the publisher mark the store as one for rehearsals")
	return cmd
}

func (p *program) printPolicies(policies *publish.Policies, names []string, asTerraform bool) error {
	if asTerraform {
		if len(names) > 0 {
			return &usageError{cmd: "conclave publish policy", err: errors.New("--terraform prints all policies: name none")}
		}
		text, err := policies.Terraform()
		fmt.Fprint(p.out, text)
		return err
	}
	if len(names) == 0 {
		return p.printJSON(policies)
	}
	policy, err := policies.ByName(names[0])
	if err != nil {
		return err
	}
	text, err := policy.Text()
	fmt.Fprint(p.out, text)
	return err
}
