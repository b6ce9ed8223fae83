// SPDX-License-Identifier: Apache-2.0

package sa

import (
	"fmt"
	"math/rand"
	"testing"
)

// TestVisibility looks up, and checks, one SA without pause while it is added
// and deleted: it appears once, with all its keys in place, disappears once,
// at once, and its keys go only after the last frame that hit.
func TestVisibility(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	for n := 0; n < 12; n++ {
		inbound := n%2 == 1
		r := randomSA(rng, inbound)
		ask := func(s *script, times int) {
			for ; times > 0; times-- {
				if inbound {
					s.rx(r.spi, r.dst, r.src, r.ipv6())
				} else {
					s.tx(handle(3, 1), 1)
				}
			}
		}
		var s script
		s.say("wait %d", n)
		s.start(opAdd, 3, r)
		ask(&s, 150)
		s.say("idle")
		ask(&s, 1)
		s.say("idle")
		s.say("drain")
		ask(&s, n) // frames under way when DELETE begins
		s.start(opDelete, handle(3, 1), record{})
		ask(&s, 40)
		s.say("wait 100")
		s.say("cycle")
		s.say("drain")
		ask(&s, 1)
		s.say("idle")
		s.say("secrets")
		l := run(t, small, &s)

		type look struct {
			answered uint64
			hit      uint32
		}
		var looks []look
		for _, e := range l.rxs {
			looks = append(looks, look{e.answered, e.hit})
		}
		for _, e := range l.txs {
			looks = append(looks, look{e.answered, e.hit})
		}
		add, del := l.cmds[0], l.cmds[1]
		what := fmt.Sprintf("SA %d", n)
		changes := 0
		for i, e := range looks {
			if i > 0 && e.hit != looks[i-1].hit {
				changes++
			}
			if e.hit == 1 && e.answered <= add.lastWrite {
				t.Errorf("%s: hit at %d, last key written at %d", what, e.answered, add.lastWrite)
			}
			if e.hit == 1 && e.answered >= del.firstWipe {
				t.Errorf("%s: hit at %d, first key cleared at %d", what, e.answered, del.firstWipe)
			}
		}
		if looks[0].hit != 0 || looks[150].hit != 1 || looks[len(looks)-1].hit != 0 || changes != 2 {
			t.Errorf("%s: appears and disappears in %d changes: %+v", what, changes, looks)
		}
		// Gone before DELETE has ended: within the time it takes to find the way.
		for _, e := range looks {
			if e.hit == 1 && e.answered > del.start+35 {
				t.Errorf("%s: still hit %d cycles after DELETE began", what, e.answered-del.start)
			}
		}
		frames := looks[151:]
		under := 0
		for _, e := range frames {
			under += int(e.hit)
		}
		if under == 0 {
			t.Errorf("%s: no frame was under way", what)
		}
		if l.cycles[0].busy != 1 {
			t.Errorf("%s: DELETE has not waited for %d frames", what, under)
		}
		if del.firstWipe < l.drained[1] {
			t.Errorf("%s: keys cleared at %d, last frame done at %d", what, del.firstWipe, l.drained[1])
		}
		if want := (secretsEvent{0, 0, 0, 1, 0}); l.secrets[0] != want {
			t.Errorf("%s: %+v after DELETE", what, l.secrets[0])
		}
	}
}

// TestDeleteWaits is exact about which frames DELETE waits for: those of either
// direction that hit before, and no others.
func TestDeleteWaits(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	a, b, in := randomSA(rng, false), randomSA(rng, false), randomSA(rng, true)
	setup := func(s *script) {
		s.cmd(opAdd, 1, a)
		s.cmd(opAdd, 2, b)
		s.cmd(opAdd, 3, in)
	}
	const txA, txB, txUnused, rxIn = "tx 10001 1", "tx 10002 1", "tx 10001 0", "rx"
	cases := []struct {
		name   string
		before []string // frames before DELETE of SA 1
		after  []string // frames after it
		dones  []string // one after the other
		busy   []uint32 // whether DELETE still waits, before and after each
	}{
		{"nothing", nil, nil, nil, []uint32{0}},
		{"only later frames", nil, []string{txB, rxIn}, nil, []uint32{0}},
		{"a check without use", []string{txUnused, txUnused}, nil, nil, []uint32{0}},
		{"checks without use around its own frame", []string{txUnused, txA, txUnused}, nil, []string{"txdone"}, []uint32{1, 0}},
		{"its own frame", []string{txA}, nil, []string{"txdone"}, []uint32{1, 0}},
		{"later frames do not count", []string{txA}, []string{txB, txB, rxIn}, []string{"txdone"}, []uint32{1, 0}},
		{"frames of other SAs before it", []string{txB, txA, txB}, []string{txB}, []string{"txdone", "txdone", "txdone"}, []uint32{1, 1, 1, 0}},
		{"the other direction", []string{rxIn}, []string{rxIn}, []string{"rxdone"}, []uint32{1, 0}},
		{"both", []string{rxIn, txA}, nil, []string{"txdone", "rxdone"}, []uint32{1, 1, 0}},
		{"both, the other way around", []string{rxIn, txA, rxIn}, []string{txB}, []string{"rxdone", "txdone", "rxdone"}, []uint32{1, 1, 1, 0}},
	}
	for _, c := range cases {
		var s script
		setup(&s)
		send := func(frames []string) {
			for _, f := range frames {
				if f == rxIn {
					s.rx(in.spi, in.dst, in.src, in.ipv6())
				} else {
					s.say("%s", f)
				}
			}
		}
		send(c.before)
		s.start(opDelete, handle(1, 1), record{})
		s.say("wait 30")
		send(c.after)
		s.say("wait 60")
		s.say("cycle")
		for _, d := range c.dones {
			s.say("%s", d)
			s.say("wait 40")
			s.say("cycle")
		}
		s.say("idle")
		s.say("drain")
		l := run(t, small, &s)
		for i, want := range c.busy {
			if l.cycles[i].busy != want {
				t.Errorf("%s: after %d frames were done busy is %d, want %d", c.name, i, l.cycles[i].busy, want)
			}
		}
		if last := l.cmds[len(l.cmds)-1]; last.result != resOK || uint64(last.cycles) != last.end-last.start {
			t.Errorf("%s: DELETE: %+v", c.name, last)
		}
	}
}

// TestZeroise interrupts each operation at many points; whatever was going on,
// nothing is left and only generations remain.
func TestZeroise(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	for _, op := range []uint32{opNop, opAdd, opDelete, opRead, opRestore} {
		var s script
		gen := uint32(0) // of slots 1 and 2
		var want []uint32
		const points = 60
		for n := 0; n < points; n++ {
			a, in := randomSA(rng, false), randomSA(rng, true)
			s.cmd(opAdd, 1, a)
			s.cmd(opAdd, 2, in)
			gen++
			s.tx(handle(1, gen), 1) // never done: the reset of the data plane swallows it
			s.rx(in.spi, in.dst, in.src, in.ipv6())
			s.say("wait 10")
			switch op {
			case opAdd:
				s.start(opAdd, 3, randomSA(rng, n%2 == 1))
			case opRestore:
				s.start(opRestore, handle(3, 0), randomSA(rng, n%2 == 1))
			default:
				s.start(op, handle(1, gen), record{})
			}
			s.say("wait %d", 2*n)
			s.say("zeroise")
			// Meanwhile nothing is found and nothing is done.
			for i := 0; i < 3; i++ {
				s.tx(handle(1, gen), 1)
				s.rx(in.spi, in.dst, in.src, in.ipv6())
				s.start(opAdd, 5, a)
				s.say("cycle")
			}
			s.say("idle")
			s.say("secrets")
			for slot := uint32(0); slot < 16; slot++ {
				s.cmd(opRead, slot, record{})
			}
			s.cmd(opDelete, handle(1, gen), record{})
			s.cmd(opAdd, 6, a)
			s.cmd(opDelete, handle(6, gen), record{}) // waits for no frame from before
			s.rx(in.spi, in.dst, in.src, in.ipv6())
			s.tx(handle(1, gen), 1)
			want = append(want, gen)
		}
		l := run(t, small, &s)
		what := fmt.Sprintf("operation %d", op)
		cmds := l.cmds
		take := func() cmdEvent { e := cmds[0]; cmds = cmds[1:]; return e }
		for n := 0; n < points; n++ {
			for _, slot := range []int{1, 2} {
				if e := take(); e.result != resOK || e.gen != want[n] {
					t.Fatalf("%s, point %d: ADD at %d: %+v, want generation %d", what, n, slot, e, want[n])
				}
			}
			if cmds[0].start < l.zeroised[n] {
				take() // it had ended
			}
			// An ADD that was refused while the sweep ran shows as an event of the bench, when busy falls.
			if e := take(); e.result != resOK || e.dones != 0 || e.handleWE != 0 && op != opRead && op != opAdd {
				t.Errorf("%s, point %d: refused ADD: %+v", what, n, e)
			}
			for slot := 0; slot < 16; slot++ {
				if e := take(); e.result != resEmpty {
					t.Errorf("%s, point %d: slot %d: %+v", what, n, slot, e)
				}
			}
			if e := take(); e.result != resStale {
				t.Errorf("%s, point %d: DELETE with the old handle: %+v", what, n, e)
			}
			if e := take(); e.result != resOK {
				t.Errorf("%s, point %d: ADD afterwards: %+v", what, n, e)
			}
			if e := take(); e.result != resOK {
				t.Errorf("%s, point %d: DELETE afterwards: %+v", what, n, e)
			}
			if e, clean := l.secrets[n], (secretsEvent{0, 0, 0, 1, 0}); e != clean {
				t.Errorf("%s, point %d: secrets %+v", what, n, e)
			}
			for _, e := range l.cycles[3*n : 3*n+3] {
				if e.busy != 1 || e.zeroiseBusy != 1 {
					t.Errorf("%s, point %d: %d cycles into the sweep busy is %d, zeroise_busy %d", what, n, e.cycle-l.zeroised[n], e.busy, e.zeroiseBusy)
				}
			}
		}
		for i, e := range l.txs {
			if wantHit := i%5 == 0; e.hit == 1 != wantHit {
				t.Errorf("%s: check %d: hit %d", what, i, e.hit)
			}
		}
		for i, e := range l.rxs {
			if wantHit := i%5 == 0; e.hit == 1 != wantHit {
				t.Errorf("%s: lookup %d: hit %d", what, i, e.hit)
			}
		}
	}
}

// TestGenerations checks the wrap from 65535 to 1, and that only a hard reset
// starts over.
func TestGenerations(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	r := randomSA(rng, false)
	var s script
	s.say("gen 4 fffd")
	var want []uint32
	for _, gen := range []uint32{0xfffe, 0xffff, 1, 2} {
		s.cmd(opAdd, 4, r)
		s.tx(handle(4, gen), 0)
		s.tx(handle(4, gen-1), 0)
		s.tx(handle(4, 0), 0)
		s.say("idle")
		s.cmd(opDelete, handle(4, gen), record{})
		want = append(want, gen)
	}
	s.say("zeroise")
	s.say("idle")
	s.cmd(opAdd, 4, r)
	want = append(want, 3)
	s.cmd(opDelete, handle(4, 3), record{})
	// A soft reset while the start-up sweep runs, before it has come to the
	// slot, does not save generations.
	s.say("reset")
	s.say("wait 1")
	s.say("zeroise")
	s.say("idle")
	s.cmd(opAdd, 4, r)
	want = append(want, 1)
	s.cmd(opDelete, handle(4, 1), record{})
	l := run(t, small, &s)
	for i, gen := range want {
		add, del := l.cmds[2*i], l.cmds[2*i+1]
		if add.result != resOK || add.gen != gen {
			t.Errorf("ADD %d: %+v, want generation %d", i, add, gen)
		}
		if del.result != resOK {
			t.Errorf("DELETE %d: %+v", i, del)
		}
	}
	for i, e := range l.txs {
		if wantHit := i%3 == 0; e.hit == 1 != wantHit {
			t.Errorf("check %d: hit %d", i, e.hit)
		}
	}
}

// TestSweepTime holds the time of a full zeroisation to what docs/rtl.md says.
func TestSweepTime(t *testing.T) {
	for _, c := range []config{small, full, large} {
		var s script
		s.say("zeroise")
		s.say("idle")
		s.say("cycle")
		l := run(t, c, &s)
		took := l.cycles[0].cycle - l.zeroised[0]
		t.Logf("zeroising %d slots takes %d cycles", c.slots, took)
		if limit := uint64(c.slots + 2); took > limit {
			t.Errorf("zeroising takes %d cycles, more than %d", took, limit)
		}
	}
}
