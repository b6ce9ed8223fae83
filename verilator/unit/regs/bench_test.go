// SPDX-License-Identifier: Apache-2.0

// Package regs tests the generated register block espalier_regs.
package regs

import (
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/espalier-nic/espalier/verilator/unit/bench"
)

// AXI responses.
const (
	okay   = 0
	decErr = 3
)

// script is a list of commands for the bench; testdata/tb.cpp describes them.
type script struct{ strings.Builder }

func (s *script) add(format string, args ...any) {
	fmt.Fprintf(s, format+"\n", args...)
}

// write is a write of a whole word that is answered before the script goes on.
func (s *script) write(addr, data uint32) { s.writeBytes(addr, data, 0xf) }

func (s *script) writeBytes(addr, data uint32, strobes int) {
	s.add("w %x %x %x 0 0 0", addr, data, strobes)
	s.add("wait")
}

func (s *script) read(addr uint32) {
	s.add("r %x 0 0", addr)
	s.add("wait")
}

func (s *script) set(port string, value any) {
	s.add("set %s %x", port, value)
}

func (s *script) tick(n int) { s.add("tick %x", n) }
func (s *script) show()      { s.add("show") }

// access is the answer to a read or a write.
type access struct {
	write       bool
	first, done int // cycles: request taken, response taken
	resp        int
	data        uint32 // of a read
}

// event is an event output that was not 0 in a cycle.
type event struct {
	cycle int
	port  string
	value uint32
}

// external is an access that the unit on the register bus answered.
type external struct {
	write      bool
	addr, data uint32
	strobes    uint32
}

// report is what the bench said, each kind in its order.
type report struct {
	accesses  []access
	reads     []uint32 // data of the reads
	events    []event
	externals []external
	shown     []map[string]*big.Int // outputs at each show
}

func run(t *testing.T, s *script, args ...string) report {
	t.Helper()
	exe := bench.Build(t, bench.Unit{
		Name:    "regs",
		Top:     "espalier_regs",
		Bench:   "testdata/tb.cpp",
		Sources: []string{"rtl/espalier_regs.sv"},
	})
	if len(args) == 0 {
		args = []string{"1", "3"}
	}
	return parse(t, string(bench.Run(t, exe, []byte(s.String()), args...)))
}

func parse(t *testing.T, text string) report {
	t.Helper()
	var r report
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		scan := func(format string, into ...any) {
			if _, err := fmt.Sscanf(line, format, into...); err != nil {
				t.Fatalf("the bench said %q: %v", line, err)
			}
		}
		switch line[0] {
		case 'B':
			a := access{write: true}
			scan("B %d %d %x", &a.first, &a.done, &a.resp)
			r.accesses = append(r.accesses, a)
		case 'R':
			var a access
			scan("R %d %d %x %x", &a.first, &a.done, &a.resp, &a.data)
			r.accesses = append(r.accesses, a)
			r.reads = append(r.reads, a.data)
		case 'X':
			var x external
			var direction string
			scan("X %s %x %x %x", &direction, &x.addr, &x.data, &x.strobes)
			x.write = direction == "w"
			r.externals = append(r.externals, x)
		case 'E':
			var e event
			scan("E %d %s %x", &e.cycle, &e.port, &e.value)
			r.events = append(r.events, e)
		case 'S':
			r.shown = append(r.shown, map[string]*big.Int{})
		case 'O':
			var port, digits string
			scan("O %s %s", &port, &digits)
			value, ok := new(big.Int).SetString(digits, 16)
			if !ok {
				t.Fatalf("the bench said %q", line)
			}
			r.shown[len(r.shown)-1][port] = value
		default:
			t.Fatalf("the bench said %q", line)
		}
	}
	return r
}

// expectReads compares the data of the reads.
func (r *report) expectReads(t *testing.T, want ...uint32) {
	t.Helper()
	if len(r.reads) != len(want) {
		t.Fatalf("%d reads, want %d", len(r.reads), len(want))
	}
	for i := range want {
		if r.reads[i] != want[i] {
			t.Errorf("read %d gave %#x, want %#x", i, r.reads[i], want[i])
		}
	}
}

// expectEvents compares ports and values of the events, each of one cycle.
func (r *report) expectEvents(t *testing.T, want ...event) {
	t.Helper()
	if len(r.events) != len(want) {
		t.Fatalf("events %+v, want %+v", r.events, want)
	}
	for i := range want {
		if r.events[i].port != want[i].port || r.events[i].value != want[i].value {
			t.Errorf("event %d is %+v, want %+v", i, r.events[i], want[i])
		}
	}
}
