// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"slices"
	"testing"
)

// TestFrameBuffer: order, the limit with what it costs, marks that are told once
// each, and the end.
func TestFrameBuffer(t *testing.T) {
	const size = 36 + frameOverhead // 100
	frame := func(i int) []byte { return bytes.Repeat([]byte{byte(i)}, 36) }
	var told []bool
	b := newFrameBuffer(10 * size)
	b.high, b.full = 6*size, func(is bool) { told = append(told, is) }
	take := func(want []byte, wantLost uint64) {
		t.Helper()
		var got []byte
		lost := uint64(0)
		open := b.take(func(f []byte) {
			if !bytes.Equal(f, frame(int(f[0]))) || lost > 0 {
				t.Errorf("frame % x, after %d lost ones", f, lost)
			}
			got = append(got, f[0])
		}, func(frames uint64) { lost += frames })
		if !open || lost != wantLost || !bytes.Equal(got, want) {
			t.Errorf("took %d, lost %d, open %v; want %d, lost %d", got, lost, open, want, wantLost)
		}
	}
	for lap := range 3 {
		told = nil
		for i := range 13 { // three too many
			scratch := frame(i)
			b.put(scratch)
			clear(scratch) // it was copied
		}
		if !slices.Equal(told, []bool{true}) {
			t.Errorf("lap %d: told %v after too many", lap, told)
		}
		take([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 3)
		if !slices.Equal(told, []bool{true, false}) {
			t.Errorf("lap %d: told %v", lap, told)
		}
	}
	// What is lost while frames are taken is behind those that came before.
	var all []int
	note := func(f []byte) { all = append(all, int(f[0])) }
	missing := func(frames uint64) { all = append(all, -int(frames)) }
	b.put(frame(0))
	b.take(func(f []byte) {
		note(f)
		for i := range 11 {
			b.put(frame(i + 1)) // nine fit
		}
	}, missing)
	b.take(note, missing)
	b.put(frame(20))
	b.take(note, missing)
	if want := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, -2, 20}; !slices.Equal(all, want) {
		t.Errorf("took %d, want %d", all, want)
	}
	ended := make(chan bool)
	go func() { ended <- b.take(note, missing) }()
	b.close()
	if <-ended {
		t.Error("open after close")
	}
	b.put(frame(3))
}
