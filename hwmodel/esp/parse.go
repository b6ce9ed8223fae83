// SPDX-License-Identifier: Apache-2.0

package esp

import "encoding/binary"

// Selector is what an inbound SA is looked up by.
type Selector struct {
	SPI uint32
	// IPv6 says which IP version carried the packet.
	IPv6 bool
	// Dst and Src are the addresses of the IP header; IPv4 addresses fill the
	// first four bytes, the rest is 0.
	Dst, Src [16]byte
}

// location is where a frame's ESP packet lies.
type location struct {
	selector Selector
	offset   int // of the ESP header in the frame
	length   int // of the ESP packet by the IP header's length field; may be impossible, even negative
}

// locate finds the ESP packet in a frame. It reports false for every frame that the
// NIC passes untouched without looking for an SA: not IPv4 or IPv6, an IPv4
// header with options or of another version, a fragment, another protocol, or
// a frame that ends before the ESP header does.
func (l *location) locate(frame []byte) bool {
	*l = location{}
	if len(frame) < ethernetHeaderLen {
		return false
	}
	ip := frame[ethernetHeaderLen:]
	switch binary.BigEndian.Uint16(frame[12:14]) {
	case etherTypeIPv4:
		if len(ip) < ipv4HeaderLen+HeaderLen || ip[0] != 4<<4|5 || ip[9] != ProtocolESP {
			return false
		}
		const moreFragments, fragmentOffset = 0x2000, 0x1FFF
		if binary.BigEndian.Uint16(ip[6:8])&(moreFragments|fragmentOffset) != 0 {
			return false
		}
		copy(l.selector.Src[:4], ip[12:16])
		copy(l.selector.Dst[:4], ip[16:20])
		l.offset = ethernetHeaderLen + ipv4HeaderLen
		l.length = int(binary.BigEndian.Uint16(ip[2:4])) - ipv4HeaderLen
	case etherTypeIPv6:
		if len(ip) < ipv6HeaderLen+HeaderLen || ip[6] != ProtocolESP {
			return false
		}
		l.selector.IPv6 = true
		copy(l.selector.Src[:], ip[8:24])
		copy(l.selector.Dst[:], ip[24:40])
		l.offset = ethernetHeaderLen + ipv6HeaderLen
		l.length = int(binary.BigEndian.Uint16(ip[4:6]))
	default:
		return false
	}
	l.selector.SPI = SPI(frame[l.offset:])
	return true
}
