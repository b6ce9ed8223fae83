// SPDX-License-Identifier: Apache-2.0

package rtlbridge

import (
	"errors"
	"fmt"
	"sync"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/endpoint"
)

// DeviceConfig says how to open a Device.
type DeviceConfig struct {
	// Options are the simulator's; nil for its defaults.
	Options Options
	// Seed decides all that is random in the bus models.
	Seed uint64
	// Deliver receives each MSI-X message that the endpoint sends; nil drops
	// them. Fault receives each access to host memory that was refused; nil
	// drops them. Both are called with the simulator stopped: they must not
	// wait, nor call methods of the Device but Endpoint.
	Deliver func(endpoint.Message)
	Fault   func(pcie.Fault)
	// Log receives what a person should know, a line without its end; nil drops
	// it. It may be called from several goroutines at once.
	Log func(format string, args ...any)
}

// Device is a simulated NIC whose clock runs by itself, once a Runner has it,
// and whose host is somebody else: MSI-X messages go out through Deliver,
// memory is what MapHost and its relatives name. Memory space and bus mastering
// are off at first, as after power-up, and the device reaches memory while bus
// mastering is on.
//
// When the design stops ($fatal, a failed assertion, a broken bus protocol) the
// Device behaves as if it had been removed: reads of configuration space and BARs
// give all ones, writes are lost. Failed and Err tell.
//
// Methods may be called from several goroutines at once.
type Device struct {
	instance
	log    func(format string, args ...any)
	failed chan struct{}
	fail   sync.Once
	err    error // before failed is closed
}

// OpenDevice creates a NIC from a loaded library.
func OpenDevice(lib *Library, config DeviceConfig) (*Device, error) {
	d := &Device{log: config.Log, failed: make(chan struct{})}
	if d.log == nil {
		d.log = func(string, ...any) {}
	}
	wrap := func(bar int, memory endpoint.Accessor) endpoint.Accessor { return &removable{d, bar, memory} }
	err := d.init(lib, config.Options, config.Seed, smallStep, endpoint.Config{Deliver: config.Deliver, Reset: d.resetSim}, wrap)
	if err != nil {
		return nil, err
	}
	if config.Fault == nil {
		config.Fault = func(pcie.Fault) {}
	}
	d.onFault = config.Fault
	return d, nil
}

// Info describes the function.
func (d *Device) Info() pcie.Info { return d.info() }

// Endpoint returns the PCIe endpoint in front of the NIC.
func (d *Device) Endpoint() *endpoint.Endpoint { return d.ep }

// Failed is closed when the design has stopped; Err says why.
func (d *Device) Failed() <-chan struct{} { return d.failed }

// Err returns why the design has stopped, nil if it has not.
func (d *Device) Err() error {
	if !d.hasFailed() {
		return nil
	}
	return d.err
}

func (d *Device) hasFailed() bool {
	select {
	case <-d.failed:
		return true
	default:
		return false
	}
}

// stopped is called with whatever came of an operation of the simulator.
func (d *Device) stopped(err error) {
	d.fail.Do(func() {
		d.err = err
		d.log("%v", err)
		close(d.failed)
	})
}

// judge takes note of an error in operation: what a host could not know of is
// logged, the end of the design is remembered.
func (d *Device) judge(operation string, err error) {
	switch {
	case err == nil || errors.Is(err, pcie.ErrClosed):
	case errors.Is(err, ErrModel):
		d.stopped(err)
	default:
		d.log("%s: %v", operation, err)
	}
}

// ConfigRead reads width (1, 2 or 4) bytes of configuration space.
func (d *Device) ConfigRead(offset, width int) (uint32, error) {
	v, err := d.ep.ConfigRead(offset, width)
	if err == nil && d.hasFailed() {
		v = uint32(ones(width))
	}
	return v, err
}

// ConfigWrite writes width (1, 2 or 4) bytes of configuration space.
func (d *Device) ConfigWrite(offset, width int, value uint32) error {
	if d.hasFailed() {
		return nil
	}
	if err := d.ep.ConfigWrite(offset, width, value); err != nil {
		return err
	}
	d.judge("write of configuration space", d.takeFailure())
	return nil
}

// Reset is a function-level reset: everything but the memory mapped is as after
// power-up.
func (d *Device) Reset() {
	if d.hasFailed() {
		return
	}
	d.ep.FunctionReset()
	d.judge("reset", d.takeFailure())
}

// MapHost lets the device reach memory of this process, outside the Go heap, at
// iova, until UnmapHost returns.
func (d *Device) MapHost(iova uint64, memory []byte, access Access) error {
	if len(memory) == 0 {
		return fmt.Errorf("memory at %#x has size 0: %w", iova, pcie.ErrRange)
	}
	return d.mapHost(hostRange{iova: iova, size: uint64(len(memory)), bytes: memory, access: access})
}

// MapHostFD lets the device reach size bytes of a file from offset, by pread and
// pwrite: a file that became shorter is a fault. fd must stay open until
// UnmapHost has returned.
func (d *Device) MapHostFD(iova, size uint64, fd int, offset uint64, access Access) error {
	return d.mapHost(hostRange{iova: iova, size: size, fd: fd, offset: offset, access: access})
}

func (d *Device) mapHost(r hostRange) error {
	if err := d.lock(); err != nil {
		return err
	}
	defer d.mu.Unlock()
	return d.mapMemory(r)
}

// UnmapHost withdraws a range as it was mapped. When it returns no access to it
// is under way, and none comes.
func (d *Device) UnmapHost(iova, size uint64) error {
	if err := d.lock(); err != nil {
		return err
	}
	defer d.mu.Unlock()
	return d.unmapMemory(iova, size)
}

// SetRemote has serve called for each access to memory that is not mapped, while
// bus mastering is on; Answer answers it. nil, as at first, makes faults of them,
// also of those that wait. serve must not wait, nor call methods of the Device.
// ErrNotSupported says that the library has no remote memory.
func (d *Device) SetRemote(serve func(Request)) error {
	if err := d.lock(); err != nil {
		return err
	}
	defer d.mu.Unlock()
	if serve != nil && d.lib.memRemote == 0 {
		return d.sim.MemRemote(true) // which says so
	}
	d.remote.serve = serve
	return d.remote.apply(&d.instance)
}

// Answer answers a request: data is what a read gave, nil for a write; with ok
// false the device sees an error, and there is a fault. Answers to requests that
// a reset or SetRemote has ended do nothing.
func (d *Device) Answer(id uint64, ok bool, data []byte) error {
	if err := d.lock(); err != nil {
		return err
	}
	defer d.mu.Unlock()
	return d.sim.MemAnswer(id, ok, data)
}

// Cycle returns the clock cycles since power-up.
func (d *Device) Cycle() uint64 {
	if d.lock() != nil {
		return 0
	}
	defer d.mu.Unlock()
	return d.sim.Cycle()
}

// Close ends the device. Its Runner must have been closed before.
func (d *Device) Close() error {
	d.acquire()
	defer d.mu.Unlock()
	if d.closed.Swap(true) {
		return nil
	}
	d.sim.Close()
	clear(d.memory)
	return nil
}

// removable is a BAR's memory that reads as ones once the design has stopped, and
// where an access that got no answer does so too.
type removable struct {
	d      *Device
	bar    int
	memory endpoint.Accessor
}

// ReadBAR implements endpoint.Accessor.
func (r *removable) ReadBAR(offset uint64, width int) (uint64, error) {
	if r.d.hasFailed() {
		return ones(width), nil
	}
	v, err := r.memory.ReadBAR(offset, width)
	if err == nil || errors.Is(err, pcie.ErrClosed) {
		return v, err
	}
	r.d.judge(fmt.Sprintf("read of %d bytes at %#x of BAR %d gives ones", width, offset, r.bar), err)
	return ones(width), nil
}

// WriteBAR implements endpoint.Accessor.
func (r *removable) WriteBAR(offset uint64, width int, value uint64) error {
	if r.d.hasFailed() {
		return nil
	}
	err := r.memory.WriteBAR(offset, width, value)
	if errors.Is(err, pcie.ErrClosed) {
		return err
	}
	r.d.judge(fmt.Sprintf("write of %d bytes at %#x of BAR %d is lost", width, offset, r.bar), err)
	return nil
}
