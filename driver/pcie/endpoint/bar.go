// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"fmt"

	"github.com/espalier-nic/espalier/driver/pcie"
)

// Accessor is a device's memory as a BAR reaches it. Offsets are naturally
// aligned and inside the BAR, width is 1, 2, 4 or 8 bytes. A device that
// answers a read with an error returns all ones and no error, as PCIe does.
type Accessor interface {
	ReadBAR(offset uint64, width int) (uint64, error)
	WriteBAR(offset uint64, width int, value uint64) error
}

// NewBAR returns a BAR of size bytes that checks offsets and passes accesses on.
func NewBAR(size uint64, memory Accessor) pcie.BAR {
	return &bar{size: size, memory: memory}
}

type bar struct {
	size   uint64
	memory Accessor
}

func (b *bar) read(offset uint64, width int) (uint64, error) {
	if err := b.check(offset, width); err != nil {
		return 0, err
	}
	return b.memory.ReadBAR(offset, width)
}

func (b *bar) write(offset uint64, width int, value uint64) error {
	if err := b.check(offset, width); err != nil {
		return err
	}
	return b.memory.WriteBAR(offset, width, value)
}

func (b *bar) check(offset uint64, width int) error {
	if offset%uint64(width) != 0 || offset >= b.size || b.size-offset < uint64(width) {
		return fmt.Errorf("BAR offset %#x, width %d, size %#x: %w", offset, width, b.size, pcie.ErrRange)
	}
	return nil
}

func (b *bar) Size() uint64 { return b.size }

func (b *bar) Read8(offset uint64) (uint8, error) {
	v, err := b.read(offset, 1)
	return uint8(v), err
}

func (b *bar) Read16(offset uint64) (uint16, error) {
	v, err := b.read(offset, 2)
	return uint16(v), err
}

func (b *bar) Read32(offset uint64) (uint32, error) {
	v, err := b.read(offset, 4)
	return uint32(v), err
}

func (b *bar) Read64(offset uint64) (uint64, error) { return b.read(offset, 8) }

func (b *bar) Write8(offset uint64, v uint8) error   { return b.write(offset, 1, uint64(v)) }
func (b *bar) Write16(offset uint64, v uint16) error { return b.write(offset, 2, uint64(v)) }
func (b *bar) Write32(offset uint64, v uint32) error { return b.write(offset, 4, uint64(v)) }
func (b *bar) Write64(offset uint64, v uint64) error { return b.write(offset, 8, v) }

func (b *bar) Map() []byte { return nil }
