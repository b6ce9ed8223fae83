// SPDX-License-Identifier: Apache-2.0

// Package lint checks the RTL with three independent front ends: Verilator's
// linter, Yosys' elaboration and Icarus' four-state simulation.
package lint

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/espalier-nic/espalier/verilator/unit/bench"
)

const fileList = "rtl/espalier.f"

func root(t *testing.T) string {
	t.Helper()
	dir, err := bench.Root()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// core is where the control processor's core is, which is fetched and not ours.
const core = "build/third_party/"

// ours are the sources that are not fetched.
func ours(t *testing.T) []string {
	t.Helper()
	return slices.DeleteFunc(sources(t), func(s string) bool { return strings.HasPrefix(s, core) })
}

// sources reads the file list: sources in order, relative to the root.
func sources(t *testing.T) []string {
	t.Helper()
	if out, err := tool(t, "scripts/fetch-picorv32.sh"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	data, err := os.ReadFile(filepath.Join(root(t), fileList))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		if line := lines.Text(); line != "" && !strings.HasPrefix(line, "//") && !strings.HasPrefix(line, "+") {
			list = append(list, line)
		}
	}
	return list
}

// tool runs a program in the repository's root and returns all it wrote.
func tool(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	path := filepath.Join(root(t), name)
	if !strings.Contains(name, "/") {
		var err error
		if path, err = exec.LookPath(name); err != nil {
			t.Fatalf("%s is needed to check the RTL: %v", name, err)
		}
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = root(t)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func tail(s string) string {
	if len(s) > 4000 {
		return "... " + s[len(s)-4000:]
	}
	return s
}

// TestFileList: every source is in the list, once, and is named as its module.
func TestFileList(t *testing.T) {
	var want []string
	files, err := filepath.Glob(filepath.Join(root(t), "rtl", "*.sv"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		want = append(want, "rtl/"+filepath.Base(f))
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(f), ".sv")
		declared := regexp.MustCompile(`(?m)^(?:module|package) (\w+)`).FindAllSubmatch(data, -1)
		if len(declared) != 1 || string(declared[0][1]) != name {
			t.Errorf("%s does not hold exactly the module or package %s", f, name)
		}
		if !bytes.HasPrefix(data, []byte("// SPDX-License-Identifier: Apache-2.0\n")) {
			t.Errorf("%s does not begin with its licence", f)
		}
	}
	got := ours(t)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s lists\n%s\nthe folder holds\n%s", fileList, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestWaivers: a warning is turned off for a few lines and turned on again, in
// the same file; never for good, never for everything.
func TestWaivers(t *testing.T) {
	directive := regexp.MustCompile(`verilator lint_(off|on|save|restore)\b ?(\w*)`)
	for _, source := range ours(t) {
		data, err := os.ReadFile(filepath.Join(root(t), source))
		if err != nil {
			t.Fatal(err)
		}
		off := map[string]int{}
		for i, line := range strings.Split(string(data), "\n") {
			m := directive.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			switch rule := m[2]; {
			case m[1] == "off" && rule != "" && off[rule] == 0:
				off[rule] = i + 1
			case m[1] == "on" && off[rule] != 0:
				delete(off, rule)
			default:
				t.Errorf("%s:%d: %s", source, i+1, strings.TrimSpace(line))
			}
		}
		for rule, line := range off {
			t.Errorf("%s:%d: %s is never turned on again", source, line, rule)
		}
	}
}

// TestControlFiles: what is off in Verilator's control files is off for one file
// that is not ours.
func TestControlFiles(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root(t), "verilator", "*.vlt"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 1 {
		t.Errorf("%d control files, want that of the control processor's core: %v", len(files), files)
	}
	rule := regexp.MustCompile(`^lint_off -rule \w+ -file "\*/picorv32/picorv32\.v"$`)
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
			if line != "" && !strings.HasPrefix(line, "//") && line != "`verilator_config" && !rule.MatchString(line) {
				t.Errorf("%s:%d: %s", filepath.Base(f), i+1, line)
			}
		}
	}
}

// TestVerilator lints the NIC at several parameter sets, and every unit as a
// top of its own, with all warnings.
func TestVerilator(t *testing.T) {
	lint := func(t *testing.T, top string, params ...string) {
		t.Helper()
		args := append([]string{"--lint-only", "-Wall", "--timescale-override", "1ns/1ns", "-Irtl", "--top-module", top, "verilator/picorv32.vlt"}, params...)
		if out, err := tool(t, "verilator", append(args, sources(t)...)...); err != nil || out != "" {
			t.Errorf("%s %v: %v\n%s", top, params, err, tail(out))
		}
	}
	for _, params := range [][]string{
		nil,
		{"-GNUM_SA=8", "-GNUM_QUEUES=1", "-GNUM_VECTORS=1", "-GMAX_FRAME=1522", "-GPREFETCH=8"},
		{"-GNUM_SA=16384", "-GNUM_QUEUES=16", "-GNUM_VECTORS=32", "-GMAX_FRAME=16000", "-GPREFETCH=128"},
		{"-GCONTROL_PROCESSOR=1"},
		{"-GCONTROL_PROCESSOR=1", "-GCP_RAM_BYTES=1024", "-GCP_WATCHDOG=1024", "-GNUM_SA=8", "-GNUM_VECTORS=1"},
		{"-GCONTROL_PROCESSOR=1", "-GCP_RAM_BYTES=16777216", "-GNUM_SA=65536", "-GNUM_VECTORS=32"},
	} {
		lint(t, "espalier_nic", params...)
	}
	for _, source := range ours(t) {
		if unit := strings.TrimSuffix(filepath.Base(source), ".sv"); !strings.HasSuffix(unit, "_pkg") && unit != "espalier_nic" {
			lint(t, unit)
		}
	}
}

// TestImpossibleParameters: what cannot work stops elaboration and says why.
func TestImpossibleParameters(t *testing.T) {
	for _, c := range []struct{ param, message string }{
		{"LANES=2", "only LANES = 1 works"},
		{"NUM_SA=1000", "NUM_SA must be a power of two"},
		{"NUM_QUEUES=17", "NUM_QUEUES must be 1 to 16"},
		{"NUM_VECTORS=33", "NUM_VECTORS must be 1 to 32"},
		{"PREFETCH=24", "PREFETCH must be a power of two"},
		{"MAX_FRAME=20000", "MAX_FRAME must be 64 to 16383"},
		{"CONTROL_PROCESSOR=2", "CONTROL_PROCESSOR must be 0 or 1"},
		{"CP_RAM_BYTES=1022", "RAM_BYTES must be a multiple of 4 from 1024 to 16777216"},
		{"CP_WATCHDOG=1000", "WATCHDOG must be at least 1024"},
	} {
		args := []string{"--lint-only", "--timescale-override", "1ns/1ns", "-Irtl", "--top-module", "espalier_nic", "verilator/picorv32.vlt", "-G" + c.param}
		if strings.HasPrefix(c.param, "CP_") {
			args = append(args, "-GCONTROL_PROCESSOR=1")
		}
		out, err := tool(t, "verilator", append(args, sources(t)...)...)
		if err == nil || !strings.Contains(out, c.message) {
			t.Errorf("%s: %v\n%s", c.param, err, tail(out))
		}
	}
}

// TestYosys reads and elaborates the NIC, turns its processes into logic and
// looks for wires without a driver or with several, and for loops.
func TestYosys(t *testing.T) {
	for processor := range 2 {
		script := fmt.Sprintf("read_verilog -sv -Irtl %s; hierarchy -check -top espalier_nic -chparam NUM_SA 16 -chparam CONTROL_PROCESSOR %d; proc; check -assert",
			strings.Join(sources(t), " "), processor)
		if out, err := tool(t, "yosys", "-q", "-p", script); err != nil {
			t.Errorf("CONTROL_PROCESSOR %d: %v\n%s", processor, err, tail(out))
		}
	}
}

// TestIcarus runs testdata/reset_tb.sv: from the reset on no output is X, also
// while registers are read and frames go both ways; with a control processor
// first while it is in reset, then while it runs.
func TestIcarus(t *testing.T) {
	for processor := range 2 {
		program := filepath.Join(t.TempDir(), "reset_tb")
		args := []string{"-g2012", "-Irtl", "-s", "reset_tb", fmt.Sprintf("-Preset_tb.CONTROL_PROCESSOR=%d", processor), "-o", program}
		if out, err := tool(t, "iverilog", append(append(args, sources(t)...), "tests/lint/testdata/reset_tb.sv")...); err != nil {
			t.Fatalf("CONTROL_PROCESSOR %d: %v\n%s", processor, err, tail(out))
		}
		out, err := tool(t, "vvp", "-n", program)
		if err != nil || !regexp.MustCompile(`(?m)^PASS \d+ checks`).MatchString(out) {
			t.Errorf("CONTROL_PROCESSOR %d: %v\n%s", processor, err, tail(out))
		}
		t.Log(strings.TrimSpace(out))
	}
}
