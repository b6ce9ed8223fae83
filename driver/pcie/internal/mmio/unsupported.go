// SPDX-License-Identifier: Apache-2.0

//go:build !amd64 && !arm64

// Package mmio accesses device memory that is mapped into this process.
package mmio

// Supported says whether this processor's ordering rules are known here. Where
// they are not, device memory is reached through the kernel.
const Supported = false

// Load reads nothing.
func Load([]byte) (v uint64, ok bool) { return 0, false }

// Store writes nothing.
func Store([]byte, uint64) (ok bool) { return false }
