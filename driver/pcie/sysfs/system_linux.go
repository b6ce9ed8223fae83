// SPDX-License-Identifier: Apache-2.0

package sysfs

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/driver/pcie/internal/sentence"
)

// system is what this package asks of the operating system beyond files; tests
// have one of their own.
type system interface {
	// path says where a file of the system is.
	path(name string) string
	// lock makes sure that only one program at a time has a file locked.
	lock(f *os.File) error
	// mapFile maps a part of a file.
	mapFile(f *os.File, offset int64, size int) ([]byte, error)
	// mapPages returns zeroed, locked memory: one page of page bytes.
	mapPages(page int) ([]byte, error)
	unmap(m []byte) error
	// physical returns the physical address of each small page of m.
	physical(m []byte) ([]uint64, error)
}

// linux is the running system.
type linux struct{}

func (linux) path(name string) string { return filepath.Clean(name) }

func (linux) lock(f *os.File) error {
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
}

func (linux) mapFile(f *os.File, offset int64, size int) ([]byte, error) {
	return unix.Mmap(int(f.Fd()), offset, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

// hugeShift is where mmap's flags have the binary logarithm of the page size
// (MAP_HUGE_SHIFT).
const hugeShift = 26

func (linux) mapPages(page int) ([]byte, error) {
	flags := unix.MAP_SHARED | unix.MAP_ANON | unix.MAP_LOCKED | unix.MAP_POPULATE
	if page > os.Getpagesize() {
		flags |= unix.MAP_HUGETLB | log2(page)<<hugeShift
	}
	m, err := unix.Mmap(-1, 0, page, unix.PROT_READ|unix.PROT_WRITE, flags)
	if err != nil {
		return nil, err
	}
	// MAP_LOCKED says nothing if it could not lock.
	if err := unix.Mlock(m); err != nil {
		unix.Munmap(m)
		return nil, err
	}
	return m, nil
}

func log2(n int) int {
	l := 0
	for ; n > 1; n >>= 1 {
		l++
	}
	return l
}

func (linux) unmap(m []byte) error { return unix.Munmap(m) }

// Entries of /proc/self/pagemap, one of 64 bits per page (Linux
// Documentation/admin-guide/mm/pagemap.rst). Who lacks CAP_SYS_ADMIN reads page
// frame number 0.
const (
	pagemapEntry   = 8
	pagemapPresent = 1 << 63
	pagemapFrame   = 1<<55 - 1
)

func (linux) physical(m []byte) ([]uint64, error) {
	f, err := os.Open("/proc/self/pagemap")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	page := os.Getpagesize()
	entries := make([]byte, len(m)/page*pagemapEntry)
	at := uintptr(unsafe.Pointer(unsafe.SliceData(m))) / uintptr(page)
	if _, err := f.ReadAt(entries, int64(at)*pagemapEntry); err != nil {
		return nil, err
	}
	return frames(entries, uint64(page))
}

// frames reads pagemap entries.
func frames(entries []byte, page uint64) ([]uint64, error) {
	addresses := make([]uint64, 0, len(entries)/pagemapEntry)
	for ; len(entries) >= pagemapEntry; entries = entries[pagemapEntry:] {
		e := binary.NativeEndian.Uint64(entries)
		if e&pagemapPresent == 0 {
			return nil, fmt.Errorf("page is not in memory (pagemap entry %#x)", e)
		}
		if e&pagemapFrame == 0 {
			return nil, &sentence.Error{
				Text:  "the program may not see physical addresses in /proc/self/pagemap, which needs CAP_SYS_ADMIN; run it as root, or use VFIO (`espalier doctor`)",
				Kinds: []error{ErrRights, os.ErrPermission},
			}
		}
		addresses = append(addresses, e&pagemapFrame*page)
	}
	return addresses, nil
}
