// SPDX-License-Identifier: Apache-2.0

// Package conformance holds the NIC's RTL to every requirement of IPsec Offload
// Version 2, and shows that the checks of package regress/conformance fail when
// what they check is broken.
package conformance

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/espalier-nic/espalier/regress"
	"github.com/espalier-nic/espalier/regress/conformance"
	"github.com/espalier-nic/espalier/verilator/simbuild"
)

const root = "../.."

// TestRTL has one subtest for each row of the table, and holds
// docs/conformance.md to what they found.
func TestRTL(t *testing.T) {
	config := regress.DeviceConfig{Device: "sim:" + simbuild.Library(t, simbuild.Design{}), Seed: 1}
	target := conformance.Target{Name: "sim", Open: func(ctx context.Context, number int) (*regress.Port, error) {
		return regress.OpenPort(ctx, config, number)
	}}
	report, err := conformance.Run(context.Background(), target, conformance.Options{Jobs: runtime.GOMAXPROCS(0), Timeout: 5 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range report.Results {
		t.Run(r.ID, func(t *testing.T) {
			if r.Status == conformance.Fail {
				t.Errorf("%s: %s", r.Feature, r.Failure)
			}
			t.Logf("%s %s, %.2f s", r.Status, r.ScaleText(), r.Seconds)
		})
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	count := func(s conformance.Status) int { return report.Count("", s) }
	for _, words := range []string{
		fmt.Sprintf("%d pass, %d fail, %d are about features", count(conformance.Pass), count(conformance.Fail), count(conformance.NotAdvertised)),
		fmt.Sprintf("%d are not shown yet", count(conformance.NotYet)),
	} {
		if !strings.Contains(string(readme), words) {
			t.Errorf("README.md does not say %q", words)
		}
	}
	page, err := os.ReadFile(filepath.Join(root, "docs", "conformance.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range conformance.Outdated(string(page), report) {
		t.Errorf("docs/conformance.md: %s; `make conformance` writes it anew", wrong)
	}
}
