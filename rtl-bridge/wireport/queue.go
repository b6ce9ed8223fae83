// SPDX-License-Identifier: Apache-2.0

package wireport

import (
	"encoding/binary"
	"sync"
)

// frameQueue is a bounded number of bytes of frames, each behind its length as 4
// big-endian bytes, in one ring: what lies between a sender that never waits
// and a taker that does. It allocates nothing after its making.
type frameQueue struct {
	mu     sync.Mutex
	filled sync.Cond
	freed  sync.Cond
	ring   []byte
	start  int // of the oldest frame's length
	used   int // bytes
	closed bool
}

// lengthSize is the bytes of a length before a frame.
const lengthSize = 4

func newFrameQueue(size int) *frameQueue {
	q := &frameQueue{ring: make([]byte, size)}
	q.filled.L, q.freed.L = &q.mu, &q.mu
	return q
}

// put adds a frame if there is room. open is false once the queue is closed.
func (q *frameQueue) put(frame []byte) (put, open bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.used+lengthSize+len(frame) > len(q.ring) {
		return false, !q.closed
	}
	q.add(frame)
	return true, true
}

// putWaiting adds a frame that an empty queue has room for, when there is room.
// It returns false once the queue is closed.
func (q *frameQueue) putWaiting(frame []byte) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.closed && q.used+lengthSize+len(frame) > len(q.ring) {
		q.freed.Wait()
	}
	if q.closed {
		return false
	}
	q.add(frame)
	return true
}

// add writes a frame for which there is room. q.mu is held.
func (q *frameQueue) add(frame []byte) {
	var length [lengthSize]byte
	binary.BigEndian.PutUint32(length[:], uint32(len(frame)))
	q.write(length[:])
	q.write(frame)
	q.filled.Signal()
}

// write copies b behind what is there. q.mu is held.
func (q *frameQueue) write(b []byte) {
	at := (q.start + q.used) % len(q.ring)
	n := copy(q.ring[at:], b)
	copy(q.ring, b[n:])
	q.used += len(b)
}

// read takes len(b) bytes. q.mu is held.
func (q *frameQueue) read(b []byte) {
	n := copy(b, q.ring[q.start:])
	copy(b[n:], q.ring)
	q.skip(len(b))
}

// skip takes n bytes away unseen. q.mu is held.
func (q *frameQueue) skip(n int) {
	q.start = (q.start + n) % len(q.ring)
	q.used -= n
	q.freed.Signal()
}

// take waits for a frame and takes up to len(frames); lost counts those that
// are longer than their slice. ok is false once the queue is closed.
func (q *frameQueue) take(frames [][]byte, sizes []int) (n, lost int, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		for q.used == 0 && !q.closed {
			q.filled.Wait()
		}
		if q.closed {
			return 0, lost, false
		}
		for n < min(len(frames), len(sizes)) && q.used > 0 {
			var length [lengthSize]byte
			q.read(length[:])
			size := int(binary.BigEndian.Uint32(length[:]))
			if size > len(frames[n]) {
				q.skip(size)
				lost++
				continue
			}
			q.read(frames[n][:size])
			sizes[n] = size
			n++
		}
		if n > 0 || lost > 0 || len(frames) == 0 {
			return n, lost, true
		}
	}
}

// takeBytes waits for frames and takes as many whole ones, lengths included, as
// fit b, which has room for at least one. count is how many. ok is false once
// the queue is closed.
func (q *frameQueue) takeBytes(b []byte) (size, count int, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.used == 0 && !q.closed {
		q.filled.Wait()
	}
	if q.closed {
		return 0, 0, false
	}
	for q.used > 0 {
		var length [lengthSize]byte
		n := copy(length[:], q.ring[q.start:])
		copy(length[n:], q.ring)
		whole := lengthSize + int(binary.BigEndian.Uint32(length[:]))
		if size+whole > len(b) {
			break
		}
		q.read(b[size : size+whole])
		size += whole
		count++
	}
	return size, count, true
}

// empty drops all frames and returns how many.
func (q *frameQueue) empty() (count int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.used > 0 {
		var length [lengthSize]byte
		q.read(length[:])
		q.skip(int(binary.BigEndian.Uint32(length[:])))
		count++
	}
	return count
}

// close wakes up everybody; nothing can be taken or put any more.
func (q *frameQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.filled.Broadcast()
	q.freed.Broadcast()
}

// receive is Port.Receive of a port whose frames come out of q.
func (q *frameQueue) receive(p Port, c *counters, frames [][]byte, sizes []int) (int, error) {
	for {
		n, lost, open := q.take(frames, sizes)
		c.receiveDropped.Add(uint64(lost))
		if !open {
			return 0, closed(p)
		}
		if n > 0 || len(frames) == 0 {
			for _, size := range sizes[:n] {
				c.countReceived(size)
			}
			return n, nil
		}
	}
}
