// SPDX-License-Identifier: Apache-2.0

package regress

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/espalier-nic/espalier/driver"
)

// Bed is two opened NICs joined by a wire, or one whose wire comes back to it.
type Bed struct {
	// Sender and Receiver are the same NIC in loopback.
	Sender, Receiver *driver.NIC
	// Device is what is behind them, Build the design's identification.
	Device, Build string
	// Clocked: clock cycles mean something here. Those of a model without
	// timing do not and are left out of results.
	Clocked bool
	// RealTime: time passes by itself, so patience is measured in seconds, not
	// in clock cycles, and no two runs take the same.
	RealTime bool
	// Sight says how much of the wire is seen.
	Sight Sight
	// NotSeen names what a run on this bed cannot judge, for its result.
	NotSeen []string
	// ShortestFrame is the length in bytes to which shorter frames are padded
	// with zeros before they are sent, because the wire would; 0: none are.
	ShortestFrame int
	// Relax lets time pass for both NICs and the wire, about so many clock cycles.
	Relax func(ctx context.Context, cycles uint64) error
	// TakeFrames calls yield for every frame that has crossed from Sender to
	// Receiver since the last call, in order. The frame is valid during the
	// call. nil where Sight is Unseen or InLoopback.
	TakeFrames func(yield func(WireFrame)) error
	// Stamp is the time of a frame that comes now, as in WireFrame; for
	// InLoopback. nil: 0.
	Stamp func() uint64
	// Close ends the NICs and what is behind them.
	Close func() error
}

// Sight says how the frames on the wire of a bed are known.
type Sight int

// Values of Sight.
const (
	// InOrder: TakeFrames has each frame before the receiving NIC hands it up.
	InOrder Sight = iota
	// Late: a tap beside the wire, which may show a frame after the receiving
	// NIC has handed it up.
	Late
	// Unseen: nothing shows them. What must be delivered follows from what the
	// sending NIC had to put on the wire.
	Unseen
	// InLoopback: sender and receiver are one NIC, opened in loopback. Without
	// inbound SAs what it sends comes back as it was on the wire.
	InLoopback
)

// WireFrame is a frame on the wire.
type WireFrame struct {
	Frame []byte
	// First and Last are the clock cycles in which its first and last beat left
	// the sender; 0 where there is no clock.
	First, Last uint64
}

// OpenBed opens what c names and the driver on it: two NICs in this process
// joined by a wire, two cards joined by a cable, or one card in loopback.
func OpenBed(ctx context.Context, c DeviceConfig, opts driver.Options) (*Bed, error) {
	all, err := c.targets()
	if err != nil {
		return nil, err
	}
	first := all[0]
	if c.WireTap != "" && len(all) == 1 {
		return nil, fmt.Errorf("--wire-tap is %q, and device %v has no wire outside; a tap is for two cards that a cable joins", c.WireTap, first)
	}
	switch {
	case len(all) > 1:
		if c.Loopback {
			return nil, fmt.Errorf("device is %q, which names %d; loopback works on one", c.Device, len(all))
		}
		a, b, err := twoCards(all)
		if err != nil {
			return nil, err
		}
		return c.openCards(ctx, a, b, opts)
	case first.kind == kindSim:
		lib, err := c.library(first.rest)
		if err != nil {
			return nil, err
		}
		if c.Loopback {
			return c.openSimLoopback(ctx, lib, opts)
		}
		return c.openSimBed(ctx, lib, opts)
	case first.kind == kindGoNIC && !c.Loopback:
		return c.openGoBed(ctx, first, opts)
	}
	device, err := OpenDevice(ctx, c)
	if err != nil {
		return nil, err
	}
	return OpenLoopback(ctx, device, opts)
}

// openDrivers opens the driver on both devices and adds to undo.
func (b *Bed) openDrivers(ctx context.Context, sender, receiver *Device, opts driver.Options, undo *cleanup) (err error) {
	opts.Polling = true // a run polls everything; interrupts would only cost accesses
	if b.Sender, err = driver.Open(ctx, sender.Function, sender.options(opts)); err != nil {
		return err
	}
	undo.add(b.Sender.Close)
	if b.Receiver, err = driver.Open(ctx, receiver.Function, receiver.options(opts)); err != nil {
		return err
	}
	undo.add(b.Receiver.Close)
	return nil
}

// closeWith makes Close run undo, once.
func (b *Bed) closeWith(undo cleanup) { b.Close = sync.OnceValue(undo.run) }

// cleanup collects what Close must undo, last first.
type cleanup []func() error

func (c *cleanup) add(f func() error) { *c = append(*c, f) }

func (c cleanup) run() error {
	var errs []error
	for _, f := range slices.Backward(c) {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}

// onError, deferred, undoes everything if the function fails.
func (c *cleanup) onError(err *error) {
	if *err != nil {
		*err = errors.Join(*err, c.run())
	}
}

// frameQueue keeps frames seen on a wire until they are asked for.
type frameQueue struct {
	mu     sync.Mutex
	frames []WireFrame
}

func (q *frameQueue) put(f WireFrame) {
	f.Frame = bytes.Clone(f.Frame)
	q.mu.Lock()
	q.frames = append(q.frames, f)
	q.mu.Unlock()
}

func (q *frameQueue) take(yield func(WireFrame)) error {
	q.mu.Lock()
	frames := q.frames
	q.frames = nil
	q.mu.Unlock()
	for _, f := range frames {
		yield(f)
	}
	return nil
}
