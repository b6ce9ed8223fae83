// SPDX-License-Identifier: Apache-2.0

package drivertest

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/regs"
)

// poke writes a register behind the driver's back.
func (b *bed) poke(t testing.TB, offset uint64, v uint32) {
	t.Helper()
	bar, err := b.fn.BAR(pcie.RegisterBAR)
	ok(t, err)
	ok(t, bar.Write32(offset, v))
}

// armVector arms vector v behind the driver's back.
func armVector(t testing.TB, b *bed, v int) {
	t.Helper()
	b.poke(t, regs.IntCauseOffset, 1<<v)
	b.poke(t, regs.IntArmOffset, 1<<v)
}

// testQueueError: a queue that the NIC stops says why, hands everything back and
// runs again; other queues do not notice.
func testQueueError(t *testing.T, h Harness) {
	for _, polling := range []bool{false, true} {
		b := h.open(t, driver.Options{Polling: polling, TXRing: 8, RXRing: 8})
		tx, rx := b.tx(t, 0), b.rx(t, 0)
		b.fill(t, 0, 5)
		ok(t, tx.Err())
		ok(t, rx.Err())
		b.poke(t, regs.TxqOffset(0)+regs.QueueTailOffset, 8) // not below the ring size
		b.poke(t, regs.RxqOffset(0)+regs.QueueTailOffset, 0xFFFF)
		for name, wait := range map[string]func(context.Context) error{"TX queue 0": tx.Wait, "RX queue 0": rx.Wait} {
			err := wait(b.ctx)
			var failed *driver.QueueError
			if !errors.As(err, &failed) || failed.Code != regs.QueueErrorBadTail || failed.Queue != name || !errors.Is(err, driver.ErrStopped) {
				t.Errorf("%s: %v", name, err)
			}
		}
		wants(t, "state of the queue", tx.Err(), driver.ErrStopped)
		_, err := tx.Post([]driver.TXPacket{b.packet(t, plainFrame(false, 40, 1))})
		wants(t, "post on a failed queue", err, driver.ErrStopped)

		other := plainFrame(false, 40, 2)
		if s := b.send(t, 1, b.packet(t, other)); s != driver.OK {
			t.Errorf("other queue: %v", s)
		}
		same(t, "frame of another queue", b.onWire(t, 1)[0], other)

		ok(t, tx.Stop(b.ctx))
		ok(t, rx.Stop(b.ctx))
		wants(t, "start with buffers", rx.Start(b.ctx), driver.ErrUncollected)
		if got := aborted(t, b, rx); got != 5 {
			t.Errorf("%d buffers came back aborted, want 5", got)
		}
		ok(t, b.StartQueues(b.ctx))
		ok(t, tx.Err())
		roundTrip(t, b)
	}
}

// aborted polls a stopped RX queue empty and returns how many buffers came
// without a frame.
func aborted(t testing.TB, b *bed, rx *driver.RXQueue) int {
	t.Helper()
	packets := make([]driver.RXPacket, 4)
	count := 0
	for {
		n, err := rx.Poll(packets)
		if n == 0 {
			if err != nil && !errors.Is(err, driver.ErrStopped) {
				t.Error(err)
			}
			return count
		}
		for _, p := range packets[:n] {
			if p.Status == driver.Aborted {
				count++
				if p.Frame() != nil {
					t.Error("an aborted buffer has a frame")
				}
			}
			ok(t, b.pool.Put(p.Buffer))
		}
	}
}

// roundTrip sends a frame and receives one on queue 0.
func roundTrip(t testing.TB, b *bed) {
	t.Helper()
	frame := plainFrame(true, 99, 5)
	if s := b.send(t, 0, b.packet(t, frame)); s != driver.OK {
		t.Errorf("send: %v", s)
	}
	same(t, "frame on the wire", b.onWire(t, 1)[0], frame)
	b.fill(t, 0, 1)
	b.inject(t, frame)
	same(t, "frame handed up", b.receive(t, 0, 1)[0].frame, frame)
}

// testStopStart: stopping finishes what was begun; starting begins at index 0.
func testStopStart(t *testing.T, h Harness) {
	b := h.open(t, driver.Options{TXRing: 16, RXRing: 16})
	tx, rx := b.tx(t, 0), b.rx(t, 0)
	for round := range 3 {
		b.fill(t, 0, 10)
		frame := plainFrame(false, 500, round)
		b.inject(t, frame, frame, frame)
		b.receive(t, 0, 2)
		var packets []driver.TXPacket
		for range 10 {
			packets = append(packets, b.packet(t, frame))
		}
		b.post(t, 0, packets...)
		ok(t, tx.Stop(b.ctx))
		ok(t, rx.Stop(b.ctx))
		ok(t, tx.Stop(b.ctx))
		wants(t, "post on a stopped queue", func() error { _, err := rx.Post([]*driver.Buffer{b.pool.Get()}); return err }(), driver.ErrStopped)
		wants(t, "start with buffers", tx.Start(b.ctx), driver.ErrUncollected)
		sent := 0
		for i, d := range b.done(t, 0, 10) {
			if d.Status == driver.OK && sent == i {
				sent++
			} else if d.Status != driver.Aborted {
				t.Errorf("descriptor %d: %v after %d were sent", i, d.Status, sent)
			}
		}
		for _, got := range b.onWire(t, sent) {
			same(t, "frame", got, frame)
		}
		b.silent(t)
		if got := aborted(t, b, rx); got != 7 && got != 8 {
			t.Errorf("%d buffers came back aborted, want 7 or 8", got)
		}
		ok(t, b.StartQueues(b.ctx))
		ok(t, b.StartQueues(b.ctx))
	}
	roundTrip(t, b)
}

// testDeleteUnderTraffic: while frames of an SA are queued it is deleted. Each
// frame is either sent whole or fails with StaleHandle, and once one has failed
// all later ones do; other SAs do not notice.
func testDeleteUnderTraffic(t *testing.T, h Harness) {
	b := h.open(t, driver.Options{ReportEvery: 1})
	for round := range 4 {
		doomed, other := newFlow(t, kind{keyLen: 32}, uint32(10+round)), newFlow(t, kind{keyLen: 16}, uint32(20+round))
		handles := map[*flow]driver.Handle{doomed: b.addSA(t, doomed.out), other: b.addSA(t, other.out)}
		const frames = 40
		var packets []driver.TXPacket
		var want [][]byte
		for i := range frames {
			f := doomed
			if i%4 == 3 {
				f = other
			}
			framed, info := f.frame(t, plainFrame(false, 300, i))
			want = append(want, f.sealed(t, framed, info))
			p := b.packet(t, framed)
			p.SA, p.ESPOffset = handles[f], info.ESPOffset
			packets = append(packets, p)
		}
		b.post(t, 0, packets...)
		b.relax(t, uint64(50*round))
		ok(t, b.DeleteSA(b.ctx, handles[doomed]))
		stale := 0
		var sent [][]byte
		for i, d := range b.done(t, 0, frames) {
			switch {
			case d.Status == driver.OK && (stale == 0 || i%4 == 3):
				sent = append(sent, want[i])
			case d.Status == driver.StaleHandle && i%4 != 3:
				stale++
			default:
				t.Errorf("frame %d: %v after %d stale ones", i, d.Status, stale)
			}
		}
		for i, got := range b.onWire(t, len(sent)) {
			same(t, "frame that was sent", got, sent[i])
		}
		ok(t, b.DeleteSA(b.ctx, handles[other]))
	}
	b.silent(t)
}

// testResetInTraffic: a reset in the middle of traffic of both directions loses
// nothing that was completed, reports the rest, and ends all access to host
// memory; then everything works again, and old handles stay dead.
func testResetInTraffic(t *testing.T, h Harness) {
	b := h.open(t, driver.Options{})
	for round := range 3 {
		f := newFlow(t, kind{keyLen: 16}, 77)
		out, in := b.addSA(t, f.out), b.addSA(t, f.in)
		b.fill(t, 0, 40)
		var packets []driver.TXPacket
		var expected [][]byte
		for i := range 40 {
			framed, info := f.frame(t, plainFrame(false, 700, i))
			p := b.packet(t, framed)
			p.SA, p.ESPOffset, p.Cookie = out, info.ESPOffset, uint64(i)
			packets = append(packets, p)
			onWire, handedUp := f.wire(t, 600, i)
			b.inject(t, onWire)
			expected = append(expected, handedUp)
		}
		b.post(t, 0, packets...)
		b.relax(t, uint64(150*round))
		ok(t, b.Reset(b.ctx))

		// From now on no byte of host memory changes.
		rx := b.rx(t, 0)
		packetsUp := make([]driver.RXPacket, 40)
		up, err := rx.Poll(packetsUp)
		if err != nil || up != 40 {
			t.Fatalf("%d of 40 buffers came back, error %v", up, err)
		}
		delivered := 0
		for i, p := range packetsUp {
			switch {
			case p.Status == driver.OK && delivered == i:
				same(t, "frame completed before the reset", p.Frame(), expected[i])
				delivered++
			case p.Status != driver.Aborted:
				t.Errorf("buffer %d: %v after %d frames", i, p.Status, delivered)
			}
			for j := range p.Buffer.Bytes() {
				p.Buffer.Bytes()[j] = 0xC3
			}
		}
		for i, d := range b.done(t, 0, 40) {
			if d.Cookie != uint64(i) || d.Status != driver.OK && d.Status != driver.Aborted {
				t.Errorf("descriptor %d: %+v", i, d)
			}
		}
		b.settle(t)
		for _, p := range packetsUp {
			if bad := bytes.IndexFunc(p.Buffer.Bytes(), func(r rune) bool { return r == 0 }); bad >= 0 || p.Buffer.Bytes()[0] != 0xC3 {
				t.Error("a buffer was written after the reset")
			}
			ok(t, b.pool.Put(p.Buffer))
		}
		for { // frames that were on their way
			got, err := b.wire.Receive()
			ok(t, err)
			if got == nil {
				break
			}
		}

		if s, err := b.Statistics(); err != nil || s.TXFrames != 0 || s.TXESP != 0 || s.RXESPOK != 0 {
			t.Errorf("statistics after a reset: %+v %v", s, err)
		}
		if len(b.ListSAs()) != 0 {
			t.Error("SAs are left after a reset")
		}
		wants(t, "old handle", b.DeleteSA(b.ctx, in), driver.ErrStaleHandle)
		ok(t, b.StartQueues(b.ctx))
		again := b.addSA(t, f.out)
		if again == out {
			t.Errorf("handle %v names another SA after a reset", again)
		}
		p := b.packet(t, make([]byte, 200))
		p.Length, p.SA, p.ESPOffset = 34+32+40, out, 34
		if s := b.send(t, 0, p); s != driver.StaleHandle {
			t.Errorf("send with a handle from before the reset: %v", s)
		}
		ok(t, b.DeleteSA(b.ctx, again))
		roundTrip(t, b)
	}
}

// testStatistics: every counter counts what it says.
func testStatistics(t *testing.T, h Harness) {
	b := h.open(t, driver.Options{})
	f := newFlow(t, kind{keyLen: 16}, 3)
	out := b.addSA(t, f.out)
	b.addSA(t, f.in)
	b.fill(t, 0, 30)
	var want driver.Statistics
	countTX := func(frame []byte) { want.TXFrames++; want.TXBytes += uint64(len(frame)) }
	for i := range 3 {
		frame := plainFrame(false, 50*i, i)
		b.send(t, 0, b.packet(t, frame))
		countTX(frame)
	}
	for i := range 5 {
		framed, info := f.frame(t, plainFrame(false, 30*i, i))
		p := b.packet(t, framed)
		p.SA, p.ESPOffset = out, info.ESPOffset
		b.send(t, 0, p)
		countTX(framed)
		want.TXESP++
	}
	short := b.packet(t, make([]byte, 20))
	short.Length = 2
	b.send(t, 0, short)
	want.TXBadDescriptor++
	p := b.packet(t, make([]byte, 200))
	p.Length, p.SA, p.ESPOffset = 34+32+40, out+1<<16, 34
	b.send(t, 0, p)
	want.TXStaleHandle++
	b.onWire(t, int(want.TXFrames))

	arrive := func(frame []byte, counter *uint64) {
		b.inject(t, frame)
		want.RXFrames++
		want.RXBytes += uint64(len(frame))
		*counter++
	}
	count := 0
	for i := range 4 {
		good, _ := f.wire(t, 100+i, i)
		arrive(good, &want.RXESPOK)
		count++
	}
	for i := range 3 {
		bad, _ := f.wire(t, 100+i, i)
		bad[len(bad)-1] ^= 1
		arrive(bad, &want.RXAuthFailed)
		count++
	}
	for i := range 2 {
		odd, _ := f.wire(t, 100+i, i)
		odd[17]--
		arrive(odd, &want.RXInvalidSyntax)
		count++
	}
	unknown, _ := newFlow(t, kind{keyLen: 16}, 999).wire(t, 80, 1)
	arrive(unknown, &want.RXNoSA)
	arrive(plainFrame(true, 80, 1), &want.RXUntouched)
	count += 2
	b.receive(t, 0, count)
	b.relax(t, quietCycles)
	got, err := b.Statistics()
	ok(t, err)
	if got != want {
		t.Errorf("statistics\n%+v\nwant\n%+v", got, want)
	}
}

// testTwoNICs: two independent NICs; what one encrypts the other decrypts, both
// ways at once.
func testTwoNICs(t *testing.T, h Harness) {
	left, right := h.open(t, driver.Options{}), h.open(t, driver.Options{})
	for i, k := range kinds()[:8] {
		for _, d := range []struct{ from, to *bed }{{left, right}, {right, left}} {
			f := newFlow(t, k, uint32(50+i))
			out, in := d.from.addSA(t, f.out), d.to.addSA(t, f.in)
			framed, info := f.frame(t, plainFrame(k.ipv6, 100*i, i))
			p := d.from.packet(t, framed)
			p.SA, p.ESPOffset, p.Sequence = out, info.ESPOffset, info.Sequence
			if s := d.from.send(t, 0, p); s != driver.OK {
				t.Fatalf("%v: %v", k, s)
			}
			onWire := d.from.onWire(t, 1)[0]
			d.to.fill(t, 0, 1)
			d.to.inject(t, onWire)
			copy(framed[info.ESPOffset+8:], onWire[info.ESPOffset+8:info.ESPOffset+16])
			copy(framed[len(framed)-16:], onWire[len(onWire)-16:])
			expect(t, d.to.receive(t, 0, 1)[0], f, in, framed)
		}
	}
}

// testClose: afterwards everything says so, and the NIC holds no SA.
func testClose(t *testing.T, h Harness) {
	d := h.Open(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	n, err := driver.Open(ctx, d.Function, h.options(driver.Options{}))
	ok(t, err)
	pool, err := driver.NewPool(d.Function, 8, 2048)
	ok(t, err)
	tx, err := n.TX(0)
	ok(t, err)
	rx, err := n.RX(0)
	ok(t, err)
	f := newFlow(t, kind{keyLen: 16}, 3)
	handle, err := n.AddSA(ctx, f.in)
	ok(t, err)
	if _, err := rx.Post([]*driver.Buffer{pool.Get(), pool.Get()}); err != nil {
		t.Fatal(err)
	}
	ok(t, n.Close())
	ok(t, n.Close())
	buf := pool.Get()
	for name, call := range map[string]func() error{
		"AddSA":         func() error { _, err := n.AddSA(ctx, f.in); return err },
		"DeleteSA":      func() error { return n.DeleteSA(ctx, handle) },
		"UpdateSA":      func() error { return n.UpdateSA(ctx, handle, 1) },
		"ReadSA":        func() error { _, err := n.ReadSA(ctx, handle); return err },
		"Reset":         func() error { return n.Reset(ctx) },
		"SetIPsec":      func() error { return n.SetIPsec(true) },
		"SetLoopback":   func() error { return n.SetLoopback(ctx, true) },
		"SetModeration": func() error { return n.SetModeration(driver.Moderation{}) },
		"Statistics":    func() error { _, err := n.Statistics(); return err },
		"Cycles":        func() error { _, err := n.Cycles(); return err },
		"StartQueues":   func() error { return n.StartQueues(ctx) },
		"TX Post":       func() error { _, err := tx.Post([]driver.TXPacket{{Buffer: buf, Length: 60}}); return err },
		"TX Poll":       func() error { _, err := tx.Poll(make([]driver.TXDone, 1)); return err },
		"TX Wait":       func() error { return tx.Wait(ctx) },
		"TX Stop":       func() error { return tx.Stop(ctx) },
		"TX Start":      func() error { return tx.Start(ctx) },
		"TX Err":        tx.Err,
		"RX Post":       func() error { _, err := rx.Post([]*driver.Buffer{buf}); return err },
		"RX Poll":       func() error { _, err := rx.Poll(make([]driver.RXPacket, 1)); return err },
		"RX Wait":       func() error { return rx.Wait(ctx) },
	} {
		wants(t, name, call(), driver.ErrClosed)
	}
	bar, err := d.Function.BAR(pcie.RegisterBAR)
	ok(t, err)
	v, err := bar.Read32(regs.StatusOffset)
	ok(t, err)
	if s := regs.Status(v); !s.Zeroised() || !s.Ready() {
		t.Errorf("STATUS is %#x after Close", v)
	}
	ok(t, pool.Close())
	ok(t, d.Function.Close())
}
