// SPDX-License-Identifier: Apache-2.0

// Package widths makes the eight methods of a pcie.BAR's accesses of two.
package widths

// Access reads and writes width bytes, 1, 2, 4 or 8, at an offset. It checks both.
type Access interface {
	Read(offset uint64, width int) (uint64, error)
	Write(offset uint64, width int, value uint64) error
}

// BAR has the accesses of a pcie.BAR.
type BAR struct{ Access Access }

// Read8 implements pcie.BAR.
func (b BAR) Read8(offset uint64) (uint8, error) {
	v, err := b.Access.Read(offset, 1)
	return uint8(v), err
}

// Read16 implements pcie.BAR.
func (b BAR) Read16(offset uint64) (uint16, error) {
	v, err := b.Access.Read(offset, 2)
	return uint16(v), err
}

// Read32 implements pcie.BAR.
func (b BAR) Read32(offset uint64) (uint32, error) {
	v, err := b.Access.Read(offset, 4)
	return uint32(v), err
}

// Read64 implements pcie.BAR.
func (b BAR) Read64(offset uint64) (uint64, error) { return b.Access.Read(offset, 8) }

// Write8 implements pcie.BAR.
func (b BAR) Write8(offset uint64, v uint8) error { return b.Access.Write(offset, 1, uint64(v)) }

// Write16 implements pcie.BAR.
func (b BAR) Write16(offset uint64, v uint16) error { return b.Access.Write(offset, 2, uint64(v)) }

// Write32 implements pcie.BAR.
func (b BAR) Write32(offset uint64, v uint32) error { return b.Access.Write(offset, 4, uint64(v)) }

// Write64 implements pcie.BAR.
func (b BAR) Write64(offset uint64, v uint64) error { return b.Access.Write(offset, 8, v) }
