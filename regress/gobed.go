// SPDX-License-Identifier: Apache-2.0

package regress

import (
	"context"
	"errors"
	"fmt"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/hwmodel/nic"
)

// openGoNIC opens a Go NIC. number tells several of one run apart.
func (c DeviceConfig) openGoNIC(t target, number int) (*nic.NIC, *Device, error) {
	opts, err := c.driverOptions(nil)
	if err != nil {
		return nil, nil, err
	}
	n, err := nic.New(nic.Options{Location: fmt.Sprintf("%s %d", kindGoNIC, number), ControlProcessor: goNICs[t.rest]})
	if err != nil {
		return nil, nil, err
	}
	return n, &Device{Function: n, Name: string(kindGoNIC), Options: opts}, nil
}

// openGoBed joins two Go NICs.
func (c DeviceConfig) openGoBed(ctx context.Context, t target, opts driver.Options) (_ *Bed, err error) {
	var undo cleanup
	defer undo.onError(&err)
	nics, devices := [2]*nic.NIC{}, [2]*Device{}
	for i := range nics {
		if nics[i], devices[i], err = c.openGoNIC(t, i); err != nil {
			return nil, err
		}
		undo.add(nics[i].Close)
	}
	queue := &frameQueue{}
	nics[0].Connect(func(frame []byte) {
		queue.put(WireFrame{Frame: frame})
		nics[1].Inject(frame, false)
	})
	bed := &Bed{Device: devices[0].Name, TakeFrames: queue.take}
	if err := bed.openDrivers(ctx, devices[0], devices[1], opts, &undo); err != nil {
		return nil, err
	}
	bed.Relax = func(ctx context.Context, cycles uint64) error {
		return errors.Join(nics[0].Relax(ctx, cycles), nics[1].Relax(ctx, cycles))
	}
	bed.closeWith(undo)
	return bed, nil
}
