// Package tuf is a strict layer over go-tuf: it reads, builds, signs, counts,
// compares and verifies TUF metadata, offline and without side effects.
//
// Its promise: a Document that exists has passed the strict reader, its
// payload is the canonical form of exactly the bytes it was read from, and no
// signature is ever attached to it that does not verify.
//
// # Reading
//
// Parse makes one pass over the bytes. The pass knows the shape of TUF
// metadata, so a file is refused at the first byte that has no place in it:
// 150,000 signatures cost as much as 65. The same pass writes the canonical
// form (OLPC canonical JSON), which is the payload. Only then go-tuf decodes
// the signed part (many files in pieces, at once), and what it understood, encoded again, must be the payload
// byte for byte: nothing is signed that go-tuf reads in another way.
//
// # Writing
//
// Files that this package builds are JSON with sorted names, indented by one
// space as python-tuf writes them, without a newline at the end. In a file that
// was read only the value of "signatures" is ever rewritten; its entries are
// sorted by keyid, so that the same signatures make the same file in whatever
// order they came.
//
// # Looking ahead
//
// Simulate plays an update for a client at every historic root and around each
// expiry. Compat speaks for clients that ask for more than the specification;
// its rules have names, to which policies refer. Overlaps says which delegated
// role is asked first. Recovers says what a new root makes clients forget.
package tuf
