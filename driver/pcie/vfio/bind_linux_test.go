// SPDX-License-Identifier: Apache-2.0

package vfio

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/driver/pcie/discover"
)

// withDrivers makes a kernel do what writes to sysfs ask for: igb takes our
// cards unless an override says otherwise.
func withDrivers(k *fakeKernel) {
	driver := func() string {
		f, err := discover.LookupIn(k.path(discover.SysfsDevices), cardAddress)
		if err != nil {
			k.t.Fatal(err)
		}
		return f.Driver
	}
	const folder = "/sys/bus/pci/devices/" + cardAddress + "/"
	k.onWrite = func(path, content string) {
		switch path {
		case folder + "driver_override":
			if content = strings.TrimSpace(content); content == "(null)" {
				k.t.Error("the driver \"(null)\" is asked for")
			}
			if content == "" {
				content = "(null)"
			}
			k.file(path, content+"\n")
		case folder + "driver/unbind":
			k.setDriver(cardAddress, "")
		case "/sys/bus/pci/drivers/igb/bind":
			k.setDriver(cardAddress, "igb")
		case "/sys/bus/pci/drivers_probe":
			if driver() != "" {
				return
			}
			override, err := os.ReadFile(k.path(folder + "driver_override"))
			if err != nil {
				k.t.Fatal(err)
			}
			if wanted := strings.TrimSpace(string(override)); wanted == "(null)" {
				k.setDriver(cardAddress, "igb")
			} else if wanted != "refused" {
				k.setDriver(cardAddress, wanted)
			}
		default:
			k.t.Errorf("%q is written to %s", content, path)
		}
	}
}

// state is what Bind changes.
func state(t *testing.T, k *fakeKernel) string {
	t.Helper()
	f, err := discover.LookupIn(k.path(discover.SysfsDevices), cardAddress)
	if err != nil {
		t.Fatal(err)
	}
	override, err := os.ReadFile(filepath.Join(f.Path, "driver_override"))
	if err != nil {
		t.Fatal(err)
	}
	return f.Driver + " " + strings.TrimSpace(string(override))
}

func TestBind(t *testing.T) {
	for _, c := range []struct{ driver, override, during string }{
		{"igb", "", "vfio-pci vfio-pci"},
		{"", "", "vfio-pci vfio-pci"},
		{"igb", "igb", "vfio-pci vfio-pci"},
		{"", "none", "vfio-pci vfio-pci"},
		{vfioPCI, vfioPCI, "vfio-pci vfio-pci"},
		{vfioPCI, "", "vfio-pci (null)"}, // bound by ID: left alone
	} {
		k := newKernel(t)
		withDrivers(k)
		k.setDriver(cardAddress, c.driver)
		k.onWrite("/sys/bus/pci/devices/"+cardAddress+"/driver_override", c.override)
		before := state(t, k)
		b, err := bind(k, "03:00.0")
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		if got := state(t, k); got != c.during {
			t.Errorf("%+v: %q while bound, want %q", c, got, c.during)
		}
		for range 2 {
			if err := b.Restore(); err != nil {
				t.Errorf("%+v: %v", c, err)
			}
		}
		if after := state(t, k); after != before {
			t.Errorf("%+v: %q before, %q after", c, before, after)
		}
	}
}

// TestBindFailures: whatever fails, all is as before.
func TestBindFailures(t *testing.T) {
	for _, prefix := range []string{`write "vfio-pci\n"`, `write "0000:03:00.0" to /sys/bus/pci/devices`, `write "0000:03:00.0" to /sys/bus/pci/drivers_probe`} {
		k := newKernel(t)
		withDrivers(k)
		k.setDriver(cardAddress, "igb")
		before := state(t, k)
		k.log()
		k.failing(prefix, unix.EPERM)
		if _, err := bind(k, cardAddress); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), cardAddress) {
			t.Errorf("%s fails: %v", prefix, err)
		}
		if after := state(t, k); after != before {
			t.Errorf("%s fails: %q before, %q after", prefix, before, after)
		}
	}
	// A driver that still has it is not disturbed.
	k := newKernel(t)
	withDrivers(k)
	k.setDriver(cardAddress, "igb")
	k.failing(`write "vfio-pci\n"`, unix.EPERM)
	if _, err := bind(k, cardAddress); err == nil || len(k.log()) != 2 {
		t.Errorf("%v after %q", err, k.log())
	}
	// Behind no IOMMU it is not even tried.
	k = newKernel(t)
	withDrivers(k)
	k.setDriver(cardAddress, "igb")
	k.remove("/sys/bus/pci/devices/" + cardAddress + "/iommu_group")
	k.log()
	if _, err := bind(k, cardAddress); !errors.Is(err, ErrNoIOMMU) || len(k.log()) != 0 {
		t.Errorf("no IOMMU: %v", err)
	}
	// vfio-pci does not want it for another reason.
	k = newKernel(t)
	withDrivers(k)
	k.setDriver(cardAddress, "igb")
	do := k.onWrite
	k.onWrite = func(path, content string) {
		if path != "/sys/bus/pci/drivers_probe" {
			do(path, content)
		}
	}
	if _, err := bind(k, cardAddress); err == nil || !strings.Contains(err.Error(), "dmesg") || state(t, k) != "igb (null)" {
		t.Errorf("%v, then %q", err, state(t, k))
	}
	k = newKernel(t)
	k.setDriver(cardAddress, "")
	k.remove("/sys/bus/pci/drivers/vfio-pci")
	if _, err := bind(k, cardAddress); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "modprobe vfio-pci") {
		t.Errorf("no vfio-pci: %v", err)
	}
}

func TestUnbind(t *testing.T) {
	k := newKernel(t)
	withDrivers(k)
	k.onWrite("/sys/bus/pci/devices/"+cardAddress+"/driver_override", vfioPCI)
	if err := unbind(k, "03:00.0"); err != nil {
		t.Fatal(err)
	}
	if got := state(t, k); got != "igb (null)" {
		t.Errorf("state is %q", got)
	}
	if err := unbind(k, cardAddress); !errors.Is(err, ErrNotBound) || !strings.Contains(err.Error(), "igb") {
		t.Errorf("not bound: %v", err)
	}
}
