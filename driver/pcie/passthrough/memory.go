// SPDX-License-Identifier: Apache-2.0

package passthrough

import (
	"errors"
	"fmt"
	"math"
	"os"
	"sync"

	"github.com/espalier-nic/espalier/driver/pcie"
)

// memory is the DMA memory of a function.
type memory struct {
	dev    Device
	space  *AddressSpace
	huge   bool
	source Allocator // nil: memory files and mappings
	mu     sync.Mutex
	blocks map[*pcie.Memory]block
	kept   bool // the device may still reach everything
}

// block is memory handed out. bytes is what the device reaches, whatever the
// user has done to Memory.Bytes since; mapping is all that is to be unmapped.
type block struct {
	iova           uint64
	bytes, mapping []byte
}

func (d *memory) init(dev Device, opts Options) {
	d.dev, d.space, d.huge, d.source = dev, opts.Addresses, opts.Hugepages, opts.Memory
	if d.space == nil {
		d.space = NewAddressSpace(dev.IOVARanges(), dev.MaxMappings())
	}
	d.blocks = make(map[*pcie.Memory]block)
}

// alloc allocates memory, finds an address and lets the device reach it there.
func (d *memory) alloc(size int) (_ *pcie.Memory, err error) {
	var undo cleanups
	defer func() {
		if err != nil {
			err = fmt.Errorf("allocation of %d bytes: %w", size, errors.Join(err, undo.run()))
		}
	}()
	page := os.Getpagesize()
	if size < 1 || size > math.MaxInt-page {
		return nil, pcie.ErrNoMemory
	}
	size = (size + page - 1) / page * page
	if d.source != nil {
		bytes, iova, err := d.source.Alloc(size)
		if err != nil {
			return nil, err
		}
		return d.add(block{iova: iova, bytes: bytes}), nil
	}
	file, err := allocate(size, d.huge)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", pcie.ErrNoMemory, err)
	}
	defer file.close() // the mapping and the device keep the memory
	undo.add(func() error { return unmap(file.mapping) })
	b := block{bytes: file.mapping[:size:size], mapping: file.mapping}
	if b.iova, err = d.space.take(uint64(size), alignment(size, file.page)); err != nil {
		return nil, err
	}
	undo.add(func() error { d.space.give(b.iova); return nil })
	if err := d.dev.MapDMA(b.iova, b.bytes, file.fd, 0); err != nil {
		if errors.Is(err, pcie.ErrRemoved) {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %w", pcie.ErrNoMemory, err)
	}
	return d.add(b), nil
}

func (d *memory) add(b block) *pcie.Memory {
	m := &pcie.Memory{Bytes: b.bytes, IOVA: b.iova}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.blocks[m] = b
	return m
}

// largePage is what IOMMUs can map at once, if address and memory allow.
const largePage = 2 << 20

// alignment is that of the IOVA of size bytes in pages of a size.
func alignment(size, page int) uint64 {
	if size >= largePage {
		page = max(page, largePage)
	}
	return uint64(page)
}

// free withdraws the device's access and frees the memory. If the device has
// gone the memory is freed all the same and the error is ErrRemoved.
func (d *memory) free(m *pcie.Memory) error {
	d.mu.Lock()
	b, ok := d.blocks[m]
	delete(d.blocks, m)
	d.mu.Unlock()
	if !ok {
		return fmt.Errorf("freed memory is not allocated here: %w", pcie.ErrRange)
	}
	if d.source != nil {
		m.Bytes = nil
		return d.source.Free(b.bytes, b.iova)
	}
	gone := d.dev.UnmapDMA(b.iova, uint64(len(b.bytes)))
	if gone != nil && !errors.Is(gone, pcie.ErrRemoved) {
		// The device may still reach it: it stays ours.
		d.mu.Lock()
		d.blocks[m] = b
		d.mu.Unlock()
		return fmt.Errorf("withdraw the device's access to %#x: %w", b.iova, gone)
	}
	m.Bytes = nil
	d.space.give(b.iova)
	if err := unmap(b.mapping); err != nil {
		return fmt.Errorf("unmap DMA memory at %#x: %w", b.iova, err)
	}
	return gone
}

// keep says that the device may reach memory still, though it should not. Where
// no IOMMU is in between, nothing is freed then.
func (d *memory) keep() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.kept = d.source != nil
}

// freeAll frees what is left.
func (d *memory) freeAll() error {
	d.mu.Lock()
	if d.kept {
		clear(d.blocks)
	}
	blocks := make([]*pcie.Memory, 0, len(d.blocks))
	for m := range d.blocks {
		blocks = append(blocks, m)
	}
	d.mu.Unlock()
	var errs []error
	for _, m := range blocks {
		if err := d.free(m); err != nil && !errors.Is(err, pcie.ErrRemoved) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// release unmaps what freeAll had to leave, once the device is closed. Its
// addresses are not used again: perhaps they are mapped still.
func (d *memory) release() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var errs []error
	for m, b := range d.blocks {
		m.Bytes = nil
		errs = append(errs, unmap(b.mapping))
	}
	clear(d.blocks)
	return errors.Join(errs...)
}
