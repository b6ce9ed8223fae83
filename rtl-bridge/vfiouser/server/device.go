// SPDX-License-Identifier: Apache-2.0

package server

import "os"

// Device is what a Server presents. Its methods are called one at a time, in the
// order in which the client sent its commands. While one runs the client's later
// commands wait, so none may wait for anything that depends on the client.
type Device interface {
	// Describe says what the device has. It is asked when the server starts to
	// listen and for each client.
	Describe() Description

	// Connect is called for each client once it has negotiated, before anything
	// else of it is handled. h is valid until Disconnect returns. An error sends
	// the client away.
	Connect(h *Host) error
	// Disconnect is called when a client that was connected has gone. Its
	// mappings were given to Unmap and its interrupts unbound before.
	Disconnect()

	// ReadRegion fills p from a region, WriteRegion writes p to it. Both are
	// inside the region and in its rights, and p has 1 byte to 1 MiB. An access of
	// 1, 2, 4 or 8 bytes is one access of that width. An error is the client's
	// to see as an error number (a protocol.Errno in it, else EIO).
	ReadRegion(index int, offset uint64, p []byte) error
	WriteRegion(index int, offset uint64, p []byte) error

	// Map tells that client memory has become reachable. It overlaps no other.
	// An error refuses the mapping.
	Map(m Mapping) error
	// Unmap tells that a mapping's memory is not to be reached any more. It must
	// not return before every access under way to the range, by whatever path,
	// has ended: the client uses the memory for something else afterwards.
	// Accesses through Host need no care: the server waits for those in shared
	// memory, and what a message may reach the client decides. Unmap must not wait
	// for a message, which the client may not answer before Unmap has.
	Unmap(m Mapping) error

	// SetVector tells that an interrupt vector has got or lost its eventfd or was
	// masked or unmasked by the client.
	SetVector(index, vector int, bound, masked bool)

	// Reset resets the device as a function-level reset does: mappings and
	// interrupts' eventfds stay.
	Reset() error
}

// Description says what a device has.
type Description struct {
	// Regions are the device's, by VFIO's index: 0 to 5 BARs, 6 ROM, 7
	// configuration space, 8 VGA. A region of size 0 does not exist. At most 100.
	Regions []Region
	// IRQs are the interrupt indices: 0 INTx, 1 MSI, 2 MSI-X, 3 error, 4 request.
	// One with a count of 0 does not exist. At most 50.
	IRQs []IRQ
	// CanReset: Device.Reset does something.
	CanReset bool
}

// Region is one of a device's regions.
type Region struct {
	// Size is in bytes.
	Size               uint64
	Readable, Writable bool
	// File is memory of the region that the client may map, nil for none. Clients
	// post their writes only to devices without such memory. File stays the
	// device's, open while a client is connected.
	File *os.File
	// FileOffset is where the region begins in File; a multiple of 4096.
	FileOffset int64
	// Areas are the parts of the region that may be mapped; none with a File
	// means the whole region.
	Areas []Area
}

// Area is a part of a region. Offset and Size are in bytes, multiples of 4096.
type Area struct{ Offset, Size uint64 }

// IRQ is one of a device's interrupt indices.
type IRQ struct {
	// Count is the number of vectors, 0 to 2048.
	Count int
	// Maskable: the client may mask vectors by command.
	Maskable bool
	// AutoMasked: an interrupt masks its vector (level-triggered interrupts).
	AutoMasked bool
	// NoResize: the client sets up all vectors at once and adds none later.
	NoResize bool
}

// Mapping is a range of client memory that the device may reach.
type Mapping struct {
	// IOVA is the address of the range for the device, Size its size in bytes.
	IOVA, Size uint64
	// File is where the memory is, Offset where in it the range begins. File is
	// nil where the client gave no descriptor, and the memory is reached by
	// messages only (Host.ReadDMA, Host.WriteDMA). It is closed when Unmap returns.
	File               *os.File
	Offset             int64
	Readable, Writable bool
}
