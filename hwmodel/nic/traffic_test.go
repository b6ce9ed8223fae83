// SPDX-License-Identifier: Apache-2.0

package nic

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/regs"
)

// TestAllQueuesAtOnce: two cross-connected NICs, a goroutine per queue and
// direction, SA operations meanwhile; every frame arrives, in order, decrypted.
// It is for the race detector.
func TestAllQueuesAtOnce(t *testing.T) {
	const queues, frames = 4, 300
	hosts := [2]*host{newHost(t, Options{}), newHost(t, Options{})}
	CrossConnect(hosts[0].nic, hosts[1].nic)
	type end struct {
		tx, rx *ring
		handle uint32 // of the outbound SA
	}
	var ends [2][queues]end
	for i, h := range hosts {
		h.enable()
		if err := h.nic.SetVectors(8); err != nil {
			t.Fatal(err)
		}
		h.write(regs.IntMaskOffset, 0)
		for q := range queues {
			e := &ends[i][q]
			out, in := record(10*i+q, false), record(10*(1-i)+q, true)
			in.Flags = in.Flags.WithRxQueue(uint8(q))
			e.handle = h.add(uint32(q), out)
			h.add(uint32(100+q), in)
			e.tx, e.rx = h.ring(regs.TxqOffset(q), 5, uint8(q)), h.ring(regs.RxqOffset(q), 6, uint8(4+q))
			e.rx.post(63, bufferSize)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var all sync.WaitGroup
	failed := make(chan error, 64)
	run := func(f func() error) {
		all.Go(func() {
			if err := f(); err != nil {
				failed <- err
				cancel()
			}
		})
	}
	for i, h := range hosts {
		for q := range queues {
			e, peer := ends[i][q], ends[1-i][q]
			credit := make(chan struct{}, 40) // no more under way than the receiver has buffers
			run(func() error {                // sender
				for n := range frames {
					select {
					case credit <- struct{}{}:
					case <-ctx.Done():
						return ctx.Err()
					}
					e.tx.put(regs.TxDescriptor{IPsec: true, ESPOffset: 34, Handle: e.handle, Report: true}, framed(record(10*i+q, false), uint32(n), 4*(1+n%90)))
					e.tx.doorbell()
					for _, ok := e.tx.next(); !ok; _, ok = e.tx.next() {
						if err := h.nic.Relax(ctx, 0); err != nil {
							return err
						}
					}
				}
				return nil
			})
			receiver := hosts[1-i]
			run(func() error {
				for n := 0; n < frames; {
					c, ok := peer.rx.next()
					if !ok {
						receiver.write(regs.IntArmOffset, 1<<(4+q))
						if _, err := receiver.nic.WaitInterrupt(ctx, 4+q); err != nil {
							return fmt.Errorf("queue %d, frame %d: %w", q, n, err)
						}
						continue
					}
					want := framed(record(10*i+q, false), uint32(n), 4*(1+n%90))
					got := peer.rx.buffer(int(c.Index))[:c.Length]
					if c.CryptoStatus != regs.CryptoStatusSuccess || !c.HeaderInfoSet || binary.BigEndian.Uint32(got[38:]) != uint32(n) ||
						!bytes.Equal(got[50:len(got)-16], want[50:len(want)-16]) {
						return fmt.Errorf("queue %d, frame %d: %+v", q, n, c)
					}
					n++
					peer.rx.post(1, bufferSize)
					<-credit
				}
				return nil
			})
		}
		run(func() error { // SAs come and go, statistics are read
			for n := range 100 {
				handle := h.add(500, record(900, n%2 == 0))
				h.stat(regs.StatTxFramesLoOffset)
				if result, _ := h.operate(regs.SAOpDelete, handle, regs.SARecord{}); result != regs.SAResultOK {
					return fmt.Errorf("DELETE: %s", result)
				}
			}
			return nil
		})
	}
	all.Wait()
	select {
	case err := <-failed:
		t.Fatal(err)
	default:
	}
	for i, h := range hosts {
		if got := h.stat(regs.StatRxESPOKLoOffset); got != queues*frames {
			t.Errorf("NIC %d decrypted %d frames of %d", i, got, queues*frames)
		}
	}
}

// TestCloseUnderTraffic: ending a NIC while others use it ends their calls.
func TestCloseUnderTraffic(t *testing.T) {
	h := newHost(t, Options{})
	h.enable()
	if err := h.nic.SetVectors(1); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	ended := func(err error) bool {
		if err != nil && !errors.Is(err, pcie.ErrClosed) {
			t.Error(err)
		}
		return err != nil
	}
	all.Go(func() {
		for !ended(h.bar.Write32(regs.ScratchOffset, 1)) {
			h.nic.Inject(plainFrame(1, 60), false)
		}
	})
	all.Go(func() {
		for !ended(h.nic.Relax(context.Background(), 5)) {
		}
	})
	all.Go(func() {
		_, err := h.nic.WaitInterrupt(context.Background(), 0)
		ended(err)
	})
	all.Go(func() {
		for {
			m, err := h.nic.AllocDMA(4096)
			if ended(err) || ended(h.nic.FreeDMA(m)) {
				return
			}
		}
	})
	time.Sleep(20 * time.Millisecond)
	if err := h.nic.Close(); err != nil {
		t.Error(err)
	}
	all.Wait()
}

// pingPong returns a function that sends one frame from one NIC to another and
// takes both completions.
func pingPong(t testing.TB, o Options, p int) func() {
	a, b := newHost(t, o), newHost(t, o)
	CrossConnect(a.nic, b.nic)
	a.enable()
	b.enable()
	handle := a.add(0, record(1, false))
	b.add(0, record(1, true))
	tx, rx := a.ring(regs.TxqOffset(0), 6, 0), b.ring(regs.RxqOffset(0), 6, 0)
	rx.batch(1, 0)
	tx.batch(1, 0)
	frame := framed(record(1, false), 1, p)
	rx.post(32, bufferSize)
	return func() {
		tx.put(regs.TxDescriptor{IPsec: true, ESPOffset: 34, Handle: handle, Report: true}, frame)
		tx.doorbell()
		c, ok := rx.next()
		if _, sent := tx.next(); !ok || !sent || c.CryptoStatus != regs.CryptoStatusSuccess {
			t.Fatalf("%+v (%v, %v)", c, ok, sent)
		}
		rx.post(1, bufferSize)
	}
}

// TestNoAllocations: a frame from descriptor to completion allocates nothing.
func TestNoAllocations(t *testing.T) {
	for _, off := range []bool{false, true} {
		step := pingPong(t, Options{CryptoOff: off}, 1024)
		for range 200 {
			step()
		}
		if n := testing.AllocsPerRun(1000, step); n != 0 {
			t.Errorf("%v allocations per frame (CryptoOff %v)", n, off)
		}
	}
}

// BenchmarkFrame is one frame through two NICs with all their register accesses.
func BenchmarkFrame(b *testing.B) {
	for _, o := range []Options{{}, {CryptoOff: true}} {
		for _, p := range []int{64, 1024} {
			b.Run(fmt.Sprintf("cryptoOff=%v/%d", o.CryptoOff, p), func(b *testing.B) {
				step := pingPong(b, o, p)
				b.ReportAllocs()
				b.SetBytes(int64(p))
				for b.Loop() {
					step()
				}
			})
		}
	}
}
