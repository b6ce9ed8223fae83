// SPDX-License-Identifier: Apache-2.0

package passthrough

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// event is an eventfd. Waits go through the runtime's poller, so that they cost
// no thread and can be interrupted.
type event struct {
	file *os.File
	fd   int
}

func newEvent() (*event, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if errors.Is(err, unix.EMFILE) {
		return nil, fmt.Errorf("make an eventfd: %w (raise the limit: ulimit -n)", err)
	}
	if err != nil {
		return nil, fmt.Errorf("make an eventfd: %w", err)
	}
	return &event{file: os.NewFile(uintptr(fd), "eventfd"), fd: fd}, nil
}

// wait waits until the count is not zero and takes it. After interrupt the error
// is os.ErrDeadlineExceeded, after close os.ErrClosed.
func (e *event) wait() (uint64, error) {
	var count [8]byte
	if _, err := e.file.Read(count[:]); err != nil {
		return 0, err
	}
	return binary.NativeEndian.Uint64(count[:]), nil
}

// take takes the count without waiting. The event must not be closed meanwhile.
func (e *event) take() uint64 {
	var count [8]byte
	if n, err := unix.Read(e.fd, count[:]); err != nil || n != len(count) {
		return 0
	}
	return binary.NativeEndian.Uint64(count[:])
}

// raise adds one to the count.
func (e *event) raise() error {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	_, err := unix.Write(e.fd, one[:])
	return err
}

// interrupt makes wait return until resume.
func (e *event) interrupt() { _ = e.file.SetReadDeadline(time.Unix(1, 0)) }

func (e *event) resume() { _ = e.file.SetReadDeadline(time.Time{}) }

func (e *event) close() error { return e.file.Close() }
