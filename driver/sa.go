// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"crypto/aes"
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/espalier-nic/espalier/regs"
)

// Handle names one SA in the NIC: its slot in bits 15:0 and the slot's
// generation in bits 31:16. 0 names none. A handle never comes to name another
// SA, also not after a reset.
type Handle uint32

// Slot returns the SA's slot.
func (h Handle) Slot() int { return int(regs.SAHandle(h).Index()) }

// Generation returns the count of SAs that the slot has held.
func (h Handle) Generation() uint16 { return regs.SAHandle(h).Generation() }

// String returns slot and generation, as in "12/3".
func (h Handle) String() string { return fmt.Sprintf("%d/%d", h.Slot(), h.Generation()) }

// Key is an AES key of 16, 24 or 32 bytes. It formats as its length only.
type Key []byte

// Format writes the key's length, whatever the verb.
func (k Key) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, k.String()) }

// String returns the key's length.
func (k Key) String() string { return fmt.Sprintf("[key of %d bytes]", len(k)) }

// MarshalText returns the key's length: keys are not written by accident.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Zero clears the key's bytes.
func (k Key) Zero() { clear(k) }

// Salt is the 4-byte salt of RFC 4106. It never formats as its value.
type Salt [4]byte

// Format writes a placeholder, whatever the verb.
func (s Salt) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// String returns a placeholder.
func (Salt) String() string { return "[salt]" }

// MarshalText returns a placeholder.
func (s Salt) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// SA is one security association: AES-GCM with a 16-byte ICV.
type SA struct {
	// SPI, not 0.
	SPI uint32
	// Inbound SAs are found by SPI, destination and IP version of a received
	// packet; outbound ones are named by TXPacket.SA.
	Inbound bool
	// Tunnel mode, else transport mode.
	Tunnel bool
	// IPv6 packets, else IPv4. Follows from Src and Dst if one is given.
	IPv6 bool
	// Src and Dst are the addresses of the IP header before ESP. The zero
	// netip.Addr and the unspecified address match any.
	Src, Dst netip.Addr
	// ESN selects 64-bit sequence numbers; SequenceHi is the upper half.
	ESN        bool
	SequenceHi uint32
	// Key and Salt are the key material of RFC 4106. ReadSA and ListSAs
	// return none.
	Key  Key
	Salt Salt
	// RXQueue receives the packets of an inbound SA.
	RXQueue int
}

// String describes the SA without its secrets.
func (sa SA) String() string {
	var b strings.Builder
	word := func(yes bool, a, c string) {
		if yes {
			b.WriteString(a)
		} else {
			b.WriteString(c)
		}
	}
	word(sa.Inbound, "inbound ", "outbound ")
	word(sa.Tunnel, "tunnel ", "transport ")
	word(sa.IPv6, "IPv6", "IPv4")
	fmt.Fprintf(&b, " SPI %#08x", sa.SPI)
	for _, a := range []struct {
		word string
		addr netip.Addr
	}{{"from", sa.Src}, {"to", sa.Dst}} {
		if a.addr.IsValid() && !a.addr.IsUnspecified() {
			fmt.Fprintf(&b, " %s %v", a.word, a.addr)
		}
	}
	if sa.ESN {
		fmt.Fprintf(&b, " ESN %d", sa.SequenceHi)
	}
	return b.String()
}

// SAState is what the NIC holds of one SA.
type SAState struct {
	Handle Handle
	SA     SA // without Key and Salt
	// KeyBytes is the length of the AES key: 16, 24 or 32.
	KeyBytes int
	// Frames and Bytes count what was encrypted, or decrypted with success,
	// since the SA was installed; bytes from Ethernet header to last byte.
	Frames, Bytes uint64
	// AuthFailed and SyntaxErrors count the frames received with a wrong ICV
	// and with impossible lengths.
	AuthFailed, SyntaxErrors uint32
	// Fingerprint tells keys apart without showing them; see Fingerprint.
	Fingerprint [8]byte
}

// Fingerprint returns what the NIC states as the fingerprint of a key: the first
// 8 bytes of the AES encryption under it of nonce and 64 zero bits. It is zero
// for the zero nonce. A key must have 16, 24 or 32 bytes, else it is zero too.
func Fingerprint(key Key, nonce [8]byte) (f [8]byte) {
	block, err := aes.NewCipher(key)
	if err != nil || nonce == [8]byte{} {
		return f
	}
	var in, out [aes.BlockSize]byte
	copy(in[:], nonce[:])
	block.Encrypt(out[:], in[:])
	copy(f[:], out[:])
	return f
}

// refuse makes the error for a field of an SA.
func refuse(op, field string, asked any, allowed string, reason error) error {
	return &RefusedError{Op: op, Field: field, Asked: fmt.Sprint(asked), Allowed: allowed, Reason: reason}
}

// normalise checks sa against the NIC's capabilities and fills in IPv6.
func (sa SA) normalise(op string, c *Capabilities, rxQueues int) (SA, error) {
	sa.Src, sa.Dst = sa.Src.Unmap(), sa.Dst.Unmap()
	version := map[bool]string{false: "IPv4", true: "IPv6"}
	for field, a := range map[string]netip.Addr{"Src": sa.Src, "Dst": sa.Dst} {
		switch {
		case !a.IsValid():
		case a.Is6():
			sa.IPv6 = true
		case sa.IPv6:
			return sa, refuse(op, field, a, "IPv6 addresses, as asked", ErrInvalid)
		}
		if a.Zone() != "" {
			return sa, refuse(op, field, a, "addresses without a zone", ErrInvalid)
		}
	}
	if sa.Src.IsValid() && sa.Dst.IsValid() && sa.Src.Is4() != sa.Dst.Is4() {
		return sa, refuse(op, "Src", sa.Src, fmt.Sprintf("the IP version of Dst %v", sa.Dst), ErrInvalid)
	}
	lengths := c.KeyLengths()
	switch {
	case sa.SPI == 0:
		return sa, refuse(op, "SPI", 0, "1 to 0xffffffff", ErrInvalid)
	case len(sa.Key) != 16 && len(sa.Key) != 24 && len(sa.Key) != 32:
		return sa, refuse(op, "Key", fmt.Sprintf("%d bytes", len(sa.Key)), fmt.Sprintf("%d bytes", lengths), ErrInvalid)
	case !slices.Contains(lengths, len(sa.Key)):
		return sa, refuse(op, "Key", fmt.Sprintf("%d bytes", len(sa.Key)), fmt.Sprintf("%d bytes", lengths), ErrNotSupported)
	case sa.SequenceHi != 0 && !sa.ESN:
		return sa, refuse(op, "SequenceHi", sa.SequenceHi, "0 without ESN", ErrInvalid)
	case sa.ESN && !c.ESN:
		return sa, refuse(op, "ESN", true, "", ErrNotSupported)
	case sa.Tunnel && !c.Tunnel:
		return sa, refuse(op, "Tunnel", true, "", ErrNotSupported)
	case !sa.Tunnel && !c.Transport:
		return sa, refuse(op, "Tunnel", false, "", ErrNotSupported)
	case sa.IPv6 && !c.IPv6, !sa.IPv6 && !c.IPv4:
		return sa, refuse(op, "IPv6", sa.IPv6, "", fmt.Errorf("%s is %w", version[sa.IPv6], ErrNotSupported))
	case sa.RXQueue < 0 || sa.RXQueue >= rxQueues:
		return sa, refuse(op, "RXQueue", sa.RXQueue, fmt.Sprintf("0 to %d", rxQueues-1), ErrInvalid)
	}
	return sa, nil
}

// addressWords are the four words of an address field: an IPv4 address is the
// first, any address is zero.
func addressWords(a netip.Addr) (w [4]uint32) {
	switch {
	case a.Is4():
		b := a.As4()
		w[0] = binary.BigEndian.Uint32(b[:])
	case a.Is6():
		b := a.As16()
		for i := range w {
			w[i] = binary.BigEndian.Uint32(b[4*i:])
		}
	}
	return w
}

// addressOf is the inverse of addressWords.
func addressOf(w [4]uint32, ipv6 bool) netip.Addr {
	if w == [4]uint32{} {
		return netip.Addr{}
	}
	var b [16]byte
	for i := range w {
		binary.BigEndian.PutUint32(b[4*i:], w[i])
	}
	if ipv6 {
		return netip.AddrFrom16(b)
	}
	return netip.AddrFrom4([4]byte(b[:4]))
}

// record is the SA as the NIC's window takes it, key and salt included.
func (sa *SA) record() regs.SARecord {
	r := regs.SARecord{
		SPI: sa.SPI,
		Flags: regs.SAFlags(0).WithInbound(sa.Inbound).WithIPv6(sa.IPv6).WithTunnel(sa.Tunnel).WithESN(sa.ESN).
			WithKeyLen(regs.KeyLen((len(sa.Key) - 16) / 8)).WithRxQueue(uint8(sa.RXQueue)),
		ESNHi: sa.SequenceHi,
		Salt:  binary.BigEndian.Uint32(sa.Salt[:]),
		Dst:   addressWords(sa.Dst),
		Src:   addressWords(sa.Src),
	}
	for i := 0; i+4 <= len(sa.Key); i += 4 {
		r.Key[i/4] = binary.BigEndian.Uint32(sa.Key[i:])
	}
	return r
}

// saOf is the inverse of SA.record, secrets excepted.
func saOf(r *regs.SARecord) SA {
	return SA{
		SPI:        r.SPI,
		Inbound:    r.Flags.Inbound(),
		Tunnel:     r.Flags.Tunnel(),
		IPv6:       r.Flags.IPv6(),
		Src:        addressOf(r.Src, r.Flags.IPv6()),
		Dst:        addressOf(r.Dst, r.Flags.IPv6()),
		ESN:        r.Flags.ESN(),
		SequenceHi: r.ESNHi,
		RXQueue:    int(r.Flags.RxQueue()),
	}
}

// stateOf decodes what was read of an SA.
func stateOf(h Handle, r *regs.SARecord, counters *[regs.SACountersCount]uint32) SAState {
	s := SAState{
		Handle: h, SA: saOf(r), KeyBytes: 16 + 8*int(r.Flags.KeyLen()),
		Frames:     uint64(counters[1])<<32 | uint64(counters[0]),
		Bytes:      uint64(counters[3])<<32 | uint64(counters[2]),
		AuthFailed: counters[4], SyntaxErrors: counters[5],
	}
	binary.BigEndian.PutUint32(s.Fingerprint[:4], counters[6])
	binary.BigEndian.PutUint32(s.Fingerprint[4:], counters[7])
	return s
}
