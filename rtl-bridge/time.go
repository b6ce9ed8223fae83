// SPDX-License-Identifier: Apache-2.0

package rtlbridge

import (
	"context"
	"fmt"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/endpoint"
)

// visible are the events after which software may see something new.
const visible = EventInterrupt | EventWrite | EventFault

// Cycle implements pcie.Clocked. Members of a Cluster have the same cycle.
func (f *Function) Cycle() uint64 {
	if f.lock() != nil {
		return 0
	}
	defer f.mu.Unlock()
	return f.sim.Cycle()
}

// Run lets exactly that many clock cycles pass.
func (f *Function) Run(cycles uint64) error { return f.run(cycles) }

// Relax implements pcie.Function: it lets up to max cycles pass (0: 16 quanta),
// in whole quanta until the device, or another of its Cluster, has written to
// memory, raised an interrupt or had a fault.
func (f *Function) Relax(ctx context.Context, max uint64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if max == 0 {
		max = waitQuanta * f.quantum
	}
	if err := f.lock(); err != nil {
		return err
	}
	defer f.mu.Unlock()
	_, err := f.runUntil(max, visible)
	return err
}

// WaitInterrupt implements pcie.Function; time passes until the interrupt comes.
func (f *Function) WaitInterrupt(ctx context.Context, v int) (uint64, error) {
	for {
		n, err := f.takeInterrupts(v)
		if n > 0 || err != nil {
			return n, err
		}
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if err := f.lock(); err != nil {
			return 0, err
		}
		_, err = f.runUntil(waitQuanta*f.quantum, EventInterrupt)
		f.mu.Unlock()
		if err != nil {
			return 0, err
		}
	}
}

// takeInterrupts takes the messages of vector v.
func (f *Function) takeInterrupts(v int) (uint64, error) {
	if f.closed.Load() {
		return 0, pcie.ErrClosed
	}
	f.interrupts.mu.Lock()
	defer f.interrupts.mu.Unlock()
	if v < 0 || v >= f.interrupts.enabled {
		return 0, fmt.Errorf("interrupt vector %d, enabled are %d: %w", v, f.interrupts.enabled, pcie.ErrRange)
	}
	n := f.interrupts.counts[v]
	f.interrupts.counts[v] = 0
	return n, nil
}

// SetVectors implements pcie.Function.
func (f *Function) SetVectors(n int) error {
	if f.closed.Load() {
		return pcie.ErrClosed
	}
	if n < 0 || n > len(f.interrupts.counts) {
		return fmt.Errorf("%d interrupt vectors, the function has %d: %w", n, len(f.interrupts.counts), pcie.ErrRange)
	}
	f.interrupts.mu.Lock()
	f.interrupts.enabled = n
	clear(f.interrupts.counts)
	f.interrupts.mu.Unlock()
	return f.ep.SetVectors(n)
}

// MaskVector implements pcie.Function.
func (f *Function) MaskVector(v int, masked bool) error {
	if f.closed.Load() {
		return pcie.ErrClosed
	}
	return f.ep.MaskVector(v, masked)
}

// deliver takes an MSI-X message from the endpoint.
func (f *Function) deliver(m endpoint.Message) {
	f.interrupts.mu.Lock()
	f.interrupts.counts[m.Vector]++
	f.interrupts.mu.Unlock()
}

// runUntil lets time pass, up to max cycles, until one of the events. Except at
// the end of max it stops on whole quanta. f.mu is held.
func (f *Function) runUntil(max uint64, until Event) (Event, error) {
	var seen Event
	for max > 0 && seen&until == 0 {
		events, err := f.step(min(max, f.quantum))
		if err != nil {
			return seen, err
		}
		seen |= events
		max -= min(max, f.quantum)
	}
	return seen, nil
}
