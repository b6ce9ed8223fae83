/* SPDX-License-Identifier: Apache-2.0
 * Code generated from regs/espalier.rdl by make regs. DO NOT EDIT.
 */
#ifndef ESPALIER_REGS_H
#define ESPALIER_REGS_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A field of a register's value: ESPALIER_GET(v, ESPALIER_CTRL_TX_ENABLE) reads it,
 * ESPALIER_SET(v, ESPALIER_CTRL_TX_ENABLE, 1) is v with the field set. */
#define ESPALIER_GET(value, field) (((uint32_t)(value) & field##_MASK) >> field##_SHIFT)
#define ESPALIER_SET(value, field, to) \
    (((uint32_t)(value) & ~field##_MASK) | (((uint32_t)(to) << field##_SHIFT) & field##_MASK))

/* --------------------------------------------------------------------------
 * BAR 0 of the Espalier IPsec NIC, 256 KiB. */

#define ESPALIER_BAR_SIZE 0x40000u

/* Identity: the ASCII letters ESPL, first letter in the lowest byte. */
#define ESPALIER_ID_OFFSET 0x0u
#define ESPALIER_ID_MAGIC_VALUE 0x4c505345u

/* Version of this register interface. Software refuses another MAJOR. */
#define ESPALIER_VERSION_OFFSET 0x4u
#define ESPALIER_VERSION_PATCH_MASK 0xffffu
#define ESPALIER_VERSION_PATCH_SHIFT 0
#define ESPALIER_VERSION_PATCH_VALUE 0x0u
#define ESPALIER_VERSION_MINOR_MASK 0xff0000u
#define ESPALIER_VERSION_MINOR_SHIFT 16
#define ESPALIER_VERSION_MINOR_VALUE 0x1u
#define ESPALIER_VERSION_MAJOR_MASK 0xff000000u
#define ESPALIER_VERSION_MAJOR_SHIFT 24
#define ESPALIER_VERSION_MAJOR_VALUE 0x1u

/* Build identification of this RTL (parameter BUILD_ID); 0 if not stamped. */
#define ESPALIER_BUILD_ID_OFFSET 0x8u

/* Where the other 4 KiB pages are, as page numbers. */
#define ESPALIER_LAYOUT_OFFSET 0xcu
#define ESPALIER_LAYOUT_SA_PAGE_MASK 0xffu
#define ESPALIER_LAYOUT_SA_PAGE_SHIFT 0
#define ESPALIER_LAYOUT_SA_PAGE_VALUE 0x1u
#define ESPALIER_LAYOUT_STATS_PAGE_MASK 0xff00u
#define ESPALIER_LAYOUT_STATS_PAGE_SHIFT 8
#define ESPALIER_LAYOUT_STATS_PAGE_VALUE 0x2u
#define ESPALIER_LAYOUT_TXQ_PAGE_MASK 0xff0000u
#define ESPALIER_LAYOUT_TXQ_PAGE_SHIFT 16
#define ESPALIER_LAYOUT_TXQ_PAGE_VALUE 0x10u
#define ESPALIER_LAYOUT_RXQ_PAGE_MASK 0xff000000u
#define ESPALIER_LAYOUT_RXQ_PAGE_SHIFT 24
#define ESPALIER_LAYOUT_RXQ_PAGE_VALUE 0x20u

/* How many of each. */
#define ESPALIER_CAP_SIZE_OFFSET 0x10u
#define ESPALIER_CAP_SIZE_NUM_TXQ_MASK 0xffu
#define ESPALIER_CAP_SIZE_NUM_TXQ_SHIFT 0
#define ESPALIER_CAP_SIZE_NUM_RXQ_MASK 0xff00u
#define ESPALIER_CAP_SIZE_NUM_RXQ_SHIFT 8
#define ESPALIER_CAP_SIZE_NUM_VECTORS_MASK 0xff0000u
#define ESPALIER_CAP_SIZE_NUM_VECTORS_SHIFT 16
#define ESPALIER_CAP_SIZE_LANES_MASK 0xf000000u
#define ESPALIER_CAP_SIZE_LANES_SHIFT 24

/* SA slots. */
#define ESPALIER_CAP_SA_OFFSET 0x14u
#define ESPALIER_CAP_SA_CAPACITY_MASK 0xffffffu
#define ESPALIER_CAP_SA_CAPACITY_SHIFT 0

/* Algorithms, as the IPsecOV2 capability masks. */
#define ESPALIER_CAP_ALG_OFFSET 0x18u
#define ESPALIER_CAP_ALG_ENCRYPTION_MASK 0x1ffu
#define ESPALIER_CAP_ALG_ENCRYPTION_SHIFT 0
#define ESPALIER_CAP_ALG_AUTHENTICATION_MASK 0x3f0000u
#define ESPALIER_CAP_ALG_AUTHENTICATION_SHIFT 16
#define ESPALIER_CAP_ALG_ICV_MASK 0x7000000u
#define ESPALIER_CAP_ALG_ICV_SHIFT 24

/* Features, as the IPsecOV2 capability record's booleans. */
#define ESPALIER_CAP_FEATURE_OFFSET 0x1cu
#define ESPALIER_CAP_FEATURE_IPV4_MASK 0x1u
#define ESPALIER_CAP_FEATURE_IPV4_SHIFT 0
#define ESPALIER_CAP_FEATURE_IPV6_MASK 0x2u
#define ESPALIER_CAP_FEATURE_IPV6_SHIFT 1
#define ESPALIER_CAP_FEATURE_IPV4_OPTIONS_MASK 0x4u
#define ESPALIER_CAP_FEATURE_IPV4_OPTIONS_SHIFT 2
#define ESPALIER_CAP_FEATURE_IPV6_EXT_HEADERS_MASK 0x8u
#define ESPALIER_CAP_FEATURE_IPV6_EXT_HEADERS_SHIFT 3
#define ESPALIER_CAP_FEATURE_AH_MASK 0x10u
#define ESPALIER_CAP_FEATURE_AH_SHIFT 4
#define ESPALIER_CAP_FEATURE_ESP_MASK 0x20u
#define ESPALIER_CAP_FEATURE_ESP_SHIFT 5
#define ESPALIER_CAP_FEATURE_AH_ESP_MASK 0x40u
#define ESPALIER_CAP_FEATURE_AH_ESP_SHIFT 6
#define ESPALIER_CAP_FEATURE_TRANSPORT_MASK 0x80u
#define ESPALIER_CAP_FEATURE_TRANSPORT_SHIFT 7
#define ESPALIER_CAP_FEATURE_TUNNEL_MASK 0x100u
#define ESPALIER_CAP_FEATURE_TUNNEL_SHIFT 8
#define ESPALIER_CAP_FEATURE_TRANSPORT_TUNNEL_MASK 0x200u
#define ESPALIER_CAP_FEATURE_TRANSPORT_TUNNEL_SHIFT 9
#define ESPALIER_CAP_FEATURE_LSO_MASK 0x400u
#define ESPALIER_CAP_FEATURE_LSO_SHIFT 10
#define ESPALIER_CAP_FEATURE_ESN_MASK 0x800u
#define ESPALIER_CAP_FEATURE_ESN_SHIFT 11
#define ESPALIER_CAP_FEATURE_UDP_ESP_MASK 0xf000u
#define ESPALIER_CAP_FEATURE_UDP_ESP_SHIFT 12
#define ESPALIER_CAP_FEATURE_ENCAPSULATION_MASK 0x1f0000u
#define ESPALIER_CAP_FEATURE_ENCAPSULATION_SHIFT 16
#define ESPALIER_CAP_FEATURE_LOOPBACK_MASK 0x1000000u
#define ESPALIER_CAP_FEATURE_LOOPBACK_SHIFT 24
#define ESPALIER_CAP_FEATURE_CONTROL_PROCESSOR_MASK 0x2000000u
#define ESPALIER_CAP_FEATURE_CONTROL_PROCESSOR_SHIFT 25

/* Ring limits. */
#define ESPALIER_CAP_RING_OFFSET 0x20u
#define ESPALIER_CAP_RING_MIN_LOG2_MASK 0xfu
#define ESPALIER_CAP_RING_MIN_LOG2_SHIFT 0
#define ESPALIER_CAP_RING_MAX_LOG2_MASK 0xf0u
#define ESPALIER_CAP_RING_MAX_LOG2_SHIFT 4
#define ESPALIER_CAP_RING_PREFETCH_MASK 0xff00u
#define ESPALIER_CAP_RING_PREFETCH_SHIFT 8

/* Frame limits. */
#define ESPALIER_CAP_FRAME_OFFSET 0x24u
#define ESPALIER_CAP_FRAME_MAX_FRAME_MASK 0xffffu
#define ESPALIER_CAP_FRAME_MAX_FRAME_SHIFT 0

/* Clock for which the design is meant; what a cycle counts. */
#define ESPALIER_CAP_CLOCK_OFFSET 0x28u
#define ESPALIER_CAP_CLOCK_MHZ_MASK 0xffffu
#define ESPALIER_CAP_CLOCK_MHZ_SHIFT 0

/* Where the pages of the control processor are, as page numbers; with CAP_FEATURE.CONTROL_PROCESSOR. */
#define ESPALIER_LAYOUT_CP_OFFSET 0x2cu
#define ESPALIER_LAYOUT_CP_CP_PAGE_MASK 0xffu
#define ESPALIER_LAYOUT_CP_CP_PAGE_SHIFT 0
#define ESPALIER_LAYOUT_CP_CP_PAGE_VALUE 0x3u
#define ESPALIER_LAYOUT_CP_COMMAND_PAGE_MASK 0xff00u
#define ESPALIER_LAYOUT_CP_COMMAND_PAGE_SHIFT 8
#define ESPALIER_LAYOUT_CP_COMMAND_PAGE_VALUE 0x4u
#define ESPALIER_LAYOUT_CP_RESPONSE_PAGE_MASK 0xff0000u
#define ESPALIER_LAYOUT_CP_RESPONSE_PAGE_SHIFT 16
#define ESPALIER_LAYOUT_CP_RESPONSE_PAGE_VALUE 0x5u
#define ESPALIER_LAYOUT_CP_LOG_PAGE_MASK 0xff000000u
#define ESPALIER_LAYOUT_CP_LOG_PAGE_SHIFT 24
#define ESPALIER_LAYOUT_CP_LOG_PAGE_VALUE 0x6u

/* Global control. */
#define ESPALIER_CTRL_OFFSET 0x40u
#define ESPALIER_CTRL_RESET_MASK 0x1u
#define ESPALIER_CTRL_RESET_SHIFT 0
#define ESPALIER_CTRL_TX_ENABLE_MASK 0x2u
#define ESPALIER_CTRL_TX_ENABLE_SHIFT 1
#define ESPALIER_CTRL_RX_ENABLE_MASK 0x4u
#define ESPALIER_CTRL_RX_ENABLE_SHIFT 2
#define ESPALIER_CTRL_IPSEC_ENABLE_MASK 0x8u
#define ESPALIER_CTRL_IPSEC_ENABLE_SHIFT 3
#define ESPALIER_CTRL_LOOPBACK_MASK 0x10u
#define ESPALIER_CTRL_LOOPBACK_SHIFT 4

/* Global status. */
#define ESPALIER_STATUS_OFFSET 0x44u
#define ESPALIER_STATUS_READY_MASK 0x1u
#define ESPALIER_STATUS_READY_SHIFT 0
#define ESPALIER_STATUS_RESET_BUSY_MASK 0x2u
#define ESPALIER_STATUS_RESET_BUSY_SHIFT 1
#define ESPALIER_STATUS_ZEROISED_MASK 0x4u
#define ESPALIER_STATUS_ZEROISED_SHIFT 2
#define ESPALIER_STATUS_TX_IDLE_MASK 0x8u
#define ESPALIER_STATUS_TX_IDLE_SHIFT 3
#define ESPALIER_STATUS_RX_IDLE_MASK 0x10u
#define ESPALIER_STATUS_RX_IDLE_SHIFT 4

/* Queue for received frames that match no SA. */
#define ESPALIER_RX_DEFAULT_OFFSET 0x48u
#define ESPALIER_RX_DEFAULT_QUEUE_MASK 0xfu
#define ESPALIER_RX_DEFAULT_QUEUE_SHIFT 0

/* For tests of the path to the NIC; does nothing. */
#define ESPALIER_SCRATCH_OFFSET 0x4cu

/* Clock cycles since the last hard reset, bits 31:0; reading it latches CYCLES_HI. */
#define ESPALIER_CYCLES_LO_OFFSET 0x50u

/* Clock cycles, bits 63:32, as of the last read of CYCLES_LO. */
#define ESPALIER_CYCLES_HI_OFFSET 0x54u

/* Interrupt causes, one bit per vector; write 1 to clear. */
#define ESPALIER_INT_CAUSE_OFFSET 0x80u

/* Interrupt masks, one bit per vector; 1: the cause is recorded, no interrupt is sent. */
#define ESPALIER_INT_MASK_OFFSET 0x84u

/* Re-arm: a vector that has sent an interrupt sends no other until its bit is written 1 here. */
#define ESPALIER_INT_ARM_OFFSET 0x88u

/* Raise vectors by hand: counts one event on each vector written 1. */
#define ESPALIER_INT_SET_OFFSET 0x8cu

/* Moderation per vector: an armed vector fires when either limit is reached after an event. */
#define ESPALIER_INT_MODERATION_OFFSET(i) (0x100u + 0x4u * (uint32_t)(i))
#define ESPALIER_INT_MODERATION_COUNT 32
#define ESPALIER_INT_MODERATION_COUNT_MASK 0xffu
#define ESPALIER_INT_MODERATION_COUNT_SHIFT 0
#define ESPALIER_INT_MODERATION_TIME_MASK 0xffff0000u
#define ESPALIER_INT_MODERATION_TIME_SHIFT 16

/* Start an operation on the window. Ignored while SA_STATUS.BUSY. */
#define ESPALIER_SA_CMD_OFFSET 0x1000u
#define ESPALIER_SA_CMD_OP_MASK 0x7u
#define ESPALIER_SA_CMD_OP_SHIFT 0

/* State of the SA window. */
#define ESPALIER_SA_STATUS_OFFSET 0x1004u
#define ESPALIER_SA_STATUS_BUSY_MASK 0x1u
#define ESPALIER_SA_STATUS_BUSY_SHIFT 0
#define ESPALIER_SA_STATUS_RESULT_MASK 0xf0u
#define ESPALIER_SA_STATUS_RESULT_SHIFT 4
#define ESPALIER_SA_STATUS_CYCLES_MASK 0xffff0000u
#define ESPALIER_SA_STATUS_CYCLES_SHIFT 16

/* Which SA: the host gives INDEX (and GENERATION for UPDATE and DELETE), the NIC gives GENERATION. */
#define ESPALIER_SA_HANDLE_OFFSET 0x1008u
#define ESPALIER_SA_HANDLE_INDEX_MASK 0xffffu
#define ESPALIER_SA_HANDLE_INDEX_SHIFT 0
#define ESPALIER_SA_HANDLE_GENERATION_MASK 0xffff0000u
#define ESPALIER_SA_HANDLE_GENERATION_SHIFT 16

/* Nonce of the key fingerprints. 0 in both words: no fingerprints are made, they read as 0. Change
 * only while there is no SA. */
#define ESPALIER_SA_NONCE_OFFSET(i) (0x1010u + 0x4u * (uint32_t)(i))
#define ESPALIER_SA_NONCE_COUNT 2

/* SPI; 0 is refused. */
#define ESPALIER_SA_SPI_OFFSET 0x1040u

/* What kind of SA this is. */
#define ESPALIER_SA_FLAGS_OFFSET 0x1044u
#define ESPALIER_SA_FLAGS_INBOUND_MASK 0x1u
#define ESPALIER_SA_FLAGS_INBOUND_SHIFT 0
#define ESPALIER_SA_FLAGS_IPV6_MASK 0x2u
#define ESPALIER_SA_FLAGS_IPV6_SHIFT 1
#define ESPALIER_SA_FLAGS_TUNNEL_MASK 0x4u
#define ESPALIER_SA_FLAGS_TUNNEL_SHIFT 2
#define ESPALIER_SA_FLAGS_ESN_MASK 0x8u
#define ESPALIER_SA_FLAGS_ESN_SHIFT 3
#define ESPALIER_SA_FLAGS_KEYLEN_MASK 0x30u
#define ESPALIER_SA_FLAGS_KEYLEN_SHIFT 4
#define ESPALIER_SA_FLAGS_RX_QUEUE_MASK 0xf00u
#define ESPALIER_SA_FLAGS_RX_QUEUE_SHIFT 8

/* Upper half of the 64-bit sequence number; used with ESN. */
#define ESPALIER_SA_ESN_HI_OFFSET 0x1048u

/* Salt of RFC 4106, first byte most significant. */
#define ESPALIER_SA_SALT_OFFSET 0x104cu

/* Destination address; an IPv4 address is word 0, the others 0. All zero: any destination. */
#define ESPALIER_SA_DST_OFFSET(i) (0x1050u + 0x4u * (uint32_t)(i))
#define ESPALIER_SA_DST_COUNT 4

/* Source address; all zero: any source. */
#define ESPALIER_SA_SRC_OFFSET(i) (0x1060u + 0x4u * (uint32_t)(i))
#define ESPALIER_SA_SRC_COUNT 4

/* AES key, first byte most significant in word 0; unused words are ignored. */
#define ESPALIER_SA_KEY_OFFSET(i) (0x1070u + 0x4u * (uint32_t)(i))
#define ESPALIER_SA_KEY_COUNT 8

/* What READ found beside the record. Words 0, 1: frames (low, high). 2, 3: bytes of those frames,
 * Ethernet header to last byte, no FCS. 4: inbound: frames with a wrong ICV. 5: inbound: frames with
 * impossible lengths. 6, 7: key fingerprint, the first 8 bytes of the AES encryption under the SA's
 * key of SA_NONCE (8 bytes) followed by 64 zero bits, first byte most significant in word 6; no GCM
 * counter block ends in 32 zero bits. Frames and bytes count what was encrypted, or decrypted with
 * success; they start at 0 with ADD and RESTORE. */
#define ESPALIER_SA_COUNTERS_OFFSET(i) (0x10a0u + 0x4u * (uint32_t)(i))
#define ESPALIER_SA_COUNTERS_COUNT 8

/* Frames sent to the wire: bits 31:0; reading it latches HI. */
#define ESPALIER_STAT_TX_FRAMES_LO_OFFSET 0x2000u

/* Frames sent to the wire: bits 63:32 as of the last read of LO. */
#define ESPALIER_STAT_TX_FRAMES_HI_OFFSET 0x2004u

/* Bytes of those frames, no FCS: bits 31:0; reading it latches HI. */
#define ESPALIER_STAT_TX_BYTES_LO_OFFSET 0x2008u

/* Bytes of those frames, no FCS: bits 63:32 as of the last read of LO. */
#define ESPALIER_STAT_TX_BYTES_HI_OFFSET 0x200cu

/* Frames encrypted and sent: bits 31:0; reading it latches HI. */
#define ESPALIER_STAT_TX_ESP_LO_OFFSET 0x2010u

/* Frames encrypted and sent: bits 63:32 as of the last read of LO. */
#define ESPALIER_STAT_TX_ESP_HI_OFFSET 0x2014u

/* Sends failed with STALE_HANDLE: bits 31:0; reading it latches HI. */
#define ESPALIER_STAT_TX_ERR_HANDLE_LO_OFFSET 0x2018u

/* Sends failed with STALE_HANDLE: bits 63:32 as of the last read of LO. */
#define ESPALIER_STAT_TX_ERR_HANDLE_HI_OFFSET 0x201cu

/* Sends failed with BAD_LENGTH, BAD_OFFSET or OFFLOAD_OFF: bits 31:0; reading it latches HI. */
#define ESPALIER_STAT_TX_ERR_DESC_LO_OFFSET 0x2020u

/* Sends failed with BAD_LENGTH, BAD_OFFSET or OFFLOAD_OFF: bits 63:32 as of the last read of LO. */
#define ESPALIER_STAT_TX_ERR_DESC_HI_OFFSET 0x2024u

/* Sends failed with DMA_READ: bits 31:0; reading it latches HI. */
#define ESPALIER_STAT_TX_ERR_DMA_LO_OFFSET 0x2028u

/* Sends failed with DMA_READ: bits 63:32 as of the last read of LO. */
#define ESPALIER_STAT_TX_ERR_DMA_HI_OFFSET 0x202cu

/* Frames accepted from the wire, dropped ones included: bits 31:0; reading it latches HI. */
#define ESPALIER_STAT_RX_FRAMES_LO_OFFSET 0x2030u

/* Frames accepted from the wire, dropped ones included: bits 63:32 as of the last read of LO. */
#define ESPALIER_STAT_RX_FRAMES_HI_OFFSET 0x2034u

/* Bytes of those frames, no FCS: bits 31:0; reading it latches HI. */
#define ESPALIER_STAT_RX_BYTES_LO_OFFSET 0x2038u

/* Bytes of those frames, no FCS: bits 63:32 as of the last read of LO. */
#define ESPALIER_STAT_RX_BYTES_HI_OFFSET 0x203cu

/* ESP frames delivered with SUCCESS: bits 31:0; reading it latches HI. */
#define ESPALIER_STAT_RX_ESP_OK_LO_OFFSET 0x2040u

/* ESP frames delivered with SUCCESS: bits 63:32 as of the last read of LO. */
#define ESPALIER_STAT_RX_ESP_OK_HI_OFFSET 0x2044u

/* ESP frames delivered with *_ESP_AUTH_FAILED: bits 31:0; reading it latches HI. */
#define ESPALIER_STAT_RX_AUTH_FAILED_LO_OFFSET 0x2048u

/* ESP frames delivered with *_ESP_AUTH_FAILED: bits 63:32 as of the last read of LO. */
#define ESPALIER_STAT_RX_AUTH_FAILED_HI_OFFSET 0x204cu

/* ESP frames delivered with INVALID_PACKET_SYNTAX: bits 31:0; reading it latches HI. */
#define ESPALIER_STAT_RX_SYNTAX_LO_OFFSET 0x2050u

/* ESP frames delivered with INVALID_PACKET_SYNTAX: bits 63:32 as of the last read of LO. */
#define ESPALIER_STAT_RX_SYNTAX_HI_OFFSET 0x2054u

/* ESP frames delivered untouched because no SA matched: bits 31:0; reading it latches HI. */
#define ESPALIER_STAT_RX_NO_SA_LO_OFFSET 0x2058u

/* ESP frames delivered untouched because no SA matched: bits 63:32 as of the last read of LO. */
#define ESPALIER_STAT_RX_NO_SA_HI_OFFSET 0x205cu

/* Other frames delivered untouched: bits 31:0; reading it latches HI. */
#define ESPALIER_STAT_RX_UNTOUCHED_LO_OFFSET 0x2060u

/* Other frames delivered untouched: bits 63:32 as of the last read of LO. */
#define ESPALIER_STAT_RX_UNTOUCHED_HI_OFFSET 0x2064u

/* Frames dropped because the queue had no descriptor or was not enabled: bits 31:0; reading it latches
 * HI. */
#define ESPALIER_STAT_RX_DROP_NO_DESC_LO_OFFSET 0x2068u

/* Frames dropped because the queue had no descriptor or was not enabled: bits 63:32 as of the last
 * read of LO. */
#define ESPALIER_STAT_RX_DROP_NO_DESC_HI_OFFSET 0x206cu

/* Frames dropped because the MAC flagged them or they exceed MAX_FRAME or are under 14 bytes: bits
 * 31:0; reading it latches HI. */
#define ESPALIER_STAT_RX_DROP_BAD_LO_OFFSET 0x2070u

/* Frames dropped because the MAC flagged them or they exceed MAX_FRAME or are under 14 bytes: bits
 * 63:32 as of the last read of LO. */
#define ESPALIER_STAT_RX_DROP_BAD_HI_OFFSET 0x2074u

/* Frames lost with DMA_WRITE: bits 31:0; reading it latches HI. */
#define ESPALIER_STAT_RX_ERR_DMA_LO_OFFSET 0x2078u

/* Frames lost with DMA_WRITE: bits 63:32 as of the last read of LO. */
#define ESPALIER_STAT_RX_ERR_DMA_HI_OFFSET 0x207cu

/* The control processor. */
#define ESPALIER_CP_CTRL_OFFSET 0x3000u
#define ESPALIER_CP_CTRL_RUN_MASK 0x1u
#define ESPALIER_CP_CTRL_RUN_SHIFT 0

/* State of the control processor. */
#define ESPALIER_CP_STATUS_OFFSET 0x3004u
#define ESPALIER_CP_STATUS_RUNNING_MASK 0x1u
#define ESPALIER_CP_STATUS_RUNNING_SHIFT 0
#define ESPALIER_CP_STATUS_IMAGE_OK_MASK 0x2u
#define ESPALIER_CP_STATUS_IMAGE_OK_SHIFT 1
#define ESPALIER_CP_STATUS_READY_MASK 0x4u
#define ESPALIER_CP_STATUS_READY_SHIFT 2
#define ESPALIER_CP_STATUS_SELFTEST_PASSED_MASK 0x8u
#define ESPALIER_CP_STATUS_SELFTEST_PASSED_SHIFT 3
#define ESPALIER_CP_STATUS_SELFTEST_FAILED_MASK 0x10u
#define ESPALIER_CP_STATUS_SELFTEST_FAILED_SHIFT 4
#define ESPALIER_CP_STATUS_FAULT_MASK 0xf00u
#define ESPALIER_CP_STATUS_FAULT_SHIFT 8

/* Counts writes of the firmware; a write restarts the watchdog. */
#define ESPALIER_CP_HEARTBEAT_OFFSET 0x3008u

/* Version of the firmware that runs. */
#define ESPALIER_CP_FW_VERSION_OFFSET 0x300cu
#define ESPALIER_CP_FW_VERSION_PATCH_MASK 0xffffu
#define ESPALIER_CP_FW_VERSION_PATCH_SHIFT 0
#define ESPALIER_CP_FW_VERSION_MINOR_MASK 0xff0000u
#define ESPALIER_CP_FW_VERSION_MINOR_SHIFT 16
#define ESPALIER_CP_FW_VERSION_MAJOR_MASK 0xff000000u
#define ESPALIER_CP_FW_VERSION_MAJOR_SHIFT 24

/* Build id of the firmware that runs. */
#define ESPALIER_CP_FW_BUILD_OFFSET 0x3010u

/* Write: byte address of the next word loaded, a multiple of 4; 0 starts an image and its CRC. Ignored
 * while the processor runs. */
#define ESPALIER_CP_LOAD_ADDR_OFFSET 0x3014u
#define ESPALIER_CP_LOAD_ADDR_ADDRESS_MASK 0xffffffu
#define ESPALIER_CP_LOAD_ADDR_ADDRESS_SHIFT 0

/* Write: loads a word and advances CP_LOAD_ADDR by 4. Ignored while the processor runs. Reads as 0. */
#define ESPALIER_CP_LOAD_DATA_OFFSET 0x3018u

/* CRC-32 (IEEE 802.3, reflected, not inverted at the end) of what was loaded from address 0 on;
 * 0xDEBB20E3 after an image that ends in its CRC. */
#define ESPALIER_CP_LOAD_CRC_OFFSET 0x301cu

/* Size of the processor's memory. */
#define ESPALIER_CP_RAM_OFFSET 0x3020u

/* Clock cycles without a write of CP_HEARTBEAT after which the processor counts as hung. */
#define ESPALIER_CP_WATCHDOG_OFFSET 0x3024u

/* Address of the last instruction fetched; after a fault, where it happened. */
#define ESPALIER_CP_PC_OFFSET 0x3028u

/* Bytes ever written to the log since the processor was started; the next goes to this number modulo
 * 4096 of the log page. */
#define ESPALIER_CP_LOG_HEAD_OFFSET 0x302cu

/* Write a slot's number: its command is posted. Ignored if the slot is posted already. */
#define ESPALIER_MBOX_DOORBELL_OFFSET 0x3040u
#define ESPALIER_MBOX_DOORBELL_SLOT_MASK 0x1fu
#define ESPALIER_MBOX_DOORBELL_SLOT_SHIFT 0

/* Slots posted and not answered. */
#define ESPALIER_MBOX_PENDING_OFFSET 0x3044u

/* Slots answered; write 1 to clear. Each answer is one event on MBOX_CTRL.VECTOR, and so is a fault of
 * the processor. */
#define ESPALIER_MBOX_DONE_OFFSET 0x3048u

/* Mailbox. */
#define ESPALIER_MBOX_CTRL_OFFSET 0x304cu
#define ESPALIER_MBOX_CTRL_VECTOR_MASK 0x1fu
#define ESPALIER_MBOX_CTRL_VECTOR_SHIFT 0

/* Size of the mailbox. */
#define ESPALIER_MBOX_SIZE_OFFSET 0x3050u
#define ESPALIER_MBOX_SIZE_SLOTS_MASK 0xffu
#define ESPALIER_MBOX_SIZE_SLOTS_SHIFT 0
#define ESPALIER_MBOX_SIZE_SLOTS_VALUE 0x20u
#define ESPALIER_MBOX_SIZE_STRIDE_MASK 0xffff00u
#define ESPALIER_MBOX_SIZE_STRIDE_SHIFT 8
#define ESPALIER_MBOX_SIZE_STRIDE_VALUE 0x80u

/* Firmware: the next slot posted. Reading takes it from the queue. */
#define ESPALIER_CP_NEXT_OFFSET 0x3080u
#define ESPALIER_CP_NEXT_SLOT_MASK 0x1fu
#define ESPALIER_CP_NEXT_SLOT_SHIFT 0
#define ESPALIER_CP_NEXT_VALID_MASK 0x80000000u
#define ESPALIER_CP_NEXT_VALID_SHIFT 31

/* Firmware: write a slot's number: its response is complete. */
#define ESPALIER_CP_ANSWER_OFFSET 0x3084u
#define ESPALIER_CP_ANSWER_SLOT_MASK 0x1fu
#define ESPALIER_CP_ANSWER_SLOT_SHIFT 0

/* Firmware: write anything: alive. Read as CP_HEARTBEAT. */
#define ESPALIER_CP_ALIVE_OFFSET 0x3088u

/* Firmware: sets the bits of CP_STATUS. */
#define ESPALIER_CP_REPORT_OFFSET 0x308cu
#define ESPALIER_CP_REPORT_READY_MASK 0x4u
#define ESPALIER_CP_REPORT_READY_SHIFT 2
#define ESPALIER_CP_REPORT_SELFTEST_PASSED_MASK 0x8u
#define ESPALIER_CP_REPORT_SELFTEST_PASSED_SHIFT 3
#define ESPALIER_CP_REPORT_SELFTEST_FAILED_MASK 0x10u
#define ESPALIER_CP_REPORT_SELFTEST_FAILED_SHIFT 4

/* Firmware: value of CP_FW_VERSION. */
#define ESPALIER_CP_SET_VERSION_OFFSET 0x3090u

/* Firmware: value of CP_FW_BUILD. */
#define ESPALIER_CP_SET_BUILD_OFFSET 0x3094u

/* Firmware: write one byte to the log. */
#define ESPALIER_CP_LOG_PUT_OFFSET 0x3098u
#define ESPALIER_CP_LOG_PUT_BYTE_VALUE_MASK 0xffu
#define ESPALIER_CP_LOG_PUT_BYTE_VALUE_SHIFT 0

/* Firmware: SA slots in use. */
#define ESPALIER_CP_SA_LIVE_OFFSET 0x309cu

/* Firmware: start one self-test: a frame from the self-test page through one crypt unit and back
 * there. Ignored once SELFTEST_PASSED. */
#define ESPALIER_CP_SELFTEST_OFFSET 0x30a0u
#define ESPALIER_CP_SELFTEST_RX_MASK 0x1u
#define ESPALIER_CP_SELFTEST_RX_SHIFT 0
#define ESPALIER_CP_SELFTEST_KEYLEN_MASK 0x6u
#define ESPALIER_CP_SELFTEST_KEYLEN_SHIFT 1
#define ESPALIER_CP_SELFTEST_ESN_MASK 0x8u
#define ESPALIER_CP_SELFTEST_ESN_SHIFT 3
#define ESPALIER_CP_SELFTEST_LENGTH_MASK 0x1ff0u
#define ESPALIER_CP_SELFTEST_LENGTH_SHIFT 4
#define ESPALIER_CP_SELFTEST_ESP_OFFSET_MASK 0xff0000u
#define ESPALIER_CP_SELFTEST_ESP_OFFSET_SHIFT 16
#define ESPALIER_CP_SELFTEST_PAYLOAD_MASK 0xff000000u
#define ESPALIER_CP_SELFTEST_PAYLOAD_SHIFT 24

/* Firmware: SA slot whose keys the self-test uses. */
#define ESPALIER_CP_SELFTEST_SA_OFFSET 0x30a4u
#define ESPALIER_CP_SELFTEST_SA_VALUE_MASK 0xffffu
#define ESPALIER_CP_SELFTEST_SA_VALUE_SHIFT 0

/* Firmware: salt of the self-test. */
#define ESPALIER_CP_SELFTEST_SALT_OFFSET 0x30a8u

/* Firmware: upper half of the sequence number of the self-test. */
#define ESPALIER_CP_SELFTEST_ESN_HI_OFFSET 0x30acu

/* Firmware: outcome of the self-test. */
#define ESPALIER_CP_SELFTEST_STATUS_OFFSET 0x30b0u
#define ESPALIER_CP_SELFTEST_STATUS_BUSY_MASK 0x1u
#define ESPALIER_CP_SELFTEST_STATUS_BUSY_SHIFT 0
#define ESPALIER_CP_SELFTEST_STATUS_RESULT_MASK 0x70u
#define ESPALIER_CP_SELFTEST_STATUS_RESULT_SHIFT 4
#define ESPALIER_CP_SELFTEST_STATUS_LENGTH_MASK 0x1ff0000u
#define ESPALIER_CP_SELFTEST_STATUS_LENGTH_SHIFT 16

/* What to do. */
#define ESPALIER_MBOX_COMMAND_HEADER_OFFSET 0x4000u
#define ESPALIER_MBOX_COMMAND_HEADER_OPCODE_MASK 0xffu
#define ESPALIER_MBOX_COMMAND_HEADER_OPCODE_SHIFT 0
#define ESPALIER_MBOX_COMMAND_HEADER_TAG_MASK 0xffff0000u
#define ESPALIER_MBOX_COMMAND_HEADER_TAG_SHIFT 16

/* SA handle, as in SA_HANDLE. */
#define ESPALIER_MBOX_COMMAND_HANDLE_OFFSET 0x4004u

/* 0. */
#define ESPALIER_MBOX_COMMAND_RESERVED_OFFSET(i) (0x4008u + 0x4u * (uint32_t)(i))
#define ESPALIER_MBOX_COMMAND_RESERVED_COUNT 2

/* The words from here to KEY are those of the SA window. */
#define ESPALIER_MBOX_COMMAND_SPI_OFFSET 0x4010u

/* As SA.FLAGS. */
#define ESPALIER_MBOX_COMMAND_FLAGS_OFFSET 0x4014u

/* As SA.ESN_HI. */
#define ESPALIER_MBOX_COMMAND_ESN_HI_OFFSET 0x4018u

/* As SA.SALT. */
#define ESPALIER_MBOX_COMMAND_SALT_OFFSET 0x401cu

/* As SA.DST. */
#define ESPALIER_MBOX_COMMAND_DST_OFFSET(i) (0x4020u + 0x4u * (uint32_t)(i))
#define ESPALIER_MBOX_COMMAND_DST_COUNT 4

/* As SA.SRC. */
#define ESPALIER_MBOX_COMMAND_SRC_OFFSET(i) (0x4030u + 0x4u * (uint32_t)(i))
#define ESPALIER_MBOX_COMMAND_SRC_COUNT 4

/* As SA.KEY. */
#define ESPALIER_MBOX_COMMAND_KEY_OFFSET(i) (0x4040u + 0x4u * (uint32_t)(i))
#define ESPALIER_MBOX_COMMAND_KEY_COUNT 8

/* 0. */
#define ESPALIER_MBOX_COMMAND_UNUSED_OFFSET(i) (0x4060u + 0x4u * (uint32_t)(i))
#define ESPALIER_MBOX_COMMAND_UNUSED_COUNT 8

/* Command slots 1 to 31, laid out as slot 0. */
#define ESPALIER_MBOX_COMMAND_SLOTS_OFFSET(i) (0x4080u + 0x4u * (uint32_t)(i))
#define ESPALIER_MBOX_COMMAND_SLOTS_COUNT 992

/* How it ended. */
#define ESPALIER_MBOX_RESPONSE_HEADER_OFFSET 0x5000u
#define ESPALIER_MBOX_RESPONSE_HEADER_OPCODE_MASK 0xffu
#define ESPALIER_MBOX_RESPONSE_HEADER_OPCODE_SHIFT 0
#define ESPALIER_MBOX_RESPONSE_HEADER_STATUS_MASK 0xff00u
#define ESPALIER_MBOX_RESPONSE_HEADER_STATUS_SHIFT 8
#define ESPALIER_MBOX_RESPONSE_HEADER_TAG_MASK 0xffff0000u
#define ESPALIER_MBOX_RESPONSE_HEADER_TAG_SHIFT 16

/* Handle of the SA that was added, restored or read, else the command's. */
#define ESPALIER_MBOX_RESPONSE_HANDLE_OFFSET 0x5004u

/* About a refusal. */
#define ESPALIER_MBOX_RESPONSE_DETAIL_OFFSET 0x5008u
#define ESPALIER_MBOX_RESPONSE_DETAIL_FIELD_AT_FAULT_MASK 0xffu
#define ESPALIER_MBOX_RESPONSE_DETAIL_FIELD_AT_FAULT_SHIFT 0

/* Clock cycles from taking the command to this answer. */
#define ESPALIER_MBOX_RESPONSE_CYCLES_OFFSET 0x500cu

/* From here on only for READ_SA and NEXT_SA: as SA.SPI. */
#define ESPALIER_MBOX_RESPONSE_SPI_OFFSET 0x5010u

/* As SA.FLAGS. */
#define ESPALIER_MBOX_RESPONSE_FLAGS_OFFSET 0x5014u

/* As SA.ESN_HI. */
#define ESPALIER_MBOX_RESPONSE_ESN_HI_OFFSET 0x5018u

/* 0. */
#define ESPALIER_MBOX_RESPONSE_RESERVED_OFFSET 0x501cu

/* As SA.DST. */
#define ESPALIER_MBOX_RESPONSE_DST_OFFSET(i) (0x5020u + 0x4u * (uint32_t)(i))
#define ESPALIER_MBOX_RESPONSE_DST_COUNT 4

/* As SA.SRC. */
#define ESPALIER_MBOX_RESPONSE_SRC_OFFSET(i) (0x5030u + 0x4u * (uint32_t)(i))
#define ESPALIER_MBOX_RESPONSE_SRC_COUNT 4

/* As SA_COUNTERS. */
#define ESPALIER_MBOX_RESPONSE_COUNTERS_OFFSET(i) (0x5040u + 0x4u * (uint32_t)(i))
#define ESPALIER_MBOX_RESPONSE_COUNTERS_COUNT 8

/* 0. */
#define ESPALIER_MBOX_RESPONSE_UNUSED_OFFSET(i) (0x5060u + 0x4u * (uint32_t)(i))
#define ESPALIER_MBOX_RESPONSE_UNUSED_COUNT 8

/* Response slots 1 to 31, laid out as slot 0. */
#define ESPALIER_MBOX_RESPONSE_SLOTS_OFFSET(i) (0x5080u + 0x4u * (uint32_t)(i))
#define ESPALIER_MBOX_RESPONSE_SLOTS_COUNT 992

/* Log of the firmware: ASCII lines in a ring of 4096 bytes. */
#define ESPALIER_CP_LOG_OFFSET(i) (0x6000u + 0x4u * (uint32_t)(i))
#define ESPALIER_CP_LOG_COUNT 1024

/* Firmware: frame of the self-test, byte 0 lowest in word 0; what comes back replaces it. */
#define ESPALIER_CP_SELFTEST_FRAME_OFFSET(i) (0x7000u + 0x4u * (uint32_t)(i))
#define ESPALIER_CP_SELFTEST_FRAME_COUNT 64

/* --------------------------------------------------------------------------
 * One queue: a descriptor ring, a completion ring of the same number of entries, and its doorbell.
 * Offsets of registers are within a queue's page. */

#define ESPALIER_TXQ_OFFSET(i) (0x10000u + 0x1000u * (uint32_t)(i))
#define ESPALIER_TXQ_COUNT 16

#define ESPALIER_RXQ_OFFSET(i) (0x20000u + 0x1000u * (uint32_t)(i))
#define ESPALIER_RXQ_COUNT 16

/* Queue control. Ring registers may be written only while ENABLE is 0. */
#define ESPALIER_QUEUE_CTRL_OFFSET 0x0u
#define ESPALIER_QUEUE_CTRL_ENABLE_MASK 0x1u
#define ESPALIER_QUEUE_CTRL_ENABLE_SHIFT 0
#define ESPALIER_QUEUE_CTRL_RING_LOG2_MASK 0xf0u
#define ESPALIER_QUEUE_CTRL_RING_LOG2_SHIFT 4
#define ESPALIER_QUEUE_CTRL_VECTOR_MASK 0x1f00u
#define ESPALIER_QUEUE_CTRL_VECTOR_SHIFT 8

/* Queue status. */
#define ESPALIER_QUEUE_STATUS_OFFSET 0x4u
#define ESPALIER_QUEUE_STATUS_ACTIVE_MASK 0x1u
#define ESPALIER_QUEUE_STATUS_ACTIVE_SHIFT 0
#define ESPALIER_QUEUE_STATUS_ERROR_MASK 0x2u
#define ESPALIER_QUEUE_STATUS_ERROR_SHIFT 1
#define ESPALIER_QUEUE_STATUS_ERROR_CODE_MASK 0xf0u
#define ESPALIER_QUEUE_STATUS_ERROR_CODE_SHIFT 4

/* IOVA of the descriptor ring, bits 31:0; 64-byte aligned. */
#define ESPALIER_QUEUE_RING_LO_OFFSET 0x8u

/* IOVA of the descriptor ring, bits 63:32. */
#define ESPALIER_QUEUE_RING_HI_OFFSET 0xcu

/* IOVA of the completion ring, bits 31:0; 64-byte aligned. */
#define ESPALIER_QUEUE_CPL_LO_OFFSET 0x10u

/* IOVA of the completion ring, bits 63:32. */
#define ESPALIER_QUEUE_CPL_HI_OFFSET 0x14u

/* Doorbell: index of the first descriptor that the NIC may not use yet. Ring full is size - 1
 * descriptors. */
#define ESPALIER_QUEUE_TAIL_OFFSET 0x18u
#define ESPALIER_QUEUE_TAIL_VALUE_MASK 0xffffu
#define ESPALIER_QUEUE_TAIL_VALUE_SHIFT 0

/* Index of the next descriptor to be processed. */
#define ESPALIER_QUEUE_HEAD_OFFSET 0x1cu
#define ESPALIER_QUEUE_HEAD_VALUE_MASK 0xffffu
#define ESPALIER_QUEUE_HEAD_VALUE_SHIFT 0

/* Completion batching. Up to four completions share one 64-byte write. */
#define ESPALIER_QUEUE_CPL_BATCH_OFFSET 0x20u
#define ESPALIER_QUEUE_CPL_BATCH_COUNT_MASK 0x7u
#define ESPALIER_QUEUE_CPL_BATCH_COUNT_SHIFT 0
#define ESPALIER_QUEUE_CPL_BATCH_TIMER_MASK 0xffff0000u
#define ESPALIER_QUEUE_CPL_BATCH_TIMER_SHIFT 16

/* --------------------------------------------------------------------------
 * Encodings. */

enum espalier_sa_op {
    /* No operation; completes at once with OK. */
    ESPALIER_SA_OP_NOP = 0,
    /* Install the record in the window into slot HANDLE.INDEX; expands the key and the powers of H; writes
     * the new generation to HANDLE. */
    ESPALIER_SA_OP_ADD = 1,
    /* Set ESN_HI of the SA named by HANDLE (index and generation) from the window. */
    ESPALIER_SA_OP_UPDATE = 2,
    /* Stop using the SA named by HANDLE, wait for its packets to leave the pipelines, zeroise the slot. */
    ESPALIER_SA_OP_DELETE = 3,
    /* Copy slot HANDLE.INDEX into the window, keys and salt excepted (they read as zero); writes the
     * generation to HANDLE. */
    ESPALIER_SA_OP_READ = 4,
    /* As ADD, but the slot keeps its generation, which must be the one in HANDLE: brings an SA back under
     * its handle after a reset. */
    ESPALIER_SA_OP_RESTORE = 5
};

enum espalier_sa_result {
    /* Done. */
    ESPALIER_SA_RESULT_OK = 0,
    /* Unknown operation. */
    ESPALIER_SA_RESULT_BAD_OP = 1,
    /* HANDLE.INDEX is not below SA_CAPACITY. */
    ESPALIER_SA_RESULT_BAD_INDEX = 2,
    /* ADD on a slot that holds an SA. */
    ESPALIER_SA_RESULT_SLOT_IN_USE = 3,
    /* The slot is empty or its generation differs; RESTORE: its generation differs. */
    ESPALIER_SA_RESULT_STALE_HANDLE = 4,
    /* ADD of an inbound SA whose SPI, destination and IP version are already present. */
    ESPALIER_SA_RESULT_DUPLICATE = 5,
    /* ADD of an inbound SA for which every way of both hash buckets is taken. */
    ESPALIER_SA_RESULT_LOOKUP_FULL = 6,
    /* The record asks for something CAP_* does not state, or SPI is 0. */
    ESPALIER_SA_RESULT_BAD_RECORD = 7,
    /* READ of a slot that holds no SA. */
    ESPALIER_SA_RESULT_EMPTY_SLOT = 8
};

enum espalier_keylen {
    /* AES-GCM with a 16-byte key. */
    ESPALIER_KEYLEN_AES128 = 0,
    /* AES-GCM with a 24-byte key. */
    ESPALIER_KEYLEN_AES192 = 1,
    /* AES-GCM with a 32-byte key. */
    ESPALIER_KEYLEN_AES256 = 2
};

enum espalier_cp_fault {
    /* No fault. */
    ESPALIER_CP_FAULT_NONE = 0,
    /* Illegal instruction or misaligned access. */
    ESPALIER_CP_FAULT_TRAP = 1,
    /* Access to an address where nothing is, or a write to the program. */
    ESPALIER_CP_FAULT_BUS = 2,
    /* The firmware did not write CP_HEARTBEAT in time. */
    ESPALIER_CP_FAULT_WATCHDOG = 3
};

enum espalier_selftest_result {
    /* The frame went through as it was. */
    ESPALIER_SELFTEST_RESULT_PASS = 0,
    /* Encrypted, or decrypted with a good ICV. */
    ESPALIER_SELFTEST_RESULT_OK = 1,
    /* ICV wrong. */
    ESPALIER_SELFTEST_RESULT_AUTH = 2,
    /* Lengths are impossible. */
    ESPALIER_SELFTEST_RESULT_SYNTAX = 3,
    /* The frame ends too early. */
    ESPALIER_SELFTEST_RESULT_ERROR = 4
};

enum espalier_mailbox_op {
    /* Nothing; answered with OK. */
    ESPALIER_MAILBOX_OP_NOP = 0,
    /* Install SA in a free slot that the firmware chooses; answers with HANDLE. */
    ESPALIER_MAILBOX_OP_ADD_SA = 1,
    /* Install SA in the slot and with the generation of HANDLE, which must be the slot's last one. */
    ESPALIER_MAILBOX_OP_RESTORE_SA = 2,
    /* Set the upper half of the sequence numbers of HANDLE to SA.ESN_HI; SA.SPI must be the SA's. */
    ESPALIER_MAILBOX_OP_UPDATE_SA = 3,
    /* Delete HANDLE; answered when no frame uses it any more and its keys are zeroised. */
    ESPALIER_MAILBOX_OP_DELETE_SA = 4,
    /* Read HANDLE back. */
    ESPALIER_MAILBOX_OP_READ_SA = 5,
    /* Read back the SA in the lowest slot in use that is not below HANDLE.INDEX. */
    ESPALIER_MAILBOX_OP_NEXT_SA = 6
};

enum espalier_mailbox_status {
    /* Done. */
    ESPALIER_MAILBOX_STATUS_OK = 0,
    /* Unknown operation. */
    ESPALIER_MAILBOX_STATUS_BAD_OP = 1,
    /* A field of the SA is not what CAP_* allows; FIELD says which. */
    ESPALIER_MAILBOX_STATUS_BAD_RECORD = 2,
    /* No free slot. */
    ESPALIER_MAILBOX_STATUS_NO_SPACE = 3,
    /* No room in the lookup table for this SPI and destination. */
    ESPALIER_MAILBOX_STATUS_LOOKUP_FULL = 4,
    /* An inbound SA with this SPI, destination and IP version exists. */
    ESPALIER_MAILBOX_STATUS_DUPLICATE = 5,
    /* HANDLE names no SA; RESTORE_SA: not the slot's last generation. */
    ESPALIER_MAILBOX_STATUS_STALE_HANDLE = 6,
    /* UPDATE_SA of an SA without ESN. */
    ESPALIER_MAILBOX_STATUS_NOT_ESN = 7,
    /* RESTORE_SA into a slot that holds an SA. */
    ESPALIER_MAILBOX_STATUS_SLOT_IN_USE = 8,
    /* NEXT_SA: no SA at or above this slot. */
    ESPALIER_MAILBOX_STATUS_NO_MORE = 9,
    /* The start-up self-tests failed; no command is carried out. */
    ESPALIER_MAILBOX_STATUS_SELFTEST_FAILED = 10,
    /* The SA engine refused what the firmware had found good. */
    ESPALIER_MAILBOX_STATUS_HARDWARE = 11
};

enum espalier_mailbox_field {
    /* No single field. */
    ESPALIER_MAILBOX_FIELD_NONE = 0,
    /* SA.SPI. */
    ESPALIER_MAILBOX_FIELD_SPI = 1,
    /* SA.FLAGS.KEYLEN. */
    ESPALIER_MAILBOX_FIELD_KEYLEN = 2,
    /* SA.FLAGS.RX_QUEUE. */
    ESPALIER_MAILBOX_FIELD_RX_QUEUE = 3,
    /* SA.DST. */
    ESPALIER_MAILBOX_FIELD_DST = 4,
    /* SA.SRC. */
    ESPALIER_MAILBOX_FIELD_SRC = 5,
    /* Bits of SA.FLAGS that have no meaning. */
    ESPALIER_MAILBOX_FIELD_FLAGS = 6,
    /* HANDLE. */
    ESPALIER_MAILBOX_FIELD_HANDLE = 7
};

enum espalier_queue_error {
    /* No error. */
    ESPALIER_QUEUE_ERROR_NONE = 0,
    /* Fetching descriptors failed on the bus. */
    ESPALIER_QUEUE_ERROR_DESC_READ = 1,
    /* Writing completions failed on the bus. */
    ESPALIER_QUEUE_ERROR_CPL_WRITE = 2,
    /* TAIL was written with a value not below the ring size. */
    ESPALIER_QUEUE_ERROR_BAD_TAIL = 3,
    /* ENABLE was set with a RING_LOG2 outside CAP_RING, or a ring address not aligned to 64 bytes. */
    ESPALIER_QUEUE_ERROR_BAD_CONFIG = 4
};

enum espalier_crypto_status {
    /* Decrypted where needed and every ICV that was checked is good. */
    ESPALIER_CRYPTO_STATUS_SUCCESS = 0,
    /* Failed, unspecified. */
    ESPALIER_CRYPTO_STATUS_GENERIC_ERROR = 1,
    /* AH ICV of the transport portion is bad. */
    ESPALIER_CRYPTO_STATUS_TRANSPORT_AH_AUTH_FAILED = 2,
    /* ESP ICV of the transport portion is bad. */
    ESPALIER_CRYPTO_STATUS_TRANSPORT_ESP_AUTH_FAILED = 3,
    /* AH ICV of the tunnel portion is bad. */
    ESPALIER_CRYPTO_STATUS_TUNNEL_AH_AUTH_FAILED = 4,
    /* ESP ICV of the tunnel portion is bad. */
    ESPALIER_CRYPTO_STATUS_TUNNEL_ESP_AUTH_FAILED = 5,
    /* Lengths are impossible on a matching SA. */
    ESPALIER_CRYPTO_STATUS_INVALID_PACKET_SYNTAX = 6,
    /* The packet's protocols differ from the SA's. */
    ESPALIER_CRYPTO_STATUS_INVALID_PROTOCOL = 7
};

enum espalier_completion_status {
    /* Done as asked. */
    ESPALIER_COMPLETION_STATUS_OK = 0,
    /* TX: the SA handle names no outbound SA of that generation; the frame was not sent. */
    ESPALIER_COMPLETION_STATUS_STALE_HANDLE = 1,
    /* TX: LENGTH below 14 or above CAP_FRAME.MAX_FRAME, or too short for the ESP packet, or its payload is
     * not a multiple of 4; not sent. */
    ESPALIER_COMPLETION_STATUS_BAD_LENGTH = 2,
    /* TX: ESP_OFFSET leaves no room for Ethernet and IP headers; not sent. */
    ESPALIER_COMPLETION_STATUS_BAD_OFFSET = 3,
    /* TX: reading the frame failed on the bus; not sent. */
    ESPALIER_COMPLETION_STATUS_DMA_READ = 4,
    /* RX: writing the frame failed on the bus; buffer contents are undefined. */
    ESPALIER_COMPLETION_STATUS_DMA_WRITE = 5,
    /* TX: IPSEC asked for while CTRL.IPSEC_ENABLE is 0; not sent (fail closed). */
    ESPALIER_COMPLETION_STATUS_OFFLOAD_OFF = 6,
    /* RX: the buffer was shorter than the frame; LENGTH is the frame's, the buffer holds its beginning. */
    ESPALIER_COMPLETION_STATUS_TRUNCATED = 7
};

/* --------------------------------------------------------------------------
 * Records in host memory: words in little-endian byte order, lowest first. The functions take and give
 * values of a little-endian machine. */

/* One frame to send. 16 bytes, little-endian, in the TX ring. */
struct espalier_tx_descriptor {
    uint32_t word[4];
};
static_assert(sizeof(struct espalier_tx_descriptor) == 16, "size of struct espalier_tx_descriptor");

/* ADDR, bits 63:0: IOVA of the frame's first byte; any alignment. */
static inline uint64_t espalier_tx_descriptor_get_addr(const struct espalier_tx_descriptor *r)
{
    return r->word[0] | (uint64_t)r->word[1] << 32;
}
static inline void espalier_tx_descriptor_set_addr(struct espalier_tx_descriptor *r, uint64_t value)
{
    r->word[0] = (uint32_t)value;
    r->word[1] = (uint32_t)(value >> 32);
}

/* LENGTH, bits 79:64: Frame length in bytes, Ethernet header to last byte, no FCS; for IPSEC it
 * includes the IV and ICV room. */
static inline uint32_t espalier_tx_descriptor_get_length(const struct espalier_tx_descriptor *r)
{
    return r->word[2] & 0xffffu;
}
static inline void espalier_tx_descriptor_set_length(struct espalier_tx_descriptor *r, uint32_t value)
{
    r->word[2] = (r->word[2] & 0xffff0000u) | (value & 0xffffu);
}

/* ESP_OFFSET, bits 90:80: Byte offset of the ESP header (its SPI) from the frame's first byte; with
 * IPSEC only. */
static inline uint32_t espalier_tx_descriptor_get_esp_offset(const struct espalier_tx_descriptor *r)
{
    return (r->word[2] >> 16) & 0x7ffu;
}
static inline void espalier_tx_descriptor_set_esp_offset(struct espalier_tx_descriptor *r, uint32_t value)
{
    r->word[2] = (r->word[2] & 0xf800ffffu) | (value & 0x7ffu) << 16;
}

/* IPSEC, bit 91: 1: encrypt and authenticate with the SA named by HANDLE. */
static inline uint32_t espalier_tx_descriptor_get_ipsec(const struct espalier_tx_descriptor *r)
{
    return (r->word[2] >> 27) & 0x1u;
}
static inline void espalier_tx_descriptor_set_ipsec(struct espalier_tx_descriptor *r, uint32_t value)
{
    r->word[2] = (r->word[2] & 0xf7ffffffu) | (value & 0x1u) << 27;
}

/* REPORT, bit 92: 1: write a completion for this descriptor even when it succeeds. */
static inline uint32_t espalier_tx_descriptor_get_report(const struct espalier_tx_descriptor *r)
{
    return (r->word[2] >> 28) & 0x1u;
}
static inline void espalier_tx_descriptor_set_report(struct espalier_tx_descriptor *r, uint32_t value)
{
    r->word[2] = (r->word[2] & 0xefffffffu) | (value & 0x1u) << 28;
}

/* ESN_LSB, bit 93: Least significant bit of the sequence number's upper half as of submission; ESN SAs
 * only. Where it differs from the SA's ESN_HI the NIC uses ESN_HI - 1, so that an UPDATE does not
 * touch frames queued before it. */
static inline uint32_t espalier_tx_descriptor_get_esn_lsb(const struct espalier_tx_descriptor *r)
{
    return (r->word[2] >> 29) & 0x1u;
}
static inline void espalier_tx_descriptor_set_esn_lsb(struct espalier_tx_descriptor *r, uint32_t value)
{
    r->word[2] = (r->word[2] & 0xdfffffffu) | (value & 0x1u) << 29;
}

/* HANDLE, bits 127:96: SA handle: slot index in bits 15:0, generation in bits 31:16. */
static inline uint32_t espalier_tx_descriptor_get_handle(const struct espalier_tx_descriptor *r)
{
    return r->word[3];
}
static inline void espalier_tx_descriptor_set_handle(struct espalier_tx_descriptor *r, uint32_t value)
{
    r->word[3] = value;
}

/* One empty receive buffer. 16 bytes, little-endian, in the RX ring. */
struct espalier_rx_descriptor {
    uint32_t word[4];
};
static_assert(sizeof(struct espalier_rx_descriptor) == 16, "size of struct espalier_rx_descriptor");

/* ADDR, bits 63:0: IOVA of the buffer; any alignment, 64 is fastest. */
static inline uint64_t espalier_rx_descriptor_get_addr(const struct espalier_rx_descriptor *r)
{
    return r->word[0] | (uint64_t)r->word[1] << 32;
}
static inline void espalier_rx_descriptor_set_addr(struct espalier_rx_descriptor *r, uint64_t value)
{
    r->word[0] = (uint32_t)value;
    r->word[1] = (uint32_t)(value >> 32);
}

/* LENGTH, bits 79:64: Buffer length in bytes. */
static inline uint32_t espalier_rx_descriptor_get_length(const struct espalier_rx_descriptor *r)
{
    return r->word[2] & 0xffffu;
}
static inline void espalier_rx_descriptor_set_length(struct espalier_rx_descriptor *r, uint32_t value)
{
    r->word[2] = (r->word[2] & 0xffff0000u) | (value & 0xffffu);
}

/* What became of one descriptor. 16 bytes, little-endian, in the completion ring. Words 2 and 3 hold
 * the IPsecOV2 receive words of slots 1 and 12. */
struct espalier_completion {
    uint32_t word[4];
};
static_assert(sizeof(struct espalier_completion) == 16, "size of struct espalier_completion");

/* LENGTH, bits 15:0: RX: frame length in bytes. TX: the descriptor's length. */
static inline uint32_t espalier_completion_get_length(const struct espalier_completion *r)
{
    return r->word[0] & 0xffffu;
}
static inline void espalier_completion_set_length(struct espalier_completion *r, uint32_t value)
{
    r->word[0] = (r->word[0] & 0xffff0000u) | (value & 0xffffu);
}

/* INDEX, bits 31:16: Ring index of the descriptor. TX: all earlier ones are complete too. */
static inline uint32_t espalier_completion_get_index(const struct espalier_completion *r)
{
    return r->word[0] >> 16;
}
static inline void espalier_completion_set_index(struct espalier_completion *r, uint32_t value)
{
    r->word[0] = (r->word[0] & 0xffffu) | (value & 0xffffu) << 16;
}

/* HANDLE, bits 63:32: RX: handle of the SA that matched, 0 if none. TX: the descriptor's handle if
 * IPSEC was asked for, else 0. */
static inline uint32_t espalier_completion_get_handle(const struct espalier_completion *r)
{
    return r->word[1];
}
static inline void espalier_completion_set_handle(struct espalier_completion *r, uint32_t value)
{
    r->word[1] = value;
}

/* SA_DELETE_REQ, bit 64: The driver would like this SA deleted; always 0 from the NIC. */
static inline uint32_t espalier_completion_get_sa_delete_req(const struct espalier_completion *r)
{
    return r->word[2] & 0x1u;
}
static inline void espalier_completion_set_sa_delete_req(struct espalier_completion *r, uint32_t value)
{
    r->word[2] = (r->word[2] & 0xfffffffeu) | (value & 0x1u);
}

/* CRYPTO_DONE, bit 65: RX: an IPsec payload was checked. */
static inline uint32_t espalier_completion_get_crypto_done(const struct espalier_completion *r)
{
    return (r->word[2] >> 1) & 0x1u;
}
static inline void espalier_completion_set_crypto_done(struct espalier_completion *r, uint32_t value)
{
    r->word[2] = (r->word[2] & 0xfffffffdu) | (value & 0x1u) << 1;
}

/* NEXT_CRYPTO_DONE, bit 66: RX: tunnel and transport payloads were both checked. */
static inline uint32_t espalier_completion_get_next_crypto_done(const struct espalier_completion *r)
{
    return (r->word[2] >> 2) & 0x1u;
}
static inline void espalier_completion_set_next_crypto_done(struct espalier_completion *r, uint32_t value)
{
    r->word[2] = (r->word[2] & 0xfffffffbu) | (value & 0x1u) << 2;
}

/* CRYPTO_STATUS, bits 95:80: RX: outcome of the check. */
static inline uint32_t espalier_completion_get_crypto_status(const struct espalier_completion *r)
{
    return r->word[2] >> 16;
}
static inline void espalier_completion_set_crypto_status(struct espalier_completion *r, uint32_t value)
{
    r->word[2] = (r->word[2] & 0xffffu) | (value & 0xffffu) << 16;
}

/* NEXT_HEADER, bits 103:96: RX: Next Header of the ESP trailer, valid with HEADER_INFO_SET. */
static inline uint32_t espalier_completion_get_next_header(const struct espalier_completion *r)
{
    return r->word[3] & 0xffu;
}
static inline void espalier_completion_set_next_header(struct espalier_completion *r, uint32_t value)
{
    r->word[3] = (r->word[3] & 0xffffff00u) | (value & 0xffu);
}

/* PAD_LENGTH, bits 111:104: RX: Pad Length of the ESP trailer, valid with HEADER_INFO_SET. */
static inline uint32_t espalier_completion_get_pad_length(const struct espalier_completion *r)
{
    return (r->word[3] >> 8) & 0xffu;
}
static inline void espalier_completion_set_pad_length(struct espalier_completion *r, uint32_t value)
{
    r->word[3] = (r->word[3] & 0xffff00ffu) | (value & 0xffu) << 8;
}

/* HEADER_INFO_SET, bit 112: RX: ESP was decrypted with SUCCESS. */
static inline uint32_t espalier_completion_get_header_info_set(const struct espalier_completion *r)
{
    return (r->word[3] >> 16) & 0x1u;
}
static inline void espalier_completion_set_header_info_set(struct espalier_completion *r, uint32_t value)
{
    r->word[3] = (r->word[3] & 0xfffeffffu) | (value & 0x1u) << 16;
}

/* STATUS, bits 126:120: Outcome for the descriptor. */
static inline uint32_t espalier_completion_get_status(const struct espalier_completion *r)
{
    return (r->word[3] >> 24) & 0x7fu;
}
static inline void espalier_completion_set_status(struct espalier_completion *r, uint32_t value)
{
    r->word[3] = (r->word[3] & 0x80ffffffu) | (value & 0x7fu) << 24;
}

/* PHASE, bit 127: Phase: 1 on the first lap of the ring after ENABLE, inverted each lap. */
static inline uint32_t espalier_completion_get_phase(const struct espalier_completion *r)
{
    return r->word[3] >> 31;
}
static inline void espalier_completion_set_phase(struct espalier_completion *r, uint32_t value)
{
    r->word[3] = (r->word[3] & 0x7fffffffu) | (value & 0x1u) << 31;
}

/* One security association as the host writes it into the SA window. Its words in order are the
 * window's registers from ESPALIER_SA_SPI_OFFSET on. */
struct espalier_sa_record {
    /* SPI; 0 is refused. */
    uint32_t spi;
    /* What kind of SA this is. */
    uint32_t flags;
    /* Upper half of the 64-bit sequence number; used with ESN. */
    uint32_t esn_hi;
    /* Salt of RFC 4106, first byte most significant. */
    uint32_t salt;
    /* Destination address; an IPv4 address is word 0, the others 0. All zero: any destination. */
    uint32_t dst[4];
    /* Source address; all zero: any source. */
    uint32_t src[4];
    /* AES key, first byte most significant in word 0; unused words are ignored. */
    uint32_t key[8];
};
static_assert(sizeof(struct espalier_sa_record) == 80, "size of struct espalier_sa_record");
static_assert(offsetof(struct espalier_sa_record, spi) == 0, "place of spi");
static_assert(offsetof(struct espalier_sa_record, flags) == 4, "place of flags");
static_assert(offsetof(struct espalier_sa_record, esn_hi) == 8, "place of esn_hi");
static_assert(offsetof(struct espalier_sa_record, salt) == 12, "place of salt");
static_assert(offsetof(struct espalier_sa_record, dst) == 16, "place of dst");
static_assert(offsetof(struct espalier_sa_record, src) == 32, "place of src");
static_assert(offsetof(struct espalier_sa_record, key) == 48, "place of key");

/* One command to the control processor, in a slot of the command page. Its words in order are the
 * window's registers from ESPALIER_MBOX_COMMAND_HEADER_OFFSET on. */
struct espalier_mailbox_command {
    /* What to do. */
    uint32_t header;
    /* SA handle, as in SA_HANDLE. */
    uint32_t handle;
    /* 0. */
    uint32_t reserved[2];
    /* The words from here to KEY are those of the SA window. */
    uint32_t spi;
    /* As SA.FLAGS. */
    uint32_t flags;
    /* As SA.ESN_HI. */
    uint32_t esn_hi;
    /* As SA.SALT. */
    uint32_t salt;
    /* As SA.DST. */
    uint32_t dst[4];
    /* As SA.SRC. */
    uint32_t src[4];
    /* As SA.KEY. */
    uint32_t key[8];
    /* 0. */
    uint32_t unused[8];
};
static_assert(sizeof(struct espalier_mailbox_command) == 128, "size of struct espalier_mailbox_command");
static_assert(offsetof(struct espalier_mailbox_command, header) == 0, "place of header");
static_assert(offsetof(struct espalier_mailbox_command, handle) == 4, "place of handle");
static_assert(offsetof(struct espalier_mailbox_command, reserved) == 8, "place of reserved");
static_assert(offsetof(struct espalier_mailbox_command, spi) == 16, "place of spi");
static_assert(offsetof(struct espalier_mailbox_command, flags) == 20, "place of flags");
static_assert(offsetof(struct espalier_mailbox_command, esn_hi) == 24, "place of esn_hi");
static_assert(offsetof(struct espalier_mailbox_command, salt) == 28, "place of salt");
static_assert(offsetof(struct espalier_mailbox_command, dst) == 32, "place of dst");
static_assert(offsetof(struct espalier_mailbox_command, src) == 48, "place of src");
static_assert(offsetof(struct espalier_mailbox_command, key) == 64, "place of key");
static_assert(offsetof(struct espalier_mailbox_command, unused) == 96, "place of unused");

/* The answer to one command, in the slot of the same number of the response page. Its words in order
 * are the window's registers from ESPALIER_MBOX_RESPONSE_HEADER_OFFSET on. */
struct espalier_mailbox_response {
    /* How it ended. */
    uint32_t header;
    /* Handle of the SA that was added, restored or read, else the command's. */
    uint32_t handle;
    /* About a refusal. */
    uint32_t detail;
    /* Clock cycles from taking the command to this answer. */
    uint32_t cycles;
    /* From here on only for READ_SA and NEXT_SA: as SA.SPI. */
    uint32_t spi;
    /* As SA.FLAGS. */
    uint32_t flags;
    /* As SA.ESN_HI. */
    uint32_t esn_hi;
    /* 0. */
    uint32_t reserved;
    /* As SA.DST. */
    uint32_t dst[4];
    /* As SA.SRC. */
    uint32_t src[4];
    /* As SA_COUNTERS. */
    uint32_t counters[8];
    /* 0. */
    uint32_t unused[8];
};
static_assert(sizeof(struct espalier_mailbox_response) == 128, "size of struct espalier_mailbox_response");
static_assert(offsetof(struct espalier_mailbox_response, header) == 0, "place of header");
static_assert(offsetof(struct espalier_mailbox_response, handle) == 4, "place of handle");
static_assert(offsetof(struct espalier_mailbox_response, detail) == 8, "place of detail");
static_assert(offsetof(struct espalier_mailbox_response, cycles) == 12, "place of cycles");
static_assert(offsetof(struct espalier_mailbox_response, spi) == 16, "place of spi");
static_assert(offsetof(struct espalier_mailbox_response, flags) == 20, "place of flags");
static_assert(offsetof(struct espalier_mailbox_response, esn_hi) == 24, "place of esn_hi");
static_assert(offsetof(struct espalier_mailbox_response, reserved) == 28, "place of reserved");
static_assert(offsetof(struct espalier_mailbox_response, dst) == 32, "place of dst");
static_assert(offsetof(struct espalier_mailbox_response, src) == 48, "place of src");
static_assert(offsetof(struct espalier_mailbox_response, counters) == 64, "place of counters");
static_assert(offsetof(struct espalier_mailbox_response, unused) == 96, "place of unused");

#ifdef __cplusplus
}
#endif

#endif /* ESPALIER_REGS_H */
