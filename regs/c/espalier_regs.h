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
#define ESPALIER_VERSION_MINOR_VALUE 0x0u
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
    ESPALIER_SA_OP_READ = 4
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
    /* The slot is empty or its generation differs. */
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

#ifdef __cplusplus
}
#endif

#endif /* ESPALIER_REGS_H */
