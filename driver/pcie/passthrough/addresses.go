// SPDX-License-Identifier: Apache-2.0

package passthrough

import (
	"fmt"
	"os"
	"slices"
	"sort"
	"sync"

	"github.com/espalier-nic/espalier/driver/pcie"
)

// AddressSpace gives out IOVAs. Functions whose mappings are the same, because
// the kernel cannot tell their accesses apart, share one. Its methods may be
// called from several goroutines at once.
//
// Addresses lie above 4 GiB as long as there are any, so that an address that
// was cut to 32 bits reaches nothing. They ascend, with a page that nothing owns
// between blocks, and begin anew only at the end: a freed address is not used
// again soon, so that a late access is a fault and no damage.
type AddressSpace struct {
	mu        sync.Mutex
	limit     int
	taken     []Range // ascending, with the page behind each
	high, low circle
}

// circle is some ranges and how far they have been given out.
type circle struct {
	ranges []Range
	index  int
	next   uint64 // in ranges[index]
}

const fourGiB = 1 << 32

// unknownWidth is how many address bits an IOMMU has at least if it does not
// say: 39, Intel's with three levels of page tables.
const unknownWidth = 39

// NewAddressSpace returns the space of the allowed ranges (nil: anywhere) for at
// most limit blocks at a time (0: no limit).
func NewAddressSpace(allowed []Range, limit int) *AddressSpace {
	if allowed == nil {
		allowed = []Range{{0, 1<<unknownWidth - 1}}
	}
	s := &AddressSpace{limit: limit}
	page := uint64(os.Getpagesize())
	for _, r := range allowed {
		r.First = max(r.First, page) // 0 is no address
		if low := (Range{r.First, min(r.Last, fourGiB-1)}); low.First <= low.Last {
			s.low.ranges = append(s.low.ranges, low)
		}
		if high := (Range{max(r.First, fourGiB), r.Last}); high.First <= high.Last {
			s.high.ranges = append(s.high.ranges, high)
		}
	}
	for _, c := range []*circle{&s.high, &s.low} {
		if len(c.ranges) > 0 {
			c.next = c.ranges[0].First
		}
	}
	return s
}

// take returns a free address for size bytes, a multiple of align. Both are
// multiples of the page size, align a power of two.
func (s *AddressSpace) take(size, align uint64) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.limit > 0 && len(s.taken) >= s.limit {
		return 0, fmt.Errorf("all %d DMA mappings that are allowed at a time are in use (for VFIO: raise dma_entry_limit of the module vfio_iommu_type1): %w", s.limit, pcie.ErrNoMemory)
	}
	for _, c := range []*circle{&s.high, &s.low} {
		if at, ok := s.takeFrom(c, size, align); ok {
			return at, nil
		}
	}
	return 0, fmt.Errorf("no free range of %d bytes among the I/O addresses the device may use: %w", size, pcie.ErrNoMemory)
}

// takeFrom goes once round c, from where it stopped.
func (s *AddressSpace) takeFrom(c *circle, size, align uint64) (uint64, bool) {
	if len(c.ranges) == 0 {
		return 0, false
	}
	for turn := range len(c.ranges) + 1 {
		if turn > 0 {
			c.advance()
		}
		at, ok := s.fit(Range{c.next, c.ranges[c.index].Last}, size, align)
		if !ok {
			continue
		}
		block := Range{at, at + size - 1 + uint64(os.Getpagesize())}
		if block.Last < at {
			block.Last = ^uint64(0)
		}
		i := s.after(at)
		s.taken = slices.Insert(s.taken, i, block)
		if c.next = block.Last + 1; c.next == 0 || c.next > c.ranges[c.index].Last {
			c.advance()
		}
		return at, true
	}
	return 0, false
}

// advance goes on to the next range.
func (c *circle) advance() {
	c.index = (c.index + 1) % len(c.ranges)
	c.next = c.ranges[c.index].First
}

// after returns the index of the first taken block that ends at or above address.
func (s *AddressSpace) after(address uint64) int {
	return sort.Search(len(s.taken), func(i int) bool { return s.taken[i].Last >= address })
}

// fit returns the first free address in r.
func (s *AddressSpace) fit(r Range, size, align uint64) (uint64, bool) {
	at := r.First
	for i := s.after(at); ; i++ {
		up := (at + align - 1) &^ (align - 1)
		if up < at || up > r.Last || r.Last-up < size-1 {
			return 0, false
		}
		// The page behind the block must be free too.
		if i == len(s.taken) || s.taken[i].First > up && s.taken[i].First-up >= size+uint64(os.Getpagesize()) {
			return up, true
		}
		if at = s.taken[i].Last + 1; at == 0 {
			return 0, false
		}
	}
}

// give takes an address back.
func (s *AddressSpace) give(address uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.after(address); i < len(s.taken) && s.taken[i].First == address {
		s.taken = slices.Delete(s.taken, i, i+1)
	}
}
