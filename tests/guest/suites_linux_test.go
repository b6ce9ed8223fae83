// SPDX-License-Identifier: Apache-2.0

//go:build amd64

package guest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/espalier-nic/espalier/driver/drivertest"
	"github.com/espalier-nic/espalier/driver/pcie/pcietest"
	"github.com/espalier-nic/espalier/firmware"
	"github.com/espalier-nic/espalier/verilator/simbuild"
)

// leftOut says how often, at least and at most, a suite may name what it leaves
// out.
type leftOut map[string][2]int

// What the suites leave out on cards.
var (
	// The kernel's log need not have any of the refused accesses; tests/iommu looks
	// at those it has.
	byVFIO = leftOut{
		"a frame with an error in it, a frame of 13 bytes": {1, 1},
		"the function's report of a refused access":        {0, 9},
	}
	bySysfs = leftOut{
		"a frame with an error in it, a frame of 13 bytes":   {1, 1},
		"accesses by the device to memory that is not there": {2, 2},
		"the time at which an interrupt comes":               {1, 1},
		"interrupts":                                         {3, 3},
		"accesses by the device that are refused":            {2, 2},
		"base address registers that may not be moved":       {1, 1},
	}
	// Nobody can make the Go NIC's processor fail from the card's side.
	goProcessor = leftOut{"a control processor that goes wrong": {8, 8}}
)

func (l leftOut) and(more leftOut) leftOut {
	all := leftOut{}
	for _, list := range []leftOut{l, more} {
		for what, count := range list {
			all[what] = count
		}
	}
	return all
}

// all is the pattern of all tests of a suite, none of none.
const all = ".*"

// suite is a step that runs the function's suite and those tests of the driver's
// that match a pattern, on both cards by one way.
func suite(name, way, function, driver string, left leftOut, flags ...string) step {
	command := ""
	var want []string
	for _, s := range []struct {
		test, pattern string
		names, flags  []string
	}{
		{"TestFunction", function, pcietest.Tests(), nil},
		{"TestDriver", driver, drivertest.Tests(), []string{"-wires=packet:eth0,packet:eth1"}},
	} {
		if s.pattern == "" {
			continue
		}
		pattern := "^(" + s.pattern + ")$"
		command += fmt.Sprintf("%s -test.v -test.run '^%s$/.*/^card$/%s' -device=%s:$A+$B %s || exit 1\n",
			suites, s.test, pattern, way, strings.Join(append(s.flags, flags...), " "))
		for _, n := range s.names {
			if regexp.MustCompile(pattern).MatchString(n) {
				want = append(want, s.test+" "+n)
			}
		}
	}
	return step{name: name, command: command, check: func(t *testing.T, output string) { checkSuite(t, output, want, left) }}
}

var (
	passLine = regexp.MustCompile(`(?m)^ *--- PASS: (\w+)/[^/]+/card/(\w+) `)
	leftLine = regexp.MustCompile(`(?m)^ *\w+\.go:\d+: ` + drivertest.LeftOut + `(.*)$`)
)

// checkSuite checks that the tests that are wanted have passed, and that they have
// left out what is said and nothing else.
func checkSuite(t *testing.T, output string, want []string, left leftOut) {
	t.Helper()
	var passed []string
	for _, m := range passLine.FindAllStringSubmatch(output, -1) {
		passed = append(passed, m[1]+" "+m[2])
	}
	if !slices.Equal(passed, want) {
		t.Errorf("passed %q\nwant %q", passed, want)
	}
	counts := map[string]int{}
	for _, m := range leftLine.FindAllStringSubmatch(output, -1) {
		counts[m[1]]++
	}
	for what, count := range counts {
		t.Logf("%s%s (%d times)", drivertest.LeftOut, what, count)
		if limits, ok := left[what]; !ok || count > limits[1] {
			t.Errorf("it leaves out %q %d times, at most %d are known", what, count, limits[1])
		}
	}
	for what, limits := range left {
		if counts[what] < limits[0] {
			t.Errorf("it leaves out %q %d times, %d are known", what, counts[what], limits[0])
		}
	}
	if t.Failed() {
		t.Log(output)
	}
}

// letGo takes the cards from vfio-pci.
var letGo = step{name: "let go", command: "for c in $A $B; do echo $c > $S/$c/driver/unbind && echo > $S/$c/driver_override || exit 1; done"}

// guestFlags are those of a guest that has both ends of the cards' wires.
func guestFlags(device string, more ...string) []string {
	return append([]string{"--device", device, "--wire", "guest", "--hugepages", "64"}, more...)
}

// TestGoNIC: the suites on the Go NIC through the kernel's VFIO, with the emulated
// IOMMU in front of it, and through sysfs; and what else is to be said of cards.
func TestGoNIC(t *testing.T) {
	t.Parallel()
	steps := []step{
		suite("vfio", "group", all, all, byVFIO.and(goProcessor)),
		{name: "vfio memory", command: suites + " -test.v -test.run '^TestCard' -device=vfio:$A", says: []string{"PASS: TestCardMemory/vfio", "PASS: TestCardStartsAnew/vfio"}},
	}
	steps = append(steps, vfioSteps()...)
	steps = append(steps, letGo, suite("sysfs", "sysfs", all, all, bySysfs.and(goProcessor)),
		step{name: "sysfs memory", command: suites + " -test.v -test.run '^TestCard' -device=sysfs:$A", says: []string{"PASS: TestCardMemory/sysfs", "PASS: TestCardStartsAnew/sysfs"}})
	run(t, guestFlags("gonic:mailbox"), append(steps, sysfsSteps()...))
}

// withSAs are the driver's tests that depend on who manages the SAs.
const withSAs = "Open|OpenAgain|SA.*|FirmwareInfo|SendESP|ReceiveESP|DeleteUnderTraffic|ResetInTraffic|TwoNICs|Close"

// TestGoNICWindow: the same where the host manages the SAs.
func TestGoNICWindow(t *testing.T) {
	t.Parallel()
	run(t, guestFlags("gonic:window"), []step{suite("vfio", "vfio", "", withSAs, nil)})
}

// onRTL are the driver's tests that are run on RTL in a guest: what has most to do
// with the way to the card, and what takes no long simulation.
const onRTL = "SendESP|ReceiveESP|ReceiveDropped|Loopback|Interrupts|Moderation|FrameBusErrors|RingBusErrors|ResetInTraffic|TwoNICs|Close"

// TestRTL: the function's suite and a choice of the driver's on the NIC's RTL, with
// its clock running by itself in another process.
func TestRTL(t *testing.T) {
	t.Parallel()
	library := simbuild.Library(t, simbuild.Design{Name: "window", Params: []string{"CONTROL_PROCESSOR=0"}})
	run(t, guestFlags("sim:"+library), []step{suite("vfio", "vfio", all, onRTL, byVFIO)})
}

// TestRTLProcessor: RTL with a control processor, whose firmware fails on request.
func TestRTLProcessor(t *testing.T) {
	t.Parallel()
	library := simbuild.Library(t, simbuild.Design{Name: "mailbox", Params: []string{"CONTROL_PROCESSOR=1"}})
	image, err := firmware.Build(firmware.WithFaults)
	if err != nil {
		t.Fatal(err)
	}
	run(t, guestFlags("sim:"+library, "--firmware", image), []step{
		suite("vfio", "vfio", "", "FirmwareInfo|FirmwareStops|SendESP|ReceiveESP|Close", nil, "-faulty-firmware="+image),
	})
}
