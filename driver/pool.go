// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/espalier-nic/espalier/driver/pcie"
)

// bufferAlign is the alignment of buffers in bytes: what the NIC reads fastest.
const bufferAlign = 64

// Who owns a buffer.
const (
	ownerPool uint32 = iota
	ownerCaller
	ownerNIC
)

// Buffer is a piece of DMA memory with one owner at a time: its pool, the
// caller, or the NIC while it is posted. Its memory may be touched by its owner
// only.
type Buffer struct {
	bytes []byte
	iova  uint64
	owner atomic.Uint32
	pool  *Pool
}

// NewBuffer makes a buffer, owned by the caller, of DMA memory that the caller
// manages: bytes is what the device sees at iova.
func NewBuffer(bytes []byte, iova uint64) *Buffer {
	b := &Buffer{bytes: bytes, iova: iova}
	b.owner.Store(ownerCaller)
	return b
}

// Bytes returns the whole buffer.
func (b *Buffer) Bytes() []byte { return b.bytes }

// IOVA returns the address of the buffer's first byte for the device.
func (b *Buffer) IOVA() uint64 { return b.iova }

// give hands the buffer to the NIC if it is the caller's.
func (b *Buffer) give() bool { return b.owner.CompareAndSwap(ownerCaller, ownerNIC) }

// takeBack hands it to the caller.
func (b *Buffer) takeBack() { b.owner.Store(ownerCaller) }

// Pool is a fixed number of buffers of one size in DMA memory. Its methods may
// be called from several goroutines at once and never allocate.
type Pool struct {
	fn     pcie.Function
	blocks []*pcie.Memory // nil after Close
	all    []Buffer

	mu   sync.Mutex
	free []*Buffer // a stack: what was used last is warmest
}

// poolBlock is the largest piece of memory in bytes that a pool asks for where it
// cannot have all in one: the usual hugepage, which is as much as is contiguous
// without an IOMMU.
const poolBlock = 2 << 20

// NewPool allocates count buffers of size bytes each, 64-byte aligned, in memory
// that fn's device can reach.
func NewPool(fn pcie.Function, count, size int) (*Pool, error) {
	if count < 1 || size < 1 || size > 1<<16-1 {
		return nil, fmt.Errorf("pool of %d buffers of %d bytes: at least one of 1 to %d bytes is allowed: %w", count, size, 1<<16-1, ErrInvalid)
	}
	stride := (size + bufferAlign - 1) / bufferAlign * bufferAlign
	p := &Pool{fn: fn, all: make([]Buffer, count), free: make([]*Buffer, 0, count)}
	perBlock := count
	err := p.allocate(perBlock, stride)
	if errors.Is(err, pcie.ErrNoMemory) && count*stride > poolBlock {
		perBlock = poolBlock / stride
		err = p.allocate(perBlock, stride)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("pool of %d buffers of %d bytes: %w", count, size, err), p.Close())
	}
	for i := range p.all {
		b, memory, at := &p.all[i], p.blocks[i/perBlock], i%perBlock*stride
		b.bytes = memory.Bytes[at : at+size : at+size]
		b.iova = memory.IOVA + uint64(at)
		b.pool = p
	}
	for i := range p.all {
		p.free = append(p.free, &p.all[count-1-i])
	}
	return p, nil
}

// allocate allocates memory for all buffers in blocks of perBlock of them.
func (p *Pool) allocate(perBlock, stride int) error {
	for left := len(p.all); left > 0; left -= perBlock {
		m, err := p.fn.AllocDMA(min(left, perBlock) * stride)
		if err != nil {
			return err
		}
		p.blocks = append(p.blocks, m)
	}
	return nil
}

// Get takes a buffer, or returns nil when none is left. Its contents are
// whatever was in it.
func (p *Pool) Get() *Buffer {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) == 0 {
		return nil
	}
	b := p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	b.owner.Store(ownerCaller)
	return b
}

// Fill takes up to len(buffers) buffers and returns how many there were.
func (p *Pool) Fill(buffers []*Buffer) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := min(len(buffers), len(p.free))
	for i := range n {
		b := p.free[len(p.free)-1-i]
		b.owner.Store(ownerCaller)
		buffers[i] = b
	}
	p.free = p.free[:len(p.free)-n]
	return n
}

// Put gives a buffer back. A buffer of another pool, or one that is not the
// caller's (put twice, or still posted), is an error and changes nothing.
func (p *Pool) Put(b *Buffer) error {
	if b == nil || b.pool != p {
		return fmt.Errorf("put buffer: it is not of this pool: %w", ErrBuffer)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !b.owner.CompareAndSwap(ownerCaller, ownerPool) {
		return fmt.Errorf("put buffer: it is not the caller's: %w", ErrBuffer)
	}
	p.free = append(p.free, b)
	return nil
}

// Free returns how many buffers the pool holds.
func (p *Pool) Free() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.free)
}

// Close frees the memory. No buffer of the pool may be used after it, and none
// may be posted on a running queue: the device's access to it would be a fault.
func (p *Pool) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, m := range p.blocks {
		if err := p.fn.FreeDMA(m); !errors.Is(err, pcie.ErrClosed) { // closing the function has freed it
			errs = append(errs, err)
		}
	}
	for i := range p.all {
		p.all[i].bytes = nil
		p.all[i].owner.Store(ownerPool)
	}
	p.blocks, p.free = nil, nil
	return errors.Join(errs...)
}
