// SPDX-License-Identifier: Apache-2.0

//go:build !race

// The race detector makes sync.Pool, which the Go NIC uses, forget at random.

package seam

import "testing"

// TestDriverAllocatesNothing: no allocation per packet, sent or received.
func TestDriverAllocatesNothing(t *testing.T) {
	l := newLoop(t, 32, 64)
	if allocs := testing.AllocsPerRun(50, func() { l.batch(t) }); allocs != 0 {
		t.Errorf("%v allocations per batch of 32 packets", allocs)
	}
}
