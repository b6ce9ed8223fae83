// SPDX-License-Identifier: Apache-2.0

package vfio

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/espalier-nic/espalier/driver/pcie"
)

// VFIO tells no program of the accesses that an IOMMU has refused. The kernel's
// log does, in words: lines of the drivers of Intel's and AMD's IOMMUs
// (drivers/iommu/intel/dmar.c, dmar_fault_do_one; drivers/iommu/amd/iommu.c,
// amd_iommu_report_page_fault), in the several forms that they have had.
//
// That is as good as the log is:
//   - the kernel writes such lines of a few faults in 5 seconds only (Intel, Linux
//     6.1: three were measured), and those beyond are not there;
//   - the IOMMU itself keeps only some faults until the kernel has read them;
//   - a line has the address, or the page of it, but not the access's size;
//   - a line may come a moment after the function itself knows;
//   - reading the log may be forbidden (kernel.dmesg_restrict without CAP_SYSLOG).

// refusal is an access by a function that an IOMMU has refused.
type refusal struct {
	// device is the function's address, "0000:03:00.0", or without the PCI domain
	// where the line has none.
	device string
	fault  pcie.Fault
}

// faultPage is the size of what a line is about: Intel's have the page's address.
const faultPage = 4096

var (
	// DMAR: [DMA Read NO_PASID] Request device [00:10.0] fault addr 0x100003000 [fault reason 0x06] PTE Read access is not set
	// DMAR: [DMA Write] Request device [03:00.0] PASID ffffffff fault addr ffffe000 [fault reason 05] PTE Write access is not set
	intelFault = regexp.MustCompile(`^DMAR: ?\[DMA (Read|Write)(?: [^\]]*)?\] Request device \[(?:0x)?([0-9a-f]{2}):(?:0x)?([0-9a-f]{2})\.(?:0x)?([0-7])\] (?:PASID [0-9a-f]+ )?fault addr (?:0x)?([0-9a-f]{1,16}) `)
	// vfio-pci 0000:03:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x000a address=0x100003000 flags=0x0020]
	// AMD-Vi: Event logged [IO_PAGE_FAULT device=0000:03:00.0 domain=0x000a address=0x100003000 flags=0x0020]
	amdFault = regexp.MustCompile(`^(?:\S+ ([0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]): )?AMD-Vi: Event logged \[IO_PAGE_FAULT (?:device=((?:[0-9a-f]{4,8}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]) )?(?:pasid=0x[0-9a-f]+ )?domain=0x[0-9a-f]+ address=0x([0-9a-f]{1,16}) flags=0x([0-9a-f]{1,4})\]`)
)

// Flags of AMD's events: the access was an interrupt, it was a write (AMD I/O
// Virtualization Technology Specification, section 2.5.3).
const (
	amdInterrupt = 1 << 3
	amdWrite     = 1 << 5
)

// parseFault reads a line of the kernel's log. false: it is about something else.
func parseFault(line string) (refusal, bool) {
	if m := intelFault.FindStringSubmatch(line); m != nil {
		return newRefusal(m[2]+":"+m[3]+"."+m[4], m[5], m[1] == "Write")
	}
	m := amdFault.FindStringSubmatch(line)
	if m == nil {
		return refusal{}, false
	}
	device := m[2]
	if device == "" {
		device = m[1]
	}
	flags, err := strconv.ParseUint(m[4], 16, 16)
	if device == "" || err != nil || flags&amdInterrupt != 0 {
		return refusal{}, false
	}
	return newRefusal(device, m[3], flags&amdWrite != 0)
}

func newRefusal(device, address string, write bool) (refusal, bool) {
	at, err := strconv.ParseUint(address, 16, 64)
	if err != nil {
		return refusal{}, false
	}
	return refusal{device, pcie.Fault{IOVA: at &^ (faultPage - 1), Size: faultPage, Write: write}}, true
}

// by says whether the function at an address did it. Without a PCI domain in the
// line that is so only if no other domain has the same address (alone).
func (r refusal) by(address string, alone bool) bool {
	if r.device == address {
		return true
	}
	_, short, found := strings.Cut(address, ":")
	return alone && found && r.device == short
}

// parseRecord takes the text out of a record of /dev/kmsg (Linux
// Documentation/ABI/testing/dev-kmsg): "6,339,5140900,-;TEXT\n KEY=VALUE\n". false:
// it is none, or not the kernel's own: programs can write records too.
func parseRecord(record string) (text string, ok bool) {
	head, rest, found := strings.Cut(record, ";")
	if !found {
		return "", false
	}
	level, _, _ := strings.Cut(head, ",")
	priority, err := strconv.ParseUint(level, 10, 32)
	if err != nil || priority > 7 { // the facility is above the level, and the kernel's is 0
		return "", false
	}
	text, _, _ = strings.Cut(rest, "\n")
	return text, true
}
