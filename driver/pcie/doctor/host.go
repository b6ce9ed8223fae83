// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/espalier-nic/espalier/driver/pcie/discover"
)

// Files of the host.
const (
	groupsFolder    = "/sys/kernel/iommu_groups"
	tablesFolder    = "/sys/firmware/acpi/tables"
	hugepagesFolder = "/sys/kernel/mm/hugepages"
	lockdownFile    = "/sys/kernel/security/lockdown"
	grubFile        = "/etc/default/grub"
	vfioPCI         = "/sys/bus/pci/drivers/vfio-pci"
	vfioContainer   = "/dev/vfio/vfio"
	iommufd         = "/dev/iommu"
)

// host examines what all cards share; found is how many there are.
func (e *examination) host(found int) []Finding {
	var f findings
	if !e.tree.has(discover.SysfsDevices) {
		f.fail("PCI", "run on Linux with PCI, and with /sys mounted: mount -t sysfs sysfs /sys", "%s is not there", discover.SysfsDevices)
		return f
	}
	if found == 0 {
		f.fail("cards", "lspci -n shows what is there; if the card is, name its IDs: espalier doctor --pci-id VENDOR:DEVICE", "none with %s", idList(e.opts.IDs))
	} else {
		f.ok("cards", "%d to examine", found)
	}
	if e.opts.Way == VFIO {
		e.iommu(&f)
		e.vfioDriver(&f)
		e.vfioInterface(&f)
		e.lockedMemory(&f)
	} else {
		f.warn("sysfs", "espalier doctor ADDRESS says what VFIO needs", "no IOMMU keeps the card from any byte of this machine's memory, and there are no interrupts, only polling")
		e.pagemap(&f)
	}
	e.hugepages(&f)
	e.lockdown(&f)
	return f
}

func idList(ids []discover.ID) string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = id.String()
	}
	return strings.Join(names, ", ")
}

// remapper is a kind of IOMMU, as firmware announces it.
type remapper struct {
	table, name string
	// on is what switches it on, off what switches it off, on the kernel's
	// command line.
	on  string
	off []string
}

var remappers = []remapper{
	{"DMAR", "Intel VT-d", "intel_iommu=on", []string{"intel_iommu=off", "iommu=off"}},
	{"IVRS", "AMD-Vi", "amd_iommu=on", []string{"amd_iommu=off", "iommu=off"}},
	{"IORT", "Arm SMMU", "", []string{"arm-smmu.disable_bypass=0"}},
	{"VIOT", "virtio-iommu", "", nil},
}

// iommu examines whether the kernel uses an IOMMU.
func (e *examination) iommu(f *findings) {
	const subject = "IOMMU"
	groups := len(e.tree.names(groupsFolder))
	command := strings.Fields(e.tree.text("/proc/cmdline"))
	at := slices.IndexFunc(remappers, func(r remapper) bool { return e.tree.has(tablesFolder + "/" + r.table) })
	if groups > 0 {
		name := "an IOMMU"
		if at >= 0 {
			name = remappers[at].name
		}
		f.ok(subject, "%s is on, with %d groups", name, groups)
		return
	}
	if at < 0 {
		f.fail(subject, "systemctl reboot --firmware-setup, and enable VT-d, AMD-Vi or SMMU there; in a virtual machine, give it one",
			"none: there are no groups in %s, and the firmware announces no IOMMU (no DMAR or IVRS table)", groupsFolder)
		return
	}
	r := remappers[at]
	for _, word := range command {
		if slices.Contains(r.off, word) {
			f.fail(subject, e.removeFromCommandLine(word), "%s is there, and %s on the kernel's command line switches it off", r.name, word)
			return
		}
	}
	if r.on != "" && !slices.Contains(command, r.on) {
		f.fail(subject, e.addToCommandLine(r.on), "%s is there (%s table), and the kernel does not use it: its command line has no %s", r.name, r.table, r.on)
		return
	}
	f.fail(subject, "dmesg | grep -i -e "+r.table+" -e iommu", "%s is there (%s table), and the kernel has made no groups", r.name, r.table)
}

// addToCommandLine is the command that adds a word to the kernel's command line.
func (e *examination) addToCommandLine(word string) string {
	if !e.tree.has(grubFile) {
		return fmt.Sprintf("add %s to the kernel's command line in the boot loader, and restart", word)
	}
	return fmt.Sprintf(`sed -i 's/^GRUB_CMDLINE_LINUX="/&%s /' %s && update-grub && reboot`, word, grubFile)
}

// removeFromCommandLine is the command that takes one away.
func (e *examination) removeFromCommandLine(word string) string {
	if !e.tree.has(grubFile) {
		return fmt.Sprintf("take %s off the kernel's command line in the boot loader, and restart", word)
	}
	return fmt.Sprintf(`sed -i 's/\b%s\b//' %s && update-grub && reboot`, word, grubFile)
}

// vfioDriver examines whether the kernel has vfio-pci at hand.
func (e *examination) vfioDriver(f *findings) {
	const subject = "vfio-pci"
	if e.tree.has(vfioPCI) {
		f.ok(subject, "loaded")
		return
	}
	release := e.tree.text("/proc/sys/kernel/osrelease")
	modules := "/lib/modules/" + release + "/modules.dep"
	if e.tree.has(modules) && !e.tree.mentions(modules, "/vfio-pci.ko") {
		f.fail(subject, "install a kernel that has it: on Debian apt install linux-image-amd64, on Ubuntu apt install linux-modules-extra-"+release,
			"this kernel (%s) has no vfio-pci", release)
		return
	}
	f.fail(subject, "modprobe vfio-pci", "not loaded")
}

// vfioInterface examines the device nodes that VFIO is reached by.
func (e *examination) vfioInterface(f *findings) {
	const subject = "VFIO interface"
	container, fd := e.tree.has(vfioContainer), e.tree.has(iommufd)
	switch {
	case !container && !fd:
		f.fail(subject, "modprobe vfio-pci", "neither %s nor %s is there", vfioContainer, iommufd)
	case container && e.allowed(vfioContainer) == nil:
		if fd {
			f.ok(subject, "%s may be used; the kernel has iommufd too", vfioContainer)
		} else {
			f.ok(subject, "%s may be used; the kernel has no iommufd", vfioContainer)
		}
	case fd && e.allowed(iommufd) == nil:
		f.ok(subject, "%s may be used", iommufd)
	case container:
		f.fail(subject, "chmod 666 "+vfioContainer, "%s may not be used: %v", vfioContainer, e.allowed(vfioContainer))
	default:
		f.fail(subject, "chown $USER "+iommufd, "%s may not be used: %v", iommufd, e.allowed(iommufd))
	}
}

// allowed says why this process may not use a file, nil if it may.
func (e *examination) allowed(path string) error { return e.opts.Access(e.tree.path(path)) }

// lockedMemory examines how much memory this process may lock.
func (e *examination) lockedMemory(f *findings) {
	const subject = "locked memory"
	limit, known := e.lockLimit()
	switch {
	case e.tree.capable(capIPCLock):
		f.ok(subject, "as much as there is (CAP_IPC_LOCK)")
	case !known:
		f.warn(subject, "ulimit -l", "the limit cannot be read from /proc/self/limits")
	case limit < LockedMemory:
		f.fail(subject, "sudo prlimit --pid $$ --memlock=unlimited", "this process may lock %d KiB, and the driver needs %d KiB for rings and buffers", limit>>10, LockedMemory>>10)
	case limit == unlimited:
		f.ok(subject, "no limit")
	default:
		f.ok(subject, "%d KiB, and the driver needs %d KiB", limit>>10, LockedMemory>>10)
	}
}

const unlimited = ^uint64(0)

// lockLimit reads the soft limit in bytes.
func (e *examination) lockLimit() (uint64, bool) {
	for line := range strings.Lines(e.tree.text("/proc/self/limits")) {
		rest, ok := strings.CutPrefix(line, "Max locked memory")
		if !ok {
			continue
		}
		words := strings.Fields(rest)
		if len(words) == 0 {
			return 0, false
		}
		if words[0] == "unlimited" {
			return unlimited, true
		}
		n, err := strconv.ParseUint(words[0], 10, 64)
		return n, err == nil
	}
	return 0, false
}

// pagemap examines whether this process learns physical addresses.
func (e *examination) pagemap(f *findings) {
	const subject = "physical addresses"
	if e.tree.capable(capSysAdmin) {
		f.ok(subject, "this process may read them (CAP_SYS_ADMIN)")
		return
	}
	f.fail(subject, "run as root", "this process may not read them from /proc/self/pagemap")
}

// hugepages examines the smallest size of hugepage.
func (e *examination) hugepages(f *findings) {
	const subject = "hugepages"
	size, folder := 0, ""
	for _, name := range e.tree.names(hugepagesFolder) {
		text, ok := strings.CutSuffix(strings.TrimPrefix(name, "hugepages-"), "kB")
		n, err := strconv.Atoi(text)
		if ok && err == nil && (size == 0 || n < size) {
			size, folder = n, hugepagesFolder+"/"+name
		}
	}
	// VFIO works without; sysfs has no other contiguous memory.
	report, without := f.warn, "small pages do, with more entries in the IOMMU's tables"
	if e.opts.Way == Sysfs {
		report, without = f.fail, "the card needs memory at consecutive physical addresses, and only they are"
	}
	if size == 0 {
		report(subject, "use a kernel with CONFIG_HUGETLBFS", "this kernel has none: %s", without)
		return
	}
	need := LockedMemory >> 10 / size
	need = max(need, 1)
	free, _ := e.tree.number(folder + "/free_hugepages")
	if free >= need {
		f.ok(subject, "%d of %d KiB are free", free, size)
		return
	}
	total, _ := e.tree.number(folder + "/nr_hugepages")
	report(subject, fmt.Sprintf("echo %d > %s/nr_hugepages", total-free+2*need, folder), "%d of %d KiB are free, the driver has use for %d: %s", free, size, need, without)
}

// lockdown examines whether the kernel is locked down.
func (e *examination) lockdown(f *findings) {
	const subject = "kernel lockdown"
	mode := ""
	for _, word := range strings.Fields(e.tree.text(lockdownFile)) {
		if name, ok := strings.CutPrefix(word, "["); ok {
			mode = strings.TrimSuffix(name, "]")
		}
	}
	switch {
	case mode == "" || mode == "none":
		f.ok(subject, "off")
	case e.opts.Way == VFIO:
		f.ok(subject, "%s, which allows VFIO (and forbids sysfs)", mode)
	default:
		f.fail(subject, "use VFIO (espalier doctor ADDRESS), or switch Secure Boot off", "%s: the kernel lets nobody map a card through sysfs", mode)
	}
}
