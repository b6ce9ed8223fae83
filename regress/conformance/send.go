// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/hwmodel/esp"
)

// bothFamilies calls f for IPv4 and for IPv6.
func bothFamilies(f func(ipv6 bool) error) error {
	for _, ipv6 := range []bool{false, true} {
		if err := f(ipv6); err != nil {
			return fmt.Errorf("%s: %w", family(ipv6), err)
		}
	}
	return nil
}

// sendTransport sends TCP segments of every length that fits an Ethernet frame.
func sendTransport(ctx context.Context, b *Bench) error {
	const longest = 1460
	h, err := b.open(ctx, driver.Options{})
	if err != nil {
		return err
	}
	lengths := longest + 1
	return bothFamilies(func(ipv6 bool) error {
		t, err := h.start(ctx, newFlow(spiOut, false, ipv6, 16))
		if err != nil {
			return err
		}
		var plains [][]byte
		var outs []outgoing
		for i := range lengths {
			// Evenly spread, with both ends.
			size := i * longest / (lengths - 1)
			plain := t.plain(size, uint32(i))
			out, err := t.framed(plain)
			if err != nil {
				return err
			}
			plains, outs = append(plains, plain), append(outs, out)
		}
		left, err := h.sendGood(ctx, outs...)
		if err != nil {
			return err
		}
		for i, wire := range left {
			if err := t.accept(wire, outs[i], plains[i]); err != nil {
				return fmt.Errorf("payload of %d bytes: %w", len(plains[i])-len(t.plain(0, 0)), err)
			}
		}
		return nil
	})
}

// sendAlgorithms compares what leaves with the golden model bit for bit, for each
// key length that the NIC states.
func sendAlgorithms(ctx context.Context, b *Bench) error {
	h, err := b.open(ctx, driver.Options{})
	if err != nil {
		return err
	}
	caps := h.Capabilities()
	lengths := caps.KeyLengths()
	if len(lengths) == 0 {
		return fmt.Errorf("the NIC states no AES-GCM key length")
	}
	return bothFamilies(func(ipv6 bool) error {
		for _, keyLen := range lengths {
			t, err := h.start(ctx, newFlow(spiOut+uint32(keyLen), false, ipv6, keyLen))
			if err != nil {
				return err
			}
			for size := range 40 {
				out, err := t.framed(t.plain(size*3, uint32(size)))
				if err != nil {
					return err
				}
				left, err := h.sendGood(ctx, out)
				if err != nil {
					return err
				}
				right := bytes.Clone(out.frame)
				if err := t.peer.SealInPlace(right, out.espOffset, 0); err != nil {
					return err
				}
				if i := firstDifference(left[0], right); i < len(right) {
					return fmt.Errorf("AES-GCM-%d, %d bytes: byte %d on the wire is wrong", 8*keyLen, len(right), i)
				}
			}
		}
		return nil
	})
}

// sendUnprotected sends frames without a handle, one of which looks like ESP.
func sendUnprotected(ctx context.Context, b *Bench) error {
	h, err := b.open(ctx, driver.Options{})
	if err != nil {
		return err
	}
	t, err := h.start(ctx, newFlow(spiOut, false, false, 16))
	if err != nil {
		return err
	}
	like, err := t.framed(t.plain(100, 1))
	if err != nil {
		return err
	}
	for _, frame := range [][]byte{like.frame, t.plain(0, 2), t.plain(700, 3), segment(local6, remote6, 9, 4)} {
		left, err := h.sendGood(ctx, outgoing{frame: frame})
		if err != nil {
			return err
		}
		if !bytes.Equal(left[0], frame) {
			return fmt.Errorf("a frame of %d bytes without a handle was changed at byte %d", len(frame), firstDifference(left[0], frame))
		}
	}
	return nil
}

// sendList hands seven packets over at once.
func sendList(ctx context.Context, b *Bench) error {
	h, err := b.open(ctx, driver.Options{})
	if err != nil {
		return err
	}
	t, err := h.start(ctx, newFlow(spiOut, false, false, 16))
	if err != nil {
		return err
	}
	var plains [][]byte
	var outs []outgoing
	for i, size := range []int{1, 1400, 64, 0, 333, 15, 900} {
		plains = append(plains, t.plain(size, uint32(i)))
		out, err := t.framed(plains[i])
		if err != nil {
			return err
		}
		outs = append(outs, out)
	}
	left, err := h.sendGood(ctx, outs...)
	if err != nil {
		return err
	}
	for i := range left {
		if err := t.accept(left[i], outs[i], plains[i]); err != nil {
			return fmt.Errorf("packet %d of %d: %w", i+1, len(outs), err)
		}
	}
	return nil
}

// failsSilently checks that a send ends with a status and that nothing leaves.
func (h *host) failsSilently(ctx context.Context, what string, out outgoing, want driver.Status) error {
	outcomes, left, err := h.send(ctx, out)
	var ended *sendError
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", what, err)
	case !errors.As(outcomes[0], &ended) || ended.status != want:
		return fmt.Errorf("%s: the send ended with %v, right is %v", what, outcomes[0], want)
	case len(left) != 0:
		return fmt.Errorf("%s: a frame left", what)
	}
	return nil
}

// sendUnknownHandle names SAs that do not exist, or are not for sending.
func sendUnknownHandle(ctx context.Context, b *Bench) error {
	h, err := b.open(ctx, driver.Options{})
	if err != nil {
		return err
	}
	t, err := h.start(ctx, newFlow(spiOut, false, false, 16))
	if err != nil {
		return err
	}
	in, err := h.start(ctx, newFlow(spiIn, true, false, 16))
	if err != nil {
		return err
	}
	out, err := t.framed(t.plain(80, 1))
	if err != nil {
		return err
	}
	for what, handle := range map[string]driver.Handle{
		"another slot": t.handle + 7, "another generation": t.handle + 1<<16, "generation 0": t.handle & 0xFFFF,
		"slot beyond the table": t.handle | 0xFFFF, "inbound SA": in.handle, "random": 0xDEADBEEF,
	} {
		if handle == 0 {
			continue // no handle: another row
		}
		out.sa = handle
		if err := h.failsSilently(ctx, what, out, driver.StaleHandle); err != nil {
			return err
		}
	}
	out.sa = t.handle
	_, err = h.sendGood(ctx, out)
	return err
}

// withOptions is an IPv4 frame with words 32-bit words of options (NOP) put in.
func withOptions(frame []byte, words int) []byte {
	out := bytes.Clone(frame[:ethernetLen+20])
	for range 4 * words {
		out = append(out, 1)
	}
	out = append(out, frame[ethernetLen+20:]...)
	out[ethernetLen] += byte(words)
	binary.BigEndian.PutUint16(out[ethernetLen+2:], binary.BigEndian.Uint16(out[ethernetLen+2:])+uint16(4*words))
	fixChecksum(out)
	return out
}

// sendOffsets gives the ESP header's place, right and wrong.
func sendOffsets(ctx context.Context, b *Bench) error {
	h, err := b.open(ctx, driver.Options{})
	if err != nil {
		return err
	}
	v4, err := h.start(ctx, newFlow(spiOut, false, false, 16))
	if err != nil {
		return err
	}
	v6, err := h.start(ctx, newFlow(spiOut+1, false, true, 16))
	if err != nil {
		return err
	}
	// Offsets 5, 6 and 10 in 32-bit words from the IP header.
	for _, c := range []struct {
		t     *traffic
		plain []byte
		words int
	}{{v4, v4.plain(50, 1), 5}, {v4, withOptions(v4.plain(50, 2), 1), 6}, {v6, v6.plain(50, 3), 10}} {
		out, err := c.t.framed(c.plain)
		if err != nil {
			return err
		}
		if out.espOffset != ethernetLen+4*c.words {
			return fmt.Errorf("the host framed ESP at byte %d, %d was meant", out.espOffset, ethernetLen+4*c.words)
		}
		left, err := h.sendGood(ctx, out)
		if err != nil {
			return err
		}
		right := bytes.Clone(out.frame)
		if err := c.t.peer.SealInPlace(right, out.espOffset, 0); err != nil {
			return err
		}
		if i := firstDifference(left[0], right); i < len(right) {
			return fmt.Errorf("offset of %d words: byte %d on the wire is wrong", c.words, i)
		}
	}
	out, err := v4.framed(v4.plain(50, 4))
	if err != nil {
		return err
	}
	for _, c := range []struct {
		offset int
		want   driver.Status
	}{
		{0, driver.BadOffset}, {ethernetLen + 16, driver.BadOffset}, {33, driver.BadOffset},
		{len(out.frame) - 35, driver.BadLength}, {len(out.frame), driver.BadLength}, {2047, driver.BadLength}, {35, driver.BadLength},
	} {
		out.espOffset = c.offset
		if err := h.failsSilently(ctx, fmt.Sprintf("offset %d in a frame of %d bytes", c.offset, len(out.frame)), out, c.want); err != nil {
			return err
		}
	}
	return nil
}

// sendOrder mixes protected and unprotected frames.
func sendOrder(ctx context.Context, b *Bench) error {
	h, err := b.open(ctx, driver.Options{})
	if err != nil {
		return err
	}
	t, err := h.start(ctx, newFlow(spiOut, false, false, 16))
	if err != nil {
		return err
	}
	const n = 1000
	var plains [][]byte
	var outs []outgoing
	for i := range n {
		// Long protected frames between short ones in the clear.
		plain := t.plain(i*37%1400, uint32(i))
		out := outgoing{frame: plain}
		if i%3 != 1 {
			if out, err = t.framed(plain); err != nil {
				return err
			}
		}
		plains, outs = append(plains, plain), append(outs, out)
	}
	left, err := h.sendGood(ctx, outs...)
	if err != nil {
		return err
	}
	for i, wire := range left {
		if outs[i].sa == 0 {
			if !bytes.Equal(wire, plains[i]) {
				return fmt.Errorf("frame %d on the wire is not the one submitted as %d", i, i)
			}
		} else if err := t.accept(wire, outs[i], plains[i]); err != nil {
			return fmt.Errorf("frame %d on the wire: %w", i, err)
		}
	}
	return nil
}

// sendSequence sends repeated and descending sequence numbers.
func sendSequence(ctx context.Context, b *Bench) error {
	h, err := b.open(ctx, driver.Options{})
	if err != nil {
		return err
	}
	t, err := h.start(ctx, newFlow(spiOut, false, false, 16))
	if err != nil {
		return err
	}
	for i, sequence := range []uint64{7, 7, 3, 1<<32 - 1, 0, 1} {
		plain := t.plain(60, uint32(i))
		out, err := t.framedAs(plain, sequence)
		if err != nil {
			return err
		}
		left, err := h.sendGood(ctx, out)
		if err != nil {
			return err
		}
		if got := esp.Sequence(left[0][out.espOffset:]); uint64(got) != sequence {
			return fmt.Errorf("the host wrote sequence number %d, on the wire is %d", sequence, got)
		}
		if err := t.accept(left[0], out, plain); err != nil {
			return err
		}
	}
	return nil
}

// sendUniqueIV looks at the IVs of many sends, between which the host encrypts
// packets of the same SA by itself, as for those that need fragmentation.
func sendUniqueIV(ctx context.Context, b *Bench) error {
	h, err := b.open(ctx, driver.Options{})
	if err != nil {
		return err
	}
	n := b.count(1_000_000, 1_000_000, 10_000)
	t, err := h.start(ctx, newFlow(spiOut, false, false, 16))
	if err != nil {
		return err
	}
	seen := make(map[uint64]bool, n+n/16)
	note := func(wire []byte, offset int) error {
		iv := binary.BigEndian.Uint64(wire[offset+esp.HeaderLen:])
		if seen[iv] {
			return fmt.Errorf("IV %#016x is used twice under one key", iv)
		}
		seen[iv] = true
		return nil
	}
	plain := t.plain(4, 1)
	outs := make([]outgoing, 0, window)
	for done := 0; done < n; done += len(outs) {
		outs = outs[:0]
		for len(outs) < min(window, n-done) {
			if t.last%16 == 9 {
				own, err := t.sealed(plain)
				if err != nil {
					return err
				}
				if err := note(own, ethernetLen+20); err != nil {
					return err
				}
			}
			out, err := t.framed(plain)
			if err != nil {
				return err
			}
			outs = append(outs, out)
		}
		left, err := h.sendGood(ctx, outs...)
		if err != nil {
			return err
		}
		for i, wire := range left {
			if err := note(wire, outs[i].espOffset); err != nil {
				return err
			}
		}
	}
	return nil
}

// sendFailClosed sends with a handle while IPsec is off.
func sendFailClosed(ctx context.Context, b *Bench) error {
	h, err := b.open(ctx, driver.Options{})
	if err != nil {
		return err
	}
	t, err := h.start(ctx, newFlow(spiOut, false, false, 16))
	if err != nil {
		return err
	}
	plain := t.plain(120, 1)
	out, err := t.framed(plain)
	if err != nil {
		return err
	}
	if err := h.SetIPsec(false); err != nil {
		return err
	}
	if err := h.failsSilently(ctx, "IPsec off", out, driver.OffloadOff); err != nil {
		return err
	}
	if err := h.SetIPsec(true); err != nil {
		return err
	}
	left, err := h.sendGood(ctx, out)
	if err != nil {
		return err
	}
	return t.accept(left[0], out, plain)
}
