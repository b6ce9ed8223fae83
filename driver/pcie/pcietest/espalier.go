// SPDX-License-Identifier: Apache-2.0

package pcietest

import (
	"context"
	"encoding/binary"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/regs"
)

// Espalier is the Device for the NIC of regs/espalier.rdl. It knows registers
// only: the suite comes before the driver.
func Espalier() Device { return espalier{} }

type espalier struct{}

const (
	ringLog2 = 3
	ringSize = 1 << ringLog2 * 16 // bytes of one ring
)

func (espalier) Scratch() (int, uint64) { return pcie.RegisterBAR, regs.ScratchOffset }

// Unmapped is in a page that no register has.
func (espalier) Unmapped() (int, uint64) { return pcie.RegisterBAR, 0x8000 }

func registers(t testing.TB, fn pcie.Function) pcie.BAR {
	t.Helper()
	return must(fn.BAR(pcie.RegisterBAR))(t)
}

func (espalier) Raise(t testing.TB, fn pcie.Function, v int) {
	t.Helper()
	b := registers(t, fn)
	bit := uint32(1) << v
	mask := must(b.Read32(regs.IntMaskOffset))(t)
	ok(t, b.Write32(regs.IntMaskOffset, mask&^bit))
	ok(t, b.Write32(regs.IntCauseOffset, bit))
	ok(t, b.Write32(regs.IntArmOffset, bit))
	ok(t, b.Write32(regs.IntSetOffset, bit))
	// The answer to a read does not overtake the interrupt message.
	must(b.Read32(regs.IntCauseOffset))(t)
}

// until lets time pass until done.
func until(t testing.TB, fn pcie.Function, what string, done func() bool) {
	t.Helper()
	for ctx := soon(t); !done(); {
		if ctx.Err() != nil {
			t.Fatalf("waiting for %s: %v", what, ctx.Err())
		}
		ok(t, fn.Relax(context.Background(), 0))
	}
}

func (espalier) Settle(t testing.TB, fn pcie.Function) {
	t.Helper()
	b := registers(t, fn)
	until(t, fn, "STATUS.READY", func() bool { return regs.Status(must(b.Read32(regs.StatusOffset))(t)).Ready() })
	if regs.CapFeature(must(b.Read32(regs.CapFeatureOffset))(t)).ControlProcessor() { // queues wait for its self-tests
		until(t, fn, "CP_STATUS.SELFTEST_PASSED", func() bool { return regs.CpStatus(must(b.Read32(regs.CpStatusOffset))(t)).SelftestPassed() })
	}
}

// Read has the device read a frame of that size from iova and send it to itself.
func (e espalier) Read(t testing.TB, fn pcie.Function, iova uint64, size int) bool {
	t.Helper()
	m := must(fn.AllocDMA(2 * ringSize))(t)
	c, finished := e.send(t, fn, m, m.IOVA+ringSize, m.Bytes[ringSize:], iova, size)
	ok(t, fn.FreeDMA(m))
	return finished && c.Status == regs.CompletionStatusOK
}

// Write has the device write a completion to iova.
func (e espalier) Write(t testing.TB, fn pcie.Function, iova uint64) bool {
	t.Helper()
	m := must(fn.AllocDMA(ringSize + 64))(t)
	_, finished := e.send(t, fn, m, iova, nil, m.IOVA+ringSize, 64)
	ok(t, fn.FreeDMA(m))
	return finished
}

// send sends one frame through TX queue 0 in loopback, with the descriptor ring
// at the start of m and the completion ring at completions, which the host sees
// as seen if that is not nil. It returns the completion, and false if the queue
// stopped with an error instead.
func (espalier) send(t testing.TB, fn pcie.Function, m *pcie.Memory, completions uint64, seen []byte, iova uint64, size int) (regs.Completion, bool) {
	t.Helper()
	b := registers(t, fn)
	regs.TxDescriptor{Addr: iova, Length: uint16(size), Report: true}.Pack(m.Bytes)
	page := regs.TxqOffset(0)
	ctrl := regs.QueueCtrl(0).WithRingLog2(ringLog2)
	loopback := regs.Ctrl(0).WithLoopback(true)
	for _, w := range []struct {
		offset uint64
		value  uint32
	}{
		{regs.CtrlOffset, uint32(loopback)},
		{regs.CtrlOffset, uint32(loopback.WithTxEnable(true))},
		{page + regs.QueueCtrlOffset, uint32(ctrl)},
		{page + regs.QueueRingLoOffset, uint32(m.IOVA)},
		{page + regs.QueueRingHiOffset, uint32(m.IOVA >> 32)},
		{page + regs.QueueCplLoOffset, uint32(completions)},
		{page + regs.QueueCplHiOffset, uint32(completions >> 32)},
		{page + regs.QueueCplBatchOffset, uint32(regs.QueueCplBatch(0).WithCount(1))},
		{regs.IntCauseOffset, 1},
		{regs.IntArmOffset, 1},
		{page + regs.QueueCtrlOffset, uint32(ctrl.WithEnable(true))},
		{page + regs.QueueTailOffset, 1},
	} {
		ok(t, b.Write32(w.offset, w.value))
	}
	// The cause of the queue's vector, which is masked, is set once the completion
	// was written or refused, however long memory takes; HEAD says less.
	until(t, fn, "the completion", func() bool { return must(b.Read32(regs.IntCauseOffset))(t)&1 != 0 })
	status := regs.QueueStatus(must(b.Read32(page + regs.QueueStatusOffset))(t))
	ok(t, b.Write32(regs.IntCauseOffset, 1))
	ok(t, b.Write32(page+regs.QueueCtrlOffset, 0))
	failed := status.Error()
	until(t, fn, "the queue to stop", func() bool {
		status = regs.QueueStatus(must(b.Read32(page + regs.QueueStatusOffset))(t))
		failed = failed || status.Error()
		return !status.Active()
	})
	ok(t, b.Write32(regs.CtrlOffset, uint32(loopback)))
	if failed || seen == nil {
		return regs.Completion{}, !failed
	}
	// The device wrote it behind the compiler's back.
	hi := atomic.LoadUint64((*uint64)(unsafe.Pointer(&seen[8])))
	var c regs.Completion
	var entry [16]byte
	copy(entry[:8], seen[:8])
	binary.NativeEndian.PutUint64(entry[8:], hi)
	c.Unpack(entry[:])
	if !c.Phase {
		t.Fatalf("queue is inactive, completion is % x", entry)
	}
	return c, true
}
