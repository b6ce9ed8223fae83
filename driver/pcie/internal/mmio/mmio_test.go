// SPDX-License-Identifier: Apache-2.0

//go:build linux && (amd64 || arm64)

package mmio

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"

	"golang.org/x/sys/unix"
)

// mapped maps a new file of some pages.
func mapped(t *testing.T, pages int) (*os.File, []byte) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "memory"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	size := pages * os.Getpagesize()
	if err := f.Truncate(int64(size)); err != nil {
		t.Fatal(err)
	}
	m, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(m) })
	return f, m
}

func TestWidths(t *testing.T) {
	_, m := mapped(t, 1)
	const pattern = 0x8877665544332211
	for _, width := range []int{1, 2, 4, 8} {
		clear(m)
		at := 64 + width
		if !Store(m[at:at+width], pattern) {
			t.Fatal("store failed")
		}
		for i, b := range m[:128] {
			want := byte(0)
			if i >= at && i < at+width {
				want = byte(0x11 * (i - at + 1))
			}
			if b != want {
				t.Errorf("width %d: byte %d is %#x, want %#x", width, i-at, b, want)
			}
		}
		if v, ok := Load(m[at : at+width]); !ok || v != pattern&(^uint64(0)>>(64-8*width)) {
			t.Errorf("width %d: loaded %#x %v", width, v, ok)
		}
	}
}

// TestFault: memory that does not answer is reported, and the program lives.
func TestFault(t *testing.T) {
	f, m := mapped(t, 2)
	if err := f.Truncate(0); err != nil {
		t.Fatal(err)
	}
	for _, width := range []int{1, 2, 4, 8} {
		if v, ok := Load(m[:width]); ok {
			t.Errorf("width %d: loaded %#x", width, v)
		}
		if Store(m[:width], 1) {
			t.Errorf("width %d: stored", width)
		}
	}
	if debug.SetPanicOnFault(false) {
		t.Error("faults stay panics")
	}
	defer func() {
		if recover() == nil {
			t.Error("a panic that is no fault was swallowed")
		}
	}()
	func() {
		ok := true
		defer recovered(false, &ok)
		panic("other")
	}()
}

func BenchmarkLoad32(b *testing.B) {
	m := make([]byte, 64)
	for b.Loop() {
		Load(m[:4])
	}
}

func BenchmarkStore32(b *testing.B) {
	m := make([]byte, 64)
	for b.Loop() {
		Store(m[:4], 1)
	}
}
