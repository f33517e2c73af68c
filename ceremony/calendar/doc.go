// Package calendar says when each role must be signed again, and what happens
// if nobody does it.
//
// For every document there are three days: its signing window opens, the last
// day on which a ceremony can still go wrong once without harm, and its expiry.
// Snapshot and timestamp are renewed by the publisher without any ceremony;
// their expiry is listed, and counts for the day on which clients break only
// once it is past.
//
// Its promise: the day on which it says that clients break is the first on
// which root or targets has expired, whatever else the timeline holds; and the
// same documents and settings make the same calendar file, byte for byte, with
// the same UIDs, so that importing it again moves events and never doubles them.
package calendar
