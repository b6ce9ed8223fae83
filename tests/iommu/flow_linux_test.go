// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package iommu

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/espframe"
	"github.com/espalier-nic/espalier/hwmodel/esp"
)

// flowBurst is how many frames of a flow are under way at a time.
const flowBurst = 4

var (
	flowSrc = netip.MustParseAddr("192.0.2.1")
	flowDst = netip.MustParseAddr("192.0.2.2")
)

// flow is traffic under one SA from a queue of one card to a queue of the other,
// which goes on until it is stopped. The golden model judges every frame.
type flow struct {
	name     string
	from, to *card
	tx       *driver.TXQueue
	rx       *driver.RXQueue
	framer   *espframe.Framer
	out, in  *esp.SA
	sender   driver.Handle
	receiver driver.Handle
	rng      *rand.Rand

	judged atomic.Int64
	stop   context.CancelFunc
	ended  chan error
}

// startFlow starts traffic between the queues with number q of two cards.
func startFlow(t testing.TB, ctx context.Context, from, to *card, q int, spi uint32) *flow {
	t.Helper()
	f := &flow{name: fmt.Sprintf("%s to %s", from.address, to.address), from: from, to: to, rng: rand.New(rand.NewPCG(uint64(spi), 0)), ended: make(chan error, 1)}
	key, salt := make([]byte, 32), [4]byte{1, 2, 3, byte(spi)}
	for i := range key {
		key[i] = byte(f.rng.Uint32())
	}
	var err error
	f.tx, err = from.nic.TX(q)
	ok(t, err)
	f.rx, err = to.nic.RX(q)
	ok(t, err)
	f.framer, err = espframe.New(espframe.Config{SPI: spi, Src: flowSrc, Dst: flowDst})
	ok(t, err)
	params := esp.Params{SPI: spi, Src: flowSrc, Dst: flowDst, Key: key, Salt: salt}
	f.out, err = esp.NewSA(params)
	ok(t, err)
	params.Inbound = true
	f.in, err = esp.NewSA(params)
	ok(t, err)
	sa := driver.SA{SPI: spi, Src: flowSrc, Dst: flowDst, Key: key, Salt: salt, RXQueue: q}
	f.sender, err = from.nic.AddSA(ctx, sa)
	ok(t, err)
	sa.Inbound = true
	f.receiver, err = to.nic.AddSA(ctx, sa)
	ok(t, err)
	ok(t, f.feed(2*flowBurst))
	running, cancel := context.WithCancel(ctx)
	f.stop = cancel
	go func() { f.ended <- f.run(ctx, running) }()
	return f
}

// feed gives the receiving queue n buffers, and sees to it that the card knows of
// them before the other one sends.
func (f *flow) feed(n int) error {
	buffers := make([]*driver.Buffer, n)
	if got := f.to.pool.Fill(buffers); got != n {
		return fmt.Errorf("%d of %d buffers are left", got, n)
	}
	if got, err := f.rx.Post(buffers); got != n || err != nil {
		return fmt.Errorf("%d of %d buffers posted: %w", got, n, err)
	}
	_, err := f.to.nic.Cycles() // a read comes back after the writes before it
	return err
}

// run sends bursts, and judges them, until running ends.
func (f *flow) run(ctx, running context.Context) error {
	for running.Err() == nil {
		if err := f.burst(ctx); err != nil {
			return fmt.Errorf("traffic %s, after %d good frames: %w", f.name, f.judged.Load(), err)
		}
	}
	return nil
}

// expected is a frame under way: what the golden model has the receiver hand up.
type expected struct {
	plain, delivered []byte
	verdict          esp.Verdict
}

func (f *flow) burst(ctx context.Context) error {
	var packets [flowBurst]driver.TXPacket
	var want [flowBurst]expected
	for i := range packets {
		plain := plainFrame(f.rng, 20+f.rng.IntN(700))
		buffer := f.from.pool.Get()
		if buffer == nil {
			return fmt.Errorf("no buffer left")
		}
		info, err := f.framer.Frame(buffer.Bytes(), plain)
		if err != nil {
			return err
		}
		packets[i] = driver.TXPacket{Buffer: buffer, Length: info.Length, SA: f.sender, ESPOffset: info.ESPOffset, Sequence: info.Sequence}
		wire := bytes.Clone(buffer.Bytes()[:info.Length])
		if err := f.out.SealInPlace(wire, info.ESPOffset, 0); err != nil {
			return err
		}
		want[i].plain = plain
		want[i].delivered, want[i].verdict = esp.Open(nil, wire, func(*esp.Selector) *esp.SA { return f.in })
	}
	if n, err := f.tx.Post(packets[:]); n != flowBurst || err != nil {
		return fmt.Errorf("%d of %d frames posted: %w", n, flowBurst, err)
	}
	if err := f.sent(ctx); err != nil {
		return err
	}
	return f.received(ctx, want[:])
}

// sent waits until the burst has left.
func (f *flow) sent(ctx context.Context) error {
	var done [flowBurst]driver.TXDone
	for left := flowBurst; left > 0; {
		n, err := f.tx.Poll(done[:left])
		if err == nil && n == 0 {
			err = f.tx.Wait(ctx)
		}
		if err != nil {
			return err
		}
		for _, d := range done[:n] {
			if err := d.Status.Err(); err != nil {
				return err
			}
			if err := f.from.pool.Put(d.Buffer); err != nil {
				return err
			}
		}
		left -= n
	}
	return nil
}

// received waits for the burst and judges it.
func (f *flow) received(ctx context.Context, want []expected) error {
	var packets [flowBurst]driver.RXPacket
	for len(want) > 0 {
		n, err := f.rx.Poll(packets[:len(want)])
		if err == nil && n == 0 {
			err = f.rx.Wait(ctx)
		}
		if err != nil {
			return err
		}
		for i := range packets[:n] {
			if err := f.judge(&packets[i], &want[i]); err != nil {
				return err
			}
			if err := f.to.pool.Put(packets[i].Buffer); err != nil {
				return err
			}
		}
		if n > 0 {
			if err := f.feed(n); err != nil {
				return err
			}
		}
		want = want[n:]
	}
	return nil
}

func (f *flow) judge(p *driver.RXPacket, want *expected) error {
	switch frame := p.Frame(); {
	case p.Status != driver.OK || p.SA != f.receiver:
		return fmt.Errorf("frame has status %v and SA %v, right is %v", p.Status, p.SA, f.receiver)
	case p.IPsec.Slot1() != want.verdict.Word1() || p.IPsec.Slot12() != want.verdict.Word12():
		return fmt.Errorf("frame has the words %#x and %#x, the golden model says %#x and %#x", p.IPsec.Slot1(), p.IPsec.Slot12(), want.verdict.Word1(), want.verdict.Word12())
	case !bytes.Equal(frame, want.delivered):
		return fmt.Errorf("frame is\n%x, the golden model says\n%x", frame, want.delivered)
	}
	plain, err := espframe.Strip(make([]byte, len(want.delivered)), p.Frame(), espframe.Transport, espframe.Trailer{NextHeader: p.IPsec.NextHeader, PadLength: p.IPsec.PadLength})
	if err != nil {
		return err
	}
	if plain.Length != len(want.plain) {
		return fmt.Errorf("packet has %d bytes, %d were sent", plain.Length, len(want.plain))
	}
	f.judged.Add(1)
	return nil
}

// progress waits until so many more frames were judged, all of them good.
func (f *flow) progress(t testing.TB, more int64) {
	t.Helper()
	for goal, deadline := f.judged.Load()+more, time.Now().Add(patience); f.judged.Load() < goal; time.Sleep(time.Millisecond) {
		select {
		case err := <-f.ended:
			f.ended <- err
			t.Fatalf("traffic has ended: %v", err)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("traffic %s stands still after %d frames", f.name, f.judged.Load())
		}
	}
}

// finish ends the traffic.
func (f *flow) finish(t testing.TB) {
	t.Helper()
	f.stop()
	if err := <-f.ended; err != nil {
		t.Error(err)
	}
	t.Logf("traffic %s: %d frames, all as the golden model says", f.name, f.judged.Load())
}

// plainFrame is an Ethernet frame with an IPv4 packet with size random bytes of
// payload of protocol 253 (RFC 3692, for experiments).
func plainFrame(rng *rand.Rand, size int) []byte {
	frame := []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 0, byte(rng.Uint32()), byte(rng.Uint32()), 0x40, 0, 64, 253, 0, 0}
	frame = append(append(frame, flowSrc.AsSlice()...), flowDst.AsSlice()...)
	binary.BigEndian.PutUint16(frame[16:], uint16(20+size))
	var sum uint32
	for i := 14; i < 34; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(frame[i:]))
	}
	sum = sum&0xFFFF + sum>>16
	binary.BigEndian.PutUint16(frame[24:], ^uint16(sum&0xFFFF+sum>>16))
	for range size {
		frame = append(frame, byte(rng.Uint32()))
	}
	return frame
}
