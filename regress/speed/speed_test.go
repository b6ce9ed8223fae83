// SPDX-License-Identifier: Apache-2.0

package speed

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/espalier-nic/espalier/hwmodel/esp"
)

// TestSizes compares with lengths worked out by hand: inner frames with FCS,
// ESP in an IPv4 tunnel, AES-GCM with a 16-byte ICV, padding to 4 bytes.
func TestSizes(t *testing.T) {
	for _, want := range []struct {
		size                   frameSize
		payload, length, floor int
	}{
		{64, 48, 114, 9}, {128, 112, 178, 13}, {256, 240, 306, 21}, {512, 496, 562, 37},
		{594, 580, 646, 42}, {1024, 1008, 1074, 69}, {1518, 1504, 1570, 100}, {9018, 9004, 9070, 568},
	} {
		if p, n, f := want.size.payload(), want.size.length(), want.size.floor(); p != want.payload || n != want.length || f != want.floor {
			t.Errorf("%d: payload %d, frame %d, floor %d, want %+v", want.size, p, n, f, want)
		}
	}
	var imix Mix
	for _, m := range Mixes() {
		if m.Name == "IMIX" {
			imix = m
		}
	}
	count := map[frameSize]int{}
	for _, s := range imix.sizes {
		count[s]++
	}
	if count[64] != 7 || count[594] != 4 || count[1518] != 1 || len(count) != 3 {
		t.Errorf("IMIX is %v, want 7:4:1", count)
	}
	if want := (7*9 + 4*42 + 100) / 12.0; imix.meanFloor() != want {
		t.Errorf("IMIX has a mean floor of %v, want %v", imix.meanFloor(), want)
	}
}

// TestFramesAreGood has the golden model open what the benchmark makes up.
func TestFramesAreGood(t *testing.T) {
	for _, m := range Mixes() {
		for _, size := range m.sizes {
			a, _, frame, err := goldenSetup(size)
			if err != nil {
				t.Fatal(err)
			}
			out, v := esp.Open(nil, frame, func(s *esp.Selector) *esp.SA { return a.model })
			if v.Class != esp.Decrypted || v.NextHeader != esp.ProtocolIPv4 || v.Payload != size.payload() {
				t.Errorf("%d: %+v", size, v)
			}
			if inner := v.Payload - esp.TrailerLen - int(v.PadLength); inner != int(size)-18 {
				t.Errorf("%d: inner packet of %d bytes", size, inner)
			}
			for i := range int(v.PadLength) {
				if at := out[len(out)-esp.ICVLen-esp.TrailerLen-int(v.PadLength)+i]; int(at) != i+1 {
					t.Errorf("%d: padding byte %d is %d", size, i, at)
				}
			}
		}
	}
}

func TestWindow(t *testing.T) {
	// Two queues: one in batches of 2 every 20 cycles, one in singles every 20.
	var stamps []stamp
	for c := uint64(100); c <= 400; c += 20 {
		stamps = append(stamps, stamp{c, 5, 0}, stamp{c, 7, 0}, stamp{c + 3, 12, 1})
	}
	for _, w := range []struct{ from, to uint64 }{{100, 400}, {117, 388}, {121, 380}, {0, 1000}} {
		cycles, floor, frames := window(stamps, w.from, w.to)
		if math.Abs(cycles-20.0/3) > 1e-12 || math.Abs(floor-8) > 0.2 || frames < 30 {
			t.Errorf("%+v: %v cycles, floor %v, %d frames; want 20/3 cycles and a floor near 8", w, cycles, floor, frames)
		}
	}
	if _, _, frames := window(stamps, 401, 402); frames != 0 {
		t.Errorf("%d frames in an empty window", frames)
	}
}

func TestCompareTables(t *testing.T) {
	one := Rate{Inner: "64", Traffic: Both, Direction: SendOnly, Load: OneSA, Memory: 40, Cycles: 10}
	rates := []Rate{one, one, one, one}
	rates[1].Load, rates[1].Cycles = FullTable, 10.09
	rates[2].Load, rates[2].Cycles, rates[2].Memory = FullTable, 10.09, 200
	rates[3].Load, rates[3].Cycles = FullTable, 10.11
	compareTables(rates)
	for i, want := range []Verdict{"", Met, "", Missed} {
		if rates[i].SteadyVerdict != want {
			t.Errorf("%d: verdict %q on %v, want %q", i, rates[i].SteadyVerdict, rates[i].Steady, want)
		}
	}
}

func TestParseSections(t *testing.T) {
	if all, err := ParseSections(nil); err != nil || len(all) != 7 {
		t.Errorf("%v, %v", all, err)
	}
	if two, err := ParseSections([]string{"sa", "golden"}); err != nil || len(two) != 2 || two[0] != SA {
		t.Errorf("%v, %v", two, err)
	}
	_, err := ParseSections([]string{"goldne"})
	if err == nil || !strings.Contains(err.Error(), `"goldne", nearest is "golden"`) {
		t.Errorf("error %v", err)
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 2, 9}, 3}} {
		if got := median(c.values); got != c.want {
			t.Errorf("median of %v is %v", c.values, got)
		}
	}
}

// TestSectionsWithoutRTL measures what needs no simulator. What comes out
// differs from machine to machine and, with the race detector, in allocations.
func TestSectionsWithoutRTL(t *testing.T) {
	report, err := Run(context.Background(), Options{Sections: []Section{Golden, Driver}, Quick: true})
	if err != nil {
		t.Fatal(err)
	}
	if !report.Complete || len(report.Golden) != 14 || len(report.Driver) != 4 || report.Rates != nil {
		t.Errorf("%+v", report)
	}
	for _, g := range report.Golden {
		if g.Model <= 0 || g.AEAD <= 0 || g.Ratio <= 0 || g.Ratio > 1.5 {
			t.Errorf("%+v", g)
		}
	}
	for _, d := range report.Driver {
		if d.Nanoseconds <= 0 || d.Allocations < 0 || d.Batch != driverBatch || d.Verdict == "" {
			t.Errorf("%+v", d)
		}
	}
	if _, err := Run(context.Background(), Options{Sections: []Section{SA}}); err == nil || !strings.Contains(err.Error(), "simulator library is needed") {
		t.Errorf("without a library: %v", err)
	}
}

func TestMissed(t *testing.T) {
	r := Report{
		Rates:    []Rate{{Verdict: Missed, SteadyVerdict: Missed}, {Verdict: Met}},
		Installs: []Install{{Verdict: Missed}},
		Sim:      &SimulatorSpeed{RateVerdict: Missed, RatioVerdict: Met},
		Golden:   []GoldenSpeed{{Verdict: Missed}},
		Driver:   []DriverSpeed{{Verdict: Missed}},
	}
	if n := r.Missed(); n != 6 {
		t.Errorf("%d figures miss their goal, want 6", n)
	}
}
