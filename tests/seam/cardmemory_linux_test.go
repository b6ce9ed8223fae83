// SPDX-License-Identifier: Apache-2.0

package seam

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
	"unsafe"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/pcietest"
)

// onCards runs a test on the cards that the flag names.
func onCards(t *testing.T, test func(t *testing.T, c *cards)) {
	for _, name := range strings.Split(*deviceFlag, ",") {
		if c := parseCards(t, name); c != nil {
			t.Run(name, func(t *testing.T) { test(t, c) })
		}
	}
}

// freeHugepages is how many hugepages of the usual size are free.
func freeHugepages(t testing.TB) (n int) {
	t.Helper()
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if found, _ := fmt.Sscanf(lines.Text(), "HugePages_Free: %d", &n); found == 1 {
			return n
		}
	}
	t.Fatal("/proc/meminfo does not tell the free hugepages")
	return 0
}

// pageSize is the size of the pages behind memory, in KiB.
func pageSize(t testing.TB, memory []byte) (kib int) {
	t.Helper()
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	at := uintptr(unsafe.Pointer(unsafe.SliceData(memory)))
	inside := false
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var from, to uintptr
		if n, _ := fmt.Sscanf(lines.Text(), "%x-%x ", &from, &to); n == 2 {
			inside = from <= at && at < to
		}
		if n, _ := fmt.Sscanf(lines.Text(), "KernelPageSize: %d kB", &kib); n == 1 && inside {
			return kib
		}
	}
	t.Fatalf("no mapping holds %#x", at)
	return 0
}

// TestCardMemory: large DMA memory is in hugepages where there are any, the card
// reaches all of it, and hugepages come back.
func TestCardMemory(t *testing.T) {
	onCards(t, func(t *testing.T, c *cards) {
		before := freeHugepages(t)
		if before < 4 {
			t.Fatalf("%d hugepages are free; reserve 4: echo 4 > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", before)
		}
		const huge = 2 << 20
		size := huge // as much as is contiguous by itself
		if !c.way.function.NoFaults {
			size = 2*huge + 4096
		}
		f := c.open(t)
		defer f.Close()
		m, err := f.AllocDMA(size)
		if err != nil {
			t.Fatal(err)
		}
		if kib := pageSize(t, m.Bytes); kib != huge>>10 {
			t.Errorf("memory has pages of %d KiB, want %d", kib, huge>>10)
		}
		if n := freeHugepages(t); n >= before {
			t.Errorf("%d hugepages are free, %d were", n, before)
		}
		card := pcietest.Espalier()
		card.Settle(t, f)
		for _, offset := range []int{0, 4096 - 64, huge - 64, huge, huge + 4096, size - 64} {
			if offset > size-64 {
				continue
			}
			if !card.Read(t, f, m.IOVA+uint64(offset), 64) || !card.Write(t, f, m.IOVA+uint64(offset)) {
				t.Errorf("the card cannot reach offset %#x", offset)
			}
			if string(m.Bytes[offset:offset+16]) == string(make([]byte, 16)) {
				t.Errorf("nothing arrived at offset %#x", offset)
			}
		}
		if err := f.FreeDMA(m); err != nil {
			t.Error(err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if n := freeHugepages(t); n != before {
			t.Errorf("%d hugepages are free in the end, %d were", n, before)
		}
	})
}

// TestCardStartsAnew: whoever opens a card gets one in its power-up state,
// whatever the last one has left.
func TestCardStartsAnew(t *testing.T) {
	onCards(t, func(t *testing.T, c *cards) {
		card := pcietest.Espalier()
		number, offset := card.Scratch()
		for range 2 {
			f := c.open(t)
			defer f.Close()
			bar, err := f.BAR(number)
			if err != nil {
				t.Fatal(err)
			}
			if v, err := bar.Read32(offset); v != 0 || err != nil {
				t.Errorf("register is %#x at first, error %v", v, err)
			}
			if err := bar.Write32(offset, 0xA5A5A5A5); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
			if _, err := f.BAR(number); err != pcie.ErrClosed {
				t.Errorf("after Close: %v", err)
			}
		}
	})
}
