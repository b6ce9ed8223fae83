// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"errors"
	"fmt"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/espframe"
	"github.com/espalier-nic/espalier/regs"
)

// receiver is the way from one RX queue of the NIC to the plain port.
type receiver struct {
	*Gateway
	ctx     context.Context
	queue   *driver.RXQueue
	seen    uint64 // packets of the queue so far
	packets []driver.RXPacket
	buffers []*driver.Buffer
	plainly []byte // the frame without ESP
	copied  []byte // a frame before it is opened here, with Config.Check
}

// receive carries frames from an RX queue to the plain port.
func (g *Gateway) receive(ctx context.Context, queue int) error {
	r := &receiver{
		Gateway: g, ctx: ctx, queue: g.rx[queue],
		packets: make([]driver.RXPacket, batch), buffers: make([]*driver.Buffer, batch), plainly: make([]byte, g.config.MTU+headroom),
	}
	for {
		n, err := r.queue.Poll(r.packets)
		if n == 0 {
			if err == nil {
				err = r.queue.Wait(ctx)
			}
			if err != nil {
				return err
			}
			continue
		}
		for i := range n {
			r.seen++
			if err := r.packet(&r.packets[i]); err != nil {
				return err
			}
			r.buffers[i] = r.packets[i].Buffer
		}
		if err := r.post(n); err != nil {
			return err
		}
	}
}

// post gives the first n buffers back to the queue, which has room for them.
func (r *receiver) post(n int) error {
	posted, err := r.queue.Post(r.buffers[:n])
	if err == nil && posted < n {
		err = fmt.Errorf("%s took %d of %d buffers: %w", r.queue, posted, n, driver.ErrHardware)
	}
	return err
}

// packet decides on what the NIC has received.
func (r *receiver) packet(p *driver.RXPacket) error {
	switch p.Status {
	case driver.OK:
	case driver.Truncated:
		r.drop(InTruncated, nil)
		return nil
	default:
		r.drop(InDevice, nil)
		return nil
	}
	frame := p.Frame()
	if p.SA == 0 {
		if r.checker != nil {
			r.checkNoSA(frame)
		}
		return r.plain(frame)
	}
	a := r.bySlot[uint16(p.SA.Slot())]
	if a == nil || a.handle != p.SA {
		r.drop(InNoStates, nil)
		return nil
	}
	return r.esp(a, p, frame)
}

// plain decides on a frame that came without ESP, or with an ESP that is none of
// ours.
func (r *receiver) plain(frame []byte) error {
	h, kind := parseFrame(frame)
	switch kind {
	case kindOther:
		r.drop(InNotIP, nil)
		return nil
	case kindMalformed:
		r.drop(InHdrError, nil)
		return nil
	case kindARP:
		if r.config.NoResolution {
			r.drop(InNotIP, nil)
			return nil
		}
		return r.bypass(frame)
	case kindNeighbour:
		if !r.config.NoResolution {
			return r.bypass(frame)
		}
	}
	match, found := r.in.find(&h)
	switch {
	case match.action == Bypass:
		return r.bypass(frame)
	case h.protocol == protocolESP && (match.action == Protect || !found):
		r.drop(InNoStates, nil)
	case match.action == Protect:
		r.drop(InTmplMismatch, match.sa)
	case found:
		r.drop(InPolBlock, nil)
	default:
		r.drop(InNoPols, nil)
	}
	return nil
}

// bypass hands up a frame as it is.
func (r *receiver) bypass(frame []byte) error {
	r.bypassed[1].Add(1)
	return r.Gateway.plain.Send(frame)
}

// esp decides on a packet of an SA.
func (r *receiver) esp(a *association, p *driver.RXPacket, frame []byte) error {
	esp, ok := espPacket(frame)
	if !ok {
		r.drop(InHdrError, a)
		return nil
	}
	if r.checker != nil {
		r.checkReceived(a, p, frame)
	}
	low := uint32(esp[4])<<24 | uint32(esp[5])<<16 | uint32(esp[6])<<8 | uint32(esp[7])
	seq, ok := uint64(low), true
	if a.config.ESN {
		seq, ok = a.window.extend(low)
	}
	if !ok {
		r.drop(InStateSeqError, a)
		return nil
	}
	trailer := espframe.Trailer{NextHeader: p.IPsec.NextHeader, PadLength: p.IPsec.PadLength}
	high := uint32(seq >> 32)
	switch status := p.IPsec.CryptoStatus; {
	case status == regs.CryptoStatusSuccess && p.IPsec.HeaderInfoSet:
		// Authentic, but perhaps with an upper half that is not this number's:
		// a packet from another lap, long ago.
		if a.config.ESN && !r.rightHalf(a, esp, high) {
			r.drop(InStateSeqError, a)
			return nil
		}
	case status == regs.CryptoStatusInvalidPacketSyntax:
		r.drop(InHdrError, a)
		return nil
	case a.soft != nil && (high != a.highInNIC || r.seen <= a.oldUntil):
		if trailer, ok = a.soft.open(esp, high); !ok {
			r.drop(InStateProtoError, a)
			return nil
		}
		a.counts.software.Add(1)
	default:
		r.drop(InStateProtoError, a)
		return nil
	}
	if !a.window.accept(seq) {
		r.drop(InStateSeqError, a)
		return nil
	}
	a.counts.sequence.Store(a.window.top)
	if err := r.followESN(a); err != nil {
		return err
	}
	return r.opened(a, frame, trailer)
}

// rightHalf says whether the NIC has decrypted a packet with the upper half high.
func (r *receiver) rightHalf(a *association, esp []byte, high uint32) bool {
	if r.seen > a.oldUntil {
		return high == a.highInNIC
	}
	return a.soft.confirm(esp, high)
}

// opened hands up an authentic packet, if it is one that its SA may carry.
func (r *receiver) opened(a *association, frame []byte, trailer espframe.Trailer) error {
	mode := espframe.Transport
	if a.config.Tunnel {
		mode = espframe.Tunnel
	}
	plain, err := espframe.Strip(r.plainly, frame, mode, trailer)
	if err != nil {
		if errors.Is(err, espframe.ErrDummy) {
			r.drop(InDummy, a)
		} else {
			r.drop(InStateModeError, a)
		}
		return nil
	}
	out := r.plainly[:plain.Length]
	h, kind := parseFrame(out)
	if kind != kindIP && kind != kindNeighbour {
		r.drop(InHdrError, a)
		return nil
	}
	match, found := r.in.find(&h)
	if match.sa != a {
		switch {
		case !found:
			r.drop(InNoPols, a)
		case match.action == Discard:
			r.drop(InPolBlock, a)
		default:
			r.drop(InTmplMismatch, a)
		}
		return nil
	}
	protected := h.length
	if !a.config.Tunnel {
		protected -= h.headerLen
	}
	a.counts.carried(protected)
	return r.Gateway.plain.Send(out)
}

// followESN tells the NIC when an SA has got into the next upper half.
func (r *receiver) followESN(a *association) error {
	high := uint32(a.window.top >> 32)
	if !a.config.ESN || high == a.highInNIC {
		return nil
	}
	if err := r.nic.UpdateSA(r.ctx, a.handle, high); err != nil {
		return fmt.Errorf("%s: %w", a, err)
	}
	a.highInNIC = high
	// What lies in the queue now has been judged with the one before.
	a.oldUntil = r.seen + uint64(r.queue.Size())
	return nil
}
