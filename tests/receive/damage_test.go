// SPDX-License-Identifier: Apache-2.0

// Package receive sends damaged frames to a receiving NIC, RTL and Go model
// alike, and compares what it hands up with the golden model: every single bit
// of a frame flipped, every length it may be cut to, every Pad Length.
package receive

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"testing"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/hwmodel/esp"
	"github.com/espalier-nic/espalier/hwmodel/nic"
	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
)

const library = "../../build/sim/libespalier_sim.so"

// receiver is one NIC with one inbound SA, fed from its wire.
type receiver struct {
	nic    *driver.NIC
	queue  *driver.RXQueue
	pool   *driver.Pool
	inject func(frame []byte) error
	sa     *esp.SA
	handle driver.Handle
}

// backends open a NIC and say how frames reach it.
var backends = map[string]func(t *testing.T) (fn pcie.Function, firmware []byte, inject func([]byte) error){
	"gonic": func(t *testing.T) (pcie.Function, []byte, func([]byte) error) {
		n, err := nic.New(nic.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return n, nil, func(frame []byte) error { n.Inject(frame, false); return nil }
	},
	"RTL": func(t *testing.T) (pcie.Function, []byte, func([]byte) error) {
		lib, err := rtlbridge.Load(library)
		if err != nil {
			t.Fatalf("%v; `make sim` builds it", err)
		}
		f, err := rtlbridge.Open(lib, rtlbridge.Config{Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		image, err := lib.Firmware()
		if err != nil {
			t.Fatal(err)
		}
		return f, image, func(frame []byte) error { return f.Port().Send(frame, false) }
	},
}

// sequenceHi is the upper half of the sequence numbers of SAs with ESN.
const sequenceHi = 7

// kind is a kind of SA.
type kind struct {
	name        string
	ipv6        bool
	tunnel, esn bool
	keyBytes    int
}

var kinds = []kind{
	{"IPv4 transport 128", false, false, false, 16},
	{"IPv4 tunnel 256 ESN", false, true, true, 32},
	{"IPv6 transport 192 ESN", true, false, true, 24},
	{"IPv6 tunnel 128", true, true, false, 16},
}

func (k kind) addresses() (src, dst netip.Addr) {
	if k.ipv6 {
		return netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
	}
	return netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
}

func (k kind) params(inbound bool) esp.Params {
	p := esp.Params{SPI: 0x12345678, Inbound: inbound, Tunnel: k.tunnel, ESN: k.esn, Salt: [4]byte{1, 2, 3, 4}, Key: bytes.Repeat([]byte{0xA5, 0x3C}, k.keyBytes/2)}
	p.Src, p.Dst = k.addresses()
	if k.esn {
		p.ESNHi = sequenceHi
	}
	return p
}

func open(t *testing.T, backend string, k kind) *receiver {
	t.Helper()
	ctx := context.Background()
	fn, image, inject := backends[backend](t)
	r := &receiver{inject: inject}
	var err error
	if r.nic, err = driver.Open(ctx, fn, driver.Options{TXQueues: 1, RXQueues: 1, Polling: true, Firmware: image}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.nic.Close(); err != nil {
			t.Error(err)
		}
		if err := fn.Close(); err != nil {
			t.Error(err)
		}
	})
	p := k.params(true)
	if r.sa, err = esp.NewSA(p); err != nil {
		t.Fatal(err)
	}
	r.handle, err = r.nic.AddSA(ctx, driver.SA{SPI: p.SPI, Inbound: true, Tunnel: p.Tunnel, ESN: p.ESN, SequenceHi: p.ESNHi, Src: p.Src, Dst: p.Dst, Key: p.Key, Salt: p.Salt})
	if err != nil {
		t.Fatal(err)
	}
	if r.queue, err = r.nic.RX(0); err != nil {
		t.Fatal(err)
	}
	if r.pool, err = driver.NewPool(fn, r.queue.Size()-1, 2048); err != nil {
		t.Fatal(err)
	}
	r.refill(t)
	return r
}

func (r *receiver) refill(t *testing.T) {
	t.Helper()
	for b := r.pool.Get(); b != nil; b = r.pool.Get() {
		if n, err := r.queue.Post([]*driver.Buffer{b}); n != 1 {
			t.Fatalf("posting a buffer: %v", err)
		}
	}
}

func (r *receiver) lookup(s *esp.Selector) *esp.SA {
	var dst, src [16]byte
	copy(dst[:], r.sa.Dst().AsSlice())
	copy(src[:], r.sa.Src().AsSlice())
	if s.SPI == r.sa.SPI() && s.IPv6 == r.sa.Dst().Is6() && s.Dst == dst && s.Src == src {
		return r.sa
	}
	return nil
}

// batch is how many frames are under way at once, fewer than the ring holds.
const batch = 64

// judge sends the frames and compares each with the golden model's word.
func (r *receiver) judge(t *testing.T, name func(int) string, frames [][]byte) {
	t.Helper()
	var got [batch]driver.RXPacket
	for start := 0; start < len(frames); start += batch {
		part := frames[start:min(start+batch, len(frames))]
		for _, frame := range part {
			if err := r.inject(frame); err != nil {
				t.Fatal(err)
			}
		}
		for next, idle := 0, 0; next < len(part); idle++ {
			n, err := r.queue.Poll(got[:len(part)-next])
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				if idle > 1000 {
					t.Fatalf("%s was not delivered", name(start+next))
				}
				if err := r.nic.Function().Relax(context.Background(), 256); err != nil {
					t.Fatal(err)
				}
				continue
			}
			idle = 0
			for i := range got[:n] {
				r.compare(t, name(start+next), part[next], &got[i])
				next++
				if err := r.pool.Put(got[i].Buffer); err != nil {
					t.Fatal(err)
				}
			}
			r.refill(t)
		}
	}
}

func (r *receiver) compare(t *testing.T, name string, frame []byte, got *driver.RXPacket) {
	t.Helper()
	want, verdict := esp.Open(nil, frame, r.lookup)
	handle := driver.Handle(0)
	if verdict.SA != nil {
		handle = r.handle
	}
	if !bytes.Equal(got.Frame(), want) {
		t.Errorf("%s: delivered %x\nwanted %x", name, got.Frame(), want)
	}
	if a, b := got.IPsec.Slot1(), verdict.Word1(); a != b {
		t.Errorf("%s: slot 1 is %#08x, wanted is %#08x (%v)", name, a, b, verdict.Status)
	}
	if a, b := got.IPsec.Slot12(), verdict.Word12(); a != b {
		t.Errorf("%s: slot 12 is %#08x, wanted is %#08x", name, a, b)
	}
	if got.SA != handle || got.Status != driver.OK {
		t.Errorf("%s: handle %v and status %v, wanted are %v and OK", name, got.SA, got.Status, handle)
	}
}

// sealed returns a good ESP frame with size bytes of inner payload.
func sealed(t *testing.T, k kind, size int) (frame []byte, offset int) {
	t.Helper()
	sa, err := esp.NewSA(k.params(false))
	if err != nil {
		t.Fatal(err)
	}
	src, dst := k.addresses()
	inner := []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1}
	if k.ipv6 {
		inner = append(inner, 0x86, 0xdd, 0x60, 0, 0, 0, byte(size>>8), byte(size), 17, 64)
	} else {
		inner = append(inner, 0x08, 0x00, 0x45, 0, byte((20+size)>>8), byte(20+size), 0, 0, 0, 0, 64, 17, 0, 0)
	}
	inner = append(append(inner, src.AsSlice()...), dst.AsSlice()...)
	for i := range size {
		inner = append(inner, byte(3*i+1))
	}
	framed, offset, err := sa.Frame(nil, inner, esp.FrameOptions{Sequence: sequenceHi<<32 | 99})
	if err != nil {
		t.Fatal(err)
	}
	if err := sa.SealInPlace(framed, offset, sequenceHi); err != nil {
		t.Fatal(err)
	}
	return framed, offset
}

// each runs the test on every NIC with every kind of SA.
func each(t *testing.T, test func(t *testing.T, r *receiver, k kind)) {
	for backend := range backends {
		for _, k := range kinds {
			t.Run(backend+"/"+k.name, func(t *testing.T) { test(t, open(t, backend, k), k) })
		}
	}
}

// TestEveryBit flips each bit of a frame, one at a time: in every header field,
// SPI, sequence number, IV, payload, padding, trailer and ICV.
func TestEveryBit(t *testing.T) {
	each(t, func(t *testing.T, r *receiver, k kind) {
		good, _ := sealed(t, k, 37)
		if _, verdict := esp.Open(nil, good, r.lookup); verdict.Class != esp.Decrypted {
			t.Fatalf("the frame itself is not good: %v", verdict.Class)
		}
		frames := [][]byte{good}
		for bit := range 8 * len(good) {
			frame := bytes.Clone(good)
			frame[bit/8] ^= 1 << (bit % 8)
			frames = append(frames, frame)
		}
		r.judge(t, func(i int) string { return fmt.Sprintf("bit %d of byte %d", (i-1)%8, (i-1)/8) }, frames)
	})
}

// TestEveryLength cuts a frame to each length and lengthens it, with the IP
// header's length as it was, and with it claiming each other length.
func TestEveryLength(t *testing.T) {
	each(t, func(t *testing.T, r *receiver, k kind) {
		good, _ := sealed(t, k, 61)
		var frames [][]byte
		var names []string
		for length := 14; length <= len(good)+70; length++ {
			frames = append(frames, append(bytes.Clone(good), make([]byte, 70)...)[:length])
			names = append(names, fmt.Sprintf("cut to %d of %d bytes", length, len(good)))
		}
		at := 16
		if k.ipv6 {
			at = 18
		}
		for claim := range len(good) + 20 {
			frame := bytes.Clone(good)
			frame[at], frame[at+1] = byte(claim>>8), byte(claim)
			frames = append(frames, frame)
			names = append(names, fmt.Sprintf("IP length field %d", claim))
		}
		r.judge(t, func(i int) string { return names[i] }, frames)
	})
}

// TestEveryPadLength seals frames whose trailer claims each Pad Length.
func TestEveryPadLength(t *testing.T) {
	each(t, func(t *testing.T, r *receiver, k kind) {
		sa, err := esp.NewSA(k.params(false))
		if err != nil {
			t.Fatal(err)
		}
		var frames [][]byte
		var names []string
		for _, size := range []int{2, 30, 118, 246} {
			for pad := range 256 {
				good, offset := sealed(t, k, size)
				// Sealing is its own inverse on the payload (CTR): open, change, seal.
				plain, _ := esp.Open(nil, good, r.lookup)
				plain[len(plain)-esp.ICVLen-2] = byte(pad)
				if err := sa.SealInPlace(plain, offset, sequenceHi); err != nil {
					t.Fatal(err)
				}
				frames = append(frames, plain)
				names = append(names, fmt.Sprintf("Pad Length %d in a payload of %d bytes", pad, len(plain)-offset-esp.Overhead))
			}
		}
		r.judge(t, func(i int) string { return names[i] }, frames)
	})
}
