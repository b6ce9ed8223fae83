// SPDX-License-Identifier: Apache-2.0

package sysfs

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/discover"
	"github.com/espalier-nic/espalier/driver/pcie/endpoint"
	"github.com/espalier-nic/espalier/driver/pcie/passthrough"
)

// fakeSystem is a machine with a card in a folder. Its files are plain memory:
// nothing happens in them. Hugepages are ordinary memory that is counted.
type fakeSystem struct {
	linux
	t      testing.TB
	root   string
	huge   int // hugepages that are free
	hidden bool
	apart  bool // hugepages are not contiguous
	mapErr error
	mapped map[*byte]uint64 // pages and files
	next   uint64
	busy   bool
}

const (
	cardAddress = "0000:03:00.0"
	bar0Size    = 64 << 10
	hugeSize    = 64 << 10 // as small as some processors have them
)

func newSystem(t testing.TB) *fakeSystem {
	t.Helper()
	s := &fakeSystem{t: t, root: t.TempDir(), huge: 4, mapped: map[*byte]uint64{}, next: 0x1_0000_0000}
	ep, err := endpoint.New(endpoint.Config{VendorID: pcie.VendorID, DeviceID: pcie.DeviceID, Class: pcie.ClassCode, BAR0: bar0Size, Vectors: 4})
	if err != nil {
		t.Fatal(err)
	}
	config := make([]byte, 4096)
	for i := range config {
		v, _ := ep.ConfigRead(i, 1)
		config[i] = byte(v)
	}
	config[pcie.ConfigCommand] = pcie.CommandMemory | pcie.CommandBusMaster // left at work
	zero := "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
	for name, content := range map[string]string{
		"vendor": "0x1234\n", "device": "0x4550\n", "class": "0x020000\n", "irq": "0\n", "reset": "", "config": string(config),
		"resource":  "0x00000000fe000000 0x00000000fe00ffff 0x0000000000140204\n" + strings.Repeat(zero, 3) + "0x00000000fe010000 0x00000000fe011fff 0x0000000000140204\n" + "0x000000000000c000 0x000000000000c0ff 0x0000000000040101\n" + strings.Repeat(zero, 7),
		"resource0": string(make([]byte, bar0Size)), "resource4": string(make([]byte, 8192)),
	} {
		s.file(name, content)
	}
	for _, kib := range []int{hugeSize >> 10, 1 << 20} {
		if err := os.MkdirAll(s.path(fmt.Sprintf("%s/hugepages-%dkB", hugepages, kib)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if len(s.mapped) > 0 {
			t.Errorf("%d mappings are left", len(s.mapped))
		}
	})
	return s
}

func (s *fakeSystem) path(name string) string { return filepath.Join(s.root, name) }

// file writes a file of the card, or of the system if it has a whole path.
func (s *fakeSystem) file(name, content string) {
	s.t.Helper()
	path := s.path(discover.SysfsDevices + "/" + cardAddress + "/" + name)
	if strings.HasPrefix(name, "/") {
		path = s.path(name)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s *fakeSystem) read(name string) []byte {
	s.t.Helper()
	b, err := os.ReadFile(s.path(discover.SysfsDevices + "/" + cardAddress + "/" + name))
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

func (s *fakeSystem) link(name, target string) {
	s.t.Helper()
	if err := os.Symlink(target, s.path(discover.SysfsDevices+"/"+cardAddress+"/"+name)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *fakeSystem) command() uint16 {
	s.t.Helper()
	return binary.LittleEndian.Uint16(s.read("config")[pcie.ConfigCommand:])
}

func (s *fakeSystem) lock(f *os.File) error {
	if s.busy {
		return unix.EWOULDBLOCK
	}
	return s.linux.lock(f)
}

func (s *fakeSystem) mapFile(f *os.File, offset int64, size int) ([]byte, error) {
	if s.mapErr != nil {
		return nil, s.mapErr
	}
	m, err := s.linux.mapFile(f, offset, size)
	if err == nil {
		s.mapped[&m[0]] = 0
	}
	return m, err
}

func (s *fakeSystem) mapPages(page int) ([]byte, error) {
	if page > os.Getpagesize() {
		if page > hugeSize || s.huge == 0 {
			return nil, unix.ENOMEM
		}
		s.huge--
	}
	m, err := unix.Mmap(-1, 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANON)
	if err == nil {
		s.next += 1 << 30
		s.mapped[&m[0]] = s.next
	}
	return m, err
}

func (s *fakeSystem) unmap(m []byte) error {
	if _, is := s.mapped[&m[0]]; !is {
		s.t.Error("unmap of what is not mapped")
	}
	if len(m) == hugeSize {
		if s.mapped[&m[0]] != 0 {
			s.huge++
		}
		if s.mapped[&m[0]] != 0 && !s.hidden && !s.apart && s.command()&pcie.CommandBusMaster != 0 {
			s.t.Error("memory is freed with bus mastering on")
		}
	}
	delete(s.mapped, &m[0])
	return unix.Munmap(m)
}

func (s *fakeSystem) physical(m []byte) ([]uint64, error) {
	page := uint64(os.Getpagesize())
	entries := make([]byte, len(m)/int(page)*pagemapEntry)
	for i := range len(entries) / pagemapEntry {
		e := uint64(pagemapPresent) | s.mapped[&m[0]]/page + uint64(i)
		if s.hidden {
			e = pagemapPresent
		}
		if s.apart && i == 3 {
			e++
		}
		binary.NativeEndian.PutUint64(entries[i*pagemapEntry:], e)
	}
	return frames(entries, page)
}

var accepted = Options{AcceptNoIOMMU: true}

func TestUse(t *testing.T) {
	s := newSystem(t)
	f, err := open(s, "03:00.0", accepted)
	if err != nil {
		t.Fatal(err)
	}
	if string(s.read("reset")) != "1" {
		t.Error("the card was not reset")
	}
	info := f.Info()
	if info.Location != "sysfs:"+cardAddress || info.VendorID != pcie.VendorID || info.Vectors != 4 || info.BARs != [6]uint64{0: bar0Size, 4: 8192} {
		t.Errorf("%+v", info)
	}
	if got := s.command(); got&pcie.CommandBusMaster == 0 {
		t.Errorf("command register is %#x", got)
	}
	b, err := f.BAR(0)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Write32(0x100, 0x01020304); err != nil {
		t.Fatal(err)
	}
	if got := s.read("resource0")[0x100:0x104]; string(got) != "\x04\x03\x02\x01" {
		t.Errorf("% x", got)
	}
	if m := b.Map(); len(m) != bar0Size {
		t.Errorf("%d bytes are mapped", len(m))
	}
	if _, err := f.WaitInterrupt(context.Background(), 0); !errors.Is(err, pcie.ErrNoInterrupts) {
		t.Errorf("wait: %v", err)
	}
	if err := f.SetVectors(1); !errors.Is(err, pcie.ErrNoInterrupts) {
		t.Errorf("vectors: %v", err)
	}
	if faults, err := f.Faults(); len(faults) > 0 || err != nil {
		t.Errorf("%v %v", faults, err)
	}
	m, err := f.AllocDMA(3 * os.Getpagesize())
	if err != nil {
		t.Fatal(err)
	}
	if want := s.mapped[unsafe.SliceData(m.Bytes)]; m.IOVA != want || want == 0 {
		t.Errorf("memory at %#x, is at %#x", m.IOVA, want)
	}
	if err := f.FreeDMA(m); err != nil {
		t.Error(err)
	}
	s.file("reset", "")
	if err := f.Reset(context.Background()); err != nil || string(s.read("reset")) != "1" {
		t.Errorf("reset: %v", err)
	}
	if _, err := f.AllocDMA(1); err != nil { // left for Close
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if got := s.command(); got != pcie.CommandMemory {
		t.Errorf("command register is %#x afterwards", got)
	}
	if s.huge != 4 {
		t.Errorf("%d hugepages are free, want 4", s.huge)
	}
}

// TestMemory: contiguous, disjoint, zeroed, and a freed part comes last.
func TestMemory(t *testing.T) {
	s := newSystem(t)
	s.file("config", string(make([]byte, 64)))
	d := newMemory(s)
	page := os.Getpagesize()
	type part struct {
		bytes []byte
		at    uint64
	}
	var parts []part
	take := func(pages int) part {
		t.Helper()
		bytes, at, err := d.Alloc(pages * page)
		if err != nil {
			t.Fatal(err)
		}
		if len(bytes) != pages*page || cap(bytes) != len(bytes) || slices.ContainsFunc(bytes, func(b byte) bool { return b != 0 }) {
			t.Errorf("%d bytes of capacity %d, not zero perhaps", len(bytes), cap(bytes))
		}
		for _, p := range parts {
			if at < p.at+uint64(len(p.bytes)) && p.at < at+uint64(len(bytes)) {
				t.Errorf("%#x overlaps %#x", at, p.at)
			}
		}
		for i := range bytes {
			bytes[i] = 0xFF
		}
		parts = append(parts, part{bytes, at})
		return parts[len(parts)-1]
	}
	give := func(i int) {
		t.Helper()
		if err := d.Free(parts[i].bytes, parts[i].at); err != nil {
			t.Fatal(err)
		}
		parts = slices.Delete(parts, i, i+1)
	}
	pages := hugeSize / page
	first := take(pages / 4)
	take(pages / 2)
	give(0)
	if again := take(pages / 4); again.at == first.at {
		t.Error("a part was given out again at once")
	}
	take(pages / 4) // only the first is left
	if len(d.chunks) != 1 {
		t.Errorf("%d hugepages, one would do", len(d.chunks))
	}
	take(1)
	take(pages)
	if len(d.chunks) != 3 {
		t.Errorf("%d hugepages, want 3", len(d.chunks))
	}
	if _, _, err := d.Alloc(hugeSize + page); !errors.Is(err, pcie.ErrNoMemory) || !errors.Is(err, ErrHugepages) {
		t.Errorf("more than a hugepage: %v", err)
	}
	if err := d.Free(nil, 1); !errors.Is(err, pcie.ErrRange) {
		t.Errorf("free of foreign memory: %v", err)
	}
	for len(parts) > 0 {
		give(0)
	}
	if err := d.close(); err != nil {
		t.Error(err)
	}
}

// TestRun: parts next to each other are found, also before where the last was
// taken.
func TestRun(t *testing.T) {
	page := os.Getpagesize()
	c := &chunk{bytes: make([]byte, 8*page), used: make([]bool, 8), free: 8, physical: 1 << 32}
	at := func(pages int) int {
		bytes, at, ok := c.take(pages)
		if !ok {
			return -1
		}
		if len(bytes) != pages*page {
			t.Errorf("%d bytes for %d pages", len(bytes), pages)
		}
		return int(at-1<<32) / page
	}
	for i, step := range []struct{ take, give, pages, want int }{
		{take: 3, want: 0}, {take: 3, want: 3}, {take: 3, want: -1}, {take: 2, want: 6}, {take: 1, want: -1},
		{give: 1, pages: 4}, {take: 5, want: -1}, {take: 4, want: 1}, {give: 5, pages: 2}, {take: 2, want: 5},
		{give: 0, pages: 8}, {take: 8, want: 0}, {give: 2, pages: 2}, {give: 6, pages: 1}, {take: 2, want: 2}, {take: 1, want: 6},
	} {
		if step.take == 0 {
			c.give(step.give, step.pages)
		} else if got := at(step.take); got != step.want {
			t.Errorf("step %d: %d pages at %d, want %d", i, step.take, got, step.want)
		}
	}
}

// TestSmallPages: without hugepages, blocks of one page, if pages stay.
func TestSmallPages(t *testing.T) {
	s := newSystem(t)
	s.huge = 0
	s.file("/proc/sys/vm/compact_unevictable_allowed", "0\n")
	s.file("/proc/sys/kernel/numa_balancing", "0\n")
	f, err := open(s, cardAddress, accepted)
	if err != nil {
		t.Fatal(err)
	}
	a, errA := f.AllocDMA(1)
	b, errB := f.AllocDMA(os.Getpagesize())
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	if a.IOVA == b.IOVA {
		t.Errorf("both at %#x", a.IOVA)
	}
	if _, err := f.AllocDMA(os.Getpagesize() + 1); !errors.Is(err, ErrHugepages) || !strings.Contains(err.Error(), "hugepages-64kB/nr_hugepages") {
		t.Errorf("two pages: %v", err)
	}
	for setting, name := range map[string]string{"vm/compact_unevictable_allowed": "sysctl vm.compact_unevictable_allowed=0", "kernel/numa_balancing": "sysctl kernel.numa_balancing=0"} {
		s.file("/proc/sys/"+setting, "1\n")
		if _, err := f.AllocDMA(1); !errors.Is(err, pcie.ErrNoMemory) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", setting, err)
		}
		s.file("/proc/sys/"+setting, "0\n")
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// TestMemoryErrors: memory that cannot be used is not.
func TestMemoryErrors(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(*fakeSystem)
		kind    error
		words   string
	}{
		"hidden addresses": {func(s *fakeSystem) { s.hidden = true }, ErrRights, "CAP_SYS_ADMIN"},
		"in pieces":        {func(s *fakeSystem) { s.apart = true }, pcie.ErrNoMemory, "page 3"},
		"no hugepages":     {func(s *fakeSystem) { os.RemoveAll(s.path(hugepages)) }, ErrHugepages, "CONFIG_HUGETLBFS"},
		"none free":        {func(s *fakeSystem) { s.huge = 0 }, ErrHugepages, "echo 1024 > /sys/kernel/mm/hugepages/hugepages-64kB/nr_hugepages"},
	} {
		s := newSystem(t)
		c.prepare(s)
		f, err := open(s, cardAddress, accepted)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.AllocDMA(2 * os.Getpagesize()); !errors.Is(err, c.kind) || !errors.Is(err, pcie.ErrNoMemory) || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v", name, err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestRefusals: each thing in the way is one sentence, of a kind, with the item
// and a command that helps.
func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(s *fakeSystem)
		opts    Options
		kind    error
		words   []string
	}{
		"not accepted": {func(*fakeSystem) {}, Options{}, ErrNotAccepted, []string{"no IOMMU", "--device sysfs:" + cardAddress}},
		"not ours":     {func(s *fakeSystem) { s.file("device", "0x9999\n") }, accepted, ErrNotOurs, []string{"1234:9999", "--pci-id 1234:9999"}},
		"not a product's": {
			func(*fakeSystem) {}, Options{AcceptNoIOMMU: true, IDs: []discover.ID{{Vendor: 1, Device: 2}, {Vendor: 3, Device: 4}}},
			ErrNotOurs, []string{"0001:0002 or 0003:0004"},
		},
		"bound": {func(s *fakeSystem) { s.link("driver", "../../drivers/igb") }, accepted, ErrBound, []string{"igb", "driver/unbind"}},
		"translated": {func(s *fakeSystem) {
			s.link("iommu_group", "../../../kernel/iommu_groups/17")
			s.file("/sys/kernel/iommu_groups/17/type", "DMA-FQ\n")
		}, accepted, ErrIOMMU, []string{"group 17", "DMA-FQ", "espalier doctor", "echo identity > /sys/kernel/iommu_groups/17/type"}},
		"unknown IOMMU": {func(s *fakeSystem) { s.link("iommu_group", "../../../kernel/iommu_groups/17") }, accepted, fs.ErrNotExist, []string{"group 17", "VFIO"}},
		"in use":        {func(s *fakeSystem) { s.busy = true }, accepted, ErrBusy, []string{"fuser -v"}},
		"locked down":   {func(s *fakeSystem) { s.mapErr = unix.EPERM }, accepted, ErrRights, []string{"Secure Boot", "VFIO"}},
		"kernel's":      {func(s *fakeSystem) { s.mapErr = unix.EBUSY }, accepted, ErrBusy, []string{"BAR 0", "/proc/iomem"}},
		"gone":          {func(s *fakeSystem) { s.file("config", strings.Repeat("\xFF", 4096)) }, accepted, pcie.ErrRemoved, []string{"all ones"}},
		"no file":       {func(s *fakeSystem) { os.Remove(s.path(discover.SysfsDevices + "/" + cardAddress + "/resource4")) }, accepted, fs.ErrNotExist, []string{"resource4"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSystem(t)
			c.prepare(s)
			before := s.read("config")
			fds := descriptors(t)
			f, err := open(s, cardAddress, c.opts)
			if err == nil {
				f.Close()
				t.Fatal("no error")
			}
			if !errors.Is(err, c.kind) {
				t.Errorf("%v is not %v", err, c.kind)
			}
			for _, w := range append(c.words, cardAddress) {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not say %q", err, w)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q is more than one line", err)
			}
			if after := descriptors(t); after != fds {
				t.Errorf("%d descriptors before, %d after", fds, after)
			}
			if errors.Is(err, pcie.ErrRemoved) || !c.opts.AcceptNoIOMMU {
				if string(s.read("config")) != string(before) {
					t.Error("configuration space was written")
				}
			}
			if s.mapErr != nil && s.command()&pcie.CommandBusMaster != 0 {
				t.Error("what an earlier program began goes on")
			}
			after := s.read("config")
			before[pcie.ConfigCommand] &^= pcie.CommandBusMaster
			after[pcie.ConfigCommand] &^= pcie.CommandBusMaster
			if string(after) != string(before) {
				t.Error("configuration space has changed")
			}
		})
	}
	if _, err := open(newSystem(t), "eth0", accepted); !errors.Is(err, discover.ErrAddress) {
		t.Errorf("no address: %v", err)
	}
	s := newSystem(t)
	s.link("iommu_group", "../../../kernel/iommu_groups/17")
	s.file("/sys/kernel/iommu_groups/17/type", "identity\n")
	s.link("driver", "../../drivers/pci-stub")
	os.Remove(s.path(discover.SysfsDevices + "/" + cardAddress + "/reset"))
	f, err := open(s, cardAddress, accepted)
	if err != nil {
		t.Fatalf("an IOMMU that lets addresses pass: %v", err)
	}
	if err := f.Reset(context.Background()); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("reset: %v", err)
	}
	// One program at a time, for real: locks belong to open files.
	if _, err := open(s, cardAddress, accepted); !errors.Is(err, ErrBusy) {
		t.Errorf("opened twice: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

func descriptors(t testing.TB) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}

// TestRemoval: a card that has gone reads as ones.
func TestRemoval(t *testing.T) {
	s := newSystem(t)
	f, err := open(s, cardAddress, accepted)
	if err != nil {
		t.Fatal(err)
	}
	s.file("config", strings.Repeat("\xFF", 4096))
	if _, err := f.ConfigRead(pcie.ConfigVendorID, 2); !errors.Is(err, pcie.ErrRemoved) {
		t.Errorf("ConfigRead: %v", err)
	}
	if _, err := f.AllocDMA(1); !errors.Is(err, pcie.ErrRemoved) {
		t.Errorf("AllocDMA: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// TestHiddenConfig: the kernel shows the whole of configuration space to root
// only, and says nothing about it.
func TestHiddenConfig(t *testing.T) {
	s := newSystem(t)
	found, err := discover.LookupIn(s.path(discover.SysfsDevices), cardAddress)
	if err != nil {
		t.Fatal(err)
	}
	d, err := openDevice(s, &found)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(found.Path, "config"), 64); err != nil {
		t.Fatal(err)
	}
	var p [4]byte
	if err := d.ReadRegion(passthrough.RegionConfig, 60, p[:]); err != nil {
		t.Error(err)
	}
	if err := d.ReadRegion(passthrough.RegionConfig, 64, p[:]); !errors.Is(err, ErrRights) || !strings.Contains(err.Error(), "as root") {
		t.Errorf("the hidden part: %v", err)
	}
	if err := d.ReadRegion(passthrough.RegionConfig, 4096, p[:]); !errors.Is(err, pcie.ErrRange) {
		t.Errorf("behind its end: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// TestLinux: the real system calls, on memory of this process.
func TestLinux(t *testing.T) {
	s := linux{}
	page, err := s.mapPages(os.Getpagesize())
	if err != nil {
		t.Fatal(err)
	}
	addresses, err := s.physical(page)
	switch {
	case errors.Is(err, ErrRights): // not root: that is what it says
	case err != nil:
		t.Error(err)
	case len(addresses) != 1 || addresses[0]%uint64(os.Getpagesize()) != 0 || addresses[0] == 0:
		t.Errorf("%#x", addresses)
	}
	if err := s.unmap(page); err != nil {
		t.Error(err)
	}
	if _, err := Open("0000:ff:1f.7", accepted); err == nil {
		t.Error("a function was opened that is not there")
	}
	if log2(2<<20) != 21 {
		t.Error("logarithm")
	}
}

func TestFrames(t *testing.T) {
	entry := func(e uint64) []byte { return binary.NativeEndian.AppendUint64(nil, e) }
	if a, err := frames(append(entry(pagemapPresent|5), entry(pagemapPresent|1<<61|1<<55|6)...), 4096); err != nil || !slices.Equal(a, []uint64{5 << 12, 6 << 12}) {
		t.Errorf("%#x %v", a, err)
	}
	if _, err := frames(entry(5), 4096); err == nil {
		t.Error("a page that is not there has an address")
	}
	if _, err := frames(entry(pagemapPresent), 4096); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("hidden: %v", err)
	}
}
