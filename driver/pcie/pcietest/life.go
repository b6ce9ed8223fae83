// SPDX-License-Identifier: Apache-2.0

package pcietest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/espalier-nic/espalier/driver/pcie"
)

// testRelax: time passes, not more than asked for, and not without leave.
func testRelax(t *testing.T, h Harness) {
	fn := h.open(t)
	for _, limit := range []uint64{0, 1, 100} {
		ok(t, fn.Relax(soon(t), limit))
	}
	if clocked, is := fn.(pcie.Clocked); is {
		start := clocked.Cycle()
		for range 50 {
			before := clocked.Cycle()
			ok(t, fn.Relax(soon(t), 10))
			if ran := clocked.Cycle() - before; ran > 10 {
				t.Errorf("%d cycles, at most 10 were asked for", ran)
			}
		}
		if clocked.Cycle() == start {
			t.Error("no time passes")
		}
		before := clocked.Cycle()
		ok(t, fn.Relax(soon(t), 0))
		if clocked.Cycle() == before {
			t.Error("no time passes without a limit")
		}
	} else if fn.Info().Simulated {
		t.Error("a simulation that does not know its clock")
	}
	within(t, "Relax with a cancelled context", func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := fn.Relax(ctx, 0); err != nil {
			wants(t, "Relax with a cancelled context", err, context.Canceled)
		}
	})
}

// testReset: registers, interrupts and enables return to power-up, memory stays.
func testReset(t *testing.T, h Harness) {
	fn := h.open(t)
	m := must(fn.AllocDMA(4096))(t)
	m.Bytes[100] = 42
	number, offset := h.Device.Scratch()
	b := must(fn.BAR(number))(t)
	ok(t, b.Write32(offset, 99))
	ok(t, fn.Reset(soon(t)))
	h.enable(t, fn)
	if got := must(b.Read32(offset))(t); got != 0 {
		t.Errorf("register is %d after a reset", got)
	}
	if m.Bytes[100] != 42 {
		t.Error("DMA memory has changed")
	}
	if !h.Device.Read(t, fn, m.IOVA, 64) || !h.Device.Write(t, fn, m.IOVA) {
		t.Error("device cannot reach memory allocated before the reset")
	}
	if !h.NoInterrupts {
		ok(t, fn.SetVectors(1))
		h.Device.Raise(t, fn, 0)
		must(fn.WaitInterrupt(soon(t), 0))(t)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := fn.Reset(ctx); err != nil {
		wants(t, "reset with a cancelled context", err, context.Canceled)
	}
}

// calls are all methods that can fail.
func calls(fn pcie.Function, b pcie.BAR) map[string]func() error {
	ctx := context.Background()
	return map[string]func() error{
		"ConfigRead":    func() error { _, err := fn.ConfigRead(0, 4); return err },
		"ConfigWrite":   func() error { return fn.ConfigWrite(pcie.ConfigCommand, 2, 0) },
		"BAR":           func() error { _, err := fn.BAR(0); return err },
		"AllocDMA":      func() error { _, err := fn.AllocDMA(4096); return err },
		"FreeDMA":       func() error { return fn.FreeDMA(&pcie.Memory{}) },
		"SetVectors":    func() error { return fn.SetVectors(1) },
		"WaitInterrupt": func() error { _, err := fn.WaitInterrupt(ctx, 0); return err },
		"MaskVector":    func() error { return fn.MaskVector(0, true) },
		"Relax":         func() error { return fn.Relax(ctx, 0) },
		"Faults":        func() error { _, err := fn.Faults(); return err },
		"Reset":         func() error { return fn.Reset(ctx) },
		"BAR.Read8":     func() error { _, err := b.Read8(0); return err },
		"BAR.Read16":    func() error { _, err := b.Read16(0); return err },
		"BAR.Read32":    func() error { _, err := b.Read32(0); return err },
		"BAR.Read64":    func() error { _, err := b.Read64(0); return err },
		"BAR.Write8":    func() error { return b.Write8(0, 0) },
		"BAR.Write16":   func() error { return b.Write16(0, 0) },
		"BAR.Write32":   func() error { return b.Write32(0, 0) },
		"BAR.Write64":   func() error { return b.Write64(0, 0) },
	}
}

// testClose: everything says so afterwards, and closing again is harmless.
func testClose(t *testing.T, h Harness) {
	fn := h.Open(t)
	h.enable(t, fn)
	number, _ := h.Device.Scratch()
	b := must(fn.BAR(number))(t)
	m := must(fn.AllocDMA(4096))(t)
	info := fn.Info()
	ok(t, fn.Close())
	ok(t, fn.Close())
	for name, call := range calls(fn, b) {
		within(t, name+" after Close", func() { wants(t, name+" after Close", call(), pcie.ErrClosed) })
	}
	wants(t, "FreeDMA of memory that Close has freed", fn.FreeDMA(m), pcie.ErrClosed)
	if fn.Info() != info {
		t.Error("Info has changed")
	}
}

// testCloseWhileWaiting: Close ends every wait.
func testCloseWhileWaiting(t *testing.T, h Harness) {
	if h.NoInterrupts {
		leaveOut(t, "interrupts")
		return
	}
	fn := h.Open(t)
	h.enable(t, fn)
	vectors := fn.Info().Vectors
	ok(t, fn.SetVectors(vectors))
	errs := make(chan error, vectors)
	for v := range vectors {
		go func() {
			_, err := fn.WaitInterrupt(context.Background(), v)
			errs <- err
		}()
	}
	time.Sleep(impatience / 2)
	ok(t, fn.Close())
	within(t, "WaitInterrupt after Close", func() {
		for range vectors {
			wants(t, "wait", <-errs, pcie.ErrClosed)
		}
	})
}

// testUnplug: a device that has gone is reported as such, by calls and by waits
// under way, and can be closed.
func testUnplug(t *testing.T, h Harness) {
	if h.Unplug == nil {
		leaveOut(t, "surprise removal")
		return
	}
	fn := h.open(t)
	number, offset := h.Device.Scratch()
	b := must(fn.BAR(number))(t)
	waited := make(chan error, 1)
	if h.NoInterrupts {
		waited <- pcie.ErrRemoved
	} else {
		ok(t, fn.SetVectors(1))
		go func() {
			_, err := fn.WaitInterrupt(context.Background(), 0)
			waited <- err
		}()
	}
	time.Sleep(impatience / 5)
	h.Unplug(t, fn)
	within(t, "WaitInterrupt after removal", func() { wants(t, "wait", <-waited, pcie.ErrRemoved) })
	_, err := fn.ConfigRead(pcie.ConfigVendorID, 2)
	wants(t, "ConfigRead", err, pcie.ErrRemoved)
	wants(t, "Reset", fn.Reset(soon(t)), pcie.ErrRemoved)
	// A BAR cannot always know; then it reads ones.
	if v, err := b.Read32(offset); err == nil && v != ^uint32(0) {
		t.Errorf("register of a removed device reads %#x", v)
	} else if err != nil {
		wants(t, "BAR.Read32", err, pcie.ErrRemoved)
	}
}

// testConcurrency: everything at once. The race detector and the checks inside
// judge it.
func testConcurrency(t *testing.T, h Harness) {
	fn := h.open(t)
	number, offset := h.Device.Scratch()
	b := must(fn.BAR(number))(t)
	if !h.NoInterrupts {
		ok(t, fn.SetVectors(1))
	}
	const rounds = 20
	var wg sync.WaitGroup
	each := func(f func(i int) error) {
		wg.Go(func() {
			for i := range rounds {
				if err := f(i); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	each(func(i int) error {
		if err := b.Write32(offset, uint32(i)); err != nil {
			return err
		}
		v, err := b.Read32(offset)
		if err == nil && v != uint32(i) {
			err = errors.New("register has another value")
		}
		return err
	})
	each(func(int) error {
		v, err := fn.ConfigRead(pcie.ConfigVendorID, 2)
		if err == nil && v != uint32(h.VendorID) {
			err = errors.New("vendor ID has another value")
		}
		return err
	})
	each(func(i int) error {
		m, err := fn.AllocDMA(4096 * (1 + i%3))
		if err != nil {
			return err
		}
		for j, v := range m.Bytes {
			if v != 0 {
				return errors.New("DMA memory is not zero")
			}
			m.Bytes[j] = 1
		}
		return fn.FreeDMA(m)
	})
	each(func(int) error { return fn.Relax(context.Background(), 10) })
	each(func(int) error { _, err := fn.Faults(); return err })
	if !h.NoInterrupts {
		ctx := soon(t)
		wg.Go(func() {
			for i := range rounds {
				h.Device.Raise(t, fn, 0)
				if _, err := fn.WaitInterrupt(ctx, 0); err != nil {
					t.Errorf("interrupt %d: %v", i, err)
					return
				}
			}
		})
		each(func(i int) error { return fn.MaskVector(fn.Info().Vectors-1, i%2 == 0) })
	}
	wg.Wait()
}
