// SPDX-License-Identifier: Apache-2.0

package nic

import (
	"bytes"
	"testing"

	"github.com/espalier-nic/espalier/regs"
)

// TestSAResults provokes every result of every operation but LOOKUP_FULL, which
// the Go NIC never gives.
func TestSAResults(t *testing.T) {
	h := newHost(t, Options{Slots: 8, Queues: 2})
	in, out := record(1, true), record(2, false)
	change := func(r regs.SARecord, f func(*regs.SARecord)) regs.SARecord { f(&r); return r }
	v6 := change(in, func(r *regs.SARecord) { r.Flags = r.Flags.WithIPv6(true); r.Dst = [4]uint32{1, 2, 3, 4} })
	const none = ^uint32(0) // SA_HANDLE stays as written
	for _, c := range []struct {
		name   string
		op     regs.SAOp
		handle uint32
		record regs.SARecord
		result regs.SAResult
		after  uint32
	}{
		{"NOP", regs.SAOpNOP, 0xFFFF_FFFF, in, regs.SAResultOK, none},
		{"operation 6", 6, 0, in, regs.SAResultBadOp, none},
		{"operation 7", 7, 0xFFFF, in, regs.SAResultBadOp, none},
		{"READ slot 8", regs.SAOpRead, 8, in, regs.SAResultBadIndex, none},
		{"ADD slot 8", regs.SAOpAdd, 8, in, regs.SAResultBadIndex, none},
		{"UPDATE slot 65535", regs.SAOpUpdate, 0xFFFF, in, regs.SAResultBadIndex, none},
		{"DELETE slot 8", regs.SAOpDelete, 8, in, regs.SAResultBadIndex, none},
		{"READ empty", regs.SAOpRead, 0, in, regs.SAResultEmptySlot, none},
		{"UPDATE empty", regs.SAOpUpdate, 0, in, regs.SAResultStaleHandle, none},
		{"DELETE empty", regs.SAOpDelete, 0, in, regs.SAResultStaleHandle, none},
		{"SPI 0", regs.SAOpAdd, 0, change(in, func(r *regs.SARecord) { r.SPI = 0 }), regs.SAResultBadRecord, none},
		{"KEYLEN 3", regs.SAOpAdd, 0, change(in, func(r *regs.SARecord) { r.Flags = r.Flags.WithKeyLen(3) }), regs.SAResultBadRecord, none},
		{"RX_QUEUE 2", regs.SAOpAdd, 0, change(in, func(r *regs.SARecord) { r.Flags = r.Flags.WithRxQueue(2) }), regs.SAResultBadRecord, none},
		{"RX_QUEUE 2 outbound", regs.SAOpAdd, 0, change(out, func(r *regs.SARecord) { r.Flags = r.Flags.WithRxQueue(2) }), regs.SAResultBadRecord, none},
		{"IPv4 with DST word 1", regs.SAOpAdd, 0, change(in, func(r *regs.SARecord) { r.Dst[1] = 1 }), regs.SAResultBadRecord, none},
		{"IPv4 with SRC word 3", regs.SAOpAdd, 0, change(in, func(r *regs.SARecord) { r.Src[3] = 1 }), regs.SAResultBadRecord, none},
		{"ADD", regs.SAOpAdd, 0x7777_0000, in, regs.SAResultOK, 1 << 16},
		{"bad record in a used slot", regs.SAOpAdd, 0, change(in, func(r *regs.SARecord) { r.SPI = 0 }), regs.SAResultBadRecord, none},
		{"used slot", regs.SAOpAdd, 0, in, regs.SAResultSlotInUse, none},
		{"duplicate", regs.SAOpAdd, 1, change(in, func(r *regs.SARecord) { r.Src[0] = 5; r.Flags = r.Flags.WithTunnel(true) }), regs.SAResultDuplicate, none},
		{"same SPI, any destination", regs.SAOpAdd, 1, change(in, func(r *regs.SARecord) { r.Dst[0] = 0 }), regs.SAResultOK, 1<<16 | 1},
		{"same SPI, IPv6", regs.SAOpAdd, 2, v6, regs.SAResultOK, 1<<16 | 2},
		{"duplicate IPv6", regs.SAOpAdd, 3, v6, regs.SAResultDuplicate, none},
		{"same, outbound", regs.SAOpAdd, 3, change(in, func(r *regs.SARecord) { r.Flags = r.Flags.WithInbound(false) }), regs.SAResultOK, 1<<16 | 3},
		{"same, outbound again", regs.SAOpAdd, 4, change(in, func(r *regs.SARecord) { r.Flags = r.Flags.WithInbound(false) }), regs.SAResultOK, 1<<16 | 4},
		{"UPDATE with generation 0", regs.SAOpUpdate, 0, in, regs.SAResultStaleHandle, none},
		{"UPDATE with generation 2", regs.SAOpUpdate, 2 << 16, in, regs.SAResultStaleHandle, none},
		{"UPDATE", regs.SAOpUpdate, 1 << 16, change(in, func(r *regs.SARecord) { r.ESNHi = 77 }), regs.SAResultOK, none},
		{"DELETE with generation 2", regs.SAOpDelete, 2 << 16, in, regs.SAResultStaleHandle, none},
		{"DELETE", regs.SAOpDelete, 1 << 16, in, regs.SAResultOK, none},
		{"DELETE again", regs.SAOpDelete, 1 << 16, in, regs.SAResultStaleHandle, none},
		{"ADD again", regs.SAOpAdd, 0, in, regs.SAResultOK, 2 << 16},
		{"DELETE by the old handle", regs.SAOpDelete, 1 << 16, in, regs.SAResultStaleHandle, none},
	} {
		if c.after == none {
			c.after = c.handle
		}
		result, handle := h.operate(c.op, c.handle, c.record)
		if result != c.result || handle != c.after {
			t.Errorf("%s: %s, SA_HANDLE %#x; right is %s, %#x", c.name, result, handle, c.result, c.after)
		}
		for w := range regs.SARecordWords {
			if w == regs.SARecordSaltWord || w >= regs.SARecordKeyWord {
				if h.nic.sa.record[w] != 0 || h.read(regs.SARecordOffset+4*uint64(w)) != 0 {
					t.Errorf("%s: secret word %d of the window is not cleared", c.name, w)
				}
			}
		}
	}
	// READ shows everything but the secrets; UPDATE has changed ESN_HI.
	want := v6
	want.Salt, want.Key = 0, [8]uint32{}
	want.ESNHi = 5
	if result, _ := h.operate(regs.SAOpUpdate, 1<<16|2, want); result != regs.SAResultOK {
		t.Fatal(result)
	}
	if result, handle := h.operate(regs.SAOpRead, 0xABCD_0002, regs.SARecord{}); result != regs.SAResultOK || handle != 1<<16|2 {
		t.Errorf("READ: %s, handle %#x", result, handle)
	}
	for w, v := range want.Words() {
		if got := h.read(regs.SARecordOffset + 4*uint64(w)); got != v {
			t.Errorf("READ: word %d is %#x, right is %#x", w, got, v)
		}
	}
}

// TestSAWindow: BUSY while an operation runs, writes are ignored meanwhile, the
// time is told, secrets cannot be read before the operation either.
func TestSAWindow(t *testing.T) {
	h := newHost(t, Options{})
	r := record(1, true)
	for i, w := range r.Words() {
		h.write(regs.SARecordOffset+4*uint64(i), w)
	}
	if got := h.read(regs.SASaltOffset) | h.read(regs.SAKeyOffset(0)); got != 0 {
		t.Errorf("secrets read as %#x", got)
	}
	h.write(regs.SAHandleOffset, 5)
	h.write(regs.SACmdOffset, uint32(regs.SACmd(0).WithOp(regs.SAOpAdd)))
	if !regs.SAStatus(h.read(regs.SAStatusOffset)).Busy() {
		t.Error("not BUSY at once")
	}
	h.write(regs.SASPIOffset, 99)
	h.write(regs.SAHandleOffset, 6)
	h.write(regs.SACmdOffset, uint32(regs.SACmd(0).WithOp(regs.SAOpDelete)))
	h.relax(saCycles)
	s := regs.SAStatus(h.read(regs.SAStatusOffset))
	if s.Busy() || s.Result() != regs.SAResultOK || s.Cycles() != saCycles {
		t.Errorf("SA_STATUS %#x", uint32(s))
	}
	if spi, handle := h.read(regs.SASPIOffset), h.read(regs.SAHandleOffset); spi != 0x1001 || handle != 1<<16|5 {
		t.Errorf("SPI %#x, handle %#x", spi, handle)
	}
}

// TestGenerations: the count of a slot skips 0.
func TestGenerations(t *testing.T) {
	h := newHost(t, Options{Slots: 1})
	h.nic.sa.slots[0].generation = 0xFFFE
	for _, want := range []uint32{0xFFFF, 1, 2} {
		handle := h.add(0, record(1, true))
		if handle != want<<16 {
			t.Errorf("handle %#x, right is generation %#x", handle, want)
		}
		if result, _ := h.operate(regs.SAOpDelete, handle, regs.SARecord{}); result != regs.SAResultOK {
			t.Error(result)
		}
	}
}

// TestSAUnderTraffic: DELETE is effective at once, UPDATE and ADD when they end.
func TestSAUnderTraffic(t *testing.T) {
	h := newHost(t, Options{})
	h.enable()
	r := h.ring(regs.RxqOffset(0), 4, 0)
	r.batch(1, 0)
	r.post(15, bufferSize)
	sa := record(1, true)
	sa.Flags, sa.ESNHi = sa.Flags.WithESN(true), 1
	next := sa
	next.ESNHi = 2
	frame, frameNext := sealedFrame(t, sa, 1, 8), sealedFrame(t, next, 1, 8)
	expect := func(f []byte, handle uint32, status regs.CryptoStatus, when string) {
		t.Helper()
		h.nic.Inject(f, false)
		c, ok := r.next()
		if !ok || c.Handle != handle || c.CryptoDone != (handle != 0) || c.CryptoStatus != status {
			t.Errorf("%s: %+v (%v)", when, c, ok)
		}
		if status != regs.CryptoStatusSuccess && !bytes.Equal(r.buffer(int(c.Index))[:len(f)], f) {
			t.Errorf("%s: touched", when)
		}
	}
	expect(frame, 0, 0, "before ADD")
	handle := h.add(2, sa)
	expect(frame, handle, regs.CryptoStatusSuccess, "after ADD")
	expect(frameNext, handle, regs.CryptoStatusTransportESPAuthFailed, "the next upper half")
	if result, _ := h.operate(regs.SAOpUpdate, handle, regs.SARecord{ESNHi: 2}); result != regs.SAResultOK {
		t.Error(result)
	}
	expect(frame, handle, regs.CryptoStatusTransportESPAuthFailed, "the old upper half after UPDATE")
	expect(frameNext, handle, regs.CryptoStatusSuccess, "the new upper half after UPDATE")
	h.write(regs.SAHandleOffset, handle)
	h.write(regs.SACmdOffset, uint32(regs.SACmd(0).WithOp(regs.SAOpDelete)))
	expect(frameNext, 0, 0, "while DELETE runs")
	h.relax(saCycles)
	if s := regs.SAStatus(h.read(regs.SAStatusOffset)); s.Busy() || s.Result() != regs.SAResultOK {
		t.Errorf("SA_STATUS %#x", uint32(s))
	}
	expect(frameNext, 0, 0, "after DELETE")
	if again := h.add(2, next); again != handle+1<<16 {
		t.Errorf("new handle %#x after %#x", again, handle)
	}
	expect(frameNext, handle+1<<16, regs.CryptoStatusSuccess, "after the second ADD")
}

// TestExactDestinationWins: an SA for the packet's destination hides one for any
// destination, also where its source does not fit.
func TestExactDestinationWins(t *testing.T) {
	h := newHost(t, Options{})
	h.enable()
	r := h.ring(regs.RxqOffset(0), 4, 0)
	r.batch(1, 0)
	r.post(15, bufferSize)
	exact, wild := record(1, true), record(1, true)
	exact.Src[0], wild.Dst[0] = 0xC6336407, 0
	exactHandle, wildHandle := h.add(0, exact), h.add(1, wild)
	frame := sealedFrame(t, exact, 1, 8)
	other := bytes.Clone(frame)
	other[29]++ // source
	elsewhere := bytes.Clone(frame)
	elsewhere[33]++ // destination
	for _, c := range []struct {
		frame  []byte
		handle uint32
	}{{frame, exactHandle}, {other, 0}, {elsewhere, wildHandle}} {
		h.nic.Inject(c.frame, false)
		if got, ok := r.next(); !ok || got.Handle != c.handle {
			t.Errorf("handle %#x (%v), right is %#x", got.Handle, ok, c.handle)
		}
	}
	// Without the SA for any destination nothing changes for the exact one.
	if result, _ := h.operate(regs.SAOpDelete, wildHandle, regs.SARecord{}); result != regs.SAResultOK {
		t.Error(result)
	}
	h.nic.Inject(elsewhere, false)
	if got, ok := r.next(); !ok || got.Handle != 0 {
		t.Errorf("after DELETE: handle %#x (%v)", got.Handle, ok)
	}
}
