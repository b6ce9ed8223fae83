// SPDX-License-Identifier: Apache-2.0

package pcie

import "errors"

// Errors that callers decide on; implementations wrap them.
var (
	// ErrClosed: the function was closed.
	ErrClosed = errors.New("function is closed")
	// ErrRemoved: the device does not answer any more.
	ErrRemoved = errors.New("device is gone (reads return all ones)")
	// ErrNoInterrupts: this way of access has no interrupts; poll instead.
	ErrNoInterrupts = errors.New("no interrupts on this kind of access, poll instead")
	// ErrRange: an offset is not aligned or outside the BAR or configuration space.
	ErrRange = errors.New("offset is outside or not aligned")
	// ErrNoMemory: DMA memory could not be had.
	ErrNoMemory = errors.New("no DMA memory")
	// ErrTimeout: the device did not answer in time.
	ErrTimeout = errors.New("device did not answer in time")
)
