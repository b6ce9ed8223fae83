// SPDX-License-Identifier: Apache-2.0

package discover

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/u-root/u-root/pkg/pci"

	"github.com/espalier-nic/espalier/driver/pcie"
)

// Resource flags of Linux, as in the third column of sysfs's resource file
// (include/linux/ioport.h).
const (
	flagIO       = 0x00000100
	flagMemory   = 0x00000200
	flagPrefetch = 0x00002000
	flag64       = 0x00100000
)

// read reads the function at path; nil if it has none of the IDs. No IDs are all.
func read(path string, ids []ID) (*Function, error) {
	p, err := pci.OnePCI(path)
	if err != nil {
		return nil, err
	}
	f := &Function{
		ID:         ID{p.Vendor, p.Device},
		Address:    p.Addr,
		Path:       path,
		Class:      p.Class,
		IOMMUGroup: -1,
	}
	if len(ids) > 0 && !slices.Contains(ids, f.ID) {
		return nil, nil
	}
	for _, b := range p.BARS {
		if b.Index >= len(f.BARs) {
			continue // the expansion ROM and what bridges have
		}
		if b.Lim < b.Base {
			return nil, fmt.Errorf("BAR %d ends at %#x before it begins at %#x", b.Index, b.Lim, b.Base)
		}
		f.BARs[b.Index] = BAR{
			Base: b.Base, Size: b.Lim - b.Base + 1,
			IO: b.Attr&flagIO != 0 && b.Attr&flagMemory == 0, Wide: b.Attr&flag64 != 0, Prefetch: b.Attr&flagPrefetch != 0,
		}
	}
	unplaced(p.Resource, &f.BARs)
	if err := p.ReadConfig(); err != nil {
		return nil, err
	}
	if len(p.Config) < headerSize {
		return nil, fmt.Errorf("configuration space has %d bytes, the header needs %d", len(p.Config), headerSize)
	}
	f.Revision = p.Config[pcie.ConfigRevision]
	f.Command = binary.LittleEndian.Uint16(p.Config[pcie.ConfigCommand:])
	f.WholeConfig = len(p.Config) > headerSize
	f.Vectors = vectors(p.Config)
	if f.NUMANode, err = numaNode(path); err != nil {
		return nil, err
	}
	if f.Driver, err = link(path, "driver"); err != nil {
		return nil, err
	}
	group, err := link(path, "iommu_group")
	if err != nil {
		return nil, err
	}
	if group != "" {
		if f.IOMMUGroup, err = strconv.Atoi(group); err != nil {
			return nil, fmt.Errorf("IOMMU group %q is no number", group)
		}
	}
	return f, nil
}

// link returns the last part of what a symbolic link in folder points to, "" if
// there is no such link.
func link(folder, name string) (string, error) {
	target, err := os.Readlink(filepath.Join(folder, name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return filepath.Base(target), err
}

// unplaced adds the BARs that were given no address, which package pci leaves
// out: Linux states them as beginning at 0.
func unplaced(resources string, bars *[6]BAR) {
	i := 0
	for line := range strings.Lines(resources) {
		if i == len(bars) {
			return
		}
		if base, limit, flags, err := pci.BaseLimType(line); err == nil && base == 0 && limit > 0 && flags != 0 {
			bars[i] = BAR{Size: limit + 1, IO: flags&flagIO != 0 && flags&flagMemory == 0, Wide: flags&flag64 != 0, Prefetch: flags&flagPrefetch != 0}
		}
		i++
	}
}

// numaNode reads the memory node of the function in folder; a kernel built without
// NUMA does not say.
func numaNode(folder string) (int, error) {
	text, err := os.ReadFile(filepath.Join(folder, "numa_node"))
	if errors.Is(err, fs.ErrNotExist) {
		return -1, nil
	}
	if err != nil {
		return 0, err
	}
	node, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("NUMA node %q is no number", strings.TrimSpace(string(text)))
	}
	return node, nil
}

// headerSize is the part of configuration space that anybody may read.
const headerSize = 64

// vectors finds the size of the MSI-X table in configuration space. It follows
// no pointer out of what is there, nor any twice.
func vectors(config []byte) int {
	if binary.LittleEndian.Uint16(config[pcie.ConfigStatus:])&pcie.StatusCapabilities == 0 {
		return 0
	}
	at := int(config[pcie.ConfigCapabilities]) &^ 3
	for range 48 { // as many as fit in 256 bytes
		if at < headerSize || at+4 > len(config) {
			return 0
		}
		if config[at] == pcie.CapabilityMSIX {
			return int(binary.LittleEndian.Uint16(config[at+2:])&0x7FF) + 1
		}
		at = int(config[at+1]) &^ 3
	}
	return 0
}
