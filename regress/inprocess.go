// SPDX-License-Identifier: Apache-2.0

package regress

import (
	"fmt"

	"github.com/espalier-nic/espalier/hwmodel/nic"
	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
)

// InProcess is what a NIC of this process is made from.
type InProcess struct {
	// Library is the simulated NIC's, with the options of each instance; nil for
	// the NIC in Go, which GoNIC is for.
	Library *rtlbridge.Library
	Options rtlbridge.Options
	GoNIC   nic.Options
}

// InProcess finds what to make NICs of this process from, for who presents them
// to others. Devices of other processes and of machines are refused.
func (c DeviceConfig) InProcess() (p InProcess, err error) {
	t, err := c.target()
	switch {
	case err != nil:
		return p, err
	case t.kind == kindGoNIC:
		p.GoNIC.ControlProcessor = goNICs[t.rest]
		return p, nil
	case t.kind != kindSim:
		return p, fmt.Errorf("device is %v, which is not made by this program; allowed are sim, sim:LIBRARY.so, gonic, gonic:mailbox and gonic:window", t)
	}
	if p.Options, err = c.simOptions(); err != nil {
		return p, err
	}
	p.Library, err = c.library(t.rest)
	return p, err
}
