// SPDX-License-Identifier: Apache-2.0

package vfio

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/driver/pcie/discover"
	"github.com/espalier-nic/espalier/driver/pcie/internal/sentence"
)

const iommufdNode = "/dev/iommu"

// ioas is the newer interface: an I/O address space of iommufd, to which each
// function is attached by its own device node.
type ioas struct {
	k  kernel
	fd int
	id uint32
}

// beginIOMMUFD opens iommufd and the function, makes an address space, and
// attaches the one to the other.
func (s *session) beginIOMMUFD(f *discover.Function) (int, cleanups, error) {
	a := &ioas{k: s.k}
	var err error
	if a.fd, err = s.undo.open(s.k, f, iommufdNode); err != nil {
		return -1, nil, err
	}
	alloc := ioasAlloc{size: sizeOf(ioasAlloc{})}
	if err := request(s.k, a.fd, iommufdIOASAlloc, "make an I/O address space", &alloc); err != nil {
		return -1, nil, fmt.Errorf("%s: %w", f.Address, err)
	}
	a.id = alloc.id
	s.undo.add(func() error {
		destroy := iommuDestroy{size: sizeOf(iommuDestroy{}), id: a.id}
		return request(s.k, a.fd, iommufdDestroy, "give back the I/O address space", &destroy)
	})
	s.domain = a
	fd, undo, err := a.openDevice(f)
	if err != nil {
		return -1, undo, err
	}
	// Only now is it known which addresses the function's IOMMU has.
	if err := a.limits(s); err != nil {
		return -1, undo, fmt.Errorf("%s: %w", f.Address, err)
	}
	return fd, undo, nil
}

func (a *ioas) openDevice(f *discover.Function) (_ int, undo cleanups, err error) {
	node := cdev(a.k, f)
	if node == "" {
		return -1, nil, fmt.Errorf("%s: its device node is not there: %w", f.Address, ErrUnsupported)
	}
	fd, err := undo.open(a.k, f, node)
	if err != nil {
		return -1, undo, err
	}
	bind := bindIOMMUFD{argsz: sizeOf(bindIOMMUFD{}), iommufd: int32(a.fd)}
	if err := request(a.k, fd, deviceBindIOMMUFD, "bind it to iommufd", &bind); err != nil {
		if errors.Is(err, unix.EINVAL) { // so says Linux (6.12) of a function that is bound already
			err = fmt.Errorf("%w: %w", unix.EBUSY, err)
		}
		return -1, undo, a.bindError(f, node, err)
	}
	attach := attachPT{argsz: sizeOf(attachPT{}), ptID: a.id}
	if err := request(a.k, fd, deviceAttachPT, "attach it to its I/O address space", &attach); err != nil {
		return -1, undo, a.bindError(f, node, err)
	}
	undo.add(func() error {
		detach := detachPT{argsz: sizeOf(detachPT{})}
		return request(a.k, fd, deviceDetachPT, "detach it from its I/O address space", &detach)
	})
	return fd, undo, nil
}

// bindError says why a function cannot be had.
func (a *ioas) bindError(f *discover.Function, node string, err error) error {
	var p *sentence.Error
	switch {
	case errors.Is(err, unix.EBUSY):
		p = sentence.Say(ErrBusy, "%s: it, or another function of IOMMU group %d, is in use by another program, which this shows: sudo fuser -v %s /dev/vfio/%d", f.Address, f.IOMMUGroup, node, f.IOMMUGroup)
	case errors.Is(err, unix.EPERM):
		p = sentence.Say(ErrNoIOMMU, "%s: this IOMMU does not guard interrupts, and the kernel wants that accepted: echo 1 > /sys/module/iommufd/parameters/allow_unsafe_interrupts", f.Address)
	default:
		return fmt.Errorf("%s: %w", f.Address, err)
	}
	p.Kinds = append(p.Kinds, err)
	return p
}

// limits asks which addresses may be mapped.
func (a *ioas) limits(s *session) error {
	// The array's address is in a structure, where neither the compiler nor the
	// garbage collector sees it.
	ranges := make([]iovaRange, 64)
	for {
		var pin runtime.Pinner
		pin.Pin(&ranges[0])
		q := ioasIOVARanges{size: sizeOf(ioasIOVARanges{}), id: a.id, count: uint32(len(ranges)), ranges: uint64(uintptr(unsafe.Pointer(&ranges[0])))}
		err := request(a.k, a.fd, iommufdIOVARanges, "ask for the allowed I/O addresses", &q)
		pin.Unpin()
		if errors.Is(err, unix.EMSGSIZE) && int(q.count) > len(ranges) && q.count <= maxInfo/16 {
			ranges = make([]iovaRange, q.count)
			continue
		}
		if err != nil {
			return err
		}
		list := make([][2]uint64, 0, q.count)
		for _, r := range ranges[:min(int(q.count), len(ranges))] {
			list = append(list, [2]uint64{r.first, r.last})
		}
		s.ranges = toRanges(list)
		return nil
	}
}

func (a *ioas) mapDMA(iova uint64, memory []byte) error {
	m := ioasMap{size: sizeOf(ioasMap{}), flags: ioasFixedIOVA | ioasReadable | ioasWriteable, id: a.id, userVA: addressOf(memory), length: uint64(len(memory)), iova: iova}
	return request(a.k, a.fd, iommufdIOASMap, "map memory for the device", &m)
}

func (a *ioas) unmapDMA(iova, size uint64) (uint64, error) {
	m := ioasUnmap{size: sizeOf(ioasUnmap{}), id: a.id, iova: iova, length: size}
	err := request(a.k, a.fd, iommufdIOASUnmap, "unmap memory of the device", &m)
	return m.length, err
}
