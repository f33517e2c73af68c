// Package preflight gathers evidence about the machine that a ceremony runs
// on: is it off every network, does it swap, may it dump a PIN to the disk,
// which program is this. It shows what it saw and decides nothing.
package preflight

// A Status is the verdict on one line of evidence.
type Status string

// OK needs nothing; Note is worth reading; Stop wants a decision: mend it, or
// go on by a recorded exception.
const (
	OK   Status = "ok"
	Note Status = "note"
	Stop Status = "stop"
)

// WordsPerLine of a digest fit the indent of a check at 80 columns.
const WordsPerLine = 6

// A Check is one line of evidence.
type Check struct {
	Name   string   `json:"name"` // "network", "swap", …
	Status Status   `json:"status"`
	Text   string   `json:"text"`             // what was seen; may hold text from outside
	Detail []string `json:"detail,omitempty"` // further lines, such as the program digest in words
	Fix    string   `json:"fix,omitempty"`    // what to do about it, such as a command

	// Found names steadily each thing that wants a decision, such as "live eth0"; numbers that change all
	// the time are not in it. Without it the text is what was found. A decision covers what was found then, no more.
	Found []string `json:"found,omitempty"`
}

// Findings are what a check that stops stops at; none where it does not.
func (c Check) Findings() []string {
	switch {
	case c.Status == OK || c.Status == Note:
		return nil
	case len(c.Found) > 0:
		return c.Found
	}
	return []string{c.Text}
}
