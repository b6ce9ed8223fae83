// SPDX-License-Identifier: Apache-2.0

package protocol

import "encoding/binary"

// Flags of DMAMap.
const (
	DMAMapRead  = 1 << 0 // the device may read the range
	DMAMapWrite = 1 << 1 // the device may write the range
)

// DMAUnmapAll in DMAUnmap.Flags removes every mapping; address and size are 0.
const DMAUnmapAll = 1 << 1

// DMAMap is the payload of a DMA_MAP command. Its reply has none.
type DMAMap struct {
	ArgSize, Flags uint32
	// Offset is where the range begins in the file whose descriptor comes with
	// the command; without one the range is reached by messages only.
	Offset        uint64
	Address, Size uint64
}

// DMAMapSize is the size of an encoded DMAMap.
const DMAMapSize = 32

// Append appends the encoded payload to b; ArgSize is filled in.
func (m DMAMap) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, DMAMapSize)
	b = binary.LittleEndian.AppendUint32(b, m.Flags)
	b = binary.LittleEndian.AppendUint64(b, m.Offset)
	b = binary.LittleEndian.AppendUint64(b, m.Address)
	return binary.LittleEndian.AppendUint64(b, m.Size)
}

// ParseDMAMap decodes the payload of a DMA_MAP command.
func ParseDMAMap(b []byte) (DMAMap, error) {
	if len(b) < DMAMapSize {
		return DMAMap{}, short(CommandDMAMap, b, DMAMapSize)
	}
	return DMAMap{
		ArgSize: binary.LittleEndian.Uint32(b),
		Flags:   binary.LittleEndian.Uint32(b[4:]),
		Offset:  binary.LittleEndian.Uint64(b[8:]),
		Address: binary.LittleEndian.Uint64(b[16:]),
		Size:    binary.LittleEndian.Uint64(b[24:]),
	}, nil
}

// DMAUnmap is the payload of a DMA_UNMAP command and of its reply.
type DMAUnmap struct {
	ArgSize, Flags uint32
	Address, Size  uint64
}

// DMAUnmapSize is the size of an encoded DMAUnmap.
const DMAUnmapSize = 24

// Append appends the encoded payload to b; ArgSize is filled in.
func (m DMAUnmap) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, DMAUnmapSize)
	b = binary.LittleEndian.AppendUint32(b, m.Flags)
	b = binary.LittleEndian.AppendUint64(b, m.Address)
	return binary.LittleEndian.AppendUint64(b, m.Size)
}

// ParseDMAUnmap decodes the payload of a DMA_UNMAP message.
func ParseDMAUnmap(b []byte) (DMAUnmap, error) {
	if len(b) < DMAUnmapSize {
		return DMAUnmap{}, short(CommandDMAUnmap, b, DMAUnmapSize)
	}
	return DMAUnmap{
		ArgSize: binary.LittleEndian.Uint32(b),
		Flags:   binary.LittleEndian.Uint32(b[4:]),
		Address: binary.LittleEndian.Uint64(b[8:]),
		Size:    binary.LittleEndian.Uint64(b[16:]),
	}, nil
}

// DMAAccess is the payload of DMA_READ and DMA_WRITE commands and their replies.
// Data is what a write's command and a read's reply carry.
type DMAAccess struct {
	Address, Count uint64
	Data           []byte
}

// DMAAccessSize is the size of an encoded DMAAccess without its data.
const DMAAccessSize = 16

// Append appends the encoded payload, data included, to b.
func (a DMAAccess) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, a.Address)
	b = binary.LittleEndian.AppendUint64(b, a.Count)
	return append(b, a.Data...)
}

// ParseDMAAccess decodes a payload without data: that of a DMA_READ command.
func ParseDMAAccess(b []byte) (DMAAccess, error) {
	if len(b) < DMAAccessSize {
		return DMAAccess{}, &SizeError{Item: "DMA access payload", Size: uint64(len(b)), Min: DMAAccessSize}
	}
	return DMAAccess{
		Address: binary.LittleEndian.Uint64(b),
		Count:   binary.LittleEndian.Uint64(b[8:]),
	}, nil
}

// ParseDMAData decodes a payload with exactly Count bytes of data: that of a
// DMA_WRITE command or a DMA_READ reply. Data is part of b.
func ParseDMAData(b []byte) (DMAAccess, error) {
	a, err := ParseDMAAccess(b)
	if err != nil {
		return a, err
	}
	a.Data = b[DMAAccessSize:]
	if uint64(len(a.Data)) != a.Count {
		return a, &SizeError{Item: "data of DMA access", Size: uint64(len(a.Data)), Min: a.Count, Max: a.Count}
	}
	return a, nil
}

// CheckDMAWriteReply checks the reply to a DMA_WRITE of count bytes at address.
// Peers differ: they answer without a payload, with a count of four bytes as the
// protocol's text has it, or with the eight bytes that all use today.
func CheckDMAWriteReply(b []byte, address, count uint64) error {
	var got uint64
	switch len(b) {
	case 0:
		return nil
	case 12:
		got = uint64(binary.LittleEndian.Uint32(b[8:]))
	case DMAAccessSize:
		got = binary.LittleEndian.Uint64(b[8:])
	default:
		return &SizeError{Item: "reply to DMA_WRITE", Size: uint64(len(b)), Min: 0, Max: DMAAccessSize}
	}
	if a := binary.LittleEndian.Uint64(b); a != address || got != count {
		return violation("reply to DMA_WRITE of %d bytes at %#x is about %d bytes at %#x", count, address, got, a)
	}
	return nil
}

func short(c Command, b []byte, size int) error {
	return &SizeError{Item: c.String() + " payload", Size: uint64(len(b)), Min: uint64(size)}
}
