package preflight

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// swapCheck says whether a PIN in memory could be written to a disk.
func (m *Machine) swapCheck() Check {
	c := Check{Name: "swap", Status: OK, Text: "none"}
	var used, total int64
	devices := m.lines("proc/swaps")
	for i, line := range devices {
		f := strings.Fields(line)
		if i == 0 || len(f) < 4 {
			continue
		}
		size, _ := strconv.ParseInt(f[2], 10, 64)
		in, _ := strconv.ParseInt(f[3], 10, 64)
		total, used = total+size, used+in
		c.Detail = append(c.Detail, f[0])
	}
	c.Found = c.Detail
	if total > 0 {
		c.Status, c.Fix = Stop, "swapoff -a"
		c.Text = fmt.Sprintf("%d MB, %d MB in use: a PIN could reach the disk", total/1024, used/1024)
	}
	return c
}

// lockOnce asks the kernel once: locking is for the life of the process.
var lockOnce = sync.OnceValues(func() (locked, hidden error) {
	hidden = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil && hidden == nil {
		hidden = err
	}
	// Pages are locked as they are first touched: reserving everything would
	// lock the runtime's unused address space too.
	return unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT), hidden
})

// lockMemory keeps this process out of the swap, out of core dumps and away
// from debuggers, and says how much of that the kernel granted.
func lockMemory() Check {
	c := Check{Name: "memory", Status: OK, Text: "locked; no core dumps; not traceable"}
	locked, hidden := lockOnce()
	switch {
	case hidden != nil:
		c.Status, c.Text = Stop, fmt.Sprintf("a crash could write a PIN to the disk: %v", hidden)
		c.Fix = "ulimit -c 0"
	case locked != nil:
		c.Status = Note
		c.Text = fmt.Sprintf("no core dumps; not traceable; not locked (%v)", locked)
		c.Fix = "ulimit -l unlimited, or make sure that there is no swap"
	}
	return c
}
