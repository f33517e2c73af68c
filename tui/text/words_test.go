package text

import (
	"testing"
	"time"
)

func TestWords(t *testing.T) {
	now := time.Date(2026, 11, 22, 14, 31, 5, 0, time.UTC)
	at := func(d time.Duration) time.Time { return now.Add(d) }
	const day = 24 * time.Hour
	for _, tt := range []struct {
		name string
		got  Safe
		want string
	}{
		{"nobody", List(), "nobody"},
		{"one name", List("Alice"), "Alice"},
		{"two names", List("Alice", "Bob"), "Alice and Bob"},
		{"three names", List("Alice", "Bob", "Dana"), "Alice, Bob and Dana"},
		{"a name that lies", List("Al\x1bice", "Bob"), "Al<U+001B>ice and Bob"},
		{"alternatives", Either("Dana", "Erin", "Frank"), "Dana, Erin or Frank"},
		{"one thing", Count(1, "signature"), "1 signature"},
		{"many things", Count(3, "signature"), "3 signatures"},
		{"an odd plural", Count(2, "entry|entries"), "2 entries"},
		{"a small number", Number(2), "two"},
		{"a big number", Number(40), "40"},
		{"a capital", Capital(Number(2)), "Two"},
		{"hex in groups", Groups("3f9a11c28d7042b1"), "3f9a 11c2 8d70 42b1"},
		{"hex that is grouped already", Groups("3f9a 11c2 8d"), "3f9a 11c2 8d"},
		{"bytes", Bytes(512), "512 bytes"},
		{"gigabytes", Bytes(14_200_000_000), "14.2 GB"},
		{"almost a megabyte", Bytes(999_999), "1.0 MB"},
		{"a date to come", Date(at(365*day), now), "2027-11-22, in 365 days"},
		{"a date planned a moment ago", Date(at(365*day-time.Second), now), "2027-11-22, in 365 days"},
		{"two days and most of a third", Relative(at(2*day+20*time.Hour), now), "in 3 days"},
		{"just under two days", Relative(at(2*day-time.Second), now), "in 47 hours"},
		{"a date gone by", Date(at(-3*day), now), "2026-11-19, 3 days ago"},
		{"no date", Date(time.Time{}, now), "no date"},
		{"minutes ago", Relative(at(-12*time.Minute), now), "12 minutes ago"},
		{"hours ago", Relative(at(-2*time.Hour), now), "2 hours ago"},
		{"now", Relative(at(20*time.Second), now), "now"},
		{"a clock", Clock(now), "14:31 UTC"},
		{"a moment", Moment(now), "2026-11-22 14:31:05 UTC"},
		{"the eleventh", Ordinal(11), "11th"},
		{"the third", Ordinal(23), "23rd"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.got.String() != tt.want {
				t.Errorf("got %q, want %q", tt.got, tt.want)
			}
		})
	}
}
