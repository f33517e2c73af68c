package plain

import (
	"conclave/tui/room"
	"conclave/tui/say"
)

// change makes a new draft of what is frozen, after it has said what that costs.
func (d *dialogue) change(st room.State) error {
	d.print(say.Costly(st.Tallies())...)
	var c say.Change
	var folder string
	for _, q := range []struct {
		ask  string
		into *string
	}{
		{"Who joins? Names, with :root or :targets where not both are meant, or empty", &c.Joins},
		{"Whose keys go? The same, or empty", &c.Goes},
		{"Who brings a new token? Names, or empty", &c.Brings},
		{"Who brings a second token beside the first? Names, with a role where it is for one only, or empty", &c.Seconds},
		{"How many must sign root from then on? Empty: as many as now", &c.Root},
		{"How many must sign targets? Empty: as many as now", &c.Targets},
		{"The folder of the repository's metadata, as it is published now; empty where targets are signed here as well", &folder},
	} {
		var err error
		if *q.into, err = d.free("%s", q.ask); err != nil {
			return err
		}
	}
	r, wrong := c.Rotation()
	if !wrong.Empty() {
		d.print(wrong)
		return nil
	}
	next, cost, err := d.s.Redraft(folder, r)
	if err != nil {
		d.trouble(say.Trouble(err))
		return nil
	}
	for _, l := range cost.Text {
		d.say("%s", l)
	}
	ok, err := d.yes("Write the new draft?")
	if err != nil || !ok {
		return err
	}
	why, err := d.free("Why does the draft change? It goes on record")
	if err != nil {
		return err
	}
	now := d.s.State()
	d.print(say.Deciding(now.Deciders("redraft"), now.Practice()))
	by, err := d.free("Who decides it? Names, separated by commas")
	if err != nil {
		return err
	}
	path, err := d.s.KeepDraft(next, cost, why, say.Names(by))
	if err != nil {
		d.trouble(say.Trouble(err))
		return nil
	}
	d.print(say.Redrafted(path)...)
	return nil
}
