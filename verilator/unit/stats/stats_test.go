// SPDX-License-Identifier: Apache-2.0

// Package stats tests espalier_stats.
package stats

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"github.com/espalier-nic/espalier/regs"
	"github.com/espalier-nic/espalier/verilator/unit/bench"
)

// Offsets of the low halves in the order of the module's event ports, and those
// of the byte counters, which go with the first and the sixth.
var events = []int{
	regs.StatTxFramesLoOffset, regs.StatTxESPLoOffset, regs.StatTxErrHandleLoOffset, regs.StatTxErrDescLoOffset,
	regs.StatTxErrDMALoOffset, regs.StatRxFramesLoOffset, regs.StatRxESPOKLoOffset, regs.StatRxAuthFailedLoOffset,
	regs.StatRxSyntaxLoOffset, regs.StatRxNoSALoOffset, regs.StatRxUntouchedLoOffset, regs.StatRxDropNoDescLoOffset,
	regs.StatRxDropBadLoOffset, regs.StatRxErrDMALoOffset,
}

const (
	txFrame, rxFrame = 0, 5
	last             = regs.StatRxErrDMAHiOffset
)

// nic is what the counters must hold.
type nic struct {
	count map[int]uint64 // by offset of the low half
	high  map[int]uint64 // latched
}

func (n *nic) clear() { n.count, n.high = map[int]uint64{}, map[int]uint64{} }

func (n *nic) step(times uint64, mask uint32, txBytes, rxBytes uint64) {
	for i, offset := range events {
		if mask>>i&1 != 0 {
			n.count[offset] += times
		}
	}
	if mask>>txFrame&1 != 0 {
		n.count[regs.StatTxBytesLoOffset] += times * txBytes
	}
	if mask>>rxFrame&1 != 0 {
		n.count[regs.StatRxBytesLoOffset] += times * rxBytes
	}
}

func known(offset int) bool {
	return offset >= regs.StatTxFramesLoOffset && offset <= last && offset%4 == 0
}

func (n *nic) read(offset int) string {
	if !known(offset) {
		return "error"
	}
	if offset%8 == 4 {
		return fmt.Sprint(n.high[offset-4])
	}
	n.high[offset] = n.count[offset] >> 32
	return fmt.Sprint(uint32(n.count[offset]))
}

func TestCounters(t *testing.T) {
	exe := build(t)
	r := rand.New(rand.NewSource(1))
	var n nic
	n.clear()
	var script strings.Builder
	var want []string
	step := func(times int, mask uint32, txBytes, rxBytes int) {
		fmt.Fprintf(&script, "step %d %d %d %d\n", times, mask, txBytes, rxBytes)
		n.step(uint64(times), mask, uint64(txBytes), uint64(rxBytes))
	}
	access := func(what string, offset int) {
		if what == "write" {
			fmt.Fprintf(&script, "write %d %d\n", offset, r.Uint32())
			if known(offset) {
				want = append(want, "0") // no error and no effect
			} else {
				want = append(want, "error")
			}
			return
		}
		fmt.Fprintf(&script, "%s %d\n", what, offset)
		if latched, ok := n.high[offset]; ok && what == "peek" {
			want = append(want, n.read(offset))
			n.high[offset] = latched
			return
		}
		want = append(want, n.read(offset))
	}

	// every event alone
	for i := range events {
		step(3+i, 1<<i, 1000, 2000)
	}
	for offset := regs.StatTxFramesLoOffset; offset <= last; offset += 4 {
		access("read", offset)
	}
	// Past 32 bits, with LO read just before and after the carry, and another counter's halves read in between.
	step(262000, 1<<txFrame|1<<rxFrame, 16383, 16382)
	for range 400 {
		step(1, 1<<txFrame|1<<rxFrame, 16383, 16382)
		access("read", regs.StatTxBytesLoOffset)
		access("read", regs.StatRxBytesLoOffset)
		step(1, 1<<txFrame, 16383, 0)
		access("peek", regs.StatTxBytesLoOffset)
		access("read", regs.StatTxBytesHiOffset)
		access("read", regs.StatRxBytesHiOffset)
	}
	if n.count[regs.StatTxBytesLoOffset]>>32 != 1 {
		t.Fatal("the script does not reach 2^32")
	}
	for range 3000 {
		switch r.Intn(4) {
		case 0:
			access([]string{"read", "write", "peek"}[r.Intn(3)], regs.StatTxFramesLoOffset-64+r.Intn(256))
		case 1:
			access("read", regs.StatTxFramesLoOffset+4*r.Intn(32))
		default:
			step(1+r.Intn(3), r.Uint32()&(1<<len(events)-1), r.Intn(16384), r.Intn(16384))
		}
		if r.Intn(500) == 0 {
			script.WriteString("clear\n")
			n.clear()
		}
	}

	got := strings.Fields(string(bench.Run(t, exe, []byte(script.String()))))
	if len(got) != len(want) {
		t.Fatalf("%d answers, expected %d", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("access %d gave %s, expected %s", i, got[i], want[i])
		}
	}
}

// The cycle counter counts from the end of the hard reset, and a reset of the
// statistics does not touch it.
func TestCycles(t *testing.T) {
	script := fmt.Sprintf("read %d\nrun 1000\nclear\nread %d\nread %d\nread %d\nread %d\n", regs.CyclesLoOffset, regs.CyclesLoOffset,
		regs.CyclesHiOffset, regs.CyclesHiOffset+4, regs.CyclesLoOffset+2)
	got := strings.Fields(string(bench.Run(t, build(t), []byte(script))))
	want := []string{"0", "0", "1003", "1003", "0", "error", "error"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, expected %v", got, want)
	}
}

func build(t *testing.T) string {
	t.Helper()
	return bench.Build(t, bench.Unit{
		Name:    "stats",
		Top:     "espalier_stats",
		Bench:   "testdata/tb.cpp",
		Sources: []string{"rtl/espalier_regs_pkg.sv", "rtl/espalier_stats.sv"},
	})
}
