// SPDX-License-Identifier: Apache-2.0

// Package discover finds Espalier NICs among the PCI functions of this machine
// and says what is needed to open one: where its BARs are, who drives it, in
// which IOMMU group it is. It reads Linux sysfs, opens no device and changes
// nothing.
package discover

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/espalier-nic/espalier/driver/pcie"
)

// SysfsDevices is where Linux lists PCI functions.
const SysfsDevices = "/sys/bus/pci/devices"

// ID is a pair of vendor and device ID.
type ID struct{ Vendor, Device uint16 }

// String writes the pair as lspci does.
func (id ID) String() string { return fmt.Sprintf("%04x:%04x", id.Vendor, id.Device) }

// ParseID reads a pair such as "1234:4550".
func ParseID(s string) (ID, error) {
	vendor, device, found := strings.Cut(s, ":")
	v, errV := strconv.ParseUint(vendor, 16, 16)
	d, errD := strconv.ParseUint(device, 16, 16)
	if !found || errV != nil || errD != nil {
		return ID{}, fmt.Errorf("PCI ID %q is not of the form 1234:4550", s)
	}
	return ID{uint16(v), uint16(d)}, nil
}

// Espalier is the NIC's ID unless a product has one of its own.
func Espalier() ID { return ID{pcie.VendorID, pcie.DeviceID} }

// Ours says whether the function has one of these IDs, of which none mean Espalier's,
// and names them for a sentence about one that has not.
func (f *Function) Ours(ids []ID) (ours bool, names string) {
	if len(ids) == 0 {
		ids = []ID{Espalier()}
	}
	all := make([]string, len(ids))
	for i, id := range ids {
		all[i] = id.String()
	}
	return slices.Contains(ids, f.ID), strings.Join(all, " or ")
}

// BAR is one base address register.
type BAR struct {
	Base uint64 // 0: none was assigned
	Size uint64 // bytes; 0: there is no such BAR
	IO   bool   // I/O ports, not memory
	Wide bool
	// Prefetch: reads have no side effects.
	Prefetch bool
}

// Function is one PCI function found.
type Function struct {
	ID
	Address  string // "0000:03:00.0"
	Path     string // its folder in sysfs
	Class    uint32 // 24 bits
	Revision uint8  // of the hardware
	BARs     [6]BAR
	// Command is the configuration space's Command register.
	Command uint16
	// Vectors is the size of the MSI-X table; 0 if there is none or
	// configuration space beyond its first 64 bytes may not be read.
	Vectors int
	// WholeConfig says that more than those 64 bytes could be read, so that
	// Vectors is the truth.
	WholeConfig bool
	// Driver is the kernel driver bound to it, "" for none.
	Driver string
	// IOMMUGroup is its IOMMU group, -1 for none.
	IOMMUGroup int
	// NUMANode is the memory node that it is attached to, -1 where there is but one.
	NUMANode int
}

// String describes the function in one line.
func (f Function) String() string {
	s := fmt.Sprintf("%s %v (rev %02x)", f.Address, f.ID, f.Revision)
	for n, b := range f.BARs {
		if b.Size != 0 {
			s += fmt.Sprintf(", BAR %d %s", n, Size(b.Size))
		}
	}
	if f.Driver != "" {
		s += ", driver " + f.Driver
	}
	if f.IOMMUGroup >= 0 {
		s += fmt.Sprintf(", IOMMU group %d", f.IOMMUGroup)
	}
	return s
}

// Size writes a number of bytes in the largest unit that divides it: "256 KiB".
func Size(n uint64) string {
	unit := 0
	for unit < 3 && n%1024 == 0 {
		n /= 1024
		unit++
	}
	return fmt.Sprintf("%d %s", n, [...]string{"B", "KiB", "MiB", "GiB"}[unit])
}

// Find returns this machine's functions that have one of the IDs, or Espalier's
// if none is given, in the order of their addresses.
func Find(ids ...ID) ([]Function, error) { return FindIn(SysfsDevices, ids...) }

// FindIn is Find for another folder than SysfsDevices. A machine without PCI has
// no functions. One that disappears meanwhile is left out.
func FindIn(devices string, ids ...ID) ([]Function, error) {
	if len(ids) == 0 {
		ids = []ID{Espalier()}
	}
	entries, err := os.ReadDir(devices)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list PCI functions: %w", err)
	}
	var found []Function
	for _, entry := range entries { // sorted by name
		path := filepath.Join(devices, entry.Name())
		f, err := read(path, ids)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return nil, fmt.Errorf("PCI function %s: %w", entry.Name(), err)
		case f != nil:
			found = append(found, *f)
		}
	}
	return found, nil
}

// Lookup returns the function at an address such as "0000:03:00.0" or "03:00.0",
// whatever its ID.
func Lookup(address string) (Function, error) { return LookupIn(SysfsDevices, address) }

// ErrAddress: what was given is no PCI address.
var ErrAddress = errors.New("not a PCI address")

// ParseAddress reads an address such as "0000:03:00.0" or "03:00.0" and returns
// it as sysfs writes it. Errors wrap ErrAddress.
func ParseAddress(s string) (string, error) {
	parts := addressForm.FindStringSubmatch(s)
	if parts == nil {
		return "", fmt.Errorf("PCI address %q is not of the form 0000:03:00.0: %w", s, ErrAddress)
	}
	domain := strings.TrimSuffix(parts[1], ":")
	if domain == "" {
		domain = "0000"
	}
	return strings.ToLower(domain + ":" + parts[2]), nil
}

// addressForm is [DOMAIN:]BUS:DEVICE.FUNCTION, in hexadecimal; a domain has more
// than four digits behind some host bridges.
var addressForm = regexp.MustCompile(`^([0-9a-fA-F]{4,8}:)?([0-9a-fA-F]{2}:[01][0-9a-fA-F]\.[0-7])$`)

// LookupIn is Lookup for another folder than SysfsDevices.
func LookupIn(devices, address string) (Function, error) {
	address, err := ParseAddress(address)
	if err != nil {
		return Function{}, err
	}
	f, err := read(filepath.Join(devices, address), nil)
	if errors.Is(err, fs.ErrNotExist) {
		return Function{}, fmt.Errorf("PCI function %s: there is none at this address, `espalier devices` lists the cards: %w", address, fs.ErrNotExist)
	}
	if err != nil {
		return Function{}, fmt.Errorf("PCI function %s: %w", address, err)
	}
	return *f, nil
}
