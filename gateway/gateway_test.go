// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/gopacket/layers"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/hwmodel/esp"
	"github.com/espalier-nic/espalier/rtl-bridge/wireport"
)

// TestKinds: packets of all lengths go both ways between two gateways, through
// every kind of SA; what is on the wire is ESP and hides them, the golden model
// agrees with all of it, and both sides count the same.
func TestKinds(t *testing.T) {
	outers := map[string]ends{"IPv4": {outA4, outB4}, "IPv6": {outA6, outB6}}
	inners := map[string]ends{"IPv4": {inA4, inB4}, "IPv6": {inA6, inB6}}
	for _, tunnel := range []bool{false, true} {
		for over, outer := range outers {
			for in, inner := range inners {
				if !tunnel {
					if in != over {
						continue
					}
					inner = outer
				}
				for _, keyLen := range []int{16, 24, 32} {
					for _, esn := range []bool{false, true} {
						t.Run(fmt.Sprintf("tunnel=%v/%s in %s/%d bit/esn=%v", tunnel, in, over, 8*keyLen, esn), func(t *testing.T) {
							carryAll(t, tunnel, esn, keyLen, outer, inner)
						})
					}
				}
			}
		}
	}
}

func carryAll(t *testing.T, tunnel, esn bool, keyLen int, outer, inner ends) {
	a, b := pairConfig(tunnel, esn, keyLen, outer, inner, 0)
	var plaintext atomic.Int64
	sides := startPair(t, a, b, func(_ int, frame []byte, deliver func([]byte)) {
		h, kind := parseFrame(frame)
		if kind != kindIP || h.protocol != protocolESP || bytes.Contains(frame, []byte{7, 14, 21, 28, 35, 42}) {
			plaintext.Add(1)
		}
		deliver(frame)
	})
	longest := sides[0].gw.PlainMTU() - ipv4Len
	if inner.a.Is6() {
		longest = sides[0].gw.PlainMTU() - ipv6Len
	}
	sizes := []int{0, 1, 2, 3, 4, 5, 20, 64, 500, 1000, longest - 3, longest - 2, longest - 1, longest}
	want := map[int]uint64{}
	for from, pair := range []ends{inner, {inner.b, inner.a}} {
		for i, size := range sizes {
			frame := udp(t, pair.a, pair.b, size, byte(i))
			sides[from].send(frame)
			if got := sides[1-from].receive(1)[0]; !bytes.Equal(got, frame) {
				t.Fatalf("%d bytes of payload came as\n%x, want\n%x", size, got, frame)
			}
			want[from] += uint64(len(frame) - ethernetLen)
			if !tunnel {
				want[from] = want[from] - uint64(len(frame)-ethernetLen) + uint64(size)
			}
		}
		sides[from].send(udp(t, pair.a, pair.b, longest+4, 1))
		sides[from].dropped(OutTooLong, 1)
	}
	if n := plaintext.Load(); n > 0 {
		t.Errorf("%d frames on the wire are not ESP, or show what they carry", n)
	}
	for from, s := range sides {
		s.sound()
		stats := s.statistics()
		out, in := stats.SAs[0], stats.SAs[1]
		n := uint64(len(sizes))
		if out.Packets != n || out.Bytes != want[from] || in.Packets != n || in.Bytes != want[1-from] || out.NICFrames != n || in.NICFrames != n || out.Sequence != n || in.Sequence != n {
			t.Errorf("side %d: %+v, want %d packets, %d bytes out, %d in", from, stats.SAs, n, want[from], want[1-from])
		}
		if len(stats.Drops) != 1 || in.Software != 0 {
			t.Errorf("side %d: %+v", from, stats)
		}
	}
}

// TestPolicies: the first policy that matches decides, in both directions.
func TestPolicies(t *testing.T) {
	prefix := netip.MustParsePrefix
	a, b := pairConfig(true, false, 16, ends{outA4, outB4}, ends{inA4, inB4}, 0)
	a.Policies = []Policy{
		{Src: prefix("10.0.1.9/32"), Action: Bypass},
		{Dst: prefix("10.0.2.0/24"), Protocol: 47, Action: Discard},
		{Src: prefix("10.0.1.0/24"), Dst: prefix("10.0.2.0/24"), Action: Protect, SA: 0},
		{Protocol: 1, Action: Bypass},
		{Inbound: true, Action: Protect, SA: 1},
	}
	arp := append(append(bytes.Repeat([]byte{0xFF}, 6), 2, 0, 0, 0, 0, 1, 8, 6), make([]byte, 28)...)
	solicit := packet(t, outA6, outB6, layers.IPProtocolICMPv6, 32, 0)
	solicit[ethernetLen+7], solicit[ethernetLen+ipv6Len] = 255, 135
	forged := bytes.Clone(solicit)
	forged[ethernetLen+7] = 64 // came through a router
	other := packet(t, outA6, outB6, layers.IPProtocolICMPv6, 32, 0)
	other[ethernetLen+7], other[ethernetLen+ipv6Len] = 255, 128
	vlan := udp(t, inA4, inB4, 60, 0)
	vlan[12], vlan[13] = 0x81, 0
	cut := udp(t, inA4, inB4, 60, 0)[:60]
	stray := netip.MustParseAddr("10.9.9.9")
	tests := []struct {
		name    string
		frame   []byte
		outcome any // a Drop, or the protocol on the wire
	}{
		{"protect", udp(t, inA4, inB4, 60, 0), protocolESP},
		{"bypass by source", udp(t, netip.MustParseAddr("10.0.1.9"), inB4, 60, 0), 17},
		{"discard by protocol", packet(t, inA4, inB4, 47, 60, 0), OutPolBlock},
		{"bypass by protocol", packet(t, stray, inB4, layers.IPProtocolICMPv4, 60, 0), 1},
		{"nothing matches", udp(t, stray, inB4, 60, 0), OutNoPols},
		{"nothing matches, IPv6", udp(t, inA6, inB6, 60, 0), OutNoPols},
		{"ARP", arp, 0},
		{"neighbour discovery", solicit, 58},
		{"not quite neighbour discovery: hop limit", forged, OutNoPols},
		{"not neighbour discovery: echo", other, OutNoPols},
		{"VLAN", vlan, OutNotIP},
		{"cut", cut, OutHdrError},
	}
	var seen [][]byte
	var mu sync.Mutex
	sides := startPair(t, a, b, func(_ int, frame []byte, _ func([]byte)) {
		mu.Lock()
		seen = append(seen, bytes.Clone(frame))
		mu.Unlock()
	})
	drops := map[Drop]uint64{}
	for _, tt := range tests {
		mu.Lock()
		before := len(seen)
		mu.Unlock()
		sides[0].send(tt.frame)
		if reason, ok := tt.outcome.(Drop); ok {
			drops[reason]++
			sides[0].dropped(reason, drops[reason])
			continue
		}
		sides[0].eventually(tt.name+" is on the wire", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(seen) > before
		})
		mu.Lock()
		frame := seen[before]
		mu.Unlock()
		h, _ := parseFrame(frame)
		if int(h.protocol) != tt.outcome.(int) || h.protocol != protocolESP && !bytes.Equal(frame, tt.frame) {
			t.Errorf("%s: on the wire %x", tt.name, frame)
		}
	}
	sides[0].sound()

	// Configured otherwise.
	a.Default, a.NoResolution = Bypass, true
	var out atomic.Int64
	s := startSide(t, a, func([]byte) { out.Add(1) })
	s.send(udp(t, stray, inB4, 60, 0))
	s.eventually("the default has let it pass", func() bool { return out.Load() == 1 })
	s.send(arp)
	s.dropped(OutNotIP, 1)
	s.send(solicit) // no policy for it; the default
	s.eventually("the default has let it pass", func() bool { return out.Load() == 2 })
	s.nic.Inject(arp, false)
	s.dropped(InNotIP, 1)
}

// golden makes the frame that a correct peer sends with b's outbound SA.
func golden(t testing.TB, sa SA, frame []byte, seq uint64) []byte {
	t.Helper()
	g, err := esp.NewSA(esp.Params{SPI: sa.SPI, Src: sa.Src, Dst: sa.Dst, Tunnel: sa.Tunnel, ESN: sa.ESN, ESNHi: uint32(seq >> 32), Salt: sa.Salt, Key: sa.Key})
	if err != nil {
		t.Fatal(err)
	}
	if !sa.ESN {
		seq &= math.MaxUint32
	}
	out, err := g.Encapsulate(nil, frame, esp.FrameOptions{Sequence: seq})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestInbound: what may not come in does not, and is counted by reason.
func TestInbound(t *testing.T) {
	prefix := netip.MustParsePrefix
	for _, tunnel := range []bool{false, true} {
		inner := ends{inA4, inB4}
		if !tunnel {
			inner = ends{outA4, outB4}
		}
		a, b := pairConfig(tunnel, false, 32, ends{outA4, outB4}, inner, 0)
		second := b.SAs[0]
		second.SPI = 0x2002
		a.SAs = append(a.SAs, second)
		a.SAs[2].Inbound = true
		a.Policies = append([]Policy{
			{Inbound: true, Src: prefix("10.0.3.0/24"), Action: Discard},
			{Inbound: true, Src: prefix("10.0.4.0/24"), Action: Bypass},
		}, a.Policies...)
		a.Policies = append(a.Policies, Policy{Inbound: true, Protocol: 99, Action: Protect, SA: 2})
		good := udp(t, inner.b, inner.a, 100, 1)
		seq := uint64(0)
		sealed := func(sa SA, frame []byte) []byte {
			seq++
			return golden(t, sa, frame, seq)
		}
		change := func(frame []byte, at int, b byte) []byte {
			frame = bytes.Clone(frame)
			frame[at] ^= b
			return frame
		}
		ours := sealed(b.SAs[0], good)
		espAt := ethernetLen + ipv4Len
		fragment := change(ours, ethernetLen+6, 0x60) // MF instead of DF
		arp := append(append(bytes.Repeat([]byte{0xFF}, 6), 2, 0, 0, 0, 0, 1, 8, 6), make([]byte, 28)...)
		unknown := b.SAs[0]
		unknown.SPI = 0x3003
		dummy := func() []byte {
			g, err := esp.NewSA(esp.Params{SPI: b.SAs[0].SPI, Src: outB4, Dst: outA4, Salt: b.SAs[0].Salt, Key: b.SAs[0].Key})
			if err != nil {
				t.Fatal(err)
			}
			seq++
			f, at, err := g.Frame(nil, packet(t, outB4, outA4, 59, 100, 1), esp.FrameOptions{Sequence: seq})
			if err == nil {
				err = g.SealInPlace(f, at, 0)
			}
			if err != nil {
				t.Fatal(err)
			}
			return f
		}()
		tests := []struct {
			name    string
			frame   []byte
			outcome any // a Drop, or nil: it is handed up
		}{
			{"good", ours, nil},
			{"again", ours, InStateSeqError},
			{"ICV", change(sealed(b.SAs[0], good), len(ours)-1, 1), InStateProtoError},
			{"payload", change(sealed(b.SAs[0], good), espAt+20, 1), InStateProtoError},
			{"sequence number", change(sealed(b.SAs[0], good), espAt+7, 0x40), InStateProtoError},
			{"unknown SPI", sealed(unknown, good), InNoStates},
			{"length", sealed(b.SAs[0], good)[:len(ours)-20], InHdrError},
			{"fragment of ESP", fragment, InNoStates},
			{"dummy", dummy, InDummy},
			{"unprotected", good, InTmplMismatch},
			{"another SA's", sealed(second, good), InTmplMismatch},
			{"unprotected and discarded", udp(t, netip.MustParseAddr("10.0.3.1"), inner.a, 20, 0), InPolBlock},
			{"unprotected and bypassed", udp(t, netip.MustParseAddr("10.0.4.1"), inner.a, 20, 0), nil},
			{"no policy", udp(t, netip.MustParseAddr("10.0.5.1"), inner.a, 20, 0), InNoPols},
			{"too long", udp(t, netip.MustParseAddr("10.0.4.1"), inner.a, 1600, 0), InTruncated},
			{"ARP", arp, nil},
			{"cut", good[:50], InHdrError},
			{"VLAN", change(good, 12, 0x89), InNotIP},
		}
		if tunnel {
			tests = append(tests, []struct {
				name    string
				frame   []byte
				outcome any
			}{
				{"tunnelled, and from elsewhere", sealed(b.SAs[0], udp(t, netip.MustParseAddr("10.0.5.1"), inner.a, 20, 0)), InNoPols},
				{"tunnelled, and discarded", sealed(b.SAs[0], udp(t, netip.MustParseAddr("10.0.3.1"), inner.a, 20, 0)), InPolBlock},
				{"tunnelled, and to be bypassed", sealed(b.SAs[0], udp(t, netip.MustParseAddr("10.0.4.1"), inner.a, 20, 0)), InTmplMismatch},
			}...)
		} else {
			tests = append(tests, struct {
				name    string
				frame   []byte
				outcome any
			}{"protocol of the other SA", sealed(second, packet(t, inner.b, inner.a, 99, 20, 0)), InTmplMismatch})
		}
		t.Run(fmt.Sprintf("tunnel=%v", tunnel), func(t *testing.T) {
			s := startSide(t, a, nil)
			drops := map[Drop]uint64{}
			for _, tt := range tests {
				s.nic.Inject(tt.frame, false)
				if reason, ok := tt.outcome.(Drop); ok {
					drops[reason]++
					s.dropped(reason, drops[reason])
					continue
				}
				want := tt.frame
				if tt.name == "good" {
					want = good
				}
				if got := s.receive(1)[0]; !bytes.Equal(got, want) {
					t.Errorf("%s: handed up %x", tt.name, got)
				}
			}
			if n := s.plain.Counters().Received; n != 3 {
				t.Errorf("%d frames handed up, want 3", n)
			}
			s.sound()
		})
	}
}

// TestReplay: packets may come in another order within the window, each once.
func TestReplay(t *testing.T) {
	for _, window := range []int{64, 4096} {
		a, b := pairConfig(true, false, 16, ends{outA4, outB4}, ends{inA4, inB4}, 0)
		a.Window = window
		s := startSide(t, a, nil)
		frame := udp(t, inB4, inA4, 20, 0)
		inject := func(seq int) { s.nic.Inject(golden(t, b.SAs[0], frame, uint64(seq)), false) }
		for _, seq := range []int{1, 3, 2, window + 3, 4, window + 2} {
			inject(seq)
		}
		s.receive(6)
		for n, seq := range []int{1, 2, 3, 4, window + 2, window + 3} {
			inject(seq)
			s.dropped(InStateSeqError, uint64(n+1))
		}
		inject(5)
		s.receive(1)
		s.sound()
		if stats := s.statistics(); stats.SAs[1].Packets != 7 || stats.SAs[1].Sequence != uint64(window+3) {
			t.Errorf("%+v", stats.SAs[1])
		}
	}
}

// TestSequenceEnds: the last sequence number is used, none after it.
func TestSequenceEnds(t *testing.T) {
	for _, esn := range []bool{false, true} {
		last := uint64(math.MaxUint32)
		if esn {
			last = math.MaxUint64
		}
		a, b := pairConfig(true, esn, 16, ends{outA6, outB6}, ends{inA6, inB6}, last-3)
		sides := startPair(t, a, b, nil)
		const more = 1000 // than there are buffers
		for range 3 + more {
			sides[0].send(udp(t, inA6, inB6, 20, 0))
		}
		sides[1].receive(3)
		sides[0].dropped(OutStateSeqError, more)
		sides[0].mu.Lock()
		if events := sides[0].events; len(events) != 1 || !strings.Contains(events[0], "0x00001001: sequence numbers are used up") {
			t.Errorf("events %q", events)
		}
		sides[0].mu.Unlock()
		stats := sides[1].statistics().SAs[1]
		if stats.Packets != 3 || stats.Sequence != last {
			t.Errorf("%+v", stats)
		}
		sides[0].sound()
		sides[1].sound()
	}
}

// TestESNWrap: the lower half of the sequence number wraps in the middle of
// traffic that arrives out of order, and no packet is lost.
func TestESNWrap(t *testing.T) {
	for _, high := range []uint64{0, 7} {
		a, b := pairConfig(false, true, 32, ends{outA4, outB4}, ends{outA4, outB4}, high<<32|(1<<32-100))
		a.Window, b.Window = 64, 64
		// Groups of eight arrive backwards; every seventh packet of the first lap
		// comes twice.
		var mu sync.Mutex
		var held [][]byte
		sides := startPair(t, a, b, func(_ int, frame []byte, deliver func([]byte)) {
			mu.Lock()
			defer mu.Unlock()
			if held = append(held, bytes.Clone(frame)); len(held) < 8 {
				return
			}
			for i := range held {
				deliver(held[len(held)-1-i])
			}
			deliver(held[3])
			held = nil
		})
		for i := range 400 {
			sides[0].send(udp(t, outA4, outB4, 20+i%50, byte(i)))
			if i%8 == 7 {
				sides[1].receive(8) // no more than the NIC has buffers for
			}
		}
		sides[1].dropped(InStateSeqError, 50)
		sides[0].sound()
		sides[1].sound()
		stats := sides[1].statistics().SAs[1]
		if stats.Packets != 400 || stats.Sequence != (high+1)<<32+300 || stats.Software == 0 || stats.Software > 100 {
			t.Errorf("%+v", stats)
		}
		t.Logf("%d of 400 packets were decrypted here", stats.Software)
	}
}

// blockingPort is a plain port whose Send waits for the test.
type blockingPort struct {
	wireport.Port
	entered, leave chan struct{}
}

func (p *blockingPort) Send(frame []byte) error {
	p.entered <- struct{}{}
	<-p.leave
	return p.Port.Send(frame)
}

// TestReplayAcrossLaps: an old packet whose number has the same lower half as a
// new one is refused also in the moment in which the NIC still has the old upper
// half and this program the new one.
func TestReplayAcrossLaps(t *testing.T) {
	a, b := pairConfig(true, true, 16, ends{outA4, outB4}, ends{inA4, inB4}, 1<<32-10)
	a.Policies = append([]Policy{{Inbound: true, Protocol: 1, Action: Bypass}}, a.Policies...)
	inside, outside := wireport.Pipe("plain")
	port := &blockingPort{Port: inside, entered: make(chan struct{}), leave: make(chan struct{})}
	s := startOn(t, a, port, outside, nil)
	inject := func(seq uint64, tag byte) {
		s.nic.Inject(golden(t, b.SAs[0], udp(t, inB4, inA4, 20, tag), seq), false)
	}

	inject(7, 99) // of this lap's beginning: before the window, or after the wrap?
	s.dropped(InStateSeqError, 1)
	s.nic.Inject(packet(t, inB4, inA4, layers.IPProtocolICMPv4, 20, 0), false)
	<-port.entered     // the receiver is held here while the NIC judges what follows
	inject(1<<32+5, 1) // fails in the NIC: another upper half
	inject(6, 99)      // of the first lap: the NIC finds it good
	inject(1<<32-1, 2) // good, late
	inject(1<<32+6, 3) //
	close(port.leave)
	for range 3 {
		<-port.entered
	}
	got := s.receive(4)
	s.dropped(InStateSeqError, 2)
	inject(1<<32+7, 4)
	<-port.entered
	got = append(got, s.receive(1)...)
	for i, frame := range got[1:] {
		if want := udp(t, inB4, inA4, 20, byte(i+1)); !bytes.Equal(frame, want) {
			t.Errorf("packet %d is\n%x, want\n%x", i, frame, want)
		}
	}
	s.sound()
	if stats := s.statistics().SAs[1]; stats.Packets != 4 || stats.Sequence != 1<<32+7 || stats.Software != 2 {
		t.Errorf("%+v", stats)
	}
}

// TestMismatches: a NIC that is wrong is found out.
func TestMismatches(t *testing.T) {
	a, b := pairConfig(true, false, 16, ends{outA4, outB4}, ends{inA4, inB4}, 0)
	shown := func(t *testing.T, change func(n int, frame []byte) [][]byte, says string) {
		t.Helper()
		s := startSide(t, a, nil)
		var n int
		s.nic.Connect(func(frame []byte) {
			n++
			for _, f := range change(n, bytes.Clone(frame)) {
				s.gw.ObserveWire(f)
			}
		})
		for i := range 5 {
			s.send(udp(t, inA4, inB4, 40, byte(i)))
			s.eventually("it is sent", func() bool { return s.statistics().SAs[0].NICFrames == uint64(i+1) })
		}
		s.eventually("the mismatch is found", func() bool { return s.statistics().Mismatches == 1 })
		if text := s.statistics().MismatchTexts[0]; !strings.Contains(text, says) {
			t.Errorf("%q, want %q", text, says)
		}
	}
	shown(t, func(n int, f []byte) [][]byte {
		if n == 3 {
			f[60] ^= 1
		}
		return [][]byte{f}
	}, "packet 3: on the wire 130 bytes, the golden model has 130; the first that differs is byte 60")
	shown(t, func(n int, f []byte) [][]byte {
		if n == 3 {
			return nil
		}
		return [][]byte{f}
	}, "packet 3: the NIC says that it was sent, and it never was on the wire")
	shown(t, func(n int, f []byte) [][]byte {
		if n == 5 {
			return [][]byte{f, f}
		}
		return [][]byte{f}
	}, "that nobody sent")

	// What the NIC hands up.
	s := startSide(t, a, nil)
	r := &receiver{Gateway: s.gw}
	in := s.gw.sas[1]
	received := func(change func(p *driver.RXPacket, frame []byte) []byte, says string) {
		t.Helper()
		before := s.statistics().Mismatches
		wire := golden(t, b.SAs[0], udp(t, inB4, inA4, 40, 0), 1)
		frame, v := esp.Open(nil, wire, s.gw.lookup(nil, 0))
		p := &driver.RXPacket{SA: in.handle, IPsec: driver.IPsecWords{CryptoDone: true, HeaderInfoSet: true, NextHeader: v.NextHeader, PadLength: v.PadLength}}
		if changed := change(p, frame); p.SA == 0 {
			r.checkNoSA(wire)
		} else {
			r.checkReceived(in, p, changed)
		}
		stats := s.statistics()
		switch {
		case says == "" && stats.Mismatches != before:
			t.Errorf("a correct NIC: %q", stats.MismatchTexts)
		case says != "" && (stats.Mismatches != before+1 || !strings.Contains(stats.MismatchTexts[before], says)):
			t.Errorf("%q, want %q", stats.MismatchTexts, says)
		}
	}
	received(func(_ *driver.RXPacket, f []byte) []byte { return f }, "")
	received(func(_ *driver.RXPacket, f []byte) []byte { f[70] ^= 1; return f }, "authentication failed")
	received(func(p *driver.RXPacket, f []byte) []byte { p.IPsec.NextHeader++; return f }, "same bytes: true")
	received(func(p *driver.RXPacket, f []byte) []byte {
		p.IPsec = driver.IPsecWords{CryptoDone: true, CryptoStatus: 5}
		return golden(t, b.SAs[0], udp(t, inB4, inA4, 40, 0), 1)
	}, "decrypted")
	received(func(p *driver.RXPacket, f []byte) []byte { p.SA = 0; return f }, "found no SA")
}

// TestNoAllocations: in steady state nothing is allocated for a packet.
func TestNoAllocations(t *testing.T) {
	a, b := pairConfig(true, true, 16, ends{outA4, outB4}, ends{inA4, inB4}, 0)
	a.Check, b.Check = false, false
	sides := startPair(t, a, b, nil)
	frame := udp(t, inA4, inB4, 1000, 0)
	buffers, sizes := make([][]byte, batch), make([]int, batch)
	for i := range buffers {
		buffers[i] = make([]byte, 2000)
	}
	carry := func(count int) {
		for range count {
			for range batch {
				sides[0].send(frame)
			}
			for got := 0; got < batch; {
				n, err := sides[1].plain.Receive(buffers, sizes)
				if err != nil {
					t.Fatal(err)
				}
				got += n
			}
		}
	}
	carry(20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	carry(200)
	runtime.ReadMemStats(&after)
	// Waiting makes a context each time; packets make nothing.
	if per := float64(after.Mallocs-before.Mallocs) / (200 * batch); per > 0.5 && !raceEnabled {
		t.Errorf("%.2f allocations per packet", per)
	} else {
		t.Logf("%.2f allocations per packet", per)
	}
}

// TestStops: the end of the port or of the NIC ends Run, with its reason.
func TestStops(t *testing.T) {
	a, _ := pairConfig(true, false, 16, ends{outA4, outB4}, ends{inA4, inB4}, 0)
	ctx := context.Background()
	s := startSide(t, a, nil)
	if err := s.stop(); err != nil {
		t.Errorf("stopped: %v", err)
	}
	// Not twice the same NIC's queues: the SAs are still there until Close.
	if _, err := New(ctx, s.drv, s.plain, a); err == nil || !errors.Is(err, driver.ErrDuplicate) {
		t.Errorf("the same SAs again: %v", err)
	}
	if got := len(s.drv.ListSAs()); got != 2 {
		t.Errorf("%d SAs in the NIC, want 2", got)
	}
}

// TestRefusals: one sentence that names item, value and what is allowed.
func TestRefusals(t *testing.T) {
	prefix := netip.MustParsePrefix
	tests := []struct {
		change func(c *Config)
		says   string
	}{
		{func(c *Config) { c.MTU = 100 }, "MTU is 100; allowed are 576 to 16000"},
		{func(c *Config) { c.MTU = 15000 }, "the NIC's frames"},
		{func(c *Config) { c.Window = 100 }, "replay window is 100"},
		{func(c *Config) { c.Window = 8192 }, "replay window is 8192"},
		{func(c *Config) { c.Default = Protect }, "default action is protect"},
		{func(c *Config) { c.SAs[0].SPI = 0 }, "SA 1 has SPI 0"},
		{func(c *Config) { c.SAs[1].SPI = 0x1001 }, "both have the SPI 0x00001001"},
		{func(c *Config) { c.SAs[0].Src = inA6 }, "one IP version"},
		{func(c *Config) { c.SAs[0].Dst = netip.IPv4Unspecified() }, "unspecified address"},
		{func(c *Config) { c.SAs[0].LastSequence = 1 << 32 }, "without ESN"},
		{func(c *Config) { c.SAs[0].Key = c.SAs[0].Key[:5] }, "key"},
		{func(c *Config) { c.Policies[0].SA = 2 }, "names SA 3 of 2"},
		{func(c *Config) { c.Policies[0].SA = 1 }, "which is for the other direction"},
		{func(c *Config) { c.Policies[0].Action = 3 }, "action 3"},
		{func(c *Config) { c.Policies[0].Dst = prefix("2001:db8::/32") }, "one IP version"},
		{func(c *Config) { c.Policies = c.Policies[:1] }, "SA 2 (SPI 0x00001002) is used by no policy"},
		{func(c *Config) { c.SAs[0].Tunnel = false }, "policy 1 has src 10.0.1.1/32, and its SA is in transport mode; allowed is the SA's 192.0.2.1"},
	}
	s := startSide(t, Config{}, nil)
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if err := s.gw.Close(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		c, _ := pairConfig(true, false, 16, ends{outA4, outB4}, ends{inA4, inB4}, 0)
		tt.change(&c)
		port, _ := wireport.Pipe("plain")
		_, err := New(context.Background(), s.drv, port, c)
		if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %q, want one that says %q", err, tt.says)
		}
		if held := s.drv.ListSAs(); len(held) > 0 {
			t.Fatalf("%q left %d SAs in the NIC", tt.says, len(held))
		}
	}
}
