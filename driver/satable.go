// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/espalier-nic/espalier/regs"
)

// saTable is the driver's view of the NIC's SA slots. The host chooses slots;
// freed ones are used again as late as possible.
type saTable struct {
	mu        sync.Mutex // also: one operation on the SA window at a time
	slots     []saSlot
	free      []uint16 // a ring of free slots: first and count
	first     int
	count     int
	inbound   map[selector]Handle
	abandoned *abandoned
	window    windowWords

	// sequence holds, per slot, what TXQueue.Post checks without the lock.
	sequence []atomic.Uint64
}

// saSlot is a slot in use; handle 0 is none.
type saSlot struct {
	handle Handle
	sa     SA // without secrets
}

// selector is what must be unique among inbound SAs.
type selector struct {
	spi  uint32
	dst  netip.Addr
	ipv6 bool
}

// abandoned is an operation whose caller stopped waiting.
type abandoned struct {
	op   regs.SAOp
	slot int
	sa   SA
}

// windowWords is what the SA window's words are known to hold, so that AddSA
// writes only those that differ: SAs have most of their addresses in common.
// Key and salt are never known: the NIC clears them after each operation.
type windowWords struct {
	value [regs.SARecordKeyWord]uint32
	known [regs.SARecordKeyWord]bool
}

func (w *windowWords) holds(word int, value uint32) bool {
	return word < len(w.known) && w.known[word] && w.value[word] == value
}

func (w *windowWords) learn(word int, value uint32) {
	if word < len(w.known) && word != regs.SARecordSaltWord {
		w.value[word], w.known[word] = value, true
	}
}

// forget is for when something else has written the window.
func (w *windowWords) forget() { *w = windowWords{} }

// sequenceLive marks an entry of saTable.sequence as an SA with ESN.
const sequenceLive = 1 << 48

// SAEntry is one SA with its handle.
type SAEntry struct {
	Handle Handle
	SA     SA // without Key and Salt
}

func (t *saTable) init(capacity int) {
	t.slots = make([]saSlot, capacity)
	t.free = make([]uint16, capacity)
	for i := range t.free {
		t.free[i] = uint16(i)
	}
	t.first, t.count = 0, capacity
	t.inbound = make(map[selector]Handle)
	t.abandoned = nil
	t.window.forget()
	if len(t.sequence) != capacity {
		t.sequence = make([]atomic.Uint64, capacity)
	}
	for i := range t.sequence {
		t.sequence[i].Store(0)
	}
}

func (sa *SA) selector() selector {
	dst := sa.Dst
	if !dst.IsValid() || dst.IsUnspecified() {
		dst = netip.Addr{}
	}
	return selector{spi: sa.SPI, dst: dst, ipv6: sa.IPv6}
}

// take removes the next free slot from the list.
func (t *saTable) take() (int, bool) {
	if t.count == 0 {
		return 0, false
	}
	slot := int(t.free[t.first])
	t.first = (t.first + 1) % len(t.free)
	t.count--
	return slot, true
}

// giveBack appends a slot to the list.
func (t *saTable) giveBack(slot int) {
	t.free[(t.first+t.count)%len(t.free)] = uint16(slot)
	t.count++
}

// insert records an SA that the NIC now holds. Its slot is not in the free list.
func (t *saTable) insert(h Handle, sa SA) {
	sa.Key, sa.Salt = nil, Salt{}
	t.slots[h.Slot()] = saSlot{handle: h, sa: sa}
	if sa.Inbound {
		t.inbound[sa.selector()] = h
	}
	t.setSequence(h, &sa)
}

func (t *saTable) setSequence(h Handle, sa *SA) {
	var v uint64
	if sa.ESN {
		v = sequenceLive | uint64(h.Generation())<<32 | uint64(sa.SequenceHi)
	}
	t.sequence[h.Slot()].Store(v)
}

// remove forgets an SA and frees its slot.
func (t *saTable) remove(h Handle) {
	s := &t.slots[h.Slot()]
	if s.sa.Inbound {
		delete(t.inbound, s.sa.selector())
	}
	t.sequence[h.Slot()].Store(0)
	*s = saSlot{}
	t.giveBack(h.Slot())
}

// find returns the slot that h names.
func (t *saTable) find(op string, h Handle) (*saSlot, error) {
	if h == 0 || h.Slot() >= len(t.slots) || t.slots[h.Slot()].handle != h {
		return nil, &RefusedError{Op: op, Field: "handle", Asked: h.String(), Reason: ErrStaleHandle}
	}
	return &t.slots[h.Slot()], nil
}

// sequenceHi returns the upper half of an ESN SA's sequence numbers; false for
// other handles. It takes no lock.
func (t *saTable) sequenceHi(h Handle) (uint32, bool) {
	if h.Slot() >= len(t.sequence) {
		return 0, false
	}
	v := t.sequence[h.Slot()].Load()
	return uint32(v), v&sequenceLive != 0 && uint16(v>>32) == h.Generation()
}

// command runs one operation of the SA window and returns its result. t.mu is
// held and the window is idle. If ctx ends first, the operation goes on and is
// settled by the next one.
func (n *NIC) command(ctx context.Context, op regs.SAOp, handle regs.SAHandle) (regs.SAStatus, error) {
	if err := n.write(regs.SAHandleOffset, uint32(handle)); err != nil {
		return 0, err
	}
	if err := n.write(regs.SACmdOffset, uint32(regs.SACmd(0).WithOp(op))); err != nil {
		return 0, err
	}
	return n.awaitWindow(ctx)
}

// awaitWindow waits until the SA window is idle and returns its status.
func (n *NIC) awaitWindow(ctx context.Context) (regs.SAStatus, error) {
	var status regs.SAStatus
	err := n.await(ctx, "SA operation", func() (bool, error) {
		v, err := n.read(regs.SAStatusOffset)
		status = regs.SAStatus(v)
		return !status.Busy(), err
	})
	return status, err
}

// lockWindow locks the table for an operation, after settling one that its
// caller has abandoned.
func (n *NIC) lockWindow(ctx context.Context) error {
	n.sas.mu.Lock()
	if n.closed.Load() {
		n.sas.mu.Unlock()
		return ErrClosed
	}
	if err := n.settle(ctx); err != nil {
		n.sas.mu.Unlock()
		return err
	}
	return nil
}

// settle waits for an abandoned operation and brings the table in line with
// what it has done. An SA that nobody has a handle of is deleted again.
func (n *NIC) settle(ctx context.Context) error {
	t := &n.sas
	left := t.abandoned
	if left == nil {
		return nil
	}
	status, err := n.awaitWindow(ctx)
	if err != nil {
		return fmt.Errorf("earlier SA operation: %w", err)
	}
	done := status.Result() == regs.SAResultOK
	switch {
	case left.op == regs.SAOpAdd && done:
		v, err := n.read(regs.SAHandleOffset)
		if err != nil {
			return err
		}
		t.abandoned = &abandoned{op: regs.SAOpDelete, slot: left.slot}
		if status, err = n.command(ctx, regs.SAOpDelete, regs.SAHandle(v)); err != nil {
			return err
		}
		if status.Result() != regs.SAResultOK {
			return fmt.Errorf("delete SA %v that nobody waited for: NIC's result %v: %w", Handle(v), status.Result(), ErrHardware)
		}
		t.giveBack(left.slot)
	case left.op == regs.SAOpAdd:
		t.giveBack(left.slot)
	case left.op == regs.SAOpDelete && done:
		if h := t.slots[left.slot].handle; h != 0 {
			t.remove(h)
		} else {
			t.giveBack(left.slot)
		}
	case left.op == regs.SAOpUpdate && done:
		s := &t.slots[left.slot]
		s.sa.SequenceHi = left.sa.SequenceHi
		t.setSequence(s.handle, &s.sa)
	}
	t.abandoned = nil
	return nil
}

// AddSA installs an SA and returns its handle. The SA is usable when AddSA
// returns. sa.Key is not kept and not changed; clear it with Key.Zero when it is
// no longer needed. A refusal is a *RefusedError. If ctx ends before the NIC has
// answered, the SA is not installed, or is deleted again before the next SA
// operation.
func (n *NIC) AddSA(ctx context.Context, sa SA) (Handle, error) {
	const op = "add SA"
	sa, err := sa.normalise(&n.caps, n.opts.RXQueues)
	if err != nil {
		return 0, err
	}
	if err := n.lockWindow(ctx); err != nil {
		return 0, fmt.Errorf("%s: %w", op, err)
	}
	t := &n.sas
	defer t.mu.Unlock()
	if other, ok := t.inbound[sa.selector()]; ok && sa.Inbound {
		return 0, refuse(op, "SPI", fmt.Sprintf("%#08x to %v (SA %v has both)", sa.SPI, sa.Dst, other),
			"inbound SAs that differ in SPI, destination or IP version", ErrDuplicate)
	}
	slot, ok := t.take()
	if !ok {
		return 0, refuse(op, "SA", fmt.Sprintf("number %d", len(t.slots)+1), fmt.Sprintf("%d SAs", len(t.slots)), ErrResources)
	}
	if err := n.writeRecord(&sa); err != nil {
		t.giveBack(slot)
		return 0, fmt.Errorf("%s: %w", op, err)
	}
	status, err := n.command(ctx, regs.SAOpAdd, regs.SAHandle(0).WithIndex(uint16(slot)))
	if err != nil {
		t.abandoned = &abandoned{op: regs.SAOpAdd, slot: slot}
		return 0, fmt.Errorf("%s: %w", op, err)
	}
	if status.Result() != regs.SAResultOK {
		t.giveBack(slot)
		return 0, n.addRefused(&sa, slot, status.Result())
	}
	v, err := n.read(regs.SAHandleOffset)
	if err != nil {
		t.abandoned = &abandoned{op: regs.SAOpAdd, slot: slot}
		return 0, fmt.Errorf("%s: %w", op, err)
	}
	h := Handle(v)
	if h.Slot() != slot || h.Generation() == 0 {
		t.abandoned = &abandoned{op: regs.SAOpAdd, slot: slot}
		return 0, fmt.Errorf("%s: NIC answers with handle %v for slot %d: %w", op, h, slot, ErrHardware)
	}
	t.insert(h, sa)
	return h, nil
}

// writeRecord writes the SA to the window and clears its own copies of the key.
func (n *NIC) writeRecord(sa *SA) error {
	record := sa.record()
	words := record.Words()
	defer func() {
		clear(words[:])
		record = regs.SARecord{}
	}()
	used := regs.SARecordKeyWord + len(sa.Key)/4
	window := &n.sas.window
	for i, w := range words[:used] {
		if window.holds(i, w) {
			continue
		}
		if err := n.write(regs.SARecordOffset+4*uint64(i), w); err != nil {
			window.forget()
			return err
		}
		window.learn(i, w)
	}
	return nil
}

// addRefused turns the NIC's result of an ADD into an error.
func (n *NIC) addRefused(sa *SA, slot int, result regs.SAResult) error {
	e := &RefusedError{Op: "add SA", Field: "SA", Asked: sa.String(), Result: result, Reason: ErrHardware}
	switch result {
	case regs.SAResultDuplicate:
		e.Reason = ErrDuplicate
	case regs.SAResultLookupFull:
		e.Reason = ErrResources
		e.Allowed = "an SPI or destination for which the NIC's lookup table has room"
	case regs.SAResultBadRecord:
		e.Reason = ErrNotSupported
	case regs.SAResultSlotInUse, regs.SAResultBadIndex:
		e.Field, e.Asked = "slot", fmt.Sprint(slot)
	}
	return e
}

// UpdateSA sets the upper half of an ESN SA's sequence numbers (IPsecOV2
// UPDATE_SA). Received packets use it from then on. Frames posted before keep the
// upper half that they were posted with if that is hi or hi-1; others must have
// been completed.
func (n *NIC) UpdateSA(ctx context.Context, h Handle, hi uint32) error {
	const op = "update SA"
	if err := n.lockWindow(ctx); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	t := &n.sas
	defer t.mu.Unlock()
	s, err := t.find(op, h)
	if err != nil {
		return err
	}
	if !s.sa.ESN {
		return refuse(op, "handle", h, "SAs with ESN", ErrInvalid)
	}
	if err := n.write(regs.SAESNHiOffset, hi); err != nil {
		t.window.forget()
		return fmt.Errorf("%s: %w", op, err)
	}
	t.window.learn(regs.SARecordESNHiWord, hi)
	status, err := n.command(ctx, regs.SAOpUpdate, regs.SAHandle(h))
	if err != nil {
		t.abandoned = &abandoned{op: regs.SAOpUpdate, slot: h.Slot(), sa: SA{SequenceHi: hi}}
		return fmt.Errorf("%s: %w", op, err)
	}
	if status.Result() != regs.SAResultOK {
		return &RefusedError{Op: op, Field: "handle", Asked: h.String(), Result: status.Result(), Reason: ErrHardware}
	}
	s.sa.SequenceHi = hi
	t.setSequence(h, &s.sa)
	return nil
}

// DeleteSA removes an SA. The NIC stops using it at once, waits for the frames
// that use it to leave, and zeroises it; then DeleteSA returns. Frames still in
// a TX ring fail with StaleHandle. If ctx ends first, the deletion goes on and
// the handle is no longer valid.
func (n *NIC) DeleteSA(ctx context.Context, h Handle) error {
	const op = "delete SA"
	if err := n.lockWindow(ctx); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	t := &n.sas
	defer t.mu.Unlock()
	if _, err := t.find(op, h); err != nil {
		return err
	}
	status, err := n.command(ctx, regs.SAOpDelete, regs.SAHandle(h))
	if err != nil {
		t.abandoned = &abandoned{op: regs.SAOpDelete, slot: h.Slot()}
		return fmt.Errorf("%s: %w", op, err)
	}
	if status.Result() != regs.SAResultOK {
		return &RefusedError{Op: op, Field: "handle", Asked: h.String(), Result: status.Result(), Reason: ErrHardware}
	}
	t.remove(h)
	return nil
}

// ReadSA reads an SA back from the NIC. Key and Salt cannot be read.
func (n *NIC) ReadSA(ctx context.Context, h Handle) (SA, error) {
	const op = "read SA"
	if err := n.lockWindow(ctx); err != nil {
		return SA{}, fmt.Errorf("%s: %w", op, err)
	}
	defer n.sas.mu.Unlock()
	if _, err := n.sas.find(op, h); err != nil {
		return SA{}, err
	}
	got, sa, err := n.readSlot(ctx, h.Slot())
	switch {
	case err != nil:
		return SA{}, fmt.Errorf("%s: %w", op, err)
	case got != h:
		return SA{}, fmt.Errorf("%s %v: the NIC has %v in the slot: %w", op, h, got, ErrHardware)
	}
	return sa, nil
}

// readSlot reads a slot; handle 0 says that it is empty. The window is locked.
func (n *NIC) readSlot(ctx context.Context, slot int) (Handle, SA, error) {
	n.sas.window.forget() // the NIC writes it
	status, err := n.command(ctx, regs.SAOpRead, regs.SAHandle(0).WithIndex(uint16(slot)))
	if err != nil {
		n.sas.abandoned = &abandoned{op: regs.SAOpRead}
		return 0, SA{}, err
	}
	switch status.Result() {
	case regs.SAResultOK:
	case regs.SAResultEmptySlot:
		return 0, SA{}, nil
	default:
		return 0, SA{}, &RefusedError{Op: "read SA", Field: "slot", Asked: fmt.Sprint(slot), Result: status.Result(), Reason: ErrHardware}
	}
	v, err := n.read(regs.SAHandleOffset)
	if err != nil {
		return 0, SA{}, err
	}
	var words [regs.SARecordWords]uint32
	for i := range words[:regs.SARecordKeyWord] {
		if words[i], err = n.read(regs.SARecordOffset + 4*uint64(i)); err != nil {
			return 0, SA{}, err
		}
	}
	var record regs.SARecord
	record.SetWords(&words)
	return Handle(v), saOf(&record), nil
}

// ListSAs returns the SAs that the NIC holds, by slot, as the driver knows them.
func (n *NIC) ListSAs() []SAEntry {
	n.sas.mu.Lock()
	defer n.sas.mu.Unlock()
	var list []SAEntry
	for _, s := range n.sas.slots {
		if s.handle != 0 {
			list = append(list, SAEntry{Handle: s.handle, SA: s.sa})
		}
	}
	return list
}

// readAll fills the table from the NIC. An operation that an earlier driver
// left running is waited for.
func (t *saTable) readAll(ctx context.Context, n *NIC) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, err := n.awaitWindow(ctx); err != nil {
		return err
	}
	for range len(t.slots) {
		slot, _ := t.take() // all in turn: free ones go to the end of the list
		h, sa, err := n.readSlot(ctx, slot)
		if err != nil {
			return fmt.Errorf("take over SAs: %w", err)
		}
		if h == 0 {
			t.giveBack(slot)
			continue
		}
		t.insert(h, sa)
	}
	return nil
}
