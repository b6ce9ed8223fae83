// SPDX-License-Identifier: Apache-2.0

package rtlbridge

import (
	"errors"
	"sync"

	"github.com/espalier-nic/espalier/driver/pcie"
)

// parallelCycles is how long a step must be for it to be worth running the
// members on several processors.
const parallelCycles = 16

// Cluster makes several NICs share one time: whenever one is advanced, all are,
// by the same number of cycles, and have the same Cycle. Frames between
// connected members change over at the end of each step, so that a wire has
// a latency of up to a quantum and results do not depend on scheduling. Within
// a step members run in parallel.
type Cluster struct {
	mu      sync.Mutex // all members'
	members []*instance
	events  []Event
	errs    []error
}

// NewCluster joins functions that are not in a Cluster yet, before they are
// used by several goroutines. Their quantum becomes that of the first, and
// those that are behind catch up with the one that has run longest.
func NewCluster(members ...*Function) (*Cluster, error) {
	instances := make([]*instance, len(members))
	for i, f := range members {
		instances[i] = &f.instance
	}
	return newCluster(instances)
}

func newCluster(members []*instance) (*Cluster, error) {
	if len(members) < 2 {
		return nil, errors.New("cluster: fewer than two NICs")
	}
	c := &Cluster{members: members, events: make([]Event, len(members)), errs: make([]error, len(members))}
	var latest uint64
	for i, f := range members {
		if f.closed.Load() {
			return nil, pcie.ErrClosed
		}
		if f.cluster != nil {
			return nil, errors.New("cluster: a NIC belongs to one already")
		}
		for _, other := range members[:i] {
			if other == f {
				return nil, errors.New("cluster: a NIC is named twice")
			}
		}
		latest = max(latest, f.sim.Cycle())
	}
	for _, f := range members {
		if err := f.run(latest - f.sim.Cycle()); err != nil {
			return nil, err
		}
	}
	for _, f := range members {
		f.quantum = members[0].quantum
		f.cluster = c
		f.mu = &c.mu
	}
	return c, nil
}

// step advances all members by cycles and hands on what came of it. c.mu is held.
func (c *Cluster) step(cycles uint64) (Event, error) {
	last := len(c.members) - 1
	var others sync.WaitGroup
	if cycles >= parallelCycles {
		others.Add(last)
		for i := range last {
			go func() {
				defer others.Done()
				c.advance(i, cycles)
			}()
		}
	} else {
		for i := range last {
			c.advance(i, cycles)
		}
	}
	c.advance(last, cycles)
	others.Wait()
	return c.collect()
}

// catchUp advances all members but one by the cycles that this one has taken.
// c.mu is held.
func (c *Cluster) catchUp(ahead *instance, cycles uint64) error {
	for i, f := range c.members {
		if f == ahead {
			c.events[i], c.errs[i] = anything, nil
		} else {
			c.advance(i, cycles)
		}
	}
	_, err := c.collect()
	return err
}

// advance lets time pass for one member. Different members may do so at once.
func (c *Cluster) advance(i int, cycles uint64) {
	c.events[i], c.errs[i] = 0, nil
	if f := c.members[i]; !f.closed.Load() {
		c.events[i], _, c.errs[i] = f.sim.Advance(cycles, 0)
	}
}

// collect takes what came of a step from each member, always in the same order,
// and returns the events of all.
func (c *Cluster) collect() (Event, error) {
	var all Event
	for i, f := range c.members {
		if f.closed.Load() {
			continue
		}
		all |= c.events[i]
		c.errs[i] = errors.Join(c.errs[i], f.collect(c.events[i]))
	}
	return all, errors.Join(c.errs...)
}
