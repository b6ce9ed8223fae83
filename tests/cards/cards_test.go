// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package cards tests the command on PCIe cards as a real kernel shows them: in
// a guest in which NICs served over vfio-user are cards behind an IOMMU.
package cards

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/espalier-nic/espalier/firmware"
	"github.com/espalier-nic/espalier/regress"
	"github.com/espalier-nic/espalier/regress/speed"
	"github.com/espalier-nic/espalier/verilator/simbuild"
	"github.com/espalier-nic/espalier/vm/vmtest"
)

const root = "../.."

// command builds the command in folder and returns its path.
func command(t *testing.T, folder string) string {
	t.Helper()
	program := filepath.Join(folder, "espalier")
	build := exec.Command("go", "build", "-o", program, "./cmd/espalier")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

// guest runs shell commands in a guest with two cards, in folder, each with its
// name before it, and returns what each has printed and ended with.
func guest(t *testing.T, folder string, steps [][2]string) map[string]outcome {
	t.Helper()
	vmtest.QEMU(t)
	vmtest.Kernel(t)
	program := command(t, folder)
	script := ""
	for _, step := range steps {
		script += "echo '=== " + step[0] + "'; { " + step[1] + "; } 2>&1; code=$?; echo; echo \"exit $code\"\n"
	}
	cmd := exec.CommandContext(t.Context(), program, "vm", "--device", "gonic", "--hugepages", "64", "--", "sh", "-c", script)
	cmd.Dir = folder
	out, err := cmd.Output()
	if err != nil {
		var stderr []byte
		if failed, is := err.(*exec.ExitError); is {
			stderr = failed.Stderr
		}
		t.Fatalf("espalier vm: %v\n%s%s", err, out, stderr)
	}
	found := map[string]outcome{}
	for _, part := range strings.Split(string(out), "=== ")[1:] {
		name, rest, _ := strings.Cut(part, "\n")
		text, code, _ := strings.Cut(rest, "\nexit ")
		found[name] = outcome{text, strings.TrimSpace(code)}
	}
	return found
}

// outcome is what a step printed, and its exit code.
type outcome struct{ text, code string }

// TestCardsInAGuest: cards are found, examined, bound, and judged, as on a
// machine that has them.
func TestCardsInAGuest(t *testing.T) {
	image, err := firmware.Build(firmware.Standard)
	if err != nil {
		t.Fatal(err)
	}
	capture, err := filepath.Abs(filepath.Join(root, "tests", "captures", "dns.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	const a, b = "0000:00:10.0", "0000:00:11.0"
	run := func(out, device string) string {
		return "./espalier run --out " + out + " --firmware " + image + " --device " + device + " " + capture
	}
	found := guest(t, folder, [][2]string{
		{"devices", "./espalier devices --json"},
		{"doctor", "./espalier doctor"},
		{"two", run("two", a+","+b)},
		{"one", run("one", b)},
		{"unbind", "echo " + b + " > /sys/bus/pci/devices/" + b + "/driver/unbind && echo > /sys/bus/pci/devices/" + b + "/driver_override"},
		{"unbound", "./espalier doctor " + b},
		{"refused", run("refused", b)},
		{"bind", "./espalier doctor --bind " + b},
		{"again", run("again", b)},
		{"not ours", "./espalier doctor --bind 0000:00:1f.0"},
		{"bridge", run("bridge", "0000:00:1f.0")},
		{"nobody", run("nobody", "0000:00:09.0")},
		{"still bound", run("bound", "sysfs:"+a)},
		{"let go", "for c in " + a + " " + b + "; do echo $c > /sys/bus/pci/devices/$c/driver/unbind || exit 1; done"},
		{"doctor sysfs", "./espalier doctor sysfs:" + a},
		{"two sysfs", run("two-sysfs", "sysfs:"+a+",sysfs:"+b)},
		{"one sysfs", run("one-sysfs", "sysfs:"+b)},
	})
	for name, c := range map[string]struct {
		code string
		want []string
	}{
		"devices":  {"0", []string{`"address": "` + a + `"`, `"address": "` + b + `"`, `"driver": "vfio-pci"`, `"vectors": 8`, "espalier run --device " + a}},
		"doctor":   {"0", []string{"usable: espalier run --device " + a, "function-level", "for itself"}},
		"two":      {"0", []string{a + " to " + b, "all as the golden model says", "two/wire.pcapng"}},
		"one":      {"0", []string{"all as the golden model says", "not seen: the MAC"}},
		"unbind":   {"0", nil},
		"unbound":  {"2", []string{"driver", "FAIL", "driver_override && echo " + b + " > /sys/bus/pci/drivers_probe"}},
		"refused":  {"2", []string{b, "vfio-pci", "espalier doctor " + b}},
		"bind":     {"0", []string{"binding vfio-pci to " + b, "usable: espalier run --device " + b}},
		"again":    {"0", []string{"all as the golden model says"}},
		"not ours": {"2", []string{"no NIC of ours"}},
		"bridge":   {"2", []string{"0000:00:1f.0", "--pci-id"}},
		"nobody":   {"2", []string{"0000:00:09.0", "none at this address"}},

		"still bound":  {"2", []string{a, "vfio-pci"}},
		"let go":       {"0", nil},
		"doctor sysfs": {"0", []string{"usable: espalier run --device sysfs:" + a, "passes the card's addresses through", "no interrupts, only polling"}},
		"two sysfs":    {"0", []string{"warning: sysfs:" + a + " is driven through sysfs: no IOMMU", "sysfs:" + a + " to sysfs:" + b, "all as the golden model says"}},
		"one sysfs":    {"0", []string{"warning: sysfs:" + b, "all as the golden model says"}},
	} {
		o, ok := found[name]
		if !ok || o.code != c.code {
			t.Errorf("%s: exit code %q, want %s:\n%s", name, o.code, c.code, o.text)
		}
		for _, want := range c.want {
			if !strings.Contains(o.text, want) {
				t.Errorf("%s lacks %q:\n%s", name, want, o.text)
			}
		}
	}
	if n := strings.Count(found["two sysfs"].text, "warning"); n != 1 {
		t.Errorf("%d warnings:\n%s", n, found["two sysfs"].text)
	}
	// What the guest has written is here, and says what the table says.
	raw, err := os.ReadFile(filepath.Join(folder, "one", "result.json"))
	if err != nil {
		t.Fatal(err)
	}
	var result regress.Result
	if err := json.Unmarshal(raw, &result); err != nil || !result.Complete || result.Counts.Mismatches != 0 || result.OnWire != result.Packets || result.Decrypted == 0 || result.Device != b {
		t.Errorf("%v: %s", err, raw)
	}
	for _, name := range []string{"refused", "bridge", "nobody"} {
		if _, err := os.Stat(filepath.Join(folder, name, "result.json")); err == nil {
			t.Errorf("%s has left a result", name)
		}
	}
}

// TestBenchOfAllWays: every way to a NIC is measured, the guest's too.
func TestBenchOfAllWays(t *testing.T) {
	vmtest.QEMU(t)
	vmtest.Kernel(t)
	image, err := firmware.Build(firmware.Standard)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	cmd := exec.CommandContext(t.Context(), command(t, folder), "bench", "--quick", "--only", "pcie", "--json",
		"--device", "sim:"+simbuild.Library(t, simbuild.Design{}), "--firmware", image)
	cmd.Dir = folder
	temporary := filepath.Join(folder, "t")
	if err := os.Mkdir(temporary, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(os.Environ(), "TMPDIR="+temporary)
	var diagnosis strings.Builder
	cmd.Stderr = &diagnosis
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("espalier bench: %v\n%s", err, diagnosis.String())
	}
	var report speed.Report
	if err := json.Unmarshal(out, &report); err != nil || report.PCIe == nil {
		t.Fatalf("%v: %s", err, out)
	}
	var ways []string
	for _, w := range report.PCIe.Ways {
		ways = append(ways, w.NIC+", "+w.Way)
		if !(w.Read > 0) || !(w.Write > 0) || !(w.Small > 0) || !(w.Large > 0) || !(w.Open > 0) || (w.Boot > 0) != (w.Way == speed.InGuest) ||
			(w.ReadGoal > 0) != (w.NIC == "Go NIC" && w.Way == speed.VFIOUser) {
			t.Errorf("%+v", w)
		}
	}
	want := "Go NIC, in process; Go NIC, vfio-user; RTL, in process; RTL, vfio-user; Go NIC, VFIO in a guest; RTL, VFIO in a guest"
	if got := strings.Join(ways, "; "); got != want || len(report.PCIe.NotMeasured) > 0 {
		t.Errorf("measured were %s, not measured %q", got, report.PCIe.NotMeasured)
	}
	if c := report.PCIe.Clock; c == nil || !(c.InProcess > 0) || !(c.Served > 0) || !(c.Ratio > 0) {
		t.Errorf("clock: %+v", c)
	}
	if len(report.PCIe.DMA) != 3 {
		t.Errorf("DMA: %+v", report.PCIe.DMA)
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}
