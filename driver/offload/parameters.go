// SPDX-License-Identifier: Apache-2.0

package offload

import "fmt"

// Parameters is OID_TCP_OFFLOAD_PARAMETERS: what to switch on or off at run
// time. The zero value changes nothing.
type Parameters struct {
	// IPsecV2 is for NICs with IPv4 and IPv6, IPsecV2IPv4 for NICs with IPv4
	// only; the other one is ignored (CFG-3). 0 no change, 1 off, 2 AH,
	// 3 ESP, 4 AH and ESP.
	IPsecV2, IPsecV2IPv4 uint8
	// LSOV2IPv4 and LSOV2IPv6: 0 no change, 1 off, 2 on.
	LSOV2IPv4, LSOV2IPv6 uint8

	// The rest is checked and otherwise of no effect: no NIC of this project
	// has these offloads. 0 no change, 1 off, then the kinds of on.
	IPv4Checksum                         uint8 // to 4
	TCPIPv4Checksum, TCPIPv6Checksum     uint8 // to 4
	UDPIPv4Checksum, UDPIPv6Checksum     uint8 // to 4
	LSOV1                                uint8 // to 2
	IPsecV1                              uint8 // to 4
	TCPConnectionIPv4, TCPConnectionIPv6 uint8 // to 2
	RSCIPv4, RSCIPv6                     uint8 // to 2
	EncapsulatedPacketTaskOffload        uint8 // to 2
	EncapsulationTypes                   uint8 // a mask of VXLAN (2) and NVGRE (1)

	// Flags: 1 skips the registry write, which is NDIS's business (NDIS 6.30).
	Flags uint32
}

// SkipRegistryUpdate is the flag of Parameters that the header defines although
// the documents say that there is none.
const SkipRegistryUpdate uint32 = 1

// check refuses values that are not defined (CFG-2).
func (p *Parameters) check() error {
	for _, v := range []struct {
		field      string
		value, max uint8
	}{
		{"IPv4Checksum", p.IPv4Checksum, 4},
		{"TCPIPv4Checksum", p.TCPIPv4Checksum, 4},
		{"UDPIPv4Checksum", p.UDPIPv4Checksum, 4},
		{"TCPIPv6Checksum", p.TCPIPv6Checksum, 4},
		{"UDPIPv6Checksum", p.UDPIPv6Checksum, 4},
		{"LsoV1", p.LSOV1, 2},
		{"IPsecV1", p.IPsecV1, 4},
		{"LsoV2IPv4", p.LSOV2IPv4, 2},
		{"LsoV2IPv6", p.LSOV2IPv6, 2},
		{"TcpConnectionIPv4", p.TCPConnectionIPv4, 2},
		{"TcpConnectionIPv6", p.TCPConnectionIPv6, 2},
		{"IPsecV2", p.IPsecV2, 4},
		{"IPsecV2IPv4", p.IPsecV2IPv4, 4},
		{"RscIPv4", p.RSCIPv4, 2},
		{"RscIPv6", p.RSCIPv6, 2},
		{"EncapsulatedPacketTaskOffload", p.EncapsulatedPacketTaskOffload, 2},
		{"EncapsulationTypes", p.EncapsulationTypes, 3},
	} {
		if v.value > v.max {
			return refuse(StatusInvalidData, v.field, v.value, fmt.Sprintf("0 to %d", v.max))
		}
	}
	if p.Flags&^SkipRegistryUpdate != 0 {
		return refuse(StatusInvalidData, "Flags", fmt.Sprintf("%#x", p.Flags), "0 and 1")
	}
	return nil
}

// Values of EncapsulationParameters.Enabled.
const (
	EncapsulationNoChange uint32 = 0
	EncapsulationOn       uint32 = 1
	EncapsulationOff      uint32 = 2
)

// EncapsulationParameters switches all configured offloads of one IP version.
type EncapsulationParameters struct {
	// Enabled: 0 no change, 1 on, 2 off.
	Enabled uint32
	// Type is Ethernet or LLC/SNAP.
	Type Encapsulation
	// HeaderSize is the bytes of the link-layer header; not used.
	HeaderSize uint32
}

// EncapsulationSetting is OID_OFFLOAD_ENCAPSULATION.
type EncapsulationSetting struct {
	IPv4, IPv6 EncapsulationParameters
}

// EthernetOn is the setting that activates everything, EthernetOff the one that
// deactivates it.
var (
	EthernetOn = EncapsulationSetting{
		IPv4: EncapsulationParameters{EncapsulationOn, EncapsulationEthernet, 14},
		IPv6: EncapsulationParameters{EncapsulationOn, EncapsulationEthernet, 14},
	}
	EthernetOff = EncapsulationSetting{
		IPv4: EncapsulationParameters{EncapsulationOff, EncapsulationEthernet, 14},
		IPv6: EncapsulationParameters{EncapsulationOff, EncapsulationEthernet, 14},
	}
)

// check refuses a framing for which no offload works (CFG-6).
func (s *EncapsulationSetting) check(framings Encapsulation) error {
	for _, v := range []struct {
		version string
		p       EncapsulationParameters
	}{{"IPv4", s.IPv4}, {"IPv6", s.IPv6}} {
		if v.p.Enabled > EncapsulationOff {
			return refuse(StatusInvalidParameter, v.version+".Enabled", v.p.Enabled, "0 (no change), 1 (on) and 2 (off)")
		}
		one := v.p.Type != 0 && v.p.Type&(v.p.Type-1) == 0
		if v.p.Enabled == EncapsulationOn && (!one || framings&v.p.Type == 0) {
			return refuse(StatusInvalidParameter, v.version+".EncapsulationType", fmt.Sprintf("%#x", uint32(v.p.Type)), "one of: "+framings.String())
		}
	}
	return nil
}
