// SPDX-License-Identifier: Apache-2.0

package vfio

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

// kernel is what this package asks of the operating system; tests have one of
// their own. Errors are unix.Errno.
type kernel interface {
	// path says where a file of the system is.
	path(name string) string
	writeFile(path, content string) error
	open(path string) (fd int, err error)
	close(fd int) error
	// ioctl passes the memory of a structure, ioctlValue a number.
	ioctl(fd int, request uint, argument []byte) (int, error)
	ioctlValue(fd int, request uint, argument uintptr) (int, error)
	pread(fd int, p []byte, offset int64) (int, error)
	pwrite(fd int, p []byte, offset int64) (int, error)
	mmap(fd int, offset int64, size int, protection int) ([]byte, error)
	munmap(m []byte) error
	// lockable returns the limit of locked memory in bytes; false: none applies.
	lockable() (uint64, bool)
}

// linux is the running kernel.
type linux struct{}

func (linux) path(name string) string { return filepath.Clean(name) }

func (linux) writeFile(path, content string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, content)
	return errors.Join(err, f.Close())
}

func (linux) open(path string) (int, error) {
	return unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
}

func (linux) close(fd int) error { return unix.Close(fd) }

func (l linux) ioctl(fd int, request uint, argument []byte) (int, error) {
	return ioctl(fd, request, uintptr(unsafe.Pointer(unsafe.SliceData(argument))))
}

func (linux) ioctlValue(fd int, request uint, argument uintptr) (int, error) {
	return ioctl(fd, request, argument)
}

// ioctl makes the call; a pointer in argument stays valid as in package syscall.
//
//go:uintptrescapes
func ioctl(fd int, request uint, argument uintptr) (int, error) {
	for {
		r, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), argument)
		switch errno {
		case 0:
			return int(r), nil
		case unix.EINTR: // a signal of the runtime's; requests begin again
		default:
			return 0, errno
		}
	}
}

func (linux) pread(fd int, p []byte, offset int64) (int, error) { return unix.Pread(fd, p, offset) }

func (linux) pwrite(fd int, p []byte, offset int64) (int, error) { return unix.Pwrite(fd, p, offset) }

func (linux) mmap(fd int, offset int64, size int, protection int) ([]byte, error) {
	return unix.Mmap(fd, offset, size, protection, unix.MAP_SHARED)
}

func (linux) munmap(m []byte) error { return unix.Munmap(m) }

// capIPCLock is CAP_IPC_LOCK: no limit of locked memory applies.
const capIPCLock = 14

func (linux) lockable() (uint64, bool) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit); err != nil || limit.Cur == unix.RLIM_INFINITY {
		return 0, false
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err == nil && data[0].Effective&(1<<capIPCLock) != 0 {
		return 0, false
	}
	return limit.Cur, true
}

// request makes an ioctl with a structure.
func request[T any](k kernel, fd int, number uint, what string, s *T) error {
	if _, err := k.ioctl(fd, number, bytesOf(s)); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
