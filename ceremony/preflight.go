package ceremony

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"conclave/ceremony/preflight"
	"conclave/ceremony/tuf"
)

// Names of the checks that the ceremony makes itself; the others come from Config.Inspect.
const (
	CheckClock  = "clock"
	CheckMedium = "medium"
	CheckTokens = "tokens"
	CheckBundle = "bundle"
	CheckAnchor = "anchor"
	CheckPolicy = "policy"
)

// Preflight inspects the machine, the clock, the medium, the tokens, the bundle and the policy.
func (s *Session) Preflight(ctx context.Context) ([]preflight.Check, error) {
	s.act.Lock()
	defer s.act.Unlock()
	var checks []preflight.Check
	if s.cfg.Inspect != nil {
		checks = s.cfg.Inspect(ctx)
	}
	for _, c := range s.ownChecks(ctx) {
		checks = slices.DeleteFunc(checks, func(o preflight.Check) bool { return o.Name == c.Name })
		checks = append(checks, c)
	}
	if err := s.do(Checked{Checks: checks}); err != nil {
		return nil, failed("check the machine", safeSoFar, err)
	}
	return checks, nil
}

func (s *Session) ownChecks(ctx context.Context) []preflight.Check {
	now := s.cfg.Now()
	state := s.State().At(now)
	checks := []preflight.Check{state.checkClock(now), s.checkMedium(), s.checkTokens(ctx), state.checkBundle()}
	if c, ok := state.checkAnchor(); ok {
		checks = append(checks, c)
	}
	if c, ok := state.checkHoldings(); ok {
		checks = append(checks, c)
	}
	if err := state.judge(); err != nil {
		return append(checks, preflight.Check{Name: CheckPolicy, Status: preflight.Stop, Text: err.Error(), Fix: "plan it again"})
	}
	return append(checks, state.judgement())
}

// Except records an exception for an open check or rule. At least one name is needed, and a reason.
func (s *Session) Except(what, reason string, by []string) error {
	return s.step("record an exception for "+what, Excepted{What: what, Reason: reason, By: by})
}

// PassPreflight ends preflight; clockBy are two people who read the clock (one in practice).
func (s *Session) PassPreflight(clockBy []string) error {
	return s.step("end the preflight", PreflightPassed{ClockBy: clockBy})
}

// checkClock compares the clock with what the bundle knows.
func (s State) checkClock(now time.Time) preflight.Check {
	c := preflight.Check{Name: CheckClock, Status: preflight.OK}
	c.Text = fmt.Sprintf("%s UTC, %s after the bundle was made", now.UTC().Format(time.DateTime), span(now.Sub(s.bundle.Created)))
	for role, expires := range s.expiries() {
		if !expires.After(now) {
			c.Status = preflight.Stop
			c.Detail = append(c.Detail, fmt.Sprintf("%s of this bundle expired on %s", role, expires.Format(time.DateOnly)))
			c.Fix = "if the clock is right: plan the bundle again with a later expiry"
		}
	}
	if !s.bundle.Genesis() {
		if root := s.bundle.TrustedRoot(); root != nil && !root.Expires().After(now) {
			c.Detail = append(c.Detail, fmt.Sprintf("the trusted root %d expired on %s", root.Version(), root.Expires().UTC().Format(time.DateOnly)))
			if c.Status == preflight.OK {
				c.Status = preflight.Note
			}
		}
	}
	slices.Sort(c.Detail)
	c.Found = c.Detail
	return c
}

// expiries are those of the documents to sign.
func (s State) expiries() map[string]time.Time {
	if p := s.bundle.Plan; p != nil {
		all := map[string]time.Time{tuf.Root: p.RootExpires.UTC()}
		if !p.TargetsExpires.IsZero() {
			all[tuf.Targets] = p.TargetsExpires.UTC()
		}
		return all
	}
	all := map[string]time.Time{}
	for _, d := range s.bundle.Documents {
		all[d.Role] = d.Metadata.Expires().UTC()
	}
	return all
}

func (s *Session) checkMedium() preflight.Check {
	c := preflight.Check{Name: CheckMedium, Status: preflight.OK}
	if s.cfg.Medium == nil {
		return preflight.Check{Name: CheckMedium, Status: preflight.Stop, Text: "no medium was named to export to", Fix: "put in a stick and name its folder"}
	}
	text, err := s.cfg.Medium.Check()
	c.Text = text
	if err != nil {
		c.Status, c.Text, c.Fix = preflight.Stop, err.Error(), hintOf(err)
		if c.Fix == "" {
			c.Fix = "put in another stick"
		}
	}
	return c
}

func (s *Session) checkTokens(ctx context.Context) preflight.Check {
	c := preflight.Check{Name: CheckTokens, Status: preflight.OK}
	readers, err := s.cfg.Tokens.Present(ctx)
	switch {
	case err != nil:
		c.Status, c.Text, c.Fix = preflight.Stop, err.Error(), "start the smart card service: systemctl start pcscd"
	case len(readers) == 0:
		c.Status, c.Text = preflight.Note, "the smart card service answers; no token is in a reader yet"
	case len(readers) == 1:
		c.Text = "the smart card service answers; 1 token"
	default:
		c.Text = fmt.Sprintf("the smart card service answers; %d tokens", len(readers))
	}
	return c
}

// checkBundle says what the bundle builds on. A base that does not hold together never opens.
func (s State) checkBundle() preflight.Check {
	c := preflight.Check{Name: CheckBundle, Status: preflight.OK}
	trusted := s.bundle.TrustedRoot()
	switch {
	case s.bundle.Plan != nil && trusted != nil:
		c.Text = fmt.Sprintf("a plan for %s with %s to make; builds on root %d", titleOf(s.bundle), counted(len(s.bundle.Plan.Holders), "key"), trusted.Version())
	case s.bundle.Plan != nil:
		c.Text = fmt.Sprintf("a plan for %s with %d keyholders", titleOf(s.bundle), len(s.people))
		if keys := len(s.bundle.Plan.Holders); keys != len(s.people) {
			c.Text += fmt.Sprintf(" and %d keys", keys)
		}
	case trusted == nil:
		c.Text = fmt.Sprintf("%s; there is no root before", titleOf(s.bundle))
	default:
		c.Text = fmt.Sprintf("%s; builds on root %d", titleOf(s.bundle), trusted.Version())
	}
	if s.bundle.Purpose != "" {
		c.Detail = append(c.Detail, s.bundle.Purpose)
	}
	if dead, err := s.bundle.Dead(); err != nil || len(dead) > 0 {
		c.Status = preflight.Stop
		c.Text = "it holds signatures that do not verify: a document was changed after it was signed, or the file was damaged"
		c.Detail = append(c.Detail, dead...)
		c.Fix = "sign nothing of it; get the bundle again from where it was made"
	}
	return c
}

// checkAnchor asks for a decision where the bundle alone says which root to trust.
func (s State) checkAnchor() (preflight.Check, bool) {
	if len(s.bundle.Base.Roots) == 0 {
		return preflight.Check{}, false
	}
	first := s.bundle.Base.Roots[0]
	if s.anchor != nil {
		return preflight.Check{
			Name: CheckAnchor, Status: preflight.OK,
			Text: fmt.Sprintf("root %d was given apart from the bundle; the bundle follows it", s.anchor.Version()),
		}, true
	}
	return preflight.Check{
		Name: CheckAnchor, Status: preflight.Stop,
		Text: fmt.Sprintf("only the bundle says that its root %d is to be trusted", first.Version()),
		Detail: []string{
			fmt.Sprintf("digest of root %d: %s", first.Version(), first.Digest()),
			strings.Join(first.Digest().Words(), " "),
		},
		Fix: "begin again with a root from separate media, or compare the digest with the printed record of the last ceremony",
	}, true
}
