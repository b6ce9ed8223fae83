// SPDX-License-Identifier: Apache-2.0

package protocol

import "encoding/binary"

// Flags of DeviceInfo.
const (
	DeviceReset = 1 << 0 // DEVICE_RESET is understood
	DevicePCI   = 1 << 1 // it is a PCI device
)

// DeviceInfo is the payload of DEVICE_GET_INFO and of its reply.
type DeviceInfo struct {
	// ArgSize is the sender's room for the reply, or the reply's full size.
	ArgSize, Flags uint32
	// Regions and IRQs are numbers of indices.
	Regions, IRQs uint32
}

// DeviceInfoSize is the size of an encoded DeviceInfo.
const DeviceInfoSize = 16

// Append appends the encoded payload to b.
func (i DeviceInfo) Append(b []byte) []byte { return append4(b, i.ArgSize, i.Flags, i.Regions, i.IRQs) }

// ParseDeviceInfo decodes the payload of a DEVICE_GET_INFO message.
func ParseDeviceInfo(b []byte) (DeviceInfo, error) {
	if len(b) < DeviceInfoSize {
		return DeviceInfo{}, short(CommandDeviceInfo, b, DeviceInfoSize)
	}
	v := parse4(b)
	return DeviceInfo{v[0], v[1], v[2], v[3]}, nil
}

// Flags of IRQInfo.
const (
	IRQEventFD    = 1 << 0 // triggers may be eventfds
	IRQMaskable   = 1 << 1 // MASK and UNMASK are understood
	IRQAutoMasked = 1 << 2 // triggering masks
	IRQNoResize   = 1 << 3 // vectors are set up as a set, all at once
)

// IRQInfo is the payload of DEVICE_GET_IRQ_INFO and of its reply.
type IRQInfo struct{ ArgSize, Flags, Index, Count uint32 }

// IRQInfoSize is the size of an encoded IRQInfo.
const IRQInfoSize = 16

// Append appends the encoded payload to b.
func (i IRQInfo) Append(b []byte) []byte { return append4(b, i.ArgSize, i.Flags, i.Index, i.Count) }

// ParseIRQInfo decodes the payload of a DEVICE_GET_IRQ_INFO message.
func ParseIRQInfo(b []byte) (IRQInfo, error) {
	if len(b) < IRQInfoSize {
		return IRQInfo{}, short(CommandIRQInfo, b, IRQInfoSize)
	}
	v := parse4(b)
	return IRQInfo{v[0], v[1], v[2], v[3]}, nil
}

// Flags of IRQSet: one of the data kinds and one of the actions.
const (
	IRQDataNone      = 1 << 0
	IRQDataBool      = 1 << 1
	IRQDataEventFD   = 1 << 2
	IRQActionMask    = 1 << 3
	IRQActionUnmask  = 1 << 4
	IRQActionTrigger = 1 << 5
)

// IRQSet is the payload of DEVICE_SET_IRQS. Its reply has none.
type IRQSet struct {
	ArgSize, Flags, Index, Start, Count uint32
	// Data has one byte per vector with IRQDataBool, else none is meant.
	Data []byte
}

// IRQSetSize is the size of an encoded IRQSet without its data.
const IRQSetSize = 20

// Append appends the encoded payload to b; ArgSize is filled in.
func (s IRQSet) Append(b []byte) []byte {
	b = append4(b, uint32(IRQSetSize+len(s.Data)), s.Flags, s.Index, s.Start)
	b = binary.LittleEndian.AppendUint32(b, s.Count)
	return append(b, s.Data...)
}

// ParseIRQSet decodes the payload of a DEVICE_SET_IRQS command. Data is the rest
// of b, whatever its size.
func ParseIRQSet(b []byte) (IRQSet, error) {
	if len(b) < IRQSetSize {
		return IRQSet{}, short(CommandSetIRQs, b, IRQSetSize)
	}
	v := parse4(b)
	return IRQSet{v[0], v[1], v[2], v[3], binary.LittleEndian.Uint32(b[16:]), b[IRQSetSize:]}, nil
}

// RegionIOFDs is the payload of DEVICE_GET_REGION_IO_FDS.
type RegionIOFDs struct{ ArgSize, Flags, Index, Count uint32 }

// RegionIOFDsSize is the size of an encoded RegionIOFDs.
const RegionIOFDsSize = 16

// Append appends the encoded payload to b.
func (r RegionIOFDs) Append(b []byte) []byte { return append4(b, r.ArgSize, r.Flags, r.Index, r.Count) }

// ParseRegionIOFDs decodes the payload of a DEVICE_GET_REGION_IO_FDS message
// without its sub-regions.
func ParseRegionIOFDs(b []byte) (RegionIOFDs, error) {
	if len(b) < RegionIOFDsSize {
		return RegionIOFDs{}, short(CommandRegionIOFDs, b, RegionIOFDsSize)
	}
	v := parse4(b)
	return RegionIOFDs{v[0], v[1], v[2], v[3]}, nil
}

// DeviceFeature is the head of the payload of DEVICE_FEATURE.
type DeviceFeature struct {
	ArgSize uint32
	// Flags are the feature's number (16 bits) and what to do with it.
	Flags uint32
	Data  []byte
}

// DeviceFeatureSize is the size of an encoded DeviceFeature without its data.
const DeviceFeatureSize = 8

// Append appends the encoded payload to b.
func (f DeviceFeature) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, f.ArgSize)
	b = binary.LittleEndian.AppendUint32(b, f.Flags)
	return append(b, f.Data...)
}

// ParseDeviceFeature decodes the payload of a DEVICE_FEATURE message.
func ParseDeviceFeature(b []byte) (DeviceFeature, error) {
	if len(b) < DeviceFeatureSize {
		return DeviceFeature{}, short(CommandDeviceFeature, b, DeviceFeatureSize)
	}
	return DeviceFeature{binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:]), b[DeviceFeatureSize:]}, nil
}

func append4(b []byte, values ...uint32) []byte {
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

func parse4(b []byte) (v [4]uint32) {
	for i := range v {
		v[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	return v
}
