// SPDX-License-Identifier: Apache-2.0

// Package vfio reaches a real PCIe function through Linux's VFIO: the kernel
// gives the program the function's registers and interrupts, and an IOMMU keeps
// the function's accesses to memory to what the program has allocated for it.
// Both of the kernel's interfaces are spoken, containers of IOMMU groups and
// iommufd.
//
// The function must be bound to vfio-pci before (Bind, or the commands that
// `espalier doctor` prints). No root is needed beyond rights on the device
// nodes.
package vfio

import (
	"errors"

	"github.com/espalier-nic/espalier/driver/pcie/discover"
)

// Interface is one of the kernel's ways to VFIO.
type Interface int

// Values of Interface.
const (
	// Automatic takes IOMMUFD where its device nodes exist and may be used,
	// else Group.
	Automatic Interface = iota
	// Group is /dev/vfio/vfio and /dev/vfio/N.
	Group
	// IOMMUFD is /dev/iommu and /dev/vfio/devices/vfioN (Linux 6.6 and later).
	IOMMUFD
)

// Options say how to open a function.
type Options struct {
	// IDs are those of functions that may be opened; none: Espalier's.
	IDs []discover.ID
	// Interface forces one of the kernel's interfaces.
	Interface Interface
	// Hugepages puts hugepages behind large DMA allocations where there are any.
	Hugepages bool
	// LockedMemory is how many bytes of DMA memory the program will need; Open
	// checks that it may lock as many. 0: found out as memory is allocated.
	LockedMemory uint64
}

// Kinds of errors of Open and of AllocDMA on what it returns. The text of an
// error that is one of them is a sentence for the user that names what is in the
// way and the command that helps.
var (
	// ErrNotOurs: the function's IDs are not among Options.IDs.
	ErrNotOurs = errors.New("function is not ours")
	// ErrNotBound: vfio-pci is not bound to the function; another kernel driver
	// may be.
	ErrNotBound = errors.New("function is not bound to vfio-pci")
	// ErrNoIOMMU: no IOMMU guards the function.
	ErrNoIOMMU = errors.New("no IOMMU")
	// ErrGroup: others in the function's IOMMU group are in the kernel's hands.
	ErrGroup = errors.New("IOMMU group is shared")
	// ErrBusy: another program has the function.
	ErrBusy = errors.New("function is in use")
	// ErrRights: a device node may not be used. It comes with fs.ErrPermission.
	ErrRights = errors.New("no rights on a device node")
	// ErrNoMSIX: the function has no MSI-X interrupts.
	ErrNoMSIX = errors.New("no MSI-X")
	// ErrLockedMemory: the limit of locked memory is too low.
	ErrLockedMemory = errors.New("limit of locked memory")
	// ErrUnsupported: the kernel lacks an interface. It comes with
	// errors.ErrUnsupported.
	ErrUnsupported = errors.New("kernel has no VFIO")
)
