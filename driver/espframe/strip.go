// SPDX-License-Identifier: Apache-2.0

package espframe

import (
	"encoding/binary"
	"fmt"
)

// Trailer is what the NIC reports of the ESP trailer: the receive words
// NextHeader and PadLength, valid when it set HeaderInfoSet.
type Trailer struct {
	NextHeader uint8
	PadLength  uint8
}

// Plain describes a stripped packet.
type Plain struct {
	// Length is the frame's length in bytes, Ethernet header to the last byte
	// of the IP packet.
	Length int
	// SPI and Sequence are the ESP header's, for the replay check, which is
	// the host's. Only the lower 32 bits of a sequence number are sent.
	SPI      uint32
	Sequence uint32
}

// Strip takes ESP off a received Ethernet frame that the NIC has verified and
// decrypted in place, and writes the plain frame to dst, which must not overlap
// it. mode is the SA's. Ethernet padding after the ESP packet and traffic-flow
// padding after a tunnelled packet are dropped. dst never needs more room than
// the frame has.
//
// In tunnel mode the outer ECN field is merged into the inner packet (RFC 6040,
// section 4.2). Frames that Frame made come back as they were.
func Strip(dst, frame []byte, mode Mode, trailer Trailer) (Plain, error) {
	plain, err := strip(dst, frame, mode, trailer)
	if err != nil {
		return Plain{}, fmt.Errorf("strip ESP: %w", err)
	}
	return plain, nil
}

func strip(dst, frame []byte, mode Mode, trailer Trailer) (Plain, error) {
	packet, err := etherPayload(frame)
	if err != nil {
		return Plain{}, err
	}
	ip, err := parseIP(packet)
	if err != nil {
		return Plain{}, err
	}
	if err := ip.checkBeforeESP(); err != nil {
		return Plain{}, err
	}
	if ip.protocol != protocolESP {
		return Plain{}, fmt.Errorf("IP protocol is %d, ESP is %d: %w", ip.protocol, protocolESP, ErrMalformed)
	}
	esp := packet[ip.headerLen:ip.length]
	payload, err := checkTrailer(esp, trailer)
	if err != nil {
		return Plain{}, err
	}
	plain := Plain{SPI: binary.BigEndian.Uint32(esp), Sequence: binary.BigEndian.Uint32(esp[4:])}
	if trailer.NextHeader == protocolDummy {
		return Plain{}, fmt.Errorf("packet %d of SPI %#08x: %w", plain.Sequence, plain.SPI, ErrDummy)
	}
	switch mode {
	case Transport:
		plain.Length, err = stripTransport(dst, frame, ip, payload, trailer.NextHeader)
	case Tunnel:
		plain.Length, err = stripTunnel(dst, frame, ip, payload, trailer.NextHeader)
	default:
		err = fmt.Errorf("%v is neither transport nor tunnel: %w", mode, ErrConfig)
	}
	if err != nil {
		return Plain{}, err
	}
	return plain, nil
}

// checkTrailer returns the payload of a decrypted ESP packet. The reported
// words must be those in the packet: a NIC that reports others has decrypted
// something else.
func checkTrailer(esp []byte, trailer Trailer) ([]byte, error) {
	encrypted := len(esp) - HeaderLen - IVLen - ICVLen
	if encrypted < 4 || encrypted%4 != 0 {
		return nil, fmt.Errorf("ESP packet has %d encrypted bytes, multiples of 4 from 4 are allowed: %w", encrypted, ErrMalformed)
	}
	body := esp[HeaderLen+IVLen : HeaderLen+IVLen+encrypted]
	if pad, next := body[encrypted-2], body[encrypted-1]; pad != trailer.PadLength || next != trailer.NextHeader {
		return nil, fmt.Errorf("reported Pad Length %d and Next Header %d, the packet has %d and %d: %w",
			trailer.PadLength, trailer.NextHeader, pad, next, ErrTrailer)
	}
	payload := encrypted - trailerLen - int(trailer.PadLength)
	if payload < 0 {
		return nil, fmt.Errorf("trailer has Pad Length %d, at most %d fits the packet: %w", trailer.PadLength, encrypted-trailerLen, ErrTrailer)
	}
	return body[:payload], nil
}

func stripTransport(dst, frame []byte, ip ipHeader, payload []byte, nextHeader uint8) (int, error) {
	headers := ethernetLen + ip.headerLen
	length := headers + len(payload)
	if length > len(dst) {
		return 0, fmt.Errorf("plain frame has %d bytes, the buffer %d: %w", length, len(dst), ErrShortBuffer)
	}
	copy(dst, frame[:headers])
	copy(dst[headers:], payload)
	if header := dst[ethernetLen:headers]; ip.ipv6 {
		setIPv6(header, length-ethernetLen, nextHeader)
	} else {
		setIPv4(header, length-ethernetLen, nextHeader)
	}
	return length, nil
}

func stripTunnel(dst, frame []byte, outer ipHeader, payload []byte, nextHeader uint8) (int, error) {
	if nextHeader != protocolIPv4 && nextHeader != protocolIPv6 {
		return 0, fmt.Errorf("trailer has Next Header %d, %d and %d are allowed in tunnel mode: %w", nextHeader, protocolIPv4, protocolIPv6, ErrTrailer)
	}
	inner, err := parseIP(payload)
	if err != nil {
		return 0, fmt.Errorf("tunnelled packet: %w", err)
	}
	if inner.ipv6 != (nextHeader == protocolIPv6) {
		return 0, fmt.Errorf("trailer has Next Header %d, the tunnelled packet is of the other IP version: %w", nextHeader, ErrTrailer)
	}
	length := ethernetLen + inner.length
	if length > len(dst) {
		return 0, fmt.Errorf("plain frame has %d bytes, the buffer %d: %w", length, len(dst), ErrShortBuffer)
	}
	copy(dst, frame[:etherTypeOff])
	copy(dst[ethernetLen:], payload[:inner.length])
	etherType := uint16(etherTypeIPv4)
	if inner.ipv6 {
		etherType = etherTypeIPv6
	}
	binary.BigEndian.PutUint16(dst[etherTypeOff:], etherType)
	if err := mergeECN(dst[ethernetLen:], inner, outer.tos); err != nil {
		return 0, err
	}
	return length, nil
}
