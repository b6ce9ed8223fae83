// SPDX-License-Identifier: Apache-2.0

package drivertest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/pcie"
)

// testInterrupts: traffic one frame at a time, by interrupts and by polling.
func testInterrupts(t *testing.T, h Harness) {
	for _, polling := range []bool{false, true} {
		b := h.open(t, driver.Options{Loopback: true, Polling: polling})
		if want := !polling && !h.NoInterrupts; b.Interrupts() != want {
			t.Errorf("polling %v, interrupts %v, want %v", polling, b.Interrupts(), want)
		}
		for i := range 30 {
			b.fill(t, 0, 1)
			b.post(t, 0, b.packet(t, plainFrame(false, 30, i)))
			got := b.receive(t, 0, 1)[0]
			same(t, "frame", got.frame, plainFrame(false, 30, i))
			b.done(t, 0, 1)
		}
	}
}

// oneVector is a function with a single interrupt vector.
type oneVector struct{ pcie.Function }

func (f oneVector) Info() pcie.Info {
	info := f.Function.Info()
	info.Vectors = 1
	return info
}

// testSharedVector: several queues wait on one vector at the same time, and each
// wakes up for its own frames.
func testSharedVector(t *testing.T, h Harness) {
	d := h.Open(t)
	t.Cleanup(func() { ok(t, d.Function.Close()) })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	b := h.attach(t, ctx, Device{oneVector{d.Function}, d.Wire}, driver.Options{Loopback: true})
	const frames = 20
	queues := b.RXQueues()
	var wg sync.WaitGroup
	defer wg.Wait()
	outs := make([]driver.Handle, queues)
	flows := make([]*flow, queues)
	for q := range queues {
		flows[q] = newFlow(t, kind{keyLen: 16}, uint32(1+q))
		flows[q].in.RXQueue = q
		outs[q] = b.addSA(t, flows[q].out)
		b.addSA(t, flows[q].in)
		b.fill(t, q, frames)
		rx := b.rx(t, q)
		wg.Go(func() {
			packets := make([]driver.RXPacket, 4)
			for got := 0; got < frames; {
				n, err := rx.Poll(packets)
				if err == nil && n == 0 {
					err = rx.Wait(ctx)
				}
				if err != nil {
					t.Errorf("%v after %d frames: %v", rx, got, err)
					return
				}
				got += n
			}
		})
	}
	for range frames {
		for q := range queues {
			framed, info := flows[q].frame(t, plainFrame(false, 40, q))
			p := b.packet(t, framed)
			p.SA, p.ESPOffset = outs[q], info.ESPOffset
			if s := b.send(t, 0, p); s != driver.OK {
				t.Errorf("queue %d: %v", q, s)
			}
		}
	}
}

// testModeration: an interrupt waits for the stated count, or for the time.
func testModeration(t *testing.T, h Harness) {
	b := h.open(t, driver.Options{})
	f := plainFrame(false, 40, 1)
	clocked, isClocked := b.fn.(pcie.Clocked)

	// Count: with eight events asked for, Wait returns when there are eight.
	ok(t, b.SetModeration(driver.Moderation{Count: 8, Cycles: 1 << 19}))
	b.fill(t, 0, 16)
	b.inject(t, f, f, f, f, f, f, f, f)
	ok(t, b.rx(t, 0).Wait(b.ctx))
	// What came before the interrupt is visible already without it, so the
	// event is counted by the time that passes when only seven come.
	b.receive(t, 0, 8)

	// Time: one event of two, so the timer must fire, not before it is due.
	const cycles = 8000
	ok(t, b.SetModeration(driver.Moderation{Count: 100, Cycles: cycles}))
	if h.NoInterrupts {
		leaveOut(t, "the time at which an interrupt comes")
		b.inject(t, f)
	} else {
		v := b.TXQueues() % b.fn.Info().Vectors // the vector of RX queue 0
		drain(t, b, v)
		b.inject(t, f)
		var start uint64
		if isClocked {
			start = clocked.Cycle()
		}
		if n, err := b.fn.WaitInterrupt(b.ctx, v); err != nil || n != 1 {
			t.Fatalf("%d interrupts, error %v", n, err)
		}
		if isClocked {
			if took := clocked.Cycle() - start; took < cycles || took > cycles+quietCycles {
				t.Errorf("interrupt after %d cycles, want %d and the frame's own", took, cycles)
			}
		}
	}
	b.receive(t, 0, 1)

	for _, m := range []driver.Moderation{{Count: -1}, {Count: 256}, {Cycles: -1}, {Cycles: 1 << 20}} {
		wants(t, "moderation out of range", b.SetModeration(m), driver.ErrInvalid)
	}
}

// drain arms vector v and takes interrupts that are left, so that the next event
// is the first.
func drain(t testing.TB, b *bed, v int) {
	t.Helper()
	armVector(t, b, v)
	b.relax(t, quietCycles*4)
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Millisecond)
	defer cancel()
	for {
		if _, err := b.fn.WaitInterrupt(ctx, v); err != nil {
			break
		}
	}
	armVector(t, b, v)
}

// testWaitEnds: a wait ends with its context, when its queue is stopped, and
// when the NIC is closed.
func testWaitEnds(t *testing.T, h Harness) {
	for _, polling := range []bool{false, true} {
		b := h.open(t, driver.Options{Polling: polling})
		cancelled, cancel := context.WithCancel(context.Background())
		cancel()
		wants(t, "cancelled", b.rx(t, 0).Wait(cancelled), context.Canceled)
		short, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		wants(t, "deadline", b.tx(t, 0).Wait(short), context.DeadlineExceeded)

		waits := make(chan error)
		wait := func(wait func(context.Context) error) { waits <- wait(b.ctx) }
		go wait(b.rx(t, 1).Wait)
		time.Sleep(20 * time.Millisecond)
		ok(t, b.rx(t, 1).Stop(b.ctx))
		wants(t, "stopped queue", <-waits, driver.ErrStopped)

		go wait(b.rx(t, 0).Wait)
		go wait(b.tx(t, 0).Wait)
		time.Sleep(20 * time.Millisecond)
		ok(t, b.NIC.Close())
		wants(t, "closed NIC", <-waits, driver.ErrClosed)
		wants(t, "closed NIC", <-waits, driver.ErrClosed)
	}
}
