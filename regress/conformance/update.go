// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/offload"
	"github.com/espalier-nic/espalier/hwmodel/esp"
)

// esnFlow is a flow with ESN.
func esnFlow(spi uint32, inbound, ipv6 bool, hi uint32) flow {
	f := newFlow(spi, inbound, ipv6, 16)
	f.esn, f.hi = true, hi
	return f
}

// update asks for another upper half, and has the peer use it from then on.
func (c *card) update(ctx context.Context, t *traffic, hi uint32) error {
	u := offload.UpdateSA{OffloadHandle: t.offload, Operation: offload.OperationESP, SPI: t.spi, SequenceNumberHighOrder: hi}
	if err := c.a.UpdateSA(ctx, u); err != nil {
		return err
	}
	t.hi, t.last = hi, uint64(hi)<<32|t.last&0xFFFFFFFF
	t.peer = t.peer.WithESNHi(hi)
	return nil
}

// updateESN receives a packet of the next upper half before and after UPDATE,
// and sends after it.
func updateESN(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	return bothFamilies(func(ipv6 bool) error {
		in, err := c.add(ctx, esnFlow(spiIn, true, ipv6, 5))
		if err != nil {
			return err
		}
		out, err := c.add(ctx, esnFlow(spiOut, false, ipv6, 5))
		if err != nil {
			return err
		}
		if err := c.works(ctx, in, out); err != nil {
			return err
		}
		wire, err := in.sealedAs(in.plain(64, 1), 6<<32|3)
		if err != nil {
			return err
		}
		r, err := c.receiveOne(ctx, wire)
		if err != nil {
			return err
		}
		if err := r.failed(wire, in.handle, wordTransportFailed); err != nil {
			return fmt.Errorf("upper half 6, the SA has 5: %w", err)
		}
		for _, t := range []*traffic{in, out} {
			if err := c.update(ctx, t, 6); err != nil {
				return err
			}
		}
		if r, err = c.receiveOne(ctx, wire); err != nil {
			return err
		}
		if err := r.good(wire, in.handle, in.peer); err != nil {
			return fmt.Errorf("after UPDATE to 6: %w", err)
		}
		return c.works(ctx, in, out)
	})
}

// updateRefused asks for updates that cannot be.
func updateRefused(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	plain, err := c.add(ctx, newFlow(spiIn, true, false, 16))
	if err != nil {
		return err
	}
	asked := map[string]offload.UpdateSA{
		"SA without ESN": {OffloadHandle: plain.offload, Operation: offload.OperationESP, SPI: plain.spi},
		"unknown handle": {OffloadHandle: plain.offload + 1000, Operation: offload.OperationESP, SPI: plain.spi},
		"handle 0":       {OffloadHandle: 0, Operation: offload.OperationESP, SPI: plain.spi},
	}
	var with *traffic
	if c.a.CurrentConfiguration().IPsecV2.ExtendedSequenceNumbers {
		if with, err = c.add(ctx, esnFlow(spiIn+1, true, false, 5)); err != nil {
			return err
		}
		for what, handle := range map[string]offload.OffloadHandle{"stale": with.offload + 1<<16, "foreign": with.offload + 1<<32} {
			asked[what] = offload.UpdateSA{OffloadHandle: handle, Operation: offload.OperationESP, SPI: with.spi, SequenceNumberHighOrder: 9}
		}
		asked["another SPI"] = offload.UpdateSA{OffloadHandle: with.offload, Operation: offload.OperationESP, SPI: with.spi + 1, SequenceNumberHighOrder: 9}
		asked["operation AH"] = offload.UpdateSA{OffloadHandle: with.offload, Operation: offload.OperationAH, SPI: with.spi, SequenceNumberHighOrder: 9}
		asked["operation 0"] = offload.UpdateSA{OffloadHandle: with.offload, SPI: with.spi, SequenceNumberHighOrder: 9}
	}
	for what, u := range asked {
		if err := refused(c.a.UpdateSA(ctx, u), offload.StatusInvalidParameter, ""); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	if with != nil {
		if err := c.works(ctx, with); err != nil {
			return fmt.Errorf("after refused updates: %w", err)
		}
	}
	return c.works(ctx, plain)
}

// updateAmongSends changes the upper half between sends: once when the earlier
// ones have been submitted and not yet posted, once when they are in the ring.
func updateAmongSends(ctx context.Context, b *Bench) error {
	const each = 100
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	for round, inRing := range []bool{false, true} {
		hi := uint32(5)
		t, err := c.add(ctx, esnFlow(spiOut+uint32(round), false, false, hi))
		if err != nil {
			return err
		}
		var outs []outgoing
		var plains [][]byte
		var packets []driver.TXPacket
		posted := 0
		for i := range 2 * each {
			sequence := uint64(hi+1)<<32 - each + uint64(i)
			plain := t.plain(i*13%900, uint32(i))
			out, err := t.framedAs(plain, sequence)
			if err != nil {
				return err
			}
			outs, plains = append(outs, out), append(plains, plain)
			if i == each {
				if inRing {
					if posted, err = c.tx.Post(packets); err != nil {
						return err
					}
				}
				u := offload.UpdateSA{OffloadHandle: t.offload, Operation: offload.OperationESP, SPI: t.spi, SequenceNumberHighOrder: hi + 1}
				if err := c.a.UpdateSA(ctx, u); err != nil {
					return err
				}
			}
			buffer := c.pool.Get()
			if buffer == nil {
				return errors.New("the host has no buffer left")
			}
			copy(buffer.Bytes(), out.frame)
			packet, err := c.prepare(buffer, &out)
			if err != nil {
				return err
			}
			packets = append(packets, packet)
		}
		n, err := c.tx.Post(packets[posted:])
		if err != nil || posted+n != len(packets) {
			return fmt.Errorf("posted %d of %d packets: %w", posted+n, len(packets), err)
		}
		statuses, err := c.complete(ctx, len(packets))
		if err != nil {
			return err
		}
		left, err := c.wire(ctx, len(packets))
		if err != nil {
			return err
		}
		for i := range left {
			if statuses[i] != driver.OK {
				return fmt.Errorf("send %d ended with %v", i, statuses[i])
			}
			if err := t.accept(left[i], outs[i], plains[i]); err != nil {
				return fmt.Errorf("sequence number %#x, updated when in the ring %v: %w", outs[i].sequence, inRing, err)
			}
		}
	}
	return nil
}

// deleteSA deletes a pair and looks for what is left of it.
func deleteSA(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	other, err := c.add(ctx, newFlow(0x800, true, true, 32))
	if err != nil {
		return err
	}
	before, err := c.port.Secrets()
	if err != nil {
		return err
	}
	out, in, err := c.pair(ctx)
	if err != nil {
		return err
	}
	if err := c.works(ctx, out, in); err != nil {
		return err
	}
	with, err := c.port.Secrets()
	if err != nil {
		return err
	}
	if with <= before {
		return fmt.Errorf("the back door sees %d secrets with two more SAs and %d without", with, before)
	}
	for i, t := range []*traffic{out, in} {
		if err := c.a.DeleteSA(ctx, t.offload); err != nil {
			return err
		}
		if err := c.holds(2 - i); err != nil {
			return err
		}
		if err := refused(c.a.DeleteSA(ctx, t.offload), offload.StatusInvalidParameter, "OffloadHandle"); err != nil {
			return fmt.Errorf("deleting again: %w", err)
		}
	}
	if err := c.idle(ctx, in); err != nil {
		return err
	}
	if err := c.refusesSend(ctx, out); err != nil {
		return err
	}
	after, err := c.port.Secrets()
	if err != nil {
		return err
	}
	if after != before {
		return fmt.Errorf("the back door sees %d secrets after DELETE, %d before ADD", after, before)
	}
	if err := c.unwritten(out, in, other); err != nil {
		return err
	}
	return c.works(ctx, other)
}

// deleteList deletes five SAs at once, then four among which is an unknown one.
func deleteList(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	for _, unknown := range []bool{false, true} {
		var flows []flow
		for i := range 5 {
			flows = append(flows, newFlow(0x800+uint32(i), true, i%2 == 0, 16))
		}
		all, err := c.addAll(ctx, flows)
		if err != nil {
			return err
		}
		var handles []offload.OffloadHandle
		for _, t := range all {
			handles = append(handles, t.offload)
		}
		gone := all
		if unknown {
			handles[2] += 1 << 16
			gone = []*traffic{all[0], all[1], all[3], all[4]}
		}
		err = c.a.DeleteSA(ctx, handles...)
		if unknown {
			err = refused(err, offload.StatusInvalidParameter, "OffloadHandle")
		}
		if err != nil {
			return fmt.Errorf("an unknown handle in the list %v: %w", unknown, err)
		}
		for _, t := range gone {
			if err := c.idle(ctx, t); err != nil {
				return err
			}
		}
		if unknown {
			if err := c.holds(1); err != nil {
				return err
			}
			return c.works(ctx, all[2])
		}
		if err := c.holds(0); err != nil {
			return err
		}
	}
	return nil
}

// deleteRequest asks the host for an SA back.
func deleteRequest(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	out, in, err := c.pair(ctx)
	if err != nil {
		return err
	}
	other, err := c.add(ctx, newFlow(spiIn+1, true, false, 16))
	if err != nil {
		return err
	}
	if err := c.works(ctx, in); err != nil { // with bit 0 clear
		return err
	}
	if err := c.a.RequestDelete(in.offload); err != nil {
		return err
	}
	for i := range 20 {
		if err := c.asksBack(ctx, in, i%3 == 2); err != nil {
			return err
		}
		// The other SAs and packets of no SA do not carry the bit.
		if err := c.works(ctx, out, other); err != nil {
			return err
		}
		plain := in.plain(50, uint32(i))
		r, err := c.receiveOne(ctx, plain)
		if err != nil {
			return err
		}
		if err := r.untouched(plain); err != nil {
			return err
		}
	}
	if err := c.a.DeleteSA(ctx, in.offload, out.offload); err != nil {
		return err
	}
	if err := c.idle(ctx, in); err != nil {
		return err
	}
	return c.works(ctx, other)
}

// asksBack receives a packet of an SA that is asked back, a damaged one if told
// so: it is processed as ever and has bit 0 set.
func (c *card) asksBack(ctx context.Context, t *traffic, damaged bool) error {
	wire, err := t.sealed(t.plain(50, uint32(t.last)))
	if err != nil {
		return err
	}
	if damaged {
		wire[len(wire)-1] ^= 1
	}
	r, err := c.receiveOne(ctx, wire)
	if err != nil {
		return err
	}
	if r.slot1&1 == 0 {
		return fmt.Errorf("slot 1 is %#08x: SaDeleteReq is not set", r.slot1)
	}
	r.slot1 &^= 1
	if damaged {
		return r.failed(wire, t.handle, wordTransportFailed)
	}
	return r.good(wire, t.handle, t.peer)
}

// neverDeletesItself goes on using an SA that is asked back and not deleted.
func neverDeletesItself(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	out, in, err := c.pair(ctx)
	if err != nil {
		return err
	}
	if err := c.a.RequestDelete(in.offload); err != nil {
		return err
	}
	n := b.count(100_000, 100_000, 5000)
	wires := make([][]byte, window)
	err = c.stream(ctx, n, func(i int) []byte {
		wires[i%window], _ = in.sealed(in.plain(20, uint32(i))) // nil is no frame and fails
		return wires[i%window]
	}, func(i int, r received) error {
		if r.slot1 != wordGood|1 {
			return fmt.Errorf("slot 1 is %#08x, right is %#08x", r.slot1, wordGood|1)
		}
		r.slot1 &^= 1
		return r.good(wires[i%window], in.handle, in.peer)
	})
	if err != nil {
		return err
	}
	if err := c.holds(2); err != nil {
		return err
	}
	return c.works(ctx, out)
}

// deleteAmongSends deletes an SA while sends under it are queued, and adds
// another one at once.
func deleteAmongSends(ctx context.Context, b *Bench) error {
	const sends, batch = 1000, 20
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	t, err := c.add(ctx, newFlow(spiOut, false, false, 16))
	if err != nil {
		return err
	}
	var outs []outgoing
	var plains [][]byte
	for i := range sends {
		plain := t.plain(i*17%800, uint32(i))
		out, err := t.framed(plain)
		if err != nil {
			return err
		}
		outs, plains = append(outs, out), append(plains, plain)
	}
	// Which send each frame on the wire must be, in order.
	var sent []int
	collect := func(first int, refusals []error, posted int) error {
		statuses, err := c.complete(ctx, posted)
		if err != nil {
			return err
		}
		for i, err := range refusals {
			if err != nil {
				if offload.StatusOf(err) != offload.StatusFailure {
					return fmt.Errorf("send %d: %w", first+i, err)
				}
				continue
			}
			switch statuses[0] {
			case driver.OK:
				sent = append(sent, first+i)
			case driver.StaleHandle:
			default:
				return fmt.Errorf("send %d ended with %v", first+i, statuses[0])
			}
			statuses = statuses[1:]
		}
		return nil
	}
	var deleting sync.WaitGroup
	var deletion error
	for i := 0; i < sends; i += batch {
		refusals, posted, err := c.post(outs[i : i+batch]...)
		if err != nil {
			return err
		}
		if i == sends/2 {
			deleting.Go(func() {
				if deletion = c.a.DeleteSA(ctx, t.offload); deletion == nil {
					_, deletion = c.add(ctx, newFlow(0xF0002, false, false, 16))
				}
			})
		}
		if err := collect(i, refusals, posted); err != nil {
			return err
		}
	}
	deleting.Wait()
	if deletion != nil {
		return deletion
	}
	left, err := c.wire(ctx, len(sent))
	if err != nil {
		return err
	}
	if err := c.silent(ctx); err != nil {
		return err
	}
	for n, i := range sent {
		if err := t.accept(left[n], outs[i], plains[i]); err != nil {
			return fmt.Errorf("send %d: %w", i, err)
		}
	}
	if len(sent) == 0 || len(sent) == sends {
		return fmt.Errorf("%d of %d sends succeeded: the deletion was not among them", len(sent), sends)
	}
	return c.refusesSend(ctx, t)
}

// slotReuse deletes an SA, adds another one in its place, and uses the old handle.
func slotReuse(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	all, err := c.fill(ctx)
	if err != nil {
		return err
	}
	old := all[4] // outbound
	for i := range 5 {
		if err := c.a.DeleteSA(ctx, old.offload); err != nil {
			return err
		}
		next, err := c.add(ctx, newFlow(0xF0010+uint32(i), false, old.ipv6, 16))
		if err != nil {
			return err
		}
		if next.handle.Slot() != old.handle.Slot() {
			return fmt.Errorf("the new SA is in slot %d, the only free one was %d", next.handle.Slot(), old.handle.Slot())
		}
		if err := c.refusesSend(ctx, old); err != nil {
			return fmt.Errorf("the old handle %v, the new SA is %v: %w", old.offload, next.offload, err)
		}
		// Behind the adapter's back: the NIC must refuse it by itself.
		out, err := old.framed(old.plain(30, 1))
		if err != nil {
			return err
		}
		if err := c.bypass(ctx, out, driver.StaleHandle); err != nil {
			return err
		}
		if err := refused(c.a.DeleteSA(ctx, old.offload), offload.StatusInvalidParameter, ""); err != nil {
			return err
		}
		if err := c.works(ctx, next); err != nil {
			return err
		}
		old = next
	}
	return nil
}

// bypass sends without the adapter.
func (c *card) bypass(ctx context.Context, out outgoing, want driver.Status) error {
	direct := *c.host
	direct.direct()
	return direct.failsSilently(ctx, "a send past the adapter", out, want)
}

// adapterUnknownHandle names SAs that do not exist to the adapter.
func adapterUnknownHandle(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	out, in, err := c.pair(ctx)
	if err != nil {
		return err
	}
	frame, err := out.framed(out.plain(60, 1))
	if err != nil {
		return err
	}
	for what, handle := range map[string]offload.OffloadHandle{
		"another slot": out.offload + 1000, "another generation": out.offload + 1<<16, "another adapter": out.offload + 1<<32,
		"the driver's handle": offload.OffloadHandle(out.handle), "inbound SA": in.offload, "random": 0x1234_5678_9ABC_DEF0,
	} {
		frame.offload = handle
		if err := c.refuses(ctx, frame, offload.StatusFailure); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	// A tunnel handle by itself is no send either.
	frame.offload = 0
	frame.info[offload.SlotIPsecTunnel] = uint64(out.offload)
	if err := c.refuses(ctx, frame, offload.StatusFailure); err != nil {
		return fmt.Errorf("slot 11 without slot 1: %w", err)
	}
	return c.works(ctx, out, in)
}

// adapterOffsets gives wrong places of ESP in slot 12.
func adapterOffsets(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	return bothFamilies(func(ipv6 bool) error {
		t, err := c.add(ctx, newFlow(spiOut, false, ipv6, 16))
		if err != nil {
			return err
		}
		if err := c.works(ctx, t); err != nil {
			return err
		}
		out, err := t.framed(t.plain(60, 1))
		if err != nil {
			return err
		}
		var wrong []outgoing
		for words := range 256 {
			if at := ethernetLen + 4*words; at != out.espOffset {
				wrong = append(wrong, out)
				wrong[len(wrong)-1].espOffset = at
			}
		}
		outcomes, left, err := c.send(ctx, wrong...)
		if err != nil {
			return err
		}
		if len(left) != 0 {
			return fmt.Errorf("%d packets left with a wrong offset", len(left))
		}
		for i, err := range outcomes {
			if offload.StatusOf(err) != offload.StatusFailure {
				return fmt.Errorf("offset of %d bytes, right are %d: the send ended with %v: %w",
					wrong[i].espOffset-ethernetLen, out.espOffset-ethernetLen, offload.StatusOf(err), err)
			}
		}
		return nil
	})
}

// nestedSendRefused asks for transport in tunnel of a NIC that does not state it.
func nestedSendRefused(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	inner, err := c.add(ctx, newFlow(spiOut, false, false, 16))
	if err != nil {
		return err
	}
	outer := newFlow(spiOut+1, false, false, 16)
	outer.tunnel = true
	to, err := c.add(ctx, outer)
	if err != nil {
		return err
	}
	out, err := inner.framed(inner.plain(60, 1))
	if err != nil {
		return err
	}
	out.info[offload.SlotIPsecTunnel] = uint64(to.offload)
	return c.refuses(ctx, out, offload.StatusFailure)
}

// lsoUnstated asks for large sends of a NIC that does not state them.
func lsoUnstated(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	if c.a.HardwareCapabilities().IPsecV2.LSOSupported {
		return errors.New("the record states LsoSupported and the NIC does not")
	}
	tunnelled := newFlow(spiOut+1, false, false, 16)
	tunnelled.tunnel = true
	for _, f := range []flow{newFlow(spiOut, false, false, 16), tunnelled} {
		t, err := c.add(ctx, f)
		if err != nil {
			return err
		}
		plain := t.plain(8000, 1)
		if f.tunnel {
			plain = innerSegment(false, 8000, 1)
		}
		out, err := t.framed(plain)
		if err != nil {
			return err
		}
		const mss, headerAt, lsoV2 = 1400, 50 << 20, 1 << 30
		out.info[offload.SlotLargeSend] = mss | headerAt | lsoV2
		if err := c.refuses(ctx, out, offload.StatusFailure); err != nil {
			return fmt.Errorf("with an SA in tunnel mode %v: %w", f.tunnel, err)
		}
		out.frame, out.offload = t.plain(8000, 1), 0
		if err := c.refuses(ctx, out, offload.StatusFailure); err != nil {
			return fmt.Errorf("without an SA: %w", err)
		}
	}
	return nil
}

// checksumUnstated asks for checksums of a NIC that does not state them.
func checksumUnstated(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	if flags := c.a.CurrentConfiguration().Flags; flags&(offload.IPsecWithTCPChecksum|offload.IPsecWithUDPChecksum) != 0 {
		return fmt.Errorf("flags are %#x: checksums with IPsec are stated", uint32(flags))
	}
	out, in, err := c.pair(ctx)
	if err != nil {
		return err
	}
	plain := out.plain(200, 1)
	frame, err := out.framed(plain)
	if err != nil {
		return err
	}
	const ipv4, tcp, ipHeader, tcpAt = 1, 4, 16, 50 << 16
	frame.info[offload.SlotChecksum] = ipv4 | tcp | ipHeader | tcpAt
	left, err := c.sendGood(ctx, frame)
	if err != nil {
		return err
	}
	// accept compares the TCP checksum too, which the host left at 0.
	if err := out.accept(left[0], frame, plain); err != nil {
		return err
	}
	wire, err := in.sealed(in.plain(200, 2))
	if err != nil {
		return err
	}
	r, err := c.receiveOne(ctx, wire)
	if err != nil {
		return err
	}
	if info := c.a.ReceiveInfo(&r.RXPacket); info[offload.SlotChecksum] != 0 {
		return fmt.Errorf("slot 0 is %#x: a checksum is reported", info[offload.SlotChecksum])
	}
	_, verdict := esp.Open(nil, wire, func(*esp.Selector) *esp.SA { return in.peer })
	if verdict.Class != esp.Decrypted {
		return fmt.Errorf("the peer made a packet that is not good: %v", verdict.Class)
	}
	return r.good(wire, in.handle, in.peer)
}
