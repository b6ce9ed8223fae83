// SPDX-License-Identifier: Apache-2.0

// Package tx tests espalier_tx: scheduling, checks, frame reads and
// completions, against neighbours modelled in testdata/tb.cpp.
package tx

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"github.com/espalier-nic/espalier/verilator/unit/bench"
)

const (
	queues   = 4
	maxFrame = 9600
)

// Outcomes of a descriptor, as in docs/nic-contract.md.
const (
	statusOK          = 0
	statusStaleHandle = 1
	statusBadLength   = 2
	statusBadOffset   = 3
	statusDMARead     = 4
	statusOffloadOff  = 6
)

type sa struct {
	keylen, esn uint32
	esnHi, salt uint32
}

type descriptor struct {
	queue          int
	addr           uint64
	length, offset int
	ipsec, report  bool
	esnLSB         uint32
	handle         uint32
}

type scenario struct {
	settings map[string]int
	sas      map[uint32]sa
	faults   []uint64
	descs    []descriptor
}

// outcome is what the bench saw.
type outcome struct {
	pops, metas, frames []string
	cpls                [queues][]string // "index record write"
	end                 map[string]int
}

func build(t testing.TB) string {
	return bench.Build(t, bench.Unit{
		Name:  "tx",
		Top:   "espalier_tx",
		Bench: "testdata/tb.cpp",
		Sources: []string{"rtl/espalier_pkg.sv", "rtl/espalier_regs_pkg.sv", "rtl/espalier_fifo.sv", "rtl/espalier_fifo_ram.sv",
			"rtl/espalier_ram_sdp.sv", "rtl/espalier_tx_fetch.sv", "rtl/espalier_tx.sv"},
	})
}

func run(t testing.TB, s scenario) outcome {
	t.Helper()
	var in bytes.Buffer
	for name, v := range s.settings {
		fmt.Fprintf(&in, "set %s %d\n", name, v)
	}
	for handle, sa := range s.sas {
		fmt.Fprintf(&in, "sa %d %d %d %d %d\n", handle, sa.keylen, sa.esn, sa.esnHi, sa.salt)
	}
	for _, a := range s.faults {
		fmt.Fprintf(&in, "fault %d\n", a)
	}
	for _, d := range s.descs {
		fmt.Fprintf(&in, "desc %d %d %d %d %d %d %d %d\n", d.queue, d.addr, d.length, d.offset, bit(d.ipsec), bit(d.report),
			d.esnLSB, d.handle)
	}
	out := outcome{end: map[string]int{}}
	lines := bufio.NewScanner(bytes.NewReader(bench.Run(t, build(t), in.Bytes())))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		kind, rest, _ := strings.Cut(lines.Text(), " ")
		switch kind {
		case "pop":
			out.pops = append(out.pops, rest)
		case "meta":
			out.metas = append(out.metas, rest)
		case "frame":
			out.frames = append(out.frames, rest)
		case "cpl":
			var q int
			fmt.Sscan(rest, &q)
			_, rest, _ = strings.Cut(rest, " ")
			out.cpls[q] = append(out.cpls[q], rest)
		case "end":
			f := strings.Fields(rest)
			for i := 0; i < len(f); i += 2 {
				var v int
				fmt.Sscan(f[i+1], &v)
				out.end[f[i]] = v
			}
		default:
			t.Fatalf("the bench wrote %q", lines.Text())
		}
	}
	return out
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

func memory(addr uint64, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		a := addr + uint64(i)
		b[i] = byte(a*167 + (a>>8)*29 + (a>>16)*3)
	}
	return b
}

// judge gives the outcome of the checks that docs/nic-contract.md lists, in
// its order, and P.
func judge(s scenario, d descriptor) (status, plen int) {
	if d.length < 14 || d.length > maxFrame {
		return statusBadLength, 0
	}
	if !d.ipsec {
		return statusOK, 0
	}
	if s.settings["ipsec"] == 0 {
		return statusOffloadOff, 0
	}
	if _, ok := s.sas[d.handle]; !ok {
		return statusStaleHandle, 0
	}
	if d.offset < 34 {
		return statusBadOffset, 0
	}
	plen = d.length - d.offset - 32
	if plen < 4 || plen%4 != 0 {
		return statusBadLength, 0
	}
	return statusOK, plen
}

func faulty(s scenario, d descriptor) bool {
	for _, f := range s.faults {
		if f/16 >= d.addr/16 && f/16 <= (d.addr+uint64(d.length)-1)/16 {
			return true
		}
	}
	return false
}

// check compares an outcome with what the contract says. Frames of different
// queues may interleave in any order that the pops show; within a queue the
// order is the descriptors'.
func check(t *testing.T, s scenario, out outcome) {
	t.Helper()
	var perQueue [queues][]descriptor
	for _, d := range s.descs {
		perQueue[d.queue] = append(perQueue[d.queue], d)
	}
	var next [queues]int
	var metas, frames []string
	var cpls [queues][]string
	want := map[string]int{}
	for _, p := range out.pops {
		var q int
		fmt.Sscan(p, &q)
		if next[q] == len(perQueue[q]) {
			t.Fatalf("queue %d: more pops than descriptors", q)
		}
		d := perQueue[q][next[q]]
		status, plen := judge(s, d)
		if status == statusOK {
			if d.ipsec {
				want["uses"]++
				want["dones"]++
				sa := s.sas[d.handle]
				hi := uint32(0)
				if sa.esn == 1 {
					hi = sa.esnHi
					if hi&1 != d.esnLSB {
						hi--
					}
				}
				metas = append(metas, fmt.Sprintf("1 %d %d %d %d %d %d %d", d.handle&0x3ff, sa.keylen, sa.esn, hi, sa.salt, d.offset, plen))
			} else {
				metas = append(metas, "0")
			}
			bad := faulty(s, d)
			if bad {
				status = statusDMARead
			}
			frames = append(frames, fmt.Sprintf("%d %s", bit(bad), hex.EncodeToString(memory(d.addr, d.length))))
		}
		switch status {
		case statusOK:
			if d.ipsec {
				want["esp"]++
			}
		case statusStaleHandle:
			want["err_handle"]++
		case statusDMARead:
			want["err_dma"]++
		default:
			want["err_desc"]++
		}
		var record [16]byte
		binary.LittleEndian.PutUint16(record[0:], uint16(d.length))
		if d.ipsec {
			binary.LittleEndian.PutUint32(record[4:], d.handle)
		}
		record[15] = byte(status)
		for i, j := 0, 15; i < j; i, j = i+1, j-1 { // the bench prints the most significant byte first
			record[i], record[j] = record[j], record[i]
		}
		cpls[q] = append(cpls[q], fmt.Sprintf("%d %s %d", next[q], hex.EncodeToString(record[:]), bit(d.report || status != statusOK)))
		next[q]++
	}
	compare(t, "description", out.metas, metas)
	compare(t, "frame", out.frames, frames)
	for q := range cpls {
		if next[q] != len(perQueue[q]) {
			t.Errorf("queue %d: %d of %d descriptors popped", q, next[q], len(perQueue[q]))
		}
		compare(t, fmt.Sprintf("queue %d: completion", q), out.cpls[q], cpls[q])
	}
	for _, name := range []string{"uses", "dones", "esp", "err_handle", "err_desc", "err_dma"} {
		if out.end[name] != want[name] {
			t.Errorf("%s: %d, want %d", name, out.end[name], want[name])
		}
	}
}

func compare(t *testing.T, what string, got, want []string) {
	t.Helper()
	for i := 0; i < len(got) || i < len(want); i++ {
		g, w := "none", "none"
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Errorf("%s %d:\n got %s\nwant %s", what, i, g, w)
			return
		}
	}
}

func randomScenario(rng *rand.Rand, n int) scenario {
	s := scenario{settings: map[string]int{
		"seed": rng.Intn(1 << 30), "latency": 1 + rng.Intn(300), "stall": []int{0, 20, 60}[rng.Intn(3)],
		"result_delay": 1 + rng.Intn(60), "ipsec": bit(rng.Intn(8) != 0),
	}, sas: map[uint32]sa{}}
	var handles []uint32
	for i := 0; i < 6; i++ {
		h := uint32(1+rng.Intn(0xffff))<<16 | uint32(rng.Intn(1024))
		handles = append(handles, h)
		s.sas[h] = sa{uint32(rng.Intn(3)), uint32(rng.Intn(2)), []uint32{0, 1, 2, rng.Uint32()}[rng.Intn(4)], rng.Uint32()}
	}
	for i := 0; i < n; i++ {
		d := descriptor{
			queue: rng.Intn(queues), addr: rng.Uint64() >> 8, length: 14 + rng.Intn(400), report: rng.Intn(2) == 0,
			ipsec: rng.Intn(4) != 0, esnLSB: uint32(rng.Intn(2)), handle: handles[rng.Intn(len(handles))],
		}
		switch rng.Intn(8) {
		case 0:
			d.length = 14 + rng.Intn(maxFrame-14+1)
		case 1:
			d.addr &^= 63
		case 2: // the last bytes before a page
			d.addr = d.addr&^4095 + 4096 - uint64(1+rng.Intn(600))
		}
		if d.ipsec && rng.Intn(8) != 0 { // mostly sound
			d.offset = 34 + rng.Intn(40)
			d.length = d.offset + 32 + 4*(1+rng.Intn(200))
		} else {
			d.offset = rng.Intn(2048)
		}
		if rng.Intn(10) == 0 {
			d.length = []int{0, 1, 13, 14, maxFrame, maxFrame + 1, 65535, 16383, 16384 + 100}[rng.Intn(9)]
		}
		if rng.Intn(10) == 0 {
			d.handle ^= 1 << rng.Intn(32)
		}
		if rng.Intn(12) == 0 && d.length > 0 {
			s.faults = append(s.faults, d.addr+uint64(rng.Intn(d.length)))
		}
		s.descs = append(s.descs, d)
	}
	return s
}

func TestRandomDescriptors(t *testing.T) {
	for seed := int64(1); seed <= 40; seed++ {
		s := randomScenario(rand.New(rand.NewSource(seed)), 120)
		check(t, s, run(t, s))
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// TestChecks walks along every limit of the checks, one descriptor each.
func TestChecks(t *testing.T) {
	const good = 7<<16 | 5
	s := scenario{settings: map[string]int{"ipsec": 1}, sas: map[uint32]sa{good: {2, 1, 6, 1}}}
	add := func(length, offset int, ipsec bool, handle uint32) {
		s.descs = append(s.descs, descriptor{addr: 0x10000, length: length, offset: offset, ipsec: ipsec, handle: handle})
	}
	for _, length := range []int{0, 13, 14, 15, maxFrame, maxFrame + 1, 65535} {
		add(length, 0, false, 0)
	}
	for _, p := range []int{-4, 0, 1, 2, 3, 4, 5, 8} {
		for _, offset := range []int{33, 34, 35, 36, 54, 2047} {
			add(offset+32+p, offset, true, good)
		}
	}
	add(110, 34, true, good+1)     // other slot
	add(110, 34, true, good+1<<16) // other generation
	add(13, 34, true, good+1)      // length comes first
	add(110, 33, true, good+1)     // the handle before the offset
	add(33+32+5, 33, true, good)   // the offset before P
	check(t, s, run(t, s))
	s.settings["ipsec"] = 0
	check(t, s, run(t, s))
}

// TestRoundRobin: four queues that always have work are served in turn.
func TestRoundRobin(t *testing.T) {
	s := scenario{settings: map[string]int{"ipsec": 1}}
	for i := 0; i < 40; i++ {
		for q := 0; q < queues; q++ {
			s.descs = append(s.descs, descriptor{queue: q, addr: 4096, length: 64})
		}
	}
	out := run(t, s)
	check(t, s, out)
	for i := queues; i < len(out.pops); i++ {
		if out.pops[i] == out.pops[i-1] || out.pops[i] != out.pops[i-queues] {
			t.Fatalf("pops %v", out.pops[:i+1])
		}
	}
}

// TestRate: frames follow each other on the read channel without a pause, at a
// latency of 250 cycles; the smallest frames need at most 6 cycles.
func TestRate(t *testing.T) {
	const h = 1 << 16
	for _, c := range []struct{ length, offset int }{{64, 0}, {114, 34}, {178, 34}, {562, 34}, {1570, 34}, {9070, 34}} {
		for _, latency := range []int{40, 250} {
			s := scenario{settings: map[string]int{"latency": latency, "ipsec": 1}, sas: map[uint32]sa{h: {}}}
			for i := 0; i < 100; i++ {
				s.descs = append(s.descs, descriptor{queue: i % queues, addr: 0x40000 + uint64(i)*16384, length: c.length,
					offset: c.offset, ipsec: c.offset != 0, handle: h})
			}
			out := run(t, s)
			if out.end["beats"] != 100*((c.length+15)/16) {
				t.Errorf("%d bytes: %d beats", c.length, out.end["beats"])
			}
			if out.end["span"] != out.end["beats"] {
				t.Errorf("%d bytes, latency %d: %d beats took %d cycles", c.length, latency, out.end["beats"], out.end["span"])
			}
		}
	}
	s := scenario{settings: map[string]int{"latency": 250, "ipsec": 1}}
	for i := 0; i < 400; i++ {
		s.descs = append(s.descs, descriptor{queue: i % queues, addr: 0x40000, length: 14})
	}
	if out := run(t, s); out.end["span"] > 6*400 {
		t.Errorf("400 frames of one beat took %d cycles", out.end["span"])
	} else {
		t.Logf("400 frames of one beat: %d cycles", out.end["span"])
	}
}

// TestQuiesce: once told to stop, the unit ends its reads and starts none.
func TestQuiesce(t *testing.T) {
	for seed := int64(1); seed <= 10; seed++ {
		rng := rand.New(rand.NewSource(seed))
		s := randomScenario(rng, 200)
		s.settings["quiesce_at"] = 50 + rng.Intn(2000)
		run(t, s) // the bench fails on a pop after that, or when the reads do not end
	}
}
