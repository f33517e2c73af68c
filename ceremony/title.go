package ceremony

import (
	"fmt"
	"strconv"
	"strings"

	"conclave/ceremony/tuf"
	"conclave/transfer"
)

// title names a ceremony by what it signs.
func title(b *transfer.Bundle) string {
	if len(b.Base.Roots) == 0 {
		return "genesis: " + titleOf(b)
	}
	return titleOf(b)
}

// Title names what a bundle signs, or a plan will: "root 5 + targets 18".
func Title(b *transfer.Bundle) string { return titleOf(b) }

// titleOf names a bundle's documents: "root 5 + targets 18".
func titleOf(b *transfer.Bundle) string {
	switch {
	case b == nil:
		return ""
	case b.Plan != nil:
		return titleOfPlan(b)
	}
	names := make([]string, 0, len(b.Documents))
	for _, d := range b.Documents {
		names = append(names, fmt.Sprintf("%s %d", d.Role, d.Metadata.Version()))
	}
	return strings.Join(names, " + ")
}

// titleOfPlan names what a plan will be.
func titleOfPlan(b *transfer.Bundle) string {
	trusted := b.TrustedRoot()
	if b.Plan.Rotation == nil || trusted == nil {
		return "root 1 + targets 1"
	}
	name := fmt.Sprintf("root %d", trusted.Version()+1)
	if current := b.Base.Document(tuf.Targets); !b.Plan.TargetsExpires.IsZero() && current != nil {
		name += fmt.Sprintf(" + targets %d", max(current.Version(), b.Base.Seen[tuf.Targets])+1)
	}
	return name
}

const (
	bundleEnding = ".bundle.json"
	recordEnding = ".record.jsonl"
	maxFileStem  = 80 // bytes: enough for every ceremony, short enough for every file system
	maxCopies    = 99 // further files of the same name on one medium
)

// FileName is what the bundle is called on a medium: "root-5+targets-18.partial-2-of-3.bundle.json".
func (s State) FileName() string { return s.fileName(1) }

// fileName is the nth name: where a file of the first name with other content exists, "….2.bundle.json".
func (s State) fileName(n int) string {
	stem := fileStem(s.bundle) + "." + s.progress()
	if n > 1 {
		stem += "." + strconv.Itoa(n)
	}
	return stem + bundleEnding
}

// recordName is what the record is called beside the bundle.
func (s State) recordName(n int) string {
	stem := fileStem(s.bundle)
	if n > 1 {
		stem += "." + strconv.Itoa(n)
	}
	return stem + recordEnding
}

// fileNamed reports whether name is one of the bundle's names.
func (s State) fileNamed(name string) bool {
	for n := 1; n <= maxCopies; n++ {
		if s.fileName(n) == name {
			return true
		}
	}
	return false
}

// progress is the bundle's state as a part of a file name, after the requirement that lacks most.
func (s State) progress() string {
	var worst tuf.Tally
	signed := 0
	for _, d := range s.documents {
		for _, t := range d.tallies {
			signed += t.Signed
			if t.Missing > worst.Missing {
				worst = t
			}
		}
	}
	switch {
	case worst.Missing == 0:
		return "complete"
	case signed == 0:
		return "draft"
	}
	return fmt.Sprintf("partial-%d-of-%d", worst.Signed, worst.Requirement.Threshold)
}

// fileStem names the bundle in characters that every file system takes, vfat included.
func fileStem(b *transfer.Bundle) string {
	var out strings.Builder
	for _, r := range strings.ReplaceAll(titleOf(b), " + ", "+") {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '+', r == '-', r == '_':
			out.WriteRune(r)
		default:
			out.WriteByte('-')
		}
	}
	stem := strings.Trim(out.String(), "-+")
	if len(stem) > maxFileStem {
		stem = stem[:maxFileStem]
	}
	return stem
}
