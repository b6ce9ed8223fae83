// SPDX-License-Identifier: Apache-2.0

package passthrough

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/endpoint"
)

// Registers of the fake device in BAR 0. The first page is a file that may be
// mapped, BAR 2 is another; the MSI-X table is in BAR 4.
const (
	bar0Size      = 64 << 10
	bar2Size      = 16 << 10
	fakeVectors   = 6
	scratchOffset = 0x10
	raiseOffset   = 0x1000 // write: raise that vector
	addressOffset = 0x1008 // 64 bits
	readOffset    = 0x1010 // write: read that many bytes at address
	writeOffset   = 0x1018 // write: write 16 bytes at address
	statusOffset  = 0x1020 // 1: the access was allowed
	emptyOffset   = 0x8000
)

// fakeOptions are what may differ between devices.
type fakeOptions struct {
	maskable bool // MaskIRQ works
	noMap    bool // nothing may be mapped
	ranges   []Range
	limit    int
}

// fake is a Device that keeps account of what is bound and mapped.
type fake struct {
	t    testing.TB
	opts fakeOptions
	ep   *endpoint.Endpoint
	gone chan struct{}
	bar0 []byte // its first page
	bar2 []byte
	file [2]*os.File

	mu       sync.Mutex
	closed   bool
	absent   bool // configuration space is all ones
	triggers [IRQReq + 1][]int
	regions  map[*byte]string
	maps     map[uint64][]byte
	faults   []pcie.Fault
	address  uint64
	status   uint32
	calls    []string
	// fail may make a call fail.
	fail func(call string) error
}

var _ Device = (*fake)(nil)

func newFake(t testing.TB, opts fakeOptions) *fake {
	t.Helper()
	d := &fake{t: t, opts: opts, gone: make(chan struct{}), regions: map[*byte]string{}, maps: map[uint64][]byte{}}
	var err error
	d.ep, err = endpoint.New(endpoint.Config{
		VendorID: 0x1234, DeviceID: 0xFA4E, SubsystemVendorID: 0x1234, SubsystemID: 7, Class: 0x020000, Revision: 1,
		BAR0: bar0Size, BAR2: bar2Size, Vectors: fakeVectors,
		Deliver: func(m endpoint.Message) { d.trigger(IRQMSIX, m.Vector) },
		Reset:   func() { clear(d.bar0); clear(d.bar2) },
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, size := range []int{os.Getpagesize(), bar2Size} {
		fd, err := unix.MemfdCreate("bar", unix.MFD_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		d.file[i] = os.NewFile(uintptr(fd), "bar")
		if err := d.file[i].Truncate(int64(size)); err != nil {
			t.Fatal(err)
		}
	}
	d.bar0 = d.mmap(d.file[0], 0, os.Getpagesize())
	d.bar2 = d.mmap(d.file[1], 0, bar2Size)
	t.Cleanup(func() {
		unix.Munmap(d.bar0)
		unix.Munmap(d.bar2)
		d.file[0].Close()
		d.file[1].Close()
	})
	return d
}

func (d *fake) mmap(f *os.File, offset, size int) []byte {
	m, err := unix.Mmap(int(f.Fd()), int64(offset), size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		d.t.Fatal(err)
	}
	return m
}

// begin logs a call and says whether it fails.
func (d *fake) begin(format string, a ...any) error {
	call := fmt.Sprintf(format, a...)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		d.t.Errorf("%s after Close", call)
	}
	d.calls = append(d.calls, call)
	select {
	case <-d.gone:
		return fmt.Errorf("%s: %w", call, pcie.ErrRemoved)
	default:
	}
	if d.fail != nil {
		return d.fail(call)
	}
	return nil
}

// logged returns the calls so far that begin with a prefix.
func (d *fake) logged(prefix string) (calls []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.calls {
		if strings.HasPrefix(c, prefix) {
			calls = append(calls, c)
		}
	}
	return calls
}

func (d *fake) setFail(fail func(call string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = fail
}

func (d *fake) setAbsent() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.absent = true
}

func (d *fake) Location() string { return "fake" }

func (d *fake) RegionInfo(index int) (Region, error) {
	if err := d.begin("region info %d", index); err != nil {
		return Region{}, err
	}
	page := uint64(os.Getpagesize())
	sizes := d.ep.Info().BARs
	r := Region{Readable: true, Writable: true}
	switch index {
	case 0:
		r.Size, r.Areas = sizes[0], []Area{{0, page}}
	case 2:
		r.Size, r.Areas = sizes[2], []Area{{0, bar2Size}}
	case 4: // the table, too, may be mapped
		r.Size, r.Areas = sizes[4], []Area{{0, sizes[4]}}
	case RegionConfig:
		r.Size = configSize
	default:
		return Region{}, errors.New("no such region")
	}
	if d.opts.noMap {
		r.Areas = nil
	}
	return r, nil
}

func (d *fake) ReadRegion(index int, offset uint64, p []byte) error {
	if err := d.begin("read region %d", index); err != nil {
		return err
	}
	d.mu.Lock()
	absent := d.absent
	d.mu.Unlock()
	if absent {
		for i := range p {
			p[i] = 0xFF
		}
		return nil
	}
	v, err := d.read(index, offset, len(p))
	var all [8]byte
	binary.LittleEndian.PutUint64(all[:], v)
	copy(p, all[:])
	return err
}

func (d *fake) read(index int, offset uint64, width int) (uint64, error) {
	switch {
	case index == RegionConfig:
		v, err := d.ep.ConfigRead(int(offset), width)
		return uint64(v), err
	case !d.ep.MemoryEnabled():
		return 0, errors.New("memory is disabled")
	case index == 0 && offset < uint64(len(d.bar0)):
		return word(d.bar0[offset:], width), nil
	case index == 0 && offset == statusOffset:
		d.mu.Lock()
		defer d.mu.Unlock()
		return uint64(d.status), nil
	case index == 2:
		return word(d.bar2[offset:], width), nil
	case index == 4:
		return d.ep.MSIXMemory().ReadBAR(offset, width)
	}
	return 0, errors.New("nothing answers there")
}

func word(p []byte, width int) uint64 {
	var all [8]byte
	copy(all[:], p[:width])
	return binary.LittleEndian.Uint64(all[:])
}

func (d *fake) WriteRegion(index int, offset uint64, p []byte) error {
	if err := d.begin("write region %d", index); err != nil {
		return err
	}
	v := word(p, len(p))
	switch {
	case index == RegionConfig:
		return d.ep.ConfigWrite(int(offset), len(p), uint32(v))
	case !d.ep.MemoryEnabled():
		return errors.New("memory is disabled")
	case index == 0 && offset < uint64(len(d.bar0)):
		copy(d.bar0[offset:], p)
	case index == 0 && offset == raiseOffset:
		d.ep.Interrupt(int(v), 1)
	case index == 0 && offset == addressOffset:
		d.address = v
	case index == 0 && (offset == readOffset || offset == writeOffset):
		d.access(v, offset == writeOffset)
	case index == 2:
		copy(d.bar2[offset:], p)
	case index == 4:
		return d.ep.MSIXMemory().WriteBAR(offset, len(p), v)
	default:
		return errors.New("nothing answers there")
	}
	return nil
}

// access is what the device does to memory.
func (d *fake) access(size uint64, write bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.status = 0
	if write {
		size = 16
	}
	for iova, m := range d.maps {
		at := d.address - iova
		if !d.ep.BusMaster() || d.address < iova || at >= uint64(len(m)) || uint64(len(m))-at < size {
			continue
		}
		if write {
			copy(m[at:], "sixteen bytes...")
		}
		d.status = 1
		return
	}
	d.faults = append(d.faults, pcie.Fault{IOVA: d.address, Size: int(size), Write: write})
}

func (d *fake) MapRegion(index int, a Area) ([]byte, error) {
	if err := d.begin("map region %d %#x %#x", index, a.Offset, a.Size); err != nil {
		return nil, err
	}
	file := d.file[0]
	if index == 2 {
		file = d.file[1]
	}
	if index == 4 { // the pending bits only: ordinary memory will do here
		a.Offset = 0
	}
	m := d.mmap(file, int(a.Offset), int(a.Size))
	d.mu.Lock()
	defer d.mu.Unlock()
	d.regions[unsafe.SliceData(m)] = fmt.Sprint(index)
	return m, nil
}

func (d *fake) UnmapRegion(m []byte) error {
	err := d.begin("unmap region")
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, is := d.regions[unsafe.SliceData(m)]; !is {
		d.t.Error("unmap of what was not mapped")
		return nil
	}
	delete(d.regions, unsafe.SliceData(m))
	return errors.Join(err, unix.Munmap(m))
}

func (d *fake) IRQInfo(index int) (IRQ, error) {
	if err := d.begin("irq info %d", index); err != nil {
		return IRQ{}, err
	}
	switch index {
	case IRQMSIX:
		return IRQ{Count: fakeVectors, EventFD: true, Maskable: d.opts.maskable, NoResize: true}, nil
	case IRQError, IRQReq:
		return IRQ{Count: 1, EventFD: true}, nil
	}
	return IRQ{}, errors.New("no such interrupts")
}

func (d *fake) SetTriggers(index, start int, fds []int) error {
	if err := d.begin("set triggers %d", index); err != nil {
		return err
	}
	if start != 0 {
		d.t.Errorf("set triggers from %d on", start)
	}
	d.mu.Lock()
	if d.triggers[index] != nil {
		d.t.Errorf("index %d is enabled already", index)
	}
	d.triggers[index] = append([]int(nil), fds...)
	d.mu.Unlock()
	if index == IRQMSIX {
		return d.ep.SetVectors(len(fds))
	}
	return nil
}

func (d *fake) DisableIRQ(index int) error {
	if err := d.begin("disable irq %d", index); err != nil {
		return err
	}
	if index == IRQMSIX {
		d.ep.SetVectors(0)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.triggers[index] = nil
	return nil
}

// trigger is what the device does to an eventfd.
func (d *fake) trigger(index, vector int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if vector < len(d.triggers[index]) {
		var one [8]byte
		binary.NativeEndian.PutUint64(one[:], 1)
		if _, err := unix.Write(d.triggers[index][vector], one[:]); err != nil {
			d.t.Errorf("eventfd of vector %d: %v", vector, err)
		}
	}
}

func (d *fake) MaskIRQ(index, vector int, masked bool) error {
	if err := d.begin("mask irq %d %d %v", index, vector, masked); err != nil {
		return err
	}
	if !d.opts.maskable {
		d.t.Error("mask of a vector that cannot be masked")
	}
	return d.ep.MaskVector(vector, masked)
}

// MapDMA maps the file once more, as another process does.
func (d *fake) MapDMA(iova uint64, memory []byte, fd int, offset uint64) error {
	if err := d.begin("map dma"); err != nil {
		return err
	}
	m, err := unix.Mmap(fd, int64(offset), len(memory), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for at, other := range d.maps {
		if iova < at+uint64(len(other)) && at < iova+uint64(len(m)) {
			d.t.Errorf("mapping of %#x bytes at %#x overlaps %#x", len(m), iova, at)
		}
	}
	d.maps[iova] = m
	return nil
}

func (d *fake) UnmapDMA(iova, size uint64) error {
	err := d.begin("unmap dma")
	d.mu.Lock()
	defer d.mu.Unlock()
	m, ok := d.maps[iova]
	if err != nil && !errors.Is(err, pcie.ErrRemoved) {
		return err
	}
	if !ok || uint64(len(m)) != size {
		d.t.Errorf("unmap of %#x bytes at %#x, mapped are %#x", size, iova, len(m))
		return err
	}
	delete(d.maps, iova)
	return errors.Join(err, unix.Munmap(m))
}

func (d *fake) IOVARanges() []Range { return d.opts.ranges }
func (d *fake) MaxMappings() int    { return d.opts.limit }

func (d *fake) TakeFaults() []pcie.Fault {
	d.mu.Lock()
	defer d.mu.Unlock()
	faults := d.faults
	d.faults = nil
	return faults
}

func (d *fake) Gone() <-chan struct{} { return d.gone }

func (d *fake) Reset() error {
	if err := d.begin("reset"); err != nil {
		return err
	}
	d.ep.FunctionReset()
	return nil
}

// Close complains about what is left.
func (d *fake) Close() error {
	err := d.begin("close")
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.fail == nil && err == nil {
		for index, fds := range d.triggers {
			if len(fds) > 0 {
				d.t.Errorf("interrupt index %d is bound still", index)
			}
		}
	}
	if len(d.regions) > 0 {
		d.t.Errorf("%d mapped regions are left", len(d.regions))
	}
	if d.fail == nil && len(d.maps) > 0 {
		d.t.Errorf("%d DMA mappings are left", len(d.maps))
	}
	for iova, m := range d.maps {
		unix.Munmap(m)
		delete(d.maps, iova)
	}
	return err
}

// fakeDevice is a fake for the suite.
type fakeDevice struct{}

func (fakeDevice) Scratch() (int, uint64)               { return 0, scratchOffset }
func (fakeDevice) Unmapped() (int, uint64)              { return 0, emptyOffset }
func (fakeDevice) Settle(t testing.TB, _ pcie.Function) {}

func (fakeDevice) bar(t testing.TB, fn pcie.Function) pcie.BAR {
	t.Helper()
	b, err := fn.BAR(0)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (d fakeDevice) Raise(t testing.TB, fn pcie.Function, v int) {
	t.Helper()
	if err := d.bar(t, fn).Write32(raiseOffset, uint32(v)); err != nil {
		t.Fatal(err)
	}
}

func (d fakeDevice) Read(t testing.TB, fn pcie.Function, iova uint64, size int) bool {
	t.Helper()
	return d.access(t, fn, iova, readOffset, uint32(size))
}

func (d fakeDevice) Write(t testing.TB, fn pcie.Function, iova uint64) bool {
	t.Helper()
	return d.access(t, fn, iova, writeOffset, 16)
}

func (d fakeDevice) access(t testing.TB, fn pcie.Function, iova, register uint64, size uint32) bool {
	t.Helper()
	b := d.bar(t, fn)
	if err := errors.Join(b.Write64(addressOffset, iova), b.Write32(register, size)); err != nil {
		t.Fatal(err)
	}
	v, err := b.Read32(statusOffset)
	if err != nil {
		t.Fatal(err)
	}
	return v == 1
}
