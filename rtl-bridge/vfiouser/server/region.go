// SPDX-License-Identifier: Apache-2.0

package server

import (
	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/protocol"
)

// deviceInfo handles DEVICE_GET_INFO.
func (s *session) deviceInfo(r *protocol.Request) error {
	p, err := protocol.ParseDeviceInfo(r.Payload)
	if err != nil {
		return err
	}
	if p.ArgSize < protocol.DeviceInfoSize {
		return refusal(protocol.EINVAL, "DEVICE_GET_INFO with room for %d bytes", p.ArgSize)
	}
	answer := protocol.DeviceInfo{
		ArgSize: protocol.DeviceInfoSize,
		Flags:   protocol.DevicePCI,
		Regions: uint32(len(s.description.Regions)),
		IRQs:    uint32(len(s.description.IRQs)),
	}
	if s.description.CanReset {
		answer.Flags |= protocol.DeviceReset
	}
	s.reply = answer.Append(s.reply[:0])
	return r.Reply(s.reply, nil)
}

// regionInfo handles DEVICE_GET_REGION_INFO. A client without room for the areas is
// told how much they need, and asks again.
func (s *session) regionInfo(r *protocol.Request) error {
	p, err := protocol.ParseRegionInfo(r.Payload)
	if err != nil {
		return err
	}
	if p.ArgSize < protocol.RegionInfoSize {
		return refusal(protocol.EINVAL, "DEVICE_GET_REGION_INFO with room for %d bytes", p.ArgSize)
	}
	if uint64(p.Index) >= uint64(len(s.description.Regions)) {
		return refusal(protocol.EINVAL, "region %d does not exist", p.Index)
	}
	region := s.description.Regions[p.Index]
	answer := protocol.RegionInfo{Index: p.Index, Size: region.Size, Offset: uint64(region.FileOffset)}
	if region.Readable {
		answer.Flags |= protocol.RegionRead
	}
	if region.Writable {
		answer.Flags |= protocol.RegionWrite
	}
	var fds []int
	if region.File != nil && s.takesFDs {
		answer.Flags |= protocol.RegionMmap
		for _, a := range region.Areas {
			answer.Areas = append(answer.Areas, protocol.Area(a))
		}
		fds = []int{int(region.File.Fd())}
	}
	answer.ArgSize = uint32(answer.FullSize())
	if answer.ArgSize > p.ArgSize {
		answer.Areas, fds = nil, nil
		answer.Flags |= protocol.RegionCaps
	}
	s.reply = answer.Append(s.reply[:0])
	return r.Reply(s.reply, fds)
}

// regionIOFDs handles DEVICE_GET_REGION_IO_FDS: no region has any.
func (s *session) regionIOFDs(r *protocol.Request) error {
	p, err := protocol.ParseRegionIOFDs(r.Payload)
	if err != nil {
		return err
	}
	if uint64(p.Index) >= uint64(len(s.description.Regions)) {
		return refusal(protocol.EINVAL, "region %d does not exist", p.Index)
	}
	return refusal(protocol.EOPNOTSUPP, "region %d has no descriptors for accesses", p.Index)
}

// check finds accesses that the device should not see.
func (s *session) check(a protocol.RegionAccess, write bool) error {
	if uint64(a.Region) >= uint64(len(s.description.Regions)) {
		return refusal(protocol.EINVAL, "access to region %d, which does not exist", a.Region)
	}
	region := &s.description.Regions[a.Region]
	switch {
	case uint64(a.Count) > serverCapabilities.MaxDataXferSize:
		return refusal(protocol.EINVAL, "access of %d bytes to region %d", a.Count, a.Region)
	case a.Offset > region.Size || uint64(a.Count) > region.Size-a.Offset:
		return refusal(protocol.EINVAL, "access of %d bytes at %#x of region %d, which has %#x", a.Count, a.Offset, a.Region, region.Size)
	case write && !region.Writable, !write && !region.Readable:
		return refusal(protocol.EACCES, "access to region %d in a direction that it does not have", a.Region)
	}
	return nil
}

// regionRead handles REGION_READ.
func (s *session) regionRead(r *protocol.Request) error {
	a, err := protocol.ParseRegionAccess(r.Payload)
	if err == nil {
		err = s.check(a, false)
	}
	if err != nil {
		s.counts.regionErrors.Add(1)
		return err
	}
	size := protocol.RegionAccessSize + int(a.Count)
	s.reply = a.Append(s.reply[:0])
	if cap(s.reply) < size {
		s.reply = append(make([]byte, 0, size), s.reply...)
	}
	s.reply = s.reply[:size]
	data := s.reply[protocol.RegionAccessSize:]
	clear(data) // whatever the device leaves out is nobody's older data
	if len(data) > 0 {
		if err := s.device.ReadRegion(int(a.Region), a.Offset, data); err != nil {
			s.counts.regionErrors.Add(1)
			return err
		}
	}
	s.counts.regionReads.Add(1)
	return r.Reply(s.reply, nil)
}

// write carries out one write.
func (s *session) write(a protocol.RegionAccess) error {
	err := s.check(a, true)
	if err == nil && len(a.Data) > 0 {
		err = s.device.WriteRegion(int(a.Region), a.Offset, a.Data)
	}
	if err != nil {
		s.counts.regionErrors.Add(1)
		return err
	}
	s.counts.regionWrites.Add(1)
	return nil
}

// regionWrite handles REGION_WRITE.
func (s *session) regionWrite(r *protocol.Request) error {
	a, err := protocol.ParseRegionData(r.Payload)
	if err != nil {
		s.counts.regionErrors.Add(1)
		return err
	}
	if err := s.write(a); err != nil {
		return err
	}
	a.Data = nil
	s.reply = a.Append(s.reply[:0])
	return r.Reply(s.reply, nil)
}

// writeMulti handles REGION_WRITE_MULTI. The first write that fails ends it.
func (s *session) writeMulti(r *protocol.Request) error {
	if !s.multi {
		return refusal(protocol.EINVAL, "REGION_WRITE_MULTI was not agreed on")
	}
	writes, err := protocol.ParseWriteMulti(r.Payload, s.writes[:0])
	if err != nil {
		s.counts.regionErrors.Add(1)
		return err
	}
	s.writes = writes
	for _, a := range writes {
		if err := s.write(a); err != nil {
			return err
		}
	}
	s.reply = protocol.AppendWriteMultiReply(s.reply[:0], len(writes))
	return r.Reply(s.reply, nil)
}

// reset handles DEVICE_RESET, which some clients send even where it is not offered.
func (s *session) reset(r *protocol.Request) error {
	if !s.description.CanReset {
		return refusal(protocol.EOPNOTSUPP, "the device cannot be reset")
	}
	if err := s.device.Reset(); err != nil {
		return err
	}
	s.irqs.forgetPending()
	return r.Reply(nil, nil)
}
