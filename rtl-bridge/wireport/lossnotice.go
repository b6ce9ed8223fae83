// SPDX-License-Identifier: Apache-2.0

package wireport

import (
	"bytes"
	"encoding/binary"
)

// A loss notice is a frame that a mirror of a wire sends where it could not send
// others: who judges the wire by what the mirror shows must know. Its EtherType is
// one for local experiments (IEEE 802, clause 9.2.4), and no NIC of ours sends it.
//
//	bytes 0 to 13   Ethernet header, broadcast
//	bytes 14 to 41  lossText
//	bytes 42 to 49  how many frames, big-endian
//	the rest        zeros, up to the shortest frame of a real Ethernet
const (
	lossEtherType = 0x88B5
	lossText      = "espalier mirror: frames lost"
	lossCount     = MinFrame + len(lossText)
	lossLength    = 60
)

// lossHeader is a notice's Ethernet header and text; the sender's address is
// locally administered.
var lossHeader = append(binary.BigEndian.AppendUint16([]byte{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2, 0x65, 0x73, 0x70, 0x61, 0x6C}, lossEtherType), lossText...)

// LossNotice returns the frame that says that so many frames are missing here.
func LossNotice(frames uint64) []byte {
	notice := make([]byte, lossLength)
	copy(notice, lossHeader)
	binary.BigEndian.PutUint64(notice[lossCount:], frames)
	return notice
}

// ParseLossNotice returns how many frames are missing according to a frame; false:
// it is another frame.
func ParseLossNotice(frame []byte) (frames uint64, is bool) {
	if len(frame) != lossLength || !bytes.HasPrefix(frame, lossHeader) {
		return 0, false
	}
	for _, b := range frame[lossCount+8:] {
		if b != 0 {
			return 0, false
		}
	}
	return binary.BigEndian.Uint64(frame[lossCount:]), true
}
