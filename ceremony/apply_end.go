package ceremony

import "fmt"

func (e Confirmed) apply(s *State) error {
	complete := s.Complete()
	switch {
	case e.Complete && !complete:
		return s.rule("threshold", "signatures are missing", "Confirm it as partial, or go back to signing.")
	case !e.Complete && complete:
		return s.rule("threshold", "nothing is missing, so it is not partial", "")
	case e.Verdict == "":
		return s.rule("verdict", "the verdict is empty", "")
	}
	if complete {
		if _, err := s.result.verify(); err != nil {
			return s.ruleErr("verify", err)
		}
		if err := s.checkExpiry(); err != nil {
			return err
		}
	}
	s.step = StepExport
	return nil
}

// checkExpiry refuses a result that no client would take any more.
func (s State) checkExpiry() error {
	if s.clock.IsZero() || s.excepted("expiry") {
		return nil
	}
	for _, d := range s.bundle.Documents {
		if !d.Metadata.Expires().After(s.clock) {
			return s.rule("expiry", fmt.Sprintf("%s %d has expired", d.Role, d.Metadata.Version()),
				`No client accepts it. Plan it again with a later expiry, or record an exception for "expiry".`)
		}
	}
	return nil
}

func (e ExportBegun) apply(s *State) error {
	if !s.fileNamed(e.Name) {
		return s.rule("export", fmt.Sprintf("%q is not a name for this bundle", e.Name), "")
	}
	file, err := s.result.file()
	if err != nil {
		return s.ruleErr("export", err)
	}
	if e.SHA256 != sha256Hex(file) {
		return s.rule("export", "the file to export is not the confirmed bundle", "")
	}
	s.writing = &e
	return nil
}

func (e Exported) apply(s *State) error {
	if s.writing == nil || s.writing.Name != e.Name || s.writing.SHA256 != e.SHA256 {
		return s.rule("order", fmt.Sprintf("the export of %q was not begun", e.Name), "")
	}
	s.writing = nil
	s.exports = append(s.exports[:len(s.exports):len(s.exports)], e)
	s.step = StepClose
	return nil
}

func (e Closed) apply(s *State) error {
	if s.step == StepExport && !s.excepted("export") {
		return s.rule("export", "the bundle is not on any medium yet",
			`Export it first. If no medium can be had, record an exception for "export": the bundle stays on this machine.`)
	}
	if e.Statement != "" {
		if err := checkText("the statement", e.Statement); err != nil {
			return s.ruleErr("statement", err)
		}
	}
	s.step = StepDone
	return nil
}
