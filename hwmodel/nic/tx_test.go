// SPDX-License-Identifier: Apache-2.0

package nic

import (
	"bytes"
	"testing"

	"github.com/espalier-nic/espalier/regs"
)

// TestSendWraps sends seven laps through a ring of 8, so that index and phase
// wrap, and checks every frame and completion.
func TestSendWraps(t *testing.T) {
	for _, count := range []uint8{0, 1, 2, 3, 4} {
		h := newHost(t, Options{})
		h.enable()
		r := h.ring(regs.TxqOffset(1), 3, 0)
		r.batch(count, 0xFFFF)
		var want [][]byte
		number := 0
		for lap := range 8 {
			for range 7 {
				frame := plainFrame(number, 60+number)
				r.put(regs.TxDescriptor{Report: true}, frame)
				want = append(want, frame)
				number++
			}
			r.doorbell()
			h.relax(1 << 16) // partial batches
			for range 7 {
				c, ok := r.next()
				if !ok {
					t.Fatalf("batches of %d, lap %d: completion %d is missing", count, lap, r.read)
				}
				if w := (regs.Completion{Length: uint16(60 + r.read - 1), Index: uint16((r.read - 1) % 8)}); c != w {
					t.Errorf("got %+v, want %+v", c, w)
				}
			}
		}
		r.expect()
		if len(h.sent) != len(want) {
			t.Fatalf("%d frames left, %d were sent", len(h.sent), len(want))
		}
		for i := range want {
			if !bytes.Equal(h.sent[i], want[i]) {
				t.Fatalf("frame %d differs", i)
			}
		}
		if got := h.read(r.page + regs.QueueHeadOffset); int(got) != r.tail {
			t.Errorf("HEAD %d, TAIL %d", got, r.tail)
		}
		if f, b := h.stat(regs.StatTxFramesLoOffset), h.stat(regs.StatTxBytesLoOffset); f != 56 || b != 56*60+55*56/2 {
			t.Errorf("%d frames with %d bytes are counted", f, b)
		}
	}
}

// TestRingFull posts size-1 descriptors, more than are prefetched at a time.
func TestRingFull(t *testing.T) {
	h := newHost(t, Options{})
	h.enable()
	r := h.ring(regs.TxqOffset(0), 7, 0)
	for i := range 127 {
		r.put(regs.TxDescriptor{Report: i == 126}, plainFrame(i, 64))
	}
	r.doorbell()
	h.relax(64)
	r.expect(regs.Completion{Length: 64, Index: 126})
	if len(h.sent) != 127 {
		t.Errorf("%d frames left", len(h.sent))
	}
}

// TestBatching checks when completions are written: by count, at the end of a
// 64-byte line, by time, at once, and when the queue stops.
func TestBatching(t *testing.T) {
	h := newHost(t, Options{})
	h.enable()
	r := h.ring(regs.TxqOffset(0), 4, 0)
	send := func(count int) {
		for range count {
			r.put(regs.TxDescriptor{Report: true}, plainFrame(1, 64))
		}
		r.doorbell()
	}
	available := func() (n int) {
		for _, ok := r.next(); ok; _, ok = r.next() {
			n++
		}
		return n
	}
	expect := func(want int, when string) {
		t.Helper()
		if got := available(); got != want {
			t.Errorf("%s: %d completions, right is %d", when, got, want)
		}
	}
	r.batch(4, 100)
	send(3)
	expect(0, "before the limit")
	h.relax(99 - accessCycles)
	expect(0, "one cycle too early")
	h.relax(100)
	expect(3, "after the limit")
	send(1)
	expect(1, "at the end of a line")
	send(5)
	expect(4, "a line and one")
	h.relax(200)
	expect(1, "the rest")
	r.batch(2, 1000)
	send(2)
	expect(2, "by count")
	send(2)
	expect(1, "at the end of the next line")
	r.batch(0, 0)
	send(1)
	expect(2, "at once, and what was pending before")
	r.batch(4, 0xFFFF)
	send(1)
	expect(0, "a long limit")
	h.write(r.page+regs.QueueCtrlOffset, 0)
	expect(1, "when the queue stops")
	if s := r.status(); s.Active() || s.Error() {
		t.Errorf("stopped queue has status %#x", uint32(s))
	}
}

// TestSendErrors walks the checks, in their order.
func TestSendErrors(t *testing.T) {
	h := newHost(t, Options{MaxFrame: 1600})
	h.enable()
	out, in := record(1, false), record(2, true)
	outHandle, inHandle := h.add(3, out), h.add(4, in)
	esn := record(5, false)
	esn.Flags, esn.ESNHi = esn.Flags.WithESN(true), 8
	esnHandle := h.add(5, esn)
	r := h.ring(regs.TxqOffset(0), 5, 0)
	r.batch(1, 0)
	good := framed(out, 7, 64)
	sealed := bytes.Clone(good)
	if err := golden(t, out).SealInPlace(sealed, 34, 0); err != nil {
		t.Fatal(err)
	}
	esnFrame := framed(esn, 9, 8)
	esnSealed := func(hi uint32) []byte {
		f := bytes.Clone(esnFrame)
		if err := golden(t, esn).SealInPlace(f, 34, hi); err != nil {
			t.Fatal(err)
		}
		return f
	}
	const on, off = true, false
	for _, c := range []struct {
		name   string
		ipsec  bool
		d      regs.TxDescriptor
		frame  []byte
		status regs.CompletionStatus
		wire   []byte
	}{
		{"plain", on, regs.TxDescriptor{Report: true}, plainFrame(1, 60), regs.CompletionStatusOK, plainFrame(1, 60)},
		{"plain, handle ignored", on, regs.TxDescriptor{Report: true, Handle: 77, ESPOffset: 1}, plainFrame(1, 60), regs.CompletionStatusOK, plainFrame(1, 60)},
		{"shortest", on, regs.TxDescriptor{Report: true}, plainFrame(1, 14), regs.CompletionStatusOK, plainFrame(1, 14)},
		{"longest", on, regs.TxDescriptor{Report: true}, plainFrame(1, 1600), regs.CompletionStatusOK, plainFrame(1, 1600)},
		{"13 bytes", on, regs.TxDescriptor{Length: 13}, plainFrame(1, 14), regs.CompletionStatusBadLength, nil},
		{"too long", on, regs.TxDescriptor{}, plainFrame(1, 1601), regs.CompletionStatusBadLength, nil},
		{"ESP", on, regs.TxDescriptor{Report: true, IPsec: true, ESPOffset: 34, Handle: outHandle}, good, regs.CompletionStatusOK, sealed},
		{"ESP, ESN_LSB without ESN", on, regs.TxDescriptor{Report: true, IPsec: true, ESPOffset: 34, Handle: outHandle, ESNLSB: true}, good, regs.CompletionStatusOK, sealed},
		{"ESN", on, regs.TxDescriptor{Report: true, IPsec: true, ESPOffset: 34, Handle: esnHandle}, esnFrame, regs.CompletionStatusOK, esnSealed(8)},
		{"ESN, before", on, regs.TxDescriptor{Report: true, IPsec: true, ESPOffset: 34, Handle: esnHandle, ESNLSB: true}, esnFrame, regs.CompletionStatusOK, esnSealed(7)},
		{"length first", off, regs.TxDescriptor{IPsec: true, Length: 13}, good, regs.CompletionStatusBadLength, nil},
		{"offload off", off, regs.TxDescriptor{IPsec: true, ESPOffset: 34, Handle: outHandle}, good, regs.CompletionStatusOffloadOff, nil},
		{"offload off before handle", off, regs.TxDescriptor{IPsec: true, ESPOffset: 34, Handle: 0}, good, regs.CompletionStatusOffloadOff, nil},
		{"handle 0", on, regs.TxDescriptor{IPsec: true, ESPOffset: 34}, good, regs.CompletionStatusStaleHandle, nil},
		{"empty slot", on, regs.TxDescriptor{IPsec: true, ESPOffset: 34, Handle: 1<<16 | 9}, good, regs.CompletionStatusStaleHandle, nil},
		{"no such slot", on, regs.TxDescriptor{IPsec: true, ESPOffset: 34, Handle: 1<<16 | 1024}, good, regs.CompletionStatusStaleHandle, nil},
		{"other generation", on, regs.TxDescriptor{IPsec: true, ESPOffset: 34, Handle: outHandle + 1<<16}, good, regs.CompletionStatusStaleHandle, nil},
		{"inbound SA", on, regs.TxDescriptor{IPsec: true, ESPOffset: 34, Handle: inHandle}, good, regs.CompletionStatusStaleHandle, nil},
		{"handle before offset", on, regs.TxDescriptor{IPsec: true, ESPOffset: 3, Handle: 1}, good, regs.CompletionStatusStaleHandle, nil},
		{"offset 33", on, regs.TxDescriptor{IPsec: true, ESPOffset: 33, Handle: outHandle}, good, regs.CompletionStatusBadOffset, nil},
		{"payload of 63", on, regs.TxDescriptor{IPsec: true, ESPOffset: 35, Handle: outHandle}, good, regs.CompletionStatusBadLength, nil},
		{"payload of 0", on, regs.TxDescriptor{IPsec: true, ESPOffset: 34, Handle: outHandle, Length: 66}, good, regs.CompletionStatusBadLength, nil},
		{"offset behind the end", on, regs.TxDescriptor{IPsec: true, ESPOffset: 2047, Handle: outHandle}, good, regs.CompletionStatusBadLength, nil},
		{"no such memory", on, regs.TxDescriptor{Addr: 0x1000, Length: 60}, nil, regs.CompletionStatusDMARead, nil},
		{"end of memory", on, regs.TxDescriptor{Addr: r.buffers.IOVA + uint64(len(r.buffers.Bytes)) - 59, Length: 60}, nil, regs.CompletionStatusDMARead, nil},
		{"handle before memory", on, regs.TxDescriptor{Addr: 0x1000, Length: 98, IPsec: true, ESPOffset: 34, Handle: 1}, nil, regs.CompletionStatusStaleHandle, nil},
	} {
		h.write(regs.CtrlOffset, uint32(regs.Ctrl(0).WithTxEnable(true).WithIPsecEnable(c.ipsec)))
		h.sent = nil
		want := regs.Completion{Length: c.d.Length, Index: uint16(r.tail), Status: c.status}
		if want.Length == 0 {
			want.Length = uint16(len(c.frame))
		}
		if c.d.IPsec {
			want.Handle = c.d.Handle
		}
		r.put(c.d, c.frame)
		r.doorbell()
		got, ok := r.next()
		if !ok || got != want {
			t.Errorf("%s: completion %+v (%v), right is %+v", c.name, got, ok, want)
		}
		switch {
		case c.wire == nil && len(h.sent) != 0:
			t.Errorf("%s: a frame left", c.name)
		case c.wire != nil && (len(h.sent) != 1 || !bytes.Equal(h.sent[0], c.wire)):
			t.Errorf("%s: frame on the wire\n%x, right is\n%x", c.name, h.sent, c.wire)
		}
	}
	r.expect()
	for _, c := range []struct {
		name   string
		offset uint64
		want   uint64
	}{
		{"TX_FRAMES", regs.StatTxFramesLoOffset, 8}, {"TX_ESP", regs.StatTxESPLoOffset, 4}, {"TX_ERR_HANDLE", regs.StatTxErrHandleLoOffset, 7},
		{"TX_ERR_DESC", regs.StatTxErrDescLoOffset, 9}, {"TX_ERR_DMA", regs.StatTxErrDMALoOffset, 2},
	} {
		if got := h.stat(c.offset); got != c.want {
			t.Errorf("%s is %d, right is %d", c.name, got, c.want)
		}
	}
	faults, err := h.nic.Faults()
	if err != nil || len(faults) != 2 || faults[0].IOVA != 0x1000 || faults[0].Size != 60 || faults[0].Write {
		t.Errorf("faults %+v, %v", faults, err)
	}
	if faults, _ := h.nic.Faults(); len(faults) != 0 {
		t.Errorf("faults are reported twice: %+v", faults)
	}
}

// TestRoundRobin: queues with work take turns, each keeps its order.
func TestRoundRobin(t *testing.T) {
	h := newHost(t, Options{})
	var rings []*ring
	for q := range 3 {
		rings = append(rings, h.ring(regs.TxqOffset(q), 4, 0))
		for i := range 5 {
			rings[q].put(regs.TxDescriptor{}, plainFrame(16*q+i, 64))
		}
		rings[q].doorbell()
	}
	if len(h.sent) != 0 {
		t.Fatalf("%d frames left while TX_ENABLE is 0", len(h.sent))
	}
	h.enable()
	if len(h.sent) != 15 {
		t.Fatalf("%d frames left", len(h.sent))
	}
	for i := 0; i < 15; i += 3 {
		seen := map[byte]bool{}
		for _, f := range h.sent[i : i+3] {
			seen[f[20]-20-byte(i/3)] = true
		}
		if !seen[0] || !seen[16] || !seen[32] {
			t.Errorf("round %d is not one frame of each queue: %v", i/3, seen)
		}
	}
}

// TestBurst: what waits to be passed to the wire is bounded, however long the ring.
func TestBurst(t *testing.T) {
	h := newHost(t, Options{})
	r := h.ring(regs.TxqOffset(0), 10, 0)
	for i := range 1000 {
		r.put(regs.TxDescriptor{}, plainFrame(i, 1500))
	}
	r.doorbell()
	h.enable()
	if len(h.sent) != 1000 {
		t.Errorf("%d frames left", len(h.sent))
	}
	if got := cap(h.nic.egress.bytes) + cap(h.nic.wire.spare.bytes); got > 4*burstFrames*1500 {
		t.Errorf("%d bytes wait for the wire", got)
	}
}
