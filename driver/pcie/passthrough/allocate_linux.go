// SPDX-License-Identifier: Apache-2.0

package passthrough

import (
	"bufio"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// file is memory with the file behind it, so that another process can be given
// the same memory.
type file struct {
	fd      int
	mapping []byte // whole pages of the size page
	page    int
}

// allocate returns size bytes of zeroed shared memory, in hugepages if that is
// asked for, worth it and possible.
func allocate(size int, huge bool) (file, error) {
	if err := checkAvailable(size); err != nil {
		return file{}, err
	}
	if huge {
		if m, err := allocatePages(size, unix.MFD_HUGETLB); err == nil {
			return m, nil
		}
	}
	return allocatePages(size, 0)
}

// errSmall: a hugepage would be wasted.
var errSmall = errors.New("less than one hugepage")

func allocatePages(size, flags int) (_ file, err error) {
	m := file{}
	if m.fd, err = memfd(flags); err != nil {
		return file{}, fmt.Errorf("make a memory file: %w", err)
	}
	defer func() {
		if err != nil {
			m.close()
		}
	}()
	m.page = os.Getpagesize()
	if flags&unix.MFD_HUGETLB != 0 {
		var fs unix.Statfs_t
		if err := unix.Fstatfs(m.fd, &fs); err != nil {
			return file{}, fmt.Errorf("find the hugepage size: %w", err)
		}
		m.page = int(fs.Bsize)
		if size < m.page {
			return file{}, errSmall
		}
	}
	length := (size + m.page - 1) / m.page * m.page
	if err := unix.Ftruncate(m.fd, int64(length)); err != nil {
		return file{}, fmt.Errorf("size a memory file: %w", err)
	}
	// All pages now: later there would be no error but a signal. One that comes
	// meanwhile, as Go's runtime sends them, only interrupts.
	err = unix.EINTR
	for errors.Is(err, unix.EINTR) {
		err = unix.Fallocate(m.fd, 0, 0, int64(length))
	}
	if err != nil {
		return file{}, fmt.Errorf("fill a memory file: %w", err)
	}
	if m.mapping, err = unix.Mmap(m.fd, 0, length, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return file{}, fmt.Errorf("map a memory file: %w", err)
	}
	// Whoever is given the file must not be able to cut it off. Kernels that
	// cannot seal it do without.
	_, _ = unix.FcntlInt(uintptr(m.fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL)
	return m, nil
}

// memfd makes a memory file with the flags this kernel knows.
func memfd(flags int) (fd int, err error) {
	for _, more := range []int{unix.MFD_ALLOW_SEALING | unix.MFD_NOEXEC_SEAL, unix.MFD_ALLOW_SEALING, 0} {
		fd, err = unix.MemfdCreate("espalier-dma", unix.MFD_CLOEXEC|flags|more)
		if !errors.Is(err, unix.EINVAL) {
			break
		}
	}
	return fd, err
}

func (m file) close() { unix.Close(m.fd) }

func unmap(mapping []byte) error { return unix.Munmap(mapping) }

// checkedSize is from which size on allocate looks how much memory there is.
const checkedSize = 16 << 20

// checkAvailable refuses what the system cannot give, before other programs die
// of it.
func checkAvailable(size int) error {
	if size < checkedSize {
		return nil
	}
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return nil // then the kernel decides
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var kib int
		if n, _ := fmt.Sscanf(lines.Text(), "MemAvailable: %d kB", &kib); n == 1 && size/1024 > kib {
			return fmt.Errorf("the system has %d KiB of free memory", kib)
		}
	}
	return nil
}
