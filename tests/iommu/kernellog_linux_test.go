// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package iommu

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// kernelLog is the guest's, from when it was opened. It is read here as a person
// would, and not as the driver does.
type kernelLog struct {
	t  testing.TB
	fd int
}

func openKernelLog(t testing.TB) *kernelLog {
	t.Helper()
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if _, err := unix.Seek(fd, 0, unix.SEEK_END); err != nil {
		t.Fatal(err)
	}
	return &kernelLog{t, fd}
}

// lines takes the lines since the last call that have a text in them.
func (l *kernelLog) lines(text string) (found []string) {
	l.t.Helper()
	buffer := make([]byte, 16<<10)
	for {
		n, err := unix.Read(l.fd, buffer)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return found
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			l.t.Fatalf("/dev/kmsg: %v", err)
		}
		_, line, _ := strings.Cut(string(buffer[:n]), ";")
		line, _, _ = strings.Cut(line, "\n")
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
}

// faultLine is what the line about a refused access must have: who, in which
// direction, where (Linux 6.1, drivers/iommu/intel/dmar.c).
func faultLine(card string, write bool, iova uint64) string {
	direction := "Read"
	if write {
		direction = "Write"
	}
	_, device, _ := strings.Cut(card, ":")
	return fmt.Sprintf("DMAR: [DMA %s NO_PASID] Request device [%s] fault addr %#x ", direction, device, iova&^0xFFF)
}
