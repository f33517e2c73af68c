//go:build !race

package decode

// slow is how many times fewer pictures are read under the race detector.
const slow = 1

// someVersions are all of them, but under the race detector.
var someVersions = func() (out []int) {
	for v := 1; v <= 40; v++ {
		out = append(out, v)
	}
	return out
}()
