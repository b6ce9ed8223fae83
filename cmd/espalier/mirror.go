// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/espalier-nic/espalier/rtl-bridge/wireport"
)

const (
	// mirrorHigh is the bytes of frames that wait for a mirror's port before
	// simulated time waits too, mirrorRoom how many may wait in any case: a NIC in
	// Go does not know time, and accesses to simulated RTL let some pass.
	mirrorHigh = 1 << 20
	mirrorRoom = 64 << 20
	// mirrorPatience is how long time waits for a port that takes no frame at all,
	// such as that of a guest's interface that is down.
	mirrorPatience = 2 * time.Second
)

// mirror copies frames to a port, in their order. What it loses, it says, in the
// place of the frames: see wireport.LossNotice.
type mirror struct {
	port   wireport.Port
	log    func(string)
	buffer *frameBuffer
	hold   func(bool) // stops simulated time; nil: nobody can

	taken   atomic.Uint64 // frames that the port has taken
	workers sync.WaitGroup
	// patience is how long time waits for a port that takes nothing.
	patience time.Duration
	// missing frames are those that nobody was told of; told says that the log was.
	missing uint64
	told    bool

	mu       sync.Mutex
	watching *time.Timer // nil: time does not wait
}

// openMirror opens a mirror to the port that spec describes. log gets a line about
// what a person should know.
func openMirror(spec string, log func(string)) (*mirror, error) {
	port, err := wireport.Open(spec)
	if err != nil {
		return nil, err
	}
	return newMirror(port, log), nil
}

func newMirror(port wireport.Port, log func(string)) *mirror {
	m := &mirror{port: port, log: log, buffer: newFrameBuffer(mirrorRoom), patience: mirrorPatience}
	m.workers.Go(m.send)
	m.workers.Go(func() { _ = wireport.Pump(port, func([]byte) error { return nil }) }) // ends with the port
	return m
}

// holdBy has the mirror stop time by hold while its port is behind. Before see.
func (m *mirror) holdBy(hold func(bool)) {
	m.hold = hold
	m.buffer.high, m.buffer.full = mirrorHigh, m.full
}

// see takes a frame. It does not wait.
func (m *mirror) see(frame []byte) { m.buffer.put(frame) }

// full is told when too much waits for the port, and when that is over.
func (m *mirror) full(is bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.watching != nil {
		m.watching.Stop()
		m.watching = nil
	}
	if is {
		m.watch()
	}
	m.hold(is)
}

// watch ends the waiting if the port takes nothing for too long. m.mu is held.
func (m *mirror) watch() {
	before := m.taken.Load()
	var timer *time.Timer
	timer = time.AfterFunc(m.patience, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		switch {
		case m.watching != timer: // it is over, or another one watches
		case m.taken.Load() != before:
			m.watch()
		default:
			m.watching = nil
			m.log(fmt.Sprintf("mirror %s has taken no frame for %v; the wires do not wait for it until it does", m.port, m.patience))
			m.hold(false)
		}
	})
	m.watching = timer
}

// send sends what see has taken, until the mirror is closed.
func (m *mirror) send() {
	for m.buffer.take(m.sendFrame, func(frames uint64) { m.missing += frames }) {
		m.sayMissing()
	}
}

func (m *mirror) sendFrame(frame []byte) {
	m.sayMissing()
	m.missing += m.pass(frame)
}

// sayMissing says in the place of lost frames that they are missing.
func (m *mirror) sayMissing() {
	if m.missing == 0 {
		return
	}
	if !m.told {
		m.told = true
		m.log(fmt.Sprintf("mirror %s is too slow, or takes no frames of these lengths: some are lost, and the mirror says how many", m.port))
	}
	if m.pass(wireport.LossNotice(m.missing)) == 0 {
		m.missing = 0
	}
}

// pass sends a frame and returns how many that has cost.
func (m *mirror) pass(frame []byte) (lost uint64) {
	defer m.taken.Add(1)
	if w, can := m.port.(wireport.Waiter); can {
		if err := w.SendWaiting(frame); err != nil && !errors.Is(err, net.ErrClosed) {
			return 1
		}
		return 0
	}
	before := m.port.Counters()
	if err := m.port.Send(frame); err != nil {
		return 1
	}
	after := m.port.Counters()
	return after.SendDropped - before.SendDropped + after.SendErrors - before.SendErrors
}

func (m *mirror) close() error {
	m.buffer.close()
	m.mu.Lock()
	if m.watching != nil {
		m.watching.Stop()
		m.watching = nil
	}
	m.mu.Unlock()
	err := m.port.Close()
	m.workers.Wait()
	return err
}
