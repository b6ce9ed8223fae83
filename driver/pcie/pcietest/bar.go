// SPDX-License-Identifier: Apache-2.0

package pcietest

import (
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/espalier-nic/espalier/driver/pcie"
)

// access names the four widths of a BAR.
type access struct {
	width uint64
	read  func(offset uint64) (uint64, error)
	write func(offset, v uint64) error
}

func accesses(b pcie.BAR) []access {
	return []access{
		{1, func(o uint64) (uint64, error) { v, err := b.Read8(o); return uint64(v), err }, func(o, v uint64) error { return b.Write8(o, uint8(v)) }},
		{2, func(o uint64) (uint64, error) { v, err := b.Read16(o); return uint64(v), err }, func(o, v uint64) error { return b.Write16(o, uint16(v)) }},
		{4, func(o uint64) (uint64, error) { v, err := b.Read32(o); return uint64(v), err }, func(o, v uint64) error { return b.Write32(o, uint32(v)) }},
		{8, b.Read64, b.Write64},
	}
}

// testBARs: the BARs that Info names exist, no others.
func testBARs(t *testing.T, h Harness) {
	fn := h.open(t)
	for n, size := range fn.Info().BARs {
		b, err := fn.BAR(n)
		if size == 0 {
			if err == nil {
				t.Errorf("BAR %d exists, Info has none", n)
			}
			continue
		}
		ok(t, err)
		if b.Size() != size {
			t.Errorf("BAR %d has %d bytes, Info says %d", n, b.Size(), size)
		}
		if m := b.Map(); m != nil && uint64(len(m)) != size {
			t.Errorf("BAR %d maps %d bytes of %d", n, len(m), size)
		}
	}
	for _, n := range []int{-1, 6} {
		_, err := fn.BAR(n)
		refused(t, "BAR out of range", err)
	}
}

func testBARRange(t *testing.T, h Harness) {
	fn := h.open(t)
	number, _ := h.Device.Scratch()
	b := must(fn.BAR(number))(t)
	for _, a := range accesses(b) {
		offsets := []uint64{b.Size(), b.Size() + 8, -a.width, 1 << 63}
		if a.width > 1 {
			offsets = append(offsets, 1, a.width/2, b.Size()-a.width/2)
		}
		for _, o := range offsets {
			_, err := a.read(o)
			wants(t, "read", err, pcie.ErrRange)
			wants(t, "write", a.write(o, 0), pcie.ErrRange)
		}
		_, err := a.read(b.Size() - a.width)
		ok(t, err)
	}
}

// testScratch: values and byte lanes of every width reach the register.
func testScratch(t *testing.T, h Harness) {
	fn := h.open(t)
	number, offset := h.Device.Scratch()
	b := must(fn.BAR(number))(t)
	if v := must(b.Read32(offset))(t); v != 0 {
		t.Errorf("register is %#x at first", v)
	}
	for _, v := range []uint32{0x12345678, 0xFFFFFFFF, 0, 0xDEADBEEF} {
		ok(t, b.Write32(offset, v))
		if got := must(b.Read32(offset))(t); got != v {
			t.Errorf("register is %#x after writing %#x", got, v)
		}
	}
	value := uint32(0xDEADBEEF)
	for i := range uint64(4) {
		if got, want := must(b.Read8(offset+i))(t), uint8(value>>(8*i)); got != want {
			t.Errorf("byte %d reads %#x, want %#x", i, got, want)
		}
	}
	for i := uint64(0); i < 4; i += 2 {
		if got, want := must(b.Read16(offset+i))(t), uint16(value>>(8*i)); got != want {
			t.Errorf("half %d reads %#x, want %#x", i, got, want)
		}
	}
	wide := offset &^ 7
	pair := [2]uint32{must(b.Read32(wide))(t), must(b.Read32(wide + 4))(t)}
	if got, want := must(b.Read64(wide))(t), uint64(pair[1])<<32|uint64(pair[0]); got != want {
		t.Errorf("64 bits read %#x, their halves %#x", got, want)
	}
	ok(t, b.Write8(offset+1, 0x11))
	ok(t, b.Write16(offset+2, 0x2233))
	if got := must(b.Read32(offset))(t); got != 0x223311EF {
		t.Errorf("register is %#x after narrow writes, want 0x223311ef", got)
	}
	if m := b.Map(); m != nil {
		word := (*uint32)(unsafe.Pointer(&m[offset]))
		atomic.StoreUint32(word, 0x01020304)
		if got := must(b.Read32(offset))(t); got != 0x01020304 {
			t.Errorf("register is %#x after a write through the mapping", got)
		}
	}
	// A second BAR value names the same memory.
	again := must(fn.BAR(number))(t)
	ok(t, again.Write32(offset, 7))
	if got := must(b.Read32(offset))(t); got != 7 {
		t.Errorf("register is %#x after a write through another BAR value", got)
	}
}

// testUnmapped: reads of nothing are all ones, writes to it do nothing, and the
// device stays well.
func testUnmapped(t *testing.T, h Harness) {
	fn := h.open(t)
	number, offset := h.Device.Unmapped()
	b := must(fn.BAR(number))(t)
	for _, a := range accesses(b) {
		ok(t, a.write(offset, 0x55))
		if got, want := must(a.read(offset))(t), ^uint64(0)>>(64-8*a.width); got != want {
			t.Errorf("%d bytes read %#x, want %#x", a.width, got, want)
		}
	}
	number, offset = h.Device.Scratch()
	b = must(fn.BAR(number))(t)
	ok(t, b.Write32(offset, 3))
	if got := must(b.Read32(offset))(t); got != 3 {
		t.Errorf("register is %#x afterwards", got)
	}
}
