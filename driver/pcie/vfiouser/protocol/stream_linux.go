// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/internal/eager"
)

// stream is a connected socket in blocking mode: who waits for a message waits in
// the kernel and not in Go's poller. Between two processes on two cores a round
// trip takes a half to a third of the time so.
type stream struct {
	fd int
	// The reader's.
	eager  eager.Waiter
	polled [1]unix.PollFd

	mu     sync.Mutex
	users  int // calls that use fd; the last one closes it
	closed bool
}

// newStream takes over a socket.
func newStream(socket *net.UnixConn) (*stream, error) {
	defer socket.Close()
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("take over socket: %w", err)
	}
	fd := -1
	var failed error
	err = raw.Control(func(own uintptr) {
		if fd, failed = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0); failed == nil {
			failed = unix.SetNonblock(fd, false)
		}
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		if fd >= 0 {
			unix.Close(fd)
		}
		return nil, fmt.Errorf("take over socket: %w", err)
	}
	return &stream{fd: fd}, nil
}

func (s *stream) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	s.users++
	return nil
}

func (s *stream) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users--; s.closed && s.users == 0 {
		unix.Close(s.fd)
	}
}

// Close ends all calls under way.
func (s *stream) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.users == 0 {
		return unix.Close(s.fd)
	}
	_ = unix.Shutdown(s.fd, unix.SHUT_RDWR) // the peer may have done it
	return nil
}

// readMsg reads bytes and the control message that comes with them.
func (s *stream) readMsg(p, control []byte) (n, nc, flags int, err error) {
	if err := s.enter(); err != nil {
		return 0, 0, 0, err
	}
	defer s.leave()
	s.eager.Look(s.ready)
	for {
		n, nc, flags, _, err = unix.Recvmsg(s.fd, p, control, unix.MSG_CMSG_CLOEXEC)
		if err != unix.EINTR {
			break
		}
	}
	if err == nil && n == 0 {
		err = io.EOF
	}
	return max(n, 0), max(nc, 0), flags, err
}

// ready says whether there is something to read, if only the end.
func (s *stream) ready() bool {
	s.polled[0] = unix.PollFd{Fd: int32(s.fd), Events: unix.POLLIN}
	n, _ := unix.Poll(s.polled[:], 0) // an error is no more than a wait in the kernel
	return n > 0
}

// Read implements io.Reader.
func (s *stream) Read(p []byte) (int, error) {
	if err := s.enter(); err != nil {
		return 0, err
	}
	defer s.leave()
	for {
		n, err := syscall.Read(s.fd, p) // unlike unix.Read known to the race detector as net's
		switch {
		case err == syscall.EINTR:
		case err == nil && n == 0 && len(p) > 0:
			return 0, io.EOF
		default:
			return max(n, 0), err
		}
	}
}

// writeMsg writes all bytes, with a control message on the first.
func (s *stream) writeMsg(p, control []byte) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	for len(p) > 0 {
		var n int
		var err error
		if len(control) > 0 {
			n, err = unix.SendmsgN(s.fd, p, control, nil, unix.MSG_NOSIGNAL)
		} else {
			n, err = syscall.Write(s.fd, p)
		}
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		p, control = p[n:], nil
	}
	return nil
}
