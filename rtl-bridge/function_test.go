// SPDX-License-Identifier: Apache-2.0

package rtlbridge

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/pcietest"
)

func openTiny(t testing.TB, config Config) *Function {
	t.Helper()
	f, err := Open(loadTiny(t), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return f
}

func bar0(t testing.TB, f pcie.Function) pcie.BAR {
	t.Helper()
	b, err := f.BAR(0)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tinyDevice lets the conformance suite work with tiny_nic. The suite calls it
// from several goroutines, so copies take turns.
type tinyDevice struct{ mu *sync.Mutex }

func (tinyDevice) Scratch() (int, uint64)           { return 0, tinyScratch }
func (tinyDevice) Unmapped() (int, uint64)          { return 0, 0x3000 }
func (tinyDevice) Settle(testing.TB, pcie.Function) {}
func (tinyDevice) Raise(t testing.TB, fn pcie.Function, v int) {
	t.Helper()
	ok(t, bar0(t, fn).Write32(tinyInterrupt, 1<<v))
}

// copy copies 64-byte chunks and returns RESULT.
func (d tinyDevice) copy(t testing.TB, fn pcie.Function, from, to uint64, chunks uint32) uint32 {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	b := bar0(t, fn)
	ok(t, b.Write64(tinySource, from))
	ok(t, b.Write64(tinyTarget, to))
	ok(t, b.Write32(tinyChunks, chunks))
	for {
		left, err := b.Read32(tinyChunks)
		ok(t, err)
		if left == 0 {
			break
		}
		ok(t, fn.Relax(context.Background(), 0))
	}
	result, err := b.Read32(tinyResult)
	ok(t, err)
	return result
}

// Read copies onto memory of its own; only the read's success counts.
func (d tinyDevice) Read(t testing.TB, fn pcie.Function, iova uint64, size int) bool {
	t.Helper()
	target, err := fn.AllocDMA(4096)
	ok(t, err)
	defer func() { ok(t, fn.FreeDMA(target)) }()
	// Chunks of 64 bytes, aligned so that no burst crosses 4 KiB.
	first := iova &^ 63
	chunks := (iova + uint64(size) - first + 63) / 64
	return d.copy(t, fn, first, target.IOVA, uint32(chunks))&1 == 0
}

func (d tinyDevice) Write(t testing.TB, fn pcie.Function, iova uint64) bool {
	t.Helper()
	source, err := fn.AllocDMA(4096)
	ok(t, err)
	defer func() { ok(t, fn.FreeDMA(source)) }()
	for i := range source.Bytes {
		source.Bytes[i] = 0x5A
	}
	return d.copy(t, fn, source.IOVA, iova, 1)&2 == 0
}

func TestConformance(t *testing.T) {
	lib := loadTiny(t)
	for name, config := range map[string]Config{"plain": {}, "random": {Options: randomOptions(), Seed: 9}, "fine": {Quantum: 1}} {
		t.Run(name, func(t *testing.T) {
			pcietest.Run(t, pcietest.Harness{
				Open: func(t testing.TB) pcie.Function {
					f, err := Open(lib, config)
					ok(t, err)
					return f
				},
				Device:   tinyDevice{mu: new(sync.Mutex)},
				VendorID: pcie.VendorID, DeviceID: pcie.DeviceID,
			})
		})
	}
}

func TestFunctionInfo(t *testing.T) {
	f := openTiny(t, Config{})
	info := f.Info()
	if !info.Simulated || info.Vectors != 8 || info.BARs[0] != 256<<10 || info.Location != "sim:"+f.lib.Path() {
		t.Errorf("info %+v", info)
	}
	if l := f.Library(); l.Design != "tiny_nic" || l.Lanes != 1 || l.MACPorts != 1 || !l.Assertions || l.Trace {
		t.Errorf("library %+v", l)
	}
}

// TestModelStops: every call on a function whose design has stopped says why,
// memory can still be freed, and Close works.
func TestModelStops(t *testing.T) {
	f := openTiny(t, Config{})
	m, err := f.AllocDMA(4096)
	ok(t, err)
	ok(t, f.SetVectors(1))
	b := bar0(t, f)
	// The write's answer may come before the design stops.
	err = b.Write32(tinyMisbehave, misFatal)
	if err == nil {
		err = f.Run(10)
	}
	if !errors.Is(err, ErrModel) {
		t.Fatal(err)
	}
	ctx := context.Background()
	for name, err := range map[string]error{
		"relax": f.Relax(ctx, 0),
		"run":   f.Run(1),
		"wait":  second(f.WaitInterrupt(ctx, 0)),
		"read":  second(b.Read32(0)),
		"write": b.Write32(tinyScratch, 0),
		"reset": f.Reset(ctx),
	} {
		if !errors.Is(err, ErrModel) || !bytes.Contains([]byte(err.Error()), []byte("fatal on request")) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := f.FreeDMA(m); err != nil {
		t.Errorf("free: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

// TestMemoryEnable: with Memory Space Enable off nothing reaches the device.
func TestMemoryEnable(t *testing.T) {
	f := openTiny(t, Config{})
	b := bar0(t, f)
	ok(t, b.Write32(tinyScratch, 5))
	ok(t, f.ConfigWrite(pcie.ConfigCommand, 2, pcie.CommandBusMaster))
	before := f.Cycle()
	ok(t, b.Write32(tinyScratch, 6))
	if v, err := b.Read16(tinyScratch); err != nil || v != 0xFFFF {
		t.Errorf("read with memory off: %#x, %v", v, err)
	}
	if f.Cycle() != before {
		t.Error("an access that the endpoint refuses took time")
	}
	ok(t, f.ConfigWrite(pcie.ConfigCommand, 2, pcie.CommandBusMaster|pcie.CommandMemory))
	if v, err := b.Read32(tinyScratch); err != nil || v != 5 {
		t.Errorf("read with memory on again: %#x, %v", v, err)
	}
	if f.BusErrors() != 0 {
		t.Error("bus errors")
	}
	_, err := b.Read32(0x3000)
	ok(t, err)
	if f.BusErrors() != 1 {
		t.Errorf("%d bus errors, want 1", f.BusErrors())
	}
}

// TestPendingWhileBusMasterOff: an interrupt that may not be sent stays pending.
func TestPendingWhileBusMasterOff(t *testing.T) {
	f := openTiny(t, Config{})
	ok(t, f.SetVectors(8))
	ok(t, f.ConfigWrite(pcie.ConfigCommand, 2, pcie.CommandMemory))
	ok(t, bar0(t, f).Write32(tinyInterrupt, 0b1001))
	ok(t, f.Run(10))
	msix, err := f.BAR(4)
	ok(t, err)
	if v, err := msix.Read32(4096); err != nil || v != 0b1001 {
		t.Errorf("pending bits %#x, %v", v, err)
	}
	ok(t, f.ConfigWrite(pcie.ConfigCommand, 2, pcie.CommandMemory|pcie.CommandBusMaster))
	for _, v := range []int{0, 3} {
		if n, err := f.WaitInterrupt(context.Background(), v); n != 1 || err != nil {
			t.Errorf("vector %d: %d, %v", v, n, err)
		}
	}
}

// TestResetDisablesInterrupts: after a reset vectors must be enabled anew, and
// what came before is forgotten.
func TestResetDisablesInterrupts(t *testing.T) {
	ctx := context.Background()
	f := openTiny(t, Config{})
	ok(t, f.SetVectors(1))
	ok(t, bar0(t, f).Write32(tinyInterrupt, 1))
	ok(t, f.Run(10))
	ok(t, f.Reset(ctx))
	if n, err := f.WaitInterrupt(ctx, 0); !errors.Is(err, pcie.ErrRange) {
		t.Errorf("wait after the reset: %d, %v", n, err)
	}
	ok(t, f.SetVectors(1))
	soon, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if n, err := f.WaitInterrupt(soon, 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("interrupt from before the reset: %d, %v", n, err)
	}
}

func TestRelaxStopsOnQuantum(t *testing.T) {
	f := openTiny(t, Config{Quantum: 50})
	m, err := f.AllocDMA(4096)
	ok(t, err)
	ok(t, f.Relax(context.Background(), 0))
	before := f.Cycle()
	ok(t, f.Relax(context.Background(), 333))
	if ran := f.Cycle() - before; ran != 333 {
		t.Errorf("an idle device: %d cycles, want all 333", ran)
	}
	b := bar0(t, f)
	ok(t, b.Write64(tinySource, m.IOVA))
	ok(t, b.Write64(tinyTarget, m.IOVA+2048))
	ok(t, b.Write32(tinyChunks, 1))
	before = f.Cycle()
	ok(t, f.Relax(context.Background(), 10000))
	if ran := f.Cycle() - before; ran != 100 { // read latency 40, write latency 20
		t.Errorf("%d cycles until the write, want 100", ran)
	}
}

func TestCloseWhileWaitingForever(t *testing.T) {
	f := openTiny(t, Config{})
	ok(t, f.SetVectors(1))
	done := make(chan error)
	go func() {
		_, err := f.WaitInterrupt(context.Background(), 0)
		done <- err
	}()
	time.Sleep(20 * time.Millisecond)
	ok(t, f.Close())
	if err := <-done; !errors.Is(err, pcie.ErrClosed) {
		t.Errorf("wait: %v", err)
	}
	if err := f.Port().Send([]byte{1}, false); !errors.Is(err, pcie.ErrClosed) {
		t.Errorf("send: %v", err)
	}
}

// TestFunctionDeterminism: the same calls take the same cycles.
func TestFunctionDeterminism(t *testing.T) {
	run := func(seed uint64) []uint64 {
		f := openTiny(t, Config{Options: randomOptions(), Seed: seed})
		d := tinyDevice{mu: new(sync.Mutex)}
		m, err := f.AllocDMA(8192)
		ok(t, err)
		var cycles []uint64
		for range 5 {
			d.copy(t, f, m.IOVA, m.IOVA+4096, 20)
			cycles = append(cycles, f.Cycle())
		}
		return cycles
	}
	a, b, c := run(1), run(1), run(2)
	if !slices.Equal(a, b) {
		t.Errorf("the same seed: %v and %v", a, b)
	}
	if slices.Equal(a, c) {
		t.Errorf("two seeds: both %v", a)
	}
}

func TestBARAccessAllocatesNothing(t *testing.T) {
	f := openTiny(t, Config{})
	b := bar0(t, f)
	allocations := testing.AllocsPerRun(100, func() {
		if err := b.Write32(tinyScratch, 1); err != nil {
			t.Error(err)
		}
		if _, err := b.Read32(tinyScratch); err != nil {
			t.Error(err)
		}
		if err := f.Relax(context.Background(), 64); err != nil {
			t.Error(err)
		}
	})
	if allocations != 0 && !raceEnabled {
		t.Errorf("%v allocations per access", allocations)
	}
}
