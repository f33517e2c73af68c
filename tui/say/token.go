package say

import (
	"conclave/ceremony"
	"conclave/hsm"
	"conclave/tui/text"
)

// Blocked says that a token's PIN is blocked, what is safe, and what its PUK can do.
func Blocked(v ceremony.Visitor) Notice {
	n := Notice{
		What: text.F("The PIN of token %d is blocked: it was refused too often.", v.Info.Serial),
		Kept: text.F("Its keys are safe. PUK: %s.", PUKTries(v)),
		Do:   text.Clean("Set its PIN anew with the PUK, or go on with a backup token or another keyholder."),
	}
	if !CanUnblock(v) {
		n.Kept = text.Clean("Its PUK is blocked too: its keys can be used no more.")
		n.Do = text.Clean("Go on with a backup token or another keyholder, and plan a rotation.")
	}
	return n
}

// CanUnblock reports whether a token's PIN is blocked and its PUK, as far as it says, is not.
func CanUnblock(v ceremony.Visitor) bool {
	return v.Info.Retries == 0 && (!v.Guard.Told || v.Guard.PUK.Left > 0)
}

// PUKTries says how often a token's PUK may still be typed wrongly.
func PUKTries(v ceremony.Visitor) text.Safe {
	if !v.Guard.Told {
		return Tries(-1)
	}
	return Tries(v.Guard.PUK.Left)
}

// LastPUKTry reports that a wrong PUK now costs the token's keys.
func LastPUKTry(v ceremony.Visitor) bool { return v.Guard.Told && v.Guard.PUK.Left == 1 }

// Unblocked says that a token has a new PIN.
func Unblocked(v ceremony.Visitor) text.Safe {
	return text.F("Token %d has its new PIN. Only its holder should know it.", v.Info.Serial)
}

// Left says that the key of an enrolment that was cut off is taken as it is.
func Left(v ceremony.Visitor) text.Safe {
	return text.F("Token %d made its key for %s before the enrolment was cut off. That key is taken as it is: nothing is made anew, and nothing is lost. "+
		"Its PIN is the new one that it was given then.", v.Info.Serial, v.Left)
}

// Stray says why the key on a token that was asked for one is not taken.
func Stray(v ceremony.Visitor) text.Safe {
	return text.F("An enrolment was begun on token %d and cut off. Nothing shows that the key in it is the one that it made then, so it is not taken. "+
		"It counts nowhere here: to have a new one made in its place costs no signature.", v.Info.Serial)
}

// MadeFirst says that a token is not the backup of its holder, whose first key it has made.
func MadeFirst(v ceremony.Visitor, holder string) text.Safe {
	return text.F("Token %d has made %s's first key. Take it out, and put in the backup.", v.Info.Serial, holder)
}

// Needed says that a token cannot make a new key, for the one in it counts.
func Needed(v ceremony.Visitor) text.Safe {
	return text.F("Token %d holds %s's key, which counts in this ceremony: nothing is written over it. Take it out, and put in the new token.", v.Info.Serial, v.Holder)
}

// ToBe is what a token becomes that a holder brings to enrolment: "yours", "your backup".
func ToBe(p ceremony.Participant) text.Safe {
	if p.Backup {
		return text.Clean("your backup")
	}
	return text.Clean("yours")
}

// NewPIN asks for a new PIN, and NewPUK for a new PUK.
func NewPIN() text.Safe { return text.F("%d to %d digits", hsm.MinPIN, hsm.MaxPIN) }

// NewPUK says how long a PUK is and what it is for.
func NewPUK() text.Safe {
	return text.F("%d digits, to unblock the PIN", hsm.PUKLength)
}

// PresentPUK says which PUK is meant, and what a wrong one costs.
func PresentPUK(v ceremony.Visitor) text.Safe {
	if !v.Guard.Told {
		return text.Clean("a new YubiKey's PUK is 12345678")
	}
	return PUKTries(v)
}

// Differ says that two new PINs or PUKs were not the same.
func Differ(what string) Notice {
	return Notice{
		What: text.F("The two new %ss differ.", what), Kept: text.Clean("Nothing was sent to the token."),
		Do: text.F("Type the new %s again, twice.", what),
	}
}
