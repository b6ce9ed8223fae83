// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"
	"math"
	"os"
	"runtime/debug"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/protocol"
)

// mappedFrom is the size in bytes from which a range of a client's file is mapped into
// this process. Smaller ones are read and written by system calls: a guest with an
// IOMMU makes and unmakes one for each page, more than a process can have mappings.
const mappedFrom = 64 << 10

// openMemory chooses how to reach a client's file. Both ways survive a client that makes
// the file shorter.
func openMemory(file *os.File, offset, size uint64, writable bool) (memory, error) {
	if size == 0 || offset > math.MaxInt64 || size > math.MaxInt64-offset {
		return nil, refusal(protocol.EINVAL, "map %#x bytes at offset %#x of a file: no such range", size, offset)
	}
	fd := int(file.Fd())
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return nil, fmt.Errorf("map a client's file: %w", err)
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return nil, fmt.Errorf("map a client's file: %w", err)
	}
	mode := flags & unix.O_ACCMODE
	if mode == unix.O_WRONLY || writable && mode != unix.O_RDWR || flags&unix.O_PATH != 0 {
		return nil, refusal(protocol.EACCES, "map a client's file: its descriptor does not allow what the mapping does")
	}
	regular := stat.Mode&unix.S_IFMT == unix.S_IFREG
	if regular && uint64(stat.Size) < offset+size {
		return nil, refusal(protocol.EINVAL, "map %#x bytes at offset %#x of a file: it has only %#x", size, offset, stat.Size)
	}
	byCalls, err := byCalls(fd, regular, flags)
	if err != nil {
		return nil, err
	}
	if byCalls && size < mappedFrom {
		return &fileMemory{fd: fd, offset: int64(offset)}, nil
	}
	m, err := openMapped(fd, offset, size, writable)
	switch {
	case err == nil:
		return m, nil
	case byCalls: // this process has as many mappings as it may
		return &fileMemory{fd: fd, offset: int64(offset)}, nil
	default:
		return nil, err
	}
}

// byCalls says whether a file can be read and written by system calls: hugetlbfs files
// cannot be written, and writes to a file opened to append go to its end, wherever they
// are meant.
func byCalls(fd int, regular bool, flags int) (bool, error) {
	if !regular || flags&unix.O_APPEND != 0 {
		return false, nil
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return false, fmt.Errorf("map a client's file: %w", err)
	}
	return fs.Type != unix.HUGETLBFS_MAGIC, nil
}

// fileMemory is memory reached by pread and pwrite.
type fileMemory struct {
	fd     int
	offset int64
}

func (m *fileMemory) read(offset uint64, p []byte) error {
	for at := m.offset + int64(offset); len(p) > 0; {
		n, err := unix.Pread(m.fd, p, at)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return err
		case n == 0: // the client has shortened the file
			return protocol.EFAULT
		}
		p, at = p[n:], at+int64(n)
	}
	return nil
}

func (m *fileMemory) write(offset uint64, p []byte) error {
	at := m.offset + int64(offset)
	// A write beyond the end would make a shortened file long again, and be seen
	// by nobody.
	var stat unix.Stat_t
	if err := unix.Fstat(m.fd, &stat); err != nil {
		return err
	}
	if stat.Size < at+int64(len(p)) {
		return protocol.EFAULT
	}
	for len(p) > 0 {
		n, err := unix.Pwrite(m.fd, p, at)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return err
		case n == 0:
			return protocol.EFAULT
		}
		p, at = p[n:], at+int64(n)
	}
	return nil
}

func (m *fileMemory) close() {}

// mappedMemory is memory mapped into this process, at the speed of memory.
type mappedMemory struct {
	whole []byte // from a page's beginning
	bytes []byte
}

func openMapped(fd int, offset, size uint64, writable bool) (*mappedMemory, error) {
	// Only whole (huge) pages can be mapped.
	var fs unix.Statfs_t
	page := uint64(os.Getpagesize())
	if err := unix.Fstatfs(fd, &fs); err == nil && fs.Type == unix.HUGETLBFS_MAGIC && fs.Bsize > 0 {
		page = uint64(fs.Bsize)
	}
	before := offset % page
	length := (before + size + page - 1) / page * page
	if length > math.MaxInt {
		return nil, refusal(protocol.EINVAL, "map %#x bytes of a file", size)
	}
	prot := unix.PROT_READ
	if writable {
		prot |= unix.PROT_WRITE
	}
	whole, err := unix.Mmap(fd, int64(offset-before), int(length), prot, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map a client's file: %w", err)
	}
	return &mappedMemory{whole: whole, bytes: whole[before : before+size]}, nil
}

func (m *mappedMemory) read(offset uint64, p []byte) error  { return copyGuarded(p, m.bytes[offset:]) }
func (m *mappedMemory) write(offset uint64, p []byte) error { return copyGuarded(m.bytes[offset:], p) }
func (m *mappedMemory) close()                              { _ = unix.Munmap(m.whole) }

// copyGuarded copies; a fault, because the client has shortened the file or there
// is no huge page left, is an error.
func copyGuarded(to, from []byte) (err error) {
	old := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(old)
		if fault := recover(); fault != nil {
			if _, ok := fault.(interface{ Addr() uintptr }); !ok {
				panic(fault) // not a memory fault, so a defect of this program
			}
			err = protocol.EFAULT
		}
	}()
	copy(to, from)
	return nil
}
