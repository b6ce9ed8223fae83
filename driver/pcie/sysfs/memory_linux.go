// SPDX-License-Identifier: Apache-2.0

package sysfs

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/internal/sentence"
)

// memory is DMA memory at physical addresses: parts of hugepages, which are
// contiguous and stay where they are, or single pages where there are none. It
// is a passthrough.Allocator.
//
// Hugepages are kept until close. A part that was freed is given out again as
// late as possible: nothing but time keeps the device from it.
type memory struct {
	system system
	sizes  []int // of hugepages, ascending

	mu     sync.Mutex
	chunks []*chunk
	last   int // the chunk that gave the last part
}

// chunk is a hugepage or, if there are none, a page.
type chunk struct {
	bytes    []byte
	physical uint64
	used     []bool // by small pages
	next     int    // where to look for free ones
	free     int
}

// hugepages is where sysfs lists the sizes.
const hugepages = "/sys/kernel/mm/hugepages"

func newMemory(s system) *memory {
	d := &memory{system: s}
	entries, err := os.ReadDir(s.path(hugepages))
	if err != nil {
		return d // then there are none
	}
	for _, e := range entries {
		kib, found := strings.CutPrefix(e.Name(), "hugepages-")
		n, err := strconv.Atoi(strings.TrimSuffix(kib, "kB"))
		if found && err == nil && n > 0 && n<<10 > os.Getpagesize() {
			d.sizes = append(d.sizes, n<<10)
		}
	}
	slices.Sort(d.sizes)
	return d
}

// Alloc implements passthrough.Allocator.
func (d *memory) Alloc(size int) ([]byte, uint64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	pages := size / os.Getpagesize()
	for i := range d.chunks {
		n := (d.last + i) % len(d.chunks)
		if bytes, at, ok := d.chunks[n].take(pages); ok {
			d.last = n
			return bytes, at, nil
		}
	}
	c, err := d.grow(size)
	if err != nil {
		return nil, 0, err
	}
	d.chunks = append(d.chunks, c)
	d.last = len(d.chunks) - 1
	bytes, at, _ := c.take(pages)
	return bytes, at, nil
}

// Free implements passthrough.Allocator.
func (d *memory) Free(bytes []byte, iova uint64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.chunks {
		if at := iova - c.physical; iova >= c.physical && at < uint64(len(c.bytes)) {
			c.give(int(at)/os.Getpagesize(), len(bytes)/os.Getpagesize())
			return nil
		}
	}
	return fmt.Errorf("freed memory at %#x is not allocated here: %w", iova, pcie.ErrRange)
}

// close unmaps everything. The device must not reach memory any more.
func (d *memory) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var errs []error
	for _, c := range d.chunks {
		if c.free == len(c.used) { // what is not free was kept on purpose
			errs = append(errs, d.system.unmap(c.bytes))
		}
	}
	d.chunks = nil
	return errors.Join(errs...)
}

// take takes the first free pages from where the last were taken.
func (c *chunk) take(pages int) ([]byte, uint64, bool) {
	if c.free < pages {
		return nil, 0, false
	}
	for _, r := range [][2]int{{c.next, len(c.used)}, {0, min(c.next+pages-1, len(c.used))}} {
		run := 0
		for i := r[0]; i < r[1]; i++ {
			if run++; c.used[i] {
				run = 0
			}
			if run == pages {
				return c.mark(i-pages+1, pages)
			}
		}
	}
	return nil, 0, false
}

func (c *chunk) mark(first, pages int) ([]byte, uint64, bool) {
	for i := range pages {
		c.used[first+i] = true
	}
	c.free -= pages
	c.next = first + pages
	from, to := first*os.Getpagesize(), (first+pages)*os.Getpagesize()
	bytes := c.bytes[from:to:to]
	clear(bytes)
	return bytes, c.physical + uint64(from), true
}

func (c *chunk) give(first, pages int) {
	for i := range pages {
		c.used[first+i] = false
	}
	c.free += pages
}

// grow gets a hugepage of at least size bytes, or a page.
func (d *memory) grow(size int) (*chunk, error) {
	var cause error
	for _, page := range d.sizes {
		if page < size {
			continue
		}
		bytes, err := d.system.mapPages(page)
		if err == nil {
			return d.locate(bytes)
		}
		cause = err
	}
	if size <= os.Getpagesize() {
		if err := d.pagesStay(); err != nil {
			return nil, err
		}
		bytes, err := d.system.mapPages(os.Getpagesize())
		if err != nil {
			return nil, fmt.Errorf("%w: lock a page: %w", pcie.ErrNoMemory, err)
		}
		return d.locate(bytes)
	}
	return nil, d.noHugepage(size, cause)
}

// usual is how much memory a driver has use for.
const usual = 64 << 20

// noHugepage says how hugepages of the right size can be had.
func (d *memory) noHugepage(size int, cause error) error {
	p := &sentence.Error{Kinds: []error{ErrHugepages, pcie.ErrNoMemory}}
	if cause != nil {
		p.Kinds = append(p.Kinds, cause)
	}
	i := slices.IndexFunc(d.sizes, func(page int) bool { return page >= size })
	switch {
	case len(d.sizes) == 0:
		p.Text = fmt.Sprintf("the device needs %d KiB of contiguous memory, and this kernel has no hugepages (CONFIG_HUGETLBFS); use VFIO (`espalier doctor`)", size>>10)
	case i < 0:
		largest := d.sizes[len(d.sizes)-1]
		p.Text = fmt.Sprintf("the device needs %d KiB of contiguous memory, and the largest hugepage has %d KiB; use VFIO (`espalier doctor`), which needs none", size>>10, largest>>10)
	default:
		p.Text = fmt.Sprintf("the device needs %d KiB of contiguous memory, and no hugepage is free; reserve some: echo %d > %s/hugepages-%dkB/nr_hugepages", size>>10, max(1, usual/d.sizes[i]), hugepages, d.sizes[i]>>10)
	}
	return p
}

// pagesStay checks that the kernel does not move locked pages: their physical
// addresses would be another's then.
func (d *memory) pagesStay() error {
	for _, setting := range []string{"vm/compact_unevictable_allowed", "kernel/numa_balancing"} {
		text, err := os.ReadFile(d.system.path("/proc/sys/" + setting))
		if err == nil && strings.TrimSpace(string(text)) != "0" {
			return &sentence.Error{
				Text: fmt.Sprintf("no hugepage is free, and the kernel may move other pages of the device's memory (%s is %s); reserve hugepages: sysctl vm.nr_hugepages=%d, or forbid that: sysctl %s=0",
					setting, strings.TrimSpace(string(text)), usual/(2<<20), strings.ReplaceAll(setting, "/", ".")),
				Kinds: []error{ErrHugepages, pcie.ErrNoMemory},
			}
		}
	}
	return nil
}

// locate finds where memory is, and checks that it is in one piece.
func (d *memory) locate(bytes []byte) (_ *chunk, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, d.system.unmap(bytes))
		}
	}()
	addresses, err := d.system.physical(bytes)
	if err != nil {
		return nil, fmt.Errorf("%w: find the physical address: %w", pcie.ErrNoMemory, err)
	}
	page := uint64(os.Getpagesize())
	for i, a := range addresses {
		if a != addresses[0]+uint64(i)*page {
			return nil, fmt.Errorf("%w: page %d of a hugepage is at %#x, the first at %#x", pcie.ErrNoMemory, i, a, addresses[0])
		}
	}
	return &chunk{bytes: bytes, physical: addresses[0], used: make([]bool, len(addresses)), free: len(addresses)}, nil
}
