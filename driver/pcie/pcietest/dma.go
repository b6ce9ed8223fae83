// SPDX-License-Identifier: Apache-2.0

package pcietest

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"github.com/espalier-nic/espalier/driver/pcie"
)

// testDMAMemory: zeroed, page-aligned, outside the Go heap, disjoint for us and
// for the device, zeroed again when used again.
func testDMAMemory(t *testing.T, h Harness) {
	fn := h.open(t)
	page := os.Getpagesize()
	var all []*pcie.Memory
	for _, size := range []int{1, page, page + 1, 64 << 10, 1 << 20} {
		m := must(fn.AllocDMA(size))(t)
		all = append(all, m)
		if want := (size + page - 1) / page * page; len(m.Bytes) != want {
			t.Errorf("%d bytes for %d asked, want %d", len(m.Bytes), size, want)
		}
		if addressOf(m)%uintptr(page) != 0 || m.IOVA%uint64(page) != 0 {
			t.Errorf("memory at %#x, IOVA %#x is not page-aligned", addressOf(m), m.IOVA)
		}
		if m.IOVA == 0 {
			t.Error("IOVA is 0")
		}
		if !bytes.Equal(m.Bytes, make([]byte, len(m.Bytes))) {
			t.Errorf("memory of %d bytes is not zero", size)
		}
	}
	for i, a := range all {
		for _, b := range all[:i] {
			if overlap(a.IOVA, b.IOVA, len(a.Bytes), len(b.Bytes)) || overlap(uint64(addressOf(a)), uint64(addressOf(b)), len(a.Bytes), len(b.Bytes)) {
				t.Errorf("memory at %#x overlaps memory at %#x", a.IOVA, b.IOVA)
			}
		}
	}
	if runtime.GOOS == "linux" {
		heap := new([64 << 10]byte)
		if mapping(t, uintptr(unsafe.Pointer(heap))) == mapping(t, addressOf(all[0])) {
			t.Error("memory is in the Go heap")
		}
		runtime.KeepAlive(heap)
	}
	for round := range 4 {
		for i, m := range all {
			for j := range m.Bytes {
				m.Bytes[j] = 0xFF
			}
			size := len(m.Bytes)
			ok(t, fn.FreeDMA(m))
			if m.Bytes != nil {
				t.Error("Bytes is not nil after FreeDMA")
			}
			all[i] = must(fn.AllocDMA(size))(t)
			if !bytes.Equal(all[i].Bytes, make([]byte, size)) {
				t.Fatalf("round %d: memory of %d bytes is not zero when used again", round, size)
			}
		}
	}
	for _, m := range all {
		ok(t, fn.FreeDMA(m))
	}
}

func addressOf(m *pcie.Memory) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(m.Bytes))) }

func overlap(a, b uint64, lenA, lenB int) bool {
	return a < b+uint64(lenB) && b < a+uint64(lenA)
}

// mapping returns the line of the process's memory map that holds address.
func mapping(t testing.TB, address uintptr) string {
	t.Helper()
	f := must(os.Open("/proc/self/maps"))(t)
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		var from, to uintptr
		if _, err := fmt.Sscanf(s.Text(), "%x-%x", &from, &to); err == nil && from <= address && address < to {
			return s.Text()
		}
	}
	t.Fatalf("no mapping holds %#x", address)
	return ""
}

func testDMAErrors(t *testing.T, h Harness) {
	fn := h.open(t)
	for _, size := range []int{0, -1, math.MaxInt / 2} {
		_, err := fn.AllocDMA(size)
		wants(t, fmt.Sprintf("allocate %d bytes", size), err, pcie.ErrNoMemory)
	}
	m := must(fn.AllocDMA(100))(t)
	ok(t, fn.FreeDMA(m))
	refused(t, "free twice", fn.FreeDMA(m))
	refused(t, "free nil", fn.FreeDMA(nil))
	refused(t, "free foreign memory", fn.FreeDMA(&pcie.Memory{Bytes: make([]byte, 4096), IOVA: 4096}))
}

// testDMAAccess: what the host writes the device reads, and the other way
// round, at every place of a range of several pages.
func testDMAAccess(t *testing.T, h Harness) {
	fn := h.open(t)
	m := must(fn.AllocDMA(3 * os.Getpagesize()))(t)
	for _, offset := range []int{0, 64, os.Getpagesize() - 64, os.Getpagesize(), len(m.Bytes) - 64} {
		if !h.Device.Read(t, fn, m.IOVA+uint64(offset), 64) {
			t.Errorf("device cannot read offset %d", offset)
		}
		if !h.Device.Write(t, fn, m.IOVA+uint64(offset)) {
			t.Errorf("device cannot write offset %d", offset)
		}
		if bytes.Equal(m.Bytes[offset:offset+16], make([]byte, 16)) {
			t.Errorf("nothing arrived at offset %d", offset)
		}
	}
	// A read across a page boundary: the device sees one contiguous range.
	if !h.Device.Read(t, fn, m.IOVA+uint64(os.Getpagesize())-100, 200) {
		t.Error("device cannot read across a page boundary")
	}
	noFaults(t, fn)
}

func noFaults(t testing.TB, fn pcie.Function) {
	t.Helper()
	if faults := must(fn.Faults())(t); len(faults) != 0 {
		t.Errorf("faults: %+v", faults)
	}
}

// testDMAFaults: access to freed or never allocated memory is refused, reported,
// and harms nothing else.
func testDMAFaults(t *testing.T, h Harness) {
	if h.NoFaults {
		leaveOut(t, "accesses by the device that are refused")
		return
	}
	fn := h.open(t)
	m, other := must(fn.AllocDMA(4096))(t), must(fn.AllocDMA(4096))(t)
	if !h.Device.Read(t, fn, m.IOVA, 64) || !h.Device.Write(t, fn, m.IOVA) {
		t.Fatal("device cannot reach the memory at first")
	}
	iova, end := m.IOVA, other.IOVA+uint64(len(other.Bytes))
	ok(t, fn.FreeDMA(m))
	for _, a := range []struct {
		name  string
		write bool
		iova  uint64
		try   func() bool
	}{
		{"read of freed memory", false, iova, func() bool { return h.Device.Read(t, fn, iova, 64) }},
		{"write to freed memory", true, iova, func() bool { return h.Device.Write(t, fn, iova) }},
		{"read that ends past the end", false, end, func() bool { return h.Device.Read(t, fn, end-64, 128) }},
	} {
		if a.try() {
			t.Errorf("%s succeeded", a.name)
		}
		faults, found := awaitFault(t, h, fn, a.iova, a.write)
		if h.UnseenFaults { // it may come later, and then beside that of another access
			if !found {
				leaveOut(t, "the function's report of a refused access")
			}
			continue
		}
		if !found {
			t.Errorf("%s at %#x is not among the faults %+v", a.name, a.iova, faults)
		}
		noFaults(t, fn) // they are reported once
	}
	if !bytes.Equal(other.Bytes, make([]byte, len(other.Bytes))) {
		t.Error("other memory was written")
	}
	if !h.Device.Read(t, fn, other.IOVA, 64) || !h.Device.Write(t, fn, other.IOVA) {
		t.Error("device cannot reach other memory afterwards")
	}
	ok(t, fn.FreeDMA(other))
}

// awaitFault takes faults until that access is among them. The device may know
// of it before the function does (VFIO: the kernel has yet to write its log).
func awaitFault(t testing.TB, h Harness, fn pcie.Function, iova uint64, write bool) (all []pcie.Fault, found bool) {
	t.Helper()
	limit := patience
	if h.UnseenFaults {
		limit = impatience
	}
	for start := time.Now(); !found && time.Since(start) < limit; {
		faults := must(fn.Faults())(t)
		for _, f := range faults {
			found = found || f.Write == write && f.Size > 0 && f.IOVA <= iova && iova < f.IOVA+uint64(f.Size)
		}
		all = append(all, faults...)
		ok(t, fn.Relax(context.Background(), 0))
	}
	return all, found
}

// testBusMaster: a device without the right to reach host memory does not.
func testBusMaster(t *testing.T, h Harness) {
	if h.NoFaults {
		leaveOut(t, "accesses by the device that are refused")
		return
	}
	fn := h.open(t)
	m := must(fn.AllocDMA(4096))(t)
	command := must(fn.ConfigRead(pcie.ConfigCommand, 2))(t)
	ok(t, fn.ConfigWrite(pcie.ConfigCommand, 2, command&^uint32(pcie.CommandBusMaster)))
	if h.Device.Read(t, fn, m.IOVA, 64) {
		t.Error("device read host memory with bus mastering off")
	}
	ok(t, fn.ConfigWrite(pcie.ConfigCommand, 2, command))
	if !h.Device.Read(t, fn, m.IOVA, 64) {
		t.Error("device cannot read host memory with bus mastering on again")
	}
}
