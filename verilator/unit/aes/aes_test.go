// SPDX-License-Identifier: Apache-2.0

// Package aes tests espalier_aes_pipe against crypto/aes.
package aes

import (
	"bytes"
	"crypto/aes"
	"encoding/binary"
	"fmt"
	"math/rand"
	"strconv"
	"strings"
	"testing"

	"github.com/espalier-nic/espalier/verilator/unit/bench"
	"github.com/espalier-nic/espalier/verilator/unit/gcmref"
)

// From the cycle in which a command's SA index is presented to the cycle in
// which its encrypted block is at the output.
const latency = 1 + 15

const numSA = 64

func unit(fast bool, sa int) bench.Unit {
	return bench.Unit{
		Name:  "aes",
		Top:   "espalier_aes_pipe",
		Bench: "testdata/tb.cpp",
		Sources: []string{
			"rtl/espalier_pkg.sv", "rtl/espalier_ram_sdp.sv", "rtl/espalier_aes_round.sv", "rtl/espalier_aes_pipe.sv",
		},
		Params: map[string]string{"NUM_SA": fmt.Sprint(sa)},
		Fast:   fast,
	}
}

// A command of one cycle; see testdata/tb.cpp.
type command [40]byte

func writeKey(slot, round int, key []byte) (c command) {
	c[0], c[1] = 1, byte(round)
	binary.LittleEndian.PutUint16(c[2:], uint16(slot))
	copy(c[16:], key)
	return c
}

func encrypt(slot int, keylen byte, block []byte) (c command) {
	c[4], c[5] = 1, keylen
	binary.LittleEndian.PutUint16(c[6:], uint16(slot))
	copy(c[16:], block)
	return c
}

func TestEveryBlockOfAnotherKey(t *testing.T) {
	exe := bench.Build(t, unit(false, numSA))
	rng := rand.New(rand.NewSource(1))
	var in []command
	keys := make([][]byte, numSA)
	for slot := range keys {
		keys[slot] = make([]byte, 16+8*(slot%3))
		rng.Read(keys[slot])
		for round, k := range gcmref.RoundKeys(keys[slot]) {
			in = append(in, writeKey(slot, round, k))
		}
	}
	want := map[int][]byte{} // by cycle
	for range 20000 {
		slot := rng.Intn(numSA)
		block := make([]byte, 16)
		rng.Read(block)
		c, err := aes.NewCipher(keys[slot])
		if err != nil {
			t.Fatal(err)
		}
		w := make([]byte, 16)
		c.Encrypt(w, block)
		want[len(in)+latency] = w
		in = append(in, encrypt(slot, byte(slot%3), block))
	}
	in = append(in, make([]command, latency+1)...)

	out := run(t, exe, in)
	for cycle, w := range want {
		if got := out[16*cycle : 16*cycle+16]; !bytes.Equal(got, w) {
			t.Fatalf("cycle %d keylen %d: got %x, want %x", cycle, in[cycle-latency][5], got, w)
		}
	}
}

// A round-key write takes effect for later blocks and for its slot alone.
func TestRewrittenKey(t *testing.T) {
	exe := bench.Build(t, unit(false, numSA))
	old, fresh := make([]byte, 32), bytes.Repeat([]byte{0x5a}, 32)
	var in []command
	for round, k := range gcmref.RoundKeys(old) {
		in = append(in, writeKey(3, round, k), writeKey(4, round, k))
	}
	for round, k := range gcmref.RoundKeys(fresh) {
		in = append(in, writeKey(3, round, k))
	}
	in = append(in, command{}) // the write port has one register
	block := []byte("sixteen bytes...")
	first := len(in) + latency
	in = append(in, encrypt(3, 2, block), encrypt(4, 2, block))
	in = append(in, make([]command, latency+1)...)
	out := run(t, exe, in)
	for i, key := range [][]byte{fresh, old} {
		c, err := aes.NewCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		w := make([]byte, 16)
		c.Encrypt(w, block)
		if got := out[16*(first+i):][:16]; !bytes.Equal(got, w) {
			t.Errorf("slot %d: got %x, want %x", 3+i, got, w)
		}
	}
}

// A write of round 15 is one of all rounds, for its slot alone.
func TestAllRounds(t *testing.T) {
	exe := bench.Build(t, unit(false, numSA))
	key, zero := bytes.Repeat([]byte{0x5a}, 32), make([]byte, 16)
	var in []command
	for round, k := range gcmref.RoundKeys(key) {
		in = append(in, writeKey(3, round, k), writeKey(4, round, k), writeKey(5, round, zero))
	}
	in = append(in, writeKey(3, 15, zero), command{})
	block := []byte("sixteen bytes...")
	first := len(in) + latency
	in = append(in, encrypt(3, 2, block), encrypt(4, 2, block), encrypt(5, 2, block))
	in = append(in, make([]command, latency+1)...)
	out := run(t, exe, in)
	c, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]byte, 16)
	c.Encrypt(want, block)
	got := func(i int) []byte { return out[16*(first+i):][:16] }
	if !bytes.Equal(got(1), want) {
		t.Errorf("the slot next to the one cleared: got %x, want %x", got(1), want)
	}
	if !bytes.Equal(got(0), got(2)) || bytes.Equal(got(0), want) {
		t.Errorf("the slot cleared gives %x, one cleared round by round %x", got(0), got(2))
	}
}

// BenchmarkSimulation measures simulated cycles per second of the pipeline alone.
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

func run(t *testing.T, exe string, in []command) []byte {
	t.Helper()
	var stdin bytes.Buffer
	for _, c := range in {
		stdin.Write(c[:])
	}
	out := bench.Run(t, exe, stdin.Bytes())
	if len(out) != 16*len(in) {
		t.Fatalf("%d bytes out for %d cycles", len(out), len(in))
	}
	return out
}
