// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"fmt"
	"math/bits"

	"github.com/espalier-nic/espalier/driver/pcie"
)

// tableEntry is one entry of the MSI-X table (7.7.2.4 ff.).
type tableEntry struct {
	addressLow, addressHigh, data, control uint32
}

// vectorMasked is the Mask Bit of Vector Control.
const vectorMasked = 1

const (
	entrySize = 16
	// messageAddress is where SetVectors points messages: the address range
	// that x86 hosts use for them.
	messageAddress = 0xFEE00000
)

// msixLayout is where the table and the pending bit array are in MSIXBAR.
// They have 4 KiB pages of their own, so that each can be protected apart.
type msixLayout struct {
	pbaOffset, pbaSize, size uint64
}

func layoutMSIX(vectors int) msixLayout {
	const page = 4096
	pba := (uint64(vectors)*entrySize + page - 1) / page * page
	pbaSize := uint64((vectors + 63) / 64 * 8)
	return msixLayout{pbaOffset: pba, pbaSize: pbaSize, size: 1 << bits.Len64(pba+page-1)}
}

// Interrupt tells the endpoint that the device raised vector v, count times.
// The message is sent, or remembered in the pending bit array while the vector
// or the function is masked or the function may not write to memory. With
// MSI-X disabled, and for vectors outside the table, nothing happens.
func (e *Endpoint) Interrupt(v int, count int) {
	if v < 0 || v >= e.config.Vectors || count < 1 {
		return
	}
	e.mu.Lock()
	if !e.space.msixEnabled() {
		e.mu.Unlock()
		return
	}
	if !e.canSend(v) {
		e.pending[v/64] |= 1 << (v % 64)
		e.mu.Unlock()
		return
	}
	m := e.message(v)
	e.mu.Unlock()
	if e.config.Deliver == nil {
		return
	}
	for range count {
		e.config.Deliver(m)
	}
}

// canSend says whether a message of vector v may leave now. e.mu is held.
func (e *Endpoint) canSend(v int) bool {
	return e.space.msixEnabled() && !e.space.msixMasked() && e.space.busMaster() && e.table[v].control&vectorMasked == 0
}

func (e *Endpoint) message(v int) Message {
	t := e.table[v]
	return Message{Vector: v, Address: uint64(t.addressHigh)<<32 | uint64(t.addressLow), Data: t.data}
}

// sendPending takes the pending vectors whose message may leave now. e.mu is held.
func (e *Endpoint) sendPending() []Message {
	var messages []Message
	for word, set := range e.pending {
		for ; set != 0; set &= set - 1 {
			v := word*64 + bits.TrailingZeros64(set)
			if e.canSend(v) {
				e.pending[word] &^= 1 << (v % 64)
				messages = append(messages, e.message(v))
			}
		}
	}
	return messages
}

// SetVectors programs and unmasks vectors 0 to n-1, masks the others and
// enables MSI-X; 0 disables it. This is the operating system's part.
func (e *Endpoint) SetVectors(n int) error {
	if n < 0 || n > e.config.Vectors {
		return fmt.Errorf("%d interrupt vectors, the function has %d: %w", n, e.config.Vectors, pcie.ErrRange)
	}
	e.mu.Lock()
	clear(e.pending)
	for v := range e.table {
		e.table[v] = tableEntry{control: vectorMasked}
		if v < n {
			e.table[v] = tableEntry{addressLow: messageAddress, data: uint32(v)}
		}
	}
	e.space.enableMSIX(n > 0)
	after := e.settle()
	e.mu.Unlock()
	after.run(e)
	return nil
}

// EnableMSIX sets MSI-X Enable and clears Function Mask, or clears both and
// forgets what is pending, for a host that keeps the MSI-X capability from its
// guest and programs interrupts by other means. The table stays as it is.
func (e *Endpoint) EnableMSIX(on bool) {
	e.mu.Lock()
	if !on {
		clear(e.pending)
	}
	e.space.enableMSIX(on)
	after := e.settle()
	e.mu.Unlock()
	after.run(e)
}

// MSIXEnabled says whether MSI-X Enable is set.
func (e *Endpoint) MSIXEnabled() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.space.msixEnabled()
}

// MaskVector sets or clears the Mask Bit of vector v. A pending message leaves
// when it is cleared.
func (e *Endpoint) MaskVector(v int, masked bool) error {
	if v < 0 || v >= e.config.Vectors {
		return fmt.Errorf("interrupt vector %d, the function has %d: %w", v, e.config.Vectors, pcie.ErrRange)
	}
	e.mu.Lock()
	if masked {
		e.table[v].control |= vectorMasked
	} else {
		e.table[v].control &^= vectorMasked
	}
	after := e.settle()
	e.mu.Unlock()
	after.run(e)
	return nil
}

// MSIX returns MSIXBAR's memory as a BAR.
func (e *Endpoint) MSIX() pcie.BAR {
	return NewBAR(e.msix.size, e.MSIXMemory())
}

// MSIXMemory returns MSIXBAR's memory. Aligned 32-bit and 64-bit accesses reach
// the table and the pending bit array; others read as zero and are not written,
// which 7.7.2.3 leaves undefined.
func (e *Endpoint) MSIXMemory() Accessor { return (*msixMemory)(e) }

// msixMemory is an Endpoint seen through MSIXBAR.
type msixMemory Endpoint

// ReadBAR implements Accessor.
func (m *msixMemory) ReadBAR(offset uint64, width int) (uint64, error) {
	e := (*Endpoint)(m)
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.space.memoryEnabled() {
		return ^uint64(0) >> (64 - 8*width), nil
	}
	switch width {
	case 4:
		return uint64(e.readWord(offset)), nil
	case 8:
		return uint64(e.readWord(offset)) | uint64(e.readWord(offset+4))<<32, nil
	}
	return 0, nil
}

// WriteBAR implements Accessor.
func (m *msixMemory) WriteBAR(offset uint64, width int, value uint64) error {
	e := (*Endpoint)(m)
	e.mu.Lock()
	if !e.space.memoryEnabled() {
		e.mu.Unlock()
		return nil
	}
	switch width {
	case 4:
		e.writeWord(offset, uint32(value))
	case 8:
		e.writeWord(offset, uint32(value))
		e.writeWord(offset+4, uint32(value>>32))
	}
	after := e.settle()
	e.mu.Unlock()
	after.run(e)
	return nil
}

// field returns the table word at an offset, nil outside the table.
func (e *Endpoint) field(offset uint64) *uint32 {
	index := offset / entrySize
	if index >= uint64(len(e.table)) {
		return nil
	}
	t := &e.table[index]
	switch offset % entrySize / 4 {
	case 0:
		return &t.addressLow
	case 1:
		return &t.addressHigh
	case 2:
		return &t.data
	default:
		return &t.control
	}
}

func (e *Endpoint) readWord(offset uint64) uint32 {
	if f := e.field(offset); f != nil {
		return *f
	}
	if at := offset - e.msix.pbaOffset; offset >= e.msix.pbaOffset && at < e.msix.pbaSize {
		return uint32(e.pending[at/8] >> (at % 8 * 8))
	}
	return 0
}

func (e *Endpoint) writeWord(offset uint64, value uint32) {
	f := e.field(offset)
	if f == nil {
		return
	}
	switch offset % entrySize / 4 {
	case 0:
		value &^= 3 // messages are dwords: the low address bits are zero (7.7.2.5)
	case 3:
		value &= vectorMasked // the other bits are reserved
	}
	*f = value
}
