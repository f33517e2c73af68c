package ceremony

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// Confirm verifies the result as a client will and records the verdict, which it returns in sentences.
func (s *Session) Confirm() (verdict []string, err error) {
	s.act.Lock()
	defer s.act.Unlock()
	verdict, err = s.confirm()
	return verdict, failed("confirm the result", safeSoFar, err)
}

func (s *Session) confirm() ([]string, error) {
	verdict, complete, err := s.State().Verdict(s.cfg.Now())
	if err != nil {
		return nil, err
	}
	if err := s.do(Confirmed{Complete: complete, Verdict: strings.Join(verdict, "\n")}); err != nil {
		return nil, err
	}
	return verdict, nil
}

// Export writes the bundle to the medium and reads it back. It may be called again for another medium.
// Where the medium holds another file of that name, the file is written under the next one: "….2.bundle.json".
func (s *Session) Export() (Exported, error) {
	s.act.Lock()
	defer s.act.Unlock()
	e, err := s.export()
	return e, failed("export the bundle", "Every signature is safe on the record of this machine. Export again, to this medium or another one.", err)
}

func (s *Session) export() (Exported, error) {
	state := s.State()
	if state.result == nil {
		return Exported{}, s.may(ExportBegun{}) // which says why not
	}
	file, err := state.result.file()
	if err != nil {
		return Exported{}, err
	}
	for n := 1; n <= maxCopies; n++ {
		name := state.fileName(n)
		if err := s.do(ExportBegun{Name: name, SHA256: sha256Hex(file)}); err != nil {
			return Exported{}, err
		}
		path, err := s.cfg.Medium.Export(name, file)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return Exported{}, err
		}
		e := Exported{Name: name, Path: path, SHA256: sha256Hex(file)}
		return e, s.came(e)
	}
	return Exported{}, fmt.Errorf("the medium holds %d other files of that name: %w", maxCopies, fs.ErrExist)
}

// Show records, before anybody sees it, that what the ceremony made is shown as QR symbols: what (ShownAnswer or
// ShownBundle), the SHA-256 of what a reader gets, how many frames are enough, and the folder where pictures
// are written instead. Once the record is sealed nothing is added to it.
func (s *Session) Show(what, sha256 string, frames int, folder string) error {
	s.act.Lock()
	defer s.act.Unlock()
	state := s.State()
	if state.Step() == StepDone {
		return nil
	}
	e := Shown{What: what, SHA256: sha256, Digests: state.digests(), Frames: frames, Folder: folder}
	return failed("record what is shown", safeSoFar, s.do(e))
}

// CloseCeremony seals the record and exports it beside the bundle. Where only
// the export fails it may be called again: the record is sealed once.
func (s *Session) CloseCeremony(statement string) error {
	s.act.Lock()
	defer s.act.Unlock()
	if s.State().Step() != StepDone {
		if err := s.do(Closed{Statement: statement}); err != nil {
			return failed("close the ceremony", safeSoFar, err)
		}
	}
	return failed("export the record", "The ceremony is closed and its record is sealed and safe in "+s.recordPath()+". Copy it from there, or close again to write it to another medium.", s.exportRecord())
}

func (s *Session) exportRecord() error {
	file, err := os.ReadFile(s.recordPath())
	if err != nil {
		return err
	}
	state := s.State()
	for n := 1; n <= maxCopies; n++ {
		_, err := s.cfg.Medium.Export(state.recordName(n), file)
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return fmt.Errorf("the medium holds %d other records of that name: %w", maxCopies, fs.ErrExist)
}
