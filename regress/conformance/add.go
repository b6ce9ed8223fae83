// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/offload"
)

// addPair adds P0 and uses it.
func addPair(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	out, in, err := c.pair(ctx)
	if err != nil {
		return err
	}
	if out.offload == 0 || in.offload == 0 || out.offload == in.offload {
		return fmt.Errorf("the handles are %v and %v", out.offload, in.offload)
	}
	if err := c.holds(2); err != nil {
		return err
	}
	return c.works(ctx, out, in)
}

// addListPartly adds a list with one bad entry.
func addListPartly(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	flows := []flow{newFlow(0x101, false, false, 16), newFlow(0x102, true, false, 24), newFlow(0x103, true, false, 16), newFlow(0x104, true, true, 32)}
	var entries []*offload.AddSA
	for i := range flows {
		entries = append(entries, flows[i].entry())
	}
	const bad = 2
	entries[bad].SecAssoc[0].Encryption.Identifier = 0x80000000
	entries[bad].OffloadHandle = 0x77
	if err := c.a.AddSA(ctx, entries...); err != nil {
		return fmt.Errorf("a list with three good entries failed: %w", err)
	}
	if entries[bad].OffloadHandle != 0 {
		return fmt.Errorf("the bad entry has the handle %v", entries[bad].OffloadHandle)
	}
	if err := refused(entries[bad].Refused, offload.StatusNotSupported, "EncryptionAlgorithm"); err != nil {
		return fmt.Errorf("the bad entry: %w", err)
	}
	for i, e := range entries {
		if i == bad {
			continue
		}
		t, err := flows[i].accepted(e)
		if err != nil {
			return err
		}
		if err := c.works(ctx, t); err != nil {
			return err
		}
	}
	return c.holds(3)
}

// addListNone adds a list of bad entries.
func addListNone(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	_, in, err := c.pair(ctx)
	if err != nil {
		return err
	}
	var entries []*offload.AddSA
	for i := range 3 {
		f := newFlow(0x101+uint32(i), true, false, 16)
		e := f.entry()
		e.OffloadHandle = 0x77
		switch i {
		case 0:
			e.SecAssoc[0].Encryption.Identifier = 0x80000000
		case 1:
			e.NumExtHdrs = 3
		case 2:
			*e = *in.entry() // there already
			e.OffloadHandle = 0x77
		}
		entries = append(entries, e)
	}
	if err := c.a.AddSA(ctx, entries...); err == nil {
		return errors.New("a list without a good entry succeeded")
	}
	for i, e := range entries {
		if e.OffloadHandle != 0 || e.Refused == nil {
			return fmt.Errorf("bad entry %d has the handle %v and the reason %v", i+1, e.OffloadHandle, e.Refused)
		}
	}
	if err := c.holds(2); err != nil {
		return err
	}
	return c.works(ctx, in)
}

// fill offloads as many SAs as the record states, in pairs.
func (c *card) fill(ctx context.Context) ([]*traffic, error) {
	capacity := int(c.a.CurrentConfiguration().IPsecV2.SAOffloadCapacity)
	var flows []flow
	for i := range capacity {
		flows = append(flows, newFlow(0x10000+uint32(i), i%2 == 1, i%4 >= 2, 16+8*(i%3)))
	}
	return c.addAll(ctx, flows)
}

// capacity fills the NIC.
func capacity(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	all, err := c.fill(ctx)
	if err != nil {
		return err
	}
	if err := c.works(ctx, all...); err != nil {
		return err
	}
	more := newFlow(0xF0001, true, false, 16)
	if err := c.refusesAdd(ctx, more.entry(), offload.StatusResources, ""); err != nil {
		return fmt.Errorf("SA number %d: %w", len(all)+1, err)
	}
	if err := c.a.DeleteSA(ctx, all[len(all)/2].offload); err != nil {
		return err
	}
	t, err := c.add(ctx, more)
	if err != nil {
		return fmt.Errorf("after one DELETE: %w", err)
	}
	return c.works(ctx, t, all[0], all[len(all)-1])
}

// capacityUnit fills the NIC with inbound SAs alone: each costs one, and those
// of the other direction come out of the same pool.
func capacityUnit(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	var flows []flow
	for i := range c.a.CurrentConfiguration().IPsecV2.SAOffloadCapacity {
		flows = append(flows, newFlow(0x20000+i, true, false, 16))
	}
	all, err := c.addAll(ctx, flows)
	if err != nil {
		return err
	}
	for _, inbound := range []bool{false, true} {
		more := newFlow(0x2FFFF, inbound, false, 16)
		if err := c.refusesAdd(ctx, more.entry(), offload.StatusResources, ""); err != nil {
			return fmt.Errorf("one more than %d, inbound %v: %w", len(all), inbound, err)
		}
	}
	return c.holds(len(all))
}

// keyOffsets puts keys at random places of the key area.
func keyOffsets(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(5, 6))
	for i := range 200 {
		f := newFlow(0x500+uint32(i), i%2 == 0, i%3 == 0, 16+8*(i%3))
		e := f.entry()
		front, behind := rng.IntN(40), rng.IntN(40)
		material := e.KeyData
		e.KeyData = make(driver.Key, front+len(material)+behind)
		for j := range e.KeyData {
			e.KeyData[j] = byte(rng.Uint32())
		}
		copy(e.KeyData[front:], material)
		e.SecAssoc[0].Encryption.KeyOffset = uint32(front)
		if err := c.a.AddSA(ctx, e); err != nil {
			return fmt.Errorf("key at offset %d of %d: %w", front, len(e.KeyData), err)
		}
		t, err := f.accepted(e)
		if err != nil {
			return err
		}
		if err := c.works(ctx, t); err != nil {
			return fmt.Errorf("key at offset %d of %d: %w", front, len(e.KeyData), err)
		}
	}
	return nil
}

// keyBounds adds entries with one thing wrong each.
func keyBounds(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	out, in, err := c.pair(ctx)
	if err != nil {
		return err
	}
	const invalid = offload.StatusInvalidData
	for _, v := range []struct {
		what   string
		change func(*offload.AddSA)
		field  string
	}{
		{"NumExtHdrs 0", func(e *offload.AddSA) { e.NumExtHdrs = 0 }, "NumExtHdrs"},
		{"NumExtHdrs 3", func(e *offload.AddSA) { e.NumExtHdrs = 3 }, "NumExtHdrs"},
		{"NumExtHdrs 2^32-1", func(e *offload.AddSA) { e.NumExtHdrs = 1<<32 - 1 }, "NumExtHdrs"},
		{"key behind the key area", func(e *offload.AddSA) { e.SecAssoc[0].Encryption.KeyOffset = 1 }, "KeyOffset"},
		{"offset outside", func(e *offload.AddSA) { e.SecAssoc[0].Encryption.KeyOffset = 21 }, "KeyOffset"},
		{"offset that overflows", func(e *offload.AddSA) { e.SecAssoc[0].Encryption.KeyOffset = 1<<32 - 20 }, "KeyOffset"},
		{"offset 2^32-1", func(e *offload.AddSA) { e.SecAssoc[0].Encryption.KeyOffset = 1<<32 - 1 }, "KeyOffset"},
		{"no key area", func(e *offload.AddSA) { e.KeyData = nil }, "Key"},
		{"key area too short", func(e *offload.AddSA) { e.KeyData = e.KeyData[:19] }, "Key"},
		{"key length 0", func(e *offload.AddSA) { e.SecAssoc[0].Encryption.KeyLength = 0 }, "KeyLength"},
		{"key length of another algorithm", func(e *offload.AddSA) { e.SecAssoc[0].Encryption.KeyLength = 28 }, "KeyLength"},
		{"key length 2^32-1", func(e *offload.AddSA) { e.SecAssoc[0].Encryption.KeyLength = 1<<32 - 1 }, "KeyLength"},
		{"SPI 0", func(e *offload.AddSA) { e.SecAssoc[0].SPI = 0 }, "Spi"},
		{"operation 0", func(e *offload.AddSA) { e.SecAssoc[0].Operation = 0 }, "Operation"},
		{"operation 3", func(e *offload.AddSA) { e.SecAssoc[0].Operation = 3 }, "Operation"},
		{"two algorithms", func(e *offload.AddSA) { e.SecAssoc[0].Encryption.Identifier = 0x18 }, "EncryptionAlgorithm"},
		{"no algorithm", func(e *offload.AddSA) { e.SecAssoc[0].Encryption.Identifier = 0 }, "EncryptionAlgorithm"},
		{"ICV of 13", func(e *offload.AddSA) { e.SecAssoc[0].Encryption.AdditionalInfo = 13 }, "AdditionalInfo"},
		{"unknown flag", func(e *offload.AddSA) { e.Flags |= 0x100 }, "Flags"},
		{"unknown flag of the SA", func(e *offload.AddSA) { e.SecAssoc[0].Flags = 2 }, "Flags"},
		{"upper half without ESN", func(e *offload.AddSA) { e.SecAssoc[0].SequenceNumberHighOrder = 1 }, "SequenceNumberHighOrder"},
		{"IPv6 address without the flag", func(e *offload.AddSA) { e.Dst = local6 }, "Dst"},
		{"two UDP layouts", func(e *offload.AddSA) { e.UDPESP = 3 }, "UdpEspEncapsulation"},
	} {
		f := newFlow(0x900, false, false, 16)
		e := f.entry()
		v.change(e)
		if err := c.refusesAdd(ctx, e, invalid, v.field); err != nil {
			return fmt.Errorf("%s: %w", v.what, err)
		}
	}
	return c.works(ctx, out, in)
}

// ahESPRefused adds bundles of ESP and AH in both orders.
func ahESPRefused(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	f := newFlow(0x900, false, false, 16)
	bundle := func() *offload.AddSA {
		e := f.entry()
		e.NumExtHdrs = 2
		e.SecAssoc[1] = offload.SecurityAssociation{
			Operation: offload.OperationAH, SPI: 0x901,
			Authentication: offload.AlgorithmInfo{Identifier: uint32(offload.AuthenticationGMAC128), KeyLength: 20},
		}
		return e
	}
	if err := c.refusesAdd(ctx, bundle(), offload.StatusNotSupported, ""); err != nil {
		return fmt.Errorf("ESP, then AH, which the NIC does not state: %w", err)
	}
	swapped := bundle()
	swapped.SecAssoc[0], swapped.SecAssoc[1] = swapped.SecAssoc[1], swapped.SecAssoc[0]
	if err := c.refusesAdd(ctx, swapped, offload.StatusInvalidData, "SecAssoc"); err != nil {
		return fmt.Errorf("AH, then ESP: %w", err)
	}
	return nil
}

// ahRefused adds AH SAs to a NIC that does not state AH.
func ahRefused(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	for _, algorithm := range []struct {
		id  offload.AuthenticationAlgorithms
		key int
	}{{offload.AuthenticationMD5, 16}, {offload.AuthenticationSHA1, 20}, {offload.AuthenticationSHA256, 32}, {offload.AuthenticationGMAC256, 36}} {
		e := &offload.AddSA{NumExtHdrs: 1, Src: local4, Dst: remote4, KeyData: make(driver.Key, algorithm.key)}
		e.SecAssoc[0] = offload.SecurityAssociation{
			Operation: offload.OperationAH, SPI: 0x900,
			Authentication: offload.AlgorithmInfo{Identifier: uint32(algorithm.id), KeyLength: uint32(algorithm.key)},
		}
		if err := c.refusesAdd(ctx, e, offload.StatusNotSupported, "Operation"); err != nil {
			return fmt.Errorf("AH with %v: %w", algorithm.id, err)
		}
	}
	return nil
}

// udpESPRefused adds SAs with UDP encapsulation to a NIC that does not state it.
func udpESPRefused(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	for _, layout := range []offload.UDPEncapsulation{1, 2, 4, 8} {
		f := newFlow(0x900, true, false, 16)
		e := f.entry()
		e.UDPESP = layout
		if err := c.refusesAdd(ctx, e, offload.StatusNotSupported, "UdpEspEncapsulation"); err != nil {
			return fmt.Errorf("%v: %w", layout, err)
		}
	}
	return nil
}

// gcmIgnoresMACSlot fills the slot of the MAC with garbage.
func gcmIgnoresMACSlot(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	f := newFlow(0x900, false, false, 16)
	var first []byte
	for i, garbage := range []offload.AlgorithmInfo{{}, {Identifier: 0xFFFFFFFF, KeyLength: 1<<32 - 1, KeyOffset: 1<<32 - 1, AdditionalInfo: 77}, {Identifier: 4, KeyLength: 32}} {
		e := f.entry()
		e.SecAssoc[0].Authentication = garbage
		if err := c.a.AddSA(ctx, e); err != nil {
			return fmt.Errorf("garbage in the slot of the MAC: %w", err)
		}
		t, err := f.accepted(e)
		if err != nil {
			return err
		}
		out, err := t.framed(t.plain(99, 1))
		if err != nil {
			return err
		}
		left, err := c.sendGood(ctx, out)
		if err != nil {
			return err
		}
		if i == 0 {
			if err := t.accept(left[0], out, t.plain(99, 1)); err != nil {
				return err
			}
			first = left[0]
		} else if !bytes.Equal(first, left[0]) {
			return fmt.Errorf("with garbage in the slot of the MAC, byte %d on the wire is another", firstDifference(first, left[0]))
		}
	}
	return nil
}

// wildcardSource receives from several sources.
func wildcardSource(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	other4, other6 := netip.MustParseAddr("192.0.2.99"), netip.MustParseAddr("2001:db8::99")
	return bothFamilies(func(ipv6 bool) error {
		other, zero := other4, netip.IPv4Unspecified()
		if ipv6 {
			other, zero = other6, netip.IPv6Unspecified()
		}
		exact := newFlow(0x901, true, ipv6, 16)
		anySource := newFlow(0x902, true, ipv6, 16)
		anywhere := newFlow(0x903, true, ipv6, 16)
		added := map[uint32]*traffic{}
		for _, f := range []flow{exact, anySource, anywhere} {
			e := f.entry()
			if f.spi != exact.spi {
				e.Src = zero
			}
			if f.spi == anywhere.spi {
				e.Dst = zero
			}
			if err := c.a.AddSA(ctx, e); err != nil {
				return err
			}
			t, err := f.accepted(e)
			if err != nil {
				return err
			}
			added[f.spi] = t
		}
		for _, v := range []struct {
			f        flow
			src, dst netip.Addr
			matches  bool
		}{
			{exact, exact.src, exact.dst, true}, {exact, other, exact.dst, false}, {exact, exact.src, other, false},
			{anySource, exact.src, exact.dst, true}, {anySource, other, exact.dst, true}, {anySource, other, other, false},
			{anywhere, other, other, true}, {anywhere, exact.src, exact.dst, true},
		} {
			f := v.f
			f.src, f.dst = v.src, v.dst
			t, err := f.begin(added[f.spi].handle)
			if err != nil {
				return err
			}
			wire, err := t.sealed(t.plain(40, 1))
			if err != nil {
				return err
			}
			r, err := c.receiveOne(ctx, wire)
			if err != nil {
				return err
			}
			if v.matches {
				err = r.good(wire, t.handle, t.peer)
			} else {
				err = r.untouched(wire)
			}
			if err != nil {
				return fmt.Errorf("SPI %#x from %v to %v: %w", f.spi, v.src, v.dst, err)
			}
		}
		return nil
	})
}

// ipVersionsApart has an IPv4 and an IPv6 SA with one SPI whose addresses begin
// with the same bytes.
func ipVersionsApart(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	v4 := newFlow(spiIn, true, false, 16)
	v6 := newFlow(spiIn, true, true, 16)
	v6.key = bytes.Repeat([]byte{0x5A}, 16)
	same := func(a netip.Addr) netip.Addr {
		var b [16]byte
		copy(b[:], a.AsSlice())
		return netip.AddrFrom16(b)
	}
	v6.src, v6.dst = same(v4.src), same(v4.dst)
	t6, err := c.add(ctx, v6)
	if err != nil {
		return err
	}
	// Without an IPv4 SA no IPv4 packet matches.
	t4, err := v4.begin(0)
	if err != nil {
		return err
	}
	if err := c.idle(ctx, t4); err != nil {
		return fmt.Errorf("only the IPv6 SA is there: %w", err)
	}
	if t4, err = c.add(ctx, v4); err != nil {
		return err
	}
	if err := c.works(ctx, t4, t6); err != nil {
		return err
	}
	if err := c.a.DeleteSA(ctx, t6.offload); err != nil {
		return err
	}
	if err := c.idle(ctx, t6); err != nil {
		return fmt.Errorf("only the IPv4 SA is there: %w", err)
	}
	return c.works(ctx, t4)
}

// cipherOnlyRefused adds SAs that encrypt and do not authenticate.
func cipherOnlyRefused(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	for id, length := range map[offload.EncryptionAlgorithms]int{
		offload.EncryptionAESCBC128: 16, offload.EncryptionAESCBC256: 32, offload.Encryption3DESCBC: 24, offload.EncryptionNull: 0,
	} {
		e := &offload.AddSA{NumExtHdrs: 1, Src: local4, Dst: remote4, KeyData: make(driver.Key, length)}
		e.SecAssoc[0] = offload.SecurityAssociation{
			Operation: offload.OperationESP, SPI: 0x900, Encryption: offload.AlgorithmInfo{Identifier: uint32(id), KeyLength: uint32(length)},
		}
		if err := c.refusesAdd(ctx, e, offload.StatusNotSupported, "AuthenticationAlgorithm"); err != nil {
			return fmt.Errorf("%v without a MAC: %w", id, err)
		}
	}
	return nil
}

// parallelRequests makes random requests from many goroutines beside traffic,
// and compares what is left with what they have left.
func parallelRequests(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	const goroutines = 64
	each := b.count(300, 300, 12)
	out, in, err := c.pair(ctx)
	if err != nil {
		return err
	}
	// One SPI for which all compete: at most one of them may hold it.
	var holder atomic.Int64
	left := make([]map[offload.OffloadHandle]flow, goroutines)
	errs := make([]error, goroutines)
	var running sync.WaitGroup
	for g := range goroutines {
		left[g] = map[offload.OffloadHandle]flow{}
		running.Go(func() {
			errs[g] = c.requestAtRandom(ctx, g, each, left[g], &holder)
		})
	}
	done := make(chan struct{})
	go func() { running.Wait(); close(done) }()
	var trouble error
	for busy := true; busy && trouble == nil; {
		trouble = c.works(ctx, out, in)
		select {
		case <-done:
			busy = false
		default:
		}
	}
	<-done
	if err := errors.Join(append(errs, trouble)...); err != nil {
		return err
	}
	model := map[offload.OffloadHandle]flow{out.offload: out.flow, in.offload: in.flow}
	for _, some := range left {
		for handle, f := range some {
			if _, twice := model[handle]; twice {
				return fmt.Errorf("two goroutines hold SA %v", handle)
			}
			model[handle] = f
		}
	}
	return c.matches(ctx, model)
}

// requestAtRandom makes random requests and keeps what is left of them.
func (c *card) requestAtRandom(ctx context.Context, g, requests int, left map[offload.OffloadHandle]flow, holder *atomic.Int64) error {
	const shared = 0x70000
	rng := rand.New(rand.NewPCG(uint64(g), 7))
	some := func() (offload.OffloadHandle, flow) {
		for handle, f := range left {
			return handle, f
		}
		return 0, flow{}
	}
	for i := range requests {
		switch choice := rng.IntN(8); {
		case choice < 4 && len(left) < 10:
			f := newFlow(0x40000+uint32(g)<<10+uint32(i), rng.IntN(2) == 0, rng.IntN(2) == 0, 16)
			f.esn, f.hi = true, uint32(i)
			e := f.entry()
			if err := c.a.AddSA(ctx, e); err != nil {
				return err
			}
			left[e.OffloadHandle] = f
		case choice < 5:
			if handle, f := some(); handle != 0 {
				f.hi++
				if err := c.a.UpdateSA(ctx, offload.UpdateSA{OffloadHandle: handle, Operation: offload.OperationESP, SPI: f.spi, SequenceNumberHighOrder: f.hi}); err != nil {
					return err
				}
				left[handle] = f
			}
		case choice < 7:
			if handle, _ := some(); handle != 0 {
				if err := c.a.DeleteSA(ctx, handle); err != nil {
					return err
				}
				delete(left, handle)
				if err := c.a.DeleteSA(ctx, handle); offload.StatusOf(err) != offload.StatusInvalidParameter {
					return fmt.Errorf("a second DELETE of an SA ended with %v", err)
				}
			}
		default:
			f := newFlow(shared, true, false, 16)
			e := f.entry()
			if c.a.AddSA(ctx, e) != nil {
				continue // another one has it
			}
			if !holder.CompareAndSwap(0, int64(g)+1) {
				return fmt.Errorf("two inbound SAs with one SPI and destination are there")
			}
			holder.Store(0)
			if err := c.a.DeleteSA(ctx, e.OffloadHandle); err != nil {
				return err
			}
		}
	}
	return nil
}

// matches compares the adapter's table and the NIC's with a model.
func (c *card) matches(ctx context.Context, model map[offload.OffloadHandle]flow) error {
	if err := c.holds(len(model)); err != nil {
		return err
	}
	for _, s := range c.a.ListSAs() {
		f, ok := model[s.Handle]
		if !ok {
			return fmt.Errorf("SA %v is there and should not be", s.Handle)
		}
		got, err := c.ReadSA(ctx, driver.Handle(uint32(s.Handle)))
		if err != nil {
			return err
		}
		for what, sa := range map[string]driver.SA{"adapter": s.SA, "NIC": got} {
			if sa.SPI != f.spi || sa.Inbound != f.inbound || sa.IPv6 != f.ipv6 || sa.ESN != f.esn || sa.SequenceHi != f.hi || sa.Dst != f.dst {
				return fmt.Errorf("the %s has SA %v as %v, a model has SPI %#x, ESN %d", what, s.Handle, sa, f.spi, f.hi)
			}
		}
	}
	return nil
}
