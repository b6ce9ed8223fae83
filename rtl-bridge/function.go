// SPDX-License-Identifier: Apache-2.0

package rtlbridge

import (
	"context"
	"errors"
	"fmt"
	"sync"

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
	instance
	pool *hostmem.Pool
	// mappings are the DMA blocks, guarded by mu.
	mappings   map[*pcie.Memory]uint64 // size as it was mapped
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
	f := &Function{pool: hostmem.NewPool(), mappings: make(map[*pcie.Memory]uint64)}
	err := f.init(lib, config.Options, config.Seed, config.Quantum, endpoint.Config{Deliver: f.deliver, Reset: f.resetDevice}, nil)
	if err != nil {
		return nil, err
	}
	f.interrupts.counts = make([]uint64, lib.info.Vectors)
	f.ep.Enable()
	return f, nil
}

// Info implements pcie.Function.
func (f *Function) Info() pcie.Info { return f.info() }

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
	mapped := uint64(len(m.Bytes))
	if err := f.mapMemory(hostRange{iova: m.IOVA, size: mapped, bytes: m.Bytes, access: ReadAccess | WriteAccess}); err != nil {
		return nil, errors.Join(err, f.pool.Free(m))
	}
	f.mappings[m] = mapped
	return m, nil
}

// FreeDMA implements pcie.Function.
func (f *Function) FreeDMA(m *pcie.Memory) error {
	if err := f.lock(); err != nil {
		return err
	}
	defer f.mu.Unlock()
	mapped, ok := f.mappings[m]
	if !ok {
		return fmt.Errorf("freed memory is not allocated here: %w", pcie.ErrRange)
	}
	if err := f.unmapMemory(m.IOVA, mapped); err != nil {
		return err
	}
	delete(f.mappings, m)
	return f.pool.Free(m)
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
	f.resetSim()
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
