// SPDX-License-Identifier: Apache-2.0

package rtlbridge

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/espalier-nic/espalier/driver/pcie"
)

// hostRange is host memory that the device may reach while bus mastering is on:
// bytes of this process or, if bytes is nil, of a file.
type hostRange struct {
	iova, size uint64
	bytes      []byte
	fd         int
	offset     uint64
	access     Access
}

func (r *hostRange) add(s *Sim) error {
	if r.bytes != nil {
		return s.MemAdd(r.iova, r.bytes, r.access)
	}
	return s.MemAddFD(r.iova, r.size, r.fd, r.offset, r.access)
}

// mapMemory lets the device reach a range. i.mu is held. A range that overlaps
// another is found out when the device gets it: now, or with bus mastering.
func (i *instance) mapMemory(r hostRange) error {
	if _, taken := i.memory[r.iova]; taken {
		return fmt.Errorf("memory at %#x is mapped already: %w", r.iova, pcie.ErrRange)
	}
	if i.master {
		if err := r.add(i.sim); err != nil && !errors.Is(err, ErrModel) { // a design that has stopped makes no accesses any more
			return err
		}
	}
	i.memory[r.iova] = r
	return nil
}

// unmapMemory ends that. i.mu is held; so no access is under way.
func (i *instance) unmapMemory(iova, size uint64) error {
	r, ok := i.memory[iova]
	if !ok || r.size != size {
		return fmt.Errorf("%d bytes at %#x are not mapped: %w", size, iova, pcie.ErrRange)
	}
	if i.master {
		if err := i.sim.MemRemove(iova, size); err != nil && !errors.Is(err, ErrModel) {
			return err
		}
	}
	delete(i.memory, iova)
	return nil
}

// setBusMaster gives the device access to host memory or takes it away.
func (i *instance) setBusMaster(on bool) {
	i.acquire()
	defer i.mu.Unlock()
	i.master = on
	if i.closed.Load() {
		return
	}
	var errs []error
	// In an order that is cheap for the simulator's sorted table.
	order := slices.Sorted(maps.Keys(i.memory))
	if !on {
		slices.Reverse(order)
	}
	for _, iova := range order {
		r := i.memory[iova]
		if on {
			errs = append(errs, r.add(i.sim))
		} else {
			errs = append(errs, i.sim.MemRemove(r.iova, r.size))
		}
	}
	errs = append(errs, i.remote.apply(i))
	for _, err := range errs {
		if err != nil && i.failure == nil && !errors.Is(err, ErrModel) {
			i.failure = err
		}
	}
}

// remoteMemory is who serves accesses to memory that is not mapped.
type remoteMemory struct {
	serve func(Request) // nil: nobody, they are faults
	on    bool          // in the simulator
}

// apply turns requests on or off in the simulator as serve and bus mastering
// demand. i.mu is held.
func (m *remoteMemory) apply(i *instance) error {
	on := m.serve != nil && i.master
	if on == m.on {
		return nil
	}
	if err := i.sim.MemRemote(on); err != nil {
		return err
	}
	m.on = on
	return nil
}
