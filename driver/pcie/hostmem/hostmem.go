// SPDX-License-Identifier: Apache-2.0

// Package hostmem is DMA memory for devices that live in this process: loaded
// RTL and the Go NIC. It is mapped outside the Go heap, page-aligned, and has
// I/O virtual addresses (IOVA) of its own, as behind an IOMMU, so that a driver
// which hands a pointer or a truncated address to its device is found out.
package hostmem

import (
	"errors"
	"fmt"
	"os"
	"sort"
	"sync"

	"github.com/espalier-nic/espalier/driver/pcie"
)

// FirstIOVA is where addresses begin: above 4 GiB, so that an address cut to
// 32 bits reaches nothing.
const FirstIOVA = 0x10_0000_0000

// Pool hands out memory. Its methods may be called from several goroutines at
// once. Addresses are the same for the same sequence of calls, and an address
// that was freed is never used again, so that a late access is always a fault.
type Pool struct {
	mu     sync.RWMutex
	next   uint64
	blocks []block // ascending IOVA
}

// block is memory handed out. bytes is what was mapped, whatever the user has
// done to memory.Bytes since.
type block struct {
	memory *pcie.Memory
	iova   uint64
	bytes  []byte
}

// NewPool returns an empty pool.
func NewPool() *Pool { return &Pool{next: FirstIOVA} }

// Alloc returns size bytes of zeroed memory, rounded up to the page size.
func (p *Pool) Alloc(size int) (*pcie.Memory, error) {
	if size < 1 {
		return nil, fmt.Errorf("allocation of %d bytes: %w", size, pcie.ErrNoMemory)
	}
	page := os.Getpagesize()
	if size > int(^uint(0)>>1)-page {
		return nil, fmt.Errorf("allocation of %d bytes: %w", size, pcie.ErrNoMemory)
	}
	size = (size + page - 1) / page * page
	bytes, err := mapAnonymous(size)
	if err != nil {
		return nil, fmt.Errorf("allocation of %d bytes: %w: %w", size, pcie.ErrNoMemory, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	m := &pcie.Memory{Bytes: bytes, IOVA: p.next}
	p.next += uint64(size) + uint64(page) // a page that nothing owns between blocks
	p.blocks = append(p.blocks, block{memory: m, iova: m.IOVA, bytes: bytes})
	return m, nil
}

// Owns says whether m is memory of this pool that has not been freed.
func (p *Pool) Owns(m *pcie.Memory) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	_, ok := p.index(m)
	return ok
}

// index returns m's place in blocks. p.mu is held.
func (p *Pool) index(m *pcie.Memory) (int, bool) {
	if m == nil {
		return 0, false
	}
	i := sort.Search(len(p.blocks), func(i int) bool { return p.blocks[i].iova >= m.IOVA })
	return i, i < len(p.blocks) && p.blocks[i].memory == m
}

// Free unmaps memory. The device's access must have been withdrawn before.
func (p *Pool) Free(m *pcie.Memory) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	i, ok := p.index(m)
	if !ok {
		return fmt.Errorf("freed memory is not allocated here: %w", pcie.ErrRange)
	}
	bytes := p.blocks[i].bytes
	p.blocks = append(p.blocks[:i], p.blocks[i+1:]...)
	m.Bytes = nil
	if err := unmap(bytes); err != nil {
		return fmt.Errorf("unmap of DMA memory at %#x: %w", m.IOVA, err)
	}
	return nil
}

// Read copies memory at an address into dst, as a device does. It reports
// whether the whole range is allocated; if not, nothing is copied.
func (p *Pool) Read(iova uint64, dst []byte) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	src := p.find(iova, len(dst))
	if src == nil {
		return false
	}
	copy(dst, src)
	return true
}

// Write copies src to memory at an address, as a device does. It reports
// whether the whole range is allocated; if not, nothing is copied.
func (p *Pool) Write(iova uint64, src []byte) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	dst := p.find(iova, len(src))
	if dst == nil {
		return false
	}
	copy(dst, src)
	return true
}

// find returns the size bytes at iova if one block holds them all. p.mu is held.
func (p *Pool) find(iova uint64, size int) []byte {
	i := sort.Search(len(p.blocks), func(i int) bool { return p.blocks[i].iova > iova })
	if i == 0 {
		return nil
	}
	b := p.blocks[i-1]
	at := iova - b.iova
	if at > uint64(len(b.bytes)) || uint64(len(b.bytes))-at < uint64(size) {
		return nil
	}
	return b.bytes[at : at+uint64(size)]
}

// Close frees everything; Memory.Bytes of all blocks is nil afterwards.
func (p *Pool) Close() error {
	p.mu.Lock()
	blocks := p.blocks
	p.blocks = nil
	p.mu.Unlock()
	var errs []error
	for _, b := range blocks {
		b.memory.Bytes = nil
		if err := unmap(b.bytes); err != nil {
			errs = append(errs, fmt.Errorf("unmap of DMA memory at %#x: %w", b.iova, err))
		}
	}
	return errors.Join(errs...)
}
