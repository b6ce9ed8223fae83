// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"fmt"

	"github.com/espalier-nic/espalier/regs"
)

// TXPacket is one frame to send.
type TXPacket struct {
	// Buffer holds the frame: Length bytes from Offset on.
	Buffer         *Buffer
	Offset, Length int
	// SA names the outbound SA that encrypts the frame; 0 sends it as it is.
	SA Handle
	// ESPOffset is where the ESP header begins, counted from the frame's
	// first byte. With SA only.
	ESPOffset int
	// Sequence is the 64-bit sequence number that the framer chose. Its upper
	// half must be what AddSA or UpdateSA said, or one less. With SA and ESN
	// only; the lower half is in the frame.
	Sequence uint64
	// Cookie comes back in TXDone.
	Cookie uint64
}

// TXDone is a descriptor handed back.
type TXDone struct {
	// Buffer is the caller's again.
	Buffer *Buffer
	// Status is OK when the NIC has taken the frame to send it. Every other
	// value but Aborted means that nothing was sent.
	Status Status
	// SA and Cookie are those of the TXPacket.
	SA     Handle
	Cookie uint64
}

// txSlot remembers what a descriptor was posted with.
type txSlot struct {
	buffer *Buffer
	sa     Handle
	cookie uint64
}

// TXQueue is one transmit queue. Frames of one queue leave in the order in which
// they were posted.
type TXQueue struct {
	queue
	slots      []txSlot
	unreported uint32 // descriptors since the last that asks for a completion; guarded by posting
}

// Post hands packets to the NIC, in order, and returns how many: fewer than
// len(packets) when the ring is full, or when one is wrong (the error says
// which and why; those before it are posted). The buffers of the packets
// counted belong to the NIC until Poll returns them. Post never waits.
func (q *TXQueue) Post(packets []TXPacket) (int, error) {
	q.posting.Lock()
	defer q.posting.Unlock()
	room, err := q.room()
	if err != nil {
		return 0, err
	}
	count := min(len(packets), int(room))
	tail := q.tail.Load()
	posted := 0
	for ; posted < count; posted++ {
		if err = q.put(tail, &packets[posted], posted); err != nil {
			break
		}
		tail++
	}
	if posted == 0 {
		return 0, err
	}
	// The last of a batch reports, or its buffers would not come back.
	entry := q.descriptors[(tail-1)&(q.size-1)*completionSize:]
	regs.TxDescriptorView(entry[:completionSize]).SetReport(true)
	q.unreported = 0
	if failed := q.announce(tail); failed != nil {
		return posted, failed
	}
	return posted, err
}

// put writes the descriptor for p at count tail. q.posting is held.
func (q *TXQueue) put(tail uint32, p *TXPacket, number int) error {
	if err := q.checkPacket(p, number); err != nil {
		return err
	}
	if !p.Buffer.give() {
		return fmt.Errorf("%s: packet %d: buffer is not the caller's: %w", q.name, number, ErrBuffer)
	}
	q.unreported++
	report := int(q.unreported) >= q.n.opts.ReportEvery
	if report {
		q.unreported = 0
	}
	index := tail & (q.size - 1)
	q.slots[index] = txSlot{buffer: p.Buffer, sa: p.SA, cookie: p.Cookie}
	regs.TxDescriptor{
		Addr:      p.Buffer.iova + uint64(p.Offset),
		Length:    uint16(p.Length),
		ESPOffset: uint16(p.ESPOffset),
		IPsec:     p.SA != 0,
		Report:    report,
		ESNLSB:    p.Sequence>>32&1 != 0,
		Handle:    uint32(p.SA),
	}.Pack(q.descriptors[index*completionSize:])
	return nil
}

// checkPacket refuses what cannot be said in a descriptor, and sequence numbers
// that the NIC would complete wrongly; the NIC judges the rest.
func (q *TXQueue) checkPacket(p *TXPacket, number int) error {
	if p.Buffer == nil {
		return fmt.Errorf("%s: packet %d: no buffer: %w", q.name, number, ErrBuffer)
	}
	if p.Offset < 0 || p.Length < 0 || p.Length > 1<<16-1 || p.Offset+p.Length > len(p.Buffer.bytes) {
		return fmt.Errorf("%s: packet %d: %d bytes at offset %d in a buffer of %d: %w", q.name, number, p.Length, p.Offset, len(p.Buffer.bytes), ErrBuffer)
	}
	if p.SA == 0 {
		return nil
	}
	if p.ESPOffset < 0 || p.ESPOffset > maxESPOffset {
		return fmt.Errorf("%s: packet %d: ESP offset %d, 0 to %d are allowed: %w", q.name, number, p.ESPOffset, maxESPOffset, ErrInvalid)
	}
	if hi, ok := q.n.sas.sequenceHi(p.SA); ok {
		if asked := uint32(p.Sequence >> 32); asked != hi && asked != hi-1 {
			return fmt.Errorf("%s: packet %d: upper half of the sequence number is %d, SA %v is at %d: %w", q.name, number, asked, p.SA, hi, ErrInvalid)
		}
	}
	return nil
}

// maxESPOffset is what the descriptor's field holds.
const maxESPOffset = 1<<11 - 1

// Poll hands back completed descriptors in the order of posting and returns how
// many it has put into done. When it returns 0, the error says whether the queue
// has failed (*QueueError) or is closed. Poll never waits.
func (q *TXQueue) Poll(done []TXDone) (int, error) {
	settled := q.settled.Load()
	q.polling.Lock()
	defer q.polling.Unlock()
	if q.memory == nil {
		return 0, ErrClosed
	}
	head := q.head.Load()
	count := 0
	for ; count < len(done); count++ {
		if head == q.done {
			q.head.Store(head)
			more, err := q.take(settled)
			if err != nil && count == 0 {
				return 0, err
			}
			if !more {
				break
			}
		}
		slot := &q.slots[head&(q.size-1)]
		head++
		status := q.earlier
		if head == q.done {
			status = q.status
		}
		slot.buffer.takeBack()
		done[count] = TXDone{Buffer: slot.buffer, Status: status, SA: slot.sa, Cookie: slot.cookie}
		*slot = txSlot{}
	}
	q.head.Store(head)
	if count == 0 {
		if f := q.failure.Load(); f != nil {
			return 0, f.err
		}
	}
	return count, nil
}
