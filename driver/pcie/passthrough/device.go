// SPDX-License-Identifier: Apache-2.0

// Package passthrough turns a device that somebody hands through in VFIO's terms
// into a pcie.Function. Regions, interrupt indices and DMA mappings mean the
// same in Linux's VFIO and in the vfio-user protocol; what differs is how a
// request travels (ioctl or socket), and that is a Device. Memory, IOVAs,
// interrupt delivery, BAR accesses, removal and the order of closing are here,
// once.
package passthrough

import "github.com/espalier-nic/espalier/driver/pcie"

// Region indices of a PCI device (Linux include/uapi/linux/vfio.h,
// VFIO_PCI_BAR0_REGION_INDEX and following; the same in vfio-user).
const (
	RegionBAR0   = 0 // to 5: BARs
	RegionROM    = 6
	RegionConfig = 7
	RegionVGA    = 8
)

// Interrupt indices of a PCI device (VFIO_PCI_INTX_IRQ_INDEX and following).
const (
	IRQIntx  = 0
	IRQMSI   = 1
	IRQMSIX  = 2
	IRQError = 3 // the device reported an uncorrectable error
	IRQReq   = 4 // the owner asks for the device back
)

// Device is a PCI device as VFIO and vfio-user show one. Methods may be called
// from several goroutines at once, except Close, which is the last call.
//
// When the device or whoever presents it has gone, methods return an error for
// which errors.Is(err, pcie.ErrRemoved) holds; none waits forever.
type Device interface {
	// Location is how to name the device to a user.
	Location() string

	// RegionInfo describes a region; one that the device does not have has
	// size 0 or is an error.
	RegionInfo(index int) (Region, error)
	// ReadRegion reads len(p) bytes, 1, 2, 4 or 8 of them, at an aligned
	// offset inside the region, little-endian, as one access.
	ReadRegion(index int, offset uint64, p []byte) error
	// WriteRegion writes them. It may return before the device has the write,
	// but accesses of one goroutine arrive in their order.
	WriteRegion(index int, offset uint64, p []byte) error
	// MapRegion maps an area that RegionInfo gave, or a page-aligned part of
	// one, shared with the device. The mapping is valid until UnmapRegion.
	MapRegion(index int, a Area) ([]byte, error)
	// UnmapRegion unmaps what MapRegion returned.
	UnmapRegion(mapping []byte) error

	// IRQInfo describes an interrupt index; one that the device does not have
	// has count 0 or is an error.
	IRQInfo(index int) (IRQ, error)
	// SetTriggers binds vectors start to start+len(fds)-1 of an index to
	// eventfds, which stay the caller's; -1 takes a vector's away. Where
	// IRQ.NoResize is set, all vectors that will be used are bound by one
	// call, and DisableIRQ comes before another.
	SetTriggers(index, start int, fds []int) error
	// DisableIRQ takes away all eventfds of an index and disables it. An
	// index that is not enabled is no error.
	DisableIRQ(index int) error
	// MaskIRQ masks or unmasks a vector of an index whose IRQ.Maskable is set.
	// An interrupt of a masked vector is delivered when it is unmasked.
	MaskIRQ(index, vector int, masked bool) error

	// MapDMA lets the device read and write memory at iova. The memory is
	// page-aligned, its length is a multiple of the page size, and it stays
	// until UnmapDMA. fd is the file that is mapped there, memory[0] at
	// offset in it; -1 if there is none. fd stays the caller's. If its pages
	// are hugepages, another mapping of it is unmapped in whole ones.
	MapDMA(iova uint64, memory []byte, fd int, offset uint64) error
	// UnmapDMA takes away exactly one mapping. It returns only once the
	// device cannot reach the memory any more. On a device that has gone this
	// is ErrRemoved and the memory is out of reach as well.
	UnmapDMA(iova, size uint64) error
	// IOVARanges returns the ranges in which MapDMA's IOVAs may lie, ascending;
	// nil: anywhere.
	IOVARanges() []Range
	// MaxMappings is how many mappings there may be at a time; 0: no limit known.
	MaxMappings() int
	// TakeFaults takes the device's refused accesses, oldest first, as far as
	// they are known.
	TakeFaults() []pcie.Fault

	// Gone is closed when the device or whoever presents it has gone.
	Gone() <-chan struct{}
	// Reset resets the function. Interrupts are disabled by the caller before.
	// DMA mappings stay.
	Reset() error
	// Close gives the device back: what is still bound or mapped is undone.
	Close() error
}

// Region describes a region of a device.
type Region struct {
	// Size in bytes; 0: the device does not have it.
	Size uint64
	// Readable and Writable say which accesses the region takes.
	Readable, Writable bool
	// Areas are the parts of it that can be mapped, ascending, page-aligned.
	Areas []Area
}

// Area is a part of a region, in bytes.
type Area struct{ Offset, Size uint64 }

// IRQ describes an interrupt index of a device.
type IRQ struct {
	// Count is the number of its vectors.
	Count int
	// EventFD: vectors can be bound to eventfds. Maskable: MaskIRQ works.
	// AutoMasked: an interrupt masks its vector. NoResize: vectors cannot be
	// added while the index is enabled.
	EventFD, Maskable, AutoMasked, NoResize bool
}

// Range is a range of addresses; both ends belong to it.
type Range struct{ First, Last uint64 }
