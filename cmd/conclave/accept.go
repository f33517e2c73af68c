package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"conclave/ceremony"
	"conclave/ceremony/policy"
)

// checkDeciders wants the names of those who decide on what the flags accept, before anything is begun.
func (f *frontFlags) checkDeciders(p *policy.Policy, practice bool) error {
	for _, a := range []struct{ flag, what, reason string }{
		{"--accept-network", "network", f.network}, {"--accept-unattested", ceremony.ExceptAttestation, f.unattested},
	} {
		if p == nil {
			p = policy.Default()
		}
		if a.reason != "" && ceremony.Deciders(p, a.what, practice) == 0 {
			return &usageError{"conclave sign", fmt.Errorf("%s: the policy %s allows no exception from this", a.flag, ceremony.PolicyName(p))}
		}
		if n := ceremony.Deciders(p, a.what, practice); a.reason != "" && len(f.by) < n {
			return &usageError{"conclave sign", fmt.Errorf("%s is an exception that %s: name each with --decided-by", a.flag, people(n))}
		}
	}
	if len(f.by) > 0 && f.network == "" && f.unattested == "" {
		return &usageError{"conclave sign", errors.New("--decided-by names who decides on --accept-network or --accept-unattested, and neither is there")}
	}
	return nil
}

func people(n int) string {
	if n == 1 {
		return "somebody decides"
	}
	return fmt.Sprintf("%d different people decide", n)
}

// accept puts on record what the flags accept, and who decided it.
func (f *frontFlags) accept(ctx context.Context, s *ceremony.Session) error {
	if f.network != "" && s.State().Step() == ceremony.StepPreflight {
		if _, err := s.Preflight(ctx); err != nil {
			return err
		}
		if slices.Contains(s.State().Open(), "network") {
			if err := s.Except("network", f.network, f.by); err != nil {
				return err
			}
		}
	}
	if f.unattested != "" {
		return s.Except(ceremony.ExceptAttestation, f.unattested, f.by)
	}
	return nil
}
