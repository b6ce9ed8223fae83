// SPDX-License-Identifier: Apache-2.0

package discover

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// config is a configuration space with an MSI-X capability behind a power
// management one.
func config(vectors int) []byte {
	c := make([]byte, 256)
	c[0x04], c[0x05] = 0x06, 0x04
	c[0x06] = 0x10
	c[0x08] = 3
	c[0x34] = 0x40
	c[0x40], c[0x41] = 1, 0x50
	c[0x50], c[0x52], c[0x53] = 0x11, byte(vectors-1), byte((vectors-1)>>8)|0x80
	return c
}

// resources are the lines of a resource file; the rest is empty.
func resources(lines map[int]string) string {
	var b strings.Builder
	for i := range 13 {
		if line, ok := lines[i]; ok {
			fmt.Fprintln(&b, line)
		} else {
			fmt.Fprintln(&b, "0x0000000000000000 0x0000000000000000 0x0000000000000000")
		}
	}
	return b.String()
}

// nic is the folder of an Espalier NIC.
func nic() map[string]string {
	return map[string]string{
		"vendor": "0x1234\n", "device": "0x4550\n", "class": "0x020000\n", "irq": "11\n", "numa_node": "1\n",
		"resource": resources(map[int]string{
			0: "0x00000000fe000000 0x00000000fe03ffff 0x0000000000140204",
			2: "0x000000000000c000 0x000000000000c0ff 0x0000000000040101",
			4: "0x00000008fff00000 0x00000008fff01fff 0x000000000014220c",
			5: "0x0000000000000000 0x0000000000000fff 0x0000000020040200", // was given no address
			6: "0x00000000fe100000 0x00000000fe10ffff 0x0000000000046200",
		}),
		"config":      string(config(8)),
		"driver":      "-> ../../../../bus/pci/drivers/vfio-pci",
		"iommu_group": "-> ../../../../kernel/iommu_groups/17",
	}
}

// with is the folder with files changed; "" removes one.
func with(folder, changes map[string]string) map[string]string {
	folder = maps.Clone(folder)
	for name, content := range changes {
		if content == "" {
			delete(folder, name)
		} else {
			folder[name] = content
		}
	}
	return folder
}

// sysfs writes a tree of functions and returns its folder.
func sysfs(t *testing.T, functions map[string]map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for address, files := range functions {
		folder := filepath.Join(root, address)
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, content := range files {
			var err error
			if target, isLink := strings.CutPrefix(content, "-> "); isLink {
				err = os.Symlink(target, filepath.Join(folder, name))
			} else {
				err = os.WriteFile(filepath.Join(folder, name), []byte(content), 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return root
}

func TestFind(t *testing.T) {
	other := with(nic(), map[string]string{"vendor": "0x8086\n", "device": "0x1521\n"})
	free := with(nic(), map[string]string{"driver": "", "iommu_group": "", "numa_node": "", "config": string(config(2048)[:64])})
	root := sysfs(t, map[string]map[string]string{
		"0000:00:1f.0": other,
		"0000:81:00.0": free,
		"0000:03:00.0": nic(),
		"0000:04:00.0": {}, // disappeared while we looked
	})
	found, err := FindIn(root)
	if err != nil {
		t.Fatal(err)
	}
	want := []Function{
		{
			ID: Espalier(), Address: "0000:03:00.0", Path: filepath.Join(root, "0000:03:00.0"), Class: 0x020000, Revision: 3,
			BARs: [6]BAR{
				0: {Base: 0xFE000000, Size: 256 << 10, Wide: true},
				2: {Base: 0xC000, Size: 256, IO: true},
				4: {Base: 0x8FFF00000, Size: 8192, Wide: true, Prefetch: true},
				5: {Size: 4096},
			},
			Command: 0x0406, Vectors: 8, WholeConfig: true, Driver: "vfio-pci", IOMMUGroup: 17, NUMANode: 1,
		},
		{
			ID: Espalier(), Address: "0000:81:00.0", Path: filepath.Join(root, "0000:81:00.0"), Class: 0x020000, Revision: 3,
			IOMMUGroup: -1, NUMANode: -1,
		},
	}
	want[1].BARs, want[1].Command = want[0].BARs, want[0].Command
	if len(found) != 2 || found[0] != want[0] || found[1] != want[1] {
		t.Errorf("found\n%+v\nwant\n%+v", found, want)
	}
	if got, want := found[0].String(), "0000:03:00.0 1234:4550 (rev 03), BAR 0 256 KiB, BAR 2 256 B, BAR 4 8 KiB, BAR 5 4 KiB, driver vfio-pci, IOMMU group 17"; got != want {
		t.Errorf("described as %q, want %q", got, want)
	}
	found, err = FindIn(root, ID{0x8086, 0x1521})
	if err != nil || len(found) != 1 || found[0].Address != "0000:00:1f.0" {
		t.Errorf("found %+v %v", found, err)
	}
	if found, err := FindIn(filepath.Join(root, "none")); err != nil || len(found) != 0 {
		t.Errorf("machine without PCI: %v %v", found, err)
	}
	if _, err := FindIn(filepath.Join(root, "0000:03:00.0", "vendor")); err == nil {
		t.Error("a file was taken for the folder of functions")
	}
}

// TestBroken: what sysfs should never hold is an error that names the function.
func TestBroken(t *testing.T) {
	for name, changes := range map[string]map[string]string{
		"vendor":   {"vendor": "0xzz\n"},
		"resource": {"resource": "0x0 0x0\n"},
		"BAR 0":    {"resource": resources(map[int]string{0: "0x2000 0x1000 0x200"})},
		"config":   {"config": "short"},
		"group":    {"iommu_group": "-> groups/seventeen"},
		"NUMA":     {"numa_node": "first\n"},
	} {
		root := sysfs(t, map[string]map[string]string{"0000:03:00.0": with(nic(), changes)})
		if _, err := FindIn(root); err == nil || !strings.Contains(err.Error(), "0000:03:00.0") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestLookup(t *testing.T) {
	root := sysfs(t, map[string]map[string]string{"0000:03:00.0": with(nic(), map[string]string{"device": "0x9999\n"})})
	for _, address := range []string{"0000:03:00.0", "03:00.0"} {
		if f, err := LookupIn(root, address); err != nil || f.Device != 0x9999 {
			t.Errorf("%s: %+v %v", address, f, err)
		}
	}
	if _, err := LookupIn(root, "0000:04:00.0"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such function: %v", err)
	}
	for _, address := range []string{"", "eth0", "../0000:03:00.0", "0000:03:00", "0000:03:00.0/..", "zz:00.0", "03:20.0", "03:00.8", "000:03:00.0"} {
		if _, err := LookupIn(root, address); !errors.Is(err, ErrAddress) || !strings.Contains(err.Error(), "form") {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// TestVectors: damaged capability lists lead nowhere.
func TestVectors(t *testing.T) {
	loop := config(8)
	loop[0x41] = 0x40
	outside := config(8)
	outside[0x41] = 0xFC
	none := config(8)
	none[0x06] = 0
	header := config(8)
	header[0x34] = 0x20
	for name, c := range map[string]struct {
		config []byte
		want   int
	}{
		"good": {config(32), 32}, "largest": {config(2048), 2048}, "loop": {loop, 0}, "cut": {outside[:0xFE], 0},
		"no list": {none, 0}, "list in the header": {header, 0}, "unprivileged": {config(8)[:64], 0},
	} {
		if got := vectors(c.config); got != c.want {
			t.Errorf("%s: %d vectors, want %d", name, got, c.want)
		}
	}
}

func TestParseAddress(t *testing.T) {
	for in, want := range map[string]string{
		"03:00.0": "0000:03:00.0", "0000:AB:1f.7": "0000:ab:1f.7", "10000:e1:00.0": "10000:e1:00.0",
	} {
		if got, err := ParseAddress(in); err != nil || got != want {
			t.Errorf("%s is %q %v, want %q", in, got, err, want)
		}
	}
}

func TestParseID(t *testing.T) {
	if id, err := ParseID("1234:4550"); err != nil || id != Espalier() || id.String() != "1234:4550" {
		t.Errorf("%v %v", id, err)
	}
	for _, s := range []string{"", "1234", "1234:", "1234:45501", "x:y"} {
		if _, err := ParseID(s); err == nil || !strings.Contains(err.Error(), "form") {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// FuzzVectors: no configuration space leads out of it.
func FuzzVectors(f *testing.F) {
	f.Add(config(8))
	f.Add(config(2048)[:64])
	f.Add(config(1)[:0x51])
	f.Fuzz(func(t *testing.T, c []byte) {
		if len(c) < headerSize {
			return // read refuses it
		}
		if n := vectors(c); n < 0 || n > 2048 {
			t.Errorf("%d vectors", n)
		}
	})
}
