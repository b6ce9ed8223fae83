// SPDX-License-Identifier: Apache-2.0

package drivertest

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"github.com/espalier-nic/espalier/driver"
)

// testLoopback: frames sent come back decrypted, and the wire is silent.
func testLoopback(t *testing.T, h Harness) {
	b := h.open(t, driver.Options{Loopback: true})
	var want [][]byte
	var flows []*flow
	var handles []driver.Handle
	b.fill(t, 0, 40)
	for i, k := range kinds() {
		f := newFlow(t, k, uint32(0x100+i))
		out, in := b.addSA(t, f.out), b.addSA(t, f.in)
		framed, info := f.frame(t, plainFrame(k.ipv6, 20*i, i))
		onWire := f.sealed(t, framed, info)
		p := b.packet(t, framed)
		p.SA, p.ESPOffset, p.Sequence = out, info.ESPOffset, info.Sequence
		if s := b.send(t, 0, p); s != driver.OK {
			t.Fatalf("%v: %v", k, s)
		}
		copy(framed[info.ESPOffset+8:], onWire[info.ESPOffset+8:info.ESPOffset+16])
		copy(framed[len(framed)-16:], onWire[len(onWire)-16:])
		want, flows, handles = append(want, framed), append(flows, f), append(handles, in)
	}
	for i, got := range b.receive(t, 0, len(want)) {
		expect(t, got, flows[i], handles[i], want[i])
	}
	b.inject(t, plainFrame(false, 40, 1)) // ignored
	b.silent(t)
	ok(t, b.SetLoopback(b.ctx, false))
	frame := plainFrame(false, 40, 2)
	if s := b.send(t, 0, b.packet(t, frame)); s != driver.OK {
		t.Errorf("without loopback: %v", s)
	}
	same(t, "frame on the wire", b.onWire(t, 1)[0], frame)
	b.inject(t, frame)
	untouched(t, "frame from the wire", b.receive(t, 0, 1)[0], 0, driver.IPsecWords{}, frame)
}

// testRingWrap: both rings of both directions wrap many times, in batches of all
// sizes, with completions for all, some and few descriptors.
func testRingWrap(t *testing.T, h Harness) {
	for _, report := range []int{1, 3, 7} {
		for _, batch := range []int{1, 4} {
			t.Run(fmt.Sprintf("report every %d, batches of %d", report, batch), func(t *testing.T) {
				b := h.open(t, driver.Options{TXRing: 8, RXRing: 8, ReportEvery: report, CompletionBatch: batch, Loopback: true})
				const frames = 70
				sent, back := 0, 0
				for size := 1; back < frames; size = size%7 + 1 {
					size := min(size, frames-sent)
					b.fill(t, 0, size)
					var packets []driver.TXPacket
					for range size {
						packets = append(packets, b.packet(t, plainFrame(false, 26, sent)))
						packets[len(packets)-1].Cookie = uint64(sent)
						sent++
					}
					b.post(t, 0, packets...)
					for i, d := range b.done(t, 0, size) {
						if d.Status != driver.OK || d.Cookie != uint64(back+i) {
							t.Fatalf("descriptor %d: %+v", back+i, d)
						}
					}
					for i, got := range b.receive(t, 0, size) {
						same(t, "frame", got.frame, plainFrame(false, 26, back+i))
					}
					back += size
				}
			})
		}
	}
}

// testRingFull: a ring takes one less than its size, says so, and goes on.
func testRingFull(t *testing.T, h Harness) {
	b := h.open(t, driver.Options{TXRing: 8, RXRing: 8})
	tx := b.tx(t, 0)
	var packets []driver.TXPacket
	for i := range 20 {
		packets = append(packets, b.packet(t, plainFrame(false, 100, i)))
	}
	n, err := tx.Post(packets)
	if n != 7 || err != nil || tx.Outstanding() != 7 {
		t.Fatalf("ring of 8 took %d, error %v, %d outstanding", n, err, tx.Outstanding())
	}
	for posted := n; posted < 20; {
		if err := tx.Wait(b.ctx); err != nil {
			t.Fatal(err)
		}
		b.done(t, 0, 1)
		n, err := tx.Post(packets[posted:])
		ok(t, err)
		posted += n
	}
	b.done(t, 0, tx.Outstanding())
	for i, got := range b.onWire(t, 20) {
		same(t, "frame", got, plainFrame(false, 100, i))
	}
	buffers := make([]*driver.Buffer, 10)
	b.pool.Fill(buffers)
	if n, err := b.rx(t, 0).Post(buffers); n != 7 || err != nil {
		t.Errorf("ring of 8 took %d buffers, error %v", n, err)
	}
}

// testBufferOwnership: a buffer has one owner; who is not it is refused.
func testBufferOwnership(t *testing.T, h Harness) {
	b := h.open(t, driver.Options{})
	tx, rx := b.tx(t, 0), b.rx(t, 0)
	buf := b.pool.Get()
	n, err := rx.Post([]*driver.Buffer{buf, buf})
	if n != 1 {
		t.Errorf("posted %d", n)
	}
	wants(t, "posting twice", err, driver.ErrBuffer)
	_, err = tx.Post([]driver.TXPacket{{Buffer: buf, Length: 60}})
	wants(t, "posting the NIC's buffer", err, driver.ErrBuffer)
	wants(t, "putting the NIC's buffer", b.pool.Put(buf), driver.ErrBuffer)
	_, err = rx.Post([]*driver.Buffer{nil})
	wants(t, "no buffer", err, driver.ErrBuffer)
	other := b.pool.Get()
	for _, p := range []driver.TXPacket{
		{Length: 60},
		{Buffer: other, Length: len(other.Bytes()) + 1},
		{Buffer: other, Offset: -1, Length: 60},
		{Buffer: other, Length: -1},
		{Buffer: other, Offset: len(other.Bytes()) - 10, Length: 60},
	} {
		n, err := tx.Post([]driver.TXPacket{p})
		if n != 0 {
			t.Errorf("%+v was posted", p)
		}
		wants(t, "unusable buffer", err, driver.ErrBuffer)
	}
	// The good one before a bad one is posted and completes.
	n, err = tx.Post([]driver.TXPacket{b.packet(t, plainFrame(false, 40, 1)), {Length: 1}, b.packet(t, plainFrame(false, 40, 2))})
	if n != 1 {
		t.Errorf("posted %d", n)
	}
	wants(t, "packet without buffer", err, driver.ErrBuffer)
	b.done(t, 0, 1)
	ok(t, b.pool.Put(other))
	wants(t, "putting twice", b.pool.Put(other), driver.ErrBuffer)
	wants(t, "putting nothing", b.pool.Put(nil), driver.ErrBuffer)
	wants(t, "putting a stranger", b.pool.Put(driver.NewBuffer(make([]byte, 64), 0)), driver.ErrBuffer)
}

// testAllQueues: all queues at once, each with SAs of its own; nothing is lost,
// mixed up or out of order within a queue.
func testAllQueues(t *testing.T, h Harness) {
	b := h.open(t, driver.Options{Loopback: true})
	const perQueue = 24
	type lane struct {
		flow    *flow
		in      driver.Handle
		packets []driver.TXPacket
		want    [][]byte
	}
	lanes := make([]lane, min(b.TXQueues(), b.RXQueues()))
	for q := range lanes {
		f := newFlow(t, kinds()[q*5%len(kinds())], uint32(0x500+q))
		f.in.RXQueue = q
		l := lane{flow: f, in: b.addSA(t, f.in)}
		out := b.addSA(t, f.out)
		b.fill(t, q, perQueue)
		for i := range perQueue {
			framed, info := f.frame(t, plainFrame(f.ipv6, 10+37*i, q*100+i))
			p := b.packet(t, framed)
			p.SA, p.ESPOffset, p.Sequence = out, info.ESPOffset, info.Sequence
			l.packets = append(l.packets, p)
			onWire := f.sealed(t, framed, info)
			copy(framed[info.ESPOffset+8:], onWire[info.ESPOffset+8:info.ESPOffset+16])
			copy(framed[len(framed)-16:], onWire[len(onWire)-16:])
			l.want = append(l.want, framed)
		}
		lanes[q] = l
	}
	for i := 0; i < perQueue; i += 8 { // so that all rings fill up together
		for q := range lanes {
			b.post(t, q, lanes[q].packets[i:i+8]...)
		}
	}
	for q, l := range lanes {
		for i, d := range b.done(t, q, perQueue) {
			if d.Status != driver.OK {
				t.Errorf("queue %d, descriptor %d: %v", q, i, d.Status)
			}
		}
		for i, got := range b.receive(t, q, perQueue) {
			expect(t, got, l.flow, l.in, l.want[i])
		}
	}
}

// testPostWhilePolling: goroutines of their own post, complete and receive.
func testPostWhilePolling(t *testing.T, h Harness) {
	b := h.open(t, driver.Options{Loopback: true, TXRing: 16, RXRing: 16})
	const frames = 200
	var all []driver.TXPacket
	for i := range frames {
		all = append(all, b.packet(t, plainFrame(false, 30, i)))
	}
	b.fill(t, 0, 15)
	credit := make(chan struct{}, 8) // no more under way than there are RX buffers
	tx, rx := b.tx(t, 0), b.rx(t, 0)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		packets := make([]driver.RXPacket, 8)
		for got := 0; got < frames; {
			n, err := rx.Poll(packets)
			if err == nil && n == 0 {
				err = rx.Wait(b.ctx)
			}
			for i := range packets[:n] {
				if !bytes.Equal(packets[i].Frame(), plainFrame(false, 30, got)) {
					t.Errorf("frame %d is another", got)
				}
				got++
				if _, failed := rx.Post([]*driver.Buffer{packets[i].Buffer}); failed != nil {
					err = failed
				}
				<-credit
			}
			if err != nil {
				t.Errorf("after %d frames: %v", got, err)
				return
			}
		}
	})
	wg.Go(func() {
		for i := range all {
			select {
			case credit <- struct{}{}:
			case <-b.ctx.Done():
				t.Errorf("frame %d cannot be posted", i)
				return
			}
			for posted := 0; posted == 0; {
				var err error
				if posted, err = tx.Post(all[i : i+1]); err != nil {
					t.Errorf("post %d: %v", i, err)
					return
				}
			}
		}
	})
	b.done(t, 0, frames)
}
