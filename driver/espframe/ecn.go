// SPDX-License-Identifier: Apache-2.0

package espframe

import (
	"encoding/binary"
	"fmt"
)

// Codepoints of the ECN field (RFC 3168, section 5).
const (
	ecnMask = 3
	ecnNot  = 0 // Not-ECT
	ecnECT1 = 1
	ecnECT0 = 2
	ecnCE   = 3
)

// mergeECN writes to the inner header of packet the ECN field that follows from
// its own and the outer one (RFC 6040, figure 4).
func mergeECN(packet []byte, inner ipHeader, outerTOS uint8) error {
	was, outer := inner.tos&ecnMask, outerTOS&ecnMask
	now := was
	switch {
	case outer == ecnCE && was == ecnNot:
		return fmt.Errorf("tunnelled packet: %w", ErrCongestion)
	case outer == ecnCE && was != ecnNot:
		now = ecnCE
	case outer == ecnECT1 && was == ecnECT0:
		now = ecnECT1
	}
	if now == was {
		return nil
	}
	if inner.ipv6 {
		packet[1] = packet[1]&^(ecnMask<<4) | now<<4
		return nil
	}
	// The checksum follows by difference (RFC 1624, equation 3), so that one
	// that was wrong stays wrong.
	before := binary.BigEndian.Uint16(packet)
	packet[ipv4TOS] = packet[ipv4TOS]&^ecnMask | now
	after := binary.BigEndian.Uint16(packet)
	sum := uint32(^binary.BigEndian.Uint16(packet[ipv4Checksum:])) + uint32(^before) + uint32(after)
	sum = sum&0xFFFF + sum>>16
	sum = sum&0xFFFF + sum>>16
	binary.BigEndian.PutUint16(packet[ipv4Checksum:], ^uint16(sum))
	return nil
}
