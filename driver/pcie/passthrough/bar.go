// SPDX-License-Identifier: Apache-2.0

package passthrough

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/internal/mmio"
	"github.com/espalier-nic/espalier/driver/pcie/internal/widths"
)

// bar is a BAR: mapped where that may be, else reached through its region.
type bar struct {
	widths.BAR
	f       *Function
	index   int
	size    uint64
	windows []window // ascending
}

// window is a mapped part of a BAR.
type window struct {
	offset uint64
	memory []byte
}

var _ pcie.BAR = (*bar)(nil)

// openBARs finds the BARs and maps what may be mapped.
func (f *Function) openBARs() error {
	table, err := f.findTable()
	if err != nil {
		return err
	}
	f.info.Vectors = table.vectors
	for n := range f.bars {
		region, err := f.dev.RegionInfo(RegionBAR0 + n)
		if errors.Is(err, pcie.ErrRemoved) {
			return fmt.Errorf("BAR %d: %w", n, err)
		}
		if err != nil || region.Size == 0 {
			continue
		}
		b := &bar{f: f, index: RegionBAR0 + n, size: region.Size}
		b.Access = b
		f.bars[n], f.info.BARs[n] = b, region.Size
		areas := region.Areas
		if n == table.bar {
			areas = without(areas, table.Area)
		}
		if !mmio.Supported {
			areas = nil
		}
		for _, a := range areas {
			memory, err := f.dev.MapRegion(b.index, a)
			if err != nil {
				return fmt.Errorf("map %#x bytes of BAR %d at %#x: %w", a.Size, n, a.Offset, err)
			}
			b.windows = append(b.windows, window{a.Offset, memory})
			f.undo.add(func() error { return f.dev.UnmapRegion(memory) })
		}
	}
	return nil
}

// tablePages are the pages that hold the MSI-X table. Whoever presents the
// device programs it; they are never mapped, even where that is allowed.
type tablePages struct {
	bar int // -1: none
	Area
	vectors int
}

// findTable finds the MSI-X table by the capability in configuration space.
func (f *Function) findTable() (tablePages, error) {
	none := tablePages{bar: -1}
	at, err := f.findCapability(pcie.CapabilityMSIX)
	if err != nil || at == 0 {
		return none, err
	}
	control, err := f.readConfig(at+2, 2)
	if err != nil {
		return none, err
	}
	place, err := f.readConfig(at+4, 4)
	if err != nil {
		return none, err
	}
	const entry = 16
	page := uint64(os.Getpagesize())
	first := uint64(place &^ 7)
	vectors := int(control&0x7FF) + 1
	end := (first + entry*uint64(vectors) + page - 1) / page * page
	first = first / page * page
	return tablePages{bar: int(place & 7), Area: Area{first, end - first}, vectors: vectors}, nil
}

// findCapability returns the offset of a capability, 0 if there is none. It
// follows no pointer twice.
func (f *Function) findCapability(id uint32) (int, error) {
	status, err := f.readConfig(pcie.ConfigStatus, 2)
	if err != nil || status&pcie.StatusCapabilities == 0 {
		return 0, err
	}
	at, err := f.readConfig(pcie.ConfigCapabilities, 1)
	for range 48 { // as many as fit in 256 bytes
		at &^= 3
		if err != nil || at < 0x40 {
			return 0, err
		}
		head, err := f.readConfig(int(at), 2)
		if err != nil {
			return 0, err
		}
		if head&0xFF == id {
			return int(at), nil
		}
		at = head >> 8
	}
	return 0, nil
}

// without cuts a hole out of areas.
func without(areas []Area, hole Area) []Area {
	var left []Area
	for _, a := range areas {
		if before := min(a.Size, hole.Offset-min(a.Offset, hole.Offset)); before > 0 {
			left = append(left, Area{a.Offset, before})
		}
		end, holeEnd := a.Offset+a.Size, hole.Offset+hole.Size
		if from := max(a.Offset, holeEnd); from < end {
			left = append(left, Area{from, end - from})
		}
	}
	return left
}

// BAR implements pcie.Function.
func (f *Function) BAR(n int) (pcie.BAR, error) {
	if err := f.enter(); err != nil {
		return nil, err
	}
	defer f.life.RUnlock()
	if n < 0 || n >= len(f.bars) || f.bars[n] == nil {
		return nil, fmt.Errorf("BAR %d, the function has no such: %w", n, pcie.ErrRange)
	}
	return f.bars[n], nil
}

// Size implements pcie.BAR.
func (b *bar) Size() uint64 { return b.size }

// Map implements pcie.BAR. A BAR that is mapped in parts has no mapping of the
// whole. An access to the mapping while memory is disabled, or after the device
// has gone, may be a fault of the program (SIGBUS); the methods see to that.
func (b *bar) Map() []byte {
	if b.f.enter() != nil {
		return nil
	}
	defer b.f.life.RUnlock()
	if len(b.windows) == 1 && uint64(len(b.windows[0].memory)) == b.size {
		return b.windows[0].memory
	}
	return nil
}

// window returns the mapping that holds width bytes at offset, from offset on;
// nil if there is none.
func (b *bar) window(offset uint64, width int) []byte {
	for _, w := range b.windows {
		if at := offset - w.offset; offset >= w.offset && at < uint64(len(w.memory)) {
			return w.memory[at : at+uint64(width)]
		}
	}
	return nil
}

// check is called with f.life held.
func (b *bar) check(offset uint64, width int) error {
	if offset%uint64(width) != 0 || offset >= b.size || b.size-offset < uint64(width) {
		return fmt.Errorf("BAR offset %#x, width %d, size %#x: %w", offset, width, b.size, pcie.ErrRange)
	}
	return nil
}

// Read implements widths.Access.
func (b *bar) Read(offset uint64, width int) (uint64, error) {
	if err := b.f.enter(); err != nil {
		return ones(width), err
	}
	defer b.f.life.RUnlock()
	if err := b.check(offset, width); err != nil {
		return 0, err
	}
	v, err := b.load(offset, width)
	if err != nil {
		return ones(width), err
	}
	if v == ones(width) { // so reads a device that has gone
		return v, b.f.present()
	}
	return v, nil
}

func (b *bar) load(offset uint64, width int) (uint64, error) {
	if w := b.window(offset, width); w != nil {
		v, ok := mmio.Load(w)
		if !ok {
			b.f.busErrors.Add(1)
			return ones(width), nil
		}
		return v, nil
	}
	var p [8]byte
	if err := b.f.dev.ReadRegion(b.index, offset, p[:width]); err != nil {
		return ones(width), b.accessError("read", offset, err)
	}
	return binary.LittleEndian.Uint64(p[:]), nil
}

// Write implements widths.Access.
func (b *bar) Write(offset uint64, width int, v uint64) error {
	if err := b.f.enter(); err != nil {
		return err
	}
	defer b.f.life.RUnlock()
	if err := b.check(offset, width); err != nil {
		return err
	}
	if w := b.window(offset, width); w != nil {
		if !mmio.Store(w, v) {
			b.f.busErrors.Add(1)
		}
		return nil
	}
	var p [8]byte
	binary.LittleEndian.PutUint64(p[:], v)
	if err := b.f.dev.WriteRegion(b.index, offset, p[:width]); err != nil {
		return b.accessError("write", offset, err)
	}
	return nil
}

// accessError sorts the errors of an access: the device's own answer is none for
// a host, that there is none is one.
func (b *bar) accessError(what string, offset uint64, err error) error {
	if errors.Is(err, pcie.ErrRemoved) || errors.Is(err, pcie.ErrTimeout) {
		return b.f.note(fmt.Errorf("%s BAR %d at %#x: %w", what, b.index, offset, err))
	}
	b.f.busErrors.Add(1)
	return nil
}

func ones(width int) uint64 { return ^uint64(0) >> (64 - 8*width) }
