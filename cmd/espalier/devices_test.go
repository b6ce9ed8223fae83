// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/espalier-nic/espalier/driver/pcie/doctor"
)

// host writes the files of a machine with two cards, one bound to vfio-pci, and
// lets the commands look there.
func host(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	config := make([]byte, 256)
	config[0x04], config[0x06], config[0x34] = 3, 0x10, 0x40
	config[0x40], config[0x42] = 0x11, 7
	bars := "0x00000000fe000000 0x00000000fe03ffff 0x0000000000140204\n" + strings.Repeat("0x0000000000000000 0x0000000000000000 0x0000000000000000\n", 12)
	files := map[string]string{
		"proc/self/limits":                  "Max locked memory         unlimited            unlimited            bytes     \n",
		"sys/bus/pci/drivers/vfio-pci/bind": "", "dev/vfio/vfio": "", "dev/vfio/17": "",
		"sys/kernel/iommu_groups/17/devices/0000:03:00.0":         "",
		"sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages": "16",
	}
	for address, id := range map[string]string{"0000:03:00.0": "4550", "0000:04:00.0": "9038"} {
		folder := "sys/bus/pci/devices/" + address + "/"
		for name, content := range map[string]string{
			"vendor": "0x1234", "device": "0x" + id, "class": "0x020000", "irq": "0", "resource": bars, "config": string(config), "numa_node": "1", "reset_method": "flr",
		} {
			files[folder+name] = content
		}
	}
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	folder := filepath.Join(root, "sys/bus/pci/devices/0000:03:00.0")
	for name, target := range map[string]string{"driver": "../../drivers/vfio-pci", "iommu_group": "../../../../kernel/iommu_groups/17"} {
		if err := os.Symlink(target, filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	devices, before := devicesFolder, doctorRoot
	t.Cleanup(func() { devicesFolder, doctorRoot = devices, before })
	devicesFolder, doctorRoot = filepath.Join(root, "sys/bus/pci/devices"), root
	return root
}

func TestDevices(t *testing.T) {
	host(t)
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"ours":            {nil, []string{"0000:03:00.0", "1234:4550 rev 00", "0: 256 KiB", "vfio-pci", "17", "espalier run --device 0000:03:00.0"}},
		"another's":       {[]string{"--id", "1234:9038"}, []string{"0000:04:00.0", "espalier doctor 0000:04:00.0 --pci-id 1234:9038"}},
		"another as ours": {[]string{"--pci-id", "1234:9038"}, []string{"espalier doctor 0000:04:00.0 │"}},
		"both":            {[]string{"--id", "1234:9038,1234:4550"}, []string{"0000:03:00.0", "0000:04:00.0"}},
		"none":            {[]string{"--id", "8086:1521", "--id", "8086:1522"}, []string{"none found", "8086:1521 or 8086:1522", "lspci"}},
		"none, as JSON":   {[]string{"--id", "8086:1521", "--json"}, []string{"[]\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			out, _, err := espalier(t, t.TempDir(), "", append([]string{"devices"}, c.args...)...)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("lacks %q:\n%s", want, out)
				}
			}
		})
	}
	out, _, err := espalier(t, t.TempDir(), "", "devices", "--json")
	var rows []deviceRow
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(out), &rows); err != nil || len(rows) != 1 {
		t.Fatalf("%v:\n%s", err, out)
	}
	if r := rows[0]; r.Address != "0000:03:00.0" || r.ID != "1234:4550" || *r.Vectors != 8 || *r.IOMMUGroup != 17 || *r.NUMANode != 1 || len(r.BARs) != 1 || r.BARs[0].Size != 256<<10 || r.BARs[0].Base != "0xfe000000" {
		t.Errorf("%s", out)
	}
	if _, _, err := espalier(t, t.TempDir(), "", "devices", "--id", "x"); err == nil || !strings.Contains(err.Error(), "--id") {
		t.Errorf("wrong ID: %v", err)
	}
}

func TestDoctor(t *testing.T) {
	root := host(t)
	out, _, err := espalier(t, t.TempDir(), "", "doctor", "03:00.0")
	if err != nil || !strings.Contains(out, "usable: espalier run --device 0000:03:00.0") || strings.Contains(out, "FAIL") {
		t.Errorf("a good host: %v\n%s", err, out)
	}
	out, _, err = espalier(t, t.TempDir(), "", "doctor", "--json")
	var report doctor.Report
	if err != nil || json.Unmarshal([]byte(out), &report) != nil || !report.Usable || len(report.Cards) != 1 || report.Way != doctor.VFIO {
		t.Errorf("JSON: %v\n%s", err, out)
	}
	if err := os.Remove(filepath.Join(root, "sys/bus/pci/devices/0000:03:00.0/driver")); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"not bound": {[]string{"0000:03:00.0"}, []string{"driver", "FAIL", "driver: modprobe vfio-pci && echo vfio-pci > /sys/bus/pci/devices/0000:03:00.0/driver_override"}},
		"not ours":  {[]string{"0000:04:00.0"}, []string{"--pci-id 1234:9038 0000:04:00.0"}},
		"as JSON":   {[]string{"--json", "vfio:03:00.0"}, []string{`"usable": false`, `"level": "fail"`}},
		"sysfs":     {[]string{"sysfs:03:00.0"}, []string{"host, for sysfs", "no interrupts"}},
	} {
		t.Run(name, func(t *testing.T) {
			out, _, err := espalier(t, t.TempDir(), "", append([]string{"doctor"}, c.args...)...)
			if !errors.Is(err, errUnfit) {
				t.Errorf("error %v", err)
			}
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("lacks %q:\n%s", want, out)
				}
			}
		})
	}
	for name, want := range map[string]string{"eth0": `"eth0"`, "sysfs:3": `"sysfs:3"`, "05:00.0": "espalier devices", "gonic": "PCI address"} {
		if _, _, err := espalier(t, t.TempDir(), "", "doctor", name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDoctorBinds: a card of ours is bound, after saying so; nothing else is.
func TestDoctorBinds(t *testing.T) {
	root := host(t)
	driver := filepath.Join(root, "sys/bus/pci/devices/0000:03:00.0/driver")
	var bound []string
	before := bindVFIO
	t.Cleanup(func() { bindVFIO = before })
	bindVFIO = func(address string) error {
		bound = append(bound, address)
		return os.Symlink("../../drivers/vfio-pci", driver)
	}
	if _, stderr, err := espalier(t, t.TempDir(), "", "doctor", "--bind", "03:00.0"); err != nil || len(bound) != 0 || stderr != "" {
		t.Errorf("a card that is bound: %v, %q, bound %v", err, stderr, bound)
	}
	if err := os.Remove(driver); err != nil {
		t.Fatal(err)
	}
	out, stderr, err := espalier(t, t.TempDir(), "", "doctor", "--bind", "03:00.0")
	if err != nil || len(bound) != 1 || bound[0] != "0000:03:00.0" || !strings.Contains(stderr, "binding vfio-pci to 0000:03:00.0") || !strings.Contains(out, "usable") {
		t.Errorf("a card without a driver: %v, %q, bound %v\n%s", err, stderr, bound, out)
	}
	if err := errors.Join(os.Remove(driver), os.Symlink("../../drivers/xdma", driver)); err != nil {
		t.Fatal(err)
	}
	bindVFIO = func(string) error { return errors.New("root is needed") }
	if _, stderr, err := espalier(t, t.TempDir(), "", "doctor", "--bind", "03:00.0"); err == nil || !strings.Contains(err.Error(), "root is needed") || !strings.Contains(stderr, "from the driver xdma") {
		t.Errorf("binding that fails: %v, %q", err, stderr)
	}
	for name, want := range map[string]string{"": "ADDRESS", "sysfs:03:00.0": "ADDRESS", "04:00.0": "no NIC of ours", "05:00.0": "none at this address"} {
		if _, _, err := espalier(t, t.TempDir(), "", append([]string{"doctor", "--bind"}, strings.Fields(name)...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", name, err)
		}
	}
}
