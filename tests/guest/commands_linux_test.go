// SPDX-License-Identifier: Apache-2.0

//go:build amd64

package guest

import (
	"path/filepath"
	"testing"
)

// capture is one that takes a while to run.
func capture() string {
	path, err := filepath.Abs(filepath.Join(root, "tests", "captures", "iperf.pcap"))
	if err != nil {
		panic(err)
	}
	return path
}

// commands gives the steps the variables ESPALIER and CAPTURE.
func commands(steps []step) []step {
	for i, s := range steps {
		steps[i].command = "ESPALIER=" + program + " CAPTURE=" + capture() + "\n" + s.command
	}
	return steps
}

// nobody runs a command without any right.
const nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups "

// vfioSteps are what a person does with cards that vfio-pci has, and does wrong.
func vfioSteps() []step {
	return commands([]step{
		{name: "caps", command: "$ESPALIER caps --device $A && at_rest $A", says: []string{a, "9600 bytes"}},
		{name: "doctor", command: "$ESPALIER doctor", says: []string{"usable: espalier run --device " + a, "for itself", "64 of 2048 KiB"}},
		{name: "driver of another", command: "D=0000:00:01.0; $ESPALIER caps --device $D --pci-id $(cut -c3-6 $S/$D/vendor):$(cut -c3-6 $S/$D/device); code=$?; driver $D; exit $code", code: 2,
			says: []string{"0000:00:01.0 is in the hands of the kernel's driver virtio-pci and VFIO needs vfio-pci", "\nvirtio-pci\n"}},
		{name: "not ours", command: "$ESPALIER caps --device 0000:00:1f.0", code: 2, says: []string{"0000:00:1f.0 is 8086:2918 and a NIC of ours has 1234:4550"}},
		{name: "no rights", command: nobody + "$ESPALIER caps --device $A", code: 2, says: []string{"/dev/vfio/", "may not be used", "sudo chown $USER"}},
		// Root's capability is above the limit; without it the limit counts.
		{name: "locked memory", command: "ulimit -l 1024; setpriv --bounding-set=-ipc_lock $ESPALIER run --out locked --device $A $CAPTURE; code=$?; at_rest $A && exit $code", code: 2,
			says: []string{a + ": the device's memory must be locked", "the limit is 1024 KiB", "ulimit -l 32768"}},
		{name: "locked memory, doctor", command: "ulimit -l 1024; setpriv --bounding-set=-ipc_lock $ESPALIER doctor $A", code: 2, says: []string{"this process may lock 1024 KiB", "--memlock=unlimited"}},
		{name: "in use", command: "exec 9<>/dev/vfio/$(basename $(readlink $S/$A/iommu_group)); $ESPALIER caps --device $A", code: 2, says: []string{a, "is in use by another program", "sudo fuser -v /dev/vfio/"}},
		{name: "interrupted", command: "$ESPALIER run --out interrupted --device $A $CAPTURE & p=$!; at_work $A $p || exit 1; kill -INT $p; wait $p; code=$?; at_rest $A && [ $(driver $A) = vfio-pci ] && [ ! -e interrupted/result.json ] && exit $code", code: 2,
			says: []string{"espalier: interrupted\n"}},
		{name: "after it", command: "$ESPALIER caps --device $A", says: []string{a}},
		{name: "killed", command: "$ESPALIER run --out killed --device $A $CAPTURE & p=$!; at_work $A $p || exit 1; kill -KILL $p; wait $p; at_rest $A && $ESPALIER caps --device $A", says: []string{a}},
		{name: "reader gone", command: "$ESPALIER caps --device $A | true; at_rest $A && $ESPALIER caps --device $A", says: []string{a}},
		{name: "sysfs while bound", command: "$ESPALIER caps --device sysfs:$A", code: 2, says: []string{"in the hands of the kernel's driver vfio-pci", "/driver/unbind"}},
	})
}

// sysfsSteps are the same with cards that no driver has.
func sysfsSteps() []step {
	return commands([]step{
		{name: "sysfs caps", command: "$ESPALIER caps --device sysfs:$A && at_rest $A", says: []string{"warning: sysfs:" + a + " is driven through sysfs", "9600 bytes"}},
		{name: "sysfs doctor", command: "$ESPALIER doctor sysfs:$A", says: []string{"usable: espalier run --device sysfs:" + a}},
		{name: "sysfs, no rights", command: nobody + "$ESPALIER caps --device sysfs:$A", code: 2, says: []string{"config may not be used; run the program as root"}},
		{name: "sysfs, half a root", command: "setpriv --bounding-set=-sys_admin $ESPALIER caps --device sysfs:$A", code: 2, says: []string{"CAP_SYS_ADMIN", "run the program as root"}},
		{name: "sysfs in use", command: "exec 9<$S/$A/config; flock 9; $ESPALIER caps --device sysfs:$A", code: 2, says: []string{"in use by another program", "sudo fuser -v"}},
		{name: "sysfs interrupted", command: "$ESPALIER run --out interrupted --device sysfs:$A $CAPTURE & p=$!; at_work $A $p || exit 1; kill -INT $p; wait $p; code=$?; at_rest $A && exit $code", code: 2,
			says: []string{"espalier: interrupted\n"}},
		// Nobody takes bus mastering from it. The next to open it does.
		{name: "sysfs killed", command: "$ESPALIER run --out killed --device sysfs:$A $CAPTURE & p=$!; at_work $A $p || exit 1; kill -KILL $p; wait $p; [ $(command $A) = 06 ] && $ESPALIER caps --device sysfs:$A && at_rest $A", says: []string{a}},
		{name: "sysfs, reader gone", command: "$ESPALIER caps --device sysfs:$A | true; at_rest $A"},
		{name: "sysfs, translated", command: "T=$S/$A/iommu_group/type; echo DMA > $T && $ESPALIER caps --device sysfs:$A; code=$?; echo identity > $T && exit $code", code: 2, says: []string{"behind an IOMMU that translates its addresses", "type DMA)", "echo identity > /sys/kernel/iommu_groups/"}},
		{name: "sysfs, no hugepages", command: "H=/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages; echo 0 > $H; $ESPALIER run --out none --device sysfs:$A $CAPTURE; code=$?; at_rest $A && echo 64 > $H && exit $code", code: 2, says: []string{"contiguous memory", "echo 32 > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"}},
	})
}

// TestNoIOMMU: without an IOMMU VFIO is out of the question, and says so; sysfs works.
func TestNoIOMMU(t *testing.T) {
	t.Parallel()
	steps := commands([]step{
		{name: "vfio", command: "$ESPALIER caps --device $A", code: 2, says: []string{a + " is behind no IOMMU", "intel_iommu=on", "--device sysfs:" + a}},
		{name: "bind", command: "$ESPALIER doctor --bind $A; code=$?; [ $(driver $A) = none ] && exit $code", code: 2, says: []string{a + " is behind no IOMMU"}},
		{name: "doctor", command: "$ESPALIER doctor $A", code: 2, says: []string{"FAIL", "there are no groups in /sys/kernel/iommu_groups"}},
		{name: "doctor for sysfs", command: "$ESPALIER doctor sysfs:$A", says: []string{"off: the card's addresses are physical", "usable: espalier run --device sysfs:" + a}},
		{name: "by default", command: "[ \"$ESPALIER_DEVICE\" = sysfs:$A,sysfs:$B ] && $ESPALIER run --out run ${CAPTURE%iperf.pcap}dns.pcap", says: []string{"sysfs:" + a + " to sysfs:" + b, "all as the golden model says"}},
	})
	run(t, []string{"--device", "gonic", "--iommu", "off", "--hugepages", "64"}, append(steps, suite("suite", "sysfs", all, "", leftOut{
		"interrupts": {3, 3}, "accesses by the device that are refused": {2, 2}, "base address registers that may not be moved": {1, 1},
	})))
}
