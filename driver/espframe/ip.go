// SPDX-License-Identifier: Apache-2.0

package espframe

import (
	"encoding/binary"
	"fmt"
)

// Sizes in bytes and field offsets of the headers handled here.
const (
	ethernetLen  = 14
	etherTypeOff = 12
	ipv4Len      = 20
	ipv6Len      = 40

	etherTypeIPv4 = 0x0800
	etherTypeIPv6 = 0x86DD
	etherTypeVLAN = 0x8100
	etherTypeQinQ = 0x88A8

	ipv4TOS      = 1
	ipv4Length   = 2
	ipv4ID       = 4
	ipv4Frag     = 6
	ipv4TTL      = 8
	ipv4Protocol = 9
	ipv4Checksum = 10
	ipv4Src      = 12
	ipv4Dst      = 16

	ipv4DontFragment  = 0x4000
	ipv4MoreFragments = 0x2000
	ipv4FragOffset    = 0x1FFF

	ipv6PayloadLength = 4
	ipv6NextHeader    = 6
	ipv6HopLimit      = 7
	ipv6Src           = 8
	ipv6Dst           = 24
)

// IANA protocol numbers.
const (
	protocolHopByHop = 0
	protocolIPv4     = 4
	protocolIPv6     = 41
	protocolRouting  = 43
	protocolFragment = 44
	protocolESP      = 50
	protocolDummy    = 59
)

// ipHeader is what framing needs to know of an IP packet.
type ipHeader struct {
	ipv6      bool
	headerLen int   // bytes: IPv4 with options, IPv6 fixed header only
	length    int   // bytes of header and payload as the header states them
	protocol  uint8 // IPv4 Protocol or IPv6 Next Header
	tos       uint8 // IPv4 TOS or IPv6 Traffic Class
	df        bool  // IPv4 Don't Fragment; true for IPv6, which routers never fragment
	fragment  bool  // IPv4 fragment
}

// parseIP reads the IP header at the start of packet and checks that its
// lengths fit. Bytes after the stated length (Ethernet padding) are allowed.
func parseIP(packet []byte) (ipHeader, error) {
	if len(packet) == 0 {
		return ipHeader{}, fmt.Errorf("IP packet is empty: %w", ErrMalformed)
	}
	switch packet[0] >> 4 {
	case 4:
		return parseIPv4(packet)
	case 6:
		return parseIPv6(packet)
	default:
		return ipHeader{}, fmt.Errorf("IP version is %d, 4 or 6 is allowed: %w", packet[0]>>4, ErrMalformed)
	}
}

func parseIPv4(p []byte) (ipHeader, error) {
	if len(p) < ipv4Len {
		return ipHeader{}, fmt.Errorf("IPv4 packet has %d bytes, its header needs %d: %w", len(p), ipv4Len, ErrMalformed)
	}
	frag := binary.BigEndian.Uint16(p[ipv4Frag:])
	h := ipHeader{
		headerLen: int(p[0]&0x0F) * 4,
		length:    int(binary.BigEndian.Uint16(p[ipv4Length:])),
		protocol:  p[ipv4Protocol],
		tos:       p[ipv4TOS],
		df:        frag&ipv4DontFragment != 0,
		fragment:  frag&(ipv4MoreFragments|ipv4FragOffset) != 0,
	}
	if h.headerLen < ipv4Len {
		return ipHeader{}, fmt.Errorf("IPv4 header length is %d bytes, at least %d is allowed: %w", h.headerLen, ipv4Len, ErrMalformed)
	}
	if h.length < h.headerLen || h.length > len(p) {
		return ipHeader{}, fmt.Errorf("IPv4 total length is %d, %d to %d bytes are present: %w", h.length, h.headerLen, len(p), ErrMalformed)
	}
	return h, nil
}

func parseIPv6(p []byte) (ipHeader, error) {
	if len(p) < ipv6Len {
		return ipHeader{}, fmt.Errorf("IPv6 packet has %d bytes, its header needs %d: %w", len(p), ipv6Len, ErrMalformed)
	}
	h := ipHeader{
		ipv6:      true,
		headerLen: ipv6Len,
		length:    ipv6Len + int(binary.BigEndian.Uint16(p[ipv6PayloadLength:])),
		protocol:  p[ipv6NextHeader],
		tos:       p[0]<<4 | p[1]>>4,
		df:        true,
	}
	if h.length > len(p) {
		return ipHeader{}, fmt.Errorf("IPv6 payload length is %d, %d bytes are present: %w", h.length-ipv6Len, len(p)-ipv6Len, ErrMalformed)
	}
	return h, nil
}

// checkBeforeESP refuses headers that cannot stand directly before ESP with a
// NIC without CAP_FEATURE.IPV4_OPTIONS and IPV6_EXT_HEADERS.
func (h ipHeader) checkBeforeESP() error {
	switch {
	case h.fragment:
		return fmt.Errorf("IPv4 packet is a fragment, ESP needs whole packets: %w", ErrFragment)
	case !h.ipv6 && h.headerLen != ipv4Len:
		return fmt.Errorf("IPv4 header has %d bytes of options, none are allowed before ESP: %w", h.headerLen-ipv4Len, ErrOptions)
	case h.ipv6 && h.protocol == protocolFragment:
		return fmt.Errorf("IPv6 packet is a fragment, ESP needs whole packets: %w", ErrFragment)
	case h.ipv6 && (h.protocol == protocolHopByHop || h.protocol == protocolRouting):
		return fmt.Errorf("IPv6 extension header %d has to stay before ESP, none are allowed there: %w", h.protocol, ErrOptions)
	}
	return nil
}

// etherPayload checks that frame carries IP directly and that EtherType and IP
// version agree, and returns the IP packet with whatever follows it.
func etherPayload(frame []byte) ([]byte, error) {
	if len(frame) < ethernetLen {
		return nil, fmt.Errorf("frame has %d bytes, an Ethernet header needs %d: %w", len(frame), ethernetLen, ErrMalformed)
	}
	packet := frame[ethernetLen:]
	var version byte
	switch t := binary.BigEndian.Uint16(frame[etherTypeOff:]); t {
	case etherTypeIPv4:
		version = 4
	case etherTypeIPv6:
		version = 6
	case etherTypeVLAN, etherTypeQinQ:
		return nil, fmt.Errorf("frame has a VLAN tag (EtherType %#04x), only untagged frames are allowed: %w", t, ErrNotIP)
	default:
		return nil, fmt.Errorf("EtherType is %#04x, IPv4 (0x0800) and IPv6 (0x86dd) are allowed: %w", t, ErrNotIP)
	}
	if len(packet) > 0 && packet[0]>>4 != version {
		return nil, fmt.Errorf("EtherType says IPv%d, the packet IPv%d: %w", version, packet[0]>>4, ErrMalformed)
	}
	return packet, nil
}

// ipv4HeaderChecksum is the Internet checksum (RFC 1071) of a header whose
// checksum field is skipped.
func ipv4HeaderChecksum(header []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(header); i += 2 {
		if i != ipv4Checksum {
			sum += uint32(binary.BigEndian.Uint16(header[i:]))
		}
	}
	sum = sum&0xFFFF + sum>>16
	sum = sum&0xFFFF + sum>>16
	return ^uint16(sum)
}

// setIPv4 rewrites length, protocol and checksum of a 20-byte header.
func setIPv4(header []byte, length int, protocol uint8) {
	binary.BigEndian.PutUint16(header[ipv4Length:], uint16(length))
	header[ipv4Protocol] = protocol
	binary.BigEndian.PutUint16(header[ipv4Checksum:], ipv4HeaderChecksum(header[:ipv4Len]))
}

// setIPv6 rewrites payload length and next header.
func setIPv6(header []byte, length int, nextHeader uint8) {
	binary.BigEndian.PutUint16(header[ipv6PayloadLength:], uint16(length-ipv6Len))
	header[ipv6NextHeader] = nextHeader
}
