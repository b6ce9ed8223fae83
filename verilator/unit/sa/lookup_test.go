// SPDX-License-Identifier: Apache-2.0

package sa

import (
	"fmt"
	"math/rand"
	"testing"
)

// player writes a script and, with the model, what must come of it.
type player struct {
	script
	m     *model
	cmds  []outcome
	rxs   []rxEvent
	txs   []txEvent
	names []string // of cmds
	left  []secretsEvent
}

func newPlayer(c config) *player { return &player{m: newModel(c.slots)} }

func (p *player) do(op, handle uint32, r record) outcome {
	p.cmd(op, handle, r)
	want := p.m.do(op, handle, r)
	p.cmds = append(p.cmds, want)
	p.names = append(p.names, fmt.Sprintf("operation %d (%d, handle %#x, SPI %#x)", len(p.cmds)-1, op, handle, r.spi))
	return want
}

// look asks for an inbound SA; its frame is done at the next settle.
func (p *player) look(spi uint32, dst, src [16]byte, ipv6 uint32) {
	p.rx(spi, dst, src, ipv6)
	p.rxs = append(p.rxs, p.m.rx(spi, dst, src, ipv6))
}

func (p *player) check(handle, use uint32) {
	p.tx(handle, use)
	p.txs = append(p.txs, p.m.tx(handle))
}

// settle ends all that is under way and looks for secrets that stayed.
func (p *player) settle() {
	p.say("idle")
	p.say("drain")
	p.say("secrets")
	n := p.m.live()
	zeroised := uint32(0)
	if n == 0 {
		zeroised = 1
	}
	p.left = append(p.left, secretsEvent{0, n, n, zeroised, n})
}

func (p *player) judge(t *testing.T, c config) log {
	t.Helper()
	l := run(t, c, &p.script)
	if len(l.cmds) != len(p.cmds) || len(l.rxs) != len(p.rxs) || len(l.txs) != len(p.txs) {
		t.Fatalf("%d, %d, %d answers, want %d, %d, %d", len(l.cmds), len(l.rxs), len(l.txs), len(p.cmds), len(p.rxs), len(p.txs))
	}
	for i, want := range p.cmds {
		e := l.cmds[i]
		if e.result != want.result || e.handleWE == 1 != (want.gen != 0) || e.handleWE == 1 && e.gen != want.gen {
			t.Fatalf("%s: %+v, want %+v", p.names[i], e, want)
		}
		if read := want.read != (record{}); e.recWE == 1 != read || read && e.read != want.read {
			t.Fatalf("%s: read %d %+v, want %+v", p.names[i], e.recWE, e.read, want.read)
		}
	}
	for i, want := range p.rxs {
		if !l.rxs[i].same(want) {
			t.Fatalf("lookup %d: %+v, want %+v", i, l.rxs[i], want)
		}
		if l.rxs[i].answered != l.rxs[i].asked+7 {
			t.Errorf("lookup %d: answered after %d cycles", i, l.rxs[i].answered-l.rxs[i].asked)
		}
	}
	for i, want := range p.txs {
		if !l.txs[i].same(want) {
			t.Fatalf("check %d: %+v, want %+v", i, l.txs[i], want)
		}
		if l.txs[i].answered != l.txs[i].asked+2 {
			t.Errorf("check %d: answered after %d cycles", i, l.txs[i].answered-l.txs[i].asked)
		}
	}
	for i, want := range p.left {
		if l.secrets[i] != want {
			t.Fatalf("secrets at %d: %+v, want %+v", i, l.secrets[i], want)
		}
	}
	return l
}

// TestRandomOperations compares long random histories with the model, from a
// small world so that everything collides with everything.
func TestRandomOperations(t *testing.T) {
	addresses := [][16]byte{{}, v4(0x0A000001), v4(0x0A000002)}
	for seed := int64(1); seed <= 4; seed++ {
		rng := rand.New(rand.NewSource(seed))
		p := newPlayer(small)
		handles := []uint32{0}
		restored := 0
		for n := 0; n < 700; n++ {
			r := randomSA(rng, rng.Intn(4) > 0)
			r.spi = uint32(rng.Intn(6))
			r.dst, r.src = addresses[rng.Intn(3)], addresses[max(0, rng.Intn(5)-2)]
			if rng.Intn(20) == 0 {
				r.flags = rng.Uint32() & 0xf3f
			}
			if rng.Intn(30) == 0 {
				rng.Read(r.dst[rng.Intn(16):])
			}
			h := handles[rng.Intn(len(handles))]
			if rng.Intn(60) == 0 {
				p.say("zeroise")
				p.say("idle")
				p.m.zeroise()
				// Bring some back under their handles, the last ones first: a slot's last is the one that can be.
				for i := len(handles) - 1; i > 0 && i > len(handles)-20; i-- {
					if rng.Intn(3) > 0 {
						r := randomSA(rng, rng.Intn(2) == 0)
						if out := p.do(opRestore, handles[i], r); out.result == resOK {
							restored++
						}
					}
				}
			}
			switch op := uint32(rng.Intn(16)); {
			case op < 7:
				slot := rng.Intn(18)
				if out := p.do(opAdd, handle(slot, rng.Uint32()&0xffff), r); out.gen != 0 {
					handles = append(handles, handle(slot, out.gen))
				}
			case op < 9:
				p.do(opUpdate, h, r)
			case op < 12:
				p.do(opDelete, h, r)
			case op < 14:
				p.do(opRead, uint32(rng.Intn(18)), r)
			case op < 15:
				if out := p.do(opRestore, h, r); out.result == resOK {
					restored++
				}
			default:
				p.do(uint32(rng.Intn(8)), h, r)
			}
			for k := rng.Intn(6); k > 0; k-- {
				p.look(uint32(rng.Intn(6)), addresses[rng.Intn(3)], addresses[rng.Intn(3)], uint32(rng.Intn(2)))
				p.check(handles[rng.Intn(len(handles))]+uint32(rng.Intn(8)/7)<<uint32(rng.Intn(32)), uint32(rng.Intn(2)))
			}
			p.settle()
		}
		p.judge(t, small)
		if restored < 30 {
			t.Errorf("only %d SAs were restored", restored)
		}
	}
}

// TestNearMisses looks up what is almost the key of an SA, in a table so small
// that most of it lands in the SA's own bucket.
func TestNearMisses(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	p := newPlayer(small)
	var sas []record
	for i := 0; i < small.slots; i++ {
		r := randomSA(rng, true)
		r.src = [16]byte{}
		if r.ipv6() != 0 {
			rng.Read(r.dst[:])
			r.src[rng.Intn(16)] = 1 << rng.Intn(8) // few bits, so that most of it is like "any source"
		} else {
			r.dst = v4(rng.Uint32())
			r.src = v4(1 << rng.Intn(32))
		}
		sas = append(sas, r)
		p.do(opAdd, uint32(i), r)
	}
	hits := 0
	for n := 0; n < 4000; n++ {
		r := sas[rng.Intn(len(sas))]
		spi, dst, src, ipv6 := r.spi, r.dst, r.src, r.ipv6()
		for flips := rng.Intn(4); flips > 0; flips-- {
			switch bit := rng.Intn(128); rng.Intn(7) {
			case 0, 1:
				spi ^= 1 << (bit % 32)
			case 2, 3:
				dst[bit/8] ^= 1 << (bit % 8)
			case 4, 5:
				src[bit/8] ^= 1 << (bit % 8)
			default:
				ipv6 ^= 1
			}
		}
		p.look(spi, dst, src, ipv6)
		hits += int(p.rxs[n].hit)
	}
	p.settle()
	p.judge(t, small)
	t.Logf("%d of 4000 lookups hit", hits)
}

// TestThousandSAs fills all slots with inbound SAs and looks them up in random
// order, then again with half of them gone.
func TestThousandSAs(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	p := newPlayer(full)
	var sas []record
	for i := 0; i < full.slots; i++ {
		r := randomSA(rng, true)
		if i%8 == 7 { // the same SPI as one before, with and without destination
			r.spi = sas[i-1].spi
			r.flags = r.flags&^flagIPv6 | sas[i-1].flags&flagIPv6
			r.src = [16]byte{}
			r.dst = [16]byte{}
			if sas[i-1].dst == r.dst {
				rng.Read(r.dst[:4])
			}
		}
		sas = append(sas, r)
		if out := p.do(opAdd, uint32(i), r); out.result != resOK {
			t.Fatalf("SA %d: the model refuses it: %d", i, out.result)
		}
	}
	ask := func(n int) {
		for ; n > 0; n-- {
			r := sas[rng.Intn(len(sas))]
			spi, dst, src, ipv6 := r.spi, r.dst, r.src, r.ipv6()
			if src == [16]byte{} {
				rng.Read(src[:4])
			}
			if dst == [16]byte{} {
				rng.Read(dst[:4])
			}
			switch rng.Intn(12) {
			case 0:
				spi ^= 1 << rng.Intn(32)
			case 1:
				dst[rng.Intn(16)] ^= 1 << rng.Intn(8)
			case 2:
				src[rng.Intn(16)] ^= 1 << rng.Intn(8)
			case 3:
				ipv6 ^= 1
			case 4:
				dst = [16]byte{}
			}
			p.look(spi, dst, src, ipv6)
			if rng.Intn(4) == 0 {
				p.say("wait %d", rng.Intn(4))
			}
		}
		p.settle()
	}
	ask(3000)
	for i := range sas {
		if i%2 == 1 {
			p.do(opDelete, handle(i, 1), record{})
		}
	}
	ask(3000)
	hits := 0
	for _, e := range p.rxs {
		hits += int(e.hit)
	}
	p.judge(t, full)
	t.Logf("%d of %d lookups hit", hits, len(p.rxs))
}

// TestSixteenThousandSlots fills a large table, looks everything up, deletes
// and restores half of it and fills the rest anew. Operations take the cycles
// that they take in a small one.
func TestSixteenThousandSlots(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	p := newPlayer(large)
	const n = 6000
	slots := rng.Perm(large.slots)[:n]
	slots[0], slots[1] = 0, large.slots-1 // twice, perhaps: then the second ADD is refused
	sas := make([]record, n)
	ask := func() {
		for i, r := range sas {
			if !r.inbound() {
				p.check(handle(slots[i], p.m.slots[slots[i]].gen), 1)
			} else if p.look(r.spi, r.dst, r.src, r.ipv6()); i%3 == 0 {
				p.look(r.spi^1<<rng.Intn(32), r.dst, r.src, r.ipv6())
			}
		}
		p.settle()
	}
	var adds []int // commands that are an ADD or RESTORE which succeeds
	install := func(op uint32, i int) {
		if p.do(op, handle(slots[i], p.m.slots[slots[i]].gen), sas[i]).result == resOK {
			adds = append(adds, len(p.cmds)-1)
		}
	}
	for i := range sas {
		sas[i] = randomSA(rng, i%4 > 0)
		install(opAdd, i)
	}
	ask()
	for i := 0; i < n; i += 2 {
		p.do(opDelete, handle(slots[i], p.m.slots[slots[i]].gen), record{})
	}
	ask()
	for i := 0; i < n; i += 2 {
		if i%4 == 0 {
			install(opRestore, i)
		} else {
			sas[i] = randomSA(rng, i%4 > 0)
			install(opAdd, i)
		}
		p.do(opRead, uint32(slots[i]), record{})
	}
	ask()
	p.say("zeroise")
	p.m.zeroise()
	ask()
	l := p.judge(t, large)
	if len(adds) < n+n/2-8 {
		t.Errorf("only %d SAs were installed", len(adds))
	}
	for _, at := range adds {
		e := l.cmds[at]
		if base := e.cycles - 105; e.cycles < 105 || base%8 != 0 || base > 16 {
			t.Fatalf("%s took %d cycles", p.names[at], e.cycles)
		}
	}
	for i, name := range p.names {
		if e := l.cmds[i]; uint64(e.cycles) != e.end-e.start || e.cycles > 121 {
			t.Fatalf("%s took %d cycles and says %d", name, e.end-e.start, e.cycles)
		}
	}
	t.Logf("%d SAs installed, %d lookups, %d checks", len(adds), len(p.rxs), len(p.txs))
}

// TestLookupFull fills both buckets of a key.
func TestLookupFull(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	p := newPlayer(full)
	want := [2]int{p.m.bucket(0, lookupKey{spi: 1}), p.m.bucket(1, lookupKey{spi: 1})}
	var same []record
	for spi := uint32(1); len(same) < 10; spi++ {
		r := record{spi: spi, flags: flagInbound, salt: spi}
		if p.m.bucket(0, r.lookupKey()) == want[0] && p.m.bucket(1, r.lookupKey()) == want[1] {
			same = append(same, r)
		}
	}
	for i, r := range same {
		wantResult := uint32(resOK)
		if i >= 8 {
			wantResult = resFull
		}
		if out := p.do(opAdd, uint32(i), r); out.result != wantResult {
			t.Fatalf("the model gives %d for SA %d", out.result, i)
		}
		p.look(r.spi, v4(rng.Uint32()), v4(1), 0)
		p.settle()
	}
	// Each of the eight ways can be freed, and is found free.
	for _, i := range rng.Perm(8) {
		p.do(opDelete, handle(i, p.m.slots[i].gen), record{})
		for _, r := range same {
			p.look(r.spi, v4(rng.Uint32()), v4(1), 0)
		}
		p.settle()
		p.do(opAdd, 9, same[9])
		p.do(opAdd, 8, same[8])
		p.look(same[9].spi, v4(1), v4(1), 0)
		p.settle()
		p.do(opDelete, handle(9, p.m.slots[9].gen), record{})
		p.do(opAdd, uint32(i), same[i])
	}
	p.judge(t, full)
}

// TestRates demands the rates that docs/rtl.md states: a lookup in two cycles,
// a check in one.
func TestRates(t *testing.T) {
	p := newPlayer(small)
	r := randomSA(rand.New(rand.NewSource(1)), true)
	out := randomSA(rand.New(rand.NewSource(2)), false)
	p.do(opAdd, 0, r)
	p.do(opAdd, 1, out)
	for i := 0; i < 100; i++ {
		p.look(r.spi+uint32(i%2), r.dst, r.src, r.ipv6())
	}
	for i := 0; i < 100; i++ {
		p.check(handle(i%3, 1), 0)
	}
	p.settle()
	l := p.judge(t, small)
	for i := 1; i < 100; i++ {
		if d := l.rxs[i].asked - l.rxs[i-1].asked; d != 2 {
			t.Errorf("lookup %d was taken %d cycles after the one before", i, d)
		}
		if d := l.txs[i].asked - l.txs[i-1].asked; d != 1 {
			t.Errorf("check %d was taken %d cycles after the one before", i, d)
		}
	}
}
