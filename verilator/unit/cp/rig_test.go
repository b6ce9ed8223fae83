// SPDX-License-Identifier: Apache-2.0

// Package cp tests the control processor in the whole RTL, through the
// simulator's C interface: a small monitor in machine code does what the test
// asks for in mailbox commands, so that everything that firmware could do is
// done here a word at a time.
package cp

import (
	"testing"

	"github.com/espalier-nic/espalier/regs"
	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
	"github.com/espalier-nic/espalier/verilator/simbuild"
)

// Parameters of the design under test: small, so that a reset and a hang are
// soon over.
const (
	slots    = 64
	ramBytes = 8192
	watchdog = 4096
)

func design() simbuild.Design {
	return simbuild.Design{Name: "cp", Params: []string{"CONTROL_PROCESSOR=1", "NUM_SA=64", "CP_RAM_BYTES=8192", "CP_WATCHDOG=4096"}}
}

// rig is one simulated NIC.
type rig struct {
	t    testing.TB
	sim  *rtlbridge.Sim
	tag  uint32
	slot int
}

// newRig is a NIC after its start-up, nothing loaded.
func newRig(t testing.TB, options rtlbridge.Options) *rig {
	t.Helper()
	lib, err := rtlbridge.Load(simbuild.Library(t, design()))
	if err != nil {
		t.Fatal(err)
	}
	sim, err := lib.Create(options, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	r := &rig{t: t, sim: sim}
	r.waitReady()
	return r
}

// running is a NIC whose processor runs the monitor.
func running(t testing.TB, options rtlbridge.Options) *rig {
	t.Helper()
	r := newRig(t, options)
	r.load(monitor().image())
	r.start()
	return r
}

func (r *rig) waitReady() {
	r.t.Helper()
	r.until("STATUS.READY", func() bool { return regs.Status(r.read(regs.StatusOffset)).Ready() })
}

// until lets time pass until something is so.
func (r *rig) until(what string, so func() bool) {
	r.t.Helper()
	for range 3000 {
		if so() {
			return
		}
		r.advance(20)
	}
	r.t.Fatalf("%s does not come; CP_STATUS %#x, CP_PC %#x", what, r.read(regs.CpStatusOffset), r.read(regs.CpPcOffset))
}

func (r *rig) read(offset uint64) uint32 {
	r.t.Helper()
	v, err := r.sim.BARRead(0, offset, 4)
	if err != nil {
		r.t.Fatalf("read of %#x: %v", offset, err)
	}
	return uint32(v)
}

func (r *rig) write(offset uint64, v uint32) {
	r.t.Helper()
	if err := r.sim.BARWrite(0, offset, 4, uint64(v)); err != nil {
		r.t.Fatalf("write of %#x: %v", offset, err)
	}
}

// busError says whether a read of offset ends as one.
func (r *rig) busError(offset uint64) bool {
	_, err := r.sim.BARRead(0, offset, 4)
	return err != nil
}

func (r *rig) advance(cycles uint64) {
	r.t.Helper()
	if _, _, err := r.sim.Advance(cycles, 0); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) expect(what string, offset uint64, want uint32) {
	r.t.Helper()
	if got := r.read(offset); got != want {
		r.t.Errorf("%s: %#x is %#x, want %#x", what, offset, got, want)
	}
}

func (r *rig) status() regs.CpStatus { return regs.CpStatus(r.read(regs.CpStatusOffset)) }

func (r *rig) load(image []uint32) {
	r.t.Helper()
	r.write(regs.CpLoadAddrOffset, 0)
	for _, w := range image {
		r.write(regs.CpLoadDataOffset, w)
	}
}

func (r *rig) start() {
	r.t.Helper()
	r.write(regs.CpCtrlOffset, 1)
	r.until("READY", func() bool { return r.status().Ready() })
}

// reset is CTRL.RESET, awaited.
func (r *rig) reset() {
	r.t.Helper()
	r.write(regs.CtrlOffset, 1)
	r.until("the end of the reset", func() bool { return !regs.Status(r.read(regs.StatusOffset)).ResetBusy() })
	r.slot = 0
}

func command(slot, word int) uint64  { return uint64(0x4000 + 128*slot + 4*word) }
func response(slot, word int) uint64 { return uint64(0x5000 + 128*slot + 4*word) }

// post gives the monitor a command in the next slot.
func (r *rig) post(op int, address, value uint32) (slot int) {
	r.t.Helper()
	slot = r.slot
	r.slot = (r.slot + 1) % 32
	r.tag++
	for i, w := range []uint32{r.tag << 16, uint32(op), address, value} {
		r.write(command(slot, i), w)
	}
	r.write(regs.MboxDoorbellOffset, uint32(slot))
	return slot
}

// do lets the monitor carry out a command and returns its answer.
func (r *rig) do(op int, address, value uint32) uint32 {
	r.t.Helper()
	slot := r.post(op, address, value)
	r.until("an answer", func() bool { return r.read(regs.MboxDoneOffset)>>slot&1 == 1 })
	r.write(regs.MboxDoneOffset, 1<<slot)
	if got := r.read(response(slot, 0)); got != r.tag<<16 {
		r.t.Fatalf("slot %d is answered %#x, want tag %#x", slot, got, r.tag)
	}
	return r.read(response(slot, 1))
}

// Offsets of registers as the processor sees them.
const inCPU = 0x40000000

func (r *rig) cpuRead(offset uint64) uint32 {
	r.t.Helper()
	return r.do(monRead, inCPU+uint32(offset), 0)
}

func (r *rig) cpuWrite(offset uint64, v uint32) {
	r.t.Helper()
	r.do(monWrite, inCPU+uint32(offset), v)
}

// expectFault waits until the processor has stopped, for this reason, here.
func (r *rig) expectFault(fault regs.CpFault, pc uint32) {
	r.t.Helper()
	r.until("a fault", func() bool { return !r.status().Running() })
	if s := r.status(); s.Fault() != fault || s.Ready() {
		r.t.Errorf("CP_STATUS %#x, want %v and not READY", uint32(s), fault)
	}
	r.expect("RUN after a fault", regs.CpCtrlOffset, 0)
	r.expect("CP_PC after a fault", regs.CpPcOffset, pc)
}
