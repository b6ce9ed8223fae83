// SPDX-License-Identifier: Apache-2.0

package wireport

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"pgregory.net/rapid"
)

// merged builds a packet as the kernel merges them: TCP or UDP, IPv4 or IPv6,
// with or without a VLAN tag, whatever its checksums.
func merged(t *rapid.T, tcp, ipv6, vlan bool, payload []byte) (packet []byte, h virtioHeader) {
	eth := &layers.Ethernet{DstMAC: testFrame(6, 2), SrcMAC: testFrame(6, 4), EthernetType: layers.EthernetTypeIPv4}
	all := []gopacket.SerializableLayer{eth}
	h.start = 14 + 20
	kind := layers.EthernetTypeIPv4
	if ipv6 {
		kind, h.start = layers.EthernetTypeIPv6, 14+40
	}
	eth.EthernetType = kind
	if vlan {
		eth.EthernetType = layers.EthernetTypeDot1Q
		all = append(all, &layers.Dot1Q{VLANIdentifier: 5, Type: kind})
		h.start += 4
	}
	protocol := layers.IPProtocolUDP
	if tcp {
		protocol = layers.IPProtocolTCP
	}
	if ipv6 {
		all = append(all, &layers.IPv6{Version: 6, HopLimit: 3, NextHeader: protocol, SrcIP: testFrame(16, 1), DstIP: testFrame(16, 9)})
	} else {
		all = append(all, &layers.IPv4{Version: 4, TTL: 3, Id: 0xFFFE, Protocol: protocol, SrcIP: testFrame(4, 1), DstIP: testFrame(4, 9)})
	}
	if tcp {
		all = append(all, &layers.TCP{SrcPort: 1, DstPort: 2, Seq: 0xFFFFFF00, Ack: 77, ACK: true, PSH: true, FIN: true, CWR: true, Window: 100,
			Options: []layers.TCPOption{{OptionType: layers.TCPOptionKindNop}, {OptionType: layers.TCPOptionKindNop}, {OptionType: layers.TCPOptionKindTimestamps, OptionLength: 10, OptionData: make([]byte, 8)}}})
		h.gso = gsoTCP4
		if ipv6 {
			h.gso = gsoTCP6
		}
		h.gso |= gsoECN
	} else {
		all = append(all, &layers.UDP{SrcPort: 1, DstPort: 2})
		h.gso = gsoUDP
	}
	all = append(all, gopacket.Payload(payload))
	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true}, all...); err != nil {
		t.Fatal(err)
	}
	h.checksum = true
	return bytes.Clone(buf.Bytes()), h
}

// TestSegments: the segments' payloads are the packet's, and gopacket finds each
// to be a good packet of its own.
func TestSegments(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tcp, ipv6, vlan := rapid.Bool().Draw(t, "tcp"), rapid.Bool().Draw(t, "ipv6"), rapid.Bool().Draw(t, "vlan")
		payload := testFrame(rapid.IntRange(200, 60000).Draw(t, "payload"), 5)
		packet, h := merged(t, tcp, ipv6, vlan, payload)
		h.size = rapid.IntRange(1, 1448).Draw(t, "size")
		h.size = max(h.size, len(payload)/200)
		var s segmenter
		if !s.start(packet, h) {
			t.Fatal("refused")
		}
		var back []byte
		frame := make([]byte, MaxFrame)
		for number := 0; s.more(); number++ {
			n, ok := s.next(frame)
			if !ok {
				t.Fatal("no room")
			}
			back = append(back, checkSegment(t, frame[:n], number, len(back), len(payload))...)
		}
		if !bytes.Equal(back, payload) {
			t.Fatal("payload differs")
		}
	})
}

// checkSegment judges one segment and returns its payload.
func checkSegment(t *rapid.T, frame []byte, number, before, total int) []byte {
	p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
	if e := p.ErrorLayer(); e != nil {
		t.Fatal(e.Error())
	}
	if ip, ok := p.NetworkLayer().(*layers.IPv4); ok {
		header := ip.Contents
		if fold(addWords(0, header)) != 0xFFFF || ip.Id != 0xFFFE+uint16(number) || int(ip.Length) != len(ip.Contents)+len(ip.Payload) {
			t.Fatalf("segment %d: IPv4 header %x", number, header)
		}
	} else if ip, ok := p.NetworkLayer().(*layers.IPv6); !ok || int(ip.Length) != len(ip.Payload) {
		t.Fatalf("segment %d: no good IP header", number)
	}
	protocol := uint32(protocolUDP)
	if tcp, ok := p.TransportLayer().(*layers.TCP); ok {
		protocol = protocolTCP
		last := before+len(tcp.Payload) == total
		if tcp.Seq != 0xFFFFFF00+uint32(before) || tcp.FIN != last || tcp.PSH != last || tcp.CWR != (number == 0) {
			t.Fatalf("segment %d: TCP header %+v", number, tcp)
		}
	} else if udp := p.TransportLayer().(*layers.UDP); int(udp.Length) != 8+len(udp.Payload) {
		t.Fatalf("segment %d: UDP length %d", number, udp.Length)
	}
	if sum := transportSum(p, protocol); sum != 0xFFFF {
		t.Fatalf("segment %d: checksum sums to %#x", number, sum)
	}
	return p.TransportLayer().LayerPayload()
}

// transportSum is the sum over pseudo-header and TCP or UDP packet: all ones if
// the checksum is right.
func transportSum(p gopacket.Packet, protocol uint32) uint16 {
	l4 := append(bytes.Clone(p.TransportLayer().LayerContents()), p.TransportLayer().LayerPayload()...)
	src, dst := p.NetworkLayer().NetworkFlow().Endpoints()
	pseudo := append(bytes.Clone(src.Raw()), dst.Raw()...)
	pseudo = binary.BigEndian.AppendUint32(pseudo, uint32(len(l4)))
	pseudo = binary.BigEndian.AppendUint32(pseudo, protocol)
	return fold(addWords(0, append(pseudo, l4...)))
}

// FuzzSegments: no packet and no description makes the port do more than lose it.
func FuzzSegments(f *testing.F) {
	f.Fuzz(func(t *testing.T, header, packet []byte) {
		if len(header) < virtioHeaderSize {
			return
		}
		h := parseVirtioHeader((*[virtioHeaderSize]byte)(header))
		h.complete(bytes.Clone(packet))
		var s segmenter
		if !s.start(packet, h) {
			return
		}
		frame, total := make([]byte, MaxFrame), 0
		for s.more() {
			n, ok := s.next(frame)
			if !ok || n < MinFrame {
				t.Fatalf("segment of %d bytes", n)
			}
			total += n - s.payload
		}
		if total != len(packet)-s.payload {
			t.Fatalf("%d bytes of payload came of %d", total, len(packet)-s.payload)
		}
	})
}
