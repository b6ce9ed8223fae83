// SPDX-License-Identifier: Apache-2.0

package offload

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/espalier-nic/espalier/driver"
)

// CapabilitiesSize is the bytes of a capability record.
const CapabilitiesSize = 32

// Capabilities is NDIS_IPSEC_OFFLOAD_V2: what can be offloaded, in both
// directions alike. The zero value is no IPsec offload.
type Capabilities struct {
	Encapsulation Encapsulation
	// IPv6Supported; IPv4 is implied.
	IPv6Supported bool
	// IPv4Options and IPv6NonIPsecExtensionHeaders: packets that have them
	// can be processed.
	IPv4Options                  bool
	IPv6NonIPsecExtensionHeaders bool
	// AH, ESP, and both in one packet.
	AH, ESP, AHESPCombined bool
	// Transport mode, tunnel mode, and transport nested in tunnel.
	Transport, Tunnel, TransportTunnelCombined bool
	// LSOSupported: large send works on IPsec connections.
	LSOSupported bool
	// ExtendedSequenceNumbers: 64-bit sequence numbers.
	ExtendedSequenceNumbers bool

	UDPESP                   UDPEncapsulation
	AuthenticationAlgorithms AuthenticationAlgorithms
	EncryptionAlgorithms     EncryptionAlgorithms
	// SAOffloadCapacity is the number of SA bundles (one ADD_SA entry each),
	// inbound and outbound in one pool [G].
	SAOffloadCapacity uint32
}

// bools are the record's 1-byte fields in order, from offset 4 on.
func (c *Capabilities) bools() [11]*bool {
	return [11]*bool{
		&c.IPv6Supported, &c.IPv4Options, &c.IPv6NonIPsecExtensionHeaders, &c.AH, &c.ESP, &c.AHESPCombined,
		&c.Transport, &c.Tunnel, &c.TransportTunnelCombined, &c.LSOSupported, &c.ExtendedSequenceNumbers,
	}
}

// MarshalBinary returns the 32 bytes of the record on a little-endian host
// (CAP-3).
func (c Capabilities) MarshalBinary() ([]byte, error) {
	b := make([]byte, CapabilitiesSize)
	binary.LittleEndian.PutUint32(b, uint32(c.Encapsulation))
	for i, set := range c.bools() {
		if *set {
			b[4+i] = 1
		}
	}
	binary.LittleEndian.PutUint32(b[16:], uint32(c.UDPESP))
	binary.LittleEndian.PutUint32(b[20:], uint32(c.AuthenticationAlgorithms))
	binary.LittleEndian.PutUint32(b[24:], uint32(c.EncryptionAlgorithms))
	binary.LittleEndian.PutUint32(b[28:], c.SAOffloadCapacity)
	return b, nil
}

// UnmarshalBinary reads a record of exactly 32 bytes; every byte of a boolean
// other than 0 is true. On an error c is unchanged.
func (c *Capabilities) UnmarshalBinary(b []byte) error {
	if len(b) != CapabilitiesSize {
		return &RefusedError{Op: "capability record", Field: "length", Asked: fmt.Sprintf("%d bytes", len(b)),
			Allowed: fmt.Sprintf("%d bytes", CapabilitiesSize), Status: StatusInvalidLength}
	}
	*c = Capabilities{
		Encapsulation:            Encapsulation(binary.LittleEndian.Uint32(b)),
		UDPESP:                   UDPEncapsulation(binary.LittleEndian.Uint32(b[16:])),
		AuthenticationAlgorithms: AuthenticationAlgorithms(binary.LittleEndian.Uint32(b[20:])),
		EncryptionAlgorithms:     EncryptionAlgorithms(binary.LittleEndian.Uint32(b[24:])),
		SAOffloadCapacity:        binary.LittleEndian.Uint32(b[28:]),
	}
	for i, set := range c.bools() {
		*set = b[4+i] != 0
	}
	return nil
}

// Check returns the rules of consistency that the record breaks, or nil
// (CAP-2, CAP-6). A record that is all zero breaks none.
func (c Capabilities) Check() error {
	var errs []error
	rule := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("capability record: "+format, args...))
		}
	}
	rule(c.ESP || c.EncryptionAlgorithms == 0, "EncryptionAlgorithms %v without Esp", c.EncryptionAlgorithms)
	rule(c.ESP || c.UDPESP == 0, "UdpEsp %v without Esp", c.UDPESP)
	rule(!c.AHESPCombined || c.AH && c.ESP, "AhEspCombined without Ah and Esp")
	rule(!c.TransportTunnelCombined || c.Transport && c.Tunnel, "TransportTunnelCombined without Transport and Tunnel")
	rule(c.UDPESP&UDPTransport == 0 || c.Transport, "UdpEsp %v without Transport", UDPTransport)
	rule(c.UDPESP&UDPTunnel == 0 || c.Tunnel, "UdpEsp %v without Tunnel", UDPTunnel)
	nested := c.UDPESP & (TransportInUDPTunnel | UDPTransportInTunnel)
	rule(nested == 0 || c.TransportTunnelCombined, "UdpEsp %v without TransportTunnelCombined", nested)
	gmac := c.AuthenticationAlgorithms & authenticationGMAC
	rule(gmac == 0 || !c.ESP || c.EncryptionAlgorithms&EncryptionNull != 0, "%v and Esp without the cipher NULL", gmac)
	if c != (Capabilities{}) {
		rule(c.AH || c.ESP, "neither Ah nor Esp, and not all zero")
		rule(c.Tunnel, "no Tunnel, which is mandatory")
		rule(c.Encapsulation&EncapsulationEthernet != 0, "Encapsulation %v without Ethernet, which is mandatory", c.Encapsulation)
		rule(c.SAOffloadCapacity > 0, "SaOffloadCapacity 0")
	}
	return errors.Join(errs...)
}

// SubsetOf says whether c offers nothing that all does not (CAP-1: current and
// default are subsets of hardware).
func (c Capabilities) SubsetOf(all Capabilities) bool { return c.Intersect(all) == c }

// Intersect returns what both offer: what a team of adapters may advertise. The
// capacity is the smaller one. The result passes Check if both do.
func (c Capabilities) Intersect(other Capabilities) Capabilities {
	theirs := other.bools()
	for i, set := range c.bools() {
		*set = *set && *theirs[i]
	}
	c.Encapsulation &= other.Encapsulation
	c.UDPESP &= other.UDPESP
	c.AuthenticationAlgorithms &= other.AuthenticationAlgorithms
	c.EncryptionAlgorithms &= other.EncryptionAlgorithms
	c.SAOffloadCapacity = min(c.SAOffloadCapacity, other.SAOffloadCapacity)
	return c.consistent()
}

// consistent drops what the rest of the record does not bear: the rules of
// Check, and protocols without an algorithm.
func (c Capabilities) consistent() Capabilities {
	if c.EncryptionAlgorithms == 0 {
		c.ESP = false
	}
	if !c.ESP {
		c.EncryptionAlgorithms, c.UDPESP = 0, 0
	}
	if c.ESP && c.EncryptionAlgorithms&EncryptionNull == 0 {
		c.AuthenticationAlgorithms &^= authenticationGMAC
	}
	if c.AuthenticationAlgorithms == 0 {
		c.AH = false
		if c.EncryptionAlgorithms &= encryptionGCM; c.EncryptionAlgorithms == 0 {
			// Ciphers that need a separate integrity algorithm.
			c.ESP, c.UDPESP = false, 0
		}
	}
	if !c.AH || !c.ESP {
		c.AHESPCombined = false
	}
	if !c.Transport || !c.Tunnel {
		c.TransportTunnelCombined = false
	}
	if !c.Transport {
		c.UDPESP &^= UDPTransport
	}
	if !c.TransportTunnelCombined {
		c.UDPESP &^= TransportInUDPTunnel | UDPTransportInTunnel
	}
	if !c.AH && !c.ESP || !c.Tunnel || c.Encapsulation&EncapsulationEthernet == 0 || c.SAOffloadCapacity == 0 {
		return Capabilities{}
	}
	return c
}

// HardwareRecord builds the capability record of a NIC. What the record's rules
// forbid to advertise is left out; a NIC without IPv4, tunnel mode, Ethernet or
// room for SAs offers nothing.
func HardwareRecord(hw *driver.Capabilities) Capabilities {
	if !hw.IPv4 {
		return Capabilities{} // the record cannot say IPv6 only
	}
	return Capabilities{
		Encapsulation:                Encapsulation(hw.EncapsulationMask),
		IPv6Supported:                hw.IPv6,
		IPv4Options:                  hw.IPv4Options,
		IPv6NonIPsecExtensionHeaders: hw.IPv6ExtHeaders && hw.IPv6,
		AH:                           hw.AH,
		ESP:                          hw.ESP,
		AHESPCombined:                hw.AHESP,
		Transport:                    hw.Transport,
		Tunnel:                       hw.Tunnel,
		TransportTunnelCombined:      hw.TransportTunnel,
		LSOSupported:                 hw.LSO,
		ExtendedSequenceNumbers:      hw.ESN,
		UDPESP:                       UDPEncapsulation(hw.UDPESP) & 0xF,
		AuthenticationAlgorithms:     AuthenticationAlgorithms(hw.Authentication) & authenticationAll,
		EncryptionAlgorithms:         EncryptionAlgorithms(hw.Encryption) & encryptionAll,
		SAOffloadCapacity:            uint32(max(0, hw.SACapacity)),
	}.consistent()
}

// driven leaves of a NIC's capabilities what package driver can ask of it:
// advertising more would be a promise that no ADD_SA could keep.
func driven(hw driver.Capabilities) driver.Capabilities {
	hw.Encryption &= uint16(encryptionGCM)
	if !slices.Contains(hw.ICVLengths, icvLength) {
		hw.Encryption = 0
	}
	hw.Authentication = 0
	hw.AH, hw.AHESP, hw.TransportTunnel, hw.LSO = false, false, false, false
	hw.UDPESP = 0
	return hw
}

// filtered is the record with a setting of IPsec and of large send applied.
func (c Capabilities) filtered(ipsec IPsecSetting, lso bool) Capabilities {
	c.AH = c.AH && ipsec.ah()
	c.ESP = c.ESP && ipsec.esp()
	c.LSOSupported = c.LSOSupported && lso
	return c.consistent()
}

// Filtered is the record that is left of hardware capabilities under keywords:
// the default configuration (CAP-1). With IPv6Supported the keyword
// *IPsecOffloadV2 counts, else *IPsecOffloadV2IPv4.
func (c Capabilities) Filtered(k Keywords) Capabilities {
	return c.filtered(k.ipsec(c.IPv6Supported), k.lso(c.IPv6Supported))
}

// Offload is the part of NDIS_OFFLOAD that concerns IPsec.
type Offload struct {
	IPsecV2 Capabilities
	// Flags: the NICs of this project have no checksum offload, so the
	// coexistence flags are clear.
	Flags OffloadFlags
}
