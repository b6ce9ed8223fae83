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
	// SAOpRestore: As ADD, but the slot keeps its generation, which must be the one in HANDLE: brings
	// an SA back under its handle after a reset.
	SAOpRestore SAOp = 5
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
	case SAOpRestore:
		return "RESTORE"
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
	// SAResultStaleHandle: The slot is empty or its generation differs; RESTORE: its generation
	// differs.
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

// KeyLen is the encoding of sa.flags.keylen and cp_selftest.keylen and sa_record flags.keylen.
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

// CpFault is the encoding of cp_status.fault.
type CpFault uint8

// Values of CpFault.
const (
	// CpFaultNone: No fault.
	CpFaultNone CpFault = 0
	// CpFaultTrap: Illegal instruction or misaligned access.
	CpFaultTrap CpFault = 1
	// CpFaultBus: Access to an address where nothing is, or a write to the program.
	CpFaultBus CpFault = 2
	// CpFaultWatchdog: The firmware did not write CP_HEARTBEAT in time.
	CpFaultWatchdog CpFault = 3
)

// String returns the name that regs/espalier.rdl gives the value, or a form like CpFault(99).
func (v CpFault) String() string {
	switch v {
	case CpFaultNone:
		return "NONE"
	case CpFaultTrap:
		return "TRAP"
	case CpFaultBus:
		return "BUS"
	case CpFaultWatchdog:
		return "WATCHDOG"
	}
	return unknown("CpFault", uint64(v))
}

// SelftestResult is the encoding of cp_selftest_status.result.
type SelftestResult uint8

// Values of SelftestResult.
const (
	// SelftestResultPass: The frame went through as it was.
	SelftestResultPass SelftestResult = 0
	// SelftestResultOK: Encrypted, or decrypted with a good ICV.
	SelftestResultOK SelftestResult = 1
	// SelftestResultAuth: ICV wrong.
	SelftestResultAuth SelftestResult = 2
	// SelftestResultSyntax: Lengths are impossible.
	SelftestResultSyntax SelftestResult = 3
	// SelftestResultError: The frame ends too early.
	SelftestResultError SelftestResult = 4
)

// String returns the name that regs/espalier.rdl gives the value, or a form like SelftestResult(99).
func (v SelftestResult) String() string {
	switch v {
	case SelftestResultPass:
		return "PASS"
	case SelftestResultOK:
		return "OK"
	case SelftestResultAuth:
		return "AUTH"
	case SelftestResultSyntax:
		return "SYNTAX"
	case SelftestResultError:
		return "ERROR"
	}
	return unknown("SelftestResult", uint64(v))
}

// MailboxOp is the encoding of mbox_command.header.opcode and mbox_response.header.opcode and
// mailbox_command header.opcode and mailbox_response header.opcode.
type MailboxOp uint8

// Values of MailboxOp.
const (
	// MailboxOpNOP: Nothing; answered with OK.
	MailboxOpNOP MailboxOp = 0
	// MailboxOpAddSA: Install SA in a free slot that the firmware chooses; answers with HANDLE.
	MailboxOpAddSA MailboxOp = 1
	// MailboxOpRestoreSA: Install SA in the slot and with the generation of HANDLE, which must be the
	// slot's last one.
	MailboxOpRestoreSA MailboxOp = 2
	// MailboxOpUpdateSA: Set the upper half of the sequence numbers of HANDLE to SA.ESN_HI; SA.SPI
	// must be the SA's.
	MailboxOpUpdateSA MailboxOp = 3
	// MailboxOpDeleteSA: Delete HANDLE; answered when no frame uses it any more and its keys are
	// zeroised.
	MailboxOpDeleteSA MailboxOp = 4
	// MailboxOpReadSA: Read HANDLE back.
	MailboxOpReadSA MailboxOp = 5
	// MailboxOpNextSA: Read back the SA in the lowest slot in use that is not below HANDLE.INDEX.
	MailboxOpNextSA MailboxOp = 6
)

// String returns the name that regs/espalier.rdl gives the value, or a form like MailboxOp(99).
func (v MailboxOp) String() string {
	switch v {
	case MailboxOpNOP:
		return "NOP"
	case MailboxOpAddSA:
		return "ADD_SA"
	case MailboxOpRestoreSA:
		return "RESTORE_SA"
	case MailboxOpUpdateSA:
		return "UPDATE_SA"
	case MailboxOpDeleteSA:
		return "DELETE_SA"
	case MailboxOpReadSA:
		return "READ_SA"
	case MailboxOpNextSA:
		return "NEXT_SA"
	}
	return unknown("MailboxOp", uint64(v))
}

// MailboxStatus is the encoding of mbox_response.header.status and mailbox_response header.status.
type MailboxStatus uint8

// Values of MailboxStatus.
const (
	// MailboxStatusOK: Done.
	MailboxStatusOK MailboxStatus = 0
	// MailboxStatusBadOp: Unknown operation.
	MailboxStatusBadOp MailboxStatus = 1
	// MailboxStatusBadRecord: A field of the SA is not what CAP_* allows; FIELD says which.
	MailboxStatusBadRecord MailboxStatus = 2
	// MailboxStatusNoSpace: No free slot.
	MailboxStatusNoSpace MailboxStatus = 3
	// MailboxStatusLookupFull: No room in the lookup table for this SPI and destination.
	MailboxStatusLookupFull MailboxStatus = 4
	// MailboxStatusDuplicate: An inbound SA with this SPI, destination and IP version exists.
	MailboxStatusDuplicate MailboxStatus = 5
	// MailboxStatusStaleHandle: HANDLE names no SA; RESTORE_SA: not the slot's last generation.
	MailboxStatusStaleHandle MailboxStatus = 6
	// MailboxStatusNotESN: UPDATE_SA of an SA without ESN.
	MailboxStatusNotESN MailboxStatus = 7
	// MailboxStatusSlotInUse: RESTORE_SA into a slot that holds an SA.
	MailboxStatusSlotInUse MailboxStatus = 8
	// MailboxStatusNoMore: NEXT_SA: no SA at or above this slot.
	MailboxStatusNoMore MailboxStatus = 9
	// MailboxStatusSelftestFailed: The start-up self-tests failed; no command is carried out.
	MailboxStatusSelftestFailed MailboxStatus = 10
	// MailboxStatusHardware: The SA engine refused what the firmware had found good.
	MailboxStatusHardware MailboxStatus = 11
)

// String returns the name that regs/espalier.rdl gives the value, or a form like MailboxStatus(99).
func (v MailboxStatus) String() string {
	switch v {
	case MailboxStatusOK:
		return "OK"
	case MailboxStatusBadOp:
		return "BAD_OP"
	case MailboxStatusBadRecord:
		return "BAD_RECORD"
	case MailboxStatusNoSpace:
		return "NO_SPACE"
	case MailboxStatusLookupFull:
		return "LOOKUP_FULL"
	case MailboxStatusDuplicate:
		return "DUPLICATE"
	case MailboxStatusStaleHandle:
		return "STALE_HANDLE"
	case MailboxStatusNotESN:
		return "NOT_ESN"
	case MailboxStatusSlotInUse:
		return "SLOT_IN_USE"
	case MailboxStatusNoMore:
		return "NO_MORE"
	case MailboxStatusSelftestFailed:
		return "SELFTEST_FAILED"
	case MailboxStatusHardware:
		return "HARDWARE"
	}
	return unknown("MailboxStatus", uint64(v))
}

// MailboxField is the encoding of mbox_response.detail.field_at_fault and mailbox_response
// detail.field_at_fault.
type MailboxField uint8

// Values of MailboxField.
const (
	// MailboxFieldNone: No single field.
	MailboxFieldNone MailboxField = 0
	// MailboxFieldSPI: SA.SPI.
	MailboxFieldSPI MailboxField = 1
	// MailboxFieldKeyLen: SA.FLAGS.KEYLEN.
	MailboxFieldKeyLen MailboxField = 2
	// MailboxFieldRxQueue: SA.FLAGS.RX_QUEUE.
	MailboxFieldRxQueue MailboxField = 3
	// MailboxFieldDst: SA.DST.
	MailboxFieldDst MailboxField = 4
	// MailboxFieldSrc: SA.SRC.
	MailboxFieldSrc MailboxField = 5
	// MailboxFieldFlags: Bits of SA.FLAGS that have no meaning.
	MailboxFieldFlags MailboxField = 6
	// MailboxFieldHandle: HANDLE.
	MailboxFieldHandle MailboxField = 7
)

// String returns the name that regs/espalier.rdl gives the value, or a form like MailboxField(99).
func (v MailboxField) String() string {
	switch v {
	case MailboxFieldNone:
		return "NONE"
	case MailboxFieldSPI:
		return "SPI"
	case MailboxFieldKeyLen:
		return "KEYLEN"
	case MailboxFieldRxQueue:
		return "RX_QUEUE"
	case MailboxFieldDst:
		return "DST"
	case MailboxFieldSrc:
		return "SRC"
	case MailboxFieldFlags:
		return "FLAGS"
	case MailboxFieldHandle:
		return "HANDLE"
	}
	return unknown("MailboxField", uint64(v))
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
