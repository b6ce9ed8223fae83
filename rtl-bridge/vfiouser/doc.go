// SPDX-License-Identifier: Apache-2.0

// Package vfiouser presents an Espalier NIC as a PCI device on a vfio-user
// socket: simulated RTL (RTL) and the NIC in Go (GoNIC), each a server.Device. To a
// client both are the function of docs/nic-contract.md, in configuration space as
// in BARs.
//
// Interrupts have two masters on this bus. QEMU keeps the MSI-X table from its
// guest: a vector is unmasked when it has an eventfd, and the capability's control
// word is written to configuration space. A userspace driver does the first only.
// So a vector with an eventfd is unmasked, and the first one enables MSI-X where
// configuration space does not say so; a vector without is masked, and what the
// NIC has to tell stays pending. Table and pending bit array can still be
// accessed through their BAR.
package vfiouser
