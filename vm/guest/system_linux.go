// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/vm/job"
)

// loadModules loads the modules one after the other.
func loadModules(modules []job.Module) error {
	for _, m := range modules {
		file, err := os.Open(m.Path)
		if err != nil {
			return fmt.Errorf("kernel module: %w", err)
		}
		err = unix.FinitModule(int(file.Fd()), m.Parameters, 0)
		file.Close()
		if err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("kernel module %s: %w", filepath.Base(m.Path), err)
		}
	}
	return nil
}

// loopbackUp gives the guest its 127.0.0.1.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("loopback interface: %w", err)
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return fmt.Errorf("loopback interface: %w", err)
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request); err != nil {
		return fmt.Errorf("loopback interface: %w", err)
	}
	return nil
}

// reserveHugePages sets huge pages of 2 MiB aside, and is content with no fewer.
func reserveHugePages(count int) error {
	const file = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
	if err := os.WriteFile(file, []byte(strconv.Itoa(count)), 0); err != nil {
		return fmt.Errorf("huge pages: %w", err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("huge pages: %w", err)
	}
	if got := strings.TrimSpace(string(content)); got != strconv.Itoa(count) {
		return fmt.Errorf("huge pages: the guest's memory holds %s of 2 MiB, %d are wanted; give it more with --memory", got, count)
	}
	return nil
}

// bind gives the PCI function at address to the driver.
func bind(address, driver string) error {
	device := filepath.Join("/sys/bus/pci/devices", address)
	if _, err := os.Stat(device); err != nil {
		return fmt.Errorf("card %s is not there: %w", address, err)
	}
	if err := os.WriteFile(filepath.Join(device, "driver_override"), []byte(driver), 0); err != nil {
		return fmt.Errorf("bind card %s to %s: %w", address, driver, err)
	}
	if err := os.WriteFile("/sys/bus/pci/drivers_probe", []byte(address), 0); err != nil {
		return fmt.Errorf("bind card %s to %s: %w", address, driver, err)
	}
	if got, err := os.Readlink(filepath.Join(device, "driver")); err != nil || filepath.Base(got) != driver {
		return fmt.Errorf("bind card %s to %s: the driver has not taken it; the guest's kernel log (--console FILE) says why", address, driver)
	}
	return nil
}
