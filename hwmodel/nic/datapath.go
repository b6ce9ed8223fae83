// SPDX-License-Identifier: Apache-2.0

package nic

import (
	"github.com/espalier-nic/espalier/hwmodel/esp"
	"github.com/espalier-nic/espalier/regs"
)

// minFrame is the shortest frame: an Ethernet header.
const minFrame = 14

// burstFrames bounds the frames sent before they are passed to the wire.
const burstFrames = 64

// transmit serves the TX queues round-robin, one frame at a time, and reports
// whether it stopped with work left. n.mu is held.
func (n *NIC) transmit() (more bool) {
	for idle := 0; idle < len(n.tx); {
		if !n.control.ctrl.TxEnable() || n.resetBusy() || n.usable() != nil {
			return false
		}
		if len(n.egress.ends) >= burstFrames {
			return true
		}
		n.turn = (n.turn + 1) % len(n.tx)
		q := n.tx[n.turn]
		raw, index, ok := q.pop()
		if !ok {
			idle++
			continue
		}
		idle = 0
		d := regs.TxDescriptorFromWords(raw[0], raw[1])
		status := n.send1(&d)
		q.finish()
		if status == regs.CompletionStatusOK && !d.Report {
			continue
		}
		c := regs.Completion{Length: d.Length, Index: index, Status: status}
		if d.IPsec {
			c.Handle = d.Handle
		}
		q.complete(c)
	}
	return false
}

// send1 sends the frame of one descriptor.
func (n *NIC) send1(d *regs.TxDescriptor) regs.CompletionStatus {
	slot, status := n.checkSend(d)
	switch status {
	case regs.CompletionStatusOK:
	case regs.CompletionStatusStaleHandle:
		n.stats[txErrHandle]++
		return status
	default:
		n.stats[txErrDesc]++
		return status
	}
	frame := n.egress.extend(int(d.Length))
	if !n.dmaRead(d.Addr, frame) {
		n.stats[txErrDMA]++
		return regs.CompletionStatusDMARead
	}
	if slot != nil {
		n.stats[txESP]++
		slot.counters.carried(len(frame))
		if !n.opts.CryptoOff {
			// Its lengths were checked: this cannot fail.
			if err := slot.sa.SealInPlace(frame, int(d.ESPOffset), slot.sequenceHi(d.ESNLSB)); err != nil {
				panic("nic: " + err.Error())
			}
		}
	}
	n.stats[txFrames]++
	n.stats[txBytes] += uint64(len(frame))
	if n.control.ctrl.Loopback() {
		n.receive(frame, false)
	} else {
		n.egress.commit(len(frame))
	}
	return status
}

// checkSend makes the contract's checks in their order. The slot is nil for a
// frame without IPsec.
func (n *NIC) checkSend(d *regs.TxDescriptor) (*slot, regs.CompletionStatus) {
	if d.Length < minFrame || int(d.Length) > n.opts.MaxFrame {
		return nil, regs.CompletionStatusBadLength
	}
	if !d.IPsec {
		return nil, regs.CompletionStatusOK
	}
	if !n.control.ctrl.IPsecEnable() {
		return nil, regs.CompletionStatusOffloadOff
	}
	slot := n.sa.named(d.Handle)
	if slot == nil || slot.record.Flags.Inbound() {
		return nil, regs.CompletionStatusStaleHandle
	}
	if d.ESPOffset < esp.MinOffset {
		return nil, regs.CompletionStatusBadOffset
	}
	if _, ok := esp.PayloadLength(int(d.Length), int(d.ESPOffset)); !ok {
		return nil, regs.CompletionStatusBadLength
	}
	return slot, regs.CompletionStatusOK
}

// receive takes a frame from the wire, or from loopback. n.mu is held.
func (n *NIC) receive(frame []byte, bad bool) {
	if !n.control.ctrl.RxEnable() || n.resetBusy() || !n.tested() {
		return
	}
	n.stats[rxFrames]++
	n.stats[rxBytes] += uint64(len(frame))
	if bad || len(frame) < minFrame || len(frame) > n.opts.MaxFrame {
		n.stats[rxDropBad]++
		return
	}
	delivered, verdict := frame, esp.Verdict{}
	if n.control.ctrl.IPsecEnable() {
		delivered, verdict = n.judge(frame)
	}
	c := regs.Completion{Length: uint16(len(frame)), CryptoDone: verdict.CryptoDone(), CryptoStatus: regs.CryptoStatus(verdict.Status)}
	number := int(n.control.rxDefault.Queue())
	if verdict.SA != nil {
		c.Handle = n.sa.matched.handle
		number = int(n.sa.matched.record.Flags.RxQueue())
		n.sa.matched.counters.received(verdict.Class, len(frame))
	}
	if verdict.Class == esp.Decrypted {
		c.NextHeader, c.PadLength, c.HeaderInfoSet = verdict.NextHeader, verdict.PadLength, true
	}
	if number >= len(n.rx) {
		n.stats[rxDropNoDesc]++
		return
	}
	q := n.rx[number]
	raw, index, ok := q.pop()
	if !ok {
		n.stats[rxDropNoDesc]++
		return
	}
	d := regs.RxDescriptorFromWords(raw[0], raw[1])
	if len(delivered) > int(d.Length) {
		delivered = delivered[:d.Length]
		c.Status = regs.CompletionStatusTruncated
	}
	if len(delivered) > 0 && !n.dmaWrite(d.Addr, delivered) {
		c.Status = regs.CompletionStatusDMAWrite
		n.stats[rxErrDMA]++
	} else {
		n.stats[rxOutcome[verdict.Class]]++
	}
	q.finish()
	c.Index = index
	q.complete(c)
}

// judge returns what is delivered for a frame, valid until the next call.
func (n *NIC) judge(frame []byte) ([]byte, esp.Verdict) {
	if n.opts.CryptoOff {
		v, check := esp.Inspect(frame, n.lookup)
		if check {
			trailer := frame[v.Offset+esp.HeaderLen+esp.IVLen+v.Payload-esp.TrailerLen:]
			v.SetTrailer(trailer[0], trailer[1])
		}
		return frame, v
	}
	delivered, v := esp.Open(n.scratch[:0], frame, n.lookup)
	n.scratch = delivered
	return delivered, v
}

// Statistics, by place in the statistics page.
const (
	txFrames = iota
	txBytes
	txESP
	txErrHandle
	txErrDesc
	txErrDMA
	rxFrames
	rxBytes
	rxESPOK
	rxAuthFailed
	rxSyntax
	rxNoSA
	rxUntouched
	rxDropNoDesc
	rxDropBad
	rxErrDMA
	statistic // how many
)

type statistics [statistic]uint64

// rxOutcome is which counter a delivered frame of a class counts in.
var rxOutcome = [...]int{
	esp.Untouched:  rxUntouched,
	esp.NoSA:       rxNoSA,
	esp.BadSyntax:  rxSyntax,
	esp.AuthFailed: rxAuthFailed,
	esp.Decrypted:  rxESPOK,
}
