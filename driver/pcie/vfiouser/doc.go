// SPDX-License-Identifier: Apache-2.0

// Package vfiouser opens a NIC that another process presents on a vfio-user
// socket, "espalier serve" for one, as a pcie.Function.
//
// DMA memory is shared with the server by descriptor. Writes to BARs are posted;
// reads wait for the server's answer, which comes after everything that was written
// before. How many clock cycles the device makes meanwhile is its own affair, so
// the Function is not a simulation to its user (pcie.Info.Simulated is false).
package vfiouser
