// SPDX-License-Identifier: Apache-2.0

package offload

import (
	"fmt"
	"net/netip"

	"github.com/espalier-nic/espalier/driver"
)

// OffloadHandle names an SA that an adapter has offloaded. Bits 63:32 tag the
// adapter, so that no adapter accepts a handle of another (MUX-1); bits 31:0 are
// the driver's handle with its generation count, so that a stale handle never
// names a later SA (DEL-5). 0 is no offload.
type OffloadHandle uint64

// String returns the adapter's tag, slot and generation, as in "1:12/3".
func (h OffloadHandle) String() string {
	return fmt.Sprintf("%d:%v", uint32(h>>32), driver.Handle(uint32(h)))
}

// SAFlags are the flags of an ADD_SA entry.
type SAFlags uint32

// Flags of ADD_SA.
const (
	// FlagInbound: received packets, else packets sent.
	FlagInbound SAFlags = 0x01
	// FlagIPv6: the addresses are IPv6, else IPv4.
	FlagIPv6 SAFlags = 0x10
	// FlagTunnel is this project's own [G]: the structures of IPsecOV2 do not
	// say which mode an SA has, but the receive status of a failed packet
	// does (TRANSPORT_ or TUNNEL_ESP_AUTH_FAILED). Without it an SA is in
	// transport mode unless UdpEspEncapsulation says tunnel; captured
	// requests therefore replay as they are.
	FlagTunnel SAFlags = 0x80000000

	flagsAll = FlagInbound | FlagIPv6 | FlagTunnel
)

// Operation is an IPsec protocol.
type Operation uint32

// Operations.
const (
	OperationAH  Operation = 1
	OperationESP Operation = 2
)

// String names the protocol.
func (o Operation) String() string {
	switch o {
	case OperationAH:
		return "AH"
	case OperationESP:
		return "ESP"
	}
	return fmt.Sprintf("operation %d", uint32(o))
}

// AlgorithmInfo is one algorithm of an SA. The zero value is none.
type AlgorithmInfo struct {
	// Identifier is one AuthenticationAlgorithms or EncryptionAlgorithms.
	Identifier uint32
	// KeyLength is the bytes of key material. For AES-GCM and AES-GMAC that
	// is the key and the 4-byte salt behind it: 20, 28 or 36 [G].
	KeyLength uint32
	// KeyOffset is where they begin in the SA's key area, in bytes.
	KeyOffset uint32
	// AdditionalInfo is the length of the ICV for AES-GCM, in bytes [G].
	AdditionalInfo uint32
}

// SAExtendedSequenceNumbers is the flag of SecurityAssociation for 64-bit
// sequence numbers.
const SAExtendedSequenceNumbers uint32 = 1

// SecurityAssociation is one operation of an ADD_SA entry.
type SecurityAssociation struct {
	// Flags is 0 or SAExtendedSequenceNumbers.
	Flags     uint32
	Operation Operation
	SPI       uint32 // a number; network order is on the wire only [G]
	// Authentication is not used with AES-GCM (ADD-10).
	Authentication AlgorithmInfo
	Encryption     AlgorithmInfo
	// SequenceNumberHighOrder is bits 63:32 of the sequence number, 0 without
	// SAExtendedSequenceNumbers.
	SequenceNumberHighOrder uint32
}

// AddSA is one entry of an ADD_SA request: one SA bundle in one direction.
type AddSA struct {
	// NumExtHdrs is how many of SecAssoc are used: 1, or 2 for ESP and AH.
	NumExtHdrs uint32
	Flags      SAFlags
	// Src and Dst are the hosts in transport mode, the tunnel's ends in
	// tunnel mode. The zero netip.Addr and the unspecified address match any
	// (ADD-11).
	Src, Dst netip.Addr
	// OffloadHandle is the result: 0 if this SA was not offloaded.
	OffloadHandle OffloadHandle
	UDPESP        UDPEncapsulation
	SecAssoc      [2]SecurityAssociation // in the order of execution: ESP, then AH
	KeyData       driver.Key             // the key area
	// Refused is a result too: why this SA was not offloaded, or nil.
	Refused error
}

// AddSAEx is ADD_SA_EX: one SA, of a switch port if there is a switch.
type AddSAEx struct {
	AddSA
	// KeyOffset is where the key area begins in the binary form, in bytes from
	// the structure's first (ADD-6); 0 is right behind it.
	KeyOffset uint32
	// SourceSwitchPortID and VLANID are reserved and not used.
	SourceSwitchPortID uint32
	VLANID             uint16
}

// UpdateSA is UPDATE_SA: a new upper half of the sequence numbers.
type UpdateSA struct {
	OffloadHandle OffloadHandle
	// Operation and SPI choose one SA of the bundle (UPD-3).
	Operation               Operation
	SPI                     uint32
	SequenceNumberHighOrder uint32
}
