// SPDX-License-Identifier: Apache-2.0

// Package rxdma tests espalier_rx_dma: buffers, writes, completions and drops,
// against neighbours modelled in testdata/tb.cpp.
package rxdma

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/espalier-nic/espalier/verilator/unit/bench"
)

const queues = 4

// Results of the cipher and classes of the parser, as in docs/rtl.md.
const (
	cryptPass   = 0
	cryptOK     = 1
	cryptAuth   = 2
	cryptSyntax = 3
	cryptError  = 4

	classUntouched = 0
	classNoSA      = 1
	classSA        = 2
	classBadLen    = 3
)

type frame struct {
	status, class   int
	tunnel          bool
	queue           int
	handle          uint32
	nextHeader, pad byte
	data            []byte
}

type buffer struct {
	queue  int
	addr   uint64
	length int
	at     int
}

type scenario struct {
	settings map[string]int
	frames   []frame
	buffers  []buffer
	faults   []uint64
}

type outcome struct {
	cpls [queues][]string
	mem  []string
	end  map[string]int
}

func build(t testing.TB) string {
	return bench.Build(t, bench.Unit{
		Name:  "rx_dma",
		Top:   "espalier_rx_dma",
		Bench: "testdata/tb.cpp",
		Sources: []string{"rtl/espalier_pkg.sv", "rtl/espalier_regs_pkg.sv", "rtl/espalier_fifo.sv", "rtl/espalier_rx_write.sv",
			"rtl/espalier_rx_dma.sv"},
	})
}

func run(t testing.TB, s scenario) outcome {
	t.Helper()
	var in bytes.Buffer
	for name, v := range s.settings {
		fmt.Fprintf(&in, "set %s %d\n", name, v)
	}
	for _, a := range s.faults {
		fmt.Fprintf(&in, "fault %d\n", a)
	}
	for _, f := range s.frames {
		fmt.Fprintf(&in, "frame %d %d %d %d %d %d %d %s\n", f.status, f.class, bit(f.tunnel), f.queue, f.handle, f.nextHeader, f.pad,
			hex.EncodeToString(f.data))
	}
	for _, b := range s.buffers {
		fmt.Fprintf(&in, "desc %d %d %d %d\n", b.queue, b.addr, b.length, b.at)
	}
	out := outcome{end: map[string]int{}}
	lines := bufio.NewScanner(bytes.NewReader(bench.Run(t, build(t), in.Bytes())))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		kind, rest, _ := strings.Cut(lines.Text(), " ")
		switch kind {
		case "cpl":
			var q int
			fmt.Sscan(rest, &q)
			_, rest, _ = strings.Cut(rest, " ")
			out.cpls[q] = append(out.cpls[q], rest)
		case "mem":
			out.mem = append(out.mem, rest)
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

// words gives the completion's IPsec part, as in the table of
// docs/nic-contract.md, and the counter that goes with it.
func words(f frame) (done, infoSet bool, cryptoStatus int, counter string) {
	switch {
	case f.class == classUntouched:
		return false, false, 0, "untouched"
	case f.class == classNoSA:
		return false, false, 0, "no_sa"
	case f.class == classBadLen || f.status == cryptSyntax:
		return true, false, 6, "syntax"
	case f.status == cryptAuth && f.tunnel:
		return true, false, 5, "auth_failed"
	case f.status == cryptAuth:
		return true, false, 3, "auth_failed"
	}
	return true, true, 0, "esp_ok"
}

func check(t *testing.T, s scenario, out outcome) {
	t.Helper()
	var perQueue [queues][]buffer
	for _, b := range s.buffers {
		perQueue[b.queue] = append(perQueue[b.queue], b)
	}
	var next [queues]int
	var cpls [queues][]string
	written := map[uint64]byte{}
	want := map[string]int{}
	for _, f := range s.frames {
		if f.class >= classSA {
			want["dones"]++
		}
		if f.status == cryptError {
			want["drop_bad"]++
			continue
		}
		if f.queue >= queues || next[f.queue] == len(perQueue[f.queue]) {
			want["drop_no_desc"]++
			continue
		}
		b := perQueue[f.queue][next[f.queue]]
		n := min(len(f.data), b.length)
		failed := false
		for i := 0; i < n; i++ {
			a := b.addr + uint64(i)
			written[a] = f.data[i]
			failed = failed || slices.ContainsFunc(s.faults, func(x uint64) bool { return x/16 == a/16 })
		}
		var r [16]byte
		binary.LittleEndian.PutUint16(r[0:], uint16(len(f.data)))
		if f.class >= classSA {
			binary.LittleEndian.PutUint32(r[4:], f.handle)
		}
		done, infoSet, cs, counter := words(f)
		if done {
			r[8] = 2
		}
		binary.LittleEndian.PutUint16(r[10:], uint16(cs))
		if infoSet {
			r[12], r[13], r[14] = f.nextHeader, f.pad, 1
		}
		switch {
		case failed:
			r[15] = 5
			counter = "err_dma"
		case n < len(f.data):
			r[15] = 7
		}
		want[counter]++
		slices.Reverse(r[:]) // the bench prints the most significant byte first
		cpls[f.queue] = append(cpls[f.queue], fmt.Sprintf("%d %s", next[f.queue], hex.EncodeToString(r[:])))
		next[f.queue]++
	}
	var mem []string
	var at []uint64
	for a := range written {
		at = append(at, a)
	}
	slices.Sort(at)
	for i := 0; i < len(at); {
		first := at[i]
		var run []byte
		for ; i < len(at) && at[i] == first+uint64(len(run)); i++ {
			run = append(run, written[at[i]])
		}
		mem = append(mem, fmt.Sprintf("%d %s", first, hex.EncodeToString(run)))
	}
	for q := range cpls {
		compare(t, fmt.Sprintf("queue %d: completion", q), out.cpls[q], cpls[q])
	}
	compare(t, "memory", out.mem, mem)
	for _, name := range []string{"dones", "esp_ok", "auth_failed", "syntax", "no_sa", "untouched", "drop_no_desc", "drop_bad", "err_dma"} {
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

func randomBytes(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	rng.Read(b)
	return b
}

func randomScenario(rng *rand.Rand, n int) scenario {
	s := scenario{settings: map[string]int{
		"seed": rng.Intn(1 << 30), "latency": 1 + rng.Intn(250), "stall": []int{0, 20, 60}[rng.Intn(3)],
	}}
	var used [queues]int
	aligned := rng.Intn(3) == 0
	for i := 0; i < n; i++ {
		f := frame{class: rng.Intn(4), tunnel: rng.Intn(2) == 0, queue: rng.Intn(queues), handle: rng.Uint32(),
			nextHeader: byte(rng.Uint32()), pad: byte(rng.Uint32())}
		size := 14 + rng.Intn(300)
		if rng.Intn(10) == 0 {
			size = 14 + rng.Intn(9600-14+1)
		}
		f.data = randomBytes(rng, size)
		if f.class == classSA {
			f.status = []int{cryptOK, cryptOK, cryptAuth, cryptSyntax}[rng.Intn(4)]
		}
		if rng.Intn(12) == 0 {
			f.status = cryptError
		}
		if rng.Intn(16) == 0 {
			f.queue = queues + rng.Intn(16-queues)
		}
		s.frames = append(s.frames, f)
		if f.status == cryptError || f.queue >= queues {
			continue
		}
		if f.queue == 3 && used[3] >= n/8 {
			continue // this queue runs dry
		}
		used[f.queue]++
		b := buffer{queue: f.queue, addr: uint64(i+1)<<16 + uint64(rng.Intn(8192)), length: size + rng.Intn(100), at: 0}
		if aligned {
			b.addr &^= 63
		}
		if rng.Intn(8) == 0 {
			b.length = rng.Intn(size + 1)
		}
		if rng.Intn(6) == 0 {
			b.at = rng.Intn(4000)
		}
		if rng.Intn(16) == 0 {
			s.faults = append(s.faults, b.addr+uint64(rng.Intn(size)))
		}
		s.buffers = append(s.buffers, b)
	}
	return s
}

func TestRandomFrames(t *testing.T) {
	for seed := int64(1); seed <= 40; seed++ {
		s := randomScenario(rand.New(rand.NewSource(seed)), 120)
		check(t, s, run(t, s))
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// TestAlignment: every offset in a beat, with lengths around the beat, and
// buffers shorter by every number of bytes, down to nothing.
func TestAlignment(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	var s scenario
	n := uint64(0)
	for offset := uint64(0); offset < 16; offset++ {
		for length := 14; length <= 50; length++ {
			s.frames = append(s.frames, frame{data: randomBytes(rng, length)})
			s.buffers = append(s.buffers, buffer{addr: n<<12 + 4096 - 32 + offset, length: length})
			n += 2
		}
		for room := 0; room < 40; room++ {
			s.frames = append(s.frames, frame{data: randomBytes(rng, 40)})
			s.buffers = append(s.buffers, buffer{addr: n<<12 + 4096 - 32 + offset, length: room})
			n += 2
		}
	}
	check(t, s, run(t, s))
}

// TestRate: with aligned buffers the write channel is busy in every cycle, also
// at a latency of 250 cycles, and the frames of one beat take at most 9 cycles.
func TestRate(t *testing.T) {
	for _, length := range []int{14, 64, 114, 178, 562, 1570, 9070} {
		for _, latency := range []int{20, 250} {
			s := scenario{settings: map[string]int{"latency": latency}}
			for i := 0; i < 100; i++ {
				s.frames = append(s.frames, frame{queue: i % queues, data: make([]byte, length)})
				s.buffers = append(s.buffers, buffer{queue: i % queues, addr: uint64(i+1) << 16, length: 9600})
			}
			out := run(t, s)
			check(t, s, out)
			beats := 100 * ((length + 15) / 16)
			if out.end["beats"] != beats {
				t.Errorf("%d bytes: %d beats, want %d", length, out.end["beats"], beats)
			}
			limit := beats
			if length < 80 { // the 64 frames under way, not the data, are the limit
				limit = 100 * 9
			}
			if out.end["span"] > limit {
				t.Errorf("%d bytes, latency %d: %d beats took %d cycles", length, latency, beats, out.end["span"])
			}
		}
	}
}

// TestQuiesce: once told to stop, the unit ends its bursts and starts none.
func TestQuiesce(t *testing.T) {
	for seed := int64(1); seed <= 10; seed++ {
		rng := rand.New(rand.NewSource(seed))
		s := randomScenario(rng, 200)
		s.settings["quiesce_at"] = 50 + rng.Intn(2000)
		run(t, s) // the bench fails when a frame is taken after that, or when the writes do not end
	}
}
