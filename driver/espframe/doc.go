// SPDX-License-Identifier: Apache-2.0

// Package espframe is the host's half of ESP crypto offload. A Framer turns a
// plain Ethernet frame or IP packet into the frame that a NIC encrypts and
// authenticates in place: all headers, room for the IV, the payload with its
// RFC 4303 trailer, room for the ICV. Strip undoes it on a received frame that
// the NIC has verified and decrypted.
//
// The layout of a framed packet, whose ESP header starts at Info.ESPOffset:
//
//	Ethernet | IP (outer) | SPI, sequence number | IV | payload, padding, Pad Length, Next Header | ICV
//	      14 |   20 or 40 |                    8 |  8 |                     P, a multiple of 4     |  16
//
// In transport mode the IP header is the packet's own with length, protocol and
// checksum changed; in tunnel mode it is a new one and the payload is the whole
// packet. Sequence numbers are the host's (RFC 4303, section 2.2; IPsecOV2
// leaves them to it): a Framer counts them and refuses to wrap.
//
// Everything works on slices of the caller and allocates nothing when it
// succeeds. The package shares no code with the golden model in hwmodel/esp,
// which judges its output.
package espframe
