// SPDX-License-Identifier: Apache-2.0

package nic

import (
	"slices"
	"sync"
)

// burst is frames on their way out, one behind the other in one buffer.
type burst struct {
	bytes []byte
	ends  []int // end of each frame in bytes
}

// extend returns room for a frame of size bytes behind the others; commit
// keeps it.
func (b *burst) extend(size int) []byte {
	start := len(b.bytes)
	b.bytes = slices.Grow(b.bytes, size)
	return b.bytes[start : start+size]
}

func (b *burst) commit(size int) {
	b.bytes = b.bytes[:len(b.bytes)+size]
	b.ends = append(b.ends, len(b.bytes))
}

func (b *burst) reset() { b.bytes, b.ends = b.bytes[:0], b.ends[:0] }

// wire is the network side.
type wire struct {
	mu    sync.Mutex // taken before NIC.mu: keeps frames in order
	out   func(frame []byte)
	spare burst
}

// Connect says what becomes of frames that the NIC sends; nil, as at first, is
// nowhere. out is called for one frame at a time in the order sent, by the
// goroutine whose call sent them, and must not keep the frame. It may call
// Inject of any NIC, and otherwise no method of this one.
func (n *NIC) Connect(out func(frame []byte)) {
	n.wire.mu.Lock()
	defer n.wire.mu.Unlock()
	n.wire.out = out
}

// CrossConnect connects two NICs by a cable.
func CrossConnect(a, b *NIC) {
	a.Connect(func(frame []byte) { b.Inject(frame, false) })
	b.Connect(func(frame []byte) { a.Inject(frame, false) })
}

// Inject is a frame (without FCS) that arrives from the wire; bad says that the
// MAC found an error in it. frame is not kept.
func (n *NIC) Inject(frame []byte, bad bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.usable() != nil || n.control.ctrl.Loopback() {
		return
	}
	n.catchUp()
	n.receive(frame, bad)
	n.settled()
}

// deliver passes the frames sent so far to the wire. No lock is held.
func (n *NIC) deliver() {
	w := &n.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	n.mu.Lock()
	frames := n.egress
	n.egress = w.spare
	n.mu.Unlock()
	start := 0
	for _, end := range frames.ends {
		if w.out != nil {
			w.out(frames.bytes[start:end:end])
		}
		start = end
	}
	frames.reset()
	w.spare = frames
}
