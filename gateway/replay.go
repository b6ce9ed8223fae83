// SPDX-License-Identifier: Apache-2.0

package gateway

// replayWindow remembers which sequence numbers have been received (RFC 4303,
// section 3.4.3), as a ring of words of bits (RFC 6479): moving forward clears
// whole words and shifts none.
type replayWindow struct {
	words []uint64
	size  uint64 // packets
	top   uint64 // highest sequence number received
}

// newReplayWindow makes a window in which all numbers up to last count as
// received.
func newReplayWindow(size int, last uint64) *replayWindow {
	// One word more than the window needs, and a power of two: the word that top
	// moves into is never one that the window still reaches.
	words := 1
	for words < size/64+1 {
		words *= 2
	}
	w := &replayWindow{words: make([]uint64, words), size: uint64(size), top: last}
	for i := range w.words {
		w.words[i] = ^uint64(0)
	}
	w.words[last/64&uint64(words-1)] >>= 63 - last%64
	return w
}

// accept says whether a packet with this sequence number, which has been
// authenticated, is new, and remembers it.
func (w *replayWindow) accept(seq uint64) bool {
	if seq == 0 || seq <= w.top && w.top-seq >= w.size {
		return false // never sent (RFC 4303, section 3.3.3), or behind the window
	}
	mask := uint64(len(w.words) - 1)
	if seq > w.top {
		from, to := w.top/64, seq/64
		if to-from > mask {
			clear(w.words)
		} else {
			for at := from + 1; at <= to; at++ {
				w.words[at&mask] = 0
			}
		}
		w.top = seq
	}
	word, bit := &w.words[seq/64&mask], uint64(1)<<(seq%64)
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	return true
}

// extend finds the 64-bit sequence number of which a packet carries the lower
// half (RFC 4303, appendix A2.2). ok is false if it would lie outside the
// numbers that there are.
func (w *replayWindow) extend(low uint32) (seq uint64, ok bool) {
	topLow, topHigh := uint32(w.top), w.top>>32
	bottom := topLow - uint32(w.size) + 1 // modulo 2^32
	if topLow >= uint32(w.size)-1 {
		if low < bottom {
			topHigh++
		}
	} else if low >= bottom {
		topHigh--
	}
	return topHigh<<32 | uint64(low), topHigh < 1<<32
}
