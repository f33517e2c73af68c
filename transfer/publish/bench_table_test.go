//go:build !offline

package publish_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// A result is what one run of one competitor took.
type result struct {
	seconds  float64
	cpu      float64 // seconds of the program itself
	server   float64 // seconds of the server's processor; on few cores it is the floor that nobody gets below
	peak     int64   // bytes of memory
	requests int     // as far as the proxy saw them, 0 otherwise
}

// clockTicks is how many of them Linux counts in a second, for programs to read.
const clockTicks = 100

// processorTime is what a process has used so far, in seconds; 0 where /proc does not say.
func processorTime(pid int) float64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(raw), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / clockTicks
}

// median is the middle of one number of many results.
func median(all []result, of func(result) float64) float64 {
	values := make([]float64, len(all))
	for i, one := range all {
		values[i] = of(one)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func seconds(r result) float64 { return r.seconds }

// table prints the medians of one race. "x" is how many times as long as the first one everybody takes, "server" the
// server's share of all cores while it ran.
func table(title string, order []string, all map[string][]result, cores int) {
	fmt.Printf("\n%s\n", title)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "who\tseconds\tx\town cpu s\tserver cpu s\tserver\tpeak MiB\trequests\t")
	for _, who := range order {
		got := all[who]
		if len(got) == 0 {
			continue
		}
		took := median(got, seconds)
		served := median(got, func(r result) float64 { return r.server })
		peak, requests := int64(0), "-"
		for _, one := range got {
			peak = max(peak, one.peak)
			if one.requests > 0 {
				requests = strconv.Itoa(one.requests)
			}
		}
		fmt.Fprintf(w, "%s\t%.2f\t%.2f\t%.2f\t%.2f\t%.0f %%\t%d\t%s\t\n", who, took, took/median(all[order[0]], seconds),
			median(got, func(r result) float64 { return r.cpu }), served, 100*served/took/float64(cores), peak>>20, requests)
	}
	_ = w.Flush()
}

// watchMemory follows the most memory that a running process has used. What wait4 says of it is no less than what
// the process that started it had: this one, with all the files.
func watchMemory(pid int) (peak func() int64) {
	ended, most := make(chan struct{}), make(chan int64)
	go func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		seen := int64(0)
		for {
			select {
			case <-ended:
				most <- seen
				return
			case <-tick.C:
				seen = max(seen, highWater(pid))
			}
		}
	}()
	return func() int64 { close(ended); return <-most }
}

// highWater is the most memory that a process has had in use, in bytes; 0 where /proc does not say.
func highWater(pid int) int64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(raw), "VmHWM:")
	line, _, _ := strings.Cut(rest, "kB")
	kib, _ := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	return kib << 10
}
