// SPDX-License-Identifier: Apache-2.0

package pcietest

import (
	"math/bits"
	"testing"

	"github.com/espalier-nic/espalier/driver/pcie"
)

const (
	configSize     = 4096
	bar64          = 4 // type field of a memory BAR: 64-bit
	barFlags       = 0xF
	headerTypeMask = 0x7F
	msixSizeMask   = 0x7FF
)

// testIdentity: Info is what configuration space says.
func testIdentity(t *testing.T, h Harness) {
	fn := h.open(t)
	info := fn.Info()
	if info.VendorID != h.VendorID || info.DeviceID != h.DeviceID {
		t.Errorf("Info is %04x:%04x, want %04x:%04x", info.VendorID, info.DeviceID, h.VendorID, h.DeviceID)
	}
	if info.Location == "" {
		t.Error("Info.Location is empty")
	}
	read := func(offset, width int) uint32 { return must(fn.ConfigRead(offset, width))(t) }
	for _, f := range []struct {
		name      string
		got, want uint32
	}{
		{"vendor", read(pcie.ConfigVendorID, 2), uint32(info.VendorID)},
		{"device", read(pcie.ConfigDeviceID, 2), uint32(info.DeviceID)},
		{"both in one", read(pcie.ConfigVendorID, 4), uint32(info.DeviceID)<<16 | uint32(info.VendorID)},
		{"subsystem vendor", read(pcie.ConfigSubsystemVendorID, 2), uint32(info.SubsystemVendorID)},
		{"subsystem", read(pcie.ConfigSubsystemID, 2), uint32(info.SubsystemID)},
		{"revision", read(pcie.ConfigRevision, 1), uint32(info.Revision)},
		{"class", read(pcie.ConfigRevision, 4) >> 8, info.Class},
		{"class, byte by byte", read(pcie.ConfigClass, 1) | read(pcie.ConfigClass+1, 1)<<8 | read(pcie.ConfigClass+2, 1)<<16, info.Class},
		{"header type", read(pcie.ConfigHeaderType, 1) & headerTypeMask, 0},
	} {
		if f.got != f.want {
			t.Errorf("%s is %#x, want %#x", f.name, f.got, f.want)
		}
	}
	// Identity is read-only.
	ok(t, fn.ConfigWrite(pcie.ConfigVendorID, 4, 0))
	if v := read(pcie.ConfigVendorID, 2); v != uint32(info.VendorID) {
		t.Errorf("vendor is %#x after writing 0", v)
	}
}

func testConfigRange(t *testing.T, h Harness) {
	fn := h.open(t)
	for _, a := range []struct{ offset, width int }{
		{-1, 1}, {-4, 4}, {configSize, 1}, {configSize, 4}, {configSize - 1, 2}, {1, 2}, {2, 4}, {0, 3}, {0, 8}, {0, 0}, {0, -1},
	} {
		_, err := fn.ConfigRead(a.offset, a.width)
		wants(t, "read", err, pcie.ErrRange)
		wants(t, "write", fn.ConfigWrite(a.offset, a.width, 0), pcie.ErrRange)
	}
}

// testCommand: memory and bus master enables read as written.
func testCommand(t *testing.T, h Harness) {
	fn := h.open(t)
	const both = pcie.CommandMemory | pcie.CommandBusMaster
	for _, want := range []uint32{0, pcie.CommandMemory, both} {
		ok(t, fn.ConfigWrite(pcie.ConfigCommand, 2, want))
		if got := must(fn.ConfigRead(pcie.ConfigCommand, 2))(t); got&both != want {
			t.Errorf("command is %#x after writing %#x", got, want)
		}
	}
}

// testCapabilities walks the list: every entry once, aligned, outside the header.
func testCapabilities(t *testing.T, h Harness) {
	fn := h.open(t)
	if must(fn.ConfigRead(pcie.ConfigStatus, 2))(t)&pcie.StatusCapabilities == 0 {
		t.Fatal("no capability list")
	}
	seen := map[uint32]uint32{}
	visited := map[uint32]bool{}
	for at := must(fn.ConfigRead(pcie.ConfigCapabilities, 1))(t); at != 0; {
		if at < 0x40 || at%4 != 0 || visited[at] {
			t.Fatalf("capability at %#x: in the header, not aligned or seen before", at)
		}
		visited[at] = true
		v := must(fn.ConfigRead(int(at), 4))(t)
		seen[v&0xFF] = v
		at = v >> 8 & 0xFF
	}
	if _, has := seen[pcie.CapabilityExpress]; !has {
		t.Error("no PCI Express capability")
	}
	vectors := fn.Info().Vectors
	v, has := seen[pcie.CapabilityMSIX]
	if has != (vectors > 0) {
		t.Fatalf("%d vectors, MSI-X capability present: %v", vectors, has)
	}
	if size := int(v>>16&msixSizeMask) + 1; has && size != vectors {
		t.Errorf("MSI-X table has %d entries, Info %d vectors", size, vectors)
	}
}

// testBARSizing finds the sizes as system software does (PCI Local Bus 3.0,
// 6.2.5.1): write ones, read back, restore.
func testBARSizing(t *testing.T, h Harness) {
	fn := h.open(t)
	info := fn.Info()
	for n, size := range info.BARs {
		if size != 0 && (bits.OnesCount64(size) != 1 || size < 16) {
			t.Errorf("BAR %d has %d bytes: no power of two of at least 16", n, size)
		}
	}
	if h.FixedBARs {
		leaveOut(t, "base address registers that may not be moved")
		return
	}
	command := must(fn.ConfigRead(pcie.ConfigCommand, 2))(t)
	ok(t, fn.ConfigWrite(pcie.ConfigCommand, 2, command&^uint32(pcie.CommandMemory)))
	probe := func(offset int) (was, mask uint32) {
		was = must(fn.ConfigRead(offset, 4))(t)
		ok(t, fn.ConfigWrite(offset, 4, ^uint32(0)))
		mask = must(fn.ConfigRead(offset, 4))(t)
		ok(t, fn.ConfigWrite(offset, 4, was))
		if back := must(fn.ConfigRead(offset, 4))(t); back != was {
			t.Errorf("register %#x is %#x, %#x was restored", offset, back, was)
		}
		return was, mask
	}
	for n := 0; n < 6; n++ {
		offset := pcie.ConfigBAR0 + 4*n
		was, low := probe(offset)
		mask := uint64(low&^barFlags) | 0xFFFFFFFF<<32
		if was&6 == bar64 && low != 0 {
			if n == 5 {
				t.Fatal("BAR 5 is 64 bits wide")
			}
			_, high := probe(offset + 4)
			mask = uint64(low&^barFlags) | uint64(high)<<32
			if info.BARs[n+1] != 0 {
				t.Errorf("BAR %d is the upper half of BAR %d, Info gives it %d bytes", n+1, n, info.BARs[n+1])
			}
		}
		var size uint64
		if low != 0 {
			size = -mask
		}
		if size != info.BARs[n] {
			t.Errorf("BAR %d sizes as %d bytes, Info says %d", n, size, info.BARs[n])
		}
		if was&6 == bar64 && low != 0 {
			n++
		}
	}
	ok(t, fn.ConfigWrite(pcie.ConfigCommand, 2, command))
}
