//go:build race

package decode

// slow is how many times fewer pictures are read under the race detector.
const slow = 6

// someVersions are tried where all would take too long.
var someVersions = []int{1, 7, 20, 40}
