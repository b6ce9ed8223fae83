// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/espalier-nic/espalier/driver/pcie/discover"
)

// files is a tree: the path of each file and its content. Content that begins
// with "-> " is a symbolic link's target, "/" makes a folder.
type files map[string]string

const (
	address = "0000:03:00.0"
	device  = "/sys/devices/pci0000:00/0000:00:1c.0/" + address
	port    = "/sys/devices/pci0000:00/0000:00:1c.0"
)

// config is a configuration space with a Command register and an MSI-X table.
func config(command byte, vectors int) string {
	c := make([]byte, 256)
	c[0x04] = command
	c[0x06], c[0x34] = 0x10, 0x40
	c[0x40], c[0x42] = 0x11, byte(vectors-1)
	return string(c)
}

const noBAR = "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"

func resource(bar0 string) string { return bar0 + "\n" + strings.Repeat(noBAR, 12) }

// function is the files of a PCI function.
func function(folder, ids, class, driver string, more files) files {
	vendor, dev, _ := strings.Cut(ids, ":")
	f := files{
		folder + "/vendor": "0x" + vendor + "\n", folder + "/device": "0x" + dev + "\n", folder + "/class": class + "\n", folder + "/irq": "0\n",
		folder + "/resource": resource(strings.TrimSpace(noBAR)), folder + "/config": config(0x07, 1),
		"/sys/bus/pci/devices/" + filepath.Base(folder): "-> ../../../.." + folder,
	}
	if driver != "" {
		f[folder+"/driver"] = "-> /sys/bus/pci/drivers/" + driver
	}
	for name, content := range more {
		f[folder+"/"+name] = content
	}
	return f
}

// good is a host on which a card can be used through VFIO.
func good() files {
	all := files{
		"/proc/cmdline":                  "BOOT_IMAGE=/vmlinuz root=/dev/sda1 intel_iommu=on quiet\n",
		"/proc/sys/kernel/osrelease":     "6.1.0-42-amd64\n",
		"/proc/self/limits":              "Limit                     Soft Limit           Hard Limit           Units     \nMax locked memory         67108864             67108864             bytes     \n",
		"/proc/self/status":              "Name:\tespalier\nCapEff:\t0000000000000000\n",
		"/sys/firmware/acpi/tables/DMAR": "DMAR", "/etc/default/grub": "GRUB_CMDLINE_LINUX=\"\"\n",
		"/sys/kernel/iommu_groups/1/devices/0000:00:1c.0":             "-> ../../../../devices/pci0000:00/0000:00:1c.0",
		"/sys/kernel/iommu_groups/17/devices/" + address:              "-> ../../../../.." + device,
		"/sys/kernel/iommu_groups/17/type":                            "DMA-FQ\n",
		"/sys/bus/pci/drivers/vfio-pci/bind":                          "",
		"/sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages": "0\n",
		"/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages":    "60\n",
		"/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages":      "64\n",
		"/sys/kernel/security/lockdown":                               "[none] integrity confidentiality\n",
		"/dev/vfio/vfio":                                              "", "/dev/vfio/17": "", "/dev/iommu": "",
		"/lib/modules/6.1.0-42-amd64/modules.dep": "kernel/drivers/vfio/pci/vfio-pci.ko: kernel/drivers/vfio/vfio.ko\n",
	}
	maps.Copy(all, function(port, "8086:a33c", "0x060400", "pcieport", nil))
	maps.Copy(all, function(device, "1234:4550", "0x020000", "vfio-pci", files{
		"resource":           resource("0x00000000fe000000 0x00000000fe03ffff 0x0000000000140204"),
		"config":             config(0x03, 8),
		"iommu_group":        "-> ../../../../kernel/iommu_groups/17",
		"current_link_speed": "8.0 GT/s PCIe\n", "max_link_speed": "8.0 GT/s PCIe\n",
		"current_link_width": "8\n", "max_link_width": "8\n",
		"reset_method": "flr bus\n",
	}))
	return all
}

// withNode is a good host whose kernel gives each card a node of iommufd.
func withNode() files {
	return good().with(files{device + "/vfio-dev/vfio0/dev": "511:0\n", "/dev/vfio/devices/vfio0": " "})
}

// goodSysfs is a host on which root can use a card through sysfs.
func goodSysfs() files {
	return good().with(files{
		device + "/driver": "", "/sys/kernel/iommu_groups/17/type": "identity\n", "/proc/self/status": "CapEff:\t000001ffffffffff\n",
	})
}

// with is the tree with changes; content "" removes a file or a folder.
func (f files) with(changes files) files {
	f = maps.Clone(f)
	for path, content := range changes {
		for name := range f {
			if content == "" && (name == path || strings.HasPrefix(name, path+"/")) {
				delete(f, name)
			}
		}
		if content != "" {
			f[path] = content
		}
	}
	return f
}

// write writes the tree and returns its root.
func (f files) write(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range f {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		switch target, isLink := strings.CutPrefix(content, "-> "); {
		case isLink:
			err = os.Symlink(target, path)
		case content == "/":
			err = os.MkdirAll(path, 0o755)
		default:
			err = os.WriteFile(path, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// denied refuses the files that end so.
func denied(endings ...string) func(string) error {
	return func(path string) error {
		for _, e := range endings {
			if strings.HasSuffix(path, e) {
				return fs.ErrPermission
			}
		}
		return nil
	}
}

// all are the findings of the host and of its only card, as a line each.
func all(r *Report) string {
	lines := ""
	for _, list := range append([][]Finding{r.Host}, cardFindings(r)...) {
		for _, f := range list {
			lines += string(f.Level) + " " + f.Subject + ": " + f.Text + " | " + f.Fix + "\n"
		}
	}
	return lines
}

func cardFindings(r *Report) (lists [][]Finding) {
	for _, c := range r.Cards {
		lists = append(lists, c.Findings)
	}
	return lists
}

func TestGoodHosts(t *testing.T) {
	for name, c := range map[string]struct {
		tree files
		opts Options
		warn int // findings that are warnings
	}{
		"VFIO":                {good(), Options{}, 0},
		"VFIO, one card":      {good(), Options{Address: "03:00.0"}, 0},
		"VFIO, AMD":           {good().with(files{"/sys/firmware/acpi/tables/DMAR": "", "/sys/firmware/acpi/tables/IVRS": "IVRS"}), Options{}, 0},
		"VFIO, unknown IOMMU": {good().with(files{"/sys/firmware/acpi": ""}), Options{}, 0},
		"VFIO, as root":       {good().with(files{"/proc/self/limits": "", "/proc/self/status": "CapEff:\t0000000000004000\n"}), Options{}, 0},
		"VFIO, no limit":      {good().with(files{"/proc/self/limits": "Max locked memory         unlimited            unlimited            bytes     \n"}), Options{}, 0},
		"VFIO, locked down":   {good().with(files{"/sys/kernel/security/lockdown": "none [integrity] confidentiality\n"}), Options{}, 0},
		"VFIO, iommufd only":  {good().with(files{"/dev/vfio/vfio": ""}), Options{}, 0},
		"VFIO, no iommufd":    {good().with(files{"/dev/iommu": ""}), Options{}, 0},
		"VFIO, no lockdown":   {good().with(files{"/sys/kernel/security": ""}), Options{}, 0},
		"VFIO, virtual":       {good().with(files{device + "/current_link_speed": "Unknown\n", device + "/current_link_width": "0\n"}), Options{}, 0},
		"VFIO, bus reset":     {good().with(files{device + "/reset_method": "bus\n"}), Options{}, 0},
		"VFIO, other IDs": {good().with(files{device + "/vendor": "0x10ee\n", device + "/device": "0x9038\n"}),
			Options{IDs: []discover.ID{{Vendor: 0x10ee, Device: 0x9038}}}, 0},
		"sysfs":               {goodSysfs(), Options{Way: Sysfs}, 1},
		"sysfs without IOMMU": {goodSysfs().with(files{"/sys/kernel/iommu_groups": "", device + "/iommu_group": ""}), Options{Way: Sysfs}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			c.opts.Root = c.tree.write(t)
			if c.opts.Access == nil {
				c.opts.Access = denied()
			}
			r, err := Examine(c.opts)
			if err != nil {
				t.Fatal(err)
			}
			text := all(r)
			if !r.Usable || len(r.Cards) != 1 || !r.Cards[0].Usable || r.Cards[0].Address != address {
				t.Errorf("not usable:\n%s", text)
			}
			if n := strings.Count(text, "\nwarn ") + strings.Count(text[:5], "warn "); n != c.warn || strings.Contains(text, "fail ") {
				t.Errorf("%d warnings, wanted are %d:\n%s", n, c.warn, text)
			}
		})
	}
}

// TestFindings: each thing that can be wrong is found alone, at its level, with
// the command that mends it.
func TestFindings(t *testing.T) {
	noGroups := files{"/sys/kernel/iommu_groups": "", device + "/iommu_group": ""}
	noIOMMU := func(more files) files { return good().with(noGroups).with(more) }
	for name, c := range map[string]struct {
		tree    files
		opts    Options
		usable  bool
		subject string
		level   Level
		text    string
		fix     string
	}{
		"no PCI":               {files{"/proc/cmdline": "x"}, Options{}, false, "PCI", Fail, "/sys/bus/pci/devices is not there", "mount -t sysfs"},
		"no card":              {good().with(files{device: "", "/sys/bus/pci/devices/" + address: ""}), Options{}, false, "cards", Fail, "1234:4550", "--pci-id"},
		"IOMMU not asked for":  {noIOMMU(files{"/proc/cmdline": "quiet"}), Options{}, false, "IOMMU", Fail, "has no intel_iommu=on", "&intel_iommu=on /' /etc/default/grub && update-grub"},
		"no grub":              {noIOMMU(files{"/proc/cmdline": "quiet", "/etc": ""}), Options{}, false, "IOMMU", Fail, "has no intel_iommu=on", "add intel_iommu=on"},
		"IOMMU off":            {noIOMMU(files{"/proc/cmdline": "intel_iommu=off quiet"}), Options{}, false, "IOMMU", Fail, "intel_iommu=off", `s/\bintel_iommu=off\b//`},
		"all IOMMUs off":       {noIOMMU(files{"/proc/cmdline": "iommu=off", "/etc": ""}), Options{}, false, "IOMMU", Fail, "iommu=off", "take iommu=off off"},
		"IOMMU fails":          {noIOMMU(nil), Options{}, false, "IOMMU", Fail, "made no groups", "dmesg"},
		"AMD off":              {noIOMMU(files{"/sys/firmware/acpi/tables/DMAR": "", "/sys/firmware/acpi/tables/IVRS": "x", "/proc/cmdline": "amd_iommu=off"}), Options{}, false, "IOMMU", Fail, "AMD-Vi is there, and amd_iommu=off", "amd_iommu=off"},
		"AMD not asked for":    {noIOMMU(files{"/sys/firmware/acpi/tables/DMAR": "", "/sys/firmware/acpi/tables/IVRS": "x"}), Options{}, false, "IOMMU", Fail, "AMD-Vi", "amd_iommu=on"},
		"Arm fails":            {noIOMMU(files{"/sys/firmware/acpi/tables/DMAR": "", "/sys/firmware/acpi/tables/IORT": "x"}), Options{}, false, "IOMMU", Fail, "Arm SMMU", "dmesg"},
		"no IOMMU":             {noIOMMU(files{"/sys/firmware": ""}), Options{}, false, "IOMMU", Fail, "no DMAR or IVRS", "firmware-setup"},
		"in no group":          {noIOMMU(nil), Options{}, false, "IOMMU group", Fail, "in none", "above"},
		"vfio-pci not loaded":  {good().with(files{"/sys/bus/pci/drivers/vfio-pci": "", device + "/driver": ""}), Options{}, false, "vfio-pci", Fail, "not loaded", "modprobe vfio-pci"},
		"kernel without VFIO":  {good().with(files{"/sys/bus/pci/drivers/vfio-pci": "", "/lib/modules/6.1.0-42-amd64/modules.dep": "kernel/fs/fat.ko:\n"}), Options{}, false, "vfio-pci", Fail, "6.1.0-42-amd64", "linux-modules-extra-6.1.0-42-amd64"},
		"kernel unknown":       {good().with(files{"/sys/bus/pci/drivers/vfio-pci": "", "/lib": ""}), Options{}, false, "vfio-pci", Fail, "not loaded", "modprobe vfio-pci"},
		"no VFIO interface":    {good().with(files{"/dev/vfio/vfio": "", "/dev/iommu": ""}), Options{}, false, "VFIO interface", Fail, "neither", "modprobe vfio-pci"},
		"container forbidden":  {good().with(files{"/dev/iommu": ""}), Options{Access: denied("/dev/vfio/vfio")}, false, "VFIO interface", Fail, "permission", "chmod 666 /dev/vfio/vfio"},
		"iommufd forbidden":    {good().with(files{"/dev/vfio/vfio": ""}), Options{Access: denied("/dev/iommu")}, false, "VFIO interface", Fail, "permission", "chown $USER /dev/iommu"},
		"group forbidden":      {good(), Options{Access: denied("/dev/vfio/17")}, false, "rights", Fail, "/dev/vfio/17 may not be used: permission", "chown $USER /dev/vfio/17"},
		"group node missing":   {good().with(files{"/dev/vfio/17": ""}), Options{}, false, "rights", Fail, "/dev/vfio/17 is not there", "modprobe vfio"},
		"little locked memory": {good().with(files{"/proc/self/limits": "Max locked memory         8388608              8388608              bytes     \n"}), Options{}, false, "locked memory", Fail, "8192 KiB, and the driver needs 32768 KiB", "prlimit --pid $$ --memlock=unlimited"},
		"limits unreadable":    {good().with(files{"/proc/self/limits": "Max locked memory\n"}), Options{}, true, "locked memory", Warn, "cannot be read", "ulimit -l"},
		"no hugepages free":    {good().with(files{"/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages": "3\n"}), Options{}, true, "hugepages", Warn, "3 of 2048 KiB are free, the driver has use for 16", "echo 93 > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"},
		"no hugepages at all":  {good().with(files{"/sys/kernel/mm/hugepages": ""}), Options{}, true, "hugepages", Warn, "has none", "CONFIG_HUGETLBFS"},
		"huge hugepages":       {good().with(files{"/sys/kernel/mm/hugepages/hugepages-2048kB": ""}), Options{}, true, "hugepages", Warn, "0 of 1048576 KiB are free, the driver has use for 1", "hugepages-1048576kB/nr_hugepages"},

		"group with a disk": {good().with(function("/sys/devices/pci0000:00/0000:00:1c.0/0000:03:00.1", "8086:1521", "0x010601", "ahci", nil)).with(files{
			"/sys/kernel/iommu_groups/17/devices/0000:03:00.1": "-> x"}), Options{}, false, "IOMMU group", Fail, "0000:03:00.1 (driver ahci)", "0000:03:00.1/driver/unbind"},
		"group with an idle one": {good().with(function("/sys/devices/pci0000:00/0000:00:1c.0/0000:03:00.1", "8086:1521", "0x020000", "", nil)).with(files{
			"/sys/kernel/iommu_groups/17/devices/0000:03:00.1": "-> x"}), Options{}, true, "IOMMU group", Warn, "0000:03:00.1", "slot"},
		"group with a bridge": {good().with(files{"/sys/kernel/iommu_groups/17/devices/0000:00:1c.0": "-> x"}), Options{}, true, "IOMMU group", OK, "17, for itself", ""},

		"made-up group":    {good().with(files{"/sys/kernel/iommu_groups/17/name": "vfio-noiommu\n"}), Options{}, false, "IOMMU group", Fail, "no-IOMMU mode", "enable_unsafe_noiommu_mode"},
		"iommufd's node":   {withNode(), Options{Access: denied("/dev/vfio/17")}, true, "rights", OK, "/dev/vfio/devices/vfio0 and /dev/iommu", ""},
		"node forbidden":   {withNode(), Options{Access: denied("/dev/vfio/devices/vfio0", "/dev/vfio/17")}, false, "rights", Fail, "/dev/vfio/17 may not be used", "chown"},
		"group by default": {withNode(), Options{Access: denied("/dev/vfio/devices/vfio0")}, true, "rights", OK, "/dev/vfio/17 may be used", ""},
		"special driver":   {good().with(files{device + "/driver": "-> /sys/bus/pci/drivers/mlx5_vfio_pci"}), Options{}, true, "driver", OK, "mlx5_vfio_pci", ""},

		"no driver":      {good().with(files{device + "/driver": ""}), Options{}, false, "driver", Fail, "none is bound", "echo vfio-pci > /sys/bus/pci/devices/0000:03:00.0/driver_override && echo 0000:03:00.0 > /sys/bus/pci/drivers_probe"},
		"other driver":   {good().with(files{device + "/driver": "-> /sys/bus/pci/drivers/xdma"}), Options{}, false, "driver", Fail, "xdma is bound", "driver_override && echo 0000:03:00.0 > /sys/bus/pci/devices/0000:03:00.0/driver/unbind && echo"},
		"no MSI-X":       {good().with(files{device + "/config": strings.Repeat("\x00", 256)}), Options{}, false, "MSI-X", Fail, "has none", "boards.md"},
		"MSI-X unseen":   {good().with(files{device + "/config": config(3, 8)[:64]}), Options{}, true, "MSI-X", Warn, "only root", "sudo espalier doctor 0000:03:00.0"},
		"gone":           {good().with(files{device + "/config": strings.Repeat("\xff", 256)}), Options{}, false, "identity", Fail, "all ones", "/sys/bus/pci/rescan"},
		"not ours":       {good().with(files{device + "/device": "0x1521\n"}), Options{Address: address}, false, "identity", Fail, "1234:1521", "--pci-id 1234:1521 0000:03:00.0"},
		"small BAR":      {good().with(files{device + "/resource": resource("0x00000000fe000000 0x00000000fe000fff 0x0000000000140204")}), Options{}, false, "identity", Fail, "4096 bytes", "256 KiB"},
		"BAR of ports":   {good().with(files{device + "/resource": resource("0x00000000fe000000 0x00000000fe03ffff 0x0000000000040101")}), Options{}, false, "identity", Fail, "BAR 0", "256 KiB"},
		"BAR not placed": {good().with(files{device + "/resource": resource("0x0000000000000000 0x000000000003ffff 0x0000000000140204")}), Options{}, false, "identity", Fail, "no address", "pci=realloc"},
		"bridge deaf":    {good().with(files{port + "/config": config(0x03, 1)}), Options{}, false, "bus mastering", Fail, "0000:00:1c.0", "setpci -s 0000:00:1c.0 COMMAND=4:4"},
		"mastering":      {good().with(files{device + "/config": config(0x07, 8)}), Options{}, true, "bus mastering", OK, "on", ""},
		"narrow link":    {good().with(files{device + "/current_link_width": "4\n"}), Options{}, true, "PCIe link", Warn, "x4 at 8 GT/s, and the card can do x8", "lspci -vv -s 0000:03:00.0"},
		"slow link":      {good().with(files{device + "/current_link_speed": "2.5 GT/s PCIe\n"}), Options{}, true, "PCIe link", Warn, "x8 at 2.5 GT/s", "LnkSta"},
		"no reset":       {good().with(files{device + "/reset_method": ""}), Options{}, true, "reset", Warn, "no way to reset", "function-level reset"},

		"sysfs, translated": {goodSysfs().with(files{"/sys/kernel/iommu_groups/17/type": "DMA\n"}), Options{Way: Sysfs}, false, "IOMMU", Fail, `type "DMA"`, "echo identity > /sys/kernel/iommu_groups/17/type"},
		"sysfs, bound":      {goodSysfs().with(files{device + "/driver": "-> /sys/bus/pci/drivers/xdma"}), Options{Way: Sysfs}, false, "driver", Fail, "xdma", "echo 0000:03:00.0 > /sys/bus/pci/devices/0000:03:00.0/driver/unbind"},
		"sysfs, not root":   {goodSysfs().with(files{"/proc/self/status": "CapEff:\t0000000000000000\n"}), Options{Way: Sysfs}, false, "physical addresses", Fail, "pagemap", "root"},
		"sysfs, no rights":  {goodSysfs(), Options{Way: Sysfs, Access: denied("/resource0")}, false, "rights", Fail, "resource0 may not be used", "root"},
		"sysfs, hugepages":  {goodSysfs().with(files{"/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages": "0\n"}), Options{Way: Sysfs}, false, "hugepages", Fail, "consecutive physical addresses", "nr_hugepages"},
		"sysfs, locked":     {goodSysfs().with(files{"/sys/kernel/security/lockdown": "none [integrity] confidentiality\n"}), Options{Way: Sysfs}, false, "kernel lockdown", Fail, "integrity", "VFIO"},
		"sysfs, warned":     {goodSysfs(), Options{Way: Sysfs}, true, "sysfs", Warn, "no IOMMU", "VFIO"},
	} {
		t.Run(name, func(t *testing.T) {
			c.opts.Root = c.tree.write(t)
			if c.opts.Access == nil {
				c.opts.Access = denied()
			}
			r, err := Examine(c.opts)
			if err != nil {
				t.Fatal(err)
			}
			if r.Usable != c.usable {
				t.Errorf("usable is %v:\n%s", r.Usable, all(r))
			}
			found := false
			for _, list := range append([][]Finding{r.Host}, cardFindings(r)...) {
				for _, f := range list {
					if f.Subject != c.subject {
						continue
					}
					found = true
					if f.Level != c.level || !strings.Contains(f.Text, c.text) || !strings.Contains(f.Fix, c.fix) || (f.Fix == "") != (f.Level == OK) {
						t.Errorf("%s is %s: %q, fix %q", f.Subject, f.Level, f.Text, f.Fix)
					}
				}
			}
			if !found {
				t.Errorf("nothing about %s:\n%s", c.subject, all(r))
			}
		})
	}
}

// TestManyCards: one that is not fit makes the whole unfit, and says so itself.
func TestManyCards(t *testing.T) {
	tree := good().with(function("/sys/devices/pci0000:00/0000:00:1d.0/0000:04:00.0", "1234:4550", "0x020000", "", files{
		"resource": resource("0x00000000fd000000 0x00000000fd03ffff 0x0000000000140204"), "iommu_group": "-> ../../../../kernel/iommu_groups/18",
	}))
	r, err := Examine(Options{Root: tree.write(t), Access: denied()})
	if err != nil || r.Usable || len(r.Cards) != 2 || !r.Cards[0].Usable || r.Cards[1].Usable || !fit(r.Host) {
		t.Errorf("%v %+v", err, r)
	}
}

func TestAddresses(t *testing.T) {
	root := good().write(t)
	if _, err := Examine(Options{Root: root, Address: "0000:09:00.0"}); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "espalier devices") {
		t.Errorf("no such card: %v", err)
	}
	if _, err := Examine(Options{Root: root, Address: "eth0"}); !errors.Is(err, discover.ErrAddress) {
		t.Errorf("no address: %v", err)
	}
}

// TestThisMachine: whatever this machine is, it can be examined.
func TestThisMachine(t *testing.T) {
	for _, way := range []Way{VFIO, Sysfs} {
		r, err := Examine(Options{Way: way})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Host) == 0 || r.Usable && len(r.Cards) == 0 {
			t.Errorf("%s: %+v", way, r)
		}
		t.Log("\n" + all(r))
	}
}
