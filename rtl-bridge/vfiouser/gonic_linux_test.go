// SPDX-License-Identifier: Apache-2.0

package vfiouser

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/espalier-nic/espalier/hwmodel/nic"
	"github.com/espalier-nic/espalier/regs"
)

// TestGoNICMemory: the Go NIC sends a frame out of a client's memory, by descriptor
// and by message, with its interrupt after its time; memory that is gone is an
// error of its queue.
func TestGoNICMemory(t *testing.T) {
	for name, shared := range map[string]bool{"descriptor": true, "message": false} {
		t.Run(name, func(t *testing.T) {
			log := &lines{}
			g, err := NewGoNIC(nic.Options{ControlProcessor: nic.Absent}, log.add)
			ok(t, err)
			defer g.Close()
			sent := make(chan []byte, 1)
			g.NIC().Connect(func(frame []byte) { sent <- bytes.Clone(frame) })
			m := serve(t, g)
			event := m.enable(2)
			_, memory := m.mapMemory(sourceIOVA, memorySize, shared)
			for !regs.Status(m.read(0, regs.StatusOffset, 4)).Ready() {
			}
			const completions, buffer = 4096, 8192
			page := regs.TxqOffset(0)
			queue := regs.QueueCtrl(0).WithRingLog2(3).WithVector(2)
			m.write(0, regs.CtrlOffset, 4, uint64(regs.Ctrl(0).WithTxEnable(true)))
			m.write(0, page+regs.QueueRingLoOffset, 8, sourceIOVA)
			m.write(0, page+regs.QueueCplLoOffset, 8, sourceIOVA+completions)
			m.write(0, page+regs.QueueCplBatchOffset, 4, uint64(regs.QueueCplBatch(0).WithCount(4).WithTimer(20000)))
			m.write(0, page+regs.QueueCtrlOffset, 4, uint64(queue.WithEnable(true)))
			m.write(0, regs.IntMaskOffset, 4, 0)
			m.write(0, regs.IntArmOffset, 4, 1<<2)
			fill(memory[buffer:buffer+300], 7)
			regs.TxDescriptor{Addr: sourceIOVA + buffer, Length: 300, Report: true}.Pack(memory)
			m.write(0, page+regs.QueueTailOffset, 4, 1)
			wait(t, event)
			select {
			case frame := <-sent:
				if !bytes.Equal(frame, memory[buffer:buffer+300]) {
					t.Error("another frame was sent")
				}
			case <-time.After(patience):
				t.Fatal("no frame was sent")
			}
			var c regs.Completion
			c.Unpack(memory[completions:])
			if want := (regs.Completion{Length: 300, Phase: true}); c != want {
				t.Errorf("completion %+v, want %+v", c, want)
			}
			m.unmap(sourceIOVA, memorySize)
			m.write(0, page+regs.QueueTailOffset, 4, 2)
			for !regs.QueueStatus(m.read(0, page+regs.QueueStatusOffset, 4)).Error() {
			}
			if !strings.Contains(log.String(), "DMA refused: read of 16 bytes at IOVA 0x40000010") {
				t.Errorf("log %v", log)
			}
			if m.slowest > 2*time.Second {
				t.Errorf("a read took %v", m.slowest)
			}
		})
	}
}
