// SPDX-License-Identifier: Apache-2.0

package nic

import (
	"bytes"
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/regs"
)

// TestIdentity checks what software discovers.
func TestIdentity(t *testing.T) {
	h := newHost(t, Options{Queues: 3, Vectors: 5, Slots: 77, MaxFrame: 2000})
	if id := h.read(regs.IDOffset); id != regs.IDMagic {
		t.Errorf("ID %#x", id)
	}
	if v := regs.Version(h.read(regs.VersionOffset)); v.Major() != regs.VersionMajor || v.Minor() != regs.VersionMinor {
		t.Errorf("VERSION %#x", uint32(v))
	}
	if l := regs.Layout(h.read(regs.LayoutOffset)); uint64(l.TxqPage())*page != regs.TxqOffset(0) || uint64(l.RxqPage())*page != regs.RxqOffset(0) ||
		uint64(l.StatsPage())*page != regs.StatTxFramesLoOffset || uint64(l.SAPage())*page != regs.SACmdOffset {
		t.Errorf("LAYOUT %#x", uint32(l))
	}
	if s := regs.CapSize(h.read(regs.CapSizeOffset)); s.NumTxq() != 3 || s.NumRxq() != 3 || s.NumVectors() != 5 || s.Lanes() != 1 {
		t.Errorf("CAP_SIZE %#x", uint32(s))
	}
	if s := regs.CapSA(h.read(regs.CapSAOffset)); s.Capacity() != 77 {
		t.Errorf("CAP_SA %d", s.Capacity())
	}
	if a := regs.CapAlg(h.read(regs.CapAlgOffset)); a.Encryption() != 0x38 || a.Authentication() != 0 || a.ICV() != 1 {
		t.Errorf("CAP_ALG %#x", uint32(a))
	}
	f := regs.CapFeature(h.read(regs.CapFeatureOffset))
	if !f.IPv4() || !f.IPv6() || !f.ESP() || !f.Transport() || !f.Tunnel() || !f.ESN() || !f.Loopback() || f.Encapsulation() != 2 ||
		f.AH() || f.AHESP() || f.LSO() || f.TransportTunnel() || f.UDPESP() != 0 || f.IPv4Options() || f.IPv6ExtHeaders() {
		t.Errorf("CAP_FEATURE %#x", uint32(f))
	}
	if r := regs.CapRing(h.read(regs.CapRingOffset)); r.MinLog2() != 3 || r.MaxLog2() != 15 || r.Prefetch() != prefetch {
		t.Errorf("CAP_RING %#x", uint32(r))
	}
	if f := regs.CapFrame(h.read(regs.CapFrameOffset)); f.MaxFrame() != 2000 {
		t.Errorf("CAP_FRAME %d", f.MaxFrame())
	}
	info := h.nic.Info()
	if info.VendorID != pcie.VendorID || info.DeviceID != pcie.DeviceID || info.Vectors != 5 || info.Location != "gonic" || !info.Simulated || info.BARs[0] != regs.BarSize {
		t.Errorf("Info %+v", info)
	}
	for _, o := range []Options{{Queues: 17}, {Queues: -1}, {Vectors: 33}, {Slots: 65537}, {MaxFrame: 63}, {MaxFrame: 16384}} {
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), "allowed are") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// processorPage says whether offset is in pages 3 to 7, which only a NIC with a
// control processor has.
func processorPage(offset uint64) bool { return offset >= 3*page && offset < 8*page }

// TestEveryRegister reads every register of the map after a reset: those with a
// reset value have it, none is a bus error; all that lies between is one.
func TestEveryRegister(t *testing.T) {
	h := newHost(t, Options{Queues: 2})
	known := map[uint64]bool{}
	for i := range regs.Map {
		r := &regs.Map[i]
		for e := range max(1, r.Count) {
			offset := uint64(r.Offset) + uint64(e)*uint64(r.Stride)
			known[offset] = true
			missing := e >= 2 && offset >= regs.TxqOffset(0) || processorPage(offset)
			got := h.read(offset)
			if missing {
				if got != busError {
					t.Errorf("%s[%d] of a missing queue or processor reads %#x", r.Name, e, got)
				}
				continue
			}
			value, mask := r.Reset()
			if r.Access == regs.WriteOnly {
				value, mask = 0, ^uint32(0)
			}
			if got&mask != value {
				t.Errorf("%s[%d] reads %#x, its reset value is %#x (bits %#x)", r.Name, e, got, value, mask)
			}
		}
	}
	holes := 0
	for offset := uint64(0); offset < regs.BarSize; offset += 4 {
		if known[offset] {
			continue
		}
		holes++
		if got := h.read(offset); got != busError {
			t.Errorf("offset %#x, where nothing is, reads %#x", offset, got)
		}
		h.write(offset, 0x12345678) // must not do anything
	}
	if holes == 0 || h.read(regs.ScratchOffset) != 0 {
		t.Errorf("%d holes, SCRATCH %#x", holes, h.read(regs.ScratchOffset))
	}
}

// TestAccessWidths: accesses of 8, 16 and 64 bits reach the bytes they name.
func TestAccessWidths(t *testing.T) {
	h := newHost(t, Options{})
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(h.bar.Write32(regs.ScratchOffset, 0x44332211))
	check(h.bar.Write8(regs.ScratchOffset+1, 0xAA))
	check(h.bar.Write16(regs.ScratchOffset+2, 0xCCBB))
	if v := h.read(regs.ScratchOffset); v != 0xCCBBAA11 {
		t.Errorf("SCRATCH is %#x", v)
	}
	b, err := h.bar.Read8(regs.ScratchOffset + 3)
	check(err)
	w, err := h.bar.Read16(regs.ScratchOffset)
	check(err)
	d, err := h.bar.Read64(regs.IDOffset)
	check(err)
	if b != 0xCC || w != 0xAA11 || d != (regs.VersionMajor<<24|regs.VersionMinor<<16)<<32|regs.IDMagic {
		t.Errorf("read %#x %#x %#x", b, w, d)
	}
	if v, err := h.bar.Read16(0x800); err != nil || v != 0xFFFF {
		t.Errorf("a hole reads %#x, %v", v, err)
	}
	for _, offset := range []uint64{regs.BarSize, regs.BarSize - 2, 2, math.MaxUint64} {
		if _, err := h.bar.Read32(offset); !errors.Is(err, pcie.ErrRange) {
			t.Errorf("offset %#x: %v", offset, err)
		}
	}
}

// fires counts the interrupts that the host got on a vector.
func (h *host) fires(v int) uint64 { return h.nic.irq.take(v) }

func (h *host) moderation(v int, count uint8, time uint16) {
	h.write(regs.IntModerationOffset(v), uint32(regs.IntModeration(0).WithCount(count).WithTime(time)))
}

// TestInterrupts walks arming, causes, masks, counts and times with INT_SET.
func TestInterrupts(t *testing.T) {
	h := newHost(t, Options{Vectors: 4})
	if err := h.nic.SetVectors(4); err != nil {
		t.Fatal(err)
	}
	expect := func(v int, want uint64, cause uint32, when string) {
		t.Helper()
		if got := h.fires(v); got != want {
			t.Errorf("%s: %d interrupts, right is %d", when, got, want)
		}
		if got := h.read(regs.IntCauseOffset); got != cause {
			t.Errorf("%s: INT_CAUSE %#x, right is %#x", when, got, cause)
		}
	}
	h.write(regs.IntSetOffset, 1<<1)
	expect(1, 0, 2, "masked after reset")
	h.write(regs.IntMaskOffset, 0)
	expect(1, 1, 2, "unmasked with its cause set")
	h.write(regs.IntMaskOffset, 2)
	h.write(regs.IntMaskOffset, 0)
	expect(1, 0, 2, "unmasked after it was sent")
	h.write(regs.IntCauseOffset, 1)
	expect(1, 0, 2, "another cause cleared")
	h.write(regs.IntCauseOffset, 2)
	h.write(regs.IntSetOffset, 2)
	expect(1, 0, 0, "not armed")
	h.write(regs.IntArmOffset, 1)
	expect(1, 0, 0, "another vector armed")
	h.write(regs.IntArmOffset, 2)
	expect(1, 1, 2, "armed with an event waiting")
	h.write(regs.IntArmOffset, 2)
	expect(1, 0, 2, "armed without event")
	h.write(regs.IntCauseOffset, 2)
	h.write(regs.IntMaskOffset, 2)
	h.write(regs.IntSetOffset, 2)
	h.write(regs.IntCauseOffset, 2)
	h.write(regs.IntMaskOffset, 0)
	expect(1, 0, 0, "cleared while masked")

	h.moderation(2, 3, 0xFFFF)
	for i, want := range []uint64{0, 0, 1} {
		h.write(regs.IntSetOffset, 4)
		expect(2, want, uint32(4*want), "count "+string(rune('1'+i)))
	}
	h.write(regs.IntCauseOffset, 4)
	h.write(regs.IntSetOffset, 4)
	h.write(regs.IntSetOffset, 4)
	h.write(regs.IntSetOffset, 4)
	expect(2, 0, 0, "three while disarmed")
	h.write(regs.IntArmOffset, 4)
	expect(2, 1, 4, "armed: they count at once")
	h.write(regs.IntCauseOffset, 4)

	h.moderation(3, 200, 10)
	h.write(regs.IntSetOffset, 8)
	h.relax(160 - 2*accessCycles)
	expect(3, 0, 0, "one access before the time")
	h.relax(accessCycles)
	expect(3, 1, 8, "after the time")
	h.write(regs.IntCauseOffset, 8)
	h.write(regs.IntSetOffset, 8)
	h.relax(500)
	h.write(regs.IntArmOffset, 8)
	expect(3, 1, 8, "armed: the time has passed meanwhile")
	h.write(regs.IntCauseOffset, 8)
	h.write(regs.IntArmOffset, 8)
	h.write(regs.IntSetOffset, 8)
	h.relax(100)
	h.write(regs.IntSetOffset, 8)
	h.relax(60)
	expect(3, 1, 8, "the time of the first of two")
	h.write(regs.IntCauseOffset, 8)
	h.moderation(3, 200, 0)
	h.write(regs.IntArmOffset, 8)
	h.write(regs.IntSetOffset, 8|1<<4|1<<31) // two vectors that do not exist
	expect(3, 1, 8, "time 0 is at once")
	h.write(regs.IntArmOffset, 8)
	h.write(regs.IntSetOffset, 8)
	expect(3, 1, 8, "the cause still set")
}

// TestCompletionInterrupts: events are completions, on the queue's vector.
func TestCompletionInterrupts(t *testing.T) {
	h := newHost(t, Options{})
	if err := h.nic.SetVectors(8); err != nil {
		t.Fatal(err)
	}
	h.write(regs.IntMaskOffset, 0)
	h.enable()
	h.moderation(5, 3, 0xFFFF)
	r := h.ring(regs.TxqOffset(0), 4, 5)
	r.batch(2, 30)
	r.put(regs.TxDescriptor{Report: true}, plainFrame(1, 64))
	r.put(regs.TxDescriptor{Report: true}, plainFrame(1, 64))
	r.put(regs.TxDescriptor{}, plainFrame(1, 64))
	r.put(regs.TxDescriptor{Report: true}, plainFrame(1, 64))
	r.doorbell()
	if got := h.fires(5); got != 0 {
		t.Errorf("%d interrupts after two completions", got)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	before := h.nic.Cycle()
	if count, err := h.nic.WaitInterrupt(ctx, 5); err != nil || count != 1 {
		t.Errorf("WaitInterrupt: %d, %v", count, err)
	}
	if waited := h.nic.Cycle() - before; waited != 30 {
		t.Errorf("waited %d cycles for the partial batch", waited)
	}
	r.expect(regs.Completion{Length: 64, Index: 0}, regs.Completion{Length: 64, Index: 1}, regs.Completion{Length: 64, Index: 3})
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if _, err := h.nic.WaitInterrupt(short, 5); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("WaitInterrupt with nothing to come: %v", err)
	}
	if _, err := h.nic.WaitInterrupt(ctx, 8); !errors.Is(err, pcie.ErrRange) {
		t.Errorf("WaitInterrupt on vector 8: %v", err)
	}
	// A waiter notices a deadline that another goroutine's call sets.
	h.moderation(6, 9, 100)
	result := make(chan error)
	go func() { _, err := h.nic.WaitInterrupt(ctx, 6); result <- err }()
	time.Sleep(10 * time.Millisecond)
	h.write(regs.IntSetOffset, 1<<6)
	if err := <-result; err != nil {
		t.Errorf("WaitInterrupt, event from outside: %v", err)
	}
}

// TestQueueErrors provokes each error of a ring; other queues go on, and the
// queue works again after ENABLE 0.
func TestQueueErrors(t *testing.T) {
	h := newHost(t, Options{})
	if err := h.nic.SetVectors(8); err != nil {
		t.Fatal(err)
	}
	h.write(regs.IntMaskOffset, 0)
	h.enable()
	other := h.ring(regs.TxqOffset(1), 3, 0)
	other.batch(1, 0)
	r := h.ring(regs.TxqOffset(0), 3, 2)
	ctrl := regs.QueueCtrl(0).WithEnable(true).WithRingLog2(3).WithVector(2)
	for _, c := range []struct {
		name string
		code regs.QueueError
		do   func()
	}{
		{"tail of 8", regs.QueueErrorBadTail, func() { h.write(r.page+regs.QueueTailOffset, 8) }},
		{"tail of 65535", regs.QueueErrorBadTail, func() { h.write(r.page+regs.QueueTailOffset, 0xFFFF) }},
		{"ring of 4", regs.QueueErrorBadConfig, func() {
			h.write(r.page+regs.QueueCtrlOffset, 0)
			h.write(r.page+regs.QueueCtrlOffset, uint32(ctrl.WithRingLog2(2)))
		}},
		{"ring not aligned", regs.QueueErrorBadConfig, func() {
			h.write(r.page+regs.QueueCtrlOffset, 0)
			h.write(r.page+regs.QueueRingLoOffset, uint32(r.desc.IOVA)+32)
			h.write(r.page+regs.QueueCtrlOffset, uint32(ctrl))
		}},
		{"completions not aligned", regs.QueueErrorBadConfig, func() {
			h.write(r.page+regs.QueueCtrlOffset, 0)
			h.write(r.page+regs.QueueCplLoOffset, uint32(r.cpl.IOVA)+16)
			h.write(r.page+regs.QueueCtrlOffset, uint32(ctrl))
		}},
		{"no memory for descriptors", regs.QueueErrorDescRead, func() {
			h.write(r.page+regs.QueueCtrlOffset, 0)
			h.write(r.page+regs.QueueRingHiOffset, 0)
			h.write(r.page+regs.QueueCtrlOffset, uint32(ctrl))
			h.write(r.page+regs.QueueTailOffset, 1)
		}},
		{"no memory for completions", regs.QueueErrorCplWrite, func() {
			h.write(r.page+regs.QueueCtrlOffset, 0)
			h.write(r.page+regs.QueueCplHiOffset, 0)
			h.write(r.page+regs.QueueCtrlOffset, uint32(ctrl))
			r.put(regs.TxDescriptor{Report: true}, plainFrame(1, 64))
			r.batch(1, 0)
			r.doorbell()
		}},
	} {
		h.fires(2)
		h.write(regs.IntArmOffset, 1<<2)
		c.do()
		if s := r.status(); !s.Error() || s.ErrorCode() != c.code || !s.Active() {
			t.Errorf("%s: STATUS %#x, right is %s", c.name, uint32(s), c.code)
		}
		if got := h.fires(2); got != 1 {
			t.Errorf("%s: %d interrupts", c.name, got)
		}
		h.sent = nil
		r.doorbell() // nothing happens any more
		other.put(regs.TxDescriptor{Report: true}, plainFrame(9, 64))
		other.doorbell()
		if _, ok := other.next(); !ok || len(h.sent) != 1 {
			t.Errorf("%s: the other queue stopped too", c.name)
		}
		h.write(r.page+regs.QueueCtrlOffset, 0)
		if s := r.status(); s.Error() || s.Active() || s.ErrorCode() != regs.QueueErrorNone {
			t.Errorf("%s: STATUS %#x after ENABLE 0", c.name, uint32(s))
		}
		r.start(2)
		r.put(regs.TxDescriptor{Report: true}, plainFrame(3, 64))
		r.batch(1, 0)
		r.doorbell()
		r.expect(regs.Completion{Length: 64})
	}
}

// TestRunningQueueKeepsItsRings: what may not change while ENABLE is 1 does not.
func TestRunningQueueKeepsItsRings(t *testing.T) {
	h := newHost(t, Options{})
	h.enable()
	r := h.ring(regs.TxqOffset(0), 3, 1)
	ctrl := h.read(r.page + regs.QueueCtrlOffset)
	for _, offset := range []uint64{regs.QueueRingLoOffset, regs.QueueRingHiOffset, regs.QueueCplLoOffset, regs.QueueCplHiOffset} {
		before := h.read(r.page + offset)
		h.write(r.page+offset, ^before)
		if got := h.read(r.page + offset); got != before {
			t.Errorf("register %#x changed from %#x to %#x", offset, before, got)
		}
	}
	h.write(r.page+regs.QueueCtrlOffset, uint32(regs.QueueCtrl(ctrl).WithRingLog2(9).WithVector(7)))
	if got := h.read(r.page + regs.QueueCtrlOffset); got != ctrl {
		t.Errorf("CTRL changed from %#x to %#x", ctrl, got)
	}
	r.put(regs.TxDescriptor{}, plainFrame(1, 64))
	r.doorbell()
	h.write(r.page+regs.QueueCtrlOffset, 0)
	h.write(r.page+regs.QueueTailOffset, 5)
	if got := h.read(r.page + regs.QueueTailOffset); got != 1 {
		t.Errorf("TAIL of a stopped queue became %d", got)
	}
	r.start(1)
	if tail, head := h.read(r.page+regs.QueueTailOffset), h.read(r.page+regs.QueueHeadOffset); tail != 0 || head != 0 {
		t.Errorf("started queue has TAIL %d, HEAD %d", tail, head)
	}
}

// TestReset: after CTRL.RESET all is as after power-up but the generations, and
// no memory is touched.
func TestReset(t *testing.T) {
	h := newHost(t, Options{})
	h.enable()
	handle := h.add(7, record(1, true))
	h.write(regs.ScratchOffset, 5)
	h.moderation(3, 9, 9)
	tx, rx := h.ring(regs.TxqOffset(0), 4, 0), h.ring(regs.RxqOffset(0), 4, 0)
	tx.batch(4, 0xFFFF)
	rx.post(8, bufferSize)
	tx.put(regs.TxDescriptor{Report: true}, plainFrame(1, 64))
	tx.doorbell()
	if regs.Status(h.read(regs.StatusOffset)).Zeroised() {
		t.Error("ZEROISED with an SA present")
	}
	h.write(regs.CtrlOffset, uint32(regs.Ctrl(0).WithReset(true).WithTxEnable(true)))
	if c, s := regs.Ctrl(h.read(regs.CtrlOffset)), regs.Status(h.read(regs.StatusOffset)); !c.Reset() || c.TxEnable() || !s.ResetBusy() || s.Ready() {
		t.Errorf("during the reset CTRL %#x, STATUS %#x", uint32(c), uint32(s))
	}
	h.write(regs.ScratchOffset, 6)
	h.enable()
	h.nic.Inject(plainFrame(1, 60), false)
	h.untilReady()
	if c, s := regs.Ctrl(h.read(regs.CtrlOffset)), regs.Status(h.read(regs.StatusOffset)); c != 0 || s.ResetBusy() || !s.Zeroised() || !s.TxIdle() || !s.RxIdle() {
		t.Errorf("after the reset CTRL %#x, STATUS %#x", uint32(c), uint32(s))
	}
	for i := range regs.Map { // spot checks are not enough: all that have a reset value
		r := &regs.Map[i]
		value, mask := r.Reset()
		if got := h.read(uint64(r.Offset)); r.Access != regs.WriteOnly && !processorPage(uint64(r.Offset)) && got&mask != value {
			t.Errorf("%s reads %#x after a reset, right is %#x", r.Name, got, value)
		}
	}
	h.enable()
	h.nic.Inject(plainFrame(1, 60), false)
	h.relax(1 << 17)
	tx.expect()
	rx.expect()
	if got := h.stat(regs.StatRxFramesLoOffset); got != 1 {
		t.Errorf("%d frames are counted", got)
	}
	if result, _ := h.operate(regs.SAOpDelete, handle, regs.SARecord{}); result != regs.SAResultStaleHandle {
		t.Errorf("handle from before the reset: %s", result)
	}
	if again := h.add(7, record(1, true)); again != handle+1<<16 {
		t.Errorf("handle %#x after %#x", again, handle)
	}

	// A function-level reset is a power cycle for the NIC's logic.
	if err := h.nic.Reset(context.Background()); err != nil {
		t.Fatal(err)
	}
	h.untilReady()
	if cycles := h.stat(regs.CyclesLoOffset); cycles > resetCycles+200 {
		t.Errorf("%d cycles since the hard reset", cycles)
	}
	if again := h.add(7, record(1, true)); again != handle {
		t.Errorf("handle %#x after a power cycle", again)
	}
}

// TestGone covers Close and Unplug.
func TestGone(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name string
		end  func(*NIC) error
		want error
	}{
		{"closed", (*NIC).Close, pcie.ErrClosed},
		{"unplugged", func(n *NIC) error { n.Unplug(); return nil }, pcie.ErrRemoved},
	} {
		h := newHost(t, Options{})
		m := h.memory(4096)
		if err := h.nic.SetVectors(1); err != nil {
			t.Fatal(err)
		}
		waiting := make(chan error)
		go func() { _, err := h.nic.WaitInterrupt(ctx, 0); waiting <- err }()
		time.Sleep(10 * time.Millisecond)
		for range 2 { // again does nothing
			if err := c.end(h.nic); err != nil {
				t.Fatal(err)
			}
		}
		if err := <-waiting; !errors.Is(err, c.want) {
			t.Errorf("%s: WaitInterrupt: %v", c.name, err)
		}
		_, configErr := h.nic.ConfigRead(0, 4)
		_, barErr := h.nic.BAR(0)
		_, allocErr := h.nic.AllocDMA(4096)
		for what, err := range map[string]error{
			"ConfigRead": configErr, "ConfigWrite": h.nic.ConfigWrite(4, 2, 0), "BAR": barErr, "AllocDMA": allocErr,
			"SetVectors": h.nic.SetVectors(1), "MaskVector": h.nic.MaskVector(0, true), "Relax": h.nic.Relax(ctx, 1), "Reset": h.nic.Reset(ctx),
		} {
			if !errors.Is(err, c.want) {
				t.Errorf("%s: %s: %v", c.name, what, err)
			}
		}
		v, err := h.bar.Read32(regs.IDOffset)
		if c.want == pcie.ErrClosed {
			if !errors.Is(err, pcie.ErrClosed) || !errors.Is(h.bar.Write32(regs.ScratchOffset, 0), pcie.ErrClosed) || !errors.Is(h.nic.FreeDMA(m), pcie.ErrClosed) {
				t.Errorf("closed: read %#x, %v", v, err)
			}
			continue
		}
		if err != nil || v != math.MaxUint32 || h.bar.Write32(regs.ScratchOffset, 0) != nil || h.nic.FreeDMA(m) != nil {
			t.Errorf("unplugged: read %#x, %v", v, err)
		}
		if msix, err := New(Options{}); err != nil {
			t.Fatal(err)
		} else if bar, err := msix.BAR(4); err != nil {
			t.Fatal(err)
		} else {
			msix.Unplug()
			if v, err := bar.Read32(0); err != nil || v != math.MaxUint32 {
				t.Errorf("unplugged MSI-X table: read %#x, %v", v, err)
			}
			_ = msix.Close()
		}
	}
}

// TestBusMaster: without the right to reach memory every access is a fault, and
// without memory space nothing answers.
func TestBusMaster(t *testing.T) {
	h := newHost(t, Options{})
	h.enable()
	r := h.ring(regs.TxqOffset(0), 3, 0)
	command, err := h.nic.ConfigRead(pcie.ConfigCommand, 2)
	if err != nil {
		t.Fatal(err)
	}
	set := func(v uint32) {
		t.Helper()
		if err := h.nic.ConfigWrite(pcie.ConfigCommand, 2, v); err != nil {
			t.Fatal(err)
		}
	}
	set(command &^ pcie.CommandBusMaster)
	r.put(regs.TxDescriptor{Report: true}, plainFrame(1, 64))
	r.doorbell()
	if s := r.status(); s.ErrorCode() != regs.QueueErrorDescRead {
		t.Errorf("STATUS %#x", uint32(s))
	}
	if faults, _ := h.nic.Faults(); len(faults) != 1 || faults[0].IOVA != r.desc.IOVA {
		t.Errorf("faults %+v", faults)
	}
	set(command &^ pcie.CommandMemory)
	h.write(regs.ScratchOffset, 7)
	if v := h.read(regs.ScratchOffset); v != math.MaxUint32 {
		t.Errorf("reads %#x without memory space", v)
	}
	set(command)
	if v := h.read(regs.ScratchOffset); v != 0 {
		t.Errorf("SCRATCH is %#x", v)
	}
}

// TestFreedMemory: a buffer that was freed is a fault, not a write elsewhere.
func TestFreedMemory(t *testing.T) {
	h := newHost(t, Options{})
	h.enable()
	r := h.ring(regs.RxqOffset(0), 3, 0)
	r.batch(1, 0)
	r.post(2, bufferSize)
	if err := h.nic.FreeDMA(r.buffers); err != nil {
		t.Fatal(err)
	}
	h.nic.Inject(plainFrame(1, 60), false)
	r.expect(regs.Completion{Length: 60, Status: regs.CompletionStatusDMAWrite})
}

// TestRepeatable: the same calls give the same cycles and bytes.
func TestRepeatable(t *testing.T) {
	run := func() (uint64, []byte) {
		h := newHost(t, Options{})
		h.enable()
		handle := h.add(1, record(1, false))
		r := h.ring(regs.TxqOffset(0), 4, 0)
		for i := range 40 {
			r.put(regs.TxDescriptor{IPsec: true, ESPOffset: 34, Handle: handle, Report: true}, framed(record(1, false), uint32(i), 64))
			r.doorbell()
			for tries := 0; ; tries++ {
				if _, ok := r.next(); ok {
					break
				}
				if tries > 100 {
					t.Fatalf("no completion for frame %d", i)
				}
				h.relax(7)
			}
		}
		return h.nic.Cycle(), bytes.Join(h.sent, nil)
	}
	cycles, sent := run()
	again, sentAgain := run()
	if cycles != again || !bytes.Equal(sent, sentAgain) {
		t.Errorf("%d and %d cycles", cycles, again)
	}
}

// TestWideCounters: reading LO latches HI, for statistics and for the clock.
func TestWideCounters(t *testing.T) {
	h := newHost(t, Options{})
	h.enable()
	h.nic.stats[rxBytes] = 5<<32 - 60
	if lo := h.read(regs.StatRxBytesLoOffset); lo != ^uint32(59) {
		t.Errorf("RX_BYTES LO is %#x", lo)
	}
	h.nic.Inject(plainFrame(1, 60), false)
	if hi := h.read(regs.StatRxBytesHiOffset); hi != 4 {
		t.Errorf("RX_BYTES HI is %d after the read of LO", hi)
	}
	if got := h.stat(regs.StatRxBytesLoOffset); got != 5<<32 {
		t.Errorf("RX_BYTES is %#x", got)
	}
	h.nic.clock.base = h.nic.clock.cycle + accessCycles - (3<<32 - 1) // the next access is the last below 3 * 2^32
	lo := h.read(regs.CyclesLoOffset)
	h.relax(1 << 10)
	if hi := h.read(regs.CyclesHiOffset); uint64(hi)<<32|uint64(lo) != 3<<32-1 {
		t.Errorf("CYCLES is %d, %#x", hi, lo)
	}
}
