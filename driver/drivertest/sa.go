// SPDX-License-Identifier: Apache-2.0

package drivertest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/pcie"
)

// testOpen: the capabilities are those of a usable NIC.
func testOpen(t *testing.T, h Harness) {
	b := h.open(t, driver.Options{})
	c := b.Capabilities()
	if !c.ESP || !c.IPv4 || !c.IPv6 || !c.Transport || !c.Tunnel || !c.ESN || !c.Loopback {
		t.Errorf("capabilities lack what the contract has: %+v", c)
	}
	if got := c.KeyLengths(); !reflect.DeepEqual(got, []int{16, 24, 32}) {
		t.Errorf("key lengths %v", got)
	}
	if !reflect.DeepEqual(c.ICVLengths, []int{16}) {
		t.Errorf("ICV lengths %v", c.ICVLengths)
	}
	if b.TXQueues() != c.TXQueues || b.RXQueues() != c.RXQueues {
		t.Errorf("%d and %d queues of %d and %d", b.TXQueues(), b.RXQueues(), c.TXQueues, c.RXQueues)
	}
	before, err := b.Cycles()
	ok(t, err)
	b.relax(t, 100)
	if after, err := b.Cycles(); err != nil || after < before+100 {
		t.Errorf("%d cycles, %d before, error %v", after, before, err)
	}
	if s, err := b.Statistics(); err != nil || s != (driver.Statistics{}) {
		t.Errorf("statistics at first: %+v %v", s, err)
	}
	for _, q := range []int{-1, b.TXQueues()} {
		_, err := b.TX(q)
		wants(t, "TX queue out of range", err, driver.ErrInvalid)
		_, err = b.RX(q)
		wants(t, "RX queue out of range", err, driver.ErrInvalid)
	}
}

// testOpenAgain: a closed NIC can be opened again, as often as one likes.
func testOpenAgain(t *testing.T, h Harness) {
	d := h.Open(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for range 3 {
		n, err := driver.Open(ctx, d.Function, h.options(driver.Options{}))
		ok(t, err)
		if len(n.ListSAs()) != 0 {
			t.Error("SAs are left from before")
		}
		_, err = n.AddSA(ctx, newFlow(t, kind{keyLen: 16}, 1).in)
		ok(t, err)
		ok(t, n.Close())
		ok(t, n.Close())
	}
	ok(t, d.Function.Close())
	_, err := driver.Open(ctx, d.Function, h.options(driver.Options{}))
	wants(t, "open on a closed function", err, pcie.ErrClosed)
}

// testOptions: wrong options are refused by name.
func testOptions(t *testing.T, h Harness) {
	d := h.Open(t)
	defer d.Function.Close()
	for field, opts := range map[string]driver.Options{
		"TXQueues":          {TXQueues: 17},
		"RXQueues":          {RXQueues: -1},
		"TXRing":            {TXRing: 100},
		"RXRing":            {RXRing: 1 << 20},
		"ReportEvery":       {TXRing: 16, ReportEvery: 16},
		"CompletionBatch":   {CompletionBatch: 5},
		"CompletionTimer":   {CompletionTimer: 1 << 16},
		"Moderation.Count":  {Moderation: driver.Moderation{Count: 256}},
		"Moderation.Cycles": {Moderation: driver.Moderation{Cycles: -1}},
		"DefaultRXQueue":    {DefaultRXQueue: 16},
		"Timeout":           {Timeout: -1},
	} {
		_, err := driver.Open(context.Background(), d.Function, h.options(opts))
		var refused *driver.RefusedError
		if !errors.As(err, &refused) || refused.Field != field || !errors.Is(err, driver.ErrInvalid) {
			t.Errorf("%s: %v", field, err)
		}
	}
	// None of them has left anything behind.
	n, err := driver.Open(context.Background(), d.Function, h.options(driver.Options{TXQueues: 1, RXQueues: 1, TXRing: 8, RXRing: 16}))
	ok(t, err)
	tx, err := n.TX(0)
	ok(t, err)
	rx, err := n.RX(0)
	ok(t, err)
	if n.TXQueues() != 1 || n.RXQueues() != 1 || tx.Size() != 8 || rx.Size() != 16 {
		t.Errorf("%d TX queues of %d, %d RX queues of %d", n.TXQueues(), tx.Size(), n.RXQueues(), rx.Size())
	}
	ok(t, n.Close())
}

// testSAKinds: SAs of all kinds can be added, read back without secrets, listed,
// and deleted.
func testSAKinds(t *testing.T, h Harness) {
	b := h.open(t, driver.Options{})
	type installed struct {
		handle driver.Handle
		sa     driver.SA
	}
	var all []installed
	for i, k := range kinds() {
		f := newFlow(t, k, uint32(100+i))
		f.in.RXQueue = i % b.RXQueues()
		for _, sa := range []driver.SA{f.out, f.in} {
			handle := b.addSA(t, sa)
			if handle == 0 || handle.Generation() == 0 {
				t.Fatalf("%v: handle %v", k, handle)
			}
			sa.Key, sa.Salt = nil, driver.Salt{}
			all = append(all, installed{handle, sa})
		}
	}
	for _, x := range all {
		got, err := b.ReadSA(b.ctx, x.handle)
		ok(t, err)
		if !reflect.DeepEqual(got, x.sa) {
			t.Errorf("SA %v reads\n%+v\nwant\n%+v", x.handle, got, x.sa)
		}
	}
	list := b.ListSAs()
	if len(list) != len(all) {
		t.Fatalf("%d SAs listed, want %d", len(list), len(all))
	}
	for _, x := range all {
		if got := list[x.handle.Slot()]; got.Handle != x.handle || !reflect.DeepEqual(got.SA, x.sa) {
			t.Errorf("SA %v is listed as\n%v %+v\nwant\n%+v", x.handle, got.Handle, got.SA, x.sa)
		}
	}
	for _, x := range all[:5] {
		ok(t, b.DeleteSA(b.ctx, x.handle))
		_, err := b.ReadSA(b.ctx, x.handle)
		wants(t, "read after delete", err, driver.ErrStaleHandle)
		wants(t, "delete after delete", b.DeleteSA(b.ctx, x.handle), driver.ErrStaleHandle)
		wants(t, "update after delete", b.UpdateSA(b.ctx, x.handle, 1), driver.ErrStaleHandle)
	}
	if list := b.ListSAs(); len(list) != len(all)-5 {
		t.Errorf("%d SAs listed after deletion, want %d", len(list), len(all)-5)
	}
}

// testSARefusals: every refusal names field, value and reason, and never a key.
func testSARefusals(t *testing.T, h Harness) {
	b := h.open(t, driver.Options{})
	good := newFlow(t, kind{keyLen: 16}, 7).in
	plain := b.addSA(t, good)
	with := func(change func(*driver.SA)) driver.SA {
		sa := good
		sa.SPI = 8
		change(&sa)
		return sa
	}
	for _, c := range []struct {
		field  string
		sa     driver.SA
		reason error
	}{
		{"SPI", with(func(sa *driver.SA) { sa.SPI = 0 }), driver.ErrInvalid},
		{"SPI", with(func(sa *driver.SA) { sa.SPI = 7 }), driver.ErrDuplicate},
		{"SPI", with(func(sa *driver.SA) { sa.SPI, sa.Src = 7, netip.Addr{} }), driver.ErrDuplicate},
		{"Key", with(func(sa *driver.SA) { sa.Key = sa.Key[:15] }), driver.ErrInvalid},
		{"Key", with(func(sa *driver.SA) { sa.Key = nil }), driver.ErrInvalid},
		{"Key", with(func(sa *driver.SA) { sa.Key = make(driver.Key, 36) }), driver.ErrInvalid},
		{"SequenceHi", with(func(sa *driver.SA) { sa.SequenceHi = 1 }), driver.ErrInvalid},
		{"RXQueue", with(func(sa *driver.SA) { sa.RXQueue = b.RXQueues() }), driver.ErrInvalid},
		{"RXQueue", with(func(sa *driver.SA) { sa.RXQueue = -1 }), driver.ErrInvalid},
		{"Src", with(func(sa *driver.SA) { sa.Src = v6A }), driver.ErrInvalid},
		{"Dst", with(func(sa *driver.SA) { sa.Src, sa.Dst = netip.Addr{}, netip.MustParseAddr("fe80::1%eth0") }), driver.ErrInvalid},
	} {
		_, err := b.AddSA(b.ctx, c.sa)
		var refused *driver.RefusedError
		if !errors.As(err, &refused) || !errors.Is(err, c.reason) || c.field != refused.Field && c.field != "Src" {
			t.Errorf("%s: error %v, want reason %v", c.field, err, c.reason)
			continue
		}
		if text := err.Error(); strings.Contains(text, fmt.Sprintf("%x", []byte(good.Key[:4]))) || strings.Contains(text, fmt.Sprint([]byte(good.Key[:4]))) {
			t.Errorf("error holds the key: %s", text)
		}
	}
	wants(t, "update without ESN", b.UpdateSA(b.ctx, plain, 1), driver.ErrInvalid)
	wants(t, "handle 0", b.DeleteSA(b.ctx, 0), driver.ErrStaleHandle)
	wants(t, "handle of another generation", b.DeleteSA(b.ctx, plain+1<<16), driver.ErrStaleHandle)
	if len(b.ListSAs()) != 1 {
		t.Errorf("SAs after refusals: %v", b.ListSAs())
	}
	// Same SPI, but another destination, IP version or direction, is no duplicate.
	b.addSA(t, with(func(sa *driver.SA) { sa.SPI, sa.Dst = 7, netip.Addr{} }))
	b.addSA(t, with(func(sa *driver.SA) { sa.SPI, sa.Src, sa.Dst = 7, v6A, v6B }))
	b.addSA(t, with(func(sa *driver.SA) { sa.SPI, sa.Inbound = 7, false }))
	b.addSA(t, with(func(sa *driver.SA) { sa.SPI, sa.Inbound = 7, false }))
	wants(t, "any destination twice", func() error {
		_, err := b.AddSA(b.ctx, with(func(sa *driver.SA) { sa.SPI, sa.Dst = 7, netip.IPv4Unspecified() }))
		return err
	}(), driver.ErrDuplicate)
}

// testSATableFull: the table holds exactly what the NIC states; a freed slot is
// used again under another handle.
func testSATableFull(t *testing.T, h Harness) {
	b := h.open(t, driver.Options{})
	capacity := b.Capabilities().SACapacity
	sa := newFlow(t, kind{keyLen: 16}, 1).out
	sas := make([]driver.SA, capacity)
	for i := range sas {
		sas[i] = sa
		sas[i].SPI = uint32(i + 1)
	}
	handles := map[driver.Handle]bool{}
	var last driver.Handle
	added, errs := b.AddSAs(b.ctx, sas)
	for i, err := range errs {
		ok(t, err)
		last = added[i]
		if handles[last] {
			t.Fatalf("handle %v twice", last)
		}
		handles[last] = true
	}
	_, err := b.AddSA(b.ctx, sa)
	wants(t, "one SA too many", err, driver.ErrResources)
	ok(t, b.DeleteSA(b.ctx, last))
	again := b.addSA(t, sa)
	if again == last || again.Slot() != last.Slot() {
		t.Errorf("SA in the only free slot has handle %v after %v", again, last)
	}
	wants(t, "old handle", b.DeleteSA(b.ctx, last), driver.ErrStaleHandle)
}

// testSACancelled: a caller that stops waiting leaves no SA behind.
func testSACancelled(t *testing.T, h Harness) {
	b := h.open(t, driver.Options{})
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	sa := newFlow(t, kind{keyLen: 32}, 9).in
	early, err := b.AddSA(cancelled, sa)
	gaveUp(t, "cancelled add", b.fn, err)
	if err == nil {
		ok(t, b.DeleteSA(b.ctx, early))
	}
	handle := b.addSA(t, sa) // a duplicate if the first were still there
	if n := len(b.ListSAs()); n != 1 {
		t.Errorf("%d SAs, want 1", n)
	}
	gaveUp(t, "cancelled delete", b.fn, b.DeleteSA(cancelled, handle))
	handle = b.addSA(t, sa)
	ok(t, b.DeleteSA(b.ctx, handle))
}

// testSAKept: KeepSAs takes over what an earlier driver has installed.
func testSAKept(t *testing.T, h Harness) {
	d := h.Open(t)
	t.Cleanup(func() { ok(t, d.Function.Close()) })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	first, err := driver.Open(ctx, d.Function, h.options(driver.Options{TXQueues: 1, RXQueues: 1}))
	ok(t, err)
	flows := []*flow{newFlow(t, kind{keyLen: 16}, 21), newFlow(t, kind{keyLen: 32, ipv6: true, tunnel: true, esn: true}, 22)}
	var handles []driver.Handle
	for _, f := range flows {
		handle, err := first.AddSA(ctx, f.in)
		ok(t, err)
		handles = append(handles, handle)
	}
	doomed, err := first.AddSA(ctx, newFlow(t, kind{keyLen: 24}, 23).out)
	ok(t, err)
	// The first driver is gone without closing; its rings stay mapped, and the
	// last thing it has asked for is still under way.
	cancelled, stop := context.WithCancel(ctx)
	stop()
	gaveUp(t, "cancelled delete", d.Function, first.DeleteSA(cancelled, doomed))
	b := h.attach(t, ctx, d, driver.Options{KeepSAs: true})
	list := b.ListSAs()
	if len(list) != 2 || list[0].Handle != handles[0] || list[1].Handle != handles[1] || list[1].SA.SPI != 22 {
		t.Fatalf("took over %v, want %v", list, handles)
	}
	_, err = b.AddSA(ctx, flows[0].in)
	wants(t, "SA that was taken over", err, driver.ErrDuplicate)
	b.fill(t, 0, 1)
	onWire, handedUp := flows[1].wire(t, 100, 1)
	b.inject(t, onWire)
	expect(t, b.receive(t, 0, 1)[0], flows[1], handles[1], handedUp)
	ok(t, b.DeleteSA(ctx, handles[0]))
	if b.Nonce() != first.Nonce() {
		t.Error("the nonce of the SAs that live is not taken over")
	}
	b.agree(t)
}
