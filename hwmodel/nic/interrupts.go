// SPDX-License-Identifier: Apache-2.0

package nic

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/regs"
)

// vector is one interrupt vector of the NIC.
type vector struct {
	moderation regs.IntModeration
	armed      bool
	cause      bool
	unsent     bool // the cause was set while masked
	events     int
	first      uint64 // cycle of the first of events
}

// event counts events on vector v; vectors that do not exist lose theirs.
func (n *NIC) event(v int, count int) {
	if v >= len(n.vectors) || count == 0 {
		return
	}
	x := &n.vectors[v]
	if x.events == 0 {
		x.first = n.clock.cycle
	}
	x.events += count
	n.moderate(v)
}

// moderate fires vector v if its time or count has come.
func (n *NIC) moderate(v int) {
	x := &n.vectors[v]
	if !x.armed || x.events == 0 {
		return
	}
	due := x.first + 16*uint64(x.moderation.Time())
	if x.events < int(x.moderation.Count()) && n.clock.cycle < due {
		n.clock.wakeAt(due)
		return
	}
	x.events, x.armed, x.cause, x.unsent = 0, false, true, true
	n.send(v)
}

// send sends vector v's interrupt unless it is masked or was sent.
func (n *NIC) send(v int) {
	x := &n.vectors[v]
	if x.unsent && n.control.intMask&(1<<v) == 0 {
		x.unsent = false
		n.ep.Interrupt(v, 1)
	}
}

// causes is INT_CAUSE.
func (n *NIC) causes() (bits uint32) {
	for v := range n.vectors {
		if n.vectors[v].cause {
			bits |= 1 << v
		}
	}
	return bits
}

func (n *NIC) clearCauses(bits uint32) {
	for v := range n.vectors {
		if bits&(1<<v) != 0 {
			n.vectors[v].cause, n.vectors[v].unsent = false, false
		}
	}
}

func (n *NIC) arm(bits uint32) {
	for v := range n.vectors {
		if bits&(1<<v) != 0 {
			n.vectors[v].armed = true
			n.moderate(v)
		}
	}
}

func (n *NIC) setMask(mask uint32) {
	n.control.intMask = mask
	for v := range n.vectors {
		n.send(v)
	}
}

// interruptLines is where MSI-X messages arrive: the host's side of vectors.
// Its lock is taken with NIC.mu held, never the other way round.
type interruptLines struct {
	mu      sync.Mutex
	enabled int
	counts  []uint64
	lines   []chan struct{} // one token: look again
	waiting atomic.Int32    // goroutines that wait; raised with NIC.mu held
}

func (l *interruptLines) init(vectors int) {
	l.counts = make([]uint64, vectors)
	l.lines = make([]chan struct{}, vectors)
	for v := range l.lines {
		l.lines[v] = make(chan struct{}, 1)
	}
}

// clear forgets what was raised and enables vectors 0 to enabled-1.
func (l *interruptLines) clear(enabled int) {
	l.mu.Lock()
	l.enabled = enabled
	clear(l.counts)
	l.mu.Unlock()
	l.wake()
}

func (l *interruptLines) raise(v int) {
	l.mu.Lock()
	l.counts[v]++
	l.mu.Unlock()
	l.poke(v)
}

// line returns the channel on which to wait for vector v.
func (l *interruptLines) line(v int) (<-chan struct{}, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if v < 0 || v >= l.enabled {
		return nil, fmt.Errorf("interrupt vector %d, %d are enabled: %w", v, l.enabled, pcie.ErrRange)
	}
	return l.lines[v], nil
}

// take returns how often vector v was raised since the last call.
func (l *interruptLines) take(v int) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	count := l.counts[v]
	l.counts[v] = 0
	return count
}

func (l *interruptLines) poke(v int) {
	select {
	case l.lines[v] <- struct{}{}:
	default:
	}
}

// wake makes everyone who waits look again.
func (l *interruptLines) wake() {
	for v := range l.lines {
		l.poke(v)
	}
}
