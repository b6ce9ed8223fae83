// SPDX-License-Identifier: Apache-2.0

package rtlbridge

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/endpoint"
	"github.com/espalier-nic/espalier/driver/pcie/hostmem"
)

// DefaultQuantum is the step of simulated time, in clock cycles, after which
// the program looks at what the device has done: 256 ns at 250 MHz, about what
// a PCIe round trip takes.
const DefaultQuantum = 64

// waitQuanta is how many quanta WaitInterrupt and Relax run before others get
// their turn at the device.
const waitQuanta = 16

// Config says how to open a simulated NIC.
type Config struct {
	// Options are the simulator's; nil for its defaults.
	Options Options
	// Seed decides all that is random in the bus models.
	Seed uint64
	// Quantum is the step of simulated time in clock cycles; 0 for
	// DefaultQuantum. Relax and WaitInterrupt return on its multiples.
	Quantum uint64
}

// Function is a simulated NIC as a pcie.Function, in lock-step: simulated time
// moves only inside accesses to BAR 0, Relax, WaitInterrupt, Run and Reset, and
// the same calls with the same seed take the same number of cycles.
//
// Its memory and bus mastering are enabled when it is opened. While bus
// mastering is off in the command register the device's accesses to DMA memory
// are faults and its interrupts stay pending.
type Function struct {
	lib     *Library
	quantum uint64
	ep      *endpoint.Endpoint
	pool    *hostmem.Pool
	bars    [6]pcie.BAR
	port    *Port
	closed  atomic.Bool
	// busErrors counts BAR accesses that the device answered with an error.
	busErrors atomic.Uint64

	// mu guards all that follows and sim. Members of a Cluster share one.
	mu      *sync.Mutex
	sim     *Sim
	cluster *Cluster
	// mappings are the DMA blocks; the device reaches them while master is set.
	mappings map[*pcie.Memory][]byte
	master   bool
	pulses   []uint32
	// failure is an error of a callback that cannot return one.
	failure error

	interrupts interruptCounts
}

// interruptCounts are the messages that no WaitInterrupt has taken.
type interruptCounts struct {
	mu      sync.Mutex
	enabled int
	counts  []uint64
}

var (
	_ pcie.Function = (*Function)(nil)
	_ pcie.Clocked  = (*Function)(nil)
)

// Open creates a NIC from a loaded library.
func Open(lib *Library, config Config) (*Function, error) {
	sim, err := lib.Create(config.Options, config.Seed)
	if err != nil {
		return nil, err
	}
	f := &Function{
		lib:      lib,
		quantum:  config.Quantum,
		pool:     hostmem.NewPool(),
		mu:       new(sync.Mutex),
		sim:      sim,
		mappings: make(map[*pcie.Memory][]byte),
		pulses:   make([]uint32, lib.info.Vectors),
	}
	if f.quantum == 0 {
		f.quantum = DefaultQuantum
	}
	f.interrupts.counts = make([]uint64, lib.info.Vectors)
	f.port = newPort(f)
	f.ep, err = endpoint.New(endpoint.Config{
		VendorID: pcie.VendorID, DeviceID: pcie.DeviceID,
		SubsystemVendorID: pcie.VendorID, SubsystemID: pcie.DeviceID,
		Class: pcie.ClassCode, Revision: 1,
		BAR0: lib.barSize(), Vectors: lib.info.Vectors,
		Deliver: f.deliver, Reset: f.resetDevice, BusMaster: f.setBusMaster,
	})
	if err != nil {
		sim.Close()
		return nil, err
	}
	sizes := f.ep.Info().BARs
	f.bars[0] = endpoint.NewBAR(sizes[0], whileOpen{f, (*registers)(f)})
	f.bars[endpoint.MSIXBAR] = endpoint.NewBAR(sizes[endpoint.MSIXBAR], whileOpen{f, f.ep.MSIXMemory()})
	f.ep.Enable()
	return f, nil
}

// Info implements pcie.Function.
func (f *Function) Info() pcie.Info {
	info := f.ep.Info()
	info.Location = "sim:" + f.lib.path
	info.Simulated = true
	return info
}

// Library returns what the simulator says about itself.
func (f *Function) Library() LibraryInfo { return f.lib.info }

// Port returns the NIC's wire.
func (f *Function) Port() *Port { return f.port }

// ConfigRead implements pcie.Function.
func (f *Function) ConfigRead(offset, width int) (uint32, error) {
	if f.closed.Load() {
		return 0, pcie.ErrClosed
	}
	return f.ep.ConfigRead(offset, width)
}

// ConfigWrite implements pcie.Function.
func (f *Function) ConfigWrite(offset, width int, value uint32) error {
	if f.closed.Load() {
		return pcie.ErrClosed
	}
	if err := f.ep.ConfigWrite(offset, width, value); err != nil {
		return err
	}
	return f.takeFailure()
}

// BAR implements pcie.Function.
func (f *Function) BAR(n int) (pcie.BAR, error) {
	if f.closed.Load() {
		return nil, pcie.ErrClosed
	}
	if n < 0 || n >= len(f.bars) || f.bars[n] == nil {
		return nil, fmt.Errorf("BAR %d, the function has BARs 0 and %d: %w", n, endpoint.MSIXBAR, pcie.ErrRange)
	}
	return f.bars[n], nil
}

// lock takes the mutex of the simulator unless the function is closed.
func (f *Function) lock() error {
	f.mu.Lock()
	if f.closed.Load() {
		f.mu.Unlock()
		return pcie.ErrClosed
	}
	return nil
}

// takeFailure returns the error that a callback left behind.
func (f *Function) takeFailure() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.failure
	f.failure = nil
	return err
}

// AllocDMA implements pcie.Function.
func (f *Function) AllocDMA(size int) (*pcie.Memory, error) {
	if err := f.lock(); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	m, err := f.pool.Alloc(size)
	if err != nil {
		return nil, err
	}
	if f.master {
		if err := f.sim.MemAdd(m.IOVA, m.Bytes, ReadAccess|WriteAccess); err != nil {
			return nil, errors.Join(err, f.pool.Free(m))
		}
	}
	f.mappings[m] = m.Bytes
	return m, nil
}

// FreeDMA implements pcie.Function.
func (f *Function) FreeDMA(m *pcie.Memory) error {
	if err := f.lock(); err != nil {
		return err
	}
	defer f.mu.Unlock()
	bytes, ok := f.mappings[m]
	if !ok {
		return fmt.Errorf("freed memory is not allocated here: %w", pcie.ErrRange)
	}
	if f.master {
		// A design that has stopped makes no accesses any more.
		if err := f.sim.MemRemove(m.IOVA, uint64(len(bytes))); err != nil && !errors.Is(err, ErrModel) {
			return err
		}
	}
	delete(f.mappings, m)
	return f.pool.Free(m)
}

// setBusMaster gives the device access to DMA memory or takes it away.
func (f *Function) setBusMaster(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.master = on
	if f.closed.Load() {
		return
	}
	for m, bytes := range f.mappings {
		var err error
		if on {
			err = f.sim.MemAdd(m.IOVA, bytes, ReadAccess|WriteAccess)
		} else {
			err = f.sim.MemRemove(m.IOVA, uint64(len(bytes)))
		}
		if err != nil && f.failure == nil && !errors.Is(err, ErrModel) {
			f.failure = err
		}
	}
}

// Faults implements pcie.Function.
func (f *Function) Faults() ([]pcie.Fault, error) {
	if err := f.lock(); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	return f.sim.Faults()
}

// Reset implements pcie.Function: a function-level reset, after which memory
// and bus mastering are enabled again and interrupts are disabled.
func (f *Function) Reset(ctx context.Context) error {
	if f.closed.Load() {
		return pcie.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	f.ep.FunctionReset()
	f.ep.Enable()
	return f.takeFailure()
}

// resetDevice is what a function-level reset does to the device.
func (f *Function) resetDevice() {
	f.interrupts.mu.Lock()
	f.interrupts.enabled = 0
	clear(f.interrupts.counts)
	f.interrupts.mu.Unlock()

	if f.lock() != nil {
		return
	}
	defer f.mu.Unlock()
	before := f.sim.Cycle()
	err := f.sim.HardReset()
	if err == nil {
		f.port.reset()
		err = f.settle(f.sim.Cycle() - before)
	}
	if err != nil && f.failure == nil {
		f.failure = err
	}
}

// Trace starts a waveform in path; "" ends it.
func (f *Function) Trace(path string) error {
	return f.withSim(func(s *Sim) error { return s.Trace(path) })
}

// Coverage writes the coverage collected so far to path.
func (f *Function) Coverage(path string) error {
	return f.withSim(func(s *Sim) error { return s.Coverage(path) })
}

// Record writes the input pins of each clock to path; "" ends it. See Sim.Record.
func (f *Function) Record(path string) error {
	return f.withSim(func(s *Sim) error { return s.Record(path) })
}

// Peek reads the design's memories by the back door. See Sim.Peek.
func (f *Function) Peek(name string, index uint64, out []byte) (n int, err error) {
	err = f.withSim(func(s *Sim) error {
		n, err = s.Peek(name, index, out)
		return err
	})
	return n, err
}

// withSim calls do with the simulator locked.
func (f *Function) withSim(do func(*Sim) error) error {
	if err := f.lock(); err != nil {
		return err
	}
	defer f.mu.Unlock()
	return do(f.sim)
}

// Close implements pcie.Function.
func (f *Function) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed.Swap(true) {
		return nil
	}
	f.sim.Close()
	clear(f.mappings)
	return f.pool.Close()
}

// BusErrors returns how many BAR accesses the device has answered with an error.
// A PCIe host sees ones (reads) or nothing (writes); a test may want to know.
func (f *Function) BusErrors() uint64 { return f.busErrors.Load() }

// registers is a Function seen through BAR 0.
type registers Function

// ReadBAR implements endpoint.Accessor.
func (r *registers) ReadBAR(offset uint64, width int) (uint64, error) {
	f := (*Function)(r)
	if !f.ep.MemoryEnabled() {
		return ones(width), nil
	}
	if err := f.lock(); err != nil {
		return 0, err
	}
	defer f.mu.Unlock()
	before := f.clusterCycle()
	v, err := f.sim.BARRead(0, offset, width)
	if errors.Is(err, ErrBus) {
		f.busErrors.Add(1)
		v, err = ones(width), nil
	}
	return v, errors.Join(err, f.settleAfter(before))
}

// WriteBAR implements endpoint.Accessor.
func (r *registers) WriteBAR(offset uint64, width int, value uint64) error {
	f := (*Function)(r)
	if !f.ep.MemoryEnabled() {
		return nil
	}
	if err := f.lock(); err != nil {
		return err
	}
	defer f.mu.Unlock()
	before := f.clusterCycle()
	err := f.sim.BARWrite(0, offset, width, value)
	if errors.Is(err, ErrBus) {
		f.busErrors.Add(1)
		err = nil
	}
	return errors.Join(err, f.settleAfter(before))
}

func ones(width int) uint64 { return ^uint64(0) >> (64 - 8*width) }

// whileOpen refuses accesses to memory after Close, also those that would not
// reach the simulator.
type whileOpen struct {
	f      *Function
	memory endpoint.Accessor
}

// ReadBAR implements endpoint.Accessor.
func (o whileOpen) ReadBAR(offset uint64, width int) (uint64, error) {
	if o.f.closed.Load() {
		return 0, pcie.ErrClosed
	}
	return o.memory.ReadBAR(offset, width)
}

// WriteBAR implements endpoint.Accessor.
func (o whileOpen) WriteBAR(offset uint64, width int, value uint64) error {
	if o.f.closed.Load() {
		return pcie.ErrClosed
	}
	return o.memory.WriteBAR(offset, width, value)
}
