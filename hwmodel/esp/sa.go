// SPDX-License-Identifier: Apache-2.0

package esp

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"io"
	"net/netip"
	"sync"
)

// Params describes a security association. Printing one shows neither key nor
// salt.
type Params struct {
	// SPI is the security parameters index, not 0.
	SPI uint32
	// Dst and Src are the addresses of the outermost IP header. Dst is always
	// set and chooses the IP version; 0.0.0.0 or :: means any destination. Src
	// is of the same version, or unspecified or the zero Addr for any source.
	Dst, Src netip.Addr
	// Inbound SAs are found by lookup, outbound ones are named by the sender.
	Inbound bool
	// Tunnel chooses tunnel mode, else transport mode.
	Tunnel bool
	// ESN chooses 64-bit sequence numbers, of which ESNHi is the upper half.
	ESN   bool
	ESNHi uint32
	// Salt is the implicit part of the nonce (RFC 4106 section 4).
	Salt [SaltLen]byte
	// Key is the AES key: 16, 24 or 32 bytes. It is not retained.
	Key []byte
}

// Format implements fmt.Formatter: it writes what identifies the association,
// and no key material whatever the verb.
func (p Params) Format(f fmt.State, _ rune) {
	direction, mode, esn := "outbound", "transport", ""
	if p.Inbound {
		direction = "inbound"
	}
	if p.Tunnel {
		mode = "tunnel"
	}
	if p.ESN {
		esn = fmt.Sprintf(" ESN upper half %#x", p.ESNHi)
	}
	src := "any"
	if p.Src.IsValid() {
		src = p.Src.String()
	}
	io.WriteString(f, fmt.Sprintf("%s %s SA SPI %#08x %s -> %s AES-GCM-%d%s",
		direction, mode, p.SPI, src, p.Dst, 8*len(p.Key), esn))
}

// SA is a security association ready for use. Its methods may be called from
// several goroutines at once.
type SA struct {
	spi                  uint32
	dst, src             netip.Addr
	inbound, tunnel, esn bool
	esnHi                uint32
	keyBits              int
	aead                 cipher.AEAD
	salt                 [SaltLen]byte
	_                    [0]func() // not comparable: two SAs are never equal by value
}

// NewSA checks p and prepares its keys.
func NewSA(p Params) (*SA, error) {
	switch len(p.Key) {
	case 16, 24, 32:
	default:
		return nil, fmt.Errorf("SA key has %d bytes, allowed are 16, 24 and 32", len(p.Key))
	}
	if p.SPI == 0 {
		return nil, fmt.Errorf("SA SPI is 0, allowed are 1 to %#x", uint32(1<<32-1))
	}
	if !p.Dst.IsValid() {
		return nil, fmt.Errorf("SA destination is missing, an IPv4 or IPv6 address (all zero for any) is needed")
	}
	for _, a := range []struct {
		name string
		addr netip.Addr
	}{{"destination", p.Dst}, {"source", p.Src}} {
		if a.addr.Is4In6() || a.addr.Zone() != "" {
			return nil, fmt.Errorf("SA %s %s is IPv4-mapped or has a zone, a plain IPv4 or IPv6 address is needed", a.name, a.addr)
		}
	}
	if p.Src.IsValid() && p.Src.Is4() != p.Dst.Is4() {
		return nil, fmt.Errorf("SA source %s and destination %s differ in IP version", p.Src, p.Dst)
	}
	if !p.ESN && p.ESNHi != 0 {
		return nil, fmt.Errorf("SA has an upper sequence number half %#x without ESN, 0 is needed", p.ESNHi)
	}
	block, err := aes.NewCipher(p.Key)
	if err != nil {
		return nil, fmt.Errorf("preparing the SA's AES key: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("preparing the SA's GCM: %w", err)
	}
	src := p.Src
	if !src.IsValid() {
		src = netip.IPv4Unspecified()
		if p.Dst.Is6() {
			src = netip.IPv6Unspecified()
		}
	}
	return &SA{
		spi: p.SPI, dst: p.Dst, src: src, inbound: p.Inbound, tunnel: p.Tunnel,
		esn: p.ESN, esnHi: p.ESNHi, keyBits: 8 * len(p.Key), aead: aead, salt: p.Salt,
	}, nil
}

// WithESNHi returns an SA that differs from sa in the upper half of the
// sequence number only; sa itself is unchanged, so packets under way keep it.
func (sa *SA) WithESNHi(hi uint32) *SA {
	c := *sa
	c.esnHi = hi
	return &c
}

// SPI is the security parameters index.
func (sa *SA) SPI() uint32 { return sa.spi }

// Dst is the destination address; unspecified means any.
func (sa *SA) Dst() netip.Addr { return sa.dst }

// Src is the source address; unspecified means any.
func (sa *SA) Src() netip.Addr { return sa.src }

// Inbound says whether the SA is for received packets.
func (sa *SA) Inbound() bool { return sa.inbound }

// Tunnel says whether the SA is for tunnel mode.
func (sa *SA) Tunnel() bool { return sa.tunnel }

// ESN says whether sequence numbers have 64 bits.
func (sa *SA) ESN() bool { return sa.esn }

// ESNHi is the upper half of the sequence number, 0 without ESN.
func (sa *SA) ESNHi() uint32 { return sa.esnHi }

// KeyBits is the length of the AES key: 128, 192 or 256.
func (sa *SA) KeyBits() int { return sa.keyBits }

// Format implements fmt.Formatter without key material, whatever the verb.
// A value receiver, so that copies print the same.
func (sa SA) Format(f fmt.State, verb rune) {
	Params{SPI: sa.spi, Dst: sa.dst, Src: sa.src, Inbound: sa.inbound, Tunnel: sa.tunnel, ESN: sa.esn,
		ESNHi: sa.esnHi, Key: make([]byte, sa.keyBits/8)}.Format(f, verb)
}

// scratch holds what is passed through interfaces and function values and
// would otherwise be allocated for each packet.
type scratch struct {
	location
	nonce [SaltLen + IVLen]byte
	aad   [12]byte
}

var scratchPool = sync.Pool{New: func() any { return new(scratch) }}

// fill sets nonce and additional authenticated data for the packet whose ESP
// header and IV start header, and returns the latter (RFC 4106 section 5).
func (s *scratch) fill(sa *SA, header []byte, seqHi uint32) (aad []byte) {
	copy(s.nonce[:SaltLen], sa.salt[:])
	copy(s.nonce[SaltLen:], header[HeaderLen:HeaderLen+IVLen])
	if !sa.esn {
		return append(s.aad[:0], header[:HeaderLen]...)
	}
	copy(s.aad[0:4], header[0:4])
	s.aad[4], s.aad[5], s.aad[6], s.aad[7] = byte(seqHi>>24), byte(seqHi>>16), byte(seqHi>>8), byte(seqHi)
	copy(s.aad[8:12], header[4:8])
	return s.aad[:12]
}
