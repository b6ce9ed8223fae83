// SPDX-License-Identifier: Apache-2.0

package seam

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/espalier-nic/espalier/driver/drivertest"
	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/discover"
	"github.com/espalier-nic/espalier/driver/pcie/pcietest"
	"github.com/espalier-nic/espalier/driver/pcie/sysfs"
	"github.com/espalier-nic/espalier/driver/pcie/vfio"
	"github.com/espalier-nic/espalier/firmware"
	"github.com/espalier-nic/espalier/rtl-bridge/wireport"
)

var (
	wiresFlag    = flag.String("wires", "", "the far ends of the cards' wires, separated by commas, in the order of the cards: packet:INTERFACE and what else the program takes as a wire; without it the driver's suite is not run on cards")
	firmwareFlag = flag.String("faulty-firmware", "", "image for the control processor of the cards that can be made to fail; without it they use their own")
)

// wireLag is how long a frame may be on its way through two kernels and a busy
// machine.
const wireLag = 50 * time.Millisecond

// card is one of the cards that the flag names.
type card struct {
	address string
	wire    *portWire // nil: nobody has named it
	taken   bool
}

// cards are those behind one name of the flag, all of one kind and alike.
type cards struct {
	way cardWay
	all []*card
	mu  sync.Mutex
}

// cardWay is a way to cards.
type cardWay struct {
	open func(address string) (pcie.Function, error)
	// function and driver are the harnesses but for Open and Unplug.
	function pcietest.Harness
	driver   drivertest.Harness
	// asked: the kernel takes a card away only when it is closed, and asks for that.
	asked bool
	// rebind has the kernel hand over a card again that has come back.
	rebind func(address string) error
}

// cardWays are the ways to cards, by what names them.
var cardWays = map[string]cardWay{
	"vfio":    vfioWay(vfio.Automatic),
	"group":   vfioWay(vfio.Group),
	"iommufd": vfioWay(vfio.IOMMUFD),
	"sysfs": {
		open: func(address string) (pcie.Function, error) {
			return sysfs.Open(address, sysfs.Options{AcceptNoIOMMU: true})
		},
		function: pcietest.Harness{NoInterrupts: true, NoFaults: true, FixedBARs: true},
		driver:   drivertest.Harness{NoInterrupts: true, NoFaults: true},
		rebind:   func(string) error { return nil },
	},
}

func vfioWay(way vfio.Interface) cardWay {
	return cardWay{
		open: func(address string) (pcie.Function, error) {
			return vfio.Open(address, vfio.Options{Interface: way, Hugepages: true})
		},
		// The kernel's log has some of the refused accesses: not all of many, and not
		// those of the NIC in Go for which it could not ask (tests/iommu wants the others).
		function: pcietest.Harness{UnseenFaults: true},
		driver:   drivertest.Harness{UnseenFaults: true},
		asked:    true,
		rebind: func(address string) error {
			_, err := vfio.Bind(address)
			return err
		},
	}
}

// parseCards reads a name of the flag: a way, a colon, and addresses with plus
// signs between. It answers nil for other names.
func parseCards(t testing.TB, name string) *cards {
	t.Helper()
	prefix, list, _ := strings.Cut(name, ":")
	way, ok := cardWays[prefix]
	if !ok {
		return nil
	}
	c := &cards{way: way}
	for i, text := range strings.Split(list, "+") {
		address, err := discover.ParseAddress(text)
		if err != nil {
			t.Fatalf("device is %q: %v", name, err)
		}
		one := &card{address: address}
		if wires := strings.Split(*wiresFlag, ","); *wiresFlag != "" && i < len(wires) {
			one.wire = openWire(t, wires[i])
		}
		c.all = append(c.all, one)
	}
	return c
}

// implementation is what the suites are run on.
func (c *cards) implementation(name string) *implementation {
	i := &implementation{name: name, functions: func(*testing.T) map[string]pcietest.Harness {
		h := c.way.function
		h.Device, h.VendorID, h.DeviceID = pcietest.Espalier(), pcie.VendorID, pcie.DeviceID
		h.Open = func(t testing.TB) pcie.Function { return c.open(t) }
		h.Unplug = c.unplug
		return map[string]pcietest.Harness{"card": h}
	}}
	if c.all[0].wire != nil {
		i.drivers = func(t *testing.T) map[string]drivertest.Harness {
			h := c.way.driver
			h.PlainWire, h.WireLag = true, wireLag
			h.Open = func(t testing.TB) drivertest.Device {
				f := c.open(t)
				return drivertest.Device{Function: f, Wire: f.card.wire}
			}
			if *firmwareFlag != "" {
				image, err := firmware.Load(*firmwareFlag)
				if err != nil {
					t.Fatal(err)
				}
				h.Firmware, h.Break = image.Bytes, breakFirmware
			}
			return map[string]drivertest.Harness{"card": h}
		}
	}
	return i
}

// opened is a card that is open.
type opened struct {
	pcie.Function
	cards *cards
	card  *card
	// gone is set by unplug; what came of the removal.
	gone   chan error
	closed bool
}

// open opens a card that is free.
func (c *cards) open(t testing.TB) *opened {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.all {
		if one.taken {
			continue
		}
		f, err := c.way.open(one.address)
		if err != nil {
			t.Fatal(err)
		}
		if one.wire != nil {
			time.Sleep(wireLag) // what the last test's NIC has sent
			one.wire.forget()
		}
		one.taken = true
		return &opened{Function: f, cards: c, card: one}
	}
	t.Fatalf("all %d cards are open", len(c.all))
	return nil
}

// Close also brings back a card that was unplugged.
func (o *opened) Close() error {
	err := o.Function.Close()
	o.cards.mu.Lock()
	defer o.cards.mu.Unlock()
	if o.closed {
		return err
	}
	o.closed, o.card.taken = true, false
	if o.gone == nil {
		return err
	}
	if err := <-o.gone; err != nil {
		return fmt.Errorf("remove %s: %w", o.card.address, err)
	}
	if err := os.WriteFile("/sys/bus/pci/rescan", []byte("1"), 0); err != nil {
		return err
	}
	if rebound := o.cards.way.rebind(o.card.address); rebound != nil {
		return rebound
	}
	return err
}

// unplug takes a card from the kernel.
func (c *cards) unplug(_ testing.TB, fn pcie.Function) {
	o := fn.(*opened)
	o.gone = make(chan error, 1)
	remove := func() {
		o.gone <- os.WriteFile(filepath.Join(discover.SysfsDevices, o.card.address, "remove"), []byte("1"), 0)
	}
	if c.way.asked {
		go remove()
	} else {
		remove()
	}
}

// portWire is a wire that ends at a port.
type portWire struct {
	port wireport.Port
	mu   sync.Mutex
	came [][]byte
	err  error
}

// wires are those open, by name. They stay open: a wire outlives a NIC's driver.
var wires = map[string]*portWire{}

// openWire opens the far end of a card's wire. A network interface is made one
// that sends nothing by itself and takes every frame.
func openWire(t testing.TB, name string) *portWire {
	t.Helper()
	if w := wires[name]; w != nil {
		return w
	}
	if link, is := strings.CutPrefix(name, "packet:"); is {
		if err := quietInterface(link); err != nil {
			t.Fatal(err)
		}
	}
	port, err := wireport.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	w := &portWire{port: port}
	wires[name] = w
	go func() {
		err := wireport.Pump(port, func(frame []byte) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.came = append(w.came, append([]byte(nil), frame...))
			return nil
		})
		w.mu.Lock()
		defer w.mu.Unlock()
		w.err = err
	}()
	return w
}

// quietInterface brings up an interface without any address, which has the
// system say nothing through it.
func quietInterface(name string) error {
	if err := os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("1"), 0); err != nil && !os.IsNotExist(err) {
		return err
	}
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("interface %s: %w", name, err)
	}
	if err := netlink.LinkSetMTU(link, wireport.MaxFrame-wireport.MinFrame); err != nil {
		return fmt.Errorf("interface %s: %w", name, err)
	}
	return netlink.LinkSetUp(link)
}

func (w *portWire) Send(frame []byte, bad bool) error {
	if bad {
		return fmt.Errorf("%s carries no frame with an error in it", w.port)
	}
	return w.port.Send(frame)
}

func (w *portWire) Receive() ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.came) == 0 {
		return nil, w.err
	}
	frame := w.came[0]
	w.came = w.came[1:]
	return frame, nil
}

// forget forgets what has come.
func (w *portWire) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.came = nil
}

func init() {
	namers = append(namers, func(t testing.TB, name string) *implementation {
		c := parseCards(t, name)
		if c == nil {
			return nil
		}
		return c.implementation(name)
	})
}
