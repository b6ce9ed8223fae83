// SPDX-License-Identifier: Apache-2.0

package regress

import (
	"errors"
	"fmt"
	"strings"

	"github.com/espalier-nic/espalier/driver/pcie/discover"
	"github.com/espalier-nic/espalier/hwmodel/nic"
	"github.com/espalier-nic/espalier/internal/nearest"
)

// kind is a way to reach a NIC.
type kind string

// Kinds of device, as the text before the colon names them.
const (
	kindSim      kind = "sim"
	kindGoNIC    kind = "gonic"
	kindVFIOUser kind = "vfio-user"
	kindVFIO     kind = "vfio"
	kindSysfs    kind = "sysfs"
)

// allowedDevices is the end of every sentence about a device that is none.
const allowedDevices = "allowed are sim, sim:LIBRARY.so, gonic, gonic:mailbox, gonic:window, vfio-user:SOCKET, a PCI address such as 0000:03:00.0, and sysfs:ADDRESS"

// target is one device that DeviceConfig.Device names.
type target struct {
	kind kind
	// rest is what the kind needs: a library's path ("" for the one that make
	// built), a key of goNICs, a socket's path, a PCI address as sysfs writes it.
	rest string
}

// String names the target as DeviceConfig.Device takes it.
func (t target) String() string {
	switch {
	case t.kind == kindVFIO:
		return t.rest
	case t.rest == "":
		return string(t.kind)
	}
	return string(t.kind) + ":" + t.rest
}

// inProcess says that the NIC and its wire are in this process.
func (t target) inProcess() bool { return t.kind == kindSim || t.kind == kindGoNIC }

// goNICs are the kinds of Go NIC by what follows the colon.
var goNICs = map[string]nic.Presence{"": nic.Preset, "mailbox": nic.Present, "window": nic.Absent}

// parseTarget reads the name of one device.
func parseTarget(name string) (target, error) {
	if address, err := discover.ParseAddress(name); err == nil {
		return target{kindVFIO, address}, nil
	}
	text, rest, _ := strings.Cut(name, ":")
	t := target{kind(text), rest}
	switch t.kind {
	case kindSim:
	case kindGoNIC:
		if _, ok := goNICs[rest]; !ok {
			return t, fmt.Errorf("device is %q; allowed are gonic, gonic:mailbox (with a control processor) and gonic:window (without)", name)
		}
	case kindVFIOUser:
		if rest == "" {
			return t, fmt.Errorf("device is %q, which names no socket; allowed is vfio-user:SOCKET, as in vfio-user:nic.sock, and `espalier serve` makes one", name)
		}
	case kindVFIO, kindSysfs:
		address, err := discover.ParseAddress(rest)
		if err != nil {
			return t, fmt.Errorf("device is %q; what follows the colon is a PCI address, as in %s:0000:03:00.0, and `espalier devices` lists them", name, t.kind)
		}
		t.rest = address
	default:
		known := []string{string(kindSim), string(kindGoNIC), string(kindVFIOUser), string(kindVFIO), string(kindSysfs)}
		return t, fmt.Errorf("device is %q, nearest is %q; %s", name, nearest.Name(text, known), allowedDevices)
	}
	return t, nil
}

// targets reads DeviceConfig.Device, and refuses what no kind of bed can do.
func (c DeviceConfig) targets() ([]target, error) {
	var all []target
	for _, name := range strings.Split(c.Device, ",") {
		t, err := parseTarget(strings.TrimSpace(name))
		if err != nil {
			return nil, err
		}
		if c.Wave != "" && t.kind != kindSim {
			where := "--device sim has"
			if !t.inProcess() {
				where = "`espalier serve --wave` records those of a served NIC"
			}
			return nil, fmt.Errorf("waveforms of %v are asked for, which has none; %s", t, where)
		}
		all = append(all, t)
	}
	return all, nil
}

// HasCable says whether OpenBed takes c for two cards that a cable joins, on which
// a WireTap can be.
func (c DeviceConfig) HasCable() bool {
	all, err := c.targets()
	return err == nil && len(all) == 2 && !c.Loopback
}

// target is targets for what works on one device.
func (c DeviceConfig) target() (target, error) {
	all, err := c.targets()
	if err != nil {
		return target{}, err
	}
	if len(all) > 1 {
		return target{}, fmt.Errorf("device is %q, which names %d; this works on one", c.Device, len(all))
	}
	return all[0], nil
}

// twoCards are the targets of a bed of two PCIe functions.
func twoCards(all []target) (a, b target, err error) {
	if len(all) > 2 {
		return a, b, fmt.Errorf("%d devices are named; a run takes one, or two that a cable joins", len(all))
	}
	a, b = all[0], all[1]
	for _, t := range all {
		if t.inProcess() {
			return a, b, fmt.Errorf("device %v is named together with another, and has no wire to it; a run takes sim or gonic alone, or two cards that a cable joins", t)
		}
	}
	if a.rest == b.rest {
		return a, b, errors.New("device " + a.String() + " is named twice; the second is where frames arrive")
	}
	return a, b, nil
}
