// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// eventFD is a client's eventfd, owned. The zero value is none.
type eventFD struct {
	fd   int
	open bool
	// blocking: writing could wait for the client to read.
	blocking bool
}

// newEventFD takes over a descriptor.
func newEventFD(fd int) (eventFD, error) {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		unix.Close(fd)
		return eventFD{}, fmt.Errorf("eventfd: %w", err)
	}
	return eventFD{fd: fd, open: true, blocking: flags&unix.O_NONBLOCK == 0}, nil
}

func (e *eventFD) bound() bool { return e.open }

func (e *eventFD) close() {
	if e.open {
		unix.Close(e.fd)
		e.open = false
	}
}

// one is what is added to an eventfd's counter.
var one = []byte{1, 0, 0, 0, 0, 0, 0, 0}

// signal adds 1. An eventfd whose counter is full has an interrupt that the client
// has not taken, and this one merges with it. A device is not held up by a client that
// takes none, whose descriptor's flags are also the client's and are left as they are.
func (e *eventFD) signal() error {
	if !e.open {
		return nil
	}
	if e.blocking {
		if full, err := e.full(); full || err != nil {
			return err
		}
	}
	for {
		_, err := unix.Write(e.fd, one)
		switch err {
		case nil, unix.EAGAIN:
			return nil
		case unix.EINTR:
			continue
		}
		return fmt.Errorf("write eventfd: %w", err)
	}
}

// full says whether a write would wait.
func (e *eventFD) full() (bool, error) {
	poll := []unix.PollFd{{Fd: int32(e.fd), Events: unix.POLLOUT}}
	for {
		n, err := unix.Poll(poll, 0)
		switch err {
		case nil:
			return n == 0, nil
		case unix.EINTR: // signals come often: Go's runtime uses them to take turns
			continue
		}
		return false, fmt.Errorf("poll eventfd: %w", err)
	}
}
