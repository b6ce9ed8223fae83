// SPDX-License-Identifier: Apache-2.0

package nic

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/espalier-nic/espalier/regs"
	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
)

// numbered is a frame of no ESP that tells its number and its length.
func numbered(n, size int) []byte {
	f := bytes.Repeat([]byte{byte(n)}, size)
	copy(f[12:], []byte{0x88, 0xB5})
	binary.BigEndian.PutUint16(f[14:], uint16(n))
	binary.BigEndian.PutUint16(f[16:], uint16(size))
	return f
}

// received takes what an RX queue has got, and fails on anything that is not a
// numbered frame, whole. It returns their numbers.
func received(t *testing.T, q *queue, at func(i int) []byte) []int {
	t.Helper()
	var numbers []int
	for i := int(q.next); ; i++ {
		c, ok := q.poll()
		if !ok {
			return numbers
		}
		f := at(i)
		n, size := int(binary.BigEndian.Uint16(f[14:])), int(binary.BigEndian.Uint16(f[16:]))
		if size != int(c.Length) || size > len(f) || !bytes.Equal(f[:size], numbered(n, size)) {
			t.Fatalf("completion %+v of a frame that nobody sent: %x", c, f[:min(int(c.Length), 64)])
		}
		numbers = append(numbers, n)
	}
}

// TestReceptionBeginsWithAFrame: the MAC is in the middle of a slow frame when a
// reset ends and reception is enabled, or when loopback is switched. Nothing but
// whole frames is received.
func TestReceptionBeginsWithAFrame(t *testing.T) {
	for seed := uint64(1); seed <= 6; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			// A frame of 94 beats takes some 3,000 cycles, the reset five times that.
			r := newRig(t, rtlbridge.Options{"mac_rx_stall_percent": 97}, seed)
			buffers := r.alloc(1 << 20)
			at := func(i int) []byte { return buffers.Bytes[i*2048 : (i+1)*2048] }
			sent := 0
			send := func(n int) {
				for ; n > 0; n-- {
					sent++
					r.toWire(numbered(sent, 1500), false)
				}
			}
			start := func(ctrl uint32) *queue {
				q := r.startQueue(regs.RxqOffset(0), 6, 0, 1, 0)
				for i := 0; i < 60; i++ {
					q.give(buffers.IOVA+uint64(i)*2048, 2048)
				}
				q.doorbell()
				r.write(regs.CtrlOffset, ctrl)
				return q
			}
			rx := start(1 << 2)
			send(14)
			r.advance(5000 + 900*seed)
			r.write(regs.CtrlOffset, 1<<2|1)
			for regs.Ctrl(r.read(regs.CtrlOffset)).Reset() {
				r.advance(20)
			}
			received(t, rx, at)
			rx = start(1 << 2)
			r.advance(12000)
			if n := received(t, rx, at); len(n) == 0 {
				t.Error("nothing received after the reset")
			}

			// Into loopback in the middle of a frame, and out of it again.
			r.write(regs.CtrlOffset, 0)
			r.write(regs.CtrlOffset, ctrlLoopback)
			r.write(regs.CtrlOffset, ctrlLoopback|1<<1|1<<2)
			tx := r.startQueue(regs.TxqOffset(0), 6, 0, 1, 0)
			for i := 0; i < 10; i++ {
				f := buffers.Bytes[512<<10+i*2048:]
				copy(f, numbered(1000+i, 1200))
				tx.send(buffers.IOVA+512<<10+uint64(i)*2048, 1200, nil, 0, true)
			}
			tx.doorbell()
			r.advance(4000)
			var looped []int
			for _, n := range received(t, rx, at) {
				if n >= 1000 {
					looped = append(looped, n)
				}
			}
			if fmt.Sprint(looped) != "[1000 1001 1002 1003 1004 1005 1006 1007 1008 1009]" {
				t.Errorf("in loopback: received %v", looped)
			}
			if _, err := r.sim.MACRecv(make([]byte, 16384)); err == nil {
				t.Error("a frame on the wire in loopback")
			}
			send(4)
			r.advance(2000)
			r.write(regs.CtrlOffset, ctrlLoopback)
			r.write(regs.CtrlOffset, 1<<2)
			send(4)
			r.advance(50000)
			numbers := received(t, rx, at)
			if len(numbers) < 4 || numbers[len(numbers)-1] != sent {
				t.Errorf("received %v after loopback, %d is the last", numbers, sent)
			}
		})
	}
}
