// SPDX-License-Identifier: Apache-2.0

package vfiouser

import (
	"errors"
	"fmt"
	"math"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/passthrough"
	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/client"
)

// device is a client as a passthrough.Device.
type device struct {
	*client.Client
	socket string
	shared bool // memory is shared by descriptor
}

var _ passthrough.Device = (*device)(nil)

// translate puts an error of the client's into this package's callers' terms.
func translate(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, client.ErrClosed):
		return fmt.Errorf("%w: %w", err, pcie.ErrClosed)
	case errors.Is(err, client.ErrTimeout):
		return fmt.Errorf("%w: %w: %w", err, pcie.ErrTimeout, pcie.ErrRemoved)
	case errors.Is(err, client.ErrGone):
		return fmt.Errorf("%w: %w", err, pcie.ErrRemoved)
	case errors.Is(err, client.ErrRange):
		return fmt.Errorf("%w: %w", err, pcie.ErrRange)
	}
	return err
}

// Location implements passthrough.Device.
func (d *device) Location() string { return Prefix + d.socket }

// RegionInfo implements passthrough.Device.
func (d *device) RegionInfo(index int) (passthrough.Region, error) {
	r, err := d.Client.Region(index)
	if err != nil {
		return passthrough.Region{}, translate(err)
	}
	region := passthrough.Region{Size: r.Size, Readable: r.Readable, Writable: r.Writable}
	for _, a := range r.Areas {
		region.Areas = append(region.Areas, passthrough.Area(a))
	}
	return region, nil
}

// ReadRegion implements passthrough.Device.
func (d *device) ReadRegion(index int, offset uint64, p []byte) error {
	return translate(d.Client.Read(index, offset, p))
}

// WriteRegion implements passthrough.Device. As on PCIe, writes to BARs are posted
// and those to configuration space are answered.
func (d *device) WriteRegion(index int, offset uint64, p []byte) error {
	if index == passthrough.RegionConfig {
		return translate(d.Client.Write(index, offset, p))
	}
	return translate(d.Client.Post(index, offset, p))
}

// MapRegion implements passthrough.Device.
func (d *device) MapRegion(index int, a passthrough.Area) ([]byte, error) {
	m, err := d.Client.Map(index, client.Area(a))
	return m, translate(err)
}

// UnmapRegion implements passthrough.Device.
func (d *device) UnmapRegion(mapping []byte) error { return d.Client.Unmap(mapping) }

// IRQInfo implements passthrough.Device.
func (d *device) IRQInfo(index int) (passthrough.IRQ, error) {
	i, err := d.Client.IRQ(index)
	return passthrough.IRQ(i), translate(err)
}

// SetTriggers implements passthrough.Device.
func (d *device) SetTriggers(index, start int, fds []int) error {
	return translate(d.Client.SetEventFDs(index, start, fds))
}

// DisableIRQ implements passthrough.Device.
func (d *device) DisableIRQ(index int) error { return translate(d.Client.DisableIRQ(index)) }

// MaskIRQ implements passthrough.Device.
func (d *device) MaskIRQ(index, vector int, masked bool) error {
	return translate(d.Client.Mask(index, vector, masked))
}

// MapDMA implements passthrough.Device.
func (d *device) MapDMA(iova uint64, memory []byte, fd int, offset uint64) error {
	if !d.shared {
		fd = -1
	}
	return translate(d.Client.MapDMA(client.Mapping{
		Address: iova, Memory: memory, FD: fd, Offset: offset, Readable: true, Writable: true,
	}))
}

// UnmapDMA implements passthrough.Device.
func (d *device) UnmapDMA(iova, size uint64) error { return translate(d.Client.UnmapDMA(iova, size)) }

// IOVARanges implements passthrough.Device: the protocol knows no limits.
func (d *device) IOVARanges() []passthrough.Range { return nil }

// MaxMappings implements passthrough.Device.
func (d *device) MaxMappings() int {
	return int(min(d.Client.Version().Capabilities.MaxDMAMaps, math.MaxInt32))
}

// TakeFaults implements passthrough.Device.
func (d *device) TakeFaults() []pcie.Fault {
	var faults []pcie.Fault
	for _, f := range d.Client.TakeFaults() {
		faults = append(faults, pcie.Fault{
			IOVA: f.Address, Size: int(min(f.Size, math.MaxInt)), Write: f.Write, Time: f.Time,
		})
	}
	return faults
}

// Reset implements passthrough.Device.
func (d *device) Reset() error { return translate(d.Client.Reset()) }
