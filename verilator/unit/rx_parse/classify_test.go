// SPDX-License-Identifier: Apache-2.0

package rxparse

import "encoding/binary"

// class is what the unit makes of a frame (espalier_pkg, RX_*).
type class int

const (
	untouched class = iota
	noSA
	withSA
	badLength
)

// lookup is what an SA is found by.
type lookup struct {
	spi      uint32
	dst, src [16]byte
	ipv6     bool
}

// verdict is what docs/nic-contract.md ("Receiving") says about a frame up to
// the SA lookup.
type verdict struct {
	// bad: flagged by the MAC, longer than maxFrame or shorter than 14.
	bad bool
	// esp: the lookup is made; else the frame is untouched.
	esp    bool
	key    lookup
	offset int
	// possible: the IP length leaves P >= 4, a multiple of 4, and is not more
	// than any frame can hold. A frame that ends before its ICV is noticed
	// later, by espalier_crypt.
	possible bool
	p        int
}

func classify(frame []byte, flagged bool, maxFrame int) verdict {
	v := verdict{bad: flagged || len(frame) > maxFrame || len(frame) < 14}
	if len(frame) < 14+20+8 {
		return v
	}
	ip := frame[14:]
	header, packet := 0, 0
	switch binary.BigEndian.Uint16(frame[12:]) {
	case 0x0800:
		fragment := binary.BigEndian.Uint16(ip[6:])
		if ip[0]>>4 != 4 || ip[0]&15 != 5 || fragment&0x2000 != 0 || fragment&0x1FFF != 0 || ip[9] != 50 {
			return v
		}
		header, packet = 20, int(binary.BigEndian.Uint16(ip[2:]))-20
		copy(v.key.src[:], ip[12:16])
		copy(v.key.dst[:], ip[16:20])
	case 0x86DD:
		if len(ip) < 40+8 || ip[6] != 50 {
			return v
		}
		header, packet = 40, int(binary.BigEndian.Uint16(ip[4:]))
		copy(v.key.src[:], ip[8:24])
		copy(v.key.dst[:], ip[24:40])
		v.key.ipv6 = true
	default:
		return v
	}
	v.esp = true
	v.offset = 14 + header
	v.key.spi = binary.BigEndian.Uint32(frame[v.offset:])
	v.p = packet - 32
	v.possible = v.p >= 4 && v.p%4 == 0 && v.offset+packet <= maxFrame
	return v
}
