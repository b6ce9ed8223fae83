// SPDX-License-Identifier: Apache-2.0

package main

import "sync"

// frameBuffer has frames on their way from somebody who may not wait to somebody
// who takes his time. What is beyond its limit is lost and counted.
type frameBuffer struct {
	limit int // bytes
	// full is called when more than high bytes are held, and again when no more
	// than half of that are; nil: nobody wants to know. It must not wait.
	high int
	full func(bool)

	mu     sync.Mutex
	filled sync.Cond
	frames []bufferedFrame
	spare  [][]byte // of frames that were taken
	bytes  int
	above  bool   // full was told so
	lost   uint64 // behind the last of frames
	closed bool
}

// bufferedFrame is a frame, and how many were lost before it.
type bufferedFrame struct {
	bytes []byte
	lost  uint64
}

// frameOverhead is what a frame takes beside its bytes, so that many short ones
// are bounded too.
const frameOverhead = 64

func newFrameBuffer(limit int) *frameBuffer {
	b := &frameBuffer{limit: limit}
	b.filled.L = &b.mu
	return b
}

// put adds a copy of a frame.
func (b *frameBuffer) put(frame []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bytes+len(frame)+frameOverhead > b.limit {
		b.lost++
		b.filled.Signal()
		return
	}
	var room []byte
	if n := len(b.spare); n > 0 {
		room, b.spare = b.spare[n-1], b.spare[:n-1]
	}
	b.frames = append(b.frames, bufferedFrame{append(room[:0], frame...), b.lost})
	b.lost = 0
	b.bytes += len(frame) + frameOverhead
	b.filled.Signal()
	b.tell()
}

// tell calls full if there is something to tell. b.mu is held, so that what is
// told last is true.
func (b *frameBuffer) tell() {
	if b.full == nil || b.above == (b.bytes > b.high) || b.above && b.bytes > b.high/2 {
		return
	}
	b.above = !b.above
	b.full(b.above)
}

// take waits for frames and calls each for every one that is there, in their
// order, and missing where frames were lost. A frame is valid during the call.
// take returns false once the buffer is closed.
func (b *frameBuffer) take(each func(frame []byte), missing func(frames uint64)) (open bool) {
	b.mu.Lock()
	for len(b.frames) == 0 && b.lost == 0 && !b.closed {
		b.filled.Wait()
	}
	if b.closed {
		b.mu.Unlock()
		return false
	}
	frames, last := b.frames, b.lost
	b.frames, b.lost = nil, 0
	b.mu.Unlock()

	size := 0
	for _, f := range frames {
		if f.lost > 0 {
			missing(f.lost)
		}
		each(f.bytes)
		size += len(f.bytes) + frameOverhead
	}
	if last > 0 {
		missing(last)
	}

	b.mu.Lock()
	defer b.mu.Unlock()
	b.bytes -= size
	for _, f := range frames[:min(len(frames), max(0, spareFrames-len(b.spare)))] {
		b.spare = append(b.spare, f.bytes)
	}
	b.tell()
	return true
}

// spareFrames is how many frames' memory is kept.
const spareFrames = 256

// close ends take. What is left is dropped.
func (b *frameBuffer) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.filled.Broadcast()
}
