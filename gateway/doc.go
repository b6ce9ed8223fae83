// SPDX-License-Identifier: Apache-2.0

// Package gateway is an IPsec gateway whose ESP is done by a NIC: plain frames
// come from and go to a port of this machine, such as a TAP device; the NIC's
// Ethernet wire is the other side.
//
// What happens to a packet is decided by policies (RFC 4301, section 4.4.1), the
// first that matches its addresses and protocol: protect it with an SA, bypass
// or discard it. Frames are built by driver/espframe, encrypted and decrypted by
// the NIC, and received sequence numbers are judged here (RFC 4303, section
// 3.4.3), as IPsec Offload Version 2 leaves it to the host.
//
// The Ethernet header of a plain frame is kept, also in tunnel mode: whoever
// sends the frame has resolved its next hop. ARP and IPv6 neighbour discovery
// pass in both directions, unless Config says otherwise.
//
// New installs the SAs, Run carries traffic until its context ends, Close takes
// everything back.
package gateway
