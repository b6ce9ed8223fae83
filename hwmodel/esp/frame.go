// SPDX-License-Identifier: Apache-2.0

package esp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// ErrDummy is returned for a packet whose Next Header is 59 (no next header):
// a dummy that traffic flow confidentiality sends and that a receiver discards
// (RFC 4303 section 2.6).
var ErrDummy = errors.New("dummy packet (next header 59) carries nothing")

// FrameOptions are the choices RFC 4303 leaves to whoever frames a packet.
type FrameOptions struct {
	// Sequence is the sequence number; without ESN only its lower half counts.
	Sequence uint64
	// ExtraPad is padding beyond the least that alignment needs, a multiple of
	// 4; Pad Length stays at most 255.
	ExtraPad int
	// TTL is the outer header's TTL or hop limit in tunnel mode, 0 means 64.
	TTL uint8
	// ID is the outer IPv4 header's identification in tunnel mode.
	ID uint16
}

// datagram is the IP packet of an Ethernet frame, without Ethernet padding.
type datagram struct {
	bytes      []byte
	ipv6       bool
	headers    int // length of what stays in front of ESP in transport mode
	protoAt    int // offset of the protocol or next header field that names what follows headers
	fragmented bool
}

// parseDatagram finds the IP packet of frame.
func parseDatagram(frame []byte) (d datagram, err error) {
	if len(frame) < ethernetHeaderLen {
		return d, fmt.Errorf("frame of %d bytes is shorter than an Ethernet header", len(frame))
	}
	ip := frame[ethernetHeaderLen:]
	length := 0
	switch etherType := binary.BigEndian.Uint16(frame[12:14]); etherType {
	case etherTypeIPv4:
		if len(ip) < ipv4HeaderLen {
			return d, fmt.Errorf("frame ends inside the IPv4 header")
		}
		d.headers, d.protoAt = int(ip[0]&0x0F)*4, 9
		length = int(binary.BigEndian.Uint16(ip[2:4]))
		d.fragmented = binary.BigEndian.Uint16(ip[6:8])&0x3FFF != 0
		if ip[0]>>4 != 4 || d.headers < ipv4HeaderLen || length < d.headers {
			return d, fmt.Errorf("IPv4 header with version %d, header length %d and total length %d is impossible", ip[0]>>4, d.headers, length)
		}
	case etherTypeIPv6:
		d.ipv6 = true
		if len(ip) < ipv6HeaderLen {
			return d, fmt.Errorf("frame ends inside the IPv6 header")
		}
		if ip[0]>>4 != 6 {
			return d, fmt.Errorf("IPv6 header has version %d", ip[0]>>4)
		}
		d.headers, d.protoAt = ipv6HeaderLen, 6
		length = ipv6HeaderLen + int(binary.BigEndian.Uint16(ip[4:6]))
	default:
		return d, fmt.Errorf("EtherType %#04x is neither IPv4 nor IPv6", etherType)
	}
	if length > len(ip) {
		return d, fmt.Errorf("IP packet of %d bytes in a frame that holds %d", length, len(ip))
	}
	d.bytes = ip[:length]
	if d.ipv6 {
		return d, d.skipExtensions()
	}
	return d, nil
}

// skipExtensions moves headers behind the IPv6 extension headers that are for
// nodes on the way and therefore precede ESP (RFC 4303 section 3.1.1).
func (d *datagram) skipExtensions() error {
	for {
		next := d.bytes[d.protoAt]
		if next != protocolHopByHop && next != protocolRouting && next != protocolFragment {
			return nil
		}
		if d.headers+8 > len(d.bytes) {
			return fmt.Errorf("IPv6 packet ends inside extension header %d", next)
		}
		length := 8
		if next == protocolFragment {
			d.fragmented = true
		} else {
			length += int(d.bytes[d.headers+1]) * 8
		}
		if d.headers+length > len(d.bytes) {
			return fmt.Errorf("IPv6 packet ends inside extension header %d", next)
		}
		d.protoAt, d.headers = d.headers, d.headers+length
	}
}

// Frame appends to dst the frame that a host hands to a NIC for the packet in
// frame: everything in place but the IV, the encryption and the ICV, whose
// rooms are zero. It returns the extended slice and the ESP header's offset,
// counted from the beginning of the new frame. Ethernet padding is not carried
// over. In transport mode whole datagrams only; in tunnel mode addresses come
// from the SA and must be specified.
func (sa *SA) Frame(dst, frame []byte, o FrameOptions) ([]byte, int, error) {
	d, err := parseDatagram(frame)
	if err != nil {
		return dst, 0, err
	}
	kept, body, nextHeader := d.bytes[:d.headers], d.bytes[d.headers:], d.bytes[d.protoAt]
	if sa.tunnel {
		kept, body, nextHeader = nil, d.bytes, ProtocolIPv4
		if d.ipv6 {
			nextHeader = ProtocolIPv6
		}
		if sa.dst.IsUnspecified() || sa.src.IsUnspecified() {
			return dst, 0, fmt.Errorf("tunnel %s -> %s has an unspecified end", sa.src, sa.dst)
		}
	} else {
		if d.fragmented {
			return dst, 0, fmt.Errorf("IP fragment in transport mode, ESP protects whole datagrams only")
		}
		if d.ipv6 != sa.dst.Is6() {
			return dst, 0, fmt.Errorf("packet and SA %s differ in IP version", sa.dst)
		}
	}
	pad := -(len(body) + TrailerLen) & (PayloadUnit - 1)
	if o.ExtraPad < 0 || o.ExtraPad%PayloadUnit != 0 || pad+o.ExtraPad > 255 {
		return dst, 0, fmt.Errorf("extra padding of %d bytes, multiples of %d that keep Pad Length at most 255 are allowed", o.ExtraPad, PayloadUnit)
	}
	pad += o.ExtraPad

	base := len(dst)
	dst = append(dst, frame[:ethernetHeaderLen]...)
	espLen := Overhead + len(body) + pad + TrailerLen
	if sa.tunnel {
		if dst, err = sa.appendOuter(dst, base, d, espLen, o); err != nil {
			return dst[:base], 0, err
		}
	} else {
		if len(kept)+espLen > maxIPLength(d.ipv6) {
			return dst[:base], 0, fmt.Errorf("packet of %d bytes is too long for ESP", len(d.bytes))
		}
		dst = append(dst, kept...)
		ip := dst[base+ethernetHeaderLen:]
		ip[d.protoAt] = ProtocolESP
		setIPLength(ip, d.ipv6, len(kept)+espLen)
	}
	offset := len(dst) - base
	dst = binary.BigEndian.AppendUint32(dst, sa.spi)
	dst = binary.BigEndian.AppendUint32(dst, uint32(o.Sequence))
	dst = append(dst, make([]byte, IVLen)...)
	dst = append(dst, body...)
	for i := range pad {
		dst = append(dst, byte(i+1)) // RFC 4303 section 2.4
	}
	dst = append(dst, byte(pad), nextHeader)
	dst = append(dst, make([]byte, ICVLen)...)
	return dst, offset, nil
}

// Encapsulate appends the complete ESP frame as a correct sender puts it on the
// wire: Frame, then SealInPlace.
func (sa *SA) Encapsulate(dst, frame []byte, o FrameOptions) ([]byte, error) {
	base := len(dst)
	dst, offset, err := sa.Frame(dst, frame, o)
	if err != nil {
		return dst, err
	}
	if err := sa.SealInPlace(dst[base:], offset, uint32(o.Sequence>>32)); err != nil {
		return dst[:base], err
	}
	return dst, nil
}

// Strip appends the original frame, given a frame as delivered by a NIC that
// decrypted it and the verdict: ESP header, IV, trailer and ICV go, and in
// tunnel mode the outer IP header. Length, protocol and IPv4 checksum are
// restored. Padding is checked (RFC 4303 section 2.4).
func Strip(dst, frame []byte, v Verdict) ([]byte, error) {
	if v.Class != Decrypted {
		return dst, fmt.Errorf("frame is not decrypted: %s", v.Class)
	}
	if v.NextHeader == ProtocolNoNext {
		return dst, ErrDummy
	}
	payload := frame[v.Offset+HeaderLen+IVLen:][:v.Payload]
	body := payload[:len(payload)-TrailerLen-int(v.PadLength)]
	for i, b := range payload[len(body) : len(payload)-TrailerLen] {
		if b != byte(i+1) {
			return dst, fmt.Errorf("padding byte %d is %#02x, %#02x is right", i, b, i+1)
		}
	}
	if v.SA.tunnel {
		etherType := uint16(etherTypeIPv4)
		switch v.NextHeader {
		case ProtocolIPv4:
		case ProtocolIPv6:
			etherType = etherTypeIPv6
		default:
			return dst, fmt.Errorf("tunnel carries next header %d, 4 (IPv4) and 41 (IPv6) are right", v.NextHeader)
		}
		dst = append(dst, frame[:12]...)
		dst = binary.BigEndian.AppendUint16(dst, etherType)
		return append(dst, body...), nil
	}
	base := len(dst)
	dst = append(dst, frame[:v.Offset]...)
	ip := dst[base+ethernetHeaderLen:]
	ipv6 := binary.BigEndian.Uint16(frame[12:14]) == etherTypeIPv6
	if ipv6 {
		ip[6] = v.NextHeader
	} else {
		ip[9] = v.NextHeader
	}
	setIPLength(ip, ipv6, len(ip)+len(body))
	return append(dst, body...), nil
}

// Decapsulate appends the original frame that a correct receiver obtains from a
// frame on the wire. Every verdict but Decrypted is an error.
func Decapsulate(dst, frame []byte, lookup Lookup) ([]byte, Verdict, error) {
	plain, v := Open(nil, frame, lookup)
	dst, err := Strip(dst, plain, v)
	return dst, v, err
}

// appendOuter appends a tunnel's IP header; its DSCP and ECN are the inner
// header's and IPv4's DF is copied where there is one (RFC 4301 section 5.1.2).
func (sa *SA) appendOuter(dst []byte, base int, inner datagram, espLen int, o FrameOptions) ([]byte, error) {
	ipv6 := sa.dst.Is6()
	if room := maxIPLength(ipv6) - outerHeaderLen(ipv6); espLen > room {
		return dst, fmt.Errorf("packet of %d bytes is too long for an ESP tunnel", len(inner.bytes))
	}
	ttl := o.TTL
	if ttl == 0 {
		ttl = 64
	}
	class, dontFragment := inner.bytes[1], byte(0)
	if inner.ipv6 {
		class = inner.bytes[0]<<4 | inner.bytes[1]>>4
	} else {
		dontFragment = inner.bytes[6] & 0x40
	}
	dst = slices.Grow(dst, ipv6HeaderLen)
	at := len(dst)
	if ipv6 {
		binary.BigEndian.PutUint16(dst[base+12:], etherTypeIPv6)
		src, to := sa.src.As16(), sa.dst.As16()
		dst = append(dst, 6<<4|class>>4, class<<4, 0, 0, byte(espLen>>8), byte(espLen), ProtocolESP, ttl)
		dst = append(dst, src[:]...)
		return append(dst, to[:]...), nil
	}
	binary.BigEndian.PutUint16(dst[base+12:], etherTypeIPv4)
	src, to := sa.src.As4(), sa.dst.As4()
	dst = append(dst, 4<<4|5, class, 0, 0, byte(o.ID>>8), byte(o.ID), dontFragment, 0, ttl, ProtocolESP, 0, 0)
	dst = append(dst, src[:]...)
	dst = append(dst, to[:]...)
	setIPLength(dst[at:], false, ipv4HeaderLen+espLen)
	return dst, nil
}

func outerHeaderLen(ipv6 bool) int {
	if ipv6 {
		return ipv6HeaderLen
	}
	return ipv4HeaderLen
}

// maxIPLength is the longest IP packet, header included.
func maxIPLength(ipv6 bool) int {
	if ipv6 {
		return ipv6HeaderLen + 1<<16 - 1
	}
	return 1<<16 - 1
}

// setIPLength writes the length field for an IP packet of total bytes, header
// included, and the IPv4 header checksum.
func setIPLength(ip []byte, ipv6 bool, total int) {
	if ipv6 {
		binary.BigEndian.PutUint16(ip[4:6], uint16(total-ipv6HeaderLen))
		return
	}
	binary.BigEndian.PutUint16(ip[2:4], uint16(total))
	header := ip[:int(ip[0]&0x0F)*4]
	header[10], header[11] = 0, 0
	sum := uint32(0)
	for i := 0; i < len(header); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(header[i:]))
	}
	for sum>>16 != 0 {
		sum = sum&0xFFFF + sum>>16
	}
	binary.BigEndian.PutUint16(header[10:], ^uint16(sum))
}
