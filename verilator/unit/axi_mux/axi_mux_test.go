// SPDX-License-Identifier: Apache-2.0

// Package axi_mux tests espalier_axi_mux.
package axi_mux

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/espalier-nic/espalier/verilator/unit/bench"
)

func build(t *testing.T) string {
	t.Helper()
	return bench.Build(t, bench.Unit{
		Name:    "axi_mux",
		Top:     "espalier_axi_mux",
		Bench:   "testdata/tb.cpp",
		Sources: []string{"rtl/espalier_fifo.sv", "rtl/espalier_ring_pick.sv", "rtl/espalier_axi_mux.sv"},
	})
}

// Random bursts of all clients, random pauses, IDs reordered and interleaved:
// everything arrives where it belongs, and every client gets its turn.
func TestRandomTraffic(t *testing.T) {
	exe := build(t)
	total := make(map[string]int)
	for seed := 1; seed <= 60; seed++ {
		out := bench.Run(t, exe, nil, "random", strconv.Itoa(seed))
		for i := 0; i < 6; i++ {
			var name string
			var n, line int
			for line = 0; line < len(out) && out[line] != '\n'; line++ {
			}
			if _, err := fmt.Sscan(string(out[:line]), &name, &n); err != nil {
				t.Fatalf("seed %d printed %q: %v", seed, out[:line], err)
			}
			total[name] += n
			out = out[line+1:]
		}
	}
	for _, name := range []string{"reads_0", "reads_1", "reads_2", "writes_0", "writes_1", "writes_2"} {
		if total[name] < 1000 {
			t.Errorf("%s: only %d bursts in all runs", name, total[name])
		}
	}
}

// The write channel carries a beat in every cycle while bursts wait, also when
// long and short ones of two clients alternate.
func TestWriteChannelFull(t *testing.T) {
	exe := build(t)
	for _, lengths := range [][2]int{{8, 1}, {16, 4}, {1, 1}, {2, 1}} {
		var cycles, beats int
		out := bench.Run(t, exe, nil, "fill", strconv.Itoa(lengths[0]), strconv.Itoa(lengths[1]))
		if _, err := fmt.Sscanf(string(out), "cycles %d\nbeats %d\n", &cycles, &beats); err != nil {
			t.Fatalf("printed %q: %v", out, err)
		}
		if want := 200 * (lengths[0] + lengths[1]); beats != want || cycles != want {
			t.Errorf("bursts of %v: %d beats in %d cycles, expected %d in as many", lengths, beats, cycles, want)
		}
	}
}
