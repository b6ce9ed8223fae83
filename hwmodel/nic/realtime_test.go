// SPDX-License-Identifier: Apache-2.0

package nic

import (
	"bytes"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/endpoint"
	"github.com/espalier-nic/espalier/regs"
)

// foreign is host memory of somebody else: size bytes at iova.
type foreign struct {
	mu    sync.Mutex
	iova  uint64
	bytes []byte
}

func (f *foreign) at(iova uint64, size int) []byte {
	if iova < f.iova || iova-f.iova > uint64(len(f.bytes)-size) {
		return nil
	}
	return f.bytes[iova-f.iova:][:size]
}

func (f *foreign) Read(iova uint64, p []byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return copy(p, f.at(iova, len(p))) == len(p)
}

func (f *foreign) Write(iova uint64, p []byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return copy(f.at(iova, len(p)), p) == len(p)
}

// TestForeignMemory: with memory and messages elsewhere and a clock that goes on
// by itself, a frame is sent and its completion and interrupt come without the
// host doing anything; what is outside that memory is a fault.
func TestForeignMemory(t *testing.T) {
	const base, ring, completions, buffer = 0x8000_0000, 0, 0x1000, 0x2000
	memory := &foreign{iova: base, bytes: make([]byte, 0x4000)}
	messages := make(chan endpoint.Message, 16)
	h := newHost(t, Options{Memory: memory, Deliver: func(m endpoint.Message) { messages <- m }, RealTime: true})
	if _, err := h.nic.AllocDMA(4096); !errors.Is(err, pcie.ErrNoMemory) {
		t.Errorf("AllocDMA: %v", err)
	}
	if err := h.nic.Endpoint().SetVectors(8); err != nil {
		t.Fatal(err)
	}
	h.enable()
	page := regs.TxqOffset(0)
	for i, v := range []uint64{base + ring, base + completions} {
		if err := h.bar.Write64(page+regs.QueueRingLoOffset+8*uint64(i), v); err != nil {
			t.Fatal(err)
		}
	}
	h.write(page+regs.QueueCplBatchOffset, uint32(regs.QueueCplBatch(0).WithCount(4).WithTimer(40000)))
	h.write(regs.IntMaskOffset, 0)
	h.write(regs.IntArmOffset, 1<<3)
	h.write(page+regs.QueueCtrlOffset, uint32(regs.QueueCtrl(0).WithEnable(true).WithRingLog2(3).WithVector(3)))
	frame := plainFrame(1, 200)
	memory.Write(base+buffer, frame)
	var d [16]byte
	regs.TxDescriptor{Addr: base + buffer, Length: 200, Report: true}.Pack(d[:])
	memory.Write(base+ring, d[:])
	before := h.nic.Cycle()
	h.write(page+regs.QueueTailOffset, 1)
	select {
	case m := <-messages:
		if m.Vector != 3 {
			t.Errorf("message %+v", m)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the completion's time does not come")
	}
	if ran := h.nic.Cycle() - before; ran < 40000 {
		t.Errorf("the completion came after %d cycles", ran)
	}
	var c regs.Completion
	got := make([]byte, 16)
	memory.Read(base+completions, got)
	c.Unpack(got)
	if want := (regs.Completion{Length: 200, Phase: true}); c != want {
		t.Errorf("completion %+v, want %+v", c, want)
	}
	if len(h.sent) != 1 || !bytes.Equal(h.sent[0], frame) {
		t.Errorf("%d frames left", len(h.sent))
	}

	regs.TxDescriptor{Addr: 0x100, Length: 200, Report: true}.Pack(d[:])
	memory.Write(base+ring+16, d[:])
	h.write(page+regs.QueueTailOffset, 2)
	faults, err := h.nic.Faults()
	for i := range faults {
		faults[i].Cycle = 0
	}
	if err != nil || !slices.Equal(faults, []pcie.Fault{{IOVA: 0x100, Size: 200}}) {
		t.Errorf("faults %+v, %v", faults, err)
	}
}

// TestRealTime: the clock goes on at its rate, waits come by themselves, and it
// ends with the NIC.
func TestRealTime(t *testing.T) {
	h := newHost(t, Options{RealTime: true, ControlProcessor: Present})
	start, from := time.Now(), h.nic.Cycle()
	h.write(regs.CpCtrlOffset, uint32(regs.CpCtrl(0).WithRun(true)))
	for !regs.CpStatus(h.read(regs.CpStatusOffset)).Ready() {
		if time.Since(start) > 20*time.Second {
			t.Fatal("the firmware does not start")
		}
		time.Sleep(time.Millisecond)
	}
	time.Sleep(20 * time.Millisecond)
	ran, took := h.nic.Cycle()-from, time.Since(start)
	if least, most := uint64(20*time.Millisecond/cycleTime), uint64(took/cycleTime)+10000; ran < least || ran > most {
		t.Errorf("%d cycles in %v", ran, took)
	}
	if err := h.nic.Close(); err != nil {
		t.Fatal(err)
	}
	h.nic.onTime() // a call that was on its way
	if at := h.nic.Cycle(); at != h.nic.Cycle() {
		t.Error("the clock of a closed NIC goes on")
	}
}
