// SPDX-License-Identifier: Apache-2.0

package crypt

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/espalier-nic/espalier/verilator/unit/bench"
)

// span returns the cycles from the first to the last of some events, both
// included.
func span(results []result, first, last func(result) uint64) uint64 {
	return last(results[len(results)-1]) - first(results[0]) + 1
}

func spanIn(r []result) uint64 {
	return span(r, func(r result) uint64 { return r.firstIn }, func(r result) uint64 { return r.lastIn })
}

func spanOut(r []result) uint64 {
	return span(r, func(r result) uint64 { return r.firstOut }, func(r result) uint64 { return r.lastOut })
}

func beats(size int) int { return (size + beatBytes - 1) / beatBytes }

// floor is the number of cycles that a frame cannot go below: its beats on the
// bus, and its n + 2 GHASH blocks.
func (f *frame) floor() int {
	floor := beats(f.skip + len(f.data))
	if f.crypt {
		floor = max(floor, beats(f.plen)+2)
	}
	return floor
}

// Back-to-back frames of one size take the same number of cycles whether they
// are of one SA or of many, and at most one more than the floor each.
func TestCyclesPerFrame(t *testing.T) {
	directions(t, func(t *testing.T, decrypt bool, exe string) {
		for _, c := range []struct{ espoff, plen, skip, limit int }{
			{34, 48, 0, 9},  // inner frame of 64 bytes in an IPv4 tunnel: 114 bytes
			{40, 52, 12, 9}, // the beat that skipping empties hides the tail's spill: 9 beats on the bus, 9 cycles
			{34, 4, 0, 0}, {34, 112, 0, 0}, {34, 240, 0, 0}, {34, 1008, 0, 0}, {34, 1504, 0, 0}, {34, 9004, 0, 0},
			{54, 48, 0, 0}, {54, 1504, 0, 0}, {42, 48, 0, 0}, {37, 60, 0, 0}, {120, 4, 0, 0}, {34, 48, 2, 0}, {34, 48, 15, 0},
		} {
			const frames = 60
			var spans [2][2]uint64 // one SA or many; in, out
			for many := range 2 {
				tr := newTraffic(int64(c.plen))
				floor := 0
				for range frames {
					f := tr.espOf(decrypt, shape{espoff: c.espoff, plen: c.plen, skip: c.skip}, many*tr.rng.Intn(numSA))
					floor += f.floor()
					tr.add(f)
				}
				r := tr.run(t, exe, 1, fullSpeed)
				spans[many] = [2]uint64{spanIn(r), spanOut(r)}
				limit := floor + frames
				if c.limit != 0 {
					limit = c.limit * frames
				}
				for i, name := range []string{"in", "out"} {
					if spans[many][i] > uint64(limit) {
						t.Errorf("ESP at %d, P %d, skip %d: %d frames %s take %d cycles, limit %d", c.espoff, c.plen, c.skip, frames, name, spans[many][i], limit)
					}
				}
			}
			if spans[0] != spans[1] {
				t.Errorf("ESP at %d, P %d, skip %d: cycles in and out are %v for one SA, %v for many", c.espoff, c.plen, c.skip, spans[0], spans[1])
			}
			t.Logf("ESP at %d, P %d, skip %d: %.3f cycles per frame", c.espoff, c.plen, c.skip, float64(spans[0][0])/frames)
		}
	})
}

// Any mix of sizes, alignments and SAs goes in, and comes out, within one cycle
// of the floor on average. What comes out is later by the pipeline and by the
// longest frame, because frames are stored whole.
func TestCyclesOfMixedFrames(t *testing.T) {
	directions(t, func(t *testing.T, decrypt bool, exe string) {
		tr := newTraffic(77)
		limit, longest := 0, 0
		for range 600 {
			var f frame
			if tr.rng.Intn(5) == 0 {
				f = tr.plain(14+tr.rng.Intn(300), 0)
			} else {
				f = tr.esp(decrypt, tr.shapeOf(decrypt))
			}
			limit += f.floor() + 1
			longest = max(longest, f.floor()+1)
			tr.add(f)
		}
		r := tr.run(t, exe, 1, fullSpeed)
		if got := spanIn(r); got > uint64(limit) {
			t.Errorf("%d frames take %d cycles, limit %d", len(r), got, limit)
		}
		const pipeline = 40 // 23 cycles to the result, and the way out of the buffer
		if got := r[len(r)-1].lastOut - r[0].firstIn; got > uint64(limit+pipeline+longest) {
			t.Errorf("%d frames are out after %d cycles, limit %d", len(r), got, limit+pipeline+longest)
		}
	})
}

// The time from a packet's last beat to its result depends on nothing secret:
// not on key, key length or data, and not on whether the ICV is right.
func TestConstantTime(t *testing.T) {
	exe := build(t, true, false)
	latency := map[uint64]int{}
	for i := range 40 {
		tr := newTraffic(int64(1000 + i))
		f := tr.esp(true, shape{espoff: 34, plen: 200})
		if i%2 == 1 {
			f.data[f.espoff+espHeader+f.plen+i%icvSize] ^= byte(1 << (i % 8))
			f.status, f.out = statusAuth, f.data
		}
		tr.add(f)
		r := tr.run(t, exe, 1, fullSpeed)[0]
		latency[r.taken-r.lastIn]++
	}
	if len(latency) != 1 {
		t.Errorf("cycles from last beat to result, and how often: %v", latency)
	}
	for cycles := range latency {
		t.Logf("%d cycles from last beat in to result", cycles)
	}
}

// BenchmarkSimulation measures simulated cycles per second of one unit alone
// under back-to-back traffic, with the flags of a speed build.
func BenchmarkSimulation(b *testing.B) {
	for _, decrypt := range []bool{false, true} {
		for _, plen := range []int{48, 1504} {
			b.Run(fmt.Sprintf("decrypt=%v/P=%d", decrypt, plen), func(b *testing.B) {
				exe := build(b, decrypt, true)
				tr := newTraffic(7)
				for range 64 {
					tr.add(tr.esp(decrypt, shape{espoff: 34, plen: plen}))
				}
				in := tr.input()
				for b.Loop() {
					out := strings.Fields(string(bench.Run(b, exe, in, "speed", "1000000")))
					for i, unit := range []string{"cycles/s", "beats/cycle"} {
						v, err := strconv.ParseFloat(out[i], 64)
						if err != nil {
							b.Fatal(err)
						}
						b.ReportMetric(v, unit)
					}
				}
			})
		}
	}
}
