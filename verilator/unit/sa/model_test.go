// SPDX-License-Identifier: Apache-2.0

package sa

import (
	"hash/crc32"
)

// model is the SA table that docs/nic-contract.md describes.
type model struct {
	slots []slot
	keys  map[lookupKey]int // inbound SAs
	// ways taken per bucket of the two hash tables of docs/rtl.md
	taken [2][]int
}

type slot struct {
	live  bool
	gen   uint32
	rec   record
	table int
}

type lookupKey struct {
	spi  uint32
	dst  [16]byte
	ipv6 uint32
}

func (r record) lookupKey() lookupKey { return lookupKey{r.spi, r.dst, r.ipv6()} }

func newModel(slots int) *model {
	return &model{
		slots: make([]slot, slots),
		keys:  map[lookupKey]int{},
		taken: [2][]int{make([]int, slots/2), make([]int, slots/2)},
	}
}

// bucket is the bucket of a key in a table: CRC-32C and CRC-32 with initial
// value 0 and no inversion, low bits.
func (m *model) bucket(table int, k lookupKey) int {
	b := []byte{byte(k.spi >> 24), byte(k.spi >> 16), byte(k.spi >> 8), byte(k.spi)}
	b = append(append(b, k.dst[:]...), byte(k.ipv6))
	poly := crc32.MakeTable([]uint32{crc32.Castagnoli, crc32.IEEE}[table])
	return int(^crc32.Update(^uint32(0), poly, b) % uint32(len(m.slots)/2))
}

// outcome is what an operation must report.
type outcome struct {
	result uint32
	gen    uint32 // written to HANDLE; 0: not written
	read   record // copied to the window; zero: nothing
}

func (m *model) do(op, handle uint32, r record) outcome {
	index, gen := int(handle&0xffff), handle>>16
	if op > opRestore {
		return outcome{result: resBadOp}
	}
	if op == opNop {
		return outcome{}
	}
	if index >= len(m.slots) {
		return outcome{result: resBadIndex}
	}
	s := &m.slots[index]
	stale := !s.live || s.gen != gen
	switch op {
	case opAdd:
		return m.add(index, s.gen%0xffff+1, false, r)
	case opRestore:
		if out := m.add(index, gen, gen != s.gen, r); out.result != resOK {
			return out
		}
		return outcome{}
	case opRead:
		if !s.live {
			return outcome{result: resEmpty}
		}
		read := s.rec
		read.salt, read.key = 0, [32]byte{}
		return outcome{gen: s.gen, read: read}
	case opUpdate:
		if stale {
			return outcome{result: resStale}
		}
		s.rec.esnHi = r.esnHi
		return outcome{}
	default:
		if stale {
			return outcome{result: resStale}
		}
		if s.rec.inbound() {
			delete(m.keys, s.rec.lookupKey())
			m.taken[s.table][m.bucket(s.table, s.rec.lookupKey())]--
		}
		s.live, s.rec = false, record{}
		return outcome{}
	}
}

// add is ADD or RESTORE with the generation that the SA gets; stale says that
// RESTORE gave another than the slot's.
func (m *model) add(index int, gen uint32, stale bool, r record) outcome {
	wide := func(a [16]byte) bool { return [12]byte(a[4:]) != [12]byte{} }
	if r.spi == 0 || r.keylen() == 3 || r.flags>>queueShift&15 >= 4 || r.ipv6() == 0 && (wide(r.dst) || wide(r.src)) {
		return outcome{result: resBadRecord}
	}
	s := &m.slots[index]
	if s.live {
		return outcome{result: resSlotInUse}
	}
	if stale {
		return outcome{result: resStale}
	}
	if r.inbound() {
		k := r.lookupKey()
		if _, ok := m.keys[k]; ok {
			return outcome{result: resDuplicate}
		}
		b0, b1 := &m.taken[0][m.bucket(0, k)], &m.taken[1][m.bucket(1, k)]
		switch {
		case *b0 == 4 && *b1 == 4:
			return outcome{result: resFull}
		case *b0 <= *b1:
			s.table = 0
			*b0++
		default:
			s.table = 1
			*b1++
		}
		m.keys[k] = index
	}
	s.live, s.rec = true, r
	s.gen = gen
	return outcome{gen: gen}
}

// zeroise empties all slots; generations stay.
func (m *model) zeroise() {
	fresh := newModel(len(m.slots))
	for i := range m.slots {
		fresh.slots[i].gen = m.slots[i].gen
	}
	*m = *fresh
}

// live is the number of SAs.
func (m *model) live() (n uint32) {
	for _, s := range m.slots {
		if s.live {
			n++
		}
	}
	return n
}

// rx is the answer to an inbound lookup.
func (m *model) rx(spi uint32, dst, src [16]byte, ipv6 uint32) rxEvent {
	i, ok := m.keys[lookupKey{spi, dst, ipv6}]
	if !ok {
		i, ok = m.keys[lookupKey{spi, [16]byte{}, ipv6}]
	}
	if !ok {
		return rxEvent{}
	}
	s := m.slots[i]
	if s.rec.src != [16]byte{} && s.rec.src != src {
		return rxEvent{}
	}
	f := s.rec.flags
	return rxEvent{hit: 1, handle: s.gen<<16 | uint32(i), keylen: s.rec.keylen(), esn: f >> 3 & 1, esnHi: s.rec.esnHi,
		salt: s.rec.salt, tunnel: f >> 2 & 1, rxQueues: f >> queueShift & 15}
}

// tx is the answer to an outbound check.
func (m *model) tx(handle uint32) txEvent {
	index := int(handle & 0xffff)
	if index >= len(m.slots) {
		return txEvent{}
	}
	s := m.slots[index]
	if !s.live || s.rec.inbound() || s.gen != handle>>16 {
		return txEvent{}
	}
	return txEvent{hit: 1, keylen: s.rec.keylen(), esn: s.rec.flags >> 3 & 1, hi: s.rec.esnHi, salted: s.rec.salt}
}

// same compares an answer with the expected one; of a miss only the miss
// matters, and times are another matter.
func (e rxEvent) same(want rxEvent) bool {
	e.asked, e.answered = 0, 0
	return e.hit == want.hit && (e.hit == 0 || e == want)
}

func (e txEvent) same(want txEvent) bool {
	e.asked, e.answered = 0, 0
	return e.hit == want.hit && (e.hit == 0 || e == want)
}
