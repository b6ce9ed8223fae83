// SPDX-License-Identifier: Apache-2.0

package vfio

import "unsafe"

// What follows is the kernel's interface: include/uapi/linux/vfio.h and
// iommufd.h. Requests carry neither size nor direction; each structure begins
// with its own size.

// Requests of VFIO: _IO(';', 100 + n).
const (
	vfioGetAPIVersion  = 0x3B64 + 0
	vfioCheckExtension = 0x3B64 + 1
	vfioSetIOMMU       = 0x3B64 + 2
	groupGetStatus     = 0x3B64 + 3
	groupSetContainer  = 0x3B64 + 4
	groupUnset         = 0x3B64 + 5
	groupGetDevice     = 0x3B64 + 6
	deviceGetInfo      = 0x3B64 + 7
	deviceGetRegion    = 0x3B64 + 8
	deviceGetIRQ       = 0x3B64 + 9
	deviceSetIRQs      = 0x3B64 + 10
	deviceReset        = 0x3B64 + 11
	iommuGetInfo       = 0x3B64 + 12
	iommuMapDMA        = 0x3B64 + 13
	iommuUnmapDMA      = 0x3B64 + 14
	deviceBindIOMMUFD  = 0x3B64 + 18
	deviceAttachPT     = 0x3B64 + 19
	deviceDetachPT     = 0x3B64 + 20
)

// Requests of iommufd: _IO(';', 0x80 + n).
const (
	iommufdDestroy    = 0x3B80
	iommufdIOASAlloc  = 0x3B81
	iommufdIOVARanges = 0x3B84
	iommufdIOASMap    = 0x3B85
	iommufdIOASUnmap  = 0x3B86
)

const (
	apiVersion = 0

	type1IOMMU   = 1
	type1v2IOMMU = 3

	groupViable = 1 << 0

	deviceCanReset = 1 << 0
	deviceIsPCI    = 1 << 1

	regionRead  = 1 << 0
	regionWrite = 1 << 1
	regionMap   = 1 << 2
	regionCaps  = 1 << 3

	irqEventFD    = 1 << 0
	irqMaskable   = 1 << 1
	irqAutoMasked = 1 << 2
	irqNoResize   = 1 << 3

	irqDataNone    = 1 << 0
	irqDataEventFD = 1 << 2
	irqMask        = 1 << 3
	irqUnmask      = 1 << 4
	irqTrigger     = 1 << 5

	iommuPageSizes = 1 << 0
	iommuCaps      = 1 << 1

	mapRead  = 1 << 0
	mapWrite = 1 << 1

	ioasFixedIOVA = 1 << 0
	ioasWriteable = 1 << 1
	ioasReadable  = 1 << 2
)

type groupStatus struct{ argsz, flags uint32 }

type deviceInfo struct {
	argsz, flags, regions uint32
	_                     uint32 // interrupt indices
}

type regionInfo struct {
	argsz, flags, index, capOffset uint32
	size, offset                   uint64
}

type irqInfo struct{ argsz, flags, index, count uint32 }

// irqSet is followed by its data.
type irqSet struct{ argsz, flags, index, start, count uint32 }

type iommuInfo struct {
	argsz, flags uint32
	pageSizes    uint64
	capOffset    uint32
	_            uint32
}

type dmaMap struct {
	argsz, flags      uint32
	vaddr, iova, size uint64
}

type dmaUnmap struct {
	argsz      uint32
	_          uint32 // flags: none
	iova, size uint64
}

type bindIOMMUFD struct {
	argsz   uint32
	_       uint32 // flags: none
	iommufd int32
	_       uint32 // the device's ID in iommufd
}

type attachPT struct {
	argsz uint32
	_     uint32 // flags: none
	ptID  uint32
}

type detachPT struct {
	argsz uint32
	_     uint32 // flags: none
}

type iommuDestroy struct{ size, id uint32 }

type ioasAlloc struct {
	size uint32
	_    uint32 // flags: none
	id   uint32
}

type iovaRange struct{ first, last uint64 }

type ioasIOVARanges struct {
	size, id, count uint32
	_               uint32
	ranges          uint64
	_               uint64 // alignment, at most the page size
}

type ioasMap struct {
	size, flags, id      uint32
	_                    uint32
	userVA, length, iova uint64
}

type ioasUnmap struct {
	size, id     uint32
	iova, length uint64
}

// bytesOf returns a structure's memory.
func bytesOf[T any](s *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(s)), unsafe.Sizeof(*s))
}

// sizeOf returns a structure's size as its first field has it.
func sizeOf[T any](T) uint32 {
	var s T
	return uint32(unsafe.Sizeof(s))
}
