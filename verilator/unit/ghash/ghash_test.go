// SPDX-License-Identifier: Apache-2.0

// Package ghash tests espalier_ghash against the definition of GHASH in
// SP 800-38D, sections 6.3 and 6.4, one bit at a time.
package ghash

import (
	"bytes"
	"encoding/binary"
	"math/rand"
	"strconv"
	"strings"
	"testing"

	"github.com/espalier-nic/espalier/verilator/unit/bench"
	"github.com/espalier-nic/espalier/verilator/unit/gcmref"
)

const (
	numSA   = 32
	powers  = 4
	latency = 4 // from a message's last block to its hash
)

func unit(fast bool, sa int) bench.Unit {
	return bench.Unit{
		Name:  "ghash",
		Top:   "espalier_ghash",
		Bench: "testdata/tb.cpp",
		Sources: []string{
			"rtl/espalier_ram_sdp.sv", "rtl/espalier_gf128_mul.sv", "rtl/espalier_ghash.sv",
		},
		Params: map[string]string{"NUM_SA": strconv.Itoa(sa)},
		Fast:   fast,
	}
}

// A command of one cycle; see testdata/tb.cpp.
type command [24]byte

type expectation struct {
	cycle uint64
	hash  gcmref.Block
}

// stream collects commands and what they must give.
type stream struct {
	rng  *rand.Rand
	in   []command
	want []expectation
	keys [numSA]gcmref.Block
}

func newStream(seed int64) *stream {
	s := &stream{rng: rand.New(rand.NewSource(seed))}
	for slot := range s.keys {
		s.rng.Read(s.keys[slot][:])
		p := s.keys[slot]
		for n := range powers {
			s.add(1, byte(n), slot, false, p)
			p = gcmref.Times(p, s.keys[slot])
		}
	}
	return s
}

func (s *stream) add(op, number byte, slot int, first bool, data gcmref.Block) {
	var c command
	c[0], c[1] = op, number
	binary.LittleEndian.PutUint16(c[2:], uint16(slot))
	if first {
		c[4] = 1
	}
	copy(c[8:], data[:])
	s.in = append(s.in, c)
}

// message adds n blocks, of which only the first sent are presented, with
// idle cycles between them with the given probability in percent.
func (s *stream) message(n, sent, gapPercent int) {
	slot := s.rng.Intn(numSA)
	blocks := make([]gcmref.Block, n)
	for i := range blocks {
		s.rng.Read(blocks[i][:])
		if i >= sent {
			continue
		}
		for s.rng.Intn(100) < gapPercent {
			s.in = append(s.in, command{})
		}
		s.add(2, byte(min(n-i, powers+1)), slot, i == 0, blocks[i])
	}
	if sent == n {
		s.want = append(s.want, expectation{uint64(len(s.in) - 1 + latency), gcmref.Hash(s.keys[slot], blocks)})
	}
}

func (s *stream) check(t *testing.T, exe string) {
	t.Helper()
	s.in = append(s.in, make([]command, latency+1)...)
	var stdin bytes.Buffer
	for _, c := range s.in {
		stdin.Write(c[:])
	}
	out := bench.Run(t, exe, stdin.Bytes())
	if len(out) != 24*len(s.want) {
		t.Fatalf("%d hashes, want %d", len(out)/24, len(s.want))
	}
	for i, w := range s.want {
		cycle := binary.LittleEndian.Uint64(out[24*i:])
		if got := out[24*i+8:][:16]; cycle != w.cycle || !bytes.Equal(got, w.hash[:]) {
			t.Fatalf("hash %d: got %x in cycle %d, want %x in cycle %d", i, got, cycle, w.hash, w.cycle)
		}
	}
}

func TestAgainstDefinition(t *testing.T) {
	exe := bench.Build(t, unit(false, numSA))
	for _, gap := range []int{0, 10, 60} {
		s := newStream(int64(gap))
		for n := 1; n <= 40; n++ {
			s.message(n, n, gap)
		}
		for range 400 {
			n := 1 + s.rng.Intn(12)
			s.message(n, n, gap)
		}
		s.message(600, 600, gap)
		s.check(t, exe)
	}
}

// A message that stops early gives no hash and does not disturb the next.
func TestAbandonedMessage(t *testing.T) {
	exe := bench.Build(t, unit(false, numSA))
	s := newStream(9)
	for range 500 {
		n := 2 + s.rng.Intn(12)
		s.message(n, 1+s.rng.Intn(n-1), 5)
		m := 1 + s.rng.Intn(12)
		s.message(m, m, 5)
	}
	s.check(t, exe)
}

// A write of power 255 is one of all powers, for its slot alone.
func TestAllPowers(t *testing.T) {
	exe := bench.Build(t, unit(false, numSA))
	s := newStream(4)
	s.add(1, 255, 2, false, gcmref.Block{})
	s.keys[2] = gcmref.Block{}
	for range 300 {
		n := 1 + s.rng.Intn(12)
		s.message(n, n, 0)
	}
	s.check(t, exe)
}

// BenchmarkSimulation measures simulated cycles per second of the unit alone.
func BenchmarkSimulation(b *testing.B) {
	exe := bench.Build(b, unit(true, 1024))
	for b.Loop() {
		out := bench.Run(b, exe, nil, "speed", "2000000")
		v, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(v, "cycles/s")
	}
}
