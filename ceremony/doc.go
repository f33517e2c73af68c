// Package ceremony holds the rules of a key ceremony: what may happen next,
// who has done what, and what is still missing.
//
// State is pure data and State.Apply is the only place where rules live.
// Session is the thin shell around it: it writes an event to the record,
// acts, and writes what came of it. Replaying the record rebuilds the state
// after a power cut.
//
// Its promise: nothing is signed that its holder has not read and approved by
// words of its digest; no key and no person counts twice; no signature that
// was recorded is lost; nothing is called complete below a threshold; and no
// PIN reaches an event, an error or the record.
package ceremony
