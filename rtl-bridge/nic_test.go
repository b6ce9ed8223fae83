// SPDX-License-Identifier: Apache-2.0

package rtlbridge

import (
	"testing"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/pcietest"
	"github.com/espalier-nic/espalier/verilator/simbuild"
)

// TestNICConformance runs the suite on the NIC's own RTL.
func TestNICConformance(t *testing.T) {
	lib := load(t, simbuild.Design{})
	for name, config := range map[string]Config{"plain": {}, "random": {Options: randomOptions(), Seed: 1}} {
		t.Run(name, func(t *testing.T) {
			pcietest.Run(t, pcietest.Harness{
				Open: func(t testing.TB) pcie.Function {
					f, err := Open(lib, config)
					ok(t, err)
					return f
				},
				Device:   pcietest.Espalier(),
				VendorID: pcie.VendorID, DeviceID: pcie.DeviceID,
			})
		})
	}
}
