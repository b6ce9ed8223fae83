// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/hwmodel/esp"
	"github.com/espalier-nic/espalier/regs"
)

// leftAlone sends frames to a NIC with inbound SAs for both IP versions, and
// checks that each comes up untouched, and that the SAs would have worked.
func leftAlone(ctx context.Context, b *Bench, frames func(t *traffic) map[string][]byte) error {
	return openInbound(ctx, b, func(h *host, t *traffic) error {
		for what, frame := range frames(t) {
			r, err := h.receiveOne(ctx, frame)
			if err != nil {
				return err
			}
			if err := r.untouched(frame); err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
		}
		return t.carries(ctx, h)
	})
}

// wireOf is a good ESP packet of t: the shapes below are made of it.
func wireOf(t *traffic) []byte {
	wire, err := t.sealed(t.plain(96, 1))
	if err != nil {
		return nil // no frame: the NIC would drop it, and the check fail
	}
	return wire
}

// optionShapes are ESP packets behind IPv4 options or IPv6 extension headers.
func optionShapes(t *traffic) map[string][]byte {
	wire := wireOf(t)
	if t.ipv6 {
		return map[string][]byte{
			"hop-by-hop options":  withExtension(wire, 0, []byte{0, 0, 1, 4, 0, 0, 0, 0}),
			"destination options": withExtension(wire, 60, []byte{0, 0, 1, 4, 0, 0, 0, 0}),
			"routing header":      withExtension(wire, 43, []byte{0, 0, 0, 0, 0, 0, 0, 0}),
		}
	}
	recordRoute := withOptions(wire, 2)
	copy(recordRoute[ethernetLen+20:], []byte{7, 7, 4, 0, 0, 0, 0, 0})
	fixChecksum(recordRoute)
	return map[string][]byte{"one word of options": withOptions(wire, 1), "record route": recordRoute}
}

// vlanShapes are ESP packets with a tag in the frame.
func vlanShapes(t *traffic) map[string][]byte {
	wire := wireOf(t)
	tagged := func(tags ...byte) []byte {
		return append(append(bytes.Clone(wire[:etherTypeAt]), tags...), wire[etherTypeAt:]...)
	}
	return map[string][]byte{
		"802.1Q tag": tagged(0x81, 0, 0x20, 0x05), "802.1ad tag": tagged(0x88, 0xA8, 0, 7), "two tags": tagged(0x88, 0xA8, 0, 7, 0x81, 0, 0, 9),
	}
}

// inUDP is a packet's payload behind a UDP header.
func inUDP(t *traffic, src, dst uint16, payload []byte) []byte {
	udp := binary.BigEndian.AppendUint16(nil, src)
	udp = binary.BigEndian.AppendUint16(udp, dst)
	udp = binary.BigEndian.AppendUint16(udp, uint16(8+len(payload)))
	udp = append(udp, 0, 0)
	return append(append(header(t.src, t.dst, protocolUDP, len(udp)+len(payload)), udp...), payload...)
}

// udpShapes are ESP packets in UDP, IKE messages and keepalives.
func udpShapes(t *traffic) map[string][]byte {
	wire := wireOf(t)
	packet := wire[t.espOffset():]
	nested := inUDP(t, 4500, 4500, packet)
	return map[string][]byte{
		"ESP in UDP on port 4500":   inUDP(t, 4500, 4500, packet),
		"from another port":         inUDP(t, 33000, 4500, packet),
		"IKE marker":                inUDP(t, 4500, 4500, append(make([]byte, 4), packet...)),
		"keepalive":                 inUDP(t, 4500, 4500, []byte{0xFF}),
		"ESP in UDP on port 4501":   inUDP(t, 4501, 4501, packet),
		"ESP in UDP on port 500":    inUDP(t, 500, 500, packet),
		"UDP in UDP":                inUDP(t, 4500, 4500, nested[ethernetLen:]),
		"UDP header and no payload": inUDP(t, 4500, 4500, nil),
	}
}

// ahShapes are AH packets with an SPI that an ESP SA has, alone and with ESP.
func ahShapes(t *traffic) map[string][]byte {
	wire := wireOf(t)
	packet := wire[t.espOffset():]
	ah := func(next byte, payload []byte) []byte {
		b := []byte{next, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}
		binary.BigEndian.PutUint32(b[4:], t.spi)
		b = append(append(b, make([]byte, 12)...), payload...)
		return append(header(t.src, t.dst, protocolAH, len(b)), b...)
	}
	return map[string][]byte{"AH": ah(protocolTCP, make([]byte, 40)), "AH over ESP": ah(esp.ProtocolESP, packet)}
}

// otherShapes are packets that no capability covers.
func otherShapes(t *traffic) map[string][]byte {
	wire := wireOf(t)
	snap := append(bytes.Clone(wire[:etherTypeAt]), 0, 0, 0xAA, 0xAA, 3, 0, 0, 0)
	snap = append(snap, wire[etherTypeAt:]...)
	binary.BigEndian.PutUint16(snap[etherTypeAt:], uint16(len(snap)-ethernetLen))
	return map[string][]byte{"LLC/SNAP": snap, "cut behind the SPI": wire[:t.espOffset()+5]}
}

func optionsUntouched(ctx context.Context, b *Bench) error { return leftAlone(ctx, b, optionShapes) }
func vlanUntouched(ctx context.Context, b *Bench) error    { return leftAlone(ctx, b, vlanShapes) }
func udpUntouched(ctx context.Context, b *Bench) error     { return leftAlone(ctx, b, udpShapes) }
func ahUntouched(ctx context.Context, b *Bench) error      { return leftAlone(ctx, b, ahShapes) }

// only are the shapes of one IP version.
func only(ipv6 bool, shapes func(*traffic) map[string][]byte) func(*traffic) map[string][]byte {
	return func(t *traffic) map[string][]byte {
		if t.ipv6 != ipv6 {
			return nil
		}
		return shapes(t)
	}
}

// unstatedShapesUntouched sends a packet of every shape that the NIC does not
// state.
func unstatedShapesUntouched(ctx context.Context, b *Bench) error {
	caps, err := b.capabilities(ctx)
	if err != nil {
		return err
	}
	tried := 0
	for _, c := range []struct {
		stated bool
		shapes func(*traffic) map[string][]byte
	}{
		{caps.IPv4Options, only(false, optionShapes)}, {caps.IPv6ExtHeaders, only(true, optionShapes)}, {caps.EncapsulationMask&4 != 0, vlanShapes},
		{caps.UDPESP != 0, udpShapes}, {caps.AH, ahShapes}, {caps.EncapsulationMask&0x10 != 0, otherShapes},
	} {
		if c.stated {
			continue
		}
		tried++
		if err := leftAlone(ctx, b, c.shapes); err != nil {
			return err
		}
	}
	if !caps.TransportTunnel {
		tried++
		if err := nestedOuterOnly(ctx, b); err != nil {
			return err
		}
	}
	if tried == 0 {
		return fmt.Errorf("the NIC states everything: there is nothing to try")
	}
	return nil
}

// noSoftwareCrypto switches IPsec off in the NIC behind the driver's back. What
// is then encrypted or decrypted, the driver did.
func noSoftwareCrypto(ctx context.Context, b *Bench) error {
	h, err := b.open(ctx, driver.Options{})
	if err != nil {
		return err
	}
	sender, err := h.start(ctx, newFlow(spiOut, false, false, 16))
	if err != nil {
		return err
	}
	receiver, err := h.start(ctx, newFlow(spiIn, true, false, 16))
	if err != nil {
		return err
	}
	if err := receiver.carries(ctx, h); err != nil {
		return err
	}
	bar, err := h.Function().BAR(pcie.RegisterBAR)
	if err != nil {
		return err
	}
	ctrl, err := bar.Read32(regs.CtrlOffset)
	if err != nil {
		return err
	}
	if err := bar.Write32(regs.CtrlOffset, uint32(regs.Ctrl(ctrl).WithIPsecEnable(false))); err != nil {
		return err
	}
	framed, err := sender.framed(sender.plain(100, 1))
	if err != nil {
		return err
	}
	if err := h.failsSilently(ctx, "the NIC's IPsec is off", framed, driver.OffloadOff); err != nil {
		return err
	}
	for _, damage := range []byte{0, 1} {
		wire, err := receiver.sealed(receiver.plain(100, 1))
		if err != nil {
			return err
		}
		wire[len(wire)-1] ^= damage
		r, err := h.receiveOne(ctx, wire)
		if err != nil {
			return err
		}
		if err := r.untouched(wire); err != nil {
			return fmt.Errorf("the NIC's IPsec is off: %w", err)
		}
	}
	return nil
}

// neverCoalesced receives contiguous TCP segments under one SA.
func neverCoalesced(ctx context.Context, b *Bench) error {
	return openInbound(ctx, b, func(h *host, t *traffic) error {
		var frames [][]byte
		for i := range 10 {
			wire, err := t.sealed(t.plain(512, uint32(1+512*i)))
			if err != nil {
				return err
			}
			frames = append(frames, wire)
		}
		all, err := h.receive(ctx, frames...)
		if err != nil {
			return err
		}
		for i := range all {
			if err := all[i].good(frames[i], t.handle, t.peer); err != nil {
				return fmt.Errorf("segment %d of %d: %w", i+1, len(frames), err)
			}
		}
		return nil
	})
}
