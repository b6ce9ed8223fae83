// SPDX-License-Identifier: Apache-2.0

package cp

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand"
	"testing"

	"github.com/espalier-nic/espalier/driver/pcie/hostmem"
	"github.com/espalier-nic/espalier/regs"
	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
)

// testSA is an SA whose keys a self-test uses.
type testSA struct {
	slot  int
	key   []byte
	salt  uint32
	esn   bool
	esnHi uint32
}

// install puts the SA into its slot, as firmware would.
func (r *rig) install(s testSA, inbound bool) {
	r.t.Helper()
	flags := uint32(len(s.key)/8-2) << 4
	if inbound {
		flags |= 1
	}
	if s.esn {
		flags |= 1 << 3
	}
	r.cpuWrite(regs.SAHandleOffset, uint32(s.slot))
	r.cpuWrite(regs.SASPIOffset, 0x1000+uint32(s.slot))
	r.cpuWrite(regs.SAFlagsOffset, flags)
	r.cpuWrite(regs.SASaltOffset, s.salt)
	for i := range len(s.key) / 4 {
		r.cpuWrite(regs.SAKeyOffset(i), binary.BigEndian.Uint32(s.key[4*i:]))
	}
	r.cpuWrite(regs.SACmdOffset, uint32(regs.SAOpAdd))
	if st := regs.SAStatus(r.cpuRead(regs.SAStatusOffset)); st.Busy() || st.Result() != regs.SAResultOK {
		r.t.Fatalf("ADD of slot %d: %#x", s.slot, uint32(st))
	}
}

// through sends a frame through a crypt unit and returns what comes back.
func (r *rig) through(s testSA, rx bool, frame []byte, espOffset, payload int) ([]byte, regs.SelftestResult) {
	r.t.Helper()
	padded := append(append([]byte(nil), frame...), 0, 0, 0)
	for i := range (len(frame) + 3) / 4 {
		r.cpuWrite(regs.CpSelftestFrameOffset(i), binary.LittleEndian.Uint32(padded[4*i:]))
	}
	r.cpuWrite(regs.CpSelftestSAOffset, uint32(s.slot))
	r.cpuWrite(regs.CpSelftestSaltOffset, s.salt)
	r.cpuWrite(regs.CpSelftestESNHiOffset, s.esnHi)
	start := uint32(len(s.key)/8-2)<<1 | uint32(len(frame))<<4 | uint32(espOffset)<<16 | uint32(payload)<<24
	if rx {
		start |= 1
	}
	if s.esn {
		start |= 1 << 3
	}
	r.cpuWrite(regs.CpSelftestOffset, start)
	var status regs.CpSelftestStatus
	r.until("the end of the self-test", func() bool {
		status = regs.CpSelftestStatus(r.cpuRead(regs.CpSelftestStatusOffset))
		return !status.Busy()
	})
	back := make([]byte, 256)
	for i := range 64 {
		binary.LittleEndian.PutUint32(back[4*i:], r.cpuRead(regs.CpSelftestFrameOffset(i)))
	}
	return back[:status.Length()], status.Result()
}

// seal encrypts a frame as RFC 4106 says, with the sequence number as IV.
func (s testSA) seal(frame []byte, offset, payload int) []byte {
	f := append([]byte(nil), frame...)
	hi := uint32(0)
	if s.esn {
		hi = s.esnHi
	}
	binary.BigEndian.PutUint32(f[offset+8:], hi)
	copy(f[offset+12:], f[offset+4:offset+8])
	block, err := aes.NewCipher(s.key)
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	nonce := append(binary.BigEndian.AppendUint32(nil, s.salt), f[offset+8:offset+16]...)
	aad := append([]byte(nil), f[offset:offset+4]...)
	if s.esn {
		aad = binary.BigEndian.AppendUint32(aad, hi)
	}
	aad = append(aad, f[offset+4:offset+8]...)
	copy(f[offset+16:], gcm.Seal(nil, nonce, f[offset+16:offset+16+payload], aad))
	return f
}

// TestSelfTest: frames go through both crypt units as the firmware asks, with
// the SA's keys, and come back as Go's crypto packages make them.
func TestSelfTest(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	r := running(t, nil)
	for i, c := range []struct{ key, offset, payload, tail int }{{16, 36, 64, 0}, {24, 40, 4, 7}, {32, 36, 188, 0}, {32, 64, 60, 100}, {16, 100, 124, 0}} {
		t.Run(fmt.Sprintf("key %d, ESP at %d, %d bytes, %d behind", c.key, c.offset, c.payload, c.tail), func(t *testing.T) {
			r.t = t
			s := testSA{slot: 2 * i, key: make([]byte, c.key), salt: rng.Uint32(), esn: i%2 == 1, esnHi: rng.Uint32()}
			rng.Read(s.key)
			in := s
			in.slot++
			r.install(s, false)
			r.install(in, true)
			frame := make([]byte, c.offset+16+c.payload+16+c.tail)
			rng.Read(frame)
			frame[c.offset+16+c.payload-2] = byte(c.payload - 2) // Pad Length
			sealed := s.seal(frame, c.offset, c.payload)
			icv := c.offset + 16 + c.payload

			got, result := r.through(s, false, frame, c.offset, c.payload)
			if result != regs.SelftestResultOK || !bytes.Equal(got, sealed) {
				t.Errorf("encrypted, %v:\n% x\nwant\n% x", result, got, sealed)
			}
			plain := append([]byte(nil), sealed...)
			copy(plain[c.offset+16:icv], frame[c.offset+16:])
			got, result = r.through(in, true, sealed, c.offset, c.payload)
			if result != regs.SelftestResultOK || !bytes.Equal(got, plain) {
				t.Errorf("decrypted, %v:\n% x\nwant\n% x", result, got, plain)
			}
			wrong := append([]byte(nil), sealed...)
			wrong[icv+rng.Intn(16)] ^= 1 << rng.Intn(8)
			got, result = r.through(in, true, wrong, c.offset, c.payload)
			if result != regs.SelftestResultAuth || !bytes.Equal(got, wrong) {
				t.Errorf("decrypted with a wrong ICV, %v:\n% x\nwant\n% x", result, got, wrong)
			}
		})
	}
	r.t = t
	// What cannot be ends at once; what is too short says so.
	for _, c := range []struct {
		length, offset, payload int
		want                    regs.SelftestResult
	}{{100, 30, 32, regs.SelftestResultSyntax}, {100, 40, 0, regs.SelftestResultSyntax}, {100, 40, 30, regs.SelftestResultSyntax}, {256, 36, 252, regs.SelftestResultError}} {
		if got, result := r.through(testSA{key: make([]byte, 16)}, false, make([]byte, c.length), c.offset, c.payload); result != c.want || len(got) != 0 {
			t.Errorf("%+v: %v, %d bytes", c, result, len(got))
		}
	}
	// Not after they have passed: the outcome stays that of the last one, ERROR.
	before := make([]byte, 76)
	rng.Read(before)
	r.cpuWrite(regs.CpReportOffset, 1<<2|1<<3)
	if got, result := r.through(testSA{key: make([]byte, 16)}, false, before, 36, 8); result != regs.SelftestResultError || len(got) != 0 {
		t.Errorf("a self-test after SELFTEST_PASSED: %v, % x", result, got)
	}
}

// queue is a ring pair of 8 entries.
type queue struct {
	page      uint64
	ring, cpl []byte
}

// TestTraffic: nothing goes before the self-tests have passed; then frames go
// both ways, whatever the processor does, and after it has stopped.
func TestTraffic(t *testing.T) {
	r := running(t, nil)
	pool := hostmem.NewPool()
	t.Cleanup(func() { pool.Close() })
	alloc := func(size int) (uint64, []byte) {
		m, err := pool.Alloc(size)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.sim.MemAdd(m.IOVA, m.Bytes, rtlbridge.ReadAccess|rtlbridge.WriteAccess); err != nil {
			t.Fatal(err)
		}
		return m.IOVA, m.Bytes
	}
	set := func(page uint64) queue {
		ring, ringBytes := alloc(4096)
		cpl, cplBytes := alloc(4096)
		r.write(page+regs.QueueRingLoOffset, uint32(ring))
		r.write(page+regs.QueueRingHiOffset, uint32(ring>>32))
		r.write(page+regs.QueueCplLoOffset, uint32(cpl))
		r.write(page+regs.QueueCplHiOffset, uint32(cpl>>32))
		return queue{page, ringBytes, cplBytes}
	}
	txq, rxq := set(regs.TxqOffset(0)), set(regs.RxqOffset(0))
	bufferAt, buffer := alloc(4096)
	r.write(regs.CtrlOffset, 1<<1|1<<2|1<<3)
	for _, q := range []queue{txq, rxq} {
		r.write(q.page+regs.QueueCtrlOffset, 1|6<<4|2<<8)
		r.expect("CTRL of a queue before the self-tests", q.page+regs.QueueCtrlOffset, 6<<4|2<<8)
	}
	frame := make([]byte, 200)
	rand.New(rand.NewSource(1)).Read(frame)
	frame[12], frame[13] = 0x88, 0xB5
	if err := r.sim.MACSend(frame, false); err != nil {
		t.Fatal(err)
	}
	r.advance(500)
	r.expect("frames received before the self-tests", regs.StatRxFramesLoOffset, 0)

	r.cpuWrite(regs.CpReportOffset, 1<<2|1<<3)
	for _, q := range []queue{txq, rxq} {
		r.write(q.page+regs.QueueCtrlOffset, 1|6<<4)
		r.expect("CTRL of a queue", q.page+regs.QueueCtrlOffset, 1|6<<4)
	}
	n := uint32(0)
	exchange := func(when string) {
		t.Helper()
		at := 2048 * uint64(n%2)
		rx := regs.RxDescriptor{Addr: bufferAt + at, Length: 1024}
		tx := regs.TxDescriptor{Addr: bufferAt + at + 1024, Length: uint16(len(frame)), Report: true}
		for q, words := range map[*queue][2]uint64{&txq: pair(tx.Words()), &rxq: pair(rx.Words())} {
			binary.LittleEndian.PutUint64(q.ring[16*n:], words[0])
			binary.LittleEndian.PutUint64(q.ring[16*n+8:], words[1])
		}
		n++
		copy(buffer[at+1024:], frame)
		frame[20]++
		r.write(rxq.page+regs.QueueTailOffset, n)
		r.write(txq.page+regs.QueueTailOffset, n)
		if err := r.sim.MACSend(frame, false); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 2048)
		var size int
		r.until("a frame "+when, func() bool {
			info, err := r.sim.MACRecv(got)
			if err != nil && !errors.Is(err, rtlbridge.ErrAgain) {
				t.Fatal(err)
			}
			size = int(info.Size)
			return err == nil
		})
		if !bytes.Equal(got[:size], buffer[at+1024:][:len(frame)]) {
			t.Errorf("sent %s:\n% x", when, got[:size])
		}
		view := regs.CompletionView(rxq.cpl[16*(n-1) : 16*n])
		r.until("a completion "+when, view.Phase)
		if !bytes.Equal(buffer[at:][:len(frame)], frame) {
			t.Errorf("received %s:\n% x", when, buffer[at:][:len(frame)])
		}
	}
	for range 5 {
		exchange("while it works")
		r.post(monTime, inCPU+uint32(regs.SASPIOffset), 0)
		exchange("while it works")
	}
	r.advance(2000)
	r.post(monRead, ramBytes, 0)
	r.until("the fault", func() bool { return r.status().Fault() == regs.CpFaultBus })
	exchange("after a fault")
	r.start()
	exchange("after a new start")
	r.write(regs.CpCtrlOffset, 0)
	exchange("while it is stopped")
	if !r.status().SelftestPassed() {
		t.Error("SELFTEST_PASSED falls without a reset")
	}
	r.expect("frames received", regs.StatRxFramesLoOffset, n)

	r.reset()
	r.write(regs.CtrlOffset, 1<<1|1<<2)
	r.write(txq.page+regs.QueueCtrlOffset, 1|6<<4)
	r.expect("CTRL of a queue after a reset", txq.page+regs.QueueCtrlOffset, 6<<4)
}

func pair(a, b uint64) [2]uint64 { return [2]uint64{a, b} }
