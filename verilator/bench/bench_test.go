// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"strings"
	"testing"

	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
	"github.com/espalier-nic/espalier/verilator/simbuild"
)

// TestCompare checks that the bare loop does the same cycles; how fast is for
// `make bench` to say, on a machine that does nothing else.
func TestCompare(t *testing.T) {
	library, bare, err := simbuild.Bare(simbuild.Design{})
	if err != nil {
		t.Fatal(err)
	}
	w := Workload{Name: "few", Payload: 100, Frames: 50, Options: rtlbridge.Options{"mem_stall_percent": 10}}
	report, err := Compare(context.Background(), library, bare, w, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", report)
	if report.Bridge.Cycles < 50*10 || report.Ratio <= 0 {
		t.Errorf("report %+v", report)
	}
	if _, err := Compare(context.Background(), library, "/bin/false", w, 1); err == nil || !strings.Contains(err.Error(), "false") {
		t.Errorf("a bench that fails: %v", err)
	}
}

// BenchmarkBridge reports cycles per second through the bridge and alone.
func BenchmarkBridge(b *testing.B) {
	library, bare, err := simbuild.Bare(simbuild.Design{})
	if err != nil {
		b.Fatal(err)
	}
	for _, w := range Workloads() {
		b.Run(w.Name, func(b *testing.B) {
			report, err := Compare(context.Background(), library, bare, w, max(b.N, 3))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(report.Bridge.CyclesPerSecond, "cycles/s")
			b.ReportMetric(report.Bare.CyclesPerSecond, "bare-cycles/s")
			b.ReportMetric(report.Ratio, "ratio")
			b.ReportMetric(float64(report.Bridge.Cycles)/float64(w.Frames), "cycles/frame")
		})
	}
}
