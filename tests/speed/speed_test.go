// SPDX-License-Identifier: Apache-2.0

// Package speed holds the simulated NIC to its goals in clock cycles, and the
// driver to allocating nothing. These figures are exact, so a test may assert
// them; `make bench` measures more of them, and for longer.
package speed

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/espalier-nic/espalier/regress/speed"
	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
	"github.com/espalier-nic/espalier/verilator/simbuild"
)

// library loads the simulator that `make sim` builds.
func library(t *testing.T) speed.Target {
	t.Helper()
	path := filepath.Join("..", "..", "build", "sim", "libespalier_sim.so")
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("no simulator library: %v; `make sim` builds it", err)
	}
	lib, err := rtlbridge.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	target, err := speed.NewTarget(lib)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// window is the same NIC without a control processor.
func window(t *testing.T) speed.Target {
	t.Helper()
	lib, err := rtlbridge.Load(simbuild.Library(t, simbuild.Design{Name: "window", Params: []string{"CONTROL_PROCESSOR=0"}}))
	if err != nil {
		t.Fatal(err)
	}
	return speed.Target{Library: lib}
}

// cases are those of the benchmark whose mix is named, with a short window.
func cases(memory uint64, load speed.Load, mixes ...string) []speed.RateCase {
	var list []speed.RateCase
	for _, c := range speed.AllRates(true) {
		if c.Memory == memory && c.Load == load && slices.Contains(mixes, c.Mix.Name) {
			list = append(list, c)
		}
	}
	return list
}

func TestCyclesPerPacket(t *testing.T) {
	lib := library(t)
	small := []string{"64", "128", "256", "512", "1024", "1518", "IMIX"}
	list := slices.Concat(
		cases(40, speed.OneSA, append(small, "9018")...), cases(40, speed.FullTable, small...),
		cases(200, speed.FullTableAll, "64", "128", "256", "1024", "1518", "IMIX"), cases(200, speed.OneSA, small...),
	)
	rates, err := speed.MeasureRates(context.Background(), lib, list, func(what string) { t.Log(what) })
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, r := range rates {
		if !(r.Ratio <= r.Goal) {
			t.Errorf("%s, %s, inner %s, %+v, memory latency %d: %.3f cycles per packet, %.3f of the floor, at most %.3f is allowed",
				r.Traffic, r.Direction, r.Inner, r.Load, r.Memory, r.Cycles, r.Ratio, r.Goal)
		}
		if r.SteadyVerdict != "" {
			compared++
			if r.SteadyVerdict != speed.Met {
				t.Errorf("%s, %s, inner %s: a full SA table takes %.4f of the cycles of one SA", r.Traffic, r.Direction, r.Inner, r.Steady)
			}
		}
		// What is faster than the floor was not measured in its steady state.
		if r.Ratio < 0.99 {
			t.Errorf("%s, %s, inner %s, %+v, memory latency %d: %.3f cycles per packet are below the floor of %.3f", r.Traffic, r.Direction, r.Inner, r.Load, r.Memory, r.Cycles, r.Floor)
		}
	}
	if want := len(small) * 4; compared != want {
		t.Errorf("%d flows were compared between one SA and a full table, want %d", compared, want)
	}
}

// TestFiguresRepeat: the same measurement gives the same figures, to the last bit.
func TestFiguresRepeat(t *testing.T) {
	lib := library(t)
	list := cases(40, speed.OneSA, "64", "IMIX")
	var first []speed.Rate
	for i := range 2 {
		rates, err := speed.MeasureRates(context.Background(), lib, list, func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = rates
		} else if !reflect.DeepEqual(first, rates) {
			t.Errorf("first\n%+v\nthen\n%+v", first, rates)
		}
	}
}

// TestInstall holds SA installation to its goal, and to what it takes today.
func TestInstall(t *testing.T) {
	list, err := speed.MeasureInstalls(context.Background(), window(t))
	if err != nil {
		t.Fatal(err)
	}
	cycles := map[int]uint64{128: 105, 192: 113, 256: 121}
	// SPI, salt, key, handle, command, and the words in which the addresses
	// differ from those of the SA before: one of each over IPv4, two over IPv6.
	writes := map[int]int{128: 8, 192: 10, 256: 12}
	addresses := map[string]int{"IPv4": 2, "IPv6": 4}
	if len(list) != 12 {
		t.Errorf("%d kinds of SA, want 12", len(list))
	}
	for _, i := range list {
		if i.Cycles > i.Goal || i.Cycles > cycles[i.KeyBits] || i.Cycles == 0 {
			t.Errorf("%s, %d bits, inbound %v: %d cycles, allowed are %d and the goal is %d", i.IP, i.KeyBits, i.Inbound, i.Cycles, cycles[i.KeyBits], i.Goal)
		}
		if want := writes[i.KeyBits] + addresses[i.IP]; i.Writes != want {
			t.Errorf("%s, %d bits, inbound %v: %d register writes, want %d", i.IP, i.KeyBits, i.Inbound, i.Writes, want)
		}
	}
}

// TestControlPlane holds SA operations to their goal and the traffic beside them
// to what it takes alone.
func TestControlPlane(t *testing.T) {
	target := library(t)
	list, err := speed.MeasureControl(context.Background(), target, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range list {
		if c.Way != "mailbox" || c.Verdict != speed.Met || !(c.Cycles > 0) || c.Alone == 0 {
			t.Errorf("%+v", c)
		}
	}
	beside, err := speed.MeasureBeside(context.Background(), target, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range beside {
		if b.Verdict != speed.Met || b.Pairs < 2 {
			t.Errorf("%+v", b)
		}
	}
	if len(list) != 3 || len(beside) != 6 {
		t.Errorf("%d operations and %d flows, want 3 and 6", len(list), len(beside))
	}
}

// TestLatency checks the relations that the latencies must have by construction.
func TestLatency(t *testing.T) {
	list, err := speed.MeasureLatency(context.Background(), library(t))
	if err != nil {
		t.Fatal(err)
	}
	base := make(map[int]speed.Latency)
	for _, l := range list {
		if l.Memory == 1 {
			base[l.Inner] = l
			// A whole frame is stored on the way, and little more.
			for name, cycles := range map[string]uint64{"send": l.Send, "receive": l.Receive} {
				if cycles < uint64(l.Beats) || cycles > uint64(l.Beats)+80 {
					t.Errorf("inner %d: %s takes %d cycles for %d beats", l.Inner, name, cycles, l.Beats)
				}
			}
			continue
		}
		// Two reads, no write, two writes of host memory.
		near, more := base[l.Inner], l.Memory-1
		if l.Send != near.Send+2*more || l.Receive != near.Receive || l.Completion != near.Completion+2*more {
			t.Errorf("inner %d: %+v at memory latency %d, %+v at 1", l.Inner, l, l.Memory, near)
		}
	}
	if len(base) != 7 || len(list) != 21 {
		t.Errorf("%d latencies of %d sizes, want 21 of 7", len(list), len(base))
	}
}

// TestBareLoopMustDoTheSame: a bare loop of another design, or one that was given
// other inputs, is not compared with.
func TestBareLoopMustDoTheSame(t *testing.T) {
	lib := library(t)
	for name, c := range map[string]struct{ script, want string }{
		"other cycles": {`echo '{"cycles":100000,"mac_beats":2,"seconds":0.5}'`, "the bare loop 100000 and 2: not the same design or not the same inputs"},
		"no result":    {`echo nothing`, "is not JSON"},
		"no time":      {`echo '{"cycles":1,"mac_beats":2,"seconds":0}'`, "it took 0 seconds"},
		"failure":      {`echo broken >&2; exit 3`, "exit status 3: broken"},
	} {
		t.Run(name, func(t *testing.T) {
			bare := filepath.Join(t.TempDir(), "bare")
			if err := os.WriteFile(bare, []byte("#!/bin/sh\n"+c.script+"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			_, err := speed.MeasureSimulator(context.Background(), lib, bare, true)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// TestDriverAllocatesNothing: no allocation per packet, sent or received.
func TestDriverAllocatesNothing(t *testing.T) {
	list, err := speed.MeasureDriver(context.Background(), true)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 4 {
		t.Errorf("%d figures, want 4", len(list))
	}
	for _, d := range list {
		if d.Verdict != speed.Met {
			t.Errorf("%s, inner %d: %v allocations per packet", d.Operation, d.Inner, d.Allocations)
		}
	}
}
