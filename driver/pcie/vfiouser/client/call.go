// SPDX-License-Identifier: Apache-2.0

package client

import (
	"fmt"
	"sync"
	"time"

	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/protocol"
)

// call is a command under way.
type call struct {
	command protocol.Command
	// request is header and payload, data what follows it, fds go with it.
	request, data []byte
	fds           []int

	// reply and into are the room for the reply's payload: first the one, then
	// the other is filled. got is how many bytes came, replyFDs what came with
	// them where wantFDs is set.
	reply, into []byte
	got         int
	wantFDs     bool
	replyFDs    []int
	// agreed is called when the server has said yes, before anything is read that it
	// has sent after that; nil: nothing is to be done so early.
	agreed func()

	// Client.mu guards what follows; err belongs to the caller once done.
	sent, done bool
	err        error

	wake    chan struct{} // the caller should look again
	timer   *time.Timer
	scratch [128]byte
}

var calls = sync.Pool{New: func() any {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return &call{wake: make(chan struct{}, 1), timer: t}
}}

// newCall returns a call whose request has room for the header.
func newCall(command protocol.Command) *call {
	cl := calls.Get().(*call)
	*cl = call{command: command, wake: cl.wake, timer: cl.timer}
	cl.request = cl.scratch[:protocol.HeaderSize]
	return cl
}

// free gives the call back. It must be done or never sent.
func (cl *call) free() { calls.Put(cl) }

// finish marks the call done and wakes its caller. Client.mu is held.
func (cl *call) finish(err error) {
	cl.err, cl.done = err, true
	cl.nudge()
}

func (cl *call) nudge() {
	select {
	case cl.wake <- struct{}{}:
	default:
	}
}

// header fills in the request's header.
func (cl *call) header(id uint16, flags protocol.Flags) {
	protocol.Header{
		ID: id, Command: cl.command, Flags: flags,
		Size: uint32(len(cl.request) + len(cl.data)),
	}.Append(cl.request[:0])
}

// newID returns an identifier that no command under way has. c.mu is held.
func (c *Client) newID() (uint16, error) {
	if len(c.pending) > 1<<15 {
		return 0, fmt.Errorf("vfio-user: %d commands under way: %w", len(c.pending), ErrLimit)
	}
	for {
		c.lastID++
		if _, used := c.pending[c.lastID]; !used {
			return c.lastID, nil
		}
	}
}

// do sends a command and waits for its reply.
func (c *Client) do(cl *call, timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	c.mu.Lock()
	if err := c.enter(); err != nil {
		c.mu.Unlock()
		return err
	}
	id, err := c.newID()
	if err != nil {
		c.leave()
		c.mu.Unlock()
		return err
	}
	cl.header(id, 0)
	c.posted.remove(id)
	c.pending[id] = cl
	c.mu.Unlock()

	if err := c.send(cl.request, cl.data, cl.fds, deadline); err != nil {
		c.end(fmt.Errorf("%s: %w", cl.command, err))
	}
	c.wait(cl, deadline, timeout)
	return cl.err
}

// wait waits until the call is done, and leaves.
func (c *Client) wait(cl *call, deadline time.Time, timeout time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.leave()
	cl.sent = true
	c.calls++
	for !cl.done {
		if !c.reading {
			c.reading = true
			c.mu.Unlock()
			err := c.readUntil(cl, deadline)
			if err == errDeadline {
				err = fmt.Errorf("%s unanswered for %v: %w", cl.command, timeout, ErrTimeout)
			}
			if err != nil && err != errPassOn {
				c.end(err)
			}
			c.mu.Lock()
			c.stopReading()
			continue
		}
		c.mu.Unlock()
		cl.timer.Reset(time.Until(deadline))
		select {
		case <-cl.wake:
		case <-cl.timer.C:
			c.end(fmt.Errorf("%s unanswered for %v: %w", cl.command, timeout, ErrTimeout))
			// If its reply is being read right now, the reader finishes it.
			<-cl.wake
		}
		cl.timer.Stop()
		c.mu.Lock()
	}
}

// readUntil reads the socket until the call is done, or errPassOn.
func (c *Client) readUntil(cl *call, deadline time.Time) error {
	for {
		if err := c.readMessage(deadline); err != nil {
			return err
		}
		c.mu.Lock()
		done := cl.done
		c.mu.Unlock()
		if done {
			return c.readBuffered()
		}
	}
}

// stopReading lets another goroutine read the socket: first one that catches up,
// then a caller whose reply is due. c.mu is held.
func (c *Client) stopReading() {
	if c.catching.Load() > 0 {
		c.passed = true // and reading stays true, for the one that wakes
		c.pass.Signal()
		return
	}
	c.reading = false
	for _, cl := range c.pending {
		if cl.sent { // others may be held up sending for long; listen reads then
			cl.nudge()
			return
		}
	}
}

// idle is how long nobody must have called before listen reads. Shorter means
// that it gets in the way of callers more often, longer that the server's own
// commands wait longer.
const idle = 250 * time.Microsecond

// listen reads the socket while nobody else does. It waits beside the socket and not
// in reading it: a caller that comes reads its reply itself, and what has been sent is
// either still in the socket or under the eyes of somebody who has set reading, and
// who does not stop before all that he has read is judged.
func (c *Client) listen() {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.leave()
	for last := ^uint64(0); c.dead == nil; {
		if c.reading || c.calls != last {
			last = c.calls
			c.mu.Unlock()
			time.Sleep(idle)
			c.mu.Lock()
			continue
		}
		c.mu.Unlock()
		err := c.sock.await()
		if err != nil {
			c.end(err)
		}
		c.mu.Lock()
		if !c.reading && c.dead == nil {
			c.reading = true
			c.drain()
		}
	}
}

// catchUp serves all that the server has sent before.
func (c *Client) catchUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.enter() != nil {
		return
	}
	defer c.leave()
	if c.reading {
		c.catching.Add(1)
		for !c.passed {
			c.pass.Wait()
		}
		c.passed = false
		c.catching.Add(-1)
	}
	c.reading = true
	c.drain()
}

// drain reads what is there and stops reading. c.mu is held, except meanwhile, and
// the caller has set reading.
func (c *Client) drain() {
	c.mu.Unlock()
	err := c.readWaiting()
	if err != nil {
		c.end(err)
	}
	c.mu.Lock()
	c.stopReading()
}

// post sends a command that wants no reply.
func (c *Client) post(cl *call) error {
	c.mu.Lock()
	if err := c.enter(); err != nil {
		c.mu.Unlock()
		return err
	}
	id, err := c.newID()
	if err == nil {
		c.posted.add(id)
	}
	c.mu.Unlock()
	if err == nil {
		cl.header(id, protocol.FlagNoReply)
		if err = c.send(cl.request, cl.data, cl.fds, time.Now().Add(c.opts.Timeout)); err != nil {
			c.end(fmt.Errorf("%s: %w", cl.command, err))
			err = c.Err()
		}
	}
	c.mu.Lock()
	c.leave()
	c.mu.Unlock()
	return err
}

// idSet is a set of identifiers.
type idSet [1 << 16 / 64]uint64

func (s *idSet) add(id uint16)    { s[id/64] |= 1 << (id % 64) }
func (s *idSet) remove(id uint16) { s[id/64] &^= 1 << (id % 64) }

// take removes an identifier and says whether it was in the set.
func (s *idSet) take(id uint16) bool {
	was := s[id/64]&(1<<(id%64)) != 0
	s.remove(id)
	return was
}
