// SPDX-License-Identifier: Apache-2.0

// Package ring tests espalier_ring: the bench around it knows the contract and
// judges every bus transfer, descriptor, completion and event itself; here are
// the configurations, the seeds and the rates.
package ring

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/espalier-nic/espalier/verilator/unit/bench"
)

// build returns the bench of a ring with that many queues and lanes.
func build(t *testing.T, queues, lanes int) string {
	t.Helper()
	root, err := bench.Root()
	if err != nil {
		t.Fatal(err)
	}
	return bench.Build(t, bench.Unit{
		Name:  "ring",
		Top:   "espalier_ring",
		Bench: "testdata/tb.cpp",
		Sources: []string{
			"rtl/espalier_regs_pkg.sv",
			"rtl/espalier_fifo.sv",
			"rtl/espalier_ram_sdp.sv",
			"rtl/espalier_ring_pick.sv",
			"rtl/espalier_ring_regs.sv",
			"rtl/espalier_ring_fetch.sv",
			"rtl/espalier_ring_cpl.sv",
			"rtl/espalier_ring.sv",
		},
		Params: map[string]string{"NUM_QUEUES": strconv.Itoa(queues), "LANES": strconv.Itoa(lanes)},
		Flags: []string{"-CFLAGS", fmt.Sprintf("-DNUM_QUEUES=%d -DLANES=%d -I%s",
			queues, lanes, filepath.Join(root, "regs", "c"))},
	})
}

// measure runs a scenario and returns the figures it prints.
func measure(t *testing.T, exe string, args ...string) map[string]int {
	t.Helper()
	figures := map[string]int{}
	for _, line := range bytes.Split(bytes.TrimSpace(bench.Run(t, exe, nil, args...)), []byte("\n")) {
		name, value, found := strings.Cut(string(line), " ")
		n, err := strconv.Atoi(value)
		if !found || err != nil {
			t.Fatalf("%v printed %q", args, line)
		}
		figures[name] = n
	}
	return figures
}

// Every scenario with random conditions, for the queue counts that differ in
// kind (one, not a power of two, the default, the most) and all widths.
func TestRandom(t *testing.T) {
	for _, c := range []struct{ queues, lanes, seeds int }{{4, 1, 40}, {1, 1, 10}, {3, 2, 10}, {16, 4, 4}} {
		exe := build(t, c.queues, c.lanes)
		for _, scenario := range []string{"traffic", "lives", "errors", "quiesce"} {
			t.Run(fmt.Sprintf("%s, %d queues, %d lanes", scenario, c.queues, c.lanes), func(t *testing.T) {
				for seed := 1; seed <= c.seeds; seed++ {
					bench.Run(t, exe, nil, scenario, strconv.Itoa(seed))
				}
			})
		}
	}
}

func TestRegisters(t *testing.T) {
	for _, c := range []struct{ queues, lanes int }{{4, 1}, {3, 2}} {
		bench.Run(t, build(t, c.queues, c.lanes), nil, "registers", "1")
	}
}

// One queue alone must feed a data path that takes a descriptor every 9 cycles
// (the smallest frames back to back) behind a bus that takes 200 cycles to
// answer a read, and one every 2 cycles behind a quick one, in bursts of at
// least 8.
func TestDescriptorRate(t *testing.T) {
	exe := build(t, 4, 1)
	for _, c := range []struct{ latency, period int }{{200, 9}, {10, 2}, {30, 2}} {
		t.Run(fmt.Sprintf("latency %d, one per %d cycles", c.latency, c.period), func(t *testing.T) {
			f := measure(t, exe, "pace", "1", strconv.Itoa(c.latency), strconv.Itoa(c.period))
			if f["missed"] != 0 {
				t.Errorf("a descriptor was missing in %d cycles of %d", f["missed"], f["cycles"])
			}
			if f["descriptors"] < 8*(f["reads"]-3) {
				t.Errorf("%d descriptors in %d reads", f["descriptors"], f["reads"])
			}
		})
	}
}

// 4000 completions of one queue, one message a cycle: how many cycles they
// take, and in how many writes.
func TestCompletionRate(t *testing.T) {
	exe := build(t, 4, 1)
	for _, c := range []struct{ count, perCompletion, batches int }{{1, 4, 4000}, {2, 3, 2000}, {4, 2, 1000}, {0, 2, 1000}} {
		t.Run(fmt.Sprintf("COUNT %d", c.count), func(t *testing.T) {
			f := measure(t, exe, "completions", "1", strconv.Itoa(c.count))
			if most := 4000*c.perCompletion + 100; f["cycles"] > most {
				t.Errorf("%d cycles, at most %d expected", f["cycles"], most)
			}
			if f["batches"] != c.batches {
				t.Errorf("%d batches, expected %d", f["batches"], c.batches)
			}
		})
	}
}

// Single steps with an idle bus. The batch timer is exact: a batch of a timer of
// n cycles is written n cycles later than one of a timer of 0.
func TestLatency(t *testing.T) {
	f := measure(t, build(t, 4, 1), "latency", "1")
	for name, want := range map[string]int{
		"tail_to_read":      5,  // write of TAIL to the read's address, queue idle
		"read_to_available": 11, // 10 of them the bus
		"timer_0":           5,  // completion message to the write's address
		"timer_1":           6,
		"timer_64":          69,
		"timer_1000":        1005,
		"full":              5, // a full batch does not wait for its timer
		"flush":             3, // nor does a partial one of a queue just disabled
		"response_to_event": 1,
	} {
		if f[name] != want {
			t.Errorf("%s is %d cycles, expected %d", name, f[name], want)
		}
	}
}
