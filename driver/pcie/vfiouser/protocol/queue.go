// SPDX-License-Identifier: Apache-2.0

package protocol

// Bounds of what is received but not handled. Beyond the soft ones the reader waits
// for the handler, unless the handler may wait for a reply that only the reader can
// bring. Beyond the hard one the peer is flooding.
const (
	softCommands    = 1024
	softDescriptors = 256
	softBytes       = 8 << 20
	hardFactor      = 16
)

// requestQueue are the peer's commands that the handler has not seen.
type requestQueue struct {
	messages    []*message
	first       int
	bytes       int
	descriptors int
}

func (q *requestQueue) empty() bool { return q.first == len(q.messages) }

// full says whether a bound, times a factor, is exceeded.
func (q *requestQueue) full(factor int) bool {
	return len(q.messages)-q.first >= softCommands*factor || q.bytes >= softBytes*factor || q.descriptors >= softDescriptors*factor
}

func (q *requestQueue) push(m *message) {
	q.messages = append(q.messages, m)
	q.bytes += len(m.payload)
	q.descriptors += len(m.fds)
}

func (q *requestQueue) pop() *message {
	if q.empty() {
		return nil
	}
	m := q.messages[q.first]
	q.messages[q.first] = nil
	q.first++
	q.bytes -= len(m.payload)
	q.descriptors -= len(m.fds)
	switch {
	case q.empty():
		q.messages, q.first = q.messages[:0], 0
	case q.first >= softCommands: // a queue that never empties
		q.messages, q.first = append(q.messages[:0], q.messages[q.first:]...), 0
	}
	return m
}

// drop forgets everything.
func (q *requestQueue) drop() {
	for m := q.pop(); m != nil; m = q.pop() {
		m.release()
	}
}

// enqueue passes a command to the handler.
func (c *Conn) enqueue(m *message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.queue.full(1) && c.waiting.awaited == 0 && c.err == nil {
		c.changed.Wait()
	}
	if c.queue.full(hardFactor) {
		m.release()
		return violation("more than %d commands are sent without waiting for their replies", softCommands)
	}
	if c.err != nil {
		m.release()
		return c.err
	}
	if !m.header.Posted() {
		c.unanswered++
		c.yieldToPeer()
	}
	c.queue.push(m)
	return nil // the reader handles it next, if nobody handles another
}

// sendAnswer answers one of the peer's commands. The command counts as answered just
// before the peer can know it, and what waited for that is sent behind the answer.
func (c *Conn) sendAnswer(h Header, payload []byte, fds []int) error {
	c.writing.Lock()
	c.mu.Lock()
	c.unanswered--
	var list []*outgoing
	if c.unanswered == 0 {
		list, c.whenIdle = c.whenIdle, nil
	}
	c.mu.Unlock()
	err := c.write(h, payload, fds)
	c.writing.Unlock()
	c.sendIdle(list)
	return err
}
