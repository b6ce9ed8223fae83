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
	// inCrypt: the start-up self-tests of a NIC with a control processor find it,
	// so the judge only gets to see it on one without.
	inCrypt bool
}

var mutants = map[string]mutant{
	"one wrong bit in GHASH": {
		file: "espalier_gf128_mul.sv",
		old:  "(v0 << 63) ^ (v0 << 62) ^ (v0 << 57)", new: "(v0 << 63) ^ (v0 << 62) ^ (v0 << 56)",
		stage: regress.Wire, field: "ESP ICV", inCrypt: true,
	},
	"one stale key byte": {
		file: "espalier_sa_install.sv",
		old:  "key_data_o  <= {round_key_q, word};", new: "key_data_o  <= {round_key_q, word[31:8], key_data_o[7:0]};",
		stage: regress.Wire, field: "ESP payload block 0", inCrypt: true,
	},
	"a length off by one": {
		file: "espalier_rx_write.sv",
		old:  "wire [14:0]   job_span  = 15'(job_len_i) + 15'(job_off);", new: "wire [14:0]   job_span  = 15'(job_len_i) + 15'(job_off) - 15'd1;",
		stage: regress.Delivered, field: "differs",
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

// run judges the packets of a capture on a simulator library.
func run(t *testing.T, library string) *regress.Result {
	t.Helper()
	result, err := tryRun(t, library)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// tryRun is run for a NIC that may refuse to start.
func tryRun(t *testing.T, library string) (*regress.Result, error) {
	t.Helper()
	packets, err := regress.LoadCapture(filepath.Join(root, "tests", "captures", "dns.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	bed, err := regress.OpenBed(context.Background(), regress.DeviceConfig{Device: "sim:" + library, Seed: 1}, driver.Options{})
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
		t.Run(name, func(t *testing.T) {
			result := run(t, library)
			for _, m := range result.Mismatches {
				t.Errorf("%v", m)
			}
			if result.Decrypted == 0 || result.Decrypted != result.Protected {
				t.Errorf("%+v", result.Counts)
			}
		})
	}
}

// TestSelfTestCatchesBrokenRTL: with a control processor a NIC that encrypts
// wrongly does not start.
func TestSelfTestCatchesBrokenRTL(t *testing.T) {
	const name = "one wrong bit in GHASH"
	m := mutants[name]
	_, err := tryRun(t, build(t, "selftest", &m))
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
			result := run(t, build(t, strings.ReplaceAll(name, " ", "-"), &m, params...))
			if len(result.Mismatches) == 0 {
				t.Fatalf("not caught: %+v", result.Counts)
			}
			if first := result.Mismatches[0]; first.Stage != m.stage || !strings.Contains(first.Field, m.field) {
				t.Errorf("first report is %q %s, wanted is %q %q", first.Stage, first.Field, m.stage, m.field)
			}
		})
	}
}
