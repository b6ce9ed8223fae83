// SPDX-License-Identifier: Apache-2.0

package wireport

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/vishvananda/netlink"

	"github.com/espalier-nic/espalier/internal/nettest"
)

// openIn opens a port within a namespace.
func openIn(t testing.TB, ns *nettest.Namespace, spec string) Port {
	t.Helper()
	var p Port
	ns.Do(func() (err error) { p, err = Open(spec); return err })
	t.Cleanup(func() { p.Close() })
	return p
}

// neighbour makes the kernel believe that an address is at a MAC, without asking.
func neighbour(name, address string, mac net.HardwareAddr) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return netlink.NeighSet(&netlink.Neigh{LinkIndex: link.Attrs().Index, State: netlink.NUD_PERMANENT, IP: net.ParseIP(address), HardwareAddr: mac})
}

var testMAC = net.HardwareAddr{2, 0, 0, 0, 0, 9}

// udpFrame builds a UDP frame.
func udpFrame(t testing.TB, dst net.HardwareAddr, from, to string, payload []byte) []byte {
	t.Helper()
	src, dstPort := netip.MustParseAddrPort(from), netip.MustParseAddrPort(to)
	eth := &layers.Ethernet{DstMAC: dst, SrcMAC: testMAC, EthernetType: layers.EthernetTypeIPv4}
	ip := &layers.IPv4{Version: 4, TTL: 9, Protocol: layers.IPProtocolUDP, SrcIP: src.Addr().AsSlice(), DstIP: dstPort.Addr().AsSlice()}
	udp := &layers.UDP{SrcPort: layers.UDPPort(src.Port()), DstPort: layers.UDPPort(dstPort.Port())}
	_ = udp.SetNetworkLayerForChecksum(ip)
	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, eth, ip, udp, gopacket.Payload(payload)); err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(buf.Bytes())
}

// receiveUDP receives frames until one is UDP to port, and returns it decoded.
func receiveUDP(t testing.TB, p Port, port uint16) (frame []byte, packet gopacket.Packet) {
	t.Helper()
	for {
		frame = collect(t, p, 1)[0]
		packet = gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
		if udp, ok := packet.Layer(layers.LayerTypeUDP).(*layers.UDP); ok && udp.DstPort == layers.UDPPort(port) {
			return frame, packet
		}
	}
}

// exchangeUDP sends a datagram from the kernel through the interface and out of
// the port, and one back.
func exchangeUDP(t *testing.T, ns *nettest.Namespace, p Port, mac net.HardwareAddr) {
	t.Helper()
	var conn *net.UDPConn
	ns.Do(func() (err error) {
		conn, err = net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP("192.0.2.1"), Port: 1000}, &net.UDPAddr{IP: net.ParseIP("192.0.2.2"), Port: 2000})
		return err
	})
	defer conn.Close()
	payload := bytes.Repeat([]byte("espalier"), 40)
	if _, err := conn.Write(payload); err != nil {
		t.Fatal(err)
	}
	_, packet := receiveUDP(t, p, 2000)
	udp := packet.Layer(layers.LayerTypeUDP).(*layers.UDP)
	if !bytes.Equal(udp.Payload, payload) {
		t.Fatalf("the kernel's datagram came as %v", packet)
	}
	if sum := transportSum(packet, protocolUDP); sum != 0xFFFF || udp.Checksum == 0 {
		t.Fatalf("UDP checksum %#x sums to %#x", udp.Checksum, sum)
	}
	if err := p.Send(udpFrame(t, mac, "192.0.2.2:2000", "192.0.2.1:1000", payload[:100])); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 2000)
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	if n, err := conn.Read(got); err != nil || !bytes.Equal(got[:n], payload[:100]) {
		t.Fatalf("the kernel received %d bytes, %v", n, err)
	}
}

func macOf(name string) (mac net.HardwareAddr, err error) {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return nil, err
	}
	return link.Attrs().HardwareAddr, nil
}

func TestTAP(t *testing.T) {
	ns := nettest.New(t)
	p := openIn(t, ns, "tap:esp0").(*TAP)
	var mac net.HardwareAddr
	ns.Do(func() (err error) {
		if err := nettest.Address(p.Interface(), "192.0.2.1/24"); err != nil {
			return err
		}
		if mac, err = macOf(p.Interface()); err != nil {
			return err
		}
		return neighbour(p.Interface(), "192.0.2.2", testMAC)
	})
	exchangeUDP(t, ns, p, mac)
	ns.Do(func() error {
		if err := p.SetMTU(1400); err != nil {
			return err
		}
		if link, err := netlink.LinkByName("esp0"); err != nil || link.Attrs().MTU != 1400 {
			return fmt.Errorf("MTU is %v, %v", link, err)
		}
		if _, err := Open("tap:esp0"); err == nil || !strings.Contains(err.Error(), "another program has the device open") {
			return fmt.Errorf("opened twice: %v", err)
		}
		if _, err := Open("tap:lo"); err == nil || !strings.Contains(err.Error(), "no TAP device") {
			return fmt.Errorf("loopback: %v", err)
		}
		if _, err := Open("tap:a-name-too-long-for-linux"); err == nil || !strings.Contains(err.Error(), "1 to 15 are allowed") {
			return fmt.Errorf("long name: %v", err)
		}
		// A device that is down loses frames; that is no error.
		link, err := netlink.LinkByName("esp0")
		if err != nil {
			return err
		}
		return netlink.LinkSetDown(link)
	})
	if err := p.Send(testFrame(60, 1)); err != nil {
		t.Errorf("send while the interface is down: %v", err)
	}
	if c := p.Counters(); c.SendDropped != 1 || c.Sent != 1 || c.Received == 0 {
		t.Errorf("counters %+v", c)
	}
	received := make(chan error)
	go func() {
		_, err := p.Receive([][]byte{make([]byte, MaxFrame)}, make([]int, 1))
		for err == nil {
			_, err = p.Receive([][]byte{make([]byte, MaxFrame)}, make([]int, 1))
		}
		received <- err
	}()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-received; !errors.Is(err, net.ErrClosed) {
		t.Errorf("receive: %v", err)
	}
	if err := p.Send(testFrame(60, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("send after close: %v", err)
	}
	ns.Do(func() error {
		if _, err := netlink.LinkByName("esp0"); err == nil {
			return errors.New("esp0 is left behind")
		}
		return nil
	})
}

// TestPacket: the same through one end of a veth pair, whose checksums the
// kernel leaves out.
func TestPacket(t *testing.T) {
	inside, outside := nettest.New(t), nettest.New(t)
	nettest.Veth(t, inside, "in0", outside, "out0")
	p := openIn(t, outside, "packet:out0")
	var mac net.HardwareAddr
	inside.Do(func() (err error) {
		if err := nettest.Address("in0", "192.0.2.1/24"); err != nil {
			return err
		}
		if mac, err = macOf("in0"); err != nil {
			return err
		}
		return neighbour("in0", "192.0.2.2", testMAC)
	})
	exchangeUDP(t, inside, p, mac)

	// The kernel takes VLAN tags off; they are put back.
	raw := openIn(t, inside, "packet:in0")
	plain := udpFrame(t, testMAC, "192.0.2.1:1", "192.0.2.2:2222", []byte("tagged"))
	for _, protocol := range []uint16{0x8100, 0x88A8} {
		tagged := binary.BigEndian.AppendUint16(bytes.Clone(plain[:12]), protocol)
		tagged = append(binary.BigEndian.AppendUint16(tagged, 0x6005), plain[12:]...)
		if err := raw.Send(tagged); err != nil {
			t.Fatal(err)
		}
		if got, _ := receiveUDP(t, p, 2222); !bytes.Equal(got, tagged) {
			t.Errorf("tagged frame came as\n%x, want\n%x", got, tagged)
		}
	}

	// What this machine sends through the interface is not received.
	sent := p.Counters().Received
	if err := p.Send(testFrame(60, 1)); err != nil {
		t.Fatal(err)
	}
	if err := raw.Send(plain); err != nil {
		t.Fatal(err)
	}
	receiveUDP(t, p, 2222)
	if c := p.Counters(); c.Received != sent+1 {
		t.Errorf("%d frames received, want 1", c.Received-sent)
	}
	// Longer than the interface's MTU.
	if err := p.Send(testFrame(2000, 1)); err != nil || p.Counters().SendErrors != 1 {
		t.Errorf("2000 bytes: %v, %+v", err, p.Counters())
	}
	outside.Do(func() error {
		if _, err := Open("packet:none0"); err == nil || !strings.Contains(err.Error(), "no such interface") {
			return fmt.Errorf("no interface: %v", err)
		}
		link, err := netlink.LinkByName("out0")
		if err != nil {
			return err
		}
		if link.Attrs().Promisc != 1 {
			return fmt.Errorf("promiscuous %d times, want once", link.Attrs().Promisc)
		}
		return nil
	})
	p.Close()
	if _, err := p.Receive([][]byte{make([]byte, MaxFrame)}, make([]int, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("receive after close: %v", err)
	}
	outside.Do(func() error {
		link, err := netlink.LinkByName("out0")
		if err != nil {
			return err
		}
		if link.Attrs().Promisc != 0 {
			return errors.New("still promiscuous after close")
		}
		if err := netlink.LinkSetDown(link); err != nil {
			return err
		}
		if _, err := Open("packet:out0"); err == nil || !strings.Contains(err.Error(), "is down") {
			return fmt.Errorf("interface down: %v", err)
		}
		return nil
	})
}

// TestTransfer: two kernels talk TCP and UDP through two packet sockets. They
// merge what they send; what passes here are frames of the wire, none longer
// than the MTU allows, with right checksums.
func TestTransfer(t *testing.T) {
	hosts, wires := [2]*nettest.Namespace{nettest.New(t), nettest.New(t)}, [2]*nettest.Namespace{nettest.New(t), nettest.New(t)}
	ports := [2]Port{}
	for i := range hosts {
		nettest.Veth(t, hosts[i], "h0", wires[i], "w0")
		hosts[i].Do(func() error {
			return nettest.Address("h0", fmt.Sprintf("192.0.2.%d/24", i+1), fmt.Sprintf("2001:db8::%d/64", i+1))
		})
		ports[i] = openIn(t, wires[i], "packet:w0")
	}
	for i := range ports {
		go func() {
			_ = Pump(ports[i], func(frame []byte) error {
				if len(frame) > 1514 {
					t.Errorf("frame of %d bytes on the wire", len(frame))
				}
				return ports[1-i].Send(frame)
			})
		}()
	}
	data := make([]byte, 4<<20)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	for _, address := range []string{"192.0.2.2", "2001:db8::2"} {
		var listener net.Listener
		hosts[1].Do(func() (err error) {
			listener, err = net.Listen("tcp", net.JoinHostPort(address, "0"))
			return err
		})
		defer listener.Close()
		sum := make(chan [32]byte, 1)
		go func() {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			h := sha256.New()
			_, _ = io.Copy(h, conn)
			sum <- [32]byte(h.Sum(nil))
		}()
		hosts[0].Do(func() error {
			conn, err := net.DialTimeout("tcp", listener.Addr().String(), 20*time.Second)
			if err != nil {
				return err
			}
			defer conn.Close()
			_, err = conn.Write(data)
			return err
		})
		select {
		case got := <-sum:
			if got != sha256.Sum256(data) {
				t.Errorf("%s: what arrived is not what was sent", address)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("%s: the transfer did not end", address)
		}
	}
	if c := ports[0].Counters(); c.Received < 2*4<<20/1460 || c.ReceiveDropped > 0 {
		t.Errorf("counters %+v", c)
	}
}
