// SPDX-License-Identifier: Apache-2.0

package wireport

import "encoding/binary"

// virtioHeaderSize is the bytes of struct virtio_net_hdr, which goes before each
// packet of a packet socket with PACKET_VNET_HDR.
const virtioHeaderSize = 10

// Values of struct virtio_net_hdr (virtio 1.2, section 5.1.6).
const (
	virtioNeedsChecksum = 1

	gsoTCP4 = 1
	gsoTCP6 = 4
	gsoUDP  = 5 // UDP datagrams, each with its own header
	gsoECN  = 0x80
)

// virtioHeader says what the kernel has left to hardware.
type virtioHeader struct {
	checksum bool // the checksum from start on is to be put at start+offset
	gso      uint8
	size     int // bytes of payload for each segment
	start    int
	offset   int
}

func parseVirtioHeader(b *[virtioHeaderSize]byte) virtioHeader {
	return virtioHeader{
		checksum: b[0]&virtioNeedsChecksum != 0,
		gso:      b[1],
		size:     int(binary.NativeEndian.Uint16(b[4:])),
		start:    int(binary.NativeEndian.Uint16(b[6:])),
		offset:   int(binary.NativeEndian.Uint16(b[8:])),
	}
}

// complete writes the checksum that the sender has left out. It returns false
// if header and packet contradict each other.
func (h virtioHeader) complete(packet []byte) bool {
	if !h.checksum {
		return true
	}
	if h.start < 0 || h.offset < 0 || h.start+h.offset+2 > len(packet) {
		return false
	}
	// The field holds the sum of the pseudo-header already.
	putChecksum(packet[h.start:], h.offset, 0)
	return true
}

// putChecksum writes the Internet checksum (RFC 1071) of b, whose sum begins
// with first, to b[offset:]. A sum of zero is sent as ones, which means the same
// to TCP and is what UDP demands.
func putChecksum(b []byte, offset int, first uint32) {
	sum := ^fold(addWords(first, b))
	if sum == 0 {
		sum = 0xFFFF
	}
	binary.BigEndian.PutUint16(b[offset:], sum)
}

// addWords adds b as big-endian 16-bit words. Sums of up to 2^16 words fit.
func addWords(sum uint32, b []byte) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	return sum
}

func fold(sum uint32) uint16 {
	sum = sum&0xFFFF + sum>>16
	sum = sum&0xFFFF + sum>>16
	return uint16(sum)
}

// Fields of the headers that change from segment to segment.
const (
	ipv4IDOffset       = 4
	ipv4ChecksumOffset = 10
	tcpSeqOffset       = 4
	tcpDataOffset      = 12
	tcpFlagsOffset     = 13
	tcpChecksumOffset  = 16
	udpLengthOffset    = 4
	udpChecksumOffset  = 6

	tcpFIN, tcpPSH, tcpCWR = 0x01, 0x08, 0x80

	protocolTCP, protocolUDP = 6, 17
)

// segmenter cuts a merged packet into the frames that hardware would make of it
// (TCP and UDP segmentation).
type segmenter struct {
	packet   []byte // nil: nothing left
	network  int    // offset of the IP header
	l4       int    // offset of the TCP or UDP header
	payload  int    // offset of the payload
	size     int    // bytes of payload per segment
	at       int    // bytes of payload given out
	number   int
	ipv6     bool
	protocol uint8
}

func (s *segmenter) more() bool { return s.packet != nil }

// start begins with a packet, which must stay until the last segment is out. It
// returns false for what cannot be cut.
func (s *segmenter) start(packet []byte, h virtioHeader) bool {
	*s = segmenter{network: 14, l4: h.start, size: h.size, protocol: protocolTCP}
	switch h.gso &^ gsoECN {
	case gsoTCP4:
	case gsoTCP6:
		s.ipv6 = true
	case gsoUDP:
		s.protocol = protocolUDP
	default:
		return false
	}
	if len(packet) < MinFrame {
		return false
	}
	for t := binary.BigEndian.Uint16(packet[s.network-2:]); t == 0x8100 || t == 0x88A8; {
		if s.network += vlanTagLen; s.network > len(packet) {
			return false
		}
		t = binary.BigEndian.Uint16(packet[s.network-2:])
	}
	if s.network >= len(packet) {
		return false
	}
	version := packet[s.network] >> 4
	if s.protocol == protocolUDP {
		s.ipv6 = version == 6
	}
	if want := map[bool]uint8{false: 4, true: 6}[s.ipv6]; version != want {
		return false
	}
	ipLen := 20
	if s.ipv6 {
		ipLen = 40
	}
	if s.size == 0 || s.l4 < s.network+ipLen || s.l4+8 > len(packet) {
		return false
	}
	s.payload = s.l4 + 8
	if s.protocol == protocolTCP {
		if s.l4+20 > len(packet) {
			return false
		}
		s.payload = s.l4 + int(packet[s.l4+tcpDataOffset]>>4)*4
		if s.payload < s.l4+20 {
			return false
		}
	}
	if s.payload >= len(packet) || s.payload+s.size > MaxFrame {
		return false
	}
	s.packet = packet
	return true
}

// vlanTagLen is the bytes of a VLAN tag.
const vlanTagLen = 4

// next writes the next segment to frame and returns its length; ok is false if
// it does not fit.
func (s *segmenter) next(frame []byte) (length int, ok bool) {
	n := min(s.size, len(s.packet)-s.payload-s.at)
	length = s.payload + n
	if ok = length <= len(frame); ok {
		frame = frame[:length]
		copy(frame, s.packet[:s.payload])
		copy(frame[s.payload:], s.packet[s.payload+s.at:][:n])
		s.fix(frame, s.payload+s.at+n == len(s.packet))
	}
	s.at += n
	s.number++
	if s.payload+s.at >= len(s.packet) {
		s.packet = nil
	}
	return length, ok
}

// fix writes what differs between the segments' headers.
func (s *segmenter) fix(frame []byte, last bool) {
	ip, l4 := frame[s.network:], frame[s.l4:]
	if s.ipv6 {
		binary.BigEndian.PutUint16(ip[4:], uint16(len(ip)-40))
	} else {
		header := ip[:s.l4-s.network]
		binary.BigEndian.PutUint16(header[2:], uint16(len(ip)))
		binary.BigEndian.PutUint16(header[ipv4IDOffset:], binary.BigEndian.Uint16(header[ipv4IDOffset:])+uint16(s.number))
		binary.BigEndian.PutUint16(header[ipv4ChecksumOffset:], 0)
		binary.BigEndian.PutUint16(header[ipv4ChecksumOffset:], ^fold(addWords(0, header)))
	}
	checksum := udpChecksumOffset
	if s.protocol == protocolTCP {
		checksum = tcpChecksumOffset
		binary.BigEndian.PutUint32(l4[tcpSeqOffset:], binary.BigEndian.Uint32(l4[tcpSeqOffset:])+uint32(s.at))
		if !last {
			l4[tcpFlagsOffset] &^= tcpFIN | tcpPSH
		}
		if s.number > 0 {
			l4[tcpFlagsOffset] &^= tcpCWR
		}
	} else {
		binary.BigEndian.PutUint16(l4[udpLengthOffset:], uint16(len(l4)))
	}
	binary.BigEndian.PutUint16(l4[checksum:], 0)
	addresses := ip[12:20]
	if s.ipv6 {
		addresses = ip[8:40]
	}
	putChecksum(l4, checksum, addWords(uint32(s.protocol)+uint32(len(l4)), addresses))
}
