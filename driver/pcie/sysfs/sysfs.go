// SPDX-License-Identifier: Apache-2.0

// Package sysfs reaches a real PCIe function through the files that Linux shows
// of it: resourceN for BARs, config for configuration space, reset. It is for
// machines without an IOMMU, and it gives up what an IOMMU is for: the function
// can reach every byte of memory by physical address, freed memory too, and a
// wrong descriptor is a write to somebody else's. There are no interrupts, only
// polling, and no faults are known. It needs root.
//
// If the program is killed the function goes on with what it was told, into
// memory that others may have by then. Package vfio has none of these problems.
package sysfs

import (
	"errors"

	"github.com/espalier-nic/espalier/driver/pcie/discover"
)

// Options say how to open a function.
type Options struct {
	// IDs are those of functions that may be opened; none: Espalier's.
	IDs []discover.ID
	// AcceptNoIOMMU says that whoever opens the function knows what is said
	// above. Without it nothing is opened.
	AcceptNoIOMMU bool
}

// Kinds of errors of Open and of AllocDMA on what it returns. The text of an
// error that is one of them is a sentence for the user that names what is in the
// way and the command that helps.
var (
	// ErrNotAccepted: Options.AcceptNoIOMMU is not set.
	ErrNotAccepted = errors.New("access without an IOMMU is not accepted")
	// ErrNotOurs: the function's IDs are not among Options.IDs.
	ErrNotOurs = errors.New("function is not ours")
	// ErrBound: a kernel driver has the function.
	ErrBound = errors.New("function is bound to a kernel driver")
	// ErrIOMMU: an IOMMU translates the function's addresses.
	ErrIOMMU = errors.New("an IOMMU translates addresses")
	// ErrRights: the program may not use a file, map memory of a device, or see
	// physical addresses.
	ErrRights = errors.New("no rights")
	// ErrBusy: another program has the function.
	ErrBusy = errors.New("function is in use")
	// ErrHugepages: there is no contiguous memory of that size.
	ErrHugepages = errors.New("no contiguous memory")
	// ErrUnsupported: this is not Linux. It comes with errors.ErrUnsupported.
	ErrUnsupported = errors.New("no sysfs")
)
