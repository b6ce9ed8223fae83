// SPDX-License-Identifier: Apache-2.0

package rtlbridge

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/endpoint"
)

// instance is a simulated NIC with its PCIe endpoint, its wire and the host
// memory that it may reach: what Function and Device have in common. They differ
// in who lets time pass.
type instance struct {
	lib     *Library
	quantum uint64
	ep      *endpoint.Endpoint
	bars    [6]pcie.BAR
	port    *Port
	closed  atomic.Bool
	// busErrors counts BAR accesses that the device answered with an error.
	busErrors atomic.Uint64
	// runner clocks the instance; nil: whoever uses it does. Set before use.
	runner *Runner

	// mu guards all that follows and sim. Members of a Cluster share one.
	mu      *sync.Mutex
	sim     *Sim
	cluster *Cluster
	// memory, by IOVA, is what the device reaches while master is set.
	memory map[uint64]hostRange
	master bool
	remote remoteMemory
	// onFault takes the faults as they happen; nil: they wait for Faults.
	onFault func(pcie.Fault)
	pulses  []uint32
	// failure is an error of a callback that cannot return one.
	failure error
}

// init makes the simulator and the endpoint in front of it. settings has what
// its user wants of the endpoint beyond the NIC's identity; wrap, if not nil,
// puts something in front of the memory of each BAR.
func (i *instance) init(lib *Library, options Options, seed, quantum uint64, settings endpoint.Config, wrap func(bar int, memory endpoint.Accessor) endpoint.Accessor) error {
	sim, err := lib.Create(options, seed)
	if err != nil {
		return err
	}
	i.lib, i.sim, i.quantum = lib, sim, quantum
	if i.quantum == 0 {
		i.quantum = DefaultQuantum
	}
	i.mu = new(sync.Mutex)
	i.memory = make(map[uint64]hostRange)
	i.pulses = make([]uint32, lib.info.Vectors)
	i.port = newPort(i)
	settings.VendorID, settings.DeviceID = pcie.VendorID, pcie.DeviceID
	settings.SubsystemVendorID, settings.SubsystemID = pcie.VendorID, pcie.DeviceID
	settings.Class, settings.Revision = pcie.ClassCode, 1
	settings.BAR0, settings.Vectors = lib.barSize(), lib.info.Vectors
	settings.BusMaster = i.setBusMaster
	if i.ep, err = endpoint.New(settings); err != nil {
		sim.Close()
		return err
	}
	sizes := i.ep.Info().BARs
	for bar, memory := range map[int]endpoint.Accessor{0: (*registers)(i), endpoint.MSIXBAR: i.ep.MSIXMemory()} {
		memory = whileOpen{i, memory}
		if wrap != nil {
			memory = wrap(bar, memory)
		}
		i.bars[bar] = endpoint.NewBAR(sizes[bar], memory)
	}
	return nil
}

// info describes the function.
func (i *instance) info() pcie.Info {
	info := i.ep.Info()
	info.Location = "sim:" + i.lib.path
	info.Simulated = true
	return info
}

// Library returns what the simulator says about itself.
func (i *instance) Library() LibraryInfo { return i.lib.info }

// Port returns the NIC's wire.
func (i *instance) Port() *Port { return i.port }

// BAR implements pcie.Function.
func (i *instance) BAR(n int) (pcie.BAR, error) {
	if i.closed.Load() {
		return nil, pcie.ErrClosed
	}
	if n < 0 || n >= len(i.bars) || i.bars[n] == nil {
		return nil, fmt.Errorf("BAR %d, the function has BARs 0 and %d: %w", n, endpoint.MSIXBAR, pcie.ErrRange)
	}
	return i.bars[n], nil
}

// lock takes the mutex of the simulator unless the function is closed.
func (i *instance) lock() error {
	i.acquire()
	if i.closed.Load() {
		i.mu.Unlock()
		return pcie.ErrClosed
	}
	return nil
}

// acquire takes the mutex of the simulator, before a Runner that has it.
func (i *instance) acquire() {
	if i.runner == nil {
		i.mu.Lock()
		return
	}
	i.runner.acquire()
}

// takeFailure returns the error that a callback left behind.
func (i *instance) takeFailure() error {
	i.acquire()
	defer i.mu.Unlock()
	err := i.failure
	i.failure = nil
	return err
}

// Faults implements pcie.Function.
func (i *instance) Faults() ([]pcie.Fault, error) {
	if err := i.lock(); err != nil {
		return nil, err
	}
	defer i.mu.Unlock()
	return i.sim.Faults()
}

// resetSim is what a function-level reset does to the simulator.
func (i *instance) resetSim() {
	if i.lock() != nil {
		return
	}
	defer i.mu.Unlock()
	before := i.sim.Cycle()
	err := i.sim.HardReset()
	if err == nil {
		i.port.reset()
		err = i.settle(i.sim.Cycle() - before)
	}
	if err != nil && i.failure == nil {
		i.failure = err
	}
}

// Trace starts a waveform in path; "" ends it.
func (i *instance) Trace(path string) error {
	return i.withSim(func(s *Sim) error { return s.Trace(path) })
}

// Coverage writes the coverage collected so far to path.
func (i *instance) Coverage(path string) error {
	return i.withSim(func(s *Sim) error { return s.Coverage(path) })
}

// Record writes the input pins of each clock to path; "" ends it. See Sim.Record.
func (i *instance) Record(path string) error {
	return i.withSim(func(s *Sim) error { return s.Record(path) })
}

// Peek reads the design's memories by the back door. See Sim.Peek.
func (i *instance) Peek(name string, index uint64, out []byte) (n int, err error) {
	err = i.withSim(func(s *Sim) error {
		n, err = s.Peek(name, index, out)
		return err
	})
	return n, err
}

// withSim calls do with the simulator locked.
func (i *instance) withSim(do func(*Sim) error) error {
	if err := i.lock(); err != nil {
		return err
	}
	defer i.mu.Unlock()
	return do(i.sim)
}

// BusErrors returns how many BAR accesses the device has answered with an error.
// A PCIe host sees ones (reads) or nothing (writes); a test may want to know.
func (i *instance) BusErrors() uint64 { return i.busErrors.Load() }

// registers is an instance seen through BAR 0.
type registers instance

// ReadBAR implements endpoint.Accessor.
func (r *registers) ReadBAR(offset uint64, width int) (uint64, error) {
	f := (*instance)(r)
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
	f := (*instance)(r)
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
	f      *instance
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
