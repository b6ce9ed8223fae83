// SPDX-License-Identifier: Apache-2.0

package rtlbridge

import (
	"errors"
	"fmt"
	"slices"

	"github.com/espalier-nic/espalier/driver/pcie"
)

// maxWireFrame is the longest frame that the simulator gives out.
const maxWireFrame = 1 << 17

// WireFrame is a frame on the wire, as taps see it. Data is valid during the
// call only.
type WireFrame struct {
	Data []byte
	// FromNIC: the NIC sent it; else it goes toward the NIC.
	FromNIC bool
	// Bad: the sender marked it bad.
	Bad bool
	// FirstCycle and LastCycle are when its first and last beat left the NIC.
	// Toward the NIC both are when it was queued.
	FirstCycle, LastCycle uint64
}

// Tap observes frames. It must not call methods of the Function or Port.
type Tap func(*WireFrame)

// Medium is what the wire does to a frame that a NIC sent before it arrives: it
// may change Data and Bad, and returns false to lose the frame. It must not call
// methods of the Function or Port.
type Medium func(*WireFrame) bool

// Port is the wire of one NIC. A frame from the NIC goes to the peer or back to
// the NIC, if the port is connected or looped back, else to who asked for it with
// SetOutput, else to Recv. Methods may be
// called from several goroutines at once.
type Port struct {
	f      *instance
	buffer []byte
	// The rest is guarded by f.mu.
	peer    *Port
	loop    bool
	output  func(*WireFrame)
	medium  Medium
	taps    []*Tap
	waiting []waitingFrame // for Recv, where taps have seen the frames already
	spare   [][]byte
}

type waitingFrame struct {
	data []byte
	info FrameInfo
}

func newPort(f *instance) *Port { return &Port{f: f, buffer: make([]byte, maxWireFrame)} }

// Send queues a frame (no FCS) toward the NIC. Bad marks it bad. The NIC sees
// it when time passes. ErrAgain says that the queue is full.
func (p *Port) Send(frame []byte, bad bool) error {
	if err := p.f.lock(); err != nil {
		return err
	}
	defer p.f.mu.Unlock()
	return p.send(frame, bad)
}

func (p *Port) send(frame []byte, bad bool) error {
	if err := p.f.sim.MACSend(frame, bad); err != nil {
		return err
	}
	if len(p.taps) > 0 {
		now := p.f.sim.Cycle()
		p.observe(&WireFrame{Data: frame, Bad: bad, FirstCycle: now, LastCycle: now})
	}
	return nil
}

// Recv takes the oldest frame that the NIC sent into buffer; the description's
// Size is its length. ErrAgain says that there is none.
func (p *Port) Recv(buffer []byte) (FrameInfo, error) {
	if err := p.f.lock(); err != nil {
		return FrameInfo{}, err
	}
	defer p.f.mu.Unlock()
	if len(p.waiting) == 0 {
		if p.pumped() {
			return FrameInfo{}, ErrAgain // whoever it is has taken all there is
		}
		return p.f.sim.MACRecv(buffer)
	}
	first := p.waiting[0]
	if int(first.info.Size) > len(buffer) {
		return first.info, fmt.Errorf("frame of %d bytes, the buffer holds %d: %w", first.info.Size, len(buffer), ErrInvalid)
	}
	copy(buffer, first.data)
	p.spare = append(p.spare, first.data)
	p.waiting = slices.Delete(p.waiting, 0, 1)
	return first.info, nil
}

// Sent takes descriptions of frames that were transferred to the NIC, oldest
// first, and returns how many.
func (p *Port) Sent(out []FrameInfo) (int, error) {
	if err := p.f.lock(); err != nil {
		return 0, err
	}
	defer p.f.mu.Unlock()
	return p.f.sim.MACSent(out)
}

// Tap calls tap for every frame on the wire, in order, until remove is called.
func (p *Port) Tap(tap Tap) (remove func()) {
	p.f.acquire()
	defer p.f.mu.Unlock()
	entry := &tap
	p.taps = append(p.taps, entry)
	return func() {
		p.f.acquire()
		defer p.f.mu.Unlock()
		p.taps = slices.DeleteFunc(p.taps, func(t *Tap) bool { return t == entry })
	}
}

// SetMedium puts something between this NIC's sender and whoever receives; nil
// is a perfect wire. Taps see frames before it.
func (p *Port) SetMedium(medium Medium) {
	p.f.acquire()
	defer p.f.mu.Unlock()
	p.medium = medium
}

// SetOutput gives the frames that the NIC sends to output, which must neither
// wait nor call methods of the Function or Port; the frame is valid during the
// call only. nil ends that. A port that is connected or looped back has priority.
func (p *Port) SetOutput(output func(*WireFrame)) error {
	if err := p.f.lock(); err != nil {
		return err
	}
	defer p.f.mu.Unlock()
	p.output = output
	return p.pump()
}

// Loopback connects the wire to itself, or ends that.
func (p *Port) Loopback(on bool) error {
	if err := p.f.lock(); err != nil {
		return err
	}
	defer p.f.mu.Unlock()
	if on && p.peer != nil {
		return errors.New("loopback: the port is connected to another")
	}
	p.loop = on
	return p.pump()
}

// Connect joins two wires, each frame of one NIC going to the other. Both NICs
// must belong to one Cluster.
func (p *Port) Connect(q *Port) error {
	if p == q {
		return errors.New("connect: a port to itself; use Loopback")
	}
	if err := p.f.lock(); err != nil {
		return err
	}
	defer p.f.mu.Unlock()
	switch {
	case q.f.closed.Load():
		return pcie.ErrClosed
	case p.f.cluster == nil || p.f.cluster != q.f.cluster:
		return errors.New("connect: the two NICs do not share a Cluster")
	case p.peer != nil || q.peer != nil || p.loop || q.loop:
		return errors.New("connect: a port is in use")
	}
	p.peer, q.peer = q, p
	return errors.Join(p.pump(), q.pump())
}

// Disconnect ends Connect; frames of both NICs go to Recv.
func (p *Port) Disconnect() {
	p.f.acquire()
	defer p.f.mu.Unlock()
	if p.peer != nil {
		p.peer.peer, p.peer = nil, nil
	}
}

// reset drops frames from before a hard reset. p.f.mu is held.
func (p *Port) reset() {
	for _, w := range p.waiting {
		p.spare = append(p.spare, w.data)
	}
	p.waiting = p.waiting[:0]
}

func (p *Port) observe(frame *WireFrame) {
	for _, tap := range p.taps {
		(*tap)(frame)
	}
}

// pumped says whether anybody but Recv wants the frames that leave the NIC.
func (p *Port) pumped() bool {
	return len(p.taps) > 0 || p.peer != nil || p.loop || p.output != nil
}

// pump hands on the frames that have left the NIC. p.f.mu is held. With nobody
// but Recv to take them they stay in the simulator.
func (p *Port) pump() error {
	if !p.pumped() {
		return nil
	}
	for {
		info, err := p.f.sim.MACRecv(p.buffer)
		if errors.Is(err, ErrAgain) {
			return nil
		}
		if err != nil {
			return err
		}
		frame := WireFrame{Data: p.buffer[:info.Size], FromNIC: true, Bad: info.Bad(), FirstCycle: info.FirstCycle, LastCycle: info.LastCycle}
		p.observe(&frame)
		if err := p.deliver(&frame, info); err != nil {
			return fmt.Errorf("frame from the NIC: %w", err)
		}
	}
}

func (p *Port) deliver(frame *WireFrame, info FrameInfo) error {
	if p.peer == nil && !p.loop && p.output == nil {
		var data []byte
		if n := len(p.spare); n > 0 {
			data, p.spare = p.spare[n-1], p.spare[:n-1]
		}
		p.waiting = append(p.waiting, waitingFrame{append(data[:0], frame.Data...), info})
		return nil
	}
	if p.medium != nil && !p.medium(frame) {
		return nil
	}
	switch {
	case p.loop:
		return p.send(frame.Data, frame.Bad)
	case p.peer == nil:
		p.output(frame)
		return nil
	}
	if p.peer.f.closed.Load() {
		return nil // as when nothing is plugged into the other end
	}
	return p.peer.send(frame.Data, frame.Bad)
}
