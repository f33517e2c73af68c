// Package publish is the last hop, online: it puts what a ceremony signed into a
// store where clients find it, and keeps the two online roles, snapshot and timestamp, fresh.
//
// Its promise: clients never see a repository that does not verify. Everything is checked
// from the operator's pinned root, signed, journaled and tried out by a simulated client before the store is
// touched; numbered files are created and never changed; the timestamp, which makes clients look at
// them, comes last and only if nobody else has moved it meanwhile. Every step may be repeated: after a
// crash the same command completes the work, with the same signatures.
//
// # In the store
//
//	metadata/N.root.json, N.targets.json, N.ROLE.json   as signed in the ceremony
//	metadata/N.snapshot.json, metadata/timestamp.json   signed here
//	targets/DIR/SHA256.NAME                             target files (consistent snapshots)
//	PRACTICE.txt                                        only where rehearsals are published
//
// # On this host
//
// The state folder holds seen.json, the highest version of every role that this host has
// seen live (a store that falls behind it was rolled back: an alarm), and push.json and refresh.json, the online
// documents of what is under way.
package publish
