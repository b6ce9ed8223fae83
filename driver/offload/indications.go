// SPDX-License-Identifier: Apache-2.0

package offload

import "sync"

// Indication tells the layers above that the capabilities have changed.
type Indication struct {
	// Status is StatusTaskOffloadCurrentConfig or
	// StatusTaskOffloadHardwareCapabilities.
	Status Status
	// Offload is what holds from now on.
	Offload Offload
}

// indicator delivers indications to subscribers in order. Whoever finds nobody
// delivering delivers all that is queued, so that an indication is out when the
// set that caused it returns, unless another goroutine (or a subscriber from
// within its call) was just delivering: then that one does it.
type indicator struct {
	mu          sync.Mutex
	subscribers []*subscriber
	queue       []Indication
	delivering  bool
}

type subscriber struct {
	call func(Indication)
	dead bool
}

// subscribe adds a subscriber; cancel ends it.
func (i *indicator) subscribe(call func(Indication)) (cancel func()) {
	s := &subscriber{call: call}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.subscribers = append(i.subscribers, s)
	return func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		s.dead = true
		for n, other := range i.subscribers {
			if other == s {
				// A copy: a delivery under way reads the old one.
				rest := make([]*subscriber, 0, len(i.subscribers)-1)
				i.subscribers = append(append(rest, i.subscribers[:n]...), i.subscribers[n+1:]...)
				return
			}
		}
	}
}

// enqueue adds an indication; flush delivers it.
func (i *indicator) enqueue(ind Indication) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.queue = append(i.queue, ind)
}

// flush delivers what is queued. The caller holds no lock.
func (i *indicator) flush() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.delivering {
		return
	}
	i.delivering = true
	defer func() { i.delivering = false }()
	for len(i.queue) > 0 {
		next := i.queue[0]
		i.queue = i.queue[1:]
		for _, s := range i.subscribers {
			if s.dead {
				continue
			}
			i.deliver(s, next)
		}
	}
}

// deliver calls one subscriber without the lock.
func (i *indicator) deliver(s *subscriber, ind Indication) {
	i.mu.Unlock()
	defer i.mu.Lock()
	s.call(ind)
}
