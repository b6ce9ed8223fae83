// SPDX-License-Identifier: Apache-2.0

package vfio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"github.com/espalier-nic/espalier/driver/pcie/passthrough"
)

// errCapability: a capability chain leads out of its structure.
var errCapability = errors.New("damaged capability chain")

// capabilityHeader is the size of struct vfio_info_cap_header.
const capabilityHeader = 8

// findCapability returns what follows the header of the capability id in info,
// whose chain begins at offset; nil if there is none. It follows no offset
// backwards, so that it ends.
func findCapability(info []byte, offset uint32, id uint16) ([]byte, error) {
	for last := uint32(0); offset != 0; {
		if offset <= last || uint64(offset)+capabilityHeader > uint64(len(info)) {
			return nil, fmt.Errorf("%w: offset %#x of %#x bytes", errCapability, offset, len(info))
		}
		last = offset
		here := info[offset:]
		if binary.NativeEndian.Uint16(here) == id {
			return here[capabilityHeader:], nil
		}
		offset = binary.NativeEndian.Uint32(here[4:])
	}
	return nil, nil
}

// pairs reads a count, a reserved word and as many pairs of 64 bits: the form of
// mappable areas and of IOVA ranges.
func pairs(capability []byte) ([][2]uint64, error) {
	if len(capability) < 8 {
		return nil, errCapability
	}
	n := uint64(binary.NativeEndian.Uint32(capability))
	capability = capability[8:]
	if n > uint64(len(capability)/16) {
		return nil, fmt.Errorf("%w: %d entries in %d bytes", errCapability, n, len(capability))
	}
	list := make([][2]uint64, n)
	for i := range list {
		list[i] = [2]uint64{binary.NativeEndian.Uint64(capability[16*i:]), binary.NativeEndian.Uint64(capability[16*i+8:])}
	}
	return list, nil
}

// sparseAreas returns the areas that the sparse mmap capability of a region
// allows to map, and false if it has none and may be mapped whole.
func sparseAreas(info []byte, offset uint32) ([]passthrough.Area, bool, error) {
	capability, err := findCapability(info, offset, capSparse)
	if err != nil || capability == nil {
		return nil, false, err
	}
	list, err := pairs(capability)
	if err != nil {
		return nil, false, err
	}
	areas := make([]passthrough.Area, 0, len(list))
	for _, p := range list {
		areas = append(areas, passthrough.Area{Offset: p[0], Size: p[1]})
	}
	return areas, true, nil
}

// wholePages drops what is not in whole pages of the region.
func wholePages(areas []passthrough.Area, size uint64) (whole []passthrough.Area) {
	page := uint64(os.Getpagesize())
	for _, a := range areas {
		if a.Offset > size || a.Size > size-a.Offset {
			continue
		}
		first := (a.Offset + page - 1) &^ (page - 1)
		if end := (a.Offset + a.Size) &^ (page - 1); first < end {
			whole = append(whole, passthrough.Area{Offset: first, Size: end - first})
		}
	}
	return whole
}

// iovaRanges returns the ranges of the IOVA range capability; nil if the kernel
// does not tell.
func iovaRanges(info []byte, offset uint32) ([]passthrough.Range, error) {
	capability, err := findCapability(info, offset, capRanges)
	if err != nil || capability == nil {
		return nil, err
	}
	list, err := pairs(capability)
	if err != nil {
		return nil, err
	}
	return toRanges(list), nil
}

func toRanges(list [][2]uint64) []passthrough.Range {
	ranges := make([]passthrough.Range, 0, len(list))
	for _, p := range list {
		if p[0] <= p[1] {
			ranges = append(ranges, passthrough.Range{First: p[0], Last: p[1]})
		}
	}
	return ranges
}

// available returns how many mappings may be made; 0 if the kernel does not tell.
func available(info []byte, offset uint32) (int, error) {
	capability, err := findCapability(info, offset, capAvailable)
	if err != nil || capability == nil {
		return 0, err
	}
	if len(capability) < 4 {
		return 0, errCapability
	}
	return int(binary.NativeEndian.Uint32(capability)), nil
}

// Capabilities of a region and of an IOMMU (VFIO_REGION_INFO_CAP_SPARSE_MMAP,
// VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL).
const (
	capSparse    = 1
	capRanges    = 1
	capAvailable = 3
)
