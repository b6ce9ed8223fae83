// SPDX-License-Identifier: Apache-2.0

package regress

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/espframe"
	"github.com/espalier-nic/espalier/hwmodel/esp"
)

// judge compares every frame of a run with the golden model. Frames of one TX
// queue leave in order and so do those of one RX queue, but nothing orders
// queues among each other; so it keeps what is expected per queue.
type judge struct {
	plan *Plan
	sas  []judgedSA
	// inbound finds SAs as the receiving NIC must.
	inbound map[inboundKey]int
	// onWire holds, per TX queue, frames handed to the sending NIC and not yet
	// seen on the wire; arriving, per RX queue, frames seen on the wire and not
	// yet delivered.
	onWire   [][]sentFrame
	arriving [][]arrivingFrame
	// load is, per RX queue, how many frames are on their way to it.
	load []int
	// report takes each mismatch.
	report func(Mismatch)
	counts Counts

	scratch []byte
}

// judgedSA is an SA as the two NICs hold it.
type judgedSA struct {
	out, in *esp.SA
	// handle names it on the receiving NIC, queue is its RX queue there.
	handle driver.Handle
	queue  int
}

type inboundKey struct {
	spi  uint32
	ipv6 bool
	dst  [16]byte
}

// sentFrame is a frame handed to the sending NIC.
type sentFrame struct {
	packet int
	// wire is what the golden model puts on the wire for it.
	wire []byte
	// espOffset is the place of its ESP header, 0 in the clear.
	espOffset int
}

// arrivingFrame is a frame on its way up the receiving NIC.
type arrivingFrame struct {
	packet  int // index in the plan, or -1 for a frame nobody sent
	verdict esp.Verdict
	// delivered is what the golden model hands up.
	delivered []byte
	handle    driver.Handle
}

// Counts of a run.
type Counts struct {
	// Packets were handed to the sending NIC, of which Protected as ESP.
	Packets   int `json:"packets"`
	Protected int `json:"protected"`
	// OnWire frames were seen between the NICs, Delivered handed up, of which
	// Decrypted with SUCCESS.
	OnWire    int `json:"on_wire"`
	Delivered int `json:"delivered"`
	Decrypted int `json:"decrypted"`
	// WireBytes and PlainBytes are the frames' bytes on the wire and those of
	// the original packets.
	WireBytes  int64 `json:"wire_bytes"`
	PlainBytes int64 `json:"plain_bytes"`
	// Mismatches are all that were found, not only those that are listed.
	Mismatches int `json:"mismatches"`
}

func newJudge(plan *Plan, txQueues, rxQueues int, report func(Mismatch)) *judge {
	return &judge{
		plan: plan, sas: make([]judgedSA, len(plan.SAs)), inbound: map[inboundKey]int{},
		onWire: make([][]sentFrame, txQueues), arriving: make([][]arrivingFrame, rxQueues), load: make([]int, rxQueues), report: report,
	}
}

// setSA tells the judge that SA i is installed on the receiving NIC.
func (j *judge) setSA(i int, handle driver.Handle, queue int) error {
	out, err := j.plan.SAs[i].golden(false)
	if err != nil {
		return err
	}
	in, err := j.plan.SAs[i].golden(true)
	if err != nil {
		return err
	}
	j.sas[i] = judgedSA{out: out, in: in, handle: handle, queue: queue}
	j.inbound[keyOf(in)] = i
	return nil
}

func keyOf(sa *esp.SA) inboundKey {
	key := inboundKey{spi: sa.SPI(), ipv6: sa.Dst().Is6()}
	copy(key.dst[:], sa.Dst().AsSlice())
	return key
}

// setESNHi follows an update of SA i on both NICs.
func (j *judge) setESNHi(i int, hi uint32) {
	sa := &j.sas[i]
	sa.out, sa.in = sa.out.WithESNHi(hi), sa.in.WithESNHi(hi)
}

func (j *judge) lookup(s *esp.Selector) *esp.SA {
	if i, ok := j.inbound[inboundKey{s.SPI, s.IPv6, s.Dst}]; ok {
		return j.sas[i].in
	}
	return nil
}

func (j *judge) mismatch(m *Mismatch) {
	if m != nil {
		j.counts.Mismatches++
		j.report(*m)
	}
}

// saName describes the SA of packet i for a report.
func (j *judge) saName(i int) string {
	if i < 0 || j.plan.Choice[i] == noSA {
		return ""
	}
	return fmt.Sprint(j.plan.SAs[j.plan.Choice[i]])
}

func (j *judge) name(i int) string {
	if i < 0 {
		return "frame that was never sent"
	}
	return j.plan.Packets[i].Name()
}

// rxQueue is the RX queue to which a frame of SA choice must go; in the clear it
// is the default queue, 0.
func (j *judge) rxQueue(choice int) int {
	if choice == noSA {
		return 0
	}
	return j.sas[choice].queue
}

// sending takes a frame that is about to be posted on a TX queue and judges
// the host's framing: what the golden model makes of the frame on the wire must
// be the original packet.
func (j *judge) sending(packet, queue int, frame []byte, info espframe.Info) error {
	f := sentFrame{packet: packet, wire: bytes.Clone(frame), espOffset: info.ESPOffset}
	j.counts.Packets++
	original := unpadded(j.plan.Packets[packet].Frame)
	j.counts.PlainBytes += int64(len(original))
	if f.espOffset > 0 {
		j.counts.Protected++
		sa := j.sas[j.plan.Choice[packet]].out
		if err := sa.SealInPlace(f.wire, info.ESPOffset, uint32(info.Sequence>>32)); err != nil {
			return fmt.Errorf("%s was framed so that no NIC can encrypt it: %w", j.name(packet), err)
		}
		back, _, err := esp.Decapsulate(j.scratch[:0], f.wire, j.lookup)
		if err != nil {
			return fmt.Errorf("%s was framed so that no receiver can take it: %w", j.name(packet), err)
		}
		j.scratch = back
		j.mismatch(compare(j.name(packet), j.saName(packet), Framed, original, back, 0))
	}
	j.onWire[queue] = append(j.onWire[queue], f)
	j.load[j.rxQueue(j.plan.Choice[packet])]++
	return nil
}

// wire takes a frame between the NICs.
func (j *judge) wire(frame []byte) {
	j.counts.OnWire++
	j.counts.WireBytes += int64(len(frame))
	queue, ok := j.senderOf(frame)
	packet := -1
	if !ok {
		j.mismatch(compare(j.name(packet), "", Wire, nil, frame, 0))
	} else {
		f := j.onWire[queue][0]
		j.onWire[queue] = j.onWire[queue][1:]
		packet = f.packet
		j.mismatch(compare(j.name(packet), j.saName(packet), Wire, f.wire, frame, f.espOffset))
	}
	// What must be delivered follows from what is on the wire, right or wrong.
	delivered, verdict := esp.Open(nil, frame, j.lookup)
	up := arrivingFrame{packet: packet, verdict: verdict, delivered: delivered}
	rx := 0
	if verdict.SA != nil {
		sa := j.sas[j.inbound[keyOf(verdict.SA)]]
		up.handle, rx = sa.handle, sa.queue
	}
	j.arriving[rx] = append(j.arriving[rx], up)
}

// senderOf finds the TX queue whose next frame this is: one that is equal; else
// one with the same SPI and sequence number; else the one that waits longest.
func (j *judge) senderOf(frame []byte) (int, bool) {
	for q, list := range j.onWire {
		if len(list) > 0 && bytes.Equal(list[0].wire, frame) {
			return q, true
		}
	}
	for q, list := range j.onWire {
		if len(list) > 0 && list[0].espOffset > 0 {
			at := list[0].espOffset
			if end := at + esp.HeaderLen; len(frame) >= end && bytes.Equal(list[0].wire[at:end], frame[at:end]) {
				return q, true
			}
		}
	}
	oldest, found := 0, false
	for q, list := range j.onWire {
		if len(list) > 0 && (!found || list[0].packet < j.onWire[oldest][0].packet) {
			oldest, found = q, true
		}
	}
	return oldest, found
}

// delivered takes a frame handed up by the receiving NIC on an RX queue.
func (j *judge) delivered(queue int, p *driver.RXPacket) {
	j.counts.Delivered++
	j.load[queue]--
	frame := p.Frame()
	if len(j.arriving[queue]) == 0 {
		j.mismatch(compare(j.name(-1), "", Delivered, nil, frame, 0))
		return
	}
	up := j.arriving[queue][0]
	j.arriving[queue] = j.arriving[queue][1:]
	name, sa := j.name(up.packet), j.saName(up.packet)
	j.mismatch(compare(name, sa, Delivered, up.delivered, frame, up.verdict.Offset))
	j.mismatch(compareWords(name, sa, up, p))
	if up.verdict.Class != esp.Decrypted || up.packet < 0 {
		return
	}
	j.counts.Decrypted++
	mode := espframe.Transport
	if up.verdict.SA.Tunnel() {
		mode = espframe.Tunnel
	}
	j.scratch = grow(j.scratch, len(frame))
	plain, err := espframe.Strip(j.scratch, frame, mode, espframe.Trailer{NextHeader: p.IPsec.NextHeader, PadLength: p.IPsec.PadLength})
	if err != nil {
		j.mismatch(&Mismatch{Packet: name, SA: sa, Stage: Restored, Field: err.Error(), Expected: unpadded(j.plan.Packets[up.packet].Frame), Got: bytes.Clone(frame)})
		return
	}
	j.mismatch(compare(name, sa, Restored, unpadded(j.plan.Packets[up.packet].Frame), j.scratch[:plain.Length], 0))
}

// failed takes a frame that the sending NIC refused.
func (j *judge) failed(queue int, done driver.TXDone) {
	packet := int(done.Cookie)
	for i, f := range j.onWire[queue] {
		if f.packet == packet {
			j.onWire[queue] = append(j.onWire[queue][:i:i], j.onWire[queue][i+1:]...)
			j.mismatch(&Mismatch{Packet: j.name(packet), SA: j.saName(packet), Stage: Wire, Field: fmt.Sprintf("the NIC refused to send it: %v", done.Status), Expected: f.wire})
			return
		}
	}
}

// missing reports everything that is still expected when nothing comes any more.
func (j *judge) missing() {
	for q, list := range j.onWire {
		for _, f := range list {
			j.mismatch(compare(j.name(f.packet), j.saName(f.packet), Wire, f.wire, nil, f.espOffset))
		}
		j.onWire[q] = nil
	}
	for q, list := range j.arriving {
		for _, up := range list {
			j.mismatch(compare(j.name(up.packet), j.saName(up.packet), Delivered, up.delivered, nil, 0))
		}
		j.arriving[q] = nil
	}
}

// done says whether every frame has arrived.
func (j *judge) done() bool {
	for _, list := range j.onWire {
		if len(list) > 0 {
			return false
		}
	}
	for _, list := range j.arriving {
		if len(list) > 0 {
			return false
		}
	}
	return true
}

// compareWords compares what stands in a completion beside the frame. The words
// are laid out for the report as slot 1, slot 12 and the handle, big-endian.
func compareWords(name, sa string, up arrivingFrame, p *driver.RXPacket) *Mismatch {
	expected := binary.BigEndian.AppendUint32(nil, up.verdict.Word1())
	expected = binary.BigEndian.AppendUint32(expected, up.verdict.Word12())
	expected = binary.BigEndian.AppendUint32(expected, uint32(up.handle))
	got := binary.BigEndian.AppendUint32(nil, p.IPsec.Slot1())
	got = binary.BigEndian.AppendUint32(got, p.IPsec.Slot12())
	got = binary.BigEndian.AppendUint32(got, uint32(p.SA))
	m := compare(name, sa, Words, expected, got, 0)
	if m != nil {
		m.Field = [...]string{
			fmt.Sprintf("CryptoDone and CryptoStatus (%v), expected %v", p.IPsec.CryptoStatus, up.verdict.Status),
			"NextHeader, PadLength and HeaderInfoSet", "SA handle",
		}[m.Offset/4]
	}
	if m == nil && p.Status != driver.OK {
		m = &Mismatch{Packet: name, SA: sa, Stage: Words, Field: fmt.Sprintf("completion status is %v, expected %v", p.Status, driver.OK), Expected: expected, Got: got}
	}
	return m
}

// unpadded cuts off Ethernet padding behind an IP packet, which ESP does not carry.
func unpadded(frame []byte) []byte {
	if len(frame) < minFrame {
		return frame
	}
	length := len(frame)
	switch ip := frame[minFrame:]; {
	case binary.BigEndian.Uint16(frame[12:]) == 0x0800 && len(ip) >= 20:
		length = minFrame + int(binary.BigEndian.Uint16(ip[2:]))
	case binary.BigEndian.Uint16(frame[12:]) == 0x86dd && len(ip) >= 40:
		length = minFrame + 40 + int(binary.BigEndian.Uint16(ip[4:]))
	}
	return frame[:min(length, len(frame))]
}

// grow returns a slice of length n, b's memory if that suffices.
func grow(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}
