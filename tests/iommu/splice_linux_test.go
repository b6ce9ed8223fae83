// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package iommu

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/regs"
)

// spliced is a function whose rings can be withdrawn from the device, page by
// page, while the driver goes on to use them. The driver gets one block of memory
// for the two rings of a queue and frees neither before it is closed. Here each
// page of such a block is memory of its own: the block is a second mapping of it,
// which stays when the memory is freed. The device is told the memory's addresses
// when the driver writes the block's into the registers.
type spliced struct {
	pcie.Function
	ring int // size of the blocks that are spliced

	mu     sync.Mutex
	blocks map[*pcie.Memory]*block
	low    map[uint64]uint32 // lower halves of addresses, by register
	queues map[uint64]*block // by the offset of the queue's registers
}

// block is one block of memory that the driver has.
type block struct {
	memory *pcie.Memory // as the driver sees it
	pages  []*pcie.Memory
}

func newSpliced(fn pcie.Function, ring int) *spliced {
	return &spliced{Function: fn, ring: ring, blocks: map[*pcie.Memory]*block{}, low: map[uint64]uint32{}, queues: map[uint64]*block{}}
}

// AllocDMA implements pcie.Function.
func (s *spliced) AllocDMA(size int) (*pcie.Memory, error) {
	if size != s.ring {
		return s.Function.AllocDMA(size)
	}
	room, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, err
	}
	b := &block{memory: &pcie.Memory{Bytes: room}, pages: make([]*pcie.Memory, size/os.Getpagesize())}
	for i := range b.pages {
		if err := s.put(b, i); err != nil {
			return nil, err
		}
	}
	b.memory.IOVA = b.pages[0].IOVA
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blocks[b.memory] = b
	return b.memory, nil
}

// put gives page i of a block memory that the device reaches.
func (s *spliced) put(b *block, i int) error {
	page := os.Getpagesize()
	m, err := s.Function.AllocDMA(page)
	if err != nil {
		return err
	}
	b.pages[i] = m
	// An old size of 0 makes a second mapping of the same shared memory (mremap(2)).
	_, _, errno := unix.Syscall6(unix.SYS_MREMAP, address(m.Bytes), 0, uintptr(page), unix.MREMAP_MAYMOVE|unix.MREMAP_FIXED, address(b.memory.Bytes[i*page:]), 0)
	if errno != 0 {
		return fmt.Errorf("mremap: %w", errno)
	}
	return nil
}

func address(p []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(p))) }

// withdraw unmaps page i of a queue's rings from the device, and returns where the
// device had it.
func (s *spliced) withdraw(queue uint64, i int) (iova uint64, err error) {
	m := s.queue(queue).pages[i]
	return m.IOVA, s.Function.FreeDMA(m)
}

// restore lets the device reach the page again, once it is told the queue's
// addresses anew.
func (s *spliced) restore(queue uint64, i int) error { return s.put(s.queue(queue), i) }

func (s *spliced) queue(page uint64) *block {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queues[page]
}

// FreeDMA implements pcie.Function.
func (s *spliced) FreeDMA(m *pcie.Memory) error {
	s.mu.Lock()
	b := s.blocks[m]
	delete(s.blocks, m)
	s.mu.Unlock()
	if b == nil {
		return s.Function.FreeDMA(m)
	}
	var errs []error
	for _, p := range b.pages {
		errs = append(errs, s.Function.FreeDMA(p))
	}
	return errors.Join(append(errs, unix.Munmap(m.Bytes))...)
}

// BAR implements pcie.Function.
func (s *spliced) BAR(n int) (pcie.BAR, error) {
	b, err := s.Function.BAR(n)
	if err != nil || n != pcie.RegisterBAR {
		return b, err
	}
	return splicedBAR{b, s}, nil
}

type splicedBAR struct {
	pcie.BAR
	s *spliced
}

// Write32 implements pcie.BAR.
func (b splicedBAR) Write32(offset uint64, v uint32) error {
	queue, register := offset&^(queueSpan-1), offset&(queueSpan-1)
	switch isQueue := queue >= regs.TxqOffset(0) && queue < regs.RxqOffset(regs.RxqCount); {
	case isQueue && (register == regs.QueueRingLoOffset || register == regs.QueueCplLoOffset):
		b.s.mu.Lock()
		b.s.low[offset] = v
		b.s.mu.Unlock()
		return nil // with the upper half
	case isQueue && (register == regs.QueueRingHiOffset || register == regs.QueueCplHiOffset):
		low := offset - 4
		iova := b.s.translate(queue, low, v)
		return errors.Join(b.BAR.Write32(low, uint32(iova)), b.BAR.Write32(offset, uint32(iova>>32)))
	}
	return b.BAR.Write32(offset, v)
}

// queueSpan is the bytes between the registers of two queues.
var queueSpan = regs.TxqOffset(1) - regs.TxqOffset(0)

// translate returns where the device has what the driver has at an address, of
// which the lower half was written to the register low.
func (s *spliced) translate(queue, low uint64, high uint32) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	iova := uint64(high)<<32 | uint64(s.low[low])
	for _, b := range s.blocks {
		if offset := iova - b.memory.IOVA; offset < uint64(len(b.memory.Bytes)) {
			s.queues[queue] = b
			page := uint64(os.Getpagesize())
			return b.pages[offset/page].IOVA + offset%page
		}
	}
	return iova
}
