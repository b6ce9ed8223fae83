// SPDX-License-Identifier: Apache-2.0

package seam

import (
	"slices"
	"testing"
	"time"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/hwmodel/nic"
	"github.com/espalier-nic/espalier/regs"
)

// BenchmarkAccess is the time of one access to a register of the NIC: in this
// process, behind a vfio-user socket of this process's, and of another's.
func BenchmarkAccess(b *testing.B) {
	for _, c := range []struct {
		name string
		open func(b *testing.B) pcie.Function
	}{
		{"gonic", func(b *testing.B) pcie.Function { return newGoNIC(b, nic.Absent) }},
		{"vfio-user-gonic", func(b *testing.B) pcie.Function { f, _ := serveGoNIC(b, nic.Absent); return f }},
		{"vfio-user-gonic-process", func(b *testing.B) pcie.Function {
			socket, _ := startProcess(b, "window")
			return connect(b, socket)
		}},
		{"vfio-user-rtl", func(b *testing.B) pcie.Function {
			f, _ := serveRTL(b, loadRTL(b, rtlKinds[0].name, rtlKinds[0].parameter), buses["steady"])
			return f
		}},
		{"vfio-user-rtl-process", func(b *testing.B) pcie.Function {
			socket, _ := startProcess(b, libraryRTL(b, rtlKinds[0].name, rtlKinds[0].parameter))
			return connect(b, socket)
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			f := c.open(b)
			defer f.Close()
			bar, err := f.BAR(pcie.RegisterBAR)
			if err != nil {
				b.Fatal(err)
			}
			b.Run("read", func(b *testing.B) {
				b.ReportAllocs()
				times := make([]time.Duration, 0, 1<<20)
				for b.Loop() {
					start := time.Now()
					if v, err := bar.Read32(regs.IDOffset); err != nil || v != regs.IDMagic {
						b.Fatal(v, err)
					}
					if len(times) < cap(times) {
						times = append(times, time.Since(start))
					}
				}
				slices.Sort(times)
				for name, at := range map[string]int{"p10-ns": 10, "p50-ns": 50, "p90-ns": 90} {
					b.ReportMetric(float64(times[len(times)*at/100]), name)
				}
			})
			b.Run("write", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := bar.Write32(regs.ScratchOffset, 1); err != nil {
						b.Fatal(err)
					}
				}
				// All have arrived.
				if v, err := bar.Read32(regs.ScratchOffset); err != nil || v != 1 {
					b.Fatal(v, err)
				}
			})
		})
	}
}
