// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"context"
	"errors"
)

// firstPostID divides the numbers of commands that are answered from those of
// commands that are not: some peers answer these too, and such an answer must not
// be taken for another's.
const firstPostID = 1 << 15

// errNoID: as many commands are unanswered as there are numbers.
var errNoID = errors.New("too many commands are waiting for a reply")

// waitTable has the commands that wait for a reply, by number.
type waitTable struct {
	calls    map[uint16]*call
	awaited  int // calls that somebody waits for
	onlyIdle int // those of them that give up when the peer sends a command
	nextCall uint16
	nextPost uint16
}

// call is one command that waits for its reply.
type call struct {
	command Command
	mode    callMode
	// result gets the reply, or nil when the call gives way to the peer.
	result chan *message
	// abandoned: nobody waits, the reply is dropped when it comes.
	abandoned bool
}

// callMode says how a call treats a peer that waits for a reply.
type callMode int

const (
	atOnce   callMode = iota // send anyway
	whenIdle                 // send when it does not
	onlyIdle                 // fail
)

func (t *waitTable) add(command Command, mode callMode) (uint16, *call, error) {
	for range firstPostID {
		id := t.nextCall
		t.nextCall = (t.nextCall + 1) % firstPostID
		if _, used := t.calls[id]; used {
			continue
		}
		entry := &call{command: command, mode: mode, result: make(chan *message, 1)}
		t.calls[id] = entry
		t.awaited++
		if mode == onlyIdle {
			t.onlyIdle++
		}
		return id, entry, nil
	}
	return 0, nil, errNoID
}

// remove takes a call out of the table.
func (t *waitTable) remove(id uint16) {
	if entry, ok := t.calls[id]; ok {
		t.abandon(entry)
		delete(t.calls, id)
	}
}

// abandon leaves a call in the table for the sake of its number.
func (t *waitTable) abandon(entry *call) {
	if entry.abandoned {
		return
	}
	entry.abandoned = true
	t.awaited--
	if entry.mode == onlyIdle {
		t.onlyIdle--
	}
}

func (t *waitTable) postID() uint16 {
	id := firstPostID + t.nextPost
	t.nextPost = (t.nextPost + 1) % firstPostID
	return id
}

// outgoing is a command that is sent when the peer waits for nothing.
type outgoing struct {
	header  Header
	payload []byte
	fds     []int
	// taken: being sent, or given up.
	taken bool
	// sent gets the outcome of sending.
	sent chan error
}

func (c *Conn) call(ctx context.Context, command Command, payload []byte, fds []int, mode callMode) (*Reply, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return nil, c.closedError()
	}
	if mode == onlyIdle && c.unanswered > 0 {
		c.mu.Unlock()
		return nil, ErrPeerWaiting
	}
	id, entry, err := c.waiting.add(command, mode)
	if err != nil {
		c.mu.Unlock()
		return nil, err
	}
	header := Header{ID: id, Command: command}
	var later *outgoing
	if mode == whenIdle && c.unanswered > 0 {
		later = &outgoing{header: header, payload: payload, fds: fds, sent: make(chan error, 1)}
		c.whenIdle = append(c.whenIdle, later)
	}
	c.changed.Broadcast() // the reader may wait for the handler no more
	if !c.jobs.reading {
		c.jobs.wake() // somebody must read the reply
	}
	c.mu.Unlock()

	if later == nil {
		err = c.send(header, payload, fds)
	} else {
		err = c.waitSent(ctx, later)
	}
	if err != nil {
		c.mu.Lock()
		c.waiting.remove(id)
		c.mu.Unlock()
		return nil, err
	}
	return c.await(ctx, id, entry)
}

// waitSent waits until another goroutine has sent the command.
func (c *Conn) waitSent(ctx context.Context, o *outgoing) error {
	var reason error
	select {
	case err := <-o.sent:
		return err
	case <-ctx.Done():
		reason = ctx.Err()
	case <-c.ended:
		reason = c.closedError()
	}
	c.mu.Lock()
	taken := o.taken
	o.taken = true
	c.mu.Unlock()
	if taken { // it is being sent, from the caller's memory
		if err := <-o.sent; err != nil {
			return err
		}
		return nil
	}
	return reason
}

// sendIdle sends what waited for the peer to wait for nothing. The caller has
// answered the peer's last command.
func (c *Conn) sendIdle(list []*outgoing) {
	for _, o := range list {
		c.mu.Lock()
		taken := o.taken
		o.taken = true
		c.mu.Unlock()
		if !taken {
			o.sent <- c.send(o.header, o.payload, o.fds)
		}
	}
}

// await waits for the reply to a command that was sent.
func (c *Conn) await(ctx context.Context, id uint16, entry *call) (*Reply, error) {
	var reason error
	select {
	case m := <-entry.result:
		return result(m)
	case <-ctx.Done():
		reason = ctx.Err()
	case <-c.ended:
		reason = c.closedError()
	}
	c.mu.Lock()
	c.waiting.abandon(entry)
	c.mu.Unlock()
	select {
	case m := <-entry.result: // it came meanwhile
		return result(m)
	default:
		return nil, reason
	}
}

func result(m *message) (*Reply, error) {
	if m == nil {
		return nil, ErrGaveWay
	}
	if m.header.Flags&FlagError != 0 {
		err := &RemoteError{Command: m.header.Command, Errno: m.header.Errno}
		m.release()
		return nil, err
	}
	return &Reply{message: m, Payload: m.payload, FDs: m.fds}, nil
}

// deliver hands a reply to who waits for it.
func (c *Conn) deliver(m *message) error {
	h := m.header // the message may be another's as soon as it is handed over
	c.mu.Lock()
	defer c.mu.Unlock()
	if h.ID >= firstPostID {
		m.release() // a peer that answers posted commands too
		return nil
	}
	entry, ok := c.waiting.calls[h.ID]
	switch {
	case !ok:
		m.release()
		return violation("reply to a %s with number %d, which was never sent", h.Command, h.ID)
	case entry.command != h.Command:
		m.release()
		return violation("reply to command number %d is about %s, sent was %s", h.ID, h.Command, entry.command)
	case entry.abandoned:
		m.release()
	default:
		entry.result <- m
	}
	c.waiting.remove(h.ID)
	return nil
}

// yieldToPeer makes the calls give up that may not wait while the peer waits.
// The caller holds c.mu.
func (c *Conn) yieldToPeer() {
	if c.waiting.onlyIdle == 0 {
		return
	}
	for _, entry := range c.waiting.calls {
		if entry.mode == onlyIdle && !entry.abandoned {
			c.waiting.abandon(entry)
			entry.result <- nil
		}
	}
}
