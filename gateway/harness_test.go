// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/hwmodel/nic"
	"github.com/espalier-nic/espalier/rtl-bridge/wireport"
)

// side is a gateway over a Go NIC whose plain side and wire the test holds.
type side struct {
	t     testing.TB
	gw    *Gateway
	nic   *nic.NIC
	drv   *driver.NIC
	plain wireport.Port
	stop  func() error

	mu     sync.Mutex
	events []string
}

// startSide starts a gateway. wire gets the frames that its NIC sends.
func startSide(t testing.TB, c Config, wire func(frame []byte)) *side {
	t.Helper()
	far, near := wireport.Pipe("plain")
	return startOn(t, c, far, near, wire)
}

// startOn is startSide with a plain port of the test's; outside is its other
// end, if there is one.
func startOn(t testing.TB, c Config, inside Port, outside wireport.Port, wire func(frame []byte)) *side {
	t.Helper()
	ctx := context.Background()
	n, err := nic.New(nic.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := &side{t: t, nic: n, plain: outside}
	if s.drv, err = driver.Open(ctx, n, driver.Options{}); err != nil {
		t.Fatal(err)
	}
	c.Event = func(text string) {
		s.mu.Lock()
		s.events = append(s.events, text)
		s.mu.Unlock()
	}
	c.WireShown = c.Check
	if s.gw, err = New(ctx, s.drv, inside, c); err != nil {
		t.Fatal(err)
	}
	n.Connect(func(frame []byte) {
		s.gw.ObserveWire(frame)
		if wire != nil {
			wire(frame)
		}
	})
	run, cancel := context.WithCancel(ctx)
	result := make(chan error, 1)
	go func() { result <- s.gw.Run(run) }()
	s.stop = sync.OnceValue(func() error {
		cancel()
		err := <-result
		n.Connect(nil)
		return err
	})
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("gateway: %v", err)
		}
		if err := s.gw.Close(); err != nil {
			t.Errorf("close the gateway: %v", err)
		}
		if held := s.drv.ListSAs(); len(held) > 0 {
			t.Errorf("%d SAs are left in the NIC", len(held))
		}
		if err := s.drv.Close(); err != nil {
			t.Errorf("close the driver: %v", err)
		}
		n.Close()
	})
	return s
}

// startPair starts two gateways whose NICs are joined. between may change what
// happens on the wire: it gets each frame and who sent it, and hands on what it
// likes with deliver. nil is a cable.
func startPair(t testing.TB, a, b Config, between func(from int, frame []byte, deliver func([]byte))) [2]*side {
	t.Helper()
	var sides [2]*side
	var ready sync.WaitGroup
	ready.Add(1)
	wire := func(from int) func([]byte) {
		deliver := func(f []byte) { sides[1-from].nic.Inject(f, false) }
		return func(frame []byte) {
			ready.Wait()
			if between == nil {
				deliver(frame)
				return
			}
			between(from, frame, deliver)
		}
	}
	sides[0] = startSide(t, a, wire(0))
	sides[1] = startSide(t, b, wire(1))
	ready.Done()
	return sides
}

// send gives a frame to the gateway's plain side.
func (s *side) send(frame []byte) {
	s.t.Helper()
	if err := s.plain.Send(frame); err != nil {
		s.t.Fatal(err)
	}
}

// receive takes count frames from the gateway's plain side.
func (s *side) receive(count int) [][]byte {
	s.t.Helper()
	var got [][]byte
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer, sizes := [][]byte{make([]byte, wireport.MaxFrame)}, make([]int, 1)
		for len(got) < count {
			if _, err := s.plain.Receive(buffer, sizes); err != nil {
				return
			}
			got = append(got, bytes.Clone(buffer[0][:sizes[0]]))
		}
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		s.plain.Close()
		<-done
		s.t.Fatalf("%d of %d frames came; %s", len(got), count, s.summary())
	}
	return got
}

func (s *side) statistics() Statistics {
	s.t.Helper()
	stats, err := s.gw.Statistics(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	return stats
}

func (s *side) summary() string { return fmt.Sprintf("%+v", s.statistics()) }

// dropped waits until as many packets have been dropped for a reason as said.
func (s *side) dropped(reason Drop, count uint64) {
	s.t.Helper()
	s.eventually(fmt.Sprintf("%d packets are dropped as %v", count, reason), func() bool { return s.gw.drops[reason].Load() >= count })
	if got := s.gw.drops[reason].Load(); got != count {
		s.t.Fatalf("%d packets dropped as %v, want %d; %s", got, reason, count, s.summary())
	}
}

func (s *side) eventually(what string, condition func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("waited in vain until %s; %s", what, s.summary())
		}
	}
}

// sound fails if the checker found something.
func (s *side) sound() {
	s.t.Helper()
	if stats := s.statistics(); stats.Mismatches > 0 || stats.CheckedSent+stats.CheckedReceived == 0 {
		s.t.Fatalf("checked: %+v", stats)
	}
}

var (
	inA4, inB4   = netip.MustParseAddr("10.0.1.1"), netip.MustParseAddr("10.0.2.1")
	inA6, inB6   = netip.MustParseAddr("2001:db8:1::1"), netip.MustParseAddr("2001:db8:2::1")
	outA4, outB4 = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	outA6, outB6 = netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
)

// udp builds a frame with a UDP packet. Its payload tells it from others.
func udp(t testing.TB, src, dst netip.Addr, size int, tag byte) []byte {
	t.Helper()
	return packet(t, src, dst, layers.IPProtocolUDP, size, tag)
}

func packet(t testing.TB, src, dst netip.Addr, protocol layers.IPProtocol, size int, tag byte) []byte {
	t.Helper()
	eth := &layers.Ethernet{DstMAC: []byte{2, 0, 0, 0, 0, 2}, SrcMAC: []byte{2, 0, 0, 0, 0, 1}, EthernetType: layers.EthernetTypeIPv4}
	var ip gopacket.SerializableLayer = &layers.IPv4{Version: 4, TTL: 7, Protocol: protocol, Flags: layers.IPv4DontFragment, SrcIP: src.AsSlice(), DstIP: dst.AsSlice()}
	if src.Is6() {
		eth.EthernetType = layers.EthernetTypeIPv6
		ip = &layers.IPv6{Version: 6, HopLimit: 7, NextHeader: protocol, SrcIP: src.AsSlice(), DstIP: dst.AsSlice()}
	}
	payload := make([]byte, size)
	for i := range payload {
		payload[i] = byte(i)*7 + tag
	}
	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ip, gopacket.Payload(payload)); err != nil {
		t.Fatal(err)
	}
	head := []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, byte(eth.EthernetType >> 8), byte(eth.EthernetType)}
	return append(head, buf.Bytes()...) // without Ethernet padding
}

// ends are the addresses of a pair of gateways.
type ends struct{ a, b netip.Addr }

// pairConfig is the configuration of the two gateways of a tunnel or of two
// hosts, one SA each way.
func pairConfig(tunnel, esn bool, keyLen int, outer, inner ends, last uint64) (a, b Config) {
	key := func(n byte) driver.Key {
		k := make(driver.Key, keyLen)
		for i := range k {
			k[i] = byte(i)*5 + n
		}
		return k
	}
	there := SA{SPI: 0x1001, Tunnel: tunnel, Src: outer.a, Dst: outer.b, Key: key(1), Salt: driver.Salt{1, 2, 3, 4}, ESN: esn, LastSequence: last}
	back := SA{SPI: 0x1002, Tunnel: tunnel, Src: outer.b, Dst: outer.a, Key: key(2), Salt: driver.Salt{5, 6, 7, 8}, ESN: esn, LastSequence: last}
	host := func(x netip.Addr) netip.Prefix { return netip.PrefixFrom(x, x.BitLen()) }
	config := func(out, in SA, mine, others netip.Addr) Config {
		in.Inbound = true
		return Config{
			SAs: []SA{out, in},
			Policies: []Policy{
				{Src: host(mine), Dst: host(others), Action: Protect, SA: 0},
				{Inbound: true, Src: host(others), Dst: host(mine), Action: Protect, SA: 1},
			},
			Check: true,
		}
	}
	return config(there, back, inner.a, inner.b), config(back, there, inner.b, inner.a)
}
