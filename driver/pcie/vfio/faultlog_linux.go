// SPDX-License-Identifier: Apache-2.0

package vfio

import (
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/discover"
)

const (
	kernelLog = "/dev/kmsg"
	// longestRecord is more than the kernel makes of one line.
	longestRecord = 16 << 10
)

// faultLog reads from the kernel's log what a function was refused.
type faultLog struct {
	address string
	// alone: no other PCI domain has a function with the same bus, device and
	// function number.
	alone bool
	read  func(p []byte) (int, error)
	close func() error

	mu     sync.Mutex
	buffer []byte
}

// openFaultLog opens the log at its end. nil: it cannot be read.
func openFaultLog(k kernel, address string) *faultLog {
	fd, err := unix.Open(k.path(kernelLog), unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil
	}
	if _, err := unix.Seek(fd, 0, unix.SEEK_END); err != nil {
		unix.Close(fd)
		return nil
	}
	_, short, _ := strings.Cut(address, ":")
	same, _ := filepath.Glob(filepath.Join(k.path(discover.SysfsDevices), "*:"+short))
	return &faultLog{
		address: address, alone: len(same) <= 1, buffer: make([]byte, longestRecord),
		read:  func(p []byte) (int, error) { return unix.Read(fd, p) },
		close: func() error { return unix.Close(fd) },
	}
}

// take returns the faults since the last call.
func (l *faultLog) take() (faults []pcie.Fault) {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		n, err := l.read(l.buffer)
		switch {
		case errors.Is(err, unix.EPIPE), errors.Is(err, unix.EINTR):
			continue // older records were overwritten; the next one is there
		case err != nil || n == 0:
			return faults // EAGAIN: these were all
		}
		text, ok := parseRecord(string(l.buffer[:n]))
		if !ok {
			continue
		}
		if r, ok := parseFault(text); ok && r.by(l.address, l.alone) {
			r.fault.Time = time.Now()
			faults = append(faults, r.fault)
		}
	}
}

func (l *faultLog) end() error {
	if l == nil {
		return nil
	}
	return l.close()
}
