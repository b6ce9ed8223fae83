// SPDX-License-Identifier: Apache-2.0

// Code generated from regs/espalier.rdl by make regs. DO NOT EDIT.

package regs

var mapSAOp = Enum{Name: "sa_op", Values: []EnumValue{
	{Name: "NOP", Value: 0, Desc: "No operation; completes at once with OK"},
	{Name: "ADD", Value: 1, Desc: "Install the record in the window into slot HANDLE.INDEX; expands the key and the powers of H; writes the new generation to HANDLE"},
	{Name: "UPDATE", Value: 2, Desc: "Set ESN_HI of the SA named by HANDLE (index and generation) from the window"},
	{Name: "DELETE", Value: 3, Desc: "Stop using the SA named by HANDLE, wait for its packets to leave the pipelines, zeroise the slot"},
	{Name: "READ", Value: 4, Desc: "Copy slot HANDLE.INDEX into the window, keys and salt excepted (they read as zero); writes the generation to HANDLE"},
	{Name: "RESTORE", Value: 5, Desc: "As ADD, but the slot keeps its generation, which must be the one in HANDLE: brings an SA back under its handle after a reset"},
}}

var mapSAResult = Enum{Name: "sa_result", Values: []EnumValue{
	{Name: "OK", Value: 0, Desc: "Done"},
	{Name: "BAD_OP", Value: 1, Desc: "Unknown operation"},
	{Name: "BAD_INDEX", Value: 2, Desc: "HANDLE.INDEX is not below SA_CAPACITY"},
	{Name: "SLOT_IN_USE", Value: 3, Desc: "ADD on a slot that holds an SA"},
	{Name: "STALE_HANDLE", Value: 4, Desc: "The slot is empty or its generation differs; RESTORE: its generation differs"},
	{Name: "DUPLICATE", Value: 5, Desc: "ADD of an inbound SA whose SPI, destination and IP version are already present"},
	{Name: "LOOKUP_FULL", Value: 6, Desc: "ADD of an inbound SA for which every way of both hash buckets is taken"},
	{Name: "BAD_RECORD", Value: 7, Desc: "The record asks for something CAP_* does not state, or SPI is 0"},
	{Name: "EMPTY_SLOT", Value: 8, Desc: "READ of a slot that holds no SA"},
}}

var mapKeyLen = Enum{Name: "keylen", Values: []EnumValue{
	{Name: "AES128", Value: 0, Desc: "AES-GCM with a 16-byte key"},
	{Name: "AES192", Value: 1, Desc: "AES-GCM with a 24-byte key"},
	{Name: "AES256", Value: 2, Desc: "AES-GCM with a 32-byte key"},
}}

var mapCpFault = Enum{Name: "cp_fault", Values: []EnumValue{
	{Name: "NONE", Value: 0, Desc: "No fault"},
	{Name: "TRAP", Value: 1, Desc: "Illegal instruction or misaligned access"},
	{Name: "BUS", Value: 2, Desc: "Access to an address where nothing is, or a write to the program"},
	{Name: "WATCHDOG", Value: 3, Desc: "The firmware did not write CP_HEARTBEAT in time"},
}}

var mapSelftestResult = Enum{Name: "selftest_result", Values: []EnumValue{
	{Name: "PASS", Value: 0, Desc: "The frame went through as it was"},
	{Name: "OK", Value: 1, Desc: "Encrypted, or decrypted with a good ICV"},
	{Name: "AUTH", Value: 2, Desc: "ICV wrong"},
	{Name: "SYNTAX", Value: 3, Desc: "Lengths are impossible"},
	{Name: "ERROR", Value: 4, Desc: "The frame ends too early"},
}}

var mapMailboxOp = Enum{Name: "mailbox_op", Values: []EnumValue{
	{Name: "NOP", Value: 0, Desc: "Nothing; answered with OK"},
	{Name: "ADD_SA", Value: 1, Desc: "Install SA in a free slot that the firmware chooses; answers with HANDLE"},
	{Name: "RESTORE_SA", Value: 2, Desc: "Install SA in the slot and with the generation of HANDLE, which must be the slot's last one"},
	{Name: "UPDATE_SA", Value: 3, Desc: "Set the upper half of the sequence numbers of HANDLE to SA.ESN_HI; SA.SPI must be the SA's"},
	{Name: "DELETE_SA", Value: 4, Desc: "Delete HANDLE; answered when no frame uses it any more and its keys are zeroised"},
	{Name: "READ_SA", Value: 5, Desc: "Read HANDLE back"},
	{Name: "NEXT_SA", Value: 6, Desc: "Read back the SA in the lowest slot in use that is not below HANDLE.INDEX"},
}}

var mapMailboxStatus = Enum{Name: "mailbox_status", Values: []EnumValue{
	{Name: "OK", Value: 0, Desc: "Done"},
	{Name: "BAD_OP", Value: 1, Desc: "Unknown operation"},
	{Name: "BAD_RECORD", Value: 2, Desc: "A field of the SA is not what CAP_* allows; FIELD says which"},
	{Name: "NO_SPACE", Value: 3, Desc: "No free slot"},
	{Name: "LOOKUP_FULL", Value: 4, Desc: "No room in the lookup table for this SPI and destination"},
	{Name: "DUPLICATE", Value: 5, Desc: "An inbound SA with this SPI, destination and IP version exists"},
	{Name: "STALE_HANDLE", Value: 6, Desc: "HANDLE names no SA; RESTORE_SA: not the slot's last generation"},
	{Name: "NOT_ESN", Value: 7, Desc: "UPDATE_SA of an SA without ESN"},
	{Name: "SLOT_IN_USE", Value: 8, Desc: "RESTORE_SA into a slot that holds an SA"},
	{Name: "NO_MORE", Value: 9, Desc: "NEXT_SA: no SA at or above this slot"},
	{Name: "SELFTEST_FAILED", Value: 10, Desc: "The start-up self-tests failed; no command is carried out"},
	{Name: "HARDWARE", Value: 11, Desc: "The SA engine refused what the firmware had found good"},
}}

var mapMailboxField = Enum{Name: "mailbox_field", Values: []EnumValue{
	{Name: "NONE", Value: 0, Desc: "No single field"},
	{Name: "SPI", Value: 1, Desc: "SA.SPI"},
	{Name: "KEYLEN", Value: 2, Desc: "SA.FLAGS.KEYLEN"},
	{Name: "RX_QUEUE", Value: 3, Desc: "SA.FLAGS.RX_QUEUE"},
	{Name: "DST", Value: 4, Desc: "SA.DST"},
	{Name: "SRC", Value: 5, Desc: "SA.SRC"},
	{Name: "FLAGS", Value: 6, Desc: "Bits of SA.FLAGS that have no meaning"},
	{Name: "HANDLE", Value: 7, Desc: "HANDLE"},
}}

var mapQueueError = Enum{Name: "queue_error", Values: []EnumValue{
	{Name: "NONE", Value: 0, Desc: "No error"},
	{Name: "DESC_READ", Value: 1, Desc: "Fetching descriptors failed on the bus"},
	{Name: "CPL_WRITE", Value: 2, Desc: "Writing completions failed on the bus"},
	{Name: "BAD_TAIL", Value: 3, Desc: "TAIL was written with a value not below the ring size"},
	{Name: "BAD_CONFIG", Value: 4, Desc: "ENABLE was set with a RING_LOG2 outside CAP_RING, or a ring address not aligned to 64 bytes"},
}}

var mapCryptoStatus = Enum{Name: "crypto_status", Values: []EnumValue{
	{Name: "SUCCESS", Value: 0, Desc: "Decrypted where needed and every ICV that was checked is good"},
	{Name: "GENERIC_ERROR", Value: 1, Desc: "Failed, unspecified"},
	{Name: "TRANSPORT_AH_AUTH_FAILED", Value: 2, Desc: "AH ICV of the transport portion is bad"},
	{Name: "TRANSPORT_ESP_AUTH_FAILED", Value: 3, Desc: "ESP ICV of the transport portion is bad"},
	{Name: "TUNNEL_AH_AUTH_FAILED", Value: 4, Desc: "AH ICV of the tunnel portion is bad"},
	{Name: "TUNNEL_ESP_AUTH_FAILED", Value: 5, Desc: "ESP ICV of the tunnel portion is bad"},
	{Name: "INVALID_PACKET_SYNTAX", Value: 6, Desc: "Lengths are impossible on a matching SA"},
	{Name: "INVALID_PROTOCOL", Value: 7, Desc: "The packet's protocols differ from the SA's"},
}}

var mapCompletionStatus = Enum{Name: "completion_status", Values: []EnumValue{
	{Name: "OK", Value: 0, Desc: "Done as asked"},
	{Name: "STALE_HANDLE", Value: 1, Desc: "TX: the SA handle names no outbound SA of that generation; the frame was not sent"},
	{Name: "BAD_LENGTH", Value: 2, Desc: "TX: LENGTH below 14 or above CAP_FRAME.MAX_FRAME, or too short for the ESP packet, or its payload is not a multiple of 4; not sent"},
	{Name: "BAD_OFFSET", Value: 3, Desc: "TX: ESP_OFFSET leaves no room for Ethernet and IP headers; not sent"},
	{Name: "DMA_READ", Value: 4, Desc: "TX: reading the frame failed on the bus; not sent"},
	{Name: "DMA_WRITE", Value: 5, Desc: "RX: writing the frame failed on the bus; buffer contents are undefined"},
	{Name: "OFFLOAD_OFF", Value: 6, Desc: "TX: IPSEC asked for while CTRL.IPSEC_ENABLE is 0; not sent (fail closed)"},
	{Name: "TRUNCATED", Value: 7, Desc: "RX: the buffer was shorter than the frame; LENGTH is the frame's, the buffer holds its beginning"},
}}

// Map is every register of BAR 0, in the order of the pages. An array is one entry.
var Map = []Register{
	{Name: "id", Offset: 0x0, Access: ReadOnly, Desc: "Identity: the ASCII letters ESPL, first letter in the lowest byte", Fields: []Field{
		{Name: "magic", LSB: 0, Width: 32, Access: ReadOnly, HasReset: true, Reset: 0x4c505345, Desc: "Always 0x4C505345"},
	}},
	{Name: "version", Offset: 0x4, Access: ReadOnly, Desc: "Version of this register interface. Software refuses another MAJOR.", Fields: []Field{
		{Name: "patch", LSB: 0, Width: 16, Access: ReadOnly, HasReset: true, Desc: "Patch"},
		{Name: "minor", LSB: 16, Width: 8, Access: ReadOnly, HasReset: true, Reset: 0x1, Desc: "Minor: additions only"},
		{Name: "major", LSB: 24, Width: 8, Access: ReadOnly, HasReset: true, Reset: 0x1, Desc: "Major: incompatible change"},
	}},
	{Name: "build_id", Offset: 0x8, Access: ReadOnly, Desc: "Build identification of this RTL (parameter BUILD_ID); 0 if not stamped", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "layout", Offset: 0xc, Access: ReadOnly, Desc: "Where the other 4 KiB pages are, as page numbers", Fields: []Field{
		{Name: "sa_page", LSB: 0, Width: 8, Access: ReadOnly, HasReset: true, Reset: 0x1, Desc: "Page of the SA window"},
		{Name: "stats_page", LSB: 8, Width: 8, Access: ReadOnly, HasReset: true, Reset: 0x2, Desc: "Page of the statistics"},
		{Name: "txq_page", LSB: 16, Width: 8, Access: ReadOnly, HasReset: true, Reset: 0x10, Desc: "First TX queue page"},
		{Name: "rxq_page", LSB: 24, Width: 8, Access: ReadOnly, HasReset: true, Reset: 0x20, Desc: "First RX queue page"},
	}},
	{Name: "cap_size", Offset: 0x10, Access: ReadOnly, Desc: "How many of each", Fields: []Field{
		{Name: "num_txq", LSB: 0, Width: 8, Access: ReadOnly, Desc: "TX queues"},
		{Name: "num_rxq", LSB: 8, Width: 8, Access: ReadOnly, Desc: "RX queues"},
		{Name: "num_vectors", LSB: 16, Width: 8, Access: ReadOnly, Desc: "Interrupt vectors"},
		{Name: "lanes", LSB: 24, Width: 4, Access: ReadOnly, Desc: "Lanes of 128 bits in the data path"},
	}},
	{Name: "cap_sa", Offset: 0x14, Access: ReadOnly, Desc: "SA slots", Fields: []Field{
		{Name: "capacity", LSB: 0, Width: 24, Access: ReadOnly, Desc: "Slots, inbound and outbound together"},
	}},
	{Name: "cap_alg", Offset: 0x18, Access: ReadOnly, Desc: "Algorithms, as the IPsecOV2 capability masks", Fields: []Field{
		{Name: "encryption", LSB: 0, Width: 9, Access: ReadOnly, Desc: "EncryptionAlgorithms: 0x08/0x10/0x20 AES-GCM 128/192/256"},
		{Name: "authentication", LSB: 16, Width: 6, Access: ReadOnly, Desc: "AuthenticationAlgorithms"},
		{Name: "icv", LSB: 24, Width: 3, Access: ReadOnly, Desc: "ICV lengths: bit 0 16 bytes, bit 1 12, bit 2 8"},
	}},
	{Name: "cap_feature", Offset: 0x1c, Access: ReadOnly, Desc: "Features, as the IPsecOV2 capability record's booleans", Fields: []Field{
		{Name: "ipv4", LSB: 0, Width: 1, Access: ReadOnly, Desc: "Packets over IPv4"},
		{Name: "ipv6", LSB: 1, Width: 1, Access: ReadOnly, Desc: "IPv6Supported"},
		{Name: "ipv4_options", LSB: 2, Width: 1, Access: ReadOnly, Desc: "IPv4Options"},
		{Name: "ipv6_ext_headers", LSB: 3, Width: 1, Access: ReadOnly, Desc: "IPv6NonIPsecExtensionHeaders"},
		{Name: "ah", LSB: 4, Width: 1, Access: ReadOnly, Desc: "Ah"},
		{Name: "esp", LSB: 5, Width: 1, Access: ReadOnly, Desc: "Esp"},
		{Name: "ah_esp", LSB: 6, Width: 1, Access: ReadOnly, Desc: "AhEspCombined"},
		{Name: "transport", LSB: 7, Width: 1, Access: ReadOnly, Desc: "Transport"},
		{Name: "tunnel", LSB: 8, Width: 1, Access: ReadOnly, Desc: "Tunnel"},
		{Name: "transport_tunnel", LSB: 9, Width: 1, Access: ReadOnly, Desc: "TransportTunnelCombined"},
		{Name: "lso", LSB: 10, Width: 1, Access: ReadOnly, Desc: "LsoSupported"},
		{Name: "esn", LSB: 11, Width: 1, Access: ReadOnly, Desc: "ExtendedSequenceNumbers"},
		{Name: "udp_esp", LSB: 12, Width: 4, Access: ReadOnly, Desc: "UdpEsp mask of IPsecOV2"},
		{Name: "encapsulation", LSB: 16, Width: 5, Access: ReadOnly, Desc: "Encapsulation mask of IPsecOV2: 2 Ethernet, 4 tag in data, 8 tag out of band, 0x10 LLC/SNAP"},
		{Name: "loopback", LSB: 24, Width: 1, Access: ReadOnly, Desc: "CTRL.LOOPBACK works"},
		{Name: "control_processor", LSB: 25, Width: 1, Access: ReadOnly, Desc: "SAs are managed by firmware through the mailbox; the SA window answers the control processor only"},
	}},
	{Name: "cap_ring", Offset: 0x20, Access: ReadOnly, Desc: "Ring limits", Fields: []Field{
		{Name: "min_log2", LSB: 0, Width: 4, Access: ReadOnly, Desc: "Smallest RING_LOG2"},
		{Name: "max_log2", LSB: 4, Width: 4, Access: ReadOnly, Desc: "Largest RING_LOG2"},
		{Name: "prefetch", LSB: 8, Width: 8, Access: ReadOnly, Desc: "Descriptors prefetched per queue"},
	}},
	{Name: "cap_frame", Offset: 0x24, Access: ReadOnly, Desc: "Frame limits", Fields: []Field{
		{Name: "max_frame", LSB: 0, Width: 16, Access: ReadOnly, Desc: "Longest frame in bytes, no FCS, either way"},
	}},
	{Name: "cap_clock", Offset: 0x28, Access: ReadOnly, Desc: "Clock for which the design is meant; what a cycle counts", Fields: []Field{
		{Name: "mhz", LSB: 0, Width: 16, Access: ReadOnly, Desc: "MHz"},
	}},
	{Name: "layout_cp", Offset: 0x2c, Access: ReadOnly, Desc: "Where the pages of the control processor are, as page numbers; with CAP_FEATURE.CONTROL_PROCESSOR", Fields: []Field{
		{Name: "cp_page", LSB: 0, Width: 8, Access: ReadOnly, HasReset: true, Reset: 0x3, Desc: "Page of CP_* and MBOX_*"},
		{Name: "command_page", LSB: 8, Width: 8, Access: ReadOnly, HasReset: true, Reset: 0x4, Desc: "Page of the command slots"},
		{Name: "response_page", LSB: 16, Width: 8, Access: ReadOnly, HasReset: true, Reset: 0x5, Desc: "Page of the response slots"},
		{Name: "log_page", LSB: 24, Width: 8, Access: ReadOnly, HasReset: true, Reset: 0x6, Desc: "Page of the log"},
	}},
	{Name: "ctrl", Offset: 0x40, Access: ReadWrite, Desc: "Global control", Fields: []Field{
		{Name: "reset", LSB: 0, Width: 1, Access: WriteOneToSet, HasReset: true, Desc: "Write 1: stop, let bus transactions end, forget all state, zeroise all SAs. Reads 1 until done (also STATUS.RESET_BUSY)"},
		{Name: "tx_enable", LSB: 1, Width: 1, Access: ReadWrite, HasReset: true, Desc: "1: TX queues are served"},
		{Name: "rx_enable", LSB: 2, Width: 1, Access: ReadWrite, HasReset: true, Desc: "1: frames from the wire are accepted"},
		{Name: "ipsec_enable", LSB: 3, Width: 1, Access: ReadWrite, HasReset: true, Desc: "1: IPsec processing is active. 0: frames are received untouched, sends with IPSEC fail with OFFLOAD_OFF"},
		{Name: "loopback", LSB: 4, Width: 1, Access: ReadWrite, HasReset: true, Desc: "1: frames sent come back as frames received; the wire is silent and ignored. Change only while TX_ENABLE and RX_ENABLE are 0"},
	}},
	{Name: "status", Offset: 0x44, Access: ReadOnly, Desc: "Global status", Fields: []Field{
		{Name: "ready", LSB: 0, Width: 1, Access: ReadOnly, Desc: "1: reset and start-up zeroisation are over"},
		{Name: "reset_busy", LSB: 1, Width: 1, Access: ReadOnly, Desc: "1: a reset is in progress"},
		{Name: "zeroised", LSB: 2, Width: 1, Access: ReadOnly, Desc: "1: no SA slot holds key material"},
		{Name: "tx_idle", LSB: 3, Width: 1, Access: ReadOnly, Desc: "1: no TX frame is between descriptor and wire"},
		{Name: "rx_idle", LSB: 4, Width: 1, Access: ReadOnly, Desc: "1: no RX frame is between wire and completion"},
	}},
	{Name: "rx_default", Offset: 0x48, Access: ReadWrite, Desc: "Queue for received frames that match no SA", Fields: []Field{
		{Name: "queue", LSB: 0, Width: 4, Access: ReadWrite, HasReset: true, Desc: "RX queue number"},
	}},
	{Name: "scratch", Offset: 0x4c, Access: ReadWrite, Desc: "For tests of the path to the NIC; does nothing", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadWrite, HasReset: true, Desc: "Value"},
	}},
	{Name: "cycles_lo", Offset: 0x50, Access: ReadOnly, Desc: "Clock cycles since the last hard reset, bits 31:0; reading it latches CYCLES_HI", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "cycles_hi", Offset: 0x54, Access: ReadOnly, Desc: "Clock cycles, bits 63:32, as of the last read of CYCLES_LO", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "int_cause", Offset: 0x80, Access: ReadWrite, Desc: "Interrupt causes, one bit per vector; write 1 to clear", Fields: []Field{
		{Name: "vector", LSB: 0, Width: 32, Access: WriteOneToClear, HasReset: true, Desc: "Vector n raised"},
	}},
	{Name: "int_mask", Offset: 0x84, Access: ReadWrite, Desc: "Interrupt masks, one bit per vector; 1: the cause is recorded, no interrupt is sent", Fields: []Field{
		{Name: "vector", LSB: 0, Width: 32, Access: ReadWrite, HasReset: true, Reset: 0xffffffff, Desc: "Vector n masked"},
	}},
	{Name: "int_arm", Offset: 0x88, Access: WriteOnly, Desc: "Re-arm: a vector that has sent an interrupt sends no other until its bit is written 1 here", Fields: []Field{
		{Name: "vector", LSB: 0, Width: 32, Access: WriteOnly, HasReset: true, Desc: "Vector n re-armed"},
	}},
	{Name: "int_set", Offset: 0x8c, Access: WriteOnly, Desc: "Raise vectors by hand: counts one event on each vector written 1", Fields: []Field{
		{Name: "vector", LSB: 0, Width: 32, Access: WriteOnly, HasReset: true, Desc: "Vector n"},
	}},
	{Name: "int_moderation[]", Offset: 0x100, Count: 32, Stride: 0x4, Access: ReadWrite, Desc: "Moderation per vector: an armed vector fires when either limit is reached after an event.", Fields: []Field{
		{Name: "count", LSB: 0, Width: 8, Access: ReadWrite, HasReset: true, Desc: "Events that fire at once; 0 and 1 mean every event"},
		{Name: "time", LSB: 16, Width: 16, Access: ReadWrite, HasReset: true, Desc: "Cycles after the first event at which it fires regardless, in units of 16; 0 means at once"},
	}},
	{Name: "sa_cmd", Offset: 0x1000, Access: ReadWrite, Desc: "Start an operation on the window. Ignored while SA_STATUS.BUSY.", Fields: []Field{
		{Name: "op", LSB: 0, Width: 3, Access: ReadWrite, HasReset: true, Enum: &mapSAOp, Desc: "Operation"},
	}},
	{Name: "sa_status", Offset: 0x1004, Access: ReadOnly, Desc: "State of the SA window", Fields: []Field{
		{Name: "busy", LSB: 0, Width: 1, Access: ReadOnly, Desc: "1: an operation runs; the window must not be written"},
		{Name: "result", LSB: 4, Width: 4, Access: ReadOnly, Enum: &mapSAResult, Desc: "Result of the last operation"},
		{Name: "cycles", LSB: 16, Width: 16, Access: ReadOnly, Desc: "Clock cycles the last operation took, from the write of SA_CMD until its effect was usable"},
	}},
	{Name: "sa_handle", Offset: 0x1008, Access: ReadWrite, Desc: "Which SA: the host gives INDEX (and GENERATION for UPDATE and DELETE), the NIC gives GENERATION", Fields: []Field{
		{Name: "index", LSB: 0, Width: 16, Access: ReadWrite, HasReset: true, Desc: "Slot"},
		{Name: "generation", LSB: 16, Width: 16, Access: ReadWrite, HasReset: true, Desc: "Generation; never 0 for a live SA"},
	}},
	{Name: "sa_nonce[]", Offset: 0x1010, Count: 2, Stride: 0x4, Access: ReadWrite, Desc: "Nonce of the key fingerprints. 0 in both words: no fingerprints are made, they read as 0. Change only while there is no SA", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadWrite, HasReset: true, Desc: "Value"},
	}},
	{Name: "sa.spi", Offset: 0x1040, Access: ReadWrite, Desc: "SPI; 0 is refused", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadWrite, HasReset: true, Desc: "Value"},
	}},
	{Name: "sa.flags", Offset: 0x1044, Access: ReadWrite, Desc: "What kind of SA this is", Fields: []Field{
		{Name: "inbound", LSB: 0, Width: 1, Access: ReadWrite, HasReset: true, Desc: "1: inbound, found by lookup; 0: outbound, named by descriptors"},
		{Name: "ipv6", LSB: 1, Width: 1, Access: ReadWrite, HasReset: true, Desc: "1: DST and SRC are IPv6 and the SA matches IPv6 packets; 0: IPv4"},
		{Name: "tunnel", LSB: 2, Width: 1, Access: ReadWrite, HasReset: true, Desc: "1: tunnel mode; 0: transport mode (chooses which AUTH_FAILED status is reported)"},
		{Name: "esn", LSB: 3, Width: 1, Access: ReadWrite, HasReset: true, Desc: "1: 64-bit extended sequence numbers"},
		{Name: "keylen", LSB: 4, Width: 2, Access: ReadWrite, HasReset: true, Enum: &mapKeyLen, Desc: "AES key length"},
		{Name: "rx_queue", LSB: 8, Width: 4, Access: ReadWrite, HasReset: true, Desc: "RX queue that receives packets of an inbound SA"},
	}},
	{Name: "sa.esn_hi", Offset: 0x1048, Access: ReadWrite, Desc: "Upper half of the 64-bit sequence number; used with ESN", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadWrite, HasReset: true, Desc: "Value"},
	}},
	{Name: "sa.salt", Offset: 0x104c, Access: WriteOnly, Desc: "Salt of RFC 4106, first byte most significant", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: WriteOnly, HasReset: true, Desc: "Value; write-only, reads as zero"},
	}},
	{Name: "sa.dst[]", Offset: 0x1050, Count: 4, Stride: 0x4, Access: ReadWrite, Desc: "Destination address; an IPv4 address is word 0, the others 0. All zero: any destination", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadWrite, HasReset: true, Desc: "Value"},
	}},
	{Name: "sa.src[]", Offset: 0x1060, Count: 4, Stride: 0x4, Access: ReadWrite, Desc: "Source address; all zero: any source", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadWrite, HasReset: true, Desc: "Value"},
	}},
	{Name: "sa.key[]", Offset: 0x1070, Count: 8, Stride: 0x4, Access: WriteOnly, Desc: "AES key, first byte most significant in word 0; unused words are ignored", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: WriteOnly, HasReset: true, Desc: "Value; write-only, reads as zero"},
	}},
	{Name: "sa_counters[]", Offset: 0x10a0, Count: 8, Stride: 0x4, Access: ReadOnly, Desc: "What READ found beside the record. Words 0, 1: frames (low, high). 2, 3: bytes of those frames, Ethernet header to last byte, no FCS. 4: inbound: frames with a wrong ICV. 5: inbound: frames with impossible lengths. 6, 7: key fingerprint, the first 8 bytes of the AES encryption under the SA's key of SA_NONCE (8 bytes) followed by 64 zero bits, first byte most significant in word 6; no GCM counter block ends in 32 zero bits. Frames and bytes count what was encrypted, or decrypted with success; they start at 0 with ADD and RESTORE", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "stat_tx_frames.lo", Offset: 0x2000, Access: ReadOnly, Desc: "Frames sent to the wire: bits 31:0; reading it latches HI", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "stat_tx_frames.hi", Offset: 0x2004, Access: ReadOnly, Desc: "Frames sent to the wire: bits 63:32 as of the last read of LO", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "stat_tx_bytes.lo", Offset: 0x2008, Access: ReadOnly, Desc: "Bytes of those frames, no FCS: bits 31:0; reading it latches HI", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "stat_tx_bytes.hi", Offset: 0x200c, Access: ReadOnly, Desc: "Bytes of those frames, no FCS: bits 63:32 as of the last read of LO", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "stat_tx_esp.lo", Offset: 0x2010, Access: ReadOnly, Desc: "Frames encrypted and sent: bits 31:0; reading it latches HI", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "stat_tx_esp.hi", Offset: 0x2014, Access: ReadOnly, Desc: "Frames encrypted and sent: bits 63:32 as of the last read of LO", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "stat_tx_err_handle.lo", Offset: 0x2018, Access: ReadOnly, Desc: "Sends failed with STALE_HANDLE: bits 31:0; reading it latches HI", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "stat_tx_err_handle.hi", Offset: 0x201c, Access: ReadOnly, Desc: "Sends failed with STALE_HANDLE: bits 63:32 as of the last read of LO", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "stat_tx_err_desc.lo", Offset: 0x2020, Access: ReadOnly, Desc: "Sends failed with BAD_LENGTH, BAD_OFFSET or OFFLOAD_OFF: bits 31:0; reading it latches HI", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "stat_tx_err_desc.hi", Offset: 0x2024, Access: ReadOnly, Desc: "Sends failed with BAD_LENGTH, BAD_OFFSET or OFFLOAD_OFF: bits 63:32 as of the last read of LO", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "stat_tx_err_dma.lo", Offset: 0x2028, Access: ReadOnly, Desc: "Sends failed with DMA_READ: bits 31:0; reading it latches HI", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "stat_tx_err_dma.hi", Offset: 0x202c, Access: ReadOnly, Desc: "Sends failed with DMA_READ: bits 63:32 as of the last read of LO", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "stat_rx_frames.lo", Offset: 0x2030, Access: ReadOnly, Desc: "Frames accepted from the wire, dropped ones included: bits 31:0; reading it latches HI", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "stat_rx_frames.hi", Offset: 0x2034, Access: ReadOnly, Desc: "Frames accepted from the wire, dropped ones included: bits 63:32 as of the last read of LO", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "stat_rx_bytes.lo", Offset: 0x2038, Access: ReadOnly, Desc: "Bytes of those frames, no FCS: bits 31:0; reading it latches HI", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "stat_rx_bytes.hi", Offset: 0x203c, Access: ReadOnly, Desc: "Bytes of those frames, no FCS: bits 63:32 as of the last read of LO", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "stat_rx_esp_ok.lo", Offset: 0x2040, Access: ReadOnly, Desc: "ESP frames delivered with SUCCESS: bits 31:0; reading it latches HI", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "stat_rx_esp_ok.hi", Offset: 0x2044, Access: ReadOnly, Desc: "ESP frames delivered with SUCCESS: bits 63:32 as of the last read of LO", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "stat_rx_auth_failed.lo", Offset: 0x2048, Access: ReadOnly, Desc: "ESP frames delivered with *_ESP_AUTH_FAILED: bits 31:0; reading it latches HI", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "stat_rx_auth_failed.hi", Offset: 0x204c, Access: ReadOnly, Desc: "ESP frames delivered with *_ESP_AUTH_FAILED: bits 63:32 as of the last read of LO", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "stat_rx_syntax.lo", Offset: 0x2050, Access: ReadOnly, Desc: "ESP frames delivered with INVALID_PACKET_SYNTAX: bits 31:0; reading it latches HI", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "stat_rx_syntax.hi", Offset: 0x2054, Access: ReadOnly, Desc: "ESP frames delivered with INVALID_PACKET_SYNTAX: bits 63:32 as of the last read of LO", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "stat_rx_no_sa.lo", Offset: 0x2058, Access: ReadOnly, Desc: "ESP frames delivered untouched because no SA matched: bits 31:0; reading it latches HI", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "stat_rx_no_sa.hi", Offset: 0x205c, Access: ReadOnly, Desc: "ESP frames delivered untouched because no SA matched: bits 63:32 as of the last read of LO", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "stat_rx_untouched.lo", Offset: 0x2060, Access: ReadOnly, Desc: "Other frames delivered untouched: bits 31:0; reading it latches HI", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "stat_rx_untouched.hi", Offset: 0x2064, Access: ReadOnly, Desc: "Other frames delivered untouched: bits 63:32 as of the last read of LO", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "stat_rx_drop_no_desc.lo", Offset: 0x2068, Access: ReadOnly, Desc: "Frames dropped because the queue had no descriptor or was not enabled: bits 31:0; reading it latches HI", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "stat_rx_drop_no_desc.hi", Offset: 0x206c, Access: ReadOnly, Desc: "Frames dropped because the queue had no descriptor or was not enabled: bits 63:32 as of the last read of LO", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "stat_rx_drop_bad.lo", Offset: 0x2070, Access: ReadOnly, Desc: "Frames dropped because the MAC flagged them or they exceed MAX_FRAME or are under 14 bytes: bits 31:0; reading it latches HI", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "stat_rx_drop_bad.hi", Offset: 0x2074, Access: ReadOnly, Desc: "Frames dropped because the MAC flagged them or they exceed MAX_FRAME or are under 14 bytes: bits 63:32 as of the last read of LO", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "stat_rx_err_dma.lo", Offset: 0x2078, Access: ReadOnly, Desc: "Frames lost with DMA_WRITE: bits 31:0; reading it latches HI", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "stat_rx_err_dma.hi", Offset: 0x207c, Access: ReadOnly, Desc: "Frames lost with DMA_WRITE: bits 63:32 as of the last read of LO", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "cp_ctrl", Offset: 0x3000, Access: ReadWrite, Desc: "The control processor", Fields: []Field{
		{Name: "run", LSB: 0, Width: 1, Access: ReadWrite, HasReset: true, Desc: "0: the processor is in reset. 1: it runs. Written 1 it starts at address 0, if CP_STATUS.IMAGE_OK; a fault or a reset of the NIC clears it. Starting forgets all commands and responses"},
	}},
	{Name: "cp_status", Offset: 0x3004, Access: ReadOnly, Desc: "State of the control processor", Fields: []Field{
		{Name: "running", LSB: 0, Width: 1, Access: ReadOnly, Desc: "1: it runs"},
		{Name: "image_ok", LSB: 1, Width: 1, Access: ReadOnly, Desc: "1: what was loaded ends in the right CRC. Kept through a reset of the NIC"},
		{Name: "ready", LSB: 2, Width: 1, Access: ReadOnly, Desc: "1: the firmware takes commands"},
		{Name: "selftest_passed", LSB: 3, Width: 1, Access: ReadOnly, Desc: "1: the start-up self-tests have passed since the last reset; only then can queues be enabled and are frames accepted"},
		{Name: "selftest_failed", LSB: 4, Width: 1, Access: ReadOnly, Desc: "1: a self-test failed"},
		{Name: "fault", LSB: 8, Width: 4, Access: ReadOnly, Enum: &mapCpFault, Desc: "Why it stopped; NONE again when it is started"},
	}},
	{Name: "cp_heartbeat", Offset: 0x3008, Access: ReadOnly, Desc: "Counts writes of the firmware; a write restarts the watchdog", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "cp_fw_version", Offset: 0x300c, Access: ReadOnly, Desc: "Version of the firmware that runs", Fields: []Field{
		{Name: "patch", LSB: 0, Width: 16, Access: ReadOnly, Desc: "Patch"},
		{Name: "minor", LSB: 16, Width: 8, Access: ReadOnly, Desc: "Minor"},
		{Name: "major", LSB: 24, Width: 8, Access: ReadOnly, Desc: "Major: that of VERSION"},
	}},
	{Name: "cp_fw_build", Offset: 0x3010, Access: ReadOnly, Desc: "Build id of the firmware that runs", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "cp_load_addr", Offset: 0x3014, Access: ReadWrite, Desc: "Write: byte address of the next word loaded, a multiple of 4; 0 starts an image and its CRC. Ignored while the processor runs", Fields: []Field{
		{Name: "address", LSB: 0, Width: 24, Access: ReadWrite, HasReset: true, Desc: "Address"},
	}},
	{Name: "cp_load_data", Offset: 0x3018, Access: WriteOnly, Desc: "Write: loads a word and advances CP_LOAD_ADDR by 4. Ignored while the processor runs. Reads as 0", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: WriteOnly, HasReset: true, Desc: "Value"},
	}},
	{Name: "cp_load_crc", Offset: 0x301c, Access: ReadOnly, Desc: "CRC-32 (IEEE 802.3, reflected, not inverted at the end) of what was loaded from address 0 on; 0xDEBB20E3 after an image that ends in its CRC", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "cp_ram", Offset: 0x3020, Access: ReadOnly, Desc: "Size of the processor's memory", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Bytes"},
	}},
	{Name: "cp_watchdog", Offset: 0x3024, Access: ReadOnly, Desc: "Clock cycles without a write of CP_HEARTBEAT after which the processor counts as hung", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Cycles"},
	}},
	{Name: "cp_pc", Offset: 0x3028, Access: ReadOnly, Desc: "Address of the last instruction fetched; after a fault, where it happened", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Address"},
	}},
	{Name: "cp_log_head", Offset: 0x302c, Access: ReadOnly, Desc: "Bytes ever written to the log since the processor was started; the next goes to this number modulo 4096 of the log page", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Bytes"},
	}},
	{Name: "mbox_doorbell", Offset: 0x3040, Access: WriteOnly, Desc: "Write a slot's number: its command is posted. Ignored if the slot is posted already", Fields: []Field{
		{Name: "slot", LSB: 0, Width: 5, Access: WriteOnly, HasReset: true, Desc: "Slot"},
	}},
	{Name: "mbox_pending", Offset: 0x3044, Access: ReadOnly, Desc: "Slots posted and not answered", Fields: []Field{
		{Name: "slot", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Slot n"},
	}},
	{Name: "mbox_done", Offset: 0x3048, Access: ReadWrite, Desc: "Slots answered; write 1 to clear. Each answer is one event on MBOX_CTRL.VECTOR, and so is a fault of the processor", Fields: []Field{
		{Name: "slot", LSB: 0, Width: 32, Access: WriteOneToClear, HasReset: true, Desc: "Slot n"},
	}},
	{Name: "mbox_ctrl", Offset: 0x304c, Access: ReadWrite, Desc: "Mailbox", Fields: []Field{
		{Name: "vector", LSB: 0, Width: 5, Access: ReadWrite, HasReset: true, Desc: "Interrupt vector of answers and faults"},
	}},
	{Name: "mbox_size", Offset: 0x3050, Access: ReadOnly, Desc: "Size of the mailbox", Fields: []Field{
		{Name: "slots", LSB: 0, Width: 8, Access: ReadOnly, HasReset: true, Reset: 0x20, Desc: "Slots"},
		{Name: "stride", LSB: 8, Width: 16, Access: ReadOnly, HasReset: true, Reset: 0x80, Desc: "Bytes from one slot to the next, in both pages"},
	}},
	{Name: "cp_next", Offset: 0x3080, Access: ReadOnly, Desc: "Firmware: the next slot posted. Reading takes it from the queue", Fields: []Field{
		{Name: "slot", LSB: 0, Width: 5, Access: ReadOnly, Desc: "Slot"},
		{Name: "valid", LSB: 31, Width: 1, Access: ReadOnly, Desc: "1: there was one"},
	}},
	{Name: "cp_answer", Offset: 0x3084, Access: WriteOnly, Desc: "Firmware: write a slot's number: its response is complete", Fields: []Field{
		{Name: "slot", LSB: 0, Width: 5, Access: WriteOnly, HasReset: true, Desc: "Slot"},
	}},
	{Name: "cp_alive", Offset: 0x3088, Access: ReadWrite, Desc: "Firmware: write anything: alive. Read as CP_HEARTBEAT", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadWrite, HasReset: true, Desc: "Value"},
	}},
	{Name: "cp_report", Offset: 0x308c, Access: ReadWrite, Desc: "Firmware: sets the bits of CP_STATUS", Fields: []Field{
		{Name: "ready", LSB: 2, Width: 1, Access: ReadWrite, HasReset: true, Desc: "READY"},
		{Name: "selftest_passed", LSB: 3, Width: 1, Access: ReadWrite, HasReset: true, Desc: "SELFTEST_PASSED; once 1 it stays until a reset of the NIC"},
		{Name: "selftest_failed", LSB: 4, Width: 1, Access: ReadWrite, HasReset: true, Desc: "SELFTEST_FAILED"},
	}},
	{Name: "cp_set_version", Offset: 0x3090, Access: WriteOnly, Desc: "Firmware: value of CP_FW_VERSION", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: WriteOnly, HasReset: true, Desc: "Value"},
	}},
	{Name: "cp_set_build", Offset: 0x3094, Access: WriteOnly, Desc: "Firmware: value of CP_FW_BUILD", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: WriteOnly, HasReset: true, Desc: "Value"},
	}},
	{Name: "cp_log_put", Offset: 0x3098, Access: WriteOnly, Desc: "Firmware: write one byte to the log", Fields: []Field{
		{Name: "byte_value", LSB: 0, Width: 8, Access: WriteOnly, HasReset: true, Desc: "Byte"},
	}},
	{Name: "cp_sa_live", Offset: 0x309c, Access: ReadOnly, Desc: "Firmware: SA slots in use", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Slots"},
	}},
	{Name: "cp_selftest", Offset: 0x30a0, Access: WriteOnly, Desc: "Firmware: start one self-test: a frame from the self-test page through one crypt unit and back there. Ignored once SELFTEST_PASSED", Fields: []Field{
		{Name: "rx", LSB: 0, Width: 1, Access: WriteOnly, HasReset: true, Desc: "1: the RX unit (decrypt); 0: the TX unit (encrypt)"},
		{Name: "keylen", LSB: 1, Width: 2, Access: WriteOnly, HasReset: true, Enum: &mapKeyLen, Desc: "Key length"},
		{Name: "esn", LSB: 3, Width: 1, Access: WriteOnly, HasReset: true, Desc: "ESN"},
		{Name: "length", LSB: 4, Width: 9, Access: WriteOnly, HasReset: true, Desc: "Frame length in bytes, at most 256"},
		{Name: "esp_offset", LSB: 16, Width: 8, Access: WriteOnly, HasReset: true, Desc: "Offset of the ESP header in the frame, a multiple of 4"},
		{Name: "payload", LSB: 24, Width: 8, Access: WriteOnly, HasReset: true, Desc: "Length of the ESP payload with its trailer"},
	}},
	{Name: "cp_selftest_sa", Offset: 0x30a4, Access: WriteOnly, Desc: "Firmware: SA slot whose keys the self-test uses", Fields: []Field{
		{Name: "value", LSB: 0, Width: 16, Access: WriteOnly, HasReset: true, Desc: "Slot"},
	}},
	{Name: "cp_selftest_salt", Offset: 0x30a8, Access: WriteOnly, Desc: "Firmware: salt of the self-test", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: WriteOnly, HasReset: true, Desc: "Salt"},
	}},
	{Name: "cp_selftest_esn_hi", Offset: 0x30ac, Access: WriteOnly, Desc: "Firmware: upper half of the sequence number of the self-test", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: WriteOnly, HasReset: true, Desc: "Value"},
	}},
	{Name: "cp_selftest_status", Offset: 0x30b0, Access: ReadOnly, Desc: "Firmware: outcome of the self-test", Fields: []Field{
		{Name: "busy", LSB: 0, Width: 1, Access: ReadOnly, Desc: "1: under way"},
		{Name: "result", LSB: 4, Width: 3, Access: ReadOnly, Enum: &mapSelftestResult, Desc: "Result"},
		{Name: "length", LSB: 16, Width: 9, Access: ReadOnly, Desc: "Bytes that came back"},
	}},
	{Name: "mbox_command.header", Offset: 0x4000, Access: WriteOnly, Desc: "What to do", Fields: []Field{
		{Name: "opcode", LSB: 0, Width: 8, Access: WriteOnly, HasReset: true, Enum: &mapMailboxOp, Desc: "Operation"},
		{Name: "tag", LSB: 16, Width: 16, Access: WriteOnly, HasReset: true, Desc: "Comes back in the response"},
	}},
	{Name: "mbox_command.handle", Offset: 0x4004, Access: WriteOnly, Desc: "SA handle, as in SA_HANDLE", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: WriteOnly, HasReset: true, Desc: "Value; write-only, reads as zero"},
	}},
	{Name: "mbox_command.reserved[]", Offset: 0x4008, Count: 2, Stride: 0x4, Access: WriteOnly, Desc: "0", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: WriteOnly, HasReset: true, Desc: "Value; write-only, reads as zero"},
	}},
	{Name: "mbox_command.spi", Offset: 0x4010, Access: WriteOnly, Desc: "The words from here to KEY are those of the SA window", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: WriteOnly, HasReset: true, Desc: "Value; write-only, reads as zero"},
	}},
	{Name: "mbox_command.flags", Offset: 0x4014, Access: WriteOnly, Desc: "As SA.FLAGS", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: WriteOnly, HasReset: true, Desc: "Value; write-only, reads as zero"},
	}},
	{Name: "mbox_command.esn_hi", Offset: 0x4018, Access: WriteOnly, Desc: "As SA.ESN_HI", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: WriteOnly, HasReset: true, Desc: "Value; write-only, reads as zero"},
	}},
	{Name: "mbox_command.salt", Offset: 0x401c, Access: WriteOnly, Desc: "As SA.SALT", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: WriteOnly, HasReset: true, Desc: "Value; write-only, reads as zero"},
	}},
	{Name: "mbox_command.dst[]", Offset: 0x4020, Count: 4, Stride: 0x4, Access: WriteOnly, Desc: "As SA.DST", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: WriteOnly, HasReset: true, Desc: "Value; write-only, reads as zero"},
	}},
	{Name: "mbox_command.src[]", Offset: 0x4030, Count: 4, Stride: 0x4, Access: WriteOnly, Desc: "As SA.SRC", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: WriteOnly, HasReset: true, Desc: "Value; write-only, reads as zero"},
	}},
	{Name: "mbox_command.key[]", Offset: 0x4040, Count: 8, Stride: 0x4, Access: WriteOnly, Desc: "As SA.KEY", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: WriteOnly, HasReset: true, Desc: "Value; write-only, reads as zero"},
	}},
	{Name: "mbox_command.unused[]", Offset: 0x4060, Count: 8, Stride: 0x4, Access: WriteOnly, Desc: "0", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: WriteOnly, HasReset: true, Desc: "Value; write-only, reads as zero"},
	}},
	{Name: "mbox_command_slots[]", Offset: 0x4080, Count: 992, Stride: 0x4, Access: WriteOnly, Desc: "Command slots 1 to 31, laid out as slot 0", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: WriteOnly, HasReset: true, Desc: "Value; write-only, reads as zero"},
	}},
	{Name: "mbox_response.header", Offset: 0x5000, Access: ReadOnly, Desc: "How it ended", Fields: []Field{
		{Name: "opcode", LSB: 0, Width: 8, Access: ReadOnly, Enum: &mapMailboxOp, Desc: "Operation of the command"},
		{Name: "status", LSB: 8, Width: 8, Access: ReadOnly, Enum: &mapMailboxStatus, Desc: "Outcome"},
		{Name: "tag", LSB: 16, Width: 16, Access: ReadOnly, Desc: "Tag of the command"},
	}},
	{Name: "mbox_response.handle", Offset: 0x5004, Access: ReadOnly, Desc: "Handle of the SA that was added, restored or read, else the command's", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "mbox_response.detail", Offset: 0x5008, Access: ReadOnly, Desc: "About a refusal", Fields: []Field{
		{Name: "field_at_fault", LSB: 0, Width: 8, Access: ReadOnly, Enum: &mapMailboxField, Desc: "The field that is at fault"},
	}},
	{Name: "mbox_response.cycles", Offset: 0x500c, Access: ReadOnly, Desc: "Clock cycles from taking the command to this answer", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "mbox_response.spi", Offset: 0x5010, Access: ReadOnly, Desc: "From here on only for READ_SA and NEXT_SA: as SA.SPI", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "mbox_response.flags", Offset: 0x5014, Access: ReadOnly, Desc: "As SA.FLAGS", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "mbox_response.esn_hi", Offset: 0x5018, Access: ReadOnly, Desc: "As SA.ESN_HI", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "mbox_response.reserved", Offset: 0x501c, Access: ReadOnly, Desc: "0", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "mbox_response.dst[]", Offset: 0x5020, Count: 4, Stride: 0x4, Access: ReadOnly, Desc: "As SA.DST", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "mbox_response.src[]", Offset: 0x5030, Count: 4, Stride: 0x4, Access: ReadOnly, Desc: "As SA.SRC", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "mbox_response.counters[]", Offset: 0x5040, Count: 8, Stride: 0x4, Access: ReadOnly, Desc: "As SA_COUNTERS", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "mbox_response.unused[]", Offset: 0x5060, Count: 8, Stride: 0x4, Access: ReadOnly, Desc: "0", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "mbox_response_slots[]", Offset: 0x5080, Count: 992, Stride: 0x4, Access: ReadOnly, Desc: "Response slots 1 to 31, laid out as slot 0", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Value"},
	}},
	{Name: "cp_log[]", Offset: 0x6000, Count: 1024, Stride: 0x4, Access: ReadOnly, Desc: "Log of the firmware: ASCII lines in a ring of 4096 bytes", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadOnly, Desc: "Four characters, first one lowest"},
	}},
	{Name: "cp_selftest_frame[]", Offset: 0x7000, Count: 64, Stride: 0x4, Access: ReadWrite, Desc: "Firmware: frame of the self-test, byte 0 lowest in word 0; what comes back replaces it", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadWrite, HasReset: true, Desc: "Value"},
	}},
	{Name: "txq[].ctrl", Offset: 0x10000, Count: 16, Stride: 0x1000, Access: ReadWrite, Desc: "Queue control. Ring registers may be written only while ENABLE is 0.", Fields: []Field{
		{Name: "enable", LSB: 0, Width: 1, Access: ReadWrite, HasReset: true, Desc: "1: the queue runs. 0 to 1 starts both rings at index 0, phase 1. 1 to 0 stops fetching; STATUS.ACTIVE falls when the last completion is written"},
		{Name: "ring_log2", LSB: 4, Width: 4, Access: ReadWrite, HasReset: true, Desc: "Entries in each ring as a power of two"},
		{Name: "vector", LSB: 8, Width: 5, Access: ReadWrite, HasReset: true, Desc: "Interrupt vector of this queue"},
	}},
	{Name: "txq[].status", Offset: 0x10004, Count: 16, Stride: 0x1000, Access: ReadOnly, Desc: "Queue status", Fields: []Field{
		{Name: "active", LSB: 0, Width: 1, Access: ReadOnly, Desc: "1: enabled, or still finishing work accepted while enabled"},
		{Name: "error", LSB: 1, Width: 1, Access: ReadOnly, Desc: "1: stopped by an error; clear by writing ENABLE 0"},
		{Name: "error_code", LSB: 4, Width: 4, Access: ReadOnly, Enum: &mapQueueError, Desc: "Why it stopped"},
	}},
	{Name: "txq[].ring_lo", Offset: 0x10008, Count: 16, Stride: 0x1000, Access: ReadWrite, Desc: "IOVA of the descriptor ring, bits 31:0; 64-byte aligned", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadWrite, HasReset: true, Desc: "Value"},
	}},
	{Name: "txq[].ring_hi", Offset: 0x1000c, Count: 16, Stride: 0x1000, Access: ReadWrite, Desc: "IOVA of the descriptor ring, bits 63:32", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadWrite, HasReset: true, Desc: "Value"},
	}},
	{Name: "txq[].cpl_lo", Offset: 0x10010, Count: 16, Stride: 0x1000, Access: ReadWrite, Desc: "IOVA of the completion ring, bits 31:0; 64-byte aligned", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadWrite, HasReset: true, Desc: "Value"},
	}},
	{Name: "txq[].cpl_hi", Offset: 0x10014, Count: 16, Stride: 0x1000, Access: ReadWrite, Desc: "IOVA of the completion ring, bits 63:32", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadWrite, HasReset: true, Desc: "Value"},
	}},
	{Name: "txq[].tail", Offset: 0x10018, Count: 16, Stride: 0x1000, Access: ReadWrite, Desc: "Doorbell: index of the first descriptor that the NIC may not use yet. Ring full is size - 1 descriptors", Fields: []Field{
		{Name: "value", LSB: 0, Width: 16, Access: ReadWrite, HasReset: true, Desc: "Producer index, below the ring size"},
	}},
	{Name: "txq[].head", Offset: 0x1001c, Count: 16, Stride: 0x1000, Access: ReadOnly, Desc: "Index of the next descriptor to be processed", Fields: []Field{
		{Name: "value", LSB: 0, Width: 16, Access: ReadOnly, Desc: "Consumer index"},
	}},
	{Name: "txq[].cpl_batch", Offset: 0x10020, Count: 16, Stride: 0x1000, Access: ReadWrite, Desc: "Completion batching. Up to four completions share one 64-byte write.", Fields: []Field{
		{Name: "count", LSB: 0, Width: 3, Access: ReadWrite, HasReset: true, Desc: "Completions gathered before a write, 1 to 4; 0 means 4"},
		{Name: "timer", LSB: 16, Width: 16, Access: ReadWrite, HasReset: true, Reset: 0x40, Desc: "Clock cycles after which an incomplete batch is written; 0 means at once"},
	}},
	{Name: "rxq[].ctrl", Offset: 0x20000, Count: 16, Stride: 0x1000, Access: ReadWrite, Desc: "Queue control. Ring registers may be written only while ENABLE is 0.", Fields: []Field{
		{Name: "enable", LSB: 0, Width: 1, Access: ReadWrite, HasReset: true, Desc: "1: the queue runs. 0 to 1 starts both rings at index 0, phase 1. 1 to 0 stops fetching; STATUS.ACTIVE falls when the last completion is written"},
		{Name: "ring_log2", LSB: 4, Width: 4, Access: ReadWrite, HasReset: true, Desc: "Entries in each ring as a power of two"},
		{Name: "vector", LSB: 8, Width: 5, Access: ReadWrite, HasReset: true, Desc: "Interrupt vector of this queue"},
	}},
	{Name: "rxq[].status", Offset: 0x20004, Count: 16, Stride: 0x1000, Access: ReadOnly, Desc: "Queue status", Fields: []Field{
		{Name: "active", LSB: 0, Width: 1, Access: ReadOnly, Desc: "1: enabled, or still finishing work accepted while enabled"},
		{Name: "error", LSB: 1, Width: 1, Access: ReadOnly, Desc: "1: stopped by an error; clear by writing ENABLE 0"},
		{Name: "error_code", LSB: 4, Width: 4, Access: ReadOnly, Enum: &mapQueueError, Desc: "Why it stopped"},
	}},
	{Name: "rxq[].ring_lo", Offset: 0x20008, Count: 16, Stride: 0x1000, Access: ReadWrite, Desc: "IOVA of the descriptor ring, bits 31:0; 64-byte aligned", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadWrite, HasReset: true, Desc: "Value"},
	}},
	{Name: "rxq[].ring_hi", Offset: 0x2000c, Count: 16, Stride: 0x1000, Access: ReadWrite, Desc: "IOVA of the descriptor ring, bits 63:32", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadWrite, HasReset: true, Desc: "Value"},
	}},
	{Name: "rxq[].cpl_lo", Offset: 0x20010, Count: 16, Stride: 0x1000, Access: ReadWrite, Desc: "IOVA of the completion ring, bits 31:0; 64-byte aligned", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadWrite, HasReset: true, Desc: "Value"},
	}},
	{Name: "rxq[].cpl_hi", Offset: 0x20014, Count: 16, Stride: 0x1000, Access: ReadWrite, Desc: "IOVA of the completion ring, bits 63:32", Fields: []Field{
		{Name: "value", LSB: 0, Width: 32, Access: ReadWrite, HasReset: true, Desc: "Value"},
	}},
	{Name: "rxq[].tail", Offset: 0x20018, Count: 16, Stride: 0x1000, Access: ReadWrite, Desc: "Doorbell: index of the first descriptor that the NIC may not use yet. Ring full is size - 1 descriptors", Fields: []Field{
		{Name: "value", LSB: 0, Width: 16, Access: ReadWrite, HasReset: true, Desc: "Producer index, below the ring size"},
	}},
	{Name: "rxq[].head", Offset: 0x2001c, Count: 16, Stride: 0x1000, Access: ReadOnly, Desc: "Index of the next descriptor to be processed", Fields: []Field{
		{Name: "value", LSB: 0, Width: 16, Access: ReadOnly, Desc: "Consumer index"},
	}},
	{Name: "rxq[].cpl_batch", Offset: 0x20020, Count: 16, Stride: 0x1000, Access: ReadWrite, Desc: "Completion batching. Up to four completions share one 64-byte write.", Fields: []Field{
		{Name: "count", LSB: 0, Width: 3, Access: ReadWrite, HasReset: true, Desc: "Completions gathered before a write, 1 to 4; 0 means 4"},
		{Name: "timer", LSB: 16, Width: 16, Access: ReadWrite, HasReset: true, Reset: 0x40, Desc: "Clock cycles after which an incomplete batch is written; 0 means at once"},
	}},
}
