package tuf

// Limits of what is read. They are generous for honest repositories and keep
// hostile files from costing more than a moment.
const (
	// MaxSize is the largest file that Parse looks at: about 400,000 targets.
	// Beyond some 30,000 a role, delegated hash bins serve better.
	MaxSize = 64 << 20
	// MaxRootSize is what python-tuf's updater downloads at most for a root.
	MaxRootSize = 512_000
	// MaxTimestampSize is the same for a timestamp.
	MaxTimestampSize = 16_384
	// MaxSignatures is more than any ceremony has keyholders. go-tuf's check
	// for double signatures is quadratic, so the number must be small.
	MaxSignatures = 64
	// MaxRoleKeys is the most keys of one role: no more could sign.
	MaxRoleKeys = MaxSignatures
	// MaxDepth is the deepest nesting; the deepest field that TUF defines is at 8.
	MaxDepth = 32

	maxKeys    = 1_024     // public keys in one document; each costs a curve check
	maxRoles   = 65_536    // delegated roles in one document
	maxMembers = 1 << 20   // members open at once, so that the memory to compare names is bounded
	maxInteger = 1<<53 - 1 // beyond it, readers that use floating point disagree
	maxKeyID   = 256       // bytes of a keyid; a SHA-256 in hex has 64
	maxSigHex  = 4_096     // hex digits of one signature: RSA with 16384 bits
	maxPEM     = 4_096     // bytes of one public key's text
	minRSABits = 2_048     // less is broken or nearly so
	maxRSABits = 8_192     // more makes one signature check a denial of service
	maxSerial  = 1<<32 - 1 // a token's serial number has 32 bits
)
