// SPDX-License-Identifier: Apache-2.0

package vfiouser

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"
	"sync"
	"testing"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/endpoint"
	"github.com/espalier-nic/espalier/hwmodel/nic"
)

// listener is a host that only listens for interrupts.
type listener struct {
	mu     sync.Mutex
	raised []int
}

func (l *listener) Trigger(index, vector int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.raised = append(l.raised, index*100+vector)
	return nil
}

func (l *listener) take() []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	raised := l.raised
	l.raised = nil
	return raised
}

func (*listener) ReadDMA(context.Context, uint64, []byte) error     { return context.Canceled }
func (*listener) WriteDMA(context.Context, uint64, []byte) error    { return context.Canceled }
func (*listener) TryReadDMA(context.Context, uint64, []byte) error  { return context.Canceled }
func (*listener) TryWriteDMA(context.Context, uint64, []byte) error { return context.Canceled }

// newCard is a card with a client that listens.
func newCard(t *testing.T) (*GoNIC, *listener) {
	t.Helper()
	g, err := NewGoNIC(nic.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	l := &listener{}
	g.connect(l)
	t.Cleanup(g.Disconnect)
	return g, l
}

func (c *card) readAt(t *testing.T, region int, offset uint64, size int) []byte {
	t.Helper()
	p := make([]byte, size)
	if err := c.ReadRegion(region, offset, p); err != nil {
		t.Fatal(err)
	}
	return p
}

func (c *card) writeAt(t *testing.T, region int, offset uint64, p ...byte) {
	t.Helper()
	if err := c.WriteRegion(region, offset, p); err != nil {
		t.Fatal(err)
	}
}

// command writes the command register.
func (c *card) command(t *testing.T, bits uint16) {
	t.Helper()
	c.writeAt(t, configRegion, pcie.ConfigCommand, byte(bits), byte(bits>>8))
}

func TestDescription(t *testing.T) {
	g, _ := newCard(t)
	d := g.Describe()
	sizes := make([]uint64, len(d.Regions))
	for i, r := range d.Regions {
		sizes[i] = r.Size
		if r.Size > 0 && (!r.Readable || !r.Writable || r.File != nil) {
			t.Errorf("region %d: %+v", i, r)
		}
	}
	if !slices.Equal(sizes, []uint64{256 << 10, 0, 0, 0, 8192, 0, 0, 4096, 0}) {
		t.Errorf("regions have sizes %d", sizes)
	}
	var counts []int
	for _, q := range d.IRQs {
		counts = append(counts, q.Count)
	}
	if !slices.Equal(counts, []int{0, 0, 8, 1, 1}) || !d.IRQs[msixIndex].Maskable || d.IRQs[msixIndex].NoResize || !d.CanReset {
		t.Errorf("description %+v", d)
	}
}

// TestRegionAccess: accesses of any size and place are those that a bus makes of
// them, and a card that is not enabled does not answer.
func TestRegionAccess(t *testing.T) {
	g, _ := newCard(t)
	whole := g.readAt(t, configRegion, 0, configSize)
	if v := binary.LittleEndian.Uint32(whole); v != uint32(pcie.DeviceID)<<16|uint32(pcie.VendorID) {
		t.Errorf("IDs %#x", v)
	}
	for offset := range 70 {
		for size := 1; size < 12; size++ {
			if got := g.readAt(t, configRegion, uint64(offset), size); !bytes.Equal(got, whole[offset:offset+size]) {
				t.Fatalf("%d bytes of configuration space at %d: % x, want % x", size, offset, got, whole[offset:offset+size])
			}
		}
	}
	// The size of BAR 0, as firmware asks for it, in one write of both halves.
	g.writeAt(t, configRegion, pcie.ConfigBAR0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF)
	if v := binary.LittleEndian.Uint64(g.readAt(t, configRegion, pcie.ConfigBAR0, 8)); v != 0xFFFF_FFFF_FFFC_0004 {
		t.Errorf("BAR 0 reads %#x after a write of ones", v)
	}

	if got := g.readAt(t, 0, 0, 4); !bytes.Equal(got, []byte{0xFF, 0xFF, 0xFF, 0xFF}) {
		t.Errorf("a register reads % x while memory space is off", got)
	}
	g.command(t, pcie.CommandMemory)
	ready := g.readAt(t, 0, 0, 64)
	for offset := 0; offset < 16; offset++ {
		for size := 1; size < 20; size++ {
			if got := g.readAt(t, 0, uint64(offset), size); !bytes.Equal(got, ready[offset:offset+size]) {
				t.Fatalf("%d bytes of BAR 0 at %d: % x, want % x", size, offset, got, ready[offset:offset+size])
			}
		}
	}
	for _, width := range []int{4, 8} {
		p := bytes.Repeat([]byte{0x5A}, width)
		g.writeAt(t, endpoint.MSIXBAR, 16, p...)
		if got := g.readAt(t, endpoint.MSIXBAR, 16, width); got[3] != 0x5A {
			t.Errorf("MSI-X table reads % x", got)
		}
	}
	if err := g.ReadRegion(1, 0, make([]byte, 4)); err == nil {
		t.Error("a BAR that is not there was read")
	}
}

// TestVectors: eventfds, masks, the capability and resets, in every order that
// clients have.
func TestVectors(t *testing.T) {
	setup := func(t *testing.T) (g *GoNIC, raise func(v int, want ...int)) {
		g, l := newCard(t)
		g.command(t, pcie.CommandMemory|pcie.CommandBusMaster)
		return g, func(v int, want ...int) {
			t.Helper()
			if v >= 0 {
				g.ep.Interrupt(v, 1)
			}
			if got := l.take(); !slices.Equal(got, want) {
				t.Errorf("raised %v, want %v", got, want)
			}
		}
	}
	const control = endpoint.OffsetMSIXControl + 1
	t.Run("eventfds only", func(t *testing.T) {
		g, raise := setup(t)
		raise(3) // nothing is enabled
		g.SetVector(msixIndex, 3, true, false)
		raise(3, 203)
		raise(2) // pending
		g.SetVector(msixIndex, 2, true, false)
		raise(-1, 202)
		g.SetVector(msixIndex, 3, true, true)
		raise(3)
		if pba := g.readAt(t, endpoint.MSIXBAR, 4096, 8); pba[0] != 1<<3 {
			t.Errorf("pending bits % x", pba)
		}
		g.SetVector(msixIndex, 3, true, false)
		raise(-1, 203)
		g.SetVector(msixIndex, 3, false, false)
		raise(3)
		g.SetVector(msixIndex, 2, false, false) // all are gone: disabled, nothing old comes
		raise(2)
		g.SetVector(msixIndex, 3, true, false)
		g.SetVector(msixIndex, 2, true, false)
		raise(-1)
		raise(2, 202)
	})
	t.Run("with the capability", func(t *testing.T) {
		g, raise := setup(t)
		g.writeAt(t, configRegion, control, 0x80)
		raise(1)
		g.SetVector(msixIndex, 1, true, false)
		raise(-1, 201)
		// QEMU changes a vector's eventfd by taking it away first.
		g.SetVector(msixIndex, 1, false, false)
		raise(1)
		g.SetVector(msixIndex, 1, true, false)
		raise(-1, 201)
		g.writeAt(t, configRegion, control, 0xC0) // function mask
		raise(1)
		g.writeAt(t, configRegion, control, 0x80)
		raise(-1, 201)
		g.writeAt(t, configRegion, control, 0)
		raise(1)
	})
	t.Run("eventfds before the capability", func(t *testing.T) {
		g, raise := setup(t)
		g.SetVector(msixIndex, 0, true, false)
		g.writeAt(t, configRegion, control, 0x80)
		g.SetVector(msixIndex, 0, false, false)
		raise(0) // still enabled
		g.SetVector(msixIndex, 0, true, false)
		raise(-1, 200)
	})
	t.Run("bus mastering", func(t *testing.T) {
		g, raise := setup(t)
		g.SetVector(msixIndex, 0, true, false)
		g.command(t, pcie.CommandMemory)
		raise(0)
		g.command(t, pcie.CommandMemory|pcie.CommandBusMaster)
		raise(-1, 200)
	})
	for name, reset := range map[string]func(*testing.T, *GoNIC){
		"reset": func(t *testing.T, g *GoNIC) {
			if err := g.Reset(); err != nil {
				t.Fatal(err)
			}
		},
		"function-level reset": func(t *testing.T, g *GoNIC) {
			at := uint64(0x60 + 8) // device control of the PCI Express capability
			v := g.readAt(t, configRegion, at, 2)
			g.writeAt(t, configRegion, at, v[0], v[1]|0x80)
		},
	} {
		t.Run(name, func(t *testing.T) {
			g, raise := setup(t)
			g.SetVector(msixIndex, 0, true, false)
			g.SetVector(msixIndex, 1, true, true)
			reset(t, g)
			if v := g.readAt(t, configRegion, pcie.ConfigCommand, 2); v[0] != 0 {
				t.Errorf("command register % x", v)
			}
			g.command(t, pcie.CommandMemory|pcie.CommandBusMaster)
			raise(0)
			g.writeAt(t, configRegion, control, 0x80) // the guest restores what it had
			raise(0, 200)
			raise(1)
			g.SetVector(msixIndex, 1, true, false)
			raise(-1, 201)
		})
	}
	t.Run("others", func(t *testing.T) {
		g, raise := setup(t)
		g.SetVector(errorIndex, 0, true, false)
		g.SetVector(msixIndex, 8, true, false)
		g.SetVector(msixIndex, -1, true, false)
		raise(0)
	})
}

// TestNoClient: a NIC that nobody has goes on, and finds no memory.
func TestNoClient(t *testing.T) {
	g, l := newCard(t)
	g.command(t, pcie.CommandMemory|pcie.CommandBusMaster)
	g.SetVector(msixIndex, 0, true, false)
	g.Disconnect()
	g.ep.Interrupt(0, 1)
	if got := l.take(); got != nil {
		t.Errorf("raised %v", got)
	}
	m := (*clientMemory)(g)
	if m.Read(0, make([]byte, 4)) || m.Write(0, make([]byte, 4)) {
		t.Error("memory of nobody was reached")
	}
}

func TestFaultLines(t *testing.T) {
	var lines []string
	c := card{log: logTo(func(line string) { lines = append(lines, line) })}
	for range 100 {
		c.refused(pcie.Fault{IOVA: 0x1000, Size: 64, Write: true}, context.Canceled)
	}
	if len(lines) != toldFaults || lines[0] != "DMA refused: write of 64 bytes at IOVA 0x1000: context canceled" || c.faults.Load() != 100 {
		t.Errorf("%d lines, %d faults: %q", len(lines), c.faults.Load(), lines)
	}
	c.connect(&listener{})
	c.refused(pcie.Fault{IOVA: 0x1000, Size: 64}, nil)
	if got := lines[len(lines)-1]; got != "DMA refused: read of 64 bytes at IOVA 0x1000" {
		t.Errorf("line %q", got)
	}
}
