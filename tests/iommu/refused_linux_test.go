// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package iommu

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/regs"
)

// The pages of a queue's block of rings.
const (
	descriptorPage = iota
	completionPage
)

// plain is a frame of the test queue.
var plain = plainFrame(rand.New(rand.NewPCG(1, 1)), 60)

// gone returns a buffer whose memory the device reached once.
func gone(t *testing.T, fn pcie.Function, use func(*driver.Buffer)) (iova uint64) {
	t.Helper()
	m, err := fn.AllocDMA(2048)
	ok(t, err)
	iova = m.IOVA
	use(driver.NewBuffer(make([]byte, 2048), iova)) // whose bytes nobody touches
	ok(t, fn.FreeDMA(m))
	return iova
}

func (c *card) tx(t *testing.T) *driver.TXQueue {
	t.Helper()
	q, err := c.nic.TX(testQueue)
	ok(t, err)
	return q
}

func (c *card) rx(t *testing.T) *driver.RXQueue {
	t.Helper()
	q, err := c.nic.RX(testQueue)
	ok(t, err)
	return q
}

// buffer is one with the plain frame.
func (c *card) buffer(t *testing.T) *driver.Buffer {
	t.Helper()
	b := c.pool.Get()
	if b == nil {
		t.Fatal("no buffer left")
	}
	copy(b.Bytes(), plain)
	return b
}

// post sends the plain frame.
func (c *card) post(t *testing.T) {
	t.Helper()
	if n, err := c.tx(t).Post([]driver.TXPacket{{Buffer: c.buffer(t), Length: len(plain)}}); n != 1 || err != nil {
		t.Fatalf("%d frames posted: %v", n, err)
	}
}

// feed gives the test queue a buffer, and sees to it that the card knows of it.
func (c *card) feed(t *testing.T) {
	t.Helper()
	if n, err := c.rx(t).Post([]*driver.Buffer{c.buffer(t)}); n != 1 || err != nil {
		t.Fatalf("%d buffers posted: %v", n, err)
	}
	_, err := c.nic.Cycles()
	ok(t, err)
}

// sent waits for a descriptor of the test queue and returns what became of it.
func (l *lab) sent(t *testing.T, c *card) error {
	t.Helper()
	var done [1]driver.TXDone
	for {
		switch n, err := c.tx(t).Poll(done[:]); {
		case err != nil:
			return err
		case n == 1:
			if errors.Is(c.pool.Put(done[0].Buffer), driver.ErrBuffer) && done[0].Status == driver.OK {
				t.Error("a frame was sent from memory of nobody's")
			}
			return done[0].Status.Err()
		}
		if err := c.tx(t).Wait(l.ctx); err != nil {
			return err
		}
	}
}

// received waits for a frame on the test queue and returns what became of it.
func (l *lab) received(t *testing.T, c *card) error {
	t.Helper()
	var packets [1]driver.RXPacket
	for {
		switch n, err := c.rx(t).Poll(packets[:]); {
		case err != nil:
			return err
		case n == 1:
			p := &packets[0]
			if p.Status == driver.OK && !bytes.Equal(p.Frame(), plain) {
				t.Errorf("received is\n%x, sent was\n%x", p.Frame(), plain)
			}
			if errors.Is(c.pool.Put(p.Buffer), driver.ErrBuffer) && p.Status == driver.OK {
				t.Error("a frame was received into memory of nobody's")
			}
			return p.Status.Err()
		}
		if err := c.rx(t).Wait(l.ctx); err != nil {
			return err
		}
	}
}

// works sends one frame from queue to queue.
func (l *lab) works(t *testing.T) {
	t.Helper()
	l.b.feed(t)
	l.a.post(t)
	ok(t, l.sent(t, l.a))
	ok(t, l.received(t, l.b))
}

func sendFromNowhere(t *testing.T, l *lab) (uint64, error) {
	var buffer *driver.Buffer
	iova := gone(t, l.a.fn, func(b *driver.Buffer) { buffer = b })
	if n, err := l.a.tx(t).Post([]driver.TXPacket{{Buffer: buffer, Length: 64}}); n != 1 || err != nil {
		t.Fatalf("%d frames posted: %v", n, err)
	}
	return iova, l.sent(t, l.a)
}

func receiveIntoNothing(t *testing.T, l *lab) (uint64, error) {
	iova := gone(t, l.b.fn, func(b *driver.Buffer) {
		if n, err := l.b.rx(t).Post([]*driver.Buffer{b}); n != 1 || err != nil {
			t.Fatalf("%d buffers posted: %v", n, err)
		}
		_, err := l.b.nic.Cycles()
		ok(t, err)
	})
	l.a.post(t)
	ok(t, l.sent(t, l.a))
	return iova, l.received(t, l.b)
}

func withdrawTXRing(t *testing.T, l *lab) (uint64, error) {
	iova, err := l.a.fn.withdraw(regs.TxqOffset(testQueue), descriptorPage)
	ok(t, err)
	l.a.post(t)
	return iova, l.sent(t, l.a)
}

func withdrawTXCompletions(t *testing.T, l *lab) (uint64, error) {
	l.b.feed(t)
	iova, err := l.a.fn.withdraw(regs.TxqOffset(testQueue), completionPage)
	ok(t, err)
	l.a.post(t)
	err = l.sent(t, l.a)
	ok(t, l.received(t, l.b)) // the frame itself has left
	return iova, err
}

func withdrawRXRing(t *testing.T, l *lab) (uint64, error) {
	iova, err := l.b.fn.withdraw(regs.RxqOffset(testQueue), descriptorPage)
	ok(t, err)
	l.b.feed(t)
	return iova, l.received(t, l.b)
}

func withdrawRXCompletions(t *testing.T, l *lab) (uint64, error) {
	l.b.feed(t)
	iova, err := l.b.fn.withdraw(regs.RxqOffset(testQueue), completionPage)
	ok(t, err)
	l.a.post(t)
	ok(t, l.sent(t, l.a))
	return iova, l.received(t, l.b)
}

// restart brings the test queues back that have stopped, and says whether the
// others had to be stopped for it: none had.
func (l *lab) restart(t *testing.T, code regs.QueueError, stopped *driver.QueueError) {
	t.Helper()
	if stopped == nil {
		return
	}
	page := map[regs.QueueError]int{regs.QueueErrorDescRead: descriptorPage, regs.QueueErrorCplWrite: completionPage}[code]
	switch stopped.Queue {
	case l.a.tx(t).String():
		q := l.a.tx(t)
		ok(t, q.Stop(l.ctx))
		// What was left in it comes back.
		for q.Outstanding() > 0 {
			if err := l.sent(t, l.a); !errors.Is(err, driver.ErrStopped) {
				t.Fatalf("a descriptor of a queue that has stopped: %v", err)
			}
		}
		ok(t, l.a.fn.restore(regs.TxqOffset(testQueue), page))
		ok(t, q.Start(l.ctx))
		ok(t, q.Err())
	case l.b.rx(t).String():
		q := l.b.rx(t)
		ok(t, q.Stop(l.ctx))
		for q.Outstanding() > 0 {
			if err := l.received(t, l.b); !errors.Is(err, driver.ErrStopped) {
				t.Fatalf("a buffer of a queue that has stopped: %v", err)
			}
		}
		ok(t, l.b.fn.restore(regs.RxqOffset(testQueue), page))
		ok(t, q.Start(l.ctx))
		ok(t, q.Err())
	default:
		t.Fatalf("the queue that has stopped is %s", stopped.Queue)
	}
}
