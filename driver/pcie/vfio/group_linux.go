// SPDX-License-Identifier: Apache-2.0

package vfio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/driver/pcie/discover"
	"github.com/espalier-nic/espalier/driver/pcie/internal/sentence"
)

const containerNode = "/dev/vfio/vfio"

// group is the older interface: a container with one group.
type group struct {
	k                kernel
	container, group int
}

// beginGroup opens a container, puts the group into it, gives it an IOMMU and
// opens the function.
func (s *session) beginGroup(f *discover.Function) (int, cleanups, error) {
	k := s.k
	g := &group{k: k}
	var err error
	if g.container, err = s.undo.open(k, f, containerNode); err != nil {
		return -1, nil, err
	}
	if version, err := k.ioctlValue(g.container, vfioGetAPIVersion, 0); err != nil || version != apiVersion {
		return -1, nil, fmt.Errorf("%s: the kernel's VFIO has version %d (%w), known is %d", f.Address, version, errors.Join(ErrUnsupported, err), apiVersion)
	}
	node := fmt.Sprintf("/dev/vfio/%d", f.IOMMUGroup)
	if g.group, err = s.undo.open(k, f, node); err != nil {
		return -1, nil, err
	}
	status := groupStatus{argsz: sizeOf(groupStatus{})}
	if err := request(k, g.group, groupGetStatus, "look at the IOMMU group", &status); err != nil {
		return -1, nil, fmt.Errorf("%s: %w", f.Address, err)
	}
	if status.flags&groupViable == 0 {
		return -1, nil, sentence.Say(ErrGroup, "%s: the kernel still has another function of IOMMU group %d; show them: ls -l %s/%d/devices/*/driver, and bind all but bridges to vfio-pci", f.Address, f.IOMMUGroup, groups, f.IOMMUGroup)
	}
	container := int32(g.container)
	if err := request(k, g.group, groupSetContainer, "put the IOMMU group into a container", &container); err != nil {
		return -1, nil, fmt.Errorf("%s: %w", f.Address, err)
	}
	s.undo.add(func() error {
		_, err := k.ioctlValue(g.group, groupUnset, 0)
		if err == nil || errors.Is(err, unix.EINVAL) { // it is in none: the kernel took it out when its last function went
			return nil
		}
		return fmt.Errorf("take the IOMMU group from its container: %w", err)
	})
	if err := g.setIOMMU(f); err != nil {
		return -1, nil, err
	}
	if err := g.limits(s); err != nil {
		return -1, nil, fmt.Errorf("%s: %w", f.Address, err)
	}
	s.domain = g
	return g.openDevice(f)
}

// setIOMMU gives the container the newest kind of IOMMU that is known here.
func (g *group) setIOMMU(f *discover.Function) error {
	for _, kind := range []uintptr{type1v2IOMMU, type1IOMMU} {
		has, err := g.k.ioctlValue(g.container, vfioCheckExtension, kind)
		if err != nil {
			return fmt.Errorf("%s: ask for kinds of IOMMU: %w", f.Address, err)
		}
		if has == 0 {
			continue
		}
		_, err = g.k.ioctlValue(g.container, vfioSetIOMMU, kind)
		if errors.Is(err, unix.EPERM) {
			p := sentence.Say(ErrNoIOMMU, "%s: this IOMMU does not guard interrupts, and the kernel wants that accepted: echo 1 > /sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts", f.Address)
			p.Kinds = append(p.Kinds, err)
			return p
		}
		if err != nil {
			return fmt.Errorf("%s: set up the IOMMU: %w", f.Address, err)
		}
		return nil
	}
	p := sentence.Say(ErrUnsupported, "%s: the kernel has no driver for this IOMMU in VFIO; load it: modprobe vfio_iommu_type1", f.Address)
	p.Kinds = append(p.Kinds, errors.ErrUnsupported)
	return p
}

// limits asks which addresses may be mapped and how many mappings there may be.
func (g *group) limits(s *session) error {
	head := iommuInfo{argsz: sizeOf(iommuInfo{})}
	if err := request(g.k, g.container, iommuGetInfo, "ask what the IOMMU can do", &head); err != nil {
		return err
	}
	info := bytesOf(&head)
	if head.argsz > sizeOf(head) { // there is more to say
		info = make([]byte, min(head.argsz, maxInfo))
		binary.NativeEndian.PutUint32(info, uint32(len(info)))
		if _, err := g.k.ioctl(g.container, iommuGetInfo, info); err != nil {
			return fmt.Errorf("ask what the IOMMU can do: %w", err)
		}
		copy(bytesOf(&head), info)
	}
	if page := uint64(os.Getpagesize()); head.flags&iommuPageSizes != 0 && head.pageSizes&(2*page-1) == 0 {
		return fmt.Errorf("the IOMMU cannot map pages of %d bytes (it can those of %#x)", page, head.pageSizes)
	}
	if head.flags&iommuCaps == 0 {
		return nil
	}
	var err error
	if s.ranges, err = iovaRanges(info, head.capOffset); err != nil {
		return fmt.Errorf("ask what the IOMMU can do: %w", err)
	}
	if s.limit, err = available(info, head.capOffset); err != nil {
		return fmt.Errorf("ask what the IOMMU can do: %w", err)
	}
	return nil
}

// maxInfo bounds what the kernel may tell about anything.
const maxInfo = 1 << 20

func (g *group) openDevice(f *discover.Function) (int, cleanups, error) {
	var undo cleanups
	name := append([]byte(f.Address), 0)
	fd, err := g.k.ioctl(g.group, groupGetDevice, name)
	if err != nil {
		if errors.Is(err, unix.EBUSY) {
			return -1, nil, sentence.Say(ErrBusy, "%s is in use already, by this program or by another that shares its group", f.Address)
		}
		return -1, nil, fmt.Errorf("%s: open in its IOMMU group: %w", f.Address, err)
	}
	undo.add(func() error { return g.k.close(fd) })
	return fd, undo, nil
}

func (g *group) mapDMA(iova uint64, memory []byte) error {
	m := dmaMap{argsz: sizeOf(dmaMap{}), flags: mapRead | mapWrite, vaddr: addressOf(memory), iova: iova, size: uint64(len(memory))}
	return request(g.k, g.container, iommuMapDMA, "map memory for the device", &m)
}

func (g *group) unmapDMA(iova, size uint64) (uint64, error) {
	m := dmaUnmap{argsz: sizeOf(dmaUnmap{}), iova: iova, size: size}
	err := request(g.k, g.container, iommuUnmapDMA, "unmap memory of the device", &m)
	return m.size, err
}

// addressOf returns where memory outside the Go heap is.
func addressOf(memory []byte) uint64 {
	return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(memory))))
}
