// SPDX-License-Identifier: Apache-2.0

package regress

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/pcie"
)

// ethernetMinimum is the shortest frame on a real Ethernet wire in bytes,
// without FCS: a MAC pads shorter ones (IEEE 802.3, 4.2.3.3).
const ethernetMinimum = 60

// unseenWire says in a result that a bed of two cards has no tap.
const unseenWire = "frames on the wire: no --wire-tap shows them, so they are judged by what the receiving NIC hands up only (with their ICV)"

// openCards opens two cards that a cable joins.
func (c DeviceConfig) openCards(ctx context.Context, a, b target, opts driver.Options) (_ *Bed, err error) {
	var undo cleanup
	defer undo.onError(&err)
	devices := [2]*Device{}
	for i, t := range []target{a, b} {
		if devices[i], err = c.openCard(ctx, t); err != nil {
			return nil, err
		}
		undo.add(devices[i].Close)
		if t.kind == kindSysfs {
			c.Warn = nil // once is enough
		}
	}
	bed := &Bed{
		Device: fmt.Sprintf("%v to %v", a, b), RealTime: true, ShortestFrame: ethernetMinimum,
		Sight: Unseen, NotSeen: []string{unseenWire},
		Relax: relaxBoth(devices[0].Function, devices[1].Function),
	}
	var tap *wireTap
	if c.WireTap != "" {
		if tap, err = openWireTap(c.WireTap); err != nil {
			return nil, err
		}
		undo.add(tap.close)
		bed.Sight, bed.NotSeen, bed.TakeFrames = Late, nil, tap.take
	}
	if err := bed.openDrivers(ctx, devices[0], devices[1], opts, &undo); err != nil {
		return nil, err
	}
	bed.Build = build(bed.Sender)
	if tap != nil {
		tap.start(wallStamp(bed.Sender))
	}
	bed.closeWith(undo)
	return bed, nil
}

// relaxBoth waits a moment for two functions.
func relaxBoth(a, b pcie.Function) func(context.Context, uint64) error {
	return func(ctx context.Context, cycles uint64) error {
		return errors.Join(a.Relax(ctx, cycles), b.Relax(ctx, cycles))
	}
}

// wallStamp is the time since now, in cycles of the NIC's clock as it states it.
func wallStamp(nic *driver.NIC) func() uint64 {
	start, mhz := time.Now(), uint64(nic.Capabilities().ClockMHz)
	return func() uint64 { return uint64(time.Since(start).Microseconds()) * mhz }
}
