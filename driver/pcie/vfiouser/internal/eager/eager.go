// SPDX-License-Identifier: Apache-2.0

// Package eager waits for what another process is about to send. A thread that sleeps in
// the kernel until its peer writes costs more to wake than all that the two exchange:
// between two idle cores of a virtual machine 25 microseconds and more, each way. So a
// peer that has been quick before is looked for a moment before sleeping.
package eager

import "time"

const (
	// glance is how long Look looks, about what sleeping costs both peers: then the
	// wait takes at most twice as long as the better of looking and sleeping would
	// have taken.
	glance = 50 * time.Microsecond
	// forgiven is how many vain looks in a row are taken for accidents. After more of
	// them waits do not look, most of all mostSkipped in a row: looking takes a
	// processor from others.
	forgiven    = 4
	mostSkipped = 64
)

// Waiter remembers how quick the peer is. The zero value is ready. It serves one
// goroutine at a time.
type Waiter struct {
	// vain is how many looks in a row were; skip is how many waits do not look, and
	// skipped how many those were after the last look.
	vain, skip, skipped int
}

// Look calls there again and again until it returns true, for a moment at most, and
// says whether it did. It gives up at once where it was of no use lately.
func (w *Waiter) Look(there func() bool) bool {
	if w.skip > 0 {
		w.skip--
		return false
	}
	for start := time.Now(); ; {
		if there() {
			*w = Waiter{}
			return true
		}
		if time.Since(start) > glance {
			break
		}
	}
	if w.vain++; w.vain > forgiven {
		w.skipped = min(max(2*w.skipped, 1), mostSkipped)
		w.skip = w.skipped
	}
	return false
}
