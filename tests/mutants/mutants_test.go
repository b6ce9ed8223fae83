// SPDX-License-Identifier: Apache-2.0

// Package mutants tests the judge, not the NIC: RTL that was broken on purpose,
// in one place and as little as possible, must be caught by the same run that
// passes otherwise, and the report must point at the right stage.
package mutants

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/regress"
)

const root = "../.."

// mutant is a change of one source file.
type mutant struct {
	file string // below rtl/
	// old occurs once in the file and is replaced by new.
	old, new string
	stage    regress.Stage // where the first mismatch must be reported
	field    string        // and what it must name
}

var mutants = map[string]mutant{
	"one wrong bit in GHASH": {
		file: "espalier_gf128_mul.sv",
		old:  "(v0 << 63) ^ (v0 << 62) ^ (v0 << 57)", new: "(v0 << 63) ^ (v0 << 62) ^ (v0 << 56)",
		stage: regress.Wire, field: "ESP ICV",
	},
	"one stale key byte": {
		file: "espalier_sa_install.sv",
		old:  "key_data_o  <= {round_key_q, word};", new: "key_data_o  <= {round_key_q, word[31:8], key_data_o[7:0]};",
		stage: regress.Wire, field: "ESP payload block 0",
	},
	"a length off by one": {
		file: "espalier_rx_write.sv",
		old:  "wire [14:0]   job_span  = 15'(job_len_i) + 15'(job_off);", new: "wire [14:0]   job_span  = 15'(job_len_i) + 15'(job_off) - 15'd1;",
		stage: regress.Delivered, field: "differs",
	},
}

// build makes a simulator with the changes and returns its path.
func build(t *testing.T, name string, m *mutant) string {
	t.Helper()
	args := []string{}
	if m != nil {
		original := filepath.Join("rtl", m.file)
		text, err := os.ReadFile(filepath.Join(root, original))
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), m.old); n != 1 {
			t.Fatalf("%s holds %q %d times, wanted is once", original, m.old, n)
		}
		// A fixed place, so that the next test finds what this one built.
		folder := filepath.Join(root, "build", "mutants", name)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		changed := filepath.Join(folder, m.file)
		if err := os.WriteFile(changed, []byte(strings.Replace(string(text), m.old, m.new, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		relative := filepath.Join("build", "mutants", name, m.file)
		args = append(args, "--out", "mutants/"+name, "--replace", original+"="+relative)
	}
	cmd := exec.Command(filepath.Join(root, "verilator", "build.sh"), args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("verilator/build.sh %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out))
}

// run judges the packets of a capture on a simulator library.
func run(t *testing.T, library string) *regress.Result {
	t.Helper()
	packets, err := regress.LoadCapture(filepath.Join(root, "tests", "captures", "dns.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	bed, err := regress.OpenBed(context.Background(), regress.DeviceConfig{Device: "sim:" + library, Seed: 1}, driver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer bed.Close()
	variety, err := regress.ParseVariety("mixed", "mixed", "mixed", 128)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 0))
	plan, err := regress.NewPlan(packets, regress.MakeSAs(packets, variety, rng), bed.Sender.Capabilities().MaxFrame, rng)
	if err != nil {
		t.Fatal(err)
	}
	result, err := regress.Run(context.Background(), bed, plan, regress.RunOptions{MaxMismatches: 3, StallCycles: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestRunIsGreenOnTheRealRTL(t *testing.T) {
	result := run(t, build(t, "", nil))
	for _, m := range result.Mismatches {
		t.Errorf("%v", m)
	}
	if result.Decrypted == 0 || result.Decrypted != result.Protected {
		t.Errorf("%+v", result.Counts)
	}
}

func TestRunCatchesBrokenRTL(t *testing.T) {
	for name, m := range mutants {
		t.Run(name, func(t *testing.T) {
			result := run(t, build(t, strings.ReplaceAll(name, " ", "-"), &m))
			if len(result.Mismatches) == 0 {
				t.Fatalf("not caught: %+v", result.Counts)
			}
			if first := result.Mismatches[0]; first.Stage != m.stage || !strings.Contains(first.Field, m.field) {
				t.Errorf("first report is %q %s, wanted is %q %q", first.Stage, first.Field, m.stage, m.field)
			}
		})
	}
}
