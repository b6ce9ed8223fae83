// SPDX-License-Identifier: Apache-2.0

// Package irq tests espalier_irq: short scripts with the interrupts that the
// contract demands, and long random ones against a model of it.
package irq

import (
	"bytes"
	"fmt"
	"math/rand"
	"strconv"
	"strings"
	"testing"

	"github.com/espalier-nic/espalier/verilator/unit/bench"
)

func build(t *testing.T, vectors int) string {
	t.Helper()
	return bench.Build(t, bench.Unit{
		Name:    "irq",
		Top:     "espalier_irq",
		Bench:   "testdata/tb.cpp",
		Sources: []string{"rtl/espalier_irq.sv"},
		Params:  map[string]string{"NUM_VECTORS": strconv.Itoa(vectors)},
		Flags:   []string{"-CFLAGS", fmt.Sprintf("-DNUM_VECTORS=%d", vectors)},
	})
}

// An event shows two cycles later: one to count it, one to fire.
func TestScripts(t *testing.T) {
	exe := build(t, 8)
	for _, c := range []struct {
		name, script, want string
	}{
		{"an event fires at once after reset",
			"0 mask 0\n10 tx 3 1\n",
			"12 irq 8\n12 cause 8\n"},
		{"masked: the cause is set, the interrupt comes when the mask goes",
			"10 rx 1 1\n20 mask 0\n",
			"12 cause 2\n21 irq 2\n"},
		{"masked and cleared: no interrupt",
			"10 rx 1 1\n20 clear 2\n30 mask 0\n",
			"12 cause 2\n21 cause 0\n"},
		{"masking and unmasking does not repeat an interrupt",
			"0 mask 0\n10 rx 1 1\n20 mask 255\n30 mask 0\n",
			"12 irq 2\n12 cause 2\n"},
		{"disarmed: nothing until armed, then at once",
			"0 mask 0\n10 tx 0 1\n20 tx 0 1\n30 clear 1\n40 arm 1\n",
			"12 irq 1\n12 cause 1\n31 cause 0\n42 irq 1\n42 cause 1\n"},
		{"armed again with no event: nothing",
			"0 mask 0\n10 tx 0 1\n20 arm 1\n",
			"12 irq 1\n12 cause 1\n"},
		{"cause not cleared: the next interrupt comes all the same",
			"0 mask 0\n10 tx 0 1\n20 arm 1\n30 tx 0 1\n",
			"12 irq 1\n12 cause 1\n32 irq 1\n"},
		{"count: the third event fires",
			"0 mask 0\n0 mod 2 3 100\n10 tx 2 1\n20 rx 2 1\n30 tx 2 1\n",
			"32 irq 4\n32 cause 4\n"},
		{"count: several at once and from both rings in one cycle",
			"0 mask 0\n0 mod 2 9 100\n10 tx 2 4\n10 rx 2 4\n10 set 4\n",
			"12 irq 4\n12 cause 4\n"},
		{"time: 16 cycles a unit after the first event",
			"0 mask 0\n0 mod 5 255 3\n10 tx 5 1\n40 tx 5 4\n",
			"60 irq 32\n60 cause 32\n"},
		{"time 0 means at once whatever the count",
			"0 mask 0\n0 mod 5 255 0\n10 tx 5 1\n",
			"12 irq 32\n12 cause 32\n"},
		{"time while disarmed counts",
			"0 mask 0\n0 mod 5 2 4\n10 tx 5 2\n20 tx 5 1\n120 arm 32\n",
			"12 irq 32\n12 cause 32\n122 irq 32\n"},
		{"an event in the cycle of firing counts for the next interrupt",
			"0 mask 0\n10 tx 0 1\n11 tx 0 1\n50 arm 1\n",
			"12 irq 1\n12 cause 1\n52 irq 1\n"},
		{"cleared in the cycle of firing: the cause stays",
			"0 mask 0\n10 tx 0 1\n20 arm 1\n30 tx 0 1\n31 clear 1\n",
			"12 irq 1\n12 cause 1\n32 irq 1\n"},
		{"INT_SET on several vectors",
			"0 mask 0\n10 set 129\n",
			"12 irq 129\n12 cause 129\n"},
		{"a vector that does not exist",
			"0 mask 0\n10 tx 8 1\n11 rx 31 4\n",
			""},
		{"more events than can be counted",
			"0 mask 0\n0 mod 0 255 65535\n" + repeat("%d tx 0 4\n", 10, 70) + "100 mod 0 255 65535\n",
			"75 irq 1\n75 cause 1\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(bench.Run(t, exe, []byte(c.script+"2000 end\n"))); got != c.want {
				t.Errorf("script\n%sgave\n%sexpected\n%s", c.script, got, c.want)
			}
		})
	}
}

// repeat prints format once for each of n cycles.
func repeat(format string, first, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, first+i)
	}
	return b.String()
}

// vector is the contract's state of one interrupt vector.
type vector struct {
	disarmed, masked, cause, unsent bool
	events                          int // since it fired
	age                             int // cycles since the first of them
	count, time                     int // INT_MODERATION
}

// step ends a cycle in which the vector saw coming events and these writes;
// sent says whether an interrupt goes out in the next.
func (v *vector) step(coming int, arm, clear bool) (sent bool) {
	fires := !v.disarmed && v.events > 0 && (v.events >= max(v.count, 1) || v.age >= 16*v.time)
	if clear {
		v.cause, v.unsent = false, false
	}
	if arm {
		v.disarmed = false
	}
	if v.events > 0 {
		v.age++
	}
	if fires {
		v.cause, v.unsent, v.disarmed = true, true, true
		v.events, v.age = 0, 0
	}
	v.events += coming
	if v.unsent && !v.masked {
		v.unsent = false
		return true
	}
	return false
}

func TestRandomAgainstModel(t *testing.T) {
	const cycles = 60000
	for _, vectors := range []int{1, 8, 32} {
		exe := build(t, vectors)
		for seed := range int64(4) {
			r := rand.New(rand.NewSource(seed))
			model := make([]vector, vectors)
			for i := range model {
				model[i].masked = true
			}
			var script, want bytes.Buffer
			var cause, sent uint32
			fired := 0
			for cycle := range cycles {
				if sent != 0 {
					fmt.Fprintf(&want, "%d irq %d\n", cycle, sent)
					fired++
				}
				var now uint32
				for i := range model {
					if model[i].cause {
						now |= 1 << i
					}
				}
				if now != cause {
					fmt.Fprintf(&want, "%d cause %d\n", cycle, now)
					cause = now
				}

				coming := make([]int, vectors)
				var arm, clear uint32
				bits := func() uint32 { return r.Uint32() & r.Uint32() & uint32(1<<vectors-1) }
				for _, ring := range []string{"tx", "rx"} {
					if r.Intn(8) == 0 {
						v, n := r.Intn(min(vectors+2, 32)), 1+r.Intn(4)
						fmt.Fprintf(&script, "%d %s %d %d\n", cycle, ring, v, n)
						if v < vectors {
							coming[v] += n
						}
					}
				}
				if r.Intn(12) == 0 { // the control processor
					v := r.Intn(min(vectors+2, 32))
					fmt.Fprintf(&script, "%d cp %d\n", cycle, v)
					if v < vectors {
						coming[v]++
					}
				}
				if r.Intn(40) == 0 {
					set := bits()
					fmt.Fprintf(&script, "%d set %d\n", cycle, set)
					for i := range coming {
						coming[i] += int(set >> i & 1)
					}
				}
				if r.Intn(30) == 0 {
					arm = bits()
					fmt.Fprintf(&script, "%d arm %d\n", cycle, arm)
				}
				if r.Intn(30) == 0 {
					clear = bits()
					fmt.Fprintf(&script, "%d clear %d\n", cycle, clear)
				}
				if r.Intn(50) == 0 {
					mask := bits()
					fmt.Fprintf(&script, "%d mask %d\n", cycle, mask)
					for i := range model {
						model[i].masked = mask>>i&1 != 0
					}
				}
				if r.Intn(500) == 0 {
					v := r.Intn(vectors)
					model[v].count, model[v].time = r.Intn(20), r.Intn(30)
					fmt.Fprintf(&script, "%d mod %d %d %d\n", cycle, v, model[v].count, model[v].time)
				}
				sent = 0
				for i := range model {
					if model[i].step(coming[i], arm>>i&1 != 0, clear>>i&1 != 0) {
						sent |= 1 << i
					}
				}
			}
			fmt.Fprintf(&script, "%d end\n", cycles)
			got := bench.Run(t, exe, script.Bytes())
			if !bytes.Equal(got, want.Bytes()) {
				t.Fatalf("%d vectors, seed %d: %s", vectors, seed, firstDifference(got, want.Bytes()))
			}
			if fired < 100 {
				t.Errorf("%d vectors, seed %d: only %d interrupts", vectors, seed, fired)
			}
		}
	}
}

func firstDifference(got, want []byte) string {
	g, w := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return fmt.Sprintf("line %d is %q, expected %q", i, g[i], w[i])
		}
	}
	return fmt.Sprintf("%d lines, expected %d", len(g), len(w))
}
