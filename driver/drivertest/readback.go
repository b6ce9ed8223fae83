// SPDX-License-Identifier: Apache-2.0

package drivertest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"

	"github.com/espalier-nic/espalier/driver"
)

// states reads all SAs back from the NIC itself.
func (b *bed) states(t testing.TB) []driver.SAState {
	t.Helper()
	var all []driver.SAState
	for s, err := range b.SAStates(b.ctx) {
		ok(t, err)
		all = append(all, s)
	}
	return all
}

// agree checks that the NIC and the driver hold the same SAs, and returns how
// many.
func (b *bed) agree(t testing.TB) int {
	t.Helper()
	states, list := b.states(t), b.ListSAs()
	if len(states) != len(list) {
		t.Errorf("the NIC holds %d SAs, the driver knows of %d", len(states), len(list))
		return len(states)
	}
	for i, s := range states {
		if s.Handle != list[i].Handle || !reflect.DeepEqual(s.SA, list[i].SA) {
			t.Errorf("the NIC holds %v %v, the driver knows %v %v", s.Handle, s.SA, list[i].Handle, list[i].SA)
		}
	}
	return len(states)
}

// testSAReadBack: counters count, per SA, what went through it; fingerprints are
// those of the keys.
func testSAReadBack(t *testing.T, h Harness) {
	b := h.open(t, driver.Options{})
	if b.Nonce() == [8]byte{} {
		t.Error("the driver has chosen no nonce")
	}
	type end struct {
		handle driver.Handle
		sa     driver.SA
		want   driver.SAState
	}
	var ends []*end
	b.fill(t, 0, 40)
	for i, k := range kinds() {
		f := newFlow(t, k, uint32(300+i))
		out, in := &end{handle: b.addSA(t, f.out), sa: f.out}, &end{handle: b.addSA(t, f.in), sa: f.in}
		ends = append(ends, out, in)
		if i%3 != 0 {
			continue
		}
		for j := range 1 + i%4 {
			framed, info := f.frame(t, plainFrame(k.ipv6, 40*j, j))
			p := b.packet(t, framed)
			p.SA, p.ESPOffset, p.Sequence = out.handle, info.ESPOffset, info.Sequence
			if s := b.send(t, 0, p); s != driver.OK {
				t.Fatalf("%v: %v", k, s)
			}
			out.want.Frames++
			out.want.Bytes += uint64(len(framed))
			onWire, _ := f.wire(t, 50*j, j)
			b.inject(t, onWire)
			in.want.Frames++
			in.want.Bytes += uint64(len(onWire))
			b.receive(t, 0, 1)
			b.fill(t, 0, 1)
		}
		bad, _ := f.wire(t, 100, 1)
		bad[len(bad)-1] ^= 1
		b.inject(t, bad)
		in.want.AuthFailed++
		b.receive(t, 0, 1)
		b.fill(t, 0, 1)
		if !k.ipv6 && !k.tunnel {
			odd, _ := f.wire(t, 100, 1)
			odd[17]--
			b.inject(t, odd, odd)
			in.want.SyntaxErrors += 2
			b.receive(t, 0, 2)
			b.fill(t, 0, 2)
		}
	}
	states := b.states(t)
	if len(states) != len(ends) {
		t.Fatalf("%d SAs are read back, want %d", len(states), len(ends))
	}
	for i, e := range ends {
		want := e.want
		want.Handle, want.SA, want.KeyBytes = e.handle, e.sa, len(e.sa.Key)
		want.SA.Key, want.SA.Salt = nil, driver.Salt{}
		want.Fingerprint = driver.Fingerprint(e.sa.Key, b.Nonce())
		if want.Fingerprint == [8]byte{} {
			t.Error("the driver has no fingerprint")
		}
		if !reflect.DeepEqual(states[i], want) {
			t.Errorf("read back\n%+v\nwant\n%+v", states[i], want)
		}
		got, err := b.ReadSAState(b.ctx, e.handle)
		ok(t, err)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("read by handle\n%+v\nwant\n%+v", got, want)
		}
	}
}

// testSARestored: after a reset SAs come back under their handles, with counters
// at 0, and handles that do not fit are refused.
func testSARestored(t *testing.T, h Harness) {
	b := h.open(t, driver.Options{})
	var flows []*flow
	var entries []driver.SAEntry
	for i, k := range kinds() {
		f := newFlow(t, k, uint32(500+i))
		// The first SA of a slot is not the one that is restored.
		ok(t, b.DeleteSA(b.ctx, b.addSA(t, f.out)))
		flows = append(flows, f)
		entries = append(entries, driver.SAEntry{Handle: b.addSA(t, f.out), SA: f.out}, driver.SAEntry{Handle: b.addSA(t, f.in), SA: f.in})
	}
	before, nonce := b.states(t), b.Nonce()
	ok(t, b.Reset(b.ctx))
	if n := len(b.states(t)); n != 0 {
		t.Fatalf("%d SAs after a reset", n)
	}
	wants(t, "stale handle", b.DeleteSA(b.ctx, entries[0].Handle), driver.ErrStaleHandle)
	for name, handle := range map[string]driver.Handle{
		"no handle": 0, "no generation": entries[0].Handle & 0xFFFF,
		"later generation":   entries[0].Handle + 1<<16,
		"earlier generation": entries[0].Handle - 1<<16,
		"slot out of range":  driver.Handle(b.Capabilities().SACapacity)&0xFFFF | 1<<16,
	} {
		if name == "slot out of range" && b.Capabilities().SACapacity == 1<<16 {
			continue
		}
		wants(t, "restore with "+name, b.RestoreSA(b.ctx, handle, entries[0].SA), driver.ErrStaleHandle)
	}
	ok(t, b.RestoreSA(b.ctx, entries[0].Handle, entries[0].SA))
	wants(t, "restore twice", b.RestoreSA(b.ctx, entries[0].Handle, entries[0].SA), driver.ErrDuplicate)
	for i, err := range b.RestoreSAs(b.ctx, entries[1:]) {
		if err != nil {
			t.Errorf("restore %v: %v", entries[1+i].Handle, err)
		}
	}
	if after := b.states(t); !reflect.DeepEqual(after, before) || b.Nonce() != nonce {
		t.Errorf("read back after the reset\n%+v\nwant\n%+v", after, before)
	}
	b.agree(t)
	ok(t, b.StartQueues(b.ctx))
	for i, f := range flows[:4] {
		framed, info := f.frame(t, plainFrame(f.kind.ipv6, 100, i))
		p := b.packet(t, framed)
		p.SA, p.ESPOffset, p.Sequence = entries[2*i].Handle, info.ESPOffset, info.Sequence
		if s := b.send(t, 0, p); s != driver.OK {
			t.Errorf("send with a restored SA: %v", s)
		}
		same(t, "frame of a restored SA", b.onWire(t, 1)[0], f.sealed(t, framed, info))
		b.fill(t, 0, 1)
		onWire, handedUp := f.wire(t, 100, i)
		b.inject(t, onWire)
		expect(t, b.receive(t, 0, 1)[0], f, entries[2*i+1].Handle, handedUp)
	}
	// New SAs go to other slots, and a slot that was used anew is not restored to.
	fresh := b.addSA(t, newFlow(t, kind{keyLen: 16}, 9).out)
	for _, e := range entries {
		if e.Handle.Slot() == fresh.Slot() {
			t.Errorf("new SA %v is in the slot of %v", fresh, e.Handle)
		}
	}
	b.agree(t)
}

// testSABatches: many SAs at a time, with refusals between them.
func testSABatches(t *testing.T, h Harness) {
	b := h.open(t, driver.Options{})
	all := kinds()
	var sas []driver.SA
	for i := range 150 {
		f := newFlow(t, all[i%len(all)], uint32(1000+i))
		sa := f.in
		if i%2 == 0 {
			sa = f.out
		}
		switch {
		case i%50 == 13:
			sa.SPI = 0
		case i%50 == 27:
			sa.Key = sa.Key[:15]
		}
		sas = append(sas, sa)
	}
	sas = append(sas, sas[1]) // a duplicate in the same batch
	handles, errs := b.AddSAs(b.ctx, sas)
	var installed []driver.Handle
	var updates []driver.SAUpdate
	for i, err := range errs {
		switch {
		case i == 150:
			wants(t, "duplicate", err, driver.ErrDuplicate)
		case i%50 == 13, i%50 == 27:
			wants(t, fmt.Sprintf("SA %d", i), err, driver.ErrInvalid)
		default:
			ok(t, err)
			installed = append(installed, handles[i])
			updates = append(updates, driver.SAUpdate{Handle: handles[i], SequenceHi: uint32(7 * i)})
			continue
		}
		if handles[i] != 0 {
			t.Errorf("SA %d is refused and has handle %v", i, handles[i])
		}
	}
	if n := b.agree(t); n != len(installed) {
		t.Errorf("%d SAs, want %d", n, len(installed))
	}
	for i, err := range b.UpdateSAs(b.ctx, updates) {
		sa, readErr := b.ReadSA(b.ctx, updates[i].Handle)
		ok(t, readErr)
		if !sa.ESN {
			wants(t, "update without ESN", err, driver.ErrInvalid)
		} else if err != nil || sa.SequenceHi != updates[i].SequenceHi {
			t.Errorf("update to %d: %v, read back %d", updates[i].SequenceHi, err, sa.SequenceHi)
		}
	}
	b.agree(t)
	twice := append(installed[:len(installed):len(installed)], installed[0])
	for i, err := range b.DeleteSAs(b.ctx, twice) {
		if i == len(installed) {
			wants(t, "delete twice", err, driver.ErrStaleHandle)
		} else {
			ok(t, err)
		}
	}
	if n := b.agree(t); n != 0 {
		t.Errorf("%d SAs are left", n)
	}
	cancelled, cancel := context.WithCancel(b.ctx)
	cancel()
	_, errs = b.AddSAs(cancelled, sas[:3])
	for _, err := range errs {
		wants(t, "cancelled batch", err, context.Canceled)
	}
	if n := b.agree(t); n != 0 {
		t.Errorf("%d SAs after a cancelled batch", n)
	}
}

// testSAConcurrent: 64 goroutines add, update, delete and read at random, some
// of them cancelled, beside traffic. In the end driver and NIC hold exactly what
// each of them has left.
func testSAConcurrent(t *testing.T, h Harness) {
	b := h.open(t, driver.Options{})
	f := newFlow(t, kind{keyLen: 32}, 5)
	traffic := b.addSA(t, f.out)
	ctx, stop := context.WithCancel(b.ctx)
	var sending, working sync.WaitGroup
	sending.Add(1)
	go func() {
		defer sending.Done()
		for i := 0; ctx.Err() == nil; i++ {
			framed, info := f.frame(t, plainFrame(false, 200, i))
			p := driver.TXPacket{Buffer: b.pool.Get(), Length: len(framed), SA: traffic, ESPOffset: info.ESPOffset}
			copy(p.Buffer.Bytes(), framed)
			if err := b.sendOne(p); err != nil {
				t.Errorf("frame %d: %v", i, err)
				return
			}
			if got, err := b.wire.Receive(); err != nil || got != nil && len(got) != len(framed) {
				t.Errorf("frame %d: %d bytes on the wire, error %v", i, len(got), err)
			}
		}
	}()
	const workers, steps = 64, 12
	left := make([]map[driver.Handle]driver.SA, workers)
	capacity := b.Capabilities().SACapacity
	for w := range workers {
		mine := map[driver.Handle]driver.SA{}
		left[w] = mine
		working.Add(1)
		go func() {
			defer working.Done()
			rng := rand.New(rand.NewPCG(uint64(w), 1))
			var order []driver.Handle
			for step := range steps {
				pick := func() driver.Handle { return order[rng.IntN(len(order))] }
				switch choice := rng.IntN(8); {
				case choice < 4 || len(order) == 0:
					k := kinds()[rng.IntN(len(kinds()))]
					flow := newFlow(t, k, uint32(1<<16+w<<8+step))
					sa := flow.in
					if rng.IntN(2) == 0 {
						sa = flow.out
					}
					try, cancel := context.WithCancel(b.ctx)
					if rng.IntN(4) == 0 {
						cancel()
					}
					handle, err := b.AddSA(try, sa)
					if cancel(); err != nil {
						if try.Err() == nil || capacity > workers*steps && !isCancelled(err) {
							t.Errorf("add: %v", err)
						}
						continue
					}
					sa.Key, sa.Salt = nil, driver.Salt{}
					mine[handle] = sa
					order = append(order, handle)
				case choice == 4:
					handle := pick()
					sa := mine[handle]
					if err := b.UpdateSA(b.ctx, handle, uint32(step)); (err == nil) != sa.ESN {
						t.Errorf("update %v: %v", sa, err)
					} else if err == nil {
						sa.SequenceHi = uint32(step)
						mine[handle] = sa
					}
				case choice == 5:
					handle := pick()
					if got, err := b.ReadSA(b.ctx, handle); err != nil || !reflect.DeepEqual(got, mine[handle]) {
						t.Errorf("SA %v reads %v, want %v, error %v", handle, got, mine[handle], err)
					}
				default:
					at := rng.IntN(len(order))
					handle := order[at]
					if err := b.DeleteSA(b.ctx, handle); err != nil {
						t.Errorf("delete: %v", err)
					}
					order = append(order[:at], order[at+1:]...)
					delete(mine, handle)
				}
			}
		}()
	}
	working.Wait()
	stop()
	sending.Wait()
	want := map[driver.Handle]driver.SA{}
	for _, mine := range left {
		for handle, sa := range mine {
			if _, twice := want[handle]; twice {
				t.Errorf("handle %v was given out twice", handle)
			}
			want[handle] = sa
		}
	}
	ok(t, b.DeleteSA(b.ctx, traffic)) // settles what was cancelled last
	if n := b.agree(t); n != len(want) {
		t.Errorf("%d SAs are left, want %d", n, len(want))
	}
	for _, s := range b.states(t) {
		if sa, ok := want[s.Handle]; !ok || !reflect.DeepEqual(sa, s.SA) {
			t.Errorf("SA %v is %v, want %v", s.Handle, s.SA, sa)
		}
	}
	for { // what is left on the wire
		if got, err := b.wire.Receive(); err != nil || got == nil {
			ok(t, err)
			return
		}
	}
}
