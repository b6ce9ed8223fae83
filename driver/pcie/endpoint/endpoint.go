// SPDX-License-Identifier: Apache-2.0

// Package endpoint models what a PCIe endpoint block puts in front of a
// device's logic: configuration space with its capabilities, BAR sizing, the
// MSI-X table with masks and pending bits, and function-level reset. Devices
// that live in this process (loaded RTL, the Go NIC) share it, so that a driver
// meets the same function in front of each.
//
// The function is a type 0 header with PCI power management, MSI-X and PCI
// Express capabilities. Its own memory is in 64-bit non-prefetchable BARs; BAR 4
// holds the MSI-X table and pending bit array. There are no INTx interrupts.
// Section numbers in comments are those of the PCI Express Base Specification 5.0.
package endpoint

import (
	"fmt"
	"math/bits"
	"sync"

	"github.com/espalier-nic/espalier/driver/pcie"
)

// MSIXBAR is the BAR that holds the MSI-X table and pending bit array.
const MSIXBAR = 4

// MaxVectors is the largest MSI-X table (7.7.2.2).
const MaxVectors = 2048

// Message is one MSI-X interrupt leaving the endpoint.
type Message struct {
	Vector  int
	Address uint64
	Data    uint32
}

// Config says which function an Endpoint stands for.
type Config struct {
	VendorID, DeviceID, SubsystemVendorID, SubsystemID uint16
	// Class is the 24-bit class code.
	Class    uint32
	Revision uint8
	// BAR0 and BAR2 are the sizes in bytes of the device's own memory: 0
	// for none, else a power of two of at least 4096.
	BAR0, BAR2 uint64
	// Vectors is the size of the MSI-X table, 1 to MaxVectors.
	Vectors int

	// The functions below are called with no lock of the Endpoint held, on
	// the goroutine whose call caused them, before that call returns. Nil
	// ones are skipped.

	// Deliver receives each interrupt that is sent.
	Deliver func(Message)
	// Reset resets the device's logic: a function-level reset has begun and
	// the endpoint's own state is already that after power-up.
	Reset func()
	// BusMaster is told when the device's right to reach host memory changes.
	// It is off after New.
	BusMaster func(enabled bool)
}

// Endpoint is one function's endpoint block. All methods may be called from
// several goroutines at once.
type Endpoint struct {
	config Config
	msix   msixLayout

	mu    sync.Mutex
	space configSpace
	table []tableEntry
	// pending are the bits of the pending bit array.
	pending []uint64
	// master is the bus mastering that was last reported.
	master bool
	resets uint64
}

// New returns an endpoint as after power-up.
func New(config Config) (*Endpoint, error) {
	for _, bar := range []struct {
		number int
		size   uint64
	}{{0, config.BAR0}, {2, config.BAR2}} {
		if bar.size != 0 && (bar.size < 4096 || bits.OnesCount64(bar.size) != 1) {
			return nil, fmt.Errorf("endpoint: size %d of BAR %d is not a power of two of at least 4096", bar.size, bar.number)
		}
	}
	if config.Vectors < 1 || config.Vectors > MaxVectors {
		return nil, fmt.Errorf("endpoint: %d interrupt vectors, allowed are 1 to %d", config.Vectors, MaxVectors)
	}
	if config.Class > 0xFFFFFF {
		return nil, fmt.Errorf("endpoint: class %#x has more than 24 bits", config.Class)
	}
	e := &Endpoint{config: config, msix: layoutMSIX(config.Vectors)}
	e.powerUp()
	return e, nil
}

// powerUp gives the endpoint's state its values after power-up.
func (e *Endpoint) powerUp() {
	e.space = newConfigSpace(&e.config, e.msix)
	e.table = make([]tableEntry, e.config.Vectors)
	for i := range e.table {
		e.table[i].control = vectorMasked
	}
	e.pending = make([]uint64, (e.config.Vectors+63)/64)
}

// Info returns the function's identity; the caller adds Location and Simulated.
func (e *Endpoint) Info() pcie.Info {
	info := pcie.Info{
		VendorID:          e.config.VendorID,
		DeviceID:          e.config.DeviceID,
		SubsystemVendorID: e.config.SubsystemVendorID,
		SubsystemID:       e.config.SubsystemID,
		Class:             e.config.Class,
		Revision:          e.config.Revision,
		Vectors:           e.config.Vectors,
	}
	info.BARs[0] = e.config.BAR0
	info.BARs[2] = e.config.BAR2
	info.BARs[MSIXBAR] = e.msix.size
	return info
}

// ConfigRead reads width (1, 2 or 4) bytes of configuration space.
func (e *Endpoint) ConfigRead(offset, width int) (uint32, error) {
	if err := checkConfig(offset, width); err != nil {
		return 0, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.space.read(offset, width), nil
}

// ConfigWrite writes width (1, 2 or 4) bytes of configuration space. Writes to
// read-only bits have no effect.
func (e *Endpoint) ConfigWrite(offset, width int, value uint32) error {
	if err := checkConfig(offset, width); err != nil {
		return err
	}
	e.mu.Lock()
	e.space.write(offset, width, value)
	if e.space.resetRequested() {
		e.mu.Unlock()
		e.FunctionReset()
		return nil
	}
	after := e.settle()
	e.mu.Unlock()
	after.run(e)
	return nil
}

func checkConfig(offset, width int) error {
	if width != 1 && width != 2 && width != 4 {
		return fmt.Errorf("configuration space access of %d bytes, allowed are 1, 2 and 4: %w", width, pcie.ErrRange)
	}
	if offset < 0 || offset > configSize-width || offset%width != 0 {
		return fmt.Errorf("configuration space offset %#x, width %d: %w", offset, width, pcie.ErrRange)
	}
	return nil
}

// MemoryEnabled says whether the function answers accesses to its BARs: Memory
// Space Enable is set and the power state is D0. Where it does not, a PCIe
// host's reads give all ones and its writes are lost.
func (e *Endpoint) MemoryEnabled() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.space.memoryEnabled()
}

// BusMaster says whether the function may reach host memory: Bus Master Enable
// is set and the power state is D0.
func (e *Endpoint) BusMaster() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.space.busMaster()
}

// Enable sets Memory Space Enable and Bus Master Enable, as an operating
// system does when a driver takes the function.
func (e *Endpoint) Enable() {
	e.mu.Lock()
	e.space.setCommand(commandMemory | commandMaster)
	after := e.settle()
	e.mu.Unlock()
	after.run(e)
}

// FunctionReset performs a function-level reset (6.6.2), as setting Initiate
// Function Level Reset does. The command register and the MSI-X table are
// as after power-up afterwards; whoever called it restores what is needed.
func (e *Endpoint) FunctionReset() {
	e.mu.Lock()
	e.powerUp()
	e.resets++
	after := e.settle()
	e.mu.Unlock()
	after.run(e)
	if e.config.Reset != nil {
		e.config.Reset()
	}
}

// Resets returns how many function-level resets there were, by whatever way.
func (e *Endpoint) Resets() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.resets
}

// effects are calls that a change of state asks for, made once no lock is held.
type effects struct {
	masterChanged bool
	master        bool
	messages      []Message
}

// settle brings what depends on the state into line with it and returns the
// calls to make. e.mu is held.
func (e *Endpoint) settle() effects {
	var after effects
	if master := e.space.busMaster(); master != e.master {
		e.master = master
		after.masterChanged, after.master = true, master
	}
	after.messages = e.sendPending()
	return after
}

func (a effects) run(e *Endpoint) {
	if a.masterChanged && e.config.BusMaster != nil {
		e.config.BusMaster(a.master)
	}
	if e.config.Deliver == nil {
		return
	}
	for _, m := range a.messages {
		e.config.Deliver(m)
	}
}
