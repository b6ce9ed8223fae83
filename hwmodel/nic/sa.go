// SPDX-License-Identifier: Apache-2.0

package nic

import (
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

	record [regs.SARecordWords]uint32
	handle regs.SAHandle
	op     regs.SAOp
	busy   bool
	due    uint64
	result regs.SAResult
	cycles uint32
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
	case regs.SAOpAdd:
		t.result = t.add(len(n.rx))
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

// add installs the window's record. It never ends with LOOKUP_FULL, which
// depends on how an implementation looks up.
func (t *saTable) add(queues int) regs.SAResult {
	index := int(t.handle.Index())
	if index >= len(t.slots) {
		return regs.SAResultBadIndex
	}
	var r regs.SARecord
	r.SetWords(&t.record)
	if !acceptable(&r, queues) {
		return regs.SAResultBadRecord
	}
	s := &t.slots[index]
	if s.live {
		return regs.SAResultSlotInUse
	}
	key := keyOf(&r)
	if r.Flags.Inbound() {
		if t.inbound[key] != nil {
			return regs.SAResultDuplicate
		}
	}
	sa, err := esp.NewSA(params(&r))
	if err != nil { // acceptable has refused what NewSA does
		panic("nic: " + err.Error())
	}
	if s.generation++; s.generation == 0 {
		s.generation = 1
	}
	t.handle = t.handle.WithGeneration(s.generation)
	r.Salt, r.Key = 0, [8]uint32{}
	*s = slot{live: true, generation: s.generation, handle: uint32(t.handle), record: r, src: address(r.Src), sa: sa}
	t.live++
	if r.Flags.Inbound() {
		t.inbound[key] = s
	}
	return regs.SAResultOK
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
	t.record = s.record.Words()
	t.handle = t.handle.WithGeneration(s.generation)
	return regs.SAResultOK
}
