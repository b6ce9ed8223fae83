// SPDX-License-Identifier: Apache-2.0

// Package esp is the golden model's packet half: what a correct NIC does to
// one frame. It is written from RFC 4303 (ESP), RFC 4106 (AES-GCM in ESP),
// RFC 4304 (extended sequence numbers) and docs/nic-contract.md on the standard
// library's cryptography, and it parses its headers itself: it shares no code
// with the driver, the register map or the RTL, so that what it judges cannot
// be wrong in the same way.
//
// [SA.SealInPlace] is the send side of the NIC, [Open] its receive side. [Frame],
// [Encapsulate], [Strip] and [Decapsulate] are the host's half, so that whole
// journeys of a packet can be judged without the driver's framer.
package esp

import "encoding/binary"

// Lengths in bytes of the parts of an ESP packet as AES-GCM with a 16-byte ICV
// makes it (RFC 4303 section 2, RFC 4106 sections 3 and 6).
const (
	HeaderLen   = 8  // SPI and low half of the sequence number
	IVLen       = 8  // explicit IV
	ICVLen      = 16 // integrity check value
	SaltLen     = 4  // implicit part of the nonce
	TrailerLen  = 2  // Pad Length and Next Header
	Overhead    = HeaderLen + IVLen + ICVLen
	MinPayload  = 4 // padding, Pad Length and Next Header fill one 32-bit word
	PayloadUnit = 4 // ESP payloads end on a 32-bit boundary
)

// Protocol numbers (IANA) that ESP processing looks at.
const (
	ProtocolIPv4      = 4
	ProtocolESP       = 50
	ProtocolIPv6      = 41
	ProtocolNoNext    = 59
	protocolHopByHop  = 0
	protocolRouting   = 43
	protocolFragment  = 44
	ethernetHeaderLen = 14
	ipv4HeaderLen     = 20
	ipv6HeaderLen     = 40
	etherTypeIPv4     = 0x0800
	etherTypeIPv6     = 0x86DD
)

// MinOffset is the smallest offset of an ESP header in a frame: Ethernet and
// an IPv4 header without options come first.
const MinOffset = ethernetHeaderLen + ipv4HeaderLen

// CryptoStatus is the IPsecOV2 result of checking one packet.
type CryptoStatus uint16

// The eight values of CryptoStatus.
const (
	Success                CryptoStatus = 0
	GenericError           CryptoStatus = 1
	TransportAHAuthFailed  CryptoStatus = 2
	TransportESPAuthFailed CryptoStatus = 3
	TunnelAHAuthFailed     CryptoStatus = 4
	TunnelESPAuthFailed    CryptoStatus = 5
	InvalidPacketSyntax    CryptoStatus = 6
	InvalidProtocol        CryptoStatus = 7
)

var cryptoStatusNames = [...]string{
	"SUCCESS", "GENERIC_ERROR", "TRANSPORT_AH_AUTH_FAILED", "TRANSPORT_ESP_AUTH_FAILED",
	"TUNNEL_AH_AUTH_FAILED", "TUNNEL_ESP_AUTH_FAILED", "INVALID_PACKET_SYNTAX", "INVALID_PROTOCOL",
}

// String returns the status in the words of IPsecOV2.
func (s CryptoStatus) String() string {
	if int(s) < len(cryptoStatusNames) {
		return cryptoStatusNames[s]
	}
	return "RESERVED"
}

// PayloadLength returns P, the number of encrypted bytes of a frame of length
// bytes whose ESP header is at offset and whose ICV ends the frame. ok is false
// where the frame cannot be such a frame: P below 4 or not a multiple of 4.
func PayloadLength(length, offset int) (p int, ok bool) {
	p = length - offset - Overhead
	return p, offset >= 0 && p >= MinPayload && p%PayloadUnit == 0
}

// Sequence returns the low half of the sequence number of the ESP header at
// the beginning of b, which holds at least HeaderLen bytes.
func Sequence(b []byte) uint32 { return binary.BigEndian.Uint32(b[4:8]) }

// SPI returns the SPI of the ESP header at the beginning of b, which holds at
// least HeaderLen bytes.
func SPI(b []byte) uint32 { return binary.BigEndian.Uint32(b[0:4]) }
