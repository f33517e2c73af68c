//go:build !race

package decode

// slow is how many times fewer pictures are read under the race detector.
const slow = 1
