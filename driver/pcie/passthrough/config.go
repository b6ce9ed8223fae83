// SPDX-License-Identifier: Apache-2.0

package passthrough

import (
	"encoding/binary"
	"fmt"

	"github.com/espalier-nic/espalier/driver/pcie"
)

// configSize is the size of a PCI Express function's configuration space.
const configSize = 4096

// ConfigRead implements pcie.Function.
func (f *Function) ConfigRead(offset, width int) (uint32, error) {
	if err := f.enter(); err != nil {
		return ones32(width), err
	}
	defer f.life.RUnlock()
	if err := checkConfig(offset, width); err != nil {
		return 0, err
	}
	v, err := f.readConfig(offset, width)
	if err != nil {
		return ones32(width), f.note(err)
	}
	if v == ones32(width) {
		if err := f.present(); err != nil {
			return v, err
		}
	}
	return v, nil
}

// ConfigWrite implements pcie.Function.
func (f *Function) ConfigWrite(offset, width int, value uint32) error {
	if err := f.enter(); err != nil {
		return err
	}
	defer f.life.RUnlock()
	if err := checkConfig(offset, width); err != nil {
		return err
	}
	return f.note(f.writeConfig(offset, width, value))
}

func checkConfig(offset, width int) error {
	if width != 1 && width != 2 && width != 4 {
		return fmt.Errorf("configuration space access of %d bytes, allowed are 1, 2 and 4: %w", width, pcie.ErrRange)
	}
	if offset < 0 || offset > configSize-width || offset%width != 0 {
		return fmt.Errorf("configuration space offset %#x, width %d: %w", offset, width, pcie.ErrRange)
	}
	return nil
}

func ones32(width int) uint32 { return ^uint32(0) >> (32 - 8*width) }

// present looks whether the device answers. The revision and class code cannot
// be all ones; the vendor ID will not do, Linux's VFIO answers it from memory.
func (f *Function) present() error {
	v, err := f.readConfig(pcie.ConfigRevision, 4)
	if err != nil {
		return f.note(err)
	}
	if v == ^uint32(0) {
		return f.remove("configuration space reads as all ones")
	}
	return nil
}

func (f *Function) readConfig(offset, width int) (uint32, error) {
	var p [4]byte
	if err := f.dev.ReadRegion(RegionConfig, uint64(offset), p[:width]); err != nil {
		return 0, fmt.Errorf("read configuration space at %#x: %w", offset, err)
	}
	return binary.LittleEndian.Uint32(p[:]), nil
}

func (f *Function) writeConfig(offset, width int, value uint32) error {
	var p [4]byte
	binary.LittleEndian.PutUint32(p[:], value)
	if err := f.dev.WriteRegion(RegionConfig, uint64(offset), p[:width]); err != nil {
		return fmt.Errorf("write configuration space at %#x: %w", offset, err)
	}
	return nil
}
