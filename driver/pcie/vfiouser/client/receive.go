// SPDX-License-Identifier: Apache-2.0

package client

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/protocol"
)

// receiver is what has been read of the socket and not been taken.
type receiver struct {
	buffer []byte
	r, w   int // buffer[r:w] waits
	// position counts all bytes up to buffer[w], in the stream.
	position uint64
	parcels  []parcel
	scratch  []byte // payloads of the server's commands
	answer   []byte // replies to them
}

// parcel is descriptors that came with bytes of the stream. One receive call ends
// with the message that has descriptors or inside it, so they belong to the first
// message that ends at or after the last of these bytes.
type parcel struct {
	end uint64
	fds []int
}

func (in *receiver) init() { in.buffer = make([]byte, 64<<10) }

var (
	// errDeadline: the reader's time is up.
	errDeadline = errors.New("deadline")
	// errPassOn: somebody waits in catchUp for his turn to read.
	errPassOn = errors.New("pass on")
)

// receive reads at least one byte into p. between says that no message is half taken,
// so that somebody else can go on reading.
func (c *Client) receive(p []byte, deadline time.Time, between bool) (int, error) {
	for {
		n, fds, err := c.sock.recv(p, true)
		switch {
		case err == errAgain:
			if time.Now().After(deadline) {
				return 0, errDeadline
			}
			if between && c.catching.Load() > 0 {
				return 0, errPassOn
			}
		case err == syscall.ECONNRESET:
			return 0, ErrHangUp
		case err != nil:
			return 0, fmt.Errorf("receive: %w", err)
		case n == 0:
			return 0, ErrHangUp
		default:
			c.in.arrived(n, fds)
			return n, nil
		}
	}
}

// arrived notes that bytes have come, and descriptors with them.
func (in *receiver) arrived(n int, fds []int) {
	in.position += uint64(n)
	if len(fds) > 0 {
		in.parcels = append(in.parcels, parcel{end: in.position, fds: fds})
	}
}

// holds says whether n bytes are in the buffer.
func (in *receiver) holds(n int) bool { return in.w-in.r >= n }

// makeRoom makes room for n bytes, few, behind in.r.
func (in *receiver) makeRoom(n int) {
	if in.r == in.w {
		in.r, in.w = 0, 0
	} else if len(in.buffer)-in.r < n {
		in.w = copy(in.buffer, in.buffer[in.r:in.w])
		in.r = 0
	}
}

// need waits until at least n bytes, few, are in the buffer.
func (c *Client) need(n int, deadline time.Time, between bool) error {
	in := &c.in
	in.makeRoom(n)
	for !in.holds(n) {
		got, err := c.receive(in.buffer[in.w:], deadline, between)
		if err != nil {
			return err
		}
		in.w += got
	}
	return nil
}

// take fills p with the next bytes of the stream.
func (c *Client) take(p []byte, deadline time.Time) error {
	in := &c.in
	n := copy(p, in.buffer[in.r:in.w])
	in.r += n
	for p = p[n:]; len(p) > 0; p = p[n:] {
		var err error
		if n, err = c.receive(p, deadline, false); err != nil {
			return err
		}
	}
	return nil
}

// skip drops the next n bytes of the stream.
func (c *Client) skip(n int, deadline time.Time) error {
	for n > 0 {
		if err := c.need(1, deadline, false); err != nil {
			return err
		}
		here := min(n, c.in.w-c.in.r)
		c.in.r += here
		n -= here
	}
	return nil
}

// descriptors returns what came with the message that ends here.
func (in *receiver) descriptors() []int {
	if len(in.parcels) == 0 {
		return nil
	}
	here := in.position - uint64(in.w-in.r)
	var fds []int
	for len(in.parcels) > 0 && in.parcels[0].end <= here {
		fds = append(fds, in.parcels[0].fds...)
		in.parcels = in.parcels[1:]
	}
	return fds
}

// drop closes descriptors that nobody has taken.
func (in *receiver) drop() {
	for _, p := range in.parcels {
		closeFDs(p.fds)
	}
	in.parcels = nil
}

// readMessage reads one message and does what it is for. The caller is the one that
// reads the socket.
func (c *Client) readMessage(deadline time.Time) error {
	if err := c.need(protocol.HeaderSize, deadline, true); err != nil {
		return err
	}
	h, err := protocol.ParseHeader(c.in.buffer[c.in.r:c.in.w])
	if err != nil {
		return err
	}
	c.in.r += protocol.HeaderSize
	size := h.Size - protocol.HeaderSize
	if h.Reply() {
		return c.readReply(h, size, deadline)
	}
	err = c.readCommand(h, size, deadline)
	closeFDs(c.in.descriptors()) // no command of a server's brings any
	return err
}

// readWaiting reads the messages that are there. Less than a header is none.
func (c *Client) readWaiting() error {
	for {
		if err := c.readBuffered(); err != nil {
			return err
		}
		in := &c.in
		in.makeRoom(protocol.HeaderSize)
		n, fds, err := c.sock.recv(in.buffer[in.w:], false)
		switch {
		case err == errAgain:
			return nil
		case err != nil:
			return fmt.Errorf("receive: %w", err)
		case n == 0:
			return ErrHangUp
		}
		in.w += n
		in.arrived(n, fds)
	}
}

// readBuffered reads the messages that have been received.
func (c *Client) readBuffered() error {
	for c.in.holds(protocol.HeaderSize) {
		err := c.readMessage(time.Now().Add(c.opts.Timeout))
		if err == errDeadline {
			err = fmt.Errorf("a message of the server's is not complete: %w", ErrTimeout)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readReply reads a reply's payload and hands it to the caller.
func (c *Client) readReply(h protocol.Header, size uint32, deadline time.Time) error {
	c.mu.Lock()
	cl := c.pending[h.ID]
	delete(c.pending, h.ID)
	unwanted := cl == nil && c.posted.take(h.ID)
	c.mu.Unlock()
	switch {
	case unwanted && (h.Command == protocol.CommandRegionWrite || h.Command == protocol.CommandWriteMulti) && size <= protocol.RegionAccessSize:
		// Some servers answer also what wants no reply.
		err := c.skip(int(size), deadline)
		closeFDs(c.in.descriptors())
		return err
	case cl == nil:
		return fmt.Errorf("%w: a reply to %s with the identifier %d, which no command has", protocol.ErrProtocol, h.Command, h.ID)
	}
	fault, err := c.readPayload(cl, h, size, deadline)
	fds := c.in.descriptors()
	if fault == nil && err == nil && cl.wantFDs {
		cl.replyFDs = fds
	} else {
		closeFDs(fds)
	}
	broken := err
	if err == errDeadline {
		err = fmt.Errorf("the reply to %s is not complete: %w", cl.command, ErrTimeout)
	}
	if err != nil {
		c.end(err) // unless it has ended for another reason, which counts then
		fault = c.Err()
	}
	if fault == nil && cl.agreed != nil {
		cl.agreed()
	}
	c.mu.Lock()
	cl.finish(fault)
	c.mu.Unlock()
	return broken
}

// readPayload reads the payload of the reply to a call. fault is the call's own
// error, err ends the connection.
func (c *Client) readPayload(cl *call, h protocol.Header, size uint32, deadline time.Time) (fault, err error) {
	if cl.command != h.Command {
		return nil, fmt.Errorf("%w: %s is answered as %s", protocol.ErrProtocol, cl.command, h.Command)
	}
	room := len(cl.reply) + len(cl.into)
	if uint64(size) > uint64(room) {
		return nil, &protocol.SizeError{Item: "reply to " + h.Command.String(), Size: uint64(h.Size), Min: protocol.HeaderSize, Max: uint64(protocol.HeaderSize + room)}
	}
	if h.Flags&protocol.FlagError != 0 {
		return fmt.Errorf("vfio-user: %w", &protocol.RemoteError{Command: h.Command, Errno: h.Errno}), c.skip(int(size), deadline)
	}
	cl.got = int(size)
	first := min(cl.got, len(cl.reply))
	if err := c.take(cl.reply[:first], deadline); err != nil {
		return nil, err
	}
	return nil, c.take(cl.into[:cl.got-first], deadline)
}
