// SPDX-License-Identifier: Apache-2.0

package esp

import "slices"

// Class is the kind of outcome of a received frame, one for each row of the
// contract's table that delivers something.
type Class uint8

// The classes.
const (
	// Untouched: nothing for IPsec to do.
	Untouched Class = iota
	// NoSA: an ESP packet that no inbound SA matches.
	NoSA
	// BadSyntax: lengths are impossible on a matching SA.
	BadSyntax
	// AuthFailed: the ICV is wrong.
	AuthFailed
	// Decrypted: authentic and decrypted in place.
	Decrypted
)

// String names the class for reports.
func (c Class) String() string {
	names := [...]string{"untouched", "no SA", "bad syntax", "authentication failed", "decrypted"}
	if int(c) < len(names) {
		return names[c]
	}
	return "unknown"
}

// Verdict is a correct NIC's judgement of one received frame.
type Verdict struct {
	Class Class
	// SA is the one that matched, nil for Untouched and NoSA.
	SA *SA
	// Status is the IPsecOV2 result; Success also where nothing was checked.
	Status CryptoStatus
	// NextHeader and PadLength are the ESP trailer's, for Decrypted only.
	NextHeader, PadLength uint8
	// Offset is the ESP header's place in the frame, Payload the number of
	// encrypted bytes P; for AuthFailed, Decrypted and a BadSyntax of the
	// trailer, else 0.
	Offset, Payload int
}

// CryptoDone says whether an IPsec payload was checked.
func (v *Verdict) CryptoDone() bool { return v.Class >= BadSyntax }

// Word1 is the IPsecOV2 receive word of slot 1: SaDeleteReq, CryptoDone,
// NextCryptoDone in bits 0 to 2 and CryptoStatus in bits 31:16.
func (v *Verdict) Word1() uint32 {
	if !v.CryptoDone() {
		return 0
	}
	return 1<<1 | uint32(v.Status)<<16
}

// Word12 is the receive word of slot 12: Next Header in bits 7:0, Pad Length in
// bits 15:8, HeaderInfoSet in bit 16.
func (v *Verdict) Word12() uint32 {
	if v.Class != Decrypted {
		return 0
	}
	return uint32(v.NextHeader) | uint32(v.PadLength)<<8 | 1<<16
}

// Lookup finds the inbound SA for a packet, or returns nil. The selector is
// valid during the call only.
type Lookup func(*Selector) *SA

// Inspect judges a received frame as far as its headers and the SA table
// decide. Where check is true the ICV has the last word: the verdict has SA,
// Offset and Payload, and its class is AuthFailed until proven otherwise.
func Inspect(frame []byte, lookup Lookup) (v Verdict, check bool) {
	s := scratchPool.Get().(*scratch)
	check = s.inspect(&v, frame, lookup)
	scratchPool.Put(s)
	return v, check
}

// inspect is Inspect with v zero at first.
func (s *scratch) inspect(v *Verdict, frame []byte, lookup Lookup) (check bool) {
	l := &s.location
	if !l.locate(frame) {
		return false
	}
	v.SA = lookup(&l.selector)
	if v.SA == nil {
		v.Class = NoSA
		return false
	}
	end := l.offset + l.length
	p, ok := PayloadLength(end, l.offset)
	if !ok || end > len(frame) {
		v.Class, v.Status = BadSyntax, InvalidPacketSyntax
		return false
	}
	v.Class, v.Status = AuthFailed, TransportESPAuthFailed
	if v.SA.tunnel {
		v.Status = TunnelESPAuthFailed
	}
	v.Offset, v.Payload = l.offset, p
	return true
}

// SetTrailer completes the verdict on an authentic packet from its payload's
// last two bytes: Decrypted, or BadSyntax where Pad Length is impossible.
func (v *Verdict) SetTrailer(padLength, nextHeader uint8) {
	if int(padLength)+TrailerLen > v.Payload {
		v.Class, v.Status = BadSyntax, InvalidPacketSyntax
		return
	}
	v.Class, v.Status = Decrypted, Success
	v.NextHeader, v.PadLength = nextHeader, padLength
}

// Open judges a received frame and returns what a correct NIC delivers,
// appended to dst, and its verdict. frame is not changed and must not overlap
// dst's capacity. Nothing is allocated when dst has room for the frame.
//
// The rows of the contract's table that depend on the NIC's configuration
// (frames the MAC flagged, length limits, IPSEC_ENABLE) are not decided here.
func Open(dst, frame []byte, lookup Lookup) (delivered []byte, v Verdict) {
	s := scratchPool.Get().(*scratch)
	if !s.inspect(&v, frame, lookup) {
		scratchPool.Put(s)
		return append(dst, frame...), v
	}
	start := len(dst)
	dst = slices.Grow(dst, len(frame))[:start+len(frame)]
	out := dst[start:]
	first := v.Offset + HeaderLen + IVLen
	last := first + v.Payload
	payload := out[first:last]
	copy(out[:first], frame[:first])
	copy(out[last:], frame[last:])
	if v.SA.open(s, payload, frame[v.Offset:last+ICVLen], v.SA.esnHi) {
		v.SetTrailer(payload[v.Payload-2], payload[v.Payload-1])
	}
	scratchPool.Put(s)
	if v.Class != Decrypted {
		copy(payload, frame[first:last])
	}
	return dst, v
}
