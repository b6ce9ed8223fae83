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

// post writes a command into a slot and rings the doorbell.
func (h *host) post(slot int, c regs.MailboxCommand) {
	h.t.Helper()
	for i, w := range c.Words() {
		h.write(regs.MboxCommandHeaderOffset+uint64(slot*regs.MboxSizeStride+4*i), w)
	}
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
