package virtual

import (
	"fmt"
	"slices"
	"strings"
)

// A firmware is a YubiKey's version, which decides what it can do.
type firmware [3]byte

// personalities are the firmwares that can be played: one for each way in
// which a host has to speak to a YubiKey.
var personalities = []firmware{
	{4, 3, 5}, // serial through the OTP applet, no form factor
	{5, 2, 7}, // serial instruction, no metadata
	{5, 4, 3}, // metadata; 3DES management key, AES on request
	{5, 7, 1}, // AES-192 management key, Ed25519, long RSA keys
}

const newestFirmware = "5.7.1"

// Firmwares lists the versions that NewCard plays, oldest first.
func Firmwares() []string {
	s := make([]string, len(personalities))
	for i, f := range personalities {
		s[i] = f.String()
	}
	return s
}

func parseFirmware(s string) (firmware, error) {
	i := slices.IndexFunc(personalities, func(f firmware) bool { return f.String() == s })
	if i < 0 {
		return firmware{}, fmt.Errorf("play firmware %q: only %s are known", s, strings.Join(Firmwares(), ", "))
	}
	return personalities[i], nil
}

func (f firmware) String() string { return fmt.Sprintf("%d.%d.%d", f[0], f[1], f[2]) }

func (f firmware) atLeast(major, minor byte) bool {
	return f[0] > major || f[0] == major && f[1] >= minor
}

func (f firmware) hasSerial() bool     { return f.atLeast(5, 0) } // F8 in the PIV applet
func (f firmware) hasFormFactor() bool { return f.atLeast(5, 0) }
func (f firmware) hasMetadata() bool   { return f.atLeast(5, 3) }
func (f firmware) hasAES() bool        { return f.atLeast(5, 4) } // management keys
func (f firmware) hasNewKeys() bool    { return f.atLeast(5, 7) } // Ed25519, RSA-3072, RSA-4096
