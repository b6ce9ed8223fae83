// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/discover"
)

// card examines one card.
func (e *examination) card(c *discover.Function) Card {
	var f findings
	e.identity(&f, c)
	if e.opts.Way == VFIO {
		e.group(&f, c)
		e.bound(&f, c)
		e.interrupts(&f, c)
	} else {
		e.translation(&f, c)
		e.unbound(&f, c)
		e.files(&f, c)
	}
	e.bridge(&f, c)
	e.link(&f, c)
	e.reset(&f, c)
	return Card{Address: c.Address, ID: c.ID.String(), Findings: f, Usable: fit(f)}
}

// rescan finds a card again whose state is beyond repair.
func rescan(c *discover.Function) string {
	return fmt.Sprintf("echo 1 > %s/%s/remove && echo 1 > /sys/bus/pci/rescan", discover.SysfsDevices, c.Address)
}

// gone is what the Command register reads as when the card does not answer.
const gone = 0xFFFF

// identity examines what the card says of itself.
func (e *examination) identity(f *findings, c *discover.Function) {
	const subject = "identity"
	bar := c.BARs[pcie.RegisterBAR]
	switch {
	case c.Command == gone:
		f.fail(subject, rescan(c), "the card does not answer: its configuration space reads as all ones")
	case !slices.Contains(e.opts.IDs, c.ID):
		f.fail(subject, "if it is one: espalier doctor --pci-id "+c.ID.String()+" "+c.Address+", and the same flag wherever it is opened",
			"its IDs are %v, and a NIC of ours has %s", c.ID, idList(e.opts.IDs))
	case bar.Size < pcie.RegisterBARSize || bar.IO:
		f.fail(subject, "make BAR 0 of the PCIe block 256 KiB of memory (docs/boards.md)", "BAR %d has %d bytes, the NIC's registers need %d", pcie.RegisterBAR, bar.Size, pcie.RegisterBARSize)
	case bar.Base == 0:
		f.fail(subject, rescan(c)+"; if that does not help, add pci=realloc to the kernel's command line", "BAR %d was given no address", pcie.RegisterBAR)
	default:
		f.ok(subject, "%v, BAR %d has %d KiB", c.ID, pcie.RegisterBAR, bar.Size>>10)
	}
}

// group examines the card's IOMMU group: all of its functions must be out of the
// kernel's hands.
func (e *examination) group(f *findings, c *discover.Function) {
	const subject = "IOMMU group"
	if c.IOMMUGroup < 0 {
		f.fail(subject, "switch the IOMMU on (above)", "the card is in none")
		return
	}
	if e.tree.text(fmt.Sprintf("%s/%d/name", groupsFolder, c.IOMMUGroup)) == "vfio-noiommu" {
		f.fail(subject, "switch the IOMMU on (above), and VFIO's mode off: echo N > /sys/module/vfio/parameters/enable_unsafe_noiommu_mode",
			"group %d is one that VFIO made up in its no-IOMMU mode, which keeps the card from nothing", c.IOMMUGroup)
		return
	}
	var others, taken []string
	for _, name := range e.tree.names(fmt.Sprintf("%s/%d/devices", groupsFolder, c.IOMMUGroup)) {
		if name == c.Address {
			continue
		}
		other, err := discover.LookupIn(e.tree.path(discover.SysfsDevices), name)
		if err != nil || other.Class>>16 == classBridge {
			continue // bridges stay with the kernel
		}
		others = append(others, name)
		if other.Driver != "" && other.Driver != "pci-stub" && !isVFIO(other.Driver) {
			taken = append(taken, fmt.Sprintf("%s (driver %s)", name, other.Driver))
		}
	}
	switch {
	case len(taken) > 0:
		first, _, _ := strings.Cut(taken[0], " ")
		f.fail(subject, fmt.Sprintf("echo %[1]s > %[2]s/%[1]s/driver/unbind, or put the card into a slot whose group it has for itself", first, discover.SysfsDevices),
			"group %d holds what the kernel uses as well: %s", c.IOMMUGroup, strings.Join(taken, ", "))
	case len(others) > 0:
		f.warn(subject, "put the card into a slot whose group it has for itself", "group %d holds others too, which cannot be kept apart from the card: %s", c.IOMMUGroup, strings.Join(others, ", "))
	default:
		f.ok(subject, "group %d, for itself", c.IOMMUGroup)
	}
}

// isVFIO says whether a driver hands its functions to programs: vfio-pci, and
// those that some kinds of devices have instead.
func isVFIO(driver string) bool {
	return driver == "vfio-pci" || strings.HasSuffix(driver, "-vfio-pci") || strings.HasSuffix(driver, "_vfio_pci")
}

// classBridge is the base class of bridges.
const classBridge = 0x06

// BindCommands are the shell commands that bind a card to vfio-pci.
func BindCommands(c *discover.Function) string {
	folder := discover.SysfsDevices + "/" + c.Address
	command := "modprobe vfio-pci && echo vfio-pci > " + folder + "/driver_override"
	if c.Driver != "" {
		command += " && echo " + c.Address + " > " + folder + "/driver/unbind"
	}
	return command + " && echo " + c.Address + " > /sys/bus/pci/drivers_probe"
}

// bound examines whether vfio-pci has the card, and this process may use it.
func (e *examination) bound(f *findings, c *discover.Function) {
	const subject = "driver"
	switch {
	case isVFIO(c.Driver):
		f.ok(subject, "%s is bound", c.Driver)
		if c.IOMMUGroup >= 0 {
			e.nodes(f, c)
		}
	case c.Driver == "":
		f.fail(subject, BindCommands(c), "none is bound, and VFIO needs vfio-pci")
	default:
		f.fail(subject, BindCommands(c), "%s is bound, and VFIO needs vfio-pci", c.Driver)
	}
}

// nodes examines the device nodes of a card that VFIO has: that of iommufd, else
// that of its group, as package vfio takes them.
func (e *examination) nodes(f *findings, c *discover.Function) {
	const subject = "rights"
	if names := e.tree.names(discover.SysfsDevices + "/" + c.Address + "/vfio-dev"); len(names) == 1 {
		node := "/dev/vfio/devices/" + names[0]
		if e.tree.has(node) && e.tree.has(iommufd) && e.allowed(node) == nil && e.allowed(iommufd) == nil {
			f.ok(subject, "%s and %s may be used", node, iommufd)
			return
		}
	}
	node := fmt.Sprintf("/dev/vfio/%d", c.IOMMUGroup)
	switch err := e.allowed(node); {
	case !e.tree.has(node):
		f.fail(subject, "modprobe vfio-pci && udevadm trigger", "%s is not there", node)
	case err != nil:
		f.fail(subject, "sudo chown $USER "+node, "%s may not be used: %v", node, err)
	default:
		f.ok(subject, "%s may be used", node)
	}
}

// interrupts examines the card's MSI-X table.
func (e *examination) interrupts(f *findings, c *discover.Function) {
	const subject = "MSI-X"
	switch {
	case c.Vectors > 0:
		f.ok(subject, "%d vectors, which the queues share", c.Vectors)
	case !c.WholeConfig:
		f.warn(subject, "sudo espalier doctor "+c.Address, "cannot be told: only root sees all of configuration space")
	default:
		f.fail(subject, "give the PCIe block an MSI-X capability (docs/boards.md), or drive the card through sysfs, which only polls", "the card has none, and VFIO has no other interrupts for it")
	}
}

// translation examines, for sysfs, whether an IOMMU changes the card's addresses.
func (e *examination) translation(f *findings, c *discover.Function) {
	const subject = "IOMMU"
	if c.IOMMUGroup < 0 {
		f.ok(subject, "off: the card's addresses are physical")
		return
	}
	file := fmt.Sprintf("%s/%d/type", groupsFolder, c.IOMMUGroup)
	if kind := e.tree.text(file); kind != "identity" {
		f.fail(subject, "use VFIO (espalier doctor "+c.Address+"), or: echo identity > "+file, "it translates the card's addresses (group %d, type %q), so physical ones lead nowhere", c.IOMMUGroup, kind)
		return
	}
	f.ok(subject, "passes the card's addresses through (group %d)", c.IOMMUGroup)
}

// unbound examines, for sysfs, that no kernel driver has the card.
func (e *examination) unbound(f *findings, c *discover.Function) {
	const subject = "driver"
	if c.Driver == "" {
		f.ok(subject, "none is bound")
		return
	}
	f.fail(subject, fmt.Sprintf("echo %[1]s > %[2]s/%[1]s/driver/unbind", c.Address, discover.SysfsDevices), "%s is bound and uses the card", c.Driver)
}

// files examines, for sysfs, the card's files.
func (e *examination) files(f *findings, c *discover.Function) {
	const subject = "rights"
	for _, name := range []string{"config", fmt.Sprintf("resource%d", pcie.RegisterBAR)} {
		file := discover.SysfsDevices + "/" + c.Address + "/" + name
		if err := e.allowed(file); err != nil {
			f.fail(subject, "run as root", "%s may not be used: %v", file, err)
			return
		}
	}
	f.ok(subject, "configuration space and BAR %d may be used", pcie.RegisterBAR)
}

// bridge examines whether what is above the card lets its accesses pass.
func (e *examination) bridge(f *findings, c *discover.Function) {
	const subject = "bus mastering"
	own := "off until the driver switches it on"
	if c.Command&pcie.CommandBusMaster != 0 {
		own = "on"
	}
	real, err := filepath.EvalSymlinks(c.Path)
	if err == nil {
		if above, err := discover.LookupIn(e.tree.path(discover.SysfsDevices), filepath.Base(filepath.Dir(real))); err == nil && above.Command&pcie.CommandBusMaster == 0 {
			f.fail(subject, "setpci -s "+above.Address+" COMMAND=4:4", "%s; the bridge above, %s, passes none of the card's accesses to memory", own, above.Address)
			return
		}
	}
	f.ok(subject, "%s", own)
}

// link examines whether the card's link is as wide and fast as it can be.
func (e *examination) link(f *findings, c *discover.Function) {
	const subject = "PCIe link"
	folder := discover.SysfsDevices + "/" + c.Address + "/"
	speed, most := gigatransfers(e.tree.text(folder+"current_link_speed")), gigatransfers(e.tree.text(folder+"max_link_speed"))
	width, _ := e.tree.number(folder + "current_link_width")
	widest, _ := e.tree.number(folder + "max_link_width")
	switch {
	case speed == 0 || width == 0:
		f.ok(subject, "not stated")
	case speed < most || width < widest && widest < unknownWidth:
		f.warn(subject, "lspci -vv -s "+c.Address+" | grep -e LnkCap -e LnkSta; reseat the card, or use a slot that has what it can",
			"x%d at %v GT/s, and the card can do x%d at %v GT/s", width, speed, widest, most)
	default:
		f.ok(subject, "x%d at %v GT/s, all that the card can do", width, speed)
	}
}

// unknownWidth is what Linux states where a link says nothing of its width.
const unknownWidth = 255

// gigatransfers reads a link's speed such as "8.0 GT/s PCIe"; 0 if it says none.
func gigatransfers(s string) float64 {
	number, _, _ := strings.Cut(s, " ")
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || !(v > 0) {
		return 0
	}
	return v
}

// reset examines whether the kernel can reset the card by itself.
func (e *examination) reset(f *findings, c *discover.Function) {
	const subject = "reset"
	folder := discover.SysfsDevices + "/" + c.Address
	methods := strings.Fields(e.tree.text(folder + "/reset_method"))
	switch {
	case slices.Contains(methods, "flr"):
		f.ok(subject, "function-level")
	case len(methods) > 0 || e.tree.has(folder+"/reset"):
		f.ok(subject, "by other means than FLR (%s)", strings.Join(methods, ", "))
	default:
		f.warn(subject, "give the PCIe block function-level reset (docs/boards.md)", "the kernel has no way to reset the card alone, so one that hangs needs a restart")
	}
}
