// SPDX-License-Identifier: Apache-2.0

package client

import (
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/internal/eager"
)

// maxFDs is how many descriptors one message from the server may carry; the
// kernel closes what is beyond.
const maxFDs = 16

// tick is how long a blocked system call on the socket stays blocked before its
// caller looks at its deadline.
const tick = 100 * time.Millisecond

// socket is a connected stream socket in blocking mode. A call that waits for
// a reply looks for it for a moment and then blocks in the kernel, and not in Go's
// poller: a round trip between two processes takes a multiple of the time there.
//
// One goroutine at a time may send and one may receive.
type socket struct {
	fd int

	sendHeader unix.Msghdr
	sendParts  [2]unix.Iovec

	recvHeader  unix.Msghdr
	recvPart    unix.Iovec
	recvControl [128]byte // room for maxFDs
	eager       eager.Waiter
}

// dial connects to the server that listens on path.
func dial(path string, timeout time.Duration) (*socket, error) {
	if len(path) == 0 || len(path) >= len(unix.RawSockaddrUnix{}.Path) {
		return nil, fmt.Errorf("socket path of %d bytes, allowed are 1 to %d: %w", len(path), len(unix.RawSockaddrUnix{}.Path)-1, unix.EINVAL)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode()&os.ModeSocket == 0 {
		return nil, fmt.Errorf("%s: %w", path, ErrNotSocket)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("create socket: %w", err)
	}
	s, err := newSocket(fd)
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(timeout); ; {
		switch err = unix.Connect(fd, &unix.SockaddrUnix{Name: path}); {
		case err == nil:
			return s, nil
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN): // the server does not accept, and enough wait already
			if time.Now().After(end) {
				s.close()
				return nil, fmt.Errorf("connect to %s: %w", path, ErrTimeout)
			}
		case errors.Is(err, unix.ECONNREFUSED):
			s.close()
			return nil, fmt.Errorf("connect to %s: %w: %w", path, ErrStale, err)
		default:
			s.close()
			return nil, fmt.Errorf("connect to %s: %w", path, err)
		}
	}
}

// newSocket takes over a socket's descriptor.
func newSocket(fd int) (*socket, error) {
	limit := unix.NsecToTimeval(tick.Nanoseconds())
	err := unix.SetNonblock(fd, false)
	if err == nil {
		err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit)
	}
	if err == nil {
		err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit)
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("prepare socket: %w", err)
	}
	return &socket{fd: fd}, nil
}

// duplicate returns a socket for a connection that stays the caller's.
func duplicate(conn *net.UnixConn) (*socket, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd := -1
	var failed error
	err = raw.Control(func(own uintptr) {
		fd, failed = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0)
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return nil, fmt.Errorf("duplicate socket: %w", err)
	}
	return newSocket(fd)
}

// errAgain: nothing could be sent or received now.
var errAgain = errors.New("would block")

// send sends bytes of head and then of data, with descriptors attached to the
// first. It returns how many bytes went. wait: at least one byte, within a tick.
func (s *socket) send(head, data []byte, fds []int, wait bool) (int, error) {
	h := &s.sendHeader
	*h = unix.Msghdr{}
	parts := 0
	for _, p := range [][]byte{head, data} {
		if len(p) > 0 {
			s.sendParts[parts].Base = unsafe.SliceData(p)
			s.sendParts[parts].SetLen(len(p))
			parts++
		}
	}
	h.Iov = &s.sendParts[0]
	h.SetIovlen(parts)
	if len(fds) > 0 {
		control := unix.UnixRights(fds...)
		h.Control = unsafe.SliceData(control)
		h.SetControllen(len(control))
	}
	flags := unix.MSG_NOSIGNAL
	if !wait {
		flags |= unix.MSG_DONTWAIT
	}
	return s.message(unix.SYS_SENDMSG, h, flags)
}

// recv receives up to len(p) bytes and the descriptors that came with them. It
// returns 0 bytes when the other side has closed. wait: at least one, within a
// tick.
func (s *socket) recv(p []byte, wait bool) (n int, fds []int, err error) {
	if wait && s.eager.Look(func() bool {
		n, fds, err = s.recvFlags(p, unix.MSG_DONTWAIT)
		return err != errAgain
	}) {
		return n, fds, err
	}
	flags := 0
	if !wait {
		flags = unix.MSG_DONTWAIT
	}
	return s.recvFlags(p, flags)
}

func (s *socket) recvFlags(p []byte, flags int) (int, []int, error) {
	s.recvPart.Base = unsafe.SliceData(p)
	s.recvPart.SetLen(len(p))
	h := &s.recvHeader
	*h = unix.Msghdr{Iov: &s.recvPart, Control: &s.recvControl[0]}
	h.SetIovlen(1)
	h.SetControllen(unix.CmsgSpace(4 * maxFDs))
	n, err := s.message(unix.SYS_RECVMSG, h, flags|unix.MSG_CMSG_CLOEXEC)
	if err != nil || h.Controllen == 0 {
		return n, nil, err
	}
	return n, rights(s.recvControl[:h.Controllen]), nil
}

// message is sendmsg and recvmsg without the memory that package unix's take.
func (s *socket) message(call uintptr, h *unix.Msghdr, flags int) (int, error) {
	for {
		n, _, errno := unix.Syscall(call, uintptr(s.fd), uintptr(unsafe.Pointer(h)), uintptr(flags))
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		case unix.EAGAIN:
			return 0, errAgain
		default:
			return 0, errno
		}
	}
}

// rights returns the descriptors in a control message.
func rights(control []byte) []int {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil
	}
	var all []int
	for i := range messages {
		if fds, err := unix.ParseUnixRights(&messages[i]); err == nil {
			all = append(all, fds...)
		}
	}
	return all
}

// await waits until there is something to receive, if only the end.
func (s *socket) await() error {
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}}, -1)
		if err != unix.EINTR {
			return err
		}
	}
}

// shutdown ends all sending and receiving, also that under way.
func (s *socket) shutdown() { unix.Shutdown(s.fd, unix.SHUT_RDWR) }

func (s *socket) close() { unix.Close(s.fd) }

func closeFDs(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// mapShared maps part of a file that came from the server.
func mapShared(fd int, offset, size uint64, readable, writable bool) ([]byte, error) {
	end := offset + size
	if end < offset || end > math.MaxInt64 || size > math.MaxInt {
		return nil, fmt.Errorf("%#x bytes at %#x of a file: %w", size, offset, ErrRange)
	}
	// Accesses beyond the end of a file are signals that kill the process.
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return nil, fmt.Errorf("look at the file: %w", err)
	}
	if stat.Mode&unix.S_IFMT == unix.S_IFREG && uint64(stat.Size) < end {
		return nil, fmt.Errorf("%#x bytes at %#x of a file of %#x: %w", size, offset, stat.Size, ErrNotMappable)
	}
	protection := 0
	if readable {
		protection |= unix.PROT_READ
	}
	if writable {
		protection |= unix.PROT_WRITE
	}
	return unix.Mmap(fd, int64(offset), int(size), protection, unix.MAP_SHARED)
}

func unmap(b []byte) error { return unix.Munmap(b) }
