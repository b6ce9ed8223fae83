// SPDX-License-Identifier: Apache-2.0

package drivertest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/regs"
)

// nowhere is an address that no DMA memory has: the upper half of a register
// pair is turned into it.
const nowhere = 0x7F0000

// lateReport bounds how long after an access a report of it comes that may not
// come at all.
const lateReport = 50 * time.Millisecond

// takeFaults checks that the device was refused something, and forgets it.
func (b *bed) takeFaults(t testing.TB, write bool) {
	t.Helper()
	limit := patience
	if b.h.UnseenFaults {
		limit, b.refused = lateReport, true
	}
	for start := time.Now(); time.Since(start) < limit; b.relax(t, 0) {
		faults, err := b.fn.Faults()
		ok(t, err)
		for _, f := range faults {
			// One that comes late may be about what was refused before.
			if f.Write != write && !b.h.UnseenFaults {
				t.Errorf("fault %+v, want write %v", f, write)
			}
		}
		if slices.ContainsFunc(faults, func(f pcie.Fault) bool { return f.Write == write }) {
			return
		}
	}
	if b.h.UnseenFaults {
		leaveOut(t, "the function's report of a refused access")
	} else {
		t.Error("no fault is reported")
	}
}

// noFaults checks that the device was refused nothing, or nothing more.
func (b *bed) noFaults(t testing.TB) {
	t.Helper()
	faults, err := b.fn.Faults()
	if err != nil || len(faults) != 0 && !b.refused {
		t.Errorf("device faults %+v, error %v", faults, err)
	}
}

// testFrameBusErrors: a frame that cannot be read is not sent, one that cannot
// be written is reported as lost; what comes after is not disturbed.
func testFrameBusErrors(t *testing.T, h Harness) {
	if h.NoFaults {
		leaveOut(t, "accesses by the device to memory that is not there")
		return
	}
	b := h.open(t, driver.Options{})
	f := newFlow(t, kind{keyLen: 16}, 3)
	out, in := b.addSA(t, f.out), b.addSA(t, f.in)
	lost := driver.NewBuffer(make([]byte, bufferSize), nowhere<<32)

	framed, info := f.frame(t, plainFrame(false, 300, 1))
	good := plainFrame(false, 80, 2)
	bad := driver.TXPacket{Buffer: lost, Length: len(framed), SA: out, ESPOffset: info.ESPOffset}
	sealed := driver.TXPacket{Buffer: b.buffer(t, framed), Length: len(framed), SA: out, ESPOffset: info.ESPOffset}
	packets := []driver.TXPacket{b.packet(t, good), bad, sealed}
	b.post(t, 0, packets...)
	done := make([]driver.TXDone, 3)
	for n := 0; n < 3; {
		ok(t, b.tx(t, 0).Wait(b.ctx))
		got, err := b.tx(t, 0).Poll(done[n:])
		ok(t, err)
		n += got
	}
	for i, want := range []driver.Status{driver.OK, driver.DMARead, driver.OK} {
		if done[i].Status != want {
			t.Errorf("frame %d: %v, want %v", i, done[i].Status, want)
		}
		if err := done[i].Status.Err(); errors.Is(err, driver.ErrDMA) != (want == driver.DMARead) {
			t.Errorf("frame %d: error %v", i, err)
		}
	}
	frames := b.onWire(t, 2)
	same(t, "frame before", frames[0], good)
	same(t, "frame after", frames[1], f.sealed(t, framed, info))
	b.silent(t)
	b.takeFaults(t, false)

	if n, err := b.rx(t, 0).Post([]*driver.Buffer{lost}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	b.fill(t, 0, 1)
	onWire, handedUp := f.wire(t, 200, 4)
	b.inject(t, onWire, onWire)
	received := make([]driver.RXPacket, 2)
	for n := 0; n < 2; {
		ok(t, b.rx(t, 0).Wait(b.ctx))
		got, err := b.rx(t, 0).Poll(received[n:])
		ok(t, err)
		n += got
	}
	if p := received[0]; p.Status != driver.DMAWrite || p.Frame() != nil {
		t.Errorf("frame that was lost: %v, %d bytes", p.Status, len(p.Frame()))
	}
	same(t, "frame after the lost one", received[1].Frame(), handedUp)
	if received[1].SA != in {
		t.Errorf("SA %v, want %v", received[1].SA, in)
	}
	b.takeFaults(t, true)
	s, err := b.Statistics()
	ok(t, err)
	if s.TXDMAError != 1 || s.RXDMAError != 1 || s.TXFrames != 2 {
		t.Errorf("statistics %+v", s)
	}
}

// misled is a function whose device is told a wrong address: writes of one
// register lead nowhere while on.
type misled struct {
	pcie.Function
	offset uint64
	on     bool
}

func (m *misled) BAR(n int) (pcie.BAR, error) {
	bar, err := m.Function.BAR(n)
	return misledBAR{bar, m}, err
}

type misledBAR struct {
	pcie.BAR
	m *misled
}

func (b misledBAR) Write32(offset uint64, v uint32) error {
	if b.m.on && offset == b.m.offset {
		v = nowhere
	}
	return b.BAR.Write32(offset, v)
}

// testRingBusErrors: a ring that cannot be reached stops its queue with a typed
// error; other queues run on, and so does the queue once the ring is well.
func testRingBusErrors(t *testing.T, h Harness) {
	if h.NoFaults {
		leaveOut(t, "accesses by the device to memory that is not there")
		return
	}
	for _, c := range []struct {
		name   string
		page   uint64
		offset uint64
		code   regs.QueueError
		write  bool
	}{
		{"TX queue 0", regs.TxqOffset(0), regs.QueueRingHiOffset, regs.QueueErrorDescRead, false},
		{"TX queue 0", regs.TxqOffset(0), regs.QueueCplHiOffset, regs.QueueErrorCplWrite, true},
		{"RX queue 0", regs.RxqOffset(0), regs.QueueRingHiOffset, regs.QueueErrorDescRead, false},
		{"RX queue 0", regs.RxqOffset(0), regs.QueueCplHiOffset, regs.QueueErrorCplWrite, true},
	} {
		t.Run(c.name+" "+c.code.String(), func(t *testing.T) {
			d := h.Open(t)
			t.Cleanup(func() { ok(t, d.Function.Close()) })
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			t.Cleanup(cancel)
			lead := &misled{Function: d.Function, offset: c.page + c.offset, on: true}
			b := h.attach(t, ctx, Device{lead, d.Wire}, driver.Options{TXRing: 8, RXRing: 8})
			frame := plainFrame(false, 60, 1)
			tx, rx := b.tx(t, 0), b.rx(t, 0)
			wait, stop := tx.Wait, tx.Stop
			b.fill(t, 0, 2)
			if c.page == regs.TxqOffset(0) {
				b.post(t, 0, b.packet(t, frame), b.packet(t, frame))
			} else {
				wait, stop = rx.Wait, rx.Stop
				b.inject(t, frame)
			}
			var failed *driver.QueueError
			if err := wait(ctx); !errors.As(err, &failed) || failed.Code != c.code || failed.Queue != c.name {
				t.Fatalf("error %v, want %v", err, c.code)
			}
			if !errors.Is(failed, driver.ErrDMA) || !errors.Is(failed, driver.ErrStopped) {
				t.Errorf("error %v is not one of memory", failed)
			}
			b.takeFaults(t, c.write)
			if s := b.send(t, 1, b.packet(t, frame)); s != driver.OK {
				t.Errorf("other queue: %v", s)
			}
			ok(t, stop(ctx))
			lead.on = false
			ok(t, tx.Stop(ctx))
			ok(t, rx.Stop(ctx))
			if c.page == regs.TxqOffset(0) {
				for i, done := range b.done(t, 0, 2) {
					if done.Status != driver.Aborted {
						t.Errorf("descriptor %d: %v", i, done.Status)
					}
				}
			}
			if got := aborted(t, b, rx); got != 2 {
				t.Errorf("%d buffers came back aborted, want 2", got)
			}
			b.settle(t)
			for range 3 { // what the queues have sent
				if _, err := b.wire.Receive(); err != nil {
					t.Error(err)
				}
			}
			ok(t, b.StartQueues(ctx))
			roundTrip(t, b)
			b.noFaults(t)
		})
	}
}
