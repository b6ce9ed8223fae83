// SPDX-License-Identifier: Apache-2.0

package rtlbridge

import "errors"

// anything stands for the events of an operation that does not report them.
const anything = EventInterrupt | EventFrame | EventFault | EventRequest

// run lets exactly that many clock cycles pass.
func (i *instance) run(cycles uint64) error {
	if err := i.lock(); err != nil {
		return err
	}
	defer i.mu.Unlock()
	for cycles > 0 {
		step := min(cycles, i.quantum)
		if _, err := i.step(step); err != nil {
			return err
		}
		cycles -= step
	}
	return nil
}

// step lets time pass, at most a quantum, for the function and all of its
// Cluster, and hands on what came of it. i.mu is held.
func (i *instance) step(cycles uint64) (Event, error) {
	events, _, err := i.stepUntil(cycles, 0)
	return events, err
}

// stepUntil is step, and stops early after one of the events, of which a Cluster takes
// no notice. It returns the cycles that have passed. i.mu is held.
func (i *instance) stepUntil(cycles uint64, until Event) (Event, uint64, error) {
	if i.cluster != nil {
		events, err := i.cluster.step(cycles)
		return events, cycles, err
	}
	events, ran, err := i.sim.Advance(cycles, until)
	return events, ran, errors.Join(err, i.collect(events))
}

// clusterCycle is the cycle before an access, as far as anybody needs it.
func (i *instance) clusterCycle() uint64 {
	if i.cluster == nil {
		return 0
	}
	return i.sim.Cycle()
}

// settleAfter hands on what came of an access that began at a cycle. i.mu is held.
func (i *instance) settleAfter(before uint64) error {
	return i.settle(i.clusterCycle() - before)
}

// settle hands on what came of an operation that took some cycles of this
// simulator, after letting the others of the Cluster catch up.
func (i *instance) settle(cycles uint64) error {
	if i.cluster != nil {
		return i.cluster.catchUp(i, cycles)
	}
	return i.collect(anything)
}

// collect takes interrupts, frames and what else came out of the simulator.
// events says what there may be. i.mu is held.
func (i *instance) collect(events Event) error {
	if events&EventInterrupt != 0 {
		clear(i.pulses)
		if err := i.sim.Interrupts(i.pulses); err != nil {
			return err
		}
		for v, n := range i.pulses {
			if n != 0 {
				i.ep.Interrupt(v, int(n))
			}
		}
	}
	if events&EventRequest != 0 && i.remote.on {
		requests, err := i.sim.MemRequests()
		if err != nil {
			return err
		}
		for _, r := range requests {
			i.remote.serve(r)
		}
	}
	if events&EventFault != 0 && i.onFault != nil {
		faults, err := i.sim.Faults()
		if err != nil {
			return err
		}
		for _, f := range faults {
			i.onFault(f)
		}
	}
	if events&EventFrame != 0 {
		return i.port.pump()
	}
	return nil
}
