// SPDX-License-Identifier: Apache-2.0

package espframe

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"sync/atomic"
)

// Lengths in bytes of the parts that ESP with AES-GCM adds (RFC 4303, RFC 4106).
const (
	// HeaderLen is the ESP header: SPI and sequence number.
	HeaderLen = 8
	// IVLen is the explicit IV, which the NIC writes.
	IVLen = 8
	// ICVLen is the ICV, which the NIC writes.
	ICVLen = 16
	// trailerLen is Pad Length and Next Header.
	trailerLen = 2

	// DefaultMTU is the MTU of a Config that gives none.
	DefaultMTU = 1500
	// DefaultHopLimit is the TTL or hop limit of outer headers of a Config
	// that gives none.
	DefaultHopLimit = 64

	maxIPLen  = math.MaxUint16
	maxPadLen = math.MaxUint8
)

// Mode says what ESP protects.
type Mode uint8

// The two modes of RFC 4301, section 4.1.
const (
	// Transport protects the payload of the packet's own IP header.
	Transport Mode = iota
	// Tunnel protects the whole packet behind a new IP header.
	Tunnel
)

// String returns the standard's word.
func (m Mode) String() string {
	switch m {
	case Transport:
		return "transport"
	case Tunnel:
		return "tunnel"
	}
	return fmt.Sprintf("mode %d", uint8(m))
}

// DontFragment says how the DF bit of an outer IPv4 header is set (RFC 4301,
// section 8.1).
type DontFragment uint8

// Ways to set the DF bit.
const (
	CopyDF  DontFragment = iota // as in the inner header; set for inner IPv6
	SetDF                       // always 1
	ClearDF                     // always 0
)

// Config says how the packets of one outbound SA are framed. It holds no key.
type Config struct {
	// SPI is the SA's SPI, not 0. Values 1 to 255 are reserved by IANA and
	// accepted.
	SPI uint32
	// Mode is transport or tunnel.
	Mode Mode
	// ESN selects 64-bit sequence numbers.
	ESN bool
	// LastSequence is the last sequence number already used; 0 for a new SA,
	// whose first packet then has 1.
	LastSequence uint64
	// MTU is the longest IP packet in bytes that a framed packet may be, 0 for
	// DefaultMTU, at most 65535.
	MTU int
	// Align is what the encrypted part (payload, padding, Pad Length, Next
	// Header) is padded to a multiple of: 4, 8, 16, ... 128. 0 means 4, the
	// least that RFC 4303 allows.
	Align int

	// The rest is for tunnel mode.

	// Src and Dst are the tunnel's endpoints, both IPv4 or both IPv6.
	Src, Dst netip.Addr
	// HopLimit is the outer TTL or hop limit; 0 for DefaultHopLimit.
	HopLimit uint8
	// FixedDSCP uses DSCP (0 to 63) for outer headers; otherwise the inner
	// packet's is copied. ECN is always copied (RFC 6040, normal mode).
	FixedDSCP bool
	DSCP      uint8
	// DF says how the outer DF bit is set when the tunnel is IPv4.
	DF DontFragment
}

// Info describes a framed packet.
type Info struct {
	// Length is the frame's length in bytes, Ethernet header to ICV.
	Length int
	// ESPOffset is the offset of the ESP header in the frame, in bytes.
	ESPOffset int
	// Sequence is the packet's sequence number; only its lower 32 bits are in
	// the packet. Its bit 32 is what a descriptor's ESN_LSB wants.
	Sequence uint64
}

// Framer frames packets for one outbound SA. Its methods may be called from
// several goroutines at once; each packet gets its own sequence number.
type Framer struct {
	cfg      Config
	outerLen int      // bytes of the outer header, tunnel mode
	src, dst [16]byte // outer addresses, first 4 bytes for IPv4
	limit    uint64   // last sequence number that may be used
	last     atomic.Uint64
}

// New checks cfg and returns a framer. Errors wrap ErrConfig.
func New(cfg Config) (*Framer, error) {
	if cfg.MTU == 0 {
		cfg.MTU = DefaultMTU
	}
	if cfg.Align == 0 {
		cfg.Align = 4
	}
	if cfg.HopLimit == 0 {
		cfg.HopLimit = DefaultHopLimit
	}
	f := &Framer{cfg: cfg, limit: math.MaxUint32}
	if cfg.ESN {
		f.limit = math.MaxUint64
	}
	switch {
	case cfg.SPI == 0:
		return nil, fmt.Errorf("SPI is 0, which RFC 4303 reserves: %w", ErrConfig)
	case cfg.LastSequence > f.limit:
		return nil, fmt.Errorf("last sequence number is %d, at most %d is allowed without ESN: %w", cfg.LastSequence, f.limit, ErrConfig)
	case cfg.MTU < 0 || cfg.MTU > maxIPLen:
		return nil, fmt.Errorf("MTU is %d, 1 to %d bytes are allowed: %w", cfg.MTU, maxIPLen, ErrConfig)
	case cfg.Align < 4 || cfg.Align > 128 || cfg.Align&(cfg.Align-1) != 0:
		return nil, fmt.Errorf("alignment is %d, the powers of two from 4 to 128 are allowed: %w", cfg.Align, ErrConfig)
	case cfg.Mode > Tunnel:
		return nil, fmt.Errorf("%v is neither transport nor tunnel: %w", cfg.Mode, ErrConfig)
	}
	if cfg.Mode == Tunnel {
		if err := f.setEndpoints(); err != nil {
			return nil, err
		}
	}
	f.last.Store(cfg.LastSequence)
	return f, nil
}

// setEndpoints checks the tunnel fields and prepares the outer addresses.
func (f *Framer) setEndpoints() error {
	src, dst := f.cfg.Src.Unmap(), f.cfg.Dst.Unmap()
	switch {
	case !src.IsValid() || !dst.IsValid():
		return fmt.Errorf("tunnel needs a source and a destination address: %w", ErrConfig)
	case src.Is4() != dst.Is4():
		return fmt.Errorf("tunnel source %v and destination %v are of different IP versions: %w", src, dst, ErrConfig)
	case f.cfg.DSCP > 63:
		return fmt.Errorf("DSCP is %d, 0 to 63 are allowed: %w", f.cfg.DSCP, ErrConfig)
	case f.cfg.DF > ClearDF:
		return fmt.Errorf("DF choice is %d, 0 to %d are allowed: %w", f.cfg.DF, ClearDF, ErrConfig)
	}
	if src.Is4() {
		f.outerLen = ipv4Len
		s, d := src.As4(), dst.As4()
		copy(f.src[:], s[:])
		copy(f.dst[:], d[:])
	} else {
		f.outerLen = ipv6Len
		f.src, f.dst = src.As16(), dst.As16()
	}
	return nil
}

// LastSequence returns the sequence number used last.
func (f *Framer) LastSequence() uint64 { return f.last.Load() }

// nextSequence takes the next sequence number, or fails rather than wrap.
func (f *Framer) nextSequence() (uint64, error) {
	for {
		last := f.last.Load()
		if last >= f.limit {
			return 0, fmt.Errorf("SPI %#08x has used sequence number %d, the last one: %w", f.cfg.SPI, last, ErrSequenceExhausted)
		}
		if f.last.CompareAndSwap(last, last+1) {
			return last + 1, nil
		}
	}
}

// padLen is the number of padding bytes after payload bytes of payload.
func (f *Framer) padLen(payload int) int {
	return (f.cfg.Align - (payload+trailerLen)%f.cfg.Align) % f.cfg.Align
}

// Frame frames the plain Ethernet frame (no FCS) into dst, which must not
// overlap it, and says how long the result is. Ethernet padding after the IP
// packet is not carried. A failed call uses up no sequence number.
//
// dst needs room for the frame plus at most 40 (tunnel header) + 32 + 127 bytes.
func (f *Framer) Frame(dst, frame []byte) (Info, error) {
	packet, err := etherPayload(frame)
	if err != nil {
		return Info{}, fmt.Errorf("frame for ESP: %w", err)
	}
	info, err := f.FramePacket(dst, frame[:etherTypeOff], packet)
	if err != nil {
		return Info{}, err
	}
	return info, nil
}

// FramePacket is Frame for an IP packet. link is the two MAC addresses (12
// bytes, destination first) of the Ethernet header to be written.
func (f *Framer) FramePacket(dst, link, packet []byte) (Info, error) {
	info, err := f.frame(dst, link, packet)
	if err != nil {
		return Info{}, fmt.Errorf("frame for ESP: %w", err)
	}
	return info, nil
}

func (f *Framer) frame(dst, link, packet []byte) (Info, error) {
	if len(link) != etherTypeOff {
		return Info{}, fmt.Errorf("link addresses have %d bytes, %d are needed: %w", len(link), etherTypeOff, ErrMalformed)
	}
	ip, err := parseIP(packet)
	if err != nil {
		return Info{}, err
	}
	packet = packet[:ip.length]

	headerLen, payload := f.outerLen, packet
	if f.cfg.Mode == Transport {
		if err := ip.checkBeforeESP(); err != nil {
			return Info{}, err
		}
		if ip.protocol == protocolDummy {
			return Info{}, fmt.Errorf("packet has protocol %d, which would make it a dummy: %w", ip.protocol, ErrDummy)
		}
		if err := checkChecksum(ip, packet); err != nil {
			return Info{}, err
		}
		headerLen, payload = ip.headerLen, packet[ip.headerLen:]
	}
	pad := f.padLen(len(payload))
	length := headerLen + HeaderLen + IVLen + len(payload) + pad + trailerLen + ICVLen
	if length > f.cfg.MTU {
		return Info{}, fmt.Errorf("packet of %d bytes is %d bytes with ESP, the MTU is %d: %w", len(packet), length, f.cfg.MTU, ErrTooLong)
	}
	if total := ethernetLen + length; total > len(dst) {
		return Info{}, fmt.Errorf("framed packet has %d bytes, the buffer %d: %w", total, len(dst), ErrShortBuffer)
	}
	seq, err := f.nextSequence()
	if err != nil {
		return Info{}, err
	}

	dst = dst[:ethernetLen+length]
	copy(dst, link)
	header := dst[ethernetLen : ethernetLen+headerLen]
	if f.cfg.Mode == Tunnel {
		f.putOuter(dst[etherTypeOff:ethernetLen], header, ip, length, seq)
	} else {
		putOwn(dst[etherTypeOff:ethernetLen], header, packet, ip, length)
	}
	nextHeader := ip.protocol
	if f.cfg.Mode == Tunnel {
		nextHeader = protocolIPv4
		if ip.ipv6 {
			nextHeader = protocolIPv6
		}
	}
	f.putESP(dst[ethernetLen+headerLen:], payload, pad, nextHeader, seq)
	return Info{Length: len(dst), ESPOffset: ethernetLen + headerLen, Sequence: seq}, nil
}

// checkChecksum refuses an IPv4 header with a wrong checksum: framing computes
// a new one and would hide the damage from the receiver.
func checkChecksum(ip ipHeader, packet []byte) error {
	if ip.ipv6 {
		return nil
	}
	got, want := binary.BigEndian.Uint16(packet[ipv4Checksum:]), ipv4HeaderChecksum(packet[:ip.headerLen])
	if got != want {
		return fmt.Errorf("IPv4 header checksum is %#04x, the header gives %#04x: %w", got, want, ErrMalformed)
	}
	return nil
}

// putOwn writes the packet's own IP header, changed for transport mode.
func putOwn(etherType, header, packet []byte, ip ipHeader, length int) {
	copy(header, packet)
	if ip.ipv6 {
		binary.BigEndian.PutUint16(etherType, etherTypeIPv6)
		setIPv6(header, length, protocolESP)
	} else {
		binary.BigEndian.PutUint16(etherType, etherTypeIPv4)
		setIPv4(header, length, protocolESP)
	}
}

// putOuter writes the tunnel's IP header (RFC 4301, section 5.1.2).
func (f *Framer) putOuter(etherType, header []byte, inner ipHeader, length int, seq uint64) {
	tos := inner.tos
	if f.cfg.FixedDSCP {
		tos = f.cfg.DSCP<<2 | inner.tos&ecnMask
	}
	clear(header)
	if f.outerLen == ipv6Len {
		binary.BigEndian.PutUint16(etherType, etherTypeIPv6)
		header[0] = 6<<4 | tos>>4
		header[1] = tos << 4
		header[ipv6HopLimit] = f.cfg.HopLimit
		copy(header[ipv6Src:], f.src[:16])
		copy(header[ipv6Dst:], f.dst[:16])
		setIPv6(header, length, protocolESP)
		return
	}
	binary.BigEndian.PutUint16(etherType, etherTypeIPv4)
	header[0] = 4<<4 | ipv4Len/4
	header[ipv4TOS] = tos
	df := f.cfg.DF == SetDF || f.cfg.DF == CopyDF && inner.df
	if df {
		// An atomic datagram; its ID means nothing (RFC 6864, section 4.1).
		binary.BigEndian.PutUint16(header[ipv4Frag:], ipv4DontFragment)
	} else {
		// Routers may fragment it, so IDs must differ between neighbours.
		binary.BigEndian.PutUint16(header[ipv4ID:], uint16(seq))
	}
	header[ipv4TTL] = f.cfg.HopLimit
	copy(header[ipv4Src:], f.src[:4])
	copy(header[ipv4Dst:], f.dst[:4])
	setIPv4(header, length, protocolESP)
}

// putESP writes everything from the SPI to the ICV room. IV and ICV room are
// zero, so that nothing left in the buffer reaches the wire if the NIC fails to
// write them.
func (f *Framer) putESP(esp, payload []byte, pad int, nextHeader uint8, seq uint64) {
	binary.BigEndian.PutUint32(esp, f.cfg.SPI)
	binary.BigEndian.PutUint32(esp[4:], uint32(seq))
	clear(esp[HeaderLen : HeaderLen+IVLen])
	body := esp[HeaderLen+IVLen:]
	copy(body, payload)
	trailer := body[len(payload):]
	for i := range pad {
		trailer[i] = byte(i + 1) // RFC 4303, section 2.4
	}
	trailer[pad] = byte(pad)
	trailer[pad+1] = nextHeader
	clear(trailer[pad+trailerLen:])
}

// FramedLength is the length in bytes of the IP packet that framing makes of a
// packet of length bytes whose own IP header has headerLen bytes (ignored in
// tunnel mode).
func (f *Framer) FramedLength(length, headerLen int) int {
	outer, payload := headerLen, length-headerLen
	if f.cfg.Mode == Tunnel {
		outer, payload = f.outerLen, length
	}
	return outer + HeaderLen + IVLen + payload + f.padLen(payload) + trailerLen + ICVLen
}

// MaxPacket is the length in bytes of the longest IP packet that still fits the
// MTU, for packets whose own IP header has headerLen bytes; 0 if none fits.
func (f *Framer) MaxPacket(headerLen int) int {
	outer, own := headerLen, headerLen
	if f.cfg.Mode == Tunnel {
		outer, own = f.outerLen, 0
	}
	room := f.cfg.MTU - outer - HeaderLen - IVLen - ICVLen
	room -= room % f.cfg.Align // the encrypted part is a multiple of it
	if room < f.cfg.Align {
		return 0
	}
	return own + room - trailerLen
}
