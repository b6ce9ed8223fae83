// SPDX-License-Identifier: Apache-2.0

package offload

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"github.com/espalier-nic/espalier/driver"
)

// The structures of requests as a 64-bit little-endian host lays them out. All
// begin with NDIS_OBJECT_HEADER: type, revision, size of the structure.
const (
	typeDefault       = 0x80
	typeEncapsulation = 0xA8

	// Offsets common to lists.
	nextAt = 8

	// IPSEC_OFFLOAD_V2_ADD_SA.
	addNumExtHdrsAt = 16
	addFlagsAt      = 20
	addEndpointsAt  = 24
	addHandleAt     = 56
	addUDPESPAt     = 64
	addSecAssocAt   = 68
	addKeyLengthAt  = 164
	addKeyDataAt    = 168
	addSize         = 176 // with KeyData[1] and padding

	// IPSEC_OFFLOAD_V2_ADD_SA_EX.
	exNumExtHdrsAt = 4
	exFlagsAt      = 8
	exEndpointsAt  = 12
	exHandleAt     = 48
	exUDPESPAt     = 56
	exSecAssocAt   = 60
	exKeyLengthAt  = 156
	exKeyOffsetAt  = 160
	exPortAt       = 164
	exVLANAt       = 168
	exEnd          = 170
	exSize         = 176

	// IPSEC_OFFLOAD_V2_SECURITY_ASSOCIATION.
	secAssocSize = 48

	// IPSEC_OFFLOAD_V2_UPDATE_SA.
	updateHandleAt    = 8
	updateOperationAt = 16
	updateSPIAt       = 20
	updateHighAt      = 24
	updateEnd         = 28
	updateSize        = 32

	// IPSEC_OFFLOAD_V2_DELETE_SA.
	deleteHandleAt = 16
	deleteSize     = 24

	// NDIS_OFFLOAD_PARAMETERS.
	parametersFlagsAt   = 16
	parametersIPsecV2At = 20
	parametersEnd1      = 20 // of revision 1, 2 and 3
	parametersEnd2      = 22
	parametersEnd3      = 26
	parametersSize      = 28

	// NDIS_OFFLOAD_ENCAPSULATION.
	encapsulationSize = 28

	// structAlign is the alignment of structures with pointers.
	structAlign = 8
)

var little = binary.LittleEndian

// spiOrder is the byte order of the SPI in binary requests [G].
type spiOrder bool

const spiNetworkOrder spiOrder = true

func (o spiOrder) get(b []byte) uint32 {
	if o == spiNetworkOrder {
		return binary.BigEndian.Uint32(b)
	}
	return little.Uint32(b)
}

// putHeader writes NDIS_OBJECT_HEADER.
func putHeader(b []byte, kind, revision uint8, size int) {
	b[0], b[1] = kind, revision
	little.PutUint16(b[2:], uint16(size))
}

// checkHeader checks the header of a structure that begins b: room and Size
// for at least least bytes.
func checkHeader(b []byte, kind, revision uint8, least int, short Status) error {
	if len(b) < least {
		return refuse(short, "buffer", fmt.Sprintf("%d bytes", len(b)), fmt.Sprintf("at least %d bytes", least))
	}
	switch size := int(little.Uint16(b[2:])); {
	case b[0] != kind:
		return refuse(StatusInvalidData, "Header.Type", fmt.Sprintf("%#x", b[0]), fmt.Sprintf("%#x", kind))
	case b[1] < revision:
		return refuse(StatusInvalidData, "Header.Revision", b[1], fmt.Sprintf("%d or later", revision))
	case size < least:
		return refuse(StatusInvalidLength, "Header.Size", fmt.Sprintf("%d bytes", size), fmt.Sprintf("at least %d bytes", least))
	}
	return nil
}

// walk finds the structures of a list of which the first begins buf, whose
// first byte has the address base. Next fields hold addresses. extent checks
// the structure at the start of its argument and returns its bytes, all
// included. Loops, structures that overlap, and Next fields that are
// misaligned or point outside buf are INVALID_DATA. The positions returned with
// an error are those before it.
func walk(buf []byte, base uint64, extent func([]byte) (int, error)) ([]int, error) {
	type span struct{ start, end int }
	var at []int
	var spans []span
	seen := make(map[int]bool)
	for pos := 0; ; {
		size, err := extent(buf[pos:])
		if err != nil {
			if r, ok := err.(*RefusedError); ok {
				r.Field = fmt.Sprintf("entry %d: %s", len(at), r.Field)
			}
			return at, err
		}
		seen[pos] = true
		at, spans = append(at, pos), append(spans, span{pos, pos + size})
		next := little.Uint64(buf[pos+nextAt:])
		if next == 0 {
			break
		}
		offset := next - base
		field := fmt.Sprintf("entry %d: Next", len(at)-1)
		switch {
		case next < base || offset >= uint64(len(buf)):
			return at, refuse(StatusInvalidData, field, fmt.Sprintf("%#x", next), fmt.Sprintf("%#x to %#x", base, base+uint64(len(buf))-1))
		case next%structAlign != 0:
			return at, refuse(StatusInvalidData, field, fmt.Sprintf("%#x", next), fmt.Sprintf("multiples of %d", structAlign))
		case seen[int(offset)]:
			return at, refuse(StatusInvalidData, field, fmt.Sprintf("%#x", next), "a list without a loop")
		}
		pos = int(offset)
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.start, b.start) })
	for i := 1; i < len(spans); i++ {
		if spans[i].start < spans[i-1].end {
			return at, refuse(StatusInvalidData, "Next", fmt.Sprintf("%#x", base+uint64(spans[i].start)), "structures that do not overlap")
		}
	}
	return at, nil
}

// keyArea checks that length bytes from offset on lie within size bytes.
func keyArea(offset, length uint64, size int) error {
	if offset+length > uint64(size) {
		return refuse(StatusInvalidData, "KeyLength", fmt.Sprintf("%d bytes at offset %d", length, offset), fmt.Sprintf("keys within the structure's %d bytes", size))
	}
	return nil
}

// addExtent is the extent of an ADD_SA structure.
func addExtent(b []byte) (int, error) {
	if err := checkHeader(b, typeDefault, 1, addKeyDataAt, StatusBufferTooShort); err != nil {
		return 0, err
	}
	length := uint64(little.Uint32(b[addKeyLengthAt:]))
	if err := keyArea(addKeyDataAt, length, len(b)); err != nil {
		return 0, err
	}
	return addKeyDataAt + int(length), nil
}

// DecodeAddSA decodes a list of IPSEC_OFFLOAD_V2_ADD_SA structures. buf holds
// the whole request, the first structure first; base is the address of its
// first byte, to which Next fields refer. The keys are copies. What is wrong in
// the structures as such is an error here; whether the SAs are possible is for
// Adapter.AddSA to say.
func DecodeAddSA(buf []byte, base uint64) ([]*AddSA, error) {
	entries, _, err := decodeAddSA(buf, base, false)
	return entries, err
}

func decodeAddSA(buf []byte, base uint64, order spiOrder) ([]*AddSA, []int, error) {
	at, err := walk(buf, base, addExtent)
	if err != nil {
		return nil, at, withOp("decode ADD_SA", err)
	}
	entries := make([]*AddSA, len(at))
	for i, pos := range at {
		b := buf[pos:]
		e := &AddSA{
			NumExtHdrs:    little.Uint32(b[addNumExtHdrsAt:]),
			Flags:         SAFlags(little.Uint32(b[addFlagsAt:])),
			OffloadHandle: OffloadHandle(little.Uint64(b[addHandleAt:])),
			UDPESP:        UDPEncapsulation(little.Uint32(b[addUDPESPAt:])),
			KeyData:       bytes.Clone(b[addKeyDataAt : addKeyDataAt+int(little.Uint32(b[addKeyLengthAt:]))]),
		}
		e.getEndpoints(b[addEndpointsAt:])
		e.getSecAssoc(b[addSecAssocAt:], order)
		entries[i] = e
	}
	return entries, at, nil
}

// DecodeAddSAEx decodes an IPSEC_OFFLOAD_V2_ADD_SA_EX structure; see
// DecodeAddSA. The key must not lie within the structure.
func DecodeAddSAEx(buf []byte) (*AddSAEx, error) { return decodeAddSAEx(buf, false) }

func decodeAddSAEx(buf []byte, order spiOrder) (*AddSAEx, error) {
	const op = "decode ADD_SA_EX"
	if err := checkHeader(buf, typeDefault, 1, exEnd, StatusBufferTooShort); err != nil {
		return nil, withOp(op, err)
	}
	offset, length := little.Uint32(buf[exKeyOffsetAt:]), little.Uint32(buf[exKeyLengthAt:])
	if offset < exEnd {
		return nil, withOp(op, refuse(StatusInvalidData, "KeyOffset", offset, fmt.Sprintf("at least %d, the structure's end", exEnd)))
	}
	if err := keyArea(uint64(offset), uint64(length), len(buf)); err != nil {
		return nil, withOp(op, err)
	}
	e := &AddSAEx{
		AddSA: AddSA{
			NumExtHdrs:    little.Uint32(buf[exNumExtHdrsAt:]),
			Flags:         SAFlags(little.Uint32(buf[exFlagsAt:])),
			OffloadHandle: OffloadHandle(little.Uint64(buf[exHandleAt:])),
			UDPESP:        UDPEncapsulation(little.Uint32(buf[exUDPESPAt:])),
			KeyData:       bytes.Clone(buf[offset : offset+length]),
		},
		KeyOffset:          offset,
		SourceSwitchPortID: little.Uint32(buf[exPortAt:]),
		VLANID:             little.Uint16(buf[exVLANAt:]),
	}
	e.getEndpoints(buf[exEndpointsAt:])
	e.getSecAssoc(buf[exSecAssocAt:], order)
	return e, nil
}

// getEndpoints reads the addresses; the bytes are in network order.
func (e *AddSA) getEndpoints(b []byte) {
	if e.Flags&FlagIPv6 != 0 {
		e.Src, e.Dst = netip.AddrFrom16([16]byte(b[:16])), netip.AddrFrom16([16]byte(b[16:32]))
	} else {
		e.Src, e.Dst = netip.AddrFrom4([4]byte(b[:4])), netip.AddrFrom4([4]byte(b[4:8]))
	}
	for _, a := range []*netip.Addr{&e.Src, &e.Dst} {
		if a.IsUnspecified() {
			*a = netip.Addr{}
		}
	}
}

func (e *AddSA) putEndpoints(b []byte) {
	size := 4
	if e.Flags&FlagIPv6 != 0 {
		size = 16
	}
	for i, a := range []netip.Addr{e.Src, e.Dst} {
		if a.IsValid() {
			copy(b[i*size:(i+1)*size], a.AsSlice())
		}
	}
}

func (e *AddSA) getSecAssoc(b []byte, order spiOrder) {
	for i := range e.SecAssoc {
		r := b[i*secAssocSize:]
		e.SecAssoc[i] = SecurityAssociation{
			Flags:                   little.Uint32(r),
			Operation:               Operation(little.Uint32(r[4:])),
			SPI:                     order.get(r[8:]),
			Authentication:          getAlgorithm(r[12:]),
			Encryption:              getAlgorithm(r[28:]),
			SequenceNumberHighOrder: little.Uint32(r[44:]),
		}
	}
}

func (e *AddSA) putSecAssoc(b []byte) {
	for i, s := range e.SecAssoc {
		r := b[i*secAssocSize:]
		little.PutUint32(r, s.Flags)
		little.PutUint32(r[4:], uint32(s.Operation))
		little.PutUint32(r[8:], s.SPI)
		putAlgorithm(r[12:], s.Authentication)
		putAlgorithm(r[28:], s.Encryption)
		little.PutUint32(r[44:], s.SequenceNumberHighOrder)
	}
}

func getAlgorithm(b []byte) AlgorithmInfo {
	return AlgorithmInfo{little.Uint32(b), little.Uint32(b[4:]), little.Uint32(b[8:]), little.Uint32(b[12:])}
}

func putAlgorithm(b []byte, a AlgorithmInfo) {
	for i, v := range []uint32{a.Identifier, a.KeyLength, a.KeyOffset, a.AdditionalInfo} {
		little.PutUint32(b[4*i:], v)
	}
}

// EncodeAddSA encodes a list of IPSEC_OFFLOAD_V2_ADD_SA structures, one behind
// the other, for a buffer at address base, a multiple of 8.
func EncodeAddSA(base uint64, entries ...*AddSA) []byte {
	var buf []byte
	for i, e := range entries {
		start := len(buf)
		size := roundUp(max(addSize, addKeyDataAt+len(e.KeyData)))
		buf = append(buf, make([]byte, size)...)
		b := buf[start:]
		putHeader(b, typeDefault, 1, addSize)
		if i < len(entries)-1 {
			little.PutUint64(b[nextAt:], base+uint64(start+size))
		}
		little.PutUint32(b[addNumExtHdrsAt:], e.NumExtHdrs)
		little.PutUint32(b[addFlagsAt:], uint32(e.Flags))
		e.putEndpoints(b[addEndpointsAt:])
		little.PutUint64(b[addHandleAt:], uint64(e.OffloadHandle))
		little.PutUint32(b[addUDPESPAt:], uint32(e.UDPESP))
		e.putSecAssoc(b[addSecAssocAt:])
		little.PutUint32(b[addKeyLengthAt:], uint32(len(e.KeyData)))
		copy(b[addKeyDataAt:], e.KeyData)
	}
	return buf
}

// EncodeAddSAEx encodes an IPSEC_OFFLOAD_V2_ADD_SA_EX structure. The key goes to
// e.KeyOffset, or right behind the structure if that is 0.
func EncodeAddSAEx(e *AddSAEx) []byte {
	offset := int(e.KeyOffset)
	if offset == 0 {
		offset = exSize
	}
	b := make([]byte, max(exSize, offset+len(e.KeyData)))
	putHeader(b, typeDefault, 1, exSize)
	little.PutUint32(b[exNumExtHdrsAt:], e.NumExtHdrs)
	little.PutUint32(b[exFlagsAt:], uint32(e.Flags))
	e.putEndpoints(b[exEndpointsAt:])
	little.PutUint64(b[exHandleAt:], uint64(e.OffloadHandle))
	little.PutUint32(b[exUDPESPAt:], uint32(e.UDPESP))
	e.putSecAssoc(b[exSecAssocAt:])
	little.PutUint32(b[exKeyLengthAt:], uint32(len(e.KeyData)))
	little.PutUint32(b[exKeyOffsetAt:], uint32(offset))
	little.PutUint32(b[exPortAt:], e.SourceSwitchPortID)
	little.PutUint16(b[exVLANAt:], e.VLANID)
	copy(b[offset:], e.KeyData)
	return b
}

func roundUp(n int) int { return (n + structAlign - 1) / structAlign * structAlign }

// DecodeUpdateSA decodes an IPSEC_OFFLOAD_V2_UPDATE_SA structure.
func DecodeUpdateSA(buf []byte) (UpdateSA, error) { return decodeUpdateSA(buf, false) }

func decodeUpdateSA(buf []byte, order spiOrder) (UpdateSA, error) {
	if err := checkHeader(buf, typeDefault, 1, updateEnd, StatusBufferTooShort); err != nil {
		return UpdateSA{}, withOp("decode UPDATE_SA", err)
	}
	return UpdateSA{
		OffloadHandle:           OffloadHandle(little.Uint64(buf[updateHandleAt:])),
		Operation:               Operation(little.Uint32(buf[updateOperationAt:])),
		SPI:                     order.get(buf[updateSPIAt:]),
		SequenceNumberHighOrder: little.Uint32(buf[updateHighAt:]),
	}, nil
}

// EncodeUpdateSA encodes an IPSEC_OFFLOAD_V2_UPDATE_SA structure.
func EncodeUpdateSA(u UpdateSA) []byte {
	b := make([]byte, updateSize)
	putHeader(b, typeDefault, 1, updateSize)
	little.PutUint64(b[updateHandleAt:], uint64(u.OffloadHandle))
	little.PutUint32(b[updateOperationAt:], uint32(u.Operation))
	little.PutUint32(b[updateSPIAt:], u.SPI)
	little.PutUint32(b[updateHighAt:], u.SequenceNumberHighOrder)
	return b
}

// DecodeDeleteSA decodes a list of IPSEC_OFFLOAD_V2_DELETE_SA structures; see
// DecodeAddSA.
func DecodeDeleteSA(buf []byte, base uint64) ([]OffloadHandle, error) {
	at, err := walk(buf, base, func(b []byte) (int, error) {
		return deleteSize, checkHeader(b, typeDefault, 1, deleteSize, StatusBufferTooShort)
	})
	if err != nil {
		return nil, withOp("decode DELETE_SA", err)
	}
	handles := make([]OffloadHandle, len(at))
	for i, pos := range at {
		handles[i] = OffloadHandle(little.Uint64(buf[pos+deleteHandleAt:]))
	}
	return handles, nil
}

// EncodeDeleteSA encodes a list of IPSEC_OFFLOAD_V2_DELETE_SA structures for a
// buffer at address base, a multiple of 8.
func EncodeDeleteSA(base uint64, handles ...OffloadHandle) []byte {
	buf := make([]byte, deleteSize*len(handles))
	for i, h := range handles {
		b := buf[i*deleteSize:]
		putHeader(b, typeDefault, 1, deleteSize)
		if i < len(handles)-1 {
			little.PutUint64(b[nextAt:], base+uint64((i+1)*deleteSize))
		}
		little.PutUint64(b[deleteHandleAt:], uint64(h))
	}
	return buf
}

// bytesFrom4 are the 1-byte fields of NDIS_OFFLOAD_PARAMETERS from offset 4 on,
// and bytesFrom20 those behind Flags.
func (p *Parameters) bytesFrom4() [11]*uint8 {
	return [11]*uint8{
		&p.IPv4Checksum, &p.TCPIPv4Checksum, &p.UDPIPv4Checksum, &p.TCPIPv6Checksum, &p.UDPIPv6Checksum,
		&p.LSOV1, &p.IPsecV1, &p.LSOV2IPv4, &p.LSOV2IPv6, &p.TCPConnectionIPv4, &p.TCPConnectionIPv6,
	}
}

func (p *Parameters) bytesFrom20() [6]*uint8 {
	return [6]*uint8{&p.IPsecV2, &p.IPsecV2IPv4, &p.RSCIPv4, &p.RSCIPv6, &p.EncapsulatedPacketTaskOffload, &p.EncapsulationTypes}
}

// DecodeParameters decodes NDIS_OFFLOAD_PARAMETERS of revision 1, 2, 3 or later;
// fields that a revision does not have are 0 (no change).
func DecodeParameters(buf []byte) (Parameters, error) {
	const op = "decode OFFLOAD_PARAMETERS"
	var p Parameters
	if err := checkHeader(buf, typeDefault, 1, parametersEnd1, StatusInvalidLength); err != nil {
		return p, withOp(op, err)
	}
	end := parametersEnd1
	switch buf[1] {
	case 1:
	case 2:
		end = parametersEnd2
	default:
		end = parametersEnd3
	}
	if err := checkHeader(buf, typeDefault, 1, end, StatusInvalidLength); err != nil {
		return p, withOp(op, err)
	}
	for i, field := range p.bytesFrom4() {
		*field = buf[4+i]
	}
	p.Flags = little.Uint32(buf[parametersFlagsAt:])
	for i, field := range p.bytesFrom20() {
		if parametersIPsecV2At+i < end {
			*field = buf[parametersIPsecV2At+i]
		}
	}
	return p, nil
}

// EncodeParameters encodes NDIS_OFFLOAD_PARAMETERS of revision 3.
func EncodeParameters(p Parameters) []byte {
	b := make([]byte, parametersSize)
	putHeader(b, typeDefault, 3, parametersEnd3)
	for i, field := range p.bytesFrom4() {
		b[4+i] = *field
	}
	little.PutUint32(b[parametersFlagsAt:], p.Flags)
	for i, field := range p.bytesFrom20() {
		b[parametersIPsecV2At+i] = *field
	}
	return b
}

// DecodeEncapsulation decodes NDIS_OFFLOAD_ENCAPSULATION.
func DecodeEncapsulation(buf []byte) (EncapsulationSetting, error) {
	var s EncapsulationSetting
	if err := checkHeader(buf, typeEncapsulation, 1, encapsulationSize, StatusInvalidLength); err != nil {
		return s, withOp("decode OFFLOAD_ENCAPSULATION", err)
	}
	for i, p := range []*EncapsulationParameters{&s.IPv4, &s.IPv6} {
		b := buf[4+12*i:]
		*p = EncapsulationParameters{little.Uint32(b), Encapsulation(little.Uint32(b[4:])), little.Uint32(b[8:])}
	}
	return s, nil
}

// EncodeEncapsulation encodes NDIS_OFFLOAD_ENCAPSULATION.
func EncodeEncapsulation(s EncapsulationSetting) []byte {
	b := make([]byte, encapsulationSize)
	putHeader(b, typeEncapsulation, 1, encapsulationSize)
	for i, p := range []EncapsulationParameters{s.IPv4, s.IPv6} {
		little.PutUint32(b[4+12*i:], p.Enabled)
		little.PutUint32(b[8+12*i:], uint32(p.Type))
		little.PutUint32(b[12+12*i:], p.HeaderSize)
	}
	return b
}

// zeroKeys clears the copies of keys that decoding has made.
func zeroKeys(entries ...*AddSA) {
	for _, e := range entries {
		driver.Key(e.KeyData).Zero()
	}
}
