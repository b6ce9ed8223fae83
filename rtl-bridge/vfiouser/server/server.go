// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"
)

// Defaults of Options.
const (
	DefaultDMATimeout         = 5 * time.Second
	DefaultNegotiationTimeout = 10 * time.Second
)

// Options say how a Server behaves.
type Options struct {
	// Log gets one sentence about each thing that a user should know: a client
	// that shares no memory, one that does not keep to the protocol, one that
	// waits for another to leave. Nil: nothing is said.
	Log func(sentence string)
	// ResetOnDisconnect resets the device when a client has gone. Otherwise the
	// next client finds it as the last one left it, as the protocol has it.
	ResetOnDisconnect bool
	// DMATimeout is how long the client may take for one message that reads or
	// writes its memory; 0 for DefaultDMATimeout.
	DMATimeout time.Duration
	// NegotiationTimeout is how long a client may take for its first command; 0
	// for DefaultNegotiationTimeout.
	NegotiationTimeout time.Duration
}

// Server presents one device on one socket, to one client at a time. A second
// client is accepted, but hears nothing until the first has gone; more wait in the
// kernel.
type Server struct {
	device  Device
	options Options
	socket  *socket // nil without Listen
	counts  counters
	serving sync.Mutex // held for the client being served
}

// New returns a server without a socket of its own, for ServeConn.
func New(device Device, options Options) (*Server, error) {
	if err := checkDescription(device.Describe()); err != nil {
		return nil, err
	}
	if options.Log == nil {
		options.Log = func(string) {}
	}
	if options.DMATimeout == 0 {
		options.DMATimeout = DefaultDMATimeout
	}
	if options.NegotiationTimeout == 0 {
		options.NegotiationTimeout = DefaultNegotiationTimeout
	}
	return &Server{device: device, options: options}, nil
}

// Listen returns a server that listens on a new socket at path, which only its own
// user may connect to (mode 0600). A socket file that nobody listens on is
// replaced; one in use, or another kind of file, is an error.
func Listen(path string, device Device, options Options) (*Server, error) {
	s, err := New(device, options)
	if err != nil {
		return nil, err
	}
	if s.socket, err = listen(path, s.options.Log); err != nil {
		return nil, err
	}
	return s, nil
}

// Close stops listening and removes the socket file. Serve returns; a client being
// served stays until Serve's context ends or it leaves.
func (s *Server) Close() error {
	if s.socket == nil {
		return nil
	}
	return s.socket.close()
}

// Stats returns what the server has done so far.
func (s *Server) Stats() Stats { return s.counts.stats() }

// Serve serves clients, one after another, until the context ends, which also ends
// the client being served, or until Close. It closes the server. The error is nil
// then.
func (s *Server) Serve(ctx context.Context) error {
	if s.socket == nil {
		return errors.New("serve: the server has no socket, see Listen")
	}
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	defer s.Close()

	// One goroutine accepts, so that a client that has to wait is noticed.
	clients := make(chan *net.UnixConn)
	accepting := make(chan error, 1)
	go func() { accepting <- s.accept(clients) }()
	for c := range clients {
		s.ServeConn(ctx, c)
	}
	if err := <-accepting; err != nil {
		return fmt.Errorf("serve %s: %w", s.socket.path, err)
	}
	return nil
}

// accept passes on clients until the socket is closed.
func (s *Server) accept(clients chan<- *net.UnixConn) error {
	defer close(clients)
	for {
		c, err := s.socket.listener.AcceptUnix()
		switch {
		case err == nil:
			s.passOn(c, clients)
		case errors.Is(err, net.ErrClosed):
			return nil
		case passing(err):
			s.logf("a client could not be let in: %v", err)
			select {
			case <-time.After(acceptPause):
			case <-s.socket.closed:
				return nil
			}
		default:
			return err
		}
	}
}

// passOn hands over a client when the present one has left.
func (s *Server) passOn(c *net.UnixConn, clients chan<- *net.UnixConn) {
	notice := time.NewTimer(waitingNotice)
	defer notice.Stop()
	for {
		select {
		case clients <- c:
			return
		case <-s.socket.closed:
			c.Close()
			return
		case <-notice.C:
			s.logf("another client has connected and waits until the present one leaves")
		}
	}
}

const (
	// waitingNotice is how long a second client waits before it is worth a word:
	// a client that has just left may not be quite gone.
	waitingNotice = 200 * time.Millisecond
	// acceptPause is how long the server waits for better times.
	acceptPause = 100 * time.Millisecond
)

// passing says whether accepting may succeed later: there are too many open files,
// too little memory, or the client has left already.
func passing(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOBUFS, syscall.ECONNABORTED} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// ServeConn serves one client on a connected socket, which it closes, until the
// client leaves or the context ends. It waits for the client being served.
func (s *Server) ServeConn(ctx context.Context, c *net.UnixConn) {
	s.serving.Lock()
	defer s.serving.Unlock()
	if ctx.Err() != nil {
		c.Close()
		return
	}
	newSession(s, c).run(ctx)
}

// name is how messages to the user call this server.
func (s *Server) name() string {
	if s.socket == nil {
		return "vfio-user server"
	}
	return s.socket.path
}

func (s *Server) logf(format string, args ...any) {
	s.options.Log(s.name() + ": " + fmt.Sprintf(format, args...))
}

// Limits of what a client takes (QEMU refuses devices with more).
const (
	maxRegions = 100
	maxIRQs    = 50
	maxVectors = 2048
	pageSize   = 4096
)

// checkDescription finds what no client could use.
func checkDescription(d Description) error {
	if len(d.Regions) > maxRegions {
		return fmt.Errorf("device has %d regions, at most %d are possible", len(d.Regions), maxRegions)
	}
	if len(d.IRQs) > maxIRQs {
		return fmt.Errorf("device has %d interrupt indices, at most %d are possible", len(d.IRQs), maxIRQs)
	}
	for i, r := range d.Regions {
		if len(r.Areas) > 0 && r.File == nil {
			return fmt.Errorf("region %d has areas to be mapped, but no file", i)
		}
		if r.FileOffset < 0 || r.FileOffset%pageSize != 0 {
			return fmt.Errorf("region %d begins at offset %#x of its file, must be a multiple of %d", i, r.FileOffset, pageSize)
		}
		for _, a := range r.Areas {
			if a.Size == 0 || a.Offset%pageSize != 0 || a.Size%pageSize != 0 || a.Offset > r.Size || a.Size > r.Size-a.Offset {
				return fmt.Errorf("region %d of %#x bytes: an area of %#x bytes at %#x, must be whole pages of %d inside it", i, r.Size, a.Size, a.Offset, pageSize)
			}
		}
	}
	for i, q := range d.IRQs {
		if q.Count < 0 || q.Count > maxVectors {
			return fmt.Errorf("interrupt index %d has %d vectors, allowed are 0 to %d", i, q.Count, maxVectors)
		}
	}
	return nil
}
