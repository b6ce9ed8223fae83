// SPDX-License-Identifier: Apache-2.0

// Package client is a vfio-user client: it uses a PCI device that another process
// presents on a Unix socket. Servers are libvfio-user's and what is built on it
// (SPDK's targets among them), package server of this project, and others.
//
// A client connects with Dial, reads and writes regions (BARs, configuration
// space), binds interrupts to eventfds and gives the device memory of its own,
// which the server reaches through the descriptor that comes with it or, without
// one, by messages that the client answers. Constants (region and interrupt
// indices, error numbers) are those of package protocol. Linux only.
//
// # Whom it trusts
//
// Nothing that comes from the server is trusted: sizes, identifiers, counts,
// offsets and descriptors are checked, memory outside the client's own mappings is
// out of reach, and a server that breaks the protocol, closes the connection or
// does not answer in time ends the connection. One thing cannot be guarded against
// here: a server that truncates the file of a region that was mapped makes accesses
// to the mapping fail with SIGBUS (see runtime/debug.SetPanicOnFault).
//
// # Who reads the socket
//
// Each caller that waits for a reply may read the socket itself, handing other
// callers their replies and serving the server's own commands in between. One at a
// time does. While nobody calls, a goroutine of the client's waits for the server's
// commands. This saves every call two changes of goroutine and costs the server's
// commands at most a fraction of a millisecond now and then. A caller whose reply was
// quick last time looks for the next one for some microseconds before it sleeps.
package client
