// SPDX-License-Identifier: Apache-2.0

package server

import (
	"slices"
	"sort"
	"sync"

	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/protocol"
)

// mapTable has the client's mappings, sorted and without overlap.
type mapTable struct {
	mu   sync.RWMutex
	list []*mapping
	// shared says that a writable mapping with a file was ever made.
	shared bool
}

// mapping is one range of client memory.
type mapping struct {
	Mapping
	// memory is how to reach it, nil by message only.
	memory memory
	// users are the accesses under way through memory. They begin only while
	// the mapping is in the table.
	users sync.WaitGroup
}

// last is the address of the range's last byte, which unlike its end always exists.
func (m *mapping) last() uint64 { return m.IOVA + (m.Size - 1) }

// lastOf is the address of the last byte of a range; false when the range is empty
// or leaves the address space.
func lastOf(iova, size uint64) (uint64, bool) {
	last := iova + (size - 1)
	return last, size > 0 && last >= iova
}

// after returns the position of the first mapping that ends at or after iova. The
// caller holds mu.
func (t *mapTable) after(iova uint64) int {
	return sort.Search(len(t.list), func(i int) bool { return t.list[i].last() >= iova })
}

// add adds a mapping, whose range the caller has checked with lastOf.
func (t *mapTable) add(m *mapping) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := t.after(m.IOVA)
	if i < len(t.list) && t.list[i].IOVA <= m.last() {
		return refusal(protocol.EEXIST, "map %#x bytes at IOVA %#x: %#x bytes at %#x are mapped already",
			m.Size, m.IOVA, t.list[i].Size, t.list[i].IOVA)
	}
	if len(t.list) >= int(serverCapabilities.MaxDMAMaps) {
		return refusal(protocol.ENOSPC, "map %#x bytes at IOVA %#x: there are %d mappings already", m.Size, m.IOVA, len(t.list))
	}
	t.list = slices.Insert(t.list, i, m)
	t.shared = t.shared || m.memory != nil && m.Writable
	return nil
}

// remove takes the mappings out of the table that lie in a range. One that lies in
// it only in part is an error, and nothing is removed then.
func (t *mapTable) remove(iova, size uint64) ([]*mapping, error) {
	last, ok := lastOf(iova, size)
	if !ok {
		return nil, refusal(protocol.EINVAL, "unmap %#x bytes at IOVA %#x: no such range", size, iova)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	from := t.after(iova)
	to := from
	for ; to < len(t.list) && t.list[to].IOVA <= last; to++ {
		if m := t.list[to]; m.IOVA < iova || m.last() > last {
			return nil, refusal(protocol.EINVAL, "unmap %#x bytes at IOVA %#x: only part of the %#x bytes mapped at %#x", size, iova, m.Size, m.IOVA)
		}
	}
	removed := slices.Clone(t.list[from:to])
	t.list = slices.Delete(t.list, from, to)
	return removed, nil
}

// removeAll empties the table.
func (t *mapTable) removeAll() []*mapping {
	t.mu.Lock()
	defer t.mu.Unlock()
	removed := t.list
	t.list = nil
	return removed
}

// anyShared says whether the client has ever shared writable memory.
func (t *mapTable) anyShared() bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.shared
}

// find returns the mapping at iova, or nil, and how many of the size bytes from
// there are in it, or before the next one. A mapping with memory is counted as in use
// until its users.Done.
func (t *mapTable) find(iova uint64, size int) (*mapping, int) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	i := t.after(iova)
	if i == len(t.list) {
		return nil, size
	}
	m := t.list[i]
	if m.IOVA > iova {
		return nil, upTo(m.IOVA-iova, size)
	}
	if m.memory != nil {
		m.users.Add(1)
	}
	// The bytes to the end of the range are one more than this, which cannot
	// overflow.
	rest := m.last() - iova
	if rest >= uint64(size) {
		return m, size
	}
	return m, int(rest) + 1
}

func upTo(n uint64, size int) int {
	if n < uint64(size) {
		return int(n)
	}
	return size
}
