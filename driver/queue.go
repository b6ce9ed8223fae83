// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/regs"
)

// Status is what became of a descriptor: the NIC's CompletionStatus or Aborted.
type Status uint8

// Values of Status. All but Aborted are the NIC's.
const (
	OK          = Status(regs.CompletionStatusOK)
	StaleHandle = Status(regs.CompletionStatusStaleHandle)
	BadLength   = Status(regs.CompletionStatusBadLength)
	BadOffset   = Status(regs.CompletionStatusBadOffset)
	DMARead     = Status(regs.CompletionStatusDMARead)
	DMAWrite    = Status(regs.CompletionStatusDMAWrite)
	OffloadOff  = Status(regs.CompletionStatusOffloadOff)
	Truncated   = Status(regs.CompletionStatusTruncated)
	// Aborted: the queue was stopped or reset before the NIC completed the
	// descriptor. A frame may or may not have been sent.
	Aborted Status = 0x80
)

// String returns the status's name in regs/espalier.rdl, or "ABORTED".
func (s Status) String() string {
	if s == Aborted {
		return "ABORTED"
	}
	return regs.CompletionStatus(s).String()
}

// Err returns nil for OK and a *DescriptorError otherwise.
func (s Status) Err() error {
	if s == OK {
		return nil
	}
	return &DescriptorError{s}
}

// completionSize is the bytes of a descriptor and of a completion.
const completionSize = 16

// polls is how often an empty queue is looked at before its STATUS is read for
// an error, when there are no interrupts.
const polls = 16

// queue is what TX and RX queues have in common: two rings in one block of DMA
// memory, and a life cycle. Counts run freely; an index is a count modulo the
// ring's size.
//
//	head <= done <= tail, tail - head < size
type queue struct {
	n      *NIC
	name   string // "TX queue 2"
	page   uint64 // offset of its registers
	vector int
	size   uint32

	// posting guards the side that fills descriptors, polling the side that
	// empties completions. Who takes both takes posting first.
	posting, polling sync.Mutex

	memory      *pcie.Memory // nil after Close
	descriptors []byte
	completions []byte

	running atomic.Bool // descriptors may be posted
	settled atomic.Bool // halted, and the NIC will complete nothing more
	failure atomic.Pointer[failure]
	run     context.Context // cancelled when the queue is halted
	halting context.CancelFunc

	tail atomic.Uint32 // descriptors posted
	head atomic.Uint32 // descriptors handed back

	// each: every descriptor gets a completion of its own (RX).
	each bool

	// The rest is guarded by polling.
	broken  bool   // completions make no sense, none is believed any more
	next    uint32 // completions taken
	done    uint32 // descriptors known to be complete
	earlier Status // of those before the last
	last    regs.Completion
	status  Status // of the last
}

// failure is a sticky error.
type failure struct{ err error }

// openQueues allocates and starts the queues.
func (n *NIC) openQueues(ctx context.Context) error {
	for q := range n.opts.TXQueues {
		tx := &TXQueue{slots: make([]txSlot, n.opts.TXRing)}
		n.tx = append(n.tx, tx)
		if err := tx.init(n, fmt.Sprintf("TX queue %d", q), regs.TxqOffset(q), q, n.opts.TXRing); err != nil {
			return err
		}
	}
	for q := range n.opts.RXQueues {
		rx := &RXQueue{slots: make([]*Buffer, n.opts.RXRing)}
		n.rx = append(n.rx, rx)
		if err := rx.init(n, fmt.Sprintf("RX queue %d", q), regs.RxqOffset(q), n.opts.TXQueues+q, n.opts.RXRing); err != nil {
			return err
		}
		rx.each = true
	}
	for _, q := range n.queues() {
		if err := q.start(ctx); err != nil {
			return err
		}
	}
	return nil
}

// init allocates the rings. number spreads queues over interrupt vectors.
func (q *queue) init(n *NIC, name string, page uint64, number, size int) error {
	q.n, q.name, q.page, q.size = n, name, page, uint32(size)
	if len(n.vectors) > 0 {
		q.vector = number % len(n.vectors)
	}
	memory, err := n.fn.AllocDMA(2 * size * completionSize)
	if err != nil {
		return fmt.Errorf("%s: rings of %d entries: %w", name, size, err)
	}
	q.memory = memory
	q.descriptors = memory.Bytes[:size*completionSize]
	q.completions = memory.Bytes[size*completionSize : 2*size*completionSize]
	q.settled.Store(true)
	q.run, q.halting = context.WithCancel(context.Background())
	q.halting()
	return nil
}

// freeQueues frees all rings. The NIC must not use them any more.
func (n *NIC) freeQueues() error {
	var errs []error
	for _, q := range n.queues() {
		q.posting.Lock()
		q.polling.Lock()
		if q.memory != nil {
			errs = append(errs, n.fn.FreeDMA(q.memory))
		}
		q.memory, q.descriptors, q.completions = nil, nil, nil
		q.polling.Unlock()
		q.posting.Unlock()
	}
	return errors.Join(errs...)
}

// Start starts a queue that Stop, Reset or an error has stopped. All buffers it
// held must have been taken back with Poll, else ErrUncollected. Starting a
// queue that runs does nothing.
func (q *queue) Start(ctx context.Context) error {
	q.n.control.Lock()
	defer q.n.control.Unlock()
	if q.n.closed.Load() {
		return ErrClosed
	}
	return q.start(ctx)
}

func (q *queue) start(ctx context.Context) error {
	q.posting.Lock()
	defer q.posting.Unlock()
	q.polling.Lock()
	defer q.polling.Unlock()
	if q.running.Load() {
		return nil
	}
	if !q.settled.Load() {
		return fmt.Errorf("%s: start: not stopped yet: %w", q.name, ErrStopped)
	}
	if held := q.tail.Load() - q.head.Load(); held != 0 {
		return fmt.Errorf("%s: start: %d buffers are left in it: %w", q.name, held, ErrUncollected)
	}
	clear(q.completions) // phase 0: not written in the first lap
	q.tail.Store(0)
	q.head.Store(0)
	q.next, q.done, q.broken = 0, 0, false
	q.failure.Store(nil)
	if err := q.program(); err != nil {
		return fmt.Errorf("%s: start: %w", q.name, err)
	}
	if err := q.check(); err != nil {
		return errors.Join(err, q.n.disable(ctx, q.name, q.page))
	}
	q.settled.Store(false)
	q.run, q.halting = context.WithCancel(context.Background())
	q.running.Store(true)
	return nil
}

// program writes the queue's registers and enables it.
func (q *queue) program() error {
	ring, completions := q.memory.IOVA, q.memory.IOVA+uint64(len(q.descriptors))
	ctrl := regs.QueueCtrl(0).WithRingLog2(uint8(bits.TrailingZeros32(q.size))).WithVector(uint8(q.vector))
	batch := regs.QueueCplBatch(0).WithCount(uint8(q.n.opts.CompletionBatch)).WithTimer(defaultCompletionTimer)
	if timer := q.n.opts.CompletionTimer; timer != 0 {
		batch = batch.WithTimer(uint16(timer))
	}
	for _, w := range []struct{ offset, value uint64 }{
		{regs.QueueCtrlOffset, uint64(ctrl)},
		{regs.QueueRingLoOffset, ring & 0xFFFFFFFF},
		{regs.QueueRingHiOffset, ring >> 32},
		{regs.QueueCplLoOffset, completions & 0xFFFFFFFF},
		{regs.QueueCplHiOffset, completions >> 32},
		{regs.QueueCplBatchOffset, uint64(batch)},
		{regs.QueueCtrlOffset, uint64(ctrl.WithEnable(true))},
	} {
		if err := q.n.write(q.page+w.offset, uint32(w.value)); err != nil {
			return err
		}
	}
	return nil
}

// defaultCompletionTimer is CPL_BATCH.TIMER after reset.
const defaultCompletionTimer = 64

// Stop stops the queue and waits until the NIC has finished what it has begun.
// Poll then delivers what was completed, and after it every other buffer with
// the status Aborted. Stopping a queue that has stopped does nothing.
func (q *queue) Stop(ctx context.Context) error {
	q.n.control.Lock()
	defer q.n.control.Unlock()
	if q.n.closed.Load() {
		return ErrClosed
	}
	q.halt()
	if q.settled.Load() {
		return nil
	}
	if err := q.n.disable(ctx, q.name, q.page); err != nil {
		return err
	}
	q.settled.Store(true)
	return nil
}

// halt ends posting and wakes up waiters; the NIC is not told.
func (q *queue) halt() {
	q.posting.Lock()
	defer q.posting.Unlock()
	q.running.Store(false)
	if q.halting != nil {
		q.halting()
	}
}

// disable clears ENABLE of the queue at page and waits for ACTIVE to fall.
func (n *NIC) disable(ctx context.Context, name string, page uint64) error {
	if err := n.write(page+regs.QueueCtrlOffset, 0); err != nil {
		return fmt.Errorf("stop %s: %w", name, err)
	}
	return n.await(ctx, "stop "+name, func() (bool, error) {
		s, err := n.read(page + regs.QueueStatusOffset)
		return !regs.QueueStatus(s).Active(), err
	})
}

// check reads STATUS for an error of the queue.
func (q *queue) check() error {
	v, err := q.n.read(q.page + regs.QueueStatusOffset)
	if err != nil {
		return err
	}
	if s := regs.QueueStatus(v); s.Error() {
		return q.fail(&QueueError{Queue: q.name, Code: s.ErrorCode()})
	}
	return nil
}

// fail makes err the queue's error and ends posting.
func (q *queue) fail(err error) error {
	q.failure.CompareAndSwap(nil, &failure{err})
	q.running.Store(false)
	return err
}

// Err reads the queue's state from the NIC and returns why it does not run, or
// nil if it does: ErrClosed, a *QueueError, or ErrStopped.
func (q *queue) Err() error {
	switch f := q.failure.Load(); {
	case q.n.closed.Load():
		return ErrClosed
	case f != nil:
		return f.err
	case !q.running.Load():
		return fmt.Errorf("%s: %w", q.name, ErrStopped)
	}
	return q.check()
}

// Size returns the entries of the queue's rings; Size()-1 may be outstanding.
func (q *queue) Size() int { return int(q.size) }

// Outstanding returns how many descriptors were posted and not yet handed back
// by Poll.
func (q *queue) Outstanding() int { return int(q.tail.Load() - q.head.Load()) }

// String returns the queue's name, such as "TX queue 2".
func (q *queue) String() string { return q.name }

// room returns how many descriptors can be posted. q.posting is held.
func (q *queue) room() (uint32, error) {
	if !q.running.Load() {
		if q.n.closed.Load() {
			return 0, ErrClosed
		}
		if f := q.failure.Load(); f != nil {
			return 0, f.err
		}
		return 0, fmt.Errorf("%s: %w", q.name, ErrStopped)
	}
	return q.size - 1 - (q.tail.Load() - q.head.Load()), nil
}

// announce makes the descriptors before tail the NIC's. q.posting is held.
func (q *queue) announce(tail uint32) error {
	q.tail.Store(tail)
	return q.n.write(q.page+regs.QueueTailOffset, tail&(q.size-1))
}

// take makes progress when all descriptors known to be complete have been
// handed back: it takes the next completion, or, from a settled queue that has
// none left, gives up the rest. It returns false if there is nothing. settled
// was read before. q.polling is held.
func (q *queue) take(settled bool) (bool, error) {
	head, tail := q.head.Load(), q.tail.Load()
	c, ok := q.peek()
	if !ok {
		if settled && head != tail {
			q.done, q.earlier, q.status, q.last = tail, Aborted, Aborted, regs.Completion{}
			return true, nil
		}
		return false, nil
	}
	ahead := (uint32(c.Index) - head) & (q.size - 1)
	if outstanding := tail - head; ahead >= outstanding || uint32(c.Index) >= q.size || q.each && ahead != 0 {
		q.broken = true
		return false, q.fail(fmt.Errorf("%s: completion %d names descriptor %d, outstanding are %d from %d: %w",
			q.name, q.next, c.Index, outstanding, head&(q.size-1), ErrHardware))
	}
	q.next++
	q.done, q.earlier, q.status, q.last = head+ahead+1, OK, Status(c.Status), c
	return true, nil
}

// peek returns the next completion if the NIC has written it. q.polling is held.
func (q *queue) peek() (regs.Completion, bool) {
	if q.broken {
		return regs.Completion{}, false
	}
	entry := q.completions[q.next&(q.size-1)*completionSize:]
	// The phase is in the last byte, so the upper word is read first: if it
	// is new, so is the lower one.
	hi := load64(entry[8:])
	c := regs.CompletionFromWords(load64(entry), hi)
	return c, c.Phase == (q.next&q.size == 0)
}

// ready says whether Poll has something to return now.
func (q *queue) ready() (bool, error) {
	settled := q.settled.Load()
	q.polling.Lock()
	defer q.polling.Unlock()
	if q.memory == nil || q.n.closed.Load() {
		return false, ErrClosed
	}
	head := q.head.Load()
	if q.done != head {
		return true, nil
	}
	if _, ok := q.peek(); ok {
		return true, nil
	}
	switch f := q.failure.Load(); {
	case settled && head != q.tail.Load():
		return true, nil
	case f != nil:
		return false, f.err
	case !q.running.Load():
		return false, fmt.Errorf("%s: %w", q.name, ErrStopped)
	}
	return false, nil
}

// Wait waits until Poll has something to return, and lets simulated time pass.
// It returns ctx's error, ErrClosed, ErrStopped, or a *QueueError when the NIC
// stopped the queue. While nothing is outstanding it waits for someone to post.
func (q *queue) Wait(ctx context.Context) error {
	if ok, err := q.ready(); ok || err != nil {
		return err
	}
	q.posting.Lock()
	run := q.run
	q.posting.Unlock()
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(run, cancel)()
	for {
		var err error
		if len(q.n.vectors) > 0 {
			err = q.n.vectors[q.vector].wait(waiting, q.n, q.ready)
		} else {
			err = q.relax(waiting)
		}
		if ok, stopped := q.ready(); ok || stopped != nil {
			return stopped
		}
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("%s: wait: %w", q.name, ctx.Err())
		case run.Err() != nil:
			return fmt.Errorf("%s: %w", q.name, ErrStopped)
		case err != nil:
			return fmt.Errorf("%s: wait: %w", q.name, err)
		}
		if err := q.check(); err != nil {
			return err
		}
	}
}

// relax polls the ring for a while.
func (q *queue) relax(ctx context.Context) error {
	for range polls {
		if err := q.n.fn.Relax(ctx, 0); err != nil {
			return err
		}
		if ok, err := q.ready(); ok || err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}
