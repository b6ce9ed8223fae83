// SPDX-License-Identifier: Apache-2.0

package vfio

import (
	"errors"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/discover"
	"github.com/espalier-nic/espalier/driver/pcie/internal/sentence"
	"github.com/espalier-nic/espalier/driver/pcie/passthrough"
)

// Open opens the function at an address such as "0000:03:00.0" or "03:00.0". What
// it returns is a *passthrough.Function; its Info().Location is the address.
// Several functions may be open at a time; those of one IOMMU group reach each
// other's DMA memory, no others do.
func Open(address string, opts Options) (pcie.Function, error) {
	f, err := open(linux{}, address, opts)
	if err != nil {
		return nil, err // a nil *Function is no nil pcie.Function
	}
	return f, nil
}

func open(k kernel, address string, opts Options) (*passthrough.Function, error) {
	found, err := discover.LookupIn(k.path(discover.SysfsDevices), address)
	if err != nil {
		return nil, err
	}
	if err := check(k, &found, opts); err != nil {
		return nil, err
	}
	if err := checkLocked(k, found.Address, opts.LockedMemory); err != nil {
		return nil, err
	}
	d, err := openDevice(k, &found, opts.Interface)
	if err != nil {
		return nil, err
	}
	if irq, err := d.IRQInfo(passthrough.IRQMSIX); err != nil || irq.Count == 0 {
		return nil, errors.Join(sentence.Say(ErrNoMSIX, "%s has no MSI-X interrupts; give its PCIe block an MSI-X capability (docs/boards.md), and see what it has: lspci -vv -s %s", found.Address, found.Address), err, d.Close())
	}
	return passthrough.Open(d, passthrough.Options{Hugepages: opts.Hugepages, Addresses: d.session.space})
}
