// SPDX-License-Identifier: Apache-2.0

package client

import (
	"fmt"

	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/protocol"
)

// DeviceInfo is what a server says about its device as a whole.
type DeviceInfo struct {
	// Regions and IRQs are the numbers of region and interrupt indices.
	Regions, IRQs int
	// PCI: it is a PCI device. Resettable: Reset works.
	PCI, Resettable bool
}

// maxIndices is how many regions or interrupt indices are believed.
const maxIndices = 256

// Device describes the device.
func (c *Client) Device() DeviceInfo { return c.info }

// deviceInfo sends DEVICE_GET_INFO.
func (c *Client) deviceInfo() (DeviceInfo, error) {
	cl := newCall(protocol.CommandDeviceInfo)
	defer cl.free()
	cl.request = protocol.DeviceInfo{ArgSize: protocol.DeviceInfoSize}.Append(cl.request)
	var reply [protocol.DeviceInfoSize]byte
	cl.reply = reply[:]
	if err := c.do(cl, c.opts.ConnectTimeout); err != nil {
		return DeviceInfo{}, err
	}
	i, err := protocol.ParseDeviceInfo(reply[:cl.got])
	if err != nil {
		return DeviceInfo{}, fmt.Errorf("vfio-user: %s: %w", cl.command, err)
	}
	if i.Regions > maxIndices || i.IRQs > maxIndices {
		return DeviceInfo{}, fmt.Errorf("vfio-user: %s: a device with %d regions and %d interrupt indices, believed are up to %d: %w", cl.command, i.Regions, i.IRQs, maxIndices, protocol.ErrProtocol)
	}
	return DeviceInfo{
		Regions: int(i.Regions), IRQs: int(i.IRQs),
		PCI: i.Flags&protocol.DevicePCI != 0, Resettable: i.Flags&protocol.DeviceReset != 0,
	}, nil
}

// Reset resets the device (DEVICE_RESET). What becomes of interrupts is up to the
// server; mappings stay.
func (c *Client) Reset() error {
	cl := newCall(protocol.CommandDeviceReset)
	defer cl.free()
	return c.do(cl, c.opts.Timeout)
}

// IRQ describes an interrupt index.
type IRQ struct {
	// Count is the number of its vectors.
	Count int
	// EventFD: vectors can be bound to eventfds. Maskable: Mask works.
	// AutoMasked: an interrupt masks its vector. NoResize: vectors cannot be
	// added while the index is enabled.
	EventFD, Maskable, AutoMasked, NoResize bool
}

// maxVectors is how many vectors of an index are believed: MSI-X has no more.
const maxVectors = 2048

// IRQ describes an interrupt index of the device.
func (c *Client) IRQ(index int) (IRQ, error) {
	if index < 0 || index >= c.info.IRQs {
		return IRQ{}, fmt.Errorf("vfio-user: interrupt index %d of %d: %w", index, c.info.IRQs, ErrRange)
	}
	cl := newCall(protocol.CommandIRQInfo)
	defer cl.free()
	cl.request = protocol.IRQInfo{ArgSize: protocol.IRQInfoSize, Index: uint32(index)}.Append(cl.request)
	var reply [protocol.IRQInfoSize]byte
	cl.reply = reply[:]
	if err := c.do(cl, c.opts.Timeout); err != nil {
		return IRQ{}, err
	}
	i, err := protocol.ParseIRQInfo(reply[:cl.got])
	if err == nil && i.Index != uint32(index) {
		err = fmt.Errorf("interrupt index %d is described as index %d: %w", index, i.Index, protocol.ErrProtocol)
	}
	if err == nil && i.Count > maxVectors {
		err = fmt.Errorf("interrupt index %d with %d vectors, believed are up to %d: %w", index, i.Count, maxVectors, protocol.ErrProtocol)
	}
	if err != nil {
		return IRQ{}, fmt.Errorf("vfio-user: %s: %w", cl.command, err)
	}
	return IRQ{
		Count:      int(i.Count),
		EventFD:    i.Flags&protocol.IRQEventFD != 0,
		Maskable:   i.Flags&protocol.IRQMaskable != 0,
		AutoMasked: i.Flags&protocol.IRQAutoMasked != 0,
		NoResize:   i.Flags&protocol.IRQNoResize != 0,
	}, nil
}

// SetEventFDs binds vectors start to start+len(fds)-1 of an index to eventfds,
// which stay the caller's; -1 takes a vector's away. Where there are more than the
// server takes at once, several commands are sent.
func (c *Client) SetEventFDs(index, start int, fds []int) error {
	most := int(min(c.server.Capabilities.MaxMsgFDs, maxFDs))
	for len(fds) > 0 {
		// A message cannot carry a descriptor of -1: a vector is unbound by a
		// command of its own that has none.
		n := 1
		if fds[0] >= 0 {
			if most == 0 {
				return fmt.Errorf("vfio-user: an eventfd in a message: %w", ErrLimit)
			}
			for n < min(len(fds), most) && fds[n] >= 0 {
				n++
			}
		}
		set := protocol.IRQSet{Flags: protocol.IRQDataEventFD | protocol.IRQActionTrigger, Index: uint32(index), Start: uint32(start), Count: uint32(n)}
		var send []int
		if fds[0] >= 0 {
			send = fds[:n]
		}
		if err := c.setIRQs(set, send); err != nil {
			return err
		}
		start += n
		fds = fds[n:]
	}
	return nil
}

// DisableIRQ unbinds all vectors of an index and disables it.
func (c *Client) DisableIRQ(index int) error {
	return c.setIRQs(protocol.IRQSet{Flags: protocol.IRQDataNone | protocol.IRQActionTrigger, Index: uint32(index)}, nil)
}

// Mask masks or unmasks a vector of an index.
func (c *Client) Mask(index, vector int, masked bool) error {
	action := uint32(protocol.IRQActionUnmask)
	if masked {
		action = protocol.IRQActionMask
	}
	return c.setIRQs(protocol.IRQSet{Flags: protocol.IRQDataNone | action, Index: uint32(index), Start: uint32(vector), Count: 1}, nil)
}

// Trigger makes the server raise a vector, as if the device had.
func (c *Client) Trigger(index, vector int) error {
	return c.setIRQs(protocol.IRQSet{Flags: protocol.IRQDataNone | protocol.IRQActionTrigger, Index: uint32(index), Start: uint32(vector), Count: 1}, nil)
}

// setIRQs sends DEVICE_SET_IRQS.
func (c *Client) setIRQs(set protocol.IRQSet, fds []int) error {
	cl := newCall(protocol.CommandSetIRQs)
	defer cl.free()
	cl.request = set.Append(cl.request)
	cl.fds = fds
	return c.do(cl, c.opts.Timeout)
}
