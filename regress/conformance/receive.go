// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/hwmodel/esp"
)

// Result words of slot 1.
const (
	wordGood            = 0x00000002
	wordTransportFailed = 0x00030002
	wordTunnelFailed    = 0x00050002
	wordSyntax          = 0x00060002
)

// openInbound opens a NIC with one inbound SA of each IP version and calls f for
// each.
func openInbound(ctx context.Context, b *Bench, f func(h *host, t *traffic) error) error {
	h, err := b.open(ctx, driver.Options{})
	if err != nil {
		return err
	}
	return bothFamilies(func(ipv6 bool) error {
		t, err := h.start(ctx, newFlow(spiIn, true, ipv6, 16))
		if err != nil {
			return err
		}
		return f(h, t)
	})
}

// receiveGood sends good packets of many lengths to the NIC.
func receiveGood(ctx context.Context, b *Bench) error {
	return openInbound(ctx, b, func(h *host, t *traffic) error {
		for size := range 200 {
			wire, err := t.sealed(t.plain(size*7%1400, uint32(size)))
			if err != nil {
				return err
			}
			r, err := h.receiveOne(ctx, wire)
			if err != nil {
				return err
			}
			if err := r.good(wire, t.handle, t.peer); err != nil {
				return fmt.Errorf("packet of %d bytes: %w", len(wire), err)
			}
			offset := t.espOffset()
			padLength := uint8(-(20 + size*7%1400 + esp.TrailerLen) & 3)
			switch {
			case r.IPsec.NextHeader != protocolTCP || r.IPsec.PadLength != padLength || !r.IPsec.HeaderInfoSet:
				return fmt.Errorf("slot 12 is %#08x, right are Next Header %d, Pad Length %d and HeaderInfoSet", r.slot12, protocolTCP, padLength)
			case uint64(esp.Sequence(r.frame[offset:])) != t.last:
				return fmt.Errorf("sequence number reads as %d, %d was sent", esp.Sequence(r.frame[offset:]), t.last)
			}
		}
		return nil
	})
}

// espOffset is where the flow's frames have their ESP header.
func (f *flow) espOffset() int {
	if f.ipv6 {
		return ethernetLen + 40
	}
	return ethernetLen + 20
}

// receiveBitFlips damages one bit at a time of all that is authenticated.
func receiveBitFlips(ctx context.Context, b *Bench) error {
	return openInbound(ctx, b, func(h *host, t *traffic) error {
		wire, err := t.sealed(t.plain(41, 1))
		if err != nil {
			return err
		}
		first := 8 * (t.espOffset() + 4) // behind the SPI: another one is another row
		bits := 8*len(wire) - first
		bit := func(i int) int { return first + i }
		scratch := make([]byte, len(wire))
		damaged := func(i int) []byte {
			copy(scratch, wire)
			scratch[bit(i)/8] ^= 1 << (bit(i) % 8)
			return scratch
		}
		if err := h.stream(ctx, bits, damaged, func(i int, r received) error {
			if err := r.failed(damaged(i), t.handle, wordTransportFailed); err != nil {
				return fmt.Errorf("bit %d of byte %d of %d damaged: %w", bit(i)%8, bit(i)/8, len(wire), err)
			}
			return nil
		}); err != nil {
			return err
		}
		r, err := h.receiveOne(ctx, wire)
		if err != nil {
			return err
		}
		return r.good(wire, t.handle, t.peer)
	})
}

// receiveNoSA sends packets that match no SA in one respect each.
func receiveNoSA(ctx context.Context, b *Bench) error {
	h, err := b.open(ctx, driver.Options{})
	if err != nil {
		return err
	}
	here, err := h.start(ctx, newFlow(spiIn, true, false, 16))
	if err != nil {
		return err
	}
	elsewhere := here.flow
	elsewhere.dst = netip.MustParseAddr("192.0.2.77")
	for what, f := range map[string]flow{
		"unknown SPI": newFlow(spiIn+1, true, false, 16), "other destination": elsewhere, "other IP version": newFlow(spiIn, true, true, 16),
	} {
		t, err := f.begin(0)
		if err != nil {
			return err
		}
		wire, err := t.sealed(t.plain(90, 1))
		if err != nil {
			return err
		}
		r, err := h.receiveOne(ctx, wire)
		if err != nil {
			return err
		}
		if err := r.untouched(wire); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	return here.carries(ctx, h)
}

// carries shows that an inbound SA works: one more packet of it is decrypted.
func (t *traffic) carries(ctx context.Context, h *host) error {
	wire, err := t.sealed(t.plain(77, uint32(t.last)))
	if err != nil {
		return err
	}
	r, err := h.receiveOne(ctx, wire)
	if err != nil {
		return err
	}
	return r.good(wire, t.handle, t.peer)
}

// sends shows that an outbound SA works: one more packet of it is encrypted.
func (t *traffic) sends(ctx context.Context, h *host) error {
	plain := t.plain(77, uint32(t.last))
	out, err := t.framed(plain)
	if err != nil {
		return err
	}
	left, err := h.sendGood(ctx, out)
	if err != nil {
		return err
	}
	return t.accept(left[0], out, plain)
}

// withLength is a frame whose IP header states another length of the packet.
func withLength(frame []byte, ipv6 bool, length int) []byte {
	out := bytes.Clone(frame)
	if ipv6 {
		binary.BigEndian.PutUint16(out[ethernetLen+4:], uint16(length-40))
		return out
	}
	binary.BigEndian.PutUint16(out[ethernetLen+2:], uint16(length))
	fixChecksum(out)
	return out
}

// receiveSyntax sends packets of a known SA whose lengths are impossible.
func receiveSyntax(ctx context.Context, b *Bench) error {
	return openInbound(ctx, b, func(h *host, t *traffic) error {
		wire, err := t.sealed(t.plain(100, 1))
		if err != nil {
			return err
		}
		ipHeader := t.espOffset() - ethernetLen
		packet := len(wire) - ethernetLen
		// Shorter than the least ESP packet, not a multiple of four, longer than the frame.
		var lengths []int
		for length := ipHeader; length < ipHeader+esp.Overhead+esp.MinPayload; length++ {
			lengths = append(lengths, length)
		}
		lengths = append(lengths, packet-1, packet-2, packet-3, packet+1, packet+4, packet+1000)
		if !t.ipv6 {
			lengths = append(lengths, 0, 1, 19)
		}
		for _, length := range lengths {
			bad := withLength(wire, t.ipv6, length)
			r, err := h.receiveOne(ctx, bad)
			if err != nil {
				return err
			}
			if err := r.failed(bad, t.handle, wordSyntax); err != nil {
				return fmt.Errorf("length %d of %d: %w", length, packet, err)
			}
		}
		// Authentic, with a Pad Length that exceeds the payload.
		for _, c := range []struct {
			payload, padLength int
			good               bool
		}{{4, 2, true}, {4, 3, false}, {64, 62, true}, {64, 63, false}, {64, 255, false}} {
			body := make([]byte, c.payload)
			body[c.payload-2], body[c.payload-1] = byte(c.padLength), protocolTCP
			frame := header(t.src, t.dst, esp.ProtocolESP, esp.Overhead+c.payload)
			frame = binary.BigEndian.AppendUint32(frame, t.spi)
			frame = binary.BigEndian.AppendUint32(frame, 99)
			frame = append(append(append(frame, make([]byte, esp.IVLen)...), body...), make([]byte, esp.ICVLen)...)
			if err := t.peer.SealInPlace(frame, t.espOffset(), 0); err != nil {
				return err
			}
			r, err := h.receiveOne(ctx, frame)
			if err != nil {
				return err
			}
			if c.good {
				err = r.good(frame, t.handle, t.peer)
			} else {
				err = r.failed(frame, t.handle, wordSyntax)
			}
			if err != nil {
				return fmt.Errorf("a Pad Length of %d in a payload of %d: %w", c.padLength, c.payload, err)
			}
		}
		return nil
	})
}

// receiveFragments sends fragments of an ESP packet of a known SA.
func receiveFragments(ctx context.Context, b *Bench) error {
	h, err := b.open(ctx, driver.Options{})
	if err != nil {
		return err
	}
	t, err := h.start(ctx, newFlow(spiIn, true, false, 16))
	if err != nil {
		return err
	}
	wire, err := t.sealed(t.plain(400, 1))
	if err != nil {
		return err
	}
	const moreFragments = 0x2000
	for what, field := range map[string]uint16{"first": moreFragments, "middle": moreFragments | 10, "last": 20} {
		fragment := bytes.Clone(wire)
		binary.BigEndian.PutUint16(fragment[ethernetLen+6:], field)
		fixChecksum(fragment)
		r, err := h.receiveOne(ctx, fragment)
		if err != nil {
			return err
		}
		if err := r.untouched(fragment); err != nil {
			return fmt.Errorf("%s fragment: %w", what, err)
		}
	}
	// IPv6: a fragment header in front of ESP.
	t6, err := h.start(ctx, newFlow(spiIn, true, true, 16))
	if err != nil {
		return err
	}
	wire6, err := t6.sealed(t6.plain(400, 1))
	if err != nil {
		return err
	}
	fragment := withExtension(wire6, 44, []byte{0, 0, 0, 1, 0, 0, 0, 7})
	r, err := h.receiveOne(ctx, fragment)
	if err != nil {
		return err
	}
	if err := r.untouched(fragment); err != nil {
		return fmt.Errorf("IPv6 fragment: %w", err)
	}
	return t.carries(ctx, h)
}

// withExtension is an IPv6 frame with an extension header put in front of what
// follows the IPv6 header.
func withExtension(frame []byte, number byte, extension []byte) []byte {
	at := ethernetLen + 40
	extension = bytes.Clone(extension)
	extension[0] = frame[ethernetLen+6]
	out := append(append(bytes.Clone(frame[:at]), extension...), frame[at:]...)
	out[ethernetLen+6] = number
	binary.BigEndian.PutUint16(out[ethernetLen+4:], uint16(len(out)-at))
	return out
}

// receiveAll sends the shortest ESP packets back to back, over many SAs.
func receiveAll(ctx context.Context, b *Bench) error {
	h, err := b.open(ctx, driver.Options{})
	if err != nil {
		return err
	}
	caps := h.Capabilities()
	n := b.count(1_000_000, 1_000_000, 10_000)
	flows := caps.SACapacity
	ts := make([]*traffic, flows)
	wires := make([][]byte, flows)
	for i := range ts {
		if ts[i], err = h.start(ctx, newFlow(spiIn+uint32(i), true, i%2 == 1, []int{16, 24, 32}[i%3])); err != nil {
			return err
		}
		// A TCP header alone.
		if wires[i], err = ts[i].sealed(ts[i].plain(0, uint32(i))); err != nil {
			return err
		}
	}
	return h.stream(ctx, n, func(i int) []byte { return wires[i%flows] }, func(i int, r received) error {
		if i < flows {
			return r.good(wires[i], ts[i].handle, ts[i].peer)
		}
		if r.slot1 != wordGood || r.SA != ts[i%flows].handle {
			return fmt.Errorf("slot 1 is %#08x and the SA %v", r.slot1, r.SA)
		}
		return nil
	})
}

// receiveCorrupted sends randomly damaged packets and counts indications: each
// frame must come back, judged as the golden model judges it.
func receiveCorrupted(ctx context.Context, b *Bench) error {
	h, err := b.open(ctx, driver.Options{})
	if err != nil {
		return err
	}
	n := b.count(1_000_000, 1_000_000, 10_000)
	byPeer := map[*esp.SA]driver.Handle{}
	var peers []*esp.SA
	var wires [][]byte
	for _, ipv6 := range []bool{false, true} {
		t, err := h.start(ctx, newFlow(spiIn, true, ipv6, 16))
		if err != nil {
			return err
		}
		byPeer[t.peer] = t.handle
		peers = append(peers, t.peer)
		for _, size := range []int{0, 30, 200} {
			wire, err := t.sealed(t.plain(size, 1))
			if err != nil {
				return err
			}
			wires = append(wires, wire)
		}
	}
	lookup := func(s *esp.Selector) *esp.SA {
		for _, p := range peers {
			dst := p.Dst().AsSlice()
			if s.SPI == p.SPI() && s.IPv6 == p.Dst().Is6() && bytes.Equal(s.Dst[:len(dst)], dst) &&
				bytes.Equal(s.Src[:len(dst)], p.Src().AsSlice()) {
				return p
			}
		}
		return nil
	}
	rng := rand.New(rand.NewPCG(1, 2))
	underWay := make([][]byte, window)
	return h.stream(ctx, n, func(i int) []byte {
		underWay[i%window] = corrupt(underWay[i%window][:0], wires[i%len(wires)], rng)
		return underWay[i%window]
	}, func(i int, r received) error {
		wire := underWay[i%window]
		right, verdict := esp.Open(nil, wire, lookup)
		switch {
		case r.slot1 != verdict.Word1() || r.slot12 != verdict.Word12():
			return fmt.Errorf("slot 1 is %#08x and slot 12 %#08x, right are %#08x and %#08x", r.slot1, r.slot12, verdict.Word1(), verdict.Word12())
		case r.SA != byPeer[verdict.SA]:
			return fmt.Errorf("the packet is said to belong to SA %v, right is %v", r.SA, byPeer[verdict.SA])
		case !bytes.Equal(r.frame, right):
			return fmt.Errorf("frame of %d bytes is wrong at byte %d", len(wire), firstDifference(r.frame, right))
		}
		return nil
	})
}

// corrupt appends a damaged frame to out: some bytes changed, cut off or added,
// and still a frame that a MAC takes.
func corrupt(out, frame []byte, rng *rand.Rand) []byte {
	out = append(out, frame...)
	switch rng.IntN(4) {
	case 0:
		out = out[:ethernetLen+rng.IntN(len(out)-ethernetLen)]
	case 1:
		for range 1 + rng.IntN(40) {
			out = append(out, byte(rng.Uint32()))
		}
	}
	for range rng.IntN(4) {
		out[rng.IntN(len(out))] ^= byte(1 + rng.IntN(255))
	}
	return out
}

// receiveReplayed sends one packet three times.
func receiveReplayed(ctx context.Context, b *Bench) error {
	return openInbound(ctx, b, func(h *host, t *traffic) error {
		wire, err := t.sealed(t.plain(123, 1))
		if err != nil {
			return err
		}
		all, err := h.receive(ctx, wire, wire, wire)
		if err != nil {
			return err
		}
		for i := range all {
			if err := all[i].good(wire, t.handle, t.peer); err != nil {
				return fmt.Errorf("time %d: %w", i+1, err)
			}
		}
		return nil
	})
}

// receiveReservedBits sends packets with every outcome there is; that no word
// has a reserved bit is checked wherever frames are received.
func receiveReservedBits(ctx context.Context, b *Bench) error {
	return openInbound(ctx, b, func(h *host, t *traffic) error {
		good, err := t.sealed(t.plain(60, 1))
		if err != nil {
			return err
		}
		bad := bytes.Clone(good)
		bad[len(bad)-1] ^= 1
		unknown := bytes.Clone(good)
		unknown[t.espOffset()] ^= 1
		frames := [][]byte{good, bad, unknown, withLength(good, t.ipv6, len(good)-ethernetLen-1), t.plain(60, 2)}
		all, err := h.receive(ctx, frames...)
		if err != nil {
			return err
		}
		for i, want := range []uint32{wordGood, wordTransportFailed, 0, wordSyntax, 0} {
			if got := all[i].slot1; got != want {
				return fmt.Errorf("frame %d: slot 1 is %#08x, right is %#08x", i+1, got, want)
			}
		}
		return nil
	})
}

// receiveHygiene damages a packet with a striking plaintext and looks for it in
// all of the host's memory for frames.
func receiveHygiene(ctx context.Context, b *Bench) error {
	return openInbound(ctx, b, func(h *host, t *traffic) error {
		plain := t.plain(1000, 1)
		wire, err := t.sealed(plain)
		if err != nil {
			return err
		}
		wire[len(wire)-7] ^= 0x20
		// Give the NIC memory that holds nothing of the plaintext.
		var buffers []*driver.Buffer
		for buffer := h.pool.Get(); buffer != nil; buffer = h.pool.Get() {
			clear(buffer.Bytes())
			buffers = append(buffers, buffer)
		}
		r, err := h.receiveOne(ctx, wire)
		if err != nil {
			return err
		}
		if err := r.failed(wire, t.handle, wordTransportFailed); err != nil {
			return err
		}
		for _, buffer := range append(buffers, r.Buffer) {
			memory := buffer.Bytes()
			for at := len(plain) - 1000; at+8 <= len(plain); at += 8 {
				if i := bytes.Index(memory, plain[at:at+8]); i >= 0 {
					return fmt.Errorf("8 bytes of plaintext are in host memory, %d bytes into a buffer", i)
				}
			}
		}
		for _, buffer := range buffers {
			if err := h.pool.Put(buffer); err != nil {
				return err
			}
		}
		return nil
	})
}
