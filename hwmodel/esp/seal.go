// SPDX-License-Identifier: Apache-2.0

package esp

import (
	"encoding/binary"
	"fmt"
)

// SealInPlace does to frame what a correct NIC does to a frame that its host
// has built: it writes the IV, encrypts the payload and writes the ICV. The ESP
// header is at offset, the ICV's 16 bytes end the frame. seqHi is the upper
// half of the sequence number as of submission; it is ignored without ESN.
// SPI and lower half are taken from the frame: the NIC invents neither.
//
// It fails, and leaves the frame as it was, when no ESP packet of legal length
// is at offset.
func (sa *SA) SealInPlace(frame []byte, offset int, seqHi uint32) error {
	if offset < MinOffset {
		return fmt.Errorf("ESP header at offset %d leaves no room for Ethernet and IP headers, %d is the least", offset, MinOffset)
	}
	if p, ok := PayloadLength(len(frame), offset); !ok {
		return fmt.Errorf("ESP payload of %d bytes in a frame of %d, a positive multiple of %d is needed", p, len(frame), PayloadUnit)
	}
	packet := frame[offset:]
	if !sa.esn {
		seqHi = 0
	}
	binary.BigEndian.PutUint32(packet[HeaderLen:], seqHi)
	copy(packet[HeaderLen+4:HeaderLen+IVLen], packet[4:HeaderLen])
	sa.seal(packet, seqHi)
	return nil
}

// seal encrypts and authenticates an ESP packet whose IV is in place.
func (sa *SA) seal(packet []byte, seqHi uint32) {
	s := scratchPool.Get().(*scratch)
	aad := s.fill(sa, packet, seqHi)
	payload := packet[HeaderLen+IVLen : len(packet)-ICVLen]
	sa.aead.Seal(payload[:0], s.nonce[:], payload, aad)
	scratchPool.Put(s)
}

// open decrypts an ESP packet into dst, which has room for its payload, and
// says whether its ICV was right; if not, dst is zeroed.
func (sa *SA) open(s *scratch, dst, packet []byte, seqHi uint32) bool {
	aad := s.fill(sa, packet, seqHi)
	_, err := sa.aead.Open(dst[:0], s.nonce[:], packet[HeaderLen+IVLen:], aad)
	return err == nil
}
