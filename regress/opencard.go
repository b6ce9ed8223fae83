// SPDX-License-Identifier: Apache-2.0

package regress

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/discover"
	"github.com/espalier-nic/espalier/driver/pcie/sysfs"
	"github.com/espalier-nic/espalier/driver/pcie/vfio"
	"github.com/espalier-nic/espalier/driver/pcie/vfiouser"
)

// The ways to a PCIe function outside this process. Variables, so that tests can
// put a function in this process behind a name.
var (
	openVFIOUser = dialVFIOUser
	openVFIO     = func(_ context.Context, address string, ids []discover.ID) (pcie.Function, error) {
		return vfio.Open(address, vfio.Options{IDs: ids, Hugepages: true})
	}
	// That it is named as sysfs:ADDRESS is the consent; openFunction has warned.
	openSysfs = func(_ context.Context, address string, ids []discover.ID) (pcie.Function, error) {
		return sysfs.Open(address, sysfs.Options{IDs: ids, AcceptNoIOMMU: true})
	}
)

// dialVFIOUser opens what a vfio-user server shows.
func dialVFIOUser(_ context.Context, socket string, ids []discover.ID) (pcie.Function, error) {
	opts := vfiouser.Options{VendorID: ids[0].Vendor, DeviceID: ids[0].Device, AnyID: len(ids) > 1}
	fn, err := vfiouser.Open(socket, opts)
	if err != nil {
		return nil, err
	}
	info := fn.Info()
	if id := (discover.ID{Vendor: info.VendorID, Device: info.DeviceID}); !slices.Contains(ids, id) {
		return nil, errors.Join(fmt.Errorf("%s has the ID %v, which is none of those that --pci-id names", info.Location, id), fn.Close())
	}
	return fn, nil
}
