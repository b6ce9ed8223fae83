// SPDX-License-Identifier: Apache-2.0

package offload

import (
	"context"
	"iter"
	"sync/atomic"

	"github.com/espalier-nic/espalier/driver"
)

// device returns the device below the adapter.
func (b *bench) device() device { return b.nic }

// slowDevice holds deletions back while hold is set, until release is closed,
// and then sees that their context has ended.
type slowDevice struct {
	device
	hold    atomic.Bool
	entered chan struct{}
	release chan struct{}
}

func (d *slowDevice) DeleteSAs(ctx context.Context, handles []driver.Handle) []error {
	if d.hold.Load() {
		d.entered <- struct{}{}
		<-ctx.Done()
		<-d.release
	}
	return d.device.DeleteSAs(ctx, handles)
}

// crookedDevice reads SAs back wrongly.
type crookedDevice struct {
	device
	spoil func(*driver.SAState)
}

func (d *crookedDevice) SAStates(ctx context.Context) iter.Seq2[driver.SAState, error] {
	return func(yield func(driver.SAState, error) bool) {
		for s, err := range d.device.SAStates(ctx) {
			d.spoil(&s)
			if !yield(s, err) {
				return
			}
		}
	}
}

// hookedDevice calls afterAdd when SAs were added, before the adapter knows.
type hookedDevice struct {
	device
	afterAdd func()
}

func (d *hookedDevice) AddSAs(ctx context.Context, sas []driver.SA) ([]driver.Handle, []error) {
	handles, errs := d.device.AddSAs(ctx, sas)
	d.afterAdd()
	return handles, errs
}
