// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"sync"
	"time"
)

// A Conn's two workers share two jobs: reading the socket and handling commands. As
// a rule one worker does both, so that a command is handled by the goroutine that
// has read it: a change of goroutines would cost as much as everything else that a
// short command takes. While that worker handles a command the other one takes over
// reading when it sees that this takes long, or at once when a reply is awaited.

// jobs says who does what. Conn.mu guards it.
type jobs struct {
	reading, handling bool
	// done counts the commands that were handled.
	done uint64
	// asleep: the idle worker waits for a kick only, not for time to pass.
	asleep bool
	kick   chan struct{}
}

// wake makes the idle worker look for work.
func (j *jobs) wake() {
	select {
	case j.kick <- struct{}{}:
	default:
	}
}

const (
	// patience is how long the idle worker watches a command being handled before
	// it takes over reading. It is far less than a peer's time-outs.
	patience = time.Millisecond
	// watchful is how often it looks in vain before it sleeps until kicked.
	watchful = 20
)

// startWorkers starts them; handled is closed when both have ended.
func (c *Conn) startWorkers() {
	var workers sync.WaitGroup
	for range 2 {
		workers.Go(c.work)
	}
	go func() {
		workers.Wait()
		close(c.handled)
	}()
}

// work does what there is to do until the connection has ended and all commands are
// handled.
func (c *Conn) work() {
	watch := watch{timer: time.NewTimer(patience)}
	defer watch.timer.Stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for j := &c.jobs; c.err == nil || !c.queue.empty(); {
		switch {
		case !j.handling && !c.queue.empty():
			m := c.queue.pop()
			c.changed.Broadcast()
			j.handling = true
			if j.asleep {
				j.wake() // to watch
			}
			c.mu.Unlock()
			c.handle(m)
			c.mu.Lock()
			j.handling = false
			j.done++
		case !j.reading && c.err == nil && (!j.handling || watch.overdue || c.waiting.awaited > 0):
			watch.overdue = false
			j.reading = true
			c.mu.Unlock()
			c.readOne()
			c.mu.Lock()
			j.reading = false
		default:
			watch.wait(c)
		}
	}
	c.jobs.wake() // for the other one to see it
}

// watch is what the idle worker knows of the other one.
type watch struct {
	timer *time.Timer
	// overdue: a command has been handled for long.
	overdue bool
	// quiet is how often in a row nothing had happened.
	quiet int
}

// wait waits until there may be work. c.mu is held.
func (w *watch) wait(c *Conn) {
	j := &c.jobs
	handling, done := j.handling, j.done
	j.asleep = !handling && w.quiet >= watchful
	asleep := j.asleep
	c.mu.Unlock()
	expired := false
	if asleep {
		<-j.kick
	} else {
		w.timer.Reset(patience)
		select {
		case <-j.kick:
		case <-w.timer.C:
			expired = true
		}
	}
	c.mu.Lock()
	j.asleep = false
	w.overdue = expired && handling && j.handling && j.done == done
	if expired && !handling && j.done == done {
		w.quiet++
	} else if !expired || j.done != done {
		w.quiet = 0
	}
}
