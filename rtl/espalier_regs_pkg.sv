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
  localparam logic [7:0] VERSION_MINOR = 8'h0;
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

  // Done.
  localparam logic [3:0] SA_RESULT_OK = 4'd0;
  // Unknown operation.
  localparam logic [3:0] SA_RESULT_BAD_OP = 4'd1;
  // HANDLE.INDEX is not below SA_CAPACITY.
  localparam logic [3:0] SA_RESULT_BAD_INDEX = 4'd2;
  // ADD on a slot that holds an SA.
  localparam logic [3:0] SA_RESULT_SLOT_IN_USE = 4'd3;
  // The slot is empty or its generation differs.
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
