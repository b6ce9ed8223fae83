// SPDX-License-Identifier: Apache-2.0

package gateway

// Drop is why a packet was dropped. Where Linux counts the same in
// /proc/net/xfrm_stat, it has that name without "Xfrm".
type Drop uint8

// Reasons, inbound first.
const (
	// InNoStates: an ESP packet for which there is no SA.
	InNoStates Drop = iota
	// InStateProtoError: authentication failed.
	InStateProtoError
	// InStateSeqError: received before, or older than the replay window.
	InStateSeqError
	// InHdrError: lengths or headers are impossible.
	InHdrError
	// InStateModeError: what was decrypted does not fit the SA's mode.
	InStateModeError
	// InTmplMismatch: it came without protection that a policy demands, or with
	// another SA's.
	InTmplMismatch
	// InNoPols: no policy matches.
	InNoPols
	// InPolBlock: a policy discards it.
	InPolBlock
	// InDummy: a dummy packet (RFC 4303, section 2.6), as it should be.
	InDummy
	// InNotIP: neither IP nor ARP.
	InNotIP
	// InTruncated: longer than the wire's MTU.
	InTruncated
	// InDevice: the NIC could not deliver it.
	InDevice
	// OutNoPols: no policy matches.
	OutNoPols
	// OutPolBlock: a policy discards it.
	OutPolBlock
	// OutStateSeqError: the SA's sequence numbers are used up.
	OutStateSeqError
	// OutTooLong: longer than the wire's MTU, with ESP.
	OutTooLong
	// OutFragment: a fragment, which transport mode cannot carry.
	OutFragment
	// OutOptions: IP options or extension headers before ESP.
	OutOptions
	// OutHdrError: lengths or headers are impossible.
	OutHdrError
	// OutNotIP: neither IP nor ARP.
	OutNotIP
	// OutDevice: the NIC could not send it.
	OutDevice
	dropReasons
)

var dropNames = [dropReasons]string{
	"InNoStates", "InStateProtoError", "InStateSeqError", "InHdrError", "InStateModeError", "InTmplMismatch", "InNoPols", "InPolBlock",
	"InDummy", "InNotIP", "InTruncated", "InDevice",
	"OutNoPols", "OutPolBlock", "OutStateSeqError", "OutTooLong", "OutFragment", "OutOptions", "OutHdrError", "OutNotIP", "OutDevice",
}

// String returns the reason's name.
func (d Drop) String() string {
	if d < dropReasons {
		return dropNames[d]
	}
	return "unknown"
}
