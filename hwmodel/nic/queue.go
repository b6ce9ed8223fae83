// SPDX-License-Identifier: Apache-2.0

package nic

import (
	"encoding/binary"

	"github.com/espalier-nic/espalier/regs"
)

const (
	descriptorSize = regs.TxDescriptorSize
	lineSize       = 64 // completions are written within one such line
	lineEntries    = lineSize / regs.CompletionSize
)

// queue is one TX or RX queue: its page of registers, its descriptor ring and
// its completion ring.
type queue struct {
	nic    *NIC
	number int

	ctrl      regs.QueueCtrl
	ring, cpl uint64 // IOVA
	tail      uint16
	head      uint16 // index after the last complete descriptor
	batch     regs.QueueCplBatch
	failure   regs.QueueError

	// Descriptors: fetched is the ring index after the last one cached.
	fetched uint16
	cache   [prefetch][2]uint64
	first   int // of the cached ones, in cache
	cached  int

	// Completions: next is where the first of pending goes.
	next    uint16
	phase   bool
	pending [lineEntries][2]uint64
	batched int
	due     uint64 // cycle at which pending is written
}

// reset gives the queue its state after a reset.
func (q *queue) reset() {
	*q = queue{nic: q.nic, number: q.number, batch: regs.QueueCplBatchReset}
}

func (q *queue) mask() uint16 { return 1<<q.ctrl.RingLog2() - 1 }

// running says whether the queue may take descriptors.
func (q *queue) running() bool { return q.ctrl.Enable() && q.failure == regs.QueueErrorNone }

// setCtrl is a write of the page's CTRL.
func (q *queue) setCtrl(v regs.QueueCtrl) {
	switch {
	case q.ctrl.Enable() && v.Enable(): // nothing else may change while it runs
	case q.ctrl.Enable():
		q.flush()
		q.ctrl = q.ctrl.WithEnable(false)
		q.failure = regs.QueueErrorNone
		q.cached = 0
	case v.Enable() && !q.nic.tested(): // nothing is sent or received by crypto units that were not tested
	default:
		q.ctrl = v
		if v.Enable() {
			q.start()
		}
	}
}

// start begins both rings at index 0.
func (q *queue) start() {
	q.tail, q.head, q.fetched, q.next = 0, 0, 0, 0
	q.first, q.cached, q.batched = 0, 0, 0
	q.phase = true
	log2 := q.ctrl.RingLog2()
	if log2 < minRingLog2 || log2 > maxRingLog2 || q.ring%lineSize != 0 || q.cpl%lineSize != 0 {
		q.fail(regs.QueueErrorBadConfig)
	}
}

// setTail is a write of the doorbell.
func (q *queue) setTail(v uint16) {
	if !q.ctrl.Enable() {
		return
	}
	q.tail = v
	if !q.running() {
		return
	}
	if v > q.mask() {
		q.fail(regs.QueueErrorBadTail)
		return
	}
	q.fetch()
}

// fail stops the queue.
func (q *queue) fail(e regs.QueueError) {
	if q.failure != regs.QueueErrorNone {
		return
	}
	q.failure = e
	q.cached = 0
	q.nic.event(int(q.ctrl.Vector()), 1)
}

// fetch fills the descriptor cache as far as the doorbell allows.
func (q *queue) fetch() {
	line := &q.nic.line
	for q.fetched != q.tail && q.cached < prefetch {
		count := int(q.tail-q.fetched) & int(q.mask())
		count = min(count, prefetch-q.cached, lineEntries-int(q.fetched)%lineEntries)
		b := line[:count*descriptorSize]
		if !q.nic.dmaRead(q.ring+uint64(q.fetched)*descriptorSize, b) {
			q.fail(regs.QueueErrorDescRead)
			return
		}
		for i := range count {
			at := b[i*descriptorSize:]
			q.cache[(q.first+q.cached+i)%prefetch] = [2]uint64{binary.LittleEndian.Uint64(at), binary.LittleEndian.Uint64(at[8:])}
		}
		q.cached += count
		q.fetched = (q.fetched + uint16(count)) & q.mask()
	}
}

// pop takes the next descriptor and its index.
func (q *queue) pop() (d [2]uint64, index uint16, ok bool) {
	if !q.running() {
		return d, 0, false
	}
	if q.cached == 0 {
		q.fetch()
		if q.cached == 0 {
			return d, 0, false
		}
	}
	index = (q.fetched - uint16(q.cached)) & q.mask()
	d = q.cache[q.first]
	q.first = (q.first + 1) % prefetch
	q.cached--
	return d, index, true
}

// finish says that the descriptor last taken is complete.
func (q *queue) finish() { q.head = (q.head + 1) & q.mask() }

// complete adds a completion to the batch.
func (q *queue) complete(c regs.Completion) {
	if !q.running() { // after an error completions are lost
		return
	}
	c.Phase = q.phase
	lo, hi := c.Words()
	q.pending[q.batched] = [2]uint64{lo, hi}
	q.batched++
	after := (q.next + uint16(q.batched)) & q.mask()
	if after == 0 {
		q.phase = !q.phase
	}
	count := int(q.batch.Count())
	if count == 0 || count > lineEntries {
		count = lineEntries
	}
	timer := uint64(q.batch.Timer())
	switch {
	case q.batched >= count, after%lineEntries == 0, timer == 0:
		q.flush()
	case q.batched == 1:
		q.due = q.nic.clock.cycle + timer
		q.nic.clock.wakeAt(q.due)
	}
}

// flush writes the batch and counts its events.
func (q *queue) flush() {
	if q.batched == 0 {
		return
	}
	count := q.batched
	q.batched = 0
	for _, words := range q.pending[:count] {
		at := q.cpl + uint64(q.next)*regs.CompletionSize
		b := q.nic.line[:regs.CompletionSize]
		binary.LittleEndian.PutUint64(b, words[0])
		binary.LittleEndian.PutUint64(b[8:], words[1])
		// The half with the phase last: a host that sees it sees all.
		if !q.nic.dmaWrite(at, b[:8]) || !q.nic.dmaWrite(at+8, b[8:]) {
			q.fail(regs.QueueErrorCplWrite)
			return
		}
		q.next = (q.next + 1) & q.mask()
	}
	q.nic.event(int(q.ctrl.Vector()), count)
}

// status is the page's STATUS.
func (q *queue) status() (v uint32) {
	v = queueActive.Insert(v, bit(q.ctrl.Enable()))
	v = queueError.Insert(v, bit(q.failure != regs.QueueErrorNone))
	return queueErrorCode.Insert(v, uint32(q.failure))
}
