// SPDX-License-Identifier: Apache-2.0

package offload

import (
	"sync"
	"sync/atomic"

	"github.com/espalier-nic/espalier/driver"
)

// table is the shadow of the NIC's SAs, keys included: what a reset restores.
type table struct {
	mu      sync.RWMutex
	entries map[driver.Handle]*entry
	// orphans are SAs whose deletion was aborted before the NIC had it.
	orphans []driver.Handle
}

// entry is one SA offloaded.
type entry struct {
	handle driver.Handle
	// These say again what sa says: they never change, so that packets need
	// no lock.
	spi           uint32
	inbound, ipv6 bool
	// evict: the host is asked to delete the SA (SaDeleteReq).
	evict atomic.Bool
	// high is the upper half of sequence numbers that sends get.
	high atomic.Uint32

	mu     sync.Mutex // one request at a time; before table.mu
	sa     driver.SA  // with key and salt; SequenceHi is high's
	gone   bool
	unsure bool // an UPDATE_SA was aborted: the NIC knows which half it has
}

func (t *table) init() { t.entries = make(map[driver.Handle]*entry) }

// find returns the entry that h names, or nil.
func (t *table) find(h driver.Handle) *entry {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.entries[h]
}

// insert adds an SA, whose key belongs to the table. t.mu is held.
func (t *table) insert(h driver.Handle, sa driver.SA) {
	e := &entry{handle: h, spi: sa.SPI, inbound: sa.Inbound, ipv6: sa.IPv6, sa: sa}
	e.high.Store(sa.SequenceHi)
	t.entries[h] = e
}

// remove forgets an SA and clears its key. e.mu is held.
func (t *table) remove(e *entry) {
	e.gone = true
	e.sa.Key.Zero()
	e.sa.Key, e.sa.Salt = nil, driver.Salt{}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.entries, e.handle)
}

// all returns the entries of now.
func (t *table) all() []*entry {
	t.mu.RLock()
	defer t.mu.RUnlock()
	list := make([]*entry, 0, len(t.entries))
	for _, e := range t.entries {
		list = append(list, e)
	}
	return list
}

// count returns how many SAs there are.
func (t *table) count() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.entries)
}
