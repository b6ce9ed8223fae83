// SPDX-License-Identifier: Apache-2.0

package sa

import (
	"crypto/aes"
	"encoding/binary"
	"fmt"
	"math/rand"
	"testing"
)

// fingerprint is what words 6 and 7 of SA_COUNTERS must be.
func fingerprint(r record, nonce [2]uint32) (print [2]uint32) {
	if nonce == [2]uint32{} {
		return print
	}
	block, err := aes.NewCipher(r.aesKey())
	if err != nil {
		panic(err)
	}
	var b [16]byte
	binary.BigEndian.PutUint32(b[0:], nonce[0])
	binary.BigEndian.PutUint32(b[4:], nonce[1])
	block.Encrypt(b[:], b[:])
	return [2]uint32{binary.BigEndian.Uint32(b[0:]), binary.BigEndian.Uint32(b[4:])}
}

// TestFingerprint compares fingerprints with crypto/aes, for each key length,
// direction and way to install, and sees them go with their SA.
func TestFingerprint(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	var s script
	var want [][2]uint32
	for n := 0; n < 72; n++ {
		nonce := [2]uint32{rng.Uint32(), rng.Uint32()}
		switch n % 8 {
		case 3:
			nonce[0] = 0
		case 4:
			nonce[1] = 0
		case 5:
			nonce = [2]uint32{}
		}
		r := randomSA(rng, n%2 == 1)
		r.flags = r.flags&^(3<<keylenShift) | uint32(n%3)<<keylenShift
		want = append(want, fingerprint(r, nonce))
		s.say("nonce %x %x", nonce[0], nonce[1])
		slot, gen := n/2%16, uint32(n/32+1)
		if n%2 == 0 {
			s.cmd(opAdd, uint32(slot), r)
		} else { // the same slot again
			s.cmd(opRestore, handle(slot, gen), r)
		}
		s.say("nonce %x %x", rng.Uint32(), rng.Uint32()) // of no concern to an SA that is there
		s.cmd(opRead, uint32(slot), record{})
		s.say("counters")
		if n%5 == 4 {
			s.say("zeroise")
			s.say("idle")
			s.say("counters")
			want = append(want, [2]uint32{})
		} else {
			s.cmd(opDelete, handle(slot, gen), record{})
		}
		s.say("tallies %x", slot)
	}
	l := run(t, small, &s)
	for i, e := range l.cmds {
		if e.result != resOK {
			t.Fatalf("operation %d: %+v", i, e)
		}
	}
	if len(l.counters) != len(want) {
		t.Fatalf("%d answers, want %d", len(l.counters), len(want))
	}
	for i, w := range want {
		if got := l.counters[i]; got != [8]uint32{6: w[0], 7: w[1]} {
			t.Errorf("READ %d: counters %x, want the fingerprint %x", i, got, w)
		}
	}
	for i, clean := range l.tallies {
		if clean != 1 {
			t.Errorf("SA %d: something is left of its fingerprint", i)
		}
	}
}

// usage is the model of one SA's counters.
type usage struct {
	frames, bytes uint64
	auth, syntax  uint32
}

func usageOf(w [8]uint32) usage {
	return usage{uint64(w[1])<<32 | uint64(w[0]), uint64(w[3])<<32 | uint64(w[2]), w[4], w[5]}
}

// event counts a frame of a slot and returns its half of a count line.
func (u *usage) event(rng *rand.Rand, slot int, inbound bool) string {
	what, bytes := "ok", rng.Intn(1<<14)
	if inbound {
		what = []string{"ok", "ok", "auth", "syntax"}[rng.Intn(4)]
	}
	switch what {
	case "auth":
		u.auth++
	case "syntax":
		u.syntax++
	default:
		u.frames++
		u.bytes += uint64(bytes)
	}
	return fmt.Sprintf("%s %x %x", what, slot, bytes)
}

// TestCounters counts in both directions, in bursts without a pause and mostly
// for the same few SAs, and compares every counter with the model, also where it
// crosses 32 bits and where it wraps around.
func TestCounters(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	var s script
	var counts [16]usage
	var gens [16]uint32
	var least, most []usage
	read := func(slot int) {
		s.cmd(opRead, uint32(slot), record{})
		s.say("counters")
		least, most = append(least, counts[slot]), append(most, counts[slot])
	}
	// Even slots send, odd ones receive.
	install := func(op uint32, slot int) {
		r := randomSA(rng, slot%2 == 1)
		r.spi = uint32(slot + 1)
		s.cmd(op, handle(slot, gens[slot]), r)
		if op == opAdd {
			gens[slot]++
		}
		counts[slot] = usage{}
		read(slot)
	}
	burst := func(without int) { // frames of an SA that is gone do not come
		slots, density := 1+rng.Intn(8), 1+rng.Intn(5)
		for n := rng.Intn(60); n > 0; n-- {
			tx, rx := "0", "0"
			if slot := 2 * rng.Intn(slots); slot != without && rng.Intn(density) == 0 {
				tx = counts[slot].event(rng, slot, false)
			}
			if slot := 2*rng.Intn(slots) + 1; slot != without && rng.Intn(density) == 0 {
				rx = counts[slot].event(rng, slot, true)
			}
			s.say("count %s %s", tx, rx)
		}
	}
	for slot := range counts {
		install(opAdd, slot)
	}
	for round := 0; round < 500; round++ {
		if round%50 == 20 {
			s.say("wait 5")
			for slot := range counts {
				v := uint64(1)<<(32+round%100/50*32) - uint64(rng.Intn(3)) - 1
				s.say("preset %d %x %x", slot%2, slot, v)
				counts[slot] = usage{frames: v, bytes: v}
				if slot%2 == 1 {
					counts[slot].auth, counts[slot].syntax = uint32(v), uint32(v)
				}
			}
		}
		burst(-1)
		switch slot := rng.Intn(len(counts)); rng.Intn(4) {
		case 0: // at once, while the last events are on their way
			read(slot)
		case 1: // in the middle: all that came before, and some of what comes meanwhile
			if round%50 >= 20 && round%50 < 30 {
				continue // counters may wrap around: no less, no more
			}
			least = append(least, counts[slot])
			s.start(opRead, uint32(slot), record{})
			burst(-1)
			s.say("idle")
			s.say("counters")
			most = append(most, counts[slot])
		case 2:
			for slot := range counts {
				read(slot)
			}
		default: // an SA goes, also in the middle of what others do, and the next one starts from 0
			s.start(opDelete, handle(slot, gens[slot]), record{})
			burst(slot)
			s.say("idle")
			s.say("tallies %x", slot)
			install([]uint32{opAdd, opRestore}[rng.Intn(2)], slot)
		}
	}
	for slot := range counts {
		read(slot)
	}
	l := run(t, small, &s)
	for i, e := range l.cmds {
		if e.result != resOK {
			t.Fatalf("operation %d: %+v", i, e)
		}
	}
	if len(l.counters) != len(least) {
		t.Fatalf("%d answers, want %d", len(l.counters), len(least))
	}
	between := 0
	for i, w := range l.counters {
		got := usageOf(w)
		if lo, hi := least[i], most[i]; got.frames < lo.frames || got.frames > hi.frames || got.bytes < lo.bytes || got.bytes > hi.bytes ||
			got.auth < lo.auth || got.auth > hi.auth || got.syntax < lo.syntax || got.syntax > hi.syntax {
			t.Errorf("READ %d: %+v, want %+v to %+v", i, got, lo, hi)
		} else if lo != hi {
			between++
		}
	}
	for i, clean := range l.tallies {
		if clean != 1 {
			t.Errorf("DELETE %d left counters", i)
		}
	}
	if between == 0 || len(l.tallies) == 0 {
		t.Errorf("%d READs while frames came, %d SAs replaced", between, len(l.tallies))
	}
	t.Logf("%d READs, %d of them while frames of the SA came; %d SAs replaced", len(l.counters), between, len(l.tallies))
}
