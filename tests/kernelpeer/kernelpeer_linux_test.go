// SPDX-License-Identifier: Apache-2.0

// Package kernelpeer lets `espalier gateway` talk to IPsec that is not ours: the
// Linux kernel's, in a virtual machine whose card is the NIC. The program that
// does it in there is in the folder guest.
package kernelpeer

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/espalier-nic/espalier/firmware"
	"github.com/espalier-nic/espalier/internal/nettest"
	"github.com/espalier-nic/espalier/verilator/simbuild"
	"github.com/espalier-nic/espalier/vm/vmtest"
)

// programs builds what runs in namespaces and guests, statically.
func programs(t *testing.T) (espalier, kernelpeer string) {
	t.Helper()
	folder := t.TempDir()
	espalier, kernelpeer = filepath.Join(folder, "espalier"), filepath.Join(folder, "kernelpeer")
	for out, source := range map[string]string{espalier: "../../cmd/espalier", kernelpeer: "./guest"} {
		cmd := exec.Command("go", "build", "-o", out, source)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", source, err, said)
		}
	}
	return espalier, kernelpeer
}

// rtl is the simulated NIC, and its firmware in the environment.
func rtl(t *testing.T) string {
	t.Helper()
	image, err := firmware.Build(firmware.Standard)
	if err != nil {
		t.Fatal(err)
	}
	if image, err = filepath.Abs(image); err != nil {
		t.Fatal(err)
	}
	t.Setenv("ESPALIER_FIRMWARE", image)
	return "sim:" + simbuild.Library(t, simbuild.Design{})
}

// run runs a command that tries as many kinds of SA as said, and reports each.
func run(t *testing.T, kinds int, name string, args ...string) {
	t.Helper()
	start := time.Now()
	said, err := exec.Command(name, args...).CombinedOutput()
	well := 0
	for _, line := range strings.Split(strings.TrimSpace(string(said)), "\n") {
		t.Log(line)
		if strings.HasPrefix(line, "ok ") {
			well++
		}
	}
	if err != nil || well != kinds {
		t.Errorf("%v; %d kinds of SA are well, want %d", err, well, kinds)
	}
	t.Logf("%.0f s in all", time.Since(start).Seconds())
}

// few are the kinds of SA that stand for all where time is short: every mode, IP
// version, key length and both kinds of sequence numbers.
const few = "/128/esn|/256/no-esn"

// TestGateways: two gateways at the ends of a wire, each with a TAP device in a
// network namespace of its own, whose kernels know nothing of IPsec.
func TestGateways(t *testing.T) {
	nettest.New(t) // or says why there are none
	espalier, kernelpeer := programs(t)
	t.Run("Go NIC", func(t *testing.T) {
		run(t, 24, kernelpeer, "--espalier", espalier, "--peer", "gateway", "--device", "gonic", "--ping-step", "8", "--bytes", "262144")
	})
	t.Run("RTL", func(t *testing.T) {
		run(t, 8, kernelpeer, "--espalier", espalier, "--peer", "gateway", "--device", rtl(t), "--ping-step", "200", "--bytes", "20000", "--cases", few)
	})
}

// TestKernel: the kernel of a virtual machine at the other end of the wire of its
// card.
func TestKernel(t *testing.T) {
	vmtest.QEMU(t)
	vmtest.Kernel(t)
	espalier, kernelpeer := programs(t)
	guest := func(device string, args ...string) []string {
		vm := []string{"vm", "--device", device, "--nics", "1", "--wire", "guest", "--modules", "ipsec", "--"}
		return append(append(vm, kernelpeer, "--espalier", espalier, "--wait", "2m"), args...)
	}
	t.Run("Go NIC", func(t *testing.T) {
		run(t, 24, espalier, guest("gonic", "--ping-step", "16", "--bytes", "131072")...)
	})
	t.Run("RTL", func(t *testing.T) {
		run(t, 8, espalier, guest(rtl(t), "--ping-step", "200", "--bytes", "20000", "--cases", few)...)
	})
}
