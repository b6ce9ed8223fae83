// SPDX-License-Identifier: Apache-2.0

// Package seam runs the suites of the seams, pcietest for functions and drivertest
// for the driver, on every implementation of pcie.Function there is.
//
//	go test ./tests/seam -args -device=gonic,vfio-user-rtl
//
// runs them on some: the names below, or cards. "vfio-user:PATH" is one behind a
// socket. "vfio:ADDRESS" and "sysfs:ADDRESS" are cards of this machine ("group:"
// and "iommufd:" insist on one of the kernel's interfaces to VFIO):
//
//	go test -c -o seam.test ./tests/seam
//	./seam.test -device=vfio:0000:03:00.0+0000:04:00.0 -wires=packet:eth1,packet:eth2
//
// runs the function's suite on the first card and, because it is said where their
// wires end, the driver's suite on both.
package seam

import (
	"flag"
	"slices"
	"strings"
	"testing"

	"github.com/espalier-nic/espalier/driver/drivertest"
	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/pcietest"
	"github.com/espalier-nic/espalier/hwmodel/nic"
)

var deviceFlag = flag.String("device", "", "run the suites on these implementations only, separated by commas; see the package's comment")

// implementation is one way to reach one kind of NIC.
type implementation struct {
	name string
	// functions and drivers return what the suites are run on, by name.
	functions func(t *testing.T) map[string]pcietest.Harness
	drivers   func(t *testing.T) map[string]drivertest.Harness
}

// implementations are all there are; files of their own add to them.
var implementations []implementation

func register(i implementation) struct{} {
	implementations = append(implementations, i)
	return struct{}{}
}

// namer finds what is meant by a name that is not in implementations; nil: not of
// its kind.
type namer func(t testing.TB, name string) *implementation

var namers []namer

// chosen returns the implementations that the flag names.
func chosen(t testing.TB) []implementation {
	t.Helper()
	if *deviceFlag == "" {
		return implementations
	}
	var all []implementation
	for _, name := range strings.Split(*deviceFlag, ",") {
		if i := slices.IndexFunc(implementations, func(i implementation) bool { return i.name == name }); i >= 0 {
			all = append(all, implementations[i])
			continue
		}
		var found *implementation
		for _, find := range namers {
			if found = find(t, name); found != nil {
				break
			}
		}
		if found == nil {
			var names []string
			for _, i := range implementations {
				names = append(names, i.name)
			}
			t.Fatalf("device is %q; allowed are %s and cards (vfio-user:PATH, vfio:ADDRESS, sysfs:ADDRESS)", name, strings.Join(names, ", "))
		}
		all = append(all, *found)
	}
	return all
}

// harness is the function suite's for an Espalier NIC.
func harness(open func(testing.TB) pcie.Function, unplug func(testing.TB, pcie.Function)) pcietest.Harness {
	return pcietest.Harness{
		Open: open, Device: pcietest.Espalier(),
		VendorID: pcie.VendorID, DeviceID: pcie.DeviceID,
		Unplug: unplug,
	}
}

func TestFunction(t *testing.T) {
	for _, i := range chosen(t) {
		if i.functions == nil {
			continue
		}
		t.Run(i.name, func(t *testing.T) {
			for name, h := range i.functions(t) {
				t.Run(name, func(t *testing.T) { pcietest.Run(t, h) })
			}
		})
	}
}

func TestDriver(t *testing.T) {
	for _, i := range chosen(t) {
		if i.drivers == nil {
			continue
		}
		t.Run(i.name, func(t *testing.T) {
			for name, h := range i.drivers(t) {
				t.Run(name, func(t *testing.T) { drivertest.Run(t, h) })
			}
		})
	}
}

// presences are the two kinds of NIC, by who manages the SAs: the host through
// the SA window, or a control processor that takes commands in a mailbox.
var presences = map[string]nic.Presence{"window": nic.Absent, "mailbox": nic.Present}
