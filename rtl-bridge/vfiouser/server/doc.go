// SPDX-License-Identifier: Apache-2.0

// Package server presents a PCI device on a vfio-user socket: to QEMU (-device
// vfio-user-pci), to cloud-hypervisor, SPDK and libvfio-user's clients, or to a
// userspace driver.
//
// The device is anything that implements Device: it answers accesses to its regions
// (BARs, configuration space, ROM), reaches the client's memory and raises
// interrupts through a Host. The server does the rest: negotiation, the table of the
// client's memory, eventfds, posted commands, clients that come one after another or
// die in the middle of a message.
//
// # Memory and order
//
// A client shares its memory by file descriptor, and then the device's accesses go to
// that file (mapped where the range is large, else by system calls; a file that the
// client makes shorter is an error, not a crash): they are done when ReadDMA or WriteDMA
// returns, whatever the client is doing. Without a descriptor an access is a message to
// the client, and a virtual machine monitor such as QEMU acts on it only while its
// processors do not wait for an answer of the device (message mode).
// From this follow the rules that the server keeps and those left to the device:
//
//   - No message is sent while a command of the client is unanswered. ReadDMA and
//     WriteDMA wait for that moment, so a region handler must never wait for them;
//     TryReadDMA and TryWriteDMA give up instead.
//   - A write is answered by the client before WriteDMA returns. A device that
//     raises an interrupt after WriteDMA has returned is seen in that order.
//   - "A read flushes earlier writes" cannot be kept in message mode: a write that
//     waits for the client's read to be answered is seen after the read's answer.
//
// A client that acts on messages at any moment and says so when it negotiates
// (protocol.Capabilities.WhileWaiting; package client does) gets them at once, and
// none of these restrictions holds: a read flushes earlier writes there too.
//
// The server warns when a client maps memory without a descriptor.
package server
