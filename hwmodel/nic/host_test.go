// SPDX-License-Identifier: Apache-2.0

package nic

import (
	"bytes"
	"context"
	"encoding/binary"
	"testing"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/hwmodel/esp"
	"github.com/espalier-nic/espalier/regs"
)

// host is a bare driver for tests at the level of BARs and rings.
type host struct {
	t    testing.TB
	nic  *NIC
	bar  pcie.BAR
	sent [][]byte // frames that left
}

// Unless told otherwise its NIC has no control processor: the SA window is the host's.
func newHost(t testing.TB, o Options) *host {
	t.Helper()
	if o.ControlProcessor == Preset {
		o.ControlProcessor = Absent
	}
	n, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	bar, err := n.BAR(0)
	if err != nil {
		t.Fatal(err)
	}
	h := &host{t: t, nic: n, bar: bar}
	n.Connect(func(frame []byte) { h.sent = append(h.sent, bytes.Clone(frame)) })
	t.Cleanup(func() { _ = n.Close() })
	h.untilReady()
	return h
}

func (h *host) read(offset uint64) uint32 {
	h.t.Helper()
	v, err := h.bar.Read32(offset)
	if err != nil {
		h.t.Fatal(err)
	}
	return v
}

func (h *host) write(offset uint64, v uint32) {
	h.t.Helper()
	if err := h.bar.Write32(offset, v); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) relax(cycles uint64) {
	h.t.Helper()
	for end := h.nic.Cycle() + cycles; h.nic.Cycle() < end; {
		if err := h.nic.Relax(context.Background(), end-h.nic.Cycle()); err != nil {
			h.t.Fatal(err)
		}
	}
}

func (h *host) untilReady() {
	h.t.Helper()
	for range 1000 {
		if regs.Status(h.read(regs.StatusOffset)).Ready() {
			return
		}
		h.relax(16)
	}
	h.t.Fatal("NIC does not become ready")
}

func (h *host) memory(size int) *pcie.Memory {
	h.t.Helper()
	m, err := h.nic.AllocDMA(size)
	if err != nil {
		h.t.Fatal(err)
	}
	return m
}

// enable switches everything on.
func (h *host) enable() {
	h.write(regs.CtrlOffset, uint32(regs.Ctrl(0).WithTxEnable(true).WithRxEnable(true).WithIPsecEnable(true)))
}

// ring is one queue with its memory: two rings and a buffer per entry.
type ring struct {
	h       *host
	page    uint64
	log2    uint8
	desc    *pcie.Memory
	cpl     *pcie.Memory
	buffers *pcie.Memory
	stride  int
	tail    int
	read    int // completions read
}

const bufferSize = 2048

func (h *host) ring(page uint64, log2 uint8, vector uint8) *ring {
	h.t.Helper()
	size := 1 << log2
	r := &ring{h: h, page: page, log2: log2, stride: bufferSize,
		desc: h.memory(16 * size), cpl: h.memory(16 * size), buffers: h.memory(bufferSize * size)}
	r.start(vector)
	return r
}

// start programs the registers and enables the queue.
func (r *ring) start(vector uint8) {
	r.tail, r.read = 0, 0
	clear(r.cpl.Bytes)
	for i, v := range []uint64{r.desc.IOVA, r.cpl.IOVA} {
		if err := r.h.bar.Write64(r.page+regs.QueueRingLoOffset+8*uint64(i), v); err != nil {
			r.h.t.Fatal(err)
		}
	}
	r.h.write(r.page+regs.QueueCtrlOffset, uint32(regs.QueueCtrl(0).WithEnable(true).WithRingLog2(r.log2).WithVector(vector)))
}

func (r *ring) size() int { return 1 << r.log2 }

// buffer is the memory of ring entry i.
func (r *ring) buffer(i int) []byte { return r.buffers.Bytes[i*r.stride:][:r.stride] }

func (r *ring) address(i int) uint64 { return r.buffers.IOVA + uint64(i*r.stride) }

func (r *ring) doorbell() { r.h.write(r.page+regs.QueueTailOffset, uint32(r.tail)) }

// put writes one descriptor and its frame; the doorbell is extra.
func (r *ring) put(d regs.TxDescriptor, frame []byte) {
	if d.Addr == 0 {
		d.Addr = r.address(r.tail)
		copy(r.buffer(r.tail), frame)
	}
	if d.Length == 0 {
		d.Length = uint16(len(frame))
	}
	d.Pack(r.desc.Bytes[16*r.tail:])
	r.tail = (r.tail + 1) % r.size()
}

// post gives count receive buffers of length bytes and rings the doorbell.
func (r *ring) post(count, length int) {
	for range count {
		regs.RxDescriptor{Addr: r.address(r.tail), Length: uint16(length)}.Pack(r.desc.Bytes[16*r.tail:])
		r.tail = (r.tail + 1) % r.size()
	}
	r.doorbell()
}

// next returns the next completion, if it is there.
func (r *ring) next() (c regs.Completion, ok bool) {
	c.Unpack(r.cpl.Bytes[16*(r.read%r.size()):])
	if c.Phase != (r.read/r.size()%2 == 0) {
		return c, false
	}
	r.read++
	c.Phase = false // said
	return c, true
}

// expect reads completions that must be there, and no other.
func (r *ring) expect(want ...regs.Completion) {
	r.h.t.Helper()
	for i, w := range want {
		c, ok := r.next()
		if !ok {
			r.h.t.Fatalf("completion %d of %d is missing", i, len(want))
		}
		if c != w {
			r.h.t.Errorf("completion %d\ngot  %+v\nwant %+v", i, c, w)
		}
	}
	if c, ok := r.next(); ok {
		r.h.t.Errorf("an unexpected completion: %+v", c)
	}
}

func (r *ring) status() regs.QueueStatus {
	return regs.QueueStatus(r.h.read(r.page + regs.QueueStatusOffset))
}

func (r *ring) batch(count uint8, timer uint16) {
	r.h.write(r.page+regs.QueueCplBatchOffset, uint32(regs.QueueCplBatch(0).WithCount(count).WithTimer(timer)))
}

// operate performs an SA operation and returns result and handle.
func (h *host) operate(op regs.SAOp, handle uint32, record regs.SARecord) (regs.SAResult, uint32) {
	h.t.Helper()
	words := record.Words()
	for i, w := range words {
		h.write(regs.SARecordOffset+4*uint64(i), w)
	}
	h.write(regs.SAHandleOffset, handle)
	h.write(regs.SACmdOffset, uint32(regs.SACmd(0).WithOp(op)))
	for range 1000 {
		if s := regs.SAStatus(h.read(regs.SAStatusOffset)); !s.Busy() {
			return s.Result(), h.read(regs.SAHandleOffset)
		}
	}
	h.t.Fatal("SA operation does not end")
	return 0, 0
}

// add installs a record that must be accepted.
func (h *host) add(slot uint32, record regs.SARecord) uint32 {
	h.t.Helper()
	result, handle := h.operate(regs.SAOpAdd, slot, record)
	if result != regs.SAResultOK {
		h.t.Fatalf("ADD: %s", result)
	}
	return handle
}

func (h *host) stat(offset uint64) uint64 {
	h.t.Helper()
	lo := h.read(offset)
	return uint64(h.read(offset+4))<<32 | uint64(lo)
}

// record is an IPv4 transport SA whose key and addresses follow from n.
func record(n int, inbound bool) regs.SARecord {
	r := regs.SARecord{SPI: 0x1000 + uint32(n), Salt: 0xA1B2C3D4 + uint32(n), Dst: [4]uint32{0xC0000201}}
	r.Flags = r.Flags.WithInbound(inbound).WithKeyLen(regs.KeyLen(n % 3))
	for i := range r.Key {
		r.Key[i] = uint32(n*8+i) * 0x9E3779B1
	}
	return r
}

// golden is the esp SA of a record.
func golden(t testing.TB, r regs.SARecord) *esp.SA {
	t.Helper()
	s := NewState(Limits{Slots: 1, Queues: 16, MaxFrame: 9600})
	if o := s.Operate(regs.SAOpAdd, 0, r); o.Result != regs.SAResultOK {
		t.Fatal(o.Result)
	}
	return s.slots[0].sa
}

// framed is an unencrypted ESP frame with p payload bytes for a record, its
// ESP header at offset 34.
func framed(r regs.SARecord, sequence uint32, p int) []byte {
	f := append(make([]byte, 12), 8, 0, 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 50, 0, 0, 198, 51, 100, 7)
	f = binary.BigEndian.AppendUint32(f, r.Dst[0])
	binary.BigEndian.PutUint16(f[16:], uint16(20+32+p))
	f = binary.BigEndian.AppendUint32(f, r.SPI)
	f = binary.BigEndian.AppendUint32(f, sequence)
	f = append(f, make([]byte, 8)...)
	for i := range p - 2 {
		f = append(f, byte(int(sequence)+i))
	}
	return append(f, append([]byte{0, 17}, make([]byte, 16)...)...)
}

// plainFrame is an Ethernet frame that is not IP.
func plainFrame(n, size int) []byte {
	f := make([]byte, size)
	binary.BigEndian.PutUint16(f[12:], 0x88B5)
	for i := 14; i < size; i++ {
		f[i] = byte(n + i)
	}
	return f
}
