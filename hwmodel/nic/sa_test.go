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

// TestRestore: an SA comes back under its handle, by none other than its slot's
// last generation, and the next ADD has the next one.
func TestRestore(t *testing.T) {
	h := newHost(t, Options{Slots: 8, Queues: 2})
	in := record(1, true)
	bad := in
	bad.SPI = 0
	handle := h.add(5, in)
	h.write(regs.CtrlOffset, uint32(regs.Ctrl(0).WithReset(true)))
	h.untilReady()
	for _, c := range []struct {
		name   string
		handle uint32
		record regs.SARecord
		result regs.SAResult
	}{
		{"slot 8", 8, bad, regs.SAResultBadIndex},
		{"bad record of another generation", 5, bad, regs.SAResultBadRecord},
		{"generation 0", 5, in, regs.SAResultStaleHandle},
		{"generation 2", 2<<16 | 5, in, regs.SAResultStaleHandle},
		{"the slot's", handle, in, regs.SAResultOK},
		{"in use, another generation", 2<<16 | 5, in, regs.SAResultSlotInUse},
		{"duplicate of another generation", 1<<16 | 6, in, regs.SAResultStaleHandle},
		{"duplicate in a slot never used", 6, in, regs.SAResultDuplicate},
	} {
		result, after := h.operate(regs.SAOpRestore, c.handle, c.record)
		if result != c.result || after != c.handle {
			t.Errorf("RESTORE %s: %s, SA_HANDLE %#x; right is %s", c.name, result, after, c.result)
		}
		if h.nic.sa.record[regs.SARecordSaltWord] != 0 || h.nic.sa.record[regs.SARecordKeyWord] != 0 {
			t.Errorf("RESTORE %s: secrets stay in the window", c.name)
		}
	}
	if result, _ := h.operate(regs.SAOpDelete, handle, in); result != regs.SAResultOK {
		t.Error(result)
	}
	if again := h.add(5, in); again != handle+1<<16 {
		t.Errorf("ADD after RESTORE and DELETE: handle %#x", again)
	}
}

func (h *host) counters() (w [regs.SACountersCount]uint32) {
	for i := range w {
		w[i] = h.read(regs.SACountersOffset(i))
	}
	return w
}

// TestSACounters: READ tells what an SA did, from ADD or RESTORE on.
func TestSACounters(t *testing.T) {
	h := newHost(t, Options{})
	h.enable()
	rx, tx := h.ring(regs.RxqOffset(0), 4, 0), h.ring(regs.TxqOffset(0), 4, 0)
	tx.batch(1, 0)
	in, out := record(1, true), record(2, false)
	inHandle, outHandle := h.add(1, in), h.add(2, out)
	rx.post(3, bufferSize)
	good, forged := sealedFrame(t, in, 1, 8), sealedFrame(t, in, 2, 12)
	forged[len(forged)-1] ^= 1
	short := bytes.Clone(good)
	short[17]--                                                           // the IP header's length
	for _, f := range [][]byte{good, forged, short, forged, good, good} { // for the last three there is no buffer
		h.nic.Inject(f, false)
	}
	for i, p := range []int{8, 12, 60} {
		tx.put(regs.TxDescriptor{IPsec: true, ESPOffset: 34, Handle: outHandle}, framed(out, uint32(i), p))
	}
	tx.put(regs.TxDescriptor{IPsec: true, ESPOffset: 33, Handle: outHandle}, framed(out, 4, 8))                       // refused
	tx.put(regs.TxDescriptor{IPsec: true, ESPOffset: 34, Handle: outHandle, Addr: 64, Length: 94}, framed(out, 5, 8)) // unreadable
	tx.put(regs.TxDescriptor{IPsec: true, ESPOffset: 34, Handle: outHandle + 1<<16}, framed(out, 6, 8))               // another's
	tx.put(regs.TxDescriptor{}, framed(out, 7, 8))                                                                    // not encrypted
	tx.doorbell()
	if got := h.counters(); got != [8]uint32{} {
		t.Errorf("SA_COUNTERS %d before a READ", got)
	}
	inWant := [8]uint32{3, 0, 3 * uint32(len(good)), 0, 2, 1}
	outWant := [8]uint32{3, 0, 3*66 + 8 + 12 + 60, 0}
	check := func(handle uint32, want [8]uint32, when string) {
		t.Helper()
		if result, _ := h.operate(regs.SAOpRead, handle, in); result != regs.SAResultOK || h.counters() != want {
			t.Errorf("%s: %s, SA_COUNTERS %d, right is %d", when, result, h.counters(), want)
		}
	}
	check(inHandle, inWant, "inbound")
	check(outHandle, outWant, "outbound")
	if result, _ := h.operate(regs.SAOpRead, 7, in); result != regs.SAResultEmptySlot || h.counters() != outWant {
		t.Errorf("READ of an empty slot: %s, SA_COUNTERS %d", result, h.counters())
	}
	if result, _ := h.operate(regs.SAOpUpdate, inHandle, in); result != regs.SAResultOK {
		t.Error(result)
	}
	check(inHandle, inWant, "after UPDATE")
	h.nic.sa.slots[1].counters.bytes = 1<<32 - 1
	h.nic.sa.slots[1].counters.frames = 1<<33 - 1
	h.nic.Inject(good, false)
	check(inHandle, [8]uint32{0, 2, uint32(len(good)) - 1, 1, 2, 1}, "past 32 bits")
	for op, handle := range map[regs.SAOp]uint32{regs.SAOpAdd: 1, regs.SAOpRestore: 1<<16 | 2} {
		h.operate(regs.SAOpDelete, 1<<16|handle, in)
		if result, _ := h.operate(op, handle, record(int(handle&3), handle == 1)); result != regs.SAResultOK {
			t.Error(result)
		}
		check(handle, [8]uint32{}, op.String())
	}
}

// TestKeyFingerprint uses the first of NIST's AESAVS VarTxt vectors for each key
// length: a key of zeros, and a block whose first bit is 1.
func TestKeyFingerprint(t *testing.T) {
	h := newHost(t, Options{})
	h.write(regs.SANonceOffset(0), 0x80000000)
	for keyLen, want := range map[regs.KeyLen]uint64{
		regs.KeyLenAES128: 0x3AD78E726C1EC02B, regs.KeyLenAES192: 0x6CD02513E8D4DC98, regs.KeyLenAES256: 0xDDC6BF790C15760D,
	} {
		r := regs.SARecord{SPI: 5 + uint32(keyLen), Flags: regs.SAFlags(0).WithKeyLen(keyLen)}
		h.add(uint32(keyLen), r)
		h.operate(regs.SAOpRead, uint32(keyLen), regs.SARecord{})
		if w := h.counters(); uint64(w[6])<<32|uint64(w[7]) != want {
			t.Errorf("%s: fingerprint %08X%08X, right is %X", keyLen, w[6], w[7], want)
		}
		s := NewState(Limits{Slots: 4, Queues: 4, MaxFrame: 9600})
		s.Nonce[0] = 0x80000000
		o := s.Operate(regs.SAOpAdd, 0, r)
		if read, ok := s.ReadBack(uint32(o.Handle)); !ok || read.Usage.Fingerprint != want {
			t.Errorf("%s: State has fingerprint %X", keyLen, read.Usage.Fingerprint)
		}
	}
	h.write(regs.SANonceOffset(0), 0)
	h.add(9, record(1, true))
	h.operate(regs.SAOpRead, 9, regs.SARecord{})
	if w := h.counters(); w[6]|w[7] != 0 {
		t.Errorf("fingerprint %#x without a nonce", w)
	}
}
