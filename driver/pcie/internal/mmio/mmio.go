// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

// Package mmio accesses device memory that is mapped into this process: each
// access happens once, with exactly its width, little-endian, in program order
// with those to memory.
package mmio

import (
	"runtime/debug"
	"unsafe"
)

// Supported says whether this processor's ordering rules are known here. Where
// they are not, device memory is reached through the kernel.
const Supported = true

// Load reads len(p) bytes, 1, 2, 4 or 8 of them, naturally aligned. It reports
// false if the memory does not answer the processor: it is disabled, the
// mapping was withdrawn, the file behind it cut off.
func Load(p []byte) (v uint64, ok bool) {
	defer recovered(debug.SetPanicOnFault(true), &ok)
	at := unsafe.Pointer(unsafe.SliceData(p))
	switch len(p) {
	case 1:
		v = uint64(load8(at))
	case 2:
		v = uint64(load16(at))
	case 4:
		v = uint64(load32(at))
	default:
		v = load64(at)
	}
	afterLoad()
	return v, true
}

// Store writes len(p) bytes like Load, after all earlier writes to memory are
// visible to the device.
func Store(p []byte, v uint64) (ok bool) {
	defer recovered(debug.SetPanicOnFault(true), &ok)
	at := unsafe.Pointer(unsafe.SliceData(p))
	beforeStore()
	switch len(p) {
	case 1:
		store8(at, uint8(v))
	case 2:
		store16(at, uint16(v))
	case 4:
		store32(at, uint32(v))
	default:
		store64(at, v)
	}
	return true
}

// recovered ends an access: a memory fault becomes *ok = false.
func recovered(before bool, ok *bool) {
	debug.SetPanicOnFault(before)
	if r := recover(); r != nil {
		if _, isFault := r.(interface{ Addr() uintptr }); !isFault {
			panic(r)
		}
		*ok = false
	}
}

// The accesses are functions that are not inlined, so that the compiler neither
// merges nor moves nor drops them. They are not package atomic's, whose stores
// are exchanges on some processors: those read the device too. The race detector
// leaves them alone: several goroutines may access one register.

//go:noinline
//go:norace
func load8(p unsafe.Pointer) uint8 { return *(*uint8)(p) }

//go:noinline
//go:norace
func load16(p unsafe.Pointer) uint16 { return *(*uint16)(p) }

//go:noinline
//go:norace
func load32(p unsafe.Pointer) uint32 { return *(*uint32)(p) }

//go:noinline
//go:norace
func load64(p unsafe.Pointer) uint64 { return *(*uint64)(p) }

//go:noinline
//go:norace
func store8(p unsafe.Pointer, v uint8) { *(*uint8)(p) = v }

//go:noinline
//go:norace
func store16(p unsafe.Pointer, v uint16) { *(*uint16)(p) = v }

//go:noinline
//go:norace
func store32(p unsafe.Pointer, v uint32) { *(*uint32)(p) = v }

//go:noinline
//go:norace
func store64(p unsafe.Pointer, v uint64) { *(*uint64)(p) = v }
