// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package qtest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/protocol"
)

// tries is how often each order is tested.
const tries = 200

// target is where in memory the card's DMA goes.
const target = 0x100_0000

// both runs a test with shared memory and without.
func both(t *testing.T, f func(t *testing.T, shared bool)) {
	for _, shared := range []bool{true, false} {
		t.Run(fmt.Sprintf("shared=%v", shared), func(t *testing.T) { f(t, shared) })
	}
}

// TestConfiguration finds the card, sizes its BARs, and places them.
func TestConfiguration(t *testing.T) {
	b := newBoard(t)
	socket, _, said := b.serve(t)
	m := start(t, socket, true)
	if id := m.config32(0); id != 0x56781234 {
		t.Fatalf("the card's IDs are %#x", id)
	}
	if class := m.config32(8) >> 8; class != 0x020000 {
		t.Errorf("its class is %#x", class)
	}
	for offset, size := range map[int]uint64{offsetBAR0: 4096, offsetBAR4: b.ep.Info().BARs[4]} {
		m.setConfig32(offset, 0xffffffff)
		m.setConfig32(offset+4, 0xffffffff)
		low, high := m.config32(offset), m.config32(offset+4)
		if low&0xf != 4 {
			t.Errorf("BAR at %#x: type bits %#x", offset, low&0xf)
		}
		if got := ^(uint64(high)<<32 | uint64(low&^0xf)) + 1; got != size {
			t.Errorf("BAR at %#x has %#x bytes, want %#x", offset, got, size)
		}
	}
	m.enable()
	if v := m.config32(offsetBAR0); v != bar0|4 {
		t.Errorf("BAR 0 is %#x", v)
	}
	if v := m.config16(offsetCommand); v != commandMemory|commandMaster {
		t.Errorf("the command register is %#x", v)
	}
	if !b.ep.MemoryEnabled() || !b.ep.BusMaster() {
		t.Error("the card does not know that it is enabled")
	}
	cap := m.capability(capMSIX)
	if n := m.config16(cap + 2); n != vectors-1 {
		t.Errorf("MSI-X control is %#x", n)
	}
	if list := said.all(); len(list) != 0 {
		t.Errorf("said %q", list)
	}
}

// TestWidths: accesses keep their width and order; writes are posted.
func TestWidths(t *testing.T) {
	b := newBoard(t)
	socket, s, _ := b.serve(t)
	m := start(t, socket, true)
	m.enable()
	b.takeWrites()
	before := s.Stats()
	m.do("writeb %#x 0x11", bar0+0x20)
	m.do("writew %#x 0x2222", bar0+0x22)
	m.do("writel %#x 0x44444444", bar0+0x24)
	m.do("writeq %#x 0x8888888888888888", bar0+0x28)
	if v := m.number("readq %#x", bar0+0x20); v != 0x4444444422220011 {
		t.Errorf("a read of 8 bytes is %#x", v)
	}
	if v := m.number("readl %#x", bar0+0x24); v != 0x44444444 {
		t.Errorf("a read of 4 bytes is %#x", v)
	}
	if v := m.number("readw %#x", bar0+0x22); v != 0x2222 {
		t.Errorf("a read of 2 bytes is %#x", v)
	}
	if v := m.number("readb %#x", bar0+0x20); v != 0x11 {
		t.Errorf("a read of 1 byte is %#x", v)
	}
	if got := b.takeWrites(); got != "0x20+1 0x22+2 0x24+4 0x28+8" {
		t.Errorf("the card saw writes %s", got)
	}
	after := s.Stats()
	if after.RegionWrites-before.RegionWrites != 4 || after.RegionReads-before.RegionReads != 4 {
		t.Errorf("statistics before %+v, after %+v", before, after)
	}

	// A posted write that the card refuses is counted, nothing else happens.
	m.do("writeq %#x 1", bar0+0x200)
	if v := m.number("readb %#x", bar0+0x20); v != 0x11 {
		t.Errorf("a read afterwards is %#x", v)
	}
	if n := s.Stats().PostedErrors - before.PostedErrors; n != 1 {
		t.Errorf("%d errors in posted writes are counted", n)
	}
	// A read that it refuses is all ones.
	if v := m.number("readl %#x", bar0+0x200); v != 0xffffffff {
		t.Errorf("a read that fails is %#x", v)
	}
}

// TestMany writes far more than QEMU has room to queue, which makes it put several
// writes into one message.
func TestMany(t *testing.T) {
	b := newBoard(t)
	socket, s, _ := b.serve(t)
	m := start(t, socket, true)
	m.enable()
	b.takeWrites()
	var want []string
	for i := range 2000 {
		offset := uint64(i % 32 * 8)
		if _, err := fmt.Fprintf(m.in, "writeq %#x %#x\n", bar0+offset, i); err != nil {
			t.Fatal(err)
		}
		want = append(want, fmt.Sprintf("%#x+8", offset))
	}
	for range 2000 {
		if line, err := m.out.ReadString('\n'); err != nil || strings.TrimSpace(line) != "OK" {
			t.Fatalf("%q, %v", line, err)
		}
	}
	if v := m.register(31 * 8); v != 2000-1-2000%32 {
		t.Errorf("the last register is %d", v)
	}
	if got := b.takeWrites(); got != strings.Join(want, " ") {
		t.Error("writes were lost, doubled or in another order")
	}
	if n := s.Stats().PostedErrors; n != 0 {
		t.Errorf("%d writes failed", n)
	}
}

// TestStoreInsideRead: the card writes memory inside a register read, and the memory
// is looked at right after: never stale with shared memory; without it the card is
// told that it cannot, and nothing hangs.
func TestStoreInsideRead(t *testing.T) {
	both(t, func(t *testing.T, shared bool) {
		b := newBoard(t)
		socket, s, _ := b.serve(t)
		m := start(t, socket, shared)
		m.enable()
		m.setRegister(regAddress, target)
		stale := 0
		for i := range uint64(tries) {
			m.setRegister(regValue, i+1)
			switch ok := m.register(regStore); {
			case !shared && ok != waiting, shared && ok != 1:
				t.Fatalf("the register is %#x", ok)
			case shared && binary.LittleEndian.Uint64(m.memory(target, 8)) != i+1:
				stale++
			}
		}
		if stale > 0 {
			t.Errorf("memory was stale in %d of %d tries", stale, tries)
		}
		if n := s.Stats().MessageWritten; n != 0 {
			t.Errorf("%d bytes were written by message", n)
		}
	})
}

// TestFetchInsideRead: the card reads memory to answer a register read.
func TestFetchInsideRead(t *testing.T) {
	both(t, func(t *testing.T, shared bool) {
		b := newBoard(t)
		socket, _, _ := b.serve(t)
		m := start(t, socket, shared)
		m.enable()
		m.setRegister(regAddress, target)
		for i := range uint64(tries) {
			m.setMemory(target, binary.LittleEndian.AppendUint64(nil, i+1))
			want := i + 1
			if !shared {
				want = waiting
			}
			if v := m.register(regFetch); v != want {
				t.Fatalf("the register is %#x, want %#x", v, want)
			}
		}
	})
}

// TestEngine: the card reads and writes memory on its own while registers are polled.
func TestEngine(t *testing.T) {
	both(t, func(t *testing.T, shared bool) {
		b := newBoard(t)
		socket, s, said := b.serve(t)
		m := start(t, socket, shared)
		m.enable()
		done := uint64(0)
		perform := func(command uint64) uint64 {
			m.setRegister(regCommand, command)
			done++
			m.eventually("the end of the command", func() bool { return m.register(regDone) == done })
			return m.register(regResult)
		}
		m.setRegister(regAddress, target)
		for i := range uint64(tries) {
			m.setRegister(regValue, i+1)
			if e := perform(commandWrite); e != 0 {
				t.Fatalf("write: errno %d", e)
			}
			if got := binary.LittleEndian.Uint64(m.memory(target, 8)); got != i+1 {
				t.Fatalf("memory is %d after the card has said that it wrote %d", got, i+1)
			}
			m.setMemory(target, binary.LittleEndian.AppendUint64(nil, i<<32))
			if v := perform(commandRead); v != i<<32 {
				t.Fatalf("the card has read %#x, want %#x", v, i<<32)
			}
		}
		if e := perform(commandLarge); e != 0 {
			t.Errorf("large write: errno %d", e)
		}
		if !bytes.Equal(m.memory(target, largeSize), pattern(largeSize)) {
			t.Error("a large write arrived otherwise")
		}

		// Where there is no memory QEMU says so, by message in any case.
		m.setRegister(regAddress, 0xd000_0000)
		if e := perform(commandWrite); e != uint64(protocol.ENODEV) {
			t.Errorf("write to nowhere: errno %d", e)
		}
		if e := perform(commandRead); e != uint64(protocol.ENODEV) {
			t.Errorf("read from nowhere: errno %d", e)
		}

		st := s.Stats()
		if shared != (st.MessageRead+st.MessageWritten == 0) || shared != (st.DescriptorRead+st.DescriptorWritten > 0) {
			t.Errorf("statistics: %+v", st)
		}
		list := said.all()
		if shared && len(list) != 0 || !shared && (len(list) != 1 || !strings.Contains(list[0], "memory-backend-memfd")) {
			t.Errorf("said %q", list)
		}
	})
}

// TestInterrupts uses an address in memory as the MSI-X message's, so that an
// interrupt is a word in memory, and what the card wrote before must be there too.
func TestInterrupts(t *testing.T) {
	both(t, func(t *testing.T, shared bool) {
		b := newBoard(t)
		socket, s, _ := b.serve(t)
		m := start(t, socket, shared)
		m.enable()
		const message = target + 0x1000
		entry := func(v uint64) uint64 { return bar4 + 16*v }
		for v := range uint64(vectors) {
			m.do("writel %#x %#x", entry(v), message+8*v)
			m.do("writel %#x 0", entry(v)+4)
			m.do("writel %#x %#x", entry(v)+8, v+1)
			m.do("writel %#x 0", entry(v)+12)
		}
		cap := m.capability(capMSIX)
		m.setConfig16(cap+2, 1<<15)
		m.setRegister(regAddress, target)
		stale := 0
		for i := range uint64(tries) {
			data := i*vectors + 1
			m.do("writel %#x %#x", entry(0)+8, data)
			m.setRegister(regValue, i)
			m.setRegister(regCommand, commandInterrupt)
			m.eventually("the interrupt", func() bool { return m.number("readl %#x", message) == data })
			if binary.LittleEndian.Uint64(m.memory(target, 8)) != i {
				stale++
			}
		}
		if stale > 0 {
			t.Errorf("memory was stale after %d of %d interrupts", stale, tries)
		}
		b.mu.Lock()
		h := b.host
		b.mu.Unlock()
		for v := 1; v < vectors; v++ {
			if err := h.Trigger(protocol.IRQMSIX, v); err != nil {
				t.Errorf("vector %d: %v", v, err)
			}
			m.eventually("the interrupt", func() bool { return m.number("readl %#x", message+8*v) == uint64(v)+1 })
		}

		// A masked vector waits.
		m.do("writel %#x 1", entry(1)+12)
		m.setMemory(message+8, make([]byte, 4))
		if err := h.Trigger(protocol.IRQMSIX, 1); err != nil {
			t.Errorf("masked vector: %v", err)
		}
		if err := h.Trigger(protocol.IRQMSIX, 2); err != nil { // a later one has come
			t.Error(err)
		}
		m.setMemory(message+16, make([]byte, 4))
		m.eventually("the other interrupt", func() bool {
			_ = h.Trigger(protocol.IRQMSIX, 2)
			return m.number("readl %#x", message+16) == 3
		})
		if v := m.number("readl %#x", message+8); v != 0 {
			t.Errorf("a masked interrupt came: %d", v)
		}
		m.do("writel %#x 0", entry(1)+12)
		m.eventually("the masked interrupt", func() bool { return m.number("readl %#x", message+8) == 2 })

		// With MSI-X off nothing is bound any more.
		m.setConfig16(cap+2, 0)
		if err := h.Trigger(protocol.IRQMSIX, 1); err == nil {
			t.Error("an interrupt after MSI-X was switched off")
		}
		if n := s.Stats().PostedErrors; n != 0 {
			t.Errorf("%d posted writes failed", n)
		}
	})
}

// TestReconnect: QEMU is killed at any moment, and the next one finds the card as it
// was left, with everything of the first one gone.
func TestReconnect(t *testing.T) {
	b := newBoard(t)
	socket, s, _ := b.serve(t)
	for i := range uint64(4) {
		m := start(t, socket, i%2 == 0)
		m.enable()
		if v := m.register(0x40); v != i {
			t.Errorf("machine %d: the register is %d", i, v)
		}
		m.setRegister(0x40, i+1)
		m.setRegister(regAddress, target)
		m.setRegister(regCommand, commandLarge) // under way when it ends, perhaps
		m.register(0x40)
		if b.maps.Load() == 0 {
			t.Error("no memory is mapped")
		}
		m.kill()
	}
	for b.connected() {
	}
	if n := b.maps.Load(); n != 0 {
		t.Errorf("%d mappings are left", n)
	}
	if n := s.Stats().Clients; n != 4 {
		t.Errorf("%d clients are counted", n)
	}
}

func (b *board) connected() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.host != nil
}
