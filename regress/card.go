// SPDX-License-Identifier: Apache-2.0

package regress

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/discover"
	"github.com/espalier-nic/espalier/firmware"
)

// sysfsWarning is what a person is told who drives a card without VFIO.
const sysfsWarning = "%v is driven through sysfs: no IOMMU keeps it from any byte of this machine's memory, and there are no interrupts, only polling; `espalier doctor` says how to use VFIO instead"

// openFunction opens the PCIe function of a target outside this process.
func (c DeviceConfig) openFunction(ctx context.Context, t target) (pcie.Function, error) {
	ids := c.IDs
	if len(ids) == 0 {
		ids = []discover.ID{discover.Espalier()}
	}
	switch t.kind {
	case kindVFIOUser:
		return openVFIOUser(ctx, t.rest, ids)
	case kindVFIO:
		return openVFIO(ctx, t.rest, ids)
	}
	if c.Warn != nil {
		c.Warn(fmt.Sprintf(sysfsWarning, t))
	}
	return openSysfs(ctx, t.rest, ids)
}

// openCard opens a NIC outside this process: a card, or what a vfio-user server
// shows as one.
func (c DeviceConfig) openCard(ctx context.Context, t target) (*Device, error) {
	opts, err := c.driverOptions(standardFirmware)
	if err != nil {
		return nil, err
	}
	opts.Timeout = farTimeout
	fn, err := c.openFunction(ctx, t)
	if err != nil {
		return nil, err
	}
	return &Device{Function: fn, Name: t.String(), Options: opts}, nil
}

// standardFirmware is the image that make has built; nil if there is none, which
// is an error only where the card's own cannot be used.
func standardFirmware() ([]byte, error) {
	path, err := firmware.Find()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	image, err := firmware.Load(path)
	if err != nil {
		return nil, err
	}
	return image.Bytes, nil
}

// build names the design behind a NIC as its register does.
func build(nic *driver.NIC) string { return fmt.Sprintf("%08x", nic.Capabilities().BuildID) }
