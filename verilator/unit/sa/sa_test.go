// SPDX-License-Identifier: Apache-2.0

// Package sa tests espalier_sa against docs/nic-contract.md.
package sa

import (
	"encoding/binary"
	"fmt"
	"math/rand"
	"testing"
)

func handle(slot int, gen uint32) uint32 { return gen<<16 | uint32(slot) }

func v4(a uint32) (b [16]byte) {
	binary.BigEndian.PutUint32(b[:], a)
	return b
}

// randomSA is a valid record; a third of the inbound ones match any
// destination, a third ask for a source.
func randomSA(rng *rand.Rand, inbound bool) record {
	var r record
	r.spi = rng.Uint32() | 1
	r.esnHi, r.salt = rng.Uint32(), rng.Uint32()|1
	rng.Read(r.key[:])
	r.flags = uint32(rng.Intn(16))&^flagInbound | uint32(rng.Intn(3))<<keylenShift | uint32(rng.Intn(4))<<queueShift
	if inbound {
		r.flags |= flagInbound
	}
	n := 4
	if r.ipv6() != 0 {
		n = 16
	}
	if rng.Intn(3) > 0 {
		rng.Read(r.dst[:n])
	}
	if rng.Intn(3) == 0 {
		rng.Read(r.src[:n])
	}
	return r
}

// deleteCycles is how long DELETE takes when no frame uses the SA and none is
// looked up.
const deleteCycles = 32

// TestInstall checks every key the engine makes, the time it takes, and that
// it keeps nothing.
func TestInstall(t *testing.T) {
	for _, c := range []config{small, {2, 16}} {
		t.Run(fmt.Sprintf("%d lanes", c.lanes), func(t *testing.T) {
			rng := rand.New(rand.NewSource(1))
			var s script
			var sas []record
			for n := 0; n < 60; n++ {
				r := randomSA(rng, n%2 == 1)
				r.flags = r.flags&^(3<<keylenShift) | uint32(n/2%3)<<keylenShift
				if n < 6 {
					r.key = [32]byte{}
				}
				sas = append(sas, r)
				slot := n % c.slots
				dir := n % 2
				s.cmd(opAdd, uint32(slot), r)
				s.say("dump %d %x", dir, slot)
				s.say("dump %d %x", 1-dir, slot)
				s.say("secrets")
				s.cmd(opDelete, handle(slot, uint32(n/c.slots+1)), record{})
				s.say("dump %d %x", dir, slot)
				s.say("secrets")
			}
			l := run(t, c, &s)
			taken := map[uint32]uint32{}
			for n, r := range sas {
				what := fmt.Sprintf("SA %d, key length %d", n, r.keylen())
				add, del := l.cmds[2*n], l.cmds[2*n+1]
				if add.result != resOK || add.handleWE != 1 || add.gen != uint32(n/c.slots+1) || add.dones != 1 {
					t.Fatalf("%s: ADD: %+v", what, add)
				}
				if uint64(add.cycles) != add.end-add.start {
					t.Errorf("%s: ADD says %d cycles, it took %d", what, add.cycles, add.end-add.start)
				}
				if add.lastWrite == 0 || add.lastWrite >= add.end-1 {
					t.Errorf("%s: last key written at %d, ADD ended at %d", what, add.lastWrite, add.end)
				}
				if old, ok := taken[r.keylen()]; ok && old != add.cycles {
					t.Errorf("%s: ADD took %d cycles, another time %d", what, add.cycles, old)
				}
				taken[r.keylen()] = add.cycles
				l.dumps[3*n].wantKeys(t, what, r, c)
				l.dumps[3*n+1].wantZero(t, what+", other direction")
				if got, want := l.secrets[2*n], (secretsEvent{0, 1, 1, 0, 1}); got != want {
					t.Errorf("%s: secrets after ADD %+v, want %+v", what, got, want)
				}
				if del.result != resOK || del.handleWE != 0 {
					t.Errorf("%s: DELETE: %+v", what, del)
				}
				if del.cycles != deleteCycles {
					t.Errorf("%s: DELETE took %d cycles, not %d", what, del.cycles, deleteCycles)
				}
				l.dumps[3*n+2].wantZero(t, what+", deleted")
				if got, want := l.secrets[2*n+1], (secretsEvent{0, 0, 0, 1, 0}); got != want {
					t.Errorf("%s: secrets after DELETE %+v, want %+v", what, got, want)
				}
			}
			t.Logf("cycles from command to usable: AES-128 %d, AES-192 %d, AES-256 %d", taken[0], taken[1], taken[2])
			for keylen, cycles := range taken {
				if c.lanes == 1 && cycles != 105+8*keylen { // docs/rtl.md
					t.Errorf("key length %d takes %d cycles to install, not %d", keylen, cycles, 105+8*keylen)
				}
			}
		})
	}
}

// TestResults is one case per result of each operation, and the order in
// which they are judged.
func TestResults(t *testing.T) {
	in := record{spi: 0x100, flags: flagInbound, dst: v4(0x0A000001), salt: 7}
	out := record{spi: 0x200, flags: flagTunnel | flagESN | 2<<keylenShift | 3<<queueShift, dst: v4(0x0A000002), src: v4(3), esnHi: 9, salt: 8}
	in6 := in
	in6.flags |= flagIPv6
	with := func(r record, change func(*record)) record { change(&r); return r }
	cases := []struct {
		name       string
		op, handle uint32
		rec        record
		result     uint32
		gen        uint32 // expected in HANDLE; 0: not written
		read       record
	}{
		{"NOP", opNop, 0xffff, record{}, resOK, 0, record{}},
		{"READ of an empty slot", opRead, 3, record{}, resEmpty, 0, record{}},
		{"UPDATE of an empty slot", opUpdate, handle(3, 0), record{}, resStale, 0, record{}},
		{"DELETE of an empty slot", opDelete, handle(3, 0), record{}, resStale, 0, record{}},
		{"ADD inbound", opAdd, 3, in, resOK, 1, record{}},
		{"ADD outbound, generation in HANDLE ignored", opAdd, handle(4, 77), out, resOK, 1, record{}},
		{"READ", opRead, handle(4, 5), record{}, resOK, 1, out},
		{"operation 6", 6, 4, out, resBadOp, 0, record{}},
		{"operation 7 with a bad index", 7, 16, out, resBadOp, 0, record{}},
		{"ADD at 16", opAdd, 16, in, resBadIndex, 0, record{}},
		{"READ at 0xffff", opRead, 0xffff, in, resBadIndex, 0, record{}},
		{"UPDATE at 0x8004", opUpdate, handle(0x8004, 1), in, resBadIndex, 0, record{}},
		{"DELETE at 20", opDelete, handle(20, 1), in, resBadIndex, 0, record{}},
		{"SPI 0", opAdd, 5, with(out, func(r *record) { r.spi = 0 }), resBadRecord, 0, record{}},
		{"key length 3", opAdd, 5, with(out, func(r *record) { r.flags |= 3 << keylenShift }), resBadRecord, 0, record{}},
		{"queue 4 of 4", opAdd, 5, with(in, func(r *record) { r.flags |= 4 << queueShift }), resBadRecord, 0, record{}},
		{"queue 4 of 4, outbound", opAdd, 5, with(in, func(r *record) { r.flags = 4 << queueShift }), resBadRecord, 0, record{}},
		{"IPv4 destination of 5 bytes", opAdd, 5, with(in, func(r *record) { r.dst[4] = 1 }), resBadRecord, 0, record{}},
		{"IPv4 source of 16 bytes", opAdd, 5, with(out, func(r *record) { r.src[15] = 1 }), resBadRecord, 0, record{}},
		{"bad record at a slot in use", opAdd, 3, record{}, resBadRecord, 0, record{}},
		{"slot in use", opAdd, 3, out, resSlotInUse, 0, record{}},
		{"slot in use, duplicate", opAdd, 4, in, resSlotInUse, 0, record{}},
		{"duplicate", opAdd, 5, in, resDuplicate, 0, record{}},
		{"duplicate but for the source", opAdd, 5, with(in, func(r *record) { r.src = v4(9) }), resDuplicate, 0, record{}},
		{"same SPI and address, IPv6", opAdd, 5, in6, resOK, 1, record{}},
		{"same SPI, other destination", opAdd, 6, with(in, func(r *record) { r.dst = v4(9) }), resOK, 1, record{}},
		{"same SPI, any destination", opAdd, 7, with(in, func(r *record) { r.dst = v4(0) }), resOK, 1, record{}},
		{"same SPI, any destination again", opAdd, 8, with(in, func(r *record) { r.dst = v4(0) }), resDuplicate, 0, record{}},
		{"outbound twin of an inbound SA", opAdd, 8, with(in, func(r *record) { r.flags = 0 }), resOK, 1, record{}},
		{"outbound twin of an outbound SA", opAdd, 9, with(in, func(r *record) { r.flags = 0 }), resOK, 1, record{}},
		{"UPDATE with the next generation", opUpdate, handle(4, 2), record{esnHi: 10}, resStale, 0, record{}},
		{"UPDATE", opUpdate, handle(4, 1), record{esnHi: 11}, resOK, 0, record{}},
		{"READ after UPDATE", opRead, 4, record{}, resOK, 1, with(out, func(r *record) { r.esnHi = 11 })},
		{"DELETE with generation 0", opDelete, handle(4, 0), record{}, resStale, 0, record{}},
		{"DELETE", opDelete, handle(4, 1), record{}, resOK, 0, record{}},
		{"READ after DELETE", opRead, 4, record{}, resEmpty, 0, record{}},
		{"DELETE twice", opDelete, handle(4, 1), record{}, resStale, 0, record{}},
		{"DELETE of an inbound SA", opDelete, handle(3, 1), record{}, resOK, 0, record{}},
		{"ADD elsewhere after DELETE", opAdd, 4, in, resOK, 2, record{}},
		{"RESTORE at 16", opRestore, handle(16, 1), in, resBadIndex, 0, record{}},
		{"RESTORE of a bad record into a slot in use", opRestore, handle(4, 1), record{}, resBadRecord, 0, record{}},
		{"RESTORE of a duplicate into a slot in use, with an old generation", opRestore, handle(4, 1), in, resSlotInUse, 0, record{}},
		{"RESTORE of a duplicate with the next generation", opRestore, handle(3, 2), in, resStale, 0, record{}},
		{"RESTORE of a duplicate", opRestore, handle(3, 1), in, resDuplicate, 0, record{}},
		{"RESTORE with the generation before", opRestore, handle(3, 0), out, resStale, 0, record{}},
		{"RESTORE", opRestore, handle(3, 1), out, resOK, 0, record{}},
		{"READ after RESTORE", opRead, 3, record{}, resOK, 1, out},
		{"UPDATE with the handle restored", opUpdate, handle(3, 1), record{esnHi: 12}, resOK, 0, record{}},
		{"DELETE with the handle restored", opDelete, handle(3, 1), record{}, resOK, 0, record{}},
		{"ADD after RESTORE takes the next generation", opAdd, handle(3, 1), out, resOK, 2, record{}},
		{"RESTORE into a slot never used", opRestore, handle(12, 1), out, resStale, 0, record{}},
		{"RESTORE into a slot never used, generation 0", opRestore, handle(12, 0), out, resOK, 0, record{}},
	}
	var s script
	for _, c := range cases {
		s.cmd(c.op, c.handle, c.rec)
	}
	l := run(t, small, &s)
	for i, c := range cases {
		e := l.cmds[i]
		if e.result != c.result {
			t.Errorf("%s: result %d, want %d", c.name, e.result, c.result)
		}
		if e.handleWE == 1 != (c.gen != 0) || e.handleWE == 1 && e.gen != c.gen {
			t.Errorf("%s: generation written %d (%d), want %d", c.name, e.handleWE, e.gen, c.gen)
		}
		c.read.salt = 0
		if wrote := c.read != (record{}); e.recWE == 1 != wrote || wrote && e.read != c.read {
			t.Errorf("%s: read %d %+v, want %+v", c.name, e.recWE, e.read, c.read)
		}
		if e.dones != 1 {
			t.Errorf("%s: %d done pulses", c.name, e.dones)
		}
		if uint64(e.cycles) != e.end-e.start {
			t.Errorf("%s: says %d cycles, took %d", c.name, e.cycles, e.end-e.start)
		}
	}
}
