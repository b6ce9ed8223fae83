// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"net/netip"
	"sync"
	"sync/atomic"
)

// saTable is the driver's view of the SAs in the NIC. Only answers of the NIC
// change it.
type saTable struct {
	// use is held for reading by every SA operation, and for writing while the
	// NIC is reset, closed, or given new firmware.
	use sync.RWMutex

	mu      sync.Mutex // guards slots and inbound; nothing waits while it is held
	slots   []saSlot
	inbound map[selector]Handle

	// sequence holds, per slot, what TXQueue.Post checks without a lock.
	sequence []atomic.Uint64
}

// saSlot is a slot in use; handle 0 is none.
type saSlot struct {
	handle Handle
	sa     SA // without secrets
}

// selector is what must be unique among inbound SAs.
type selector struct {
	spi  uint32
	dst  netip.Addr
	ipv6 bool
}

// sequenceLive marks an entry of saTable.sequence as an SA with ESN.
const sequenceLive = 1 << 48

// SAEntry is one SA with its handle.
type SAEntry struct {
	Handle Handle
	SA     SA // without Key and Salt
}

// init empties the table.
func (t *saTable) init(capacity int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.slots = make([]saSlot, capacity)
	t.inbound = make(map[selector]Handle)
	if len(t.sequence) != capacity {
		t.sequence = make([]atomic.Uint64, capacity)
	}
	for i := range t.sequence {
		t.sequence[i].Store(0)
	}
}

func (sa *SA) selector() selector {
	dst := sa.Dst
	if !dst.IsValid() || dst.IsUnspecified() {
		dst = netip.Addr{}
	}
	return selector{spi: sa.SPI, dst: dst, ipv6: sa.IPv6}
}

// insert records an SA that the NIC now holds.
func (t *saTable) insert(h Handle, sa SA) {
	sa.Key, sa.Salt = nil, Salt{}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.slots[h.Slot()] = saSlot{handle: h, sa: sa}
	if sa.Inbound {
		t.inbound[sa.selector()] = h
	}
	t.setSequence(h, &sa)
}

func (t *saTable) setSequence(h Handle, sa *SA) {
	var v uint64
	if sa.ESN {
		v = sequenceLive | uint64(h.Generation())<<32 | uint64(sa.SequenceHi)
	}
	t.sequence[h.Slot()].Store(v)
}

// update records a new upper half of the sequence numbers.
func (t *saTable) update(h Handle, hi uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.at(h); s != nil {
		s.sa.SequenceHi = hi
		t.setSequence(h, &s.sa)
	}
}

// remove forgets an SA.
func (t *saTable) remove(h Handle) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.at(h)
	if s == nil {
		return
	}
	if s.sa.Inbound {
		delete(t.inbound, s.sa.selector())
	}
	t.sequence[h.Slot()].Store(0)
	*s = saSlot{}
}

// at returns the slot that h names, nil if there is none. t.mu is held.
func (t *saTable) at(h Handle) *saSlot {
	if h == 0 || h.Slot() >= len(t.slots) || t.slots[h.Slot()].handle != h {
		return nil
	}
	return &t.slots[h.Slot()]
}

// find returns the SA that h names.
func (t *saTable) find(op string, h Handle) (SA, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.at(h)
	if s == nil {
		return SA{}, &RefusedError{Op: op, Field: "handle", Asked: h.String(), Reason: ErrStaleHandle}
	}
	return s.sa, nil
}

// same returns the inbound SA that a packet for sa would find too, 0 if none.
func (t *saTable) same(sa *SA) Handle {
	if !sa.Inbound {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.inbound[sa.selector()]
}

// inSlot returns the handle of the SA in a slot, 0 if there is none.
func (t *saTable) inSlot(slot int) Handle {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.slots[slot].handle
}

// sequenceHi returns the upper half of an ESN SA's sequence numbers; false for
// other handles. It takes no lock.
func (t *saTable) sequenceHi(h Handle) (uint32, bool) {
	if h.Slot() >= len(t.sequence) {
		return 0, false
	}
	v := t.sequence[h.Slot()].Load()
	return uint32(v), v&sequenceLive != 0 && uint16(v>>32) == h.Generation()
}

// list returns all SAs by slot.
func (t *saTable) list() []SAEntry {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []SAEntry
	for _, s := range t.slots {
		if s.handle != 0 {
			list = append(list, SAEntry{Handle: s.handle, SA: s.sa})
		}
	}
	return list
}
