// SPDX-License-Identifier: Apache-2.0

package vfio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/discover"
	"github.com/espalier-nic/espalier/driver/pcie/passthrough"
)

// device is a function that the kernel hands through.
type device struct {
	k       kernel
	address string
	session *session
	fd      int
	undo    cleanups
	info    deviceInfo
	regions []region
	gone    chan struct{}
	ended   sync.Once
	faults  *faultLog // nil: the kernel's log cannot be read

	mu      sync.Mutex
	enabled map[int]bool
	maps    map[uint64]uint64
}

// region is a part of the device's file.
type region struct {
	passthrough.Region
	offset uint64
}

var _ passthrough.Device = (*device)(nil)

// openDevice opens a function that was checked.
func openDevice(k kernel, f *discover.Function, way Interface) (_ *device, err error) {
	d := &device{k: k, address: f.Address, gone: make(chan struct{}), enabled: map[int]bool{}, maps: map[uint64]uint64{}}
	if d.session, d.fd, d.undo, err = join(k, f, way); err != nil {
		return nil, err
	}
	if err := d.identify(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", f.Address, err), d.Close())
	}
	d.faults = openFaultLog(k, f.Address)
	return d, nil
}

// identify asks for all regions, once: accesses need their place in the file.
func (d *device) identify() error {
	d.info.argsz = sizeOf(d.info)
	if err := request(d.k, d.fd, deviceGetInfo, "ask what it is", &d.info); err != nil {
		return err
	}
	if d.info.flags&deviceIsPCI == 0 {
		return fmt.Errorf("VFIO does not show it as a PCI device (flags %#x)", d.info.flags)
	}
	for i := range min(d.info.regions, passthrough.RegionVGA+1) {
		r, err := d.askRegion(i)
		if err != nil && i <= passthrough.RegionConfig && !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("region %d: %w", i, err)
		}
		d.regions = append(d.regions, r) // empty if it does not have it
	}
	return nil
}

func (d *device) askRegion(index uint32) (region, error) {
	head := regionInfo{argsz: sizeOf(regionInfo{}), index: index}
	if err := request(d.k, d.fd, deviceGetRegion, "ask for a region", &head); err != nil {
		return region{}, err
	}
	info := bytesOf(&head)
	if head.argsz > sizeOf(head) { // there is more to say
		info = make([]byte, min(head.argsz, maxInfo))
		again := regionInfo{argsz: uint32(len(info)), index: index}
		copy(info, bytesOf(&again))
		if _, err := d.k.ioctl(d.fd, deviceGetRegion, info); err != nil {
			return region{}, fmt.Errorf("ask for a region: %w", err)
		}
		copy(bytesOf(&head), info)
	}
	r := region{
		Region: passthrough.Region{Size: head.size, Readable: head.flags&regionRead != 0, Writable: head.flags&regionWrite != 0},
		offset: head.offset,
	}
	if head.size > math.MaxInt64 || head.offset > math.MaxInt64-head.size {
		return region{}, fmt.Errorf("%#x bytes at %#x are outside its file", head.size, head.offset)
	}
	if head.flags&regionMap == 0 {
		return r, nil
	}
	areas := []passthrough.Area{{Offset: 0, Size: head.size}}
	if head.flags&regionCaps != 0 {
		sparse, has, err := sparseAreas(info, head.capOffset)
		if err != nil {
			return region{}, err
		}
		if has {
			areas = sparse
		}
	}
	r.Areas = wholePages(areas, head.size)
	return r, nil
}

// Location implements passthrough.Device.
func (d *device) Location() string { return d.address }

func (d *device) region(index int) (region, error) {
	if index < 0 || index >= len(d.regions) {
		return region{}, fmt.Errorf("%s has no region %d: %w", d.address, index, pcie.ErrRange)
	}
	return d.regions[index], nil
}

// RegionInfo implements passthrough.Device.
func (d *device) RegionInfo(index int) (passthrough.Region, error) {
	r, err := d.region(index)
	return r.Region, err
}

// ReadRegion implements passthrough.Device. The kernel makes one access of it,
// but for 8 bytes before Linux 6.11: two.
func (d *device) ReadRegion(index int, offset uint64, p []byte) error {
	return d.access(d.k.pread, index, offset, p)
}

// WriteRegion implements passthrough.Device.
func (d *device) WriteRegion(index int, offset uint64, p []byte) error {
	return d.access(d.k.pwrite, index, offset, p)
}

func (d *device) access(do func(fd int, p []byte, offset int64) (int, error), index int, offset uint64, p []byte) error {
	r, err := d.region(index)
	if err != nil {
		return err
	}
	if offset > r.Size || uint64(len(p)) > r.Size-offset {
		return fmt.Errorf("%d bytes at %#x of a region of %#x bytes: %w", len(p), offset, r.Size, pcie.ErrRange)
	}
	for {
		n, err := do(d.fd, p, int64(r.offset+offset))
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return d.lost(err)
		case n != len(p):
			return fmt.Errorf("%d of %d bytes: %w", n, len(p), unix.EIO)
		default:
			return nil
		}
	}
}

// lost says that the device has gone where an error means that.
func (d *device) lost(err error) error {
	if errors.Is(err, unix.ENODEV) {
		d.ended.Do(func() { close(d.gone) })
		return fmt.Errorf("%w: %w", err, pcie.ErrRemoved)
	}
	return err
}

// MapRegion implements passthrough.Device.
func (d *device) MapRegion(index int, a passthrough.Area) ([]byte, error) {
	r, err := d.region(index)
	if err != nil {
		return nil, err
	}
	if a.Offset > r.Size || a.Size > r.Size-a.Offset {
		return nil, fmt.Errorf("%#x bytes at %#x of a region of %#x bytes: %w", a.Size, a.Offset, r.Size, pcie.ErrRange)
	}
	protection := 0
	if r.Readable {
		protection |= unix.PROT_READ
	}
	if r.Writable {
		protection |= unix.PROT_WRITE
	}
	m, err := d.k.mmap(d.fd, int64(r.offset+a.Offset), int(a.Size), protection)
	return m, d.lost(err)
}

// UnmapRegion implements passthrough.Device.
func (d *device) UnmapRegion(m []byte) error { return d.k.munmap(m) }

// IRQInfo implements passthrough.Device.
func (d *device) IRQInfo(index int) (passthrough.IRQ, error) {
	info := irqInfo{argsz: sizeOf(irqInfo{}), index: uint32(index)}
	if err := request(d.k, d.fd, deviceGetIRQ, "ask for interrupts", &info); err != nil {
		return passthrough.IRQ{}, d.lost(err)
	}
	return passthrough.IRQ{
		Count:   int(info.count),
		EventFD: info.flags&irqEventFD != 0, Maskable: info.flags&irqMaskable != 0,
		AutoMasked: info.flags&irqAutoMasked != 0, NoResize: info.flags&irqNoResize != 0,
	}, nil
}

// setIRQs makes the request for vectors of an index.
func (d *device) setIRQs(what string, flags uint32, index, start, count int, fds []int) error {
	head := irqSet{flags: flags, index: uint32(index), start: uint32(start), count: uint32(count)}
	head.argsz = sizeOf(head) + 4*uint32(len(fds))
	p := append(make([]byte, 0, head.argsz), bytesOf(&head)...)
	for _, fd := range fds {
		p = binary.NativeEndian.AppendUint32(p, uint32(int32(fd)))
	}
	if _, err := d.k.ioctl(d.fd, deviceSetIRQs, p); err != nil {
		return d.lost(fmt.Errorf("%s: %w", what, err))
	}
	return nil
}

// SetTriggers implements passthrough.Device.
func (d *device) SetTriggers(index, start int, fds []int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.setIRQs("bind eventfds to interrupts", irqDataEventFD|irqTrigger, index, start, len(fds), fds); err != nil {
		return err
	}
	d.enabled[index] = true
	return nil
}

// DisableIRQ implements passthrough.Device.
func (d *device) DisableIRQ(index int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.enabled[index] {
		return nil // the kernel would call it an error for some
	}
	if err := d.setIRQs("disable interrupts", irqDataNone|irqTrigger, index, 0, 0, nil); err != nil {
		return err
	}
	delete(d.enabled, index)
	return nil
}

// MaskIRQ implements passthrough.Device.
func (d *device) MaskIRQ(index, vector int, masked bool) error {
	flags := uint32(irqDataNone | irqUnmask)
	if masked {
		flags = irqDataNone | irqMask
	}
	return d.setIRQs("mask an interrupt", flags, index, vector, 1, nil)
}

// MapDMA implements passthrough.Device. The kernel locks the memory.
func (d *device) MapDMA(iova uint64, memory []byte, _ int, _ uint64) error {
	if err := d.session.mapDMA(iova, memory); err != nil {
		need := d.session.lockedBytes() + uint64(len(memory))
		if limit, limited := d.k.lockable(); errors.Is(err, unix.ENOMEM) && limited && need > limit {
			return lockedError(d.address, need, limit)
		}
		return d.lost(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.maps[iova] = uint64(len(memory))
	return nil
}

// UnmapDMA implements passthrough.Device.
func (d *device) UnmapDMA(iova, size uint64) error {
	if err := d.session.unmapDMA(iova, size); err != nil {
		return d.lost(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.maps, iova)
	return nil
}

// IOVARanges implements passthrough.Device.
func (d *device) IOVARanges() []passthrough.Range { return d.session.ranges }

// MaxMappings implements passthrough.Device.
func (d *device) MaxMappings() int { return d.session.limit }

// TakeFaults implements passthrough.Device: what the kernel's log says, where it
// may be read (faultlog.go has its limits). The size is the page's.
func (d *device) TakeFaults() []pcie.Fault { return d.faults.take() }

// Gone implements passthrough.Device. A removal is asked for first, by
// passthrough.IRQReq, and awaits Close.
func (d *device) Gone() <-chan struct{} { return d.gone }

// Reset implements passthrough.Device.
func (d *device) Reset() error {
	if d.info.flags&deviceCanReset == 0 {
		return fmt.Errorf("%s: the kernel knows no way to reset it alone: %w", d.address, errors.ErrUnsupported)
	}
	for try := 1; ; try++ {
		_, err := d.k.ioctlValue(d.fd, deviceReset, 0)
		if !errors.Is(err, unix.EAGAIN) || try == resetTries {
			return d.lost(err)
		}
		time.Sleep(time.Millisecond) // the kernel is busy with it for a moment
	}
}

// resetTries is how often a reset is asked for.
const resetTries = 100

// Close implements passthrough.Device.
func (d *device) Close() error {
	var errs []error
	for index := range d.enabled {
		errs = append(errs, d.DisableIRQ(index))
	}
	for iova, size := range d.maps { // a session that others use outlives it
		errs = append(errs, d.UnmapDMA(iova, size))
	}
	errs = append(errs, d.session.leave(d.undo), d.faults.end())
	return errors.Join(errs...)
}
