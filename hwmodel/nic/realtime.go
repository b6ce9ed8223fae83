// SPDX-License-Identifier: Apache-2.0

package nic

import "time"

// realTime makes the virtual clock follow a real one: it says how far that has
// come, and has somebody called when the NIC's next limit has come.
type realTime struct {
	start time.Time
	timer *time.Timer
	ended bool
}

const cycleTime = time.Second / (clockMHz * 1_000_000)

// newRealTime starts at cycle 0. onTime is called on a goroutine of its own.
func newRealTime(onTime func()) *realTime {
	t := time.AfterFunc(time.Hour, onTime)
	t.Stop()
	return &realTime{start: time.Now(), timer: t}
}

// cycle is how far the clock has come.
func (r *realTime) cycle() uint64 { return uint64(time.Since(r.start) / cycleTime) }

// arm has onTime called at cycle next. NIC.mu is held.
func (r *realTime) arm(next uint64) {
	if r.ended || next == never {
		r.timer.Stop()
		return
	}
	now := r.cycle()
	if next <= now {
		r.timer.Reset(0)
		return
	}
	// Beyond any driver's patience, and within a Duration.
	r.timer.Reset(time.Duration(min(next-now, uint64(time.Hour/cycleTime))) * cycleTime)
}

// end ends the calls. NIC.mu is held. A nil realTime has none.
func (r *realTime) end() {
	if r != nil {
		r.ended = true
		r.timer.Stop()
	}
}

// catchUp brings the virtual clock to where the real one is, if there is one.
// n.mu is held.
func (n *NIC) catchUp() {
	if n.clock.real == nil || n.usable() != nil {
		return
	}
	if now := n.clock.real.cycle(); now > n.clock.cycle {
		n.advanceTo(now)
	}
}

// onTime is called when a limit has come.
func (n *NIC) onTime() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.usable() != nil {
		return
	}
	n.catchUp()
	n.settled()
}
