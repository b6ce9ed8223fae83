// SPDX-License-Identifier: Apache-2.0

package sysfs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/discover"
	"github.com/espalier-nic/espalier/driver/pcie/internal/sentence"
	"github.com/espalier-nic/espalier/driver/pcie/passthrough"
)

// Open opens the function at an address such as "0000:03:00.0" or "03:00.0",
// and resets it: whoever had it before may have left it at work. What it returns
// is a *passthrough.Function.
func Open(address string, opts Options) (pcie.Function, error) {
	f, err := open(linux{}, address, opts)
	if err != nil {
		return nil, err // a nil *Function is no nil pcie.Function
	}
	return f, nil
}

func open(s system, address string, opts Options) (*passthrough.Function, error) {
	found, err := discover.LookupIn(s.path(discover.SysfsDevices), address)
	if err != nil {
		return nil, err
	}
	if err := check(s, &found, opts); err != nil {
		return nil, err
	}
	d, err := openDevice(s, &found)
	if err != nil {
		return nil, err
	}
	if err := d.calm(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: stop what it does: %w", found.Address, err), d.Close())
	}
	return passthrough.Open(d, passthrough.Options{Memory: d.memory})
}

// check looks at what sysfs says, before anything is touched.
func check(s system, f *discover.Function, opts Options) error {
	if !opts.AcceptNoIOMMU {
		return sentence.Say(ErrNotAccepted, "%s: through sysfs no IOMMU keeps it from any byte of this machine's memory, and there are no interrupts; use VFIO (`espalier doctor %s`), or say that you accept that: --device sysfs:%s", f.Address, f.Address, f.Address)
	}
	if ours, ids := f.Ours(opts.IDs); !ours {
		return sentence.Say(ErrNotOurs, "%s is %v and a NIC of ours has %s; if it is one, name its IDs: --pci-id %v", f.Address, f.ID, ids, f.ID)
	}
	if f.Driver != "" && f.Driver != "pci-stub" {
		return sentence.Say(ErrBound, "%s is in the hands of the kernel's driver %s; if nothing uses it, take it away: echo %s > %s/%s/driver/unbind", f.Address, f.Driver, f.Address, discover.SysfsDevices, f.Address)
	}
	if f.IOMMUGroup < 0 {
		return nil
	}
	file := fmt.Sprintf("/sys/kernel/iommu_groups/%d/type", f.IOMMUGroup)
	kind, err := os.ReadFile(s.path(file))
	if err != nil {
		return sentence.Say(ErrIOMMU, "%s is in IOMMU group %d and the kernel does not tell whether its addresses are translated (%w); use VFIO: `espalier doctor %s`", f.Address, f.IOMMUGroup, err, f.Address)
	}
	if kind := strings.TrimSpace(string(kind)); kind != "identity" {
		return sentence.Say(ErrIOMMU, "%s is behind an IOMMU that translates its addresses (group %d, type %s), so physical ones would be faults; use VFIO (`espalier doctor %s`), or let them pass: echo identity > %s", f.Address, f.IOMMUGroup, kind, f.Address, file)
	}
	return nil
}

// calm ends accesses to memory that an earlier program began, and resets the
// function where the kernel can.
func (d *device) calm() error {
	var p [2]byte
	if err := d.ReadRegion(passthrough.RegionConfig, pcie.ConfigCommand, p[:]); err != nil {
		return err
	}
	command := binary.LittleEndian.Uint16(p[:])
	if command == 0xFFFF {
		return fmt.Errorf("configuration space reads as all ones: %w", pcie.ErrRemoved)
	}
	if command&pcie.CommandBusMaster != 0 {
		binary.LittleEndian.PutUint16(p[:], command&^pcie.CommandBusMaster)
		if err := d.WriteRegion(passthrough.RegionConfig, pcie.ConfigCommand, p[:]); err != nil {
			return err
		}
	}
	if err := d.Reset(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}
