// SPDX-License-Identifier: Apache-2.0

package offload

import (
	"fmt"
	"strings"
)

// OID names a request.
type OID uint32

// Requests. The four of the SAs take the direct path: any number may be under
// way at once.
const (
	OIDOffloadEncapsulation           OID = 0x0101010A
	OIDTCPOffloadCurrentConfig        OID = 0xFC01020B
	OIDTCPOffloadParameters           OID = 0xFC01020C
	OIDTCPOffloadHardwareCapabilities OID = 0xFC01020D
	OIDAddSA                          OID = 0xFC030202
	OIDDeleteSA                       OID = 0xFC030203
	OIDUpdateSA                       OID = 0xFC030204
	OIDAddSAEx                        OID = 0xFC030205
)

var oidNames = map[OID]string{
	OIDOffloadEncapsulation:           "OID_OFFLOAD_ENCAPSULATION",
	OIDTCPOffloadCurrentConfig:        "OID_TCP_OFFLOAD_CURRENT_CONFIG",
	OIDTCPOffloadParameters:           "OID_TCP_OFFLOAD_PARAMETERS",
	OIDTCPOffloadHardwareCapabilities: "OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES",
	OIDAddSA:                          "OID_TCP_TASK_IPSEC_OFFLOAD_V2_ADD_SA",
	OIDDeleteSA:                       "OID_TCP_TASK_IPSEC_OFFLOAD_V2_DELETE_SA",
	OIDUpdateSA:                       "OID_TCP_TASK_IPSEC_OFFLOAD_V2_UPDATE_SA",
	OIDAddSAEx:                        "OID_TCP_TASK_IPSEC_OFFLOAD_V2_ADD_SA_EX",
}

// String returns the name in the NDIS headers, or the number.
func (o OID) String() string {
	if name, ok := oidNames[o]; ok {
		return name
	}
	return fmt.Sprintf("OID %#08x", uint32(o))
}

// Encapsulation is a set of MAC framings for which offloads work.
type Encapsulation uint32

// MAC framings.
const (
	EncapsulationNull     Encapsulation = 0x01
	EncapsulationEthernet Encapsulation = 0x02 // IEEE 802.3
	// EncapsulationVLANInData: 802.1Q tag in the frame's bytes;
	// EncapsulationVLANOutOfBand: in slot 4.
	EncapsulationVLANInData    Encapsulation = 0x04
	EncapsulationVLANOutOfBand Encapsulation = 0x08
	EncapsulationLLCSNAP       Encapsulation = 0x10
)

// String names the framings.
func (e Encapsulation) String() string {
	return maskString(uint32(e), []string{"null", "Ethernet", "802.1Q in data", "802.1Q out of band", "LLC/SNAP"})
}

// UDPEncapsulation is a set of layouts of UDP-encapsulated ESP on port 4500; in
// an SA one of them, or 0 for none.
type UDPEncapsulation uint32

// Layouts of UDP-encapsulated ESP.
const (
	// UDPTransport: IP, UDP, ESP, payload.
	UDPTransport UDPEncapsulation = 0x1
	// UDPTunnel: IP, UDP, ESP, IP, payload.
	UDPTunnel UDPEncapsulation = 0x2
	// TransportInUDPTunnel: IP, UDP, ESP, IP, ESP, payload.
	TransportInUDPTunnel UDPEncapsulation = 0x4
	// UDPTransportInTunnel: IP, ESP, IP, UDP, ESP, payload.
	UDPTransportInTunnel UDPEncapsulation = 0x8
)

// String names the layouts.
func (u UDPEncapsulation) String() string {
	return maskString(uint32(u), []string{"UDP transport", "UDP tunnel", "transport in UDP tunnel", "UDP transport in tunnel"})
}

// AuthenticationAlgorithms is a set of integrity algorithms; in an SA one.
type AuthenticationAlgorithms uint32

// Integrity algorithms. HMACs are truncated as RFC 2403 and 2404 (96 bits) and
// RFC 4868 (128 bits) say [G].
const (
	AuthenticationMD5     AuthenticationAlgorithms = 0x01
	AuthenticationSHA1    AuthenticationAlgorithms = 0x02
	AuthenticationSHA256  AuthenticationAlgorithms = 0x04
	AuthenticationGMAC128 AuthenticationAlgorithms = 0x08
	AuthenticationGMAC192 AuthenticationAlgorithms = 0x10
	AuthenticationGMAC256 AuthenticationAlgorithms = 0x20

	authenticationGMAC = AuthenticationGMAC128 | AuthenticationGMAC192 | AuthenticationGMAC256
	authenticationAll  = 0x3F
)

// String names the algorithms.
func (a AuthenticationAlgorithms) String() string {
	return maskString(uint32(a), []string{"HMAC-MD5", "HMAC-SHA-1", "HMAC-SHA-256", "AES-GMAC-128", "AES-GMAC-192", "AES-GMAC-256"})
}

// keyLength is the bytes of key material of one algorithm, a GMAC's 4-byte salt
// included [G].
func (a AuthenticationAlgorithms) keyLength() int {
	switch a {
	case AuthenticationMD5:
		return 16
	case AuthenticationSHA1:
		return 20
	case AuthenticationSHA256:
		return 32
	case AuthenticationGMAC128:
		return 16 + saltLength
	case AuthenticationGMAC192:
		return 24 + saltLength
	case AuthenticationGMAC256:
		return 32 + saltLength
	}
	return 0
}

// EncryptionAlgorithms is a set of ciphers; in an SA one.
type EncryptionAlgorithms uint32

// Ciphers.
const (
	EncryptionNull      EncryptionAlgorithms = 0x001 // integrity-only ESP
	EncryptionDESCBC    EncryptionAlgorithms = 0x002
	Encryption3DESCBC   EncryptionAlgorithms = 0x004
	EncryptionAESGCM128 EncryptionAlgorithms = 0x008
	EncryptionAESGCM192 EncryptionAlgorithms = 0x010
	EncryptionAESGCM256 EncryptionAlgorithms = 0x020
	EncryptionAESCBC128 EncryptionAlgorithms = 0x040
	EncryptionAESCBC192 EncryptionAlgorithms = 0x080
	EncryptionAESCBC256 EncryptionAlgorithms = 0x100

	encryptionGCM = EncryptionAESGCM128 | EncryptionAESGCM192 | EncryptionAESGCM256
	encryptionAll = 0x1FF
)

// String names the algorithms.
func (e EncryptionAlgorithms) String() string {
	return maskString(uint32(e), []string{"NULL", "DES-CBC", "3DES-CBC", "AES-GCM-128", "AES-GCM-192", "AES-GCM-256", "AES-CBC-128", "AES-CBC-192", "AES-CBC-256"})
}

// saltLength is the bytes of the salt that follows a GCM or GMAC key.
const saltLength = 4

// keyLength is the bytes of key material of one cipher, GCM's salt included [G].
func (e EncryptionAlgorithms) keyLength() int {
	switch e {
	case EncryptionDESCBC:
		return 8
	case Encryption3DESCBC:
		return 24
	case EncryptionAESGCM128:
		return 16 + saltLength
	case EncryptionAESGCM192:
		return 24 + saltLength
	case EncryptionAESGCM256:
		return 32 + saltLength
	case EncryptionAESCBC128:
		return 16
	case EncryptionAESCBC192:
		return 24
	case EncryptionAESCBC256:
		return 32
	}
	return 0
}

// OffloadFlags are flags of NDIS_OFFLOAD (NDIS 6.30).
type OffloadFlags uint32

// Flags of NDIS_OFFLOAD.
const (
	GroupChecksumCapabilities OffloadFlags = 0x1
	// IPsecWithTCPChecksum and IPsecWithUDPChecksum: IPsec and checksum
	// offload work on one packet.
	IPsecWithTCPChecksum OffloadFlags = 0x2
	IPsecWithUDPChecksum OffloadFlags = 0x4
)

// maskString joins the names of the bits set in v.
func maskString(v uint32, names []string) string {
	if v == 0 {
		return "none"
	}
	var parts []string
	for i, name := range names {
		if v>>i&1 != 0 {
			parts = append(parts, name)
		}
	}
	if rest := v >> len(names) << len(names); rest != 0 {
		parts = append(parts, fmt.Sprintf("%#x", rest))
	}
	return strings.Join(parts, ", ")
}
