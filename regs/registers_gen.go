// SPDX-License-Identifier: Apache-2.0

// Code generated from regs/espalier.rdl by make regs. DO NOT EDIT.

package regs

// BarSize is the number of bytes of BAR 0.
const BarSize = 0x40000

// Byte offsets of registers in BAR 0. Arrays have functions, such as IntModerationOffset.
const (
	// IDOffset: Identity: the ASCII letters ESPL, first letter in the lowest byte.
	IDOffset = 0x0
	// VersionOffset: Version of this register interface. Software refuses another MAJOR.
	VersionOffset = 0x4
	// BuildIDOffset: Build identification of this RTL (parameter BUILD_ID); 0 if not stamped.
	BuildIDOffset = 0x8
	// LayoutOffset: Where the other 4 KiB pages are, as page numbers.
	LayoutOffset = 0xc
	// CapSizeOffset: How many of each.
	CapSizeOffset = 0x10
	// CapSAOffset: SA slots.
	CapSAOffset = 0x14
	// CapAlgOffset: Algorithms, as the IPsecOV2 capability masks.
	CapAlgOffset = 0x18
	// CapFeatureOffset: Features, as the IPsecOV2 capability record's booleans.
	CapFeatureOffset = 0x1c
	// CapRingOffset: Ring limits.
	CapRingOffset = 0x20
	// CapFrameOffset: Frame limits.
	CapFrameOffset = 0x24
	// CapClockOffset: Clock for which the design is meant; what a cycle counts.
	CapClockOffset = 0x28
	// LayoutCpOffset: Where the pages of the control processor are, as page numbers; with
	// CAP_FEATURE.CONTROL_PROCESSOR.
	LayoutCpOffset = 0x2c
	// CtrlOffset: Global control.
	CtrlOffset = 0x40
	// StatusOffset: Global status.
	StatusOffset = 0x44
	// RxDefaultOffset: Queue for received frames that match no SA.
	RxDefaultOffset = 0x48
	// ScratchOffset: For tests of the path to the NIC; does nothing.
	ScratchOffset = 0x4c
	// CyclesLoOffset: Clock cycles since the last hard reset, bits 31:0; reading it latches CYCLES_HI.
	CyclesLoOffset = 0x50
	// CyclesHiOffset: Clock cycles, bits 63:32, as of the last read of CYCLES_LO.
	CyclesHiOffset = 0x54
	// IntCauseOffset: Interrupt causes, one bit per vector; write 1 to clear.
	IntCauseOffset = 0x80
	// IntMaskOffset: Interrupt masks, one bit per vector; 1: the cause is recorded, no interrupt is
	// sent.
	IntMaskOffset = 0x84
	// IntArmOffset: Re-arm: a vector that has sent an interrupt sends no other until its bit is
	// written 1 here.
	IntArmOffset = 0x88
	// IntSetOffset: Raise vectors by hand: counts one event on each vector written 1.
	IntSetOffset = 0x8c
	// SACmdOffset: Start an operation on the window. Ignored while SA_STATUS.BUSY.
	SACmdOffset = 0x1000
	// SAStatusOffset: State of the SA window.
	SAStatusOffset = 0x1004
	// SAHandleOffset: Which SA: the host gives INDEX (and GENERATION for UPDATE and DELETE), the NIC
	// gives GENERATION.
	SAHandleOffset = 0x1008
	// SASPIOffset: SPI; 0 is refused.
	SASPIOffset = 0x1040
	// SAFlagsOffset: What kind of SA this is.
	SAFlagsOffset = 0x1044
	// SAESNHiOffset: Upper half of the 64-bit sequence number; used with ESN.
	SAESNHiOffset = 0x1048
	// SASaltOffset: Salt of RFC 4106, first byte most significant.
	SASaltOffset = 0x104c
	// StatTxFramesLoOffset: Frames sent to the wire: bits 31:0; reading it latches HI.
	StatTxFramesLoOffset = 0x2000
	// StatTxFramesHiOffset: Frames sent to the wire: bits 63:32 as of the last read of LO.
	StatTxFramesHiOffset = 0x2004
	// StatTxBytesLoOffset: Bytes of those frames, no FCS: bits 31:0; reading it latches HI.
	StatTxBytesLoOffset = 0x2008
	// StatTxBytesHiOffset: Bytes of those frames, no FCS: bits 63:32 as of the last read of LO.
	StatTxBytesHiOffset = 0x200c
	// StatTxESPLoOffset: Frames encrypted and sent: bits 31:0; reading it latches HI.
	StatTxESPLoOffset = 0x2010
	// StatTxESPHiOffset: Frames encrypted and sent: bits 63:32 as of the last read of LO.
	StatTxESPHiOffset = 0x2014
	// StatTxErrHandleLoOffset: Sends failed with STALE_HANDLE: bits 31:0; reading it latches HI.
	StatTxErrHandleLoOffset = 0x2018
	// StatTxErrHandleHiOffset: Sends failed with STALE_HANDLE: bits 63:32 as of the last read of LO.
	StatTxErrHandleHiOffset = 0x201c
	// StatTxErrDescLoOffset: Sends failed with BAD_LENGTH, BAD_OFFSET or OFFLOAD_OFF: bits 31:0;
	// reading it latches HI.
	StatTxErrDescLoOffset = 0x2020
	// StatTxErrDescHiOffset: Sends failed with BAD_LENGTH, BAD_OFFSET or OFFLOAD_OFF: bits 63:32 as of
	// the last read of LO.
	StatTxErrDescHiOffset = 0x2024
	// StatTxErrDMALoOffset: Sends failed with DMA_READ: bits 31:0; reading it latches HI.
	StatTxErrDMALoOffset = 0x2028
	// StatTxErrDMAHiOffset: Sends failed with DMA_READ: bits 63:32 as of the last read of LO.
	StatTxErrDMAHiOffset = 0x202c
	// StatRxFramesLoOffset: Frames accepted from the wire, dropped ones included: bits 31:0; reading
	// it latches HI.
	StatRxFramesLoOffset = 0x2030
	// StatRxFramesHiOffset: Frames accepted from the wire, dropped ones included: bits 63:32 as of the
	// last read of LO.
	StatRxFramesHiOffset = 0x2034
	// StatRxBytesLoOffset: Bytes of those frames, no FCS: bits 31:0; reading it latches HI.
	StatRxBytesLoOffset = 0x2038
	// StatRxBytesHiOffset: Bytes of those frames, no FCS: bits 63:32 as of the last read of LO.
	StatRxBytesHiOffset = 0x203c
	// StatRxESPOKLoOffset: ESP frames delivered with SUCCESS: bits 31:0; reading it latches HI.
	StatRxESPOKLoOffset = 0x2040
	// StatRxESPOKHiOffset: ESP frames delivered with SUCCESS: bits 63:32 as of the last read of LO.
	StatRxESPOKHiOffset = 0x2044
	// StatRxAuthFailedLoOffset: ESP frames delivered with *_ESP_AUTH_FAILED: bits 31:0; reading it
	// latches HI.
	StatRxAuthFailedLoOffset = 0x2048
	// StatRxAuthFailedHiOffset: ESP frames delivered with *_ESP_AUTH_FAILED: bits 63:32 as of the last
	// read of LO.
	StatRxAuthFailedHiOffset = 0x204c
	// StatRxSyntaxLoOffset: ESP frames delivered with INVALID_PACKET_SYNTAX: bits 31:0; reading it
	// latches HI.
	StatRxSyntaxLoOffset = 0x2050
	// StatRxSyntaxHiOffset: ESP frames delivered with INVALID_PACKET_SYNTAX: bits 63:32 as of the last
	// read of LO.
	StatRxSyntaxHiOffset = 0x2054
	// StatRxNoSALoOffset: ESP frames delivered untouched because no SA matched: bits 31:0; reading it
	// latches HI.
	StatRxNoSALoOffset = 0x2058
	// StatRxNoSAHiOffset: ESP frames delivered untouched because no SA matched: bits 63:32 as of the
	// last read of LO.
	StatRxNoSAHiOffset = 0x205c
	// StatRxUntouchedLoOffset: Other frames delivered untouched: bits 31:0; reading it latches HI.
	StatRxUntouchedLoOffset = 0x2060
	// StatRxUntouchedHiOffset: Other frames delivered untouched: bits 63:32 as of the last read of LO.
	StatRxUntouchedHiOffset = 0x2064
	// StatRxDropNoDescLoOffset: Frames dropped because the queue had no descriptor or was not enabled:
	// bits 31:0; reading it latches HI.
	StatRxDropNoDescLoOffset = 0x2068
	// StatRxDropNoDescHiOffset: Frames dropped because the queue had no descriptor or was not enabled:
	// bits 63:32 as of the last read of LO.
	StatRxDropNoDescHiOffset = 0x206c
	// StatRxDropBadLoOffset: Frames dropped because the MAC flagged them or they exceed MAX_FRAME or
	// are under 14 bytes: bits 31:0; reading it latches HI.
	StatRxDropBadLoOffset = 0x2070
	// StatRxDropBadHiOffset: Frames dropped because the MAC flagged them or they exceed MAX_FRAME or
	// are under 14 bytes: bits 63:32 as of the last read of LO.
	StatRxDropBadHiOffset = 0x2074
	// StatRxErrDMALoOffset: Frames lost with DMA_WRITE: bits 31:0; reading it latches HI.
	StatRxErrDMALoOffset = 0x2078
	// StatRxErrDMAHiOffset: Frames lost with DMA_WRITE: bits 63:32 as of the last read of LO.
	StatRxErrDMAHiOffset = 0x207c
	// CpCtrlOffset: The control processor.
	CpCtrlOffset = 0x3000
	// CpStatusOffset: State of the control processor.
	CpStatusOffset = 0x3004
	// CpHeartbeatOffset: Counts writes of the firmware; a write restarts the watchdog.
	CpHeartbeatOffset = 0x3008
	// CpFwVersionOffset: Version of the firmware that runs.
	CpFwVersionOffset = 0x300c
	// CpFwBuildOffset: Build id of the firmware that runs.
	CpFwBuildOffset = 0x3010
	// CpLoadAddrOffset: Write: byte address of the next word loaded, a multiple of 4; 0 starts an
	// image and its CRC. Ignored while the processor runs.
	CpLoadAddrOffset = 0x3014
	// CpLoadDataOffset: Write: loads a word and advances CP_LOAD_ADDR by 4. Ignored while the
	// processor runs. Reads as 0.
	CpLoadDataOffset = 0x3018
	// CpLoadCrcOffset: CRC-32 (IEEE 802.3, reflected, not inverted at the end) of what was loaded from
	// address 0 on; 0xDEBB20E3 after an image that ends in its CRC.
	CpLoadCrcOffset = 0x301c
	// CpRamOffset: Size of the processor's memory.
	CpRamOffset = 0x3020
	// CpWatchdogOffset: Clock cycles without a write of CP_HEARTBEAT after which the processor counts
	// as hung.
	CpWatchdogOffset = 0x3024
	// CpPcOffset: Address of the last instruction fetched; after a fault, where it happened.
	CpPcOffset = 0x3028
	// CpLogHeadOffset: Bytes ever written to the log since the processor was started; the next goes to
	// this number modulo 4096 of the log page.
	CpLogHeadOffset = 0x302c
	// MboxDoorbellOffset: Write a slot's number: its command is posted. Ignored if the slot is posted
	// already.
	MboxDoorbellOffset = 0x3040
	// MboxPendingOffset: Slots posted and not answered.
	MboxPendingOffset = 0x3044
	// MboxDoneOffset: Slots answered; write 1 to clear. Each answer is one event on MBOX_CTRL.VECTOR,
	// and so is a fault of the processor.
	MboxDoneOffset = 0x3048
	// MboxCtrlOffset: Mailbox.
	MboxCtrlOffset = 0x304c
	// MboxSizeOffset: Size of the mailbox.
	MboxSizeOffset = 0x3050
	// CpNextOffset: Firmware: the next slot posted. Reading takes it from the queue.
	CpNextOffset = 0x3080
	// CpAnswerOffset: Firmware: write a slot's number: its response is complete.
	CpAnswerOffset = 0x3084
	// CpAliveOffset: Firmware: write anything: alive. Read as CP_HEARTBEAT.
	CpAliveOffset = 0x3088
	// CpReportOffset: Firmware: sets the bits of CP_STATUS.
	CpReportOffset = 0x308c
	// CpSetVersionOffset: Firmware: value of CP_FW_VERSION.
	CpSetVersionOffset = 0x3090
	// CpSetBuildOffset: Firmware: value of CP_FW_BUILD.
	CpSetBuildOffset = 0x3094
	// CpLogPutOffset: Firmware: write one byte to the log.
	CpLogPutOffset = 0x3098
	// CpSALiveOffset: Firmware: SA slots in use.
	CpSALiveOffset = 0x309c
	// CpSelftestOffset: Firmware: start one self-test: a frame from the self-test page through one
	// crypt unit and back there. Ignored once SELFTEST_PASSED.
	CpSelftestOffset = 0x30a0
	// CpSelftestSAOffset: Firmware: SA slot whose keys the self-test uses.
	CpSelftestSAOffset = 0x30a4
	// CpSelftestSaltOffset: Firmware: salt of the self-test.
	CpSelftestSaltOffset = 0x30a8
	// CpSelftestESNHiOffset: Firmware: upper half of the sequence number of the self-test.
	CpSelftestESNHiOffset = 0x30ac
	// CpSelftestStatusOffset: Firmware: outcome of the self-test.
	CpSelftestStatusOffset = 0x30b0
	// MboxCommandHeaderOffset: What to do.
	MboxCommandHeaderOffset = 0x4000
	// MboxCommandHandleOffset: SA handle, as in SA_HANDLE.
	MboxCommandHandleOffset = 0x4004
	// MboxCommandSPIOffset: The words from here to KEY are those of the SA window.
	MboxCommandSPIOffset = 0x4010
	// MboxCommandFlagsOffset: As SA.FLAGS.
	MboxCommandFlagsOffset = 0x4014
	// MboxCommandESNHiOffset: As SA.ESN_HI.
	MboxCommandESNHiOffset = 0x4018
	// MboxCommandSaltOffset: As SA.SALT.
	MboxCommandSaltOffset = 0x401c
	// MboxResponseHeaderOffset: How it ended.
	MboxResponseHeaderOffset = 0x5000
	// MboxResponseHandleOffset: Handle of the SA that was added, restored or read, else the command's.
	MboxResponseHandleOffset = 0x5004
	// MboxResponseDetailOffset: About a refusal.
	MboxResponseDetailOffset = 0x5008
	// MboxResponseCyclesOffset: Clock cycles from taking the command to this answer.
	MboxResponseCyclesOffset = 0x500c
	// MboxResponseSPIOffset: From here on only for READ_SA and NEXT_SA: as SA.SPI.
	MboxResponseSPIOffset = 0x5010
	// MboxResponseFlagsOffset: As SA.FLAGS.
	MboxResponseFlagsOffset = 0x5014
	// MboxResponseESNHiOffset: As SA.ESN_HI.
	MboxResponseESNHiOffset = 0x5018
	// MboxResponseReservedOffset: 0.
	MboxResponseReservedOffset = 0x501c
)

// Byte offsets of registers in the page of a queue.
const (
	// QueueCtrlOffset: Queue control. Ring registers may be written only while ENABLE is 0.
	QueueCtrlOffset = 0x0
	// QueueStatusOffset: Queue status.
	QueueStatusOffset = 0x4
	// QueueRingLoOffset: IOVA of the descriptor ring, bits 31:0; 64-byte aligned.
	QueueRingLoOffset = 0x8
	// QueueRingHiOffset: IOVA of the descriptor ring, bits 63:32.
	QueueRingHiOffset = 0xc
	// QueueCplLoOffset: IOVA of the completion ring, bits 31:0; 64-byte aligned.
	QueueCplLoOffset = 0x10
	// QueueCplHiOffset: IOVA of the completion ring, bits 63:32.
	QueueCplHiOffset = 0x14
	// QueueTailOffset: Doorbell: index of the first descriptor that the NIC may not use yet. Ring full
	// is size - 1 descriptors.
	QueueTailOffset = 0x18
	// QueueHeadOffset: Index of the next descriptor to be processed.
	QueueHeadOffset = 0x1c
	// QueueCplBatchOffset: Completion batching. Up to four completions share one 64-byte write.
	QueueCplBatchOffset = 0x20
)

// TxqCount is the number of elements that the interface has room for.
const TxqCount = 16

// TxqOffset returns, for i below TxqCount, the byte offset in BAR 0 of the page of txq[i].
func TxqOffset(i int) uint64 { return 0x10000 + 0x1000*uint64(i) }

// RxqCount is the number of elements that the interface has room for.
const RxqCount = 16

// RxqOffset returns, for i below RxqCount, the byte offset in BAR 0 of the page of rxq[i].
func RxqOffset(i int) uint64 { return 0x20000 + 0x1000*uint64(i) }

// IntModerationCount is the number of elements that the interface has room for.
const IntModerationCount = 32

// IntModerationOffset returns, for i below IntModerationCount, the byte offset in BAR 0 of
// int_moderation[i]: Moderation per vector: an armed vector fires when either limit is reached
// after an event.
func IntModerationOffset(i int) uint64 { return 0x100 + 0x4*uint64(i) }

// SANonceCount is the number of elements that the interface has room for.
const SANonceCount = 2

// SANonceOffset returns, for i below SANonceCount, the byte offset in BAR 0 of sa_nonce[i]: Nonce
// of the key fingerprints. 0 in both words: no fingerprints are made, they read as 0. Change only
// while there is no SA.
func SANonceOffset(i int) uint64 { return 0x1010 + 0x4*uint64(i) }

// SADstCount is the number of elements that the interface has room for.
const SADstCount = 4

// SADstOffset returns, for i below SADstCount, the byte offset in BAR 0 of sa.dst[i]: Destination
// address; an IPv4 address is word 0, the others 0. All zero: any destination.
func SADstOffset(i int) uint64 { return 0x1050 + 0x4*uint64(i) }

// SASrcCount is the number of elements that the interface has room for.
const SASrcCount = 4

// SASrcOffset returns, for i below SASrcCount, the byte offset in BAR 0 of sa.src[i]: Source
// address; all zero: any source.
func SASrcOffset(i int) uint64 { return 0x1060 + 0x4*uint64(i) }

// SAKeyCount is the number of elements that the interface has room for.
const SAKeyCount = 8

// SAKeyOffset returns, for i below SAKeyCount, the byte offset in BAR 0 of sa.key[i]: AES key,
// first byte most significant in word 0; unused words are ignored.
func SAKeyOffset(i int) uint64 { return 0x1070 + 0x4*uint64(i) }

// SACountersCount is the number of elements that the interface has room for.
const SACountersCount = 8

// SACountersOffset returns, for i below SACountersCount, the byte offset in BAR 0 of
// sa_counters[i]: What READ found beside the record. Words 0, 1: frames (low, high). 2, 3: bytes
// of those frames, Ethernet header to last byte, no FCS. 4: inbound: frames with a wrong ICV. 5:
// inbound: frames with impossible lengths. 6, 7: key fingerprint, the first 8 bytes of the AES
// encryption under the SA's key of SA_NONCE (8 bytes) followed by 64 zero bits, first byte most
// significant in word 6; no GCM counter block ends in 32 zero bits. Frames and bytes count what
// was encrypted, or decrypted with success; they start at 0 with ADD and RESTORE.
func SACountersOffset(i int) uint64 { return 0x10a0 + 0x4*uint64(i) }

// MboxCommandReservedCount is the number of elements that the interface has room for.
const MboxCommandReservedCount = 2

// MboxCommandReservedOffset returns, for i below MboxCommandReservedCount, the byte offset in BAR
// 0 of mbox_command.reserved[i]: 0.
func MboxCommandReservedOffset(i int) uint64 { return 0x4008 + 0x4*uint64(i) }

// MboxCommandDstCount is the number of elements that the interface has room for.
const MboxCommandDstCount = 4

// MboxCommandDstOffset returns, for i below MboxCommandDstCount, the byte offset in BAR 0 of
// mbox_command.dst[i]: As SA.DST.
func MboxCommandDstOffset(i int) uint64 { return 0x4020 + 0x4*uint64(i) }

// MboxCommandSrcCount is the number of elements that the interface has room for.
const MboxCommandSrcCount = 4

// MboxCommandSrcOffset returns, for i below MboxCommandSrcCount, the byte offset in BAR 0 of
// mbox_command.src[i]: As SA.SRC.
func MboxCommandSrcOffset(i int) uint64 { return 0x4030 + 0x4*uint64(i) }

// MboxCommandKeyCount is the number of elements that the interface has room for.
const MboxCommandKeyCount = 8

// MboxCommandKeyOffset returns, for i below MboxCommandKeyCount, the byte offset in BAR 0 of
// mbox_command.key[i]: As SA.KEY.
func MboxCommandKeyOffset(i int) uint64 { return 0x4040 + 0x4*uint64(i) }

// MboxCommandUnusedCount is the number of elements that the interface has room for.
const MboxCommandUnusedCount = 8

// MboxCommandUnusedOffset returns, for i below MboxCommandUnusedCount, the byte offset in BAR 0 of
// mbox_command.unused[i]: 0.
func MboxCommandUnusedOffset(i int) uint64 { return 0x4060 + 0x4*uint64(i) }

// MboxCommandSlotsCount is the number of elements that the interface has room for.
const MboxCommandSlotsCount = 992

// MboxCommandSlotsOffset returns, for i below MboxCommandSlotsCount, the byte offset in BAR 0 of
// mbox_command_slots[i]: Command slots 1 to 31, laid out as slot 0.
func MboxCommandSlotsOffset(i int) uint64 { return 0x4080 + 0x4*uint64(i) }

// MboxResponseDstCount is the number of elements that the interface has room for.
const MboxResponseDstCount = 4

// MboxResponseDstOffset returns, for i below MboxResponseDstCount, the byte offset in BAR 0 of
// mbox_response.dst[i]: As SA.DST.
func MboxResponseDstOffset(i int) uint64 { return 0x5020 + 0x4*uint64(i) }

// MboxResponseSrcCount is the number of elements that the interface has room for.
const MboxResponseSrcCount = 4

// MboxResponseSrcOffset returns, for i below MboxResponseSrcCount, the byte offset in BAR 0 of
// mbox_response.src[i]: As SA.SRC.
func MboxResponseSrcOffset(i int) uint64 { return 0x5030 + 0x4*uint64(i) }

// MboxResponseCountersCount is the number of elements that the interface has room for.
const MboxResponseCountersCount = 8

// MboxResponseCountersOffset returns, for i below MboxResponseCountersCount, the byte offset in
// BAR 0 of mbox_response.counters[i]: As SA_COUNTERS.
func MboxResponseCountersOffset(i int) uint64 { return 0x5040 + 0x4*uint64(i) }

// MboxResponseUnusedCount is the number of elements that the interface has room for.
const MboxResponseUnusedCount = 8

// MboxResponseUnusedOffset returns, for i below MboxResponseUnusedCount, the byte offset in BAR 0
// of mbox_response.unused[i]: 0.
func MboxResponseUnusedOffset(i int) uint64 { return 0x5060 + 0x4*uint64(i) }

// MboxResponseSlotsCount is the number of elements that the interface has room for.
const MboxResponseSlotsCount = 992

// MboxResponseSlotsOffset returns, for i below MboxResponseSlotsCount, the byte offset in BAR 0 of
// mbox_response_slots[i]: Response slots 1 to 31, laid out as slot 0.
func MboxResponseSlotsOffset(i int) uint64 { return 0x5080 + 0x4*uint64(i) }

// CpLogCount is the number of elements that the interface has room for.
const CpLogCount = 1024

// CpLogOffset returns, for i below CpLogCount, the byte offset in BAR 0 of cp_log[i]: Log of the
// firmware: ASCII lines in a ring of 4096 bytes.
func CpLogOffset(i int) uint64 { return 0x6000 + 0x4*uint64(i) }

// CpSelftestFrameCount is the number of elements that the interface has room for.
const CpSelftestFrameCount = 64

// CpSelftestFrameOffset returns, for i below CpSelftestFrameCount, the byte offset in BAR 0 of
// cp_selftest_frame[i]: Firmware: frame of the self-test, byte 0 lowest in word 0; what comes back
// replaces it.
func CpSelftestFrameOffset(i int) uint64 { return 0x7000 + 0x4*uint64(i) }

// IDMagic is what every NIC of this interface answers in id.magic: Always 0x4C505345.
const IDMagic = 0x4c505345

// VersionPatch is what every NIC of this interface answers in version.patch: Patch.
const VersionPatch = 0x0

// VersionMinor is what every NIC of this interface answers in version.minor: Minor: additions
// only.
const VersionMinor = 0x1

// VersionMajor is what every NIC of this interface answers in version.major: Major: incompatible
// change.
const VersionMajor = 0x1

// Version is the value of a register. Version of this register interface. Software refuses another
// MAJOR.
type Version uint32

// Patch returns bits 15:0. Patch.
func (r Version) Patch() uint16 { return uint16(r & 0xffff) }

// Minor returns bits 23:16. Minor: additions only.
func (r Version) Minor() uint8 { return uint8(r >> 16 & 0xff) }

// Major returns bits 31:24. Major: incompatible change.
func (r Version) Major() uint8 { return uint8(r >> 24 & 0xff) }

// LayoutSAPage is what every NIC of this interface answers in layout.sa_page: Page of the SA
// window.
const LayoutSAPage = 0x1

// LayoutStatsPage is what every NIC of this interface answers in layout.stats_page: Page of the
// statistics.
const LayoutStatsPage = 0x2

// LayoutTxqPage is what every NIC of this interface answers in layout.txq_page: First TX queue
// page.
const LayoutTxqPage = 0x10

// LayoutRxqPage is what every NIC of this interface answers in layout.rxq_page: First RX queue
// page.
const LayoutRxqPage = 0x20

// Layout is the value of a register. Where the other 4 KiB pages are, as page numbers.
type Layout uint32

// SAPage returns bits 7:0. Page of the SA window.
func (r Layout) SAPage() uint8 { return uint8(r & 0xff) }

// StatsPage returns bits 15:8. Page of the statistics.
func (r Layout) StatsPage() uint8 { return uint8(r >> 8 & 0xff) }

// TxqPage returns bits 23:16. First TX queue page.
func (r Layout) TxqPage() uint8 { return uint8(r >> 16 & 0xff) }

// RxqPage returns bits 31:24. First RX queue page.
func (r Layout) RxqPage() uint8 { return uint8(r >> 24 & 0xff) }

// CapSize is the value of a register. How many of each.
type CapSize uint32

// NumTxq returns bits 7:0. TX queues.
func (r CapSize) NumTxq() uint8 { return uint8(r & 0xff) }

// NumRxq returns bits 15:8. RX queues.
func (r CapSize) NumRxq() uint8 { return uint8(r >> 8 & 0xff) }

// NumVectors returns bits 23:16. Interrupt vectors.
func (r CapSize) NumVectors() uint8 { return uint8(r >> 16 & 0xff) }

// Lanes returns bits 27:24. Lanes of 128 bits in the data path.
func (r CapSize) Lanes() uint8 { return uint8(r >> 24 & 0xf) }

// CapSA is the value of a register. SA slots.
type CapSA uint32

// Capacity returns bits 23:0. Slots, inbound and outbound together.
func (r CapSA) Capacity() uint32 { return uint32(r & 0xffffff) }

// CapAlg is the value of a register. Algorithms, as the IPsecOV2 capability masks.
type CapAlg uint32

// Encryption returns bits 8:0. EncryptionAlgorithms: 0x08/0x10/0x20 AES-GCM 128/192/256.
func (r CapAlg) Encryption() uint16 { return uint16(r & 0x1ff) }

// Authentication returns bits 21:16. AuthenticationAlgorithms.
func (r CapAlg) Authentication() uint8 { return uint8(r >> 16 & 0x3f) }

// ICV returns bits 26:24. ICV lengths: bit 0 16 bytes, bit 1 12, bit 2 8.
func (r CapAlg) ICV() uint8 { return uint8(r >> 24 & 0x7) }

// CapFeature is the value of a register. Features, as the IPsecOV2 capability record's booleans.
type CapFeature uint32

// IPv4 returns bit 0. Packets over IPv4.
func (r CapFeature) IPv4() bool { return r&0x1 != 0 }

// IPv6 returns bit 1. IPv6Supported.
func (r CapFeature) IPv6() bool { return r&0x2 != 0 }

// IPv4Options returns bit 2. IPv4Options.
func (r CapFeature) IPv4Options() bool { return r&0x4 != 0 }

// IPv6ExtHeaders returns bit 3. IPv6NonIPsecExtensionHeaders.
func (r CapFeature) IPv6ExtHeaders() bool { return r&0x8 != 0 }

// AH returns bit 4. Ah.
func (r CapFeature) AH() bool { return r&0x10 != 0 }

// ESP returns bit 5. Esp.
func (r CapFeature) ESP() bool { return r&0x20 != 0 }

// AHESP returns bit 6. AhEspCombined.
func (r CapFeature) AHESP() bool { return r&0x40 != 0 }

// Transport returns bit 7. Transport.
func (r CapFeature) Transport() bool { return r&0x80 != 0 }

// Tunnel returns bit 8. Tunnel.
func (r CapFeature) Tunnel() bool { return r&0x100 != 0 }

// TransportTunnel returns bit 9. TransportTunnelCombined.
func (r CapFeature) TransportTunnel() bool { return r&0x200 != 0 }

// LSO returns bit 10. LsoSupported.
func (r CapFeature) LSO() bool { return r&0x400 != 0 }

// ESN returns bit 11. ExtendedSequenceNumbers.
func (r CapFeature) ESN() bool { return r&0x800 != 0 }

// UDPESP returns bits 15:12. UdpEsp mask of IPsecOV2.
func (r CapFeature) UDPESP() uint8 { return uint8(r >> 12 & 0xf) }

// Encapsulation returns bits 20:16. Encapsulation mask of IPsecOV2: 2 Ethernet, 4 tag in data, 8
// tag out of band, 0x10 LLC/SNAP.
func (r CapFeature) Encapsulation() uint8 { return uint8(r >> 16 & 0x1f) }

// Loopback returns bit 24. CTRL.LOOPBACK works.
func (r CapFeature) Loopback() bool { return r&0x1000000 != 0 }

// ControlProcessor returns bit 25. SAs are managed by firmware through the mailbox; the SA window
// answers the control processor only.
func (r CapFeature) ControlProcessor() bool { return r&0x2000000 != 0 }

// CapRing is the value of a register. Ring limits.
type CapRing uint32

// MinLog2 returns bits 3:0. Smallest RING_LOG2.
func (r CapRing) MinLog2() uint8 { return uint8(r & 0xf) }

// MaxLog2 returns bits 7:4. Largest RING_LOG2.
func (r CapRing) MaxLog2() uint8 { return uint8(r >> 4 & 0xf) }

// Prefetch returns bits 15:8. Descriptors prefetched per queue.
func (r CapRing) Prefetch() uint8 { return uint8(r >> 8 & 0xff) }

// CapFrame is the value of a register. Frame limits.
type CapFrame uint32

// MaxFrame returns bits 15:0. Longest frame in bytes, no FCS, either way.
func (r CapFrame) MaxFrame() uint16 { return uint16(r & 0xffff) }

// CapClock is the value of a register. Clock for which the design is meant; what a cycle counts.
type CapClock uint32

// MHz returns bits 15:0. MHz.
func (r CapClock) MHz() uint16 { return uint16(r & 0xffff) }

// LayoutCpCpPage is what every NIC of this interface answers in layout_cp.cp_page: Page of CP_*
// and MBOX_*.
const LayoutCpCpPage = 0x3

// LayoutCpCommandPage is what every NIC of this interface answers in layout_cp.command_page: Page
// of the command slots.
const LayoutCpCommandPage = 0x4

// LayoutCpResponsePage is what every NIC of this interface answers in layout_cp.response_page:
// Page of the response slots.
const LayoutCpResponsePage = 0x5

// LayoutCpLogPage is what every NIC of this interface answers in layout_cp.log_page: Page of the
// log.
const LayoutCpLogPage = 0x6

// LayoutCp is the value of a register. Where the pages of the control processor are, as page
// numbers; with CAP_FEATURE.CONTROL_PROCESSOR.
type LayoutCp uint32

// CpPage returns bits 7:0. Page of CP_* and MBOX_*.
func (r LayoutCp) CpPage() uint8 { return uint8(r & 0xff) }

// CommandPage returns bits 15:8. Page of the command slots.
func (r LayoutCp) CommandPage() uint8 { return uint8(r >> 8 & 0xff) }

// ResponsePage returns bits 23:16. Page of the response slots.
func (r LayoutCp) ResponsePage() uint8 { return uint8(r >> 16 & 0xff) }

// LogPage returns bits 31:24. Page of the log.
func (r LayoutCp) LogPage() uint8 { return uint8(r >> 24 & 0xff) }

// Ctrl is the value of a register. Global control.
type Ctrl uint32

// Reset returns bit 0. Write 1: stop, let bus transactions end, forget all state, zeroise all SAs.
// Reads 1 until done (also STATUS.RESET_BUSY).
func (r Ctrl) Reset() bool { return r&0x1 != 0 }

// WithReset returns r with Reset set to v.
func (r Ctrl) WithReset(v bool) Ctrl {
	if v {
		return r | 0x1
	}
	return r &^ 0x1
}

// TxEnable returns bit 1. 1: TX queues are served.
func (r Ctrl) TxEnable() bool { return r&0x2 != 0 }

// WithTxEnable returns r with TxEnable set to v.
func (r Ctrl) WithTxEnable(v bool) Ctrl {
	if v {
		return r | 0x2
	}
	return r &^ 0x2
}

// RxEnable returns bit 2. 1: frames from the wire are accepted.
func (r Ctrl) RxEnable() bool { return r&0x4 != 0 }

// WithRxEnable returns r with RxEnable set to v.
func (r Ctrl) WithRxEnable(v bool) Ctrl {
	if v {
		return r | 0x4
	}
	return r &^ 0x4
}

// IPsecEnable returns bit 3. 1: IPsec processing is active. 0: frames are received untouched,
// sends with IPSEC fail with OFFLOAD_OFF.
func (r Ctrl) IPsecEnable() bool { return r&0x8 != 0 }

// WithIPsecEnable returns r with IPsecEnable set to v.
func (r Ctrl) WithIPsecEnable(v bool) Ctrl {
	if v {
		return r | 0x8
	}
	return r &^ 0x8
}

// Loopback returns bit 4. 1: frames sent come back as frames received; the wire is silent and
// ignored. Change only while TX_ENABLE and RX_ENABLE are 0.
func (r Ctrl) Loopback() bool { return r&0x10 != 0 }

// WithLoopback returns r with Loopback set to v.
func (r Ctrl) WithLoopback(v bool) Ctrl {
	if v {
		return r | 0x10
	}
	return r &^ 0x10
}

// CtrlReset is the value after a reset.
const CtrlReset Ctrl = 0x0

// Status is the value of a register. Global status.
type Status uint32

// Ready returns bit 0. 1: reset and start-up zeroisation are over.
func (r Status) Ready() bool { return r&0x1 != 0 }

// ResetBusy returns bit 1. 1: a reset is in progress.
func (r Status) ResetBusy() bool { return r&0x2 != 0 }

// Zeroised returns bit 2. 1: no SA slot holds key material.
func (r Status) Zeroised() bool { return r&0x4 != 0 }

// TxIdle returns bit 3. 1: no TX frame is between descriptor and wire.
func (r Status) TxIdle() bool { return r&0x8 != 0 }

// RxIdle returns bit 4. 1: no RX frame is between wire and completion.
func (r Status) RxIdle() bool { return r&0x10 != 0 }

// RxDefault is the value of a register. Queue for received frames that match no SA.
type RxDefault uint32

// Queue returns bits 3:0. RX queue number.
func (r RxDefault) Queue() uint8 { return uint8(r & 0xf) }

// WithQueue returns r with Queue set to v; bits of v above the lowest 4 are ignored.
func (r RxDefault) WithQueue(v uint8) RxDefault { return r&^0xf | RxDefault(v)&0xf }

// RxDefaultReset is the value after a reset.
const RxDefaultReset RxDefault = 0x0

// IntModeration is the value of a register. Moderation per vector: an armed vector fires when
// either limit is reached after an event.
type IntModeration uint32

// Count returns bits 7:0. Events that fire at once; 0 and 1 mean every event.
func (r IntModeration) Count() uint8 { return uint8(r & 0xff) }

// WithCount returns r with Count set to v.
func (r IntModeration) WithCount(v uint8) IntModeration { return r&^0xff | IntModeration(v) }

// Time returns bits 31:16. Cycles after the first event at which it fires regardless, in units of
// 16; 0 means at once.
func (r IntModeration) Time() uint16 { return uint16(r >> 16 & 0xffff) }

// WithTime returns r with Time set to v.
func (r IntModeration) WithTime(v uint16) IntModeration { return r&^0xffff0000 | IntModeration(v)<<16 }

// IntModerationReset is the value after a reset.
const IntModerationReset IntModeration = 0x0

// SACmd is the value of a register. Start an operation on the window. Ignored while
// SA_STATUS.BUSY.
type SACmd uint32

// Op returns bits 2:0. Operation.
func (r SACmd) Op() SAOp { return SAOp(r & 0x7) }

// WithOp returns r with Op set to v; bits of v above the lowest 3 are ignored.
func (r SACmd) WithOp(v SAOp) SACmd { return r&^0x7 | SACmd(v)&0x7 }

// SACmdReset is the value after a reset.
const SACmdReset SACmd = 0x0

// SAStatus is the value of a register. State of the SA window.
type SAStatus uint32

// Busy returns bit 0. 1: an operation runs; the window must not be written.
func (r SAStatus) Busy() bool { return r&0x1 != 0 }

// Result returns bits 7:4. Result of the last operation.
func (r SAStatus) Result() SAResult { return SAResult(r >> 4 & 0xf) }

// Cycles returns bits 31:16. Clock cycles the last operation took, from the write of SA_CMD until
// its effect was usable.
func (r SAStatus) Cycles() uint16 { return uint16(r >> 16 & 0xffff) }

// SAHandle is the value of a register. Which SA: the host gives INDEX (and GENERATION for UPDATE
// and DELETE), the NIC gives GENERATION.
type SAHandle uint32

// Index returns bits 15:0. Slot.
func (r SAHandle) Index() uint16 { return uint16(r & 0xffff) }

// WithIndex returns r with Index set to v.
func (r SAHandle) WithIndex(v uint16) SAHandle { return r&^0xffff | SAHandle(v) }

// Generation returns bits 31:16. Generation; never 0 for a live SA.
func (r SAHandle) Generation() uint16 { return uint16(r >> 16 & 0xffff) }

// WithGeneration returns r with Generation set to v.
func (r SAHandle) WithGeneration(v uint16) SAHandle { return r&^0xffff0000 | SAHandle(v)<<16 }

// SAHandleReset is the value after a reset.
const SAHandleReset SAHandle = 0x0

// SAFlags is the value of a register. What kind of SA this is.
type SAFlags uint32

// Inbound returns bit 0. 1: inbound, found by lookup; 0: outbound, named by descriptors.
func (r SAFlags) Inbound() bool { return r&0x1 != 0 }

// WithInbound returns r with Inbound set to v.
func (r SAFlags) WithInbound(v bool) SAFlags {
	if v {
		return r | 0x1
	}
	return r &^ 0x1
}

// IPv6 returns bit 1. 1: DST and SRC are IPv6 and the SA matches IPv6 packets; 0: IPv4.
func (r SAFlags) IPv6() bool { return r&0x2 != 0 }

// WithIPv6 returns r with IPv6 set to v.
func (r SAFlags) WithIPv6(v bool) SAFlags {
	if v {
		return r | 0x2
	}
	return r &^ 0x2
}

// Tunnel returns bit 2. 1: tunnel mode; 0: transport mode (chooses which AUTH_FAILED status is
// reported).
func (r SAFlags) Tunnel() bool { return r&0x4 != 0 }

// WithTunnel returns r with Tunnel set to v.
func (r SAFlags) WithTunnel(v bool) SAFlags {
	if v {
		return r | 0x4
	}
	return r &^ 0x4
}

// ESN returns bit 3. 1: 64-bit extended sequence numbers.
func (r SAFlags) ESN() bool { return r&0x8 != 0 }

// WithESN returns r with ESN set to v.
func (r SAFlags) WithESN(v bool) SAFlags {
	if v {
		return r | 0x8
	}
	return r &^ 0x8
}

// KeyLen returns bits 5:4. AES key length.
func (r SAFlags) KeyLen() KeyLen { return KeyLen(r >> 4 & 0x3) }

// WithKeyLen returns r with KeyLen set to v; bits of v above the lowest 2 are ignored.
func (r SAFlags) WithKeyLen(v KeyLen) SAFlags { return r&^0x30 | (SAFlags(v)&0x3)<<4 }

// RxQueue returns bits 11:8. RX queue that receives packets of an inbound SA.
func (r SAFlags) RxQueue() uint8 { return uint8(r >> 8 & 0xf) }

// WithRxQueue returns r with RxQueue set to v; bits of v above the lowest 4 are ignored.
func (r SAFlags) WithRxQueue(v uint8) SAFlags { return r&^0xf00 | (SAFlags(v)&0xf)<<8 }

// SAFlagsReset is the value after a reset.
const SAFlagsReset SAFlags = 0x0

// CpCtrl is the value of a register. The control processor.
type CpCtrl uint32

// Run returns bit 0. 0: the processor is in reset. 1: it runs. Written 1 it starts at address 0,
// if CP_STATUS.IMAGE_OK; a fault or a reset of the NIC clears it. Starting forgets all commands
// and responses.
func (r CpCtrl) Run() bool { return r&0x1 != 0 }

// WithRun returns r with Run set to v.
func (r CpCtrl) WithRun(v bool) CpCtrl {
	if v {
		return r | 0x1
	}
	return r &^ 0x1
}

// CpCtrlReset is the value after a reset.
const CpCtrlReset CpCtrl = 0x0

// CpStatus is the value of a register. State of the control processor.
type CpStatus uint32

// Running returns bit 0. 1: it runs.
func (r CpStatus) Running() bool { return r&0x1 != 0 }

// ImageOK returns bit 1. 1: what was loaded ends in the right CRC. Kept through a reset of the
// NIC.
func (r CpStatus) ImageOK() bool { return r&0x2 != 0 }

// Ready returns bit 2. 1: the firmware takes commands.
func (r CpStatus) Ready() bool { return r&0x4 != 0 }

// SelftestPassed returns bit 3. 1: the start-up self-tests have passed since the last reset; only
// then can queues be enabled and are frames accepted.
func (r CpStatus) SelftestPassed() bool { return r&0x8 != 0 }

// SelftestFailed returns bit 4. 1: a self-test failed.
func (r CpStatus) SelftestFailed() bool { return r&0x10 != 0 }

// Fault returns bits 11:8. Why it stopped; NONE again when it is started.
func (r CpStatus) Fault() CpFault { return CpFault(r >> 8 & 0xf) }

// CpFwVersion is the value of a register. Version of the firmware that runs.
type CpFwVersion uint32

// Patch returns bits 15:0. Patch.
func (r CpFwVersion) Patch() uint16 { return uint16(r & 0xffff) }

// Minor returns bits 23:16. Minor.
func (r CpFwVersion) Minor() uint8 { return uint8(r >> 16 & 0xff) }

// Major returns bits 31:24. Major: that of VERSION.
func (r CpFwVersion) Major() uint8 { return uint8(r >> 24 & 0xff) }

// CpLoadAddr is the value of a register. Write: byte address of the next word loaded, a multiple
// of 4; 0 starts an image and its CRC. Ignored while the processor runs.
type CpLoadAddr uint32

// Address returns bits 23:0. Address.
func (r CpLoadAddr) Address() uint32 { return uint32(r & 0xffffff) }

// WithAddress returns r with Address set to v; bits of v above the lowest 24 are ignored.
func (r CpLoadAddr) WithAddress(v uint32) CpLoadAddr { return r&^0xffffff | CpLoadAddr(v)&0xffffff }

// CpLoadAddrReset is the value after a reset.
const CpLoadAddrReset CpLoadAddr = 0x0

// MboxDoorbell is the value of a register. Write a slot's number: its command is posted. Ignored
// if the slot is posted already.
type MboxDoorbell uint32

// WithSlot returns r with Slot set to v; bits of v above the lowest 5 are ignored.
func (r MboxDoorbell) WithSlot(v uint8) MboxDoorbell { return r&^0x1f | MboxDoorbell(v)&0x1f }

// MboxDoorbellReset is the value after a reset.
const MboxDoorbellReset MboxDoorbell = 0x0

// MboxCtrl is the value of a register. Mailbox.
type MboxCtrl uint32

// Vector returns bits 4:0. Interrupt vector of answers and faults.
func (r MboxCtrl) Vector() uint8 { return uint8(r & 0x1f) }

// WithVector returns r with Vector set to v; bits of v above the lowest 5 are ignored.
func (r MboxCtrl) WithVector(v uint8) MboxCtrl { return r&^0x1f | MboxCtrl(v)&0x1f }

// MboxCtrlReset is the value after a reset.
const MboxCtrlReset MboxCtrl = 0x0

// MboxSizeSlots is what every NIC of this interface answers in mbox_size.slots: Slots.
const MboxSizeSlots = 0x20

// MboxSizeStride is what every NIC of this interface answers in mbox_size.stride: Bytes from one
// slot to the next, in both pages.
const MboxSizeStride = 0x80

// MboxSize is the value of a register. Size of the mailbox.
type MboxSize uint32

// Slots returns bits 7:0. Slots.
func (r MboxSize) Slots() uint8 { return uint8(r & 0xff) }

// Stride returns bits 23:8. Bytes from one slot to the next, in both pages.
func (r MboxSize) Stride() uint16 { return uint16(r >> 8 & 0xffff) }

// CpNext is the value of a register. Firmware: the next slot posted. Reading takes it from the
// queue.
type CpNext uint32

// Slot returns bits 4:0. Slot.
func (r CpNext) Slot() uint8 { return uint8(r & 0x1f) }

// Valid returns bit 31. 1: there was one.
func (r CpNext) Valid() bool { return r&0x80000000 != 0 }

// CpAnswer is the value of a register. Firmware: write a slot's number: its response is complete.
type CpAnswer uint32

// WithSlot returns r with Slot set to v; bits of v above the lowest 5 are ignored.
func (r CpAnswer) WithSlot(v uint8) CpAnswer { return r&^0x1f | CpAnswer(v)&0x1f }

// CpAnswerReset is the value after a reset.
const CpAnswerReset CpAnswer = 0x0

// CpReport is the value of a register. Firmware: sets the bits of CP_STATUS.
type CpReport uint32

// Ready returns bit 2. READY.
func (r CpReport) Ready() bool { return r&0x4 != 0 }

// WithReady returns r with Ready set to v.
func (r CpReport) WithReady(v bool) CpReport {
	if v {
		return r | 0x4
	}
	return r &^ 0x4
}

// SelftestPassed returns bit 3. SELFTEST_PASSED; once 1 it stays until a reset of the NIC.
func (r CpReport) SelftestPassed() bool { return r&0x8 != 0 }

// WithSelftestPassed returns r with SelftestPassed set to v.
func (r CpReport) WithSelftestPassed(v bool) CpReport {
	if v {
		return r | 0x8
	}
	return r &^ 0x8
}

// SelftestFailed returns bit 4. SELFTEST_FAILED.
func (r CpReport) SelftestFailed() bool { return r&0x10 != 0 }

// WithSelftestFailed returns r with SelftestFailed set to v.
func (r CpReport) WithSelftestFailed(v bool) CpReport {
	if v {
		return r | 0x10
	}
	return r &^ 0x10
}

// CpReportReset is the value after a reset.
const CpReportReset CpReport = 0x0

// CpLogPut is the value of a register. Firmware: write one byte to the log.
type CpLogPut uint32

// WithByteValue returns r with ByteValue set to v.
func (r CpLogPut) WithByteValue(v uint8) CpLogPut { return r&^0xff | CpLogPut(v) }

// CpLogPutReset is the value after a reset.
const CpLogPutReset CpLogPut = 0x0

// CpSelftest is the value of a register. Firmware: start one self-test: a frame from the self-test
// page through one crypt unit and back there. Ignored once SELFTEST_PASSED.
type CpSelftest uint32

// WithRx returns r with Rx set to v.
func (r CpSelftest) WithRx(v bool) CpSelftest {
	if v {
		return r | 0x1
	}
	return r &^ 0x1
}

// WithKeyLen returns r with KeyLen set to v; bits of v above the lowest 2 are ignored.
func (r CpSelftest) WithKeyLen(v KeyLen) CpSelftest { return r&^0x6 | (CpSelftest(v)&0x3)<<1 }

// WithESN returns r with ESN set to v.
func (r CpSelftest) WithESN(v bool) CpSelftest {
	if v {
		return r | 0x8
	}
	return r &^ 0x8
}

// WithLength returns r with Length set to v; bits of v above the lowest 9 are ignored.
func (r CpSelftest) WithLength(v uint16) CpSelftest { return r&^0x1ff0 | (CpSelftest(v)&0x1ff)<<4 }

// WithESPOffset returns r with ESPOffset set to v.
func (r CpSelftest) WithESPOffset(v uint8) CpSelftest { return r&^0xff0000 | CpSelftest(v)<<16 }

// WithPayload returns r with Payload set to v.
func (r CpSelftest) WithPayload(v uint8) CpSelftest { return r&^0xff000000 | CpSelftest(v)<<24 }

// CpSelftestReset is the value after a reset.
const CpSelftestReset CpSelftest = 0x0

// CpSelftestSA is the value of a register. Firmware: SA slot whose keys the self-test uses.
type CpSelftestSA uint32

// WithValue returns r with Value set to v.
func (r CpSelftestSA) WithValue(v uint16) CpSelftestSA { return r&^0xffff | CpSelftestSA(v) }

// CpSelftestSAReset is the value after a reset.
const CpSelftestSAReset CpSelftestSA = 0x0

// CpSelftestStatus is the value of a register. Firmware: outcome of the self-test.
type CpSelftestStatus uint32

// Busy returns bit 0. 1: under way.
func (r CpSelftestStatus) Busy() bool { return r&0x1 != 0 }

// Result returns bits 6:4. Result.
func (r CpSelftestStatus) Result() SelftestResult { return SelftestResult(r >> 4 & 0x7) }

// Length returns bits 24:16. Bytes that came back.
func (r CpSelftestStatus) Length() uint16 { return uint16(r >> 16 & 0x1ff) }

// MboxCommandHeader is the value of a register. What to do.
type MboxCommandHeader uint32

// WithOpcode returns r with Opcode set to v; bits of v above the lowest 8 are ignored.
func (r MboxCommandHeader) WithOpcode(v MailboxOp) MboxCommandHeader {
	return r&^0xff | MboxCommandHeader(v)&0xff
}

// WithTag returns r with Tag set to v.
func (r MboxCommandHeader) WithTag(v uint16) MboxCommandHeader {
	return r&^0xffff0000 | MboxCommandHeader(v)<<16
}

// MboxCommandHeaderReset is the value after a reset.
const MboxCommandHeaderReset MboxCommandHeader = 0x0

// MboxResponseHeader is the value of a register. How it ended.
type MboxResponseHeader uint32

// Opcode returns bits 7:0. Operation of the command.
func (r MboxResponseHeader) Opcode() MailboxOp { return MailboxOp(r & 0xff) }

// Status returns bits 15:8. Outcome.
func (r MboxResponseHeader) Status() MailboxStatus { return MailboxStatus(r >> 8 & 0xff) }

// Tag returns bits 31:16. Tag of the command.
func (r MboxResponseHeader) Tag() uint16 { return uint16(r >> 16 & 0xffff) }

// MboxResponseDetail is the value of a register. About a refusal.
type MboxResponseDetail uint32

// FieldAtFault returns bits 7:0. The field that is at fault.
func (r MboxResponseDetail) FieldAtFault() MailboxField { return MailboxField(r & 0xff) }

// QueueCtrl is the value of a register. Queue control. Ring registers may be written only while
// ENABLE is 0.
type QueueCtrl uint32

// Enable returns bit 0. 1: the queue runs. 0 to 1 starts both rings at index 0, phase 1. 1 to 0
// stops fetching; STATUS.ACTIVE falls when the last completion is written.
func (r QueueCtrl) Enable() bool { return r&0x1 != 0 }

// WithEnable returns r with Enable set to v.
func (r QueueCtrl) WithEnable(v bool) QueueCtrl {
	if v {
		return r | 0x1
	}
	return r &^ 0x1
}

// RingLog2 returns bits 7:4. Entries in each ring as a power of two.
func (r QueueCtrl) RingLog2() uint8 { return uint8(r >> 4 & 0xf) }

// WithRingLog2 returns r with RingLog2 set to v; bits of v above the lowest 4 are ignored.
func (r QueueCtrl) WithRingLog2(v uint8) QueueCtrl { return r&^0xf0 | (QueueCtrl(v)&0xf)<<4 }

// Vector returns bits 12:8. Interrupt vector of this queue.
func (r QueueCtrl) Vector() uint8 { return uint8(r >> 8 & 0x1f) }

// WithVector returns r with Vector set to v; bits of v above the lowest 5 are ignored.
func (r QueueCtrl) WithVector(v uint8) QueueCtrl { return r&^0x1f00 | (QueueCtrl(v)&0x1f)<<8 }

// QueueCtrlReset is the value after a reset.
const QueueCtrlReset QueueCtrl = 0x0

// QueueStatus is the value of a register. Queue status.
type QueueStatus uint32

// Active returns bit 0. 1: enabled, or still finishing work accepted while enabled.
func (r QueueStatus) Active() bool { return r&0x1 != 0 }

// Error returns bit 1. 1: stopped by an error; clear by writing ENABLE 0.
func (r QueueStatus) Error() bool { return r&0x2 != 0 }

// ErrorCode returns bits 7:4. Why it stopped.
func (r QueueStatus) ErrorCode() QueueError { return QueueError(r >> 4 & 0xf) }

// QueueTail is the value of a register. Doorbell: index of the first descriptor that the NIC may
// not use yet. Ring full is size - 1 descriptors.
type QueueTail uint32

// Value returns bits 15:0. Producer index, below the ring size.
func (r QueueTail) Value() uint16 { return uint16(r & 0xffff) }

// WithValue returns r with Value set to v.
func (r QueueTail) WithValue(v uint16) QueueTail { return r&^0xffff | QueueTail(v) }

// QueueTailReset is the value after a reset.
const QueueTailReset QueueTail = 0x0

// QueueHead is the value of a register. Index of the next descriptor to be processed.
type QueueHead uint32

// Value returns bits 15:0. Consumer index.
func (r QueueHead) Value() uint16 { return uint16(r & 0xffff) }

// QueueCplBatch is the value of a register. Completion batching. Up to four completions share one
// 64-byte write.
type QueueCplBatch uint32

// Count returns bits 2:0. Completions gathered before a write, 1 to 4; 0 means 4.
func (r QueueCplBatch) Count() uint8 { return uint8(r & 0x7) }

// WithCount returns r with Count set to v; bits of v above the lowest 3 are ignored.
func (r QueueCplBatch) WithCount(v uint8) QueueCplBatch { return r&^0x7 | QueueCplBatch(v)&0x7 }

// Timer returns bits 31:16. Clock cycles after which an incomplete batch is written; 0 means at
// once.
func (r QueueCplBatch) Timer() uint16 { return uint16(r >> 16 & 0xffff) }

// WithTimer returns r with Timer set to v.
func (r QueueCplBatch) WithTimer(v uint16) QueueCplBatch { return r&^0xffff0000 | QueueCplBatch(v)<<16 }

// QueueCplBatchReset is the value after a reset.
const QueueCplBatchReset QueueCplBatch = 0x400000
