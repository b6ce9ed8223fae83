// SPDX-License-Identifier: Apache-2.0

package protocol

import "encoding/binary"

// Flags of RegionInfo.
const (
	RegionRead  = 1 << 0 // may be read
	RegionWrite = 1 << 1 // may be written
	RegionMmap  = 1 << 2 // may be mapped, at least in part
	RegionCaps  = 1 << 3 // capabilities follow
)

// Capabilities of a region.
const (
	capSparseMmap        = 1
	capSparseMmapVersion = 1
	capHeaderSize        = 8
	areaSize             = 16
)

// Area is a part of a region that can be mapped.
type Area struct {
	// Offset is from the beginning of the region, Size its size, in bytes.
	Offset, Size uint64
}

// RegionInfo is the payload of DEVICE_GET_REGION_INFO and of its reply.
type RegionInfo struct {
	// ArgSize is the sender's room for the reply, or the reply's full size. One
	// larger than what came means: ask again with this.
	ArgSize, Flags, Index uint32
	// Size is the region's in bytes.
	Size uint64
	// Offset is where the region begins in the file that it is mapped from.
	Offset uint64
	// Areas are the parts that can be mapped where it is not the whole.
	Areas []Area
}

// RegionInfoSize is the size of an encoded RegionInfo without capabilities.
const RegionInfoSize = 32

// FullSize returns the encoded size with all capabilities.
func (r RegionInfo) FullSize() int {
	if len(r.Areas) == 0 {
		return RegionInfoSize
	}
	return RegionInfoSize + capHeaderSize + 8 + areaSize*len(r.Areas)
}

// Append appends the encoded payload to b. RegionCaps is set where there are areas;
// set in Flags without areas it says that there are some, but no room for them.
func (r RegionInfo) Append(b []byte) []byte {
	flags, first := r.Flags, uint32(0)
	if len(r.Areas) > 0 {
		flags, first = flags|RegionCaps, RegionInfoSize
	}
	b = append4(b, r.ArgSize, flags, r.Index, first)
	b = binary.LittleEndian.AppendUint64(b, r.Size)
	b = binary.LittleEndian.AppendUint64(b, r.Offset)
	if len(r.Areas) == 0 {
		return b
	}
	b = binary.LittleEndian.AppendUint16(b, capSparseMmap)
	b = binary.LittleEndian.AppendUint16(b, capSparseMmapVersion)
	b = append4(b, 0, uint32(len(r.Areas)), 0)
	for _, a := range r.Areas {
		b = binary.LittleEndian.AppendUint64(b, a.Offset)
		b = binary.LittleEndian.AppendUint64(b, a.Size)
	}
	return b
}

// ParseRegionInfo decodes the payload of a DEVICE_GET_REGION_INFO message. Bytes
// that nothing refers to and capabilities that are not known are ignored; a list of
// capabilities that leaves the payload or does not end is an error.
func ParseRegionInfo(b []byte) (RegionInfo, error) {
	if len(b) < RegionInfoSize {
		return RegionInfo{}, short(CommandRegionInfo, b, RegionInfoSize)
	}
	v := parse4(b)
	r := RegionInfo{
		ArgSize: v[0], Flags: v[1], Index: v[2],
		Size:   binary.LittleEndian.Uint64(b[16:]),
		Offset: binary.LittleEndian.Uint64(b[24:]),
	}
	if r.Flags&RegionCaps == 0 {
		return r, nil
	}
	// Offsets must grow, so that a list cannot go round in circles.
	last := uint64(RegionInfoSize - 1)
	for at := uint64(v[3]); at != 0; {
		if at <= last || at+capHeaderSize > uint64(len(b)) {
			return r, violation("region %d: a capability at offset %d of %d bytes", r.Index, at, len(b))
		}
		head := b[at:]
		id, version := binary.LittleEndian.Uint16(head), binary.LittleEndian.Uint16(head[2:])
		if id == capSparseMmap && version == capSparseMmapVersion {
			areas, err := parseAreas(head[capHeaderSize:])
			if err != nil {
				return r, err
			}
			r.Areas = append(r.Areas, areas...)
		}
		last, at = at, uint64(binary.LittleEndian.Uint32(head[4:]))
	}
	for _, a := range r.Areas {
		if end := a.Offset + a.Size; end < a.Offset || end > r.Size {
			return r, violation("region %d: mappable area of %#x bytes at %#x in a region of %#x", r.Index, a.Size, a.Offset, r.Size)
		}
	}
	return r, nil
}

func parseAreas(b []byte) ([]Area, error) {
	if len(b) < 8 {
		return nil, &SizeError{Item: "sparse mmap capability", Size: uint64(len(b)), Min: 8}
	}
	n := uint64(binary.LittleEndian.Uint32(b))
	b = b[8:]
	if need := n * areaSize; need > uint64(len(b)) {
		return nil, &SizeError{Item: "sparse mmap capability", Size: uint64(len(b)), Min: need}
	}
	areas := make([]Area, n)
	for i := range areas {
		areas[i] = Area{binary.LittleEndian.Uint64(b[areaSize*i:]), binary.LittleEndian.Uint64(b[areaSize*i+8:])}
	}
	return areas, nil
}

// RegionAccess is the payload of REGION_READ and REGION_WRITE commands and their
// replies. Data is what a write's command and a read's reply carry.
type RegionAccess struct {
	Offset        uint64
	Region, Count uint32
	Data          []byte
}

// RegionAccessSize is the size of an encoded RegionAccess without its data.
const RegionAccessSize = 16

// Append appends the encoded payload, data included, to b.
func (a RegionAccess) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, a.Offset)
	b = binary.LittleEndian.AppendUint32(b, a.Region)
	b = binary.LittleEndian.AppendUint32(b, a.Count)
	return append(b, a.Data...)
}

// ParseRegionAccess decodes a payload without data: that of a REGION_READ command
// or a REGION_WRITE reply.
func ParseRegionAccess(b []byte) (RegionAccess, error) {
	if len(b) < RegionAccessSize {
		return RegionAccess{}, &SizeError{Item: "region access payload", Size: uint64(len(b)), Min: RegionAccessSize}
	}
	return RegionAccess{
		Offset: binary.LittleEndian.Uint64(b),
		Region: binary.LittleEndian.Uint32(b[8:]),
		Count:  binary.LittleEndian.Uint32(b[12:]),
	}, nil
}

// ParseRegionData decodes a payload with exactly Count bytes of data: that of a
// REGION_WRITE command or a REGION_READ reply. Data is part of b.
func ParseRegionData(b []byte) (RegionAccess, error) {
	a, err := ParseRegionAccess(b)
	if err != nil {
		return a, err
	}
	a.Data = b[RegionAccessSize:]
	if len(a.Data) != int(a.Count) {
		return a, &SizeError{Item: "data of region access", Size: uint64(len(a.Data)), Min: uint64(a.Count), Max: uint64(a.Count)}
	}
	return a, nil
}

// multiSize is the size of one write in a REGION_WRITE_MULTI command: eight bytes
// of data, of which its count says how many are meant.
const multiSize = RegionAccessSize + 8

// AppendWriteMulti appends the payload of a REGION_WRITE_MULTI command to b. Each
// write has 1 to 8 bytes of data.
func AppendWriteMulti(b []byte, writes []RegionAccess) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(len(writes)))
	for _, w := range writes {
		var data [8]byte
		w.Count = uint32(copy(data[:], w.Data))
		w.Data = data[:]
		b = w.Append(b)
	}
	return b
}

// ParseWriteMulti decodes the payload of a REGION_WRITE_MULTI command, appending
// its writes to writes. Their data is part of b.
func ParseWriteMulti(b []byte, writes []RegionAccess) ([]RegionAccess, error) {
	if len(b) < 8 {
		return nil, short(CommandWriteMulti, b, 8)
	}
	n := binary.LittleEndian.Uint64(b)
	b = b[8:]
	if n > uint64(len(b))/multiSize || n*multiSize != uint64(len(b)) {
		return nil, violation("REGION_WRITE_MULTI of %d writes has %d bytes for them", n, len(b))
	}
	for ; len(b) > 0; b = b[multiSize:] {
		w, err := ParseRegionAccess(b)
		if err != nil {
			return nil, err
		}
		if w.Count == 0 || w.Count > 8 {
			return nil, &SizeError{Item: "write in REGION_WRITE_MULTI", Size: uint64(w.Count), Min: 1, Max: 8}
		}
		w.Data = b[RegionAccessSize : RegionAccessSize+w.Count]
		writes = append(writes, w)
	}
	return writes, nil
}

// AppendWriteMultiReply appends the payload of a REGION_WRITE_MULTI reply to b: how
// many writes were made.
func AppendWriteMultiReply(b []byte, writes int) []byte {
	return binary.LittleEndian.AppendUint64(b, uint64(writes))
}
