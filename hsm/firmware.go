package hsm

import (
	"fmt"
	"strconv"
	"strings"
)

// FirmwareAtLeast reports whether a firmware like "5.4.3" is major.minor or
// newer. One that cannot be read is as old as can be.
func FirmwareAtLeast(firmware string, major, minor int) bool {
	parts := strings.Split(firmware, ".")
	if len(parts) != 3 {
		return false
	}
	var v [3]int
	for i, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || n < 0 {
			return false
		}
		v[i] = n
	}
	return v[0] > major || v[0] == major && v[1] >= minor
}

// Weaknesses names, in a sentence each, what is publicly known to be wrong
// with the ECDSA keys of a firmware.
func Weaknesses(firmware string) []string {
	if FirmwareAtLeast(firmware, 5, 7) {
		return nil
	}
	return []string{fmt.Sprintf("firmware %s has EUCLEAK (YSA-2024-03): who has the token for a day, its PIN and a laboratory can copy its key; "+
		"5.7 and later do not", firmware)}
}
