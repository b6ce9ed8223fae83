// SPDX-License-Identifier: Apache-2.0

// Package pcie is what a userspace driver needs of one PCIe function, whatever
// is behind it: a card reached through VFIO or sysfs, a vfio-user socket, RTL
// loaded into this process, or a model in Go. Package pcietest holds the suite
// that every implementation passes.
package pcie

import (
	"context"
	"time"
)

// Function is one PCIe function, opened for exclusive use.
//
// Methods may be called from several goroutines at once. After Close every
// other method, BARs' included, returns ErrClosed; operations that wait return it promptly. When the
// device has gone (surprise removal: reads of all ones from configuration
// space) methods return an error for which errors.Is(err, ErrRemoved) holds.
type Function interface {
	// Info describes the function as found when it was opened.
	Info() Info

	// ConfigRead reads width (1, 2 or 4) bytes of configuration space at a
	// naturally aligned offset below 4096.
	ConfigRead(offset int, width int) (uint32, error)
	// ConfigWrite writes them.
	ConfigWrite(offset int, width int, value uint32) error

	// BAR returns base address register n, 0 to 5. A BAR that the function
	// does not have is an error. The result is valid until Close.
	BAR(n int) (BAR, error)

	// AllocDMA allocates size bytes (rounded up to the page size) of zeroed
	// memory outside the Go heap and makes them reachable for the device at
	// Memory.IOVA. The device sees one contiguous range.
	AllocDMA(size int) (*Memory, error)
	// FreeDMA withdraws the device's access and then unmaps the memory. A
	// later access by the device is a fault, never a write to something else.
	// m.Bytes is nil afterwards.
	FreeDMA(m *Memory) error

	// SetVectors enables interrupt vectors 0 to n-1; 0 disables interrupts.
	// Interrupts that no WaitInterrupt has taken are forgotten. More than
	// Info().Vectors is an error.
	SetVectors(n int) error
	// WaitInterrupt waits until vector v has been raised since the last
	// WaitInterrupt on it, and returns how many times (at least 1; times that
	// were merged in transit count once). Implementations without interrupts
	// return ErrNoInterrupts at once. One goroutine at a time per vector.
	WaitInterrupt(ctx context.Context, v int) (uint64, error)
	// MaskVector masks or unmasks vector v where interrupts originate. A
	// masked vector is remembered as pending and delivered when unmasked.
	MaskVector(v int, masked bool) error

	// Relax is called in loops that poll memory or registers. On hardware it
	// yields for a moment, in lock-step simulation it lets time pass, at most
	// max of the device's clock cycles (0: the implementation's choice) or
	// until the device does something that software could see.
	Relax(ctx context.Context, max uint64) error

	// Faults takes the accesses by the device that were refused, oldest first,
	// as far as the implementation can know them.
	Faults() ([]Fault, error)

	// Reset performs a function-level reset: BAR contents and interrupts
	// return to their power-up state, DMA mappings stay.
	Reset(ctx context.Context) error

	// Close ends all use and frees DMA memory that is left. Further calls do
	// nothing and return nil.
	Close() error
}

// Info identifies a function.
type Info struct {
	// Location is how to name the function to a user: a PCI address
	// ("0000:03:00.0"), "sim:PATH", "gonic".
	Location string
	// VendorID, DeviceID, SubsystemVendorID, SubsystemID and Revision are the
	// configuration header's; Class is its 24-bit class code.
	VendorID, DeviceID, SubsystemVendorID, SubsystemID uint16
	Class                                              uint32
	Revision                                           uint8
	// BARs are the sizes of BAR 0 to 5 in bytes, 0 where there is none.
	BARs [6]uint64
	// Vectors is the number of interrupt vectors (MSI-X table size).
	Vectors int
	// Simulated says that time passes only through this interface.
	Simulated bool
}

// BAR is a base address register's memory. Offsets must be naturally aligned
// and inside the BAR, else ErrRange. Accesses are little-endian, happen once,
// in program order and with exactly that width. A write reaches the device
// after all earlier writes of the calling goroutine to DMA memory are visible
// to it; so a doorbell needs no barrier of its own. A read that the device
// answers with an error yields all ones and no error, as on PCIe.
type BAR interface {
	Size() uint64
	Read8(offset uint64) (uint8, error)
	Read16(offset uint64) (uint16, error)
	Read32(offset uint64) (uint32, error)
	Read64(offset uint64) (uint64, error)
	Write8(offset uint64, v uint8) error
	Write16(offset uint64, v uint16) error
	Write32(offset uint64, v uint32) error
	Write64(offset uint64, v uint64) error
	// Map returns the BAR's memory mapped into this process, or nil where it
	// cannot be. Slices of it are for package sync/atomic and unsafe loads.
	Map() []byte
}

// Memory is host memory that the device can reach. It is not Go-heap memory:
// it never moves, and it is gone after FreeDMA.
type Memory struct {
	// Bytes is the memory as this process sees it.
	Bytes []byte
	// IOVA is the address of Bytes[0] for the device.
	IOVA uint64
	// Handle is the implementation's own; users leave it alone.
	Handle any
}

// Fault is an access by the device that was refused.
type Fault struct {
	IOVA  uint64
	Size  int
	Write bool
	// Cycle is the device's clock cycle (simulation), 0 where unknown.
	Cycle uint64
	// Time is when the fault was noticed; zero in simulation.
	Time time.Time
}

// Clocked is implemented by functions that know their clock cycle: simulations.
type Clocked interface {
	// Cycle returns the clock cycles since power-up.
	Cycle() uint64
}
