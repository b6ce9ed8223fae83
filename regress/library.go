// SPDX-License-Identifier: Apache-2.0

package regress

import (
	"fmt"

	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
)

// LoadLibrary loads the simulator library that c names. The Go NIC has none.
func (c DeviceConfig) LoadLibrary() (*rtlbridge.Library, error) {
	kind, rest, err := c.kind()
	if err != nil {
		return nil, err
	}
	if kind != deviceSim {
		return nil, fmt.Errorf("device is %q, which is no simulated RTL; --device sim is", c.Device)
	}
	return c.library(rest)
}
