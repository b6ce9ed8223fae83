// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/regs"
)

// Defaults of Options.
const (
	DefaultRing        = 256
	DefaultReportEvery = 16
	DefaultTimeout     = 10 * time.Second

	// minFrame is the shortest frame in bytes: an Ethernet header.
	minFrame = 14
)

// Options says how Open sets a NIC up. The zero value uses all queues with
// interrupts and IPsec active.
type Options struct {
	// TXQueues and RXQueues are how many queues to use, from queue 0 on;
	// 0 for all that the NIC has.
	TXQueues, RXQueues int
	// TXRing and RXRing are the entries of each ring, a power of two; one
	// less may be outstanding. 0 for DefaultRing or what the NIC allows.
	TXRing, RXRing int
	// ReportEvery asks for a completion at least for every that many TX
	// descriptors, and for the last of each Post. 1 is every descriptor;
	// 0 is DefaultReportEvery, or half a ring if that is less.
	ReportEvery int
	// CompletionBatch is the completions gathered before the NIC writes them
	// (1 to 4, 0 for 4), CompletionTimer the clock cycles after which it
	// writes fewer (0 for the NIC's default of 64).
	CompletionBatch, CompletionTimer int
	// Moderation applies to all interrupt vectors.
	Moderation Moderation
	// Polling uses no interrupts: Wait polls.
	Polling bool
	// DefaultRXQueue receives frames that match no SA.
	DefaultRXQueue int
	// NoIPsec leaves IPsec processing inactive; see SetIPsec.
	NoIPsec bool
	// Loopback sends frames back into the NIC instead of to the wire.
	Loopback bool
	// KeepSAs opens without a reset and takes over the SAs in the NIC.
	KeepSAs bool
	// Firmware is the image for a NIC with a control processor, as
	// firmware.Parse takes it. Open loads it unless firmware runs already or
	// the same is loaded. nil: what is loaded must do.
	Firmware []byte
	// Nonce is what the NIC makes the fingerprints of keys with; zero: a random
	// one. With KeepSAs and SAs in the NIC, theirs is kept. See Fingerprint.
	Nonce [8]byte
	// Timeout bounds everything that the NIC does by itself (reset, SA
	// operations, stopping a queue). 0 for DefaultTimeout.
	Timeout time.Duration
}

// Moderation delays a vector's interrupt until Count events (a completion is
// one) have come or Cycles clock cycles have passed since the first.
type Moderation struct {
	Count  int // 0 and 1: every event; at most 255
	Cycles int // rounded up to a multiple of 16; 0: at once; at most 1048560
}

// NIC is one opened NIC.
type NIC struct {
	fn      pcie.Function
	bar     pcie.BAR
	opts    Options
	caps    Capabilities
	vectors []vector // empty: polling
	tx      []*TXQueue
	rx      []*RXQueue
	sas     saTable
	port    saPort
	cp      processor // guarded by control
	nonce   [8]byte

	// control guards life-cycle changes and CTRL.
	control sync.Mutex
	ctrl    regs.Ctrl
	closed  atomic.Bool

	// latched guards registers whose read latches another.
	latched sync.Mutex
}

// Open checks that fn is an Espalier NIC, resets it (unless Options.KeepSAs)
// and starts its queues. The caller keeps fn: Close does not close it, but
// nobody else may use it meanwhile. Errors wrap ErrNotEspalier, ErrVersion,
// ErrCapabilities, pcie.ErrRemoved (all ones: the device does not answer),
// ErrInvalid (Options), ErrFirmware (the control processor) and what fn returns. On an error nothing is left behind.
func Open(ctx context.Context, fn pcie.Function, opts Options) (*NIC, error) {
	n, err := open(ctx, fn, opts)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", fn.Info().Location, err)
	}
	return n, nil
}

// find returns the NIC behind fn once its registers answer; nothing else changes.
func find(fn pcie.Function) (*NIC, error) {
	bar, err := fn.BAR(pcie.RegisterBAR)
	if err != nil {
		return nil, err
	}
	if bar.Size() < regs.BarSize {
		return nil, fmt.Errorf("BAR %d has %d bytes, the NIC's registers need %d: %w", pcie.RegisterBAR, bar.Size(), regs.BarSize, ErrNotEspalier)
	}
	n := &NIC{fn: fn, bar: bar}
	if err := n.setCommand(pcie.CommandMemory, 0); err != nil {
		return n, err
	}
	if err := n.identify(); err != nil {
		return n, err
	}
	n.caps, err = n.readCapabilities()
	return n, err
}

func open(ctx context.Context, fn pcie.Function, opts Options) (_ *NIC, err error) {
	n, err := find(fn)
	if n == nil {
		return nil, err
	}
	var undo cleanups
	defer func() {
		if err != nil {
			undo.run()
		}
	}()
	undo.add(func() { _ = n.setCommand(0, pcie.CommandBusMaster) })
	if err != nil {
		return nil, err
	}
	if err := n.setCommand(pcie.CommandBusMaster, 0); err != nil {
		return nil, err
	}

	if n.opts, err = opts.complete(&n.caps); err != nil {
		return nil, err
	}
	n.port = &saWindow{n: n, foreign: n.opts.KeepSAs}
	if n.caps.ControlProcessor {
		if n.cp.image, err = parseFirmware(n.opts.Firmware); err != nil {
			return nil, err
		}
		n.port = newMailbox(n)
	}
	if n.opts.KeepSAs {
		n.forgetSAs()
		err = n.takeOver(ctx)
	} else if err = n.resetHardware(ctx); err == nil {
		err = n.startEmpty(ctx)
	}
	if err != nil {
		return nil, err
	}
	if err := n.openVectors(); err != nil {
		return nil, err
	}
	undo.add(func() { _ = fn.SetVectors(0) })
	// Whatever fails from here on, the NIC must not reach the rings any more.
	undo.add(func() { _ = n.resetHardware(context.WithoutCancel(ctx)); n.freeQueues() })
	if err := n.openQueues(ctx); err != nil {
		return nil, err
	}
	n.ctrl = regs.Ctrl(0).WithTxEnable(true).WithRxEnable(true).WithIPsecEnable(!n.opts.NoIPsec).WithLoopback(n.opts.Loopback)
	if err := n.configure(); err != nil {
		return nil, err
	}
	return n, nil
}

// complete fills in defaults and refuses what the NIC cannot do.
func (o Options) complete(c *Capabilities) (Options, error) {
	if o.TXQueues == 0 {
		o.TXQueues = c.TXQueues
	}
	if o.RXQueues == 0 {
		o.RXQueues = c.RXQueues
	}
	ring := min(max(DefaultRing, c.MinRing), c.MaxRing)
	if o.TXRing == 0 {
		o.TXRing = ring
	}
	if o.RXRing == 0 {
		o.RXRing = ring
	}
	if o.ReportEvery == 0 {
		o.ReportEvery = max(1, min(DefaultReportEvery, o.TXRing/2))
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	for _, v := range []struct {
		field         string
		value, lo, hi int
	}{
		{"TXQueues", o.TXQueues, 1, c.TXQueues},
		{"RXQueues", o.RXQueues, 1, c.RXQueues},
		{"TXRing", o.TXRing, c.MinRing, c.MaxRing},
		{"RXRing", o.RXRing, c.MinRing, c.MaxRing},
		{"ReportEvery", o.ReportEvery, 1, max(1, o.TXRing-1)},
		{"CompletionBatch", o.CompletionBatch, 0, 4},
		{"CompletionTimer", o.CompletionTimer, 0, 1<<16 - 1},
		{"DefaultRXQueue", o.DefaultRXQueue, 0, o.RXQueues - 1},
		{"Moderation.Count", o.Moderation.Count, 0, maxModerationCount},
		{"Moderation.Cycles", o.Moderation.Cycles, 0, maxModerationCycles},
		{"Timeout", int(o.Timeout), 1, int(^uint(0) >> 1)},
	} {
		if v.value < v.lo || v.value > v.hi {
			return o, &RefusedError{Op: "options", Field: v.field, Asked: fmt.Sprint(v.value), Allowed: fmt.Sprintf("%d to %d", v.lo, v.hi), Reason: ErrInvalid}
		}
	}
	for field, ring := range map[string]int{"TXRing": o.TXRing, "RXRing": o.RXRing} {
		if ring&(ring-1) != 0 {
			return o, &RefusedError{Op: "options", Field: field, Asked: fmt.Sprint(ring), Allowed: "powers of two", Reason: ErrInvalid}
		}
	}
	if o.Loopback && !c.Loopback {
		return o, &RefusedError{Op: "options", Field: "Loopback", Asked: "true", Reason: ErrNotSupported}
	}
	return o, nil
}

// identify checks that an Espalier NIC of a known interface answers.
func (n *NIC) identify() error {
	id, err := n.bar.Read32(regs.IDOffset)
	if err != nil {
		return err
	}
	if id == allOnes {
		return fmt.Errorf("identity register: %w", pcie.ErrRemoved)
	}
	if id != regs.IDMagic {
		return fmt.Errorf("identity register is %#08x, an Espalier NIC has %#08x: %w", id, uint32(regs.IDMagic), ErrNotEspalier)
	}
	v, err := n.bar.Read32(regs.VersionOffset)
	if err != nil {
		return err
	}
	if version := regs.Version(v); version.Major() != regs.VersionMajor {
		return fmt.Errorf("register interface is version %d.%d.%d, this driver knows %d.x: %w",
			version.Major(), version.Minor(), version.Patch(), regs.VersionMajor, ErrVersion)
	}
	return nil
}

// Function returns the function that the NIC was opened on.
func (n *NIC) Function() pcie.Function { return n.fn }

// Capabilities returns what the NIC can do.
func (n *NIC) Capabilities() Capabilities { return n.caps }

// TXQueues and RXQueues are how many queues are in use.
func (n *NIC) TXQueues() int { return len(n.tx) }

// RXQueues is how many RX queues are in use.
func (n *NIC) RXQueues() int { return len(n.rx) }

// TX returns TX queue q, 0 to TXQueues()-1.
func (n *NIC) TX(q int) (*TXQueue, error) {
	if q < 0 || q >= len(n.tx) {
		return nil, &RefusedError{Op: "TX queue", Field: "number", Asked: fmt.Sprint(q), Allowed: fmt.Sprintf("0 to %d", len(n.tx)-1), Reason: ErrInvalid}
	}
	return n.tx[q], nil
}

// RX returns RX queue q, 0 to RXQueues()-1.
func (n *NIC) RX(q int) (*RXQueue, error) {
	if q < 0 || q >= len(n.rx) {
		return nil, &RefusedError{Op: "RX queue", Field: "number", Asked: fmt.Sprint(q), Allowed: fmt.Sprintf("0 to %d", len(n.rx)-1), Reason: ErrInvalid}
	}
	return n.rx[q], nil
}

// SetIPsec activates or deactivates IPsec processing. While inactive, received
// ESP is handed up untouched and sends that ask for IPsec fail with OffloadOff;
// SAs stay.
func (n *NIC) SetIPsec(active bool) error {
	n.control.Lock()
	defer n.control.Unlock()
	if n.closed.Load() {
		return ErrClosed
	}
	n.ctrl = n.ctrl.WithIPsecEnable(active)
	return n.write(regs.CtrlOffset, uint32(n.ctrl))
}

// SetLoopback makes frames sent come back as frames received, or not. It waits
// until the frames under way have left.
func (n *NIC) SetLoopback(ctx context.Context, on bool) error {
	n.control.Lock()
	defer n.control.Unlock()
	switch {
	case n.closed.Load():
		return ErrClosed
	case on && !n.caps.Loopback:
		return &RefusedError{Op: "set loopback", Field: "Loopback", Asked: "true", Reason: ErrNotSupported}
	}
	quiet := n.ctrl.WithTxEnable(false).WithRxEnable(false)
	if err := n.write(regs.CtrlOffset, uint32(quiet)); err != nil {
		return err
	}
	err := n.await(ctx, "set loopback: frames under way", func() (bool, error) {
		s, err := n.read(regs.StatusOffset)
		return regs.Status(s).TxIdle() && regs.Status(s).RxIdle(), err
	})
	if err == nil {
		n.ctrl = n.ctrl.WithLoopback(on)
		// LOOPBACK may change only while both directions are off.
		err = n.write(regs.CtrlOffset, uint32(quiet.WithLoopback(on)))
	}
	return errors.Join(err, n.write(regs.CtrlOffset, uint32(n.ctrl)))
}

// Cycles returns the NIC's clock cycles since power-up.
func (n *NIC) Cycles() (uint64, error) {
	if n.closed.Load() {
		return 0, ErrClosed
	}
	return n.readPair(regs.CyclesLoOffset, regs.CyclesHiOffset)
}

// readPair reads a 64-bit counter whose low half latches its high half.
func (n *NIC) readPair(loOffset, hiOffset uint64) (uint64, error) {
	n.latched.Lock()
	defer n.latched.Unlock()
	lo, err := n.read(loOffset)
	if err != nil {
		return 0, err
	}
	hi, err := n.read(hiOffset)
	return uint64(hi)<<32 | uint64(lo), err
}
