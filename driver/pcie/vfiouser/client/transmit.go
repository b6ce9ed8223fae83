// SPDX-License-Identifier: Apache-2.0

package client

import (
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/protocol"
)

// maxQueued is how many bytes of replies may wait for a server that does not read.
const maxQueued = 64 << 20

// transmitter is who may write to the socket, and what could not be written yet.
type transmitter struct {
	lock sync.Mutex // held by who writes

	mu     sync.Mutex
	queue  [][]byte
	queued int // bytes in queue
}

// send writes a message.
func (c *Client) send(head, data []byte, fds []int, deadline time.Time) error {
	c.out.lock.Lock()
	err := c.sendAll(head, data, fds, deadline)
	c.unlockSend()
	return err
}

// sendAll writes a message. c.out.lock is held.
func (c *Client) sendAll(head, data []byte, fds []int, deadline time.Time) error {
	for {
		n, err := c.sock.send(head, data, fds, true)
		if err == errAgain {
			if time.Now().After(deadline) {
				return fmt.Errorf("server does not read: %w", ErrTimeout)
			}
			continue
		}
		if err == syscall.EPIPE || err == syscall.ECONNRESET {
			return ErrHangUp
		}
		if err != nil {
			return fmt.Errorf("send: %w", err)
		}
		if n == len(head)+len(data) {
			return nil
		}
		head, data = rest(head, data, n)
		fds = nil
	}
}

// rest drops the first n bytes.
func rest(head, data []byte, n int) ([]byte, []byte) {
	if n < len(head) {
		return head[n:], data
	}
	return nil, data[n-len(head):]
}

// unlockSend gives up c.out.lock after sending what is queued.
func (c *Client) unlockSend() {
	for {
		for {
			c.out.mu.Lock()
			if len(c.out.queue) == 0 {
				c.out.mu.Unlock()
				break
			}
			message := c.out.queue[0]
			c.out.queue = c.out.queue[1:]
			c.out.queued -= len(message)
			c.out.mu.Unlock()
			if err := c.sendAll(message, nil, nil, time.Now().Add(c.opts.Timeout)); err != nil {
				c.end(fmt.Errorf("reply: %w", err))
			}
		}
		c.out.lock.Unlock()
		// Somebody may have queued more since and found the lock taken.
		c.out.mu.Lock()
		more := len(c.out.queue) > 0
		c.out.mu.Unlock()
		if !more || !c.out.lock.TryLock() {
			return
		}
	}
}

// answer writes a reply on behalf of the goroutine that reads the socket. It never
// waits: the server may be writing and not reading, and then both would wait
// for ever.
func (c *Client) answer(message []byte) error {
	if !c.out.lock.TryLock() {
		if err := c.queue(message, false); err != nil {
			return err
		}
		if c.out.lock.TryLock() {
			c.unlockLater()
		}
		return nil
	}
	c.out.mu.Lock()
	waiting := len(c.out.queue) > 0
	c.out.mu.Unlock()
	if waiting {
		err := c.queue(message, false)
		c.unlockLater()
		return err
	}
	n, err := c.sock.send(message, nil, nil, false)
	if err != nil && err != errAgain {
		c.out.lock.Unlock()
		if err == syscall.EPIPE || err == syscall.ECONNRESET {
			return ErrHangUp
		}
		return fmt.Errorf("send: %w", err)
	}
	if n == len(message) {
		c.unlockSend()
		return nil
	}
	err = c.queue(message[n:], true)
	c.unlockLater()
	return err
}

// queue keeps a copy of a message or the rest of one for unlockSend.
func (c *Client) queue(message []byte, first bool) error {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if c.out.queued += len(message); c.out.queued > maxQueued {
		return fmt.Errorf("%w: server sends commands and does not read the replies", protocol.ErrProtocol)
	}
	at := len(c.out.queue)
	if first {
		at = 0
	}
	c.out.queue = slices.Insert(c.out.queue, at, slices.Clone(message))
	return nil
}

// unlockLater is unlockSend on a goroutine of its own.
func (c *Client) unlockLater() {
	c.mu.Lock()
	c.users++ // who reads the socket is a user: it is still there
	c.mu.Unlock()
	go func() {
		c.unlockSend()
		c.mu.Lock()
		c.leave()
		c.mu.Unlock()
	}()
}
