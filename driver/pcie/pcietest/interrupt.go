// SPDX-License-Identifier: Apache-2.0

package pcietest

import (
	"context"
	"testing"
	"time"

	"github.com/espalier-nic/espalier/driver/pcie"
)

// silent checks that no interrupt of vector v comes.
func silent(t testing.TB, fn pcie.Function, v int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), impatience)
	defer cancel()
	n, err := fn.WaitInterrupt(ctx, v)
	if err == nil {
		t.Errorf("%d interrupts on vector %d, want none", n, v)
		return
	}
	wants(t, "wait without interrupt", err, context.DeadlineExceeded)
}

// rest takes interrupts of vector v that are still on their way: a processor can be
// faster than the interrupt that another one has to handle. It returns how many.
func rest(t testing.TB, fn pcie.Function, v int) (all uint64) {
	t.Helper()
	for {
		ctx, cancel := context.WithTimeout(context.Background(), impatience)
		n, err := fn.WaitInterrupt(ctx, v)
		cancel()
		if err != nil {
			wants(t, "wait without interrupt", err, context.DeadlineExceeded)
			return all
		}
		all += n
	}
}

// testInterrupts: every vector arrives, on itself only, also when it was raised
// before anybody waited.
func testInterrupts(t *testing.T, h Harness) {
	fn := h.open(t)
	if h.NoInterrupts {
		_, err := fn.WaitInterrupt(soon(t), 0)
		wants(t, "wait", err, pcie.ErrNoInterrupts)
		return
	}
	vectors := fn.Info().Vectors
	ok(t, fn.SetVectors(vectors))
	for v := range vectors {
		h.Device.Raise(t, fn, v)
		if n := must(fn.WaitInterrupt(soon(t), v))(t); n != 1 {
			t.Errorf("vector %d: %d interrupts, want 1", v, n)
		}
	}
	for v := range vectors {
		silent(t, fn, v)
	}
	// Several that nobody waited for: at least one is told, and no more than came.
	for range 3 {
		h.Device.Raise(t, fn, 0)
	}
	n := must(fn.WaitInterrupt(soon(t), 0))(t) + rest(t, fn, 0)
	if n < 1 || n > 3 {
		t.Errorf("%d interrupts after three", n)
	}
	silent(t, fn, 0)

	// Raised while somebody waits.
	within(t, "WaitInterrupt", func() {
		done := make(chan error)
		go func() {
			_, err := fn.WaitInterrupt(soon(t), vectors-1)
			done <- err
		}()
		time.Sleep(impatience / 5)
		h.Device.Raise(t, fn, vectors-1)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})

	// Disabled, then enabled: nothing old arrives, new ones do.
	h.Device.Raise(t, fn, 0)
	ok(t, fn.Relax(soon(t), 0))
	ok(t, fn.SetVectors(0))
	ok(t, fn.SetVectors(1))
	silent(t, fn, 0)
	h.Device.Raise(t, fn, 0)
	must(fn.WaitInterrupt(soon(t), 0))(t)
}

// testInterruptMask: a masked vector is remembered and delivered when unmasked.
func testInterruptMask(t *testing.T, h Harness) {
	if h.NoInterrupts {
		leaveOut(t, "interrupts")
		return
	}
	fn := h.open(t)
	ok(t, fn.SetVectors(2))
	ok(t, fn.MaskVector(1, true))
	h.Device.Raise(t, fn, 1)
	h.Device.Raise(t, fn, 0)
	must(fn.WaitInterrupt(soon(t), 0))(t)
	silent(t, fn, 1)
	ok(t, fn.MaskVector(1, false))
	if n := must(fn.WaitInterrupt(soon(t), 1))(t); n != 1 {
		t.Errorf("%d interrupts after unmasking, want 1", n)
	}
	silent(t, fn, 1)
	// Masking and unmasking by itself raises nothing.
	ok(t, fn.MaskVector(1, true))
	ok(t, fn.MaskVector(1, false))
	silent(t, fn, 1)
}

func testInterruptErrors(t *testing.T, h Harness) {
	if h.NoInterrupts {
		leaveOut(t, "interrupts")
		return
	}
	fn := h.open(t)
	vectors := fn.Info().Vectors
	refused(t, "more vectors than there are", fn.SetVectors(vectors+1))
	refused(t, "-1 vectors", fn.SetVectors(-1))
	ok(t, fn.SetVectors(vectors))
	for _, v := range []int{-1, vectors} {
		_, err := fn.WaitInterrupt(soon(t), v)
		refused(t, "wait on a vector that does not exist", err)
		refused(t, "mask of a vector that does not exist", fn.MaskVector(v, true))
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := fn.WaitInterrupt(ctx, 0)
	wants(t, "wait with a cancelled context", err, context.Canceled)

	within(t, "WaitInterrupt after cancel", func() {
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(impatience, cancel)
		_, err := fn.WaitInterrupt(ctx, 0)
		wants(t, "cancelled wait", err, context.Canceled)
	})
	// A cancelled wait loses nothing.
	h.Device.Raise(t, fn, 0)
	must(fn.WaitInterrupt(soon(t), 0))(t)
}
