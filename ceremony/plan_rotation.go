package ceremony

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"conclave/ceremony/tuf"
	"conclave/hsm"
	"conclave/transfer"
)

// A Rotation says what changes about the keys of a repository. What it does not mention stays.
type Rotation struct {
	Purpose  string
	Declared time.Time // when the compromise was declared that this answers; zero for a planned change
	Add      []Joining
	Remove   []Leaving
	Replace  []Replacing
	Backups  []Joining // people with a key who bring a second token; without roles, for those of their first
	// OnePerson lets one person's two keys be enough for clients; the ceremony still wants an exception.
	OnePerson bool
	// Absent are people, or keyids of one of their keys, who cannot sign: their tokens
	// are lost, or they cannot come. A change that needs them is refused.
	Absent           []string
	RootThreshold    int // 0 keeps it
	TargetsThreshold int
	Snapshot         []tuf.Key // the online keys from now on; nil keeps them
	Timestamp        []tuf.Key
	RootExpires      time.Time
	TargetsExpires   time.Time // of targets, where they must be signed anew or Resign says so
	Resign           bool      // sign targets anew even where clients would take the old ones
	Algorithm        string    // of keys that are made at the ceremony; p256 if empty
}

// Joining is somebody who gets a key, or more roles for the key they have.
type Joining struct {
	Name  string
	Roles []string // root, targets
	Known *KnownKey
}

// Leaving is somebody whose key goes. A key that nobody is named for goes by its keyid.
type Leaving struct {
	Name  string
	Roles []string // nil for all
}

// Replacing is somebody who comes with a new token; the old one's key goes.
type Replacing struct {
	Name  string // or the keyid of one key, where somebody has several
	Known *KnownKey
}

// A KnownKey is a key that exists already. Without one, the ceremony makes the
// key on a token that its holder brings.
type KnownKey struct {
	Key      tuf.Key
	Serial   uint32
	Evidence *transfer.Evidence // what the token said of it; nil where nobody has it
}

// Know says that the key of somebody who joins, brings a new token or a second one exists already. Its error is a *PlanError.
func (r *Rotation) Know(name string, k *KnownKey) error {
	var places []**KnownKey
	for i := range r.Add {
		if samePerson(r.Add[i].Name) == samePerson(name) {
			places = append(places, &r.Add[i].Known)
		}
	}
	for i := range r.Replace {
		if samePerson(r.Replace[i].Name) == samePerson(name) {
			places = append(places, &r.Replace[i].Known)
		}
	}
	for i := range r.Backups {
		if samePerson(r.Backups[i].Name) == samePerson(name) {
			places = append(places, &r.Backups[i].Known)
		}
	}
	if len(places) != 1 || *places[0] != nil {
		return planf("Name a key for each person once, and only for somebody who joins, or brings a new or a second token.",
			"it is not clear whose the key of %s would be", name)
	}
	*places[0] = k
	return nil
}

// PlanRotation makes a bundle that changes the keys of the repository that base
// describes. Where keys must be made it is a plan, else a draft. Targets are part of
// it where the live ones would no longer verify; base must hold them.
// Its error is a *PlanError, a *StrandedError or one of package tuf.
func PlanRotation(base transfer.Base, r Rotation, now time.Time) (*transfer.Bundle, error) {
	b, err := onBase(base, r.Purpose, now)
	if err != nil {
		return nil, err
	}
	return planFrom(b, b.TrustedRoot(), r, now)
}

// checkAbsent refuses the name of nobody: a slip of the pen would count somebody among those who can sign.
func (r Rotation) checkAbsent(trusted *tuf.Document) error {
	seats := seatsOf(trusted)
	for _, who := range r.Absent {
		if !slices.ContainsFunc(seats, func(s seat) bool { return s.is(who) }) {
			return planf("Name people as conclave show does, or a key by its keyid.", "%s holds no key of %s, and so cannot be absent", who, trusted.Title())
		}
	}
	return nil
}

// planFrom plans the root that follows b's trusted root, with the keys of start changed as r says.
func planFrom(b *transfer.Bundle, start *tuf.Document, r Rotation, now time.Time) (*transfer.Bundle, error) {
	if err := r.check(now); err != nil {
		return nil, err
	}
	if err := r.checkAbsent(b.TrustedRoot()); err != nil {
		return nil, err
	}
	seats := seatsOf(start)
	if err := r.seat(&seats); err != nil {
		return nil, err
	}
	b.Declared = wholeSecond(r.Declared)
	if r.Declared.IsZero() {
		b.Declared = time.Time{}
	}
	plan := r.plan(start, seats)
	if err := checkSeats(plan, seats); err != nil {
		return nil, err
	}
	if err := r.checkReach(b.TrustedRoot(), plan, seats); err != nil {
		return nil, err
	}
	if err := checkAlone(r.OnePerson, holdingOf(tuf.Root, plan.RootThreshold, seats), holdingOf(tuf.Targets, plan.TargetsThreshold, seats)); err != nil {
		return nil, err
	}
	b.Tokens = append(b.Tokens, evidenceOf(seats)...)
	fillRotation(plan, b.TrustedRoot(), seats)
	if err := r.settleTargets(b, plan, now); err != nil {
		return nil, err
	}
	if start == b.TrustedRoot() && !changes(start, plan) && !r.Resign {
		return nil, planf("To give the root a new expiry alone: conclave plan root.", "nobody's keys change, and no threshold")
	}
	b.Plan = plan
	if len(plan.Holders) > 0 {
		return b, nil
	}
	return b, buildPlan(b, nil)
}

func (r Rotation) check(now time.Time) error {
	if err := checkExpiryOf(tuf.Root, r.RootExpires, now); err != nil {
		return err
	}
	if a := r.algorithm(); a != string(hsm.P256) && a != string(hsm.P384) {
		return planf("Take p256, which every client reads, or p384.", "the algorithm %q is not known", a)
	}
	for _, online := range []struct {
		role string
		keys []tuf.Key
	}{{tuf.Snapshot, r.Snapshot}, {tuf.Timestamp, r.Timestamp}} {
		if online.keys == nil {
			continue
		}
		if err := checkOnline(online.role, online.keys); err != nil {
			return err
		}
	}
	return nil
}

func (r Rotation) algorithm() string { return cmp.Or(r.Algorithm, string(hsm.P256)) }

// A seat is one key of the root to come, or one that is still to be made.
type seat struct {
	name    string // who holds it; a short keyid where nobody is named
	key     tuf.Key
	holder  tuf.Holder
	made    bool // at the ceremony: there is no key yet
	backup  bool // the second key of its holder
	known   *KnownKey
	root    bool
	targets bool
}

// is reports whether name means the seat: its holder, or its key by the keyid or the beginning of it.
func (s seat) is(name string) bool {
	const enough = 8 // hex digits: as many as screens show
	id := strings.TrimPrefix(name, "key ")
	return samePerson(s.name) == samePerson(name) || s.key.ID != "" && len(id) >= enough && strings.HasPrefix(s.key.ID, id)
}

// seatsOf lists the keys of a root's root and targets roles, in their order.
func seatsOf(root *tuf.Document) []seat {
	var seats []seat
	keys, holders, roles := root.Keys(), root.Holders(), root.Root().Roles
	for _, role := range []string{tuf.Root, tuf.Targets} {
		if roles[role] == nil {
			continue
		}
		for _, id := range roles[role].KeyIDs {
			i := slices.IndexFunc(seats, func(s seat) bool { return s.key.ID == id })
			if i < 0 {
				i = len(seats)
				seats = append(seats, seat{
					name: cmp.Or(holders[id].Name, shortKeyID(id)), key: keys[id], holder: holders[id], backup: holders[id].Purpose == backup,
				})
			}
			seats[i].sit(role)
		}
	}
	return seats
}

func (s *seat) sit(role string) {
	s.root = s.root || role == tuf.Root
	s.targets = s.targets || role == tuf.Targets
}

func (s seat) sits(role string) bool {
	return role == tuf.Root && s.root || role == tuf.Targets && s.targets
}

// seat changes the seats as r says: people leave, come with new tokens, join, and bring a backup, in this order.
func (r Rotation) seat(seats *[]seat) error {
	for _, l := range r.Remove {
		if err := l.leave(seats); err != nil {
			return err
		}
	}
	var fresh []seat
	for _, p := range r.Replace {
		s, err := p.replace(seats)
		if err != nil {
			return err
		}
		fresh = append(fresh, s)
	}
	*seats = append(*seats, fresh...)
	for _, j := range r.Add {
		if err := j.join(seats); err != nil {
			return err
		}
	}
	for _, j := range r.Backups {
		if err := j.second(seats); err != nil {
			return err
		}
	}
	return nil
}

func (l Leaving) leave(seats *[]seat) error {
	found := false
	for i := range *seats {
		s := &(*seats)[i]
		if !s.is(l.Name) {
			continue
		}
		for _, role := range cmpRoles(l.Roles) {
			found = found || s.sits(role)
			s.root = s.root && role != tuf.Root
			s.targets = s.targets && role != tuf.Targets
		}
	}
	if !found {
		return noSeat(*seats, l.Name, "cannot leave")
	}
	*seats = slices.DeleteFunc(*seats, func(s seat) bool { return !s.root && !s.targets })
	return nil
}

// cmpRoles are the roles that are named, or both.
func cmpRoles(roles []string) []string {
	if len(roles) == 0 {
		return []string{tuf.Root, tuf.Targets}
	}
	return roles
}

func noSeat(seats []seat, name, what string) error {
	var names []string
	for _, s := range seats {
		if !containsPerson(names, s.name) {
			names = append(names, s.name)
		}
	}
	return planf(fmt.Sprintf("There is %s.", both(names)), "%q holds no such key and %s", name, what)
}

func (p Replacing) replace(seats *[]seat) (seat, error) {
	var at []int
	for i, s := range *seats {
		if s.is(p.Name) {
			at = append(at, i)
		}
	}
	switch {
	case len(at) == 0:
		return seat{}, noSeat(*seats, p.Name, "cannot be given a new token for it")
	case len(at) > 1:
		return seat{}, planf("Name the key by the first 8 digits of its keyid.", "%s holds %d keys", p.Name, len(at))
	}
	old := (*seats)[at[0]]
	*seats = slices.Delete(*seats, at[0], at[0]+1)
	if old.holder.Name == "" {
		return seat{}, planf("Remove the key and add its holder by name.", "nobody knows by name who holds %s", old.name)
	}
	return newSeat(old.name, p.Known, old.backup, old.root, old.targets), nil
}

func newSeat(name string, known *KnownKey, isBackup, root, targets bool) seat {
	s := seat{name: strings.TrimSpace(name), made: known == nil, backup: isBackup, known: known, root: root, targets: targets}
	if known != nil {
		s.key = known.Key
		s.holder = tuf.Holder{Name: s.name, Serial: known.Serial, Purpose: purposeOf(isBackup)}
	}
	return s
}

func (j Joining) join(seats *[]seat) error {
	if err := checkName(j.Name); err != nil {
		return planf(advicePeople, "%v", err)
	}
	if len(j.Roles) == 0 {
		return planf("Say for which roles, as in Dana:root,targets.", "%s would join no role", j.Name)
	}
	if err := j.checkRoles(); err != nil {
		return err
	}
	i := slices.IndexFunc(*seats, func(s seat) bool { return samePerson(s.name) == samePerson(j.Name) })
	if i < 0 {
		*seats = append(*seats, newSeat(j.Name, j.Known, false, slices.Contains(j.Roles, tuf.Root), slices.Contains(j.Roles, tuf.Targets)))
		return nil
	}
	s := &(*seats)[i]
	if j.Known != nil || !slices.ContainsFunc(j.Roles, func(role string) bool { return !s.sits(role) }) {
		return planf("To give somebody a new token, replace the old one; for a second one beside it, plan a backup.", "%s holds a key already", s.name)
	}
	for _, role := range j.Roles {
		s.sit(role)
	}
	return nil
}

func (j Joining) checkRoles() error {
	for _, role := range j.Roles {
		if role != tuf.Root && role != tuf.Targets {
			return planf("Keyholders sign root and targets; online keys sign the others.", "%s cannot join %q", j.Name, role)
		}
	}
	return nil
}

// second seats a backup beside the first key of its holder.
func (j Joining) second(seats *[]seat) error {
	if err := j.checkRoles(); err != nil {
		return err
	}
	mine := func(s seat) bool { return samePerson(s.name) == samePerson(j.Name) }
	first := slices.IndexFunc(*seats, func(s seat) bool { return mine(s) && !s.backup })
	switch {
	case first < 0:
		return noSeat(*seats, j.Name, "cannot have a backup for it")
	case slices.ContainsFunc(*seats, func(s seat) bool { return mine(s) && s.backup }):
		return planf("Replace the backup by its keyid, or remove it first.", "%s has a backup already", (*seats)[first].name)
	}
	root, targets := (*seats)[first].root, (*seats)[first].targets
	if len(j.Roles) > 0 {
		root, targets = slices.Contains(j.Roles, tuf.Root), slices.Contains(j.Roles, tuf.Targets)
	}
	*seats = append(*seats, newSeat((*seats)[first].name, j.Known, true, root, targets))
	return nil
}

// plan is what the seats make, but for which keys they are.
func (r Rotation) plan(start *tuf.Document, seats []seat) *transfer.Plan {
	roles := start.Root().Roles
	return &transfer.Plan{
		RootThreshold:    cmp.Or(r.RootThreshold, roles[tuf.Root].Threshold),
		TargetsThreshold: cmp.Or(r.TargetsThreshold, roles[tuf.Targets].Threshold),
		Algorithm:        r.algorithm(),
		Snapshot:         slices.Clone(r.Snapshot),
		Timestamp:        slices.Clone(r.Timestamp),
		RootExpires:      wholeSecond(r.RootExpires),
		Rotation:         &transfer.Rotation{},
	}
}

// checkSeats refuses a root that could never be signed, or in which one key or person counts twice.
func checkSeats(plan *transfer.Plan, seats []seat) error {
	keys := map[tuf.Digest]string{}
	for _, s := range seats {
		if s.made {
			continue
		}
		if other, twice := keys[s.key.SPKI]; twice {
			return planf("Give everybody a key of their own.", "one key would be %s's and %s's", other, s.name)
		}
		keys[s.key.SPKI] = s.name
	}
	for _, online := range slices.Concat(plan.Snapshot, plan.Timestamp) {
		if name, twice := keys[online.SPKI]; twice {
			return planf("Online keys live on servers; a keyholder's key never does.", "an online key is %s's as well", name)
		}
	}
	for _, role := range []string{tuf.Root, tuf.Targets} {
		var people []string
		for _, s := range seats {
			if s.sits(role) && !containsPerson(people, s.name) {
				people = append(people, s.name)
			}
		}
		threshold := plan.RootThreshold
		if role == tuf.Targets {
			threshold = plan.TargetsThreshold
		}
		if threshold < 1 || threshold > len(people) {
			return planf(fmt.Sprintf("Give a threshold from 1 to %d, or let fewer people leave.", len(people)),
				"this would lock everybody out: %s would need %d of %d keyholders", role, threshold, len(people))
		}
	}
	return nil
}

// evidenceOf is what tokens said of the keys that join.
func evidenceOf(seats []seat) []transfer.Evidence {
	var all []transfer.Evidence
	for _, s := range seats {
		if s.known != nil && s.known.Evidence != nil {
			e := *s.known.Evidence
			e.KeyID, e.Holder = s.key.ID, s.name
			all = append(all, e)
		}
	}
	return all
}

// fillRotation sorts the seats into keys that stay, join and are to be made.
func fillRotation(plan *transfer.Plan, trusted *tuf.Document, seats []seat) {
	listed := trusted.Keys()
	for _, s := range seats {
		_, stays := listed[s.key.ID]
		switch {
		case s.made:
			plan.Holders = append(plan.Holders, transfer.PlannedHolder{Name: s.name, Root: s.root, Targets: s.targets, Backup: s.backup})
		case stays:
			plan.Rotation.Keep = append(plan.Rotation.Keep, transfer.KeptKey{KeyID: s.key.ID, Root: s.root, Targets: s.targets})
		default:
			plan.Rotation.Join = append(plan.Rotation.Join, transfer.KnownKey{
				Key: s.key, Holder: s.name, Serial: s.holder.Serial, Root: s.root, Targets: s.targets, Backup: s.backup,
			})
		}
	}
}

// changes reports whether the plan's root differs from the trusted one in more than its expiry.
func changes(trusted *tuf.Document, plan *transfer.Plan) bool {
	roles := trusted.Root().Roles
	if len(plan.Holders)+len(plan.Rotation.Join)+len(plan.Snapshot)+len(plan.Timestamp) > 0 ||
		plan.RootThreshold != roles[tuf.Root].Threshold || plan.TargetsThreshold != roles[tuf.Targets].Threshold {
		return true
	}
	var root, targets []string
	for _, k := range plan.Rotation.Keep {
		if k.Root {
			root = append(root, k.KeyID)
		}
		if k.Targets {
			targets = append(targets, k.KeyID)
		}
	}
	same := func(a, b []string) bool {
		return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
	}
	return !same(root, roles[tuf.Root].KeyIDs) || !same(targets, roles[tuf.Targets].KeyIDs)
}

// settleTargets decides whether targets are signed anew: clients that have the
// next root must be able to verify what is published (TUF 5.6.3).
func (r Rotation) settleTargets(b *transfer.Bundle, plan *transfer.Plan, now time.Time) error {
	current := b.Base.Document(tuf.Targets)
	if current == nil || current.Targets() == nil {
		return planf(adviceBase, "the base does not hold the current targets, which the next root must still let clients verify")
	}
	if !r.Resign && keptSignatures(b, plan, current) >= plan.TargetsThreshold {
		b.Base.Documents = played(b.Base)
		return nil
	}
	if err := checkExpiryOf(tuf.Targets, r.TargetsExpires, now); err != nil {
		return err
	}
	plan.TargetsExpires = wholeSecond(r.TargetsExpires)
	b.Base.Documents = []transfer.Document{{Role: tuf.Targets, Metadata: current}}
	return nil
}

// keptSignatures counts the signatures of the current targets that still count with the next root.
func keptSignatures(b *transfer.Bundle, plan *transfer.Plan, current *tuf.Document) int {
	n := 0
	reqs, err := tuf.Requirements(tuf.Targets, current, nil, b.TrustedRoot())
	if err != nil {
		return 0
	}
	for _, s := range tuf.Count(current, reqs)[0].Signers {
		stays := slices.ContainsFunc(plan.Rotation.Keep, func(k transfer.KeptKey) bool { return k.Targets && k.KeyID == s.Key.ID })
		if s.Signed && stays {
			n++
		}
	}
	return n
}

// checkPlannedRotation holds what must be true of every plan for a rotation, wherever it comes from.
func checkPlannedRotation(b *transfer.Bundle) error {
	plan, trusted := b.Plan, b.TrustedRoot()
	keys, holders := trusted.Keys(), trusted.Holders()
	var seats []seat
	for _, k := range plan.Rotation.Keep {
		seats = append(seats, seat{name: cmp.Or(holders[k.KeyID].Name, shortKeyID(k.KeyID)), key: keys[k.KeyID], root: k.Root, targets: k.Targets})
	}
	for _, k := range plan.Rotation.Join {
		if err := checkName(k.Holder); err != nil {
			return planf(advicePeople, "%v", err)
		}
		seats = append(seats, seat{name: k.Holder, key: k.Key, root: k.Root, targets: k.Targets, backup: k.Backup})
	}
	var others []string
	for _, s := range seats {
		others = append(others, s.name)
	}
	if err := checkHolders(plan.Holders, others); err != nil {
		return err
	}
	for _, h := range plan.Holders {
		seats = append(seats, seat{name: h.Name, made: true, root: h.Root, targets: h.Targets, backup: h.Backup})
	}
	if plan.Algorithm != string(hsm.P256) && plan.Algorithm != string(hsm.P384) {
		return planf("Take p256, which every client reads, or p384.", "the algorithm %q is not known", plan.Algorithm)
	}
	return checkSeats(plan, seats)
}
