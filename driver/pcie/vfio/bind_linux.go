// SPDX-License-Identifier: Apache-2.0

package vfio

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/espalier-nic/espalier/driver/pcie/discover"
	"github.com/espalier-nic/espalier/driver/pcie/internal/sentence"
)

// Binding is a function that Bind has bound to vfio-pci.
type Binding struct {
	k       kernel
	address string
	// driver and override are what was before.
	driver, override string
	done             bool // nothing to restore
}

// Bind takes a function, whatever it is, from its kernel driver and binds
// vfio-pci, whose module must be loaded. It needs root. A function that vfio-pci
// has already is left as it is. One behind no IOMMU is an error (ErrNoIOMMU).
func Bind(address string) (*Binding, error) { return bind(linux{}, address) }

// Unbind takes a function from vfio-pci and lets the kernel choose its driver.
func Unbind(address string) error { return unbind(linux{}, address) }

// Restore puts back what Bind has found: driver and override. Further calls do
// nothing.
func (b *Binding) Restore() error {
	if b.done {
		return nil
	}
	b.done = true
	f, err := discover.LookupIn(b.k.path(discover.SysfsDevices), b.address)
	if err != nil {
		return err
	}
	if err := b.k.writeFile(filepath.Join(f.Path, "driver_override"), b.override+"\n"); err != nil {
		return fmt.Errorf("restore the driver override of %s: %w", b.address, err)
	}
	if f.Driver == b.driver {
		return nil
	}
	if err := release(b.k, &f); err != nil {
		return fmt.Errorf("restore the driver of %s: %w", b.address, err)
	}
	if b.driver == "" {
		return nil
	}
	if err := b.k.writeFile(b.k.path(driversFolder+"/"+b.driver+"/bind"), b.address); err != nil {
		return fmt.Errorf("give %s back to driver %s: %w", b.address, b.driver, err)
	}
	return nil
}

const (
	driversFolder = "/sys/bus/pci/drivers"
	probeFile     = "/sys/bus/pci/drivers_probe"
)

func bind(k kernel, address string) (*Binding, error) {
	f, err := discover.LookupIn(k.path(discover.SysfsDevices), address)
	if err != nil {
		return nil, err
	}
	b := &Binding{k: k, address: f.Address, driver: f.Driver}
	if f.Driver == vfioPCI {
		b.done = true
		return b, nil
	}
	if f.IOMMUGroup < 0 {
		return nil, noIOMMU(&f)
	}
	if _, err := os.Stat(k.path(driversFolder + "/" + vfioPCI)); errors.Is(err, fs.ErrNotExist) {
		return nil, &sentence.Error{
			Text:  fmt.Sprintf("%s: the kernel has no driver vfio-pci; load it: modprobe vfio-pci", f.Address),
			Kinds: []error{ErrUnsupported, errors.ErrUnsupported},
		}
	}
	before, err := os.ReadFile(filepath.Join(f.Path, "driver_override"))
	if err != nil {
		return nil, fmt.Errorf("bind %s to vfio-pci: %w", f.Address, err)
	}
	if b.override = strings.TrimSpace(string(before)); b.override == "(null)" {
		b.override = ""
	}
	if err := b.take(&f); err != nil {
		return nil, errors.Join(fmt.Errorf("bind %s to vfio-pci: %w", f.Address, err), b.Restore())
	}
	return b, nil
}

// take makes vfio-pci the only driver that may have f, and has the kernel look.
func (b *Binding) take(f *discover.Function) error {
	if err := b.k.writeFile(filepath.Join(f.Path, "driver_override"), vfioPCI+"\n"); err != nil {
		return err
	}
	if err := release(b.k, f); err != nil {
		return err
	}
	if err := b.k.writeFile(b.k.path(probeFile), f.Address); err != nil {
		return err
	}
	now, err := discover.LookupIn(b.k.path(discover.SysfsDevices), f.Address)
	if err != nil {
		return err
	}
	if now.Driver != vfioPCI {
		return fmt.Errorf("the kernel did not give it (dmesg says why); its driver is now %q", now.Driver)
	}
	return nil
}

// release takes a function from its driver.
func release(k kernel, f *discover.Function) error {
	if f.Driver == "" {
		return nil
	}
	if err := k.writeFile(filepath.Join(f.Path, "driver", "unbind"), f.Address); err != nil {
		return fmt.Errorf("take it from driver %s: %w", f.Driver, err)
	}
	return nil
}

func unbind(k kernel, address string) error {
	f, err := discover.LookupIn(k.path(discover.SysfsDevices), address)
	if err != nil {
		return err
	}
	if !isVFIO(f.Driver) {
		return fmt.Errorf("unbind %s from vfio-pci: its driver is %q: %w", f.Address, f.Driver, ErrNotBound)
	}
	if err := release(k, &f); err != nil {
		return fmt.Errorf("unbind %s from vfio-pci: %w", f.Address, err)
	}
	if err := k.writeFile(filepath.Join(f.Path, "driver_override"), "\n"); err != nil {
		return fmt.Errorf("unbind %s from vfio-pci: %w", f.Address, err)
	}
	if err := k.writeFile(k.path(probeFile), f.Address); err != nil {
		return fmt.Errorf("look for a driver of %s: %w", f.Address, err)
	}
	return nil
}
