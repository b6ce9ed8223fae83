// SPDX-License-Identifier: Apache-2.0

package vfio

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/discover"
)

// TestFaultsFromTheLog: the function's own refused accesses since it was opened,
// once, whatever else is in the log and however reads of it fail.
func TestFaultsFromTheLog(t *testing.T) {
	k := newKernel(t)
	const old = "3,1,1,-;DMAR: [DMA Read] Request device [03:00.0] fault addr 1000 [fault reason 06] old\n"
	k.file(kernelLog, old)
	found, err := discover.LookupIn(k.path(discover.SysfsDevices), cardAddress)
	if err != nil {
		t.Fatal(err)
	}
	d, err := openDevice(k, &found, Automatic)
	if err != nil {
		t.Fatal(err)
	}
	records := []any{
		"6,2,2,-;usb 1-1: new device\n",
		"3,3,3,-;DMAR: [DMA Write NO_PASID] Request device [03:00.0] fault addr 0x5000 [fault reason 0x05] x\n SUBSYSTEM=pci\n",
		unix.EPIPE, // records were overwritten before they were read
		"3,9,9,-;DMAR: [DMA Read NO_PASID] Request device [04:00.0] fault addr 0x6000 [fault reason 0x06] x\n",
		unix.EINTR,
		"12,9,9,-;DMAR: [DMA Read NO_PASID] Request device [03:00.0] fault addr 0x8000 [fault reason 0x06] x\n",
		"3,9,9,-;vfio-pci 0000:03:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0001 address=0x7064 flags=0x0000]\n",
	}
	d.faults.read = func(p []byte) (int, error) {
		if len(records) == 0 {
			return 0, unix.EAGAIN
		}
		next := records[0]
		records = records[1:]
		if err, is := next.(unix.Errno); is {
			return 0, err
		}
		return copy(p, next.(string)), nil
	}
	faults := d.TakeFaults()
	if len(faults) != 2 {
		t.Fatalf("%+v", faults)
	}
	for i, want := range []pcie.Fault{{IOVA: 0x5000, Size: 4096, Write: true}, {IOVA: 0x7000, Size: 4096}} {
		if faults[i].Time.IsZero() {
			t.Errorf("fault %d has no time", i)
		}
		if want.Time = faults[i].Time; faults[i] != want {
			t.Errorf("fault %d is %+v, want %+v", i, faults[i], want)
		}
	}
	if again := d.TakeFaults(); len(again) != 0 {
		t.Errorf("told twice: %+v", again)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// TestFaultLogFromNow: what was in the log before the function was opened is not
// about it, and a log that may not be read is none.
func TestFaultLogFromNow(t *testing.T) {
	k := newKernel(t)
	if l := openFaultLog(k, cardAddress); l != nil || l.take() != nil || l.end() != nil {
		t.Error("a log that is not there was opened")
	}
	const line = "3,1,1,-;DMAR: [DMA Read] Request device [03:00.0] fault addr %s [fault reason 06] x\n"
	k.file(kernelLog, line)
	l := openFaultLog(k, cardAddress)
	defer l.end()
	if !l.alone {
		t.Error("the only function with its address is not alone")
	}
	if faults := l.take(); len(faults) != 0 {
		t.Errorf("old faults %+v", faults)
	}
	f, err := os.OpenFile(k.path(kernelLog), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("3,2,2,-;DMAR: [DMA Read] Request device [03:00.0] fault addr 9000 [fault reason 06] x\n"); err != nil {
		t.Fatal(err)
	}
	if faults := l.take(); len(faults) != 1 || faults[0].IOVA != 0x9000 {
		t.Errorf("new faults %+v", faults)
	}
	if err := os.Mkdir(filepath.Join(k.root, "sys/bus/pci/devices/0001:03:00.0"), 0o755); err != nil {
		t.Fatal(err)
	}
	other := openFaultLog(k, cardAddress)
	defer other.end()
	if other.alone {
		t.Error("a function of another domain with the same number is overlooked")
	}
}
