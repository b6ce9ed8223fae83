// SPDX-License-Identifier: Apache-2.0

package nic

import (
	"bytes"
	"math/rand"
	"testing"

	"github.com/espalier-nic/espalier/regs"
	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
)

// stressed makes the bus and the wire as unkind as the protocols allow.
func stressed() rtlbridge.Options {
	return rtlbridge.Options{
		"mem_read_latency_min": 10, "mem_read_latency_max": 150, "mem_write_latency_min": 5, "mem_write_latency_max": 90,
		"mem_stall_percent": 20, "mem_reorder": 1, "mac_tx_stall_percent": 20, "mac_rx_stall_percent": 20, "mac_rx_gap_max": 8,
	}
}

func TestIdentity(t *testing.T) {
	r := newRig(t, nil, 1)
	if v := r.read(regs.IDOffset); v != regs.IDMagic {
		t.Errorf("ID %#x", v)
	}
	size := regs.CapSize(r.read(regs.CapSizeOffset))
	if size.NumTxq() != 4 || size.NumRxq() != 4 || size.NumVectors() != 8 || size.Lanes() != 1 {
		t.Errorf("CAP_SIZE %#x", uint32(size))
	}
	if v := regs.CapSA(r.read(regs.CapSAOffset)).Capacity(); v != 1024 {
		t.Errorf("CAP_SA %d", v)
	}
	if s := regs.Status(r.read(regs.StatusOffset)); !s.Zeroised() || !s.TxIdle() || !s.RxIdle() || s.ResetBusy() {
		t.Errorf("STATUS %#x after start-up", uint32(s))
	}
	for _, page := range []uint64{regs.TxqOffset(4), regs.RxqOffset(4), 0x3000, 0x30000} {
		if _, err := r.sim.BARRead(0, page, 4); err == nil {
			t.Errorf("read of %#x is answered", page)
		}
	}
}

// TestSendAndReceive: frames of every kind leave as RFC 4106 says, and come back
// as they were: first over the wire, where the test sees them, then in loopback.
func TestSendAndReceive(t *testing.T) {
	for _, c := range []struct {
		name     string
		options  rtlbridge.Options
		loopback bool
	}{{"wire", nil, false}, {"wire, stressed", stressed(), false}, {"loopback", nil, true}, {"loopback, stressed", stressed(), true}} {
		t.Run(c.name, func(t *testing.T) {
			rng := rand.New(rand.NewSource(1))
			r := newRig(t, c.options, 1)
			var pairs [][2]*sa
			for i := 0; i < 8; i++ {
				out := randomSA(rng, false)
				in := *out
				in.inbound = true
				r.addSA(2*i, out)
				r.addSA(2*i+1, &in)
				pairs = append(pairs, [2]*sa{out, &in})
			}
			var txq, rxq []*queue
			buffers := r.alloc(4 << 20)
			at := 0
			place := func(align, size int) int {
				at = (at + align - 1) / align * align
				here := at
				at += size
				return here
			}
			type buffer struct{ at, size int }
			var given [4][]buffer
			for q := 0; q < 4; q++ {
				txq = append(txq, r.startQueue(regs.TxqOffset(q), 6, q, 4, 64))
				rxq = append(rxq, r.startQueue(regs.RxqOffset(q), 6, q, 4, 64))
			}
			for q := 0; q < 4; q++ {
				for i := 0; i < 60; i++ {
					b := buffer{place(1, 0) + rng.Intn(3)*7, 10000}
					if q%2 == 0 {
						b.at = place(64, 0)
					}
					at = b.at + b.size
					given[q] = append(given[q], b)
					rxq[q].give(buffers.IOVA+uint64(b.at), b.size)
				}
				rxq[q].doorbell()
			}
			ctrl := uint32(ctrlRun)
			if c.loopback {
				ctrl |= ctrlLoopback
			}
			r.write(regs.RxDefaultOffset, 2)
			r.write(regs.CtrlOffset, ctrl)

			type sent struct {
				wire, plain []byte
				s           *sa
				queue       int
			}
			var perQueue [4][]sent // by the TX queue that sends
			const frames = 80
			for i := 0; i < frames; i++ {
				q := rng.Intn(4)
				var f sent
				f.queue = q
				size := 4 * (1 + rng.Intn(120))
				if rng.Intn(10) == 0 {
					size = 4 * (1 + rng.Intn(2240))
				}
				if rng.Intn(6) == 0 { // no ESP
					f.plain = make([]byte, 14+rng.Intn(1500))
					rng.Read(f.plain)
					f.plain[12], f.plain[13] = 0x88, 0xB5
					f.wire = f.plain
				} else {
					p := pairs[rng.Intn(len(pairs))]
					f.s = p[1]
					p[0].seq++
					plain := make([]byte, size)
					rng.Read(plain)
					plain[size-2] = byte(rng.Intn(min(256, size-1)))
					plain[size-1] = 4
					f.plain = p[0].frame(plain, p[0].seq)
					f.wire = append([]byte(nil), f.plain...)
					p[0].seal(f.wire, p[0].esnHi)
				}
				b := place(1+63*rng.Intn(2), len(f.plain)) // aligned or not
				copy(buffers.Bytes[b:], f.plain)
				if f.s != nil { // what is in the room for IV and ICV has no effect
					off := f.s.espOffset()
					rng.Read(buffers.Bytes[b+off+8 : b+off+16])
					rng.Read(buffers.Bytes[b+len(f.plain)-16 : b+len(f.plain)])
					p := pairs[0][0]
					for _, pair := range pairs {
						if pair[1] == f.s {
							p = pair[0]
						}
					}
					txq[q].send(buffers.IOVA+uint64(b), len(f.plain), p, p.esnHi, true)
				} else {
					txq[q].send(buffers.IOVA+uint64(b), len(f.plain), nil, 0, true)
				}
				perQueue[q] = append(perQueue[q], f)
			}
			for q := range txq {
				txq[q].doorbell()
			}

			// Off the wire, in the order of each queue; and back in.
			var order []sent
			if !c.loopback {
				var next [4]int
				for i := 0; i < frames; i++ {
					got, _ := r.fromWire()
					found := false
					for q := range next {
						if next[q] < len(perQueue[q]) && bytes.Equal(perQueue[q][next[q]].wire, got) {
							order = append(order, perQueue[q][next[q]])
							next[q]++
							found = true
							break
						}
					}
					if !found {
						t.Fatalf("frame %d on the wire is none of those that are due:\n%x\n%x", i, got, perQueue[0][next[0]].wire)
					}
					r.toWire(got, false)
				}
			}
			for q := range txq {
				for i := range perQueue[q] {
					if c := txq[q].wait(); c.Status != regs.CompletionStatusOK || int(c.Index) != i || int(c.Length) != len(perQueue[q][i].wire) {
						t.Fatalf("TX queue %d, completion %d: %+v", q, i, c)
					}
				}
			}

			// Each frame is in the buffer of its queue that was next.
			seen := 0
			var took [4]int
			deliver := func(f sent, q int) {
				t.Helper()
				c := rxq[q].wait()
				b := given[q][took[q]]
				if int(c.Index) != took[q] || int(c.Length) != len(f.plain) || c.Status != regs.CompletionStatusOK {
					t.Fatalf("RX queue %d, completion %d: %+v", q, took[q], c)
				}
				took[q]++
				got := buffers.Bytes[b.at : b.at+len(f.plain)]
				want := append([]byte(nil), f.wire...)
				if f.s != nil {
					off := f.s.espOffset()
					copy(want[off+16:len(want)-16], f.plain[off+16:len(want)-16])
					end := len(want) - 16
					if c.Handle != f.s.handle || !c.CryptoDone || c.CryptoStatus != regs.CryptoStatusSuccess || !c.HeaderInfoSet ||
						c.NextHeader != f.plain[end-1] || c.PadLength != f.plain[end-2] {
						t.Fatalf("RX queue %d: %+v", q, c)
					}
				} else if c.Handle != 0 || c.CryptoDone || c.HeaderInfoSet {
					t.Fatalf("RX queue %d: %+v for a frame without ESP", q, c)
				}
				if !bytes.Equal(got, want) {
					t.Fatalf("RX queue %d, frame %d:\n got %x\nwant %x", q, took[q]-1, got, want)
				}
				seen++
			}
			rxQueue := func(f sent) int {
				if f.s == nil {
					return 2
				}
				return f.s.queue
			}
			if !c.loopback {
				for _, f := range order {
					deliver(f, rxQueue(f))
				}
			} else {
				// The order between TX queues shows only in what arrives: take
				// whichever queue's next frame fits.
				var next [4]int
				for seen < frames {
					progress := false
					for q := range next {
						if next[q] == len(perQueue[q]) {
							continue
						}
						f := perQueue[q][next[q]]
						rq := rxQueue(f)
						cpl := rxq[rq]
						c := cpl.wait()
						cpl.next--
						b := given[rq][took[rq]]
						off := 14
						if f.s != nil {
							off = f.s.espOffset() + 8
						}
						if int(c.Length) != len(f.plain) || !bytes.Equal(buffers.Bytes[b.at:b.at+off], f.wire[:off]) {
							continue
						}
						deliver(f, rq)
						next[q]++
						progress = true
					}
					if !progress {
						t.Fatalf("%d of %d frames came back, the next is none of those that are due", seen, frames)
					}
				}
			}
			if n := r.read64(regs.StatTxFramesLoOffset); n != frames {
				t.Errorf("STAT_TX_FRAMES %d", n)
			}
			if n := r.read64(regs.StatRxFramesLoOffset); n != frames {
				t.Errorf("STAT_RX_FRAMES %d", n)
			}
			if tx, rx := r.read64(regs.StatTxESPLoOffset), r.read64(regs.StatRxESPOKLoOffset); tx != rx || tx == 0 {
				t.Errorf("%d ESP frames sent, %d received", tx, rx)
			}
			r.waitStatus(func(s regs.Status) bool { return s.TxIdle() && s.RxIdle() })
			if faults, err := r.sim.Faults(); err != nil || len(faults) != 0 {
				t.Errorf("faults %v, %v", faults, err)
			}
		})
	}
}
