// SPDX-License-Identifier: Apache-2.0

package regress

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/espframe"
	"github.com/espalier-nic/espalier/hwmodel/esp"
)

// judge compares every frame of a run with the golden model. Frames of one TX
// queue leave in order and so do those of one RX queue, but nothing orders
// queues among each other; so it keeps what is expected per queue.
type judge struct {
	plan  *Plan
	sight Sight
	pass  pass
	sas   []judgedSA
	// inbound finds SAs as the receiving NIC must.
	inbound map[inboundKey]int
	// onWire holds, per TX queue, frames handed to the sending NIC and not yet
	// seen on the wire.
	onWire [][]sentFrame
	// arriving holds, per RX queue and source, frames on their way up and not
	// yet delivered. The source is the TX queue where nobody sees the wire, which
	// orders what comes from them; else all come from source 0.
	arriving [][][]arrivingFrame
	// held are, per RX queue, frames delivered before the tap has shown them.
	held [][]deliveredFrame
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

// deliveredFrame is what the receiving NIC has handed up.
type deliveredFrame struct {
	frame  []byte
	words  driver.IPsecWords
	sa     driver.Handle
	status driver.Status
}

// Counts of a run.
type Counts struct {
	// Packets were handed to the sending NIC, of which Protected as ESP.
	Packets   int `json:"packets"`
	Protected int `json:"protected"`
	// OnWire frames were seen between the NICs (in loopback: came back
	// encrypted), Delivered handed up, of which Decrypted with SUCCESS.
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

func newJudge(plan *Plan, sight Sight, pass pass, txQueues, rxQueues int, report func(Mismatch)) *judge {
	j := &judge{
		plan: plan, sight: sight, pass: pass, sas: make([]judgedSA, len(plan.SAs)), inbound: map[inboundKey]int{},
		onWire: make([][]sentFrame, txQueues), arriving: make([][][]arrivingFrame, rxQueues),
		held: make([][]deliveredFrame, rxQueues), load: make([]int, rxQueues), report: report,
	}
	for rx := range j.arriving {
		j.arriving[rx] = make([][]arrivingFrame, txQueues)
	}
	return j
}

// setSA tells the judge of SA i and how the receiving NIC has it, or will have it.
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

// installed is lookup among the SAs that the receiving NIC has.
func (j *judge) installed(s *esp.Selector) *esp.SA {
	if !j.pass.inbound() {
		return nil
	}
	return j.lookup(s)
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

// rxQueue is the RX queue to which a frame of SA choice must go; without an
// inbound SA it is the default queue, 0.
func (j *judge) rxQueue(choice int) int {
	if choice == noSA || !j.pass.inbound() {
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
	j.load[j.rxQueue(j.plan.Choice[packet])]++
	if j.blind() {
		j.expect(queue, packet, f.wire)
		return nil
	}
	j.onWire[queue] = append(j.onWire[queue], f)
	return nil
}

// blind says that frames arrive without having been seen on the wire.
func (j *judge) blind() bool { return j.sight == Unseen || j.pass == inOnly }

// resending takes a frame that is about to be posted on a TX queue as it once
// was on the wire, to be received.
func (j *judge) resending(packet, queue int, frame []byte) {
	j.load[j.rxQueue(j.plan.Choice[packet])]++
	j.expect(queue, packet, frame)
}

// wire takes a frame between the NICs and returns its packet, -1 for a frame
// that nobody sent.
func (j *judge) wire(frame []byte) (packet int) {
	j.counts.OnWire++
	j.counts.WireBytes += int64(len(frame))
	queue, ok := j.senderOf(frame)
	packet = -1
	if !ok {
		j.mismatch(compare(j.name(packet), "", Wire, nil, frame, 0))
	} else {
		f := j.onWire[queue][0]
		j.onWire[queue] = j.onWire[queue][1:]
		packet = f.packet
		j.mismatch(compare(j.name(packet), j.saName(packet), Wire, f.wire, frame, f.espOffset))
	}
	rx := j.expect(0, packet, frame)
	for len(j.held[rx]) > 0 && j.expected(rx) {
		first := j.held[rx][0]
		j.held[rx] = j.held[rx][1:]
		j.judgeDelivered(rx, first)
	}
	return packet
}

// expect notes that a frame on the wire, right or wrong, must be delivered as
// the golden model has it, and returns on which RX queue.
func (j *judge) expect(source, packet int, frame []byte) (rx int) {
	delivered, verdict := esp.Open(nil, frame, j.installed)
	up := arrivingFrame{packet: packet, verdict: verdict, delivered: delivered}
	if verdict.SA != nil {
		sa := j.sas[j.inbound[keyOf(verdict.SA)]]
		up.handle, rx = sa.handle, sa.queue
	}
	j.arriving[rx][source] = append(j.arriving[rx][source], up)
	return rx
}

// expected says whether anything must still arrive on an RX queue.
func (j *judge) expected(rx int) bool {
	return slices.ContainsFunc(j.arriving[rx], func(list []arrivingFrame) bool { return len(list) > 0 })
}

// senderOf finds the TX queue whose next frame this is: one that is equal; else
// one with an equal frame behind others, which are lost; else one with the same
// SPI and sequence number; else the one that waits longest.
func (j *judge) senderOf(frame []byte) (int, bool) {
	for q, list := range j.onWire {
		if len(list) > 0 && bytes.Equal(list[0].wire, frame) {
			return q, true
		}
	}
	for q, list := range j.onWire {
		if at := slices.IndexFunc(list, func(f sentFrame) bool { return bytes.Equal(f.wire, frame) }); at > 0 {
			for _, lost := range list[:at] {
				j.missingOnWire(lost)
			}
			j.onWire[q] = list[at:]
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

// sourceOf finds the source whose next frame this is, as senderOf does.
func (j *judge) sourceOf(rx int, frame []byte) int {
	sources := j.arriving[rx]
	for s, list := range sources {
		if len(list) > 0 && bytes.Equal(list[0].delivered, frame) {
			return s
		}
	}
	for s, list := range sources {
		if at := slices.IndexFunc(list, func(up arrivingFrame) bool { return bytes.Equal(up.delivered, frame) }); at > 0 {
			for _, lost := range list[:at] {
				j.missingAbove(lost)
			}
			sources[s] = list[at:]
			return s
		}
	}
	for s, list := range sources {
		if len(list) > 0 && list[0].verdict.Offset > 0 {
			at := list[0].verdict.Offset
			if end := at + esp.HeaderLen; len(frame) >= end && bytes.Equal(list[0].delivered[at:end], frame[at:end]) {
				return s
			}
		}
	}
	oldest := -1
	for s, list := range sources {
		if len(list) > 0 && (oldest < 0 || list[0].packet < sources[oldest][0].packet) {
			oldest = s
		}
	}
	return oldest
}

// delivered takes a frame handed up by the receiving NIC on an RX queue.
func (j *judge) delivered(queue int, p *driver.RXPacket) {
	if j.pass.inbound() {
		j.counts.Delivered++
	}
	j.load[queue]--
	d := deliveredFrame{frame: p.Frame(), words: p.IPsec, sa: p.SA, status: p.Status}
	if j.sight == Late && !j.expected(queue) {
		d.frame = bytes.Clone(d.frame)
		j.held[queue] = append(j.held[queue], d)
		return
	}
	j.judgeDelivered(queue, d)
}

func (j *judge) judgeDelivered(queue int, d deliveredFrame) {
	frame := d.frame
	source := j.sourceOf(queue, frame)
	if source < 0 {
		j.mismatch(compare(j.name(-1), "", Delivered, nil, frame, 0))
		return
	}
	up := j.arriving[queue][source][0]
	j.arriving[queue][source] = j.arriving[queue][source][1:]
	name, sa := j.name(up.packet), j.saName(up.packet)
	j.mismatch(compare(name, sa, Delivered, up.delivered, frame, up.verdict.Offset))
	j.mismatch(compareWords(name, sa, up, d))
	if up.verdict.Class != esp.Decrypted || up.packet < 0 {
		return
	}
	j.counts.Decrypted++
	mode := espframe.Transport
	if up.verdict.SA.Tunnel() {
		mode = espframe.Tunnel
	}
	j.scratch = grow(j.scratch, len(frame))
	plain, err := espframe.Strip(j.scratch, frame, mode, espframe.Trailer{NextHeader: d.words.NextHeader, PadLength: d.words.PadLength})
	if err != nil {
		j.mismatch(&Mismatch{Packet: name, SA: sa, Stage: Restored, Field: err.Error(), Expected: unpadded(j.plan.Packets[up.packet].Frame), Got: bytes.Clone(frame)})
		return
	}
	j.mismatch(compare(name, sa, Restored, unpadded(j.plan.Packets[up.packet].Frame), j.scratch[:plain.Length], 0))
}

// failed takes a frame that the sending NIC refused.
func (j *judge) failed(queue int, done driver.TXDone) {
	packet := int(done.Cookie)
	refused := func(expected []byte) {
		j.mismatch(&Mismatch{Packet: j.name(packet), SA: j.saName(packet), Stage: Wire, Field: fmt.Sprintf("the NIC refused to send it: %v", done.Status), Expected: expected})
	}
	for i, f := range j.onWire[queue] {
		if f.packet == packet {
			j.onWire[queue] = append(j.onWire[queue][:i:i], j.onWire[queue][i+1:]...)
			refused(f.wire)
			return
		}
	}
	if !j.blind() {
		return
	}
	for rx := range j.arriving {
		list := j.arriving[rx][queue]
		for i, up := range list {
			if up.packet == packet {
				j.arriving[rx][queue] = append(list[:i:i], list[i+1:]...)
				refused(up.delivered)
				return
			}
		}
	}
}

// missing reports everything that is still expected when nothing comes any more.
func (j *judge) missing() {
	for q, list := range j.onWire {
		for _, f := range list {
			j.missingOnWire(f)
		}
		j.onWire[q] = nil
	}
	for rx, sources := range j.arriving {
		for s, list := range sources {
			for _, up := range list {
				j.missingAbove(up)
			}
			sources[s] = nil
		}
		for _, d := range j.held[rx] {
			j.mismatch(compare(j.name(-1), "", Delivered, nil, d.frame, 0))
		}
		j.held[rx] = nil
	}
}

func (j *judge) missingOnWire(f sentFrame) {
	j.mismatch(compare(j.name(f.packet), j.saName(f.packet), Wire, f.wire, nil, f.espOffset))
}

func (j *judge) missingAbove(up arrivingFrame) {
	j.mismatch(compare(j.name(up.packet), j.saName(up.packet), Delivered, up.delivered, nil, 0))
}

// unseen is how many frames that were sent nobody has seen on the wire yet.
func (j *judge) unseen() (count int) {
	for _, list := range j.onWire {
		count += len(list)
	}
	return count
}

// done says whether every frame has arrived.
func (j *judge) done() bool {
	if j.unseen() > 0 {
		return false
	}
	for rx := range j.arriving {
		if j.expected(rx) || len(j.held[rx]) > 0 {
			return false
		}
	}
	return true
}

// compareWords compares what stands in a completion beside the frame. The words
// are laid out for the report as slot 1, slot 12 and the handle, big-endian.
func compareWords(name, sa string, up arrivingFrame, d deliveredFrame) *Mismatch {
	expected := binary.BigEndian.AppendUint32(nil, up.verdict.Word1())
	expected = binary.BigEndian.AppendUint32(expected, up.verdict.Word12())
	expected = binary.BigEndian.AppendUint32(expected, uint32(up.handle))
	got := binary.BigEndian.AppendUint32(nil, d.words.Slot1())
	got = binary.BigEndian.AppendUint32(got, d.words.Slot12())
	got = binary.BigEndian.AppendUint32(got, uint32(d.sa))
	m := compare(name, sa, Words, expected, got, 0)
	if m != nil {
		m.Field = [...]string{
			fmt.Sprintf("CryptoDone and CryptoStatus (%v), expected %v", d.words.CryptoStatus, up.verdict.Status),
			"NextHeader, PadLength and HeaderInfoSet", "SA handle",
		}[m.Offset/4]
	}
	if m == nil && d.status != driver.OK {
		m = &Mismatch{Packet: name, SA: sa, Stage: Words, Field: fmt.Sprintf("completion status is %v, expected %v", d.status, driver.OK), Expected: expected, Got: got}
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
