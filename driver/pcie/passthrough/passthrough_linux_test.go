// SPDX-License-Identifier: Apache-2.0

package passthrough

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/pcietest"
)

// TestFunction runs the suite over devices that differ in what they can do.
func TestFunction(t *testing.T) {
	for name, opts := range map[string]fakeOptions{
		"kernel":     {},
		"maskable":   {maskable: true},
		"unmappable": {noMap: true, ranges: []Range{{0, 0xFEDFFFFF}, {0xFEF00000, 1<<39 - 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			pcietest.Run(t, pcietest.Harness{
				Open:     func(t testing.TB) pcie.Function { f, _ := open(t, opts, Options{}); return f },
				Device:   fakeDevice{},
				VendorID: 0x1234, DeviceID: 0xFA4E,
				Unplug: func(t testing.TB, fn pcie.Function) { close(fn.(*Function).dev.(*fake).gone) },
			})
		})
	}
}

func open(t testing.TB, fo fakeOptions, o Options) (*Function, *fake) {
	t.Helper()
	d := newFake(t, fo)
	f, err := Open(d, o)
	if err != nil {
		t.Fatal(err)
	}
	return f, d
}

// opened is open with Close at the end.
func opened(t testing.TB, fo fakeOptions) (*Function, *fake) {
	t.Helper()
	f, d := open(t, fo, Options{})
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f, d
}

func TestInfo(t *testing.T) {
	f, d := opened(t, fakeOptions{})
	want := pcie.Info{
		Location: "fake", VendorID: 0x1234, DeviceID: 0xFA4E, SubsystemVendorID: 0x1234, SubsystemID: 7,
		Class: 0x020000, Revision: 1, BARs: [6]uint64{0: bar0Size, 2: bar2Size, 4: 8192}, Vectors: fakeVectors,
	}
	if f.Info() != want {
		t.Errorf("%+v, want %+v", f.Info(), want)
	}
	// A BAR that is mapped whole, one in part, and one but for the MSI-X table.
	for n, mapped := range map[int]bool{0: false, 2: true, 4: false} {
		b, err := f.BAR(n)
		if err != nil {
			t.Fatal(err)
		}
		if m := b.Map(); (m != nil) != mapped || m != nil && uint64(len(m)) != b.Size() {
			t.Errorf("BAR %d: mapping of %d bytes", n, len(m))
		}
	}
	got := d.logged("map region")
	if want := []string{"map region 0 0x0 0x1000", "map region 2 0x0 0x4000", "map region 4 0x1000 0x1000"}; os.Getpagesize() == 4096 && !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestMappedAccess: what is mapped is reached without asking the device.
func TestMappedAccess(t *testing.T) {
	f, d := opened(t, fakeOptions{})
	b, err := f.BAR(2)
	if err != nil {
		t.Fatal(err)
	}
	before := len(d.logged(""))
	if err := b.Write32(0x100, 0x01020304); err != nil {
		t.Fatal(err)
	}
	if v, err := b.Read32(0x100); err != nil || v != 0x01020304 || d.bar2[0x100] != 4 {
		t.Errorf("%#x %v", v, err)
	}
	if calls := d.logged(""); len(calls) != before {
		t.Errorf("calls: %q", calls[before:])
	}
	// Cut off the memory behind the mapping: a host sees ones.
	if err := d.file[1].Truncate(0); err != nil {
		t.Fatal(err)
	}
	if v, err := b.Read64(0x100); err != nil || v != ^uint64(0) {
		t.Errorf("%#x %v", v, err)
	}
	if err := b.Write8(0x100, 1); err != nil {
		t.Error(err)
	}
	if f.BusErrors() != 2 {
		t.Errorf("%d bus errors", f.BusErrors())
	}
}

func TestWithout(t *testing.T) {
	for _, c := range []struct {
		areas []Area
		hole  Area
		want  []Area
	}{
		{nil, Area{0, 4096}, nil},
		{[]Area{{0, 8192}}, Area{0, 4096}, []Area{{4096, 4096}}},
		{[]Area{{0, 8192}}, Area{4096, 4096}, []Area{{0, 4096}}},
		{[]Area{{0, 12288}}, Area{4096, 4096}, []Area{{0, 4096}, {8192, 4096}}},
		{[]Area{{4096, 4096}}, Area{0, 12288}, nil},
		{[]Area{{0, 4096}, {8192, 4096}}, Area{4096, 4096}, []Area{{0, 4096}, {8192, 4096}}},
		{[]Area{{0, 8192}, {8192, 8192}}, Area{4096, 8192}, []Area{{0, 4096}, {12288, 4096}}},
	} {
		if got := without(c.areas, c.hole); !slices.Equal(got, c.want) {
			t.Errorf("%v without %v: %v, want %v", c.areas, c.hole, got, c.want)
		}
	}
}

// held is what a program can leak: descriptors, mappings of DMA memory,
// goroutines.
type held struct{ descriptors, mappings, goroutines int }

func resources(t testing.TB) held {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return held{len(fds), strings.Count(string(maps), "espalier-dma"), runtime.NumGoroutine()}
}

// nothingLeft waits until no more is held than before: a goroutine that has
// ended counts for a moment.
func nothingLeft(t testing.TB, before held, what string) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; runtime.Gosched() {
		after := resources(t)
		if after.descriptors == before.descriptors && after.mappings == before.mappings && after.goroutines <= before.goroutines {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %+v before, %+v after", what, before, after)
		}
	}
}

var errBroken = errors.New("broken")

// use opens a function, uses all of it, and closes it.
func use(t testing.TB, d *fake) error {
	f, err := Open(d, Options{})
	if err != nil {
		return err
	}
	err = func() error {
		m, err := f.AllocDMA(10000)
		if err != nil {
			return err
		}
		if _, err := f.AllocDMA(1); err != nil { // left for Close
			return err
		}
		if err := f.SetVectors(2); err != nil {
			return err
		}
		if err := errors.Join(f.MaskVector(1, true), f.MaskVector(1, false), f.MaskVector(0, true), f.SetVectors(1)); err != nil {
			return err
		}
		if err := f.Reset(context.Background()); err != nil {
			return err
		}
		if err := f.ConfigWrite(pcie.ConfigCommand, 2, 6); err != nil {
			return err
		}
		if err := f.SetVectors(1); err != nil { // left for Close
			return err
		}
		return f.FreeDMA(m)
	}()
	return errors.Join(err, f.Close())
}

// TestEveryFailure makes each call of the device fail, one per run: there is
// an error that says so, and nothing is left.
func TestEveryFailure(t *testing.T) {
	// The garbage collector would close files that were forgotten.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	d := newFake(t, fakeOptions{maskable: true})
	if err := use(t, d); err != nil {
		t.Fatal(err)
	}
	calls := len(d.calls)
	if calls < 40 {
		t.Fatalf("only %d calls", calls)
	}
	for i := range calls {
		d := newFake(t, fakeOptions{maskable: true})
		before := resources(t)
		n, failed := 0, ""
		d.fail = func(call string) error {
			n++
			if n-1 == i {
				failed = call
				return fmt.Errorf("%s: %w", call, errBroken)
			}
			return nil
		}
		err := use(t, d)
		optional := strings.HasPrefix(failed, "irq info") || strings.HasPrefix(failed, "region info")
		if !errors.Is(err, errBroken) && !optional {
			t.Errorf("call %d, %s fails: error is %v", i, failed, err)
		}
		if !d.closed {
			t.Errorf("call %d, %s fails: the device is not closed", i, failed)
		}
		nothingLeft(t, before, fmt.Sprintf("call %d, %s fails", i, failed))
	}
}

// TestEveryRemoval lets the device go before each of its calls: the error is
// ErrRemoved, nothing is left, and closing is no error.
func TestEveryRemoval(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	d := newFake(t, fakeOptions{maskable: true})
	if err := use(t, d); err != nil {
		t.Fatal(err)
	}
	for i, call := range d.calls[:len(d.calls)-1] {
		d := newFake(t, fakeOptions{maskable: true})
		before := resources(t)
		n := 0
		d.fail = func(call string) error {
			if n++; n-1 == i {
				close(d.gone)
				return fmt.Errorf("%s: %w", call, pcie.ErrRemoved)
			}
			return nil
		}
		if err := use(t, d); err != nil && !errors.Is(err, pcie.ErrRemoved) {
			t.Errorf("removed at call %d, %s: error is %v", i, call, err)
		}
		nothingLeft(t, before, fmt.Sprintf("removed at call %d, %s", i, call))
	}
}

func TestCloseOrder(t *testing.T) {
	d := newFake(t, fakeOptions{})
	d.ep.Enable()
	before := resources(t)
	f, err := Open(d, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.AllocDMA(4096); err != nil {
		t.Fatal(err)
	}
	if err := f.SetVectors(1); err != nil {
		t.Fatal(err)
	}
	d.calls = nil
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	want := []string{"disable irq 2", "write region 7", "read region 7", "disable irq 4", "disable irq 3", "unmap dma", "unmap region", "unmap region", "unmap region", "close"}
	if !slices.Equal(d.calls, want) {
		t.Errorf("%q, want %q", d.calls, want)
	}
	if v, _ := d.ep.ConfigRead(pcie.ConfigCommand, 2); v != pcie.CommandMemory {
		t.Errorf("command register is %#x, want what it was but for bus mastering", v)
	}
	nothingLeft(t, before, "open and close")
}

// TestRemoval: the ways to learn that a device has gone.
func TestRemoval(t *testing.T) {
	for name, remove := range map[string]func(*fake){
		"gone":    func(d *fake) { close(d.gone) },
		"request": func(d *fake) { d.trigger(IRQReq, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			f, d := opened(t, fakeOptions{})
			m, err := f.AllocDMA(4096)
			if err != nil {
				t.Fatal(err)
			}
			b, err := f.BAR(2)
			if err != nil {
				t.Fatal(err)
			}
			if err := f.SetVectors(1); err != nil {
				t.Fatal(err)
			}
			time.AfterFunc(time.Millisecond, func() { remove(d) })
			if _, err := f.WaitInterrupt(context.Background(), 0); !errors.Is(err, pcie.ErrRemoved) {
				t.Errorf("wait: %v", err)
			}
			if _, err := b.Read32(0); !errors.Is(err, pcie.ErrRemoved) {
				t.Errorf("read: %v", err)
			}
			if _, err := f.AllocDMA(4096); !errors.Is(err, pcie.ErrRemoved) {
				t.Errorf("allocation: %v", err)
			}
			if err := f.FreeDMA(m); !errors.Is(err, pcie.ErrRemoved) || m.Bytes != nil {
				t.Errorf("free: %v", err)
			}
			if _, err := f.Faults(); !errors.Is(err, pcie.ErrRemoved) {
				t.Errorf("faults: %v", err)
			}
			if err := f.Relax(context.Background(), 0); !errors.Is(err, pcie.ErrRemoved) {
				t.Errorf("relax: %v", err)
			}
		})
	}
}

// TestAllOnes: configuration space and BARs that read as ones are looked into.
func TestAllOnes(t *testing.T) {
	for name, call := range map[string]func(*Function) error{
		"vendor": func(f *Function) error { _, err := f.ConfigRead(pcie.ConfigVendorID, 2); return err },
		"byte":   func(f *Function) error { _, err := f.ConfigRead(pcie.ConfigRevision, 1); return err },
		"BAR":    func(f *Function) error { _, err := f.bars[0].Read64(statusOffset); return err },
		"reset":  func(f *Function) error { return f.Reset(context.Background()) },
	} {
		f, d := opened(t, fakeOptions{})
		d.setAbsent()
		if err := call(f); !errors.Is(err, pcie.ErrRemoved) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := f.AllocDMA(1); !errors.Is(err, pcie.ErrRemoved) {
			t.Errorf("%s, then an allocation: %v", name, err)
		}
	}
	// A register that is all ones is none of that.
	f, _ := opened(t, fakeOptions{})
	b, err := f.BAR(2)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Write32(0, ^uint32(0)); err != nil {
		t.Fatal(err)
	}
	if v, err := b.Read32(0); v != ^uint32(0) || err != nil {
		t.Errorf("%#x %v", v, err)
	}
	d := newFake(t, fakeOptions{})
	d.setAbsent()
	if _, err := Open(d, Options{}); !errors.Is(err, pcie.ErrRemoved) {
		t.Errorf("open: %v", err)
	}
}

func TestDeviceErrors(t *testing.T) {
	f, d := opened(t, fakeOptions{})
	d.trigger(IRQError, 0)
	for deadline := time.Now().Add(10 * time.Second); f.DeviceErrors() != 1; {
		if time.Now().After(deadline) {
			t.Fatal("the error did not arrive")
		}
		if err := f.Relax(context.Background(), 0); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMaskedByUs: what a host must see of a vector that is masked here.
func TestMaskedByUs(t *testing.T) {
	f, d := opened(t, fakeOptions{})
	wait := func() uint64 {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		n, err := f.WaitInterrupt(ctx, 0)
		if err != nil {
			t.Error(err)
		}
		return n
	}
	none := func(what string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		if n, err := f.WaitInterrupt(ctx, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %d %v", what, n, err)
		}
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(f.SetVectors(1))
	// Raised before: told while masked.
	d.ep.Interrupt(0, 2)
	check(f.MaskVector(0, true))
	if n := wait(); n != 2 {
		t.Errorf("%d interrupts from before the mask, want 2", n)
	}
	// Raised several times while masked, without and with somebody who waits:
	// once when unmasked.
	d.ep.Interrupt(0, 3)
	check(f.MaskVector(0, false))
	if n := wait(); n != 1 {
		t.Errorf("%d interrupts from behind the mask, want 1", n)
	}
	none("after unmasking")
	check(f.MaskVector(0, true))
	check(f.MaskVector(0, true))
	done := make(chan uint64)
	go func() { done <- wait() }()
	d.ep.Interrupt(0, 1)
	for !pendingOf(f, 0) { // the waiter has seen it and keeps it
		if err := f.Relax(context.Background(), 0); err != nil {
			t.Fatal(err)
		}
		select {
		case n := <-done:
			t.Fatalf("%d interrupts of a masked vector", n)
		default:
		}
	}
	check(f.MaskVector(0, false))
	if n := <-done; n != 1 {
		t.Errorf("%d interrupts from behind the mask, want 1", n)
	}
	// Disabled while masked: forgotten, and not masked any more.
	check(f.MaskVector(0, true))
	d.ep.Interrupt(0, 1)
	check(f.SetVectors(0))
	check(f.SetVectors(1))
	none("after disabling")
	d.ep.Interrupt(0, 1)
	wait()
}

func pendingOf(f *Function, v int) bool {
	f.irq.mu.Lock()
	defer f.irq.mu.Unlock()
	return f.irq.lines[v].pending
}

// TestDisabledWhileWaiting: whoever waits on a vector that is disabled is told;
// one that is enabled again at once goes on, and misses nothing.
func TestDisabledWhileWaiting(t *testing.T) {
	f, d := opened(t, fakeOptions{})
	for range 50 {
		if err := f.SetVectors(2); err != nil {
			t.Fatal(err)
		}
		var errs [2]chan error
		for v := range errs {
			errs[v] = make(chan error, 1)
			go func() {
				_, err := f.WaitInterrupt(context.Background(), v)
				errs[v] <- err
			}()
		}
		if err := f.SetVectors(1); err != nil {
			t.Fatal(err)
		}
		d.ep.Interrupt(0, 1)
		if err := <-errs[0]; err != nil {
			t.Errorf("wait on an enabled vector: %v", err)
		}
		if err := <-errs[1]; !errors.Is(err, pcie.ErrRange) {
			t.Errorf("wait on a disabled vector: %v", err)
		}
	}
}

// TestNoInterrupts: a device without MSI-X.
func TestNoInterrupts(t *testing.T) {
	d := newFake(t, fakeOptions{})
	d.fail = func(call string) error {
		if call == "irq info 2" {
			return errBroken
		}
		return nil
	}
	f, err := Open(d, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Info().Vectors != fakeVectors {
		t.Errorf("%d vectors, the table has %d", f.Info().Vectors, fakeVectors)
	}
	if _, err := f.WaitInterrupt(context.Background(), 0); !errors.Is(err, pcie.ErrNoInterrupts) {
		t.Errorf("wait: %v", err)
	}
	if err := f.SetVectors(1); !errors.Is(err, pcie.ErrNoInterrupts) {
		t.Errorf("a vector was enabled: %v", err)
	}
	if err := f.MaskVector(0, true); !errors.Is(err, pcie.ErrNoInterrupts) {
		t.Errorf("mask: %v", err)
	}
	if err := f.SetVectors(0); err != nil {
		t.Error(err)
	}
	if err := f.Reset(context.Background()); err != nil {
		t.Error(err)
	}
}

// TestLimits: no more mappings and no more addresses than the device has.
func TestLimits(t *testing.T) {
	page := uint64(os.Getpagesize())
	for name, opts := range map[string]fakeOptions{
		"mappings":  {limit: 3},
		"addresses": {ranges: []Range{{page, 7*page - 1}}}, // with a page behind each
	} {
		t.Run(name, func(t *testing.T) {
			f, _ := opened(t, opts)
			var all []*pcie.Memory
			for range 3 {
				m, err := f.AllocDMA(1)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, m)
			}
			before := resources(t)
			if _, err := f.AllocDMA(1); !errors.Is(err, pcie.ErrNoMemory) {
				t.Errorf("one more: %v", err)
			}
			nothingLeft(t, before, "a refused allocation")
			if err := f.FreeDMA(all[1]); err != nil {
				t.Fatal(err)
			}
			if _, err := f.AllocDMA(1); err != nil {
				t.Errorf("after a free: %v", err)
			}
		})
	}
}

// TestUnmapFailure: memory that the device may still reach stays.
func TestUnmapFailure(t *testing.T) {
	f, d := opened(t, fakeOptions{})
	m, err := f.AllocDMA(4096)
	if err != nil {
		t.Fatal(err)
	}
	d.setFail(func(call string) error {
		if call == "unmap dma" {
			return errBroken
		}
		return nil
	})
	if err := f.FreeDMA(m); !errors.Is(err, errBroken) || m.Bytes == nil {
		t.Fatalf("free: %v", err)
	}
	m.Bytes[0] = 1
	d.setFail(nil)
	if err := f.FreeDMA(m); err != nil {
		t.Error(err)
	}
}

// heap is an Allocator for tests.
type heap struct {
	next  uint64
	taken map[uint64][]byte
}

func (h *heap) Alloc(size int) ([]byte, uint64, error) {
	if size > 1<<20 {
		return nil, 0, pcie.ErrNoMemory
	}
	h.next += 1 << 20
	h.taken[h.next] = make([]byte, size)
	return h.taken[h.next], h.next, nil
}

func (h *heap) Free(memory []byte, iova uint64) error {
	if len(h.taken[iova]) != len(memory) {
		return errBroken
	}
	delete(h.taken, iova)
	return nil
}

// TestAllocator: memory from elsewhere is neither mapped nor unmapped, and not
// freed while the device may reach it.
func TestAllocator(t *testing.T) {
	for _, stuck := range []string{"", "write region 7", "read region 7"} {
		h := &heap{taken: map[uint64][]byte{}}
		f, d := open(t, fakeOptions{}, Options{Memory: h})
		m, err := f.AllocDMA(5000)
		if err != nil || len(m.Bytes) != 8192 || m.IOVA != 1<<20 {
			t.Fatalf("%+v %v", m, err)
		}
		if err := f.FreeDMA(m); err != nil || m.Bytes != nil || len(h.taken) != 0 {
			t.Errorf("%v, left are %d", err, len(h.taken))
		}
		if _, err := f.AllocDMA(2 << 20); !errors.Is(err, pcie.ErrNoMemory) {
			t.Error(err)
		}
		if _, err := f.AllocDMA(1); err != nil {
			t.Fatal(err)
		}
		if calls := d.logged("map dma"); len(calls) > 0 {
			t.Errorf("%q", calls)
		}
		if stuck != "" {
			d.setFail(func(call string) error {
				if call == stuck {
					return errBroken
				}
				return nil
			})
		}
		if err := f.Close(); (err != nil) != (stuck != "") {
			t.Error(err)
		}
		if want := min(len(stuck), 1); len(h.taken) != want {
			t.Errorf("%q fails: %d blocks are left, want %d", stuck, len(h.taken), want)
		}
	}
}

// TestSealed: who is given the file of DMA memory cannot cut it off.
func TestSealed(t *testing.T) {
	m, err := allocate(os.Getpagesize(), false)
	if err != nil {
		t.Fatal(err)
	}
	defer unmap(m.mapping)
	defer m.close()
	if err := unix.Ftruncate(m.fd, 0); err == nil {
		t.Error("the file was cut off")
	}
	// Hugepages are used where there are any and forgotten where not.
	large, err := allocate(4<<20, true)
	if err != nil {
		t.Fatal(err)
	}
	defer large.close()
	if err := unmap(large.mapping); err != nil {
		t.Error(err)
	}
	if _, err := allocate(1<<45, false); err == nil {
		t.Error("32 TiB of memory were given out")
	}
}

// TestSharedAddresses: functions behind one set of mappings get addresses of
// their own.
func TestSharedAddresses(t *testing.T) {
	space := NewAddressSpace(nil, 0)
	a, _ := open(t, fakeOptions{}, Options{Addresses: space})
	defer a.Close()
	b, _ := open(t, fakeOptions{}, Options{Addresses: space})
	defer b.Close()
	ma, errA := a.AllocDMA(8192)
	mb, errB := b.AllocDMA(8192)
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	if ma.IOVA == mb.IOVA {
		t.Errorf("both are at %#x", ma.IOVA)
	}
}

func TestRelaxNaps(t *testing.T) {
	f, _ := opened(t, fakeOptions{})
	for range 20 * patientTurns {
		if err := f.Relax(context.Background(), 0); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := f.Relax(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func BenchmarkRead32Mapped(b *testing.B) {
	f, _ := open(b, fakeOptions{}, Options{})
	defer f.Close()
	bar, err := f.BAR(2)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := bar.Read32(0); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWrite32Mapped(b *testing.B) {
	f, _ := open(b, fakeOptions{}, Options{})
	defer f.Close()
	bar, err := f.BAR(2)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := bar.Write32(0, 1); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkInterrupt measures an interrupt from the eventfd to a waiting
// goroutine and back.
func BenchmarkInterrupt(b *testing.B) {
	f, d := open(b, fakeOptions{}, Options{})
	defer f.Close()
	if err := f.SetVectors(1); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		d.ep.Interrupt(0, 1)
		if _, err := f.WaitInterrupt(context.Background(), 0); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAllocFree(b *testing.B) {
	f, _ := open(b, fakeOptions{}, Options{})
	defer f.Close()
	for b.Loop() {
		m, err := f.AllocDMA(64 << 10)
		if err != nil {
			b.Fatal(err)
		}
		if err := f.FreeDMA(m); err != nil {
			b.Fatal(err)
		}
	}
}

// TestFailedMapping: an address that was not used is free again.
func TestFailedMapping(t *testing.T) {
	f, d := opened(t, fakeOptions{limit: 1})
	d.setFail(func(call string) error {
		if call == "map dma" {
			return errBroken
		}
		return nil
	})
	if _, err := f.AllocDMA(1); !errors.Is(err, pcie.ErrNoMemory) || !errors.Is(err, errBroken) {
		t.Errorf("error is %v", err)
	}
	d.setFail(nil)
	if _, err := f.AllocDMA(1); err != nil {
		t.Error(err)
	}
}

// TestWaitEndsBeforeClose: a wait does not wait for an access that Close waits for.
func TestWaitEndsBeforeClose(t *testing.T) {
	f, d := open(t, fakeOptions{}, Options{})
	if err := f.SetVectors(1); err != nil {
		t.Fatal(err)
	}
	waited, closed, read := make(chan error), make(chan error), make(chan error)
	go func() {
		_, err := f.WaitInterrupt(context.Background(), 0)
		waited <- err
	}()
	begun, end := make(chan bool), make(chan bool)
	// The fake's lock is held meanwhile; nothing else needs the device.
	d.setFail(func(string) error { close(begun); <-end; return nil })
	go func() {
		_, err := f.bars[0].Read32(statusOffset)
		read <- err
	}()
	<-begun
	go func() { closed <- f.Close() }()
	if err := <-waited; !errors.Is(err, pcie.ErrClosed) {
		t.Errorf("wait: %v", err)
	}
	d.fail = nil // its user waits for end
	close(end)
	if err := <-read; err != nil {
		t.Errorf("read: %v", err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

// TestForgotten: what was taken from an eventfd before a vector was disabled is
// not told when it is enabled again.
func TestForgotten(t *testing.T) {
	f, d := opened(t, fakeOptions{maskable: true})
	if err := f.SetVectors(1); err != nil {
		t.Fatal(err)
	}
	old, _, err := f.irq.poll(0, f.usable)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.MaskVector(0, true), f.SetVectors(0), f.SetVectors(1)); err != nil {
		t.Fatal(err)
	}
	if n := f.irq.arrived(0, old, 1); n != 0 {
		t.Errorf("%d interrupts", n)
	}
	// And who still reads the old one takes nothing from the new.
	d.ep.Interrupt(0, 1)
	if n, err := old.wait(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("%d interrupts, %v", n, err)
	}
	if n, err := f.WaitInterrupt(context.Background(), 0); n != 1 || err != nil {
		t.Errorf("%d interrupts, %v", n, err)
	}
	// The device, too, forgets what it has kept behind a mask.
	want := []string{"mask irq 2 0 true", "mask irq 2 0 false"}
	if got := d.logged("mask"); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
