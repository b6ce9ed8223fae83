// SPDX-License-Identifier: Apache-2.0

// Package driver is the userspace driver of the Espalier NIC. It works on any
// pcie.Function and does not know whether that is a card, simulated RTL or the
// model in Go.
//
// Open checks what the function is, resets it and starts its queues. A NIC then
// has security associations (AddSA and its kin), TX and RX queues, statistics.
// What the hardware does is told in docs/nic-contract.md.
//
// # Buffers
//
// Frames live in DMA memory: take Buffers from a Pool. A buffer belongs to the
// caller until a Post accepts it, then to the NIC until a Poll hands it back.
// The driver never allocates per packet and never copies a frame.
//
// # Concurrency
//
// All methods may be called from several goroutines at once. On one queue the
// posting side and the polling side do not disturb one another: one goroutine
// can post while another waits and polls. SA operations go through the SA window,
// one at a time, or, on a NIC with a control processor, through its mailbox, many
// at a time: none waits for another's end.
//
// # Firmware
//
// On a NIC with a control processor Open loads Options.Firmware where needed. If
// the firmware stops, SA operations fail with ErrFirmware, traffic goes on, and
// LoadFirmware brings SA operations back without losing an SA.
//
// # Time
//
// Only methods with a context wait. Post and Poll never do; in lock-step
// simulation they let no time pass beyond the accesses they make, so a loop
// that polls must call Wait (or pcie.Function.Relax) when it finds nothing.
//
// # Secrets
//
// The driver keeps no key after AddSA returns and clears its copies. Key and
// Salt print as their length only.
package driver
