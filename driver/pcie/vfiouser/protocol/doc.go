// SPDX-License-Identifier: Apache-2.0

// Package protocol is the vfio-user protocol: how a program that presents a PCI
// device (the server) and one that uses it (the client, a virtual machine monitor
// or a userspace driver) talk over a Unix stream socket.
//
// It has the messages, encoded explicitly little-endian with sizes that are never
// trusted, the negotiation of versions and capabilities, and Conn, one end of the
// socket. Both ends may have commands under way at the same time; a Conn that waits
// for a reply always takes in its peer's commands.
//
// The protocol is described in QEMU's docs/interop/vfio-user.rst; structures and
// numbers that it takes from VFIO are those of Linux's include/uapi/linux/vfio.h.
package protocol
