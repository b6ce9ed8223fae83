// SPDX-License-Identifier: Apache-2.0

package vfio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/discover"
	"github.com/espalier-nic/espalier/driver/pcie/passthrough"
)

var ways = map[string]Interface{"group": Group, "iommufd": IOMMUFD}

// TestUse uses all of a function through both interfaces.
func TestUse(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			k := newKernel(t)
			card := k.cards[cardAddress]
			f, err := open(k, "03:00.0", Options{Interface: way})
			if err != nil {
				t.Fatal(err)
			}
			info := f.Info()
			if info.Location != cardAddress || info.VendorID != pcie.VendorID || info.Vectors != msixVectors || info.BARs != [6]uint64{0: bar0Size, 4: 8192} {
				t.Errorf("%+v", info)
			}
			b, err := f.BAR(0)
			if err != nil {
				t.Fatal(err)
			}
			// Both the mapped part and the rest reach the card.
			for _, offset := range []uint64{0x10, bar0Size - 8} {
				if err := b.Write32(offset, 0x11223344); err != nil {
					t.Fatal(err)
				}
				var p [4]byte
				if _, err := card.memory.ReadAt(p[:], int64(offset)); err != nil || p != [4]byte{0x44, 0x33, 0x22, 0x11} {
					t.Errorf("%#x: % x %v", offset, p, err)
				}
				if v, err := b.Read32(offset); err != nil || v != 0x11223344 {
					t.Errorf("%#x: %#x %v", offset, v, err)
				}
			}
			m, err := f.AllocDMA(10000)
			if err != nil {
				t.Fatal(err)
			}
			want := dmaMap{vaddr: uint64(uintptr(unsafe.Pointer(&m.Bytes[0]))), iova: m.IOVA, size: 12288}
			if got := k.bound(); len(got) != 1 || got[0] != want || m.IOVA < 1<<32 {
				t.Errorf("mapped are %+v, want %+v", got, want)
			}
			if err := f.SetVectors(3); err != nil {
				t.Fatal(err)
			}
			card.ep.Interrupt(2, 1)
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			if n, err := f.WaitInterrupt(ctx, 2); n != 1 || err != nil {
				t.Errorf("%d interrupts, %v", n, err)
			}
			k.again = 2
			if err := f.Reset(ctx); err != nil {
				t.Error(err)
			}
			if v, err := b.Read32(0x10); v != 0 || err != nil {
				t.Errorf("%#x after a reset, %v", v, err)
			}
			if faults, err := f.Faults(); len(faults) != 0 || err != nil {
				t.Errorf("%v %v", faults, err)
			}
			if err := f.FreeDMA(m); err != nil || len(k.bound()) != 0 {
				t.Errorf("%v, mapped are %+v", err, k.bound())
			}
			if _, err := f.AllocDMA(1); err != nil { // left for Close
				t.Error(err)
			}
			// The kernel asks for the function.
			k.trigger(card, 4, 0)
			if _, err := f.WaitInterrupt(ctx, 0); !errors.Is(err, pcie.ErrRemoved) && !errors.Is(err, pcie.ErrRange) {
				t.Errorf("wait: %v", err)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestOrder: what is done for a function, and that it is undone in reverse.
func TestOrder(t *testing.T) {
	k := newKernel(t)
	identify := []string{"VFIO_DEVICE_GET_INFO", "VFIO_DEVICE_GET_REGION_INFO", "VFIO_DEVICE_GET_REGION_INFO"}
	for range 8 {
		identify = append(identify, "VFIO_DEVICE_GET_REGION_INFO")
	}
	identify = append(identify, "VFIO_DEVICE_GET_IRQ_INFO", "mmap 0x0 0xf000",
		"VFIO_DEVICE_GET_IRQ_INFO", "VFIO_DEVICE_SET_IRQS 3", "VFIO_DEVICE_GET_IRQ_INFO", "VFIO_DEVICE_SET_IRQS 4", "VFIO_DEVICE_GET_IRQ_INFO")
	undo := []string{"VFIO_DEVICE_SET_IRQS 4", "VFIO_DEVICE_SET_IRQS 3", "munmap"}
	for name, c := range map[string]struct {
		way        Interface
		begin, end []string
	}{
		"group": {
			Group,
			[]string{"open /dev/vfio/vfio", "VFIO_GET_API_VERSION", "open /dev/vfio/17", "VFIO_GROUP_GET_STATUS", "VFIO_GROUP_SET_CONTAINER",
				"VFIO_CHECK_EXTENSION", "VFIO_SET_IOMMU", "VFIO_IOMMU_GET_INFO", "VFIO_IOMMU_GET_INFO", "VFIO_GROUP_GET_DEVICE_FD"},
			[]string{"close device", "VFIO_GROUP_UNSET_CONTAINER", "close group", "close container"},
		},
		"iommufd": {
			Automatic,
			[]string{"open /dev/iommu", "IOMMU_IOAS_ALLOC", "open /dev/vfio/devices/vfio0", "VFIO_DEVICE_BIND_IOMMUFD", "VFIO_DEVICE_ATTACH_IOMMUFD_PT", "IOMMU_IOAS_IOVA_RANGES"},
			[]string{"VFIO_DEVICE_DETACH_IOMMUFD_PT", "close cdev", "IOMMU_DESTROY", "close iommufd"},
		},
	} {
		k.log()
		f, err := open(k, cardAddress, Options{Interface: c.way})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := k.log(), slices.Concat(c.begin, identify); !slices.Equal(got, want) {
			t.Errorf("%s: opened by\n%q, want\n%q", name, got, want)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if got, want := k.log(), slices.Concat(undo, c.end); !slices.Equal(got, want) {
			t.Errorf("%s: closed by\n%q, want\n%q", name, got, want)
		}
	}
}

// descriptors counts the open descriptors of this process.
func descriptors(t testing.TB) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}

// TestEveryFailure makes each call fail, one per run. The kernel's cleanup finds
// what is left open or mapped.
func TestEveryFailure(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			use := func(k *fakeKernel) error {
				f, err := open(k, cardAddress, Options{Interface: way})
				if err != nil {
					return err
				}
				_, err = f.AllocDMA(1)
				return errors.Join(err, f.SetVectors(2), f.Reset(context.Background()), f.Close())
			}
			k := newKernel(t)
			if err := use(k); err != nil {
				t.Fatal(err)
			}
			for i := range k.calls {
				before := descriptors(t)
				n, failed := 0, ""
				k.fail = func(call string) error {
					if n++; n-1 == i {
						failed = call
						return unix.EDOM
					}
					return nil
				}
				err := use(k)
				// That there is no such region or index is no failure. Bars do
				// not fail either: they give ones.
				if !errors.Is(err, unix.EDOM) && !strings.HasPrefix(failed, "VFIO_DEVICE_GET_") {
					t.Errorf("call %d, %s fails: error is %v", i, failed, err)
				}
				if len(k.objects) > 0 || len(k.mappings) > 0 || len(sessions.all) > 0 {
					t.Errorf("call %d, %s fails: %d descriptors, %d mappings, %d sessions are left", i, failed, len(k.objects), len(k.mappings), len(sessions.all))
				}
				if after := descriptors(t); after != before {
					t.Errorf("call %d, %s fails: %d descriptors before, %d after", i, failed, before, after)
				}
			}
		})
	}
}

// TestSharedGroup: functions of one group share mappings and have addresses of
// their own; those of two groups do not.
func TestSharedGroup(t *testing.T) {
	const second, third = "0000:03:00.1", "0000:04:00.0"
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			k := newKernel(t)
			k.addCard(second, vfioPCI, group17)
			a, err := open(k, cardAddress, Options{Interface: way})
			if err != nil {
				t.Fatal(err)
			}
			b, err := open(k, second, Options{Interface: way})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := open(k, second, Options{Interface: way}); !errors.Is(err, ErrBusy) {
				t.Errorf("opened twice: %v", err)
			}
			ma, errA := a.AllocDMA(4096)
			mb, errB := b.AllocDMA(4096)
			if err := errors.Join(errA, errB); err != nil {
				t.Fatal(err)
			}
			if ma.IOVA == mb.IOVA || len(k.bound()) != 2 {
				t.Errorf("%#x and %#x, mapped are %+v", ma.IOVA, mb.IOVA, k.bound())
			}
			if err := a.Close(); err != nil {
				t.Error(err)
			}
			if got := k.bound(); len(got) != 1 || got[0].iova != mb.IOVA {
				t.Errorf("mapped are %+v once one is closed", got)
			}
			// It can be opened again while the other stays.
			if a, err = open(k, cardAddress, Options{Interface: way}); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(a.Close(), b.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	k := newKernel(t)
	k.addCard(third, vfioPCI, 18)
	a, errA := open(k, cardAddress, Options{})
	b, errB := open(k, third, Options{})
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	if len(sessions.all) != 2 {
		t.Errorf("%d sessions for two groups", len(sessions.all))
	}
	if err := errors.Join(a.Close(), b.Close()); err != nil {
		t.Error(err)
	}
}

// TestRefusals: each thing in the way is one sentence, of a kind, with the item
// and a command that helps.
func TestRefusals(t *testing.T) {
	const other = "0000:03:00.1"
	for name, c := range map[string]struct {
		prepare func(k *fakeKernel)
		opts    Options
		kind    error
		words   []string
	}{
		"not ours": {
			func(k *fakeKernel) { k.file("/sys/bus/pci/devices/"+cardAddress+"/device", "0x1521\n") }, Options{},
			ErrNotOurs, []string{"1234:1521", "1234:4550", "--pci-id 1234:1521"},
		},
		"none of a product's": {
			func(k *fakeKernel) {}, Options{IDs: []discover.ID{{Vendor: 1, Device: 2}, {Vendor: 3, Device: 4}}},
			ErrNotOurs, []string{"0001:0002 or 0003:0004"},
		},
		"kernel driver": {
			func(k *fakeKernel) { k.setDriver(cardAddress, "igb") }, Options{},
			ErrNotBound, []string{"driver igb", "driver_override", "driver/unbind", "espalier doctor " + cardAddress},
		},
		"no driver": {
			func(k *fakeKernel) { k.setDriver(cardAddress, "") }, Options{},
			ErrNotBound, []string{"driver_override", "drivers_probe", "espalier doctor " + cardAddress},
		},
		"no group": {
			func(k *fakeKernel) { k.remove("/sys/bus/pci/devices/" + cardAddress + "/iommu_group") }, Options{},
			ErrNoIOMMU, []string{"intel_iommu=on", "--device sysfs:" + cardAddress, "no-IOMMU mode is not used"},
		},
		"no group and no driver": {
			func(k *fakeKernel) {
				k.setDriver(cardAddress, "")
				k.remove("/sys/bus/pci/devices/" + cardAddress + "/iommu_group")
			}, Options{},
			ErrNoIOMMU, []string{"intel_iommu=on", "--device sysfs:" + cardAddress},
		},
		"no-IOMMU mode": {
			func(k *fakeKernel) { k.file("/sys/kernel/iommu_groups/17/name", "vfio-noiommu\n") }, Options{},
			ErrNoIOMMU, []string{"sysfs:" + cardAddress},
		},
		"shared group": {
			func(k *fakeKernel) { k.addCard(other, "igb", group17) }, Options{},
			ErrGroup, []string{"group 17", other, "driver igb", "driver_override"},
		},
		"not viable": {
			func(k *fakeKernel) { k.viable = false }, Options{Interface: Group},
			ErrGroup, []string{"group 17", "ls -l"},
		},
		"no node": {
			func(k *fakeKernel) { k.remove("/dev/vfio/17") }, Options{Interface: Group},
			ErrUnsupported, []string{"/dev/vfio/17", "modprobe vfio-pci"},
		},
		"no rights": {
			func(k *fakeKernel) { k.failing("open /dev/vfio/17", unix.EACCES) }, Options{Interface: Group},
			fs.ErrPermission, []string{"/dev/vfio/17", "chown $USER /dev/vfio/17"},
		},
		"no rights on iommufd": {
			func(k *fakeKernel) { k.failing("open /dev/vfio/devices", unix.EACCES) }, Options{Interface: IOMMUFD},
			ErrRights, []string{"/dev/vfio/devices/vfio0", "chown"},
		},
		"in use": {
			func(k *fakeKernel) { k.failing("open /dev/vfio/17", unix.EBUSY) }, Options{Interface: Group},
			ErrBusy, []string{"fuser -v /dev/vfio/17"},
		},
		"in use by iommufd": {
			func(k *fakeKernel) { k.failing("VFIO_DEVICE_BIND", unix.EBUSY) }, Options{},
			ErrBusy, []string{"fuser -v /dev/vfio/devices/vfio0"},
		},
		"in use by iommufd, as Linux 6.12 says it": {
			func(k *fakeKernel) { k.failing("VFIO_DEVICE_BIND", unix.EINVAL) }, Options{},
			ErrBusy, []string{"fuser -v /dev/vfio/devices/vfio0"},
		},
		"no iommufd": {
			func(k *fakeKernel) { k.remove("/dev/iommu") }, Options{Interface: IOMMUFD},
			errors.ErrUnsupported, []string{"/dev/iommu", "Linux 6.6"},
		},
		"another VFIO": {
			func(k *fakeKernel) { k.version = 1 }, Options{Interface: Group},
			ErrUnsupported, []string{"version 1"},
		},
		"no type 1": {
			func(k *fakeKernel) { k.noType1 = true }, Options{Interface: Group},
			ErrUnsupported, []string{"modprobe vfio_iommu_type1"},
		},
		"no interrupt remapping": {
			func(k *fakeKernel) { k.failing("VFIO_SET_IOMMU", unix.EPERM) }, Options{Interface: Group},
			ErrNoIOMMU, []string{"vfio_iommu_type1/parameters/allow_unsafe_interrupts"},
		},
		"no interrupt remapping, iommufd": {
			func(k *fakeKernel) { k.failing("VFIO_DEVICE_ATTACH", unix.EPERM) }, Options{Interface: IOMMUFD},
			ErrNoIOMMU, []string{"iommufd/parameters/allow_unsafe_interrupts"},
		},
		"no MSI-X": {
			func(k *fakeKernel) { k.cards[cardAddress].noMSIX = true }, Options{},
			ErrNoMSIX, []string{"MSI-X", "lspci -vv -s " + cardAddress},
		},
		"locked memory": {
			func(k *fakeKernel) { k.limit = 64 << 10 }, Options{LockedMemory: 3 << 20},
			ErrLockedMemory, []string{"3072 KiB", "64 KiB", "ulimit -l 32768"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKernel(t)
			c.prepare(k)
			f, err := open(k, cardAddress, c.opts)
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
		})
	}
	if _, err := open(newKernel(t), "eth0", Options{}); !errors.Is(err, discover.ErrAddress) {
		t.Errorf("no address: %v", err)
	}
	if _, err := open(newKernel(t), "0000:09:00.0", Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no function: %v", err)
	}
}

// TestAccepted: what looks wrong and is not.
func TestAccepted(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(k *fakeKernel)
		way     Interface
		first   string
	}{
		"a product's vfio driver":       {func(k *fakeKernel) { k.setDriver(cardAddress, "nic-vfio-pci") }, Automatic, "open /dev/iommu"},
		"bridge in the group":           {func(k *fakeKernel) { k.addCard("0000:00:01.0", "pcieport", group17) }, Automatic, "open /dev/iommu"},
		"unbound function in the group": {func(k *fakeKernel) { k.addCard("0000:03:00.1", "", group17) }, Automatic, "open /dev/iommu"},
		"no iommufd":                    {func(k *fakeKernel) { k.remove("/dev/iommu") }, Automatic, "open /dev/vfio/vfio"},
		"no device node":                {func(k *fakeKernel) { k.remove("/dev/vfio/devices") }, Automatic, "open /dev/vfio/vfio"},
		"iommufd is root's":             {func(k *fakeKernel) { k.failing("open /dev/vfio/devices", unix.EACCES) }, Automatic, "open /dev/iommu"},
		"old IOMMU":                     {func(k *fakeKernel) { k.type1Only = true }, Group, "open /dev/vfio/vfio"},
		"old kernel":                    {func(k *fakeKernel) { k.noCaps = true }, Group, "open /dev/vfio/vfio"},
		"many ranges": {func(k *fakeKernel) {
			k.rangesLeft = nil
			for i := range uint64(200) {
				k.rangesLeft = append(k.rangesLeft, iovaRange{i << 30, i<<30 + 1<<20 - 1})
			}
		}, IOMMUFD, "open /dev/iommu"},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKernel(t)
			c.prepare(k)
			f, err := open(k, cardAddress, Options{Interface: c.way})
			if err != nil {
				t.Fatal(err)
			}
			if calls := k.log(); calls[0] != c.first {
				t.Errorf("began with %q, want %q", calls[0], c.first)
			}
			m, err := f.AllocDMA(8192)
			if err != nil {
				t.Error(err)
			} else if m.IOVA < 1<<32 {
				t.Errorf("memory at %#x", m.IOVA)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestMemoryLimits: what the kernel refuses is told with the figure that helps.
func TestMemoryLimits(t *testing.T) {
	for name, way := range ways {
		k := newKernel(t)
		k.limit = 64 << 10
		k.dmaAvail = 3
		f, err := open(k, cardAddress, Options{Interface: way})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // what is freed does not count
			m, err := f.AllocDMA(40 << 10)
			if err == nil {
				err = f.FreeDMA(m)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if _, err := f.AllocDMA(40 << 10); err != nil {
			t.Fatal(err)
		}
		_, err = f.AllocDMA(40 << 10)
		if !errors.Is(err, ErrLockedMemory) || !errors.Is(err, pcie.ErrNoMemory) || !strings.Contains(err.Error(), " 80 KiB") || !strings.Contains(err.Error(), "ulimit -l 32768") {
			t.Errorf("%s: %v", name, err)
		}
		for range 2 {
			if _, err := f.AllocDMA(1); err != nil {
				t.Error(err)
			}
		}
		if _, err := f.AllocDMA(1); !errors.Is(err, pcie.ErrNoMemory) {
			t.Errorf("%s: a mapping too many: %v", name, err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestDevice: a device takes apart what its user has left, and knows its end.
func TestDevice(t *testing.T) {
	k := newKernel(t)
	k.addCard("0000:03:00.1", vfioPCI, group17) // the session goes on
	other, err := open(k, "0000:03:00.1", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	found, err := discover.LookupIn(k.path(discover.SysfsDevices), cardAddress)
	if err != nil {
		t.Fatal(err)
	}
	d, err := openDevice(k, &found, Automatic)
	if err != nil {
		t.Fatal(err)
	}
	block, err := unix.Mmap(-1, 0, 8192, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(block)
	if err := errors.Join(d.DisableIRQ(3), d.SetTriggers(3, 0, []int{1}), d.MapDMA(1<<33, block, -1, 0)); err != nil {
		t.Fatal(err)
	}
	if err := d.UnmapDMA(1<<33, 4096); err == nil {
		t.Error("half a mapping was unmapped")
	}
	if err := d.ReadRegion(passthrough.RegionConfig, 4095, make([]byte, 2)); !errors.Is(err, pcie.ErrRange) {
		t.Errorf("read past the end: %v", err)
	}
	if _, err := d.MapRegion(0, passthrough.Area{Offset: bar0Size, Size: 4096}); !errors.Is(err, pcie.ErrRange) {
		t.Errorf("map past the end: %v", err)
	}
	if _, err := d.RegionInfo(99); !errors.Is(err, pcie.ErrRange) {
		t.Errorf("region 99: %v", err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if got := k.bound(); len(got) > 0 {
			t.Errorf("mapped are %+v after Close", got)
		}
	}()
	k.cards[cardAddress].gone = true
	for range 2 {
		if err := d.ReadRegion(passthrough.RegionConfig, 0, make([]byte, 4)); !errors.Is(err, pcie.ErrRemoved) {
			t.Errorf("read: %v", err)
		}
	}
	select {
	case <-d.Gone():
	default:
		t.Error("Gone is not closed")
	}
}

func TestWholePages(t *testing.T) {
	page := uint64(os.Getpagesize())
	got := wholePages([]passthrough.Area{{Offset: 0, Size: page + 1}, {Offset: 2*page + 1, Size: 2 * page}, {Offset: 5 * page, Size: page - 1}, {Offset: 9 * page, Size: 2 * page}, {Offset: 99 * page, Size: page}}, 10*page)
	if want := []passthrough.Area{{Offset: 0, Size: page}, {Offset: 3 * page, Size: page}}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestGone: the kernel's ENODEV is a removal.
func TestGone(t *testing.T) {
	k := newKernel(t)
	f, err := open(k, cardAddress, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.SetVectors(1); err != nil {
		t.Fatal(err)
	}
	waited := make(chan error)
	go func() {
		_, err := f.WaitInterrupt(context.Background(), 0)
		waited <- err
	}()
	k.cards[cardAddress].gone = true
	if _, err := f.ConfigRead(0, 4); !errors.Is(err, pcie.ErrRemoved) {
		t.Errorf("ConfigRead: %v", err)
	}
	if err := <-waited; !errors.Is(err, pcie.ErrRemoved) {
		t.Errorf("wait: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// TestTakenBack: when the kernel has taken the group's last function back, the
// group is in no container any more, and it is no error that it cannot be taken
// out.
func TestTakenBack(t *testing.T) {
	k := newKernel(t)
	f, err := open(k, cardAddress, Options{Interface: Group})
	if err != nil {
		t.Fatal(err)
	}
	k.fail = func(call string) error {
		if call == "VFIO_GROUP_UNSET_CONTAINER" {
			return unix.EINVAL
		}
		return nil
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

func TestNoReset(t *testing.T) {
	k := newKernel(t)
	k.cards[cardAddress].noReset = true
	f, err := open(k, cardAddress, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Reset(context.Background()); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("error is %v", err)
	}
}

// TestABI: sizes and offsets of include/uapi/linux/vfio.h and iommufd.h.
func TestABI(t *testing.T) {
	type offsets []uintptr
	for _, s := range []struct {
		name      string
		size      uintptr
		wantSize  uintptr
		got, want offsets
	}{
		{"vfio_group_status", unsafe.Sizeof(groupStatus{}), 8, offsets{unsafe.Offsetof(groupStatus{}.flags)}, offsets{4}},
		{"vfio_device_info", unsafe.Sizeof(deviceInfo{}), 16, offsets{unsafe.Offsetof(deviceInfo{}.flags), unsafe.Offsetof(deviceInfo{}.regions)}, offsets{4, 8}},
		{"vfio_region_info", unsafe.Sizeof(regionInfo{}), 32,
			offsets{unsafe.Offsetof(regionInfo{}.flags), unsafe.Offsetof(regionInfo{}.index), unsafe.Offsetof(regionInfo{}.capOffset), unsafe.Offsetof(regionInfo{}.size), unsafe.Offsetof(regionInfo{}.offset)},
			offsets{4, 8, 12, 16, 24}},
		{"vfio_irq_info", unsafe.Sizeof(irqInfo{}), 16, offsets{unsafe.Offsetof(irqInfo{}.flags), unsafe.Offsetof(irqInfo{}.index), unsafe.Offsetof(irqInfo{}.count)}, offsets{4, 8, 12}},
		{"vfio_irq_set", unsafe.Sizeof(irqSet{}), 20,
			offsets{unsafe.Offsetof(irqSet{}.flags), unsafe.Offsetof(irqSet{}.index), unsafe.Offsetof(irqSet{}.start), unsafe.Offsetof(irqSet{}.count)}, offsets{4, 8, 12, 16}},
		{"vfio_iommu_type1_info", unsafe.Sizeof(iommuInfo{}), 24, offsets{unsafe.Offsetof(iommuInfo{}.flags), unsafe.Offsetof(iommuInfo{}.pageSizes), unsafe.Offsetof(iommuInfo{}.capOffset)}, offsets{4, 8, 16}},
		{"vfio_iommu_type1_dma_map", unsafe.Sizeof(dmaMap{}), 32,
			offsets{unsafe.Offsetof(dmaMap{}.flags), unsafe.Offsetof(dmaMap{}.vaddr), unsafe.Offsetof(dmaMap{}.iova), unsafe.Offsetof(dmaMap{}.size)}, offsets{4, 8, 16, 24}},
		{"vfio_iommu_type1_dma_unmap", unsafe.Sizeof(dmaUnmap{}), 24, offsets{unsafe.Offsetof(dmaUnmap{}.iova), unsafe.Offsetof(dmaUnmap{}.size)}, offsets{8, 16}},
		{"vfio_device_bind_iommufd", unsafe.Sizeof(bindIOMMUFD{}), 16, offsets{unsafe.Offsetof(bindIOMMUFD{}.iommufd)}, offsets{8}},
		{"vfio_device_attach_iommufd_pt", unsafe.Sizeof(attachPT{}), 12, offsets{unsafe.Offsetof(attachPT{}.ptID)}, offsets{8}},
		{"vfio_device_detach_iommufd_pt", unsafe.Sizeof(detachPT{}), 8, nil, nil},
		{"iommu_destroy", unsafe.Sizeof(iommuDestroy{}), 8, offsets{unsafe.Offsetof(iommuDestroy{}.id)}, offsets{4}},
		{"iommu_ioas_alloc", unsafe.Sizeof(ioasAlloc{}), 12, offsets{unsafe.Offsetof(ioasAlloc{}.id)}, offsets{8}},
		{"iommu_ioas_iova_ranges", unsafe.Sizeof(ioasIOVARanges{}), 32,
			offsets{unsafe.Offsetof(ioasIOVARanges{}.id), unsafe.Offsetof(ioasIOVARanges{}.count), unsafe.Offsetof(ioasIOVARanges{}.ranges)}, offsets{4, 8, 16}},
		{"iommu_iova_range", unsafe.Sizeof(iovaRange{}), 16, offsets{unsafe.Offsetof(iovaRange{}.last)}, offsets{8}},
		{"iommu_ioas_map", unsafe.Sizeof(ioasMap{}), 40,
			offsets{unsafe.Offsetof(ioasMap{}.flags), unsafe.Offsetof(ioasMap{}.id), unsafe.Offsetof(ioasMap{}.userVA), unsafe.Offsetof(ioasMap{}.length), unsafe.Offsetof(ioasMap{}.iova)},
			offsets{4, 8, 16, 24, 32}},
		{"iommu_ioas_unmap", unsafe.Sizeof(ioasUnmap{}), 24, offsets{unsafe.Offsetof(ioasUnmap{}.id), unsafe.Offsetof(ioasUnmap{}.iova), unsafe.Offsetof(ioasUnmap{}.length)}, offsets{4, 8, 16}},
	} {
		if s.size != s.wantSize || !slices.Equal(s.got, s.want) {
			t.Errorf("%s: size %d at %v, want %d at %v", s.name, s.size, s.got, s.wantSize, s.want)
		}
	}
}

// TestLinux: the real system calls, on what is at hand.
func TestLinux(t *testing.T) {
	k := linux{}
	path := t.TempDir() + "/file"
	if _, err := k.open(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open: %v", err)
	}
	if err := os.WriteFile(path, bytes.Repeat([]byte{7}, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := k.writeFile(path, "abc"); err != nil {
		t.Fatal(err)
	}
	fd, err := k.open(k.path(path))
	if err != nil {
		t.Fatal(err)
	}
	var p [2]byte
	if n, err := k.pread(fd, p[:], 1); n != 2 || err != nil || string(p[:]) != "bc" {
		t.Errorf("%d %v %q", n, err, p)
	}
	if n, err := k.pwrite(fd, []byte("x"), 0); n != 1 || err != nil {
		t.Errorf("%d %v", n, err)
	}
	m, err := k.mmap(fd, 0, 4096, unix.PROT_READ)
	if err != nil || string(m[:4]) != "xbc\a" {
		t.Fatalf("%v %q", err, m[:4])
	}
	if err := k.munmap(m); err != nil {
		t.Error(err)
	}
	if _, err := k.ioctl(fd, vfioGetAPIVersion, p[:]); !errors.Is(err, unix.ENOTTY) {
		t.Errorf("ioctl: %v", err)
	}
	if _, err := k.ioctlValue(fd, vfioGetAPIVersion, 0); !errors.Is(err, unix.ENOTTY) {
		t.Errorf("ioctl: %v", err)
	}
	if err := k.close(fd); err != nil {
		t.Error(err)
	}
	k.lockable()
	if _, err := Open("0000:ff:1f.7", Options{}); err == nil {
		t.Error("a function was opened that is not there")
	}
}

func Example() {
	f, err := Open("0000:03:00.0", Options{Hugepages: true})
	switch {
	case errors.Is(err, ErrNotBound):
		fmt.Println(err) // says how to bind it
		return
	case err != nil:
		fmt.Println(err)
		return
	}
	defer f.Close()
}
