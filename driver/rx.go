// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"fmt"

	"github.com/espalier-nic/espalier/regs"
)

// IPsecWords is what the NIC says of a received frame's IPsec processing: the
// IPsecOV2 receive words of slots 1 and 12.
type IPsecWords struct {
	// SADeleteRequest: the NIC would like this SA to be deleted.
	SADeleteRequest bool
	// CryptoDone: an IPsec payload was checked. NextCryptoDone: tunnel and
	// transport payloads were both checked.
	CryptoDone, NextCryptoDone bool
	// CryptoStatus is the outcome of the check.
	CryptoStatus regs.CryptoStatus
	// NextHeader and PadLength are the ESP trailer's, when HeaderInfoSet.
	NextHeader, PadLength uint8
	// HeaderInfoSet: ESP was decrypted with success.
	HeaderInfoSet bool
}

// Slot1 returns the word of slot 1 (IPsecOffloadV2) as IPsecOV2 lays it out.
func (w IPsecWords) Slot1() uint32 {
	v := uint32(w.CryptoStatus) << 16
	for bit, set := range [3]bool{w.SADeleteRequest, w.CryptoDone, w.NextCryptoDone} {
		if set {
			v |= 1 << bit
		}
	}
	return v
}

// Slot12 returns the word of slot 12 (IPsecOffloadV2Header).
func (w IPsecWords) Slot12() uint32 {
	v := uint32(w.NextHeader) | uint32(w.PadLength)<<8
	if w.HeaderInfoSet {
		v |= 1 << 16
	}
	return v
}

// RXPacket is one received frame, or a buffer handed back without one.
type RXPacket struct {
	// Buffer is the caller's again.
	Buffer *Buffer
	// Length is the frame's length in bytes, no FCS. It exceeds the buffer
	// when Status is Truncated.
	Length int
	// SA is the SA that matched, 0 if none. IPsec is what was found.
	SA    Handle
	IPsec IPsecWords
	// Status is OK, Truncated, DMAWrite (contents undefined) or Aborted (no
	// frame).
	Status Status
}

// Frame returns the bytes received, which are in the buffer.
func (p *RXPacket) Frame() []byte {
	if p.Status != OK && p.Status != Truncated {
		return nil
	}
	return p.Buffer.bytes[:min(p.Length, len(p.Buffer.bytes))]
}

// RXQueue is one receive queue. Frames of one queue are delivered in the order
// of their arrival, into buffers in the order in which they were posted.
type RXQueue struct {
	queue
	slots []*Buffer
}

// Post gives empty buffers to the NIC, in order, and returns how many: fewer
// than len(buffers) when the ring is full, or when one is unusable (the error
// says which; those before it are posted). Post never waits.
func (q *RXQueue) Post(buffers []*Buffer) (int, error) {
	q.posting.Lock()
	defer q.posting.Unlock()
	room, err := q.room()
	if err != nil {
		return 0, err
	}
	count := min(len(buffers), int(room))
	tail := q.tail.Load()
	posted := 0
	for ; posted < count; posted++ {
		b := buffers[posted]
		if b == nil {
			err = fmt.Errorf("%s: buffer %d: none: %w", q.name, posted, ErrBuffer)
			break
		}
		if !b.give() {
			err = fmt.Errorf("%s: buffer %d is not the caller's: %w", q.name, posted, ErrBuffer)
			break
		}
		index := tail & (q.size - 1)
		q.slots[index] = b
		regs.RxDescriptor{Addr: b.iova, Length: uint16(min(len(b.bytes), 1<<16-1))}.Pack(q.descriptors[index*completionSize:])
		tail++
	}
	if posted == 0 {
		return 0, err
	}
	if failed := q.announce(tail); failed != nil {
		return posted, failed
	}
	return posted, err
}

// Poll hands back received frames and returns how many it has put into packets.
// When it returns 0, the error says whether the queue has failed (*QueueError)
// or is closed. Poll never waits.
func (q *RXQueue) Poll(packets []RXPacket) (int, error) {
	settled := q.settled.Load()
	q.polling.Lock()
	defer q.polling.Unlock()
	if q.memory == nil {
		return 0, ErrClosed
	}
	head := q.head.Load()
	count := 0
	for ; count < len(packets); count++ {
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
		buffer := q.slots[head&(q.size-1)]
		q.slots[head&(q.size-1)] = nil
		head++
		buffer.takeBack()
		c := &q.last
		packets[count] = RXPacket{
			Buffer: buffer,
			Length: int(c.Length),
			SA:     Handle(c.Handle),
			IPsec: IPsecWords{
				SADeleteRequest: c.SADeleteReq,
				CryptoDone:      c.CryptoDone,
				NextCryptoDone:  c.NextCryptoDone,
				CryptoStatus:    c.CryptoStatus,
				NextHeader:      c.NextHeader,
				PadLength:       c.PadLength,
				HeaderInfoSet:   c.HeaderInfoSet,
			},
			Status: q.status,
		}
	}
	q.head.Store(head)
	if count == 0 {
		if f := q.failure.Load(); f != nil {
			return 0, f.err
		}
	}
	return count, nil
}
