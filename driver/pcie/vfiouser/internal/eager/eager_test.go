// SPDX-License-Identifier: Apache-2.0

package eager

import "testing"

// waits lets n waits look for a peer that is quick or not, and returns which of them
// looked at all.
func waits(t *testing.T, w *Waiter, n int, quick bool) (looked []int) {
	t.Helper()
	for i := range n {
		calls := 0
		found := w.Look(func() bool { calls++; return quick && calls == 3 })
		if found != (quick && calls > 0) {
			t.Fatalf("wait %d of a peer that is quick: %v, after %d calls: found %v", i, quick, calls, found)
		}
		if calls > 0 {
			looked = append(looked, i)
		}
	}
	return looked
}

// TestLook: a quick peer is looked for every time, another one ever less often, and
// one that has become quick again every time after the first look that finds it.
func TestLook(t *testing.T) {
	var w Waiter
	if n := len(waits(t, &w, 100, true)); n != 100 {
		t.Errorf("a quick peer is looked for in %d of 100 waits", n)
	}
	looked := waits(t, &w, 10_000, false)
	for i, want := range []int{0, 1, 2, 3, 4, 6, 9, 14, 23, 40, 73, 138, 203} {
		if looked[i] != want {
			t.Fatalf("a slow peer is looked for in the waits %d, want %d in place %d", looked[:i+1], want, i)
		}
	}
	if n := len(looked); n > 10_000/mostSkipped+15 {
		t.Errorf("a slow peer is looked for in %d of 10,000 waits", n)
	}
	if n := len(waits(t, &w, 1000+mostSkipped, true)); n < 1000 {
		t.Errorf("a peer that has become quick is looked for in %d of %d waits", n, 1000+mostSkipped)
	}
	waits(t, &w, 100, true)
	if n := len(waits(t, &w, forgiven, false)); n != forgiven {
		t.Errorf("a peer that was quick is looked for in %d of the next %d waits", n, forgiven)
	}
	waits(t, &w, 1, true)
	if n := len(waits(t, &w, forgiven+3, false)); n != forgiven+2 {
		t.Errorf("after that in %d of %d, want all but the one before the last", n, forgiven+3)
	}
}
