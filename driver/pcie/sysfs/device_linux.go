// SPDX-License-Identifier: Apache-2.0

package sysfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/discover"
	"github.com/espalier-nic/espalier/driver/pcie/internal/sentence"
	"github.com/espalier-nic/espalier/driver/pcie/passthrough"
)

// device is a function's files. It has no interrupts and no mappings.
type device struct {
	system  system
	found   discover.Function
	config  *os.File
	size    uint64 // of configuration space
	bars    [6]*os.File
	memory  *memory
	forever chan struct{}
}

var _ passthrough.Device = (*device)(nil)

// openDevice opens the files and takes the function for this program alone.
func openDevice(s system, f *discover.Function) (_ *device, err error) {
	d := &device{system: s, found: *f, memory: newMemory(s), forever: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	if d.config, err = d.open("config"); err != nil {
		return nil, err
	}
	if err := s.lock(d.config); err != nil {
		return nil, sentence.Say(ErrBusy, "%s is in use by another program, which this shows: sudo fuser -v %s/config", f.Address, f.Path)
	}
	info, err := d.config.Stat()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Address, err)
	}
	d.size = uint64(info.Size())
	for n, b := range f.BARs {
		if b.Size == 0 || b.IO {
			continue
		}
		if d.bars[n], err = d.open(fmt.Sprintf("resource%d", n)); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (d *device) open(name string) (*os.File, error) {
	path := filepath.Join(d.found.Path, name)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrPermission) {
		return nil, sentence.Say(ErrRights, "%s: %s may not be used; run the program as root", d.found.Address, path)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.found.Address, err)
	}
	return f, nil
}

// Location implements passthrough.Device.
func (d *device) Location() string { return "sysfs:" + d.found.Address }

// RegionInfo implements passthrough.Device. BARs are only reached by mappings.
func (d *device) RegionInfo(index int) (passthrough.Region, error) {
	r := passthrough.Region{Readable: true, Writable: true}
	switch {
	case index == passthrough.RegionConfig:
		r.Size = d.size
	case index >= 0 && index < len(d.bars) && d.bars[index] != nil:
		r.Size = d.found.BARs[index].Size
		// A BAR of less than a page is somewhere in a page with others.
		if whole := r.Size &^ uint64(os.Getpagesize()-1); whole > 0 {
			r.Areas = []passthrough.Area{{Offset: 0, Size: whole}}
		}
	default:
		return passthrough.Region{}, nil
	}
	return r, nil
}

// errUnmapped: a part of a BAR that may not be mapped cannot be reached.
var errUnmapped = errors.New("not mapped, and sysfs has no other way to it")

// ReadRegion implements passthrough.Device. The kernel makes one access of it.
func (d *device) ReadRegion(index int, offset uint64, p []byte) error {
	if index != passthrough.RegionConfig {
		return errUnmapped
	}
	_, err := d.config.ReadAt(p, int64(offset))
	if errors.Is(err, io.EOF) {
		if offset < d.size {
			return sentence.Say(ErrRights, "%s: only the first bytes of its configuration space may be read, which needs CAP_SYS_ADMIN for the rest; run the program as root", d.found.Address)
		}
		return fmt.Errorf("%w: configuration space has %d bytes", pcie.ErrRange, d.size)
	}
	return lost(err)
}

// WriteRegion implements passthrough.Device.
func (d *device) WriteRegion(index int, offset uint64, p []byte) error {
	if index != passthrough.RegionConfig {
		return errUnmapped
	}
	_, err := d.config.WriteAt(p, int64(offset))
	return lost(err)
}

// lost says that the device has gone where an error means that.
func lost(err error) error {
	if errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO) {
		return fmt.Errorf("%w: %w", err, pcie.ErrRemoved)
	}
	return err
}

// MapRegion implements passthrough.Device.
func (d *device) MapRegion(index int, a passthrough.Area) ([]byte, error) {
	m, err := d.system.mapFile(d.bars[index], int64(a.Offset), int(a.Size))
	switch {
	case errors.Is(err, unix.EPERM):
		return nil, sentence.Say(ErrRights, "%s: the kernel lets nobody map a device's memory (it is locked down, as with Secure Boot); use VFIO (`espalier doctor`), or switch Secure Boot off", d.found.Address)
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.EBUSY):
		return nil, sentence.Say(ErrBusy, "%s: BAR %d is in the kernel's hands (%w); see who has it: grep %s /proc/iomem", d.found.Address, index, err, d.found.Address)
	}
	return m, err
}

// UnmapRegion implements passthrough.Device.
func (d *device) UnmapRegion(m []byte) error { return d.system.unmap(m) }

// IRQInfo implements passthrough.Device: there are none.
func (d *device) IRQInfo(int) (passthrough.IRQ, error) { return passthrough.IRQ{}, nil }

// SetTriggers implements passthrough.Device.
func (d *device) SetTriggers(int, int, []int) error { return pcie.ErrNoInterrupts }

// DisableIRQ implements passthrough.Device.
func (d *device) DisableIRQ(int) error { return nil }

// MaskIRQ implements passthrough.Device.
func (d *device) MaskIRQ(int, int, bool) error { return pcie.ErrNoInterrupts }

// MapDMA implements passthrough.Device: d.memory has addresses already.
func (d *device) MapDMA(uint64, []byte, int, uint64) error { return errors.ErrUnsupported }

// UnmapDMA implements passthrough.Device.
func (d *device) UnmapDMA(uint64, uint64) error { return errors.ErrUnsupported }

// IOVARanges implements passthrough.Device.
func (d *device) IOVARanges() []passthrough.Range { return nil }

// MaxMappings implements passthrough.Device.
func (d *device) MaxMappings() int { return 0 }

// TakeFaults implements passthrough.Device: nobody is there to refuse anything.
func (d *device) TakeFaults() []pcie.Fault { return nil }

// Gone implements passthrough.Device. Reads of all ones tell.
func (d *device) Gone() <-chan struct{} { return d.forever }

// Reset implements passthrough.Device. The kernel saves configuration space and
// puts it back.
func (d *device) Reset() error {
	path := filepath.Join(d.found.Path, "reset")
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: the kernel knows no way to reset it alone: %w", d.found.Address, errors.ErrUnsupported)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", d.found.Address, err)
	}
	_, err = f.WriteString("1")
	return lost(errors.Join(err, f.Close()))
}

// Close implements passthrough.Device.
func (d *device) Close() error {
	errs := []error{d.memory.close()}
	for _, f := range append(d.bars[:], d.config) {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}
