// SPDX-License-Identifier: Apache-2.0

package vfiouser

import (
	"context"
	"testing"
	"time"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/hostmem"
	"github.com/espalier-nic/espalier/regs"
	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
	"github.com/espalier-nic/espalier/verilator/simbuild"
)

// The traffic of BenchmarkCycles: one TX queue in loopback with a ring that is
// always full, so that the data path never rests, and a host that looks now and then.
const (
	ringLog2   = 8
	frameBytes = 1000
	ringBytes  = 16 << ringLog2
	bufferAt   = 2 * ringBytes
)

// nicHost is the part of a host that the traffic needs.
type nicHost struct {
	read  func(offset uint64) uint32
	write func(offset uint64, width int, v uint64)
	bytes []byte
	iova  uint64
	tail  uint32
}

func (h *nicHost) setUp() {
	for !regs.Status(h.read(regs.StatusOffset)).Ready() {
	}
	for i := range 1 << ringLog2 {
		regs.TxDescriptor{Addr: h.iova + bufferAt, Length: frameBytes}.Pack(h.bytes[16*i:])
	}
	loop := regs.Ctrl(0).WithLoopback(true).WithTxEnable(true)
	page := regs.TxqOffset(0)
	h.write(regs.CtrlOffset, 4, uint64(regs.Ctrl(0).WithLoopback(true)))
	h.write(regs.CtrlOffset, 4, uint64(loop))
	ctrl := regs.QueueCtrl(0).WithRingLog2(ringLog2)
	h.write(page+regs.QueueCtrlOffset, 4, uint64(ctrl))
	h.write(page+regs.QueueRingLoOffset, 8, h.iova)
	h.write(page+regs.QueueCplLoOffset, 8, h.iova+ringBytes)
	h.write(page+regs.QueueCtrlOffset, 4, uint64(ctrl.WithEnable(true)))
	h.top()
}

// top fills the ring up.
func (h *nicHost) top() {
	page := regs.TxqOffset(0)
	head := h.read(page + regs.QueueHeadOffset)
	h.tail = (head - 1) % (1 << ringLog2)
	h.write(page+regs.QueueTailOffset, 4, uint64(h.tail))
}

// BenchmarkCycles is the simulated clock's speed under traffic: driven in this
// process in lock-step, and served to a client that shares its memory. An operation
// is one look at the NIC, each 4096 cycles or as often.
func BenchmarkCycles(b *testing.B) {
	lib, err := rtlbridge.Load(simbuild.Library(b, simbuild.Design{Name: "window", Params: []string{"CONTROL_PROCESSOR=0"}}))
	ok(b, err)
	const look = 4096
	b.Run("in process", func(b *testing.B) {
		f, err := rtlbridge.Open(lib, rtlbridge.Config{Seed: 1})
		ok(b, err)
		defer f.Close()
		bar, err := f.BAR(0)
		ok(b, err)
		m, err := f.AllocDMA(bufferAt + 4096)
		ok(b, err)
		h := &nicHost{bytes: m.Bytes, iova: m.IOVA, read: func(offset uint64) uint32 {
			v, err := bar.Read32(offset)
			ok(b, err)
			return v
		}, write: func(offset uint64, width int, v uint64) {
			if width == 8 {
				ok(b, bar.Write64(offset, v))
			} else {
				ok(b, bar.Write32(offset, uint32(v)))
			}
		}}
		h.setUp()
		before := f.Cycle()
		start := time.Now()
		for b.Loop() {
			for end := f.Cycle() + look; f.Cycle() < end; {
				ok(b, f.Relax(context.Background(), 0))
			}
			h.top()
		}
		b.ReportMetric(float64(f.Cycle()-before)/time.Since(start).Seconds(), "cycles/s")
	})
	b.Run("served", func(b *testing.B) {
		r, err := NewRTL(lib, RTLConfig{Seed: 1})
		ok(b, err)
		runner, err := rtlbridge.Start(r.Device())
		ok(b, err)
		defer func() { runner.Close(); r.Close() }()
		m := serve(b, r)
		m.enable(0)
		_, bytes := m.mapMemory(hostmem.FirstIOVA, 1<<17, true)
		h := &nicHost{bytes: bytes, iova: hostmem.FirstIOVA,
			read:  func(offset uint64) uint32 { return uint32(m.read(pcie.RegisterBAR, offset, 4)) },
			write: func(offset uint64, width int, v uint64) { m.write(pcie.RegisterBAR, offset, width, v) },
		}
		h.setUp()
		before := r.Device().Cycle()
		start := time.Now()
		for b.Loop() {
			for end := runner.Cycles() + look; runner.Cycles() < end; {
				time.Sleep(100 * time.Microsecond)
			}
			h.top()
		}
		b.ReportMetric(float64(r.Device().Cycle()-before)/time.Since(start).Seconds(), "cycles/s")
		m.leave()
	})
}
