// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
)

// DefaultMaxFDs is the number of descriptors taken with one message unless Options
// say otherwise. QEMU refuses a server that offers more.
const DefaultMaxFDs = 16

// xferOverhead is what a message may have in addition to the largest data
// transfer: the header and the largest structure in front of data.
const xferOverhead = HeaderSize + 16

// Options say what a Conn takes.
type Options struct {
	// MaxFDs is the number of descriptors taken with one message; 0 for
	// DefaultMaxFDs. More end the connection.
	MaxFDs int
	// MaxDataXferSize is the largest data transfer in bytes; 0 for
	// DefaultMaxDataXferSize. A message that is larger than it and 32 bytes
	// ends the connection before anything is read of it.
	MaxDataXferSize int
	// Handle gets the peer's commands, one at a time and in the order in which
	// they came. It may take as long as it needs: replies are received
	// meanwhile. Nil: all are refused.
	Handle func(*Request)
}

// Conn is one end of a vfio-user connection. Methods may be called from several
// goroutines at once.
//
// A Conn has two goroutines that share two jobs, see worker.go: reading and running
// Options.Handle. The reader never waits for the handler while a reply is awaited,
// so that both parties may have commands under way at once.
type Conn struct {
	socket  *stream // nil if it could not be taken over
	options Options
	control []byte           // the reader's
	header  [HeaderSize]byte // the reader's

	writing sync.Mutex
	out     []byte // guarded by writing

	mu      sync.Mutex
	changed sync.Cond // the queue, the wait table or err
	queue   requestQueue
	waiting waitTable
	// unanswered are the peer's commands that have not been answered, whose
	// sender therefore waits.
	unanswered int
	// whenIdle are messages to be sent as soon as unanswered is 0.
	whenIdle []*outgoing
	// err is why the connection has ended.
	err error

	jobs jobs

	ended   chan struct{} // closed once err is set
	handled chan struct{} // closed when both workers have ended
}

// NewConn takes over a connected socket, which belongs to the Conn from then on.
// Close it even after it has ended by itself.
func NewConn(socket *net.UnixConn, options Options) *Conn {
	if options.MaxFDs == 0 {
		options.MaxFDs = DefaultMaxFDs
	}
	if options.MaxDataXferSize == 0 {
		options.MaxDataXferSize = DefaultMaxDataXferSize
	}
	if options.Handle == nil {
		options.Handle = func(*Request) {}
	}
	c := &Conn{
		options: options,
		control: make([]byte, controlSize),
		waiting: waitTable{calls: make(map[uint16]*call)},
		jobs:    jobs{kick: make(chan struct{}, 1)},
		ended:   make(chan struct{}),
		handled: make(chan struct{}),
	}
	c.changed.L = &c.mu
	var err error
	if c.socket, err = newStream(socket); err != nil {
		c.end(err)
	}
	c.startWorkers()
	return c
}

// Close ends the connection. Calls under way return, commands that the handler has
// not seen are dropped. It does not wait for the handler, which may call it.
func (c *Conn) Close() error {
	c.end(ErrClosed)
	c.mu.Lock()
	c.queue.drop()
	c.mu.Unlock()
	if c.socket == nil {
		return nil
	}
	return c.socket.Close()
}

// Ended is closed when the connection has ended, by either side.
func (c *Conn) Ended() <-chan struct{} { return c.ended }

// Handled is closed when the connection has ended and the handler has returned
// from its last command. Commands that came before the peer closed are handled.
func (c *Conn) Handled() <-chan struct{} { return c.handled }

// Err returns why the connection has ended: ErrClosed after Close, io.EOF when the
// peer closed, an ErrProtocol when the peer did not keep to the protocol; nil while
// it has not.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// end ends the connection with a reason; the first one counts.
func (c *Conn) end(reason error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = reason
	close(c.ended)
	c.changed.Broadcast()
	c.jobs.wake()
}

// closedError is the error of operations on a connection that has ended.
func (c *Conn) closedError() error {
	if err := c.Err(); err != nil && !errors.Is(err, ErrClosed) {
		return fmt.Errorf("%w: %w", ErrClosed, err)
	}
	return ErrClosed
}

// readOne takes in one message and passes it on. An error ends the connection.
func (c *Conn) readOne() {
	h, fds, err := c.readHeader()
	if err == nil {
		err = c.readMessage(h, fds)
	}
	if err == nil {
		return
	}
	reason := readReason(err)
	c.end(reason)
	if reason != io.EOF {
		// The peer learns of it, and nobody is held up by a peer that does not
		// take in what is sent to it.
		_ = c.socket.Close()
	}
}

// readReason tells the peer's end of the connection from other errors.
func readReason(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ECONNRESET) {
		return io.EOF
	}
	return err
}

// readHeader reads exactly one header, since descriptors belong to the message on
// whose header they ride.
func (c *Conn) readHeader() (Header, Descriptors, error) {
	var fds Descriptors
	for got := 0; got < len(c.header); {
		n, nc, flags, err := c.socket.readMsg(c.header[got:], c.control)
		if nc > 0 {
			var parseErr error
			if fds, parseErr = appendDescriptors(fds, c.control[:nc]); parseErr != nil {
				return Header{}, nil, parseErr
			}
		}
		switch {
		case err != nil && got > 0 && errors.Is(err, io.EOF):
			err = violation("connection ended inside a header, after %d of %d bytes", got, HeaderSize)
		case err == nil && controlTruncated != 0 && flags&controlTruncated != 0:
			err = errors.New("receive descriptors: no room for all of them (see ulimit -n)")
		case err == nil && len(fds) > c.options.MaxFDs:
			err = violation("message with %d descriptors, allowed are %d", len(fds), c.options.MaxFDs)
		}
		if err != nil {
			fds.Close()
			return Header{}, nil, err
		}
		got += n
	}
	h, err := ParseHeader(c.header[:])
	if limit := uint64(c.options.MaxDataXferSize) + xferOverhead; err == nil && uint64(h.Size) > limit {
		err = &SizeError{Item: h.Command.String() + " message", Size: uint64(h.Size), Min: HeaderSize, Max: limit}
	}
	if err != nil {
		fds.Close()
		return h, nil, err
	}
	return h, fds, nil
}

// readMessage reads the rest of a message and passes it on.
func (c *Conn) readMessage(h Header, fds Descriptors) error {
	m := newMessage(h, fds)
	if _, err := io.ReadFull(c.socket, m.payload); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = violation("connection ended inside a %s message of %d bytes", h.Command, h.Size)
		}
		m.release()
		return err
	}
	if h.Reply() {
		return c.deliver(m)
	}
	return c.enqueue(m)
}

// handle runs the handler on a command.
func (c *Conn) handle(m *message) {
	r := &Request{conn: c, message: m, Header: m.header, Payload: m.payload, FDs: m.fds}
	c.options.Handle(r)
	_ = r.ReplyError(EINVAL) // no effect if it was answered
	m.release()
}

// send writes one message.
func (c *Conn) send(h Header, payload []byte, fds []int) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.write(h, payload, fds)
}

// write is send for a caller that holds c.writing.
func (c *Conn) write(h Header, payload []byte, fds []int) error {
	if len(payload) > c.options.MaxDataXferSize+xferOverhead {
		return fmt.Errorf("send %s: a payload of %d bytes is too large for this connection", h.Command, len(payload))
	}
	h.Size = uint32(HeaderSize + len(payload))
	c.out = append(h.Append(c.out[:0]), payload...)
	var control []byte
	if len(fds) > 0 {
		control = controlMessage(fds)
	}
	if c.socket == nil {
		return c.closedError()
	}
	if err := c.socket.writeMsg(c.out, control); err != nil {
		return c.sendError(h, err)
	}
	return nil
}

func (c *Conn) sendError(h Header, err error) error {
	if errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		return c.closedError()
	}
	return fmt.Errorf("send %s: %w", h.Command, err)
}

// Call sends a command and waits for its reply. The descriptors stay the caller's.
// An error reply is a *RemoteError. When the context ends first the command is
// abandoned: the peer may still carry it out, and its reply is dropped.
func (c *Conn) Call(ctx context.Context, command Command, payload []byte, fds []int) (*Reply, error) {
	return c.call(ctx, command, payload, fds, atOnce)
}

// CallIdle is Call for peers that do not act on a command while they wait for a
// reply themselves: it sends as soon as all the peer's commands are answered, and
// right behind the answer to the last one.
func (c *Conn) CallIdle(ctx context.Context, command Command, payload []byte, fds []int) (*Reply, error) {
	return c.call(ctx, command, payload, fds, whenIdle)
}

// TryCall is CallIdle for callers on whom an answer to the peer depends: where
// CallIdle would wait it returns ErrPeerWaiting without sending, and when a command
// of the peer that wants a reply comes before the reply to this one it abandons the
// command and returns ErrGaveWay.
func (c *Conn) TryCall(ctx context.Context, command Command, payload []byte, fds []int) (*Reply, error) {
	return c.call(ctx, command, payload, fds, onlyIdle)
}

// Post sends a command to which no reply is wanted.
func (c *Conn) Post(command Command, payload []byte, fds []int) error {
	c.mu.Lock()
	ended := c.err != nil
	id := c.waiting.postID()
	c.mu.Unlock()
	if ended {
		return c.closedError()
	}
	return c.send(Header{ID: id, Command: command, Flags: FlagNoReply}, payload, fds)
}

// Waiting says whether the peer has a command that was not answered.
func (c *Conn) Waiting() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.unanswered > 0
}
