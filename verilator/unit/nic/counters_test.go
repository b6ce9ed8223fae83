// SPDX-License-Identifier: Apache-2.0

package nic

import (
	"crypto/aes"
	"encoding/binary"
	"math/rand"
	"testing"

	"github.com/espalier-nic/espalier/regs"
)

// counters reads an SA's SA_COUNTERS with READ.
func (r *rig) counters(handle uint32) (w [regs.SACountersCount]uint32) {
	r.t.Helper()
	r.write(regs.SAHandleOffset, handle&0xffff)
	if s := r.saCommand(regs.SAOpRead); s.Result() != regs.SAResultOK {
		r.t.Fatalf("READ of %#x: %v", handle, s.Result())
	}
	if got := r.read(regs.SAHandleOffset); got != handle {
		r.t.Fatalf("READ gives handle %#x, want %#x", got, handle)
	}
	for i := range w {
		w[i] = r.read(regs.SACountersOffset(i))
	}
	return w
}

// TestCountersAndRestore: what SA_COUNTERS says after frames of every outcome,
// also of those that found no descriptor; and SAs that come back under their
// handles after a reset, with counters that begin again.
func TestCountersAndRestore(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	r := newRig(t, nil, 1)
	nonce := [2]uint32{rng.Uint32(), rng.Uint32()}
	var sas []*sa // pairs: out, in
	for i := 0; i < 6; i++ {
		out := randomSA(rng, false)
		for out.ipv6 != (i%2 == 1) {
			out = randomSA(rng, false)
		}
		out.queue = i % 4
		in := *out
		in.inbound = true
		sas = append(sas, out, &in)
	}
	buffers := r.alloc(4 << 20)
	fingerprint := func(s *sa) (p [2]uint32) {
		block, err := aes.NewCipher(s.key)
		if err != nil {
			t.Fatal(err)
		}
		var b [16]byte
		binary.BigEndian.PutUint32(b[0:], nonce[0])
		binary.BigEndian.PutUint32(b[4:], nonce[1])
		block.Encrypt(b[:], b[:])
		return [2]uint32{binary.BigEndian.Uint32(b[0:]), binary.BigEndian.Uint32(b[4:])}
	}
	for life := 0; life < 2; life++ {
		r.write(regs.SANonceOffset(0), nonce[0])
		r.write(regs.SANonceOffset(1), nonce[1])
		for i, s := range sas {
			if life == 0 {
				r.addSA(93*i, s)
			} else {
				before := s.handle
				if r.installSA(regs.SAOpRestore, s.handle, s); s.handle != before {
					t.Fatalf("RESTORE of %#x gives %#x", before, s.handle)
				}
			}
		}
		want := make([][regs.SACountersCount]uint32, len(sas))
		for i, s := range sas {
			p := fingerprint(s)
			want[i][6], want[i][7] = p[0], p[1]
			if got := r.counters(s.handle); got != want[i] {
				t.Errorf("life %d: counters of SA %d before any frame are %x, want %x", life, i, got, want[i])
			}
		}
		txq := r.startQueue(regs.TxqOffset(1), 7, 0, 1, 16)
		// Queues 0 and 1 of 4 have buffers: frames of the other SAs are dropped.
		var rxq []*queue
		for q := 0; q < 2; q++ {
			rxq = append(rxq, r.startQueue(regs.RxqOffset(q), 8, 0, 1, 16))
			for i := 0; i < 200; i++ {
				rxq[q].give(buffers.IOVA+uint64(2<<20+2048*i), 2048)
			}
			rxq[q].doorbell()
		}
		r.write(regs.CtrlOffset, ctrlRun)
		for i := 0; i < 100; i++ {
			at := 2 * rng.Intn(len(sas)/2)
			out := sas[at]
			plain := make([]byte, 4*(1+rng.Intn(200)))
			rng.Read(plain)
			plain[len(plain)-2] = 0
			f := out.frame(plain, uint32(i+1))
			copy(buffers.Bytes[2048*i:], f)
			txq.send(buffers.IOVA+uint64(2048*i), len(f), out, out.esnHi, true)
			txq.doorbell()
			if c := txq.wait(); c.Status != 0 {
				t.Fatalf("life %d: frame %d: %+v", life, i, c)
			}
			want[at][0]++
			want[at][2] += uint32(len(f))

			back, _ := r.fromWire()
			w := &want[at+1]
			switch rng.Intn(5) {
			case 0: // wrong ICV
				back[len(back)-1] ^= 1
				w[4]++
			case 1: // an impossible length in the IP header
				field := map[bool]int{false: 16, true: 18}[out.ipv6]
				binary.BigEndian.PutUint16(back[field:], binary.BigEndian.Uint16(back[field:])-1)
				w[5]++
			case 2: // impossible padding
				back = out.frame([]byte{1, 2, 3, 4, 5, 6, 255, 4}, 5)
				out.seal(back, out.esnHi)
				w[5]++
			case 3: // cut off on the wire: the MAC says so
				r.toWire(back, true)
				continue
			default:
				w[0]++
				w[2] += uint32(len(back))
			}
			r.toWire(back, false)
		}
		r.advance(3000)
		r.waitStatus(func(s regs.Status) bool { return s.TxIdle() && s.RxIdle() })
		for i, s := range sas {
			if got := r.counters(s.handle); got != want[i] {
				t.Errorf("life %d: counters of SA %d are %x, want %x", life, i, got, want[i])
			}
		}
		if n := r.read(regs.StatRxDropNoDescLoOffset); n == 0 {
			t.Errorf("life %d: no frame was dropped for want of a descriptor", life)
		}
		r.write(regs.CtrlOffset, 1)
		r.waitStatus(func(s regs.Status) bool { return s.Ready() })
		for i := 0; i < regs.SACountersCount; i++ {
			if v := r.read(regs.SACountersOffset(i)); v != 0 {
				t.Errorf("life %d: SA_COUNTERS word %d is %#x after the reset", life, i, v)
			}
		}
	}
}
