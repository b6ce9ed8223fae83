// SPDX-License-Identifier: Apache-2.0

package passthrough

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/espalier-nic/espalier/driver/pcie"
)

// Options say how to open a Device.
type Options struct {
	// Hugepages puts hugepages behind allocations of at least one hugepage as
	// long as the system has free ones.
	Hugepages bool
	// Addresses gives out IOVAs; nil: a space of the Function's own. Functions
	// behind the same mappings share one.
	Addresses *AddressSpace
	// Memory is where DMA memory comes from if neither this package nor an
	// IOMMU has a say in its addresses. MapDMA and UnmapDMA are not called then.
	Memory Allocator
}

// Allocator is memory whose addresses are what they are. Its methods may be
// called from several goroutines at once.
type Allocator interface {
	// Alloc returns size bytes, a multiple of the page size, of zeroed memory
	// outside the Go heap, that the device reaches at iova as one range.
	Alloc(size int) (memory []byte, iova uint64, err error)
	// Free takes them back.
	Free(memory []byte, iova uint64) error
}

// Function is a Device as a pcie.Function.
//
// Memory and bus mastering are enabled when it is opened and after a reset, as
// an operating system hands a function to a driver. Close puts the command
// register back.
//
// The device counts as removed when configuration space reads as all ones, when
// its Gone channel closes, and when its owner asks for it back (IRQReq): the
// kernel then waits for Close, so everything but Close and FreeDMA is refused
// with pcie.ErrRemoved.
type Function struct {
	dev  Device
	info pcie.Info
	bars [6]*bar
	irq  vectors
	dma  memory

	// life is read-locked by calls under way that use the device; Close takes
	// it for itself. Waits do not hold it.
	life    sync.RWMutex
	closed  atomic.Bool
	removed atomic.Pointer[error]
	done    chan struct{} // closed by Close: watchers end
	watch   sync.WaitGroup
	undo    cleanups // in the order in which things were made

	idle         idle
	busErrors    atomic.Uint64
	deviceErrors atomic.Uint64
}

var _ pcie.Function = (*Function)(nil)

// Open takes a device. It owns dev from now on: it closes it also if it fails.
func Open(dev Device, opts Options) (_ *Function, err error) {
	f := &Function{dev: dev, done: make(chan struct{})}
	f.undo.add(f.dma.release)
	f.undo.add(dev.Close)
	defer func() {
		if err != nil {
			err = fmt.Errorf("open %s: %w", dev.Location(), errors.Join(err, f.dispose()))
		}
	}()
	if err := f.identify(); err != nil {
		return nil, err
	}
	if err := f.openBARs(); err != nil {
		return nil, err
	}
	f.dma.init(dev, opts)
	f.undo.add(f.dma.freeAll)
	if err := f.watchDevice(); err != nil {
		return nil, err
	}
	command, err := f.readConfig(pcie.ConfigCommand, 2)
	if err != nil {
		return nil, err
	}
	f.undo.add(func() error { return f.quiesce(command) })
	if err := f.enable(); err != nil {
		return nil, err
	}
	f.irq.init(dev)
	f.undo.add(f.irq.close)
	return f, nil
}

// identify reads what Info tells.
func (f *Function) identify() error {
	var header [pcie.ConfigSubsystemID/4 + 1]uint32
	for i := range header {
		v, err := f.readConfig(4*i, 4)
		if err != nil {
			return err
		}
		header[i] = v
	}
	if header[0] == ^uint32(0) || header[2] == ^uint32(0) {
		return fmt.Errorf("configuration space reads as all ones: %w", pcie.ErrRemoved)
	}
	f.info = pcie.Info{
		Location: f.dev.Location(),
		VendorID: uint16(header[0]), DeviceID: uint16(header[0] >> 16),
		Revision: uint8(header[2]), Class: header[2] >> 8,
		SubsystemVendorID: uint16(header[pcie.ConfigSubsystemVendorID/4]),
		SubsystemID:       uint16(header[pcie.ConfigSubsystemVendorID/4] >> 16),
	}
	return nil
}

// quiesce ends the device's accesses to memory and puts the command register
// back. The answer to the read does not overtake what the device has written
// before (PCI Express Base 5.0, 2.4.1).
func (f *Function) quiesce(command uint32) error {
	err := f.writeConfig(pcie.ConfigCommand, 2, command&^pcie.CommandBusMaster)
	if err == nil {
		_, err = f.readConfig(pcie.ConfigCommand, 2)
	}
	if err != nil && !errors.Is(err, pcie.ErrRemoved) {
		f.dma.keep()
	}
	return err
}

// enable lets BARs answer and the device reach memory.
func (f *Function) enable() error {
	command, err := f.readConfig(pcie.ConfigCommand, 2)
	if err != nil {
		return err
	}
	return f.writeConfig(pcie.ConfigCommand, 2, command|pcie.CommandMemory|pcie.CommandBusMaster)
}

// usable says what is in the way of using the device.
func (f *Function) usable() error {
	if f.closed.Load() {
		return pcie.ErrClosed
	}
	if reason := f.removed.Load(); reason != nil {
		return *reason
	}
	return nil
}

// enter begins a call that uses the device; f.life.RUnlock ends it.
func (f *Function) enter() error {
	f.life.RLock()
	if err := f.usable(); err != nil {
		f.life.RUnlock()
		return err
	}
	return nil
}

// remove records that the device has gone and ends all waits.
func (f *Function) remove(reason string) error {
	err := fmt.Errorf("%s: %s: %w", f.dev.Location(), reason, pcie.ErrRemoved)
	if f.removed.CompareAndSwap(nil, &err) {
		f.irq.wake()
	}
	return *f.removed.Load()
}

// note looks at an error of the device: a removal is remembered.
func (f *Function) note(err error) error {
	if errors.Is(err, pcie.ErrRemoved) {
		if f.removed.CompareAndSwap(nil, &err) {
			f.irq.wake()
		}
	}
	return err
}

// Info implements pcie.Function.
func (f *Function) Info() pcie.Info { return f.info }

// BusErrors returns how many BAR accesses the device has answered with an error.
// As on PCIe they gave ones (reads) or nothing (writes).
func (f *Function) BusErrors() uint64 { return f.busErrors.Load() }

// DeviceErrors returns how often the device has reported an uncorrectable error
// (IRQError). What it was is in the kernel's log; a reset is the usual remedy.
func (f *Function) DeviceErrors() uint64 { return f.deviceErrors.Load() }

// AllocDMA implements pcie.Function.
func (f *Function) AllocDMA(size int) (*pcie.Memory, error) {
	if err := f.enter(); err != nil {
		return nil, err
	}
	defer f.life.RUnlock()
	m, err := f.dma.alloc(size)
	return m, f.note(err)
}

// FreeDMA implements pcie.Function. Memory of a device that has gone is freed
// too, with an error that is pcie.ErrRemoved.
func (f *Function) FreeDMA(m *pcie.Memory) error {
	f.life.RLock()
	defer f.life.RUnlock()
	if f.closed.Load() {
		return pcie.ErrClosed
	}
	if err := f.note(f.dma.free(m)); err != nil {
		return err
	}
	return f.usable()
}

// Faults implements pcie.Function.
func (f *Function) Faults() ([]pcie.Fault, error) {
	if err := f.enter(); err != nil {
		return nil, err
	}
	defer f.life.RUnlock()
	return f.dev.TakeFaults(), nil
}

// SetVectors implements pcie.Function.
func (f *Function) SetVectors(n int) error {
	if err := f.enter(); err != nil {
		return err
	}
	defer f.life.RUnlock()
	return f.note(f.irq.set(n))
}

// MaskVector implements pcie.Function: by the device where it can, else here.
func (f *Function) MaskVector(v int, masked bool) error {
	if err := f.enter(); err != nil {
		return err
	}
	defer f.life.RUnlock()
	return f.note(f.irq.mask(v, masked))
}

// WaitInterrupt implements pcie.Function.
func (f *Function) WaitInterrupt(ctx context.Context, v int) (uint64, error) {
	return f.irq.wait(ctx, v, f.usable)
}

// Relax implements pcie.Function. Clock cycles of the device are not known here;
// max only says whether the caller would mind a sleep.
func (f *Function) Relax(ctx context.Context, max uint64) error {
	if err := f.usable(); err != nil {
		return err
	}
	f.idle.relax(max)
	return ctx.Err()
}

// Reset implements pcie.Function. Memory and bus mastering are enabled again
// afterwards, interrupts are not.
func (f *Function) Reset(ctx context.Context) error {
	if err := f.enter(); err != nil {
		return err
	}
	defer f.life.RUnlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := f.present(); err != nil {
		return err
	}
	if err := f.irq.set(0); err != nil {
		return f.note(fmt.Errorf("reset %s: %w", f.dev.Location(), err))
	}
	if err := f.dev.Reset(); err != nil {
		return f.note(fmt.Errorf("reset %s: %w", f.dev.Location(), err))
	}
	if err := f.present(); err != nil {
		return err
	}
	return f.note(f.enable())
}

// Close implements pcie.Function. It ends waits, waits for other calls under
// way, and undoes everything in reverse order.
func (f *Function) Close() error {
	if f.closed.Swap(true) {
		return nil
	}
	f.irq.wake()
	f.life.Lock()
	defer f.life.Unlock()
	return f.dispose()
}

// dispose undoes what was done. Nothing can be undone on a device that has gone,
// and it need not be.
func (f *Function) dispose() error {
	close(f.done)
	err := f.undo.run()
	f.watch.Wait()
	return err
}

// cleanups undo acquisitions in reverse.
type cleanups []func() error

func (c *cleanups) add(undo func() error) { *c = append(*c, undo) }

// run undoes everything. ErrRemoved is no failure here.
func (c *cleanups) run() error {
	var errs []error
	for _, undo := range slices.Backward(*c) {
		if err := undo(); err != nil && !errors.Is(err, pcie.ErrRemoved) {
			errs = append(errs, err)
		}
	}
	*c = nil
	return errors.Join(errs...)
}
