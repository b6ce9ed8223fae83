// SPDX-License-Identifier: Apache-2.0

// Package nic tests the whole RTL through the simulator's C interface, register
// by register and descriptor by descriptor: no driver in between. Expected
// frames come from Go's crypto packages.
package nic

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"math/rand"
	"testing"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/hostmem"
	"github.com/espalier-nic/espalier/regs"
	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
	"github.com/espalier-nic/espalier/verilator/simbuild"
)

// rig is one simulated NIC with its host memory, without a control processor: the
// bench writes the SA window itself.
type rig struct {
	t    testing.TB
	sim  *rtlbridge.Sim
	pool *hostmem.Pool
}

func newRig(t testing.TB, options rtlbridge.Options, seed uint64) *rig {
	t.Helper()
	lib, err := rtlbridge.Load(simbuild.Library(t, simbuild.Design{Name: "window", Params: []string{"CONTROL_PROCESSOR=0"}}))
	if err != nil {
		t.Fatal(err)
	}
	sim, err := lib.Create(options, seed)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, sim: sim, pool: hostmem.NewPool()}
	t.Cleanup(func() {
		sim.Close()
		r.pool.Close()
	})
	r.waitStatus(func(s regs.Status) bool { return s.Ready() })
	return r
}

func (r *rig) read(offset uint64) uint32 {
	r.t.Helper()
	v, err := r.sim.BARRead(0, offset, 4)
	if err != nil {
		r.t.Fatalf("read of %#x: %v", offset, err)
	}
	return uint32(v)
}

func (r *rig) write(offset uint64, v uint32) {
	r.t.Helper()
	if err := r.sim.BARWrite(0, offset, 4, uint64(v)); err != nil {
		r.t.Fatalf("write of %#x: %v", offset, err)
	}
}

func (r *rig) read64(lo uint64) uint64 {
	r.t.Helper()
	l := r.read(lo)
	return uint64(r.read(lo+4))<<32 | uint64(l)
}

func (r *rig) advance(cycles uint64) {
	r.t.Helper()
	if _, _, err := r.sim.Advance(cycles, 0); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) waitStatus(ok func(regs.Status) bool) {
	r.t.Helper()
	for i := 0; i < 3000; i++ {
		if ok(regs.Status(r.read(regs.StatusOffset))) {
			return
		}
		r.advance(100)
	}
	r.t.Fatalf("STATUS stays %#x", r.read(regs.StatusOffset))
}

func (r *rig) alloc(size int) *pcie.Memory {
	r.t.Helper()
	m, err := r.pool.Alloc(size)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.sim.MemAdd(m.IOVA, m.Bytes, rtlbridge.ReadAccess|rtlbridge.WriteAccess); err != nil {
		r.t.Fatal(err)
	}
	return m
}

// sa is what a test knows of an SA.
type sa struct {
	inbound, ipv6, tunnel, esn bool
	spi, esnHi, salt           uint32
	dst, src                   [16]byte // IPv4 in the first four bytes
	key                        []byte
	queue                      int
	handle                     uint32
	seq                        uint32
}

func randomSA(rng *rand.Rand, inbound bool) *sa {
	s := &sa{
		inbound: inbound, ipv6: rng.Intn(2) == 0, tunnel: rng.Intn(2) == 0, esn: rng.Intn(2) == 0,
		spi: 256 + rng.Uint32()>>1, esnHi: rng.Uint32(), salt: rng.Uint32(), queue: rng.Intn(4), seq: 1 + rng.Uint32()>>1,
		key: make([]byte, 16+8*rng.Intn(3)),
	}
	n := 4
	if s.ipv6 {
		n = 16
	}
	rng.Read(s.dst[:n])
	rng.Read(s.src[:n])
	rng.Read(s.key)
	return s
}

func (r *rig) saCommand(op regs.SAOp) regs.SAStatus {
	r.t.Helper()
	r.write(regs.SACmdOffset, uint32(op))
	for i := 0; i < 1000; i++ {
		if s := regs.SAStatus(r.read(regs.SAStatusOffset)); !s.Busy() {
			return s
		}
		r.advance(20)
	}
	r.t.Fatalf("SA operation %v does not end", op)
	return 0
}

func (r *rig) addSA(slot int, s *sa) regs.SAStatus {
	r.t.Helper()
	return r.installSA(regs.SAOpAdd, uint32(slot), s)
}

func (r *rig) installSA(op regs.SAOp, handle uint32, s *sa) regs.SAStatus {
	r.t.Helper()
	r.write(regs.SAHandleOffset, handle)
	r.write(regs.SASPIOffset, s.spi)
	r.write(regs.SAFlagsOffset, flag(s.inbound, 0)|flag(s.ipv6, 1)|flag(s.tunnel, 2)|flag(s.esn, 3)|
		uint32(len(s.key)/8-2)<<4|uint32(s.queue)<<8)
	r.write(regs.SAESNHiOffset, s.esnHi)
	r.write(regs.SASaltOffset, s.salt)
	for i := 0; i < 4; i++ {
		r.write(regs.SADstOffset(i), binary.BigEndian.Uint32(s.dst[4*i:]))
		r.write(regs.SASrcOffset(i), binary.BigEndian.Uint32(s.src[4*i:]))
	}
	for i := 0; i < len(s.key)/4; i++ {
		r.write(regs.SAKeyOffset(i), binary.BigEndian.Uint32(s.key[4*i:]))
	}
	status := r.saCommand(op)
	if status.Result() != regs.SAResultOK {
		r.t.Fatalf("%v of %#x: %v", op, handle, status.Result())
	}
	s.handle = r.read(regs.SAHandleOffset)
	return status
}

func flag(b bool, bit uint) uint32 {
	if b {
		return 1 << bit
	}
	return 0
}

// espOffset is where the ESP header of a frame of this SA begins.
func (s *sa) espOffset() int {
	if s.ipv6 {
		return 54
	}
	return 34
}

// frame makes an ESP frame around a plaintext (payload, padding, Pad Length,
// Next Header; a multiple of 4 bytes) as the host gives it to the NIC: room for
// IV and ICV, nothing encrypted.
func (s *sa) frame(plain []byte, seq uint32) []byte {
	off := s.espOffset()
	f := make([]byte, off+16+len(plain)+16)
	copy(f, []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2})
	if s.ipv6 {
		binary.BigEndian.PutUint16(f[12:], 0x86DD)
		f[14] = 0x60
		binary.BigEndian.PutUint16(f[18:], uint16(len(f)-54))
		f[20], f[21] = 50, 64
		copy(f[22:], s.src[:])
		copy(f[38:], s.dst[:])
	} else {
		binary.BigEndian.PutUint16(f[12:], 0x0800)
		f[14] = 0x45
		binary.BigEndian.PutUint16(f[16:], uint16(len(f)-14))
		f[22], f[23] = 64, 50
		copy(f[26:], s.src[:4])
		copy(f[30:], s.dst[:4])
	}
	binary.BigEndian.PutUint32(f[off:], s.spi)
	binary.BigEndian.PutUint32(f[off+4:], seq)
	copy(f[off+16:], plain)
	return f
}

// seal encrypts such a frame in place, RFC 4106 with the sequence number as IV.
func (s *sa) seal(f []byte, seqHi uint32) {
	off := s.espOffset()
	block, err := aes.NewCipher(s.key)
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	if !s.esn {
		seqHi = 0
	}
	binary.BigEndian.PutUint32(f[off+8:], seqHi)
	copy(f[off+12:], f[off+4:off+8])
	nonce := binary.BigEndian.AppendUint32(nil, s.salt)
	nonce = append(nonce, f[off+8:off+16]...)
	aad := append([]byte(nil), f[off:off+4]...)
	if s.esn {
		aad = binary.BigEndian.AppendUint32(aad, seqHi)
	}
	aad = append(aad, f[off+4:off+8]...)
	end := len(f) - 16
	copy(f[off+16:], gcm.Seal(nil, nonce, f[off+16:end], aad))
}

// queue is one ring pair with buffers of a fixed size.
type queue struct {
	r         *rig
	page      uint64
	size      uint32
	ring, cpl *pcie.Memory
	tail      uint32
	next      uint32 // completion to look at
}

func (r *rig) startQueue(page uint64, log2, vector int, batch, timer uint32) *queue {
	r.t.Helper()
	q := &queue{r: r, page: page, size: 1 << log2, ring: r.alloc(16 << log2), cpl: r.alloc(16 << log2)}
	r.write(page+regs.QueueRingLoOffset, uint32(q.ring.IOVA))
	r.write(page+regs.QueueRingHiOffset, uint32(q.ring.IOVA>>32))
	r.write(page+regs.QueueCplLoOffset, uint32(q.cpl.IOVA))
	r.write(page+regs.QueueCplHiOffset, uint32(q.cpl.IOVA>>32))
	r.write(page+regs.QueueCplBatchOffset, batch|timer<<16)
	r.write(page+regs.QueueCtrlOffset, 1|uint32(log2)<<4|uint32(vector)<<8)
	return q
}

// post writes a descriptor; doorbell tells the NIC.
func (q *queue) post(lo, hi uint64) {
	binary.LittleEndian.PutUint64(q.ring.Bytes[16*(q.tail%q.size):], lo)
	binary.LittleEndian.PutUint64(q.ring.Bytes[16*(q.tail%q.size)+8:], hi)
	q.tail++
}

func (q *queue) doorbell() { q.r.write(q.page+regs.QueueTailOffset, q.tail%q.size) }

func (q *queue) send(addr uint64, length int, s *sa, seqHi uint32, report bool) {
	d := regs.TxDescriptor{Addr: addr, Length: uint16(length), Report: report}
	if s != nil {
		d.IPsec, d.ESPOffset, d.Handle, d.ESNLSB = true, uint16(s.espOffset()), s.handle, s.esn && seqHi&1 == 1
	}
	q.post(d.Words())
}

func (q *queue) give(addr uint64, length int) {
	d := regs.RxDescriptor{Addr: addr, Length: uint16(length)}
	q.post(d.Words())
}

// poll takes one completion.
func (q *queue) poll() (regs.Completion, bool) {
	at := 16 * (q.next % q.size)
	phase := q.next/q.size%2 == 0
	if view := regs.CompletionView(q.cpl.Bytes[at : at+16]); view.Phase() != phase {
		return regs.Completion{}, false
	}
	var c regs.Completion
	c.Unpack(q.cpl.Bytes[at : at+16])
	q.next++
	return c, true
}

// wait takes one completion, with time passing.
func (q *queue) wait() regs.Completion {
	q.r.t.Helper()
	for i := 0; i < 4000; i++ {
		if c, ok := q.poll(); ok {
			return c
		}
		q.r.advance(50)
	}
	q.r.t.Fatal("no completion")
	return regs.Completion{}
}

// fromWire takes one frame that the NIC sent, with time passing.
func (r *rig) fromWire() ([]byte, rtlbridge.FrameInfo) {
	r.t.Helper()
	buf := make([]byte, 16384)
	for i := 0; i < 4000; i++ {
		info, err := r.sim.MACRecv(buf)
		if err == nil {
			return buf[:info.Size], info
		}
		if !errors.Is(err, rtlbridge.ErrAgain) {
			r.t.Fatal(err)
		}
		r.advance(50)
	}
	r.t.Fatal("no frame from the NIC")
	return nil, rtlbridge.FrameInfo{}
}

// toWire queues a frame toward the NIC, with time passing while there is no room.
func (r *rig) toWire(f []byte, bad bool) {
	r.t.Helper()
	for i := 0; i < 4000; i++ {
		err := r.sim.MACSend(f, bad)
		if err == nil {
			return
		}
		if !errors.Is(err, rtlbridge.ErrAgain) {
			r.t.Fatal(err)
		}
		r.advance(200)
	}
	r.t.Fatal("the NIC takes no frame")
}

// Control bits of a NIC in use.
const (
	ctrlRun      = 1<<1 | 1<<2 | 1<<3
	ctrlLoopback = 1 << 4
)
