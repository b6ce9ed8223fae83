// SPDX-License-Identifier: Apache-2.0

package vfio

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/endpoint"
)

// fakeKernel is a kernel with VFIO as far as this package uses it. It reads
// structures byte by byte, at offsets counted from the kernel's headers, and
// refuses what the kernel refuses. Files are in a folder.
type fakeKernel struct {
	t    testing.TB
	root string

	mu       sync.Mutex
	objects  map[int]*object
	next     int
	cards    map[string]*fakeCard // by address
	calls    []string
	mappings [][]byte
	// What may differ between kernels.
	fail       func(call string) error
	noCaps     bool // capabilities are not told
	type1Only  bool
	noType1    bool
	viable     bool
	version    int
	limit      uint64 // of locked memory; 0: none
	dmaAvail   uint32
	rangesLeft []iovaRange
	again      int // resets that fail for the moment
	// onWrite is what the kernel does when a file of sysfs is written.
	onWrite func(path, content string)
}

// object is what a descriptor stands for.
type object struct {
	kind     string // container, group, device, iommufd, cdev
	card     *fakeCard
	iommu    int             // container: its kind, 0 for none
	of       *object         // group: its container; device: the group; cdev: the iommufd
	bound    bool            // cdev: to iommufd
	attached uint32          // cdev: the address space
	spaces   map[uint32]bool // iommufd
	maps     map[uint64]dmaMap
	users    int
}

// fakeCard is a function behind the kernel.
type fakeCard struct {
	address  string
	ep       *endpoint.Endpoint
	memory   *os.File // BAR 0
	triggers map[uint32][]int32
	open     bool
	gone     bool
	noReset  bool
	noMSIX   bool
}

const (
	cardAddress = "0000:03:00.0"
	group17     = 17
	bar0Size    = 64 << 10
	msixVectors = 4
)

// newKernel returns a kernel with one card of ours, bound to vfio-pci, in group
// 17, and both interfaces.
func newKernel(t testing.TB) *fakeKernel {
	t.Helper()
	k := &fakeKernel{
		t: t, root: t.TempDir(), objects: map[int]*object{}, next: 1000, cards: map[string]*fakeCard{}, viable: true, dmaAvail: 65535,
		rangesLeft: []iovaRange{{0, 0xFEDFFFFF}, {0xFEF00000, 1<<39 - 1}},
	}
	k.addCard(cardAddress, vfioPCI, group17)
	for _, node := range []string{"/dev/vfio/vfio", "/dev/iommu", "/sys/bus/pci/drivers_probe", "/sys/bus/pci/drivers/vfio-pci/bind", "/sys/bus/pci/drivers/igb/bind"} {
		k.file(node, "")
	}
	t.Cleanup(func() {
		for fd, o := range k.objects {
			t.Errorf("descriptor %d, %s, is left open", fd, o.kind)
		}
		if len(k.mappings) > 0 {
			t.Errorf("%d mappings are left", len(k.mappings))
		}
	})
	return k
}

func (k *fakeKernel) file(name, content string) {
	k.t.Helper()
	path := k.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		k.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		k.t.Fatal(err)
	}
}

func (k *fakeKernel) link(name, target string) {
	k.t.Helper()
	path := k.path(name)
	os.Remove(path)
	if target == "" {
		return
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		k.t.Fatal(err)
	}
	if err := os.Symlink(target, path); err != nil {
		k.t.Fatal(err)
	}
}

// addCard adds a function to the tree.
func (k *fakeKernel) addCard(address, driver string, group int) *fakeCard {
	k.t.Helper()
	c := &fakeCard{address: address, triggers: map[uint32][]int32{}}
	var err error
	c.ep, err = endpoint.New(endpoint.Config{
		VendorID: pcie.VendorID, DeviceID: pcie.DeviceID, Class: pcie.ClassCode, BAR0: bar0Size, Vectors: msixVectors,
		Deliver: func(m endpoint.Message) { k.trigger(c, 2, m.Vector) },
		Reset:   func() { c.memory.WriteAt(make([]byte, bar0Size), 0) },
	})
	if err != nil {
		k.t.Fatal(err)
	}
	fd, err := unix.MemfdCreate("bar0", unix.MFD_CLOEXEC)
	if err != nil {
		k.t.Fatal(err)
	}
	c.memory = os.NewFile(uintptr(fd), "bar0")
	k.t.Cleanup(func() { c.memory.Close() })
	if err := c.memory.Truncate(bar0Size); err != nil {
		k.t.Fatal(err)
	}
	config := make([]byte, 256)
	for i := range config {
		v, _ := c.ep.ConfigRead(i, 1)
		config[i] = byte(v)
	}
	folder := "/sys/bus/pci/devices/" + address
	zero := strings.Repeat("0x0000000000000000 0x0000000000000000 0x0000000000000000\n", 12)
	k.file(folder+"/vendor", "0x1234\n")
	k.file(folder+"/device", "0x4550\n")
	k.file(folder+"/class", "0x020000\n")
	k.file(folder+"/irq", "0\n")
	k.file(folder+"/resource", "0x00000000fe000000 0x00000000fe00ffff 0x0000000000140204\n"+zero)
	k.file(folder+"/config", string(config))
	k.file(folder+"/driver_override", "(null)\n")
	k.setDriver(address, driver)
	if group >= 0 {
		k.link(folder+"/iommu_group", fmt.Sprintf("../../../../kernel/iommu_groups/%d", group))
		k.file(fmt.Sprintf("/sys/kernel/iommu_groups/%d/devices/%s/x", group, address), "")
		k.file(fmt.Sprintf("/dev/vfio/%d", group), "")
	}
	node := fmt.Sprintf("vfio%d", len(k.cards))
	k.file(folder+"/vfio-dev/"+node+"/dev", "")
	k.file("/dev/vfio/devices/"+node, "")
	k.cards[address] = c
	return c
}

func (k *fakeKernel) setDriver(address, driver string) {
	k.t.Helper()
	target := ""
	if driver != "" {
		target = "../../../../bus/pci/drivers/" + driver
	}
	k.link("/sys/bus/pci/devices/"+address+"/driver", target)
}

// remove removes a file or folder.
func (k *fakeKernel) remove(name string) {
	k.t.Helper()
	if err := os.RemoveAll(k.path(name)); err != nil {
		k.t.Fatal(err)
	}
}

// begin logs a call, and says whether it fails. k.mu is held.
func (k *fakeKernel) begin(format string, a ...any) error {
	call := fmt.Sprintf(format, a...)
	k.calls = append(k.calls, call)
	if k.fail != nil {
		return k.fail(call)
	}
	return nil
}

// failing makes calls that begin with a prefix fail.
func (k *fakeKernel) failing(prefix string, err error) {
	k.fail = func(call string) error {
		if strings.HasPrefix(call, prefix) {
			return err
		}
		return nil
	}
}

func (k *fakeKernel) path(name string) string { return filepath.Join(k.root, name) }

func (k *fakeKernel) writeFile(path, content string) error {
	k.mu.Lock()
	err := k.begin("write %q to %s", content, strings.TrimPrefix(path, k.root))
	k.mu.Unlock()
	if err != nil {
		return err
	}
	if k.onWrite != nil {
		k.onWrite(strings.TrimPrefix(path, k.root), content)
		return nil
	}
	return os.WriteFile(path, []byte(content), 0o644)
}

func (k *fakeKernel) lockable() (uint64, bool) { return k.limit, k.limit != 0 }

func (k *fakeKernel) add(o *object) int {
	k.next++
	k.objects[k.next] = o
	return k.next
}

func (k *fakeKernel) open(path string) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	name := strings.TrimPrefix(path, k.root)
	if err := k.begin("open %s", name); err != nil {
		return -1, err
	}
	if _, err := os.Stat(path); err != nil {
		return -1, unix.ENOENT
	}
	switch {
	case name == "/dev/vfio/vfio":
		return k.add(&object{kind: "container", maps: map[uint64]dmaMap{}}), nil
	case name == "/dev/iommu":
		return k.add(&object{kind: "iommufd", spaces: map[uint32]bool{}, maps: map[uint64]dmaMap{}}), nil
	case strings.HasPrefix(name, "/dev/vfio/devices/"):
		for address, c := range k.cards {
			if _, err := os.Stat(k.path("/sys/bus/pci/devices/" + address + "/vfio-dev/" + filepath.Base(name))); err == nil {
				return k.add(&object{kind: "cdev", card: c}), nil
			}
		}
	default:
		for _, o := range k.objects {
			if o.kind == "group" {
				return -1, unix.EBUSY // a group is opened once
			}
		}
		return k.add(&object{kind: "group"}), nil
	}
	return -1, unix.ENXIO
}

func (k *fakeKernel) close(fd int) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	o := k.objects[fd]
	if o == nil {
		k.t.Errorf("close of descriptor %d, which is not open", fd)
		return unix.EBADF
	}
	err := k.begin("close %s", o.kind)
	delete(k.objects, fd)
	if o.kind == "device" || o.bound {
		if n := len(o.card.triggers); n > 0 && k.fail == nil {
			k.t.Errorf("device is closed with %d interrupt indices enabled", n)
		}
		clear(o.card.triggers)
		o.card.open = false
	}
	if (o.kind == "container" || o.kind == "iommufd") && len(o.maps) > 0 && k.fail == nil {
		k.t.Errorf("%s is closed with %d mappings", o.kind, len(o.maps))
	}
	// The kernel takes apart what was not.
	if o.kind == "device" || o.kind == "group" && o.of != nil || o.attached != 0 {
		o.of.users--
	}
	if o.users > 0 {
		k.t.Errorf("%s is closed before what is in it", o.kind)
	}
	return err
}

func u32(p []byte, at int) uint32          { return binary.NativeEndian.Uint32(p[at:]) }
func u64(p []byte, at int) uint64          { return binary.NativeEndian.Uint64(p[at:]) }
func put32(p []byte, at int, v uint32)     { binary.NativeEndian.PutUint32(p[at:], v) }
func put64(p []byte, at int, v uint64)     { binary.NativeEndian.PutUint64(p[at:], v) }
func memory(address uint64) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&address)) }

// requests by number, with the object they are for and the structure's least
// size; 0: a value is passed.
var requests = map[uint]struct {
	name, kind string
	size       int
}{
	';'<<8 | 100: {"VFIO_GET_API_VERSION", "container", 0},
	';'<<8 | 101: {"VFIO_CHECK_EXTENSION", "container", 0},
	';'<<8 | 102: {"VFIO_SET_IOMMU", "container", 0},
	';'<<8 | 103: {"VFIO_GROUP_GET_STATUS", "group", 8},
	';'<<8 | 104: {"VFIO_GROUP_SET_CONTAINER", "group", 4},
	';'<<8 | 105: {"VFIO_GROUP_UNSET_CONTAINER", "group", 0},
	';'<<8 | 106: {"VFIO_GROUP_GET_DEVICE_FD", "group", 13},
	';'<<8 | 107: {"VFIO_DEVICE_GET_INFO", "device", 16},
	';'<<8 | 108: {"VFIO_DEVICE_GET_REGION_INFO", "device", 32},
	';'<<8 | 109: {"VFIO_DEVICE_GET_IRQ_INFO", "device", 16},
	';'<<8 | 110: {"VFIO_DEVICE_SET_IRQS", "device", 20},
	';'<<8 | 111: {"VFIO_DEVICE_RESET", "device", 0},
	';'<<8 | 112: {"VFIO_IOMMU_GET_INFO", "container", 16},
	';'<<8 | 113: {"VFIO_IOMMU_MAP_DMA", "container", 32},
	';'<<8 | 114: {"VFIO_IOMMU_UNMAP_DMA", "container", 24},
	';'<<8 | 118: {"VFIO_DEVICE_BIND_IOMMUFD", "cdev", 16},
	';'<<8 | 119: {"VFIO_DEVICE_ATTACH_IOMMUFD_PT", "cdev", 12},
	';'<<8 | 120: {"VFIO_DEVICE_DETACH_IOMMUFD_PT", "cdev", 8},
	';'<<8 | 128: {"IOMMU_DESTROY", "iommufd", 8},
	';'<<8 | 129: {"IOMMU_IOAS_ALLOC", "iommufd", 12},
	';'<<8 | 132: {"IOMMU_IOAS_IOVA_RANGES", "iommufd", 32},
	';'<<8 | 133: {"IOMMU_IOAS_MAP", "iommufd", 40},
	';'<<8 | 134: {"IOMMU_IOAS_UNMAP", "iommufd", 24},
}

// find logs a request and finds its object.
func (k *fakeKernel) find(fd int, number uint, p []byte, value bool) (name string, o *object, err error) {
	r, known := requests[number]
	o = k.objects[fd]
	if !known || o == nil {
		k.t.Errorf("request %#x on descriptor %d (%v)", number, fd, o)
		return "", nil, unix.ENOTTY
	}
	if kind := o.kind; kind != r.kind && (kind != "cdev" || r.kind != "device") {
		k.t.Errorf("%s on a %s", r.name, kind)
		return "", nil, unix.ENOTTY
	}
	if value != (r.size == 0) || len(p) < r.size {
		k.t.Errorf("%s with %d bytes, needs %d", r.name, len(p), r.size)
		return "", nil, unix.EFAULT
	}
	named := r.name == "VFIO_GROUP_GET_DEVICE_FD" || r.name == "VFIO_GROUP_SET_CONTAINER"
	if r.size > 0 && !named && (u32(p, 0) < uint32(r.size) || u32(p, 0) > uint32(len(p))) {
		k.t.Errorf("%s says it has %d bytes, it has %d", r.name, u32(p, 0), len(p))
		return "", nil, unix.EINVAL
	}
	if r.name == "VFIO_DEVICE_SET_IRQS" {
		return r.name, o, k.begin("%s %d", r.name, u32(p, 8))
	}
	return r.name, o, k.begin("%s", r.name)
}

func (k *fakeKernel) ioctlValue(fd int, number uint, v uintptr) (int, error) {
	k.mu.Lock()
	name, o, err := k.find(fd, number, nil, true)
	if err != nil {
		k.mu.Unlock()
		return 0, err
	}
	if name == "VFIO_DEVICE_RESET" { // the endpoint calls back
		k.again--
		again := k.again >= 0
		k.mu.Unlock()
		if again {
			return 0, unix.EAGAIN
		}
		o.card.ep.FunctionReset()
		o.card.ep.Enable()
		return 0, nil
	}
	defer k.mu.Unlock()
	switch name {
	case "VFIO_GET_API_VERSION":
		return k.version, nil
	case "VFIO_CHECK_EXTENSION":
		if !k.noType1 && (v == 1 || v == 3 && !k.type1Only) {
			return 1, nil
		}
		return 0, nil
	case "VFIO_SET_IOMMU":
		if o.users == 0 || o.iommu != 0 {
			return 0, unix.EINVAL // there must be a group
		}
		o.iommu = int(v)
	case "VFIO_GROUP_UNSET_CONTAINER":
		if o.of == nil || o.users > 0 {
			return 0, unix.EBUSY
		}
		o.of.users--
		o.of.maps = map[uint64]dmaMap{}
		o.of = nil
	}
	return 0, nil
}

func (k *fakeKernel) ioctl(fd int, number uint, p []byte) (int, error) {
	k.mu.Lock()
	name, o, err := k.find(fd, number, p, false)
	if err != nil || name == "VFIO_DEVICE_SET_IRQS" {
		k.mu.Unlock()
		if err == nil {
			err = k.setIRQs(o.card, p)
		}
		return 0, err
	}
	defer k.mu.Unlock()
	switch name {
	case "VFIO_GROUP_GET_STATUS":
		put32(p, 4, 0)
		if k.viable {
			put32(p, 4, 1)
		}
	case "VFIO_GROUP_SET_CONTAINER":
		c := k.objects[int(int32(u32(p, 0)))]
		if c == nil || c.kind != "container" {
			return 0, unix.EINVAL
		}
		o.of = c
		c.users++
	case "VFIO_GROUP_GET_DEVICE_FD":
		if o.of == nil || o.of.iommu == 0 || p[len(p)-1] != 0 {
			return 0, unix.EINVAL
		}
		c := k.cards[string(p[:len(p)-1])]
		if c == nil {
			return 0, unix.ENODEV
		}
		if c.open {
			return 0, unix.EBUSY
		}
		c.open = true
		o.users++
		return k.add(&object{kind: "device", card: c, of: o}), nil
	case "VFIO_DEVICE_GET_INFO":
		put32(p, 4, 2)
		if !o.card.noReset {
			put32(p, 4, 3)
		}
		put32(p, 8, 9)
		put32(p, 12, 5)
	case "VFIO_DEVICE_GET_REGION_INFO":
		return 0, k.regionInfo(o.card, p)
	case "VFIO_DEVICE_GET_IRQ_INFO":
		flags, count := uint32(1|8), uint32(0)
		switch u32(p, 8) {
		case 2:
			if count = msixVectors; o.card.noMSIX {
				count = 0
			}
		case 3, 4:
			count = 1
		}
		put32(p, 4, flags)
		put32(p, 12, count)
	case "VFIO_IOMMU_GET_INFO":
		return 0, k.iommuInfo(p)
	case "VFIO_IOMMU_MAP_DMA":
		if o.iommu == 0 || u32(p, 4) != 3 {
			return 0, unix.EINVAL
		}
		return 0, k.mapDMA(o, u64(p, 8), u64(p, 16), u64(p, 24))
	case "VFIO_IOMMU_UNMAP_DMA":
		size, err := k.unmapDMA(o, u64(p, 8), u64(p, 16))
		put64(p, 16, size)
		return 0, err
	case "VFIO_DEVICE_BIND_IOMMUFD":
		i := k.objects[int(int32(u32(p, 8)))]
		if i == nil || i.kind != "iommufd" || u32(p, 4) != 0 {
			return 0, unix.EINVAL
		}
		if o.card.open {
			return 0, unix.EBUSY
		}
		o.card.open, o.bound = true, true
		o.of = i
	case "VFIO_DEVICE_ATTACH_IOMMUFD_PT":
		if o.of == nil || !o.of.spaces[u32(p, 8)] {
			return 0, unix.EINVAL
		}
		o.attached = u32(p, 8)
		o.of.users++
	case "VFIO_DEVICE_DETACH_IOMMUFD_PT":
		if o.attached == 0 {
			return 0, unix.EINVAL
		}
		o.attached = 0
		o.of.users--
	case "IOMMU_IOAS_ALLOC":
		put32(p, 8, 7)
		o.spaces[7] = true
	case "IOMMU_DESTROY":
		if !o.spaces[u32(p, 4)] {
			return 0, unix.ENOENT
		}
		if o.users > 0 {
			return 0, unix.EBUSY
		}
		delete(o.spaces, u32(p, 4))
		o.maps = map[uint64]dmaMap{}
	case "IOMMU_IOAS_IOVA_RANGES":
		return 0, k.ioasRanges(o, p)
	case "IOMMU_IOAS_MAP":
		if u32(p, 4) != 7 || !o.spaces[u32(p, 8)] {
			return 0, unix.EINVAL
		}
		return 0, k.mapDMA(o, u64(p, 16), u64(p, 32), u64(p, 24))
	case "IOMMU_IOAS_UNMAP":
		if !o.spaces[u32(p, 4)] {
			return 0, unix.ENOENT
		}
		size, err := k.unmapDMA(o, u64(p, 8), u64(p, 16))
		put64(p, 16, size)
		return 0, err
	}
	return 0, nil
}

// regionInfo tells of a region. BAR 0 may be mapped but for its last page.
func (k *fakeKernel) regionInfo(c *fakeCard, p []byte) error {
	index := u32(p, 8)
	size := map[uint32]uint64{0: bar0Size, 4: c.ep.Info().BARs[4], 7: 4096}[index]
	if index > 8 || index == 8 {
		return unix.EINVAL // there is no VGA
	}
	put32(p, 4, 3)
	put32(p, 12, 0)
	put64(p, 16, size)
	put64(p, 24, uint64(index)<<40)
	if size == 0 {
		put32(p, 4, 0)
	}
	if index != 0 {
		return nil
	}
	put32(p, 4, 3|4)
	if k.noCaps {
		return nil
	}
	put32(p, 4, 3|4|8)
	const capabilities = 8 + 8 + 8 + 2*16
	if have := u32(p, 0); have < 32+capabilities {
		put32(p, 0, 32+capabilities)
		return nil
	}
	put32(p, 12, 32)
	put32(p, 32, 1<<16|3) // MSI-X may be mapped
	put32(p, 36, 40)
	put32(p, 40, 1<<16|1) // sparse
	put32(p, 44, 0)
	put32(p, 48, 2)
	put64(p, 56, 0)
	put64(p, 64, bar0Size-4096)
	put64(p, 72, bar0Size-4096)
	put64(p, 80, 100) // less than a page
	return nil
}

func (k *fakeKernel) iommuInfo(p []byte) error {
	put32(p, 4, 1)
	put64(p, 8, ^uint64(4095))
	if k.noCaps {
		return nil
	}
	size := 24 + 16 + 16*len(k.rangesLeft) + 12
	put32(p, 4, 3)
	if u32(p, 0) < uint32(size) {
		put32(p, 0, uint32(size))
		return nil
	}
	put32(p, 16, 24)
	put32(p, 24, 1<<16|1)
	next := 40 + 16*len(k.rangesLeft)
	put32(p, 28, uint32(next))
	put32(p, 32, uint32(len(k.rangesLeft)))
	for i, r := range k.rangesLeft {
		put64(p, 40+16*i, r.first)
		put64(p, 48+16*i, r.last)
	}
	put32(p, next, 1<<16|3)
	put32(p, next+4, 0)
	put32(p, next+8, k.dmaAvail)
	return nil
}

func (k *fakeKernel) ioasRanges(o *object, p []byte) error {
	if !o.spaces[u32(p, 4)] || u32(p, 12) != 0 {
		return unix.EINVAL
	}
	have := u32(p, 8)
	put32(p, 8, uint32(len(k.rangesLeft)))
	copy(unsafe.Slice((*iovaRange)(memory(u64(p, 16))), have), k.rangesLeft)
	put64(p, 24, 4096)
	if int(have) < len(k.rangesLeft) {
		return unix.EMSGSIZE
	}
	return nil
}

func (k *fakeKernel) mapDMA(o *object, vaddr, iova, size uint64) error {
	if vaddr%4096 != 0 || iova%4096 != 0 || size%4096 != 0 || size == 0 {
		return unix.EINVAL
	}
	var locked uint64
	for at, m := range o.maps {
		if iova < at+m.size && at < iova+size {
			return unix.EEXIST
		}
		locked += m.size
	}
	allowed := slices.ContainsFunc(k.rangesLeft, func(r iovaRange) bool { return r.first <= iova && iova+size-1 <= r.last })
	if !allowed {
		return unix.EINVAL
	}
	if k.limit != 0 && locked+size > k.limit {
		return unix.ENOMEM
	}
	if uint32(len(o.maps)) >= k.dmaAvail {
		return unix.ENOSPC
	}
	o.maps[iova] = dmaMap{vaddr: vaddr, iova: iova, size: size}
	return nil
}

func (k *fakeKernel) unmapDMA(o *object, iova, size uint64) (uint64, error) {
	m, ok := o.maps[iova]
	if !ok || m.size != size {
		return 0, nil // the old interface says how little it was
	}
	delete(o.maps, iova)
	return size, nil
}

// setIRQs is VFIO_DEVICE_SET_IRQS.
func (k *fakeKernel) setIRQs(c *fakeCard, p []byte) error {
	flags, index, start, count := u32(p, 4), u32(p, 8), u32(p, 12), u32(p, 16)
	if index > 4 || start+count > map[uint32]uint32{2: msixVectors, 3: 1, 4: 1}[index] {
		return unix.EINVAL
	}
	switch {
	case flags == 1|32 && count == 0:
		k.mu.Lock()
		_, enabled := c.triggers[index]
		delete(c.triggers, index)
		k.mu.Unlock()
		if !enabled {
			return unix.EINVAL
		}
		if index == 2 {
			return c.ep.SetVectors(0)
		}
	case flags == 4|32 && len(p) == 20+4*int(count):
		fds := make([]int32, count)
		for i := range fds {
			fds[i] = int32(u32(p, 20+4*i))
		}
		k.mu.Lock()
		if len(c.triggers[index]) > 0 {
			k.t.Errorf("index %d is enabled twice", index)
		}
		c.triggers[index] = fds
		k.mu.Unlock()
		if index == 2 {
			return c.ep.SetVectors(len(fds))
		}
	default:
		k.t.Errorf("VFIO_DEVICE_SET_IRQS with flags %#x, %d bytes", flags, len(p))
		return unix.EINVAL
	}
	return nil
}

func (k *fakeKernel) trigger(c *fakeCard, index uint32, vector int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if vector < len(c.triggers[index]) {
		var one [8]byte
		put64(one[:], 0, 1)
		if _, err := unix.Write(int(c.triggers[index][vector]), one[:]); err != nil {
			k.t.Error(err)
		}
	}
}

func (k *fakeKernel) device(fd int) (*fakeCard, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	o := k.objects[fd]
	if o == nil || o.card == nil || !o.card.open {
		k.t.Errorf("access to descriptor %d", fd)
		return nil, unix.EBADF
	}
	if o.card.gone {
		return nil, unix.ENODEV
	}
	return o.card, k.begin("access")
}

func (k *fakeKernel) pread(fd int, p []byte, offset int64) (int, error) {
	c, err := k.device(fd)
	if err != nil {
		return 0, err
	}
	at := offset & (1<<40 - 1)
	switch offset >> 40 {
	case 0:
		return c.memory.ReadAt(p, at)
	case 7:
		v, err := c.ep.ConfigRead(int(at), len(p))
		var all [4]byte
		put32(all[:], 0, v)
		return copy(p, all[:]), err
	}
	return 0, unix.EIO
}

func (k *fakeKernel) pwrite(fd int, p []byte, offset int64) (int, error) {
	c, err := k.device(fd)
	if err != nil {
		return 0, err
	}
	at := offset & (1<<40 - 1)
	switch offset >> 40 {
	case 0:
		return c.memory.WriteAt(p, at)
	case 7:
		var all [4]byte
		copy(all[:], p)
		return len(p), c.ep.ConfigWrite(int(at), len(p), u32(all[:], 0))
	}
	return 0, unix.EIO
}

func (k *fakeKernel) mmap(fd int, offset int64, size int, protection int) ([]byte, error) {
	c, err := k.device(fd)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.begin("mmap %#x %#x", offset, size); err != nil {
		return nil, err
	}
	if offset>>40 != 0 {
		return nil, unix.EINVAL
	}
	m, err := unix.Mmap(int(c.memory.Fd()), offset, size, protection, unix.MAP_SHARED)
	if err == nil {
		k.mappings = append(k.mappings, m)
	}
	return m, err
}

func (k *fakeKernel) munmap(m []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	err := k.begin("munmap")
	i := slices.IndexFunc(k.mappings, func(other []byte) bool { return &other[0] == &m[0] })
	if i < 0 {
		k.t.Error("munmap of what is not mapped")
		return unix.EINVAL
	}
	k.mappings = slices.Delete(k.mappings, i, i+1)
	if e := unix.Munmap(m); e != nil {
		return e
	}
	return err
}

// bound returns the mappings of all containers and address spaces.
func (k *fakeKernel) bound() (all []dmaMap) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, o := range k.objects {
		for _, m := range o.maps {
			all = append(all, m)
		}
	}
	return all
}

// log returns the calls so far, but for accesses, and forgets them.
func (k *fakeKernel) log() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	calls := slices.DeleteFunc(k.calls, func(c string) bool { return c == "access" })
	k.calls = nil
	return calls
}
