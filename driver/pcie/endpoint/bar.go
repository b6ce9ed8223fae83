// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"fmt"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/internal/widths"
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
	b := &bar{size: size, memory: memory}
	b.Access = b
	return b
}

type bar struct {
	widths.BAR
	size   uint64
	memory Accessor
}

// Read implements widths.Access.
func (b *bar) Read(offset uint64, width int) (uint64, error) {
	if err := b.check(offset, width); err != nil {
		return 0, err
	}
	return b.memory.ReadBAR(offset, width)
}

// Write implements widths.Access.
func (b *bar) Write(offset uint64, width int, value uint64) error {
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

func (b *bar) Map() []byte { return nil }
