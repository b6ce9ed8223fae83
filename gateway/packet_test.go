// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// FuzzParseFrame: whatever the frame, what is said of it lies in it, and where
// gopacket finds a sound IP packet it finds the same.
func FuzzParseFrame(f *testing.F) {
	f.Fuzz(func(t *testing.T, frame []byte) {
		h, kind := parseFrame(frame)
		if kind != kindIP && kind != kindNeighbour {
			return
		}
		if h.headerLen < ipv4Len || h.length < h.headerLen || ethernetLen+h.length > len(frame) || h.ipv6 != h.src.Is6() || h.src.Is4() != h.dst.Is4() {
			t.Fatalf("%d bytes: %+v", len(frame), h)
		}
		if esp, ok := espPacket(frame); ok && (len(esp) < espHeaderLen || ethernetLen+h.headerLen+len(esp) != ethernetLen+h.length) {
			t.Fatalf("ESP packet of %d bytes in %+v", len(esp), h)
		}
		p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.NoCopy)
		switch ip := p.NetworkLayer().(type) {
		case *layers.IPv4:
			if h.ipv6 || ip.SrcIP.String() != h.src.String() || ip.DstIP.String() != h.dst.String() || uint8(ip.Protocol) != h.protocol || int(ip.Length) != h.length {
				t.Fatalf("%+v, gopacket has %+v", h, ip)
			}
		case *layers.IPv6:
			if !h.ipv6 || !ip.SrcIP.Equal(h.src.AsSlice()) || !ip.DstIP.Equal(h.dst.AsSlice()) {
				t.Fatalf("%+v, gopacket has %+v", h, ip)
			}
			if kind == kindNeighbour && (ip.HopLimit != neighbourHopLimit || ip.NextHeader != layers.IPProtocolICMPv6) {
				t.Fatalf("taken for neighbour discovery: %+v", ip)
			}
		}
	})
}
