// SPDX-License-Identifier: Apache-2.0

package espframe

import "errors"

// What can be wrong with a packet or a configuration. Returned errors wrap one
// of these and say in one sentence which value is wrong and what is allowed.
var (
	// ErrConfig: a Config that no framer can follow.
	ErrConfig = errors.New("invalid ESP framing configuration")
	// ErrNotIP: the frame does not carry IPv4 or IPv6 directly after its
	// Ethernet header.
	ErrNotIP = errors.New("not an IP packet")
	// ErrMalformed: header fields contradict each other or the bytes present.
	ErrMalformed = errors.New("malformed packet")
	// ErrFragment: an IP fragment where ESP needs a whole packet (RFC 4303,
	// sections 3.3.4 and 3.4.1).
	ErrFragment = errors.New("IP fragment")
	// ErrOptions: IPv4 options or IPv6 extension headers that would stand
	// before ESP.
	ErrOptions = errors.New("IP options or extension headers before ESP")
	// ErrTooLong: the framed packet exceeds the MTU.
	ErrTooLong = errors.New("packet too long")
	// ErrShortBuffer: the destination slice is too short.
	ErrShortBuffer = errors.New("destination buffer too short")
	// ErrSequenceExhausted: the sequence number would wrap; the SA must be
	// replaced (RFC 4303, section 3.3.3).
	ErrSequenceExhausted = errors.New("sequence numbers of the SA are used up")
	// ErrTrailer: Pad Length or Next Header is impossible for the packet, or
	// not what its trailer says.
	ErrTrailer = errors.New("invalid ESP trailer")
	// ErrDummy: a dummy packet (Next Header 59), to be discarded silently
	// (RFC 4303, section 2.6).
	ErrDummy = errors.New("ESP dummy packet")
	// ErrCongestion: a tunnel packet marked Congestion Experienced whose inner
	// packet does not know ECN; it must be dropped (RFC 6040, section 4.2).
	ErrCongestion = errors.New("congestion mark on a packet without ECN")
)
