// SPDX-License-Identifier: Apache-2.0

package seam

import (
	"testing"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/pcietest"
	"github.com/espalier-nic/espalier/hwmodel/nic"
)

func newGoNIC(t testing.TB) *nic.NIC {
	t.Helper()
	n, err := nic.New(nic.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestFunctionGoNIC(t *testing.T) {
	pcietest.Run(t, pcietest.Harness{
		Open:     func(t testing.TB) pcie.Function { return newGoNIC(t) },
		Device:   pcietest.Espalier(),
		VendorID: pcie.VendorID,
		DeviceID: pcie.DeviceID,
		Unplug:   func(_ testing.TB, fn pcie.Function) { fn.(*nic.NIC).Unplug() },
	})
}
