// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/espalier-nic/espalier/regress/speed"
)

func TestBenchWithoutRTL(t *testing.T) {
	folder := t.TempDir()
	out, _, err := espalier(t, folder, "", "bench", "--quick", "--only", "golden,driver", "--out", "o")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Golden model, AES-GCM-128", "Driver with the Go NIC", "wrote o/bench.json"} {
		if !strings.Contains(out, want) {
			t.Errorf("output lacks %q:\n%s", want, out)
		}
	}
	raw, err := os.ReadFile(filepath.Join(folder, "o", "bench.json"))
	if err != nil {
		t.Fatal(err)
	}
	var report speed.Report
	if err := json.Unmarshal(raw, &report); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(folder, "o", "bench.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"quick measurement", "<caption", "Golden model, AES-GCM-128", ">allocations/packet<", "</html>"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("page lacks %q:\n%s", want, page)
		}
	}
	if !report.Complete || !report.Quick || len(report.Golden) == 0 || len(report.Driver) == 0 || report.Sim != nil {
		t.Errorf("%+v", report)
	}
}

// TestBenchJSON: with --json nothing else is on standard output.
func TestBenchJSON(t *testing.T) {
	out, _, err := espalier(t, t.TempDir(), "", "bench", "--quick", "--only", "driver", "--json")
	if err != nil {
		t.Fatal(err)
	}
	var report speed.Report
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if !report.Complete || len(report.Driver) == 0 {
		t.Errorf("%+v", report)
	}
}

func TestBenchBadInput(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"section":         {[]string{"--only", "rlt"}, `section of the benchmark is "rlt", nearest is "rtl"`},
		"device":          {[]string{"--only", "control", "--device", "gonic"}, `device is "gonic", which is no simulated RTL`},
		"library":         {[]string{"--only", "sa", "--window-library", "nowhere.so"}, "simulator nowhere.so: file does not exist"},
		"no simulator":    {[]string{"--only", "pcie", "--sim-library", "nowhere.so"}, "simulator nowhere.so: file does not exist"},
		"which bare loop": {[]string{"--only", "sim", "--sim-library", "nowhere.so"}, "--bare does not name it"},
		"results folder":  {[]string{"--only", "driver", "--quick", "--out", "file/o"}, "results folder file/o cannot be made"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			write(t, folder, "file", "")
			_, _, err := espalier(t, folder, "", append([]string{"bench"}, c.args...)...)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want one sentence with %q", err, c.want)
			}
		})
	}
}
