// SPDX-License-Identifier: Apache-2.0

// Package mutants tests the judge, not the NIC: RTL that was broken on purpose,
// in one place and as little as possible, must be caught by the same run that
// passes otherwise, and the report must point at the right stage.
package mutants

import (
	"context"
	"fmt"
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
	// looped is the stage in loopback, where the first pass goes through the
	// receiving half too.
	looped regress.Stage
	// inCrypt: the start-up self-tests of a NIC with a control processor find it,
	// so the judge only gets to see it on one without.
	inCrypt bool
}

var mutants = map[string]mutant{
	"one wrong bit in GHASH": {
		file: "espalier_gf128_mul.sv",
		old:  "(v0 << 63) ^ (v0 << 62) ^ (v0 << 57)", new: "(v0 << 63) ^ (v0 << 62) ^ (v0 << 56)",
		stage: regress.Wire, looped: regress.Wire, field: "ESP ICV", inCrypt: true,
	},
	"one stale key byte": {
		file: "espalier_sa_install.sv",
		old:  "key_data_o  <= {round_key_q, word};", new: "key_data_o  <= {round_key_q, word[31:8], key_data_o[7:0]};",
		stage: regress.Wire, looped: regress.Wire, field: "ESP payload block 0", inCrypt: true,
	},
	"a length off by one": {
		file: "espalier_rx_write.sv",
		old:  "wire [14:0]   job_span  = 15'(job_len_i) + 15'(job_off);", new: "wire [14:0]   job_span  = 15'(job_len_i) + 15'(job_off) - 15'd1;",
		stage: regress.Delivered, looped: regress.Wire, field: "differs",
	},
}

// window is the NIC without a control processor.
const window = "CONTROL_PROCESSOR=0"

// build makes a simulator with the changes, and parameters of the top, and
// returns its path.
func build(t *testing.T, name string, m *mutant, params ...string) string {
	t.Helper()
	args := []string{}
	for _, p := range params {
		args = append(args, "--param", p)
	}
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
		name = "mutants/" + name
		args = append(args, "--replace", original+"="+relative)
	}
	if name != "" {
		args = append(args, "--out", name)
	}
	cmd := exec.Command(filepath.Join(root, "verilator", "build.sh"), args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("verilator/build.sh %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out))
}

// run judges the packets of a capture on a simulator library: two NICs, or one
// in loopback.
func run(t *testing.T, library string, loopback bool) *regress.Result {
	t.Helper()
	result, err := tryRun(t, library, loopback)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// tryRun is run for a NIC that may refuse to start.
func tryRun(t *testing.T, library string, loopback bool) (*regress.Result, error) {
	t.Helper()
	packets, err := regress.LoadCapture(filepath.Join(root, "tests", "captures", "dns.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	bed, err := regress.OpenBed(context.Background(), regress.DeviceConfig{Device: "sim:" + library, Seed: 1, Loopback: loopback}, driver.Options{})
	if err != nil {
		return nil, err
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
	return regress.Run(context.Background(), bed, plan, regress.RunOptions{MaxMismatches: 3, StallCycles: 100_000})
}

func TestRunIsGreenOnTheRealRTL(t *testing.T) {
	for name, library := range map[string]string{
		"mailbox": build(t, "", nil),
		"window":  build(t, "window", nil, window),
	} {
		for _, loopback := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, loopback %v", name, loopback), func(t *testing.T) {
				result := run(t, library, loopback)
				for _, m := range result.Mismatches {
					t.Errorf("%v", m)
				}
				if result.Decrypted == 0 || result.Decrypted != result.Protected || result.OnWire != result.Packets || result.Delivered != result.Packets {
					t.Errorf("%+v", result.Counts)
				}
			})
		}
	}
}

// TestSelfTestCatchesBrokenRTL: with a control processor a NIC that encrypts
// wrongly does not start.
func TestSelfTestCatchesBrokenRTL(t *testing.T) {
	const name = "one wrong bit in GHASH"
	m := mutants[name]
	_, err := tryRun(t, build(t, "selftest", &m), false)
	if err == nil || !strings.Contains(err.Error(), "self-tests failed") {
		t.Errorf("%s: error %v, want that the self-tests failed", name, err)
	}
}

func TestRunCatchesBrokenRTL(t *testing.T) {
	for name, m := range mutants {
		t.Run(name, func(t *testing.T) {
			var params []string
			if m.inCrypt {
				params = append(params, window)
			}
			library := build(t, strings.ReplaceAll(name, " ", "-"), &m, params...)
			for loopback, stage := range map[bool]regress.Stage{false: m.stage, true: m.looped} {
				result := run(t, library, loopback)
				if len(result.Mismatches) == 0 {
					t.Errorf("loopback %v: not caught: %+v", loopback, result.Counts)
					continue
				}
				if first := result.Mismatches[0]; first.Stage != stage || !strings.Contains(first.Field, m.field) {
					t.Errorf("loopback %v: first report is %q %s, wanted is %q %q", loopback, first.Stage, first.Field, stage, m.field)
				}
			}
		})
	}
}
