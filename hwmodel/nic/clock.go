// SPDX-License-Identifier: Apache-2.0

package nic

// never is a deadline that does not come.
const never = ^uint64(0)

// clock is the virtual time in cycles.
type clock struct {
	cycle uint64    // since the NIC was made
	base  uint64    // cycle of the last hard reset
	next  uint64    // nothing happens by itself before this cycle
	real  *realTime // nil: time passes in the host's calls only
}

// wakeAt makes sure that timers run at cycle due.
func (c *clock) wakeAt(due uint64) {
	if due < c.next {
		c.next = due
	}
}

// advanceTo lets time pass until cycle t; what is due on the way happens in
// order and at its own time. n.mu is held.
func (n *NIC) advanceTo(t uint64) {
	for n.clock.next <= t {
		if n.clock.cycle < n.clock.next {
			n.clock.cycle = n.clock.next
		}
		n.runTimers()
	}
	if n.clock.cycle < t {
		n.clock.cycle = t
	}
}

// runTimers does what is due and finds the next deadline.
func (n *NIC) runTimers() {
	now := n.clock.cycle
	n.clock.next = never
	if now < n.control.readyAt {
		n.clock.wakeAt(n.control.readyAt)
	}
	if n.sa.busy {
		if n.sa.due <= now {
			n.finishSA()
		} else {
			n.clock.wakeAt(n.sa.due)
		}
	}
	if n.cp != nil {
		n.runProcessor()
	}
	for _, q := range n.queues() {
		if q.batched == 0 {
			continue
		}
		if q.due <= now {
			q.flush()
		} else {
			n.clock.wakeAt(q.due)
		}
	}
	for v := range n.vectors {
		n.moderate(v)
	}
}
