// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"context"
	"fmt"
	"sync"

	"github.com/espalier-nic/espalier/regs"
)

// saWindow is the saPort of a NIC without a control processor. The host chooses
// slots; freed ones are used again as late as possible.
type saWindow struct {
	n  *NIC
	mu sync.Mutex // from begin to end: the window runs one operation at a time

	free  []uint16 // a ring of free slots: first and count
	first int
	count int

	abandoned *saRequest // its caller has stopped waiting
	foreign   bool       // an earlier driver may have left an operation running
	words     knownWords // of the record: word i is word i+windowWord here
}

// windowWord is where a record begins in what knownWords knows.
const windowWord = regs.MailboxCommandSPIWord

func (w *saWindow) reset(live func(slot int) bool) {
	capacity := w.n.caps.SACapacity
	w.free = make([]uint16, capacity)
	w.first, w.count = 0, 0
	for slot := range capacity {
		if !live(slot) {
			w.giveBack(slot)
		}
	}
	w.abandoned = nil
	w.words.forget()
}

// take removes the next free slot from the list.
func (w *saWindow) take() (int, bool) {
	if w.count == 0 {
		return 0, false
	}
	slot := int(w.free[w.first])
	w.first = (w.first + 1) % len(w.free)
	w.count--
	return slot, true
}

// takeSlot removes that slot from the list. It is quick for slots that are soon
// to be used.
func (w *saWindow) takeSlot(slot int) bool {
	for i := range w.count {
		if int(w.free[(w.first+i)%len(w.free)]) != slot {
			continue
		}
		for ; i > 0; i-- {
			w.free[(w.first+i)%len(w.free)] = w.free[(w.first+i-1)%len(w.free)]
		}
		w.first = (w.first + 1) % len(w.free)
		w.count--
		return true
	}
	return false
}

// giveBack appends a slot to the list.
func (w *saWindow) giveBack(slot int) {
	w.free[(w.first+w.count)%len(w.free)] = uint16(slot)
	w.count++
}

func (w *saWindow) begin(ctx context.Context) error {
	w.mu.Lock()
	if err := w.settle(ctx); err != nil {
		w.mu.Unlock()
		return err
	}
	return nil
}

func (w *saWindow) end() { w.mu.Unlock() }

// settle waits for an abandoned operation and applies it. An SA that nobody has
// a handle of is deleted again.
func (w *saWindow) settle(ctx context.Context) error {
	if w.foreign {
		if _, err := w.awaitIdle(ctx); err != nil {
			return err
		}
		w.foreign = false
	}
	r := w.abandoned
	if r == nil {
		return nil
	}
	status, err := w.awaitIdle(ctx)
	if err != nil {
		return fmt.Errorf("earlier SA operation: %w", err)
	}
	done := status.Result() == regs.SAResultOK
	if r.installs() && done {
		v, err := w.n.read(regs.SAHandleOffset)
		if err != nil {
			return err
		}
		// From here on the abandoned operation is the deletion.
		w.abandoned = &saRequest{op: regs.MailboxOpDeleteSA, slot: r.slot}
		if status, err = w.command(ctx, regs.SAOpDelete, regs.SAHandle(v)); err != nil {
			return err
		}
		if status.Result() != regs.SAResultOK {
			return fmt.Errorf("delete SA %v that nobody waited for: NIC's result %v: %w", Handle(v), status.Result(), ErrHardware)
		}
		w.giveBack(r.slot)
	} else {
		w.finish(r, done)
	}
	w.abandoned = nil
	return nil
}

// finish applies an operation that has ended.
func (w *saWindow) finish(r *saRequest, done bool) {
	if done && r.op == regs.MailboxOpDeleteSA || !done && r.installs() {
		w.giveBack(r.slot)
	}
	if done && r.apply != nil {
		r.apply(r)
	}
}

// command starts an operation of the window and returns its result. If ctx ends
// first, the operation goes on.
func (w *saWindow) command(ctx context.Context, op regs.SAOp, handle regs.SAHandle) (regs.SAStatus, error) {
	if err := w.n.write(regs.SAHandleOffset, uint32(handle)); err != nil {
		return 0, err
	}
	if err := w.n.write(regs.SACmdOffset, uint32(regs.SACmd(0).WithOp(op))); err != nil {
		return 0, err
	}
	return w.awaitIdle(ctx)
}

// quickLooks is how often READ looks for its end before it lets time pass: it
// takes about as long as a few accesses, and a list of all SAs has many.
const quickLooks = 8

// commandRead is command for READ.
func (w *saWindow) commandRead(ctx context.Context, slot int) (regs.SAStatus, error) {
	if err := w.n.write(regs.SAHandleOffset, uint32(regs.SAHandle(0).WithIndex(uint16(slot)))); err != nil {
		return 0, err
	}
	if err := w.n.write(regs.SACmdOffset, uint32(regs.SACmd(0).WithOp(regs.SAOpRead))); err != nil {
		return 0, err
	}
	for range quickLooks {
		v, err := w.n.read(regs.SAStatusOffset)
		if status := regs.SAStatus(v); err != nil || !status.Busy() {
			return status, err
		}
	}
	return w.awaitIdle(ctx)
}

// awaitIdle waits until the window is idle and returns its status.
func (w *saWindow) awaitIdle(ctx context.Context) (regs.SAStatus, error) {
	var status regs.SAStatus
	err := w.n.await(ctx, "SA operation", func() (bool, error) {
		v, err := w.n.read(regs.SAStatusOffset)
		status = regs.SAStatus(v)
		return !status.Busy(), err
	})
	return status, err
}

// post carries the whole operation out; wait tells how it went.
func (w *saWindow) post(ctx context.Context, r *saRequest) error {
	r.slot = r.handle.Slot()
	switch r.op {
	case regs.MailboxOpAddSA, regs.MailboxOpRestoreSA:
		return w.install(ctx, r)
	case regs.MailboxOpUpdateSA:
		if err := w.writeWord(regs.SARecordESNHiWord, r.sa.SequenceHi); err != nil {
			return err
		}
		w.run(ctx, r, regs.SAOpUpdate, regs.SAHandle(r.handle))
	case regs.MailboxOpDeleteSA:
		w.run(ctx, r, regs.SAOpDelete, regs.SAHandle(r.handle))
	case regs.MailboxOpReadSA:
		r.err = w.read(ctx, r, r.slot)
		if r.err == nil && r.answer != r.handle {
			r.err = &RefusedError{Op: r.name(), Field: "handle", Asked: r.handle.String(), Result: regs.SAResultStaleHandle, Reason: ErrStaleHandle}
		}
	case regs.MailboxOpNextSA:
		for slot := r.slot; slot < w.n.caps.SACapacity && r.answer == 0 && r.err == nil; slot++ {
			r.err = w.read(ctx, r, slot)
		}
	}
	return nil
}

func (w *saWindow) wait(_ context.Context, r *saRequest) error { return r.err }

// install is ADD_SA and RESTORE_SA.
func (w *saWindow) install(ctx context.Context, r *saRequest) error {
	op, handle := regs.SAOpAdd, regs.SAHandle(0)
	if r.op == regs.MailboxOpRestoreSA {
		op, handle = regs.SAOpRestore, regs.SAHandle(r.handle)
		if !w.takeSlot(r.slot) {
			return refuse(r.name(), "slot", r.slot, "slots without an SA", ErrDuplicate)
		}
	} else {
		var ok bool
		if r.slot, ok = w.take(); !ok {
			capacity := w.n.caps.SACapacity
			return refuse(r.name(), "SA", fmt.Sprintf("number %d", capacity+1), fmt.Sprintf("%d SAs", capacity), ErrResources)
		}
		handle = handle.WithIndex(uint16(r.slot))
	}
	if err := w.writeRecord(&r.sa); err != nil {
		w.giveBack(r.slot)
		return err
	}
	r.sa.Key, r.sa.Salt = nil, Salt{}
	w.run(ctx, r, op, handle)
	return nil
}

// run runs an operation other than READ and keeps its outcome in r.
func (w *saWindow) run(ctx context.Context, r *saRequest, op regs.SAOp, handle regs.SAHandle) {
	status, err := w.command(ctx, op, handle)
	if err == nil && status.Result() == regs.SAResultOK && r.installs() {
		var v uint32
		if v, err = w.n.read(regs.SAHandleOffset); err == nil {
			r.answer = Handle(v)
			if r.answer.Slot() != r.slot || r.answer.Generation() == 0 || r.handle != 0 && r.answer != r.handle {
				err = fmt.Errorf("NIC answers with handle %v for slot %d: %w", r.answer, r.slot, ErrHardware)
			}
		}
	}
	if err != nil {
		w.abandoned, r.err = r, err
		return
	}
	if status.Result() != regs.SAResultOK {
		r.err = w.refused(r, status.Result())
	}
	w.finish(r, r.err == nil)
}

// writeWord writes a word of the window's record, unless it is there.
func (w *saWindow) writeWord(word int, v uint32) error {
	if w.words.holds(windowWord+word, v) {
		return nil
	}
	if err := w.n.write(regs.SARecordOffset+4*uint64(word), v); err != nil {
		w.words.forget()
		return err
	}
	if word != regs.SARecordSaltWord {
		w.words.learn(windowWord+word, v)
	}
	return nil
}

// writeRecord writes the SA to the window and clears its own copies of the key.
func (w *saWindow) writeRecord(sa *SA) error {
	record := sa.record()
	words := record.Words()
	defer func() {
		clear(words[:])
		record = regs.SARecord{}
	}()
	for i, v := range words[:regs.SARecordKeyWord+len(sa.Key)/4] {
		if err := w.writeWord(i, v); err != nil {
			return err
		}
	}
	return nil
}

// refused turns the NIC's result into an error.
func (w *saWindow) refused(r *saRequest, result regs.SAResult) error {
	e := &RefusedError{Op: r.name(), Field: "handle", Asked: r.handle.String(), Result: result, Reason: ErrHardware}
	if r.installs() {
		e.Field, e.Asked = "SA", r.sa.String()
	}
	switch result {
	case regs.SAResultDuplicate:
		e.Reason = ErrDuplicate
	case regs.SAResultLookupFull:
		e.Reason = ErrResources
		e.Allowed = lookupAllowed
	case regs.SAResultBadRecord:
		e.Reason = ErrNotSupported
	case regs.SAResultSlotInUse, regs.SAResultBadIndex:
		e.Field, e.Asked = "slot", fmt.Sprint(r.slot)
	case regs.SAResultStaleHandle:
		if r.op == regs.MailboxOpRestoreSA {
			e.Field, e.Asked, e.Allowed, e.Reason = "handle", r.handle.String(), "the last handle of its slot", ErrStaleHandle
		}
	}
	return e
}

// read reads a slot into the answer of r, whose handle 0 says that it is empty.
func (w *saWindow) read(ctx context.Context, r *saRequest, slot int) error {
	w.words.forget() // the NIC writes them
	status, err := w.commandRead(ctx, slot)
	if err != nil {
		w.abandoned = &saRequest{op: regs.MailboxOpReadSA}
		return err
	}
	switch status.Result() {
	case regs.SAResultOK:
	case regs.SAResultEmptySlot:
		return nil
	default:
		return &RefusedError{Op: r.name(), Field: "slot", Asked: fmt.Sprint(slot), Result: status.Result(), Reason: ErrHardware}
	}
	v, err := w.n.read(regs.SAHandleOffset)
	if err != nil {
		return err
	}
	var words [regs.SARecordWords]uint32
	for i := range words[:regs.SARecordKeyWord] {
		if i == regs.SARecordSaltWord {
			continue
		}
		if words[i], err = w.n.read(regs.SARecordOffset + 4*uint64(i)); err != nil {
			return err
		}
	}
	var counters [regs.SACountersCount]uint32
	for i := range counters {
		if counters[i], err = w.n.read(regs.SACountersOffset(i)); err != nil {
			return err
		}
	}
	var record regs.SARecord
	record.SetWords(&words)
	r.answer, r.state = Handle(v), stateOf(Handle(v), &record, &counters)
	return nil
}
