// SPDX-License-Identifier: Apache-2.0

// Package pcietest is the suite that every implementation of pcie.Function
// passes: a card behind VFIO or sysfs, a vfio-user client, loaded RTL, the NIC in
// Go. A driver that works on one of them then works on all.
package pcietest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/espalier-nic/espalier/driver/pcie"
)

// Harness is one implementation under test.
type Harness struct {
	// Open returns a function in its power-up state, for the suite alone.
	// The suite closes it.
	Open func(t testing.TB) pcie.Function
	// Device knows the device behind the function.
	Device Device
	// VendorID and DeviceID are what Info must say.
	VendorID, DeviceID uint16

	// What follows is what a way of access cannot do. A test that leaves something
	// out for it says so in its log, in a line that begins with LeftOut.

	// NoInterrupts: this way of access has none (sysfs). The suite then wants
	// ErrNoInterrupts.
	NoInterrupts bool
	// NoFaults: refused accesses by the device cannot be known (no IOMMU).
	// The suite then makes none.
	NoFaults bool
	// UnseenFaults: accesses by the device are refused, but the function may not
	// come to know of them (VFIO: they are in the kernel's log, which need not be
	// readable).
	UnseenFaults bool
	// FixedBARs: configuration space is the hardware's own, and writing base
	// address registers would move them (sysfs). The suite then leaves them.
	FixedBARs bool
	// Unplug removes the device by surprise; nil where that cannot be done.
	Unplug func(t testing.TB, fn pcie.Function)
}

// LeftOut begins the line in a test's log that names what the test does not look
// at with this implementation.
const LeftOut = "left out: "

// leaveOut logs what a test does not look at.
func leaveOut(t testing.TB, what string) {
	t.Helper()
	t.Log(LeftOut + what)
}

// Device is what the suite must know of a device to make it do things. Methods
// are called with memory decoding and bus mastering enabled; they fail t on
// errors of the function.
type Device interface {
	// Scratch is a 32-bit register that reads as written, 0 after reset, and
	// does nothing.
	Scratch() (bar int, offset uint64)
	// Unmapped is an offset, a multiple of 8, at which nothing answers.
	Unmapped() (bar int, offset uint64)
	// Settle waits until the device has started up after Open or a reset.
	Settle(t testing.TB, fn pcie.Function)
	// Raise makes the device raise interrupt vector v once.
	Raise(t testing.TB, fn pcie.Function, v int)
	// Read makes the device read size bytes (64 to 1024) at iova and says
	// whether it could.
	Read(t testing.TB, fn pcie.Function, iova uint64, size int) bool
	// Write makes the device write 16 bytes, not all zero, at iova, a
	// multiple of 64, and says whether it could.
	Write(t testing.TB, fn pcie.Function, iova uint64) bool
}

// patience bounds what must happen, impatience what must not.
const (
	patience   = 20 * time.Second
	impatience = 50 * time.Millisecond
)

// tests are the suite.
var tests = []struct {
	name string
	run  func(*testing.T, Harness)
}{
	{"Identity", testIdentity},
	{"ConfigRange", testConfigRange},
	{"Command", testCommand},
	{"Capabilities", testCapabilities},
	{"BARSizing", testBARSizing},
	{"BARs", testBARs},
	{"BARRange", testBARRange},
	{"Scratch", testScratch},
	{"Unmapped", testUnmapped},
	{"DMAMemory", testDMAMemory},
	{"DMAErrors", testDMAErrors},
	{"DMAAccess", testDMAAccess},
	{"DMAFaults", testDMAFaults},
	{"BusMaster", testBusMaster},
	{"Interrupts", testInterrupts},
	{"InterruptMask", testInterruptMask},
	{"InterruptErrors", testInterruptErrors},
	{"Relax", testRelax},
	{"Reset", testReset},
	{"Close", testClose},
	{"CloseWhileWaiting", testCloseWhileWaiting},
	{"Unplug", testUnplug},
	{"Concurrency", testConcurrency},
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, h) })
	}
}

// Tests returns the names of the suite's tests, in their order.
func Tests() []string {
	names := make([]string, len(tests))
	for i, test := range tests {
		names[i] = test.name
	}
	return names
}

// open opens and enables a function and closes it at the end of the test.
func (h Harness) open(t testing.TB) pcie.Function {
	t.Helper()
	fn := h.Open(t)
	t.Cleanup(func() {
		if err := fn.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	h.enable(t, fn)
	return fn
}

// enable lets BARs answer and the device reach host memory, as every driver
// does, and waits for the device.
func (h Harness) enable(t testing.TB, fn pcie.Function) {
	t.Helper()
	command := must(fn.ConfigRead(pcie.ConfigCommand, 2))(t)
	ok(t, fn.ConfigWrite(pcie.ConfigCommand, 2, command|pcie.CommandMemory|pcie.CommandBusMaster))
	h.Device.Settle(t, fn)
}

// must returns a function that gives the value or fails the test.
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wants checks that an error is of a kind.
func wants(t testing.TB, what string, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("%s: error is %v, want %v", what, err, kind)
	}
}

// refused checks that there is an error.
func refused(t testing.TB, what string, err error) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", what)
	}
}

// soon returns a context for what must happen.
func soon(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// within runs f and fails if it does not return in time.
func within(t testing.TB, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%s does not return", what)
	}
}
