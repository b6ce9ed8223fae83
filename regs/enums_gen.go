// SPDX-License-Identifier: Apache-2.0

// Code generated from regs/espalier.rdl by make regs. DO NOT EDIT.

package regs

// SAOp is the encoding of sa_cmd.op.
type SAOp uint8

// Values of SAOp.
const (
	// SAOpNOP: No operation; completes at once with OK.
	SAOpNOP SAOp = 0
	// SAOpAdd: Install the record in the window into slot HANDLE.INDEX; expands the key and the powers
	// of H; writes the new generation to HANDLE.
	SAOpAdd SAOp = 1
	// SAOpUpdate: Set ESN_HI of the SA named by HANDLE (index and generation) from the window.
	SAOpUpdate SAOp = 2
	// SAOpDelete: Stop using the SA named by HANDLE, wait for its packets to leave the pipelines,
	// zeroise the slot.
	SAOpDelete SAOp = 3
	// SAOpRead: Copy slot HANDLE.INDEX into the window, keys and salt excepted (they read as zero);
	// writes the generation to HANDLE.
	SAOpRead SAOp = 4
)

// String returns the name that regs/espalier.rdl gives the value, or a form like SAOp(99).
func (v SAOp) String() string {
	switch v {
	case SAOpNOP:
		return "NOP"
	case SAOpAdd:
		return "ADD"
	case SAOpUpdate:
		return "UPDATE"
	case SAOpDelete:
		return "DELETE"
	case SAOpRead:
		return "READ"
	}
	return unknown("SAOp", uint64(v))
}

// SAResult is the encoding of sa_status.result.
type SAResult uint8

// Values of SAResult.
const (
	// SAResultOK: Done.
	SAResultOK SAResult = 0
	// SAResultBadOp: Unknown operation.
	SAResultBadOp SAResult = 1
	// SAResultBadIndex: HANDLE.INDEX is not below SA_CAPACITY.
	SAResultBadIndex SAResult = 2
	// SAResultSlotInUse: ADD on a slot that holds an SA.
	SAResultSlotInUse SAResult = 3
	// SAResultStaleHandle: The slot is empty or its generation differs.
	SAResultStaleHandle SAResult = 4
	// SAResultDuplicate: ADD of an inbound SA whose SPI, destination and IP version are already
	// present.
	SAResultDuplicate SAResult = 5
	// SAResultLookupFull: ADD of an inbound SA for which every way of both hash buckets is taken.
	SAResultLookupFull SAResult = 6
	// SAResultBadRecord: The record asks for something CAP_* does not state, or SPI is 0.
	SAResultBadRecord SAResult = 7
	// SAResultEmptySlot: READ of a slot that holds no SA.
	SAResultEmptySlot SAResult = 8
)

// String returns the name that regs/espalier.rdl gives the value, or a form like SAResult(99).
func (v SAResult) String() string {
	switch v {
	case SAResultOK:
		return "OK"
	case SAResultBadOp:
		return "BAD_OP"
	case SAResultBadIndex:
		return "BAD_INDEX"
	case SAResultSlotInUse:
		return "SLOT_IN_USE"
	case SAResultStaleHandle:
		return "STALE_HANDLE"
	case SAResultDuplicate:
		return "DUPLICATE"
	case SAResultLookupFull:
		return "LOOKUP_FULL"
	case SAResultBadRecord:
		return "BAD_RECORD"
	case SAResultEmptySlot:
		return "EMPTY_SLOT"
	}
	return unknown("SAResult", uint64(v))
}

// KeyLen is the encoding of sa.flags.keylen and sa_record flags.keylen.
type KeyLen uint8

// Values of KeyLen.
const (
	// KeyLenAES128: AES-GCM with a 16-byte key.
	KeyLenAES128 KeyLen = 0
	// KeyLenAES192: AES-GCM with a 24-byte key.
	KeyLenAES192 KeyLen = 1
	// KeyLenAES256: AES-GCM with a 32-byte key.
	KeyLenAES256 KeyLen = 2
)

// String returns the name that regs/espalier.rdl gives the value, or a form like KeyLen(99).
func (v KeyLen) String() string {
	switch v {
	case KeyLenAES128:
		return "AES128"
	case KeyLenAES192:
		return "AES192"
	case KeyLenAES256:
		return "AES256"
	}
	return unknown("KeyLen", uint64(v))
}

// QueueError is the encoding of queue status.error_code.
type QueueError uint8

// Values of QueueError.
const (
	// QueueErrorNone: No error.
	QueueErrorNone QueueError = 0
	// QueueErrorDescRead: Fetching descriptors failed on the bus.
	QueueErrorDescRead QueueError = 1
	// QueueErrorCplWrite: Writing completions failed on the bus.
	QueueErrorCplWrite QueueError = 2
	// QueueErrorBadTail: TAIL was written with a value not below the ring size.
	QueueErrorBadTail QueueError = 3
	// QueueErrorBadConfig: ENABLE was set with a RING_LOG2 outside CAP_RING, or a ring address not
	// aligned to 64 bytes.
	QueueErrorBadConfig QueueError = 4
)

// String returns the name that regs/espalier.rdl gives the value, or a form like QueueError(99).
func (v QueueError) String() string {
	switch v {
	case QueueErrorNone:
		return "NONE"
	case QueueErrorDescRead:
		return "DESC_READ"
	case QueueErrorCplWrite:
		return "CPL_WRITE"
	case QueueErrorBadTail:
		return "BAD_TAIL"
	case QueueErrorBadConfig:
		return "BAD_CONFIG"
	}
	return unknown("QueueError", uint64(v))
}

// CryptoStatus is the encoding of completion.crypto_status.
type CryptoStatus uint16

// Values of CryptoStatus.
const (
	// CryptoStatusSuccess: Decrypted where needed and every ICV that was checked is good.
	CryptoStatusSuccess CryptoStatus = 0
	// CryptoStatusGenericError: Failed, unspecified.
	CryptoStatusGenericError CryptoStatus = 1
	// CryptoStatusTransportAHAuthFailed: AH ICV of the transport portion is bad.
	CryptoStatusTransportAHAuthFailed CryptoStatus = 2
	// CryptoStatusTransportESPAuthFailed: ESP ICV of the transport portion is bad.
	CryptoStatusTransportESPAuthFailed CryptoStatus = 3
	// CryptoStatusTunnelAHAuthFailed: AH ICV of the tunnel portion is bad.
	CryptoStatusTunnelAHAuthFailed CryptoStatus = 4
	// CryptoStatusTunnelESPAuthFailed: ESP ICV of the tunnel portion is bad.
	CryptoStatusTunnelESPAuthFailed CryptoStatus = 5
	// CryptoStatusInvalidPacketSyntax: Lengths are impossible on a matching SA.
	CryptoStatusInvalidPacketSyntax CryptoStatus = 6
	// CryptoStatusInvalidProtocol: The packet's protocols differ from the SA's.
	CryptoStatusInvalidProtocol CryptoStatus = 7
)

// String returns the name that regs/espalier.rdl gives the value, or a form like CryptoStatus(99).
func (v CryptoStatus) String() string {
	switch v {
	case CryptoStatusSuccess:
		return "SUCCESS"
	case CryptoStatusGenericError:
		return "GENERIC_ERROR"
	case CryptoStatusTransportAHAuthFailed:
		return "TRANSPORT_AH_AUTH_FAILED"
	case CryptoStatusTransportESPAuthFailed:
		return "TRANSPORT_ESP_AUTH_FAILED"
	case CryptoStatusTunnelAHAuthFailed:
		return "TUNNEL_AH_AUTH_FAILED"
	case CryptoStatusTunnelESPAuthFailed:
		return "TUNNEL_ESP_AUTH_FAILED"
	case CryptoStatusInvalidPacketSyntax:
		return "INVALID_PACKET_SYNTAX"
	case CryptoStatusInvalidProtocol:
		return "INVALID_PROTOCOL"
	}
	return unknown("CryptoStatus", uint64(v))
}

// CompletionStatus is the encoding of completion.status.
type CompletionStatus uint8

// Values of CompletionStatus.
const (
	// CompletionStatusOK: Done as asked.
	CompletionStatusOK CompletionStatus = 0
	// CompletionStatusStaleHandle: TX: the SA handle names no outbound SA of that generation; the
	// frame was not sent.
	CompletionStatusStaleHandle CompletionStatus = 1
	// CompletionStatusBadLength: TX: LENGTH below 14 or above CAP_FRAME.MAX_FRAME, or too short for
	// the ESP packet, or its payload is not a multiple of 4; not sent.
	CompletionStatusBadLength CompletionStatus = 2
	// CompletionStatusBadOffset: TX: ESP_OFFSET leaves no room for Ethernet and IP headers; not sent.
	CompletionStatusBadOffset CompletionStatus = 3
	// CompletionStatusDMARead: TX: reading the frame failed on the bus; not sent.
	CompletionStatusDMARead CompletionStatus = 4
	// CompletionStatusDMAWrite: RX: writing the frame failed on the bus; buffer contents are
	// undefined.
	CompletionStatusDMAWrite CompletionStatus = 5
	// CompletionStatusOffloadOff: TX: IPSEC asked for while CTRL.IPSEC_ENABLE is 0; not sent (fail
	// closed).
	CompletionStatusOffloadOff CompletionStatus = 6
	// CompletionStatusTruncated: RX: the buffer was shorter than the frame; LENGTH is the frame's, the
	// buffer holds its beginning.
	CompletionStatusTruncated CompletionStatus = 7
)

// String returns the name that regs/espalier.rdl gives the value, or a form like CompletionStatus(99).
func (v CompletionStatus) String() string {
	switch v {
	case CompletionStatusOK:
		return "OK"
	case CompletionStatusStaleHandle:
		return "STALE_HANDLE"
	case CompletionStatusBadLength:
		return "BAD_LENGTH"
	case CompletionStatusBadOffset:
		return "BAD_OFFSET"
	case CompletionStatusDMARead:
		return "DMA_READ"
	case CompletionStatusDMAWrite:
		return "DMA_WRITE"
	case CompletionStatusOffloadOff:
		return "OFFLOAD_OFF"
	case CompletionStatusTruncated:
		return "TRUNCATED"
	}
	return unknown("CompletionStatus", uint64(v))
}
