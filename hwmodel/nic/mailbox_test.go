// SPDX-License-Identifier: Apache-2.0

package nic

import (
	"testing"

	"github.com/espalier-nic/espalier/regs"
)

// newProcessorHost is a host of a NIC with a control processor that is READY.
func newProcessorHost(t testing.TB, o Options) *host {
	t.Helper()
	o.ControlProcessor = Present
	h := newHost(t, o)
	h.untilProcessor(regs.CpStatus.Ready)
	return h
}

func (h *host) processor() regs.CpStatus {
	h.t.Helper()
	return regs.CpStatus(h.read(regs.CpStatusOffset))
}

// untilProcessor waits for a bit of CP_STATUS.
func (h *host) untilProcessor(bit func(regs.CpStatus) bool) {
	h.t.Helper()
	for range 4096 {
		if bit(h.processor()) {
			return
		}
		h.relax(64)
	}
	h.t.Fatalf("CP_STATUS stays %#x", uint32(h.processor()))
}

// mailboxOf is the command that installs or names an SA.
func mailboxOf(op regs.MailboxOp, handle uint32, r regs.SARecord) regs.MailboxCommand {
	return regs.MailboxCommand{
		Header: regs.MboxCommandHeader(0).WithOpcode(op).WithTag(uint16(handle) ^ 0x1234), Handle: handle,
		SPI: r.SPI, Flags: uint32(r.Flags), ESNHi: r.ESNHi, Salt: r.Salt, Dst: r.Dst, Src: r.Src, Key: r.Key,
	}
}

// put writes a command into a slot.
func (h *host) put(slot int, c regs.MailboxCommand) {
	h.t.Helper()
	for i, w := range c.Words() {
		h.write(regs.MboxCommandHeaderOffset+uint64(slot*regs.MboxSizeStride+4*i), w)
	}
}

// post writes a command into a slot and rings the doorbell.
func (h *host) post(slot int, c regs.MailboxCommand) {
	h.t.Helper()
	h.put(slot, c)
	h.write(regs.MboxDoorbellOffset, uint32(slot))
}

// answered waits for the answer in a slot, takes and returns it.
func (h *host) answered(slot int) (r regs.MailboxResponse) {
	h.t.Helper()
	for range 1000 {
		if h.read(regs.MboxDoneOffset)&(1<<slot) != 0 {
			h.write(regs.MboxDoneOffset, 1<<slot)
			return h.response(slot)
		}
		h.relax(64)
	}
	h.t.Fatalf("slot %d is not answered", slot)
	return r
}

func (h *host) response(slot int) (r regs.MailboxResponse) {
	h.t.Helper()
	var words [regs.MailboxResponseWords]uint32
	for i := range words {
		words[i] = h.read(regs.MboxResponseHeaderOffset + uint64(slot*regs.MboxSizeStride+4*i))
	}
	r.SetWords(&words)
	return r
}

// ask has a command carried out in slot 3.
func (h *host) ask(c regs.MailboxCommand) regs.MailboxResponse {
	h.t.Helper()
	h.post(3, c)
	return h.answered(3)
}

// TestMailboxLife adds, reads, updates and deletes an SA.
func TestMailboxLife(t *testing.T) {
	h := newProcessorHost(t, Options{})
	sa := record(1, true)
	sa.Flags = sa.Flags.WithESN(true)
	added := h.ask(mailboxOf(regs.MailboxOpAddSA, 0, sa))
	if s := added.Header.Status(); s != regs.MailboxStatusOK || added.Handle != 1<<16 || added.Cycles != installCycles {
		t.Fatalf("ADD_SA: %s, %+v", s, added)
	}
	sa.ESNHi = 9
	if r := h.ask(mailboxOf(regs.MailboxOpUpdateSA, added.Handle, sa)); r.Header.Status() != regs.MailboxStatusOK {
		t.Errorf("UPDATE_SA: %+v", r)
	}
	for _, op := range []regs.MailboxOp{regs.MailboxOpReadSA, regs.MailboxOpNextSA} {
		r := h.ask(mailboxOf(op, added.Handle, regs.SARecord{}))
		want := regs.MailboxResponse{Header: r.Header, Handle: added.Handle, Cycles: readCycles, SPI: sa.SPI, Flags: uint32(sa.Flags), ESNHi: 9, Dst: sa.Dst, Src: sa.Src}
		if r != want || r.Header.Status() != regs.MailboxStatusOK || r.Header.Opcode() != op {
			t.Errorf("%s: %+v", op, r)
		}
	}
	if r := h.ask(mailboxOf(regs.MailboxOpDeleteSA, added.Handle, sa)); r.Header.Status() != regs.MailboxStatusOK || h.nic.sa.live != 0 {
		t.Errorf("DELETE_SA: %+v", r)
	}
	if r := h.ask(mailboxOf(regs.MailboxOpDeleteSA, added.Handle, sa)); r.Header.Status() != regs.MailboxStatusStaleHandle || r.Detail.FieldAtFault() != regs.MailboxFieldHandle {
		t.Errorf("DELETE_SA again: %+v", r)
	}
}

// TestMailboxRefusals provokes each refusal, and where two apply shows which
// comes first. A refused command changes nothing.
func TestMailboxRefusals(t *testing.T) {
	h := newProcessorHost(t, Options{Slots: 4, Queues: 2})
	in, out := record(1, true), record(2, false)
	in.Flags = in.Flags.WithESN(true)
	change := func(r regs.SARecord, f func(*regs.SARecord)) regs.SARecord { f(&r); return r }
	flawed := func(r *regs.SARecord) { r.Dst[1], r.Src[2] = 1, 1 }
	for i, c := range []struct {
		name   string
		op     regs.MailboxOp
		handle uint32
		record regs.SARecord
		status regs.MailboxStatus
		field  regs.MailboxField
		after  uint32 // 0: as given
	}{
		{"NOP", regs.MailboxOpNOP, 0xABCD0123, in, regs.MailboxStatusOK, 0, 0},
		{"operation 7", 7, 1, in, regs.MailboxStatusBadOp, 0, 0},
		{"operation 255", 255, 0xFFFFFFFF, regs.SARecord{}, regs.MailboxStatusBadOp, 0, 0},
		{"NEXT_SA of none", regs.MailboxOpNextSA, 0, in, regs.MailboxStatusNoMore, 0, 0},
		{"READ_SA of none", regs.MailboxOpReadSA, 0, in, regs.MailboxStatusStaleHandle, regs.MailboxFieldHandle, 0},
		{"SPI 0 and KEYLEN 3", regs.MailboxOpAddSA, 0, change(in, func(r *regs.SARecord) { r.SPI, r.Flags = 0, r.Flags.WithKeyLen(3) }), regs.MailboxStatusBadRecord, regs.MailboxFieldSPI, 0},
		{"KEYLEN 3 and RX_QUEUE 2", regs.MailboxOpAddSA, 0, change(in, func(r *regs.SARecord) { r.Flags = r.Flags.WithKeyLen(3).WithRxQueue(2) }), regs.MailboxStatusBadRecord, regs.MailboxFieldKeyLen, 0},
		{"RX_QUEUE 2 and FLAGS bit 6", regs.MailboxOpAddSA, 0, change(out, func(r *regs.SARecord) { r.Flags = r.Flags.WithRxQueue(2) | 1<<6 }), regs.MailboxStatusBadRecord, regs.MailboxFieldRxQueue, 0},
		{"FLAGS bit 31 and DST", regs.MailboxOpAddSA, 0, change(in, func(r *regs.SARecord) { flawed(r); r.Flags |= 1 << 31 }), regs.MailboxStatusBadRecord, regs.MailboxFieldFlags, 0},
		{"FLAGS bit 12", regs.MailboxOpAddSA, 0, change(in, func(r *regs.SARecord) { r.Flags |= 1 << 12 }), regs.MailboxStatusBadRecord, regs.MailboxFieldFlags, 0},
		{"DST and SRC", regs.MailboxOpAddSA, 0, change(in, flawed), regs.MailboxStatusBadRecord, regs.MailboxFieldDst, 0},
		{"SRC", regs.MailboxOpAddSA, 0, change(in, func(r *regs.SARecord) { r.Src[3] = 1 }), regs.MailboxStatusBadRecord, regs.MailboxFieldSrc, 0},
		{"SRC and slot 4", regs.MailboxOpRestoreSA, 4, change(in, func(r *regs.SARecord) { r.Src[3] = 1 }), regs.MailboxStatusBadRecord, regs.MailboxFieldSrc, 0},
		{"slot 4", regs.MailboxOpRestoreSA, 4, in, regs.MailboxStatusStaleHandle, regs.MailboxFieldHandle, 0},
		{"RESTORE_SA of generation 1", regs.MailboxOpRestoreSA, 1 << 16, in, regs.MailboxStatusStaleHandle, regs.MailboxFieldHandle, 0},
		{"ADD_SA", regs.MailboxOpAddSA, 0xFFFFFFFF, in, regs.MailboxStatusOK, 0, 1 << 16},
		{"slot in use, generation 9", regs.MailboxOpRestoreSA, 9 << 16, in, regs.MailboxStatusSlotInUse, regs.MailboxFieldHandle, 0},
		{"duplicate", regs.MailboxOpAddSA, 0, in, regs.MailboxStatusDuplicate, 0, 0},
		{"duplicate of generation 5", regs.MailboxOpRestoreSA, 5<<16 | 1, in, regs.MailboxStatusStaleHandle, regs.MailboxFieldHandle, 0},
		{"duplicate restored", regs.MailboxOpRestoreSA, 1, in, regs.MailboxStatusDuplicate, 0, 0},
		{"second", regs.MailboxOpAddSA, 0, out, regs.MailboxStatusOK, 0, 1<<16 | 1},
		{"third, restored", regs.MailboxOpRestoreSA, 2, record(3, true), regs.MailboxStatusOK, 0, 2},
		{"fourth", regs.MailboxOpAddSA, 0, record(4, true), regs.MailboxStatusOK, 0, 1<<16 | 3},
		{"no space for a duplicate", regs.MailboxOpAddSA, 0, in, regs.MailboxStatusNoSpace, 0, 0},
		{"no space for a bad one", regs.MailboxOpAddSA, 0, change(in, flawed), regs.MailboxStatusBadRecord, regs.MailboxFieldDst, 0},
		{"UPDATE_SA, old handle, wrong SPI", regs.MailboxOpUpdateSA, 2 << 16, out, regs.MailboxStatusStaleHandle, regs.MailboxFieldHandle, 0},
		{"UPDATE_SA without ESN, wrong SPI", regs.MailboxOpUpdateSA, 1<<16 | 1, in, regs.MailboxStatusBadRecord, regs.MailboxFieldSPI, 0},
		{"UPDATE_SA without ESN", regs.MailboxOpUpdateSA, 1<<16 | 1, out, regs.MailboxStatusNotESN, 0, 0},
		{"UPDATE_SA", regs.MailboxOpUpdateSA, 1 << 16, change(in, func(r *regs.SARecord) { r.ESNHi, r.Flags = 7, ^r.Flags }), regs.MailboxStatusOK, 0, 0},
		{"READ_SA, old handle", regs.MailboxOpReadSA, 2<<16 | 3, in, regs.MailboxStatusStaleHandle, regs.MailboxFieldHandle, 0},
		{"READ_SA of slot 4", regs.MailboxOpReadSA, 1<<16 | 4, in, regs.MailboxStatusStaleHandle, regs.MailboxFieldHandle, 0},
		{"NEXT_SA from slot 3, any generation", regs.MailboxOpNextSA, 77<<16 | 3, in, regs.MailboxStatusOK, 0, 1<<16 | 3},
		{"NEXT_SA from slot 4", regs.MailboxOpNextSA, 4, in, regs.MailboxStatusNoMore, 0, 0},
		{"NEXT_SA from slot 65535", regs.MailboxOpNextSA, 0xFFFF, in, regs.MailboxStatusNoMore, 0, 0},
		{"DELETE_SA, old handle", regs.MailboxOpDeleteSA, 2<<16 | 3, in, regs.MailboxStatusStaleHandle, regs.MailboxFieldHandle, 0},
		{"DELETE_SA", regs.MailboxOpDeleteSA, 1<<16 | 3, regs.SARecord{}, regs.MailboxStatusOK, 0, 0},
		{"DELETE_SA again", regs.MailboxOpDeleteSA, 1<<16 | 3, regs.SARecord{}, regs.MailboxStatusStaleHandle, regs.MailboxFieldHandle, 0},
		{"NEXT_SA from slot 1", regs.MailboxOpNextSA, 1, in, regs.MailboxStatusOK, 0, 1<<16 | 1},
	} {
		live := h.nic.sa.live
		command := mailboxOf(c.op, c.handle, c.record)
		command.Header = command.Header.WithTag(uint16(0x8000 + i))
		command.Reserved, command.Unused = [2]uint32{1, 2}, [8]uint32{3, 4} // may hold anything
		slot := i % regs.MboxSizeSlots
		h.post(slot, command)
		r := h.answered(slot)
		if c.after == 0 {
			c.after = c.handle
		}
		if r.Header.Status() != c.status || r.Detail.FieldAtFault() != c.field || r.Handle != c.after || r.Header.Opcode() != c.op || r.Header.Tag() != uint16(0x8000+i) {
			t.Errorf("%s: %s, field %s, handle %#x, %s, tag %#x", c.name, r.Header.Status(), r.Detail.FieldAtFault(), r.Handle, r.Header.Opcode(), r.Header.Tag())
		}
		if c.status != regs.MailboxStatusOK && h.nic.sa.live != live {
			t.Errorf("%s: refused, but %d SAs instead of %d", c.name, h.nic.sa.live, live)
		}
		if words := h.nic.cp.mailbox.commands[slot]; words[regs.MailboxCommandSaltWord] != 0 || [8]uint32(words[regs.MailboxCommandKeyWord:]) != [8]uint32{} {
			t.Errorf("%s: key or salt stays in the command", c.name)
		}
		if read := c.op == regs.MailboxOpReadSA || c.op == regs.MailboxOpNextSA; !(read && c.status == regs.MailboxStatusOK) {
			for w, v := range r.Words() {
				if w >= regs.MailboxResponseSPIWord && v != 0 {
					t.Errorf("%s: word %d of the response is %#x", c.name, w, v)
				}
			}
		}
	}
	if got := h.nic.sa.slots[0].record; got.ESNHi != 7 || got.Flags != in.Flags {
		t.Errorf("UPDATE_SA made %+v", got)
	}
}

// TestMailboxOrder: commands are carried out one at a time in the order of their
// doorbells; each answer is an event; a slot that is posted cannot be posted.
func TestMailboxOrder(t *testing.T) {
	h := newProcessorHost(t, Options{})
	if err := h.nic.SetVectors(8); err != nil {
		t.Fatal(err)
	}
	h.write(regs.IntMaskOffset, 0)
	h.write(regs.MboxCtrlOffset, 3)
	h.moderation(3, regs.MboxSizeSlots, 0xFFFF)
	slotOf := func(i int) int { return i * 13 % regs.MboxSizeSlots }
	for i := range regs.MboxSizeSlots {
		h.put(slotOf(i), mailboxOf(regs.MailboxOpAddSA, 0, record(i, true)))
	}
	for i := range regs.MboxSizeSlots {
		h.write(regs.MboxDoorbellOffset, uint32(slotOf(i)))
		h.write(regs.MboxDoorbellOffset, uint32(slotOf(i))) // ignored, also for the one under way
	}
	if pending := h.read(regs.MboxPendingOffset); pending != 0xFFFFFFFF {
		t.Errorf("MBOX_PENDING %#x", pending)
	}
	done := uint32(0)
	for i := range regs.MboxSizeSlots {
		slot := slotOf(i)
		for h.read(regs.MboxDoneOffset)&^done == 0 {
			h.relax(8)
		}
		now := h.read(regs.MboxDoneOffset)
		if now&^done != 1<<slot || h.read(regs.MboxPendingOffset) != ^now {
			t.Fatalf("answer %d: MBOX_DONE went from %#x to %#x, MBOX_PENDING %#x", i, done, now, h.read(regs.MboxPendingOffset))
		}
		done = now
		if r := h.response(slot); r.Handle != 1<<16|uint32(i) || r.Header.Status() != regs.MailboxStatusOK {
			t.Errorf("answer %d: %+v", i, r)
		}
		if got, want := h.fires(3), uint64(i/(regs.MboxSizeSlots-1)); got != want {
			t.Errorf("%d interrupts after %d answers", got, i+1)
		}
	}
	h.write(regs.MboxDoneOffset, 0x0F0)
	if got := h.read(regs.MboxDoneOffset); got != ^uint32(0x0F0) {
		t.Errorf("MBOX_DONE %#x after clearing four bits", got)
	}
	if live := h.nic.sa.live; live != regs.MboxSizeSlots {
		t.Errorf("%d SAs", live)
	}
}

// TestMailboxBeforeReady: commands posted while the firmware starts are served
// when it is READY.
func TestMailboxBeforeReady(t *testing.T) {
	h := newHost(t, Options{ControlProcessor: Present})
	h.post(7, mailboxOf(regs.MailboxOpAddSA, 0, record(1, true)))
	h.untilProcessor(regs.CpStatus.SelftestPassed)
	if h.read(regs.MboxPendingOffset) != 1<<7 || h.nic.sa.live != 0 {
		t.Error("a command was taken before READY")
	}
	if r := h.answered(7); r.Header.Status() != regs.MailboxStatusOK || !h.processor().Ready() {
		t.Errorf("%+v", r)
	}
}

// TestFreedSlotsAreUsedLate: a slot is used again after all others.
func TestFreedSlotsAreUsedLate(t *testing.T) {
	h := newProcessorHost(t, Options{Slots: 5})
	var handles []uint32
	for i := range 12 { // each SA is gone before the next but one comes
		r := h.ask(mailboxOf(regs.MailboxOpAddSA, 0, record(i, true)))
		if want := uint32(i/5+1)<<16 | uint32(i%5); r.Handle != want {
			t.Errorf("SA %d: handle %#x, right is %#x", i, r.Handle, want)
		}
		handles = append(handles, r.Handle)
		if i > 0 {
			h.ask(mailboxOf(regs.MailboxOpDeleteSA, handles[i-1], regs.SARecord{}))
		}
	}
}

// TestManySAs fills 1,024 and 16,384 slots through the mailbox; the rate is the
// model's own, one constant for each command.
func TestManySAs(t *testing.T) {
	for _, slots := range []int{1024, 16384} {
		h := newProcessorHost(t, Options{Slots: slots})
		if got := regs.CapSA(h.read(regs.CapSAOffset)).Capacity(); int(got) != slots {
			t.Errorf("CAP_SA %d", got)
		}
		for first := 0; first < slots; first += regs.MboxSizeSlots {
			for i := range regs.MboxSizeSlots {
				h.post(i, mailboxOf(regs.MailboxOpAddSA, 0, record(first+i, true)))
			}
			for i := range regs.MboxSizeSlots {
				if r := h.answered(i); r.Header.Status() != regs.MailboxStatusOK || r.Handle != 1<<16|uint32(first+i) {
					t.Fatalf("SA %d: %+v", first+i, r)
				}
			}
		}
		if r := h.ask(mailboxOf(regs.MailboxOpAddSA, 0, record(slots, true))); r.Header.Status() != regs.MailboxStatusNoSpace {
			t.Errorf("SA %d: %s", slots, r.Header.Status())
		}
		last := uint32(1<<16 | slots - 1)
		if r := h.ask(mailboxOf(regs.MailboxOpNextSA, uint32(slots-1), regs.SARecord{})); r.Handle != last || r.SPI != record(slots-1, true).SPI {
			t.Errorf("NEXT_SA: %+v", r)
		}
		// A reset and RESTORE_SA of some, and ADD_SA keeps away from them.
		h.write(regs.CtrlOffset, uint32(regs.Ctrl(0).WithReset(true)))
		h.untilReady()
		h.run(true)
		for _, slot := range []uint32{0, 2, uint32(slots - 1)} {
			if r := h.ask(mailboxOf(regs.MailboxOpRestoreSA, 1<<16|slot, record(int(slot), true))); r.Header.Status() != regs.MailboxStatusOK {
				t.Errorf("RESTORE_SA %d: %s", slot, r.Header.Status())
			}
		}
		for i, want := range []uint32{2<<16 | 1, 2<<16 | 3} {
			if r := h.ask(mailboxOf(regs.MailboxOpAddSA, 0, record(slots+i, true))); r.Handle != want {
				t.Errorf("ADD_SA: handle %#x, right is %#x", r.Handle, want)
			}
		}
	}
}

// TestOddAnswers: answers that come twice, never, or with another tag; the
// firmware goes on.
func TestOddAnswers(t *testing.T) {
	h := newProcessorHost(t, Options{})
	inject := func(f ProcessorFault) {
		t.Helper()
		if err := h.nic.InjectFault(f); err != nil {
			t.Fatal(err)
		}
	}
	fine := func() {
		t.Helper()
		c := mailboxOf(regs.MailboxOpNOP, 0, regs.SARecord{})
		if r := h.ask(c); r.Header.Tag() != 0x1234 || r.Header.Status() != regs.MailboxStatusOK {
			t.Errorf("afterwards: %+v", r)
		}
		h.relax(10 * repeatCycles)
		if done := h.read(regs.MboxDoneOffset); done != 0 {
			t.Errorf("afterwards: MBOX_DONE %#x", done)
		}
	}
	inject(FaultAnswerTwice)
	r := h.ask(mailboxOf(regs.MailboxOpAddSA, 0, record(1, true)))
	if h.read(regs.MboxDoneOffset) != 0 {
		t.Error("the second answer comes with the first")
	}
	if again := h.answered(3); again != r || h.nic.sa.live != 1 {
		t.Errorf("twice: %+v and %+v", r, again)
	}
	fine()
	inject(FaultAnswerNever)
	h.post(9, mailboxOf(regs.MailboxOpAddSA, 0, record(2, true)))
	fine()
	if pending := h.read(regs.MboxPendingOffset); pending != 1<<9 || h.nic.sa.live != 1 {
		t.Errorf("never: MBOX_PENDING %#x, %d SAs", pending, h.nic.sa.live)
	}
	inject(FaultAnswerTag)
	if r := h.ask(mailboxOf(regs.MailboxOpNOP, 0, regs.SARecord{})); r.Header.Tag() != 0x1234^0xFFFF {
		t.Errorf("another tag: %+v", r)
	}
	fine()
}

// TestProcessorTime: who waits for an interrupt gets the answer's, and with
// nothing under way the processor asks for no time.
func TestProcessorTime(t *testing.T) {
	h := newProcessorHost(t, Options{})
	if err := h.nic.SetVectors(1); err != nil {
		t.Fatal(err)
	}
	h.write(regs.IntMaskOffset, 0)
	h.post(0, mailboxOf(regs.MailboxOpAddSA, 0, record(1, true)))
	before := h.nic.Cycle()
	if n, err := h.nic.WaitInterrupt(t.Context(), 0); err != nil || n != 1 || h.nic.Cycle()-before != installCycles {
		t.Errorf("%d, %v after %d cycles", n, err, h.nic.Cycle()-before)
	}
	if h.nic.clock.next != never {
		t.Errorf("an idle processor wakes at %d, it is %d", h.nic.clock.next, h.nic.clock.cycle)
	}
}
