// SPDX-License-Identifier: Apache-2.0

package vfio

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/driver/pcie/discover"
	"github.com/espalier-nic/espalier/driver/pcie/doctor"
	"github.com/espalier-nic/espalier/driver/pcie/internal/sentence"
)

// check looks at what sysfs says, before any device node is touched.
func check(k kernel, f *discover.Function, opts Options) error {
	if ours, ids := f.Ours(opts.IDs); !ours {
		return sentence.Say(ErrNotOurs, "%s is %v and a NIC of ours has %s; if it is one, name its IDs: --pci-id %v", f.Address, f.ID, ids, f.ID)
	}
	if f.IOMMUGroup < 0 { // then vfio-pci would not take it either
		return noIOMMU(f)
	}
	if !isVFIO(f.Driver) {
		if f.Driver == "" {
			return sentence.Say(ErrNotBound, "%s has no driver and VFIO needs vfio-pci; bind it: %s (`espalier doctor %s` says more)", f.Address, doctor.BindCommands(f), f.Address)
		}
		return sentence.Say(ErrNotBound, "%s is in the hands of the kernel's driver %s and VFIO needs vfio-pci; if nothing uses it, bind that: %s (`espalier doctor %s` says more)", f.Address, f.Driver, doctor.BindCommands(f), f.Address)
	}
	if isNoIOMMU(k, f) {
		return noIOMMU(f)
	}
	return checkGroup(k, f)
}

func noIOMMU(f *discover.Function) error {
	return sentence.Say(ErrNoIOMMU, "%s is behind no IOMMU, so nothing would keep it from any byte of memory (VFIO's no-IOMMU mode is not used); switch the IOMMU on in the firmware and with intel_iommu=on or amd_iommu=on, or do without it: --device sysfs:%s", f.Address, f.Address)
}

// isVFIO says whether a driver hands its functions to programs: vfio-pci and
// those that some kinds of devices have instead.
func isVFIO(driver string) bool {
	return driver == vfioPCI || strings.HasSuffix(driver, "-vfio-pci") || strings.HasSuffix(driver, "_vfio_pci")
}

const vfioPCI = "vfio-pci"

// groups is where sysfs lists IOMMU groups.
const groups = "/sys/kernel/iommu_groups"

// isNoIOMMU says whether a function's group is one that VFIO made up.
func isNoIOMMU(k kernel, f *discover.Function) bool {
	name, err := os.ReadFile(k.path(fmt.Sprintf("%s/%d/name", groups, f.IOMMUGroup)))
	return err == nil && strings.TrimSpace(string(name)) == "vfio-noiommu"
}

// checkGroup checks that no other function of the group is in the kernel's hands:
// the IOMMU does not keep them apart.
func checkGroup(k kernel, f *discover.Function) error {
	members, err := os.ReadDir(k.path(fmt.Sprintf("%s/%d/devices", groups, f.IOMMUGroup)))
	if err != nil {
		return fmt.Errorf("%s: list IOMMU group %d: %w", f.Address, f.IOMMUGroup, err)
	}
	for _, m := range members {
		if m.Name() == f.Address {
			continue
		}
		other, err := discover.LookupIn(k.path(discover.SysfsDevices), m.Name())
		if err != nil {
			return fmt.Errorf("%s: look at %s in the same IOMMU group: %w", f.Address, m.Name(), err)
		}
		// Those drivers do no DMA; the kernel does not mind them.
		if other.Driver == "" || isVFIO(other.Driver) || other.Driver == "pci-stub" || other.Driver == "pcieport" {
			continue
		}
		return sentence.Say(ErrGroup, "%s is in IOMMU group %d with %s, which the kernel's driver %s has, and the two cannot be kept apart; take that one from it too: %s (or put the card into another slot)",
			f.Address, f.IOMMUGroup, other.Address, other.Driver, doctor.BindCommands(&other))
	}
	return nil
}

// nodeError says why a device node of a function cannot be opened.
func nodeError(f *discover.Function, node string, err error) error {
	p := &sentence.Error{}
	switch {
	case errors.Is(err, fs.ErrPermission):
		p = sentence.Say(ErrRights, "%s: %s may not be used; give yourself the right: sudo chown $USER %s", f.Address, node, node)
		p.Kinds = append(p.Kinds, fs.ErrPermission)
	case errors.Is(err, unix.EBUSY):
		p = sentence.Say(ErrBusy, "%s: %s is in use by another program, which this shows: sudo fuser -v %s", f.Address, node, node)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		p = sentence.Say(ErrUnsupported, "%s: %s is not there; load VFIO: modprobe vfio-pci", f.Address, node)
		p.Kinds = append(p.Kinds, errors.ErrUnsupported)
	default:
		return fmt.Errorf("%s: open %s: %w", f.Address, node, err)
	}
	p.Kinds = append(p.Kinds, err)
	return p
}

// checkLocked checks that a program may lock as much memory as it will need.
func checkLocked(k kernel, address string, need uint64) error {
	if limit, limited := k.lockable(); limited && need > limit {
		return lockedError(address, need, limit)
	}
	return nil
}

// lockedError says how to raise the limit: by enough for all that a driver locks,
// which is more than what was needed so far.
func lockedError(address string, need, limit uint64) error {
	kib := func(bytes uint64) uint64 { return (bytes + 1023) / 1024 }
	return sentence.Say(ErrLockedMemory, "%s: the device's memory must be locked, %d KiB of it by now, and the limit is %d KiB; raise it: ulimit -l %d (as root, or memlock in /etc/security/limits.conf, or LimitMEMLOCK= of a systemd unit)",
		address, kib(need), limit/1024, kib(max(need, doctor.LockedMemory)))
}

// cdev returns the device node that iommufd uses for a function; "" if the
// kernel has none.
func cdev(k kernel, f *discover.Function) string {
	entries, err := os.ReadDir(filepath.Join(f.Path, "vfio-dev"))
	if err != nil || len(entries) != 1 {
		return ""
	}
	node := "/dev/vfio/devices/" + entries[0].Name()
	if _, err := os.Stat(k.path(node)); err != nil {
		return ""
	}
	return node
}
