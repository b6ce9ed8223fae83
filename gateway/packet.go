// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"encoding/binary"
	"net/netip"
)

// Sizes, EtherTypes and protocol numbers of the headers looked at here.
const (
	ethernetLen = 14
	ipv4Len     = 20
	ipv6Len     = 40

	etherTypeIPv4 = 0x0800
	etherTypeARP  = 0x0806
	etherTypeIPv6 = 0x86DD

	protocolHopByHop    = 0
	protocolRouting     = 43
	protocolFragment    = 44
	protocolESP         = 50
	protocolICMPv6      = 58
	protocolDestOptions = 60

	// Neighbour discovery (RFC 4861, section 4): router solicitation to redirect.
	firstNeighbourType = 133
	lastNeighbourType  = 137
	neighbourHopLimit  = 255
)

// frameKind sorts frames.
type frameKind uint8

const (
	kindOther     frameKind = iota // no IP, no ARP
	kindMalformed                  // IP by its EtherType, and not in fact
	kindARP
	kindNeighbour // IPv6 neighbour discovery
	kindIP
)

// headers are what policies are about.
type headers struct {
	src, dst  netip.Addr
	protocol  uint8 // the upper layer's, behind IPv6 extension headers
	ipv6      bool
	headerLen int // IPv4 with options; IPv6 without extension headers
	length    int // of the IP packet
}

// parseFrame reads the headers of a frame (no FCS). h is valid for kindIP and
// kindNeighbour.
func parseFrame(frame []byte) (h headers, kind frameKind) {
	if len(frame) < ethernetLen {
		return h, kindMalformed
	}
	ip := frame[ethernetLen:]
	switch binary.BigEndian.Uint16(frame[12:]) {
	case etherTypeARP:
		return h, kindARP
	case etherTypeIPv4:
		return parseIPv4(ip)
	case etherTypeIPv6:
		return parseIPv6(ip)
	}
	return h, kindOther
}

func parseIPv4(ip []byte) (h headers, kind frameKind) {
	if len(ip) < ipv4Len || ip[0]>>4 != 4 {
		return h, kindMalformed
	}
	h.headerLen, h.length = int(ip[0]&0x0F)*4, int(binary.BigEndian.Uint16(ip[2:]))
	if h.headerLen < ipv4Len || h.length < h.headerLen || h.length > len(ip) {
		return h, kindMalformed
	}
	h.src, h.dst = netip.AddrFrom4([4]byte(ip[12:16])), netip.AddrFrom4([4]byte(ip[16:20]))
	h.protocol = ip[9]
	return h, kindIP
}

func parseIPv6(ip []byte) (h headers, kind frameKind) {
	if len(ip) < ipv6Len || ip[0]>>4 != 6 {
		return h, kindMalformed
	}
	h.ipv6, h.headerLen, h.length = true, ipv6Len, ipv6Len+int(binary.BigEndian.Uint16(ip[4:]))
	if h.length > len(ip) {
		return h, kindMalformed
	}
	h.src, h.dst = netip.AddrFrom16([16]byte(ip[8:24])), netip.AddrFrom16([16]byte(ip[24:40]))
	rest := ip[ipv6Len:h.length]
	h.protocol = ip[6]
	if h.protocol == protocolICMPv6 && ip[7] == neighbourHopLimit && len(rest) >= 4 && rest[0] >= firstNeighbourType && rest[0] <= lastNeighbourType {
		return h, kindNeighbour
	}
	for {
		var size int
		switch {
		case len(rest) < 8:
			return h, kindIP
		case h.protocol == protocolFragment:
			if binary.BigEndian.Uint16(rest[2:])&^7 != 0 {
				h.protocol = rest[0] // what follows is not that header
				return h, kindIP
			}
			size = 8
		case h.protocol == protocolHopByHop, h.protocol == protocolRouting, h.protocol == protocolDestOptions:
			size = 8 + 8*int(rest[1])
		default:
			return h, kindIP
		}
		h.protocol = rest[0]
		if size > len(rest) {
			return h, kindIP
		}
		rest = rest[size:]
	}
}
