// SPDX-License-Identifier: Apache-2.0

package nic

import (
	"crypto/aes"
	"encoding/binary"

	"github.com/espalier-nic/espalier/hwmodel/esp"
	"github.com/espalier-nic/espalier/regs"
)

// slot is one SA slot. Its record has no key and no salt.
type slot struct {
	live       bool
	generation uint16
	handle     uint32
	record     regs.SARecord
	src        [16]byte
	sa         *esp.SA
	counters   saCounters
}

// saCounters is what READ finds beside the record of an SA.
type saCounters struct {
	frames, bytes      uint64
	authFailed, syntax uint32
	fingerprint        uint64
}

// words is the counters as SA_COUNTERS has them.
func (c *saCounters) words() [regs.SACountersCount]uint32 {
	return [...]uint32{
		uint32(c.frames), uint32(c.frames >> 32), uint32(c.bytes), uint32(c.bytes >> 32),
		c.authFailed, c.syntax, uint32(c.fingerprint >> 32), uint32(c.fingerprint),
	}
}

// carried counts a frame of size bytes that was encrypted or decrypted.
func (c *saCounters) carried(size int) {
	c.frames++
	c.bytes += uint64(size)
}

// received counts a frame of size bytes by its verdict.
func (c *saCounters) received(class esp.Class, size int) {
	switch class {
	case esp.Decrypted:
		c.carried(size)
	case esp.AuthFailed:
		c.authFailed++
	case esp.BadSyntax:
		c.syntax++
	}
}

// fingerprint is what SA_COUNTERS tells of a key: none with a nonce of zero.
func fingerprint(key []byte, nonce [regs.SANonceCount]uint32) uint64 {
	if nonce == [regs.SANonceCount]uint32{} {
		return 0
	}
	block, err := aes.NewCipher(key)
	if err != nil { // params makes keys of the three lengths only
		panic("nic: " + err.Error())
	}
	var b [aes.BlockSize]byte
	binary.BigEndian.PutUint32(b[:], nonce[0])
	binary.BigEndian.PutUint32(b[4:], nonce[1])
	block.Encrypt(b[:], b[:])
	return binary.BigEndian.Uint64(b[:])
}

// sequenceHi is the upper half of the sequence number of a frame whose
// descriptor has ESN_LSB as given.
func (s *slot) sequenceHi(lsb bool) uint32 {
	hi := s.record.ESNHi
	if lsb != (hi&1 != 0) {
		hi--
	}
	return hi
}

// saKey is what inbound SAs are found by.
type saKey struct {
	spi  uint32
	ipv6 bool
	dst  [16]byte
}

// saTable is the SA slots, the lookup and the window.
type saTable struct {
	slots   []slot
	inbound map[saKey]*slot
	live    int
	matched *slot // what find found last

	nonce [regs.SANonceCount]uint32 // of fingerprints

	// The window and its operation; with a control processor nobody uses them.
	record   [regs.SARecordWords]uint32
	counters [regs.SACountersCount]uint32
	handle   regs.SAHandle
	op       regs.SAOp
	busy     bool
	due      uint64
	result   regs.SAResult
	cycles   uint32
	// deleted is the result of the DELETE under way, whose effect is immediate.
	deleted regs.SAResult
}

func (t *saTable) init(slots int) {
	t.slots = make([]slot, slots)
	t.inbound = make(map[saKey]*slot)
}

// zeroise empties all slots; their generations stay.
func (t *saTable) zeroise() {
	for i := range t.slots {
		t.slots[i] = slot{generation: t.slots[i].generation}
	}
	clear(t.inbound)
	*t = saTable{slots: t.slots, inbound: t.inbound}
}

// forgetGenerations is a power cycle.
func (t *saTable) forgetGenerations() { clear(t.slots) }

// find returns the inbound SA for a packet, and remembers its slot.
func (t *saTable) find(s *esp.Selector) *esp.SA {
	key := saKey{s.SPI, s.IPv6, s.Dst}
	found := t.inbound[key]
	if found == nil {
		key.dst = [16]byte{}
		found = t.inbound[key]
	}
	if found == nil || found.src != [16]byte{} && found.src != s.Src {
		return nil
	}
	t.matched = found
	return found.sa
}

// named returns the live slot of a handle, nil if there is none.
func (t *saTable) named(handle uint32) *slot {
	h := regs.SAHandle(handle)
	if int(h.Index()) >= len(t.slots) {
		return nil
	}
	s := &t.slots[h.Index()]
	if !s.live || s.handle != handle {
		return nil
	}
	return s
}

// startSA is a write of SA_CMD.
func (n *NIC) startSA(op regs.SAOp) {
	t := &n.sa
	if t.busy {
		return
	}
	t.busy, t.op = true, op
	t.cycles = saCycles
	if op == regs.SAOpNOP {
		t.cycles = 1
	}
	t.due = n.clock.cycle + uint64(t.cycles)
	n.clock.wakeAt(t.due)
	if op == regs.SAOpDelete { // invisible at once; the rest of the time is zeroising
		t.deleted = t.delete(t.handle)
	}
}

// finishSA ends the operation under way.
func (n *NIC) finishSA() {
	t := &n.sa
	switch t.op {
	case regs.SAOpNOP:
		t.result = regs.SAResultOK
	case regs.SAOpAdd, regs.SAOpRestore:
		var r regs.SARecord
		r.SetWords(&t.record)
		t.handle, t.result = t.install(t.handle, r, len(n.rx), t.op == regs.SAOpRestore)
	case regs.SAOpUpdate:
		t.result = t.update(t.handle, t.record[regs.SARecordESNHiWord])
	case regs.SAOpDelete:
		t.result = t.deleted
	case regs.SAOpRead:
		t.result = t.read()
	default:
		t.result = regs.SAResultBadOp
	}
	t.record[regs.SARecordSaltWord] = 0
	clear(t.record[regs.SARecordKeyWord:])
	t.busy = false
}

// install is ADD and RESTORE of a record in a NIC with that many queues; it
// returns SA_HANDLE afterwards. It never ends with LOOKUP_FULL, which depends on
// how an implementation looks up.
func (t *saTable) install(handle regs.SAHandle, r regs.SARecord, queues int, restore bool) (regs.SAHandle, regs.SAResult) {
	if int(handle.Index()) >= len(t.slots) {
		return handle, regs.SAResultBadIndex
	}
	if !acceptable(&r, queues) {
		return handle, regs.SAResultBadRecord
	}
	s := &t.slots[handle.Index()]
	generation := s.generation
	switch {
	case s.live:
		return handle, regs.SAResultSlotInUse
	case !restore:
		generation = max(1, generation+1) // skips 0
	case handle.Generation() != generation:
		return handle, regs.SAResultStaleHandle
	}
	key := keyOf(&r)
	if r.Flags.Inbound() && t.inbound[key] != nil {
		return handle, regs.SAResultDuplicate
	}
	p := params(&r)
	sa, err := esp.NewSA(p)
	if err != nil { // acceptable has refused what NewSA does
		panic("nic: " + err.Error())
	}
	handle = handle.WithGeneration(generation)
	r.Salt, r.Key = 0, [8]uint32{}
	*s = slot{live: true, generation: generation, handle: uint32(handle), record: r, src: address(r.Src), sa: sa}
	s.counters.fingerprint = fingerprint(p.Key, t.nonce)
	t.live++
	if r.Flags.Inbound() {
		t.inbound[key] = s
	}
	return handle, regs.SAResultOK
}

func (t *saTable) update(handle regs.SAHandle, hi uint32) regs.SAResult {
	if int(handle.Index()) >= len(t.slots) {
		return regs.SAResultBadIndex
	}
	s := t.named(uint32(handle))
	if s == nil {
		return regs.SAResultStaleHandle
	}
	s.record.ESNHi = hi
	if s.record.Flags.ESN() {
		s.sa = s.sa.WithESNHi(hi)
	}
	return regs.SAResultOK
}

func (t *saTable) delete(handle regs.SAHandle) regs.SAResult {
	if int(handle.Index()) >= len(t.slots) {
		return regs.SAResultBadIndex
	}
	s := t.named(uint32(handle))
	if s == nil {
		return regs.SAResultStaleHandle
	}
	if s.record.Flags.Inbound() {
		delete(t.inbound, keyOf(&s.record))
	}
	*s = slot{generation: s.generation}
	t.live--
	return regs.SAResultOK
}

func (t *saTable) read() regs.SAResult {
	index := int(t.handle.Index())
	if index >= len(t.slots) {
		return regs.SAResultBadIndex
	}
	s := &t.slots[index]
	if !s.live {
		return regs.SAResultEmptySlot
	}
	t.record, t.counters = s.record.Words(), s.counters.words()
	t.handle = t.handle.WithGeneration(s.generation)
	return regs.SAResultOK
}
