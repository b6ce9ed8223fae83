// SPDX-License-Identifier: Apache-2.0

// Code generated from regs/espalier.rdl by make regs. DO NOT EDIT.

package regs

import (
	"encoding/binary"
)

// TxDescriptorSize is the number of bytes of a TxDescriptor.
const TxDescriptorSize = 16

// TxDescriptor: One frame to send. 16 bytes, little-endian, in the TX ring.
type TxDescriptor struct {
	// Addr, bits 63:0: IOVA of the frame's first byte; any alignment.
	Addr uint64
	// Length, bits 79:64: Frame length in bytes, Ethernet header to last byte, no FCS; for IPSEC it
	// includes the IV and ICV room.
	Length uint16
	// ESPOffset, bits 90:80: Byte offset of the ESP header (its SPI) from the frame's first byte; with
	// IPSEC only.
	ESPOffset uint16
	// IPsec, bit 91: 1: encrypt and authenticate with the SA named by HANDLE.
	IPsec bool
	// Report, bit 92: 1: write a completion for this descriptor even when it succeeds.
	Report bool
	// ESNLSB, bit 93: Least significant bit of the sequence number's upper half as of submission; ESN
	// SAs only. Where it differs from the SA's ESN_HI the NIC uses ESN_HI - 1, so that an UPDATE does
	// not touch frames queued before it.
	ESNLSB bool
	// Handle, bits 127:96: SA handle: slot index in bits 15:0, generation in bits 31:16.
	Handle uint32
}

// Words returns the record as two words, bits 63:0 and 127:64. Bits of a value above its
// field's width are dropped.
func (r TxDescriptor) Words() (lo, hi uint64) {
	lo |= r.Addr
	hi |= uint64(r.Length)
	hi |= (uint64(r.ESPOffset) & 0x7ff) << 16
	if r.IPsec {
		hi |= 1 << 27
	}
	if r.Report {
		hi |= 1 << 28
	}
	if r.ESNLSB {
		hi |= 1 << 29
	}
	hi |= uint64(r.Handle) << 32
	return lo, hi
}

// TxDescriptorFromWords is the inverse of TxDescriptor.Words; bits that belong to no field are ignored.
func TxDescriptorFromWords(lo, hi uint64) TxDescriptor {
	return TxDescriptor{
		Addr:      lo,
		Length:    uint16(hi),
		ESPOffset: uint16(hi >> 16 & 0x7ff),
		IPsec:     hi>>27&1 != 0,
		Report:    hi>>28&1 != 0,
		ESNLSB:    hi>>29&1 != 0,
		Handle:    uint32(hi >> 32),
	}
}

// Pack writes the record, little-endian, to b[:16]; a shorter b panics, as in encoding/binary.
func (r TxDescriptor) Pack(b []byte) {
	_ = b[15]
	lo, hi := r.Words()
	binary.LittleEndian.PutUint64(b, lo)
	binary.LittleEndian.PutUint64(b[8:], hi)
}

// Unpack reads the record from b[:16]; a shorter b panics, as in encoding/binary.
func (r *TxDescriptor) Unpack(b []byte) {
	_ = b[15]
	*r = TxDescriptorFromWords(binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:]))
}

// TxDescriptorView reads and writes single fields of a TxDescriptor in place. It is at least 16 bytes long; a
// shorter one panics on access.
type TxDescriptorView []byte

// Addr returns TxDescriptor.Addr.
func (b TxDescriptorView) Addr() uint64 { return binary.LittleEndian.Uint64(b[0:]) }

// SetAddr sets TxDescriptor.Addr.
func (b TxDescriptorView) SetAddr(v uint64) {
	binary.LittleEndian.PutUint64(b[0:], v)
}

// Length returns TxDescriptor.Length.
func (b TxDescriptorView) Length() uint16 { return binary.LittleEndian.Uint16(b[8:]) }

// SetLength sets TxDescriptor.Length.
func (b TxDescriptorView) SetLength(v uint16) {
	binary.LittleEndian.PutUint16(b[8:], v)
}

// ESPOffset returns TxDescriptor.ESPOffset.
func (b TxDescriptorView) ESPOffset() uint16 { return binary.LittleEndian.Uint16(b[10:]) & 0x7ff }

// SetESPOffset sets TxDescriptor.ESPOffset.
func (b TxDescriptorView) SetESPOffset(v uint16) {
	binary.LittleEndian.PutUint16(b[10:], binary.LittleEndian.Uint16(b[10:])&^0x7ff|v&0x7ff)
}

// IPsec returns TxDescriptor.IPsec.
func (b TxDescriptorView) IPsec() bool { return b[11]&0x8 != 0 }

// SetIPsec sets TxDescriptor.IPsec.
func (b TxDescriptorView) SetIPsec(v bool) {
	if v {
		b[11] |= 0x8
	} else {
		b[11] &^= 0x8
	}
}

// Report returns TxDescriptor.Report.
func (b TxDescriptorView) Report() bool { return b[11]&0x10 != 0 }

// SetReport sets TxDescriptor.Report.
func (b TxDescriptorView) SetReport(v bool) {
	if v {
		b[11] |= 0x10
	} else {
		b[11] &^= 0x10
	}
}

// ESNLSB returns TxDescriptor.ESNLSB.
func (b TxDescriptorView) ESNLSB() bool { return b[11]&0x20 != 0 }

// SetESNLSB sets TxDescriptor.ESNLSB.
func (b TxDescriptorView) SetESNLSB(v bool) {
	if v {
		b[11] |= 0x20
	} else {
		b[11] &^= 0x20
	}
}

// Handle returns TxDescriptor.Handle.
func (b TxDescriptorView) Handle() uint32 { return binary.LittleEndian.Uint32(b[12:]) }

// SetHandle sets TxDescriptor.Handle.
func (b TxDescriptorView) SetHandle(v uint32) {
	binary.LittleEndian.PutUint32(b[12:], v)
}

// RxDescriptorSize is the number of bytes of a RxDescriptor.
const RxDescriptorSize = 16

// RxDescriptor: One empty receive buffer. 16 bytes, little-endian, in the RX ring.
type RxDescriptor struct {
	// Addr, bits 63:0: IOVA of the buffer; any alignment, 64 is fastest.
	Addr uint64
	// Length, bits 79:64: Buffer length in bytes.
	Length uint16
}

// Words returns the record as two words, bits 63:0 and 127:64. Bits of a value above its
// field's width are dropped.
func (r RxDescriptor) Words() (lo, hi uint64) {
	lo |= r.Addr
	hi |= uint64(r.Length)
	return lo, hi
}

// RxDescriptorFromWords is the inverse of RxDescriptor.Words; bits that belong to no field are ignored.
func RxDescriptorFromWords(lo, hi uint64) RxDescriptor {
	return RxDescriptor{
		Addr:   lo,
		Length: uint16(hi),
	}
}

// Pack writes the record, little-endian, to b[:16]; a shorter b panics, as in encoding/binary.
func (r RxDescriptor) Pack(b []byte) {
	_ = b[15]
	lo, hi := r.Words()
	binary.LittleEndian.PutUint64(b, lo)
	binary.LittleEndian.PutUint64(b[8:], hi)
}

// Unpack reads the record from b[:16]; a shorter b panics, as in encoding/binary.
func (r *RxDescriptor) Unpack(b []byte) {
	_ = b[15]
	*r = RxDescriptorFromWords(binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:]))
}

// RxDescriptorView reads and writes single fields of a RxDescriptor in place. It is at least 16 bytes long; a
// shorter one panics on access.
type RxDescriptorView []byte

// Addr returns RxDescriptor.Addr.
func (b RxDescriptorView) Addr() uint64 { return binary.LittleEndian.Uint64(b[0:]) }

// SetAddr sets RxDescriptor.Addr.
func (b RxDescriptorView) SetAddr(v uint64) {
	binary.LittleEndian.PutUint64(b[0:], v)
}

// Length returns RxDescriptor.Length.
func (b RxDescriptorView) Length() uint16 { return binary.LittleEndian.Uint16(b[8:]) }

// SetLength sets RxDescriptor.Length.
func (b RxDescriptorView) SetLength(v uint16) {
	binary.LittleEndian.PutUint16(b[8:], v)
}

// CompletionSize is the number of bytes of a Completion.
const CompletionSize = 16

// Completion: What became of one descriptor. 16 bytes, little-endian, in the completion ring.
// Words 2 and 3 hold the IPsecOV2 receive words of slots 1 and 12.
type Completion struct {
	// Length, bits 15:0: RX: frame length in bytes. TX: the descriptor's length.
	Length uint16
	// Index, bits 31:16: Ring index of the descriptor. TX: all earlier ones are complete too.
	Index uint16
	// Handle, bits 63:32: RX: handle of the SA that matched, 0 if none. TX: the descriptor's handle if
	// IPSEC was asked for, else 0.
	Handle uint32
	// SADeleteReq, bit 64: The driver would like this SA deleted; always 0 from the NIC.
	SADeleteReq bool
	// CryptoDone, bit 65: RX: an IPsec payload was checked.
	CryptoDone bool
	// NextCryptoDone, bit 66: RX: tunnel and transport payloads were both checked.
	NextCryptoDone bool
	// CryptoStatus, bits 95:80: RX: outcome of the check.
	CryptoStatus CryptoStatus
	// NextHeader, bits 103:96: RX: Next Header of the ESP trailer, valid with HEADER_INFO_SET.
	NextHeader uint8
	// PadLength, bits 111:104: RX: Pad Length of the ESP trailer, valid with HEADER_INFO_SET.
	PadLength uint8
	// HeaderInfoSet, bit 112: RX: ESP was decrypted with SUCCESS.
	HeaderInfoSet bool
	// Status, bits 126:120: Outcome for the descriptor.
	Status CompletionStatus
	// Phase, bit 127: Phase: 1 on the first lap of the ring after ENABLE, inverted each lap.
	Phase bool
}

// Words returns the record as two words, bits 63:0 and 127:64. Bits of a value above its
// field's width are dropped.
func (r Completion) Words() (lo, hi uint64) {
	lo |= uint64(r.Length)
	lo |= uint64(r.Index) << 16
	lo |= uint64(r.Handle) << 32
	if r.SADeleteReq {
		hi |= 1 << 0
	}
	if r.CryptoDone {
		hi |= 1 << 1
	}
	if r.NextCryptoDone {
		hi |= 1 << 2
	}
	hi |= (uint64(r.CryptoStatus) & 0xffff) << 16
	hi |= uint64(r.NextHeader) << 32
	hi |= uint64(r.PadLength) << 40
	if r.HeaderInfoSet {
		hi |= 1 << 48
	}
	hi |= (uint64(r.Status) & 0x7f) << 56
	if r.Phase {
		hi |= 1 << 63
	}
	return lo, hi
}

// CompletionFromWords is the inverse of Completion.Words; bits that belong to no field are ignored.
func CompletionFromWords(lo, hi uint64) Completion {
	return Completion{
		Length:         uint16(lo),
		Index:          uint16(lo >> 16),
		Handle:         uint32(lo >> 32),
		SADeleteReq:    hi>>0&1 != 0,
		CryptoDone:     hi>>1&1 != 0,
		NextCryptoDone: hi>>2&1 != 0,
		CryptoStatus:   CryptoStatus(hi >> 16),
		NextHeader:     uint8(hi >> 32),
		PadLength:      uint8(hi >> 40),
		HeaderInfoSet:  hi>>48&1 != 0,
		Status:         CompletionStatus(hi >> 56 & 0x7f),
		Phase:          hi>>63&1 != 0,
	}
}

// Pack writes the record, little-endian, to b[:16]; a shorter b panics, as in encoding/binary.
func (r Completion) Pack(b []byte) {
	_ = b[15]
	lo, hi := r.Words()
	binary.LittleEndian.PutUint64(b, lo)
	binary.LittleEndian.PutUint64(b[8:], hi)
}

// Unpack reads the record from b[:16]; a shorter b panics, as in encoding/binary.
func (r *Completion) Unpack(b []byte) {
	_ = b[15]
	*r = CompletionFromWords(binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:]))
}

// CompletionView reads and writes single fields of a Completion in place. It is at least 16 bytes long; a
// shorter one panics on access.
type CompletionView []byte

// Length returns Completion.Length.
func (b CompletionView) Length() uint16 { return binary.LittleEndian.Uint16(b[0:]) }

// SetLength sets Completion.Length.
func (b CompletionView) SetLength(v uint16) {
	binary.LittleEndian.PutUint16(b[0:], v)
}

// Index returns Completion.Index.
func (b CompletionView) Index() uint16 { return binary.LittleEndian.Uint16(b[2:]) }

// SetIndex sets Completion.Index.
func (b CompletionView) SetIndex(v uint16) {
	binary.LittleEndian.PutUint16(b[2:], v)
}

// Handle returns Completion.Handle.
func (b CompletionView) Handle() uint32 { return binary.LittleEndian.Uint32(b[4:]) }

// SetHandle sets Completion.Handle.
func (b CompletionView) SetHandle(v uint32) {
	binary.LittleEndian.PutUint32(b[4:], v)
}

// SADeleteReq returns Completion.SADeleteReq.
func (b CompletionView) SADeleteReq() bool { return b[8]&0x1 != 0 }

// SetSADeleteReq sets Completion.SADeleteReq.
func (b CompletionView) SetSADeleteReq(v bool) {
	if v {
		b[8] |= 0x1
	} else {
		b[8] &^= 0x1
	}
}

// CryptoDone returns Completion.CryptoDone.
func (b CompletionView) CryptoDone() bool { return b[8]&0x2 != 0 }

// SetCryptoDone sets Completion.CryptoDone.
func (b CompletionView) SetCryptoDone(v bool) {
	if v {
		b[8] |= 0x2
	} else {
		b[8] &^= 0x2
	}
}

// NextCryptoDone returns Completion.NextCryptoDone.
func (b CompletionView) NextCryptoDone() bool { return b[8]&0x4 != 0 }

// SetNextCryptoDone sets Completion.NextCryptoDone.
func (b CompletionView) SetNextCryptoDone(v bool) {
	if v {
		b[8] |= 0x4
	} else {
		b[8] &^= 0x4
	}
}

// CryptoStatus returns Completion.CryptoStatus.
func (b CompletionView) CryptoStatus() CryptoStatus {
	return CryptoStatus(binary.LittleEndian.Uint16(b[10:]))
}

// SetCryptoStatus sets Completion.CryptoStatus.
func (b CompletionView) SetCryptoStatus(v CryptoStatus) {
	binary.LittleEndian.PutUint16(b[10:], uint16(v))
}

// NextHeader returns Completion.NextHeader.
func (b CompletionView) NextHeader() uint8 { return b[12] }

// SetNextHeader sets Completion.NextHeader.
func (b CompletionView) SetNextHeader(v uint8) { b[12] = v }

// PadLength returns Completion.PadLength.
func (b CompletionView) PadLength() uint8 { return b[13] }

// SetPadLength sets Completion.PadLength.
func (b CompletionView) SetPadLength(v uint8) { b[13] = v }

// HeaderInfoSet returns Completion.HeaderInfoSet.
func (b CompletionView) HeaderInfoSet() bool { return b[14]&0x1 != 0 }

// SetHeaderInfoSet sets Completion.HeaderInfoSet.
func (b CompletionView) SetHeaderInfoSet(v bool) {
	if v {
		b[14] |= 0x1
	} else {
		b[14] &^= 0x1
	}
}

// Status returns Completion.Status.
func (b CompletionView) Status() CompletionStatus { return CompletionStatus(b[15] & 0x7f) }

// SetStatus sets Completion.Status.
func (b CompletionView) SetStatus(v CompletionStatus) { b[15] = b[15]&^0x7f | uint8(v)&0x7f }

// Phase returns Completion.Phase.
func (b CompletionView) Phase() bool { return b[15]&0x80 != 0 }

// SetPhase sets Completion.Phase.
func (b CompletionView) SetPhase(v bool) {
	if v {
		b[15] |= 0x80
	} else {
		b[15] &^= 0x80
	}
}

// SARecordWords is the number of 32-bit words of a SARecord.
const SARecordWords = 20

// SARecordOffset is the byte offset in BAR 0 of the window's first word of a SARecord; the words follow one another.
const SARecordOffset = SASPIOffset

// Indices of the first word of each part of a SARecord.
const (
	SARecordSPIWord   = 0
	SARecordFlagsWord = 1
	SARecordESNHiWord = 2
	SARecordSaltWord  = 3
	SARecordDstWord   = 4
	SARecordSrcWord   = 8
	SARecordKeyWord   = 12
)

// SARecord: One security association as the host writes it into the SA window.
type SARecord struct {
	// SPI: SPI; 0 is refused.
	SPI uint32
	// Flags: What kind of SA this is.
	Flags SAFlags
	// ESNHi: Upper half of the 64-bit sequence number; used with ESN.
	ESNHi uint32
	// Salt: Salt of RFC 4106, first byte most significant.
	Salt uint32
	// Dst: Destination address; an IPv4 address is word 0, the others 0. All zero: any destination.
	Dst [4]uint32
	// Src: Source address; all zero: any source.
	Src [4]uint32
	// Key: AES key, first byte most significant in word 0; unused words are ignored.
	Key [8]uint32
}

// Words returns the record as the words of the window, in order.
func (r *SARecord) Words() (w [SARecordWords]uint32) {
	w[SARecordSPIWord] = r.SPI
	w[SARecordFlagsWord] = uint32(r.Flags)
	w[SARecordESNHiWord] = r.ESNHi
	w[SARecordSaltWord] = r.Salt
	copy(w[SARecordDstWord:], r.Dst[:])
	copy(w[SARecordSrcWord:], r.Src[:])
	copy(w[SARecordKeyWord:], r.Key[:])
	return w
}

// SetWords is the inverse of Words.
func (r *SARecord) SetWords(w *[SARecordWords]uint32) {
	r.SPI = w[SARecordSPIWord]
	r.Flags = SAFlags(w[SARecordFlagsWord])
	r.ESNHi = w[SARecordESNHiWord]
	r.Salt = w[SARecordSaltWord]
	copy(r.Dst[:], w[SARecordDstWord:])
	copy(r.Src[:], w[SARecordSrcWord:])
	copy(r.Key[:], w[SARecordKeyWord:])
}

// MailboxCommandWords is the number of 32-bit words of a MailboxCommand.
const MailboxCommandWords = 32

// MailboxCommandOffset is the byte offset in BAR 0 of the window's first word of a MailboxCommand; the words follow one another.
const MailboxCommandOffset = MboxCommandHeaderOffset

// Indices of the first word of each part of a MailboxCommand.
const (
	MailboxCommandHeaderWord   = 0
	MailboxCommandHandleWord   = 1
	MailboxCommandReservedWord = 2
	MailboxCommandSPIWord      = 4
	MailboxCommandFlagsWord    = 5
	MailboxCommandESNHiWord    = 6
	MailboxCommandSaltWord     = 7
	MailboxCommandDstWord      = 8
	MailboxCommandSrcWord      = 12
	MailboxCommandKeyWord      = 16
	MailboxCommandUnusedWord   = 24
)

// MailboxCommand: One command to the control processor, in a slot of the command page.
type MailboxCommand struct {
	// Header: What to do.
	Header MboxCommandHeader
	// Handle: SA handle, as in SA_HANDLE.
	Handle uint32
	// Reserved: 0.
	Reserved [2]uint32
	// SPI: The words from here to KEY are those of the SA window.
	SPI uint32
	// Flags: As SA.FLAGS.
	Flags uint32
	// ESNHi: As SA.ESN_HI.
	ESNHi uint32
	// Salt: As SA.SALT.
	Salt uint32
	// Dst: As SA.DST.
	Dst [4]uint32
	// Src: As SA.SRC.
	Src [4]uint32
	// Key: As SA.KEY.
	Key [8]uint32
	// Unused: 0.
	Unused [8]uint32
}

// Words returns the record as the words of the window, in order.
func (r *MailboxCommand) Words() (w [MailboxCommandWords]uint32) {
	w[MailboxCommandHeaderWord] = uint32(r.Header)
	w[MailboxCommandHandleWord] = r.Handle
	copy(w[MailboxCommandReservedWord:], r.Reserved[:])
	w[MailboxCommandSPIWord] = r.SPI
	w[MailboxCommandFlagsWord] = r.Flags
	w[MailboxCommandESNHiWord] = r.ESNHi
	w[MailboxCommandSaltWord] = r.Salt
	copy(w[MailboxCommandDstWord:], r.Dst[:])
	copy(w[MailboxCommandSrcWord:], r.Src[:])
	copy(w[MailboxCommandKeyWord:], r.Key[:])
	copy(w[MailboxCommandUnusedWord:], r.Unused[:])
	return w
}

// SetWords is the inverse of Words.
func (r *MailboxCommand) SetWords(w *[MailboxCommandWords]uint32) {
	r.Header = MboxCommandHeader(w[MailboxCommandHeaderWord])
	r.Handle = w[MailboxCommandHandleWord]
	copy(r.Reserved[:], w[MailboxCommandReservedWord:])
	r.SPI = w[MailboxCommandSPIWord]
	r.Flags = w[MailboxCommandFlagsWord]
	r.ESNHi = w[MailboxCommandESNHiWord]
	r.Salt = w[MailboxCommandSaltWord]
	copy(r.Dst[:], w[MailboxCommandDstWord:])
	copy(r.Src[:], w[MailboxCommandSrcWord:])
	copy(r.Key[:], w[MailboxCommandKeyWord:])
	copy(r.Unused[:], w[MailboxCommandUnusedWord:])
}

// MailboxResponseWords is the number of 32-bit words of a MailboxResponse.
const MailboxResponseWords = 32

// MailboxResponseOffset is the byte offset in BAR 0 of the window's first word of a MailboxResponse; the words follow one another.
const MailboxResponseOffset = MboxResponseHeaderOffset

// Indices of the first word of each part of a MailboxResponse.
const (
	MailboxResponseHeaderWord   = 0
	MailboxResponseHandleWord   = 1
	MailboxResponseDetailWord   = 2
	MailboxResponseCyclesWord   = 3
	MailboxResponseSPIWord      = 4
	MailboxResponseFlagsWord    = 5
	MailboxResponseESNHiWord    = 6
	MailboxResponseReservedWord = 7
	MailboxResponseDstWord      = 8
	MailboxResponseSrcWord      = 12
	MailboxResponseCountersWord = 16
	MailboxResponseUnusedWord   = 24
)

// MailboxResponse: The answer to one command, in the slot of the same number of the response page.
type MailboxResponse struct {
	// Header: How it ended.
	Header MboxResponseHeader
	// Handle: Handle of the SA that was added, restored or read, else the command's.
	Handle uint32
	// Detail: About a refusal.
	Detail MboxResponseDetail
	// Cycles: Clock cycles from taking the command to this answer.
	Cycles uint32
	// SPI: From here on only for READ_SA and NEXT_SA: as SA.SPI.
	SPI uint32
	// Flags: As SA.FLAGS.
	Flags uint32
	// ESNHi: As SA.ESN_HI.
	ESNHi uint32
	// Reserved: 0.
	Reserved uint32
	// Dst: As SA.DST.
	Dst [4]uint32
	// Src: As SA.SRC.
	Src [4]uint32
	// Counters: As SA_COUNTERS.
	Counters [8]uint32
	// Unused: 0.
	Unused [8]uint32
}

// Words returns the record as the words of the window, in order.
func (r *MailboxResponse) Words() (w [MailboxResponseWords]uint32) {
	w[MailboxResponseHeaderWord] = uint32(r.Header)
	w[MailboxResponseHandleWord] = r.Handle
	w[MailboxResponseDetailWord] = uint32(r.Detail)
	w[MailboxResponseCyclesWord] = r.Cycles
	w[MailboxResponseSPIWord] = r.SPI
	w[MailboxResponseFlagsWord] = r.Flags
	w[MailboxResponseESNHiWord] = r.ESNHi
	w[MailboxResponseReservedWord] = r.Reserved
	copy(w[MailboxResponseDstWord:], r.Dst[:])
	copy(w[MailboxResponseSrcWord:], r.Src[:])
	copy(w[MailboxResponseCountersWord:], r.Counters[:])
	copy(w[MailboxResponseUnusedWord:], r.Unused[:])
	return w
}

// SetWords is the inverse of Words.
func (r *MailboxResponse) SetWords(w *[MailboxResponseWords]uint32) {
	r.Header = MboxResponseHeader(w[MailboxResponseHeaderWord])
	r.Handle = w[MailboxResponseHandleWord]
	r.Detail = MboxResponseDetail(w[MailboxResponseDetailWord])
	r.Cycles = w[MailboxResponseCyclesWord]
	r.SPI = w[MailboxResponseSPIWord]
	r.Flags = w[MailboxResponseFlagsWord]
	r.ESNHi = w[MailboxResponseESNHiWord]
	r.Reserved = w[MailboxResponseReservedWord]
	copy(r.Dst[:], w[MailboxResponseDstWord:])
	copy(r.Src[:], w[MailboxResponseSrcWord:])
	copy(r.Counters[:], w[MailboxResponseCountersWord:])
	copy(r.Unused[:], w[MailboxResponseUnusedWord:])
}
