// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/hwmodel/esp"
)

// Addresses behind the tunnel's ends.
var (
	inner4 = [2]netip.Addr{netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("203.0.113.9")}
	inner6 = [2]netip.Addr{netip.MustParseAddr("2001:db8:1::7"), netip.MustParseAddr("2001:db8:2::9")}
)

// innerSegment is a packet for a tunnel.
func innerSegment(ipv6 bool, size int, seed uint32) []byte {
	if ipv6 {
		return segment(inner6[0], inner6[1], size, seed)
	}
	return segment(inner4[0], inner4[1], size, seed)
}

// tunnel sends and receives each IP version in each.
func tunnel(ctx context.Context, b *Bench) error {
	h, err := b.open(ctx, driver.Options{})
	if err != nil {
		return err
	}
	spi := uint32(0x3000)
	for _, outer := range []bool{false, true} {
		for _, inner := range []bool{false, true} {
			out, in := newFlow(spi, false, outer, 16), newFlow(spi+1, true, outer, 32)
			out.tunnel, in.tunnel = true, true
			spi += 2
			sender, err := h.start(ctx, out)
			if err != nil {
				return err
			}
			receiver, err := h.start(ctx, in)
			if err != nil {
				return err
			}
			for size := range 20 {
				if err := tunnelBothWays(ctx, h, sender, receiver, innerSegment(inner, size*61, uint32(size))); err != nil {
					return fmt.Errorf("%s in %s: %w", family(inner), family(outer), err)
				}
			}
		}
	}
	return nil
}

func tunnelBothWays(ctx context.Context, h *host, sender, receiver *traffic, plain []byte) error {
	framed, err := sender.framed(plain)
	if err != nil {
		return err
	}
	left, err := h.sendGood(ctx, framed)
	if err != nil {
		return err
	}
	if err := sender.accept(left[0], framed, plain); err != nil {
		return err
	}
	wire, err := receiver.sealed(plain)
	if err != nil {
		return err
	}
	bad := bytes.Clone(wire)
	bad[len(bad)-1] ^= 0x80
	all, err := h.receive(ctx, wire, bad)
	if err != nil {
		return err
	}
	if err := all[0].good(wire, receiver.handle, receiver.peer); err != nil {
		return err
	}
	return all[1].failed(bad, receiver.handle, wordTunnelFailed)
}

// singleLayer receives packets with one IPsec layer in every mode.
func singleLayer(ctx context.Context, b *Bench) error {
	h, err := b.open(ctx, driver.Options{})
	if err != nil {
		return err
	}
	return bothFamilies(func(ipv6 bool) error {
		for i, mode := range []bool{false, true} {
			f := newFlow(spiIn+uint32(i), true, ipv6, 16)
			f.tunnel = mode
			t, err := h.start(ctx, f)
			if err != nil {
				return err
			}
			for size := range 30 {
				plain := t.plain(size*31, uint32(size))
				if mode {
					plain = innerSegment(ipv6, size*31, uint32(size))
				}
				wire, err := t.sealed(plain)
				if err != nil {
					return err
				}
				r, err := h.receiveOne(ctx, wire)
				if err != nil {
					return err
				}
				if r.IPsec.NextCryptoDone {
					return fmt.Errorf("NextCryptoDone is set on a packet with one layer")
				}
				if err := r.good(wire, t.handle, t.peer); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// nestedOuterOnly sends transport ESP inside tunnel ESP to a NIC that has an SA
// for each: it processes the outer layer and leaves the inner one alone.
func nestedOuterOnly(ctx context.Context, b *Bench) error {
	h, err := b.open(ctx, driver.Options{})
	if err != nil {
		return err
	}
	return bothFamilies(func(ipv6 bool) error {
		outer := newFlow(spiIn, true, ipv6, 16)
		outer.tunnel = true
		inner := newFlow(spiIn+1, true, ipv6, 16)
		inner.src, inner.dst = inner4[0], inner4[1]
		if ipv6 {
			inner.src, inner.dst = inner6[0], inner6[1]
		}
		to, err := h.start(ctx, outer)
		if err != nil {
			return err
		}
		ti, err := h.start(ctx, inner)
		if err != nil {
			return err
		}
		encrypted, err := ti.sealed(ti.plain(200, 1))
		if err != nil {
			return err
		}
		wire, err := to.sealed(encrypted)
		if err != nil {
			return err
		}
		r, err := h.receiveOne(ctx, wire)
		if err != nil {
			return err
		}
		// good compares with the golden model, which knows the outer SA only: the
		// inner ESP packet is still encrypted.
		if err := r.good(wire, to.handle, to.peer); err != nil {
			return err
		}
		if at := bytes.Index(r.frame, encrypted[ethernetLen:]); at < 0 {
			return fmt.Errorf("the inner packet is not what it was before the tunnel")
		}
		return nil
	})
}

// esnAuthenticated changes the upper half of the sequence number, which is not
// on the wire.
func esnAuthenticated(ctx context.Context, b *Bench) error {
	h, err := b.open(ctx, driver.Options{})
	if err != nil {
		return err
	}
	return bothFamilies(func(ipv6 bool) error {
		out, in, without := newFlow(spiOut, false, ipv6, 16), newFlow(spiIn, true, ipv6, 16), newFlow(spiOut+1, false, ipv6, 16)
		out.esn, out.hi, in.esn, in.hi = true, 0x11223344, true, 5
		sender, err := h.start(ctx, out)
		if err != nil {
			return err
		}
		receiver, err := h.start(ctx, in)
		if err != nil {
			return err
		}
		plainSender, err := h.start(ctx, without)
		if err != nil {
			return err
		}
		plain := sender.plain(100, 1)
		var lengths []int
		for _, t := range []*traffic{sender, plainSender} {
			framed, err := t.framed(plain)
			if err != nil {
				return err
			}
			left, err := h.sendGood(ctx, framed)
			if err != nil {
				return err
			}
			if err := t.accept(left[0], framed, plain); err != nil {
				return err
			}
			lengths = append(lengths, len(left[0]))
			// The peer that believes in another upper half must refuse it.
			if _, v := esp.Open(nil, left[0], func(*esp.Selector) *esp.SA { return t.peer.WithESNHi(t.hi ^ 1<<9) }); t.esn && v.Class != esp.AuthFailed {
				return fmt.Errorf("the upper half is not authenticated: the peer's verdict with another one is %v", v.Class)
			}
		}
		if lengths[0] != lengths[1] {
			return fmt.Errorf("a packet has %d bytes with ESN and %d without", lengths[0], lengths[1])
		}
		for _, c := range []struct {
			hi   uint32
			word uint32
		}{{5, wordGood}, {4, wordTransportFailed}, {6, wordTransportFailed}, {5 | 1<<31, wordTransportFailed}, {0, wordTransportFailed}} {
			wire, err := receiver.sealedAs(receiver.plain(64, 7), uint64(c.hi)<<32|1000)
			if err != nil {
				return err
			}
			r, err := h.receiveOne(ctx, wire)
			if err != nil {
				return err
			}
			if c.word == wordGood {
				err = r.good(wire, receiver.handle, receiver.peer)
			} else {
				err = r.failed(wire, receiver.handle, c.word)
			}
			if err != nil {
				return fmt.Errorf("upper half %#x, the SA has 5: %w", c.hi, err)
			}
		}
		return nil
	})
}

// esnWrap receives packets on both sides of a wrap of the lower half: those of
// the other upper half fail, as there is no retry.
func esnWrap(ctx context.Context, b *Bench) error {
	h, err := b.open(ctx, driver.Options{})
	if err != nil {
		return err
	}
	return bothFamilies(func(ipv6 bool) error {
		f := newFlow(spiIn, true, ipv6, 16)
		f.esn, f.hi = true, 5
		t, err := h.start(ctx, f)
		if err != nil {
			return err
		}
		const around = 50
		good := 0
		for i := -around; i < around; i++ {
			sequence := uint64(6<<32 + int64(i))
			wire, err := t.sealedAs(t.plain(30, 1), sequence)
			if err != nil {
				return err
			}
			r, err := h.receiveOne(ctx, wire)
			if err != nil {
				return err
			}
			if sequence>>32 == 5 {
				good++
				err = r.good(wire, t.handle, t.peer)
			} else {
				err = r.failed(wire, t.handle, wordTransportFailed)
			}
			if err != nil {
				return fmt.Errorf("sequence number %#x, the SA's upper half is 5: %w", sequence, err)
			}
		}
		if good != around {
			return fmt.Errorf("%d of %d packets were good, right are %d", good, 2*around, around)
		}
		return nil
	})
}

// ipParity makes the same things happen over IPv4 and IPv6 and compares what
// the NIC says.
func ipParity(ctx context.Context, b *Bench) error {
	h, err := b.open(ctx, driver.Options{})
	if err != nil {
		return err
	}
	var outcomes [2][]string
	for i, ipv6 := range []bool{false, true} {
		if outcomes[i], err = outcomesOver(ctx, h, ipv6); err != nil {
			return fmt.Errorf("%s: %w", family(ipv6), err)
		}
	}
	for i := range outcomes[0] {
		if outcomes[0][i] != outcomes[1][i] {
			return fmt.Errorf("over IPv4: %s; over IPv6: %s", outcomes[0][i], outcomes[1][i])
		}
	}
	return nil
}

// outcomesOver is what happens over one IP version, in words that do not name it.
func outcomesOver(ctx context.Context, h *host, ipv6 bool) (outcomes []string, err error) {
	caps := h.Capabilities()
	for mode := range 4 {
		for _, keyLen := range caps.KeyLengths() {
			spi := uint32(0x4000 + 64*mode + 2*keyLen)
			out, in := newFlow(spi, false, ipv6, keyLen), newFlow(spi+1, true, ipv6, keyLen)
			for _, f := range []*flow{&out, &in} {
				f.tunnel, f.esn = mode&1 != 0, mode&2 != 0
				if f.esn {
					f.hi = 9
				}
			}
			sender, err := h.start(ctx, out)
			if err != nil {
				return nil, err
			}
			receiver, err := h.start(ctx, in)
			if err != nil {
				return nil, err
			}
			plain := innerSegment(ipv6, 150, 1)
			if !out.tunnel {
				plain = out.plain(150, 1)
			}
			framed, err := sender.framed(plain)
			if err != nil {
				return nil, err
			}
			if framed.sa = 0xABCD; mode == 0 {
				results, _, err := h.send(ctx, framed)
				if err != nil {
					return nil, err
				}
				outcomes = append(outcomes, fmt.Sprintf("unknown handle: %v", results[0]))
			}
			framed.sa = sender.handle
			left, err := h.sendGood(ctx, framed)
			if err != nil {
				return nil, err
			}
			outcomes = append(outcomes, fmt.Sprintf("mode %d, AES-%d, send: %v", mode, 8*keyLen, sender.accept(left[0], framed, plain)))

			if !out.tunnel {
				plain = in.plain(150, 1)
			}
			wire, err := receiver.sealed(plain)
			if err != nil {
				return nil, err
			}
			damaged, foreign := bytes.Clone(wire), bytes.Clone(wire)
			damaged[len(damaged)-1] ^= 1
			binary.BigEndian.PutUint32(foreign[in.espOffset():], 0x7777)
			for what, frame := range [][]byte{wire, damaged, foreign, withLength(wire, ipv6, len(wire)-ethernetLen-2)} {
				r, err := h.receiveOne(ctx, frame)
				if err != nil {
					return nil, err
				}
				outcomes = append(outcomes, fmt.Sprintf("mode %d, AES-%d, packet %d: slot 1 %#08x, SA %v, touched %v",
					mode, 8*keyLen, what, r.slot1, r.SA != 0, !bytes.Equal(r.frame, frame)))
			}
		}
	}
	return outcomes, nil
}
