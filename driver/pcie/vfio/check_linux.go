// SPDX-License-Identifier: Apache-2.0

package vfio

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/driver/pcie/discover"
	"github.com/espalier-nic/espalier/driver/pcie/doctor"
)

// say makes an error of a sentence.
func say(kind error, format string, a ...any) *problem {
	return &problem{sentence: fmt.Sprintf(format, a...), kinds: []error{kind}}
}

// check looks at what sysfs says, before any device node is touched.
func check(k kernel, f *discover.Function, opts Options) error {
	ids := opts.IDs
	if len(ids) == 0 {
		ids = []discover.ID{discover.Espalier()}
	}
	if !slices.Contains(ids, f.ID) {
		return say(ErrNotOurs, "%s is %v and a NIC of ours has %v; if it is one, name its IDs: --pci-id %v", f.Address, f.ID, list(ids), f.ID)
	}
	if f.IOMMUGroup < 0 { // then vfio-pci would not take it either
		return noIOMMU(f)
	}
	if !isVFIO(f.Driver) {
		if f.Driver == "" {
			return say(ErrNotBound, "%s has no driver and VFIO needs vfio-pci; bind it: %s (`espalier doctor %s` says more)", f.Address, doctor.BindCommands(f), f.Address)
		}
		return say(ErrNotBound, "%s is in the hands of the kernel's driver %s and VFIO needs vfio-pci; if nothing uses it, bind that: %s (`espalier doctor %s` says more)", f.Address, f.Driver, doctor.BindCommands(f), f.Address)
	}
	if isNoIOMMU(k, f) {
		return noIOMMU(f)
	}
	return checkGroup(k, f)
}

func noIOMMU(f *discover.Function) error {
	return say(ErrNoIOMMU, "%s is behind no IOMMU, so nothing would keep it from any byte of memory (VFIO's no-IOMMU mode is not used); switch the IOMMU on in the firmware and with intel_iommu=on or amd_iommu=on, or do without it: --device sysfs:%s", f.Address, f.Address)
}

func list(ids []discover.ID) string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = id.String()
	}
	return strings.Join(names, " or ")
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
		return say(ErrGroup, "%s is in IOMMU group %d with %s, which the kernel's driver %s has, and the two cannot be kept apart; take that one from it too: %s (or put the card into another slot)",
			f.Address, f.IOMMUGroup, other.Address, other.Driver, doctor.BindCommands(&other))
	}
	return nil
}

// nodeError says why a device node of a function cannot be opened.
func nodeError(f *discover.Function, node string, err error) error {
	p := &problem{}
	switch {
	case errors.Is(err, fs.ErrPermission):
		p = say(ErrRights, "%s: %s may not be used; give yourself the right: sudo chown $USER %s", f.Address, node, node)
		p.kinds = append(p.kinds, fs.ErrPermission)
	case errors.Is(err, unix.EBUSY):
		p = say(ErrBusy, "%s: %s is in use by another program, which this shows: sudo fuser -v %s", f.Address, node, node)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		p = say(ErrUnsupported, "%s: %s is not there; load VFIO: modprobe vfio-pci", f.Address, node)
		p.kinds = append(p.kinds, errors.ErrUnsupported)
	default:
		return fmt.Errorf("%s: open %s: %w", f.Address, node, err)
	}
	p.kinds = append(p.kinds, err)
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
	return say(ErrLockedMemory, "%s: the device's memory must be locked, %d KiB of it by now, and the limit is %d KiB; raise it: ulimit -l %d (as root, or memlock in /etc/security/limits.conf, or LimitMEMLOCK= of a systemd unit)",
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
