// SPDX-License-Identifier: Apache-2.0

package vfio

import (
	"strings"
	"testing"

	"github.com/espalier-nic/espalier/driver/pcie"
)

// faultLines are lines as kernels write them, and what is in them.
var faultLines = map[string]refusal{
	// Linux 6.1, measured in a guest of QEMU's.
	"DMAR: [DMA Read NO_PASID] Request device [00:10.0] fault addr 0x100003000 [fault reason 0x06] PTE Read access is not set":  {"00:10.0", pcie.Fault{IOVA: 0x100003000, Size: 4096}},
	"DMAR: [DMA Write NO_PASID] Request device [00:11.7] fault addr 0xfffff000 [fault reason 0x05] PTE Write access is not set": {"00:11.7", pcie.Fault{IOVA: 0xfffff000, Size: 4096, Write: true}},
	// Others, by the format strings of their sources.
	"DMAR: [DMA Read PASID 0x1a] Request device [0x6a:0x01.0] fault addr 0x7f0000001000 [fault reason 0x90] SM: Page walk": {"6a:01.0", pcie.Fault{IOVA: 0x7f0000001000, Size: 4096}},
	"DMAR: [DMA Write] Request device [03:00.0] PASID ffffffff fault addr ffffe000 [fault reason 05] PTE Write access":     {"03:00.0", pcie.Fault{IOVA: 0xffffe000, Size: 4096, Write: true}},
	"DMAR:[DMA Read] Request device [03:00.0] fault addr bdf7e000 \\x0aDMAR:[fault reason 06] PTE Read access is not set":  {"03:00.0", pcie.Fault{IOVA: 0xbdf7e000, Size: 4096}},
	"vfio-pci 0000:04:10.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0037 address=0x7b657064 flags=0x0000]":            {"0000:04:10.0", pcie.Fault{IOVA: 0x7b657000, Size: 4096}},
	"ahci 0000:28:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0035 address=0x7fffff00300 flags=0x0030]":             {"0000:28:00.0", pcie.Fault{IOVA: 0x7fffff00000, Size: 4096, Write: true}},
	"AMD-Vi: Event logged [IO_PAGE_FAULT device=0a:00.0 domain=0x001d address=0x000000000637c000 flags=0x0020]":            {"0a:00.0", pcie.Fault{IOVA: 0x637c000, Size: 4096, Write: true}},
	"AMD-Vi: Event logged [IO_PAGE_FAULT device=0001:0a:00.0 domain=0x001d address=0x637c000 flags=0x0000]":                {"0001:0a:00.0", pcie.Fault{IOVA: 0x637c000, Size: 4096}},
}

// otherLines are about something else.
var otherLines = []string{
	"", "DMAR: DRHD: handling fault status reg 2", "DMAR: [DMA Read",
	"DMAR: [INTR-REMAP] Request device [00:10.0] fault index 0x1 [fault reason 0x22] Present field in the IRTE entry is clear",
	"DMAR: [DMA Peek] Request device [00:10.0] fault addr 0x1000 [fault reason 0x06] PTE Read access is not set",
	"DMAR: [DMA Read NO_PASID] Request device [00:10.8] fault addr 0x1000 [fault reason 0x06] x",
	"DMAR: [DMA Read NO_PASID] Request device [00:10.0] fault addr 0x11112222333344445 [fault reason 0x06] x",
	"foo DMAR: [DMA Read NO_PASID] Request device [00:10.0] fault addr 0x1000 [fault reason 0x06] x",
	"AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x000e address=0x0 flags=0x0000]", // by whom?
	"ahci 0000:28:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0035 address=0xfee00000 flags=0x0008]",
	"AMD-Vi: Event logged [INVALID_DEVICE_REQUEST device=0a:00.0 pasid=0x00000 address=0xfdf8000000 flags=0x0a00]",
}

func TestFaultLines(t *testing.T) {
	for line, want := range faultLines {
		if got, ok := parseFault(line); !ok || got != want {
			t.Errorf("%q: %+v %v, want %+v", line, got, ok, want)
		}
	}
	for _, line := range otherLines {
		if got, ok := parseFault(line); ok {
			t.Errorf("%q is taken for %+v", line, got)
		}
	}
}

// TestFaultsOfOthers: a function is told its own faults only, also where lines do
// not say which PCI domain they mean.
func TestFaultsOfOthers(t *testing.T) {
	for _, c := range []struct {
		device, address string
		alone, want     bool
	}{
		{"03:00.0", "0000:03:00.0", true, true},
		{"03:00.0", "0001:03:00.0", true, true},
		{"03:00.0", "0000:03:00.0", false, false},
		{"03:00.1", "0000:03:00.0", true, false},
		{"0000:03:00.0", "0000:03:00.0", false, true},
		{"0001:03:00.0", "0000:03:00.0", true, false},
	} {
		if got := (refusal{device: c.device}).by(c.address, c.alone); got != c.want {
			t.Errorf("line about %s, function %s, alone %v: %v", c.device, c.address, c.alone, got)
		}
	}
}

func TestRecords(t *testing.T) {
	for record, want := range map[string]string{
		"3,514,8271905,-;DMAR: x\n SUBSYSTEM=pci\n DEVICE=+pci:0000:00:10.0\n": "DMAR: x",
		"6,1,2,c,caller=T1;a;b\n": "a;b",
		"7,1,2,-;":                "",
	} {
		if got, ok := parseRecord(record); !ok || got != want {
			t.Errorf("%q: %q %v", record, got, ok)
		}
	}
	for _, record := range []string{"", "3,514,8271905,-", "x,1,2,-;a", ";a", "-1,1,2,-;a",
		"11,514,8271905,-;DMAR: written by a program", "4294967296,1,2,-;a"} {
		if got, ok := parseRecord(record); ok {
			t.Errorf("%q is taken for %q", record, got)
		}
	}
}

func FuzzFaultLog(f *testing.F) {
	for line := range faultLines {
		f.Add("3,514,8271905,-;" + line + "\n")
	}
	for _, line := range otherLines {
		f.Add("3,514,8271905,-;" + line + "\n DEVICE=+pci:0000:00:10.0\n")
	}
	f.Fuzz(func(t *testing.T, record string) {
		text, ok := parseRecord(record)
		if !ok {
			return
		}
		r, ok := parseFault(text)
		if !ok {
			return
		}
		if r.fault.IOVA%faultPage != 0 || r.fault.Size != faultPage || r.device == "" {
			t.Errorf("%q: %+v", text, r)
		}
		if !strings.Contains(strings.ReplaceAll(text, "0x", ""), r.device) {
			t.Errorf("%q: device %q is not in it", text, r.device)
		}
	})
}
