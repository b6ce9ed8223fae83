// SPDX-License-Identifier: Apache-2.0

package nic

import (
	"math/rand"
	"testing"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/regs"
	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
)

// size is one frame size of the rate tables: an inner Ethernet frame with FCS
// and the ESP frame (IPv4 tunnel, no FCS) that carries it.
type size struct {
	inner int
	plain int // P: the inner IP packet, padding to 4 bytes, Pad Length, Next Header
	limit float64
}

var sizes = []size{
	{64, 48, 1.25}, {128, 112, 1.25}, {256, 240, 1.10}, {512, 496, 1.10}, {1024, 1008, 1.03}, {1518, 1504, 1.03}, {9018, 9004, 1.03},
}

func (s size) frame() int { return 14 + 20 + 16 + s.plain + 16 }

// floor is the fewest cycles per frame that one lane allows: the beats of the
// frame and one of a descriptor or completion on the bus, or the GHASH blocks.
func (s size) floor() int {
	return max((s.frame()+15)/16+1, (s.plain+15)/16+2)
}

type direction int

const (
	sendOnly direction = 1 << iota
	receiveOnly
	both = sendOnly | receiveOnly
)

// bed is a NIC with SAs and queues, ready for traffic.
type bed struct {
	*rig
	rng      *rand.Rand
	out, in  []*sa
	txq, rxq []*queue
	buffers  *pcie.Memory
}

// newBed adds half of the SAs for each direction, at least one.
func newBed(t testing.TB, sas int, latency uint64) *bed {
	b := &bed{rng: rand.New(rand.NewSource(7)), rig: newRig(t, rtlbridge.Options{
		"mem_read_latency_min": latency, "mem_read_latency_max": latency,
		"mem_write_latency_min": latency, "mem_write_latency_max": latency,
	}, 1)}
	for slot := 0; slot < max(2, sas); slot++ {
		a := randomSA(b.rng, slot%2 == 1)
		a.ipv6, a.tunnel, a.esn = false, true, false
		clear(a.dst[4:])
		clear(a.src[4:])
		b.addSA(slot, a)
		if a.inbound {
			b.in = append(b.in, a)
		} else {
			b.out = append(b.out, a)
		}
	}
	b.buffers = b.alloc(64 << 10)
	for q := 0; q < 4; q++ {
		b.txq = append(b.txq, b.startQueue(regs.TxqOffset(q), 11, 0, 4, 1000))
		b.rxq = append(b.rxq, b.startQueue(regs.RxqOffset(q), 11, 1, 4, 1000))
	}
	b.write(regs.CtrlOffset, ctrlRun)
	return b
}

// measure returns cycles per frame, sent and received, in the steady state of
// back-to-back traffic.
func (b *bed) measure(s size, dir direction) (tx, rx float64) {
	// The window begins when the pipelines are full, and ends while descriptors
	// are still being read: 64 per queue are read ahead.
	skip, last, frames := 500, 1100, 1100+4*64+16
	switch {
	case s.inner > 4000:
		skip, last, frames = 25, 65, 70
	case s.inner >= 1024:
		skip, last, frames = 90, 230, 230+4*64+16
	}
	plain := make([]byte, s.plain)
	b.rng.Read(plain)
	plain[len(plain)-2], plain[len(plain)-1] = 0, 4
	before := b.read64(regs.StatRxESPOKLoOffset)
	if dir&receiveOnly != 0 {
		perQueue := [4]int{}
		var wire [][]byte
		for i := 0; i < frames; i++ {
			a := b.in[b.rng.Intn(len(b.in))]
			a.seq++
			perQueue[a.queue]++
			f := a.frame(plain, a.seq)
			a.seal(f, 0)
			wire = append(wire, f)
		}
		for q, n := range perQueue {
			for ; n > 0; n-- {
				b.rxq[q].give(b.buffers.IOVA+32<<10, 16<<10)
			}
			b.rxq[q].doorbell()
		}
		for _, f := range wire {
			b.toWire(f, false)
		}
	}
	if dir&sendOnly != 0 {
		for i := 0; i < frames; i++ { // every 16th of a queue reports
			a := b.out[b.rng.Intn(len(b.out))]
			f := a.frame(plain, 1)
			copy(b.buffers.Bytes, f)
			b.txq[i%4].send(b.buffers.IOVA, len(f), a, 0, i/4%16 == 15)
		}
		for q := range b.txq {
			b.txq[q].doorbell()
		}
	}
	// A frame is sent when its last beat is, received when the bus has confirmed
	// its last byte: that is what the counter counts, before completions gather.
	var sent, received []uint64
	want := [2]int{}
	if dir&sendOnly != 0 {
		want[0] = frames
	}
	if dir&receiveOnly != 0 {
		want[1] = frames
	}
	buf := make([]byte, 16384)
	for start := b.sim.Cycle(); len(sent) < want[0] || len(received) < want[1]; b.advance(20) {
		for len(sent) < want[0] {
			info, err := b.sim.MACRecv(buf)
			if err != nil {
				break
			}
			sent = append(sent, info.LastCycle)
		}
		if want[1] != 0 {
			for n := int(b.read64(regs.StatRxESPOKLoOffset) - before); len(received) < n; {
				received = append(received, b.sim.Cycle())
			}
		}
		if b.sim.Cycle() > start+uint64(4*frames*s.floor())+20000 {
			b.t.Fatalf("%d of %d frames sent, %d of %d received", len(sent), want[0], len(received), want[1])
		}
	}
	b.advance(2000) // completions that wait for company
	for _, queues := range [][]*queue{b.txq, b.rxq} {
		for _, q := range queues {
			for c, ok := q.poll(); ok; c, ok = q.poll() {
				if c.Status != regs.CompletionStatusOK || c.CryptoStatus != regs.CryptoStatusSuccess {
					b.t.Fatalf("completion %+v", c)
				}
			}
		}
	}
	if want[0] != 0 {
		tx = float64(sent[last]-sent[skip]) / float64(last-skip)
	}
	if want[1] != 0 {
		rx = float64(received[last]-received[skip]) / float64(last-skip)
	}
	return tx, rx
}

// TestRates holds the cycles per frame against the floor, for each direction
// alone and for both, short and long memory latency, one SA and a full table.
func TestRates(t *testing.T) {
	for _, sas := range []int{1, 1024} {
		for _, latency := range []uint64{40, 200} {
			b := newBed(t, sas, latency)
			for _, s := range sizes {
				tx, _ := b.measure(s, sendOnly)
				_, rx := b.measure(s, receiveOnly)
				tx2, rx2 := b.measure(s, both)
				floor := float64(s.floor())
				t.Logf("%4d SAs, latency %3d, inner %4d, floor %3d: send %7.2f (%.3f), receive %7.2f (%.3f), both %7.2f (%.3f) and %7.2f (%.3f)",
					sas, latency, s.inner, s.floor(), tx, tx/floor, rx, rx/floor, tx2, tx2/floor, rx2, rx2/floor)
				for _, m := range []struct {
					name   string
					cycles float64
				}{{"send", tx}, {"receive", rx}, {"send with receive", tx2}, {"receive with send", rx2}} {
					if m.cycles > s.limit*floor {
						t.Errorf("%d SAs, latency %d, inner %d: %s takes %.2f cycles, limit %.2f", sas, latency, s.inner, m.name,
							m.cycles, s.limit*floor)
					}
				}
			}
		}
	}
}
