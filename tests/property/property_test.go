// SPDX-License-Identifier: Apache-2.0

// Package property pushes random traffic under random SAs through two NICs,
// RTL and Go model alike, on buses of random temper, and lets the golden model
// judge. A failing case is shrunk to the smallest that still fails.
package property

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/espframe"
	"github.com/espalier-nic/espalier/regress"
)

// soak makes the test go on with new cases for that long.
var soak = flag.Duration("soak", 0, "go on with new random cases for this long")

const library = "../../build/sim/libespalier_sim.so"

// The longest IP packet of a case: with what ESP and a tunnel over IPv6 add it
// still fits the NIC's longest frame.
const longest = 9000

// checks is how many cases a property is tried with unless -rapid.checks says
// otherwise: RTL takes about a second for each.
const checks = "40"

func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", checks); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// traffic is one random case.
type traffic struct {
	plan    regress.Plan
	options driver.Options
	sim     map[string]string
	seed    uint64
}

// String is what a failing case prints.
func (c traffic) String() string {
	text := fmt.Sprintf("seed %d, simulator %v, %d TX and %d RX queues, rings %d\n", c.seed, c.sim, c.options.TXQueues, c.options.RXQueues, c.options.TXRing)
	for i, p := range c.plan.Packets {
		text += fmt.Sprintf("  %d bytes under SA %d\n", len(p.Frame), c.plan.Choice[i])
	}
	for i, sa := range c.plan.SAs {
		text += fmt.Sprintf("  SA %d: %v after %#x\n", i, sa, sa.LastSequence)
	}
	return text
}

// draw makes a case.
func draw(t *rapid.T) traffic {
	c := traffic{seed: rapid.Uint64().Draw(t, "seed")}
	c.options.TXQueues = rapid.IntRange(1, 4).Draw(t, "TX queues")
	c.options.RXQueues = rapid.IntRange(1, 4).Draw(t, "RX queues")
	c.options.TXRing = 1 << rapid.IntRange(3, 6).Draw(t, "TX ring")
	c.options.RXRing = 1 << rapid.IntRange(3, 6).Draw(t, "RX ring")
	c.options.ReportEvery = rapid.IntRange(1, 7).Draw(t, "report every")
	c.options.CompletionBatch = rapid.IntRange(1, 4).Draw(t, "batch")
	c.sim = map[string]string{}
	draw := func(key string, lo, hi int) int {
		v := rapid.IntRange(lo, hi).Draw(t, key)
		c.sim[key] = strconv.Itoa(v)
		return v
	}
	least := draw("mem_read_latency_min", 1, 60)
	draw("mem_read_latency_max", least, 200)
	least = draw("mem_write_latency_min", 1, 60)
	draw("mem_write_latency_max", least, 200)
	draw("mem_stall_percent", 0, 60)
	draw("mem_reorder", 0, 1)
	draw("mac_rx_stall_percent", 0, 40)
	draw("mac_tx_stall_percent", 0, 40)

	for i := range rapid.IntRange(1, 6).Draw(t, "SAs") {
		c.plan.SAs = append(c.plan.SAs, drawSA(t, uint32(i)))
	}
	for i := range rapid.IntRange(1, 40).Draw(t, "packets") {
		choice := rapid.IntRange(-1, len(c.plan.SAs)-1).Draw(t, "SA")
		size := rapid.OneOf(rapid.IntRange(0, 80), rapid.IntRange(0, 1500), rapid.IntRange(0, longest-40)).Draw(t, "payload")
		src, dst := ends(rapid.Bool().Draw(t, "inner IPv6"))
		if choice >= 0 && c.plan.SAs[choice].Mode == espframe.Transport {
			src, dst = c.plan.SAs[choice].Src, c.plan.SAs[choice].Dst
		}
		frame := packet(src, dst, size, byte(rapid.Uint8().Draw(t, "filling")))
		c.plan.Packets = append(c.plan.Packets, regress.Packet{Capture: "random", Number: i + 1, Frame: frame})
		c.plan.Choice = append(c.plan.Choice, choice)
	}
	return c
}

func ends(ipv6 bool) (src, dst netip.Addr) {
	if ipv6 {
		return netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
	}
	return netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
}

func drawSA(t *rapid.T, number uint32) regress.SA {
	sa := regress.SA{SPI: rapid.Uint32Range(1, 1<<24-1).Draw(t, "SPI")<<8 | number, ESN: rapid.Bool().Draw(t, "ESN")}
	sa.Mode = rapid.SampledFrom([]espframe.Mode{espframe.Transport, espframe.Tunnel}).Draw(t, "mode")
	sa.Src, sa.Dst = ends(rapid.Bool().Draw(t, "IPv6"))
	sa.Key = rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "key")[:rapid.SampledFrom([]int{16, 24, 32}).Draw(t, "key length")]
	copy(sa.Salt[:], rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "salt"))
	if sa.ESN {
		// Anywhere, or just before the lower half wraps.
		sa.LastSequence = rapid.OneOf(rapid.Uint64Range(0, 1<<63), rapid.Just(uint64(0x1_ffff_fffe))).Draw(t, "sequence")
	} else {
		sa.LastSequence = rapid.Uint64Range(0, 1<<31).Draw(t, "sequence")
	}
	return sa
}

// packet is an Ethernet frame with size bytes of UDP-like payload.
func packet(src, dst netip.Addr, size int, filling byte) []byte {
	frame := []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1}
	if src.Is6() {
		frame = append(frame, 0x86, 0xdd, 0x60, 0, 0, 0)
		frame = binary.BigEndian.AppendUint16(frame, uint16(size))
		frame = append(frame, 17, 64)
	} else {
		frame = append(frame, 0x08, 0x00, 0x45, 0)
		frame = binary.BigEndian.AppendUint16(frame, uint16(20+size))
		frame = append(frame, 0, 0, 0, 0, 64, 17, 0, 0)
	}
	frame = append(frame, src.AsSlice()...)
	frame = append(frame, dst.AsSlice()...)
	if src.Is4() {
		sum := uint32(0)
		for at := 14; at < 34; at += 2 {
			sum += uint32(binary.BigEndian.Uint16(frame[at:]))
		}
		for sum > 0xffff {
			sum = sum>>16 + sum&0xffff
		}
		binary.BigEndian.PutUint16(frame[24:], ^uint16(sum))
	}
	for i := range size {
		frame = append(frame, filling+byte(i)*7+byte(i>>8))
	}
	return frame
}

// run pushes the case through two NICs of a kind.
func run(t rapid.TB, device string, c traffic) *regress.Result {
	config := regress.DeviceConfig{Device: device, Seed: c.seed}
	if device != "gonic" {
		config.Options = c.sim
	}
	bed, err := regress.OpenBed(context.Background(), config, c.options)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := bed.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	}()
	plan := c.plan // a run may change choices
	plan.Choice = append([]int(nil), c.plan.Choice...)
	result, err := regress.Run(context.Background(), bed, &plan, regress.RunOptions{MaxMismatches: 1, StallCycles: 100_000})
	if err != nil {
		t.Fatalf("%v\n%v", err, c)
	}
	return result
}

func check(device string) func(*rapid.T) {
	return func(t *rapid.T) {
		c := draw(t)
		r := run(t, device, c)
		if len(r.Mismatches) > 0 {
			t.Fatalf("%v\n%v", r.Mismatches[0], c)
		}
		if n := len(c.plan.Packets); r.Delivered != n || r.Decrypted != r.Protected {
			t.Fatalf("of %d packets: %+v\n%v", n, r.Counts, c)
		}
	}
}

// forAWhile repeats the property with fresh seeds if a soak is asked for.
func forAWhile(t *testing.T, property func(*rapid.T)) {
	rapid.Check(t, property)
	for end := time.Now().Add(*soak); time.Now().Before(end) && !t.Failed(); {
		rapid.Check(t, property)
	}
}

func TestGoNIC(t *testing.T) { forAWhile(t, check("gonic")) }

func TestRTL(t *testing.T) { forAWhile(t, check("sim:"+library)) }

// TestRTLRepeats: one case twice gives the same cycle counts and the same result
// to the last byte, with all randomness of the buses on.
func TestRTLRepeats(t *testing.T) {
	cases := rapid.Custom(draw)
	for example := range 12 {
		c := cases.Example(example)
		a, b := run(t, "sim:"+library, c), run(t, "sim:"+library, c)
		if x, y := fmt.Sprintf("%+v", a), fmt.Sprintf("%+v", b); x != y {
			t.Fatalf("two runs of one case differ:\n%s\n%s\n%v", x, y, c)
		}
	}
}
