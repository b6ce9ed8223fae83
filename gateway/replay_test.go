// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// TestReplayWindow compares with the definition: a number is accepted once, if
// it is not 0 and above top - size.
func TestReplayWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := 64 * rapid.IntRange(1, 64).Draw(t, "size")
		last := rapid.OneOf(rapid.Just(uint64(0)), rapid.Uint64Range(0, 1<<33), rapid.Uint64Range(math.MaxUint64-5000, math.MaxUint64)).Draw(t, "last")
		w := newReplayWindow(size, last)
		seen, top := map[uint64]bool{}, last
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		for range 2000 {
			var seq uint64
			switch rng.IntN(4) {
			case 0:
				seq = top + uint64(rng.IntN(3))
			case 1:
				seq = top + uint64(rng.IntN(3*size))
			default:
				seq = top - uint64(rng.IntN(size+10))
			}
			if rng.IntN(10) > 0 && (seq > top+uint64(4*size) || seq < top-uint64(4*size)) {
				continue // beyond an end of the numbers: seldom is enough
			}
			want := seq > last && !seen[seq] && (seq > top || top-seq < uint64(size))
			if got := w.accept(seq); got != want {
				t.Fatalf("size %d, top %d: %d accepted: %v", size, top, seq, got)
			}
			if want {
				seen[seq] = true
				top = max(top, seq)
			}
		}
	})
}

// TestExtend: from the lower half of any number within the window, or less than
// 2^32 minus the window ahead, follows the whole.
func TestExtend(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := uint64(64 * rapid.IntRange(1, 64).Draw(t, "size"))
		near := rapid.Uint64Range(0, 10000)
		top := rapid.OneOf(near, rapid.Uint64(), rapid.Map(near, func(n uint64) uint64 { return 5<<32 - 5000 + n })).Draw(t, "top")
		w := newReplayWindow(int(size), top)
		ahead := rapid.OneOf(rapid.Uint64Range(1, 10000), rapid.Uint64Range(1, 1<<32-size)).Draw(t, "ahead")
		behind := rapid.Uint64Range(0, size-1).Draw(t, "behind")
		for _, seq := range []uint64{top + ahead, top - behind} {
			if (seq > top) != (seq == top+ahead) {
				continue // there is no such number
			}
			if got, ok := w.extend(uint32(seq)); !ok || got != seq {
				t.Fatalf("top %#x, window %d: %#x extends to %#x, %v", top, size, seq, got, ok)
			}
		}
	})
	if _, ok := newReplayWindow(64, 10).extend(math.MaxUint32); ok {
		t.Error("a number before the first")
	}
	if _, ok := newReplayWindow(64, math.MaxUint64).extend(3); ok {
		t.Error("a number after the last")
	}
}
