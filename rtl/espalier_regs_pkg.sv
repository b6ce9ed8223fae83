// SPDX-License-Identifier: Apache-2.0
// Code generated from regs/espalier.rdl by make regs. DO NOT EDIT.
// Addresses are byte offsets in BAR 0 (_ADDR), in a queue's page (QUEUE_*_ADDR) or distances
// between elements (_STRIDE); _NUM is a number of elements; _LSB and _W are a field's lowest bit and its
// width in bits. A register that is one 32-bit value has no _LSB and _W.

// No single design uses every constant of the interface.
/* verilator lint_off UNUSEDPARAM */
package espalier_regs_pkg;

  // ---------------------------------------------------------------------------
  // BAR 0 of the Espalier IPsec NIC, 256 KiB.

  localparam int ADDR_W = 18;

  // Identity: the ASCII letters ESPL, first letter in the lowest byte.
  localparam logic [17:0] ID_ADDR = 18'h00000;
  localparam logic [31:0] ID_MAGIC = 32'h4C505345;

  // Version of this register interface. Software refuses another MAJOR.
  localparam logic [17:0] VERSION_ADDR = 18'h00004;
  localparam int VERSION_PATCH_LSB = 0;
  localparam int VERSION_PATCH_W = 16;
  localparam int VERSION_MINOR_LSB = 16;
  localparam int VERSION_MINOR_W = 8;
  localparam int VERSION_MAJOR_LSB = 24;
  localparam int VERSION_MAJOR_W = 8;
  localparam logic [15:0] VERSION_PATCH = 16'h0;
  localparam logic [7:0] VERSION_MINOR = 8'h1;
  localparam logic [7:0] VERSION_MAJOR = 8'h1;

  // Build identification of this RTL (parameter BUILD_ID); 0 if not stamped.
  localparam logic [17:0] BUILD_ID_ADDR = 18'h00008;

  // Where the other 4 KiB pages are, as page numbers.
  localparam logic [17:0] LAYOUT_ADDR = 18'h0000C;
  localparam int LAYOUT_SA_PAGE_LSB = 0;
  localparam int LAYOUT_SA_PAGE_W = 8;
  localparam int LAYOUT_STATS_PAGE_LSB = 8;
  localparam int LAYOUT_STATS_PAGE_W = 8;
  localparam int LAYOUT_TXQ_PAGE_LSB = 16;
  localparam int LAYOUT_TXQ_PAGE_W = 8;
  localparam int LAYOUT_RXQ_PAGE_LSB = 24;
  localparam int LAYOUT_RXQ_PAGE_W = 8;
  localparam logic [7:0] LAYOUT_SA_PAGE = 8'h1;
  localparam logic [7:0] LAYOUT_STATS_PAGE = 8'h2;
  localparam logic [7:0] LAYOUT_TXQ_PAGE = 8'h10;
  localparam logic [7:0] LAYOUT_RXQ_PAGE = 8'h20;

  // How many of each.
  localparam logic [17:0] CAP_SIZE_ADDR = 18'h00010;
  localparam int CAP_SIZE_NUM_TXQ_LSB = 0;
  localparam int CAP_SIZE_NUM_TXQ_W = 8;
  localparam int CAP_SIZE_NUM_RXQ_LSB = 8;
  localparam int CAP_SIZE_NUM_RXQ_W = 8;
  localparam int CAP_SIZE_NUM_VECTORS_LSB = 16;
  localparam int CAP_SIZE_NUM_VECTORS_W = 8;
  localparam int CAP_SIZE_LANES_LSB = 24;
  localparam int CAP_SIZE_LANES_W = 4;

  // SA slots.
  localparam logic [17:0] CAP_SA_ADDR = 18'h00014;
  localparam int CAP_SA_CAPACITY_LSB = 0;
  localparam int CAP_SA_CAPACITY_W = 24;

  // Algorithms, as the IPsecOV2 capability masks.
  localparam logic [17:0] CAP_ALG_ADDR = 18'h00018;
  localparam int CAP_ALG_ENCRYPTION_LSB = 0;
  localparam int CAP_ALG_ENCRYPTION_W = 9;
  localparam int CAP_ALG_AUTHENTICATION_LSB = 16;
  localparam int CAP_ALG_AUTHENTICATION_W = 6;
  localparam int CAP_ALG_ICV_LSB = 24;
  localparam int CAP_ALG_ICV_W = 3;

  // Features, as the IPsecOV2 capability record's booleans.
  localparam logic [17:0] CAP_FEATURE_ADDR = 18'h0001C;
  localparam int CAP_FEATURE_IPV4_LSB = 0;
  localparam int CAP_FEATURE_IPV4_W = 1;
  localparam int CAP_FEATURE_IPV6_LSB = 1;
  localparam int CAP_FEATURE_IPV6_W = 1;
  localparam int CAP_FEATURE_IPV4_OPTIONS_LSB = 2;
  localparam int CAP_FEATURE_IPV4_OPTIONS_W = 1;
  localparam int CAP_FEATURE_IPV6_EXT_HEADERS_LSB = 3;
  localparam int CAP_FEATURE_IPV6_EXT_HEADERS_W = 1;
  localparam int CAP_FEATURE_AH_LSB = 4;
  localparam int CAP_FEATURE_AH_W = 1;
  localparam int CAP_FEATURE_ESP_LSB = 5;
  localparam int CAP_FEATURE_ESP_W = 1;
  localparam int CAP_FEATURE_AH_ESP_LSB = 6;
  localparam int CAP_FEATURE_AH_ESP_W = 1;
  localparam int CAP_FEATURE_TRANSPORT_LSB = 7;
  localparam int CAP_FEATURE_TRANSPORT_W = 1;
  localparam int CAP_FEATURE_TUNNEL_LSB = 8;
  localparam int CAP_FEATURE_TUNNEL_W = 1;
  localparam int CAP_FEATURE_TRANSPORT_TUNNEL_LSB = 9;
  localparam int CAP_FEATURE_TRANSPORT_TUNNEL_W = 1;
  localparam int CAP_FEATURE_LSO_LSB = 10;
  localparam int CAP_FEATURE_LSO_W = 1;
  localparam int CAP_FEATURE_ESN_LSB = 11;
  localparam int CAP_FEATURE_ESN_W = 1;
  localparam int CAP_FEATURE_UDP_ESP_LSB = 12;
  localparam int CAP_FEATURE_UDP_ESP_W = 4;
  localparam int CAP_FEATURE_ENCAPSULATION_LSB = 16;
  localparam int CAP_FEATURE_ENCAPSULATION_W = 5;
  localparam int CAP_FEATURE_LOOPBACK_LSB = 24;
  localparam int CAP_FEATURE_LOOPBACK_W = 1;
  localparam int CAP_FEATURE_CONTROL_PROCESSOR_LSB = 25;
  localparam int CAP_FEATURE_CONTROL_PROCESSOR_W = 1;

  // Ring limits.
  localparam logic [17:0] CAP_RING_ADDR = 18'h00020;
  localparam int CAP_RING_MIN_LOG2_LSB = 0;
  localparam int CAP_RING_MIN_LOG2_W = 4;
  localparam int CAP_RING_MAX_LOG2_LSB = 4;
  localparam int CAP_RING_MAX_LOG2_W = 4;
  localparam int CAP_RING_PREFETCH_LSB = 8;
  localparam int CAP_RING_PREFETCH_W = 8;

  // Frame limits.
  localparam logic [17:0] CAP_FRAME_ADDR = 18'h00024;
  localparam int CAP_FRAME_MAX_FRAME_LSB = 0;
  localparam int CAP_FRAME_MAX_FRAME_W = 16;

  // Clock for which the design is meant; what a cycle counts.
  localparam logic [17:0] CAP_CLOCK_ADDR = 18'h00028;
  localparam int CAP_CLOCK_MHZ_LSB = 0;
  localparam int CAP_CLOCK_MHZ_W = 16;

  // Where the pages of the control processor are, as page numbers; with CAP_FEATURE.CONTROL_PROCESSOR.
  localparam logic [17:0] LAYOUT_CP_ADDR = 18'h0002C;
  localparam int LAYOUT_CP_CP_PAGE_LSB = 0;
  localparam int LAYOUT_CP_CP_PAGE_W = 8;
  localparam int LAYOUT_CP_COMMAND_PAGE_LSB = 8;
  localparam int LAYOUT_CP_COMMAND_PAGE_W = 8;
  localparam int LAYOUT_CP_RESPONSE_PAGE_LSB = 16;
  localparam int LAYOUT_CP_RESPONSE_PAGE_W = 8;
  localparam int LAYOUT_CP_LOG_PAGE_LSB = 24;
  localparam int LAYOUT_CP_LOG_PAGE_W = 8;
  localparam logic [7:0] LAYOUT_CP_CP_PAGE = 8'h3;
  localparam logic [7:0] LAYOUT_CP_COMMAND_PAGE = 8'h4;
  localparam logic [7:0] LAYOUT_CP_RESPONSE_PAGE = 8'h5;
  localparam logic [7:0] LAYOUT_CP_LOG_PAGE = 8'h6;

  // Global control.
  localparam logic [17:0] CTRL_ADDR = 18'h00040;
  localparam int CTRL_RESET_LSB = 0;
  localparam int CTRL_RESET_W = 1;
  localparam int CTRL_TX_ENABLE_LSB = 1;
  localparam int CTRL_TX_ENABLE_W = 1;
  localparam int CTRL_RX_ENABLE_LSB = 2;
  localparam int CTRL_RX_ENABLE_W = 1;
  localparam int CTRL_IPSEC_ENABLE_LSB = 3;
  localparam int CTRL_IPSEC_ENABLE_W = 1;
  localparam int CTRL_LOOPBACK_LSB = 4;
  localparam int CTRL_LOOPBACK_W = 1;

  // Global status.
  localparam logic [17:0] STATUS_ADDR = 18'h00044;
  localparam int STATUS_READY_LSB = 0;
  localparam int STATUS_READY_W = 1;
  localparam int STATUS_RESET_BUSY_LSB = 1;
  localparam int STATUS_RESET_BUSY_W = 1;
  localparam int STATUS_ZEROISED_LSB = 2;
  localparam int STATUS_ZEROISED_W = 1;
  localparam int STATUS_TX_IDLE_LSB = 3;
  localparam int STATUS_TX_IDLE_W = 1;
  localparam int STATUS_RX_IDLE_LSB = 4;
  localparam int STATUS_RX_IDLE_W = 1;

  // Queue for received frames that match no SA.
  localparam logic [17:0] RX_DEFAULT_ADDR = 18'h00048;
  localparam int RX_DEFAULT_QUEUE_LSB = 0;
  localparam int RX_DEFAULT_QUEUE_W = 4;

  // For tests of the path to the NIC; does nothing.
  localparam logic [17:0] SCRATCH_ADDR = 18'h0004C;

  // Clock cycles since the last hard reset, bits 31:0; reading it latches CYCLES_HI.
  localparam logic [17:0] CYCLES_LO_ADDR = 18'h00050;

  // Clock cycles, bits 63:32, as of the last read of CYCLES_LO.
  localparam logic [17:0] CYCLES_HI_ADDR = 18'h00054;

  // Interrupt causes, one bit per vector; write 1 to clear.
  localparam logic [17:0] INT_CAUSE_ADDR = 18'h00080;

  // Interrupt masks, one bit per vector; 1: the cause is recorded, no interrupt is sent.
  localparam logic [17:0] INT_MASK_ADDR = 18'h00084;

  // Re-arm: a vector that has sent an interrupt sends no other until its bit is written 1 here.
  localparam logic [17:0] INT_ARM_ADDR = 18'h00088;

  // Raise vectors by hand: counts one event on each vector written 1.
  localparam logic [17:0] INT_SET_ADDR = 18'h0008C;

  // Moderation per vector: an armed vector fires when either limit is reached after an event.
  localparam logic [17:0] INT_MODERATION_ADDR = 18'h00100;
  localparam int INT_MODERATION_STRIDE = 4;
  localparam int INT_MODERATION_NUM = 32;
  localparam int INT_MODERATION_COUNT_LSB = 0;
  localparam int INT_MODERATION_COUNT_W = 8;
  localparam int INT_MODERATION_TIME_LSB = 16;
  localparam int INT_MODERATION_TIME_W = 16;

  // Start an operation on the window. Ignored while SA_STATUS.BUSY.
  localparam logic [17:0] SA_CMD_ADDR = 18'h01000;
  localparam int SA_CMD_OP_LSB = 0;
  localparam int SA_CMD_OP_W = 3;

  // State of the SA window.
  localparam logic [17:0] SA_STATUS_ADDR = 18'h01004;
  localparam int SA_STATUS_BUSY_LSB = 0;
  localparam int SA_STATUS_BUSY_W = 1;
  localparam int SA_STATUS_RESULT_LSB = 4;
  localparam int SA_STATUS_RESULT_W = 4;
  localparam int SA_STATUS_CYCLES_LSB = 16;
  localparam int SA_STATUS_CYCLES_W = 16;

  // Which SA: the host gives INDEX (and GENERATION for UPDATE and DELETE), the NIC gives GENERATION.
  localparam logic [17:0] SA_HANDLE_ADDR = 18'h01008;
  localparam int SA_HANDLE_INDEX_LSB = 0;
  localparam int SA_HANDLE_INDEX_W = 16;
  localparam int SA_HANDLE_GENERATION_LSB = 16;
  localparam int SA_HANDLE_GENERATION_W = 16;

  // Nonce of the key fingerprints. 0 in both words: no fingerprints are made, they read as 0. Change only while there is no SA.
  localparam logic [17:0] SA_NONCE_ADDR = 18'h01010;
  localparam int SA_NONCE_STRIDE = 4;
  localparam int SA_NONCE_NUM = 2;

  // SPI; 0 is refused.
  localparam logic [17:0] SA_SPI_ADDR = 18'h01040;

  // What kind of SA this is.
  localparam logic [17:0] SA_FLAGS_ADDR = 18'h01044;
  localparam int SA_FLAGS_INBOUND_LSB = 0;
  localparam int SA_FLAGS_INBOUND_W = 1;
  localparam int SA_FLAGS_IPV6_LSB = 1;
  localparam int SA_FLAGS_IPV6_W = 1;
  localparam int SA_FLAGS_TUNNEL_LSB = 2;
  localparam int SA_FLAGS_TUNNEL_W = 1;
  localparam int SA_FLAGS_ESN_LSB = 3;
  localparam int SA_FLAGS_ESN_W = 1;
  localparam int SA_FLAGS_KEYLEN_LSB = 4;
  localparam int SA_FLAGS_KEYLEN_W = 2;
  localparam int SA_FLAGS_RX_QUEUE_LSB = 8;
  localparam int SA_FLAGS_RX_QUEUE_W = 4;

  // Upper half of the 64-bit sequence number; used with ESN.
  localparam logic [17:0] SA_ESN_HI_ADDR = 18'h01048;

  // Salt of RFC 4106, first byte most significant.
  localparam logic [17:0] SA_SALT_ADDR = 18'h0104C;

  // Destination address; an IPv4 address is word 0, the others 0. All zero: any destination.
  localparam logic [17:0] SA_DST_ADDR = 18'h01050;
  localparam int SA_DST_STRIDE = 4;
  localparam int SA_DST_NUM = 4;

  // Source address; all zero: any source.
  localparam logic [17:0] SA_SRC_ADDR = 18'h01060;
  localparam int SA_SRC_STRIDE = 4;
  localparam int SA_SRC_NUM = 4;

  // AES key, first byte most significant in word 0; unused words are ignored.
  localparam logic [17:0] SA_KEY_ADDR = 18'h01070;
  localparam int SA_KEY_STRIDE = 4;
  localparam int SA_KEY_NUM = 8;

  // What READ found beside the record. Words 0, 1: frames (low, high). 2, 3: bytes of those frames, Ethernet header to last byte, no FCS. 4: inbound: frames with a wrong ICV. 5: inbound: frames with impossible lengths. 6, 7: key fingerprint, the first 8 bytes of the AES encryption under the SA's key of SA_NONCE (8 bytes) followed by 64 zero bits, first byte most significant in word 6; no GCM counter block ends in 32 zero bits. Frames and bytes count what was encrypted, or decrypted with success; they start at 0 with ADD and RESTORE.
  localparam logic [17:0] SA_COUNTERS_ADDR = 18'h010A0;
  localparam int SA_COUNTERS_STRIDE = 4;
  localparam int SA_COUNTERS_NUM = 8;

  // Frames sent to the wire: bits 31:0; reading it latches HI.
  localparam logic [17:0] STAT_TX_FRAMES_LO_ADDR = 18'h02000;

  // Frames sent to the wire: bits 63:32 as of the last read of LO.
  localparam logic [17:0] STAT_TX_FRAMES_HI_ADDR = 18'h02004;

  // Bytes of those frames, no FCS: bits 31:0; reading it latches HI.
  localparam logic [17:0] STAT_TX_BYTES_LO_ADDR = 18'h02008;

  // Bytes of those frames, no FCS: bits 63:32 as of the last read of LO.
  localparam logic [17:0] STAT_TX_BYTES_HI_ADDR = 18'h0200C;

  // Frames encrypted and sent: bits 31:0; reading it latches HI.
  localparam logic [17:0] STAT_TX_ESP_LO_ADDR = 18'h02010;

  // Frames encrypted and sent: bits 63:32 as of the last read of LO.
  localparam logic [17:0] STAT_TX_ESP_HI_ADDR = 18'h02014;

  // Sends failed with STALE_HANDLE: bits 31:0; reading it latches HI.
  localparam logic [17:0] STAT_TX_ERR_HANDLE_LO_ADDR = 18'h02018;

  // Sends failed with STALE_HANDLE: bits 63:32 as of the last read of LO.
  localparam logic [17:0] STAT_TX_ERR_HANDLE_HI_ADDR = 18'h0201C;

  // Sends failed with BAD_LENGTH, BAD_OFFSET or OFFLOAD_OFF: bits 31:0; reading it latches HI.
  localparam logic [17:0] STAT_TX_ERR_DESC_LO_ADDR = 18'h02020;

  // Sends failed with BAD_LENGTH, BAD_OFFSET or OFFLOAD_OFF: bits 63:32 as of the last read of LO.
  localparam logic [17:0] STAT_TX_ERR_DESC_HI_ADDR = 18'h02024;

  // Sends failed with DMA_READ: bits 31:0; reading it latches HI.
  localparam logic [17:0] STAT_TX_ERR_DMA_LO_ADDR = 18'h02028;

  // Sends failed with DMA_READ: bits 63:32 as of the last read of LO.
  localparam logic [17:0] STAT_TX_ERR_DMA_HI_ADDR = 18'h0202C;

  // Frames accepted from the wire, dropped ones included: bits 31:0; reading it latches HI.
  localparam logic [17:0] STAT_RX_FRAMES_LO_ADDR = 18'h02030;

  // Frames accepted from the wire, dropped ones included: bits 63:32 as of the last read of LO.
  localparam logic [17:0] STAT_RX_FRAMES_HI_ADDR = 18'h02034;

  // Bytes of those frames, no FCS: bits 31:0; reading it latches HI.
  localparam logic [17:0] STAT_RX_BYTES_LO_ADDR = 18'h02038;

  // Bytes of those frames, no FCS: bits 63:32 as of the last read of LO.
  localparam logic [17:0] STAT_RX_BYTES_HI_ADDR = 18'h0203C;

  // ESP frames delivered with SUCCESS: bits 31:0; reading it latches HI.
  localparam logic [17:0] STAT_RX_ESP_OK_LO_ADDR = 18'h02040;

  // ESP frames delivered with SUCCESS: bits 63:32 as of the last read of LO.
  localparam logic [17:0] STAT_RX_ESP_OK_HI_ADDR = 18'h02044;

  // ESP frames delivered with *_ESP_AUTH_FAILED: bits 31:0; reading it latches HI.
  localparam logic [17:0] STAT_RX_AUTH_FAILED_LO_ADDR = 18'h02048;

  // ESP frames delivered with *_ESP_AUTH_FAILED: bits 63:32 as of the last read of LO.
  localparam logic [17:0] STAT_RX_AUTH_FAILED_HI_ADDR = 18'h0204C;

  // ESP frames delivered with INVALID_PACKET_SYNTAX: bits 31:0; reading it latches HI.
  localparam logic [17:0] STAT_RX_SYNTAX_LO_ADDR = 18'h02050;

  // ESP frames delivered with INVALID_PACKET_SYNTAX: bits 63:32 as of the last read of LO.
  localparam logic [17:0] STAT_RX_SYNTAX_HI_ADDR = 18'h02054;

  // ESP frames delivered untouched because no SA matched: bits 31:0; reading it latches HI.
  localparam logic [17:0] STAT_RX_NO_SA_LO_ADDR = 18'h02058;

  // ESP frames delivered untouched because no SA matched: bits 63:32 as of the last read of LO.
  localparam logic [17:0] STAT_RX_NO_SA_HI_ADDR = 18'h0205C;

  // Other frames delivered untouched: bits 31:0; reading it latches HI.
  localparam logic [17:0] STAT_RX_UNTOUCHED_LO_ADDR = 18'h02060;

  // Other frames delivered untouched: bits 63:32 as of the last read of LO.
  localparam logic [17:0] STAT_RX_UNTOUCHED_HI_ADDR = 18'h02064;

  // Frames dropped because the queue had no descriptor or was not enabled: bits 31:0; reading it latches HI.
  localparam logic [17:0] STAT_RX_DROP_NO_DESC_LO_ADDR = 18'h02068;

  // Frames dropped because the queue had no descriptor or was not enabled: bits 63:32 as of the last read of LO.
  localparam logic [17:0] STAT_RX_DROP_NO_DESC_HI_ADDR = 18'h0206C;

  // Frames dropped because the MAC flagged them or they exceed MAX_FRAME or are under 14 bytes: bits 31:0; reading it latches HI.
  localparam logic [17:0] STAT_RX_DROP_BAD_LO_ADDR = 18'h02070;

  // Frames dropped because the MAC flagged them or they exceed MAX_FRAME or are under 14 bytes: bits 63:32 as of the last read of LO.
  localparam logic [17:0] STAT_RX_DROP_BAD_HI_ADDR = 18'h02074;

  // Frames lost with DMA_WRITE: bits 31:0; reading it latches HI.
  localparam logic [17:0] STAT_RX_ERR_DMA_LO_ADDR = 18'h02078;

  // Frames lost with DMA_WRITE: bits 63:32 as of the last read of LO.
  localparam logic [17:0] STAT_RX_ERR_DMA_HI_ADDR = 18'h0207C;

  // The control processor.
  localparam logic [17:0] CP_CTRL_ADDR = 18'h03000;
  localparam int CP_CTRL_RUN_LSB = 0;
  localparam int CP_CTRL_RUN_W = 1;

  // State of the control processor.
  localparam logic [17:0] CP_STATUS_ADDR = 18'h03004;
  localparam int CP_STATUS_RUNNING_LSB = 0;
  localparam int CP_STATUS_RUNNING_W = 1;
  localparam int CP_STATUS_IMAGE_OK_LSB = 1;
  localparam int CP_STATUS_IMAGE_OK_W = 1;
  localparam int CP_STATUS_READY_LSB = 2;
  localparam int CP_STATUS_READY_W = 1;
  localparam int CP_STATUS_SELFTEST_PASSED_LSB = 3;
  localparam int CP_STATUS_SELFTEST_PASSED_W = 1;
  localparam int CP_STATUS_SELFTEST_FAILED_LSB = 4;
  localparam int CP_STATUS_SELFTEST_FAILED_W = 1;
  localparam int CP_STATUS_FAULT_LSB = 8;
  localparam int CP_STATUS_FAULT_W = 4;

  // Counts writes of the firmware; a write restarts the watchdog.
  localparam logic [17:0] CP_HEARTBEAT_ADDR = 18'h03008;

  // Version of the firmware that runs.
  localparam logic [17:0] CP_FW_VERSION_ADDR = 18'h0300C;
  localparam int CP_FW_VERSION_PATCH_LSB = 0;
  localparam int CP_FW_VERSION_PATCH_W = 16;
  localparam int CP_FW_VERSION_MINOR_LSB = 16;
  localparam int CP_FW_VERSION_MINOR_W = 8;
  localparam int CP_FW_VERSION_MAJOR_LSB = 24;
  localparam int CP_FW_VERSION_MAJOR_W = 8;

  // Build id of the firmware that runs.
  localparam logic [17:0] CP_FW_BUILD_ADDR = 18'h03010;

  // Write: byte address of the next word loaded, a multiple of 4; 0 starts an image and its CRC. Ignored while the processor runs.
  localparam logic [17:0] CP_LOAD_ADDR_ADDR = 18'h03014;
  localparam int CP_LOAD_ADDR_ADDRESS_LSB = 0;
  localparam int CP_LOAD_ADDR_ADDRESS_W = 24;

  // Write: loads a word and advances CP_LOAD_ADDR by 4. Ignored while the processor runs. Reads as 0.
  localparam logic [17:0] CP_LOAD_DATA_ADDR = 18'h03018;

  // CRC-32 (IEEE 802.3, reflected, not inverted at the end) of what was loaded from address 0 on; 0xDEBB20E3 after an image that ends in its CRC.
  localparam logic [17:0] CP_LOAD_CRC_ADDR = 18'h0301C;

  // Size of the processor's memory.
  localparam logic [17:0] CP_RAM_ADDR = 18'h03020;

  // Clock cycles without a write of CP_HEARTBEAT after which the processor counts as hung.
  localparam logic [17:0] CP_WATCHDOG_ADDR = 18'h03024;

  // Address of the last instruction fetched; after a fault, where it happened.
  localparam logic [17:0] CP_PC_ADDR = 18'h03028;

  // Bytes ever written to the log since the processor was started; the next goes to this number modulo 4096 of the log page.
  localparam logic [17:0] CP_LOG_HEAD_ADDR = 18'h0302C;

  // Write a slot's number: its command is posted. Ignored if the slot is posted already.
  localparam logic [17:0] MBOX_DOORBELL_ADDR = 18'h03040;
  localparam int MBOX_DOORBELL_SLOT_LSB = 0;
  localparam int MBOX_DOORBELL_SLOT_W = 5;

  // Slots posted and not answered.
  localparam logic [17:0] MBOX_PENDING_ADDR = 18'h03044;

  // Slots answered; write 1 to clear. Each answer is one event on MBOX_CTRL.VECTOR, and so is a fault of the processor.
  localparam logic [17:0] MBOX_DONE_ADDR = 18'h03048;

  // Mailbox.
  localparam logic [17:0] MBOX_CTRL_ADDR = 18'h0304C;
  localparam int MBOX_CTRL_VECTOR_LSB = 0;
  localparam int MBOX_CTRL_VECTOR_W = 5;

  // Size of the mailbox.
  localparam logic [17:0] MBOX_SIZE_ADDR = 18'h03050;
  localparam int MBOX_SIZE_SLOTS_LSB = 0;
  localparam int MBOX_SIZE_SLOTS_W = 8;
  localparam int MBOX_SIZE_STRIDE_LSB = 8;
  localparam int MBOX_SIZE_STRIDE_W = 16;
  localparam logic [7:0] MBOX_SIZE_SLOTS = 8'h20;
  localparam logic [15:0] MBOX_SIZE_STRIDE = 16'h80;

  // Firmware: the next slot posted. Reading takes it from the queue.
  localparam logic [17:0] CP_NEXT_ADDR = 18'h03080;
  localparam int CP_NEXT_SLOT_LSB = 0;
  localparam int CP_NEXT_SLOT_W = 5;
  localparam int CP_NEXT_VALID_LSB = 31;
  localparam int CP_NEXT_VALID_W = 1;

  // Firmware: write a slot's number: its response is complete.
  localparam logic [17:0] CP_ANSWER_ADDR = 18'h03084;
  localparam int CP_ANSWER_SLOT_LSB = 0;
  localparam int CP_ANSWER_SLOT_W = 5;

  // Firmware: write anything: alive. Read as CP_HEARTBEAT.
  localparam logic [17:0] CP_ALIVE_ADDR = 18'h03088;

  // Firmware: sets the bits of CP_STATUS.
  localparam logic [17:0] CP_REPORT_ADDR = 18'h0308C;
  localparam int CP_REPORT_READY_LSB = 2;
  localparam int CP_REPORT_READY_W = 1;
  localparam int CP_REPORT_SELFTEST_PASSED_LSB = 3;
  localparam int CP_REPORT_SELFTEST_PASSED_W = 1;
  localparam int CP_REPORT_SELFTEST_FAILED_LSB = 4;
  localparam int CP_REPORT_SELFTEST_FAILED_W = 1;

  // Firmware: value of CP_FW_VERSION.
  localparam logic [17:0] CP_SET_VERSION_ADDR = 18'h03090;

  // Firmware: value of CP_FW_BUILD.
  localparam logic [17:0] CP_SET_BUILD_ADDR = 18'h03094;

  // Firmware: write one byte to the log.
  localparam logic [17:0] CP_LOG_PUT_ADDR = 18'h03098;
  localparam int CP_LOG_PUT_BYTE_VALUE_LSB = 0;
  localparam int CP_LOG_PUT_BYTE_VALUE_W = 8;

  // Firmware: SA slots in use.
  localparam logic [17:0] CP_SA_LIVE_ADDR = 18'h0309C;

  // Firmware: start one self-test: a frame from the self-test page through one crypt unit and back there. Ignored once SELFTEST_PASSED.
  localparam logic [17:0] CP_SELFTEST_ADDR = 18'h030A0;
  localparam int CP_SELFTEST_RX_LSB = 0;
  localparam int CP_SELFTEST_RX_W = 1;
  localparam int CP_SELFTEST_KEYLEN_LSB = 1;
  localparam int CP_SELFTEST_KEYLEN_W = 2;
  localparam int CP_SELFTEST_ESN_LSB = 3;
  localparam int CP_SELFTEST_ESN_W = 1;
  localparam int CP_SELFTEST_LENGTH_LSB = 4;
  localparam int CP_SELFTEST_LENGTH_W = 9;
  localparam int CP_SELFTEST_ESP_OFFSET_LSB = 16;
  localparam int CP_SELFTEST_ESP_OFFSET_W = 8;
  localparam int CP_SELFTEST_PAYLOAD_LSB = 24;
  localparam int CP_SELFTEST_PAYLOAD_W = 8;

  // Firmware: SA slot whose keys the self-test uses.
  localparam logic [17:0] CP_SELFTEST_SA_ADDR = 18'h030A4;
  localparam int CP_SELFTEST_SA_VALUE_LSB = 0;
  localparam int CP_SELFTEST_SA_VALUE_W = 16;

  // Firmware: salt of the self-test.
  localparam logic [17:0] CP_SELFTEST_SALT_ADDR = 18'h030A8;

  // Firmware: upper half of the sequence number of the self-test.
  localparam logic [17:0] CP_SELFTEST_ESN_HI_ADDR = 18'h030AC;

  // Firmware: outcome of the self-test.
  localparam logic [17:0] CP_SELFTEST_STATUS_ADDR = 18'h030B0;
  localparam int CP_SELFTEST_STATUS_BUSY_LSB = 0;
  localparam int CP_SELFTEST_STATUS_BUSY_W = 1;
  localparam int CP_SELFTEST_STATUS_RESULT_LSB = 4;
  localparam int CP_SELFTEST_STATUS_RESULT_W = 3;
  localparam int CP_SELFTEST_STATUS_LENGTH_LSB = 16;
  localparam int CP_SELFTEST_STATUS_LENGTH_W = 9;

  // What to do.
  localparam logic [17:0] MBOX_COMMAND_HEADER_ADDR = 18'h04000;
  localparam int MBOX_COMMAND_HEADER_OPCODE_LSB = 0;
  localparam int MBOX_COMMAND_HEADER_OPCODE_W = 8;
  localparam int MBOX_COMMAND_HEADER_TAG_LSB = 16;
  localparam int MBOX_COMMAND_HEADER_TAG_W = 16;

  // SA handle, as in SA_HANDLE.
  localparam logic [17:0] MBOX_COMMAND_HANDLE_ADDR = 18'h04004;

  // 0.
  localparam logic [17:0] MBOX_COMMAND_RESERVED_ADDR = 18'h04008;
  localparam int MBOX_COMMAND_RESERVED_STRIDE = 4;
  localparam int MBOX_COMMAND_RESERVED_NUM = 2;

  // The words from here to KEY are those of the SA window.
  localparam logic [17:0] MBOX_COMMAND_SPI_ADDR = 18'h04010;

  // As SA.FLAGS.
  localparam logic [17:0] MBOX_COMMAND_FLAGS_ADDR = 18'h04014;

  // As SA.ESN_HI.
  localparam logic [17:0] MBOX_COMMAND_ESN_HI_ADDR = 18'h04018;

  // As SA.SALT.
  localparam logic [17:0] MBOX_COMMAND_SALT_ADDR = 18'h0401C;

  // As SA.DST.
  localparam logic [17:0] MBOX_COMMAND_DST_ADDR = 18'h04020;
  localparam int MBOX_COMMAND_DST_STRIDE = 4;
  localparam int MBOX_COMMAND_DST_NUM = 4;

  // As SA.SRC.
  localparam logic [17:0] MBOX_COMMAND_SRC_ADDR = 18'h04030;
  localparam int MBOX_COMMAND_SRC_STRIDE = 4;
  localparam int MBOX_COMMAND_SRC_NUM = 4;

  // As SA.KEY.
  localparam logic [17:0] MBOX_COMMAND_KEY_ADDR = 18'h04040;
  localparam int MBOX_COMMAND_KEY_STRIDE = 4;
  localparam int MBOX_COMMAND_KEY_NUM = 8;

  // 0.
  localparam logic [17:0] MBOX_COMMAND_UNUSED_ADDR = 18'h04060;
  localparam int MBOX_COMMAND_UNUSED_STRIDE = 4;
  localparam int MBOX_COMMAND_UNUSED_NUM = 8;

  // Command slots 1 to 31, laid out as slot 0.
  localparam logic [17:0] MBOX_COMMAND_SLOTS_ADDR = 18'h04080;
  localparam int MBOX_COMMAND_SLOTS_STRIDE = 4;
  localparam int MBOX_COMMAND_SLOTS_NUM = 992;

  // How it ended.
  localparam logic [17:0] MBOX_RESPONSE_HEADER_ADDR = 18'h05000;
  localparam int MBOX_RESPONSE_HEADER_OPCODE_LSB = 0;
  localparam int MBOX_RESPONSE_HEADER_OPCODE_W = 8;
  localparam int MBOX_RESPONSE_HEADER_STATUS_LSB = 8;
  localparam int MBOX_RESPONSE_HEADER_STATUS_W = 8;
  localparam int MBOX_RESPONSE_HEADER_TAG_LSB = 16;
  localparam int MBOX_RESPONSE_HEADER_TAG_W = 16;

  // Handle of the SA that was added, restored or read, else the command's.
  localparam logic [17:0] MBOX_RESPONSE_HANDLE_ADDR = 18'h05004;

  // About a refusal.
  localparam logic [17:0] MBOX_RESPONSE_DETAIL_ADDR = 18'h05008;
  localparam int MBOX_RESPONSE_DETAIL_FIELD_AT_FAULT_LSB = 0;
  localparam int MBOX_RESPONSE_DETAIL_FIELD_AT_FAULT_W = 8;

  // Clock cycles from taking the command to this answer.
  localparam logic [17:0] MBOX_RESPONSE_CYCLES_ADDR = 18'h0500C;

  // From here on only for READ_SA and NEXT_SA: as SA.SPI.
  localparam logic [17:0] MBOX_RESPONSE_SPI_ADDR = 18'h05010;

  // As SA.FLAGS.
  localparam logic [17:0] MBOX_RESPONSE_FLAGS_ADDR = 18'h05014;

  // As SA.ESN_HI.
  localparam logic [17:0] MBOX_RESPONSE_ESN_HI_ADDR = 18'h05018;

  // 0.
  localparam logic [17:0] MBOX_RESPONSE_RESERVED_ADDR = 18'h0501C;

  // As SA.DST.
  localparam logic [17:0] MBOX_RESPONSE_DST_ADDR = 18'h05020;
  localparam int MBOX_RESPONSE_DST_STRIDE = 4;
  localparam int MBOX_RESPONSE_DST_NUM = 4;

  // As SA.SRC.
  localparam logic [17:0] MBOX_RESPONSE_SRC_ADDR = 18'h05030;
  localparam int MBOX_RESPONSE_SRC_STRIDE = 4;
  localparam int MBOX_RESPONSE_SRC_NUM = 4;

  // As SA_COUNTERS.
  localparam logic [17:0] MBOX_RESPONSE_COUNTERS_ADDR = 18'h05040;
  localparam int MBOX_RESPONSE_COUNTERS_STRIDE = 4;
  localparam int MBOX_RESPONSE_COUNTERS_NUM = 8;

  // 0.
  localparam logic [17:0] MBOX_RESPONSE_UNUSED_ADDR = 18'h05060;
  localparam int MBOX_RESPONSE_UNUSED_STRIDE = 4;
  localparam int MBOX_RESPONSE_UNUSED_NUM = 8;

  // Response slots 1 to 31, laid out as slot 0.
  localparam logic [17:0] MBOX_RESPONSE_SLOTS_ADDR = 18'h05080;
  localparam int MBOX_RESPONSE_SLOTS_STRIDE = 4;
  localparam int MBOX_RESPONSE_SLOTS_NUM = 992;

  // Log of the firmware: ASCII lines in a ring of 4096 bytes.
  localparam logic [17:0] CP_LOG_ADDR = 18'h06000;
  localparam int CP_LOG_STRIDE = 4;
  localparam int CP_LOG_NUM = 1024;

  // Firmware: frame of the self-test, byte 0 lowest in word 0; what comes back replaces it.
  localparam logic [17:0] CP_SELFTEST_FRAME_ADDR = 18'h07000;
  localparam int CP_SELFTEST_FRAME_STRIDE = 4;
  localparam int CP_SELFTEST_FRAME_NUM = 64;

  // ---------------------------------------------------------------------------
  // One queue: a descriptor ring, a completion ring of the same number of entries, and its doorbell.

  localparam logic [17:0] TXQ_ADDR = 18'h10000;
  localparam int TXQ_STRIDE = 4096;
  localparam int TXQ_NUM = 16;

  localparam logic [17:0] RXQ_ADDR = 18'h20000;
  localparam int RXQ_STRIDE = 4096;
  localparam int RXQ_NUM = 16;

  // Queue control. Ring registers may be written only while ENABLE is 0.
  localparam logic [11:0] QUEUE_CTRL_ADDR = 12'h000;
  localparam int QUEUE_CTRL_ENABLE_LSB = 0;
  localparam int QUEUE_CTRL_ENABLE_W = 1;
  localparam int QUEUE_CTRL_RING_LOG2_LSB = 4;
  localparam int QUEUE_CTRL_RING_LOG2_W = 4;
  localparam int QUEUE_CTRL_VECTOR_LSB = 8;
  localparam int QUEUE_CTRL_VECTOR_W = 5;

  // Queue status.
  localparam logic [11:0] QUEUE_STATUS_ADDR = 12'h004;
  localparam int QUEUE_STATUS_ACTIVE_LSB = 0;
  localparam int QUEUE_STATUS_ACTIVE_W = 1;
  localparam int QUEUE_STATUS_ERROR_LSB = 1;
  localparam int QUEUE_STATUS_ERROR_W = 1;
  localparam int QUEUE_STATUS_ERROR_CODE_LSB = 4;
  localparam int QUEUE_STATUS_ERROR_CODE_W = 4;

  // IOVA of the descriptor ring, bits 31:0; 64-byte aligned.
  localparam logic [11:0] QUEUE_RING_LO_ADDR = 12'h008;

  // IOVA of the descriptor ring, bits 63:32.
  localparam logic [11:0] QUEUE_RING_HI_ADDR = 12'h00C;

  // IOVA of the completion ring, bits 31:0; 64-byte aligned.
  localparam logic [11:0] QUEUE_CPL_LO_ADDR = 12'h010;

  // IOVA of the completion ring, bits 63:32.
  localparam logic [11:0] QUEUE_CPL_HI_ADDR = 12'h014;

  // Doorbell: index of the first descriptor that the NIC may not use yet. Ring full is size - 1 descriptors.
  localparam logic [11:0] QUEUE_TAIL_ADDR = 12'h018;
  localparam int QUEUE_TAIL_VALUE_LSB = 0;
  localparam int QUEUE_TAIL_VALUE_W = 16;

  // Index of the next descriptor to be processed.
  localparam logic [11:0] QUEUE_HEAD_ADDR = 12'h01C;
  localparam int QUEUE_HEAD_VALUE_LSB = 0;
  localparam int QUEUE_HEAD_VALUE_W = 16;

  // Completion batching. Up to four completions share one 64-byte write.
  localparam logic [11:0] QUEUE_CPL_BATCH_ADDR = 12'h020;
  localparam int QUEUE_CPL_BATCH_COUNT_LSB = 0;
  localparam int QUEUE_CPL_BATCH_COUNT_W = 3;
  localparam int QUEUE_CPL_BATCH_TIMER_LSB = 16;
  localparam int QUEUE_CPL_BATCH_TIMER_W = 16;

  // ---------------------------------------------------------------------------
  // Records in host memory.

  // One frame to send. 16 bytes, little-endian, in the TX ring.
  localparam int TX_DESCRIPTOR_W = 128;
  localparam int TX_DESCRIPTOR_ADDR_LSB = 0;
  localparam int TX_DESCRIPTOR_ADDR_W = 64;
  localparam int TX_DESCRIPTOR_LENGTH_LSB = 64;
  localparam int TX_DESCRIPTOR_LENGTH_W = 16;
  localparam int TX_DESCRIPTOR_ESP_OFFSET_LSB = 80;
  localparam int TX_DESCRIPTOR_ESP_OFFSET_W = 11;
  localparam int TX_DESCRIPTOR_IPSEC_LSB = 91;
  localparam int TX_DESCRIPTOR_IPSEC_W = 1;
  localparam int TX_DESCRIPTOR_REPORT_LSB = 92;
  localparam int TX_DESCRIPTOR_REPORT_W = 1;
  localparam int TX_DESCRIPTOR_ESN_LSB_LSB = 93;
  localparam int TX_DESCRIPTOR_ESN_LSB_W = 1;
  localparam int TX_DESCRIPTOR_HANDLE_LSB = 96;
  localparam int TX_DESCRIPTOR_HANDLE_W = 32;

  // One empty receive buffer. 16 bytes, little-endian, in the RX ring.
  localparam int RX_DESCRIPTOR_W = 128;
  localparam int RX_DESCRIPTOR_ADDR_LSB = 0;
  localparam int RX_DESCRIPTOR_ADDR_W = 64;
  localparam int RX_DESCRIPTOR_LENGTH_LSB = 64;
  localparam int RX_DESCRIPTOR_LENGTH_W = 16;

  // What became of one descriptor. 16 bytes, little-endian, in the completion ring. Words 2 and 3 hold the IPsecOV2 receive words of slots 1 and 12.
  localparam int COMPLETION_W = 128;
  localparam int COMPLETION_LENGTH_LSB = 0;
  localparam int COMPLETION_LENGTH_W = 16;
  localparam int COMPLETION_INDEX_LSB = 16;
  localparam int COMPLETION_INDEX_W = 16;
  localparam int COMPLETION_HANDLE_LSB = 32;
  localparam int COMPLETION_HANDLE_W = 32;
  localparam int COMPLETION_SA_DELETE_REQ_LSB = 64;
  localparam int COMPLETION_SA_DELETE_REQ_W = 1;
  localparam int COMPLETION_CRYPTO_DONE_LSB = 65;
  localparam int COMPLETION_CRYPTO_DONE_W = 1;
  localparam int COMPLETION_NEXT_CRYPTO_DONE_LSB = 66;
  localparam int COMPLETION_NEXT_CRYPTO_DONE_W = 1;
  localparam int COMPLETION_CRYPTO_STATUS_LSB = 80;
  localparam int COMPLETION_CRYPTO_STATUS_W = 16;
  localparam int COMPLETION_NEXT_HEADER_LSB = 96;
  localparam int COMPLETION_NEXT_HEADER_W = 8;
  localparam int COMPLETION_PAD_LENGTH_LSB = 104;
  localparam int COMPLETION_PAD_LENGTH_W = 8;
  localparam int COMPLETION_HEADER_INFO_SET_LSB = 112;
  localparam int COMPLETION_HEADER_INFO_SET_W = 1;
  localparam int COMPLETION_STATUS_LSB = 120;
  localparam int COMPLETION_STATUS_W = 7;
  localparam int COMPLETION_PHASE_LSB = 127;
  localparam int COMPLETION_PHASE_W = 1;

  // ---------------------------------------------------------------------------
  // One security association as the host writes it into the SA window. _WORD is the index of a field's first 32-bit word.

  localparam int SA_RECORD_WORDS = 20;
  localparam int SA_RECORD_SPI_WORD = 0;
  localparam int SA_RECORD_FLAGS_WORD = 1;
  localparam int SA_RECORD_ESN_HI_WORD = 2;
  localparam int SA_RECORD_SALT_WORD = 3;
  localparam int SA_RECORD_DST_WORD = 4;
  localparam int SA_RECORD_SRC_WORD = 8;
  localparam int SA_RECORD_KEY_WORD = 12;

  // ---------------------------------------------------------------------------
  // One command to the control processor, in a slot of the command page. _WORD is the index of a field's first 32-bit word.

  localparam int MAILBOX_COMMAND_WORDS = 32;
  localparam int MAILBOX_COMMAND_HEADER_WORD = 0;
  localparam int MAILBOX_COMMAND_HANDLE_WORD = 1;
  localparam int MAILBOX_COMMAND_RESERVED_WORD = 2;
  localparam int MAILBOX_COMMAND_SPI_WORD = 4;
  localparam int MAILBOX_COMMAND_FLAGS_WORD = 5;
  localparam int MAILBOX_COMMAND_ESN_HI_WORD = 6;
  localparam int MAILBOX_COMMAND_SALT_WORD = 7;
  localparam int MAILBOX_COMMAND_DST_WORD = 8;
  localparam int MAILBOX_COMMAND_SRC_WORD = 12;
  localparam int MAILBOX_COMMAND_KEY_WORD = 16;
  localparam int MAILBOX_COMMAND_UNUSED_WORD = 24;

  // ---------------------------------------------------------------------------
  // The answer to one command, in the slot of the same number of the response page. _WORD is the index of a field's first 32-bit word.

  localparam int MAILBOX_RESPONSE_WORDS = 32;
  localparam int MAILBOX_RESPONSE_HEADER_WORD = 0;
  localparam int MAILBOX_RESPONSE_HANDLE_WORD = 1;
  localparam int MAILBOX_RESPONSE_DETAIL_WORD = 2;
  localparam int MAILBOX_RESPONSE_CYCLES_WORD = 3;
  localparam int MAILBOX_RESPONSE_SPI_WORD = 4;
  localparam int MAILBOX_RESPONSE_FLAGS_WORD = 5;
  localparam int MAILBOX_RESPONSE_ESN_HI_WORD = 6;
  localparam int MAILBOX_RESPONSE_RESERVED_WORD = 7;
  localparam int MAILBOX_RESPONSE_DST_WORD = 8;
  localparam int MAILBOX_RESPONSE_SRC_WORD = 12;
  localparam int MAILBOX_RESPONSE_COUNTERS_WORD = 16;
  localparam int MAILBOX_RESPONSE_UNUSED_WORD = 24;

  // ---------------------------------------------------------------------------
  // Encodings.

  // No operation; completes at once with OK.
  localparam logic [2:0] SA_OP_NOP = 3'd0;
  // Install the record in the window into slot HANDLE.INDEX; expands the key and the powers of H; writes the new generation to HANDLE.
  localparam logic [2:0] SA_OP_ADD = 3'd1;
  // Set ESN_HI of the SA named by HANDLE (index and generation) from the window.
  localparam logic [2:0] SA_OP_UPDATE = 3'd2;
  // Stop using the SA named by HANDLE, wait for its packets to leave the pipelines, zeroise the slot.
  localparam logic [2:0] SA_OP_DELETE = 3'd3;
  // Copy slot HANDLE.INDEX into the window, keys and salt excepted (they read as zero); writes the generation to HANDLE.
  localparam logic [2:0] SA_OP_READ = 3'd4;
  // As ADD, but the slot keeps its generation, which must be the one in HANDLE: brings an SA back under its handle after a reset.
  localparam logic [2:0] SA_OP_RESTORE = 3'd5;

  // Done.
  localparam logic [3:0] SA_RESULT_OK = 4'd0;
  // Unknown operation.
  localparam logic [3:0] SA_RESULT_BAD_OP = 4'd1;
  // HANDLE.INDEX is not below SA_CAPACITY.
  localparam logic [3:0] SA_RESULT_BAD_INDEX = 4'd2;
  // ADD on a slot that holds an SA.
  localparam logic [3:0] SA_RESULT_SLOT_IN_USE = 4'd3;
  // The slot is empty or its generation differs; RESTORE: its generation differs.
  localparam logic [3:0] SA_RESULT_STALE_HANDLE = 4'd4;
  // ADD of an inbound SA whose SPI, destination and IP version are already present.
  localparam logic [3:0] SA_RESULT_DUPLICATE = 4'd5;
  // ADD of an inbound SA for which every way of both hash buckets is taken.
  localparam logic [3:0] SA_RESULT_LOOKUP_FULL = 4'd6;
  // The record asks for something CAP_* does not state, or SPI is 0.
  localparam logic [3:0] SA_RESULT_BAD_RECORD = 4'd7;
  // READ of a slot that holds no SA.
  localparam logic [3:0] SA_RESULT_EMPTY_SLOT = 4'd8;

  // AES-GCM with a 16-byte key.
  localparam logic [1:0] KEYLEN_AES128 = 2'd0;
  // AES-GCM with a 24-byte key.
  localparam logic [1:0] KEYLEN_AES192 = 2'd1;
  // AES-GCM with a 32-byte key.
  localparam logic [1:0] KEYLEN_AES256 = 2'd2;

  // No fault.
  localparam logic [3:0] CP_FAULT_NONE = 4'd0;
  // Illegal instruction or misaligned access.
  localparam logic [3:0] CP_FAULT_TRAP = 4'd1;
  // Access to an address where nothing is, or a write to the program.
  localparam logic [3:0] CP_FAULT_BUS = 4'd2;
  // The firmware did not write CP_HEARTBEAT in time.
  localparam logic [3:0] CP_FAULT_WATCHDOG = 4'd3;

  // The frame went through as it was.
  localparam logic [2:0] SELFTEST_RESULT_PASS = 3'd0;
  // Encrypted, or decrypted with a good ICV.
  localparam logic [2:0] SELFTEST_RESULT_OK = 3'd1;
  // ICV wrong.
  localparam logic [2:0] SELFTEST_RESULT_AUTH = 3'd2;
  // Lengths are impossible.
  localparam logic [2:0] SELFTEST_RESULT_SYNTAX = 3'd3;
  // The frame ends too early.
  localparam logic [2:0] SELFTEST_RESULT_ERROR = 3'd4;

  // Nothing; answered with OK.
  localparam logic [7:0] MAILBOX_OP_NOP = 8'd0;
  // Install SA in a free slot that the firmware chooses; answers with HANDLE.
  localparam logic [7:0] MAILBOX_OP_ADD_SA = 8'd1;
  // Install SA in the slot and with the generation of HANDLE, which must be the slot's last one.
  localparam logic [7:0] MAILBOX_OP_RESTORE_SA = 8'd2;
  // Set the upper half of the sequence numbers of HANDLE to SA.ESN_HI; SA.SPI must be the SA's.
  localparam logic [7:0] MAILBOX_OP_UPDATE_SA = 8'd3;
  // Delete HANDLE; answered when no frame uses it any more and its keys are zeroised.
  localparam logic [7:0] MAILBOX_OP_DELETE_SA = 8'd4;
  // Read HANDLE back.
  localparam logic [7:0] MAILBOX_OP_READ_SA = 8'd5;
  // Read back the SA in the lowest slot in use that is not below HANDLE.INDEX.
  localparam logic [7:0] MAILBOX_OP_NEXT_SA = 8'd6;

  // Done.
  localparam logic [7:0] MAILBOX_STATUS_OK = 8'd0;
  // Unknown operation.
  localparam logic [7:0] MAILBOX_STATUS_BAD_OP = 8'd1;
  // A field of the SA is not what CAP_* allows; FIELD says which.
  localparam logic [7:0] MAILBOX_STATUS_BAD_RECORD = 8'd2;
  // No free slot.
  localparam logic [7:0] MAILBOX_STATUS_NO_SPACE = 8'd3;
  // No room in the lookup table for this SPI and destination.
  localparam logic [7:0] MAILBOX_STATUS_LOOKUP_FULL = 8'd4;
  // An inbound SA with this SPI, destination and IP version exists.
  localparam logic [7:0] MAILBOX_STATUS_DUPLICATE = 8'd5;
  // HANDLE names no SA; RESTORE_SA: not the slot's last generation.
  localparam logic [7:0] MAILBOX_STATUS_STALE_HANDLE = 8'd6;
  // UPDATE_SA of an SA without ESN.
  localparam logic [7:0] MAILBOX_STATUS_NOT_ESN = 8'd7;
  // RESTORE_SA into a slot that holds an SA.
  localparam logic [7:0] MAILBOX_STATUS_SLOT_IN_USE = 8'd8;
  // NEXT_SA: no SA at or above this slot.
  localparam logic [7:0] MAILBOX_STATUS_NO_MORE = 8'd9;
  // The start-up self-tests failed; no command is carried out.
  localparam logic [7:0] MAILBOX_STATUS_SELFTEST_FAILED = 8'd10;
  // The SA engine refused what the firmware had found good.
  localparam logic [7:0] MAILBOX_STATUS_HARDWARE = 8'd11;

  // No single field.
  localparam logic [7:0] MAILBOX_FIELD_NONE = 8'd0;
  // SA.SPI.
  localparam logic [7:0] MAILBOX_FIELD_SPI = 8'd1;
  // SA.FLAGS.KEYLEN.
  localparam logic [7:0] MAILBOX_FIELD_KEYLEN = 8'd2;
  // SA.FLAGS.RX_QUEUE.
  localparam logic [7:0] MAILBOX_FIELD_RX_QUEUE = 8'd3;
  // SA.DST.
  localparam logic [7:0] MAILBOX_FIELD_DST = 8'd4;
  // SA.SRC.
  localparam logic [7:0] MAILBOX_FIELD_SRC = 8'd5;
  // Bits of SA.FLAGS that have no meaning.
  localparam logic [7:0] MAILBOX_FIELD_FLAGS = 8'd6;
  // HANDLE.
  localparam logic [7:0] MAILBOX_FIELD_HANDLE = 8'd7;

  // No error.
  localparam logic [3:0] QUEUE_ERROR_NONE = 4'd0;
  // Fetching descriptors failed on the bus.
  localparam logic [3:0] QUEUE_ERROR_DESC_READ = 4'd1;
  // Writing completions failed on the bus.
  localparam logic [3:0] QUEUE_ERROR_CPL_WRITE = 4'd2;
  // TAIL was written with a value not below the ring size.
  localparam logic [3:0] QUEUE_ERROR_BAD_TAIL = 4'd3;
  // ENABLE was set with a RING_LOG2 outside CAP_RING, or a ring address not aligned to 64 bytes.
  localparam logic [3:0] QUEUE_ERROR_BAD_CONFIG = 4'd4;

  // Decrypted where needed and every ICV that was checked is good.
  localparam logic [15:0] CRYPTO_STATUS_SUCCESS = 16'd0;
  // Failed, unspecified.
  localparam logic [15:0] CRYPTO_STATUS_GENERIC_ERROR = 16'd1;
  // AH ICV of the transport portion is bad.
  localparam logic [15:0] CRYPTO_STATUS_TRANSPORT_AH_AUTH_FAILED = 16'd2;
  // ESP ICV of the transport portion is bad.
  localparam logic [15:0] CRYPTO_STATUS_TRANSPORT_ESP_AUTH_FAILED = 16'd3;
  // AH ICV of the tunnel portion is bad.
  localparam logic [15:0] CRYPTO_STATUS_TUNNEL_AH_AUTH_FAILED = 16'd4;
  // ESP ICV of the tunnel portion is bad.
  localparam logic [15:0] CRYPTO_STATUS_TUNNEL_ESP_AUTH_FAILED = 16'd5;
  // Lengths are impossible on a matching SA.
  localparam logic [15:0] CRYPTO_STATUS_INVALID_PACKET_SYNTAX = 16'd6;
  // The packet's protocols differ from the SA's.
  localparam logic [15:0] CRYPTO_STATUS_INVALID_PROTOCOL = 16'd7;

  // Done as asked.
  localparam logic [6:0] COMPLETION_STATUS_OK = 7'd0;
  // TX: the SA handle names no outbound SA of that generation; the frame was not sent.
  localparam logic [6:0] COMPLETION_STATUS_STALE_HANDLE = 7'd1;
  // TX: LENGTH below 14 or above CAP_FRAME.MAX_FRAME, or too short for the ESP packet, or its payload is not a multiple of 4; not sent.
  localparam logic [6:0] COMPLETION_STATUS_BAD_LENGTH = 7'd2;
  // TX: ESP_OFFSET leaves no room for Ethernet and IP headers; not sent.
  localparam logic [6:0] COMPLETION_STATUS_BAD_OFFSET = 7'd3;
  // TX: reading the frame failed on the bus; not sent.
  localparam logic [6:0] COMPLETION_STATUS_DMA_READ = 7'd4;
  // RX: writing the frame failed on the bus; buffer contents are undefined.
  localparam logic [6:0] COMPLETION_STATUS_DMA_WRITE = 7'd5;
  // TX: IPSEC asked for while CTRL.IPSEC_ENABLE is 0; not sent (fail closed).
  localparam logic [6:0] COMPLETION_STATUS_OFFLOAD_OFF = 7'd6;
  // RX: the buffer was shorter than the frame; LENGTH is the frame's, the buffer holds its beginning.
  localparam logic [6:0] COMPLETION_STATUS_TRUNCATED = 7'd7;

endpackage
/* verilator lint_on UNUSEDPARAM */
