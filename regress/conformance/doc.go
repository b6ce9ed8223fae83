// SPDX-License-Identifier: Apache-2.0

// Package conformance holds a NIC and its driver to the requirements of NDIS
// IPsec Offload Version 2. The requirements are data (ipsecov2.yaml, one row for
// each), the checks that show them are functions of this package, and Run joins
// the two for one kind of NIC.
//
// A check gets NICs under test, each with the far end of its wire, and plays
// both the host and the peer. As peer it uses the golden model's packet half,
// hwmodel/esp, which shares no code with driver or RTL.
//
// Requirements that come from Microsoft and decisions that Espalier took where
// Microsoft says nothing are counted apart, everywhere.
package conformance
